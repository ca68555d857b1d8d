//! wanryo, by its public contract.

use std::time::Duration;

use async_trait::async_trait;
use http::header;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::http::{Read, client, send};
use crate::scenario::{
    Answer, Feature, Generation, Order, OrderState, OrderStatus, Outcome, Target, TargetError,
    Visit,
};

/// A running wanryo: orders through its API for shops, the buyer's answer as JSON, the order's state and history.
///
/// It waits for real when time is to pass. A test that can move wanryo's clock wraps it in a [`Target`] of its own,
/// hands everything on, and replaces [`Target::pass_time`] and [`Target::patience`].
#[derive(Clone)]
pub struct Wanryo {
    base: Url,
    api_key: String,
    client: reqwest::Client,
    redirect_url: Url,
    webhook_url: Url,
    confirm_url: Url,
    patience: Duration,
    without: Vec<Feature>,
}

impl std::fmt::Debug for Wanryo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the key.
        formatter
            .debug_struct("Wanryo")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// How long to wait for what a server does by itself when nothing is said: wanryo looks at an order that nobody has told
/// it anything of after two minutes or a little more.
pub const PATIENCE: Duration = Duration::from_secs(180);

impl Wanryo {
    /// The wanryo at `base`, asked with a key from `wanryo key create`.
    ///
    /// # Errors
    /// [`TargetError::Failed`] if `base` cannot carry a path.
    pub fn new(base: &Url, api_key: impl Into<String>) -> Result<Self, TargetError> {
        let at = |path: &str| {
            base.join(path).map_err(|error| {
                TargetError::Failed(format!("{base} is no address of a server: {error}"))
            })
        };
        Ok(Self {
            base: base.clone(),
            api_key: api_key.into(),
            client: client()?,
            redirect_url: at("/payments/complete")?,
            webhook_url: at("/payments/webhook")?,
            confirm_url: at("/payments/confirm")?,
            patience: PATIENCE,
            without: Vec::new(),
        })
    }

    /// Another redirect address.
    #[must_use]
    pub fn redirect_url(mut self, url: Url) -> Self {
        self.redirect_url = url;
        self
    }

    /// Another webhook address.
    #[must_use]
    pub fn webhook_url(mut self, url: Url) -> Self {
        self.webhook_url = url;
        self
    }

    /// How long to wait for what wanryo does by itself; [`PATIENCE`] if nothing is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Skips what needs this.
    #[must_use]
    pub fn without(mut self, feature: Feature) -> Self {
        self.without.push(feature);
        self
    }

    fn order_url(&self, order: &Order, more: &[&str]) -> Url {
        let mut url = self.base.clone();
        // It joined a path in `new`, so it has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .clear()
                .extend(["api", "v1", "orders"])
                .push(&order.payment_id)
                .extend(more);
        }
        url
    }

    fn api(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).bearer_auth(&self.api_key)
    }
}

#[async_trait]
impl Target for Wanryo {
    fn supports(&self, feature: Feature) -> bool {
        !self.without.contains(&feature)
    }

    async fn create_order(&self, order: &Order) -> Result<Order, TargetError> {
        let url = self.base.join("/api/v1/orders").map_err(|error| {
            TargetError::Failed(format!("{} is no address of a server: {error}", self.base))
        })?;
        let portone = match order.generation {
            Generation::V1 => "v1",
            Generation::V2 => "v2",
        };
        let body = json!({
            "payment_id": order.payment_id,
            "name": order.name,
            "amount": order.amount,
            "currency": order.currency,
            "portone": portone,
            "channel_key": order.channel_key,
        });
        let answer = send(self.api(Method::POST, url).json(&body), "made an order").await?;
        succeeded(&answer, "made an order")?;
        Ok(order.clone())
    }

    fn redirect_url(&self, _order: &Order) -> Url {
        self.redirect_url.clone()
    }

    fn webhook_url(&self) -> Url {
        self.webhook_url.clone()
    }

    fn confirm_url(&self) -> Option<Url> {
        self.supports(Feature::Confirm)
            .then(|| self.confirm_url.clone())
    }

    async fn complete(&self, visit: &Visit) -> Result<Answer, TargetError> {
        let request = visit
            .request(&self.client)
            .header(header::ACCEPT, "application/json");
        let answer = send(request, "came back from the payment window").await?;
        let outcome = serde_json::from_str::<Value>(&answer.body)
            .ok()
            .and_then(|body| Outcome::parse(body["outcome"].as_str()?));
        Ok(Answer::new(answer.status, outcome, &answer.body))
    }

    async fn state(&self, order: &Order) -> Result<OrderState, TargetError> {
        let doing = "asked for an order";
        let url = self.order_url(order, &[]);
        let found = json(&send(self.api(Method::GET, url), doing).await?, doing)?;
        let status = found["status"]
            .as_str()
            .and_then(OrderStatus::parse)
            .ok_or_else(|| {
                TargetError::Failed(format!(
                    "{doing}, whose status is unheard of: {}",
                    found["status"]
                ))
            })?;
        let doing = "asked for an order's history";
        let url = self.order_url(order, &["events"]);
        let history = json(&send(self.api(Method::GET, url), doing).await?, doing)?;
        let effects = history["events"].as_array().map(|events| {
            let became_paid = |event: &&Value| {
                event["kind"] == "transition" && event["data"]["to"] == OrderStatus::Paid.as_str()
            };
            u32::try_from(events.iter().filter(became_paid).count()).unwrap_or(u32::MAX)
        });
        Ok(OrderState::new(status)
            .refunded(found["refunded_amount"].as_i64())
            .effects(effects))
    }

    async fn close(&self, order: &Order) -> Result<(), TargetError> {
        let doing = "closed an order";
        let url = self.order_url(order, &["close"]);
        let answer = send(self.api(Method::POST, url), doing).await?;
        succeeded(&answer, doing)
    }

    async fn pass_time(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

fn succeeded(answer: &Read, doing: &str) -> Result<(), TargetError> {
    match answer.status {
        200..300 => Ok(()),
        status => Err(TargetError::Failed(format!(
            "{doing} and was answered HTTP {status}: {}",
            Answer::new(status, None, &answer.body).excerpt
        ))),
    }
}

fn json(answer: &Read, doing: &str) -> Result<Value, TargetError> {
    succeeded(answer, doing)?;
    serde_json::from_str(&answer.body).map_err(|_| {
        TargetError::Failed(format!(
            "{doing} and was answered something that is no JSON"
        ))
    })
}
