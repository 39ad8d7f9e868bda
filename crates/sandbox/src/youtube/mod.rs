//! YouTube as the suite meets it: signing in and the Content ID API.

pub(crate) mod catalogue;
pub(crate) mod content_id;
pub(crate) mod credentials;
pub(crate) mod tokens;

pub use catalogue::{AssetState, Write};
pub use credentials::CredentialKind;
