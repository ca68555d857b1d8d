//! From what is known to what is said: pure, so that every sentence can be tested without a page.
//!
//! Holds the rules of honest pages: "paid" and "failed" are said for the outcomes of those names alone, a link that could
//! charge twice stands on no page, and nothing of the query is here to be said.

use crate::domain::money::Money;
use crate::domain::order::OrderStatus;
use crate::domain::outcome::Outcome;
use crate::i18n::{Locale, Messages, StoryText, datetime};
use crate::service::completion::{Arrival, CompletionView, PaymentFacts, TransactionFacts};

/// The mark beside the heading. Says again what the heading says, for those who look before they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Done.
    Check,
    /// Waiting.
    Clock,
    /// Ended without a payment.
    Cross,
    /// A person has to look.
    Alert,
    /// Money came back.
    Return,
    /// Nothing to speak of.
    Question,
}

impl Mark {
    /// The class that carries its colour.
    #[must_use]
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Check => "tone-good",
            Self::Clock => "tone-wait",
            Self::Cross => "tone-bad",
            Self::Alert => "tone-alert",
            Self::Return | Self::Question => "tone-calm",
        }
    }
}

/// The most useful thing to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Open the pay page again: nothing is paid.
    Retry,
    /// Go on with a payment that was left.
    Resume,
    /// Look again.
    CheckNow,
    /// Go on at the shop.
    BackToShop,
    /// Ask a person.
    Help,
}

/// Everything that a result page says in sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Mark beside the heading.
    pub mark: Mark,
    /// Heading and title.
    pub heading: &'static str,
    /// The amount in large type, on pages about money that moved or is to move.
    pub amount: Option<Money>,
    /// One sentence about the money.
    pub money: String,
    /// Why, where there is a why.
    pub why: Option<&'static str>,
    /// Why, in the words of a gateway that wants them shown as they are; in place of ours.
    pub gateway_words: Option<String>,
    /// Whether the page warns of paying again.
    pub do_not_pay_again: bool,
    /// What comes next, in sentences.
    pub next: Vec<&'static str>,
    /// What comes next, as a button.
    pub step: Step,
}

impl Said {
    fn new(mark: Mark, text: &StoryText, money: impl Into<String>, step: Step) -> Self {
        Self {
            mark,
            heading: text.heading,
            amount: None,
            money: money.into(),
            why: None,
            gateway_words: None,
            do_not_pay_again: false,
            next: vec![text.next],
            step,
        }
    }

    fn warning(self) -> Self {
        Self {
            do_not_pay_again: true,
            ..self
        }
    }

    fn large(self, amount: Option<Money>) -> Self {
        Self { amount, ..self }
    }
}

/// What the page says for a view.
#[must_use]
pub fn say(view: &CompletionView, locale: Locale, arrival: Arrival) -> Said {
    let words = locale.messages();
    match &view.payment {
        Some(payment) => say_of_payment(view, payment, locale, arrival),
        None => say_of_nothing(view.outcome, words),
    }
}

fn say_of_payment(
    view: &CompletionView,
    payment: &PaymentFacts,
    locale: Locale,
    arrival: Arrival,
) -> Said {
    let words = locale.messages();
    let transaction = payment.transaction.as_ref();
    let paid = transaction
        .and_then(|transaction| transaction.amount)
        .unwrap_or(payment.amount);
    match view.outcome {
        Outcome::Paid if view.claimed_failure => Said::new(
            Mark::Check,
            &words.paid,
            (words.paid_despite_window)(paid),
            Step::BackToShop,
        )
        .large(Some(paid))
        .warning(),
        Outcome::Paid => Said::new(
            Mark::Check,
            &words.paid,
            (words.paid_money)(paid),
            Step::BackToShop,
        )
        .large(Some(paid)),
        Outcome::VirtualAccountIssued => account(transaction, payment.amount, locale),
        Outcome::Pending => unfinished(view, payment, locale, arrival),
        Outcome::Failed(reason) => {
            let failure = (words.failure)(reason);
            let text = StoryText {
                heading: failure.heading,
                next: if view.retry_url.is_some() {
                    failure.next
                } else if payment.awaits_deposit {
                    words.account_waits
                } else {
                    words.order_is_over
                },
            };
            let step = if view.retry_url.is_some() {
                Step::Retry
            } else {
                Step::BackToShop
            };
            let in_doubt = transaction.is_some_and(|own| own.may_have_charged);
            let money = if in_doubt {
                words.failed_in_doubt
            } else {
                words.failed_money
            };
            let mut said = Said::new(Mark::Cross, &text, money, step);
            said.gateway_words = transaction.and_then(|own| own.gateway_words.clone());
            said.why = Some(failure.why).filter(|_| said.gateway_words.is_none());
            said.next.push(words.failed_but_charged);
            said
        }
        Outcome::Refunded => {
            let back = if payment.refunded.minor > 0 {
                Some(payment.refunded)
            } else {
                transaction.and_then(|transaction| transaction.amount)
            };
            Said::new(
                Mark::Return,
                &words.refunded,
                (words.refunded_money)(back),
                Step::BackToShop,
            )
            .large(back)
        }
        Outcome::PartiallyRefunded => {
            let money = (words.partially_refunded_money)(paid, payment.refunded);
            Said::new(
                Mark::Return,
                &words.partially_refunded,
                money,
                Step::BackToShop,
            )
            .large(Some(payment.refunded))
        }
        Outcome::Held => {
            Said::new(Mark::Alert, &words.held, words.held_money, Step::Help).warning()
        }
        Outcome::Duplicate => Said::new(
            Mark::Alert,
            &words.duplicate,
            (words.duplicate_money)(paid),
            Step::Help,
        )
        .large(Some(paid))
        .warning(),
        Outcome::Late => Said::new(
            Mark::Alert,
            &words.late,
            (words.late_money)(paid),
            Step::Help,
        )
        .large(Some(paid))
        .warning(),
        Outcome::Unconfirmed => Said::new(
            Mark::Clock,
            &words.unconfirmed,
            words.unconfirmed_money,
            Step::CheckNow,
        )
        .warning(),
        Outcome::NotFound | Outcome::Invalid => say_of_nothing(view.outcome, words),
    }
}

fn account(transaction: Option<&TransactionFacts>, price: Money, locale: Locale) -> Said {
    let words = locale.messages();
    let account = transaction.and_then(|transaction| transaction.virtual_account.as_ref());
    let deadline = account
        .and_then(|account| account.expires_at)
        .map(|at| datetime(locale, at));
    let amount = transaction
        .and_then(|transaction| transaction.amount)
        .unwrap_or(price);
    let mut said = Said::new(
        Mark::Clock,
        &words.account,
        (words.account_money)(amount, deadline.as_deref()),
        Step::CheckNow,
    )
    .large(Some(amount));
    if deadline.is_some() {
        said.next.push(words.account_deadline);
    }
    said
}

/// PortOne answered, and nothing is paid. Six stories, by who has to do something now.
fn unfinished(
    view: &CompletionView,
    payment: &PaymentFacts,
    locale: Locale,
    arrival: Arrival,
) -> Said {
    let words = locale.messages();
    let transaction = payment.transaction.as_ref();
    if let Some(pay_by) = transaction.and_then(|transaction| transaction.pay_by) {
        return Said::new(
            Mark::Clock,
            &words.number_issued,
            (words.number_money)(&datetime(locale, pay_by)),
            Step::CheckNow,
        );
    }
    if transaction.is_some_and(|transaction| transaction.in_review) {
        return Said::new(
            Mark::Clock,
            &words.in_review,
            words.approving_money,
            Step::CheckNow,
        )
        .warning();
    }
    match payment.status {
        OrderStatus::Expired => {
            return Said::new(
                Mark::Cross,
                &words.expired,
                words.nothing_paid,
                Step::BackToShop,
            );
        }
        OrderStatus::Closed => {
            return Said::new(
                Mark::Cross,
                &words.closed,
                words.nothing_paid,
                Step::BackToShop,
            );
        }
        OrderStatus::Open
        | OrderStatus::AwaitingDeposit
        | OrderStatus::Paid
        | OrderStatus::PartiallyRefunded
        | OrderStatus::Refunded
        | OrderStatus::Held => {}
    }
    // Who comes straight from the window and was not told of a failure has most likely done everything. An offer to pay
    // would be an offer to pay twice.
    if arrival == Arrival::Redirect && transaction.is_some() && !view.claimed_failure {
        return Said::new(
            Mark::Clock,
            &words.approving,
            words.approving_money,
            Step::CheckNow,
        )
        .warning();
    }
    match view.retry_url {
        Some(_) => Said::new(Mark::Clock, &words.left, words.nothing_paid, Step::Resume),
        None => Said::new(
            Mark::Clock,
            &StoryText {
                heading: words.left.heading,
                next: if payment.awaits_deposit {
                    words.account_waits
                } else {
                    words.left_without_link
                },
            },
            words.nothing_paid,
            Step::CheckNow,
        ),
    }
}

fn say_of_nothing(outcome: Outcome, words: &'static Messages) -> Said {
    match outcome {
        Outcome::NotFound => Said::new(
            Mark::Question,
            &words.not_found,
            words.not_found_why,
            Step::Help,
        ),
        Outcome::Invalid => Said::new(
            Mark::Question,
            &words.invalid,
            words.invalid_why,
            Step::Help,
        ),
        // Every outcome that speaks of money comes with a payment. Should one ever come without, nothing is claimed.
        Outcome::Unconfirmed
        | Outcome::Paid
        | Outcome::VirtualAccountIssued
        | Outcome::Pending
        | Outcome::Failed(_)
        | Outcome::Refunded
        | Outcome::PartiallyRefunded
        | Outcome::Held
        | Outcome::Duplicate
        | Outcome::Late => {
            let text = StoryText {
                heading: words.unconfirmed.heading,
                next: words.unconfirmed_without_order,
            };
            Said::new(Mark::Clock, &text, words.unconfirmed_money, Step::CheckNow).warning()
        }
    }
}

/// What the page says when this server itself is at fault.
#[must_use]
pub fn say_our_error(locale: Locale) -> Said {
    let words = locale.messages();
    Said::new(
        Mark::Alert,
        &words.our_error,
        words.our_error_why,
        Step::CheckNow,
    )
    .warning()
}

/// Whether the page goes on looking by itself. An order that is over will most likely stay as it is, although the answer
/// to a script still says pending: a payment that comes late is found in the background.
#[must_use]
pub fn keeps_looking(view: &CompletionView) -> bool {
    let over = view.payment.as_ref().is_some_and(|payment| {
        matches!(payment.status, OrderStatus::Expired | OrderStatus::Closed)
    });
    view.outcome.is_moving() && !(over && view.outcome == Outcome::Pending)
}

/// Whether the page is about money that was taken: only then does it show how.
#[must_use]
pub const fn speaks_of_a_payment(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Paid
        | Outcome::Refunded
        | Outcome::PartiallyRefunded
        | Outcome::Duplicate
        | Outcome::Late => true,
        Outcome::VirtualAccountIssued
        | Outcome::Pending
        | Outcome::Failed(_)
        | Outcome::Held
        | Outcome::Unconfirmed
        | Outcome::NotFound
        | Outcome::Invalid => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{PaymentId, TransactionId};
    use crate::domain::money::Currency;
    use crate::domain::outcome::FailureReason;
    use crate::domain::transaction::VirtualAccount;

    const EVERY: [Arrival; 3] = [Arrival::Redirect, Arrival::Again, Arrival::Link];

    fn won(minor: i64) -> Money {
        Money {
            minor,
            currency: Currency::KRW,
        }
    }

    fn view(outcome: Outcome) -> CompletionView {
        CompletionView {
            outcome,
            payment: Some(PaymentFacts {
                payment_id: PaymentId::parse("ORDER-1").expect("an id"),
                name: "사과".to_owned(),
                amount: won(64_900),
                refunded: won(0),
                status: OrderStatus::Open,
                status_url: "https://pay.example/o/0123".to_owned(),
                locale: None,
                awaits_deposit: false,
                said_at: jiff::Timestamp::UNIX_EPOCH,
                transaction: Some(TransactionFacts {
                    transaction_id: TransactionId::parse("imp_1").ok(),
                    amount: Some(won(64_900)),
                    in_review: false,
                    pay_by: None,
                    may_have_charged: false,
                    gateway_words: None,
                    test: Some(false),
                    pay_method: None,
                    method_name: None,
                    approval_number: None,
                    receipt_url: None,
                    paid_at: None,
                    virtual_account: None,
                }),
            }),
            claimed_failure: false,
            retry_url: None,
            return_url: None,
            checked_at: None,
        }
    }

    fn payment(view: &mut CompletionView) -> &mut PaymentFacts {
        view.payment.as_mut().expect("a payment")
    }

    #[test]
    fn every_outcome_has_words_in_every_language() {
        for (locale, outcome) in Locale::ALL
            .into_iter()
            .flat_map(|locale| Outcome::every().map(move |outcome| (locale, outcome)))
        {
            for arrival in EVERY {
                let said = say(&view(outcome), locale, arrival);

                assert!(
                    !said.heading.is_empty() && !said.money.is_empty(),
                    "{outcome:?} {locale:?}"
                );
                assert!(
                    said.next.iter().all(|sentence| !sentence.is_empty()) && !said.next.is_empty(),
                    "{outcome:?} {locale:?}"
                );
            }
        }
    }

    #[test]
    fn only_a_paid_order_is_called_complete() {
        for outcome in Outcome::every().filter(|outcome| *outcome != Outcome::Paid) {
            let said = say(&view(outcome), Locale::Ko, Arrival::Redirect);
            assert!(
                !said.heading.contains("완료"),
                "{outcome:?} says {}",
                said.heading
            );
            assert_ne!(said.mark, Mark::Check, "{outcome:?}");
            for locale in Locale::ALL {
                let said = say(&view(outcome), locale, Arrival::Redirect);
                assert_ne!(said.heading, locale.messages().paid.heading, "{outcome:?}");
            }
        }
        assert_eq!(
            say(&view(Outcome::Paid), Locale::Ko, Arrival::Redirect).money,
            "64,900원이 결제됐어요."
        );
    }

    #[test]
    fn only_a_failure_says_that_no_money_was_taken() {
        for (locale, outcome) in Locale::ALL
            .into_iter()
            .flat_map(|locale| Outcome::every().map(move |outcome| (locale, outcome)))
        {
            let said = say(&view(outcome), locale, Arrival::Redirect);
            let says_so = said.money == locale.messages().failed_money;
            assert_eq!(
                says_so,
                matches!(outcome, Outcome::Failed(_)),
                "{outcome:?} says {}",
                said.money
            );
        }
    }

    #[test]
    fn a_gateways_words_are_shown_as_they_are() {
        let mut view = view(Outcome::Failed(FailureReason::Unknown));
        assert!(say(&view, Locale::Ko, Arrival::Redirect).why.is_some());
        let own = payment(&mut view).transaction.as_mut().expect("an attempt");
        own.gateway_words = Some("잔액 부족".to_owned());

        for locale in Locale::ALL {
            let said = say(&view, locale, Arrival::Redirect);
            assert_eq!(
                (said.gateway_words.as_deref(), said.why),
                (Some("잔액 부족"), None)
            );
        }
    }

    /// It failed in PortOne's words, and in the gateway's own nobody knows.
    #[test]
    fn a_failure_that_may_have_charged_promises_nothing() {
        for reason in FailureReason::ALL.iter().copied() {
            let mut view = view(Outcome::Failed(reason));
            let own = payment(&mut view).transaction.as_mut().expect("an attempt");
            own.may_have_charged = true;
            for locale in Locale::ALL {
                let said = say(&view, locale, Arrival::Redirect);
                assert_eq!(said.money, locale.messages().failed_in_doubt);
            }
        }
    }

    #[test]
    fn a_page_that_cannot_rule_out_a_charge_warns_of_paying_again() {
        for outcome in [
            Outcome::Unconfirmed,
            Outcome::Held,
            Outcome::Duplicate,
            Outcome::Late,
        ] {
            for arrival in EVERY {
                assert!(
                    say(&view(outcome), Locale::Ko, arrival).do_not_pay_again,
                    "{outcome:?}"
                );
            }
        }
        let mut bare = view(Outcome::Unconfirmed);
        bare.payment = None;
        assert!(say(&bare, Locale::Ko, Arrival::Redirect).do_not_pay_again);
        assert!(say_our_error(Locale::Ko).do_not_pay_again);
    }

    #[test]
    fn paying_again_is_offered_only_with_an_address_for_it() {
        for outcome in Outcome::every() {
            for arrival in EVERY {
                let without = say(&view(outcome), Locale::Ko, arrival);
                assert!(
                    !matches!(without.step, Step::Retry | Step::Resume),
                    "{outcome:?}"
                );
            }
        }
        let mut failed = view(Outcome::Failed(FailureReason::LimitExceeded));
        failed.retry_url = Some("https://pay.example/pay/ORDER-1".to_owned());
        assert_eq!(
            say(&failed, Locale::Ko, Arrival::Redirect).step,
            Step::Retry
        );
    }

    #[test]
    fn who_just_paid_is_asked_to_wait_and_who_left_may_go_on() {
        let mut back = view(Outcome::Pending);
        back.retry_url = Some("https://pay.example/pay/ORDER-1".to_owned());
        let mut cancelled = back.clone();
        cancelled.claimed_failure = true;
        let mut never_opened = back.clone();
        payment(&mut never_opened).transaction = None;

        let approving = say(&back, Locale::Ko, Arrival::Redirect);
        assert_eq!(
            (
                approving.heading,
                approving.step,
                approving.do_not_pay_again
            ),
            ("결제를 확인하고 있어요", Step::CheckNow, true)
        );
        for (left, arrival) in [
            (&back, Arrival::Again),
            (&back, Arrival::Link),
            (&cancelled, Arrival::Redirect),
            (&never_opened, Arrival::Redirect),
        ] {
            let said = say(left, Locale::Ko, arrival);
            assert_eq!(
                (said.heading, said.step),
                ("결제가 끝나지 않았어요", Step::Resume)
            );
        }
    }

    #[test]
    fn who_may_have_deposited_is_told_why_there_is_no_way_to_pay() {
        for locale in Locale::ALL {
            let words = locale.messages();
            for outcome in [
                Outcome::Pending,
                Outcome::Failed(FailureReason::LimitExceeded),
            ] {
                let mut waiting = view(outcome);
                let without = say(&waiting, locale, Arrival::Link);
                payment(&mut waiting).awaits_deposit = true;
                let with = say(&waiting, locale, Arrival::Link);

                assert!(!without.next.contains(&words.account_waits), "{outcome:?}");
                assert!(with.next.contains(&words.account_waits), "{outcome:?}");
                assert!(!with.next.contains(&words.order_is_over), "{outcome:?}");
            }
        }
    }

    #[test]
    fn what_the_gateway_looks_into_is_nobodys_to_pay_again() {
        let mut reviewed = view(Outcome::Pending);
        if let Some(transaction) = &mut payment(&mut reviewed).transaction {
            transaction.in_review = true;
        }
        for (locale, arrival, claimed_failure) in Locale::ALL.into_iter().flat_map(|locale| {
            EVERY
                .into_iter()
                .flat_map(move |arrival| [false, true].map(|claimed| (locale, arrival, claimed)))
        }) {
            reviewed.claimed_failure = claimed_failure;
            let said = say(&reviewed, locale, arrival);

            assert_eq!(
                (said.heading, said.step, said.do_not_pay_again),
                (locale.messages().in_review.heading, Step::CheckNow, true)
            );
            assert_eq!(said.money, locale.messages().approving_money);

            let mut numbered = reviewed.clone();
            if let Some(transaction) = &mut payment(&mut numbered).transaction {
                transaction.pay_by = "2026-09-30T14:59:59Z".parse().ok();
            }
            let said = say(&numbered, locale, arrival);
            assert_eq!(
                (said.heading, said.step, said.do_not_pay_again),
                (
                    locale.messages().number_issued.heading,
                    Step::CheckNow,
                    false
                )
            );
            let deadline = "2026-09-30T14:59:59Z".parse().expect("a time");
            assert!(said.money.contains(&datetime(locale, deadline)));
        }
    }

    #[test]
    fn a_payment_that_the_window_called_failed_is_called_paid_with_a_warning() {
        let mut paid = view(Outcome::Paid);
        paid.claimed_failure = true;

        let said = say(&paid, Locale::Ko, Arrival::Redirect);

        assert_eq!(
            said.money,
            "결제창에는 실패로 보였지만, 실제로는 64,900원이 결제됐어요."
        );
        assert!(said.do_not_pay_again);
    }

    #[test]
    fn an_order_that_ended_unpaid_says_so() {
        for (status, heading) in [
            (OrderStatus::Expired, "결제할 수 있는 시간이 지났어요"),
            (OrderStatus::Closed, "쇼핑몰이 주문을 마감했어요"),
        ] {
            let mut over = view(Outcome::Pending);
            payment(&mut over).status = status;
            for arrival in EVERY {
                assert_eq!(say(&over, Locale::Ko, arrival).heading, heading);
            }
            assert!(!keeps_looking(&over));
        }
        for moving in [
            Outcome::Pending,
            Outcome::Unconfirmed,
            Outcome::VirtualAccountIssued,
        ] {
            assert!(keeps_looking(&view(moving)), "{moving:?}");
        }
    }

    #[test]
    fn a_deadline_is_told_in_korean_time() {
        let mut issued = view(Outcome::VirtualAccountIssued);
        let account = VirtualAccount {
            bank: "신한은행".to_owned(),
            account_number: "110-123".to_owned(),
            holder: None,
            expires_at: Some("2026-09-30T14:59:00Z".parse().expect("a time")),
        };
        if let Some(transaction) = &mut payment(&mut issued).transaction {
            transaction.virtual_account = Some(account);
        }

        assert_eq!(
            say(&issued, Locale::Ko, Arrival::Link).money,
            "2026년 9월 30일(수) 23:59 (한국\u{a0}시간)\u{2060}까지 64,900원을 입금해 주세요."
        );
        assert_eq!(
            say(&issued, Locale::En, Arrival::Link).money,
            "Please deposit ₩64,900 by Wed, Sep 30, 2026, 23:59 KST."
        );
    }

    #[test]
    fn a_refund_names_what_was_given_back_whichever_payment_it_was() {
        let mut whole = view(Outcome::Refunded);
        payment(&mut whole).refunded = won(64_900);
        let second_payment = view(Outcome::Refunded);
        let mut part = view(Outcome::PartiallyRefunded);
        payment(&mut part).refunded = won(3_000);

        assert_eq!(
            say(&whole, Locale::Ko, Arrival::Link).money,
            "64,900원이 환불됐어요."
        );
        assert_eq!(
            say(&second_payment, Locale::Ko, Arrival::Link).money,
            "64,900원이 환불됐어요."
        );
        assert_eq!(
            say(&part, Locale::Ko, Arrival::Link).money,
            "64,900원 중 3,000원이 환불됐어요."
        );
    }

    #[test]
    fn a_held_payment_tells_neither_amount_nor_check() {
        for locale in Locale::ALL {
            let said = say(&view(Outcome::Held), locale, Arrival::Redirect);
            assert_eq!(said.amount, None);
            assert!(
                !said.money.chars().any(|c| c.is_ascii_digit()),
                "{}",
                said.money
            );
            for word in [
                "금액",
                "통화",
                "테스트",
                "amount",
                "currency",
                "test",
                "金額",
                "通貨",
                "テスト",
                "金额",
                "货币",
                "测试",
            ] {
                assert!(
                    !said.money.contains(word) && !said.next.concat().contains(word),
                    "{word}"
                );
            }
        }
        assert!(!speaks_of_a_payment(Outcome::Held));
    }

    #[test]
    fn a_missing_order_says_nothing_of_any_order() {
        let mut known = view(Outcome::NotFound);
        let unknown = CompletionView {
            payment: None,
            ..known.clone()
        };
        known.claimed_failure = true;
        assert_eq!(
            say(&known, Locale::Ko, Arrival::Redirect),
            say(&unknown, Locale::Ko, Arrival::Link)
        );
    }
}
