//! What neither redirect nor webhook told: orders whose time to be asked about has come. An order whose time to be paid ran
//! out ends here, too: its deadline is one of the times to ask.
//!
//! One idempotent step; the loop around it lives with the worker.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Core;
use super::orders::prepare;
use super::sync::{Ask, SyncError, Synced, sync};
use crate::domain::decision::expire;
use crate::domain::history::Actor;
use crate::domain::ids::PaymentId;
use crate::ports::store::{Commit, Committed, Snapshot, StoreError};

/// How long a worker holds an order that it asks about.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Asks PortOne about the orders that are due, as many as there is budget for. Returns how many were taken.
///
/// # Errors
/// [`StoreError`] when the due orders cannot be read; a single order that fails is left for its next turn.
pub async fn reconcile_due(core: &Arc<Core>, limit: u32) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let limit = limit.min(core.admission.reconciler_room(now));
    if limit == 0 {
        return Ok(0);
    }
    let due = core.orders.lease_due(now, lease_until, limit).await?;
    let count = due.len();
    let work = due.into_iter().map(|payment_id| {
        let core = Arc::clone(core);
        async move { reconcile(&core, payment_id).await }
    });
    core.side_by_side("reconciliation", work).await;
    Ok(count)
}

async fn reconcile(core: &Arc<Core>, payment_id: PaymentId) {
    match core.orders.find_order(&payment_id).await {
        Ok(Some(Snapshot { order, .. }))
            if order.prepared_at.is_none()
                && order.status.is_payable()
                && !core.admission.is_down(order.portone) =>
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
        Ok(synced) => {
            if let Some(asked) = &synced.asked {
                withdraw_unclear(core, &payment_id, asked.at).await;
            }
            expire_if_over(core, synced).await
        }
        Err(SyncError::NoSuchOrder) => Ok(()),
        Err(error) => {
            tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "a due order could not be asked about");
            Ok(())
        }
    };
    if let Err(error) = ended {
        tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "an order whose time ran out could not be ended");
    }
}

/// Nobody need look any more at what could not be read of the order. Should it not be written, it is on the next turn.
async fn withdraw_unclear(core: &Core, payment_id: &PaymentId, read_at: Timestamp) {
    if let Err(error) = core.attention.withdraw_unclear(payment_id, read_at).await {
        tracing::warn!(payment.id = %payment_id, error = &error as &dyn std::error::Error, "what needs no attention any more could not be withdrawn");
    }
}

/// Ends an order whose time ran out, after PortOne said once more that nothing was paid. Not knowing is no reason to end it: it
/// is asked about again on its next turn.
async fn expire_if_over(core: &Core, synced: Synced) -> Result<(), StoreError> {
    let Synced {
        snapshot, asked, ..
    } = synced;
    let now = core.clock.now();
    let Some(decision) = expire(&snapshot.order, &snapshot.transactions, asked, now) else {
        return Ok(());
    };
    let commit = Commit {
        entries: decision.entries(now, &Actor::Worker),
        order: decision.order,
        transactions: decision.transactions,
        events: decision.events,
    };
    // A conflict means that something else happened to the order: it is looked at again on its next turn.
    match core.orders.commit(&commit).await? {
        Committed::Done | Committed::Conflict | Committed::TransactionTaken => Ok(()),
    }
}
