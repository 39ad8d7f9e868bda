//! AppSync, YouTube, OAuth, S3 and EventBridge on 127.0.0.1 over one seeded world.
//!
//! The custom-ID workflow is rehearsed here: the real binaries talk to these servers over real sockets, and what they
//! leave behind is compared with what the world was made of. The crate shares no code with the tasks' library. Every
//! wire format is read a second time, from its description, so that a wrong field name fails a test instead of
//! agreeing with itself.
//!
//! [`Sandbox::start`] brings the servers up, [`Sandbox::env`] is the environment that a task needs to find them.

#![expect(
    clippy::similar_names,
    reason = "an asset among assets and an id among ids are the words of the field"
)]

mod appsync;
mod clock;
pub mod command;
mod eventbridge;
mod fault;
mod journal;
mod lock;
pub mod panel;
mod s3;
mod sandbox;
mod score;
mod signature;
pub mod weeks;
mod wire;
pub mod world;
mod youtube;

pub use eventbridge::{Delivery, Invocation};
pub use fault::{Fault, Faults, Match, Profile};
pub use journal::{Entry, Journal, Service};
pub use sandbox::{Options, Sandbox};
pub use score::{AssetScore, ChannelScore, Score, WrongAsset};
pub use world::{
    Asset, Expected, Kind, ReportRow, SheetChannel, Size, Standing, StoredChannel, StoredVideo, World,
    WorldBuilder,
};
pub use youtube::{AssetState, ClaimEvent, ClaimRecord, CredentialKind, ReportFile, VideoRecord, Write};
