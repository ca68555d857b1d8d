//! What a person who comes back from the payment window is told: one word, by what is stored and known now.

use jiff::Timestamp;

use super::ids::TransactionId;
use super::order::{Order, OrderStatus, words};
use super::schedule::{account_ends, approval_ends};
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

/// When a buyer's browser or a script may ask again.
const RETRY_AFTER_SECONDS: u16 = 5;

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

    /// When to ask again, in seconds, where waiting brings the answer.
    #[must_use]
    pub const fn retry_after_seconds(self) -> Option<u16> {
        match self {
            Self::Pending | Self::Unconfirmed => Some(RETRY_AFTER_SECONDS),
            Self::Paid
            | Self::VirtualAccountIssued
            | Self::Failed(_)
            | Self::Refunded
            | Self::PartiallyRefunded
            | Self::Held
            | Self::Duplicate
            | Self::Late
            | Self::NotFound
            | Self::Invalid => None,
        }
    }

    /// Why it failed, when it did.
    #[must_use]
    pub const fn reason(self) -> Option<FailureReason> {
        if let Self::Failed(reason) = self {
            Some(reason)
        } else {
            None
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
        && has_own_story(own)
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

/// Whether money came by the transaction, wherever it is now. An account that failed a check is held, too, and has none yet.
fn has_own_story(transaction: &Transaction) -> bool {
    match transaction.verdict {
        Verdict::Accepted | Verdict::Duplicate | Verdict::Late => true,
        Verdict::Held => transaction.status != TransactionStatus::Ready,
        Verdict::Pending | Verdict::AwaitingDeposit | Verdict::Failed => false,
    }
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

/// Whether the order can be paid by one more attempt that cannot charge twice: it may still be paid, and none of its attempts
/// becomes a payment without anything more from the buyer. PortOne opens no window for a number that was approved once.
/// <https://developers.portone.io/sdk/ko/v1-sdk/javascript-sdk/payrq>
#[must_use]
pub fn may_pay_again(order: &Order, transactions: &[Transaction], now: Timestamp) -> bool {
    order.status.is_payable()
        && order.expires_at.is_none_or(|at| at > now)
        && !was_paid_once(transactions)
        && !transactions.iter().any(|t| awaits_approval(t, now))
        && !awaits_deposit(transactions, now)
}

/// Whether one of them was approved, wherever its money is now.
#[must_use]
pub fn was_paid_once(transactions: &[Transaction]) -> bool {
    let was_paid = |t: &Transaction| match t.status {
        TransactionStatus::Paid | TransactionStatus::Cancelled => true,
        TransactionStatus::Ready | TransactionStatus::PayPending | TransactionStatus::Failed => {
            false
        }
    };
    transactions.iter().any(was_paid)
}

/// Whether the gateway may still approve an attempt by itself, see [`approval_ends`].
#[must_use]
pub fn awaits_approval(transaction: &Transaction, now: Timestamp) -> bool {
    transaction.status == TransactionStatus::PayPending && approval_ends(transaction) > now
}

/// Whether a deposit to one of the order's accounts may still arrive. One made in time may be reported later than the account's
/// own deadline, see [`account_ends`]; one to an account that fails a check is a payment, too.
#[must_use]
pub fn awaits_deposit(transactions: &[Transaction], now: Timestamp) -> bool {
    transactions.iter().any(|t| {
        let waits = match t.verdict {
            Verdict::AwaitingDeposit => true,
            Verdict::Held => t.status == TransactionStatus::Ready,
            Verdict::Pending
            | Verdict::Failed
            | Verdict::Accepted
            | Verdict::Duplicate
            | Verdict::Late => false,
        };
        let account = t.virtual_account.as_ref();
        waits && account.is_none_or(|account| account_ends(account, t.first_seen_at) > now)
    })
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
            OrderStatus::Paid
            | OrderStatus::Open
            | OrderStatus::AwaitingDeposit
            | OrderStatus::Held
            | OrderStatus::Expired
            | OrderStatus::Closed => Outcome::Paid,
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
        ("자동취소", FailureReason::Unknown),
        ("자동 취소", FailureReason::Unknown),
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
        ("창을 닫", FailureReason::BuyerCancelled),
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
    if is_in_doubt(&text) {
        return FailureReason::Unknown;
    }
    WORDS
        .iter()
        .find(|(word, _)| text.contains(word))
        .map_or(FailureReason::Unknown, |(_, reason)| *reason)
}

/// Whether a gateway's own words, in lower case, say that it does not know how the payment ended, or that it went through and was
/// not undone: KCP's and Inicis' among them, in the tables of errors that PortOne publishes for each of them.
fn is_in_doubt(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "결제 성공",
        "결제성공",
        "처리결과 확인이 불가",
        "거래내역",
        "잔액조회",
        "통장잔액",
        "무응답",
        "승인취소시",
        "망취소",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// Whether a failed attempt may have taken money all the same, or may yet: the gateway's words leave it open, it is one that
/// approves after it failed, or a wallet whose code was scanned before the window was closed.
/// <https://developers.portone.io/opi/ko/integration/pg/v2/eximbay-v2>,
/// <https://developers.portone.io/opi/ko/integration/pg/v2/payletter-global>,
/// <https://developers.portone.io/opi/ko/integration/pg/v2/kicc-v2>
#[must_use]
pub fn may_have_charged(transaction: &Transaction) -> bool {
    const LATE: [&str; 4] = ["eximbay", "payletter", "paypal", "paymentwall"];
    const SCANNED: [&str; 2] = ["wechat", "alipay_plus"];
    let methods = [&transaction.pay_method, &transaction.method_name];
    let is_scanned = methods
        .into_iter()
        .flatten()
        .any(|word| SCANNED.contains(&word.to_ascii_lowercase().as_str()));
    let provider = transaction.pg_provider.as_deref().unwrap_or_default();
    let provider = provider.to_ascii_lowercase();
    let text = transaction.fail_reason.as_deref().unwrap_or_default();
    LATE.iter().any(|late| provider.starts_with(late))
        || is_scanned
        || is_in_doubt(&text.to_lowercase())
}

/// Why an attempt failed in the gateway's own words, where it wants them shown as they are and nothing in their place: Naver Pay
/// looks at that before a shop goes live.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/naver>, <https://developers.portone.io/opi/ko/integration/pg/v2/naverpay>
#[must_use]
pub fn words_to_show(transaction: &Transaction) -> Option<&str> {
    let provider = transaction.pg_provider.as_deref().unwrap_or_default();
    let is_naver = provider.to_ascii_lowercase().starts_with("naver");
    transaction
        .fail_reason
        .as_deref()
        .filter(|_| is_naver && transaction.status == TransactionStatus::Failed)
}

#[cfg(test)]
impl Outcome {
    /// Every outcome, failures by each of their reasons.
    pub(crate) fn every() -> impl Iterator<Item = Self> {
        let plain = [
            Self::Paid,
            Self::VirtualAccountIssued,
            Self::Pending,
            Self::Refunded,
            Self::PartiallyRefunded,
            Self::Held,
            Self::Duplicate,
            Self::Late,
            Self::Unconfirmed,
            Self::NotFound,
            Self::Invalid,
        ];
        plain
            .into_iter()
            .chain(FailureReason::ALL.iter().copied().map(Self::Failed))
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::domain::decision::fixtures::{at, left_open, order};
    use crate::domain::schedule::{GRACE, WATCH};
    use crate::domain::transaction::VirtualAccount;

    #[test]
    fn only_naver_pays_words_are_shown() {
        let attempt = |provider: Option<&str>, text: Option<&str>, status| Transaction {
            pg_provider: provider.map(str::to_owned),
            fail_reason: text.map(str::to_owned),
            status,
            ..left_open("imp_1")
        };
        let failed = TransactionStatus::Failed;
        for (provider, text, status, shown) in [
            (Some("naverpay"), Some("잔액 부족"), failed, true),
            (Some("NAVERPAY"), Some("잔액 부족"), failed, true),
            (
                Some("naverpay"),
                Some("잔액 부족"),
                TransactionStatus::Ready,
                false,
            ),
            (Some("kakaopay"), Some("잔액 부족"), failed, false),
            (None, Some("잔액 부족"), failed, false),
            (Some("naverpay"), None, failed, false),
        ] {
            let attempt = attempt(provider, text, status);
            assert_eq!(
                words_to_show(&attempt),
                text.filter(|_| shown),
                "{attempt:?}"
            );
        }
    }

    #[test]
    fn outcomes_are_the_words_and_codes_of_the_contract() {
        let failed = Outcome::Failed(FailureReason::Declined);
        for (outcome, word, status, is_moving) in [
            (Outcome::Paid, "paid", 200, false),
            (
                Outcome::VirtualAccountIssued,
                "virtual_account_issued",
                200,
                true,
            ),
            (Outcome::Pending, "pending", 202, true),
            (failed, "failed", 200, false),
            (Outcome::Refunded, "refunded", 200, false),
            (Outcome::PartiallyRefunded, "partially_refunded", 200, false),
            (Outcome::Held, "held", 200, false),
            (Outcome::Duplicate, "duplicate", 200, false),
            (Outcome::Late, "late", 200, false),
            (Outcome::Unconfirmed, "unconfirmed", 202, true),
            (Outcome::NotFound, "not_found", 404, false),
            (Outcome::Invalid, "invalid", 400, false),
        ] {
            assert_eq!(
                (outcome.as_str(), outcome.http_status(), outcome.is_moving()),
                (word, status, is_moving)
            );
            let reason = (outcome == failed).then_some(FailureReason::Declined);
            assert_eq!(outcome.reason(), reason, "{word}");
            assert_eq!(outcome.retry_after_seconds(), (status == 202).then_some(5));
        }
    }

    /// An attempt with this status and verdict, of which this much was given back.
    fn attempt(status: TransactionStatus, verdict: Verdict, cancelled_minor: i64) -> Transaction {
        Transaction {
            status,
            verdict,
            cancelled_minor,
            ..left_open(&format!(
                "{}-{}-{cancelled_minor}",
                status.as_str(),
                verdict.as_str()
            ))
        }
    }

    #[test]
    fn what_matters_most_is_spoken_of() {
        let [paid, cancelled] = [TransactionStatus::Paid, TransactionStatus::Cancelled];
        let ready = TransactionStatus::Ready;
        let account = attempt(ready, Verdict::AwaitingDeposit, 0);
        let attempts = [
            attempt(paid, Verdict::Accepted, 0),
            attempt(paid, Verdict::Late, 0),
            attempt(paid, Verdict::Held, 0),
            attempt(paid, Verdict::Duplicate, 0),
            attempt(TransactionStatus::PayPending, Verdict::Pending, 0),
            account,
            attempt(ready, Verdict::Pending, 0),
            attempt(cancelled, Verdict::Late, 65_000),
            attempt(TransactionStatus::Failed, Verdict::Failed, 0),
        ];
        for from in 0..attempts.len() {
            // The order in which they stand does not matter.
            let mut some = attempts[from..].to_vec();
            some.reverse();
            let (_, subject) = outcome_of(&order(), &some, None, true, at(10));
            assert_eq!(subject, Some(&attempts[from]));
        }
        let held_no_more = attempt(cancelled, Verdict::Held, 65_000);
        let failed_after = [held_no_more.clone(), attempts[8].clone()];
        assert_eq!(subject(&failed_after, None), Some(&held_no_more));
        let open_after = [held_no_more.clone(), attempts[6].clone()];
        assert_eq!(subject(&open_after, None), Some(&attempts[6]));
    }

    #[test]
    fn who_brings_an_attempt_is_told_of_it_unless_another_one_paid() {
        let open = attempt(TransactionStatus::Ready, Verdict::Pending, 0);
        let failed = attempt(TransactionStatus::Failed, Verdict::Failed, 0);
        let review = attempt(TransactionStatus::PayPending, Verdict::Pending, 0);

        let told = |attempts: &[Transaction], asked: &Transaction| {
            subject(attempts, Some(&asked.transaction_id)).cloned()
        };
        assert_eq!(
            told(&[open.clone(), failed.clone()], &failed),
            Some(failed.clone())
        );
        assert_eq!(
            told(&[review.clone(), failed.clone()], &failed),
            Some(review)
        );
        let paid = attempt(TransactionStatus::Paid, Verdict::Accepted, 0);
        for verdict in [Verdict::AwaitingDeposit, Verdict::Held] {
            let account = attempt(TransactionStatus::Ready, verdict, 0);
            assert_eq!(
                told(&[paid.clone(), account.clone()], &account),
                Some(paid.clone())
            );
        }
    }

    #[test]
    fn what_was_given_back_whole_is_refunded_and_a_part_is_not() {
        for (verdict, whole, part) in [
            (Verdict::Duplicate, Outcome::Refunded, Outcome::Duplicate),
            (Verdict::Late, Outcome::Refunded, Outcome::Late),
            (Verdict::Held, Outcome::Refunded, Outcome::Held),
        ] {
            let outcome = |cancelled_minor| {
                let one = attempt(TransactionStatus::Cancelled, verdict, cancelled_minor);
                outcome_of(&order(), &[one], None, true, at(10)).0
            };
            assert_eq!((outcome(65_000), outcome(15_000)), (whole, part));
        }
    }

    #[test]
    fn an_account_that_failed_a_check_holds_nothing_yet() {
        let account = attempt(TransactionStatus::Ready, Verdict::Held, 0);

        let (outcome, _) = outcome_of(&order(), &[account], None, true, at(10));

        assert_eq!(outcome, Outcome::Pending);
    }

    #[test]
    fn nobody_is_asked_to_deposit_what_is_not_wanted_any_more() {
        let issued = |order: Order, account_until: Option<i64>, has_account: bool| {
            let account = VirtualAccount {
                bank: String::new(),
                account_number: "123-45".to_owned(),
                holder: None,
                expires_at: account_until.map(at),
            };
            let attempt = Transaction {
                virtual_account: has_account.then_some(account),
                ..attempt(TransactionStatus::Ready, Verdict::AwaitingDeposit, 0)
            };
            outcome_of(&order, &[attempt], None, true, at(10)).0 == Outcome::VirtualAccountIssued
        };
        let until = |second| Order {
            expires_at: Some(at(second)),
            status: OrderStatus::AwaitingDeposit,
            ..order()
        };
        let closed = Order {
            status: OrderStatus::Closed,
            ..order()
        };

        assert!(issued(order(), None, true) && issued(until(11), Some(11), true));
        assert!(!issued(order(), None, false));
        assert!(!issued(closed, None, true));
        assert!(!issued(until(10), None, true));
        assert!(!issued(order(), Some(10), true));
    }

    #[test]
    fn what_was_approved_once_is_not_paid_again_under_its_number() {
        for (status, may_pay) in [
            (TransactionStatus::Ready, true),
            (TransactionStatus::Failed, true),
            (TransactionStatus::Paid, false),
            (TransactionStatus::Cancelled, false),
        ] {
            let attempt = Transaction {
                status,
                cancelled_minor: 65_000,
                ..left_open("tx-1")
            };
            let may = may_pay_again(&order(), slice::from_ref(&attempt), at(0));
            assert_eq!(may, may_pay, "{status:?}");
        }
    }

    #[test]
    fn a_review_and_a_number_to_pay_with_are_waited_for_and_not_for_ever() {
        let waiting = |pay_by: Option<i64>| Transaction {
            status: TransactionStatus::PayPending,
            pay_by: pay_by.map(at),
            ..left_open("tx-1")
        };
        let may =
            |one: &Transaction, second| may_pay_again(&order(), slice::from_ref(one), at(second));
        let (grace, watch) = (GRACE.as_secs(), WATCH.as_secs());

        let number = waiting(Some(60));
        assert!(!may(&number, 59 + grace) && awaits_approval(&number, at(59 + grace)));
        assert!(may(&number, 60 + grace) && !awaits_approval(&number, at(60 + grace)));
        let review = waiting(None);
        assert!(!may(&review, watch - 1) && may(&review, watch));
    }

    #[test]
    fn nobody_is_asked_to_pay_again_while_a_deposit_may_still_arrive() {
        let account = |status, verdict, until: Option<i64>| Transaction {
            virtual_account: Some(VirtualAccount {
                bank: String::new(),
                account_number: "123-45".to_owned(),
                holder: None,
                expires_at: until.map(at),
            }),
            ..attempt(status, verdict, 0)
        };
        let ready = TransactionStatus::Ready;
        let (end, grace) = (60, GRACE.as_secs());
        let may = |attempt: &Transaction, now| {
            let failed = self::attempt(TransactionStatus::Failed, Verdict::Failed, 0);
            let waits = awaits_deposit(std::slice::from_ref(attempt), at(now));
            let may = may_pay_again(&order(), &[failed, attempt.clone()], at(now));
            assert_ne!(waits, may, "{attempt:?} at {now}");
            may
        };

        for verdict in [Verdict::AwaitingDeposit, Verdict::Held] {
            let issued = account(ready, verdict, Some(end));
            for now in [0, end, end + 60, end + grace - 1] {
                assert!(!may(&issued, now), "{verdict:?} at {now}");
            }
            assert!(may(&issued, end + grace), "{verdict:?}");
            assert!(!may(&account(ready, verdict, None), end + grace));
        }
        assert!(!may(&attempt(ready, Verdict::AwaitingDeposit, 0), 0));
        for over in [
            account(ready, Verdict::Pending, Some(end)),
            account(TransactionStatus::Failed, Verdict::Failed, Some(end)),
            attempt(ready, Verdict::Pending, 0),
        ] {
            assert!(may(&over, 0), "{over:?}");
        }
    }

    #[test]
    fn nobody_is_asked_to_pay_again_what_is_approved_or_over() {
        let review = attempt(TransactionStatus::PayPending, Verdict::Pending, 0);
        let failed = attempt(TransactionStatus::Failed, Verdict::Failed, 0);
        let until = |second| Order {
            expires_at: Some(at(second)),
            ..order()
        };
        let closed = Order {
            status: OrderStatus::Closed,
            ..order()
        };
        let attempts = std::slice::from_ref(&failed);

        assert!(may_pay_again(&until(11), attempts, at(10)));
        assert!(!may_pay_again(&until(10), attempts, at(10)));
        assert!(!may_pay_again(&closed, attempts, at(10)));
        assert!(!may_pay_again(&order(), &[failed.clone(), review], at(10)));
    }

    /// Some gateways approve after they failed, and some say themselves that they do not know.
    #[test]
    fn a_failure_that_nobody_is_sure_of_is_told_apart() {
        let failed = |provider: Option<&str>, text: Option<&str>| Transaction {
            pg_provider: provider.map(str::to_owned),
            fail_reason: text.map(str::to_owned),
            ..attempt(TransactionStatus::Failed, Verdict::Failed, 0)
        };
        for text in [
            "결제 성공 했으나 DB 저장 오류로 승인취소시 오류가 발생하였습니다",
            "처리결과 확인이 불가하오니 통장잔액 또는 거래내역을 반드시 확인 바랍니다",
            "처리시간초과(잔액조회요망)",
            "카드사 무응답",
        ] {
            assert!(may_have_charged(&failed(None, Some(text))), "{text}");
            assert_eq!(failure_reason(Some(text)), FailureReason::Unknown, "{text}");
        }
        for provider in ["eximbay_v2", "PAYPAL", "paymentwall", "payletter_global"] {
            assert!(
                may_have_charged(&failed(Some(provider), None)),
                "{provider}"
            );
        }
        for word in ["wechat", "WECHAT", "alipay_plus"] {
            let attempt = failed(Some("kicc"), None);
            let by_method = Transaction {
                pay_method: Some(word.to_owned()),
                ..attempt.clone()
            };
            let by_name = Transaction {
                pay_method: Some("EASY_PAY".to_owned()),
                method_name: Some(word.to_owned()),
                ..attempt
            };
            assert!(
                may_have_charged(&by_method) && may_have_charged(&by_name),
                "{word}"
            );
        }
        for text in [
            None,
            Some("계좌 잔액이 부족합니다"),
            Some("사용자가 결제를 취소하셨습니다"),
        ] {
            assert!(
                !may_have_charged(&failed(Some("html5_inicis"), text)),
                "{text:?}"
            );
        }
    }

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
            (
                "사용자가 결제창을 닫았습니다",
                FailureReason::BuyerCancelled,
            ),
            ("알 수 없는 이유로 중단되었습니다", FailureReason::Unknown),
            (
                "시간 지연으로 결제가 자동취소되었습니다",
                FailureReason::Unknown,
            ),
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
