//! The ISRC: the recording's own number, by which platforms are joined.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::printable::printable;

/// An ISRC (ISO 3901): two letters, three letters or digits, seven digits. Kept in capitals without hyphens, so that
/// `us-abc-26-00001` of one platform is `USABC2600001` of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isrc([u8; 12]);

/// A text that is no ISRC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not an ISRC (two letters, three letters or digits, seven digits)")]
pub struct IsrcError {
    /// What stands there, escaped and shortened.
    pub value: String,
}

impl Isrc {
    /// Reads an ISRC from bytes; hyphens and blanks within are left out, nothing else.
    pub fn parse_bytes(cell: &[u8]) -> Result<Self, IsrcError> {
        Self::read(cell).ok_or_else(|| IsrcError { value: printable(cell) })
    }

    fn read(cell: &[u8]) -> Option<Self> {
        let mut code = [0_u8; 12];
        let mut places = code.iter_mut();
        for byte in cell.iter().filter(|byte| !matches!(byte, b'-' | b' ')) {
            *places.next()? = byte.to_ascii_uppercase();
        }
        if places.next().is_some() {
            return None;
        }
        let good = code[..2].iter().all(u8::is_ascii_uppercase)
            && code[2..5].iter().all(u8::is_ascii_alphanumeric)
            && code[5..].iter().all(u8::is_ascii_digit);
        good.then_some(Self(code))
    }

    /// The ISRC in capitals without hyphens.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Isrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Isrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isrc({self})")
    }
}

impl Serialize for Isrc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Isrc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse_bytes(text.as_bytes()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("USABC2600001", true)]
    #[case("us-abc-26-00001", true)]
    #[case("GB A1B 26 00001", true)]
    #[case("U1ABC2600001", false)]
    #[case("USABC260000X", false)]
    #[case("USABC260001", false)]
    #[case("USABC26000011", false)]
    #[case("", false)]
    fn an_isrc_is_twelve_characters_of_its_own_grammar(#[case] text: &str, #[case] good: bool) {
        assert_eq!(Isrc::parse_bytes(text.as_bytes()).is_ok(), good);
    }

    #[test]
    fn the_ways_to_write_an_isrc_are_one() {
        assert_eq!(Isrc::parse_bytes(b"us-abc-26-00001"), Isrc::parse_bytes(b"USABC2600001"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = Isrc::parse_bytes(&bytes);
        }
    }
}
