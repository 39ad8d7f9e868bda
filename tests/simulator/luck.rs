//! The luck of a schedule: which faults it knows, how often each strikes, and how often each did.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    LostBefore,
    LostAfter,
    Late,
    Duplicate,
    WrongEcho,
    WroteOther,
    Lie,
    Refused,
    Conflict,
    ServerError,
    Unreadable,
    RateLimited,
    Quota,
    Unauthorized,
    ApiDown,
    StoreDown,
    Kill,
    TornPart,
    Stop,
    Freeze,
    ClockJump,
    HandEdit,
    SecondRun,
    PlanNotRead,
}

/// Their names, in their order.
pub const NAMES: [&str; 24] = [
    "lost before",
    "lost after",
    "late",
    "delivered twice",
    "wrong echo",
    "wrote other",
    "lie",
    "refused",
    "conflict",
    "5xx",
    "unreadable",
    "rate",
    "quota",
    "unauthorized",
    "api down",
    "store down",
    "kill",
    "torn part",
    "stop",
    "freeze",
    "clock jump",
    "hand edit",
    "second run",
    "plan not read",
];

/// How often each struck.
pub type Thrown = [u64; NAMES.len()];

pub struct Luck {
    pub rng: ChaCha8Rng,
    per_10_000: [u32; NAMES.len()],
    pub thrown: Thrown,
    /// Every run has a better day than the one before, so that a schedule ends.
    pub ease: u32,
}

impl Luck {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut per_10_000 = [0; NAMES.len()];
        for rate in &mut per_10_000 {
            *rate = match rng.random_range(0..10) {
                0..=4 => 0,
                5..=7 => 150,
                8 => 600,
                _ => 2_000,
            };
        }
        let mut luck = Self { rng, per_10_000, thrown: [0; NAMES.len()], ease: 0 };
        // What ends a run is rare in each of its steps, or no run would come far.
        for fault in [Fault::Quota, Fault::Unauthorized] {
            luck.per_10_000[fault as usize] /= 20;
        }
        // What is asked for once a run strikes more often.
        for fault in [Fault::Kill, Fault::Stop, Fault::HandEdit, Fault::SecondRun, Fault::ClockJump] {
            luck.per_10_000[fault as usize] = luck.rng.random_range(0..3) * 3_000;
        }
        luck
    }

    /// Whether a fault strikes now.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.per_10_000[fault as usize] >> self.ease.min(16);
        let strikes = rate > 0 && self.rng.random_range(0..10_000) < rate;
        self.thrown[fault as usize] += u64::from(strikes);
        strikes
    }

    /// Takes a fault back that struck where nothing could come of it.
    pub fn forget(&mut self, fault: Fault) {
        self.thrown[fault as usize] -= 1;
    }

    /// Counts a fault that came to be.
    pub fn note(&mut self, fault: Fault) {
        self.thrown[fault as usize] += 1;
    }

    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from..=to)
    }

    pub fn one_in(&mut self, chances: u32) -> bool {
        self.rng.random_range(0..chances) == 0
    }
}
