//! HTTP as every call to PortOne uses it: no redirects, no proxy, bounded bodies, classified failures.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};

use crate::Error;

/// A payment is a few kilobytes and a page holds 100 of them.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Shorter than the idle timeout of common load balancers (60 s), so that a call is rarely put on a connection that the
/// other side is just closing.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections that are kept; calls are short, so a few serve many.
const POOL_IDLE_MAX: usize = 32;

/// What came back, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An HTTP client for one PortOne API. The time for a whole call is the caller's to limit.
pub(crate) fn http_client(connect_timeout: Duration) -> Result<reqwest::Client, Error> {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else installed one in the meantime, which serves as well.
        let _ = ring::default_provider().install_default();
    }
    reqwest::Client::builder()
        .user_agent(concat!("portone-rust/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        // A redirect would carry the token elsewhere, and PortOne's API sends none.
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .build()
        .map_err(|error| {
            Error::InvalidConfiguration(format!("TLS cannot be set up: {}", innermost(&error)))
        })
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<Reply, Error> {
    let response = request.send().await.map_err(failure)?;
    let status = response.status();
    let body = match read_body(response).await {
        // The status says enough: this is an error page, not an answer.
        Err(Error::BodyTooLarge) if !status.is_success() => Vec::new(),
        body => body?,
    };
    // A body in another encoding is no answer of PortOne's either, and an empty one is refused where it matters.
    let body = String::from_utf8(body).unwrap_or_default();
    Ok(Reply {
        status: status.as_u16(),
        body,
    })
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, Error> {
    if response
        .content_length()
        .is_some_and(|length| length > BODY_BYTES_MAX as u64)
    {
        return Err(Error::BodyTooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Error::BodyTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(error: reqwest::Error) -> Error {
    // The address is left out: it holds ids, and a base address may hold more than it should.
    let error = error.without_url();
    if error.is_connect() {
        Error::Connect(Arc::new(error))
    } else if error.is_timeout() {
        Error::Timeout
    } else {
        Error::Interrupted(Arc::new(error))
    }
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
