#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod json;
mod transport;
pub mod v1;

pub use error::Error;
