//! Values for the store to keep.

use jiff::Timestamp;
use serde_json::json;
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::history::{Actor, Entry, EntryKind};
use wanryo::domain::ids::{PayToken, PaymentId, StatusToken, TransactionId};
use wanryo::domain::money::{AMOUNT_MINOR_MAX, Currency, Money};
use wanryo::domain::order::{Buyer, Order, OrderStatus, Portone};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict, VirtualAccount};
use wanryo::domain::verification::{Check, CheckName};
use wanryo::domain::window_params::WindowParams;
use wanryo::ports::store::{Commit, Received};

/// Seconds after the moment at which every test begins.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

pub(super) fn payment_id(text: &str) -> PaymentId {
    PaymentId::parse(text).unwrap()
}

pub(super) fn transaction_id(text: &str) -> TransactionId {
    TransactionId::parse(text).unwrap()
}

/// An order with nothing optional in it.
pub(super) fn order(id: &str) -> Order {
    Order {
        payment_id: payment_id(id),
        version: 0,
        name: "Socks".to_owned(),
        amount: Money::new(64_900, Currency::KRW).unwrap(),
        portone: Portone::V1,
        pay_method: None,
        channel_key: None,
        buyer: Buyer::default(),
        return_url: None,
        locale: None,
        metadata: None,
        window_params: None,
        fingerprint: "f".to_owned(),
        status_token: StatusToken::from_bytes(rand::random()),
        pay_token: PayToken::from_bytes(rand::random()),
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

/// An unpaid order with everything optional in it, in Korean where people write, each value another one.
pub(super) fn full_order(id: &str) -> Order {
    Order {
        version: 7,
        name: "양말 세 켤레 🧦 'Größe' \"M\"\n\\ %_".to_owned(),
        amount: Money::new(AMOUNT_MINOR_MAX, Currency::parse("USD").unwrap()).unwrap(),
        portone: Portone::V2,
        pay_method: Some("card".to_owned()),
        channel_key: Some("channel-key-1".to_owned()),
        buyer: Buyer {
            name: Some("홍길동".to_owned()),
            email: Some("hong@example.com".to_owned()),
            tel: Some("010-1234-5678".to_owned()),
        },
        return_url: Some("https://shop.example/감사".to_owned()),
        locale: Some("ko".to_owned()),
        metadata: Some(r#"{"b":1, "a":[null]}"#.to_owned()),
        window_params: WindowParams::from_stored(r#"{"digital":true,"bypass":{"a":[null]}}"#),
        fingerprint: "0123456789abcdef".to_owned(),
        refunded_minor: AMOUNT_MINOR_MAX,
        expires_at: Some(at(1)),
        expired_at: Some(at(2)),
        closed_at: Some(at(3)),
        checked_at: Some(at(4)),
        next_check_at: Some(at(5)),
        checks_without_change: i64::MAX,
        prepared_at: Some(at(6)),
        created_at: Timestamp::from_microsecond(-1).unwrap(),
        updated_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
        ..order(id)
    }
}

/// A transaction with nothing optional in it.
pub(super) fn transaction(id: &str, order: &Order) -> Transaction {
    Transaction {
        transaction_id: transaction_id(id),
        payment_id: order.payment_id.clone(),
        status: TransactionStatus::Ready,
        verdict: Verdict::Pending,
        amount_minor: None,
        currency: None,
        cancelled_minor: 0,
        test: None,
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

pub(super) fn accepted(id: &str, order: &Order) -> Transaction {
    Transaction {
        status: TransactionStatus::Paid,
        verdict: Verdict::Accepted,
        ..transaction(id, order)
    }
}

/// A transaction with everything optional in it, each value another one.
pub(super) fn full_transaction(id: &str, order: &Order) -> Transaction {
    Transaction {
        amount_minor: Some(AMOUNT_MINOR_MAX),
        currency: Some("not a currency".to_owned()),
        cancelled_minor: AMOUNT_MINOR_MAX,
        test: Some(true),
        pay_method: Some("vbank".to_owned()),
        pg_provider: Some("html5_inicis".to_owned()),
        approval_number: Some("00012345".to_owned()),
        method_name: Some("신한카드".to_owned()),
        fail_reason: Some("[결제포기] 사용자가 결제를 취소하셨습니다".to_owned()),
        receipt_url: Some("https://iniweb.inicis.com/?a=b&c=d".to_owned()),
        virtual_account: Some(VirtualAccount {
            bank: "국민은행".to_owned(),
            account_number: "110-123-456789".to_owned(),
            holder: Some("완료상점".to_owned()),
            expires_at: Some(at(10)),
        }),
        pay_by: Some(at(14)),
        paid_at: Some(at(11)),
        checks: vec![
            Check {
                name: CheckName::Amount,
                expected: "64900".to_owned(),
                actual: "0\u{0}'\"".to_owned(),
                passed: false,
            },
            Check {
                name: CheckName::Channel,
                expected: "test".to_owned(),
                actual: "test".to_owned(),
                passed: true,
            },
        ],
        first_seen_at: at(12),
        checked_at: at(13),
        ..transaction(id, order)
    }
}

pub(super) fn entry(kind: EntryKind) -> Entry {
    Entry {
        at: at(0),
        kind,
        actor: Actor::Worker.to_text(),
        data: json!({}),
        once_key: None,
    }
}

pub(super) fn once(key: &str) -> Entry {
    Entry {
        once_key: Some(key.to_owned()),
        ..entry(EntryKind::Redirect)
    }
}

pub(super) fn event(id: &str, order: &Order) -> Event {
    Event {
        id: id.to_owned(),
        event_type: EventType::OrderPaid,
        payment_id: order.payment_id.clone(),
        transaction_id: None,
        status: OrderStatus::Paid,
        refunded_minor: 0,
        at: at(0),
    }
}

/// A commit of the order as it stands, with nothing else in it.
pub(super) fn commit(order: &Order) -> Commit {
    Commit {
        order: order.clone(),
        transactions: Vec::new(),
        entries: Vec::new(),
        events: Vec::new(),
    }
}

/// A commit by which a transaction pays the order, with an entry and an event.
pub(super) fn payment(order: &Order, transaction: Transaction) -> Commit {
    let accepted_transaction_id = Some(transaction.transaction_id.clone());
    Commit {
        order: Order {
            status: OrderStatus::Paid,
            accepted_transaction_id,
            ..order.clone()
        },
        events: vec![event(&format!("evt_{}", order.payment_id), order)],
        transactions: vec![transaction],
        entries: vec![entry(EntryKind::Transition)],
    }
}

pub(super) fn webhook(id: &str) -> Received {
    Received {
        at: at(0),
        portone: Portone::V1,
        webhook_id: None,
        payment_id: payment_id(id),
        transaction_id: None,
        claimed_status: None,
    }
}
