//! Webhooks of V2, in both versions of the body that PortOne's console offers.
//!
//! Both may be signed: verify with [`Verifier`](super::Verifier) before reading.
//!
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>

use std::fmt;

use jiff::Timestamp;

use super::{Body, BodyError};
use crate::{
    Fields,
    fields::Value,
    v2::{PaymentId, TransactionId, open_enum::open_enum},
};

const TYPE: &str = "type";
const TIMESTAMP: &str = "timestamp";
const DATA: &str = "data";
const STORE_ID: &str = "storeId";
const PAYMENT_ID: &str = "paymentId";
const TRANSACTION_ID: &str = "transactionId";
const CANCELLATION_ID: &str = "cancellationId";
const BILLING_KEY: &str = "billingKey";
const TOTAL_AMOUNT: &str = "totalAmount";

/// What comes before the full stop of a `type`.
const TRANSACTION: &str = "Transaction";
const BILLING: &str = "BillingKey";

/// The names of version 2024-01-01.
mod old {
    pub(super) const PAYMENT_ID: &str = "payment_id";
    pub(super) const TRANSACTION_ID: &str = "tx_id";
    pub(super) const STATUS: &str = "status";
    pub(super) const TOTAL_AMOUNT: &str = "total_amount";
}

/// The version of a webhook's body, as the merchant chose it in PortOne's console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyVersion {
    /// `2024-01-01`: `{"payment_id", "tx_id", "status"}`, as JSON or as a form.
    V2024_01_01,
    /// `2024-04-25`: `{"type", "timestamp", "data"}`, as JSON.
    V2024_04_25,
}

/// PortOne says that something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Something happened to a payment: `Transaction.…`, and every webhook of version 2024-01-01.
    Transaction(TransactionEvent),
    /// Something happened to a billing key: `BillingKey.…`.
    BillingKey(BillingKeyEvent),
    /// Anything else. PortOne adds types without notice; such a webhook is answered with 200 and left alone.
    Unrecognized(UnrecognizedEvent),
}

/// Something happened to a payment.
///
/// There is no amount in it, and it may be overtaken by a later one: fetch the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionEvent {
    /// The version of the body.
    pub version: BodyVersion,
    /// What happened.
    pub what: TransactionChange,
    /// The merchant's id of the payment.
    pub payment_id: PaymentId,
    /// PortOne's id of the attempt to pay. PortOne always sends it.
    pub transaction_id: Option<TransactionId>,
    /// The merchant's store. Not in version 2024-01-01.
    pub store_id: Option<String>,
    /// The cancellation, if it was one. Not in version 2024-01-01.
    pub cancellation_id: Option<String>,
    /// When it happened; the same in every repetition. Not in version 2024-01-01.
    pub timestamp: Option<Timestamp>,
    /// Every other field, of the body and of its `data`.
    pub other: Fields,
}

/// Something happened to a billing key.
///
/// `Debug` leaves out the key: with it and the API secret money can be taken.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BillingKeyEvent {
    /// What happened.
    pub what: BillingKeyChange,
    /// The billing key.
    pub billing_key: Option<String>,
    /// The merchant's store.
    pub store_id: Option<String>,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// Every other field, of the body and of its `data`.
    pub other: Fields,
}

/// Something that this crate has no name for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnrecognizedEvent {
    /// PortOne's `type`.
    pub type_name: String,
    /// When it happened.
    pub timestamp: Option<Timestamp>,
    /// Every other field; `data` is JSON.
    pub other: Fields,
}

open_enum! {
    /// What happened to a payment: the `type` without `Transaction.`, or the `status` of version 2024-01-01.
    TransactionChange {
        /// The payment window was opened.
        Ready = "Ready",
        /// It was paid, or a deposit arrived.
        Paid = "Paid",
        /// An account to deposit to was issued. Nothing is paid.
        VirtualAccountIssued = "VirtualAccountIssued",
        /// Part of it was given back.
        PartialCancelled = "PartialCancelled",
        /// All of it was given back.
        Cancelled = "Cancelled",
        /// It failed. Not final: the buyer may try again.
        Failed = "Failed",
        /// The buyer is done and the PG is not.
        PayPending = "PayPending",
        /// A cancellation was asked for and is not done.
        CancelPending = "CancelPending",
        /// The buyer disputes it.
        DisputeCreated = "DisputeCreated",
        /// The dispute is over.
        DisputeResolved = "DisputeResolved",
        /// May it go on? Read this one with [`parse_confirm`].
        Confirm = "Confirm",
    }
}

open_enum! {
    /// What happened to a billing key: the `type` without `BillingKey.`.
    BillingKeyChange {
        /// The window for it was opened.
        Ready = "Ready",
        /// It was issued.
        Issued = "Issued",
        /// It was not issued.
        Failed = "Failed",
        /// It was deleted.
        Deleted = "Deleted",
        /// It was changed.
        Updated = "Updated",
    }
}

/// Reads a webhook of either version. `content_type` is the header's value.
///
/// ```
/// use portone::webhook::v2::{self, Event, TransactionChange};
///
/// let body = br#"{"type":"Transaction.Paid","timestamp":"2024-04-25T10:00:00.000Z","data":{
///     "storeId":"store-1","paymentId":"order-1001","transactionId":"019000aa-0000-7000-8000-000000000001"}}"#;
///
/// let Event::Transaction(event) = v2::parse(Some("application/json"), body)? else {
///     return Ok(()); // a billing key, or something PortOne has added: answer 200
/// };
/// assert_eq!(event.what, TransactionChange::Paid);
/// assert_eq!(event.payment_id.as_str(), "order-1001");
/// # Ok::<(), portone::webhook::BodyError>(())
/// ```
///
/// # Errors
/// [`BodyError`], if the payment of something known is missing, or an id cannot be one. What is unknown is none.
pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Event, BodyError> {
    let body = Body::parse(content_type, body)?;
    if body.field(TYPE).is_none() {
        return parse_2024_01_01(&body).map(Event::Transaction);
    }
    let type_name = body.required(TYPE, text)?;
    match type_name.split_once('.') {
        Some((TRANSACTION, what)) => {
            let what = TransactionChange::from(what.to_owned());
            match (transaction(&body, &what), what) {
                (Err(_), TransactionChange::Unrecognized(_)) => Ok(unrecognized(&body, type_name)),
                (event, _) => event.map(Event::Transaction),
            }
        }
        Some((BILLING, what)) => {
            let what = BillingKeyChange::from(what.to_owned());
            match (billing_key(&body, &what), what) {
                (Err(_), BillingKeyChange::Unrecognized(_)) => Ok(unrecognized(&body, type_name)),
                (event, _) => event.map(Event::BillingKey),
            }
        }
        _ => Ok(unrecognized(&body, type_name)),
    }
}

fn parse_2024_01_01(body: &Body) -> Result<TransactionEvent, BodyError> {
    let known = [old::PAYMENT_ID, old::TRANSACTION_ID, old::STATUS];
    Ok(TransactionEvent {
        version: BodyVersion::V2024_01_01,
        what: TransactionChange::from(body.required(old::STATUS, text)?),
        payment_id: body.required(old::PAYMENT_ID, PaymentId::parse)?,
        transaction_id: body.optional(old::TRANSACTION_ID, TransactionId::parse)?,
        store_id: None,
        cancellation_id: None,
        timestamp: None,
        other: body.others(&known).collect(),
    })
}

fn transaction(body: &Body, what: &TransactionChange) -> Result<TransactionEvent, BodyError> {
    let data = data(body)?;
    let known = [STORE_ID, PAYMENT_ID, TRANSACTION_ID, CANCELLATION_ID];
    Ok(TransactionEvent {
        version: BodyVersion::V2024_04_25,
        what: what.clone(),
        payment_id: data.required(PAYMENT_ID, PaymentId::parse)?,
        transaction_id: data.optional(TRANSACTION_ID, TransactionId::parse)?,
        store_id: data.text(STORE_ID),
        cancellation_id: data.text(CANCELLATION_ID),
        timestamp: timestamp(body),
        other: around(body).chain(data.others(&known)).collect(),
    })
}

fn billing_key(body: &Body, what: &BillingKeyChange) -> Result<BillingKeyEvent, BodyError> {
    let data = data(body)?;
    let known = [STORE_ID, BILLING_KEY];
    Ok(BillingKeyEvent {
        what: what.clone(),
        billing_key: data.text(BILLING_KEY),
        store_id: data.text(STORE_ID),
        timestamp: timestamp(body),
        other: around(body).chain(data.others(&known)).collect(),
    })
}

fn unrecognized(body: &Body, type_name: String) -> Event {
    Event::Unrecognized(UnrecognizedEvent {
        type_name,
        timestamp: timestamp(body),
        other: body.others(&[TYPE, TIMESTAMP]).collect(),
    })
}

/// PortOne asks whether a payment may go on, just before it is approved.
///
/// Answer within 5 s: 200 lets it go on, anything else stops it, and the body `{"errorMessage": "…"}` tells why.
///
/// <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v2>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirm {
    /// The version of the body.
    pub version: BodyVersion,
    /// The merchant's id of the payment.
    pub payment_id: PaymentId,
    /// PortOne's id of the attempt to pay. PortOne always sends it.
    pub transaction_id: Option<TransactionId>,
    /// What is about to be paid, in the currency's minor unit. Its currency is not said.
    pub total_amount: i64,
    /// The merchant's store. Not in version 2024-01-01.
    pub store_id: Option<String>,
    /// When it was asked. Not in version 2024-01-01.
    pub timestamp: Option<Timestamp>,
    /// Every other field, of the body and of its `data`.
    pub other: Fields,
}

/// Reads the question of the confirm process, in either version.
///
/// # Errors
/// [`BodyError`], if it is no such question, if the payment or the amount is missing or is none, or the transaction is
/// none.
pub fn parse_confirm(content_type: Option<&str>, body: &[u8]) -> Result<Confirm, BodyError> {
    let body = Body::parse(content_type, body)?;
    if body.field(TYPE).is_none() {
        let known = [old::PAYMENT_ID, old::TRANSACTION_ID, old::TOTAL_AMOUNT];
        return Ok(Confirm {
            version: BodyVersion::V2024_01_01,
            payment_id: body.required(old::PAYMENT_ID, PaymentId::parse)?,
            transaction_id: body.optional(old::TRANSACTION_ID, TransactionId::parse)?,
            total_amount: body.required(old::TOTAL_AMOUNT, minor_units)?,
            store_id: None,
            timestamp: None,
            other: body.others(&known).collect(),
        });
    }
    if body.required(TYPE, text)?.split_once('.') != Some((TRANSACTION, "Confirm")) {
        return Err(BodyError::Invalid(TYPE));
    }
    let data = data(&body)?;
    let known = [STORE_ID, PAYMENT_ID, TRANSACTION_ID, TOTAL_AMOUNT];
    Ok(Confirm {
        version: BodyVersion::V2024_04_25,
        payment_id: data.required(PAYMENT_ID, PaymentId::parse)?,
        transaction_id: data.optional(TRANSACTION_ID, TransactionId::parse)?,
        total_amount: data.required(TOTAL_AMOUNT, minor_units)?,
        store_id: data.text(STORE_ID),
        timestamp: timestamp(&body),
        other: around(&body).chain(data.others(&known)).collect(),
    })
}

impl fmt::Debug for BillingKeyEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BillingKeyEvent")
            .field("what", &self.what)
            .field("store_id", &self.store_id)
            .field("timestamp", &self.timestamp)
            .field("other", &self.other)
            .finish_non_exhaustive()
    }
}

fn data(body: &Body) -> Result<Body, BodyError> {
    let field = body.field(DATA).ok_or(BodyError::Missing(DATA))?;
    match &field.value {
        Value::Json(json) => Body::parse_object(json.as_bytes()).map_err(|error| match error {
            BodyError::NotAnObject => BodyError::Invalid(DATA),
            other => other,
        }),
        Value::Text(_) | Value::Number(_) => Err(BodyError::Invalid(DATA)),
    }
}

/// The fields beside `data` that have no meaning here.
fn around(body: &Body) -> impl Iterator<Item = &crate::fields::Field> {
    body.others(&[TYPE, TIMESTAMP, DATA])
}

/// A time that nothing depends on.
fn timestamp(body: &Body) -> Option<Timestamp> {
    body.text(TIMESTAMP)?.parse().ok()
}

fn text(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

/// Digits alone: `parse` would also take a sign.
fn minor_units(digits: &str) -> Result<i64, BodyError> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
        .ok_or(BodyError::Invalid(TOTAL_AMOUNT))
}
