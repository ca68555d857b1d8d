//! V2's REST API. Every answer is checked against PortOne's own description.

use std::time::Duration;

use portone_sandbox::Sandbox;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, json_of};
use crate::v2_support::{call, get_payment, payment, post};

fn create(bench: &Bench, fields: Value) -> String {
    let mut payment = json!({"id": "P-1", "amount": 11_000});
    for (name, value) in fields.as_object().unwrap() {
        payment[name] = value.clone();
    }
    bench.sandbox.create_v2_payment(payment).unwrap()
}

#[tokio::test]
async fn every_status_has_the_fields_portone_describes() {
    let bench = Bench::start().await;
    for status in [
        "READY",
        "PAY_PENDING",
        "VIRTUAL_ACCOUNT_ISSUED",
        "PAID",
        "FAILED",
        "PARTIAL_CANCELLED",
        "CANCELLED",
    ] {
        for method in [
            "CARD",
            "TRANSFER",
            "MOBILE",
            "EASY_PAY",
            "GIFT_CERTIFICATE",
            "VIRTUAL_ACCOUNT",
        ] {
            let id = format!("{status}-{method}");
            create(
                &bench,
                json!({"id": id, "status": status, "payMethod": method}),
            );

            assert_eq!(payment(&bench, &id).await["status"], status);
            let operation = "/payments/{paymentId}/transactions";
            let path = format!("/payments/{id}/transactions");
            let (status, _) = call(&bench, Method::GET, operation, &path, None).await;
            assert_eq!(status, 200);
        }
    }
}

#[tokio::test]
async fn amounts_are_minor_units_and_channels_say_test_or_live() {
    let bench = Bench::start().await;
    create(
        &bench,
        json!({"amount": 1420, "currency": "USD", "channel": {"type": "TEST"}}),
    );

    let payment = payment(&bench, "P-1").await;

    assert_eq!(payment["amount"]["total"], 1420);
    assert_eq!(payment["currency"], "USD");
    assert_eq!(payment["channel"]["type"], "TEST");
    assert_eq!(payment["storeId"], Sandbox::V2_STORE_ID);
    assert_eq!(payment["version"], "V2");
}

#[tokio::test]
async fn a_payment_id_is_decoded_from_the_path() {
    let bench = Bench::start().await;
    create(&bench, json!({"id": "주문 1/2?#%"}));

    let encoded = "%EC%A3%BC%EB%AC%B8%201%2F2%3F%23%25";

    assert_eq!(payment(&bench, encoded).await["id"], "주문 1/2?#%");
    let (status, refusal) = get_payment(&bench, "unknown").await;
    assert_eq!(
        (status, &refusal["type"]),
        (404, &json!("PAYMENT_NOT_FOUND"))
    );
}

#[tokio::test]
async fn only_the_secret_and_tokens_from_it_may_ask() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let ask = async |authorization: Option<String>| {
        let mut request = bench.get("/v2/payments/P-1");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let log_in = async |path: &str, body: Value| {
        let (status, pair) = call(&bench, Method::POST, path, path, Some(body)).await;
        (status, pair)
    };

    assert_eq!(ask(None).await, 401);
    assert_eq!(ask(Some("PortOne imp_apikey".into())).await, 401);
    assert_eq!(
        ask(Some(format!("PortOne {}", Sandbox::V2_API_SECRET))).await,
        200
    );

    let (status, _) = log_in("/login/api-secret", json!({"apiSecret": "wrong"})).await;
    assert_eq!(status, 401);
    let (status, _) = log_in("/login/api-secret", json!({})).await;
    assert_eq!(status, 400);
    let (_, first) = log_in(
        "/login/api-secret",
        json!({"apiSecret": Sandbox::V2_API_SECRET}),
    )
    .await;
    let bearer = |pair: &Value| format!("Bearer {}", pair["accessToken"].as_str().unwrap());
    assert_eq!(ask(Some(bearer(&first))).await, 200);

    // A refresh ends the refresh token it was made with, and no access token.
    let refresh = |pair: &Value| json!({"refreshToken": pair["refreshToken"]});
    let (status, second) = log_in("/token/refresh", refresh(&first)).await;
    assert_eq!(status, 200);
    assert_eq!(log_in("/token/refresh", refresh(&first)).await.0, 401);
    assert_eq!(ask(Some(bearer(&first))).await, 200);

    bench.sandbox.advance_clock(29 * ONE_MINUTE);
    assert_eq!(ask(Some(bearer(&second))).await, 200);
    bench.sandbox.advance_clock(ONE_MINUTE);
    assert_eq!(ask(Some(bearer(&second))).await, 401);
    assert_eq!(log_in("/token/refresh", refresh(&second)).await.0, 200);
}

#[tokio::test]
async fn another_store_is_forbidden() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let get = "/payments/{paymentId}";

    let own = format!("/payments/P-1?storeId={}", Sandbox::V2_STORE_ID);
    assert_eq!(call(&bench, Method::GET, get, &own, None).await.0, 200);
    let other = "/payments/P-1?storeId=store-1";
    let (status, refusal) = call(&bench, Method::GET, get, other, None).await;

    assert_eq!((status, &refusal["type"]), (403, &json!("FORBIDDEN")));
}

#[tokio::test]
async fn what_is_not_imitated_says_so() {
    let bench = Bench::start().await;

    let answer = bench
        .post("/v2/payments/P-1/billing-key")
        .send()
        .await
        .unwrap();

    let refusal = json_of(answer, 404).await;
    assert!(
        refusal["message"]
            .as_str()
            .unwrap()
            .contains("/v2/payments/P-1/billing-key")
    );
}

#[tokio::test]
async fn pre_registration_is_refused_once_it_is_paid() {
    let bench = Bench::start().await;
    let body = json!({"totalAmount": 11_000, "currency": "KRW"});
    assert_eq!(
        post(&bench, "P-1", "pre-register", body.clone()).await,
        (200, json!({}))
    );
    assert_eq!(
        post(&bench, "P-1", "pre-register", body.clone()).await.0,
        200
    );
    assert_eq!(
        post(&bench, "P-1", "pre-register", json!({"totalAmount": -1}))
            .await
            .0,
        400
    );
    assert_eq!(
        post(&bench, "P-1", "pre-register", json!({"totalAmount": "1"}))
            .await
            .0,
        400
    );

    create(&bench, json!({}));

    let (status, refusal) = post(&bench, "P-1", "pre-register", body).await;
    assert_eq!((status, &refusal["type"]), (409, &json!("ALREADY_PAID")));
}

#[tokio::test]
async fn cancels_add_up_and_the_guard_holds() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let guarded = json!({"reason": "일부", "amount": 4000, "currentCancellableAmount": 11_000});

    let (status, first) = post(&bench, "P-1", "cancel", guarded.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(first["cancellation"]["status"], "SUCCEEDED");
    assert_eq!(first["cancellation"]["totalAmount"], 4000);
    assert_eq!(payment(&bench, "P-1").await["status"], "PARTIAL_CANCELLED");

    let (status, refusal) = post(&bench, "P-1", "cancel", guarded).await;
    assert_eq!(status, 409);
    assert_eq!(refusal["type"], "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN");
    let too_much = json!({"reason": "x", "amount": 7001});
    let (_, refusal) = post(&bench, "P-1", "cancel", too_much).await;
    assert_eq!(refusal["type"], "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT");

    let (status, _) = post(&bench, "P-1", "cancel", json!({"reason": "나머지"})).await;
    assert_eq!(status, 200);
    let cancelled = payment(&bench, "P-1").await;
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["amount"]["cancelled"], 11_000);
    assert_eq!(cancelled["cancellations"].as_array().unwrap().len(), 2);
    let (_, refusal) = post(&bench, "P-1", "cancel", json!({"reason": "또"})).await;
    assert_eq!(refusal["type"], "PAYMENT_ALREADY_CANCELLED");
}

#[tokio::test]
async fn cancels_that_cannot_be_have_their_errors() {
    let bench = Bench::start().await;
    create(&bench, json!({"id": "ready", "status": "READY"}));
    create(
        &bench,
        json!({"id": "account", "payMethod": "VIRTUAL_ACCOUNT"}),
    );
    let all = json!({"reason": "x"});
    let kind = async |id: &str, body: Value| {
        let (status, refusal) = post(&bench, id, "cancel", body).await;
        (status, refusal["type"].clone())
    };

    assert_eq!(
        kind("ready", all.clone()).await,
        (409, json!("PAYMENT_NOT_PAID"))
    );
    assert_eq!(
        kind("none", all.clone()).await,
        (404, json!("PAYMENT_NOT_FOUND"))
    );
    assert_eq!(
        kind("ready", json!({})).await,
        (400, json!("INVALID_REQUEST"))
    );
    assert_eq!(kind("account", all).await, (502, json!("PG_PROVIDER")));
    let account = json!({"bank": "SHINHAN", "number": "1", "holderName": "홍길동"});
    let body = json!({"reason": "x", "refundAccount": account});
    assert_eq!(kind("account", body).await, (200, Value::Null));
    let method = payment(&bench, "account").await["method"].clone();
    assert_eq!(method["refundStatus"], "COMPLETED");
}

#[tokio::test]
async fn an_asynchronous_cancel_is_stopped_or_settled_later() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    bench
        .sandbox
        .configure_v2(json!({"cancel": "asynchronous"}))
        .unwrap();
    let request = async || {
        let (status, answer) = post(&bench, "P-1", "cancel", json!({"reason": "x"})).await;
        assert_eq!(
            (status, &answer["cancellation"]["status"]),
            (200, &json!("REQUESTED"))
        );
        answer["cancellation"]["id"].as_str().unwrap().to_owned()
    };
    let stop = async |id: &str| {
        let operation = "/payments/{paymentId}/cancellations/{cancellationId}/stop";
        let path = format!("/payments/P-1/cancellations/{id}/stop");
        let (status, answer) = call(&bench, Method::POST, operation, &path, None).await;
        (status, answer["type"].clone())
    };

    let first = request().await;
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
    assert_eq!(stop(&first).await.0, 200);
    assert_eq!(
        stop(&first).await,
        (409, json!("PAYMENT_CANCELLATION_NOT_PENDING"))
    );
    assert_eq!(
        stop("none").await,
        (404, json!("PAYMENT_CANCELLATION_NOT_FOUND"))
    );

    let second = request().await;
    bench
        .sandbox
        .settle_v2_cancellation("P-1", &second, true)
        .unwrap();
    let cancelled = payment(&bench, "P-1").await;
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["cancellations"][0]["status"], "FAILED");
    assert!(
        bench
            .sandbox
            .settle_v2_cancellation("P-1", &second, true)
            .is_err()
    );
}

#[tokio::test]
async fn a_virtual_account_takes_one_deposit_or_is_closed() {
    let bench = Bench::start().await;
    create(
        &bench,
        json!({"id": "deposit", "status": "VIRTUAL_ACCOUNT_ISSUED"}),
    );
    create(
        &bench,
        json!({"id": "close", "status": "VIRTUAL_ACCOUNT_ISSUED"}),
    );
    let number = payment(&bench, "deposit").await["method"]["accountNumber"].clone();

    bench.sandbox.deposit_v2("deposit").unwrap();
    let paid = payment(&bench, "deposit").await;
    assert_eq!(
        (&paid["status"], &paid["method"]["accountNumber"]),
        (&json!("PAID"), &number)
    );
    assert!(bench.sandbox.deposit_v2("deposit").is_err());

    let close = async |id: &str| {
        let operation = "/payments/{paymentId}/virtual-account/close";
        let path = format!("/payments/{id}/virtual-account/close");
        let (status, answer) = call(&bench, Method::POST, operation, &path, None).await;
        (status, answer["type"].clone())
    };
    assert_eq!(close("close").await, (200, Value::Null));
    assert_eq!(payment(&bench, "close").await["status"], "FAILED");
    assert_eq!(
        close("close").await,
        (409, json!("PAYMENT_NOT_WAITING_FOR_DEPOSIT"))
    );
}

#[tokio::test]
async fn several_attempts_and_only_one_with_the_money() {
    let bench = Bench::start().await;
    create(
        &bench,
        json!({"transactionId": "first", "status": "FAILED"}),
    );
    create(
        &bench,
        json!({"transactionId": "second", "status": "VIRTUAL_ACCOUNT_ISSUED"}),
    );
    create(&bench, json!({"transactionId": "third", "status": "READY"}));
    assert_eq!(payment(&bench, "P-1").await["transactionId"], "third");

    bench.sandbox.deposit_v2("second").unwrap();

    assert_eq!(payment(&bench, "P-1").await["transactionId"], "second");
    assert!(bench.sandbox.approve_v2("third").is_err());
    let operation = "/payments/{paymentId}/transactions";
    let path = "/payments/P-1/transactions";
    let (_, list) = call(&bench, Method::GET, operation, path, None).await;
    let ids: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["id"])
        .collect();
    assert_eq!(ids, ["third", "second", "first"]);
    assert_eq!(list["items"][1]["paymentId"], "P-1");
}

#[tokio::test]
async fn lists_are_filtered_paged_and_take_their_body_from_the_query() {
    let bench = Bench::start().await;
    bench.sandbox.freeze_clock();
    for number in 1..=5 {
        let status = if number % 2 == 0 {
            "PAY_PENDING"
        } else {
            "PAID"
        };
        create(
            &bench,
            json!({"id": format!("P-{number}"), "status": status}),
        );
        bench.sandbox.advance_clock(Duration::from_secs(1));
    }
    let list = async |body: Value| {
        let query: String =
            url::form_urlencoded::byte_serialize(body.to_string().as_bytes()).collect();
        let path = format!("/payments?requestBody={query}");
        let (status, by_query) = call(&bench, Method::GET, "/payments", &path, None).await;
        let (_, by_body) = call(&bench, Method::GET, "/payments", "/payments", Some(body)).await;
        assert_eq!(by_query, by_body);
        (status, by_query)
    };
    let ids = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };

    let (_, page) = list(json!({"page": {"number": 1, "size": 2}})).await;
    assert_eq!(ids(&page), ["P-3", "P-2"]);
    assert_eq!(
        page["page"],
        json!({"number": 1, "size": 2, "totalCount": 5})
    );
    let (_, pending) = list(json!({"filter": {"status": ["PENDING"], "sortOrder": "ASC"}})).await;
    assert_eq!(ids(&pending), ["P-2", "P-4"]);
    let (_, found) =
        list(json!({"filter": {"textSearch": [{"field": "PAYMENT_ID", "value": "-5"}]}})).await;
    assert_eq!(ids(&found), ["P-5"]);

    assert_eq!(
        list(json!({"page": {"number": 6, "size": 10_000}})).await.0,
        400
    );
    assert_eq!(list(json!({"page": {"size": 0}})).await.0, 400);
    assert_eq!(list(json!({"filter": {"isEscrow": true}})).await.0, 400);
}

#[tokio::test]
async fn cursors_go_on_where_they_left_off() {
    let bench = Bench::start().await;
    for number in 1..=3 {
        create(&bench, json!({"id": format!("P-{number}")}));
    }
    let path = "/payments-by-cursor";
    let next = async |body: Value| {
        call(&bench, Method::GET, path, path, Some(body)).await.1["items"].clone()
    };

    let first = next(json!({"size": 2})).await;
    let second = next(json!({"size": 2, "cursor": first[1]["cursor"]})).await;

    assert_eq!(first[0]["payment"]["id"], "P-1");
    assert_eq!(second.as_array().unwrap().len(), 1);
    assert_eq!(second[0]["payment"]["id"], "P-3");
}

#[tokio::test]
async fn banks_need_no_authorization() {
    let bench = Bench::start().await;

    let banks = json_of(bench.get("/v2/banks").send().await.unwrap(), 200).await;

    let (_, described) = call(&bench, Method::GET, "/banks", "/banks", None).await;
    assert_eq!(banks, described);
}

/// A cancel of 1000 with a key, or without.
async fn keyed_cancel(bench: &Bench, key: Option<&str>, amount: i64) -> (u16, Value) {
    let mut request = bench
        .post("/v2/payments/P-1/cancel")
        .header(
            "authorization",
            format!("PortOne {}", Sandbox::V2_API_SECRET),
        )
        .json(&json!({"reason": "x", "amount": amount}));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

const ONE_MINUTE: Duration = Duration::from_secs(60);
const KEY: &str = r#""0123456789abcdef""#;

#[tokio::test]
async fn the_same_key_gives_the_same_answer_for_three_hours() {
    let bench = Bench::start().await;
    create(&bench, json!({}));

    let first = keyed_cancel(&bench, Some(KEY), 1000).await;
    assert_eq!(first.0, 200);
    assert_eq!(keyed_cancel(&bench, Some(KEY), 1000).await, first);
    assert_eq!(payment(&bench, "P-1").await["amount"]["cancelled"], 1000);

    let three_hours = Duration::from_secs(3 * 60 * 60);
    bench.sandbox.freeze_clock();
    bench.sandbox.advance_clock(three_hours - ONE_MINUTE);
    assert_eq!(keyed_cancel(&bench, Some(KEY), 1000).await, first);
    bench.sandbox.advance_clock(ONE_MINUTE);
    assert_ne!(keyed_cancel(&bench, Some(KEY), 1000).await, first);
    assert_eq!(payment(&bench, "P-1").await["amount"]["cancelled"], 2000);
}

#[tokio::test]
async fn the_same_key_on_another_request_is_replayed_or_refused_as_configured() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let first = keyed_cancel(&bench, Some(KEY), 1000).await;

    assert_eq!(keyed_cancel(&bench, Some(KEY), 2000).await, first);
    bench
        .sandbox
        .configure_v2(json!({"idempotency_mismatch": "refuse"}))
        .unwrap();
    let (status, refusal) = keyed_cancel(&bench, Some(KEY), 2000).await;

    assert_eq!((status, &refusal["type"]), (400, &json!("INVALID_REQUEST")));
    assert_eq!(payment(&bench, "P-1").await["amount"]["cancelled"], 1000);
}

#[tokio::test]
async fn a_key_under_way_is_refused() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    // Whichever comes first is at work for longer than this test lasts, so the one that is answered came second.
    bench
        .sandbox
        .configure_v2(json!({"processing_ms": 60_000}))
        .unwrap();

    let (status, refusal) = tokio::select! {
        answer = keyed_cancel(&bench, Some(KEY), 1000) => answer,
        answer = keyed_cancel(&bench, Some(KEY), 1000) => answer,
    };

    assert_eq!(
        (status, &refusal["type"]),
        (409, &json!("IDEMPOTENCY_OUTSTANDING_REQUEST"))
    );
}

#[tokio::test]
async fn a_malformed_key_is_refused_and_a_reading_call_ignores_it() {
    let bench = Bench::start().await;
    create(&bench, json!({}));

    for bad in ["0123456789abcdef", r#""short""#, r#""""#] {
        assert_eq!(keyed_cancel(&bench, Some(bad), 1).await.0, 400, "{bad}");
    }
    let read = bench
        .get("/v2/payments/P-1")
        .header(
            "authorization",
            format!("PortOne {}", Sandbox::V2_API_SECRET),
        )
        .header("idempotency-key", "short");

    assert_eq!(
        json_of(read.send().await.unwrap(), 200).await["status"],
        "PAID"
    );
    assert_eq!(keyed_cancel(&bench, None, 1).await.0, 200);
}

#[tokio::test]
async fn faults_answer_in_v2s_words() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let faults = [
        (
            json!({"kind": "status", "status": 503}),
            503,
            "SANDBOX_FAULT",
        ),
        (
            json!({"kind": "status", "status": 409, "type": "ALREADY_PAID"}),
            409,
            "ALREADY_PAID",
        ),
        (json!({"kind": "unauthorized"}), 401, "UNAUTHORIZED"),
        (json!({"kind": "not_found"}), 404, "PAYMENT_NOT_FOUND"),
    ];
    for (mut fault, status, kind) in faults {
        fault["call"] = json!("v2_payment");
        fault["times"] = json!(1);
        bench.sandbox.fault(fault).unwrap();

        let answer = bench.get("/v2/payments/P-1").send().await.unwrap();

        assert_eq!(json_of(answer, status).await["type"], kind);
    }
    assert_eq!(bench.sandbox.calls("v2_payment"), 4);
    assert_eq!(payment(&bench, "P-1").await["status"], "PAID");
}

#[tokio::test]
async fn every_call_has_its_name() {
    let bench = Bench::start().await;
    for (method, path, name) in [
        (Method::POST, "/v2/login/api-secret", "v2_token"),
        (Method::POST, "/v2/token/refresh", "v2_token"),
        (Method::GET, "/v2/payments", "v2_list"),
        (Method::GET, "/v2/payments-by-cursor", "v2_list"),
        (Method::GET, "/v2/payments/P", "v2_payment"),
        (
            Method::GET,
            "/v2/payments/P/transactions",
            "v2_transactions",
        ),
        (
            Method::POST,
            "/v2/payments/P/pre-register",
            "v2_pre_register",
        ),
        (Method::POST, "/v2/payments/P/confirm", "v2_confirm"),
        (Method::POST, "/v2/payments/P/cancel", "v2_cancel"),
        (
            Method::POST,
            "/v2/payments/P/cancellations/C/stop",
            "v2_stop_cancellation",
        ),
        (
            Method::POST,
            "/v2/payments/P/resend-webhook",
            "v2_resend_webhook",
        ),
        (
            Method::POST,
            "/v2/payments/P/virtual-account/close",
            "v2_close_virtual_account",
        ),
        (Method::GET, "/v2/banks", "v2_banks"),
        (Method::GET, "/v2/anything", "v2_unknown"),
    ] {
        let before = bench.sandbox.calls(name);
        bench.request(method, path).send().await.unwrap();
        assert_eq!(bench.sandbox.calls(name), before + 1, "{path}");
    }
    bench.get("/v2/browser-sdk.js").send().await.unwrap();
    assert_eq!(bench.sandbox.calls("any"), 14);
}

#[tokio::test]
async fn a_client_that_drops_the_prefix_reaches_v2_by_its_credential() {
    let bench = Bench::start().await;
    create(&bench, json!({}));
    let ask = async |authorization: &str| {
        let request = bench.get("/payments/P-1");
        request
            .header("authorization", authorization)
            .send()
            .await
            .unwrap()
    };

    let by_v2 = json_of(ask("PortOne sandbox-v2-secret").await, 200).await;
    let by_nobody = json_of(ask("PortOne wrong").await, 401).await;
    let by_v1 = json_of(ask("Bearer wrong").await, 401).await;

    assert_eq!(by_v2["amount"]["total"], 11_000);
    assert_eq!(by_nobody["type"], "UNAUTHORIZED");
    assert_eq!(by_v1["code"], -1);
}
