//! A claim on a video, and what has become of it by the end of a week.

use jiff::Timestamp;

use crate::weeks::series::Series;

/// A claim on a video.
pub(super) struct Claim {
    pub id: String,
    pub video: String,
    pub channel: String,
    pub channel_name: String,
    pub title: Vec<u8>,
    /// Whether the video is the partner's own upload, whose views its [`Video`] counts.
    pub is_upload: bool,
    /// Whether the video report has its video.
    pub is_listed: bool,
    /// Whether it lies on the channel of a partner whose it is not.
    pub is_misplaced: bool,
    /// The week in which it was made, negative where that was before the first.
    pub created: i64,
    /// The week from which on it is released.
    pub released: Option<usize>,
    pub dispute: Option<Dispute>,
    pub reference: usize,
    pub match_seconds: u64,
    pub video_seconds: u64,
    pub is_short: bool,
    pub series: Series,
}

/// What an uploader objected, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dispute {
    /// When the claim began to wait.
    pub since: Timestamp,
    pub appealed: Option<Timestamp>,
    /// Whether nobody disputes it: it waits for the owner's own review.
    pub is_review: bool,
    /// The first week in which it is over.
    pub settled: Option<usize>,
}

/// What the claim report says about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Active,
    Released,
    Disputed,
    Appealed,
    Review,
}

impl State {
    /// `claim_status` and `claim_status_detail`.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Active => ("ACTIVE", ""),
            Self::Released => ("INACTIVE", "RELEASED"),
            Self::Disputed => ("PENDING", "DISPUTED"),
            Self::Appealed => ("PENDING", "APPEALED"),
            Self::Review => ("PENDING", "REVIEW"),
        }
    }
}

impl Claim {
    /// Its state at the end of a week; none before it is made.
    pub(super) fn state(&self, week: usize, week_end: Timestamp) -> Option<State> {
        if i64::try_from(week).unwrap_or(i64::MAX) < self.created {
            return None;
        }
        if self.released.is_some_and(|released| released <= week) {
            return Some(State::Released);
        }
        let open = self.dispute.filter(|dispute| dispute.since < week_end);
        Some(match open.filter(|dispute| dispute.settled.is_none_or(|settled| week < settled)) {
            None => State::Active,
            Some(Dispute { is_review: true, .. }) => State::Review,
            Some(Dispute { appealed: Some(at), .. }) if at < week_end => State::Appealed,
            Some(_) => State::Disputed,
        })
    }
}
