//! The buttons of the V2 payment window.

use crate::v2::record::Failure;
use crate::window::sheet::{Button, Group, button};

/// How an attempt can end. The names are the values of the form's `choice` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Pay,
    IssueVirtualAccount,
    Cancel,
    Decline,
    DeclineLimit,
    DeclineBalance,
    DeclineCard,
    Abandon,
    PayWithCode,
    FailWithoutCode,
    PayPaymentIdOnly,
    PayBetaNames,
    PayNoReturn,
    PayLag,
    PayPending,
    Authenticate,
    PayTamperedAmount,
    PayTamperedCurrency,
    PayTestChannel,
    PayOtherStore,
}

/// In the order they are shown.
pub(crate) const BUTTONS: [Button<Choice>; 20] = [
    button(
        Choice::Pay,
        Group::Main,
        ["결제하기", "결제가 승인되고 상점으로 돌아갑니다."],
        ["Pay", "Approved, and you return to the shop."],
    ),
    button(
        Choice::IssueVirtualAccount,
        Group::Main,
        [
            "가상계좌 발급",
            "입금할 계좌가 발급되며 아직 결제되지 않습니다.",
        ],
        [
            "Issue a virtual account",
            "An account to deposit to is issued; nothing is paid yet.",
        ],
    ),
    button(
        Choice::Cancel,
        Group::Fail,
        ["결제 취소", "구매자가 취소하여 결제가 실패합니다."],
        ["Cancel", "The buyer cancels and the payment fails."],
    ),
    button(
        Choice::Decline,
        Group::Fail,
        ["승인 거절", "카드사가 사유 없이 승인을 거절합니다."],
        ["Decline", "The card company declines without saying why."],
    ),
    button(
        Choice::DeclineLimit,
        Group::Fail,
        ["한도초과", "카드 한도를 넘어 승인이 거절됩니다."],
        ["Limit exceeded", "Declined: over the card's limit."],
    ),
    button(
        Choice::DeclineBalance,
        Group::Fail,
        ["잔액부족", "잔액이 모자라 승인이 거절됩니다."],
        [
            "Insufficient balance",
            "Declined: too little on the account.",
        ],
    ),
    button(
        Choice::DeclineCard,
        Group::Fail,
        ["유효하지 않은 카드", "카드 정보가 잘못되어 거절됩니다."],
        ["Invalid card", "Declined: the card is not valid."],
    ),
    button(
        Choice::Abandon,
        Group::Fail,
        [
            "창 닫기",
            "결과 없이 창만 닫히고 결제는 READY 상태로 남습니다.",
        ],
        [
            "Close the window",
            "The window closes without a result; the payment stays READY.",
        ],
    ),
    button(
        Choice::PayWithCode,
        Group::Odd,
        [
            "결제되었지만 실패로 복귀",
            "결제는 승인되지만 code와 함께 돌아갑니다.",
        ],
        [
            "Paid, returns as failed",
            "Approved, but comes back with a code, as failures do.",
        ],
    ),
    button(
        Choice::FailWithoutCode,
        Group::Odd,
        [
            "거절되었지만 성공으로 복귀",
            "승인이 거절되지만 code 없이 돌아갑니다.",
        ],
        [
            "Declined, returns as paid",
            "Declined, but comes back without a code, as successes do.",
        ],
    ),
    button(
        Choice::PayPaymentIdOnly,
        Group::Odd,
        [
            "paymentId만으로 복귀",
            "결제는 승인되고 paymentId만 가지고 돌아갑니다.",
        ],
        [
            "Paid, paymentId alone",
            "Approved; comes back with the paymentId and nothing else.",
        ],
    ),
    button(
        Choice::PayBetaNames,
        Group::Odd,
        [
            "베타 이름으로 복귀",
            "결제는 승인되고 payment_id, tx_id라는 옛 이름으로 돌아갑니다.",
        ],
        [
            "Paid, beta names",
            "Approved; comes back with the old names payment_id and tx_id.",
        ],
    ),
    button(
        Choice::PayNoReturn,
        Group::Odd,
        [
            "결제 후 복귀하지 않음",
            "결제는 승인되지만 상점으로 돌아가지 않습니다.",
        ],
        [
            "Paid, no return",
            "Approved, but the browser is not sent back.",
        ],
    ),
    button(
        Choice::PayLag,
        Group::Odd,
        [
            "조회가 늦게 반영됨",
            "결제는 승인되지만 1초 동안 API가 READY로 답합니다.",
        ],
        [
            "Paid, API lags",
            "Approved, but for one second the API still says READY.",
        ],
    ),
    button(
        Choice::PayPending,
        Group::Odd,
        [
            "결제 대기",
            "PG사가 심사하는 동안 PAY_PENDING 상태로 돌아갑니다.",
        ],
        [
            "Pending",
            "The gateway has not decided; comes back while PAY_PENDING.",
        ],
    ),
    button(
        Choice::Authenticate,
        Group::Odd,
        [
            "인증만 하기 (수동 승인)",
            "paymentToken을 가지고 돌아가며, 상점이 승인해야 결제됩니다.",
        ],
        [
            "Authenticate only (manual confirmation)",
            "Comes back with a paymentToken; nothing is paid until the shop confirms.",
        ],
    ),
    button(
        Choice::PayTamperedAmount,
        Group::Odd,
        ["금액 위변조", "주문과 다른 금액으로 결제가 승인됩니다."],
        [
            "Tampered amount",
            "Approved with another amount than the order's.",
        ],
    ),
    button(
        Choice::PayTamperedCurrency,
        Group::Odd,
        ["통화 위변조", "주문과 다른 통화로 결제가 승인됩니다."],
        [
            "Tampered currency",
            "Approved in another currency than the order's.",
        ],
    ),
    button(
        Choice::PayTestChannel,
        Group::Odd,
        [
            "다른 채널로 결제",
            "실연동과 테스트 채널이 뒤바뀐 채 승인됩니다.",
        ],
        [
            "Other channel",
            "Approved through a test channel instead of a live one, or the reverse.",
        ],
    ),
    button(
        Choice::PayOtherStore,
        Group::Odd,
        ["다른 상점으로 결제", "다른 상점의 결제로 승인됩니다."],
        ["Other store", "Approved as a payment of another store."],
    ),
];

impl Choice {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        BUTTONS
            .iter()
            .map(|button| button.choice)
            .find(|choice| choice.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Choice::Pay => "pay",
            Choice::IssueVirtualAccount => "issue_virtual_account",
            Choice::Cancel => "cancel",
            Choice::Decline => "decline",
            Choice::DeclineLimit => "decline_limit",
            Choice::DeclineBalance => "decline_balance",
            Choice::DeclineCard => "decline_card",
            Choice::Abandon => "abandon",
            Choice::PayWithCode => "pay_with_code",
            Choice::FailWithoutCode => "fail_without_code",
            Choice::PayPaymentIdOnly => "pay_payment_id_only",
            Choice::PayBetaNames => "pay_beta_names",
            Choice::PayNoReturn => "pay_no_return",
            Choice::PayLag => "pay_lag",
            Choice::PayPending => "pay_pending",
            Choice::Authenticate => "authenticate",
            Choice::PayTamperedAmount => "pay_tampered_amount",
            Choice::PayTamperedCurrency => "pay_tampered_currency",
            Choice::PayTestChannel => "pay_test_channel",
            Choice::PayOtherStore => "pay_other_store",
        }
    }

    /// What the choice makes of the attempt, lies about the way back aside.
    pub(crate) fn effect(self) -> Effect {
        let failure = |code: &str, message: &str| Effect::Fail(Failure::of_gateway(code, message));
        match self {
            Choice::Pay
            | Choice::PayWithCode
            | Choice::PayPaymentIdOnly
            | Choice::PayBetaNames
            | Choice::PayNoReturn
            | Choice::PayLag
            | Choice::PayTamperedAmount
            | Choice::PayTamperedCurrency
            | Choice::PayTestChannel
            | Choice::PayOtherStore => Effect::Pay,
            Choice::IssueVirtualAccount => Effect::IssueVirtualAccount,
            Choice::PayPending => Effect::Pend,
            Choice::Authenticate => Effect::Authenticate,
            Choice::Abandon => Effect::Nothing,
            // The one code here that is a gateway's own; the others are the sandbox's.
            Choice::Cancel => failure("PAY_PROCESS_CANCELED", "사용자가 결제를 취소하였습니다"),
            Choice::Decline | Choice::FailWithoutCode => {
                failure("CARD_DECLINED", "카드사에서 승인이 거절되었습니다.")
            }
            Choice::DeclineLimit => failure("LIMIT_EXCEEDED", "카드 이용한도를 초과하였습니다."),
            Choice::DeclineBalance => failure(
                "INSUFFICIENT_BALANCE",
                "잔액부족으로 결제가 거절되었습니다.",
            ),
            Choice::DeclineCard => failure("INVALID_CARD", "유효하지 않은 카드 번호입니다."),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Pay,
    IssueVirtualAccount,
    Pend,
    Authenticate,
    Fail(Failure),
    Nothing,
}

impl Effect {
    /// Whether the gateway approves something, so that the shop is asked first and another attempt's money forbids it.
    pub(crate) fn needs_approval(&self) -> bool {
        match self {
            Effect::Pay | Effect::IssueVirtualAccount | Effect::Pend => true,
            Effect::Authenticate | Effect::Fail(_) | Effect::Nothing => false,
        }
    }
}
