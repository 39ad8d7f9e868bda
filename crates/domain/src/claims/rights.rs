//! The rights records of a week: what the rights management system says about who owns what where.

use jiff::civil::Date;

use super::platforms::KeyKind;
use crate::number::Decimal;
use crate::rights_record::{RightsRecord, Territory};

/// A record that is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// By what the work is known.
    pub kind: KeyKind,
    /// The work.
    pub key: String,
    /// Where the right is exercised, in small letters. Hostile text.
    pub platform: String,
    /// Where it holds.
    pub territory: Territory,
    /// Whose it is. Hostile text.
    pub owner: String,
    /// Percent.
    pub share: Decimal,
}

/// The records that hold on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsBook {
    /// The day.
    pub day: Date,
    /// What holds then.
    pub rights: Vec<Right>,
    /// Records read, those that do not hold on the day included.
    pub read: u64,
}

impl RightsBook {
    /// An empty book of a day.
    pub fn new(day: Date) -> Self {
        Self { day, rights: Vec::new(), read: 0 }
    }

    /// Adds a record; one that does not hold on the day is counted and not kept.
    pub fn add(&mut self, record: &RightsRecord<'_>) {
        self.read += 1;
        if !record.holds_on(self.day) {
            return;
        }
        let (kind, key) = KeyKind::of(record.key);
        self.rights.push(Right {
            kind,
            key,
            platform: record.platform.clone().into_owned(),
            territory: record.territory,
            owner: record.owner.clone().into_owned(),
            share: record.share,
        });
    }
}
