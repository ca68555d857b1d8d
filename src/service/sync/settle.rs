//! From evidence to the store: decides, writes, and decides again when somebody else was faster.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::refunds;
use super::look::knows;
use super::{Ask, Standing, SyncError, Synced};
use crate::domain::attention::{AttentionKind, Finding};
use crate::domain::decision::{Asked, Decision, Extent, decide};
use crate::domain::evidence::Evidence;
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::TransactionId;
use crate::domain::schedule::{Turn, after_outage, after_unknown, next_turn};
use crate::ports::entropy::draw_per_mille;
use crate::ports::gateway::GatewayError;
use crate::ports::store::{Commit, Committed, Snapshot};
use crate::service::{Core, VISITOR_ENTRIES_MAX};

/// How often a decision is taken again because somebody else changed the order in between.
const DECISIONS_MAX: u32 = 5;
/// An ask that confirmed what was known is written down again only after this time.
const CONFIRMATION_SECONDS: i64 = 60;
/// PortOne's silence about an order is noted once in this time: that tells as much as a thousand lines.
const CHECK_FAILED_SECONDS: i64 = 60;

/// Decides and writes, and decides again when somebody else was faster. `extent` says how much of the order's payment the
/// evidence tells, if it was asked for by the order's number.
pub(super) async fn settle(
    core: &Core,
    ask: &Ask,
    first: Snapshot,
    evidence: Evidence,
    extent: Option<Extent>,
    standing: Standing,
) -> Result<Synced, SyncError> {
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
        report_unclear(core, &snapshot, &evidence, &decision).await;
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
        let unclear = decision.unclear;
        let asked = extent.map(|extent| Asked {
            at: evidence.fetched_at,
            extent: told(extent, &decision),
        });
        let next = next_turn(&decision.order, &transactions, turn, unclear, now, draw);
        decision.order.next_check_at = match standing {
            Standing::Unknown => Some(after_unknown(next, now, draw)),
            Standing::Ours | Standing::Foreign => next,
        };
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
            match record_unmoved(core, ask, &snapshot, &decision, standing).await? {
                Some(version) => after.order.version = version,
                None => {
                    snapshot = load(core, ask).await?;
                    continue;
                }
            }
            return Ok(Synced {
                snapshot: after,
                confirmed: true,
                asked,
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
                core.moves.tell(ask.payment_id.clone());
                refunds::wake(core, &snapshot, &decision.transactions).await;
                return Ok(Synced {
                    snapshot: after,
                    confirmed: true,
                    asked,
                    standing,
                });
            }
            Committed::Conflict | Committed::TransactionTaken => {
                snapshot = load(core, ask).await?;
            }
        }
    }
    Err(SyncError::Busy)
}

/// How much an answer by the order's number told, once it was read: not every attempt where one of them decides nothing, or where
/// it tells of something else in their place.
fn told(extent: Extent, decision: &Decision) -> Extent {
    if decision.unclear || !decision.foreign.is_empty() {
        Extent::Payment
    } else {
        extent
    }
}

/// The order as it is stored now.
pub(super) async fn load(core: &Core, ask: &Ask) -> Result<Snapshot, SyncError> {
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
    standing: Standing,
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
    let looks_again = decision.unclear || standing == Standing::Unknown;
    let is_recent = fresh && ask.actor != Actor::Worker;
    if is_recent && !looks_again {
        return Ok(Some(version));
    }
    if is_recent || !decision.foreign.is_empty() {
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

/// Puts the payments before the shop's people whose status is none that this version knows: they may hold money. Should it not be
/// written, the order is asked about again soon.
async fn report_unclear(
    core: &Core,
    snapshot: &Snapshot,
    evidence: &Evidence,
    decision: &Decision,
) {
    let order = &snapshot.order;
    let unclear = evidence.records.iter().filter(|record| {
        record.status.is_none() && !decision.foreign.contains(&record.transaction_id)
    });
    for record in unclear {
        let (payment_id, now) = (order.payment_id.to_string(), evidence.fetched_at);
        let kind = AttentionKind::Unclear;
        report(
            core,
            &Finding::of(kind, order.portone, payment_id, record, now),
        )
        .await;
    }
}

async fn report(core: &Core, finding: &Finding) {
    if let Err(error) = core.attention.report(finding).await {
        tracing::warn!(transaction.id = %finding.item.transaction_id, error = &error as &dyn std::error::Error, "what needs attention could not be written");
    }
}

/// PortOne gave no answer that could be used: the order stays as it is, and is asked about again. `asked` is the transaction that
/// PortOne was asked for; without one an answer that cannot be read is about the order's latest, when there is any.
pub(super) async fn note_failure(
    core: &Core,
    ask: &Ask,
    snapshot: Snapshot,
    asked: Option<&TransactionId>,
    error: GatewayError,
) -> Result<Synced, SyncError> {
    let now = core.clock.now();
    tracing::warn!(payment.id = %ask.payment_id, error = error.as_str(), "PortOne gave no usable answer; the order is asked about again later");
    let latest = snapshot.transactions.iter().max_by_key(|t| t.first_seen_at);
    if error == GatewayError::Garbled
        && let Some(id) = asked.or(latest.map(|t| &t.transaction_id))
    {
        let (portone, payment_id) = (snapshot.order.portone, ask.payment_id.to_string());
        let finding = Finding::unreadable(portone, payment_id, id.clone(), now);
        report(core, &finding).await;
    }
    let entry = Entry {
        at: now,
        kind: EntryKind::CheckFailed,
        actor: ask.actor.to_text(),
        data: json!({ "error": error.as_str(), "transaction_id": ask.transaction_id.as_ref().map(TransactionId::as_str) }),
        once_key: Some(format!(
            "check_failed:{}:{}",
            error.as_str(),
            now.as_second() / CHECK_FAILED_SECONDS
        )),
    };
    core.orders
        .append_history(&ask.payment_id, &[entry], VISITOR_ENTRIES_MAX)
        .await?;
    let in_turn = ask.actor == Actor::Worker;
    let turn = if in_turn { Turn::Due } else { Turn::Between };
    let is_outage = error == GatewayError::Unavailable;
    let mut order = snapshot.order.clone();
    if in_turn && !is_outage {
        order.checks_without_change = order.checks_without_change.saturating_add(1);
    }
    let draw = draw_per_mille(core.entropy.as_ref());
    let next = if is_outage {
        Some(after_outage(&order, turn, now, draw))
    } else {
        next_turn(&order, &snapshot.transactions, turn, true, now, draw)
    };
    let checks = order.checks_without_change;
    core.orders
        .schedule_check(&ask.payment_id, snapshot.order.version, next, checks)
        .await?;
    Ok(Synced {
        snapshot,
        confirmed: false,
        asked: None,
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
