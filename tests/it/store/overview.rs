//! The shop at a glance: which day and which sum everything belongs to, to the microsecond.

use jiff::{SignedDuration, Timestamp};
use wanryo::domain::event::{Event, EventType};
use wanryo::domain::money::{Currency, Money};
use wanryo::domain::order::{Order, OrderStatus};
use wanryo::domain::transaction::{Transaction, TransactionStatus, Verdict};
use wanryo::ports::overview::{DaySum, OverviewStore, Spans, Sum};
use wanryo::ports::store::{Commit, Committed, InboxStore, OrderStore, Received};

use super::fixtures::{
    accepted, commit, event, order, payment, transaction, transaction_id, webhook,
};
use super::{created, found};
use crate::support::{TestDatabase, on_both_databases};

const DAY: i64 = 86_400_000_000;
const LAST: i64 = 13;

/// So many microseconds after midnight in Korea.
fn moment(micros: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_micros(micros)
}

fn spans() -> Spans {
    Spans {
        first_day: moment(-LAST * DAY),
        today: moment(0),
        tomorrow: moment(DAY),
        lately: moment(-DAY / 2),
    }
}

fn sum(currency: &str, count: u64, minor: i64) -> Sum {
    Sum {
        currency: currency.to_owned(),
        count,
        minor,
    }
}

fn by_day(mut days: Vec<DaySum>) -> Vec<(i64, Sum)> {
    days.sort_by(|a, b| (a.day, &a.sum.currency).cmp(&(b.day, &b.sum.currency)));
    days.into_iter().map(|day| (day.day, day.sum)).collect()
}

fn of(id: &str, minor: i64, code: &str) -> Order {
    let currency = Currency::parse(code).unwrap();
    Order {
        amount: Money::new(minor, currency).unwrap(),
        ..order(id)
    }
}

/// A transaction that pays all of the order.
fn whole(id: &str, order: &Order) -> Transaction {
    Transaction {
        amount_minor: Some(order.amount.minor),
        currency: Some(order.amount.currency.code().to_owned()),
        ..accepted(id, order)
    }
}

on_both_databases! {
    async fn what_was_paid_belongs_to_the_day_in_korea_on_which_it_was_paid(test: TestDatabase) {
        let database = test.open().await;
        for (n, (paid_at, minor, code)) in [
            (-LAST * DAY - 1, 1, "KRW"),
            (-LAST * DAY, 10, "KRW"),
            (-1, 100, "KRW"),
            (0, 1_000, "KRW"),
            (DAY - 1, 10_000, "KRW"),
            (DAY, 100_000, "KRW"),
            (5, 1_420, "USD"),
        ].into_iter().enumerate() {
            let order = created(&database, of(&format!("P{n}"), minor, code)).await;
            let paid = Transaction { paid_at: Some(moment(paid_at)), first_seen_at: moment(-DAY), ..whole(&format!("imp_{n}"), &order) };
            assert_eq!(database.commit(&payment(&order, paid)).await.unwrap(), Committed::Done);
        }
        // PortOne does not say when: then it counts when it was seen.
        let untold = created(&database, of("UNTOLD", 1_000_000, "KRW")).await;
        let paid = Transaction { first_seen_at: moment(7), ..whole("imp_untold", &untold) };
        assert_eq!(database.commit(&payment(&untold, paid)).await.unwrap(), Committed::Done);
        // Money that no order accepted is no sale.
        let twice = created(&database, of("TWICE", 5_000, "KRW")).await;
        let second = Transaction { verdict: Verdict::Duplicate, paid_at: Some(moment(1)), ..whole("imp_second", &twice) };
        assert_eq!(database.commit(&Commit { transactions: vec![second], ..commit(&twice) }).await.unwrap(), Committed::Done);

        let overview = database.overview(&spans()).await.unwrap();

        assert_eq!(by_day(overview.paid), [
            (0, sum("KRW", 1, 10)),
            (LAST - 1, sum("KRW", 1, 100)),
            (LAST, sum("KRW", 3, 1_011_000)),
            (LAST, sum("USD", 1, 1_420)),
        ]);
        assert_eq!(overview.refunded, []);
    }

    async fn each_part_that_was_given_back_counts_once_on_its_day(test: TestDatabase) {
        let database = test.open().await;
        let order = created(&database, of("A", 5_000, "KRW")).await;
        let paid = payment(&order, whole("imp_1", &order));
        assert_eq!(database.commit(&paid).await.unwrap(), Committed::Done);
        for (n, (at, refunded_minor)) in [(-1, 1_000), (0, 3_000), (DAY - 1, 5_000)].into_iter().enumerate() {
            let is_all = refunded_minor == 5_000;
            let (status, event_type) = if is_all { (OrderStatus::Refunded, EventType::OrderRefunded) } else { (OrderStatus::PartiallyRefunded, EventType::OrderPartiallyRefunded) };
            let order = Order { status, refunded_minor, ..found(&database, &order).await.order };
            let told = Event { event_type, status, refunded_minor, at: moment(at), ..event(&format!("evt_refund_{n}"), &order) };
            assert_eq!(database.commit(&Commit { events: vec![told], ..commit(&order) }).await.unwrap(), Committed::Done);
        }

        let overview = database.overview(&spans()).await.unwrap();

        assert_eq!(by_day(overview.refunded), [(LAST - 1, sum("KRW", 1, 1_000)), (LAST, sum("KRW", 2, 4_000))]);
    }

    async fn what_waits_and_what_is_held_are_todays(test: TestDatabase) {
        let database = test.open().await;
        for (id, at, status) in [
            ("BEFORE", -1, OrderStatus::Open),
            ("OPEN", 0, OrderStatus::Open),
            ("ACCOUNT", DAY - 1, OrderStatus::AwaitingDeposit),
            ("AFTER", DAY, OrderStatus::Open),
            ("OVER", 0, OrderStatus::Expired),
        ] {
            created(&database, Order { created_at: moment(at), status, ..of(id, 1_000, "KRW") }).await;
        }
        for (id, seen, status, verdict, cancelled_minor) in [
            ("h1", 0, TransactionStatus::Paid, Verdict::Held, 0),
            ("h2", 5, TransactionStatus::Cancelled, Verdict::Held, 20),
            ("h3", 5, TransactionStatus::Cancelled, Verdict::Held, 100),
            ("h4", -1, TransactionStatus::Paid, Verdict::Held, 0),
            ("h5", 5, TransactionStatus::Paid, Verdict::Late, 0),
        ] {
            let order = created(&database, Order { created_at: moment(-DAY), status: OrderStatus::Held, ..of(id, 100, "KRW") }).await;
            let money = Transaction { status, verdict, cancelled_minor, first_seen_at: moment(seen), amount_minor: Some(100), currency: Some("USD".to_owned()), ..transaction(id, &order) };
            assert_eq!(database.commit(&Commit { transactions: vec![money], ..commit(&order) }).await.unwrap(), Committed::Done);
        }

        let overview = database.overview(&spans()).await.unwrap();

        assert_eq!(overview.pending, [sum("KRW", 2, 2_000)]);
        assert_eq!(overview.held, [sum("USD", 2, 180)], "what PortOne says was paid, less what went back");
    }

    async fn the_health_of_webhooks_and_events_is_that_of_the_last_day(test: TestDatabase) {
        let database = test.open().await;
        let nothing = database.overview(&spans()).await.unwrap();
        assert_eq!((nothing.webhooks.last_at, nothing.deliveries.waiting_since), (None, None));

        let order = created(&database, of("A", 5_000, "KRW")).await;
        let paid = Transaction { paid_at: Some(moment(0)), ..whole("imp_1", &order) };
        assert_eq!(database.commit(&payment(&order, paid)).await.unwrap(), Committed::Done);
        for (at, status, of) in [
            (-DAY / 2 - 1, "paid", None),
            (-DAY / 2, "paid", None),
            (9_000_000, "cancelled", Some("imp_1")),
            (2_500_000, "Paid", Some("imp_1")),
            (60_000_000, "paid", Some("imp_1")),
            (61_000_000, "paid", Some("imp_unknown")),
        ] {
            let received = Received { at: moment(at), claimed_status: Some(status.to_owned()), transaction_id: of.map(transaction_id), ..webhook("A") };
            assert!(database.receive(&received, moment(at)).await.unwrap().is_some());
        }
        test.run(&format!(
            "INSERT INTO webhook_endpoints (endpoint_id, url, secret, status, created_at, updated_at) VALUES
                ('we_1', 'https://a.example', 's', 'enabled', 0, 0), ('we_2', 'https://b.example', 's', 'paused', 0, 0), ('we_3', 'https://c.example', NULL, 'deleted', 0, 0);
            INSERT INTO deliveries (endpoint_id, event_id, payment_id, seq, status, attempts, tries, next_attempt_at, lease, created_at, updated_at) VALUES
                ('we_1', 'evt_A', 'A', 1, 'delivered', 1, 1, NULL, 0, 1, 1), ('we_2', 'evt_A', 'A', 1, 'pending', 3, 3, 5, 0, {waiting}, 5);
            INSERT INTO delivery_attempts (delivery_id, number, at, duration_ms, code, error)
                SELECT id, 1, {lately}, 5, 200, NULL FROM deliveries WHERE endpoint_id = 'we_1';
            INSERT INTO delivery_attempts (delivery_id, number, at, duration_ms, code, error)
                SELECT id, n, {lately} - 3 + n, 5, 500, 'status' FROM deliveries, (SELECT 2 AS n UNION ALL SELECT 3 UNION ALL SELECT 4) AS numbers WHERE endpoint_id = 'we_2'",
            lately = moment(-DAY / 2).as_microsecond(),
            waiting = moment(77).as_microsecond(),
        )).await;

        let overview = database.overview(&spans()).await.unwrap();

        let webhooks = overview.webhooks;
        assert_eq!((webhooks.last_at, webhooks.lately), (Some(moment(61_000_000)), 5));
        assert_eq!(webhooks.lags_ms, [2_500], "the first one that says so, of each payment");
        let deliveries = overview.deliveries;
        assert_eq!((deliveries.endpoints, deliveries.paused), (2, 1));
        assert_eq!((deliveries.attempts, deliveries.failed), (3, 2), "one was before");
        assert_eq!(deliveries.waiting_since, Some(moment(77)));
    }
}
