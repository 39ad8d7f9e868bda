//! YouTube as the suite meets it: signing in, the Content ID API and the Reporting API.

pub(crate) mod catalogue;
pub(crate) mod claims;
pub(crate) mod content_id;
pub(crate) mod credentials;
mod fields;
pub(crate) mod reporting;
pub(crate) mod tokens;

pub use catalogue::{AssetState, Write};
pub use claims::{ClaimEvent, ClaimRecord};
pub use credentials::CredentialKind;
pub use reporting::ReportFile;
