//! The summary as an e-mail. One that cannot be sent is reported and never fails the run: the report is made.

use std::fmt::Write as _;

use dn_core::mail::{Mail, MailFile, MailSettings, Mailer, fitting};
use dn_core::task::Context;
use dn_domain::claims::digest::Digest;
use dn_domain::printable::printable;

use crate::Tally;
use crate::render::{email_html, email_text, subject};
use crate::report::Mailed;

/// The workbook goes with the mail while it is this small; of a larger one the mail has the address.
const MAX_WORKBOOK_BYTES: usize = 5 << 20;

const WORKBOOK: &str = "report.xlsx";
const WORKBOOK_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Sends the summary, and notes what became of it.
pub(crate) async fn send(
    context: &Context<Tally>,
    settings: &MailSettings,
    digest: &Digest,
    files: &[(&'static str, Vec<u8>)],
) {
    let of = |name: &str| files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.as_slice());
    let workbook = of(WORKBOOK).filter(|bytes| bytes.len() <= MAX_WORKBOOK_BYTES).map(|bytes| MailFile {
        name: format!("claims-report-{}.xlsx", digest.week),
        content_type: WORKBOOK_TYPE.to_owned(),
        bytes: bytes.to_vec(),
    });
    let (attachments, left_out) = fitting(workbook.into_iter().collect());
    let is_attached = !attachments.is_empty() && left_out.is_empty();
    let uris = context.tally().files;
    let places: Vec<(String, String)> = ["report.html", WORKBOOK]
        .into_iter()
        .filter(|name| *name != WORKBOOK || !is_attached)
        .filter_map(|name| Some((name.to_owned(), uris.get(name)?.clone())))
        .collect();
    let mut text = email_text(digest);
    text.push('\n');
    for (name, uri) in &places {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {}", printable(uri));
    }
    let html = email_html(digest, &places).unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "mail without its page");
        String::new()
    });
    let mail = Mail {
        from: settings.from.clone(),
        to: settings.to.clone(),
        subject: subject(digest),
        text,
        html,
        attachments,
    };
    let mailed = match Mailer::new(&context.aws).send(&mail).await {
        Ok(message_id) => {
            tracing::info!(message_id, "mail sent");
            Mailed { message_id: Some(message_id), error: None }
        }
        Err(error) => {
            tracing::error!(%error, "mail not sent; the report is made all the same");
            Mailed { message_id: None, error: Some(error.to_string()) }
        }
    };
    context.count(|tally| tally.mail = Some(mailed));
}
