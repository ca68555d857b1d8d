//! The outside, made to fit the ports.

pub mod portone;
pub mod store;
pub mod system;
pub mod webhooks;
