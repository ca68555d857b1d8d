//! The log of who did what: that every deed is in it, that no secret is, and that nobody writes in it unseen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::json;
use wanryo::adapters::store::inspect;
use wanryo::domain::access::Role;
use wanryo::domain::audit::{Act, BrokenAt};
use wanryo::domain::history::Actor;
use wanryo::domain::one_time_code::{CodeSecret, STEP_SECONDS};
use wanryo::ports::audit::{AuditStore, Mistake};
use wanryo::ports::clock::Clock;
use wanryo::ports::store::{AccessStore, NewUser, UserChange, UserChanged};
use wanryo::service::access::{self, factor};

use crate::app::TestApp;
use crate::browser::Browser;
use crate::office::form_key;
use crate::roles;
use crate::second_factor::recovery_codes;
use crate::sign_in::Still;
use crate::support::{TestDatabase, on_both_databases};

const PAGE: &str = "/settings/audit";
const USERS: &str = "/settings/users";
const KEYS: &str = "/settings/keys";
const ACCOUNT: &str = "/settings/account";
const WEBHOOKS: &str = "/settings/webhooks";
const OWNER: &str = "owner@example.com";
const KIM: &str = "kim@example.com";
/// More than there are entries in any of these tests.
const ALL: u32 = 10_000;

impl Browser<'_> {
    async fn sign_in(&mut self, email: &str, password: &str) -> String {
        self.leads("/login", &[("email", email), ("password", password)])
            .await
    }
}

/// What a page shows once.
fn shown(page: &str) -> String {
    let (_, section) = page.split_once("role=\"status\"").expect("shown once");
    let (_, code) = section
        .split_once("<code class=\"office-id\"><bdi>")
        .unwrap();
    code.split('<').next().unwrap().to_owned()
}

/// Waits for what nobody else waits for.
async fn settle(app: &TestApp) {
    let tasks = &app.running.core.tasks;
    tasks.close();
    tasks.wait().await;
    tasks.reopen();
}

/// The whole log, in order, without times.
async fn told(db: &TestDatabase) -> Vec<String> {
    db.read("SELECT actor || ' ' || act || ' ' || COALESCE(target, '-') || ' ' || COALESCE(detail, '-') FROM audit_log ORDER BY id").await
}

async fn broken_at(store: &dyn AuditStore) -> Option<i64> {
    let chain = store.audit_chain(ALL).await.unwrap();
    chain.broken_at.map(|BrokenAt(id)| id)
}

fn stranger(account: Option<&str>, at: Timestamp) -> Mistake {
    Mistake {
        at,
        by: Actor::Stranger,
        act: Act::WrongPassword,
        account: account.map(str::to_owned),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

async fn start(db: &TestDatabase) -> (TestApp, Arc<Still>) {
    let clock = Arc::new(Still::now());
    let sandbox = TestApp::new_sandbox().await;
    let app = TestApp::start_at(db, sandbox, |_| {}, Arc::clone(&clock) as _).await;
    (app, clock)
}

/// What was done since this was asked last, and that the chain holds.
struct News<'a> {
    app: &'a TestApp,
    db: &'a TestDatabase,
    heard: usize,
    acts: BTreeSet<&'static str>,
}

impl News<'_> {
    async fn are(&mut self, expected: &[String]) {
        settle(self.app).await;
        let all = told(self.db).await;
        assert_eq!(all[self.heard..], *expected);
        self.heard = all.len();
        let acts = all.iter().map(|entry| entry.split(' ').nth(1).unwrap());
        self.acts
            .extend(acts.map(|word| Act::from_word(word).unwrap().as_str()));
        assert_eq!(broken_at(self.app.running.core.audit.as_ref()).await, None);
    }
}

/// Of a person's own deeds, and of the owner's.
fn by(email: &str, what: &str) -> String {
    format!("staff:{email} {what}")
}

on_both_databases! {
    async fn every_deed_is_written_down_once_and_no_secret_with_it(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        let mut secrets = vec![app.key().to_owned(), "canary".to_owned()];
        let mut news = News { app: &app, db: &db, heard: 0, acts: BTreeSet::new() };
        news.are(&[format!("command key_made test {}", &app.key()[..9])]).await;

        // Who comes in.
        access::put_user(&app.running.core, OWNER, SecretString::from("canary password"), Some(Role::Owner)).await.unwrap();
        let mut owner = Browser::new(&app);
        assert_eq!(owner.sign_in(OWNER, "wrong canary").await, "/login?error=refused&next=%2Forders");
        assert_eq!(owner.sign_in("canary@example.com", "wrong canary").await, "/login?error=refused&next=%2Forders");
        settle(&app).await;
        assert_eq!(owner.sign_in(" OWNER@example.com", "canary password").await, "/orders");
        news.are(&[
            format!("command user_added {OWNER} owner"),
            format!("stranger wrong_password {OWNER} 1"),
            "stranger wrong_password - 1".to_owned(),
            by(OWNER, &format!("signed_in {OWNER} -")),
        ]).await;

        // People.
        let handed = shown(&owner.post(USERS, &[("email", KIM), ("role", "viewer"), ("key", &form_key())]).await.text);
        assert_eq!(owner.post(USERS, &[("email", KIM), ("role", "viewer"), ("key", &form_key())]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        let users = app.running.core.access.users(Timestamp::MIN, 10).await.unwrap();
        let id = |email: &str| users.iter().find(|user| user.email == email).unwrap().id;
        for (action, form) in [("role", [("role", "staff")].as_slice()), ("disable", &[]), ("enable", &[]), ("sign-out", &[])] {
            assert!(owner.leads(&format!("{USERS}/{}/{action}", id(KIM)), form).await.contains("?done="), "{action}");
        }
        assert_eq!(owner.leads(&format!("{USERS}/{}/disable", id(OWNER)), &[]).await, format!("{USERS}?error=last_owner"));
        secrets.push(handed);
        let handed = shown(&owner.post(&format!("{USERS}/{}/password", id(KIM)), &[]).await.text);
        let added = ["user_added {} viewer", "role_changed {} staff", "user_disabled {} -", "user_enabled {} -", "signed_out {} -", "password_handed {} -"];
        news.are(&added.map(|what| by(OWNER, &what.replace("{}", KIM)))).await;

        // One's own account.
        let mut kim = Browser::new(&app);
        kim.sign_in(KIM, &handed).await;
        let password = |present: &str| [("present", present.to_owned()), ("new", "canary of kim".to_owned()), ("again", "canary of kim".to_owned())];
        for (present, result) in [("wrong canary", "error=refused"), (&handed, "done=password")] {
            let form = password(present);
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(kim.leads(&format!("{ACCOUNT}/password"), &form).await, format!("{ACCOUNT}?{result}"));
            settle(&app).await;
        }
        secrets.push(handed);
        let page = kim.post(&format!("{ACCOUNT}/second-factor"), &[]).await.text;
        let (_, rest) = page.split_once("name=\"secret\" value=\"").unwrap();
        let text = rest.split('"').next().unwrap().to_owned();
        let secret = CodeSecret::from_base32(&text).unwrap();
        let step = clock.now().as_second().div_euclid(STEP_SECONDS);
        let code = format!("{:06}", secret.code(step).unwrap());
        let on = kim.post(&format!("{ACCOUNT}/second-factor/confirm"), &[("secret", &text), ("code", &code)]).await;
        let mut recovery = recovery_codes(&on);
        let mut elsewhere = Browser::new(&app);
        assert!(elsewhere.sign_in(KIM, "canary of kim").await.starts_with("/login/code"));
        assert!(elsewhere.leads("/login/code", &[("code", "canary")]).await.contains("error=refused"));
        settle(&app).await;
        assert_eq!(elsewhere.leads("/login/code", &[("code", &recovery[0])]).await, "/orders");
        assert!(kim.leads(&format!("{ACCOUNT}/second-factor/remove"), &[("code", "canary")]).await.contains("error=code"));
        settle(&app).await;
        recovery.splice(0..0, recovery_codes(&kim.post(&format!("{ACCOUNT}/second-factor/recovery-codes"), &[("code", &recovery[1])]).await));
        assert!(kim.leads(&format!("{ACCOUNT}/second-factor/remove"), &[("code", &recovery[1])]).await.contains("done=factor_removed"));
        assert_eq!(kim.leads(&format!("{ACCOUNT}/sign-out"), &[]).await, "/login");
        assert_eq!(owner.leads(&format!("{USERS}/{}/drop-second-factor", id(KIM)), &[]).await, format!("{USERS}?done=factor_dropped"));
        factor::drop_of(&app.running.core, KIM).await.unwrap();
        access::put_user(&app.running.core, KIM, SecretString::from("canary again"), None).await.unwrap();
        let own = ["signed_in {} -", "wrong_present_password {} 1", "password_changed {} -", "factor_on {} -"].map(|what| by(KIM, &what.replace("{}", KIM)));
        let mut expected = own.to_vec();
        expected.push(format!("stranger wrong_code {KIM} 1"));
        expected.extend(["recovery_code_used {} -", "signed_in {} -", "wrong_code {} 2", "recovery_code_used {} -", "new_recovery_codes {} -", "recovery_code_used {} -", "factor_off {} -", "signed_out {} -"].map(|what| by(KIM, &what.replace("{}", KIM))));
        expected.extend([by(OWNER, &format!("factor_off {KIM} -")), format!("command factor_off {KIM} -"), format!("command password_changed {KIM} -")]);
        news.are(&expected).await;
        secrets.extend([text, code]);
        secrets.extend(recovery);

        // Keys.
        let key = shown(&owner.post(KEYS, &[("name", "쇼핑몰"), ("key", &form_key())]).await.text);
        let kept = app.running.core.access.api_keys(10).await.unwrap();
        let revoke = format!("{KEYS}/{}/revoke", kept.iter().find(|key| key.name == "쇼핑몰").unwrap().id);
        assert_eq!(owner.leads(&revoke, &[]).await, format!("{KEYS}?done=revoked"));
        assert_eq!(owner.leads(&revoke, &[]).await, format!("{KEYS}?error=not_found"));
        let hint = &key[..9];
        news.are(&[by(OWNER, &format!("key_made 쇼핑몰 {hint}")), by(OWNER, &format!("key_revoked 쇼핑몰 {hint}"))]).await;
        secrets.push(key);

        // Orders.
        app.order_with("ORD-1", json!({ "buyer": { "name": "canary buyer", "tel": "010-0000-0000", "email": "canary@example.com" } })).await;
        assert_eq!(owner.leads("/orders/ORD-1/close", &[]).await, "/orders/ORD-1?done=closed");
        assert_eq!(owner.leads("/orders/ORD-1/close", &[]).await, "/orders/ORD-1?done=closed", "closed already");
        app.order("ORD-2").await;
        let paid = app.pay("ORD-2", json!({}));
        assert_eq!(app.complete(&format!("imp_uid={paid}&merchant_uid=ORD-2")).await.outcome(), "paid");
        let refund = [("transaction_id", paid.as_str()), ("amount", "20000"), ("left", "65000"), ("reason", "canary"), ("key", "00000000000000000000000000000000")];
        for _ in 0..2 {
            assert!(owner.leads("/orders/ORD-2/refund", &refund).await.contains("?done="), "twice is once");
        }
        app.order("ORD-3").await;
        let held = app.pay("ORD-3", json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={held}&merchant_uid=ORD-3")).await;
        let word = [("kind", "held"), ("transaction_id", held.as_str()), ("note", "canary")];
        for _ in 0..2 {
            assert_eq!(owner.leads("/attention/settle", &word).await, "/attention?done=settled", "twice is once");
        }
        app.order("ORD-4").await;
        assert_eq!(app.api(Method::POST, "/api/v1/orders/ORD-4/close", None).await.status, StatusCode::OK);
        news.are(&[
            by(OWNER, "order_closed ORD-1 -"),
            by(OWNER, "refund_asked ORD-2 20000 KRW"),
            by(OWNER, &format!("settled {held} held")),
        ]).await;

        // Where events go.
        let made = owner.post(WEBHOOKS, &[("url", "https://hooks.shop.example/canary?token=canary"), ("event_types", "order.paid"), ("key", &form_key())]).await.text;
        let (_, whsec) = made.split_once("whsec_").unwrap();
        secrets.push(format!("whsec_{}", whsec.split('<').next().unwrap()));
        let endpoints = app.running.core.deliveries.endpoints().await.unwrap();
        let endpoint = endpoints[0].id.as_str();
        for (action, done) in [("disable", "endpoint_disabled"), ("enable", "endpoint_enabled"), ("redeliver", "nothing_redelivered")] {
            assert_eq!(owner.leads(&format!("{WEBHOOKS}/{endpoint}/{action}"), &[]).await, format!("{WEBHOOKS}?done={done}"));
        }
        app.order("ORD-5").await;
        let paid = app.pay("ORD-5", json!({}));
        app.complete(&format!("imp_uid={paid}&merchant_uid=ORD-5")).await;
        let delivery = db.read("SELECT CAST(id AS TEXT) FROM deliveries").await.remove(0);
        assert_eq!(owner.leads(&format!("/settings/deliveries/{delivery}/redeliver"), &[]).await, format!("{WEBHOOKS}?done=redelivered"));
        db.run("UPDATE deliveries SET status = 'given_up', next_attempt_at = NULL").await;
        assert_eq!(owner.leads(&format!("{WEBHOOKS}/{endpoint}/dismiss"), &[("until", "2100-01-01T00:00:00Z")]).await, "/attention?done=settled");
        let api = format!("/api/v1/webhook-endpoints/{endpoint}");
        assert_eq!(app.api(Method::POST, &format!("{api}/redeliver"), Some(json!({}))).await.status, StatusCode::ACCEPTED);
        let change = json!({ "url": "https://other.shop.example/canary", "enabled": false });
        assert_eq!(app.api(Method::PATCH, &api, Some(change)).await.status, StatusCode::OK);
        let rotated = owner.post(&format!("{WEBHOOKS}/{endpoint}/rotate"), &[]).await.text;
        let (_, whsec) = rotated.split_once("whsec_").unwrap();
        secrets.push(format!("whsec_{}", whsec.split('<').next().unwrap()));
        assert_eq!(owner.leads(&format!("{WEBHOOKS}/{endpoint}/delete"), &[]).await, format!("{WEBHOOKS}?done=endpoint_deleted"));
        assert_eq!(app.api(Method::DELETE, &api, None).await.status, StatusCode::NOT_FOUND);
        news.are(&[
            by(OWNER, &format!("endpoint_added {endpoint} hooks.shop.example")),
            by(OWNER, &format!("endpoint_disabled {endpoint} -")),
            by(OWNER, &format!("endpoint_enabled {endpoint} -")),
            by(OWNER, &format!("redelivered {endpoint} {delivery}")),
            by(OWNER, &format!("dismissed {endpoint} 1")),
            format!("shop:test redelivered_many {endpoint} 1"),
            format!("shop:test endpoint_changed {endpoint} other.shop.example"),
            format!("shop:test endpoint_disabled {endpoint} -"),
            by(OWNER, &format!("endpoint_rotated {endpoint} -")),
            by(OWNER, &format!("endpoint_deleted {endpoint} -")),
        ]).await;

        let every: BTreeSet<&str> = Act::ALL.iter().map(|act| act.as_str()).collect();
        assert_eq!(news.acts, every, "a deed that is done nowhere above");
        let page = owner.read(&format!("{PAGE}?lang=en")).await;
        assert!(page.contains("hooks.shop.example") && page.contains("₩20,000") && page.contains("1 event"), "{page}");
        let mut log = told(&db).await.concat();
        log.push_str(&db.read("SELECT account || act FROM audit_mistakes").await.concat());
        for secret in secrets {
            assert!(!log.contains(&secret) && !page.contains(&secret), "{secret}");
        }
    }

    async fn a_deed_that_cannot_be_written_down_is_not_done(db: TestDatabase) {
        let database = db.open().await;
        database.put_user(OWNER, "hash", None, at(0)).await.unwrap();
        let owner = database.find_user(OWNER).await.unwrap().unwrap();
        db.run("DELETE FROM audit_head").await;
        let before = db.read("SELECT email || role || password_hash FROM users").await;

        let new = NewUser { email: KIM.to_owned(), password_hash: "hash".to_owned(), role: Role::Viewer, password_until: None };
        assert!(database.add_user(&new, &Actor::Command, at(1)).await.is_err());
        let change = UserChange::Password { hash: "other".to_owned(), before: None, until: None };
        assert!(database.change_user(owner.id, &change, &Actor::Command, at(1)).await.is_err());

        assert_eq!(db.read("SELECT email || role || password_hash FROM users").await, before);
        assert_eq!(told(&db).await.len(), 1);
        assert_eq!(broken_at(&database).await, Some(1), "nothing says where it ends");
    }

    async fn a_deed_that_is_not_done_is_not_written_down(db: TestDatabase) {
        let database = db.open().await;
        database.put_user(OWNER, "hash", None, at(0)).await.unwrap();
        let owner = database.find_user(OWNER).await.unwrap().unwrap();
        let (staff, by) = (UserChange::Role(Role::Staff), Actor::Command);
        let refused = tokio::join!(
            database.change_user(owner.id, &staff, &by, at(1)),
            database.change_user(owner.id, &UserChange::Disable, &by, at(1)),
            database.change_user(owner.id, &UserChange::SignOut, &by, at(1)),
        );
        assert_eq!(refused.0.unwrap(), UserChanged::LastOwner);
        assert_eq!(refused.1.unwrap(), UserChanged::LastOwner);
        assert_eq!(refused.2.unwrap(), UserChanged::Done, "beside those that were undone");
        assert_eq!(told(&db).await, [format!("command user_added {OWNER} owner"), format!("command signed_out {OWNER} -")]);
        assert_eq!(broken_at(&database).await, None);
    }

    async fn many_at_once_make_one_chain(db: TestDatabase) {
        let instances = [db.open().await, db.open().await];
        instances[0].put_user(OWNER, "hash", None, at(0)).await.unwrap();
        let owner = instances[0].find_user(OWNER).await.unwrap().unwrap().id;
        let tasks: Vec<_> = (0..60_usize)
            .map(|number| {
                let database = instances[number % 2].clone();
                tokio::spawn(async move {
                    let (second, by) = (i64::try_from(number).unwrap(), Actor::Shop(number.to_string()));
                    if number % 3 == 0 {
                        let new = NewUser { email: format!("{number}@example.com"), password_hash: "hash".to_owned(), role: Role::Viewer, password_until: None };
                        assert!(database.add_user(&new, &by, at(second)).await.unwrap());
                    } else {
                        let done = database.change_user(owner, &UserChange::SignOut, &by, at(second)).await.unwrap();
                        assert_eq!(done, UserChanged::Done);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }

        let chain = instances[1].audit_chain(ALL).await.unwrap();
        assert_eq!((chain.end.id, chain.from, chain.broken_at), (61, 1, None));
        let actors: BTreeSet<String> = db.read("SELECT actor FROM audit_log").await.into_iter().collect();
        assert_eq!(actors.len(), 61, "each is there");
    }

    async fn whatever_is_done_to_the_rows_is_found(db: TestDatabase) {
        let database = db.open().await;
        for second in 0..4 {
            database.put_user(OWNER, "hash", Some(Role::Owner), at(second)).await.unwrap();
            database.count_mistake(&stranger(None, at(second * 100_000))).await.unwrap();
        }
        let chain = database.audit_chain(ALL).await.unwrap();
        assert_eq!((chain.end.id, chain.broken_at), (8, None));
        db.run("CREATE TABLE saved_log AS SELECT * FROM audit_log; CREATE TABLE saved_head AS SELECT * FROM audit_head").await;
        let digest = if db.sqlite_path().is_some() { "x'0101010101010101010101010101010101010101010101010101010101010101'" } else { "'\\x0101010101010101010101010101010101010101010101010101010101010101'" };
        let of = |what: &str| what.replace("DIGEST", digest);
        let tampers = [
            ("UPDATE audit_log SET at = at + 1 WHERE id = 3", 3),
            ("UPDATE audit_log SET actor = 'staff:kim@example.com' WHERE id = 8", 8),
            ("UPDATE audit_log SET act = 'signed_in' WHERE id = 1", 1),
            ("UPDATE audit_log SET target = 'owner@example.con' WHERE id = 3", 3),
            ("UPDATE audit_log SET target = '' WHERE id = 4", 4),
            ("UPDATE audit_log SET detail = NULL WHERE id = 3", 3),
            ("UPDATE audit_log SET digest = DIGEST WHERE id = 5", 5),
            ("UPDATE audit_log SET previous_digest = DIGEST WHERE id = 5", 5),
            ("UPDATE audit_log SET id = 9 WHERE id = 5", 5),
            ("UPDATE audit_log SET id = 0 WHERE id = 1", 0),
            ("DELETE FROM audit_log WHERE id = 1", 1),
            ("DELETE FROM audit_log WHERE id = 4", 4),
            ("DELETE FROM audit_log WHERE id = 8", 8),
            ("DELETE FROM audit_log WHERE id > 5", 6),
            ("DELETE FROM audit_log", 1),
            ("DELETE FROM audit_log WHERE id = 8; UPDATE audit_head SET last_id = 7", 7),
            ("UPDATE audit_log SET id = 100 WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = 5; UPDATE audit_log SET id = 5 WHERE id = 100", 3),
            ("UPDATE audit_log SET id = id + 100 WHERE id >= 5; UPDATE audit_log SET id = id - 99 WHERE id > 100; INSERT INTO audit_log SELECT 5, at, actor, act, target, detail, previous_digest, digest FROM audit_log WHERE id = 4", 5),
            ("INSERT INTO audit_log SELECT 9, at, actor, act, target, detail, digest, digest FROM audit_log WHERE id = 8", 9),
            ("INSERT INTO audit_log SELECT -1, at, actor, act, target, detail, previous_digest, digest FROM audit_log WHERE id = 8", -1),
            ("UPDATE audit_head SET last_digest = DIGEST", 8),
            ("UPDATE audit_head SET last_id = 7", 8),
            ("UPDATE audit_head SET last_id = 9", 9),
            ("DELETE FROM audit_head", 1),
        ];
        for (tamper, first) in tampers {
            db.run(&of(tamper)).await;
            let audit = inspect(&db.url).await.unwrap().tables.unwrap().audit.unwrap();
            assert_eq!(audit.broken_at, Some(BrokenAt(first)), "{tamper}");
            assert_eq!(broken_at(&database).await, Some(first), "{tamper}");
            db.run("DELETE FROM audit_log; DELETE FROM audit_head; INSERT INTO audit_log SELECT * FROM saved_log; INSERT INTO audit_head SELECT * FROM saved_head").await;
            assert_eq!(broken_at(&database).await, None, "{tamper}, undone");
        }

        // The newest alone.
        db.run("UPDATE audit_log SET act = 'signed_in' WHERE id = 4").await;
        for (newest, from, found) in [(3, 6, None), (4, 5, None), (5, 4, Some(4)), (8, 1, Some(4)), (9, 1, Some(4))] {
            let chain = database.audit_chain(newest).await.unwrap();
            assert_eq!((chain.from, chain.broken_at), (from, found.map(BrokenAt)), "{newest}");
        }
        // What no chain shows by itself: whoever can write all of it can cut it short.
        db.run("DELETE FROM audit_log WHERE id > 3; UPDATE audit_head SET last_id = 3, last_digest = (SELECT digest FROM audit_log WHERE id = 3)").await;
        let cut = database.audit_chain(ALL).await.unwrap();
        assert_eq!(cut.broken_at, None);
        assert_ne!(cut.end, chain.end, "the digest that was written down is in it no more");
    }

    async fn guesses_by_the_thousand_leave_few_entries(db: TestDatabase) {
        let database = db.open().await;
        database.put_user(OWNER, "hash", None, at(0)).await.unwrap();
        for second in 0..1_000 {
            database.count_mistake(&stranger(Some(OWNER), at(second))).await.unwrap();
        }
        let counts = async |account: &str| db.read(&format!("SELECT detail FROM audit_log WHERE act = 'wrong_password' AND COALESCE(target, '') = '{account}' ORDER BY id")).await;
        assert_eq!(counts(OWNER).await, ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512"]);
        let day = 24 * 3_600;
        database.count_mistake(&stranger(Some(OWNER), at(day - 1))).await.unwrap();
        assert_eq!(counts(OWNER).await.len(), 10, "of the same day");
        database.count_mistake(&stranger(Some(OWNER), at(day))).await.unwrap();
        assert_eq!(counts(OWNER).await[10..], ["1"], "counted anew");
        database.count_mistake(&stranger(Some(OWNER), at(0))).await.unwrap();
        assert_eq!(counts(OWNER).await[10..], ["1", "1"], "by a clock that was set back, too");

        for second in 0..9 {
            database.count_mistake(&stranger(None, at(second))).await.unwrap();
            let code = Mistake { act: Act::WrongCode, ..stranger(Some(OWNER), at(second)) };
            database.count_mistake(&code).await.unwrap();
        }
        assert_eq!(counts("").await, ["1", "2", "4", "8"]);
        assert_eq!(db.read("SELECT detail FROM audit_log WHERE act = 'wrong_code' ORDER BY id").await, ["1", "2", "4", "8"]);
        assert_eq!(db.read("SELECT account || act FROM audit_mistakes ORDER BY 1").await.len(), 3, "however many came");
        assert_eq!(broken_at(&database).await, None);
    }

    async fn what_waits_is_not_counted(db: TestDatabase) {
        let (app, clock) = start(&db).await;
        access::put_user(&app.running.core, OWNER, SecretString::from("correct horse battery"), None).await.unwrap();
        for _ in 0..20 {
            Browser::new(&app).post("/login", &[("email", OWNER), ("password", "wrong")]).await;
        }
        settle(&app).await;
        assert_eq!(db.read("SELECT CAST(count AS TEXT) FROM audit_mistakes").await, ["5"], "the others were told to wait");
        clock.push(Duration::from_secs(1));
        Browser::new(&app).post("/login", &[("email", OWNER), ("password", "wrong")]).await;
        settle(&app).await;
        assert_eq!(db.read("SELECT CAST(count AS TEXT) FROM audit_mistakes").await, ["6"]);
    }

    async fn the_page_shows_it_page_by_page_in_both_languages(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = roles::sign_in(&app, Role::Owner).await;
        let database = db.open().await;
        let owner = database.find_user(OWNER).await.unwrap().unwrap().id;
        for second in 0..117 {
            database.change_user(owner, &UserChange::Role(Role::Owner), &Actor::Command, at(second)).await.unwrap();
        }
        let mut owner = Browser::of(&app, &cookie);
        let mut place = PAGE.to_owned();
        let mut numbers: Vec<i64> = Vec::new();
        for page in 0..3 {
            let text = owner.read(&place).await;
            let rows: Vec<i64> = text.split("<tr data-act=").skip(1).map(|row| row.split("<td>").nth(1).unwrap().split('<').next().unwrap().parse().unwrap()).collect();
            numbers.extend(&rows);
            assert!(text.contains("1번부터 120번까지 처음 적힌 그대로예요"), "{text}");
            let next = text.split("rel=\"next\"").next().filter(|_| text.contains("rel=\"next\""));
            match next {
                Some(before) => before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().clone_into(&mut place),
                None => assert_eq!(page, 2, "the last one"),
            }
        }
        assert_eq!(numbers, (1..=120).rev().collect::<Vec<i64>>(), "each once, the newest first");

        let korean = owner.read(PAGE).await;
        for words in ["<html lang=\"ko\"", "작업 기록", "2023-11-15 07:15:16", "한국 시간", "명령줄", "역할 변경", "aria-current=\"page\"", "role=\"status\""] {
            assert!(korean.contains(words), "{words}: {korean}");
        }
        let digest = database.audit_chain(ALL).await.unwrap().end.digest;
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(korean.contains(&digest) && !korean.contains("role=\"alert\""));
        let english = owner.read(&format!("{PAGE}?lang=en&before=4")).await;
        for words in ["<html lang=\"en\"", "Audit log", "Entries 1 to 120 are as they were written.", "Signed in", "Command line", "Added a person", "Newest"] {
            assert!(english.contains(words), "{words}: {english}");
        }
        for place in ["x", "-1", "1", "99999999999999999999"] {
            owner.read(&format!("{PAGE}?before={place}")).await;
        }

        db.run("UPDATE audit_log SET actor = 'staff:<b>', act = '<i>', at = 9223372036854775807 WHERE id = 60").await;
        let broken = owner.read(&format!("{PAGE}?lang=en&before=61")).await;
        assert!(broken.contains("role=\"alert\"") && broken.contains("The log is broken from entry 60 on."), "{broken}");
        assert!(!broken.contains("<b>") && !broken.contains("<i>") && !broken.contains("role=\"status\""), "{broken}");
        let first = owner.read(PAGE).await;
        assert!(first.contains("60번 기록부터 이어지지 않아요") && first.contains("/settings/audit?before=61"), "on every page of it: {first}");
        db.run("DELETE FROM audit_head").await;
        assert!(owner.read(PAGE).await.contains("role=\"alert\""));
    }

    async fn the_doctor_says_whether_it_is_whole(db: TestDatabase) {
        let app = crate::doctor::start(&db).await;
        let said = crate::doctor::examine(&db, &app, &[]).await;
        let digest = app.running.core.audit.audit_chain(ALL).await.unwrap().end.digest;
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let good = said.about("good", "audit log").unwrap_or_else(|| panic!("{}", said.text));
        assert!(good.contains("2 entries") && good.contains(&digest), "{good}");

        db.run("UPDATE audit_log SET actor = 'staff:kim@example.com' WHERE id = 2").await;
        let said = crate::doctor::examine(&db, &app, &[]).await;
        let error = said.about("error", "audit log").unwrap_or_else(|| panic!("{}", said.text));
        assert!(!said.is_well && error.contains("broken from entry 2 on"), "{error}");
    }
}
