//! PortOne's REST API V1.
//!
//! [`Client`] makes the calls, [`Payment`] is what PortOne knows about one attempt to pay. Nothing in here decides whether
//! an order is paid: that takes the order, and a caller who compares `merchant_uid`, `status`, `amount`, `currency` and
//! `sandbox` with it.
//!
//! The formats are those of <https://developers.portone.io/api/rest-v1>.

mod client;
mod envelope;
mod id;
mod payment;
mod token;

pub use client::{Client, ClientBuilder};
pub use id::{ImpUid, InvalidId, MerchantUid};
pub use payment::{CancelHistory, DepositHistory, Payment, Prepared, Promotion, Status};
