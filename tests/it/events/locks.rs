//! Two transactions on PostgreSQL at the same moment, one of which the test holds open by hand.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use wanryo::domain::delivery::{Attempt, DeliveryStatus, EndpointId, LEASE, News, Next};
use wanryo::domain::event::EventType;
use wanryo::domain::history::Actor;
use wanryo::ports::deliveries::{Again, Settled, Settlement};

use super::Shop;
use super::receiver::Receiver;
use crate::store::postgres::until_somebody_waits;
use crate::support::{TestDatabase, with_postgres};

/// Somebody else's transaction, and a look at who waits for it.
struct Rival {
    conn: PgConnection,
    observer: PgConnection,
}

impl Rival {
    async fn begin(db: &TestDatabase, sql: &str) -> Self {
        let connect = async || PgConnection::connect(&db.url).await.unwrap();
        let (conn, observer) = (connect().await, connect().await);
        let mut rival = Self { conn, observer };
        rival.run(&format!("BEGIN; {sql}")).await;
        rival
    }

    async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        sql.execute(&mut self.conn).await.unwrap();
    }

    /// Goes on once somebody waits for it.
    async fn end(mut self, sql: &str) {
        until_somebody_waits(&mut self.observer).await;
        self.run(&format!("{sql}; COMMIT")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_meets_the_end_of_its_endpoint_waits_for_nobody() {
    with_postgres(|db| async move {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let pending = async || db.read("SELECT payment_id FROM deliveries WHERE status = 'pending'").await;

        // The endpoint is being deleted when the event is written.
        shop.endpoint(&receiver).await;
        shop.app.order("LATE").await;
        let delete = "SELECT 1 FROM webhook_endpoints FOR UPDATE;
            UPDATE webhook_endpoints SET status = 'deleted', secret = NULL, previous_secret = NULL, previous_valid_until = NULL, resume_at = NULL";
        let rival = Rival::begin(&db, delete).await;
        tokio::join!(shop.happens("LATE", EventType::OrderPaid), rival.end("SELECT 1"));
        assert_eq!(pending().await, Vec::<String>::new());

        // The event is being written when the endpoint is deleted.
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("EARLY", &[EventType::OrderPaid]).await;
        assert_eq!(pending().await, ["EARLY"]);
        db.run("DELETE FROM deliveries").await;
        let rival = Rival::begin(&db, &format!("SELECT 1 FROM webhook_endpoints WHERE endpoint_id = '{id}' FOR KEY SHARE")).await;
        let write = format!(
            "INSERT INTO deliveries (endpoint_id, event_id, payment_id, seq, status, attempts, tries, next_attempt_at, lease, created_at, updated_at)
            SELECT '{id}', o.id, o.payment_id, o.seq, 'pending', 0, 0, o.at, 0, o.at, o.at FROM outbox AS o WHERE o.payment_id = 'EARLY'"
        );
        let path = format!("/api/v1/webhook-endpoints/{id}");
        let (deleted, ()) = tokio::join!(shop.app.api(Method::DELETE, &path, None), rival.end(&write));
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        assert_eq!(pending().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_meets_the_erasure_of_its_order_is_erased_later() {
    with_postgres(|db| async move {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        let core = shop.core();
        let (now, endpoint_id) = (core.clock.now(), EndpointId::parse(&id).unwrap());
        let leased = core
            .deliveries
            .lease_deliveries(&endpoint_id, now, now + LEASE, 10)
            .await;
        let attempt = Attempt {
            number: 1,
            at: now,
            duration_ms: 10,
            code: Some(200),
            trouble: None,
            answer: Some("홍길동".to_owned()),
        };
        let settlement = Settlement {
            delivery: leased.unwrap().remove(0),
            endpoint_id,
            url: receiver.url.clone(),
            attempt,
            next: Next::Delivered,
            news: News::Works,
            at: now + SignedDuration::from_secs(1),
        };
        let erase = "UPDATE orders SET to_erase = 0, erased_at = created_at";
        let rival = Rival::begin(&db, erase).await;

        let (settled, ()) = tokio::join!(
            core.deliveries.settle_delivery(&settlement),
            rival.end("SELECT 1")
        );

        assert_eq!(settled.unwrap(), Settled::Written);
        assert_eq!(
            db.read("SELECT CAST(to_erase AS TEXT) FROM orders").await,
            ["1"]
        );
        let kept = shop.delivery(&json!(settlement.delivery.id)).await;
        assert_eq!(kept["attempts"][0]["answer"], "홍길동");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_many_again_beside_another_is_given_the_next_ones() {
    with_postgres(|db| async move {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        for order in ["A", "B", "C", "D"] {
            shop.happened(order, &[EventType::OrderPaid]).await;
        }
        db.run("UPDATE deliveries SET status = 'given_up', next_attempt_at = NULL")
            .await;
        let core = shop.core();
        let again = Again {
            endpoint_id: EndpointId::parse(&id).unwrap(),
            status: DeliveryStatus::GivenUp,
            dismissed: false,
            from: None,
            to: None,
            after: None,
            limit: 2,
        };
        let first_two = "UPDATE deliveries SET status = 'pending', next_attempt_at = created_at WHERE payment_id IN ('A', 'B')";
        let rival = Rival::begin(&db, first_two).await;

        let by = Actor::Shop("shop".to_owned());
        let (sent, ()) = tokio::join!(
            core.deliveries.redeliver_many(&again, &by, core.clock.now()),
            rival.end("SELECT 1")
        );

        assert_eq!(sent.unwrap().len(), 2);
        let left = "SELECT payment_id FROM deliveries WHERE status = 'given_up'";
        assert_eq!(db.read(left).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_are_added_to_the_last_place_one_is() {
    with_postgres(|db| async move {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, _) = shop.endpoint(&receiver).await;
        let copies = |from: u32, to: u32| {
            format!(
                "INSERT INTO webhook_endpoints (endpoint_id, url, secret, status, created_at, updated_at)
                SELECT 'copy-' || n, url, secret, status, created_at, updated_at
                FROM webhook_endpoints, generate_series({from}, {to}) AS n WHERE endpoint_id = '{id}'"
            )
        };
        db.run(&copies(1, 30)).await;
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints', 0))";
        let rival = Rival::begin(&db, &format!("{lock}; {}", copies(31, 31))).await;

        let path = "/api/v1/webhook-endpoints";
        let body = json!({ "url": receiver.url });
        let (refused, ()) = tokio::join!(
            shop.app.api(Method::POST, path, Some(body)),
            rival.end("SELECT 1")
        );

        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(
            refused.json()["type"],
            json!("/problems/too-many-endpoints")
        );
    })
    .await;
}
