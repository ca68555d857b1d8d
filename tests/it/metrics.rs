//! What operators can count: the text is what Prometheus reads, the numbers are what happened, and nothing in it is anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use wanryo::domain::delivery::Trouble;
use wanryo::ports::clock::Clock;
use wanryo::service::{deliveries, inbox, reconciliation};

use crate::app::{Answer, TestApp};
use crate::by_hand::Ahead;
use crate::events::receiver::Receiver;
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

/// Further ahead than an answer of the database is kept.
const NEW_ANSWER: Duration = Duration::from_secs(11);
const MINUTE: Duration = Duration::from_secs(60);
/// Labels that there may be, and nothing else.
const LABELS: [&str; 9] = [
    "version", "outcome", "asker", "result", "portone", "call", "queue", "status", "le",
];

type Labels = BTreeMap<String, String>;

/// A scrape, read as strictly as `promtool check metrics` does.
struct Scrape(BTreeMap<(String, Labels), f64>);

impl Scrape {
    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let (mut kinds, mut described) = (BTreeMap::new(), BTreeSet::new());
        let mut samples = BTreeMap::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.is_empty() && described.insert(name), "{line}");
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(kinds.insert(name, kind).is_none(), "twice: {line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value
                .parse()
                .unwrap_or_else(|_| panic!("no number: {line}"));
            let (name, labels) = match series.split_once('{') {
                None => (series, Labels::new()),
                Some((name, rest)) => (name, labels(rest.strip_suffix('}').unwrap())),
            };
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(is_name), "{line}");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .filter(|family| kinds.get(family) == Some(&"histogram"))
                .unwrap_or(name);
            assert!(kinds.contains_key(family), "no TYPE before: {line}");
            assert!(described.contains(family), "no HELP before: {line}");
            let old = samples.insert((name.to_owned(), labels), value);
            assert_eq!(old, None, "twice: {line}");
        }
        let scrape = Self(samples);
        scrape.check_histograms(&kinds);
        scrape
    }

    /// Buckets add up: none has less than the one below it, and the last has all.
    fn check_histograms(&self, kinds: &BTreeMap<&str, &str>) {
        for (family, _) in kinds.iter().filter(|(_, kind)| **kind == "histogram") {
            let mut rows: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((name, labels), value) in &self.0 {
                if *name == format!("{family}_bucket") {
                    let mut labels = labels.clone();
                    let bound = labels.remove("le").unwrap().replace("+Inf", "inf");
                    let row = rows.entry(labels).or_default();
                    row.push((bound.parse().unwrap(), *value));
                }
            }
            for (labels, mut row) in rows {
                row.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(row.is_sorted_by(|a, b| a.1 <= b.1), "{family} {labels:?}");
                let count = self.0[&(format!("{family}_count"), labels)];
                assert_eq!(
                    row.last().copied(),
                    Some((f64::INFINITY, count)),
                    "{family}"
                );
            }
        }
    }

    /// What a series says; 0 when there is none yet.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels
            .iter()
            .map(|(name, word)| ((*name).to_owned(), (*word).to_owned()));
        let key = (format!("wanryo_{name}"), labels.collect());
        self.0.get(&key).copied().unwrap_or_default()
    }
}

fn labels(text: &str) -> Labels {
    let pairs = text.split(',').map(|pair| {
        let (name, word) = pair.split_once('=').unwrap();
        let word = word.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        assert!(!word.contains(['"', '\\']), "{pair}");
        (name.to_owned(), word.to_owned())
    });
    pairs.collect()
}

async fn answer(app: &TestApp) -> Answer {
    app.send(app.client.get(app.url("/metrics"))).await
}

async fn scrape(app: &TestApp, clock: &Ahead) -> Scrape {
    clock.push(NEW_ANSWER);
    let answer = answer(app).await;
    assert_eq!(answer.status, StatusCode::OK);
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    Scrape::read(&answer.text)
}

async fn start(db: &TestDatabase, clock: &Arc<Ahead>) -> TestApp {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    TestApp::start_at(db, TestApp::new_sandbox().await, |_| {}, clock).await
}

on_both_databases! {
    async fn what_happened_is_counted(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;

        let fresh = scrape(&app, &clock).await;
        assert_eq!(fresh.value("build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
        assert_eq!(fresh.value("database_up", &[]), 1.0);
        assert_eq!(fresh.value("asks_total", &[("asker", "visitor"), ("result", "made")]), 0.0);

        // One order is paid and told by both ways, one is paid twice, one stays open.
        for id in ["PAID", "TWICE", "OPEN"] {
            app.order(id).await;
        }
        let paid = app.pay("PAID", json!({}));
        assert_eq!(app.complete(&format!("imp_uid={paid}&merchant_uid=PAID")).await.outcome(), "paid");
        assert_eq!(app.webhook(&paid, "PAID", "paid").await.status, StatusCode::OK);
        for _ in 0..2 {
            let imp_uid = app.pay("TWICE", json!({}));
            app.page(&format!("/payments/complete?imp_uid={imp_uid}&merchant_uid=TWICE")).await;
        }
        app.complete("merchant_uid=NOBODY").await;
        app.complete("merchant_uid=%00").await;
        // A webhook of an order that does not exist waits; one with a wrong signature is refused.
        assert_eq!(app.webhook("imp_1", "LATER", "paid").await.status, StatusCode::OK);
        let forged = app.signed("/payments/webhook", "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==", "wh-1", clock.now().as_second(), "application/json", "{}".to_owned()).await;
        assert_eq!(forged.status, StatusCode::BAD_REQUEST);

        let after = scrape(&app, &clock).await;
        for (outcome, count) in [("paid", 2.0), ("duplicate", 1.0), ("not_found", 1.0), ("invalid", 1.0), ("unconfirmed", 0.0)] {
            assert_eq!(after.value("completions_total", &[("outcome", outcome)]), count, "{outcome}");
        }
        assert_eq!(after.value("webhooks_total", &[("portone", "v1"), ("result", "taken")]), 2.0);
        assert_eq!(after.value("webhooks_total", &[("portone", "v2"), ("result", "invalid-signature")]), 1.0);
        assert_eq!(after.value("webhook_seconds_count", &[("result", "done")]), 1.0);
        assert_eq!(after.value("queue_waiting", &[("queue", "inbox")]), 1.0);
        assert_eq!(after.value("queue_due", &[("queue", "inbox")]), 0.0, "nobody looks for it before long");
        for (status, count) in [("open", 1.0), ("paid", 2.0), ("held", 0.0)] {
            assert_eq!(after.value("orders", &[("status", status)]), count, "{status}");
        }
        assert_eq!(after.value("attention_items", &[]), 1.0);
        let ok = |call| after.value("portone_call_seconds_count", &[("portone", "v1"), ("call", call), ("result", "ok")]);
        assert_eq!((ok("prepare"), ok("attempts")), (3.0, app.running_asks(&after)));
        assert!(ok("attempts") >= 4.0);

        // Time passes, and nobody works: what is due grows old.
        clock.push(Duration::from_secs(7 * 3600));
        let later = scrape(&app, &clock).await;
        assert_eq!(later.value("queue_due", &[("queue", "inbox")]), 1.0);
        assert!(later.value("queue_age_seconds", &[("queue", "inbox")]) > 3600.0);
        assert!(later.value("queue_due", &[("queue", "checks")]) >= 1.0);
        assert!(later.value("queue_age_seconds", &[("queue", "checks")]) > 6.0 * 3600.0);
        let core = &app.running.core;
        inbox::work_off_due(core, 50).await.unwrap();
        reconciliation::reconcile_due(core, 50).await.unwrap();
        let worked = scrape(&app, &clock).await;
        for queue in ["inbox", "checks"] {
            assert_eq!(worked.value("queue_due", &[("queue", queue)]), 0.0, "{queue}");
            assert_eq!(worked.value("queue_age_seconds", &[("queue", queue)]), 0.0, "{queue}");
        }
        assert!(worked.value("asks_total", &[("asker", "reconciler"), ("result", "made")]) >= 1.0);
    }

    async fn events_that_wait_and_events_that_were_sent_are_counted(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let receiver = Receiver::start().await;
        let mut endpoints = Vec::new();
        // Nobody listens at the second one.
        for url in [receiver.url.as_str(), "http://127.0.0.1:1/"] {
            let made = app.api(Method::POST, "/api/v1/webhook-endpoints", Some(json!({ "url": url }))).await.json();
            endpoints.push(format!("/api/v1/webhook-endpoints/{}", made["id"].as_str().unwrap()));
        }
        let queue = |scrape: &Scrape| ["queue_waiting", "queue_due", "queue_age_seconds"].map(|name| scrape.value(name, &[("queue", "deliveries")]));
        let sent = |scrape: &Scrape| ["delivered", "connect_failed", "timeout"].map(|word| scrape.value("deliveries_total", &[("result", word)]));
        let fresh = scrape(&app, &clock).await;
        assert_eq!((queue(&fresh), sent(&fresh)), ([0.0; 3], [0.0; 3]));
        let words = fresh.0.keys().filter(|(name, _)| name == "wanryo_deliveries_total").count();
        assert_eq!(words, Trouble::ALL.len() + 1, "each is there from the start");

        app.order("PAID").await;
        let imp_uid = app.pay("PAID", json!({}));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=PAID")).await;
        let [waiting, due, age] = queue(&scrape(&app, &clock).await);
        assert_eq!((waiting, due), (2.0, 2.0));
        assert!((11.0..60.0).contains(&age), "{age}");

        deliveries::deliver_due(&app.running.core).await.unwrap();
        let tried = scrape(&app, &clock).await;
        assert_eq!(sent(&tried), [1.0, 1.0, 0.0]);
        let [waiting, due, age] = queue(&tried);
        assert_eq!((waiting, due), (1.0, 1.0), "after five seconds it is sent again");
        assert!((1.0..11.0).contains(&age), "{age}");

        // One that rests is due when it may be tried, not since its events are; one that is off has nothing due.
        let in_a_minute = (clock.now() + MINUTE).as_microsecond();
        db.run(&format!("UPDATE webhook_endpoints SET resume_at = {in_a_minute}")).await;
        let [waiting, due, age] = queue(&scrape(&app, &clock).await);
        assert_eq!((waiting, due, age), (1.0, 0.0, 0.0));
        clock.push(MINUTE);
        let [_, due, age] = queue(&scrape(&app, &clock).await);
        assert!(due == 1.0 && (11.0..60.0).contains(&age), "{due} {age}");
        app.api(Method::PATCH, &endpoints[1], Some(json!({ "enabled": false }))).await;
        assert_eq!(queue(&scrape(&app, &clock).await), [1.0, 0.0, 0.0]);
    }

    async fn a_portone_that_is_down_and_a_flood_are_seen(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        app.order("DOWN").await;
        app.order("FLOOD").await;
        // Strangers make up ids, more than their budget is for.
        for n in 0..25 {
            app.complete(&format!("merchant_uid=FLOOD&imp_uid=imp_{n}&again=1")).await;
        }
        let flooded = scrape(&app, &clock).await;
        assert!(flooded.value("asks_total", &[("asker", "stranger"), ("result", "made")]) >= 10.0);
        assert!(flooded.value("asks_total", &[("asker", "stranger"), ("result", "over_budget")]) >= 5.0);
        assert_eq!(flooded.value("portone_down", &[("portone", "v1")]), 0.0);

        app.sandbox.fault(json!({ "call": "any", "kind": "status", "status": 503 })).unwrap();
        for _ in 0..12 {
            assert_eq!(app.complete("merchant_uid=DOWN&again=1").await.outcome(), "unconfirmed");
        }

        let down = scrape(&app, &clock).await;
        assert_eq!(down.value("portone_down", &[("portone", "v1")]), 1.0);
        assert_eq!(down.value("portone_down", &[("portone", "v2")]), 0.0);
        assert_eq!(down.value("completions_total", &[("outcome", "unconfirmed")]), 12.0);
        assert!(down.value("asks_total", &[("asker", "visitor"), ("result", "portone_down")]) >= 1.0);
        assert!(down.value("portone_call_seconds_count", &[("portone", "v1"), ("call", "attempts"), ("result", "unavailable")]) >= 10.0);
    }
}

impl TestApp {
    /// How often PortOne's V1 was asked, by the counter of those who ask.
    fn running_asks(&self, scrape: &Scrape) -> f64 {
        ["known", "visitor", "stranger", "reconciler"]
            .iter()
            .map(|asker| scrape.value("asks_total", &[("asker", asker), ("result", "made")]))
            .sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_makes_no_new_series_and_leaves_no_trace() {
    with_sqlite(|db| async move {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let round = async |from: usize| {
            for n in from..from + 20 {
                let id = format!("CANARY-{n}");
                app.order_with(
                    &id,
                    json!({ "buyer": { "name": "canary", "tel": "010-0000-0000" } }),
                )
                .await;
                let imp_uid = app.pay(&id, json!({ "buyer_name": "canary" }));
                app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}&x=canary{n}"))
                    .await;
                app.webhook(&imp_uid, &id, &format!("canary-{n}")).await;
                app.page(&format!("/canary/{n}")).await;
            }
            clock.push(NEW_ANSWER);
            answer(&app).await.text
        };
        let first = Scrape::read(&round(0).await);
        let text = round(20).await;
        let second = Scrape::read(&text);

        let series = |scrape: &Scrape| scrape.0.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(series(&first), series(&second));
        assert!(series(&second).len() < 500);
        for (name, labels) in second.0.keys() {
            for (label, word) in labels {
                assert!(LABELS.contains(&label.as_str()), "{name} {label}");
                assert!(word.len() <= 24, "{name} {label}={word}");
            }
        }
        assert!(
            !text.to_lowercase().contains("canary") && !text.contains("imp_"),
            "{text}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_may_read_them() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        assert_eq!(answer(&app).await.status, StatusCode::OK);
        for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
            let handed_on = app
                .client
                .get(app.url("/metrics"))
                .header(header, "127.0.0.1");
            let answer = app.send(handed_on).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{header}");
            assert!(!answer.text.contains("wanryo"), "{}", answer.text);
        }
        app.running.stop().await;

        // Behind a proxy whose word counts, the client's own address does.
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            settings.metrics_sources = vec!["10.0.0.0/8".parse().unwrap()];
        })
        .await;
        for (client, status) in [
            ("10.1.2.3", StatusCode::OK),
            ("203.0.113.9", StatusCode::NOT_FOUND),
            ("10.1.2.3, 203.0.113.9", StatusCode::NOT_FOUND),
        ] {
            let handed_on = app
                .client
                .get(app.url("/metrics"))
                .header("x-forwarded-for", client);
            assert_eq!(app.send(handed_on).await.status, status, "{client}");
        }
        assert_eq!(
            answer(&app).await.status,
            StatusCode::NOT_FOUND,
            "the proxy itself"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_counted_from_an_index() {
    with_sqlite(|db| async move {
        db.open().await.close().await;
        let mut conn = SqliteConnection::connect(db.sqlite_path().unwrap())
            .await
            .unwrap();
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "EXPLAIN QUERY PLAN SELECT status, COUNT(*) FROM orders GROUP BY status",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();

        assert_eq!(
            plan[0].3,
            "SCAN orders USING COVERING INDEX orders_status_idx"
        );
    })
    .await;
}
