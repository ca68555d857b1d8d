//! The worker beside a server as it is shipped: what is due is done without anybody's doing. Elsewhere tests begin the rounds
//! themselves.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::app::{PATIENCE, TestApp};
use crate::payments::eventually;
use crate::refunds::{intent, list, paid, write};
use crate::support::{TestDatabase, on_both_databases};

/// Waits until a query's first row is this one.
async fn becomes(db: &TestDatabase, sql: &str, row: &str) {
    let wait = async {
        let mut round = tokio::time::interval(Duration::from_millis(50));
        while db.read(sql).await.first().is_none_or(|found| found != row) {
            round.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "{sql}: {:?}", db.read(sql).await);
}

on_both_databases! {
    async fn an_order_that_is_due_is_asked_about(db: TestDatabase) {
        let app = TestApp::start_with_worker(&db).await;
        app.order("ORD-1").await;
        app.pay("ORD-1", json!({}));
        db.run("UPDATE orders SET next_check_at = 0").await;

        eventually(&app, "ORD-1", "paid").await;
    }

    async fn a_webhook_that_waited_is_worked_off(db: TestDatabase) {
        let app = TestApp::start_with_worker(&db).await;
        let imp_uid = app.pay("LATER", json!({}));
        assert_eq!(app.webhook(&imp_uid, "LATER", "paid").await.status, StatusCode::OK);
        app.order("LATER").await;

        eventually(&app, "LATER", "paid").await;
    }

    async fn a_refund_that_is_due_is_carried_out(db: TestDatabase) {
        let app = TestApp::start_with_worker(&db).await;
        let imp_uid = paid(&app, "v1", "ORD-1").await;
        write(&app, &intent(&app, "ORD-1", &imp_uid, 20_000)).await;
        assert_eq!(list(&app, "ORD-1").await[0]["state"], "intended");
        db.run("UPDATE refunds SET next_at = 0").await;

        becomes(&db, "SELECT state FROM refunds", "done").await;
        assert_eq!(app.sandbox.calls("cancel"), 1);
    }

    async fn a_sweep_is_planned_and_walked_when_it_is_due(db: TestDatabase) {
        let app = TestApp::start_with_worker(&db).await;
        app.order("FIRST").await;
        db.run("UPDATE orders SET created_at = created_at - 3600000000").await;
        becomes(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM sweep", "1").await;
        db.run("UPDATE sweep SET due_at = 0").await;

        becomes(&db, "SELECT CASE WHEN run IS NULL AND finished IS NULL THEN 'planned' ELSE 'walked' END FROM sweep", "walked").await;
        assert!(app.sandbox.calls("status") > 0);
    }
}
