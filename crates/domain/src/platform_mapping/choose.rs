//! Which mapping a file is read through: none for the normal form, else the one that recognises it.

use std::io::{Chain, Cursor, Read};

use super::mapped::{MappedFile, MappedLine, MappedRow};
use super::{HeaderAt, Mapping, Mappings};
use crate::platform_file::{PlatformFile, PlatformLine, PlatformRow, PlatformValue, REQUIRED};
use crate::printable::printable;
use crate::refusal::{Refusal, RefusalKind};
use crate::row_fault::RowFault;
use crate::table::{BadRow, Cells, Table, column_key};

/// So much of a file is looked at: a header that ends beyond is none of an export.
const HEAD_BYTES: usize = 64 << 10;

/// Up to so many of a file's columns are listed.
const LISTED: usize = 40;

const NORMAL_FORM: &str = "the normal form";

const REMEDY: &str =
    "Export it as docs/PLATFORMS.md says, or write a mapping for it (--mappings, MAPPINGS_URI).";

/// A file of the analytics folder, in whatever form.
pub enum AnalyticsFile<'m, R: Read> {
    /// In the normal form.
    Normal(PlatformFile<Whole<R>>),
    /// An export, through its mapping.
    Mapped(MappedFile<'m, Whole<R>>),
}

/// A file's beginning and the rest of it.
pub type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A line of such a file.
pub enum AnalyticsLine<'a> {
    /// A row with as many fields as the header.
    Row(AnalyticsRow<'a>),
    /// A row that cannot be used.
    Bad(BadRow<'a>),
}

/// A row, borrowed until the next is read.
#[derive(Clone, Copy)]
pub enum AnalyticsRow<'a> {
    /// In the normal form: one value.
    Normal(PlatformRow<'a>),
    /// Of an export: one or several values.
    Mapped(MappedRow<'a>),
}

impl<'m, R: Read> AnalyticsFile<'m, R> {
    /// Reads the header and finds out how the rest is to be read; refused when that is not clear. `file` is the whole path
    /// or address: some exports have their day in its name.
    pub fn open(mappings: &'m Mappings, file: &str, mut source: R) -> Result<Self, Refusal> {
        let mut head = Vec::new();
        if let Err(error) = source.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head) {
            let problem = format!("reading failed: {error}");
            let remedy = "Nothing was written; run again once the file can be read to its end.";
            return Err(Refusal::new(file, RefusalKind::Unreadable(error), problem, remedy));
        }
        let plain = Table::open(file, head.as_slice());
        let has = |name: &str| plain.as_ref().is_ok_and(|plain| plain.optional(name).is_some());
        if REQUIRED.iter().all(|name| has(name)) {
            return PlatformFile::open(file, Cursor::new(head).chain(source)).map(Self::Normal);
        }
        let looks: Vec<Look<'m>> =
            mappings.all.iter().map(|mapping| Look::at(mapping, file, &head)).collect();
        let most = looks.iter().filter(|look| look.is_match()).map(Look::weight).max();
        let mut best = looks.iter().filter(|look| look.is_match() && Some(look.weight()) == most);
        match (best.next(), best.next()) {
            (Some(look), None) => {
                let (mapping, header) = (look.mapping, look.header);
                head.drain(..header.offset.min(head.len()));
                MappedFile::open(mapping, file, Cursor::new(head).chain(source), header.line)
                    .map(Self::Mapped)
            }
            (Some(one), Some(other)) => Err(ambiguous(file, one.mapping, other.mapping)),
            (None, _) => Err(plain.map_or_else(|refusal| refusal, |plain| unknown(&plain, &looks))),
        }
    }

    /// The next line, none at the end, which may refuse the file as a whole.
    pub fn next_row(&mut self) -> Result<Option<AnalyticsLine<'_>>, Refusal> {
        Ok(match self {
            Self::Normal(file) => file.next_row()?.map(|line| match line {
                PlatformLine::Row(row) => AnalyticsLine::Row(AnalyticsRow::Normal(row)),
                PlatformLine::Bad(bad) => AnalyticsLine::Bad(bad),
            }),
            Self::Mapped(file) => file.next_line()?.map(|line| match line {
                MappedLine::Row(row) => AnalyticsLine::Row(AnalyticsRow::Mapped(row)),
                MappedLine::Bad(bad) => AnalyticsLine::Bad(bad),
            }),
        })
    }

    /// The column names as they stand in the file.
    pub fn headers(&self) -> &[String] {
        match self {
            Self::Normal(file) => file.headers(),
            Self::Mapped(file) => file.headers(),
        }
    }

    /// The name of the mapping that the file is read through; none for the normal form.
    pub fn mapping(&self) -> Option<&'m str> {
        match self {
            Self::Normal(_) => None,
            Self::Mapped(file) => Some(file.mapping()),
        }
    }
}

impl<'a> AnalyticsRow<'a> {
    /// The row's number, the first after the header being 1.
    pub fn record(&self) -> u64 {
        match self {
            Self::Normal(row) => row.record(),
            Self::Mapped(row) => row.record(),
        }
    }

    /// The physical line on which the row begins.
    pub fn line(&self) -> u64 {
        match self {
            Self::Normal(row) => row.line(),
            Self::Mapped(row) => row.line(),
        }
    }

    /// All cells as they came, in the order of the file's columns.
    pub fn fields(&self) -> Cells<'a> {
        match self {
            Self::Normal(row) => row.fields(),
            Self::Mapped(row) => row.fields(),
        }
    }

    /// The row's values, or what is wrong with the first that cannot be read; then none was given away.
    pub fn values(&self, mut each: impl FnMut(&PlatformValue<'a>)) -> Result<(), RowFault> {
        match self {
            Self::Normal(row) => row.value().map(|value| each(&value)),
            Self::Mapped(row) => row.values(each),
        }
    }
}

/// Where a header begins.
#[derive(Debug, Clone, Copy)]
struct Header {
    offset: usize,
    line: u64,
}

/// How well a mapping fits a file.
struct Look<'m> {
    mapping: &'m Mapping,
    header: Header,
    /// The columns that are asked for and not there.
    missing: Vec<&'m str>,
    is_named: bool,
}

impl<'m> Look<'m> {
    fn at(mapping: &'m Mapping, file: &str, head: &[u8]) -> Self {
        let (skipped, lines) = match mapping.header {
            HeaderAt::Behind(lines) => (lines, 1),
            HeaderAt::Within(lines) => (0, lines),
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_named = mapping.recognise.file_name.as_ref().is_none_or(|like| is_like(name, like));
        let nothing = Look {
            mapping,
            header: Header { offset: 0, line: 1 },
            missing: mapping.recognise.columns.iter().map(String::as_str).collect(),
            is_named,
        };
        let mut best = nothing;
        for header in line_starts(head).skip(skipped).take(lines) {
            let start = head.get(header.offset..).unwrap_or_default();
            let Ok(table) = Table::open_at(file, start, mapping.delimiter, header.line) else { continue };
            let keys: Vec<String> = table.headers().iter().map(|name| column_key(name)).collect();
            let wanted = mapping.recognise.columns.iter().map(String::as_str);
            let missing: Vec<&str> = wanted.filter(|column| !keys.contains(&column_key(column))).collect();
            if missing.len() < best.missing.len() {
                best = Look { mapping, header, missing, is_named };
            }
            if best.missing.is_empty() {
                break;
            }
        }
        best
    }

    fn is_match(&self) -> bool {
        self.is_named && self.missing.is_empty()
    }

    /// A mapping that asks for more knows better.
    fn weight(&self) -> usize {
        self.mapping.recognise.columns.len() + usize::from(self.mapping.recognise.file_name.is_some())
    }

    fn found(&self) -> usize {
        self.mapping.recognise.columns.len() - self.missing.len()
    }
}

/// Where physical lines begin, whatever they end in.
fn line_starts(head: &[u8]) -> impl Iterator<Item = Header> + '_ {
    let ends = head.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => head.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .zip(1..)
        .map(|(offset, line)| Header { offset, line })
}

/// Whether a name is like a pattern of `*` and `?`, whatever the case.
fn is_like(name: &str, like: &str) -> bool {
    let (name, like): (Vec<char>, Vec<char>) =
        (name.to_lowercase().chars().collect(), like.to_lowercase().chars().collect());
    // The last star and where the name stood then: it takes one character more whenever the rest does not fit.
    let (mut at, mut wanted, mut star) = (0, 0, None);
    while at < name.len() {
        if like.get(wanted) == Some(&'*') {
            star = Some((wanted, at));
            wanted += 1;
        } else if like.get(wanted).is_some_and(|one| *one == '?' || Some(one) == name.get(at)) {
            at += 1;
            wanted += 1;
        } else if let Some((before, taken)) = star {
            star = Some((before, taken + 1));
            (at, wanted) = (taken + 1, before + 1);
        } else {
            return false;
        }
    }
    like.iter().skip(wanted).all(|one| *one == '*')
}

fn ambiguous(file: &str, one: &Mapping, other: &Mapping) -> Refusal {
    let shown = |mapping: &Mapping| format!("\"{}\" ({})", mapping.name, mapping.file);
    Refusal::new(
        file,
        RefusalKind::WrongReportType,
        format!("two mappings recognise it equally well: {} and {}", shown(one), shown(other)),
        "Name more columns, or a file name, under [recognise] of one of the two.",
    )
}

/// The refusal of a file that nothing recognises: what it has, and what came nearest.
fn unknown<R: Read>(plain: &Table<R>, looks: &[Look<'_>]) -> Refusal {
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| plain.optional(name).is_none()).collect();
    let normal = (REQUIRED.len() - missing.len(), missing.len());
    // The nearest has the largest share of what it asks for.
    let share = |(found, missing): (usize, usize)| found * 1000 / (found + missing).max(1);
    let nearest = looks.iter().max_by_key(|look| share((look.found(), look.missing.len())));
    let nearest = nearest.filter(|look| share((look.found(), look.missing.len())) > share(normal));
    let quoted = |names: &[&str]| -> String {
        let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", printable(name))).collect();
        names.join(", ")
    };
    let Some(look) = nearest else {
        let mut refusal = plain.missing(missing.first().copied().unwrap_or("value"));
        if !matches!(refusal.kind, RefusalKind::WrongDelimiter) {
            let found = if normal.0 == 0 {
                "and none of its columns is one that a mapping asks for".to_owned()
            } else {
                format!("nearest is {NORMAL_FORM}, and it misses {}", quoted(&missing))
            };
            refusal.problem = format!("{}; no mapping knows it, {found}", refusal.problem);
            refusal.remedy = format!("{} {REMEDY}", refusal.remedy);
        }
        return refusal;
    };
    let mut names: Vec<&str> = plain.headers().iter().take(LISTED).map(String::as_str).collect();
    if plain.headers().len() > LISTED {
        names.push("…");
    }
    let lacks = if look.missing.is_empty() {
        format!(
            "whose files have a name like \"{}\"",
            printable(look.mapping.recognise.file_name.as_deref().unwrap_or(""))
        )
    } else {
        format!("and it misses {}", quoted(&look.missing))
    };
    let problem = format!(
        "no mapping knows it; found: {}; nearest is \"{}\" ({}), {lacks}",
        quoted(&names),
        look.mapping.name,
        look.mapping.file
    );
    let refusal =
        Refusal::new(plain.file(), RefusalKind::MissingColumn, problem, REMEDY).at_line(look.header.line);
    match look.missing.first() {
        Some(column) => refusal.in_column(*column),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;
    use rstest::rstest;

    #[rstest]
    #[case("Label-songs-7day.CSV", "*-songs-*.csv", true)]
    #[case("songs.csv", "songs.csv", true)]
    #[case("songs.csv", "s?ngs.*", true)]
    #[case("songs.csv.gz", "*.csv", false)]
    #[case("aaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*c", false)]
    #[case("", "*", true)]
    fn a_name_is_held_against_stars_and_question_marks(
        #[case] name: &str,
        #[case] like: &str,
        #[case] is: bool,
    ) {
        assert_eq!(is_like(name, like), is);
    }
}
