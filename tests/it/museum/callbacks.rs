//! Messages that claim to come from the gateway.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use wanryo::service::inbox;

use super::tools::{GENERATIONS, PRICE, asked, calls, order, query, settled};
use crate::app::{Answer, PATIENCE, STORE_ID, TestApp, V2_SECRET, WEBHOOK_SECRET};
use crate::payments::eventually;
use crate::program::{Program, command};
use crate::support::{TestDatabase, on_both_databases};

/// Forged requests that one genuine buyer has to get through.
const FORGED: usize = 12_000;
/// Of them, those about the very order that somebody is paying for. Each makes the server wait for PortOne.
const FORGED_FOR_THE_ORDER: usize = 300;
/// Connections of the forger.
const FORGERS: usize = 48;

/// HMAC-SHA-256 (RFC 2104), for keys that no library lets one use.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        for (padded, key) in block.iter_mut().zip(key) {
            *padded ^= key;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

#[test]
fn the_forgers_tool_works() {
    // RFC 4231, test case 2.
    let code = hmac(b"Jefe", b"what do ya want for nothing?");
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

fn transaction_paid(id: &str, tx_id: &str) -> String {
    json!({ "type": "Transaction.Paid", "timestamp": "2026-11-21T00:00:00.000Z", "data": { "storeId": STORE_ID, "paymentId": id, "transactionId": tx_id } }).to_string()
}

/// Posts a webhook signed with a key of the forger's choice.
async fn sign_with(app: &TestApp, key: &[u8], webhook_id: &str, body: &str) -> Answer {
    let at = app.running.core.clock.now().as_second();
    let code = hmac(key, format!("{webhook_id}.{at}.{body}").as_bytes());
    let request = app.client.post(app.url("/payments/webhook"));
    let request = request
        .header("content-type", "application/json")
        .header("webhook-id", webhook_id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", format!("v1,{}", STANDARD.encode(code)));
    app.send(request.body(body.to_owned())).await
}

async fn waiting(db: &TestDatabase) -> Vec<String> {
    db.read("SELECT payment_id FROM inbox").await
}

on_both_databases! {
    /// CVE-2026-110285 (WP Stripe Checkout): where no webhook secret was set, webhooks without a signature were believed.
    async fn without_a_webhook_secret_no_webhook_is_believed(db: TestDatabase) {
        let sandbox = TestApp::new_sandbox().await;
        let mut unset = command(&db, &sandbox);
        unset.env_remove("PORTONE_V2_WEBHOOK_SECRETS");
        let program = Program::spawn(unset).await;
        let log = program.end().await;
        assert!(log.contains("WARN") && log.contains("PORTONE_V2_WEBHOOK_SECRETS"), "the log says so, and what to set: {log}");

        let app = TestApp::start_with(&db, sandbox, |settings| settings.v2.as_mut().unwrap().webhook_secrets.clear()).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({ "status": "READY" })).await;
        let body = transaction_paid("ORD-1", &tx_id);
        let asked = calls(&app).len();

        let unsigned = app.send(app.client.post(app.url("/payments/webhook")).header("content-type", "application/json").body(body.clone())).await;
        assert_eq!((unsigned.status, unsigned.json()["type"].as_str()), (StatusCode::BAD_REQUEST, Some("/problems/invalid-signature")));
        for key in [&b""[..], b"undefined", b"null", b"whsec_", V2_SECRET.as_bytes()] {
            let signed = sign_with(&app, key, "wh-1", &body).await;
            assert_eq!(signed.json()["type"], "/problems/portone-not-configured");
        }
        settled(&app).await;

        assert_eq!((calls(&app).len(), waiting(&db).await), (asked, Vec::new()));
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
    }

    /// CVE-2026-41432 (New API, GHSA-xff3-5c9p-2mr4): the code over a webhook was made with an empty key, so anybody could
    /// make it.
    async fn a_signature_with_an_empty_key_is_no_signature(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({})).await;
        let body = transaction_paid("ORD-1", &tx_id);
        // The forger's tool is good: with the right key it opens the door.
        let right = STANDARD.decode(WEBHOOK_SECRET.trim_start_matches("whsec_")).unwrap();
        assert_eq!(sign_with(&app, &right, "wh-right", &transaction_paid("NO-SUCH-ORDER", "tx-1")).await.status, StatusCode::OK);

        for key in [&b""[..], b"\0", &[0; 32], b"whsec_", b"undefined", b"null", WEBHOOK_SECRET.as_bytes(), V2_SECRET.as_bytes(), STORE_ID.as_bytes(), &right[1..]] {
            let forged = sign_with(&app, key, "wh-1", &body).await;
            assert_eq!((forged.status, forged.json()["type"].as_str()), (StatusCode::BAD_REQUEST, Some("/problems/invalid-signature")), "{key:?}");
        }

        assert_eq!(waiting(&db).await, ["NO-SUCH-ORDER"]);
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
    }

    /// GHSA-4g53-vp7q-gfjv (stripe-webhook on npm): the signature was verified by a promise that nobody awaited, and a promise
    /// is always true.
    async fn the_verdict_on_a_signature_is_waited_for(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("ORD-1").await;
        let tx_id = app.pay_v2("ORD-1", json!({})).await;
        let asked = calls(&app).len();

        for number in 0..20 {
            let forged = sign_with(&app, b"guess", &format!("wh-{number}"), &transaction_paid("ORD-1", &tx_id)).await;
            assert_eq!(forged.status, StatusCode::BAD_REQUEST, "the answer knows the verdict");
        }
        settled(&app).await;

        assert_eq!((waiting(&db).await, calls(&app).len()), (Vec::new(), asked), "nothing was begun meanwhile");
        assert_eq!(app.read_order("ORD-1").await["status"], "open");
    }

    /// CVE-2026-0692 (BlueSnap): the list of addresses that may post notices was asked about the address that the sender
    /// wrote into `X-Forwarded-For`.
    async fn an_address_in_a_header_is_not_an_address(db: TestDatabase) {
        const PORTONE: &str = "52.78.100.19";
        let sandbox = TestApp::new_sandbox().await;
        // Nobody's word counts, and somebody else's does.
        for trusted in [None, Some("10.0.0.0/8")] {
            let app = TestApp::start_with(&db, Arc::clone(&sandbox), |settings| {
                settings.webhook_sources = vec![format!("{PORTONE}/32").parse().unwrap()];
                settings.trusted_proxies = trusted.map(|network| network.parse().unwrap()).into_iter().collect();
            }).await;
            let names = [
                "x-forwarded-for", "X-Forwarded-For", "x-real-ip", "forwarded", "x-forwarded", "forwarded-for", "x-client-ip", "client-ip", "true-client-ip", "cf-connecting-ip",
                "fastly-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "x-originating-ip", "x-remote-ip", "x-remote-addr", "x-envoy-external-address", "via", "remote-addr", "host",
            ];
            let values = [PORTONE.to_owned(), format!("{PORTONE}, 127.0.0.1"), format!("127.0.0.1, {PORTONE}"), format!("for={PORTONE}"), format!("[::ffff:{PORTONE}]"), format!("{PORTONE}:443")];
            let body = json!({ "imp_uid": "imp_1", "merchant_uid": "ORD-1", "status": "paid" });
            for name in names {
                for value in &values {
                    let request = app.client.post(app.url("/payments/webhook")).header(name, value).json(&body);
                    let answer = app.send(request).await;
                    assert_eq!((answer.status, answer.json()["type"].as_str()), (StatusCode::FORBIDDEN, Some("/problems/source-refused")), "{name}: {value}");
                }
            }
            let all_at_once = names.iter().filter(|name| **name != "host").fold(app.client.post(app.url("/payments/webhook")), |request, name| request.header(*name, PORTONE));
            assert_eq!(app.send(all_at_once.json(&body)).await.status, StatusCode::FORBIDDEN);

            assert_eq!(waiting(&db).await, [] as [String; 0]);
            app.running.stop().await;
        }
    }

    /// CVE-2026-0656 (iPaymu): an unauthenticated callback completed the order. Here it is allowed to ask one question of
    /// PortOne, and nothing else.
    async fn a_forged_callback_only_makes_us_look(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ORD-{portone}");
            order(&app, portone, &id, json!({})).await;
            let everything = json!({
                "imp_uid": "imp_000000000000", "merchant_uid": id, "status": "paid", "trx_id": 1, "reference_id": id, "status_code": 1, "via": "va", "amount": PRICE,
                "success": true, "imp_success": true, "paid_amount": PRICE, "paid_at": 1, "cancel_amount": 0, "payment_id": id, "tx_id": "tx-1", "action": "complete",
            });
            for path in ["/payments/webhook", "/payments/complete", "/payments/confirm"] {
                app.send(app.client.post(app.url(path)).json(&everything)).await;
                app.send(app.client.post(app.url(path)).form(&everything)).await;
            }
            settled(&app).await;

            let order = app.read_order(&id).await;
            assert_eq!((&order["status"], &order["transactions"]), (&json!("open"), &json!([])));
            assert_eq!(app.told(&id).await, [] as [&str; 0]);
        }
        // Orders were registered and a token was fetched; of payments PortOne was only asked.
        for (method, path, _) in calls(&app) {
            let looks = method == "GET" || ["/users/getToken", "/payments/prepare", "/v2/login/api-secret"].contains(&path.as_str()) || path.ends_with("/pre-register");
            assert!(looks, "{method} {path}");
        }
    }

    /// CVE-2026-103381 (Mintpay): the callback's own word marked orders as paid, or as cancelled, for anybody.
    async fn the_status_that_a_message_claims_is_not_read(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let claims = ["paid", "ready", "failed", "cancelled", "PAID", "refunded", "", "0", "success"];
        for (number, (real, ends)) in [("paid", "paid"), ("failed", "open"), ("ready", "open"), ("cancelled", "refunded")].into_iter().enumerate() {
            for (form, claim) in claims.iter().flat_map(|claim| [(true, *claim), (false, *claim)]) {
                let id = format!("{number}-{form}-{}", claims.iter().position(|other| *other == claim).unwrap());
                app.order(&id).await;
                let imp_uid = app.pay(&id, json!({ "status": real }));
                let body = json!({ "imp_uid": imp_uid, "merchant_uid": id, "status": claim });

                let request = app.client.post(app.url("/payments/webhook"));
                let told = app.send(if form { request.form(&body) } else { request.json(&body) }).await;
                assert_eq!(told.status, StatusCode::OK);
                settled(&app).await;

                let order = app.read_order(&id).await;
                assert_eq!(order["status"], ends, "{real}, claimed to be {claim:?}: {order}");
            }
        }
        // What is paid is not talked out of it.
        app.order("PAID").await;
        let imp_uid = app.pay("PAID", json!({}));
        for claim in claims {
            app.webhook(&imp_uid, "PAID", claim).await;
            asked(&app, &format!("{}&status={claim}&imp_success=false", query("v1", "PAID", &imp_uid))).await;
        }
        settled(&app).await;
        assert_eq!(app.read_order("PAID").await["status"], "paid");
        assert_eq!(app.told("PAID").await, ["order.paid"]);
    }

    /// CVE-2026-85642 (Formidable Forms): the guard against too many attempts could be used up by a stranger, and then nobody
    /// could pay. All of this comes from one address, like the traffic behind a proxy.
    async fn a_flood_of_forgeries_does_not_keep_a_buyer_out(db: TestDatabase) {
        let app = Arc::new(TestApp::start(&db).await);
        for id in ["FLOODED", "OTHER", "HOOKED"] {
            app.order(id).await;
        }
        let known = crate::refunds::paid(&app, "v1", "KNOWN").await;
        let (forged, for_the_order) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let started = Instant::now();
        let mut flood = JoinSet::new();
        for forger in 0..FORGERS {
            let (app, forged, for_the_order) = (Arc::clone(&app), Arc::clone(&forged), Arc::clone(&for_the_order));
            flood.spawn(async move {
                while forged.fetch_add(1, SeqCst) < FORGED {
                    let number: u32 = rand::random();
                    let about_the_order = forger < 8 && for_the_order.fetch_add(1, SeqCst) < FORGED_FOR_THE_ORDER;
                    let hook = app.client.post(app.url("/payments/webhook")).header("x-forwarded-for", "52.78.100.19");
                    let request = match (about_the_order, number % 4) {
                        (true, _) => hook.json(&json!({ "imp_uid": format!("imp_{number:012}"), "merchant_uid": "FLOODED", "status": "paid" })),
                        (_, 0) => hook.json(&json!({ "imp_uid": format!("imp_{number:012}"), "merchant_uid": format!("NONE-{number}"), "status": "paid" })),
                        (_, 1) => hook.header("webhook-id", format!("wh-{number}")).header("webhook-timestamp", "1").header("webhook-signature", "v1,AAAA").body("{}"),
                        (_, 2) => app.client.get(app.url(&format!("/payments/complete?imp_uid=imp_{number:012}&merchant_uid=NONE-{number}"))).header("accept", "application/json"),
                        _ => app.client.get(app.url(&format!("/payments/complete?imp_uid=..%2F{number}"))).header("accept", "application/json"),
                    };
                    // A server that is busy may turn a forger away.
                    let answer = request.timeout(PATIENCE).send().await;
                    assert!(answer.is_ok_and(|answer| answer.status() != StatusCode::INTERNAL_SERVER_ERROR));
                }
            });
        }
        // In the middle of it three buyers come: of another order, of the flooded order, and one by webhook alone.
        let middle = async {
            while forged.load(SeqCst) < FORGED / 4 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(6 * PATIENCE, middle).await.unwrap();
        let mut waits = Vec::new();
        for id in ["OTHER", "FLOODED"] {
            let imp_uid = app.pay(id, json!({}));
            let came = Instant::now();
            let answer = app.complete(&query("v1", id, &imp_uid)).await;
            waits.push(came.elapsed());
            assert!(["paid", "unconfirmed"].contains(&answer.outcome().as_str()), "{id}: {} {}", answer.status, answer.text);
            eventually(&app, id, "paid").await;
        }
        let imp_uid = app.pay("HOOKED", json!({}));
        assert_eq!(app.webhook(&imp_uid, "HOOKED", "paid").await.status, StatusCode::OK);
        eventually(&app, "HOOKED", "paid").await;
        assert_eq!(asked(&app, &query("v1", "KNOWN", &known)).await.outcome(), "paid", "what is known is answered throughout");
        let was_in_the_middle = forged.load(SeqCst) < FORGED;
        flood.join_all().await;

        assert!(was_in_the_middle, "the flood was over before the buyers were done");
        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(8)), "{waits:?}");
        assert!(for_the_order.load(SeqCst) > 0);
        let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 1;
        let asked = calls(&app).len();
        assert!(asked < 60 + 8 * seconds, "{asked} calls in {seconds} s");
        // Nor does what nobody will ever ask for pile up.
        inbox::purge(&app.running.core).await.unwrap();
        let kept = waiting(&db).await.len();
        assert!(kept <= 10_000 + 10, "{kept}");
        let strangers = db.read("SELECT payment_id FROM orders WHERE payment_id LIKE 'NONE%' UNION ALL SELECT payment_id FROM history WHERE payment_id LIKE 'NONE%'").await;
        assert_eq!(strangers, [] as [String; 0]);
    }
}
