//! `Idempotency-Key` of orders: what a shop named is the same for a day, on disk.

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
