//! The assets to which something happens, and what must be found of it.
//!
//! The first assets of a catalogue have a role each; all others are ordinary. What happens is strong, and happens near
//! the end, so that there are weeks before that tell the habit.

use jiff::civil::Date;
use serde::Serialize;

/// What happens to an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Watched far more: first on `TikTok`, then on Spotify, then on YouTube.
    Viral,
    /// Its reference suddenly matches ten times as much.
    BadReference,
    /// Claims on the channel of another partner.
    OwnChannel,
    /// More and more of its matches are short.
    ShortMatch,
    /// Its claims are released.
    ReleaseRate,
    /// Somebody else claims to own it.
    OwnershipConflict,
    /// Watched more and more, and claimed as before.
    ViewsUp,
    /// Claimed more and more, and watched as before.
    ClaimsUp,
    /// Its active claims jump once.
    ClaimsChange,
    /// Its new claims accelerate.
    ClaimsAhead,
    /// Two owners hold more than all of it in one country.
    RightsOver,
    /// Two platforms name two owners.
    RightsDisagree,
    /// Liked and shared far more on `TikTok`, and not watched more.
    Engagement,
    /// A claim on it is disputed, and the time is nearly over.
    DisputeNear,
    /// A claim on it is appealed.
    Appeal,
    /// It gets a custom ID that is not its channel's.
    Mismatch,
    /// A claim on it was just disputed: not urgent.
    DisputeFresh,
    /// A claim on it waits for a review.
    Potential,
    /// A claim on it was disputed and released, weeks ago.
    DisputeSettled,
    /// Watched more every year at this time: rises slowly, and is no surprise.
    Annual,
    /// Published in the middle of the weeks with many views that decay: no surprise either.
    Launch,
}

/// The role of each of the first assets.
pub(super) const CAST: [Role; 25] = [
    Role::Viral,
    Role::BadReference,
    Role::OwnChannel,
    Role::ShortMatch,
    Role::ReleaseRate,
    Role::OwnershipConflict,
    Role::ViewsUp,
    Role::ClaimsUp,
    Role::ClaimsChange,
    Role::ClaimsAhead,
    Role::RightsOver,
    Role::RightsDisagree,
    Role::Engagement,
    Role::DisputeNear,
    Role::DisputeNear,
    Role::Appeal,
    Role::Mismatch,
    Role::Mismatch,
    Role::Mismatch,
    Role::DisputeFresh,
    Role::DisputeFresh,
    Role::Potential,
    Role::DisputeSettled,
    Role::Annual,
    Role::Launch,
];

/// Weeks that a story needs: a habit, and what departs from it.
pub(super) const STORY_WEEKS: usize = 8;

/// When things happen, as numbers of weeks from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    /// The last week.
    pub last: usize,
    /// One channel's videos have twice their views.
    pub channel_doubled: usize,
    /// One channel is not in the video report.
    pub channel_absent: usize,
    /// All reports say everything twice, where report faults are wanted.
    pub reports_doubled: usize,
    /// Claim and video report break off, where report faults are wanted.
    pub reports_partial: usize,
}

impl Story {
    pub(super) fn over(weeks: usize) -> Self {
        let last = weeks.saturating_sub(1);
        Self {
            last,
            channel_doubled: last.saturating_sub(5),
            channel_absent: last.saturating_sub(3),
            reports_doubled: last.saturating_sub(6),
            reports_partial: last.saturating_sub(4),
        }
    }
}

/// What must, or may, be found in a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The Monday of the week.
    pub week: Date,
    /// The finding's kind, as `alerts.json` and `quality.json` name it.
    pub kind: &'static str,
    /// `video`, `asset`, `channel`, `reference`, `claim`, `isrc` or `file`.
    pub subject_type: &'static str,
    /// The id of what it is about.
    pub subject_id: String,
    /// What was done.
    pub note: String,
    /// Whether it only follows from what was done, so that it may be found and need not be.
    pub implied: bool,
}
