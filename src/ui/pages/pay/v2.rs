//! `PortOne.requestPayment`, the payment window of PortOne V2.
//! <https://developers.portone.io/sdk/ko/v2-sdk/payment-request>
//!
//! The kind of window (`windowType`) is left to PortOne: which kinds there are differs by gateway, and one that a gateway
//! does not have opens nothing. With `redirectUrl` and without `forceRedirect`, phones are redirected and desktops get a
//! promise; the page is ready for both.

use serde::Serialize;

use super::korea_time;
use crate::i18n::Locale;
use crate::service::orders::{PayView, PaymentWindow};

/// What is not there is left out: the SDK checks types.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestPayment<'a> {
    store_id: &'a str,
    channel_key: &'a str,
    payment_id: &'a str,
    order_name: &'a str,
    /// In the currency's minor unit.
    total_amount: i64,
    currency: &'a str,
    pay_method: PayMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    easy_pay: Option<EasyPay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_account: Option<VirtualAccount>,
    #[serde(skip_serializing_if = "Customer::is_nobody")]
    customer: Customer<'a>,
    redirect_url: &'a str,
    locale: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Customer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
}

impl Customer<'_> {
    fn is_nobody(&self) -> bool {
        self.full_name.is_none() && self.email.is_none() && self.phone_number.is_none()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EasyPay {
    easy_pay_provider: &'static str,
}

/// An account that outlives its order would collect money for an order that is over.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualAccount {
    account_expiry: AccountExpiry,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountExpiry {
    due_date: String,
}

/// The ways to pay that the SDK knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PayMethod {
    Card,
    VirtualAccount,
    Transfer,
    Mobile,
    GiftCertificate,
    EasyPay,
    Paypal,
    Alipay,
    ConvenienceStore,
}

/// The SDK's argument as JSON. `store_id` is the merchant's, `channel_key` the order's.
pub(super) fn params(
    view: &PayView,
    window: &PaymentWindow,
    store_id: &str,
    channel_key: &str,
    locale: Locale,
) -> Option<String> {
    let (pay_method, provider) = pay_method(window.pay_method.as_deref());
    let request = RequestPayment {
        store_id,
        channel_key,
        payment_id: view.payment_id.as_str(),
        order_name: &view.name,
        total_amount: view.amount.minor,
        currency: view.amount.currency.code(),
        pay_method,
        easy_pay: provider.map(|easy_pay_provider| EasyPay { easy_pay_provider }),
        virtual_account: view
            .expires_at
            .filter(|_| pay_method == PayMethod::VirtualAccount)
            .map(|at| VirtualAccount {
                account_expiry: AccountExpiry {
                    due_date: korea_time(at),
                },
            }),
        customer: Customer {
            full_name: window.buyer_name.as_deref(),
            email: window.buyer_email.as_deref(),
            phone_number: window.buyer_tel.as_deref(),
        },
        redirect_url: &window.redirect_url,
        locale: match locale {
            Locale::Ko => "KO_KR",
            Locale::En => "EN_US",
            Locale::Ja => "JA_JP",
            Locale::Zh => "ZH_CN",
        },
    };
    serde_json::to_string(&request).ok()
}

/// An order's way to pay in V2's words, with the wallet where it names one. Orders say it in V1's words or in V2's own; what
/// is neither, and nothing at all, is a card.
/// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
fn pay_method(word: Option<&str>) -> (PayMethod, Option<&'static str>) {
    let word = word.unwrap_or_default().to_ascii_lowercase();
    let method = match word.as_str() {
        "vbank" | "virtual_account" => PayMethod::VirtualAccount,
        "trans" | "transfer" => PayMethod::Transfer,
        "phone" | "mobile" => PayMethod::Mobile,
        "cultureland" | "smartculture" | "culturegift" | "booknlife" | "happymoney"
        | "gift_certificate" => PayMethod::GiftCertificate,
        "paypal" => PayMethod::Paypal,
        "alipay" => PayMethod::Alipay,
        "convenience_store" => PayMethod::ConvenienceStore,
        "easy_pay" => PayMethod::EasyPay,
        _ => match wallet(&word) {
            Some(provider) => return (PayMethod::EasyPay, Some(provider)),
            None => PayMethod::Card,
        },
    };
    (method, None)
}

/// V2's name of a wallet that V1 has a way to pay for.
fn wallet(word: &str) -> Option<&'static str> {
    Some(match word {
        "kakaopay" => "KAKAOPAY",
        "naverpay" | "naverpay_card" | "naverpay_point" => "NAVERPAY",
        "tosspay" | "tosspay_card" | "tosspay_money" => "TOSSPAY",
        "toss_brandpay" => "TOSS_BRANDPAY",
        "payco" => "PAYCO",
        "samsungpay" | "samsung" => "SAMSUNGPAY",
        "applepay" => "APPLEPAY",
        "ssgpay" | "ssgpay_bank" => "SSGPAY",
        "lpay" => "LPAY",
        "kpay" => "KPAY",
        "skpay" => "SKPAY",
        "pinpay" => "PINPAY",
        "wechat" => "WECHAT",
        _ => return None,
    })
}
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::order::Portone;
    use crate::ui::pages::pay::fixtures;

    fn value(view: &PayView, window: &PaymentWindow, locale: Locale) -> serde_json::Value {
        let text = params(view, window, "store-1", "channel-key-1", locale).expect("parameters");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn an_order_of_nobody_says_only_what_it_must() {
        let found = value(
            &fixtures::view(1420, "USD"),
            &fixtures::window(Portone::V2),
            Locale::En,
        );

        let expected = json!({
            "storeId": "store-1",
            "channelKey": "channel-key-1",
            "paymentId": "ORDER-1",
            "orderName": "완료 티셔츠",
            "totalAmount": 1420,
            "currency": "USD",
            "payMethod": "CARD",
            "redirectUrl": "https://pay.example/payments/complete",
            "locale": "EN_US",
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn the_shops_prefill_is_the_customer() {
        let window = PaymentWindow {
            buyer_name: Some("김하늘".to_owned()),
            buyer_tel: Some("010-1234-5678".to_owned()),
            ..fixtures::window(Portone::V2)
        };

        let found = value(&fixtures::view(64_900, "KRW"), &window, Locale::Ko);

        assert_eq!(
            found["customer"],
            json!({ "fullName": "김하늘", "phoneNumber": "010-1234-5678" })
        );
        assert_eq!(found["locale"], "KO_KR");
    }

    #[test]
    fn an_account_ends_with_its_order() {
        let mut view = fixtures::view(64_900, "KRW");
        view.expires_at = Some("2026-01-01T20:30:00Z".parse().expect("a time"));
        let by = |word: &str| PaymentWindow {
            pay_method: Some(word.to_owned()),
            ..fixtures::window(Portone::V2)
        };

        let account = value(&view, &by("vbank"), Locale::Ko);

        assert_eq!(
            account["virtualAccount"]["accountExpiry"]["dueDate"],
            "2026-01-02 05:30:00"
        );
        assert_eq!(
            value(&view, &by("card"), Locale::Ko).get("virtualAccount"),
            None
        );
    }

    #[test]
    fn every_way_to_pay_of_v1_is_one_of_v2() {
        let wallets = |word| (PayMethod::EasyPay, Some(word));
        for (word, expected) in [
            ("card", (PayMethod::Card, None)),
            ("vbank", (PayMethod::VirtualAccount, None)),
            ("trans", (PayMethod::Transfer, None)),
            ("phone", (PayMethod::Mobile, None)),
            ("cultureland", (PayMethod::GiftCertificate, None)),
            ("booknlife", (PayMethod::GiftCertificate, None)),
            ("paypal", (PayMethod::Paypal, None)),
            ("alipay", (PayMethod::Alipay, None)),
            ("kakaopay", wallets("KAKAOPAY")),
            ("naverpay_point", wallets("NAVERPAY")),
            ("tosspay", wallets("TOSSPAY")),
            ("samsungpay", wallets("SAMSUNGPAY")),
        ] {
            assert_eq!(pay_method(Some(word)), expected, "{word}");
        }
    }

    #[test]
    fn v2s_own_words_mean_themselves() {
        for method in [
            PayMethod::Card,
            PayMethod::VirtualAccount,
            PayMethod::Transfer,
            PayMethod::Mobile,
            PayMethod::GiftCertificate,
            PayMethod::EasyPay,
            PayMethod::Paypal,
            PayMethod::Alipay,
            PayMethod::ConvenienceStore,
        ] {
            let word = serde_json::to_value(method).expect("a word");
            assert_eq!(pay_method(word.as_str()), (method, None));
        }
    }

    #[test]
    fn what_no_sdk_knows_is_a_card() {
        for word in [None, Some(""), Some("barter")] {
            assert_eq!(pay_method(word), (PayMethod::Card, None));
        }
    }
}
