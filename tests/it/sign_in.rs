//! Signing in against people who guess.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::StatusCode;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use wanryo::adapters::system::SystemClock;
use wanryo::ports::clock::Clock;
use wanryo::service::{PASSWORD_HASHES_MAX, access};

use crate::app::{Answer, TestApp};
use crate::support::{TestDatabase, on_both_databases};

const EMAIL: &str = "staff@example.com";
const PASSWORD: &str = "correct horse battery";

/// Stands still until it is pushed: hashing takes longer than the waits that are measured.
pub(crate) struct Still(AtomicI64);

impl Still {
    pub(crate) fn now() -> Self {
        Self(AtomicI64::new(SystemClock.now().as_millisecond()))
    }

    pub(crate) fn push(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    async fn sleep(&self, time: Duration) {
        SystemClock.sleep(time).await;
    }
}

/// Behind a proxy, so that a test may come from anywhere; with one person, and a clock that can be pushed.
async fn start(db: &TestDatabase) -> (TestApp, Arc<Still>) {
    let clock = Arc::new(Still::now());
    let app = TestApp::start_at(
        db,
        TestApp::new_sandbox().await,
        |settings| settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()],
        Arc::clone(&clock) as _,
    )
    .await;
    access::put_user(&app.running.core, EMAIL, SecretString::from(PASSWORD), None)
        .await
        .unwrap();
    (app, clock)
}

async fn sign_in(app: &TestApp, from: &str, email: &str, password: &str, cookie: &str) -> Answer {
    let request = app
        .client
        .post(app.url("/login"))
        .header("x-forwarded-for", from)
        .header("accept", "text/html")
        // An idle connection may be closed by the server while the next request is sent.
        .header("connection", "close")
        .header("cookie", cookie)
        .form(&[("email", email), ("password", password)]);
    app.send(request).await
}

/// The cookies that an answer sets, as a browser sends them back.
fn cookies(answer: &Answer) -> String {
    let set = answer.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> = set
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

fn is_in(answer: &Answer) -> bool {
    answer.status == StatusCode::SEE_OTHER && answer.headers["location"] == "/orders"
}

/// What a person sees of an answer, without what is drawn anew for each.
fn seen(answer: &Answer) -> (StatusCode, Option<String>, Option<String>, String) {
    let header = |name: &str| Some(answer.headers.get(name)?.to_str().unwrap().to_owned());
    let main = answer.text.split("<main").nth(1).unwrap_or_default();
    let main = main.split("</main>").next().unwrap_or_default();
    (
        answer.status,
        header("location"),
        header("retry-after"),
        main.to_owned(),
    )
}

/// The proof that a browser is known, as the server makes it, with another hash than the account's.
fn forged(email: &str, hash: &str, nonce: u8) -> String {
    let mut key = [0; 64];
    key[..32].copy_from_slice(&Sha256::digest(hash));
    let mut proof = <Hmac<Sha256> as KeyInit>::new(&key.into());
    proof.update(&[nonce; 16]);
    proof.update(email.as_bytes());
    let token = [[nonce; 16].as_slice(), &proof.finalize().into_bytes()].concat();
    format!("wanryo-browser={}", URL_SAFE_NO_PAD.encode(token))
}

on_both_databases! {
    /// A full disk, a database that only reads: that is when the back office is needed.
    async fn who_is_signed_in_reads_on_while_nothing_can_be_written(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        app.order("ORD-1").await;
        let cookie = cookies(&sign_in(&app, "198.51.100.1", EMAIL, PASSWORD, "").await);
        let refuse = match db.sqlite_path() {
            Some(_) => "CREATE TRIGGER no_more BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'no more'); END",
            None => "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no more'; END $$;
                CREATE TRIGGER no_more BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
        };
        db.run(refuse).await;
        let open = async || app.send(app.client.get(app.url("/orders")).header("accept", "text/html").header("cookie", &cookie)).await;

        clock.push(Duration::from_mins(20));
        let page = open().await;
        assert_eq!(page.status, StatusCode::OK, "{:?}", page.headers);
        assert!(page.text.contains("ORD-1"), "{}", page.text);
        clock.push(Duration::from_mins(20));
        assert_eq!(open().await.status, StatusCode::SEE_OTHER, "nobody has seen it since, so it has idled for too long");
    }

    async fn a_browser_is_known_to_an_account_alone(db: TestDatabase) {
        let (app, _clock) = start(&db).await;
        let nobody = "nobody@example.com";
        for email in [EMAIL, nobody] {
            for n in 0..6 {
                sign_in(&app, &format!("192.0.2.{n}"), email, "wrong", "").await;
            }
        }
        // What stands for nobody's hash is in the code, which everybody can read.
        for email in [EMAIL, nobody] {
            let cookie = forged(email, access::NOBODY, 7);
            let answer = sign_in(&app, "192.0.2.9", email, "wrong", &cookie).await;
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{email}");
        }
    }

    async fn who_guesses_waits_longer_and_longer_and_is_told_so(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        for _ in 0..5 {
            assert_eq!(sign_in(&app, "192.0.2.1", EMAIL, "wrong", "").await.status, StatusCode::SEE_OTHER);
        }

        let mut waits = Vec::new();
        for _ in 0..8 {
            let refused = sign_in(&app, "192.0.2.1", EMAIL, PASSWORD, "").await;
            assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "the right one is not even looked at");
            let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!(refused.text.contains(&format!("{seconds}초 뒤에 다시")) && refused.text.contains("role=\"alert\""), "{}", refused.text);
            assert!(refused.text.contains("name=\"password\""), "the form is there");
            waits.push(seconds);
            clock.push(Duration::from_secs(seconds));
            assert_eq!(sign_in(&app, "192.0.2.1", EMAIL, "wrong", "").await.status, StatusCode::SEE_OTHER);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);

        let english = app.client.post(app.url("/login?lang=en")).header("x-forwarded-for", "192.0.2.1").header("accept", "text/html").form(&[("email", EMAIL), ("password", "x"), ("next", "/attention")]);
        let english = app.send(english).await;
        assert!(english.text.contains("Please wait ") && english.text.contains("value=\"/attention\""), "{}", english.text);
        clock.push(Duration::from_secs(60));
        assert!(is_in(&sign_in(&app, "192.0.2.1", EMAIL, PASSWORD, "").await), "nobody is locked out");
        assert!(is_in(&sign_in(&app, "192.0.2.1", EMAIL, PASSWORD, "").await), "and who knows it is forgiven");
    }

    async fn who_signed_in_before_is_not_kept_out_by_who_guesses(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let known = cookies(&sign_in(&app, "192.0.2.1", EMAIL, PASSWORD, "").await);
        assert!(known.contains("wanryo-browser="), "{known}");

        // From many addresses, the person's own among them.
        for n in 0..40 {
            sign_in(&app, &format!("198.51.100.{n}"), EMAIL, "wrong", "").await;
            sign_in(&app, "192.0.2.1", &format!("other{n}@example.com"), "wrong", "").await;
        }

        assert_eq!(sign_in(&app, "203.0.113.9", EMAIL, PASSWORD, "").await.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(sign_in(&app, "192.0.2.1", "fresh@example.com", "x", "").await.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(is_in(&sign_in(&app, "192.0.2.1", EMAIL, PASSWORD, &known).await));
        // A known browser has an end, too, and is known to its own account alone.
        assert_eq!(sign_in(&app, "192.0.2.1", "fresh@example.com", "x", &known).await.status, StatusCode::TOO_MANY_REQUESTS);
        let mut looked_at = 0;
        while sign_in(&app, "192.0.2.1", EMAIL, "wrong", &known).await.status == StatusCode::SEE_OTHER {
            looked_at += 1;
        }
        assert_eq!(looked_at, 10);
        // With a new password every browser is a stranger.
        clock.push(Duration::from_secs(61));
        access::put_user(&app.running.core, EMAIL, SecretString::from("another password"), None).await.unwrap();
        sign_in(&app, "203.0.113.9", EMAIL, "wrong", "").await;
        assert_eq!(sign_in(&app, "192.0.2.1", EMAIL, "another password", &known).await.status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn an_account_that_is_not_there_is_answered_like_one_that_is(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        for round in 0..9 {
            let there = sign_in(&app, "192.0.2.1", EMAIL, "wrong", "").await;
            let nowhere = sign_in(&app, "192.0.2.2", "nobody@example.com", "wrong", "").await;
            assert_eq!(seen(&there), seen(&nowhere), "{round}");
            assert_eq!(there.status, if (5..=6).contains(&round) { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SEE_OTHER }, "{round}");
            if round == 6 {
                clock.push(Duration::from_secs(2));
            }
            if round == 7 {
                clock.push(Duration::from_secs(4));
            }
        }
    }

    async fn many_at_once_get_no_more_guesses_and_no_more_of_the_machine(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let app = Arc::new(app);
        let all = |email: fn(usize) -> String, from: fn(usize) -> String| {
            let app = Arc::clone(&app);
            async move {
                let mut sent = tokio::task::JoinSet::new();
                for n in 0..120 {
                    let app = Arc::clone(&app);
                    sent.spawn(async move { sign_in(&app, &from(n), &email(n), "wrong", "").await });
                }
                let answers = sent.join_all().await;
                let looked_at = answers.iter().filter(|answer| answer.status == StatusCode::SEE_OTHER).count();
                let told_to_wait = answers.iter().filter(|answer| answer.text.contains("로그인에 여러 번 실패했어요")).count();
                (looked_at, told_to_wait)
            }
        };

        let (one_account, told) = all(|_| EMAIL.to_owned(), |n| format!("198.51.100.{n}")).await;
        assert!(told >= 80, "{told} of 120 were told to wait, before anything was hashed");
        let (one_source, told) = all(|n| format!("{n}@example.com"), |_| "192.0.2.1".to_owned()).await;

        assert!(told >= 80, "{told} of 120 were told to wait");
        assert!((1..=5).contains(&one_account), "{one_account} of 120 were looked at");
        assert!((1..=20).contains(&one_source), "{one_source} of 120 were looked at");
        let (everybody, _) = all(|n| format!("else{n}@example.com"), |n| format!("203.0.113.{n}")).await;
        assert!((PASSWORD_HASHES_MAX..120).contains(&everybody), "{everybody} of 120 were looked at, and the others not kept waiting");
        clock.push(Duration::from_secs(60));
        assert!(is_in(&sign_in(&app, "192.0.2.9", "STAFF@example.com ", PASSWORD, "").await), "every place is given back");
    }
}
