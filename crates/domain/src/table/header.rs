//! The header: which column stands where, and what to say when one does not.

use crate::printable::{printable, trim_blanks};
use crate::refusal::{Refusal, RefusalKind};

/// The names of a file's columns.
pub(super) struct Header {
    pub file: String,
    pub names: Vec<String>,
}

impl Header {
    /// The position of a column that must be there once.
    pub fn required(&self, name: &str) -> Result<usize, Refusal> {
        let mut found = self.positions(name);
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (Some(first), Some(second)) => Err(self
                .refusal(
                    RefusalKind::DuplicateColumn,
                    format!(
                        "the column stands in the header twice, as field {} and {}",
                        first + 1,
                        second + 1
                    ),
                    "Remove or rename one of the two, so that it is clear which one counts.",
                )
                .in_column(name)),
            (None, _) => Err(self.missing(name)),
        }
    }

    /// The position of a column that may be absent; of two the first.
    pub fn optional(&self, name: &str) -> Option<usize> {
        self.positions(name).next()
    }

    fn positions(&self, name: &str) -> impl Iterator<Item = usize> {
        let wanted = column_key(name);
        self.names
            .iter()
            .enumerate()
            .filter(move |(_, header)| column_key(header) == wanted)
            .map(|(index, _)| index)
    }

    pub fn missing(&self, name: &str) -> Refusal {
        if let Some((delimiter, shown)) = self.other_delimiter(name) {
            return self
                .refusal(
                    RefusalKind::WrongDelimiter,
                    format!("the cells are separated by {shown}, not by commas"),
                    format!(
                        "Export the file with commas as separators (found \"{delimiter}\" in the header)."
                    ),
                )
                .in_column(name);
        }
        let listed: Vec<String> =
            self.names.iter().map(|header| format!("\"{}\"", printable(header))).collect();
        let remedy = match self.nearest_header(name) {
            Some(near) => {
                format!("Did \"{}\" mean it? Rename that column or add the missing one.", printable(near))
            }
            None => "Add the column, or give the file that has it.".to_owned(),
        };
        self.refusal(
            RefusalKind::MissingColumn,
            format!("the required column is missing; found: {}", listed.join(", ")),
            remedy,
        )
        .in_column(name)
    }

    /// Another delimiter by which the header, wrongly read as few long cells, would fall into the column asked for.
    fn other_delimiter(&self, name: &str) -> Option<(char, &'static str)> {
        let wanted = column_key(name);
        [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")].into_iter().find(|(delimiter, _)| {
            self.names.iter().any(|header| {
                header.contains(*delimiter)
                    && header.split(*delimiter).any(|part| column_key(part.trim_matches('"')) == wanted)
            })
        })
    }

    fn nearest_header(&self, name: &str) -> Option<&str> {
        let wanted = column_key(name);
        self.names
            .iter()
            .filter(|header| header.len() <= 200)
            .map(|header| (edit_distance(&column_key(header), &wanted), header.as_str()))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= wanted.chars().count() / 3 + 1)
            .map(|(_, header)| header)
    }

    fn refusal(&self, kind: RefusalKind, problem: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal::new(&self.file, kind, problem, remedy).at_line(1)
    }
}

/// A header name as it is compared: blanks around it off, lower case, and neither spaces nor `_` within, so that
/// `Channel ID`, `channel_id` and `channelID` are the same column.
pub(crate) fn column_key(header: &str) -> String {
    trim_blanks(header)
        .chars()
        .filter(|character| !matches!(character, ' ' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many characters must be put in, taken out or changed to make one text of the other (Levenshtein).
pub(super) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
