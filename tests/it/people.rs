//! Who may come in, as an owner decides it on the pages: people, keys, and one's own account.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use wanryo::domain::access::Role;

use crate::app::{Answer, TestApp};
use crate::by_hand::Ahead;
use crate::office::{form_key, tag};
use crate::roles::sign_in;
use crate::support::{TestDatabase, on_both_databases};

/// A browser with its cookies.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: String,
}

impl Browser<'_> {
    async fn open(&self, path: &str) -> Answer {
        let request = self.app.client.get(self.app.url(path));
        self.app
            .send(
                request
                    .header("cookie", &self.cookie)
                    .header("accept", "text/html"),
            )
            .await
    }

    /// As a page's own form does it: with a key that was drawn for it.
    async fn press(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let key = form_key();
        let is_drawn = form.iter().all(|(name, _)| *name != "key");
        let drawn = is_drawn.then_some(("key", key.as_str()));
        let form: Vec<_> = form.iter().copied().chain(drawn).collect();
        let request = self.app.client.post(self.app.url(path)).form(&form);
        self.app
            .send(
                request
                    .header("cookie", &self.cookie)
                    .header("accept", "text/html")
                    .header("sec-fetch-site", "same-origin"),
            )
            .await
    }

    /// Where a form leads.
    async fn leads(&self, path: &str, form: &[(&str, &str)]) -> String {
        location(&self.press(path, form).await)
    }

    /// The page that gives a form back.
    async fn gives_back(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.press(path, form).await;
        let (status, text) = (answer.status, answer.text);
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}: {text}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        text
    }

    /// The number of a person.
    async fn id(&self, email: &str) -> String {
        let users = self
            .app
            .running
            .core
            .access
            .users(jiff::Timestamp::MIN, 100);
        let users = users.await.unwrap();
        let user = users.iter().find(|user| user.email == email);
        user.unwrap().id.to_string()
    }
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// What a page shows once.
fn shown(page: &str) -> String {
    let (_, section) = page.split_once("role=\"status\"").expect("shown once");
    let (_, code) = section
        .split_once("<code class=\"office-id\"><bdi>")
        .unwrap();
    code.split('<').next().unwrap().to_owned()
}

async fn log_in<'a>(app: &'a TestApp, email: &str, password: &str) -> Result<Browser<'a>, String> {
    let form = [("email", email), ("password", password)];
    let answer = app
        .send(app.client.post(app.url("/login")).form(&form))
        .await;
    match answer.headers.get("set-cookie") {
        Some(cookie) => Ok(Browser {
            app,
            cookie: cookie
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned(),
        }),
        None => Err(location(&answer)),
    }
}

const USERS: &str = "/settings/users";
const KEYS: &str = "/settings/keys";
const ACCOUNT: &str = "/settings/account";

on_both_databases! {
    async fn a_person_is_added_chooses_a_password_and_goes(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let added = owner.press(USERS, &[("email", " Lee@Example.com"), ("role", "staff")]).await;
        assert_eq!((added.status, added.headers["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-store"));
        let password = shown(&added.text);
        let list = owner.open(USERS).await.text;
        assert!(!list.contains(&password) && list.contains("lee@example.com") && list.contains("data-user=\"staff\""), "shown once");
        let there = owner.gives_back(USERS, &[("email", "lee@example.com"), ("role", "viewer")]).await;
        assert!(there.contains("이미 있는 이메일 주소예요") && !there.contains(&password), "{there}");

        let lee = log_in(&app, "lee@example.com", &password).await.ok().unwrap();
        assert_eq!(location(&lee.open("/orders").await), format!("{ACCOUNT}?error=choose_password"));
        assert_eq!(lee.leads("/attention/settle", &[]).await, format!("{ACCOUNT}?error=choose_password"));
        assert!(lee.open(&format!("{ACCOUNT}?error=choose_password")).await.text.contains("먼저 새 비밀번호를 정해 주세요"));
        let change = |present: &str, new: &str, again: &str| [("present", present.to_owned()), ("new", new.to_owned()), ("again", again.to_owned())];
        let to = async |who: &Browser<'_>, form: [(&'static str, String); 3]| {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            who.press(&format!("{ACCOUNT}/password"), &form).await
        };
        for (form, error) in [(change(&password, "a new password", "another one"), "differ"), (change(&password, "short", "short"), "password"), (change("wrong", "a new password", "a new password"), "refused"), (change(&password, &password, &password), "same")] {
            assert_eq!(location(&to(&lee, form).await), format!("{ACCOUNT}?error={error}"));
        }
        let elsewhere = log_in(&app, "lee@example.com", &password).await.ok().unwrap();
        let changed = to(&lee, change(&password, "a new password", "a new password")).await;
        assert_eq!(location(&changed), format!("{ACCOUNT}?done=password"));
        let fresh = changed.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_ne!(fresh, lee.cookie);
        for old in [&lee, &elsewhere] {
            assert!(location(&old.open("/orders").await).starts_with("/login"), "every session ended");
        }
        let lee = Browser { app: &app, cookie: fresh };
        assert_eq!(lee.open("/orders").await.status, StatusCode::OK);
        assert!(log_in(&app, "lee@example.com", &password).await.is_err(), "it was for once");

        let id = owner.id("lee@example.com").await;
        assert_eq!(owner.leads(&format!("{USERS}/{id}/role"), &[("role", "viewer")]).await, format!("{USERS}?done=role"));
        assert_eq!(lee.press("/orders/ORD-1/sync", &[]).await.status, StatusCode::FORBIDDEN, "from the next request on");
        assert_eq!(owner.leads(&format!("{USERS}/{id}/sign-out"), &[]).await, format!("{USERS}?done=signed_out"));
        assert!(location(&lee.open("/orders").await).starts_with("/login"));

        let lee = log_in(&app, "lee@example.com", "a new password").await.ok().unwrap();
        assert_eq!(owner.leads(&format!("{USERS}/{id}/disable"), &[]).await, format!("{USERS}?done=disabled"));
        assert!(location(&lee.open("/orders").await).starts_with("/login"));
        assert_eq!(log_in(&app, "lee@example.com", "a new password").await.err().unwrap(), "/login?error=refused&next=%2Forders", "like anybody who is unknown");
        assert!(owner.open(&format!("{USERS}?lang=en")).await.text.contains("Disabled since"));
        assert_eq!(owner.leads(&format!("{USERS}/{id}/enable"), &[]).await, format!("{USERS}?done=enabled"));
        let renewed = shown(&owner.press(&format!("{USERS}/{id}/password?lang=en"), &[]).await.text);
        assert!(log_in(&app, "lee@example.com", "a new password").await.is_err());
        let lee = log_in(&app, "lee@example.com", &renewed).await.ok().unwrap();
        assert_eq!(lee.leads(&format!("{ACCOUNT}/sign-out"), &[]).await, "/login");
        assert!(location(&lee.open("/orders").await).starts_with("/login"));
    }

    async fn an_owner_is_left_and_mistakes_are_said(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let id = owner.id("owner@example.com").await;
        for (action, form) in [("role", [("role", "staff")].as_slice()), ("role", &[("role", "viewer")]), ("disable", &[])] {
            assert_eq!(owner.leads(&format!("{USERS}/{id}/{action}"), form).await, format!("{USERS}?error=last_owner"), "{action}");
        }
        assert_eq!(owner.open("/orders").await.status, StatusCode::OK, "the session is left as well");
        assert_eq!(owner.leads(&format!("{USERS}/{id}/password"), &[]).await, ACCOUNT, "one's own is changed elsewhere");
        let page = owner.open(&format!("{USERS}?error=last_owner&lang=en")).await.text;
        assert!(page.contains("role=\"alert\"") && page.contains("One owner who may sign in must be left."), "{page}");
        assert!(!owner.open(&format!("{USERS}?done=last_owner")).await.text.contains("class=\"office-notice\""));

        for email in ["", "lee", "a b@example.com", "@example.com", "lee@localhost"] {
            let page = owner.gives_back(&format!("{USERS}?lang=en"), &[("email", email), ("role", "viewer")]).await;
            let field = tag(&page, "id=\"new-email\"");
            assert!(field.contains(&format!("value=\"{email}\"")) && field.contains("aria-invalid=\"true\"") && field.contains("new-email-fault") && field.contains("autofocus"), "{field}");
            let (_, words) = page.split_once("id=\"new-email-fault\"").unwrap();
            assert!(words.split_once("</p>").unwrap().0.contains("This is not an email address."), "{words}");
            let (_, role) = page.split_once("id=\"new-role\"").unwrap();
            assert!(tag(role, "value=\"viewer\"").contains("selected"), "{role}");
        }
        let page = owner.gives_back(USERS, &[("email", "lee@example.com"), ("role", "admin")]).await;
        let role = tag(&page, "id=\"new-role\"");
        assert!(role.contains("aria-invalid=\"true\"") && role.contains("new-role-fault") && page.contains("역할을 골라 주세요"), "{page}");
        assert!(tag(&page, "id=\"new-email\"").contains("value=\"lee@example.com\""), "{page}");
        let page = owner.gives_back(USERS, &[("email", "lee@example.com"), ("role", "staff"), ("key", "x")]).await;
        assert!(page.contains("양식을 확인할 수 없어서") && tag(&page, "id=\"new-email\"").contains("value=\"lee@example.com\""), "{page}");
        assert_eq!(owner.leads(&format!("{USERS}/{id}/role"), &[("role", "root")]).await, format!("{USERS}?error=role"));
        for path in ["999/role", "x/role", "999/disable", "999/enable", "x/sign-out", "999/password", "-1/password"] {
            assert_eq!(owner.leads(&format!("{USERS}/{path}"), &[("role", "staff")]).await, format!("{USERS}?error=not_found"), "{path}");
        }
        assert_eq!(db.read("SELECT email || role FROM users").await, ["owner@example.comowner"]);
    }

    async fn who_gives_up_a_role_is_told_where_they_may_still_look(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let id = owner.id("owner@example.com").await;
        db.run("INSERT INTO users (email, password_hash, role, created_at, updated_at) SELECT 'lee@example.com', password_hash, role, created_at, updated_at FROM users").await;

        let told = owner.leads(&format!("{USERS}/{id}/role"), &[("role", "staff")]).await;

        assert_eq!(told, format!("{ACCOUNT}?done=role"));
        let page = owner.open(&told).await;
        assert!(page.status == StatusCode::OK && page.text.contains("역할을 바꿨어요"), "{}", page.text);
    }

    async fn when_there_is_no_room_for_another_person_it_is_said_of_people(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let others = wanryo::service::access::USERS_MAX - 1;
        db.run(&format!("INSERT INTO users (email, password_hash, role, created_at, updated_at) WITH RECURSIVE others (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM others WHERE n < {others}) SELECT 'person-' || n || '@example.com', password_hash, 'viewer', created_at, updated_at FROM others, users")).await;

        let page = owner.gives_back(&format!("{USERS}?lang=en"), &[("email", "lee@example.com"), ("role", "viewer")]).await;

        assert!(page.contains("There are 500 people") && !page.contains("keys of one name"), "{page}");
        assert!(tag(&page, "id=\"new-email\"").contains("value=\"lee@example.com\""), "{page}");
    }

    async fn a_form_that_is_sent_twice_adds_one_person_and_makes_one_key(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let key_of = async |page: &str| {
            let page = owner.open(page).await.text;
            let (_, value) = tag(&page, "name=\"key\"").split_once("value=\"").unwrap();
            value.split('"').next().unwrap().to_owned()
        };
        let (of_user, of_key) = (key_of(USERS).await, key_of(KEYS).await);
        assert_ne!(of_user, of_key);
        for (page, form, again, words) in [
            (USERS, [("email", "lee@example.com"), ("role", "staff"), ("key", &*of_user)].as_slice(), "user_before", "nobody was added a second time"),
            (KEYS, &[("name", "쇼핑몰"), ("key", &*of_key)], "key_before", "no second key was made"),
        ] {
            let (one, other) = tokio::join!(owner.press(page, form), owner.press(page, form));
            let (made, repeated): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(|answer| answer.status == StatusCode::OK);
            assert_eq!(made.len(), 1, "{page}");
            let secret = shown(&made[0].text);
            for leads in [location(&repeated[0]), owner.leads(page, form).await] {
                assert_eq!(leads, format!("{page}?error={again}"));
            }
            let page = owner.open(&format!("{page}?error={again}&lang=en")).await.text;
            assert!(page.contains(words) && page.contains("role=\"alert\"") && !page.contains(&secret), "{page}");
        }
        assert_eq!(db.read("SELECT email FROM users WHERE email LIKE 'lee%'").await, ["lee@example.com"]);
        assert_eq!(db.read("SELECT name FROM api_keys WHERE name = '쇼핑몰'").await, ["쇼핑몰"], "the other place is left for when it is replaced");
    }

    async fn a_password_that_was_handed_over_ends_by_itself(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::clone(&clock) as _).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let password = shown(&owner.press(USERS, &[("email", "lee@example.com"), ("role", "viewer")]).await.text);
        clock.push(Duration::from_secs(72 * 3_600 - 60));
        assert!(log_in(&app, "lee@example.com", &password).await.is_ok());
        clock.push(Duration::from_secs(61));
        assert_eq!(log_in(&app, "lee@example.com", &password).await.err().unwrap(), "/login?error=refused&next=%2Forders");
    }

    async fn keys_are_shown_once_changed_over_and_revoked(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let owner = Browser { app: &app, cookie: sign_in(&app, Role::Owner).await };
        let status = async |key: &str| app.send(app.client.get(app.url("/api/v1/orders")).bearer_auth(key)).await.status;
        let made = owner.press(KEYS, &[("name", " 쇼핑몰 ")]).await;
        let first = shown(&made.text);
        assert!(first.starts_with("wr_") && made.status == StatusCode::OK);
        assert_eq!(status(&first).await, StatusCode::OK);
        let second = shown(&owner.press(&format!("{KEYS}?lang=en"), &[("name", "쇼핑몰")]).await.text);
        for (name, key, words) in [("쇼핑몰", form_key(), "두 개까지"), ("", form_key(), "1자에서 60자"), ("   ", form_key(), "1자에서 60자"), (&"가".repeat(61), form_key(), "1자에서 60자"), ("a\u{7}b", form_key(), "1자에서 60자")] {
            let page = owner.gives_back(KEYS, &[("name", name), ("key", &key)]).await;
            let field = tag(&page, "id=\"key-name\"");
            assert!(field.contains(&format!("value=\"{name}\"")) && field.contains("aria-invalid=\"true\"") && field.contains("key-name-fault") && field.contains("autofocus"), "{field}");
            let (_, fault) = page.split_once("id=\"key-name-fault\"").unwrap();
            assert!(fault.split_once("</p>").unwrap().0.contains(words), "{name:?}: {fault}");
        }
        let page = owner.gives_back(KEYS, &[("name", "앱"), ("key", "x")]).await;
        assert!(page.contains("양식을 확인할 수 없어서") && tag(&page, "id=\"key-name\"").contains("value=\"앱\""), "{page}");

        let page = owner.open(KEYS).await.text;
        assert!(!page.contains(&first) && page.contains(&format!("{}…", &first[..9])) && page.contains("없음"), "{page}");
        assert!(!db.read("SELECT name || COALESCE(hint, '') FROM api_keys").await.concat().contains(&first));
        let keys = app.running.core.access.api_keys(10).await.unwrap();
        let old = keys.iter().find(|key| key.hint.as_deref() == Some(&first[..9])).unwrap();
        assert!(old.last_used_at.is_some());
        assert_eq!(owner.leads(&format!("{KEYS}/{}/revoke", old.id), &[]).await, format!("{KEYS}?done=revoked"));
        assert_eq!((status(&first).await, status(&second).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
        assert_eq!(owner.leads(&format!("{KEYS}/{}/revoke", old.id), &[]).await, format!("{KEYS}?error=not_found"));
        assert_eq!(owner.press(KEYS, &[("name", "쇼핑몰")]).await.status, StatusCode::OK, "there is room again");
        // What the history says stays the same name.
        let body = serde_json::json!({ "payment_id": "A", "name": "사과", "amount": 1000 });
        let order = app.client.request(Method::POST, app.url("/api/v1/orders")).bearer_auth(&second).json(&body);
        assert_eq!(app.send(order).await.status, StatusCode::CREATED);
        assert_eq!(app.history("A").await[0]["actor"], "shop:쇼핑몰");
    }

    async fn guesses_at_a_password_from_within_wait_as_well(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let staff = Browser { app: &app, cookie: sign_in(&app, Role::Staff).await };
        let form = [("present", "wrong"), ("new", "a new password"), ("again", "a new password")];
        let mut looked_at = 0;
        while staff.leads(&format!("{ACCOUNT}/password"), &form).await == format!("{ACCOUNT}?error=refused") {
            looked_at += 1;
            assert!(looked_at < 30, "no end");
        }
        assert!(looked_at >= 10, "{looked_at}");
        assert_eq!(staff.leads(&format!("{ACCOUNT}/password"), &form).await, format!("{ACCOUNT}?error=wait"));
    }
}
