//! Everything the sandbox knows, behind one lock that is never held over an await.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use url::Url;

use crate::clock::Clock;
use crate::fault::{Call, Fault, Faults};
use crate::gateway::Gateway;
use crate::journal::{Event, Journal};
use crate::ledger::{Ledger, Payment};
use crate::rng::{Rng, Stream};
use crate::timer;
use crate::token::Tokens;
use crate::v2::{self, V2};
use crate::webhook::{Delivery, Sender, WebhookFormat, WebhookMode};

/// Pre-registrations kept; more are refused until a reset.
pub(crate) const PREPARED_MAX: usize = 100_000;
const IMP_UID_DIGITS: usize = 12;

/// Whether payments are made through a live or a test channel, unless their channel key says `test`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Records say `sandbox: false`.
    #[default]
    Live,
    /// Records say `sandbox: true`; the API hides them unless asked with `include_sandbox=true`.
    Test,
}

/// What can be set while the sandbox runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) webhook_url: Option<Url>,
    pub(crate) webhook: WebhookMode,
    pub(crate) webhook_format: WebhookFormat,
    pub(crate) channel: ChannelKind,
    /// How late webhooks leave, by the sandbox's clock.
    pub(crate) webhook_delay_ms: u64,
    /// How often a webhook is sent again that met a network error or a 5xx.
    pub(crate) webhook_retries: u8,
    /// Asked before an approval, unless the shop's page names another.
    pub(crate) confirm_url: Option<Url>,
    pub(crate) confirm_timeout: ConfirmTimeout,
    /// The gateway of payments that name none.
    pub(crate) gateway: &'static Gateway,
    pub(crate) error_msg_charset: Charset,
    /// Whether a virtual account is closed at its deadline.
    pub(crate) close_overdue_accounts: bool,
    pub(crate) v2: v2::Config,
}

/// How long the answer of the confirm process is awaited. PortOne's documentation says 10 s, its help centre 5 s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfirmTimeout(pub(crate) Duration);

impl Default for ConfirmTimeout {
    fn default() -> Self {
        ConfirmTimeout(Duration::from_secs(10))
    }
}

/// How `error_msg` is written in a redirect, before it is percent-encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Charset {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As a gateway's own pages are often written; a shop must not stumble over it.
    #[serde(rename = "euc-kr")]
    EucKr,
}

impl Config {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "webhook_url": self.webhook_url.as_ref().map(Url::as_str),
            "webhook": self.webhook,
            "webhook_format": self.webhook_format,
            "channel": self.channel,
            "webhook_delay_ms": self.webhook_delay_ms,
            "webhook_retries": self.webhook_retries,
            "confirm_url": self.confirm_url.as_ref().map(Url::as_str),
            "confirm_timeout_ms": u64::try_from(self.confirm_timeout.0.as_millis()).unwrap_or(u64::MAX),
            "gateway": self.gateway.name,
            "error_msg_charset": self.error_msg_charset,
            "close_overdue_accounts": self.close_overdue_accounts,
        })
    }
}

/// What is fixed at the start. Not `Debug`: it holds the secret.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) merchant_code: String,
    pub(crate) api_key: String,
    pub(crate) api_secret: String,
    pub(crate) config: Config,
}

#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) amount: Decimal,
    /// None: any currency will do.
    pub(crate) currency: Option<String>,
}

pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) ledger: Ledger,
    pub(crate) prepared: BTreeMap<String, Prepared>,
    pub(crate) tokens: Tokens,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) seed: u64,
    /// Counts resets, so that what was started before one does not write after it.
    pub(crate) run: u64,
    pub(crate) details: Rng,
    pub(crate) token_draws: Rng,
    /// Webhooks that a fault holds back until they are released, oldest first.
    pub(crate) held_webhooks: Vec<Delivery>,
    pub(crate) v2: V2,
    fault_draws: Rng,
    payment_ids: Rng,
}

impl State {
    fn new(seed: u64, config: Config) -> Self {
        State {
            config,
            ledger: Ledger::default(),
            prepared: BTreeMap::new(),
            tokens: Tokens::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            seed,
            run: 0,
            details: Rng::new(seed, Stream::Details),
            token_draws: Rng::new(seed, Stream::Tokens),
            held_webhooks: Vec::new(),
            v2: V2::new(seed),
            fault_draws: Rng::new(seed, Stream::Faults),
            payment_ids: Rng::new(seed, Stream::PaymentIds),
        }
    }

    fn reset(&mut self, seed: u64, config: Config) {
        let run = self.run + 1;
        let mut journal = std::mem::take(&mut self.journal);
        journal.clear();
        *self = State {
            run,
            journal,
            ..State::new(seed, config)
        };
    }

    /// The fault for this call, counted down.
    pub(crate) fn take_fault(&mut self, call: Call, now_ms: i64) -> Option<Fault> {
        self.faults.take(call, now_ms, &mut self.fault_draws)
    }

    /// `imp_` and twelve digits, never one that is taken.
    pub(crate) fn draw_imp_uid(&mut self) -> String {
        // The ledger's limit is a millionth of the ids there are, so this ends at once.
        loop {
            let imp_uid = format!("imp_{}", self.payment_ids.digits(IMP_UID_DIGITS));
            if !self.ledger.contains(&imp_uid) {
                return imp_uid;
            }
        }
    }

    /// The webhooks that tell of a payment: to its own addresses if the shop named any, else to the configured one.
    pub(crate) fn webhooks(
        &self,
        payment: &Payment,
        status: &str,
        cancellation_id: Option<String>,
        format: Option<WebhookFormat>,
    ) -> Vec<Delivery> {
        let configured = match payment.notice_urls.is_empty() {
            true => self.config.webhook_url.as_ref(),
            false => None,
        };
        payment
            .notice_urls
            .iter()
            .chain(configured)
            .map(|url| Delivery {
                cancellation_id: cancellation_id.clone(),
                format: format.unwrap_or(self.config.webhook_format),
                ..self.delivery(
                    url.clone(),
                    payment.imp_uid(),
                    payment.merchant_uid(),
                    status,
                )
            })
            .collect()
    }

    /// A first webhook to one address, with everything as configured.
    pub(crate) fn delivery(
        &self,
        url: Url,
        imp_uid: &str,
        merchant_uid: &str,
        status: &str,
    ) -> Delivery {
        Delivery {
            url,
            format: self.config.webhook_format,
            imp_uid: imp_uid.into(),
            merchant_uid: merchant_uid.into(),
            status: status.into(),
            cancellation_id: None,
            attempt: 1,
            resends_left: self.config.webhook_retries,
            run: self.run,
        }
    }
}

/// The running sandbox, as its handlers share it.
pub(crate) type App = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// The address to give to a client.
    pub(crate) base: Url,
    pub(crate) clock: Clock,
    pub(crate) sender: Sender,
    /// A permit for each timer that waits.
    pub(crate) timers: Arc<Semaphore>,
    /// Held while a scenario is acted out: each has the settings, the faults and the clock to itself.
    pub(crate) scenario_turn: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
    /// The number of the run, for those who must not outlive it.
    runs: watch::Sender<u64>,
    /// Bumped with every journal entry, for those who wait for one.
    changes: watch::Sender<u64>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, addr: SocketAddr, base: Url, sender: Sender) -> App {
        let state = State::new(settings.seed, settings.config.clone());
        Arc::new(Shared {
            settings,
            addr,
            base,
            clock: Clock::default(),
            sender,
            timers: Arc::new(Semaphore::new(timer::WAITING_MAX)),
            scenario_turn: Arc::default(),
            runs: watch::Sender::new(state.run),
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
            stop: watch::Sender::new(false),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock is a bug in one handler; the others can go on with what there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, event: Event) -> u64 {
        let seq = self.state().journal.push(self.clock.now_ms(), event);
        self.notify();
        seq
    }

    pub(crate) fn reset(&self, seed: Option<u64>) -> u64 {
        let seed = seed.unwrap_or(self.settings.seed);
        let run = {
            let mut state = self.state();
            state.reset(seed, self.settings.config.clone());
            state.run
        };
        // What waits for the clock must hear that its run is over before the clock moves.
        self.runs.send_replace(run);
        self.clock.reset();
        self.notify();
        seed
    }

    pub(crate) fn run(&self) -> u64 {
        *self.runs.borrow()
    }

    /// Ends when the sandbox is reset, or was since that run.
    pub(crate) async fn run_ended(&self, run: u64) {
        let _ = self.runs.subscribe().wait_for(|now| *now != run).await;
    }

    pub(crate) fn notify(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends when the sandbox stops.
    pub(crate) async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}
