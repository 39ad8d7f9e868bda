//! `drift`: where the channel sheet, the database and the CMS differ, and whether that grows. Nothing is written but
//! the counts, for the next run to compare with.

use std::sync::Arc;

use anyhow::Context as _;
use dn_core::store::{self, Condition, ObjectReader};
use dn_core::task::{Context, Ended, Exit, InputError, clock};
use dn_core::youtube::content_id::ASSETS_PER_READ;
use dn_domain::channel_sheet::{self, ChannelSheet};
use dn_domain::cleanup_plan::AssetEntry;
use dn_domain::drift::{AssetDriftCounts, ChannelDriftCounts, Drift};
use dn_domain::id::AssetId;
use dn_domain::partner_channels::{Filter, PartnerChannels};
use dn_domain::printable::printable;
use dn_domain::video_report::ReportLine;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Answer;
use crate::job::{Job, live};
use crate::{Cleanup, Tally, gather};

/// Where the counts of every comparison are kept.
const FOLDER: &str = "cms-customid-cleanup/drift/";
/// No counts are near this.
const MAX_COUNTS_BYTES: u64 = 64 * 1024;
/// So many earlier comparisons are looked at for one with the same filter.
const LOOKED_BACK: usize = 50;
/// So many differences stand in the text for people.
const ROWS_SHOWN: usize = 20;

/// What a comparison leaves behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    run_id: String,
    at: String,
    filter_target: String,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    channels: ChannelDriftCounts,
    assets: AssetDriftCounts,
}

/// Compares, keeps the counts, and answers.
pub(crate) async fn drift(cleanup: &Cleanup, context: &Context<Tally>, csv: &str) -> anyhow::Result<Exit> {
    let target = cleanup.filter_target.trim();
    let sheet = read_sheet(context, csv).await?;
    let appsync = cleanup.connect_graphql(context)?;
    let records = appsync.list_channels().await.context("the partner channels could not be listed")?;
    let mut drift = Drift::of_channels(&sheet, &records, target);
    let partners = Arc::new(PartnerChannels::build(&records));
    match partners.filter(target) {
        Ok(filter) => {
            let mut job = cleanup.job(context).await?;
            let compared = compare_assets(&mut job, &partners, filter, &mut drift).await;
            job.finish().await?;
            compared?;
        }
        // A channel of the sheet that the database does not have is what is looked for here, and has no assets yet.
        Err(_) if drift.channels != ChannelDriftCounts::default() => {}
        Err(error) => {
            return Err(Ended::new(Exit::Usage, format!("--filter-target (FILTER_TARGET): {error}")).into());
        }
    }
    let before = previous(context, target).await?;
    let now = Kept {
        run_id: context.info.run_id.clone(),
        at: clock::event_time(context.info.started_at),
        filter_target: target.to_owned(),
        counts: Counts { channels: drift.channels, assets: drift.assets },
    };
    if !context.info.dry_run {
        let key = format!("{FOLDER}{}.json", now.run_id);
        context.store()?.put(&key, serde_json::to_vec_pretty(&now)?.into(), Condition::None).await?;
    }
    let rejects: Vec<_> = sheet
        .rejects
        .iter()
        .map(|reject| json!({"line": reject.line, "code": reject.code, "reason": reject.reason}))
        .collect();
    let text = text(&now, before.as_ref(), &drift, &sheet, context.tally().rejected_rows);
    let fields = json!({
        "filterTarget": target,
        "csvUri": csv,
        "reportUri": cleanup.report,
        "counts": now.counts,
        "previous": before,
        "differences": drift.differences,
        "sheetRejects": rejects,
    });
    context.count(|tally| tally.answer = Some(Arc::new(Answer { fields, text })));
    let somebody_must_look = !sheet.rejects.is_empty() || context.tally().rejected_rows > 0;
    Ok(if somebody_must_look { Exit::RowsFailed } else { Exit::Done })
}

async fn read_sheet(context: &Context<Tally>, csv: &str) -> anyhow::Result<ChannelSheet> {
    let reader = store::open_read(csv, &context.aws).await.map_err(InputError)?;
    let name = csv.to_owned();
    let read = tokio::task::spawn_blocking(move || channel_sheet::read(&name, reader.into_sync_read()));
    let sheet = read.await??;
    for reject in &sheet.rejects {
        tracing::warn!(line = reject.line, code = reject.code, reason = reject.reason, "row rejected");
    }
    Ok(sheet)
}

/// Reads the live value of every partner asset of the report, 50 at a time, and compares.
async fn compare_assets(
    job: &mut Job<'_>,
    partners: &Arc<PartnerChannels>,
    filter: Filter,
    drift: &mut Drift,
) -> anyhow::Result<()> {
    let (cleanup, context) = (job.cleanup, job.context);
    let unwatched = |_: &ObjectReader| Ok(|_: &ReportLine<'_>| {});
    let read = gather::read(cleanup, context, partners, &filter, &mut job.rejects, unwatched).await?;
    let gathered = read.gathered;
    let progress = context.progress.step("live values", Some(gathered.assets.len() as u64));
    let content_id = &job.content_id;
    let mut reads = stream::iter(gathered.assets.chunks(ASSETS_PER_READ))
        .map(|chunk: &[AssetEntry]| async move {
            let ids: Vec<AssetId> = chunk.iter().map(|entry| entry.asset_id).collect();
            content_id.live_values(&ids).await.map(|answers| (chunk, answers))
        })
        .buffered(cleanup.youtube.max_in_flight);
    while let Some((chunk, answers)) =
        reads.try_next().await.context("the live custom IDs could not be read")?
    {
        for entry in chunk {
            drift.take_asset(entry, partners, &live(entry.asset_id, answers.get(&entry.asset_id)));
        }
        progress.advance(chunk.len() as u64);
    }
    Ok(())
}

/// The last comparison with the same filter.
async fn previous(context: &Context<Tally>, target: &str) -> anyhow::Result<Option<Kept>> {
    let store = context.store()?;
    for object in store.list(FOLDER).await?.iter().rev().take(LOOKED_BACK) {
        let Some((bytes, _)) = store.get(&object.key, MAX_COUNTS_BYTES).await? else { continue };
        match serde_json::from_slice::<Kept>(&bytes) {
            Ok(kept) if kept.filter_target == target => return Ok(Some(kept)),
            Ok(_) => {}
            Err(error) => tracing::warn!(key = object.key, %error, "counts of an earlier drift passed over"),
        }
    }
    Ok(None)
}

fn text(
    now: &Kept,
    before: Option<&Kept>,
    drift: &Drift,
    sheet: &ChannelSheet,
    rejected_report_rows: u64,
) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{:<10}{:<14}{:>9}{:>9}{:>9}\n", "", "", "now", "before", "change");
    for (row, counted) in lines(&now.counts).into_iter().enumerate() {
        let (subject, name, count) = counted;
        let earlier = before.and_then(|before| lines(&before.counts).get(row).map(|line| line.2));
        let change = earlier.map_or_else(
            || "-".to_owned(),
            |earlier| match i128::from(count) - i128::from(earlier) {
                0 => "=".to_owned(),
                change => format!("{change:+}"),
            },
        );
        let earlier = earlier.map_or_else(|| "-".to_owned(), |earlier| earlier.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{subject:<10}{name:<14}{count:>9}{earlier:>9}{change:>9}");
    }
    let _ = match before {
        Some(before) => {
            writeln!(text, "before: {}, run {}", printable(&before.at), printable(&before.run_id))
        }
        None => writeln!(text, "before: no earlier drift of {} is kept", printable(&now.filter_target)),
    };
    if !drift.differences.is_empty() {
        let _ = writeln!(text, "\n{:<12}{:<8} {:<24} what", "class", "", "id");
    }
    for one in drift.differences.iter().take(ROWS_SHOWN) {
        let subject = match one.subject {
            dn_domain::drift::DriftSubject::Channel => "channel",
            dn_domain::drift::DriftSubject::Asset => "asset",
        };
        let id = printable(&one.id);
        let _ = writeln!(text, "{:<12}{subject:<8} {id:<24} {}", one.class.as_str(), one.detail);
    }
    if let more @ 1.. = drift.differences.len().saturating_sub(ROWS_SHOWN) {
        let _ = writeln!(text, "({more} differences more; all of them with --json)");
    }
    if !sheet.rejects.is_empty() {
        let count = sheet.rejects.len();
        let _ = writeln!(text, "{count} rows of the sheet could not be used: see the log or --json");
    }
    if rejected_report_rows > 0 {
        let _ =
            writeln!(text, "{rejected_report_rows} rows of the report could not be read: see rejects.csv");
    }
    text.push('\n');
    text
}

fn lines(counts: &Counts) -> [(&'static str, &'static str, u64); 11] {
    let Counts { channels, assets } = counts;
    [
        ("channels", "missing", channels.missing),
        ("", "extra", channels.extra),
        ("", "differs", channels.differs),
        ("", "duplicate", channels.duplicate),
        ("", "agree", channels.agree),
        ("", "not compared", channels.not_compared),
        ("assets", "differs", assets.differs),
        ("", "unreachable", assets.unreachable),
        ("", "unset", assets.unset),
        ("", "conflict", assets.conflict),
        ("", "agree", assets.agree),
    ]
}
