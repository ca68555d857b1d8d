//! What the calls that change something are made with.

use std::{fmt, num::NonZeroU64};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use super::id::TransactionId;
use crate::{Error, json::Object};

/// What is registered for a payment before the window opens (`POST /payments/{paymentId}/pre-register`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreRegister {
    /// What is to be paid, in the currency's minor unit.
    pub total_amount: i64,
    /// The part of it that is free of tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<i64>,
    /// ISO 4217 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

impl PreRegister {
    /// An amount in the currency's minor unit, and the currency's ISO 4217 code.
    pub fn new(total_amount: i64, currency: impl Into<String>) -> Self {
        Self {
            total_amount,
            tax_free_amount: None,
            currency: Some(currency.into()),
        }
    }
}

/// How much of a payment to cancel. There is no default, so that nobody gives back everything by leaving something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAmount {
    /// All that has not been given back yet.
    All,
    /// This much, in the currency's minor unit.
    Part(NonZeroU64),
}

impl CancelAmount {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl Serialize for CancelAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_none(),
            Self::Part(amount) => amount.serialize(serializer),
        }
    }
}

/// Who asks for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Requester {
    /// The buyer.
    Customer,
    /// The merchant.
    Admin,
}

/// What becomes of a promotion's discount when part of a payment is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PromotionDiscountRetainOption {
    /// The rate of the discount stays, and the amount to be given back is adjusted.
    Retain,
    /// The discount is worked out anew for what is left.
    Release,
}

/// The account to which money is given back, where it cannot go the way it came. `Debug` shows the bank alone.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundAccount {
    /// Bank, in PortOne's words, such as `SHINHAN`. See [`Client::banks`](super::Client::banks).
    pub bank: String,
    /// Number.
    pub number: String,
    /// Holder.
    pub holder_name: String,
    /// Telephone number of the holder; some PGs want it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder_phone_number: Option<String>,
}

/// A cancellation to be made (`POST /payments/{paymentId}/cancel`).
///
/// ```
/// use portone::v2::{Cancel, CancelAmount};
///
/// let mut cancel = Cancel::new(CancelAmount::Part(500.try_into()?), "one of two was out of stock");
/// // Refused unless this is what is left to be given back: two clerks at two desks do not both succeed.
/// cancel.current_cancellable_amount = Some(1_000);
/// # Ok::<(), std::num::TryFromIntError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// How much.
    #[serde(skip_serializing_if = "CancelAmount::is_all")]
    pub amount: CancelAmount,
    /// Why, for the record. Some PGs show it to the buyer.
    pub reason: String,
    /// The part of the amount that is free of tax. Without it all of it counts as taxed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<i64>,
    /// The value added tax in the amount. PortOne works it out unless it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_amount: Option<i64>,
    /// Who asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// What becomes of a promotion's discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion_discount_retain_option: Option<PromotionDiscountRetainOption>,
    /// What the caller believes is left to be given back. PortOne does nothing if it is not; without it nothing is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_cancellable_amount: Option<i64>,
    /// Where the money goes, for deposits to virtual accounts and for telephone bills of another month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_account: Option<RefundAccount>,
    /// The buyer's address for notices of the refund; Triple-A wants it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_email: Option<String>,
    /// `true`: PortOne sends no webhook about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_webhook: Option<bool>,
}

impl Cancel {
    /// A cancellation of this much for this reason, with everything else left to PortOne.
    pub fn new(amount: CancelAmount, reason: impl Into<String>) -> Self {
        Self {
            amount,
            reason: reason.into(),
            tax_free_amount: None,
            vat_amount: None,
            requester: None,
            promotion_discount_retain_option: None,
            current_cancellable_amount: None,
            refund_account: None,
            refund_email: None,
            skip_webhook: None,
        }
    }
}

/// A manual confirmation of a payment that the buyer has authenticated (`POST /payments/{paymentId}/confirm`).
///
/// All but the token are for verification: PortOne approves nothing if one of them is not what the payment has.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirm {
    /// The token that came with the buyer.
    #[serde(serialize_with = "exposed")]
    pub payment_token: SecretString,
    /// The attempt.
    #[serde(
        serialize_with = "transaction_id",
        skip_serializing_if = "Option::is_none"
    )]
    pub tx_id: Option<TransactionId>,
    /// ISO 4217 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What is to be paid, in the currency's minor unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_amount: Option<i64>,
    /// The part of it that is free of tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_free_amount: Option<i64>,
    /// Whether the channel is a test channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_test: Option<bool>,
    /// `true`: PortOne sends no webhook about the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_webhook: Option<bool>,
}

impl Confirm {
    /// A confirmation of exactly this amount, in the currency's minor unit, through a live channel.
    pub fn new(
        payment_token: SecretString,
        total_amount: i64,
        currency: impl Into<String>,
    ) -> Self {
        Self {
            payment_token,
            tx_id: None,
            currency: Some(currency.into()),
            total_amount: Some(total_amount),
            tax_free_amount: None,
            is_test: Some(false),
            skip_webhook: None,
        }
    }
}

/// What a manual confirmation answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The PG's transaction number.
    pub pg_tx_id: Option<String>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
}

impl Confirmed {
    pub(super) fn parse(json: &str) -> Result<Self, Error> {
        let object = Object::parse("the confirmation", json)?;
        Ok(Self {
            pg_tx_id: object.text("pgTxId"),
            paid_at: object.timestamp("paidAt"),
        })
    }
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn transaction_id<S: Serializer>(
    id: &Option<TransactionId>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    id.as_ref().map(TransactionId::as_str).serialize(serializer)
}

impl fmt::Debug for RefundAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RefundAccount")
            .field("bank", &self.bank)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cancel")
            .field("amount", &self.amount)
            .field("requester", &self.requester)
            .field(
                "current_cancellable_amount",
                &self.current_cancellable_amount,
            )
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Confirm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Confirm")
            .field("total_amount", &self.total_amount)
            .field("currency", &self.currency)
            .field("is_test", &self.is_test)
            .finish_non_exhaustive()
    }
}
