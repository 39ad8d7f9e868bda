//! What a run remembers of earlier ones: which events were served, which assets failed, how large the inputs were.

use std::collections::HashSet;

use dn_core::store::{Condition, Store};
use dn_core::task::{Context, Ended, Exit, RunInfo};
use dn_domain::cleanup_plan::{Gathered, Policy};
use dn_domain::id::AssetId;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Tally;

const COMPLETED: &str = "cms-customid-cleanup/last-completed.json";
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);
const FAILED: &str = "cms-customid-cleanup/failed.json";
const SIZES: &str = "cms-customid-cleanup/last-full-run.json";
/// A million assets that failed are fewer bytes.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    event_id: String,
    run_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    run_id: String,
    assets: Vec<AssetId>,
}

/// The last run without a filter that came to its end.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completed {
    run_id: String,
    started_at: Timestamp,
    policy: String,
}

/// How large the inputs of a full run were, before any filter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sizes {
    pub run_id: String,
    pub partner_channels: u64,
    pub report_rows: u64,
}

/// The run that served an event, if one did.
pub(crate) async fn served(context: &Context<Tally>, event_id: &str) -> anyhow::Result<Option<String>> {
    Ok(get::<Served>(context.store()?, &served_key(event_id)).await?.map(|served| served.run_id))
}

/// Remembers that this run served an event.
pub(crate) async fn note_served(context: &Context<Tally>, event_id: &str) -> anyhow::Result<()> {
    let served = Served { event_id: event_id.to_owned(), run_id: context.info.run_id.clone() };
    put(context.store()?, &served_key(event_id), &served).await
}

/// An event's id may be any text: its digest is a file name.
fn served_key(event_id: &str) -> String {
    format!("cms-customid-cleanup/served/{}.json", hex::encode(Sha256::digest(event_id)))
}

/// The run that has gone through everything since an event happened, if one has: then there is nothing left to do for
/// it. A run that began within a minute of the event may have read the database before it, as clocks go.
pub(crate) async fn completed_since(
    context: &Context<Tally>,
    event_at: Timestamp,
    policy: Policy,
) -> anyhow::Result<Option<String>> {
    let Some(last) = get::<Completed>(context.store()?, COMPLETED).await? else { return Ok(None) };
    let is_newer = last.started_at.duration_since(event_at) > CLOCKS_DIFFER;
    Ok((is_newer && last.policy == policy.to_string()).then_some(last.run_id))
}

/// Remembers that this run went through everything.
pub(crate) async fn note_completed(context: &Context<Tally>, policy: Policy) -> anyhow::Result<()> {
    let RunInfo { run_id, started_at, .. } = context.info.clone();
    put(context.store()?, COMPLETED, &Completed { run_id, started_at, policy: policy.to_string() }).await
}

/// Puts what failed in the last run before everything else.
pub(crate) async fn failed_first(context: &Context<Tally>, gathered: &mut Gathered) -> anyhow::Result<()> {
    let Some(failed) = get::<Failed>(context.store()?, FAILED).await? else { return Ok(()) };
    let failed: HashSet<AssetId> = failed.assets.into_iter().collect();
    // A stable sort: within both parts the most viewed stay first.
    gathered.assets.sort_by_key(|entry| !failed.contains(&entry.asset_id));
    Ok(())
}

/// Remembers what failed in this run.
pub(crate) async fn note_failed(context: &Context<Tally>, assets: &[AssetId]) -> anyhow::Result<()> {
    let failed = Failed { run_id: context.info.run_id.clone(), assets: assets.to_vec() };
    put(context.store()?, FAILED, &failed).await
}

/// Stops a run whose inputs have shrunk beyond belief since the last full one: half a partner list or half a report
/// looks like many channels without videos.
pub(crate) async fn check_sizes(context: &Context<Tally>, now: &Sizes, min_ratio: f64) -> anyhow::Result<()> {
    let Some(last) = get::<Sizes>(context.store()?, SIZES).await? else { return Ok(()) };
    for (what, now, before) in [
        ("partner channels", now.partner_channels, last.partner_channels),
        ("rows of the video report", now.report_rows, last.report_rows),
    ] {
        let share = now as f64 / before.max(1) as f64;
        if share < min_ratio {
            let message = format!(
                "there are {now} {what}, and run {} had {before} ({:.0} %, the limit is {:.0} %): see whether the input is \
                 whole, and lift the limit with --min-size-ratio",
                last.run_id,
                100.0 * share,
                100.0 * min_ratio
            );
            return Err(Ended::new(Exit::Guard, message).into());
        }
    }
    Ok(())
}

/// Remembers how large the inputs of this full run were.
pub(crate) async fn note_sizes(context: &Context<Tally>, sizes: &Sizes) -> anyhow::Result<()> {
    put(context.store()?, SIZES, sizes).await
}

async fn get<T: DeserializeOwned>(store: &Store, key: &str) -> anyhow::Result<Option<T>> {
    let Some((bytes, _)) = store.get(key, MAX_BYTES).await? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes).map_err(|error| {
        Ended::new(
            Exit::InputRefused,
            format!("{} cannot be read ({error}): mend or delete it", store.uri(key)),
        )
    })?;
    Ok(Some(read))
}

async fn put<T: Serialize>(store: &Store, key: &str, value: &T) -> anyhow::Result<()> {
    store.put(key, serde_json::to_vec(value)?.into(), Condition::None).await?;
    Ok(())
}
