//! The whole app on real databases.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is the report"
)]

mod app;
mod imports;
mod payments;
mod shop;
mod store;
mod support;
