//! Webhooks, V1 style: unsigned, sent once, the answer's status noted and, by default, nothing made of it.
//!
//! Sent again only if resends are configured, and then only after a network error or a 5xx: a minute later by the sandbox's
//! clock, with the same body, whatever has become of the payment.
//!
//! Sent when a payment is approved, a virtual account is issued or paid into, and when a payment is cancelled in the
//! console; never when a payment fails. <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use crate::fault::{Call, Kind};
use crate::journal::Event;
use crate::state::App;
use crate::timer;

/// PortOne's limits for a first send.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Whatever a shop does, a webhook that leaves now has an answer or an error by then: the head start of the browser, both
/// limits of a first send, and time for a slow machine.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(60);
const _: () = assert!(
    ENDS_WITHIN.as_millis()
        > AFTER_REDIRECT_DELAY.as_millis() + CONNECT_TIMEOUT.as_millis() + READ_TIMEOUT.as_millis()
);
/// PortOne's limit for a resend, all in all.
const RESEND_TIMEOUT: Duration = Duration::from_secs(15);
/// Resends that PortOne sets up on request.
pub(crate) const RESENDS_MAX: u8 = 5;
const RESEND_INTERVAL: Duration = Duration::from_secs(60);
/// How long a redirect waits for the answer when webhooks go `before` it.
pub(crate) const BEFORE_REDIRECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Head start of the browser when webhooks go `after` the redirect.
const AFTER_REDIRECT_DELAY: Duration = Duration::from_millis(100);
/// Webhooks on the wire at a time; more wait their turn.
const IN_FLIGHT_MAX: usize = 64;
/// Webhooks held back at a time; more leave at once.
const HELD_MAX: usize = 1000;
/// Ids of the console's "call test": PortOne says only that they do not exist.
const TEST_IMP_UID: &str = "imp_000000000000";
const TEST_MERCHANT_UID: &str = "merchant_test_call";

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

    fn multiply(self, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        match self {
            WebhookMode::Before | WebhookMode::After => deliveries,
            WebhookMode::Twice => [deliveries.clone(), deliveries].concat(),
            WebhookMode::Never => Vec::new(),
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
    /// From 1.
    pub(crate) attempt: u32,
    pub(crate) resends_left: u8,
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
    pub(crate) slots: Semaphore,
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
        let mut request = self
            .client
            .post(delivery.url.clone())
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        if delivery.attempt > 1 {
            request = request.timeout(RESEND_TIMEOUT);
        }
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(reason(&error)),
        }
    }

    /// The client that everything the sandbox sends leaves by; it follows no redirect.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

/// Why there was no answer, in the journal's words.
pub(crate) fn reason(error: &reqwest::Error) -> &'static str {
    match error {
        error if error.is_timeout() => "timeout",
        error if error.is_connect() => "connect",
        _ => "transport",
    }
}

impl Delivery {
    fn event(&self) -> Event {
        Event::Webhook {
            imp_uid: self.imp_uid.clone(),
            merchant_uid: self.merchant_uid.clone(),
            status: self.status.clone(),
            url: self.url.to_string(),
            format: self.format.name(),
            attempt: self.attempt,
            answer: None,
            error: None,
            duration_ms: None,
        }
    }

    /// What PortOne sends again: whatever was not understood, but nothing that was refused.
    fn is_resent_after(&self, receipt: &Receipt) -> bool {
        self.resends_left > 0
            && match (receipt.answer, receipt.error) {
                (Some(status), _) => status >= 500,
                (None, Some(error)) => matches!(error, "timeout" | "connect" | "transport"),
                (None, None) => false,
            }
    }

    /// The body's fields.
    pub(crate) fn to_json(&self) -> Value {
        let mut body = json!({
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            "status": self.status,
        });
        if let Some(id) = &self.cancellation_id {
            body["cancellation_id"] = json!(id);
        }
        body
    }

    fn body(&self) -> (&'static str, String) {
        match self.format {
            WebhookFormat::Json => ("application/json", self.to_json().to_string()),
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
async fn deliver(app: App, delivery: Delivery) -> Option<Receipt> {
    let _slot = app.sender.slots.acquire().await.ok()?;
    let seq = {
        let mut state = app.state();
        if state.run != delivery.run {
            return None;
        }
        state.journal.push(app.clock.now_ms(), delivery.event())
    };
    app.notify();

    let begun = Instant::now();
    let answer = tokio::select! {
        answer = app.sender.post(&delivery) => answer,
        () = app.stopped() => Err("sandbox stopped"),
    };
    let receipt = Receipt {
        url: delivery.url.to_string(),
        status: delivery.status.clone(),
        answer: answer.ok(),
        error: answer.err(),
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    // Set before the journal tells of the failure: who reads that and pushes the clock must not be too early.
    if delivery.is_resent_after(&receipt) {
        resend(&app, delivery);
    }
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

fn resend(app: &App, delivery: Delivery) {
    let next = Delivery {
        attempt: delivery.attempt.saturating_add(1),
        resends_left: delivery.resends_left.saturating_sub(1),
        ..delivery
    };
    let later = Arc::clone(app);
    // Boxed, as this future would otherwise contain itself.
    timer::after(app, RESEND_INTERVAL, async move {
        let sent: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(deliver(later, next));
        drop(sent.await);
    });
}

/// Starts the webhooks, each on its own, so that none waits for another's answer. A fault may lose, multiply, delay or
/// hold one; what leaves later, or not, is not among the handles.
pub(crate) fn start(app: &App, deliveries: Vec<Delivery>) -> Vec<JoinHandle<Option<Receipt>>> {
    let mut started = Vec::new();
    for delivery in deliveries {
        let copies = pass_faults(app, delivery);
        started.extend(copies.into_iter().map(|delivery| spawn(app, delivery)));
    }
    started
}

fn spawn(app: &App, delivery: Delivery) -> JoinHandle<Option<Receipt>> {
    tokio::spawn(deliver(Arc::clone(app), delivery))
}

/// What leaves now in place of one webhook.
fn pass_faults(app: &App, delivery: Delivery) -> Vec<Delivery> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let Some(fault) = state.take_fault(Call::Webhook, now_ms) else {
        return vec![delivery];
    };
    match fault.kind {
        Kind::Duplicate => vec![delivery; fault.copies()],
        Kind::Hold if state.held_webhooks.len() < HELD_MAX => {
            state.held_webhooks.push(delivery);
            Vec::new()
        }
        Kind::Drop => {
            let mut event = delivery.event();
            if let Event::Webhook { error, .. } = &mut event {
                *error = Some("dropped");
            }
            state.journal.push(now_ms, event);
            drop(state);
            app.notify();
            Vec::new()
        }
        Kind::Delay => {
            drop(state);
            start_late(app, Duration::from_millis(fault.delay_ms), vec![delivery]);
            Vec::new()
        }
        // A hold too many; the others cannot be set for a webhook.
        Kind::Hold
        | Kind::Status
        | Kind::Garbage
        | Kind::Html
        | Kind::Empty
        | Kind::Truncated
        | Kind::Huge
        | Kind::Stall
        | Kind::Reset
        | Kind::Code
        | Kind::Unauthorized
        | Kind::NotFound => vec![delivery],
    }
}

/// Starts webhooks by the sandbox's clock, past all faults: those had their turn.
fn start_late(app: &App, delay: Duration, deliveries: Vec<Delivery>) {
    let later = Arc::clone(app);
    timer::after(app, delay, async move {
        for delivery in deliveries {
            drop(spawn(&later, delivery));
        }
    });
}

/// Sends what faults held back, the last one first if `reversed`, and says what came of each.
pub(crate) async fn release(app: &App, reversed: bool) -> Vec<Receipt> {
    let mut held = std::mem::take(&mut app.state().held_webhooks);
    if reversed {
        held.reverse();
    }
    let mut receipts = Vec::new();
    // One after the other: the order is the point.
    for delivery in held {
        receipts.extend(spawn(app, delivery).await.ok().flatten());
    }
    receipts
}

/// The console's "call test": to the configured address alone, of a payment that does not exist.
pub(crate) fn test_call(app: &App) -> Vec<Delivery> {
    let state = app.state();
    let url = state.config.webhook_url.clone();
    url.map(|url| state.delivery(url, TEST_IMP_UID, TEST_MERCHANT_UID, "paid"))
        .into_iter()
        .collect()
}

/// Starts the webhooks of something that happens without a browser: late approvals, deposits, cancels.
pub(crate) fn announce(app: &App, mode: WebhookMode, deliveries: Vec<Delivery>) {
    let deliveries = mode.multiply(deliveries);
    let delay_ms = app.state().config.webhook_delay_ms;
    match delay_ms {
        0 => drop(start(app, deliveries)),
        delay_ms => leave_late(app, delay_ms, deliveries),
    }
}

/// Starts the webhooks once the browser has had its head start.
pub(crate) fn announce_after_redirect(app: &App, mode: WebhookMode, deliveries: Vec<Delivery>) {
    let deliveries = mode.multiply(deliveries);
    let delay_ms = app.state().config.webhook_delay_ms;
    if delay_ms > 0 {
        leave_late(app, delay_ms, deliveries);
        return;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(AFTER_REDIRECT_DELAY) => drop(start(&app, deliveries)),
            () = app.stopped() => {}
        }
    });
}

/// Starts webhooks by the sandbox's clock; faults have their turn when they leave.
fn leave_late(app: &App, delay_ms: u64, deliveries: Vec<Delivery>) {
    let later = Arc::clone(app);
    timer::after(app, Duration::from_millis(delay_ms), async move {
        drop(start(&later, deliveries));
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
