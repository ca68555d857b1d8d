//! The pages, written on the server and complete without scripts.
//!
//! A buyer's page calls one action, gets one snapshot, and says what it holds; a merchant's page reads what it lists. Nothing that
//! came in a redirect's query is shown to a buyer.

pub mod app;
pub mod calendar;
pub mod components;
pub mod context;
pub mod gallery;
pub mod pages;
pub mod policy;
pub mod respond;
pub mod say;
pub mod shell;

pub use app::App;
pub use pages::refusal::Refusal;
pub use shell::{gallery_shell, refusal_document, shell};
