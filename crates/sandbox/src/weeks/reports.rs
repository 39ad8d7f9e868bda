//! The four reports of one week.

use anyhow::Result;

use crate::weeks::calendar::days_after;
use crate::weeks::changes::Reported;
use crate::weeks::claim::{Claim, State};
use crate::weeks::columns::{ASSETS, CLAIMS, CONFLICTS, ENGAGED_VIEWS};
use crate::weeks::model::Asset;
use crate::weeks::plan::{Channel, Plan};
use crate::weeks::sheet::Sheet;
use crate::weeks::{WeekFiles, dice::count};
use crate::world::REPORT_COLUMNS;

/// Of a report that breaks off so much is there, in hundredths.
const PARTIAL_HUNDREDTHS: u64 = 60;

/// The reports of one week, being written.
pub(super) struct Reports {
    week: usize,
    claims: Sheet,
    assets: Sheet,
    videos: Sheet,
    conflicts: Sheet,
}

/// What a week brought to an asset.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gains {
    pub views: u64,
    pub engaged: u64,
}

impl Gains {
    pub(super) fn add(&mut self, views: u64, engaged_share: f64) {
        self.views += views;
        self.engaged += count(views as f64 * engaged_share);
    }

    fn daily(self, asset: &Asset, week: usize) -> [Option<u64>; 2] {
        // What a report does not say is empty there: mostly never, of some assets in every second week.
        let views = (asset.number % 211 != 41 || week.is_multiple_of(2)).then(|| daily(self.views));
        let engaged = (asset.number % 53 != 40).then(|| daily(self.engaged));
        [views, engaged]
    }
}

fn daily(weekly: u64) -> u64 {
    count(weekly as f64 / 7.0)
}

impl Reports {
    pub(super) fn create(week: usize, files: &WeekFiles) -> Result<Self> {
        let videos: Vec<&str> = REPORT_COLUMNS.into_iter().chain([ENGAGED_VIEWS]).collect();
        Ok(Self {
            week,
            claims: Sheet::create(&files.claims, &CLAIMS)?,
            assets: Sheet::create(&files.assets, &ASSETS)?,
            videos: Sheet::create(&files.videos, &videos)?,
            conflicts: Sheet::create(&files.conflicts, &CONFLICTS)?,
        })
    }

    /// Writes what the week's reports say about an asset, and tells what the claims report must read from them.
    pub(super) fn write(&mut self, plan: &Plan, asset: &Asset, gains: Gains) -> Result<Reported> {
        let week = self.week;
        let is_doubled = plan.report_faults && week == plan.story.reports_doubled;
        let is_partial = plan.report_faults && week == plan.story.reports_partial;
        let times = if is_doubled { 2 } else { 1 };
        let is_cut = is_partial && asset.number * 100 >= plan.assets * PARTIAL_HUNDREDTHS;
        let end = plan.ends.get(week).copied().unwrap_or_default();
        let states: Vec<Option<State>> = asset.claims.iter().map(|claim| claim.state(week, end)).collect();
        let held = states.iter().flatten().filter(|state| **state != State::Released).count() as u64;
        let [views, engaged] = gains.daily(asset, week);
        let mut reported = Reported {
            active_claims: held,
            daily_views: views,
            daily_engaged_views: engaged,
            custom_id: asset.custom_id(plan, week).to_owned(),
            channel: None,
        };
        self.write_asset(plan, asset, &reported, times)?;
        self.write_conflict(plan, asset, &reported, times)?;
        if is_cut {
            return Ok(reported);
        }
        let mut is_settled = false;
        for (claim, state) in asset.claims.iter().zip(states) {
            let Some(state) = state else { continue };
            self.write_claim(plan, asset, claim, state, times)?;
            if claim.is_listed && self.write_video(plan, asset, claim, is_doubled)? {
                // A partner's channel goes before a stranger's, and of strangers the first by its id. The upload is
                // the first of the claims.
                is_settled |= claim.is_upload;
                if claim.is_upload
                    || !is_settled && reported.channel.as_ref().is_none_or(|known| claim.channel < *known)
                {
                    reported.channel = Some(claim.channel.clone());
                }
            }
        }
        Ok(reported)
    }

    fn write_asset(&mut self, plan: &Plan, asset: &Asset, reported: &Reported, times: usize) -> Result<()> {
        let (owner, countries) = asset.conflict(plan, self.week).unwrap_or_default();
        let references = asset.references.join("|");
        self.assets
            .texts([&asset.id, &reported.custom_id, "", &references, ""])
            .known(reported.daily_views)
            .known(reported.daily_engaged_views)
            .known(reported.daily_engaged_views)
            .texts([asset.kind, "weeks", "Partner", "", "", ""])
            .shown(reported.active_claims)
            .texts(["Monetize in all countries", "No", owner, "100% WW", countries])
            .texts([&asset.isrc, &asset.isrc, "", &asset.isrc, "", &asset.upc, &asset.artist])
            .bytes(&asset.title)
            .shown(format_args!("Label {}", asset.channel))
            .end(times)
    }

    fn write_conflict(
        &mut self,
        plan: &Plan,
        asset: &Asset,
        reported: &Reported,
        times: usize,
    ) -> Result<()> {
        let Some((owner, countries)) = asset.conflict(plan, self.week) else { return Ok(()) };
        let first = plan.mondays.first().copied().unwrap_or_default();
        let lifetime = asset.claims.iter().fold((0, 0), |(views, engaged), claim| {
            (views + claim.series.views, engaged + claim.series.engaged_views())
        });
        // The cast's conflict is new: the other owner has just come.
        let since = plan.mondays.get(self.week).filter(|_| asset.role.is_some()).copied().unwrap_or(first);
        self.conflicts
            .texts([&asset.id, &reported.custom_id, ""])
            .known(reported.daily_views)
            .known(reported.daily_engaged_views)
            .known(reported.daily_engaged_views)
            .texts([asset.kind, "Partner", "", "", ""])
            .shown(reported.active_claims)
            .texts([owner, &asset.isrc])
            .bytes(&asset.title)
            .texts([&asset.artist])
            .known(reported.daily_engaged_views)
            .shown(lifetime.0)
            .shown(lifetime.1)
            .texts([countries])
            .shown(first)
            .texts(["Partner"])
            .shown(since)
            .texts(["Other partner", "Monetize in all countries", "No", "weeks"])
            .end(times)
    }

    fn write_claim(
        &mut self,
        plan: &Plan,
        asset: &Asset,
        claim: &Claim,
        state: State,
        times: usize,
    ) -> Result<()> {
        let (status, detail) = state.words();
        let reference = asset.references.get(claim.reference).map_or("", String::as_str);
        let own = asset.video.as_ref().map_or("", |video| &video.id);
        let custom_id = asset.custom_id(plan, self.week);
        let (origin, content) = kind_of(claim);
        let [created, uploaded] = dates(plan, claim)?;
        let (views, engaged) = (claim.series.views, claim.series.engaged_views());
        // An upload is no match of a reference.
        let [reference, own] = if claim.is_upload { ["", ""] } else { [reference, own] };
        self.claims
            .texts([&claim.id, &claim.channel, &asset.id, &claim.video, reference, own])
            .texts(["S100000000000001", "S100000000000002", custom_id, status, detail, origin])
            .texts(["AUDIO", &claim.channel_name, &claim.channel_name])
            .bytes(&claim.title)
            .shown(views)
            .shown(engaged)
            .shown(claim.match_seconds)
            .shown(claim.match_seconds)
            .shown(claim.match_seconds)
            .texts([content, "WW", "", "", "WW", "", ""])
            .shown(created)
            .shown(uploaded)
            .shown(claim.video_seconds)
            .bytes(&asset.title)
            .texts(["weeks", "", "", "", "", "", "", ""])
            .texts([&asset.isrc, "", &asset.artist, ""])
            .shown(format_args!("Label {}", asset.channel))
            .texts([&asset.upc, "", "", if claim.is_short { "Yes" } else { "No" }])
            .end(times)
    }

    /// Says whether the row is there.
    fn write_video(&mut self, plan: &Plan, asset: &Asset, claim: &Claim, is_doubled: bool) -> Result<bool> {
        let week = self.week;
        let channel = |at: usize| plan.channels.get(at).map_or("", |channel: &Channel| &channel.id);
        if plan.is_in(week, plan.story.channel_absent) && claim.channel == channel(plan.absent_channel()) {
            return Ok(false);
        }
        let is_twice = is_doubled
            || plan.is_in(week, plan.story.channel_doubled)
                && claim.channel == channel(plan.doubled_channel());
        let factor = if is_twice { 2 } else { 1 };
        let (views, engaged) = (claim.series.views * factor, claim.series.engaged_views() * factor);
        let [_, uploaded] = dates(plan, claim)?;
        let custom_id = asset.custom_id(plan, week);
        let (origin, content) = kind_of(claim);
        self.videos
            .texts([&claim.video, &claim.channel, &claim.channel_name])
            .shown(uploaded)
            .shown(uploaded)
            .bytes(&claim.title)
            .shown(claim.video_seconds)
            .shown(views)
            .shown(engaged / 90)
            .texts(["public"])
            .shown(format_args!("https://youtu.be/{}", claim.video))
            .texts(["Music", "Yes", "Yes", "Yes", origin, content, "web", "Yes", "No", "", "Yes"])
            .texts([&claim.id, &asset.id, custom_id, "Monetize", ""])
            .texts(["No", "Yes", "No", "Yes", "Yes", "No", "Yes", "Yes", "Yes", "No", &asset.isrc, "", "Yes"])
            .texts(["Not made for kids", "Yes", ""])
            .shown(engaged)
            .end(1)?;
        Ok(true)
    }

    pub(super) fn finish(self) -> Result<()> {
        for sheet in [self.claims, self.assets, self.videos, self.conflicts] {
            sheet.finish()?;
        }
        Ok(())
    }
}

/// How the claim came about, and who uploaded what.
fn kind_of(claim: &Claim) -> (&'static str, &'static str) {
    if claim.is_upload {
        ("Partner Upload", "PARTNER_UPLOADED")
    } else if claim.is_misplaced {
        ("Audio Match", "PARTNER_UPLOADED")
    } else {
        ("Audio Match", "UGC")
    }
}

/// The days on which claim and video were made.
fn dates(plan: &Plan, claim: &Claim) -> Result<[jiff::civil::Date; 2]> {
    let first = plan.mondays.first().copied().unwrap_or_default();
    let weekday = i64::try_from(claim.series.key % 7)?;
    let created = days_after(first, 7 * claim.created + weekday)?;
    // The video was there a little before, within the same week.
    Ok([created, days_after(created, -weekday.min(2))?])
}
