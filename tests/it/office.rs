//! What a person of the shop does in the back office, by its pages and forms alone.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::attention::Staff;
use crate::refunds::paid;
use crate::support::{TestDatabase, on_both_databases};

/// The value of a form's hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = page
        .split("<input ")
        .find(|field| field.contains(&format!("name=\"{name}\"")))
        .unwrap_or_else(|| panic!("no field {name}: {page}"));
    let (_, value) = field.split_once("value=\"").unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// The refunds as amount and state, the oldest first.
async fn refunds(app: &TestApp, id: &str) -> Vec<(i64, String)> {
    let path = format!("/api/v1/orders/{id}/refunds");
    let list = app.api(reqwest::Method::GET, &path, None).await.json();
    let list = list["refunds"].as_array().unwrap().iter();
    list.map(|refund| {
        let state = refund["state"].as_str().unwrap().to_owned();
        (refund["amount"].as_i64().unwrap(), state)
    })
    .collect()
}

on_both_databases! {
    async fn a_refund_is_made_in_two_looks_and_once(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        let start = format!("/orders/ORD%2D1/refund?transaction_id={transaction}");
        assert!(staff.page("/orders/ORD-1").await.contains(&start), "the order leads to it");
        assert!(staff.page(&start).await.contains("65,000원까지"));

        let confirm = staff.page(&format!("{start}&amount=20,000")).await;
        assert!(confirm.contains("20,000원 환불하기") && confirm.contains("45,000원"), "{confirm}");
        assert_eq!(refunds(&app, "ORD-1").await, [], "looking moves nothing");
        let (amount, key) = (hidden(&confirm, "amount"), hidden(&confirm, "key"));
        let form = [("transaction_id", transaction.as_str()), ("amount", &amount), ("key", &key), ("reason", "단순 변심")];
        for _ in 0..2 {
            assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD%2D1?done=refunded");
        }

        assert_eq!(refunds(&app, "ORD-1").await, [(20_000, "done".to_owned())], "sent twice, made once");
        assert_eq!(app.read_order("ORD-1").await["refunded_amount"], 20_000);
        let order = staff.page("/orders/ORD-1").await;
        assert!(order.contains("단순 변심") && order.contains("data-refund=\"done\""), "{order}");

        let rest = hidden(&staff.page(&format!("{start}&amount=45000")).await, "key");
        let form = [("transaction_id", transaction.as_str()), ("amount", "45000"), ("key", &rest), ("reason", "x")];
        assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD%2D1?done=refunded");
        let order = staff.page("/orders/ORD-1").await;
        assert!(!order.contains("/orders/ORD%2D1/refund"), "nothing is left: {order}");
    }

    async fn what_is_wrong_with_a_refund_is_said_where_it_is(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        let start = format!("/orders/ORD%2D1/refund?transaction_id={transaction}");
        for (typed, words) in [("65001", "환불할 수 있는 금액보다 많아요"), ("0", "0보다 큰 금액"), ("%EB%A7%8C%EC%9B%90", "0보다 큰 금액"), ("1.5", "0보다 큰 금액")] {
            let page = staff.page(&format!("{start}&amount={typed}")).await;
            assert!(page.contains(words) && page.contains("aria-invalid=\"true\""), "{typed}: {page}");
        }
        let key = "0123456789abcdef0123456789abcdef";
        let back = format!("{start}&amount=1000&error=no_reason");
        for reason in ["", "  ", &"가".repeat(201), "a\u{0}b"] {
            let form = [("transaction_id", transaction.as_str()), ("amount", "1000"), ("key", key), ("reason", reason)];
            assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, back, "{reason:?}");
        }
        assert!(staff.page(&back).await.contains("환불 사유를 1자에서 200자까지"));

        for (id, amount, sent, leads) in [
            (transaction.as_str(), "65001", key, format!("{start}&amount=65001&error=too_much")),
            (&transaction, "-1", key, format!("{start}&amount=-1&error=no_amount")),
            (&transaction, "1000", "not a key", "/orders/ORD%2D1?error=unavailable".to_owned()),
            ("imp_000000000000", "1000", key, "/orders/ORD%2D1?error=nothing_left".to_owned()),
            ("a/b", "1000", key, "/orders/ORD%2D1?error=nothing_left".to_owned()),
        ] {
            let form = [("transaction_id", id), ("amount", amount), ("key", sent), ("reason", "x")];
            assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, leads);
        }

        app.sandbox.fault(json!({ "call": "payment", "kind": "status", "status": 503 })).unwrap();
        app.sandbox.fault(json!({ "call": "find_all", "kind": "status", "status": 503 })).unwrap();
        let form = [("transaction_id", transaction.as_str()), ("amount", "1000"), ("key", key), ("reason", "x")];
        assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD%2D1?error=refund_unasked");
        assert_eq!(refunds(&app, "ORD-1").await, []);
        assert_eq!(app.read_order("ORD-1").await["refunded_amount"], 0);
    }

    async fn a_deposit_is_given_back_to_an_account_that_is_asked_for(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("BANK").await;
        app.pay_v2("BANK", json!({ "method": { "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "56211-1", "accountType": "NORMAL" } })).await;
        app.complete("paymentId=BANK").await;
        let order = app.read_order("BANK").await;
        let transaction = order["transactions"][0]["transaction_id"].as_str().unwrap().to_owned();
        let staff = Staff::sign_in(&app).await;
        let start = format!("/orders/BANK/refund?transaction_id={transaction}&amount=65000");
        let page = staff.page(&start).await;
        assert!(page.contains("<option value=\"SHINHAN\">신한은행</option>"), "{page}");
        let key = hidden(&page, "key");
        let with = |bank: &'static str, number: &'static str| {
            [("transaction_id", transaction.clone()), ("amount", "65000".to_owned()), ("key", key.clone()), ("reason", "x".to_owned()), ("bank", bank.to_owned()), ("number", number.to_owned()), ("holder", "김하늘".to_owned())]
        };
        let post = async |form: [(&str, String); 7]| {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            staff.post("/orders/BANK/refund", &form).await
        };

        let lacking = post(with("SHINHAN", "")).await;
        assert_eq!(lacking, format!("{start}&error=no_account"));
        assert!(staff.page(&lacking).await.contains("은행, 계좌번호, 예금주를 모두"));
        assert_eq!(post(with("SHINHAN", "110-123")).await, "/orders/BANK?done=refunded");

        assert_eq!(app.read_order("BANK").await["status"], Value::from("refunded"));
    }
}
