//! Webhooks: which, when, how often, in what form.

use std::time::Duration;

use portone_sandbox::{Event, JournalEntry, Sandbox, WebhookMode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, json_of, location, text_of};

async fn bench_and_shop(answers: usize) -> (Bench, Shop) {
    let shop = Shop::start(answers).await;
    let builder = Sandbox::builder().webhook_url(shop.url.clone());
    (Bench::start_with(builder).await, shop)
}

fn webhooks(journal: &[JournalEntry]) -> Vec<&JournalEntry> {
    journal
        .iter()
        .filter(|entry| matches!(entry.event, Event::Webhook { .. }))
        .collect()
}

fn is_answered(entry: &JournalEntry) -> bool {
    matches!(
        entry.event,
        Event::Webhook {
            answer: Some(200),
            duration_ms: Some(_),
            ..
        }
    )
}

fn redirect_seq(journal: &[JournalEntry]) -> u64 {
    let redirect = journal
        .iter()
        .find(|entry| matches!(entry.event, Event::Redirect { .. }));
    redirect.unwrap().seq
}

#[tokio::test]
async fn after_the_redirect_is_the_default_and_does_not_wait_for_the_answer() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;

    // The shop answers nothing yet, and still the browser is sent back.
    let answer = bench.choose(&imp_uid, &[("choice", "pay")]).await;
    location(&answer);
    let body = shop.next_json().await;
    shop.permits.add_permits(ENOUGH);

    assert_eq!(
        body,
        json!({"imp_uid": imp_uid, "merchant_uid": "ORD-1", "status": "paid"})
    );
    let journal = bench
        .sandbox
        .journal_when(|journal| webhooks(journal).into_iter().any(is_answered))
        .await
        .unwrap();
    assert!(redirect_seq(&journal) < webhooks(&journal)[0].seq);
}

#[tokio::test]
async fn before_the_redirect_waits_for_the_answer() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;
    let choice = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .form(&[("choice", "pay"), ("webhook", "before")])
        .send();
    let choice = tokio::spawn(choice);

    shop.next_json().await;
    assert!(
        !bench
            .sandbox
            .journal()
            .iter()
            .any(|entry| matches!(entry.event, Event::Redirect { .. }))
    );
    shop.permits.add_permits(ENOUGH);
    let answer = choice.await.unwrap().unwrap();

    location(&answer);
    let journal = bench.sandbox.journal();
    let webhooks = webhooks(&journal);
    assert_eq!(webhooks.len(), 1);
    assert!(is_answered(webhooks[0]));
    assert!(webhooks[0].seq < redirect_seq(&journal));
}

#[tokio::test]
async fn twice_sends_the_same_at_the_same_time() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let imp_uid = bench.open(json!({})).await;

    bench
        .choose(&imp_uid, &[("choice", "pay"), ("webhook", "twice")])
        .await;

    // The second comes although the first has no answer.
    let first = shop.next_json().await;
    assert_eq!(shop.next_json().await, first);
    shop.permits.add_permits(ENOUGH);
    let both = |journal: &[JournalEntry]| {
        webhooks(journal)
            .into_iter()
            .filter(|e| is_answered(e))
            .count()
            == 2
    };
    bench.sandbox.journal_when(both).await.unwrap();
}

#[tokio::test]
async fn never_and_failures_send_nothing() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    for (number, fields) in [
        &[("choice", "pay"), ("webhook", "never")][..],
        &[("choice", "decline")],
        &[("choice", "cancel")],
        &[("choice", "abandon")],
        &[("choice", "fail_flag_true")],
    ]
    .into_iter()
    .enumerate()
    {
        let imp_uid = bench
            .open(json!({"merchant_uid": format!("ORD-{number}")}))
            .await;
        bench.choose(&imp_uid, fields).await;
    }

    // Sent with the same delay and started later: what the choices above had sent would be here before it.
    let imp_uid = bench.open(json!({"merchant_uid": "LAST"})).await;
    bench.choose(&imp_uid, &[("choice", "pay")]).await;

    assert_eq!(shop.next_json().await["merchant_uid"], "LAST");
    assert_eq!(webhooks(&bench.sandbox.journal()).len(), 1);
}

#[tokio::test]
async fn forms_carry_the_same_fields() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench.open(json!({"merchant_uid": "주문 1"})).await;

    bench
        .choose(
            &imp_uid,
            &[("choice", "issue_vbank"), ("webhook_format", "form")],
        )
        .await;

    let received = shop.received.recv().await.unwrap();
    assert_eq!(received.content_type, "application/x-www-form-urlencoded");
    assert_eq!(
        received.body,
        format!("imp_uid={imp_uid}&merchant_uid=%EC%A3%BC%EB%AC%B8+1&status=ready")
    );
}

#[tokio::test]
async fn an_account_is_told_of_at_issue_deposit_and_cancel() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench.open(json!({})).await;
    let act = async |action: &str, body: Value| {
        let path = format!("/_sandbox/payments/{imp_uid}/{action}");
        json_of(bench.post(&path).json(&body).send().await.unwrap(), 200).await
    };

    bench.choose(&imp_uid, &[("choice", "issue_vbank")]).await;
    let issued = shop.next_json().await;
    let paid = act("deposit", json!({})).await;
    let deposited = shop.next_json().await;
    let cancelled = act("cancel", json!({"amount": 900, "reason": "변심"})).await;
    let refunded = shop.next_json().await;

    assert_eq!(issued["status"], "ready");
    assert_eq!(deposited["status"], "paid");
    assert_eq!(paid["pay_method"], "vbank");
    assert_eq!(refunded["status"], "cancelled");
    assert_eq!(
        refunded["cancellation_id"],
        cancelled["cancel_history"][0]["cancellation_id"]
    );
    assert_eq!(cancelled["cancel_amount"], 900);
}

#[tokio::test]
async fn notice_url_replaces_the_configured_address() {
    let (bench, mut configured) = bench_and_shop(ENOUGH).await;
    let mut own = Shop::start(ENOUGH).await;
    let imp_uid = bench.open(json!({"notice_url": own.url.as_str()})).await;

    bench
        .choose(&imp_uid, &[("choice", "pay"), ("webhook", "before")])
        .await;

    assert_eq!(own.next_json().await["imp_uid"], imp_uid.as_str());
    assert!(configured.received.try_recv().is_err());
    assert_eq!(webhooks(&bench.sandbox.journal()).len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_journaled_with_its_reason() {
    let bench = Bench::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    bench.sandbox.set_webhook_url(url.parse::<Url>().unwrap());
    bench.sandbox.set_webhook(WebhookMode::Before);
    let imp_uid = bench.open(json!({})).await;

    location(&bench.choose(&imp_uid, &[("choice", "pay")]).await);

    let journal = bench.sandbox.journal();
    let entry = &webhooks(&journal)[0].event;
    assert!(
        matches!(
            entry,
            Event::Webhook {
                answer: None,
                error: Some("connect"),
                ..
            }
        ),
        "{entry:?}"
    );
}

#[tokio::test]
async fn one_can_be_sent_by_hand_and_says_what_came_of_it() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "status": "failed"}))
        .unwrap();
    let path = format!("/_sandbox/payments/{imp_uid}/webhook");

    let forged = bench.post(&path).json(&json!({"status": "paid"}));
    let forged = json_of(forged.send().await.unwrap(), 200).await;

    assert_eq!(shop.next_json().await["status"], "paid");
    let receipt = &forged["webhooks"][0];
    assert_eq!(receipt["answer"], 200);
    assert_eq!(receipt["error"], Value::Null);
    assert!(receipt["duration_ms"].is_u64());

    bench.sandbox.set_webhook_url(None);
    let nowhere = bench.post(&path).send().await.unwrap();
    json_of(nowhere, 409).await;
}

#[tokio::test]
async fn one_of_a_cancel_that_is_sent_by_hand_names_the_last_cancellation() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "status": "cancelled"}))
        .unwrap();

    let path = format!("/_sandbox/payments/{imp_uid}/webhook");
    json_of(bench.post(&path).send().await.unwrap(), 200).await;

    let id = bench.record(&imp_uid)["cancel_history"][0]["cancellation_id"].take();
    assert!(id.is_string());
    assert_eq!(shop.next_json().await["cancellation_id"], id);
}

#[tokio::test]
async fn a_browser_that_leaves_too_early_does_not_stop_the_webhook() {
    let (bench, mut shop) = bench_and_shop(0).await;
    let m_redirect_url = shop.url.as_str();
    let transfer = json!({"pay_method": "trans", "m_redirect_url": m_redirect_url});
    let imp_uid = bench.open(transfer).await;
    let choice = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .form(&[("choice", "pay")])
        .send();
    let choice = tokio::spawn(choice);
    // The bank's app waits for the shop's page, and the browser for the bank's app.
    assert_eq!(shop.next().await.method, "GET");

    choice.abort();
    assert!(choice.await.unwrap_err().is_cancelled());
    // An answer later the sandbox has seen that the other connection is closed.
    text_of(bench.get("/_sandbox/health").send().await.unwrap(), 200).await;
    shop.permits.add_permits(ENOUGH);

    assert_eq!(shop.next_json().await["status"], "paid");
}

#[tokio::test]
async fn a_created_payment_can_announce_itself() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;

    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "webhook": true}))
        .unwrap();

    assert_eq!(
        shop.next_json().await,
        json!({"imp_uid": imp_uid, "merchant_uid": "ORD-1", "status": "paid"})
    );
    assert!(bench.record(&imp_uid).get("webhook").is_none());
}

/// The webhooks' attempts and answers, once `count` of them are answered.
async fn answered(bench: &Bench, count: usize) -> Vec<(u32, Option<u16>, Option<&'static str>)> {
    let journal = bench
        .sandbox
        .journal_when(|journal| {
            webhooks(journal)
                .iter()
                .filter(|entry| {
                    matches!(
                        entry.event,
                        Event::Webhook {
                            duration_ms: Some(_),
                            ..
                        }
                    )
                })
                .count()
                >= count
        })
        .await
        .unwrap();
    webhooks(&journal)
        .into_iter()
        .map(|entry| match entry.event {
            Event::Webhook {
                attempt,
                answer,
                error,
                ..
            } => (attempt, answer, error),
            _ => unreachable!(),
        })
        .collect()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_server_error_is_tried_again_each_minute_with_the_same_body_until_it_is_answered() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    shop.answer_next([(500, ""), (503, ""), (200, "")]);
    bench
        .sandbox
        .configure(json!({"webhook_retries": 5}))
        .unwrap();
    bench.sandbox.freeze_clock();
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "webhook": true}))
        .unwrap();

    let first = shop.next_json().await;
    answered(&bench, 1).await;
    // What has become of the payment since does not matter.
    bench
        .sandbox
        .patch_payment(&imp_uid, json!({"status": "cancelled"}))
        .unwrap();
    bench.sandbox.advance_clock(MINUTE);
    let second = shop.next_json().await;
    answered(&bench, 2).await;
    bench.sandbox.advance_clock(MINUTE);
    let third = shop.next_json().await;
    let all = answered(&bench, 3).await;
    bench.sandbox.advance_clock(10 * MINUTE);

    assert_eq!(first["status"], "paid");
    assert_eq!((&second, &third), (&first, &first));
    assert_eq!(
        all,
        [
            (1, Some(500), None),
            (2, Some(503), None),
            (3, Some(200), None)
        ]
    );
    // Sent after the push: whatever the push had set off would be in the journal before it.
    let test = bench.post("/_sandbox/webhooks/test").send().await.unwrap();
    json_of(test, 200).await;
    assert_eq!(answered(&bench, 4).await.len(), 4);
}

#[tokio::test]
async fn a_minute_is_a_minute_and_the_last_try_is_the_last() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    shop.answer_next([(500, ""); 3]);
    bench
        .sandbox
        .configure(json!({"webhook_retries": 1}))
        .unwrap();
    bench.sandbox.freeze_clock();
    let fields = json!({"merchant_uid": "ORD-1", "amount": 1, "webhook": true});
    bench.sandbox.create_payment(fields).unwrap();
    answered(&bench, 1).await;

    bench
        .sandbox
        .advance_clock(MINUTE - Duration::from_millis(1));
    json_of(
        bench.post("/_sandbox/webhooks/test").send().await.unwrap(),
        200,
    )
    .await;
    let early = answered(&bench, 2).await;
    bench.sandbox.advance_clock(Duration::from_millis(1));
    let late = answered(&bench, 3).await;

    assert_eq!(early.len(), 2);
    assert_eq!(early[1].0, 1, "the test call, and not the resend");
    assert_eq!(late[2], (2, Some(500), None));
    assert_eq!(shop.next_json().await["status"], "paid");
}

#[tokio::test]
async fn refusals_and_redirects_are_not_tried_again_and_a_dead_address_is() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    bench
        .sandbox
        .configure(json!({"webhook_retries": 5}))
        .unwrap();
    bench.sandbox.freeze_clock();
    let send = |merchant_uid: &str| {
        let fields = json!({"merchant_uid": merchant_uid, "amount": 1, "webhook": true});
        bench.sandbox.create_payment(fields).unwrap();
    };
    for (number, status) in [404, 400, 302, 204].into_iter().enumerate() {
        shop.answer_next([(status, "")]);
        send(&format!("ORD-{number}"));
        let all = answered(&bench, number + 1).await;
        assert_eq!(all[number], (1, Some(status), None));
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    bench
        .sandbox
        .set_webhook_url(nowhere.parse::<Url>().unwrap());
    send("DEAD");
    answered(&bench, 5).await;

    bench.sandbox.advance_clock(MINUTE);

    let all = answered(&bench, 6).await;
    assert_eq!(all.len(), 6);
    assert_eq!(all[5], (2, None, Some("connect")));
    while let Ok(received) = shop.received.try_recv() {
        assert!(!received.body.contains("DEAD"));
    }
}

#[tokio::test]
async fn without_resends_a_failed_webhook_is_gone() {
    let (bench, shop) = bench_and_shop(ENOUGH).await;
    shop.answer_next([(500, "")]);
    bench.sandbox.freeze_clock();
    let fields = json!({"merchant_uid": "ORD-1", "amount": 1, "webhook": true});
    bench.sandbox.create_payment(fields).unwrap();
    answered(&bench, 1).await;

    bench.sandbox.advance_clock(10 * MINUTE);
    let test = bench.post("/_sandbox/webhooks/test").send().await.unwrap();
    json_of(test, 200).await;

    assert_eq!(answered(&bench, 2).await.len(), 2);
}

#[tokio::test]
async fn a_configured_delay_passes_on_the_sandboxs_clock() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    bench
        .sandbox
        .configure(json!({"webhook_delay_ms": 30_000}))
        .unwrap();
    bench.sandbox.freeze_clock();
    let imp_uid = bench.open(json!({})).await;
    location(&bench.choose(&imp_uid, &[("choice", "pay")]).await);

    bench.sandbox.advance_clock(Duration::from_millis(29_999));
    json_of(
        bench.post("/_sandbox/webhooks/test").send().await.unwrap(),
        200,
    )
    .await;
    assert_eq!(shop.next_json().await["imp_uid"], "imp_000000000000");
    bench.sandbox.advance_clock(Duration::from_millis(1));

    assert_eq!(shop.next_json().await["imp_uid"], imp_uid.as_str());
}

#[tokio::test]
async fn faults_lose_multiply_and_delay_webhooks() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    bench.sandbox.freeze_clock();
    for fault in [
        json!({"call": "webhook", "kind": "drop", "times": 1}),
        json!({"call": "webhook", "kind": "duplicate", "copies": 3, "times": 1}),
        json!({"call": "webhook", "kind": "delay", "delay_ms": 5000, "times": 1}),
    ] {
        bench.sandbox.fault(fault).unwrap();
    }
    for merchant_uid in ["DROPPED", "TRIPLED", "DELAYED", "PLAIN"] {
        let fields = json!({"merchant_uid": merchant_uid, "amount": 1, "webhook": true});
        bench.sandbox.create_payment(fields).unwrap();
    }

    let mut orders = Vec::new();
    for _ in 0..4 {
        let body = shop.next_json().await;
        orders.push(body["merchant_uid"].as_str().unwrap().to_owned());
    }
    bench.sandbox.advance_clock(Duration::from_secs(5));
    let last = shop.next_json().await;

    orders.sort();
    assert_eq!(orders, ["PLAIN", "TRIPLED", "TRIPLED", "TRIPLED"]);
    assert_eq!(last["merchant_uid"], "DELAYED");
    let journal = bench.sandbox.journal();
    assert!(webhooks(&journal).iter().any(|entry| matches!(
        &entry.event,
        Event::Webhook { merchant_uid, error: Some("dropped"), answer: None, .. } if merchant_uid == "DROPPED"
    )));
}

#[tokio::test]
async fn held_webhooks_are_released_in_the_order_asked_for() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;
    bench
        .sandbox
        .fault(json!({"call": "webhook", "kind": "hold", "times": 2}))
        .unwrap();
    for merchant_uid in ["FIRST", "SECOND", "THIRD"] {
        let fields = json!({"merchant_uid": merchant_uid, "amount": 1, "webhook": true});
        bench.sandbox.create_payment(fields).unwrap();
    }
    assert_eq!(shop.next_json().await["merchant_uid"], "THIRD");
    let held = bench.get("/_sandbox/webhooks").send().await.unwrap();
    let held = json_of(held, 200).await["held"].clone();
    assert_eq!(held[0]["merchant_uid"], "FIRST");
    assert_eq!(held.as_array().unwrap().len(), 2);

    let released = bench
        .post("/_sandbox/webhooks/release")
        .json(&json!({"reversed": true}));
    let released = json_of(released.send().await.unwrap(), 200).await;

    assert_eq!(shop.next_json().await["merchant_uid"], "SECOND");
    assert_eq!(shop.next_json().await["merchant_uid"], "FIRST");
    assert_eq!(released["webhooks"].as_array().unwrap().len(), 2);
    let empty = bench.post("/_sandbox/webhooks/release").send().await;
    assert_eq!(json_of(empty.unwrap(), 200).await, json!({"webhooks": []}));
}

#[tokio::test]
async fn the_test_call_tells_of_a_payment_that_does_not_exist() {
    let (bench, mut shop) = bench_and_shop(ENOUGH).await;

    let sent = bench.post("/_sandbox/webhooks/test").send().await.unwrap();
    let sent = json_of(sent, 200).await;

    let body = shop.next_json().await;
    assert_eq!(body["status"], "paid");
    assert_eq!(sent["webhooks"][0]["answer"], 200);
    let imp_uid = body["imp_uid"].as_str().unwrap();
    json_of(bench.ask(&format!("/payments/{imp_uid}")).await, 404).await;
    bench.sandbox.set_webhook_url(None);
    let nowhere = bench.post("/_sandbox/webhooks/test").send().await.unwrap();
    json_of(nowhere, 409).await;
}

#[tokio::test]
async fn the_outcome_page_shows_what_was_sent_where() {
    let (bench, _shop) = bench_and_shop(ENOUGH).await;
    let imp_uid = bench.open(json!({"language": "en"})).await;
    let answer = bench
        .choose(
            &imp_uid,
            &[("choice", "pay"), ("webhook", "before"), ("then", "show")],
        )
        .await;

    let shown = location(&answer).to_owned();
    assert_eq!(shown, format!("/_sandbox/window/{imp_uid}?lang=en"));
    let page = text_of(bench.get(&shown).send().await.unwrap(), 200).await;

    for part in [
        "<dt>status</dt><dd>paid</dd>".to_owned(),
        "<code>pay</code>".into(),
        "→ HTTP 200".into(),
        format!("imp_uid={imp_uid}&amp;merchant_uid=ORD-1&amp;imp_success=true"),
        "Back to the shop".into(),
    ] {
        assert!(page.contains(&part), "{part} is not in {page}");
    }
}
