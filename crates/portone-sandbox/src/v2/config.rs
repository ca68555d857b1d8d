//! What V2 is set to: the credentials given at the start, and what can be changed while the sandbox runs.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::signature::Secret;
use super::webhook::{EXECUTIONS_MAX, WebhookVersion};
use crate::control::Refusal;

/// Ids and secrets of a shop that nobody owns.
pub(crate) const DEFAULT_STORE_ID: &str = "store-00000000-0000-0000-0000-000000000000";
pub(crate) const DEFAULT_API_SECRET: &str = "sandbox-v2-secret";
/// `whsec_` and the base64 of "portone-sandbox-webhook-secret", 30 bytes.
pub(crate) const DEFAULT_WEBHOOK_SECRET: &str = "whsec_cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0";
pub(crate) const LIVE_CHANNEL_KEY: &str = "channel-key-00000000-0000-0000-0000-000000000000";
pub(crate) const TEST_CHANNEL_KEY: &str = "channel-key-test-0000-0000-0000-000000000000";

/// Secrets that the console holds at a time: one, and a second while they are being exchanged.
/// <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>
pub(crate) const WEBHOOK_SECRETS_MAX: usize = 2;
/// Longest time that a write can be made to take.
const PROCESSING_MS_MAX: u64 = 60_000;
/// What PortOne's guide gives a shop to answer a confirm request in.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
const CONFIRM_TIMEOUT_MS_MAX: u64 = 60_000;

/// When a cancel requested through the API is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelMode {
    /// The answer says `SUCCEEDED`.
    #[default]
    Immediate,
    /// The answer says `REQUESTED`, as with gateways that decide later; the control plane settles it.
    Asynchronous,
}

/// What the method of a deposit says of its refund once it is cancelled: a bank transfers it, a day or two later.
/// <https://developers.portone.io/api/rest-v2/type-def#PaymentMethodVirtualAccountRefundStatus>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RefundStatus {
    Pending,
    PartialRefundFailed,
    Failed,
    #[default]
    Completed,
}

/// What a list's `totalCount` counts. PortOne titles it "objects actually returned", which can be read in two ways.
/// <https://developers.portone.io/api/rest-v2/type-def#PageInfo>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TotalCount {
    /// The payments on all pages.
    #[default]
    All,
    /// The payments on this page.
    Page,
}

/// What the same `Idempotency-Key` on another request leads to. PortOne leaves it undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdempotencyMismatch {
    /// The first request's answer.
    #[default]
    Replay,
    /// 400 `INVALID_REQUEST`.
    Refuse,
}

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) store_id: String,
    pub(crate) api_secret: String,
    pub(crate) webhook_secrets: Vec<Secret>,
    /// Where V2 webhooks go; if absent, where V1's go.
    pub(crate) webhook_url: Option<Url>,
    pub(crate) webhook_version: WebhookVersion,
    /// Executions of one webhook, the first included.
    pub(crate) webhook_executions: u32,
    pub(crate) confirm_url: Option<Url>,
    pub(crate) confirm_timeout: Duration,
    pub(crate) cancel: CancelMode,
    pub(crate) refund_status: RefundStatus,
    pub(crate) total_count: TotalCount,
    pub(crate) idempotency_mismatch: IdempotencyMismatch,
    /// How long a request with an `Idempotency-Key` takes.
    pub(crate) processing: Duration,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("store_id", &self.store_id)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store_id: DEFAULT_STORE_ID.into(),
            api_secret: DEFAULT_API_SECRET.into(),
            webhook_secrets: Secret::parse(DEFAULT_WEBHOOK_SECRET).into_iter().collect(),
            webhook_url: None,
            webhook_version: WebhookVersion::default(),
            webhook_executions: EXECUTIONS_MAX,
            confirm_url: None,
            confirm_timeout: CONFIRM_TIMEOUT,
            cancel: CancelMode::default(),
            refund_status: RefundStatus::default(),
            total_count: TotalCount::default(),
            idempotency_mismatch: IdempotencyMismatch::default(),
            processing: Duration::ZERO,
        }
    }
}

/// Why webhook secrets were not taken.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("PortOne holds at most {WEBHOOK_SECRETS_MAX} webhook secrets")]
    TooMany,
    #[error("a webhook secret must be whsec_ and standard base64")]
    Malformed,
}

/// Webhook secrets as they are written, `whsec_` in front or not.
pub(crate) fn parse_secrets<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Secret>, SecretsError> {
    if texts.len() > WEBHOOK_SECRETS_MAX {
        return Err(SecretsError::TooMany);
    }
    texts
        .iter()
        .map(|text| Secret::parse(text.as_ref()).ok_or(SecretsError::Malformed))
        .collect()
}

/// Fields of `PATCH /_sandbox/v2/config`; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    webhook_url: Option<Option<String>>,
    webhook_secrets: Option<Vec<String>>,
    webhook_version: Option<WebhookVersion>,
    /// 0 to 5.
    webhook_retries: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    confirm_url: Option<Option<String>>,
    confirm_timeout_ms: Option<u64>,
    cancel: Option<CancelMode>,
    refund_status: Option<RefundStatus>,
    total_count: Option<TotalCount>,
    idempotency_mismatch: Option<IdempotencyMismatch>,
    processing_ms: Option<u64>,
}

/// Tells `null` (clear it) from absent (leave it).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

impl Config {
    /// Changes all fields, or none if one of them makes no sense.
    pub(crate) fn change(&mut self, change: Change) -> Result<(), Refusal> {
        let mut changed = self.clone();
        if let Some(url) = change.webhook_url {
            changed.webhook_url = http_url("webhook_url", url)?;
        }
        if let Some(secrets) = change.webhook_secrets {
            changed.webhook_secrets =
                parse_secrets(&secrets).map_err(|error| bad_request(error.to_string()))?;
        }
        if let Some(version) = change.webhook_version {
            changed.webhook_version = version;
        }
        if let Some(retries) = change.webhook_retries {
            if retries >= EXECUTIONS_MAX {
                return Err(bad_request("webhook_retries must be at most 5"));
            }
            changed.webhook_executions = retries + 1;
        }
        if let Some(url) = change.confirm_url {
            changed.confirm_url = http_url("confirm_url", url)?;
        }
        if let Some(timeout_ms) = change.confirm_timeout_ms {
            if timeout_ms > CONFIRM_TIMEOUT_MS_MAX {
                return Err(bad_request("confirm_timeout_ms must be at most 60000"));
            }
            changed.confirm_timeout = Duration::from_millis(timeout_ms);
        }
        if let Some(cancel) = change.cancel {
            changed.cancel = cancel;
        }
        if let Some(status) = change.refund_status {
            changed.refund_status = status;
        }
        if let Some(total_count) = change.total_count {
            changed.total_count = total_count;
        }
        if let Some(mismatch) = change.idempotency_mismatch {
            changed.idempotency_mismatch = mismatch;
        }
        if let Some(processing_ms) = change.processing_ms {
            if processing_ms > PROCESSING_MS_MAX {
                return Err(bad_request("processing_ms must be at most 60000"));
            }
            changed.processing = Duration::from_millis(processing_ms);
        }
        *self = changed;
        Ok(())
    }

    /// Everything but the secrets, of which it tells how many there are.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "store_id": self.store_id,
            "webhook_url": self.webhook_url.as_ref().map(Url::as_str),
            "webhook_secrets": self.webhook_secrets.len(),
            "webhook_version": self.webhook_version,
            "webhook_retries": self.webhook_executions - 1,
            "confirm_url": self.confirm_url.as_ref().map(Url::as_str),
            "confirm_timeout_ms": millis(self.confirm_timeout),
            "cancel": self.cancel,
            "refund_status": self.refund_status,
            "total_count": self.total_count,
            "idempotency_mismatch": self.idempotency_mismatch,
            "processing_ms": millis(self.processing),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(http::StatusCode::BAD_REQUEST, message)
}

fn http_url(name: &str, text: Option<String>) -> Result<Option<Url>, Refusal> {
    text.map(|text| {
        parse_http_url(&text).ok_or_else(|| bad_request(format!("{name} must be http or https")))
    })
    .transpose()
}

/// An address that a browser or the sandbox may be sent to: never `javascript:` or the like.
pub(crate) fn parse_http_url(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}
