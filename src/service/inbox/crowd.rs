//! Unsigned webhooks about one order that come in a crowd: together they are one look for the order by its number.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::domain::ids::PaymentId;
use crate::ports::store::{Received, StoreError};
use crate::service::Core;

/// When the look is taken, from when it is written.
const LOOK_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// How long webhooks join it, unless somebody has taken it before: another instance's clock may be ahead, and what came after a
/// look began might be missing from it.
const JOINED: SignedDuration = SignedDuration::from_secs(10);
/// Orders whose look is remembered. Beyond it each webhook of a crowd writes a look of its own.
const ORDERS_MAX: usize = 10_000;

/// When the look that the next webhook of an order may join was written, and its key.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    written: Mutex<HashMap<PaymentId, (Timestamp, i64)>>,
}

impl Crowds {
    /// Joins the order's look, or writes one. When this returns, a look that has not begun is on disk.
    pub(super) async fn join(&self, core: &Core, received: Received) -> Result<(), StoreError> {
        // Held while it is written: who comes meanwhile joins this one.
        let mut written = self.written.lock().await;
        let now = core.clock.now();
        // A clock that was set back joins nothing.
        let is_open =
            |at: &Timestamp| (SignedDuration::ZERO..JOINED).contains(&now.duration_since(*at));
        if let Some((at, look)) = written.get(&received.payment_id)
            && is_open(at)
            && core.inbox.is_untaken(*look).await?
        {
            return Ok(());
        }
        tracing::warn!(payment.id = %received.payment_id, "an order gets more unsigned webhooks than are looked at one by one; it is asked about by its number");
        let payment_id = received.payment_id.clone();
        let look = Received {
            at: now,
            transaction_id: None,
            claimed_status: None,
            ..received
        };
        let try_at = now.checked_add(LOOK_AFTER).unwrap_or(now);
        let Some(look) = core.inbox.receive(&look, try_at).await? else {
            return Ok(());
        };
        if written.len() >= ORDERS_MAX {
            written.retain(|_, (at, _)| is_open(at));
        }
        if written.len() < ORDERS_MAX {
            written.insert(payment_id, (now, look));
        }
        Ok(())
    }
}
