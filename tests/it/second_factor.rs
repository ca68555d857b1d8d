//! The second factor: set up, asked for, used once, slowed down, and taken away.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use wanryo::domain::access::Role;
use wanryo::domain::one_time_code::{CodeSecret, STEP_SECONDS};
use wanryo::service::access;

use crate::app::{Answer, TestApp};
use crate::browser::Browser;
use crate::roles::sign_in;
use crate::sign_in::Still;
use crate::support::{TestDatabase, on_both_databases};

const ACCOUNT: &str = "/settings/account";
const EMAIL: &str = "staff@example.com";
const PASSWORD: &str = "correct horse battery";

impl Browser<'_> {
    async fn password(&mut self) -> String {
        let form = [
            ("email", EMAIL),
            ("password", PASSWORD),
            ("next", "/attention"),
        ];
        location(&self.post("/login", &form).await)
    }

    async fn code(&mut self, code: &str) -> String {
        let form = [("code", code), ("next", "/attention")];
        location(&self.post("/login/code", &form).await)
    }

    async fn is_in(&mut self) -> bool {
        self.open("/orders").await.status == StatusCode::OK
    }

    /// Sets an app up; its secret, and the recovery codes.
    async fn set_up(&mut self) -> (CodeSecret, Vec<String>) {
        let page = self
            .post(&format!("{ACCOUNT}/second-factor"), &[])
            .await
            .text;
        assert!(page.contains("class=\"qr\""), "{page}");
        let (_, rest) = page.split_once("name=\"secret\" value=\"").unwrap();
        let text = rest.split('"').next().unwrap();
        let secret = CodeSecret::from_base32(text).unwrap();
        let code = now(self.app, &secret);
        let form = [("secret", text), ("code", code.as_str())];
        let on = self
            .post(&format!("{ACCOUNT}/second-factor/confirm"), &form)
            .await;
        (secret, recovery_codes(&on))
    }
}

/// The recovery codes that a page shows, all of them.
pub(crate) fn recovery_codes(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, StatusCode::OK, "{:?}", page.headers);
    let (_, codes) = page.text.split_once("role=\"status\"").unwrap();
    let codes = codes.split("<bdi>").skip(1);
    let codes: Vec<String> = codes
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .filter(|code| code.contains('-'))
        .collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    codes
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// The code that an app shows now.
fn now(app: &TestApp, secret: &CodeSecret) -> String {
    let step = app
        .running
        .core
        .clock
        .now()
        .as_second()
        .div_euclid(STEP_SECONDS);
    format!("{:06}", secret.code(step).unwrap())
}

async fn start(db: &TestDatabase) -> (TestApp, Arc<Still>) {
    let clock = Arc::new(Still::now());
    let sandbox = TestApp::new_sandbox().await;
    let app = TestApp::start_at(db, sandbox, |_| {}, Arc::clone(&clock) as _).await;
    let password = SecretString::from(PASSWORD);
    access::put_user(&app.running.core, EMAIL, password, None)
        .await
        .unwrap();
    (app, clock)
}

const STEP: Duration = Duration::from_secs(30);
const ASKED: &str = "/login/code?next=%2Fattention";

on_both_databases! {
    /// Pressed twice: the codes that are shown are those that count.
    async fn of_two_forms_that_turn_it_on_one_counts(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let core = &app.running.core;
        access::put_user(core, EMAIL, SecretString::from(PASSWORD), None).await.unwrap();
        for _ in 0..8 {
            let fresh = access::factor::draw_secret(core);
            let code = now(&app, &fresh);
            let turn_on = || access::factor::turn_on(core, EMAIL, fresh.clone(), &code);
            let (one, other) = tokio::join!(turn_on(), turn_on());
            let (on, refused) = if one.is_ok() { (one, other) } else { (other, one) };
            assert!(matches!(refused, Err(access::AccessError::Exists)), "{:?}", refused.err());
            let (_, codes) = on.unwrap();
            access::factor::turn_off(core, EMAIL, codes[0].expose_secret()).await.unwrap();
        }
    }

    async fn a_code_is_asked_for_and_counts_once(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut browser = Browser::new(&app);
        assert_eq!(browser.password().await, "/attention");
        let mut other = Browser::new(&app);
        other.password().await;
        let wrong = browser.post(&format!("{ACCOUNT}/second-factor/confirm"), &[("secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), ("code", "x")]).await;
        assert!(wrong.status == StatusCode::OK && wrong.text.contains("코드가 맞지 않아요") && wrong.text.contains("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "the same secret again");
        let (secret, codes) = browser.set_up().await;
        assert!(browser.is_in().await && !other.is_in().await, "the other sessions knew the password alone");
        let page = browser.open(ACCOUNT).await.text;
        assert!(page.contains("복구 코드가 10개") && !page.contains(&codes[0]) && !page.contains(&secret.to_base32()), "shown once");
        let again = browser.post(&format!("{ACCOUNT}/second-factor/confirm"), &[("secret", &secret.to_base32()), ("code", &now(&app, &secret))]).await;
        assert_eq!(location(&again), format!("{ACCOUNT}?error=factor_exists"));

        let used = now(&app, &secret);
        assert_eq!(other.password().await, ASKED);
        assert!(other.has("wanryo-half") && !other.is_in().await, "half a sign-in opens nothing");
        let half = other.cookies.iter().find(|(name, _)| name == "wanryo-half").unwrap().1.clone();
        let mut as_session = Browser::new(&app);
        as_session.cookies.push(("wanryo".to_owned(), half));
        assert!(!as_session.is_in().await);
        let refused = "/login/code?error=refused&next=%2Fattention";
        assert_eq!(other.code(&used).await, refused, "it was used to set it up");
        assert_eq!(other.code("000").await, refused);
        assert!(other.open("/login/code?error=refused").await.text.contains("이미 쓴 코드예요"));
        clock.push(STEP);
        let code = now(&app, &secret);
        assert_eq!(other.code(&format!(" {} {} ", &code[..3], &code[3..])).await, "/attention");
        assert!(other.is_in().await && !other.has("wanryo-half"));
        let mut third = Browser::new(&app);
        assert_eq!(third.password().await, ASKED);
        assert_eq!(third.code(&code).await, refused, "no code counts twice");
        assert_eq!(third.code(&codes[3].to_uppercase().replace('-', " ")).await, "/attention", "a recovery code, however it is typed");
        let mut fourth = Browser::new(&app);
        fourth.password().await;
        assert_eq!(fourth.code(&codes[3]).await, refused, "once");
        assert!(third.open(&format!("{ACCOUNT}?lang=en")).await.text.contains("9 recovery codes are left"));
        let stored = db.read("SELECT email || COALESCE(code_secret, '') FROM users").await.concat();
        assert!(codes.iter().all(|code| !stored.contains(code)));
    }

    async fn recovery_codes_are_made_anew_with_a_code(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut browser = Browser::new(&app);
        browser.password().await;
        let renew = format!("{ACCOUNT}/second-factor/recovery-codes");
        assert_eq!(location(&browser.post(&renew, &[("code", "123456")]).await), format!("{ACCOUNT}?error=code"), "there is no second factor");
        let (secret, first) = browser.set_up().await;
        for wrong in ["123456", "", &now(&app, &secret)] {
            assert_eq!(location(&browser.post(&renew, &[("code", wrong)]).await), format!("{ACCOUNT}?error=code"), "{wrong}");
        }
        clock.push(STEP);
        let code = now(&app, &secret);
        let second = recovery_codes(&browser.post(&renew, &[("code", &code)]).await);
        assert!(second.iter().all(|code| !first.contains(code)) && browser.is_in().await);
        assert_eq!(location(&browser.post(&renew, &[("code", &code)]).await), format!("{ACCOUNT}?error=code"), "pressed twice");
        let mut other = Browser::new(&app);
        assert_eq!(other.password().await, ASKED);
        assert_eq!(other.code(&first[0]).await, "/login/code?error=refused&next=%2Fattention", "those from before do not count any longer");
        assert_eq!(other.code(&second[0]).await, "/attention");
        let third = recovery_codes(&other.post(&renew, &[("code", &second[1])]).await);
        assert!(third.iter().all(|code| !second.contains(code)), "a recovery code makes others as well");
        assert!(browser.open(ACCOUNT).await.text.contains("복구 코드가 10개"));
    }

    async fn half_a_sign_in_ends_by_time_and_with_everything_else(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut browser = Browser::new(&app);
        browser.password().await;
        let (secret, _) = browser.set_up().await;
        let mut late = Browser::new(&app);
        assert_eq!(late.password().await, ASKED);
        clock.push(Duration::from_secs(601));
        assert_eq!(late.code(&now(&app, &secret)).await, "/login");
        assert_eq!(Browser::new(&app).code(&now(&app, &secret)).await, "/login", "without a password no code is looked at");

        let mut meanwhile = Browser::new(&app);
        assert_eq!(meanwhile.password().await, ASKED);
        access::put_user(&app.running.core, EMAIL, SecretString::from("another password"), None).await.unwrap();
        assert_eq!(meanwhile.code(&now(&app, &secret)).await, "/login", "a new password ends what was begun with the old one");
    }

    async fn codes_are_not_guessed(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut browser = Browser::new(&app);
        browser.password().await;
        let (secret, _) = browser.set_up().await;
        let mut thief = Browser::new(&app);
        thief.password().await;
        let (mut looked_at, mut waited) = (0, 0);
        for _ in 0..60 {
            match thief.code("123456").await.as_str() {
                "/login/code?error=refused&next=%2Fattention" => looked_at += 1,
                "/login/code?error=wait&next=%2Fattention" => waited += 1,
                other => panic!("{other}"),
            }
            clock.push(Duration::from_secs(2));
        }
        assert!(looked_at <= 11 && waited > 40, "{looked_at} were looked at");
        assert!(thief.open("/login/code?error=wait&lang=en").await.text.contains("too many wrong codes"));
        // The person's own browser is no stranger, and is not kept out.
        browser.post("/logout", &[]).await;
        assert_eq!(browser.password().await, ASKED);
        clock.push(STEP);
        assert_eq!(browser.code(&now(&app, &secret)).await, "/attention");
    }

    async fn it_is_removed_with_a_code_by_an_owner_or_by_the_command(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut browser = Browser::new(&app);
        browser.password().await;
        let (secret, codes) = browser.set_up().await;
        let remove = format!("{ACCOUNT}/second-factor/remove");
        assert_eq!(location(&browser.post(&remove, &[("code", "123456")]).await), format!("{ACCOUNT}?error=code"));
        assert_eq!(location(&browser.post(&remove, &[]).await), format!("{ACCOUNT}?error=code"));
        clock.push(STEP);
        assert_eq!(location(&browser.post(&remove, &[("code", &now(&app, &secret))]).await), format!("{ACCOUNT}?done=factor_removed"));
        assert!(browser.is_in().await);
        let mut fresh = Browser::new(&app);
        assert_eq!(fresh.password().await, "/attention");
        assert_eq!(db.read("SELECT CAST(COUNT(*) AS TEXT) FROM recovery_codes").await, ["0"]);

        clock.push(STEP);
        let (_, fresh_codes) = fresh.set_up().await;
        assert_ne!(codes, fresh_codes);
        let mut owner = Browser::new(&app);
        owner.cookies.push(("wanryo".to_owned(), sign_in(&app, Role::Owner).await.split_once('=').unwrap().1.to_owned()));
        let list = owner.open("/settings/users?lang=en").await.text;
        let (_, rest) = list.split_once("/drop-second-factor").map(|(before, after)| (before.rsplit("/settings/users/").next().unwrap().to_owned(), after)).unwrap();
        assert!(!rest.contains("/drop-second-factor"), "only of who has one");
        let id = list.split("/drop-second-factor").next().unwrap().rsplit('/').next().unwrap().to_owned();
        let drop = format!("/settings/users/{id}/drop-second-factor");
        for spelling in ["", "0", "%2B", "000"] {
            let drop = format!("/settings/users/{spelling}{id}/drop-second-factor");
            assert_eq!(location(&fresh.post(&drop, &[]).await), format!("{ACCOUNT}?error=refused"), "one's own takes a code, however it is spelled");
        }
        assert!(!fresh.open("/settings/users").await.text.contains(&drop) && fresh.is_in().await);
        assert_eq!(location(&owner.post(&drop, &[]).await), "/settings/users?done=factor_dropped");
        assert!(!fresh.is_in().await);
        assert_eq!(fresh.password().await, "/attention");

        clock.push(STEP);
        fresh.set_up().await;
        access::factor::drop_of(&app.running.core, " Staff@example.com").await.unwrap();
        assert_eq!(Browser::new(&app).password().await, "/attention");
        assert!(access::factor::drop_of(&app.running.core, "nobody@example.com").await.is_err());
    }
}
