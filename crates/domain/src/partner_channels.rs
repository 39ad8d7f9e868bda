//! The partner channels of the database, checked, as the cleanup looks them up.
//!
//! What is stored is not trusted: a channel whose records contradict each other, or that has no usable custom ID, is
//! left out. Left out does not mean forgotten: its assets are still known as partner assets and count as conflicts,
//! for the record is to be mended, not the asset guessed.

use std::fmt;

use hashbrown::HashMap;

use crate::backfill_plan::StoredChannel;
use crate::custom_id::CustomId;
use crate::id::ChannelId;
use crate::printable::printable;

/// A partner channel record as the API gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartnerRecord {
    /// The channel.
    pub channel_id: String,
    /// The custom ID of its assets.
    pub custom_id: Option<String>,
    /// Its name for people.
    pub display_name: Option<String>,
}

impl From<StoredChannel> for PartnerRecord {
    fn from(stored: StoredChannel) -> Self {
        Self { channel_id: stored.channel_id, custom_id: stored.custom_id, display_name: stored.display_name }
    }
}

impl From<&StoredChannel> for PartnerRecord {
    fn from(stored: &StoredChannel) -> Self {
        stored.clone().into()
    }
}

/// The number of a partner channel within one [`PartnerChannels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerIndex(u32);

impl PartnerIndex {
    fn position(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// One partner channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// The channel.
    pub channel_id: ChannelId,
    /// Whether it has a custom ID to give to its assets.
    pub state: PartnerState,
    /// Its name for people, hostile text.
    pub display_name: Option<String>,
}

/// Whether a partner channel can be worked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerState {
    /// Its assets are to carry this custom ID.
    Usable(CustomId),
    /// Somebody has to mend its record first.
    LeftOut(LeftOutReason),
}

/// Why a partner channel is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOutReason {
    /// Several records of the channel with different custom IDs, listed as they are (escaped).
    RecordsDisagree {
        /// The custom IDs found, sorted, `(none)` for a missing one.
        custom_ids: Vec<String>,
    },
    /// No custom ID.
    NoCustomId,
    /// A custom ID that YouTube would refuse.
    InvalidCustomId {
        /// What is wrong with it.
        problem: String,
    },
}

impl LeftOutReason {
    /// A stable word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RecordsDisagree { .. } => "records_disagree",
            Self::NoCustomId => "no_custom_id",
            Self::InvalidCustomId { .. } => "invalid_custom_id",
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordsDisagree { custom_ids } => {
                write!(f, "its records disagree about the custom ID: {}", custom_ids.join(", "))
            }
            Self::NoCustomId => f.write_str("its record has no custom ID"),
            Self::InvalidCustomId { problem } => f.write_str(problem),
        }
    }
}

impl Partner {
    /// The custom ID that the channel's assets are to carry; none where the channel is left out.
    pub fn target(&self) -> Option<&CustomId> {
        match &self.state {
            PartnerState::Usable(custom_id) => Some(custom_id),
            PartnerState::LeftOut(_) => None,
        }
    }
}

/// All partner channels, one entry each, in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct PartnerChannels {
    channels: Vec<Partner>,
    by_id: HashMap<[u8; 24], PartnerIndex>,
    unusable: Vec<String>,
}

impl PartnerChannels {
    /// Checks the records. Records of one channel that agree about the custom ID are one channel; the first name found
    /// is its name. Blanks around stored values are taken off, an empty custom ID is none.
    pub fn build<T: Into<PartnerRecord>>(records: impl IntoIterator<Item = T>) -> Self {
        let mut gathered: HashMap<ChannelId, (Vec<Option<String>>, Option<String>)> = HashMap::new();
        let mut unusable = Vec::new();
        for record in records {
            let record = record.into();
            let channel_id = match ChannelId::parse(record.channel_id.trim()) {
                Ok(channel_id) => channel_id,
                Err(error) => {
                    unusable.push(format!("a partner channel record is passed over: {error}"));
                    continue;
                }
            };
            let (custom_ids, display_name) = gathered.entry(channel_id).or_default();
            custom_ids.push(present(record.custom_id));
            if display_name.is_none() {
                *display_name = present(record.display_name);
            }
        }
        unusable.sort();
        let mut channels: Vec<Partner> = gathered
            .into_iter()
            .map(|(channel_id, (custom_ids, display_name))| Partner {
                channel_id,
                state: judge(custom_ids),
                display_name,
            })
            .collect();
        channels.sort_by_key(|partner| partner.channel_id);
        let by_id = channels
            .iter()
            .zip(0..)
            .map(|(partner, index)| (*partner.channel_id.as_bytes(), PartnerIndex(index)))
            .collect();
        Self { channels, by_id, unusable }
    }

    /// How many partner channels there are, the left-out ones included.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether there is no partner channel.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The partner channel with this id, given as bytes of a report or as a [`ChannelId`].
    pub fn get(&self, channel_id: impl AsRef<[u8]>) -> Option<PartnerIndex> {
        let key: &[u8; 24] = channel_id.as_ref().try_into().ok()?;
        self.by_id.get(key).copied()
    }

    /// The partner channel with this id.
    pub fn partner(&self, channel_id: ChannelId) -> Option<&Partner> {
        self.get(channel_id).map(|index| self.channel(index))
    }

    /// The channel of an index that this same list gave.
    ///
    /// # Panics
    /// When the index comes from another, longer list.
    pub fn channel(&self, index: PartnerIndex) -> &Partner {
        &self.channels[index.position()]
    }

    /// All channels with their indices, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (PartnerIndex, &Partner)> {
        (0..).map(PartnerIndex).zip(&self.channels)
    }

    /// The channels that are left out, with why.
    pub fn left_out(&self) -> impl Iterator<Item = (&Partner, &LeftOutReason)> {
        self.channels.iter().filter_map(|partner| match &partner.state {
            PartnerState::LeftOut(reason) => Some((partner, reason)),
            PartnerState::Usable(_) => None,
        })
    }

    /// Records that name no channel at all, each as a note for the operator.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// The channels to which a run is limited: `all`, the channel with an id, or every channel with a custom ID.
    pub fn filter(&self, target: &str) -> Result<Filter, FilterError> {
        let target = target.trim();
        if target == "all" {
            return Ok(Filter { limited_to: None });
        }
        let chosen: Vec<PartnerIndex> = self
            .iter()
            .filter(|(_, partner)| {
                partner.channel_id.as_str() == target
                    || partner.target().is_some_and(|custom_id| custom_id.as_str() == target)
            })
            .map(|(index, _)| index)
            .collect();
        if chosen.is_empty() {
            return Err(FilterError { target: printable(target), channel_count: self.len() });
        }
        Ok(Filter { limited_to: Some(chosen) })
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn judge(mut custom_ids: Vec<Option<String>>) -> PartnerState {
    custom_ids.sort();
    custom_ids.dedup();
    match custom_ids.as_slice() {
        [Some(custom_id)] => match CustomId::parse(custom_id) {
            Ok(custom_id) => PartnerState::Usable(custom_id),
            Err(error) => {
                PartnerState::LeftOut(LeftOutReason::InvalidCustomId { problem: error.to_string() })
            }
        },
        [None] | [] => PartnerState::LeftOut(LeftOutReason::NoCustomId),
        several => PartnerState::LeftOut(LeftOutReason::RecordsDisagree {
            custom_ids: several
                .iter()
                .map(|custom_id| custom_id.as_deref().map_or_else(|| "(none)".to_owned(), printable))
                .collect(),
        }),
    }
}

/// The channels to which a run is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Sorted; none is no limit.
    limited_to: Option<Vec<PartnerIndex>>,
}

impl Filter {
    /// No limit.
    pub fn all() -> Self {
        Self { limited_to: None }
    }

    /// Whether the run is about this channel.
    pub fn contains(&self, channel: PartnerIndex) -> bool {
        self.limited_to.as_ref().is_none_or(|chosen| chosen.binary_search(&channel).is_ok())
    }

    /// Whether the run is about every channel.
    pub fn is_all(&self) -> bool {
        self.limited_to.is_none()
    }
}

/// No partner channel is what the filter asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no partner channel has the channel ID or custom ID \"{target}\" that the filter asks for ({channel_count} partner channels are known); give \"all\", a channel ID or a custom ID"
)]
pub struct FilterError {
    /// What was asked for, escaped and shortened.
    pub target: String,
    /// How many channels were looked through.
    pub channel_count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHA: &str = "UCalpha00000000000000000";
    const BRAVO: &str = "UCbravo00000000000000000";

    fn record(channel_id: &str, custom_id: Option<&str>) -> PartnerRecord {
        PartnerRecord {
            channel_id: channel_id.to_owned(),
            custom_id: custom_id.map(str::to_owned),
            display_name: None,
        }
    }

    fn state(records: &[PartnerRecord]) -> String {
        let partners = PartnerChannels::build(records.iter().cloned());
        assert_eq!(partners.len(), 1);
        let partner = partners.channel(partners.get(ALPHA).unwrap());
        match &partner.state {
            PartnerState::Usable(custom_id) => custom_id.to_string(),
            PartnerState::LeftOut(reason) => format!("{}: {reason}", reason.code()),
        }
    }

    #[test]
    fn g07_records_that_disagree_leave_the_channel_out_and_none_wins() {
        let records = [record(ALPHA, Some("b")), record(ALPHA, Some("a")), record(ALPHA, None)];
        insta::assert_snapshot!(state(&records), @"records_disagree: its records disagree about the custom ID: (none), a, b");
    }

    #[test]
    fn g07_records_that_agree_are_one_channel() {
        assert_eq!(state(&[record(ALPHA, Some("a")), record(ALPHA, Some(" a "))]), "a");
    }

    #[test]
    fn g10_a_channel_without_a_usable_custom_id_is_left_out_but_still_found() {
        assert_eq!(state(&[record(ALPHA, None)]), "no_custom_id: its record has no custom ID");
        assert_eq!(state(&[record(ALPHA, Some("  "))]), "no_custom_id: its record has no custom ID");
        insta::assert_snapshot!(state(&[record(ALPHA, Some("a b"))]), @r#"invalid_custom_id: the custom ID "a b" has the character ' ' at position 2; only A-Z a-z 0-9 - _ . @ / are allowed"#);
    }

    #[test]
    fn a_record_that_names_no_channel_is_noted() {
        let partners = PartnerChannels::build([record("UCshort\n", Some("a")), record(ALPHA, Some("a"))]);
        assert_eq!(partners.len(), 1);
        insta::assert_debug_snapshot!(partners.unusable(), @r#"
        [
            "a partner channel record is passed over: \"UCshort\" is not a channel ID (UC and 22 characters of A-Z a-z 0-9 _ -)",
        ]
        "#);
    }

    #[test]
    fn a_channel_is_found_by_bytes_and_by_id() {
        let partners = PartnerChannels::build([record(ALPHA, Some("a"))]);
        let id = ChannelId::parse(ALPHA).unwrap();
        assert_eq!(partners.get(id), partners.get(ALPHA.as_bytes()));
        assert_eq!(partners.get(BRAVO), None);
        assert_eq!(partners.get(""), None);
    }

    #[test]
    fn a_filter_is_all_a_channel_or_a_custom_id() {
        let partners = PartnerChannels::build([record(ALPHA, Some("same")), record(BRAVO, Some("same"))]);
        let (alpha, bravo) = (partners.get(ALPHA).unwrap(), partners.get(BRAVO).unwrap());
        let chosen = |target| {
            let filter = partners.filter(target).unwrap();
            (filter.contains(alpha), filter.contains(bravo))
        };
        assert_eq!(chosen("all"), (true, true));
        assert_eq!(chosen(BRAVO), (false, true));
        assert_eq!(chosen("same"), (true, true));
    }

    #[test]
    fn a_filter_that_fits_nothing_says_what_was_asked() {
        let partners = PartnerChannels::build([record(ALPHA, Some("a"))]);
        insta::assert_snapshot!(partners.filter("b\n").unwrap_err(), @r#"no partner channel has the channel ID or custom ID "b" that the filter asks for (1 partner channels are known); give "all", a channel ID or a custom ID"#);
    }

    #[test]
    fn a_channel_left_out_can_be_filtered_for_by_its_id() {
        let partners = PartnerChannels::build([record(ALPHA, None)]);
        assert!(partners.filter(ALPHA).unwrap().contains(partners.get(ALPHA).unwrap()));
        assert_eq!(partners.left_out().count(), 1);
    }
}
