//! What PortOne knows about a payment.
//!
//! What a decision about money rests on (ids, status, channel, amounts, currency, store) is read strictly. A value elsewhere
//! that is not what the API promises is `None` or left out: a bank of an odd type must not make a payment unreadable.

use std::fmt;

use jiff::Timestamp;

use super::{
    details::{CashReceipt, Customer, Origin, Product},
    history::{Cancellation, Dispute, WebhookRecord},
    id::TransactionId,
    method::Method,
    open_enum::open_enum,
};
use crate::{
    Error,
    json::{Malformed, Object},
};

/// What has become of a payment, with what is known in that state alone. The list is open: PortOne may add states.
#[derive(Clone, PartialEq, Eq)]
pub enum State {
    /// `READY`: the window was opened. Nothing is paid.
    Ready,
    /// `PAY_PENDING`: the PG has yet to say whether it is paid.
    PayPending,
    /// `VIRTUAL_ACCOUNT_ISSUED`: there is an account to deposit to. Nothing is paid.
    VirtualAccountIssued,
    /// `PAID`
    Paid {
        /// When it was paid.
        paid_at: Option<Timestamp>,
    },
    /// `FAILED`. Not final: the buyer may try again under the same id, and some PGs approve late.
    Failed {
        /// When it failed.
        failed_at: Option<Timestamp>,
        /// Why.
        failure: Failure,
    },
    /// `PARTIAL_CANCELLED`: paid, and some of it given back.
    PartialCancelled {
        /// When it was paid.
        paid_at: Option<Timestamp>,
        /// When it was last cancelled in part.
        cancelled_at: Option<Timestamp>,
    },
    /// `CANCELLED`: all of it given back.
    Cancelled {
        /// When it was paid, if it was.
        paid_at: Option<Timestamp>,
        /// When it was cancelled.
        cancelled_at: Option<Timestamp>,
    },
    /// A state this client does not know.
    Unrecognized(String),
}

impl State {
    /// PortOne's word for it (`status`).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "READY",
            Self::PayPending => "PAY_PENDING",
            Self::VirtualAccountIssued => "VIRTUAL_ACCOUNT_ISSUED",
            Self::Paid { .. } => "PAID",
            Self::Failed { .. } => "FAILED",
            Self::PartialCancelled { .. } => "PARTIAL_CANCELLED",
            Self::Cancelled { .. } => "CANCELLED",
            Self::Unrecognized(status) => status,
        }
    }

    /// When the payment was paid, if it was.
    pub fn paid_at(&self) -> Option<Timestamp> {
        match self {
            Self::Paid { paid_at }
            | Self::PartialCancelled { paid_at, .. }
            | Self::Cancelled { paid_at, .. } => *paid_at,
            Self::Ready
            | Self::PayPending
            | Self::VirtualAccountIssued
            | Self::Failed { .. }
            | Self::Unrecognized(_) => None,
        }
    }

    fn parse(object: &Object<'_>) -> Result<Self, Malformed> {
        let status = object.required_text("status")?;
        let paid_at = object.timestamp("paidAt");
        let cancelled_at = object.timestamp("cancelledAt");
        Ok(match status.as_str() {
            "READY" => Self::Ready,
            "PAY_PENDING" => Self::PayPending,
            "VIRTUAL_ACCOUNT_ISSUED" => Self::VirtualAccountIssued,
            "PAID" => Self::Paid { paid_at },
            "FAILED" => Self::Failed {
                failed_at: object.timestamp("failedAt"),
                failure: Failure::parse(object.object("failure").as_ref()),
            },
            "PARTIAL_CANCELLED" => Self::PartialCancelled {
                paid_at,
                cancelled_at,
            },
            "CANCELLED" => Self::Cancelled {
                paid_at,
                cancelled_at,
            },
            _ => Self::Unrecognized(status),
        })
    }
}

/// Why a payment failed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// PortOne's words.
    pub reason: Option<String>,
    /// The PG's code.
    pub pg_code: Option<String>,
    /// The PG's words.
    pub pg_message: Option<String>,
}

impl Failure {
    fn parse(object: Option<&Object<'_>>) -> Self {
        let text = |key| object.and_then(|object| object.text(key));
        Self {
            reason: text("reason"),
            pg_code: text("pgCode"),
            pg_message: text("pgMessage"),
        }
    }
}

open_enum! {
    /// Whether real money moves through a channel. Anything but `Live` must not be taken for it.
    ChannelType {
        /// Real money.
        Live = "LIVE",
        /// No money.
        Test = "TEST",
    }
}

open_enum! {
    /// The generation of PortOne that a payment was made through.
    Version {
        /// V1; the transaction's id is its `imp_uid`.
        V1 = "V1",
        /// V2.
        V2 = "V2",
    }
}

/// The channel a payment was made through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// `type`: live or test. The only mark of a test payment in V2.
    pub channel_type: ChannelType,
    /// PortOne's id of the channel.
    pub id: Option<String>,
    /// The key by which the merchant's page chooses the channel.
    pub key: Option<String>,
    /// The merchant's name for it.
    pub name: Option<String>,
    /// The PG's payment module.
    pub pg_provider: Option<String>,
    /// The merchant's id at the PG.
    pub pg_merchant_id: Option<String>,
}

impl Channel {
    fn parse(object: &Object<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            channel_type: ChannelType::from(object.required_text("type")?),
            id: object.text("id"),
            key: object.text("key"),
            name: object.text("name"),
            pg_provider: object.text("pgProvider"),
            pg_merchant_id: object.text("pgMerchantId"),
        })
    }
}

/// Amounts in the currency's minor unit (ISO 4217): 1420 is $14.20 and ₩1,420.
///
/// `None` is what PortOne did not say. Its API promises all of them but `vat` and `supply`; nothing is filled in here but
/// `cancelled`, and that only before anything can have been cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// What was ordered, before discounts.
    pub total: i64,
    /// The part of `total` that is free of tax.
    pub tax_free: Option<i64>,
    /// The value added tax in `total`.
    pub vat: Option<i64>,
    /// The price without that tax.
    pub supply: Option<i64>,
    /// Discounts of the card company, of the wallet and of promotions of PortOne's.
    pub discount: Option<i64>,
    /// What the buyer paid, after discounts.
    pub paid: Option<i64>,
    /// What has been given back so far, in total.
    pub cancelled: i64,
    /// The part of `cancelled` that is free of tax.
    pub cancelled_tax_free: Option<i64>,
}

impl Amount {
    fn parse(object: &Object<'_>, state: &State) -> Result<Self, Malformed> {
        let cancelled = match state {
            State::PartialCancelled { .. } | State::Cancelled { .. } | State::Unrecognized(_) => {
                object.required_minor_units("cancelled")?
            }
            State::Ready
            | State::PayPending
            | State::VirtualAccountIssued
            | State::Paid { .. }
            | State::Failed { .. } => object.minor_units("cancelled")?.unwrap_or_default(),
        };
        Ok(Self {
            total: object.required_minor_units("total")?,
            tax_free: object.minor_units("taxFree")?,
            vat: object.minor_units("vat")?,
            supply: object.minor_units("supply")?,
            discount: object.minor_units("discount")?,
            paid: object.minor_units("paid")?,
            cancelled,
            cancelled_tax_free: object.minor_units("cancelledTaxFree")?,
        })
    }
}

/// A payment, or one attempt at it, as PortOne has it.
///
/// Field names and meanings are the API's. Absent, null and empty strings are `None`, and so is an optional value that cannot
/// be read. Unknown fields are ignored.
///
/// `Debug` leaves out whatever may be personal or came from the buyer's browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    /// The merchant's id. Any text: merchants had other rules before [`PaymentId`](super::PaymentId)'s.
    pub id: String,
    /// PortOne's id of the attempt that this is about: the latest, or the one that was paid.
    pub transaction_id: TransactionId,
    /// What has become of it.
    pub state: State,
    /// How much, in the currency's minor unit.
    pub amount: Amount,
    /// ISO 4217 code.
    pub currency: String,
    /// The channel. `None` if PortOne did not say, as before one is chosen; then it must not be taken for a live one.
    pub channel: Option<Channel>,
    /// The store. `None` if PortOne did not say; then it must not be taken for one's own.
    pub store_id: Option<String>,
    /// The generation of PortOne it was made through. `None` if PortOne did not say.
    pub version: Option<Version>,

    /// PortOne's id of the merchant.
    pub merchant_id: Option<String>,
    /// Means of payment, with what is particular to it.
    pub method: Option<Method>,
    /// Name of the order.
    pub order_name: Option<String>,
    /// The buyer.
    pub customer: Customer,
    /// Where it was asked for.
    pub origin: Origin,
    /// When it was asked for.
    pub requested_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// When its state last changed.
    pub status_changed_at: Option<Timestamp>,
    /// The PG's transaction number.
    pub pg_tx_id: Option<String>,
    /// The PG's answer, verbatim.
    pub pg_response: Option<String>,
    /// Where the buyer finds the receipt.
    pub receipt_url: Option<String>,
    /// The receipt for the tax office.
    pub cash_receipt: Option<CashReceipt>,
    /// As given by the page.
    pub custom_data: Option<String>,
    /// What was bought, as given by the page.
    pub products: Vec<Product>,
    /// How many things were bought, as given by the page.
    pub product_count: Option<i64>,
    /// ISO 3166-1 alpha-2 code.
    pub country: Option<String>,
    /// The schedule that made it, if one did.
    pub schedule_id: Option<String>,
    /// The billing key it was made with, if one was.
    pub billing_key: Option<String>,
    /// The promotion that was applied.
    pub promotion_id: Option<String>,
    /// Whether it counts as spending on culture for the buyer's taxes.
    pub is_cultural_expense: Option<bool>,
    /// How far the escrow is, if there is one: `REGISTERED`, `DELIVERED`, `CONFIRMED`, …
    pub escrow_status: Option<String>,
    /// Every cancellation, whole or in part, succeeded or not.
    pub cancellations: Vec<Cancellation>,
    /// Disputes about it.
    pub disputes: Vec<Dispute>,
    /// Webhooks that PortOne sent about it.
    pub webhooks: Vec<WebhookRecord>,
}

impl Payment {
    /// Reads the JSON of a payment, as `GET /payments/{paymentId}` answers with.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let object = Object::parse("the payment", json)?;
        Ok(Self::parse(&object, "id", "transactionId")?)
    }

    /// Reads the JSON of one attempt, an element of what `GET /payments/{paymentId}/transactions` answers with. It has the
    /// fields of a payment, but the transaction's id under `id` and the payment's under `paymentId`.
    pub fn from_transaction_json(json: &str) -> Result<Self, Error> {
        let object = Object::parse("the transaction", json)?;
        Ok(Self::parse(&object, "paymentId", "id")?)
    }

    fn parse(
        object: &Object<'_>,
        id_key: &str,
        transaction_id_key: &str,
    ) -> Result<Self, Malformed> {
        let transaction_id = TransactionId::parse(&object.required_text(transaction_id_key)?)
            .map_err(|_| Malformed(format!("{transaction_id_key} is not an id of PortOne's")))?;
        let state = State::parse(object)?;
        let amount = Amount::parse(&object.required_object("amount")?, &state)?;
        let channel = object.strict_object("channel")?;
        Ok(Self {
            id: object.required_text(id_key)?,
            transaction_id,
            state,
            amount,
            currency: object.required_text("currency")?,
            channel: channel.as_ref().map(Channel::parse).transpose()?,
            store_id: object.strict_text("storeId")?,
            version: object.strict_text("version")?.map(Version::from),
            merchant_id: object.text("merchantId"),
            method: object.object("method").as_ref().map(Method::parse),
            order_name: object.text("orderName"),
            customer: object
                .object("customer")
                .as_ref()
                .map(Customer::parse)
                .unwrap_or_default(),
            origin: object
                .object("origin")
                .as_ref()
                .map(Origin::parse)
                .unwrap_or_default(),
            requested_at: object.timestamp("requestedAt"),
            updated_at: object.timestamp("updatedAt"),
            status_changed_at: object.timestamp("statusChangedAt"),
            pg_tx_id: object.text("pgTxId"),
            pg_response: object.text("pgResponse"),
            receipt_url: object.text("receiptUrl"),
            cash_receipt: object
                .object("cashReceipt")
                .as_ref()
                .map(CashReceipt::parse),
            custom_data: object.text("customData"),
            products: object
                .objects("products")
                .iter()
                .map(Product::parse)
                .collect(),
            product_count: object.integer("productCount"),
            country: object.text("country"),
            schedule_id: object.text("scheduleId"),
            billing_key: object.text("billingKey"),
            promotion_id: object.text("promotionId"),
            is_cultural_expense: object.flag("isCulturalExpense"),
            escrow_status: object
                .object("escrow")
                .and_then(|escrow| escrow.text("status")),
            cancellations: object
                .list("cancellations")?
                .into_iter()
                .map(Cancellation::parse)
                .collect::<Result<_, _>>()?,
            disputes: object
                .objects("disputes")
                .iter()
                .map(Dispute::parse)
                .collect(),
            webhooks: object
                .objects("webhooks")
                .iter()
                .map(WebhookRecord::parse)
                .collect(),
        })
    }
}

// Each lists what may be seen, so that a field added later is hidden until somebody decides otherwise.
impl fmt::Debug for Payment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Payment")
            .field("id", &self.id)
            .field("transaction_id", &self.transaction_id.as_str())
            .field("state", &self.state)
            .field("amount", &self.amount)
            .field("currency", &self.currency)
            .field("channel", &self.channel)
            .field("store_id", &self.store_id)
            .field("version", &self.version)
            .field("method", &self.method)
            .field("requested_at", &self.requested_at)
            .field("updated_at", &self.updated_at)
            .field("status_changed_at", &self.status_changed_at)
            .field("cancellations", &self.cancellations)
            .field("disputes", &self.disputes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())?;
        match self {
            Self::Failed { failure, .. } => write!(formatter, "({failure:?})"),
            Self::Ready
            | Self::PayPending
            | Self::VirtualAccountIssued
            | Self::Paid { .. }
            | Self::PartialCancelled { .. }
            | Self::Cancelled { .. }
            | Self::Unrecognized(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Failure")
            .field("pg_code", &self.pg_code)
            .finish_non_exhaustive()
    }
}
