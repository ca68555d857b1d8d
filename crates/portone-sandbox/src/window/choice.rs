//! The buttons of the payment window.

use super::plan::Refusal;
use super::sheet::{Button, Group, button};

/// How a payment can end. The names are the values of the form's `choice` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Pay,
    IssueVbank,
    Decline,
    DeclineLimit,
    DeclineBalance,
    DeclineCard,
    Cancel,
    Abandon,
    PayFlagFalse,
    PayNoFlag,
    PayNoImpUid,
    PaySuccessKey,
    PayPost,
    PayNoReturn,
    PayTamperedAmount,
    PayTamperedCurrency,
    PayTestChannel,
    FailFlagTrue,
    PayLag,
    PayTwice,
    PayAsync,
    PayLate,
    CancelReady,
}

/// In the order they are shown.
pub(crate) const BUTTONS: [Button<Choice>; 23] = [
    button(
        Choice::Pay,
        Group::Main,
        ["결제하기", "카드 결제가 승인되고 상점으로 돌아갑니다."],
        ["Pay", "The card is approved and you return to the shop."],
    ),
    button(
        Choice::IssueVbank,
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
            "결과 없이 창만 닫히고 결제는 ready 상태로 남습니다.",
        ],
        [
            "Close the window",
            "The window closes without a result; the payment stays ready.",
        ],
    ),
    button(
        Choice::PayFlagFalse,
        Group::Odd,
        [
            "결제되었지만 실패로 복귀",
            "결제는 승인되지만 imp_success=false로 돌아갑니다.",
        ],
        [
            "Paid, returns as failed",
            "Approved, but comes back with imp_success=false.",
        ],
    ),
    button(
        Choice::FailFlagTrue,
        Group::Odd,
        [
            "거절되었지만 성공으로 복귀",
            "승인이 거절되지만 imp_success=true로 돌아갑니다.",
        ],
        [
            "Declined, returns as paid",
            "Declined, but comes back with imp_success=true.",
        ],
    ),
    button(
        Choice::PayNoFlag,
        Group::Odd,
        [
            "결과 표시 없이 복귀",
            "결제는 승인되고 imp_success 없이 돌아갑니다.",
        ],
        [
            "Paid, no flag",
            "Approved; comes back without any success flag.",
        ],
    ),
    button(
        Choice::PaySuccessKey,
        Group::Odd,
        [
            "success 이름으로 복귀",
            "결제는 승인되고 imp_success 대신 success=true로 돌아갑니다.",
        ],
        [
            "Paid, flag named success",
            "Approved; comes back with success=true instead of imp_success.",
        ],
    ),
    button(
        Choice::PayNoImpUid,
        Group::Odd,
        [
            "imp_uid 없이 복귀",
            "결제는 승인되고 merchant_uid만 가지고 돌아갑니다.",
        ],
        [
            "Paid, no imp_uid",
            "Approved; comes back with the merchant_uid alone.",
        ],
    ),
    button(
        Choice::PayPost,
        Group::Odd,
        [
            "POST로 복귀",
            "결제는 승인되고 주소 대신 폼 전송으로 돌아갑니다.",
        ],
        [
            "Paid, returns by POST",
            "Approved; comes back by a submitted form.",
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
            "결제는 승인되지만 1초 동안 API가 404로 답합니다.",
        ],
        [
            "Paid, API lags",
            "Approved, but for one second the API answers 404.",
        ],
    ),
    button(
        Choice::CancelReady,
        Group::Odd,
        [
            "취소되었지만 ready로 남음",
            "구매자가 취소하지만 결제는 ready 상태로 남습니다.",
        ],
        [
            "Cancelled, stays ready",
            "The buyer cancels, but the payment is not marked failed.",
        ],
    ),
    button(
        Choice::PayTwice,
        Group::Odd,
        [
            "두 번 복귀",
            "은행 앱이 먼저 상점 페이지를 열고, 이어서 이 브라우저가 한 번 더 엽니다.",
        ],
        [
            "Paid, returns twice",
            "The bank's app opens the shop's page first, then this browser does.",
        ],
    ),
    button(
        Choice::PayAsync,
        Group::Odd,
        [
            "승인보다 먼저 복귀",
            "실패로 돌아간 뒤 1초 후에 결제가 승인됩니다.",
        ],
        [
            "Returns before the approval",
            "Comes back as failed; one second later it is approved.",
        ],
    ),
    button(
        Choice::PayLate,
        Group::Odd,
        [
            "실패 후 늦은 승인",
            "결제가 실패하지만 40분 후에 승인됩니다.",
        ],
        [
            "Failed, approved late",
            "Fails, and is approved after all 40 minutes later.",
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
            Choice::IssueVbank => "issue_vbank",
            Choice::Decline => "decline",
            Choice::DeclineLimit => "decline_limit",
            Choice::DeclineBalance => "decline_balance",
            Choice::DeclineCard => "decline_card",
            Choice::Cancel => "cancel",
            Choice::Abandon => "abandon",
            Choice::PayFlagFalse => "pay_flag_false",
            Choice::PayNoFlag => "pay_no_flag",
            Choice::PayNoImpUid => "pay_no_imp_uid",
            Choice::PaySuccessKey => "pay_success_key",
            Choice::PayPost => "pay_post",
            Choice::PayNoReturn => "pay_no_return",
            Choice::PayTamperedAmount => "pay_tampered_amount",
            Choice::PayTamperedCurrency => "pay_tampered_currency",
            Choice::PayTestChannel => "pay_test_channel",
            Choice::FailFlagTrue => "fail_flag_true",
            Choice::PayLag => "pay_lag",
            Choice::PayTwice => "pay_twice",
            Choice::PayAsync => "pay_async",
            Choice::PayLate => "pay_late",
            Choice::CancelReady => "cancel_ready",
        }
    }

    /// Why the payment is not approved; the gateway's general refusal for choices that have no reason of their own.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Choice::Cancel | Choice::CancelReady => {
                Refusal::new("F0001", "사용자가 결제를 취소하셨습니다")
            }
            Choice::DeclineLimit => {
                Refusal::new("F0003", "[한도초과] 카드 이용한도를 초과하였습니다.")
            }
            Choice::DeclineBalance => Refusal::new("F0004", "잔액부족으로 결제가 거절되었습니다."),
            Choice::DeclineCard => Refusal::new("F0005", "유효하지 않은 카드 번호입니다."),
            Choice::Decline
            | Choice::FailFlagTrue
            | Choice::Pay
            | Choice::IssueVbank
            | Choice::Abandon
            | Choice::PayFlagFalse
            | Choice::PayNoFlag
            | Choice::PayNoImpUid
            | Choice::PaySuccessKey
            | Choice::PayPost
            | Choice::PayNoReturn
            | Choice::PayTamperedAmount
            | Choice::PayTamperedCurrency
            | Choice::PayTestChannel
            | Choice::PayLag
            | Choice::PayTwice
            | Choice::PayAsync
            | Choice::PayLate => {
                Refusal::new("F0002", "[승인거절] 카드사에서 승인이 거절되었습니다.")
            }
        }
    }
}
