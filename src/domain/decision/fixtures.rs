//! An order to tell stories about.

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::domain::evidence::{Record, Reported};
use crate::domain::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Buyer, Mode, Order, OrderStatus, Portone};
use crate::domain::transaction::{Transaction, TransactionStatus, Verdict};
use crate::domain::verification::Expected;

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
        window_params: None,
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

/// What the server of the stories takes payments for.
pub(crate) fn expected(mode: Mode) -> Expected {
    Expected {
        mode,
        v2_store_id: Some("store-1".to_owned()),
    }
}

/// An attempt that the buyer left.
pub(crate) fn left_open(id: &str) -> Transaction {
    Transaction {
        transaction_id: TransactionId::parse(id).expect("an id"),
        payment_id: order().payment_id,
        status: TransactionStatus::Ready,
        verdict: Verdict::Pending,
        amount_minor: Some(65_000),
        currency: Some("KRW".to_owned()),
        cancelled_minor: 0,
        test: Some(false),
        pay_method: None,
        pg_provider: None,
        approval_number: None,
        method_name: None,
        fail_reason: None,
        receipt_url: None,
        virtual_account: None,
        pay_by: None,
        paid_at: None,
        checks: Vec::new(),
        first_seen_at: at(0),
        checked_at: at(0),
    }
}

/// A paid attempt that failed a check.
pub(crate) fn held(id: &str) -> Transaction {
    Transaction {
        status: TransactionStatus::Paid,
        verdict: Verdict::Held,
        ..left_open(id)
    }
}

/// A payment of the order as V1 tells of it.
pub(crate) fn record(status: TransactionStatus, cancelled: i64) -> Record {
    Record {
        portone: Some(Portone::V1),
        store_id: None,
        asked: None,
        transaction_id: TransactionId::parse("imp_1").expect("an id"),
        payment_id: "ORD-1".to_owned(),
        status: Some(status),
        reported: Reported::Major {
            amount: Decimal::from(65_000),
            cancelled: Decimal::from(cancelled),
        },
        currency: Some("KRW".to_owned()),
        test: Some(false),
        pay_method: None,
        pg_provider: None,
        approval_number: None,
        method_name: None,
        fail_reason: None,
        receipt_url: None,
        virtual_account: None,
        pay_by: None,
        paid_at: Some(at(0)),
        given_back_at: None,
    }
}
