//! The form of a block: entries in the order of their ids, each with as many numbers as its kind has.
//!
//! An id is told by how much it shares with the one before (bytes), how much follows, and what follows; the first id of
//! a block is not in it but beside it, since it is what blocks are found by. Behind the id stand the numbers: 0 is
//! unknown, n + 1 is n. All numbers are written as LEB128, the low seven bits first. What is read may be damaged: nothing
//! is taken from it that was not looked at, and no more is kept of it than it has bytes.

/// Numbers above half of all numbers are kept as this one, which no counter of views comes near.
const MOST: u64 = i64::MAX.unsigned_abs();

/// From so many bytes on a block is full: large enough for few rows, small enough for one of each of a hundred weeks.
const FULL_BYTES: usize = 64 * 1024;

/// What is wrong with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Flaw(&'static str);

const OUT_OF_ORDER: Flaw = Flaw("its ids are out of order");

/// Makes one block after the other.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    first: String,
    last: String,
    entries: u32,
    bytes: Vec<u8>,
    has_last: bool,
}

impl Encoder {
    /// Adds an entry. Its id must be above the one before, that of a block before included.
    pub fn push(&mut self, id: &str, numbers: &[Option<u64>]) -> Result<(), Flaw> {
        if self.has_last && id <= self.last.as_str() {
            return Err(OUT_OF_ORDER);
        }
        if self.entries == 0 {
            id.clone_into(&mut self.first);
        } else {
            let (shared, suffix) = shared(&self.last, id);
            write(&mut self.bytes, count(shared));
            write(&mut self.bytes, count(suffix.len()));
            self.bytes.extend_from_slice(suffix.as_bytes());
        }
        for number in numbers {
            write(&mut self.bytes, number.map_or(0, |number| number.min(MOST) + 1));
        }
        id.clone_into(&mut self.last);
        self.has_last = true;
        self.entries += 1;
        Ok(())
    }

    /// Whether the block is to be taken.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }

    /// The first id, the number of entries, and the entries; none where there is no entry.
    pub fn block(&self) -> Option<(&str, u32, &[u8])> {
        (self.entries > 0).then_some((&self.first, self.entries, &self.bytes))
    }

    /// Begins the next block.
    pub fn begin(&mut self) {
        self.entries = 0;
        self.bytes.clear();
    }
}

/// How many bytes two texts begin with alike, no character cut, and what follows in the second.
fn shared<'a>(one: &str, other: &'a str) -> (usize, &'a str) {
    let mut shared = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    loop {
        match other.get(shared..) {
            Some(suffix) => return (shared, suffix),
            None => shared = shared.saturating_sub(1),
        }
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

/// Reads one block after the other.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    id: String,
    has_id: bool,
    bytes: Vec<u8>,
    place: usize,
    left: u32,
    is_at_first: bool,
}

impl Decoder {
    /// Begins a block. Its first id must be above all that were read before.
    pub fn begin(&mut self, first: &str, entries: u32, block: &[u8]) -> Result<(), Flaw> {
        if self.has_id && first <= self.id.as_str() {
            return Err(OUT_OF_ORDER);
        }
        first.clone_into(&mut self.id);
        self.bytes.clear();
        self.bytes.extend_from_slice(block);
        (self.place, self.left) = (0, entries);
        (self.has_id, self.is_at_first) = (true, true);
        Ok(())
    }

    /// Reads the next entry's numbers, as many as there is room for; not so at the block's end. Its id is [`Self::id`].
    pub fn next(&mut self, numbers: &mut [Option<u64>]) -> Result<bool, Flaw> {
        let mut rest = self.bytes.get(self.place..).unwrap_or_default();
        if self.left == 0 {
            return if rest.is_empty() { Ok(false) } else { Err(Flaw("it has more than its entries")) };
        }
        if !self.is_at_first {
            let shared = length(&mut rest)?;
            let following = length(&mut rest)?;
            let (suffix, after) = rest.split_at_checked(following).ok_or(CUT_SHORT)?;
            rest = after;
            let suffix = std::str::from_utf8(suffix).map_err(|_| Flaw("an id of it is no text"))?;
            let replaced = self.id.get(shared..).ok_or(Flaw("an id of it shares more than there is"))?;
            if suffix <= replaced {
                return Err(OUT_OF_ORDER);
            }
            self.id.truncate(shared);
            self.id.push_str(suffix);
        }
        for number in numbers {
            *number = match read(&mut rest)?.checked_sub(1) {
                Some(known) if known > MOST => return Err(TOO_LARGE),
                known => known,
            };
        }
        self.is_at_first = false;
        self.left -= 1;
        self.place = self.bytes.len() - rest.len();
        Ok(true)
    }

    /// The id of the entry that was read last.
    pub fn id(&self) -> &str {
        &self.id
    }
}

const CUT_SHORT: Flaw = Flaw("it is cut short");
const TOO_LARGE: Flaw = Flaw("a number of it is too large");

fn length(rest: &mut &[u8]) -> Result<usize, Flaw> {
    usize::try_from(read(rest)?).map_err(|_| TOO_LARGE)
}

fn read(rest: &mut &[u8]) -> Result<u64, Flaw> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(CUT_SHORT)?;
        *rest = after;
        let part = u64::from(byte & 0x7f);
        let shifted = part << shift;
        if shifted >> shift != part {
            return Err(TOO_LARGE);
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NUMBERS: usize = 3;

    type Numbers = [Option<u64>; NUMBERS];
    type Block = (String, u32, Vec<u8>);

    fn blocks<'a>(entries: impl IntoIterator<Item = (&'a String, &'a Numbers)>, at_most: u32) -> Vec<Block> {
        let mut encoder = Encoder::default();
        let mut blocks = Vec::new();
        let take = |encoder: &mut Encoder, blocks: &mut Vec<Block>| {
            let taken = encoder.block();
            blocks.extend(taken.map(|(first, count, bytes)| (first.into(), count, bytes.into())));
            encoder.begin();
        };
        for (id, numbers) in entries {
            encoder.push(id, numbers).unwrap();
            if encoder.entries == at_most {
                take(&mut encoder, &mut blocks);
            }
        }
        take(&mut encoder, &mut blocks);
        blocks
    }

    fn entries(blocks: &[Block]) -> Result<Vec<(String, Numbers)>, Flaw> {
        let mut decoder = Decoder::default();
        let mut entries = Vec::new();
        for (first, count, bytes) in blocks {
            decoder.begin(first, *count, bytes)?;
            let mut numbers = Numbers::default();
            while decoder.next(&mut numbers)? {
                entries.push((decoder.id().to_owned(), numbers));
            }
        }
        Ok(entries)
    }

    fn one(first: &str, count: u32, bytes: &[u8]) -> Result<Vec<(String, Numbers)>, Flaw> {
        entries(&[(first.to_owned(), count, bytes.to_owned())])
    }

    #[test]
    fn a_block_has_of_each_id_what_differs_from_the_one_before() {
        let known = [Some(0), None, Some(127)];
        let entries = [("videé-1".to_owned(), known), ("videê-2".to_owned(), [None, Some(1), None])];
        let blocks = blocks(entries.iter().map(|(id, numbers)| (id, numbers)), u32::MAX);
        let [(first, count, bytes)] = blocks.as_slice() else { panic!("{blocks:?}") };
        assert_eq!((first.as_str(), *count), ("videé-1", 2));
        let mut expected = vec![1, 0, 0x80, 1, 4, 4];
        expected.extend("ê-2".as_bytes());
        expected.extend([0, 2, 0]);
        assert_eq!(bytes, &expected, "é and ê begin with the same byte, which is no character");
    }

    #[test]
    fn what_is_damaged_is_told_by_what_is_wrong_with_it() {
        let numbers = [1, 1, 1];
        let with = |second: &[u8]| one("b", 2, &[&numbers, second].concat()).unwrap_err().to_string();
        assert_eq!(with(&[]), "it is cut short");
        assert_eq!(with(&[0, 9, b'c', 1, 1, 1]), "it is cut short");
        assert_eq!(with(&[0, 1, b'c', 1, 1]), "it is cut short");
        assert_eq!(with(&[0, 1, b'c', 1, 1, 1, 1]), "it has more than its entries");
        assert_eq!(with(&[0, 1, b'a', 1, 1, 1]), "its ids are out of order");
        assert_eq!(with(&[1, 0, 1, 1, 1]), "its ids are out of order", "twice the same");
        assert_eq!(with(&[2, 1, b'a', 1, 1, 1]), "an id of it shares more than there is");
        assert_eq!(with(&[0, 1, 0xff, 1, 1, 1]), "an id of it is no text");
        let huge = [&[0xff; 9][..], &[1]].concat();
        assert_eq!(with(&[&[0, 1, b'c'], &huge[..], &[1, 1]].concat()), "a number of it is too large");
        assert_eq!(with(&[&[0], &huge[..], b"c"].concat()), "it is cut short", "an id of all memory");
        assert_eq!(with(&[0xff; 40]), "a number of it is too large");
        assert!(one("b", 1, &numbers).is_ok());
        assert_eq!(one("b", u32::MAX, &numbers).unwrap_err().to_string(), "it is cut short");
        let block = ("b".to_owned(), 1, numbers.to_vec());
        assert_eq!(entries(&[block.clone(), block]).unwrap_err(), OUT_OF_ORDER);
    }

    #[test]
    fn an_id_that_is_not_above_the_one_before_is_not_written() {
        let mut encoder = Encoder::default();
        encoder.push("b", &[None]).unwrap();
        assert_eq!(encoder.push("b", &[None]), Err(OUT_OF_ORDER));
        encoder.begin();
        assert_eq!(encoder.push("a", &[None]), Err(OUT_OF_ORDER), "though it is in another block");
    }

    fn number() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![
            Just(None),
            (0..300_u64).prop_map(Some),
            any::<u64>().prop_map(Some),
            Just(Some(u64::MAX))
        ]
    }

    /// Ids that have much in common, and some that have nothing.
    fn id() -> impl Strategy<Value = String> {
        prop_oneof!["[abé]{0,6}", "v[0-9]{10}", any::<String>()]
    }

    proptest! {
        #[test]
        fn blocks_give_back_what_was_put_in(
            put in prop::collection::btree_map(id(), prop::array::uniform3(number()), 0..60),
            at_most in 1..70_u32,
        ) {
            let put: BTreeMap<String, Numbers> = put;
            let kept = |numbers: &Numbers| numbers.map(|number| number.map(|number| number.min(MOST)));
            let expected: Vec<_> = put.iter().map(|(id, numbers)| (id.clone(), kept(numbers))).collect();
            prop_assert_eq!(entries(&blocks(&put, at_most)), Ok(expected));
        }

        #[test]
        fn any_bytes_are_entries_in_order_or_an_error(
            first in id(),
            count in prop_oneof![0..20_u32, any::<u32>()],
            bytes in prop::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..200),
        ) {
            if let Ok(entries) = one(&first, count, &bytes) {
                prop_assert_eq!(u32::try_from(entries.len()), Ok(count));
                prop_assert!(entries.is_sorted_by(|(one, _), (other, _)| one < other));
            }
        }

        #[test]
        fn a_block_with_a_changed_byte_is_entries_in_order_or_an_error(
            put in prop::collection::btree_map(id(), prop::array::uniform3(number()), 1..30),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut blocks = blocks(&put, u32::MAX);
            let bytes = &mut blocks[0].2;
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if let Ok(entries) = entries(&blocks) {
                prop_assert_eq!(entries.len(), put.len());
                prop_assert!(entries.is_sorted_by(|(one, _), (other, _)| one < other));
            }
        }
    }
}
