//! How an order ends without a payment: its time runs out, or the shop closes it. Pure, like [`super::decide`].

use jiff::Timestamp;
use serde_json::json;
use thiserror::Error;

use super::{Decision, Note, status_of};
use crate::domain::event::{Event, EventType, event_id};
use crate::domain::history::EntryKind;
use crate::domain::order::{Order, OrderStatus};
use crate::domain::schedule::GRACE;
use crate::domain::transaction::Transaction;

/// How much of a payment an answer told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The payment itself, but not every attempt to pay it, or not so that it can be read.
    Payment,
    /// Every attempt.
    Attempts,
}

/// An ask by an order's number that PortOne answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// When the fetching of the answer began.
    pub at: Timestamp,
    /// How much the answer told.
    pub extent: Extent,
}

/// Why an order is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the order has been paid")]
pub struct AlreadyPaid;

/// Ends an order whose time ran out; `None` when it is not over. Not knowing is no reason to end an order: PortOne must have
/// been asked for all of its attempts at the deadline or later, so that a payment in the last second is not overlooked.
///
/// V2's list of attempts may fail for good: PortOne calls it unstable. The payment itself shows the one attempt that succeeded,
/// if one did, so an order ends by that alone, too, once banks have had their time to report ([`GRACE`]). Nor does what decides
/// nothing hold an order open for longer: a cancel that never gives anything back, say. If it turns out to be a payment, it is late.
/// <https://developers.portone.io/opi/ko/integration/start/v2/checkout>
///
/// `asked` is the caller's own ask. The order's `checked_at` cannot stand for it: somebody else's answer moves that, too, and
/// may tell of one attempt alone.
#[must_use]
pub fn expire(
    order: &Order,
    transactions: &[Transaction],
    asked: Option<Asked>,
    now: Timestamp,
) -> Option<Decision> {
    let deadline = order.expires_at.filter(|at| *at <= now)?;
    let asked = asked?;
    let enough_from = match asked.extent {
        Extent::Attempts => deadline,
        Extent::Payment => deadline.checked_add(GRACE).ok()?,
    };
    if !order.status.is_payable() || asked.at < enough_from {
        return None;
    }
    let ended = Order {
        expired_at: Some(now),
        ..order.clone()
    };
    let mut decision = ending(order, ended, transactions, EntryKind::Expired, now);
    decision.events.push(Event {
        id: event_id(EventType::OrderExpired, &order.payment_id, None, 0),
        event_type: EventType::OrderExpired,
        payment_id: order.payment_id.clone(),
        transaction_id: None,
        status: decision.order.status,
        refunded_minor: order.refunded_minor,
        at: now,
    });
    Some(decision)
}

/// Closes an order: a payment that arrives later is `late`. `None` when it is closed already.
///
/// # Errors
/// [`AlreadyPaid`]: what is to be done then is a refund.
pub fn close(
    order: &Order,
    transactions: &[Transaction],
    now: Timestamp,
) -> Result<Option<Decision>, AlreadyPaid> {
    match order.status {
        OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded => {
            Err(AlreadyPaid)
        }
        OrderStatus::Open
        | OrderStatus::AwaitingDeposit
        | OrderStatus::Held
        | OrderStatus::Expired
        | OrderStatus::Closed => {
            let closed = Order {
                closed_at: Some(now),
                ..order.clone()
            };
            Ok(order
                .closed_at
                .is_none()
                .then(|| ending(order, closed, transactions, EntryKind::Closed, now)))
        }
    }
}

fn ending(
    before: &Order,
    mut order: Order,
    transactions: &[Transaction],
    kind: EntryKind,
    now: Timestamp,
) -> Decision {
    order.status = status_of(&order, transactions);
    order.updated_at = now;
    let note = Note {
        kind,
        data: json!({ "from": before.status.as_str(), "to": order.status.as_str() }),
    };
    Decision {
        order,
        transactions: Vec::new(),
        notes: vec![note],
        events: Vec::new(),
        foreign: Vec::new(),
        unclear: false,
        moved: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::fixtures::{at, held, left_open, order};

    fn whole(second: i64) -> Option<Asked> {
        Some(Asked {
            at: at(second),
            extent: Extent::Attempts,
        })
    }

    /// Its deadline was at second 60, and PortOne last told something of it long after that.
    fn overdue() -> Order {
        Order {
            expires_at: Some(at(60)),
            checked_at: Some(at(90)),
            ..order()
        }
    }

    #[test]
    fn an_order_whose_time_ran_out_expires_and_the_shop_is_told() {
        let decision = expire(&overdue(), &[], whole(60), at(60)).expect("it is over");

        assert_eq!(
            decision.order,
            Order {
                status: OrderStatus::Expired,
                expired_at: Some(at(60)),
                updated_at: at(60),
                ..overdue()
            }
        );
        assert_eq!(
            decision.events,
            [Event {
                id: event_id(EventType::OrderExpired, &order().payment_id, None, 0),
                event_type: EventType::OrderExpired,
                payment_id: order().payment_id,
                transaction_id: None,
                status: OrderStatus::Expired,
                refunded_minor: 0,
                at: at(60),
            }]
        );
        assert_eq!(
            decision.notes,
            [Note {
                kind: EntryKind::Expired,
                data: json!({ "from": "open", "to": "expired" })
            }]
        );
        assert!(decision.moved && decision.transactions.is_empty());
    }

    #[test]
    fn an_order_does_not_expire_before_its_time_or_before_portone_was_asked_at_it() {
        let endless = Order {
            expires_at: None,
            ..overdue()
        };

        assert_eq!(expire(&overdue(), &[], whole(60), at(59)), None);
        assert_eq!(expire(&endless, &[], whole(100), at(100)), None);
        // Whatever somebody else was told since.
        for asked in [None, whole(59)] {
            let decision = expire(&overdue(), &[], asked, at(100));
            assert_eq!(decision, None, "{asked:?}");
        }
    }

    #[test]
    fn what_the_payment_alone_shows_ends_an_order_once_banks_have_reported() {
        let over = 60 + GRACE.as_secs();
        let by_payment = |asked_at, order: &Order| {
            let asked = Asked {
                at: at(asked_at),
                extent: Extent::Payment,
            };
            expire(order, &[left_open("tx-1")], Some(asked), at(over)).is_some()
        };
        let endless = Order {
            expires_at: None,
            ..overdue()
        };

        assert!(by_payment(over, &overdue()));
        assert!(!by_payment(over - 1, &overdue()) && !by_payment(60, &overdue()));
        assert!(!by_payment(over, &endless));
        for &status in OrderStatus::ALL {
            let order = Order {
                status,
                ..overdue()
            };
            assert_eq!(by_payment(over, &order), status.is_payable(), "{status:?}");
        }
    }

    #[test]
    fn only_an_order_that_may_be_paid_expires() {
        for &status in OrderStatus::ALL {
            let order = Order {
                status,
                ..overdue()
            };
            assert_eq!(
                expire(&order, &[], whole(60), at(60)).is_some(),
                matches!(status, OrderStatus::Open | OrderStatus::AwaitingDeposit),
                "{status:?}"
            );
        }
    }

    #[test]
    fn closing_ends_an_order_once() {
        let decision = close(&order(), &[], at(5))
            .expect("it is unpaid")
            .expect("it is open");

        assert_eq!(
            decision.order,
            Order {
                status: OrderStatus::Closed,
                closed_at: Some(at(5)),
                updated_at: at(5),
                ..order()
            }
        );
        assert_eq!(
            decision.notes,
            [Note {
                kind: EntryKind::Closed,
                data: json!({ "from": "open", "to": "closed" })
            }]
        );
        assert!(decision.moved && decision.events.is_empty());
        assert_eq!(close(&decision.order, &[], at(9)), Ok(None));
    }

    #[test]
    fn a_held_order_can_be_closed_and_stays_held() {
        let order = Order {
            status: OrderStatus::Held,
            ..order()
        };

        let decision = close(&order, &[held("imp_1")], at(5))
            .expect("it is unpaid")
            .expect("it is open");

        assert_eq!(
            (decision.order.status, decision.order.closed_at),
            (OrderStatus::Held, Some(at(5)))
        );
    }

    #[test]
    fn a_paid_order_is_not_closed() {
        for &status in OrderStatus::ALL {
            let paid = matches!(
                status,
                OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded
            );
            let result = close(&Order { status, ..order() }, &[], at(5));
            assert_eq!(result == Err(AlreadyPaid), paid, "{status:?}");
        }
    }
}
