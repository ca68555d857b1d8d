//! PortOne's moves and the buyer's, in V1's words, and the sandbox's own doors.

use std::time::Duration;

use http::header;
use serde_json::{Value, json};
use url::Url;

use super::{Break, Play};
use crate::WebhookMode;
use crate::scenario::target::{Order, Visit};
use crate::webhook::ENDS_WITHIN;

impl Play<'_> {
    /// `IMP.request_pay` on a phone: opens a window, or is refused before.
    pub(crate) async fn request_pay(&self, order: &Order, more: Value) -> Result<Value, Break> {
        let mut parameters = json!({
            "merchant_uid": order.payment_id,
            "name": order.name,
            // Won have no minor unit, and the scenarios of V1 know no other currency.
            "amount": order.amount,
            "currency": order.currency,
            "m_redirect_url": self.target.redirect_url(order).as_str(),
        });
        merge(&mut parameters, more);
        self.ask_sandbox("_sandbox/checkout?flow=redirect", &parameters)
            .await
    }

    /// The `imp_uid` of a freshly opened window.
    pub(crate) async fn open(&self, order: &Order, more: Value) -> Result<String, Break> {
        let opened = self.request_pay(order, more).await?;
        match opened["imp_uid"].as_str() {
            Some(imp_uid) => Ok(imp_uid.into()),
            None => Err(Break::own(format!(
                "no payment window opened: {} {}",
                opened["error_code"], opened["error_msg"]
            ))),
        }
    }

    /// Presses a button of the window, and returns where the browser is sent, if it is.
    pub(crate) async fn choose(
        &self,
        imp_uid: &str,
        choice: &str,
        webhook: WebhookMode,
    ) -> Result<Option<Url>, Break> {
        let url = self.sandbox_url(&format!("_sandbox/window/{imp_uid}"))?;
        self.press(url, choice, webhook).await
    }

    /// Presses a button of the window at `url`.
    pub(crate) async fn press(
        &self,
        url: Url,
        choice: &str,
        webhook: WebhookMode,
    ) -> Result<Option<Url>, Break> {
        let form = [("choice", choice), ("webhook", webhook.name())];
        let answer = self.http.post(url).form(&form).send().await;
        let answer = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(Break::own)?;
        let location = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| Url::parse(location).ok());
        Ok(location)
    }

    /// Opens a window, presses a button that leads back to the shop, and returns the `imp_uid` and the way back.
    pub(crate) async fn buy(
        &self,
        order: &Order,
        choice: &str,
        webhook: WebhookMode,
    ) -> Result<(String, Visit), Break> {
        self.buy_with(order, json!({}), choice, webhook).await
    }

    /// The same, with more parameters of `request_pay`.
    pub(crate) async fn buy_with(
        &self,
        order: &Order,
        more: Value,
        choice: &str,
        webhook: WebhookMode,
    ) -> Result<(String, Visit), Break> {
        let imp_uid = self.open(order, more).await?;
        let back = self.choose(&imp_uid, choice, webhook).await?;
        match back {
            Some(url) => Ok((imp_uid, Visit::get(url))),
            None => Err(Break::own(format!(
                "the window sent nobody back after {choice}"
            ))),
        }
    }

    /// A way back with these parameters, whatever the window would have said.
    pub(crate) fn way_back(&self, order: &Order, parameters: &[(&str, &str)]) -> Visit {
        let mut url = self.target.redirect_url(order);
        url.query_pairs_mut().extend_pairs(parameters);
        Visit::get(url)
    }

    /// The payment gateway approves a payment late, and the webhook that tells of it is answered.
    pub(crate) async fn approve(&self, imp_uid: &str) -> Result<(), Break> {
        let mark = self.mark();
        self.control(&format!("payments/{imp_uid}/approve"), &json!({}))
            .await?;
        self.webhooks_answered(mark, 1).await
    }

    /// The way back that PortOne gives a page without a callback when it refuses to open a window.
    pub(crate) fn refused_way_back(&self, refused: &Value) -> Result<Visit, Break> {
        let url = refused["redirect_url"].as_str().map(Url::parse);
        match url {
            Some(Ok(url)) => Ok(Visit::get(url)),
            Some(Err(_)) | None => Err(Break::own("PortOne opened a window for a paid order")),
        }
    }

    /// The payment as PortOne has it.
    pub(crate) fn record(&self, imp_uid: &str) -> Result<Value, Break> {
        self.sandbox
            .payment(imp_uid)
            .ok_or_else(|| Break::own("the payment has gone"))
    }

    /// Nobody has cancelled the payment behind its back.
    pub(crate) fn still_paid_at_portone(&self, imp_uid: &str) -> Result<(), Break> {
        let status = self.record(imp_uid)?["status"].take();
        match status.as_str() {
            Some("paid") => Ok(()),
            _ => Err(Break::Failed(format!(
                "the payment is {status} at PortOne, because the server cancelled it when it could not ask"
            ))),
        }
    }

    /// Waits until PortOne's clock has brought the approval.
    pub(crate) async fn paid_at_portone(&self, imp_uid: &str) -> Result<(), Break> {
        let is_paid = || {
            self.sandbox
                .payment(imp_uid)
                .is_some_and(|record| record["status"] == "paid")
        };
        match self
            .sandbox
            .journal_within(ENDS_WITHIN, |_| is_paid())
            .await
        {
            Some(_) => Ok(()),
            None => Err(Break::own("the approval did not come")),
        }
    }

    /// A token of PortOne's V1 API, as another program of the same shop gets it.
    pub(crate) async fn token(&self) -> Result<String, Break> {
        let answer = self.sign_in().await?;
        match answer["access_token"].as_str() {
            Some(token) => Ok(token.into()),
            None => Err(Break::own("the sandbox gave no access token")),
        }
    }

    /// How long PortOne's token, the same for all servers of a shop, is good for.
    pub(crate) async fn token_seconds_left(&self) -> Result<Duration, Break> {
        let answer = self.sign_in().await?;
        let left = match (answer["expired_at"].as_u64(), answer["now"].as_u64()) {
            (Some(expired_at), Some(now)) => expired_at.saturating_sub(now),
            _ => return Err(Break::own("the sandbox's token has no expiry")),
        };
        Ok(Duration::from_secs(left))
    }

    async fn sign_in(&self) -> Result<Value, Break> {
        let (api_key, api_secret) = self.sandbox.credentials();
        let body = json!({"imp_key": api_key, "imp_secret": api_secret});
        let mut answer = self.ask_sandbox("users/getToken", &body).await?;
        Ok(answer["response"].take())
    }

    /// The control plane of the sandbox.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Result<Value, Break> {
        self.ask_sandbox(&format!("_sandbox/{path}"), body).await
    }

    pub(crate) fn sandbox_url(&self, path: &str) -> Result<Url, Break> {
        self.sandbox.url().join(path).map_err(Break::own)
    }

    async fn ask_sandbox(&self, path: &str, body: &Value) -> Result<Value, Break> {
        let request = self.http.post(self.sandbox_url(path)?).json(body);
        self.read(request).await
    }

    /// Sends a request to the sandbox; anything but a success ends the scenario.
    pub(crate) async fn read(&self, request: reqwest::RequestBuilder) -> Result<Value, Break> {
        let answer = request.send().await.map_err(Break::own)?;
        let status = answer.status();
        let text = answer.text().await.map_err(Break::own)?;
        if !status.is_success() {
            return Err(Break::own(format!("the sandbox answered {status}: {text}")));
        }
        serde_json::from_str(&text).map_err(Break::own)
    }

    /// The client that plays the browser and PortOne's other customers.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

pub(crate) fn merge(parameters: &mut Value, more: Value) {
    if let (Some(parameters), Value::Object(more)) = (parameters.as_object_mut(), more) {
        parameters.extend(more);
    }
}
