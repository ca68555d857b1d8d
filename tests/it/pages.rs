//! Buyers' pages over HTTP: what is offered when, and what is there at all.

use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use wanryo::service::access;

use crate::app::TestApp;
use crate::support::{TestDatabase, on_both_databases};

/// An account that waits for its deposit until the year 2100.
fn account() -> Value {
    json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_date": 4_102_444_800_i64 })
}

on_both_databases! {
    async fn the_pay_page_opens_no_window_beside_a_payment_that_is_under_way(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("DEPOSIT").await;
        app.order_v2("REVIEW").await;
        let opens_a_window = |text: &str| text.contains("<script src=");
        for id in ["DEPOSIT", "REVIEW"] {
            assert!(opens_a_window(&app.page(&format!("/pay/{id}")).await.text), "{id}: nothing is under way yet");
        }

        let imp_uid = app.pay("DEPOSIT", account());
        app.complete(&format!("imp_uid={imp_uid}&merchant_uid=DEPOSIT")).await;
        let tx_id = app.pay_v2("REVIEW", json!({ "status": "PAY_PENDING" })).await;
        app.complete(&format!("txId={tx_id}&paymentId=REVIEW")).await;

        for (id, words) in [("DEPOSIT", "입금을 기다리는 계좌가 있어요"), ("REVIEW", "먼저 하신 결제를 심사하고 있어요")] {
            let page = app.page(&format!("/pay/{id}")).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.text.contains(words) && !opens_a_window(&page.text), "{id}: {}", page.text);
        }
        app.patch_v2("REVIEW", json!({ "status": "FAILED" })).await;
        app.complete(&format!("txId={tx_id}&paymentId=REVIEW")).await;
        assert!(opens_a_window(&app.page("/pay/REVIEW").await.text), "what failed may be paid again");
    }

    async fn the_language_asked_for_survives_every_form(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        access::put_user(&app.running.core, "staff@example.com", SecretString::from("correct horse battery")).await.unwrap();
        let form = |password: &str| [("email", "staff@example.com".to_owned()), ("password", password.to_owned()), ("next", "/attention".to_owned())];

        let stranger = app.page("/orders?lang=en").await;
        assert_eq!(stranger.headers["location"], "/login?next=%2Forders&lang=en");
        let refused = app.send(app.client.post(app.url("/login?lang=en")).form(&form("wrong"))).await;
        assert_eq!(refused.headers["location"], "/login?error=refused&next=%2Fattention&lang=en");
        let let_in = app.send(app.client.post(app.url("/login?lang=en")).form(&form("correct horse battery"))).await;
        assert_eq!(let_in.headers["location"], "/attention?lang=en");

        let cookie = let_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = |path: &str| app.client.get(app.url(path)).header("accept", "text/html").header("cookie", &cookie);
        let order = app.send(page("/orders/ORD%2D1?lang=en")).await.text;
        let actions: Vec<&str> = order.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(actions.len() >= 3, "sync, close and sign-out: {actions:?}");
        for action in actions {
            let posted = app.send(app.client.post(app.url(action)).header("cookie", &cookie)).await;
            assert_eq!(posted.status, StatusCode::SEE_OTHER, "{action}");
            assert!(posted.headers["location"].to_str().unwrap().ends_with("lang=en"), "{action} leads to {:?}", posted.headers["location"]);
        }
        let plain = app.send(app.client.post(app.url("/login")).form(&form("wrong"))).await;
        assert_eq!(plain.headers["location"], "/login?error=refused&next=%2Fattention");
    }

    async fn the_gallery_is_the_demos_alone(db: TestDatabase) {
        for (gallery, status) in [(false, StatusCode::NOT_FOUND), (true, StatusCode::OK)] {
            let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| settings.gallery = gallery).await;
            for path in ["/_gallery", "/_gallery/paid", "/_gallery/paid?lang=en&theme=dark"] {
                let page = app.page(path).await;
                assert_eq!(page.status, status, "{path}");
                assert_eq!(page.page_outcome(), Some("paid").filter(|_| gallery && path != "/_gallery"), "{path}");
            }
            app.running.stop().await;
        }
    }
}
