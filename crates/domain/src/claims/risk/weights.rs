//! The table of weights.

use serde::{Deserialize, Serialize};

/// The table that is built in, as TOML: what reads it is no part of this crate.
pub const BUILT_IN: &str = include_str!("../../../data/dispute_weights.toml");

/// No weight is near this: it would make a rare thing sure.
const MAX_WEIGHT: f64 = 10.0;

/// A table that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// A base rate that is none.
    #[error("the base rate {name} is {value}; it lies between 0 and 1, both excluded")]
    Base {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// A weight that is none.
    #[error("the weight {name} is {value}; it lies between -{MAX_WEIGHT} and {MAX_WEIGHT}")]
    Weight {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
    },
}

/// How many claims are disputed that have no reason to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Of those that a match made.
    pub automatic: f64,
    /// Of those that somebody made.
    pub manual: f64,
}

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident = $field:ident,)*) => {
        /// A reason why a claim may be disputed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sign {
            $($(#[$doc])* $name,)*
        }

        impl Sign {
            /// All of them, in the order of the table.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// The reason's code.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($field),)*
                }
            }
        }

        /// What each reason adds to the log of the odds. A table without one of them, or with another, is refused: a
        /// name that was mistyped would count for nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct SignWeights {
            $($field: f64,)*
        }

        impl SignWeights {
            fn values(&self) -> [f64; Sign::ALL.len()] {
                [$(self.$field),*]
            }

            fn of(values: [f64; Sign::ALL.len()]) -> Self {
                let [$($field),*] = values;
                Self { $($field),* }
            }
        }
    };
}

signs! {
    /// The match is shorter than ten seconds.
    ShortMatch = short_match,
    /// The composition matches and not the recording.
    CompositionMatch = composition_match,
    /// The claim blocks the video somewhere.
    BlockPolicy = block_policy,
    /// The uploader disputes, or did so before.
    UploaderDisputed = uploader_disputed,
    /// The uploader is a partner.
    UploaderPartner = uploader_partner,
    /// Another owner contests the asset.
    OwnershipConflict = ownership_conflict,
    /// Claims of the asset were released.
    AssetReleased = asset_released,
    /// The video or its asset is viral this week.
    Viral = viral,
    /// The claim is young.
    YoungClaim = young_claim,
    /// The video may be a Short.
    Shorts = shorts,
}

/// The reasons of one claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signs(u16);

impl Signs {
    /// Adds a reason.
    pub fn add(&mut self, sign: Sign) {
        self.0 |= Self::bit(sign);
    }

    /// Whether a reason holds.
    pub fn has(self, sign: Sign) -> bool {
        self.0 & Self::bit(sign) != 0
    }

    /// The reasons, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Sign> {
        Sign::ALL.into_iter().filter(move |sign| self.has(*sign))
    }

    /// All sets of reasons there are, each at its [`Self::number`].
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..1 << Sign::ALL.len()).map(Self)
    }

    /// A number below that of all sets.
    pub(super) fn number(self) -> usize {
        usize::from(self.0)
    }

    fn bit(sign: Sign) -> u16 {
        Sign::ALL.iter().position(|one| *one == sign).map_or(0, |place| 1 << place)
    }

    /// The reasons by their codes; those that are unknown are passed over.
    pub fn named<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut signs = Self::default();
        for name in names {
            if let Some(sign) = Sign::ALL.into_iter().find(|sign| sign.name() == name) {
                signs.add(sign);
            }
        }
        signs
    }
}

/// The whole table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    base: Base,
    weights: SignWeights,
}

impl Weights {
    /// A table of these.
    pub fn new(base: Base, weights: [f64; Sign::ALL.len()]) -> Self {
        Self { base, weights: SignWeights::of(weights) }
    }

    /// The same table, if it can be used.
    pub fn checked(self) -> Result<Self, WeightsError> {
        for (name, value) in [("automatic", self.base.automatic), ("manual", self.base.manual)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(WeightsError::Base { name, value });
            }
        }
        for (sign, value) in Sign::ALL.into_iter().zip(self.values()) {
            if !(-MAX_WEIGHT..=MAX_WEIGHT).contains(&value) {
                return Err(WeightsError::Weight { name: sign.name(), value });
            }
        }
        Ok(self)
    }

    /// The weights in the order of [`Sign::ALL`].
    pub fn values(&self) -> [f64; Sign::ALL.len()] {
        self.weights.values()
    }

    /// The base rates.
    pub fn base(&self) -> Base {
        self.base
    }

    /// How likely a dispute is of a claim without a reason.
    pub fn base_rate(&self, is_manual: bool) -> f64 {
        if is_manual { self.base.manual } else { self.base.automatic }
    }

    /// How likely a dispute is.
    pub fn probability(&self, is_manual: bool, signs: Signs) -> f64 {
        let sum: f64 = Sign::ALL
            .into_iter()
            .zip(self.values())
            .filter_map(|(sign, weight)| signs.has(sign).then_some(weight))
            .sum();
        sigmoid(logit(self.base_rate(is_manual)) + sum)
    }
}

/// The log of the odds.
pub(super) fn logit(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// The way back.
pub(super) fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
