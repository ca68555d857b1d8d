//! Where our own calls to PortOne go, whatever anybody writes into an id.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use percent_encoding::percent_decode_str;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wanryo::domain::ids::PaymentId;

use super::tools::{
    GENERATIONS, asked, calls, insist, order, paid, pay, query, settled, sign_in, sources,
};
use crate::app::{TestApp, WEBHOOK_SECRET};
use crate::support::{TestDatabase, on_both_databases};

/// Ids that would be another address, were they put into one.
const HOSTILE: [&str; 43] = [
    "..",
    ".",
    "...",
    "/",
    "//",
    "\\",
    "../",
    "..\\",
    "../..",
    "../users/getToken",
    "..%2Fusers%2FgetToken",
    "%2e%2e",
    "%2e%2e%2fusers%2fgetToken",
    "%252e%252e%252f",
    ".%2e/",
    "%2E%2E",
    "imp_1/../../users/getToken",
    "imp_1/..",
    "imp_1/",
    "/imp_1",
    "imp_1?include_sandbox=false",
    "imp_1?x=",
    "?",
    "imp_1#",
    "#",
    "imp_1%00",
    "imp_1\0",
    "imp_1\r\nx-evil: 1",
    "imp_1%0d%0ahost:evil",
    "imp_1 HTTP/1.1",
    "http://evil.example/",
    "https:evil.example",
    "//evil.example/imp_1",
    "@evil.example",
    "user:pass@evil.example/",
    "imp_1;/../",
    "status/all",
    "status/all?limit=1",
    "cancel?imp_uid=imp_1",
    "imp_1&merchant_uid=x/y",
    "\u{2025}/",
    "\u{ff0e}\u{ff0e}/",
    "imp_\u{2028}/",
];
/// Ids of orders that are ids, though they look like more.
const ODD: [&str; 22] = [
    "..;",
    "..a",
    "a..",
    "....b",
    "a;b",
    "a;jsessionid=1",
    "a&include_sandbox=false",
    "a&b=c",
    "a=b",
    "a+b",
    "a b",
    "a:b@c",
    "http:evil.example",
    "status",
    "cancel",
    "getToken",
    "a,b",
    "a|b",
    "a*b",
    "a'b\"c",
    "<a>",
    "주문 1",
];

/// A server that answers every request with these bytes, and counts them.
struct Server {
    url: Url,
    requests: Arc<AtomicUsize>,
}

async fn server(answer: impl Fn() -> String + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            let answer = answer();
            tokio::spawn(async move {
                let mut asked = [0; 16 * 1024];
                let _read_or_gone = stream.read(&mut asked).await;
                let _written_or_gone = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    Server { url, requests }
}

on_both_databases! {
    /// CVE-2026-16947 (Total Processing): a path from the return address was appended to the gateway's URL, so that the
    /// attacker chose what was asked, was sent the credentials, and forged the answer.
    async fn an_id_that_is_a_path_never_reaches_portone(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        for portone in GENERATIONS {
            paid(&app, portone, &format!("ORD-{portone}")).await;
            asked(&app, &query(portone, &format!("ORD-{portone}"), "imp_unknown")).await;
            app.api(Method::POST, &format!("/api/v1/orders/ORD-{portone}/sync"), None).await;
        }
        settled(&app).await;
        let honest: BTreeSet<_> = calls(&app).into_iter().collect();
        let now = app.running.core.clock.now().as_second();

        for (number, hostile) in HOSTILE.into_iter().enumerate() {
            for (transaction_name, payment_name, id) in [("imp_uid", "merchant_uid", "ORD-v1"), ("txId", "paymentId", "ORD-v2"), ("tx_id", "payment_id", "ORD-v2")] {
                for pair in [[(transaction_name, hostile), (payment_name, id)], [(transaction_name, "imp_unknown"), (payment_name, hostile)]] {
                    // An order's number may look like that, and then it is one that no order has.
                    let names_an_order = pair[1].1 == hostile && PaymentId::parse(hostile).is_ok();
                    let get = app.client.get(app.url("/payments/complete")).query(&pair);
                    let form = app.client.post(app.url("/payments/complete")).form(&pair);
                    let json = app.client.post(app.url("/payments/complete")).json(&pair.iter().copied().collect::<std::collections::BTreeMap<_, _>>());
                    for request in [get, form, json] {
                        let answer = app.send(request.header("accept", "application/json")).await;
                        let expected = if names_an_order { (StatusCode::NOT_FOUND, "not_found") } else { (StatusCode::BAD_REQUEST, "invalid") };
                        assert_eq!((answer.status, answer.outcome().as_str()), expected, "{pair:?}");
                    }
                    let body: String = serde_json::to_string(&pair.iter().copied().chain([("status", "Paid")]).collect::<std::collections::BTreeMap<_, _>>()).unwrap();
                    let hook = app.client.post(app.url("/payments/webhook")).header("content-type", "application/json").body(body.clone());
                    // A V1 webhook is taken whatever number it names: PortOne tells a shop of other systems' payments too.
                    let taken = if pair[1].1 == hostile && transaction_name == "imp_uid" { StatusCode::OK } else { StatusCode::BAD_REQUEST };
                    assert_eq!(app.send(hook).await.status, taken, "{body}");
                    app.signed("/payments/webhook", WEBHOOK_SECRET, &format!("wh-{number}-{}-{}", pair[0].1.len(), pair[1].1.len()), now, "application/json", body.clone()).await;
                    app.send(app.client.post(app.url("/payments/confirm")).header("content-type", "application/json").body(body)).await;
                }
            }
            let function = app.client.post(app.url("/api/payments/complete")).header("sec-fetch-site", "same-origin").form(&[("payment_id", "ORD-v1"), ("transaction_id", hostile)]);
            app.send(function).await;
            app.refund("ORD-v1", &format!("again-{number}"), json!({ "reason": "x", "transaction_id": hostile })).await;
            app.send(app.client.post(app.url("/attention/settle")).header("cookie", &cookie).header("sec-fetch-site", "same-origin").form(&[("kind", "orphan"), ("transaction_id", hostile), ("note", "x")])).await;
            // As a part of the address itself, encoded once, so that it arrives as it is written here.
            let segment = percent_encoding::utf8_percent_encode(hostile, percent_encoding::NON_ALPHANUMERIC).to_string();
            for path in [format!("/api/v1/orders/{segment}/sync"), format!("/api/v1/orders/{segment}/close"), format!("/api/v1/orders/{segment}/refunds")] {
                let answer = app.api(Method::POST, &path, Some(json!({ "reason": "x" }))).await;
                assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
            }
            for path in [format!("/pay/{segment}"), format!("/o/{segment}"), format!("/orders/{segment}")] {
                app.page(&path).await;
            }
        }
        settled(&app).await;

        let seen: BTreeSet<_> = calls(&app).into_iter().collect();
        let new: Vec<_> = seen.difference(&honest).collect();
        assert!(new.is_empty(), "{new:#?}");
        assert_eq!(db.read("SELECT payment_id FROM orders ORDER BY 1").await, ["ORD-v1", "ORD-v2"]);
    }

    /// CVE-2026-76842 (Mercado Pago SDK): an id was put into the path as it came, `..` and `?` and
    /// all. An order's number is the shop's to choose, and may look like anything that is one segment.
    async fn an_order_number_stays_one_segment_of_the_path(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            for id in ODD {
                let id = format!("{id}{}", if portone == "v1" { "" } else { "2" });
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({})).await;
                let names = if portone == "v1" { ("merchant_uid", "imp_uid") } else { ("paymentId", "txId") };
                let before = app.sandbox.journal().last().map_or(0, |entry| entry.seq);

                let by_number = app.client.get(app.url("/payments/complete")).query(&[(names.0, id.as_str())]);
                let by_both = app.client.get(app.url("/payments/complete")).query(&[(names.0, id.as_str()), (names.1, transaction_id.as_str())]);
                for request in [by_number, by_both] {
                    let answer = insist(&app, request.header("accept", "application/json")).await;
                    assert_eq!((answer.outcome().as_str(), answer.json()["payment_id"].as_str()), ("paid", Some(id.as_str())), "{id}: {}", answer.text);
                }

                let mut told_of_it = 0;
                let journal = app.sandbox.journal();
                for entry in journal.iter().filter(|entry| entry.seq > before) {
                    let portone_sandbox::Event::Api { path, query, .. } = &entry.event else { continue };
                    assert!(!query.contains("false") && !query.contains("jsessionid"), "{id}: {query}");
                    let segments: Vec<String> = path.trim_start_matches("/v2").trim_matches('/').split('/').map(|segment| percent_decode_str(segment).decode_utf8().unwrap().into_owned()).collect();
                    let shape: Vec<&str> = segments.iter().map(|segment| if *segment == id { "ID" } else if *segment == transaction_id { "TX" } else { segment.as_str() }).collect();
                    told_of_it += usize::from(shape.contains(&"ID"));
                    let known = [&["payments", "TX"][..], &["payments", "ID"], &["payments", "findAll", "ID"], &["payments", "ID", "transactions"], &["users", "getToken"], &["login", "api-secret"]];
                    assert!(known.contains(&shape.as_slice()), "{id}: {path}");
                }
                assert!(told_of_it > 0, "{id}");
            }
        }
    }

    /// CVE-2026-13603 (pretix-oppwa): the return address named the resource to fetch, host and all, and the key went with it.
    /// Neither an address in a request nor a redirect of the gateway's sends our calls elsewhere.
    async fn our_credentials_go_to_portone_alone(db: TestDatabase) {
        let trap = server(|| "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()).await;
        let evil = trap.url.to_string();
        // PortOne is there, and strangers say where else it would be.
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ORD-{portone}");
            order(&app, portone, &id, json!({})).await;
            let transaction_id = pay(&app, portone, &id, json!({})).await;
            for name in ["resourcePath", "resource_path", "api_url", "apiUrl", "PORTONE_V1_API_URL", "host", "endpoint", "base_url", "callback", "url", "id"] {
                let request = app.client.get(app.url(&format!("/payments/complete?{}", query(portone, &id, &transaction_id)))).query(&[(name, &evil)]);
                let request = request.header("accept", "application/json").header("x-forwarded-host", trap.url.authority()).header("forwarded", format!("host={}", trap.url.authority()));
                assert_eq!(insist(&app, request).await.outcome(), "paid");
                let hook = json!({ "imp_uid": transaction_id, "merchant_uid": id, "status": "paid", name: evil });
                app.send(app.client.post(app.url("/payments/webhook")).json(&hook)).await;
            }
        }
        settled(&app).await;
        assert_eq!(trap.requests.load(SeqCst), 0);
        let sandbox = Arc::clone(&app.sandbox);
        app.running.stop().await;

        // PortOne's address answers, and says that the answer is elsewhere.
        for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let location = evil.clone();
            let hop = server(move || format!("HTTP/1.1 {status}\r\nlocation: {location}payments/imp_1\r\nrefresh: 0;url={location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")).await;
            let (v1, v2) = (hop.url.clone(), hop.url.clone());
            let app = TestApp::start_with(&db, Arc::clone(&sandbox), move |settings| {
                settings.v1.as_mut().unwrap().api_url = v1;
                settings.v2.as_mut().unwrap().api_url = v2;
            }).await;
            for portone in GENERATIONS {
                let id = format!("{}-{portone}", &status[..3]);
                order(&app, portone, &id, json!({})).await;
                assert_eq!(app.complete(&query(portone, &id, "imp_000000000001")).await.outcome(), "unconfirmed");
            }
            settled(&app).await;
            assert!(hop.requests.load(SeqCst) > 0, "PortOne's address was asked");
            app.running.stop().await;
        }
        assert_eq!(trap.requests.load(SeqCst), 0, "nothing followed");
    }
}

/// CVE-2026-104973 (Plane, around the mending of CVE-2026-30242): a webhook's address was checked, then looked up again, and
/// had become an inner one. Here no address that a request names is ever called: PortOne's is a setting, and so is what the
/// doctor looks at. A shop's own, which events go to, is called by one client, which judges what it connects to at the moment
/// of connecting (`events::targets`). What calls out must be added to this list by somebody who thought of that.
#[test]
fn no_address_of_a_strangers_is_ever_called() {
    let outward = [
        "reqwest",
        "TcpStream::connect",
        "TcpSocket",
        "UdpSocket",
        "hyper_util::client",
        "lookup_host",
        "ToSocketAddrs",
        "UnixStream::connect",
        "Command::new",
    ];
    let mut found = BTreeSet::new();
    for folder in ["src", "crates/portone/src"] {
        for (path, text) in sources(folder) {
            // A module of tests alone.
            if path.ends_with("truth_table.rs") {
                continue;
            }
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = shipped
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            if code
                .clone()
                .any(|line| outward.iter().any(|word| line.contains(word)))
            {
                let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    // The demo talks to the sandbox and the app that it started itself; so do the commands for a shop's developer, beside a server
    // for tests, and to the address that the developer typed.
    let by_hand = |path: &String| {
        ["src/demo", "src/developer"]
            .iter()
            .any(|part| path.starts_with(part))
    };
    let rest: Vec<&String> = found.iter().filter(|path| !by_hand(path)).collect();
    assert_eq!(
        rest,
        [
            "crates/portone/src/transport.rs",
            "crates/portone/src/transport/rest.rs",
            "crates/portone/src/token.rs",
            "crates/portone/src/v1/cancel.rs",
            "crates/portone/src/v1/client.rs",
            "crates/portone/src/v1/vbank.rs",
            "crates/portone/src/v2/client.rs",
            "crates/portone/src/v2/idempotency.rs",
            "src/adapters/webhooks.rs",
            "src/doctor.rs",
            "src/doctor/outside.rs",
        ]
        .iter()
        .copied()
        .map(str::to_owned)
        .collect::<BTreeSet<_>>()
        .iter()
        .collect::<Vec<_>>()
    );
    let mut builders: Vec<_> = sources("crates/portone/src");
    builders.extend(sources("src"));
    builders
        .retain(|(path, text)| text.contains("Client::builder()") && !path.ends_with("tests.rs"));
    assert_eq!(builders.len(), 4, "four places make a client");
    for (path, text) in &builders {
        assert!(
            text.contains("redirect::Policy::none())") && text.contains(".no_proxy()"),
            "{}",
            path.display()
        );
        let judges = text.contains(".dns_resolver(") && text.contains(".remote_addr()");
        assert_eq!(judges, path.ends_with("adapters/webhooks.rs"));
    }
}
