//! The client of V1 against a real HTTP server on a free port of this machine.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use portone::{
    Code, Error,
    v1::{Client, ClientBuilder, ImpUid, MerchantUid, Status},
};
use rust_decimal::Decimal;
use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};

use crate::server::{self, OPEN, Seen, json, unfinished};

const KEY: &str = "key-of-the-merchant";
const SECRET: &str = "secret-of-the-merchant";
pub const IMP_UID: &str = "imp_123456789012";
pub const ORDER: &str = "ORD-1";
/// A stand-in for PortOne V1.
pub struct Server(server::Server);

impl Server {
    /// Answers getToken with a token that lives for 30 minutes, and everything else with `answer`.
    pub async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let issued = AtomicUsize::new(0);
        Self::start_bare(OPEN, move |seen| match seen.uri.as_str() {
            "/users/getToken" => token(issued.fetch_add(1, Ordering::SeqCst) + 1, 1800),
            _ => answer(seen),
        })
        .await
    }

    /// Never answers getToken.
    pub async fn start_behind_a_closed_door() -> Self {
        Self::start_bare(0, |_| token(1, 1800)).await
    }

    /// Answers everything with `answer`, and at most as many calls of getToken as there are `doors`.
    pub async fn start_bare(
        doors: usize,
        answer: impl Fn(&Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self(server::Server::start("/users/getToken", doors, answer).await)
    }

    pub fn builder(&self) -> ClientBuilder {
        builder(&self.url)
    }

    pub fn client(&self) -> Client {
        self.builder().build().expect("the client is configured")
    }
}

impl Deref for Server {
    type Target = server::Server;

    fn deref(&self) -> &server::Server {
        &self.0
    }
}

fn builder(url: &str) -> ClientBuilder {
    Client::builder(url.parse().expect("an address"), KEY.into(), SECRET.into())
}

pub fn imp_uid() -> ImpUid {
    ImpUid::parse(IMP_UID).expect("an imp_uid")
}

pub fn order() -> MerchantUid {
    MerchantUid::parse(ORDER).expect("a merchant_uid")
}

pub fn ok(response: &str) -> Response {
    json(
        200,
        format!(r#"{{"code":0,"message":null,"response":{response}}}"#),
    )
}

pub fn refused(status: u16, code: i64, message: &str) -> Response {
    json(
        status,
        format!(r#"{{"code":{code},"message":"{message}","response":null}}"#),
    )
}

fn token(number: usize, lifetime: i64) -> Response {
    let now = 1_000_000; // Long ago on anybody's clock: only the difference may count.
    ok(&format!(
        r#"{{"access_token":"token-{number}","now":{now},"expired_at":{}}}"#,
        now + lifetime
    ))
}

pub fn payment(imp_uid: &str, merchant_uid: &str, amount: &str) -> String {
    format!(
        r#"{{"imp_uid":"{imp_uid}","merchant_uid":"{merchant_uid}","status":"paid","amount":{amount},
            "cancel_amount":0,"currency":"KRW","sandbox":true,"paid_at":1700000060}}"#
    )
}

fn the_payment() -> Response {
    ok(&payment(IMP_UID, ORDER, "1004"))
}

/// What the client makes of `answer` to a payment's query, and how often it asked.
async fn outcome_of(answer: impl Fn() -> Response + Send + Sync + 'static) -> Error {
    let server = Server::start(move |_| answer()).await;

    let outcome = server.client().payment(&imp_uid()).await;

    assert_eq!(server.calls().len(), 1, "nothing but a 401 is asked again");
    outcome.expect_err("this is no answer")
}

#[tokio::test]
async fn a_payment_is_fetched_with_a_bearer_token() {
    let server = Server::start(|_| the_payment()).await;

    let payment = server
        .client()
        .payment(&imp_uid())
        .await
        .expect("a payment");

    assert_eq!(
        (payment.imp_uid.as_str(), payment.merchant_uid.as_str()),
        (IMP_UID, ORDER)
    );
    assert_eq!(
        (payment.status, payment.amount),
        (Status::Paid, Decimal::from(1004))
    );
    assert_eq!(
        (payment.currency.as_deref(), payment.sandbox),
        (Some("KRW"), Some(true))
    );
    let seen = server.seen();
    let [login, call] = seen.as_slice() else {
        unreachable!("two requests, not {seen:?}")
    };
    assert_eq!(
        (login.method.as_str(), login.uri.as_str()),
        ("POST", "/users/getToken")
    );
    assert_eq!(
        login.body,
        format!(r#"{{"imp_key":"{KEY}","imp_secret":"{SECRET}"}}"#)
    );
    assert_eq!(login.authorization(), None);
    assert_eq!(
        (call.method.as_str(), call.uri.as_str()),
        ("GET", "/payments/imp_123456789012?include_sandbox=true")
    );
    assert_eq!(call.authorization(), Some("Bearer token-1"));
    assert_eq!(
        call.header("user-agent"),
        Some(concat!("portone-rust/", env!("CARGO_PKG_VERSION")))
    );
}

#[tokio::test]
async fn an_address_with_a_path_is_a_prefix() {
    for suffix in ["/v1", "/v1/"] {
        let server = Server::start_bare(OPEN, |seen| match seen.uri.as_str() {
            "/v1/users/getToken" => token(1, 1800),
            _ => the_payment(),
        })
        .await;
        let client = builder(&format!("{}{suffix}", server.url))
            .build()
            .expect("the client is configured");

        client.payment(&imp_uid()).await.expect("a payment");

        assert_eq!(
            server.calls()[1].uri,
            "/v1/payments/imp_123456789012?include_sandbox=true"
        );
    }
}

#[tokio::test]
async fn fifty_concurrent_calls_share_one_token() {
    let issued = AtomicUsize::new(0);
    let server = Server::start_bare(0, move |seen| match seen.uri.as_str() {
        "/users/getToken" => token(issued.fetch_add(1, Ordering::SeqCst) + 1, 1800),
        _ => the_payment(),
    })
    .await;

    let outcomes = fifty_payments(&server).await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((server.tokens_asked(), server.calls().len()), (1, 50));
}

#[tokio::test]
async fn fifty_concurrent_calls_share_one_failure() {
    let server = Server::start_bare(0, |_| refused(401, -1, "인증에 실패하였습니다.")).await;

    let outcomes = fifty_payments(&server).await;

    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Err(Error::Unauthorized)))
    );
    assert_eq!((server.tokens_asked(), server.calls().len()), (1, 0));
}

/// Starts fifty calls, and answers the request for a token only when all of them have begun.
async fn fifty_payments(server: &Server) -> Vec<Result<portone::v1::Payment, Error>> {
    let client = server.client();
    let ready = Arc::new(Barrier::new(51));
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (client, ready) = (client.clone(), Arc::clone(&ready));
        calls.spawn(async move {
            ready.wait().await;
            client.payment(&imp_uid()).await
        });
    }
    ready.wait().await;
    server.token_asked().await;
    server.open_door();
    calls.join_all().await
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_cost_the_others_their_token() {
    let server = Server::start_bare(0, |seen| match seen.uri.as_str() {
        "/users/getToken" => token(1, 1800),
        _ => the_payment(),
    })
    .await;
    let client = server.client();
    let impatient = tokio::spawn({
        let client = client.clone();
        async move { client.payment(&imp_uid()).await }
    });
    server.token_asked().await;

    impatient.abort();
    assert!(impatient.await.is_err_and(|error| error.is_cancelled()));
    server.open_door();
    let payment = client.payment(&imp_uid()).await;

    assert!(payment.is_ok());
    assert_eq!(server.tokens_asked(), 1);
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end() {
    for (lifetime, tokens_asked) in [(1800, 1), (90, 1), (30, 3), (5, 3), (0, 3), (-5, 3)] {
        let issued = AtomicUsize::new(0);
        let server = Server::start_bare(OPEN, move |seen| match seen.uri.as_str() {
            "/users/getToken" => token(issued.fetch_add(1, Ordering::SeqCst) + 1, lifetime),
            _ => the_payment(),
        })
        .await;
        let client = server.client();

        for _ in 0..3 {
            client.payment(&imp_uid()).await.expect("a payment");
        }

        assert_eq!(server.tokens_asked(), tokens_asked, "{lifetime} s");
        let last = format!("Bearer token-{tokens_asked}");
        assert_eq!(
            server.calls()[2].authorization(),
            Some(last.as_str()),
            "{lifetime} s"
        );
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = Server::start(|seen| match seen.authorization() {
        Some("Bearer token-1") => refused(401, -1, "Unauthorized"),
        _ => the_payment(),
    })
    .await;
    let client = server.client();

    client
        .payment(&imp_uid())
        .await
        .expect("a payment at the second try");
    client
        .payment(&imp_uid())
        .await
        .expect("a payment with the token that is held");

    assert_eq!((server.tokens_asked(), server.calls().len()), (2, 3));
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let server = Server::start(|_| refused(401, -1, "Unauthorized")).await;

    let error = server
        .client()
        .payment(&imp_uid())
        .await
        .expect_err("no token is good enough");

    assert!(error.is_unauthorized() && !error.is_retryable());
    assert_eq!(error.status(), Some(401));
    assert_eq!((server.tokens_asked(), server.calls().len()), (2, 2));
}

#[tokio::test]
async fn wrong_credentials_are_not_tried_twice() {
    let server = Server::start_bare(OPEN, |_| refused(401, -1, "인증에 실패하였습니다.")).await;

    let error = server
        .client()
        .payment(&imp_uid())
        .await
        .expect_err("there is no token");

    assert!(error.is_unauthorized());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_the_calls_error() {
    let server = Server::start_bare(OPEN, |_| {
        refused(400, -1, "imp_key, imp_secret 파라메터가 누락되었습니다.")
    })
    .await;

    let error = server
        .client()
        .payment(&imp_uid())
        .await
        .expect_err("there is no token");

    assert!(matches!(
        error,
        Error::Http {
            status: 400,
            code: Some(Code::V1(-1)),
            ..
        }
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn not_found_is_only_what_portone_did_not_find() {
    let said = outcome_of(|| refused(404, -1, "존재하지 않는 결제정보입니다.")).await;
    assert!(said.is_not_found() && said.status() == Some(404) && !said.is_retryable());

    let proxy =
        outcome_of(|| (StatusCode::NOT_FOUND, "<html>not here</html>").into_response()).await;
    assert!(!proxy.is_not_found() && proxy.status() == Some(404));
}

#[tokio::test]
async fn a_refusal_with_status_200_is_a_rejection() {
    let error = outcome_of(|| refused(200, 1, "잘못된 요청입니다.")).await;

    assert!(matches!(&error, Error::Rejected(rejection)
            if rejection.code == Code::V1(1) && rejection.message == "잘못된 요청입니다."));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn portone_is_left_alone_for_as_long_as_it_asks() {
    for (retry_after, calls) in [(Some("3600"), 1), (Some("0"), 2), (None, 2)] {
        let server = Server::start(move |_| {
            let mut answer = StatusCode::TOO_MANY_REQUESTS.into_response();
            if let Some(seconds) = retry_after {
                let seconds = header::HeaderValue::from_static(seconds);
                answer.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
            answer
        })
        .await;
        let client = server.client();

        for _ in 0..2 {
            let error = client.payment(&imp_uid()).await.expect_err("no payment");
            assert!(error.status() == Some(429) && error.is_retryable());
        }

        assert_eq!(server.calls().len(), calls, "{retry_after:?}");
    }
}

#[tokio::test]
async fn server_errors_keep_their_status() {
    let bare = outcome_of(|| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    assert!(matches!(
        bare,
        Error::Http {
            status: 500,
            code: None,
            ..
        }
    ));
    assert!(bare.is_retryable() && bare.status() == Some(500));

    let wrapped = outcome_of(|| refused(503, -9, "점검 중")).await;
    assert!(
        matches!(&wrapped, Error::Http { status: 503, code: Some(Code::V1(-9)), message } if message == "점검 중")
    );

    let long = outcome_of(|| refused(400, -1, &"가".repeat(5000))).await;
    assert!(matches!(&long, Error::Http { message, .. } if message.chars().count() == 300));

    let huge =
        outcome_of(|| (StatusCode::BAD_GATEWAY, "x".repeat(2 * 1024 * 1024)).into_response()).await;
    assert!(matches!(
        huge,
        Error::Http {
            status: 502,
            code: None,
            ..
        }
    ));
}

#[tokio::test]
async fn what_is_not_portones_answer_is_garbled() {
    let whole = format!(
        r#"{{"code":0,"message":null,"response":{}}}"#,
        payment(IMP_UID, ORDER, "1004")
    );
    let truncated = whole[..whole.len() - 1].to_owned();
    let twice = format!("{whole}{whole}");
    for body in [
        "<html>점검 중입니다</html>".to_owned(),
        String::new(),
        truncated,
        twice,
        payment(IMP_UID, ORDER, "1004"),
        r#"{"code":0,"message":null,"response":null}"#.to_owned(),
        r#"{"code":0,"message":null,"response":[]}"#.to_owned(),
        r#"{"code":0,"message":null,"response":"Hong Gildong"}"#.to_owned(),
        r#"{"code":0,"message":null,"response":{}}"#.to_owned(),
        format!(
            r#"{{"code":0,"response":{}}}"#,
            payment(IMP_UID, ORDER, r#""1004""#)
        ),
        format!(
            r#"{{"code":0,"response":{}}}"#,
            payment(IMP_UID, ORDER, r#"1004,"amount":1"#)
        ),
        format!(
            r#"{{"code":0,"response":{}}}"#,
            payment("imp_999999999999", ORDER, "1004")
        ),
    ] {
        let sent = body.clone();
        let error = outcome_of(move || json(200, sent.clone())).await;

        assert!(matches!(error, Error::Garbled(_)), "{body}: {error}");
        assert!(!format!("{error} {error:?}").contains("Hong"));
    }

    let not_utf8 = outcome_of(|| {
        (
            StatusCode::OK,
            b"{\"code\":0,\"response\":\"\xb0\xa1\"}".to_vec(),
        )
            .into_response()
    })
    .await;
    assert!(matches!(not_utf8, Error::Garbled(_)));
}

#[tokio::test]
async fn bodies_are_limited_with_and_without_a_length() {
    let long: &'static str = Box::leak("x".repeat(2 * 1024 * 1024).into_boxed_str());

    let declared = outcome_of(move || json(200, long)).await;
    let streamed = outcome_of(move || unfinished(long, false)).await;

    assert!(matches!(declared, Error::BodyTooLarge), "{declared}");
    assert!(matches!(streamed, Error::BodyTooLarge), "{streamed}");
}

#[tokio::test]
async fn the_timeout_covers_the_body() {
    let server = Server::start(|_| unfinished(r#"{"code":0,"#, false)).await;
    let client = server
        .builder()
        .timeout(Duration::from_secs(1))
        .build()
        .expect("the client is configured");

    let error = client
        .payment(&imp_uid())
        .await
        .expect_err("the body never ends");

    assert!(error.is_timeout() && error.is_retryable() && !error.is_connect());
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn the_timeout_covers_the_token() {
    let server = Server::start_bare(0, |_| token(1, 1800)).await;
    let client = server
        .builder()
        .timeout(Duration::from_secs(1))
        .build()
        .expect("the client is configured");

    let error = client
        .payment(&imp_uid())
        .await
        .expect_err("the token never comes");

    assert!(error.is_timeout());
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn a_broken_connection_is_told_apart_from_none() {
    let broken = outcome_of(|| unfinished(r#"{"code":0,"#, true)).await;
    assert!(matches!(broken, Error::Interrupted(_)) && broken.is_retryable());

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = builder(&url).build().expect("the client is configured");
    let refused = client
        .payment(&imp_uid())
        .await
        .expect_err("nobody listens");
    assert!(refused.is_connect() && refused.is_retryable() && !refused.is_timeout());
    for error in [broken, refused] {
        let shown = format!("{error:?}");
        assert!(!shown.contains(IMP_UID), "{shown}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let error =
        outcome_of(|| (StatusCode::FOUND, [(header::LOCATION, "/payments/imp_2")]).into_response())
            .await;

    assert!(matches!(error, Error::Http { status: 302, .. }) && !error.is_retryable());
}

#[tokio::test]
async fn a_korean_merchant_uid_is_exactly_one_segment() {
    let server = Server::start(|_| refused(404, -1, "없음")).await;
    let client = server.client();

    for merchant_uid in ["주문-1", "a b+c&d=e;f", "..a", "\"<>`{}|^"] {
        let merchant_uid = MerchantUid::parse(merchant_uid).expect("a merchant_uid");
        client.payments_of(&merchant_uid).await.expect("none");
        client.prepared(&merchant_uid).await.expect("none");
    }

    let uris: Vec<String> = server.calls().into_iter().map(|call| call.uri).collect();
    let query = "?limit=100&page=1&sorting=started";
    assert_eq!(
        uris[0],
        format!("/payments/findAll/%EC%A3%BC%EB%AC%B8-1{query}")
    );
    assert_eq!(uris[1], "/payments/prepare/%EC%A3%BC%EB%AC%B8-1");
    assert_eq!(
        uris[2],
        format!("/payments/findAll/a%20b%2Bc%26d%3De%3Bf{query}")
    );
    assert_eq!(uris[4], format!("/payments/findAll/..a{query}"));
    assert_eq!(
        uris[6],
        format!("/payments/findAll/%22%3C%3E%60%7B%7D%7C%5E{query}")
    );
    for uri in uris {
        let path = uri.split('?').next().unwrap_or_default();
        assert_eq!(path.split('/').count(), 4, "{path}");
    }
}

#[tokio::test]
async fn all_pages_of_attempts_are_read() {
    let server = Server::start(|seen| {
        let attempts = |ids: &[&str]| {
            ids.iter()
                .map(|id| payment(id, ORDER, "1004"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let (list, next) = match seen.uri.as_str() {
            uri if uri.contains("&page=1&") => (attempts(&["imp_1", "imp_2"]), 2),
            uri if uri.contains("&page=2&") => (attempts(&["imp_2", "imp_3"]), 3),
            _ => (
                format!(
                    "{},{}",
                    attempts(&["imp_4"]),
                    payment("imp_5", "ord-1", "1004")
                ),
                0,
            ),
        };
        ok(&format!(
            r#"{{"total":5,"previous":0,"next":{next},"list":[{list}]}}"#
        ))
    })
    .await;

    let payments = server
        .client()
        .payments_of(&order())
        .await
        .expect("attempts");

    let ids: Vec<&str> = payments
        .iter()
        .map(|payment| payment.imp_uid.as_str())
        .collect();
    assert_eq!(
        ids,
        ["imp_1", "imp_2", "imp_3", "imp_4"],
        "each once, and none of another merchant_uid"
    );
    assert_eq!((server.calls().len(), server.tokens_asked()), (3, 1));
}

#[tokio::test]
async fn no_attempts_are_an_empty_list() {
    let unknown = Server::start(|_| refused(404, -1, "없음")).await;
    let empty = Server::start(|_| ok(r#"{"total":0,"previous":0,"next":0,"list":[]}"#)).await;

    for server in [unknown, empty] {
        assert!(
            server
                .client()
                .payments_of(&order())
                .await
                .expect("none")
                .is_empty()
        );
        assert_eq!(server.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_part_of_the_attempts_is_never_taken_for_all() {
    let page = |next: &str, imp_uid: &str, amount: &str| {
        ok(&format!(
            r#"{{"total":9,"previous":0,"next":{next},"list":[{}]}}"#,
            payment(imp_uid, ORDER, amount)
        ))
    };
    let second_page_is_missing = Server::start(move |seen| {
        if seen.uri.contains("&page=1&") {
            page("2", "imp_1", "1")
        } else {
            refused(404, -1, "없음")
        }
    })
    .await;
    let circle = Server::start(move |_| page("1", "imp_1", "1")).await;
    let nonsense = Server::start(move |_| page(r#""soon""#, "imp_1", "1")).await;
    let one_is_unreadable = Server::start(move |_| page("0", "imp_1", "null")).await;
    let ends_before_its_total = Server::start(move |_| page("0", "imp_1", "1")).await;
    let less_than_nothing =
        Server::start(|_| ok(r#"{"total":-1,"previous":0,"next":0,"list":[]}"#)).await;
    let does_not_say_its_total =
        Server::start(|_| ok(r#"{"previous":0,"next":0,"list":[]}"#)).await;
    for server in [
        second_page_is_missing,
        circle,
        nonsense,
        one_is_unreadable,
        ends_before_its_total,
        less_than_nothing,
        does_not_say_its_total,
    ] {
        let error = server
            .client()
            .payments_of(&order())
            .await
            .expect_err("this is not all");
        assert!(matches!(error, Error::Garbled(_)), "{error}");
    }

    let pages = AtomicUsize::new(1);
    let endless = Server::start(move |_| {
        let next = pages.fetch_add(1, Ordering::SeqCst) + 1;
        page(&next.to_string(), &format!("imp_{next}"), "1")
    })
    .await;
    let error = endless
        .client()
        .payments_of(&order())
        .await
        .expect_err("there is no end");
    assert!(matches!(error, Error::TooManyPages) && !error.is_retryable());
    assert_eq!(endless.calls().len(), 10);
}

#[tokio::test]
async fn amounts_are_registered_digit_by_digit() {
    let server = Server::start(|seen| ok(&seen.body)).await;
    let client = server.client();
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");

    let dollars = client
        .prepare(&order(), decimal("14.20"), Some("USD"))
        .await
        .expect("registered");
    let won = client
        .update_prepared(&order(), decimal("9007199254740993.0"), None)
        .await
        .expect("changed");

    assert_eq!(
        (dollars.amount, dollars.currency.as_deref()),
        (decimal("14.2"), Some("USD"))
    );
    assert_eq!(
        (won.amount, won.currency),
        (decimal("9007199254740993"), None)
    );
    let calls: Vec<_> = server
        .calls()
        .into_iter()
        .map(|call| (call.method, call.uri, call.body))
        .collect();
    assert_eq!(
        calls,
        [
            (
                "POST".to_owned(),
                "/payments/prepare".to_owned(),
                r#"{"merchant_uid":"ORD-1","amount":14.2,"currency":"USD"}"#.to_owned()
            ),
            (
                "PUT".to_owned(),
                "/payments/prepare".to_owned(),
                r#"{"merchant_uid":"ORD-1","amount":9007199254740993}"#.to_owned()
            ),
        ]
    );
}

#[tokio::test]
async fn a_registration_that_is_refused_says_so() {
    let twice = Server::start(|_| refused(200, 1, "이미 등록된 주문번호입니다.")).await;
    let absent = Server::start(|_| refused(404, -1, "없음")).await;
    let other =
        Server::start(|_| ok(r#"{"merchant_uid":"ord-1","amount":1,"currency":null}"#)).await;

    let rejected = twice.client().prepare(&order(), Decimal::ONE, None).await;
    let not_found = absent
        .client()
        .update_prepared(&order(), Decimal::ONE, None)
        .await;
    let garbled = other.client().prepare(&order(), Decimal::ONE, None).await;

    assert!(matches!(rejected, Err(Error::Rejected(rejection)) if rejection.code == Code::V1(1)));
    assert!(matches!(not_found, Err(Error::NotFound)));
    assert!(matches!(garbled, Err(Error::Garbled(_))));
}

#[tokio::test]
async fn what_is_registered_can_be_read() {
    let server =
        Server::start(|_| ok(r#"{"merchant_uid":"ORD-1","amount":1004.0,"currency":null}"#)).await;

    let prepared = server
        .client()
        .prepared(&order())
        .await
        .expect("an answer")
        .expect("a registration");

    assert_eq!(
        (prepared.merchant_uid.as_str(), prepared.amount),
        (ORDER, Decimal::from(1004))
    );
    assert_eq!(prepared.currency, None);
    assert_eq!(server.calls()[0].uri, "/payments/prepare/ORD-1");
}

#[tokio::test]
async fn what_is_not_registered_is_none_but_a_failure_is_a_failure() {
    for absent in [
        || refused(404, -1, "없음"),
        || refused(200, -1, "없음"),
        || ok("null"),
    ] {
        let server = Server::start(move |_| absent()).await;
        assert!(matches!(server.client().prepared(&order()).await, Ok(None)));
    }
    for failure in [
        || refused(500, -1, "오류"),
        || refused(401, -1, "Unauthorized"),
        || json(200, "<html>"),
    ] {
        let server = Server::start(move |_| failure()).await;
        assert!(server.client().prepared(&order()).await.is_err());
    }
}

#[tokio::test]
async fn nothing_secret_is_ever_shown() {
    let server = Server::start(|_| refused(401, -1, "Unauthorized")).await;
    let builder = server.builder();
    let mut shown = format!("{builder:?}");
    let client = builder.build().expect("the client is configured");

    let error = client.payment(&imp_uid()).await.expect_err("a refusal");
    shown += &format!("{client:?} {error} {error:?}");
    let with_password = self::builder("http://user:hunter2@127.0.0.1:1/");
    shown += &format!("{with_password:?}");
    shown += &format!("{:?}", with_password.build());

    for secret in [KEY, SECRET, "token-", "hunter2"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn what_cannot_work_is_not_built() {
    let url = "http://127.0.0.1:1";
    let with = |url: &str, key: &str, secret: &str| {
        Client::builder(url.parse().expect("an address"), key.into(), secret.into()).build()
    };
    for refused in [
        with("ftp://127.0.0.1/", KEY, SECRET),
        with("data:text/plain,x", KEY, SECRET),
        with("https://user@127.0.0.1/", KEY, SECRET),
        with("https://127.0.0.1/?a=1", KEY, SECRET),
        with("https://127.0.0.1/#a", KEY, SECRET),
        with(url, "", SECRET),
        with(url, KEY, ""),
        builder(url).timeout(Duration::ZERO).build(),
        builder(url).connect_timeout(Duration::ZERO).build(),
    ] {
        assert!(
            matches!(refused, Err(Error::InvalidConfiguration(_))),
            "{refused:?}"
        );
    }
    assert!(with("https://api.iamport.kr", KEY, SECRET).is_ok());
}
