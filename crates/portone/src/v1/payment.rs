//! What PortOne answers with.
//!
//! What a decision about money rests on (ids, status, amounts, currency, sandbox) is read strictly. A value elsewhere that
//! is not what the API promises is `None`: a card code of an odd type must not make a payment unreadable.

use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::id::ImpUid;
use crate::{
    Error,
    json::{Malformed, Object},
};

/// What has become of an attempt to pay. The list is open: PortOne may add states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// `ready`: the window was opened, or an account to deposit to was issued. Nothing is paid.
    Ready,
    /// `paid`
    Paid,
    /// `failed`. Not final: some PGs approve days later.
    Failed,
    /// `cancelled`, wholly or in part: compare `cancel_amount` with `amount`.
    Cancelled,
    /// A state this client does not know.
    Unrecognized(String),
}

impl Status {
    /// PortOne's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ready => "ready",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unrecognized(status) => status,
        }
    }
}

impl From<String> for Status {
    fn from(status: String) -> Self {
        match status.as_str() {
            "ready" => Self::Ready,
            "paid" => Self::Paid,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Unrecognized(status),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One attempt to pay, as PortOne has it.
///
/// Field names and meanings are the API's. Absent, null and empty strings are `None`; so is a time that did not happen,
/// which PortOne writes as 0. Amounts are in the currency's major unit (`14.20` for $14.20).
///
/// `Debug` leaves out whatever may be personal or came from the buyer's browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    /// PortOne's id of this attempt.
    pub imp_uid: ImpUid,
    /// The merchant's order number. Any text: merchants had other rules before [`MerchantUid`](super::MerchantUid)'s.
    pub merchant_uid: String,
    /// What has become of it.
    pub status: Status,
    /// What was to be paid, before a promotion's discount.
    pub amount: Decimal,
    /// What has been given back so far, in total. 0 if PortOne did not say, but only in the states in which nothing can have
    /// been given back: without it a payment that is cancelled could be taken for one of which everything is left.
    pub cancel_amount: Decimal,
    /// ISO 4217 code. `None` if PortOne did not say; then the amount means nothing.
    pub currency: Option<String>,
    /// Whether the channel is a test channel. `None` if PortOne did not say; then it must not be taken for a live one.
    pub sandbox: Option<bool>,

    /// Means of payment: `card`, `trans`, `vbank`, `phone`, …
    pub pay_method: Option<String>,
    /// How the payment was made: `pc`, `mobile` or `api`.
    pub channel: Option<String>,
    /// The PG (payment gateway).
    pub pg_provider: Option<String>,
    /// The wallet inside the PG, if there was one.
    pub emb_pg_provider: Option<String>,
    /// The PG's transaction number.
    pub pg_tid: Option<String>,
    /// The merchant's id at the PG.
    pub pg_id: Option<String>,
    /// Whether the payment is held in escrow.
    pub escrow: Option<bool>,
    /// The card company's approval number.
    pub apply_num: Option<String>,
    /// Bank of a transfer, standard code.
    pub bank_code: Option<String>,
    /// Bank of a transfer.
    pub bank_name: Option<String>,
    /// Card company, standard code.
    pub card_code: Option<String>,
    /// Card company.
    pub card_name: Option<String>,
    /// Issuer of the card, standard code.
    pub card_issuer_code: Option<String>,
    /// Issuer of the card.
    pub card_issuer_name: Option<String>,
    /// Publisher of the card, standard code.
    pub card_publisher_code: Option<String>,
    /// Publisher of the card.
    pub card_publisher_name: Option<String>,
    /// Months of instalment; 0 is a lump sum.
    pub card_quota: Option<i64>,
    /// Card number, masked as the PG does it. Treat as sensitive.
    pub card_number: Option<String>,
    /// 0 credit, 1 debit.
    pub card_type: Option<i64>,
    /// Bank of the virtual account, standard code.
    pub vbank_code: Option<String>,
    /// Bank of the virtual account.
    pub vbank_name: Option<String>,
    /// Number of the virtual account.
    pub vbank_num: Option<String>,
    /// Holder of the virtual account; some PGs do not say.
    pub vbank_holder: Option<String>,
    /// Until when to deposit.
    pub vbank_date: Option<Timestamp>,
    /// When the virtual account was issued.
    pub vbank_issued_at: Option<Timestamp>,
    /// Name of the order.
    pub name: Option<String>,
    /// As given by the page, not verified by anybody; so are all `buyer_` fields.
    pub buyer_name: Option<String>,
    /// As given by the page.
    pub buyer_email: Option<String>,
    /// As given by the page.
    pub buyer_tel: Option<String>,
    /// As given by the page.
    pub buyer_addr: Option<String>,
    /// As given by the page.
    pub buyer_postcode: Option<String>,
    /// As given by the page: JSON in a string.
    pub custom_data: Option<String>,
    /// The buyer's browser.
    pub user_agent: Option<String>,
    /// When the window was opened.
    pub started_at: Option<Timestamp>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it failed.
    pub failed_at: Option<Timestamp>,
    /// When it was last cancelled, wholly or in part.
    pub cancelled_at: Option<Timestamp>,
    /// The PG's words.
    pub fail_reason: Option<String>,
    /// The reason of the last cancellation.
    pub cancel_reason: Option<String>,
    /// Where the buyer finds the receipt.
    pub receipt_url: Option<String>,
    /// Every cancellation, whole or in part.
    pub cancel_history: Vec<CancelHistory>,
    /// Every deposit to a fixed virtual account.
    pub deposit_history: Vec<DepositHistory>,
    /// Receipts of cancellations; deprecated by PortOne in favour of `cancel_history`.
    pub cancel_receipt_urls: Vec<String>,
    /// Whether a cash receipt was issued.
    pub cash_receipt_issued: Option<bool>,
    /// The merchant's name for the buyer's billing key.
    pub customer_uid: Option<String>,
    /// What the billing key was used for: `issue`, `payment` or `payment.scheduled`.
    pub customer_uid_usage: Option<String>,
    /// The promotion that was applied.
    pub promotion: Option<Promotion>,
    /// What the PG alone has to say, as the text of a JSON object. Only
    /// [`Client::payment_with_extension`](super::Client::payment_with_extension) asks for it.
    pub extension: Option<String>,
}

/// One cancellation, whole or in part.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelHistory {
    /// The PG's number of the cancellation.
    pub pg_tid: Option<String>,
    /// How much was given back.
    pub amount: Decimal,
    /// When.
    pub cancelled_at: Option<Timestamp>,
    /// Why, in the canceller's words.
    pub reason: Option<String>,
    /// PortOne's id of the cancellation.
    pub cancellation_id: Option<String>,
    /// Where the buyer finds the receipt.
    pub receipt_url: Option<String>,
}

/// One deposit to a fixed virtual account.
#[derive(Clone, PartialEq, Eq)]
pub struct DepositHistory {
    /// The PG's number of the deposit.
    pub pg_tid: Option<String>,
    /// How much was deposited.
    pub amount: Decimal,
    /// Who deposited it.
    pub depositor_name: Option<String>,
    /// When.
    pub deposited_at: Option<Timestamp>,
}

/// A promotion that was applied to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// PortOne's id of the promotion.
    pub id: Option<String>,
    /// By how much the buyer paid less than `amount`.
    pub discount: Option<Decimal>,
}

/// An amount that is registered in advance for a `merchant_uid`. PortOne does not open the window for any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The merchant's order number.
    pub merchant_uid: String,
    /// The amount, in the currency's major unit.
    pub amount: Decimal,
    /// The currency; if `None`, PortOne does not compare currencies.
    pub currency: Option<String>,
}

impl Payment {
    /// Reads the JSON of a payment: what the API has in `response`, without the envelope.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Ok(Self::parse(json)?)
    }

    pub(super) fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("the payment", json)?;
        let imp_uid = ImpUid::parse(&object.required_text("imp_uid")?)
            .map_err(|_| Malformed("imp_uid is not an id of PortOne's".to_owned()))?;
        let status = Status::from(object.required_text("status")?);
        let cancel_amount = match status {
            Status::Cancelled | Status::Unrecognized(_) => {
                object.required_amount("cancel_amount")?
            }
            Status::Ready | Status::Paid | Status::Failed => {
                object.amount("cancel_amount")?.unwrap_or_default()
            }
        };
        Ok(Self {
            imp_uid,
            merchant_uid: object.required_text("merchant_uid")?,
            status,
            amount: object.required_amount("amount")?,
            cancel_amount,
            currency: object.strict_text("currency")?,
            sandbox: object.strict_flag("sandbox")?,
            pay_method: object.text("pay_method"),
            channel: object.text("channel"),
            pg_provider: object.text("pg_provider"),
            emb_pg_provider: object.text("emb_pg_provider"),
            pg_tid: object.text("pg_tid"),
            pg_id: object.text("pg_id"),
            escrow: object.flag("escrow"),
            apply_num: object.text("apply_num"),
            bank_code: object.text("bank_code"),
            bank_name: object.text("bank_name"),
            card_code: object.text("card_code"),
            card_name: object.text("card_name"),
            card_issuer_code: object.text("card_issuer_code"),
            card_issuer_name: object.text("card_issuer_name"),
            card_publisher_code: object.text("card_publisher_code"),
            card_publisher_name: object.text("card_publisher_name"),
            card_quota: object.integer("card_quota"),
            card_number: object.text("card_number"),
            card_type: object.integer("card_type"),
            vbank_code: object.text("vbank_code"),
            vbank_name: object.text("vbank_name"),
            vbank_num: object.text("vbank_num"),
            vbank_holder: object.text("vbank_holder"),
            vbank_date: object.unix_seconds("vbank_date"),
            vbank_issued_at: object.unix_seconds("vbank_issued_at"),
            name: object.text("name"),
            buyer_name: object.text("buyer_name"),
            buyer_email: object.text("buyer_email"),
            buyer_tel: object.text("buyer_tel"),
            buyer_addr: object.text("buyer_addr"),
            buyer_postcode: object.text("buyer_postcode"),
            custom_data: object.text("custom_data"),
            user_agent: object.text("user_agent"),
            started_at: object.unix_seconds("started_at"),
            paid_at: object.unix_seconds("paid_at"),
            failed_at: object.unix_seconds("failed_at"),
            cancelled_at: object.unix_seconds("cancelled_at"),
            fail_reason: object.text("fail_reason"),
            cancel_reason: object.text("cancel_reason"),
            receipt_url: object.text("receipt_url"),
            cancel_history: object
                .list("cancel_history")?
                .into_iter()
                .map(CancelHistory::parse)
                .collect::<Result<_, _>>()?,
            deposit_history: object
                .list("deposit_history")?
                .into_iter()
                .map(DepositHistory::parse)
                .collect::<Result<_, _>>()?,
            cancel_receipt_urls: object.texts("cancel_receipt_urls"),
            cash_receipt_issued: object.flag("cash_receipt_issued"),
            customer_uid: object.text("customer_uid"),
            customer_uid_usage: object.text("customer_uid_usage"),
            promotion: object
                .value("promotion")
                // Nothing is decided by it, so that one that cannot be read hides no payment.
                .and_then(|json| Promotion::parse(json).ok()),
            extension: object
                .value("extension")
                .filter(|value| value.starts_with('{'))
                .map(str::to_owned),
        })
    }
}

impl CancelHistory {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("an entry of cancel_history", json)?;
        Ok(Self {
            pg_tid: object.text("pg_tid"),
            amount: object.required_amount("amount")?,
            cancelled_at: object.unix_seconds("cancelled_at"),
            reason: object.text("reason"),
            cancellation_id: object.text("cancellation_id"),
            receipt_url: object.text("receipt_url"),
        })
    }
}

impl DepositHistory {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("an entry of deposit_history", json)?;
        Ok(Self {
            pg_tid: object.text("pg_tid"),
            amount: object.required_amount("amount")?,
            depositor_name: object.text("depositor_name"),
            deposited_at: object.unix_seconds("deposited_at"),
        })
    }
}

impl Promotion {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("promotion", json)?;
        Ok(Self {
            id: object.text("id"),
            discount: object.amount("discount")?,
        })
    }
}

impl Prepared {
    pub(super) fn parse(json: &str) -> Result<Self, Malformed> {
        let object = Object::parse("the prepared amount", json)?;
        Ok(Self {
            merchant_uid: object.required_text("merchant_uid")?,
            amount: object.required_amount("amount")?,
            currency: object.strict_text("currency")?,
        })
    }
}

// Lists what may be seen, so that a field added later is hidden until somebody decides otherwise.
impl fmt::Debug for Payment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Payment")
            .field("imp_uid", &self.imp_uid.as_str())
            .field("merchant_uid", &self.merchant_uid)
            .field("status", &self.status)
            .field("amount", &self.amount)
            .field("cancel_amount", &self.cancel_amount)
            .field("currency", &self.currency)
            .field("sandbox", &self.sandbox)
            .field("pay_method", &self.pay_method)
            .field("channel", &self.channel)
            .field("pg_provider", &self.pg_provider)
            .field("pg_id", &self.pg_id)
            .field("started_at", &self.started_at)
            .field("paid_at", &self.paid_at)
            .field("failed_at", &self.failed_at)
            .field("cancelled_at", &self.cancelled_at)
            .field("cancel_history", &self.cancel_history)
            .field("promotion", &self.promotion)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CancelHistory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CancelHistory")
            .field("amount", &self.amount)
            .field("cancelled_at", &self.cancelled_at)
            .field("cancellation_id", &self.cancellation_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DepositHistory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DepositHistory")
            .field("amount", &self.amount)
            .field("deposited_at", &self.deposited_at)
            .finish_non_exhaustive()
    }
}
