//! Virtual accounts without a window.

use std::fmt;

use jiff::Timestamp;
use reqwest::Method;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::{
    client::{Call, Client, json_number, payment_of},
    id::{ImpUid, MerchantUid},
    payment::Payment,
};
use crate::Error;

/// A virtual account to be issued (`POST /vbanks`). Amounts are in the currency's major unit. What is wanted beyond the
/// fields of [`Vbank::new`] differs from PG to PG, see <https://developers.portone.io/api/rest-v1/vbank>.
#[derive(Clone)]
pub struct Vbank {
    /// The channel.
    pub channel_key: String,
    /// The merchant's order number, for which nothing has been paid yet. Every call issues another account.
    pub merchant_uid: MerchantUid,
    /// What is to be deposited.
    pub amount: Decimal,
    /// Bank, by the code that the PG has for it: <https://developers.portone.io/opi/ko/support/code-info/pg-1>.
    pub vbank_code: String,
    /// Until when to deposit; counted in seconds.
    pub vbank_due: Timestamp,
    /// Holder of the account to be named.
    pub vbank_holder: Option<String>,
    /// Number of a fixed account.
    pub vbank_num: Option<String>,
    /// Key of a fixed account.
    pub vbank_key: Option<String>,
    /// `true`: a fixed account that takes any number of deposits of any amount.
    pub fixed_unlimited_vbank: Option<bool>,
    /// Name of the order.
    pub name: Option<String>,
    /// The buyer.
    pub buyer_name: Option<String>,
    /// The buyer's e-mail address.
    pub buyer_email: Option<String>,
    /// The buyer's telephone number.
    pub buyer_tel: Option<String>,
    /// The buyer's address.
    pub buyer_addr: Option<String>,
    /// The buyer's postcode.
    pub buyer_postcode: Option<String>,
    /// The buyer's business registration number.
    pub business_registration_number: Option<String>,
    /// Where PortOne sends webhooks about it, instead of where the console says.
    pub notice_url: Vec<String>,
    /// Kept with the payment.
    pub custom_data: Option<String>,
    /// The part of the amount that is free of tax.
    pub tax_free: Option<Decimal>,
    /// The value added tax in the amount.
    pub vat_amount: Option<Decimal>,
    /// `real` or `digital`.
    pub product_type: Option<String>,
    /// How many things are bought.
    pub product_count: Option<u32>,
    /// Password of the escrow.
    pub escrow_password: Option<SecretString>,
    /// API key of the merchant's at KG Inicis, which alone wants one. It travels in the query.
    pub pg_api_key: Option<SecretString>,
}

impl Vbank {
    /// An account of this bank for this order.
    pub fn new(
        channel_key: impl Into<String>,
        merchant_uid: MerchantUid,
        amount: Decimal,
        vbank_code: impl Into<String>,
        vbank_due: Timestamp,
    ) -> Self {
        Self {
            channel_key: channel_key.into(),
            merchant_uid,
            amount,
            vbank_code: vbank_code.into(),
            vbank_due,
            vbank_holder: None,
            vbank_num: None,
            vbank_key: None,
            fixed_unlimited_vbank: None,
            name: None,
            buyer_name: None,
            buyer_email: None,
            buyer_tel: None,
            buyer_addr: None,
            buyer_postcode: None,
            business_registration_number: None,
            notice_url: Vec::new(),
            custom_data: None,
            tax_free: None,
            vat_amount: None,
            product_type: None,
            product_count: None,
            escrow_password: None,
            pg_api_key: None,
        }
    }

    fn body(&self) -> Body<'_> {
        Body {
            channel_key: &self.channel_key,
            merchant_uid: self.merchant_uid.as_str(),
            amount: json_number(self.amount),
            vbank_code: &self.vbank_code,
            vbank_due: self.vbank_due.as_second(),
            vbank_holder: self.vbank_holder.as_deref(),
            vbank_num: self.vbank_num.as_deref(),
            vbank_key: self.vbank_key.as_deref(),
            fixed_unlimited_vbank: self.fixed_unlimited_vbank,
            name: self.name.as_deref(),
            buyer_name: self.buyer_name.as_deref(),
            buyer_email: self.buyer_email.as_deref(),
            buyer_tel: self.buyer_tel.as_deref(),
            buyer_addr: self.buyer_addr.as_deref(),
            buyer_postcode: self.buyer_postcode.as_deref(),
            business_registration_number: self.business_registration_number.as_deref(),
            notice_url: &self.notice_url,
            custom_data: self.custom_data.as_deref(),
            tax_free: self.tax_free.map(json_number),
            vat_amount: self.vat_amount.map(json_number),
            product_type: self.product_type.as_deref(),
            product_count: self.product_count,
            escrow_password: self
                .escrow_password
                .as_ref()
                .map(|password| password.expose_secret()),
        }
    }
}

/// What to change about a virtual account that waits for its deposit (`PUT /vbanks/{imp_uid}`). What is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VbankChange {
    /// What is to be deposited, in the currency's major unit.
    pub amount: Option<Decimal>,
    /// Until when to deposit; counted in seconds.
    pub vbank_due: Option<Timestamp>,
}

impl Client {
    /// Issues a virtual account. Returns the payment that waits for the deposit.
    ///
    /// After [`Error::FateUnknown`] there may be an account that nobody was told of: look at [`Client::payments_of`] before
    /// trying again.
    pub async fn issue_vbank(&self, vbank: &Vbank) -> Result<Payment, Error> {
        let url = with_pg_api_key(self.url(&["vbanks"]), vbank.pg_api_key.as_ref());
        let call = Call::write(Method::POST, url, &vbank.body());
        self.once(call, |response| {
            let payment = Payment::parse(response)?;
            if payment.merchant_uid == vbank.merchant_uid.as_str() {
                Ok(payment)
            } else {
                Err(Error::garbled(
                    "the account has another merchant_uid than the one it was asked for",
                ))
            }
        })
        .await
    }

    /// Changes a virtual account that waits for its deposit. Some PGs do not let it be changed.
    pub async fn change_vbank(
        &self,
        imp_uid: &ImpUid,
        change: &VbankChange,
    ) -> Result<Payment, Error> {
        let url = self.url(&["vbanks", imp_uid.as_str()]);
        let body = ChangeBody {
            amount: change.amount.map(json_number),
            vbank_due: change.vbank_due.map(Timestamp::as_second),
        };
        // Changing it to the same again changes nothing, so this may be repeated.
        let response = self.response(Call::write(Method::PUT, url, &body)).await?;
        payment_of(imp_uid, &response)
    }

    /// Closes a virtual account that waits for its deposit; the payment becomes `failed`. KG Inicis wants an API key of its own.
    pub async fn close_vbank(
        &self,
        imp_uid: &ImpUid,
        pg_api_key: Option<&SecretString>,
    ) -> Result<Payment, Error> {
        let url = with_pg_api_key(self.url(&["vbanks", imp_uid.as_str()]), pg_api_key);
        // An account is closed once, and closing it again is refused, so this may be repeated.
        let response = self.response(Call::delete(url)).await?;
        payment_of(imp_uid, &response)
    }
}

fn with_pg_api_key(mut url: Url, pg_api_key: Option<&SecretString>) -> Url {
    if let Some(pg_api_key) = pg_api_key {
        url.query_pairs_mut()
            .append_pair("pg_api_key", pg_api_key.expose_secret());
    }
    url
}

#[derive(Serialize)]
struct ChangeBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vbank_due: Option<i64>,
}

#[derive(Serialize)]
struct Body<'a> {
    channel_key: &'a str,
    merchant_uid: &'a str,
    amount: Box<RawValue>,
    vbank_code: &'a str,
    vbank_due: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    vbank_holder: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vbank_num: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vbank_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_unlimited_vbank: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_tel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_addr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_postcode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_registration_number: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notice_url: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_free: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vat_amount: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    escrow_password: Option<&'a str>,
}

impl fmt::Debug for Vbank {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Vbank")
            .field("merchant_uid", &self.merchant_uid)
            .field("amount", &self.amount)
            .field("vbank_code", &self.vbank_code)
            .field("vbank_due", &self.vbank_due)
            .finish_non_exhaustive()
    }
}
