//! Webhooks, V2 style: signed by Standard Webhooks, sent again until the shop answers 2xx, noted in the payment.
//!
//! Unlike V1's they tell of failures, and of the window being opened. A message keeps its id and its body over all its
//! executions; every execution has its own time and signature. The pause before an execution is 1, 4, 16, 64 or 256
//! minutes of the sandbox's clock, times a number from 0 to 1, so that messages overtake each other.
//! Invariant: the pauses are drawn when the message is made, so that the order of answers does not change them.
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>

mod delivery;

pub(crate) use delivery::{
    Receipt, Retry, execute, release, send, send_after, send_before, start_now,
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::ledger::Attempt;
use super::record;
use super::signature::{self, Secret};
use super::uuid;
use crate::journal::Event;
use crate::rng::Rng;
use crate::state::State as SandboxState;

/// Executions of one message at most: the first, and five more.
pub(crate) const EXECUTIONS_MAX: u32 = 6;
const PAUSES: usize = EXECUTIONS_MAX as usize - 1;
const MINUTE_MS: u64 = 60_000;
/// Webhooks listed in a payment; the oldest goes first.
const LISTED_MAX: usize = 100;

/// How a V2 webhook's body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum WebhookVersion {
    /// `{type, timestamp, data}`, the current one.
    #[default]
    #[serde(rename = "2024-04-25")]
    V20240425,
    /// `{payment_id, tx_id, status}` as JSON.
    #[serde(rename = "2024-01-01")]
    V20240101,
    /// `{payment_id, tx_id, status}` as a form.
    #[serde(rename = "2024-01-01-form")]
    V20240101Form,
}

impl WebhookVersion {
    pub(crate) const ALL: [WebhookVersion; 3] = [
        WebhookVersion::V20240425,
        WebhookVersion::V20240101,
        WebhookVersion::V20240101Form,
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == text)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            WebhookVersion::V20240425 => "2024-04-25",
            WebhookVersion::V20240101 => "2024-01-01",
            WebhookVersion::V20240101Form => "2024-01-01-form",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            WebhookVersion::V20240425 | WebhookVersion::V20240101 => "application/json",
            WebhookVersion::V20240101Form => "application/x-www-form-urlencoded",
        }
    }
}

/// What a webhook tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ready,
    Paid,
    VirtualAccountIssued,
    PartialCancelled,
    Cancelled,
    Failed,
    PayPending,
    CancelPending,
    DisputeCreated,
    DisputeResolved,
}

impl Kind {
    /// The `status` of version 2024-01-01, and `type` after `Transaction.` of 2024-04-25.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Ready => "Ready",
            Kind::Paid => "Paid",
            Kind::VirtualAccountIssued => "VirtualAccountIssued",
            Kind::PartialCancelled => "PartialCancelled",
            Kind::Cancelled => "Cancelled",
            Kind::Failed => "Failed",
            Kind::PayPending => "PayPending",
            Kind::CancelPending => "CancelPending",
            Kind::DisputeCreated => "DisputeCreated",
            Kind::DisputeResolved => "DisputeResolved",
        }
    }

    /// Disputes came after version 2024-01-01, whose documentation does not know them.
    fn exists_in(self, version: WebhookVersion) -> bool {
        match version {
            WebhookVersion::V20240425 => true,
            WebhookVersion::V20240101 | WebhookVersion::V20240101Form => {
                !matches!(self, Kind::DisputeCreated | Kind::DisputeResolved)
            }
        }
    }

    /// What tells of the status a payment is in.
    pub(crate) fn of_status(status: &str) -> Option<Self> {
        Some(match status {
            record::READY => Kind::Ready,
            record::PAY_PENDING => Kind::PayPending,
            record::VIRTUAL_ACCOUNT_ISSUED => Kind::VirtualAccountIssued,
            record::PAID => Kind::Paid,
            record::FAILED => Kind::Failed,
            record::PARTIAL_CANCELLED => Kind::PartialCancelled,
            record::CANCELLED => Kind::Cancelled,
            _ => return None,
        })
    }
}

/// Something the shop is to be told.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) kind: Kind,
    pub(crate) cancellation_id: Option<String>,
    /// `trigger` in the payment's list of webhooks; absent when the buyer's own action led to it.
    pub(crate) trigger: Option<&'static str>,
}

impl Notice {
    pub(crate) fn of(kind: Kind) -> Self {
        Notice {
            kind,
            cancellation_id: None,
            trigger: None,
        }
    }

    pub(crate) fn triggered(self, trigger: &'static str) -> Self {
        Notice {
            trigger: Some(trigger),
            ..self
        }
    }
}

/// How a message deviates from an honest one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forgery {
    pub(crate) timestamp_offset_s: i64,
    pub(crate) signature: SignatureKind,
    /// Signs in place of the configured secrets.
    pub(crate) secrets: Option<Vec<Secret>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignatureKind {
    #[default]
    Valid,
    /// Well formed, by a key nobody has.
    Bad,
    /// No `webhook-signature` header.
    Missing,
    /// One by a key nobody has, then the valid one: as while a shop exchanges its keys.
    Rotating,
}

/// One webhook to one address.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) url: Url,
    /// For the journal: the `type`, or the `status` of the old version.
    pub(crate) event: String,
    pub(crate) version: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) payment_id: String,
    pub(crate) transaction_id: String,
    /// Before the second to the sixth execution.
    pub(crate) pauses_ms: [u64; PAUSES],
    pub(crate) executions: u32,
    pub(crate) forgery: Forgery,
    /// The run it belongs to: after a reset it is not sent any more.
    pub(crate) run: u64,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    store_id: &'a str,
    payment_id: &'a str,
    transaction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_id: Option<&'a str>,
}

impl Message {
    fn event(&self, execution: u32, error: Option<&'static str>) -> Event {
        Event::V2Webhook {
            payment_id: self.payment_id.clone(),
            transaction_id: self.transaction_id.clone(),
            webhook_id: self.id.clone(),
            event: self.event.clone(),
            version: self.version,
            url: self.url.to_string(),
            execution,
            answer: None,
            error,
            duration_ms: None,
        }
    }
}

/// What a body says, whatever the version.
pub(crate) struct Told<'a> {
    /// `Paid`, or a name PortOne does not have.
    pub(crate) kind: &'a str,
    /// The whole `type`, if it is not `Transaction.` and the kind.
    pub(crate) event: Option<&'a str>,
    pub(crate) store_id: &'a str,
    pub(crate) payment_id: &'a str,
    pub(crate) transaction_id: &'a str,
    pub(crate) cancellation_id: Option<&'a str>,
    pub(crate) at_ms: i64,
}

impl Told<'_> {
    fn event(&self) -> String {
        self.event
            .map_or_else(|| format!("Transaction.{}", self.kind), str::to_owned)
    }

    pub(crate) fn body(&self, version: WebhookVersion) -> String {
        match version {
            WebhookVersion::V20240425 => {
                let body = Body {
                    r#type: self.event(),
                    timestamp: timestamp(self.at_ms),
                    data: Data {
                        store_id: self.store_id,
                        payment_id: self.payment_id,
                        transaction_id: self.transaction_id,
                        cancellation_id: self.cancellation_id,
                    },
                };
                json_text(&body)
            }
            WebhookVersion::V20240101 => {
                #[derive(Serialize)]
                struct Old<'a> {
                    payment_id: &'a str,
                    tx_id: &'a str,
                    status: &'a str,
                }
                json_text(&Old {
                    payment_id: self.payment_id,
                    tx_id: self.transaction_id,
                    status: self.kind,
                })
            }
            WebhookVersion::V20240101Form => url::form_urlencoded::Serializer::new(String::new())
                .append_pair("payment_id", self.payment_id)
                .append_pair("tx_id", self.transaction_id)
                .append_pair("status", self.kind)
                .finish(),
        }
    }

    /// The message to one address, not yet noted anywhere.
    pub(crate) fn message(
        &self,
        url: Url,
        version: WebhookVersion,
        ids: &mut Rng,
        run: u64,
    ) -> Message {
        let id = uuid(ids);
        Message {
            id,
            url,
            event: match version {
                WebhookVersion::V20240425 => self.event(),
                WebhookVersion::V20240101 | WebhookVersion::V20240101Form => self.kind.to_owned(),
            },
            version: version.name(),
            content_type: version.content_type(),
            body: self.body(version),
            payment_id: self.payment_id.to_owned(),
            transaction_id: self.transaction_id.to_owned(),
            pauses_ms: pauses(ids),
            executions: 0,
            forgery: Forgery::default(),
            run,
        }
    }
}

/// A struct of texts always has a JSON form.
pub(crate) fn json_text(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// Event times have three decimals, always.
pub(crate) fn timestamp(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// Exponential with full jitter: each pause is anything from nothing to its whole base.
/// <https://developers.portone.io/blog/posts/2024-02/v2-webhook>
fn pauses(rng: &mut Rng) -> [u64; PAUSES] {
    let mut base_ms = MINUTE_MS;
    [(); PAUSES].map(|()| {
        let share = rng.next() >> 32;
        let pause_ms = (base_ms * share) >> 32;
        base_ms *= 4;
        pause_ms
    })
}

/// The messages that tell of an attempt: to its own addresses if the shop named any, else to the configured one. Noted
/// in the attempt, whether they are sent then or lost.
pub(crate) fn messages(
    state: &mut SandboxState,
    transaction_id: &str,
    notice: &Notice,
    version: Option<WebhookVersion>,
    now_ms: i64,
) -> Vec<Message> {
    let version = version.unwrap_or(state.config.v2.webhook_version);
    if !notice.kind.exists_in(version) {
        return Vec::new();
    }
    let configured = state.config.v2.webhook_url.as_ref();
    let configured = configured.or(state.config.webhook_url.as_ref()).cloned();
    let executions_max = state.config.v2.webhook_executions;
    let run = state.run;
    let v2 = &mut state.v2;
    let ids = &mut v2.ids;
    v2.ledger
        .change(transaction_id, |attempt| {
            let urls = match attempt.notice_urls.as_slice() {
                [] => configured.into_iter().collect(),
                own => own.to_vec(),
            };
            let messages: Vec<Message> = urls
                .into_iter()
                .map(|url| {
                    Told {
                        kind: notice.kind.name(),
                        event: None,
                        store_id: record::text(&attempt.record, "storeId"),
                        payment_id: attempt.payment_id(),
                        transaction_id,
                        cancellation_id: notice.cancellation_id.as_deref(),
                        at_ms: now_ms,
                    }
                    .message(url, version, ids, run)
                })
                .collect();
            for message in &messages {
                note(attempt, message, notice, executions_max, now_ms);
            }
            messages
        })
        .unwrap_or_default()
}

/// A line in the payment's `webhooks`.
fn note(attempt: &mut Attempt, message: &Message, notice: &Notice, max: u32, now_ms: i64) {
    let mut entry = json!({
        "id": message.id,
        "url": message.url.as_str(),
        "isAsync": notice.trigger.is_some(),
        "currentExecutionCount": 0,
        "maxExecutionCount": max,
        "triggeredAt": record::moment(now_ms),
    });
    if Kind::of_status(attempt.status()).is_some() {
        entry["paymentStatus"] = json!(attempt.status());
    }
    if let Some(trigger) = notice.trigger {
        entry["trigger"] = json!(trigger);
    }
    record::change_list(&mut attempt.record, "webhooks", |list| {
        if list.len() >= LISTED_MAX {
            list.remove(0);
        }
        list.push(entry);
    });
    attempt.keep_message(message.clone());
}

/// The three headers of one execution.
pub(crate) fn headers(
    configured: &[Secret],
    message_id: &str,
    body: &str,
    forgery: &Forgery,
    now: i64,
) -> Vec<(&'static str, String)> {
    let timestamp = now.saturating_add(forgery.timestamp_offset_s);
    let secrets = forgery.secrets.as_deref().unwrap_or(configured);
    let signature = match forgery.signature {
        SignatureKind::Valid => signature::header(secrets, message_id, timestamp, body.as_bytes()),
        SignatureKind::Bad => signature::foreign(message_id, timestamp, body.as_bytes()),
        SignatureKind::Missing => String::new(),
        SignatureKind::Rotating => {
            let foreign = signature::foreign(message_id, timestamp, body.as_bytes());
            let own = signature::header(secrets, message_id, timestamp, body.as_bytes());
            format!("{foreign} {own}")
        }
    };
    let mut headers = vec![
        ("webhook-id", message_id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
    ];
    if !signature.is_empty() {
        headers.push(("webhook-signature", signature));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    const TOLD: Told<'static> = Told {
        kind: "Cancelled",
        event: None,
        store_id: "store-1",
        payment_id: "주문 1",
        transaction_id: "tx-1",
        cancellation_id: Some("c-1"),
        at_ms: 1_714_039_200_000,
    };

    #[test]
    fn each_version_has_its_body() {
        let bodies = WebhookVersion::ALL.map(|version| TOLD.body(version));

        assert_eq!(
            bodies,
            [
                r#"{"type":"Transaction.Cancelled","timestamp":"2024-04-25T10:00:00.000Z","data":{"storeId":"store-1","paymentId":"주문 1","transactionId":"tx-1","cancellationId":"c-1"}}"#,
                r#"{"payment_id":"주문 1","tx_id":"tx-1","status":"Cancelled"}"#,
                "payment_id=%EC%A3%BC%EB%AC%B8+1&tx_id=tx-1&status=Cancelled",
            ]
        );
    }

    #[test]
    fn pauses_stay_below_their_base_and_follow_the_seed() {
        let draw = |seed| pauses(&mut Rng::new(seed, Stream::V2Ids));
        for seed in 0..1000 {
            for (pause_ms, minutes) in draw(seed).into_iter().zip([1, 4, 16, 64, 256]) {
                assert!(pause_ms < minutes * MINUTE_MS, "{pause_ms} {minutes}");
            }
        }
        let longest = (0..1000).map(|seed| draw(seed)[PAUSES - 1]).max();
        assert!(longest > Some(250 * MINUTE_MS), "{longest:?}");
        assert_eq!(draw(42), draw(42));
        assert_ne!(draw(42), draw(43));
    }
}
