//! The sandbox through its public doors: HTTP, and the Rust helpers that tests use.

#![expect(
    clippy::unwrap_used,
    reason = "a panic in a test's helper is the test's report"
)]

mod api;
mod cancel;
mod check;
mod check_shop;
mod control;
mod faults;
mod gateways;
mod schema;
mod shop;
mod support;
mod v2;
mod v2_control;
mod v2_schema;
mod v2_support;
mod v2_webhooks;
mod v2_window;
mod vbanks;
mod webhooks;
mod window;
