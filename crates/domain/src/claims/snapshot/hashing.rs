//! Fingerprints of ids that are the same in every run, so that this week's claims can be held against the
//! claims that last week's run stored.

/// A 64-bit fingerprint (FNV-1a with a final mix, after the public-domain algorithms of Fowler, Noll and Vo, and of
/// Stafford). Of five million claims two share one with a probability of about one in a million.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hash = START;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    mix(hash)
}

const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_fingerprint_never_changes_since_histories_hold_it() {
        assert_eq!(fingerprint(b"clm-1"), fingerprint(b"clm-1"));
        insta::assert_snapshot!(format!("{:016x}", fingerprint(b"clm-1")), @"9c8336004c31430c");
    }

    #[test]
    fn ids_that_follow_each_other_have_fingerprints_of_their_own() {
        let seen: BTreeSet<u64> = (0..100_000).map(|n| fingerprint(format!("clm-{n}").as_bytes())).collect();
        assert_eq!(seen.len(), 100_000);
    }
}
