//! The shop's API and the back office over HTTP.

use std::sync::Arc;

use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::json;
use wanryo::service::access;

use crate::app::TestApp;
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    async fn an_order_is_made_once_and_registered_at_portone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let body = json!({ "payment_id": "주문 1", "name": "사과", "amount": 65_000, "buyer": { "name": "김하나" }, "metadata": { "cart": 7 }, "window_params": { "digital": true }, "locale": "ko" });

        let made = app.api(Method::POST, "/api/v1/orders", Some(body.clone())).await;
        let same = app.api(Method::POST, "/api/v1/orders", Some(body.clone())).await;
        let mut other = body;
        other["amount"] = json!(64_000);
        let different = app.api(Method::POST, "/api/v1/orders", Some(other)).await;

        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let order = made.json();
        assert_eq!((&order["status"], &order["amount"], &order["currency"], &order["metadata"]), (&json!("open"), &json!(65_000), &json!("KRW"), &json!({ "cart": 7 })));
        assert_eq!(order["window_params"], json!({ "digital": true }));
        assert!(order["pay_url"].as_str().unwrap().contains("/pay/%EC%A3%BC%EB%AC%B8%201?token="), "{order}");
        assert!(order["status_url"].as_str().unwrap().contains("/o/"));
        assert_eq!((same.status, &same.json()["status_url"]), (StatusCode::OK, &order["status_url"]));
        assert_eq!((different.status, different.json()["type"].as_str()), (StatusCode::CONFLICT, Some("/problems/order-exists")));
        assert_eq!(app.sandbox.calls("prepare"), 1);
        let history = app.history("%EC%A3%BC%EB%AC%B8%201").await;
        assert!(history.iter().any(|event| event["kind"] == "prepared"), "{history:?}");
    }

    async fn an_order_is_made_while_portone_is_down(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.sandbox.fault(json!({ "call": "any", "kind": "status", "status": 500 })).unwrap();

        app.order("ORD-1").await;

        let history = app.history("ORD-1").await;
        assert!(history.iter().any(|event| event["kind"] == "prepare_failed"), "{history:?}");
    }

    async fn who_pays_is_told_to_the_holder_of_the_pay_url_alone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order_with("ORD-1", json!({ "buyer": { "name": "카나리아", "email": "canary@example.com", "tel": "010-2222-3333" } })).await;
        let path = |url: &str| url.split_once("//").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| format!("/{path}")).unwrap();
        let status_path = path(order["status_url"].as_str().unwrap());
        let status_token = status_path.rsplit('/').next().unwrap();

        let given = app.page(&path(order["pay_url"].as_str().unwrap())).await;
        assert!(given.text.contains("canary@example.com"), "{}", given.text);
        let token = order["pay_url"].as_str().unwrap().rsplit('=').next().unwrap();
        assert!(given.text.contains(&format!("token={token}&amp;lang=en")), "another language keeps what was filled in: {}", given.text);
        for public in ["/pay/ORD-1", "/pay/ORD-1?token=", &format!("/pay/ORD-1?token={status_token}"), &status_path, "/payments/complete?merchant_uid=ORD-1"] {
            let page = app.page(public).await;
            for canary in ["카나리아", "canary@example.com", "2222"] {
                assert!(!page.text.contains(canary), "{public} tells {canary}");
            }
        }
    }

    async fn the_api_has_one_door(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        for key in [None, Some("wr_nonsense"), Some(""), Some("' OR 1=1 --")] {
            for (method, path) in [(Method::POST, "/api/v1/orders"), (Method::GET, "/api/v1/orders"), (Method::GET, "/api/v1/orders/ORD-1"), (Method::GET, "/api/v1/orders/ORD-1/events"), (Method::POST, "/api/v1/orders/ORD-1/sync"), (Method::POST, "/api/v1/orders/ORD-1/close")] {
                let mut request = app.client.request(method, app.url(path));
                if let Some(key) = key {
                    request = request.bearer_auth(key);
                }
                let answer = app.send(request).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
                assert_eq!(answer.headers["content-type"], "application/problem+json");
            }
        }
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
    }

    async fn the_server_is_ready_while_orders_can_be_read(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let ready = async || app.page("/readyz").await.status;

        assert_eq!(ready().await, StatusCode::OK);
        db.run("ALTER TABLE orders RENAME TO orders_elsewhere").await;
        assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
        db.run("ALTER TABLE orders_elsewhere RENAME TO orders").await;
        assert_eq!(ready().await, StatusCode::OK);
    }

    async fn refusals_are_problems(db: TestDatabase) {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| settings.v2 = None).await;
        let unknown = app.api(Method::GET, "/api/v1/orders/NOPE", None).await;
        let field = app.api(Method::POST, "/api/v1/orders", Some(json!({ "payment_id": "A", "name": "x", "amount": -1 }))).await;
        let v2 = app.api(Method::POST, "/api/v1/orders", Some(json!({ "payment_id": "A", "name": "x", "amount": 1, "portone": "v2" }))).await;
        let nowhere = app.api(Method::GET, "/api/v1/nonsense", None).await;

        assert_eq!((unknown.status, unknown.json()["status"].as_u64()), (StatusCode::NOT_FOUND, Some(404)));
        assert_eq!((field.status, field.json()["field"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("amount")));
        for name in ["name", "email", "tel"] {
            let buyer = json!({ "payment_id": "A", "name": "x", "amount": 1, "buyer": { name: 1 } });
            let inner = app.api(Method::POST, "/api/v1/orders", Some(buyer)).await;
            assert_eq!((inner.status, inner.json()["field"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some(format!("buyer.{name}").as_str())));
        }
        assert_eq!(v2.json()["type"], "/problems/portone-not-configured");
        assert_eq!((nowhere.status, nowhere.headers["content-type"].to_str().unwrap()), (StatusCode::NOT_FOUND, "application/problem+json"));
        for answer in [unknown, field, v2] {
            let page = app.page(answer.json()["type"].as_str().unwrap()).await;
            assert_eq!(page.status, StatusCode::OK);
        }
    }

    async fn orders_are_listed_page_by_page(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for number in 0..5 {
            app.order(&format!("ORD-{number}")).await;
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.api(Method::GET, &format!("/api/v1/orders?limit=2&cursor={cursor}"), None).await.json();
            seen.extend(page["orders"].as_array().unwrap().iter().map(|order| order["payment_id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, ["ORD-4", "ORD-3", "ORD-2", "ORD-1", "ORD-0"]);
        assert_eq!(app.api(Method::GET, "/api/v1/orders?status=paid", None).await.json()["orders"], json!([]));
        assert_eq!(app.api(Method::GET, "/api/v1/orders?cursor=x", None).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn a_last_page_that_is_full_is_the_last_one(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let endpoint = json!({ "url": "http://127.0.0.1:1/", "event_types": ["order.paid"] });
        assert_eq!(app.api(Method::POST, "/api/v1/webhook-endpoints", Some(endpoint)).await.status, StatusCode::CREATED);
        // Four orders, four events, and four second payments that somebody has to look at.
        for number in 0..4 {
            let id = format!("ORD-{number}");
            app.order(&id).await;
            for _ in 0..2 {
                let imp_uid = app.pay(&id, json!({}));
                app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}")).await;
            }
        }
        for (path, rows) in [("orders", "orders"), ("deliveries", "deliveries"), ("attention", "items")] {
            let page = async |limit: u32, cursor: &str| app.api(Method::GET, &format!("/api/v1/{path}?limit={limit}&cursor={cursor}"), None).await.json();
            let first = page(2, "").await;
            let second = page(2, first["next_cursor"].as_str().unwrap()).await;
            let count = |page: &serde_json::Value| page[rows].as_array().unwrap().len();
            assert_eq!((count(&first), count(&second)), (2, 2), "{path}");
            assert_ne!(first[rows][1], second[rows][0], "{path}");
            assert_eq!(second["next_cursor"], json!(null), "{path}: nothing follows");
            let whole = page(4, "").await;
            assert_eq!((count(&whole), &whole["next_cursor"]), (4, &json!(null)), "{path}");
            assert!(page(3, "").await["next_cursor"].is_string(), "{path}");
        }
    }

    async fn the_back_office_is_closed_to_strangers_and_open_to_staff(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let imp_uid = app.pay("ORD-1", json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=ORD-1")).await;
        access::put_user(&app.running.core, "Staff@example.com", SecretString::from("correct horse battery"), None).await.unwrap();

        let stranger = app.page("/orders/ORD-1").await;
        assert_eq!((stranger.status, stranger.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login?next=%2Forders%2FORD%2D1"));
        let login = |password: &'static str| app.send(app.client.post(app.url("/login")).form(&[("email", "staff@example.com"), ("password", password), ("next", "/orders/ORD-1")]));
        let wrong = login("wrong").await;
        assert!(wrong.headers["location"].to_str().unwrap().starts_with("/login?error=refused"), "{:?}", wrong.headers);
        assert!(!wrong.headers.contains_key("set-cookie"));

        let right = login("correct horse battery").await;
        assert_eq!((right.status, right.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/orders/ORD-1"));
        let cookie = right.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let inside = |path: &str| app.client.get(app.url(path)).header("cookie", &cookie).header("accept", "text/html");
        let list = app.send(inside("/orders")).await;
        let order = app.send(inside("/orders/ORD-1")).await;
        assert!(list.status == StatusCode::OK && list.text.contains("ORD-1"));
        assert!(order.status == StatusCode::OK && order.text.contains("65000") && order.text.contains(&imp_uid), "expected and actual are shown");

        let across = app.client.post(app.url("/orders/ORD-1/close")).header("cookie", &cookie).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
        assert_eq!(app.send(across).await.status, StatusCode::FORBIDDEN);
        let synced = app.send(app.client.post(app.url("/orders/ORD-1/sync")).header("cookie", &cookie).header("sec-fetch-site", "same-origin")).await;
        assert_eq!(synced.headers["location"], "/orders/ORD-1?done=synced");

        app.send(app.client.post(app.url("/logout")).header("cookie", &cookie)).await;
        assert_eq!(app.send(inside("/orders")).await.status, StatusCode::SEE_OTHER);
    }

    async fn webhooks_are_taken_from_the_listed_networks_only(db: TestDatabase) {
        let sandbox = Arc::new(Sandbox::builder().spawn().await.unwrap());
        let app = TestApp::start_with(&db, sandbox, |settings| {
            settings.webhook_sources = vec!["52.78.100.19/32".parse().unwrap()];
            settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        }).await;
        let from = |forwarded: &'static str| app.send(app.client.post(app.url("/payments/webhook")).header("x-forwarded-for", forwarded).json(&json!({ "imp_uid": "imp_1", "merchant_uid": "ORD-1", "status": "paid" })));

        assert_eq!(from("52.78.100.19").await.status, StatusCode::OK);
        assert_eq!(from("52.78.100.19, 203.0.113.9").await.status, StatusCode::FORBIDDEN);
        assert_eq!(app.webhook("imp_1", "ORD-1", "paid").await.status, StatusCode::FORBIDDEN);
    }

    async fn every_answer_carries_safe_headers(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order("ORD-1").await;
        let status_path = format!("/o/{}", order["status_url"].as_str().unwrap().rsplit('/').next().unwrap());
        for path in ["/payments/complete", "/payments/complete?merchant_uid=ORD-1", &status_path, "/pay/ORD-1", "/login", "/orders", "/nonsense", "/api/v1/orders", "/healthz"] {
            let answer = app.page(path).await;
            for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "same-origin"), ("cache-control", "no-store")] {
                assert_eq!(answer.headers.get(name).and_then(|v| v.to_str().ok()), Some(value), "{path} {name}");
            }
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("'unsafe-eval'"), "{path}: {policy}");
            assert_eq!(policy.contains("https:"), path.starts_with("/pay/"), "{path}: {policy}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_request_does_not_hold_its_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    crate::support::with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let mut stream = tokio::net::TcpStream::connect(app.running.addr)
            .await
            .unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
            .await
            .unwrap();

        let mut rest = Vec::new();
        let closed =
            tokio::time::timeout(crate::app::PATIENCE, stream.read_to_end(&mut rest)).await;

        assert!(closed.is_ok(), "the connection is still open");
    })
    .await;
}
