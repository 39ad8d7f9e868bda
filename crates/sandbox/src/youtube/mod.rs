//! YouTube as the suite meets it: signing in, the Content ID API, the Reporting API and the Data API.

pub(crate) mod catalogue;
pub(crate) mod claims;
pub(crate) mod content_id;
pub(crate) mod credentials;
pub(crate) mod data;
mod fields;
pub(crate) mod reporting;
pub(crate) mod tokens;

pub use catalogue::{AssetState, Write};
pub use claims::{ClaimEvent, ClaimRecord};
pub use credentials::CredentialKind;
pub use data::VideoRecord;
pub use reporting::ReportFile;
