//! The one path: ask PortOne about an order, decide, write. Redirects, webhooks, timers and people all come through here,
//! and differ only in who asks.
//!
//! A sync runs detached from whoever asked: a closed browser tab does not cut it in half. Asks for one payment that wait at
//! the same time share one answer (`flights`), so N of them cost at most two rounds of calls; an ask never takes an answer
//! whose fetching began before the ask came. What strangers can cost is bounded, and nobody honest is turned away for it
//! (`admission`). One look fetches (`look`), decides and writes (`settle`).

mod admission;
mod breaker;
mod bucket;
mod flights;
mod look;
mod quiet_ids;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tracing::Instrument;

pub(crate) use self::admission::Admission;
pub(crate) use self::flights::Flights;

use self::look::{Told, look};
use super::Core;
use crate::TRACES;
use crate::domain::decision::Asked;
use crate::domain::history::Actor;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::ports::store::{Snapshot, StoreError};

/// PortOne's API may lag behind its own redirect: a payment that it does not know yet is asked for again after these pauses.
/// <https://developers.portone.io/opi/ko/integration/pg/v1/daou>
const LAG_PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(900),
];

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
    /// When PortOne was asked by the order's number, and how much it told. `None` when it was asked for one attempt, did not
    /// answer, or answered what this version cannot read: what it did not tell may have been paid.
    pub asked: Option<Asked>,
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
    let trace = tracing::trace_span!(target: TRACES, "sync");
    let task = core.tasks.spawn(
        async move { look_patiently(&detached, &ask).await }
            .instrument(trace)
            .in_current_span(),
    );
    task.await.unwrap_or(Err(SyncError::Busy))
}

/// Looks until PortOne knows the payment, or patience ends.
async fn look_patiently(core: &Arc<Core>, ask: &Ask) -> Result<Synced, SyncError> {
    let pauses: &[Duration] = if ask.patient { &LAG_PAUSES } else { &[] };
    let mut looked = look(core, ask, Told::Nothing).await?;
    let mut told = looked.told();
    for pause in pauses {
        if !looked.may_lag {
            break;
        }
        core.clock.sleep(*pause).await;
        looked = look(core, ask, told).await?;
        if told == Told::Nothing {
            told = looked.told();
        }
    }
    learn(core, ask, told, &looked.synced);
    Ok(looked.synced)
}

/// Remembers which ids PortOne does not know, so that they cost nothing for a while.
fn learn(core: &Core, ask: &Ask, told: Told, synced: &Synced) {
    let order = &ask.payment_id;
    let Some(id) = &ask.transaction_id else {
        return;
    };
    match (synced.standing, told) {
        (Standing::Unknown, Told::Unknown) => {
            core.admission.note_unknown(order, id, core.clock.now());
        }
        (Standing::Unknown, Told::Nothing) => {}
        (Standing::Ours | Standing::Foreign, _) => core.admission.forget_unknown(order, id),
    }
}
