//! Who may do what, door by door: from the list that the server itself goes by.

use leptos::server_fn::axum::server_fn_paths;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::SecretString;
use wanryo::domain::access::{Deed, Role};
use wanryo::service::access;
use wanryo::web::office::doors::{DOORS, Door};

use crate::app::{Answer, TestApp};
use crate::support::{TestDatabase, on_both_databases};

const PASSWORD: &str = "correct horse battery";
/// Every server function there is: what they tell, everybody may know who has the link. One that only some may call would need
/// its roles tried here.
const BUYERS_FUNCTIONS: [&str; 2] = ["/api/payments/complete", "/api/payments/look-up"];

/// A person of this role who is signed in; the cookie.
pub(crate) async fn sign_in(app: &TestApp, role: Role) -> String {
    let email = format!("{}@example.com", role.as_str());
    let (core, password) = (&app.running.core, SecretString::from(PASSWORD));
    access::put_user(core, &email, password.clone(), Some(role))
        .await
        .unwrap();
    let sign_in = access::SignIn {
        email: &email,
        password,
        source: std::net::Ipv4Addr::LOCALHOST.into(),
        browser: None,
    };
    let access::Entered::In(came_in) = access::sign_in(core, sign_in).await.unwrap() else {
        panic!("the password is enough");
    };
    format!("wanryo={}", came_in.session.expose())
}

/// Where a door is, with ids of nothing.
fn path(door: &Door) -> String {
    let path = door.path.replace("{payment_id}", "ORD-1");
    path.split('/')
        .map(|part| if part.starts_with('{') { "999" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

fn knock(app: &TestApp, door: &Door, cookie: &str) -> RequestBuilder {
    app.client
        .request(door.method.clone(), app.url(&path(door)))
        .header("cookie", cookie)
        .header("accept", "text/html")
        .form(&[("x", "")])
}

fn leads_to_login(answer: &Answer) -> bool {
    answer.status == StatusCode::SEE_OTHER
        && answer.headers["location"]
            .to_str()
            .unwrap()
            .starts_with("/login")
}

/// Everything that anybody could have changed.
async fn stored(db: &TestDatabase) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT payment_id || status || version FROM orders ORDER BY 1",
        "SELECT payment_id || kind FROM history ORDER BY 1",
        "SELECT email || role || password_hash || COALESCE(disabled_at, 0) FROM users ORDER BY 1",
        "SELECT name FROM api_keys ORDER BY 1",
        "SELECT url FROM webhook_endpoints ORDER BY 1",
        "SELECT act || COALESCE(target, '') FROM audit_log ORDER BY id",
        "SELECT CAST(COUNT(*) AS TEXT) FROM sessions",
    ] {
        all.extend(db.read(sql).await);
    }
    all
}

on_both_databases! {
    async fn every_door_is_closed_to_who_may_not_and_open_to_who_may(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let owner = sign_in(&app, Role::Owner).await;
        let staff = sign_in(&app, Role::Staff).await;
        let viewer = sign_in(&app, Role::Viewer).await;
        let before = stored(&db).await;

        for door in &DOORS {
            let name = format!("{} {}", door.method, door.path);
            let is_form = door.method == Method::POST;
            let here = "same-origin";
            for stranger in ["", "wanryo=x"] {
                let answer = app.send(knock(&app, door, stranger).header("sec-fetch-site", here)).await;
                assert!(leads_to_login(&answer), "{name}, not signed in: {}", answer.status);
            }
            for (role, cookie) in [(Role::Viewer, &viewer), (Role::Staff, &staff), (Role::Owner, &owner)] {
                if !role.may(door.deed) {
                    let answer = app.send(knock(&app, door, cookie).header("sec-fetch-site", here)).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}, {role:?}");
                    assert!(answer.text.contains("이 작업을 할 권한이 없어요"), "{name}, {role:?}: {}", answer.text);
                }
                if is_form {
                    let across = knock(&app, door, cookie).header("sec-fetch-site", "cross-site").header("origin", "https://evil.example");
                    let across = app.send(across).await;
                    assert_eq!(across.status, StatusCode::FORBIDDEN, "{name}, cross-site");
                    assert!(across.text.contains("이 작업을 할 권한이 없어요"), "{name}, cross-site: {}", across.text);
                    let nowhere = knock(&app, door, cookie);
                    assert_eq!(app.send(nowhere).await.status, StatusCode::FORBIDDEN, "{name}, no origin");
                }
            }
            let has_page = DOORS.iter().any(|other| other.path == door.path && other.method == Method::GET);
            if is_form && !has_page {
                let get = app.client.get(app.url(&path(door))).header("cookie", &owner).header("sec-fetch-site", here);
                let by_get = app.send(get).await;
                let page = by_get.headers["location"].to_str().unwrap();
                assert_eq!(by_get.status, StatusCode::SEE_OTHER, "{name}, by GET");
                assert!(path(door).starts_with(page) || page == "/orders", "{name}, by GET: {page}");
            }
        }
        assert_eq!(stored(&db).await, before, "nothing came of it");

        for door in &DOORS {
            let name = format!("{} {}", door.method, door.path);
            for (role, cookie) in [(Role::Viewer, &viewer), (Role::Staff, &staff), (Role::Owner, &owner)] {
                // Would end the session that the other doors need.
                if !role.may(door.deed) || door.path == "/settings/account/sign-out" {
                    continue;
                }
                let answer = app.send(knock(&app, door, cookie).header("sec-fetch-site", "same-origin")).await;
                let nothing_to_refund = door.path.ends_with("/refund") && door.method == Method::GET;
                let open = answer.status == StatusCode::OK || (answer.status == StatusCode::SEE_OTHER && !leads_to_login(&answer));
                assert!(open || nothing_to_refund || answer.status == StatusCode::UNPROCESSABLE_ENTITY, "{name}, {role:?}: {} {}", answer.status, answer.text);
            }
        }
    }

    async fn server_functions_answer_our_own_pages_alone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let mut found = Vec::new();
        for (path, method) in server_fn_paths() {
            let name = format!("{method} {path}");
            let request = |method: &Method| app.client.request(method.clone(), app.url(path)).form(&[("payment_id", "ORD-1"), ("token", "x")]);
            let ours = app.send(request(&method).header("sec-fetch-site", "same-origin")).await;
            assert!(!matches!(ours.status.as_u16(), 403..=405), "{name}: {} {}", ours.status, ours.text);
            for elsewhere in [
                request(&method),
                request(&method).header("sec-fetch-site", "cross-site"),
                request(&method).header("sec-fetch-site", "same-site"),
                request(&method).header("origin", "https://evil.example"),
                request(&method).header("origin", "null"),
            ] {
                let answer = app.send(elsewhere).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {}", answer.text);
            }
            let get = app.client.get(app.url(path)).query(&[("payment_id", "ORD-1"), ("token", "x")]).header("sec-fetch-site", "same-origin");
            let get = app.send(get).await;
            assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED, "{name}: {}", get.text);
            found.push(path);
        }
        found.sort_unstable();
        assert_eq!(found, BUYERS_FUNCTIONS);
    }

    async fn what_is_not_listed_is_closed_to_everybody(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = sign_in(&app, Role::Owner).await;
        for (method, path) in [(Method::PUT, "/orders"), (Method::DELETE, "/orders/ORD-1"), (Method::PATCH, "/settings/users"), (Method::POST, "/orders")] {
            let request = app.client.request(method.clone(), app.url(path)).header("cookie", &owner).header("sec-fetch-site", "same-origin");
            assert_eq!(app.send(request).await.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
        let head = app.client.head(app.url("/orders")).header("cookie", &owner);
        assert_eq!(app.send(head).await.status, StatusCode::OK);
    }

    async fn what_a_role_may_not_do_is_not_offered(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = crate::refunds::paid(&app, "v1", "PAID").await;
        app.order("ORD-1").await;
        let held = app.pay("ORD-1", serde_json::json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={held}&merchant_uid=ORD-1")).await;
        app.order("OPEN").await;
        for &role in Role::ALL {
            let cookie = sign_in(&app, role).await;
            let open = async |path: &str| {
                let answer = app.send(app.client.get(app.url(path)).header("cookie", &cookie).header("accept", "text/html")).await;
                assert_eq!(answer.status, StatusCode::OK, "{path}");
                answer.text
            };
            let offers = |page: &str, deed: Deed, words: &str| {
                assert_eq!(page.contains(words), role.may(deed), "{role:?}: {words}");
            };
            let order = open("/orders/OPEN").await;
            offers(&order, Deed::Sync, "/orders/OPEN/sync");
            offers(&order, Deed::Close, "/orders/OPEN/close");
            offers(&order, Deed::ManageUsers, "/settings/users");
            offers(&order, Deed::ManageKeys, "/settings/keys");
            offers(&order, Deed::ReadAudit, "/settings/audit");
            offers(&open("/orders/PAID").await, Deed::Refund, &format!("/orders/PAID/refund?transaction_id={transaction}"));
            offers(&open("/attention").await, Deed::Settle, "/attention/settle");
            let webhooks = open("/settings/webhooks").await;
            offers(&webhooks, Deed::ChangeEndpoints, "name=\"url\"");
            assert!(order.contains("/settings/account") && order.contains("/settings/webhooks"));
        }
    }
}
