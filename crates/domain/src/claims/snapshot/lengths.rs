//! How long matches are.

/// Below this length a match is short: music matched by chance or by a sample is mostly shorter than 10 s.
pub const SHORT_MATCH_SECONDS: u32 = 10;

/// Lengths of matches in steps, in 60 bytes whatever their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LengthCounts(pub(super) [u32; STEP_COUNT]);

/// How many steps there are.
pub(super) const STEP_COUNT: usize = STEPS.len();

/// Where each step begins, in seconds: fine around the border of a short match, coarse above a song's refrain.
const STEPS: [u32; 15] = [0, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 1800];

impl LengthCounts {
    /// Counts a match.
    pub fn add(&mut self, seconds: u32) {
        let step = STEPS.iter().rposition(|start| *start <= seconds).unwrap_or_default();
        self.0[step] = self.0[step].saturating_add(1);
    }

    /// How many matches were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// How many of them are short.
    pub fn short(&self) -> u64 {
        STEPS
            .iter()
            .zip(self.0)
            .filter(|(start, _)| **start < SHORT_MATCH_SECONDS)
            .map(|(_, count)| u64::from(count))
            .sum()
    }

    /// Where the step of the middle match begins: the median, rounded down to a step.
    pub fn median_seconds(&self) -> Option<u32> {
        let middle = self.count().checked_sub(1)? / 2;
        let mut passed = 0;
        STEPS
            .iter()
            .zip(self.0)
            .find(|(_, count)| {
                passed += u64::from(*count);
                passed > middle
            })
            .map(|(start, _)| *start)
    }
}
