//! The claims with the most at stake, and some that the lot falls on, kept while rows stream.
//!
//! What is learnt from the claims with the most at stake holds for them. So others are drawn by lot beside them, each
//! with the same chance, and are looked after like them: what happens to them says how often claims are disputed at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::outcome::is_due;
use super::weights::{Signs, Weights};
use crate::claims::week::Week;
use crate::id::{ChannelId, ClaimId, VideoId};

/// So many are kept: far more than anybody is told of, so that what the week adds to a claim may still move it up.
pub const KEPT_CANDIDATES: usize = 2_000;

/// So many are drawn a week at most: at the base rate five of them are disputed.
pub const DRAWN_CANDIDATES: usize = 1_000;

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
    /// Whether it is one of those with the most at stake.
    pub is_ranked: bool,
    /// Whether the lot fell on it.
    pub is_drawn: bool,
}

/// The candidates so far: at most [`KEPT_CANDIDATES`] and [`DRAWN_CANDIDATES`] whatever the number of claims, the same
/// ones whatever their order.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// How likely a dispute is by the number of the reasons: of claims that a match made, and of those that somebody did.
    probabilities: [Vec<f64>; 2],
    /// The highest of them.
    most: f64,
    week: Week,
    /// With what is at stake, in the order of its bits, which is that of numbers not below nothing: up to twice as many
    /// as are kept, so that those with the least go together and not one by one.
    ranked: Vec<(u64, Candidate)>,
    /// What is at stake at least, once there are enough.
    least: u64,
    /// Those with the lowest lots.
    drawn: BinaryHeap<(u64, Candidate)>,
}

impl Candidates {
    /// None so far of a week; `weights` say which row says more.
    pub fn new(weights: Weights, week: Week) -> Self {
        let probabilities = [false, true]
            .map(|is_manual| Signs::all().map(|signs| weights.probability(is_manual, signs)).collect());
        let most = probabilities.iter().flatten().copied().fold(0.0, f64::max);
        Self { probabilities, most, week, ranked: Vec::new(), least: 0, drawn: BinaryHeap::new() }
    }

    /// Whether a claim by its fingerprint, on a video with so many views a day at most, can be among them at all: most
    /// claims need no closer look.
    pub fn may_take(&self, views_a_day: u64, key: u64) -> bool {
        self.may_rank(views_a_day, self.most) || self.may_draw(key)
    }

    /// The same once its reasons are known.
    pub fn may_take_with(&self, views_a_day: u64, is_manual: bool, signs: Signs, key: u64) -> bool {
        self.may_rank(views_a_day, self.probability(is_manual, signs)) || self.may_draw(key)
    }

    fn may_rank(&self, views_a_day: u64, probability: f64) -> bool {
        views_a_day > 0 && stake(views_a_day, probability) >= self.least
    }

    fn probability(&self, is_manual: bool, signs: Signs) -> f64 {
        let [automatic, manual] = &self.probabilities;
        let of = if is_manual { manual } else { automatic };
        of.get(signs.number()).copied().unwrap_or_default()
    }

    fn may_draw(&self, key: u64) -> bool {
        let is_full = self.drawn.len() >= DRAWN_CANDIDATES;
        is_due(key, self.week)
            && (!is_full || self.drawn.peek().is_some_and(|(most, _)| lot(key, self.week) <= *most))
    }

    /// Takes a claim, and drops the one with the least at stake where that is one too many, and the highest lot.
    pub fn add(&mut self, candidate: Candidate, key: u64) {
        if self.may_draw(key) {
            let drawn = Candidate { is_drawn: true, is_ranked: false, ..candidate.clone() };
            self.drawn.push((lot(key, self.week), drawn));
            if self.drawn.len() > DRAWN_CANDIDATES {
                self.drawn.pop();
            }
        }
        if candidate.views_a_day == 0 {
            return;
        }
        let probability = self.probability(candidate.is_manual, candidate.signs);
        let ranked = Candidate { is_drawn: false, is_ranked: true, ..candidate };
        self.ranked.push((stake(ranked.views_a_day, probability), ranked));
        if self.ranked.len() >= 2 * KEPT_CANDIDATES {
            self.keep_most();
        }
    }

    /// Lets those go that are too many.
    fn keep_most(&mut self) {
        if let Some(last) = KEPT_CANDIDATES.checked_sub(1).filter(|last| *last < self.ranked.len()) {
            let (_, (least, _), _) = self.ranked.select_nth_unstable_by(last, |a, b| b.cmp(a));
            self.least = *least;
            self.ranked.truncate(KEPT_CANDIDATES);
        }
    }

    /// All of them by id. Of rows that disagree about one claim that with the most views stands.
    pub(in crate::claims) fn into_vec(mut self) -> Vec<Candidate> {
        self.keep_most();
        let ranked = self.ranked.into_iter().map(|(_, candidate)| candidate);
        let mut candidates: Vec<Candidate> =
            ranked.chain(self.drawn.into_iter().map(|(_, candidate)| candidate)).collect();
        candidates.sort_by(|a, b| {
            (&a.claim_id, Reverse(a.views_a_day), b).cmp(&(&b.claim_id, Reverse(b.views_a_day), a))
        });
        candidates.dedup_by(|later, first| {
            let is_same = later.claim_id == first.claim_id;
            if is_same {
                first.is_ranked |= later.is_ranked;
                first.is_drawn |= later.is_drawn;
            }
            is_same
        });
        candidates
    }
}

/// A claim's number in a week's lottery: another order each week (the finishing mix of `SplitMix64`, public domain).
fn lot(key: u64, week: Week) -> u64 {
    let turn = u64::from(week.number().unsigned_abs());
    let mut lot = key ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    lot = (lot ^ (lot >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    lot = (lot ^ (lot >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    lot ^ (lot >> 31)
}

fn stake(views_a_day: u64, probability: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an order of estimates")]
    let views = views_a_day as f64;
    (views * probability).to_bits()
}
