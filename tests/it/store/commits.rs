//! Changes of an order: all or nothing, on one version, and never a contradiction.

use serde_json::json;
use wanryo::domain::event::Event;
use wanryo::domain::history::{Entry, EntryKind};
use wanryo::domain::money::AMOUNT_MINOR_MAX;
use wanryo::domain::order::{Order, OrderStatus};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::store::{Commit, Committed, OrderFilter, OrderStore, Snapshot, StoreError};

use super::fixtures::{
    self, accepted, at, commit, entry, event, full_order, full_transaction, order, payment,
    transaction, transaction_id,
};
use super::{RIVALS, created, everything, found, race};
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
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
        let paid = database.list_orders(&OrderFilter { status: Some(OrderStatus::Paid), limit: 100, ..OrderFilter::default() }).await.unwrap().orders;
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
}
