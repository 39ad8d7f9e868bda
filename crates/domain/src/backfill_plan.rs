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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel_sheet;

    const ALPHA: &str = "UCalpha00000000000000000";
    const BRAVO: &str = "UCbravo00000000000000000";

    fn rows(lines: &[&str]) -> Vec<ChannelRow> {
        let text = format!("channelID,customID,displayName\n{}\n", lines.join("\n"));
        channel_sheet::read("sheet.csv", text.as_bytes()).unwrap().rows
    }

    fn stored(
        id: &str,
        channel_id: &str,
        custom_id: Option<&str>,
        display_name: Option<&str>,
    ) -> StoredChannel {
        StoredChannel {
            id: id.to_owned(),
            channel_id: channel_id.to_owned(),
            custom_id: custom_id.map(str::to_owned),
            display_name: display_name.map(str::to_owned),
            version: Some(3),
        }
    }

    fn counts(rows: &[ChannelRow], stored: &[StoredChannel]) -> (u64, u64, u64) {
        let PlanCounts { create, update, unchanged } = plan(rows, stored).counts();
        (create, update, unchanged)
    }

    #[test]
    fn a_channel_not_yet_stored_is_created() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha"), &format!("{BRAVO},b,Bravo")]);
        let plan = plan(&rows, &[stored("1", ALPHA, Some("a"), Some("Alpha"))]);
        assert_eq!(plan.steps, [Step::Unchanged { row: &rows[0] }, Step::Create { row: &rows[1] }]);
    }

    #[test]
    fn a_channel_stored_otherwise_is_updated_with_its_old_values_at_hand() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha")]);
        let old = stored("1", ALPHA, None, Some("Alpha"));
        let plan = plan(&rows, std::slice::from_ref(&old));
        assert_eq!(plan.steps, [Step::Update { row: &rows[0], records: vec![old] }]);
    }

    #[test]
    fn a_name_missing_in_the_sheet_never_changes_the_stored_one() {
        let rows = rows(&[&format!("{ALPHA},a,")]);
        assert_eq!(counts(&rows, &[stored("1", ALPHA, Some("a"), Some("Alpha"))]), (0, 0, 1));
        assert_eq!(counts(&rows, &[stored("1", ALPHA, Some("x"), Some("Alpha"))]), (0, 1, 0));
    }

    #[test]
    fn a_new_name_alone_is_an_update() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha")]);
        assert_eq!(counts(&rows, &[stored("1", ALPHA, Some("a"), None)]), (0, 1, 0));
    }

    #[test]
    fn g07_of_several_records_of_a_channel_all_that_differ_are_brought_into_line() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha")]);
        let records = [
            stored("1", ALPHA, Some("a"), Some("Alpha")),
            stored("2", ALPHA, Some("b"), Some("Alpha")),
            stored("3", ALPHA, None, None),
        ];
        let plan = plan(&rows, &records);
        assert_eq!(plan.steps, [Step::Update { row: &rows[0], records: records[1..].to_vec() }]);
    }

    #[test]
    fn a_stored_channel_that_the_sheet_does_not_name_is_left_alone() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha")]);
        assert_eq!(counts(&rows, &[stored("9", BRAVO, Some("b"), None)]), (1, 0, 0));
    }

    #[test]
    fn a_second_run_over_what_the_first_wrote_changes_nothing() {
        let rows = rows(&[&format!("{ALPHA},a,Alpha"), &format!("{BRAVO},b,")]);
        let written: Vec<StoredChannel> = rows
            .iter()
            .map(|row| {
                stored(
                    "x",
                    row.channel_id.as_str(),
                    Some(row.custom_id.as_str()),
                    row.display_name.as_deref(),
                )
            })
            .collect();
        assert_eq!(counts(&rows, &written), (0, 0, 2));
    }
}
