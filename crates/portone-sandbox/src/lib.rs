#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod api;
mod assets;
mod checkout;
mod clock;
mod control;
mod fault;
mod html;
mod index;
mod journal;
mod ledger;
mod net;
mod record;
mod rng;
mod router;
mod sandbox;
mod state;
mod token;
mod webhook;
mod window;

pub use journal::{Event, JournalEntry};
pub use sandbox::{Builder, Error, Sandbox};
pub use state::ChannelKind;
pub use webhook::{WebhookFormat, WebhookMode};
