//! 한국어.

use super::brand::brand;
use super::catalogue::{EdgeMessages, FailureText, Messages, PayMessages, StoryText, TimeLeftText};
use super::particle::{Particle, amount_with_particle};
use super::{Locale, money};
use crate::domain::confirmation::Stop;
use crate::domain::money::Money;
use crate::domain::outcome::FailureReason;

fn won(amount: Money) -> String {
    money(Locale::Ko, amount)
}

fn subject(amount: Money) -> String {
    amount_with_particle(&won(amount), Particle::Subject)
}

fn object(amount: Money) -> String {
    amount_with_particle(&won(amount), Particle::Object)
}

pub(super) static MESSAGES: Messages = Messages {
    test_notice: "테스트 결제예요. 실제로 돈이 빠져나가지 않았어요.",
    test_mode: "이 쇼핑몰의 결제는 지금 테스트 모드예요.",
    languages: "언어",
    do_not_pay_again: "다시 결제하지 마세요.",

    paid: StoryText {
        heading: "결제가 완료됐어요",
        next: "더 하실 일은 없어요.",
    },
    paid_money: |amount| format!("{} 결제됐어요.", subject(amount)),
    paid_despite_window: |amount| {
        format!(
            "결제창에는 실패로 보였지만, 실제로는 {} 결제됐어요.",
            subject(amount)
        )
    },

    account: StoryText {
        heading: "입금할 계좌가 발급됐어요",
        next: "입금이 확인되면 이 화면이 바뀌어요. 창을 닫아도 괜찮아요.",
    },
    account_money: |amount, deadline| match deadline {
        // A word joiner: no line begins with the particle.
        Some(deadline) => format!("{deadline}\u{2060}까지 {} 입금해 주세요.", object(amount)),
        None => format!("아래 계좌로 {} 입금해 주세요.", object(amount)),
    },
    account_deadline: "기한이 지나면 이 계좌로 입금할 수 없어요. 직접 입금하기 전에는 돈이 빠져나가지 않아요.",
    account_exact: "금액이 다르면 입금되지 않을 수 있어요.",

    approving: StoryText {
        heading: "결제를 확인하고 있어요",
        next: "보통 몇 초면 끝나요. 창을 닫아도 괜찮아요.",
    },
    approving_money: "아직 결제 결과가 나오지 않았어요.",

    in_review: StoryText {
        heading: "결제사가 승인을 심사하고 있어요",
        next: "며칠이 걸릴 수도 있어요. 창을 닫아도 괜찮고, 결과는 이 페이지에서 볼 수 있어요.",
    },

    number_issued: StoryText {
        heading: "편의점에서 결제해 주세요",
        next: "결제창에서 받은 번호를 편의점에 보여 주고 결제해 주세요. 이미 결제했다면 확인되는 대로 이 페이지에서 볼 수 있어요.",
    },
    number_money: |deadline| {
        format!("{deadline}\u{2060}까지 결제할 수 있어요. 아직 결제가 확인되지 않았어요.")
    },

    left: StoryText {
        heading: "결제가 끝나지 않았어요",
        next: "결제창을 닫았다면 이어서 결제할 수 있어요. 결제를 마쳤다면 다시 결제하지 말고 잠시 기다려 주세요.",
    },
    left_without_link: "방금 결제를 마쳤다면 다시 결제하지 말고 잠시 기다려 주세요.",
    nothing_paid: "확인해 보니 아직 결제된 금액은 없어요.",

    failure,
    failed_money: "돈은 빠져나가지 않았어요.",
    failed_in_doubt: "지금까지 확인된 결제는 없어요. 드물게 나중에 승인되기도 하니, 승인 알림을 받았다면 다시 결제하지 마세요.",
    failed_but_charged: "결제됐다는 알림을 받았다면, 다시 결제하기 전에 먼저 문의해 주세요.",
    order_is_over: "이 주문은 결제할 수 있는 시간이 끝났어요. 필요하면 쇼핑몰에서 새로 주문해 주세요.",
    account_waits: "이 주문에는 이미 발급된 입금 계좌가 있어요. 입금했다면 다시 결제하지 말고 기다려 주세요. 은행이 늦게 알려 줄 때도 있어요.",

    stopped: |why| match why {
        Stop::UnknownOrder => "주문을 찾지 못해 결제를 멈췄어요.",
        Stop::Over => "주문의 결제 기한이 지나 결제를 멈췄어요.",
        Stop::Paid => "이미 결제가 끝난 주문이라 결제를 멈췄어요.",
        Stop::Held => "이 주문은 판매자가 확인하고 있어 결제를 멈췄어요.",
        Stop::Amount => "결제 금액이 주문 금액과 달라 결제를 멈췄어요.",
        Stop::Unavailable => {
            "지금은 주문을 확인할 수 없어 결제를 멈췄어요. 잠시 뒤 다시 시도해 주세요."
        }
        Stop::Unreadable => "결제 정보를 읽을 수 없어 결제를 멈췄어요.",
    },

    expired: StoryText {
        heading: "결제할 수 있는 시간이 지났어요",
        next: "필요하면 쇼핑몰에서 새로 주문해 주세요. 방금 결제를 마쳤다면 다시 결제하지 말고 먼저 문의해 주세요.",
    },
    closed: StoryText {
        heading: "쇼핑몰이 주문을 마감했어요",
        next: "필요하면 쇼핑몰에서 새로 주문해 주세요. 방금 결제를 마쳤다면 다시 결제하지 말고 먼저 문의해 주세요.",
    },

    refunded: StoryText {
        heading: "환불됐어요",
        next: "카드사나 은행에 따라 며칠 뒤에 보일 수 있어요.",
    },
    refunded_money: |amount| match amount {
        Some(amount) => format!("{} 환불됐어요.", subject(amount)),
        None => "결제한 금액이 모두 환불됐어요.".to_owned(),
    },
    partially_refunded: StoryText {
        heading: "일부 금액이 환불됐어요",
        next: "카드사나 은행에 따라 며칠 뒤에 보일 수 있어요.",
    },
    partially_refunded_money: |of, part| format!("{} 중 {} 환불됐어요.", won(of), subject(part)),

    held: StoryText {
        heading: "결제를 확인할 수 없어요",
        next: "쇼핑몰이 직접 확인해야 해요. 아래 번호를 알려 주시면 더 빨리 도와드릴 수 있어요.",
    },
    held_money: "결제 내용이 주문과 달라 주문을 진행하지 않았어요.",

    duplicate: StoryText {
        heading: "결제가 두 번 됐어요",
        next: "주문은 한 번만 진행돼요. 한 번 더 결제된 금액은 쇼핑몰이 확인할 수 있게 기록해 두었어요. 환불받으려면 쇼핑몰에 아래 번호를 알려 주세요.",
    },
    duplicate_money: |amount| {
        format!(
            "이미 결제된 주문인데 {} 한 번 더 결제됐어요.",
            subject(amount)
        )
    },

    late: StoryText {
        heading: "주문이 마감된 뒤에 결제됐어요",
        next: "쇼핑몰이 확인할 수 있게 기록해 두었어요. 주문을 진행하거나 환불받으려면 쇼핑몰에 아래 번호를 알려 주세요.",
    },
    late_money: |amount| format!("{} 결제됐지만 주문은 진행되지 않았어요.", subject(amount)),

    unconfirmed: StoryText {
        heading: "아직 결제 결과를 확인하지 못했어요",
        next: "자동으로 계속 확인하고 있어요. 창을 닫아도 괜찮아요.",
    },
    unconfirmed_money: "결제가 됐다면 기록이 안전하게 남아 있어요.",
    unconfirmed_without_order: "잠시 뒤 이 화면을 새로고침해 주세요.",

    not_found: StoryText {
        heading: "주문을 찾을 수 없어요",
        next: "결제를 했다면 다시 결제하지 말고 쇼핑몰에 문의해 주세요.",
    },
    not_found_why: "주소가 잘못됐거나 더는 쓰지 않는 주소예요.",
    invalid: StoryText {
        heading: "결제 정보를 읽을 수 없어요",
        next: "결제를 했다면 다시 결제하지 말고 쇼핑몰에 문의해 주세요.",
    },
    invalid_why: "이 주소에는 결제를 찾을 수 있는 번호가 없어요.",
    our_error: StoryText {
        heading: "지금은 결제 결과를 보여드릴 수 없어요",
        next: "잠시 뒤 이 화면을 새로고침해 주세요.",
    },
    our_error_why: "저희 쪽에 문제가 생겼어요. 결제가 됐다면 기록이 안전하게 남아 있어요.",
    no_page: StoryText {
        heading: "페이지를 찾을 수 없어요",
        next: "주소를 다시 확인해 주세요.",
    },
    no_page_why: "주소가 잘못됐거나 더는 쓰지 않는 주소예요.",

    retry: "다시 결제하기",
    resume: "이어서 결제하기",
    check_now: "지금 다시 확인",
    back_to_shop: "쇼핑몰로 돌아가기",
    help: "문의하기",
    receipt: "영수증 보기",
    lasting_link: "나중에 이 화면 다시 보기",

    facts: "결제 내용",
    amount_paid: "결제 금액",
    amount_due: "주문 금액",
    order_name: "주문 내용",
    method: "결제 수단",
    approval_number: "승인번호",
    paid_at: "결제 시각",
    refunded_amount: "환불 금액",
    payment_id: "주문번호",
    transaction_id: "거래번호",
    quote_these: "문의할 때 이 번호를 알려 주세요.",
    pay_method,

    account_panel: "입금할 계좌",
    bank: "은행",
    account_number: "계좌번호",
    holder: "예금주",
    amount_to_deposit: "입금할 금액",
    deadline: "입금 기한",
    copy_account_number: "계좌번호 복사",
    copied: "복사했어요",
    copy_refused: "복사하지 못했어요. 번호를 길게 눌러 복사해 주세요.",

    save_deadline: "캘린더에 입금 기한 저장",
    deadline_event: |amount| format!("입금 기한: {}", won(amount)),
    time_left: TimeLeftText {
        around: ["", " 남았어요"],
        between: " ",
        days: ["일", "일"],
        hours: ["시간", "시간"],
        minutes: ["분", "분"],
        soon: "1분도 남지 않았어요",
        over: "기한이 지났어요",
    },
    other_device: "다른 기기에서 이 화면 보기",
    other_device_code: "이 화면의 주소가 담긴 QR 코드",

    watching: "결과가 나오면 이 화면이 저절로 바뀌어요.",
    watch_changed: "결제 상태가 바뀌었어요. 화면을 새로 열게요.",
    watch_ended: "자동 확인을 멈췄어요. ‘지금 다시 확인’을 눌러 주세요.",
    checked_at: |at| format!("마지막 확인: {at}"),

    edge: EdgeMessages {
        busy: StoryText {
            heading: "지금 이용하는 분이 많아요",
            next: "접속이 몰려 이 페이지를 바로 열지 못했어요.",
        },
        too_many: StoryText {
            heading: "요청이 한꺼번에 몰렸어요",
            next: "지금 쓰시는 인터넷 연결에서 짧은 시간에 요청이 많이 왔어요.",
        },
        broken: StoryText {
            heading: "지금은 이 페이지를 보여드릴 수 없어요",
            next: "저희 쪽에 문제가 생겼어요.",
        },
        unreadable: StoryText {
            heading: "요청을 읽지 못했어요",
            next: "결제한 쇼핑몰에서 다시 시작해 주세요.",
        },
        framed: StoryText {
            heading: "결제 결과는 이 창 밖에서 확인해 주세요",
            next: "이 작은 창 안에는 결과를 표시하지 않아요.",
        },
        not_allowed: StoryText {
            heading: "이 작업을 할 권한이 없어요",
            next: "권한이 필요하면 쇼핑몰의 소유자에게 요청해 주세요.",
        },
        if_paid: "이미 결제하셨다면 다시 결제하지 말고 주문 내역을 먼저 확인해 주세요.",
        again_in: |seconds| format!("{seconds}초 뒤에 다시 열어 주세요."),
        again: "다시 열기",
        see_result: "결과 보기",
    },
    pay: PayMessages {
        heading: "주문 내용을 확인하고 결제해 주세요",
        what_happens: "버튼을 누르면 결제창이 열려요. 결제를 마치면 결과 화면으로 돌아와요.",
        payable_until: |at| format!("{at}까지 결제할 수 있어요."),
        button: |amount| format!("{} 결제하기", won(amount)),
        opening: "결제창을 열고 있어요.",
        preparing: "결제창을 준비하고 있어요. 버튼이 켜지지 않으면 화면을 새로고침해 주세요.",
        sdk_missing: "결제창을 불러오지 못했어요. 광고 차단 기능을 끄거나, 잠시 뒤 다시 눌러 주세요. 돈은 빠져나가지 않았어요.",
        window_failed: "결제창이 열리지 않았어요. 결제됐다는 알림을 받지 않았다면 다시 눌러 주세요.",
        already_paid: "이미 결제된 주문이에요. 다시 결제하지 마세요.",
        see_status: "결제 상태 보기",
        no_script: "결제창을 열려면 자바스크립트가 필요해요. 브라우저 설정에서 켠 뒤 이 화면을 새로고침해 주세요.",
        unavailable: StoryText {
            heading: "지금은 결제할 수 없어요",
            next: "쇼핑몰의 결제 설정이 끝나지 않았어요. 돈은 빠져나가지 않았어요. 쇼핑몰에 문의해 주세요.",
        },
        paid: StoryText {
            heading: "이미 결제된 주문이에요",
            next: "다시 결제하지 않아도 돼요.",
        },
        refunded: StoryText {
            heading: "환불된 주문이에요",
            next: "이 주문은 다시 결제할 수 없어요. 필요하면 쇼핑몰에서 새로 주문해 주세요.",
        },
        held: StoryText {
            heading: "쇼핑몰이 결제를 확인하고 있어요",
            next: "다시 결제하지 마세요.",
        },
        awaits_deposit: StoryText {
            heading: "이미 발급된 입금 계좌가 있어요",
            next: "입금했다면 다시 결제하지 말고 기다려 주세요. 아직 입금하지 않았고 다른 방법으로 결제하고 싶다면 쇼핑몰에서 새로 주문해 주세요.",
        },
        in_review: StoryText {
            heading: "먼저 하신 결제를 심사하고 있어요",
            next: "다시 결제하지 마세요. 결과는 결제 상태에서 볼 수 있어요.",
        },
        number_issued: StoryText {
            heading: "편의점에서 결제할 번호가 이미 있어요",
            next: "받은 번호로 결제하고, 여기에서 다시 결제하지 마세요. 결과는 결제 상태에서 볼 수 있어요.",
        },
    },
};

fn failure(reason: FailureReason) -> &'static FailureText {
    match reason {
        FailureReason::BuyerCancelled => &FailureText {
            heading: "결제를 취소했어요",
            why: "결제창에서 결제를 그만두셨어요.",
            next: "주문은 그대로 남아 있어요.",
        },
        FailureReason::Declined => &FailureText {
            heading: "결제하지 못했어요",
            why: "카드사나 은행이 결제를 승인하지 않았어요.",
            next: "다른 결제 수단을 쓰거나 카드사에 문의해 주세요.",
        },
        FailureReason::LimitExceeded => &FailureText {
            heading: "결제하지 못했어요",
            why: "결제 한도를 넘었어요.",
            next: "한도를 확인하거나 다른 결제 수단을 써 주세요.",
        },
        FailureReason::InsufficientBalance => &FailureText {
            heading: "결제하지 못했어요",
            why: "계좌 잔액이 부족해요.",
            next: "잔액을 확인하거나 다른 결제 수단을 써 주세요.",
        },
        FailureReason::InvalidCard => &FailureText {
            heading: "결제하지 못했어요",
            why: "이 카드로는 결제할 수 없어요.",
            next: "카드번호와 유효 기간을 확인하거나 다른 카드를 써 주세요.",
        },
        FailureReason::WindowError => &FailureText {
            heading: "결제하지 못했어요",
            why: "결제창에 문제가 생겼어요.",
            next: "잠시 뒤 다시 시도하거나 다른 브라우저를 써 주세요.",
        },
        FailureReason::RefusedByShop => &FailureText {
            heading: "결제하지 못했어요",
            why: "쇼핑몰이 승인 직전에 결제를 멈췄어요.",
            next: "주문 내용이나 재고가 바뀌었을 수 있어요. 쇼핑몰에서 확인해 주세요.",
        },
        FailureReason::Unknown => &FailureText {
            heading: "결제하지 못했어요",
            why: "결제가 승인되지 않았어요.",
            next: "잠시 뒤 다시 시도하거나 다른 결제 수단을 써 주세요.",
        },
    }
}

fn pay_method(word: &str) -> Option<&'static str> {
    Some(match word {
        "card" | "CARD" => "카드",
        "trans" | "TRANSFER" => "계좌이체",
        "vbank" | "VIRTUAL_ACCOUNT" => "가상계좌",
        "phone" | "MOBILE" => "휴대폰",
        "samsungpay" | "samsung" => "삼성페이",
        "kakaopay" => "카카오페이",
        "naverpay" | "naverpay_card" | "naverpay_point" => "네이버페이",
        "payco" => "페이코",
        "tosspay" | "tosspay_card" | "tosspay_money" | "toss_brandpay" => "토스페이",
        "ssgpay" | "ssgpay_bank" => "SSG페이",
        "skpay" => "SK페이",
        "pinpay" => "핀페이",
        "EASY_PAY" => "간편결제",
        "cultureland" | "smartculture" | "culturegift" | "booknlife" | "happymoney"
        | "GIFT_CERTIFICATE" => "상품권",
        "CONVENIENCE_STORE" => "편의점",
        "CRYPTO" => "가상자산",
        "point" => "포인트",
        _ => return brand(word),
    })
}
