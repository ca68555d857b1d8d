//! HTTP as every call to PortOne uses it: no redirects, no proxy, bounded bodies, classified failures, and rest when PortOne asks
//! for it.

mod rest;

use std::{error::Error as StdError, sync::Arc, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use self::rest::Rest;
use crate::Error;

/// A payment is a few kilobytes and a page holds 100 of them.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Shorter than the idle timeout of common load balancers (60 s), so that a call is rarely put on a connection that the
/// other side is just closing.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections that are kept; calls are short, so a few serve many.
const POOL_IDLE_MAX: usize = 32;

/// Everything but RFC 3986's unreserved characters (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>). Of what a path
/// may have unencoded, `;` begins parameters that some servers cut off, and `+` is a space to others: either way the call
/// would be about another id.
const ENCODED_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What came back, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An HTTP client for one PortOne API. The time for a whole call is the caller's to limit.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    rest: Rest,
}

impl Http {
    pub(crate) fn new(connect_timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            client: http_client(connect_timeout)?,
            rest: Rest::default(),
        })
    }

    /// A request to be sent with [`send`](Self::send).
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the whole answer. While PortOne has asked for rest nothing is sent.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Reply, Error> {
        if self.rest.lasts(Instant::now()) {
            return Err(Error::Http {
                status: StatusCode::TOO_MANY_REQUESTS.as_u16(),
                code: None,
                message: "PortOne asked to wait, and no call was made".to_owned(),
            });
        }
        let response = request.send().await.map_err(failure)?;
        self.rest.hear(&response, Instant::now());
        read(response).await
    }
}

fn http_client(connect_timeout: Duration) -> Result<reqwest::Client, Error> {
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

/// Refuses what cannot be the address of an API.
pub(crate) fn check_api_url(api_url: &Url) -> Result<(), Error> {
    let refusal = if !matches!(api_url.scheme(), "http" | "https") {
        "the API's address must start with http:// or https://"
    } else if !api_url.username().is_empty() || api_url.password().is_some() {
        "the API's address must not contain a user name or password"
    } else if api_url.query().is_some() || api_url.fragment().is_some() {
        "the API's address must not contain a query or a fragment"
    } else {
        return Ok(());
    };
    Err(Error::InvalidConfiguration(refusal.to_owned()))
}

/// The API's address followed by these segments, each percent-encoded. None of them may be made of dots alone.
pub(crate) fn endpoint(api_url: &Url, segments: &[&str]) -> Url {
    let mut path = api_url.path().trim_end_matches('/').to_owned();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, ENCODED_IN_SEGMENT));
    }
    let mut url = api_url.clone();
    url.set_path(&path);
    url
}

/// The JSON of a body.
pub(crate) fn to_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a structure of texts, numbers and flags is JSON")
}

async fn read(response: Response) -> Result<Reply, Error> {
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
