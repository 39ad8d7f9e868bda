//! What is asked of single videos and uploaders.

use std::collections::HashMap;

use dn_domain::claims::week::Week;
use dn_domain::id::{ChannelId, VideoId};
use hashbrown::HashSet;

use super::HistoryError;
use super::series::{self, UploaderWeek, VideoWeek};
use super::tables::Tables;

impl Tables {
    /// The counters of these videos in a week; a video that the week does not know is left out.
    pub fn videos(&self, week: Week, ids: &[VideoId]) -> Result<HashMap<VideoId, VideoWeek>, HistoryError> {
        let mut asked = ids.to_vec();
        asked.sort_unstable();
        let mut found = HashMap::new();
        series::find(&self.connection, week, &asked, |id, numbers| {
            found.insert(*id, numbers);
        })?;
        Ok(found)
    }

    /// Of these uploaders those one of whose claims was disputed in a week before.
    pub fn disputing(&self, before: Week, ids: &[ChannelId]) -> Result<HashSet<ChannelId>, HistoryError> {
        let mut asked = ids.to_vec();
        asked.sort_unstable();
        let mut found = HashSet::new();
        let weeks = series::weeks(&self.connection)?.into_iter();
        for week in weeks.filter(|week| *week < before) {
            series::find(&self.connection, week, &asked, |id, numbers: UploaderWeek| {
                if numbers.disputed.is_some_and(|disputed| disputed > 0) {
                    found.insert(*id);
                }
            })?;
            asked.retain(|id| !found.contains(id));
        }
        Ok(found)
    }
}
