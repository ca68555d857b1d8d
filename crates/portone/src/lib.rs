#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod fields;
mod json;
pub mod redirect;
pub mod retry;
mod segment;
mod token;
mod transport;
pub mod v1;
pub mod v2;
pub mod webhook;

pub use error::{Code, Error, Rejection};
pub use fields::Fields;
