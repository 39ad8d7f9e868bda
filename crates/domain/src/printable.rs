//! Hostile text made fit for a message.
//!
//! Titles, names and ids of the input end up in logs, terminals and reject reasons. A newline in one of them
//! must not forge a log line, and a bidirectional override must not turn a message around.

use std::fmt::Write as _;

/// The most characters of one foreign value that a message shows: enough for every id and custom ID (64), short
/// enough that a 60 KiB cell does not drown the message.
pub const SHOWN_CHARS: usize = 80;

/// Foreign bytes as one printable line: control, invisible and direction-changing characters and bad UTF-8 are
/// escaped, and what is longer than [`SHOWN_CHARS`] is cut with its full length named.
pub fn printable(value: impl AsRef<[u8]>) -> String {
    let value = value.as_ref();
    let mut shown = String::with_capacity(value.len().min(SHOWN_CHARS));
    let mut count = 0_usize;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if count == SHOWN_CHARS {
                let _ = write!(shown, "… ({} bytes)", value.len());
                return shown;
            }
            push_escaped(&mut shown, character);
            count += 1;
        }
        for byte in chunk.invalid() {
            if count == SHOWN_CHARS {
                let _ = write!(shown, "… ({} bytes)", value.len());
                return shown;
            }
            let _ = write!(shown, "\\x{byte:02x}");
            count += 1;
        }
    }
    shown
}

/// Text of ours that may hold foreign parts, escaped alike but never shortened.
pub fn one_line(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Nearly every text, and none of it is escaped.
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(&mut shown, character);
    }
    shown
}

fn push_escaped(shown: &mut String, character: char) {
    match character {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        _ if character.is_control() || is_invisible(character) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        }
        _ => shown.push(character),
    }
}

/// Whether a character takes no room or changes the direction of writing: zero-width spaces and joiners, byte
/// order marks, bidirectional marks, overrides and isolates, line and paragraph separators, tags.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A cell without the blanks that copying out of spreadsheets and web pages leaves around it: white space of every
/// kind and characters that cannot be seen.
pub(crate) fn trim_blanks(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_invisible(character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn v16_a_newline_in_a_title_cannot_forge_a_log_line() {
        assert_eq!(printable("Song\nERROR payout\r\t\u{0}"), "Song\\nERROR payout\\r\\t\\u{0}");
    }

    #[test]
    fn v16_a_direction_override_is_shown_not_obeyed() {
        assert_eq!(printable("a\u{202e}gpj.exe"), "a\\u{202e}gpj.exe");
    }

    #[test]
    fn v05_bad_utf8_is_shown_byte_by_byte() {
        assert_eq!(printable(b"ab\xff\xfec"), "ab\\xff\\xfec");
    }

    #[test]
    fn a_long_value_is_cut_and_its_length_named() {
        let shown = printable("x".repeat(60_000));
        assert!(shown.starts_with(&"x".repeat(SHOWN_CHARS)));
        assert!(shown.ends_with("… (60000 bytes)"), "{shown}");
    }

    #[test]
    fn blanks_that_cannot_be_seen_are_trimmed() {
        assert_eq!(trim_blanks("\u{feff}\u{a0} UCx\u{200b}\t"), "UCx");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_one_printable_line(bytes: Vec<u8>) {
            let shown = printable(&bytes);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_invisible(c)));
        }
    }
}
