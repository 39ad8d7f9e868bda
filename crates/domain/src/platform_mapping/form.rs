//! A mapping's TOML, key by key.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::amount::Numbers;
use super::day::{DayFrom, DayPlace, Totals};
use super::{Counts, HeaderAt, LeaveOut, Mapping, MappingFault, Recognise, Sought, Told};
use crate::id::AssetId;
use crate::isrc::Isrc;
use crate::printable::printable;
use crate::table::column_key;

/// No header is looked for further down.
const MAX_LINES_BEFORE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    platform: Option<String>,
    platform_column: Option<String>,
    recognise: RecogniseForm,
    #[serde(default)]
    file: FileForm,
    date: DateForm,
    #[serde(default)]
    columns: ColumnsForm,
    #[serde(default)]
    constants: ConstantsForm,
    metrics: Option<BTreeMap<String, String>>,
    long: Option<LongForm>,
    #[serde(default)]
    numbers: NumbersForm,
    #[serde(default)]
    leave_out: Vec<LeaveOutForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecogniseForm {
    columns: Vec<String>,
    file_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    delimiter: Delimiter,
    skip_lines: Option<usize>,
    header_within: Option<usize>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Delimiter {
    #[default]
    Comma,
    Semicolon,
    Tab,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DateForm {
    column: Option<String>,
    #[serde(default)]
    from_file_name: bool,
    #[serde(default = "iso")]
    format: String,
    #[serde(default)]
    totals: TotalsForm,
}

fn iso() -> String {
    "%Y-%m-%d".to_owned()
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum TotalsForm {
    #[default]
    Day,
    WeekFrom,
    WeekTo,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ColumnsForm {
    isrc: Vec<String>,
    upc: Vec<String>,
    custom_id: Vec<String>,
    asset_id: Vec<String>,
    country: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ConstantsForm {
    isrc: Option<String>,
    upc: Option<String>,
    custom_id: Option<String>,
    asset_id: Option<String>,
    country: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongForm {
    metric: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NumbersForm {
    decimal: char,
    thousands: Option<char>,
    unknown: Vec<String>,
}

impl Default for NumbersForm {
    fn default() -> Self {
        Self { decimal: '.', thousands: None, unknown: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaveOutForm {
    column: String,
    values: Vec<String>,
}

/// What is wrong with one key, yet without the file.
struct Wrong {
    key: &'static str,
    problem: String,
    remedy: &'static str,
}

type Checked<T> = Result<T, Wrong>;

fn wrong<T>(key: &'static str, problem: impl Into<String>, remedy: &'static str) -> Checked<T> {
    Err(Wrong { key, problem: problem.into(), remedy })
}

pub(super) fn parse(file: &str, text: &str) -> Result<Mapping, MappingFault> {
    let form: Form = toml::from_str(text).map_err(|error| MappingFault {
        file: file.to_owned(),
        line: error
            .span()
            .and_then(|span| text.get(..span.start))
            .map(|before| before.matches('\n').count() + 1),
        key: None,
        problem: error.message().to_owned(),
        remedy: "See docs/PLATFORMS.md for the keys of a mapping.",
    })?;
    check(file, form).map_err(|Wrong { key, problem, remedy }| MappingFault {
        file: file.to_owned(),
        line: line_of(key, text),
        key: Some(key.to_owned()),
        problem,
        remedy,
    })
}

/// The line on which a key or its section begins; none where there are several, or none.
fn line_of(key: &str, text: &str) -> Option<usize> {
    let mut section = "";
    let mut found = None;
    for (line, at) in text.lines().map(str::trim).zip(1..) {
        let is_it = if line.starts_with('[') {
            section = line.trim_matches(['[', ']', ' ']);
            section == key
        } else {
            let name = line.split('=').next().unwrap_or_default().trim();
            let own = key.strip_prefix(section).map(|rest| rest.trim_start_matches('.'));
            line.contains('=') && own == Some(name)
        };
        if is_it && found.replace(at).is_some() {
            return None;
        }
    }
    found
}

fn check(file: &str, form: Form) -> Checked<Mapping> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if form.name.is_empty() || !form.name.bytes().all(is_word) {
        return wrong(
            "name",
            format!("\"{}\" is no name", printable(&form.name)),
            "Use small letters, digits and _.",
        );
    }
    let counts = counts(form.metrics, form.long)?;
    let columns = form.columns;
    let constants = form.constants;
    if let Some(isrc) = &constants.isrc
        && let Err(error) = Isrc::parse_bytes(isrc.as_bytes())
    {
        return wrong("constants.isrc", error.to_string(), "Mend the ISRC.");
    }
    if let Some(asset) = &constants.asset_id
        && let Err(error) = AssetId::parse_bytes(asset.as_bytes())
    {
        return wrong("constants.asset_id", error.to_string(), "Mend the asset ID.");
    }
    let mapping = Mapping {
        name: form.name,
        file: file.to_owned(),
        recognise: recognise(form.recognise)?,
        delimiter: match form.file.delimiter {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
        },
        header: header(&form.file)?,
        platform: platform(form.platform, form.platform_column)?,
        day: day(form.date)?,
        isrc: sought("columns.isrc", columns.isrc, constants.isrc)?,
        upc: sought("columns.upc", columns.upc, constants.upc)?,
        custom_id: sought("columns.custom_id", columns.custom_id, constants.custom_id)?,
        asset_id: sought("columns.asset_id", columns.asset_id, constants.asset_id)?,
        country: sought("columns.country", columns.country, constants.country)?,
        counts,
        numbers: numbers(&form.numbers)?,
        leave_out: form.leave_out.into_iter().map(leave_out).collect::<Checked<_>>()?,
    };
    let keys = [&mapping.isrc, &mapping.upc, &mapping.custom_id, &mapping.asset_id];
    if keys.iter().all(|key| key.columns.is_empty() && key.constant.is_none()) {
        return wrong(
            "columns",
            "no column says which recording a row is about",
            "Name the column of the ISRC, UPC, custom ID or asset ID: titles are never used to join.",
        );
    }
    Ok(mapping)
}

fn counts(metrics: Option<BTreeMap<String, String>>, long: Option<LongForm>) -> Checked<Counts> {
    match (metrics, long) {
        (Some(metrics), None) => {
            if metrics.is_empty() {
                return wrong(
                    "metrics",
                    "no column is named",
                    "Write \"Column\" = \"metric\" for what is counted.",
                );
            }
            unique("metrics", metrics.keys())?;
            for (column, metric) in &metrics {
                let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
                if metric.is_empty() || !metric.bytes().all(is_word) {
                    return wrong(
                        "metrics",
                        format!(
                            "\"{}\", for column \"{}\", is no metric",
                            printable(metric),
                            printable(column)
                        ),
                        "Use small letters, digits and _.",
                    );
                }
            }
            Ok(Counts::Wide(metrics.into_iter().collect()))
        }
        (None, Some(LongForm { metric, value })) => {
            named("long.metric", &metric)?;
            named("long.value", &value)?;
            Ok(Counts::Long { metric, value })
        }
        _ => wrong(
            "metrics",
            "what is counted is said by none or by both of [metrics] and [long]",
            "Give [metrics] where each metric has a column, [long] where a column names the metric.",
        ),
    }
}

fn recognise(form: RecogniseForm) -> Checked<Recognise> {
    if form.columns.is_empty() {
        return wrong(
            "recognise.columns",
            "it is empty",
            "Name the columns that no other export has together.",
        );
    }
    for column in &form.columns {
        named("recognise.columns", column)?;
    }
    unique("recognise.columns", form.columns.iter())?;
    let stars = form.file_name.iter().flat_map(|name| name.chars()).filter(|one| *one == '*').count();
    if form.file_name.as_ref().is_some_and(String::is_empty) || stars > 8 {
        return wrong(
            "recognise.file_name",
            "it is empty or has more than eight *",
            "Write what the name is like, as in \"*-songs-*.csv\", or leave it out.",
        );
    }
    Ok(Recognise { columns: form.columns, file_name: form.file_name })
}

fn header(form: &FileForm) -> Checked<HeaderAt> {
    match (form.skip_lines, form.header_within) {
        (None, None) => Ok(HeaderAt::Behind(0)),
        (Some(lines), None) if lines <= MAX_LINES_BEFORE => Ok(HeaderAt::Behind(lines)),
        (None, Some(lines)) if (1..=MAX_LINES_BEFORE).contains(&lines) => Ok(HeaderAt::Within(lines)),
        (Some(_), Some(_)) => wrong(
            "file.header_within",
            "file.skip_lines is there too",
            "Say how many lines stand before the header, or within how many it is, and not both.",
        ),
        (Some(_), None) => wrong("file.skip_lines", "it is more than 100", "Give 0 to 100."),
        (None, Some(_)) => wrong("file.header_within", "it is not 1 to 100", "Give 1 to 100."),
    }
}

fn platform(constant: Option<String>, column: Option<String>) -> Checked<Told> {
    match (constant, column) {
        (Some(platform), None) => {
            named("platform", &platform)?;
            Ok(Told::Constant(platform.trim().to_lowercase()))
        }
        (None, Some(column)) => {
            named("platform_column", &column)?;
            Ok(Told::Column(column))
        }
        _ => wrong(
            "platform",
            "the platform is said by none or by both of platform and platform_column",
            "Give its name, or the column that names it.",
        ),
    }
}

fn day(form: DateForm) -> Checked<DayFrom> {
    let place = match (form.column, form.from_file_name) {
        (Some(column), false) => {
            named("date.column", &column)?;
            DayPlace::Column(column)
        }
        (None, true) => DayPlace::FileName,
        _ => {
            return wrong(
                "date.column",
                "the day is said by none or by both of date.column and date.from_file_name",
                "Name the column of the day, or set from_file_name = true.",
            );
        }
    };
    if !DayFrom::is_whole(&form.format) {
        return wrong(
            "date.format",
            format!("\"{}\" tells no whole day", printable(&form.format)),
            "Write it as strftime has it, with year, month and day: \"%d.%m.%Y\".",
        );
    }
    let totals = match form.totals {
        TotalsForm::Day => Totals::Day,
        TotalsForm::WeekFrom => Totals::WeekFrom,
        TotalsForm::WeekTo => Totals::WeekTo,
    };
    Ok(DayFrom { place, format: form.format, totals })
}

fn sought(key: &'static str, columns: Vec<String>, constant: Option<String>) -> Checked<Sought> {
    columns.iter().try_for_each(|column| named(key, column))?;
    unique(key, columns.iter())?;
    if constant.as_ref().is_some_and(|constant| constant.trim().is_empty()) {
        return wrong(key, "its constant is empty", "Give the value, or leave the constant out.");
    }
    Ok(Sought { columns, constant: constant.map(|constant| constant.trim().to_owned()) })
}

fn numbers(form: &NumbersForm) -> Checked<Numbers> {
    if !matches!(form.decimal, '.' | ',') {
        return wrong(
            "numbers.decimal",
            format!("it is \"{}\"", printable(form.decimal.to_string())),
            "Give \".\" or \",\".",
        );
    }
    match form.thousands {
        None | Some('.' | ',' | ' ' | '\'') if form.thousands != Some(form.decimal) => {}
        _ => {
            return wrong(
                "numbers.thousands",
                "it is no mark between groups of digits, or the same as numbers.decimal",
                "Give \",\", \".\", \" \" or \"'\", or leave it out.",
            );
        }
    }
    let unknown = form.unknown.iter().map(|word| word.trim().to_lowercase()).collect();
    Ok(Numbers { decimal: form.decimal, thousands: form.thousands, unknown })
}

fn leave_out(form: LeaveOutForm) -> Checked<LeaveOut> {
    named("leave_out.column", &form.column)?;
    if form.values.is_empty() {
        return wrong(
            "leave_out.values",
            "it is empty",
            "Name what stands in the column of such rows, as in [\"Total\"].",
        );
    }
    let values = form.values.iter().map(|value| value.trim().to_lowercase()).collect();
    Ok(LeaveOut { column: form.column, values })
}

fn named(key: &'static str, text: &str) -> Checked<()> {
    if column_key(text).is_empty() {
        return wrong(key, "it is empty", "Write the column's name as it stands in the export.");
    }
    Ok(())
}

/// Refuses names that are one and the same to the reader of a header.
fn unique<'a>(key: &'static str, names: impl Iterator<Item = &'a String>) -> Checked<()> {
    let mut known = BTreeSet::new();
    for name in names {
        if !known.insert(column_key(name)) {
            return wrong(
                key,
                format!("\"{}\" stands there twice", printable(name)),
                "Leave one out: case, blanks and _ do not tell columns apart.",
            );
        }
    }
    Ok(())
}
