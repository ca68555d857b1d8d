//! When PortOne is asked again without anybody's prompting. Pure: attempt and draw in, time out.
//!
//! Every order comes to an end or has a next time. One with a deadline is asked about until it is paid, expired or closed, also
//! beyond its watch: nobody may have asked at the deadline. One that waits for a deposit is asked about until the money came or
//! its account ended ([`account_ends`]), and is open again then. Only an open order without a deadline has no end but its
//! watch's, and stays open: whoever pays it later brings a message, and the daily sweep finds who brings none, because PortOne
//! lists payments by when they were paid, however old their order is.

use jiff::{SignedDuration, Timestamp};

use super::order::{Order, OrderStatus, Portone};
use super::transaction::{Transaction, Verdict, VirtualAccount};

/// Gaps for orders that may change any moment: an attempt is open, or PortOne did not answer.
const SOON_SECONDS: [i64; 9] = [5, 10, 30, 60, 300, 900, 3_600, 10_800, 21_600];
/// Gaps for issued accounts: deposits come in hours or days.
const ACCOUNT_SECONDS: [i64; 6] = [60, 300, 900, 3_600, 10_800, 21_600];
/// Gaps for orders that nobody has tried to pay yet.
const IDLE_SECONDS: [i64; 6] = [120, 600, 3_600, 21_600, 43_200, 86_400];
/// Paid orders: refunds made in PortOne's console or at the gateway send no message here.
const SETTLED_SECONDS: [i64; 4] = [3_600, 86_400, 259_200, 604_800];
/// Pause after PortOne did not answer somebody who came between the checks, such as a buyer: mostly it was one call.
const BLIP_SECONDS: i64 = 8;
/// Pause before an order is asked about again that PortOne did not answer for in its turn either. It does not grow: when PortOne
/// is back, every order that waited is to be known within a minute, as far as the budget for asking about so many goes.
const OUTAGE_SECONDS: i64 = 40;
/// How long after PortOne did not know an attempt the order is asked about again at the latest.
const UNKNOWN_SECONDS: i64 = 3_600;
/// Gap for orders whose watch was over long ago, and whose last look brought nothing: a week.
const RARELY_SECONDS: i64 = 604_800;
/// How long an order without a deadline is asked about: 90 days.
pub const WATCH: SignedDuration = SignedDuration::from_hours(2_160);
/// How long beyond a deadline PortOne is still asked: banks report late, and PayPal turns failed into paid after two or three
/// days.
pub const GRACE: SignedDuration = SignedDuration::from_hours(96);

/// The next time to ask about an order, or `None` when its watch is over and nothing is left to end.
///
/// `uncertain` says that the last ask brought no answer that could be used: that is no last look, so there always is a next one
/// then. `draw` in 0..=1000 spreads the gaps by up to a fifth, so that a
/// thousand orders of one minute do not ask in one second.
#[must_use]
pub fn next_check(
    order: &Order,
    transactions: &[Transaction],
    uncertain: bool,
    now: Timestamp,
    draw: u16,
) -> Option<Timestamp> {
    let gaps: &[i64] = if uncertain || is_unfinished(order, transactions) {
        &SOON_SECONDS
    } else {
        match order.status {
            OrderStatus::AwaitingDeposit => &ACCOUNT_SECONDS,
            OrderStatus::Open | OrderStatus::Expired | OrderStatus::Closed => &IDLE_SECONDS,
            OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Held => {
                &SETTLED_SECONDS
            }
            OrderStatus::Refunded => return None,
        }
    };
    let step = usize::try_from(order.checks_without_change)
        .unwrap_or(usize::MAX)
        .min(gaps.len() - 1);
    let next = spread(now, gaps[step], draw)?;
    let end = watch_ends(order, transactions);
    if now >= end {
        let is_over_long = end.checked_add(GRACE).is_ok_and(|long| now >= long);
        return match (is_to_end(order), uncertain) {
            (true, _) => Some(next),
            // What nobody can say for so long, with keys that PortOne knows no more, is hardly said within the hour.
            (false, true) if is_over_long => spread(now, RARELY_SECONDS, draw),
            (false, true) => Some(next),
            (false, false) => None,
        };
    }
    // The order's own deadline is a moment to look, and so is the last one.
    let deadline = order
        .expires_at
        .filter(|at| *at > now && order.status.is_payable());
    Some(next.min(end).min(deadline.unwrap_or(end)))
}

/// Whether an answer of PortOne is what the order needs to leave its state: to expire, or to wait for no deposit any more.
fn is_to_end(order: &Order) -> bool {
    match order.status {
        OrderStatus::Open => order.expires_at.is_some(),
        OrderStatus::AwaitingDeposit => true,
        OrderStatus::Paid
        | OrderStatus::PartiallyRefunded
        | OrderStatus::Refunded
        | OrderStatus::Held
        | OrderStatus::Expired
        | OrderStatus::Closed => false,
    }
}

/// From when on an account is not waited for any more: some time beyond its deadline, because banks report late, or when an
/// account without one was first seen long ago. A deposit that comes later still is a payment.
#[must_use]
pub fn account_ends(account: &VirtualAccount, first_seen_at: Timestamp) -> Timestamp {
    wait_ends(account.expires_at, first_seen_at)
}

/// From when on an attempt is not waited for any more that becomes a payment without the shop's doing: some time beyond the
/// deadline of the number that the buyer pays with, or when a review was first seen long ago. A payment that comes later still
/// is one.
#[must_use]
pub fn approval_ends(waiting: &Transaction) -> Timestamp {
    wait_ends(waiting.pay_by, waiting.first_seen_at)
}

fn wait_ends(deadline: Option<Timestamp>, first_seen_at: Timestamp) -> Timestamp {
    let end = match deadline {
        Some(deadline) => deadline.checked_add(GRACE),
        None => first_seen_at.checked_add(WATCH),
    };
    end.unwrap_or(Timestamp::MAX)
}

/// Whether it was the order's turn to be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A worker asked because it was due, or the answer changed the order.
    Due,
    /// Somebody looked, and nothing changed.
    Between,
}

/// The next time to ask after an ask, see [`next_check`]; the order still holds the time that was set before. Somebody who
/// looks out of turn must not push the worker's turn away.
#[must_use]
pub fn next_turn(
    order: &Order,
    transactions: &[Transaction],
    turn: Turn,
    uncertain: bool,
    now: Timestamp,
    draw: u16,
) -> Option<Timestamp> {
    let next = next_check(order, transactions, uncertain, now, draw);
    match (turn, order.next_check_at) {
        (Turn::Between, Some(due)) => Some(next.map_or(due, |next| next.min(due))),
        (Turn::Between, None) | (Turn::Due, _) => next,
    }
}

/// The next time to ask about an order that somebody brought an attempt for which PortOne does not know: whatever the order's
/// own turn is, and also when its watch is over, it is looked at once more within the hour. Strangers can make attempts up, so
/// it is not sooner; what PortOne still does not know then is left to the order's turns, a day apart at most while it is unpaid.
#[must_use]
pub fn after_unknown(next: Option<Timestamp>, now: Timestamp, draw: u16) -> Timestamp {
    let within = spread(now, UNKNOWN_SECONDS, draw).unwrap_or(Timestamp::MAX);
    next.map_or(within, |next| next.min(within))
}

/// The next time to ask about an order that PortOne did not answer for. There always is one: an order is not given up because
/// its last look fell into an outage.
#[must_use]
pub fn after_outage(order: &Order, turn: Turn, now: Timestamp, draw: u16) -> Timestamp {
    let after = |gap| spread(now, gap, draw).unwrap_or(Timestamp::MAX);
    match (turn, order.next_check_at) {
        (Turn::Between, Some(due)) => after(BLIP_SECONDS).min(due),
        (Turn::Between, None) => after(BLIP_SECONDS),
        (Turn::Due, _) => after(OUTAGE_SECONDS),
    }
}

/// After `gap_seconds` and up to a fifth more.
fn spread(now: Timestamp, gap_seconds: i64, draw: u16) -> Option<Timestamp> {
    let gap_ms = gap_seconds * 1000;
    let spread_ms = gap_ms / 5 * i64::from(draw.min(1000)) / 1000;
    now.checked_add(SignedDuration::from_millis(gap_ms + spread_ms))
        .ok()
}

/// Whether an attempt may still become a payment. Of a V2 payment one attempt alone can succeed: once one has, those that were
/// left open are over, and every window that is opened leaves one.
/// <https://developers.portone.io/opi/ko/integration/start/v2/checkout>
fn is_unfinished(order: &Order, transactions: &[Transaction]) -> bool {
    let decided = order.portone == Portone::V2 && order.accepted_transaction_id.is_some();
    !decided && transactions.iter().any(|t| t.verdict == Verdict::Pending)
}

/// The last moment worth asking: 90 days, or some time beyond the last deadline when there is one and nothing was paid.
fn watch_ends(order: &Order, transactions: &[Transaction]) -> Timestamp {
    let accounts = transactions
        .iter()
        .filter_map(|t| Some(account_ends(t.virtual_account.as_ref()?, t.first_seen_at)));
    let beyond = |moment: Timestamp, time| moment.checked_add(time).unwrap_or(Timestamp::MAX);
    let deadline = order.expires_at.max(order.closed_at);
    let end = accounts.max().max(deadline.map(|at| beyond(at, GRACE)));
    let watched = beyond(order.created_at, WATCH);
    match (order.status, end) {
        (OrderStatus::AwaitingDeposit | OrderStatus::Expired | OrderStatus::Closed, Some(end)) => {
            end
        }
        (_, Some(end)) => end.max(watched),
        (_, None) => watched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::{at, left_open, order};
    use crate::domain::ids::TransactionId;

    const HOUR: i64 = 3600;

    #[test]
    fn gaps_grow_while_nothing_changes() {
        let next = |checks| {
            let order = Order {
                checks_without_change: checks,
                ..order()
            };
            next_check(&order, &[], true, at(0), 0)
                .expect("a next time")
                .as_second()
                - at(0).as_second()
        };

        assert_eq!(
            [next(0), next(1), next(4), next(100)],
            [5, 10, 300, 6 * HOUR]
        );
    }

    #[test]
    fn an_attempt_that_was_left_open_counts_until_its_payment_is_decided() {
        let gap = |portone, paid_by: Option<&str>| {
            let order = Order {
                portone,
                status: paid_by.map_or(OrderStatus::Open, |_| OrderStatus::Paid),
                accepted_transaction_id: paid_by.map(|id| TransactionId::parse(id).expect("an id")),
                ..order()
            };
            next_check(&order, &[left_open("tx-1")], false, at(0), 0)
                .expect("a next time")
                .as_second()
                - at(0).as_second()
        };

        assert_eq!(gap(Portone::V2, None), 5);
        assert_eq!(gap(Portone::V2, Some("tx-2")), HOUR);
        // V1 takes a second payment of the same order, so the left one may still become a duplicate.
        assert_eq!(gap(Portone::V1, Some("imp_2")), 5);
    }

    #[test]
    fn who_looks_out_of_turn_does_not_push_the_workers_turn_away() {
        let turn = |turn, due: Option<i64>, status| {
            let order = Order {
                status,
                next_check_at: due.map(at),
                ..order()
            };
            next_turn(&order, &[], turn, false, at(0), 0)
        };
        let open = OrderStatus::Open;

        // An open order that nobody tried to pay is due after two minutes.
        assert_eq!(turn(Turn::Between, Some(60), open), Some(at(60)));
        assert_eq!(turn(Turn::Between, Some(600), open), Some(at(120)));
        assert_eq!(turn(Turn::Between, None, open), Some(at(120)));
        assert_eq!(turn(Turn::Due, Some(60), open), Some(at(120)));
        assert_eq!(turn(Turn::Due, None, open), Some(at(120)));
        // Its watch is over, and still the turn that was set is taken.
        let refunded = OrderStatus::Refunded;
        assert_eq!(turn(Turn::Between, Some(60), refunded), Some(at(60)));
        assert_eq!(turn(Turn::Due, Some(60), refunded), None);
    }

    #[test]
    fn an_attempt_that_portone_does_not_know_is_looked_for_within_the_hour() {
        assert_eq!(after_unknown(None, at(0), 0), at(HOUR));
        assert_eq!(after_unknown(Some(at(HOUR + 1)), at(0), 0), at(HOUR));
        assert_eq!(after_unknown(Some(at(HOUR - 1)), at(0), 0), at(HOUR - 1));
        assert_eq!(after_unknown(None, at(0), 1000), at(HOUR + HOUR / 5));
    }

    #[test]
    fn an_outage_ends_no_watch_and_its_pause_does_not_grow() {
        let next = |turn, due: Option<i64>| {
            let order = Order {
                next_check_at: due.map(at),
                checks_without_change: 99,
                status: OrderStatus::Refunded,
                ..order()
            };
            after_outage(&order, turn, at(0), 1000)
        };

        assert_eq!(next(Turn::Due, None), at(48));
        assert_eq!(next(Turn::Due, Some(1)), at(48));
        let soon = at(0) + SignedDuration::from_millis(9_600);
        assert_eq!(next(Turn::Between, None), soon);
        assert_eq!(next(Turn::Between, Some(1)), at(1));
        assert_eq!(next(Turn::Between, Some(100)), soon);
    }

    #[test]
    fn the_draw_spreads_by_a_fifth_at_most() {
        let next = |draw| {
            next_check(&order(), &[], false, at(0), draw)
                .expect("a next time")
                .as_second()
                - at(0).as_second()
        };

        assert_eq!(
            [next(0), next(500), next(1000), next(u16::MAX)],
            [120, 132, 144, 144]
        );
    }

    #[test]
    fn the_deadline_itself_is_a_time_to_ask() {
        let order = Order {
            expires_at: Some(at(60)),
            ..order()
        };

        assert_eq!(next_check(&order, &[], false, at(0), 1000), Some(at(60)));
        // At the deadline and beyond, it is one no more.
        assert_eq!(next_check(&order, &[], false, at(60), 0), Some(at(180)));
        assert_eq!(next_check(&order, &[], false, at(61), 0), Some(at(181)));
        // Whoever paid is not bound by it.
        let paid = Order {
            status: OrderStatus::Paid,
            ..order
        };
        assert_eq!(next_check(&paid, &[], false, at(0), 0), Some(at(HOUR)));
    }

    #[test]
    fn every_state_has_its_own_gaps() {
        let day = 24 * HOUR;
        let gaps = |status, uncertain| -> Vec<i64> {
            let gap = |checks| {
                let order = Order {
                    status,
                    checks_without_change: checks,
                    ..order()
                };
                let next = next_check(&order, &[], uncertain, at(0), 0).expect("a next time");
                next.as_second() - at(0).as_second()
            };
            (0..9).map(gap).collect()
        };
        let soon = [5, 10, 30, 60, 300, 900, HOUR, 3 * HOUR, 6 * HOUR];
        let account = [60, 300, 900, HOUR, 3 * HOUR, 6 * HOUR];
        let idle = [120, 600, HOUR, 6 * HOUR, 12 * HOUR, day];
        let settled = [HOUR, day, 3 * day, 7 * day];

        for &status in OrderStatus::ALL {
            assert_eq!(gaps(status, true), soon, "{status:?}");
            let of_status: &[i64] = match status {
                OrderStatus::Open | OrderStatus::Expired | OrderStatus::Closed => &idle,
                OrderStatus::AwaitingDeposit => &account,
                OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Held => &settled,
                OrderStatus::Refunded => continue,
            };
            let found = gaps(status, false);
            assert!(found.starts_with(of_status), "{status:?}: {found:?}");
            assert!(
                found[of_status.len()..]
                    .iter()
                    .all(|gap| Some(gap) == of_status.last())
            );
        }
    }

    #[test]
    fn an_order_without_a_deadline_is_watched_for_ninety_days() {
        let order = Order {
            checks_without_change: 99,
            ..order()
        };
        let day = 24 * HOUR;

        let last = next_check(&order, &[], false, at(90 * day - 1), 0);
        assert_eq!(last, Some(at(90 * day)));
        assert_eq!(next_check(&order, &[], false, at(90 * day), 0), None);
    }

    #[test]
    fn no_watch_ends_with_an_answer_that_could_not_be_used() {
        let day = 24 * HOUR;
        for &status in OrderStatus::ALL {
            let order = Order {
                checks_without_change: 99,
                expires_at: Some(at(0)),
                status,
                ..order()
            };
            // What waits for an answer to end waits for no week.
            let ends_by_it = matches!(status, OrderStatus::Open | OrderStatus::AwaitingDeposit);
            let gap_long_after = if ends_by_it { 6 * HOUR } else { 7 * day };
            for turn in [Turn::Due, Turn::Between] {
                for (now, gap) in [(5 * day, 6 * HOUR), (365 * day, gap_long_after)] {
                    let next = next_turn(&order, &[], turn, true, at(now), 0);
                    assert_eq!(next, Some(at(now + gap)), "{status:?} {turn:?}");
                }
            }
        }
    }

    #[test]
    fn an_account_is_watched_for_four_days_beyond_its_deadline() {
        let day = 24 * HOUR;
        let issued = Transaction {
            verdict: Verdict::AwaitingDeposit,
            virtual_account: Some(crate::domain::transaction::VirtualAccount {
                bank: String::new(),
                account_number: "123-45".to_owned(),
                holder: None,
                expires_at: Some(at(3 * day)),
            }),
            ..left_open("imp_1")
        };
        let order = Order {
            status: OrderStatus::AwaitingDeposit,
            checks_without_change: 99,
            ..order()
        };
        let next = |now| next_check(&order, std::slice::from_ref(&issued), false, at(now), 0);

        assert_eq!(next(7 * day - 1), Some(at(7 * day)));
        // The look at the end opens the order again; until one is answered, it is looked at.
        assert_eq!(next(7 * day), Some(at(7 * day + 6 * HOUR)));
    }

    #[test]
    fn an_order_that_has_to_end_is_asked_about_until_it_does() {
        let year = 365 * 24 * HOUR;
        for &status in OrderStatus::ALL {
            for (expires_at, uncertain) in
                [(None, false), (Some(at(60)), false), (Some(at(60)), true)]
            {
                let order = Order {
                    status,
                    expires_at,
                    ..order()
                };
                let next = next_turn(&order, &[], Turn::Due, uncertain, at(year), 0);
                let is_to_end = match status {
                    OrderStatus::Open => expires_at.is_some(),
                    OrderStatus::AwaitingDeposit => true,
                    OrderStatus::Paid
                    | OrderStatus::PartiallyRefunded
                    | OrderStatus::Refunded
                    | OrderStatus::Held
                    | OrderStatus::Expired
                    | OrderStatus::Closed => false,
                };
                assert_eq!(next.is_some(), is_to_end || uncertain, "{order:?}");
            }
        }
    }

    #[test]
    fn the_last_look_is_at_the_end_and_then_it_is_over() {
        let closed_at = Some(at(0));
        let order = Order {
            closed_at,
            status: OrderStatus::Closed,
            checks_without_change: 99,
            ..order()
        };
        let end = at(0).checked_add(GRACE).expect("in range");

        assert_eq!(
            next_check(
                &order,
                &[],
                false,
                end.checked_sub(SignedDuration::from_hours(1))
                    .expect("in range"),
                0
            ),
            Some(end)
        );
        assert_eq!(next_check(&order, &[], false, end, 0), None);
    }

    #[test]
    fn an_order_that_was_given_back_whole_is_left_alone() {
        let order = Order {
            status: OrderStatus::Refunded,
            ..order()
        };

        assert_eq!(next_check(&order, &[], false, at(0), 0), None);
    }
}
