//! How the counts read: one JSON object for programs, text for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dn_core::task::{End, Report, RunInfo, clock};
use dn_domain::asset_report::AssetCounts;
use dn_domain::claim_report::ClaimCounts;
use dn_domain::printable::printable;
use serde_json::{Value, json};

use crate::counts::VideoCounts;

/// The most lines of one table in the text; the JSON has them all.
const SHOWN: usize = 20;

/// What has been counted so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The claim report.
    pub claims: Option<Counted<ClaimCounts>>,
    /// The asset report.
    pub assets: Option<Counted<AssetCounts>>,
    /// The video report.
    pub videos: Option<Counted<VideoCounts>>,
}

/// A report that was read to its end.
#[derive(Debug, Clone)]
pub struct Counted<C> {
    /// As it was asked for.
    pub uri: String,
    /// Which version of it.
    pub etag: Option<String>,
    /// Its size as it lies there.
    pub size_bytes: Option<u64>,
    /// When it was last written.
    pub modified: Option<jiff::Timestamp>,
    /// What it holds.
    pub counts: C,
}

/// Makes the report of an end.
pub(crate) fn report(run: &RunInfo, tally: &Tally, end: &End) -> Report {
    let claims = tally.claims.as_ref().map(|claims| {
        let ClaimCounts { claims: count, bad_rows, by_status, by_type, by_channel } = &claims.counts;
        source(
            claims,
            &json!({
                "claimCount": count, "badRowCount": bad_rows,
                "byStatus": by_status, "byType": by_type, "byChannel": numbers(by_channel),
            }),
        )
    });
    let assets = tally.assets.as_ref().map(|assets| {
        let AssetCounts { assets: count, bad_rows, by_type, active_claims } = &assets.counts;
        source(assets, &json!({
            "assetCount": count, "badRowCount": bad_rows, "activeClaimCount": active_claims, "byType": by_type,
        }))
    });
    let videos = tally.videos.as_ref().map(|videos| {
        let VideoCounts { rows, bad_rows, rows_with_asset, by_status, by_type, by_channel } = &videos.counts;
        source(
            videos,
            &json!({
                "rowCount": rows, "badRowCount": bad_rows, "rowsWithAssetCount": rows_with_asset,
                "byStatus": by_status, "byType": by_type, "byChannel": numbers(by_channel),
            }),
        )
    });
    let summary = json!({
        "status": if end.exit.is_finished() { "success" } else { "failed" },
        "claims": claims,
        "assets": assets,
        "videos": videos,
        "error": end.error,
        "exitCode": end.exit.code(),
        "durationMs": run.duration_ms,
        "timestamp": clock::event_time(run.ended_at),
    });
    let text = if end.exit.is_finished() { text(tally) } else { String::new() };
    Report { summary, text, event: None, counts: metric_counts(tally) }
}

/// A report's own particulars and what it holds, in one object.
fn source<C>(counted: &Counted<C>, held: &Value) -> Value {
    let mut object = json!({
        "uri": counted.uri,
        "etag": counted.etag,
        "sizeBytes": counted.size_bytes,
        "modified": counted.modified.map(clock::event_time),
    });
    if let (Some(object), Some(held)) = (object.as_object_mut(), held.as_object()) {
        object.extend(held.clone());
    }
    object
}

fn numbers<K: ToString>(counts: &BTreeMap<K, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(key, count)| (key.to_string(), *count)).collect()
}

fn text(tally: &Tally) -> String {
    let mut text = String::new();
    if let Some(claims) = &tally.claims {
        let counts = &claims.counts;
        heading(
            &mut text,
            "claim report",
            &claims.uri,
            &[("claims", counts.claims), ("rows passed over", counts.bad_rows)],
        );
        table(&mut text, "status", &counts.by_status);
        table(&mut text, "type", &counts.by_type);
        table(&mut text, "channel", &numbers(&counts.by_channel));
    }
    if let Some(assets) = &tally.assets {
        let counts = &assets.counts;
        let figures = [
            ("assets", counts.assets),
            ("active claims", counts.active_claims),
            ("rows passed over", counts.bad_rows),
        ];
        heading(&mut text, "asset report", &assets.uri, &figures);
        table(&mut text, "type", &counts.by_type);
    }
    if let Some(videos) = &tally.videos {
        let counts = &videos.counts;
        let figures = [
            ("rows", counts.rows),
            ("rows with an asset", counts.rows_with_asset),
            ("rows passed over", counts.bad_rows),
        ];
        heading(&mut text, "video report", &videos.uri, &figures);
        table(&mut text, "privacy status", &counts.by_status);
        table(&mut text, "content type", &counts.by_type);
        table(&mut text, "channel", &numbers(&counts.by_channel));
    }
    text
}

fn heading(text: &mut String, kind: &str, uri: &str, figures: &[(&str, u64)]) {
    let figures: Vec<String> = figures.iter().map(|(what, count)| format!("{what} {count}")).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{kind} {}: {}", printable(uri), figures.join(", "));
}

/// The largest counts first, equal ones by name.
fn table(text: &mut String, title: &str, counts: &BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let _ = match rows.len() {
        all if all > SHOWN => writeln!(text, "  by {title}, the first {SHOWN} of {all}:"),
        _ => writeln!(text, "  by {title}:"),
    };
    rows.truncate(SHOWN);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, count) in rows {
        let _ = writeln!(text, "    {name:<width$} {count:>10}");
    }
}

fn metric_counts(tally: &Tally) -> Vec<(&'static str, u64)> {
    let bad_rows = [
        tally.claims.as_ref().map(|claims| claims.counts.bad_rows),
        tally.assets.as_ref().map(|assets| assets.counts.bad_rows),
        tally.videos.as_ref().map(|videos| videos.counts.bad_rows),
    ];
    vec![
        ("ClaimCount", tally.claims.as_ref().map_or(0, |claims| claims.counts.claims)),
        ("AssetCount", tally.assets.as_ref().map_or(0, |assets| assets.counts.assets)),
        ("VideoRowCount", tally.videos.as_ref().map_or(0, |videos| videos.counts.rows)),
        ("BadRowCount", bad_rows.into_iter().flatten().sum()),
    ]
}
