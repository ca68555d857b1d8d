//! Webhooks: on disk before they are acknowledged, then worked off by the one path.
//!
//! A webhook decides nothing. It says "look at this payment", and a V1 webhook is not even signed. So of those about one order a
//! few are kept one by one; all beyond share one look for the order by its number, which is on disk before they are
//! acknowledged and taken after the last of them ([`crowd`]). A flood costs a row in ten seconds, and hides nothing: asked by
//! the number, V1 tells of every attempt.
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v1>,
//! <https://developers.portone.io/opi/ko/integration/webhook/readme-v2>

mod crowd;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::task::JoinHandle;

pub(crate) use self::crowd::Crowds;

use super::sync::{Ask, Standing, SyncError, sync};
use super::{Core, VISITOR_ENTRIES_MAX};
use crate::domain::history::{Actor, Entry, EntryKind};
use crate::domain::order::Portone;
use crate::ports::observer::Happening;
use crate::ports::store::{InboxEntry, InboxResult, Received, Snapshot, StoreError};

/// When a worker takes a webhook that the receiving task did not finish.
const FIRST_TRY: SignedDuration = SignedDuration::from_secs(15);
/// How long a worker holds a webhook.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Pauses between tries.
const PAUSES_SECONDS: [i64; 6] = [5, 30, 300, 900, 3600, 3600];
/// Pause between two looks for an order that does not exist yet.
const UNKNOWN_ORDER_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// A webhook that could not be confirmed for this long is left to the order's own checks.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long a webhook waits for an order that does not exist yet.
const WAIT_FOR_ORDER: SignedDuration = SignedDuration::from_hours(24);

/// How long a settled webhook is kept, so that its message is known when it comes again. PortOne sends a message of V2 up to
/// six times within six hours by itself, and again when somebody asks for it in its console.
const SETTLED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Webhooks that may wait for orders that do not exist. Anybody can post V1's, so there is a bound; one that falls out of it
/// is not missed, because an order that is made later asks about its payment by itself.
const UNKNOWN_MAX: u32 = 10_000;
/// Webhooks of each kind that are removed in one step: a clean-up must not keep others from writing.
const PURGE_BATCH: u32 = 1_000;
/// Most such steps in a row, once a minute: 8,000 webhooks a second, about as many as one server takes in. A step passes over
/// those that may wait and removes the next, each by an index, so it costs the same however many there are.
const PURGE_STEPS_MAX: u32 = 480;

/// Writes a webhook to disk, then works it off on its own time. When this returns, nothing can be lost any more; the handle
/// ends when the webhook was worked off, and dropping it stops nothing. `None` is a message that was received before, or one of
/// a crowd, whose order is looked at later: nobody waits for either.
///
/// # Errors
/// [`StoreError`] when it could not be written; it must not be acknowledged then.
pub async fn receive(
    core: &Arc<Core>,
    received: Received,
) -> Result<Option<JoinHandle<()>>, StoreError> {
    let is_unsigned = received.portone == Portone::V1;
    if is_unsigned
        && !core
            .admission
            .keeps_unsigned(&received.payment_id, received.at)
    {
        core.crowds.join(core, received).await?;
        return Ok(None);
    }
    let try_at = received.at.checked_add(FIRST_TRY).unwrap_or(received.at);
    let Some(id) = core.inbox.receive(&received, try_at).await? else {
        return Ok(None);
    };
    let entry = InboxEntry {
        id,
        portone: received.portone,
        payment_id: received.payment_id,
        transaction_id: received.transaction_id,
        claimed_status: received.claimed_status,
        received_at: received.at,
        attempts: 0,
        lease: 0,
    };
    let detached = Arc::clone(core);
    Ok(Some(core.tasks.spawn(async move {
        work_off(&detached, entry).await;
    })))
}

/// Works off what is due. Returns how many were taken.
///
/// # Errors
/// [`StoreError`] when the inbox cannot be read.
pub async fn work_off_due(core: &Arc<Core>, limit: u32) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let due = core.inbox.lease_inbox(now, lease_until, limit).await?;
    let count = due.len();
    let work = due.into_iter().map(|entry| {
        let core = Arc::clone(core);
        async move { work_off(&core, entry).await }
    });
    core.side_by_side("webhooks", work).await;
    Ok(count)
}

/// Removes settled webhooks that nobody needs any more, and those of no order that are too many.
///
/// # Errors
/// [`StoreError`] when they cannot be removed; nothing depends on it soon.
pub async fn purge(core: &Core) -> Result<(), StoreError> {
    let now = core.clock.now();
    let settled_before = now.checked_sub(SETTLED_KEPT).unwrap_or(Timestamp::MIN);
    for _ in 0..PURGE_STEPS_MAX {
        let removed = core
            .inbox
            .purge_inbox(settled_before, UNKNOWN_MAX, PURGE_BATCH)
            .await?;
        if removed < u64::from(PURGE_BATCH) {
            break;
        }
    }
    Ok(())
}

async fn work_off(core: &Arc<Core>, entry: InboxEntry) {
    let result = look(core, &entry).await;
    let took = core.clock.now().duration_since(entry.received_at);
    core.observer
        .notice(Happening::WebhookWorkedOff(result, took));
    if let Err(error) = core.inbox.settle(entry.id, entry.lease, result).await {
        // It stays in the inbox, and a worker takes it again.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a webhook's result could not be written"
        );
    }
}

async fn look(core: &Arc<Core>, entry: &InboxEntry) -> InboxResult {
    let ask = Ask {
        payment_id: entry.payment_id.clone(),
        transaction_id: entry.transaction_id.clone(),
        patient: false,
        actor: Actor::Webhook,
    };
    let now = core.clock.now();
    match core.orders.find_order(&entry.payment_id).await {
        // Its ids mean nothing at the generation that the order is paid through, and V1's is not even signed: no order of V2
        // is asked about because a stranger posts.
        Ok(Some(Snapshot { order, .. })) if order.portone != entry.portone => {
            return InboxResult::Dropped;
        }
        Ok(Some(_)) => {}
        Ok(None) => return without_order(entry, now),
        Err(_) => return again(entry, now),
    }
    match sync(core, ask).await {
        Ok(synced) => {
            if let Err(error) = core
                .orders
                .append_history(
                    &entry.payment_id,
                    &[history_entry(entry)],
                    VISITOR_ENTRIES_MAX,
                )
                .await
            {
                tracing::warn!(payment.id = %entry.payment_id, error = &error as &dyn std::error::Error, "a webhook could not be kept for the record");
                return again(entry, now);
            }
            match (synced.confirmed, synced.standing) {
                (true, Standing::Ours | Standing::Foreign) => InboxResult::Done,
                // PortOne's API may lag behind its own webhook.
                (true, Standing::Unknown) if entry.attempts >= PAUSES_SECONDS.len() as i64 => {
                    InboxResult::Done
                }
                _ if now.duration_since(entry.received_at) > GIVE_UP => InboxResult::Done,
                (true, Standing::Unknown) | (false, _) => again(entry, now),
            }
        }
        Err(SyncError::NoSuchOrder) => without_order(entry, now),
        // Nobody was asked. The order's own checks ask, and every order that may still change has one.
        Err(SyncError::Busy) if now.duration_since(entry.received_at) > GIVE_UP => {
            InboxResult::Done
        }
        Err(SyncError::Busy | SyncError::Store(_)) => again(entry, now),
    }
}

/// Making the order wakes it; looking again by itself is for the case that the wake was lost.
fn without_order(entry: &InboxEntry, now: Timestamp) -> InboxResult {
    if now.duration_since(entry.received_at) > WAIT_FOR_ORDER {
        InboxResult::Dropped
    } else {
        InboxResult::Again(now.checked_add(UNKNOWN_ORDER_PAUSE).unwrap_or(now))
    }
}

fn again(entry: &InboxEntry, now: Timestamp) -> InboxResult {
    let step = usize::try_from(entry.attempts)
        .unwrap_or(usize::MAX)
        .min(PAUSES_SECONDS.len() - 1);
    InboxResult::Again(
        now.checked_add(SignedDuration::from_secs(PAUSES_SECONDS[step]))
            .unwrap_or(now),
    )
}

fn history_entry(entry: &InboxEntry) -> Entry {
    Entry {
        at: entry.received_at,
        kind: EntryKind::Webhook,
        actor: Actor::Webhook.to_text(),
        data: json!({ "transaction_id": entry.transaction_id.as_ref().map(crate::domain::ids::TransactionId::as_str), "status": entry.claimed_status }),
        once_key: Some(format!("webhook:{}", entry.id)),
    }
}
