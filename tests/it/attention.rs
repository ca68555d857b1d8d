//! What a person of the shop has to look at: the page, the API, and the word that settles a payment.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use wanryo::service::access;

use crate::app::{Answer, TestApp};
use crate::by_hand::Ahead;
use crate::payments::eventually;
use crate::refunds::{becomes, paid};
use crate::support::{TestDatabase, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// PortOne is asked about a refund in doubt after this time at the latest.
const REFUND_ASKED_AGAIN: Duration = Duration::from_secs(600);

/// A person who is signed in.
pub(crate) struct Staff<'a> {
    app: &'a TestApp,
    pub(crate) cookie: String,
}

impl<'a> Staff<'a> {
    /// With the cookie of a session.
    pub(crate) const fn of(app: &'a TestApp, cookie: String) -> Self {
        Self { app, cookie }
    }

    pub(crate) async fn sign_in(app: &'a TestApp) -> Self {
        let password = "correct horse battery";
        access::put_user(
            &app.running.core,
            "staff@example.com",
            SecretString::from(password),
            None,
        )
        .await
        .unwrap();
        let form = [
            ("email", "staff@example.com"),
            ("password", password),
            ("next", "/attention"),
        ];
        let answer = app
            .send(app.client.post(app.url("/login")).form(&form))
            .await;
        assert_eq!(
            answer.headers["location"], "/attention",
            "the page that was wanted is opened"
        );
        let cookie = answer.headers["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        Self { app, cookie }
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let request = self
            .app
            .client
            .get(self.app.url(path))
            .header("cookie", &self.cookie)
            .header("accept", "text/html");
        let answer = self.app.send(request).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.text
    }

    /// Where the form leads.
    async fn settle(&self, kind: &str, transaction_id: &str, note: &str) -> String {
        let form = [
            ("kind", kind),
            ("transaction_id", transaction_id),
            ("note", note),
        ];
        self.post("/attention/settle", &form).await
    }

    /// Where a form leads.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.send(path, form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    /// What a form is answered with.
    pub(crate) async fn send(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self
            .app
            .client
            .post(self.app.url(path))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .form(form);
        self.app.send(request).await
    }
}

async fn list(app: &TestApp) -> Vec<Value> {
    let answer = app.api(Method::GET, "/api/v1/attention", None).await;
    answer.json()["items"].as_array().unwrap().clone()
}

/// Each item as kind, payment id and transaction id.
fn kinds(items: &[Value]) -> Vec<(String, String, String)> {
    let word = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = items.iter();
    items
        .map(|item| {
            (
                word(item, "kind"),
                word(item, "payment_id"),
                word(item, "transaction_id"),
            )
        })
        .collect()
}

async fn settle(app: &TestApp, kind: &str, transaction_id: &str, body: Value) -> Answer {
    app.api(
        Method::POST,
        &format!("/api/v1/attention/{kind}/{transaction_id}/settle"),
        Some(body),
    )
    .await
}

/// An order that was paid twice; the second transaction.
async fn paid_twice(app: &TestApp, payment_id: &str) -> String {
    app.order(payment_id).await;
    let (first, second) = (
        app.pay(payment_id, json!({})),
        app.pay(payment_id, json!({})),
    );
    for imp_uid in [&first, &second] {
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid={payment_id}"))
            .await;
    }
    second
}

/// How many of the page's table rows have this word.
fn arrivals(page: &str, word: &str) -> usize {
    page.matches(&format!("data-arrival=\"{word}\"")).count()
}

on_both_databases! {
    async fn money_that_nobody_decided_about_is_listed_until_it_is_given_back(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let second = paid_twice(&app, "TWICE").await;
        app.order("WRONG").await;
        let wrong = app.pay("WRONG", json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={wrong}&merchant_uid=WRONG")).await;
        app.order("OVER").await;
        app.api(Method::POST, "/api/v1/orders/OVER/close", None).await;
        let late = app.pay("OVER", json!({}));
        app.complete(&format!("imp_uid={late}&merchant_uid=OVER")).await;
        app.order("FINE").await;
        let fine = app.pay("FINE", json!({}));
        app.complete(&format!("imp_uid={fine}&merchant_uid=FINE")).await;

        let found = list(&app).await;
        let of = |item: &Value| [&item["kind"], &item["payment_id"], &item["transaction_id"], &item["amount"]].map(Clone::clone);
        assert_eq!(
            found.iter().map(of).collect::<Vec<_>>(),
            [[json!("late"), json!("OVER"), json!(late), json!(65_000)], [json!("held"), json!("WRONG"), json!(wrong), json!(100)], [json!("duplicate"), json!("TWICE"), json!(second), json!(65_000)]],
            "latest first"
        );

        for (imp_uid, id, amount) in [(&second, "TWICE", 65_000), (&wrong, "WRONG", 100)] {
            app.sandbox.patch_payment(imp_uid, json!({ "status": "cancelled", "cancel_amount": amount })).unwrap();
            app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}")).await;
        }
        assert_eq!(list(&app).await.iter().map(|item| item["kind"].clone()).collect::<Vec<_>>(), ["late"]);
    }

    async fn a_refund_in_doubt_needs_attention_until_it_is_known(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::clone(&clock) as _).await;
        let imp_uid = paid(&app, "v1", "DOUBT").await;
        let unclear = [("refund_in_doubt".to_owned(), "DOUBT".to_owned(), imp_uid.clone())];
        for key in ["1", "2"] {
            app.sandbox.fault(json!({ "call": "cancel", "kind": "truncated", "times": 1 })).unwrap();
            let refund = app.refund("DOUBT", key, json!({ "reason": "x", "amount": 1_000 })).await.json();
            assert_eq!(refund["state"], "in_doubt");
            assert_eq!(kinds(&list(&app).await), unclear, "what was said of an earlier refund is not said of this one");
            assert_eq!(settle(&app, "refund_in_doubt", &imp_uid, json!({ "note": "n" })).await.status, StatusCode::NO_CONTENT);
            assert_eq!(kinds(&list(&app).await), []);
            clock.push(REFUND_ASKED_AGAIN);
            becomes(&app, "DOUBT", "done").await;
        }
        assert_eq!(db.read("SELECT note FROM settled").await, ["n", "n"]);

        app.sandbox.fault(json!({ "call": "cancel", "kind": "truncated", "times": 1 })).unwrap();
        app.refund("DOUBT", "3", json!({ "reason": "x", "amount": 1_000 })).await;
        assert_eq!(kinds(&list(&app).await), unclear);
        clock.push(REFUND_ASKED_AGAIN);
        becomes(&app, "DOUBT", "done").await;
        assert_eq!(kinds(&list(&app).await), [], "it is known, and nobody had to say so");
    }

    async fn a_refund_that_takes_longer_than_a_day_needs_attention(db: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(&db, TestApp::new_sandbox().await, |_| {}, Arc::clone(&clock) as _).await;
        let url = app.sandbox.url().join("_sandbox/v2/config").unwrap();
        assert!(app.send(app.client.patch(url).json(&json!({ "cancel": "asynchronous" }))).await.status.is_success());
        let transaction_id = paid(&app, "v2", "SLOW").await;
        assert_eq!(app.refund("SLOW", "1", json!({ "reason": "x" })).await.json()["state"], "requested");

        clock.push(DAY - MINUTE);
        assert_eq!(kinds(&list(&app).await), []);
        assert_eq!(settle(&app, "refund_in_doubt", &transaction_id, json!({ "note": "n" })).await.status, StatusCode::NOT_FOUND);
        clock.push(MINUTE + MINUTE);

        assert_eq!(kinds(&list(&app).await), [("refund_in_doubt".to_owned(), "SLOW".to_owned(), transaction_id)]);
        let page = Staff::sign_in(&app).await.page("/attention?lang=en").await;
        assert!(page.contains("data-attention=\"refund_in_doubt\"") && page.contains("Refund without an end"), "{page}");
        let payment = app.control_v2(Method::GET, &["SLOW"], json!({})).await;
        let cancellation = payment["cancellations"][0]["id"].as_str().unwrap();
        app.control_v2(Method::POST, &["SLOW", "cancellations", cancellation], json!({ "status": "SUCCEEDED" })).await;
        clock.push(DAY);
        becomes(&app, "SLOW", "done").await;
        assert_eq!(kinds(&list(&app).await), []);
    }

    async fn a_persons_word_settles_once_and_stays(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let second = paid_twice(&app, "TWICE").await;
        let staff = Staff::sign_in(&app).await;
        let page = staff.page("/attention").await;
        assert!(page.contains("data-attention=\"duplicate\"") && page.contains(&second) && page.contains("65,000원"), "{page}");
        assert!(page.contains("<span class=\"office-count\">1</span>"), "the navigation counts");

        for note in ["", " \u{0} \r\n", &"가".repeat(501), &format!("</textarea><i>&amp;{}", "가".repeat(501))] {
            let form = [("kind", "duplicate"), ("transaction_id", second.as_str()), ("note", note)];
            let answer = staff.send("/attention/settle?lang=en", &form).await;
            assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (StatusCode::UNPROCESSABLE_ENTITY, "no-store"));
            let (before, field) = answer.text.split_once(&format!("<textarea id=\"note-duplicate-{second}\"")).unwrap();
            let (tag, rest) = field.split_once('>').unwrap();
            assert!(tag.contains("aria-invalid=\"true\"") && tag.contains(&format!("note-duplicate-{second}-fault")) && tag.contains("autofocus"), "{tag}");
            let shown = note.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            assert_eq!(rest.split_once("</textarea>").unwrap().0, shown, "nothing of it is lost");
            assert!(rest.split_once("</form>").unwrap().0.contains("Please say what was done"), "{rest}");
            let (_, details) = before.rsplit_once("<details").unwrap();
            assert!(details.split_once('>').unwrap().0.contains("open"), "{details}");
        }
        // It is on none of the pages: what was written is not lost all the same.
        let form = [("kind", "late"), ("transaction_id", second.as_str()), ("note", &*"나".repeat(501))];
        let answer = staff.send("/attention/settle", &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(&"나".repeat(501)) && answer.text.contains("role=\"alert\""), "{}", answer.text);
        for (kind, id) in [("late", second.as_str()), ("duplicate", "imp_of_nobody")] {
            let answer = staff.send("/attention/settle", &[("kind", kind), ("transaction_id", id), ("note", "환불했어요")]).await;
            assert_eq!(answer.status, StatusCode::CONFLICT);
            assert!(answer.text.contains("이제 확인하지 않아도 돼요") && answer.text.contains("환불했어요"), "{}", answer.text);
        }
        assert_eq!(staff.settle("robbery", "../", "환불").await, "/attention?error=nothing_there");
        assert_eq!(list(&app).await.len(), 1, "nothing of that settled anything");

        assert_eq!(staff.settle("duplicate", &second, "11월 21일 <b>환불</b>").await, "/attention?done=settled");
        assert_eq!(staff.settle("duplicate", &second, "11월 21일 <b>환불</b>").await, "/attention?done=settled", "the same word again");
        let late = staff.send("/attention/settle", &[("kind", "duplicate"), ("transaction_id", &second), ("note", "아니에요")]).await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert!(late.text.contains("다른 사람이 먼저 표시했어요") && late.text.contains("아니에요"), "nothing of it is lost: {}", late.text);
        let order = staff.page("/orders/TWICE").await;
        let (_, told) = order.split_once("data-kind=\"settled\"").expect("it stands among what happened");
        assert!(told.contains("staff@example.com") && told.contains("중복 결제") && told.contains("11월 21일 &lt;b&gt;환불"), "{told}");

        assert_eq!(list(&app).await, Vec::<Value>::new());
        let page = staff.page("/attention?done=settled").await;
        assert!(!page.contains("data-attention=") && !page.contains("class=\"office-count\""), "{page}");
        assert!(page.contains("11월 21일 &lt;b&gt;환불&lt;/b&gt;") && page.contains("담당자 (staff@example.com)"), "who and what stays to be read: {page}");
        assert_eq!(app.read_order("TWICE").await["status"], "paid", "settling moves nothing");
        assert_eq!(app.sandbox.calls("cancel"), 0);
    }

    async fn a_word_is_about_what_the_person_saw(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let second = paid_twice(&app, "TWICE").await;
        let staff = Staff::sign_in(&app).await;
        let seen = |page: &str| page.split_once("name=\"seen\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
        let before = seen(&staff.page("/attention").await);
        app.sandbox.patch_payment(&second, json!({ "status": "cancelled", "cancel_amount": 1000 })).unwrap();
        app.complete(&format!("imp_uid={second}&merchant_uid=TWICE")).await;
        assert_eq!(list(&app).await[0]["refunded_amount"], 1000);

        let form = |seen: String| [("kind", "duplicate".to_owned()), ("transaction_id", second.clone()), ("seen", seen), ("note", "65,000원 환불".to_owned())];
        let send = async |form: [(&str, String); 4]| staff.send("/attention/settle", &form.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        let stale = send(form(before)).await;
        assert_eq!(stale.status, StatusCode::CONFLICT);
        assert!(stale.text.contains("그사이 내용이 바뀌어서") && stale.text.contains("65,000원 환불") && stale.text.contains("1,000원"), "{}", stale.text);
        assert_eq!(list(&app).await.len(), 1);

        let again = send(form(seen(&stale.text))).await;
        assert_eq!((again.status, again.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/attention?done=settled"));
        assert_eq!(list(&app).await, Vec::<Value>::new());
    }

    async fn a_shops_server_settles_by_the_api(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let second = paid_twice(&app, "TWICE").await;
        for body in [json!(["done"]), json!([]), json!("done")] {
            let answer = settle(&app, "duplicate", &second, body.clone()).await;
            assert_eq!((answer.status, &answer.json()["type"]), (StatusCode::BAD_REQUEST, &json!("/problems/malformed-body")), "{body}");
        }
        let unknown = settle(&app, "duplicate", &second, json!({ "note": "n", "color": "red" })).await;
        assert_eq!((unknown.status, &unknown.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("color")));
        for body in [json!({}), json!({ "note": "" }), json!({ "note": 1 }), json!({ "note": "x".repeat(501) })] {
            let refused = settle(&app, "duplicate", &second, body.clone()).await;
            assert_eq!((refused.status, &refused.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("note")), "{body}");
        }
        for (kind, id) in [("held", second.as_str()), ("duplicate", "imp_of_nobody"), ("robbery", second.as_str())] {
            assert_eq!(settle(&app, kind, id, json!({ "note": "n" })).await.status, StatusCode::NOT_FOUND);
        }
        let without_key = app.client.get(app.url("/api/v1/attention"));
        assert_eq!(app.send(without_key).await.status, StatusCode::UNAUTHORIZED);
        for query in ["limit=0", "limit=101", "cursor=x", "limit=1&limit=2"] {
            assert_eq!(app.api(Method::GET, &format!("/api/v1/attention?{query}"), None).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        }

        for _ in 0..2 {
            assert_eq!(settle(&app, "duplicate", &second, json!({ "note": "refunded" })).await.status, StatusCode::NO_CONTENT);
        }
        let again = settle(&app, "duplicate", &second, json!({ "note": "kept" })).await;

        assert_eq!((again.status, &again.json()["type"]), (StatusCode::CONFLICT, &json!("/problems/settled-before")));
        assert_eq!(db.read("SELECT settled_by || ' ' || note FROM settled").await, ["shop:test refunded"]);
    }

    async fn received_webhooks_say_what_became_of_them(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let staff = Staff::sign_in(&app).await;
        let empty = staff.page("/attention?lang=en").await;
        assert!(empty.contains("None has come yet") && empty.contains("Nothing needs a look"), "{empty}");
        app.order("ORD-1").await;
        app.order_v2("ORD-2").await;
        let imp_uid = app.pay("ORD-1", json!({}));

        app.webhook(&imp_uid, "ORD-1", "paid").await;
        app.webhook("imp_2", "ORD-2", "paid").await;
        app.webhook("imp_1234567890", "merchant_1234567890", "paid").await;
        app.webhook_v2("wh-1", "Transaction.Paid", "NO-SUCH", "tx-1").await;
        eventually(&app, "ORD-1", "paid").await;

        let page = staff.page("/attention").await;
        for (word, count) in [("matched", 1), ("other_generation", 1), ("test_call", 1), ("waiting", 1), ("no_order", 0)] {
            assert_eq!(arrivals(&page, word), count, "{word}: {page}");
        }
        db.run("UPDATE inbox SET state = 'dropped', try_at = NULL WHERE payment_id = 'NO-SUCH'").await;
        assert_eq!(arrivals(&staff.page("/attention").await, "no_order"), 1);
        assert!(page.contains("NO-SUCH") && page.contains("merchant_1234567890"));
    }

    async fn strangers_see_nothing_and_settle_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let second = paid_twice(&app, "TWICE").await;
        let page = app.page("/attention").await;
        assert_eq!((page.status, page.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login?next=%2Fattention"));
        let form = [("kind", "duplicate"), ("transaction_id", &second), ("note", "n")];

        let stranger = app.send(app.client.post(app.url("/attention/settle")).form(&form)).await;
        let staff = Staff::sign_in(&app).await;
        let across = app.client.post(app.url("/attention/settle")).header("cookie", &staff.cookie).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site").form(&form);

        assert!(stranger.headers["location"].to_str().unwrap().starts_with("/login"));
        assert_eq!(app.send(across).await.status, StatusCode::FORBIDDEN);
        assert_eq!(list(&app).await.len(), 1);
    }
}
