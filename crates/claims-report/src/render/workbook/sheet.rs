//! A sheet and its cells: what is text, what is a number, and which addresses are links.

use anyhow::Context as _;
use dn_domain::number::Decimal;
use dn_domain::printable::one_line;
use jiff::civil::Date;
use rust_xlsxwriter::{Color, ExcelDateTime, Format, FormatAlign, FormatBorder, FormatUnderline, Worksheet};

use super::super::disputes::yes_no;
use super::super::format::cut;
use super::super::links;

/// Links of a sheet: Excel takes 65,530, and each costs memory; the first rows matter most.
const MAX_LINKS: u32 = 5_000;
/// Characters of a cell; Excel takes 32,767.
pub(super) const MAX_CHARS: usize = 8_000;

/// What stands in a cell.
pub(super) enum Cell<'a> {
    Text(&'a str),
    /// An address that is followed where it is one of YouTube's, and how it is called.
    Link(&'a str, &'a str),
    Whole(u64),
    Signed(i64),
    Amount(Decimal),
    Share(Decimal),
    Day(Date),
    Empty,
}

impl<'a> Cell<'a> {
    pub fn of<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Cell::Empty, cell)
    }

    pub fn yes_no(truth: bool) -> Cell<'a> {
        Cell::Text(yes_no(truth))
    }
}

pub(super) struct Formats {
    header: Format,
    text: Format,
    long: Format,
    whole: Format,
    signed: Format,
    amount: Format,
    share: Format,
    day: Format,
    link: Format,
}

impl Formats {
    pub fn new() -> Self {
        let top = || Format::new().set_align(FormatAlign::Top);
        Self {
            header: Format::new()
                .set_bold()
                .set_background_color(Color::RGB(0x00EE_F3F8))
                .set_border_bottom(FormatBorder::Thin)
                .set_align(FormatAlign::VerticalCenter),
            text: top().set_num_format("@"),
            long: top().set_num_format("@").set_text_wrap(),
            whole: top().set_num_format("#,##0"),
            signed: top().set_num_format("+#,##0;-#,##0;0"),
            amount: top().set_num_format("#,##0.00"),
            share: top().set_num_format("0.0%"),
            day: top().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            link: top().set_font_color(Color::RGB(0x000A_58A6)).set_underline(FormatUnderline::Single),
        }
    }
}

/// A sheet while it is written, row by row.
pub(super) struct Sheet<'a> {
    inner: &'a mut Worksheet,
    formats: &'a Formats,
    columns: u16,
    rows: u32,
    links: u32,
    /// Whether every cell of a column is of one kind, whose format the column has.
    is_uniform: bool,
}

/// What all cells of a column are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Whole,
    Signed,
}

impl<'a> Sheet<'a> {
    /// A sheet with its header, a column's width in characters beside its title.
    pub fn begin(
        sheet: &'a mut Worksheet,
        formats: &'a Formats,
        name: &str,
        columns: &[(&str, f64)],
    ) -> anyhow::Result<Self> {
        sheet.set_name(name)?;
        sheet.set_freeze_panes(1, 0)?.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
        sheet.set_repeat_rows(0, 0)?;
        sheet.set_row_height(0, 20)?;
        let mut count = 0;
        for (title, width) in columns {
            sheet.set_column_width(count, *width)?;
            sheet.write_string_with_format(0, count, *title, &formats.header)?;
            count += 1;
        }
        Ok(Self { inner: sheet, formats, columns: count, rows: 1, links: 0, is_uniform: false })
    }

    /// Gives each column the format of its kind, in place of each cell: for a sheet of many thousand rows. Their texts are
    /// shown on one line.
    pub fn of_kinds(&mut self, kinds: &[Kind]) -> anyhow::Result<()> {
        for (column, kind) in (0..self.columns).zip(kinds) {
            let format = match kind {
                Kind::Text => &self.formats.text,
                Kind::Whole => &self.formats.whole,
                Kind::Signed => &self.formats.signed,
            };
            self.inner.set_column_format(column, format)?;
        }
        self.is_uniform = true;
        Ok(())
    }

    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> anyhow::Result<()> {
        let row = self.rows;
        for (column, cell) in (0..self.columns).zip(cells) {
            self.cell(row, column, &cell)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn cell(&mut self, row: u32, column: u16, cell: &Cell<'_>) -> anyhow::Result<()> {
        let formats = self.formats;
        let (number, format) = match *cell {
            Cell::Empty => return Ok(()),
            Cell::Text(text) => return self.text(row, column, text),
            Cell::Link(address, label) => {
                let url = if self.links < MAX_LINKS { links::known(address) } else { None };
                let Some(url) = url else { return self.text(row, column, label) };
                self.links += 1;
                self.inner.write_url_with_options(
                    row,
                    column,
                    url.as_str(),
                    shown(label),
                    "",
                    Some(&formats.link),
                )?;
                return Ok(());
            }
            Cell::Day(day) => {
                let day = date(day)?;
                self.inner.write_datetime_with_format(row, column, day, &formats.day)?;
                return Ok(());
            }
            Cell::Whole(number) => (number as f64, &formats.whole),
            Cell::Signed(number) => (number as f64, &formats.signed),
            Cell::Amount(amount) => (float(amount)?, &formats.amount),
            Cell::Share(share) => (float(share)?, &formats.share),
        };
        if self.is_uniform {
            self.inner.write_number(row, column, number)?;
        } else {
            self.inner.write_number_with_format(row, column, number, format)?;
        }
        Ok(())
    }

    fn text(&mut self, row: u32, column: u16, text: &str) -> anyhow::Result<()> {
        // An empty cell is no text, so that it can be filtered for.
        if text.is_empty() {
            return Ok(());
        }
        if self.is_uniform {
            self.inner.write_string(row, column, shown(text))?;
        } else {
            self.inner.write_string_with_format(row, column, shown(text), &self.formats.long)?;
        }
        Ok(())
    }

    pub fn end(self) -> anyhow::Result<()> {
        let last = self.columns.checked_sub(1).context("a sheet without columns")?;
        self.inner.autofilter(0, 0, self.rows - 1, last)?;
        Ok(())
    }
}

/// Foreign text as a cell shows it: nothing invisible, nothing that turns it around, and no longer than a cell may be.
fn shown(text: &str) -> String {
    let line = one_line(text);
    // So few bytes are no more characters, as nearly always.
    if line.len() <= MAX_CHARS { line } else { cut(&line, MAX_CHARS) }
}

fn date(day: Date) -> anyhow::Result<ExcelDateTime> {
    let part = u8::try_from;
    Ok(ExcelDateTime::from_ymd(u16::try_from(day.year())?, part(day.month())?, part(day.day())?)?)
}

fn float(amount: Decimal) -> anyhow::Result<f64> {
    Ok(amount.to_string().parse()?)
}
