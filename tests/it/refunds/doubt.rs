//! What becomes of refunds whose answer was lost, late, or never shown: asked about, never made again, and in the end for a person.

use super::*;

/// When PortOne may be asked again about a call that nobody came back from.
const CALL_IS_LOST: Duration = Duration::from_secs(CALL_TIME_MAX.as_secs().unsigned_abs());
const TWO_HOURS: Duration = Duration::from_secs(2 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// V2 decides on cancels later, or at once. V1 does so by its gateway: PayPal's are late.
async fn decide(app: &TestApp, when: &str) {
    let url = app.sandbox.url().join("_sandbox/v2/config").unwrap();
    let answer = app
        .send(app.client.patch(url).json(&json!({ "cancel": when })))
        .await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

/// A day passes at PortOne, and what V1 had under way is in its history.
async fn carry_out_v1(app: &TestApp, imp_uid: &str, entries: usize) {
    app.sandbox.advance_clock(DAY);
    let entered = async {
        while app.sandbox.payment(imp_uid).unwrap()["cancel_history"]
            .as_array()
            .unwrap()
            .len()
            < entries
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, entered).await.unwrap();
}

async fn settle(app: &TestApp, transaction_id: &str) -> StatusCode {
    let path = format!("/api/v1/attention/refund_in_doubt/{transaction_id}/settle");
    let word = json!({ "note": "PortOne has nothing of it" });
    app.api(Method::POST, &path, Some(word)).await.status
}

/// The last refund of the order, as the history tells of its end.
async fn end_in_history(app: &TestApp, id: &str) -> [Value; 4] {
    let history = app.history(id).await;
    let last = history
        .iter()
        .rfind(|event| event["kind"].as_str().unwrap().starts_with("refund_"))
        .unwrap();
    [
        &last["kind"],
        &last["actor"],
        &last["data"]["code"],
        &last["data"]["message"],
    ]
    .map(Clone::clone)
}

on_both_databases! {
    /// PortOne has given the money back, and its answer was cut off.
    async fn an_answer_lost_after_the_refund_is_asked_about_and_not_repeated(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("LOST-{portone}");
            paid(&app, portone, &id).await;
            app.sandbox.fault(json!({ "call": cancel_call(portone), "kind": "truncated", "times": 1 })).unwrap();

            let answer = app.refund(&id, "1", json!({ "reason": "x", "amount": 30_000 })).await;
            assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::CREATED, &json!("in_doubt")), "{}", answer.text);
            let other = app.refund(&id, "2", json!({ "reason": "x", "amount": 30_000 })).await;
            assert_eq!(problem(&other), (409, "refund-under-way".to_owned()));
            clock.push(LATER);
            let refund = becomes(&app, &id, "done").await;

            assert_eq!((&refund["amount"], &refund["error"]), (&json!(30_000), &json!(null)));
            assert_eq!(app.refund(&id, "1", json!({ "reason": "x", "amount": 30_000 })).await.json(), refund);
            assert_eq!(app.sandbox.calls(cancel_call(portone)), 1, "no second cancel");
            assert_eq!(app.read_order(&id).await["refunded_amount"], 30_000);
            assert_eq!(app.told(&id).await, ["order.paid", "order.partially_refunded"]);
            assert_eq!(refund_history(&app, &id).await, ["refund_requested", "refund_in_doubt", "refund_done"]);
        }
    }

    /// PortOne broke down before it did anything.
    async fn an_answer_lost_before_the_refund_ends_as_not_done(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for (portone, kind) in [("v1", "status"), ("v2", "status"), ("v1", "reset"), ("v2", "reset")] {
            let id = format!("BROKEN-{portone}-{kind}");
            let before = app.sandbox.calls(cancel_call(portone));
            paid(&app, portone, &id).await;
            app.sandbox.fault(json!({ "call": cancel_call(portone), "kind": kind, "times": 1 })).unwrap();

            assert_eq!(app.refund(&id, "1", json!({ "reason": "x" })).await.json()["state"], "in_doubt");
            clock.push(Duration::from_secs(IN_DOUBT_FOR.as_secs().unsigned_abs() - 60));
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!(list(&app, &id).await[0]["state"], "in_doubt", "not before its time");
            clock.push(Duration::from_secs(900));
            let refund = becomes(&app, &id, "not_done").await;

            assert_eq!(refund["error"]["code"], "not_shown");
            assert_eq!(app.sandbox.calls(cancel_call(portone)), before + 1, "no second cancel by itself");
            assert_eq!(app.read_order(&id).await["status"], "paid");
            assert_eq!(refund_history(&app, &id).await, ["refund_requested", "refund_in_doubt", "refund_not_done"]);
            let next = app.refund(&id, "2", json!({ "reason": "x" })).await.json();
            assert_eq!(next["state"], "done", "a person may ask again: {next}");
        }
    }

    /// While PortOne cannot be asked nothing is believed, however long it takes.
    async fn doubt_waits_for_portone(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("WAIT-{portone}");
            paid(&app, portone, &id).await;
            app.sandbox.fault(json!({ "call": cancel_call(portone), "kind": "truncated", "times": 1 })).unwrap();
            assert_eq!(app.refund(&id, "1", json!({ "reason": "x" })).await.json()["state"], "in_doubt");
            for call in ["payment", "find_all", "v2_payment"] {
                app.sandbox.fault(json!({ "call": call, "kind": "status", "status": 503 })).unwrap();
            }
            clock.push(Duration::from_secs(2 * 3600));
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!(list(&app, &id).await[0]["state"], "in_doubt");

            app.sandbox.clear_faults();
            clock.push(LATER + LATER);
            becomes(&app, &id, "done").await;
        }
    }

    /// PayPal of V1 counts once PortOne's list of cancellations has it.
    async fn a_cancel_of_v1_is_done_when_its_history_has_it(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        app.order("PAYPAL").await;
        let imp_uid = app.pay("PAYPAL", json!({ "pg_provider": "paypal_v2" }));

        let refund = app.refund("PAYPAL", "1", json!({ "reason": "x" })).await.json();
        assert_eq!(refund["state"], "requested", "{refund}");
        app.sandbox.advance_clock(Duration::from_secs(24 * 3600));
        let entered = async {
            while app.sandbox.payment(&imp_uid).unwrap()["cancel_history"].as_array().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, entered).await.unwrap();
        clock.push(LATER);
        becomes(&app, "PAYPAL", "done").await;

        assert_eq!((app.sandbox.calls("cancel"), &app.read_order("PAYPAL").await["status"]), (1, &json!("refunded")));
    }

    /// The server stopped between writing the intent and calling PortOne.
    async fn an_intent_survives_a_crash_and_is_carried_out_once(db: TestDatabase) {
        let (sandbox, clock) = (TestApp::new_sandbox().await, Arc::new(Ahead::default()));
        for portone in GENERATIONS {
            let id = format!("CRASH-{portone}");
            let app = start_beside(&db, &sandbox, &clock).await;
            let transaction_id = paid(&app, portone, &id).await;
            write(&app, &intent(&app, &id, &transaction_id, 20_000)).await;
            assert_eq!(sandbox.calls(cancel_call(portone)), 0);
            app.running.stop().await;

            clock.push(LATER);
            let restarted = start_beside(&db, &sandbox, &clock).await;
            becomes(&restarted, &id, "done").await;

            assert_eq!((sandbox.calls(cancel_call(portone)), &restarted.read_order(&id).await["refunded_amount"]), (1, &json!(20_000)));
            restarted.running.stop().await;
        }
    }

    /// The server stopped after the call began: nobody knows whether it was made.
    async fn a_call_that_a_crash_cut_off_is_never_made_again(db: TestDatabase) {
        let (sandbox, clock) = (TestApp::new_sandbox().await, Arc::new(Ahead::default()));
        for (portone, was_made) in [("v1", true), ("v2", true), ("v1", false), ("v2", false)] {
            let id = format!("CUT-{portone}-{was_made}");
            let app = start_beside(&db, &sandbox, &clock).await;
            let transaction_id = paid(&app, portone, &id).await;
            let refund = intent(&app, &id, &transaction_id, 20_000);
            write(&app, &refund).await;
            begin_call(&app, &refund).await;
            if was_made {
                cancel_in_console(&app, portone, &id, &transaction_id, 20_000).await;
            }
            app.running.stop().await;

            clock.push(Duration::from_secs(CALL_TIME_MAX.as_secs().unsigned_abs()));
            let restarted = start_beside(&db, &sandbox, &clock).await;
            becomes(&restarted, &id, "in_doubt").await;
            clock.push(Duration::from_secs(2 * 3600));
            becomes(&restarted, &id, if was_made { "done" } else { "not_done" }).await;

            assert_eq!(sandbox.calls(cancel_call(portone)), 0);
            let given_back = if was_made { 20_000 } else { 0 };
            assert_eq!(restarted.read_order(&id).await["refunded_amount"], given_back);
            restarted.running.stop().await;
        }
    }

    /// A call of a refund that was given up turns up late: the new refund and the late call cannot both give back.
    async fn the_guard_makes_it_safe_to_give_up(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("LATE-CALL-{portone}");
            let transaction_id = paid(&app, portone, &id).await;
            let given_up = intent(&app, &id, &transaction_id, 20_000);
            write(&app, &given_up).await;
            begin_call(&app, &given_up).await;
            clock.push(Duration::from_secs(3 * 3600));
            becomes(&app, &id, "in_doubt").await;
            clock.push(LATER);
            becomes(&app, &id, "not_done").await;
            assert_eq!(app.refund(&id, "again", json!({ "reason": "x", "amount": 20_000 })).await.json()["state"], "done");

            let call = wanryo::ports::gateway::CancelCall {
                refund_id: given_up.id.clone(),
                payment_id: given_up.payment_id.clone(),
                transaction_id: given_up.transaction_id.clone(),
                amount: given_up.amount,
                tax_free: None,
                guard: Money::new(given_up.guard_minor, Currency::KRW).unwrap(),
                reason: given_up.reason.clone(),
                account: None,
            };
            let generation = wanryo::domain::order::Portone::from_word(portone).unwrap();
            let late = app.running.core.gateway.cancel(generation, &call).await;

            assert!(matches!(late, refund::Answer::Refused(_)), "{late:?}");
            app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
            assert_eq!(app.read_order(&id).await["refunded_amount"], 20_000);
        }
    }

    /// A clerk's cancellation that is under way may still fail and give its amount back, so that nobody knows what is left.
    async fn no_refund_begins_while_another_cancellation_is_under_way(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        decide(&app, "asynchronous").await;
        for portone in GENERATIONS {
            let id = format!("BESIDE-{portone}");
            make_order(&app, portone, &id).await;
            let transaction_id = if portone == "v1" { app.pay(&id, json!({ "pg_provider": "paypal_v2" })) } else { pay(&app, portone, &id).await };
            app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await;
            assert_eq!(app.read_order(&id).await["status"], "paid");
            cancel_in_console(&app, portone, &id, &transaction_id, 5_000).await;

            let beside = app.refund(&id, "1", json!({ "reason": "x", "amount": 5_000 })).await;

            assert_eq!(problem(&beside), (409, "refund-under-way".to_owned()), "{}", beside.text);
            assert_eq!((app.sandbox.calls(cancel_call(portone)), list(&app, &id).await.len()), (0, 0));
            if portone == "v1" {
                carry_out_v1(&app, &transaction_id, 1).await;
            } else {
                let payment = app.control_v2(Method::GET, &[&id], json!({})).await;
                let cancellation = payment["cancellations"][0]["id"].as_str().unwrap();
                app.control_v2(Method::POST, &[&id, "cancellations", cancellation], json!({ "status": "FAILED" })).await;
            }
            let after = app.refund(&id, "1", json!({ "reason": "x", "amount": 5_000 })).await;
            assert_eq!((after.status, app.sandbox.calls(cancel_call(portone))), (StatusCode::CREATED, 1), "{}", after.text);
        }
    }

    /// V1 tells of all that is under way in one sum: ours may be in it, and must not be made again.
    async fn a_refund_that_is_under_way_in_a_sum_is_not_given_up(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        app.order("SUM").await;
        let imp_uid = app.pay("SUM", json!({ "pg_provider": "paypal_v2" }));
        app.sandbox.fault(json!({ "call": "cancel", "kind": "truncated", "times": 1 })).unwrap();
        let refund = app.refund("SUM", "1", json!({ "reason": "x", "amount": 10_000 })).await.json();
        assert_eq!(refund["state"], "in_doubt", "{refund}");
        cancel_in_console(&app, "v1", "SUM", &imp_uid, 5_000).await;

        for time in [LATER, TWO_HOURS] {
            clock.push(time);
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!(list(&app, "SUM").await[0]["state"], "in_doubt");
        }
        assert_eq!(problem(&app.refund("SUM", "2", json!({ "reason": "x", "amount": 10_000 })).await), (409, "refund-under-way".to_owned()));
        carry_out_v1(&app, &imp_uid, 2).await;
        clock.push(DAY);
        refunds::work_off_due(&app.running.core, BATCH).await.unwrap();

        // Gateways carry out the two in either order. Behind the clerk's it waits for a person: V1 does not say whose is whose.
        let state = list(&app, "SUM").await[0]["state"].clone();
        assert!(state == "done" || state == "in_doubt", "{state}");
        assert_eq!((app.sandbox.calls("cancel"), &app.read_order("SUM").await["refunded_amount"]), (1, &json!(15_000)));
    }

    /// PortOne adjusts what goes back to promotions, so another amount in the refund's place may be the refund.
    async fn another_amount_in_its_place_is_for_a_person(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("ADJUSTED-{portone}");
            let transaction_id = paid(&app, portone, &id).await;
            let refund = intent(&app, &id, &transaction_id, 20_000);
            write(&app, &refund).await;
            begin_call(&app, &refund).await;
            cancel_in_console(&app, portone, &id, &transaction_id, 19_000).await;
            clock.push(CALL_IS_LOST);
            becomes(&app, &id, "in_doubt").await;

            clock.push(TWO_HOURS);
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!(list(&app, &id).await[0]["state"], "in_doubt");
            assert_eq!(problem(&app.refund(&id, "2", json!({ "reason": "x" })).await), (409, "refund-under-way".to_owned()));
            assert_eq!(settle(&app, &transaction_id).await, StatusCode::NO_CONTENT);
            let refund = becomes(&app, &id, "not_done").await;

            assert_eq!(refund["error"], json!({ "code": "settled", "message": "PortOne has nothing of it" }));
            assert_eq!(end_in_history(&app, &id).await, [json!("refund_not_done"), json!("shop:test"), json!("settled"), json!("PortOne has nothing of it")]);
            let next = app.refund(&id, "2", json!({ "reason": "x" })).await.json();
            assert_eq!((&next["state"], &next["amount"]), (&json!("done"), &json!(PAID - 19_000)), "{next}");
        }
    }

    /// PortOne has taken it, and never shows it: a person's word ends it, and not before a week is over.
    async fn what_portone_took_and_never_shows_ends_by_a_persons_word(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = start(&db, &clock).await;
        for portone in GENERATIONS {
            let id = format!("NEVER-{portone}");
            let transaction_id = paid(&app, portone, &id).await;
            let refund = intent(&app, &id, &transaction_id, 20_000);
            write(&app, &refund).await;
            let called = begin_call(&app, &refund).await;
            let taken = Input::Answered(refund::Answer::Taken { cancellation_id: None });
            let step = refund::next(&called, &taken, app.running.core.clock.now(), 0).unwrap();
            assert_eq!(app.running.core.refunds.move_refund(&step.refund, None).await.unwrap(), Moved::Done);
            clock.push(2 * DAY);
            assert_eq!(settle(&app, &transaction_id).await, StatusCode::NO_CONTENT);

            clock.push(4 * DAY);
            refunds::work_off_due(&app.running.core, BATCH).await.unwrap();
            assert_eq!(list(&app, &id).await[0]["state"], "requested", "it may still be carried out");
            assert_eq!(problem(&app.refund(&id, "2", json!({ "reason": "x" })).await), (409, "refund-under-way".to_owned()));
            clock.push(2 * DAY);
            becomes(&app, &id, "not_done").await;

            assert_eq!(end_in_history(&app, &id).await[1..3], [json!("shop:test"), json!("settled")]);
            assert_eq!(app.refund(&id, "2", json!({ "reason": "x" })).await.json()["state"], "done");
        }
    }
}
