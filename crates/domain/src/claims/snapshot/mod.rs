//! One week, gathered from streamed rows into what the comparisons need.
//!
//! Rows are read once and dropped. What is kept, in bytes an entry: an asset some 170 and its texts, which are shared;
//! a video 48 and its title; a claim 12; an uploader 48; a reference 92. While rows come there are besides 5 to 10 for
//! each entry to find it again (a claim then takes 20 to 25 in all), 8 for each row of an asset or video by which
//! repeated rows are known, and some 50 for each asset of the database's videos ([`DatabaseVideos`]), which are no part of the week.
//! A week that was kept ([`Snapshot::keep`]) comes back without titles of videos and without most uploaders; it is to
//! be recalled when the new week is finished and not before. The example `week_memory` measures all of it for 79,000
//! assets, 1,000,000 videos and 5,000,000 claims of 1,000,000 uploaders.
//!
//! The order of rows changes nothing: a row that says again what one said before is counted and passed over, and where
//! rows of one thing disagree the larger number and the first text in the order of bytes stand.

mod claim_state;
mod database;
mod gather;
mod hashing;
mod kept;
mod lengths;
mod lookup;
mod state;
#[cfg(test)]
mod tests;

pub use claim_state::{ClaimEntry, ClaimState, OpenClaim, OpenStatus};
pub use database::DatabaseVideos;
pub use gather::{Both, ClaimRows, Gather, InTurn, RowReader, Source, VideoRows};
pub use kept::{KEPT_CLAIMS, KeptError};
pub use lengths::{LengthCounts, SHORT_MATCH_SECONDS};
pub(in crate::claims) use lookup::claim_key;
pub use state::{
    AssetState, ChannelState, ContestedVideo, Known, OwnChannel, ReferenceState, ReportFacts, Snapshot,
    UploaderState, VideoState,
};
