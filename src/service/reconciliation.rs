//! What neither redirect nor webhook told: orders whose time to be asked about has come. An order whose time to be paid ran
//! out ends here, too: its deadline is one of the times to ask.
//!
//! One idempotent step; the loop around it lives with the worker.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use super::Core;
use super::orders::prepare;
use super::sync::{Ask, SyncError, sync};
use crate::domain::decision::status_of;
use crate::domain::event::{Event, EventType, event_id};
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::ids::PaymentId;
use crate::domain::order::Order;
use crate::ports::store::{Commit, Committed, Snapshot, StoreError};

/// How long a worker holds an order that it asks about.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Asks PortOne about the orders that are due. Returns how many were taken.
///
/// # Errors
/// [`StoreError`] when the due orders cannot be read; a single order that fails is left for its next turn.
pub async fn reconcile_due(core: &Arc<Core>, limit: u32) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let due = core.orders.lease_due(now, lease_until, limit).await?;
    let count = due.len();
    let mut work = JoinSet::new();
    for payment_id in due {
        let core = Arc::clone(core);
        work.spawn(async move { reconcile(&core, payment_id).await });
    }
    work.join_all().await;
    Ok(count)
}

async fn reconcile(core: &Arc<Core>, payment_id: PaymentId) {
    match core.orders.find_order(&payment_id).await {
        Ok(Some(Snapshot { order, .. }))
            if order.prepared_at.is_none() && order.status.is_payable() =>
        {
            prepare(core, &order, &Actor::Worker).await;
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "a due order could not be read");
        }
    }
    let ask = Ask {
        payment_id: payment_id.clone(),
        transaction_id: None,
        patient: false,
        actor: Actor::Worker,
    };
    let ended = match sync(core, ask).await {
        // Not knowing is no reason to end an order; it is asked about again on its next turn.
        Ok(synced) if synced.confirmed && is_over(core, &synced.snapshot.order) => {
            expire(core, synced.snapshot).await
        }
        Ok(_) | Err(SyncError::NoSuchOrder) => Ok(()),
        Err(error) => {
            tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "a due order could not be asked about");
            Ok(())
        }
    };
    if let Err(error) = ended {
        tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "an order whose time ran out could not be ended");
    }
}

fn is_over(core: &Core, order: &Order) -> bool {
    order.status.is_payable() && order.expires_at.is_some_and(|at| at <= core.clock.now())
}

/// Ends an order whose time ran out, after PortOne said once more that nothing was paid.
async fn expire(core: &Core, snapshot: Snapshot) -> Result<(), StoreError> {
    let now = core.clock.now();
    let Snapshot {
        mut order,
        transactions,
    } = snapshot;
    order.expired_at = Some(now);
    order.status = status_of(&order, &transactions);
    order.updated_at = now;
    let event = Event {
        id: event_id(EventType::OrderExpired, &order.payment_id, None, 0),
        event_type: EventType::OrderExpired,
        payment_id: order.payment_id.clone(),
        transaction_id: None,
        status: order.status,
        refunded_minor: order.refunded_minor,
        at: now,
    };
    let entry = Entry {
        at: now,
        kind: EntryKind::Expired,
        actor: Actor::Worker.to_text(),
        data: json!({}),
        once_key: Some("expired".to_owned()),
    };
    let commit = Commit {
        order,
        transactions: Vec::new(),
        entries: vec![entry],
        events: vec![event],
    };
    // A conflict means that something else happened to the order: it is looked at again on its next turn.
    match core.orders.commit(&commit).await? {
        Committed::Done | Committed::Conflict | Committed::TransactionTaken => Ok(()),
    }
}
