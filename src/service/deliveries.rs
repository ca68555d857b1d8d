//! Sends events to the shop's endpoints: at least once, in order per order.
//!
//! Each endpoint has a lane of its own, in which a few deliveries are under way at once, so that one that answers slowly or never
//! keeps no other waiting. A delivery is leased before it is sent and settled after it: of several servers one sends it, and after
//! a crash in between it is sent again, under the same id, by which the shop knows it.
//!
//! Tested with real receivers on both databases, `tests/it/events.rs` and beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Core;
use crate::domain::delivery::{
    Attempt, Endpoint, EndpointId, EndpointStatus, LEASE, Leased, PER_ENDPOINT_MAX, SEND_TIMEOUT,
    Sent, body, judge,
};
use crate::ports::deliveries::{Settled, Settlement, WebhookCall};
use crate::ports::entropy::draw_per_mille;
use crate::ports::observer::Happening;
use crate::ports::store::StoreError;

/// The endpoints that this server is sending to, each with whether somebody knocked since its lane last looked for work.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Arc<Mutex<BTreeMap<EndpointId, bool>>>);

/// A place in a lane; the lane is free when it is dropped.
struct Lane {
    lanes: Arc<Mutex<BTreeMap<EndpointId, bool>>>,
    id: EndpointId,
    is_left: bool,
}

impl Lanes {
    /// `None` while the endpoint's lane is busy: whoever is in it looks once more then before it leaves.
    fn enter(&self, id: &EndpointId) -> Option<Lane> {
        match self.0.lock().entry(id.clone()) {
            Entry::Occupied(mut busy) => {
                busy.insert(true);
                None
            }
            Entry::Vacant(free) => {
                free.insert(false);
                Some(Lane {
                    lanes: Arc::clone(&self.0),
                    id: id.clone(),
                    is_left: false,
                })
            }
        }
    }
}

impl Lane {
    /// Frees the lane, unless somebody knocked: what they came for may have been written after the last look.
    fn leave(mut self) -> Option<Self> {
        let mut lanes = self.lanes.lock();
        if lanes.get_mut(&self.id).is_some_and(std::mem::take) {
            drop(lanes);
            return Some(self);
        }
        lanes.remove(&self.id);
        drop(lanes);
        self.is_left = true;
        None
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Once it is left it may be another's.
        if !self.is_left {
            self.lanes.lock().remove(&self.id);
        }
    }
}

/// Begins to send to each endpoint for which something is due, and does not wait for any of them. Begins nothing new once `stop`
/// is cancelled.
///
/// # Errors
/// [`StoreError`] when it cannot be read for which that is.
pub async fn begin_due(core: &Arc<Core>, stop: &CancellationToken) -> Result<(), StoreError> {
    let now = core.clock.now();
    for id in core.deliveries.endpoints_with_work(now).await? {
        let Some(lane) = core.lanes.enter(&id) else {
            continue;
        };
        let (detached, stop) = (Arc::clone(core), stop.clone());
        core.tasks.spawn(async move {
            let mut lane = lane;
            while !stop.is_cancelled() {
                match send_some(&detached, &lane.id).await {
                    Ok(0) => match lane.leave() {
                        Some(again) => lane = again,
                        None => break,
                    },
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(
                            endpoint.id = %lane.id,
                            error = &error as &dyn std::error::Error,
                            "events could not be read for delivery; a later round tries again"
                        );
                        break;
                    }
                }
            }
        });
    }
    Ok(())
}

/// Sends a few of what is due to each endpoint, side by side, and waits for all of it. Returns how many were sent.
///
/// # Errors
/// [`StoreError`] when deliveries cannot be read.
pub async fn deliver_due(core: &Arc<Core>) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let endpoints = core.deliveries.endpoints_with_work(now).await?;
    let work = endpoints.into_iter().map(|id| {
        let core = Arc::clone(core);
        async move { send_some(&core, &id).await }
    });
    let mut count = 0;
    for sent in core.side_by_side("deliveries", work).await {
        count += sent.unwrap_or(Ok(0))?;
    }
    Ok(count)
}

/// Sends a few of what is due to an endpoint, side by side. Returns how many.
async fn send_some(core: &Arc<Core>, id: &EndpointId) -> Result<usize, StoreError> {
    let now = core.clock.now();
    let Some(endpoint) = core.deliveries.find_endpoint(id).await? else {
        return Ok(0);
    };
    if !endpoint.status.is_served() || endpoint.resume_at.is_some_and(|at| now < at) {
        return Ok(0);
    }
    let limit = match endpoint.status {
        // One tells whether it is back.
        EndpointStatus::Paused => 1,
        EndpointStatus::Enabled | EndpointStatus::Disabled | EndpointStatus::Gone => {
            PER_ENDPOINT_MAX
        }
    };
    // The database may have taken its time.
    let now = core.clock.now();
    let lease_until = now.checked_add(LEASE).unwrap_or(now);
    let leased = core
        .deliveries
        .lease_deliveries(id, now, lease_until, limit)
        .await?;
    let count = leased.len();
    let endpoint = Arc::new(endpoint);
    let work = leased.into_iter().map(|delivery| {
        let (core, endpoint) = (Arc::clone(core), Arc::clone(&endpoint));
        async move {
            // What may be another's before it is sent is left to its next turn.
            let ends_at = core.clock.now().checked_add(SEND_TIMEOUT);
            if ends_at.is_ok_and(|ends_at| ends_at <= lease_until) {
                send(&core, &endpoint, delivery).await;
            }
        }
    });
    core.side_by_side("deliveries", work).await;
    Ok(count)
}

async fn send(core: &Core, endpoint: &Endpoint, delivery: Leased) {
    let began_at = core.clock.now();
    let call = WebhookCall {
        url: endpoint.url.clone(),
        secrets: endpoint.secrets.valid(began_at),
        id: delivery.event.id.clone(),
        at: began_at,
        body: body(&delivery.event, delivery.amount),
    };
    let sent = core.webhooks.send(&call).await;
    core.observer.notice(Happening::EventSent(sent.trouble()));
    let at = core.clock.now();
    let draw = draw_per_mille(core.entropy.as_ref());
    let (next, news) = judge(&sent, delivery.tries, at, draw);
    let settlement = Settlement {
        attempt: attempt(&delivery, sent, began_at, at),
        delivery,
        endpoint_id: endpoint.id.clone(),
        url: endpoint.url.clone(),
        next,
        news,
        at,
    };
    let settled = core.deliveries.settle_delivery(&settlement).await;
    report(&settlement, settled);
}

fn attempt(delivery: &Leased, sent: Sent, began_at: Timestamp, at: Timestamp) -> Attempt {
    let duration_ms = i64::try_from(at.duration_since(began_at).as_millis()).unwrap_or(i64::MAX);
    Attempt {
        number: delivery.attempts + 1,
        at: began_at,
        // Somebody may have set the clock back.
        duration_ms: duration_ms.max(0),
        code: sent.code(),
        trouble: sent.trouble(),
        answer: match sent {
            Sent::Answered { answer, .. } => Some(answer),
            Sent::Failed(_) => None,
        },
    }
}

fn report(settlement: &Settlement, settled: Result<Settled, StoreError>) {
    let (id, endpoint) = (settlement.delivery.id, &settlement.endpoint_id);
    match settled {
        Ok(Settled::Written) => {}
        Ok(Settled::WithEndpoint(EndpointStatus::Paused)) => {
            tracing::error!(endpoint.id = %endpoint, "an endpoint failed for five days and is paused: one event an hour tries whether it is back");
        }
        Ok(Settled::WithEndpoint(EndpointStatus::Gone)) => {
            tracing::warn!(endpoint.id = %endpoint, "an endpoint answered 410: nothing is sent to it any more");
        }
        Ok(Settled::WithEndpoint(EndpointStatus::Enabled | EndpointStatus::Disabled)) => {
            tracing::info!(endpoint.id = %endpoint, "an endpoint that was paused takes events again");
        }
        Ok(Settled::NotHeld) => {
            tracing::warn!(delivery.id = id, endpoint.id = %endpoint, "a delivery took so long that it was taken again");
        }
        // Its lease ends, and it is sent again.
        Err(error) => {
            tracing::warn!(
                delivery.id = id,
                endpoint.id = %endpoint,
                error = &error as &dyn std::error::Error,
                "what became of a delivery could not be written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_at_a_busy_lane_is_heard_once() {
        let lanes = Lanes::default();
        let [one, other] = [1, 2].map(|byte| EndpointId::from_bytes([byte; 16]));
        let lane = lanes.enter(&one).unwrap();
        assert!(lanes.enter(&one).is_none() && lanes.enter(&one).is_none());
        assert!(lanes.enter(&other).is_some());

        let lane = lane.leave().expect("somebody knocked");
        assert!(lane.leave().is_none());
        let lane = lanes.enter(&one).unwrap();
        drop(lane);
        assert!(lanes.enter(&one).is_some());
    }
}
