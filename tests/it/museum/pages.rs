//! What a page was made to say, to show or to send away.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::tools::{
    GENERATIONS, PASSWORD, PRICE, asked, calls, extend, insist, masked, opened, order, paid, pay,
    query, settled, sign_in, skeleton,
};
use crate::app::{Answer, TestApp};
use crate::support::{TestDatabase, on_both_databases};

/// What is a person's: as the shop told it, as PortOne tells it, and what the shop keeps beside an order.
const PERSONAL: [&str; 12] = [
    "카나리아",
    "canary-buyer@example.com",
    "010-2222-3333",
    "canary-payer",
    "canary-payer@example.com",
    "02-999-8888",
    "canary-street",
    "canary-postcode",
    "4242-canary",
    "canary-custom",
    "canary-metadata",
    "canary-agent",
];

/// Words of a gateway that would be more than words.
const MARKUP: [&str; 30] = [
    "<x-canary>",
    "\"><x-canary>",
    "'><x-canary>",
    "<script>x-canary()</script>",
    "</script><x-canary>",
    "</style><x-canary>",
    "</title><x-canary>",
    "--><x-canary>",
    "]]><x-canary>",
    "</main></body><x-canary>",
    "<img src=x onerror=x-canary>",
    "<svg/onload=x-canary>",
    "<x-canary\n>",
    "<x-canary/x-canary>",
    "\" x-canary=\"1",
    "' onmouseover='x-canary",
    "` x-canary=`",
    "javascript:x-canary",
    "data:text/html,<x-canary>",
    "&lt;x-canary&gt;",
    "&#60;x-canary&#62;",
    "%3Cx-canary%3E",
    "+ADw-x-canary+AD4-",
    "\u{202e}<x-canary>",
    "\u{0}<x-canary>",
    "\u{feff}<x-canary>",
    "＜x-canary＞",
    "{{x-canary}}",
    "<base href=//x-canary>",
    "<meta http-equiv=refresh content=0;url=//x-canary>",
];

/// Addresses that would lead away, as many as there are ways to spell one.
const AWAY: [&str; 24] = [
    "https://evil.example",
    "http://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "/orders//evil.example",
    "/orders/../../evil.example//",
    "%2f%2fevil.example",
    "/%2fevil.example",
    "/orders@evil.example",
    "//shop.example@evil.example",
    "/\t/evil.example",
    "/\r\nlocation: https://evil.example",
    "javascript:evil.example",
    "data:text/html,evil.example",
    "evil.example",
    "https://shop.example.evil.example",
    "/orders\\evil.example",
    "/.evil.example",
    "//\u{ff45}vil.example",
];

/// Every page and every answer that is there for anybody who has these ids.
async fn seen_by_anybody(
    app: &TestApp,
    portone: &str,
    id: &str,
    transaction_id: &str,
    status_path: &str,
) -> Vec<(String, Answer)> {
    let mut seen = Vec::new();
    let names = query(portone, id, transaction_id);
    let number = names
        .split('&')
        .find(|pair| pair.ends_with(id))
        .unwrap()
        .to_owned();
    for path in [
        format!("/payments/complete?{names}"),
        format!("/payments/complete?{number}"),
        format!("/payments/complete?{names}&lang=en"),
        status_path.to_owned(),
        format!("/pay/{id}"),
        format!("/pay/{id}?token=00000000000000000000000000000000"),
        format!("/orders/{id}"),
        "/orders".to_owned(),
        "/attention".to_owned(),
        "/overview".to_owned(),
        "/orders.csv".to_owned(),
        format!("/api/v1/orders/{id}"),
        format!("/api/v1/orders/{id}/events"),
        format!("/api/v1/orders/{id}/refunds"),
        "/login".to_owned(),
    ] {
        for accept in ["text/html", "application/json"] {
            let request = app.client.get(app.url(&path)).header("accept", accept);
            seen.push((format!("{path} as {accept}"), app.send(request).await));
        }
    }
    let token = status_path.rsplit('/').next().unwrap().to_owned();
    let complete = app
        .client
        .post(app.url("/api/payments/complete"))
        .header("sec-fetch-site", "same-origin")
        .form(&[("payment_id", id), ("transaction_id", transaction_id)]);
    let look_up = app
        .client
        .post(app.url("/api/payments/look-up"))
        .header("sec-fetch-site", "same-origin")
        .form(&[("token", token.as_str())]);
    seen.push((
        "complete, as a function".to_owned(),
        app.send(complete).await,
    ));
    seen.push(("look-up, as a function".to_owned(), app.send(look_up).await));
    let confirm = app
        .client
        .post(app.url("/payments/confirm"))
        .json(&json!({ "merchant_uid": id, "imp_uid": transaction_id, "amount": 1 }));
    seen.push(("confirm".to_owned(), app.send(confirm).await));
    seen
}

/// What PortOne knows of the person who paid.
fn payer(portone: &str) -> Value {
    if portone == "v1" {
        json!({ "buyer_name": "canary-payer", "buyer_email": "canary-payer@example.com", "buyer_tel": "02-999-8888", "buyer_addr": "canary-street", "buyer_postcode": "canary-postcode", "card_number": "4242-canary", "custom_data": "canary-custom", "user_agent": "canary-agent" })
    } else {
        json!({ "customer": { "id": "canary-payer", "name": "canary-payer", "email": "canary-payer@example.com", "phoneNumber": "02-999-8888", "address": { "type": "ONE_LINE", "oneLine": "canary-street" }, "zipcode": "canary-postcode" }, "customData": "canary-custom" })
    }
}

fn shop_knows() -> Value {
    json!({ "buyer": { "name": "카나리아", "email": "canary-buyer@example.com", "tel": "010-2222-3333" }, "metadata": { "note": "canary-metadata" } })
}

fn status_path(app: &TestApp, order: &Value) -> String {
    order["status_url"]
        .as_str()
        .unwrap()
        .replace(&app.running.public_url, "")
}

on_both_databases! {
    /// CVE-2026-87843 (Trust Payments): whoever opened the return page completed the order, and was shown whose it was.
    async fn a_stranger_on_the_return_page_changes_nothing_and_learns_nobody(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let id = format!("ORD-{portone}");
            let made = order(&app, portone, &id, shop_knows()).await;
            let mut fields = payer(portone);
            extend(&mut fields, &json!({ "status": "ready" }));
            let transaction_id = pay(&app, portone, &id, fields).await;

            for _ in 0..3 {
                for (name, answer) in seen_by_anybody(&app, portone, &id, &transaction_id, &status_path(&app, &made)).await {
                    for personal in PERSONAL {
                        assert!(!answer.text.contains(personal), "{name} tells {personal}: {}", answer.text);
                    }
                }
            }
            settled(&app).await;

            let order = app.read_order(&id).await;
            assert_eq!((&order["status"], &order["transaction_id"]), (&json!("open"), &json!(null)), "{order}");
            assert_eq!(app.told(&id).await, [] as [&str; 0]);
        }
    }

    /// CVE-2026-1782 (MetForm): the amount that was charged and checked came with the request.
    async fn an_amount_in_the_request_is_no_amount(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let names = ["amount", "total", "totalAmount", "total_amount", "paid_amount", "price", "expected", "currency", "mf-amount", "order_amount", "amount_minor", "refunded_amount", "status", "outcome"];
        for portone in GENERATIONS {
            for (number, name) in names.into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                order(&app, portone, &id, json!({})).await;
                let transaction_id = pay(&app, portone, &id, json!({ "amount": 100 })).await;
                let ids = query(portone, &id, &transaction_id);
                let url = app.url(&format!("/payments/complete?{ids}&{name}=100"));
                let mut body: serde_json::Map<String, Value> = url::form_urlencoded::parse(ids.as_bytes()).map(|(name, value)| (name.into_owned(), json!(value))).collect();
                body.insert(name.to_owned(), json!(100));

                for request in [app.client.get(&url), app.client.post(&url), app.client.post(&url).form(&body), app.client.post(app.url("/payments/complete")).json(&body), app.client.get(&url).header("cookie", format!("{name}=100")).header(name, "100")] {
                    let answer = insist(&app, request.header("accept", "application/json")).await;
                    assert_eq!((answer.outcome().as_str(), &answer.json()["amount"]), ("held", &json!(PRICE)), "{name}: {}", answer.text);
                }
                let function = app.client.post(app.url("/api/payments/complete")).header("sec-fetch-site", "same-origin").form(&[("payment_id", id.as_str()), ("transaction_id", &transaction_id), (name, "100")]);
                assert!(!app.send(function).await.text.contains("\"Paid\""), "{name}");
                app.send(app.client.post(app.url("/payments/webhook")).json(&body)).await;
                settled(&app).await;

                let order = app.read_order(&id).await;
                assert_eq!((&order["status"], &order["amount"]), (&json!("held"), &json!(PRICE)), "{name}");
            }
        }
    }

    /// CVE-2026-80339, CVE-2026-93370 (Paystack) and CVE-2025-14073: the page looked harmless, and the JSON inside it carried
    /// names, addresses and mail of whoever had paid.
    async fn nothing_of_a_person_is_in_the_markup(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let v1 = [json!({}), json!({ "status": "failed" }), json!({ "amount": 100 }), json!({ "status": "cancelled" }), json!({ "status": "ready", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "vbank_holder": "완료상점" })];
        let v2 = [json!({}), json!({ "status": "FAILED" }), json!({ "amount": { "total": 100 } }), json!({ "status": "PAY_PENDING" }), json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": { "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z", "remitterName": "canary-payer" } })];
        let mut pages = 0;
        for (portone, states) in [("v1", v1), ("v2", v2)] {
            for (number, state) in states.into_iter().enumerate() {
                let id = format!("{portone}-{number}");
                let made = order(&app, portone, &id, shop_knows()).await;
                let mut fields = payer(portone);
                extend(&mut fields, &state);
                let transaction_id = if portone == "v1" { app.pay(&id, fields) } else { app.pay_v2(&id, fields).await };

                for (name, answer) in seen_by_anybody(&app, portone, &id, &transaction_id, &status_path(&app, &made)).await {
                    for personal in PERSONAL {
                        assert!(!answer.text.contains(personal), "{id}: {name} tells {personal}: {}", answer.text);
                    }
                    pages += usize::from(answer.text.contains("data-outcome="));
                }
                settled(&app).await;
                // It was there to be told: the shop's person sees what the shop told us.
                let office = app.client.get(app.url(&format!("/orders/{id}"))).header("cookie", sign_in(&app).await).header("accept", "text/html");
                assert!(app.send(office).await.text.contains("canary-buyer@example.com"));
            }
        }
        assert!(pages > 30, "{pages}");
    }

    /// CVE-2025-59136 (Gerencianet): a stranger could ask, number by number, which orders there are and how they stand.
    async fn unknown_and_foreign_ids_get_the_very_same_answer(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in GENERATIONS {
            let mine = format!("MINE-{portone}");
            order(&app, portone, &mine, json!({})).await;
            let held = format!("HELD-{portone}");
            order(&app, portone, &held, json!({})).await;
            let of_held = pay(&app, portone, &held, json!({ "amount": 100 })).await;
            asked(&app, &query(portone, &held, &of_held)).await;
            let theirs = paid(&app, portone, &format!("THEIRS-{portone}")).await;

            for (accept, language) in [("text/html", "ko"), ("text/html", "en"), ("application/json", "ko")] {
                let ask = |ids: String| {
                    let request = app.client.get(app.url(&format!("/payments/complete?{ids}"))).header("accept", accept).header("accept-language", language);
                    insist(&app, request)
                };
                let absent = masked(&ask(query(portone, "NO-SUCH-ORDER", "imp_000000000001")).await);
                assert_eq!(absent.0, 404);
                for ids in [query(portone, &mine, &theirs), query(portone, &mine, "imp_000000000001"), query(portone, "NO-SUCH-ORDER", &theirs), query(portone, &format!("THEIRS-{portone}"), &of_held)] {
                    assert_eq!(masked(&ask(ids.clone()).await), absent, "{ids}");
                }
                // A link is right or it is not, and an order's number is no link.
                let look = |path: String| {
                    let request = app.client.get(app.url(&path)).header("accept", accept).header("accept-language", language);
                    app.send(request)
                };
                let wrong = masked(&look("/o/00000000000000000000000000000000".to_owned()).await);
                assert_eq!(wrong.0, 404);
                for token in ["1", "ffffffffffffffffffffffffffffffff", &mine, "0", "null", "%20"] {
                    assert_eq!(masked(&look(format!("/o/{token}")).await), wrong, "{token}");
                }
            }
        }
        // Without a session every order's page is the same door, and without a key every order's answer.
        let door = |path: &str| app.client.get(app.url(path)).header("accept", "text/html");
        let (there, gone) = (app.send(door("/orders/MINE-v1")).await, app.send(door("/orders/GONE-v1")).await);
        assert_eq!((there.status, gone.status, there.text), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER, gone.text));
        for path in ["/api/v1/orders/MINE-v1", "/api/v1/orders/GONE-v1"] {
            for method in [Method::GET, Method::POST] {
                let answer = app.send(app.client.request(method.clone(), app.url(path))).await;
                assert!([StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status), "{method} {path}");
            }
        }
    }

    /// CVE-2021-39308 (myghpay): the gateway's message in the return address was printed on the page as it came.
    async fn a_gateways_message_is_never_markup(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        for (state, status) in [("FAILED", Some("failed")), ("PAID", Some("paid")), ("READY", Some("ready")), ("HELD", None), ("NONE", None)] {
            app.order(state).await;
            let imp_uid = match (state, status) {
                ("NONE", _) => "imp_000000000009".to_owned(),
                (_, Some(status)) => app.pay(state, json!({ "status": status })),
                (_, None) => app.pay(state, json!({ "amount": 100 })),
            };
            let ids = query("v1", state, &imp_uid);
            let page = |pairs: Vec<(&'static str, String)>| {
                let request = app.client.get(app.url(&format!("/payments/complete?{ids}"))).query(&pairs);
                insist(&app, request.header("accept", "text/html"))
            };
            let harmless = skeleton(&page(vec![("error_msg", "취소".to_owned()), ("error_code", "F0001".to_owned())]).await.text);
            // PortOne's lag is waited for each time.
            let every = if state == "NONE" { 10 } else { 1 };
            for markup in MARKUP.into_iter().step_by(every) {
                let mut all: Vec<(&'static str, String)> = ["error_msg", "error_code", "code", "message", "pgMessage", "pgCode", "status", "pay_method"].map(|name| (name, markup.to_owned())).to_vec();
                all.push(("error_msg", markup.repeat(100)));
                let answer = page(all).await;
                assert_eq!(skeleton(&answer.text), harmless, "{state}: {markup}");
                assert!(!answer.text.contains("x-canary"), "{state}: {markup}: {}", answer.text);
            }
        }
        // In the names of parameters, in ids, in the path, in the language, and in bytes that are no text.
        for path in ["/payments/complete?<x-canary>=1", "/payments/complete?merchant_uid=<x-canary>", "/payments/complete?merchant_uid=READY&lang=<x-canary>", "/payments/complete?merchant_uid=READY&error_msg=%C3%EB%BC%D2%3Cx-canary%3E", "/payments/complete/<x-canary>", "/o/<x-canary>", "/pay/<x-canary>", "/pay/READY?token=<x-canary>", "/login?error=<x-canary>", "/login?error=refused&lang=\"><x-canary>", "/<x-canary>", "/problems/<x-canary>"] {
            let answer = app.page(path).await;
            assert!(!answer.text.contains("x-canary"), "{path}: {}", answer.text);
        }
        // What was claimed is kept, and shown to staff as the words that it is.
        settled(&app).await;
        for (path, marks) in [("/orders/FAILED", 5), ("/orders/PAID", 5), ("/login?next=\"><x-canary>", 0), ("/orders?q=\"><x-canary>", 0)] {
            let request = app.client.get(app.url(path)).header("cookie", &cookie).header("accept", "text/html");
            let answer = app.send(request).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.text.matches("x-canary").count() >= marks, "{path} shows it");
            for tag in skeleton(&answer.text) {
                // In an address of ours it is encoded, and no more than text.
                let parts = tag.split(' ').any(|part| part.starts_with("x-canary") || part.starts_with("on") || part.contains("=javascript:") || part.contains("=data:"));
                assert!(!parts, "{path}: {tag}");
            }
        }
    }

    /// The other way into a page: what the shop and PortOne tell is markup no more than what a visitor tells.
    async fn a_name_that_the_shop_or_portone_gives_is_never_markup(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        for portone in GENERATIONS {
            for (number, markup) in MARKUP.into_iter().filter(|markup| !markup.contains(char::is_control)).enumerate() {
                let id = format!("{portone}-{number}");
                let made = order(&app, portone, &id, json!({ "name": markup, "buyer": { "name": markup, "tel": markup }, "metadata": { "note": markup }, "pay_method": "card" })).await;
                let token = made["pay_url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
                let fields = if portone == "v1" { json!({ "status": "failed", "fail_reason": markup, "card_name": markup, "apply_num": markup, "receipt_url": "javascript:x-canary", "buyer_name": markup }) } else { json!({ "status": "failed", "failure": { "reason": markup, "pgCode": markup, "pgMessage": markup }, "receiptUrl": "javascript:x-canary", "orderName": markup }) };
                let transaction_id = pay(&app, portone, &id, fields).await;
                for path in [format!("/payments/complete?{}", query(portone, &id, &transaction_id)), status_path(&app, &made), format!("/pay/{id}?token={token}"), format!("/orders/{id}"), "/orders".to_owned()] {
                    let request = app.client.get(app.url(&path)).header("cookie", &cookie).header("accept", "text/html");
                    let answer = app.send(request).await;
                    // Without the browser's part in the build the pay page says that nobody can pay here.
                    assert!(answer.status == StatusCode::OK || path.starts_with("/pay/"), "{path}: {}", answer.text);
                    for tag in skeleton(&answer.text) {
                        assert!(!tag.contains("x-canary"), "{markup} at {path}: {tag}");
                    }
                }
            }
        }
    }

    /// CVE-2023-6786 (Telcell): the return page sent the browser wherever its address said.
    async fn nobody_is_sent_where_a_request_says(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let cookie = sign_in(&app).await;
        let made = app.order_with("ORD-1", json!({ "return_url": "https://shop.example/thanks" })).await;
        let imp_uid = app.pay("ORD-1", json!({ "status": "failed" }));
        let honest = skeleton(&opened(&app, &format!("/payments/complete?{}", query("v1", "ORD-1", &imp_uid))).await.text);
        assert!(honest.iter().any(|tag| tag.contains("href=https://shop.example/thanks")), "the shop's own address is there: {honest:?}");
        let link = status_path(&app, &made);
        let names = ["return_url", "redirectUrl", "m_redirect_url", "next"];
        for (away, name) in AWAY.into_iter().zip(names.into_iter().cycle()) {
            let header = !away.contains(|c: char| c.is_control() || !c.is_ascii());
            let request = app.client.get(app.url(&format!("/payments/complete?{}", query("v1", "ORD-1", &imp_uid)))).query(&[(name, away)]).header("accept", "text/html");
            let answer = insist(&app, request).await;
            assert_eq!((answer.status, answer.headers.get("location")), (StatusCode::OK, None), "{name}={away}");
            assert_eq!(skeleton(&answer.text), honest, "{name}={away}");
            if header {
                for path in [format!("/payments/complete?{}", query("v1", "ORD-1", &imp_uid)), link.clone(), "/pay/ORD-1".to_owned(), "/login".to_owned(), "/orders".to_owned(), "/payments/complete/".to_owned()] {
                    let request = app.client.get(app.url(&path)).header("accept", "text/html").header("referer", away).header("x-forwarded-host", away).header("x-original-url", away).header("x-rewrite-url", away).header("forwarded", format!("host=\"{away}\"")).header("origin", away);
                    let answer = app.send(request).await;
                    assert!(!answer.text.contains("evil") && !format!("{:?}", answer.headers).contains("evil"), "{path} for {away}: {:?}", answer.headers);
                }
                for (path, form) in [("/api/payments/look-up", vec![("token", "x")]), ("/api/payments/complete", vec![("payment_id", "ORD-1"), ("transaction_id", "../")]), ("/api/payments/complete", vec![("payment_id", "ORD-1")]), ("/api/payments/look-up", vec![])] {
                    let request = app.client.post(app.url(path)).form(&form).header("accept", "text/html").header("sec-fetch-site", "same-origin").header("referer", away);
                    let answer = app.send(request).await;
                    assert!(!format!("{:?}", answer.headers).contains("evil"), "{path} for {away}: {} {:?}", answer.status, answer.headers);
                }
            }
            // Who signs in goes to the back office, and nowhere else.
            let form = [("email", "staff@example.com"), ("password", PASSWORD), ("next", away)];
            let refused = [("email", "staff@example.com"), ("password", "wrong"), ("next", away)];
            if away.len() % 6 == 0 {
                let signed_in = app.send(app.client.post(app.url("/login")).form(&form)).await;
                assert_eq!(signed_in.headers["location"], "/orders", "{away}");
                // As the browser that it is by now: strangers would soon have to wait.
                let cookies = signed_in.headers.get_all("set-cookie").iter();
                let known = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).find(|cookie| cookie.starts_with("wanryo-browser=")).unwrap();
                assert_eq!(app.send(app.client.post(app.url("/login")).header("cookie", known).form(&refused)).await.headers["location"], "/login?error=refused&next=%2Forders", "{away}");
            }
            let office = app.client.post(app.url("/orders/ORD-1/sync")).query(&[("next", away), ("return_url", away)]).header("cookie", &cookie).header("sec-fetch-site", "same-origin").form(&[("next", away)]);
            let location = app.send(office).await.headers["location"].to_str().unwrap().to_owned();
            assert!(location.starts_with("/orders/ORD-1?"), "{location}");
        }
    }

    /// CVE-2026-119038 (GoCardless): the way back from the gateway was not bound to whoever had left for it. CVE-2025-14078
    /// (PAYGENT) and CVE-2026-0679 (Fortis): the callback needed no authorisation, or took its absence for it. Here the way
    /// back proves nothing and opens nothing; what opens something is bound to its holder.
    async fn the_way_back_is_no_proof_of_who_comes(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let made = app.order_with("ORD-1", shop_knows()).await;
        let imp_uid = app.pay("ORD-1", json!({ "receipt_url": "https://receipt.example/canary-receipt", "apply_num": "canary-approval" }));
        let link = status_path(&app, &made);
        let pay_token = made["pay_url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
        // Another buyer, with a payment and tokens of their own, tries them on this order.
        let other = app.order("OTHER").await;
        let other_link = status_path(&app, &other);
        let other_pay = other["pay_url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
        let other_imp = app.pay("OTHER", json!({}));
        let number_alone = opened(&app, "/payments/complete?merchant_uid=ORD-1").await;
        assert_eq!(number_alone.page_outcome(), Some("paid"));
        for told in ["canary-receipt", "canary-approval", link.as_str(), pay_token.as_str()] {
            assert!(!number_alone.text.contains(told), "{told}");
        }
        for path in [format!("/payments/complete?{}", query("v1", "ORD-1", &other_imp)), format!("/pay/ORD-1?token={other_pay}"), format!("/pay/ORD-1?token={}", other_link.rsplit('/').next().unwrap()), format!("/pay/ORD-1?token={}", link.rsplit('/').next().unwrap()), format!("/o/{pay_token}"), format!("/o/{other_pay}")] {
            let answer = app.page(&path).await;
            for told in ["카나리아", "canary", link.as_str(), pay_token.as_str()] {
                assert!(!answer.text.contains(told), "{path} tells {told}");
            }
        }

        // What a person of the shop may do needs that person's session: not none, not a made-up one, not one that ended, and
        // not one that an attacker had put into the browser before.
        let cookie = sign_in(&app).await;
        app.send(app.client.post(app.url("/logout")).header("cookie", &cookie)).await;
        app.order("OPEN").await;
        let fixed = "wanryo=attacker-chose-this";
        let form = [("email", "staff@example.com"), ("password", PASSWORD)];
        let signed_in = app.send(app.client.post(app.url("/login")).header("cookie", fixed).form(&form)).await;
        assert!(!signed_in.headers["set-cookie"].to_str().unwrap().contains("attacker"), "{:?}", signed_in.headers);
        let asked = calls(&app).len();
        for session in ["", "wanryo=", "wanryo=x", cookie.as_str(), fixed, "__Host-wanryo=x", "session=1", "wanryo=' OR 1=1 --"] {
            for path in ["/orders/OPEN/close", "/orders/OPEN/sync", "/attention/settle"] {
                for method in [Method::POST, Method::GET] {
                    let request = app.client.request(method.clone(), app.url(path)).header("cookie", session).form(&[("kind", "orphan"), ("transaction_id", imp_uid.as_str()), ("note", "x")]);
                    let answer = app.send(request).await;
                    let turned_away = answer.status == StatusCode::SEE_OTHER && answer.headers["location"].to_str().unwrap().starts_with("/login");
                    assert!(turned_away || answer.status == StatusCode::METHOD_NOT_ALLOWED, "{method} {path} with {session:?}: {}", answer.status);
                }
            }
        }
        assert_eq!((app.read_order("OPEN").await["status"].as_str(), calls(&app).len()), (Some("open"), asked));
    }
}
