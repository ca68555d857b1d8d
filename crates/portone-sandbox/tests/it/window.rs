//! The payment window: what opens, what each choice does to the record, and where the browser goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, REDIRECT_URL, json_of, location, text_of};

/// What the shop's own address becomes with everything appended to it.
fn back(appended: &str) -> String {
    format!("{REDIRECT_URL}&{appended}")
}

#[tokio::test]
async fn each_choice_leaves_its_record_and_its_location() {
    const CANCELLED: &str = "%EC%82%AC%EC%9A%A9%EC%9E%90%EA%B0%80%20%EA%B2%B0%EC%A0%9C%EB%A5%BC\
                             %20%EC%B7%A8%EC%86%8C%ED%95%98%EC%85%A8%EC%8A%B5%EB%8B%88%EB%8B%A4";
    let cases = [
        ("pay", "paid", "ID&ORDER&imp_success=true".to_owned()),
        ("issue_vbank", "ready", "ID&ORDER&imp_success=true".into()),
        (
            "cancel",
            "failed",
            format!("ID&ORDER&imp_success=false&error_code=F0001&error_msg={CANCELLED}"),
        ),
        ("pay_no_flag", "paid", "ID&ORDER".into()),
        ("pay_no_imp_uid", "paid", "ORDER".into()),
        ("pay_success_key", "paid", "ID&ORDER&success=true".into()),
        ("pay_lag", "paid", "ID&ORDER&imp_success=true".into()),
        (
            "pay_tampered_amount",
            "paid",
            "ID&ORDER&imp_success=true".into(),
        ),
        (
            "pay_tampered_currency",
            "paid",
            "ID&ORDER&imp_success=true".into(),
        ),
        (
            "pay_test_channel",
            "paid",
            "ID&ORDER&imp_success=true".into(),
        ),
        (
            "fail_flag_true",
            "failed",
            "ID&ORDER&imp_success=true".into(),
        ),
    ];
    let bench = Bench::start().await;
    for (number, (choice, status, appended)) in cases.into_iter().enumerate() {
        let merchant_uid = format!("ORD-{number}");
        let imp_uid = bench.open(json!({"merchant_uid": merchant_uid})).await;

        let answer = bench.choose(&imp_uid, &[("choice", choice)]).await;

        let appended = appended
            .replace("ID", &format!("imp_uid={imp_uid}"))
            .replace("ORDER", &format!("merchant_uid={merchant_uid}"));
        assert_eq!(location(&answer), back(&appended), "{choice}");
        assert_eq!(bench.record(&imp_uid)["status"], status, "{choice}");
    }
}

#[tokio::test]
async fn refusals_carry_a_code_a_message_and_a_korean_reason() {
    let cases = [
        ("cancel", "F0001", "사용자가 결제를 취소하셨습니다"),
        (
            "decline",
            "F0002",
            "[승인거절] 카드사에서 승인이 거절되었습니다.",
        ),
        (
            "decline_limit",
            "F0003",
            "[한도초과] 카드 이용한도를 초과하였습니다.",
        ),
        (
            "decline_balance",
            "F0004",
            "잔액부족으로 결제가 거절되었습니다.",
        ),
        ("decline_card", "F0005", "유효하지 않은 카드 번호입니다."),
    ];
    let bench = Bench::start().await;
    for (choice, code, message) in cases {
        let imp_uid = bench.open(json!({})).await;

        let answer = bench.choose(&imp_uid, &[("choice", choice)]).await;

        let url = reqwest::Url::parse(location(&answer)).unwrap();
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let expected = [
            ("order_id", "7"),
            ("imp_uid", &imp_uid),
            ("merchant_uid", "ORD-1"),
            ("imp_success", "false"),
            ("error_code", code),
            ("error_msg", message),
        ];
        assert_eq!(pairs, expected);
        let record = bench.record(&imp_uid);
        assert_eq!(record["fail_reason"], message);
        assert!(record["failed_at"].as_i64().unwrap() > 0);
        assert_eq!(record["paid_at"], 0);
        assert_eq!(record["apply_num"], Value::Null);
    }
}

#[tokio::test]
async fn a_paid_flag_false_return_has_a_message_but_no_code() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;

    let answer = bench
        .choose(&imp_uid, &[("choice", "pay_flag_false")])
        .await;

    let start = back(&format!(
        "imp_uid={imp_uid}&merchant_uid=ORD-1&imp_success=false&error_msg=%EA%B2%B0"
    ));
    assert!(
        location(&answer).starts_with(&start),
        "{}",
        location(&answer)
    );
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn tampered_payments_differ_from_the_order_in_one_thing() {
    let bench = Bench::start().await;
    let cases = [
        ("pay", json!({"amount": 64900}), 64900, "KRW", false),
        ("pay_tampered_amount", json!({}), 100, "KRW", false),
        (
            "pay_tampered_amount",
            json!({"amount": 100}),
            101,
            "KRW",
            false,
        ),
        ("pay_tampered_currency", json!({}), 64900, "JPY", false),
        (
            "pay_tampered_currency",
            json!({"currency": "USD"}),
            64900,
            "KRW",
            false,
        ),
        ("pay_test_channel", json!({}), 64900, "KRW", true),
        (
            "pay",
            json!({"channelKey": "channel-key-Test-1"}),
            64900,
            "KRW",
            true,
        ),
        (
            "pay_test_channel",
            json!({"channelKey": "test"}),
            64900,
            "KRW",
            false,
        ),
    ];
    for (number, (choice, parameters, amount, currency, is_test)) in cases.into_iter().enumerate() {
        let mut parameters = parameters;
        parameters["merchant_uid"] = json!(format!("ORD-{number}"));
        let imp_uid = bench.open(parameters).await;

        bench.choose(&imp_uid, &[("choice", choice)]).await;

        let record = bench.record(&imp_uid);
        assert_eq!(record["amount"], amount, "{number}");
        assert_eq!(record["currency"], currency, "{number}");
        assert_eq!(record["sandbox"], is_test, "{number}");
    }
}

#[tokio::test]
async fn an_issued_account_is_ready_with_a_deadline() {
    let bench = Bench::start().await;
    let three_days = bench.open(json!({"pay_method": "vbank"})).await;
    let named = bench.open(json!({"vbank_due": "2099-12-31"})).await;

    bench
        .choose(&three_days, &[("choice", "issue_vbank")])
        .await;
    bench.choose(&named, &[("choice", "issue_vbank")]).await;

    let record = bench.record(&three_days);
    assert_eq!(record["status"], "ready");
    assert_eq!(record["pay_method"], "vbank");
    assert_eq!(record["paid_at"], 0);
    assert_eq!(record["vbank_name"], "신한은행");
    assert_eq!(record["vbank_num"].as_str().unwrap().len(), 14);
    let issued = record["vbank_issued_at"].as_i64().unwrap();
    assert_eq!(record["vbank_date"].as_i64().unwrap() - issued, 3 * 86_400);
    // 2099-12-31T23:59:59+09:00
    assert_eq!(bench.record(&named)["vbank_date"], 4_102_412_399_i64);
}

#[tokio::test]
async fn a_lagging_payment_is_404_for_a_second() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let imp_uid = bench.open(json!({})).await;
    let path = format!("/payments/{imp_uid}");
    bench.choose(&imp_uid, &[("choice", "pay_lag")]).await;

    bench.sandbox.advance_clock(Duration::from_millis(999));
    let hidden = bench.ask(&path).await;
    let hidden_list = bench.ask("/payments/findAll/ORD-1").await;
    bench.sandbox.advance_clock(Duration::from_millis(1));
    let shown = bench.ask(&path).await;

    json_of(hidden, 404).await;
    json_of(hidden_list, 404).await;
    assert_eq!(json_of(shown, 200).await["response"]["status"], "paid");
}

#[tokio::test]
async fn abandoning_leaves_the_payment_ready_and_offers_a_link() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;

    let page = text_of(bench.choose(&imp_uid, &[("choice", "abandon")]).await, 200).await;

    let link = back(&format!("imp_uid={imp_uid}&merchant_uid=ORD-1")).replace('&', "&amp;");
    assert!(page.contains(&format!(r#"href="{link}""#)), "{page}");
    assert_eq!(bench.record(&imp_uid)["status"], "ready");
}

#[tokio::test]
async fn pay_no_return_stays_and_links_nowhere() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;

    let answer = bench.choose(&imp_uid, &[("choice", "pay_no_return")]).await;
    let page = text_of(answer, 200).await;

    assert!(!page.contains("shop.test"), "{page}");
    assert!(page.contains("<h1>결제되었습니다</h1>"), "{page}");
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn pay_post_returns_by_a_form_that_works_without_a_script() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;

    let answer = bench.choose(&imp_uid, &[("choice", "pay_post")]).await;
    let page = text_of(answer, 200).await;

    assert!(
        page.contains(r#"method="post" action="http://shop.test/payments/complete?order_id=7""#)
    );
    assert!(page.contains(&format!(r#"name="imp_uid" value="{imp_uid}""#)));
    assert!(page.contains(r#"name="merchant_uid" value="ORD-1""#));
    assert!(page.contains(r#"name="imp_success" value="true""#));
    assert!(page.contains("<button"));
    assert!(page.contains(r#"data-submit="return""#));
}

#[tokio::test]
async fn a_window_takes_one_choice() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    let first = bench.choose(&imp_uid, &[("choice", "pay")]).await;

    let second = bench.choose(&imp_uid, &[("choice", "cancel")]).await;
    let page = text_of(second, 409).await;
    let reopened = bench.get(&format!("/_sandbox/window/{imp_uid}"));
    let reopened = text_of(reopened.send().await.unwrap(), 200).await;

    // The way back stays, so that a second visit can be tried.
    let link = location(&first).replace('&', "&amp;");
    assert!(page.contains(&link), "{page}");
    assert!(reopened.contains(&link));
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn wrong_choices_and_unknown_windows_change_nothing() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    let made = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-9", "amount": 1, "status": "ready"}))
        .unwrap();

    for fields in [
        &[("choice", "steal")][..],
        &[("choice", "")],
        &[("choice", "pay"), ("webhook", "sometimes")],
        &[("choice", "pay"), ("webhook_format", "xml")],
    ] {
        text_of(bench.choose(&imp_uid, fields).await, 400).await;
    }
    text_of(bench.choose("imp_0", &[("choice", "pay")]).await, 404).await;
    text_of(bench.choose(&made, &[("choice", "pay")]).await, 404).await;

    assert_eq!(bench.record(&imp_uid)["status"], "ready");
    assert_eq!(bench.record(&made)["status"], "ready");
}

#[tokio::test]
async fn without_a_redirect_url_the_result_is_not_delivered() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({"m_redirect_url": null})).await;

    let answer = bench.choose(&imp_uid, &[("choice", "pay")]).await;

    assert!(text_of(answer, 200).await.contains("m_redirect_url"));
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
}

#[tokio::test]
async fn the_page_is_a_form_in_korean_or_english_without_inline_script() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    let english = bench
        .open(json!({"merchant_uid": "ORD-2", "language": "en"}))
        .await;
    let get = async |path: String| bench.get(&path).send().await.unwrap();

    let answer = get(format!("/_sandbox/window/{imp_uid}")).await;
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    let korean = text_of(answer, 200).await;
    let asked = text_of(
        get(format!("/_sandbox/window/{imp_uid}?lang=en")).await,
        200,
    )
    .await;
    let by_parameter = text_of(get(format!("/_sandbox/window/{english}")).await, 200).await;

    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(korean.contains(r#"<html lang="ko">"#) && korean.contains("결제하기"));
    assert!(asked.contains(r#"<html lang="en">"#) && asked.contains("no real money"));
    assert!(by_parameter.contains(r#"<html lang="en">"#));
    assert!(korean.contains("원두 1kg") && korean.contains("₩64,900"));
    assert!(!korean.contains("<script"));
    assert_eq!(korean.matches(r#"<button name="choice""#).count(), 23);
}

#[tokio::test]
async fn what_the_shop_sends_is_escaped_on_every_page() {
    const EVIL: &str = r#"<script>alert("1")</script>'&"#;
    let bench = Bench::start().await;
    let imp_uid = bench
        .open(json!({"name": EVIL, "merchant_uid": EVIL, "currency": EVIL}))
        .await;
    let window = bench.get(&format!("/_sandbox/window/{imp_uid}"));
    let window = text_of(window.send().await.unwrap(), 200).await;
    let posted = bench.choose(&imp_uid, &[("choice", "pay_post")]).await;
    let posted = text_of(posted, 200).await;
    let receipt = bench.get(&format!("/_sandbox/receipt/{imp_uid}"));
    let receipt = text_of(receipt.send().await.unwrap(), 200).await;
    let index = text_of(bench.get("/_sandbox/").send().await.unwrap(), 200).await;

    for page in [window, posted, receipt, index] {
        assert!(
            !page.contains("alert(\"") && !page.contains("<script>alert"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }
}

#[tokio::test]
async fn a_frame_tells_its_opener_and_only_its_opener() {
    let bench = Bench::start().await;
    let opened = bench.checkout_by("flow=frame", json!({})).await;
    let imp_uid = opened["imp_uid"].as_str().unwrap();
    assert_eq!(bench.record(imp_uid)["channel"], "pc");

    let page = text_of(bench.choose(imp_uid, &[("choice", "pay")]).await, 200).await;

    assert!(page.contains(r#"data-target="http://shop.test""#), "{page}");
    let start = page.find("data-result=\"").unwrap() + "data-result=\"".len();
    let end = start + page[start..].find('"').unwrap();
    let result: Value = serde_json::from_str(
        &page[start..end]
            .replace("&quot;", "\"")
            .replace("&#39;", "'"),
    )
    .unwrap();
    assert_eq!(result["success"], true);
    assert_eq!(result["imp_uid"], imp_uid);
    assert_eq!(result["merchant_uid"], "ORD-1");
    assert_eq!(result["paid_amount"], 64900);
    assert_eq!(result["status"], "paid");
    assert_eq!(result["pg_type"], "payment");
    assert!(result.get("amount").is_none());
    assert!(result.get("error_code").is_none());
}

#[tokio::test]
async fn closing_a_frame_is_a_cancel_and_answers_the_script() {
    let bench = Bench::start().await;
    let opened = bench.checkout_by("flow=frame", json!({})).await;
    let imp_uid = opened["imp_uid"].as_str().unwrap();

    let answer = bench
        .post(&format!("/_sandbox/window/{imp_uid}"))
        .header("accept", "application/json")
        .header("origin", "http://shop.test")
        .form(&[("choice", "cancel")])
        .send()
        .await
        .unwrap();

    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let result = json_of(answer, 200).await["result"].clone();
    assert_eq!(result["success"], false);
    assert_eq!(result["error_code"], "F0001");
    assert_eq!(result["error_msg"], "사용자가 결제를 취소하셨습니다");
    assert_eq!(bench.record(imp_uid)["status"], "failed");
}

#[tokio::test]
async fn checkout_keeps_what_the_shop_says_in_the_record() {
    let bench = Bench::start().await;
    let parameters = json!({
        "pay_method": "trans", "buyer_name": "홍길동", "buyer_email": "a@b.test",
        "buyer_tel": "010-0000-0000", "custom_data": {"cart": [1, 2]}, "escrow": true,
        "currency": "KRW",
    });
    let answer = bench.checkout(parameters).await;
    let imp_uid = answer["imp_uid"].as_str().unwrap();
    let window_url = format!("{}_sandbox/window/{imp_uid}", bench.sandbox.url());

    assert_eq!(
        answer,
        json!({
            "success": true, "imp_uid": imp_uid, "merchant_uid": "ORD-1", "window_url": window_url, "flow": "redirect"
        })
    );
    let digits = imp_uid.strip_prefix("imp_").unwrap();
    assert!(digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit()));
    let record = bench.record(imp_uid);
    assert_eq!(record["status"], "ready");
    assert_eq!(record["channel"], "mobile");
    assert_eq!(record["buyer_name"], "홍길동");
    assert_eq!(record["custom_data"], r#"{"cart":[1,2]}"#);
    assert_eq!(record["user_agent"], "Test Browser/1.0");
    assert_eq!(record["escrow"], true);

    bench.choose(imp_uid, &[("choice", "pay")]).await;
    let record = bench.record(imp_uid);
    assert_eq!(record["bank_name"], "KB국민은행");
    assert_eq!(record["card_name"], Value::Null);
}

#[tokio::test]
async fn checkout_refuses_before_any_payment_exists() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .create_payment(json!({"merchant_uid": "PAID", "amount": 64900}))
        .unwrap();
    bench
        .sandbox
        .create_payment(json!({"merchant_uid": "FAILED", "amount": 64900, "status": "failed"}))
        .unwrap();
    let cases = [
        (json!({"merchant_uid": "PAID"}), "F1002"),
        (json!({"merchant_uid": null}), "F1001"),
        (json!({"merchant_uid": 7}), "F1001"),
        (json!({"merchant_uid": "x".repeat(41)}), "F1001"),
        (json!({"pay_method": "phone"}), "F1001"),
        (json!({"pay_method": "phone", "digital": "true"}), "F1001"),
        (json!({"tax_free": 64901}), "F1001"),
        (json!({"tax_free": "1"}), "F1001"),
        (json!({"amount": null}), "F1001"),
        (json!({"amount": "64900"}), "F1001"),
        (json!({"amount": 0}), "F1001"),
        (json!({"amount": -1}), "F1001"),
        (json!({"m_redirect_url": "javascript:alert(1)"}), "F1001"),
        (json!({"notice_url": "file:///etc/passwd"}), "F1001"),
        (json!({"vbank_due": "tomorrow"}), "F1001"),
    ];
    for (parameters, code) in cases {
        let answer = bench.checkout(parameters.clone()).await;
        assert_eq!(answer["success"], false, "{parameters}");
        assert_eq!(answer["imp_uid"], Value::Null);
        assert_eq!(answer["error_code"], code, "{parameters}");
    }

    let foreign = bench.checkout_by("code=imp99999999", json!({})).await;
    assert_eq!(foreign["error_code"], "F1001");
    // A failed attempt does not use the number up.
    bench.open(json!({"merchant_uid": "FAILED"})).await;
}

#[tokio::test]
async fn a_refusal_names_where_to_go_without_a_callback() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 64900}))
        .unwrap();

    let answer = bench.checkout(json!({})).await;

    assert_eq!(answer["error_msg"], "이미 결제가 이루어진 거래건입니다.");
    let url = answer["redirect_url"].as_str().unwrap();
    let start = back("merchant_uid=ORD-1&imp_success=false&error_code=F1002&error_msg=%EC%9D%B4");
    assert!(url.starts_with(&start), "{url}");
}

#[tokio::test]
async fn checkout_holds_to_what_was_prepared() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    for (merchant_uid, currency) in [("FREE", Value::Null), ("BOUND", json!("USD"))] {
        let request = bench.post("/payments/prepare").bearer_auth(&token);
        let body = json!({"merchant_uid": merchant_uid, "amount": 64900, "currency": currency});
        json_of(request.json(&body).send().await.unwrap(), 200).await;
    }
    let cases = [
        (json!({"merchant_uid": "FREE", "amount": 100}), false),
        (json!({"merchant_uid": "FREE"}), true),
        (json!({"merchant_uid": "FREE", "currency": "JPY"}), true),
        (json!({"merchant_uid": "BOUND"}), false),
        (json!({"merchant_uid": "BOUND", "currency": "USD"}), true),
    ];
    for (parameters, opens) in cases {
        let answer = bench.checkout(parameters.clone()).await;
        assert_eq!(answer["success"], opens, "{parameters}");
        if !opens {
            assert_eq!(answer["error_code"], "F1003");
            assert_eq!(answer["imp_uid"], Value::Null);
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_run() {
    let run = async |seed| {
        let bench = Bench::start_with(portone_sandbox::Sandbox::builder().seed(seed)).await;
        let token = bench.token().await;
        let mut seen = vec![token];
        for merchant_uid in ["A", "B"] {
            let imp_uid = bench.open(json!({"merchant_uid": merchant_uid})).await;
            bench.choose(&imp_uid, &[("choice", "pay")]).await;
            seen.push(bench.record(&imp_uid)["apply_num"].to_string());
            seen.push(imp_uid);
        }
        seen
    };

    let first = run(7).await;

    assert_eq!(run(7).await, first);
    assert_ne!(run(8).await, first);
}

#[tokio::test]
async fn the_browser_sdk_can_be_loaded_and_called_from_another_origin() {
    let bench = Bench::start().await;

    let script = bench.get("/v1/iamport.js").send().await.unwrap();
    let preflight = bench
        .request(reqwest::Method::OPTIONS, "/_sandbox/checkout")
        .header("origin", "http://shop.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();

    assert_eq!(
        script.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        script.headers()["cross-origin-resource-policy"],
        "cross-origin"
    );
    assert_eq!(preflight.status().as_u16(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        preflight.headers()["access-control-allow-headers"],
        "accept, content-type"
    );
    let script = script.text().await.unwrap();
    assert!(script.contains("window.IMP") && script.contains("request_pay"));
}
