//! Webhooks of V1: unsigned, so nothing in them is true until PortOne was asked.
//!
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>

use rust_decimal::Decimal;

use super::{Body, BodyError};
use crate::{
    Fields,
    json::exact_decimal,
    v1::{ImpUid, MerchantUid, Status},
};

const IMP_UID: &str = "imp_uid";
const MERCHANT_UID: &str = "merchant_uid";
const STATUS: &str = "status";
const CANCELLATION_ID: &str = "cancellation_id";
const AMOUNT: &str = "amount";

/// Somebody says that something happened to a payment.
///
/// Anybody can post this. Use it to ask PortOne with [`Client::payment`](crate::v1::Client::payment) or
/// [`Client::payments_of`](crate::v1::Client::payments_of); a webhook about ids that PortOne does not know is what the
/// console's test button sends, and is answered with 200 as well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The merchant's order number.
    pub merchant_uid: MerchantUid,
    /// PortOne's id of the attempt to pay. PortOne always sends it.
    pub imp_uid: Option<ImpUid>,
    /// What the payment was when the webhook was first sent. A repetition says the same, whatever happened since.
    pub claimed_status: Option<Status>,
    /// The cancellation, if it was one.
    pub cancellation_id: Option<String>,
    /// Everything else, such as `event` and `extra` of an escrow.
    pub other: Fields,
}

/// Reads a webhook. `content_type` is the header's value; PortOne's console lets the merchant choose between
/// `application/json` and `application/x-www-form-urlencoded`.
///
/// ```
/// use portone::{v1::Status, webhook::v1};
///
/// let event = v1::parse(
///     Some("application/json"),
///     br#"{"imp_uid":"imp_123456789012","merchant_uid":"ORD-1","status":"paid"}"#,
/// )?;
/// assert_eq!(event.merchant_uid.as_str(), "ORD-1");
/// assert_eq!(event.claimed_status, Some(Status::Paid));
/// # Ok::<(), portone::webhook::BodyError>(())
/// ```
///
/// # Errors
/// [`BodyError`], if there is no `merchant_uid`, or an id cannot be one. An unknown status is none.
pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Event, BodyError> {
    let body = Body::parse(content_type, body)?;
    Ok(Event {
        merchant_uid: body.required(MERCHANT_UID, MerchantUid::parse)?,
        imp_uid: body.optional(IMP_UID, ImpUid::parse)?,
        claimed_status: body.text(STATUS).map(Status::from),
        cancellation_id: body.text(CANCELLATION_ID),
        other: body
            .others(&[MERCHANT_UID, IMP_UID, STATUS, CANCELLATION_ID])
            .collect(),
    })
}

/// Somebody asks whether a payment may go on, just before it is approved.
///
/// Answer within 5 s: 200 lets it go on, anything else stops it, and the body `{"reason": "…"}` tells why. Anybody can
/// post this too, so letting a payment go on must promise nothing and cost nothing.
///
/// <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v1>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirm {
    /// The merchant's order number.
    pub merchant_uid: MerchantUid,
    /// PortOne's id of the attempt to pay. PortOne always sends it.
    pub imp_uid: Option<ImpUid>,
    /// What is about to be paid, in the currency's major unit. Its currency is not said.
    pub amount: Decimal,
    /// Everything else.
    pub other: Fields,
}

/// Reads the question of the confirm process.
///
/// # Errors
/// [`BodyError`], if `merchant_uid` or `amount` is missing or is none, or `imp_uid` is none.
pub fn parse_confirm(content_type: Option<&str>, body: &[u8]) -> Result<Confirm, BodyError> {
    let body = Body::parse(content_type, body)?;
    Ok(Confirm {
        merchant_uid: body.required(MERCHANT_UID, MerchantUid::parse)?,
        imp_uid: body.optional(IMP_UID, ImpUid::parse)?,
        amount: body.required(AMOUNT, |amount| exact_decimal(AMOUNT, amount))?,
        other: body.others(&[MERCHANT_UID, IMP_UID, AMOUNT]).collect(),
    })
}
