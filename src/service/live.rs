//! Pages that stay open learn at once that their order moved.
//!
//! What is passed on is a hint without content: whoever hears it asks again, and is told what anybody is told who asks. So a
//! hint may be lost, come twice or come for nothing. Listeners look by themselves as well, less often.

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Core;
use super::completion::{Claim, find};
use crate::domain::ids::{PaymentId, StatusToken, TransactionId};
use crate::domain::order::OrderStatus;
use crate::domain::outcome::{Outcome, outcome_of};
use crate::ports::store::{Signals, Snapshot, StoreError};

/// Hints that wait for a listener that is slow. One that misses some looks for itself.
const HINTS_MAX: usize = 256;

/// Where it is told that an order moved.
#[derive(Debug)]
pub struct Moves(broadcast::Sender<PaymentId>);

impl Default for Moves {
    fn default() -> Self {
        Self(broadcast::Sender::new(HINTS_MAX))
    }
}

impl Moves {
    /// Tells that an order moved.
    pub fn tell(&self, payment_id: PaymentId) {
        // Nobody may be listening.
        let _listeners = self.0.send(payment_id);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// Somebody who waits for an order to move.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<PaymentId>);

impl Listener {
    /// Returns when the order may have moved.
    pub async fn heard_of(&mut self, payment_id: &PaymentId) {
        loop {
            match self.0.recv().await {
                Ok(moved) if moved != *payment_id => {}
                // Of those that were missed one may have been this order.
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The core is gone, and so will be the listener.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Passes on what other servers on the same database tell, for as long as it runs.
pub async fn relay(core: &Core, signals: &dyn Signals) {
    loop {
        core.moves.tell(signals.order_moved().await);
    }
}

/// An order that somebody watches, known by what they brought: the lasting link, or a redirect's ids.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The order.
    pub payment_id: PaymentId,
    /// The attempt that their page speaks of.
    asked: Option<TransactionId>,
}

/// Where a watched order stands, as far as its page depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    status: OrderStatus,
    outcome: Outcome,
}

impl Standing {
    /// Whether it may still change by itself.
    #[must_use]
    pub const fn is_moving(&self) -> bool {
        self.outcome.is_moving()
    }

    fn of(snapshot: &Snapshot, asked: Option<&TransactionId>, now: Timestamp) -> Self {
        let Snapshot {
            order,
            transactions,
        } = snapshot;
        // As if PortOne had just said so: what matters here is whether anything changes.
        let (outcome, _) = outcome_of(order, transactions, asked, true, now);
        Self {
            status: order.status,
            outcome,
        }
    }
}

/// The order that a link or a claim leads to, and where it stands. `None` is nobody's, as on its page. Asks PortOne nothing.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn watch(
    core: &Core,
    claim: &Claim,
    link: Option<&StatusToken>,
) -> Result<Option<(Watched, Standing)>, StoreError> {
    let Some(snapshot) = find(core, claim, link).await? else {
        return Ok(None);
    };
    let asked = claim.transaction_id.clone();
    let standing = Standing::of(&snapshot, asked.as_ref(), core.clock.now());
    let payment_id = snapshot.order.payment_id;
    Ok(Some((Watched { payment_id, asked }, standing)))
}

/// Where it stands now; `None` when the order is gone.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub async fn standing(core: &Core, watched: &Watched) -> Result<Option<Standing>, StoreError> {
    let found = core.orders.find_order(&watched.payment_id).await?;
    let now = core.clock.now();
    Ok(found.map(|snapshot| Standing::of(&snapshot, watched.asked.as_ref(), now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PaymentId {
        PaymentId::parse(text).unwrap()
    }

    /// Whether the listener is woken by what was told so far.
    async fn is_woken(listener: &mut Listener, own: &PaymentId) -> bool {
        tokio::select! {
            biased;
            () = listener.heard_of(own) => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn a_listener_hears_of_its_own_order_alone() {
        let moves = Moves::default();
        moves.tell(id("MINE"));
        let mut listener = moves.listen();

        assert!(
            !is_woken(&mut listener, &id("MINE")).await,
            "told before it listened"
        );
        moves.tell(id("OTHER"));
        assert!(!is_woken(&mut listener, &id("MINE")).await);
        moves.tell(id("MINE"));
        assert!(is_woken(&mut listener, &id("MINE")).await);
    }

    #[tokio::test]
    async fn a_listener_that_missed_hints_looks_for_itself() {
        let moves = Moves::default();
        let mut listener = moves.listen();

        for _ in 0..=HINTS_MAX {
            moves.tell(id("OTHER"));
        }

        assert!(is_woken(&mut listener, &id("MINE")).await);
    }
}
