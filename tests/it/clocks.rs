//! The server's clock goes wrong in the middle of everything, while PortOne's goes on: it is put ahead, set back, stands still, or is
//! beyond 2038. What is paid is paid, money goes back once, and the shop hears of both, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode};
use serde_json::json;
use wanryo::adapters::system::SystemClock;
use wanryo::compose::Rounds;
use wanryo::config::Settings;
use wanryo::ports::clock::Clock;
use wanryo::web::limits::Limits;

use crate::app::{PATIENCE, TestApp};
use crate::events::receiver::Receiver;
use crate::payments::eventually;
use crate::refunds::{GENERATIONS, make_order, paid, pay, query};
use crate::support::{TestDatabase, on_both_databases};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// A second beyond what 32 bits can count.
const BEYOND_2038: i64 = 1 << 31;
/// How far an order had come when the clock went wrong.
const MOMENTS: [&str; 5] = ["NEW", "MADE", "PAID", "KNOWN", "BACK"];

/// What a wrong clock shows.
#[derive(Debug, Clone, Copy)]
enum Shows {
    /// The machine's time and this.
    Off(SignedDuration),
    /// Always this.
    Still(Timestamp),
}

/// The machine's clock, as wrong as a test makes it. Pauses are those of the machine.
struct Wrong(Mutex<Shows>);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        match *self.0.lock() {
            Shows::Off(by) => SystemClock.now() + by,
            Shows::Still(at) => at,
        }
    }

    async fn sleep(&self, time: Duration) {
        SystemClock.sleep(time).await;
    }
}

/// Leads orders of both generations from beginning to end. The clock goes wrong when each of them has come another way.
async fn survives(db: TestDatabase, wrong: Shows) {
    let clock = Arc::new(Wrong(Mutex::new(Shows::Off(SignedDuration::ZERO))));
    let (sandbox, receiver) = (TestApp::new_sandbox().await, Receiver::start().await);
    let ports = Arc::clone(&clock) as Arc<dyn Clock>;
    let (limits, rounds) = (Limits::default(), Rounds::ByWorker);
    // The years until 2038 are no reason to erase what the orders are about.
    let keep = |settings: &mut Settings| settings.retention_days = 36_500;
    let app = TestApp::start_within(&db, sandbox, keep, ports, limits, rounds).await;
    let endpoint = json!({ "url": receiver.url });
    let made = app
        .api(Method::POST, "/api/v1/webhook-endpoints", Some(endpoint))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let reason = || json!({ "reason": "단순 변심" });

    let mut transactions: BTreeMap<String, String> = BTreeMap::new();
    for portone in GENERATIONS {
        let id = |moment: &str| format!("{moment}-{portone}");
        make_order(&app, portone, &id("MADE")).await;
        make_order(&app, portone, &id("PAID")).await;
        transactions.insert(id("PAID"), pay(&app, portone, &id("PAID")).await);
        for moment in ["KNOWN", "BACK"] {
            transactions.insert(id(moment), paid(&app, portone, &id(moment)).await);
        }
        let asked = app.refund(&id("BACK"), "all", reason()).await;
        assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text);
    }

    *clock.0.lock() = wrong;
    for portone in GENERATIONS {
        for moment in MOMENTS {
            let id = format!("{moment}-{portone}");
            if moment == "NEW" {
                make_order(&app, portone, &id).await;
            }
            if !transactions.contains_key(&id) {
                transactions.insert(id.clone(), pay(&app, portone, &id).await);
            }
            let back = query(portone, &id, &transactions[&id]);
            if moment != "BACK" {
                let answer = app.complete(&back).await;
                assert_eq!(answer.outcome(), "paid", "{id}, {wrong:?}: {}", answer.text);
                let asked = app.refund(&id, "all", reason()).await;
                assert_eq!(asked.status, StatusCode::CREATED, "{id}: {}", asked.text);
            }
            eventually(&app, &id, "refunded").await;
            let again = app.refund(&id, "all", reason()).await;
            assert_eq!(again.status, StatusCode::OK, "{id}: {}", again.text);
            let answer = app.complete(&back).await;
            assert_eq!(answer.outcome(), "refunded", "{id}: {}", answer.text);
        }
    }
    // What was to be done by the clock of before is due once it shows that time again.
    let is_behind = match wrong {
        Shows::Off(by) => by.is_negative(),
        Shows::Still(_) => true,
    };
    if is_behind {
        *clock.0.lock() = Shows::Off(HOUR);
    }
    let orders: BTreeSet<String> = transactions.into_keys().collect();
    let story = ["order.paid".to_owned(), "order.refunded".to_owned()];
    let wait = async {
        let mut round = tokio::time::interval(Duration::from_millis(50));
        loop {
            round.tick().await;
            let told = told(&receiver);
            if orders
                .iter()
                .all(|id| told.get(id).is_some_and(|told| told.len() >= story.len()))
            {
                return told;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    let told = waited.unwrap_or_else(|_| panic!("{wrong:?}: {:?}", told(&receiver)));
    for id in &orders {
        assert_eq!(told[id], story, "{id}, {wrong:?}");
        assert_eq!(app.told(id).await, story, "{id}, {wrong:?}");
    }
    assert_eq!(
        (app.sandbox.calls("cancel"), app.sandbox.calls("v2_cancel")),
        (MOMENTS.len(), MOMENTS.len()),
        "{wrong:?}"
    );
}

/// What the shop heard of each order, every event once, in the order in which each came first.
fn told(receiver: &Receiver) -> BTreeMap<String, Vec<String>> {
    let mut heard = BTreeSet::new();
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in receiver.got() {
        if heard.insert(got.id.clone()) {
            told.entry(got.payment_id()).or_default().push(got.kind());
        }
    }
    told
}

on_both_databases! {
    async fn ten_minutes_ahead(db: TestDatabase) {
        survives(db, Shows::Off(SignedDuration::from_mins(10))).await;
    }

    async fn ten_minutes_behind(db: TestDatabase) {
        survives(db, Shows::Off(SignedDuration::from_mins(-10))).await;
    }

    async fn set_back_by_an_hour(db: TestDatabase) {
        survives(db, Shows::Off(-HOUR)).await;
    }

    async fn standing_still(db: TestDatabase) {
        survives(db, Shows::Still(SystemClock.now())).await;
    }

    async fn beyond_2038(db: TestDatabase) {
        let by = Timestamp::from_second(BEYOND_2038).unwrap().duration_since(SystemClock.now());
        survives(db, Shows::Off(by)).await;
    }
}
