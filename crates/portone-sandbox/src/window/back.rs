//! What the browser brings back to the shop: in the query of a redirect, in a form, or in a callback's object.

use encoding_rs::EUC_KR;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use super::plan::{Flag, Telling};
use crate::gateway::{Gateway, Tells};
use crate::ledger::{Payment, Window};
use crate::record::Record;
use crate::state::Charset;

/// Everything is escaped but what RFC 3986 calls unreserved.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parameters PortOne adds. Any of them but `merchant_uid` may be missing.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) imp_uid: Option<String>,
    pub(crate) merchant_uid: String,
    /// By the gateway's names, such as `imp_success`.
    pub(crate) flags: Vec<(&'static str, String)>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_msg: Option<String>,
    /// Whether the callback gets more than the parameters.
    pub(crate) tells: Tells,
    /// `success` in the callback.
    pub(crate) success: Option<bool>,
    /// How `error_msg` is written in a redirect.
    pub(crate) charset: Charset,
}

impl Return {
    /// Brings back the ids and nothing more.
    pub(crate) fn ids(payment: &Payment) -> Self {
        Return {
            imp_uid: Some(payment.imp_uid().into()),
            merchant_uid: payment.merchant_uid().into(),
            flags: Vec::new(),
            error_code: None,
            error_msg: None,
            tells: Gateway::of(&payment.record).tells,
            success: None,
            charset: Charset::default(),
        }
    }

    pub(crate) fn told(
        telling: &Telling,
        payment: &Payment,
        window: &Window,
        charset: Charset,
    ) -> Self {
        let ids = Return::ids(payment);
        let (flags, success) = match (telling.flag, ids.tells) {
            (Flag::Missing, _) => (Vec::new(), None),
            (Flag::Success(success), _) => (vec![("success", success.to_string())], Some(success)),
            (Flag::Gateways(_), Tells::IdsOnly) => (Vec::new(), None),
            (Flag::Gateways(success), Tells::Flag) => {
                (vec![("imp_success", success.to_string())], Some(success))
            }
            (Flag::Gateways(success), Tells::KcpQuick) => (
                vec![
                    ("imp_status", success.to_string()),
                    ("kcp_action", window.kcp_action.clone()),
                ],
                Some(success),
            ),
        };
        // KCP QuickPay brings four parameters back and never a reason.
        let error = telling
            .error
            .as_ref()
            .filter(|_| ids.tells != Tells::KcpQuick);
        Return {
            imp_uid: ids.imp_uid.filter(|_| telling.has_imp_uid),
            flags,
            success,
            error_code: error.and_then(|error| error.code).map(str::to_owned),
            error_msg: error.map(|error| error.message.clone().into_owned()),
            charset,
            ..ids
        }
    }
}

impl Return {
    /// Names and values in the order PortOne appends them.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let flags = self
            .flags
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let imp_uid = self.imp_uid.as_deref().map(|value| ("imp_uid", value));
        let error_code = self
            .error_code
            .as_deref()
            .map(|value| ("error_code", value));
        let error_msg = self.error_msg.as_deref().map(|value| ("error_msg", value));
        imp_uid
            .into_iter()
            .chain([("merchant_uid", self.merchant_uid.as_str())])
            .chain(flags)
            .chain(error_code)
            .chain(error_msg)
            .collect()
    }

    /// The shop's address with the parameters appended to the query it already has.
    pub(crate) fn location(&self, redirect_url: &Url) -> Url {
        let mut query = redirect_url.query().unwrap_or_default().to_owned();
        for (name, value) in self.parameters() {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            match (name, self.charset) {
                ("error_msg", Charset::EucKr) => {
                    let (bytes, _, _) = EUC_KR.encode(value);
                    query.extend(percent_encode(&bytes, QUERY_VALUE));
                }
                (_, Charset::Utf8 | Charset::EucKr) => {
                    query.extend(utf8_percent_encode(value, QUERY_VALUE));
                }
            }
        }
        let mut location = redirect_url.clone();
        location.set_query(Some(&query));
        location
    }

    /// The object that the callback of `request_pay` gets.
    /// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrt>
    pub(crate) fn callback(&self, record: &Record) -> Value {
        let mut result = json!({"imp_uid": self.imp_uid, "merchant_uid": self.merchant_uid});
        if let Some(code) = &self.error_code {
            result["error_code"] = json!(code);
        }
        if let Some(message) = &self.error_msg {
            result["error_msg"] = json!(message);
        }
        if self.tells == Tells::IdsOnly {
            return result;
        }
        // The callback says `paid_amount` where the API says `amount`.
        result["paid_amount"] = record.get("amount").cloned().unwrap_or_default();
        result["pg_type"] = json!("payment");
        for field in [
            "pay_method",
            "status",
            "name",
            "pg_provider",
            "emb_pg_provider",
            "pg_tid",
            "buyer_name",
            "buyer_email",
            "buyer_tel",
            "buyer_addr",
            "buyer_postcode",
            "custom_data",
            "paid_at",
            "receipt_url",
            "apply_num",
            "vbank_num",
            "vbank_name",
            "vbank_holder",
            "vbank_date",
            "card_name",
            "card_number",
            "card_quota",
            "bank_name",
            "currency",
        ] {
            result[field] = record.get(field).cloned().unwrap_or_default();
        }
        // Whatever a gateway calls its flag in the redirect, the callback says `success`.
        if let Some(success) = self.success {
            result["success"] = json!(success);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_keeps_the_query_and_appends_in_order() {
        let back = Return {
            imp_uid: Some("imp_1".into()),
            merchant_uid: "주문 1&2".into(),
            flags: vec![("imp_success", "false".into())],
            error_code: Some("F0001".into()),
            error_msg: Some("취소".into()),
            tells: Tells::Flag,
            success: Some(false),
            charset: Charset::Utf8,
        };
        let location = |url: &str| back.location(&url.parse().unwrap()).to_string();
        let appended = "imp_uid=imp_1&merchant_uid=%EC%A3%BC%EB%AC%B8%201%262&imp_success=false\
                        &error_code=F0001&error_msg=%EC%B7%A8%EC%86%8C";

        assert_eq!(
            location("http://shop.test/done?order_id=7&x=%2F"),
            format!("http://shop.test/done?order_id=7&x=%2F&{appended}")
        );
        assert_eq!(
            location("http://shop.test/done#top"),
            format!("http://shop.test/done?{appended}#top")
        );
    }

    #[test]
    fn another_charset_changes_the_message_alone() {
        let back = Return {
            imp_uid: None,
            merchant_uid: "주문".into(),
            flags: Vec::new(),
            error_code: None,
            error_msg: Some("취소".into()),
            tells: Tells::Flag,
            success: None,
            charset: Charset::EucKr,
        };

        let location = back.location(&"http://shop.test/".parse().unwrap());

        assert_eq!(
            location.query(),
            Some("merchant_uid=%EC%A3%BC%EB%AC%B8&error_msg=%C3%EB%BC%D2")
        );
    }
}
