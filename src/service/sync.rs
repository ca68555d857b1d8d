//! The one path: ask PortOne about an order, decide, write. Redirects, webhooks, timers and people all come through here,
//! and differ only in who asks.
//!
//! A sync runs detached from whoever asked: a closed browser tab does not cut it in half. Asks for one payment that wait at
//! the same time share one answer, so N of them cost at most two rounds of calls; an ask never takes an answer whose
//! fetching began before the ask came.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Core, VISITOR_ENTRIES_MAX, refunds};
use crate::domain::decision::{Decision, decide};
use crate::domain::evidence::Evidence;
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::domain::schedule::{Turn, next_turn};
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::ports::entropy::draw_per_mille;
use crate::ports::gateway::{Attempts, GatewayError};
use crate::ports::store::{Commit, Committed, Snapshot, StoreError};

/// How often a decision is taken again because somebody else changed the order in between.
const DECISIONS_MAX: u32 = 5;
/// PortOne's API may lag behind its own redirect: a payment that it does not know yet is asked for again after these pauses.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/daou>
const LAG_PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(900),
];
/// Asks a minute for transactions that an order has not seen. A buyer who tries card after card stays far below; a stranger
/// who guesses ids does not get more calls to PortOne out of an order than this.
const UNSEEN_PER_MINUTE_MAX: u32 = 20;
/// An ask that confirmed what was known is written down again only after this time.
const CONFIRMATION_SECONDS: i64 = 60;

/// Why PortOne is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Which order.
    pub payment_id: PaymentId,
    /// The transaction that the asker was told of.
    pub transaction_id: Option<TransactionId>,
    /// Whether PortOne may lag behind: right after a redirect it is asked again before "unknown" is believed.
    pub patient: bool,
    /// Who asks.
    pub actor: Actor,
}

/// What PortOne had to say of the transaction that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to the order, or none was asked for.
    Ours,
    /// It belongs to something else.
    Foreign,
    /// PortOne does not know it.
    Unknown,
}

/// An order after PortOne was asked.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The order as stored now.
    pub snapshot: Snapshot,
    /// Whether PortOne answered; without it the snapshot is what was known before.
    pub confirmed: bool,
    /// About the transaction that was asked for.
    pub standing: Standing,
}

/// Why there is no answer at all.
#[derive(Debug, Clone, Error)]
pub enum SyncError {
    /// No such order here. PortOne was not asked.
    #[error("there is no such order")]
    NoSuchOrder,
    /// The store failed.
    #[error("the order could not be read or written")]
    Store(#[source] Arc<StoreError>),
    /// Too many verifications run already, or the order changed under each of our decisions.
    #[error("the server is busy")]
    Busy,
}

impl From<StoreError> for SyncError {
    fn from(source: StoreError) -> Self {
        Self::Store(Arc::new(source))
    }
}

/// Asks PortOne about an order and writes what follows. Goes on when the caller stops waiting.
///
/// # Errors
/// See [`SyncError`]. PortOne being down is no error: the answer then says `confirmed: false`.
pub async fn sync(core: &Arc<Core>, ask: Ask) -> Result<Synced, SyncError> {
    let detached = Arc::clone(core);
    let task = core.tasks.spawn(async move {
        let synced = detached.flights.share(&ask, run(&detached, &ask)).await;
        if let Ok(synced) = &synced {
            refunds::by_policy(&detached, synced);
        }
        synced
    });
    task.await.unwrap_or(Err(SyncError::Busy))
}

async fn run(core: &Core, ask: &Ask) -> Result<Synced, SyncError> {
    let snapshot = core
        .orders
        .find_order(&ask.payment_id)
        .await?
        .ok_or(SyncError::NoSuchOrder)?;
    if let Some(id) = &ask.transaction_id
        && !knows(&snapshot, id)
        && core.orders.find_owner(id).await?.is_some()
    {
        // Another order's transaction: PortOne need not be asked to know that.
        return Ok(Synced {
            snapshot,
            confirmed: true,
            standing: Standing::Foreign,
        });
    }
    let _place = core.flights.admit(ask, &snapshot, core.clock.now())?;
    match gather(core, ask, &snapshot).await {
        Ok(gathered) => settle(core, ask, snapshot, gathered).await,
        Err(error) => note_failure(core, ask, snapshot, error).await,
    }
}

fn knows(snapshot: &Snapshot, id: &TransactionId) -> bool {
    snapshot
        .transactions
        .iter()
        .any(|t| &t.transaction_id == id)
}

struct Gathered {
    evidence: Evidence,
    standing: Standing,
}

/// Fetches until PortOne knows the payment, or patience ends.
async fn gather(core: &Core, ask: &Ask, snapshot: &Snapshot) -> Result<Gathered, GatewayError> {
    let pauses: &[Duration] = if ask.patient { &LAG_PAUSES } else { &[] };
    for pause in pauses {
        let gathered = gather_once(core, ask, snapshot).await?;
        let unknown =
            gathered.standing == Standing::Unknown || gathered.evidence.records.is_empty();
        if !unknown {
            return Ok(gathered);
        }
        core.clock.sleep(*pause).await;
    }
    gather_once(core, ask, snapshot).await
}

/// Asks once, at the order's own generation.
async fn gather_once(
    core: &Core,
    ask: &Ask,
    snapshot: &Snapshot,
) -> Result<Gathered, GatewayError> {
    let fetched_at = core.clock.now();
    let order = &snapshot.order;
    let asked = ask.transaction_id.as_ref();
    let attempts = core
        .gateway
        .attempts(
            order.portone,
            &order.payment_id,
            asked.or_else(|| waiting(snapshot)),
        )
        .await?;
    let standing = asked.map_or(Standing::Ours, |id| standing(id, snapshot, &attempts));
    Ok(Gathered {
        evidence: Evidence {
            fetched_at,
            records: attempts.records,
        },
        standing,
    })
}

/// The attempt that may still bring money without anything more from the buyer, when PortOne might not show it by itself: of a
/// V2 payment it shows one attempt, and the buyer may have opened another window since. V1 lists them all.
fn waiting(snapshot: &Snapshot) -> Option<&TransactionId> {
    let Snapshot {
        order,
        transactions,
    } = snapshot;
    let may_hide = order.portone == Portone::V2 && order.accepted_transaction_id.is_none();
    let waiting = transactions.iter().find(|t| {
        t.status == TransactionStatus::PayPending || t.verdict == Verdict::AwaitingDeposit
    });
    waiting.filter(|_| may_hide).map(|t| &t.transaction_id)
}

/// How the transaction that was asked for relates to the order, by what PortOne answered.
fn standing(id: &TransactionId, snapshot: &Snapshot, attempts: &Attempts) -> Standing {
    let answer = attempts
        .records
        .iter()
        .find(|record| record.asked.as_ref() == Some(id) || &record.transaction_id == id);
    match answer {
        Some(record) if record.payment_id != snapshot.order.payment_id.as_str() => {
            Standing::Foreign
        }
        Some(_) => Standing::Ours,
        None if attempts.complete => Standing::Unknown,
        // PortOne told of the payment and would not tell of this attempt: the visitor is told what a payment id alone tells.
        None => Standing::Ours,
    }
}

/// Decides and writes, and decides again when somebody else was faster.
async fn settle(
    core: &Core,
    ask: &Ask,
    first: Snapshot,
    gathered: Gathered,
) -> Result<Synced, SyncError> {
    let Gathered { evidence, standing } = gathered;
    let mut snapshot = first;
    for _ in 0..DECISIONS_MAX {
        let taken = taken_elsewhere(core, &snapshot, &evidence).await?;
        let now = core.clock.now();
        let mut decision = decide(
            &snapshot.order,
            &snapshot.transactions,
            &evidence,
            &taken,
            now,
            &core.settings.expected,
        );
        let standing = if ask
            .transaction_id
            .as_ref()
            .is_some_and(|id| decision.foreign.contains(id))
        {
            Standing::Foreign
        } else {
            standing
        };
        let uncertain = standing == Standing::Unknown || decision.unclear;
        let transactions = decision.applied_to(&snapshot.transactions);
        if ask.actor == Actor::Worker && !decision.moved {
            decision.order.checks_without_change =
                decision.order.checks_without_change.saturating_add(1);
        }
        let draw = draw_per_mille(core.entropy.as_ref());
        let turn = if ask.actor == Actor::Worker || decision.moved {
            Turn::Due
        } else {
            Turn::Between
        };
        decision.order.next_check_at =
            next_turn(&decision.order, &transactions, turn, uncertain, now, draw);
        let mut after = Snapshot {
            order: decision.order.clone(),
            transactions,
        };

        if !decision.moved
            && decision
                .notes
                .iter()
                .all(|note| note.kind == EntryKind::EvidenceRefused)
        {
            match record_unmoved(core, ask, &snapshot, &decision).await? {
                Some(version) => after.order.version = version,
                None => {
                    snapshot = reload(core, ask).await?;
                    continue;
                }
            }
            return Ok(Synced {
                snapshot: after,
                confirmed: true,
                standing,
            });
        }
        let commit = Commit {
            entries: decision.entries(now, &ask.actor),
            order: decision.order.clone(),
            transactions: decision.transactions.clone(),
            events: decision.events.clone(),
        };
        match core.orders.commit(&commit).await? {
            Committed::Done => {
                after.order.version += 1;
                refunds::wake(core, &snapshot, &decision.transactions).await;
                return Ok(Synced {
                    snapshot: after,
                    confirmed: true,
                    standing,
                });
            }
            Committed::Conflict | Committed::TransactionTaken => {
                snapshot = reload(core, ask).await?;
            }
        }
    }
    Err(SyncError::Busy)
}

async fn reload(core: &Core, ask: &Ask) -> Result<Snapshot, SyncError> {
    core.orders
        .find_order(&ask.payment_id)
        .await?
        .ok_or(SyncError::NoSuchOrder)
}

/// Nothing moved: the schedule goes on, what was refused is noted once, and the order's row is rarely written. Returns the
/// version that the order has afterwards, or `None` when somebody else changed the order in between.
async fn record_unmoved(
    core: &Core,
    ask: &Ask,
    snapshot: &Snapshot,
    decision: &Decision,
) -> Result<Option<i64>, SyncError> {
    let version = snapshot.order.version;
    let notes = decision.entries(core.clock.now(), &ask.actor);
    if !notes.is_empty() {
        core.orders
            .append_history(&ask.payment_id, &notes, VISITOR_ENTRIES_MAX)
            .await?;
    }
    let fresh = snapshot
        .order
        .checked_at
        .is_some_and(|at| (core.clock.now() - at).get_seconds() < CONFIRMATION_SECONDS);
    if fresh && ask.actor != Actor::Worker {
        return Ok(Some(version));
    }
    if !decision.foreign.is_empty() {
        core.orders
            .schedule_check(
                &ask.payment_id,
                version,
                decision.order.next_check_at,
                decision.order.checks_without_change,
            )
            .await?;
        return Ok(Some(version));
    }
    let commit = Commit {
        order: decision.order.clone(),
        transactions: decision.transactions.clone(),
        entries: Vec::new(),
        events: Vec::new(),
    };
    match core.orders.commit(&commit).await? {
        Committed::Done => Ok(Some(version + 1)),
        Committed::Conflict | Committed::TransactionTaken => Ok(None),
    }
}

async fn note_failure(
    core: &Core,
    ask: &Ask,
    snapshot: Snapshot,
    error: GatewayError,
) -> Result<Synced, SyncError> {
    let now = core.clock.now();
    tracing::warn!(payment.id = %ask.payment_id, error = error.as_str(), "PortOne gave no usable answer; the order is asked about again later");
    let entry = Entry {
        at: now,
        kind: EntryKind::CheckFailed,
        actor: ask.actor.to_text(),
        data: json!({ "error": error.as_str(), "transaction_id": ask.transaction_id.as_ref().map(TransactionId::as_str) }),
        // One line a minute tells as much as a thousand.
        once_key: Some(format!(
            "check_failed:{}:{}",
            error.as_str(),
            now.as_second() / 60
        )),
    };
    core.orders
        .append_history(&ask.payment_id, &[entry], VISITOR_ENTRIES_MAX)
        .await?;
    let checks = snapshot
        .order
        .checks_without_change
        .saturating_add(i64::from(ask.actor == Actor::Worker));
    let mut order = snapshot.order.clone();
    order.checks_without_change = checks;
    let turn = if ask.actor == Actor::Worker {
        Turn::Due
    } else {
        Turn::Between
    };
    let draw = draw_per_mille(core.entropy.as_ref());
    let next = next_turn(&order, &snapshot.transactions, turn, true, now, draw);
    core.orders
        .schedule_check(&ask.payment_id, snapshot.order.version, next, checks)
        .await?;
    Ok(Synced {
        snapshot,
        confirmed: false,
        standing: Standing::Ours,
    })
}

/// Transactions of the evidence that other orders have used.
async fn taken_elsewhere(
    core: &Core,
    snapshot: &Snapshot,
    evidence: &Evidence,
) -> Result<BTreeSet<TransactionId>, SyncError> {
    let mut taken = BTreeSet::new();
    for record in &evidence.records {
        if knows(snapshot, &record.transaction_id) {
            continue;
        }
        if core
            .orders
            .find_owner(&record.transaction_id)
            .await?
            .is_some_and(|owner| owner != snapshot.order.payment_id)
        {
            taken.insert(record.transaction_id.clone());
        }
    }
    Ok(taken)
}

/// Shares answers between asks for the same thing that wait at the same time, and bounds what strangers can cost.
pub(crate) struct Flights {
    order_of_events: AtomicU64,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    /// Verifications of what is known, or of people and shops that proved who they are.
    known: Semaphore,
    /// Verifications of transactions that no order has seen yet; they cannot use up the places of the others.
    strangers: Semaphore,
    /// Asks for transactions that an order has not seen, in the current minute.
    unseen: Mutex<(i64, HashMap<PaymentId, u32>)>,
}

type Key = (PaymentId, Option<TransactionId>);
type Slot = tokio::sync::Mutex<Option<Shared>>;

/// An answer that others who waited may take.
struct Shared {
    began_at: u64,
    patient: bool,
    result: Result<Synced, SyncError>,
}

impl Shared {
    /// An ask takes an answer whose fetching began after it came; a patient one takes no impatient "unknown".
    fn serves(&self, ask: &Ask, asked_at: u64) -> bool {
        let found = self.result.as_ref().is_ok_and(|synced| {
            synced.standing != Standing::Unknown && !synced.snapshot.transactions.is_empty()
        });
        self.began_at > asked_at && (self.patient || !ask.patient || found)
    }
}

impl Flights {
    pub(crate) fn new(known_max: usize, strangers_max: usize) -> Self {
        Self {
            order_of_events: AtomicU64::new(0),
            slots: Mutex::new(HashMap::new()),
            known: Semaphore::new(known_max),
            strangers: Semaphore::new(strangers_max),
            unseen: Mutex::new((0, HashMap::new())),
        }
    }

    /// Lets an ask through to PortOne, or says that the server is busy. The place is held by the permit.
    fn admit(
        &self,
        ask: &Ask,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<SemaphorePermit<'_>, SyncError> {
        let unseen = ask
            .transaction_id
            .as_ref()
            .is_some_and(|id| !knows(snapshot, id));
        // V2 signs its webhooks: what a stranger guesses must not make them wait.
        let unsigned = snapshot.order.portone == Portone::V1;
        let stranger = unseen
            && match ask.actor {
                Actor::Buyer => true,
                Actor::Webhook => unsigned,
                Actor::Confirm
                | Actor::Shop(_)
                | Actor::Staff(_)
                | Actor::Worker
                | Actor::Refund
                | Actor::Policy => false,
            };
        if stranger && !self.within_budget(&ask.payment_id, now) {
            return Err(SyncError::Busy);
        }
        let places = if stranger {
            &self.strangers
        } else {
            &self.known
        };
        places.try_acquire().map_err(|_| SyncError::Busy)
    }

    /// Counts the asks for unseen transactions of one order by the minute.
    fn within_budget(&self, id: &PaymentId, now: Timestamp) -> bool {
        let minute = now.as_second() / 60;
        let mut unseen = self.unseen.lock();
        if unseen.0 != minute {
            *unseen = (minute, HashMap::new());
        }
        let count = unseen.1.entry(id.clone()).or_default();
        *count += 1;
        *count <= UNSEEN_PER_MINUTE_MAX
    }

    async fn share(
        &self,
        ask: &Ask,
        fetch: impl Future<Output = Result<Synced, SyncError>>,
    ) -> Result<Synced, SyncError> {
        let asked_at = self.tick();
        let key = (ask.payment_id.clone(), ask.transaction_id.clone());
        let slot = Arc::clone(self.slots.lock().entry(key.clone()).or_default());
        let mut last = slot.lock().await;
        let result = match last.as_ref() {
            Some(shared) if shared.serves(ask, asked_at) => shared.result.clone(),
            _ => {
                let began_at = self.tick();
                let result = fetch.await;
                *last = Some(Shared {
                    began_at,
                    patient: ask.patient,
                    result: result.clone(),
                });
                result
            }
        };
        drop(last);
        let mut slots = self.slots.lock();
        // Two holders are the map and us: nobody waits for this slot any more.
        if Arc::strong_count(&slot) == 2 {
            slots.remove(&key);
        }
        result
    }

    fn tick(&self) -> u64 {
        self.order_of_events.fetch_add(1, Ordering::SeqCst)
    }
}
