//! Ways to pay, by the names `requestPayment` uses, and what they look like once the gateway has approved.

use serde_json::{Value, json};

use crate::rng::Rng;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PayMethod {
    #[default]
    Card,
    VirtualAccount,
    Transfer,
    Mobile,
    GiftCertificate,
    EasyPay,
    Paypal,
    Alipay,
    AlipayPlus,
    ConvenienceStore,
}

impl PayMethod {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "CARD" => PayMethod::Card,
            "VIRTUAL_ACCOUNT" => PayMethod::VirtualAccount,
            "TRANSFER" => PayMethod::Transfer,
            "MOBILE" => PayMethod::Mobile,
            "GIFT_CERTIFICATE" => PayMethod::GiftCertificate,
            "EASY_PAY" => PayMethod::EasyPay,
            "PAYPAL" => PayMethod::Paypal,
            "ALIPAY" => PayMethod::Alipay,
            "ALIPAY_PLUS" => PayMethod::AlipayPlus,
            "CONVENIENCE_STORE" => PayMethod::ConvenienceStore,
            _ => return None,
        })
    }

    /// Whoever asks for an account or a shop counter and then pays at once has paid by card.
    pub(crate) fn at_once(self) -> Self {
        match self {
            PayMethod::VirtualAccount | PayMethod::ConvenienceStore => PayMethod::Card,
            PayMethod::Card
            | PayMethod::Transfer
            | PayMethod::Mobile
            | PayMethod::GiftCertificate
            | PayMethod::EasyPay
            | PayMethod::Paypal
            | PayMethod::Alipay
            | PayMethod::AlipayPlus => self,
        }
    }

    /// `method` of a payment that was approved at once.
    pub(crate) fn approved(self, rng: &mut Rng) -> Value {
        match self.at_once() {
            PayMethod::Transfer => json!({"type": "PaymentMethodTransfer", "bank": "KOOKMIN"}),
            PayMethod::Mobile => json!({"type": "PaymentMethodMobile"}),
            PayMethod::GiftCertificate => json!({
                "type": "PaymentMethodGiftCertificate",
                "giftCertificateType": "CULTURELAND",
                "approvalNumber": rng.digits(10),
            }),
            PayMethod::EasyPay => json!({
                "type": "PaymentMethodEasyPay",
                "provider": "KAKAOPAY",
                "easyPayMethod": card(rng),
            }),
            PayMethod::Paypal => json!({"type": "PaymentMethodEasyPay", "provider": "PAYPAL"}),
            PayMethod::Alipay | PayMethod::AlipayPlus => {
                json!({"type": "PaymentMethodEasyPay", "provider": "ALIPAY"})
            }
            PayMethod::Card | PayMethod::VirtualAccount | PayMethod::ConvenienceStore => card(rng),
        }
    }
}

fn card(rng: &mut Rng) -> Value {
    json!({
        "type": "PaymentMethodCard",
        "card": {
            "publisher": "SHINHAN_CARD",
            "issuer": "SHINHAN_CARD",
            "brand": "LOCAL",
            "type": "CREDIT",
            "ownerType": "PERSONAL",
            "bin": "438676",
            "name": "신한카드",
            "number": format!("438676******{}", rng.digits(4)),
        },
        "approvalNumber": rng.digits(8),
        "installment": {"month": 0, "isInterestFree": false},
        "pointUsed": false,
    })
}
