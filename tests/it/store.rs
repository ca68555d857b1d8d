//! The contract of the store: what `ports::store` promises holds on every database, alone and with several instances.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use wanryo::adapters::store::{Database, OpenError};
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::{Actor, Entry, EntryKind, StoredEntry};
use wanryo::domain::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use wanryo::domain::money::{AMOUNT_MINOR_MAX, Currency, Money};
use wanryo::domain::order::{Buyer, Order, OrderStatus, Portone};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict, VirtualAccount};
use wanryo::domain::verification::{Check, CheckName};
use wanryo::ports::store::{
    AccessStore, Commit, Committed, Created, InboxResult, InboxStore, OrderFilter, OrderStore,
    OutboxEvent, Received, Snapshot, StoreError,
};

use crate::support::{TestDatabase, on_both_databases, with_postgres, with_sqlite};

/// How many tasks fight in the tests of races.
const RIVALS: usize = 20;

mod fixtures {
    use super::*;

    /// Seconds after the moment at which every test begins.
    pub(super) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    pub(super) fn payment_id(text: &str) -> PaymentId {
        PaymentId::parse(text).unwrap()
    }

    pub(super) fn transaction_id(text: &str) -> TransactionId {
        TransactionId::parse(text).unwrap()
    }

    /// An order with nothing optional in it.
    pub(super) fn order(id: &str) -> Order {
        Order {
            payment_id: payment_id(id),
            version: 0,
            name: "Socks".to_owned(),
            amount: Money::new(64_900, Currency::KRW).unwrap(),
            portone: Portone::V1,
            pay_method: None,
            channel_key: None,
            buyer: Buyer::default(),
            return_url: None,
            locale: None,
            metadata: None,
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
        }
    }

    /// An unpaid order with everything optional in it, in Korean where people write, each value another one.
    pub(super) fn full_order(id: &str) -> Order {
        Order {
            version: 7,
            name: "양말 세 켤레 🧦 'Größe' \"M\"\n\\ %_".to_owned(),
            amount: Money::new(AMOUNT_MINOR_MAX, Currency::parse("USD").unwrap()).unwrap(),
            portone: Portone::V2,
            pay_method: Some("card".to_owned()),
            channel_key: Some("channel-key-1".to_owned()),
            buyer: Buyer {
                name: Some("홍길동".to_owned()),
                email: Some("hong@example.com".to_owned()),
                tel: Some("010-1234-5678".to_owned()),
            },
            return_url: Some("https://shop.example/감사".to_owned()),
            locale: Some("ko".to_owned()),
            metadata: Some(r#"{"b":1, "a":[null]}"#.to_owned()),
            fingerprint: "0123456789abcdef".to_owned(),
            refunded_minor: AMOUNT_MINOR_MAX,
            expires_at: Some(at(1)),
            expired_at: Some(at(2)),
            closed_at: Some(at(3)),
            checked_at: Some(at(4)),
            next_check_at: Some(at(5)),
            checks_without_change: i64::MAX,
            prepared_at: Some(at(6)),
            created_at: Timestamp::from_microsecond(-1).unwrap(),
            updated_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
            ..order(id)
        }
    }

    /// A transaction with nothing optional in it.
    pub(super) fn transaction(id: &str, order: &Order) -> Transaction {
        Transaction {
            transaction_id: transaction_id(id),
            payment_id: order.payment_id.clone(),
            status: TransactionStatus::Ready,
            verdict: Verdict::Pending,
            amount_minor: None,
            currency: None,
            cancelled_minor: 0,
            test: None,
            pay_method: None,
            pg_provider: None,
            approval_number: None,
            method_name: None,
            fail_reason: None,
            receipt_url: None,
            virtual_account: None,
            paid_at: None,
            checks: Vec::new(),
            first_seen_at: at(0),
            checked_at: at(0),
        }
    }

    pub(super) fn accepted(id: &str, order: &Order) -> Transaction {
        Transaction {
            status: TransactionStatus::Paid,
            verdict: Verdict::Accepted,
            ..transaction(id, order)
        }
    }

    /// A transaction with everything optional in it, each value another one.
    pub(super) fn full_transaction(id: &str, order: &Order) -> Transaction {
        Transaction {
            amount_minor: Some(AMOUNT_MINOR_MAX),
            currency: Some("not a currency".to_owned()),
            cancelled_minor: AMOUNT_MINOR_MAX,
            test: Some(true),
            pay_method: Some("vbank".to_owned()),
            pg_provider: Some("html5_inicis".to_owned()),
            approval_number: Some("00012345".to_owned()),
            method_name: Some("신한카드".to_owned()),
            fail_reason: Some("[결제포기] 사용자가 결제를 취소하셨습니다".to_owned()),
            receipt_url: Some("https://iniweb.inicis.com/?a=b&c=d".to_owned()),
            virtual_account: Some(VirtualAccount {
                bank: "국민은행".to_owned(),
                account_number: "110-123-456789".to_owned(),
                holder: Some("완료상점".to_owned()),
                expires_at: Some(at(10)),
            }),
            paid_at: Some(at(11)),
            checks: vec![
                Check {
                    name: CheckName::Amount,
                    expected: "64900".to_owned(),
                    actual: "0\u{0}'\"".to_owned(),
                    passed: false,
                },
                Check {
                    name: CheckName::Channel,
                    expected: "test".to_owned(),
                    actual: "test".to_owned(),
                    passed: true,
                },
            ],
            first_seen_at: at(12),
            checked_at: at(13),
            ..transaction(id, order)
        }
    }

    pub(super) fn entry(kind: EntryKind) -> Entry {
        Entry {
            at: at(0),
            kind,
            actor: Actor::Worker.to_text(),
            data: json!({}),
            once_key: None,
        }
    }

    pub(super) fn once(key: &str) -> Entry {
        Entry {
            once_key: Some(key.to_owned()),
            ..entry(EntryKind::Redirect)
        }
    }

    pub(super) fn event(id: &str, order: &Order) -> Event {
        Event {
            id: id.to_owned(),
            event_type: EventType::OrderPaid,
            payment_id: order.payment_id.clone(),
            transaction_id: None,
            status: OrderStatus::Paid,
            refunded_minor: 0,
            at: at(0),
        }
    }

    /// A commit of the order as it stands, with nothing else in it.
    pub(super) fn commit(order: &Order) -> Commit {
        Commit {
            order: order.clone(),
            transactions: Vec::new(),
            entries: Vec::new(),
            events: Vec::new(),
        }
    }

    /// A commit by which a transaction pays the order, with an entry and an event.
    pub(super) fn payment(order: &Order, transaction: Transaction) -> Commit {
        let accepted_transaction_id = Some(transaction.transaction_id.clone());
        Commit {
            order: Order {
                status: OrderStatus::Paid,
                accepted_transaction_id,
                ..order.clone()
            },
            events: vec![event(&format!("evt_{}", order.payment_id), order)],
            transactions: vec![transaction],
            entries: vec![entry(EntryKind::Transition)],
        }
    }

    pub(super) fn webhook(id: &str) -> Received {
        Received {
            at: at(0),
            portone: Portone::V1,
            webhook_id: None,
            payment_id: payment_id(id),
            transaction_id: None,
            claimed_status: None,
        }
    }
}
use fixtures::{
    accepted, at, commit, entry, event, full_order, full_transaction, once, order, payment,
    payment_id, transaction, transaction_id, webhook,
};

/// Writes an order and gives it back.
async fn created(database: &Database, order: Order) -> Order {
    assert_eq!(
        database
            .create_order(&order, &entry(EntryKind::OrderCreated))
            .await
            .unwrap(),
        Created::New
    );
    order
}

async fn found(database: &Database, order: &Order) -> Snapshot {
    database
        .find_order(&order.payment_id)
        .await
        .unwrap()
        .unwrap()
}

/// Everything that is stored of an order.
async fn everything(
    database: &Database,
    order: &Order,
) -> (Option<Snapshot>, Vec<StoredEntry>, Vec<OutboxEvent>) {
    let id = &order.payment_id;
    (
        database.find_order(id).await.unwrap(),
        database.history(id).await.unwrap(),
        database.outbox(id).await.unwrap(),
    )
}

/// Runs the tasks at the same time, on the instances in turn.
async fn race<T: Send + 'static, Task: Future<Output = T> + Send + 'static>(
    test: &TestDatabase,
    task: impl Fn(Database, usize) -> Task,
) -> Vec<T> {
    let instances = [test.open().await, test.open().await];
    let tasks: Vec<_> = (0..RIVALS)
        .map(|rival| tokio::spawn(task(instances[rival % 2].clone(), rival)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn ids(ids: &[PaymentId]) -> Vec<&str> {
    ids.iter().map(PaymentId::as_str).collect()
}

on_both_databases! {
    async fn an_order_comes_back_as_it_was_written(test: TestDatabase) {
        let database = test.open().await;
        for written in [order("bare"), full_order("주문-1001")] {
            created(&database, written.clone()).await;

            let snapshot = Some(Snapshot { order: written.clone(), transactions: Vec::new() });
            assert_eq!(database.find_order(&written.payment_id).await.unwrap(), snapshot);
            assert_eq!(database.find_order_by_token(&written.status_token).await.unwrap(), snapshot);
            assert_eq!(database.history(&written.payment_id).await.unwrap().len(), 1);
        }
    }

    async fn what_was_never_written_is_not_found(test: TestDatabase) {
        let database = test.open().await;
        created(&database, order("A")).await;

        assert_eq!(database.find_order(&payment_id("a")).await.unwrap(), None);
        assert_eq!(database.find_order_by_token(&StatusToken::from_bytes([0; 16])).await.unwrap(), None);
        assert_eq!(database.find_owner(&transaction_id("imp_1")).await.unwrap(), None);
        assert_eq!(database.history(&payment_id("a")).await.unwrap(), []);
        assert_eq!(database.outbox(&payment_id("a")).await.unwrap(), []);
    }

    async fn every_word_of_the_domain_can_be_stored(test: TestDatabase) {
        let database = test.open().await;
        for (n, &status) in OrderStatus::ALL.iter().enumerate() {
            let order = created(&database, order(&format!("order-{n}"))).await;
            let paid = matches!(status, OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded);
            let transaction = Transaction { verdict: if paid { Verdict::Accepted } else { Verdict::Held }, ..transaction(&format!("imp_{n}"), &order) };
            let accepted_transaction_id = paid.then(|| transaction.transaction_id.clone());
            let commit = Commit { transactions: vec![transaction], ..commit(&Order { status, accepted_transaction_id, ..order.clone() }) };

            assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done, "{status:?}");
            assert_eq!(found(&database, &order).await.order.status, status);
        }
        let order = created(&database, order("words")).await;
        let pairs = TransactionStatus::ALL.iter().flat_map(|&status| Verdict::ALL.iter().map(move |&verdict| (status, verdict)));
        let transactions: Vec<_> = pairs
            .filter(|(status, verdict)| *verdict != Verdict::Accepted || *status == TransactionStatus::Paid)
            .enumerate()
            .map(|(n, (status, verdict))| Transaction { status, verdict, ..transaction(&format!("imp_words_{n:02}"), &order) })
            .collect();
        let entries: Vec<_> = EntryKind::ALL.iter().map(|&kind| entry(kind)).collect();
        let types = EventType::ALL.iter().flat_map(|&event_type| OrderStatus::ALL.iter().map(move |&status| (event_type, status)));
        let events: Vec<_> = types.enumerate().map(|(n, (event_type, status))| Event { event_type, status, ..event(&format!("evt_{n}"), &order) }).collect();
        let commit = Commit { order: order.clone(), transactions: transactions.clone(), entries: entries.clone(), events: events.clone() };

        assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);

        assert_eq!(found(&database, &order).await.transactions, transactions);
        let history: Vec<_> = database.history(&order.payment_id).await.unwrap().into_iter().skip(1).map(|stored| stored.entry).collect();
        assert_eq!(history, entries);
        let outbox: Vec<_> = database.outbox(&order.payment_id).await.unwrap().into_iter().map(|stored| stored.event).collect();
        assert_eq!(outbox, events);
    }

    async fn creating_an_order_again_gives_the_first_and_writes_nothing(test: TestDatabase) {
        let database = test.open().await;
        let first = created(&database, full_order("A")).await;
        let before = everything(&database, &first).await;

        let again = database.create_order(&order("A"), &entry(EntryKind::OrderCreated)).await.unwrap();

        assert_eq!(again, Created::Existing(Box::new(Snapshot { order: first.clone(), transactions: Vec::new() })));
        assert_eq!(everything(&database, &first).await, before);
    }

    async fn of_many_that_create_an_order_at_once_one_does(test: TestDatabase) {
        let order = order("A");
        let wanted = order.clone();

        let results = race(&test, move |database, _| {
            let order = wanted.clone();
            async move { database.create_order(&order, &entry(EntryKind::OrderCreated)).await.unwrap() }
        })
        .await;

        assert_eq!(results.iter().filter(|result| **result == Created::New).count(), 1);
        let existing = Created::Existing(Box::new(Snapshot { order: order.clone(), transactions: Vec::new() }));
        assert_eq!(results.iter().filter(|result| **result == existing).count(), RIVALS - 1);
        assert_eq!(test.open().await.history(&order.payment_id).await.unwrap().len(), 1);
    }

    async fn a_status_token_opens_one_order(test: TestDatabase) {
        let database = test.open().await;
        let first = created(&database, order("A")).await;
        let second = Order { status_token: first.status_token.clone(), ..order("B") };

        let refused = database.create_order(&second, &entry(EntryKind::OrderCreated)).await;

        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(database.find_order(&second.payment_id).await.unwrap(), None);
    }

    async fn a_commit_writes_all_of_it(test: TestDatabase) {
        let database = test.open().await;
        let before = created(&database, full_order("A")).await;
        let after = Order {
            status: OrderStatus::PartiallyRefunded,
            accepted_transaction_id: Some(transaction_id("imp_full")),
            refunded_minor: 1,
            expires_at: None,
            expired_at: None,
            closed_at: None,
            checked_at: Some(at(20)),
            next_check_at: None,
            checks_without_change: 1,
            updated_at: at(21),
            ..before.clone()
        };
        // Written in another order than they were first seen in.
        let transactions = vec![
            Transaction { first_seen_at: at(30), test: Some(false), ..transaction("imp_bare", &before) },
            Transaction { verdict: Verdict::Accepted, ..full_transaction("imp_full", &before) },
        ];
        let entries = vec![
            Entry { at: at(22), kind: EntryKind::Checked, actor: "staff:kim@example.com".to_owned(), data: json!({ "금액": [1, 1.5, null, "\u{0}"] }), once_key: None },
            Entry { once_key: Some("키".to_owned()), ..entry(EntryKind::Transition) },
        ];
        let full_event = Event { transaction_id: Some(transaction_id("imp_full")), refunded_minor: AMOUNT_MINOR_MAX, at: at(23), ..event("evt_1", &before) };
        let commit = Commit { order: after.clone(), transactions: transactions.clone(), entries: entries.clone(), events: vec![full_event.clone()] };

        assert_eq!(database.commit(&commit).await.unwrap(), Committed::Done);

        let snapshot = found(&database, &before).await;
        assert_eq!(snapshot.order, Order { version: before.version + 1, ..after });
        assert_eq!(snapshot.transactions, [transactions[1].clone(), transactions[0].clone()]);
        let history = database.history(&before.payment_id).await.unwrap();
        assert_eq!(history.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(history.into_iter().skip(1).map(|stored| stored.entry).collect::<Vec<_>>(), entries);
        assert_eq!(database.outbox(&before.payment_id).await.unwrap().into_iter().map(|stored| (stored.seq, stored.event)).collect::<Vec<_>>(), [(1, full_event)]);
        assert_eq!(database.find_owner(&transaction_id("imp_full")).await.unwrap(), Some(before.payment_id));
    }

    async fn a_later_commit_replaces_a_transaction_whole(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let second = Order { version: order.version + 1, ..order.clone() };
        let bare = Transaction { status: TransactionStatus::Failed, verdict: Verdict::Failed, ..transaction("imp_1", &order) };
        assert_eq!(database.commit(&Commit { transactions: vec![full_transaction("imp_1", &order)], ..commit(&order) }).await.unwrap(), Committed::Done);

        assert_eq!(database.commit(&Commit { transactions: vec![bare.clone()], ..commit(&second) }).await.unwrap(), Committed::Done);

        assert_eq!(found(&database, &order).await.transactions, [bare]);
    }

    async fn a_commit_cannot_change_what_was_ordered(test: TestDatabase) {
        let database = test.open().await;
        let before = created(&database, full_order("A")).await;
        let other = Order { version: before.version, closed_at: Some(at(99)), refunded_minor: 0, ..order("A") };

        assert_eq!(database.commit(&commit(&other)).await.unwrap(), Committed::Done);

        let after = found(&database, &before).await.order;
        assert_eq!(after.closed_at, other.closed_at);
        let ordered = |order: Order| {
            (order.name, order.amount, order.portone, order.pay_method, order.channel_key, order.buyer, order.return_url, order.locale)
        };
        assert_eq!(ordered(after.clone()), ordered(before.clone()));
        let identity = |order: Order| (order.metadata, order.fingerprint, order.status_token, order.created_at);
        assert_eq!(identity(after), identity(before));
    }

    async fn a_commit_decided_on_an_old_version_writes_nothing(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        assert_eq!(database.commit(&commit(&order)).await.unwrap(), Committed::Done);
        let before = everything(&database, &order).await;

        for version in [order.version, order.version + 2] {
            let stale = Order { version, ..order.clone() };
            assert_eq!(database.commit(&payment(&stale, accepted("imp_1", &order))).await.unwrap(), Committed::Conflict);
        }

        assert_eq!(everything(&database, &order).await, before);
        assert_eq!(database.find_owner(&transaction_id("imp_1")).await.unwrap(), None);
    }

    async fn a_commit_to_no_order_is_a_conflict(test: TestDatabase) {
        let database = test.open().await;

        assert_eq!(database.commit(&commit(&order("A"))).await.unwrap(), Committed::Conflict);
    }

    async fn of_many_commits_on_one_version_one_is_done(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let base = order.clone();

        let results = race(&test, move |database, rival| {
            let change = payment(&base, accepted(&format!("imp_{rival}"), &base));
            async move { database.commit(&change).await.unwrap() }
        })
        .await;

        assert_eq!(results.iter().filter(|result| **result == Committed::Done).count(), 1);
        assert_eq!(results.iter().filter(|result| **result == Committed::Conflict).count(), RIVALS - 1);
        assert_eq!(found(&database, &order).await.transactions.len(), 1);
        assert_eq!(database.history(&order.payment_id).await.unwrap().len(), 2);
        assert_eq!(database.outbox(&order.payment_id).await.unwrap().len(), 1);
    }

    async fn a_transaction_of_another_order_is_refused_and_nothing_written(test: TestDatabase) {
        let database = test.open().await;
        let first = created(&database, order("A")).await;
        let second = created(&database, order("B")).await;
        assert_eq!(database.commit(&payment(&first, accepted("imp_1", &first))).await.unwrap(), Committed::Done);
        let (first_before, second_before) = (everything(&database, &first).await, everything(&database, &second).await);

        // As the payment, as a mere sighting, under the first order's name, and as the payment without being written.
        let paying = payment(&second, accepted("imp_1", &second));
        let sighting = Commit { transactions: vec![transaction("imp_0", &second), transaction("imp_1", &second)], ..commit(&second) };
        let foreign = Commit { transactions: vec![transaction("imp_1", &first)], ..commit(&second) };
        let unwritten = Commit { transactions: Vec::new(), ..paying.clone() };
        for change in [paying, sighting, foreign, unwritten] {
            assert_eq!(database.commit(&change).await.unwrap(), Committed::TransactionTaken);
        }

        assert_eq!(everything(&database, &first).await, first_before);
        assert_eq!(everything(&database, &second).await, second_before);
        assert_eq!(database.find_owner(&transaction_id("imp_1")).await.unwrap(), Some(first.payment_id));
        assert_eq!(database.find_owner(&transaction_id("imp_0")).await.unwrap(), None);
    }

    async fn of_many_orders_that_accept_one_transaction_at_once_one_does(test: TestDatabase) {
        let database = test.open().await;
        for rival in 0..RIVALS {
            created(&database, order(&format!("order-{rival}"))).await;
        }

        let results = race(&test, move |database, rival| {
            let order = order(&format!("order-{rival}"));
            // Each names the two in another order: that must not make them lock each other out.
            let mut change = payment(&order, accepted("imp_1", &order));
            change.transactions.insert(rival % 2, transaction("imp_2", &order));
            async move { database.commit(&change).await.unwrap() }
        })
        .await;

        assert_eq!(results.iter().filter(|result| **result == Committed::Done).count(), 1);
        assert_eq!(results.iter().filter(|result| **result == Committed::TransactionTaken).count(), RIVALS - 1);
        let paid = database.list_orders(&OrderFilter { status: Some(OrderStatus::Paid), limit: 100, ..OrderFilter::default() }).await.unwrap();
        assert_eq!(paid.len(), 1);
        assert_eq!(database.find_owner(&transaction_id("imp_1")).await.unwrap().as_ref(), Some(&paid[0].payment_id));
    }

    async fn contradictions_are_refused_by_the_database_itself(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let other = created(&database, fixtures::order("B")).await;
        assert_eq!(database.commit(&payment(&order, accepted("imp_1", &order))).await.unwrap(), Committed::Done);
        assert_eq!(database.commit(&Commit { transactions: vec![transaction("imp_other", &other)], ..commit(&other) }).await.unwrap(), Committed::Done);
        let before = everything(&database, &order).await;
        let order = found(&database, &order).await.order;
        let noted = |order: &Order| Commit { entries: vec![entry(EntryKind::Transition)], events: vec![event("evt_new", order)], ..commit(order) };
        let pay_with = |id: &str| Some(transaction_id(id));

        let second_accepted = Commit { transactions: vec![accepted("imp_2", &order)], ..noted(&order) };
        let paid_by_nothing = noted(&Order { accepted_transaction_id: None, ..order.clone() });
        let open_but_paid = noted(&Order { status: OrderStatus::Open, ..order.clone() });
        let paid_by_another_order = noted(&Order { accepted_transaction_id: pay_with("imp_other"), ..order.clone() });
        let paid_by_unknown = noted(&Order { accepted_transaction_id: pay_with("imp_nowhere"), ..order.clone() });
        let refunded_too_much = noted(&Order { refunded_minor: order.amount.minor + 1, ..order.clone() });
        let refunded_less_than_nothing = noted(&Order { refunded_minor: -1, ..order.clone() });
        let negative_amount = Commit { transactions: vec![Transaction { amount_minor: Some(-1), ..transaction("imp_3", &order) }], ..noted(&order) };
        let negative_cancel = Commit { transactions: vec![Transaction { cancelled_minor: -1, ..transaction("imp_3", &order) }], ..noted(&order) };
        let contradictions = [
            ("second accepted", second_accepted), ("paid by nothing", paid_by_nothing), ("open but paid", open_but_paid),
            ("paid by another order's", paid_by_another_order), ("paid by an unknown one", paid_by_unknown),
            ("refunded too much", refunded_too_much), ("refunded less than nothing", refunded_less_than_nothing),
            ("negative amount", negative_amount), ("negative cancel", negative_cancel),
        ];
        for (what, change) in contradictions {
            let refused = database.commit(&change).await;

            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{what}: {refused:?}");
            assert_eq!(everything(&database, &order).await, before, "{what}");
        }
        // The refusals broke nothing.
        assert_eq!(database.commit(&commit(&order)).await.unwrap(), Committed::Done);
    }

    async fn a_snapshot_never_mixes_two_moments(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let writer = database.clone();
        let base = order.clone();

        let writing = tokio::spawn(async move {
            for version in 0..100 {
                let sighting = Transaction { cancelled_minor: version + 1, ..transaction("imp_1", &base) };
                let change = Commit { transactions: vec![sighting], ..commit(&Order { version, ..base.clone() }) };
                assert_eq!(writer.commit(&change).await.unwrap(), Committed::Done);
            }
        });
        let mut last_seen = 0;
        while last_seen < 100 {
            let Snapshot { order, transactions } = found(&database, &order).await;

            assert_eq!(order.version, transactions.first().map_or(0, |transaction| transaction.cancelled_minor));
            assert!(order.version >= last_seen, "an older state came back");
            assert!(!writing.is_finished() || found(&database, &order).await.order.version == 100);
            last_seen = order.version;
        }
        writing.await.unwrap();
    }

    async fn an_event_is_written_once(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let first = event("evt_1", &order);
        let changed = Event { refunded_minor: 5, ..first.clone() };
        assert_eq!(database.commit(&Commit { events: vec![first.clone(), first.clone()], ..commit(&order) }).await.unwrap(), Committed::Done);
        let order = found(&database, &order).await.order;

        let again = Commit { events: vec![changed, event("evt_0", &order)], ..commit(&order) };
        assert_eq!(database.commit(&again).await.unwrap(), Committed::Done);

        let outbox: Vec<_> = database.outbox(&order.payment_id).await.unwrap().into_iter().map(|stored| (stored.seq, stored.event)).collect();
        assert_eq!(outbox, [(1, first), (2, event("evt_0", &order))]);
    }

    async fn history_keeps_its_order_and_each_once_key_once(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let other = created(&database, fixtures::order("B")).await;
        let later = Entry { at: at(5), ..entry(EntryKind::Webhook) };
        let earlier = Entry { at: at(-5), ..entry(EntryKind::Checked) };

        database.append_history(&order.payment_id, &[later.clone(), once("r1"), once("r1"), earlier.clone()], 100).await.unwrap();
        let change = Commit { entries: vec![once("r1"), once("R1"), earlier.clone()], ..commit(&order) };
        assert_eq!(database.commit(&change).await.unwrap(), Committed::Done);
        database.append_history(&other.payment_id, &[once("r1")], 100).await.unwrap();

        let history: Vec<_> = database.history(&order.payment_id).await.unwrap().into_iter().map(|stored| (stored.seq, stored.entry)).collect();
        let wanted = [entry(EntryKind::OrderCreated), later, once("r1"), earlier.clone(), once("R1"), earlier];
        assert_eq!(history, (1..).zip(wanted).collect::<Vec<_>>());
        assert_eq!(database.history(&other.payment_id).await.unwrap().len(), 2);
    }

    async fn strangers_cannot_fill_an_orders_history(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;

        for n in 0..5 {
            database.append_history(&order.payment_id, &[once(&format!("a{n}")), once(&format!("b{n}"))], 4).await.unwrap();
        }
        assert_eq!(database.history(&order.payment_id).await.unwrap().len(), 5);

        // What the order itself does is always noted.
        assert_eq!(database.commit(&Commit { entries: vec![entry(EntryKind::Transition)], ..commit(&order) }).await.unwrap(), Committed::Done);
        assert_eq!(database.history(&order.payment_id).await.unwrap().len(), 6);
        // Nor does one kind crowd out another.
        database.append_history(&order.payment_id, &[entry(EntryKind::CheckFailed)], 4).await.unwrap();
        assert_eq!(database.history(&order.payment_id).await.unwrap().len(), 7);
        assert_eq!(found(&database, &order).await.order.version, order.version + 1);
    }

    async fn history_belongs_to_an_order(test: TestDatabase) {
        let database = test.open().await;

        database.append_history(&payment_id("nobody"), &[entry(EntryKind::Redirect)], 10).await.unwrap();

        assert_eq!(database.history(&payment_id("nobody")).await.unwrap(), []);
    }

    async fn history_written_at_once_has_no_gaps_and_no_extras(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let id = order.payment_id.clone();

        race(&test, move |database, rival| {
            let id = id.clone();
            async move { database.append_history(&id, &[once(&format!("own-{rival}")), once("shared")], 15).await.unwrap() }
        })
        .await;

        let history = database.history(&order.payment_id).await.unwrap();
        assert_eq!(history.iter().map(|stored| stored.seq).collect::<Vec<_>>(), (1..=16).collect::<Vec<_>>());
        let keys: BTreeSet<_> = history.iter().map(|stored| stored.entry.once_key.clone()).collect();
        assert_eq!(keys.len(), history.len());
    }

    async fn schedule_and_preparation_take_no_version(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;

        database.schedule_check(&order.payment_id, Some(at(60)), 3).await.unwrap();
        database.mark_prepared(&order.payment_id, at(61)).await.unwrap();

        let noted = Order { next_check_at: Some(at(60)), checks_without_change: 3, prepared_at: Some(at(61)), ..order.clone() };
        assert_eq!(found(&database, &order).await.order, noted);

        // A change that was decided before the preparation was known does not undo it.
        assert_eq!(database.commit(&commit(&order)).await.unwrap(), Committed::Done);
        assert_eq!(found(&database, &order).await.order.prepared_at, Some(at(61)));
        database.schedule_check(&order.payment_id, None, 0).await.unwrap();
        assert_eq!(found(&database, &order).await.order.next_check_at, None);
        // And neither makes an order.
        database.schedule_check(&payment_id("nobody"), Some(at(0)), 0).await.unwrap();
        database.mark_prepared(&payment_id("nobody"), at(0)).await.unwrap();
        assert_eq!(database.find_order(&payment_id("nobody")).await.unwrap(), None);
    }

    async fn due_orders_are_leased_longest_due_first(test: TestDatabase) {
        let database = test.open().await;
        for (id, next_check_at) in [("late", Some(at(-100))), ("later", Some(at(-50))), ("now", Some(at(0))), ("soon", Some(at(1))), ("never", None)] {
            created(&database, Order { next_check_at, ..order(id) }).await;
        }
        let lease = async |now, limit| {
            let mut leased = database.lease_due(now, now + SignedDuration::from_secs(60), limit).await.unwrap();
            leased.sort();
            leased
        };

        assert_eq!(ids(&lease(at(0), 2).await), ["late", "later"]);
        assert_eq!(ids(&lease(at(0), 100).await), ["now"]);
        assert_eq!(lease(at(0), 100).await, []);
        assert_eq!(found(&database, &order("late")).await.order.next_check_at, Some(at(60)));
        assert_eq!(found(&database, &order("late")).await.order.version, 0);
        // A worker that died with its lease: somebody else's turn.
        assert_eq!(ids(&lease(at(60), 100).await), ["late", "later", "now", "soon"]);
    }

    async fn no_order_is_leased_twice_at_once(test: TestDatabase) {
        let database = test.open().await;
        for n in 0..30 {
            created(&database, Order { next_check_at: Some(at(-n)), ..order(&format!("order-{n}")) }).await;
        }

        let leases = race(&test, |database, _| async move { database.lease_due(at(0), at(60), 3).await.unwrap() }).await;

        assert!(leases.iter().all(|lease| lease.len() <= 3), "{leases:?}");
        let mut leased: Vec<_> = leases.into_iter().flatten().collect();
        // Rivals may have skipped each other's rows; those are still there.
        leased.extend(database.lease_due(at(0), at(60), 100).await.unwrap());
        assert_eq!(leased.len(), 30);
        assert_eq!(leased.iter().collect::<BTreeSet<_>>().len(), 30);
    }

    async fn orders_are_listed_by_what_the_filter_says(test: TestDatabase) {
        let database = test.open().await;
        for (n, id) in ["ORD-1", "ORD-10", "ord-2", "주문-1", "a_b", "axb", "a*b"].into_iter().enumerate() {
            created(&database, Order { created_at: at(i64::try_from(n).unwrap()), ..order(id) }).await;
        }
        let paid = found(&database, &order("ORD-10")).await.order;
        assert_eq!(database.commit(&payment(&paid, accepted("imp_1", &paid))).await.unwrap(), Committed::Done);
        let list = async |filter: OrderFilter| {
            let orders = database.list_orders(&OrderFilter { limit: 100, ..filter }).await.unwrap();
            orders.into_iter().map(|order| order.payment_id.to_string()).collect::<Vec<_>>()
        };
        let query = |text: &str| OrderFilter { query: Some(text.to_owned()), ..OrderFilter::default() };

        assert_eq!(list(OrderFilter::default()).await, ["a*b", "axb", "a_b", "주문-1", "ord-2", "ORD-10", "ORD-1"]);
        assert_eq!(list(query("")).await.len(), 7);
        assert_eq!(list(query("ORD")).await, ["ORD-10", "ORD-1"]);
        assert_eq!(list(query("ord-2")).await, ["ord-2"]);
        assert_eq!(list(query("주")).await, ["주문-1"]);
        assert_eq!(list(query("a_")).await, ["a_b"]);
        assert_eq!(list(query("a*")).await, ["a*b"]);
        assert_eq!(list(query("imp_1")).await, ["ORD-10"]);
        for nothing in ["imp_", "IMP_1", "RD-1", "ORD-1 ", "a%", "%", "_", "' OR 1=1 --", "\\"] {
            assert_eq!(list(query(nothing)).await, Vec::<String>::new(), "{nothing}");
        }
        assert_eq!(list(OrderFilter { status: Some(OrderStatus::Paid), ..OrderFilter::default() }).await, ["ORD-10"]);
        assert_eq!(list(OrderFilter { status: Some(OrderStatus::Open), ..query("ORD") }).await, ["ORD-1"]);
        assert_eq!(list(OrderFilter { from: Some(at(1)), to: Some(at(3)), ..OrderFilter::default() }).await, ["ord-2", "ORD-10"]);
        assert_eq!(database.list_orders(&OrderFilter { limit: 1, ..OrderFilter::default() }).await.unwrap(), [found(&database, &order("a*b")).await.order]);
    }

    async fn paging_skips_and_repeats_nothing(test: TestDatabase) {
        let database = test.open().await;
        let mut all = Vec::new();
        for n in 0..23 {
            // Many of the same moment, and ids whose order depends on who sorts them.
            let id = ["a", "B", "가", "_", "-"][n % 5].to_owned() + &n.to_string();
            let order = created(&database, Order { created_at: at(i64::try_from(n / 10).unwrap()), ..order(&id) }).await;
            all.push((order.created_at, order.payment_id));
        }
        all.sort_by(|a, b| b.cmp(a));

        let mut listed: Vec<(Timestamp, PaymentId)> = Vec::new();
        loop {
            let filter = OrderFilter { after: listed.last().cloned(), limit: 4, ..OrderFilter::default() };
            let page = database.list_orders(&filter).await.unwrap();
            assert!(page.len() <= 4);
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(|order| (order.created_at, order.payment_id)));
        }

        assert_eq!(listed, all);
    }

    async fn a_webhook_waits_until_it_is_settled(test: TestDatabase) {
        let database = test.open().await;
        let full = Received {
            at: at(3),
            portone: Portone::V2,
            webhook_id: Some("wh-0001".to_owned()),
            payment_id: payment_id("주문-1"),
            transaction_id: Some(transaction_id("imp_1")),
            claimed_status: Some("Transaction.Paid ✓".to_owned()),
        };
        let first = database.receive(&full, at(10)).await.unwrap().unwrap();
        let second = database.receive(&webhook("B"), at(9)).await.unwrap().unwrap();
        let third = database.receive(&webhook("B"), at(11)).await.unwrap().unwrap();
        let lease = async |now, until, limit| {
            let mut leased = database.lease_inbox(now, until, limit).await.unwrap();
            leased.sort_by_key(|entry| entry.id);
            leased
        };
        let keys = |entries: &[wanryo::ports::store::InboxEntry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();

        assert_eq!(lease(at(8), at(20), 10).await, []);
        assert_eq!(keys(&lease(at(10), at(20), 1).await), [second]);
        let leased = lease(at(10), at(20), 10).await;
        assert_eq!(keys(&leased), [first]);
        assert_eq!((leased[0].portone, &leased[0].payment_id), (Portone::V2, &full.payment_id));
        assert_eq!(leased[0].transaction_id, full.transaction_id);
        assert_eq!(leased[0].claimed_status, full.claimed_status);
        assert_eq!((leased[0].received_at, leased[0].attempts), (full.at, 0));

        database.settle(first, InboxResult::Done).await.unwrap();
        database.settle(second, InboxResult::Again(at(15))).await.unwrap();
        database.settle(third, InboxResult::Dropped).await.unwrap();
        // A worker that comes too late with its news cannot bring a webhook back.
        database.settle(first, InboxResult::Again(at(15))).await.unwrap();
        database.settle(third, InboxResult::Again(at(15))).await.unwrap();

        assert_eq!(lease(at(14), at(30), 10).await, []);
        let again = lease(at(100), at(130), 10).await;
        assert_eq!(keys(&again), [second]);
        assert_eq!(again[0].attempts, 1);
        assert_eq!((again[0].transaction_id.clone(), again[0].claimed_status.clone()), (None, None));
    }

    async fn a_message_that_comes_again_is_one_entry(test: TestDatabase) {
        let database = test.open().await;
        let message = |id: Option<&str>| Received { portone: Portone::V2, webhook_id: id.map(str::to_owned), ..webhook("A") };

        let receipts = race(&test, |database, _| async move {
            let message = Received { portone: Portone::V2, webhook_id: Some("wh-0001".to_owned()), ..webhook("A") };
            database.receive(&message, at(0)).await.unwrap()
        }).await;
        let first = receipts.iter().flatten().copied().collect::<Vec<_>>();

        assert_eq!(first.len(), 1, "{receipts:?}");
        database.settle(first[0], InboxResult::Done).await.unwrap();
        assert_eq!(database.receive(&message(Some("wh-0001")), at(0)).await.unwrap(), None, "worked off, and not forgotten");
        assert!(database.receive(&message(Some("WH-0001")), at(0)).await.unwrap().is_some());
        assert!(database.receive(&message(None), at(0)).await.unwrap().is_some());
        assert!(database.receive(&message(None), at(0)).await.unwrap().is_some(), "messages without a name are all kept");
    }

    async fn a_new_order_wakes_its_webhooks(test: TestDatabase) {
        let database = test.open().await;
        let waiting = database.receive(&webhook("A"), at(1000)).await.unwrap().unwrap();
        let done = database.receive(&webhook("A"), at(1000)).await.unwrap().unwrap();
        database.settle(done, InboxResult::Done).await.unwrap();
        let due = database.receive(&webhook("A"), at(-10)).await.unwrap().unwrap();
        database.receive(&webhook("a"), at(1000)).await.unwrap();

        database.wake_inbox(&payment_id("A"), at(5)).await.unwrap();

        assert_eq!(database.lease_inbox(at(0), at(60), 10).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [due]);
        assert_eq!(database.lease_inbox(at(5), at(60), 10).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [waiting]);
    }

    async fn no_webhook_is_leased_twice_at_once(test: TestDatabase) {
        let database = test.open().await;
        let mut received = BTreeSet::new();
        for n in 0..30 {
            received.insert(database.receive(&webhook(&format!("order-{n}")), at(0)).await.unwrap().unwrap());
        }

        let leases = race(&test, |database, _| async move { database.lease_inbox(at(0), at(60), 3).await.unwrap() }).await;

        assert!(leases.iter().all(|lease| lease.len() <= 3), "{leases:?}");
        let mut leased: Vec<_> = leases.into_iter().flatten().map(|entry| entry.id).collect();
        leased.extend(database.lease_inbox(at(0), at(60), 100).await.unwrap().iter().map(|entry| entry.id));
        assert_eq!(leased.len(), received.len());
        assert_eq!(leased.into_iter().collect::<BTreeSet<_>>(), received);
    }

    async fn a_new_password_ends_the_sessions_of_its_person_alone(test: TestDatabase) {
        let database = test.open().await;
        for email in ["kim@example.com", "lee@example.com"] {
            database.put_user(email, "$argon2id$old", at(0)).await.unwrap();
        }
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        let lee = database.find_user("lee@example.com").await.unwrap().unwrap();
        assert_eq!((kim.email.as_str(), kim.password_hash.as_str()), ("kim@example.com", "$argon2id$old"));
        database.put_session(&[1; 32], kim.id, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], lee.id, at(0), at(1000)).await.unwrap();

        database.put_user("kim@example.com", "$argon2id$new", at(1)).await.unwrap();

        let renewed = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert_eq!((renewed.id, renewed.password_hash.as_str()), (kim.id, "$argon2id$new"));
        assert_eq!(database.find_session(&[1; 32], at(2), at(0)).await.unwrap(), None);
        assert_eq!(database.find_session(&[2; 32], at(2), at(0)).await.unwrap(), Some(lee));
        assert_eq!(database.find_user("KIM@example.com").await.unwrap(), None);
    }

    async fn a_session_ends_by_age_by_idleness_and_by_sign_out(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", at(0)).await.unwrap();
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        database.put_session(&[1; 32], kim.id, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], kim.id, at(0), at(2000)).await.unwrap();
        // Idle for more than 100 seconds.
        let find = async |hash: u8, now: i64| database.find_session(&[hash; 32], at(now), at(now - 100)).await.unwrap().is_some();

        assert!(find(1, 0).await);
        assert!(find(1, 100).await, "seen at its beginning");
        assert!(find(1, 200).await, "seen a hundred seconds ago");
        assert!(find(1, 230).await, "not noted: less than a minute");
        assert!(!find(1, 301).await, "idle since 200");
        assert!(!find(2, 101).await, "never seen again");

        assert!(database.find_session(&[1; 32], at(999), at(0)).await.unwrap().is_some());
        assert!(database.find_session(&[1; 32], at(1000), at(0)).await.unwrap().is_none(), "over");
        database.purge_sessions(at(1000)).await.unwrap();
        assert!(database.find_session(&[1; 32], at(500), at(0)).await.unwrap().is_none(), "purged");
        assert!(database.find_session(&[2; 32], at(500), at(0)).await.unwrap().is_some());
        database.delete_session(&[2; 32]).await.unwrap();
        assert!(database.find_session(&[2; 32], at(500), at(0)).await.unwrap().is_none(), "signed out");
    }

    async fn an_api_key_is_found_by_its_hash_alone(test: TestDatabase) {
        let database = test.open().await;
        database.put_api_key("쇼핑몰", &[7; 32], at(0)).await.unwrap();
        database.put_api_key("other", &[8; 32], at(0)).await.unwrap();

        assert_eq!(database.find_api_key(&[7; 32]).await.unwrap().unwrap().name, "쇼핑몰");
        assert_eq!(database.find_api_key(&[9; 32]).await.unwrap(), None);
        database.put_api_key("renamed", &[7; 32], at(1)).await.unwrap();
        assert_eq!(database.find_api_key(&[7; 32]).await.unwrap().unwrap().name, "renamed");
    }

    async fn what_was_acknowledged_is_there_after_a_restart(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, full_order("A")).await;
        assert_eq!(database.commit(&payment(&order, accepted("imp_1", &order))).await.unwrap(), Committed::Done);
        let webhook = database.receive(&webhook("A"), at(0)).await.unwrap().unwrap();
        let before = everything(&database, &order).await;
        drop(database);

        let database = test.open().await;

        assert_eq!(everything(&database, &order).await, before);
        assert_eq!(database.lease_inbox(at(0), at(60), 10).await.unwrap()[0].id, webhook);
    }

    async fn an_unreadable_value_is_named(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let change = Commit { transactions: vec![full_transaction("imp_1", &order)], events: vec![event("evt_1", &order)], ..commit(&order) };
        assert_eq!(database.commit(&change).await.unwrap(), Committed::Done);

        let corrupt = |result: Result<(), StoreError>| match result {
            Err(StoreError::Corrupt { table, column }) => format!("{table}.{column}"),
            other => panic!("{other:?}"),
        };
        let find = async || corrupt(database.find_order(&order.payment_id).await.map(drop));
        test.run("UPDATE transactions SET checks = '{'").await;
        assert_eq!(find().await, "transactions.checks");
        test.run("UPDATE orders SET currency = 'XAU'").await;
        assert_eq!(find().await, "orders.currency");
        test.run("UPDATE history SET data = ''").await;
        assert_eq!(corrupt(database.history(&order.payment_id).await.map(drop)), "history.data");
        test.run("UPDATE outbox SET transaction_id = '?'").await;
        assert_eq!(corrupt(database.outbox(&order.payment_id).await.map(drop)), "outbox.transaction_id");
    }

    async fn one_unreadable_row_holds_up_no_other(test: TestDatabase) {
        let database = test.open().await;
        for id in ["A", "B"] {
            created(&database, Order { next_check_at: Some(at(0)), ..order(id) }).await;
            database.receive(&webhook(id), at(0)).await.unwrap();
        }
        test.run("DELETE FROM history").await;
        test.run("UPDATE orders SET payment_id = 'A/' WHERE payment_id = 'A'").await;
        test.run("UPDATE inbox SET payment_id = 'A/' WHERE payment_id = 'A'").await;

        assert_eq!(ids(&database.lease_due(at(0), at(60), 10).await.unwrap()), ["B"]);
        assert_eq!(database.lease_inbox(at(0), at(60), 10).await.unwrap().len(), 1);
    }

    async fn a_closed_database_is_unavailable(test: TestDatabase) {
        let database = test.open().await;
        database.ping().await.unwrap();

        database.close().await;

        assert!(matches!(database.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(database.commit(&commit(&order("A"))).await, Err(StoreError::Unavailable(_))));
    }

    async fn a_database_of_a_newer_version_is_refused(test: TestDatabase) {
        test.open().await.close().await;
        test.run("UPDATE _sqlx_migrations SET version = 9999").await;

        assert!(matches!(Database::open(&test.url).await, Err(OpenError::Migrate(_))));
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_constraints() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let other = sender.clone();
    with_sqlite(|test| async move {
        test.open().await.close().await;
        let columns = "SELECT m.name || '.' || c.name || CASE c.\"notnull\" WHEN 1 THEN ' NOT NULL' ELSE '' END
            FROM sqlite_schema m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT IN ('_sqlx_migrations', 'sqlite_sequence')";
        let indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        let texts = test.read("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name <> '_sqlx_migrations'").await;
        let constraints: BTreeSet<_> = texts.iter().flat_map(|text| constraint_names(text)).collect();
        sender.send((sorted(test.read(columns).await), sorted(test.read(indexes).await), constraints)).unwrap();
    })
    .await;
    with_postgres(|test| async move {
        test.open().await.close().await;
        let columns = "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
        let indexes = "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'
            AND indexname NOT IN (SELECT conname FROM pg_constraint)";
        let constraints = test.read("SELECT conname::text FROM pg_constraint WHERE conrelid::regclass::text <> '_sqlx_migrations' AND connamespace = 'public'::regnamespace").await;
        other.send((sorted(test.read(columns).await), sorted(test.read(indexes).await), sorted(constraints))).unwrap();
    })
    .await;

    let (sqlite, mut postgres): ([BTreeSet<String>; 3], [BTreeSet<String>; 3]) = (
        receiver.recv().unwrap().into(),
        receiver.recv().unwrap().into(),
    );

    // PostgreSQL's BOOLEAN needs no check of its own.
    postgres[2].insert("transactions_test_check".to_owned());
    assert_eq!(sqlite, postgres);
}

fn sorted(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().collect()
}

/// The names after CONSTRAINT in a CREATE TABLE.
fn constraint_names(sql: &str) -> Vec<String> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "CONSTRAINT")
        .map(|pair| pair[1].to_owned())
        .collect()
}

#[tokio::test]
async fn sqlite_keeps_a_write_ahead_log_and_its_file_to_the_owner() {
    with_sqlite(|test| async move {
        let database = test.open().await;
        created(&database, order("A")).await;

        assert_eq!(
            test.read("SELECT journal_mode FROM pragma_journal_mode")
                .await,
            ["wal"]
        );
        let path = test.sqlite_path().unwrap();
        for file in [path.to_owned(), format!("{path}-wal")] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600,
                "{file}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn sqlite_takes_paths_as_people_name_them() {
    with_sqlite(|test| async move {
        let dir = test
            .sqlite_path()
            .unwrap()
            .strip_suffix("/test.db")
            .unwrap();
        for (text, file) in [
            ("my shop's.db", "my shop's.db"),
            ("my%20shop.db", "my shop.db"),
            ("완료.db", "완료.db"),
            ("what%3F.db", "what?.db"),
            ("a#b.db", "a#b.db"),
        ] {
            let database = Database::open(&format!("sqlite://{dir}/{text}"))
                .await
                .unwrap();
            created(&database, order("A")).await;
            database.close().await;

            assert!(std::path::Path::new(dir).join(file).is_file(), "{file}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_cannot_be_opened_is_refused() {
    with_sqlite(|test| async move {
        for url in [
            "",
            "wanryo.db",
            "mysql://localhost/x",
            "sqlite://",
            "sqlite://x.db?mode=memory",
        ] {
            assert!(
                matches!(Database::open(url).await, Err(OpenError::Address(_))),
                "{url:?} was taken"
            );
        }
        let nowhere = Database::open(&format!("{}/no/such/directory.db", test.url)).await;
        assert!(matches!(nowhere, Err(OpenError::Connect(_))));
        // A directory is no database, and neither is a text.
        let path = test.sqlite_path().unwrap();
        std::fs::write(
            path,
            "this is not a database, and it is longer than a header, so that SQLite reads it",
        )
        .unwrap();
        assert!(Database::open(&test.url).await.is_err());
        let unreachable = Database::open("postgres://someone:hunter2@127.0.0.1:1/none")
            .await
            .unwrap_err();
        assert!(!format!("{unreachable:?}{unreachable}").contains("hunter2"));
    })
    .await;
}

#[tokio::test]
async fn instances_that_start_together_migrate_once() {
    with_postgres(|test| async move {
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let test = test.clone();
                tokio::spawn(async move { test.open().await })
            })
            .collect();
        for opened in opening {
            opened.await.unwrap().ping().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_that_postgres_wants_again_is_run_again_and_not_for_ever() {
    with_postgres(|test| async move {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        // A sequence does not roll back, so it counts attempts. Each fails as late as can be, with everything written.
        for (code, failures) in [("40001", 4), ("40P01", 4), ("40001", 5)] {
            test.run(&format!(
                "CREATE SEQUENCE attempts;
                CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF nextval('attempts') <= {failures} THEN RAISE EXCEPTION USING ERRCODE = '{code}'; END IF;
                    RETURN NULL;
                END $$;
                CREATE CONSTRAINT TRIGGER clash AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION clash();"
            ))
            .await;
            let current = found(&database, &order).await.order;
            let before = database.history(&order.payment_id).await.unwrap().len();

            let result = database.commit(&Commit { entries: vec![entry(EntryKind::Checked)], ..commit(&current) }).await;

            let written = database.history(&order.payment_id).await.unwrap().len() - before;
            match result {
                Ok(committed) => assert_eq!((committed, written, failures), (Committed::Done, 1, 4)),
                Err(error) => {
                    assert!(matches!(error, StoreError::Unavailable(_)));
                    assert_eq!((written, failures), (0, 5));
                }
            }
            test.run("DROP TRIGGER clash ON orders; DROP FUNCTION clash; DROP SEQUENCE attempts").await;
        }
    })
    .await;
}
