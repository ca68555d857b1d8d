//! What operators can count: in memory, of this process, since its start.
//!
//! Every label has words that are written in the program and no others (`&'static str`), so the number of series is bounded, and
//! no id and nothing of a person can become one. What the database knows is read when somebody asks, at most once in a while
//! ([`Shelf`]).

mod gateway;
pub mod lag;
mod text;
mod untraced;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

pub use self::gateway::Counted;
pub use self::untraced::Untraced;

use crate::domain::delivery::Trouble;
use crate::domain::order::{OrderStatus, Portone};
use crate::ports::observer::{Admitted, Asker, Happening, Observer};
use crate::ports::operations::{Backlog, OperationsStore, Queue};
use crate::ports::store::InboxResult;

/// How old an answer of the database may be before it is asked again: scrapes cost it little, however many come.
const BACKLOG_AGE_MAX: SignedDuration = SignedDuration::from_secs(10);
/// Bounds of the buckets for calls to PortOne, in seconds.
const CALL_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Bounds of the buckets for the time from a webhook to its end, in seconds.
const WEBHOOK_SECONDS: [f64; 10] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3_600.0, 86_400.0,
];

/// Bounds of the buckets for how late a task goes on, in seconds.
const LAG_SECONDS: [f64; 6] = [0.01, 0.05, 0.25, 1.0, 2.0, 5.0];

/// One label: its name, and one of its words.
type Label = (&'static str, &'static str);
type Counters<const N: usize> = Family<[Label; N], Counter>;
type Gauges<const N: usize> = Family<[Label; N], Gauge>;
type Histograms<const N: usize> = Family<[Label; N], Histogram>;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    told: Counters<1>,
    asked: Counters<2>,
    webhooks: Counters<2>,
    webhook_seconds: Histograms<1>,
    deliveries: Counters<1>,
    calls: Histograms<3>,
    breaker_open: Gauges<1>,
    queue_waiting: Gauges<1>,
    queue_due: Gauges<1>,
    queue_age: Family<[Label; 1], Gauge<f64, AtomicU64>>,
    attention: Gauge,
    orders: Gauges<1>,
    database_up: Gauge,
    lag: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("wanryo");
        let build = Gauges::<1>::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        registry.register("build_info", "The version that runs, always 1", build);
        let metrics = Self {
            told: Family::default(),
            asked: Family::default(),
            webhooks: Family::default(),
            webhook_seconds: Family::new_with_constructor(|| Histogram::new(WEBHOOK_SECONDS)),
            deliveries: Family::default(),
            calls: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            breaker_open: Family::default(),
            queue_waiting: Family::default(),
            queue_due: Family::default(),
            queue_age: Family::default(),
            attention: Gauge::default(),
            orders: Family::default(),
            database_up: Gauge::default(),
            lag: Histogram::new(LAG_SECONDS),
            registry,
        };
        metrics.registered()
    }
}

impl Metrics {
    /// Makes known what exists from the start, so that a first event is an increase and not the appearance of a series.
    fn registered(mut self) -> Self {
        for asker in Asker::ALL {
            for admitted in Admitted::ALL {
                drop(self.asked.get_or_create(&asked(asker, admitted)));
            }
        }
        for trouble in Trouble::ALL.iter().copied().map(Some).chain([None]) {
            drop(self.deliveries.get_or_create(&delivered(trouble)));
        }
        let Self {
            registry,
            told,
            asked,
            webhooks,
            webhook_seconds,
            deliveries,
            calls,
            breaker_open,
            queue_waiting,
            queue_due,
            queue_age,
            attention,
            orders,
            database_up,
            lag,
        } = &mut self;
        registry.register(
            "completions",
            "Answers of completion and status pages, by outcome",
            told.clone(),
        );
        registry.register("asks", "Asks for PortOne, by whose budget they use and whether they were made: over_budget and portone_down were not", asked.clone());
        registry.register("webhooks", "Webhooks posted, by generation of PortOne: taken, or refused with the word of a problem type", webhooks.clone());
        registry.register(
            "webhook_seconds",
            "Time from a webhook's arrival until it was worked off, by how it ended",
            webhook_seconds.clone(),
        );
        registry.register(
            "deliveries",
            "Attempts to send an event to an endpoint of the shop: delivered, or the word of the trouble",
            deliveries.clone(),
        );
        registry.register(
            "portone_call_seconds",
            "Calls to PortOne, by generation, kind and result",
            calls.clone(),
        );
        registry.register(
            "portone_down",
            "Whether PortOne is taken to be down, by generation",
            breaker_open.clone(),
        );
        registry.register(
            "queue_waiting",
            "Rows that wait for the background work, by queue",
            queue_waiting.clone(),
        );
        registry.register(
            "queue_due",
            "Rows whose time has come and that nobody has taken, by queue",
            queue_due.clone(),
        );
        registry.register(
            "queue_age_seconds",
            "How long the oldest due row has been due, by queue",
            queue_age.clone(),
        );
        registry.register(
            "attention_items",
            "Payments, refunds and endpoints that a person has to look at",
            attention.clone(),
        );
        registry.register("orders", "Orders, by status", orders.clone());
        registry.register(
            "database_up",
            "Whether the database answered; when not, the numbers from it are those of its last answer",
            database_up.clone(),
        );
        registry.register(
            "runtime_lag_seconds",
            "How late a task of the server went on that waited for the time alone, looked at every second",
            lag.clone(),
        );
        self
    }

    /// A webhook was answered: with this word when it was refused.
    pub fn webhook(&self, portone: Portone, refused: Option<&'static str>) {
        let result = refused.unwrap_or("taken");
        self.webhooks
            .get_or_create(&[("portone", portone.as_str()), ("result", result)])
            .inc();
    }

    fn lagged(&self, late: Duration) {
        self.lag.observe(late.as_secs_f64());
    }

    fn call(&self, portone: Portone, call: &'static str, result: &'static str, time: Duration) {
        let labels = [
            ("portone", portone.as_str()),
            ("call", call),
            ("result", result),
        ];
        self.calls
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
    }

    /// The text that Prometheus reads, with what is known of the rest of the program now.
    #[must_use]
    pub fn render(&self, is_down: impl Fn(Portone) -> bool) -> String {
        for portone in [Portone::V1, Portone::V2] {
            self.breaker_open
                .get_or_create(&[("portone", portone.as_str())])
                .set(i64::from(is_down(portone)));
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _written = encode_registry(&mut text, &self.registry);
        text::for_prometheus(&text)
    }

    fn put(&self, backlog: &Backlog, now: Timestamp) {
        for (name, queue) in [
            ("inbox", backlog.inbox),
            ("checks", backlog.checks),
            ("refunds", backlog.refunds),
            ("deliveries", backlog.deliveries),
        ] {
            self.put_queue(name, queue, now);
        }
        self.attention.set(gauge(backlog.attention));
        for status in OrderStatus::ALL {
            let found = backlog.orders.iter().find(|(found, _)| found == status);
            self.orders
                .get_or_create(&[("status", status.as_str())])
                .set(gauge(found.map_or(0, |(_, count)| *count)));
        }
    }

    fn put_queue(&self, name: &'static str, queue: Queue, now: Timestamp) {
        let labels = [("queue", name)];
        let age = queue
            .due_since
            .map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        self.queue_waiting
            .get_or_create(&labels)
            .set(gauge(queue.waiting));
        self.queue_due.get_or_create(&labels).set(gauge(queue.due));
        self.queue_age
            .get_or_create(&labels)
            .set(age.as_secs_f64().max(0.0));
    }
}

fn asked(asker: Asker, admitted: Admitted) -> [Label; 2] {
    [("asker", asker.as_str()), ("result", admitted.as_str())]
}

fn delivered(trouble: Option<Trouble>) -> [Label; 1] {
    [("result", trouble.map_or("delivered", Trouble::as_str))]
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Observer for Metrics {
    fn notice(&self, happening: Happening) {
        match happening {
            Happening::Told(outcome) => {
                self.told
                    .get_or_create(&[("outcome", outcome.as_str())])
                    .inc();
            }
            Happening::Asked(asker, admitted) => {
                self.asked.get_or_create(&asked(asker, admitted)).inc();
            }
            Happening::WebhookWorkedOff(result, after) => {
                let result = match result {
                    InboxResult::Done => "done",
                    InboxResult::Dropped => "dropped",
                    InboxResult::Again(_) => return,
                };
                self.webhook_seconds
                    .get_or_create(&[("result", result)])
                    .observe(after.as_secs_f64().max(0.0));
            }
            Happening::EventSent(trouble) => {
                self.deliveries.get_or_create(&delivered(trouble)).inc();
            }
        }
    }
}

/// What the database last said, and when. Whoever asks while it is being asked waits for that answer.
pub struct Shelf {
    metrics: Arc<Metrics>,
    store: Arc<dyn OperationsStore>,
    read_at: Mutex<Option<Timestamp>>,
}

impl Shelf {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, store: Arc<dyn OperationsStore>) -> Self {
        Self {
            metrics,
            store,
            read_at: Mutex::new(None),
        }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Asks the database, unless it was asked a moment ago.
    pub async fn refresh(&self, now: Timestamp) {
        let mut read_at = self.read_at.lock().await;
        // A clock that was set back must not keep an old answer.
        let is_fresh = read_at.is_some_and(|at| {
            (SignedDuration::ZERO..BACKLOG_AGE_MAX).contains(&now.duration_since(at))
        });
        if is_fresh {
            return;
        }
        *read_at = Some(now);
        match self.store.backlog(now).await {
            Ok(backlog) => {
                self.metrics.put(&backlog, now);
                self.metrics.database_up.set(1);
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database could not be asked for its numbers"
                );
                self.metrics.database_up.set(0);
            }
        }
    }
}
