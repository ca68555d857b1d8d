//! A token bucket: how many calls something may cost in a time. Plain state; the time is an argument.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::PaymentId;

const MINUTE_MICROS: i64 = 60_000_000;

/// How much a bucket lets through. In any minute that is never more than `burst + per_minute`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// What may be taken at once.
    pub(super) burst: u16,
    /// What comes back in a minute.
    pub(super) per_minute: u16,
}

impl Rate {
    fn micros(self, tokens: u16) -> i64 {
        i64::from(tokens) * MINUTE_MICROS / i64::from(self.per_minute)
    }
}

/// One bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    /// When the bucket is full again; what lies between now and then has been taken. One number that needs no refilling.
    full_at_micros: i64,
}

impl Bucket {
    pub(super) fn full(rate: Rate) -> Self {
        Self {
            rate,
            full_at_micros: i64::MIN,
        }
    }

    /// Takes `tokens`, and says how long to wait before they are used; `None` takes nothing, because they would not be there
    /// within `patience`.
    pub(super) fn take(
        &mut self,
        tokens: u16,
        patience: SignedDuration,
        now: Timestamp,
    ) -> Option<SignedDuration> {
        let now = now.as_microsecond();
        let patience = i64::try_from(patience.as_micros()).ok()?;
        let empty = now + self.rate.micros(self.rate.burst);
        let after = self.follow_clock(now, empty + patience) + self.rate.micros(tokens);
        let wait = (after - empty).max(0);
        if wait > patience {
            return None;
        }
        self.full_at_micros = after;
        Some(SignedDuration::from_micros(wait))
    }

    /// How many could be taken now without a wait.
    pub(super) fn left(&mut self, now: Timestamp) -> u16 {
        let now = now.as_microsecond();
        let whole = self.rate.micros(self.rate.burst);
        let taken = self.follow_clock(now, now + whole) - now;
        let left = (whole - taken) * i64::from(self.rate.per_minute) / MINUTE_MICROS;
        u16::try_from(left).unwrap_or(u16::MAX)
    }

    /// When the bucket is full again, by this clock: a clock that was set back must not leave it empty for as long, whether or not
    /// anybody takes of it meanwhile.
    fn follow_clock(&mut self, now_micros: i64, latest_micros: i64) -> i64 {
        self.full_at_micros = self.full_at_micros.clamp(now_micros, latest_micros);
        self.full_at_micros
    }
}

/// A bucket for each order. An order without one has a full one.
#[derive(Debug)]
pub(super) struct OrderBuckets {
    rate: Rate,
    orders_max: usize,
    buckets: HashMap<PaymentId, Bucket>,
}

impl OrderBuckets {
    pub(super) fn new(rate: Rate, orders_max: usize) -> Self {
        Self {
            rate,
            orders_max,
            buckets: HashMap::new(),
        }
    }

    /// See [`Bucket::take`].
    pub(super) fn take(
        &mut self,
        id: &PaymentId,
        tokens: u16,
        patience: SignedDuration,
        now: Timestamp,
    ) -> Option<SignedDuration> {
        if let Some(bucket) = self.buckets.get_mut(id) {
            return bucket.take(tokens, patience, now);
        }
        self.make_room(now);
        let mut bucket = Bucket::full(self.rate);
        let wait = bucket.take(tokens, patience, now);
        self.buckets.insert(id.clone(), bucket);
        wait
    }

    /// Full buckets need not be remembered; when there are none, the fuller half goes. So many at once, because to find them
    /// takes as long as there are buckets, and a flood of orders must not pay that for each.
    fn make_room(&mut self, now: Timestamp) {
        if self.buckets.len() < self.orders_max {
            return;
        }
        let mut full_at: Vec<i64> = self
            .buckets
            .values()
            .map(|bucket| bucket.full_at_micros)
            .filter(|full_at| *full_at > now.as_microsecond())
            .collect();
        let now = now.as_microsecond();
        let mut to_forget = full_at.len().saturating_sub(self.orders_max / 2);
        let forgotten_upto = match to_forget.checked_sub(1) {
            Some(last) => *full_at.select_nth_unstable(last).1,
            None => now,
        };
        self.buckets.retain(|_, bucket| {
            let full_at = bucket.full_at_micros;
            if full_at <= now {
                return false;
            }
            let goes = full_at <= forgotten_upto && to_forget > 0;
            to_forget -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    const NOW: SignedDuration = SignedDuration::ZERO;
    const TEN: Rate = Rate {
        burst: 10,
        per_minute: 10,
    };

    fn id(text: &str) -> PaymentId {
        PaymentId::parse(text).expect("an id")
    }

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_burst_then_a_steady_flow() {
        let mut bucket = Bucket::full(TEN);
        let mut takes = |tokens, second| bucket.take(tokens, NOW, at(second)).is_some();

        assert!(takes(10, 0));
        assert!(!takes(1, 0) && !takes(1, 5));
        assert!(takes(1, 6));
        assert!(!takes(1, 6));
        assert!(!takes(10, 65) && takes(10, 66));
    }

    #[test]
    fn no_minute_lets_more_through_than_the_rate_says() {
        let rate = Rate {
            burst: 20,
            per_minute: 40,
        };
        let mut bucket = Bucket::full(rate);
        let mut taken_at = Vec::new();
        for tenth in 0..6_000 {
            let now = at(0) + SignedDuration::from_millis(100 * tenth);
            while bucket.take(2, NOW, now).is_some() {
                taken_at.push(now);
            }
        }

        let most = taken_at
            .iter()
            .map(|from| {
                let minute = *from..*from + seconds(60);
                2 * taken_at.iter().filter(|at| minute.contains(at)).count()
            })
            .max();
        assert!(
            most.is_some_and(|most| (40..=60).contains(&most)),
            "{most:?}"
        );
    }

    #[test]
    fn who_is_patient_is_told_how_long_to_wait_and_who_comes_next_waits_longer() {
        let mut bucket = Bucket::full(TEN);
        let mut take = |patience, second| bucket.take(1, seconds(patience), at(second));
        for _ in 0..10 {
            assert_eq!(take(20, 0), Some(NOW));
        }

        assert_eq!(take(20, 0), Some(seconds(6)));
        assert_eq!(take(20, 0), Some(seconds(12)));
        assert_eq!(take(17, 0), None);
        assert_eq!(take(20, 0), Some(seconds(18)));
        assert_eq!(take(20, 18), Some(seconds(6)));
    }

    #[test]
    fn a_clock_that_is_set_back_empties_no_bucket_for_long() {
        let mut bucket = Bucket::full(TEN);
        assert!(bucket.take(10, NOW, at(3_600)).is_some());

        assert!(bucket.take(1, NOW, at(0)).is_none());
        assert!(bucket.take(1, NOW, at(6)).is_some());
    }

    #[test]
    fn orders_do_not_share_a_bucket() {
        let mut buckets = OrderBuckets::new(TEN, 10);

        assert!(buckets.take(&id("a"), 10, NOW, at(0)).is_some());
        assert!(buckets.take(&id("a"), 1, NOW, at(0)).is_none());
        assert!(buckets.take(&id("b"), 10, NOW, at(0)).is_some());
    }

    #[test]
    fn what_is_left_can_be_taken_and_no_more() {
        let mut bucket = Bucket::full(TEN);
        assert_eq!(bucket.left(at(0)), 10);
        bucket.take(7, NOW, at(0));
        assert_eq!(bucket.left(at(0)), 3);
        bucket.take(3, NOW, at(0));

        for second in [0, 5, 6, 30, 60, 600] {
            let left = bucket.left(at(second));
            assert_eq!(i64::from(left), (second / 6).min(10), "{second}");
        }
        // A clock that is set back finds an empty one, which fills by it as ever.
        bucket.take(10, NOW, at(3_600));
        for second in [0, 5, 6, 30, 60] {
            let left = bucket.left(at(second - 3_600));
            assert_eq!(i64::from(left), (second / 6).min(10), "{second}");
        }
    }

    #[test]
    fn a_flood_of_orders_makes_room_for_many_at_once_and_forgets_no_empty_bucket() {
        let mut buckets = OrderBuckets::new(TEN, 100);
        buckets.take(&id("empty"), 10, NOW, at(0));

        for n in 0..1_000 {
            buckets.take(&id(&format!("ORD-{n}")), 1, NOW, at(0));
            assert!(buckets.buckets.len() <= 100);
        }

        assert!(buckets.take(&id("empty"), 1, NOW, at(0)).is_none());
    }

    #[test]
    fn the_fullest_bucket_is_forgotten_first_and_the_map_stays_small() {
        let mut buckets = OrderBuckets::new(TEN, 2);
        buckets.take(&id("empty"), 10, NOW, at(0));
        buckets.take(&id("half"), 5, NOW, at(0));

        buckets.take(&id("new"), 10, NOW, at(0));

        assert_eq!(buckets.buckets.len(), 2);
        assert!(buckets.take(&id("empty"), 1, NOW, at(0)).is_none());
        assert!(buckets.take(&id("new"), 1, NOW, at(0)).is_none());
        // After a minute all are full, and none needs to be remembered.
        buckets.take(&id("later"), 1, NOW, at(60));
        assert_eq!(buckets.buckets.len(), 1);
    }
}
