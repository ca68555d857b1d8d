//! What may be asked of PortOne: places for asks that run, budgets for what they cost, and rest for a PortOne that is down.
//!
//! Four classes of asks have places of their own, so that none can use up another's, and budgets where anybody can ask.
//! *Strangers* bring a transaction id that no order has seen, and no proof of who they are: anybody can make such ids up by the
//! million. *Visitors* name what this server knows, an order or a transaction of it, and prove nothing either: the numbers of
//! orders can be guessed. *Known* asks name the same and come from who proved who it is. The *reconciler* asks by itself.
//!
//! The budget of strangers turns nobody away: an ask beyond it is answered by what the order's number alone brings, which
//! PortOne is asked for at the pace of one order. An honest buyer's payment is under that number.
//!
//! All of it lives in memory and in one process: it bounds costs, and nothing that must be true depends on it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::SyncError;
use super::breaker::Breaker;
use super::bucket::{Bucket, OrderBuckets, Rate};
use super::quiet_ids::QuietIds;
use crate::domain::ids::{PaymentId, TransactionId};
use crate::domain::order::Portone;
use crate::ports::gateway::GatewayError;

/// Asks by those who proved who they are that may run at once.
const KNOWN_MAX: usize = 256;
/// Asks of visitors about what is known that may run at once; beyond it a page says "not confirmed yet" at once.
const VISITORS_MAX: usize = 256;
/// Asks of strangers that may run at once.
const STRANGERS_MAX: usize = 64;
/// Asks of the reconciler that may run at once.
const RECONCILER_MAX: usize = 64;

/// Transactions that PortOne is asked for because strangers bring them, over all orders: at most 60 in any minute.
const STRANGERS: Rate = Rate {
    burst: 30,
    per_minute: 30,
};
/// The same, per order: at most 20 in any minute. A buyer who tries card after card stays below.
const STRANGERS_PER_ORDER: Rate = Rate {
    burst: 10,
    per_minute: 10,
};
/// Asks of visitors about one order. They share answers, so this is how often PortOne is asked about it at most.
const VISITORS_PER_ORDER: Rate = Rate {
    burst: 20,
    per_minute: 120,
};
/// How long a visitor's ask waits for its turn. Everybody who comes meanwhile shares its answer.
const VISITOR_PATIENCE: SignedDuration = SignedDuration::from_secs(2);
/// Asks of the reconciler. It is what bounds how fast a backlog of orders is worked off: 12,000 in ten minutes.
const RECONCILER: Rate = Rate {
    burst: 200,
    per_minute: 1_200,
};
/// Unsigned webhooks about one order that are kept and looked at one by one. V1 sends a handful in an order's life; the budget
/// bounds what strangers can make this server write and try again.
const UNSIGNED_PER_ORDER: Rate = Rate {
    burst: 10,
    per_minute: 1,
};
/// Orders whose budgets are remembered.
const ORDERS_MAX: usize = 10_000;
/// Transaction ids that PortOne does not know and that are remembered.
const UNKNOWN_IDS_MAX: usize = 10_000;
/// Transactions that the policy tried to give back and that are remembered.
const POLICY_TRIES_MAX: usize = 10_000;

/// Whose budget an ask uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// About what this server knows, by a person or shop that proved who it is, or by PortOne's signed message.
    Known,
    /// About what this server knows, by anybody.
    Visitor,
    /// The background worker.
    Reconciler,
}

/// What becomes of a stranger's ask for one transaction.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    /// PortOne is asked for it.
    Place(SemaphorePermit<'a>),
    /// PortOne said not long ago that it does not know it.
    KnownNotToBe,
    /// The places are taken, or the budget is used up.
    Full,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Admission {
    known: Semaphore,
    visitors: Semaphore,
    strangers: Semaphore,
    reconciler: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    strangers: Bucket,
    strangers_per_order: OrderBuckets,
    visitors_per_order: OrderBuckets,
    unsigned_per_order: OrderBuckets,
    reconciler: Bucket,
    unknown_ids: QuietIds,
    policy_tries: QuietIds,
    v1: Breaker,
    v2: Breaker,
}

impl State {
    fn breaker(&mut self, portone: Portone) -> &mut Breaker {
        match portone {
            Portone::V1 => &mut self.v1,
            Portone::V2 => &mut self.v2,
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            known: Semaphore::new(KNOWN_MAX),
            visitors: Semaphore::new(VISITORS_MAX),
            strangers: Semaphore::new(STRANGERS_MAX),
            reconciler: Semaphore::new(RECONCILER_MAX),
            state: Mutex::new(State {
                strangers: Bucket::full(STRANGERS),
                strangers_per_order: OrderBuckets::new(STRANGERS_PER_ORDER, ORDERS_MAX),
                visitors_per_order: OrderBuckets::new(VISITORS_PER_ORDER, ORDERS_MAX),
                unsigned_per_order: OrderBuckets::new(UNSIGNED_PER_ORDER, ORDERS_MAX),
                reconciler: Bucket::full(RECONCILER),
                unknown_ids: QuietIds::new(UNKNOWN_IDS_MAX),
                policy_tries: QuietIds::new(POLICY_TRIES_MAX),
                v1: Breaker::default(),
                v2: Breaker::default(),
            }),
        }
    }
}

impl Admission {
    /// Whether PortOne is asked for a transaction that a stranger brings.
    pub(super) fn stranger(
        &self,
        order: &PaymentId,
        id: &TransactionId,
        now: Timestamp,
    ) -> Entry<'_> {
        let mut state = self.state.lock();
        if state.unknown_ids.is_quiet(order, id, now) {
            return Entry::KnownNotToBe;
        }
        let Ok(place) = self.strangers.try_acquire() else {
            return Entry::Full;
        };
        let none = SignedDuration::ZERO;
        // The order's own budget first: what one order is asked about too often must not cost the others theirs.
        let paid = state
            .strangers_per_order
            .take(order, 1, none, now)
            .and_then(|_| state.strangers.take(1, none, now));
        paid.map_or(Entry::Full, |_| Entry::Place(place))
    }

    /// Whether an unsigned webhook about this order is kept and looked at by itself.
    pub(crate) fn keeps_unsigned(&self, order: &PaymentId, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let kept = state
            .unsigned_per_order
            .take(order, 1, SignedDuration::ZERO, now);
        kept.is_some()
    }

    /// Asks that the reconciler has budget and places for. What it takes beyond that it would put back unasked.
    pub(crate) fn reconciler_room(&self, now: Timestamp) -> u32 {
        let budget = self.state.lock().reconciler.left(now);
        let places = self.reconciler.available_permits();
        u32::from(budget).min(u32::try_from(places).unwrap_or(u32::MAX))
    }

    /// How long an ask about what is known has to wait before it is made.
    pub(super) fn pace(
        &self,
        class: Class,
        portone: Portone,
        payment_id: &PaymentId,
        now: Timestamp,
    ) -> Result<Duration, SyncError> {
        let mut state = self.state.lock();
        let wait = match class {
            Class::Known => Some(SignedDuration::ZERO),
            Class::Visitor => state
                .visitors_per_order
                .take(payment_id, 1, VISITOR_PATIENCE, now),
            // One that is not made costs nothing: what is down must not use up the other generation's turns.
            Class::Reconciler if state.breaker(portone).refuses(now) => Some(SignedDuration::ZERO),
            Class::Reconciler => state.reconciler.take(1, SignedDuration::ZERO, now),
        };
        Ok(wait.ok_or(SyncError::Busy)?.unsigned_abs())
    }

    /// A place for an ask about what is known.
    pub(super) fn place(&self, class: Class) -> Result<SemaphorePermit<'_>, SyncError> {
        let places = match class {
            Class::Known => &self.known,
            Class::Visitor => &self.visitors,
            Class::Reconciler => &self.reconciler,
        };
        places.try_acquire().map_err(|_| SyncError::Busy)
    }

    /// Whether PortOne may be asked now, or is taken to be down. A person who presses a button, or a message that PortOne
    /// itself has just signed, is a reason to try.
    pub(super) fn admits(&self, class: Class, portone: Portone, now: Timestamp) -> bool {
        match class {
            Class::Known => true,
            Class::Visitor | Class::Reconciler => self.state.lock().breaker(portone).admits(now),
        }
    }

    /// Whether PortOne is taken to be down. Background work that can wait does.
    pub(crate) fn is_down(&self, portone: Portone) -> bool {
        self.state.lock().breaker(portone).is_open()
    }

    /// What became of an ask that was admitted.
    pub(super) fn hear<T>(
        &self,
        portone: Portone,
        answer: &Result<T, GatewayError>,
        now: Timestamp,
    ) {
        let mut state = self.state.lock();
        let breaker = state.breaker(portone);
        match answer {
            Err(GatewayError::Unavailable) => breaker.hear_nothing(now),
            // Not even an attempt was made to reach PortOne.
            Err(GatewayError::NotConfigured) => {}
            Ok(_)
            | Err(
                GatewayError::Garbled
                | GatewayError::Unauthorized
                | GatewayError::Refused
                | GatewayError::AlreadyPaid,
            ) => breaker.hear_answer(),
        }
    }

    /// Whether the policy may try now to give a transaction back: not while PortOne is down, and after each try not for a while,
    /// so that one which cannot be written down costs little.
    pub(crate) fn admits_policy(
        &self,
        portone: Portone,
        order: &PaymentId,
        id: &TransactionId,
        now: Timestamp,
    ) -> bool {
        let mut state = self.state.lock();
        if state.breaker(portone).is_open() || state.policy_tries.is_quiet(order, id, now) {
            return false;
        }
        state.policy_tries.note(order, id, now);
        true
    }

    /// PortOne was asked for a transaction and does not know it of the order.
    pub(super) fn note_unknown(&self, order: &PaymentId, id: &TransactionId, now: Timestamp) {
        self.state.lock().unknown_ids.note(order, id, now);
    }

    /// PortOne knows the transaction.
    pub(super) fn forget_unknown(&self, order: &PaymentId, id: &TransactionId) {
        self.state.lock().unknown_ids.forget(order, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    fn order(number: u32) -> PaymentId {
        PaymentId::parse(&format!("ORD-{number}")).expect("an id")
    }

    fn stranger(admission: &Admission, order_number: u32, id: u32, second: i64) -> bool {
        let id = TransactionId::parse(&format!("imp_{id}")).expect("an id");
        let entry = admission.stranger(&order(order_number), &id, at(second));
        matches!(entry, Entry::Place(_))
    }

    #[test]
    fn a_minute_asks_for_twenty_transactions_of_strangers_in_one_order_and_sixty_in_all() {
        let admission = Admission::default();
        let of_one = (0..1_000)
            .filter(|&n| stranger(&admission, 0, n, i64::from(n) * 60 / 1_000))
            .count();
        assert!((10..=20).contains(&of_one), "{of_one}");

        let admission = Admission::default();
        let of_all = (0..1_000)
            .filter(|&n| stranger(&admission, n, n, i64::from(n) * 60 / 1_000))
            .count();
        assert!((30..=60).contains(&of_all), "{of_all}");
    }

    #[test]
    fn strangers_leave_the_others_their_budgets() {
        let admission = Admission::default();
        for n in 0..1_000 {
            stranger(&admission, 0, n, 0);
        }

        assert_eq!(
            admission
                .pace(Class::Visitor, Portone::V1, &order(0), at(0))
                .ok(),
            Some(Duration::ZERO)
        );
        assert_eq!(
            admission
                .pace(Class::Reconciler, Portone::V1, &order(0), at(0))
                .ok(),
            Some(Duration::ZERO)
        );
        assert!(admission.place(Class::Known).is_ok());
    }

    #[test]
    fn a_portone_that_is_down_uses_up_none_of_the_reconcilers_turns() {
        let admission = Admission::default();
        for _ in 0..10 {
            let no_answer = Err::<(), _>(GatewayError::Unavailable);
            admission.hear(Portone::V2, &no_answer, at(0));
        }

        for n in 0..10_000 {
            let free = admission.pace(Class::Reconciler, Portone::V2, &order(n), at(1));
            assert_eq!(free.ok(), Some(Duration::ZERO));
        }

        assert_eq!(admission.reconciler_room(at(1)), RECONCILER_MAX as u32);
        let made = (0..10_000).filter(|&n| {
            let turn = admission.pace(Class::Reconciler, Portone::V1, &order(n), at(1));
            turn.is_ok()
        });
        assert_eq!(made.count(), usize::from(RECONCILER.burst));
    }

    #[test]
    fn visitors_who_wait_leave_the_others_their_places() {
        let admission = Admission::default();
        let waiting: Vec<_> = std::iter::from_fn(|| admission.place(Class::Visitor).ok()).collect();

        assert_eq!(waiting.len(), VISITORS_MAX);
        assert!(admission.place(Class::Known).is_ok());
        assert!(admission.place(Class::Reconciler).is_ok());
        assert!(stranger(&admission, 0, 0, 0));
    }

    #[test]
    fn an_order_that_is_flooded_does_not_use_up_what_strangers_may_cost_elsewhere() {
        let admission = Admission::default();
        for n in 0..1_000 {
            stranger(&admission, 0, n, 0);
        }

        assert!(stranger(&admission, 1, 5_000, 0));
    }

    #[test]
    fn visitors_of_one_order_wait_for_their_turn_and_not_for_ever() {
        let admission = Admission::default();
        let waits: Vec<Option<Duration>> = (0..30)
            .map(|_| {
                admission
                    .pace(Class::Visitor, Portone::V1, &order(0), at(0))
                    .ok()
            })
            .collect();

        assert_eq!(waits[19], Some(Duration::ZERO));
        assert_eq!(waits[20], Some(Duration::from_millis(500)));
        assert_eq!(waits[23], Some(Duration::from_secs(2)));
        assert_eq!(waits[24], None);
        assert!(
            admission
                .pace(Class::Visitor, Portone::V1, &order(1), at(0))
                .is_ok()
        );
        assert!(
            admission
                .pace(Class::Known, Portone::V1, &order(0), at(0))
                .is_ok()
        );
    }

    #[test]
    fn an_id_that_portone_does_not_know_is_left_alone_at_no_cost() {
        let admission = Admission::default();
        let id = TransactionId::parse("imp_0").expect("an id");
        admission.note_unknown(&order(0), &id, at(0));

        assert!((0..100).all(|_| !stranger(&admission, 0, 0, 0)));
        assert!(stranger(&admission, 0, 1, 0));

        admission.forget_unknown(&order(0), &id);
        assert!(stranger(&admission, 0, 0, 0));
    }

    #[test]
    fn the_policy_tries_once_and_then_rests() {
        let admission = Admission::default();
        let id = TransactionId::parse("imp_0").expect("an id");
        let tries = |from: i64, until: i64| {
            let seconds = from..until;
            seconds
                .filter(|s| admission.admits_policy(Portone::V1, &order(0), &id, at(*s)))
                .count()
        };

        assert_eq!((tries(0, 10), tries(10, 70)), (1, 1));
        for _ in 0..10 {
            admission.hear::<()>(Portone::V1, &Err(GatewayError::Unavailable), at(100));
        }
        assert_eq!(tries(100, 200), 0, "PortOne is down");
    }

    #[test]
    fn only_silence_counts_as_being_down_and_each_generation_for_itself() {
        let admission = Admission::default();
        let say = |error: GatewayError, times: usize| {
            for _ in 0..times {
                admission.hear::<()>(Portone::V1, &Err(error), at(0));
            }
        };

        say(GatewayError::Unavailable, 9);
        say(GatewayError::Garbled, 1);
        say(GatewayError::Unavailable, 9);
        assert!(!admission.is_down(Portone::V1));
        assert!(admission.admits(Class::Visitor, Portone::V1, at(0)));

        say(GatewayError::NotConfigured, 1);
        say(GatewayError::Unavailable, 1);
        assert!(admission.is_down(Portone::V1) && !admission.is_down(Portone::V2));
        for class in [Class::Visitor, Class::Reconciler] {
            assert!(!admission.admits(class, Portone::V1, at(0)));
            assert!(admission.admits(class, Portone::V2, at(0)));
        }
        assert!(admission.admits(Class::Known, Portone::V1, at(0)));
    }
}
