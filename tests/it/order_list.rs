//! The list of orders as staff narrow it down: by the addresses of its form alone.

use serde_json::json;

use crate::app::TestApp;
use crate::attention::Staff;
use crate::refunds::paid;
use crate::support::{TestDatabase, on_both_databases};

/// The orders that a page of the list shows, from its top to its bottom.
pub(crate) fn listed(page: &str) -> Vec<String> {
    let rows = page.split("role=\"rowheader\"").skip(1);
    let number = |row: &str| {
        let (_, rest) = row.split_once("<bdi>").unwrap();
        rest.split_once("</bdi>").unwrap().0.to_owned()
    };
    rows.map(number).collect()
}

/// The tag with an id, and what stands right behind it.
fn element<'p>(page: &'p str, id: &str) -> (&'p str, &'p str) {
    let id = format!(" id=\"{id}\"");
    let tags = page.split('<').filter_map(|tag| tag.split_once('>'));
    let mut found = tags.filter(|(tag, _)| format!(" {tag}").contains(&id));
    found
        .next()
        .unwrap_or_else(|| panic!("no element{id}: {page}"))
}

/// The tag of a form's field.
fn field<'p>(page: &'p str, name: &str) -> &'p str {
    element(page, &format!("filter-{name}")).0
}

/// What is said of a field.
fn fault<'p>(page: &'p str, name: &str) -> &'p str {
    element(page, &format!("filter-{name}-fault")).1
}

on_both_databases! {
    async fn every_condition_narrows_the_list_and_stays_in_its_links(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "PAID").await;
        app.order_with("BANK", json!({ "pay_method": "vbank", "amount": 10_000, "buyer": { "name": "김하늘", "email": "a@example.com", "tel": "010-1234-5678" } })).await;
        app.order_with("DOLLAR", json!({ "amount": 1_420, "currency": "USD" })).await;
        app.order("ORD-1").await;
        let held = app.pay("ORD-1", json!({ "amount": 100 }));
        app.complete(&format!("imp_uid={held}&merchant_uid=ORD-1")).await;
        let staff = Staff::sign_in(&app).await;
        let list = async |query: &str| listed(&staff.page(&format!("/orders?{query}")).await);

        assert_eq!(list("").await, ["ORD-1", "DOLLAR", "BANK", "PAID"]);
        assert_eq!(list("method=card").await, ["ORD-1", "PAID"]);
        assert_eq!(list("method=virtual_account").await, ["BANK"]);
        assert_eq!(list("min=10,000&max=20,000").await, ["BANK"]);
        assert_eq!(list("currency=USD&min=14.20&max=14.2").await, ["DOLLAR"]);
        assert_eq!(list("currency=USD&min=14.21").await, Vec::<String>::new());
        assert_eq!(list("attention=1").await, ["ORD-1"]);
        assert_eq!(list("attention=1&status=paid").await, Vec::<String>::new());
        assert_eq!(list("q=5678").await, ["BANK"]);
        assert_eq!(list(&format!("q={transaction}")).await, ["PAID"]);
        let approval = app.read_order("PAID").await["transactions"][0]["approval_number"].as_str().unwrap().to_owned();
        assert!(list(&format!("q={approval}")).await.contains(&"PAID".to_owned()));
        assert_eq!(app.api(reqwest::Method::GET, "/api/v1/orders?q=5678", None).await.json()["orders"], json!([]), "the shop's search is for ids");

        let page = staff.page("/orders?min=10,000&currency=KRW&attention=1&lang=en").await;
        assert!(field(&page, "min").contains("value=\"10,000\""), "{page}");
        assert!(page.contains("<option value=\"KRW\" selected>"), "{page}");
        assert!(page.contains("name=\"attention\" value=\"1\" checked"), "{page}");
    }

    async fn what_is_wrong_with_a_condition_is_said_at_its_field_and_nothing_is_lost(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        for (query, name, typed, words) in [
            ("min=%EB%A7%8C%EC%9B%90", "min", "만원", "10,000처럼 숫자로"),
            ("max=-5", "max", "-5", "10,000처럼 숫자로"),
            ("max=0.5", "max", "0.5", "소수 자리"),
            ("min=2000&max=1,000", "max", "1,000", "최대 금액이 최소 금액보다 적어요"),
            ("from=2026-02-30", "from", "2026-02-30", "있는 날짜"),
            ("from=2026-11-21&to=2026-11-20", "to", "2026-11-20", "종료일이 시작일보다 빨라요"),
        ] {
            let page = staff.page(&format!("/orders?q=ORD&{query}")).await;
            let field = field(&page, name);
            assert!(field.contains(&format!("value=\"{typed}\"")) && field.contains("aria-invalid=\"true\""), "{query}: {field}");
            assert!(fault(&page, name).contains(words), "{query}: {}", fault(&page, name));
            assert!(page.contains("조건을 고쳐 주세요") && listed(&page).is_empty(), "nothing is shown that was not asked for: {query}");
            assert!(page.contains("value=\"ORD\""), "the rest of the form is there: {query}");
        }
        for (query, name, words) in [
            ("status=lost", "status", "이런 상태는 없어요"),
            ("method=CARD", "method", "이런 결제 수단은 없어요"),
            ("currency=won", "currency", "이런 통화는 없어요"),
            ("attention=on", "attention", "켜거나 꺼 주세요"),
        ] {
            let page = staff.page(&format!("/orders?{query}")).await;
            assert!(fault(&page, name).contains(words), "{query}: {}", fault(&page, name));
            assert!(listed(&page).is_empty(), "{query}");
        }

        let page = staff.page("/orders?after=nowhere").await;
        assert!(page.contains("목록의 자리를 읽을 수 없어서"), "{page}");
        assert_eq!(listed(&page), ["ORD-1"]);
        let page = staff.page("/orders?q=ORD%00-1%0d").await;
        assert_eq!(listed(&page), ["ORD-1"]);
    }

    async fn a_long_list_is_turned_page_by_page_with_its_conditions(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for n in 0..51 {
            app.order_with(&format!("N-{n:02}"), json!({ "amount": 1_000 })).await;
        }
        app.order("OTHER").await;
        let staff = Staff::sign_in(&app).await;

        let first = staff.page("/orders?min=1000&max=1,000").await;
        let all = listed(&first);
        assert_eq!((all.len(), all[0].as_str(), all[49].as_str()), (50, "N-50", "N-01"));
        let (_, next) = first.split_once("/orders?min=1000&amp;max=1%2C000&amp;after=").unwrap_or_else(|| panic!("no next page: {first}"));
        let place = next.split_once('"').unwrap().0;
        let second = staff.page(&format!("/orders?min=1000&max=1,000&after={place}")).await;
        assert_eq!(listed(&second), ["N-00"]);
        assert!(second.contains("처음으로") && !second.contains("이전 주문 더 보기"), "{second}");
        // A page that is full, and all there is.
        let full = staff.page("/orders?min=1000&max=1,000&q=N-").await;
        assert!(full.contains("이전 주문 더 보기"), "{full}");
        app.api(reqwest::Method::POST, "/api/v1/orders/N-00/close", None).await;
        let full = staff.page("/orders?min=1000&max=1,000&status=open").await;
        assert_eq!(listed(&full).len(), 50);
        assert!(!full.contains("이전 주문 더 보기") && !full.contains("after="), "{full}");
    }
}
