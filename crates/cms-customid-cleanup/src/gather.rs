//! What the decision needs: the partner channels, and their assets out of the video report.

use std::sync::Arc;

use anyhow::Context as _;
use dn_core::graphql::AppSync;
use dn_core::store::{self, MAX_REREADS, ObjectReader, was_replaced};
use dn_core::task::{Context, Ended, Exit, InputError};
use dn_domain::cleanup_plan::{Gathered, Scan};
use dn_domain::partner_channels::{Filter, PartnerChannels};
use dn_domain::video_report::{ReportLine, VideoReport};

use crate::history::{self, Sizes};
use crate::rejects::{RejectedRow, Rejects};
use crate::{Cleanup, Tally};

/// The whole partner list, or none of it. A channel whose record somebody has to mend is named.
pub(crate) async fn partner_channels(
    appsync: &AppSync,
    context: &Context<Tally>,
) -> anyhow::Result<PartnerChannels> {
    let records = appsync.list_channels().await.context("the partner channels could not be listed")?;
    let partners = PartnerChannels::build(&records);
    if partners.is_empty() {
        return Err(Ended::new(
            Exit::Guard,
            format!(
                "the GraphQL database has no usable partner channel ({} records): nothing is changed; see that \
                 channelbackfill has run against this endpoint",
                records.len()
            ),
        )
        .into());
    }
    for note in partners.unusable() {
        tracing::error!(note, "partner channel record not usable");
    }
    let mut left_out = partners.unusable().len() as u64;
    for (partner, why) in partners.left_out() {
        left_out += 1;
        tracing::error!(channel_id = %partner.channel_id, why = %why, "partner channel left out: mend its record");
    }
    context.count(|tally| tally.channels_left_out = left_out);
    tracing::info!(partner_channels = partners.len(), left_out, "partner channels listed");
    Ok(partners)
}

/// The channels that the run is limited to.
pub(crate) fn filter(cleanup: &Cleanup, partners: &PartnerChannels) -> Result<Filter, Ended> {
    let filter = partners.filter(&cleanup.filter_target);
    filter.map_err(|error| Ended::new(Exit::Usage, format!("--filter-target (FILTER_TARGET): {error}")))
}

/// A report that was read from its first byte to its last, all of one version.
pub(crate) struct ReportRead {
    pub gathered: Gathered,
    /// Which version of it.
    pub etag: Option<String>,
    /// When that was written.
    pub modified: Option<jiff::Timestamp>,
}

/// Reads the report. One that is replaced meanwhile is read again from its first byte, and nothing is kept of the
/// version that is gone. `begin` looks at each version before it is read and gives who sees its lines.
pub(crate) async fn read<W>(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    partners: &Arc<PartnerChannels>,
    filter: &Filter,
    rejects: &mut Rejects,
    mut begin: impl FnMut(&ObjectReader) -> anyhow::Result<W>,
) -> anyhow::Result<ReportRead>
where
    W: FnMut(&ReportLine<'_>) + Send + 'static,
{
    for _ in 0..MAX_REREADS {
        match read_once(cleanup, context, partners, filter, rejects, &mut begin).await {
            Err(error) if was_replaced(&error) => {
                tracing::warn!(uri = cleanup.report, "video report replaced while it was read, begun again");
                *rejects = Rejects::begin();
                context.count(|tally| tally.rejected_rows = 0);
            }
            read => return read,
        }
    }
    let last = read_once(cleanup, context, partners, filter, rejects, &mut begin).await;
    last.with_context(|| format!("the video report was begun again {MAX_REREADS} times"))
}

async fn read_once<W>(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    partners: &Arc<PartnerChannels>,
    filter: &Filter,
    rejects: &mut Rejects,
    begin: &mut impl FnMut(&ObjectReader) -> anyhow::Result<W>,
) -> anyhow::Result<ReportRead>
where
    W: FnMut(&ReportLine<'_>) + Send + 'static,
{
    let reader = open(cleanup, context).await?;
    let watch = begin(&reader)?;
    let (etag, modified) = (reader.etag.clone(), reader.modified);
    let gathered = scan(context, reader, partners, filter.clone(), rejects, watch).await?;
    Ok(ReportRead { gathered, etag, modified })
}

/// Opens the report.
async fn open(cleanup: &Cleanup, context: &Context<Tally>) -> anyhow::Result<ObjectReader> {
    let reader = store::open_read(&cleanup.report, &context.aws).await;
    reader.map_err(InputError).context("the video report could not be opened")
}

/// Gives the report's partner assets for a run that may write by them, with the version of the report that was read: a
/// report that is too old or has shrunk too much ends the run.
pub(crate) async fn report(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    partners: &Arc<PartnerChannels>,
    rejects: &mut Rejects,
) -> anyhow::Result<(Gathered, Option<String>)> {
    let filter = filter(cleanup, partners)?;
    let fresh = |reader: &ObjectReader| {
        reader.modified.map_or(Ok(()), |modified| check_age(cleanup, context, modified))?;
        Ok(|_: &ReportLine<'_>| {})
    };
    let ReportRead { gathered, etag, .. } = read(cleanup, context, partners, &filter, rejects, fresh).await?;
    let sizes = Sizes {
        run_id: context.info.run_id.clone(),
        partner_channels: partners.len() as u64,
        report_rows: gathered.stats.rows,
    };
    history::check_sizes(context, &sizes, cleanup.min_size_ratio).await?;
    context.count(|tally| tally.sizes = Some(sizes));
    Ok((gathered, etag))
}

/// Streams the report once and gives its partner assets. Rows that cannot be read go to the rejects; a report that
/// cannot be trusted ends the run. `watch` sees every line as it passes.
async fn scan(
    context: &Context<Tally>,
    reader: ObjectReader,
    partners: &Arc<PartnerChannels>,
    filter: Filter,
    rejects: &mut Rejects,
    mut watch: impl FnMut(&ReportLine<'_>) + Send + 'static,
) -> anyhow::Result<Gathered> {
    let size_bytes = reader.size_bytes;
    let name = reader.uri.clone();
    let partners = Arc::clone(partners);
    let progress = context.progress.step("report rows", None);
    let (row_sender, mut rows) = tokio::sync::mpsc::channel::<RejectedRow>(64);
    let (header_sender, headers) = tokio::sync::oneshot::channel();
    let stopped = context.stop.token();
    let scanned = tokio::task::spawn_blocking(move || -> anyhow::Result<Gathered> {
        let mut report = VideoReport::open(&name, reader.into_sync_read())?;
        // The receiver is only gone when the run is being stopped.
        let _ = header_sender.send(report.headers().to_vec());
        let mut scan = Scan::new(&partners);
        let mut since_told = 0_u64;
        while let Some(line) = report.next_row()? {
            watch(&line);
            let rejected = match line {
                ReportLine::Row(row) => match scan.take(&row) {
                    Err(reject) if reject.channel.is_none_or(|channel| filter.contains(channel)) => {
                        Some(RejectedRow {
                            line: row.line(),
                            fields: row.fields().to_fields(),
                            code: reject.code.to_owned(),
                            reason: reject.reason,
                        })
                    }
                    Ok(_) | Err(_) => None,
                },
                ReportLine::Bad(row) => Some(RejectedRow {
                    line: row.line(),
                    fields: row.cells().to_fields(),
                    code: row.code.to_owned(),
                    reason: row.reason.clone(),
                }),
            };
            if let Some(rejected) = rejected {
                let _ = row_sender.blocking_send(rejected);
            }
            since_told += 1;
            if since_told == 10_000 {
                progress.advance(since_told);
                since_told = 0;
                if stopped.is_cancelled() {
                    anyhow::bail!("stopped while the report was read");
                }
            }
        }
        progress.advance(since_told);
        Ok(scan.finish(&filter))
    });
    if let Ok(headers) = headers.await {
        rejects.set_headers(&headers)?;
    }
    while let Some(row) = rows.recv().await {
        tracing::warn!(line = row.line, code = row.code, reason = row.reason, "report row rejected");
        rejects.add_row(&row)?;
        context.count(|tally| tally.rejected_rows += 1);
    }
    let gathered = scanned.await??;
    let stats = gathered.stats;
    context.count(|tally| {
        tally.assets.total = gathered.assets.len() as u64 + stats.unreadable_assets;
        tally.assets.failed = stats.unreadable_assets;
    });
    tracing::info!(
        rows = stats.rows,
        partner_rows = stats.partner_rows,
        foreign_rows = stats.foreign_rows,
        duplicate_rows = stats.duplicate_rows,
        partner_assets = stats.partner_assets,
        assets = gathered.assets.len(),
        size_bytes,
        "video report read"
    );
    Ok(gathered)
}

/// Refuses a report that nobody has delivered anew for too long; one from the future only says that a clock is wrong.
fn check_age(cleanup: &Cleanup, context: &Context<Tally>, modified: jiff::Timestamp) -> anyhow::Result<()> {
    let age = context.info.started_at.duration_since(modified);
    if age.is_negative() {
        tracing::warn!(%modified, "the video report is from the future: a clock is wrong");
        return Ok(());
    }
    if age.unsigned_abs() > cleanup.max_report_age {
        let message = format!(
            "{}: the report is of {modified}, {} days old (the limit is {} days): see why none was delivered since, and \
             lift the limit with --max-report-age",
            cleanup.report,
            age.as_secs() / 86_400,
            cleanup.max_report_age.as_secs() / 86_400
        );
        return Err(Ended::new(Exit::InputRefused, message).into());
    }
    Ok(())
}
