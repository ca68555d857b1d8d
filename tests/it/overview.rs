//! The overview as people of the shop see it.

use reqwest::{Method, StatusCode};
use serde_json::json;
use wanryo::domain::access::Role;
use wanryo::domain::order::Mode;

use crate::app::TestApp;
use crate::refunds::paid;
use crate::roles::sign_in;
use crate::support::{TestDatabase, on_both_databases};

async fn page(app: &TestApp, role: Role, path: &str) -> String {
    let cookie = sign_in(app, role).await;
    let request = app.client.get(app.url(path)).header("cookie", cookie);
    let answer = app.send(request.header("accept", "text/html")).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.text
}

/// What the card of one kind says.
fn figure<'p>(page: &'p str, kind: &str) -> &'p str {
    let name = format!("data-figure=\"{kind}\"");
    let mut cards = page
        .split("<article")
        .filter(|card| card.split('>').next().unwrap().contains(&name));
    let card = cards
        .next()
        .unwrap_or_else(|| panic!("no card of {kind}: {page}"));
    card.split_once("</article>").unwrap().0
}

on_both_databases! {
    async fn an_empty_shop_is_told_how_to_begin(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let app = TestApp::start_with(&db, sandbox, |settings| settings.mode = Mode::Test).await;
        let owner = page(&app, Role::Owner, "/overview").await;
        assert!(owner.contains("아직 주문이 없어요") && !owner.contains("<article"), "{owner}");
        assert!(owner.contains("쇼핑몰 서버가 쓸 API 키 만들기") && owner.contains("/api/v1/docs"), "{owner}");

        assert!(owner.contains("data-kind=\"test\" class=\"office-banner\"") || owner.contains("class=\"office-banner\" data-kind=\"test\""), "test money is called that: {owner}");

        let viewer = page(&app, Role::Viewer, "/overview?lang=en").await;
        assert!(viewer.contains("No orders yet") && viewer.contains("API documentation"), "{viewer}");
        assert!(!viewer.contains("Make an API key") && !viewer.contains("Add the address"), "what a viewer may not do is not offered");
    }

    async fn today_is_summed_up_and_the_days_are_a_table(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_with("OPEN", json!({ "amount": 1_420, "currency": "USD" })).await;
        let transaction = paid(&app, "v1", "PAID").await;
        app.refund("PAID", "a-name-of-sixteen", json!({ "amount": 20_000, "reason": "x" })).await;
        app.order("HELD").await;
        let held = app.pay("HELD", json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={held}&merchant_uid=HELD")).await;
        // Whatever the clocks of this machine say, all of it happened at this very moment.
        let now = app.running.core.clock.now().as_microsecond();
        db.run(&format!("UPDATE transactions SET paid_at = {now}, first_seen_at = {now}; UPDATE outbox SET at = {now}; UPDATE orders SET created_at = {now}")).await;
        app.webhook(&transaction, "PAID", "paid").await;

        let korean = page(&app, Role::Viewer, "/overview").await;
        for (kind, says) in [("paid", "65,000원"), ("pending", "$14.20"), ("held", "100원"), ("refunded", "20,000원")] {
            assert!(figure(&korean, kind).contains(says) && figure(&korean, kind).contains("1건"), "{kind}: {}", figure(&korean, kind));
        }
        assert!(korean.contains("결제부터 웹훅까지") && !korean.contains("비교할 웹훅이 없어요"), "{korean}");
        assert_eq!(korean.matches("role=\"rowheader\"").count(), 14, "a day, a row");
        let bars = korean.matches("<svg").count();
        assert_eq!((bars, korean.matches("aria-hidden=\"true\" viewBox=\"0 0 100 1\"").count()), (2, 2), "figures are text, bars are not read: {korean}");
        assert!(korean.contains("<rect width=\"100\"") && korean.contains("<rect width=\"30\""), "{korean}");
        let (_, navigation) = korean.split_once("<nav").unwrap();
        let place = |path: &str| navigation.find(&format!("href=\"{path}\"")).unwrap();
        assert!(place("/overview") < place("/orders"), "{navigation}");

        let english = page(&app, Role::Viewer, "/overview?lang=en").await;
        assert!(figure(&english, "paid").contains("₩65,000") && english.contains("Last 14 days, KRW"), "{english}");
        assert!(english.contains("There is no endpoint yet"), "{english}");
    }

    /// What an endpoint that gets nothing has left behind says nothing of how events go out.
    async fn what_waits_is_what_somebody_is_to_get(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let endpoint = json!({ "url": "http://127.0.0.1:1/hook" });
        let made = app.api(Method::POST, "/api/v1/webhook-endpoints", Some(endpoint)).await.json();
        paid(&app, "v1", "PAID").await;
        let waits = async || {
            let page = page(&app, Role::Viewer, "/overview?lang=en").await;
            let (_, rest) = page.split_once("Longest waiting event").unwrap();
            rest.split_once("</dd>").unwrap().0.contains("<time")
        };
        assert!(waits().await);

        let path = format!("/api/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
        let disabled = app.api(Method::PATCH, &path, Some(json!({ "enabled": false }))).await;
        assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);

        assert!(!waits().await);
    }
}
