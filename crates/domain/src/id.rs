//! The identifiers of YouTube: parsed once where they come in, trusted from there on.
//!
//! They are text, never numbers, and short: each is kept inline and copied, so that a scan over a report of a
//! million rows allocates nothing for the rows it passes over. Parsing is strict; a reader that meets blanks around
//! an id in a hand-made sheet trims them before.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wide::u8x16;

use crate::printable::printable;

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not {expected}")]
pub struct IdError {
    /// What was expected there, in words that stand in a message as they are.
    pub expected: &'static str,
    /// The value that was found, escaped and shortened.
    pub value: String,
}

impl IdError {
    fn new(expected: &'static str, value: &[u8]) -> Self {
        Self { expected, value: printable(value) }
    }
}

/// Whether all bytes are such as ids are made of: letters, digits, `-` and `_`. Sixteen are looked at together: a report
/// has three ids a row.
fn are_id_bytes(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<BLOCK_BYTES>() else {
        // What stands behind them is good.
        let mut block = [b'-'; BLOCK_BYTES];
        if let Some(place) = block.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        return is_id_block(block);
    };
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    blocks.iter().fold(is_id_block(*last), |all, block| all & is_id_block(*block))
}

const BLOCK_BYTES: usize = 16;

fn is_id_block(block: [u8; BLOCK_BYTES]) -> bool {
    let bytes = u8x16::new(block);
    // No byte is above the last of a range less its first, but those of the range.
    let is_within = |bytes: u8x16, first: u8, last: u8| {
        let above = bytes - u8x16::splat(first);
        above.min(u8x16::splat(last - first)).simd_eq(above)
    };
    let letters = is_within(bytes | u8x16::splat(0x20), b'a', b'z');
    let signs = bytes.simd_eq(u8x16::splat(b'-')) | bytes.simd_eq(u8x16::splat(b'_'));
    (letters | is_within(bytes, b'0', b'9') | signs).to_bitmask() == 0xffff
}

/// Whether they are digits behind the first.
fn are_digits_behind_first(block: [u8; BLOCK_BYTES]) -> bool {
    let above = u8x16::new(block) - u8x16::splat(b'0');
    above.min(u8x16::splat(9)).simd_eq(above).to_bitmask() | 1 == 0xffff
}

/// What all ids share once their bytes are known to be good.
macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// Reads the id from text; nothing is trimmed.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Self::parse_bytes(text.as_bytes())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

/// The id bytes as text. They were checked to be ASCII when the id was made.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A YouTube channel: `UC` and 22 characters of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId([u8; 24]);

impl ChannelId {
    const EXPECTED: &'static str = "a channel ID (UC and 22 characters of A-Z a-z 0-9 _ -)";

    /// Reads the id from bytes; nothing is trimmed.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        match <[u8; 24]>::try_from(bytes) {
            Ok(id) if id.starts_with(b"UC") && are_id_bytes(&id) => Ok(Self(id)),
            _ => Err(IdError::new(Self::EXPECTED, bytes)),
        }
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// The id's 24 bytes, the key of the look-up that decides about every row of a report.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }
}

text_id!(ChannelId);

/// A YouTube video: 11 characters of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VideoId([u8; 11]);

impl VideoId {
    const EXPECTED: &'static str = "a video ID (11 characters of A-Z a-z 0-9 _ -)";

    /// Reads the id from bytes; nothing is trimmed.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        match <[u8; 11]>::try_from(bytes) {
            Ok(id) if are_id_bytes(&id) => Ok(Self(id)),
            _ => Err(IdError::new(Self::EXPECTED, bytes)),
        }
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// The id's 11 bytes.
    pub fn as_bytes(&self) -> &[u8; 11] {
        &self.0
    }
}

text_id!(VideoId);

/// A Content ID asset: `A` and 15 or 16 digits, or an id of the old kind with 11 characters.
///
/// An old id cannot be told from a video ID by its form; which of the two a text is, its column says.
#[derive(Clone, Copy, PartialOrd, Ord)]
pub struct AssetId {
    // Zero after the id's end, so that the derived order is the order of the texts.
    bytes: [u8; 17],
    length: u8,
}

impl AssetId {
    const EXPECTED: &'static str = "an asset ID (A and 15 or 16 digits, or 11 characters of A-Z a-z 0-9 _ -)";

    /// Reads the id from bytes; nothing is trimmed.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        let mut id = Self { bytes: [0; 17], length: 0 };
        // What nearly all are.
        let good =
            if let Some((first, more @ ([] | [b'0'..=b'9']))) = bytes.split_first_chunk::<BLOCK_BYTES>() {
                id.bytes[..BLOCK_BYTES].copy_from_slice(first);
                id.bytes[BLOCK_BYTES..][..more.len()].copy_from_slice(more);
                first.starts_with(b"A") && are_digits_behind_first(*first)
            } else {
                let old = bytes.first_chunk::<11>().filter(|old| old.len() == bytes.len());
                old.is_some_and(|old| {
                    id.bytes[..old.len()].copy_from_slice(old);
                    are_id_bytes(old)
                })
            };
        if !good {
            return Err(IdError::new(Self::EXPECTED, bytes));
        }
        id.length = u8::try_from(bytes.len()).unwrap_or_default();
        Ok(id)
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        ascii(self.as_bytes())
    }

    /// All of it in two words: an asset is looked up for every row of a claim report.
    fn words(&self) -> (u128, u16) {
        let [first @ .., last] = self.bytes;
        (u128::from_le_bytes(first), u16::from_le_bytes([last, self.length]))
    }

    /// The id's 11, 16 or 17 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl PartialEq for AssetId {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

impl Eq for AssetId {}

impl std::hash::Hash for AssetId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.words().hash(state);
    }
}

text_id!(AssetId);

/// A claim: 1 to 64 characters of `A-Z a-z 0-9 _ -`. Google documents no form for it, so only what every known
/// claim ID keeps to is asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(Box<str>);

impl ClaimId {
    const EXPECTED: &'static str = "a claim ID (1 to 64 characters of A-Z a-z 0-9 _ -)";

    /// Reads the id from bytes; nothing is trimmed.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        Self::check_bytes(bytes).map(|()| Self(ascii(bytes).into()))
    }

    /// Whether bytes are a claim ID, for whoever needs no copy of it.
    pub fn check_bytes(bytes: &[u8]) -> Result<(), IdError> {
        if (1..=64).contains(&bytes.len()) && are_id_bytes(bytes) {
            Ok(())
        } else {
            Err(IdError::new(Self::EXPECTED, bytes))
        }
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

text_id!(ClaimId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("UCabcdefghijklmnopqrstuv", true)]
    #[case("UC-_cdefghijklmnopqrst09", true)]
    #[case("uCabcdefghijklmnopqrstuv", false)]
    #[case("UCabcdefghijklmnopqrstu", false)]
    #[case("UCabcdefghijklmnopqrstuvw", false)]
    #[case("UCabcdefghijklmnopqrst.v", false)]
    #[case(" UCabcdefghijklmnopqrstu", false)]
    #[case("", false)]
    fn a_channel_id_is_uc_and_22_characters(#[case] text: &str, #[case] good: bool) {
        assert_eq!(ChannelId::parse(text).is_ok(), good);
    }

    #[rstest]
    #[case("dQw4w9WgXcQ", true)]
    #[case("-_-_-_-_-_-", true)]
    #[case("dQw4w9WgXc", false)]
    #[case("dQw4w9WgXcQQ", false)]
    #[case("dQw4w9WgXc=", false)]
    #[case("dQw4w9WgXé", false)]
    fn a_video_id_is_11_characters(#[case] text: &str, #[case] good: bool) {
        assert_eq!(VideoId::parse(text).is_ok(), good);
    }

    #[rstest]
    #[case("A123456789012345", true)]
    #[case("A1234567890123456", true)]
    #[case("A12345678901234", false)]
    #[case("A12345678901234567", false)]
    #[case("A12345678901234x", false)]
    #[case("B123456789012345", false)]
    #[case("oldAsset_-1", true)]
    #[case("A1234567890", true)]
    #[case("", false)]
    fn an_asset_id_is_a_and_digits_or_of_the_old_kind(#[case] text: &str, #[case] good: bool) {
        assert_eq!(AssetId::parse(text).is_ok(), good);
    }

    #[rstest]
    #[case("x", 1, true)]
    #[case("x", 64, true)]
    #[case("x", 65, false)]
    #[case("", 1, false)]
    #[case("a|b", 1, false)]
    fn a_claim_id_is_1_to_64_characters(#[case] text: &str, #[case] times: usize, #[case] good: bool) {
        assert_eq!(ClaimId::parse(&text.repeat(times)).is_ok(), good);
    }

    #[test]
    fn an_error_says_what_was_expected_and_escapes_what_was_found() {
        let error = VideoId::parse("1.2E+11\n").map_err(|e| e.to_string());
        insta::assert_debug_snapshot!(error, @r#"
        Err(
            "\"1.2E+11\\n\" is not a video ID (11 characters of A-Z a-z 0-9 _ -)",
        )
        "#);
    }

    #[test]
    fn an_asset_id_takes_18_bytes_and_no_heap() {
        assert_eq!(size_of::<AssetId>(), 18);
        assert_eq!(size_of::<VideoId>(), 11);
        assert_eq!(size_of::<ChannelId>(), 24);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes: Vec<u8>) {
            let _ = ChannelId::parse_bytes(&bytes);
            let _ = VideoId::parse_bytes(&bytes);
            let _ = AssetId::parse_bytes(&bytes);
            let _ = ClaimId::parse_bytes(&bytes);
        }

        #[test]
        fn of_whatever_length_bytes_are_good_if_each_of_them_is(
            good in "[A-Za-z0-9_-]{0,80}", at: prop::sample::Index, byte: u8
        ) {
            let mut bytes = good.into_bytes();
            prop_assert!(are_id_bytes(&bytes));
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                prop_assert_eq!(are_id_bytes(&bytes), byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            }
        }

        #[test]
        fn an_asset_is_a_and_digits_whichever_byte_is_another(digits in 15..=16_usize, at: prop::sample::Index, byte: u8) {
            let mut bytes = format!("A{}", &"0123456789012345"[..digits]).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let expected = if at == 0 { byte == b'A' } else { byte.is_ascii_digit() };
            prop_assert_eq!(AssetId::parse_bytes(&bytes).is_ok(), expected);
        }

        #[test]
        fn an_asset_id_comes_back_from_json_as_it_went(text in "A[0-9]{15,16}|[A-Za-z0-9_-]{11}") {
            let id = AssetId::parse(&text).unwrap();
            prop_assert_eq!(id.as_str(), &text);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<AssetId>(&json).unwrap(), id);
        }

        #[test]
        fn asset_ids_sort_like_their_texts(a in "A[0-9]{15,16}|[A-Za-z0-9_-]{11}", b in "A[0-9]{15,16}|[A-Za-z0-9_-]{11}") {
            prop_assert_eq!(AssetId::parse(&a).unwrap().cmp(&AssetId::parse(&b).unwrap()), a.cmp(&b));
        }
    }
}
