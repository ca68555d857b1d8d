//! The answer to PortOne's confirm process: right before an approval it asks the shop whether the payment may go on. Pure.
//!
//! Going on promises nothing: the payment is verified afterwards like any other. Stopping keeps a payment from being made
//! that would have to be given back.
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v1>,
//! <https://developers.portone.io/opi/ko/extra/confirm-process/readme-v2>

use jiff::Timestamp;

use super::evidence::Figure;
use super::order::{Order, OrderStatus, Portone, words};

/// Why a payment is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// No such order, or one of the other generation.
    UnknownOrder,
    /// The order's time is over, or the shop closed it.
    Over,
    /// The order has been paid.
    Paid,
    /// Somebody paid, and a person looks at it.
    Held,
    /// Not the order's amount.
    Amount,
    /// The order could not be read in time.
    Unavailable,
    /// The question cannot be read, or its signature is wrong.
    Unreadable,
}
words!(Stop {
    UnknownOrder = "unknown_order",
    Over = "over",
    Paid = "paid",
    Held = "held",
    Amount = "amount",
    Unavailable = "unavailable",
    Unreadable = "unreadable",
});

/// Whether a payment of `amount` through `portone` may go on for `order` at `now`.
///
/// # Errors
/// [`Stop`] with the first reason why it may not.
pub fn may_go_on(
    order: &Order,
    portone: Portone,
    amount: Figure,
    now: Timestamp,
) -> Result<(), Stop> {
    if order.portone != portone {
        return Err(Stop::UnknownOrder);
    }
    match order.status {
        OrderStatus::Open | OrderStatus::AwaitingDeposit => {}
        OrderStatus::Paid | OrderStatus::PartiallyRefunded | OrderStatus::Refunded => {
            return Err(Stop::Paid);
        }
        OrderStatus::Held => return Err(Stop::Held),
        OrderStatus::Expired | OrderStatus::Closed => return Err(Stop::Over),
    }
    if order.expires_at.is_some_and(|at| at <= now) {
        return Err(Stop::Over);
    }
    if amount.money(order.amount.currency) != Ok(order.amount) {
        return Err(Stop::Amount);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::decision::fixtures::{at, order};
    use crate::domain::money::{Currency, Money};

    const WON: Figure = Figure::Major(Decimal::from_parts(65_000, 0, 0, false, 0));

    fn answer(order: &Order) -> Result<(), Stop> {
        may_go_on(order, order.portone, WON, at(10))
    }

    #[test]
    fn an_open_order_over_its_amount_goes_on() {
        assert_eq!(answer(&order()), Ok(()));
        assert_eq!(
            answer(&Order {
                status: OrderStatus::AwaitingDeposit,
                expires_at: Some(at(11)),
                ..order()
            }),
            Ok(())
        );
    }

    #[test]
    fn every_other_state_stops() {
        for (status, stop) in [
            (OrderStatus::Paid, Stop::Paid),
            (OrderStatus::PartiallyRefunded, Stop::Paid),
            (OrderStatus::Refunded, Stop::Paid),
            (OrderStatus::Held, Stop::Held),
            (OrderStatus::Expired, Stop::Over),
            (OrderStatus::Closed, Stop::Over),
        ] {
            assert_eq!(
                answer(&Order { status, ..order() }),
                Err(stop),
                "{status:?}"
            );
        }
        assert_eq!(
            answer(&Order {
                expires_at: Some(at(10)),
                ..order()
            }),
            Err(Stop::Over),
            "a deadline that nobody noted yet"
        );
    }

    #[test]
    fn each_generation_is_read_in_its_own_unit() {
        let dollars = |portone| Order {
            portone,
            amount: Money::new(1420, Currency::parse("USD").expect("a currency"))
                .expect("an amount"),
            ..order()
        };
        let major = |text: &str| Figure::Major(text.parse().expect("a decimal"));
        for (portone, amount, answer) in [
            (Portone::V1, major("14.2"), Ok(())),
            (Portone::V1, major("14.20"), Ok(())),
            (Portone::V1, major("1420"), Err(Stop::Amount)),
            (Portone::V1, major("14.205"), Err(Stop::Amount)),
            (Portone::V2, Figure::Minor(1420), Ok(())),
            (Portone::V2, Figure::Minor(14), Err(Stop::Amount)),
            (Portone::V2, Figure::Minor(-1420), Err(Stop::Amount)),
        ] {
            assert_eq!(
                may_go_on(&dollars(portone), portone, amount, at(10)),
                answer,
                "{portone:?} {amount}"
            );
        }
    }

    #[test]
    fn the_other_generations_question_is_about_no_order() {
        assert_eq!(
            may_go_on(&order(), Portone::V2, Figure::Minor(65_000), at(10)),
            Err(Stop::UnknownOrder)
        );
    }
}
