//! The confirm process: right before approval the shop is asked whether the payment may go on.
//!
//! HTTP 200 lets it; anything else, or no answer in time, makes it fail. The question is signed as webhooks are.
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v2>

use std::time::Duration;

use http::header;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::record::{self, Record};
use super::signature::Secret;
use super::webhook::{self, Forgery, WebhookVersion};
use crate::journal::Event;
use crate::state::{App, State as SandboxState};
use crate::webhook::reason;

/// What is read of a refusal.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Longest reason taken over into the payment, in characters.
const REASON_CHARS_MAX: usize = 500;
const REASON_UNKNOWN: &str = "알 수 없음";

/// The question to one shop about one attempt.
pub(crate) struct Question {
    id: String,
    url: Url,
    content_type: &'static str,
    body: String,
    secrets: Vec<Secret>,
    timeout: Duration,
    payment_id: String,
    transaction_id: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    store_id: &'a str,
    payment_id: &'a str,
    transaction_id: &'a str,
    total_amount: i64,
}

#[derive(Serialize)]
struct OldBody<'a> {
    payment_id: &'a str,
    tx_id: &'a str,
    total_amount: i64,
}

fn body(record: &Record, version: WebhookVersion, now_ms: i64) -> String {
    let payment_id = record::text(record, "id");
    let transaction_id = record::text(record, "transactionId");
    let total_amount = record::amount_of(record, "total");
    match version {
        WebhookVersion::V20240425 => webhook::json_text(&Body {
            r#type: "Transaction.Confirm",
            timestamp: webhook::timestamp(now_ms),
            data: Data {
                store_id: record::text(record, "storeId"),
                payment_id,
                transaction_id,
                total_amount,
            },
        }),
        WebhookVersion::V20240101 => webhook::json_text(&OldBody {
            payment_id,
            tx_id: transaction_id,
            total_amount,
        }),
        WebhookVersion::V20240101Form => url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payment_id", payment_id)
            .append_pair("tx_id", transaction_id)
            .append_pair("total_amount", &total_amount.to_string())
            .finish(),
    }
}

impl Question {
    /// In the version webhooks are sent in.
    pub(crate) fn new(
        state: &mut SandboxState,
        record: &Record,
        url: Url,
        now_ms: i64,
    ) -> Question {
        let id = super::uuid(&mut state.v2.ids);
        let config = &state.config.v2;
        Question {
            id,
            url,
            content_type: config.webhook_version.content_type(),
            body: body(record, config.webhook_version, now_ms),
            secrets: config.webhook_secrets.clone(),
            timeout: config.confirm_timeout,
            payment_id: record::text(record, "id").into(),
            transaction_id: record::text(record, "transactionId").into(),
        }
    }

    /// Asks, and gives back the reason if the shop does not agree.
    pub(crate) async fn ask(self, app: &App) -> Result<(), String> {
        let seq = app.record(Event::V2Confirm {
            payment_id: self.payment_id.clone(),
            transaction_id: self.transaction_id.clone(),
            url: self.url.to_string(),
            answer: None,
            error: None,
            duration_ms: None,
        });
        let begun = Instant::now();
        let answered = tokio::select! {
            answered = self.post(app) => answered,
            () = app.stopped() => Err("sandbox stopped"),
        };
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        app.state().journal.complete(seq, |event| {
            if let Event::V2Confirm {
                answer,
                error,
                duration_ms,
                ..
            } = event
            {
                *answer = answered.as_ref().ok().map(|(status, _)| *status);
                *error = answered.as_ref().err().copied();
                *duration_ms = Some(took_ms);
            }
        });
        app.notify();
        match answered {
            Ok((200, _)) => Ok(()),
            Ok((_, body)) => Err(refusal_reason(&body)),
            Err(_) => Err(REASON_UNKNOWN.into()),
        }
    }

    async fn post(&self, app: &App) -> Result<(u16, Vec<u8>), &'static str> {
        let mut request = app
            .sender
            .client()
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(header::CONTENT_TYPE, self.content_type)
            .body(self.body.clone());
        let honest = Forgery::default();
        let now = app.clock.now();
        for (name, value) in webhook::headers(&self.secrets, &self.id, &self.body, &honest, now) {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok((status, body))
    }
}

/// `errorMessage` of a refusal.
fn refusal_reason(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| Some(body.get("errorMessage")?.as_str()?.to_owned()))
        .filter(|reason| !reason.is_empty())
        .map_or_else(
            || REASON_UNKNOWN.into(),
            |reason| reason.chars().take(REASON_CHARS_MAX).collect(),
        )
}
