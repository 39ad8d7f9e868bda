//! The claims with the most at stake, kept while rows stream.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::weights::{Signs, Weights};
use crate::id::{ChannelId, ClaimId, VideoId};

/// So many are kept: far more than anybody is told of, so that what the week adds to a claim may still move it up.
pub const KEPT_CANDIDATES: usize = 2_000;

/// A claim that nobody disputes yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The claim.
    pub claim_id: ClaimId,
    /// Its asset's position in [`crate::claims::snapshot::Snapshot::assets`].
    pub asset: Option<u32>,
    /// The claimed video.
    pub video_id: Option<VideoId>,
    /// The channel of that video.
    pub channel_id: ChannelId,
    /// The video's views a day, the mean of its life.
    pub views_a_day: u64,
    /// What its own row says.
    pub signs: Signs,
    /// Whether somebody made it by hand.
    pub is_manual: bool,
}

/// The candidates so far: at most [`KEPT_CANDIDATES`] whatever the number of claims, the same ones whatever their order.
#[derive(Debug, Clone)]
pub struct Candidates {
    weights: Weights,
    /// By what is at stake, in the order of its bits, which is that of numbers not below nothing.
    heap: BinaryHeap<Reverse<(u64, Candidate)>>,
}

impl Candidates {
    /// None so far; `weights` say which row says more.
    pub fn new(weights: Weights) -> Self {
        Self { weights, heap: BinaryHeap::new() }
    }

    /// Whether a video with so many views a day at most can be among them at all: most claims need no closer look.
    pub fn may_take(&self, views_a_day: u64) -> bool {
        let is_full = self.heap.len() >= KEPT_CANDIDATES;
        let least = self.heap.peek().map_or(0, |Reverse((least, _))| *least);
        views_a_day > 0 && (!is_full || stake(views_a_day, 1.0) >= least)
    }

    /// Takes a claim, and drops the one with the least at stake where that is one too many.
    pub fn add(&mut self, candidate: Candidate) {
        let probability = self.weights.probability(candidate.is_manual, candidate.signs);
        let entry = Reverse((stake(candidate.views_a_day, probability), candidate));
        if self.heap.len() < KEPT_CANDIDATES {
            self.heap.push(entry);
        } else if self.heap.peek().is_some_and(|least| entry.0 > least.0) {
            self.heap.pop();
            self.heap.push(entry);
        }
    }

    /// All of them by id. Of rows that disagree about one claim that with the most views stands.
    pub(in crate::claims) fn into_vec(self) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> =
            self.heap.into_iter().map(|Reverse((_, candidate))| candidate).collect();
        candidates.sort_by(|a, b| {
            (&a.claim_id, Reverse(a.views_a_day), b).cmp(&(&b.claim_id, Reverse(b.views_a_day), a))
        });
        candidates.dedup_by(|later, first| later.claim_id == first.claim_id);
        candidates
    }
}

fn stake(views_a_day: u64, probability: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an order of estimates")]
    let views = views_a_day as f64;
    (views * probability).to_bits()
}
