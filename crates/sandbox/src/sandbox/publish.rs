//! Putting weeks of reports where the tasks look for them.

use std::fs;
use std::path::Path;

use anyhow::Result;
use jiff::SignedDuration;

use crate::sandbox::Sandbox;
use crate::weeks::{WeekFiles, Weeks, begin_of, days_after, read_live};
use crate::world::REPORT_BUCKET;
use crate::youtube::claims::ClaimRecord;
use crate::youtube::data::VideoRecord;
use crate::youtube::reporting::ReportFile;

/// So long after its last day a report is made.
const MADE_AFTER_HOURS: i64 = 20;

impl Sandbox {
    /// Puts a claim behind the Content ID API, in place of the one with its id.
    pub fn add_claim(&self, claim: ClaimRecord) {
        self.claims.put(claim);
    }

    /// How many claims a page of a search has.
    pub fn set_claim_page_size(&self, claims: usize) {
        self.claims.set_page_size(claims);
    }

    /// Puts a video behind the Data API, in place of the one with its id.
    pub fn set_live_video(&self, video: VideoRecord) {
        self.videos.put(video);
    }

    /// A video as the Data API has it now.
    pub fn live_video(&self, id: &str) -> Option<VideoRecord> {
        self.videos.get(id)
    }

    /// Deletes a video; says whether the Data API had it.
    pub fn delete_live_video(&self, id: &str) -> bool {
        self.videos.remove(id)
    }

    /// Sets what is left of the Data API's quota of the day.
    pub fn set_data_units(&self, units: u64) {
        self.videos.set_units(units);
    }

    /// Puts the partner channels of the weeks into the database, their open claims behind the Content ID API and their
    /// videos, as they are some days after the last week, behind the Data API.
    pub fn publish_partners(&self, weeks: &Weeks) -> Result<()> {
        for partner in &weeks.partners {
            self.set_channel(partner)?;
        }
        for claim in &weeks.open_claims {
            self.add_claim(claim.clone());
        }
        read_live(&weeks.live_path, |video| self.set_live_video(video))
    }

    /// Puts the four reports of a week behind the Reporting API. Each covers the week's last day, by the days of Los
    /// Angeles, and is made on the day after, or just now where that is still to come.
    pub fn publish_week(&self, week: &WeekFiles) -> Result<()> {
        let start = begin_of(days_after(week.monday, 6)?)?;
        let end = begin_of(days_after(week.monday, 7)?)?;
        let created = (end + SignedDuration::from_hours(MADE_AFTER_HOURS)).min(crate::clock::now());
        for (report_type, path) in [
            ("content_owner_active_claims_a3", &week.claims),
            ("content_owner_asset_a3", &week.assets),
            ("content_owner_video_metadata_a3", &week.videos),
            ("content_owner_asset_conflict_a3", &week.conflicts),
        ] {
            self.add_report(ReportFile {
                report_type: report_type.to_owned(),
                id: format!("{report_type}-{}", week.monday),
                start,
                end,
                created,
                path: path.clone(),
            });
        }
        Ok(())
    }

    /// Copies all files of a week into the object store, and says where: `s3://bucket/<prefix>/<monday>`.
    pub fn upload_week(&self, week: &WeekFiles, prefix: &str) -> Result<String> {
        let folder = format!("{prefix}/{}", week.monday);
        copy_folder(&week.dir, &self.dir().join("s3").join(REPORT_BUCKET).join(&folder))?;
        Ok(format!("s3://{REPORT_BUCKET}/{folder}"))
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
