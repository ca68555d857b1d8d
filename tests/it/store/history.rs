//! History of an order.

use std::collections::BTreeSet;

use wanryo::domain::history::{Entry, EntryKind};
use wanryo::ports::store::{Commit, Committed, OrderStore};

use super::fixtures::{self, at, commit, entry, once, order, payment_id};
use super::{created, found, race};
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
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
}
