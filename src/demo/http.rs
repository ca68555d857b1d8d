//! The shop's API as a shop's server calls it: the whole integration is these few lines.

use anyhow::{Context, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::developer::buyer::{client, read};

/// The order as far as the sample shop looks at it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) payment_id: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) amount: i64,
    pub(super) refunded_amount: i64,
    pub(super) pay_url: String,
    pub(super) status_url: String,
}

/// The app's API with the shop's key.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    app_url: String,
    key: SecretString,
}

impl Api {
    pub(super) fn new(app_url: &str, key: SecretString) -> anyhow::Result<Self> {
        Ok(Self {
            client: client()?,
            app_url: app_url.to_owned(),
            key,
        })
    }

    /// The app's address.
    pub(super) fn app_url(&self) -> &str {
        &self.app_url
    }

    /// `POST /api/v1/orders`
    pub(super) async fn make_order(&self, order: &Value) -> anyhow::Result<Order> {
        let request = self
            .client
            .post(format!("{}/api/v1/orders", self.app_url))
            .json(order);
        self.call(request)
            .await?
            .context("the app answered that there is nothing to make orders at")
    }

    /// `GET /api/v1/orders/{payment_id}`; `None` when there is no such order.
    pub(super) async fn find_order(&self, payment_id: &str) -> anyhow::Result<Option<Order>> {
        self.call(self.client.get(self.order_url(payment_id))).await
    }

    /// `POST /api/v1/orders/{payment_id}/sync`
    pub(super) async fn sync(&self, payment_id: &str) -> anyhow::Result<()> {
        self.call(
            self.client
                .post(format!("{}/sync", self.order_url(payment_id))),
        )
        .await
        .map(drop)
    }

    /// `POST /api/v1/orders/{payment_id}/close`
    pub(super) async fn close(&self, payment_id: &str) -> anyhow::Result<()> {
        self.call(
            self.client
                .post(format!("{}/close", self.order_url(payment_id))),
        )
        .await
        .map(drop)
    }

    fn order_url(&self, payment_id: &str) -> String {
        format!(
            "{}/api/v1/orders/{}",
            self.app_url,
            utf8_percent_encode(payment_id, NON_ALPHANUMERIC)
        )
    }

    async fn call(&self, request: RequestBuilder) -> anyhow::Result<Option<Order>> {
        let answer = request
            .bearer_auth(self.key.expose_secret())
            .send()
            .await
            .context("the app does not answer")?;
        match answer.status().as_u16() {
            200..300 => {
                let body = read(answer).await?;
                Ok(Some(
                    serde_json::from_slice(&body).context("the app's answer is no order")?,
                ))
            }
            404 => Ok(None),
            status => bail!(
                "the app answered {status}: {}",
                String::from_utf8_lossy(&read(answer).await?)
            ),
        }
    }
}
