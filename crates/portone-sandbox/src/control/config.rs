//! Settings that can be changed while the sandbox runs.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use super::{Refusal, parse};
use crate::fault::WEBHOOK_DELAY_MS_MAX;
use crate::gateway::{GATEWAYS, Gateway};
use crate::state::{App, ChannelKind, Charset, ConfirmTimeout};
use crate::webhook::{RESENDS_MAX, WebhookFormat, WebhookMode};

/// Longest wait for the confirm process.
const CONFIRM_TIMEOUT_MS_MAX: u64 = 60_000;

pub(crate) async fn config(State(app): State<App>) -> Response {
    Json(app.state().config.to_json()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigChange {
    #[serde(default, deserialize_with = "present")]
    webhook_url: Option<Option<String>>,
    webhook: Option<WebhookMode>,
    webhook_format: Option<WebhookFormat>,
    channel: Option<ChannelKind>,
    webhook_delay_ms: Option<u64>,
    webhook_retries: Option<u8>,
    #[serde(default, deserialize_with = "present")]
    confirm_url: Option<Option<String>>,
    confirm_timeout_ms: Option<u64>,
    gateway: Option<String>,
    error_msg_charset: Option<Charset>,
    close_overdue_accounts: Option<bool>,
}

/// Tells `null` (clear it) from absent (leave it).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

pub(crate) async fn change_config(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let config = configure(&app, parse(&headers, &body)?)?;
    Ok(Json(config).into_response())
}

/// Changes the settings that are named, all or none, and returns them all.
pub(crate) fn configure(app: &App, change: ConfigChange) -> Result<Value, Refusal> {
    let webhook_url = http_url(change.webhook_url, "webhook_url must be http or https")?;
    let confirm_url = http_url(change.confirm_url, "confirm_url must be http or https")?;
    let gateway = change
        .gateway
        .map(|name| Gateway::named(&name).ok_or_else(|| no_gateway(&name)))
        .transpose()?;
    let at_most = |value: Option<u64>, name: &str, max: u64| match value {
        Some(value) if value > max => Err(Refusal::bad_request(format!(
            "{name} must be at most {max}"
        ))),
        value => Ok(value),
    };
    let delay_ms = at_most(
        change.webhook_delay_ms,
        "webhook_delay_ms",
        WEBHOOK_DELAY_MS_MAX,
    )?;
    let confirm_timeout_ms = at_most(
        change.confirm_timeout_ms,
        "confirm_timeout_ms",
        CONFIRM_TIMEOUT_MS_MAX,
    )?;
    at_most(
        change.webhook_retries.map(u64::from),
        "webhook_retries",
        u64::from(RESENDS_MAX),
    )?;

    let mut state = app.state();
    let config = &mut state.config;
    set(&mut config.webhook_url, webhook_url);
    set(&mut config.confirm_url, confirm_url);
    set(&mut config.gateway, gateway);
    set(&mut config.webhook_delay_ms, delay_ms);
    set(&mut config.webhook_retries, change.webhook_retries);
    set(
        &mut config.confirm_timeout,
        confirm_timeout_ms.map(|ms| ConfirmTimeout(Duration::from_millis(ms))),
    );
    set(&mut config.webhook, change.webhook);
    set(&mut config.webhook_format, change.webhook_format);
    set(&mut config.channel, change.channel);
    set(&mut config.error_msg_charset, change.error_msg_charset);
    set(
        &mut config.close_overdue_accounts,
        change.close_overdue_accounts,
    );
    Ok(config.to_json())
}

fn no_gateway(name: &str) -> Refusal {
    let names: Vec<&str> = GATEWAYS.iter().map(|gateway| gateway.name).collect();
    Refusal::bad_request(format!(
        "no gateway {name:?}, expected one of {}",
        names.join(", ")
    ))
}

fn set<T>(setting: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *setting = value;
    }
}

/// `Some(None)` clears the address.
fn http_url(
    change: Option<Option<String>>,
    refusal: &'static str,
) -> Result<Option<Option<Url>>, Refusal> {
    let Some(Some(text)) = change else {
        return Ok(change.map(|_| None));
    };
    Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| Some(Some(url)))
        .ok_or_else(|| Refusal::bad_request(refusal))
}
