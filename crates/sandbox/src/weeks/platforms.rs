//! The other platforms' files and the rights records of one week.

use std::fs;

use anyhow::Result;

use crate::weeks::WeekFiles;
use crate::weeks::calendar::days_after;
use crate::weeks::cast::Role;
use crate::weeks::columns::{BYTE_ORDER_MARK, PLATFORM, RIGHTS, SPOTIFY};
use crate::weeks::dice::{Dice, count};
use crate::weeks::model::Asset;
use crate::weeks::plan::Plan;
use crate::weeks::series::season;
use crate::weeks::sheet::Sheet;

/// Each platform with what it counts, the first of which is how often a track was played, and with the share of that
/// in the others.
const PLATFORMS: [(&str, &[(&str, f64)]); 3] = [
    ("spotify", &[("streams", 1.0), ("saves", 0.03)]),
    ("tiktok", &[("views", 1.0), ("likes", 0.09), ("shares", 0.012)]),
    ("apple_music", &[("plays", 1.0)]),
];

/// The platform whose file comes as it exports it, and not in the normal form: a row for each song with the week's sums.
const EXPORTED: &str = "spotify";

/// The other platforms' files of one week, being written.
pub(super) struct Platforms {
    week: usize,
    files: Vec<Sheet>,
    rights: Sheet,
}

impl Platforms {
    pub(super) fn create(week: usize, files: &WeekFiles) -> Result<Self> {
        fs::create_dir_all(&files.analytics)?;
        let sheets = PLATFORMS.iter().map(|(platform, _)| match *platform {
            EXPORTED => Sheet::create_behind(&files.spotify()?, BYTE_ORDER_MARK, &SPOTIFY),
            _ => Sheet::create(&files.analytics.join(format!("{platform}.csv")), &PLATFORM),
        });
        Ok(Self {
            week,
            files: sheets.collect::<Result<_>>()?,
            rights: Sheet::create(&files.rights, &RIGHTS)?,
        })
    }

    /// Writes what the platforms and the rights management say about an asset.
    pub(super) fn write(&mut self, plan: &Plan, asset: &Asset) -> Result<()> {
        let monday = plan.mondays.get(self.week).copied().unwrap_or_default();
        let last = plan.story.last;
        for (at, (sheet, (platform, metrics))) in self.files.iter_mut().zip(PLATFORMS).enumerate() {
            let mut dice = Dice::at(plan.seed, &[5, asset.number, at as u64]);
            let base = 300.0 + 4_000.0 * dice.unit().powi(2);
            let mut sums = vec![0_u64; metrics.len()];
            for day in 0..7 {
                let date = days_after(monday, day)?;
                for (number, ((metric, share), sum)) in metrics.iter().zip(&mut sums).enumerate() {
                    let place =
                        [6, asset.number, at as u64, self.week as u64, u64::try_from(day)?, number as u64];
                    let noise = (0.07 * Dice::at(plan.seed, &place).normal()).exp();
                    let factor = factor(asset.role, last, self.week, platform, number > 0);
                    let value = count(base * share * factor * noise * season(self.week));
                    *sum += value;
                    if platform != EXPORTED {
                        sheet
                            .shown(date)
                            .texts([platform, &asset.isrc, metric])
                            .shown(value)
                            .texts([asset.custom_id(plan, self.week), &asset.id, "WW"])
                            .end(1)?;
                    }
                }
            }
            if let ([streams, saves], true) = (sums.as_slice(), platform == EXPORTED) {
                sheet.bytes(&asset.title).texts([&asset.isrc]);
                sheet.shown(streams / 3).shown(streams).shown(saves).texts(["2020-01-01"]).end(1)?;
            }
        }
        self.write_rights(plan, asset)
    }

    fn write_rights(&mut self, plan: &Plan, asset: &Asset) -> Result<()> {
        let is_now = self.week + 1 >= plan.story.last;
        let owner = format!("Label {}", asset.channel);
        let spotify_owner = match asset.role {
            Some(Role::RightsDisagree) if is_now => "Harbor Lane Music",
            _ => &owner,
        };
        let mut records = vec![("spotify", "WW", spotify_owner, "100")];
        match asset.role {
            Some(Role::RightsOver) if is_now => {
                records
                    .extend([("youtube", "DE", &*owner, "60"), ("youtube", "DE", "Harbor Lane Music", "60")]);
            }
            // Two owners that share, one for each half of the world, and one for all of it: all is well.
            _ if asset.number % 40 == 32 => {
                records = ["spotify", "youtube"]
                    .into_iter()
                    .flat_map(|platform| {
                        [(platform, "WW", &*owner, "50"), (platform, "WW", "Second Writer", "50")]
                    })
                    .collect();
            }
            _ if asset.number.is_multiple_of(40) && asset.role.is_none() => {
                records = ["spotify", "youtube"]
                    .into_iter()
                    .flat_map(|platform| [(platform, "US", &*owner, "100"), (platform, "DE", &*owner, "100")])
                    .collect();
            }
            _ => records.push(("youtube", "WW", &*owner, "100")),
        }
        for (platform, territory, owner, share) in records {
            self.rights
                .texts([platform, &asset.isrc, &asset.upc, asset.custom_id(plan, self.week)])
                .texts([territory, owner, share, "monetize", "2020-01-01", ""])
                .end(1)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<()> {
        for sheet in self.files.into_iter().chain([self.rights]) {
            sheet.finish()?;
        }
        Ok(())
    }
}

/// How many times as much as usual a platform counts in a week.
fn factor(role: Option<Role>, last: usize, week: usize, platform: &str, is_engagement: bool) -> f64 {
    // Weeks after the first in which the song is heard on a platform.
    let since = |first: usize| week.checked_sub(last.saturating_sub(first));
    let surge = |first: usize, factor: f64| match since(first) {
        Some(0) => factor,
        Some(_) => 1.5 * factor,
        None => 1.0,
    };
    match (role, platform) {
        (Some(Role::Viral), "tiktok") => surge(3, 12.0),
        (Some(Role::Viral), "spotify") => surge(2, 8.0),
        (Some(Role::Viral), _) => surge(1, 4.0),
        (Some(Role::Engagement), "tiktok") if is_engagement && week == last => 15.0,
        _ => 1.0,
    }
}
