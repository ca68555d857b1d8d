//! What a person who comes back from the payment window is told: one word, by what is stored and known now.

use jiff::Timestamp;

use super::ids::TransactionId;
use super::order::{Order, OrderStatus, words};
use super::transaction::{Transaction, TransactionStatus, Verdict};

/// Why a payment failed, in our words: PortOne passes the gateways' texts through, and no table of codes exists.
/// <https://developers.portone.io/opi/ko/support/faq>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The buyer pressed cancel or closed the window.
    BuyerCancelled,
    /// The card company said no.
    Declined,
    /// The card's limit is reached.
    LimitExceeded,
    /// The account has too little money.
    InsufficientBalance,
    /// The card cannot be used: wrong number, expired, lost, stopped.
    InvalidCard,
    /// The window did not work.
    WindowError,
    /// The shop stopped it right before approval.
    RefusedByShop,
    /// The gateway gave no reason we know.
    Unknown,
}
words!(FailureReason {
    BuyerCancelled = "buyer_cancelled",
    Declined = "declined",
    LimitExceeded = "limit_exceeded",
    InsufficientBalance = "insufficient_balance",
    InvalidCard = "invalid_card",
    WindowError = "window_error",
    RefusedByShop = "refused_by_shop",
    Unknown = "unknown",
});

/// The words of the public contract for `/payments/complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Outcome {
    /// PortOne says paid, and every check passed.
    Paid,
    /// An account was issued; nothing is paid yet.
    VirtualAccountIssued,
    /// Not finished.
    Pending,
    /// PortOne says failed, and nothing of this order is paid.
    Failed(FailureReason),
    /// Paid once, given back since.
    Refunded,
    /// Paid once, partly given back since.
    PartiallyRefunded,
    /// Paid, and a check failed: a person looks.
    Held,
    /// The order had been paid by another transaction, and this one is paid as well.
    Duplicate,
    /// Paid after the order had expired or was closed.
    Late,
    /// PortOne could not be asked.
    Unconfirmed,
    /// No such order here, or the ids do not belong together.
    NotFound,
    /// No usable id at all.
    Invalid,
}

impl Outcome {
    /// The word in `data-outcome` and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::VirtualAccountIssued => "virtual_account_issued",
            Self::Pending => "pending",
            Self::Failed(_) => "failed",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Held => "held",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Unconfirmed => "unconfirmed",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Pending | Self::Unconfirmed => 202,
            Self::NotFound => 404,
            Self::Invalid => 400,
            Self::Paid
            | Self::VirtualAccountIssued
            | Self::Failed(_)
            | Self::Refunded
            | Self::PartiallyRefunded
            | Self::Held
            | Self::Duplicate
            | Self::Late => 200,
        }
    }

    /// Why it failed, when it did.
    #[must_use]
    pub const fn reason(self) -> Option<FailureReason> {
        match self {
            Self::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether the answer may change by itself within moments, so that a page keeps looking.
    #[must_use]
    pub const fn is_moving(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Unconfirmed | Self::VirtualAccountIssued
        )
    }
}

/// The outcome for a visitor, and the transaction it speaks of.
///
/// `asked` is the transaction the visitor came back with, when it belongs to the order. `confirmed` says that PortOne
/// answered this very ask; without it only what can no longer become untrue in the buyer's eyes is said.
#[must_use]
pub fn outcome_of<'t>(
    order: &Order,
    transactions: &'t [Transaction],
    asked: Option<&TransactionId>,
    confirmed: bool,
    now: Timestamp,
) -> (Outcome, Option<&'t Transaction>) {
    let subject = subject(transactions, asked);
    let outcome = match subject {
        None => Outcome::Pending,
        Some(transaction) => spoken(order, transaction, now),
    };
    let still_true = match outcome {
        Outcome::Pending | Outcome::Failed(_) => false,
        Outcome::Paid
        | Outcome::VirtualAccountIssued
        | Outcome::Refunded
        | Outcome::PartiallyRefunded
        | Outcome::Held
        | Outcome::Duplicate
        | Outcome::Late => true,
        Outcome::Unconfirmed | Outcome::NotFound | Outcome::Invalid => true,
    };
    // A transaction we were asked for and have never seen may be the one that paid.
    let unseen = asked.is_some_and(|id| transactions.iter().all(|t| &t.transaction_id != id));
    let may_have_paid = unseen && order.status.is_payable();
    let untrue = !confirmed && (!still_true || may_have_paid);
    // PortOne may tell of a failed attempt and keep silent about the one that was asked for.
    let of_another = may_have_paid && matches!(outcome, Outcome::Failed(_));
    if untrue || of_another {
        (Outcome::Unconfirmed, subject)
    } else {
        (outcome, subject)
    }
}

/// The transaction to speak of: the one asked for where it has something of its own to say, else the one that matters most.
fn subject<'t>(
    transactions: &'t [Transaction],
    asked: Option<&TransactionId>,
) -> Option<&'t Transaction> {
    let asked = asked.and_then(|id| transactions.iter().find(|t| &t.transaction_id == id));
    if let Some(own) = asked
        && matches!(
            own.verdict,
            Verdict::Accepted | Verdict::Duplicate | Verdict::Late | Verdict::Held
        )
    {
        return Some(own);
    }
    let paid = transactions
        .iter()
        .filter(|t| weight(t) >= MONEY_WEIGHT)
        .max_by_key(|t| weight(t));
    paid.or(asked).or_else(|| {
        transactions
            .iter()
            .max_by_key(|t| (weight(t), t.first_seen_at))
    })
}

/// From here on a transaction holds or held the buyer's money, or is about to without anything more from the buyer.
const MONEY_WEIGHT: u8 = 9;

fn weight(transaction: &Transaction) -> u8 {
    match transaction.verdict {
        Verdict::Accepted => 13,
        Verdict::Late if transaction.holds_money() => 12,
        Verdict::Held if transaction.holds_money() => 11,
        Verdict::Duplicate => 10,
        Verdict::Pending if transaction.status == TransactionStatus::PayPending => MONEY_WEIGHT,
        Verdict::AwaitingDeposit => 4,
        Verdict::Pending => 3,
        Verdict::Late | Verdict::Held => 2,
        Verdict::Failed => 1,
    }
}

fn spoken(order: &Order, transaction: &Transaction, now: Timestamp) -> Outcome {
    let given_back =
        transaction.status == TransactionStatus::Cancelled && !transaction.holds_money();
    match transaction.verdict {
        Verdict::Pending => Outcome::Pending,
        // Nobody is asked to deposit for an order that ended, or to an account whose time is over.
        Verdict::AwaitingDeposit if may_deposit(order, transaction, now) => {
            Outcome::VirtualAccountIssued
        }
        Verdict::AwaitingDeposit => Outcome::Pending,
        Verdict::Failed => Outcome::Failed(failure_reason(transaction.fail_reason.as_deref())),
        Verdict::Accepted => match order.status {
            OrderStatus::PartiallyRefunded => Outcome::PartiallyRefunded,
            OrderStatus::Refunded => Outcome::Refunded,
            _ => Outcome::Paid,
        },
        Verdict::Duplicate | Verdict::Late | Verdict::Held if given_back => Outcome::Refunded,
        Verdict::Duplicate => Outcome::Duplicate,
        Verdict::Late => Outcome::Late,
        // An account that fails a check is no payment: there is nothing to hold yet.
        Verdict::Held if !transaction.holds_money() => Outcome::Pending,
        Verdict::Held => Outcome::Held,
    }
}

fn may_deposit(order: &Order, transaction: &Transaction, now: Timestamp) -> bool {
    let open = |deadline: Option<Timestamp>| deadline.is_none_or(|at| at > now);
    let account = transaction.virtual_account.as_ref();
    order.status.is_payable()
        && open(order.expires_at)
        && account.is_some_and(|account| open(account.expires_at))
}

/// Reads the gateway's words. First match wins, so the more telling words stand first: "declined and therefore cancelled" is
/// a decline, and nobody is told that they cancelled what they did not.
#[must_use]
pub fn failure_reason(text: Option<&str>) -> FailureReason {
    const WORDS: &[(&str, FailureReason)] = &[
        ("고객사 요청에 의해", FailureReason::RefusedByShop),
        ("가맹점 요청에 의해", FailureReason::RefusedByShop),
        ("한도", FailureReason::LimitExceeded),
        ("limit exceed", FailureReason::LimitExceeded),
        ("exceeds the limit", FailureReason::LimitExceeded),
        ("over limit", FailureReason::LimitExceeded),
        ("잔액", FailureReason::InsufficientBalance),
        ("잔고", FailureReason::InsufficientBalance),
        ("insufficient", FailureReason::InsufficientBalance),
        ("유효하지 않은 카드", FailureReason::InvalidCard),
        ("유효기간", FailureReason::InvalidCard),
        ("카드번호", FailureReason::InvalidCard),
        ("분실", FailureReason::InvalidCard),
        ("도난", FailureReason::InvalidCard),
        ("정지된 카드", FailureReason::InvalidCard),
        ("거래정지", FailureReason::InvalidCard),
        ("사용정지", FailureReason::InvalidCard),
        ("invalid card", FailureReason::InvalidCard),
        ("expired card", FailureReason::InvalidCard),
        ("card expired", FailureReason::InvalidCard),
        ("거절", FailureReason::Declined),
        ("거래불가", FailureReason::Declined),
        ("인증실패", FailureReason::Declined),
        ("인증 실패", FailureReason::Declined),
        ("declin", FailureReason::Declined),
        ("결제창", FailureReason::WindowError),
        ("모듈", FailureReason::WindowError),
        ("결제포기", FailureReason::BuyerCancelled),
        ("취소", FailureReason::BuyerCancelled),
        ("cancel", FailureReason::BuyerCancelled),
        ("승인", FailureReason::Declined),
    ];
    let Some(text) = text else {
        return FailureReason::Unknown;
    };
    let text = text.to_lowercase();
    WORDS
        .iter()
        .find(|(word, _)| text.contains(word))
        .map_or(FailureReason::Unknown, |(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_words_become_ours() {
        for (text, reason) in [
            (
                "사용자가 결제를 취소하셨습니다",
                FailureReason::BuyerCancelled,
            ),
            (
                "[결제포기] 사용자가 결제를 취소하셨습니다",
                FailureReason::BuyerCancelled,
            ),
            ("PAY_PROCESS_CANCELED", FailureReason::BuyerCancelled),
            (
                "[한도초과] 카드 한도가 초과되었습니다",
                FailureReason::LimitExceeded,
            ),
            ("계좌 잔액이 부족합니다", FailureReason::InsufficientBalance),
            ("유효하지 않은 카드번호입니다", FailureReason::InvalidCard),
            ("카드 유효기간 오류", FailureReason::InvalidCard),
            ("카드사에서 승인이 거절되었습니다", FailureReason::Declined),
            ("결제창을 불러오지 못했습니다", FailureReason::WindowError),
            (
                "고객사 요청에 의해 결제를 중단합니다. (상세사유 : 재고 없음)",
                FailureReason::RefusedByShop,
            ),
            ("알 수 없는 이유로 중단되었습니다", FailureReason::Unknown),
            ("", FailureReason::Unknown),
        ] {
            assert_eq!(failure_reason(Some(text)), reason, "{text}");
        }
        assert_eq!(failure_reason(None), FailureReason::Unknown);
    }

    #[test]
    fn nobody_is_told_that_they_cancelled_what_they_did_not() {
        for text in [
            "승인거절로 결제가 취소되었습니다",
            "사용자 인증 실패",
            "card declined, transaction cancelled",
        ] {
            assert_eq!(
                failure_reason(Some(text)),
                FailureReason::Declined,
                "{text}"
            );
        }
        for text in [
            "session expired",
            "time limit",
            "유효하지 않은 요청입니다",
            "사용자 정보를 찾지 못했습니다",
        ] {
            assert_eq!(failure_reason(Some(text)), FailureReason::Unknown, "{text}");
        }
    }
}
