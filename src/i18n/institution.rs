//! Banks, card companies and wallets by the codes of PortOne V2. V1 and some gateways give names instead, which stay as they
//! came.
//! <https://developers.portone.io/api/rest-v2/type-def#Bank>

use super::Locale;

/// The name by a code; what is no code is returned as it is.
#[must_use]
pub fn institution(locale: Locale, text: &str) -> &str {
    match (names(text), locale) {
        (Some((ko, _)), Locale::Ko) => ko,
        // Korean banks are known abroad by their English names.
        (Some((_, en)), Locale::En | Locale::Ja | Locale::Zh) => en,
        (None, _) => text,
    }
}

/// The banks that people in Korea have accounts at, by their codes.
pub const BANKS: &[&str] = &[
    "KOOKMIN",
    "SHINHAN",
    "WOORI",
    "HANA",
    "NONGHYUP",
    "IBK",
    "KAKAO",
    "TOSS",
    "K_BANK",
    "KDB",
    "SUHYUP",
    "STANDARD_CHARTERED",
    "CITI",
    "DAEGU",
    "BUSAN",
    "KWANGJU",
    "JEJU",
    "JEONBUK",
    "KYONGNAM",
    "LOCAL_NONGHYUP",
    "KFCC",
    "SHINHYUP",
    "SAVINGS_BANK",
    "POST",
];

/// The Korean and the English name.
fn names(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        // Banks.
        "BANK_OF_KOREA" => ("한국은행", "Bank of Korea"),
        "KDB" => ("산업은행", "Korea Development Bank"),
        "IBK" => ("기업은행", "Industrial Bank of Korea"),
        "KOOKMIN" => ("국민은행", "KB Kookmin Bank"),
        "SUHYUP" => ("수협은행", "Suhyup Bank"),
        "KEXIM" => ("수출입은행", "Export-Import Bank of Korea"),
        "NONGHYUP" => ("NH농협은행", "NH NongHyup Bank"),
        "LOCAL_NONGHYUP" => ("지역농축협", "Local NongHyup"),
        "WOORI" => ("우리은행", "Woori Bank"),
        "STANDARD_CHARTERED" => ("SC제일은행", "SC First Bank"),
        "CITI" => ("한국씨티은행", "Citibank Korea"),
        "SUHYUP_FEDERATION" => ("수협중앙회", "Suhyup Federation"),
        "DAEGU" => ("아이엠뱅크", "iM Bank"),
        "BUSAN" => ("부산은행", "BNK Busan Bank"),
        "KWANGJU" => ("광주은행", "Kwangju Bank"),
        "JEJU" => ("제주은행", "Jeju Bank"),
        "JEONBUK" => ("전북은행", "Jeonbuk Bank"),
        "KYONGNAM" => ("경남은행", "BNK Kyongnam Bank"),
        "KFCC" => ("새마을금고", "MG Saemaul Geumgo"),
        "SHINHYUP" => ("신협", "Shinhyup Credit Union"),
        "SAVINGS_BANK" => ("저축은행", "Savings bank"),
        "MORGAN_STANLEY" => ("모간스탠리은행", "Morgan Stanley Bank"),
        "HSBC" => ("HSBC은행", "HSBC"),
        "DEUTSCHE" => ("도이치은행", "Deutsche Bank"),
        "JPMC" => ("제이피모간체이스은행", "JPMorgan Chase Bank"),
        "MIZUHO" => ("미즈호은행", "Mizuho Bank"),
        "MUFG" => ("엠유에프지은행", "MUFG Bank"),
        "BANK_OF_AMERICA" => ("BOA은행", "Bank of America"),
        "BNP_PARIBAS" => ("비엔피파리바은행", "BNP Paribas"),
        "ICBC" => ("중국공상은행", "ICBC"),
        "BANK_OF_CHINA" => ("중국은행", "Bank of China"),
        "NFCF" => ("산림조합중앙회", "Forestry Cooperative Federation"),
        "UOB" => ("대화은행", "UOB"),
        "BOCOM" => ("교통은행", "Bank of Communications"),
        "CCB" => ("중국건설은행", "China Construction Bank"),
        "POST" => ("우체국", "Korea Post"),
        "KODIT" => ("신용보증기금", "Korea Credit Guarantee Fund"),
        "KIBO" => ("기술보증기금", "Korea Technology Finance"),
        "HANA" => ("하나은행", "Hana Bank"),
        "SHINHAN" => ("신한은행", "Shinhan Bank"),
        "K_BANK" => ("케이뱅크", "K bank"),
        "KAKAO" => ("카카오뱅크", "KakaoBank"),
        "TOSS" => ("토스뱅크", "Toss Bank"),
        "MISC_FOREIGN" => ("기타 외국계 은행", "Other foreign bank"),
        "SGI" => ("서울보증보험", "Seoul Guarantee Insurance"),
        "KCIS" => ("한국신용정보원", "Korea Credit Information Services"),
        "YUANTA_SECURITIES" => ("유안타증권", "Yuanta Securities Korea"),
        "KB_SECURITIES" => ("KB증권", "KB Securities"),
        "SANGSANGIN_SECURITIES" => ("상상인증권", "Sangsangin Investment & Securities"),
        "HANYANG_SECURITIES" => ("한양증권", "Hanyang Securities"),
        "LEADING_SECURITIES" => ("리딩투자증권", "Leading Investment & Securities"),
        "BNK_SECURITIES" => ("BNK투자증권", "BNK Securities"),
        "IBK_SECURITIES" => ("IBK투자증권", "IBK Securities"),
        "DAOL_SECURITIES" => ("다올투자증권", "DAOL Investment & Securities"),
        "MIRAE_ASSET_SECURITIES" => ("미래에셋증권", "Mirae Asset Securities"),
        "SAMSUNG_SECURITIES" => ("삼성증권", "Samsung Securities"),
        "KOREA_SECURITIES" => ("한국투자증권", "Korea Investment & Securities"),
        "NH_SECURITIES" => ("NH투자증권", "NH Investment & Securities"),
        "KYOBO_SECURITIES" => ("교보증권", "Kyobo Securities"),
        "HI_SECURITIES" => ("하이투자증권", "Hi Investment & Securities"),
        "HYUNDAI_MOTOR_SECURITIES" => ("현대차증권", "Hyundai Motor Securities"),
        "KIWOOM_SECURITIES" => ("키움증권", "Kiwoom Securities"),
        "EBEST_SECURITIES" => ("LS증권", "LS Securities"),
        "SK_SECURITIES" => ("SK증권", "SK Securities"),
        "DAISHIN_SECURITIES" => ("대신증권", "Daishin Securities"),
        "HANHWA_SECURITIES" => ("한화투자증권", "Hanwha Investment & Securities"),
        "HANA_SECURITIES" => ("하나증권", "Hana Securities"),
        "TOSS_SECURITIES" => ("토스증권", "Toss Securities"),
        "SHINHAN_SECURITIES" => ("신한투자증권", "Shinhan Securities"),
        "DB_SECURITIES" => ("DB금융투자", "DB Financial Investment"),
        "EUGENE_SECURITIES" => ("유진투자증권", "Eugene Investment & Securities"),
        "MERITZ_SECURITIES" => ("메리츠증권", "Meritz Securities"),
        "KAKAO_PAY_SECURITIES" => ("카카오페이증권", "Kakao Pay Securities"),
        "BOOKOOK_SECURITIES" => ("부국증권", "Bookook Securities"),
        "SHINYOUNG_SECURITIES" => ("신영증권", "Shinyoung Securities"),
        "CAPE_SECURITIES" => ("케이프투자증권", "Cape Investment & Securities"),
        "KOREA_SECURITIES_FINANCE" => ("한국증권금융", "Korea Securities Finance"),
        "KOREA_FOSS_SECURITIES" => ("한국포스증권", "Korea FOSS Securities"),
        "WOORI_INVESTMENT_BANK" => ("우리종합금융", "Woori Investment Bank"),
        // Card companies.
        "WOORI_CARD" => ("우리카드", "Woori Card"),
        "BC_CARD" => ("BC카드", "BC Card"),
        "GWANGJU_CARD" => ("광주카드", "Kwangju Card"),
        "SAMSUNG_CARD" => ("삼성카드", "Samsung Card"),
        "SHINHAN_CARD" => ("신한카드", "Shinhan Card"),
        "HYUNDAI_CARD" => ("현대카드", "Hyundai Card"),
        "LOTTE_CARD" => ("롯데카드", "Lotte Card"),
        "SUHYUP_CARD" => ("수협카드", "Suhyup Card"),
        "CITI_CARD" => ("씨티카드", "Citi Card"),
        "NH_CARD" => ("NH카드", "NH Card"),
        "JEONBUK_CARD" => ("전북카드", "Jeonbuk Card"),
        "JEJU_CARD" => ("제주카드", "Jeju Card"),
        "HANA_CARD" => ("하나카드", "Hana Card"),
        "KOOKMIN_CARD" => ("국민카드", "KB Kookmin Card"),
        "KOREA_DEVELOPMENT_BANK" => ("KDB산업은행", "Korea Development Bank"),
        "EPOST" => ("우체국", "Korea Post"),
        "SAVINGS_BANK_KOREA" => ("저축은행", "Savings bank"),
        "KAKAO_BANK" => ("카카오뱅크", "KakaoBank"),
        "TOSS_BANK" => ("토스뱅크", "Toss Bank"),
        // Wallets; those of other countries are known by their codes.
        "SAMSUNGPAY" => ("삼성페이", "Samsung Pay"),
        "KAKAOPAY" => ("카카오페이", "Kakao Pay"),
        "NAVERPAY" => ("네이버페이", "Naver Pay"),
        "PAYCO" => ("페이코", "PAYCO"),
        "SSGPAY" => ("SSG페이", "SSG Pay"),
        "CHAI" => ("차이", "CHAI"),
        "LPAY" => ("L.pay", "L.pay"),
        "KPAY" => ("K pay", "K pay"),
        "TOSSPAY" => ("토스페이", "Toss Pay"),
        "LGPAY" => ("LG페이", "LG Pay"),
        "PINPAY" => ("핀페이", "PinPay"),
        "APPLEPAY" => ("Apple Pay", "Apple Pay"),
        "SKPAY" => ("SK페이", "SK Pay"),
        "TOSS_BRANDPAY" => ("토스페이", "Toss Pay"),
        "SMILEPAY" => ("스마일페이", "Smile Pay"),
        "ALIPAY" => ("Alipay", "Alipay"),
        "ALIPAY_HK" => ("AlipayHK", "AlipayHK"),
        "PAYPAL" => ("PayPal", "PayPal"),
        "WECHAT" => ("WeChat Pay", "WeChat Pay"),
        "LINEPAY" => ("LINE Pay", "LINE Pay"),
        "PAYPAY" => ("PayPay", "PayPay"),
        "GOOGLE_PAY" => ("Google Pay", "Google Pay"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_a_name_in_the_pages_language() {
        assert_eq!(institution(Locale::Ko, "SHINHAN"), "신한은행");
        assert_eq!(institution(Locale::En, "SHINHAN"), "Shinhan Bank");
        assert_eq!(institution(Locale::Ko, "KOOKMIN_CARD"), "국민카드");
        assert_eq!(institution(Locale::En, "KAKAOPAY"), "Kakao Pay");
    }

    #[test]
    fn what_is_no_code_stays_as_it_came() {
        for text in ["신한은행", "shinhan", "NO_SUCH_BANK", ""] {
            assert_eq!(institution(Locale::En, text), text);
        }
    }
}
