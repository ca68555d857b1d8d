//! Refunds.

use jiff::Timestamp;
use wanryo::domain::history::Entry;
use wanryo::domain::ids::{PaymentId, RefundId};
use wanryo::domain::refund::{Refund, RefundState};
use wanryo::ports::store::{Intended, Moved};

use super::{Tables, append};

impl Tables {
    /// Reads a refund.
    #[must_use]
    pub fn refund(&self, id: &RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == *id)
    }

    /// Reads the refund that was asked for with a key.
    #[must_use]
    pub fn refund_by_key(&self, id: &PaymentId, key: &str) -> Option<&Refund> {
        self.refunds
            .iter()
            .find(|refund| refund.payment_id == *id && refund.idempotency_key == key)
    }

    /// Writes an intent, unless `refunds_idempotency_key`, the transaction's money, or `refunds_one_in_flight` stand against it.
    pub fn intend(&mut self, refund: &Refund, entry: &Entry) -> Intended {
        if let Some(there) = self.refund_by_key(&refund.payment_id, &refund.idempotency_key) {
            return Intended::KeyInUse(Box::new(there.clone()));
        }
        let holds = self.find(&refund.payment_id).and_then(|snapshot| {
            let transaction = snapshot
                .transactions
                .iter()
                .find(|t| t.transaction_id == refund.transaction_id)?;
            let cancelled = transaction.cancelled_minor;
            Some((transaction.amount_minor? - cancelled, cancelled))
        });
        let Some((_, cancelled)) = holds.filter(|(left, _)| *left >= refund.amount.minor()) else {
            return Intended::TooMuch;
        };
        if cancelled > refund.reserved_minor {
            return Intended::UnderWay;
        }
        let other = self.refunds.iter().any(|other| {
            other.transaction_id == refund.transaction_id && other.state.is_in_flight()
        });
        if other {
            return Intended::UnderWay;
        }
        self.refunds.push(refund.clone());
        if let Some(row) = self.orders.get_mut(&refund.payment_id) {
            append(&mut row.history, entry, u32::MAX);
        }
        Intended::Written
    }

    /// Writes a refund's state, if it is still the one that was decided on.
    pub fn move_refund(&mut self, refund: &Refund, entry: Option<&Entry>) -> Moved {
        let stored = self.refunds.iter_mut().find(|there| there.id == refund.id);
        let Some(stored) = stored.filter(|there| there.version == refund.version) else {
            return Moved::Conflict;
        };
        *stored = Refund {
            version: refund.version + 1,
            ..refund.clone()
        };
        if let (Some(entry), Some(row)) = (entry, self.orders.get_mut(&refund.payment_id)) {
            append(&mut row.history, entry, u32::MAX);
        }
        Moved::Done
    }

    /// Takes refunds that are due.
    pub fn lease_refunds(
        &mut self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Vec<Refund> {
        let mut due: Vec<&mut Refund> = self
            .refunds
            .iter_mut()
            .filter(|refund| refund.next_at.is_some_and(|at| at <= now))
            .collect();
        due.sort_by_key(|refund| (refund.next_at, refund.id.as_str().to_owned()));
        let taken = due.into_iter().take(limit as usize).map(|refund| {
            refund.next_at = Some(lease_until);
            refund.clone()
        });
        taken.collect()
    }

    /// Makes the refunds due that wait to be shown by PortOne.
    pub fn wake_refunds(&mut self, id: &PaymentId, now: Timestamp) {
        for refund in &mut self.refunds {
            let waits = matches!(refund.state, RefundState::Requested | RefundState::InDoubt);
            if waits && refund.payment_id == *id && refund.next_at.is_some_and(|at| at > now) {
                refund.next_at = Some(now);
            }
        }
    }
}
