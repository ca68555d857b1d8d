//! The client of V2 against a real HTTP server on a free port of this machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use portone::{
    Code, Error,
    v2::{
        Authentication, Cancel, CancelAmount, CancellationId, CancellationStatus, ChannelType,
        Client, ClientBuilder, Confirm, ErrorType, Filter, FilterStatus, IdempotencyKey, Page,
        PaymentId, PreRegister, PromotionDiscountRetainOption, RefundAccount, Requester, SortBy,
        SortOrder, State, TextSearch, TimestampType, TransactionId, Version, WebhookStatus,
    },
};
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::server::{self, OPEN, Seen, Server, unfinished};

const SECRET: &str = "secret-of-the-merchant";
const STORE: &str = "store-1";
const ORDER: &str = "ORD-1";
const KEY: &str = "refund-of-ORD-1-no-1";

async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Server {
    Server::start("/login/api-secret", OPEN, answer).await
}

fn builder(url: &str) -> ClientBuilder {
    Client::builder(url.parse().expect("an address"), SECRET.into())
}

fn client(server: &Server) -> Client {
    builder(&server.url)
        .build()
        .expect("the client is configured")
}

fn client_of_store(server: &Server) -> Client {
    builder(&server.url)
        .store_id(STORE)
        .build()
        .expect("the client is configured")
}

fn client_with_tokens(server: &Server) -> Client {
    builder(&server.url)
        .authentication(Authentication::Token)
        .build()
        .expect("the client is configured")
}

fn order() -> PaymentId {
    PaymentId::parse(ORDER).expect("a paymentId")
}

fn key() -> IdempotencyKey {
    IdempotencyKey::parse(KEY).expect("a key")
}

fn answer(status: u16, body: &Value) -> Response {
    server::json(status, body.to_string())
}

fn refused(status: u16, error_type: &str) -> Response {
    answer(status, &json!({"type": error_type, "message": "안 됩니다"}))
}

fn paid(id: &str) -> Value {
    json!({
        "status": "PAID", "id": id, "transactionId": "tx-1", "storeId": STORE, "version": "V2",
        "channel": {"type": "LIVE", "pgProvider": "INICIS_V2", "pgMerchantId": "MOI"},
        "amount": {"total": 1000, "taxFree": 0, "discount": 0, "paid": 1000, "cancelled": 0, "cancelledTaxFree": 0},
        "currency": "KRW", "paidAt": "2026-01-01T00:01:00Z", "disputes": [],
    })
}

fn cancellation(status: &str) -> Value {
    json!({"cancellation": {
        "status": status, "id": "cancellation-1", "totalAmount": 400, "taxFreeAmount": 0,
        "vatAmount": 36, "reason": "r", "requestedAt": "2026-01-02T00:00:00Z",
    }})
}

fn tokens(number: usize) -> Response {
    let body = json!({"accessToken": format!("access-{number}"), "refreshToken": "refresh"});
    answer(200, &body)
}

fn body_of(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).expect("a body of JSON")
}

/// What the client makes of `answer` to a payment's query, and how often it asked.
async fn outcome_of(answer: impl Fn() -> Response + Send + Sync + 'static) -> Error {
    let server = start(move |_| answer()).await;

    let outcome = client(&server).payment(&order()).await;

    assert_eq!(server.seen().len(), 1, "nothing is asked again");
    outcome.expect_err("this is no answer")
}

#[tokio::test]
async fn a_payment_is_fetched_with_the_secret() {
    let server = start(|_| answer(200, &paid(ORDER))).await;

    let payment = client(&server).payment(&order()).await.expect("a payment");

    assert_eq!(payment.id, ORDER);
    assert_eq!(payment.transaction_id.as_str(), "tx-1");
    assert!(
        matches!(&payment.state, State::Paid { paid_at: Some(at) } if at.as_second() == 1_767_225_660)
    );
    assert_eq!(
        (payment.amount.total, payment.currency.as_str()),
        (1000, "KRW")
    );
    let channel = payment.channel.expect("a channel");
    assert_eq!(channel.channel_type, ChannelType::Live);
    let call = server.call();
    assert_eq!(call.line(), "GET /payments/ORD-1");
    assert_eq!(call.authorization(), Some("PortOne secret-of-the-merchant"));
    assert_eq!(call.header("accept"), Some("application/json"));
    assert_eq!(call.header("idempotency-key"), None);
}

#[tokio::test]
async fn an_address_with_a_path_is_a_prefix_and_a_store_is_named() {
    let server = start(|_| answer(200, &paid("주문 1+;a"))).await;
    for suffix in ["/v2", "/v2/"] {
        let client = builder(&format!("{}{suffix}", server.url))
            .store_id("store/1")
            .build()
            .expect("the client is configured");
        let id = PaymentId::parse("주문 1+;a").expect("a paymentId");

        client.payment(&id).await.expect("a payment");
    }

    for call in server.calls() {
        assert_eq!(
            call.uri,
            "/v2/payments/%EC%A3%BC%EB%AC%B8%201%2B%3Ba?storeId=store%2F1"
        );
    }
}

#[tokio::test]
async fn not_found_is_only_the_payment_that_portone_did_not_find() {
    let said = outcome_of(|| refused(404, "PAYMENT_NOT_FOUND")).await;
    assert!(said.is_not_found() && !said.is_retryable());

    let proxy = outcome_of(|| (StatusCode::NOT_FOUND, "<html>not here</html>").into_response());
    let proxy = proxy.await;
    assert!(!proxy.is_not_found() && proxy.status() == Some(404));
    assert_eq!(proxy.code(), None);
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_tried_twice() {
    let error = outcome_of(|| refused(401, "UNAUTHORIZED")).await;

    assert!(error.is_unauthorized() && !error.is_retryable());
}

#[tokio::test]
async fn what_is_not_portones_answer_is_garbled() {
    for body in ["", "null", "[]", "{}", "<html>", r#"{"status":"PAID","#] {
        let error = outcome_of(move || server::json(200, body)).await;
        assert!(matches!(error, Error::Garbled(_)), "{body}");
    }
    let another = outcome_of(|| answer(200, &paid("ord-1"))).await;
    assert!(matches!(another, Error::Garbled(_)), "{another}");
}

#[tokio::test]
async fn failures_on_the_way_are_told_apart() {
    let broken = outcome_of(|| unfinished("{", true)).await;
    assert!(matches!(broken, Error::Interrupted(_)) && broken.is_retryable());
    let redirect = outcome_of(|| (StatusCode::FOUND, [("location", "/elsewhere")]).into_response());
    assert_eq!(redirect.await.status(), Some(302));
    let down = outcome_of(|| (StatusCode::BAD_GATEWAY, "<html>").into_response()).await;
    assert!(down.status() == Some(502) && down.is_retryable());

    let server = start(|_| unfinished("{", false)).await;
    let hurried = builder(&server.url)
        .timeout(Duration::from_millis(200))
        .build()
        .expect("the client is configured");
    let error = hurried.payment(&order()).await.expect_err("no whole body");
    assert!(error.is_timeout() && error.is_retryable());
}

#[tokio::test]
async fn attempts_are_read_in_the_shape_of_payments() {
    let attempt = |id: &str, payment_id: &str, status: &str| {
        let mut attempt = paid(payment_id);
        attempt["paymentId"] = payment_id.into();
        attempt["id"] = id.into();
        attempt["status"] = status.into();
        attempt
            .as_object_mut()
            .expect("an object")
            .remove("transactionId");
        attempt
    };
    let both = json!({"items": [attempt("tx-1", ORDER, "FAILED"), attempt("tx-2", ORDER, "PAID")]});
    let server = start(move |_| answer(200, &both)).await;

    let attempts = client_of_store(&server)
        .transactions(&order())
        .await
        .expect("the attempts");

    let read: Vec<_> = attempts
        .iter()
        .map(|it| {
            (
                it.id.as_str(),
                it.transaction_id.as_str(),
                it.state.as_str(),
            )
        })
        .collect();
    assert_eq!(read, [(ORDER, "tx-1", "FAILED"), (ORDER, "tx-2", "PAID")]);
    assert_eq!(
        server.call().line(),
        "GET /payments/ORD-1/transactions?storeId=store-1"
    );

    for nonsense in [
        json!({}),
        json!({"items": {}}),
        json!({"items": [attempt("tx-1", "ORD-2", "PAID")]}),
        json!({"items": [attempt("tx-1", ORDER, "PAID"), attempt("tx-1", ORDER, "PAID")]}),
        json!({"items": [paid(ORDER)]}),
    ] {
        let server = start(move |_| answer(200, &nonsense)).await;
        let error = client(&server).transactions(&order()).await;
        assert!(matches!(error, Err(Error::Garbled(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_list_is_asked_for_in_the_query_without_a_plus() {
    let server = start(|_| {
        let page = json!({"items": [paid("a"), {"id": 7}, paid("b")], "page": {"number": 1, "size": 2, "totalCount": 7}});
        answer(200, &page)
    })
    .await;
    let filter = Filter {
        timestamp_type: Some(TimestampType::StatusChangedAt),
        from: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
        until: Some("2026-02-01T00:00:00Z".parse().expect("a time")),
        status: vec![FilterStatus::Pending, FilterStatus::VirtualAccountIssued],
        methods: vec!["CARD".to_owned()],
        pg_provider: vec!["TOSSPAYMENTS".to_owned()],
        is_test: Some(false),
        is_scheduled: Some(true),
        version: Some(Version::V2),
        currency: Some("KRW".to_owned()),
        text_search: vec![TextSearch {
            field: "ORDER_NAME".to_owned(),
            value: "a b+c&d".to_owned(),
        }],
        sort_by: Some(SortBy::RequestedAt),
        sort_order: Some(SortOrder::Ascending),
    };

    let page = client_of_store(&server)
        .payments(&filter, Page { number: 1, size: 2 })
        .await
        .expect("a page");

    let ids: Vec<_> = page
        .items
        .iter()
        .map(|it| it.as_ref().map_or("unreadable", |it| it.id.as_str()))
        .collect();
    assert_eq!(
        (ids.as_slice(), page.total_count),
        (["a", "unreadable", "b"].as_slice(), 7)
    );
    let shown = format!("{filter:?}");
    assert!(
        shown.contains("ORDER_NAME") && !shown.contains("a b+c&d"),
        "{shown}"
    );
    let uri = server.call().uri;
    assert!(
        uri.starts_with("/payments?requestBody=%7B") && !uri.contains('+'),
        "{uri}"
    );
    let url: url::Url = format!("{}{uri}", server.url).parse().expect("an address");
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    let [(name, value)] = query.as_slice() else {
        unreachable!("one parameter, not {query:?}")
    };
    assert_eq!(name, "requestBody");
    assert_eq!(
        serde_json::from_str::<Value>(value).expect("JSON"),
        json!({
            "page": {"number": 1, "size": 2},
            "filter": {
                "storeId": "store-1", "timestampType": "STATUS_CHANGED_AT",
                "from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z",
                "status": ["PENDING", "VIRTUAL_ACCOUNT_ISSUED"], "methods": ["CARD"],
                "pgProvider": ["TOSSPAYMENTS"], "isTest": false, "isScheduled": true, "version": "V2",
                "currency": "KRW", "textSearch": [{"field": "ORDER_NAME", "value": "a b+c&d"}],
                "sortBy": "REQUESTED_AT", "sortOrder": "ASC",
            },
        })
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_no_empty_list() {
    for nonsense in [
        json!({}),
        json!({"items": []}),
        json!({"page": {"totalCount": 0}}),
        json!({"items": [], "page": {"totalCount": -1}}),
    ] {
        let server = start(move |_| answer(200, &nonsense)).await;
        let page = Page {
            number: 0,
            size: 10,
        };
        let outcome = client(&server).payments(&Filter::default(), page).await;
        assert!(matches!(outcome, Err(Error::Garbled(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_payment_that_cannot_be_read_is_an_error_in_its_place() {
    let server = start(|_| answer(200, &json!({"items": [{}], "page": {"totalCount": 1}}))).await;
    let page = Page {
        number: 0,
        size: 10,
    };

    let page = client(&server)
        .payments(&Filter::default(), page)
        .await
        .expect("a page");

    assert!(
        matches!(page.items.as_slice(), [Err(Error::Garbled(_))]),
        "{page:?}"
    );
}

#[tokio::test]
async fn banks_are_asked_for_without_credentials() {
    let server = start(|_| {
        let banks = json!({"items": [{"bank": "SHINHAN", "name": {"ko": "신한은행"}}]});
        answer(200, &banks)
    })
    .await;

    let banks = client_of_store(&server).banks().await.expect("the banks");

    assert_eq!(banks[0].bank, "SHINHAN");
    assert_eq!(banks[0].name_ko.as_deref(), Some("신한은행"));
    let call = server.call();
    assert_eq!(call.line(), "GET /banks");
    assert_eq!(call.authorization(), None);
}

#[tokio::test]
async fn an_amount_is_registered_in_advance() {
    let server = start(|_| answer(200, &json!({}))).await;
    let mut amount = PreRegister::new(1420, "USD");

    client_of_store(&server)
        .pre_register(&order(), &amount, &key())
        .await
        .expect("a registration");
    amount.tax_free_amount = Some(0);
    client(&server)
        .pre_register(&order(), &amount, &key())
        .await
        .expect("a registration");

    let calls = server.calls();
    assert_eq!(calls[0].line(), "POST /payments/ORD-1/pre-register");
    assert_eq!(calls[0].header("content-type"), Some("application/json"));
    assert_eq!(
        calls[0].header("idempotency-key"),
        Some(r#""refund-of-ORD-1-no-1""#)
    );
    assert_eq!(
        body_of(&calls[0]),
        json!({"storeId": "store-1", "totalAmount": 1420, "currency": "USD"})
    );
    assert_eq!(
        body_of(&calls[1]),
        json!({"totalAmount": 1420, "taxFreeAmount": 0, "currency": "USD"})
    );
}

#[tokio::test]
async fn a_registration_for_a_paid_payment_says_so() {
    let server = start(|_| refused(409, "ALREADY_PAID")).await;

    let error = client(&server)
        .pre_register(&order(), &PreRegister::new(1, "KRW"), &key())
        .await
        .expect_err("a refusal");

    assert_eq!(error.error_type(), Some(&ErrorType::AlreadyPaid));
    let Error::Rejected(rejection) = &error else {
        unreachable!("a rejection, not {error:?}")
    };
    assert_eq!(
        (rejection.status, rejection.message.as_str()),
        (409, "안 됩니다")
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn only_all_leaves_the_amount_out() {
    let server = start(|_| answer(200, &cancellation("SUCCEEDED"))).await;
    let client = client(&server);
    let part = CancelAmount::Part(400.try_into().expect("more than nothing"));

    for amount in [CancelAmount::All, part] {
        let cancelled = client
            .cancel(&order(), &Cancel::new(amount, "out of stock"), &key())
            .await
            .expect("a cancellation");
        assert_eq!(cancelled.status, CancellationStatus::Succeeded);
        assert_eq!(
            (cancelled.id.as_str(), cancelled.total_amount),
            ("cancellation-1", 400)
        );
    }

    let calls = server.calls();
    assert_eq!(calls[0].line(), "POST /payments/ORD-1/cancel");
    assert_eq!(body_of(&calls[0]), json!({"reason": "out of stock"}));
    assert_eq!(
        body_of(&calls[1]),
        json!({"amount": 400, "reason": "out of stock"})
    );
}

#[tokio::test]
async fn a_cancellation_says_all_it_was_told_to() {
    let server = start(|_| answer(200, &cancellation("REQUESTED"))).await;
    let mut cancel = Cancel::new(
        CancelAmount::Part(400.try_into().expect("more than nothing")),
        "r",
    );
    cancel.tax_free_amount = Some(100);
    cancel.vat_amount = Some(27);
    cancel.requester = Some(Requester::Customer);
    cancel.promotion_discount_retain_option = Some(PromotionDiscountRetainOption::Release);
    cancel.current_cancellable_amount = Some(1000);
    cancel.refund_account = Some(RefundAccount {
        bank: "SHINHAN".to_owned(),
        number: "PRIVATE-number".to_owned(),
        holder_name: "PRIVATE-holder".to_owned(),
        holder_phone_number: Some("PRIVATE-phone".to_owned()),
    });
    cancel.refund_email = Some("PRIVATE-email".to_owned());
    cancel.skip_webhook = Some(true);

    let cancelled = client(&server)
        .cancel(&order(), &cancel, &key())
        .await
        .expect("a cancellation");

    assert_eq!(cancelled.status, CancellationStatus::Requested);
    assert_eq!(
        body_of(&server.call()),
        json!({
            "amount": 400, "reason": "r", "taxFreeAmount": 100, "vatAmount": 27, "requester": "CUSTOMER",
            "promotionDiscountRetainOption": "RELEASE", "currentCancellableAmount": 1000,
            "refundAccount": {"bank": "SHINHAN", "number": "PRIVATE-number", "holderName": "PRIVATE-holder",
                "holderPhoneNumber": "PRIVATE-phone"},
            "refundEmail": "PRIVATE-email", "skipWebhook": true,
        })
    );
    let shown = format!("{cancel:?} {:?}", cancel.refund_account);
    assert!(!shown.contains("PRIVATE"), "{shown}");
    assert!(
        shown.contains("400") && shown.contains("SHINHAN"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_cut_off_cancellation_can_be_made_again_with_its_key() {
    let asked = AtomicUsize::new(0);
    let server = start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => unfinished(r#"{"cancellation":"#, true),
        1 => refused(409, "IDEMPOTENCY_OUTSTANDING_REQUEST"),
        _ => answer(200, &cancellation("SUCCEEDED")),
    })
    .await;
    let (client, key) = (client(&server), IdempotencyKey::random());
    let cancel = Cancel::new(CancelAmount::All, "r");

    let cut_off = client.cancel(&order(), &cancel, &key).await;
    let running = client.cancel(&order(), &cancel, &key).await;
    let done = client.cancel(&order(), &cancel, &key).await;

    assert!(cut_off.is_err_and(|error| error.is_retryable() && !error.is_fate_unknown()));
    assert!(running.is_err_and(|error| error.is_retryable()
        && error.code() == Some(&Code::V2(ErrorType::IdempotencyOutstandingRequest))));
    assert!(done.is_ok());
    let quoted = format!("\"{key}\"");
    for call in server.calls() {
        assert_eq!(call.header("idempotency-key"), Some(quoted.as_str()));
    }
}

#[tokio::test]
async fn a_cancellation_without_its_amount_is_garbled() {
    for nonsense in [
        json!({}),
        json!({"cancellation": null}),
        json!({"cancellation": {"status": "SUCCEEDED", "id": "c"}}),
        json!({"cancellation": {"status": "SUCCEEDED", "id": "c", "totalAmount": "400"}}),
        json!({"cancellation": {"id": "c", "totalAmount": 400}}),
    ] {
        let server = start(move |_| answer(200, &nonsense)).await;
        let cancel = Cancel::new(CancelAmount::All, "r");
        let outcome = client(&server).cancel(&order(), &cancel, &key()).await;
        assert!(matches!(outcome, Err(Error::Garbled(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_payment_is_confirmed_only_as_expected() {
    let server = start(|_| {
        let confirmed = json!({"pgTxId": "pg-1", "paidAt": "2026-01-01T00:01:00Z"});
        answer(200, &confirmed)
    })
    .await;
    let mut confirm = Confirm::new("payment-token".into(), 1000, "KRW");
    confirm.tx_id = TransactionId::parse("tx-1").ok();

    let confirmed = client(&server)
        .confirm(&order(), &confirm, &key())
        .await
        .expect("a confirmation");

    assert_eq!(confirmed.pg_tx_id.as_deref(), Some("pg-1"));
    assert_eq!(server.call().line(), "POST /payments/ORD-1/confirm");
    assert_eq!(
        body_of(&server.call()),
        json!({
            "paymentToken": "payment-token", "txId": "tx-1", "currency": "KRW", "totalAmount": 1000,
            "isTest": false,
        })
    );
    let shown = format!("{confirm:?}");
    assert!(
        !shown.contains("payment-token") && shown.contains("1000"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_smaller_calls_go_where_they_belong() {
    let server = start(|_| {
        let everything = json!({
            "stoppedAt": "2026-01-01T00:00:01Z", "closedAt": "2026-01-01T00:00:02Z",
            "webhook": {"id": "w", "url": "https://shop.example/", "status": "SUCCEEDED"},
        });
        answer(200, &everything)
    })
    .await;
    let client = client_of_store(&server);
    let cancellation = CancellationId::parse("cancellation-1").expect("an id");

    let stopped = client
        .stop_cancellation(&order(), &cancellation, &key())
        .await
        .expect("an answer");
    let closed = client
        .close_virtual_account(&order(), &key())
        .await
        .expect("an answer");
    let resent = client
        .resend_webhook(&order(), None, &key())
        .await
        .expect("an answer");
    client
        .resend_webhook(&order(), Some("w"), &key())
        .await
        .expect("an answer");

    assert_eq!(stopped.map(|at| at.as_second()), Some(1_767_225_601));
    assert_eq!(closed.map(|at| at.as_second()), Some(1_767_225_602));
    assert_eq!(resent.status, Some(WebhookStatus::Succeeded));
    let calls = server.calls();
    let said: Vec<_> = calls
        .iter()
        .map(|call| (call.line(), call.body.as_str()))
        .collect();
    let line = |path: &str| format!("POST /payments/ORD-1/{path}");
    assert_eq!(
        said,
        [
            (
                line("cancellations/cancellation-1/stop"),
                r#"{"storeId":"store-1"}"#
            ),
            (line("virtual-account/close?storeId=store-1"), ""),
            (line("resend-webhook"), r#"{"storeId":"store-1"}"#),
            (
                line("resend-webhook"),
                r#"{"storeId":"store-1","webhookId":"w"}"#
            ),
        ]
    );
    for call in calls {
        assert!(call.header("idempotency-key").is_some(), "{call:?}");
    }
}

#[tokio::test]
async fn fifty_concurrent_calls_share_one_login() {
    let server = Server::start("/login/api-secret", 0, |seen| match seen.uri.as_str() {
        "/login/api-secret" => tokens(1),
        _ => answer(200, &paid(ORDER)),
    })
    .await;
    let client = client_with_tokens(&server);
    let start = Arc::new(Barrier::new(50));
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (client, start) = (client.clone(), Arc::clone(&start));
        calls.spawn(async move {
            start.wait().await;
            client.payment(&order()).await
        });
    }

    server.token_asked().await;
    server.open_door();
    let outcomes = calls.join_all().await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((server.tokens_asked(), server.calls().len()), (1, 50));
    let login = &server.seen()[0];
    assert_eq!(body_of(login), json!({"apiSecret": SECRET}));
    assert_eq!(login.authorization(), None);
    for call in server.calls() {
        assert_eq!(call.authorization(), Some("Bearer access-1"));
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_by_a_login() {
    let issued = AtomicUsize::new(0);
    let server = start(move |seen| match seen.uri.as_str() {
        "/login/api-secret" => tokens(issued.fetch_add(1, Ordering::SeqCst) + 1),
        _ if seen.authorization() == Some("Bearer access-1") => refused(401, "UNAUTHORIZED"),
        _ => answer(200, &cancellation("SUCCEEDED")),
    })
    .await;
    let client = client_with_tokens(&server);
    let cancel = Cancel::new(CancelAmount::All, "r");

    client
        .cancel(&order(), &cancel, &key())
        .await
        .expect("a cancellation at the second try");
    client
        .cancel(&order(), &cancel, &key())
        .await
        .expect("a cancellation with the token that is held");

    assert_eq!((server.tokens_asked(), server.calls().len()), (2, 3));
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let server = start(|seen| match seen.uri.as_str() {
        "/login/api-secret" => tokens(1),
        _ => refused(401, "UNAUTHORIZED"),
    })
    .await;

    let error = client_with_tokens(&server)
        .payment(&order())
        .await
        .expect_err("no token is good enough");

    assert!(error.is_unauthorized());
    assert_eq!((server.tokens_asked(), server.calls().len()), (2, 2));
}

#[tokio::test]
async fn nothing_secret_is_ever_shown() {
    let server = start(|_| refused(401, "UNAUTHORIZED")).await;
    let builder = builder(&server.url);
    let mut shown = format!("{builder:?}");
    for authentication in [Authentication::ApiSecret, Authentication::Token] {
        let client = self::builder(&server.url)
            .authentication(authentication)
            .build()
            .expect("the client is configured");
        let error = client.payment(&order()).await.expect_err("a refusal");
        shown += &format!("{client:?} {error} {error:?}");
    }

    for secret in [SECRET, "access-", "refresh"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn what_cannot_work_is_not_built() {
    let url = "http://127.0.0.1:1";
    let with = |url: &str, secret: &str| {
        Client::builder(url.parse().expect("an address"), secret.into()).build()
    };
    for refused in [
        with("ftp://127.0.0.1/", SECRET),
        with("https://user@127.0.0.1/", SECRET),
        with("https://127.0.0.1/?a=1", SECRET),
        with(url, ""),
        with(url, "line\nbreak"),
        builder(url).store_id("").build(),
        builder(url).timeout(Duration::ZERO).build(),
        builder(url).connect_timeout(Duration::ZERO).build(),
    ] {
        assert!(
            matches!(refused, Err(Error::InvalidConfiguration(_))),
            "{refused:?}"
        );
    }
    assert!(with("https://api.portone.io", SECRET).is_ok());
}
