//! Sending: executions, their pauses, and what faults do to a message on its way.
//!
//! Invariant: a message that is kept in an attempt counts its executions there, whoever starts them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Message, headers};
use crate::fault::{Call, Kind as FaultKind};
use crate::journal::Event;
use crate::state::{App, State as SandboxState};
use crate::timer;
use crate::v2::record::{self, Record};
use crate::webhook::{BEFORE_REDIRECT_TIMEOUT, WebhookMode, reason};

/// PortOne's limit for one execution: 30 s to connect and 30 s to answer.
const EXECUTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Head start of the browser when webhooks go `after` the redirect.
const AFTER_REDIRECT_DELAY: Duration = Duration::from_millis(100);
/// What is kept of a shop's answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// Messages that faults may hold back at a time.
const HELD_MAX: usize = 1000;

/// What became of one execution.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Receipt {
    pub(crate) webhook_id: String,
    pub(crate) event: String,
    pub(crate) url: String,
    pub(crate) execution: u32,
    pub(crate) answer: Option<u16>,
    pub(crate) error: Option<&'static str>,
    pub(crate) duration_ms: u64,
}

/// Whether a failed execution is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Yes,
    No,
}

/// The shop's answer, as far as it is kept.
struct Answer {
    status: u16,
    headers: String,
    body: String,
}

async fn post(
    app: &App,
    message: &Message,
    headers: &[(&str, String)],
) -> Result<Answer, &'static str> {
    let mut request = app
        .sender
        .client()
        .post(message.url.clone())
        .timeout(EXECUTION_TIMEOUT)
        .header(header::CONTENT_TYPE, message.content_type)
        .body(message.body.clone());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let mut response = request.send().await.map_err(|error| reason(&error))?;
    let status = response.status().as_u16();
    let headers = headers_text(response.headers().iter().map(|(name, value)| {
        (
            name.as_str(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    }));
    let mut body = Vec::new();
    // A body that breaks off does not undo the status, which is all that counts.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(Answer {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn headers_text<'a>(headers: impl Iterator<Item = (&'a str, String)>) -> String {
    let headers: serde_json::Map<String, Value> = headers
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    Value::Object(headers).to_string()
}

/// Sends a message once and notes what came of it; none if the sandbox was reset or stopped first.
pub(crate) async fn execute(app: App, message: Message, retry: Retry) -> Option<Receipt> {
    let _slot = app.sender.slots.acquire().await.ok()?;
    let requested_at_ms = app.clock.now_ms();
    let (execution, headers, seq) = {
        let mut state = app.state();
        if state.run != message.run {
            return None;
        }
        let execution = count_execution(&mut state, &message);
        let headers = headers(
            &state.config.v2.webhook_secrets,
            &message.id,
            &message.body,
            &message.forgery,
            requested_at_ms.div_euclid(1000),
        );
        let seq = state
            .journal
            .push(requested_at_ms, message.event(execution, None));
        (execution, headers, seq)
    };
    app.notify();

    let begun = Instant::now();
    let answer = tokio::select! {
        answer = post(&app, &message, &headers) => answer,
        () = app.stopped() => Err("sandbox stopped"),
    };
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let receipt = Receipt {
        webhook_id: message.id.clone(),
        event: message.event.clone(),
        url: message.url.to_string(),
        execution,
        answer: answer.as_ref().ok().map(|answer| answer.status),
        error: answer.as_ref().err().copied(),
        duration_ms,
    };
    let sent = headers_text(headers.iter().map(|(name, value)| (*name, value.clone())));
    {
        let mut state = app.state();
        let is_current = state.run == message.run;
        let failed = !receipt.answer.is_some_and(is_success);
        let again = retry == Retry::Yes && execution < state.config.v2.webhook_executions;
        // Set before the journal tells of the failure: who reads that and pushes the clock must not be too early.
        if is_current && failed && again {
            schedule(&app, message.clone(), execution);
        }
        if is_current {
            let now_ms = app.clock.now_ms();
            state.v2.ledger.change(&message.transaction_id, |attempt| {
                note_execution(
                    &mut attempt.record,
                    &message,
                    execution,
                    &sent,
                    requested_at_ms,
                    &answer,
                    now_ms,
                );
            });
        }
        state.journal.complete(seq, |event| {
            if let Event::V2Webhook {
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
    }
    app.notify();
    Some(receipt)
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Which execution this is. A message that is not noted in a payment counts for itself.
fn count_execution(state: &mut SandboxState, message: &Message) -> u32 {
    let counted = state.v2.ledger.change(&message.transaction_id, |attempt| {
        let kept = attempt
            .messages
            .iter_mut()
            .find(|kept| kept.id == message.id)?;
        kept.executions += 1;
        Some(kept.executions)
    });
    counted.flatten().unwrap_or(message.executions + 1)
}

fn schedule(app: &App, message: Message, execution: u32) {
    let pause_ms = usize::try_from(execution)
        .ok()
        .and_then(|execution| message.pauses_ms.get(execution - 1))
        .copied()
        .unwrap_or_default();
    let at_ms = app
        .clock
        .now_ms()
        .saturating_add(i64::try_from(pause_ms).unwrap_or(i64::MAX));
    timer::at(
        app,
        at_ms,
        execute_later(Arc::clone(app), message, execution),
    );
}

/// Boxed, because an execution may schedule the next one.
fn execute_later(
    app: App,
    message: Message,
    executions: u32,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let message = Message {
        executions,
        ..message
    };
    Box::pin(async move {
        execute(app, message, Retry::Yes).await;
    })
}

fn note_execution(
    record: &mut Record,
    message: &Message,
    execution: u32,
    sent: &str,
    requested_at_ms: i64,
    answer: &Result<Answer, &'static str>,
    now_ms: i64,
) {
    let status = match answer {
        Ok(answer) if is_success(answer.status) => "SUCCEEDED",
        Ok(_) => "FAILED_NOT_OK_RESPONSE",
        Err(_) => "FAILED_UNEXPECTED_ERROR",
    };
    record::change_list(record, "webhooks", |list| {
        let Some(entry) = list.iter_mut().find(|entry| entry["id"] == message.id) else {
            return;
        };
        entry["status"] = json!(status);
        entry["currentExecutionCount"] = json!(execution);
        entry["request"] = json!({
            "header": sent,
            "body": message.body,
            "requestedAt": record::moment(requested_at_ms),
        });
        if let Ok(answer) = answer {
            entry["response"] = json!({
                "code": answer.status.to_string(),
                "header": answer.headers,
                "body": answer.body,
                "respondedAt": record::moment(now_ms),
            });
        }
    });
}

type Started = JoinHandle<Option<Receipt>>;

/// Starts the messages, each on its own, so that none waits for another's answer. A fault may lose, multiply, delay or
/// hold one; what leaves later, or not, is not among the handles.
fn start(app: &App, messages: Vec<Message>, retry: Retry) -> Vec<Started> {
    let mut started = Vec::new();
    for message in messages {
        started.extend(pass_faults(app, message, retry));
    }
    started
}

fn spawn(app: &App, message: Message, retry: Retry) -> Started {
    tokio::spawn(execute(Arc::clone(app), message, retry))
}

/// What leaves now in place of one message.
fn pass_faults(app: &App, message: Message, retry: Retry) -> Vec<Started> {
    let now_ms = app.clock.now_ms();
    let mut state = app.state();
    let Some(fault) = state.take_fault(Call::V2Webhook, now_ms) else {
        drop(state);
        return vec![spawn(app, message, retry)];
    };
    match fault.kind {
        FaultKind::Duplicate => {
            drop(state);
            // Only the first of them is sent again when it fails.
            let copies = (1..fault.copies()).map(|_| spawn(app, message.clone(), Retry::No));
            let mut started: Vec<_> = copies.collect();
            started.push(spawn(app, message, retry));
            started
        }
        FaultKind::Hold if state.v2.held.len() < HELD_MAX => {
            state.v2.held.push(message);
            Vec::new()
        }
        FaultKind::Drop => {
            state
                .journal
                .push(now_ms, message.event(0, Some("dropped")));
            drop(state);
            app.notify();
            Vec::new()
        }
        FaultKind::Delay => {
            drop(state);
            start_late(app, fault.delay_ms, vec![message]);
            Vec::new()
        }
        // A hold too many; the others cannot be set for a webhook.
        FaultKind::Hold
        | FaultKind::Status
        | FaultKind::Garbage
        | FaultKind::Html
        | FaultKind::Empty
        | FaultKind::Truncated
        | FaultKind::Huge
        | FaultKind::Stall
        | FaultKind::Reset
        | FaultKind::Code
        | FaultKind::Unauthorized
        | FaultKind::NotFound => {
            drop(state);
            vec![spawn(app, message, retry)]
        }
    }
}

/// Starts messages by the sandbox's clock, past all faults: those had their turn.
fn start_late(app: &App, delay_ms: u64, messages: Vec<Message>) {
    let later = Arc::clone(app);
    timer::after(app, Duration::from_millis(delay_ms), async move {
        for message in messages {
            drop(spawn(&later, message, Retry::Yes));
        }
    });
}

/// Sends what faults held back, the last one first if `reversed`, and says what came of each.
pub(crate) async fn release(app: &App, reversed: bool) -> Vec<Receipt> {
    let mut held = std::mem::take(&mut app.state().v2.held);
    if reversed {
        held.reverse();
    }
    let mut receipts = Vec::new();
    // One after the other: the order is the point.
    for message in held {
        receipts.extend(spawn(app, message, Retry::Yes).await.ok().flatten());
    }
    receipts
}

/// Starts messages, as often as the mode says.
pub(crate) fn start_now(app: &App, messages: Vec<Message>, mode: WebhookMode) {
    match mode {
        WebhookMode::Never => {}
        WebhookMode::Before | WebhookMode::After => drop(start(app, messages, Retry::Yes)),
        WebhookMode::Twice => {
            // Only the second of two is sent again when it fails.
            drop(start(app, messages.clone(), Retry::No));
            drop(start(app, messages, Retry::Yes));
        }
    }
}

/// Sends what no redirect is before or after of: the mode says only how often.
pub(crate) fn send(app: &App, messages: Vec<Message>, mode: WebhookMode) {
    let delay_ms = app.state().config.webhook_delay_ms;
    match (mode, delay_ms) {
        (WebhookMode::Never, _) => {}
        (_, 0) => start_now(app, messages, mode),
        (_, delay_ms) => {
            let later = Arc::clone(app);
            timer::after(app, Duration::from_millis(delay_ms), async move {
                start_now(&later, messages, mode);
            });
        }
    }
}

/// Sends what goes before the redirect, and waits for the answers for as long as a redirect waits.
pub(crate) async fn send_before(app: &App, messages: &[Message], mode: WebhookMode) {
    if mode != WebhookMode::Before {
        return;
    }
    let started = start(app, messages.to_vec(), Retry::Yes);
    let all = async {
        for delivery in started {
            let _ = delivery.await;
        }
    };
    // Those that are late go on in the background.
    let _ = tokio::time::timeout(BEFORE_REDIRECT_TIMEOUT, all).await;
}

/// Sends what goes after the redirect, once the browser has had its head start.
pub(crate) fn send_after(app: &App, messages: Vec<Message>, mode: WebhookMode) {
    if matches!(mode, WebhookMode::Before | WebhookMode::Never) {
        return;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(AFTER_REDIRECT_DELAY) => send(&app, messages, mode),
            () = app.stopped() => {}
        }
    });
}
