//! The whole app on a port of its own, beside a sandbox of its own, driven as the world outside drives it.

use std::sync::Arc;
use std::time::Duration;

use portone::webhook::Signer;
use portone_sandbox::Sandbox;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use wanryo::adapters::system::SystemClock;
use wanryo::compose::{self, Rounds, Running};
use wanryo::config::{RETENTION_DAYS, Settings, V1Settings, V2Settings};
use wanryo::domain::history::Actor;
use wanryo::domain::order::Mode;
use wanryo::domain::refund::OnMismatch;
use wanryo::ports::clock::Clock;
use wanryo::service::access;
use wanryo::web::limits::Limits;

use crate::support::TestDatabase;

/// How long a test waits for something that must happen by itself, on a machine that may have a great deal to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The sandbox's own, which nobody owns.
pub(crate) const STORE_ID: &str = "store-00000000-0000-0000-0000-000000000000";
pub(crate) const V2_SECRET: &str = "sandbox-v2-secret";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0";

/// A running app and its PortOne.
pub(crate) struct TestApp {
    pub(crate) running: Running,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) client: reqwest::Client,
    key: String,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    pub(crate) fn outcome(&self) -> String {
        self.json()["outcome"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The word in the page's `<main data-outcome>`.
    pub(crate) fn page_outcome(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("data-outcome=\"")?;
        rest.split_once('"').map(|(word, _)| word)
    }
}

/// What a test's app is set to.
pub(crate) fn settings(database: &TestDatabase, sandbox: &Sandbox) -> Settings {
    Settings {
        addr: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        database_url: database.url.clone(),
        mode: Mode::Live,
        trusted_proxies: Vec::new(),
        webhook_sources: Vec::new(),
        event_targets_private: vec!["127.0.0.0/8".parse().unwrap()],
        metrics_sources: vec!["127.0.0.0/8".parse().unwrap()],
        on_mismatch: OnMismatch::Hold,
        retention_days: RETENTION_DAYS,
        support_url: Some("https://shop.example/help".to_owned()),
        shop_name: Some("완료상점".to_owned()),
        shop_url: Some("https://shop.example/".to_owned()),
        shop_color: None,
        shop_logo: None,
        v1: Some(V1Settings {
            api_url: sandbox.url().clone(),
            sdk_url: sandbox.url().join("v1/iamport.js").unwrap(),
            merchant_code: "imp00000000".to_owned(),
            api_key: SecretString::from("imp_apikey"),
            api_secret: SecretString::from("sandbox-secret"),
        }),
        v2: Some(V2Settings {
            api_url: sandbox.url().join("v2").unwrap(),
            sdk_url: sandbox.url().join("v2/browser-sdk.js").unwrap(),
            store_id: STORE_ID.to_owned(),
            api_secret: SecretString::from(V2_SECRET),
            webhook_secrets: vec![SecretString::from(WEBHOOK_SECRET)],
        }),
        portone_timeout: Duration::from_secs(10),
        gallery: false,
    }
}

impl TestApp {
    /// Its background work is done when the test does it, here and wherever else nothing is said of rounds: a worker beside a
    /// test that pushes the clock or counts calls would race with it.
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, Self::new_sandbox().await, |_| {}).await
    }

    /// With the worker beside it, as it is shipped.
    pub(crate) async fn start_with_worker(database: &TestDatabase) -> Self {
        let (sandbox, clock) = (Self::new_sandbox().await, Arc::new(SystemClock));
        let (limits, rounds) = (Limits::default(), Rounds::ByWorker);
        Self::start_within(database, sandbox, |_| {}, clock, limits, rounds).await
    }

    pub(crate) async fn new_sandbox() -> Arc<Sandbox> {
        Arc::new(Sandbox::builder().spawn().await.unwrap())
    }

    pub(crate) async fn start_with(
        database: &TestDatabase,
        sandbox: Arc<Sandbox>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::start_at(database, sandbox, change, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_at(
        database: &TestDatabase,
        sandbox: Arc<Sandbox>,
        change: impl FnOnce(&mut Settings),
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rounds = Rounds::ByHand;
        Self::start_within(database, sandbox, change, clock, Limits::default(), rounds).await
    }

    pub(crate) async fn start_within(
        database: &TestDatabase,
        sandbox: Arc<Sandbox>,
        change: impl FnOnce(&mut Settings),
        clock: Arc<dyn Clock>,
        limits: Limits,
        rounds: Rounds,
    ) -> Self {
        let mut settings = settings(database, &sandbox);
        change(&mut settings);
        let running = Box::pin(compose::start_within(settings, clock, limits, rounds))
            .await
            .unwrap();
        sandbox.set_webhook_url(
            Url::parse(&format!("{}/payments/webhook", running.public_url)).unwrap(),
        );
        let key = match access::make_api_key(&running.core, "test", &Actor::Command).await {
            Ok(key) => key,
            // Another app of this test's database has made the others, and is gone.
            Err(access::AccessError::TooMany) => {
                let keys = running.core.access.api_keys(10).await.unwrap();
                let oldest = keys.iter().rfind(|key| key.name == "test").unwrap();
                running
                    .core
                    .access
                    .delete_api_key(&oldest.id, &Actor::Command, running.core.clock.now())
                    .await
                    .unwrap();
                access::make_api_key(&running.core, "test", &Actor::Command)
                    .await
                    .unwrap()
            }
            Err(error) => panic!("no key: {error}"),
        }
        .expose_secret()
        .to_owned();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            running,
            sandbox,
            client,
            key,
        }
    }

    /// The shop's key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self
            .client
            .request(method, self.url(path))
            .bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    /// Asks for a refund, by a name that makes the request recognisable among those of its order.
    pub(crate) async fn refund(&self, payment_id: &str, key: &str, body: Value) -> Answer {
        self.refund_named(payment_id, &format!("{payment_id} {key}"), body)
            .await
    }

    /// Asks for a refund, by this very name.
    pub(crate) async fn refund_named(&self, payment_id: &str, key: &str, body: Value) -> Answer {
        let request = self
            .client
            .post(self.url(&format!("/api/v1/orders/{payment_id}/refunds")))
            .bearer_auth(&self.key)
            .header("idempotency-key", key)
            .json(&body);
        self.send(request).await
    }

    /// Makes an order over 65,000 won.
    pub(crate) async fn order(&self, payment_id: &str) -> Value {
        self.order_with(payment_id, json!({})).await
    }

    pub(crate) async fn order_with(&self, payment_id: &str, more: Value) -> Value {
        let mut body =
            json!({ "payment_id": payment_id, "name": "사과 한 상자", "amount": 65_000 });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = self.api(Method::POST, "/api/v1/orders", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    /// Makes an order over 65,000 won that is paid through V2.
    pub(crate) async fn order_v2(&self, payment_id: &str) -> Value {
        self.order_with(
            payment_id,
            json!({ "portone": "v2", "channel_key": "channel-key-00000000-0000-0000-0000-000000000000" }),
        )
        .await
    }

    pub(crate) async fn read_order(&self, payment_id: &str) -> Value {
        self.api(Method::GET, &format!("/api/v1/orders/{payment_id}"), None)
            .await
            .json()
    }

    pub(crate) async fn history(&self, payment_id: &str) -> Vec<Value> {
        let answer = self
            .api(
                Method::GET,
                &format!("/api/v1/orders/{payment_id}/events"),
                None,
            )
            .await;
        answer.json()["events"].as_array().unwrap().clone()
    }

    /// The event types in the order's outbox.
    pub(crate) async fn told(&self, payment_id: &str) -> Vec<&'static str> {
        let id = wanryo::domain::ids::PaymentId::parse(payment_id).unwrap();
        self.running
            .core
            .orders
            .outbox(&id)
            .await
            .unwrap()
            .iter()
            .map(|row| row.event.event_type.as_str())
            .collect()
    }

    /// A payment at PortOne, without any message to us.
    pub(crate) fn pay(&self, payment_id: &str, more: Value) -> String {
        let mut fields = json!({ "merchant_uid": payment_id, "amount": 65_000, "status": "paid" });
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.sandbox.create_payment(fields).unwrap()
    }

    /// Money comes to the account that PortOne issued.
    pub(crate) async fn deposit(&self, imp_uid: &str) {
        let path = format!("_sandbox/payments/{imp_uid}/deposit");
        let url = self.sandbox.url().join(&path).unwrap();
        let answer = self.send(self.client.post(url)).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }

    /// An attempt to pay at PortOne V2, without any message to us; the id of the attempt.
    pub(crate) async fn pay_v2(&self, payment_id: &str, more: Value) -> String {
        let mut fields =
            json!({ "id": payment_id, "amount": { "total": 65_000 }, "status": "PAID" });
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let attempt = self.control_v2(Method::POST, &[], fields).await;
        attempt["transactionId"].as_str().unwrap().to_owned()
    }

    /// Changes the attempt that PortOne V2 shows.
    pub(crate) async fn patch_v2(&self, payment_id: &str, fields: Value) {
        self.control_v2(Method::PATCH, &[payment_id], fields).await;
    }

    /// What the sandbox's V2 does without anybody paying.
    pub(crate) async fn control_v2(&self, method: Method, path: &[&str], body: Value) -> Value {
        let mut url = self.sandbox.url().join("_sandbox/v2/payments").unwrap();
        url.path_segments_mut().unwrap().extend(path);
        let answer = self
            .send(self.client.request(method, url).json(&body))
            .await;
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.json()
    }

    /// The buyer comes back; the answer as JSON.
    pub(crate) async fn complete(&self, query: &str) -> Answer {
        let request = self
            .client
            .get(self.url(&format!("/payments/complete?{query}")))
            .header("accept", "application/json");
        Answer::read(request.send().await.unwrap()).await
    }

    /// The buyer comes back; the answer as a page.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        let request = self
            .client
            .get(self.url(path))
            .header("accept", "text/html,application/xhtml+xml");
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn webhook(&self, imp_uid: &str, merchant_uid: &str, status: &str) -> Answer {
        let body = json!({ "imp_uid": imp_uid, "merchant_uid": merchant_uid, "status": status });
        self.send(self.client.post(self.url("/payments/webhook")).json(&body))
            .await
    }

    /// A webhook of V2 as PortOne posts it now.
    pub(crate) async fn webhook_v2(
        &self,
        webhook_id: &str,
        kind: &str,
        payment_id: &str,
        tx_id: &str,
    ) -> Answer {
        let body = json!({ "type": kind, "timestamp": "2026-11-21T00:00:00.000Z", "data": { "storeId": STORE_ID, "paymentId": payment_id, "transactionId": tx_id } });
        let (secret, now) = (WEBHOOK_SECRET, self.running.core.clock.now().as_second());
        self.signed(
            "/payments/webhook",
            secret,
            webhook_id,
            now,
            "application/json",
            body.to_string(),
        )
        .await
    }

    /// A body with the headers of Standard Webhooks.
    pub(crate) async fn signed(
        &self,
        path: &str,
        secret: &str,
        webhook_id: &str,
        at: i64,
        content_type: &str,
        body: String,
    ) -> Answer {
        let headers = Signer::new([secret])
            .unwrap()
            .sign(webhook_id, at, body.as_bytes());
        let mut request = self
            .client
            .post(self.url(path))
            .header("content-type", content_type);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        self.send(request.body(body)).await
    }
}
