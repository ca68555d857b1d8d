//! Giving money back.

use std::fmt;

use reqwest::Method;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    client::{Call, Client, json_number, payment_of},
    id::{ImpUid, MerchantUid},
    payment::Payment,
};
use crate::Error;

/// Which payment to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelTarget {
    /// One attempt to pay.
    ImpUid(ImpUid),
    /// The attempt that paid for an order. If two did, PortOne does not say which one it takes: name the attempt instead.
    MerchantUid(MerchantUid),
}

/// How much of a payment to cancel. There is no default, so that nobody gives back everything by leaving something out: V1
/// takes 0 for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelAmount {
    /// All that has not been given back yet.
    All,
    /// This much.
    Part(PartAmount),
}

/// An amount in the currency's major unit that is more than nothing.
///
/// It knows no currency. Give no more decimal places than the currency has (₩0.4 is no amount): what PortOne makes of the rest
/// is not documented, and to it 0 means everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartAmount(Decimal);

/// An amount that is nothing, or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of a payment is more than nothing")]
pub struct InvalidPartAmount;

impl PartAmount {
    /// Accepts an amount above 0.
    pub fn new(amount: Decimal) -> Result<Self, InvalidPartAmount> {
        if amount > Decimal::ZERO {
            Ok(Self(amount))
        } else {
            Err(InvalidPartAmount)
        }
    }

    /// The amount.
    pub fn get(self) -> Decimal {
        self.0
    }
}

/// The account to which money is given back, where it cannot go the way it came. `Debug` shows the bank alone.
#[derive(Clone, PartialEq, Eq)]
pub struct RefundAccount {
    /// Bank, by the code that the PG has for it, which is not the standard one:
    /// <https://developers.portone.io/opi/ko/support/code-info/pg-1>.
    pub bank: String,
    /// Number.
    pub account: String,
    /// Holder.
    pub holder: String,
    /// Telephone number of the holder; some PGs want it.
    pub tel: Option<String>,
}

/// Who asks for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// `customer`: the buyer.
    Customer,
    /// `admin`: the merchant.
    Admin,
}

/// A cancellation to be made (`POST /payments/cancel`). Amounts are in the currency's major unit.
///
/// ```
/// use portone::v1::{Cancel, CancelAmount, CancelTarget, ImpUid, PartAmount};
/// use rust_decimal::Decimal;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let target = CancelTarget::ImpUid(ImpUid::parse("imp_448280090638")?);
/// let amount = CancelAmount::Part(PartAmount::new(Decimal::from(500))?);
/// // Refused unless 1000 is what is left to be given back: two clerks at two desks do not both succeed.
/// let cancel = Cancel::new(target, amount, Decimal::from(1_000));
/// # let _ = cancel;
/// # Ok(())
/// # }
/// # example().unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Which payment.
    pub target: CancelTarget,
    /// How much.
    pub amount: CancelAmount,
    /// What the caller believes is left to be given back. PortOne does nothing if it is not; with `None` nothing is compared,
    /// and two cancellations of the same part both succeed.
    pub checksum: Option<Decimal>,
    /// Why, for the record. Naver Pay wants it.
    pub reason: Option<String>,
    /// The part of the amount that is free of tax. Some PGs take nothing for granted here, see the API.
    pub tax_free: Option<Decimal>,
    /// The value added tax in the amount, if it was given when the payment was made.
    pub vat_amount: Option<Decimal>,
    /// Where the money goes, for deposits to virtual accounts and for telephone bills of another month.
    pub refund_account: Option<RefundAccount>,
    /// `true`: a promotion stays although what is left does not fulfil its conditions.
    pub retain_promotion: Option<bool>,
    /// `true`: PortOne sends a webhook about it. It sends none unless told to.
    pub enable_webhook: Option<bool>,
    /// Who asks for it (`extra.requester`); Naver Pay wants to know.
    pub requester: Option<Requester>,
    /// `true`: the buyer has confirmed the escrow already.
    pub escrow_confirmed: Option<bool>,
}

impl Cancel {
    /// A cancellation of this much, to be made if `checksum` is what is left to be given back, with everything else left to
    /// PortOne.
    pub fn new(target: CancelTarget, amount: CancelAmount, checksum: Decimal) -> Self {
        Self {
            target,
            amount,
            checksum: Some(checksum),
            reason: None,
            tax_free: None,
            vat_amount: None,
            refund_account: None,
            retain_promotion: None,
            enable_webhook: None,
            requester: None,
            escrow_confirmed: None,
        }
    }

    fn body(&self) -> Body<'_> {
        let account = self.refund_account.as_ref();
        Body {
            imp_uid: match &self.target {
                CancelTarget::ImpUid(imp_uid) => Some(imp_uid.as_str()),
                CancelTarget::MerchantUid(_) => None,
            },
            merchant_uid: match &self.target {
                CancelTarget::MerchantUid(merchant_uid) => Some(merchant_uid.as_str()),
                CancelTarget::ImpUid(_) => None,
            },
            amount: match self.amount {
                CancelAmount::All => None,
                CancelAmount::Part(amount) => Some(json_number(amount.get())),
            },
            checksum: self.checksum.map(json_number),
            reason: self.reason.as_deref(),
            tax_free: self.tax_free.map(json_number),
            vat_amount: self.vat_amount.map(json_number),
            refund_holder: account.map(|account| account.holder.as_str()),
            refund_bank: account.map(|account| account.bank.as_str()),
            refund_account: account.map(|account| account.account.as_str()),
            refund_tel: account.and_then(|account| account.tel.as_deref()),
            retain_promotion: self.retain_promotion,
            enable_webhook: self.enable_webhook,
            extra: self.requester.map(|requester| Extra {
                requester: match requester {
                    Requester::Customer => "customer",
                    Requester::Admin => "admin",
                },
            }),
            escrow_confirmed: self.escrow_confirmed,
        }
    }
}

impl Client {
    /// Gives money back. Returns the payment after it.
    ///
    /// A no of PortOne's or the PG's is [`Error::Rejected`]. [`Error::FateUnknown`] is no such no: the money may be on its
    /// way back, so look at [`Client::payment`] before trying again. Some PGs (PayPal among them) only take note of the request:
    /// the money is back once [`Payment::cancel_history`] says so.
    pub async fn cancel(&self, cancel: &Cancel) -> Result<Payment, Error> {
        let url = self.url(&["payments", "cancel"]);
        let call = Call::write(Method::POST, url, &cancel.body());
        self.once(call, |response| match &cancel.target {
            CancelTarget::ImpUid(imp_uid) => payment_of(imp_uid, response),
            CancelTarget::MerchantUid(merchant_uid) => {
                let payment = Payment::parse(response)?;
                if payment.merchant_uid == merchant_uid.as_str() {
                    Ok(payment)
                } else {
                    Err(Error::garbled(
                        "the payment has another merchant_uid than the one to be cancelled",
                    ))
                }
            }
        })
        .await
    }
}

#[derive(Serialize)]
struct Extra {
    requester: &'static str,
}

/// What travels. Nothing is sent as null: PortOne does not say what that would mean.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    imp_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_free: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vat_amount: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_holder: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_bank: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_tel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retain_promotion: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_webhook: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Extra>,
    #[serde(skip_serializing_if = "Option::is_none")]
    escrow_confirmed: Option<bool>,
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
            .field("target", &self.target)
            .field("amount", &self.amount)
            .field("checksum", &self.checksum)
            .field("requester", &self.requester)
            .finish_non_exhaustive()
    }
}
