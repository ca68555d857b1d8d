//! The connection, and the calls that everybody makes: one payment, and amounts registered in advance.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::{
    envelope,
    id::{ImpUid, MerchantUid},
    payment::{Payment, Prepared},
    token,
};
use crate::{
    Error,
    token::{Token, TokenCell},
    transport::{self, Http},
};

const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIER_CODE_CHARS: usize = 3;

/// A client of PortOne's REST API V1. Clones share connections and access token.
///
/// Every call ends within the configured timeout, waiting for a token and reading the body included. A call answered with
/// 401 is sent once more with a new token; nothing else is ever retried. Calls need a Tokio runtime with time and I/O.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    api_url: Url,
    imp_key: SecretString,
    imp_secret: SecretString,
    tier: Option<HeaderValue>,
    timeout: Duration,
    token: TokenCell,
}

/// Makes a [`Client`].
pub struct ClientBuilder {
    api_url: Url,
    imp_key: SecretString,
    imp_secret: SecretString,
    tier: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
}

/// One call.
pub(super) struct Call {
    method: Method,
    url: Url,
    body: Option<String>,
    /// Whether PortOne may have acted on it. A 401 says that it has not.
    sent: AtomicBool,
}

#[derive(Serialize)]
struct Credentials<'a> {
    imp_key: &'a str,
    imp_secret: &'a str,
}

#[derive(Serialize)]
struct Preparation<'a> {
    merchant_uid: &'a str,
    /// A JSON number with the decimal's own digits.
    amount: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
}

impl ClientBuilder {
    /// The sub-merchant that every call is about, by its three-character tier code. The key and the secret are then those of the
    /// agency, see <https://developers.portone.io/opi/ko/support/agency-and-tier>.
    pub fn tier(mut self, code: impl Into<String>) -> Self {
        self.tier = Some(code.into());
        self
    }

    /// How long a whole call may take, with its token and its body. 10 seconds unless set.
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
            imp_key,
            imp_secret,
            tier,
            timeout,
            connect_timeout,
        } = self;
        transport::check_api_url(&api_url)?;
        let refusal = if imp_key.expose_secret().is_empty() {
            Some("the REST API key is empty")
        } else if imp_secret.expose_secret().is_empty() {
            Some("the REST API secret is empty")
        } else if tier.as_ref().is_some_and(|code| !is_tier_code(code)) {
            Some("a tier code has three characters out of A-Z, a-z and 0-9")
        } else if timeout.is_zero() || connect_timeout.is_zero() {
            Some("a timeout must be longer than nothing")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(Error::InvalidConfiguration(refusal.to_owned()));
        }
        let tier = tier.map(|code| {
            HeaderValue::try_from(code).expect("letters and digits are a header's value")
        });
        let http = Http::new(connect_timeout)?;
        let inner = Inner {
            http,
            api_url,
            imp_key,
            imp_secret,
            tier,
            timeout,
            token: TokenCell::new(),
        };
        Ok(Client {
            inner: Arc::new(inner),
        })
    }
}

impl Client {
    /// Starts a client for the API at `api_url` (PortOne's is `https://api.iamport.kr`) with the REST API key and secret
    /// from PortOne's console.
    pub fn builder(api_url: Url, imp_key: SecretString, imp_secret: SecretString) -> ClientBuilder {
        ClientBuilder {
            api_url,
            imp_key,
            imp_secret,
            tier: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// One attempt to pay. [`Error::NotFound`] if PortOne does not know it.
    ///
    /// Payments through test channels are included, see [`Payment::sandbox`].
    pub async fn payment(&self, imp_uid: &ImpUid) -> Result<Payment, Error> {
        self.payment_at(imp_uid, self.payment_url(imp_uid)).await
    }

    /// One attempt to pay, with what its PG alone has to say in [`Payment::extension`].
    pub async fn payment_with_extension(&self, imp_uid: &ImpUid) -> Result<Payment, Error> {
        let mut url = self.payment_url(imp_uid);
        url.query_pairs_mut().append_pair("extension", "true");
        self.payment_at(imp_uid, url).await
    }

    /// Registers the amount of an order in advance, so that PortOne opens no window for another one.
    ///
    /// Without a currency PortOne does not compare currencies. To change what is registered use
    /// [`Client::update_prepared`]; registering twice is [`Error::Rejected`].
    pub async fn prepare(
        &self,
        merchant_uid: &MerchantUid,
        amount: Decimal,
        currency: Option<&str>,
    ) -> Result<Prepared, Error> {
        self.send_preparation(Method::POST, merchant_uid, amount, currency)
            .await
    }

    /// Changes an amount registered in advance. [`Error::NotFound`] if none is.
    pub async fn update_prepared(
        &self,
        merchant_uid: &MerchantUid,
        amount: Decimal,
        currency: Option<&str>,
    ) -> Result<Prepared, Error> {
        self.send_preparation(Method::PUT, merchant_uid, amount, currency)
            .await
    }

    /// The amount registered in advance for an order, if one is.
    pub async fn prepared(&self, merchant_uid: &MerchantUid) -> Result<Option<Prepared>, Error> {
        let url = self.url(&["payments", "prepare", merchant_uid.as_str()]);
        match self.answer(Call::get(url)).await {
            Ok(Some(response)) => prepared_for(merchant_uid, &response).map(Some),
            // The only documented statuses of this call are 200 and 401, and a well-formed merchant_uid leaves nothing
            // to reject but its absence. So PortOne's no is taken as absence, in whichever of its forms it comes.
            Ok(None) | Err(Error::NotFound | Error::Rejected(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send_preparation(
        &self,
        method: Method,
        merchant_uid: &MerchantUid,
        amount: Decimal,
        currency: Option<&str>,
    ) -> Result<Prepared, Error> {
        let preparation = Preparation {
            merchant_uid: merchant_uid.as_str(),
            amount: json_number(amount),
            currency,
        };
        let url = self.url(&["payments", "prepare"]);
        // Registering the same again is refused and changing to the same changes nothing, so either may be repeated.
        let response = self
            .response(Call::write(method, url, &preparation))
            .await?;
        prepared_for(merchant_uid, &response)
    }

    fn payment_url(&self, imp_uid: &ImpUid) -> Url {
        let mut url = self.url(&["payments", imp_uid.as_str()]);
        // Without it PortOne answers 404 for test payments, and then nobody could say why there is none.
        url.query_pairs_mut().append_pair("include_sandbox", "true");
        url
    }

    async fn payment_at(&self, imp_uid: &ImpUid, url: Url) -> Result<Payment, Error> {
        payment_of(imp_uid, &self.response(Call::get(url)).await?)
    }

    /// Makes a call that may be made again. Returns the JSON of `response`.
    pub(super) async fn response(&self, call: Call) -> Result<String, Error> {
        self.answer(call).await?.ok_or_else(nothing)
    }

    /// Makes a call that may be made again. Returns the JSON of `response` unless null.
    pub(super) async fn answer(&self, call: Call) -> Result<Option<String>, Error> {
        self.in_time(self.ask(&call)).await
    }

    /// Makes a call that must not be made twice and reads its `response`. V1 has no idempotency keys.
    pub(super) async fn once<T>(
        &self,
        call: Call,
        read: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outcome = self
            .in_time(self.ask(&call))
            .await
            .and_then(|response| read(&response.ok_or_else(nothing)?));
        outcome.map_err(|error| {
            if call.sent.load(Ordering::Relaxed) {
                error.of_a_call_made_once()
            } else {
                error
            }
        })
    }

    /// Makes one call and, if its token is refused, makes it once more. Returns the JSON of `response` unless null.
    pub(super) async fn ask(&self, call: &Call) -> Result<Option<String>, Error> {
        let mut renewed = false;
        loop {
            let token = self.token().await?;
            let mut request = self
                .request(call.method.clone(), call.url.clone())
                .header(AUTHORIZATION, token.authorization.clone());
            if let Some(body) = &call.body {
                request = request
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.clone());
            }
            call.sent.store(true, Ordering::Relaxed);
            let reply = self.inner.http.send(request).await?;
            match envelope::open(&reply) {
                Err(Error::Unauthorized) => self.inner.token.discard(&token),
                outcome => return outcome.map(|response| response.map(str::to_owned)),
            }
            call.sent.store(false, Ordering::Relaxed);
            if renewed {
                return Err(Error::Unauthorized);
            }
            renewed = true;
        }
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self
            .inner
            .http
            .request(method, url)
            .header(ACCEPT, "application/json");
        match &self.inner.tier {
            Some(tier) => request.header("tier", tier.clone()),
            None => request,
        }
    }

    async fn token(&self) -> Result<Arc<Token>, Error> {
        // The fetch outlives a caller who gives up, so it has a time limit of its own.
        let client = self.clone();
        let fetch = move || async move { client.in_time(client.fetch_token()).await };
        self.inner.token.get(fetch).await
    }

    async fn fetch_token(&self) -> Result<Token, Error> {
        let credentials = Credentials {
            imp_key: self.inner.imp_key.expose_secret(),
            imp_secret: self.inner.imp_secret.expose_secret(),
        };
        let asked_at = Instant::now();
        let request = self
            .request(Method::POST, self.url(&["users", "getToken"]))
            .json(&credentials);
        let reply = self.inner.http.send(request).await?;
        let response = match envelope::open(&reply) {
            // There is no record that a login could be about: passed on, it would say that the payment does not exist.
            Err(Error::NotFound) => Err(Error::Http {
                status: reply.status,
                code: None,
                message: String::new(),
            }),
            response => response,
        };
        token::parse(response?.ok_or_else(nothing)?, asked_at)
    }

    /// The API's address followed by these segments, each percent-encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        transport::endpoint(&self.inner.api_url, segments)
    }

    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::time::timeout(self.inner.timeout, call)
            .await
            .unwrap_or(Err(Error::Timeout))
    }
}

impl Call {
    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url, None)
    }

    pub(super) fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url, None)
    }

    pub(super) fn write(method: Method, url: Url, body: &impl Serialize) -> Self {
        Self::new(method, url, Some(transport::to_json(body)))
    }

    fn new(method: Method, url: Url, body: Option<String>) -> Self {
        Self {
            method,
            url,
            body,
            sent: AtomicBool::new(false),
        }
    }
}

/// A JSON number with the decimal's own digits.
pub(super) fn json_number(amount: Decimal) -> Box<RawValue> {
    RawValue::from_string(amount.normalize().to_string())
        .expect("a decimal's text is a JSON number")
}

/// Reads a payment and refuses one that was not asked for.
pub(super) fn payment_of(imp_uid: &ImpUid, response: &str) -> Result<Payment, Error> {
    let payment = Payment::parse(response)?;
    if payment.imp_uid != *imp_uid {
        return Err(Error::garbled(
            "the payment has another imp_uid than the one asked for",
        ));
    }
    Ok(payment)
}

fn is_tier_code(code: &str) -> bool {
    code.len() == TIER_CODE_CHARS && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn prepared_for(merchant_uid: &MerchantUid, response: &str) -> Result<Prepared, Error> {
    let prepared = Prepared::parse(response)?;
    if prepared.merchant_uid != merchant_uid.as_str() {
        return Err(Error::garbled(
            "the prepared amount has another merchant_uid than the one asked for",
        ));
    }
    Ok(prepared)
}

pub(super) fn nothing() -> Error {
    Error::garbled("response is missing")
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("api_url", &self.inner.api_url.as_str())
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address has not been checked yet and may hold a password.
        formatter
            .debug_struct("ClientBuilder")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
