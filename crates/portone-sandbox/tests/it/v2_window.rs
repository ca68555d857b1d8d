//! V2's payment window, from `requestPayment`'s parameters to the browser's way back.

use std::time::Duration;

use portone_sandbox::{Event, Sandbox};
use serde_json::{Value, json};
use url::Url;

use crate::shop::{ENOUGH, Shop};
use crate::support::{Bench, REDIRECT_URL, json_of, location, text_of};
use crate::v2_support::{bench_and_shop, checkout_by, choose, open, payment, post};

/// Names and values that a redirect adds to the shop's own query.
async fn chosen(bench: &Bench, parameters: Value, choice: &str) -> Vec<(String, String)> {
    let transaction_id = open(bench, parameters).await;
    let answer = choose(bench, &transaction_id, &[("choice", choice)]).await;
    let url: Url = location(&answer).parse().unwrap();
    let mut pairs = url.query_pairs().into_owned();
    assert_eq!(pairs.next(), Some(("order_id".into(), "7".into())));
    pairs.collect()
}

fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_paid_window_returns_with_ids_in_portones_order() {
    let bench = Bench::start().await;
    let parameters = json!({
        "customer": {"fullName": "홍길동", "phoneNumber": "01012341234",
            "address": {"addressLine1": "서울시", "addressLine2": "1층"}},
        "customData": {"item": "x"},
        "products": [{"id": "1", "name": "원두", "amount": 64900, "quantity": 1}],
    });
    let transaction_id = open(&bench, parameters).await;
    assert_eq!(payment(&bench, "P-1").await["status"], "READY");

    let answer = choose(&bench, &transaction_id, &[("choice", "pay")]).await;

    let expected =
        format!("{REDIRECT_URL}&transactionType=PAYMENT&txId={transaction_id}&paymentId=P-1");
    assert_eq!(location(&answer), expected);
    let paid = payment(&bench, "P-1").await;
    assert_eq!(paid["status"], "PAID");
    assert_eq!(paid["transactionId"], transaction_id.as_str());
    assert_eq!(paid["currency"], "KRW");
    assert_eq!(paid["customer"]["name"], "홍길동");
    assert_eq!(paid["customer"]["address"]["oneLine"], "서울시 1층");
    assert_eq!(paid["customData"], r#"{"item":"x"}"#);
    assert_eq!(paid["origin"]["platformType"], "MOBILE");
    assert_eq!(paid["channel"]["type"], "LIVE");
}

#[tokio::test]
async fn refusals_come_back_with_the_gateways_words() {
    let bench = Bench::start().await;
    for (choice, pg_code) in [
        ("cancel", "PAY_PROCESS_CANCELED"),
        ("decline", "CARD_DECLINED"),
        ("decline_limit", "LIMIT_EXCEEDED"),
        ("decline_balance", "INSUFFICIENT_BALANCE"),
        ("decline_card", "INVALID_CARD"),
    ] {
        let back = chosen(&bench, json!({}), choice).await;

        assert_eq!(
            names(&back),
            [
                "transactionType",
                "txId",
                "paymentId",
                "code",
                "message",
                "pgCode",
                "pgMessage"
            ]
        );
        assert_eq!(back[3].1, "FAILURE_TYPE_PG");
        assert_eq!(back[5].1, pg_code);
        let failed = payment(&bench, "P-1").await;
        assert_eq!(failed["status"], "FAILED");
        assert_eq!(failed["failure"]["pgCode"], pg_code);
        assert_eq!(failed["failure"]["reason"], back[4].1.as_str());
    }
}

#[tokio::test]
async fn returns_that_lie_or_lack() {
    let bench = Bench::start().await;
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "pay_with_code",
            "PAID",
            &["transactionType", "txId", "paymentId", "code", "message"],
        ),
        (
            "fail_without_code",
            "FAILED",
            &["transactionType", "txId", "paymentId"],
        ),
        ("pay_payment_id_only", "PAID", &["paymentId"]),
        ("pay_beta_names", "PAID", &["payment_id", "tx_id"]),
        (
            "pay_pending",
            "PAY_PENDING",
            &["transactionType", "txId", "paymentId"],
        ),
    ];
    for (choice, status, expected) in cases {
        let back = chosen(&bench, json!({"paymentId": choice}), choice).await;

        assert_eq!(names(&back), expected, "{choice}");
        assert_eq!(payment(&bench, choice).await["status"], status, "{choice}");
    }
    bench.sandbox.approve_v2("pay_pending").unwrap();
    assert_eq!(payment(&bench, "pay_pending").await["status"], "PAID");
}

#[tokio::test]
async fn tampered_payments_are_paid_and_wrong() {
    let bench = Bench::start().await;
    let paid = async |choice: &str| {
        chosen(&bench, json!({"paymentId": choice}), choice).await;
        let paid = payment(&bench, choice).await;
        assert_eq!(paid["status"], "PAID", "{choice}");
        paid
    };

    assert_eq!(paid("pay_tampered_amount").await["amount"]["total"], 100);
    assert_eq!(paid("pay_tampered_currency").await["currency"], "JPY");
    assert_eq!(paid("pay_test_channel").await["channel"]["type"], "TEST");
    assert_ne!(
        paid("pay_other_store").await["storeId"],
        Sandbox::V2_STORE_ID
    );
}

#[tokio::test]
async fn an_account_is_issued_at_the_bank_and_until_the_time_asked_for() {
    let bench = Bench::start().await;
    let account =
        json!({"bankCode": "BANK_WOORI", "accountExpiry": {"dueDate": "2030-12-31 23:59:59"}});
    let parameters = json!({"payMethod": "VIRTUAL_ACCOUNT", "virtualAccount": account});

    let back = chosen(&bench, parameters, "issue_virtual_account").await;

    assert_eq!(names(&back), ["transactionType", "txId", "paymentId"]);
    let issued = payment(&bench, "P-1").await;
    assert_eq!(issued["status"], "VIRTUAL_ACCOUNT_ISSUED");
    assert_eq!(issued["method"]["bank"], "WOORI");
    assert_eq!(issued["method"]["expiredAt"], "2030-12-31T14:59:59Z");
    bench.sandbox.deposit_v2("P-1").unwrap();
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
}

#[tokio::test]
async fn a_lagging_api_shows_the_state_before_for_a_second() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    chosen(&bench, json!({}), "pay_lag").await;

    assert_eq!(payment(&bench, "P-1").await["status"], "READY");
    bench.sandbox.advance_clock(Duration::from_millis(999));
    assert_eq!(payment(&bench, "P-1").await["status"], "READY");
    bench.sandbox.advance_clock(Duration::from_millis(1));
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
}

#[tokio::test]
async fn abandoned_and_unreturned_windows_send_nobody_back() {
    let bench = Bench::start().await;
    for (choice, status) in [("abandon", "READY"), ("pay_no_return", "PAID")] {
        let transaction_id = open(&bench, json!({"paymentId": choice})).await;

        text_of(
            choose(&bench, &transaction_id, &[("choice", choice)]).await,
            200,
        )
        .await;

        assert_eq!(payment(&bench, choice).await["status"], status);
    }
    let is_redirect = |event: &Event| matches!(event, Event::V2Redirect { .. });
    assert!(
        !bench
            .sandbox
            .journal()
            .iter()
            .any(|entry| is_redirect(&entry.event))
    );
}

#[tokio::test]
async fn manual_confirmation_takes_the_token_and_checks_what_the_shop_expects() {
    let bench = Bench::start().await;
    let back = chosen(&bench, json!({}), "authenticate").await;
    assert_eq!(
        names(&back),
        ["transactionType", "txId", "paymentId", "paymentToken"]
    );
    assert_eq!(payment(&bench, "P-1").await["status"], "READY");
    let (transaction_id, token) = (&back[1].1, &back[3].1);
    let confirm = async |fields: Value| {
        let mut body = json!({"paymentToken": token});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, answer) = post(&bench, "P-1", "confirm", body).await;
        (status, answer["type"].clone())
    };

    assert_eq!(
        confirm(json!({"paymentToken": "x"})).await,
        (400, json!("INVALID_PAYMENT_TOKEN"))
    );
    for wrong in [
        json!({"totalAmount": 1}),
        json!({"currency": "USD"}),
        json!({"txId": "x"}),
        json!({"taxFreeAmount": 1}),
        json!({"isTest": true}),
    ] {
        assert_eq!(confirm(wrong).await, (409, json!("INFORMATION_MISMATCH")));
    }
    assert_eq!(payment(&bench, "P-1").await["status"], "READY");
    let right = json!({"totalAmount": 64900, "currency": "KRW", "txId": transaction_id,
        "taxFreeAmount": 0, "isTest": false});
    assert_eq!(confirm(right.clone()).await, (200, Value::Null));
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
    assert_eq!(confirm(right).await, (409, json!("ALREADY_PAID")));
}

#[tokio::test]
async fn of_two_open_windows_one_gets_the_money() {
    let bench = Bench::start().await;
    let first = open(&bench, json!({})).await;
    let second = open(&bench, json!({})).await;
    choose(&bench, &first, &[("choice", "pay")]).await;

    let answer = choose(&bench, &second, &[("choice", "pay")]).await;

    assert!(location(&answer).contains("&code=PaymentAlreadyPaid&"));
    assert_eq!(
        payment(&bench, "P-1").await["transactionId"],
        first.as_str()
    );
    assert_eq!(
        bench.sandbox.v2_payment(&second).unwrap()["status"],
        "FAILED"
    );
}

#[tokio::test]
async fn a_window_takes_one_choice_and_then_tells_what_happened() {
    let bench = Bench::start().await;
    let transaction_id = open(&bench, json!({})).await;
    choose(&bench, &transaction_id, &[("choice", "decline")]).await;

    let again = choose(&bench, &transaction_id, &[("choice", "pay")]).await;

    assert_eq!(again.status().as_u16(), 409);
    assert_eq!(payment(&bench, "P-1").await["status"], "FAILED");
    let path = format!("/_sandbox/v2/window/{transaction_id}?lang=en");
    let story = text_of(bench.get(&path).send().await.unwrap(), 200).await;
    for part in [
        "What happened",
        "decline",
        "FAILURE_TYPE_PG",
        "Back to the shop",
    ] {
        assert!(story.contains(part), "{part}");
    }
}

#[tokio::test]
async fn the_page_shows_the_order_in_two_languages_and_escapes_it() {
    let bench = Bench::start().await;
    let parameters = json!({
        "orderName": "<b>원두</b>",
        "totalAmount": 1420,
        "currency": "USD",
        "locale": "EN_US",
        "channelKey": Sandbox::V2_TEST_CHANNEL_KEY,
    });
    let transaction_id = open(&bench, parameters).await;
    let show = async |query: &str| {
        let path = format!("/_sandbox/v2/window/{transaction_id}{query}");
        text_of(bench.get(&path).send().await.unwrap(), 200).await
    };

    let english = show("").await;
    assert!(english.contains("14.20 USD"));
    assert!(english.contains("test channel"));
    assert!(english.contains("&lt;b&gt;원두"));
    assert!(!english.contains("<b>원두"));
    assert!(!english.contains("<script"));
    assert!(show("?lang=ko").await.contains("결제하기"));
    let unknown = bench.get("/_sandbox/v2/window/none").send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 404);
}

#[tokio::test]
async fn the_result_goes_by_redirect_or_by_promise() {
    let bench = Bench::start().await;
    let cases = [
        ("device=mobile", json!({}), "REDIRECTION"),
        ("device=pc", json!({}), "IFRAME"),
        ("device=pc", json!({"forceRedirect": true}), "REDIRECTION"),
        (
            "device=pc",
            json!({"windowType": {"pc": "REDIRECTION"}}),
            "REDIRECTION",
        ),
        (
            "device=mobile",
            json!({"windowType": {"mobile": "IFRAME"}}),
            "IFRAME",
        ),
        ("device=mobile", json!({"redirectUrl": null}), "IFRAME"),
        ("device=mobile", json!({"payMethod": "PAYPAL"}), "IFRAME"),
    ];
    for (query, parameters, flow) in cases {
        let opened = checkout_by(&bench, query, parameters.clone()).await;
        assert_eq!(opened["flow"], flow, "{query} {parameters}");
    }
}

#[tokio::test]
async fn a_promise_resolves_with_what_a_redirect_would_bring() {
    let bench = Bench::start().await;
    let opened = checkout_by(&bench, "device=pc", json!({})).await;
    let transaction_id = opened["txId"].as_str().unwrap();

    let answer = bench
        .post(&format!("/_sandbox/v2/window/{transaction_id}"))
        .header("accept", "application/json")
        .form(&[("choice", "cancel")])
        .send()
        .await
        .unwrap();

    let result = json_of(answer, 200).await["result"].take();
    assert_eq!(result["transactionType"], "PAYMENT");
    assert_eq!(result["txId"], transaction_id);
    assert_eq!(result["paymentId"], "P-1");
    assert_eq!(result["code"], "FAILURE_TYPE_PG");
    assert_eq!(result["pgCode"], "PAY_PROCESS_CANCELED");
}

#[tokio::test]
async fn a_framed_window_tells_only_the_page_that_opened_it() {
    let bench = Bench::start().await;
    let opened = checkout_by(&bench, "device=pc", json!({})).await;
    let transaction_id = opened["txId"].as_str().unwrap();

    let page = text_of(
        choose(&bench, transaction_id, &[("choice", "pay")]).await,
        200,
    )
    .await;

    assert!(page.contains(r#"data-target="http://shop.test""#));
    assert!(page.contains("&quot;paymentId&quot;:&quot;P-1&quot;"));
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_before_any_payment_exists() {
    let bench = Bench::start().await;
    let cases = [
        (json!({"storeId": null}), "RequestParseFailed"),
        (json!({"storeId": "store-1"}), "StoreNotFound"),
        (json!({"paymentId": null}), "RequestParseFailed"),
        (json!({"orderName": ""}), "RequestParseFailed"),
        (json!({"totalAmount": 0}), "RequestParseFailed"),
        (json!({"totalAmount": 14.2}), "RequestParseFailed"),
        (json!({"totalAmount": "64900"}), "RequestParseFailed"),
        (json!({"taxFreeAmount": 64901}), "RequestParseFailed"),
        (json!({"currency": null}), "RequestParseFailed"),
        (json!({"currency": "WON"}), "RequestParseFailed"),
        (json!({"payMethod": "card"}), "RequestParseFailed"),
        (json!({"channelKey": null}), "RequestParseFailed"),
        (json!({"channelGroupId": "group"}), "RequestParseFailed"),
        (
            json!({"redirectUrl": "javascript:alert(1)"}),
            "RequestParseFailed",
        ),
        (
            json!({"redirectUrl": null, "forceRedirect": true}),
            "RequestParseFailed",
        ),
        (json!({"noticeUrls": ["ftp://x"]}), "RequestParseFailed"),
        (json!({"confirmUrl": 1}), "RequestParseFailed"),
        (
            json!({"windowType": {"mobile": "TAB"}}),
            "RequestParseFailed",
        ),
        (
            json!({"virtualAccount": {"bankCode": "NONE"}}),
            "RequestParseFailed",
        ),
        (
            json!({"virtualAccount": {"accountExpiry": {"dueDate": "soon"}}}),
            "RequestParseFailed",
        ),
        (json!({"products": [{"id": "1"}]}), "RequestParseFailed"),
        (
            json!({"customData": "x".repeat(20_000)}),
            "RequestParseFailed",
        ),
    ];
    for (parameters, code) in cases {
        let answer = checkout_by(&bench, "device=mobile", parameters.clone()).await;
        assert_eq!(answer["success"], false, "{parameters}");
        assert_eq!(answer["code"], code, "{parameters}");
    }
    let all = json_of(
        bench.get("/_sandbox/v2/payments").send().await.unwrap(),
        200,
    )
    .await;
    assert_eq!(all, json!([]));
}

#[tokio::test]
async fn a_paid_or_differently_registered_payment_is_refused() {
    let bench = Bench::start().await;
    let code = async |parameters: Value| {
        checkout_by(&bench, "device=mobile", parameters).await["code"].clone()
    };
    let registered = json!({"totalAmount": 64900, "currency": "KRW"});
    post(&bench, "P-1", "pre-register", registered).await;

    assert_eq!(
        code(json!({"totalAmount": 100})).await,
        "AmountNotEqualToPredefined"
    );
    assert_eq!(
        code(json!({"currency": "JPY"})).await,
        "AmountNotEqualToPredefined"
    );
    assert_eq!(code(json!({})).await, Value::Null);
    bench
        .sandbox
        .create_v2_payment(json!({"id": "P-1", "amount": 64900}))
        .unwrap();
    assert_eq!(code(json!({})).await, "PaymentAlreadyPaid");
}

#[tokio::test]
async fn the_shop_is_asked_before_an_approval_and_may_refuse() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.set_webhook_url(None);
    let confirm_url = shop.url.as_str();
    let back = async |payment_id: &str| {
        let parameters = json!({"paymentId": payment_id, "confirmUrl": confirm_url});
        chosen(&bench, parameters, "pay").await
    };

    shop.answer_next([(200, ""), (409, r#"{"errorMessage": "품절"}"#), (204, "")]);
    assert_eq!(
        names(&back("agreed").await),
        ["transactionType", "txId", "paymentId"]
    );
    let refused = back("refused").await;
    back("silent").await;

    assert_eq!(payment(&bench, "agreed").await["status"], "PAID");
    assert_eq!(refused[3], ("code".into(), "ConfirmProcessFailed".into()));
    let reason = |payment: &Value| payment["failure"]["reason"].as_str().unwrap().to_owned();
    assert!(reason(&payment(&bench, "refused").await).contains("품절"));
    assert!(reason(&payment(&bench, "silent").await).contains("알 수 없음"));
    let question = shop.next().await;
    let body: Value = serde_json::from_str(&question.body).unwrap();
    assert_eq!(body["type"], "Transaction.Confirm");
    assert_eq!(body["data"]["paymentId"], "agreed");
    assert_eq!(body["data"]["totalAmount"], 64900);
    assert!(question.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_browser_that_leaves_while_the_shop_is_asked_does_not_stop_the_payment() {
    let mut shop = Shop::start(0).await;
    let bench = Bench::start_with(Sandbox::builder().webhook_url(shop.url.clone())).await;
    let mut confirm_url = shop.url.clone();
    confirm_url.set_path("/confirm");
    let transaction_id = open(&bench, json!({"confirmUrl": confirm_url.as_str()})).await;
    let choice = bench
        .post(&format!("/_sandbox/v2/window/{transaction_id}"))
        .form(&[("choice", "pay")])
        .send();
    let choice = tokio::spawn(choice);
    while shop.next().await.path != "/confirm" {}

    choice.abort();
    assert!(choice.await.unwrap_err().is_cancelled());
    // An answer later the sandbox has seen that the other connection is closed.
    text_of(bench.get("/_sandbox/health").send().await.unwrap(), 200).await;
    shop.permits.add_permits(ENOUGH);

    while shop.next_json().await["type"] != "Transaction.Paid" {}
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
}

#[tokio::test]
async fn the_old_version_asks_in_its_words_and_nobody_is_asked_about_a_refusal() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.set_webhook_url(None);
    let settings = json!({"webhook_version": "2024-01-01", "confirm_url": shop.url.as_str()});
    bench.sandbox.configure_v2(settings).unwrap();

    chosen(&bench, json!({}), "decline").await;
    chosen(&bench, json!({"paymentId": "P-2"}), "pay").await;

    let body: Value = serde_json::from_str(&shop.next().await.body).unwrap();
    assert_eq!(
        (&body["payment_id"], &body["total_amount"]),
        (&json!("P-2"), &json!(64900))
    );
}

#[tokio::test]
async fn a_shop_that_does_not_answer_in_time_has_refused() {
    let (bench, shop) = bench_and_shop().await;
    bench.sandbox.set_webhook_url(None);
    shop.permits.forget_permits(crate::shop::ENOUGH);
    let settings = json!({"confirm_url": shop.url.as_str(), "confirm_timeout_ms": 50});
    bench.sandbox.configure_v2(settings).unwrap();

    let back = chosen(&bench, json!({}), "pay").await;

    assert_eq!(back[3].1, "ConfirmProcessFailed");
    assert_eq!(payment(&bench, "P-1").await["status"], "FAILED");
}

#[tokio::test]
async fn the_sdk_is_served_to_other_origins() {
    let bench = Bench::start().await;

    let sdk = bench.get("/v2/browser-sdk.js").send().await.unwrap();

    assert_eq!(
        sdk.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(sdk.headers()["access-control-allow-origin"], "*");
    assert!(text_of(sdk, 200).await.contains("requestPayment"));
}

#[tokio::test]
async fn a_choice_of_before_a_reset_does_nothing_to_the_window_after_it() {
    let (bench, mut shop) = bench_and_shop().await;
    bench.sandbox.set_webhook_url(None);
    shop.permits.forget_permits(crate::shop::ENOUGH);
    let parameters = json!({"confirmUrl": shop.url.as_str()});
    let before = open(&bench, parameters).await;
    let form = [("choice", "pay")];
    let choice = bench
        .post(&format!("/_sandbox/v2/window/{before}"))
        .form(&form)
        .send();
    let choice = tokio::spawn(choice);
    shop.next().await;

    bench.sandbox.reset(None);
    bench.sandbox.set_webhook_url(None);
    let after = open(&bench, json!({})).await;
    shop.permits.add_permits(1);

    assert_eq!(choice.await.unwrap().unwrap().status().as_u16(), 404);
    assert_eq!(after, before, "the same seed gives the same ids");
    assert_eq!(payment(&bench, "P-1").await["status"], "READY");
}
