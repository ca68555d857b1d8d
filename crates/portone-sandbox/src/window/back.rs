//! What the browser brings back to the shop: in the query of a redirect, in a form, or in a callback's object.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use super::choice::Choice;
use crate::ledger::Payment;
use crate::record::Record;

/// Everything is escaped but what RFC 3986 calls unreserved.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const LATE_ANSWER: &str = "결제 결과를 확인하는 중 오류가 발생하였습니다.";

/// The parameters PortOne adds. Any of them but `merchant_uid` may be missing.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) imp_uid: Option<String>,
    pub(crate) merchant_uid: String,
    /// The flag's name (`imp_success`, or `success` with some gateways) and value.
    pub(crate) flag: Option<(&'static str, bool)>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_msg: Option<String>,
}

/// How the browser leaves the window.
#[derive(Debug)]
pub(crate) enum Leave {
    Redirect(Return),
    Post(Return),
    /// Not sent back; the page offers a link.
    Link(Return),
    Stay,
}

impl Leave {
    pub(crate) fn after(choice: Choice, payment: &Payment) -> Self {
        let back = Return {
            imp_uid: Some(payment.imp_uid().into()),
            merchant_uid: payment.merchant_uid().into(),
            flag: Some(("imp_success", true)),
            error_code: None,
            error_msg: None,
        };
        match choice {
            Choice::Pay
            | Choice::IssueVbank
            | Choice::PayTamperedAmount
            | Choice::PayTamperedCurrency
            | Choice::PayTestChannel
            | Choice::PayLag
            | Choice::FailFlagTrue => Leave::Redirect(back),
            Choice::Decline
            | Choice::DeclineLimit
            | Choice::DeclineBalance
            | Choice::DeclineCard
            | Choice::Cancel => Leave::Redirect(Return {
                flag: Some(("imp_success", false)),
                error_code: choice.refusal().map(|refusal| refusal.code.into()),
                error_msg: choice.refusal().map(|refusal| refusal.message.into()),
                ..back
            }),
            Choice::PayFlagFalse => Leave::Redirect(Return {
                flag: Some(("imp_success", false)),
                error_msg: Some(LATE_ANSWER.into()),
                ..back
            }),
            Choice::PayNoFlag => Leave::Redirect(Return { flag: None, ..back }),
            Choice::PayNoImpUid => Leave::Redirect(Return {
                imp_uid: None,
                flag: None,
                ..back
            }),
            Choice::PaySuccessKey => Leave::Redirect(Return {
                flag: Some(("success", true)),
                ..back
            }),
            Choice::PayPost => Leave::Post(back),
            Choice::Abandon => Leave::Link(Return { flag: None, ..back }),
            Choice::PayNoReturn => Leave::Stay,
        }
    }
}

impl Return {
    /// Names and values in the order PortOne appends them.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let flag = self.flag.map(|(name, value)| match value {
            true => (name, "true"),
            false => (name, "false"),
        });
        let imp_uid = self.imp_uid.as_deref().map(|value| ("imp_uid", value));
        let error_code = self
            .error_code
            .as_deref()
            .map(|value| ("error_code", value));
        let error_msg = self.error_msg.as_deref().map(|value| ("error_msg", value));
        imp_uid
            .into_iter()
            .chain([("merchant_uid", self.merchant_uid.as_str())])
            .chain(flag)
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
            query.extend(utf8_percent_encode(value, QUERY_VALUE));
        }
        let mut location = redirect_url.clone();
        location.set_query(Some(&query));
        location
    }

    /// The object that the callback of `request_pay` gets.
    /// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrt>
    pub(crate) fn callback(&self, record: &Record) -> Value {
        let mut result = json!({
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            // The callback says `paid_amount` where the API says `amount`.
            "paid_amount": record.get("amount"),
            "pg_type": "payment",
        });
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
        // A gateway that names its flag `success` in the redirect does so here as well; the others all do.
        if let Some((_, value)) = self.flag {
            result["success"] = json!(value);
        }
        if let Some(code) = &self.error_code {
            result["error_code"] = json!(code);
        }
        if let Some(message) = &self.error_msg {
            result["error_msg"] = json!(message);
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
            flag: Some(("imp_success", false)),
            error_code: Some("F0001".into()),
            error_msg: Some("취소".into()),
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
}
