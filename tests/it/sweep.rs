//! The daily sweep, on both databases beside a real sandbox: what it finds, what it leaves alone, and that nothing stops it for
//! good. Time moves when a test says so, and steps are taken then, too.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wanryo::config::Settings;
use wanryo::domain::order::Mode;
use wanryo::ports::clock::Clock;
use wanryo::service::sweep::{self, Step};
use wanryo::service::{Core, reconciliation};

use crate::app::TestApp;
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, on_both_databases, with_postgres};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Steps after which a sweep of these tests must have ended.
const STEPS_MAX: usize = 500;

/// Apps on one database and one PortOne, and the time.
struct Shop {
    app: TestApp,
    clock: Arc<Ahead>,
}

impl Shop {
    async fn open(database: &TestDatabase) -> Self {
        Self::open_with(database, |_| {}).await
    }

    async fn open_with(database: &TestDatabase, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(Ahead::default());
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_at(database, sandbox, change, Arc::clone(&clock) as _).await;
        let shop = Self { app, clock };
        assert_eq!(
            sweep::step(shop.core()).await.unwrap(),
            Step::Idle,
            "the first is only planned"
        );
        shop
    }

    /// Another instance beside this one. PostgreSQL's alone may have one.
    async fn another(&self, database: &TestDatabase) -> TestApp {
        let sandbox = Arc::clone(&self.app.sandbox);
        TestApp::start_at(database, sandbox, |_| {}, Arc::clone(&self.clock) as _).await
    }

    /// Another instance after this one.
    async fn restart(self, database: &TestDatabase) -> Self {
        let Self { app, clock } = self;
        app.running.stop().await;
        let app = TestApp::start_at(database, app.sandbox, |_| {}, Arc::clone(&clock) as _).await;
        Self { app, clock }
    }

    fn core(&self) -> &Arc<Core> {
        &self.app.running.core
    }

    fn sandbox(&self) -> &Sandbox {
        &self.app.sandbox
    }

    /// There is only one time.
    fn pass(&self, time: Duration) {
        self.clock.push(time);
        self.app.sandbox.advance_clock(time);
    }

    /// A day later, from beginning to end. Says how many steps it took.
    async fn sweep(&self) -> usize {
        self.pass(DAY + HOUR);
        finish(self.core()).await
    }

    /// What needs attention, as kind and payment id.
    async fn attention(&self) -> Vec<(String, String)> {
        let items = self
            .app
            .api(Method::GET, "/api/v1/attention", None)
            .await
            .json();
        let word = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
        let items = items["items"].as_array().unwrap().iter();
        items
            .map(|item| (word(item, "kind"), word(item, "payment_id")))
            .collect()
    }

    async fn actors(&self, payment_id: &str) -> Vec<String> {
        let history = self.app.history(payment_id).await;
        history
            .iter()
            .map(|entry| entry["actor"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Steps until the sweep under way is at its end.
async fn finish(core: &Arc<Core>) -> usize {
    for steps in 1..=STEPS_MAX {
        match sweep::step(core).await.unwrap() {
            Step::Going => {}
            Step::Finished => return steps,
            Step::Idle => panic!("the sweep stands still after {steps} steps"),
        }
    }
    panic!("the sweep is not at its end after {STEPS_MAX} steps")
}

fn orphan(payment_id: &str) -> (String, String) {
    ("orphan".to_owned(), payment_id.to_owned())
}

on_both_databases! {
    async fn what_neither_redirect_nor_webhook_told_is_found(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("LOST").await;
        shop.app.order_v2("LOST-V2").await;
        shop.app.order("UNPAID").await;
        shop.app.pay("LOST", json!({}));
        shop.app.pay("UNPAID", json!({ "status": "failed" }));
        shop.app.pay_v2("LOST-V2", json!({})).await;

        shop.sweep().await;

        for id in ["LOST", "LOST-V2"] {
            assert_eq!(shop.app.read_order(id).await["status"], "paid", "{id}");
            assert_eq!(shop.app.told(id).await, ["order.paid"]);
            assert!(shop.actors(id).await.contains(&"sweep".to_owned()), "the history says who found it");
        }
        assert_eq!(shop.app.read_order("UNPAID").await["status"], "open");
        assert_eq!(shop.attention().await, []);
    }

    async fn an_orphan_is_found_once_over_three_sweeps_and_gone_when_its_order_comes(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        shop.app.pay("ORPHAN", json!({ "amount": 12_000 }));
        shop.app.pay_v2("ORPHAN V2", json!({})).await;
        // What an order could never be called is money all the same.
        shop.app.pay("OR/PHAN?", json!({}));

        let mut first_seen = Vec::new();
        for _ in 0..3 {
            shop.sweep().await;
            let mut found = shop.attention().await;
            found.sort();
            assert_eq!(found, [orphan("OR/PHAN?"), orphan("ORPHAN"), orphan("ORPHAN V2")]);
            first_seen.push(db.read("SELECT CAST(first_seen_at AS TEXT) FROM findings ORDER BY transaction_id").await);
        }
        assert!(first_seen.iter().all(|times| *times == first_seen[0]), "seen again is not found anew: {first_seen:?}");
        let items = shop.app.api(Method::GET, "/api/v1/attention", None).await.json();
        let item = items["items"].as_array().unwrap().iter().find(|item| item["payment_id"] == "ORPHAN").unwrap();
        assert_eq!((&item["amount"], &item["currency"], &item["portone"]), (&json!(12_000), &json!("KRW"), &json!("v1")));
        assert!(item["last_seen_at"].as_str() > item["first_seen_at"].as_str(), "{item}");

        shop.app.order("ORPHAN").await;
        assert_eq!(shop.app.api(Method::POST, "/api/v1/orders/ORPHAN/sync", None).await.status, StatusCode::OK);
        let found = shop.attention().await;
        assert!(!found.contains(&orphan("ORPHAN")) && found.contains(&("held".to_owned(), "ORPHAN".to_owned())), "{found:?}");
    }

    async fn an_orphan_that_was_given_back_needs_nobody_any_more(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        let imp_uid = shop.app.pay("ORPHAN", json!({}));
        shop.sweep().await;
        assert_eq!(shop.attention().await, [orphan("ORPHAN")]);

        let now = shop.clock.now().as_second();
        shop.sandbox().patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": 5_000, "cancelled_at": now })).unwrap();
        shop.sweep().await;
        assert_eq!(shop.attention().await, [orphan("ORPHAN")], "a part of the money is still here");

        let now = shop.clock.now().as_second();
        shop.sandbox().patch_payment(&imp_uid, json!({ "cancel_amount": 65_000, "cancelled_at": now })).unwrap();
        shop.sweep().await;
        assert_eq!(shop.attention().await, []);
    }

    async fn a_refund_in_portones_console_that_sent_no_message_is_found(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("ORD-1").await;
        shop.app.order_v2("ORD-2").await;
        let imp_uid = shop.app.pay("ORD-1", json!({}));
        let tx_id = shop.app.pay_v2("ORD-2", json!({})).await;
        shop.app.complete(&format!("imp_uid={imp_uid}&merchant_uid=ORD-1")).await;
        shop.app.complete(&format!("txId={tx_id}&paymentId=ORD-2")).await;
        // Long after the orders' own checks have become rare.
        db.run("UPDATE orders SET next_check_at = NULL").await;
        shop.pass(30 * DAY);
        let now = shop.clock.now();
        shop.sandbox().patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": 20_000, "cancelled_at": now.as_second() })).unwrap();
        shop.app.patch_v2("ORD-2", json!({ "status": "PARTIAL_CANCELLED", "amount": { "total": 65_000, "cancelled": 20_000 }, "statusChangedAt": now.to_string() })).await;

        shop.sweep().await;

        for id in ["ORD-1", "ORD-2"] {
            let order = shop.app.read_order(id).await;
            assert_eq!((&order["status"], &order["refunded_amount"]), (&json!("partially_refunded"), &json!(20_000)), "{order}");
            assert_eq!(shop.app.told(id).await, ["order.paid", "order.partially_refunded"]);
        }
        let calls = (shop.sandbox().calls("payment"), shop.sandbox().calls("v2_payment"));
        shop.sweep().await;
        assert_eq!((shop.sandbox().calls("payment"), shop.sandbox().calls("v2_payment")), calls, "what agrees costs no call beyond the lists");
    }

    async fn thousands_of_payments_are_walked_page_by_page(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("FIRST").await;
        db.run("UPDATE orders SET created_at = created_at - 2592000000000").await;
        let now = shop.clock.now().as_second();
        for number in 0..2_500 {
            // Over twenty days, and 1,500 of them within one, so that a window has several pages.
            let ago = if number < 1_500 { 86_400 + number } else { (number - 1_499) * 1_700 };
            shop.app.pay(&format!("ORPHAN-{number}"), json!({ "paid_at": now - ago, "started_at": now - ago }));
        }

        let steps = shop.sweep().await;

        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM findings").await, ["2500"]);
        // One page a step: 11 windows of four lists, and the pages beyond the first.
        assert!((50..80).contains(&steps), "{steps}");
        let calls = shop.sandbox().calls("status") + shop.sandbox().calls("v2_list");
        assert_eq!(calls, steps + 1, "one call a step, and one that found the old token over");
        let first = shop.app.api(Method::GET, "/api/v1/attention?limit=100", None).await.json();
        let mut seen = first["items"].as_array().unwrap().len();
        let mut next = first["next_cursor"].clone();
        while let Some(cursor) = next.as_str() {
            let page = shop.app.api(Method::GET, &format!("/api/v1/attention?limit=100&cursor={cursor}"), None).await.json();
            seen += page["items"].as_array().unwrap().len();
            next = page["next_cursor"].clone();
        }
        assert_eq!(seen, 2_500, "every page of the answer together has every item once");
    }

    /// PortOne V2 calls its count that of the objects "actually returned": those of the page, perhaps.
    async fn a_count_of_the_page_alone_hides_no_page(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("FIRST").await;
        shop.sandbox().configure_v2(json!({ "total_count": "page" })).unwrap();
        for number in 0..250 {
            shop.app.pay_v2(&format!("ORPHAN-{number}"), json!({})).await;
        }

        shop.sweep().await;

        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM findings").await, ["250"]);
        assert_eq!(finished(&db).await["left_out"], false);
    }

    /// A payment carries what the shop's page gave it, and what the shop's server answered to its webhooks: a hundred of them may
    /// be more than one answer may hold.
    async fn a_page_too_long_for_one_answer_is_read_in_parts(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("FIRST").await;
        let long = "x".repeat(20_000);
        for number in 0..65 {
            shop.app.pay(&format!("ORPHAN-{number}"), json!({ "custom_data": long }));
            shop.app.pay_v2(&format!("ORPHAN-V2-{number}"), json!({ "customData": long })).await;
        }

        shop.sweep().await;

        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM findings").await, ["130"]);
    }

    async fn a_list_that_moves_while_it_is_read_hides_nothing(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("FIRST").await;
        let now = shop.clock.now().as_second();
        let paid: Vec<String> = (0..=100_i64)
            .map(|number| {
                let at = now + number;
                shop.app.pay(&format!("ORPHAN-{number}"), json!({ "paid_at": at, "started_at": at }))
            })
            .collect();
        shop.sweep().await;
        let orphans = "SELECT CAST(COUNT(*) AS TEXT) FROM findings";
        assert_eq!(db.read(orphans).await, ["101"]);

        shop.pass(DAY + HOUR);
        assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Going);
        // The first page is read, and one of it is given back: the last payment is on the first page now.
        let at = shop.clock.now().as_second();
        shop.sandbox().patch_payment(&paid[0], json!({ "status": "cancelled", "cancel_amount": 65_000, "cancelled_at": at })).unwrap();
        finish(shop.core()).await;

        let gone = "SELECT payment_id FROM findings WHERE gone_at IS NOT NULL";
        assert!(db.read(gone).await.is_empty(), "every one was seen");
    }

    async fn a_list_that_never_stands_still_ends_and_takes_nothing_back(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("FIRST").await;
        let now = shop.clock.now().as_second();
        let mut paid: Vec<String> = (0..=150_i64)
            .map(|number| {
                let at = now + number;
                shop.app.pay(&format!("ORPHAN-{number}"), json!({ "paid_at": at, "started_at": at }))
            })
            .collect();
        shop.pass(DAY + HOUR);
        let mut steps = 0;
        while sweep::step(shop.core()).await.unwrap() == Step::Going {
            steps += 1;
            assert!(steps < STEPS_MAX && paid.len() > 110, "it begins anew for ever");
            let at = shop.clock.now().as_second();
            shop.sandbox().patch_payment(&paid.remove(0), json!({ "status": "cancelled", "cancel_amount": 65_000, "cancelled_at": at })).unwrap();
        }

        assert_eq!(finished(&db).await["left_out"], true);
        assert!(db.read("SELECT payment_id FROM findings WHERE gone_at IS NOT NULL").await.is_empty());
    }

    async fn a_page_full_of_drift_is_asked_about_in_portions(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for number in 0..45 {
            let id = format!("LOST-{number}");
            shop.app.order(&id).await;
            shop.app.pay(&id, json!({}));
        }
        shop.pass(DAY + HOUR);
        let mut paid = Vec::new();
        for _ in 0..3 {
            assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Going);
            paid.push(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM orders WHERE status = 'paid'").await.remove(0));
        }

        assert_eq!(paid, ["20", "40", "45"]);
        finish(shop.core()).await;
        assert_eq!(finished(&db).await["seen"], 45);
    }

    async fn a_crash_in_the_middle_only_delays(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        shop.app.pay("ORPHAN", json!({}));
        shop.app.pay_v2("ORPHAN-V2", json!({})).await;
        shop.pass(DAY + HOUR);
        for _ in 0..2 {
            assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Going);
        }
        let read = shop.sandbox().calls("status");
        // An instance takes the third step and dies with it.
        let now = shop.clock.now();
        let taken = shop.core().sweep.lease_sweep(now, now + SignedDuration::from_mins(5)).await.unwrap();
        assert!(taken.is_some());

        let shop = shop.restart(&db).await;
        let core = shop.core();
        assert_eq!(sweep::step(core).await.unwrap(), Step::Idle, "it might still live");
        shop.pass(5 * MINUTE);
        finish(core).await;

        let mut found = shop.attention().await;
        found.sort();
        assert_eq!(found, [orphan("ORPHAN"), orphan("ORPHAN-V2")]);
        assert_eq!(shop.sandbox().calls("status"), read, "what was read before the crash is not read again");
        assert_eq!(sweep::step(core).await.unwrap(), Step::Idle, "once a day");
    }

    async fn a_step_that_took_too_long_writes_nothing(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        shop.pass(DAY + HOUR);
        let store = &shop.core().sweep;
        let (now, lease) = (shop.clock.now(), SignedDuration::from_mins(5));
        let slow = store.lease_sweep(now, now + lease).await.unwrap().unwrap();
        let fast = store.lease_sweep(now + lease, now + lease + lease).await.unwrap().unwrap();

        assert!(store.save_sweep(&fast).await.unwrap());
        assert!(!store.save_sweep(&slow).await.unwrap());
        assert!(!store.save_sweep(&fast).await.unwrap(), "nor does the same step twice");
    }

    async fn portone_being_down_only_delays(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("LOST").await;
        shop.app.pay("LOST", json!({}));
        shop.app.pay("ORPHAN", json!({}));
        shop.pass(DAY + HOUR);
        for down in [vec!["status"], vec!["payment", "find_all"]] {
            for call in &down {
                shop.sandbox().fault(json!({ "call": call, "kind": "status", "status": 503 })).unwrap();
            }
            assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Going);
            assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Idle, "{down:?}: it does not hammer");
            assert_eq!(shop.app.read_order("LOST").await["status"], "open", "not knowing is no news");
            shop.sandbox().clear_faults();
            shop.pass(6 * HOUR);
        }

        finish(shop.core()).await;

        assert_eq!(shop.app.read_order("LOST").await["status"], "paid");
        assert_eq!(shop.attention().await, [orphan("ORPHAN")]);
        assert_eq!(finished(&db).await["left_out"], false);
    }

    async fn what_portone_will_not_tell_is_left_out_and_takes_nothing_back(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        shop.app.pay("ORPHAN", json!({}));
        shop.app.pay_v2("ORPHAN-V2", json!({})).await;
        shop.sweep().await;
        shop.sandbox().fault(json!({ "call": "status", "kind": "status", "status": 503 })).unwrap();
        shop.pass(DAY + HOUR);

        for _ in 0..6 {
            assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Going);
            shop.pass(HOUR);
        }
        finish(shop.core()).await;

        assert_eq!(finished(&db).await["left_out"], true);
        let mut found = shop.attention().await;
        found.sort();
        assert_eq!(found, [orphan("ORPHAN"), orphan("ORPHAN-V2")], "who was not looked for is not gone");
    }

    async fn what_cannot_be_read_in_a_list_is_left_out_and_takes_nothing_back(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        let imp_uid = shop.app.pay("ORPHAN", json!({}));
        shop.app.pay_v2("ORPHAN-V2", json!({})).await;
        for (amount, left_out) in [(json!(65_000), false), (json!("65,000"), true), (json!(65_000), false)] {
            shop.sandbox().patch_payment(&imp_uid, json!({ "amount": amount })).unwrap();
            shop.app.patch_v2("ORPHAN-V2", json!({ "amount": { "total": amount } })).await;

            shop.sweep().await;

            let mut found = shop.attention().await;
            found.sort();
            assert_eq!(found, [orphan("ORPHAN"), orphan("ORPHAN-V2")], "{amount}");
            assert_eq!(finished(&db).await["left_out"], left_out, "{amount}");
        }
    }

    async fn only_money_of_the_servers_own_mode_alarms(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        shop.app.pay("TEST", json!({ "sandbox": true }));
        shop.app.pay_v2("TEST-V2", json!({ "channel": { "type": "TEST" } })).await;
        shop.app.pay("LIVE", json!({}));

        shop.sweep().await;

        assert_eq!(shop.attention().await, [orphan("LIVE")]);
    }

    async fn a_test_server_beside_a_live_one_takes_no_live_payment_for_its_own(db: TestDatabase) {
        let shop = Shop::open_with(&db, |settings| settings.mode = Mode::Test).await;
        shop.app.order("KNOWN").await;
        shop.app.pay("TEST", json!({ "sandbox": true }));
        shop.app.pay("LIVE", json!({}));

        shop.sweep().await;

        assert_eq!(shop.attention().await, [orphan("TEST")]);
    }

    async fn payments_from_before_the_first_order_are_somebody_elses(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.pay("BEFORE", json!({}));
        shop.pass(DAY);
        assert_eq!(sweep::step(shop.core()).await.unwrap(), Step::Idle);
        assert_eq!(shop.sandbox().calls("any"), 0, "there is nothing to compare with");
        shop.app.order("FIRST").await;
        shop.app.pay("AFTER", json!({}));

        shop.sweep().await;

        assert_eq!(shop.attention().await, [orphan("AFTER")]);
    }

    async fn a_generation_that_is_not_configured_is_not_swept(db: TestDatabase) {
        let shop = Shop::open_with(&db, |settings| settings.v1 = None).await;
        shop.app.order_v2("LOST").await;
        shop.app.pay_v2("LOST", json!({})).await;

        shop.sweep().await;

        assert_eq!(shop.app.read_order("LOST").await["status"], "paid");
        assert_eq!((shop.sandbox().calls("status"), finished(&db).await["left_out"].clone()), (0, json!(false)));
    }

    /// A shop that moved to V2 has no keys of V1 any more, and money of V1 that nobody has decided about.
    async fn what_was_found_where_nobody_looks_any_more_stays(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order_v2("KNOWN").await;
        shop.app.pay("ORPHAN", json!({}));
        shop.sweep().await;
        assert_eq!(shop.attention().await, [orphan("ORPHAN")]);
        let Shop { app, clock } = shop;
        app.running.stop().await;
        let app = TestApp::start_at(&db, app.sandbox, |settings| settings.v1 = None, Arc::clone(&clock) as _).await;
        let shop = Shop { app, clock };

        shop.sweep().await;

        assert_eq!(shop.attention().await, [orphan("ORPHAN")]);
    }

    /// PortOne lists a payment as paid and does not know it when it is asked: nothing moves, and a person is told.
    async fn drift_that_asking_does_not_explain_needs_attention(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("ORD-1").await;
        shop.app.pay("ORD-1", json!({}));
        for call in ["payment", "find_all"] {
            shop.sandbox().fault(json!({ "call": call, "kind": "not_found" })).unwrap();
        }

        shop.sweep().await;
        assert_eq!(shop.app.read_order("ORD-1").await["status"], "open");
        assert_eq!(shop.attention().await, [("drift".to_owned(), "ORD-1".to_owned())]);

        shop.sandbox().clear_faults();
        shop.sweep().await;
        assert_eq!(shop.app.read_order("ORD-1").await["status"], "paid");
        assert_eq!(shop.attention().await, []);
    }

    /// A person's word on a drift is about what had been given back by then: more of it needs a look again.
    async fn a_drift_that_goes_on_needs_attention_anew(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        shop.app.order("ORD-1").await;
        let imp_uid = shop.app.pay("ORD-1", json!({}));
        for call in ["payment", "find_all"] {
            shop.sandbox().fault(json!({ "call": call, "kind": "not_found" })).unwrap();
        }
        let drift = [("drift".to_owned(), "ORD-1".to_owned())];
        let settle = format!("/api/v1/attention/drift/{imp_uid}/settle");
        for given_back in [0, 5_000, 65_000] {
            if given_back > 0 {
                let now = shop.clock.now().as_second();
                shop.sandbox().patch_payment(&imp_uid, json!({ "status": "cancelled", "cancel_amount": given_back, "cancelled_at": now })).unwrap();
            }
            shop.sweep().await;
            assert_eq!(shop.attention().await, drift, "{given_back}");
            let word = |note: String| shop.app.api(Method::POST, &settle, Some(json!({ "note": note })));
            for _ in 0..2 {
                assert_eq!(word(given_back.to_string()).await.status, StatusCode::NO_CONTENT);
            }
            assert_eq!(word(format!("not {given_back}")).await.status, StatusCode::CONFLICT);
            shop.sweep().await;
            assert_eq!(shop.attention().await, [], "the same again is settled");
        }
        assert_eq!(db.read("SELECT note FROM settled ORDER BY cancelled_minor").await, ["0", "5000", "65000"]);
    }

    /// Every order that may still change has a time at which PortOne is asked, whatever happened to it.
    async fn no_order_that_may_change_is_without_a_next_look(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        for id in ["OPEN", "LEFT", "DECLINED", "PAID", "HELD", "DOWN", "CLOSED"] {
            shop.app.order(id).await;
        }
        shop.app.order_with("DUE", json!({ "expires_at": (shop.clock.now() + SignedDuration::from_hours(1)).to_string() })).await;
        shop.app.order_v2("ACCOUNT").await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": (shop.clock.now() + SignedDuration::from_hours(48)).to_string() });
        shop.app.pay_v2("ACCOUNT", json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account })).await;
        shop.app.pay("LEFT", json!({ "status": "ready" }));
        shop.app.pay("DECLINED", json!({ "status": "failed" }));
        shop.app.pay("PAID", json!({}));
        shop.app.pay("HELD", json!({ "amount": 100 }));
        shop.app.api(Method::POST, "/api/v1/orders/CLOSED/close", None).await;

        for days in [0, 1, 1, 1, 4, 20] {
            shop.pass(days * DAY + 3 * MINUTE);
            shop.sandbox().fault(json!({ "call": "any", "kind": "status", "status": 503, "times": 3 })).unwrap();
            while reconciliation::reconcile_due(shop.core(), 50).await.unwrap() > 0 {}
            assert_watched(&db, shop.clock.now()).await;
        }
        shop.sweep().await;
        assert_watched(&db, shop.clock.now()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_one_sweep() {
    with_postgres(|db| async move {
        let shop = Shop::open(&db).await;
        shop.app.order("KNOWN").await;
        db.run("UPDATE orders SET created_at = created_at - 2592000000000")
            .await;
        let other = shop.another(&db).await;
        shop.pass(DAY + HOUR);

        let (mut ended, mut going) = (0, 0);
        for _ in 0..STEPS_MAX {
            let (one, two) =
                tokio::join!(sweep::step(shop.core()), sweep::step(&other.running.core));
            for step in [one.unwrap(), two.unwrap()] {
                match step {
                    Step::Idle => {}
                    Step::Going => going += 1,
                    Step::Finished => ended += 1,
                }
            }
            if ended > 0 {
                break;
            }
        }

        assert_eq!(ended, 1);
        assert_eq!(going + ended, 44, "eleven windows of four lists");
        let calls = shop.sandbox().calls("status") + shop.sandbox().calls("v2_list");
        assert!(
            (44..=45).contains(&calls),
            "no page was read by both, but one call may find its old token over: {calls}"
        );
    })
    .await;
}

/// As long as an order is watched, there is a next time to ask about it: 90 days, or four days beyond its last deadline, and
/// only that when it waits for a deposit or has ended unpaid. What was given back whole is final.
async fn assert_watched(db: &TestDatabase, now: Timestamp) {
    let watched_since = |days: i64| now.as_microsecond() - days * 24 * 3_600 * 1_000_000;
    let (grace, watch) = (watched_since(4), watched_since(90));
    let forgotten = db
        .read(&format!(
            "SELECT payment_id FROM orders AS o WHERE next_check_at IS NULL AND status <> 'refunded' AND (
                expires_at > {grace} OR closed_at > {grace}
                OR EXISTS (SELECT 1 FROM transactions AS t WHERE t.payment_id = o.payment_id AND virtual_account_expires_at > {grace})
                OR (status NOT IN ('awaiting_deposit', 'expired', 'closed') AND created_at > {watch}))",
        ))
        .await;
    assert_eq!(forgotten, Vec::<String>::new());
}

/// The sweep that came to its end last.
async fn finished(db: &TestDatabase) -> Value {
    serde_json::from_str(&db.read("SELECT finished FROM sweep").await[0]).unwrap()
}
