//! The sandbox through its public doors: HTTP, and the Rust helpers that tests use.

#![expect(
    clippy::unwrap_used,
    reason = "a panic in a test's helper is the test's report"
)]

mod api;
mod control;
mod faults;
mod support;
mod webhooks;
mod window;
