//! The use cases. Each takes the [`Core`] first and data after.
//!
//! Nobody but [`sync`] moves an order by what was paid: a caller hands in ids and why it asks, never evidence.

pub mod access;
pub mod attention;
pub mod completion;
pub mod confirmation;
pub mod cursor;
pub mod deliveries;
pub mod endpoints;
pub mod inbox;
pub mod live;
pub mod orders;
pub mod reconciliation;
pub mod refunds;
pub mod retention;
pub mod sweep;
pub mod sync;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::domain::refund::OnMismatch;
use crate::domain::verification::Expected;
use crate::ports::attention::{AttentionStore, SweepStore};
use crate::ports::audit::AuditStore;
use crate::ports::clock::Clock;
use crate::ports::deliveries::{DeliveryStore, WebhookSender};
use crate::ports::entropy::Entropy;
use crate::ports::gateway::Gateway;
use crate::ports::notes::NoteStore;
use crate::ports::observer::{Nobody, Observer};
use crate::ports::overview::OverviewStore;
use crate::ports::retention::RetentionStore;
use crate::ports::store::{AccessStore, InboxStore, OrderStore, RefundStore};

/// How long a page waits for a verification that runs on without it. Leaves room to render within 3 s.
pub const PAGE_BUDGET: Duration = Duration::from_millis(2_400);
/// Passwords hashed at once: each takes 19 MiB and a core.
pub const PASSWORD_HASHES_MAX: usize = 2;
/// Sign-ins that wait for their turn. Beyond them one is refused at once.
pub const PASSWORD_QUEUE_MAX: usize = 32;
/// How long a sign-in waits for its turn.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(3);
/// History entries that visitors can cause per order.
pub const VISITOR_ENTRIES_MAX: u32 = 200;

/// Settings that use cases need.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// What payments are taken for.
    pub expected: Expected,
    /// What becomes of a payment that is bound to its order and fails a check.
    pub on_mismatch: OnMismatch,
    /// For how many days after its last change an order keeps what it has of people.
    pub retention_days: u32,
    /// Address that browsers see, without a slash at the end.
    pub public_url: String,
    /// Where buyers go when an order names no address of its own.
    pub shop_url: Option<String>,
}

/// What is remembered, by kind. One database may stand behind all of them.
pub struct Stores {
    /// Orders.
    pub orders: Arc<dyn OrderStore>,
    /// Refunds.
    pub refunds: Arc<dyn RefundStore>,
    /// Received webhooks.
    pub inbox: Arc<dyn InboxStore>,
    /// What needs attention.
    pub attention: Arc<dyn AttentionStore>,
    /// Where the daily sweep stands.
    pub sweep: Arc<dyn SweepStore>,
    /// People and keys.
    pub access: Arc<dyn AccessStore>,
    /// Who did what.
    pub audit: Arc<dyn AuditStore>,
    /// Notes on orders.
    pub notes: Arc<dyn NoteStore>,
    /// Endpoints and deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// The shop at a glance.
    pub overview: Arc<dyn OverviewStore>,
    /// Personal data whose time is over.
    pub retention: Arc<dyn RetentionStore>,
}

/// What every use case works with. Cheap to share.
pub struct Core {
    /// Orders.
    pub orders: Arc<dyn OrderStore>,
    /// Refunds.
    pub refunds: Arc<dyn RefundStore>,
    /// Received webhooks.
    pub inbox: Arc<dyn InboxStore>,
    /// What needs attention.
    pub attention: Arc<dyn AttentionStore>,
    /// Where the daily sweep stands.
    pub sweep: Arc<dyn SweepStore>,
    /// People and keys.
    pub access: Arc<dyn AccessStore>,
    /// Who did what.
    pub audit: Arc<dyn AuditStore>,
    /// Notes on orders.
    pub notes: Arc<dyn NoteStore>,
    /// Endpoints and deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// The shop at a glance.
    pub overview: Arc<dyn OverviewStore>,
    /// Personal data whose time is over.
    pub retention: Arc<dyn RetentionStore>,
    /// PortOne.
    pub gateway: Arc<dyn Gateway>,
    /// The way to the shop's server.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Counts what happens.
    pub observer: Arc<dyn Observer>,
    /// Settings.
    pub settings: ServiceSettings,
    /// Detached work; a graceful stop waits for it.
    pub tasks: TaskTracker,
    /// Told whenever an order moved.
    pub moves: live::Moves,
    /// Whether the database's files may hold what was erased; nobody knows at the start.
    pub(crate) to_wipe: AtomicBool,
    pub(crate) kept: completion::Kept,
    pub(crate) crowds: inbox::Crowds,
    pub(crate) flights: sync::Flights,
    pub(crate) lanes: deliveries::Lanes,
    pub(crate) admission: sync::Admission,
    pub(crate) door: access::Door,
    pub(crate) password_places: Semaphore,
    pub(crate) password_hashes: Arc<Semaphore>,
}

impl Core {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        stores: Stores,
        gateway: Arc<dyn Gateway>,
        webhooks: Arc<dyn WebhookSender>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: ServiceSettings,
    ) -> Self {
        let Stores {
            orders,
            refunds,
            inbox,
            attention,
            sweep,
            access,
            audit,
            notes,
            deliveries,
            overview,
            retention,
        } = stores;
        Self {
            orders,
            refunds,
            inbox,
            attention,
            sweep,
            access,
            audit,
            notes,
            deliveries,
            overview,
            retention,
            gateway,
            webhooks,
            clock,
            entropy,
            observer: Arc::new(Nobody),
            settings,
            tasks: TaskTracker::new(),
            moves: live::Moves::default(),
            to_wipe: AtomicBool::new(true),
            kept: completion::Kept::default(),
            crowds: inbox::Crowds::default(),
            flights: sync::Flights::default(),
            lanes: deliveries::Lanes::default(),
            admission: sync::Admission::default(),
            door: access::Door::default(),
            password_places: Semaphore::new(PASSWORD_HASHES_MAX + PASSWORD_QUEUE_MAX),
            password_hashes: Arc::new(Semaphore::new(PASSWORD_HASHES_MAX)),
        }
    }

    /// Has what happens counted.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Whether PortOne is taken to be down, for it did not answer several times in a row.
    #[must_use]
    pub fn is_portone_down(&self, portone: crate::domain::order::Portone) -> bool {
        self.admission.is_down(portone)
    }

    /// Does work side by side, each piece as a detached task, so that nobody who stops waiting cuts one short. The answers come
    /// in the order of the work. A piece that panics is reported and has none; it costs the others nothing.
    pub(crate) async fn side_by_side<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<Option<T>> {
        let tasks: Vec<_> = work
            .into_iter()
            .map(|piece| self.tasks.spawn(piece))
            .collect();
        let mut answers = Vec::with_capacity(tasks.len());
        for task in tasks {
            let ended = task.await.inspect_err(|error| {
                tracing::error!(
                    work = name,
                    error = error as &dyn std::error::Error,
                    "a piece of background work ended badly; its lease ends, and it is taken again"
                );
            });
            answers.push(ended.ok());
        }
        answers
    }

    /// Address of the pay page that fills in who pays. For the shop alone.
    #[must_use]
    pub fn prefilled_pay_url(&self, order: &crate::domain::order::Order) -> String {
        format!(
            "{}?token={}",
            self.pay_url(&order.payment_id),
            order.pay_token.as_str()
        )
    }

    /// Address of the pay page of an order, for anybody.
    #[must_use]
    pub fn pay_url(&self, id: &crate::domain::ids::PaymentId) -> String {
        format!("{}/pay/{}", self.settings.public_url, id.to_segment())
    }

    /// Address of the completion page of an order, for who knows its number, and maybe the id of an attempt to pay it.
    #[must_use]
    pub fn complete_url(
        &self,
        order: &crate::domain::order::Order,
        attempt: Option<&crate::domain::ids::TransactionId>,
    ) -> String {
        let (name, attempt_name) = match order.portone {
            crate::domain::order::Portone::V1 => ("merchant_uid", "imp_uid"),
            crate::domain::order::Portone::V2 => ("paymentId", "txId"),
        };
        let value = order.payment_id.to_segment();
        let address = format!(
            "{}/payments/complete?{name}={value}",
            self.settings.public_url
        );
        let (again, yes) = completion::AGAIN;
        match attempt {
            None => address,
            Some(id) => format!("{address}&{attempt_name}={id}&{again}={yes}"),
        }
    }

    /// Address of the status page that a token opens.
    #[must_use]
    pub fn status_url(&self, token: &crate::domain::ids::StatusToken) -> String {
        format!("{}/o/{}", self.settings.public_url, token.as_str())
    }
}
