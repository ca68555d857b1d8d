//! A payment that PortOne tells of as nobody here can read comes before the shop's people, and goes when it can be read.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use wanryo::domain::order::Portone;

use super::Bench;
use super::proxy::{Call, Fault};
use crate::attention::Staff;
use crate::support::{TestDatabase, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);

/// What needs attention, as kind, order, transaction and amount.
async fn listed(bench: &Bench) -> Vec<Value> {
    let answer = bench.app.api(Method::GET, "/api/v1/attention", None).await;
    let items = answer.json()["items"].as_array().unwrap().clone();
    let told = |item: &Value| {
        json!([
            item["kind"],
            item["payment_id"],
            item["transaction_id"],
            item["amount"]
        ])
    };
    items.iter().map(told).collect()
}

/// An order whose buyer has paid and comes back while PortOne's answer has the fault; the payment.
async fn comes_back(bench: &Bench, id: &str, fault: Fault) -> String {
    bench.app.order(id).await;
    let imp_uid = bench.app.pay(id, json!({}));
    bench.proxy.arm(Call::Payment, fault);
    let address = format!("imp_uid={imp_uid}&merchant_uid={id}&imp_success=true");
    let said = bench.app.complete(&address).await.outcome();
    assert!(
        ["pending", "unconfirmed"].contains(&said.as_str()),
        "{said}"
    );
    assert!(bench.proxy.hits() > 0);
    bench.proxy.disarm();
    imp_uid
}

on_both_databases! {
    async fn a_payment_with_a_status_that_nobody_knows(db: TestDatabase) {
        let bench = Bench::start(&db, Portone::V1).await;
        let imp_uid = comes_back(&bench, "ODD", Fault::UnknownStatus).await;
        assert_eq!(listed(&bench).await, Vec::<Value>::new(), "a moment is no reason to look");

        bench.clock.push(MINUTE * 10);
        assert_eq!(listed(&bench).await, [json!(["unclear", "ODD", imp_uid, 65_000])]);
        let staff = Staff::sign_in(&bench.app).await;
        let page = staff.page("/attention").await;
        assert!(page.contains("data-attention=\"unclear\"") && page.contains("읽을 수 없는 결제"), "{page}");
        assert!(staff.page("/orders?attention=1").await.contains("/orders/ODD"));

        bench.look_later().await;
        assert_eq!(bench.app.read_order("ODD").await["status"], "paid");
        assert_eq!(listed(&bench).await, Vec::<Value>::new(), "it was read since");

        bench.proxy.arm(Call::Payment, Fault::UnknownStatus);
        bench.app.complete(&format!("imp_uid={imp_uid}&merchant_uid=ODD")).await;
        bench.proxy.disarm();
        assert_eq!(listed(&bench).await, Vec::<Value>::new(), "ten minutes begin anew");
        bench.clock.push(MINUTE * 10);
        assert_eq!(listed(&bench).await.len(), 1);
    }

    async fn a_payment_whose_record_cannot_be_read(db: TestDatabase) {
        let bench = Bench::start(&db, Portone::V1).await;
        let imp_uid = comes_back(&bench, "TEXT", Fault::AmountAsText).await;
        bench.clock.push(MINUTE * 10);
        assert_eq!(listed(&bench).await, [json!(["unclear", "TEXT", imp_uid, null])]);

        let path = format!("/api/v1/attention/unclear/{imp_uid}/settle");
        let note = json!({ "note": "looked at in PortOne's console" });
        assert_eq!(bench.app.api(Method::POST, &path, Some(note)).await.status, StatusCode::NO_CONTENT);
        assert_eq!(listed(&bench).await, Vec::<Value>::new());
    }

    async fn a_stranger_makes_few_of_them(db: TestDatabase) {
        let bench = Bench::start(&db, Portone::V1).await;
        bench.app.order("ORD-1").await;
        bench.proxy.arm(Call::Payment, Fault::Html);
        for number in 0..25 {
            bench.app.complete(&format!("imp_uid=imp_{number}&merchant_uid=ORD-1")).await;
            // So long that asks of strangers are not counted together.
            bench.clock.push(MINUTE);
        }
        assert_eq!(bench.proxy.hits(), 25, "PortOne was asked for each");
        bench.clock.push(MINUTE * 10);
        assert_eq!(listed(&bench).await.len(), 20);

        bench.proxy.disarm();
        bench.look_later().await;
        assert_eq!(listed(&bench).await, Vec::<Value>::new(), "PortOne told all there is of the order");
    }

    async fn silence_is_no_answer_that_cannot_be_read(db: TestDatabase) {
        let bench = Bench::start(&db, Portone::V1).await;
        for (number, fault) in [Fault::Unavailable, Fault::ResetInBody, Fault::NoAnswer].into_iter().enumerate() {
            comes_back(&bench, &format!("SILENT-{number}"), fault).await;
        }
        bench.clock.push(MINUTE * 60);
        assert_eq!(listed(&bench).await, Vec::<Value>::new());
    }
}
