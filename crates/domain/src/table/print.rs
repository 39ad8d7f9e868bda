//! Fingerprints of rows.

/// The fingerprint of a row's cells with a comma between each two, and of their borders where the commas do not tell
/// them. Sixteen bytes at a time by a folded multiplication (after wyhash by Wang Yi, in the public domain), in two
/// lanes. Equal rows have the same one in every run; that two different rows share one takes chance of 2^-64, or
/// somebody who knows the constants: nothing but a count of repeated rows stands on it.
pub(super) fn fingerprint(bytes: &[u8], ends: &[u32]) -> u64 {
    let commas = memchr::memchr_iter(b',', bytes).count();
    let print = of_plain(bytes);
    if commas + 1 == ends.len() {
        return print;
    }
    ends.iter()
        .fold(fold(print ^ SECRETS[2], SECRETS[3]), |print, end| fold(print ^ u64::from(*end), SECRETS[1]))
}

/// The same for a row in which every comma is a border.
pub(super) fn of_plain(bytes: &[u8]) -> u64 {
    let [a, b, c, d] = SECRETS;
    let (mut even, mut odd) = (a, b);
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        let [one, two, three, four] = words(block);
        even = fold(one ^ c, two ^ even);
        odd = fold(three ^ d, four ^ odd);
    }
    // The rest behind zeros; the length below tells them from zeros of the row.
    let mut rest = [0; 32];
    let left = blocks.remainder();
    if let Some(place) = rest.get_mut(..left.len()) {
        place.copy_from_slice(left);
    }
    let [one, two, three, four] = words(&rest);
    even = fold(one ^ c, two ^ even);
    odd = fold(three ^ d, four ^ odd);
    let length = u64::try_from(bytes.len()).unwrap_or_default();
    fold(even ^ c ^ length, odd ^ d)
}

/// The four constants of wyhash.
const SECRETS: [u64; 4] =
    [0x2d35_8dcc_aa6c_78a5, 0x8bb8_4b93_962e_acc9, 0x4b33_a62e_d433_d4a3, 0x4d5a_2da5_1de1_aa47];

/// The four words of a block of 32 bytes.
fn words(block: &[u8]) -> [u64; 4] {
    let block = <[u8; 32]>::try_from(block).unwrap_or_default();
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
        *word = u64::from_le_bytes(<[u8; 8]>::try_from(bytes).unwrap_or_default());
    }
    words
}

/// Both halves of a product.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    half(product) ^ half(product >> 64)
}

#[cfg(test)]
mod tests {
    use super::super::cells::Cells;
    use proptest::prelude::*;

    fn of(cells: &[&[u8]]) -> u64 {
        let bytes = cells.concat();
        let ends: Vec<u32> =
            (1..=cells.len()).map(|count| u32::try_from(cells[..count].concat().len()).unwrap()).collect();
        Cells::bare(&bytes, &ends).fingerprint()
    }

    #[test]
    fn a_fingerprint_never_changes_since_histories_hold_it() {
        insta::assert_snapshot!(format!("{:016x}", of(&[b"0123456789", b"x"])), @"2630951cd158d255");
        insta::assert_snapshot!(format!("{:016x}", of(&[&[b'y'; 100], b"a,b"])), @"93575a12547e1c75");
    }

    #[test]
    fn a_border_moved_is_another_row() {
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"", b"x"]), of(&[b"x", b""]));
        assert_ne!(of(&[b"a,b", b"c"]), of(&[b"a", b"b,c"]));
        assert_ne!(of(&[b"a,b"]), of(&[b"a", b"b"]));
        assert_ne!(of(&[b"a"]), of(&[b"a\0"]));
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_another_row(bytes in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, by in 1..=255_u8) {
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= by;
            prop_assert_ne!(of(&[&bytes]), of(&[&changed]));
        }
    }
}
