//! Secrets that were not there, checks that could be switched off, and test money taken for money.

use std::process::Output;
use std::sync::Arc;

use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::timeout;
use wanryo::domain::order::Mode;
use wanryo::domain::refund::OnMismatch;

use super::tools::{GENERATIONS, asked, order, pay, query, settled, sign_in, sources};
use crate::app::{PATIENCE, TestApp, WEBHOOK_SECRET};
use crate::program::{command, run};
use crate::support::{TestDatabase, on_both_databases};

/// Every setting that there is. None of them can leave out a check.
const SETTINGS: [&str; 28] = [
    "DATABASE_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "PORTONE_TIMEOUT_MS",
    "PORTONE_V1_API_KEY",
    "PORTONE_V1_API_SECRET",
    "PORTONE_V1_API_URL",
    "PORTONE_V1_MERCHANT_CODE",
    "PORTONE_V1_SDK_URL",
    "PORTONE_V2_API_SECRET",
    "PORTONE_V2_API_URL",
    "PORTONE_V2_SDK_URL",
    "PORTONE_V2_STORE_ID",
    "PORTONE_V2_WEBHOOK_SECRETS",
    "WANRYO_ADDR",
    "WANRYO_EVENT_TARGETS_PRIVATE",
    "WANRYO_LOG_FORMAT",
    "WANRYO_METRICS_SOURCES",
    "WANRYO_MODE",
    "WANRYO_ON_MISMATCH",
    "WANRYO_PUBLIC_URL",
    "WANRYO_RETENTION_DAYS",
    "WANRYO_SHOP_COLOR",
    "WANRYO_SHOP_LOGO",
    "WANRYO_SHOP_NAME",
    "WANRYO_SHOP_URL",
    "WANRYO_SUPPORT_URL",
    "WANRYO_TRUSTED_PROXIES",
    "WANRYO_WEBHOOK_SOURCES",
];

/// Starts the program with one setting changed; it must end by itself.
async fn ends_at_start(
    db: &TestDatabase,
    sandbox: &Sandbox,
    variable: &str,
    value: &str,
) -> Output {
    let mut command = command(db, sandbox);
    command.env(variable, value);
    let ended = timeout(PATIENCE, command.output()).await;
    ended
        .unwrap_or_else(|_| panic!("it runs with {variable}={value:?}"))
        .unwrap()
}

/// The program refused to start, named the setting, and told nothing of a secret.
fn assert_refused(ended: &Output, variable: &str, value: &str) {
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success(), "{variable}={value:?}: {said}");
    assert!(said.contains(variable), "{variable}={value:?}: {said}");
    assert!(!said.contains("listening on"), "{said}");
    for secret in ["sandbox-secret", "sandbox-v2-secret", WEBHOOK_SECRET] {
        assert!(!said.contains(secret), "{said}");
    }
}

on_both_databases! {
    /// CVE-2026-103308 (Visma Pay): the return address was verified with a secret that was empty until somebody filled it in.
    async fn an_empty_secret_stops_the_start(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        for variable in ["PORTONE_V1_API_KEY", "PORTONE_V1_API_SECRET", "PORTONE_V2_API_SECRET", "PORTONE_V2_WEBHOOK_SECRETS"] {
            for value in ["", " ", "\t"] {
                assert_refused(&ends_at_start(&db, &sandbox, variable, value).await, variable, value);
            }
        }
    }

    /// CVE-2026-41432 (New API, GHSA-xff3-5c9p-2mr4), once more: a key that is there and can be guessed is as good as none.
    async fn a_short_webhook_secret_stops_the_start(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        // Four, eleven and fifteen bytes, and what is no base64 at all.
        for value in ["whsec_", "whsec_dGVzdA==", "whsec_c2hvcnRzZWNyZXQ=", "whsec_AAAAAAAAAAAAAAAAAAAA", "secret", "whsec_not base64 but long enough"] {
            assert_refused(&ends_at_start(&db, &sandbox, "PORTONE_V2_WEBHOOK_SECRETS", value).await, "PORTONE_V2_WEBHOOK_SECRETS", value);
        }
    }

    /// CVE-2026-103298 (CCAvenue): an empty working key decrypted whatever a stranger had encrypted with an empty key. Beside
    /// good secrets an empty one is as open.
    async fn an_empty_secret_beside_a_good_one_stops_the_start(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let good = WEBHOOK_SECRET;
        for value in [format!("{good},"), format!(",{good}"), format!("{good},,{good}"), format!("{good}, "), format!("whsec_,{good}"), format!("{good},whsec_dGVzdA=="), ",".to_owned()] {
            assert_refused(&ends_at_start(&db, &sandbox, "PORTONE_V2_WEBHOOK_SECRETS", &value).await, "PORTONE_V2_WEBHOOK_SECRETS", &value);
        }
    }

    /// CVE-2026-2428 (Fluent Forms): the verification of payment notices was a setting, and off unless somebody found it.
    async fn no_setting_switches_a_check_off(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let (help, _) = run(command(&db, &sandbox), &["--help"], "").await;
        let mut named: Vec<&str> = help.split("[env:").skip(1).map(|rest| rest.trim_start().split(['=', ']']).next().unwrap()).collect();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named, SETTINGS, "a new setting is added to this list by somebody who has asked what it can switch off");
        for (variable, value) in [("WANRYO_MODE", "any"), ("WANRYO_MODE", ""), ("WANRYO_MODE", "live,test"), ("WANRYO_ON_MISMATCH", "accept"), ("WANRYO_ON_MISMATCH", "ignore"), ("WANRYO_ON_MISMATCH", ""), ("WANRYO_RETENTION_DAYS", "0"), ("WANRYO_RETENTION_DAYS", "89"), ("WANRYO_RETENTION_DAYS", "")] {
            assert_refused(&ends_at_start(&db, &sandbox, variable, value).await, variable, value);
        }

        // Whatever they are set to, what fails a check is not paid.
        for (mode, on_mismatch) in [(Mode::Live, OnMismatch::Hold), (Mode::Live, OnMismatch::Refund), (Mode::Test, OnMismatch::Hold), (Mode::Test, OnMismatch::Refund)] {
            let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
                settings.mode = mode;
                settings.on_mismatch = on_mismatch;
                settings.webhook_sources = vec!["0.0.0.0/0".parse().unwrap()];
                settings.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap()];
            }).await;
            for portone in GENERATIONS {
                let id = format!("{}-{}-{portone}", mode.as_str(), on_mismatch == OnMismatch::Refund);
                order(&app, portone, &id, json!({})).await;
                let channel = if portone == "v1" { json!({ "amount": 100, "sandbox": mode == Mode::Test }) } else { json!({ "amount": 100, "channel": { "type": if mode == Mode::Test { "TEST" } else { "LIVE" } } }) };
                let transaction_id = pay(&app, portone, &id, channel).await;
                asked(&app, &query(portone, &id, &transaction_id)).await;
                settled(&app).await;
                assert!(!app.told(&id).await.contains(&"order.paid"), "{id}");
                assert_ne!(app.read_order(&id).await["status"], "paid", "{id}");
            }
            app.running.stop().await;
        }
    }

    /// CVE-2026-92400 (PayPal for WooCommerce): a payment of the gateway's sandbox completed an order of the live shop,
    /// because the request said in which of the two to look.
    async fn test_money_buys_nothing_where_real_money_is_asked_for(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        for (mode, portone, wrong) in [
            (Mode::Live, "v1", vec![json!({ "sandbox": true }), json!({ "sandbox": null }), json!({ "sandbox": "false" }), json!({ "sandbox": 0 })]),
            (Mode::Live, "v2", vec![json!({ "channel": { "type": "TEST" } }), json!({ "channel": { "type": "live" } }), json!({ "channel": { "type": "SANDBOX" } }), json!({ "channel": null })]),
            // And the other way round: a test shop gives nothing for real money either.
            (Mode::Test, "v1", vec![json!({ "sandbox": false }), json!({ "sandbox": null })]),
            (Mode::Test, "v2", vec![json!({ "channel": { "type": "LIVE" } })]),
        ] {
            let app = TestApp::start_with(&db, Arc::clone(&sandbox), |settings| settings.mode = mode).await;
            for (number, fields) in wrong.into_iter().enumerate() {
                let id = format!("{}-{portone}-{number}", mode.as_str());
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({})).await;
                if portone == "v1" { app.sandbox.patch_payment(&transaction_id, fields.clone()).unwrap() } else { app.patch_v2(&id, fields.clone()).await }

                for claim in ["", "&sandbox=true", "&include_sandbox=true", "&mode=test", "&test=1", "&environment=sandbox", "&livemode=false", "&WANRYO_MODE=test"] {
                    let request = app.client.get(app.url(&format!("/payments/complete?{}{claim}", query(portone, &id, &transaction_id))));
                    let answer = app.send(request.header("accept", "application/json").header("x-mode", "test").header("cookie", "mode=test; sandbox=1")).await;
                    assert!(["held", "unconfirmed"].contains(&answer.outcome().as_str()), "{id} {fields}{claim}: {}", answer.text);
                }
                assert!(!app.told(&id).await.contains(&"order.paid"), "{id} {fields}");
                assert_ne!(app.read_order(&id).await["status"], "paid", "{id} {fields}");
            }
            app.running.stop().await;
        }
    }

    /// CVE-2026-87978 (Paymob): of several ways to finish an order one did not verify. Here every door that there is leads a
    /// payment that fails a check to the same end.
    async fn no_door_leads_past_the_checks(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        for portone in GENERATIONS {
            for door in 0..10 {
                let id = format!("{portone}-{door}");
                let made = order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({ "amount": 100 })).await;
                let by_ids = query(portone, &id, &transaction_id);
                let link = made["status_url"].as_str().unwrap().replace(&app.running.public_url, "");
                let token = link.rsplit('/').next().unwrap().to_owned();
                match door {
                    0 => drop(asked(&app, &by_ids).await),
                    1 => drop(app.page(&format!("/payments/complete?{by_ids}")).await),
                    2 => drop(app.send(app.client.post(app.url("/payments/complete")).header("content-type", "application/x-www-form-urlencoded").body(by_ids)).await),
                    3 => drop(if portone == "v1" { app.webhook(&transaction_id, &id, "paid").await } else { app.webhook_v2(&id, "Transaction.Paid", &id, &transaction_id).await }),
                    4 => drop(app.page(&link).await),
                    5 => drop(app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None).await),
                    6 => drop(app.send(app.client.post(app.url(&format!("/orders/{id}/sync"))).header("cookie", &cookie).header("sec-fetch-site", "same-origin")).await),
                    7 => drop(app.send(app.client.post(app.url("/api/payments/complete")).header("sec-fetch-site", "same-origin").form(&[("payment_id", id.as_str()), ("transaction_id", &transaction_id)])).await),
                    8 => drop(app.send(app.client.post(app.url("/api/payments/look-up")).header("sec-fetch-site", "same-origin").form(&[("token", token)])).await),
                    _ => {
                        db.run("UPDATE orders SET next_check_at = 0 WHERE next_check_at IS NOT NULL").await;
                        drop(wanryo::service::reconciliation::reconcile_due(&app.running.core, 50).await);
                    }
                }
                settled(&app).await;
                // Closing asks PortOne as well, and a refund that is asked for looks before it gives.
                app.api(Method::POST, &format!("/api/v1/orders/{id}/close"), None).await;
                assert_eq!(app.refund(&id, "1", json!({ "reason": "x" })).await.status, StatusCode::CONFLICT);

                let order = app.read_order(&id).await;
                assert_eq!((&order["status"], &order["transactions"][0]["verdict"]), (&json!("held"), &json!("held")), "door {door}: {order}");
                assert_eq!(app.told(&id).await, ["order.held"], "door {door}");
            }
        }
    }
}

/// The proof that all checks passed can be made in one place alone, and nothing accepts a payment without it.
#[test]
fn the_word_verified_is_spoken_in_one_place() {
    let mut made = Vec::new();
    for (path, text) in sources("src") {
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in shipped.lines().filter(|line| {
            line.contains("Verified(())") && !line.contains("pub struct Verified(())")
        }) {
            made.push((path.file_name().unwrap().to_owned(), line.trim().to_owned()));
        }
    }
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(made[0].0, "verification.rs");
}
