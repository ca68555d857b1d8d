//! Every order in which five messages about one payment can come, for each state in which PortOne can have it: 120 × 6 stories,
//! every one with the same end.
//!
//! PortOne has a bare attempt when the first two messages come, and the payment as it ends from then on: whichever message comes
//! third finds it out, and none of the others undoes it or says it again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use wanryo::domain::ids::PaymentId;
use wanryo::service::reconciliation;

use crate::app::TestApp;
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, on_both_databases};

/// Long enough for whatever is counted by the minute.
const BETWEEN_STORIES: Duration = Duration::from_secs(120);
/// Messages that come before PortOne has the payment as it ends.
const BEFORE: usize = 2;

/// What tells of a payment, or makes us ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Redirect,
    Webhook,
    /// The same once more.
    WebhookAgain,
    Reconciler,
    /// A result page looks again.
    Poll,
}

const MESSAGES: [Message; 5] = [
    Message::Redirect,
    Message::Webhook,
    Message::WebhookAgain,
    Message::Reconciler,
    Message::Poll,
];

/// How PortOne has the payment in the end, how the order ends by it, and what the shop is told.
struct Ending {
    name: &'static str,
    payment: Value,
    status: &'static str,
    told: &'static [&'static str],
}

fn endings() -> [Ending; 6] {
    let ending = |name, payment, status, told| Ending {
        name,
        payment,
        status,
        told,
    };
    let account = json!({ "status": "ready", "pay_method": "vbank", "vbank_num": "56001", "vbank_name": "신한은행" });
    [
        ending("ready", json!({ "status": "ready" }), "open", &[]),
        ending(
            "account",
            account,
            "awaiting_deposit",
            &["order.virtual_account_issued"],
        ),
        ending(
            "failed",
            json!({ "status": "failed" }),
            "open",
            &["order.payment_failed"],
        ),
        ending("paid", json!({ "status": "paid" }), "paid", &["order.paid"]),
        ending(
            "part",
            json!({ "status": "cancelled", "cancel_amount": 15_000 }),
            "partially_refunded",
            &["order.paid", "order.partially_refunded"],
        ),
        ending(
            "whole",
            json!({ "status": "cancelled", "cancel_amount": 65_000 }),
            "refunded",
            &["order.refunded"],
        ),
    ]
}

/// Every order of so many things.
fn permutations(of: usize) -> Vec<Vec<usize>> {
    let Some(last) = of.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let shorter = permutations(last).into_iter();
    let with_last = |one: Vec<usize>| {
        (0..of).map(move |at| {
            let mut longer = one.clone();
            longer.insert(at, last);
            longer
        })
    };
    shorter.flat_map(with_last).collect()
}

async fn happen(app: &TestApp, message: Message, id: &str, imp_uid: &str) {
    let ids = format!("imp_uid={imp_uid}&merchant_uid={id}");
    match message {
        Message::Redirect => {
            let answer = app.complete(&format!("{ids}&imp_success=true")).await;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
        Message::Poll => {
            let answer = app.complete(&format!("{ids}&again=1")).await;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
        Message::Webhook | Message::WebhookAgain => {
            let answer = app.webhook(imp_uid, id, "paid").await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        Message::Reconciler => {
            let core = &app.running.core;
            let order = core.orders.find_order(&PaymentId::parse(id).unwrap()).await;
            let version = order.unwrap().unwrap().order.version;
            let (id, now) = (PaymentId::parse(id).unwrap(), core.clock.now());
            let due = core.orders.schedule_check(&id, version, Some(now), 0).await;
            due.unwrap();
            assert_eq!(reconciliation::reconcile_due(core, 1).await.unwrap(), 1);
        }
    }
    app.running.core.tasks.close();
    app.running.core.tasks.wait().await;
}

async fn story(app: &TestApp, ending: &Ending, id: &str, order: &[usize]) -> Result<(), String> {
    app.order(id).await;
    let imp_uid = app.pay(id, json!({ "status": "ready" }));
    for (number, message) in order.iter().map(|at| MESSAGES[*at]).enumerate() {
        if number == BEFORE {
            let change = app.sandbox.patch_payment(&imp_uid, ending.payment.clone());
            change.unwrap();
        }
        happen(app, message, id, &imp_uid).await;
    }
    let stored = app.read_order(id).await;
    let told = app.told(id).await;
    if stored["status"] == ending.status && told == ending.told {
        return Ok(());
    }
    let order: Vec<_> = order.iter().map(|at| MESSAGES[*at]).collect();
    let name = ending.name;
    Err(format!("{name} × {order:?}: {} {told:?}", stored["status"]))
}

async fn all_stories(db: &TestDatabase, of: usize) {
    let sandbox = TestApp::new_sandbox().await;
    let clock = Arc::new(Ahead::default());
    let app = TestApp::start_at(db, sandbox, |_| {}, Arc::clone(&clock) as _).await;
    let ending = &endings()[of];
    let (mut wrong, mut stories) = (Vec::new(), 0);
    for order in permutations(MESSAGES.len()) {
        let id = format!("{}-{stories}", ending.name);
        wrong.extend(story(&app, ending, &id, &order).await.err());
        // The next story's reconciler is to take its own order.
        db.run("UPDATE orders SET next_check_at = NULL").await;
        clock.push(BETWEEN_STORIES);
        stories += 1;
    }
    assert_eq!(stories, 120);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

on_both_databases! {
    async fn of_a_bare_attempt(db: TestDatabase) {
        all_stories(&db, 0).await;
    }

    async fn of_an_issued_account(db: TestDatabase) {
        all_stories(&db, 1).await;
    }

    async fn of_an_attempt_that_failed(db: TestDatabase) {
        all_stories(&db, 2).await;
    }

    async fn of_a_payment(db: TestDatabase) {
        all_stories(&db, 3).await;
    }

    async fn of_a_payment_given_back_in_part(db: TestDatabase) {
        all_stories(&db, 4).await;
    }

    async fn of_a_payment_given_back(db: TestDatabase) {
        all_stories(&db, 5).await;
    }
}
