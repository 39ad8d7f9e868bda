//! Chance that follows from a seed and a place: any part of a catalogue is made without the parts before it.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers (`SplitMix64`).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The stream of a place.
    pub(super) fn at(seed: u64, place: &[u64]) -> Self {
        Self(
            place
                .iter()
                .fold(mixed(seed ^ STEP), |state, part| mixed(state.wrapping_add(STEP) ^ mixed(*part))),
        )
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// From 0, 1 left out.
    pub(super) fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `count`, which is not 0.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.number() % count.max(1)
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// About normal, and within 6 of its deviations.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Letters of which the ids of videos and channels are made.
    pub(super) fn letters(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| {
                let at = usize::try_from(self.below(64)).unwrap_or_default();
                LETTERS.get(at).copied().map_or('A', char::from)
            })
            .collect()
    }
}

fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number of views or claims: rounded, and never below 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is counted here is far below 2^53, and checked not to be negative"
)]
pub(super) fn count(number: f64) -> u64 {
    if number > 0.0 { number.round() as u64 } else { 0 }
}
