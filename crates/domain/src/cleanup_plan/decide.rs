//! The decision about one asset.

use std::fmt;
use std::str::FromStr;

use super::asset::{AssetEntry, Reported, Standing};
use crate::custom_id::CustomId;
use crate::id::AssetId;
use crate::partner_channels::{PartnerChannels, PartnerIndex, PartnerState};
use crate::printable::printable;

/// Which values the cleanup may replace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// Only what nobody has set: an empty custom ID, or YouTube's default, which is the video ID of any of the asset's
    /// rows by a partner channel.
    #[default]
    FillDefault,
    /// Whatever differs from the channel's custom ID.
    Enforce,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FillDefault => "fill-default",
            Self::Enforce => "enforce",
        })
    }
}

/// A policy that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no policy; give fill-default or enforce")]
pub struct UnknownPolicy(String);

impl FromStr for Policy {
    type Err = UnknownPolicy;
    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text {
            "fill-default" => Ok(Self::FillDefault),
            "enforce" => Ok(Self::Enforce),
            _ => Err(UnknownPolicy(printable(text))),
        }
    }
}

/// An asset as YouTube has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveAsset<'a> {
    /// The asset.
    pub asset_id: AssetId,
    /// Its type, in whatever spelling YouTube used.
    pub asset_type: Option<&'a str>,
    /// Its custom ID.
    pub custom_id: Option<&'a str>,
    /// The artists of its own metadata.
    pub artists: &'a [String],
}

/// What the live read found for an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live<'a> {
    /// The asset.
    Found(LiveAsset<'a>),
    /// Another asset into which it was merged.
    Merged {
        /// That asset's id.
        into: String,
    },
    /// Nothing: an absent id is gone, never unchanged.
    Gone,
}

/// What is to be done about one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Write the channel's custom ID.
    Update(PlannedUpdate),
    /// It carries it already.
    AlreadyRight,
    /// Leave a value alone.
    Skipped {
        /// Why, as a stable word.
        reason: &'static str,
    },
    /// Leave it alone, since it is not clear which custom ID it should carry.
    Conflict {
        /// Why, as a stable word.
        reason: &'static str,
        /// Why, as a sentence for people, naming the channels.
        detail: String,
    },
    /// It cannot be done; the asset goes to the rejects.
    Reject {
        /// Why, as a stable word for machines.
        code: &'static str,
        /// Why, as a sentence for people.
        reason: String,
    },
}

/// One write, with the value it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedUpdate {
    /// The custom ID to write.
    pub new: CustomId,
    /// The value that is there now; none where it is empty.
    pub old: Option<String>,
    /// `empty`, `default_video_id` or `differs`.
    pub reason: &'static str,
    /// The artists to send along: YouTube refuses a write to a music asset without them. Empty for other assets.
    pub artists: Vec<String>,
}

/// What can be decided without reading the live value; none for a candidate of the live read.
pub fn decide_from_report(
    entry: &AssetEntry,
    partners: &PartnerChannels,
    policy: Policy,
) -> Option<Decision> {
    if let Some(conflict) = conflict(entry, partners) {
        return Some(conflict);
    }
    match (policy, entry.reported) {
        (Policy::Enforce, _) | (Policy::FillDefault, Reported::NeedsLive) => None,
        (Policy::FillDefault, Reported::Target) => Some(Decision::AlreadyRight),
        (Policy::FillDefault, Reported::SetByHand) => Some(Decision::Skipped { reason: "set_by_hand" }),
    }
}

/// The assets whose live value must be read, in the order of the entries.
pub fn candidates<'e>(
    entries: &'e [AssetEntry],
    partners: &'e PartnerChannels,
    policy: Policy,
) -> impl Iterator<Item = &'e AssetEntry> {
    entries.iter().filter(move |entry| decide_from_report(entry, partners, policy).is_none())
}

/// Decides about an asset by its live value. The report's value plays no part any more.
pub fn decide(entry: &AssetEntry, partners: &PartnerChannels, policy: Policy, live: &Live<'_>) -> Decision {
    if let Some(conflict) = conflict(entry, partners) {
        return conflict;
    }
    let Some(target) = partners.channel(entry.channel()).target() else {
        return left_out(entry.channel(), partners);
    };
    let live = match present(live) {
        Ok(live) => live,
        Err((code, reason)) => return Decision::Reject { code, reason },
    };
    let old = live.custom_id.filter(|value| !value.trim().is_empty());
    if old == Some(target.as_str()) {
        return Decision::AlreadyRight;
    }
    let reason = match old {
        None => "empty",
        Some(value) if entry.is_default(value) => "default_video_id",
        Some(_) if policy == Policy::Enforce => "differs",
        Some(_) => return Decision::Skipped { reason: "set_by_hand" },
    };
    match artists_to_send(live) {
        Ok(artists) => Decision::Update(PlannedUpdate {
            new: target.clone(),
            old: old.map(str::to_owned),
            reason,
            artists,
        }),
        Err((code, reason)) => Decision::Reject { code, reason },
    }
}

/// Why an asset cannot be written: a stable word, and a sentence for people.
pub(super) type Refused = (&'static str, String);

/// The asset itself, or why there is none to write to.
pub(super) fn present<'l>(live: &'l Live<'_>) -> Result<&'l LiveAsset<'l>, Refused> {
    match live {
        Live::Found(live) => Ok(live),
        Live::Merged { into } => Err(("merged", format!("the asset was merged into {}", printable(into)))),
        Live::Gone => Err(("gone", "YouTube does not know the asset any more".to_owned())),
    }
}

/// The artists that a write has to carry: those of a music asset, which YouTube refuses without any.
pub(super) fn artists_to_send(live: &LiveAsset<'_>) -> Result<Vec<String>, Refused> {
    if !live.asset_type.is_some_and(needs_artist) {
        return Ok(Vec::new());
    }
    let artists: Vec<String> =
        live.artists.iter().filter(|artist| !artist.trim().is_empty()).cloned().collect();
    if artists.is_empty() {
        let reason = format!(
            "YouTube takes no write to a {} asset without an artist, and this one has none: give it one in Studio",
            printable(live.asset_type.unwrap_or_default())
        );
        return Err(("artist_missing", reason));
    }
    Ok(artists)
}

/// Music videos and sound recordings, as `music_video`, `musicVideo` or `MUSIC_VIDEO`.
fn needs_artist(asset_type: &str) -> bool {
    let folded: String = asset_type.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
    matches!(folded.as_str(), "musicvideo" | "soundrecording")
}

fn conflict(entry: &AssetEntry, partners: &PartnerChannels) -> Option<Decision> {
    match &entry.standing {
        Standing::Clear => None,
        Standing::ChannelLeftOut(channel) => Some(left_out(*channel, partners)),
        Standing::TwoCustomIds(channels) => {
            let claimed: Vec<String> = channels
                .iter()
                .take(5)
                .map(|channel| {
                    let partner = partners.channel(*channel);
                    let custom_id = partner.target().map_or("", CustomId::as_str);
                    format!("{} ({custom_id})", partner.channel_id)
                })
                .collect();
            let more = match channels.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(Decision::Conflict {
                reason: "two_partner_channels",
                detail: format!(
                    "partner channels with different custom IDs have videos of the asset: {}{more}",
                    claimed.join(", ")
                ),
            })
        }
    }
}

fn left_out(channel: PartnerIndex, partners: &PartnerChannels) -> Decision {
    let partner = partners.channel(channel);
    let why = match &partner.state {
        PartnerState::LeftOut(why) => why.to_string(),
        PartnerState::Usable(_) => String::new(),
    };
    Decision::Conflict {
        reason: "channel_left_out",
        detail: format!("the partner channel {} is left out: {why}", partner.channel_id),
    }
}
