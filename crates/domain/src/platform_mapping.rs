//! Exports of other platforms, brought into the normal form of [`crate::platform_file`] by data and not by code.
//!
//! A mapping is a TOML file: how an export is recognised, which of its columns say what, how its numbers and days are
//! written. Those under `mappings/` are built in; a user's add to them or replace them by name. Everything of a mapping is
//! checked when it is read, so that a file is never half understood: what is wrong names the file, the key and the way to
//! mend it.

mod amount;
mod choose;
mod day;
mod form;
mod mapped;
#[cfg(test)]
mod tests;

use std::fmt;

pub use choose::{AnalyticsFile, AnalyticsLine, AnalyticsRow};
pub use mapped::{MappedFile, MappedRow};

use crate::printable::{one_line, printable};
use amount::Numbers;
use day::DayFrom;

/// No mapping is near this.
pub const MAX_MAPPING_BYTES: u64 = 64 << 10;

macro_rules! built_in {
    ($name:literal) => {
        (
            concat!("mappings/", $name, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../mappings/", $name, ".toml")),
        )
    };
}
/// The mappings that are built in, by their files.
const BUILT_IN: [(&str, &str); 6] = [
    built_in!("apple_music_for_artists"),
    built_in!("generic"),
    built_in!("spotify_for_artists"),
    built_in!("tiktok"),
    built_in!("youtube_analytics"),
    built_in!("youtube_studio"),
];

/// How one kind of export is brought into the normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// What it is called: letters, digits and `_`.
    pub name: String,
    /// The file that it was read from.
    pub file: String,
    recognise: Recognise,
    delimiter: u8,
    header: HeaderAt,
    platform: Told,
    day: DayFrom,
    isrc: Sought,
    upc: Sought,
    custom_id: Sought,
    asset_id: Sought,
    country: Sought,
    counts: Counts,
    numbers: Numbers,
    leave_out: Vec<LeaveOut>,
}

/// By what a file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recognise {
    /// The columns that must be there.
    columns: Vec<String>,
    /// What the file's name must be like, `*` and `?` standing for whatever.
    file_name: Option<String>,
}

/// Where the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderAt {
    /// Behind so many lines.
    Behind(usize),
    /// The first of so many lines that has the columns by which the file is known.
    Within(usize),
}

/// Something that every row says, or that is the same for all.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Constant(String),
    Column(String),
}

/// Something that rows may say: the first of these columns that the file has, else what is the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sought {
    columns: Vec<String>,
    constant: Option<String>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counts {
    /// Each in a column of its own: the column, and the metric's name.
    Wide(Vec<(String, String)>),
    /// One in each row: the column of its name, and that of its value.
    Long { metric: String, value: String },
}

/// Rows that are none: sums, and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LeaveOut {
    column: String,
    /// In small letters.
    values: Vec<String>,
}

impl Mapping {
    /// Reads a mapping, strictly.
    pub fn parse(file: &str, text: &str) -> Result<Self, MappingFault> {
        form::parse(file, text)
    }
}

/// All mappings that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mappings {
    all: Vec<Mapping>,
}

impl Mappings {
    /// Those that are built in.
    pub fn built_in() -> Result<Self, MappingFault> {
        Self { all: Vec::new() }.with(BUILT_IN)
    }

    /// The same with others, each a file and its text. One with a name that is known replaces it; two of the same name
    /// among the new ones are a fault.
    pub fn with<F: AsRef<str>, T: AsRef<str>>(
        mut self,
        others: impl IntoIterator<Item = (F, T)>,
    ) -> Result<Self, MappingFault> {
        let mut new: Vec<Mapping> = Vec::new();
        for (file, text) in others {
            let mapping = Mapping::parse(file.as_ref(), text.as_ref())?;
            if let Some(other) = new.iter().find(|other| other.name == mapping.name) {
                return Err(MappingFault {
                    problem: format!("{} has the name \"{}\" too", other.file, mapping.name),
                    file: mapping.file,
                    line: None,
                    key: Some("name".to_owned()),
                    remedy: "Give one of the two another name.",
                });
            }
            new.push(mapping);
        }
        self.all.retain(|old| new.iter().all(|mapping| mapping.name != old.name));
        self.all.extend(new);
        self.all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(self)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|mapping| mapping.name.as_str())
    }
}

/// A mapping that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingFault {
    /// The mapping's file.
    pub file: String,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// The key at fault, where one is.
    pub key: Option<String>,
    /// What is wrong, a sentence without its full stop.
    pub problem: String,
    /// What to do about it, a whole sentence.
    pub remedy: &'static str,
}

impl fmt::Display for MappingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", one_line(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(key) = &self.key {
            write!(f, "key \"{}\": ", printable(key))?;
        }
        write!(f, "{}. {}", one_line(&self.problem), self.remedy)
    }
}

impl std::error::Error for MappingFault {}
