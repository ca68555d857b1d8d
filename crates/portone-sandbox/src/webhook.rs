//! Webhooks, V1 style: unsigned, sent once, the answer's status noted and nothing made of it.
//!
//! Sent when a payment is approved, a virtual account is issued or paid into, and when a payment is cancelled in the
//! console; never when a payment fails. <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>

use std::sync::Arc;
use std::time::Duration;

use http::header;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::journal::Event;
use crate::state::App;

/// PortOne's limits for a first send.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a redirect waits for the answer when webhooks go `before` it.
pub(crate) const BEFORE_REDIRECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Head start of the browser when webhooks go `after` the redirect.
const AFTER_REDIRECT_DELAY: Duration = Duration::from_millis(100);
/// Webhooks on the wire at a time; more wait their turn.
const IN_FLIGHT_MAX: usize = 64;

/// When webhooks are sent, seen from the redirect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookMode {
    /// Answered (or given up on after 5 seconds) before the browser is sent back.
    Before,
    /// Sent shortly after the browser was sent back.
    #[default]
    After,
    /// Like `After`, two at the same time.
    Twice,
    /// Lost.
    Never,
}

impl WebhookMode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "before" => WebhookMode::Before,
            "after" => WebhookMode::After,
            "twice" => WebhookMode::Twice,
            "never" => WebhookMode::Never,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            WebhookMode::Before => "before",
            WebhookMode::After => "after",
            WebhookMode::Twice => "twice",
            WebhookMode::Never => "never",
        }
    }
}

/// How a webhook's body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// `application/json`
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

impl WebhookFormat {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "json" => WebhookFormat::Json,
            "form" => WebhookFormat::Form,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            WebhookFormat::Json => "json",
            WebhookFormat::Form => "form",
        }
    }
}

/// One webhook to one address, ready to leave.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) url: Url,
    pub(crate) format: WebhookFormat,
    pub(crate) imp_uid: String,
    pub(crate) merchant_uid: String,
    pub(crate) status: String,
    pub(crate) cancellation_id: Option<String>,
    /// The run it belongs to: after a reset it is not sent any more.
    pub(crate) run: u64,
}

/// What became of a webhook.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Receipt {
    pub(crate) url: String,
    pub(crate) status: String,
    pub(crate) answer: Option<u16>,
    pub(crate) error: Option<&'static str>,
    pub(crate) duration_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Sender {
    client: reqwest::Client,
    slots: Semaphore,
}

impl Sender {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Fails if the process has chosen its provider already, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(CONNECT_TIMEOUT + READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("portone-sandbox/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Sender {
            client,
            slots: Semaphore::new(IN_FLIGHT_MAX),
        })
    }

    async fn post(&self, delivery: &Delivery) -> Result<u16, &'static str> {
        let (content_type, body) = delivery.body();
        let answer = self
            .client
            .post(delivery.url.clone())
            .header(header::CONTENT_TYPE, content_type)
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Err("timeout"),
            Err(error) if error.is_connect() => Err("connect"),
            Err(_) => Err("transport"),
        }
    }
}

impl Delivery {
    fn body(&self) -> (&'static str, String) {
        match self.format {
            WebhookFormat::Json => {
                let mut body = json!({
                    "imp_uid": self.imp_uid,
                    "merchant_uid": self.merchant_uid,
                    "status": self.status,
                });
                if let Some(id) = &self.cancellation_id {
                    body["cancellation_id"] = json!(id);
                }
                ("application/json", body.to_string())
            }
            WebhookFormat::Form => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("imp_uid", &self.imp_uid)
                    .append_pair("merchant_uid", &self.merchant_uid)
                    .append_pair("status", &self.status);
                if let Some(id) = &self.cancellation_id {
                    form.append_pair("cancellation_id", id);
                }
                ("application/x-www-form-urlencoded", form.finish())
            }
        }
    }
}

/// Sends one webhook and writes it into the journal; none if the sandbox was reset or stopped first.
pub(crate) async fn deliver(app: App, delivery: Delivery) -> Option<Receipt> {
    let _slot = app.sender.slots.acquire().await.ok()?;
    let event = Event::Webhook {
        imp_uid: delivery.imp_uid.clone(),
        merchant_uid: delivery.merchant_uid.clone(),
        status: delivery.status.clone(),
        url: delivery.url.to_string(),
        format: delivery.format.name(),
        answer: None,
        error: None,
        duration_ms: None,
    };
    let seq = {
        let mut state = app.state();
        if state.run != delivery.run {
            return None;
        }
        state.journal.push(app.clock.now_ms(), event)
    };
    app.notify();

    let begun = Instant::now();
    let answer = tokio::select! {
        answer = app.sender.post(&delivery) => answer,
        () = app.stopped() => Err("sandbox stopped"),
    };
    let receipt = Receipt {
        url: delivery.url.to_string(),
        status: delivery.status,
        answer: answer.ok(),
        error: answer.err(),
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    app.state().journal.complete(seq, |event| {
        if let Event::Webhook {
            answer,
            error,
            duration_ms,
            ..
        } = event
        {
            *answer = receipt.answer;
            *error = receipt.error;
            *duration_ms = Some(receipt.duration_ms);
        }
    });
    app.notify();
    Some(receipt)
}

/// Starts the webhooks, each on its own, so that neither waits for the other's answer.
pub(crate) fn start(app: &App, deliveries: Vec<Delivery>) -> Vec<JoinHandle<Option<Receipt>>> {
    deliveries
        .into_iter()
        .map(|delivery| tokio::spawn(deliver(Arc::clone(app), delivery)))
        .collect()
}

/// Starts the webhooks once the browser has had its head start.
pub(crate) fn start_after_redirect(app: &App, deliveries: Vec<Delivery>) {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(AFTER_REDIRECT_DELAY) => drop(start(&app, deliveries)),
            () = app.stopped() => {}
        }
    });
}

/// Waits until every webhook is answered, or for as long as a redirect waits at most.
pub(crate) async fn wait(deliveries: Vec<JoinHandle<Option<Receipt>>>) {
    let all = async {
        for delivery in deliveries {
            let _ = delivery.await;
        }
    };
    // Those that are late go on in the background.
    let _ = tokio::time::timeout(BEFORE_REDIRECT_TIMEOUT, all).await;
}
