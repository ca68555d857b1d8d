//! The list of orders as a file: who gets it, what is in it, and how it ends.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;
use wanryo::adapters::system::SystemClock;
use wanryo::compose::Rounds;
use wanryo::domain::access::Role;
use wanryo::web::limits::Limits;

use crate::app::{Answer, TestApp};
use crate::refunds::paid;
use crate::roles::sign_in;
use crate::support::{TestDatabase, on_both_databases};

const HEAD: &str = "\u{feff}주문번호,상품,상태,통화,금액,환불 금액,결제 수단,카드·은행,거래번호,승인번호,주문 시각,결제 시각\r\n";

async fn file(app: &TestApp, cookie: &str, query: &str) -> Answer {
    let address = app.url(&format!("/orders.csv{query}"));
    app.send(app.client.get(address).header("cookie", cookie))
        .await
}

/// The order numbers of a file, from its top to its bottom.
fn numbers(text: &str) -> Vec<&str> {
    let lines = text.lines().skip(1);
    lines.map(|line| line.split(',').next().unwrap()).collect()
}

on_both_databases! {
    async fn the_file_holds_what_the_list_is_narrowed_down_to(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "PAID").await;
        app.refund("PAID", "a-name-of-sixteen", json!({ "amount": 20_000, "reason": "x" })).await;
        app.order_with("BANK", json!({ "pay_method": "vbank", "amount": 1_420, "currency": "USD", "buyer": { "name": "김하늘", "email": "canary@example.com", "tel": "010-1234-5678" } })).await;
        let viewer = sign_in(&app, Role::Viewer).await;

        let all = file(&app, &viewer, "").await;
        assert_eq!(all.status, StatusCode::OK);
        assert_eq!(all.headers["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(all.headers["cache-control"], "no-store");
        let name = all.headers["content-disposition"].to_str().unwrap();
        assert!(name.starts_with("attachment; filename=\"orders_until_20") && name.ends_with(".csv\""), "{name}");
        let rows = all.text.strip_prefix(HEAD).unwrap_or_else(|| panic!("{:?}", all.text));
        let [bank, order] = rows.split_terminator("\r\n").collect::<Vec<_>>()[..] else { panic!("two rows: {rows:?}") };
        assert!(bank.starts_with("BANK,사과 한 상자,결제 전,USD,14.20,0.00,가상계좌,,,,20") && bank.ends_with("+09:00,"), "{bank}");
        assert!(order.starts_with("PAID,사과 한 상자,부분 환불,KRW,65000,20000,카드,"), "{order}");
        assert!(order.contains(&format!(",{transaction},")) && order.ends_with("+09:00"), "{order}");
        for personal in ["김하늘", "canary", "5678"] {
            assert!(!all.text.contains(personal), "{personal}: {}", all.text);
        }

        assert_eq!(numbers(&file(&app, &viewer, "?status=partially_refunded").await.text), ["PAID"]);
        assert_eq!(numbers(&file(&app, &viewer, "?currency=USD&max=14.2").await.text), ["BANK"]);
        let english = file(&app, &viewer, "?from=2026-01-01&to=2026-01-31&lang=en").await;
        assert_eq!(english.text, "\u{feff}Order,Item,Status,Currency,Amount,Refunded,Paid by,Card or bank,Transaction,Approval number,Created,Paid\r\n");
        assert_eq!(english.headers["content-disposition"], "attachment; filename=\"orders_2026-01-01_2026-01-31.csv\"");
        let wrong = file(&app, &viewer, "?min=abc&q=PAID&lang=en").await;
        assert_eq!((wrong.status, wrong.headers["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/orders?q=PAID&min=abc&lang=en"));
        let page = app.send(app.client.get(app.url("/orders?status=paid&min=1,000")).header("cookie", &viewer).header("accept", "text/html")).await;
        assert!(!page.text.contains("/orders.csv"), "nothing to download: {}", page.text);
        let page = app.send(app.client.get(app.url("/orders?min=1,000")).header("cookie", &viewer).header("accept", "text/html")).await;
        assert!(page.text.contains("href=\"/orders.csv?min=1%2C000\""), "{}", page.text);
    }

    async fn no_cell_of_a_file_is_a_formula_or_breaks_out_of_its_place(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for (id, name, cells) in [
            ("A", "=HYPERLINK(\"https://evil.example\",\"x\")", "A,\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"x\"\")\","),
            ("-B", "+1+cmd|' /C calc'!A0", "'-B,'+1+cmd|' /C calc'!A0,"),
            ("@C", "-1,000", "'@C,\"'-1,000\","),
            ("=D", "사과 \"한\" 상자, 배", "'=D,\"사과 \"\"한\"\" 상자, 배\","),
        ] {
            app.order_with(id, json!({ "name": name })).await;
            let viewer = sign_in(&app, Role::Viewer).await;
            let text = file(&app, &viewer, "").await.text;
            let newest = text.lines().nth(1).unwrap();
            assert!(newest.starts_with(cells), "{newest}");
        }
    }

    async fn a_file_that_ends_before_the_list_does_says_so(db: TestDatabase) {
        let limits = Limits { exported_orders: 120, ..Limits::default() };
        let app = TestApp::start_within(&db, TestApp::new_sandbox().await, |_| {}, Arc::new(SystemClock), limits, Rounds::ByHand).await;
        let more = async |from: u32, to: u32| {
            db.run(&format!(
                "INSERT INTO orders (payment_id, version, name, amount_minor, currency, portone, fingerprint, status_token, pay_token, status,
                    refunded_minor, checks_without_change, created_at, updated_at)
                WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
                SELECT 'M-' || i, 0, 'Socks', 1000, 'KRW', 'v1', 'f', '{}' || (1000 + i), '0123456789abcdef0123456789abcdef', 'open', 0, 0,
                    1700000100000000 + i, 0 FROM n",
                "0123456789abcdef0123456789ab",
            )).await;
        };
        let viewer = sign_in(&app, Role::Viewer).await;

        more(1, 120).await;
        let whole = file(&app, &viewer, "").await.text;
        let found = numbers(&whole);
        assert_eq!((found.len(), found[0], found[119]), (120, "M-120", "M-1"), "all of them, on two pages");

        more(121, 121).await;
        let cut = file(&app, &viewer, "").await.text;
        let found = numbers(&cut);
        assert_eq!((found.len(), found[0], found[119]), (121, "M-121", "M-2"));
        assert!(found[120].contains("여기에서 멈췄어요") && cut.contains("120건까지"), "{}", found[120]);
    }

    async fn a_file_whose_rest_cannot_be_read_breaks_off_and_says_so(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let viewer = sign_in(&app, Role::Viewer).await;
        // The second page holds a row that no version of this program could have written.
        db.run(
            "INSERT INTO orders (payment_id, version, name, amount_minor, currency, portone, fingerprint, status_token, pay_token, status,
                refunded_minor, checks_without_change, created_at, updated_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101)
            SELECT 'M-' || i, 0, 'Socks', 1000, CASE i WHEN 1 THEN 'xxx' ELSE 'KRW' END, 'v1', 'f', '0123456789abcdef0123456789ab' || (1000 + i),
                '0123456789abcdef0123456789abcdef', 'open', 0, 0, 1700000100000000 + i, 0 FROM n",
        ).await;

        let mut answer = app.client.get(app.url("/orders.csv")).header("cookie", &viewer).send().await.unwrap();
        let mut text = Vec::new();
        let ended = loop {
            match answer.chunk().await {
                Ok(Some(piece)) => text.extend_from_slice(&piece),
                ended => break ended,
            }
        };

        assert!(ended.is_err(), "a browser says that the download failed");
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\r\nM-2,") && text.contains("여기에서 끊겼어요"), "{text}");
    }
}
