//! The whole app on a port of its own, beside a sandbox of its own, driven as the world outside drives it.

use std::sync::Arc;
use std::time::Duration;

use portone_sandbox::Sandbox;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use wanryo::compose::{self, Running};
use wanryo::config::{Settings, V1Settings};
use wanryo::domain::order::Mode;
use wanryo::service::access;

use crate::support::TestDatabase;

/// How long a test waits for something that must happen by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

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

impl TestApp {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Self::start_with(
            database,
            Arc::new(Sandbox::builder().spawn().await.unwrap()),
            |_| {},
        )
        .await
    }

    pub(crate) async fn start_with(
        database: &TestDatabase,
        sandbox: Arc<Sandbox>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings {
            addr: "127.0.0.1:0".parse().unwrap(),
            public_url: None,
            database_url: database.url.clone(),
            mode: Mode::Live,
            trusted_proxies: Vec::new(),
            webhook_sources: Vec::new(),
            support_url: Some("https://shop.example/help".to_owned()),
            shop_name: Some("완료상점".to_owned()),
            shop_url: Some("https://shop.example/".to_owned()),
            v1: Some(V1Settings {
                api_url: sandbox.url().clone(),
                sdk_url: sandbox.url().join("v1/iamport.js").unwrap(),
                merchant_code: "imp00000000".to_owned(),
                api_key: SecretString::from("imp_apikey"),
                api_secret: SecretString::from("sandbox-secret"),
            }),
            portone_timeout: Duration::from_secs(10),
        };
        change(&mut settings);
        let running = compose::start(settings).await.unwrap();
        sandbox.set_webhook_url(
            Url::parse(&format!("{}/payments/webhook", running.public_url)).unwrap(),
        );
        let key = access::make_api_key(&running.core, "test")
            .await
            .unwrap()
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    pub(crate) async fn api(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, self.url(path))
            .bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::read(request.send().await.unwrap()).await
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
        let answer = self
            .api(reqwest::Method::POST, "/api/v1/orders", Some(body))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn read_order(&self, payment_id: &str) -> Value {
        self.api(
            reqwest::Method::GET,
            &format!("/api/v1/orders/{payment_id}"),
            None,
        )
        .await
        .json()
    }

    pub(crate) async fn history(&self, payment_id: &str) -> Vec<Value> {
        let answer = self
            .api(
                reqwest::Method::GET,
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
}
