//! Orders as they are made, read and listed.

use jiff::Timestamp;
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::EntryKind;
use wanryo::domain::ids::{PaymentId, StatusToken};
use wanryo::domain::order::{Order, OrderStatus};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::store::{
    Commit, Committed, Created, OrderFilter, OrderStore, Snapshot, StoreError,
};

use super::fixtures::{
    accepted, at, commit, entry, event, full_order, order, payment, payment_id, transaction,
    transaction_id,
};
use super::{RIVALS, created, everything, found, race};
use crate::support::{TestDatabase, on_both_databases};

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
}
