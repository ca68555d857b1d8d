//! Personal data goes when its time is over.

use jiff::{SignedDuration, Timestamp};

use super::Core;
use crate::ports::retention::PersonalData;
use crate::ports::store::StoreError;

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
    let before = time_is_over(core, now);
    let mut erased = 0;
    for _ in 0..STEPS_MAX {
        let taken = core.retention.erase(before, now, BATCH).await?;
        erased += taken;
        if taken < BATCH {
            break;
        }
    }
    if erased > 0 {
        core.retention.wipe().await?;
        tracing::info!(
            orders = erased,
            "personal data was erased: its time was over"
        );
    }
    Ok(erased)
}

/// What is kept of whom.
///
/// # Errors
/// [`StoreError`] when it could not be counted.
pub async fn personal_data(core: &Core) -> Result<PersonalData, StoreError> {
    let before = time_is_over(core, core.clock.now());
    core.retention.personal_data(before).await
}

fn time_is_over(core: &Core, now: Timestamp) -> Timestamp {
    let kept = SignedDuration::from_hours(i64::from(core.settings.retention_days) * 24);
    now.checked_sub(kept).unwrap_or(Timestamp::MIN)
}
