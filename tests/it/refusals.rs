//! What the edge refuses, and how it says so: a page to a person, a problem to a program, and to each client its own share.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;
use wanryo::adapters::system::SystemClock;
use wanryo::compose::Rounds;
use wanryo::web::limits::Limits;

use crate::app::{Answer, PATIENCE, TestApp};
use crate::support::{TestDatabase, with_sqlite};

/// An app, and a request of 127.0.0.1 that takes a place until PortOne answers, which it does not.
async fn busy(db: &TestDatabase, limits: Limits) -> Arc<TestApp> {
    let (sandbox, clock) = (TestApp::new_sandbox().await, Arc::new(SystemClock));
    let app = TestApp::start_within(db, sandbox, |_| {}, clock, limits, Rounds::ByWorker).await;
    let app = Arc::new(app);
    app.order("ORD-1").await;
    let imp_uid = app.pay("ORD-1", json!({}));
    app.sandbox
        .fault(json!({ "call": "payment", "kind": "delay", "delay_ms": 60_000 }))
        .unwrap();
    tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            app.complete(&format!("imp_uid={imp_uid}&merchant_uid=ORD-1"))
                .await
        }
    });
    let asked = async {
        while app.sandbox.calls("payment") == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked).await.expect("PortOne is asked");
    app
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

async fn get(app: &TestApp, client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.get(app.url(path));
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    app.send(request).await
}

const A_PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_too_much_is_told_so_in_its_language_and_nobody_else_is() {
    with_sqlite(|db| async move {
        let limits = Limits {
            requests_per_client: 1,
            ..Limits::default()
        };
        let app = busy(&db, limits).await;
        let path = "/payments/complete?merchant_uid=ORD-1";

        for (language, query, tag, when) in [
            ("ko-KR,ko;q=0.9", "", "ko", "10초 뒤에"),
            ("en-US", "", "en", "in 10 seconds"),
            ("ja", "", "ja", "10秒後に"),
            ("zh-CN", "", "zh-CN", "10秒后"),
            ("en-US", "&lang=ja", "ja", "10秒後に"),
        ] {
            let asked = format!("{path}{query}");
            let headers = [A_PAGE, ("accept-language", language)];
            let page = get(&app, &app.client, &asked, &headers).await;

            assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(page.headers[RETRY_AFTER], "10");
            assert_eq!(
                header(&page.headers, "content-type"),
                "text/html; charset=utf-8"
            );
            assert_eq!(header(&page.headers, "cache-control"), "no-store");
            let policy = header(&page.headers, "content-security-policy");
            assert!(
                policy.contains("style-src 'sha256-") && !policy.contains("script-src"),
                "{policy}"
            );
            for part in [
                &format!("lang=\"{tag}\"") as &str,
                when,
                "href=\"\"",
                "<style>",
            ] {
                assert!(page.text.contains(part), "{part}: {}", page.text);
            }
            assert!(!page.text.contains("ORD-1") && !page.text.contains("<script"));
        }
        let problem = get(&app, &app.client, path, &[("accept", "application/json")]).await;
        assert_eq!(problem.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            header(&problem.headers, "content-type"),
            "application/problem+json"
        );
        assert_eq!(problem.headers[RETRY_AFTER], "10");
        assert_eq!(problem.json()["type"], "/problems/too-many-requests");

        // What the pages themselves call lies beside the API, and is bound as they are.
        let call = app
            .client
            .post(app.url("/api/payments/complete"))
            .header("sec-fetch-site", "same-origin");
        let call = app.send(call.form(&[("payment_id", "ORD-1")])).await;
        assert_eq!(call.status, StatusCode::TOO_MANY_REQUESTS);

        // The shop's server is bound by its key, PortOne by nothing of the kind, and others have places of their own.
        let api = app.api(Method::GET, "/api/v1/orders", None).await;
        let webhook = app.webhook("imp_1", "NO-SUCH-ORDER", "paid").await;
        let elsewhere = Client::builder()
            .local_address("127.0.0.2".parse::<IpAddr>().unwrap())
            .build()
            .unwrap();
        let page = get(&app, &elsewhere, "/pay/ORD-1", &[A_PAGE]).await;
        assert_eq!(
            [api.status, webhook.status, page.status],
            [StatusCode::OK; 3]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_free_again_when_its_request_is_answered() {
    with_sqlite(|db| async move {
        let limits = Limits {
            requests_per_client: 1,
            ..Limits::default()
        };
        let app = busy(&db, limits).await;
        assert_eq!(
            app.page("/pay/ORD-1").await.status,
            StatusCode::TOO_MANY_REQUESTS
        );

        let freed = async {
            while app.page("/pay/ORD-1").await.status != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, freed).await.expect("its place is free");
    })
    .await;
}

/// Somebody opened an address in the browser that programs post to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_what_takes_another_method_sees_a_page_that_says_so() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        for (method, path, allow) in [
            (Method::GET, "/payments/webhook", "POST"),
            (Method::GET, "/logout", "POST"),
            (Method::POST, "/pay/ORD-1", "GET,HEAD"),
            (Method::DELETE, "/healthz", "GET,HEAD"),
            (Method::POST, "/favicon.svg", "GET,HEAD"),
        ] {
            let ask = |accept| {
                let request = app.client.request(method.clone(), app.url(path));
                request
                    .header("accept", accept)
                    .header("accept-language", "en")
            };
            let page = app.send(ask(A_PAGE.1)).await;
            let problem = app.send(ask("*/*")).await;

            for (answer, media_type) in [
                (&page, "text/html; charset=utf-8"),
                (&problem, "application/problem+json"),
            ] {
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
                assert_eq!(header(&answer.headers, "allow"), allow, "{path}");
                assert_eq!(
                    header(&answer.headers, "content-type"),
                    media_type,
                    "{path}"
                );
            }
            assert!(page.text.contains("could not be read"), "{}", page.text);
            assert_eq!(problem.json()["type"], "/problems/method-not-allowed");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_small_on_the_wire_and_offers_no_address_for_what_was_posted() {
    with_sqlite(|db| async move {
        let limits = Limits {
            requests: 1,
            ..Limits::default()
        };
        let app = busy(&db, limits).await;
        let path = "/payments/complete";

        for encoding in ["br", "gzip"] {
            let request = app.client.get(app.url(path)).header(A_PAGE.0, A_PAGE.1);
            let response = request
                .header("accept-encoding", encoding)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(header(response.headers(), "content-encoding"), encoding);
            assert_eq!(header(response.headers(), "vary"), "accept-encoding");
            let bytes = response.bytes().await.unwrap();
            assert!((1000..14 * 1024).contains(&bytes.len()), "{}", bytes.len());
        }
        let opened = get(&app, &app.client, path, &[A_PAGE]).await;
        let form = app.client.post(app.url(path)).header(A_PAGE.0, A_PAGE.1);
        let posted = app.send(form.form(&[("imp_uid", "imp_1")])).await;
        for (page, leads_on) in [(&opened, true), (&posted, false)] {
            assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(page.headers[RETRY_AFTER], "5");
            assert_eq!(page.text.contains("href=\"\""), leads_on, "{}", page.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_in_a_frame_is_a_way_out_of_it_and_nothing_else() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({}));
        let path = format!("/payments/complete?imp_uid={imp_uid}&merchant_uid=ORD-1");
        let framed = |place| [A_PAGE, ("sec-fetch-dest", place)];

        for (path, place) in [
            (&path as &str, "iframe"),
            (&path, "frame"),
            ("/o/nobody", "iframe"),
        ] {
            let page = get(&app, &app.client, path, &framed(place)).await;

            assert_eq!(page.status, StatusCode::OK);
            assert!(page.headers.get("x-frame-options").is_none());
            let policy = header(&page.headers, "content-security-policy");
            assert!(
                policy.contains("script-src 'sha256-") && !policy.contains("frame-ancestors"),
                "{policy}"
            );
            assert!(page.text.contains("<base target=\"_top\"") && page.text.contains("href=\"\""));
            assert!(!page.text.contains("ORD-1") && page.page_outcome().is_none());
        }
        assert_eq!(app.sandbox.calls("payment"), 0, "nothing was looked up");

        let form = app
            .client
            .post(app.url("/payments/complete"))
            .header("sec-fetch-dest", "iframe");
        let posted = app
            .send(form.form(&[
                ("imp_uid", &imp_uid as &str),
                ("merchant_uid", "ORD-1"),
                ("imp_success", "false"),
                ("buyer_tel", "010-1111-2222"),
            ]))
            .await;
        assert_eq!(posted.status, StatusCode::SEE_OTHER);
        let led_to = header(&posted.headers, "location")
            .replace("%5F", "_")
            .replace("%2D", "-");
        assert_eq!(
            led_to,
            format!("/payments/complete?payment_id=ORD-1&tx_id={imp_uid}&imp_success=false")
        );
        let out = app.page(header(&posted.headers, "location")).await;
        assert_eq!(out.page_outcome(), Some("paid"));
        assert_eq!(out.headers["x-frame-options"], "DENY");
    })
    .await;
}
