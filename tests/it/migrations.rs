//! From every earlier version of the tables to this one, whatever kills the program on its way: each step is there as a whole or
//! not at all, the next start goes on, and what was written under the first version is still read.

use std::fs;
use std::path::Path;
use std::time::Instant;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::process::Command;
use wanryo::domain::ids::PaymentId;
use wanryo::ports::store::OrderStore as _;

use crate::app::TestApp;
use crate::program::{command, run};
use crate::support::{TestDatabase, on_both_databases};

/// How often the program is killed on its way from each version.
const KILLS: u32 = 10;

/// An order as the first version wrote it.
const OLD_ORDER: &str = "INSERT INTO orders (payment_id, version, name, amount_minor, currency, portone, buyer_tel, fingerprint,
        status_token, pay_token, status, refunded_minor, checks_without_change, created_at, updated_at)
    VALUES ('OLD', 0, '사과', 65000, 'KRW', 'v1', '010-1234-5678', 'x',
        'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'open', 0, 0, 1, 1)";

/// The steps of this database's kind, in order.
fn steps(test: &TestDatabase) -> Vec<std::path::PathBuf> {
    let kind = match test.sqlite_path() {
        Some(_) => "sqlite",
        None => "postgres",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(kind);
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Nothing is in it.
async fn emptied(test: &TestDatabase, name: &str) -> TestDatabase {
    if test.sqlite_path().is_some() {
        let url = format!("{}-{name}", test.url);
        return TestDatabase { url };
    }
    test.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    test.clone()
}

/// Brings an empty database to an earlier version, with an order that the first one wrote.
async fn brought_to(test: &TestDatabase, version: usize) {
    if let Some(path) = test.sqlite_path() {
        fs::File::create(path).unwrap();
    }
    let steps = steps(test);
    for known in [1, version] {
        let folder = std::env::temp_dir().join(format!("{:032x}", rand::random::<u128>()));
        fs::create_dir(&folder).unwrap();
        for step in &steps[..known] {
            fs::copy(step, folder.join(step.file_name().unwrap())).unwrap();
        }
        let migrator = Migrator::new(folder.as_path()).await.unwrap();
        match test.sqlite_path() {
            Some(path) => {
                let mut conn = SqliteConnection::connect(path).await.unwrap();
                migrator.run(&mut conn).await.unwrap();
            }
            None => {
                let mut conn = PgConnection::connect(&test.url).await.unwrap();
                migrator.run(&mut conn).await.unwrap();
            }
        }
        fs::remove_dir_all(folder).unwrap();
        if known == 1 {
            test.run(OLD_ORDER).await;
        }
        if version == 1 {
            break;
        }
    }
}

/// All that makes up the tables.
async fn tables(test: &TestDatabase) -> Vec<String> {
    let all = match test.sqlite_path() {
        Some(_) => {
            "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_schema ORDER BY 1"
        }
        None => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '')
                    || ' ' || COALESCE(generation_expression, '') AS part
                FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'
            ORDER BY part"
        }
    };
    let tables = test.read(all).await;
    assert!(tables.len() > 20, "{tables:?}");
    tables
}

on_both_databases! {
    async fn a_step_is_whole_or_not_there_whatever_kills_the_program(test: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let migrate = |test: &TestDatabase| -> Command {
            let mut command = command(test, &sandbox);
            command.arg("migrate");
            command
        };
        let fresh = emptied(&test, "fresh").await;
        let started = Instant::now();
        run(migrate(&fresh), &[], "").await;
        let whole = started.elapsed();
        let expected = tables(&fresh).await;
        let newest = steps(&test).len();

        let mut cut_short = 0;
        for version in 1..newest {
            let old = emptied(&test, &version.to_string()).await;
            brought_to(&old, version).await;
            for kill in 0..KILLS {
                let mut child = migrate(&old).spawn().unwrap();
                // Spread over all that the program does, the early ones first: what is whole cannot be cut short any more.
                let part = (f64::from(kill) + rand::random::<f64>()) / f64::from(KILLS);
                let moment = whole.mul_f64(part);
                tokio::time::sleep(moment).await;
                child.kill().await.unwrap();

                let at = format!("from {version}, kill {kill} after {moment:?}");
                // In one look: a server may still commit what the killed program had sent.
                let applied = old.read("SELECT CAST(success AS TEXT) FROM _sqlx_migrations").await;
                assert!(applied.iter().all(|success| ["1", "true"].contains(&success.as_str())), "{at}: a step is there in half: {applied:?}");
                assert!((version..=newest).contains(&applied.len()), "{at}: {applied:?}");
                if applied.len() < newest {
                    cut_short += 1;
                }
            }

            let database = old.open().await;
            assert_eq!(tables(&old).await, expected, "from {version}");
            let order = database.find_order(&PaymentId::parse("OLD").unwrap()).await.unwrap().unwrap().order;
            assert_eq!((order.amount.minor, order.buyer.tel.as_deref()), (65_000, Some("010-1234-5678")), "from {version}");
            assert_eq!(old.read("SELECT buyer_tel_tail FROM orders").await, ["5678"], "from {version}");
            database.close().await;
        }
        assert!(cut_short > 0, "no kill came in time: {whole:?}");
    }
}
