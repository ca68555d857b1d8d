//! `wanryo listen`: an endpoint for events as long as it runs, whose deliveries are shown and handed on to a server that only this
//! machine can reach.
//!
//! The running server delivers to it as to every endpoint: signed, in order, and again when the answer is no success. What the
//! other server answers is answered to the running server, so a fault in it looks here as it will look in earnest.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::post;
use jiff::tz::TimeZone;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::buyer::{client, read};
use crate::cli::{print_line, stop_asked};
use crate::compose;
use crate::config::Settings;
use crate::domain::event::EventType;
use crate::domain::history::Actor;
use crate::ports::clock::Clock;
use crate::service::endpoints::{self, EndpointError};

/// Largest event; the server's own are far smaller.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// What of a request is handed on beside its body, <https://www.standardwebhooks.com>.
const HANDED_ON: [&str; 4] = [
    "content-type",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Listens until it is asked to stop. Shows every event, and posts it to `forward_to` when there is one.
///
/// # Errors
/// What stopped it: a database that cannot be opened, a server that may not send to this machine.
pub async fn run(
    settings: &Settings,
    forward_to: Option<Url>,
    event_types: Option<Vec<EventType>>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("no port of this machine can be listened on")?;
    let address = listener.local_addr().context("the port is unknown")?;
    // Before the endpoint is there: it is to go with the terminal, too.
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be listened to")?;
    let (core, database) = compose::offline(settings).await?;
    let url = format!("http://{address}/");
    let endpoint = match endpoints::make(&core, &url, event_types, &Actor::Command).await {
        Ok(endpoint) => endpoint,
        Err(EndpointError::Target(_)) => anyhow::bail!(
            "a server with real money sends no events to this machine; start it, and this, with WANRYO_MODE=test"
        ),
        Err(error) => return Err(error).context("the endpoint could not be made"),
    };
    let told = tell(&endpoint.secrets.newest, forward_to.as_ref());
    let stop = CancellationToken::new();
    let relay = Arc::new(Relay {
        client: client()?,
        clock: Arc::clone(&core.clock),
        forward_to,
    });
    let router = Router::new()
        .route("/", post(receive))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(relay);
    let stopped = stop.clone().cancelled_owned();
    let serving = async {
        told?;
        axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
            .context("the port cannot be listened on any more")
    };
    let ended = tokio::select! {
        ended = serving => ended,
        asked = stop_asked() => asked,
        _ = hangup.recv() => Ok(()),
    };
    stop.cancel();
    let removed = core
        .deliveries
        .delete_endpoint(&endpoint.id, &Actor::Command, core.clock.now())
        .await;
    database.close().await;
    ended?;
    removed.map(drop).with_context(|| {
        format!(
            "the endpoint {} is still there; delete it in the settings",
            endpoint.id
        )
    })
}

fn tell(secret: &SecretString, forward_to: Option<&Url>) -> anyhow::Result<()> {
    let secret = secret.expose_secret();
    print_line(&format!("secret\t{secret}"))?;
    match forward_to {
        Some(url) => print_line(&format!("to\t{url}")),
        None => print_line("to\tnowhere; --forward-to names a server"),
    }
}

struct Relay {
    client: Client,
    clock: Arc<dyn Clock>,
    forward_to: Option<Url>,
}

async fn receive(
    State(relay): State<Arc<Relay>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    let (code, answer, words) = relay.hand_on(&headers, body.clone()).await;
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |pointer: &str| {
        let found = event.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or("?").to_owned()
    };
    let time = relay.clock.now().to_zoned(TimeZone::system());
    let line = format!(
        "{}\t{}\t{}\t{words}",
        time.strftime("%H:%M:%S"),
        text("/type"),
        text("/data/payment_id"),
    );
    if let Err(error) = print_line(&line) {
        tracing::warn!("{error:#}");
    }
    (code, answer)
}

impl Relay {
    /// Posts an event on. What is answered to the running server, and what is shown of it.
    async fn hand_on(&self, headers: &HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>, String) {
        let Some(url) = &self.forward_to else {
            return (StatusCode::NO_CONTENT, Vec::new(), "shown".to_owned());
        };
        let mut request = self.client.post(url.clone()).body(body);
        for name in HANDED_ON.map(HeaderName::from_static) {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let words = format!(
                    "not delivered: {:#}",
                    anyhow::Error::from(error.without_url())
                );
                return (StatusCode::BAD_GATEWAY, Vec::new(), words);
            }
        };
        let code = answer.status();
        let words = code.to_string();
        match read(answer).await {
            Ok(answer) => (code, answer, words),
            Err(error) => (
                StatusCode::BAD_GATEWAY,
                Vec::new(),
                format!("{words}, {error:#}"),
            ),
        }
    }
}
