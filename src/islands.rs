//! The few live spots. Each improves something that works without it, and gets finished texts, never a catalogue.
//!
//! One source serves both builds, so there is no `cfg` here: the server draws an island's first state and never runs its
//! handlers and effects, the browser takes over from that state.

#![expect(
    missing_docs,
    reason = "#[island] writes a struct of its own and gives it no words"
)]

mod browser;
pub mod copy_button;
pub mod countdown;
pub mod pay_button;
pub mod status_watch;

pub use copy_button::CopyButton;
pub use countdown::Countdown;
pub use pay_button::PayButton;
pub use status_watch::StatusWatch;
