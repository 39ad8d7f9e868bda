//! The shared library of the maintenance tasks: everything that touches the outside.
//!
//! [`transport`] is the only code that sends HTTP, waits or retries; [`task`] is the only code that reads the
//! environment and the wall clock. No type of a wire format leaves its module.

pub mod aws;
pub mod eventbridge;
#[doc(hidden)]
pub mod fuzzing;
pub mod graphql;
pub mod mail;
pub mod store;
pub mod task;
pub mod transport;
pub mod youtube;
