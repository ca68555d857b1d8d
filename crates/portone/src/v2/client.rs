//! The connection: where, as whom, in what time.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::{Url, form_urlencoded::byte_serialize};

use super::{answer, idempotency::IdempotencyKey, token::Tokens};
use crate::{
    Error,
    token::{Token, TokenCell},
    transport::{self, Http},
};

/// What PortOne recommends, <https://developers.portone.io/api/rest-v2>: a PG may take its time, and what the caller gives
/// up on goes on all the same.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client of PortOne's REST API V2. Clones share connections and access token.
///
/// Every call ends within the configured timeout, waiting for a token and reading the body included. With
/// [`Authentication::Token`] a call answered with 401 is sent once more with a new token; nothing else is ever retried.
/// Calls need a Tokio runtime with time and I/O.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    api_url: Url,
    api_secret: SecretString,
    store_id: Option<String>,
    timeout: Duration,
    credential: Credential,
}

/// What a call is made with.
enum Credential {
    /// The header, ready to be sent.
    ApiSecret(HeaderValue),
    Tokens(TokenPair),
}

struct TokenPair {
    access: TokenCell,
    /// Taken and put back by the one fetch that is under way: a refresh token serves once.
    refresh: Arc<Mutex<Option<SecretString>>>,
}

/// What makes a call one that changes something.
struct Write<'a> {
    body: Option<String>,
    key: &'a IdempotencyKey,
}

/// How the client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Every call carries the API secret.
    ApiSecret,
    /// Every call carries an access token, which the API secret is exchanged for and which lives for 30 minutes. It is fetched
    /// when first needed and shared by all clones and concurrent calls. One client should serve a whole program, since
    /// every login ends the refresh tokens of the others with the same secret, which then have to log in again.
    Token,
}

/// Makes a [`Client`].
pub struct ClientBuilder {
    api_url: Url,
    api_secret: SecretString,
    store_id: Option<String>,
    authentication: Authentication,
    timeout: Duration,
    connect_timeout: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Login<'a> {
    api_secret: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refresh<'a> {
    refresh_token: &'a str,
}

/// A body with the store it is about.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InStore<'a, B> {
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<&'a str>,
    #[serde(flatten)]
    body: &'a B,
}

impl ClientBuilder {
    /// The store that calls are about. Without it PortOne takes the one that the API secret belongs to.
    pub fn store_id(mut self, store_id: impl Into<String>) -> Self {
        self.store_id = Some(store_id.into());
        self
    }

    /// How the client says who it is. [`Authentication::ApiSecret`] unless set.
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// How long a whole call may take, with its token and its body. 60 seconds unless set, as PortOne recommends.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long it may take to connect, as part of the whole. 3 seconds unless set.
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// The client. Does no I/O other than reading the system's trust store.
    ///
    /// The address must be plain `http://` or `https://`, without user name, query or fragment; a path is kept as a prefix.
    /// With `http://` the secrets travel unencrypted: that is for a stand-in of PortOne on the same machine.
    pub fn build(self) -> Result<Client, Error> {
        let Self {
            api_url,
            api_secret,
            store_id,
            authentication,
            timeout,
            connect_timeout,
        } = self;
        transport::check_api_url(&api_url)?;
        let refusal = if api_secret.expose_secret().is_empty() {
            Some("the API secret is empty")
        } else if store_id.as_ref().is_some_and(String::is_empty) {
            Some("the store id is empty")
        } else if timeout.is_zero() || connect_timeout.is_zero() {
            Some("a timeout must be longer than nothing")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(Error::InvalidConfiguration(refusal.to_owned()));
        }
        let credential = match authentication {
            Authentication::ApiSecret => Credential::ApiSecret(authorization(&api_secret)?),
            Authentication::Token => Credential::Tokens(TokenPair {
                access: TokenCell::new(),
                refresh: Arc::default(),
            }),
        };
        let inner = Inner {
            http: Http::new(connect_timeout)?,
            api_url,
            api_secret,
            store_id,
            timeout,
            credential,
        };
        Ok(Client {
            inner: Arc::new(inner),
        })
    }
}

impl Client {
    /// Starts a client for the API at `api_url` (PortOne's is `https://api.portone.io`) with the API secret from PortOne's
    /// console.
    pub fn builder(api_url: Url, api_secret: SecretString) -> ClientBuilder {
        ClientBuilder {
            api_url,
            api_secret,
            store_id: None,
            authentication: Authentication::ApiSecret,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// Reads something about the store.
    pub(super) async fn get(&self, segments: &[&str]) -> Result<String, Error> {
        self.in_time(self.ask(Method::GET, self.url_in_store(segments), None))
            .await
    }

    /// Reads something that a body is needed to name. A GET has none, so it travels in the query.
    pub(super) async fn get_with_body(
        &self,
        segments: &[&str],
        body: &impl Serialize,
    ) -> Result<String, Error> {
        let json = transport::to_json(body);
        // Percent-encoded throughout: whether a plus sign is a space is a matter of opinion.
        let encoded: String = byte_serialize(json.as_bytes()).collect();
        let mut url = self.url(segments);
        url.set_query(Some(&format!(
            "requestBody={}",
            encoded.replace('+', "%20")
        )));
        self.in_time(self.ask(Method::GET, url, None)).await
    }

    /// Reads something that is the same for everybody.
    pub(super) async fn get_public(&self, segments: &[&str]) -> Result<String, Error> {
        self.in_time(async {
            let request = self.inner.http.request(Method::GET, self.url(segments));
            answer_to(&self.inner.http, request).await
        })
        .await
    }

    /// Changes something, with the store in the body.
    pub(super) async fn post(
        &self,
        segments: &[&str],
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Result<String, Error> {
        let body = transport::to_json(&InStore {
            store_id: self.inner.store_id.as_deref(),
            body,
        });
        let write = Write {
            body: Some(body),
            key,
        };
        self.in_time(self.ask(Method::POST, self.url(segments), Some(&write)))
            .await
    }

    /// Changes something that takes no body, with the store in the query.
    pub(super) async fn post_nothing(
        &self,
        segments: &[&str],
        key: &IdempotencyKey,
    ) -> Result<String, Error> {
        let write = Write { body: None, key };
        self.in_time(self.ask(Method::POST, self.url_in_store(segments), Some(&write)))
            .await
    }

    /// Makes one call and, if its token is refused, makes it once more.
    async fn ask(
        &self,
        method: Method,
        url: Url,
        write: Option<&Write<'_>>,
    ) -> Result<String, Error> {
        let request = |authorization: &HeaderValue| {
            let request = self
                .inner
                .http
                .request(method.clone(), url.clone())
                .header(AUTHORIZATION, authorization.clone());
            match write {
                Some(write) => write.add_to(request),
                None => request,
            }
        };
        let tokens = match &self.inner.credential {
            Credential::ApiSecret(authorization) => {
                return answer_to(&self.inner.http, request(authorization)).await;
            }
            Credential::Tokens(tokens) => tokens,
        };
        let mut renewed = false;
        loop {
            let token = self.token(tokens).await?;
            match answer_to(&self.inner.http, request(&token.authorization)).await {
                Err(Error::Unauthorized) => tokens.discard(&token),
                outcome => return outcome,
            }
            if renewed {
                return Err(Error::Unauthorized);
            }
            renewed = true;
        }
    }

    async fn token(&self, tokens: &TokenPair) -> Result<Arc<Token>, Error> {
        // The fetch outlives a caller who gives up, so it has a time limit of its own.
        let client = self.clone();
        let refresh = Arc::clone(&tokens.refresh);
        let fetch = move || async move {
            let held = lock(&refresh).take();
            let tokens = client.in_time(client.fetch_tokens(held)).await?;
            *lock(&refresh) = Some(tokens.refresh);
            Ok(tokens.access)
        };
        tokens.access.get(fetch).await
    }

    /// Renews the tokens with the refresh token, if there is one that PortOne still accepts, or else logs in.
    async fn fetch_tokens(&self, refresh: Option<SecretString>) -> Result<Tokens, Error> {
        if let Some(refresh) = refresh {
            let body = Refresh {
                refresh_token: refresh.expose_secret(),
            };
            match self.fetch(&["token", "refresh"], &body).await {
                Err(Error::Unauthorized | Error::Rejected(_)) => {}
                outcome => return outcome,
            }
        }
        let body = Login {
            api_secret: self.inner.api_secret.expose_secret(),
        };
        self.fetch(&["login", "api-secret"], &body).await
    }

    async fn fetch(&self, segments: &[&str], body: &impl Serialize) -> Result<Tokens, Error> {
        let asked_at = Instant::now();
        let request = self
            .inner
            .http
            .request(Method::POST, self.url(segments))
            .json(body);
        Tokens::parse(&answer_to(&self.inner.http, request).await?, asked_at)
    }

    pub(super) fn store_id(&self) -> Option<&str> {
        self.inner.store_id.as_deref()
    }

    fn url(&self, segments: &[&str]) -> Url {
        transport::endpoint(&self.inner.api_url, segments)
    }

    fn url_in_store(&self, segments: &[&str]) -> Url {
        let mut url = self.url(segments);
        if let Some(store_id) = &self.inner.store_id {
            url.query_pairs_mut().append_pair("storeId", store_id);
        }
        url
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout(self.inner.timeout, call)
            .await
            .unwrap_or(Err(Error::Timeout))
    }
}

impl Write<'_> {
    fn add_to(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("idempotency-key", self.key.to_header());
        match &self.body {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone()),
            None => request,
        }
    }
}

impl TokenPair {
    /// Forgets a token that PortOne refused. Whatever ended it may have ended the refresh token as well, and a login needs
    /// neither.
    fn discard(&self, refused: &Arc<Token>) {
        self.access.discard(refused);
        *lock(&self.refresh) = None;
    }
}

fn lock(refresh: &Mutex<Option<SecretString>>) -> MutexGuard<'_, Option<SecretString>> {
    // Every write is a single assignment, so a panic elsewhere leaves nothing half done.
    refresh.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer_to(http: &Http, request: RequestBuilder) -> Result<String, Error> {
    let reply = http
        .send(request.header(ACCEPT, "application/json"))
        .await?;
    answer::open(&reply).map(str::to_owned)
}

fn authorization(api_secret: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("PortOne {}", api_secret.expose_secret()))
        .map_err(|_| {
            Error::InvalidConfiguration("the API secret cannot be sent in a header".to_owned())
        })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("api_url", &self.inner.api_url.as_str())
            .field("store_id", &self.inner.store_id)
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address has not been checked yet and may hold a password.
        formatter
            .debug_struct("ClientBuilder")
            .field("store_id", &self.store_id)
            .field("authentication", &self.authentication)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        http::{StatusCode, Uri},
        response::{IntoResponse, Response},
    };
    use tokio::net::TcpListener;

    use super::*;

    type Seen = Arc<Mutex<Vec<String>>>;

    /// A client of a server that answers `/token/refresh` with `refresh` and issues tokens at `/login/api-secret`.
    async fn client(refresh: fn() -> Response) -> (Client, Seen) {
        let seen = Seen::default();
        let asked = Arc::clone(&seen);
        let router = Router::new().fallback(move |uri: Uri, body: String| async move {
            asked
                .lock()
                .expect("nobody panicked")
                .push(format!("{uri} {body}"));
            match uri.path() {
                "/token/refresh" => refresh(),
                _ => issued("login"),
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder(url.parse().expect("an address"), "secret".into())
            .authentication(Authentication::Token)
            .build()
            .expect("the client is configured");
        (client, seen)
    }

    fn issued(by: &str) -> Response {
        format!(r#"{{"accessToken":"access-by-{by}","refreshToken":"refresh-by-{by}"}}"#)
            .into_response()
    }

    /// Gets a token, lets it grow stale, and gets another one.
    async fn second_token(client: &Client) -> Result<Arc<Token>, Error> {
        let Credential::Tokens(tokens) = &client.inner.credential else {
            unreachable!("the client has tokens")
        };
        let first = client.token(tokens).await.expect("a token");
        tokens.access.discard(&first);
        client.token(tokens).await
    }

    #[tokio::test]
    async fn a_stale_token_is_renewed_with_the_refresh_token() {
        let (client, seen) = client(|| issued("refresh")).await;

        let token = second_token(&client).await.expect("a token");
        let third = second_token(&client).await.expect("a token");

        assert_eq!(token.authorization.as_bytes(), b"Bearer access-by-refresh");
        assert_eq!(third.authorization, token.authorization);
        assert_eq!(
            *seen.lock().expect("nobody panicked"),
            [
                r#"/login/api-secret {"apiSecret":"secret"}"#,
                r#"/token/refresh {"refreshToken":"refresh-by-login"}"#,
                r#"/token/refresh {"refreshToken":"refresh-by-refresh"}"#,
            ]
        );
    }

    #[tokio::test]
    async fn a_refresh_token_that_is_spent_makes_way_for_a_login() {
        let refusals: [fn() -> Response; 2] = [
            || StatusCode::UNAUTHORIZED.into_response(),
            || (StatusCode::BAD_REQUEST, r#"{"type":"INVALID_REQUEST"}"#).into_response(),
        ];
        for refusal in refusals {
            let (client, seen) = client(refusal).await;

            let token = second_token(&client).await.expect("a token");

            assert_eq!(token.authorization.as_bytes(), b"Bearer access-by-login");
            assert_eq!(seen.lock().expect("nobody panicked").len(), 3);
        }
    }

    #[tokio::test]
    async fn a_refresh_that_failed_is_followed_by_a_login_the_next_time() {
        let (client, seen) = client(|| StatusCode::BAD_GATEWAY.into_response()).await;

        let failed = second_token(&client).await;
        let Credential::Tokens(tokens) = &client.inner.credential else {
            unreachable!("the client has tokens")
        };
        let next = client.token(tokens).await;

        assert!(matches!(failed, Err(Error::Http { status: 502, .. })));
        assert!(next.is_ok());
        let last = seen.lock().expect("nobody panicked").pop();
        assert!(last.is_some_and(|last| last.starts_with("/login/api-secret ")));
    }

    #[tokio::test]
    async fn a_token_that_was_refused_takes_its_refresh_token_with_it() {
        let (client, seen) = client(|| issued("refresh")).await;
        let Credential::Tokens(tokens) = &client.inner.credential else {
            unreachable!("the client has tokens")
        };
        let refused = client.token(tokens).await.expect("a token");

        tokens.discard(&refused);
        client.token(tokens).await.expect("a token");

        let seen = seen.lock().expect("nobody panicked");
        assert!(
            seen.iter()
                .all(|line| line.starts_with("/login/api-secret "))
        );
    }
}
