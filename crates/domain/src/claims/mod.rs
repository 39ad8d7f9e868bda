//! The weekly analysis: one week's reports and the weeks before them come in, a digest goes out. All of it pure.
//!
//! [`snapshot`] gathers a week from streamed rows; [`changes`] and [`movers`] compare weeks; [`quality`] says whether
//! the week can be believed; [`viral`] which series surged beyond their habit; [`risk`] which claims may be disputed;
//! [`alert`] is the frame that every finding is put into; [`live`] says what of it can be asked for today; [`digest`] holds
//! what a renderer needs. A week that is missing is a gap, never a zero, and views and engaged views are never mixed.
pub mod alert;
pub mod changes;
pub mod cross_platform;
pub mod digest;
pub mod disputes;
pub mod engagement;
pub mod links;
pub mod live;
pub mod mismatch;
pub mod movers;
pub mod outlook;
pub mod platform_habits;
pub mod platforms;
pub mod quality;
mod recordings;
pub mod rights;
pub mod rights_conflicts;
pub mod risk;
pub mod snapshot;
pub mod strings;
mod tails;
pub mod unusual;
pub mod viral;
pub mod week;
#[cfg(test)]
mod world;
