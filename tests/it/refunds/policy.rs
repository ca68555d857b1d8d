//! `WANRYO_ON_MISMATCH`: what goes back by itself, and what never does.

use wanryo::domain::order::Mode;

use super::*;

/// An app that gives back what fails a check.
async fn start_refunding(db: &TestDatabase, mode: Mode) -> TestApp {
    let sandbox = TestApp::new_sandbox().await;
    TestApp::start_with(db, sandbox, |settings| {
        settings.on_mismatch = OnMismatch::Refund;
        settings.mode = mode;
    })
    .await
}

/// What was begun by itself is over.
async fn rest(app: &TestApp) {
    let tasks = &app.running.core.tasks;
    tasks.close();
    tasks.wait().await;
    tasks.reopen();
}

on_both_databases! {
    /// What is bound to its order and fails a check goes back, once, when the merchant said so.
    async fn the_policy_gives_back_what_fails_a_check(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, sandbox, |settings| settings.on_mismatch = OnMismatch::Refund).await;
        for portone in GENERATIONS {
            for wrong in ["amount", "channel"] {
                let id = format!("{wrong}-{portone}");
                let before = app.sandbox.calls(cancel_call(portone));
                make_order(&app, portone, &id).await;
                let (fields, amount) = match (portone, wrong) {
                    ("v1", "amount") => (json!({ "amount": 100 }), 100),
                    ("v1", _) => (json!({ "sandbox": true }), PAID),
                    (_, "amount") => (json!({ "amount": { "total": 100 } }), 100),
                    (_, _) => (json!({ "channel": { "type": "TEST" } }), PAID),
                };
                let transaction_id = if portone == "v1" { app.pay(&id, fields) } else { app.pay_v2(&id, fields).await };

                for _ in 0..3 {
                    app.complete(&query(portone, &id, &transaction_id)).await;
                }
                let refund = becomes(&app, &id, "done").await;
                for _ in 0..3 {
                    app.complete(&query(portone, &id, &transaction_id)).await;
                }

                assert_eq!((&refund["requested_by"], &refund["amount"], list(&app, &id).await.len()), (&json!("policy"), &json!(amount), 1), "{refund}");
                assert_eq!(app.sandbox.calls(cancel_call(portone)), before + 1);
                let history = app.history(&id).await;
                assert!(history.iter().any(|event| event["kind"] == "refund_requested" && event["actor"] == "policy"), "{history:?}");
                assert_eq!(app.told(&id).await, ["order.held"]);
            }
            // A good payment is left alone.
            let id = format!("GOOD-{portone}");
            let before = app.sandbox.calls(cancel_call(portone));
            paid(&app, portone, &id).await;
            app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
            assert_eq!((app.sandbox.calls(cancel_call(portone)), list(&app, &id).await.len()), (before, 0));
        }
    }

    /// Whoever names somebody else's payment gets nobody's money moved.
    async fn the_policy_never_touches_what_belongs_to_something_else(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, sandbox, |settings| settings.on_mismatch = OnMismatch::Refund).await;
        for portone in GENERATIONS {
            let (mine, theirs, nobodys) = (format!("MINE-{portone}"), format!("THEIRS-{portone}"), format!("NOBODYS-{portone}"));
            make_order(&app, portone, &mine).await;
            let known = paid(&app, portone, &theirs).await;
            // Of another amount, and of no order here.
            let orphan = if portone == "v1" { app.pay(&nobodys, json!({ "amount": 100 })) } else { app.pay_v2(&nobodys, json!({ "amount": { "total": 100 } })).await };

            for transaction_id in [&known, &orphan] {
                assert_eq!(app.complete(&query(portone, &mine, transaction_id)).await.status, StatusCode::NOT_FOUND);
                app.webhook(transaction_id, &mine, "paid").await;
                let asked = app.refund(&mine, "1", json!({ "reason": "x", "transaction_id": transaction_id })).await;
                assert_eq!(problem(&asked), (404, "not-found".to_owned()));
            }
            app.api(Method::POST, &format!("/api/v1/orders/{mine}/sync"), None).await;
            rest(&app).await;

            assert_eq!(app.sandbox.calls(cancel_call(portone)), 0);
            for id in [&mine, &theirs] {
                assert_eq!(list(&app, id).await, [] as [Value; 0]);
            }
            assert_eq!(app.read_order(&theirs).await["status"], "paid");
        }
    }

    async fn held_payments_stay_where_they_are_unless_the_merchant_said_so(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("HELD-{portone}");
            make_order(&app, portone, &id).await;
            let transaction_id = if portone == "v1" { app.pay(&id, json!({ "amount": 100 })) } else { app.pay_v2(&id, json!({ "amount": { "total": 100 } })).await };
            assert_eq!(app.complete(&query(portone, &id, &transaction_id)).await.outcome(), "held");
            rest(&app).await;
            assert_eq!((app.sandbox.calls(cancel_call(portone)), list(&app, &id).await.len()), (0, 0));

            // A person may still give it back by its id.
            let refund = app.refund(&id, "1", json!({ "reason": "금액 불일치", "transaction_id": transaction_id })).await.json();
            assert_eq!((&refund["state"], &refund["amount"]), (&json!("done"), &json!(100)), "{refund}");
        }
    }

    /// A server for tests on the live server's account of PortOne, with order numbers that meet the live server's.
    async fn a_test_server_gives_back_no_money_that_may_be_live(db: TestDatabase) {
        let app = start_refunding(&db, Mode::Test).await;
        for portone in GENERATIONS {
            for (wrong, v1, v2) in [
                ("channel", json!({}), json!({})),
                ("amount", json!({ "amount": 100 }), json!({ "amount": { "total": 100 } })),
            ] {
                let id = format!("LIVE-{wrong}-{portone}");
                make_order(&app, portone, &id).await;
                let transaction_id = if portone == "v1" { app.pay(&id, v1) } else { app.pay_v2(&id, v2).await };
                assert_eq!(app.complete(&query(portone, &id, &transaction_id)).await.outcome(), "held");
                rest(&app).await;
                assert_eq!((app.sandbox.calls(cancel_call(portone)), list(&app, &id).await.len()), (0, 0), "{id}");
            }

            // Test money is its own.
            let id = format!("TEST-{portone}");
            make_order(&app, portone, &id).await;
            let transaction_id = if portone == "v1" { app.pay(&id, json!({ "sandbox": true, "amount": 100 })) } else { app.pay_v2(&id, json!({ "channel": { "type": "TEST" }, "amount": { "total": 100 } })).await };
            app.complete(&query(portone, &id, &transaction_id)).await;
            becomes(&app, &id, "done").await;
        }
    }

    /// The same number in another store, or through PortOne's other generation, is another system's order.
    async fn the_policy_leaves_what_another_system_was_paid(db: TestDatabase) {
        let app = start_refunding(&db, Mode::Live).await;
        for (number, fields) in [
            json!({ "storeId": "store-somebody-elses" }),
            json!({ "version": "V1" }),
            json!({ "storeId": "store-somebody-elses", "amount": { "total": 100 } }),
            json!({ "version": "V1", "channel": { "type": "TEST" } }),
        ]
        .into_iter()
        .enumerate()
        {
            let id = format!("THEIRS-{number}");
            app.order_v2(&id).await;
            let transaction_id = app.pay_v2(&id, json!({})).await;
            app.patch_v2(&id, fields).await;
            assert_eq!(app.complete(&query("v2", &id, &transaction_id)).await.outcome(), "held");
            rest(&app).await;
            assert_eq!((app.sandbox.calls("v2_cancel"), list(&app, &id).await.len()), (0, 0), "{id}");
        }
    }

    /// A person's refund of the payment is in flight: PortOne is not even asked what is left.
    async fn the_policy_waits_behind_a_refund_in_flight(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, Arc::clone(&sandbox), |_| {}).await;
        app.order_v2("BEHIND").await;
        let transaction_id = app.pay_v2("BEHIND", json!({ "amount": { "total": 100 } })).await;
        let query = query("v2", "BEHIND", &transaction_id);
        assert_eq!(app.complete(&query).await.outcome(), "held");
        let in_flight = Refund { guard_minor: 100, ..intent(&app, "BEHIND", &transaction_id, 40) };
        write(&app, &in_flight).await;
        app.running.stop().await;
        let app = TestApp::start_with(&db, sandbox, |settings| settings.on_mismatch = OnMismatch::Refund).await;
        let before = app.sandbox.calls("v2_payment");

        app.complete(&query).await;
        rest(&app).await;

        assert_eq!((app.sandbox.calls("v2_payment"), list(&app, "BEHIND").await.len()), (before + 1, 1));
    }
}
