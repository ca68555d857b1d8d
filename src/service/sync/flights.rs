//! Shares answers: asks for the same thing that wait at the same time cost one round of calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::SyncError;
use super::look::Looked;
use crate::domain::ids::{PaymentId, TransactionId};

/// Asks that may wait for one answer. Beyond it an ask is told what is stored, which the answers that come keep fresh.
const WAITING_MAX: usize = 1_024;

/// What is asked for.
pub(super) type Key = (PaymentId, Option<TransactionId>);
type Slot = tokio::sync::Mutex<Option<Shared>>;

/// Asks under way.
#[derive(Default)]
pub(crate) struct Flights {
    order_of_events: AtomicU64,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// Notes when the fetching of an answer began.
pub(super) struct Takeoff<'f> {
    flights: &'f Flights,
    began_at: AtomicU64,
}

impl Takeoff<'_> {
    /// The fetching begins now. An answer without it was not fetched, and nobody shares it.
    pub(super) fn now(&self) {
        self.began_at.store(self.flights.tick(), Ordering::SeqCst);
    }
}

/// An answer that others who waited may take.
struct Shared {
    began_at: u64,
    result: Result<Looked, SyncError>,
}

impl Flights {
    pub(super) fn takeoff(&self) -> Takeoff<'_> {
        Takeoff {
            flights: self,
            began_at: AtomicU64::new(0),
        }
    }

    /// The answer of `fetch`, or that of somebody who asked for the same: an ask takes an answer whose fetching began after it
    /// came, and no other.
    pub(super) async fn share(
        &self,
        key: Key,
        takeoff: &Takeoff<'_>,
        fetch: impl Future<Output = Result<Looked, SyncError>>,
    ) -> Result<Looked, SyncError> {
        let asked_at = self.tick();
        let slot = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(key.clone()).or_default();
            // The map holds one, and so does each who waits.
            if Arc::strong_count(slot) > WAITING_MAX {
                return Err(SyncError::Busy);
            }
            Arc::clone(slot)
        };
        let mut last = slot.lock().await;
        let result = match last.as_ref() {
            Some(shared) if shared.began_at > asked_at => shared.result.clone(),
            Some(_) | None => {
                let result = fetch.await;
                *last = Some(Shared {
                    began_at: takeoff.began_at.load(Ordering::SeqCst),
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
        self.order_of_events.fetch_add(1, Ordering::SeqCst) + 1
    }
}
