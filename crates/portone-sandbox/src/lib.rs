#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod api;
mod assets;
pub mod check;
mod checkout;
mod clock;
mod confirm;
mod control;
mod fault;
mod gateway;
mod html;
mod index;
mod journal;
mod later;
mod ledger;
mod net;
mod record;
mod rng;
mod router;
mod sandbox;
pub mod scenario;
mod state;
mod timer;
mod token;
mod v2;
mod webhook;
mod window;

pub use journal::{Event, JournalEntry};
pub use sandbox::{Builder, Error, Sandbox};
pub use state::ChannelKind;
pub use v2::WebhookVersion;
pub use webhook::{WebhookFormat, WebhookMode};
