//! The client of both targets: no redirects, no cookies, no proxy, a limit on everything.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};

use crate::scenario::TargetError;

/// Longest wait for one answer. The runner gives up on a buyer's answer a little earlier, with a text of its own.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An answer, read whole.
pub(super) struct Read {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
}

pub(super) fn client() -> Result<reqwest::Client, TargetError> {
    // Fails if the process has chosen its provider already, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| TargetError::Failed(format!("no HTTP client can be made: {error}")))
}

/// Sends a request. `doing` says what for: "made an order".
pub(super) async fn send(request: RequestBuilder, doing: &str) -> Result<Read, TargetError> {
    let failed = |error: reqwest::Error| {
        let url = error.url().map_or_else(String::new, ToString::to_string);
        let why = match (error.is_connect(), error.is_timeout()) {
            (true, _) => "nobody listens there".to_owned(),
            (false, true) => format!("no answer within {} s", TIMEOUT.as_secs()),
            (false, false) => error.without_url().to_string(),
        };
        TargetError::Failed(format!("{doing} at {url} and got no answer: {why}"))
    };
    let answer = request.send().await.map_err(failed)?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = read(answer).await.map_err(failed)?;
    Ok(Read {
        status,
        headers,
        body,
    })
}

async fn read(mut answer: Response) -> Result<String, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = BODY_BYTES_MAX.saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
