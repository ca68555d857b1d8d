//! PortOne's V1 API: shapes, statuses, conventions.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, json_of};

fn refusal(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message, "response": null})
}

#[tokio::test]
async fn get_token_answers_the_same_token_to_json_and_form() {
    let bench = Bench::start().await;
    let credentials = [("imp_key", "imp_apikey"), ("imp_secret", "sandbox-secret")];

    let by_json = bench
        .post("/users/getToken")
        .json(&json!({"imp_key": "imp_apikey", "imp_secret": "sandbox-secret"}));
    let by_json = json_of(by_json.send().await.unwrap(), 200).await;
    let by_form = bench.post("/users/getToken").form(&credentials);
    let by_form = json_of(by_form.send().await.unwrap(), 200).await;

    assert_eq!(by_json["code"], 0);
    assert_eq!(by_json["message"], Value::Null);
    let response = &by_json["response"];
    let lifetime = response["expired_at"].as_i64().unwrap() - response["now"].as_i64().unwrap();
    assert_eq!(lifetime, 1800);
    assert_eq!(
        by_form["response"]["access_token"],
        response["access_token"]
    );
    assert_eq!(by_form["response"]["expired_at"], response["expired_at"]);
    assert_eq!(bench.sandbox.calls("token"), 2);
}

#[tokio::test]
async fn get_token_extends_in_the_last_minute_and_replaces_after_expiry() {
    let bench = Bench::start().await;
    let ask = async || {
        let answer = bench
            .post("/users/getToken")
            .json(&json!({"imp_key": "imp_apikey", "imp_secret": "sandbox-secret"}));
        json_of(answer.send().await.unwrap(), 200).await["response"].clone()
    };
    let first = ask().await;

    bench.sandbox.advance_clock(Duration::from_secs(1750));
    let extended = ask().await;
    bench.sandbox.advance_clock(Duration::from_secs(360));
    let replaced = ask().await;

    assert_eq!(extended["access_token"], first["access_token"]);
    let added = extended["expired_at"].as_i64().unwrap() - first["expired_at"].as_i64().unwrap();
    assert_eq!(added, 300);
    assert_ne!(replaced["access_token"], first["access_token"]);
}

#[tokio::test]
async fn get_token_refuses_wrong_and_missing_credentials() {
    let bench = Bench::start().await;
    let wrong = refusal(-1, "인증에 실패하였습니다. API키와 secret을 확인하세요.");
    let missing = refusal(-1, "imp_key, imp_secret 파라메터가 누락되었습니다.");
    let cases = [
        (
            json!({"imp_key": "imp_apikey", "imp_secret": "x"}),
            401,
            &wrong,
        ),
        (
            json!({"imp_key": "x", "imp_secret": "sandbox-secret"}),
            401,
            &wrong,
        ),
        (json!({"imp_key": "imp_apikey"}), 400, &missing),
        (json!({"imp_key": "", "imp_secret": ""}), 400, &missing),
        (json!([]), 400, &missing),
    ];
    for (body, status, expected) in cases {
        let answer = bench.post("/users/getToken").json(&body).send().await;
        assert_eq!(&json_of(answer.unwrap(), status).await, expected, "{body}");
    }
}

#[tokio::test]
async fn every_call_but_get_token_needs_a_living_token() {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1}))
        .unwrap();
    let calls = [
        (Method::GET, format!("/payments/{imp_uid}")),
        (Method::GET, "/payments/find/ORD-1".into()),
        (Method::GET, "/payments/findAll/ORD-1".into()),
        (Method::POST, "/payments/prepare".into()),
        (Method::PUT, "/payments/prepare".into()),
        (Method::GET, "/payments/prepare/ORD-1".into()),
        (Method::GET, "/payments?imp_uid[]=imp_1".into()),
        (Method::GET, "/payments/status/all".into()),
        (Method::GET, format!("/payments/{imp_uid}/balance")),
        (Method::POST, "/payments/cancel".into()),
        (Method::POST, "/vbanks".into()),
        (Method::PUT, format!("/vbanks/{imp_uid}")),
        (Method::DELETE, format!("/vbanks/{imp_uid}")),
        (Method::GET, "/users/pg".into()),
        (Method::GET, "/banks".into()),
        (Method::GET, "/cards/366".into()),
    ];
    let unauthorized = refusal(-1, "Unauthorized");
    let token = bench.token().await;
    bench.sandbox.advance_clock(Duration::from_secs(1800));

    for (method, path) in calls {
        for header in [None, Some("Bearer wrong".to_owned()), Some(token.clone())] {
            let mut request = bench.request(method.clone(), &path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(json_of(answer, 401).await, unauthorized, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_token_is_taken_with_and_without_bearer() {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1}))
        .unwrap();
    let token = bench.token().await;

    for header in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer {token}"),
    ] {
        let answer = bench
            .get(&format!("/payments/{imp_uid}"))
            .header("authorization", header);
        json_of(answer.send().await.unwrap(), 200).await;
    }

    bench.sandbox.revoke_token();
    let answer = bench
        .get(&format!("/payments/{imp_uid}"))
        .bearer_auth(token);
    json_of(answer.send().await.unwrap(), 401).await;
}

/// Every property of PortOne's PaymentAnnotation.
const FIELDS: [&str; 54] = [
    "amount",
    "apply_num",
    "bank_code",
    "bank_name",
    "buyer_addr",
    "buyer_email",
    "buyer_name",
    "buyer_postcode",
    "buyer_tel",
    "cancel_amount",
    "cancel_history",
    "cancel_reason",
    "cancel_receipt_urls",
    "cancelled_at",
    "card_code",
    "card_issuer_code",
    "card_issuer_name",
    "card_name",
    "card_number",
    "card_publisher_code",
    "card_publisher_name",
    "card_quota",
    "card_type",
    "cash_receipt_issued",
    "channel",
    "currency",
    "custom_data",
    "customer_uid",
    "customer_uid_usage",
    "deposit_history",
    "emb_pg_provider",
    "escrow",
    "fail_reason",
    "failed_at",
    "imp_uid",
    "merchant_uid",
    "name",
    "paid_at",
    "pay_method",
    "pg_id",
    "pg_provider",
    "pg_tid",
    "promotion",
    "receipt_url",
    "sandbox",
    "started_at",
    "status",
    "user_agent",
    "vbank_code",
    "vbank_date",
    "vbank_holder",
    "vbank_issued_at",
    "vbank_name",
    "vbank_num",
];

#[tokio::test]
async fn a_paid_payment_has_every_field_in_portones_conventions() {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 64900}))
        .unwrap();

    let answer = json_of(bench.ask(&format!("/payments/{imp_uid}")).await, 200).await;

    assert_eq!(answer["code"], 0);
    assert_eq!(answer["message"], Value::Null);
    let record = answer["response"].as_object().unwrap();
    let mut fields: Vec<_> = record.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, FIELDS);
    assert_eq!(record["amount"].to_string(), "64900");
    assert_eq!(record["cancel_amount"].to_string(), "0");
    assert_eq!(record["currency"], "KRW");
    assert_eq!(record["sandbox"], false);
    assert_eq!(record["card_name"], "신한카드");
    assert!(record["paid_at"].as_i64().unwrap() >= record["started_at"].as_i64().unwrap());
    for zero in ["failed_at", "cancelled_at", "vbank_date", "vbank_issued_at"] {
        assert_eq!(record[zero], 0, "{zero}");
    }
    for null in ["fail_reason", "cancel_reason", "vbank_num", "custom_data"] {
        assert_eq!(record[null], Value::Null, "{null}");
    }
    assert_eq!(record["cancel_history"], json!([]));
}

#[tokio::test]
async fn amounts_with_decimals_stay_exact() {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 14.2, "currency": "USD"}))
        .unwrap();

    let text = bench.ask(&format!("/payments/{imp_uid}")).await;
    let text = text.text().await.unwrap();

    assert!(text.contains(r#""amount":14.2,"#), "{text}");
}

#[tokio::test]
async fn an_unknown_payment_is_404() {
    let bench = Bench::start().await;
    let expected = refusal(-1, "존재하지 않는 결제정보입니다.");

    for path in [
        "/payments/imp_000000000000",
        "/payments/find/nobody",
        "/payments/findAll/nobody",
        "/payments/findAll/nobody/paid",
    ] {
        assert_eq!(
            json_of(bench.ask(path).await, 404).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn test_payments_hide_from_the_single_read_only() {
    let bench = Bench::start().await;
    let imp_uid = bench
        .sandbox
        .create_payment(json!({"merchant_uid": "ORD-1", "amount": 1, "sandbox": true}))
        .unwrap();

    json_of(bench.ask(&format!("/payments/{imp_uid}")).await, 404).await;
    json_of(
        bench
            .ask(&format!("/payments/{imp_uid}?include_sandbox=false"))
            .await,
        404,
    )
    .await;
    let shown = bench
        .ask(&format!(
            "/payments/{imp_uid}?include_sandbox=true&extension=true"
        ))
        .await;
    assert_eq!(json_of(shown, 200).await["response"]["sandbox"], true);
    json_of(bench.ask("/payments/find/ORD-1").await, 200).await;
    json_of(bench.ask("/payments/findAll/ORD-1").await, 200).await;
}

/// Three attempts of one order: paid first, then failed, then left open; started 10 s apart.
async fn three_attempts(bench: &Bench) -> [String; 3] {
    ["paid", "failed", "ready"].map(|status| {
        bench.sandbox.advance_clock(Duration::from_secs(10));
        bench
            .sandbox
            .create_payment(json!({"merchant_uid": "주문 1", "amount": 1, "status": status}))
            .unwrap()
    })
}

#[tokio::test]
async fn find_returns_the_last_started_attempt_unless_told_otherwise() {
    let bench = Bench::start().await;
    let [paid, failed, ready] = three_attempts(&bench).await;
    bench
        .sandbox
        .patch_payment(&failed, json!({"name": "changed last"}))
        .unwrap();
    let cases = [
        ("", &ready),
        ("?sorting=started", &paid),
        ("/paid", &paid),
        ("/failed", &failed),
        ("?sorting=-paid", &paid),
        ("?sorting=-updated", &failed),
        ("?sorting=updated", &paid),
    ];
    for (rest, expected) in cases {
        let answer = bench
            .ask(&format!("/payments/find/%EC%A3%BC%EB%AC%B8%201{rest}"))
            .await;
        let answer = json_of(answer, 200).await;
        assert_eq!(answer["response"]["imp_uid"], **expected, "{rest}");
    }
    let none = bench
        .ask("/payments/find/%EC%A3%BC%EB%AC%B8%201/cancelled")
        .await;
    json_of(none, 404).await;
}

#[tokio::test]
async fn find_all_pages_sorts_and_filters() {
    let bench = Bench::start().await;
    let [paid, failed, ready] = three_attempts(&bench).await;
    let page = async |rest: &str| {
        let answer = bench
            .ask(&format!("/payments/findAll/%EC%A3%BC%EB%AC%B8%201{rest}"))
            .await;
        let answer = json_of(answer, 200).await["response"].clone();
        let list = answer["list"].as_array().unwrap();
        let ids: Vec<String> = list
            .iter()
            .map(|record| record["imp_uid"].as_str().unwrap().into())
            .collect();
        let numbers = ["total", "previous", "next"].map(|name| answer[name].as_u64().unwrap());
        (numbers, ids)
    };

    assert_eq!(
        page("").await,
        ([3, 0, 0], vec![ready.clone(), failed.clone(), paid.clone()])
    );
    assert_eq!(
        page("?limit=2&sorting=started").await,
        ([3, 0, 2], vec![paid.clone(), failed.clone()])
    );
    assert_eq!(
        page("?limit=2&page=2&sorting=started").await,
        ([3, 1, 0], vec![ready])
    );
    assert_eq!(page("?limit=2&page=3").await, ([3, 2, 0], vec![]));
    assert_eq!(page("/paid").await, ([1, 0, 0], vec![paid]));
}

#[tokio::test]
async fn find_all_refuses_parameters_that_mean_nothing() {
    let bench = Bench::start().await;
    three_attempts(&bench).await;
    for rest in [
        "/canceled",
        "?page=0",
        "?page=x",
        "?limit=0",
        "?sorting=amount",
    ] {
        let answer = bench
            .ask(&format!("/payments/findAll/%EC%A3%BC%EB%AC%B8%201{rest}"))
            .await;
        let answer = json_of(answer, 400).await;
        assert_eq!(answer["code"], -1, "{rest}");
        assert_eq!(answer["response"], Value::Null, "{rest}");
    }
}

/// The merchant_uids of a list's records.
fn orders(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|record| record["merchant_uid"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_of_ids_is_207_if_some_are_missing_and_404_if_all_are() {
    let bench = Bench::start().await;
    let ids = ["A", "B", "B"].map(|merchant_uid| {
        bench
            .sandbox
            .create_payment(json!({"merchant_uid": merchant_uid, "amount": 1, "sandbox": true}))
            .unwrap()
    });
    let [a, b, _] = &ids;
    let cases = [
        (format!("imp_uid[]={a}&imp_uid[]={b}"), 200, vec!["A", "B"]),
        (format!("imp_uid%5B%5D={a}"), 200, vec!["A"]),
        (format!("imp_uid[]={a}&merchant_uid[]=A"), 200, vec!["A"]),
        ("merchant_uid[]=B".into(), 200, vec!["B", "B"]),
        (format!("imp_uid[]={a}&imp_uid[]=imp_0"), 207, vec!["A"]),
        (
            "merchant_uid[]=B&merchant_uid[]=C".into(),
            207,
            vec!["B", "B"],
        ),
    ];
    for (query, status, expected) in cases {
        let answer = bench.ask(&format!("/payments?{query}")).await;
        let answer = json_of(answer, status).await;
        assert_eq!(answer["code"], 0, "{query}");
        assert_eq!(orders(&answer["response"]), expected, "{query}");
    }

    for query in ["", "?imp_uid[]=imp_0", "?imp_uid=imp_0"] {
        json_of(bench.ask(&format!("/payments{query}")).await, 404).await;
    }
    let many = "imp_uid[]=imp_0&".repeat(101);
    json_of(bench.ask(&format!("/payments?{many}")).await, 400).await;
}

#[tokio::test]
async fn by_status_looks_at_the_time_of_that_status_within_ninety_days() {
    const DAY: Duration = Duration::from_secs(86_400);
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    let make = |merchant_uid: &str, status: &str| {
        let fields = json!({"merchant_uid": merchant_uid, "amount": 1, "status": status});
        bench.sandbox.create_payment(fields).unwrap()
    };
    let old = make("OLD", "ready");
    make("GONE", "paid");
    bench.sandbox.advance_clock(91 * DAY);
    // Started long ago, and failed just now.
    let fail = bench.post(&format!("/_sandbox/payments/{old}/fail"));
    json_of(fail.send().await.unwrap(), 200).await;
    make("NEW", "paid");
    let now = json_of(bench.get("/_sandbox/clock").send().await.unwrap(), 200).await;
    let now = now["now"].as_i64().unwrap();
    let cases = [
        ("all".to_owned(), vec!["NEW", "OLD"]),
        ("paid".into(), vec!["NEW"]),
        ("failed".into(), vec!["OLD"]),
        ("ready".into(), vec![]),
        ("all?limit=1".into(), vec!["NEW"]),
        ("all?limit=1&page=2".into(), vec!["OLD"]),
        ("all?sorting=started".into(), vec!["OLD", "NEW"]),
        (format!("all?to={}", now - 86_400), vec!["GONE"]),
        (
            format!("paid?from={}&to={}", now - 92 * 86_400, now - 5 * 86_400),
            vec!["GONE"],
        ),
    ];
    for (path, expected) in cases {
        let answer = bench.ask(&format!("/payments/status/{path}")).await;
        let answer = json_of(answer, 200).await;
        assert_eq!(orders(&answer["response"]["list"]), expected, "{path}");
    }

    let too_wide = format!("all?from={}", now - 90 * 86_400 - 1);
    for path in [
        "canceled",
        "all?page=2",
        "all?page=0",
        "all?from=x",
        &too_wide,
    ] {
        json_of(bench.ask(&format!("/payments/status/{path}")).await, 400).await;
    }
}

#[tokio::test]
async fn payco_alone_breaks_its_balance_down() {
    let bench = Bench::start().await;
    let make = |pg_provider: &str| {
        let fields = json!({"merchant_uid": "A", "amount": 1000, "pg_provider": pg_provider});
        bench.sandbox.create_payment(fields).unwrap()
    };
    let (payco, other) = (make("payco"), make("kcp"));
    let cancel = bench.post(&format!("/_sandbox/payments/{payco}/cancel"));
    let cancel = cancel.json(&json!({"amount": 400})).send().await.unwrap();
    json_of(cancel, 200).await;

    let answer = bench.ask(&format!("/payments/{payco}/balance")).await;
    let answer = json_of(answer, 200).await;

    let balance = &answer["response"];
    assert_eq!(balance["amount"], 1000);
    assert_eq!(
        balance["primary"],
        json!({"tax_free": 0, "supply": 600, "vat": 0, "service": 0})
    );
    json_of(bench.ask(&format!("/payments/{other}/balance")).await, 405).await;
    json_of(bench.ask("/payments/imp_0/balance").await, 404).await;
}

#[tokio::test]
async fn an_extension_is_there_for_those_who_ask() {
    let bench = Bench::start().await;
    let fields = json!({
        "merchant_uid": "A", "amount": 1, "pg_provider": "daou", "pay_method": "vbank", "status": "ready",
        "buyer_name": "홍길동"
    });
    let imp_uid = bench.sandbox.create_payment(fields).unwrap();
    let deposit = bench.post(&format!("/_sandbox/payments/{imp_uid}/deposit"));
    json_of(deposit.send().await.unwrap(), 200).await;
    let ask = async |query: &str| {
        let answer = bench.ask(&format!("/payments/{imp_uid}{query}")).await;
        json_of(answer, 200).await["response"].clone()
    };

    assert_eq!(
        ask("?extension=true").await["extension"],
        json!({"REMITTER": "홍길동"})
    );
    assert!(ask("").await.get("extension").is_none());
    assert!(bench.record(&imp_uid).get("extension").is_none());
}

#[tokio::test]
async fn banks_cards_and_channels_are_listed() {
    let bench = Bench::start().await;
    let ask = async |path: &str, status| json_of(bench.ask(path).await, status).await;

    let banks = ask("/banks", 200).await;
    assert!(
        banks["response"]
            .as_array()
            .unwrap()
            .contains(&json!({"code": "088", "name": "신한은행"}))
    );
    assert_eq!(
        ask("/banks/004", 200).await["response"]["name"],
        "KB국민은행"
    );
    assert_eq!(
        ask("/cards/366", 200).await["response"],
        json!({"code": "366", "name": "신한카드"})
    );
    let codes = ask("/cards", 200).await["response"].clone();
    assert_eq!(codes.as_array().unwrap().len(), 26);
    ask("/banks/999", 404).await;
    ask("/cards/999", 404).await;

    let channels = ask("/users/pg", 200).await["response"].clone();
    let test = channels
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["channel_key"] == "channel-key-test-kcp");
    assert_eq!(
        test.unwrap(),
        &json!({
            "pg_provider": "kcp", "pg_id": "portonesandbox", "sandbox": true, "type": "payment",
            "channel_name": "kcp (test)", "channel_key": "channel-key-test-kcp",
        })
    );
}

#[tokio::test]
async fn prepare_registers_once_changes_by_put_and_reads() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let send = async |method: Method, body: Value, status: u16| {
        let request = bench.request(method, "/payments/prepare");
        let answer = request
            .bearer_auth(&token)
            .json(&body)
            .send()
            .await
            .unwrap();
        json_of(answer, status).await
    };
    let body = json!({"merchant_uid": "ORD-1", "amount": 64900});

    let absent = send(Method::PUT, body.clone(), 404).await;
    let made = send(Method::POST, body.clone(), 200).await;
    let twice = send(Method::POST, body, 200).await;
    let changed = json!({"merchant_uid": "ORD-1", "amount": 14.2, "currency": "USD"});
    let changed = send(Method::PUT, changed, 200).await;
    let read = json_of(bench.ask("/payments/prepare/ORD-1").await, 200).await;
    let unread = json_of(bench.ask("/payments/prepare/ORD-2").await, 200).await;

    assert_eq!(absent["code"], -1);
    assert_eq!(
        made,
        json!({"code": 0, "message": null,
            "response": {"merchant_uid": "ORD-1", "amount": 64900, "currency": null}})
    );
    assert_eq!(
        (&twice["code"], &twice["response"]),
        (&json!(1), &Value::Null)
    );
    let expected = json!({"merchant_uid": "ORD-1", "amount": 14.2, "currency": "USD"});
    assert_eq!(changed["response"], expected);
    assert_eq!(read["response"], expected);
    assert_eq!(
        (&unread["code"], &unread["response"]),
        (&json!(1), &Value::Null)
    );
}

#[tokio::test]
async fn prepare_takes_forms_and_refuses_what_makes_no_order() {
    let bench = Bench::start().await;
    let token = bench.token().await;
    let form = bench
        .post("/payments/prepare")
        .bearer_auth(&token)
        .form(&[("merchant_uid", "ORD-1"), ("amount", "64900")]);
    let form = json_of(form.send().await.unwrap(), 200).await;
    assert_eq!(form["response"]["amount"].to_string(), "64900");

    for body in [
        json!({"amount": 1}),
        json!({"merchant_uid": "ORD-2"}),
        json!({"merchant_uid": "ORD-2", "amount": "much"}),
        json!({"merchant_uid": "ORD-2", "amount": -1}),
        json!({"merchant_uid": "x".repeat(41), "amount": 1}),
    ] {
        let request = bench.post("/payments/prepare").bearer_auth(&token);
        let answer = json_of(request.json(&body).send().await.unwrap(), 400).await;
        assert_eq!(answer["code"], -1, "{body}");
    }
}

#[tokio::test]
async fn calls_that_are_not_imitated_say_so() {
    let bench = Bench::start().await;
    for (method, path) in [
        (Method::GET, "/payments/cancel"),
        (Method::POST, "/subscribe/payments/again"),
        (Method::GET, "/payments/imp_1/naver/product-orders"),
        (Method::DELETE, "/payments/imp_1"),
    ] {
        let answer = bench.request(method.clone(), path).send().await.unwrap();
        let answer = json_of(answer, 404).await;
        let message = format!("portone-sandbox does not imitate {method} {path}");
        assert_eq!(answer, refusal(-1, &message));
    }
}
