//! Gateways: how each brings the buyer back, when it approves and cancels; and the confirm process.

use std::time::Duration;

use portone_sandbox::{Event, JournalEntry, Sandbox};
use serde_json::{Value, json};

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, REDIRECT_URL, json_of, location, text_of};

/// A payment of this gateway, and the window's answer to a choice.
async fn choose(bench: &Bench, gateway: &str, choice: &str) -> (String, reqwest::Response) {
    // An order of its own, as a paid one cannot be paid again.
    let merchant_uid = format!("ORD-{}", bench.sandbox.journal().len());
    let parameters = json!({"pg": gateway, "merchant_uid": merchant_uid});
    let imp_uid = bench.open(parameters).await;
    let answer = bench.choose(&imp_uid, &[("choice", choice)]).await;
    (imp_uid, answer)
}

/// Waits until a payment has the status.
async fn has_status(bench: &Bench, imp_uid: &str, status: &str) {
    let is_there = |_: &[JournalEntry]| bench.record(imp_uid)["status"] == status;
    bench.sandbox.journal_when(is_there).await.unwrap();
}

#[tokio::test]
async fn each_gateway_has_its_own_query() {
    let bench = Bench::start().await;
    let cases = [
        ("html5_inicis", "pay", "&imp_success=true"),
        (
            "html5_inicis",
            "decline",
            "&imp_success=false&error_code=F0002",
        ),
        ("kcp", "pay", "&imp_success=true"),
        ("kcp_quick", "pay", "&imp_status=true&kcp_action=Pay"),
        ("kcp_quick", "decline", "&imp_status=false&kcp_action=Pay"),
        ("tosspayments", "pay", ""),
        ("tosspayments", "decline", "&error_code=F0002"),
        ("nice_v2", "issue_vbank", ""),
        ("smartro_v2", "pay", ""),
        ("ksnet", "pay", ""),
        ("welcome", "pay", ""),
        ("payletter_global", "pay", ""),
        ("daou", "pay", "&imp_success=false"),
    ];
    for (number, (gateway, choice, rest)) in cases.into_iter().enumerate() {
        let merchant_uid = format!("ORD-{number}");
        let parameters = json!({"pg": format!("{gateway}.MID"), "merchant_uid": merchant_uid});
        let imp_uid = bench.open(parameters).await;

        let answer = bench.choose(&imp_uid, &[("choice", choice)]).await;

        let expected =
            format!("{REDIRECT_URL}&imp_uid={imp_uid}&merchant_uid={merchant_uid}{rest}");
        let actual = location(&answer).split("&error_msg").next().unwrap();
        assert_eq!(actual, expected, "{gateway} {choice}");
        assert_eq!(bench.record(&imp_uid)["pg_provider"], gateway);
    }
}

#[tokio::test]
async fn kcp_quick_names_the_action_that_was_asked_for() {
    let bench = Bench::start().await;
    let parameters = json!({
        "channelKey": "channel-key-kcp_quick", "bypass": {"kcpQuick": {"actionType": "Register"}}
    });
    let imp_uid = bench.open(parameters).await;

    let answer = bench.choose(&imp_uid, &[("choice", "pay")]).await;

    assert!(location(&answer).ends_with("&imp_status=true&kcp_action=Register"));
}

#[tokio::test]
async fn the_gateway_is_the_requests_else_the_configured_one() {
    let bench = Bench::start().await;
    bench.sandbox.configure(json!({"gateway": "nice"})).unwrap();
    let cases = [
        (json!({}), "nice"),
        (json!({"channelKey": "channel-key-893597d6"}), "nice"),
        (json!({"channelKey": "channel-key-test-nice_v2"}), "nice_v2"),
        (
            json!({"pg": "kcp.T0000", "channelKey": "channel-key-nice_v2"}),
            "kcp",
        ),
    ];
    for (parameters, gateway) in cases {
        let imp_uid = bench.open(parameters.clone()).await;
        assert_eq!(
            bench.record(&imp_uid)["pg_provider"],
            gateway,
            "{parameters}"
        );
    }

    let unknown = bench.checkout(json!({"pg": "stripe"})).await;

    assert_eq!(unknown["error_code"], "F1001");
}

#[tokio::test]
async fn new_modules_tell_the_callback_ids_and_errors_alone() {
    let bench = Bench::start().await;
    let callback = async |gateway: &str, choice: &str| {
        let opened = bench
            .checkout_by("flow=frame", json!({"pg": gateway}))
            .await;
        let imp_uid = opened["imp_uid"].as_str().unwrap();
        let request = bench
            .post(&format!("/_sandbox/window/{imp_uid}"))
            .header("accept", "application/json")
            .form(&[("choice", choice)]);
        let answer = json_of(request.send().await.unwrap(), 200).await;
        let fields: Vec<String> = answer["result"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        (answer["result"].clone(), fields)
    };

    let (_, paid) = callback("tosspayments", "issue_vbank").await;
    let (_, failed) = callback("tosspayments", "cancel").await;
    let (daou, _) = callback("daou", "cancel").await;

    assert_eq!(paid, ["imp_uid", "merchant_uid"]);
    assert_eq!(
        failed,
        ["error_code", "error_msg", "imp_uid", "merchant_uid"]
    );
    assert_eq!(daou["success"], false);
    assert_eq!(daou["pg_provider"], "daou");
    assert!(daou.get("imp_success").is_none());
}

#[tokio::test]
async fn some_gateways_choose_the_way_themselves() {
    let bench = Bench::start().await;
    let cases = [
        ("flow=frame", json!({"pg": "html5_inicis"}), "frame"),
        ("flow=frame", json!({"pg": "paypal"}), "redirect"),
        ("flow=frame", json!({"pg": "kcp_quick"}), "redirect"),
        ("flow=redirect", json!({"pg": "paypal_v2"}), "frame"),
        ("flow=redirect", json!({"pg": "naverpay"}), "redirect"),
        (
            "flow=redirect",
            json!({"pg": "naverpay", "naverPopupMode": true}),
            "frame",
        ),
        (
            "flow=frame",
            json!({"pg": "naverpay", "naverPopupMode": false}),
            "redirect",
        ),
    ];
    for (query, parameters, flow) in cases {
        let opened = bench.checkout_by(query, parameters.clone()).await;
        assert_eq!(opened["flow"], flow, "{query} {parameters}");
    }

    let (imp_uid, answer) = choose(&bench, "naverco", "pay").await;

    text_of(answer, 200).await;
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn kiwooms_approval_is_overtaken_by_the_redirect() {
    let mut shop = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    bench.sandbox.freeze_clock();

    let (imp_uid, answer) = choose(&bench, "daou", "pay").await;
    assert!(location(&answer).contains("&imp_success=false&error_msg="));
    bench.sandbox.advance_clock(Duration::from_millis(999));
    assert_eq!(bench.record(&imp_uid)["status"], "ready");
    bench.sandbox.advance_clock(Duration::from_millis(1));

    assert_eq!(shop.next_json().await["status"], "paid");
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn paymentwalls_failure_is_approved_after_a_review() {
    let mut shop = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    bench.sandbox.freeze_clock();

    let (imp_uid, answer) = choose(&bench, "paymentwall", "pay").await;
    assert!(location(&answer).contains("Internal%20error"));
    let failed = bench.record(&imp_uid);
    bench.sandbox.advance_clock(Duration::from_secs(40 * 60));

    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["fail_reason"], "(PG사 결제 장애) Internal error");
    // The failure was not told of; the approval is.
    assert_eq!(shop.next_json().await["status"], "paid");
    assert_eq!(bench.record(&imp_uid)["failed_at"], 0);
}

#[tokio::test]
async fn the_same_can_be_chosen_with_any_gateway() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let (overtaken, _) = choose(&bench, "kcp", "pay_async").await;
    let (reviewed, _) = choose(&bench, "kcp", "pay_late").await;
    let (cancelled, answer) = choose(&bench, "kcp", "cancel_ready").await;
    assert!(location(&answer).contains("&imp_success=false&error_code=F0001"));
    let statuses = [&overtaken, &reviewed, &cancelled].map(|id| bench.record(id)["status"].clone());
    assert_eq!(statuses, ["ready", "failed", "ready"]);

    bench.sandbox.advance_clock(Duration::from_secs(1));
    has_status(&bench, &overtaken, "paid").await;
    bench.sandbox.advance_clock(Duration::from_secs(40 * 60));
    has_status(&bench, &reviewed, "paid").await;

    assert_eq!(bench.record(&cancelled)["status"], "ready");
}

#[tokio::test]
async fn what_was_decided_meanwhile_stands() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let (imp_uid, _) = choose(&bench, "kcp", "pay_late").await;
    let (marker, _) = choose(&bench, "kcp", "pay_late").await;
    bench
        .sandbox
        .patch_payment(&imp_uid, json!({"status": "cancelled"}))
        .unwrap();

    bench.sandbox.advance_clock(Duration::from_secs(40 * 60));
    has_status(&bench, &marker, "paid").await;

    assert_eq!(bench.record(&imp_uid)["status"], "cancelled");
}

#[tokio::test]
async fn accounts_look_as_their_gateway_writes_them() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    for (gateway, has_holder) in [
        ("html5_inicis", true),
        ("tosspayments", false),
        ("ksnet", false),
    ] {
        let (imp_uid, _) = choose(&bench, gateway, "issue_vbank").await;
        let record = bench.record(&imp_uid);
        assert_eq!(record["vbank_holder"].is_string(), has_holder, "{gateway}");
        assert_eq!(record["status"], "ready");
    }
    let (dashes, _) = choose(&bench, "nice", "issue_vbank").await;
    assert!(
        bench.record(&dashes)["vbank_num"]
            .as_str()
            .unwrap()
            .contains('-')
    );

    // Eximbay's Econtext names no account, and is paid into by itself.
    let (econtext, _) = choose(&bench, "eximbay", "issue_vbank").await;
    assert_eq!(bench.record(&econtext)["vbank_num"], "unknown");
    bench.sandbox.advance_clock(Duration::from_secs(10 * 60));
    has_status(&bench, &econtext, "paid").await;
}

#[tokio::test]
async fn an_asynchronous_cancel_is_done_once_its_history_says_so() {
    let mut shop = Shop::start(ENOUGH).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    bench.sandbox.freeze_clock();
    let fields = json!({"merchant_uid": "A", "amount": 10, "pg_provider": "paypal_v2"});
    let imp_uid = bench.sandbox.create_payment(fields).unwrap();
    let token = bench.token().await;

    let request = bench.post("/payments/cancel").bearer_auth(token);
    let body = json!({"imp_uid": imp_uid, "enable_webhook": true});
    let answer = json_of(request.json(&body).send().await.unwrap(), 200).await;
    let begun = answer["response"].clone();
    bench.sandbox.advance_clock(Duration::from_secs(5));
    let told = shop.next_json().await;

    assert_eq!(
        (
            &begun["status"],
            &begun["cancel_amount"],
            &begun["cancel_history"]
        ),
        (&json!("cancelled"), &json!(10), &json!([]))
    );
    let history = bench.record(&imp_uid)["cancel_history"].clone();
    assert_eq!(told["status"], "cancelled");
    assert_eq!(told["cancellation_id"], history[0]["cancellation_id"]);
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert!(shop.received.try_recv().is_err(), "told of once");
}

#[tokio::test]
async fn a_second_visit_comes_from_the_banks_app() {
    let mut shop = Shop::start(ENOUGH).await;
    let bench = Bench::start().await;
    let open = async |fields: Value| {
        let mut parameters = json!({"m_redirect_url": shop.url.as_str()});
        for (name, value) in fields.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        bench.open(parameters).await
    };
    let chosen = open(json!({"merchant_uid": "A"})).await;
    let transfer = open(json!({"merchant_uid": "B", "pay_method": "trans"})).await;

    let by_choice = bench.choose(&chosen, &[("choice", "pay_twice")]).await;
    let visited = shop.next().await;
    let by_method = bench.choose(&transfer, &[("choice", "pay")]).await;
    let app = shop.next().await;

    assert_eq!(visited.method, "GET");
    assert_eq!(
        location(&by_choice),
        format!("{}?{}", shop.url, visited.query)
    );
    assert!(visited.query.ends_with("&imp_success=true"));
    assert_eq!(app.query, format!("imp_uid={transfer}&merchant_uid=B"));
    assert!(location(&by_method).ends_with(&app.query));
    let journal = bench.sandbox.journal();
    let methods: Vec<_> = journal
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Redirect { method, .. } => Some(*method),
            _ => None,
        })
        .collect();
    assert_eq!(methods, ["VISIT", "GET", "VISIT", "GET"]);
}

#[tokio::test]
async fn messages_can_come_in_the_gateways_own_charset() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .configure(json!({"error_msg_charset": "euc-kr"}))
        .unwrap();

    let (_, answer) = choose(&bench, "kcp", "decline_limit").await;

    // [한도초과] in EUC-KR.
    assert!(
        location(&answer).contains("&error_msg=%5B%C7%D1%B5%B5%C3%CA%B0%FA%5D"),
        "{}",
        location(&answer)
    );
}

#[tokio::test]
async fn a_window_can_be_kept_shut() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .fault(json!({"call": "checkout", "kind": "code", "message": "MID 오류", "times": 1}))
        .unwrap();

    let refused = bench.checkout(json!({})).await;

    assert_eq!(refused["success"], false);
    assert_eq!(refused["imp_uid"], Value::Null);
    assert_eq!(refused["error_code"], "F1005");
    assert_eq!(refused["error_msg"], "MID 오류");
    let back = format!("{REDIRECT_URL}&merchant_uid=ORD-1&imp_success=false&error_code=F1005");
    assert!(refused["redirect_url"].as_str().unwrap().starts_with(&back));
    bench.open(json!({})).await;
}

/// The one question in the journal, with its answer.
fn confirms(bench: &Bench) -> Vec<(Option<u16>, Option<&'static str>)> {
    let journal = bench.sandbox.journal();
    journal
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Confirm { answer, error, .. } => Some((*answer, *error)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_shop_is_asked_before_the_approval_and_200_lets_it_go_on() {
    let mut shop = Shop::start(0).await;
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({"confirm_url": shop.url.as_str()})).await;
    let choice = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .form(&[("choice", "pay")]);
    let choice = tokio::spawn(choice.send());

    let asked = shop.next_json().await;
    let before = bench.record(&imp_uid);
    shop.permits.add_permits(ENOUGH);
    let answer = choice.await.unwrap().unwrap();

    assert_eq!(
        asked,
        json!({"imp_uid": imp_uid, "merchant_uid": "ORD-1", "amount": 64900})
    );
    assert_eq!(before["status"], "ready");
    assert!(location(&answer).ends_with("&imp_success=true"));
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
    assert_eq!(confirms(&bench), [(Some(200), None)]);
}

#[tokio::test]
async fn anything_but_200_fails_the_payment_with_the_shops_reason() {
    let shop = Shop::start(ENOUGH).await;
    let bench = Bench::start().await;
    bench
        .sandbox
        .configure(json!({"confirm_url": shop.url.as_str()}))
        .unwrap();
    let cases = [
        (400, r#"{"reason":"재고 부족"}"#, "재고 부족"),
        (500, "<h1>oops</h1>", "알 수 없음"),
        (204, "", "알 수 없음"),
        (302, r#"{"reason":7}"#, "알 수 없음"),
    ];
    for (choice, (status, body, reason)) in ["pay", "issue_vbank", "pay_flag_false", "pay_async"]
        .into_iter()
        .zip(cases)
    {
        shop.answer_next([(status, body)]);

        let (imp_uid, answer) = choose(&bench, "kcp", choice).await;

        let expected = format!("고객사 요청에 의해 결제를 중단합니다. (상세사유 : {reason})");
        let record = bench.record(&imp_uid);
        assert_eq!(record["status"], "failed", "{choice}");
        assert_eq!(record["fail_reason"], expected, "{choice}");
        assert!(location(&answer).contains("&imp_success=false&error_code=F0006&error_msg="));
    }
    assert_eq!(confirms(&bench).len(), 4);
}

#[tokio::test]
async fn no_answer_in_time_is_a_refusal() {
    let shop = Shop::start(0).await;
    let bench = Bench::start().await;
    let settings = json!({"confirm_url": shop.url.as_str(), "confirm_timeout_ms": 50});
    bench.sandbox.configure(settings).unwrap();

    let (imp_uid, _) = choose(&bench, "kcp", "pay").await;

    assert_eq!(bench.record(&imp_uid)["status"], "failed");
    assert_eq!(confirms(&bench), [(None, Some("timeout"))]);
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_not_approved_or_cannot_be_confirmed() {
    let shop = Shop::start(ENOUGH).await;
    let bench = Bench::start().await;
    bench
        .sandbox
        .configure(json!({"confirm_url": shop.url.as_str()}))
        .unwrap();
    for (gateway, choice) in [
        ("kcp", "cancel"),
        ("kcp", "decline"),
        ("kcp", "abandon"),
        ("eximbay", "pay"),
        ("daou", "pay"),
        ("naverco", "pay"),
    ] {
        choose(&bench, gateway, choice).await;
    }

    assert_eq!(confirms(&bench), []);
}

#[tokio::test]
async fn a_browser_that_leaves_does_not_stop_its_payment() {
    let mut shop = Shop::start(0).await;
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({"confirm_url": shop.url.as_str()})).await;
    let choice = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .form(&[("choice", "pay")]);
    let choice = tokio::spawn(choice.send());
    shop.next_json().await;

    choice.abort();
    assert!(choice.await.unwrap_err().is_cancelled());
    // A second click finds the window taken.
    let second = bench.choose(&imp_uid, &[("choice", "cancel")]).await;
    text_of(second, 409).await;
    shop.permits.add_permits(ENOUGH);

    has_status(&bench, &imp_uid, "paid").await;
}
