//! What the cleanup has to do so that partner assets carry their channel's custom ID.
//!
//! Three steps: [`Scan`] gathers the partner assets out of the rows of a video report, [`decide_from_report`] settles
//! what the report alone settles and names the rest as candidates for the live read, and [`decide`] judges each
//! candidate by its live value. [`carry_out`] is how the plan is then carried out. The custom ID decides who is paid, so every doubt ends in leaving a value alone.

mod asset;
pub mod carry_out;
mod decide;
mod guard;
mod overview;
mod plan_line;
mod replay;
mod scan;
#[cfg(test)]
mod tests;

pub use asset::{AssetEntry, Reported, Standing, VideoOfAsset};
pub use decide::{
    Decision, Live, LiveAsset, PlannedUpdate, Policy, UnknownPolicy, candidates, decide, decide_from_report,
};
pub use guard::{GuardTripped, check_overwrites};
pub use overview::{ChannelCounts, Overview, Overwrite};
pub use plan_line::{PlanLine, PlanLineError, UNDO};
pub use replay::{Replay, replay};
pub use scan::{Gathered, RowReject, Scan, ScanStats, Taken};
