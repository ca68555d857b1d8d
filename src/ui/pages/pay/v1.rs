//! `IMP.request_pay`, the payment window of PortOne V1.
//! <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>

use serde::Serialize;
use serde_json::value::RawValue;

use super::korea_time;
use crate::i18n::Locale;
use crate::service::orders::{PayView, PaymentWindow};

/// Longest order name that the window takes, in characters.
const NAME_CHARS_MAX: usize = 40;

/// A deposit to an account, as a way to pay.
const VBANK: &str = "vbank";
/// A telephone's bill, as a way to pay.
const PHONE: &str = "phone";

/// What is not there is left out: the SDK checks types.
#[derive(Serialize)]
struct RequestPay<'a> {
    #[serde(rename = "channelKey", skip_serializing_if = "Option::is_none")]
    channel_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_method: Option<&'a str>,
    merchant_uid: &'a str,
    name: String,
    /// A number of major units, not a text.
    amount: &'a RawValue,
    currency: &'a str,
    language: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_tel: Option<&'a str>,
    /// An account that outlives its order would collect money for an order that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    vbank_due: Option<String>,
    /// Whether the goods are digital. Windows for a telephone's bill do not open without it; what the shop does not say is
    /// goods that are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    digital: Option<bool>,
    m_redirect_url: &'a str,
}

/// The SDK's first argument as JSON.
pub(super) fn params(view: &PayView, window: &PaymentWindow, locale: Locale) -> Option<String> {
    let amount = RawValue::from_string(view.amount.to_major().to_string()).ok()?;
    let request = RequestPay {
        channel_key: window.channel_key.as_deref(),
        pay_method: window.pay_method.as_deref(),
        merchant_uid: view.payment_id.as_str(),
        name: view.name.chars().take(NAME_CHARS_MAX).collect(),
        amount: &amount,
        currency: view.amount.currency.code(),
        language: match locale {
            Locale::Ko => "ko",
            // V1's windows speak no Japanese.
            Locale::En | Locale::Ja => "en",
            Locale::Zh => "zh",
        },
        buyer_name: window.buyer_name.as_deref(),
        buyer_email: window.buyer_email.as_deref(),
        buyer_tel: window.buyer_tel.as_deref(),
        vbank_due: view
            .expires_at
            .filter(|_| window.pay_method.as_deref() == Some(VBANK))
            .map(korea_time),
        digital: (window.pay_method.as_deref() == Some(PHONE)).then_some(false),
        m_redirect_url: &window.redirect_url,
    };
    super::request(&request, window.params.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Portone;
    use crate::domain::window_params::WindowParams;
    use crate::ui::pages::pay::fixtures;

    #[test]
    fn the_parameters_have_the_types_that_the_sdk_checks() {
        let view = PayView {
            name: "사".repeat(NAME_CHARS_MAX + 1),
            ..fixtures::view(1420, "USD")
        };
        let window = PaymentWindow {
            pay_method: Some("card".to_owned()),
            buyer_email: Some("buyer@example.com".to_owned()),
            ..fixtures::window(Portone::V1)
        };

        let text = params(&view, &window, Locale::En).expect("parameters");

        assert!(text.contains("\"amount\":14.2,"), "{text}");
        assert!(
            !text.contains("channelKey") && !text.contains("buyer_tel") && !text.contains("null"),
            "{text}"
        );
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            value["name"].as_str().map(|name| name.chars().count()),
            Some(NAME_CHARS_MAX)
        );
        assert_eq!(value["merchant_uid"], "ORDER-1");
        assert_eq!(
            value["m_redirect_url"],
            "https://pay.example/payments/complete"
        );
    }

    #[test]
    fn a_telephones_bill_is_for_goods_that_are_sent_unless_the_shop_says_otherwise() {
        let digital = |method: &str, params: Option<&str>| {
            let window = PaymentWindow {
                pay_method: Some(method.to_owned()),
                params: params.and_then(WindowParams::from_stored),
                ..fixtures::window(Portone::V1)
            };
            let text = params_of(&window);
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            value.get("digital").and_then(serde_json::Value::as_bool)
        };

        assert_eq!(digital("phone", None), Some(false));
        assert_eq!(digital("phone", Some(r#"{"digital":true}"#)), Some(true));
        assert_eq!(digital("card", None), None);
        assert_eq!(digital("paypal", Some(r#"{"digital":true}"#)), Some(true));
    }

    fn params_of(window: &PaymentWindow) -> String {
        params(&fixtures::view(1_000, "KRW"), window, Locale::Ko).expect("parameters")
    }

    #[test]
    fn an_account_ends_with_its_order() {
        let expires_at = "2026-11-21T15:04:05.9Z".parse().ok();
        let view = PayView {
            expires_at,
            ..fixtures::view(1_000, "KRW")
        };
        let due = |view: &PayView, method: &str| {
            let window = PaymentWindow {
                pay_method: Some(method.to_owned()),
                ..fixtures::window(Portone::V1)
            };
            let text = params(view, &window, Locale::Ko).expect("parameters");
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            value["vbank_due"].as_str().map(str::to_owned)
        };

        assert_eq!(due(&view, "vbank").as_deref(), Some("2026-11-22 00:04:05"));
        assert_eq!(due(&view, "card"), None);
        assert_eq!(due(&fixtures::view(1_000, "KRW"), "vbank"), None);
    }
}
