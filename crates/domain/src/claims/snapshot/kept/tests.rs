use std::io::{self, Read};

use proptest::prelude::*;

use super::super::gather::{Both, InTurn};
use super::super::state::Snapshot;
use super::super::tests::small;
use super::*;
use crate::claims::strings::MAX_TEXT_BYTES;
use crate::claims::world::{World, any_world};

/// No part can be smaller: the longest text must fit in.
const LEAST_PART: usize = MAX_TEXT_BYTES;

/// The second first: of two things that are done side by side either may be done before the other.
struct OtherFirst;

impl Both for OtherFirst {
    fn both<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let other = other();
        (one(), other)
    }
}

/// Gives a few bytes at a time, and is interrupted in between.
struct Trickle<'a>(&'a [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = to.len().min(77);
        self.0.read(&mut to[..room])
    }
}

fn kept(week: &Snapshot) -> Vec<u8> {
    week.keep(Vec::new()).unwrap()
}

#[test]
fn a_week_that_is_torn_or_changed_is_refused_in_whatever_parts_it_is_read() {
    let bytes = kept(&small().snapshot());
    assert!(bytes.len() > 3 * LEAST_PART, "{} bytes are no parts", bytes.len());
    let recall = |bytes: &[u8]| Snapshot::recall_in(bytes, &InTurn, LEAST_PART);
    assert!(kept(&recall(&bytes).unwrap()) == bytes);
    for end in 0..bytes.len() {
        assert!(recall(&bytes[..end]).is_err(), "cut at {end}");
    }
    for index in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[index] ^= 1;
        assert!(recall(&bytes).is_err(), "changed at {index}");
    }
    assert!(recall(&[bytes.as_slice(), b"x"].concat()).is_err());
}

#[test]
fn a_count_that_is_far_too_large_ends_with_the_bytes_and_takes_no_room() {
    let bytes = kept(&World::default().snapshot());
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for list in ["strings", "assets", "channels", "uploaders", "videos", "references", "claims"] {
        let mut head: serde_json::Value = serde_json::from_slice(&bytes[..line]).unwrap();
        head[list] = u64::MAX.into();
        let more = [serde_json::to_vec(&head).unwrap().as_slice(), &bytes[line..]].concat();
        let error = Snapshot::recall(more.as_slice()).unwrap_err();
        assert!(matches!(error, KeptError::Unreadable(_) | KeptError::Damaged(_)), "{list}: {error}");
    }
}

proptest! {
    #[test]
    fn neither_parts_nor_their_order_change_what_is_written_or_comes_back(
        world in any_world(),
        written in 1_usize..500,
        read in LEAST_PART..4 * LEAST_PART,
    ) {
        let week = world.snapshot();
        let bytes = kept(&week);
        prop_assert_eq!(&week.keep_in(Vec::new(), &OtherFirst, written).unwrap(), &bytes);
        for back in [
            Snapshot::recall_in(bytes.as_slice(), &OtherFirst, read),
            Snapshot::recall_in(Trickle(&bytes, false), &InTurn, read),
        ] {
            prop_assert_eq!(&kept(&back.unwrap()), &bytes);
        }
    }
}
