//! Everything the sandbox knows, behind one lock that is never held over an await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use crate::clock::Clock;
use crate::fault::Faults;
use crate::journal::{Event, Journal};
use crate::ledger::{Ledger, Payment};
use crate::rng::{Rng, Stream};
use crate::token::Tokens;
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
}

impl Config {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "webhook_url": self.webhook_url.as_ref().map(Url::as_str),
            "webhook": self.webhook,
            "webhook_format": self.webhook_format,
            "channel": self.channel,
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
        let own = payment.window.iter().flat_map(|window| &window.notice_urls);
        let configured = self
            .config
            .webhook_url
            .iter()
            .filter(|_| own.clone().next().is_none());
        own.clone()
            .chain(configured)
            .map(|url| Delivery {
                url: url.clone(),
                format: format.unwrap_or(self.config.webhook_format),
                imp_uid: payment.imp_uid().into(),
                merchant_uid: payment.merchant_uid().into(),
                status: status.into(),
                cancellation_id: cancellation_id.clone(),
                run: self.run,
            })
            .collect()
    }
}

/// The running sandbox, as its handlers share it.
pub(crate) type App = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) base: Url,
    pub(crate) clock: Clock,
    pub(crate) sender: Sender,
    state: Mutex<State>,
    /// Bumped with every journal entry, for those who wait for one.
    changes: watch::Sender<u64>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, base: Url, sender: Sender) -> App {
        let state = State::new(settings.seed, settings.config.clone());
        Arc::new(Shared {
            settings,
            base,
            clock: Clock::default(),
            sender,
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
        self.clock.reset();
        self.state().reset(seed, self.settings.config.clone());
        self.notify();
        seed
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
