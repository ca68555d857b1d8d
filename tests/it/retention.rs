//! Personal data whose time is over: gone from every table, from the files and from the log of writes; what was paid remains.

use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use reqwest::{Method, StatusCode};
use serde_json::json;
use wanryo::domain::attention::AttentionKind;
use wanryo::domain::history::{Actor, Entry, EntryKind};
use wanryo::domain::ids::{PaymentId, TransactionId};
use wanryo::ports::retention::PersonalData;
use wanryo::service::{Core, attention, deliveries, orders, retention};

use crate::app::TestApp;
use crate::events::receiver::Receiver;
use crate::program;
use crate::sign_in::Still;
use crate::support::{TestDatabase, on_both_databases, with_sqlite};

/// What is a person's, or may be.
const CANARIES: [&str; 16] = [
    "canary-buyer",
    "canary@example.com",
    "010-2222-3333",
    "canary-metadata",
    "canary-window",
    "canary-return",
    "560-canary-560",
    "canary-holder",
    "canary-receipt",
    "canary-failure",
    "canary-reason",
    "canary-note",
    "canary-order-note",
    "canary-refused",
    "canary-query",
    "canary-answer",
];
const DAYS: u32 = 90;
const DAY: Duration = Duration::from_hours(24);

async fn start(db: &TestDatabase) -> (TestApp, Arc<Still>) {
    let clock = Arc::new(Still::now());
    let sandbox = TestApp::new_sandbox().await;
    let for_days = |settings: &mut wanryo::config::Settings| {
        settings.retention_days = DAYS;
        settings.event_targets_private = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let app = TestApp::start_at(db, sandbox, for_days, Arc::clone(&clock) as _).await;
    (app, clock)
}

/// Every canary, in some order: each with its own way in.
async fn live(app: &TestApp) {
    let receiver = Receiver::answering(|_| (StatusCode::OK, "canary-answer").into_response()).await;
    let endpoint = json!({ "url": receiver.url });
    let endpoint = app
        .api(Method::POST, "/api/v1/webhook-endpoints", Some(endpoint))
        .await;
    assert_eq!(endpoint.status, StatusCode::CREATED, "{}", endpoint.text);
    let about = json!({
        "buyer": { "name": "canary-buyer", "email": "canary@example.com", "tel": "010-2222-3333" },
        "metadata": { "note": "canary-metadata" },
        "window_params": { "bypass": { "canary-window": 1 } },
        "return_url": "https://shop.example/canary-return",
    });
    for id in ["PAID", "BANK", "FAILED", "HELD"] {
        app.order_with(id, about.clone()).await;
    }
    let paid = app.pay(
        "PAID",
        json!({ "receipt_url": "https://receipt.example/canary-receipt" }),
    );
    let bank = json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "560-canary-560",
        "vbank_holder": "canary-holder", "vbank_date": 4_102_444_800_i64 });
    let bank = app.pay("BANK", bank);
    let failed = app.pay(
        "FAILED",
        json!({ "status": "failed", "fail_reason": "canary-failure" }),
    );
    let held = app.pay("HELD", json!({ "amount": 1 }));
    for (imp_uid, id) in [
        (&paid, "PAID"),
        (&bank, "BANK"),
        (&failed, "FAILED"),
        (&held, "HELD"),
    ] {
        app.complete(&format!(
            "imp_uid={imp_uid}&merchant_uid={id}&error_msg=canary-query"
        ))
        .await;
    }
    let refund = app
        .refund(
            "PAID",
            "1",
            json!({ "amount": 5_000, "reason": "canary-reason" }),
        )
        .await;
    assert_eq!(refund.status, StatusCode::CREATED, "{}", refund.text);
    let words = Entry {
        at: app.running.core.clock.now(),
        kind: EntryKind::RefundRefused,
        actor: Actor::Refund.to_text(),
        data: json!({ "code": "PG_PROVIDER", "message": "canary-refused" }),
        once_key: None,
    };
    let id = PaymentId::parse("PAID").unwrap();
    let orders = &app.running.core.orders;
    orders.append_history(&id, &[words], 10).await.unwrap();
    let held = TransactionId::parse(&held).unwrap();
    let staff = Actor::Staff("staff@example.com".to_owned());
    let core = &app.running.core;
    attention::settle(
        core,
        AttentionKind::Held,
        &held,
        None,
        "canary-note",
        &staff,
    )
    .await
    .unwrap();
    orders::note(core, &id, "canary-order-note", "key", &staff)
        .await
        .unwrap();
    while deliveries::deliver_due(core).await.unwrap() > 0 {}
}

/// Every row of every table as text, and on SQLite the files as they are.
pub(crate) async fn everything(db: &TestDatabase) -> String {
    let Some(path) = db.sqlite_path() else {
        let tables = db
            .read("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .await;
        assert!(tables.len() > 10, "{tables:?}");
        let mut all = String::new();
        for table in tables {
            all += &db
                .read(&format!(
                    "SELECT row_to_json(t)::text FROM \"{table}\" AS t"
                ))
                .await
                .concat();
        }
        return all;
    };
    let read = |file: String| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    read(path.to_owned()) + &read(format!("{path}-wal"))
}

async fn told(db: &TestDatabase) -> Vec<&'static str> {
    let all = everything(db).await;
    CANARIES
        .into_iter()
        .filter(|canary| all.contains(canary))
        .collect()
}

async fn counted(core: &Core) -> PersonalData {
    let mut counted = retention::personal_data(core).await.unwrap();
    counted.oldest = None;
    counted
}

on_both_databases! {
    async fn what_is_a_persons_goes_when_its_time_is_over_and_what_was_paid_remains(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let core = Arc::clone(&app.running.core);
        live(&app).await;
        assert_eq!(told(&db).await, CANARIES);

        clock.push(DAY * (DAYS - 1));
        assert_eq!(retention::erase_due(&core).await.unwrap(), 0, "its time is not over");
        assert_eq!(told(&db).await, CANARIES);
        clock.push(DAY * 2);
        assert_eq!(counted(&core).await, PersonalData { overdue: 4, ..PersonalData::default() });
        assert_eq!(retention::erase_due(&core).await.unwrap(), 4);

        assert_eq!(told(&db).await, [""; 0]);
        assert_eq!(counted(&core).await, PersonalData { erased: 4, ..PersonalData::default() });
        assert_eq!(retention::erase_due(&core).await.unwrap(), 0, "once");
        let order = app.read_order("PAID").await;
        assert_eq!((&order["status"], &order["amount"], &order["refunded_amount"]), (&json!("partially_refunded"), &json!(65_000), &json!(5_000)), "{order}");
        assert!(!order["checks"].as_array().unwrap().is_empty() && app.history("PAID").await.len() > 3);
    }

    async fn what_changes_has_its_time_anew_and_what_comes_again_goes_again(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let core = Arc::clone(&app.running.core);
        live(&app).await;
        // A refund of which nobody knows the end may need the account.
        app.sandbox.fault(json!({ "call": "cancel", "kind": "truncated", "times": 1 })).unwrap();
        let refund = app.refund("PAID", "2", json!({ "amount": 1, "reason": "canary-reason" })).await;
        assert_eq!(refund.json()["state"], "in_doubt", "{}", refund.text);
        clock.push(DAY * (DAYS - 1));
        let imp_uid = app.pay("FAILED", json!({}));
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=FAILED")).await;

        clock.push(DAY * 2);
        assert_eq!(retention::erase_due(&core).await.unwrap(), 2, "neither the one with the refund nor the one that was paid just now");
        assert_eq!(counted(&core).await, PersonalData { erased: 2, ..PersonalData::default() });

        // PortOne tells the account again when it is asked again.
        let paid = db.read("SELECT transaction_id FROM transactions WHERE payment_id = 'BANK'").await;
        app.sandbox.patch_payment(&paid[0], json!({ "status": "paid" })).unwrap();
        app.api(Method::POST, "/api/v1/orders/BANK/sync", None).await;
        assert!(told(&db).await.contains(&"560-canary-560"));
        assert_eq!(counted(&core).await, PersonalData { erased: 1, ..PersonalData::default() });
        clock.push(DAY * 6);
        assert_eq!(retention::erase_due(&core).await.unwrap(), 0, "it may still be needed");
        // A stranger opens the old address of another one, and its money is given back.
        app.complete("merchant_uid=HELD&error_msg=canary-later").await;
        app.refund("HELD", "late", json!({ "amount": 1, "reason": "canary-later" })).await;
        assert!(everything(&db).await.contains("canary-later"));
        clock.push(DAY * 8);
        assert_eq!(counted(&core).await.overdue, 2);
        assert_eq!(retention::erase_due(&core).await.unwrap(), 2);
        let all = everything(&db).await;
        assert!(!all.contains("560-canary-560") && !all.contains("canary-later"));
        assert_eq!(counted(&core).await, PersonalData { erased: 2, ..PersonalData::default() });

        // Somebody calls about one of them, and what is written down stays for a week as well.
        clock.push(DAY * 30);
        let (bank, staff) = (PaymentId::parse("BANK").unwrap(), Actor::Staff("staff@example.com".to_owned()));
        orders::note(&core, &bank, "canary-call", "key", &staff).await.unwrap();
        clock.push(DAY * 6);
        assert_eq!(retention::erase_due(&core).await.unwrap(), 0);
        assert!(everything(&db).await.contains("canary-call"));
        clock.push(DAY * 2);
        assert_eq!(retention::erase_due(&core).await.unwrap(), 1);
        assert!(!everything(&db).await.contains("canary-call"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_to_answer_for_it_is_told() {
    with_sqlite(|db| async move {
        let (app, _clock) = start(&db).await;
        live(&app).await;
        let run = async || {
            let mut command = program::command(&db, &app.sandbox);
            let output = command.arg("retention").output().await.unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            (output.status.success(), said)
        };

        let (is_well, said) = run().await;
        assert!(is_well, "{said}");
        assert!(
            said.contains("kept for days\t1825\n") && said.contains("orders that are overdue\t0\n"),
            "{said}"
        );
        db.run("UPDATE orders SET created_at = 0, updated_at = 0 WHERE payment_id = 'PAID'")
            .await;
        let (is_well, said) = run().await;
        assert!(
            !is_well && said.contains("orders that are overdue\t1\n"),
            "{said}"
        );
        assert!(
            said.contains("oldest order with personal data\t1970-01-01T00:00:00Z\n"),
            "{said}"
        );
        db.run("UPDATE orders SET erased_at = 1, to_erase = 0 WHERE payment_id = 'PAID'")
            .await;
        let (is_well, said) = run().await;
        assert!(
            !is_well && said.contains("of these with personal data\t1\n"),
            "{said}"
        );
    })
    .await;
}
