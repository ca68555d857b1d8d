//! `PortOne.requestPayment`, the payment window of PortOne V2.
//! <https://developers.portone.io/sdk/ko/v2-sdk/payment-request>
//!
//! The kind of window (`windowType`) is left to PortOne: which kinds there are differs by gateway, and one that a gateway
//! does not have opens nothing. With `redirectUrl` and without `forceRedirect`, phones are redirected and desktops get a
//! promise; the page is ready for both.

use jiff::Timestamp;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    gift_certificate: Option<GiftCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    convenience_store: Option<ConvenienceStore>,
    /// Windows for a telephone's bill do not open without it; what the shop does not say is goods that are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<&'static str>,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GiftCertificate {
    gift_certificate_type: &'static str,
}

/// A number that outlives its order would collect money for an order that is over, too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConvenienceStore {
    payment_deadline: PaymentDeadline,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentDeadline {
    due_date: Timestamp,
}

/// Goods that are sent.
const PRODUCT_TYPE_REAL: &str = "PRODUCT_TYPE_REAL";

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
    AlipayPlus,
}

/// The SDK's argument as JSON. `store_id` is the merchant's, `channel_key` the order's.
pub(super) fn params(
    view: &PayView,
    window: &PaymentWindow,
    store_id: &str,
    channel_key: &str,
    locale: Locale,
) -> Option<String> {
    let word = window.pay_method.as_deref();
    let (pay_method, provider) = pay_method(word);
    let expires_at = |method| view.expires_at.filter(|_| pay_method == method);
    let request = RequestPayment {
        store_id,
        channel_key,
        payment_id: view.payment_id.as_str(),
        order_name: &view.name,
        total_amount: view.amount.minor,
        currency: view.amount.currency.code(),
        pay_method,
        easy_pay: provider.map(|easy_pay_provider| EasyPay { easy_pay_provider }),
        virtual_account: expires_at(PayMethod::VirtualAccount).map(|at| VirtualAccount {
            account_expiry: AccountExpiry {
                due_date: korea_time(at),
            },
        }),
        gift_certificate: word
            .and_then(gift_certificate)
            .map(|gift_certificate_type| GiftCertificate {
                gift_certificate_type,
            }),
        convenience_store: expires_at(PayMethod::ConvenienceStore).map(|due_date| {
            ConvenienceStore {
                payment_deadline: PaymentDeadline { due_date },
            }
        }),
        product_type: (pay_method == PayMethod::Mobile).then_some(PRODUCT_TYPE_REAL),
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
    super::request(&request, window.params.as_ref())
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
        "convenience_store" | "cvs" => PayMethod::ConvenienceStore,
        "alipay_plus" => PayMethod::AlipayPlus,
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

/// V2's name of a gift certificate that V1 has a way to pay for.
fn gift_certificate(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "cultureland" => "CULTURELAND",
        "smartculture" => "SMART_MUNSANG",
        "culturegift" => "CULTURE_GIFT",
        "booknlife" => "BOOKNLIFE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::order::Portone;
    use crate::domain::window_params::WindowParams;
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
    fn what_a_method_asks_for_is_said() {
        let mut view = fixtures::view(64_900, "JPY");
        view.expires_at = Some("2026-01-01T20:30:00Z".parse().expect("a time"));
        let of = |word: &str, name: &str| {
            let window = PaymentWindow {
                pay_method: Some(word.to_owned()),
                ..fixtures::window(Portone::V2)
            };
            value(&view, &window, Locale::Ko).get(name).cloned()
        };

        assert_eq!(of("phone", "productType"), Some(json!("PRODUCT_TYPE_REAL")));
        assert_eq!(of("card", "productType"), None);
        assert_eq!(
            of("convenience_store", "convenienceStore"),
            Some(json!({ "paymentDeadline": { "dueDate": "2026-01-01T20:30:00Z" } }))
        );
        assert_eq!(of("card", "convenienceStore"), None);
        for (word, name) in [
            ("cultureland", "CULTURELAND"),
            ("smartculture", "SMART_MUNSANG"),
            ("culturegift", "CULTURE_GIFT"),
            ("booknlife", "BOOKNLIFE"),
        ] {
            assert_eq!(
                of(word, "giftCertificate"),
                Some(json!({ "giftCertificateType": name }))
            );
        }
        assert_eq!(of("happymoney", "giftCertificate"), None);
    }

    #[test]
    fn what_else_the_shop_says_is_said() {
        let mut view = fixtures::view(64_900, "KRW");
        view.expires_at = Some("2026-01-01T20:30:00Z".parse().expect("a time"));
        let window = PaymentWindow {
            pay_method: Some("phone".to_owned()),
            buyer_name: Some("김하늘".to_owned()),
            params: WindowParams::from_stored(
                r#"{"productType":"PRODUCT_TYPE_DIGITAL","customer":{"customerId":"c-1"},"bypass":{"kcp_v2":{"shop_user_id":"7"}}}"#,
            ),
            ..fixtures::window(Portone::V2)
        };

        let found = value(&view, &window, Locale::Ko);

        assert_eq!(found["productType"], "PRODUCT_TYPE_DIGITAL");
        assert_eq!(
            found["customer"],
            json!({ "customerId": "c-1", "fullName": "김하늘" })
        );
        assert_eq!(
            found["bypass"],
            json!({ "kcp_v2": { "shop_user_id": "7" } })
        );
        assert_eq!(found["totalAmount"], 64_900);
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
            PayMethod::AlipayPlus,
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
