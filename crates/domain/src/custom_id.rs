//! The custom ID: the label's own mark on an asset, by which it is decided who is paid.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::printable::printable;

/// The most bytes that YouTube takes for a custom ID.
pub const MAX_BYTES: usize = 64;

/// A custom ID that YouTube would take: 1 to 64 bytes of `A-Z a-z 0-9 - _ . @ /`.
///
/// Checked here so that a bad one is named with its row before any call is made. Cloning shares the text: one
/// channel's custom ID stands in the plan of each of its assets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomId(Arc<str>);

/// Why a text cannot be a custom ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomIdError {
    /// There is nothing.
    #[error("the custom ID is empty")]
    Empty,
    /// More than YouTube takes.
    #[error("the custom ID \"{value}\" is {length_bytes} bytes long; YouTube takes at most {MAX_BYTES}")]
    TooLong {
        /// The value, escaped and shortened.
        value: String,
        /// Its length.
        length_bytes: usize,
    },
    /// A character that YouTube refuses.
    #[error(
        "the custom ID \"{value}\" has the character '{character}' at position {position}; only A-Z a-z 0-9 - _ . @ / are allowed"
    )]
    Character {
        /// The value, escaped and shortened.
        value: String,
        /// The first bad character, escaped.
        character: String,
        /// Where it stands, counted in characters from 1.
        position: usize,
    },
}

impl CustomId {
    /// Reads a custom ID from text; nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, CustomIdError> {
        if text.is_empty() {
            return Err(CustomIdError::Empty);
        }
        if let Some((position, character)) = text.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
            let mut encoded = [0; 4];
            return Err(CustomIdError::Character {
                value: printable(text),
                character: printable(character.encode_utf8(&mut encoded)),
                position: position + 1,
            });
        }
        if text.len() > MAX_BYTES {
            return Err(CustomIdError::TooLong { value: printable(text), length_bytes: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The custom ID as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The custom ID's bytes, to compare with a report's cell.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '@' | '/')
}

impl FromStr for CustomId {
    type Err = CustomIdError;
    fn from_str(text: &str) -> Result<Self, CustomIdError> {
        Self::parse(text)
    }
}

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomId({})", self.0)
    }
}

impl AsRef<str> for CustomId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for CustomId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CustomId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("a")]
    #[case("DN-0042_x.y@z/1")]
    #[case("=")]
    fn the_alphabet_is_youtubes(#[case] text: &str) {
        assert_eq!(CustomId::parse(text).is_ok(), text != "=");
    }

    #[test]
    fn a13_a_bad_character_is_named_with_its_position() {
        let message = CustomId::parse("näme\u{202e}").unwrap_err().to_string();
        insta::assert_snapshot!(message, @r#"the custom ID "näme\u{202e}" has the character 'ä' at position 2; only A-Z a-z 0-9 - _ . @ / are allowed"#);
    }

    #[test]
    fn a13_the_length_limit_is_64_bytes() {
        assert!(CustomId::parse(&"x".repeat(64)).is_ok());
        let message = CustomId::parse(&"x".repeat(65)).unwrap_err().to_string();
        insta::assert_snapshot!(message, @r#"the custom ID "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is 65 bytes long; YouTube takes at most 64"#);
        assert_eq!(CustomId::parse(""), Err(CustomIdError::Empty));
    }

    proptest! {
        #[test]
        fn what_is_taken_keeps_to_the_grammar(text: String) {
            if let Ok(id) = CustomId::parse(&text) {
                prop_assert!(id.as_str() == text && text.len() <= 64 && text.chars().all(is_allowed));
            }
        }
    }
}
