//! Ways to pay, as people tell them apart. PortOne's two generations and its gateways have many words for few of them.

use super::order::words;

/// A way to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayMethod {
    /// A card.
    Card,
    /// Straight from a bank account.
    Transfer,
    /// A deposit to an account that was issued for it.
    VirtualAccount,
    /// With the telephone's bill.
    Mobile,
    /// A wallet.
    EasyPay,
    /// Gift certificates.
    GiftCertificate,
    /// At a shop's counter.
    ConvenienceStore,
    /// Points.
    Point,
    /// Crypto-currency.
    Crypto,
}
words!(PayMethod {
    Card = "card",
    Transfer = "transfer",
    VirtualAccount = "virtual_account",
    Mobile = "mobile",
    EasyPay = "easy_pay",
    GiftCertificate = "gift_certificate",
    ConvenienceStore = "convenience_store",
    Point = "point",
    Crypto = "crypto",
});

impl PayMethod {
    /// PortOne's words for it in small letters, each between spaces: V1's `pay_method`, and V2's types of a method.
    /// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
    #[must_use]
    pub const fn gateway_words(self) -> &'static str {
        match self {
            Self::Card => " card unionpay ",
            Self::Transfer => " trans transfer ",
            Self::VirtualAccount => " vbank virtual_account ",
            Self::Mobile => " phone mobile ",
            Self::EasyPay => {
                " easy_pay samsung samsungpay kakaopay naverpay naverpay_card naverpay_point payco tosspay tosspay_card tosspay_money \
                 toss_brandpay ssgpay ssgpay_bank lpay skpay kpay pinpay applepay paypal alipay alipay_plus wechat tenpay paypay amazonpay \
                 rakutenpay merpay aupay dbarai "
            }
            Self::GiftCertificate => {
                " gift_certificate cultureland smartculture culturegift booknlife happymoney "
            }
            Self::ConvenienceStore => " convenience_store econtext cvs ",
            Self::Point => " point ",
            Self::Crypto => " crypto ",
        }
    }

    /// The way to pay behind a word of PortOne's.
    #[must_use]
    pub fn of_gateway_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let known = |method: &Self| method.gateway_words().split(' ').any(|own| own == word);
        Self::ALL
            .iter()
            .copied()
            .find(|method| !word.is_empty() && known(method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_portone_is_one_way_to_pay() {
        let all = PayMethod::ALL.iter();
        let mut words: Vec<&str> = all
            .flat_map(|method| method.gateway_words().split_whitespace())
            .collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
        for (word, method) in [
            ("card", Some(PayMethod::Card)),
            ("VIRTUAL_ACCOUNT", Some(PayMethod::VirtualAccount)),
            ("vbank", Some(PayMethod::VirtualAccount)),
            ("EASY_PAY", Some(PayMethod::EasyPay)),
            ("kakaopay", Some(PayMethod::EasyPay)),
            ("", None),
            ("kakao", None),
        ] {
            assert_eq!(PayMethod::of_gateway_word(word), method, "{word}");
        }
    }
}
