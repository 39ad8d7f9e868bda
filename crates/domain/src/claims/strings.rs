//! Texts that occur again and again (titles, artists, custom IDs), each kept once.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The most bytes kept of one text: four for each of the hundred characters of YouTube's longest title.
pub const MAX_TEXT_BYTES: usize = 400;

/// A text within one [`Strings`]: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Text(u32);

impl Text {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// Whether there is nothing.
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    fn position(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// All texts of a week, each once: its bytes, 4 for its end and some 6 to find it again.
#[derive(Debug, Clone)]
pub struct Strings {
    bytes: String,
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            bytes: String::new(),
            ends: vec![0],
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Strings {
    /// Keeps a text, cut at [`MAX_TEXT_BYTES`], bad bytes replaced. Beyond 4 GiB of texts nothing more is kept.
    pub fn keep(&mut self, cell: &[u8]) -> Text {
        if cell.is_empty() {
            return Text::EMPTY;
        }
        let whole = as_text(cell);
        let text = cut(&whole);
        let hash = self.hasher.hash_one(text);
        let found =
            self.index.find(hash, |number| slice(&self.bytes, &self.ends, Text(*number)) == text).copied();
        if let Some(number) = found {
            return Text(number);
        }
        let Some(kept) = self.push(text) else { return Text::EMPTY };
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.index.insert_unique(hash, kept.0, |number| hasher.hash_one(slice(bytes, ends, Text(*number))));
        kept
    }

    /// Of a text that is kept and another the one that stands, as [`Self::first_of`] has it. Where the two are the
    /// same, as they are in nearly all rows, nothing is looked up.
    pub fn keep_first(&mut self, known: Text, cell: &[u8]) -> Text {
        if self.stands(known, cell) { known } else { self.keep(cell) }
    }

    /// The same for texts that seldom occur twice (the titles of videos): one that does is kept twice, and none costs
    /// what it takes to find it again.
    pub fn keep_first_alone(&mut self, known: Text, cell: &[u8]) -> Text {
        if self.stands(known, cell) {
            return known;
        }
        self.push(cut(&as_text(cell))).unwrap_or(known)
    }

    /// Whether a text that is kept goes before another.
    fn stands(&self, known: Text, cell: &[u8]) -> bool {
        let held = self.get(known);
        cell.is_empty() || held.as_bytes() == cell || (!held.is_empty() && held <= cut(&as_text(cell)))
    }

    fn push(&mut self, text: &str) -> Option<Text> {
        let number = u32::try_from(self.ends.len()).ok()?;
        let end = u32::try_from(self.bytes.len() + text.len()).ok()?;
        self.bytes.push_str(text);
        self.ends.push(end);
        Some(Text(number))
    }

    /// Gives back the memory by which texts are found again. A text kept afterwards may stand twice, which costs its
    /// bytes and nothing else.
    pub fn close(&mut self) {
        self.index = HashTable::new();
        self.ends.shrink_to_fit();
    }

    /// The text.
    pub fn get(&self, text: Text) -> &str {
        slice(&self.bytes, &self.ends, text)
    }

    /// Some of the texts in the order of their bytes, each once.
    pub fn ranked(&self, some: impl Iterator<Item = Text>) -> Ranked<'_> {
        let mut numbers = vec![NOT_RANKED; self.ends.len()];
        let mut some: Vec<(&str, Text)> = some
            .filter(|text| {
                let number = numbers.get_mut(text.position());
                number.is_some_and(|number| std::mem::replace(number, 0) == NOT_RANKED)
            })
            .map(|text| (self.get(text), text))
            .collect();
        some.sort_unstable_by_key(|(text, _)| *text);
        let mut texts: Vec<&str> = Vec::new();
        for (text, kept) in some {
            if texts.last() != Some(&text) {
                texts.push(text);
            }
            if let Some(number) = numbers.get_mut(kept.position()) {
                *number = u32::try_from(texts.len() - 1).unwrap_or(NOT_RANKED);
            }
        }
        Ranked { texts, numbers }
    }

    /// Of two texts of one thing the one that stands: the first in the order of their bytes that is not empty, so that
    /// the order of rows does not matter.
    pub fn first_of(&self, a: Text, b: Text) -> Text {
        match (self.get(a), self.get(b)) {
            (_, "") => a,
            ("", _) => b,
            (at, bt) => {
                if bt < at {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// Texts in the order of their bytes, each once.
#[derive(Debug)]
pub struct Ranked<'a> {
    /// The texts.
    pub texts: Vec<&'a str>,
    // The place of each text of the whole in `texts`.
    numbers: Vec<u32>,
}

/// The number of a text that is not among the ranked ones.
const NOT_RANKED: u32 = u32::MAX;

impl Ranked<'_> {
    /// The place of a text among them; none where it is not.
    pub fn number(&self, text: Text) -> Option<u32> {
        self.numbers.get(text.position()).copied().filter(|number| *number != NOT_RANKED)
    }
}

/// As much of a cell as may be kept, as text, bad bytes replaced.
fn as_text(cell: &[u8]) -> Cow<'_, str> {
    // A character that this cuts apart is beyond what is kept: no byte becomes fewer as text.
    let cell = &cell[..cell.len().min(MAX_TEXT_BYTES + 4)];
    // Asked first, since it passes over plain text many bytes at a time.
    std::str::from_utf8(cell).map_or_else(|_| String::from_utf8_lossy(cell), Cow::Borrowed)
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

fn slice<'a>(bytes: &'a str, ends: &[u32], text: Text) -> &'a str {
    let at =
        |position: usize| ends.get(position).and_then(|end| usize::try_from(*end).ok()).unwrap_or_default();
    let start = text.position().checked_sub(1).map_or(0, at);
    bytes.get(start..at(text.position())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_kept_once_and_cut_at_a_whole_character() {
        let mut strings = Strings::default();
        let first = strings.keep("ä".repeat(300).as_bytes());
        assert_eq!(strings.get(first).len(), MAX_TEXT_BYTES);
        assert_eq!(strings.keep("ä".repeat(300).as_bytes()), first);
        assert_eq!(strings.keep(b""), Text::EMPTY);
        assert_eq!(strings.get(Text::EMPTY), "");
        strings.close();
        assert_eq!(strings.get(first), "ä".repeat(200), "a closed list still gives its texts");
        let bad = strings.keep(b"a\xff");
        assert_eq!(strings.get(bad), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn a_text_of_any_bytes_is_cut_where_it_would_be_as_a_whole(
            bytes in prop::collection::vec(prop_oneof![Just(0xc3), Just(0xa4), Just(0xf0), Just(0x9f), any::<u8>()], 380..450)
        ) {
            let mut strings = Strings::default();
            let kept = strings.keep(&bytes);
            let whole = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(strings.get(kept), cut(&whole));
        }

        #[test]
        fn ranked_texts_are_in_order_and_found_by_their_place(texts in prop::collection::vec("[ab]{0,3}", 0..20)) {
            let mut strings = Strings::default();
            let mut kept: Vec<Text> = texts.iter().map(|text| strings.keep(text.as_bytes())).collect();
            strings.close();
            // Kept twice now.
            kept.extend(texts.iter().step_by(2).map(|text| strings.keep(text.as_bytes())));
            let others: Vec<Text> = texts.iter().map(|text| strings.keep(format!("c{text}").as_bytes())).collect();
            let ranked = strings.ranked(kept.iter().copied());
            prop_assert!(ranked.texts.is_sorted_by(|one, other| one < other));
            for text in kept {
                let number = ranked.number(text).unwrap() as usize;
                prop_assert_eq!(ranked.texts[number], strings.get(text));
            }
            prop_assert!(others.into_iter().all(|text| ranked.number(text).is_none()));
        }

        #[test]
        fn of_two_texts_the_first_stands_however_it_is_found(a: Vec<u8>, b in "[ab]{0,3}", same: bool) {
            let b = if same { a.clone() } else { b.into_bytes() };
            for alone in [false, true] {
                let mut strings = Strings::default();
                let (a, other) = (strings.keep(&a), strings.keep(&b));
                let expected = strings.get(strings.first_of(a, other)).to_owned();
                let found = if alone { strings.keep_first_alone(a, &b) } else { strings.keep_first(a, &b) };
                prop_assert_eq!(strings.get(found), expected);
            }
        }

        #[test]
        fn every_text_comes_back(texts: Vec<String>) {
            let mut strings = Strings::default();
            let kept: Vec<Text> = texts.iter().map(|text| strings.keep(text.as_bytes())).collect();
            for (text, kept) in texts.iter().zip(kept) {
                prop_assert_eq!(strings.get(kept), &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]);
            }
        }
    }
}
