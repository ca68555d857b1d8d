//! PortOne's REST API V2.
//!
//! [`Client`] makes the calls, [`Payment`] is what PortOne knows about a payment. Nothing in here decides whether an order
//! is paid: that takes the order, and a caller who compares `id`, `state`, `amount.total`, `currency`, `channel` and
//! `store_id` with it.
//!
//! Amounts are whole numbers in the currency's minor unit (ISO 4217): 1420 is $14.20 and ₩1,420. V1 counts in major units.
//!
//! Every call that changes something takes an [`IdempotencyKey`]. Whoever is left without an answer makes the very same call
//! again within three hours, with the same key, and what was asked for happens once.
//!
//! The formats are those of <https://developers.portone.io/api/rest-v2>.

mod answer;
mod calls;
mod client;
mod details;
mod error_type;
mod history;
mod id;
mod idempotency;
mod list;
mod method;
pub(crate) mod open_enum;
mod payment;
mod request;
mod token;

pub use calls::Bank;
pub use client::{Authentication, Client, ClientBuilder};
pub use details::{CashReceipt, Customer, Origin, Product};
pub use error_type::ErrorType;
pub use history::{
    Cancellation, CancellationStatus, Dispute, DisputeStatus, WebhookRecord, WebhookStatus,
};
pub use id::{CancellationId, InvalidId, PaymentId, TransactionId};
pub use idempotency::{IdempotencyKey, InvalidIdempotencyKey};
pub use list::{
    Filter, FilterStatus, Page, Payments, SortBy, SortOrder, TextSearch, TimestampType,
};
pub use method::{Card, EasyPayMethod, Method, RefundStatus, Transfer, VirtualAccount};
pub use payment::{Amount, Channel, ChannelType, Failure, Payment, State, Version};
pub use request::{
    Cancel, CancelAmount, Confirm, Confirmed, PreRegister, PromotionDiscountRetainOption,
    RefundAccount, Requester,
};
