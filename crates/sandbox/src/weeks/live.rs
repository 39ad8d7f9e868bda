//! What the Data API says of the video report's videos some days after the last week.
//!
//! Written as a sheet beside the truth, since a large catalogue has more videos than should lie in memory.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};

use crate::weeks::calendar::{begin_of, days_after};
use crate::weeks::claim::Claim;
use crate::weeks::dice::{Dice, count};
use crate::weeks::model::Asset;
use crate::weeks::plan::Plan;
use crate::weeks::sheet::Sheet;
use crate::youtube::VideoRecord;

const COLUMNS: [&str; 8] =
    ["video_id", "channel_id", "title", "published", "views", "likes", "comments", "privacy"];

/// So much of the next week is over.
const ELAPSED: f64 = 2.5 / 7.0;

/// Of videos that nothing is planted on so many are gone by now, hide their likes, and have their comments closed.
const GONE: f64 = 0.01;
const HIDDEN: f64 = 0.08;

/// The sheet, being written.
pub(super) struct Live(Sheet);

impl Live {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self(Sheet::create(path, &COLUMNS)?))
    }

    /// Writes the videos of an asset that was led through all its weeks.
    pub(super) fn write(&mut self, plan: &Plan, asset: &Asset) -> Result<()> {
        if asset.weeks.end < plan.weeks {
            return Ok(());
        }
        let now = i64::try_from(plan.weeks)?;
        for claim in asset.claims.iter().filter(|claim| claim.is_listed && claim.created < now) {
            self.write_video(plan, asset, claim)?;
        }
        Ok(())
    }

    fn write_video(&mut self, plan: &Plan, asset: &Asset, claim: &Claim) -> Result<()> {
        let mut dice = Dice::at(claim.series.key, &[3]);
        let is_extra = asset.role.is_none();
        if is_extra && dice.chance(GONE) {
            return Ok(());
        }
        let views = claim.series.views + count(claim.series.clone().add_week(plan.weeks) as f64 * ELAPSED);
        let of_views = |share: f64| count(views as f64 * share);
        let likes = of_views(0.01 + 0.04 * dice.unit());
        let comments = of_views(0.001 + 0.003 * dice.unit());
        let is_hidden = is_extra && dice.chance(HIDDEN);
        let is_closed = is_extra && dice.chance(HIDDEN);
        let first = plan.mondays.first().copied().unwrap_or_default();
        let published = begin_of(days_after(first, 7 * claim.created.max(-1_000))?)?;
        self.0
            .texts([&claim.video, &claim.channel, &String::from_utf8_lossy(&claim.title)])
            .shown(published + SignedDuration::from_hours(12))
            .shown(views)
            .known((!is_hidden).then_some(likes))
            .known((!is_closed).then_some(comments))
            .texts(["public"])
            .end(1)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.0.finish()
    }
}

/// Reads the sheet back, a video at a time.
pub(crate) fn read(path: &Path, mut each: impl FnMut(VideoRecord)) -> Result<()> {
    type Row = (String, String, String, Timestamp, u64, Option<u64>, Option<u64>, String);
    let mut sheet = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
    for row in sheet.deserialize() {
        let (id, channel_id, title, published, views, likes, comments, privacy): Row = row?;
        each(VideoRecord { id, channel_id, title, published, views, likes, comments, privacy });
    }
    Ok(())
}
