//! One week, gathered from streamed rows into what the comparisons need.
//!
//! Rows are read once and dropped. What is kept, in bytes an entry with its place in a table: an asset some 190 (its
//! texts are shared and come on top), a video 60 and its title, a claim 16 (and 10 while rows come), a channel 100, a
//! reference 110; and 8 for each row of an asset or video while rows come, by which repeated rows are known. So 79,000 assets, 1,000,000 videos with titles and 5,000,000 claims of a million uploaders stay
//! under 400 MiB together with the claims and videos of the week before; the example `week_memory` measures it.
//!
//! The order of rows changes nothing: a row that says again what one said before is counted and passed over, and where
//! rows of one thing disagree the larger number and the first text in the order of bytes stand.

mod gather;
mod hashing;
mod state;
#[cfg(test)]
mod tests;

pub use gather::{Gather, Source};
pub use state::{
    AssetState, ChannelState, ClaimEntry, ClaimState, Known, LengthCounts, ReferenceState, ReportFacts,
    SHORT_MATCH_SECONDS, Snapshot, VideoState,
};
