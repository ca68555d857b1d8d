//! The API's description: every route is in it, and every answer is as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wanryo::adapters::system::SystemClock;
use wanryo::compose::Rounds;
use wanryo::domain::delivery::ENDPOINTS_MAX;
use wanryo::domain::history::Actor;
use wanryo::service::{access, deliveries};
use wanryo::web::api::describe::document;
use wanryo::web::limits::Limits;
use wanryo::web::problem::Problem;

use crate::app::{Answer, TestApp};
use crate::support::{TestDatabase, with_sqlite};

/// Refusals of no operation of the API.
const ELSEWHERE: [Problem; 7] = [
    Problem::MalformedForm,
    Problem::InvalidSignature,
    Problem::SourceRefused,
    Problem::NotAllowed,
    Problem::TooManyRequests,
    Problem::MethodNotAllowed,
    Problem::Broken,
];
/// Refusals that any operation may answer with: each is provoked once.
const ANY: [&str; 6] = [
    "too-many-calls",
    "malformed-request",
    "too-many-parameters",
    "too-slow",
    "headers-too-large",
    "unavailable",
];

/// An operation by its method and path.
fn operations() -> BTreeMap<(String, String), &'static Value> {
    let mut found = BTreeMap::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.insert((method.to_uppercase(), path.clone()), operation);
        }
    }
    found
}

/// The operations that the router has under `/api/v1`, as its source says.
fn routed() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src/web/router.rs", "src/web/api/endpoints.rs"];
    let text = files
        .map(|file| fs::read_to_string(root.join(file)).unwrap())
        .concat();
    let mut found = BTreeSet::new();
    for call in text.split(".route(").skip(1) {
        let path = call
            .trim_start()
            .split(',')
            .next()
            .unwrap()
            .trim()
            .trim_matches('"');
        // What is left over is answered with "not found".
        if !path.starts_with("/api/v1/") || path.contains("{*") {
            continue;
        }
        let arguments = arguments(call);
        for method in ["get", "post", "put", "patch", "delete"] {
            let named = |before: char| arguments.contains(&format!("{before}{method}("));
            if named(' ') || named('.') || named('\n') {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

/// What stands in front of the parenthesis that ends a call.
fn arguments(call: &str) -> &str {
    let mut depth = 1_i32;
    let end = call.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &call[..end.expect("the call ends")]
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let described: BTreeSet<_> = operations().into_keys().collect();
    let routed = routed();
    assert!(routed.len() >= 22, "{routed:?}");
    let missing: Vec<_> = routed.difference(&described).collect();
    assert!(
        missing.is_empty(),
        "describe these at their handlers and list them in src/web/api/describe.rs: {missing:?}"
    );
    let invented: Vec<_> = described.difference(&routed).collect();
    assert!(invented.is_empty(), "no route has these: {invented:?}");
}

#[test]
fn the_description_is_whole() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
    let mut ids = BTreeSet::new();
    for ((method, path), operation) in operations() {
        let name = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap()),
            "{name}: its id twice"
        );
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let wanted: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(in_path, wanted, "{name}");
        let needs_key = operation["security"].is_null();
        let tells_so = !operation["responses"]["401"].is_null();
        assert_eq!(
            needs_key, tells_so,
            "{name} has no row in REFUSALS of src/web/api/describe.rs"
        );
    }
}

/// Every problem that a description names has a page, for people and for programs, and every problem of ours is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_of_problems_lead_to_pages() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let kinds = &document()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
        for kind in kinds.as_array().unwrap() {
            let address = kind.as_str().unwrap();
            let page = app.page(address).await;
            let text = app.send(app.client.get(app.url(address))).await;
            for (answer, media_type) in [(page, "text/html"), (text, "text/plain")] {
                assert_eq!(answer.status, StatusCode::OK, "{address}");
                let said = answer.headers["content-type"].to_str().unwrap();
                assert!(said.starts_with(media_type), "{address}: {said}");
                let name = address.rsplit('/').next().unwrap();
                assert!(answer.text.contains(name), "{address}");
            }
        }
        let used: BTreeSet<String> = operations()
            .values()
            .flat_map(|found| refusals(found))
            .collect();
        for problem in Problem::ALL {
            assert_ne!(
                used.contains(problem.slug()),
                ELSEWHERE.contains(&problem),
                "{problem:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_can_be_read_without_anything_else() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let served = app
            .send(app.client.get(app.url("/api/v1/openapi.json")))
            .await;
        assert_eq!(&served.json(), document());

        let page = app.page("/api/v1/docs").await;
        assert_eq!(page.status, StatusCode::OK);
        for outside in [
            "<script", "src=", "@import", "url(", "<link", "<img", "<iframe",
        ] {
            assert!(!page.text.contains(outside), "{outside}");
        }
        for ((method, path), operation) in operations() {
            let heading = format!(
                "<h2 id=\"{}\"><code>{method} {path}</code></h2>",
                operation["operationId"].as_str().unwrap()
            );
            assert!(page.text.contains(&heading), "{heading}");
        }
        // Every link inside the page leads somewhere.
        for target in page.text.split("href=\"#").skip(1) {
            let id = target.split('"').next().unwrap();
            assert!(page.text.contains(&format!("id=\"{id}\"")), "#{id}");
        }
    })
    .await;
}

/// The words of the refusals that an operation is described with.
fn refusals(operation: &Value) -> Vec<String> {
    let responses = operation["responses"].as_object().unwrap();
    let kinds = responses.values().filter_map(|response| {
        response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"]
            .as_array()
    });
    let words = kinds
        .flatten()
        .map(|kind| kind.as_str().unwrap().rsplit('/').next().unwrap());
    words.map(str::to_owned).collect()
}

/// Compares answers with the description, and remembers which were seen.
struct Witness<'a> {
    app: &'a TestApp,
    seen: Mutex<BTreeSet<(String, String)>>,
}

impl Witness<'_> {
    /// Asks, and compares the answer. `path` is the operation's, `address` the one that is asked for.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        address: &str,
        wanted: u16,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Answer {
        let request = self
            .app
            .client
            .request(method.clone(), self.app.url(address));
        let answer = self
            .app
            .send(change(request.bearer_auth(self.app.key())))
            .await;
        assert_eq!(
            answer.status.as_u16(),
            wanted,
            "{method} {address}: {}",
            answer.text
        );
        let media_type = answer
            .headers
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned());
        self.compare(
            method.as_str(),
            path,
            wanted,
            media_type.as_deref(),
            &answer.text,
        );
        answer
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        address: &str,
        wanted: u16,
        body: Value,
    ) -> Answer {
        self.ask(method, path, address, wanted, |request| request.json(&body))
            .await
    }

    async fn get(&self, path: &str, address: &str, wanted: u16) -> Answer {
        self.ask(Method::GET, path, address, wanted, |request| request)
            .await
    }

    fn compare(&self, method: &str, path: &str, status: u16, media_type: Option<&str>, text: &str) {
        let operation = operations()[&(method.to_owned(), path.to_owned())];
        let name = format!("{method} {path} {status}");
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{name} is not described");
        let mut what = status.to_string();
        if let Some(media_type) = media_type {
            let content = response["content"].as_object().unwrap();
            let media_type = media_type.split(';').next().unwrap();
            let schema = &content
                .get(media_type)
                .unwrap_or_else(|| panic!("{name}: {media_type} is not described"))["schema"];
            if media_type != "text/html" {
                let body: Value = serde_json::from_str(text).unwrap();
                check(&name, schema, &body);
                if media_type == "application/problem+json" {
                    what = body["type"]
                        .as_str()
                        .unwrap()
                        .rsplit('/')
                        .next()
                        .unwrap()
                        .to_owned();
                }
            }
        } else {
            assert!(
                response["content"].is_null() && text.is_empty(),
                "{name}: {text}"
            );
        }
        let id = operation["operationId"].as_str().unwrap().to_owned();
        self.seen.lock().insert((id, what));
    }
}

fn check(name: &str, schema: &Value, body: &Value) {
    let mut whole = schema.clone();
    whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    whole["components"] = document()["components"].clone();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}\n{body:#}");
}

const ORDERS: &str = "/api/v1/orders";
const ORDER: &str = "/api/v1/orders/{payment_id}";
const EVENTS: &str = "/api/v1/orders/{payment_id}/events";
const SYNC: &str = "/api/v1/orders/{payment_id}/sync";
const CLOSE: &str = "/api/v1/orders/{payment_id}/close";
const REFUNDS: &str = "/api/v1/orders/{payment_id}/refunds";
const ATTENTION: &str = "/api/v1/attention";
const SETTLE: &str = "/api/v1/attention/{kind}/{transaction_id}/settle";

const ENDPOINTS: &str = "/api/v1/webhook-endpoints";
const ENDPOINT: &str = "/api/v1/webhook-endpoints/{endpoint_id}";
const ROTATE: &str = "/api/v1/webhook-endpoints/{endpoint_id}/rotate";
const MANY: &str = "/api/v1/webhook-endpoints/{endpoint_id}/redeliver";
const DELIVERIES: &str = "/api/v1/deliveries";
const DELIVERY: &str = "/api/v1/deliveries/{id}";
const REDELIVER: &str = "/api/v1/deliveries/{id}/redeliver";
/// An endpoint that is not there.
const NO_ENDPOINT: &str = "/api/v1/webhook-endpoints/we_0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_answers_are_as_described() {
    with_sqlite(|db| async move {
        let limits = Limits { body_timeout: Duration::from_millis(50), ..Limits::default() };
        let (sandbox, clock) = (TestApp::new_sandbox().await, Arc::new(SystemClock));
        let no_v2 = |settings: &mut wanryo::config::Settings| {
            settings.v2 = None;
            settings.event_targets_private = vec!["127.0.0.0/8".parse().unwrap()];
        };
        let app = TestApp::start_within(&db, sandbox, no_v2, clock, limits, Rounds::ByHand).await;
        let witness = Witness { app: &app, seen: Mutex::default() };
        let (get, post) = (Method::GET, Method::POST);
        let order = |id: &str| json!({ "payment_id": id, "name": "사과", "amount": 65_000, "buyer": { "name": "홍길동", "tel": "010-1234-5678" }, "return_url": "https://shop.example/x", "metadata": { "a": [1] }, "locale": "ko", "expires_at": "2027-01-01T00:00:00Z" });
        let refund = async |id: &str, key: Option<&str>, wanted: u16, body: &Value| {
            let address = format!("/api/v1/orders/{id}/refunds");
            witness.ask(Method::POST, REFUNDS, &address, wanted, |request| {
                let request = request.json(body);
                key.iter().fold(request, |request, key| request.header("idempotency-key", *key))
            }).await
        };

        // Orders.
        for id in ["PAID", "TWICE", "BANK", "OPEN", "DOWN"] {
            witness.json(post.clone(), ORDERS, ORDERS, 201, order(id)).await;
        }
        witness.json(post.clone(), ORDERS, ORDERS, 200, order("OPEN")).await;
        witness.json(post.clone(), ORDERS, ORDERS, 409, json!({ "payment_id": "OPEN", "name": "x", "amount": 1 })).await;
        witness.json(post.clone(), ORDERS, ORDERS, 422, json!({ "payment_id": "X", "name": "x", "amount": 0 })).await;
        witness.json(post.clone(), ORDERS, ORDERS, 422, json!({ "payment_id": "X", "name": "x", "amount": 1, "portone": "v2" })).await;
        witness.ask(post.clone(), ORDERS, ORDERS, 400, |request| request.body("{")).await;
        let named = async |keys: &[&str], wanted: u16, body: &Value| {
            witness.ask(Method::POST, ORDERS, ORDERS, wanted, |request| keys.iter().fold(request.json(body), |request, key| request.header("idempotency-key", *key))).await
        };
        named(&["1"], 201, &order("NAMED")).await;
        named(&["1"], 200, &order("NAMED")).await;
        named(&["1"], 422, &order("OTHER")).await;
        named(&["1", "2"], 400, &order("OTHER")).await;
        // PortOne takes its time over the amount: the same request again finds the first under way.
        app.sandbox.fault(json!({ "call": "prepare", "kind": "delay", "delay_ms": 2_000, "times": 1 })).unwrap();
        let prepared = app.sandbox.calls("prepare");
        let slow = tokio::spawn({
            let request = app.client.post(app.url(ORDERS)).bearer_auth(app.key()).header("idempotency-key", "slow").json(&order("SLOW"));
            async move { request.send().await.unwrap().status() }
        });
        while app.sandbox.calls("prepare") == prepared {
            tokio::task::yield_now().await;
        }
        named(&["slow"], 409, &order("SLOW")).await;
        assert_eq!(slow.await.unwrap(), StatusCode::CREATED);
        named(&["slow"], 200, &order("SLOW")).await;
        let paid = app.pay("PAID", json!({}));
        app.complete(&format!("imp_uid={paid}&merchant_uid=PAID")).await;
        for _ in 0..2 {
            let imp_uid = app.pay("TWICE", json!({}));
            app.complete(&format!("imp_uid={imp_uid}&merchant_uid=TWICE")).await;
        }
        let bank = app.pay("BANK", json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "1-2", "vbank_date": 4_102_444_800_i64 }));
        app.complete(&format!("imp_uid={bank}&merchant_uid=BANK")).await;
        for id in ["PAID", "BANK", "OPEN"] {
            witness.get(ORDER, &format!("/api/v1/orders/{id}"), 200).await;
            witness.get(EVENTS, &format!("/api/v1/orders/{id}/events"), 200).await;
            witness.get(REFUNDS, &format!("/api/v1/orders/{id}/refunds"), 200).await;
        }
        witness.ask(post.clone(), SYNC, "/api/v1/orders/PAID/sync", 200, |request| request).await;
        for (path, tail) in [(ORDER, ""), (EVENTS, "/events"), (REFUNDS, "/refunds")] {
            witness.get(path, &format!("/api/v1/orders/NOBODY{tail}"), 404).await;
        }
        for (path, tail) in [(SYNC, "/sync"), (CLOSE, "/close")] {
            witness.ask(post.clone(), path, &format!("/api/v1/orders/NOBODY{tail}"), 404, |request| request).await;
        }
        let list = witness.get(ORDERS, "/api/v1/orders?limit=2", 200).await.json();
        assert!(list["next_cursor"].is_string());
        witness.get(ORDERS, "/api/v1/orders?limit=0", 422).await;
        witness.ask(post.clone(), CLOSE, "/api/v1/orders/OPEN/close", 200, |request| request).await;
        witness.ask(post.clone(), CLOSE, "/api/v1/orders/PAID/close", 409, |request| request).await;

        // Attention.
        let list = witness.get(ATTENTION, ATTENTION, 200).await.json();
        let second = list["items"][0]["transaction_id"].as_str().unwrap().to_owned();
        witness.get(ATTENTION, "/api/v1/attention?cursor=x", 422).await;
        let settle = format!("/api/v1/attention/duplicate/{second}/settle");
        witness.ask(post.clone(), SETTLE, &settle, 400, |request| request.body("{")).await;
        witness.json(post.clone(), SETTLE, &settle, 422, json!({})).await;
        witness.json(post.clone(), SETTLE, &settle, 204, json!({ "note": "given back by hand" })).await;
        witness.json(post.clone(), SETTLE, &settle, 409, json!({ "note": "again" })).await;
        witness.json(post.clone(), SETTLE, "/api/v1/attention/late/imp_1/settle", 404, json!({ "note": "x" })).await;

        // Refunds.
        let part = json!({ "reason": "x", "amount": 1_000 });
        refund("PAID", None, 400, &part).await;
        refund("NOBODY", Some("1"), 404, &part).await;
        refund("DOWN", Some("1"), 409, &part).await;
        refund("PAID", Some("1"), 422, &json!({})).await;
        refund("PAID", Some("1"), 409, &json!({ "reason": "x", "amount": 90_000 })).await;
        witness.ask(post.clone(), REFUNDS, "/api/v1/orders/PAID/refunds", 400, |request| request.header("idempotency-key", "1").body("[")).await;
        refund("PAID", Some("1"), 201, &part).await;
        refund("PAID", Some("1"), 200, &part).await;
        refund("PAID", Some("1"), 422, &json!({ "reason": "x", "amount": 2 })).await;
        witness.get(REFUNDS, "/api/v1/orders/PAID/refunds", 200).await;
        app.sandbox.patch_payment(&bank, json!({ "status": "paid" })).unwrap();
        refund("BANK", Some("2"), 422, &part).await;
        // PortOne takes its time over a call: the same request again, and another one, find it under way.
        app.sandbox.fault(json!({ "call": "cancel", "kind": "delay", "delay_ms": 3_000, "times": 1 })).unwrap();
        let slow = tokio::spawn({
            let request = app.client.post(app.url("/api/v1/orders/TWICE/refunds")).bearer_auth(app.key()).header("idempotency-key", "slow").json(&part);
            async move { request.send().await.unwrap().status() }
        });
        while app.sandbox.calls("cancel") < 2 {
            tokio::task::yield_now().await;
        }
        refund("TWICE", Some("slow"), 409, &part).await;
        refund("TWICE", Some("other"), 409, &part).await;
        slow.abort();

        // Endpoints and deliveries.
        let body = |n: u32| json!({ "url": format!("http://127.0.0.1:1/{n}"), "event_types": ["order.paid"] });
        let made = witness.json(post.clone(), ENDPOINTS, ENDPOINTS, 201, body(0)).await.json();
        let id = made["id"].as_str().unwrap();
        let at = |tail: &str| format!("{ENDPOINTS}/{id}{tail}");
        witness.get(ENDPOINTS, ENDPOINTS, 200).await;
        witness.get(ENDPOINT, &at(""), 200).await;
        let patch = Method::PATCH;
        witness.json(patch.clone(), ENDPOINT, &at(""), 200, json!({ "event_types": null })).await;
        witness.json(patch.clone(), ENDPOINT, &at(""), 422, json!({ "event_types": [] })).await;
        witness.ask(patch.clone(), ENDPOINT, &at(""), 400, |request| request.body("{")).await;
        witness.json(patch.clone(), ENDPOINT, NO_ENDPOINT, 404, json!({})).await;
        witness.ask(post.clone(), ROTATE, &at("/rotate"), 200, |request| request).await;
        witness.ask(post.clone(), ROTATE, &at("/rotate"), 409, |request| request).await;
        app.order("EVENT").await;
        let imp_uid = app.pay("EVENT", json!({}));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=EVENT")).await;
        // Nobody listens there: an attempt is made, and fails.
        deliveries::deliver_due(&app.running.core).await.unwrap();
        let list = witness.get(DELIVERIES, DELIVERIES, 200).await.json();
        let delivery = format!("{DELIVERIES}/{}", list["deliveries"][0]["id"]);
        witness.get(DELIVERIES, "/api/v1/deliveries?status=sent", 422).await;
        let read = witness.get(DELIVERY, &delivery, 200).await.json();
        assert_eq!(read["attempts"][0]["error"], "connect_failed");
        witness.get(DELIVERY, "/api/v1/deliveries/999999", 404).await;
        witness.ask(post.clone(), REDELIVER, &format!("{delivery}/redeliver"), 202, |request| request).await;
        witness.ask(post.clone(), REDELIVER, "/api/v1/deliveries/999999/redeliver", 404, |request| request).await;
        witness.json(post.clone(), MANY, &at("/redeliver"), 202, json!({})).await;
        witness.json(post.clone(), MANY, &at("/redeliver"), 422, json!({ "status": "pending" })).await;
        witness.ask(post.clone(), MANY, &at("/redeliver"), 400, |request| request.body("{")).await;
        witness.json(patch, ENDPOINT, &at(""), 200, json!({ "enabled": false })).await;
        witness.json(post.clone(), MANY, &at("/redeliver"), 409, json!({})).await;
        witness.ask(post.clone(), REDELIVER, &format!("{delivery}/redeliver"), 409, |request| request).await;
        witness.ask(Method::DELETE, ENDPOINT, &at(""), 204, |request| request).await;
        for (method, path, tail) in [(Method::GET, ENDPOINT, ""), (Method::DELETE, ENDPOINT, ""), (post.clone(), ROTATE, "/rotate"), (post.clone(), MANY, "/redeliver")] {
            witness.ask(method, path, &format!("{NO_ENDPOINT}{tail}"), 404, |request| request).await;
        }
        witness.json(post.clone(), ENDPOINTS, ENDPOINTS, 422, json!({ "url": "ftp://x" })).await;
        witness.ask(post.clone(), ENDPOINTS, ENDPOINTS, 400, |request| request.body("{")).await;
        for n in 0..ENDPOINTS_MAX {
            witness.json(post.clone(), ENDPOINTS, ENDPOINTS, 201, body(n)).await;
        }
        witness.json(post.clone(), ENDPOINTS, ENDPOINTS, 409, body(99)).await;

        // What any operation refuses with, and whoever has no key.
        for ((method, path), operation) in operations() {
            let address = path.replace("{kind}", "held").replace("{payment_id}", "PAID").replace("{transaction_id}", "imp_1").replace("{endpoint_id}", id).replace("{id}", "1");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            if operation["security"].is_null() {
                let answer = app.send(app.client.request(method.clone(), app.url(&address)).bearer_auth("wr_x")).await;
                witness.compare(method.as_str(), &path, 401, Some("application/problem+json"), &answer.text);
            } else {
                witness.get(&path, &address, 200).await;
            }
            let many = format!("{address}?{}", "a=1&".repeat(65));
            witness.ask(method.clone(), &path, &many, 400, |request| request).await;
            if !operation["requestBody"].is_null() {
                let large = "x".repeat(70 * 1024);
                witness.ask(method, &path, &address, 413, |request| request.header("idempotency-key", "large").body(large)).await;
            }
        }
        witness.ask(get, ORDERS, ORDERS, 431, |request| (0..5).fold(request, |request, n| request.header(format!("x-large-{n}"), "x".repeat(7_000)))).await;
        let raw = [
            (400, "GET /api/v1/orders HTTP/1.1\r\n\r\n".to_owned(), "GET"),
            (408, "POST /api/v1/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{".to_owned(), "POST"),
        ];
        for (status, request, method) in raw {
            let (head, body) = exchange(&app, &request).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            witness.compare(method, ORDERS, status, Some("application/problem+json"), &body);
        }
        app.sandbox.fault(json!({ "call": "any", "kind": "status", "status": 503 })).unwrap();
        witness.ask(post, SYNC, "/api/v1/orders/DOWN/sync", 503, |request| request).await;

        // Another app, that takes two calls a minute of each key.
        let other = limited(&db, 2).await;
        let calls = async || other.api(Method::GET, ORDERS, None).await;
        for left in [1, 0, 0] {
            let answer = calls().await;
            let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(header("ratelimit-policy").as_deref(), Some("\"key\";q=2;w=60"));
            let (standing, seconds) = header("ratelimit").unwrap().rsplit_once(";t=").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            assert_eq!(standing, format!("\"key\";r={left}"));
            assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                assert_eq!(header("retry-after"), Some(seconds));
                witness.compare("GET", ORDERS, 429, Some("application/problem+json"), &answer.text);
            }
        }
        let another_key = access::make_api_key(&other.running.core, "another", &Actor::Command).await.unwrap();
        let of_another_key = other.send(other.client.get(other.url(ORDERS)).bearer_auth(another_key.expose_secret())).await;
        assert_eq!(of_another_key.status, StatusCode::OK);
        let without = other.send(other.client.get(other.url(ORDERS)).bearer_auth("wr_x")).await;
        assert_eq!((without.status, without.headers.get("ratelimit")), (StatusCode::UNAUTHORIZED, None));

        let seen = witness.seen.into_inner();
        let mut missing = Vec::new();
        for operation in operations().into_values() {
            let id = operation["operationId"].as_str().unwrap();
            let successes = operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2')).cloned();
            let own = refusals(operation).into_iter().filter(|word| !ANY.contains(&word.as_str()));
            missing.extend(successes.chain(own).map(|what| (id.to_owned(), what)).filter(|pair| !seen.contains(pair)));
        }
        assert!(missing.is_empty(), "described and never seen: {missing:?}");
        for word in ANY {
            assert!(seen.iter().any(|(_, what)| what == word), "{word}");
        }
    })
    .await;
}

/// What no operation is, is refused in the words of all refusals, with the methods that there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_no_operation_has_is_a_problem_that_names_those_that_there_are() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (method, path) in operations().into_keys() {
            let methods = described.entry(path).or_default();
            if method == "GET" {
                methods.insert("HEAD".to_owned());
            }
            methods.insert(method);
        }
        // What the pages' scripts call lies beside them.
        described.insert(
            "/api/payments/look-up".to_owned(),
            BTreeSet::from(["POST".to_owned()]),
        );
        for (path, methods) in described {
            let address = path.replace(['{', '}'], "x");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                if methods.contains(method) {
                    continue;
                }
                let name = format!("{method} {address}");
                let request = app
                    .client
                    .request(method.parse().unwrap(), app.url(&address))
                    .header("accept", "text/html");
                let answer = app.send(request.bearer_auth(app.key())).await;
                assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{name}");
                let media_type = &answer.headers["content-type"];
                assert_eq!(media_type, "application/problem+json", "{name}");
                let allow = answer.headers["allow"].to_str().unwrap().split(',');
                let allow: BTreeSet<String> = allow.map(|word| word.trim().to_owned()).collect();
                assert_eq!(allow, methods, "{name}");
                if method != "HEAD" {
                    assert_eq!(answer.json()["type"], "/problems/method-not-allowed");
                    let problem = json!({ "$ref": "#/components/schemas/Problem" });
                    check(&name, &problem, &answer.json());
                }
            }
        }
        // Nor is there anything else under /api.
        for address in ["/api", "/api/", "/api/v2/orders", "/api/v1", "/api/v1/x/y"] {
            let request = app.client.get(app.url(address));
            let answer = app.send(request.header("accept", "text/html")).await;
            assert_eq!(answer.json()["type"], "/problems/not-found", "{address}");
        }
    })
    .await;
}

/// An id that is no text is the id of nothing, as one is that nobody has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_no_text_is_not_there() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let witness = Witness {
            app: &app,
            seen: Mutex::default(),
        };
        let mut asked = 0;
        for (method, path) in operations().into_keys() {
            let parts = path.split('/').filter(|part| part.starts_with('{'));
            for garbled in parts {
                let with = |part: &str| {
                    match part {
                        _ if part == garbled => "%FF",
                        "{kind}" => "late",
                        "{transaction_id}" => "imp_1",
                        plain => plain,
                    }
                    .to_owned()
                };
                let address = path.split('/').map(with).collect::<Vec<_>>().join("/");
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = witness
                    .ask(method, &path, &address, 404, |request| {
                        let request = request.header("idempotency-key", "1");
                        request.json(&json!({ "reason": "x", "note": "x" }))
                    })
                    .await;
                assert_eq!(answer.json()["type"], "/problems/not-found", "{address}");
                asked += 1;
            }
        }
        assert!(asked >= 15, "{asked}");
    })
    .await;
}

/// Sends these bytes; head and body of the answer.
async fn exchange(app: &TestApp, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(app.running.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// What a request's description allows, and what it refuses: its fields are those that are read.
#[test]
fn bodies_are_described_by_the_fields_that_are_read() {
    for (name, wanted, allowed) in [
        (
            "NewOrderBody",
            json!({ "payment_id": "A", "name": "x", "amount": 1 }),
            json!({ "currency": null }),
        ),
        (
            "NewRefundBody",
            json!({ "reason": "x" }),
            json!({ "amount": null }),
        ),
        ("SettleBody", json!({ "note": "x" }), json!({})),
    ] {
        let mut whole = json!({ "$ref": format!("#/components/schemas/{name}") });
        whole["components"] = document()["components"].clone();
        let validator = jsonschema::validator_for(&whole).unwrap();
        let with = |more: &Value| {
            let mut body = wanted.clone();
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            body
        };
        assert!(
            validator.is_valid(&wanted) && validator.is_valid(&with(&allowed)),
            "{name}"
        );
        assert!(
            !validator.is_valid(&with(&json!({ "color": "red" }))),
            "{name}"
        );
        for field in wanted.as_object().unwrap().keys() {
            let mut less = wanted.clone();
            less.as_object_mut().unwrap().remove(field);
            assert!(!validator.is_valid(&less), "{name} without {field}");
        }
    }
}

/// A client that goes by the description sends what is taken, and what it says is none is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_the_description_is_what_is_taken() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let schema = |name: &str| {
            let mut whole = json!({ "$ref": format!("#/components/schemas/{name}") });
            whole["components"] = document()["components"].clone();
            jsonschema::validator_for(&whole).unwrap()
        };
        let orders = schema("NewOrderBody");
        for (number, (field, value, is_taken)) in [
            ("currency", json!("USD"), true),
            ("currency", json!("KWD"), true),
            ("currency", json!(null), true),
            ("currency", json!("WON"), false),
            ("currency", json!("krw"), false),
            ("currency", json!("XAU"), false),
            ("locale", json!("zh-Hans-CN"), true),
            ("locale", json!("EN_us"), true),
            ("locale", json!("ko-"), true),
            ("locale", json!("fr"), false),
            ("locale", json!("kok"), false),
            ("locale", json!("ko-\u{7}x"), false),
            ("return_url", json!("HTTPS://shop.example/끝?a=1#b"), true),
            ("return_url", json!("javascript:alert(1)"), false),
            ("return_url", json!("//shop.example"), false),
            ("payment_id", json!("주문 1:2;3&4=5+6"), true),
            ("payment_id", json!("\u{1f600}"), true),
            ("payment_id", json!(""), false),
            ("payment_id", json!("a/b"), false),
            ("payment_id", json!("a\\b"), false),
            ("payment_id", json!("a?"), false),
            ("payment_id", json!("#a"), false),
            ("payment_id", json!("100%"), false),
            ("payment_id", json!("a\u{85}b"), false),
            ("payment_id", json!("a\nb"), false),
            ("payment_id", json!("\u{fffd}"), false),
            ("metadata", json!({ "a": [1] }), true),
            ("metadata", json!([1]), false),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = json!({ "payment_id": format!("N-{number}"), "name": "x", "amount": 1 });
            body[field] = value;
            let answer = app.api(Method::POST, ORDERS, Some(body.clone())).await;
            let wanted = if is_taken {
                StatusCode::CREATED
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            assert_eq!(answer.status, wanted, "{body}: {}", answer.text);
            assert_eq!(orders.is_valid(&body), is_taken, "{body}");
        }
        let endpoints = schema("NewWebhookEndpointBody");
        for (url, is_taken) in [("http://127.0.0.1:1/", true), ("ftp://127.0.0.1/", false)] {
            let body = json!({ "url": url });
            let answer = app.api(Method::POST, ENDPOINTS, Some(body.clone())).await;
            assert_eq!(answer.status == StatusCode::CREATED, is_taken, "{url}");
            assert_eq!(endpoints.is_valid(&body), is_taken, "{url}");
        }
        for (id, is_one) in [("imp_1-A", true), ("a b", false)] {
            let body = json!({ "reason": "x", "transaction_id": id });
            assert_eq!(schema("NewRefundBody").is_valid(&body), is_one, "{id}");
        }
        // And in addresses.
        for ((method, path), operation) in operations() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                let name = parameter["name"].as_str().unwrap();
                let wrong = match name {
                    "payment_id" => "a/b",
                    "endpoint_id" => "we_1",
                    "transaction_id" => "a b",
                    _ => continue,
                };
                let validator = jsonschema::validator_for(&parameter["schema"]).unwrap();
                assert!(!validator.is_valid(&json!(wrong)), "{method} {path} {name}");
            }
        }
    })
    .await;
}

/// An app whose keys may make so many calls in a minute.
async fn limited(db: &TestDatabase, calls_per_key: u32) -> TestApp {
    let limits = Limits {
        calls_per_key,
        ..Limits::default()
    };
    let (sandbox, clock) = (TestApp::new_sandbox().await, Arc::new(SystemClock));
    let db = TestDatabase {
        url: format!("{}-limited", db.url),
    };
    TestApp::start_within(&db, sandbox, |_| {}, clock, limits, Rounds::ByHand).await
}
