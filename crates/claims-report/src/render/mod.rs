//! The files of a weekly report, out of one digest: values in, bytes out, and the same bytes for the same digest.
//!
//! Whatever is foreign in a digest (titles, names, ids of other owners, addresses) is shown as one visible line in
//! page and mail, is a text and no formula in workbook and sheets, and stands as it is in the files for machines.

mod chart;
mod disputes;
mod email;
mod format;
mod links;
mod live;
mod page;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod today;
mod view;
mod words;
mod workbook;

use anyhow::Context as _;
use dn_domain::claims::changes::{Change, write_csv};
use dn_domain::claims::digest::{Digest, Dispute};
use dn_domain::claims::snapshot::Both as _;
use serde::Serialize;

use crate::in_two::SideBySide;

pub use email::{email_html, email_text, subject};

/// The files of a report as far as the changes tell them: those of many changes take longer than all else.
pub struct Begun {
    workbook: workbook::Begun,
    changes_csv: Vec<u8>,
}

/// Begins the files of a report. In a first run there are no changes: the sheet then has its header alone.
pub fn begin(changes: &[Change]) -> anyhow::Result<Begun> {
    let (workbook, changes_csv) =
        SideBySide.both(|| workbook::begin(changes), || write_csv(changes, Vec::new()));
    Ok(Begun { workbook: workbook.context("report.xlsx")?, changes_csv: changes_csv.context("changes.csv")? })
}

impl Begun {
    /// All files by name.
    pub fn finish(self, digest: &Digest) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
        Ok(vec![
            ("report.json", json(digest).context("report.json")?),
            ("report.html", page::page(digest).context("report.html")?.into_bytes()),
            ("email.html", email_html(digest, &[]).context("email.html")?.into_bytes()),
            ("report.xlsx", self.workbook.finish(digest).context("report.xlsx")?),
            ("changes.csv", self.changes_csv),
            ("disputes.csv", disputes::csv(&digest.disputes)?),
            ("alerts.json", json(&digest.alerts).context("alerts.json")?),
            ("quality.json", json(&digest.quality).context("quality.json")?),
        ])
    }
}

/// The queue as a sheet.
pub fn disputes_csv(queue: &[Dispute]) -> anyhow::Result<Vec<u8>> {
    disputes::csv(queue)
}

/// A value for programs, with a last newline.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
