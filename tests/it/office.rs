//! What a person of the shop does in the back office, by its pages and forms alone.

use reqwest::StatusCode;
use serde_json::{Value, json};
use wanryo::domain::access::Role;
use wanryo::service::reconciliation;

use crate::app::TestApp;
use crate::attention::Staff;
use crate::refunds::paid;
use crate::roles::sign_in;
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

/// A key as a page draws it for a form.
pub(crate) fn form_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The element of a page that has this in its tag.
pub(crate) fn tag<'p>(page: &'p str, part: &str) -> &'p str {
    let found = page.split('<').find(|piece| {
        piece
            .split_once('>')
            .is_some_and(|(tag, _)| tag.contains(part))
    });
    let found = found.unwrap_or_else(|| panic!("no element with {part}: {page}"));
    found.split('>').next().unwrap()
}

/// The page that gives a form back.
async fn given_back(staff: &Staff<'_>, path: &str, form: &[(&str, &str)]) -> String {
    given_back_as(StatusCode::UNPROCESSABLE_ENTITY, staff, path, form).await
}

async fn given_back_as(
    status: StatusCode,
    staff: &Staff<'_>,
    path: &str,
    form: &[(&str, &str)],
) -> String {
    let answer = staff.send(path, form).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.text
}

fn strs<'f>(form: &'f [(&'f str, String)]) -> Vec<(&'f str, &'f str)> {
    form.iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
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
        let start = format!("/orders/ORD-1/refund?transaction_id={transaction}");
        assert!(staff.page("/orders/ORD-1").await.contains(&start), "the order leads to it");
        assert!(staff.page(&start).await.contains("65,000원까지"));

        let confirm = staff.page(&format!("{start}&amount=20,000")).await;
        assert!(confirm.contains("20,000원 환불하기") && confirm.contains("45,000원"), "{confirm}");
        assert_eq!(refunds(&app, "ORD-1").await, [], "looking moves nothing");
        let (amount, left, key) = (hidden(&confirm, "amount"), hidden(&confirm, "left"), hidden(&confirm, "key"));
        let form = [("transaction_id", transaction.as_str()), ("amount", &amount), ("left", &left), ("key", &key), ("reason", "단순 변심")];
        for _ in 0..2 {
            assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD-1?done=refunded");
        }

        assert_eq!(refunds(&app, "ORD-1").await, [(20_000, "done".to_owned())], "sent twice, made once");
        assert_eq!(app.read_order("ORD-1").await["refunded_amount"], 20_000);
        let order = staff.page("/orders/ORD-1").await;
        assert!(order.contains("<dd>카드<") && order.contains("<bdi>card</bdi></code>"), "{order}");
        assert!(order.contains("단순 변심") && order.contains("data-refund=\"done\""), "{order}");

        let rest = hidden(&staff.page(&format!("{start}&amount=45000")).await, "key");
        let form = [("transaction_id", transaction.as_str()), ("amount", "45000"), ("left", "45000"), ("key", &rest), ("reason", "x")];
        assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD-1?done=refunded");
        let order = staff.page("/orders/ORD-1").await;
        assert!(!order.contains("/orders/ORD-1/refund"), "nothing is left: {order}");
    }

    /// What is taxed in part asks how much of a part of it is free of tax, and keeps what was typed.
    async fn a_refund_of_what_is_taxed_in_part_asks_for_the_tax_free_part(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_with("MIXED", json!({ "portone": "v2", "channel_key": "channel-key-live" })).await;
        let transaction = app.pay_v2("MIXED", json!({ "amount": { "total": 65_000, "taxFree": 20_000 }, "method": { "type": "PaymentMethodTransfer", "bank": "KOOKMIN" } })).await;
        assert_eq!(app.complete("paymentId=MIXED").await.outcome(), "paid");
        let staff = Staff::sign_in(&app).await;
        let confirm = staff.page(&format!("/orders/MIXED/refund?transaction_id={transaction}&amount=30000")).await;
        assert!(confirm.contains("이 중 면세 금액 (KRW, 선택)") && confirm.contains("계좌를 요구하는 PG사가 있어요"), "{confirm}");
        assert!(!tag(&confirm, "id=\"number\"").contains("required"), "an account is offered: {confirm}");
        let form = |page: &str, tax_free: &str| {
            let fields = ["transaction_id", "amount", "left", "key"].map(|name| (name, hidden(page, name)));
            fields.into_iter().chain([("reason", "한 묶음 반품".to_owned()), ("tax_free", tax_free.to_owned())]).collect::<Vec<_>>()
        };

        let asked = given_back(&staff, "/orders/MIXED/refund", &strs(&form(&confirm, ""))).await;
        assert!(asked.contains("면세 금액을 적어 주세요") && asked.contains("value=\"한 묶음 반품\""), "{asked}");
        for (typed, words) in [("30,001", "면세 금액이나 나머지"), ("x", "면세 금액을 숫자로"), ("-1", "면세 금액을 숫자로"), ("20001", "면세 금액이나 나머지")] {
            let wrong = given_back(&staff, "/orders/MIXED/refund", &strs(&form(&asked, typed))).await;
            assert!(wrong.contains(words) && tag(&wrong, "id=\"tax_free\"").contains(&format!("value=\"{typed}\"")), "{typed}: {wrong}");
        }
        assert_eq!(refunds(&app, "MIXED").await, []);

        assert_eq!(staff.post("/orders/MIXED/refund", &strs(&form(&asked, "12,000"))).await, "/orders/MIXED?done=refunded");
        assert_eq!(refunds(&app, "MIXED").await, [(30_000, "done".to_owned())]);
        let payment = app.control_v2(reqwest::Method::GET, &["MIXED"], json!({})).await;
        assert_eq!(payment["amount"]["cancelledTaxFree"], 12_000);
    }

    /// Nothing is paid on either, and the buyer reads why not.
    async fn the_page_of_an_order_that_is_over_tells_what_its_buyer_reads(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let sees = [("OPEN", "결제를 기다리거나 확인하고 있다고 보여요"), ("CLOSED", "쇼핑몰이 주문을 마감했다고 보여요"), ("OVER", "결제할 수 있는 시간이 지났다고 보여요")];
        for (id, _) in sees {
            app.order_with(id, json!({ "expires_at": "2027-01-01T00:00:00Z" })).await;
        }
        assert_eq!(app.api(reqwest::Method::POST, "/api/v1/orders/CLOSED/close", None).await.status, StatusCode::OK);
        db.run("UPDATE orders SET expires_at = created_at, next_check_at = 0 WHERE payment_id = 'OVER'").await;
        assert_eq!(reconciliation::reconcile_due(&app.running.core, 10).await.unwrap(), 1);
        let staff = Staff::sign_in(&app).await;

        for (id, words) in sees {
            let page = staff.page(&format!("/orders/{id}")).await;
            assert!(page.contains(words), "{id}: {page}");
        }
    }

    /// An account that takes any sum took one won of what was ordered. PortOne would give back what was ordered.
    async fn no_more_goes_back_than_came(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("LESS").await;
        let account = json!({ "pg_provider": "settle", "pay_method": "vbank", "vbank_name": "국민은행", "vbank_num": "123-456", "deposit_history": [{ "amount": 1, "transaction_at": 1_900_000_000 }] });
        let transaction = app.pay("LESS", account);
        assert_eq!(app.complete(&format!("imp_uid={transaction}&merchant_uid=LESS")).await.outcome(), "held");
        let to = json!({ "bank": "KOOKMIN", "number": "110-123", "holder": "홍길동", "tel": "010-2222-3333" });
        let ask = |key: &'static str, amount: Value| app.refund("LESS", key, json!({ "reason": "x", "transaction_id": transaction, "amount": amount, "refund_account": to }));
        let refused = ask("1", json!(2)).await;
        assert_eq!((refused.status, &refused.json()["refundable"]), (StatusCode::CONFLICT, &json!(1)), "{}", refused.text);
        let staff = Staff::sign_in(&app).await;
        let confirm = staff.page(&format!("/orders/LESS/refund?transaction_id={transaction}&amount=1")).await;
        let fields = ["transaction_id", "amount", "left", "key"].map(|name| (name, hidden(&confirm, name)));
        let account = [("bank", "KB국민은행"), ("number", "110123"), ("holder", "홍길동"), ("tel", "01022223333"), ("reason", "x")];
        let form: Vec<_> = strs(&fields).into_iter().chain(account).collect();

        assert_eq!(staff.post("/orders/LESS/refund", &form).await, "/orders/LESS?done=refunded");

        assert_eq!(refunds(&app, "LESS").await, [(1, "done".to_owned())]);
    }

    /// What was ordered goes back, the discount with it.
    async fn a_discounted_payment_is_given_back_whole(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order_v2("SALE").await;
        let transaction = app.pay_v2("SALE", json!({ "amount": { "total": 65_000, "discount": 5_000, "paid": 60_000 } })).await;
        app.api(reqwest::Method::POST, "/api/v1/orders/SALE/sync", None).await;
        let staff = Staff::sign_in(&app).await;
        let confirm = staff.page(&format!("/orders/SALE/refund?transaction_id={transaction}&amount=65000")).await;
        let send = |page: &str, amount: &str| {
            let fields = ["transaction_id", "left", "key"].map(|name| (name, hidden(page, name)));
            fields.into_iter().chain([("amount", amount.to_owned()), ("reason", "x".to_owned())]).collect::<Vec<_>>()
        };

        assert_eq!(staff.post("/orders/SALE/refund", &strs(&send(&confirm, "65000"))).await, "/orders/SALE?done=refunded");
        assert_eq!(refunds(&app, "SALE").await, [(65_000, "done".to_owned())]);
    }

    /// What was typed waits in the form until the other refund is over.
    async fn a_refund_beside_one_that_is_on_its_way_waits_in_its_form(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        let looks = format!("/orders/ORD-1/refund?transaction_id={transaction}&amount=20000");
        let page = staff.page(&looks).await;
        let send = async |page: &str, status: Option<StatusCode>| {
            let fields = ["transaction_id", "amount", "left", "key"].map(|name| (name, hidden(page, name)));
            let fields: Vec<_> = fields.into_iter().chain([("reason", "한 벌 반품".to_owned())]).collect();
            match status {
                Some(status) => given_back_as(status, &staff, "/orders/ORD-1/refund", &strs(&fields)).await,
                None => staff.post("/orders/ORD-1/refund", &strs(&fields)).await,
            }
        };
        let other = staff.page(&looks).await;
        app.sandbox.fault(json!({ "call": "cancel", "kind": "reset" })).unwrap();
        assert_eq!(send(&page, None).await, "/orders/ORD-1?done=refund_under_way");

        let waits = send(&other, Some(StatusCode::CONFLICT)).await;

        assert!(waits.contains("이 결제의 다른 환불이 진행되고 있어요") && tag(&waits, "id=\"reason\"").contains("value=\"한 벌 반품\""), "{waits}");
        assert_eq!(refunds(&app, "ORD-1").await, [(20_000, "in_doubt".to_owned())]);
        assert_eq!(send(&page, None).await, "/orders/ORD-1?done=refund_under_way", "the form that was sent is the refund under way");
    }

    /// A form that comes again is its own refund, whatever became of that.
    async fn a_form_that_is_sent_again_is_no_other_refund(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        let page = staff.page(&format!("/orders/ORD-1/refund?transaction_id={transaction}&amount=20000")).await;
        let fields = ["transaction_id", "amount", "left", "key"].map(|name| (name, hidden(&page, name)));
        let with = |reason: &'static str| strs(&fields).into_iter().chain([("reason", reason)]).collect::<Vec<_>>();
        let (once, other) = (with("단순 변심"), with("한 벌 반품"));
        app.sandbox.fault(json!({ "call": "cancel", "kind": "stall", "times": 1 })).unwrap();

        let first = staff.post("/orders/ORD-1/refund", &once);
        let second = async {
            // The call is under way.
            while app.sandbox.calls("cancel") == 0 {
                tokio::task::yield_now().await;
            }
            let second = staff.post("/orders/ORD-1/refund", &once).await;
            app.sandbox.clear_faults();
            second
        };
        let (first, second) = tokio::join!(first, second);

        assert_eq!((first.as_str(), second.as_str()), ("/orders/ORD-1?done=refund_under_way", "/orders/ORD-1?done=refund_under_way"));
        let before = staff.post("/orders/ORD-1/refund", &other).await;
        assert_eq!(before, "/orders/ORD-1?error=refund_before", "another reason in the same form");
        assert!(staff.page(&before).await.contains("더 환불하지 않았어요"));
        assert_eq!((refunds(&app, "ORD-1").await.len(), app.sandbox.calls("cancel")), (1, 1));
    }

    /// Each of them decided on what the page said is left, and for the second it is not true any more.
    async fn of_two_people_who_refund_at_once_the_second_decides_anew(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        for portone in ["v1", "v2"] {
            let id = format!("TWO-{portone}");
            let cancels = || app.sandbox.calls("cancel") + app.sandbox.calls("v2_cancel");
            let before = cancels();
            let transaction = paid(&app, portone, &id).await;
            let [first, second] = [Staff::of(&app, sign_in(&app, Role::Owner).await), Staff::of(&app, sign_in(&app, Role::Staff).await)];
            let (path, done) = (format!("/orders/{id}/refund"), format!("/orders/TWO-{portone}?done=refunded"));
            let form = |page: &str, reason: &str| {
                let fields = ["transaction_id", "amount", "left", "key"].map(|name| (name, hidden(page, name)));
                fields.into_iter().chain([("reason", reason.to_owned())]).collect::<Vec<_>>()
            };
            let looks = format!("{path}?transaction_id={transaction}&amount=20000");
            let (one, other) = (form(&first.page(&looks).await, "단순 변심"), form(&second.page(&looks).await, "한 벌 <반품>"));
            assert_eq!(first.post(&path, &strs(&one)).await, done);

            let page = given_back(&second, &path, &strs(&other)).await;

            assert!(page.contains("환불할 수 있는 금액이 바뀌었어요(지금 45,000원)") && page.contains("role=\"alert\""), "{page}");
            assert!(page.contains("25,000원"), "what is left afterwards: {page}");
            assert!(tag(&page, "id=\"reason\"").contains("value=\"한 벌 &lt;반품&gt;\""), "{page}");
            assert_eq!((refunds(&app, &id).await.len(), cancels() - before), (1, 1), "nothing was done");
            assert_eq!(first.post(&path, &strs(&one)).await, done, "the form that was done is done, whatever is left");
            for unreadable in ["", "x", "0", "-45000"] {
                let mut form = form(&page, "x");
                form[2].1 = unreadable.to_owned();
                given_back(&second, &path, &strs(&form)).await;
            }
            assert_eq!((refunds(&app, &id).await.len(), cancels() - before), (1, 1));

            let anew = form(&page, "한 벌 <반품>");
            for _ in 0..2 {
                assert_eq!(second.post(&path, &strs(&anew)).await, done, "with the new figure it goes on");
            }
            assert_eq!((refunds(&app, &id).await.len(), cancels() - before), (2, 2));
            assert_eq!(app.read_order(&id).await["refunded_amount"], 40_000);

            // More than is left by then: the amount is chosen anew, and when nothing is left, that is said.
            let looks = format!("{path}?transaction_id={transaction}&amount=25000");
            let (one, other) = (form(&first.page(&looks).await, "x"), form(&second.page(&looks.replace("25000", "20000")).await, "y"));
            assert_eq!(second.post(&path, &strs(&other)).await, done);
            let page = given_back(&first, &path, &strs(&one)).await;
            assert!(page.contains("(지금 5,000원)") && tag(&page, "id=\"amount\"").contains("aria-invalid=\"true\"") && hidden(&page, "reason") == "x", "{page}");
            let looks = format!("{path}?transaction_id={transaction}&amount=5000");
            let (one, other) = (form(&first.page(&looks).await, "x"), form(&second.page(&looks).await, "y"));
            assert_eq!(first.post(&path, &strs(&one)).await, done);
            assert_eq!(second.post(&path, &strs(&other)).await, format!("/orders/TWO-{portone}?error=nothing_left"));
        }
    }

    async fn what_is_wrong_with_a_refund_is_said_where_it_is(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let transaction = paid(&app, "v1", "ORD-1").await;
        let staff = Staff::sign_in(&app).await;
        let start = format!("/orders/ORD-1/refund?transaction_id={transaction}");
        for (typed, words) in [("65001", "환불할 수 있는 금액보다 많아요"), ("0", "0보다 큰 금액"), ("%EB%A7%8C%EC%9B%90", "0보다 큰 금액"), ("1.5", "이 통화는 소수점 없이")] {
            let page = staff.page(&format!("{start}&amount={typed}")).await;
            assert!(page.contains(words) && page.contains("aria-invalid=\"true\""), "{typed}: {page}");
        }
        let key = "0123456789abcdef0123456789abcdef";
        for reason in ["", "  ", &"가".repeat(201), "a\u{0}b"] {
            let form = [("transaction_id", transaction.as_str()), ("amount", "1,000"), ("left", "65000"), ("key", key), ("reason", reason)];
            let page = given_back(&staff, "/orders/ORD-1/refund", &form).await;
            assert!(page.contains("환불 사유를 1자에서 200자까지") && page.contains("1,000원 환불하기"), "{reason:?}: {page}");
            let field = tag(&page, "id=\"reason\"");
            assert!(field.contains("aria-invalid=\"true\"") && field.contains("reason-fault") && field.contains("autofocus") && field.contains(&format!("value=\"{reason}\"")), "{field}");
            assert_ne!(hidden(&page, "key"), key, "another form");
        }
        // Of an amount that cannot be, the first look is shown, and what else was typed goes on to the second.
        for (amount, words) in [("65001", "환불할 수 있는 금액보다 많아요"), ("-1", "0보다 큰 금액")] {
            let form = [("transaction_id", transaction.as_str()), ("amount", amount), ("left", "65000"), ("key", key), ("reason", "단순 변심")];
            let page = given_back(&staff, "/orders/ORD-1/refund", &form).await;
            let field = tag(&page, "id=\"amount\"");
            assert!(page.contains(words) && field.contains("aria-invalid=\"true\"") && field.contains(&format!("value=\"{amount}\"")), "{page}");
            let form = [("transaction_id", transaction.as_str()), ("look", &hidden(&page, "look")), ("amount", "2000"), ("reason", &hidden(&page, "reason"))];
            let looked = staff.send("/orders/ORD-1/refund", &form).await;
            assert_eq!(looked.status, StatusCode::OK);
            assert!(looked.text.contains("2,000원 환불하기") && tag(&looked.text, "id=\"reason\"").contains("value=\"단순 변심\""), "{}", looked.text);
            assert_eq!((hidden(&looked.text, "amount"), hidden(&looked.text, "left")), ("2000".to_owned(), "65000".to_owned()));
        }

        for (id, sent, leads) in [
            (transaction.as_str(), "not a key", "/orders/ORD-1?error=unavailable".to_owned()),
            ("imp_000000000000", key, "/orders/ORD-1?error=nothing_left".to_owned()),
            ("a/b", key, "/orders/ORD-1?error=nothing_left".to_owned()),
        ] {
            let form = [("transaction_id", id), ("amount", "1000"), ("left", "65000"), ("key", sent), ("reason", "x")];
            assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, leads);
        }

        app.sandbox.fault(json!({ "call": "payment", "kind": "status", "status": 503 })).unwrap();
        app.sandbox.fault(json!({ "call": "find_all", "kind": "status", "status": 503 })).unwrap();
        let form = [("transaction_id", transaction.as_str()), ("amount", "1000"), ("left", "65000"), ("key", key), ("reason", "한 벌 반품")];
        let page = given_back_as(StatusCode::SERVICE_UNAVAILABLE, &staff, "/orders/ORD-1/refund", &form).await;
        assert!(page.contains("금액을 지금 확인하지 못해 환불하지 않았어요") && page.contains("role=\"alert\""), "{page}");
        assert!(tag(&page, "id=\"reason\"").contains("value=\"한 벌 반품\""), "{page}");
        assert_eq!(refunds(&app, "ORD-1").await, []);
        assert_eq!(app.read_order("ORD-1").await["refunded_amount"], 0);
        app.sandbox.clear_faults();
        let key = hidden(&page, "key");
        let form = [("transaction_id", transaction.as_str()), ("amount", &hidden(&page, "amount")), ("left", &hidden(&page, "left")), ("key", &key), ("reason", "한 벌 반품")];
        assert_eq!(staff.post("/orders/ORD-1/refund", &form).await, "/orders/ORD-1?done=refunded", "what was given back is sent as it is");
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
        let with = |number: &'static str| {
            [("transaction_id", transaction.as_str()), ("amount", "65000"), ("left", "65000"), ("key", key.as_str()), ("reason", "단순 변심"), ("bank", "SHINHAN"), ("number", number), ("holder", "김하늘")]
        };

        let lacking = given_back(&staff, "/orders/BANK/refund", &with("")).await;
        assert!(lacking.contains("은행, 계좌번호, 예금주를 모두"), "{lacking}");
        let [number, holder, reason] = ["number", "holder", "reason"].map(|field| tag(&lacking, &format!("id=\"{field}\"")));
        assert!(number.contains("aria-invalid=\"true\"") && number.contains("account-fault") && number.contains("autofocus"), "{number}");
        assert!(holder.contains("value=\"김하늘\"") && !holder.contains("aria-invalid") && !holder.contains("autofocus"), "{holder}");
        assert!(reason.contains("value=\"단순 변심\"") && tag(&lacking, "value=\"SHINHAN\"").contains("selected"), "{lacking}");
        assert_eq!(staff.post("/orders/BANK/refund", &with("110-123")).await, "/orders/BANK?done=refunded");

        assert_eq!(app.read_order("BANK").await["status"], Value::from("refunded"));
    }

    async fn a_gateways_own_codes_of_banks_are_chosen_by_name(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let staff = Staff::sign_in(&app).await;
        for (id, gateway, offered) in [
            ("INICIS", "html5_inicis", Some("<option value=\"88\">신한은행</option>")),
            ("KCP", "kcp", Some("<option value=\"BK88\">신한은행</option>")),
            ("NICE", "nice_v2", Some("<option value=\"088\">신한은행</option>")),
            ("OTHER", "mobilians", None),
        ] {
            app.order(id).await;
            let account = json!({ "pg_provider": gateway, "pay_method": "vbank", "vbank_num": "56211-1", "vbank_name": "국민은행" });
            let imp_uid = app.pay(id, account);
            assert_eq!(app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}")).await.outcome(), "paid");
            let page = staff.page(&format!("/orders/{id}/refund?transaction_id={imp_uid}&amount=65000")).await;
            let field = tag(&page, "id=\"bank\"");
            match offered {
                Some(bank) => assert!(field.contains("list=\"banks\"") && page.contains(bank), "{id}: {page}"),
                None => assert!(field.starts_with("input") && !page.contains("신한은행"), "{id}: {page}"),
            }
        }
    }
}
