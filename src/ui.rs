//! The pages, written on the server and complete without scripts.
//!
//! A page calls one action, gets one snapshot, and says what it holds. Nothing that came in a query is ever shown.

pub mod app;
pub mod components;
pub mod context;
pub mod pages;
pub mod policy;
pub mod respond;
pub mod say;
pub mod shell;

pub use app::App;
pub use shell::shell;
