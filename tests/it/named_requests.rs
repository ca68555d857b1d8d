//! `Idempotency-Key`: what a shop named is the same for a day, on disk.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wanryo::domain::history::Actor;
use wanryo::ports::clock::Clock;
use wanryo::service::access;

use crate::app::{Answer, TestApp};
use crate::by_hand::Ahead;
use crate::refunds::paid;
use crate::support::{TestDatabase, on_both_databases};

const HOUR: Duration = Duration::from_secs(3600);

async fn ask(app: &TestApp, api_key: &str, name: &str, payment_id: &str) -> Answer {
    let body = json!({ "payment_id": payment_id, "name": "사과", "amount": 1_000 });
    let request = app
        .client
        .post(app.url("/api/v1/orders"))
        .bearer_auth(api_key);
    app.send(request.header("idempotency-key", name).json(&body))
        .await
}

/// Asks for a refund of a thousand won, by the key of a shop.
async fn ask_back(app: &TestApp, api_key: &str, name: &str, payment_id: &str) -> Answer {
    let path = format!("/api/v1/orders/{payment_id}/refunds");
    let request = app.client.post(app.url(&path)).bearer_auth(api_key);
    let body = json!({ "reason": "x", "amount": 1_000 });
    app.send(request.header("idempotency-key", name).json(&body))
        .await
}

fn kind(answer: &Answer) -> Value {
    answer.json()["type"].clone()
}

async fn start(db: &TestDatabase, clock: &Arc<Ahead>) -> TestApp {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    TestApp::start_at(db, TestApp::new_sandbox().await, |_| {}, clock).await
}

on_both_databases! {
    async fn a_name_is_one_request_for_a_day_and_for_one_shop(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let key = app.key().to_owned();
        let other = access::make_api_key(&app.running.core, "other shop", &Actor::Command).await.unwrap();

        assert_eq!(ask(&app, &key, "first", "A").await.status, StatusCode::CREATED);
        assert_eq!(ask(&app, &key, "first", "A").await.status, StatusCode::OK);
        assert_eq!(kind(&ask(&app, &key, "first", "B").await), "/problems/idempotency-key-reused");
        assert_eq!(ask(&app, other.expose_secret(), "first", "B").await.status, StatusCode::CREATED);

        // A server that begins anew knows it still.
        app.running.stop().await;
        let app = start(&db, &clock).await;
        clock.push(23 * HOUR);
        let refused = ask(&app, &key, "first", "C").await;
        assert_eq!((refused.status, kind(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, json!("/problems/idempotency-key-reused")));
        assert_eq!(db.read("SELECT payment_id FROM orders ORDER BY payment_id").await, ["A", "B"]);

        clock.push(2 * HOUR);
        assert_eq!(ask(&app, &key, "first", "C").await.status, StatusCode::CREATED);
        let kept = db.read("SELECT shop FROM named_requests").await;
        assert_eq!(kept, ["test"], "what is a day old is forgotten");
    }

    /// The same name of another order once gave money back a second time.
    async fn a_name_of_a_refund_is_one_refund_of_one_order(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let key = app.key().to_owned();
        let other = access::make_api_key(&app.running.core, "other shop", &Actor::Command).await.unwrap();
        for id in ["A", "B", "C"] {
            paid(&app, "v1", id).await;
        }

        let first = ask_back(&app, &key, "return", "A").await;
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
        let again = ask_back(&app, &key, "return", "A").await;
        assert_eq!((again.status, &again.text), (StatusCode::OK, &first.text));
        let more = app.refund_named("A", "return", json!({ "reason": "x", "amount": 2_000 })).await;
        let elsewhere = ask_back(&app, &key, "return", "B").await;
        for refused in [more, elsewhere] {
            assert_eq!((refused.status, kind(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, json!("/problems/idempotency-key-reused")));
        }
        assert_eq!((app.sandbox.calls("cancel"), db.read("SELECT refund_id FROM refunds").await.len()), (1, 1));

        // Another shop has names of its own, and is never told of this one's refund as if it were its own.
        let theirs = ask_back(&app, other.expose_secret(), "return", "A").await;
        assert_eq!(kind(&theirs), "/problems/idempotency-key-reused");
        assert_eq!(ask_back(&app, other.expose_secret(), "return", "B").await.status, StatusCode::CREATED);
        // What comes to nothing uses up no name, and what makes an order none of a refund's.
        assert_eq!(ask_back(&app, &key, "free", "NOBODY").await.status, StatusCode::NOT_FOUND);
        assert_eq!(ask(&app, &key, "free", "D").await.status, StatusCode::CREATED);
        assert_eq!(ask_back(&app, &key, "free", "D").await.status, StatusCode::CONFLICT, "it is not paid");
        assert_eq!(ask_back(&app, &key, "free", "C").await.status, StatusCode::CREATED);

        // A day later it is another order's, and this order's still.
        clock.push(25 * HOUR);
        assert_eq!(ask_back(&app, &key, "return", "A").await.text, first.text);
        assert_eq!(ask_back(&app, &key, "return", "C").await.status, StatusCode::CREATED);
        assert_eq!(kind(&ask_back(&app, &key, "return", "B").await), "/problems/idempotency-key-reused");
    }

    async fn refunds_of_one_name_at_the_same_time_are_one(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        for n in 0..6 {
            paid(&app, "v1", &format!("R{n}")).await;
        }
        let asks: Vec<_> = (0..6)
            .map(|n| {
                let app = Arc::clone(&app);
                tokio::spawn(async move { ask_back(&app, app.key(), "race", &format!("R{n}")).await.status })
            })
            .collect();
        let mut statuses = Vec::new();
        for ask in asks {
            statuses.push(ask.await.unwrap());
        }
        statuses.sort();
        let mut wanted = [StatusCode::UNPROCESSABLE_ENTITY; 6];
        wanted[0] = StatusCode::CREATED;
        assert_eq!(statuses, wanted);
        assert_eq!(app.sandbox.calls("cancel"), 1);
    }

    async fn a_body_that_is_refused_uses_up_no_name(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        let order = |id: &str, expires_at: &str| json!({ "payment_id": id, "name": "사과", "amount": 1_000, "expires_at": expires_at });
        let make = async |name: &str, body: &Value| {
            let request = app.client.post(app.url("/api/v1/orders")).bearer_auth(app.key());
            app.send(request.header("idempotency-key", name).json(body)).await
        };
        let tomorrow = (clock.now() + 24 * HOUR).to_string();

        let refused = make("mended", &order("A", "2026-01-01T00:00:00Z")).await;
        assert_eq!((refused.status, refused.json()["field"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("expires_at")));
        assert_eq!(db.read("SELECT name FROM named_requests").await, [] as [String; 0]);
        let mended = order("A", &tomorrow);
        assert_eq!(make("mended", &mended).await.status, StatusCode::CREATED);
        assert_eq!(make("other", &order("B", &tomorrow)).await.status, StatusCode::CREATED);

        // When their time is over the same name is the same order still, and no other.
        clock.push(48 * HOUR);
        assert_eq!(make("mended", &mended).await.status, StatusCode::OK);
        assert_eq!(kind(&make("mended", &order("B", &tomorrow)).await), "/problems/idempotency-key-reused");
        let another = order("B", "2026-01-01T00:00:00Z");
        assert_eq!(kind(&make("new", &another).await), "/problems/order-exists");
    }

    async fn requests_of_one_name_at_the_same_time_are_one(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        let asks: Vec<_> = (0..8)
            .map(|n| {
                let app = Arc::clone(&app);
                tokio::spawn(async move { ask(&app, app.key(), "race", &format!("R{n}")).await.status })
            })
            .collect();
        let mut made = 0;
        for ask in asks {
            let status = ask.await.unwrap();
            assert!([StatusCode::CREATED, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY].contains(&status), "{status}");
            made += usize::from(status == StatusCode::CREATED);
        }
        assert_eq!(made, 1);
        assert_eq!(db.read("SELECT payment_id FROM orders").await.len(), 1);
    }
}
