//! Stops asking a PortOne that does not answer, so that pages need not wait for it. Plain state; the time is an argument.
//!
//! It changes how soon something is known, never what: an ask that is not made is an ask without an answer.

use jiff::{SignedDuration, Timestamp};

/// Asks in a row without an answer before it opens.
const FAILURES_MAX: u32 = 10;
/// Pause between two asks that try whether PortOne is back.
const PROBE_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The breaker of one generation.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When it opened or last let an ask through.
    tried_at: Option<Timestamp>,
}

impl Breaker {
    /// Whether PortOne is taken to be down.
    pub(super) fn is_open(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Whether an ask would not be made now.
    pub(super) fn refuses(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep it open.
        let too_soon = self.tried_at.is_some_and(|at| {
            (SignedDuration::ZERO..PROBE_PAUSE).contains(&now.duration_since(at))
        });
        self.is_open() && too_soon
    }

    /// Whether an ask may be made now. While it is open, one is let through every few seconds.
    pub(super) fn admits(&mut self, now: Timestamp) -> bool {
        let admitted = !self.refuses(now);
        if admitted && self.is_open() {
            self.tried_at = Some(now);
        }
        admitted
    }

    /// An ask came back: with an answer, whatever it says.
    pub(super) fn hear_answer(&mut self) {
        *self = Self::default();
    }

    /// An ask came back without an answer.
    pub(super) fn hear_nothing(&mut self, now: Timestamp) {
        let was_open = self.is_open();
        self.failures = self.failures.saturating_add(1);
        if !was_open {
            self.tried_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::at;

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.hear_nothing(at(0));
        }
        breaker
    }

    #[test]
    fn ten_asks_in_a_row_without_an_answer_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.hear_nothing(at(0));
            assert!(!breaker.is_open() && breaker.admits(at(0)));
        }

        breaker.hear_nothing(at(0));

        assert!(breaker.is_open() && !breaker.admits(at(0)));
    }

    #[test]
    fn an_answer_between_begins_the_count_anew() {
        let mut breaker = Breaker::default();
        for second in 0..30 {
            breaker.hear_nothing(at(second));
            if second % 5 == 0 {
                breaker.hear_answer();
            }
            assert!(breaker.admits(at(second)));
        }
    }

    #[test]
    fn one_ask_every_five_seconds_tries_whether_portone_is_back() {
        let mut breaker = broken();
        let admitted: Vec<i64> = (0..16)
            .filter(|&second| breaker.admits(at(second)))
            .collect();
        assert_eq!(admitted, [5, 10, 15]);

        // Asks that were under way when it opened come back late: they push no try away.
        breaker.hear_nothing(at(19));
        assert!(breaker.admits(at(20)));

        breaker.hear_answer();
        assert!(!breaker.is_open() && breaker.admits(at(20)) && breaker.admits(at(20)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let mut breaker = broken();
        assert!(breaker.admits(at(3_600)));

        assert!(breaker.admits(at(0)));
        assert!(!breaker.admits(at(1)));
    }
}
