use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::fixtures::{at, expected, order};
use super::*;
use crate::domain::evidence::Reported;
use crate::domain::history::{EntryKind, Replayed, replay};
use crate::domain::money::Money;
use crate::domain::order::{Mode, Portone};
use crate::domain::outcome::{FailureReason, Outcome, outcome_of};
use crate::domain::schedule::GRACE;
use crate::domain::transaction::VirtualAccount;

fn id(text: &str) -> TransactionId {
    TransactionId::parse(text).expect("an id")
}

fn major(amount: impl Into<Decimal>) -> Reported {
    Reported::Major {
        amount: amount.into(),
        cancelled: Decimal::ZERO,
    }
}

fn minor(amount: i64) -> Reported {
    Reported::Minor {
        amount,
        cancelled: 0,
    }
}

fn record(transaction: &str, status: TransactionStatus) -> Record {
    Record {
        portone: Some(Portone::V1),
        store_id: None,
        asked: None,
        transaction_id: id(transaction),
        payment_id: "ORD-1".to_owned(),
        status: Some(status),
        reported: major(65_000),
        currency: Some("KRW".to_owned()),
        test: Some(false),
        pay_method: Some("card".to_owned()),
        pg_provider: None,
        approval_number: None,
        method_name: None,
        fail_reason: None,
        receipt_url: None,
        virtual_account: None,
        pay_by: None,
        given_back_at: None,
        paid_at: matches!(
            status,
            TransactionStatus::Paid | TransactionStatus::Cancelled
        )
        .then(|| at(60)),
    }
}

fn account(transaction: &str) -> Record {
    let virtual_account = Some(VirtualAccount {
        bank: "국민은행".to_owned(),
        account_number: "123-45".to_owned(),
        holder: None,
        expires_at: Some(at(259_200)),
    });
    Record {
        virtual_account,
        ..record(transaction, TransactionStatus::Ready)
    }
}

fn refunded(transaction: &str, major: i64) -> Record {
    Record {
        reported: Reported::Major {
            amount: Decimal::from(65_000),
            cancelled: Decimal::from(major),
        },
        ..record(transaction, TransactionStatus::Cancelled)
    }
}

/// An order that is paid through V2.
fn order_v2() -> Order {
    Order {
        portone: Portone::V2,
        ..order()
    }
}

fn record_v2(transaction: &str, status: TransactionStatus) -> Record {
    Record {
        portone: Some(Portone::V2),
        store_id: Some("store-1".to_owned()),
        reported: minor(65_000),
        ..record(transaction, status)
    }
}

/// An order and its transactions, moved by one round of evidence after the other, as the store would.
struct Story {
    order: Order,
    transactions: Vec<Transaction>,
    events: Vec<Event>,
    history: Vec<Entry>,
    now: i64,
}

impl Story {
    fn of(order: Order) -> Self {
        Self {
            order,
            transactions: Vec::new(),
            events: Vec::new(),
            history: vec![Entry {
                at: at(0),
                kind: EntryKind::OrderCreated,
                actor: Actor::Worker.to_text(),
                data: json!({}),
                once_key: None,
            }],
            now: 100,
        }
    }

    fn hears(&mut self, records: &[Record]) -> Decision {
        self.hears_with(records, &BTreeSet::new(), Mode::Live)
    }

    fn hears_with(
        &mut self,
        records: &[Record],
        taken: &BTreeSet<TransactionId>,
        mode: Mode,
    ) -> Decision {
        self.now += 10;
        self.hears_of(self.now, records, taken, mode)
    }

    /// Hears now what PortOne said at another second.
    fn hears_of(
        &mut self,
        fetched: i64,
        records: &[Record],
        taken: &BTreeSet<TransactionId>,
        mode: Mode,
    ) -> Decision {
        let evidence = Evidence {
            fetched_at: at(fetched),
            records: records.to_vec(),
        };
        let decision = decide(
            &self.order,
            &self.transactions,
            &evidence,
            taken,
            at(self.now),
            &expected(mode),
        );
        self.write(&decision);
        decision
    }

    /// Hears only now what PortOne said at an earlier second.
    fn hears_late(&mut self, fetched: i64, records: &[Record]) -> Decision {
        self.hears_of(fetched, records, &BTreeSet::new(), Mode::Live)
    }

    fn expires(&mut self) {
        if let Some(decision) = expire(
            &self.order,
            &self.transactions,
            Some(Asked {
                at: at(self.now),
                extent: Extent::Attempts,
            }),
            at(self.now),
        ) {
            self.write(&decision);
        }
    }

    fn closes(&mut self) {
        if let Ok(Some(decision)) = close(&self.order, &self.transactions, at(self.now)) {
            self.write(&decision);
        }
    }

    fn write(&mut self, decision: &Decision) {
        self.order = decision.order.clone();
        self.transactions = decision.applied_to(&self.transactions);
        self.events.extend(decision.events.iter().cloned());
        self.history
            .extend(decision.entries(at(self.now), &Actor::Worker));
    }

    fn told(&self) -> Vec<&'static str> {
        self.events
            .iter()
            .map(|event| event.event_type.as_str())
            .collect()
    }

    fn outcome(&self, asked: &str) -> Outcome {
        outcome_of(
            &self.order,
            &self.transactions,
            Some(&id(asked)),
            true,
            at(self.now),
        )
        .0
    }
}

#[test]
fn a_good_payment_is_accepted_once() {
    let mut story = Story::of(order());

    let first = story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    let again = story.hears(&[record("imp_1", TransactionStatus::Paid)]);

    assert!(
        first.moved && !again.moved && again.notes.is_empty(),
        "{again:?}"
    );
    assert_eq!(
        (
            story.order.status,
            story.order.accepted_transaction_id.clone()
        ),
        (OrderStatus::Paid, Some(id("imp_1")))
    );
    assert_eq!(story.told(), ["order.paid"]);
    assert_eq!(story.outcome("imp_1"), Outcome::Paid);
}

#[test]
fn each_wrong_value_holds_the_payment() {
    let good = record("imp_1", TransactionStatus::Paid);
    let wrong = [
        Record {
            reported: major(64_999),
            ..good.clone()
        },
        Record {
            reported: major(65_001),
            ..good.clone()
        },
        Record {
            reported: major(Decimal::new(650_005, 1)),
            ..good.clone()
        },
        Record {
            reported: major(0),
            ..good.clone()
        },
        Record {
            currency: Some("JPY".to_owned()),
            ..good.clone()
        },
        Record {
            currency: Some("krw".to_owned()),
            ..good.clone()
        },
        Record {
            currency: None,
            ..good.clone()
        },
        Record {
            test: Some(true),
            ..good.clone()
        },
        Record {
            test: None,
            ..good.clone()
        },
    ];
    for record in wrong {
        let mut story = Story::of(order());
        let decision = story.hears(std::slice::from_ref(&record));

        assert_eq!(story.order.status, OrderStatus::Held, "{record:?}");
        assert_eq!(story.outcome("imp_1"), Outcome::Held);
        assert_eq!(story.told(), ["order.held"]);
        assert_eq!(
            decision.transactions[0]
                .checks
                .iter()
                .filter(|check| !check.passed)
                .count()
                .min(1),
            1
        );
    }
}

#[test]
fn a_transaction_of_something_else_touches_nothing() {
    let good = record("imp_1", TransactionStatus::Paid);
    let foreign = [
        (
            Record {
                payment_id: "ORD-2".to_owned(),
                ..good.clone()
            },
            BTreeSet::new(),
        ),
        (
            Record {
                asked: Some(id("imp_9")),
                ..good.clone()
            },
            BTreeSet::new(),
        ),
        (good, BTreeSet::from([id("imp_1")])),
    ];
    for (record, taken) in foreign {
        let mut story = Story::of(order());
        let decision = story.hears_with(&[record], &taken, Mode::Live);

        assert!(!decision.moved && decision.transactions.is_empty() && decision.events.is_empty());
        assert_eq!(decision.foreign, [id("imp_1")]);
        assert_eq!(story.order.status, OrderStatus::Open);
    }
}

#[test]
fn test_money_is_good_in_test_mode_and_live_money_is_not() {
    let mut test = Story::of(order());
    test.hears_with(
        &[Record {
            test: Some(true),
            ..record("imp_1", TransactionStatus::Paid)
        }],
        &BTreeSet::new(),
        Mode::Test,
    );
    let mut live = Story::of(order());
    live.hears_with(
        &[record("imp_1", TransactionStatus::Paid)],
        &BTreeSet::new(),
        Mode::Test,
    );

    assert_eq!(
        (test.order.status, live.order.status),
        (OrderStatus::Paid, OrderStatus::Held)
    );
}

#[test]
fn failure_is_not_the_end_but_paid_is() {
    let mut story = Story::of(order());
    story.hears(&[Record {
        fail_reason: Some("[결제포기] 사용자가 결제를 취소하셨습니다".to_owned()),
        ..record("imp_1", TransactionStatus::Failed)
    }]);
    assert_eq!(
        (story.order.status, story.outcome("imp_1")),
        (
            OrderStatus::Open,
            Outcome::Failed(FailureReason::BuyerCancelled)
        )
    );

    story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    let stale = story.hears(&[record("imp_1", TransactionStatus::Failed)]);
    story.hears(&[record("imp_1", TransactionStatus::Ready)]);

    assert!(!stale.moved);
    assert_eq!(stale.notes[0].kind, EntryKind::EvidenceRefused);
    assert_eq!(
        (story.order.status, story.outcome("imp_1")),
        (OrderStatus::Paid, Outcome::Paid)
    );
    assert_eq!(story.told(), ["order.payment_failed", "order.paid"]);
}

#[test]
fn a_failed_attempt_beside_a_paid_one_is_never_called_failed() {
    let mut story = Story::of(order());
    story.hears(&[
        record("imp_1", TransactionStatus::Failed),
        record("imp_2", TransactionStatus::Paid),
    ]);

    assert_eq!(
        (story.outcome("imp_1"), story.outcome("imp_2")),
        (Outcome::Paid, Outcome::Paid)
    );
}

#[test]
fn an_issued_account_is_not_paid_until_the_deposit() {
    let mut story = Story::of(order());
    story.hears(&[account("imp_1")]);
    assert_eq!(
        (story.order.status, story.outcome("imp_1")),
        (OrderStatus::AwaitingDeposit, Outcome::VirtualAccountIssued)
    );

    story.hears(&[Record {
        status: Some(TransactionStatus::Paid),
        paid_at: Some(at(110)),
        ..account("imp_1")
    }]);
    assert_eq!(
        (story.order.status, story.outcome("imp_1")),
        (OrderStatus::Paid, Outcome::Paid)
    );
    assert_eq!(story.told(), ["order.virtual_account_issued", "order.paid"]);
}

#[test]
fn a_second_payment_is_surfaced_and_changes_nothing_else() {
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    story.hears(&[record("imp_2", TransactionStatus::Paid)]);

    assert_eq!(
        (story.outcome("imp_1"), story.outcome("imp_2")),
        (Outcome::Paid, Outcome::Duplicate)
    );
    assert_eq!(
        (
            story.order.status,
            story.order.accepted_transaction_id.clone()
        ),
        (OrderStatus::Paid, Some(id("imp_1")))
    );
    assert_eq!(story.told(), ["order.paid", "order.duplicate_payment"]);

    story.hears(&[refunded("imp_2", 65_000)]);
    assert_eq!(
        (story.order.status, story.outcome("imp_2")),
        (OrderStatus::Paid, Outcome::Refunded)
    );
}

#[test]
fn a_payment_after_the_end_is_late() {
    let closed = Order {
        closed_at: Some(at(30)),
        status: OrderStatus::Closed,
        ..order()
    };
    let expired = Order {
        expires_at: Some(at(30)),
        ..order()
    };
    for ended in [closed, expired] {
        let mut story = Story::of(ended.clone());
        story.hears(&[record("imp_1", TransactionStatus::Paid)]);
        assert_eq!(
            (story.outcome("imp_1"), story.told()),
            (Outcome::Late, vec!["order.late_payment"])
        );

        let mut in_time = Story::of(ended);
        in_time.hears(&[Record {
            paid_at: Some(at(29)),
            ..record("imp_1", TransactionStatus::Paid)
        }]);
        assert_eq!(in_time.outcome("imp_1"), Outcome::Paid);
    }
}

#[test]
fn a_clock_that_runs_slow_makes_no_payment_one_in_time() {
    let deadline = |second| Order {
        expires_at: Some(at(second)),
        ..order()
    };
    // It is 110 here.
    for (paid_at, deadline_at, outcome) in [
        (130, 120, Outcome::Late),
        (130, 140, Outcome::Paid),
        // So far off that nothing of it is believed.
        (110 + 5 * 60 + 1, 120, Outcome::Paid),
    ] {
        let mut story = Story::of(deadline(deadline_at));
        story.hears(&[Record {
            paid_at: Some(at(paid_at)),
            ..record("imp_1", TransactionStatus::Paid)
        }]);
        assert_eq!(story.outcome("imp_1"), outcome, "{paid_at}");
    }
}

/// PortOne V2 need not say when a payment was made that was given back since.
#[test]
fn what_was_given_back_in_time_was_paid_in_time() {
    for (given_back_at, verdict) in [
        (Some(at(29)), Verdict::Accepted),
        (Some(at(30)), Verdict::Late),
        (None, Verdict::Late),
    ] {
        let mut story = Story::of(Order {
            expires_at: Some(at(30)),
            ..order_v2()
        });
        story.hears(&[Record {
            paid_at: None,
            given_back_at,
            reported: Reported::Minor {
                amount: 65_000,
                cancelled: 10_000,
            },
            ..record_v2("tx-1", TransactionStatus::Cancelled)
        }]);
        assert_eq!(story.transactions[0].verdict, verdict, "{given_back_at:?}");
    }
}

#[test]
fn a_date_from_before_the_order_is_no_excuse_for_being_late() {
    let mut story = Story::of(Order {
        closed_at: Some(at(30)),
        status: OrderStatus::Closed,
        ..order()
    });
    story.hears(&[Record {
        paid_at: Some(at(-100_000)),
        ..record("imp_1", TransactionStatus::Paid)
    }]);

    assert_eq!(story.outcome("imp_1"), Outcome::Late);
}

#[test]
fn refunds_only_grow() {
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    story.hears(&[refunded("imp_1", 15_000)]);
    assert_eq!(
        (
            story.order.status,
            story.order.refunded_minor,
            story.outcome("imp_1")
        ),
        (
            OrderStatus::PartiallyRefunded,
            15_000,
            Outcome::PartiallyRefunded
        )
    );

    story.hears(&[refunded("imp_1", 65_000)]);
    let stale = story.hears(&[refunded("imp_1", 15_000)]);

    assert!(!stale.moved);
    assert_eq!(
        (
            story.order.status,
            story.order.refunded_minor,
            story.outcome("imp_1")
        ),
        (OrderStatus::Refunded, 65_000, Outcome::Refunded)
    );
    assert_eq!(
        story.told(),
        ["order.paid", "order.partially_refunded", "order.refunded"]
    );
}

/// V2 may leave out of what was cancelled how it was paid.
#[test]
fn a_cancel_takes_nothing_away_of_how_it_was_paid() {
    let mut story = Story::of(order());
    story.hears(&[Record {
        approval_number: Some("30021845".to_owned()),
        receipt_url: Some("https://receipt.example/1".to_owned()),
        ..record("imp_1", TransactionStatus::Paid)
    }]);
    let paid = story.transactions[0].clone();
    story.hears(&[Record {
        paid_at: None,
        ..refunded("imp_1", 65_000)
    }]);

    let now = &story.transactions[0];
    assert_eq!(story.order.status, OrderStatus::Refunded);
    assert_eq!(
        (now.paid_at, &now.approval_number, &now.receipt_url),
        (paid.paid_at, &paid.approval_number, &paid.receipt_url)
    );
    assert!(now.paid_at.is_some() && now.approval_number.is_some());
}

#[test]
fn a_cancel_that_gave_nothing_back_yet_changes_nothing_and_is_asked_about_again() {
    let mut story = Story::of(order());
    let paid = story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    let cancelling = story.hears(&[refunded("imp_1", 0)]);

    assert_eq!(story.order.status, OrderStatus::Paid);
    assert_eq!((paid.unclear, cancelling.unclear), (false, true));
}

/// V1 says `cancelled` of a payment before it has given anything back, so it may have been paid: nobody is told to pay again.
#[test]
fn a_payment_first_seen_as_cancelled_with_nothing_given_back_waits_for_the_gateway() {
    let mut story = Story::of(order());
    for _ in 0..2 {
        story.hears(&[refunded("imp_1", 0)]);
        assert_eq!(story.transactions[0].status, TransactionStatus::PayPending);
        assert_eq!(
            (story.order.status, story.outcome("imp_1")),
            (OrderStatus::Open, Outcome::Pending)
        );
    }
    story.hears(&[refunded("imp_1", 65_000)]);
    assert_eq!(story.order.status, OrderStatus::Refunded);

    // What was seen unpaid before was called off, like an account that nobody deposited to.
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Ready)]);
    story.hears(&[refunded("imp_1", 0)]);
    assert_eq!(story.transactions[0].status, TransactionStatus::Ready);
}

#[test]
fn an_account_that_ended_is_waited_for_no_longer_and_a_deposit_still_counts() {
    const DAY: i64 = 24 * 3_600;
    let endless = |id: &str| {
        let mut record = account(id);
        if let Some(account) = &mut record.virtual_account {
            account.expires_at = None;
        }
        record
    };
    for (issued, days) in [(account("imp_1"), 7), (endless("imp_1"), 90)] {
        // PortOne may still tell of the account, or not any more.
        for later in [vec![issued.clone()], Vec::new()] {
            let mut story = Story::of(order());
            story.hears(std::slice::from_ref(&issued));
            story.now = days * DAY - 60;
            story.hears(&later);
            assert_eq!(story.order.status, OrderStatus::AwaitingDeposit);

            story.now = days * DAY + 200;
            story.hears(&later);
            assert_eq!(
                (story.order.status, story.transactions[0].verdict),
                (OrderStatus::Open, Verdict::Pending)
            );
            story.hears(&later);
            assert_eq!(story.told(), ["order.virtual_account_issued"]);

            story.hears(&[record("imp_1", TransactionStatus::Paid)]);
            assert_eq!(story.order.status, OrderStatus::Paid);
        }
    }
}

#[test]
fn an_account_is_over_at_its_end_and_not_after_it() {
    let end = 259_200 + GRACE.as_secs();
    for (second, verdict) in [(end - 1, Verdict::AwaitingDeposit), (end, Verdict::Pending)] {
        let mut story = Story::of(order());
        story.now = second - 10;
        story.hears(&[account("imp_1")]);
        assert_eq!(story.transactions[0].verdict, verdict);
        let checks = story
            .history
            .iter()
            .filter(|entry| entry.kind == EntryKind::Checked);
        assert_eq!(checks.count(), 1, "decided once: {:?}", story.history);
    }
}

#[test]
fn of_two_answers_equally_far_along_the_later_fetch_counts() {
    let with_receipt = |url: &str| Record {
        receipt_url: Some(url.to_owned()),
        ..record("imp_1", TransactionStatus::Paid)
    };
    let mut story = Story::of(order());
    story.hears_late(50, &[with_receipt("https://new.example")]);
    let before = story.transactions.clone();

    let older = story.hears_late(49, &[with_receipt("https://old.example")]);

    assert!(!older.moved && older.transactions.is_empty(), "{older:?}");
    assert_eq!(older.notes[0].data["why"], "stale");
    assert_eq!(story.transactions, before);
    assert_eq!(story.order.checked_at, Some(at(50)));

    let same_second = story.hears_late(50, &[with_receipt("https://newer.example")]);
    assert!(same_second.moved);
}

#[test]
fn an_older_answer_takes_no_verdict_back() {
    let wrong = Record {
        reported: major(64_999),
        ..record("imp_1", TransactionStatus::Paid)
    };
    let mut story = Story::of(order());
    story.hears_late(50, std::slice::from_ref(&wrong));

    story.hears_late(49, &[record("imp_1", TransactionStatus::Paid)]);
    assert_eq!(story.order.status, OrderStatus::Held);

    story.hears_late(51, &[record("imp_1", TransactionStatus::Paid)]);
    assert_eq!(story.order.status, OrderStatus::Paid);
}

#[test]
fn an_older_answer_that_only_repeats_leaves_no_trace() {
    let mut story = Story::of(order());
    story.hears_late(50, &[record("imp_1", TransactionStatus::Paid)]);

    let older = story.hears_late(49, &[record("imp_1", TransactionStatus::Paid)]);

    assert!(
        !older.moved && older.notes.is_empty() && older.transactions.is_empty(),
        "{older:?}"
    );
}

#[test]
fn what_is_further_along_counts_whenever_its_fetching_began() {
    let mut story = Story::of(order());
    story.hears_late(50, &[record("imp_1", TransactionStatus::Ready)]);

    story.hears_late(49, &[record("imp_1", TransactionStatus::Paid)]);
    assert_eq!(story.order.status, OrderStatus::Paid);
    assert_eq!(story.transactions[0].checked_at, at(50));

    story.hears_late(48, &[refunded("imp_1", 15_000)]);
    assert_eq!(story.order.refunded_minor, 15_000);
}

#[test]
fn figures_in_another_currency_give_nothing_back() {
    for settled in ["accepted", "duplicate", "late"] {
        let mut story = Story::of(order());
        if settled == "duplicate" {
            story.hears(&[record("imp_0", TransactionStatus::Paid)]);
        }
        if settled == "late" {
            story.closes();
        }
        story.hears(&[Record {
            paid_at: Some(at(105)),
            ..record("imp_1", TransactionStatus::Paid)
        }]);
        let before = story.transactions.clone();
        assert_eq!(before.last().expect("one").verdict.as_str(), settled);

        for currency in [Some("USD".to_owned()), None] {
            let odd = story.hears(&[Record {
                currency,
                ..refunded("imp_1", 65_000)
            }]);
            assert!(odd.unclear && !odd.moved, "{odd:?}");
        }
        assert_eq!(story.transactions, before);
    }
}

#[test]
fn a_payment_first_seen_as_given_back_whole_is_the_orders_payment() {
    let mut seen_between = Story::of(order());
    seen_between.hears(&[record("imp_1", TransactionStatus::Paid)]);
    seen_between.hears(&[refunded("imp_1", 65_000)]);
    let mut seen_after = Story::of(order());
    seen_after.hears(&[refunded("imp_1", 65_000)]);

    assert_eq!(seen_after.told(), ["order.refunded"]);
    for mut story in [seen_between, seen_after] {
        assert_eq!(
            (story.order.status, story.order.refunded_minor),
            (OrderStatus::Refunded, 65_000)
        );
        story.hears(&[record("imp_2", TransactionStatus::Paid)]);
        assert_eq!(
            (story.order.status, story.outcome("imp_2")),
            (OrderStatus::Refunded, Outcome::Duplicate)
        );
    }
}

#[test]
fn each_refund_is_an_event_of_its_own() {
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    story.hears(&[refunded("imp_1", 10_000)]);
    story.hears(&[refunded("imp_1", 15_000)]);

    let [_, first, second] = &story.events[..] else {
        panic!("{:?}", story.events);
    };
    assert_eq!(first.event_type, second.event_type);
    assert_ne!(first.id, second.id);
    assert_eq!(
        (first.refunded_minor, second.refunded_minor),
        (10_000, 15_000)
    );
}

/// A partial cancel in progress may still read `paid`.
#[test]
fn a_payment_of_which_a_part_was_given_back_is_read_by_its_amounts() {
    let mut story = Story::of(order());
    story.hears(&[Record {
        status: Some(TransactionStatus::Paid),
        ..refunded("imp_1", 15_000)
    }]);

    assert_eq!(
        (story.order.status, story.transactions[0].status),
        (OrderStatus::PartiallyRefunded, TransactionStatus::Cancelled)
    );
}

#[test]
fn an_account_that_fails_a_check_holds_the_order_once_money_is_on_it() {
    let wrong = Record {
        reported: major(64_999),
        ..account("imp_1")
    };
    let mut story = Story::of(order());
    story.hears(std::slice::from_ref(&wrong));
    assert_eq!(
        (story.transactions[0].verdict, story.order.status),
        (Verdict::Held, OrderStatus::Open)
    );
    assert_eq!(story.outcome("imp_1"), Outcome::Pending);
    assert!(story.events.is_empty());

    let deposited = Record {
        status: Some(TransactionStatus::Paid),
        paid_at: Some(at(105)),
        ..wrong
    };
    story.hears(std::slice::from_ref(&deposited));
    story.hears(&[deposited]);
    assert_eq!(story.order.status, OrderStatus::Held);
    assert_eq!(story.told(), ["order.held"]);
}

#[test]
fn the_shop_is_told_once_of_what_came_late_or_twice() {
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Paid)]);
    story.hears(&[record("imp_2", TransactionStatus::Paid)]);
    story.hears(&[refunded("imp_2", 15_000)]);
    assert_eq!(story.told(), ["order.paid", "order.duplicate_payment"]);

    let mut story = Story::of(order());
    story.closes();
    let late = Some(at(105));
    story.hears(&[Record {
        paid_at: late,
        ..record("imp_1", TransactionStatus::Paid)
    }]);
    story.hears(&[Record {
        paid_at: late,
        ..refunded("imp_1", 15_000)
    }]);
    assert_eq!(story.told(), ["order.late_payment"]);
}

#[test]
fn what_can_be_decided_again_and_again_is_written_down_once() {
    let keys = |story: &Story| -> Vec<Option<String>> {
        let entries = story.history[1..].iter();
        entries.map(|entry| entry.once_key.clone()).collect()
    };

    let mut refused = Story::of(order());
    refused.hears(&[Record {
        payment_id: "ORD-2".to_owned(),
        ..record("imp_1", TransactionStatus::Paid)
    }]);
    assert_eq!(keys(&refused), [Some("refused:imp_1:foreign".to_owned())]);

    let mut closed = Story::of(order());
    closed.closes();
    assert_eq!(keys(&closed), [Some("closed".to_owned())]);

    let mut expired = Story::of(Order {
        expires_at: Some(at(50)),
        checked_at: Some(at(50)),
        ..order()
    });
    expired.expires();
    assert_eq!(keys(&expired), [Some("expired".to_owned())]);

    let mut paid = Story::of(order());
    paid.hears(&[record("imp_1", TransactionStatus::Paid)]);
    assert_eq!(keys(&paid), [None, None]);
}

#[test]
fn what_holds_money_comes_before_what_was_given_back() {
    let mut story = Story::of(order());
    story.hears(&[
        refunded("imp_1", 65_000),
        record("imp_2", TransactionStatus::Paid),
    ]);

    assert_eq!(
        (story.order.status, story.outcome("imp_2")),
        (OrderStatus::Paid, Outcome::Paid)
    );
}

#[test]
fn of_two_accounts_one_deposit_pays_and_the_other_is_a_duplicate() {
    let deposited = |id: &str| Record {
        status: Some(TransactionStatus::Paid),
        paid_at: Some(at(105)),
        ..account(id)
    };
    let mut story = Story::of(order());
    story.hears(&[account("imp_1"), account("imp_2")]);
    story.hears(&[account("imp_1"), deposited("imp_2")]);
    assert_eq!(story.order.status, OrderStatus::Paid);

    story.hears(&[deposited("imp_1"), deposited("imp_2")]);
    assert_eq!(
        (story.outcome("imp_1"), story.outcome("imp_2")),
        (Outcome::Duplicate, Outcome::Paid)
    );
    assert_eq!(
        story.told(),
        [
            "order.virtual_account_issued",
            "order.virtual_account_issued",
            "order.paid",
            "order.duplicate_payment"
        ]
    );
}

#[test]
fn an_account_that_was_closed_before_a_deposit_is_none_any_more() {
    let mut story = Story::of(order());
    story.hears(&[account("imp_1")]);
    story.hears(&[Record {
        virtual_account: account("imp_1").virtual_account,
        ..refunded("imp_1", 0)
    }]);

    assert_eq!(
        (story.order.status, story.outcome("imp_1")),
        (OrderStatus::Open, Outcome::Pending)
    );
    assert_eq!(story.told(), ["order.virtual_account_issued"]);
}

#[test]
fn an_approval_that_is_being_made_is_spoken_of_before_other_attempts() {
    let mut story = Story::of(order_v2());
    story.hears(&[record_v2("tx-1", TransactionStatus::PayPending)]);
    story.hears(&[record_v2("tx-1", TransactionStatus::Ready)]);
    story.hears(&[record_v2("tx-2", TransactionStatus::Failed)]);

    assert_eq!(story.transactions[0].status, TransactionStatus::PayPending);
    assert_eq!(story.outcome("tx-2"), Outcome::Pending);

    story.hears(&[record_v2("tx-1", TransactionStatus::Paid)]);
    assert_eq!(story.outcome("tx-2"), Outcome::Paid);
}

#[test]
fn an_approval_that_was_called_off_failed() {
    let mut story = Story::of(order_v2());
    story.hears(&[record_v2("tx-1", TransactionStatus::PayPending)]);
    story.hears(&[record_v2("tx-1", TransactionStatus::Cancelled)]);

    assert_eq!(
        (story.order.status, story.outcome("tx-1")),
        (OrderStatus::Open, Outcome::Failed(FailureReason::Unknown))
    );
}

#[test]
fn an_attempt_that_portone_keeps_silent_about_is_not_called_failed() {
    let mut story = Story::of(order_v2());
    story.hears(&[record_v2("tx-1", TransactionStatus::Failed)]);

    assert_eq!(story.outcome("tx-2"), Outcome::Unconfirmed);
}

#[test]
fn a_held_order_can_still_be_paid_properly() {
    let mut story = Story::of(order());
    story.hears(&[Record {
        reported: major(100),
        ..record("imp_1", TransactionStatus::Paid)
    }]);
    story.hears(&[record("imp_2", TransactionStatus::Paid)]);

    assert_eq!(
        (
            story.outcome("imp_1"),
            story.outcome("imp_2"),
            story.order.status
        ),
        (Outcome::Held, Outcome::Paid, OrderStatus::Paid)
    );
}

#[test]
fn a_status_of_the_future_decides_nothing() {
    let mut story = Story::of(order());
    let decision = story.hears(&[Record {
        status: None,
        ..record("imp_1", TransactionStatus::Paid)
    }]);

    assert!(!decision.moved && decision.unclear && story.transactions.is_empty());
    assert_eq!(story.outcome("imp_1"), Outcome::Pending);
}

#[test]
fn what_was_not_confirmed_is_not_called_failed() {
    let mut story = Story::of(order());
    story.hears(&[record("imp_1", TransactionStatus::Failed)]);
    let unconfirmed = |asked: &str| {
        outcome_of(
            &story.order,
            &story.transactions,
            Some(&id(asked)),
            false,
            at(story.now),
        )
        .0
    };

    assert_eq!(
        (unconfirmed("imp_1"), unconfirmed("imp_2")),
        (Outcome::Unconfirmed, Outcome::Unconfirmed)
    );

    story.hears(&[record("imp_2", TransactionStatus::Paid)]);
    assert_eq!(
        outcome_of(
            &story.order,
            &story.transactions,
            Some(&id("imp_2")),
            false,
            at(story.now)
        )
        .0,
        Outcome::Paid
    );
}

#[test]
fn one_sum_is_read_in_each_generations_unit() {
    let dollars = |portone| Order {
        portone,
        amount: Money::new(1420, Currency::parse("USD").expect("a currency")).expect("an amount"),
        ..order()
    };
    let usd = Some("USD".to_owned());
    for (portone, reported, status) in [
        (Portone::V1, major(Decimal::new(142, 1)), OrderStatus::Paid),
        (Portone::V1, major(1420), OrderStatus::Held),
        (Portone::V2, minor(1420), OrderStatus::Paid),
        (Portone::V2, minor(14), OrderStatus::Held),
        (Portone::V2, minor(142_000), OrderStatus::Held),
    ] {
        let mut story = Story::of(dollars(portone));
        let decision = story.hears(&[Record {
            portone: Some(portone),
            reported,
            currency: usd.clone(),
            ..record_v2("tx-1", TransactionStatus::Paid)
        }]);

        assert_eq!(story.order.status, status, "{portone:?} {reported:?}");
        let amount = decision.transactions[0]
            .checks
            .iter()
            .find(|check| check.name.as_str() == "amount")
            .expect("the amount is checked");
        let want = if portone == Portone::V1 {
            "14.2"
        } else {
            "1420"
        };
        assert_eq!(
            (amount.expected.as_str(), amount.passed),
            (want, status == OrderStatus::Paid)
        );
    }
}

#[test]
fn each_generation_has_its_own_fixed_list_of_checks() {
    let names = |order: Order, record: Record| -> Vec<&'static str> {
        let checks = Story::of(order).hears(&[record]).transactions[0]
            .checks
            .clone();
        checks.iter().map(|check| check.name.as_str()).collect()
    };

    for status in [TransactionStatus::Ready, TransactionStatus::Paid] {
        assert_eq!(
            names(order(), record("imp_1", status)),
            [
                "transaction_id",
                "payment_id",
                "unused",
                "currency",
                "amount",
                "channel"
            ]
        );
        assert_eq!(
            names(order_v2(), record_v2("tx-1", status)),
            [
                "transaction_id",
                "payment_id",
                "unused",
                "portone",
                "store",
                "currency",
                "amount",
                "channel"
            ]
        );
    }
}

#[test]
fn each_wrong_value_of_v2_holds_the_payment() {
    let good = record_v2("tx-1", TransactionStatus::Paid);
    let wrong = [
        (
            "store",
            Record {
                store_id: Some("store-2".to_owned()),
                ..good.clone()
            },
        ),
        (
            "store",
            Record {
                store_id: None,
                ..good.clone()
            },
        ),
        (
            "amount",
            Record {
                reported: minor(-65_000),
                ..good.clone()
            },
        ),
        (
            "amount",
            Record {
                reported: minor(i64::MAX),
                ..good.clone()
            },
        ),
        (
            "currency",
            Record {
                currency: Some("KRX".to_owned()),
                ..good.clone()
            },
        ),
        ("channel", Record { test: None, ..good }),
    ];
    for (check, record) in wrong {
        let mut story = Story::of(order_v2());
        let decision = story.hears(std::slice::from_ref(&record));

        assert_eq!(story.order.status, OrderStatus::Held, "{record:?}");
        assert!(
            decision.transactions[0]
                .checks
                .iter()
                .any(|one| one.name.as_str() == check && !one.passed),
            "{check}: {record:?}"
        );
    }
}

#[test]
fn a_server_without_a_store_accepts_nothing_of_v2() {
    let evidence = Evidence {
        fetched_at: at(10),
        records: vec![Record {
            store_id: None,
            ..record_v2("tx-1", TransactionStatus::Paid)
        }],
    };
    let nowhere = Expected {
        v2_store_id: None,
        ..expected(Mode::Live)
    };

    let decision = decide(
        &order_v2(),
        &[],
        &evidence,
        &BTreeSet::new(),
        at(10),
        &nowhere,
    );

    assert_eq!(decision.order.status, OrderStatus::Held);
}

/// V2's API shows payments that were made through V1, too.
#[test]
fn generations_do_not_cross() {
    let v2 = record_v2("tx-1", TransactionStatus::Paid);
    let through_v1 = Record {
        portone: Some(Portone::V1),
        ..v2.clone()
    };
    let untold = Record {
        portone: None,
        ..v2.clone()
    };
    for (order, record) in [
        (order_v2(), through_v1),
        (order_v2(), untold),
        (order(), v2),
    ] {
        let mut story = Story::of(order);
        let decision = story.hears(std::slice::from_ref(&record));

        assert_eq!(story.order.status, OrderStatus::Held, "{record:?}");
        assert!(
            decision.transactions[0]
                .checks
                .iter()
                .any(|check| check.name.as_str() == "portone" && !check.passed)
        );
    }
}

#[test]
fn a_second_attempt_of_one_v2_payment_pays_after_the_first_failed() {
    let mut story = Story::of(order_v2());
    story.hears(&[record_v2("tx-1", TransactionStatus::Failed)]);
    story.hears(&[record_v2("tx-2", TransactionStatus::Paid)]);
    story.hears(&[Record {
        reported: Reported::Minor {
            amount: 65_000,
            cancelled: 15_000,
        },
        ..record_v2("tx-2", TransactionStatus::Cancelled)
    }]);

    assert_eq!(
        (story.outcome("tx-1"), story.outcome("tx-2")),
        (Outcome::PartiallyRefunded, Outcome::PartiallyRefunded)
    );
    assert_eq!(story.order.refunded_minor, 15_000);
}

/// Records of three transactions; what a transaction is about never changes, one of them is about the wrong amount.
fn any_record() -> impl Strategy<Value = Record> {
    let status = prop_oneof![
        Just(TransactionStatus::Ready),
        Just(TransactionStatus::Failed),
        Just(TransactionStatus::Paid),
        Just(TransactionStatus::Cancelled),
        Just(TransactionStatus::PayPending)
    ];
    let cancelled = prop_oneof![Just(0_i64), Just(10_000), Just(65_000)];
    (1..4_u8, status, any::<bool>(), cancelled).prop_map(|(number, status, test, cancelled)| {
        let amount = if number == 3 { 100 } else { 65_000 };
        let is_cancelled = status == TransactionStatus::Cancelled;
        let cancelled = if is_cancelled {
            cancelled.min(amount)
        } else {
            0
        };
        Record {
            test: Some(test),
            reported: Reported::Major {
                amount: Decimal::from(amount),
                cancelled: Decimal::from(cancelled),
            },
            ..record(&format!("imp_{number}"), status)
        }
    })
}

/// What may happen to an order.
#[derive(Debug, Clone)]
enum Step {
    Hears {
        seconds_old: i64,
        records: Vec<Record>,
    },
    Expires,
    Closes,
}

fn any_step() -> impl Strategy<Value = Step> {
    let hears = (0..40_i64, proptest::collection::vec(any_record(), 0..4)).prop_map(
        |(seconds_old, records)| Step::Hears {
            seconds_old,
            records,
        },
    );
    prop_oneof![8 => hears, 1 => Just(Step::Expires), 1 => Just(Step::Closes)]
}

proptest! {
    /// Whatever is heard in whatever order: at most one payment is accepted, only a good one, and it stays.
    #[test]
    fn acceptance_is_single_deserved_and_final(rounds in proptest::collection::vec(proptest::collection::vec(any_record(), 0..4), 1..8)) {
        let mut story = Story::of(order());
        let mut accepted_before: Option<TransactionId> = None;
        for records in rounds {
            let refunded_before = story.order.refunded_minor;
            story.hears(&records);

            let accepted: Vec<&Transaction> = story.transactions.iter().filter(|t| t.verdict == Verdict::Accepted).collect();
            prop_assert!(accepted.len() <= 1);
            prop_assert_eq!(story.order.status, status_of(&story.order, &story.transactions));
            prop_assert!(story.order.refunded_minor >= refunded_before);
            if let Some(before) = &accepted_before {
                prop_assert_eq!(Some(before), story.order.accepted_transaction_id.as_ref());
            }
            accepted_before = story.order.accepted_transaction_id.clone();
            prop_assert_eq!(accepted_before.as_ref(), accepted.first().map(|t| &t.transaction_id));
        }
        let mut ids: Vec<&String> = story.events.iter().map(|event| &event.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), story.events.len(), "an event was told twice");
    }

    /// Whatever is heard, however old, between closings and deadlines: the history explains the rows, and nothing goes back.
    #[test]
    fn the_history_explains_the_rows(
        steps in proptest::collection::vec(any_step(), 1..16),
        has_deadline in any::<bool>(),
    ) {
        let mut story = Story::of(Order { expires_at: has_deadline.then(|| at(150)), ..order() });
        for step in steps {
            let before = story.transactions.clone();
            story.now += 10;
            match step {
                Step::Hears { seconds_old, records } => {
                    story.hears_late(story.now - seconds_old, &records);
                }
                Step::Expires => story.expires(),
                Step::Closes => story.closes(),
            }
            prop_assert_eq!(replay(&story.history), Ok(Replayed::of_rows(story.order.status, &story.transactions)));
            for old in &before {
                let new = story.transactions.iter().find(|t| t.transaction_id == old.transaction_id);
                let along = |t: &Transaction| (t.status.rank(), t.cancelled_minor, t.checked_at);
                prop_assert!(new.is_some_and(|new| along(new) >= along(old)), "{:?} {:?}", old, new);
            }
        }
    }

    /// Hearing the same again never moves anything.
    #[test]
    fn hearing_it_twice_is_hearing_it_once(records in proptest::collection::vec(any_record(), 0..4)) {
        let mut story = Story::of(order());
        story.hears(&records);
        let settled = story.hears(&records);
        let again = story.hears(&records);
        prop_assert!(again.events.is_empty() && again.order.status == settled.order.status);
    }
}
