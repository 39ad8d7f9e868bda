//! What is asked of single videos and uploaders.

use std::collections::HashMap;

use dn_domain::claims::week::Week;
use dn_domain::id::{ChannelId, VideoId};
use hashbrown::HashSet;
use rusqlite::{OptionalExtension as _, params};

use super::HistoryError;
use super::series::{Point as _, UploaderWeek, VideoWeek};
use super::tables::{Tables, number_of};

impl Tables {
    /// The counters of these videos in a week; a video that the week does not know is left out.
    pub fn videos(&self, week: Week, ids: &[VideoId]) -> Result<HashMap<VideoId, VideoWeek>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT views, engaged_views FROM subject JOIN video_week ON subject = number \
             WHERE kind = ?1 AND id = ?2 AND week = ?3",
        )?;
        let mut found = HashMap::new();
        for id in ids {
            let numbers = statement
                .query_row(params![VideoWeek::KIND, id.as_str(), number_of(week)], |row| {
                    VideoWeek::read(row, 0)
                })
                .optional()?;
            if let Some(numbers) = numbers {
                found.insert(*id, numbers);
            }
        }
        Ok(found)
    }

    /// Of these uploaders those one of whose claims was disputed in a week before.
    pub fn disputing(&self, before: Week, ids: &[ChannelId]) -> Result<HashSet<ChannelId>, HistoryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number FROM subject WHERE kind = ?1 AND id = ?2 AND EXISTS (SELECT 1 FROM week \
             CROSS JOIN uploader_week AS series ON series.week = week.week AND series.subject = number \
             WHERE week.week < ?3 AND disputed > 0)",
        )?;
        let mut found = HashSet::new();
        for id in ids {
            if statement.exists(params![UploaderWeek::KIND, id.as_str(), number_of(before)])? {
                found.insert(*id);
            }
        }
        Ok(found)
    }
}
