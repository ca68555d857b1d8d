//! The calls of V1 beyond one payment, against a real HTTP server on a free port of this machine.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{http::StatusCode, response::IntoResponse};
use jiff::Timestamp;
use portone::{
    Error,
    v1::{
        Cancel, CancelAmount, CancelTarget, ImpUid, MerchantUid, PartAmount, RefundAccount,
        Requester, Sorting, StatusFilter, StatusQuery, Vbank, VbankChange,
    },
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    server::{OPEN, Seen, json as respond, unfinished},
    v1::{IMP_UID, ORDER, Server, imp_uid, ok, order, payment, refused},
};

fn body_of(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).expect("a body of JSON")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn id(text: &str) -> ImpUid {
    ImpUid::parse(text).expect("an imp_uid")
}

fn part(amount: &str) -> CancelAmount {
    CancelAmount::Part(PartAmount::new(decimal(amount)).expect("more than nothing"))
}

fn cancel_part() -> Cancel {
    Cancel::new(
        CancelTarget::ImpUid(imp_uid()),
        part("4.20"),
        decimal("14.20"),
    )
}

fn vbank() -> Vbank {
    let due = Timestamp::from_second(1_700_000_300).expect("a time");
    Vbank::new("channel-key-1", order(), decimal("1004"), "04", due)
}

#[tokio::test]
async fn a_tier_code_goes_with_every_call() {
    let server = Server::start(|_| ok(&payment(IMP_UID, ORDER, "1"))).await;
    let client = server.builder().tier("abc").build().expect("a client");

    client.payment(&imp_uid()).await.expect("a payment");

    for seen in server.seen() {
        assert_eq!(seen.header("tier"), Some("abc"), "{}", seen.uri);
    }
    for code in ["", "ab", "abcd", "a\nb", "가"] {
        let refused = server.builder().tier(code).build();
        assert!(
            matches!(refused, Err(Error::InvalidConfiguration(_))),
            "{code:?}"
        );
    }
}

#[tokio::test]
async fn what_the_pg_alone_says_is_asked_for_and_kept_as_it_is() {
    let server = Server::start(|_| {
        let with_extension = payment(IMP_UID, ORDER, "1").replacen(
            '{',
            r#"{"extension":{"REMITTER": "PRIVATE"},"#,
            1,
        );
        ok(&with_extension)
    })
    .await;

    let payment = server
        .client()
        .payment_with_extension(&imp_uid())
        .await
        .expect("a payment");

    assert_eq!(
        payment.extension.as_deref(),
        Some(r#"{"REMITTER": "PRIVATE"}"#)
    );
    assert!(!format!("{payment:?}").contains("PRIVATE"));
    assert_eq!(
        server.call().line(),
        "GET /payments/imp_123456789012?include_sandbox=true&extension=true"
    );
}

#[tokio::test]
async fn of_many_ids_some_are_found_and_the_rest_are_named() {
    let server = Server::start(|_| {
        let list = format!(
            "[{},{}]",
            payment("imp_3", ORDER, "1"),
            payment("imp_1", ORDER, "2")
        );
        respond(
            207,
            format!(r#"{{"code":0,"message":null,"response":{list}}}"#),
        )
    })
    .await;
    let asked = ["imp_1", "imp_2", "imp_1", "imp_3"].map(id);

    let found = server.client().payments(&asked).await.expect("an answer");

    let ids: Vec<_> = found
        .payments
        .iter()
        .map(|it| it.imp_uid.as_str())
        .collect();
    assert_eq!(ids, ["imp_3", "imp_1"]);
    assert_eq!(found.missing, [id("imp_2")]);
    assert_eq!(
        server.call().line(),
        "GET /payments?imp_uid%5B%5D=imp_1&imp_uid%5B%5D=imp_2&imp_uid%5B%5D=imp_3"
    );
}

#[tokio::test]
async fn of_many_ids_none_may_be_found_but_only_portone_can_say_so() {
    let none = Server::start(|_| refused(404, -1, "없음")).await;
    let proxy = Server::start(|_| (StatusCode::NOT_FOUND, "<html>").into_response()).await;
    let asked = ["imp_1", "imp_2"].map(id);

    let found = none.client().payments(&asked).await.expect("an answer");
    let error = proxy
        .client()
        .payments(&asked)
        .await
        .expect_err("no answer");

    assert!(found.payments.is_empty() && found.missing == asked);
    assert_eq!(error.status(), Some(404));
}

#[tokio::test]
async fn of_many_ids_none_is_answered_that_was_not_asked_for() {
    for list in [
        format!("[{}]", payment("imp_2", ORDER, "1")),
        format!("[{0},{0}]", payment("imp_1", ORDER, "1")),
        "{}".to_owned(),
        "[1]".to_owned(),
    ] {
        let server = Server::start(move |_| ok(&list)).await;
        let outcome = server.client().payments(&[id("imp_1")]).await;
        assert!(matches!(outcome, Err(Error::Garbled(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn no_more_ids_are_asked_for_than_portone_takes() {
    let server = Server::start(|_| refused(404, -1, "없음")).await;
    let ids = |count: usize| -> Vec<_> { (0..count).map(|n| id(&format!("imp_{n}"))).collect() };

    let too_many = server.client().payments(&ids(101)).await;
    let nothing = server.client().payments(&[]).await.expect("nothing");

    assert!(matches!(too_many, Err(Error::InvalidConfiguration(_))));
    assert!(nothing.payments.is_empty() && nothing.missing.is_empty());
    assert!(server.seen().is_empty());
    assert!(server.client().payments(&ids(100)).await.is_ok());
}

#[tokio::test]
async fn an_order_is_found_by_state_and_order_of_attempts() {
    let server = Server::start(|_| ok(&payment(IMP_UID, ORDER, "1"))).await;
    let client = server.client();

    for (status, sorting) in [
        (None, Sorting::LatestStarted),
        (Some(StatusFilter::Paid), Sorting::EarliestUpdated),
    ] {
        client
            .find(&order(), status, sorting)
            .await
            .expect("a payment");
    }
    let other = MerchantUid::parse("ord-1").expect("a merchant_uid");
    let another = client.find(&other, None, Sorting::LatestPaid).await;

    assert!(matches!(another, Err(Error::Garbled(_))), "{another:?}");
    let uris: Vec<_> = server.calls().into_iter().map(|call| call.uri).collect();
    assert_eq!(
        uris,
        [
            "/payments/find/ORD-1?sorting=-started",
            "/payments/find/ORD-1/paid?sorting=updated",
            "/payments/find/ord-1?sorting=-paid",
        ]
    );
}

#[tokio::test]
async fn an_order_that_is_not_there_is_not_found() {
    let server = Server::start(|_| refused(404, -1, "없음")).await;

    let outcome = server
        .client()
        .find(&order(), Some(StatusFilter::Failed), Sorting::EarliestPaid)
        .await;

    assert!(outcome.is_err_and(|error| error.is_not_found()));
}

#[tokio::test]
async fn attempts_in_one_state_are_asked_for_by_it() {
    let server = Server::start(|_| {
        let list = payment(IMP_UID, ORDER, "1");
        ok(&format!(
            r#"{{"total":1,"previous":0,"next":0,"list":[{list}]}}"#
        ))
    })
    .await;

    let attempts = server
        .client()
        .payments_of_with_status(&order(), StatusFilter::Cancelled)
        .await
        .expect("the attempts");

    assert_eq!(attempts.len(), 1);
    assert_eq!(
        server.call().uri,
        "/payments/findAll/ORD-1/cancelled?limit=100&page=1&sorting=started"
    );
}

#[tokio::test]
async fn a_list_by_state_ends_where_portone_says_400() {
    let server = Server::start(|seen| {
        if seen.uri.contains("page=3") {
            return refused(400, -1, "데이터 범위를 벗어난 page 입니다.");
        }
        let list = payment(IMP_UID, ORDER, "1");
        ok(&format!(
            r#"{{"total":250,"previous":1,"next":3,"list":[{list}]}}"#
        ))
    })
    .await;
    let mut query = StatusQuery::new(Some(StatusFilter::Ready));
    (query.page, query.limit) = (2, 50);
    query.from = Timestamp::from_second(1_700_000_000).ok();
    query.to = Timestamp::from_second(1_700_086_400).ok();
    query.sorting = Sorting::LatestUpdated;

    let page = server
        .client()
        .payments_with_status(&query)
        .await
        .expect("an answer")
        .expect("a page");
    query.page = 3;
    let beyond = server.client().payments_with_status(&query).await;

    assert_eq!(
        (page.total, page.previous, page.next),
        (250, Some(1), Some(3))
    );
    let listed = page.list[0].as_ref().expect("a payment");
    assert_eq!(listed.imp_uid.as_str(), IMP_UID);
    assert!(matches!(beyond, Ok(None)), "{beyond:?}");
    assert_eq!(
        server.calls()[0].uri,
        "/payments/status/ready?page=2&limit=50&sorting=-updated&from=1700000000&to=1700086400"
    );
}

#[tokio::test]
async fn a_payment_that_cannot_be_read_hides_no_other() {
    let server = Server::start(|_| {
        let list = payment(IMP_UID, ORDER, "1");
        ok(&format!(
            r#"{{"total":3,"previous":0,"next":0,"list":[{list},{{"imp_uid":7}},{list}]}}"#
        ))
    })
    .await;

    let page = server
        .client()
        .payments_with_status(&StatusQuery::new(None))
        .await
        .expect("an answer")
        .expect("a page");

    assert!(
        matches!(page.list.as_slice(), [Ok(_), Err(Error::Garbled(_)), Ok(_)]),
        "{page:?}"
    );
}

#[tokio::test]
async fn no_other_400_is_the_end_of_a_list() {
    let proxy = Server::start(|_| (StatusCode::BAD_REQUEST, "<html>").into_response()).await;
    let said = Server::start(|_| refused(400, -1, "잘못된 요청입니다.")).await;
    let mut query = StatusQuery::new(None);

    let first = said.client().payments_with_status(&query).await;
    query.page = 2;
    let not_portone = proxy.client().payments_with_status(&query).await;

    assert_eq!(first.expect_err("a refusal").status(), Some(400));
    assert_eq!(not_portone.expect_err("a refusal").status(), Some(400));
    assert!(
        said.call()
            .uri
            .starts_with("/payments/status/all?page=1&limit=100&")
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_is_not_asked_for() {
    let server = Server::start(|_| refused(400, -1, "x")).await;

    for (page, limit) in [(0, 100), (2, 0), (2, 1001)] {
        let mut query = StatusQuery::new(None);
        (query.page, query.limit) = (page, limit);
        let outcome = server.client().payments_with_status(&query).await;
        assert!(
            matches!(outcome, Err(Error::InvalidConfiguration(_))),
            "{page} {limit}: {outcome:?}"
        );
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_list_over_more_than_90_days_is_not_asked_for() {
    let server = Server::start(|_| refused(400, -1, "x")).await;
    let mut query = StatusQuery::new(None);
    query.to = Timestamp::from_second(1_700_000_000).ok();

    for from in [1_700_000_001, 1_700_000_000 - 90 * 86_400 - 1] {
        query.from = Timestamp::from_second(from).ok();
        let outcome = server.client().payments_with_status(&query).await;
        assert!(
            matches!(outcome, Err(Error::InvalidConfiguration(_))),
            "{outcome:?}"
        );
    }
    assert!(server.seen().is_empty());

    query.from = Timestamp::from_second(1_700_000_000 - 90 * 86_400).ok();
    let outcome = server.client().payments_with_status(&query).await;
    assert_eq!(outcome.expect_err("a refusal").status(), Some(400));
}

#[tokio::test]
async fn only_all_leaves_the_amount_out() {
    let server = Server::start(|_| ok(&payment(IMP_UID, ORDER, "14.2"))).await;
    let client = server.client();
    let whole = Cancel::new(
        CancelTarget::MerchantUid(order()),
        CancelAmount::All,
        decimal("14.20"),
    );

    client.cancel(&cancel_part()).await.expect("a cancellation");
    client.cancel(&whole).await.expect("a cancellation");

    let calls = server.calls();
    assert_eq!(calls[0].line(), "POST /payments/cancel");
    assert_eq!(
        calls[0].body,
        r#"{"imp_uid":"imp_123456789012","amount":4.2,"checksum":14.2}"#
    );
    assert_eq!(calls[1].body, r#"{"merchant_uid":"ORD-1","checksum":14.2}"#);
    assert_eq!(calls[0].header("content-type"), Some("application/json"));
}

#[test]
fn a_part_is_more_than_nothing() {
    for nothing in ["0", "0.00", "-1", "-0"] {
        assert!(PartAmount::new(decimal(nothing)).is_err(), "{nothing}");
    }
    let least = PartAmount::new(decimal("0.01")).expect("more than nothing");
    assert_eq!(least.get(), decimal("0.01"));
}

#[tokio::test]
async fn a_cancellation_says_all_it_was_told_to() {
    let server = Server::start(|_| ok(&payment(IMP_UID, ORDER, "14.2"))).await;
    let mut cancel = cancel_part();
    cancel.reason = Some("PRIVATE-reason".to_owned());
    cancel.tax_free = Some(decimal("1.50"));
    cancel.vat_amount = Some(decimal("0"));
    cancel.checksum = None;
    cancel.refund_account = Some(RefundAccount {
        bank: "BK04".to_owned(),
        account: "PRIVATE-account".to_owned(),
        holder: "PRIVATE-holder".to_owned(),
        tel: Some("PRIVATE-tel".to_owned()),
    });
    cancel.retain_promotion = Some(true);
    cancel.enable_webhook = Some(true);
    cancel.requester = Some(Requester::Customer);
    cancel.escrow_confirmed = Some(false);

    server
        .client()
        .cancel(&cancel)
        .await
        .expect("a cancellation");

    assert_eq!(
        body_of(&server.call()),
        json!({
            "imp_uid": IMP_UID, "amount": 4.2, "reason": "PRIVATE-reason", "tax_free": 1.5, "vat_amount": 0,
            "refund_holder": "PRIVATE-holder", "refund_bank": "BK04", "refund_account": "PRIVATE-account",
            "refund_tel": "PRIVATE-tel", "retain_promotion": true, "enable_webhook": true,
            "extra": {"requester": "customer"}, "escrow_confirmed": false,
        })
    );
    let shown = format!("{cancel:?} {:?}", cancel.refund_account);
    assert!(!shown.contains("PRIVATE"), "{shown}");
    assert!(
        shown.contains("imp_123456789012") && shown.contains("BK04"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_cancellation_that_portone_refused_is_settled() {
    let server = Server::start(|_| refused(200, 1, "이미 전액취소된 주문입니다.")).await;

    let error = server
        .client()
        .cancel(&cancel_part())
        .await
        .expect_err("a refusal");

    assert!(matches!(error, Error::Rejected(_)), "{error:?}");
    assert!(!error.is_fate_unknown() && !error.is_retryable());
}

#[tokio::test]
async fn a_cancellation_without_an_answer_has_an_unknown_fate() {
    let answers: [fn() -> axum::response::Response; 6] = [
        || unfinished(r#"{"code":0,"#, true),
        || (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        || refused(500, -1, "점검 중"),
        || ok("null"),
        || ok(&payment("imp_2", ORDER, "14.2")),
        || respond(200, "<html>"),
    ];
    for answer in answers {
        let server = Server::start(move |_| answer()).await;

        let error = server
            .client()
            .cancel(&cancel_part())
            .await
            .expect_err("no answer");

        assert!(error.is_fate_unknown(), "{error:?}");
        assert!(!error.is_retryable(), "{error:?}");
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_cancellation_that_takes_too_long_has_an_unknown_fate_once_it_was_sent() {
    let slow = Server::start(|_| unfinished("{", false)).await;
    let hurried = slow
        .builder()
        .timeout(Duration::from_millis(300))
        .build()
        .expect("a client");
    let sent = hurried.cancel(&cancel_part()).await.expect_err("no answer");

    let no_token = Server::start_behind_a_closed_door().await;
    let hurried = no_token
        .builder()
        .timeout(Duration::from_millis(300))
        .build()
        .expect("a client");
    let not_sent = hurried.cancel(&cancel_part()).await.expect_err("no token");

    assert!(sent.is_fate_unknown() && sent.is_timeout(), "{sent:?}");
    assert!(matches!(not_sent, Error::Timeout), "{not_sent:?}");
    assert!(no_token.calls().is_empty());
}

#[tokio::test]
async fn a_refused_token_does_not_make_a_cancellation_uncertain() {
    let server = Server::start(|seen| match seen.authorization() {
        Some("Bearer token-1") => refused(401, -1, "Unauthorized"),
        _ => ok(&payment(IMP_UID, ORDER, "14.2")),
    })
    .await;
    let never = Server::start(|_| refused(401, -1, "Unauthorized")).await;

    let second_try = server.client().cancel(&cancel_part()).await;
    let refused = never.client().cancel(&cancel_part()).await;

    assert!(second_try.is_ok(), "{second_try:?}");
    assert_eq!(server.calls().len(), 2);
    assert!(refused.is_err_and(|error| error.is_unauthorized()));
}

#[tokio::test]
async fn a_cancellation_that_got_no_second_token_was_not_made() {
    let tokens = AtomicUsize::new(0);
    let server = Server::start_bare(OPEN, move |seen| match seen.uri.as_str() {
        "/users/getToken" if tokens.fetch_add(1, Ordering::SeqCst) == 0 => {
            ok(r#"{"access_token":"token-1","now":1700000000,"expired_at":1700001800}"#)
        }
        "/users/getToken" => refused(503, -1, "점검 중"),
        _ => refused(401, -1, "Unauthorized"),
    })
    .await;

    let outcome = server.client().cancel(&cancel_part()).await;

    assert!(
        matches!(outcome, Err(Error::Http { status: 503, .. })),
        "{outcome:?}"
    );
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_virtual_account_is_issued_changed_and_closed() {
    let server = Server::start(|_| ok(&payment(IMP_UID, ORDER, "1004"))).await;
    let client = server.client();
    let mut vbank = vbank();
    vbank.vbank_holder = Some("가게".to_owned());
    vbank.notice_url = vec!["https://shop.example/n".to_owned()];
    vbank.pg_api_key = Some("PRIVATE key".into());
    let change = VbankChange {
        amount: Some(decimal("2000")),
        vbank_due: Timestamp::from_second(1_700_000_600).ok(),
    };

    client.issue_vbank(&vbank).await.expect("an account");
    client
        .change_vbank(&imp_uid(), &change)
        .await
        .expect("a change");
    client
        .close_vbank(&imp_uid(), None)
        .await
        .expect("an account that was closed");

    let calls = server.calls();
    let lines: Vec<_> = calls.iter().map(Seen::line).collect();
    assert_eq!(
        lines,
        [
            "POST /vbanks?pg_api_key=PRIVATE+key",
            "PUT /vbanks/imp_123456789012",
            "DELETE /vbanks/imp_123456789012",
        ]
    );
    assert_eq!(
        body_of(&calls[0]),
        json!({
            "channel_key": "channel-key-1", "merchant_uid": ORDER, "amount": 1004, "vbank_code": "04",
            "vbank_due": 1_700_000_300, "vbank_holder": "가게", "notice_url": ["https://shop.example/n"],
        })
    );
    assert_eq!(
        body_of(&calls[1]),
        json!({"amount": 2000, "vbank_due": 1_700_000_600})
    );
    assert_eq!(calls[2].body, "");
    assert!(!format!("{vbank:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn issuing_an_account_must_not_be_repeated_blindly_and_closing_one_may() {
    let server = Server::start(|_| (StatusCode::BAD_GATEWAY, "<html>").into_response()).await;
    let client = server.client();

    let issued = client.issue_vbank(&vbank()).await.expect_err("no answer");
    let change = VbankChange::default();
    let changed = client.change_vbank(&imp_uid(), &change).await;
    let key = "k".into();
    let closed = client.close_vbank(&imp_uid(), Some(&key)).await;

    assert!(issued.is_fate_unknown() && !issued.is_retryable());
    assert!(changed.is_err_and(|error| error.is_retryable()));
    assert!(closed.is_err_and(|error| error.is_retryable()));
    assert_eq!(
        server.calls()[2].line(),
        "DELETE /vbanks/imp_123456789012?pg_api_key=k"
    );
}

#[tokio::test]
async fn an_account_for_another_order_is_no_answer() {
    let server = Server::start(|_| ok(&payment(IMP_UID, "ord-1", "1004"))).await;

    let outcome = server.client().issue_vbank(&vbank()).await;

    assert!(outcome.is_err_and(|error| error.is_fate_unknown()));
}

#[tokio::test]
async fn an_answer_about_another_payment_is_none() {
    let server = Server::start(|_| ok(&payment("imp_2", "ord-1", "14.2"))).await;
    let client = server.client();
    let cancel = Cancel {
        target: CancelTarget::MerchantUid(order()),
        ..cancel_part()
    };

    let cancelled = client.cancel(&cancel).await;
    let changed = client
        .change_vbank(&imp_uid(), &VbankChange::default())
        .await;
    let closed = client.close_vbank(&imp_uid(), None).await;

    assert!(cancelled.is_err_and(|error| error.is_fate_unknown()));
    for outcome in [changed, closed] {
        assert!(matches!(outcome, Err(Error::Garbled(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_balance_is_read_part_by_part() {
    let parts = |n: u32| {
        let part = |k: u32| format!(r#"{{"tax_free":{k},"supply":{k}.5,"vat":0,"service":0}}"#);
        format!(
            r#""cash_receipt":{},"primary":{},"secondary":{},"discount":{}"#,
            part(n),
            part(n + 1),
            part(n + 2),
            part(n + 3)
        )
    };
    let balance = format!(
        r#"{{"amount":100,{},"histories":[{{{},"created":1700000000}}]}}"#,
        parts(1),
        parts(5)
    );
    let server = Server::start(move |_| ok(&balance)).await;

    let balance = server
        .client()
        .balance(&imp_uid())
        .await
        .expect("a balance");

    assert_eq!(balance.amount, decimal("100"));
    let tax_free = [
        balance.parts.cash_receipt,
        balance.parts.primary,
        balance.parts.secondary,
        balance.parts.discount,
    ]
    .map(|part| part.tax_free);
    assert_eq!(tax_free, [1, 2, 3, 4].map(Decimal::from));
    assert_eq!(balance.parts.primary.supply, decimal("2.5"));
    let history = &balance.histories[0];
    assert_eq!(history.parts.discount.tax_free, decimal("8"));
    assert_eq!(
        history.created.map(Timestamp::as_second),
        Some(1_700_000_000)
    );
    assert_eq!(
        server.call().line(),
        "GET /payments/imp_123456789012/balance"
    );

    let half = Server::start(|_| ok(r#"{"amount":100}"#)).await;
    let outcome = half.client().balance(&imp_uid()).await;
    assert!(matches!(outcome, Err(Error::Garbled(_))), "{outcome:?}");
}

#[tokio::test]
async fn codes_and_settings_are_lists() {
    let server = Server::start(|seen| match seen.uri.as_str() {
        "/users/pg" => ok(
            r#"[{"pg_provider":"html5_inicis","pg_id":"INIpayTest","sandbox":true,"type":"payment",
                 "channel_name":"card","channel_key":"channel-key-1"},
                {"pg_provider":"kcp","pg_id":"A52Q7","type":"certification"}]"#,
        ),
        "/banks" => ok(r#"[{"code":"004","name":"KB국민은행"}]"#),
        _ => ok(r#"[{"code":"366","name":"신한카드"}]"#),
    })
    .await;
    let client = server.client();

    let settings = client.pg_settings().await.expect("the settings");
    let banks = client.banks().await.expect("the banks");
    let cards = client.cards().await.expect("the cards");

    assert_eq!(settings[0].pg_provider, "html5_inicis");
    assert_eq!(settings[0].setting_type, "payment");
    assert_eq!(settings[0].channel_key.as_deref(), Some("channel-key-1"));
    assert_eq!(settings[0].channel_name.as_deref(), Some("card"));
    assert_eq!(
        (settings[0].sandbox, settings[1].sandbox),
        (Some(true), None)
    );
    assert_eq!(settings[1].pg_id, "A52Q7");
    assert_eq!(
        (banks[0].code.as_str(), banks[0].name.as_str()),
        ("004", "KB국민은행")
    );
    assert_eq!(cards[0].code, "366");
    let lines: Vec<_> = server.calls().iter().map(Seen::line).collect();
    assert_eq!(lines, ["GET /users/pg", "GET /banks", "GET /cards"]);
}
