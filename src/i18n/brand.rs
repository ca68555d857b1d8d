//! Ways to pay that have a name of their own.

/// A wallet's name as it writes it in Latin letters; `word` is PortOne's.
pub(super) fn brand(word: &str) -> Option<&'static str> {
    Some(match word {
        "applepay" => "Apple Pay",
        "samsungpay" | "samsung" => "Samsung Pay",
        "kakaopay" => "Kakao Pay",
        "naverpay" | "naverpay_card" | "naverpay_point" => "Naver Pay",
        "payco" => "PAYCO",
        "tosspay" | "tosspay_card" | "tosspay_money" | "toss_brandpay" => "Toss Pay",
        "lpay" => "L.pay",
        "ssgpay" | "ssgpay_bank" => "SSG Pay",
        "kpay" => "K pay",
        "skpay" => "SK Pay",
        "pinpay" => "PinPay",
        "paypal" => "PayPal",
        "alipay" => "Alipay",
        "wechat" => "WeChat Pay",
        "unionpay" => "UnionPay",
        _ => return None,
    })
}
