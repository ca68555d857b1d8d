//! wanryo (완료): the moment a payment is done.
//!
//! This file alone says what is compiled where. The browser gets [`islands`] and nothing else; everything that can touch a
//! payment lives on the server.

// A page is one nested type in Leptos, deeper than the compiler's default of 128.
#![recursion_limit = "256"]

pub mod islands;

#[cfg(feature = "ssr")]
pub mod actions;
#[cfg(feature = "ssr")]
pub mod adapters;
#[cfg(feature = "ssr")]
pub mod cli;
#[cfg(feature = "ssr")]
pub mod compose;
#[cfg(feature = "ssr")]
pub mod config;
#[cfg(feature = "ssr")]
pub mod demo;
#[cfg(feature = "ssr")]
pub mod developer;
#[cfg(feature = "ssr")]
pub mod doctor;
#[cfg(feature = "ssr")]
pub mod domain;
#[cfg(feature = "ssr")]
pub mod i18n;
#[cfg(feature = "ssr")]
pub mod ports;
#[cfg(feature = "ssr")]
pub mod service;
#[cfg(feature = "ssr")]
pub mod telemetry;
#[cfg(feature = "ssr")]
pub mod ui;
#[cfg(feature = "ssr")]
pub mod web;
#[cfg(feature = "ssr")]
pub mod worker;

/// Target of the spans that traces are made of, at the level of `trace`: requests, looks at PortOne, calls to it, and events that
/// are sent. They have no ids of orders and nothing of a person.
#[cfg(feature = "ssr")]
pub const TRACES: &str = "wanryo::traces";

#[cfg(all(feature = "ssr", not(feature = "otel")))]
pub use telemetry::Untraced as Traces;
#[cfg(feature = "otel")]
pub use traces::Traces;

/// Starts the islands. Called by the script that [`leptos::hydration::HydrationScripts`] writes.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
