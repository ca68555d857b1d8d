//! Opening, closing and opening again: what a database must be before anything is written to it.

use std::collections::BTreeSet;

use wanryo::adapters::store::{Database, OpenError};
use wanryo::domain::order::Order;
use wanryo::ports::store::{Commit, Committed, InboxStore, OrderStore, StoreError};

use super::fixtures::{
    accepted, at, commit, event, full_order, full_transaction, order, payment, webhook,
};
use super::{created, everything, ids};
use crate::support::{TestDatabase, on_both_databases, with_postgres, with_sqlite};

/// SQLite moves content over at 1,000 pages of 4 KiB; the change that reaches them may add some.
const LOG_BYTES_MAX: u64 = 1_200 * 4_096;
/// Changes that write several times as much.
const WRITES: usize = 1_000;

on_both_databases! {
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
        test.run("UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)").await;

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
            FROM sqlite_schema m, pragma_table_xinfo(m.name) c
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
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
            AND table_name NOT IN (SELECT viewname FROM pg_views WHERE schemaname = 'public')";
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

    // How SQLite's crashes end is SQLite's own to know.
    for parts in &mut postgres {
        parts.retain(|part| !part.starts_with("crash_mark"));
    }
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

/// Content of the log is moved over while nobody reads for long, so that the log is written from its beginning again.
#[tokio::test]
async fn sqlites_write_ahead_log_does_not_grow_with_what_is_written() {
    with_sqlite(|test| async move {
        let database = test.open().await;
        let path = test.sqlite_path().unwrap();
        let bytes = |file: &str| std::fs::metadata(file).unwrap().len();
        let log = format!("{path}-wal");
        let (begun, mut largest) = (bytes(path), 0);
        for n in 0..WRITES {
            created(&database, order(&format!("order-{n}"))).await;
            largest = largest.max(bytes(&log));
        }

        assert!(bytes(path) > begun, "nothing was moved over");
        assert!(largest < LOG_BYTES_MAX, "{largest}");
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
