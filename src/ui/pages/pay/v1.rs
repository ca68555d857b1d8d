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
        m_redirect_url: &window.redirect_url,
    };
    serde_json::to_string(&request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Portone;
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
