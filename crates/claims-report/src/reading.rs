//! Reading an input row by row, off the async threads: what is kept of it, how far it has come, what was rejected.

use std::io::{Read, Write as _};

use anyhow::Context as _;
use dn_core::store::{self, ObjectReader};
use dn_core::task::{Context, InputError, ProgressStep, Scratch};
use dn_domain::asset_report::{AssetLine, AssetReport};
use dn_domain::claim_report::{ClaimLine, ClaimReport};
use dn_domain::claims::platforms::PlatformWeeks;
use dn_domain::claims::rights::RightsBook;
use dn_domain::claims::snapshot::{ClaimRows, Gather, Source, VideoRows};
use dn_domain::conflict_report::{ConflictLine, ConflictReport};
use dn_domain::platform_mapping::{AnalyticsFile, AnalyticsLine, AnalyticsRow, Mappings};
use dn_domain::reject_sheet::RejectSheet;
use dn_domain::rights_record::{RightsFile, RightsLine, RightsRow};
use dn_domain::table::{Cells, Rows};
use dn_domain::video_report::{ReportLine, VideoReport};
use tokio_util::sync::CancellationToken;

use crate::Tally;
use crate::in_two::in_two;

/// How many rows go by between two looks at whether the run is to stop: some milliseconds' worth.
const ROWS_BETWEEN_LOOKS: u64 = 10_000;

/// So many rejected rows of an input are told in the log; all of them stand in the rejects file.
const LOGGED_REJECTS: u64 = 20;

/// An input's text, unpacked.
pub(crate) type Text = Box<dyn Read + Send>;

/// An input that was read to its end.
pub(crate) struct FileRead {
    /// As it was asked for.
    pub uri: String,
    /// Which version of it.
    pub etag: Option<String>,
    /// When it was last written.
    pub modified: Option<jiff::Timestamp>,
    /// Rows, the rejected ones included.
    pub rows: u64,
    /// The rows that could not be used.
    pub rejects: Rejects,
}

/// The rows of an input that could not be used; nothing is kept where there are none.
#[derive(Default)]
pub(crate) struct Rejects {
    sheet: Option<RejectSheet<Scratch>>,
    pub count: u64,
}

impl Rejects {
    /// Puts the sheet into the run folder, if there is anything in it.
    pub async fn keep(self, context: &Context<Tally>, name: &str) -> anyhow::Result<()> {
        let Some(sheet) = self.sheet else { return Ok(()) };
        let mut scratch = sheet.finish()?;
        scratch.flush()?;
        let folder = context.run_folder()?;
        let name = format!("rejects-{name}.csv");
        folder.put_scratch(&name, scratch).await.context("the rejected rows could not be kept")?;
        let uri = folder.uri(&name);
        context.count(|tally| tally.rejects_uris.push(uri));
        Ok(())
    }
}

/// Watches the rows that go by.
pub(crate) struct Watch {
    what: &'static str,
    headers: Vec<String>,
    step: ProgressStep,
    stopped: CancellationToken,
    // How large the input is as it lies there, packed or not.
    size_bytes: Option<u64>,
    count: u64,
    shown: u64,
    rejects: Rejects,
}

impl Watch {
    fn pass(&mut self) -> anyhow::Result<()> {
        self.count += 1;
        if self.count - self.shown == ROWS_BETWEEN_LOOKS {
            self.step.advance(ROWS_BETWEEN_LOOKS);
            self.shown = self.count;
            anyhow::ensure!(!self.stopped.is_cancelled(), "stopped while the {} was read", self.what);
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, fields: Cells<'_>, code: &str, reason: &str) -> anyhow::Result<()> {
        self.rejects.count += 1;
        match self.rejects.count {
            1..=LOGGED_REJECTS => tracing::warn!(input = self.what, line, code, reason, "row rejected"),
            count if count == LOGGED_REJECTS + 1 => {
                tracing::warn!(input = self.what, "more rows rejected; see the rejects file");
            }
            _ => {}
        }
        if self.rejects.sheet.is_none() {
            self.rejects.sheet = Some(RejectSheet::new(Scratch::new()?, &self.headers)?);
        }
        let Some(sheet) = &mut self.rejects.sheet else { return Ok(()) };
        Ok(sheet.write(&fields.to_fields(), code, reason)?)
    }
}

/// Reads one input, of whatever size, off the async threads. `state` is what is kept of its rows; it comes back also
/// when the reading fails. `accept` looks at the input before its first row.
pub(crate) async fn read_file<S: Send + 'static>(
    context: &Context<Tally>,
    what: &'static str,
    uri: &str,
    accept: impl FnOnce(&ObjectReader) -> anyhow::Result<()>,
    mut state: S,
    read: impl FnOnce(&str, Text, &mut S, &mut Watch) -> anyhow::Result<()> + Send + 'static,
) -> (Option<S>, anyhow::Result<FileRead>) {
    let opened = store::open_read(uri, &context.aws).await.map_err(InputError);
    let opened = opened.with_context(|| format!("the {what} could not be opened"));
    let reader = match opened.and_then(|reader| accept(&reader).map(|()| reader)) {
        Ok(reader) => reader,
        Err(error) => return (Some(state), Err(error)),
    };
    let (etag, size_bytes, modified) = (reader.etag.clone(), reader.size_bytes, reader.modified);
    let name = uri.to_owned();
    let mut watch = Watch {
        what,
        headers: Vec::new(),
        step: context.progress.step(what, None),
        stopped: context.stop.token(),
        size_bytes,
        count: 0,
        shown: 0,
        rejects: Rejects::default(),
    };
    let done = tokio::task::spawn_blocking(move || {
        let done = read(&name, Box::new(reader.into_sync_read()), &mut state, &mut watch);
        watch.step.advance(watch.count - watch.shown);
        (state, done, watch)
    });
    let (state, done, watch) = match done.await {
        Ok(done) => done,
        Err(error) => return (None, Err(error.into())),
    };
    let file = done.map(|()| {
        tracing::info!(
            input = what,
            uri,
            rows = watch.count,
            rejected = watch.rejects.count,
            size_bytes,
            "input read"
        );
        FileRead { uri: uri.to_owned(), etag, modified, rows: watch.count, rejects: watch.rejects }
    });
    (Some(state), file)
}

/// Reads to the end; `$take` sees each row and says what is wrong with it.
macro_rules! rows {
    ($report:ident, $line:ident, $watch:ident, $take:expr) => {{
        $watch.headers = $report.headers().to_vec();
        while let Some(line) = $report.next_row()? {
            match line {
                $line::Row(row) => {
                    if let Err(fault) = $take(&row) {
                        $watch.reject(fault.line, row.fields(), fault.code, &fault.reason)?;
                    }
                }
                $line::Bad(row) => $watch.reject(row.line(), row.cells(), row.code, &row.reason)?,
            }
            $watch.pass()?;
        }
        Ok(())
    }};
}

/// Reads a report to its end into the week, on two threads; `$take` sees each row.
macro_rules! report_rows {
    ($report:ident, $line:ident, $source:ident, $gather:ident, $watch:ident, $take:expr) => {{
        $gather.begin($source, &$report.missing_columns());
        $watch.headers = $report.headers().to_vec();
        let columns = $report.columns().clone();
        let mut misfits = 0;
        in_two(
            |lot: &mut Lot| {
                $report.next_rows(&mut lot.rows)?;
                Ok(!lot.rows.is_empty())
            },
            |lot| lot.misfits = lot.rows.split(),
            |lot| {
                misfits += lot.misfits;
                for line in columns.lines(&lot.rows) {
                    match line {
                        $line::Row(row) => {
                            if let Err(fault) = $take(&mut *$gather, &row) {
                                $watch.reject(fault.line, row.fields(), fault.code, &fault.reason)?;
                            }
                        }
                        $line::Bad(row) => {
                            $gather.misfit($source);
                            $watch.reject(row.line(), row.cells(), row.code, &row.reason)?;
                        }
                    }
                    $watch.pass()?;
                }
                Ok(())
            },
        )?;
        Ok($report.check_end(misfits)?)
    }};
}

/// The same where most of the work needs nothing but the rows, and many are taken at once.
macro_rules! rows_at_once {
    ($report:ident, $line:ident, $lot:ident, $source:ident, $gather:ident, $watch:ident, $take:expr) => {{
        $gather.begin($source, &$report.missing_columns());
        $watch.headers = $report.headers().to_vec();
        let (columns, reader) = ($report.columns().clone(), $gather.row_reader());
        let mut misfits = 0;
        in_two(
            |lot: &mut $lot| {
                $report.next_rows(&mut lot.rows)?;
                Ok(!lot.rows.is_empty())
            },
            |lot| lot.read(&columns, &reader),
            |lot| {
                misfits += lot.misfits();
                $take(&mut *$gather, lot, &columns, |line, fault| match (line, fault) {
                    ($line::Row(row), Some(fault)) => {
                        $watch.reject(fault.line, row.fields(), fault.code, &fault.reason)
                    }
                    ($line::Bad(row), _) => $watch.reject(row.line(), row.cells(), row.code, &row.reason),
                    ($line::Row(_), None) => Ok(()),
                })?;
                (0..lot.rows.len()).try_for_each(|_| $watch.pass())
            },
        )?;
        Ok($report.check_end(misfits)?)
    }};
}

/// Rows that are handed from thread to thread.
#[derive(Default)]
struct Lot {
    rows: Rows,
    misfits: u64,
}

/// Reads one of the four reports into the week.
pub(crate) fn read_report(
    source: Source,
    name: &str,
    text: Text,
    gather: &mut Gather,
    watch: &mut Watch,
) -> anyhow::Result<()> {
    match source {
        Source::Assets => {
            let mut report = AssetReport::open(name, text)?;
            report_rows!(report, AssetLine, source, gather, watch, Gather::asset)
        }
        Source::Videos => {
            let mut report = VideoReport::open(name, text)?;
            rows_at_once!(report, ReportLine, VideoRows, source, gather, watch, Gather::videos)
        }
        Source::Claims => {
            let mut report = ClaimReport::open(name, text)?;
            gather.expect_claims(watch.size_bytes.unwrap_or_default());
            rows_at_once!(report, ClaimLine, ClaimRows, source, gather, watch, Gather::claims)
        }
        Source::Conflicts => {
            let mut report = ConflictReport::open(name, text)?;
            report_rows!(report, ConflictLine, source, gather, watch, Gather::conflict)
        }
    }
}

/// Reads a platform file into the platforms' weeks.
pub(crate) fn read_platform(
    name: &str,
    text: Text,
    mappings: &Mappings,
    weeks: &mut PlatformWeeks,
    watch: &mut Watch,
) -> anyhow::Result<()> {
    let mut file = AnalyticsFile::open(mappings, name, text)?;
    if let Some(mapping) = file.mapping() {
        tracing::info!(uri = name, mapping, "platform file read through a mapping");
    }
    rows!(file, AnalyticsLine, watch, |row: &AnalyticsRow<'_>| row.values(|value| weeks.add(value)))
}

/// Reads rights records into a book.
pub(crate) fn read_rights(
    name: &str,
    text: Text,
    book: &mut RightsBook,
    watch: &mut Watch,
) -> anyhow::Result<()> {
    let mut file = RightsFile::open(name, text)?;
    rows!(file, RightsLine, watch, |row: &RightsRow<'_>| row.record().map(|record| book.add(&record)))
}
