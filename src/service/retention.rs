//! Personal data goes when its time is over.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::Core;
use crate::ports::retention::{Due, PersonalData};
use crate::ports::store::StoreError;

/// How long what is written beside an order that was erased stays: a refund years later, or a stranger who opens its old address.
const AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Orders in one transaction: the shop's own changes wait no longer than for any other.
const BATCH: u32 = 50;
/// Transactions in one round.
const STEPS_MAX: u32 = 100;

/// Erases the personal data whose time is over. Returns of how many orders.
///
/// # Errors
/// [`StoreError`] when it could not be erased; the next round tries again.
pub async fn erase_due(core: &Core) -> Result<u32, StoreError> {
    let now = core.clock.now();
    let due = due(core, now);
    let mut erased = 0;
    for _ in 0..STEPS_MAX {
        let taken = core.retention.erase(due, now, BATCH).await?;
        erased += taken;
        if taken < BATCH {
            break;
        }
    }
    if erased > 0 {
        core.to_wipe.store(true, Ordering::SeqCst);
        tracing::info!(
            orders = erased,
            "personal data was erased: its time was over"
        );
    }
    if core.to_wipe.load(Ordering::SeqCst) && core.retention.wipe().await? {
        core.to_wipe.store(false, Ordering::SeqCst);
    }
    Ok(erased)
}

/// What is kept of whom.
///
/// # Errors
/// [`StoreError`] when it could not be counted.
pub async fn personal_data(core: &Core) -> Result<PersonalData, StoreError> {
    let due = due(core, core.clock.now());
    core.retention.personal_data(due).await
}

fn due(core: &Core, now: Timestamp) -> Due {
    let kept = SignedDuration::from_hours(i64::from(core.settings.retention_days) * 24);
    let ago = |time| now.checked_sub(time).unwrap_or(Timestamp::MIN);
    Due {
        untouched_since: ago(kept),
        again_since: ago(AGAIN),
    }
}
