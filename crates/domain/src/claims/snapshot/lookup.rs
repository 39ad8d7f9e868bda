//! What a week says of a single claim.

use super::claim_state::{ClaimEntry, ClaimState};
use super::hashing::fingerprint;
use super::state::Snapshot;
use crate::id::ClaimId;

/// The number that a claim is known by in a week.
pub(in crate::claims) fn claim_key(id: &ClaimId) -> u64 {
    fingerprint(id.as_bytes())
}

impl Snapshot {
    /// How a claim stands; none where the claim report does not have it.
    pub fn claim_state(&self, id: &ClaimId) -> Option<ClaimState> {
        let found = self.claims.binary_search_by_key(&claim_key(id), ClaimEntry::key).ok()?;
        self.claims.get(found).map(ClaimEntry::state)
    }
}
