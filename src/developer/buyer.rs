//! A buyer without a browser: does what PortOne's browser SDK does in a phone's browser, with the sandbox's window, and what a
//! bank or the merchant in PortOne's console does with its switches.

use std::time::Duration;

use anyhow::{Context, ensure};
use portone_sandbox::Sandbox;
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Client, redirect};
use rustls::crypto::{CryptoProvider, ring};
use serde_json::{Value, json};
use url::Url;

use crate::domain::order::{Mode, Portone};

/// Time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What is bought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purchase<'p> {
    /// Through which PortOne.
    pub(crate) portone: Portone,
    /// The merchant's id of the payment.
    pub(crate) payment_id: &'p str,
    /// What is sold.
    pub(crate) name: &'p str,
    /// What it costs, in won.
    pub(crate) amount: i64,
    /// Who buys it.
    pub(crate) buyer: &'p str,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    client: Client,
    sandbox_url: Url,
    app_url: String,
    mode: Mode,
}

impl Buyer {
    /// A buyer at the sandbox and the app, whose windows open in the app's mode.
    pub(crate) fn new(sandbox_url: Url, app_url: &str, mode: Mode) -> anyhow::Result<Self> {
        Ok(Self {
            client: client()?,
            sandbox_url,
            app_url: app_url.to_owned(),
            mode,
        })
    }

    /// The channel that the window is opened through.
    pub(crate) const fn channel_key(mode: Mode) -> &'static str {
        match mode {
            Mode::Live => Sandbox::V2_LIVE_CHANNEL_KEY,
            Mode::Test => Sandbox::V2_TEST_CHANNEL_KEY,
        }
    }

    /// Whether the sandbox is there.
    pub(crate) async fn finds_the_sandbox(&self) -> bool {
        let Ok(url) = self.sandbox_url.join("_sandbox/health") else {
            return false;
        };
        let answer = self.client.get(url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Opens the window, ends it, and comes back. Returns PortOne's id.
    pub(crate) async fn visit(
        &self,
        purchase: Purchase<'_>,
        choice: &str,
    ) -> anyhow::Result<String> {
        let window = self.open(purchase).await?;
        self.end(purchase.portone, &window, choice).await?;
        Ok(window)
    }

    /// Opens a window. Returns PortOne's id.
    pub(crate) async fn open(&self, purchase: Purchase<'_>) -> anyhow::Result<String> {
        let redirect_url = format!("{}/payments/complete", self.app_url);
        let Purchase {
            portone,
            payment_id,
            name,
            amount,
            buyer,
        } = purchase;
        let (parameters, id_name) = match portone {
            Portone::V1 => (
                json!({
                    "channelKey": Self::channel_key(self.mode),
                    "merchant_uid": payment_id,
                    "name": name,
                    "amount": amount,
                    "pay_method": "card",
                    "buyer_name": buyer,
                    "buyer_email": "buyer@example.com",
                    "buyer_tel": "010-0000-0000",
                    "m_redirect_url": redirect_url,
                }),
                "imp_uid",
            ),
            Portone::V2 => (
                json!({
                    "storeId": Sandbox::V2_STORE_ID,
                    "channelKey": Self::channel_key(self.mode),
                    "paymentId": payment_id,
                    "orderName": name,
                    "totalAmount": amount,
                    "currency": "KRW",
                    "payMethod": "CARD",
                    "customer": { "fullName": buyer, "email": "buyer@example.com", "phoneNumber": "010-0000-0000" },
                    "redirectUrl": redirect_url,
                }),
                "txId",
            ),
        };
        let url = self.url(portone, "checkout")?;
        let answer = self
            .client
            .post(url)
            .json(&parameters)
            .send()
            .await
            .context("the sandbox does not answer")?;
        let opened: Value = serde_json::from_slice(&read(answer).await?)
            .context("the sandbox's answer is no JSON")?;
        let id = opened.get(id_name).and_then(Value::as_str);
        Ok(id
            .with_context(|| format!("the sandbox opened no window: {opened}"))?
            .to_owned())
    }

    /// Chooses how the window ends, and goes where the browser is sent. A window that was left sends nobody anywhere.
    pub(crate) async fn end(
        &self,
        portone: Portone,
        transaction: &str,
        choice: &str,
    ) -> anyhow::Result<()> {
        let url = self.url(portone, &format!("window/{transaction}"))?;
        let answer = self
            .client
            .post(url)
            .form(&[("choice", choice)])
            .send()
            .await
            .context("the sandbox does not answer")?;
        let Some(location) = answer.headers().get(LOCATION) else {
            ensure!(
                answer.status().is_success(),
                "the window answered {}",
                answer.status()
            );
            return Ok(());
        };
        let location = location
            .to_str()
            .context("the window sends the buyer to no address")?
            .to_owned();
        let page = self
            .client
            .get(location)
            .header(ACCEPT, "application/json")
            .send()
            .await
            .context("the app does not answer")?;
        ensure!(
            page.status().is_success(),
            "the completion page answered {}",
            page.status()
        );
        Ok(())
    }

    /// Does in the sandbox what a bank, or the merchant in PortOne's console, would do.
    pub(crate) async fn drive(
        &self,
        portone: Portone,
        payment: &str,
        action: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        let url = self.url(portone, &format!("payments/{payment}/{action}"))?;
        let answer = self
            .client
            .post(url)
            .json(body)
            .send()
            .await
            .context("the sandbox does not answer")?;
        ensure!(
            answer.status().is_success(),
            "the sandbox answered {} to {action}",
            answer.status()
        );
        Ok(())
    }

    fn url(&self, portone: Portone, path: &str) -> anyhow::Result<Url> {
        let root = match portone {
            Portone::V1 => "_sandbox",
            Portone::V2 => "_sandbox/v2",
        };
        self.sandbox_url
            .join(&format!("{root}/{path}"))
            .context("the sandbox's address is no URL")
    }
}

/// Reads a whole answer, up to the limit.
pub(crate) async fn read(mut answer: reqwest::Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.context("an answer broke off")? {
        ensure!(
            body.len() + chunk.len() <= BODY_BYTES_MAX,
            "an answer is longer than {BODY_BYTES_MAX} bytes"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Follows no redirects: where one leads is what is to be known.
pub(crate) fn client() -> anyhow::Result<Client> {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else installed one in the meantime, which serves as well.
        let _installed = ring::default_provider().install_default();
    }
    Client::builder()
        .timeout(CALL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .context("no HTTP client can be made")
}
