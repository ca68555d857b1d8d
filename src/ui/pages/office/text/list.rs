//! The words of what the list of orders is narrowed down by.

use super::super::orders::Fault;
use super::Words;
use crate::domain::method::PayMethod;
use crate::i18n::Locale;

/// The texts of a language.
pub(in super::super) const fn of(locale: Locale) -> &'static ListText {
    match locale {
        Locale::Ko => &KO,
        Locale::En | Locale::Ja | Locale::Zh => &EN,
    }
}

pub(in super::super) struct ListText {
    pub(in super::super) method: &'static str,
    pub(in super::super) any_method: &'static str,
    pub(in super::super) method_name: fn(PayMethod) -> &'static str,
    pub(in super::super) min: &'static str,
    pub(in super::super) max: &'static str,
    pub(in super::super) amount_hint: &'static str,
    pub(in super::super) currency: &'static str,
    pub(in super::super) any_currency: &'static str,
    pub(in super::super) needs_attention: &'static str,
    pub(in super::super) fault: fn(Fault) -> &'static str,
    /// Instead of the list, while a condition cannot be used.
    pub(in super::super) faulty: Words,
    /// The place in the address is none.
    pub(in super::super) no_place: &'static str,
    /// Looked so far back; the time follows.
    pub(in super::super) looked_back_to: &'static str,
    pub(in super::super) look_further: &'static str,
    pub(in super::super) export: &'static str,
    /// The names of the columns of the file.
    pub(in super::super) columns: [&'static str; 12],
    /// How a file ends that holds so many orders and not all.
    pub(in super::super) cut: fn(usize) -> String,
    /// How a file ends whose rest could not be read.
    pub(in super::super) broken_off: &'static str,
}

static KO: ListText = ListText {
    method: "결제 수단",
    any_method: "모든 결제 수단",
    method_name: |method| match method {
        PayMethod::Card => "카드",
        PayMethod::Transfer => "계좌이체",
        PayMethod::VirtualAccount => "가상계좌",
        PayMethod::Mobile => "휴대폰",
        PayMethod::EasyPay => "간편결제",
        PayMethod::GiftCertificate => "상품권",
        PayMethod::ConvenienceStore => "편의점",
        PayMethod::Point => "포인트",
        PayMethod::Crypto => "가상자산",
    },
    min: "최소 금액",
    max: "최대 금액",
    amount_hint: "10,000처럼 입력해 주세요. 통화를 고르지 않으면 원(KRW)이에요.",
    currency: "통화",
    any_currency: "모든 통화",
    needs_attention: "확인이 필요한 주문만",
    fault: |fault| match fault {
        Fault::UnknownStatus => "이런 상태는 없어요. 목록에서 골라 주세요.",
        Fault::UnknownMethod => "이런 결제 수단은 없어요. 목록에서 골라 주세요.",
        Fault::UnknownCurrency => "이런 통화는 없어요. 목록에서 골라 주세요.",
        Fault::NoDay => "2026-11-21처럼 있는 날짜를 입력해 주세요.",
        Fault::DaysReversed => "종료일이 시작일보다 빨라요.",
        Fault::NoAmount => "10,000처럼 숫자로 입력해 주세요.",
        Fault::TooFine => "이 통화에 없는 소수 자리예요.",
        Fault::AmountsReversed => "최대 금액이 최소 금액보다 적어요.",
        Fault::NoSwitch => "켜거나 꺼 주세요.",
    },
    faulty: Words {
        title: "조건을 고쳐 주세요",
        body: "위에 표시한 조건을 읽을 수 없어서 아직 찾지 않았어요.",
    },
    no_place: "주소에 적힌 목록의 자리를 읽을 수 없어서 처음부터 보여 드려요.",
    looked_back_to: "조건에 맞는 주문을 이때까지 거슬러 찾아봤어요:",
    look_further: "더 이전 주문에서 찾기",
    export: "이 목록을 CSV로 내려받기",
    columns: [
        "주문번호",
        "상품",
        "상태",
        "통화",
        "금액",
        "환불 금액",
        "결제 수단",
        "카드·은행",
        "거래번호",
        "승인번호",
        "주문 시각",
        "결제 시각",
    ],
    cut: |orders| {
        format!(
            "여기에서 멈췄어요. 파일 하나에는 주문을 {orders}건까지 담아요. 나머지는 기간을 나누어 내려받아 주세요."
        )
    },
    broken_off: "여기에서 끊겼어요. 나머지 주문을 읽지 못했으니 다시 내려받아 주세요.",
};

static EN: ListText = ListText {
    method: "Paid by",
    any_method: "Any way to pay",
    method_name: |method| match method {
        PayMethod::Card => "Card",
        PayMethod::Transfer => "Bank transfer",
        PayMethod::VirtualAccount => "Virtual account",
        PayMethod::Mobile => "Mobile phone bill",
        PayMethod::EasyPay => "Wallet",
        PayMethod::GiftCertificate => "Gift certificate",
        PayMethod::ConvenienceStore => "Convenience store",
        PayMethod::Point => "Points",
        PayMethod::Crypto => "Crypto-currency",
    },
    min: "Lowest amount",
    max: "Highest amount",
    amount_hint: "Such as 10,000. In won (KRW), unless you choose a currency.",
    currency: "Currency",
    any_currency: "Any currency",
    needs_attention: "Only orders that need a look",
    fault: |fault| match fault {
        Fault::UnknownStatus => "There is no such status. Please choose one of the list.",
        Fault::UnknownMethod => "There is no such way to pay. Please choose one of the list.",
        Fault::UnknownCurrency => "There is no such currency. Please choose one of the list.",
        Fault::NoDay => "Please give a day that exists, such as 2026-11-21.",
        Fault::DaysReversed => "The last day is before the first one.",
        Fault::NoAmount => "Please give a number, such as 10,000.",
        Fault::TooFine => "The currency has no such decimals.",
        Fault::AmountsReversed => "The highest amount is below the lowest one.",
        Fault::NoSwitch => "Please switch this on or off.",
    },
    faulty: Words {
        title: "Please mend the conditions",
        body: "What is marked above cannot be read, so nothing was looked for yet.",
    },
    no_place: "The place in the list that the address names cannot be read, so this is its beginning.",
    looked_back_to: "Looked for orders that match back to this time:",
    look_further: "Look among older orders",
    export: "Download this list as CSV",
    columns: [
        "Order",
        "Item",
        "Status",
        "Currency",
        "Amount",
        "Refunded",
        "Paid by",
        "Card or bank",
        "Transaction",
        "Approval number",
        "Created",
        "Paid",
    ],
    cut: |orders| {
        format!(
            "Stopped here: one file holds {orders} orders at most. Please download the rest by a narrower range of days."
        )
    },
    broken_off: "Broken off here: the rest of the orders could not be read. Please download the file again.",
};
