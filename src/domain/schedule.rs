//! When PortOne is asked again without anybody's prompting. Pure: attempt and draw in, time out.

use jiff::{SignedDuration, Timestamp};

use super::order::{Order, OrderStatus, Portone};
use super::transaction::{Transaction, Verdict};

/// Gaps for orders that may change any moment: an attempt is open, or PortOne did not answer.
const SOON_SECONDS: [i64; 9] = [5, 10, 30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600];
/// Gaps for issued accounts: deposits come in hours or days.
const ACCOUNT_SECONDS: [i64; 6] = [60, 300, 900, 3600, 3 * 3600, 6 * 3600];
/// Gaps for orders that nobody has tried to pay yet.
const IDLE_SECONDS: [i64; 6] = [120, 600, 3600, 6 * 3600, 12 * 3600, 24 * 3600];
/// Paid orders: refunds made in PortOne's console or at the gateway send no message here.
const SETTLED_SECONDS: [i64; 4] = [3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600];
/// How long an order without a deadline is asked about.
pub const WATCH_DAYS: i64 = 90;
/// How long beyond a deadline PortOne is still asked: banks report late, and PayPal turns failed into paid after two or three
/// days.
pub const GRACE: SignedDuration = SignedDuration::from_hours(4 * 24);

/// The next time to ask about an order, or `None` when its watch is over.
///
/// `uncertain` says that the last ask brought no answer. `draw` in 0..=1000 spreads the gaps by up to a fifth, so that a
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
    let gap_ms = gaps[step] * 1000;
    let spread_ms = gap_ms / 5 * i64::from(draw.min(1000)) / 1000;
    let next = now
        .checked_add(SignedDuration::from_millis(gap_ms + spread_ms))
        .ok()?;
    let end = watch_ends(order, transactions)?;
    // The order's own deadline is a moment to look, and so is the last one.
    let deadline = order
        .expires_at
        .filter(|at| *at > now && order.status.is_payable());
    (now < end).then(|| next.min(end).min(deadline.unwrap_or(end)))
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

/// Whether an attempt may still become a payment. Of a V2 payment one attempt alone can succeed: once one has, those that were
/// left open are over, and every window that is opened leaves one.
/// <https://developers.portone.io/opi/ko/integration/start/v2/checkout>
fn is_unfinished(order: &Order, transactions: &[Transaction]) -> bool {
    let decided = order.portone == Portone::V2 && order.accepted_transaction_id.is_some();
    !decided && transactions.iter().any(|t| t.verdict == Verdict::Pending)
}

/// The last moment worth asking: 90 days, or some time beyond the last deadline when there is one and nothing was paid.
fn watch_ends(order: &Order, transactions: &[Transaction]) -> Option<Timestamp> {
    let accounts = transactions
        .iter()
        .filter_map(|t| t.virtual_account.as_ref()?.expires_at);
    let deadline = accounts.max().max(order.expires_at).max(order.closed_at);
    let watched = order
        .created_at
        .checked_add(SignedDuration::from_hours(24 * WATCH_DAYS))
        .ok()?;
    match (order.status, deadline) {
        (
            OrderStatus::AwaitingDeposit | OrderStatus::Expired | OrderStatus::Closed,
            Some(deadline),
        ) => deadline.checked_add(GRACE).ok(),
        (_, Some(deadline)) => deadline.checked_add(GRACE).ok().map(|end| end.max(watched)),
        (_, None) => Some(watched),
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
