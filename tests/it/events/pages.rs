//! The back office's page of endpoints and deliveries: plain forms, in both languages.

use axum::response::IntoResponse;
use http::StatusCode;
use jiff::SignedDuration;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use wanryo::domain::event::EventType;
use wanryo::service::access;

use super::receiver::Receiver;
use super::{HOUR, MINUTE, SECOND, Shop};
use crate::app::Answer;
use crate::office::{form_key, tag};
use crate::support::{TestDatabase, on_both_databases};

const PAGE: &str = "/settings/webhooks";

/// Signs a person in; the cookie.
async fn sign_in(shop: &Shop) -> String {
    let password = SecretString::from("correct horse battery");
    access::put_user(shop.core(), "staff@example.com", password.clone(), None)
        .await
        .unwrap();
    let sign_in = access::SignIn {
        email: "staff@example.com",
        password,
        source: std::net::Ipv4Addr::LOCALHOST.into(),
        browser: None,
    };
    let access::Entered::In(came_in) = access::sign_in(shop.core(), sign_in).await.unwrap() else {
        panic!("the password is enough");
    };
    format!("wanryo={}", came_in.session.expose())
}

/// When the page was made, as its form says.
fn until(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"until\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

struct Staff<'a> {
    shop: &'a Shop,
    cookie: String,
}

impl<'a> Staff<'a> {
    async fn sign_in(shop: &'a Shop) -> Self {
        let cookie = sign_in(shop).await;
        Self { shop, cookie }
    }

    async fn open(&self, path: &str) -> String {
        let request = self.shop.app.client.get(self.shop.app.url(path));
        let answer = self
            .shop
            .app
            .send(
                request
                    .header("cookie", &self.cookie)
                    .header("accept", "text/html"),
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.text
    }

    /// As a page's own form does it: with a key that was drawn for it.
    async fn press(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let key = form_key();
        let is_drawn = form.iter().all(|(name, _)| *name != "key");
        let drawn = is_drawn.then_some(("key", key.as_str()));
        let form: Vec<_> = form.iter().copied().chain(drawn).collect();
        let request = self.shop.app.client.post(self.shop.app.url(path));
        self.shop
            .app
            .send(
                request
                    .header("cookie", &self.cookie)
                    .header("accept", "text/html")
                    .header("sec-fetch-site", "same-origin")
                    .form(&form),
            )
            .await
    }

    /// Where a form leads.
    async fn leads(&self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.press(path, form).await;
        assert_eq!(
            answer.status,
            StatusCode::SEE_OTHER,
            "{path}: {}",
            answer.text
        );
        answer.headers["location"].to_str().unwrap().to_owned()
    }
}

/// A hidden field of the form that posts there.
fn hidden(page: &str, action: &str, name: &str) -> String {
    let (_, form) = page.split_once(&format!("action=\"{action}\"")).unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    let field = tag(form, &format!("name=\"{name}\""));
    let (_, value) = field.split_once("value=\"").unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// The secret on a page, if there is one.
fn secret_on(page: &str) -> Option<SecretString> {
    let (_, rest) = page.split_once("whsec_")?;
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c))
        .unwrap();
    Some(SecretString::from(format!("whsec_{}", &rest[..end])))
}

/// As if nobody had taken it for five days.
async fn give_up(db: &TestDatabase, id: &str) {
    db.run(&format!(
        "UPDATE deliveries SET status = 'given_up', next_attempt_at = NULL WHERE id = {id}"
    ))
    .await;
}

on_both_databases! {
    async fn an_endpoint_lives_on_its_page_without_a_script(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        let receiver = Receiver::start().await;
        assert!(staff.open(&format!("{PAGE}?lang=en")).await.contains("No endpoint yet"));
        assert!(staff.open(PAGE).await.contains("등록된 주소가 없어요"));

        let made = staff.press(PAGE, &[("url", &receiver.url), ("event_types", "order.paid"), ("event_types", "order.held")]).await;
        assert_eq!(made.status, StatusCode::OK);
        let first = secret_on(&made.text).expect("the secret is shown once");
        assert_eq!(made.headers["cache-control"], "no-store");
        let page = staff.open(PAGE).await;
        assert!(secret_on(&page).is_none() && page.contains("order.paid, order.held"), "and never again");
        let endpoint = shop.read("/api/v1/webhook-endpoints").await["webhook_endpoints"][0].clone();
        assert_eq!(endpoint["event_types"], json!(["order.paid", "order.held"]));
        let path = format!("{PAGE}/{}", endpoint["id"].as_str().unwrap());

        let rotated = staff.press(&format!("{path}/rotate?lang=en"), &[]).await;
        let second = secret_on(&rotated.text).expect("a new secret");
        assert!(rotated.text.contains("Copy it into"), "in the language that was asked for");
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        let got = receiver.got().remove(0);
        assert!(got.is_signed_with(first.expose_secret()) && got.is_signed_with(second.expose_secret()));

        receiver.answer(|_| (StatusCode::GONE, "<b>closed</b>").into_response());
        shop.happened("B", &[EventType::OrderHeld]).await;
        shop.deliver().await;
        let page = staff.open(&format!("{PAGE}?lang=en")).await;
        assert!(page.contains("It answered 410") && page.contains("data-delivery=\"pending\""), "{page}");
        let id = shop.deliveries().await[1]["id"].to_string();
        let details = staff.open(&format!("{PAGE}?lang=en&delivery={id}")).await;
        assert!(details.contains("410") && details.contains("&lt;b&gt;closed") && !details.contains("<b>closed"), "escaped");

        assert_eq!(staff.leads(&format!("/settings/deliveries/{id}/redeliver"), &[]).await, format!("{PAGE}?error=not_served"));
        assert_eq!(staff.leads(&format!("{path}/redeliver"), &[]).await, format!("{PAGE}?error=not_served"));
        assert_eq!(staff.leads(&format!("{path}/enable"), &[]).await, format!("{PAGE}?done=endpoint_enabled"));
        receiver.answer_with(StatusCode::OK);
        shop.deliver().await;
        assert_eq!(receiver.kinds(), ["order.paid", "order.held", "order.held"], "what waited");
        give_up(&db, &id).await;
        assert!(staff.open(PAGE).await.contains("data-delivery=\"given_up\""));
        assert_eq!(staff.leads(&format!("{path}/redeliver"), &[]).await, format!("{PAGE}?done=redelivered"));
        assert_eq!(staff.leads(&format!("{path}/redeliver"), &[]).await, format!("{PAGE}?done=nothing_redelivered"));
        assert!(staff.open(&format!("{PAGE}?done=nothing_redelivered")).await.contains("다시 보낼 이벤트가 없어요"));
        shop.deliver().await;
        assert_eq!(receiver.count(), 4);
        assert_eq!(staff.leads(&format!("/settings/deliveries/{id}/redeliver"), &[]).await, format!("{PAGE}?done=redelivered"));
        shop.deliver().await;
        assert_eq!(receiver.count(), 5);
        assert!(staff.open(&format!("{PAGE}?lang=en&done=redelivered")).await.contains("It is sent again, after whatever"));

        assert_eq!(staff.leads(&format!("{path}/disable"), &[]).await, format!("{PAGE}?done=endpoint_disabled"));
        assert_eq!(staff.leads(&format!("{path}/delete"), &[]).await, format!("{PAGE}?done=endpoint_deleted"));
        assert_eq!(staff.leads(&format!("{path}/delete"), &[]).await, format!("{PAGE}?error=not_found"));
        assert!(staff.open(PAGE).await.contains("data-delivery=\"delivered\""), "the record stays");
    }

    async fn an_endpoint_that_gets_nothing_needs_attention_until_it_is_taken_care_of(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        let receiver = Receiver::answering(|_| StatusCode::GONE.into_response()).await;
        let (id, _) = shop.endpoint(&receiver).await;
        let path = format!("{PAGE}/{id}");
        let attention = async || {
            let page = staff.open("/attention?lang=en").await;
            let count = page.split_once("class=\"office-count\"").map(|_| ());
            assert_eq!(count.is_some(), page.contains("data-attention="), "the navigation counts it: {page}");
            page
        };
        assert!(!attention().await.contains("data-attention="));

        // It answered 410, and one event did not get there.
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        let page = attention().await;
        assert!(page.contains("Endpoint gone") && page.contains("Waiting") && page.contains("1 event") && !page.contains("First given up"), "{page}");
        let id = shop.deliveries().await[0]["id"].to_string();
        give_up(&db, &id).await;
        let page = attention().await;
        assert!(page.contains("Endpoint gone") && page.contains(&receiver.url) && page.contains("1 event") && page.contains("First given up"), "{page}");
        assert!(!page.contains(&format!("{path}/redeliver")), "nothing is sent to it");
        assert!(staff.open("/attention").await.contains("웹훅 주소가 없어졌어요"));

        // It is there again: what did not get there stays to be taken care of, and can be sent again.
        staff.leads(&format!("{path}/enable"), &[]).await;
        let page = attention().await;
        assert!(page.contains("Events were not delivered") && page.contains(&format!("{path}/redeliver")), "{page}");
        staff.leads(&format!("{path}/redeliver"), &[]).await;
        assert!(!attention().await.contains("data-attention="));
        shop.deliver().await;
        give_up(&db, &id).await;
        assert!(attention().await.contains("Endpoint gone"), "it was given up once more");

        // A person's word ends it for what was given up until then, and the record stays.
        staff.leads(&format!("{path}/enable"), &[]).await;
        let before = (shop.core().clock.now() - SignedDuration::from_secs(1)).to_string();
        for (until, leads) in [(&*before, "/attention?error=nothing_there"), ("", "/attention?error=nothing_there")] {
            assert_eq!(staff.leads(&format!("{path}/dismiss"), &[("until", until)]).await, leads, "nobody has seen it on a page of {until}");
        }
        let seen = until(&attention().await);
        assert_eq!(staff.leads(&format!("{path}/dismiss"), &[("until", &seen)]).await, "/attention?done=settled");
        assert!(!attention().await.contains("data-attention="));
        assert_eq!(staff.leads(&format!("{path}/dismiss"), &[("until", &seen)]).await, "/attention?error=nothing_there");
        let sent = receiver.count();
        staff.leads(&format!("{path}/redeliver"), &[]).await;
        shop.deliver().await;
        assert_eq!(receiver.count(), sent, "what was taken care of is not sent with the rest");
        assert_eq!(shop.deliveries().await[0]["status"], "given_up");
        staff.leads(&format!("/settings/deliveries/{id}/redeliver"), &[]).await;
        shop.deliver().await;
        give_up(&db, &id).await;
        assert!(attention().await.contains("1 event"), "what is sent again can be given up again");

        // A person who switches it off knows of it.
        for switch in ["enable", "disable"] {
            staff.leads(&format!("{path}/{switch}"), &[]).await;
        }
        assert!(!attention().await.contains("data-attention="));
    }

    async fn an_order_leads_to_its_own_deliveries(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        let receiver = Receiver::answering(|_| (StatusCode::OK, "thanks").into_response()).await;
        shop.endpoint(&receiver).await;
        for order in ["MINE", "OTHER"] {
            shop.happened(order, &[EventType::OrderPaid]).await;
        }
        shop.deliver().await;
        let order = staff.open("/orders/MINE").await;
        assert!(order.contains(&format!("href=\"{PAGE}?payment_id=MINE\"")), "{order}");
        let (_, told) = order.split_once("data-kind=\"delivery\"").expect("it stands among what happened");
        let (told, _) = told.split_once("</li></ul>").unwrap();
        assert!(told.contains("쇼핑몰 서버가 이벤트를 받았어요") && told.contains(&format!("href=\"{PAGE}?payment_id=MINE&amp;delivery=")), "{told}");

        let page = staff.open(&format!("{PAGE}?payment_id=MINE&lang=en")).await;

        assert_eq!(page.matches("data-delivery=").count(), 1);
        assert!(page.contains("MINE") && !page.contains("OTHER") && page.contains("Those of all orders"), "{page}");
        assert!(page.contains("payment_id=MINE&amp;delivery="), "what one leads to is of the same order: {page}");
        assert!(staff.open(&format!("{PAGE}?payment_id=NOBODY")).await.contains("아직 보낸 것이 없어요"));
        assert_eq!(staff.open(&format!("{PAGE}?payment_id=")).await.matches("data-delivery=").count(), 2, "what is no number is no condition");
    }

    async fn an_endpoint_that_is_paused_needs_attention(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::answering(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
        shop.endpoint(&receiver).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        shop.pass(HOUR, 12).await;
        // Nobody stays signed in for so long.
        let page = Staff::sign_in(&shop).await.open("/attention?lang=en").await;
        assert!(!page.contains("data-attention="), "it may still come back");

        shop.pass(12 * HOUR, 10).await;
        shop.happened("B", &[EventType::OrderPaid]).await;
        shop.pass(MINUTE, 1).await;

        let page = Staff::sign_in(&shop).await.open("/attention?lang=en").await;
        assert!(page.contains("Endpoint paused") && page.contains("Failing since"), "{page}");
        let core = shop.core();
        assert_eq!(core.attention.count_attention(core.clock.now(), 100).await.unwrap(), 1);
    }

    async fn an_endpoint_that_cannot_be_added_is_given_back_as_it_was_typed(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        let choices = |page: &str| {
            let chosen = EventType::ALL.iter().filter(|one| tag(page, &format!("value=\"{}\"", one.as_str())).contains("checked"));
            chosen.map(|one| one.as_str()).collect::<Vec<_>>()
        };
        let url = "http://8.8.8.8/?a=\"b\"&c";
        let typed = [("url", url), ("event_types", "order.paid"), ("event_types", "order.held")];

        let answer = staff.press(&format!("{PAGE}?lang=en"), &typed).await;
        assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (StatusCode::UNPROCESSABLE_ENTITY, "no-store"));
        let field = tag(&answer.text, "id=\"endpoint-url\"");
        assert!(field.contains("value=\"http://8.8.8.8/?a=&quot;b&quot;&amp;c\"") && field.contains("aria-invalid=\"true\"") && field.contains("endpoint-url-fault") && field.contains("autofocus"), "{field}");
        let (_, words) = answer.text.split_once("id=\"endpoint-url-fault\"").unwrap();
        assert!(words.split_once("</p>").unwrap().0.contains("Nothing may be sent to this address."), "{words}");
        assert_eq!(choices(&answer.text), ["order.paid", "order.held"]);
        let mended = [("key", &*hidden(&answer.text, &format!("{PAGE}?lang=en"), "key")), ("url", "https://shop.example.com/"), ("event_types", "order.paid")];

        // Left out, it would have been an endpoint for all types.
        let unknown = staff.press(PAGE, &[("url", "https://shop.example.com/"), ("event_types", "order.sold")]).await;
        assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(tag(&unknown.text, "id=\"endpoint-url\"").contains("value=\"https://shop.example.com/\"") && unknown.text.contains("알 수 없는 이벤트"), "{}", unknown.text);
        assert!(tag(&unknown.text, "value=\"order.paid\"").contains("aria-invalid=\"true\"") && choices(&unknown.text).is_empty());
        for key in ["", "0123", "gggggggggggggggggggggggggggggggg"] {
            let unknown = staff.press(PAGE, &[("url", "https://shop.example.com/"), ("key", key)]).await;
            assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(unknown.text.contains("양식을 확인할 수 없어서") && tag(&unknown.text, "id=\"endpoint-url\"").contains("https://shop.example.com/"));
        }
        assert_eq!(shop.read("/api/v1/webhook-endpoints").await["webhook_endpoints"], json!([]));

        assert_eq!(staff.press(PAGE, &mended).await.status, StatusCode::OK, "the form that was given back");
        for number in 1..32 {
            shop.post("/api/v1/webhook-endpoints", Some(json!({ "url": format!("https://shop.example.com/{number}") }))).await;
        }
        let many = staff.press(&format!("{PAGE}?lang=en"), &[("url", "https://shop.example.com/more"), ("event_types", "order.held")]).await;
        assert_eq!(many.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(many.text.contains("as many endpoints as there may be") && tag(&many.text, "id=\"endpoint-url\"").contains("https://shop.example.com/more"), "{}", many.text);
        assert_eq!(choices(&many.text), ["order.held"]);
    }

    async fn a_form_that_is_sent_twice_adds_one_endpoint(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        let key = hidden(&staff.open(PAGE).await, PAGE, "key");
        let form = [("url", "https://shop.example.com/"), ("key", &*key)];

        let (one, other) = tokio::join!(staff.press(PAGE, &form), staff.press(PAGE, &form));

        let (made, repeated): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(|answer| answer.status == StatusCode::OK);
        assert_eq!((made.len(), repeated[0].headers["location"].to_str().unwrap()), (1, "/settings/webhooks?error=made_before"));
        assert!(secret_on(&made[0].text).is_some());
        assert_eq!(staff.leads(PAGE, &form).await, format!("{PAGE}?error=made_before"), "and by a reload");
        let page = staff.open(&format!("{PAGE}?error=made_before&lang=en")).await;
        assert!(page.contains("no second endpoint was added") && page.matches("data-endpoint=").count() == 1 && secret_on(&page).is_none(), "{page}");
        let again = hidden(&staff.open(PAGE).await, PAGE, "key");
        assert_ne!(again, key, "each page draws its own");
        assert_eq!(staff.press(PAGE, &[("url", "https://shop.example.com/"), ("key", &*again)]).await.status, StatusCode::OK, "who wants two gets two");
    }

    /// The one before the newest is the one that the shop has for sure.
    async fn the_secret_in_use_is_not_pushed_out_by_a_form_that_is_sent_twice(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let receiver = Receiver::start().await;
        let (id, in_use) = shop.endpoint(&receiver).await;
        let path = format!("{PAGE}/{id}/rotate");
        let api = format!("/api/v1/webhook-endpoints/{id}/rotate");
        let signed_with = async |order: &str, secrets: &[&str]| {
            shop.happened(order, &[EventType::OrderPaid]).await;
            shop.deliver().await;
            let got = receiver.got().pop().unwrap();
            secrets.iter().map(|secret| got.is_signed_with(secret)).collect::<Vec<_>>()
        };
        let staff = Staff::sign_in(&shop).await;
        let page = staff.open(&format!("{PAGE}?lang=en")).await;
        assert!(page.contains("Make a new secret") && !page.contains("once more"), "{page}");
        let seen = hidden(&page, &format!("{path}?lang=en"), "seen");

        let first = secret_on(&staff.press(&path, &[("seen", &seen)]).await.text).unwrap();
        let first = first.expose_secret();
        for _ in 0..2 {
            shop.clock.push(SECOND);
            assert_eq!(staff.leads(&path, &[("seen", &seen)]).await, format!("{PAGE}?error=rotated_before"));
        }
        let (status, problem) = shop.post(&api, None).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/secret-rotated")));
        assert_eq!(signed_with("A", &[&in_use, first]).await, [true, true]);

        // Nobody has seen it: the one in use goes on, for another day.
        let page = staff.open(&format!("{PAGE}?lang=en&error=rotated_before")).await;
        assert!(page.contains("nothing was changed a second time") && page.contains("Make the new secret once more"), "{page}");
        let stale = hidden(&page, &format!("{path}?lang=en"), "seen");
        let second = secret_on(&staff.press(&path, &[("seen", &stale)]).await.text).unwrap();
        let second = second.expose_secret();
        shop.clock.push(SECOND);
        for seen in [&*stale, &*seen, "yesterday"] {
            assert_eq!(staff.leads(&path, &[("seen", seen)]).await, format!("{PAGE}?error=rotated_before"), "{seen}");
        }
        assert_eq!(signed_with("B", &[&in_use, first, second]).await, [true, false, true]);

        shop.clock.push(24 * HOUR);
        assert_eq!(signed_with("C", &[&in_use, second]).await, [false, true]);
        let staff = Staff::sign_in(&shop).await;
        let page = staff.open(PAGE).await;
        for seen in [&*stale, &*seen] {
            assert_eq!(staff.leads(&path, &[("seen", seen)]).await, format!("{PAGE}?error=rotated_before"), "a page of the day before");
        }
        let third = secret_on(&staff.press(&path, &[("seen", &hidden(&page, &path, "seen"))]).await.text).unwrap();
        assert_eq!(signed_with("D", &[second, third.expose_secret()]).await, [true, true]);
    }

    async fn what_cannot_be_done_is_said_and_nobody_else_may_try(db: TestDatabase) {
        let shop = Shop::open(&db).await;
        let staff = Staff::sign_in(&shop).await;
        for url in ["", "shop", "https://10.0.0.1/", "http://8.8.8.8/", "javascript:alert(1)"] {
            assert_eq!(staff.press(PAGE, &[("url", url)]).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        }
        let page = staff.open(&format!("{PAGE}?lang=en&error=target")).await;
        assert!(page.contains("role=\"alert\"") && page.contains("Nothing may be sent to this address."));
        assert!(!staff.open(&format!("{PAGE}?done=target")).await.contains("class=\"office-notice\""), "an error is no success");
        for path in ["/settings/webhooks/x/enable", "/settings/deliveries/x/redeliver", "/settings/deliveries/1/redeliver"] {
            assert_eq!(staff.leads(path, &[]).await, format!("{PAGE}?error=not_found"), "{path}");
        }

        let stranger = &shop.app;
        for (method, path) in [(Method::GET, PAGE), (Method::POST, PAGE), (Method::POST, "/settings/webhooks/x/rotate"), (Method::POST, "/settings/deliveries/1/redeliver")] {
            let answer = stranger.send(stranger.client.request(method, stranger.url(path))).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            assert!(answer.headers["location"].to_str().unwrap().starts_with("/login"), "{path}");
        }
        let cross = stranger.client.post(stranger.url(PAGE)).header("cookie", &staff.cookie).header("sec-fetch-site", "cross-site");
        assert_eq!(stranger.send(cross.form(&[("url", "https://shop.example.com/")])).await.status, StatusCode::FORBIDDEN);
        assert_eq!(shop.read("/api/v1/webhook-endpoints").await["webhook_endpoints"], json!([]));
    }
}
