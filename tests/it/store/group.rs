//! Changes that are written at the same time.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::Poll;

use sqlx::{Connection, PgConnection, SqliteConnection};
use wanryo::domain::history::EntryKind;
use wanryo::domain::ids::TransactionId;
use wanryo::domain::order::{Order, OrderStatus};
use wanryo::ports::store::{
    Commit, Committed, Created, InboxEntry, InboxResult, InboxStore, OrderStore, Received,
    StoreError,
};

use super::fixtures::{accepted, at, commit, entry, order, payment, transaction, webhook};
use super::{created, everything, found};
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

/// More than may wait, by far.
const FLOOD: usize = 1_500;

/// Keeps everybody from writing webhooks, and on SQLite from writing anything.
enum Blockade {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Blockade {
    async fn begin(test: &TestDatabase) -> Self {
        match test.sqlite_path() {
            Some(path) => {
                let mut conn = SqliteConnection::connect(path).await.unwrap();
                sqlx::raw_sql("BEGIN IMMEDIATE")
                    .execute(&mut conn)
                    .await
                    .unwrap();
                Self::Sqlite(conn)
            }
            None => {
                let mut conn = PgConnection::connect(&test.url).await.unwrap();
                sqlx::raw_sql("BEGIN; LOCK TABLE inbox IN SHARE MODE")
                    .execute(&mut conn)
                    .await
                    .unwrap();
                Self::Postgres(conn)
            }
        }
    }

    async fn end(self) {
        match self {
            Self::Sqlite(mut conn) => sqlx::raw_sql("ROLLBACK")
                .execute(&mut conn)
                .await
                .map(drop)
                .unwrap(),
            Self::Postgres(mut conn) => sqlx::raw_sql("ROLLBACK")
                .execute(&mut conn)
                .await
                .map(drop)
                .unwrap(),
        }
    }
}

/// Begins a call, and does not wait for it; gives what it came to if that was known at once.
async fn begin<T>(call: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    tokio::select! {
        biased;
        done = call => Some(done),
        () = ready(()) => None,
    }
}

on_both_databases! {
    async fn beyond_a_bound_a_change_is_refused_at_once(test: TestDatabase) {
        let database = test.open().await;
        let blockade = Blockade::begin(&test).await;
        let one = webhook("A");

        let mut waiting = Vec::new();
        let mut refused = 0;
        for _ in 0..FLOOD {
            let mut call = database.receive(&one, at(0));
            match begin(&mut call).await {
                None => waiting.push(call),
                Some(Err(StoreError::Unavailable(_))) => refused += 1,
                Some(other) => panic!("{other:?}"),
            }
        }
        blockade.end().await;

        assert!(waiting.len() >= 1024, "{}", waiting.len());
        assert!(refused >= FLOOD - 1024 - 64, "one group may have been taken from the queue: {refused}");
        let accepted = waiting.len();
        for answer in all(waiting).await {
            assert!(answer.unwrap().is_some());
        }
        assert_eq!(database.lease_inbox(at(0), at(60), u32::MAX).await.unwrap().len(), accepted);
        database.receive(&one, at(0)).await.unwrap();
    }

    async fn who_stops_waiting_leaves_nothing_half_and_keeps_nobody(test: TestDatabase) {
        let database = test.open().await;
        let blockade = Blockade::begin(&test).await;
        let (gone, stays) = (webhook("gone"), webhook("stays"));
        let mut staying = Vec::new();
        for _ in 0..100 {
            let mut call = database.receive(&gone, at(0));
            assert!(begin(&mut call).await.is_none());
            drop(call);
            let mut call = database.receive(&stays, at(0));
            assert!(begin(&mut call).await.is_none());
            staying.push(call);
        }
        blockade.end().await;

        for answer in all(staying).await {
            assert!(answer.unwrap().is_some());
        }
        let mut leased = database.lease_inbox(at(0), at(60), 1000).await.unwrap();
        leased.retain(|entry| entry.payment_id.as_str() == "stays");
        assert_eq!(leased.len(), 100);
    }
}

on_both_databases! {
    async fn webhooks_that_come_and_end_together_keep_their_own_keys_and_results(test: TestDatabase) {
        let database = test.open().await;
        let webhooks: Vec<Received> = (0..43)
            .map(|n| Received {
                // One message three times, among others.
                webhook_id: if n % 20 == 1 { Some("wh-0001".to_owned()) } else { None },
                claimed_status: Some(n.to_string()),
                ..webhook(&format!("order-{n}"))
            })
            .collect();

        let answers = together(&test, webhooks.iter().map(|one| database.receive(one, at(0))).collect()).await;
        let keys: Vec<Option<i64>> = answers.into_iter().map(Result::unwrap).collect();
        let leased = database.lease_inbox(at(0), at(60), 100).await.unwrap();

        assert_eq!(keys.iter().flatten().count(), 41, "a message is one entry");
        assert_eq!(leased.len(), 41);
        for entry in &leased {
            let told = keys.iter().position(|key| *key == Some(entry.id)).unwrap();
            assert_eq!(entry.payment_id, webhooks[told].payment_id);
            assert_eq!(entry.claimed_status, webhooks[told].claimed_status);
        }

        let end = |entry: &InboxEntry| match entry.id % 4 {
            0 => (entry.lease, InboxResult::Done),
            1 => (entry.lease, InboxResult::Dropped),
            2 => (entry.lease, InboxResult::Again(at(70 + entry.id))),
            // Somebody else has it now.
            _ => (entry.lease - 1, InboxResult::Done),
        };
        let ended = together(
            &test,
            leased
                .iter()
                .map(|entry| {
                    let (lease, result) = end(entry);
                    database.settle(entry.id, lease, result)
                })
                .collect(),
        )
        .await;

        assert!(ended.iter().all(Result::is_ok));
        let mut waiting = database.lease_inbox(at(1_000), at(2_000), 100).await.unwrap();
        waiting.sort_by_key(|entry| entry.id);
        let mut wanted: Vec<(i64, i64)> = leased
            .iter()
            .filter(|entry| entry.id % 4 >= 2)
            .map(|entry| (entry.id, i64::from(entry.id % 4 == 2)))
            .collect();
        wanted.sort_unstable();
        assert_eq!(waiting.iter().map(|entry| (entry.id, entry.attempts)).collect::<Vec<_>>(), wanted);
    }
}

/// Begins all of them while nobody can write, so that they are written as a group, and gives what came of each.
async fn together<T>(
    test: &TestDatabase,
    mut calls: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>,
) -> Vec<T> {
    let blockade = Blockade::begin(test).await;
    for call in &mut calls {
        assert!(begin(call).await.is_none());
    }
    blockade.end().await;
    all(calls).await
}

/// Waits for all of them at once: one that is ahead in the queue for a connection holds up the others while nobody polls it.
async fn all<T>(mut calls: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = calls.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (call, answer) in calls.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(came) = call.as_mut().poll(context)
            {
                *answer = Some(came);
            }
        }
        if answers.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[tokio::test]
async fn of_a_group_a_refused_change_is_undone_alone() {
    with_sqlite(|test| async move {
        let database = test.open().await;
        let mut orders = Vec::new();
        for n in 0..30 {
            orders.push(created(&database, order(&format!("order-{n}"))).await);
        }
        let taken = created(&database, order("taken")).await;
        database
            .commit(&payment(&taken, accepted("imp_taken", &taken)))
            .await
            .unwrap();
        // A third is written, a third has lost against a newer version, a third wants what another order has.
        let changes: Vec<Commit> = orders
            .iter()
            .enumerate()
            .map(|(n, order)| match n % 3 {
                0 => payment(order, accepted(&format!("imp_{n}"), order)),
                1 => Commit {
                    entries: vec![entry(EntryKind::Checked)],
                    ..commit(&Order {
                        version: 7,
                        ..order.clone()
                    })
                },
                _ => Commit {
                    transactions: vec![
                        transaction("imp_mine", order),
                        transaction("imp_taken", order),
                    ],
                    ..commit(order)
                },
            })
            .collect();
        let mut before = Vec::new();
        for order in &orders {
            before.push(everything(&database, order).await);
        }

        let results = together(
            &test,
            changes
                .iter()
                .map(|change| database.commit(change))
                .collect(),
        )
        .await;

        for (n, (order, result)) in orders.iter().zip(results).enumerate() {
            let wanted = [
                Committed::Done,
                Committed::Conflict,
                Committed::TransactionTaken,
            ][n % 3];
            assert_eq!(result.unwrap(), wanted, "{n}");
            if wanted == Committed::Done {
                assert_eq!(
                    found(&database, order).await.order.status,
                    OrderStatus::Paid
                );
                assert_eq!(database.outbox(&order.payment_id).await.unwrap().len(), 1);
            } else {
                assert_eq!(everything(&database, order).await, before[n], "{n}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_a_group_a_change_that_cannot_be_written_fails_alone() {
    with_sqlite(|test| async move {
        let database = test.open().await;
        let mut changes = Vec::new();
        for n in 0..9 {
            let order = created(&database, order(&format!("order-{n}"))).await;
            let mut change = payment(&order, accepted(&format!("imp_{n}"), &order));
            if n == 4 {
                // Paid by a transaction that is not there. The database finds out at COMMIT, which is everybody's.
                change.order.accepted_transaction_id =
                    Some(TransactionId::parse("imp_nowhere").unwrap());
                change.transactions.clear();
            }
            changes.push(change);
        }

        let results = together(
            &test,
            changes
                .iter()
                .map(|change| database.commit(change))
                .collect(),
        )
        .await;

        for (n, (change, result)) in changes.iter().zip(results).enumerate() {
            let stored = found(&database, &change.order).await.order;
            if n == 4 {
                assert!(
                    matches!(result, Err(StoreError::Unavailable(_))),
                    "{result:?}"
                );
                assert_eq!((stored.status, stored.version), (OrderStatus::Open, 0));
            } else {
                assert_eq!(result.unwrap(), Committed::Done);
                assert_eq!((stored.status, stored.version), (OrderStatus::Paid, 1));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_a_group_that_makes_one_order_one_does() {
    with_sqlite(|test| async move {
        let database = test.open().await;
        let orders: Vec<Order> = (0..20).map(|_| order("A")).collect();
        let entry = entry(EntryKind::OrderCreated);

        let results = together(
            &test,
            orders
                .iter()
                .map(|order| database.create_order(order, &entry))
                .collect(),
        )
        .await;

        let made: Vec<&Order> = orders
            .iter()
            .zip(&results)
            .filter(|(_, result)| matches!(result, Ok(Created::New)))
            .map(|(order, _)| order)
            .collect();
        assert_eq!(made.len(), 1);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(found(&database, made[0]).await.order, *made[0]);
        assert_eq!(
            database.history(&made[0].payment_id).await.unwrap().len(),
            1
        );
    })
    .await;
}
