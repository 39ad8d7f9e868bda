//! `explain`: one asset or video, from the report's row to what past runs did to it. Nothing is written.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use dn_core::store::ObjectReader;
use dn_core::task::{Context, Exit};
use dn_core::youtube::content_id::{ASSETS_PER_READ, LiveAnswer};
use dn_domain::cleanup_plan::{AssetEntry, Decision, decide, decide_from_report};
use dn_domain::id::{AssetId, VideoId};
use dn_domain::partner_channels::{Filter, PartnerChannels, PartnerIndex, PartnerState};
use dn_domain::printable::printable;
use dn_domain::video_report::{ReportLine, VideoRow};
use serde::Serialize;
use serde_json::json;

use crate::answer::Answer;
use crate::gather::ReportRead;
use crate::job::live;
use crate::past_runs::{self, PastRuns};
use crate::rejects::Rejects;
use crate::{Cleanup, Tally, gather};

/// So many rows of the report are kept; one asset may stand in thousands.
const ROWS_KEPT: usize = 100;

/// The id that is asked about. Eleven characters may be a video or an asset of the old kind: both are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    text: String,
    asset: Option<AssetId>,
    video: Option<VideoId>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (asset, video) = (AssetId::parse(text).ok(), VideoId::parse(text).ok());
        if asset.is_none() && video.is_none() {
            return Err(format!(
                "\"{}\" is neither an asset ID (A and 15 or 16 digits) nor a video ID (11 characters of A-Z a-z 0-9 _ -)",
                printable(text)
            ));
        }
        Ok(Self { text: text.to_owned(), asset, video })
    }
}

impl Wanted {
    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an asset with these videos is asked about.
    pub fn is_meant_by(&self, asset: AssetId, videos: &[VideoId]) -> bool {
        self.asset == Some(asset) || self.video.is_some_and(|video| videos.contains(&video))
    }
}

/// A row of the report that mentions the id, for each of its assets.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mention {
    record: u64,
    line: u64,
    video_id: Option<String>,
    channel_id: Option<String>,
    is_partner: bool,
    asset_id: Option<String>,
    /// Empty where the report says so; none where it does not tell.
    reported_custom_id: Option<String>,
    /// Why the row cannot be used.
    problem: Option<String>,
}

/// Gathers the mentions while the report streams by.
struct Mentions {
    wanted: Wanted,
    partners: Arc<PartnerChannels>,
    rows: Vec<Mention>,
    count: u64,
    assets: Vec<AssetId>,
}

impl Mentions {
    fn note(&mut self, line: &ReportLine<'_>) {
        let id = self.wanted.text.clone();
        match line {
            ReportLine::Row(row) => {
                let video = row.video_id();
                let all = video.as_ref().is_ok_and(|video| self.wanted.video == Some(*video));
                let before = self.count;
                for (asset, reported) in row.assets().filter(|(asset, _)| all || *asset == id.as_bytes()) {
                    if let Ok(asset) = AssetId::parse_bytes(asset)
                        && !self.assets.contains(&asset)
                    {
                        self.assets.push(asset);
                    }
                    let mention = self.mention(row, Some(asset), reported);
                    self.add(mention);
                }
                if all && self.count == before {
                    let mention = self.mention(row, None, None);
                    self.add(mention);
                }
            }
            ReportLine::Bad(row) => {
                if row.cells().iter().any(|cell| cell.trim_ascii() == id.as_bytes()) {
                    let problem = Some(row.reason.clone());
                    self.add(Mention {
                        record: row.record(),
                        line: row.line(),
                        problem,
                        ..Mention::default()
                    });
                }
            }
        }
    }

    fn mention(&self, row: &VideoRow<'_>, asset: Option<&[u8]>, reported: Option<&[u8]>) -> Mention {
        let (video_id, problem) = match row.video_id() {
            Ok(video) => (video.as_str().to_owned(), None),
            Err(error) => (error.value.clone(), Some(error.to_string())),
        };
        Mention {
            record: row.record(),
            line: row.line(),
            video_id: Some(video_id),
            channel_id: Some(printable(row.channel_id_bytes())),
            is_partner: self.partners.get(row.channel_id_bytes()).is_some(),
            asset_id: asset.map(printable),
            reported_custom_id: reported.map(printable),
            problem,
        }
    }

    fn add(&mut self, mention: Mention) {
        self.count += 1;
        if self.rows.len() < ROWS_KEPT {
            self.rows.push(mention);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedAsset {
    asset_id: AssetId,
    /// Of the asset's first row by a partner channel.
    partner_channel: Option<ExplainedChannel>,
    /// By which partner channels have it.
    videos: Vec<ExplainedVideo>,
    live: ExplainedLive,
    decision: ExplainedDecision,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedChannel {
    channel_id: String,
    custom_id: Option<String>,
    display_name: Option<String>,
    /// Why it is left out, if it is.
    left_out: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedVideo {
    video_id: VideoId,
    channel_id: String,
    record: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedLive {
    /// `found`, `merged` or `gone`.
    state: &'static str,
    custom_id: Option<String>,
    asset_type: Option<String>,
    merged_into: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedDecision {
    /// `update`, `already_right`, `skipped`, `conflict`, `failed`, or `none`.
    kind: &'static str,
    reason: Option<String>,
    detail: String,
    /// What a run decides it by: `report` or `live`.
    decided_by: Option<&'static str>,
    old: Option<String>,
    new: Option<String>,
}

/// Finds out everything about the id and answers.
pub(crate) async fn explain(
    cleanup: &Cleanup,
    context: &Context<Tally>,
    wanted: &Wanted,
) -> anyhow::Result<Exit> {
    let partners = cleanup.partners(context).await?;
    let filter = gather::filter(cleanup, &partners)?;
    let none_yet = || Mentions {
        wanted: wanted.clone(),
        partners: Arc::clone(&partners),
        rows: Vec::new(),
        count: 0,
        assets: Vec::new(),
    };
    let mentions = Arc::new(Mutex::new(none_yet()));
    let watch = |_: &ObjectReader| {
        *mentions.lock().unwrap_or_else(PoisonError::into_inner) = none_yet();
        let noted = Arc::clone(&mentions);
        Ok(move |line: &ReportLine<'_>| noted.lock().unwrap_or_else(PoisonError::into_inner).note(line))
    };
    // The whole report, so that a conflict with a channel outside the filter is seen. Its rejects are not this
    // command's to keep.
    let mut rejects = Rejects::begin();
    let ReportRead { gathered, modified: reported_at, .. } =
        gather::read(cleanup, context, &partners, &Filter::all(), &mut rejects, watch).await?;
    let (rows, row_count, mut ids) = {
        let mut noted = mentions.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut noted.rows), noted.count, std::mem::take(&mut noted.assets))
    };
    let past = past_runs::search(context, wanted).await?;
    // An id of eleven characters that the report does not know may be a video; any other is an asset.
    if let (Some(asset), None) = (wanted.asset, wanted.video)
        && !ids.contains(&asset)
    {
        ids.push(asset);
    }
    let job = cleanup.job(context).await?;
    let mut answers: HashMap<AssetId, LiveAnswer> = HashMap::new();
    for chunk in ids.chunks(ASSETS_PER_READ) {
        let read = job.content_id.live_values(chunk).await;
        answers.extend(read.context("the live custom IDs could not be read")?);
    }
    job.finish().await?;
    let assets: Vec<ExplainedAsset> = ids
        .iter()
        .map(|id| {
            let entry = gathered.assets.iter().find(|entry| entry.asset_id == *id);
            let answer = answers.get(id);
            let decision = match entry {
                Some(entry) => decide_for(cleanup, &partners, &filter, entry, answer),
                None => without_entry(*id, &rows),
            };
            ExplainedAsset {
                asset_id: *id,
                partner_channel: entry.map(|entry| channel(&partners, entry.channel())),
                videos: entry.map_or_else(Vec::new, |entry| videos(&partners, entry)),
                live: live_value(answer),
                decision,
            }
        })
        .collect();
    let text = text(cleanup, wanted, row_count, &rows, &assets, &past);
    let fields = json!({
        "id": wanted.text,
        "policy": cleanup.policy.to_string(),
        "reportUri": cleanup.report,
        "reportModified": reported_at.map(|at| at.to_string()),
        "rowCount": row_count,
        "rows": rows,
        "assets": assets,
        "pastRuns": past,
    });
    context.count(|tally| tally.answer = Some(Arc::new(Answer { fields, text })));
    Ok(Exit::Done)
}

fn channel(partners: &PartnerChannels, index: PartnerIndex) -> ExplainedChannel {
    let partner = partners.channel(index);
    ExplainedChannel {
        channel_id: partner.channel_id.to_string(),
        custom_id: partner.target().map(ToString::to_string),
        display_name: partner.display_name.clone(),
        left_out: match &partner.state {
            PartnerState::LeftOut(why) => Some(why.to_string()),
            PartnerState::Usable(_) => None,
        },
    }
}

fn videos(partners: &PartnerChannels, entry: &AssetEntry) -> Vec<ExplainedVideo> {
    let videos = entry.videos().take(ROWS_KEPT).map(|video| ExplainedVideo {
        video_id: video.video_id,
        channel_id: partners.channel(video.channel).channel_id.to_string(),
        record: video.record,
    });
    videos.collect()
}

fn live_value(answer: Option<&LiveAnswer>) -> ExplainedLive {
    let none = ExplainedLive { state: "gone", custom_id: None, asset_type: None, merged_into: None };
    match answer {
        Some(LiveAnswer::Found { asset_type, custom_id, .. }) => ExplainedLive {
            state: "found",
            custom_id: custom_id.clone(),
            asset_type: asset_type.clone(),
            ..none
        },
        Some(LiveAnswer::Merged { into }) => {
            ExplainedLive { state: "merged", merged_into: Some(into.clone()), ..none }
        }
        Some(LiveAnswer::Gone) | None => none,
    }
}

/// What a run decides about the asset, and by what: the report first, as a run does.
fn decide_for(
    cleanup: &Cleanup,
    partners: &PartnerChannels,
    filter: &Filter,
    entry: &AssetEntry,
    answer: Option<&LiveAnswer>,
) -> ExplainedDecision {
    if !entry.videos().any(|video| filter.contains(video.channel)) {
        return nothing("outside_filter", "its channel is outside --filter-target");
    }
    let by_report = decide_from_report(entry, partners, cleanup.policy);
    let decided_by = if by_report.is_some() { "report" } else { "live" };
    let decision =
        by_report.unwrap_or_else(|| decide(entry, partners, cleanup.policy, &live(entry.asset_id, answer)));
    let explained = |kind, reason: Option<&str>, detail: String| ExplainedDecision {
        kind,
        reason: reason.map(str::to_owned),
        detail,
        decided_by: Some(decided_by),
        old: None,
        new: None,
    };
    match decision {
        Decision::Update(update) => {
            let why = match update.reason {
                "empty" => "it has no custom ID",
                "default_video_id" => "its custom ID is YouTube's default, a video ID of its own",
                _ => "its custom ID differs from the channel's, and the policy is enforce",
            };
            let decision = explained("update", Some(update.reason), why.to_owned());
            ExplainedDecision { old: update.old, new: Some(update.new.to_string()), ..decision }
        }
        Decision::AlreadyRight => {
            explained("already_right", None, "it carries its channel's custom ID".to_owned())
        }
        Decision::Skipped { reason } => {
            let detail = "somebody set its custom ID; only --policy enforce replaces it";
            explained("skipped", Some(reason), detail.to_owned())
        }
        Decision::Conflict { reason, detail } => explained("conflict", Some(reason), detail),
        Decision::Reject { code, reason } => explained("failed", Some(code), reason),
    }
}

fn without_entry(id: AssetId, rows: &[Mention]) -> ExplainedDecision {
    let mut of_it = rows.iter().filter(|row| row.asset_id.as_deref() == Some(id.as_str())).peekable();
    if of_it.peek().is_none() {
        return nothing("not_in_report", "no row of the report that can be read mentions it");
    }
    if of_it.any(|row| row.is_partner) {
        let detail = "no row of it by a partner channel has a readable video ID".to_owned();
        return ExplainedDecision { kind: "failed", detail, ..nothing("video_id_invalid", "") };
    }
    nothing("not_partner", "no partner channel has a video of it")
}

fn nothing(reason: &str, detail: &str) -> ExplainedDecision {
    ExplainedDecision {
        kind: "none",
        reason: Some(reason.to_owned()),
        detail: detail.to_owned(),
        decided_by: None,
        old: None,
        new: None,
    }
}

/// So many rows stand in the text for people.
const ROWS_SHOWN: usize = 20;

fn text(
    cleanup: &Cleanup,
    wanted: &Wanted,
    row_count: u64,
    rows: &[Mention],
    assets: &[ExplainedAsset],
    past: &PastRuns,
) -> String {
    use std::fmt::Write as _;
    // Writing to a String cannot fail.
    let mut text = format!("{}\n\nreport {}\n", wanted.text, printable(&cleanup.report));
    if rows.is_empty() {
        text.push_str("  the report does not know it\n");
    }
    let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for row in rows.iter().take(ROWS_SHOWN) {
        if let (None, Some(problem)) = (&row.video_id, &row.problem) {
            let _ = writeln!(text, "  row {} (line {}): not usable: {problem}", row.record, row.line);
            continue;
        }
        let kind = if row.is_partner { "partner" } else { "no partner" };
        let reported = match row.reported_custom_id.as_deref() {
            None => "unknown".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => value.to_owned(),
        };
        let _ = writeln!(
            text,
            "  row {} (line {}): video {}, channel {} ({kind}), asset {}, reported custom ID {reported}",
            row.record,
            row.line,
            cell(&row.video_id),
            cell(&row.channel_id),
            cell(&row.asset_id)
        );
    }
    if row_count > ROWS_SHOWN as u64 {
        let _ = writeln!(text, "  ({row_count} rows in all)");
    }
    if !rows.is_empty() && assets.is_empty() {
        text.push_str("  the video has no asset: there is nothing to set\n");
    }
    for asset in assets {
        asset_text(&mut text, cleanup, asset);
    }
    let _ = writeln!(text, "\npast runs ({} with a plan looked through)", past.searched_count);
    if past.writes.is_empty() {
        text.push_str("  none planned a write to it\n");
    }
    for write in &past.writes {
        let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "empty".to_owned(), printable);
        let failure = match (&write.code, &write.outcome_reason) {
            (Some(code), Some(reason)) => format!(" ({code}: {})", printable(reason)),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "  {} {} {}: {} -> {} ({}): {}{failure}",
            write.run_id,
            cell(&write.command),
            write.asset_id,
            shown(&write.old),
            shown(&write.new),
            printable(&write.reason),
            printable(&write.outcome)
        );
    }
    text
}

fn asset_text(text: &mut String, cleanup: &Cleanup, asset: &ExplainedAsset) {
    use std::fmt::Write as _;
    let _ = writeln!(text, "\nasset {}", asset.asset_id);
    if let Some(channel) = &asset.partner_channel {
        let name = channel.display_name.as_deref().map(printable).unwrap_or_default();
        let custom_id = match (&channel.custom_id, &channel.left_out) {
            (Some(custom_id), _) => format!("custom ID {custom_id}"),
            (None, why) => format!("left out: {}", why.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(text, "  partner channel  {} {name} ({custom_id})", channel.channel_id);
    }
    let live = match (asset.live.state, &asset.live.custom_id, &asset.live.merged_into) {
        ("found", None, _) => "empty".to_owned(),
        ("found", Some(value), _) => printable(value),
        (_, _, Some(into)) => format!("none: merged into {}", printable(into)),
        _ => "none: YouTube does not know the asset for this content owner".to_owned(),
    };
    let _ = writeln!(text, "  live custom ID   {live}");
    let ExplainedDecision { kind, reason, detail, decided_by, old, new } = &asset.decision;
    let reason = reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let by = decided_by.map(|by| format!(", by the {by} value")).unwrap_or_default();
    let _ = writeln!(text, "  decision         {kind}{reason} (policy {}{by}): {detail}", cleanup.policy);
    if let Some(new) = new {
        let old = old.as_deref().map_or_else(|| "empty".to_owned(), printable);
        let _ = writeln!(text, "                   {old} -> {new}");
    }
}
