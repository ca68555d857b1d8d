//! The shop's API of endpoints and deliveries.

use http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};
use wanryo::domain::event::EventType;

use super::Shop;
use super::receiver::Receiver;
use crate::support::{TestDatabase, on_both_databases};

const PATH: &str = "/api/v1/webhook-endpoints";

on_both_databases! {
    async fn a_secret_is_shown_when_it_is_made_and_never_again(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let body = json!({ "url": "https://shop.example.com/hook", "event_types": ["order.paid", "order.refunded"] });
        let made = shop.app.api(Method::POST, PATH, Some(body)).await;
        assert_eq!(made.status, StatusCode::CREATED);
        let made = made.json();
        let first = made["secret"].as_str().unwrap().to_owned();
        assert!(first.starts_with("whsec_") && first.len() == 6 + 44, "32 bytes");
        let path = format!("{PATH}/{}", made["id"].as_str().unwrap());

        let rotated = shop.app.api(Method::POST, &format!("{path}/rotate"), None).await.json();
        let second = rotated["secret"].as_str().unwrap().to_owned();
        assert_ne!(first, second);
        for (method, path, body) in [
            (Method::GET, PATH, None),
            (Method::GET, &path, None),
            (Method::PATCH, &path, Some(json!({ "enabled": false }))),
            (Method::GET, "/api/v1/deliveries", None),
        ] {
            let answer = shop.app.api(method, path, body).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(!answer.text.contains("whsec_") && !answer.text.contains("\"secret\""), "{path}: {}", answer.text);
        }
        let read = shop.read(&path).await;
        assert_eq!((&read["url"], &read["event_types"], &read["status"]), (&json!("https://shop.example.com/hook"), &json!(["order.paid", "order.refunded"]), &json!("disabled")));
        assert_eq!(shop.read(PATH).await["webhook_endpoints"], json!([read]));
        let changed = shop.app.api(Method::PATCH, &path, Some(json!({ "event_types": null, "enabled": true, "url": "https://shop.example.com/other" }))).await.json();
        assert_eq!((&changed["event_types"], &changed["status"], &changed["url"]), (&Value::Null, &json!("enabled"), &json!("https://shop.example.com/other")));

        assert_eq!(shop.app.api(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
        for (method, path) in [(Method::GET, path.clone()), (Method::DELETE, path.clone()), (Method::POST, format!("{path}/rotate")), (Method::POST, format!("{path}/redeliver"))] {
            assert_eq!(shop.app.api(method, &path, None).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(shop.app.api(Method::PATCH, &path, Some(json!({}))).await.status, StatusCode::NOT_FOUND);
        let left = db.read("SELECT COALESCE(secret, '') || COALESCE(previous_secret, '') FROM webhook_endpoints").await;
        assert_eq!(left, [""], "secrets are gone with the endpoint");
    }

    async fn a_refusal_names_the_field(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let good = json!({ "url": "https://shop.example.com/hook" });
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };
        for (body, field) in [
            (json!({}), "url"),
            (json!({ "url": null }), "url"),
            (json!({ "url": 1 }), "url"),
            (json!({ "url": "" }), "url"),
            (json!({ "url": "shop" }), "url"),
            (json!({ "url": "ftp://shop.example.com" }), "url"),
            (json!({ "url": "https://a:b@shop.example.com" }), "url"),
            (json!({ "url": format!("https://shop.example.com/{}", "a".repeat(2048)) }), "url"),
            (json!({ "url": "http://shop.example.invalid/hook", "event_types": [] }), "event_types"),
            (with("event_types", json!("order.paid")), "event_types"),
            (with("event_types", json!(["order.sold"])), "event_types"),
            (with("event_types", json!(["order.paid", "order.paid"])), "event_types"),
            (with("event_types", json!([1])), "event_types"),
            (with("secret", json!("whsec_mine")), "secret"),
        ] {
            let answer = shop.app.api(Method::POST, PATH, Some(body.clone())).await;
            assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{body}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
        }
        assert_eq!(shop.app.api(Method::POST, PATH, Some(json!([]))).await.status, StatusCode::BAD_REQUEST);
        let (_, made) = shop.post(PATH, Some(good)).await;
        let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
        for (body, field) in [(json!({ "enabled": "yes" }), "enabled"), (json!({ "status": "enabled" }), "status"), (json!({ "url": "https://10.0.0.1/" }), "url")] {
            let answer = shop.app.api(Method::PATCH, &path, Some(body)).await;
            assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)));
        }
        for (body, field) in [(json!({ "status": "pending" }), "status"), (json!({ "from": "yesterday" }), "from"), (json!({ "to": 1 }), "to"), (json!({ "all": true }), "all")] {
            let answer = shop.app.api(Method::POST, &format!("{path}/redeliver"), Some(body)).await;
            assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)));
        }
        for (query, field) in [("endpoint_id=x", "endpoint_id"), ("status=lost", "status"), ("payment_id=%2F", "payment_id"), ("event_type=x", "event_type"), ("cursor=x", "cursor"), ("limit=0", "limit"), ("limit=1&limit=2", "query")] {
            let answer = shop.app.api(Method::GET, &format!("/api/v1/deliveries?{query}"), None).await;
            assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)), "{query}");
        }
        for path in ["/api/v1/deliveries/1", "/api/v1/deliveries/x", "/api/v1/deliveries/99999999999999999999", "/api/v1/webhook-endpoints/we_1"] {
            assert_eq!(shop.app.api(Method::GET, path, None).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(shop.app.api(Method::POST, "/api/v1/deliveries/1/redeliver", None).await.status, StatusCode::NOT_FOUND);
    }

    async fn nobody_comes_in_without_a_key(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for (method, path) in [
            (Method::GET, PATH),
            (Method::POST, PATH),
            (Method::GET, "/api/v1/webhook-endpoints/x"),
            (Method::PATCH, "/api/v1/webhook-endpoints/x"),
            (Method::DELETE, "/api/v1/webhook-endpoints/x"),
            (Method::POST, "/api/v1/webhook-endpoints/x/rotate"),
            (Method::POST, "/api/v1/webhook-endpoints/x/redeliver"),
            (Method::GET, "/api/v1/deliveries"),
            (Method::GET, "/api/v1/deliveries/1"),
            (Method::POST, "/api/v1/deliveries/1/redeliver"),
        ] {
            let request = shop.app.client.request(method.clone(), shop.app.url(path));
            assert_eq!(shop.app.send(request).await.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }

    async fn there_may_be_so_many_endpoints_and_no_more(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let mut last = String::new();
        for number in 0..32 {
            let (status, made) = shop.post(PATH, Some(json!({ "url": format!("https://shop.example.com/{number}") }))).await;
            assert_eq!(status, StatusCode::CREATED);
            made["id"].as_str().unwrap().clone_into(&mut last);
        }
        let more = json!({ "url": "https://shop.example.com/more" });
        let (status, problem) = shop.post(PATH, Some(more.clone())).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/too-many-endpoints")));

        shop.app.api(Method::DELETE, &format!("{PATH}/{last}"), None).await;
        assert_eq!(shop.post(PATH, Some(more)).await.0, StatusCode::CREATED);
    }

    async fn deliveries_are_listed_newest_first_page_by_page_and_by_what_they_are(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let [one, two] = [Receiver::start().await, Receiver::start().await];
        let (first, _) = shop.endpoint(&one).await;
        shop.endpoint(&two).await;
        for order in 0..4 {
            shop.happened(&format!("ORD-{order}"), &[EventType::OrderPaid, EventType::OrderRefunded]).await;
        }
        shop.deliver().await;
        shop.happened("WAITS", &[EventType::OrderPaid]).await;

        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = shop.read(&format!("/api/v1/deliveries?limit=5&cursor={cursor}")).await;
            seen.extend(page["deliveries"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen.len(), 18);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
        let count = async |query: &str| shop.read(&format!("/api/v1/deliveries?limit=100&{query}")).await["deliveries"].as_array().unwrap().len();
        assert_eq!(count(&format!("endpoint_id={first}")).await, 9);
        assert_eq!(count("status=pending").await, 2);
        assert_eq!(count("status=delivered").await, 16);
        assert_eq!(count("payment_id=ORD-1").await, 4);
        assert_eq!(count("event_type=order.paid").await, 10);
        assert_eq!(count(&format!("payment_id=ORD-1&event_type=order.paid&endpoint_id={first}")).await, 1);
        let event = shop.deliveries().await[0]["event_id"].as_str().unwrap().to_owned();
        assert_eq!(count(&format!("event_id={event}")).await, 2);
        assert_eq!(count("event_id=evt_none").await, 0);
    }
}
