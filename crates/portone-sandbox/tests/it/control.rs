//! The control plane: payments out of nowhere, settings, journal, reset, and who may use it.

use portone_sandbox::{Error, Event, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, json_of, text_of};

#[tokio::test]
async fn a_payment_is_made_in_any_state_with_fields_that_fit_it() {
    let bench = Bench::start().await;
    let create = async |body: Value| {
        let answer = bench.post("/_sandbox/payments").json(&body).send().await;
        json_of(answer.unwrap(), 201).await
    };

    let paid = create(json!({"merchant_uid": "A", "amount": 10})).await;
    let failed = create(json!({"merchant_uid": "B", "amount": 10, "status": "failed"})).await;
    let issued =
        json!({"merchant_uid": "C", "amount": 10, "status": "ready", "pay_method": "vbank"});
    let issued = create(issued).await;
    let cancelled = create(json!({"merchant_uid": "D", "amount": 10, "status": "cancelled"})).await;
    let strange = json!({
        "merchant_uid": "E", "amount": 10, "imp_uid": "imp_own", "status": "disputed",
        "fail_reason": null, "new_field": {"x": 1}
    });
    let strange = create(strange).await;

    assert_eq!(paid["status"], "paid");
    assert!(paid["paid_at"].as_i64().unwrap() > 0);
    assert!(failed["failed_at"].as_i64().unwrap() > 0);
    assert!(failed["fail_reason"].is_string());
    assert!(issued["vbank_num"].is_string());
    assert_eq!(cancelled["cancel_amount"], 10);
    assert_eq!(cancelled["cancel_history"][0]["amount"], 10);
    assert_eq!(strange["status"], "disputed");
    assert_eq!(strange["imp_uid"], "imp_own");
    assert_eq!(strange["new_field"]["x"], 1);
    let list = json_of(bench.get("/_sandbox/payments").send().await.unwrap(), 200).await;
    let orders: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["merchant_uid"])
        .collect();
    assert_eq!(orders, ["E", "D", "C", "B", "A"]);
}

#[tokio::test]
async fn payments_that_cannot_be_are_refused() {
    let bench = Bench::start().await;
    let taken = json!({"merchant_uid": "A", "amount": 1, "imp_uid": "imp_1"});
    bench.sandbox.create_payment(taken.clone()).unwrap();
    let cases = [
        (taken, 409),
        (json!({"amount": 1}), 400),
        (json!({"merchant_uid": "A"}), 400),
        (json!({"merchant_uid": "A", "amount": "1"}), 400),
        (
            json!({"merchant_uid": "A", "amount": 1, "imp_uid": "../x"}),
            400,
        ),
        (
            json!({"merchant_uid": "A", "amount": 1, "webhook": "yes"}),
            400,
        ),
        (json!([]), 400),
    ];
    for (body, status) in cases {
        let answer = bench.post("/_sandbox/payments").json(&body).send().await;
        let answer = json_of(answer.unwrap(), status).await;
        assert!(answer["error"].is_string(), "{body}");
    }
    let refused = bench.sandbox.create_payment(json!(7));
    assert!(matches!(refused, Err(Error::Refused(_))));
}

#[tokio::test]
async fn patch_sets_nulls_and_removes_fields() {
    let bench = Bench::start().await;
    let fields = json!({"merchant_uid": "A", "amount": 1});
    let imp_uid = bench.sandbox.create_payment(fields).unwrap();
    let path = format!("/_sandbox/payments/{imp_uid}");
    let patch = async |body: Value, status| {
        let answer = bench.request(Method::PATCH, &path).json(&body).send().await;
        json_of(answer.unwrap(), status).await
    };

    let body =
        json!({"merchant_uid": "B", "amount": "1e3", "currency": null, "_remove": ["sandbox"]});
    let patched = patch(body, 200).await;
    patch(json!({"imp_uid": "imp_2"}), 400).await;
    patch(json!({"_remove": "sandbox"}), 400).await;
    patch(json!({"_remove": ["imp_uid"]}), 400).await;

    assert_eq!(patched["amount"], "1e3");
    assert_eq!(patched["currency"], Value::Null);
    assert!(patched.get("sandbox").is_none());
    assert!(patched.get("_remove").is_none());
    // The API shows the very same, and finds it under its new order.
    let shown = json_of(bench.ask(&format!("/payments/{imp_uid}")).await, 200).await;
    assert_eq!(shown["response"], patched);
    json_of(bench.ask("/payments/findAll/A").await, 404).await;
    json_of(bench.ask("/payments/findAll/B").await, 200).await;
    let answer = bench
        .request(Method::PATCH, "/_sandbox/payments/imp_0")
        .json(&json!({}));
    json_of(answer.send().await.unwrap(), 404).await;
}

#[tokio::test]
async fn actions_follow_the_state() {
    let bench = Bench::start().await;
    let make = |status: &str| {
        let fields = json!({"merchant_uid": "A", "amount": 1000, "status": status});
        bench.sandbox.create_payment(fields).unwrap()
    };
    let act = async |imp_uid: &str, action: &str, body: Value, status| {
        let path = format!("/_sandbox/payments/{imp_uid}/{action}");
        json_of(bench.post(&path).json(&body).send().await.unwrap(), status).await
    };
    let (failed, ready, paid) = (make("failed"), make("ready"), make("paid"));

    let late = act(&failed, "approve", json!({}), 200).await;
    assert_eq!(
        (&late["status"], &late["failed_at"], &late["fail_reason"]),
        (&json!("paid"), &json!(0), &Value::Null)
    );
    act(&failed, "approve", json!({}), 409).await;

    act(&ready, "deposit", json!({}), 409).await;
    act(&ready, "cancel", json!({}), 409).await;
    let body = json!({"code": "8178", "reason": "정산 한도 부족"});
    let refused = act(&ready, "fail", body, 200).await;
    assert_eq!(refused["fail_reason"], "[8178] 정산 한도 부족");
    act(&ready, "fail", json!({}), 409).await;

    let first = act(&paid, "cancel", json!({"amount": 400}), 200).await;
    assert_eq!(
        (&first["status"], &first["cancel_amount"]),
        (&json!("cancelled"), &json!(400))
    );
    act(&paid, "cancel", json!({"amount": 601}), 409).await;
    let rest = act(&paid, "cancel", json!({"reason": "품절"}), 200).await;
    assert_eq!(
        (&rest["cancel_amount"], &rest["cancel_reason"]),
        (&json!(1000), &json!("품절"))
    );
    act(&paid, "cancel", json!({}), 409).await;
    act(&paid, "cancel", json!({"unknown": 1}), 400).await;
    act("imp_0", "cancel", json!({}), 404).await;
}

#[tokio::test]
async fn the_index_page_drives_payments_without_a_script() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    bench.choose(&imp_uid, &[("choice", "issue_vbank")]).await;
    let index = text_of(bench.get("/_sandbox/").send().await.unwrap(), 200).await;
    let action = format!("/_sandbox/payments/{imp_uid}/deposit");
    assert!(
        index.contains(&format!(r#"method="post" action="{action}""#)),
        "{index}"
    );

    let own = bench
        .sandbox
        .url()
        .as_str()
        .trim_end_matches('/')
        .to_owned();
    let pressed = bench
        .post(&action)
        .header("accept", "text/html,*/*")
        .header("origin", own)
        // A button without a name sends a form without fields.
        .form::<[(&str, &str)]>(&[])
        .send()
        .await
        .unwrap();

    assert_eq!(pressed.status().as_u16(), 303);
    assert_eq!(pressed.headers()["location"], "/_sandbox/");
    assert_eq!(bench.record(&imp_uid)["status"], "paid");
    let root = bench.get("/").send().await.unwrap();
    assert_eq!(root.headers()["location"], "/_sandbox/");
}

#[tokio::test]
async fn another_origins_page_cannot_drive_it() {
    let bench = Bench::start().await;
    let requests = [
        bench.post("/_sandbox/reset"),
        bench
            .post("/_sandbox/faults")
            .json(&json!({"call": "any", "kind": "status"})),
        bench
            .request(Method::PATCH, "/_sandbox/config")
            .json(&json!({"channel": "test"})),
    ];
    for request in requests {
        let answer = request.header("origin", "http://evil.test").send().await;
        json_of(answer.unwrap(), 403).await;
    }
    let config = json_of(bench.get("/_sandbox/config").send().await.unwrap(), 200).await;
    assert_eq!(config["channel"], "live");
}

#[tokio::test]
async fn config_is_patched_piece_by_piece() {
    let bench = Bench::start().await;
    let patch = async |body: Value, status| {
        let request = bench.request(Method::PATCH, "/_sandbox/config").json(&body);
        json_of(request.send().await.unwrap(), status).await
    };
    let body =
        json!({"webhook_url": "http://shop.test/hook", "webhook": "twice", "channel": "test"});
    patch(body, 200).await;
    let changed = patch(json!({"webhook_format": "form"}), 200).await;

    let expected = json!({
        "webhook_url": "http://shop.test/hook", "webhook": "twice", "webhook_format": "form", "channel": "test",
        "webhook_delay_ms": 0, "webhook_retries": 0, "confirm_url": null, "confirm_timeout_ms": 10_000,
        "gateway": "html5_inicis", "error_msg_charset": "utf-8", "close_overdue_accounts": false,
    });
    assert_eq!(changed, expected);
    for bad in [
        json!({"webhook": "maybe"}),
        json!({"webhook_url": "ftp://x"}),
        json!({"confirm_url": "javascript:1"}),
        json!({"webhook_retries": 6}),
        json!({"webhook_delay_ms": 864_000_001}),
        json!({"confirm_timeout_ms": 60_001}),
        json!({"gateway": "kcp2"}),
        json!({"error_msg_charset": "latin-1"}),
        json!({"typo": 1}),
    ] {
        patch(bad, 400).await;
    }
    assert_eq!(patch(json!({}), 200).await, expected);
    assert_eq!(
        patch(json!({"webhook_url": null}), 200).await["webhook_url"],
        Value::Null
    );

    // The channel holds for payments whose channel key does not say test.
    let imp_uid = bench.open(json!({"channelKey": "live-key"})).await;
    assert_eq!(bench.record(&imp_uid)["sandbox"], true);
}

#[tokio::test]
async fn the_journal_tells_the_whole_story_in_order() {
    let bench = Bench::start().await;
    let imp_uid = bench.open(json!({})).await;
    bench
        .choose(&imp_uid, &[("choice", "pay_success_key")])
        .await;
    bench
        .ask(&format!("/payments/{imp_uid}?include_sandbox=true"))
        .await;

    let journal = bench.get("/_sandbox/journal").send().await.unwrap();
    let journal = json_of(journal, 200).await;

    let entries = journal.as_array().unwrap();
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["checkout", "choice", "redirect", "api", "api"]);
    assert_eq!(entries[1]["choice"], "pay_success_key");
    assert!(
        entries[2]["location"]
            .as_str()
            .unwrap()
            .ends_with("&success=true")
    );
    assert_eq!(entries[3]["call"], "token");
    let read = &entries[4];
    assert_eq!(
        (
            &read["call"],
            &read["method"],
            &read["path"],
            &read["query"],
            &read["status"]
        ),
        (
            &json!("payment"),
            &json!("GET"),
            &json!(format!("/payments/{imp_uid}")),
            &json!("include_sandbox=true"),
            &json!(200)
        )
    );
    assert!(read["at"].as_str().unwrap().ends_with('Z'));
    // Neither credentials nor tokens nor what the shop said about the buyer.
    assert!(!journal.to_string().contains("sandbox-secret"));

    let since = entries[2]["seq"].as_u64().unwrap();
    let rest = bench.get(&format!("/_sandbox/journal?since={since}"));
    let rest = json_of(rest.send().await.unwrap(), 200).await;
    assert_eq!(rest.as_array().unwrap().len(), 2);
    assert_eq!(bench.sandbox.calls("payment"), 1);
    assert_eq!(bench.sandbox.calls("any"), 2);

    let cleared = bench
        .request(Method::DELETE, "/_sandbox/journal")
        .send()
        .await;
    assert_eq!(cleared.unwrap().status().as_u16(), 204);
    assert!(bench.sandbox.journal().is_empty());
    assert_eq!(bench.sandbox.calls("any"), 0);
}

#[tokio::test]
async fn reset_goes_back_to_the_start_and_keeps_its_settings() {
    let builder = Sandbox::builder().webhook_url("http://127.0.0.1:9/hook".parse().unwrap());
    let bench = Bench::start_with(builder).await;
    let first = bench.open(json!({})).await;
    let token = bench.token().await;
    bench
        .sandbox
        .fault(json!({"call": "any", "kind": "status"}))
        .unwrap();
    bench.sandbox.set_webhook_url(None);
    let last_seq = bench.sandbox.journal().last().unwrap().seq;

    let answer = bench.post("/_sandbox/reset").send().await.unwrap();
    assert_eq!(json_of(answer, 200).await, json!({"seed": 42}));

    assert!(bench.sandbox.payment(&first).is_none());
    let config = json_of(bench.get("/_sandbox/config").send().await.unwrap(), 200).await;
    assert_eq!(config["webhook_url"], "http://127.0.0.1:9/hook");
    let refused = bench.get("/payments/findAll/ORD-1").bearer_auth(&token);
    json_of(refused.send().await.unwrap(), 401).await;
    assert_eq!(bench.open(json!({})).await, first);
    assert!(bench.sandbox.journal()[0].seq > last_seq);

    let answer = bench
        .post("/_sandbox/reset")
        .json(&json!({"seed": 7}))
        .send()
        .await;
    assert_eq!(json_of(answer.unwrap(), 200).await, json!({"seed": 7}));
    assert_ne!(bench.open(json!({})).await, first);
}

#[tokio::test]
async fn the_clock_goes_forward_and_stops() {
    let bench = Bench::start().await;
    let set = async |body: Value, status| {
        let answer = bench.post("/_sandbox/clock").json(&body).send().await;
        json_of(answer.unwrap(), status).await
    };
    let read = bench.get("/_sandbox/clock").send().await.unwrap();
    let read = json_of(read, 200).await;
    assert_eq!(
        (&read["offset_ms"], &read["frozen"]),
        (&json!(0), &json!(false))
    );

    let stopped = set(json!({"frozen": true}), 200).await;
    let pushed = set(json!({"advance_ms": 90_000}), 200).await;
    set(json!({"advance_ms": -1}), 400).await;

    let now = |clock: &Value| clock["now"].as_i64().unwrap();
    assert_eq!(now(&pushed) - now(&stopped), 90);
    assert_eq!(
        (&pushed["offset_ms"], &pushed["frozen"]),
        (&json!(90_000), &json!(true))
    );
    assert_eq!(set(json!({"frozen": false}), 200).await["frozen"], false);
}

#[tokio::test]
async fn health_and_unknown_addresses() {
    let bench = Bench::start().await;
    text_of(bench.get("/_sandbox/health").send().await.unwrap(), 200).await;
    let unknown = bench.get("/_sandbox/nothing").send().await.unwrap();
    assert!(json_of(unknown, 404).await["error"].is_string());
    let wrong_method = bench.request(Method::PUT, "/_sandbox/config");
    assert_eq!(
        json_of(wrong_method.send().await.unwrap(), 405).await["error"],
        "PUT is not for this address of the sandbox"
    );
    let since = bench.get("/_sandbox/journal?since=x").send().await.unwrap();
    assert!(json_of(since, 400).await["error"].is_string());
    // None of this is PortOne's API.
    assert_eq!(bench.sandbox.calls("any"), 0);
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused_unless_allowed() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = Sandbox::builder().addr(everywhere).spawn().await;
    assert!(matches!(refused, Err(Error::Remote { .. })));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = Sandbox::serve(listener, std::future::ready(())).await;
    assert!(matches!(refused, Err(Error::Remote { .. })));

    let builder = Sandbox::builder().addr(everywhere).allow_remote(true);
    let allowed = Bench::start_with(builder).await;
    assert_eq!(allowed.sandbox.url().host_str(), Some("127.0.0.1"));
    text_of(allowed.get("/_sandbox/health").send().await.unwrap(), 200).await;
}

/// As `curl -d` sends it.
#[tokio::test]
async fn json_is_taken_for_json_although_it_is_called_a_form() {
    let bench = Bench::start().await;
    let send = async |body: &'static str, status: u16| {
        let request = bench
            .post("/_sandbox/clock")
            .header("content-type", "application/x-www-form-urlencoded");
        json_of(request.body(body).send().await.unwrap(), status).await
    };

    assert_eq!(send(r#"{"advance_ms": 7}"#, 200).await["offset_ms"], 7);
    assert_eq!(
        send("advance_ms=7", 400).await["error"],
        "a JSON body is expected, not a form"
    );
    assert_eq!(send("", 200).await["offset_ms"], 7);
}

#[tokio::test]
async fn webhooks_go_to_web_addresses_alone() {
    let builder = Sandbox::builder().webhook_url("ftp://shop.test/".parse().unwrap());
    assert!(matches!(builder.spawn().await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn serve_ends_with_its_shutdown_and_drop_frees_the_port() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(Sandbox::builder().serve(listener, async move {
        let _ = stopped.await;
    }));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();

    let bench = Bench::start().await;
    text_of(bench.get("/_sandbox/health").send().await.unwrap(), 200).await;
    let (addr, http, url) = (
        bench.sandbox.addr(),
        bench.http.clone(),
        bench.sandbox.url().clone(),
    );
    drop(bench);
    // The server's task ends at its next step; until then the port still answers.
    let gone = async {
        while http.get(url.clone()).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, gone).await.unwrap();
    tokio::net::TcpListener::bind(addr).await.unwrap();
}

#[tokio::test]
async fn own_credentials_replace_the_default_ones() {
    let builder = Sandbox::builder()
        .credentials("key", "secret")
        .merchant_code("imp1");
    let bench = Bench::start_with(builder).await;
    let ask = async |key: &str, secret: &str| {
        let body = json!({"imp_key": key, "imp_secret": secret});
        let answer = bench
            .post("/users/getToken")
            .json(&body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    assert_eq!(ask("key", "secret").await, 200);
    assert_eq!(ask("imp_apikey", "sandbox-secret").await, 401);
    let opened = bench.checkout_by("code=imp1", json!({})).await;
    assert_eq!(opened["success"], true);
    assert!(bench.sandbox.journal().iter().any(|entry| {
        matches!(
            &entry.event,
            Event::Checkout {
                error_code: None,
                ..
            }
        )
    }));
}
