//! The headers of every answer of every address: exactly these, whatever the answer is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::json;
use wanryo::domain::access::Role;
use wanryo::service::access;

use crate::app::{Answer, TestApp};
use crate::by_hand::Hasty;
use crate::roles::sign_in;
use crate::support::with_sqlite;

/// What an address may load, when it answers with a page of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A page of ours, for anybody or for staff.
    Page,
    /// The page that opens PortOne's window.
    Pay,
    /// A page of the API's description.
    Docs,
    /// No page: JSON, text, nothing, a file.
    Bare,
}

/// Every route of `src/web/router.rs`, and of the files that it merges, as it is written there, with an address that it answers.
/// A route that is missing here fails the test.
const ROUTES: [(&str, &str, Class); 73] = [
    (
        "COMPLETE_PATH",
        "/payments/complete?merchant_uid=ORD-1",
        Class::Page,
    ),
    ("/payments/complete/", "/payments/complete/", Class::Page),
    ("WEBHOOK_PATH", "/payments/webhook", Class::Bare),
    ("CONFIRM_PATH", "/payments/confirm", Class::Bare),
    ("/payments/webhook/", "/payments/webhook/", Class::Bare),
    ("/payments/confirm/", "/payments/confirm/", Class::Bare),
    ("/o/{token}", "/o/nobody", Class::Page),
    (
        "/payments/complete/events",
        "/payments/complete/events?merchant_uid=NOPE",
        Class::Bare,
    ),
    ("/o/{token}/events", "/o/nobody/events", Class::Bare),
    (
        "/payments/complete/deadline.ics",
        "/payments/complete/deadline.ics?merchant_uid=ORD-1",
        Class::Bare,
    ),
    (
        "/o/{token}/deadline.ics",
        "/o/nobody/deadline.ics",
        Class::Bare,
    ),
    ("LOGO_PATH", "/shop-logo", Class::Bare),
    ("/pay/{payment_id}", "/pay/ORD-1", Class::Pay),
    ("/overview", "/overview", Class::Page),
    ("/orders", "/orders", Class::Page),
    ("/orders.csv", "/orders.csv", Class::Bare),
    ("/orders/{payment_id}", "/orders/ORD-1", Class::Page),
    (
        "/orders/{payment_id}/sync",
        "/orders/ORD-1/sync",
        Class::Bare,
    ),
    (
        "/orders/{payment_id}/note",
        "/orders/ORD-1/note",
        Class::Bare,
    ),
    (
        "/orders/{payment_id}/close",
        "/orders/ORD-9/close",
        Class::Bare,
    ),
    (
        "/orders/{payment_id}/refund",
        "/orders/ORD-1/refund",
        Class::Page,
    ),
    ("/attention", "/attention", Class::Page),
    ("/attention/settle", "/attention/settle", Class::Bare),
    ("WEBHOOKS_PATH", "/settings/webhooks", Class::Page),
    (
        "/settings/webhooks/{endpoint_id}/enable",
        "/settings/webhooks/we_0/enable",
        Class::Bare,
    ),
    (
        "/settings/webhooks/{endpoint_id}/disable",
        "/settings/webhooks/we_0/disable",
        Class::Bare,
    ),
    (
        "/settings/webhooks/{endpoint_id}/delete",
        "/settings/webhooks/we_0/delete",
        Class::Bare,
    ),
    (
        "/settings/webhooks/{endpoint_id}/rotate",
        "/settings/webhooks/we_0/rotate",
        Class::Bare,
    ),
    (
        "/settings/webhooks/{endpoint_id}/redeliver",
        "/settings/webhooks/we_0/redeliver",
        Class::Bare,
    ),
    (
        "/settings/webhooks/{endpoint_id}/dismiss",
        "/settings/webhooks/we_0/dismiss",
        Class::Bare,
    ),
    ("USERS_PATH", "/settings/users", Class::Page),
    (
        "/settings/users/{user_id}/role",
        "/settings/users/999/role",
        Class::Bare,
    ),
    (
        "/settings/users/{user_id}/disable",
        "/settings/users/999/disable",
        Class::Bare,
    ),
    (
        "/settings/users/{user_id}/enable",
        "/settings/users/999/enable",
        Class::Bare,
    ),
    (
        "/settings/users/{user_id}/password",
        "/settings/users/999/password",
        Class::Bare,
    ),
    (
        "/settings/users/{user_id}/sign-out",
        "/settings/users/999/sign-out",
        Class::Bare,
    ),
    ("KEYS_PATH", "/settings/keys", Class::Page),
    (
        "/settings/keys/{key_id}/revoke",
        "/settings/keys/0/revoke",
        Class::Bare,
    ),
    ("AUDIT_PATH", "/settings/audit", Class::Page),
    ("ACCOUNT_PATH", "/settings/account", Class::Page),
    (
        "/settings/account/password",
        "/settings/account/password",
        Class::Bare,
    ),
    (
        "/settings/deliveries/{id}/redeliver",
        "/settings/deliveries/1/redeliver",
        Class::Bare,
    ),
    (
        "/settings/users/{user_id}/drop-second-factor",
        "/settings/users/999/drop-second-factor",
        Class::Bare,
    ),
    (
        "/settings/account/second-factor",
        "/settings/account/second-factor",
        Class::Page,
    ),
    (
        "/settings/account/second-factor/confirm",
        "/settings/account/second-factor/confirm",
        Class::Bare,
    ),
    (
        "/settings/account/second-factor/recovery-codes",
        "/settings/account/second-factor/recovery-codes",
        Class::Bare,
    ),
    (
        "/settings/account/second-factor/remove",
        "/settings/account/second-factor/remove",
        Class::Bare,
    ),
    ("/login/code", "/login/code", Class::Page),
    (
        "/settings/account/sign-out",
        "/settings/account/sign-out",
        Class::Bare,
    ),
    ("/login", "/login", Class::Page),
    ("/logout", "/logout", Class::Bare),
    ("/api/v1/orders", "/api/v1/orders", Class::Bare),
    (
        "/api/v1/orders/{payment_id}",
        "/api/v1/orders/ORD-1",
        Class::Bare,
    ),
    (
        "/api/v1/orders/{payment_id}/events",
        "/api/v1/orders/ORD-1/events",
        Class::Bare,
    ),
    (
        "/api/v1/orders/{payment_id}/sync",
        "/api/v1/orders/ORD-1/sync",
        Class::Bare,
    ),
    (
        "/api/v1/orders/{payment_id}/close",
        "/api/v1/orders/ORD-9/close",
        Class::Bare,
    ),
    (
        "/api/v1/orders/{payment_id}/refunds",
        "/api/v1/orders/ORD-1/refunds",
        Class::Bare,
    ),
    ("/api/v1/attention", "/api/v1/attention", Class::Bare),
    (
        "/api/v1/attention/{kind}/{transaction_id}/settle",
        "/api/v1/attention/orphan/imp_1/settle",
        Class::Bare,
    ),
    (
        "/api/v1/webhook-endpoints",
        "/api/v1/webhook-endpoints",
        Class::Bare,
    ),
    (
        "/api/v1/webhook-endpoints/{endpoint_id}",
        "/api/v1/webhook-endpoints/we_0",
        Class::Bare,
    ),
    (
        "/api/v1/webhook-endpoints/{endpoint_id}/rotate",
        "/api/v1/webhook-endpoints/we_0/rotate",
        Class::Bare,
    ),
    (
        "/api/v1/webhook-endpoints/{endpoint_id}/redeliver",
        "/api/v1/webhook-endpoints/we_0/redeliver",
        Class::Bare,
    ),
    ("/api/v1/deliveries", "/api/v1/deliveries", Class::Bare),
    (
        "/api/v1/deliveries/{id}",
        "/api/v1/deliveries/1",
        Class::Bare,
    ),
    (
        "/api/v1/deliveries/{id}/redeliver",
        "/api/v1/deliveries/1/redeliver",
        Class::Bare,
    ),
    ("/api/v1/openapi.json", "/api/v1/openapi.json", Class::Bare),
    ("/api/v1/docs", "/api/v1/docs", Class::Docs),
    ("/problems/{slug}", "/problems/unavailable", Class::Docs),
    (
        "/api/payments/{function}",
        "/api/payments/look-up",
        Class::Bare,
    ),
    ("HEALTH_PATH", "/healthz", Class::Bare),
    ("/readyz", "/readyz", Class::Bare),
    ("/metrics", "/metrics", Class::Bare),
];
/// Routes of which every one is a pattern for the rest: the API's 404, and files of the build.
const OPEN_ENDED: [(&str, &str); 8] = [
    ("/api/v1/{*rest}", "/api/v1/nonsense"),
    ("/api/v1", "/api/v1"),
    ("/api/{*rest}", "/api/nonsense"),
    ("/api/", "/api/"),
    ("/api", "/api"),
    ("asset.path", "/favicon.svg"),
    ("asset.path", "/robots.txt"),
    ("the fallback", "/no/such/page"),
];

/// Ends the session that the cases share.
const SIGNS_OUT: [&str; 2] = ["/logout", "/settings/account/sign-out"];

const BARE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";
const DOCS_POLICY: &str =
    "default-src 'none'; style-src 'sha256-D'; frame-ancestors 'none'; base-uri 'none'";
const PAGE_POLICY: &str = "default-src 'none'; script-src 'nonce-N' 'strict-dynamic' 'wasm-unsafe-eval'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; style-src 'self' 'nonce-N'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'";
const PAY_POLICY: &str = "default-src 'none'; script-src 'nonce-N' 'strict-dynamic' 'wasm-unsafe-eval'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https: SDK; font-src 'self'; connect-src 'self' https: SDK; frame-src 'self' https: SDK; form-action 'self' https: SDK";
/// A page that says why there is none.
const REFUSAL_POLICY: &str = "default-src 'none'; style-src 'sha256-D'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The first argument of every `.route(` in the router.
fn routes_of_the_router() -> Vec<String> {
    let files = [
        "src/web/router.rs",
        "src/web/api/endpoints.rs",
        "src/web/webhook_settings.rs",
        "src/web/people_settings.rs",
    ];
    let texts = files
        .map(|file| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap());
    let calls = texts.iter().flat_map(|text| text.split(".route(").skip(1));
    calls
        .map(|call| {
            let first = call.trim_start().split(',').next().unwrap_or_default();
            first.trim().trim_matches('"').to_owned()
        })
        .collect()
}

#[test]
fn no_route_is_forgotten() {
    let known: Vec<&str> = ROUTES
        .iter()
        .map(|(route, ..)| *route)
        .chain(OPEN_ENDED.iter().map(|(route, _)| *route))
        .collect();
    let routes = routes_of_the_router();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        assert!(
            known.contains(&route.as_str()),
            "{route} has no row in the table of headers"
        );
    }
}

/// The policy with what differs from answer to answer replaced.
fn policy(answer: &Answer, sdk: &str) -> String {
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let nonce = policy
        .split_once("'nonce-")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(nonce, _)| nonce);
    let digest = policy
        .split_once("'sha256-")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(digest, _)| digest);
    let policy = &digest.map_or_else(|| policy.to_owned(), |digest| policy.replace(digest, "D"));
    let policy = match nonce {
        Some(nonce) => {
            assert!(nonce.len() >= 20, "a nonce nobody can guess: {nonce}");
            policy.replace(nonce, "N")
        }
        None => policy.to_owned(),
    };
    policy.replace(sdk.trim_end_matches('/'), "SDK")
}

fn check(name: &str, answer: &Answer, class: Class, secure: bool, sdk: &str) {
    let is_pay = name.contains("/pay/");
    let opener = if is_pay {
        "same-origin-allow-popups"
    } else {
        "same-origin"
    };
    let permissions = if is_pay {
        "camera=(), microphone=(), geolocation=(), payment=*"
    } else {
        "camera=(), microphone=(), geolocation=(), payment=()"
    };
    let is_file = answer.status == StatusCode::OK
        && (name.contains("/favicon.svg") || name.contains("/robots.txt"));
    let cache = match (is_file, name.contains("/pkg/")) {
        (true, _) => "public, max-age=3600",
        (false, true) => "public, max-age=31536000, immutable",
        (false, false) => "no-store",
    };
    let expected = BTreeMap::from([
        ("cache-control", Some(cache)),
        ("x-content-type-options", Some("nosniff")),
        ("x-frame-options", Some("DENY")),
        ("referrer-policy", Some("same-origin")),
        ("cross-origin-opener-policy", Some(opener)),
        ("cross-origin-resource-policy", Some("same-origin")),
        ("permissions-policy", Some(permissions)),
        (
            "strict-transport-security",
            secure.then_some("max-age=63072000"),
        ),
        ("access-control-allow-origin", None),
        ("server", None),
        ("x-powered-by", None),
    ]);
    for (header, value) in expected {
        let all: Vec<_> = answer
            .headers
            .get_all(header)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        assert_eq!(
            all,
            value.into_iter().collect::<Vec<_>>(),
            "{name}: {header}"
        );
    }
    assert_eq!(
        answer
            .headers
            .get_all("content-security-policy")
            .iter()
            .count(),
        1,
        "{name}"
    );
    let says_html = answer
        .headers
        .get("content-type")
        .is_some_and(|value| value.to_str().unwrap().starts_with("text/html"));
    // What a form's address says to a browser that asks for its headers alone is no page.
    let refuses = [StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status);
    let is_head_of_page = answer.text.is_empty() && says_html && !refuses;
    let is_page = answer.text.contains("<style nonce") || is_head_of_page;
    let is_head_of_refusal = answer.text.is_empty() && says_html && refuses;
    let is_refusal = is_head_of_refusal
        || (says_html
            && answer.text.contains("<style>")
            && answer.text.contains("<main class=\"slip\">"));
    let wanted = match class {
        _ if is_refusal => REFUSAL_POLICY,
        Class::Pay if is_page => PAY_POLICY,
        Class::Page if is_page => PAGE_POLICY,
        Class::Docs if says_html && answer.status == StatusCode::OK => DOCS_POLICY,
        Class::Page | Class::Pay | Class::Docs | Class::Bare => BARE_POLICY,
    };
    assert_eq!(policy(answer, sdk), wanted, "{name}");
    if let Some(cookie) = answer.headers.get("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("Path=/"),
            "{name}: {cookie}"
        );
        assert_eq!(
            (cookie.starts_with("__Host-"), cookie.ends_with("; Secure")),
            (secure, secure),
            "{name}: {cookie}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_every_route_has_them() {
    for secure in [true, false] {
        with_sqlite(move |db| async move {
            let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
                settings.public_url = secure.then(|| "https://pay.example".to_owned());
            })
            .await;
            app.order("ORD-1").await;
            app.order("ORD-9").await;
            access::put_user(
                &app.running.core,
                "staff@example.com",
                SecretString::from("correct horse battery"),
                None,
            )
            .await
            .unwrap();
            let signed_in = app
                .send(app.client.post(app.url("/login")).form(&[
                    ("email", "staff@example.com"),
                    ("password", "correct horse battery"),
                ]))
                .await;
            let sdk = app.sandbox.url().as_str();
            check("POST /login", &signed_in, Class::Bare, secure, sdk);
            let cookie = signed_in.headers["set-cookie"]
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned();

            let open_ended = OPEN_ENDED.map(|(route, path)| (route, path, Class::Page));
            let mut pages = 0;
            for (_, path, class) in ROUTES.into_iter().chain(open_ended) {
                for method in [
                    Method::GET,
                    Method::HEAD,
                    Method::POST,
                    Method::PUT,
                    Method::DELETE,
                    Method::OPTIONS,
                ] {
                    for cookie in [None, Some(&cookie)] {
                        // Signing out would end what the other cases need.
                        if SIGNS_OUT.contains(&path) && cookie.is_some() {
                            continue;
                        }
                        for body in ["", "{", &"x".repeat(17 * 1024), &"x".repeat(70 * 1024)] {
                            if !body.is_empty() && method != Method::POST {
                                continue;
                            }
                            let mut request = app
                                .client
                                .request(method.clone(), app.url(path))
                                .header("accept", "text/html")
                                .body(body.to_owned());
                            if let Some(cookie) = cookie {
                                request = request
                                    .header("cookie", cookie)
                                    .header("sec-fetch-site", "same-origin");
                            }
                            let answer = app.send(request).await;
                            let name = format!(
                                "{method} {path} ({} bytes, {})",
                                body.len(),
                                answer.status
                            );
                            check(&name, &answer, class, secure, sdk);
                            pages += usize::from(answer.text.contains("<style nonce"));
                        }
                    }
                }
            }
            assert!(pages >= 12, "pages were among the answers: {pages}");

            // The script of the pay page, by the name that its build has.
            let pay_page = app.page("/pay/ORD-1").await.text;
            let script = pay_page
                .split('"')
                .find(|text| text.starts_with("/pkg/"))
                .unwrap();
            check(script, &app.page(script).await, Class::Bare, secure, sdk);

            // Answers that no route makes.
            let api = app
                .api(Method::POST, "/api/v1/orders", Some(json!({})))
                .await;
            let cross_site = app
                .send(
                    app.client
                        .post(app.url("/orders/ORD-1/sync"))
                        .header("origin", "https://evil.example")
                        .header("sec-fetch-site", "cross-site"),
                )
                .await;
            let many = app.page(&format!("/orders?{}", "a&".repeat(65))).await;
            for (answer, status) in [
                (&api, StatusCode::UNPROCESSABLE_ENTITY),
                (&cross_site, StatusCode::FORBIDDEN),
                (&many, StatusCode::BAD_REQUEST),
            ] {
                assert_eq!(answer.status, status);
                check("an answer of no route", answer, Class::Bare, secure, sdk);
            }
            let nonces = [app.page("/login").await, app.page("/login").await]
                .map(|page| page.headers["content-security-policy"].clone());
            assert_ne!(nonces[0], nonces[1], "a nonce is used once");
        })
        .await;
    }
}

/// Whoever puts into an address what is no text is told what everybody is told whose id is not there, and nothing breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_no_text_names_nothing() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app, Role::Owner).await;
        let mut asked = 0;
        for (route, ..) in ROUTES.iter().filter(|(route, ..)| route.contains('{')) {
            let with = |id: &str| {
                let parts = route.split('/').map(|part| {
                    let is_open = part.starts_with('{');
                    if is_open { id } else { part }
                });
                parts.collect::<Vec<_>>().join("/")
            };
            for method in [Method::GET, Method::POST] {
                let ask = async |id: &str| {
                    let request = app
                        .client
                        .request(method.clone(), app.url(&with(id)))
                        .header("accept", "text/html")
                        .header("cookie", &cookie)
                        .header("sec-fetch-site", "same-origin")
                        .header("content-type", "application/x-www-form-urlencoded");
                    app.send(request.body("")).await
                };
                let (garbled, absent) = (ask("%FF").await, ask("0").await);
                let name = format!("{method} {route}");
                // Leptos names an order in its page, and there is none.
                assert_eq!(garbled.status, absent.status, "{name}: {}", garbled.text);
                let kind = |answer: &Answer| answer.headers.get("content-type").cloned();
                assert_eq!(kind(&garbled), kind(&absent), "{name}: {}", garbled.text);
                asked += 1;
            }
        }
        assert!(asked >= 60, "{asked}");
    })
    .await;
}

/// What the sizes, depths and counts come to at each door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_has_a_clear_answer_at_every_door() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        let order = |metadata: &str| {
            format!(r#"{{"payment_id":"A","name":"x","amount":1,"metadata":{metadata}}}"#)
        };
        let nested =
            |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth), "1") + &"}".repeat(depth);
        let padded = |bytes: usize| {
            format!(
                "{}{}",
                r#"{"imp_uid":"imp_1","merchant_uid":"A","status":"paid"}"#,
                " ".repeat(bytes)
            )
        };
        let deep_webhook = format!(
            r#"{{"imp_uid":"imp_1","merchant_uid":"A","status":"paid","x":{}}}"#,
            nested(40)
        );
        let flat_webhook = format!(
            r#"{{"imp_uid":"imp_1","merchant_uid":"A","status":"paid","x":{}}}"#,
            nested(31)
        );
        let many = |count: usize| {
            (2..count).fold("imp_uid=imp_1&merchant_uid=A".to_owned(), |form, number| {
                format!("{form}&x{number}=")
            })
        };
        let form = "application/x-www-form-urlencoded";
        let json = "application/json";
        for (path, content_type, body, status, says) in [
            (
                "/payments/webhook",
                json,
                padded(65 * 1024),
                413,
                "/problems/too-large",
            ),
            ("/payments/webhook", json, padded(60 * 1024), 200, ""),
            (
                "/payments/webhook",
                json,
                padded(1024 * 1024),
                413,
                "/problems/too-large",
            ),
            (
                "/payments/webhook",
                json,
                deep_webhook.clone(),
                400,
                "/problems/malformed-body",
            ),
            ("/payments/webhook", json, flat_webhook, 200, ""),
            ("/payments/webhook", form, many(64), 200, ""),
            (
                "/payments/webhook",
                form,
                many(65),
                400,
                "/problems/too-many-parameters",
            ),
            ("/payments/confirm", json, padded(65 * 1024), 400, "reason"),
            ("/payments/confirm", json, deep_webhook, 400, "reason"),
            (
                "/payments/complete",
                form,
                format!("merchant_uid=A&x={}", "y".repeat(17 * 1024)),
                400,
                "\"invalid\"",
            ),
            ("/payments/complete", form, many(65), 400, "\"invalid\""),
            ("/payments/complete", form, many(64), 404, "\"not_found\""),
            (
                "/payments/complete",
                json,
                format!(r#"{{"merchant_uid":"A","x":{}}}"#, nested(40)),
                400,
                "\"invalid\"",
            ),
            (
                "/payments/complete",
                json,
                padded(70 * 1024),
                400,
                "\"invalid\"",
            ),
            (
                "/api/v1/orders",
                json,
                order(&nested(40)),
                400,
                "/problems/malformed-body",
            ),
            ("/api/v1/orders", json, order(&nested(31)), 201, "\"open\""),
            (
                "/api/v1/orders",
                json,
                order(&format!("\"{}\"", "x".repeat(65 * 1024))),
                413,
                "/problems/too-large",
            ),
            (
                "/api/v1/orders/A/refunds",
                json,
                nested(40),
                400,
                "/problems/malformed-body",
            ),
            (
                "/api/v1/orders/A/refunds",
                json,
                padded(65 * 1024),
                413,
                "/problems/too-large",
            ),
            (
                "/api/v1/attention/duplicate/imp_1/settle",
                json,
                nested(40),
                400,
                "/problems/malformed-body",
            ),
            (
                "/api/v1/attention/duplicate/imp_1/settle",
                json,
                padded(65 * 1024),
                413,
                "/problems/too-large",
            ),
            (
                "/login",
                form,
                format!("email={}", "x".repeat(17 * 1024)),
                413,
                "/problems/too-large",
            ),
            (
                "/login",
                form,
                many(65),
                400,
                "/problems/too-many-parameters",
            ),
            (
                "/orders/A/close",
                form,
                "x".repeat(17 * 1024),
                413,
                "/problems/too-large",
            ),
            (
                "/api/payments/look-up",
                form,
                format!("token={}", "x".repeat(17 * 1024)),
                413,
                "/problems/too-large",
            ),
        ] {
            let post = app
                .client
                .post(app.url(path))
                .header("content-type", content_type)
                .header("accept", "application/json")
                .header("idempotency-key", "return-1")
                .bearer_auth(app.key());
            let answer = app.send(post.body(body.clone())).await;
            let name = format!(
                "{path} {content_type} {} bytes: {}",
                body.len(),
                &body[..body.len().min(60)]
            );
            assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text);
            assert!(answer.text.contains(says), "{name}: {}", answer.text);
        }
        for (query, status, says) in [(many(64), 404, "not_found"), (many(65), 400, "invalid")] {
            let page = app.page(&format!("/payments/complete?{query}")).await;
            assert_eq!(
                (page.status.as_u16(), page.page_outcome()),
                (status, Some(says))
            );
        }
        let doubled = app
            .api(Method::GET, "/api/v1/orders?limit=1&limit=2", None)
            .await;
        assert_eq!(
            (doubled.status.as_u16(), doubled.json()["type"].as_str()),
            (422, Some("/problems/invalid-field"))
        );
        let human = app
            .send(
                app.client
                    .post(app.url("/login"))
                    .header("accept", "text/html")
                    .header("accept-language", "en")
                    .form(&[("email", "x".repeat(17 * 1024))]),
            )
            .await;
        assert_eq!(
            (
                human.status.as_u16(),
                human.headers["content-type"].to_str().unwrap()
            ),
            (413, "text/html; charset=utf-8")
        );
        assert!(
            human.text.contains("<html lang=\"en\">") && human.text.contains("don’t pay again"),
            "{}",
            human.text
        );
        for slug in [
            "too-large",
            "too-slow",
            "too-many-parameters",
            "malformed-request",
            "malformed-form",
            "headers-too-large",
        ] {
            assert_eq!(
                app.page(&format!("/problems/{slug}")).await.status,
                StatusCode::OK
            );
        }
    })
    .await;
}

/// Ids that are named more than once, in every way that could make two readers see two payments. PortOne appends its own after
/// the shop's and some gateways let `merchant_uid` come twice, so the last one counts; what is never done is to mix: the
/// payment of one with the order of the other is nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_are_named_twice_never_mix_two_payments() {
    with_sqlite(|db| async move {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_at(&db, sandbox, |_| {}, Arc::new(Hasty)).await;
        app.order("MINE").await;
        app.order_with("DEAR", json!({ "amount": 900_000 })).await;
        let own = app.pay("MINE", json!({}));
        app.complete(&format!("imp_uid={own}&merchant_uid=MINE"))
            .await;
        for (shape, outcome) in [
            ("imp_uid=OWN&imp_uid=imp_x&merchant_uid=MINE", "not_found"),
            ("imp_uid=imp_x&imp_uid=OWN&merchant_uid=MINE", "paid"),
            ("imp_uid=OWN&imp_uid=OWN&merchant_uid=MINE", "paid"),
            (
                "imp_uid=OWN&merchant_uid=MINE&merchant_uid=DEAR",
                "not_found",
            ),
            ("imp_uid=OWN&merchant_uid=DEAR&merchant_uid=MINE", "paid"),
            (
                "merchant_uid=MINE&imp_uid=OWN&merchant_uid=DEAR",
                "not_found",
            ),
            ("imp_uid=OWN&merchant_uid=DEAR", "not_found"),
            ("imp_uid[]=OWN&merchant_uid=DEAR", "pending"),
            ("imp_uid=OWN&merchant_uid[]=DEAR", "paid"),
            ("imp_uid[0]=OWN&merchant_uid[0]=DEAR", "invalid"),
            ("imp_uid=OWN,imp_x&merchant_uid=MINE", "invalid"),
            (
                "imp_uid=OWN%26merchant_uid%3DDEAR&merchant_uid=MINE",
                "invalid",
            ),
            ("imp_uid=OWN%00&merchant_uid=MINE", "invalid"),
            ("imp_uid=OWN&merchant_uid=DEAR%00MINE", "invalid"),
            ("imp_uid=OWN&merchant_uid=DEAR%2FMINE", "invalid"),
            ("imp_uid=OWN&merchant_uid=&merchant_uid=MINE", "paid"),
            ("imp_uid=OWN&merchant_uid=MINE&merchant_uid=", "paid"),
            ("imp_uid=OWN&paymentId=DEAR", "pending"),
            ("imp_uid=OWN&merchant_uid=MINE&paymentId=DEAR", "pending"),
            ("paymentId=DEAR&imp_uid=OWN&merchant_uid=MINE", "paid"),
            ("txId=OWN&imp_uid=imp_x&merchant_uid=MINE", "not_found"),
            ("IMP_UID=OWN&MERCHANT_UID=DEAR", "invalid"),
            ("imp_uid=OWN;merchant_uid=DEAR", "invalid"),
            ("imp_uid=../OWN&merchant_uid=MINE", "invalid"),
            ("imp_uid%00=OWN&merchant_uid=DEAR", "pending"),
        ] {
            let query = shape.replace("OWN", &own);
            let answer = app.complete(&query).await;
            assert_eq!(answer.outcome(), outcome, "{shape}");
            let posted = app
                .send(
                    app.client
                        .post(app.url("/payments/complete?imp_uid=other&merchant_uid=DEAR"))
                        .header("content-type", "application/x-www-form-urlencoded")
                        .header("accept", "application/json")
                        .body(query),
                )
                .await;
            let of_the_body = if shape.contains("[0]") || shape.starts_with("IMP_UID") {
                "not_found"
            } else {
                outcome
            };
            assert_eq!(posted.outcome(), of_the_body, "posted: {shape}");
        }
        assert_eq!(app.read_order("DEAR").await["status"], "open");
        assert_eq!(app.told("DEAR").await, Vec::<&str>::new());
    })
    .await;
}

/// A proxy that asks for us by another name says which one the browser used, and so a form of our own page is known as ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_says_which_host_and_scheme_the_browser_used() {
    for (trusted, is_believed) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        with_sqlite(|db| async move {
            let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
                settings.trusted_proxies = vec![trusted.parse().unwrap()];
            })
            .await;
            let form = [("email", "nobody@example.com"), ("password", "wrong")];
            let sent = |host: Option<&'static str>| {
                let request = app
                    .client
                    .post(app.url("/login"))
                    .header("origin", "https://pay.example")
                    .header("x-forwarded-proto", "https");
                let request = match host {
                    Some(host) => request.header("x-forwarded-host", host),
                    None => request,
                };
                app.send(request.form(&form))
            };

            let ours = sent(Some("pay.example")).await;
            let unsaid = sent(None).await;
            let other = sent(Some("evil.example")).await;

            assert_eq!(
                ours.status != 403,
                is_believed,
                "{trusted}: {}",
                ours.status
            );
            assert_eq!(unsaid.status, 403, "{trusted}");
            assert_eq!(other.status, 403, "{trusted}");
            let by_https = ours.headers.contains_key("strict-transport-security");
            assert_eq!(by_https, is_believed, "{trusted}");
        })
        .await;
    }
}

/// What proxies and attackers write beside the request changes no byte of a page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forwarding_headers_change_no_page() {
    with_sqlite(|db| async move {
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            settings.public_url = Some("https://pay.example".to_owned());
        })
        .await;
        app.order("ORD-1").await;
        let stable = |answer: &Answer| {
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            let nonce = policy
                .split_once("'nonce-")
                .and_then(|(_, rest)| rest.split_once('\''))
                .unwrap()
                .0;
            answer.text.replace(nonce, "N")
        };
        for path in ["/pay/ORD-1", "/payments/complete", "/login"] {
            let plain = stable(&app.page(path).await);
            for header in [
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-forwarded-scheme",
                "x-forwarded-server",
                "x-forwarded-port",
                "x-forwarded-prefix",
                "x-forwarded-for",
                "x-original-url",
                "x-rewrite-url",
                "x-original-host",
                "x-host",
                "x-http-host-override",
                "forwarded",
                "x-real-ip",
                "true-client-ip",
                "cf-connecting-ip",
                "x-client-ip",
                "client-ip",
                "via",
                "x-wap-profile",
                "x-http-method-override",
                "x-method-override",
                "x-forwarded-path",
                "x-custom-ip-authorization",
                "front-end-https",
                "x-url-scheme",
                "referer",
                "x-backend-host",
                "x-cluster-client-ip",
                "host",
            ] {
                let request = app
                    .client
                    .get(app.url(path))
                    .header("accept", "text/html,application/xhtml+xml")
                    .header(header, "evil.example");
                assert_eq!(stable(&app.send(request).await), plain, "{path} {header}");
            }
        }
    })
    .await;
}
