//! Buyers' pages over HTTP: what is offered when, and what is there at all.

use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use wanryo::domain::look::{Accent, Color, Logo};
use wanryo::service::access;

use crate::app::TestApp;
use crate::attention::Staff;
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

        for (id, words) in [("DEPOSIT", "이미 발급된 입금 계좌가 있어요"), ("REVIEW", "먼저 하신 결제를 심사하고 있어요")] {
            let page = app.page(&format!("/pay/{id}")).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.text.contains(words) && !opens_a_window(&page.text), "{id}: {}", page.text);
        }
        app.patch_v2("REVIEW", json!({ "status": "FAILED" })).await;
        app.complete(&format!("txId={tx_id}&paymentId=REVIEW")).await;
        assert!(opens_a_window(&app.page("/pay/REVIEW").await.text), "what failed may be paid again");
    }

    async fn a_form_that_comes_too_late_or_cannot_be_read_is_answered_in_words(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let post = |path: &str| app.client.post(app.url(path)).header("accept", "text/html").header("sec-fetch-site", "same-origin");

        // The person was signed out meanwhile, and stood on the order's page.
        for (referer, next) in [
            (app.url("/orders/ORD-1?done=noted"), "/login?error=ended&next=%2Forders%2FORD%2D1"),
            ("https://evil.example//orders".to_owned(), "/login?error=ended&next=%2Forders"),
            (app.url("/payments/complete"), "/login?error=ended&next=%2Forders"),
            (String::new(), "/login?error=ended&next=%2Forders"),
        ] {
            let answer = app.send(post("/orders/ORD-1/note").header("referer", &referer).form(&[("note", "n")])).await;
            assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, next), "{referer}");
        }
        let page = app.page("/login?error=ended&next=%2Forders").await.text;
        assert!(page.contains("방금 보낸 내용은 저장하지 않았어요") && page.contains("role=\"alert\""), "{page}");

        let staff = Staff::sign_in(&app).await;
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "note=a&note=b"),
            ("application/json", "{}"),
        ] {
            let request = post("/orders/ORD-1/note").header("cookie", &staff.cookie).header("content-type", kind).body(body);
            let answer = app.send(request).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
            assert!(answer.text.contains("<html lang=\"ko\">"), "{body}: {}", answer.text);
        }
        assert_eq!(db.read("SELECT note FROM notes").await, Vec::<String>::new());
    }

    async fn the_language_asked_for_survives_every_form(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        access::put_user(&app.running.core, "staff@example.com", SecretString::from("correct horse battery"), None).await.unwrap();
        let form = |password: &str| [("email", "staff@example.com".to_owned()), ("password", password.to_owned()), ("next", "/attention".to_owned())];

        let stranger = app.page("/orders?lang=en").await;
        assert_eq!(stranger.headers["location"], "/login?next=%2Forders&lang=en");
        let filtered = app.page("/attention?lang=en&after=a&x=%2F").await;
        assert_eq!(filtered.headers["location"], "/login?next=%2Fattention%3Fafter%3Da%26x%3D%252F&lang=en", "with its filters");
        let refused = app.send(app.client.post(app.url("/login?lang=en")).form(&form("wrong"))).await;
        assert_eq!(refused.headers["location"], "/login?error=refused&next=%2Fattention&lang=en");
        let let_in = app.send(app.client.post(app.url("/login?lang=en")).form(&form("correct horse battery"))).await;
        assert_eq!(let_in.headers["location"], "/attention?lang=en");

        let cookie = let_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = |path: &str| app.client.get(app.url(path)).header("accept", "text/html").header("cookie", &cookie);
        let order = app.send(page("/orders/ORD-1?lang=en")).await.text;
        let actions: Vec<&str> = order.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(actions.len() >= 3, "sync, close and sign-out: {actions:?}");
        for action in actions {
            let posted = app.send(app.client.post(app.url(action)).header("cookie", &cookie).header("sec-fetch-site", "same-origin")).await;
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

/// The file's lines, unfolded.
fn lines(file: &str) -> Vec<String> {
    let unfolded = file.replace("\r\n ", "");
    unfolded
        .split_terminator("\r\n")
        .map(str::to_owned)
        .collect()
}

on_both_databases! {
    async fn the_deadline_is_a_file_for_calendars_while_a_deposit_is_awaited(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let order = app.order_with("ORD-1", json!({ "buyer": { "name": "카나리아", "email": "canary@example.com", "tel": "010-2222-3333" } })).await;
        let link = order["status_url"].as_str().unwrap().to_owned();
        let by_link = format!("{}/deadline.ics", link.replace(&app.running.public_url, ""));
        assert_eq!(app.page(&by_link).await.status, StatusCode::NOT_FOUND, "nothing is awaited yet");
        let imp_uid = app.pay("ORD-1", account());
        let query = format!("imp_uid={imp_uid}&merchant_uid=ORD-1&again=1");
        let page = app.page(&format!("/payments/complete?{query}")).await.text;
        let by_redirect = format!("/payments/complete/deadline.ics?merchant_uid=ORD-1&imp_uid={imp_uid}&again=1");
        assert!(page.contains(&format!("href=\"{}\"", by_redirect.replace('&', "&amp;"))), "{page}");

        for (path, shown) in [(&by_link, link.as_str()), (&by_redirect, "merchant_uid=ORD-1")] {
            let file = app.page(path).await;
            assert_eq!((file.status, file.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "text/calendar; charset=utf-8"));
            assert!(file.text.split("\r\n").all(|line| line.len() <= 75), "{}", file.text);
            let lines = lines(&file.text);
            assert_eq!((lines.first().map(String::as_str), lines.last().map(String::as_str)), (Some("BEGIN:VCALENDAR"), Some("END:VCALENDAR")));
            assert!(lines.contains(&"DTSTART:21000101T000000Z".to_owned()), "{lines:?}");
            assert!(lines.contains(&"SUMMARY:입금 기한: 65\\,000원 · 완료상점".to_owned()), "{lines:?}");
            assert!(lines.iter().any(|line| line.starts_with("URL:http") && line.contains(shown)), "{lines:?}");
            for personal in ["카나리아", "canary", "2222", "123-456", "사과"] {
                assert!(!file.text.contains(personal), "the file tells {personal}");
            }
        }
        let english = app.page(&format!("{by_link}?lang=en")).await.text;
        assert!(lines(&english).contains(&"SUMMARY:Deposit ₩65\\,000 · 완료상점".to_owned()), "{english}");

        app.deposit(&imp_uid).await;
        app.complete(&query).await;
        for path in [&by_link, &by_redirect] {
            assert_eq!(app.page(path).await.status, StatusCode::NOT_FOUND, "{path}: it was deposited");
        }
    }

    async fn the_shop_gives_the_pages_its_colour_and_logo(db: TestDatabase) {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        let app = TestApp::start_with(&db, TestApp::new_sandbox().await, |settings| {
            settings.shop_color = Color::parse("#ffe812");
            settings.shop_logo = Logo::read(svg.as_bytes());
        }).await;

        let page = app.page("/payments/complete?merchant_uid=NOPE").await.text;

        let accent = Accent::of(Color::parse("#ffe812").unwrap());
        assert!(page.contains(&format!(":root{{--accent:light-dark({},{})}}</style>", accent.light.hex(), accent.dark.hex())), "{page}");
        let version = page.split("src=\"/shop-logo?v=").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let logo = app.page(&format!("/shop-logo?v={version}")).await;
        assert_eq!((logo.status, logo.text.as_str()), (StatusCode::OK, svg));
        assert_eq!(logo.headers["content-type"], "image/svg+xml");
        assert_eq!(logo.headers["x-content-type-options"], "nosniff");
        let policy = logo.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.ends_with("sandbox") && !policy.contains("script"), "{policy}");
        app.running.stop().await;

        let plain = TestApp::start(&db).await;
        let page = plain.page("/payments/complete?merchant_uid=NOPE").await.text;
        assert!(!page.contains(":root{--accent") && !page.contains("src=\"/shop-logo"), "{page}");
        assert_eq!(plain.page("/shop-logo").await.status, StatusCode::NOT_FOUND);
    }
}
