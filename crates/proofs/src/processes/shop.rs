//! The world around a server: a shop's server, buyers' browsers, and PortOne with its webhooks.

use std::time::Duration;

use anyhow::Context;
use portone::webhook::Signer;
use portone_sandbox::Sandbox;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use wanryo::domain::order::Portone;

/// Longest time for one request: longer than any the server allows itself.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection is kept for the next request: less than the server keeps one, or it would close what is just being used.
const IDLE: Duration = Duration::from_secs(1);
/// What the sandbox's V2 sells through.
const V2_CHANNEL_KEY: &str = "channel-key-00000000-0000-0000-0000-000000000000";

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's word.
    pub status: StatusCode,
    /// The body; `null` when it is no JSON.
    pub json: Value,
}

impl Answer {
    /// What a completion answer says.
    #[must_use]
    pub fn outcome(&self) -> &str {
        self.json["outcome"].as_str().unwrap_or_default()
    }
}

/// A client for everybody around the server.
///
/// # Errors
/// When there is no TLS, although none is spoken here.
pub fn client() -> anyhow::Result<Client> {
    // Somebody may have been faster, with the same one.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(REQUEST_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .build()
        .context("an HTTP client")
}

/// Everybody around one server.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Speaks for all of them.
    pub client: Client,
    /// Where the server listens.
    pub base: String,
    /// The shop's API key.
    pub key: String,
}

/// An attempt to pay, as everybody but the server knows it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The generation of PortOne.
    pub portone: Portone,
    /// The order's number.
    pub payment_id: String,
    /// PortOne's name for the attempt.
    pub transaction_id: String,
}

impl Shop {
    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        Ok(Answer {
            status,
            json: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .request(method, format!("{}/api/v1/orders{path}", self.base))
            .bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }

    /// The shop makes an order.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn make_order(
        &self,
        portone: Portone,
        payment_id: &str,
        amount: i64,
    ) -> reqwest::Result<Answer> {
        let mut order = json!({ "payment_id": payment_id, "name": "사과 한 상자", "amount": amount, "portone": portone.as_str() });
        match portone {
            Portone::V1 => {}
            Portone::V2 => order["channel_key"] = json!(V2_CHANNEL_KEY),
        }
        self.api(Method::POST, "", Some(order)).await
    }

    /// The shop looks at an order.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn read_order(&self, payment_id: &str) -> reqwest::Result<Answer> {
        self.api(Method::GET, &format!("/{payment_id}"), None).await
    }

    /// The shop wants to know now.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn sync(&self, payment_id: &str) -> reqwest::Result<Answer> {
        self.api(Method::POST, &format!("/{payment_id}/sync"), None)
            .await
    }

    /// The shop gives an order up.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn close(&self, payment_id: &str) -> reqwest::Result<Answer> {
        self.api(Method::POST, &format!("/{payment_id}/close"), None)
            .await
    }

    /// The shop gives money back, by a name that makes the request recognisable.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn refund(
        &self,
        payment_id: &str,
        key: &str,
        amount: i64,
    ) -> reqwest::Result<Answer> {
        let path = format!("{}/api/v1/orders/{payment_id}/refunds", self.base);
        let request = self
            .client
            .post(path)
            .bearer_auth(&self.key)
            .header("idempotency-key", key)
            .json(&json!({ "amount": amount, "reason": "단순 변심" }));
        self.send(request).await
    }

    /// A buyer comes back from the payment window.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn redirect(&self, attempt: &Attempt) -> reqwest::Result<Answer> {
        let names = match attempt.portone {
            Portone::V1 => ["merchant_uid", "imp_uid"],
            Portone::V2 => ["paymentId", "txId"],
        };
        let request = self
            .client
            .get(format!("{}/payments/complete", self.base))
            .query(&[
                (names[0], &attempt.payment_id),
                (names[1], &attempt.transaction_id),
            ])
            .header("accept", "application/json");
        self.send(request).await
    }

    /// PortOne's webhook. Of V2 it is signed, and `webhook_id` names the message.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn webhook(
        &self,
        attempt: &Attempt,
        webhook_id: &str,
        now: jiff::Timestamp,
    ) -> anyhow::Result<Answer> {
        let request = self.client.post(format!("{}/payments/webhook", self.base));
        let request = match attempt.portone {
            Portone::V1 => request.json(&json!({ "imp_uid": attempt.transaction_id, "merchant_uid": attempt.payment_id, "status": "paid" })),
            Portone::V2 => {
                let body = json!({ "type": "Transaction.Paid", "timestamp": now, "data": { "storeId": Sandbox::V2_STORE_ID, "paymentId": attempt.payment_id, "transactionId": attempt.transaction_id } }).to_string();
                let headers = Signer::new([Sandbox::V2_WEBHOOK_SECRET])?.sign(webhook_id, now.as_second(), body.as_bytes());
                let mut request = request.header("content-type", "application/json");
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                request.body(body)
            }
        };
        Ok(self.send(request).await?)
    }
}

/// A buyer pays, or tries to; PortOne tells nobody by itself.
///
/// # Errors
/// When the sandbox refuses it.
pub async fn attempt(
    client: &Client,
    sandbox: &Sandbox,
    portone: Portone,
    payment_id: &str,
    amount: i64,
    status: &str,
) -> anyhow::Result<Attempt> {
    let transaction_id = match portone {
        Portone::V1 => sandbox.create_payment(
            json!({ "merchant_uid": payment_id, "amount": amount, "status": status }),
        )?,
        Portone::V2 => {
            let payment = json!({ "id": payment_id, "amount": { "total": amount }, "status": status.to_ascii_uppercase() });
            let made = client
                .post(sandbox.url().join("_sandbox/v2/payments")?)
                .json(&payment)
                .send()
                .await?;
            anyhow::ensure!(
                made.status().is_success(),
                "the sandbox refused a payment of V2: {}",
                made.text().await?
            );
            let made: Value = made.json().await?;
            made["transactionId"]
                .as_str()
                .context("the sandbox names the attempt")?
                .to_owned()
        }
    };
    Ok(Attempt {
        portone,
        payment_id: payment_id.to_owned(),
        transaction_id,
    })
}

/// What PortOne has given back of an attempt.
///
/// # Errors
/// When the sandbox does not know it.
pub async fn given_back(
    client: &Client,
    sandbox: &Sandbox,
    attempt: &Attempt,
) -> anyhow::Result<i64> {
    let given_back = match attempt.portone {
        Portone::V1 => {
            let payment = sandbox.payment(&attempt.transaction_id);
            payment.context("the sandbox has the payment")?["cancel_amount"].clone()
        }
        Portone::V2 => {
            let mut url = sandbox.url().join("v2/payments")?;
            url.path_segments_mut()
                .map_err(|()| anyhow::anyhow!("the sandbox's address takes no path"))?
                .push(&attempt.payment_id);
            let secret = format!("PortOne {}", Sandbox::V2_API_SECRET);
            let request = client.get(url).header("authorization", secret);
            let payment: Value = request.send().await?.error_for_status()?.json().await?;
            payment["amount"]["cancelled"].clone()
        }
    };
    Ok(given_back.as_i64().unwrap_or_default())
}
