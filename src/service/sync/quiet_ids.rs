//! Transactions that are left alone for a while, each time longer: because PortOne said that it does not know them of an order, or
//! because the policy could not give them back. Plain state; the time is an argument.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::{PaymentId, TransactionId};

/// How long an id is left alone after it was asked for in vain once, twice, …
const QUIET: [SignedDuration; 4] = [
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(60),
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
];

#[derive(Debug)]
struct Seen {
    times: usize,
    at: Timestamp,
}

/// The ids, at most a fixed number of them.
#[derive(Debug)]
pub(super) struct QuietIds {
    ids_max: usize,
    ids: HashMap<(PaymentId, TransactionId), Seen>,
}

impl QuietIds {
    pub(super) fn new(ids_max: usize) -> Self {
        Self {
            ids_max,
            ids: HashMap::new(),
        }
    }

    /// Whether the id is left alone for now.
    pub(super) fn is_quiet(&self, order: &PaymentId, id: &TransactionId, now: Timestamp) -> bool {
        let Some(seen) = self.ids.get(&(order.clone(), id.clone())) else {
            return false;
        };
        let quiet = QUIET[(seen.times - 1).min(QUIET.len() - 1)];
        // A clock that was set back quiets nothing.
        (SignedDuration::ZERO..quiet).contains(&now.duration_since(seen.at))
    }

    /// The id is asked for in vain.
    pub(super) fn note(&mut self, order: &PaymentId, id: &TransactionId, now: Timestamp) {
        let key = (order.clone(), id.clone());
        let times = self.ids.get(&key).map_or(0, |seen| seen.times) + 1;
        self.ids.insert(key, Seen { times, at: now });
        if self.ids.len() > self.ids_max {
            let oldest = self.ids.iter().min_by_key(|(_, seen)| seen.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.ids.remove(&oldest);
            }
        }
    }

    /// The id is worth asking for again.
    pub(super) fn forget(&mut self, order: &PaymentId, id: &TransactionId) {
        self.ids.remove(&(order.clone(), id.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    fn order(number: u8) -> PaymentId {
        PaymentId::parse(&format!("ORD-{number}")).expect("an id")
    }

    fn id(text: &str) -> TransactionId {
        TransactionId::parse(text).expect("an id")
    }

    #[test]
    fn the_quiet_grows_from_ten_seconds_to_an_hour() {
        let mut unknown = QuietIds::new(10);
        let mut now = 0;
        for quiet in [10, 60, 600, 3_600, 3_600] {
            assert!(!unknown.is_quiet(&order(1), &id("imp_1"), at(now)));
            unknown.note(&order(1), &id("imp_1"), at(now));
            assert!(unknown.is_quiet(&order(1), &id("imp_1"), at(now)));
            now += quiet;
            assert!(unknown.is_quiet(&order(1), &id("imp_1"), at(now - 1)));
        }
    }

    #[test]
    fn other_ids_and_other_orders_are_not_quiet() {
        let mut unknown = QuietIds::new(10);
        unknown.note(&order(1), &id("imp_1"), at(0));

        assert!(!unknown.is_quiet(&order(1), &id("imp_2"), at(0)));
        assert!(!unknown.is_quiet(&order(2), &id("imp_1"), at(0)));
    }

    #[test]
    fn what_turned_up_begins_anew() {
        let mut unknown = QuietIds::new(10);
        unknown.note(&order(1), &id("imp_1"), at(0));
        unknown.note(&order(1), &id("imp_1"), at(10));

        unknown.forget(&order(1), &id("imp_1"));

        assert!(!unknown.is_quiet(&order(1), &id("imp_1"), at(11)));
        unknown.note(&order(1), &id("imp_1"), at(11));
        assert!(!unknown.is_quiet(&order(1), &id("imp_1"), at(21)));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut unknown = QuietIds::new(2);
        for (second, name) in ["imp_1", "imp_2", "imp_3"].into_iter().enumerate() {
            unknown.note(&order(1), &id(name), at(second as i64));
        }

        let quiet =
            ["imp_1", "imp_2", "imp_3"].map(|name| unknown.is_quiet(&order(1), &id(name), at(3)));
        assert_eq!(quiet, [false, true, true]);
        assert_eq!(unknown.ids.len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_quiets_nothing() {
        let mut unknown = QuietIds::new(10);
        unknown.note(&order(1), &id("imp_1"), at(3_600));

        assert!(!unknown.is_quiet(&order(1), &id("imp_1"), at(0)));
    }
}
