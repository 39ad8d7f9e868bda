//! YouTube: signing in ([`auth`]), the Content ID API ([`content_id`], [`claims`]), the Reporting API ([`reporting`])
//! and the Data API ([`data`]).

mod address;
pub mod auth;
pub mod claims;
pub mod content_id;
pub mod data;
pub(crate) mod google_error;
pub mod quota;
pub mod reporting;

pub use auth::{Credentials, TokenCache};
pub use claims::Claims;
pub use content_id::ContentId;
pub use data::Videos;
pub use quota::CallBudget;
pub use reporting::Reporting;
