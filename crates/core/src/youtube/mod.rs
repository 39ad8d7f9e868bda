//! YouTube: signing in ([`auth`]) and the Content ID API ([`content_id`]).

pub mod auth;
pub mod content_id;
mod google_error;
pub mod quota;

pub use auth::{Credentials, TokenCache};
pub use content_id::ContentId;
pub use quota::CallBudget;
