//! What PostgreSQL alone does to a change: clashes, lost connections, other servers.

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use wanryo::adapters::store::Database;
use wanryo::domain::history::EntryKind;
use wanryo::ports::store::{Commit, Committed, InboxStore, OrderStore, StoreError};

use super::fixtures::{accepted, at, commit, entry, order, payment, webhook};
use super::{created, found};
use crate::app::PATIENCE;
use crate::support::proxy::{Cut, Proxy};
use crate::support::{TestDatabase, with_postgres};

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

/// Returns when a session of this database waits for a lock.
pub(crate) async fn until_somebody_waits(observer: &mut PgConnection) {
    let look = async {
        loop {
            let (waiting,): (i64,) = sqlx::query_as(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut *observer)
            .await
            .unwrap();
            if waiting > 0 {
                break;
            }
        }
    };
    timeout(PATIENCE, look).await.unwrap();
}

#[tokio::test]
async fn a_change_that_is_a_deadlocks_victim_is_run_again() {
    with_postgres(|test| async move {
        let database = test.open().await;
        let order = created(&database, order("A")).await;
        let other = created(&database, super::fixtures::order("B")).await;
        let mut observer = PgConnection::connect(&test.url).await.unwrap();
        // It looks for a deadlock so late that the change is always first, and is the victim.
        let mut rival = PgConnection::connect(&test.url).await.unwrap();
        let transaction = format!(
            "SET deadlock_timeout = '1min'; BEGIN;
            INSERT INTO transactions (transaction_id, payment_id, status, verdict, cancelled_minor, checks, first_seen_at, checked_at)
                VALUES ('imp_1', '{}', 'ready', 'pending', 0, '[]', 0, 0)",
            other.payment_id
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(transaction)).execute(&mut rival).await.unwrap();

        // Holds the order, and waits for the transaction.
        let change = payment(&order, accepted("imp_1", &order));
        let committing = tokio::spawn({
            let database = database.clone();
            async move { database.commit(&change).await }
        });
        until_somebody_waits(&mut observer).await;
        // Holds the transaction, and waits for the order, until the change is sacrificed.
        sqlx::raw_sql("UPDATE orders SET name = name WHERE payment_id = 'A'").execute(&mut rival).await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut rival).await.unwrap();

        assert_eq!(committing.await.unwrap().unwrap(), Committed::Done);
        assert_eq!(database.history(&order.payment_id).await.unwrap().len(), 2, "written once");
    })
    .await;
}

/// The database as a server has it whose wire can be cut.
async fn behind_a_proxy(test: &TestDatabase) -> (Proxy, Database) {
    let proxy = Proxy::start(&test.url).await;
    let database = Database::open(&proxy.url).await.unwrap();
    (proxy, database)
}

#[tokio::test]
async fn a_connection_lost_during_a_commit_leaves_no_doubt() {
    with_postgres(|test| async move {
        let direct = test.open().await;
        let (proxy, database) = behind_a_proxy(&test).await;
        for (n, cut) in [Cut::BeforeTheServer, Cut::BeforeTheAnswer]
            .into_iter()
            .enumerate()
        {
            // Were one of these run again after it was written, its answer would be another one.
            proxy.cut(cut);
            let order = created(&database, order(&format!("order-{n}"))).await;
            assert!(proxy.has_cut());
            assert_eq!(
                direct.history(&order.payment_id).await.unwrap().len(),
                1,
                "{cut:?}"
            );

            proxy.cut(cut);
            let change = payment(&order, accepted(&format!("imp_{n}"), &order));
            assert_eq!(
                database.commit(&change).await.unwrap(),
                Committed::Done,
                "{cut:?}"
            );
            assert!(proxy.has_cut());
            assert_eq!(found(&direct, &order).await.order.version, 1, "{cut:?}");
            assert_eq!(
                direct.history(&order.payment_id).await.unwrap().len(),
                2,
                "{cut:?}"
            );
            assert_eq!(
                direct.outbox(&order.payment_id).await.unwrap().len(),
                1,
                "{cut:?}"
            );

            proxy.cut(cut);
            let id = database.receive(&webhook("nobody"), at(0)).await.unwrap();
            assert!(proxy.has_cut());
            let leased = direct.lease_inbox(at(0), at(1000), 10).await.unwrap();
            assert_eq!(
                leased
                    .iter()
                    .map(|entry| Some(entry.id))
                    .collect::<Vec<_>>(),
                [id],
                "{cut:?}"
            );

            proxy.cut(cut);
            database
                .append_history(&order.payment_id, &[entry(EntryKind::Checked)], 10)
                .await
                .unwrap();
            assert!(proxy.has_cut());
            assert_eq!(
                direct.history(&order.payment_id).await.unwrap().len(),
                3,
                "{cut:?}"
            );
        }
    })
    .await;
}

/// A crash empties the table of the mark; here a trigger does, with the commit whose answer is lost.
#[tokio::test]
async fn after_a_crash_a_number_may_be_another_transactions_and_nothing_is_claimed() {
    with_postgres(|test| async move {
        let direct = test.open().await;
        let (proxy, database) = behind_a_proxy(&test).await;
        let mut order = created(&database, order("A")).await;
        test.run(
            "CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM crash_mark; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER crash AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();",
        )
        .await;
        let marks = async || test.read("SELECT mark FROM crash_mark").await;
        let before = marks().await;

        proxy.cut(Cut::BeforeTheAnswer);
        let change = payment(&order, accepted("imp_1", &order));
        let committed = database.commit(&change).await;
        assert!(proxy.has_cut());
        assert!(matches!(committed, Err(StoreError::Unavailable(_))), "{committed:?}");
        assert_eq!(marks().await, Vec::<String>::new());

        // The next change leaves a mark anew, and what follows it is sure again.
        test.run("DROP TRIGGER crash ON orders").await;
        order = found(&direct, &order).await.order;
        for cut in [None, Some(Cut::BeforeTheServer), Some(Cut::BeforeTheAnswer)] {
            if let Some(cut) = cut {
                proxy.cut(cut);
            }
            let entries = [entry(EntryKind::Checked)];
            database.append_history(&order.payment_id, &entries, 10).await.unwrap();
            assert!(proxy.has_cut());
            assert!(marks().await.len() == 1 && marks().await != before, "{cut:?}");
        }
        assert_eq!(direct.history(&order.payment_id).await.unwrap().len(), 5);
    })
    .await;
}

/// Nothing else is going on, so no transaction that is over has a higher number.
#[tokio::test]
async fn a_connection_lost_while_the_server_commits_is_waited_for() {
    with_postgres(|test| async move {
        let direct = test.open().await;
        let (proxy, database) = behind_a_proxy(&test).await;
        let order = created(&database, order("A")).await;
        test.run(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                PERFORM pg_advisory_xact_lock(1);
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();",
        )
        .await;
        let mut holder = PgConnection::connect(&test.url).await.unwrap();
        let mut observer = PgConnection::connect(&test.url).await.unwrap();
        sqlx::raw_sql("SELECT pg_advisory_lock(1)").execute(&mut holder).await.unwrap();

        proxy.cut(Cut::WhileTheServerCommits);
        let change = payment(&order, accepted("imp_1", &order));
        let committing = tokio::spawn({
            let database = database.clone();
            async move { database.commit(&change).await }
        });
        // It has asked once what became of it, or has begun once more.
        let look = async {
            loop {
                let (looks, waiting): (i64, i64) = sqlx::query_as(
                    "SELECT count(*) FILTER (WHERE query = 'ROLLBACK'), count(*) FILTER (WHERE wait_event_type = 'Lock')
                    FROM pg_stat_activity WHERE datname = current_database()",
                )
                .fetch_one(&mut observer)
                .await
                .unwrap();
                if waiting > 1 || (waiting == 1 && looks > 0) {
                    break;
                }
            }
        };
        timeout(PATIENCE, look).await.unwrap();
        assert!(proxy.has_cut() && !committing.is_finished());
        sqlx::raw_sql("SELECT pg_advisory_unlock(1)").execute(&mut holder).await.unwrap();

        // Were it run again, its order would have moved on.
        assert_eq!(committing.await.unwrap().unwrap(), Committed::Done);
        assert_eq!(direct.history(&order.payment_id).await.unwrap().len(), 2);
    })
    .await;
}
