//! What the backfill has to do so that the stored partner channels say what the channel sheet says.

use std::collections::HashMap;

use crate::channel_sheet::ChannelRow;

/// A partner channel record as the database holds it: unchecked text, for what is stored may be older than the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChannel {
    /// The record's own key in the database.
    pub id: String,
    /// The channel it is about.
    pub channel_id: String,
    /// The custom ID of the channel's assets.
    pub custom_id: Option<String>,
    /// The channel's name for people.
    pub display_name: Option<String>,
    /// The version that a versioned API wants to see in an update.
    pub version: Option<i64>,
}

/// One entry for each row of the sheet, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillPlan<'a> {
    /// What is to be done, row by row.
    pub steps: Vec<Step<'a>>,
}

/// What one row asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// The channel is not stored yet.
    Create {
        /// The row of the sheet.
        row: &'a ChannelRow,
    },
    /// The channel is stored otherwise.
    Update {
        /// The row of the sheet.
        row: &'a ChannelRow,
        /// The records that differ, with their old values: usually one. Where a channel is stored several times, all
        /// that differ are brought into line, because records that disagree keep the channel out of the cleanup.
        records: Vec<StoredChannel>,
    },
    /// Every record of the channel says the same already.
    Unchanged {
        /// The row of the sheet.
        row: &'a ChannelRow,
    },
}

/// How many rows ask for what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanCounts {
    /// Channels to create.
    pub create: u64,
    /// Channels to update.
    pub update: u64,
    /// Channels that need nothing.
    pub unchanged: u64,
}

/// Compares the sheet with what is stored. Stored channels that the sheet does not name are left alone: a sheet adds
/// and corrects, it never deletes.
pub fn plan<'a>(rows: &'a [ChannelRow], stored: &[StoredChannel]) -> BackfillPlan<'a> {
    let mut by_channel: HashMap<&str, Vec<&StoredChannel>> = HashMap::new();
    for record in stored {
        by_channel.entry(record.channel_id.as_str()).or_default().push(record);
    }
    let steps = rows
        .iter()
        .map(|row| match by_channel.get(row.channel_id.as_str()) {
            None => Step::Create { row },
            Some(records) => {
                let records: Vec<StoredChannel> = records
                    .iter()
                    .filter(|record| differs(row, record))
                    .map(|record| (*record).clone())
                    .collect();
                if records.is_empty() { Step::Unchanged { row } } else { Step::Update { row, records } }
            }
        })
        .collect();
    BackfillPlan { steps }
}

/// A name missing in the sheet says nothing about the stored name.
fn differs(row: &ChannelRow, record: &StoredChannel) -> bool {
    record.custom_id.as_deref() != Some(row.custom_id.as_str())
        || (row.display_name.is_some() && row.display_name != record.display_name)
}

impl<'a> Step<'a> {
    /// The row of the sheet that asks for it.
    pub fn row(&self) -> &'a ChannelRow {
        match self {
            Self::Create { row } | Self::Update { row, .. } | Self::Unchanged { row } => row,
        }
    }
}

impl BackfillPlan<'_> {
    /// How many rows ask for what.
    pub fn counts(&self) -> PlanCounts {
        let mut counts = PlanCounts::default();
        for step in &self.steps {
            match step {
                Step::Create { .. } => counts.create += 1,
                Step::Update { .. } => counts.update += 1,
                Step::Unchanged { .. } => counts.unchanged += 1,
            }
        }
        counts
    }
}
