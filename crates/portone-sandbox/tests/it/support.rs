//! A sandbox with a client that behaves like a browser which does not follow redirects.

use portone_sandbox::{Builder, Sandbox};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde_json::{Value, json};

/// Where the shop of these tests wants its buyers back.
pub(crate) const REDIRECT_URL: &str = "http://shop.test/payments/complete?order_id=7";

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(Sandbox::builder()).await
    }

    pub(crate) async fn start_with(builder: Builder) -> Self {
        let sandbox = builder.spawn().await.unwrap();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Bench { sandbox, http }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, self.sandbox.url().join(path).unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) async fn token(&self) -> String {
        let answer = self
            .post("/users/getToken")
            .json(&json!({"imp_key": "imp_apikey", "imp_secret": "sandbox-secret"}))
            .send()
            .await
            .unwrap();
        let answer = json_of(answer, 200).await;
        answer["response"]["access_token"].as_str().unwrap().into()
    }

    /// An authorised GET of PortOne's API.
    pub(crate) async fn ask(&self, path: &str) -> Response {
        let token = self.token().await;
        self.get(path).bearer_auth(token).send().await.unwrap()
    }

    /// Opens a window for `parameters`, which are completed with an order of 64,900 won.
    pub(crate) async fn checkout(&self, parameters: Value) -> Value {
        self.checkout_by("flow=redirect", parameters).await
    }

    pub(crate) async fn checkout_by(&self, query: &str, parameters: Value) -> Value {
        let mut body = json!({
            "merchant_uid": "ORD-1",
            "name": "원두 1kg",
            "amount": 64900,
            "m_redirect_url": REDIRECT_URL,
        });
        for (name, value) in parameters.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = self
            .post(&format!("/_sandbox/checkout?{query}"))
            .header("origin", "http://shop.test")
            .header("user-agent", "Test Browser/1.0")
            .json(&body)
            .send()
            .await
            .unwrap();
        json_of(answer, 200).await
    }

    /// The imp_uid of a freshly opened window.
    pub(crate) async fn open(&self, parameters: Value) -> String {
        let answer = self.checkout(parameters).await;
        assert_eq!(answer["success"], true, "{answer}");
        answer["imp_uid"].as_str().unwrap().into()
    }

    pub(crate) async fn choose(&self, imp_uid: &str, fields: &[(&str, &str)]) -> Response {
        self.post(&format!("/_sandbox/window/{imp_uid}"))
            .form(fields)
            .send()
            .await
            .unwrap()
    }

    pub(crate) fn record(&self, imp_uid: &str) -> Value {
        self.sandbox.payment(imp_uid).unwrap()
    }
}

pub(crate) async fn json_of(answer: Response, status: u16) -> Value {
    let actual = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_eq!(actual, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

pub(crate) async fn text_of(answer: Response, status: u16) -> String {
    assert_eq!(answer.status().as_u16(), status);
    answer.text().await.unwrap()
}

pub(crate) fn location(answer: &Response) -> &str {
    assert_eq!(answer.status().as_u16(), 302);
    answer.headers()["location"].to_str().unwrap()
}
