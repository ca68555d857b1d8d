//! Pages that stay open hear that their order moved.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::app::{PATIENCE, TestApp};
use crate::support::{TestDatabase, on_both_databases, with_postgres};

/// How soon a hint must be here: well before a stream looks by itself.
const SOON: Duration = Duration::from_secs(8);

async fn open(app: &TestApp, path: &str) -> Response {
    let request = app
        .client
        .get(app.url(path))
        .header("accept", "text/event-stream");
    request.send().await.unwrap()
}

/// Opens a stream and waits until it follows its order.
async fn follow(app: &TestApp, path: &str) -> Response {
    let mut stream = open(app, path).await;
    assert_eq!(stream.status(), StatusCode::OK, "{path}");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-store");
    assert_eq!(
        said(&mut stream, PATIENCE).await.as_deref(),
        Some("retry: 5000\n\n")
    );
    stream
}

/// What the stream says next; `None` when it has ended.
async fn said(stream: &mut Response, patience: Duration) -> Option<String> {
    let chunk = timeout(patience, stream.chunk())
        .await
        .expect("the stream says something or ends");
    chunk
        .unwrap()
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// Hears that the order moved, and that there will be no more to hear.
async fn hears_the_end(stream: &mut Response) {
    // A hint of what was known when the stream began may still be on its way; it says nothing, so there is nothing to hear.
    let told = loop {
        match said(stream, SOON).await {
            Some(beat) if beat == ":\n\n" => {}
            told => break told,
        }
    };
    assert_eq!(told.as_deref(), Some("event: moved\ndata: look\n\n"));
    assert_eq!(
        said(stream, SOON).await,
        None,
        "what is final has no stream"
    );
}

fn path_of(app: &TestApp, order: &Value, what: &str) -> String {
    let link = order["status_url"].as_str().unwrap();
    format!("{}/{what}", link.replace(&app.running.public_url, ""))
}

/// An account that waits for its deposit until the year 2100.
fn account() -> Value {
    json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 })
}

on_both_databases! {
    async fn a_deposit_is_heard_by_every_page_that_is_open(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        app.order("OTHER").await;
        let imp_uid = app.pay("ORD-1", account());
        let query = format!("imp_uid={imp_uid}&merchant_uid=ORD-1");
        assert_eq!(app.complete(&query).await.outcome(), "virtual_account_issued");
        let mut by_link = follow(&app, &path_of(&app, &order, "events")).await;
        let mut by_redirect = follow(&app, &format!("/payments/complete/events?{query}&again=1")).await;
        let mut other = follow(&app, "/payments/complete/events?merchant_uid=OTHER").await;

        app.deposit(&imp_uid).await;
        app.complete(&query).await;

        hears_the_end(&mut by_link).await;
        hears_the_end(&mut by_redirect).await;
        assert_eq!(open(&app, &path_of(&app, &order, "events")).await.status(), StatusCode::NO_CONTENT, "a browser connects no more");
        let nothing = timeout(Duration::from_millis(200), other.chunk()).await;
        assert!(nothing.is_err(), "another order's page hears nothing: {nothing:?}");
    }

    async fn who_may_not_see_the_page_may_not_watch_it(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;

        for path in ["/o/00112233445566778899aabbccddeeff/events", "/o/nonsense/events", "/payments/complete/events", "/payments/complete/events?merchant_uid=NOPE", "/payments/complete/events?imp_uid=..%2Fx&merchant_uid=ORD-1", "/payments/complete/events?imp_uid=imp_123456789012"] {
            assert_eq!(open(&app, path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(app.sandbox.calls("payment"), 0, "nobody asks PortOne for it");
    }

    async fn one_client_has_so_many_streams_and_a_closed_one_frees_its_place(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        let path = path_of(&app, &order, "events");
        let mut streams = Vec::new();
        let refused = loop {
            let stream = open(&app, &path).await;
            if stream.status() != StatusCode::OK {
                break stream;
            }
            streams.push(stream);
        };

        assert_eq!((streams.len(), refused.status()), (16, StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(app.page("/healthz").await.status, StatusCode::OK);
        streams.pop();
        let again = async {
            while open(&app, &path).await.status() != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, again).await.expect("the place is free again");
    }

    async fn a_stop_ends_every_stream_at_once(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        let mut stream = follow(&app, &path_of(&app, &order, "events")).await;

        let stopped = timeout(Duration::from_secs(5), app.running.stop()).await;

        assert!(stopped.is_ok(), "a stream does not hold up the stop");
        assert_eq!(said(&mut stream, PATIENCE).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_one_database_tell_each_other() {
    let body = |db: TestDatabase| {
        Box::pin(async move {
            let sandbox = TestApp::new_sandbox().await;
            let one = TestApp::start_with(&db, sandbox.clone(), |_| {}).await;
            let other = TestApp::start_with(&db, sandbox, |_| {}).await;
            let order = one.order("ORD-1").await;
            let imp_uid = one.pay("ORD-1", account());
            let query = format!("imp_uid={imp_uid}&merchant_uid=ORD-1");
            assert_eq!(
                one.complete(&query).await.outcome(),
                "virtual_account_issued"
            );
            let mut stream = follow(&other, &path_of(&one, &order, "events")).await;

            one.deposit(&imp_uid).await;
            one.complete(&query).await;

            hears_the_end(&mut stream).await;
        })
    };
    with_postgres(body).await;
}
