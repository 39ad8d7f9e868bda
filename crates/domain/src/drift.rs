//! Where the channel sheet, the database of partner channels and the CMS say different things.
//!
//! Nothing is decided here and nothing is to be done by it: a difference is a finding for people. A channel has at
//! most one, and so has an asset, so that the counts add up. A value that nobody has set (empty, or YouTube's default)
//! is no drift: the next cleanup fills it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::backfill_plan::StoredChannel;
use crate::channel_sheet::{ChannelRow, ChannelSheet};
use crate::cleanup_plan::{AssetEntry, Live, Standing};
use crate::custom_id::CustomId;
use crate::id::ChannelId;
use crate::partner_channels::PartnerChannels;
use crate::printable::printable;

/// The filter target that stands for every channel.
const ALL: &str = "all";

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftClass {
    /// A channel with several records, whether they agree or not. Of such a channel nothing else is said: the records
    /// are to be made one first.
    Duplicate,
    /// A channel of the sheet that the database does not have.
    Missing,
    /// A channel whose record has another custom ID than the sheet, or an asset whose live value was set by hand to
    /// another than its channel's.
    Differs,
    /// A record that the sheet does not name.
    Extra,
    /// An asset that is gone, or was merged into another.
    Unreachable,
}

impl DriftClass {
    /// The class as a stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Extra => "extra",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftSubject {
    /// A channel: the sheet against the database.
    Channel,
    /// An asset: the database against the CMS.
    Asset,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its kind.
    pub class: DriftClass,
    /// Whether it is about a channel or an asset.
    pub subject: DriftSubject,
    /// The channel's or asset's id. Hostile text where a record names no channel.
    pub id: String,
    /// The asset's partner channel; of a channel itself.
    pub channel_id: Option<ChannelId>,
    /// The sheet's custom ID, or the asset's channel's; none where there is none.
    pub expected: Option<String>,
    /// The stored or the live custom ID, as it is: hostile text. None where there is none, or several.
    pub found: Option<String>,
    /// What is different, as a sentence for people.
    pub detail: String,
}

/// How the channels compare: every channel in exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDriftCounts {
    /// See [`DriftClass::Missing`].
    pub missing: u64,
    /// See [`DriftClass::Extra`].
    pub extra: u64,
    /// See [`DriftClass::Differs`].
    pub differs: u64,
    /// See [`DriftClass::Duplicate`].
    pub duplicate: u64,
    /// The sheet and the one record say the same.
    pub agree: u64,
    /// Named by a row of the sheet that has to be mended first, so that there is nothing to compare with.
    pub not_compared: u64,
}

/// How the assets compare: every partner asset in exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetDriftCounts {
    /// See [`DriftClass::Differs`].
    pub differs: u64,
    /// See [`DriftClass::Unreachable`].
    pub unreachable: u64,
    /// The live value is the channel's custom ID.
    pub agree: u64,
    /// The live value is empty or YouTube's default, for the next cleanup to fill.
    pub unset: u64,
    /// What it should carry is not known: two custom IDs claim it, or its channel is left out.
    pub conflict: u64,
}

/// The whole comparison.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// How the channels compare.
    pub channels: ChannelDriftCounts,
    /// How the assets compare.
    pub assets: AssetDriftCounts,
    /// The differences: channels by class and id, then the assets as they were taken.
    pub differences: Vec<Difference>,
}

/// What the sheet says of a channel.
enum Said<'s> {
    Row(&'s ChannelRow),
    /// A row that names it and has to be mended.
    Unusable,
}

impl Drift {
    /// Compares the sheet with the records, as far as they are about `target`: `all`, a channel ID or a custom ID.
    pub fn of_channels(sheet: &ChannelSheet, stored: &[StoredChannel], target: &str) -> Self {
        let mut said: BTreeMap<&str, Said<'_>> = BTreeMap::new();
        for reject in &sheet.rejects {
            // Which cell is the channel's is not certain in a row that does not fit; the form of the id tells.
            for id in reject.fields.iter().filter_map(|cell| std::str::from_utf8(cell.trim_ascii()).ok()) {
                if ChannelId::parse(id).is_ok() {
                    said.insert(id, Said::Unusable);
                }
            }
        }
        for row in &sheet.rows {
            said.insert(row.channel_id.as_str(), Said::Row(row));
        }
        let mut records: BTreeMap<&str, Vec<&StoredChannel>> = BTreeMap::new();
        for record in stored {
            records.entry(record.channel_id.trim()).or_default().push(record);
        }
        let mut drift = Self::default();
        let ids: BTreeSet<&str> = said.keys().chain(records.keys()).copied().collect();
        for id in ids {
            let (said, records) = (said.get(id), records.get(id).map_or(&[][..], Vec::as_slice));
            if is_about(target, id, said, records) {
                drift.compare_channel(id, said, records);
            }
        }
        drift.differences.sort_by(|a, b| a.class.cmp(&b.class).then_with(|| a.id.cmp(&b.id)));
        drift
    }

    fn compare_channel(&mut self, id: &str, said: Option<&Said<'_>>, records: &[&StoredChannel]) {
        let counts = &mut self.channels;
        let row = match said {
            Some(Said::Row(row)) => Some(*row),
            Some(Said::Unusable) | None => None,
        };
        let expected = row.map(|row| row.custom_id.as_str());
        let (class, found, detail) = match (said, records) {
            (_, [_, _, ..]) => {
                counts.duplicate += 1;
                let values: BTreeSet<&str> =
                    records.iter().map(|record| custom_id(record).unwrap_or("(none)")).collect();
                let values: Vec<String> = values.into_iter().map(printable).collect();
                let agreement = if values.len() == 1 { "all with" } else { "which disagree:" };
                let detail = format!("{} records, {agreement} {}", records.len(), values.join(", "));
                (DriftClass::Duplicate, None, detail)
            }
            (Some(Said::Unusable), _) => return counts.not_compared += 1,
            (Some(Said::Row(row)), []) => {
                counts.missing += 1;
                let detail = format!("in the sheet (line {}), not in the database", row.line);
                (DriftClass::Missing, None, detail)
            }
            (Some(Said::Row(row)), [record]) => {
                let found = custom_id(record);
                if found == Some(row.custom_id.as_str()) {
                    return counts.agree += 1;
                }
                counts.differs += 1;
                let (said, has) = (&row.custom_id, found.map_or_else(|| "none".to_owned(), printable));
                let detail = format!("the sheet (line {}) says {said}, the database has {has}", row.line);
                (DriftClass::Differs, found, detail)
            }
            (None, [record]) => {
                counts.extra += 1;
                let detail = "in the database, not in the sheet".to_owned();
                (DriftClass::Extra, custom_id(record), detail)
            }
            // An id comes from the one or from the other.
            (None, []) => return,
        };
        self.differences.push(Difference {
            class,
            subject: DriftSubject::Channel,
            id: id.to_owned(),
            channel_id: ChannelId::parse(id).ok(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            detail,
        });
    }

    /// Compares an asset's live value with its channel's custom ID.
    pub fn take_asset(&mut self, entry: &AssetEntry, partners: &PartnerChannels, live: &Live<'_>) {
        let counts = &mut self.assets;
        let partner = partners.channel(entry.channel());
        let target = partner.target().filter(|_| entry.standing == Standing::Clear);
        let value = match live {
            Live::Found(live) => Ok(live.custom_id.filter(|value| !value.trim().is_empty())),
            Live::Merged { into } => Err(format!("merged into {}", printable(into))),
            Live::Gone => Err("YouTube does not know it any more".to_owned()),
        };
        let (class, found, detail) = match (value, target) {
            (Err(detail), _) => {
                counts.unreachable += 1;
                (DriftClass::Unreachable, None, detail)
            }
            (Ok(_), None) => return counts.conflict += 1,
            (Ok(Some(value)), Some(target)) if value == target.as_str() => return counts.agree += 1,
            (Ok(Some(value)), Some(target)) if !entry.is_default(value) => {
                counts.differs += 1;
                let detail = format!("carries {}, its channel's custom ID is {target}", printable(value));
                (DriftClass::Differs, Some(value.to_owned()), detail)
            }
            (Ok(_), Some(_)) => return counts.unset += 1,
        };
        self.differences.push(Difference {
            class,
            subject: DriftSubject::Asset,
            id: entry.asset_id.as_str().to_owned(),
            channel_id: Some(partner.channel_id),
            expected: target.map(|target: &CustomId| target.as_str().to_owned()),
            found,
            detail,
        });
    }
}

/// The stored custom ID without the blanks around it; empty is none.
fn custom_id(record: &StoredChannel) -> Option<&str> {
    record.custom_id.as_deref().map(str::trim).filter(|value| !value.is_empty())
}

fn is_about(target: &str, id: &str, said: Option<&Said<'_>>, records: &[&StoredChannel]) -> bool {
    let by_row = matches!(said, Some(Said::Row(row)) if row.custom_id.as_str() == target);
    let by_record = || records.iter().any(|record| custom_id(record) == Some(target));
    target == ALL || id == target || by_row || by_record()
}

#[cfg(test)]
mod tests;
