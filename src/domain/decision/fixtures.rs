//! An order to tell stories about.

use jiff::Timestamp;

use crate::domain::ids::{PayToken, PaymentId, StatusToken};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Buyer, Order, OrderStatus, Portone};

/// Seconds after the order was made.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

/// Open, over 65,000 won.
pub(crate) fn order() -> Order {
    Order {
        payment_id: PaymentId::parse("ORD-1").expect("an id"),
        version: 3,
        name: "사과".to_owned(),
        amount: Money::new(65_000, Currency::KRW).expect("an amount"),
        portone: Portone::V1,
        pay_method: None,
        channel_key: None,
        buyer: Buyer::default(),
        return_url: None,
        locale: None,
        metadata: None,
        fingerprint: "f".to_owned(),
        status_token: StatusToken::from_bytes([7; 16]),
        pay_token: PayToken::from_bytes([8; 16]),
        status: OrderStatus::Open,
        accepted_transaction_id: None,
        refunded_minor: 0,
        expires_at: None,
        expired_at: None,
        closed_at: None,
        checked_at: None,
        next_check_at: None,
        checks_without_change: 0,
        prepared_at: None,
        created_at: at(0),
        updated_at: at(0),
    }
}
