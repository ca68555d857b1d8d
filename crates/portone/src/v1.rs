//! PortOne's REST API V1.
//!
//! [`Client`] makes the calls, [`Payment`] is what PortOne knows about one attempt to pay. Nothing in here decides whether
//! an order is paid: that takes the order, and a caller who compares `merchant_uid`, `status`, `amount`, `currency` and
//! `sandbox` with it.
//!
//! Amounts are exact decimals in the currency's major unit: `14.20` is $14.20. V2 counts in minor units.
//!
//! V1 has no idempotency keys. A call that must not be made twice ([`Client::cancel`], [`Client::issue_vbank`]) and gets no
//! proper answer ends with [`Error::FateUnknown`](crate::Error::FateUnknown): look at the payment before trying again.
//!
//! The formats are those of <https://developers.portone.io/api/rest-v1>.

mod cancel;
mod client;
mod envelope;
mod id;
mod list;
mod payment;
mod reference;
mod token;
mod vbank;

pub use cancel::{
    Cancel, CancelAmount, CancelTarget, InvalidPartAmount, PartAmount, RefundAccount, Requester,
};
pub use client::{Client, ClientBuilder};
pub use id::{ImpUid, InvalidId, MerchantUid};
pub use list::{Found, PaymentPage, Sorting, StatusFilter, StatusQuery};
pub use payment::{CancelHistory, DepositHistory, Payment, Prepared, Promotion, Status};
pub use reference::{Balance, BalanceHistory, BalancePart, BalanceParts, PgSetting, StandardCode};
pub use vbank::{Vbank, VbankChange};
