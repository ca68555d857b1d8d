//! Sends events to the shop's endpoints.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use jiff::fmt::rfc2822;
use portone::webhook::Signer;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};
use tracing::Instrument;
use url::{Host, Url};

use crate::TRACES;
use crate::domain::delivery::{RetryAfter, Sent, Trouble};
use crate::domain::target::{TargetPolicy, TargetRefused};
use crate::ports::deliveries::{WebhookCall, WebhookSender};

/// Time to be connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to look a name up when somebody waits for the answer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an idle connection is kept, shorter than most servers keep it.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Idle connections to one endpoint.
const POOL_IDLE_MAX: usize = 4;
/// What is kept of an answer.
const ANSWER_BYTES_MAX: usize = 1024;

/// Says which addresses a name stands for, this time.
type Names = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Posts over HTTP, to where the policy lets it.
#[derive(Debug, Clone)]
pub struct HttpWebhooks {
    policy: Arc<TargetPolicy>,
    names: Names,
    /// One for each of both, as what may be connected to differs.
    encrypted: Client,
    plain: Client,
}

impl HttpWebhooks {
    /// Makes the clients.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: TargetPolicy, timeout: Duration) -> anyhow::Result<Self> {
        Self::with_names(policy, timeout, |name| {
            // The port is the address's own; this one is replaced.
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        })
    }

    fn with_names(policy: TargetPolicy, timeout: Duration, names: Names) -> anyhow::Result<Self> {
        let policy = Arc::new(policy);
        let client = |encrypted| {
            let guarded = Guarded {
                policy: Arc::clone(&policy),
                names,
                encrypted,
            };
            client(guarded, timeout)
        };
        Ok(Self {
            encrypted: client(true)?,
            plain: client(false)?,
            policy,
            names,
        })
    }

    async fn post(&self, url: Url, call: &WebhookCall) -> Result<Response, Trouble> {
        let encrypted = url.scheme() == "https";
        let client = if encrypted {
            &self.encrypted
        } else {
            &self.plain
        };
        let signer = Signer::new(call.secrets.iter().cloned()).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the secret of an endpoint cannot be signed with"
            );
            Trouble::Interrupted
        })?;
        let headers = signer.sign(&call.id, call.at.as_second(), call.body.as_bytes());
        let mut request = client
            .post(url)
            .header("content-type", "application/json")
            .body(call.body.clone());
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| trouble(&error))?;
        let is_allowed = response
            .remote_addr()
            .is_some_and(|addr| self.policy.allows(encrypted, addr.ip()));
        if is_allowed {
            Ok(response)
        } else {
            Err(Trouble::TargetRefused)
        }
    }
}

#[async_trait]
impl WebhookSender for HttpWebhooks {
    async fn check(&self, url: &str) -> Result<(), TargetRefused> {
        let url = self.policy.parse(url)?;
        let encrypted = url.scheme() == "https";
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let found = look_up(&self.policy, self.names, encrypted, name);
        match tokio::time::timeout(LOOKUP_TIMEOUT, found).await {
            Ok(Err(LookupError::Refused)) => Err(TargetRefused::NotPublic),
            Ok(Ok(_) | Err(LookupError::Failed(_))) | Err(_) => Ok(()),
        }
    }

    async fn send(&self, call: &WebhookCall) -> Sent {
        // Settings may have changed since it was saved.
        let Ok(url) = self.policy.parse(&call.url) else {
            return Sent::Failed(Trouble::TargetRefused);
        };
        let trace = tracing::trace_span!(target: TRACES, "event", otel.kind = "client");
        match self.post(url, call).instrument(trace).await {
            Ok(response) => Sent::Answered {
                code: response.status().as_u16(),
                retry_after: retry_after(&response),
                answer: beginning(response).await,
            },
            Err(trouble) => Sent::Failed(trouble),
        }
    }
}

fn client(names: Guarded, timeout: Duration) -> anyhow::Result<Client> {
    if CryptoProvider::get_default().is_none() {
        // An error means that somebody else installed one in the meantime, which serves as well.
        let _installed = ring::default_provider().install_default();
    }
    Client::builder()
        .user_agent(concat!("wanryo/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .dns_resolver(Arc::new(names))
        .build()
        .context("no client for webhooks can be made")
}

/// Looks names up and refuses those that stand for anything that may not be connected to.
struct Guarded {
    policy: Arc<TargetPolicy>,
    names: Names,
    encrypted: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, names, encrypted) = (Arc::clone(&self.policy), self.names, self.encrypted);
        Box::pin(async move {
            let found = look_up(&policy, names, encrypted, name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("the name stands for an address that may not be connected to")]
    Refused,
    #[error("the name cannot be looked up")]
    Failed(#[from] io::Error),
}

/// The addresses of a name, if every one of them may be connected to: which is used is not ours to say.
async fn look_up(
    policy: &TargetPolicy,
    names: Names,
    encrypted: bool,
    name: &str,
) -> Result<Vec<SocketAddr>, LookupError> {
    let found = names(name.to_owned()).await?;
    if found.iter().all(|addr| policy.allows(encrypted, addr.ip())) {
        Ok(found)
    } else {
        Err(LookupError::Refused)
    }
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(LookupError::Refused)) {
            return Trouble::TargetRefused;
        }
        cause = error.source();
    }
    if error.is_timeout() {
        Trouble::Timeout
    } else if error.is_connect() {
        Trouble::ConnectFailed
    } else {
        Trouble::Interrupted
    }
}

fn retry_after(response: &Response) -> Option<RetryAfter> {
    let text = response.headers().get("retry-after")?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(RetryAfter::Seconds(text.parse().unwrap_or(i64::MAX)));
    }
    let at = rfc2822::parse(text).ok()?;
    Some(RetryAfter::At(at.timestamp()))
}

/// What is kept of a body. How much more there is, and whether it ever ends, is not waited for: the status has said it all.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    text.chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;
    use secrecy::SecretString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::domain::order::Mode;

    fn webhooks(mode: Mode, timeout: Duration) -> HttpWebhooks {
        // Any network, so that names that are not public are looked up at all.
        let private = vec![IpAddr::from(Ipv4Addr::new(10, 1, 2, 3)).into()];
        HttpWebhooks::new(TargetPolicy { mode, private }, timeout).expect("a client")
    }

    fn call(url: String) -> WebhookCall {
        WebhookCall {
            url,
            secrets: vec![SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            id: "evt_1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            body: "{}".to_owned(),
        }
    }

    /// Answers one request with these bytes, and then says nothing more without hanging up.
    async fn answering(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let _length = stream.read(&mut request).await.expect("a request");
            stream.write_all(&answer).await.expect("an answer");
            std::future::pending::<()>().await;
        });
        format!("http://{address}/")
    }

    const PATIENT: Duration = Duration::from_secs(10);
    const HASTY: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_stands_for() {
        let live = webhooks(Mode::Live, PATIENT);
        let found = look_up(&live.policy, live.names, true, "localhost").await;
        assert!(matches!(found, Err(LookupError::Refused)), "{found:?}");
        let test = webhooks(Mode::Test, PATIENT);
        let found = look_up(&test.policy, test.names, true, "localhost").await;
        assert!(found.is_ok_and(|found| !found.is_empty()));

        // The client asks: it is the last to look a name up.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        for client in [&live.plain, &live.encrypted] {
            let sent = client
                .post(format!("http://localhost:{port}/"))
                .send()
                .await;
            assert_eq!(
                sent.map_err(|error| trouble(&error)).err(),
                Some(Trouble::TargetRefused)
            );
        }
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("somebody connected"),
            () = std::future::ready(()) => {}
        }
    }

    /// Somebody's name server, asked again and again: everyone's address when the endpoint is checked, this machine's afterwards.
    #[tokio::test]
    async fn a_name_that_stands_for_another_address_later_is_judged_by_that() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let policy = TargetPolicy {
            mode: Mode::Live,
            private: Vec::new(),
        };
        let webhooks = HttpWebhooks::with_names(policy, PATIENT, |_| {
            let address = match ASKED.fetch_add(1, Ordering::Relaxed) {
                0 => Ipv4Addr::new(93, 184, 215, 14),
                _ => Ipv4Addr::LOCALHOST,
            };
            Box::pin(std::future::ready(Ok(vec![(address, 0).into()])))
        })
        .expect("a client");
        let url = format!("https://shop.example:{port}/");

        assert_eq!(webhooks.check(&url).await, Ok(()));
        let sent = webhooks.send(&call(url.clone())).await;

        assert_eq!(sent, Sent::Failed(Trouble::TargetRefused));
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
        assert_eq!(webhooks.check(&url).await, Err(TargetRefused::NotPublic));
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("somebody connected"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn an_address_that_answers_is_judged_once_more() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let url = answering(answer.to_vec()).await;
        let url = Url::parse(&url).expect("an address");
        // Past the first look, as if there were a spelling that it does not know.
        let sent = webhooks(Mode::Live, PATIENT)
            .post(url.clone(), &call(url.to_string()))
            .await;

        assert_eq!(sent.err(), Some(Trouble::TargetRefused));
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_the_time_that_is_named() {
        let url = answering(Vec::new()).await;
        let sent = webhooks(Mode::Test, HASTY).send(&call(url)).await;
        assert_eq!(sent, Sent::Failed(Trouble::Timeout));

        // The status has said it all; the rest of the body is not waited for.
        let url =
            answering(b"HTTP/1.1 202 Accepted\r\ncontent-length: 999\r\n\r\nthanks".to_vec()).await;
        let sent = webhooks(Mode::Test, HASTY).send(&call(url)).await;
        let Sent::Answered { code, answer, .. } = sent else {
            panic!("no answer: {sent:?}");
        };
        assert_eq!((code, answer.as_str()), (202, "thanks"));
    }

    #[tokio::test]
    async fn the_beginning_of_an_answer_is_kept_and_no_more_is_read() {
        let mut bytes = b"HTTP/1.1 500 Oops\r\nretry-after: Fri, 02 Jan 1970 00:00:00 GMT\r\ncontent-length: 9999999\r\n\r\n".to_vec();
        bytes.extend("\u{1b}[31m가\r\n".as_bytes());
        bytes.extend(vec![b'a'; 64 * 1024]);
        let url = answering(bytes).await;
        let sent = webhooks(Mode::Test, PATIENT).send(&call(url)).await;

        let Sent::Answered {
            code,
            retry_after,
            answer,
        } = sent
        else {
            panic!("no answer: {sent:?}");
        };
        assert_eq!(code, 500);
        let next_day = Timestamp::from_second(86_400).expect("a time");
        assert_eq!(retry_after, Some(RetryAfter::At(next_day)));
        assert!(
            answer.starts_with("[31m가\naaa") && answer.len() <= ANSWER_BYTES_MAX,
            "{answer}"
        );
    }
}
