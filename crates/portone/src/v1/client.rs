//! The calls.

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Method,
    header::{ACCEPT, AUTHORIZATION},
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
    token::{Token, TokenCell},
};
use crate::{Error, json::Object, transport};

const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts in one page of `findAll`; the API allows 1000, which would not fit the body limit.
const PAGE_SIZE: u32 = 100;
/// Pages of `findAll` that are read: 1000 attempts to pay one order.
const PAGES_MAX: u32 = 10;

/// A client of PortOne's REST API V1. Clones share connections and access token.
///
/// Every call ends within the configured timeout, waiting for a token and reading the body included. A call answered with
/// 401 is sent once more with a new token; nothing else is ever retried. Calls need a Tokio runtime with time and I/O.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    api_url: Url,
    imp_key: SecretString,
    imp_secret: SecretString,
    timeout: Duration,
    token: TokenCell,
}

/// Makes a [`Client`].
pub struct ClientBuilder {
    api_url: Url,
    imp_key: SecretString,
    imp_secret: SecretString,
    timeout: Duration,
    connect_timeout: Duration,
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
    pub fn build(self) -> Result<Client, Error> {
        let Self {
            api_url,
            imp_key,
            imp_secret,
            timeout,
            connect_timeout,
        } = self;
        let refusal = if !matches!(api_url.scheme(), "http" | "https") {
            Some("the API's address must start with http:// or https://")
        } else if !api_url.username().is_empty() || api_url.password().is_some() {
            Some("the API's address must not contain a user name or password")
        } else if api_url.query().is_some() || api_url.fragment().is_some() {
            Some("the API's address must not contain a query or a fragment")
        } else if imp_key.expose_secret().is_empty() {
            Some("the REST API key is empty")
        } else if imp_secret.expose_secret().is_empty() {
            Some("the REST API secret is empty")
        } else if timeout.is_zero() || connect_timeout.is_zero() {
            Some("a timeout must be longer than nothing")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(Error::InvalidConfiguration(refusal.to_owned()));
        }
        let http = transport::http_client(connect_timeout)?;
        let inner = Inner {
            http,
            api_url,
            imp_key,
            imp_secret,
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
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// One attempt to pay. [`Error::NotFound`] if PortOne does not know it.
    ///
    /// Payments through test channels are included, see [`Payment::sandbox`].
    pub async fn payment(&self, imp_uid: &ImpUid) -> Result<Payment, Error> {
        self.in_time(async {
            let mut url = self.url(&["payments", imp_uid.as_str()]);
            // Without it PortOne answers 404 for test payments, and then nobody could say why there is none.
            url.query_pairs_mut().append_pair("include_sandbox", "true");
            let response = self
                .ask(Method::GET, url, None)
                .await?
                .ok_or_else(nothing)?;
            let payment = Payment::parse(&response)?;
            if payment.imp_uid != *imp_uid {
                return Err(Error::garbled(
                    "the payment has another imp_uid than the one asked for",
                ));
            }
            Ok(payment)
        })
        .await
    }

    /// Every attempt to pay for one order, oldest first; none if PortOne knows of none.
    ///
    /// An attempt whose `merchant_uid` differs in the least (in case, for one) is somebody else's and left out.
    /// [`Error::TooManyPages`] if there are more than 1000.
    pub async fn payments_of(&self, merchant_uid: &MerchantUid) -> Result<Vec<Payment>, Error> {
        self.in_time(async {
            let mut payments = Vec::new();
            let mut seen = HashSet::new();
            for page in 1..=PAGES_MAX {
                let response = match self.page_of(merchant_uid, page).await {
                    // Of the first page alone: what is missing from a list that was said to go on is no end of it.
                    Err(Error::NotFound) if page == 1 => return Ok(payments),
                    Err(Error::NotFound) => {
                        return Err(Error::garbled("a page of the list is missing"));
                    }
                    response => response?,
                };
                let object = Object::parse("the list", &response)?;
                for element in object.list("list")? {
                    let payment = Payment::parse(element)?;
                    // Times of one second leave the order of some attempts open, so one may be on two pages.
                    if payment.merchant_uid == merchant_uid.as_str()
                        && seen.insert(payment.imp_uid.clone())
                    {
                        payments.push(payment);
                    }
                }
                match object.strict_integer("next")?.unwrap_or_default() {
                    0 => return Ok(payments),
                    next if next == i64::from(page) + 1 => {}
                    _ => return Err(Error::garbled("next is not the page after this one")),
                }
            }
            Err(Error::TooManyPages)
        })
        .await
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
        self.in_time(async {
            let url = self.url(&["payments", "prepare", merchant_uid.as_str()]);
            match self.ask(Method::GET, url, None).await {
                Ok(Some(response)) => prepared_for(merchant_uid, &response).map(Some),
                // The only documented statuses of this call are 200 and 401, and a well-formed merchant_uid leaves nothing
                // to reject but its absence. So PortOne's no is taken as absence, in whichever of its forms it comes.
                Ok(None) | Err(Error::NotFound | Error::Rejected { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn send_preparation(
        &self,
        method: Method,
        merchant_uid: &MerchantUid,
        amount: Decimal,
        currency: Option<&str>,
    ) -> Result<Prepared, Error> {
        let amount = RawValue::from_string(amount.normalize().to_string())
            .expect("a decimal's text is a JSON number");
        let preparation = Preparation {
            merchant_uid: merchant_uid.as_str(),
            amount,
            currency,
        };
        self.in_time(async {
            let url = self.url(&["payments", "prepare"]);
            let response = self
                .ask(method, url, Some(&preparation))
                .await?
                .ok_or_else(nothing)?;
            prepared_for(merchant_uid, &response)
        })
        .await
    }

    /// The JSON of one page of `findAll`.
    async fn page_of(&self, merchant_uid: &MerchantUid, page: u32) -> Result<String, Error> {
        let mut url = self.url(&["payments", "findAll", merchant_uid.as_str()]);
        url.query_pairs_mut()
            .append_pair("limit", &PAGE_SIZE.to_string())
            .append_pair("page", &page.to_string())
            // By start, oldest first: an attempt made while pages are read comes last and moves none of the others.
            .append_pair("sorting", "started");
        self.ask(Method::GET, url, None).await?.ok_or_else(nothing)
    }

    /// Makes one call and, if its token is refused, makes it once more. Returns the JSON of `response` unless null.
    async fn ask(
        &self,
        method: Method,
        url: Url,
        body: Option<&Preparation<'_>>,
    ) -> Result<Option<String>, Error> {
        let mut renewed = false;
        loop {
            let token = self.token().await?;
            let mut request = self
                .inner
                .http
                .request(method.clone(), url.clone())
                .header(ACCEPT, "application/json")
                .header(AUTHORIZATION, token.authorization.clone());
            if let Some(body) = body {
                request = request.json(body);
            }
            let reply = transport::send(request).await?;
            match envelope::open(&reply) {
                Err(Error::Unauthorized) => self.inner.token.discard(&token),
                outcome => return outcome.map(|response| response.map(str::to_owned)),
            }
            if renewed {
                return Err(Error::Unauthorized);
            }
            renewed = true;
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
            .inner
            .http
            .post(self.url(&["users", "getToken"]))
            .header(ACCEPT, "application/json")
            .json(&credentials);
        let reply = transport::send(request).await?;
        Token::parse(envelope::open(&reply)?.ok_or_else(nothing)?, asked_at)
    }

    /// The API's address followed by these segments, each percent-encoded.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.inner.api_url.clone();
        url.path_segments_mut()
            .expect("an http address has a path, and build() accepts no other")
            .pop_if_empty()
            .extend(segments);
        url
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout(self.inner.timeout, call)
            .await
            .unwrap_or(Err(Error::Timeout))
    }
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

fn nothing() -> Error {
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
