//! The contract of the store for refunds: what `ports::store::RefundStore` promises holds on every database.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use wanryo::adapters::store::Database;
use wanryo::domain::history::{Actor, Entry, EntryKind};
use wanryo::domain::ids::{PayToken, PaymentId, RefundId, StatusToken, TransactionId};
use wanryo::domain::money::{AMOUNT_MINOR_MAX, Currency, Money};
use wanryo::domain::order::{Buyer, Order, OrderStatus, Portone};
use wanryo::domain::refund::{Refund, RefundAccount, RefundAmount, RefundState, Trouble};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::store::{
    Commit, Committed, Created, Intended, Moved, OrderStore, RefundStore, StoreError,
};

use crate::support::{TestDatabase, on_both_databases};

/// How many tasks fight in the tests of races.
const RIVALS: usize = 20;
const PAID: i64 = 64_900;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn id(text: &str) -> PaymentId {
    PaymentId::parse(text).unwrap()
}

/// An order, written with a transaction `imp_ID` that paid for it.
async fn paid(database: &Database, order_id: &str) {
    let order = Order {
        payment_id: id(order_id),
        version: 0,
        name: "Socks".to_owned(),
        amount: Money::new(PAID, Currency::KRW).unwrap(),
        portone: Portone::V1,
        pay_method: None,
        channel_key: None,
        buyer: Buyer::default(),
        return_url: None,
        locale: None,
        metadata: None,
        window_params: None,
        fingerprint: "f".to_owned(),
        status_token: StatusToken::from_bytes(rand::random()),
        pay_token: PayToken::from_bytes(rand::random()),
        status: OrderStatus::Open,
        accepted_transaction_id: None,
        refunded_minor: 0,
        expires_at: None,
        expired_at: None,
        closed_at: None,
        checked_at: None,
        next_check_at: None,
        checks_without_change: 0,
        prepared_at: None,
        created_at: at(0),
        updated_at: at(0),
    };
    let made = database
        .create_order(&order, &entry(EntryKind::OrderCreated))
        .await;
    assert_eq!(made.unwrap(), Created::New);
    let transaction = Transaction {
        transaction_id: TransactionId::parse(&format!("imp_{order_id}")).unwrap(),
        payment_id: order.payment_id.clone(),
        status: TransactionStatus::Paid,
        verdict: Verdict::Accepted,
        amount_minor: Some(PAID),
        currency: Some("KRW".to_owned()),
        cancelled_minor: 0,
        test: Some(false),
        pay_method: None,
        pg_provider: None,
        approval_number: None,
        method_name: None,
        fail_reason: None,
        receipt_url: None,
        virtual_account: None,
        pay_by: None,
        paid_at: None,
        checks: Vec::new(),
        first_seen_at: at(0),
        checked_at: at(0),
    };
    let commit = Commit {
        order: Order {
            status: OrderStatus::Paid,
            accepted_transaction_id: Some(transaction.transaction_id.clone()),
            ..order
        },
        transactions: vec![transaction],
        entries: Vec::new(),
        events: Vec::new(),
    };
    assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);
}

fn entry(kind: EntryKind) -> Entry {
    Entry {
        at: at(0),
        kind,
        actor: Actor::Refund.to_text(),
        data: json!({}),
        once_key: None,
    }
}

/// An intent with nothing optional in it.
fn intent(order_id: &str, key: &str) -> Refund {
    Refund {
        id: RefundId::from_bytes(rand::random()),
        version: 0,
        payment_id: id(order_id),
        transaction_id: TransactionId::parse(&format!("imp_{order_id}")).unwrap(),
        amount: RefundAmount::new(Money::new(1_000, Currency::KRW).unwrap()).unwrap(),
        reason: "x".to_owned(),
        account: None,
        requested_by: "shop:test".to_owned(),
        idempotency_key: key.to_owned(),
        fingerprint: "f".to_owned(),
        state: RefundState::Intended,
        tax_free_minor: Some(400),
        guard_minor: PAID,
        reserved_minor: 0,
        cancellation_id: None,
        attempts: 0,
        called_at: None,
        next_at: Some(at(10)),
        trouble: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn account() -> RefundAccount {
    RefundAccount {
        bank: "국민은행".to_owned(),
        number: "110-123".to_owned(),
        holder: "김하나".to_owned(),
        tel: Some("010-1234-5678".to_owned()),
    }
}

async fn intend(database: &Database, refund: &Refund) -> Intended {
    let entry = entry(EntryKind::RefundRequested);
    database.intend(refund, &entry, None).await.unwrap()
}

/// The refund as it is once it is in another state.
fn moved(refund: &Refund, state: RefundState) -> Refund {
    Refund {
        state,
        account: None,
        called_at: Some(at(1)),
        next_at: state.is_in_flight().then(|| at(20)),
        ..refund.clone()
    }
}

/// Writes an intent and ends it.
async fn end(database: &Database, refund: &Refund, state: RefundState) {
    assert_eq!(intend(database, refund).await, Intended::Written);
    let ended = database.move_refund(&moved(refund, state), None).await;
    assert_eq!(ended.unwrap(), Moved::Done);
}

async fn kinds(database: &Database, order_id: &str) -> Vec<&'static str> {
    let history = database.history(&id(order_id)).await.unwrap();
    history
        .iter()
        .map(|stored| stored.entry.kind.as_str())
        .collect()
}

/// Runs the tasks at the same time.
async fn race<T: Send + 'static, Task: Future<Output = T> + Send + 'static>(
    database: &Database,
    task: impl Fn(Database, usize) -> Task,
) -> Vec<T> {
    let tasks: Vec<_> = (0..RIVALS)
        .map(|rival| tokio::spawn(task(database.clone(), rival)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

on_both_databases! {
    async fn a_refund_comes_back_as_it_was_written(test: TestDatabase) {
        let database = test.open().await;
        paid(&database, "A").await;
        paid(&database, "B").await;
        let bare = intent("A", "1");
        let full = Refund {
            account: Some(account()),
            reason: "단순 변심 'x' \"y\"\n%_".to_owned(),
            cancellation_id: Some("cancellation".to_owned()),
            trouble: Some(Trouble { code: "PG_PROVIDER".to_owned(), message: Some("정산 부족".to_owned()) }),
            called_at: Some(at(3)),
            tax_free_minor: None,
            guard_minor: AMOUNT_MINOR_MAX,
            reserved_minor: AMOUNT_MINOR_MAX,
            attempts: i64::MAX,
            updated_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
            ..intent("B", "가".repeat(255).as_str())
        };

        for refund in [&bare, &full] {
            assert_eq!(intend(&database, refund).await, Intended::Written);
            assert_eq!(database.find_refund(&refund.id).await.unwrap().as_ref(), Some(refund));
            assert_eq!(database.find_refund_by_key(&refund.payment_id, &refund.idempotency_key).await.unwrap().as_ref(), Some(refund));
            assert_eq!(database.refunds(&refund.payment_id).await.unwrap(), std::slice::from_ref(refund));
        }

        assert_eq!(kinds(&database, "A").await, ["order_created", "refund_requested"]);
        assert_eq!(database.find_refund(&RefundId::from_bytes([0; 16])).await.unwrap(), None);
        assert_eq!(database.find_refund_by_key(&id("A"), &full.idempotency_key).await.unwrap(), None);
        assert_eq!(database.refunds(&id("C")).await.unwrap(), []);
    }

    async fn every_state_can_be_stored_and_is_told(test: TestDatabase) {
        let database = test.open().await;
        for (number, state) in RefundState::ALL.iter().enumerate() {
            let order = format!("order-{number}");
            paid(&database, &order).await;
            let refund = Refund { account: Some(account()), ..intent(&order, "1") };
            assert_eq!(intend(&database, &refund).await, Intended::Written);
            let after = Refund { updated_at: at(7), attempts: 2, cancellation_id: Some("c".to_owned()), ..moved(&refund, *state) };

            assert_eq!(database.move_refund(&after, Some(&entry(EntryKind::RefundDone))).await.unwrap(), Moved::Done);

            assert_eq!(database.find_refund(&refund.id).await.unwrap(), Some(Refund { version: 1, ..after }), "{state:?}");
            assert_eq!(kinds(&database, &order).await, ["order_created", "refund_requested", "refund_done"]);
        }
        let accounts = test.read("SELECT refund_id FROM refunds WHERE account_bank IS NOT NULL OR account_number IS NOT NULL OR account_holder IS NOT NULL OR account_tel IS NOT NULL").await;
        assert_eq!(accounts, [] as [String; 0]);
    }

    async fn a_move_decided_on_an_old_version_writes_nothing(test: TestDatabase) {
        let database = test.open().await;
        paid(&database, "A").await;
        let refund = intent("A", "1");
        assert_eq!(intend(&database, &refund).await, Intended::Written);

        let moves = race(&database, |database, _| {
            let calling = moved(&refund, RefundState::Calling);
            async move { database.move_refund(&calling, Some(&entry(EntryKind::RefundInDoubt))).await.unwrap() }
        }).await;

        assert_eq!(moves.iter().filter(|moved| **moved == Moved::Done).count(), 1, "one begins the call");
        assert_eq!(kinds(&database, "A").await, ["order_created", "refund_requested", "refund_in_doubt"]);
        let unknown = Refund { id: RefundId::from_bytes([0; 16]), ..refund };
        assert_eq!(database.move_refund(&unknown, None).await.unwrap(), Moved::Conflict);
    }

    async fn a_transaction_has_one_refund_in_flight(test: TestDatabase) {
        let database = test.open().await;
        for (number, state) in RefundState::ALL.iter().enumerate() {
            let order = format!("order-{number}");
            paid(&database, &order).await;
            end(&database, &intent(&order, "1"), *state).await;
            let before = kinds(&database, &order).await;

            let next = intend(&database, &intent(&order, "2")).await;

            let expected = if state.is_in_flight() { Intended::UnderWay } else { Intended::Written };
            assert_eq!(next, expected, "{state:?}");
            assert_eq!(kinds(&database, &order).await.len(), before.len() + usize::from(expected == Intended::Written));
        }
        paid(&database, "RACE").await;

        let intents = race(&database, |database, rival| async move { intend(&database, &intent("RACE", &rival.to_string())).await }).await;

        assert_eq!(intents.iter().filter(|intent| **intent == Intended::Written).count(), 1);
        assert_eq!(database.refunds(&id("RACE")).await.unwrap().len(), 1);
    }

    async fn an_idempotency_key_is_one_refund_of_its_order(test: TestDatabase) {
        let database = test.open().await;
        paid(&database, "A").await;
        paid(&database, "B").await;

        let intents = race(&database, |database, _| async move { intend(&database, &intent("A", "click")).await }).await;

        assert_eq!(intents.iter().filter(|intent| **intent == Intended::Written).count(), 1);
        let there = database.refunds(&id("A")).await.unwrap();
        assert_eq!(there.len(), 1);
        for intent in intents {
            assert!(matches!(&intent, Intended::Written) || intent == Intended::KeyInUse(Box::new(there[0].clone())), "{intent:?}");
        }
        // Also when it is over, and for no other order.
        assert_eq!(database.move_refund(&moved(&there[0], RefundState::Done), None).await.unwrap(), Moved::Done);
        assert!(matches!(intend(&database, &intent("A", "click")).await, Intended::KeyInUse(_)));
        assert_eq!(intend(&database, &intent("B", "click")).await, Intended::Written);
    }

    async fn more_than_the_transaction_holds_is_refused(test: TestDatabase) {
        let database = test.open().await;
        paid(&database, "A").await;
        let of = |key: &str, minor: i64| Refund {
            amount: RefundAmount::new(Money::new(minor, Currency::KRW).unwrap()).unwrap(),
            guard_minor: AMOUNT_MINOR_MAX,
            ..intent("A", key)
        };
        assert_eq!(intend(&database, &of("1", PAID + 1)).await, Intended::TooMuch);
        test.run("UPDATE transactions SET cancelled_minor = 900").await;
        assert_eq!(intend(&database, &of("1", PAID - 899)).await, Intended::TooMuch);
        let stale = of("1", PAID - 900);
        assert_eq!(intend(&database, &stale).await, Intended::UnderWay, "its balance is older than what is stored");
        let elsewhere = Refund { transaction_id: TransactionId::parse("imp_elsewhere").unwrap(), ..of("1", 1) };
        assert_eq!(intend(&database, &elsewhere).await, Intended::TooMuch, "a transaction that is none of the order's holds nothing");
        test.run("UPDATE transactions SET amount_minor = NULL").await;
        assert_eq!(intend(&database, &of("1", 1)).await, Intended::TooMuch, "what cannot be read is nothing");
        assert_eq!(kinds(&database, "A").await, ["order_created"]);

        test.run(&format!("UPDATE transactions SET amount_minor = {PAID}")).await;
        let fresh = Refund { reserved_minor: 900, ..of("1", PAID - 900) };
        assert_eq!(intend(&database, &fresh).await, Intended::Written);
    }

    async fn contradictions_are_refused_by_the_database_itself(test: TestDatabase) {
        let database = test.open().await;
        paid(&database, "A").await;
        let refund = Refund { account: Some(account()), ..intent("A", "1") };
        let beyond_the_guard = Refund { guard_minor: 999, ..refund.clone() };
        assert!(matches!(database.intend(&beyond_the_guard, &entry(EntryKind::RefundRequested), None).await, Err(StoreError::Unavailable(_))));
        assert_eq!(kinds(&database, "A").await, ["order_created"]);
        assert_eq!(intend(&database, &refund).await, Intended::Written);

        for (what, change) in [
            ("an account that stays", Refund { account: Some(account()), ..moved(&refund, RefundState::InDoubt) }),
            ("in flight for ever", Refund { next_at: None, ..moved(&refund, RefundState::InDoubt) }),
            ("over and due", Refund { next_at: Some(at(1)), ..moved(&refund, RefundState::Done) }),
            ("called at no time", Refund { called_at: None, ..moved(&refund, RefundState::Calling) }),
        ] {
            let refused = database.move_refund(&change, Some(&entry(EntryKind::RefundDone))).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{what}: {refused:?}");
            assert_eq!(database.find_refund(&refund.id).await.unwrap().as_ref(), Some(&refund), "{what}");
        }
        assert_eq!(kinds(&database, "A").await, ["order_created", "refund_requested"]);
    }

    async fn due_refunds_are_leased_once_and_longest_due_first(test: TestDatabase) {
        let database = test.open().await;
        for (order, due) in [("late", -5), ("now", 0), ("soon", 1)] {
            paid(&database, order).await;
            assert_eq!(intend(&database, &Refund { next_at: Some(at(due)), ..intent(order, "1") }).await, Intended::Written);
        }
        paid(&database, "over").await;
        end(&database, &intent("over", "1"), RefundState::Done).await;
        let lease = async |now, limit| {
            let leased = database.lease_refunds(now, at(60), limit).await.unwrap();
            leased.iter().map(|refund| refund.payment_id.as_str().to_owned()).collect::<Vec<_>>()
        };

        assert_eq!(lease(at(0), 1).await, ["late"]);
        assert_eq!(lease(at(0), 10).await, ["now"]);
        assert_eq!(lease(at(1), 10).await, ["soon"]);
        // A worker that died with its lease: somebody else's turn.
        let mut again = lease(at(60), 10).await;
        again.sort();
        assert_eq!(again, ["late", "now", "soon"]);

        for number in 0..30 {
            let order = format!("order-{number}");
            paid(&database, &order).await;
            assert_eq!(intend(&database, &Refund { next_at: Some(at(-number)), ..intent(&order, "1") }).await, Intended::Written);
        }
        let leases = race(&database, |database, _| async move { database.lease_refunds(at(0), at(60), 3).await.unwrap() }).await;
        let mut leased: Vec<_> = leases.into_iter().flatten().collect();
        // Rivals may have skipped each other's rows; those are still there.
        leased.extend(database.lease_refunds(at(0), at(60), 100).await.unwrap());
        assert_eq!((leased.len(), leased.iter().map(|refund| &refund.id).collect::<BTreeSet<_>>().len()), (30, 30));
    }

    async fn what_was_given_back_wakes_the_refunds_that_wait_for_it(test: TestDatabase) {
        let database = test.open().await;
        for state in RefundState::ALL {
            for order in ["mine", "other"] {
                let order = format!("{order}-{}", state.as_str());
                paid(&database, &order).await;
                end(&database, &intent(&order, "1"), *state).await;
            }

            database.wake_refunds(&id(&format!("mine-{}", state.as_str())), at(2)).await.unwrap();
        }

        let woken = database.lease_refunds(at(2), at(60), 100).await.unwrap();
        let woken: BTreeSet<_> = woken.iter().map(|refund| refund.payment_id.as_str()).collect();
        assert_eq!(woken, BTreeSet::from(["mine-in_doubt", "mine-requested"]));
        // Those that are due keep their place.
        database.wake_refunds(&id("mine-requested"), at(70)).await.unwrap();
        assert_eq!(database.lease_refunds(at(60), at(90), 100).await.unwrap().len(), 8);
    }

    async fn an_unreadable_refund_is_named_and_holds_up_no_other(test: TestDatabase) {
        let database = test.open().await;
        for order in ["A", "B"] {
            paid(&database, order).await;
            assert_eq!(intend(&database, &intent(order, "1")).await, Intended::Written);
        }
        test.run("UPDATE refunds SET currency = 'won' WHERE payment_id = 'A'").await;

        let unreadable = database.refunds(&id("A")).await;
        let leased = database.lease_refunds(at(10), at(60), 10).await.unwrap();

        assert!(matches!(unreadable, Err(StoreError::Corrupt { table: "refunds", column: "currency" })), "{unreadable:?}");
        assert_eq!(leased.iter().map(|refund| refund.payment_id.as_str()).collect::<Vec<_>>(), ["B"]);
    }
}
