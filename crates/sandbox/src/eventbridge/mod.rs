//! EventBridge over the rules of the deployed template: what is put on the bus is matched, transformed and delivered.

pub(crate) mod bus;
pub(crate) mod runner;
pub(crate) mod template;
pub(crate) mod transformer;

pub use bus::Delivery;
pub use runner::Invocation;
