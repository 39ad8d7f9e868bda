//! Weeks of claims reports, made up from a seed, with the truth about what must be made of them.
//!
//! A catalogue of assets, their videos and the claims on other people's, as YouTube's reports show it week after week;
//! besides, the files of other platforms and rights records. Everything follows from the seed and the place of a thing,
//! so rows are written as they are made and a large catalogue needs no more memory than a small one, but for the rows of
//! `changes.csv`, which come in an order of their own.
//!
//! Below the folder that is given: `<monday>/` with `claims.csv`, `assets.csv`, `videos.csv`, `conflicts.csv`,
//! `rights.csv` and `analytics/`: a file in the normal form for each platform, and Spotify's as Spotify exports it;
//! `partners.csv`, the partner channels in the form of the channel sheet; `truth/<monday>.changes.csv`, byte for byte what
//! `changes.csv` must be; `truth/findings.json`; and `truth/live.csv`, the videos as the Data API has them some days later.
//!
//! What happens in the weeks (`cast.rs`) needs eight of them and some hundreds of assets; in fewer nothing happens.

mod calendar;
mod cast;
mod changes;
mod claim;
mod columns;
mod dice;
mod findings;
mod live;
mod model;
mod open_claims;
mod plan;
mod platforms;
mod reports;
mod series;
mod sheet;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Date;

pub(crate) use calendar::{begin_of, days_after};
pub use cast::Finding;
pub(crate) use live::read as read_live;

use crate::weeks::changes::{Changes, Reported};
use crate::weeks::findings::Findings;
use crate::weeks::live::Live;
use crate::weeks::model::Asset;
use crate::weeks::plan::Plan;
use crate::weeks::platforms::Platforms;
use crate::weeks::reports::{Gains, Reports};
use crate::weeks::sheet::Sheet;
use crate::world::StoredChannel;
use crate::youtube::ClaimRecord;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that is random follows from it.
    pub seed: u64,
    /// How many weeks.
    pub weeks: usize,
    /// How many assets.
    pub assets: u64,
    /// Rows of the video report per asset, on average and at least one.
    pub videos_per_asset: u64,
    /// Rows of the claim report per asset, on average; the cast has more.
    pub claims_per_asset: u64,
    /// The Monday of the last week.
    pub last_week: Date,
    /// The moment for which disputes are near their end; none for noon two days after the last week.
    pub now: Option<Timestamp>,
    /// Whether in one of the weeks all reports say everything twice and in another two break off.
    pub report_faults: bool,
    /// The week (from 1) that has no reports; neither the first nor the last.
    pub missing_week: Option<usize>,
}

impl Options {
    /// Ten weeks of 1,200 assets that end with this one.
    pub fn ending(last_week: Date) -> Self {
        Self {
            seed: 1,
            weeks: 10,
            assets: 1_200,
            videos_per_asset: 3,
            claims_per_asset: 8,
            last_week,
            now: None,
            report_faults: false,
            missing_week: None,
        }
    }

    /// The same, ending with the last week that is over now, and with disputes that are near their end now.
    pub fn until_now() -> Result<Self> {
        let now = crate::clock::now();
        Ok(Self { now: Some(now), ..Self::ending(calendar::last_complete_week(now)?) })
    }
}

/// Where the files of one week are.
#[derive(Debug, Clone)]
pub struct WeekFiles {
    /// The week's first day.
    pub monday: Date,
    /// The folder of the files.
    pub dir: PathBuf,
    /// `content_owner_active_claims_a3`.
    pub claims: PathBuf,
    /// `content_owner_asset_a3`.
    pub assets: PathBuf,
    /// `content_owner_video_metadata_a3`, version 1.4.
    pub videos: PathBuf,
    /// `content_owner_asset_conflict_a3`.
    pub conflicts: PathBuf,
    /// The folder of the platform files.
    pub analytics: PathBuf,
    /// The rights records.
    pub rights: PathBuf,
    /// What the week's `changes.csv` must be; of the first week the header alone.
    pub changes: PathBuf,
}

impl WeekFiles {
    fn below(dir: &Path, monday: Date) -> Self {
        let week = dir.join(monday.to_string());
        Self {
            monday,
            claims: week.join("claims.csv"),
            assets: week.join("assets.csv"),
            videos: week.join("videos.csv"),
            conflicts: week.join("conflicts.csv"),
            analytics: week.join("analytics"),
            rights: week.join("rights.csv"),
            changes: dir.join("truth").join(format!("{monday}.changes.csv")),
            dir: week,
        }
    }

    /// Spotify's songs of the week, whose name tells its last day.
    pub fn spotify(&self) -> Result<PathBuf> {
        let sunday = days_after(self.monday, 6)?;
        Ok(self.analytics.join(format!("label-songs-{sunday}.csv")))
    }
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Weeks {
    /// The folder of it all.
    pub dir: PathBuf,
    /// The weeks that have reports, the oldest first.
    pub weeks: Vec<WeekFiles>,
    /// The partner channels, as the database must have them.
    pub partners: Vec<StoredChannel>,
    /// The same as a channel sheet.
    pub partners_path: PathBuf,
    /// What must, or may, be found.
    pub findings: Vec<Finding>,
    /// The same as JSON.
    pub findings_path: PathBuf,
    /// The claims that are open in the last week, as the partner API has them.
    pub open_claims: Vec<ClaimRecord>,
    /// The videos of the last video report as they are some days later, by the Data API: a sheet.
    pub live_path: PathBuf,
}

/// The files of one week, being written.
struct Writers {
    week: usize,
    reports: Reports,
    platforms: Platforms,
    changes: Changes,
}

/// Writes the weeks below a folder.
pub fn generate(options: &Options, dir: &Path) -> Result<Weeks> {
    let plan = Plan::new(options)?;
    fs::create_dir_all(dir.join("truth"))?;
    let files = plan.mondays.iter().map(|monday| WeekFiles::below(dir, *monday));
    let files: Vec<(usize, WeekFiles)> =
        files.enumerate().filter(|(week, _)| plan.missing != Some(*week)).collect();
    let mut writers = Vec::new();
    for (week, files) in &files {
        fs::create_dir_all(&files.dir)?;
        writers.push(Writers {
            week: *week,
            reports: Reports::create(*week, files)?,
            platforms: Platforms::create(*week, files)?,
            changes: Changes::default(),
        });
    }
    let mut findings = Findings::new(&plan);
    let mut open_claims = Vec::new();
    let live_path = dir.join("truth").join("live.csv");
    let mut live = Live::create(&live_path)?;
    for number in 0..plan.assets {
        let mut asset = Asset::make(&plan, number);
        findings.add(&asset);
        write_asset(&plan, &mut asset, &mut writers)?;
        open_claims.extend(open_claims::of(&plan, &asset));
        live.write(&plan, &asset)?;
    }
    live.finish()?;
    for (writer, (_, files)) in writers.into_iter().zip(&files) {
        writer.reports.finish()?;
        writer.platforms.finish()?;
        writer.changes.write(&files.changes)?;
    }
    let findings = findings.finish();
    let findings_path = dir.join("truth").join("findings.json");
    fs::write(&findings_path, serde_json::to_vec_pretty(&findings)?)?;
    let partners_path = dir.join("partners.csv");
    Ok(Weeks {
        dir: dir.to_owned(),
        weeks: files.into_iter().map(|(_, files)| files).collect(),
        partners: write_partners(&plan, &partners_path)?,
        partners_path,
        findings,
        findings_path,
        open_claims,
        live_path,
    })
}

/// Leads an asset through the weeks.
fn write_asset(plan: &Plan, asset: &mut Asset, writers: &mut [Writers]) -> Result<()> {
    let mut writers = writers.iter_mut().peekable();
    let mut before: Option<Reported> = None;
    let mut is_first = true;
    for week in 0..plan.weeks {
        let is_there = asset.weeks.contains(&week);
        let mut gains = Gains::default();
        if is_there {
            for claim in &mut asset.claims {
                let views = claim.series.add_week(week);
                gains.add(views, claim.series.engaged);
            }
        }
        // The counters go on in a week without reports.
        let Some(writer) = writers.next_if(|writer| writer.week == week) else { continue };
        let now = if is_there {
            if asset.is_track() {
                writer.platforms.write(plan, asset)?;
            }
            Some(writer.reports.write(plan, asset, gains)?)
        } else {
            None
        };
        // The first week has nothing to be compared with.
        if !is_first {
            writer.changes.compare(asset, before.as_ref(), now.as_ref());
        }
        (before, is_first) = (now, false);
    }
    Ok(())
}

fn write_partners(plan: &Plan, path: &Path) -> Result<Vec<StoredChannel>> {
    let mut sheet = Sheet::create(path, &["channelID", "customID", "displayName"])?;
    let mut partners = Vec::new();
    for channel in &plan.channels {
        sheet.texts([&channel.id, &channel.custom_id, &channel.name]).end(1)?;
        partners.push(StoredChannel {
            id: channel.id.clone(),
            channel_id: channel.id.clone(),
            custom_id: Some(channel.custom_id.clone()),
            display_name: Some(channel.name.clone()),
        });
    }
    sheet.finish()?;
    Ok(partners)
}
