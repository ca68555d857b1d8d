//! Starting, holding and stopping a sandbox.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use crate::clock::Clock;
use crate::control;
#[cfg(doc)]
use crate::journal::Event;
use crate::journal::JournalEntry;
use crate::net::{CuttableListener, Scissors};
use crate::router::router;
use crate::state::{App, ChannelKind, Config, Settings, Shared};
use crate::webhook::{Sender, WebhookFormat, WebhookMode};

/// Seed of a sandbox that was given none.
const DEFAULT_SEED: u64 = 42;
/// Credentials like those of PortOne's public samples; the secret is the sandbox's own.
const DEFAULT_MERCHANT_CODE: &str = "imp00000000";
const DEFAULT_API_KEY: &str = "imp_apikey";
const DEFAULT_API_SECRET: &str = "sandbox-secret";
/// How long [`Sandbox::journal_when`] waits.
const JOURNAL_WAIT: Duration = Duration::from_secs(10);

/// Why the sandbox did not start, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    #[non_exhaustive]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// Other machines could reach the address, and remote access was not allowed.
    #[error(
        "{addr} can be reached from other machines, and the sandbox has no login: allow remote access if that is meant"
    )]
    #[non_exhaustive]
    Remote {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The webhook client cannot be made.
    #[error("cannot set up the webhook client")]
    Client(#[source] reqwest::Error),
    /// The server stopped by itself.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
    /// A payment, patch or fault that makes no sense; the text says why.
    #[error("refused: {0}")]
    Refused(String),
    /// What was waited for did not happen in time.
    #[error("the journal did not show it within {} s", JOURNAL_WAIT.as_secs())]
    Timeout,
}

/// How to start a [`Sandbox`].
#[derive(Clone)]
pub struct Builder {
    addr: SocketAddr,
    allow_remote: bool,
    pub(crate) settings: Settings,
    /// As they were written; checked at the start.
    pub(crate) webhook_secrets: Option<Vec<String>>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            settings: Settings {
                seed: DEFAULT_SEED,
                merchant_code: DEFAULT_MERCHANT_CODE.into(),
                api_key: DEFAULT_API_KEY.into(),
                api_secret: DEFAULT_API_SECRET.into(),
                config: Config::default(),
            },
            webhook_secrets: None,
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("addr", &self.addr)
            .field("seed", &self.settings.seed)
            .field("config", &self.settings.config)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Where to listen; 127.0.0.1 on a free port if nothing is said.
    #[must_use]
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Allows an address that other machines can reach.
    #[must_use]
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }

    /// The seed of everything random; 42 if nothing is said.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// A seed that no earlier run had, for shops that remember the ids of earlier payments.
    #[must_use]
    pub fn fresh_seed(mut self) -> Self {
        self.settings.seed = Clock::default().now_ms().unsigned_abs();
        self
    }

    /// Where webhooks go; nowhere if nothing is said.
    #[must_use]
    pub fn webhook_url(mut self, url: Url) -> Self {
        self.settings.config.webhook_url = Some(url);
        self
    }

    /// When webhooks are sent.
    #[must_use]
    pub fn webhook(mut self, mode: WebhookMode) -> Self {
        self.settings.config.webhook = mode;
        self
    }

    /// How webhooks are written.
    #[must_use]
    pub fn webhook_format(mut self, format: WebhookFormat) -> Self {
        self.settings.config.webhook_format = format;
        self
    }

    /// The channel of payments whose channel key does not say `test`.
    #[must_use]
    pub fn channel(mut self, channel: ChannelKind) -> Self {
        self.settings.config.channel = channel;
        self
    }

    /// REST key and secret.
    #[must_use]
    pub fn credentials(
        mut self,
        api_key: impl Into<String>,
        api_secret: impl Into<String>,
    ) -> Self {
        self.settings.api_key = api_key.into();
        self.settings.api_secret = api_secret.into();
        self
    }

    /// Merchant code (`imp…`).
    #[must_use]
    pub fn merchant_code(mut self, merchant_code: impl Into<String>) -> Self {
        self.settings.merchant_code = merchant_code.into();
        self
    }

    /// Starts in the background of the current tokio runtime.
    pub async fn spawn(self) -> Result<Sandbox, Error> {
        let bind = |source| Error::Bind {
            addr: self.addr,
            source,
        };
        if !self.allow_remote && !self.addr.ip().is_loopback() {
            return Err(Error::Remote { addr: self.addr });
        }
        let listener = TcpListener::bind(self.addr).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let app = self.app(addr)?;
        let server = tokio::spawn(run(app.clone(), listener, std::future::pending()));
        Ok(Sandbox {
            app,
            server: Some(server),
        })
    }

    /// Serves on a listener until `shutdown` ends and the requests under way are answered.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let addr = listener.local_addr().map_err(Error::Serve)?;
        if !self.allow_remote && !addr.ip().is_loopback() {
            return Err(Error::Remote { addr });
        }
        let app = self.app(addr)?;
        run(app, listener, shutdown).await
    }

    pub(crate) fn app(mut self, addr: SocketAddr) -> Result<App, Error> {
        self.parse_webhook_secrets()?;
        if let Some(url) = &self.settings.config.webhook_url
            && !matches!(url.scheme(), "http" | "https")
        {
            return Err(Error::Refused("webhook_url must be http or https".into()));
        }
        // "Every address" is one to listen on, not one to open.
        let mut named = addr;
        if addr.ip().is_unspecified() {
            named.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let base = Url::parse(&format!("http://{named}/"))
            .map_err(|error| Error::Refused(error.to_string()))?;
        let sender = Sender::new().map_err(Error::Client)?;
        Ok(Shared::new(self.settings, addr, base, sender))
    }
}

async fn run(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let service = router(app.clone()).into_make_service_with_connect_info::<Scissors>();
    let ended = async move {
        tokio::select! {
            () = shutdown => app.stop(),
            () = app.stopped() => {}
        }
    };
    axum::serve(CuttableListener(listener), service)
        .with_graceful_shutdown(ended)
        .await
        .map_err(Error::Serve)
}

/// A running local PortOne. It stops when it is dropped.
pub struct Sandbox {
    pub(crate) app: App,
    /// None in a hand on a sandbox that somebody else holds.
    server: Option<JoinHandle<Result<(), Error>>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("addr", &self.app.addr)
            .finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            // Ends waiting answers and idle connections; aborting alone would only stop new ones.
            self.app.stop();
            server.abort();
        }
    }
}

impl Sandbox {
    /// Settings first, then [`Builder::spawn`] or [`Builder::serve`].
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A hand on a sandbox that runs: dropping it stops nothing.
    pub(crate) fn of(app: &App) -> Self {
        Self {
            app: app.clone(),
            server: None,
        }
    }

    /// Serves with default settings on a listener, until `shutdown` ends.
    pub async fn serve(
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        Builder::default().serve(listener, shutdown).await
    }

    /// The address to give to a client, with a slash at the end: `http://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.app.base
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.app.addr
    }

    /// Makes a payment from any subset of a V1 payment's fields, like `POST /_sandbox/payments`, and returns its
    /// `imp_uid`. `"tax_free"` says how much of it is free of tax, which no answer of V1 tells. Must be called within a
    /// tokio runtime if `"webhook": true` is among the fields.
    pub fn create_payment(&self, fields: Value) -> Result<String, Error> {
        let record = control::create(&self.app, object(fields)?).map_err(refused)?;
        Ok(crate::record::text(&record, "imp_uid").to_owned())
    }

    /// Changes any fields of a payment, like `PATCH /_sandbox/payments/{imp_uid}`.
    pub fn patch_payment(&self, imp_uid: &str, fields: Value) -> Result<(), Error> {
        control::patch(&self.app, imp_uid, object(fields)?)
            .map(drop)
            .map_err(refused)
    }

    /// A payment as the API would show it, lag and test channel aside; none if there is no such payment.
    #[must_use]
    pub fn payment(&self, imp_uid: &str) -> Option<Value> {
        let state = self.app.state();
        let payment = state.ledger.find(imp_uid)?;
        Some(Value::Object(payment.record.clone()))
    }

    /// Sets a fault, like `POST /_sandbox/faults`.
    pub fn fault(&self, fault: Value) -> Result<(), Error> {
        let fault =
            serde_json::from_value(fault).map_err(|error| Error::Refused(error.to_string()))?;
        control::add(&self.app, fault).map(drop).map_err(refused)
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.app.state().faults.clear();
    }

    /// Where webhooks go from now on; `None` for nowhere.
    pub fn set_webhook_url(&self, url: impl Into<Option<Url>>) {
        self.app.state().config.webhook_url = url.into();
    }

    /// Changes settings, like `PATCH /_sandbox/config`; all that are named, or none if one makes no sense.
    pub fn configure(&self, settings: Value) -> Result<(), Error> {
        let change =
            serde_json::from_value(settings).map_err(|error| Error::Refused(error.to_string()))?;
        control::configure(&self.app, change)
            .map(drop)
            .map_err(refused)
    }

    /// When webhooks are sent from now on.
    pub fn set_webhook(&self, mode: WebhookMode) {
        self.app.state().config.webhook = mode;
    }

    /// Pushes the sandbox's clock forward: tokens age, lagging payments appear.
    pub fn advance_clock(&self, by: Duration) {
        self.app.clock.advance(by);
    }

    /// Stops the sandbox's clock; from now on only [`Sandbox::advance_clock`] moves it.
    pub fn freeze_clock(&self) {
        self.app.clock.freeze(true);
    }

    /// Takes back what a scenario pushed the clock by, and lets it run.
    pub(crate) fn give_back_clock(&self, pushed: Duration) {
        self.app.clock.rewind(pushed);
        self.app.clock.freeze(false);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.app.clock.now_ms()
    }

    /// REST key and secret of V1.
    pub(crate) fn credentials(&self) -> (&str, &str) {
        (&self.app.settings.api_key, &self.app.settings.api_secret)
    }

    /// The secret of V2's API.
    pub(crate) fn api_secret(&self) -> String {
        self.app.state().config.v2.api_secret.clone()
    }

    /// Makes PortOne forget the access token, so that the next call is answered 401.
    pub fn revoke_token(&self) {
        self.app.state().tokens.revoke();
    }

    /// The journal, oldest entry first.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.app.state().journal.since(0)
    }

    /// Waits, for 10 s at most, until the journal satisfies `ready`, and returns it. Costs no polling.
    pub async fn journal_when(
        &self,
        ready: impl Fn(&[JournalEntry]) -> bool,
    ) -> Result<Vec<JournalEntry>, Error> {
        self.journal_within(JOURNAL_WAIT, ready)
            .await
            .ok_or(Error::Timeout)
    }

    /// Waits for so long at most until the journal satisfies `ready`, and returns it.
    pub(crate) async fn journal_within(
        &self,
        limit: Duration,
        ready: impl Fn(&[JournalEntry]) -> bool,
    ) -> Option<Vec<JournalEntry>> {
        let mut changes = self.app.watch();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let journal = self.journal();
                if ready(&journal) || changes.changed().await.is_err() {
                    return journal;
                }
            }
        };
        tokio::time::timeout(limit, wait).await.ok()
    }

    /// API requests of one kind ([`Event::Api`] has the names) or of `any`, since the start, the last reset or the last
    /// clearing of the journal. Any other name counts nothing.
    #[must_use]
    pub fn calls(&self, call: &str) -> usize {
        self.app.state().journal.calls(call)
    }

    /// Back to the state after the start; `None` keeps the seed given at the start.
    pub fn reset(&self, seed: Option<u64>) {
        self.app.reset(seed);
    }
}

fn object(value: Value) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::Refused("an object is expected".into()))
        }
    }
}

fn refused(refusal: control::Refusal) -> Error {
    Error::Refused(refusal.message())
}
