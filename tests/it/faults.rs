//! Every way in which PortOne's answer can go wrong × every call × everybody who asks: 34 × 6 × 4 cases.
//!
//! In each case the buyer has really paid. While the fault lasts nobody is told "failed", and "paid" only where the answer,
//! odd as it came, says so; when it is over, the order ends as PortOne has it, with one event. A case whose asker never
//! makes the call is run all the same: then nothing may change at all.
//!
//! The faults are PortOne's, so one database is enough here.

mod proxy;
mod unclear;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use wanryo::service::{reconciliation, refunds};

use crate::app::TestApp;
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, with_sqlite};
use proxy::{Call, Fault, FaultProxy};

/// How long the app waits for PortOne here. Long enough for a busy machine to answer a call that has no fault.
const PORTONE_TIMEOUT: Duration = Duration::from_millis(700);
/// Time that passes between the end of a fault and the next look: beyond every pause that a failure causes.
const LATER: Duration = Duration::from_secs(2 * 60 * 60);
/// Rows taken in one step of the worker.
const BATCH: u32 = 50;
/// Rounds after which the worker must have nothing left that is due.
const ROUNDS_MAX: usize = 100;

/// Who asks PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Redirect,
    Webhook,
    Reconciler,
    Merchant,
}

impl Asker {
    const ALL: [Self; 4] = [
        Self::Redirect,
        Self::Webhook,
        Self::Reconciler,
        Self::Merchant,
    ];
}

struct Bench {
    database: TestDatabase,
    app: TestApp,
    clock: Arc<Ahead>,
    proxy: FaultProxy,
}

impl Bench {
    async fn start(database: &TestDatabase) -> Self {
        let sandbox = TestApp::new_sandbox().await;
        let proxy = FaultProxy::start(sandbox.url().clone()).await;
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(
            database,
            sandbox,
            |settings| {
                settings.portone_timeout = PORTONE_TIMEOUT;
                if let Some(v1) = &mut settings.v1 {
                    v1.api_url = proxy.url.clone();
                }
            },
            Arc::clone(&clock) as _,
        )
        .await;
        Self {
            database: database.clone(),
            app,
            clock,
            proxy,
        }
    }

    /// One case. Returns what is wrong with it.
    async fn case(&self, fault: Fault, call: Call, asker: Asker) -> Result<(), String> {
        let id = format!("{fault:?}-{call:?}-{asker:?}");
        let id = &id[id.len().saturating_sub(40)..];
        if call == Call::Cancel {
            return self.refund_case(id, fault, asker).await;
        }
        if call == Call::Prepare {
            self.proxy.arm(call, fault);
        }
        self.app.order(id).await;
        let imp_uid = self.app.pay(id, json!({}));
        self.proxy.arm(call, fault);

        let said = self.ask(asker, call, id, &imp_uid).await;
        let order = self.app.read_order(id).await;
        let hits = self.proxy.hits();
        let telling = hits == 0 || tells_the_truth(fault, call);
        let (word, status) = match (telling, call) {
            (true, _) => ("paid", "paid"),
            // Nothing of the order is known, and what is known of it is unfinished.
            (false, Call::FindAll) if fault == Fault::NotFound => ("pending", "open"),
            (false, Call::FindAll) if fault == Fault::OtherIds => ("pending", "open"),
            (false, Call::FindAll | Call::Payment) if fault == Fault::UnknownStatus => {
                ("pending", "open")
            }
            (false, _) => ("unconfirmed", "open"),
        };
        if said.as_ref().is_some_and(|said| said != word) || order["status"] != status {
            return Err(format!(
                "a page said {said:?} and the order is {} after {hits} faults",
                order["status"]
            ));
        }
        if must_hit(call, asker) && hits == 0 {
            return Err("the call was not made".to_owned());
        }

        self.proxy.disarm();
        self.look_later().await;
        let order = self.app.read_order(id).await;
        if order["status"] != "paid" || order["transaction_id"] != imp_uid.as_str() {
            return Err(format!("it ended as {order}"));
        }
        let told = self.app.told(id).await;
        if told.iter().filter(|event| **event == "order.paid").count() != 1 {
            return Err(format!("the shop was told {told:?}"));
        }
        if self.proxy.redirected() > 0
            || self.app.sandbox.payment(&imp_uid).unwrap()["cancel_amount"] != 0
        {
            return Err("a redirect was followed, or money was given back".to_owned());
        }
        Ok(())
    }

    /// A refund whose answer has the fault: half of them reach PortOne, half do not. Either way the money is given back at most
    /// once, and everybody ends up knowing which it was.
    async fn refund_case(&self, id: &str, fault: Fault, asker: Asker) -> Result<(), String> {
        self.app.order(id).await;
        let imp_uid = self.app.pay(id, json!({}));
        self.ask(Asker::Merchant, Call::FindAll, id, &imp_uid).await;
        // By its own word PortOne did nothing then, so the call may be made again.
        let repeats = matches!(
            fault,
            Fault::BadRequest | Fault::Unauthorized | Fault::Forbidden | Fault::TooManyRequests
        );
        let reaches = !repeats && matches!(asker, Asker::Redirect | Asker::Webhook);
        if reaches {
            self.proxy.arm(Call::Cancel, fault);
        } else {
            self.proxy.arm_withholding(Call::Cancel, fault);
        }
        let cancels_before = self.app.sandbox.calls("cancel");

        let asked = self
            .app
            .client
            .post(self.app.url(&format!("/api/v1/orders/{id}/refunds")))
            .bearer_auth(self.app.key())
            .header("idempotency-key", id)
            .json(&json!({ "reason": "변심" }));
        let asked = self.app.send(asked).await;
        if asked.status != StatusCode::CREATED {
            return Err(format!("the refund was not taken: {}", asked.text));
        }
        let said = self.ask(asker, Call::Cancel, id, &imp_uid).await;
        if !matches!(said.as_deref(), None | Some("paid" | "refunded")) {
            return Err(format!("a page said {said:?}"));
        }
        if self.proxy.hits() == 0 {
            return Err("the call was not made".to_owned());
        }
        self.proxy.disarm();
        self.look_later().await;
        self.look_later().await;

        let given_back = self.app.sandbox.payment(&imp_uid).unwrap()["cancel_amount"] == 65_000;
        let order = self.app.read_order(id).await;
        let told = self.app.told(id).await;
        let refunds = self
            .app
            .api(Method::GET, &format!("/api/v1/orders/{id}/refunds"), None)
            .await
            .text;
        let expected = if repeats {
            refunds.contains("\"state\":\"done\"")
        } else {
            reaches
        };
        if given_back != expected || self.app.sandbox.calls("cancel") - cancels_before > 1 {
            return Err(format!("PortOne gave back: {given_back}; {refunds}"));
        }
        let (status, events) = if given_back {
            ("refunded", 1)
        } else {
            ("paid", 0)
        };
        let told = told
            .iter()
            .filter(|event| **event == "order.refunded")
            .count();
        if order["status"] != status || told != events {
            return Err(format!(
                "the order is {}, told {told}: {refunds}",
                order["status"]
            ));
        }
        if refunds.contains("in_doubt") || refunds.contains("\"calling\"") {
            return Err(format!("nobody knows what became of it: {refunds}"));
        }
        Ok(())
    }

    /// Nobody asks about the orders of a case that is over: the next one's fault is for its own order alone.
    async fn put_aside(&self) {
        self.database
            .run("UPDATE orders SET next_check_at = NULL")
            .await;
    }

    /// Lets one of the four ask; what a page said, when there was one.
    async fn ask(&self, asker: Asker, call: Call, id: &str, imp_uid: &str) -> Option<String> {
        match asker {
            Asker::Redirect => {
                let ids = match call {
                    // With a transaction's id in hand PortOne is not asked for the others.
                    Call::FindAll => format!("merchant_uid={id}"),
                    _ => format!("imp_uid={imp_uid}&merchant_uid={id}"),
                };
                let answer = self.app.complete(&format!("{ids}&imp_success=true")).await;
                assert!(answer.status.as_u16() < 500, "{}", answer.text);
                Some(answer.outcome())
            }
            Asker::Webhook => {
                let answer = self.app.webhook(imp_uid, id, "paid").await;
                assert_eq!(answer.status, StatusCode::OK);
                None
            }
            Asker::Reconciler => {
                self.look_later().await;
                None
            }
            Asker::Merchant => {
                let path = format!("/api/v1/orders/{id}/sync");
                let answer = self.app.api(Method::POST, &path, None).await;
                assert!(
                    answer.status.as_u16() < 500 || answer.status == 503,
                    "{}",
                    answer.text
                );
                None
            }
        }
    }

    /// Time passes, and the worker does what is due.
    async fn look_later(&self) {
        self.clock.push(LATER);
        for _ in 0..ROUNDS_MAX {
            let core = &self.app.running.core;
            let webhooks = wanryo::service::inbox::work_off_due(core, BATCH)
                .await
                .unwrap();
            let orders = reconciliation::reconcile_due(core, BATCH).await.unwrap();
            let refunds = refunds::work_off_due(core, BATCH).await.unwrap();
            if webhooks + orders + refunds == 0 {
                return;
            }
        }
        panic!("the worker is not done after {ROUNDS_MAX} rounds");
    }
}

/// Whether an asker makes a call at all, when an order has just been paid.
fn must_hit(call: Call, asker: Asker) -> bool {
    match (call, asker) {
        (Call::Token, _) => true,
        (Call::Payment, Asker::Redirect | Asker::Webhook) => true,
        (Call::Payment, Asker::Reconciler | Asker::Merchant) => false,
        (Call::FindAll, Asker::Redirect | Asker::Reconciler | Asker::Merchant) => true,
        (Call::FindAll, Asker::Webhook) => false,
        (Call::Prepare | Call::List | Call::Cancel, _) => false,
    }
}

/// Whether the answer still says what PortOne said, or is not needed to know.
fn tells_the_truth(fault: Fault, call: Call) -> bool {
    match call {
        Call::Prepare | Call::List | Call::Cancel => true,
        Call::Token => fault.spares_tokens(),
        // What one call does not know, the order's other attempts tell.
        Call::Payment => fault == Fault::NotFound,
        Call::FindAll => false,
    }
}

async fn run(faults: &'static [Fault]) {
    for fault in faults.iter().copied() {
        with_sqlite(async move |database| {
            let bench = Bench::start(&database).await;
            let mut wrong = Vec::new();
            for call in Call::ALL {
                for asker in Asker::ALL {
                    if let Err(why) = bench.case(fault, call, asker).await {
                        wrong.push(format!("{fault:?} × {call:?} × {asker:?}: {why}"));
                    }
                    bench.put_aside().await;
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        })
        .await;
    }
}

/// Four tests of the one table, so that the cores share it.
macro_rules! quarters {
    ($($name:ident: $from:literal..$to:literal),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            run(&Fault::ALL[$from..$to]).await;
        }
    )+};
}

quarters! {
    a_connection_that_breaks_or_stalls: 0..9,
    a_status_that_is_no_answer: 9..18,
    an_answer_that_is_not_the_apis: 18..26,
    an_answer_that_is_not_json_or_not_the_payments: 26..34,
}
