//! Looking at a completion server from outside, over HTTP: what `portone-sandbox check` does.
//!
//! [`Wanryo`] knows the public face of wanryo, [`RulesTarget`] any other server, by a file that says how to talk to it.
//! Both wait for real when they are told to let time pass.

mod http;
mod rules;
mod select;
mod server;
mod wanryo;

pub use rules::{Rules, RulesError, RulesTarget};
pub use select::{SelectError, select};
pub use server::{Server, ServerError, ServerKind};
pub use wanryo::{PATIENCE, Wanryo};
