//! Where events may be sent to, as the server is set.

use http::StatusCode;
use reqwest::Method;
use serde_json::json;
use wanryo::domain::event::EventType;
use wanryo::domain::order::Mode;

use super::receiver::Receiver;
use super::{HOUR, Shop};
use crate::app::TestApp;
use crate::program::{Program, command, run};
use crate::support::{TestDatabase, on_both_databases};

const PATH: &str = "/api/v1/webhook-endpoints";

on_both_databases! {
    async fn a_live_server_sends_nothing_to_itself_or_into_its_network(db: TestDatabase) {
        let shop = Shop::open_with(&db, |settings| settings.event_targets_private = Vec::new()).await;
        let receiver = Receiver::start().await;
        let port = receiver.url.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
        for url in [
            receiver.url.clone(),
            format!("https://127.0.0.1:{port}/"),
            format!("https://127.1:{port}/"),
            format!("https://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://LOCALHOST.:{port}/"),
            format!("https://１２７.0.0.1:{port}/"),
            "https://169.254.169.254/latest/meta-data".to_owned(),
            "https://10.0.0.1/".to_owned(),
            "http://shop.example.com/hook".to_owned(),
        ] {
            let answer = shop.app.api(Method::POST, PATH, Some(json!({ "url": url }))).await;
            assert_eq!((answer.status, &answer.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("url")), "{url}");
        }

        // One that was saved under other settings is looked at again.
        let (_, made) = shop.post(PATH, Some(json!({ "url": "https://shop.example.com/" }))).await;
        assert_eq!(made["status"], "enabled");
        db.run(&format!("UPDATE webhook_endpoints SET url = '{}'", receiver.url)).await;
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;
        shop.pass(HOUR, 2).await;
        assert_eq!(receiver.count(), 0);
        let delivery = shop.deliveries().await.remove(0);
        let attempts = shop.delivery(&delivery["id"]).await["attempts"].clone();
        assert_eq!(attempts[0]["error"], "target_refused");
    }

    async fn with_test_money_a_receiver_on_this_machine_needs_no_setting(db: TestDatabase) {
        let shop = Shop::open_with(&db, |settings| {
            settings.event_targets_private = Vec::new();
            settings.mode = Mode::Test;
        })
        .await;
        let receiver = Receiver::start().await;
        let named = receiver.url.replace("127.0.0.1", "localhost");
        shop.endpoint(&receiver).await;
        assert_eq!(shop.post(PATH, Some(json!({ "url": named }))).await.0, StatusCode::CREATED);
        let refused = shop.app.api(Method::POST, PATH, Some(json!({ "url": "http://192.168.0.1/" }))).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        shop.happened("A", &[EventType::OrderPaid]).await;
        shop.deliver().await;

        assert_eq!(receiver.count(), 2, "by its address and by its name");
    }

    async fn no_secret_and_no_address_of_an_endpoint_is_in_the_log(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let (key, mut log) = run(command(&db, &sandbox), &["key", "create", "--name", "shop"], "").await;
        let mut settings = command(&db, &sandbox);
        settings.env("WANRYO_MODE", "test");
        let program = Program::spawn(settings).await;
        let receiver = Receiver::answering(|_| {
            use axum::response::IntoResponse;
            (StatusCode::INTERNAL_SERVER_ERROR, "canary-answer").into_response()
        })
        .await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = async |path: &str, body: serde_json::Value| {
            let request = client.post(format!("{}{path}", program.url)).bearer_auth(&key).json(&body);
            request.send().await.unwrap().json::<serde_json::Value>().await.unwrap()
        };
        let url = receiver.url.replace("shop=1", "token=canary-token");
        let made = call(PATH, json!({ "url": url })).await;
        let rotated = call(&format!("{PATH}/{}/rotate", made["id"].as_str().unwrap()), json!({})).await;
        call("/api/v1/orders", json!({ "payment_id": "A", "name": "사과", "amount": 65_000 })).await;
        let imp_uid = sandbox.create_payment(json!({ "merchant_uid": "A", "amount": 65_000, "status": "paid", "sandbox": true })).unwrap();
        client.get(format!("{}/payments/complete?imp_uid={imp_uid}&merchant_uid=A", program.url)).send().await.unwrap();
        receiver.until(2).await;
        log.push_str(&program.end().await);

        let [first, second] = [&made, &rotated].map(|answer| answer["secret"].as_str().unwrap().to_owned());
        assert!(receiver.got()[0].is_signed_with(&first) && receiver.got()[0].is_signed_with(&second));
        assert!(log.contains("TRACE"), "everything is logged");
        for secret in [first.trim_start_matches("whsec_"), second.trim_start_matches("whsec_"), "whsec_", "canary-token", "canary-answer", key.as_str()] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
}
