//! Every way in which PortOne's answer can go wrong × every call × everybody who asks, at both generations: 34 × 6 × 4 × 2 cases.
//!
//! In each case the buyer has really paid. While the fault lasts nobody is told "failed", and "paid" only where the answer,
//! odd as it came, says so; when it is over, the order ends as PortOne has it, with one event. Each case sets up the situation
//! in which its asker makes the call: an attempt that failed before the one that paid, an account that waits for its deposit,
//! money that is asked back, a payment that the sweep alone can find. [`never_makes`] names the few that never make it; there
//! the fault is on its way, somebody else meets it where somebody makes the call at all, and the asker must not.
//!
//! A PortOne that cannot be reached has no calls: see [`unreachable`].
//!
//! The faults are PortOne's, so one database is enough here.

mod proxy;
mod unclear;
mod unreachable;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portone_sandbox::Sandbox;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;
use wanryo::domain::order::Portone;
use wanryo::service::sweep::{self, Step};
use wanryo::service::{reconciliation, refunds};

use crate::app::{Answer, TestApp};
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, with_sqlite};
use proxy::{Call, Fault, FaultProxy, OTHER};

/// How long the app waits for PortOne here. Long enough for a busy machine to answer a call that has no fault.
const PORTONE_TIMEOUT: Duration = Duration::from_millis(700);
/// Time that passes between the end of a fault and the next look: beyond every pause that a failure causes.
const LATER: Duration = Duration::from_secs(2 * 60 * 60);
/// Beyond the time from one sweep to the next.
const A_DAY: Duration = Duration::from_secs(26 * 60 * 60);
/// The sweep's longest pause while PortOne does not tell it a list.
const SWEEP_PAUSE: Duration = Duration::from_secs(60 * 60);
/// Rows taken in one step of the worker.
const BATCH: u32 = 50;
/// Rounds after which the worker must have nothing left that is due.
const ROUNDS_MAX: usize = 100;
/// Steps after which a sweep must have ended, with all its pauses.
const STEPS_MAX: usize = 500;

/// Who asks PortOne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Redirect,
    Webhook,
    /// The worker, which looks by itself: at orders, at refunds, and at PortOne's lists.
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

/// The combinations in which the asker makes no such call, whatever state its order is in: no fault can be met there.
fn never_makes(portone: Portone, call: Call, asker: Asker) -> bool {
    let is_visit = matches!(asker, Asker::Redirect | Asker::Webhook);
    match (portone, call) {
        // Each call of V2 carries the API secret: nobody logs in.
        (Portone::V2, Call::Token) => true,
        // The sweep alone reads lists. It meets the fault beside the other askers.
        (_, Call::List) => asker != Asker::Reconciler,
        // The shop that makes an order registers its amount, and the worker does so as long as it is not registered. The order of
        // the case was made during the fault.
        (_, Call::Prepare) => is_visit,
        // Money goes back by the shop's word, and by the worker when the first call was not made. It goes back beside the visit.
        (_, Call::Cancel) => is_visit,
        (Portone::V1, Call::Token) | (_, Call::Payment | Call::Attempts) => false,
    }
}

struct Bench {
    portone: Portone,
    database: TestDatabase,
    app: TestApp,
    clock: Arc<Ahead>,
    proxy: FaultProxy,
}

impl Bench {
    /// A shop of one generation, with the proxy in front of PortOne.
    async fn start(database: &TestDatabase, portone: Portone) -> Self {
        Self::start_at(database, portone, None).await
    }

    /// A shop that looks for PortOne at this address, and otherwise at the proxy's.
    async fn start_at(database: &TestDatabase, portone: Portone, api_url: Option<&Url>) -> Self {
        let sandbox = TestApp::new_sandbox().await;
        let proxy = FaultProxy::start(sandbox.url().clone(), portone).await;
        let clock = Arc::new(Ahead::default());
        let api_url = api_url.unwrap_or(&proxy.url);
        let app = start(database, sandbox, portone, api_url, &clock).await;
        let bench = Self {
            portone,
            database: database.clone(),
            app,
            clock,
            proxy,
        };
        assert_eq!(bench.sweep_step().await, Step::Idle, "it is only planned");
        bench
    }

    /// The same shop, when PortOne is where it should be again.
    async fn reach_portone(self) -> Self {
        self.app.running.stop().await;
        let sandbox = Arc::clone(&self.app.sandbox);
        let (database, portone) = (&self.database, self.portone);
        let app = start(database, sandbox, portone, &self.proxy.url, &self.clock).await;
        Self { app, ..self }
    }

    /// One case. Returns what is wrong with it.
    async fn case(&self, fault: Fault, call: Call, asker: Asker) -> Result<(), String> {
        let id = format!("{fault:?}-{call:?}-{asker:?}");
        let id = &id[id.len().saturating_sub(40)..];
        match (self.portone, call, asker) {
            (_, Call::List, _) => self.list_case(id, fault, asker).await,
            (_, Call::Cancel, _) => self.refund_case(id, fault, asker).await,
            (Portone::V1, Call::Payment, Asker::Reconciler) => self.drift_case(id, fault).await,
            (Portone::V1, Call::Payment, Asker::Merchant) => self.balance_case(id, fault).await,
            (Portone::V2, Call::Attempts, Asker::Reconciler | Asker::Merchant) => {
                self.deposit_case(id, fault, asker).await
            }
            _ => self.payment_case(id, fault, call, asker).await,
        }
    }

    /// Somebody asks about an order that has just been paid.
    async fn payment_case(
        &self,
        id: &str,
        fault: Fault,
        call: Call,
        asker: Asker,
    ) -> Result<(), String> {
        if call == Call::Prepare {
            self.proxy.arm(call, fault);
        }
        self.order(id).await;
        let in_making = self.proxy.hits();
        if call == Call::Prepare && in_making == 0 {
            return Err("no amount was registered".to_owned());
        }
        // Who comes with an attempt that failed is told by the others.
        let with_another = matches!(
            (self.portone, call, asker),
            (Portone::V1, Call::Attempts, Asker::Webhook)
                | (
                    Portone::V2,
                    Call::Attempts,
                    Asker::Redirect | Asker::Webhook
                )
        );
        let failed = if with_another {
            Some(self.attempt(id, "failed").await)
        } else {
            None
        };
        let paid = self.attempt(id, "paid").await;
        self.proxy.arm(call, fault);

        let brought = match (self.portone, call) {
            // V1 is asked for the others by whoever has no transaction's id in hand.
            (Portone::V1, Call::Attempts) => failed.as_deref(),
            _ => Some(failed.as_deref().unwrap_or(&paid)),
        };
        let status = if with_another { "failed" } else { "paid" };
        let said = self.ask(asker, id, brought, status).await;
        let order = self.app.read_order(id).await;
        let hits = self.proxy.hits();
        let must_hit = !never_makes(self.portone, call, asker)
            && match (call, asker) {
                // The order was made by the shop, and needs no more registering when the answer said so.
                (Call::Prepare, Asker::Merchant) => false,
                (Call::Prepare, _) => !fault.spares(self.portone, call),
                _ => true,
            };
        if must_hit && hits == 0 {
            return Err("the call was not made".to_owned());
        }
        if never_makes(self.portone, call, asker) && hits > 0 {
            return Err("it makes the call after all".to_owned());
        }
        let (word, status) = if tells_the_truth(self.portone, fault, call, hits) {
            ("paid", "paid")
        } else {
            (word_for(self.portone, fault, call), "open")
        };
        if said.as_ref().is_some_and(|said| said != word) || order["status"] != status {
            return Err(format!(
                "a page said {said:?} and the order is {} after {hits} faults",
                order["status"]
            ));
        }

        self.proxy.disarm();
        self.look_later().await;
        // A token that was on its way when the fault ended has come with the fault.
        self.look_later().await;
        self.is_paid_once(id, &paid).await
    }

    /// The order ends as PortOne has it, and the shop hears of it once.
    async fn is_paid_once(&self, id: &str, transaction_id: &str) -> Result<(), String> {
        let order = self.app.read_order(id).await;
        if order["status"] != "paid" || order["transaction_id"] != transaction_id {
            return Err(format!("it ended as {order}"));
        }
        let told = self.app.told(id).await;
        if told.iter().filter(|event| **event == "order.paid").count() != 1 {
            return Err(format!("the shop was told {told:?}"));
        }
        if self.proxy.redirected() > 0 || self.given_back(id, transaction_id).await != 0 {
            return Err("a redirect was followed, or money was given back".to_owned());
        }
        Ok(())
    }

    /// V2 shows one attempt of a payment, and the account that waits for its deposit is another.
    async fn deposit_case(&self, id: &str, fault: Fault, asker: Asker) -> Result<(), String> {
        self.order(id).await;
        let account = json!({ "type": "PaymentMethodVirtualAccount", "bank": "KOOKMIN", "accountNumber": "123-456", "expiredAt": "2100-01-01T00:00:00Z" });
        let issued = json!({ "status": "VIRTUAL_ACCOUNT_ISSUED", "method": account });
        let waits = self.app.pay_v2(id, issued).await;
        let said = self.ask(Asker::Redirect, id, Some(&waits), "paid").await;
        if said.as_deref() != Some("virtual_account_issued") {
            return Err(format!("before the fault a page said {said:?}"));
        }
        self.attempt(id, "ready").await;
        self.proxy.arm(Call::Attempts, fault);

        self.make_due(id).await;
        self.ask(asker, id, None, "ready").await;
        let order = self.app.read_order(id).await;
        if self.proxy.hits() == 0 {
            return Err("the call was not made".to_owned());
        }
        if order["status"] != "awaiting_deposit" {
            return Err(format!("nobody waits for the deposit any more: {order}"));
        }

        self.proxy.disarm();
        let paid = json!({ "status": "PAID" });
        self.app.control_v2(Method::PATCH, &[&waits], paid).await;
        self.make_due(id).await;
        self.look_later().await;
        self.is_paid_once(id, &waits).await
    }

    /// Redirect and webhook are lost, and the sweep asks for the one payment that it found in V1's list.
    async fn drift_case(&self, id: &str, fault: Fault) -> Result<(), String> {
        self.order(id).await;
        let paid = self.attempt(id, "paid").await;
        self.put_aside().await;
        self.clock.push(A_DAY);
        self.proxy.arm(Call::Payment, fault);

        let step = self.sweep_to_the_fault().await;
        if step != Step::Going || self.proxy.hits() == 0 {
            return Err(format!("the call was not made: {step:?}"));
        }
        // A status that this version does not know is an answer, and the order is asked about again by itself.
        let is_answered = matches!(fault, Fault::NotFound | Fault::UnknownStatus);
        if !is_answered && self.sweep_step().await != Step::Idle {
            return Err("the sweep does not rest".to_owned());
        }
        let hits = self.proxy.hits();
        let truth = tells_the_truth(self.portone, fault, Call::Payment, hits);
        let status = if truth { "paid" } else { "open" };
        let order = self.app.read_order(id).await;
        if order["status"] != status {
            return Err(format!("the order is {}", order["status"]));
        }

        self.proxy.disarm();
        self.clock.push(LATER);
        if !self.finish_sweep().await? {
            return Err("the sweep left something out".to_owned());
        }
        self.look_later().await;
        self.is_paid_once(id, &paid).await
    }

    /// The shop wants to give back what V1 is asked for before: what is left of the payment.
    async fn balance_case(&self, id: &str, fault: Fault) -> Result<(), String> {
        self.order(id).await;
        let paid = self.attempt(id, "paid").await;
        self.ask(Asker::Merchant, id, None, "paid").await;
        self.proxy.arm(Call::Payment, fault);

        let asked = self.ask_for_refund(id).await;
        if self.proxy.hits() == 0 {
            return Err("the call was not made".to_owned());
        }
        // Of a payment in a status that nobody knows nothing can be given back.
        let refused = match fault {
            Fault::UnknownStatus => asked.status.is_client_error(),
            _ => asked.status == StatusCode::SERVICE_UNAVAILABLE,
        };
        let refunds = self.refunds(id).await;
        if !refused || refunds.contains("\"state\"") {
            return Err(format!("{} {}; {refunds}", asked.status, asked.text));
        }
        let page = format!("merchant_uid={id}&imp_uid={paid}");
        let said = self.app.complete(&page).await.outcome();
        if said != "paid" {
            return Err(format!("a page said {said}"));
        }
        self.is_paid_once(id, &paid).await?;

        self.proxy.disarm();
        let asked = self.ask_for_refund(id).await;
        self.look_later().await;
        let told = self.app.told(id).await;
        let told = told
            .iter()
            .filter(|event| **event == "order.refunded")
            .count();
        if asked.status != StatusCode::CREATED
            || self.given_back(id, &paid).await != 65_000
            || told != 1
        {
            return Err(format!("afterwards {} {}", asked.status, asked.text));
        }
        Ok(())
    }

    /// PortOne's lists have the fault. The sweep stops where it stands, or goes on and counts as one that left something out;
    /// what it found on other days stays, and once it is told everything it finds what is there.
    async fn list_case(&self, id: &str, fault: Fault, asker: Asker) -> Result<(), String> {
        self.order(id).await;
        let paid = self.attempt(id, "paid").await;
        self.put_aside().await;
        let orphan = format!("ORPHAN-{asker:?}");
        self.attempt(&orphan, "paid").await;
        let known = self.orphans().await;
        self.clock.push(A_DAY);
        self.proxy.arm(Call::List, fault);

        // A list, and payments in it that cannot be read, or are others.
        let is_list = matches!(
            fault,
            Fault::AmountAsText | Fault::UnknownStatus | Fault::OtherIds
        );
        let step = self.sweep_to_the_fault().await;
        let hits = self.proxy.hits();
        if step != Step::Going || hits == 0 {
            return Err(format!("no list was asked for: {step:?}"));
        }
        if !is_list && self.sweep_step().await != Step::Idle {
            return Err("the sweep does not rest".to_owned());
        }
        if asker == Asker::Reconciler {
            self.outlasts_the_sweep(id, fault, &known).await?;
        } else {
            let said = self.ask(asker, id, Some(&paid), "paid").await;
            if said.is_some_and(|said| said != "paid") {
                return Err("a page did not say paid".to_owned());
            }
            if self.proxy.hits() != hits {
                return Err("it makes the call after all".to_owned());
            }
            self.is_paid_once(id, &paid).await?;
        }

        self.proxy.disarm();
        self.clock.push(LATER);
        let begins_anew = asker == Asker::Reconciler || is_list;
        if asker != Asker::Reconciler {
            // What is no list is asked for again by the same sweep; what was one has been read.
            let whole = self.finish_sweep().await?;
            if whole != (!is_list || fault == Fault::OtherIds) {
                return Err(format!("all was told: {whole}"));
            }
        }
        if begins_anew {
            self.clock.push(A_DAY);
            if !self.finish_sweep().await? {
                return Err("the sweep of the next day left something out".to_owned());
            }
        }
        let found = self.orphans().await;
        if !found.contains(&orphan) || !found.is_superset(&known) || found.contains(OTHER) {
            return Err(format!("found {found:?} beside {known:?}"));
        }
        self.is_paid_once(id, &paid).await
    }

    /// The sweep comes to its end without having been told its lists.
    async fn outlasts_the_sweep(
        &self,
        id: &str,
        fault: Fault,
        known: &BTreeSet<String>,
    ) -> Result<(), String> {
        let whole = self.finish_sweep().await?;
        let (order, found) = (self.app.read_order(id).await, self.orphans().await);
        if order["status"] != "open" {
            return Err(format!("the order is {}", order["status"]));
        }
        // Of everybody's payments PortOne may say what it likes: those are the ones that it has, then.
        if fault == Fault::OtherIds {
            return if found == BTreeSet::from([OTHER.to_owned()]) {
                Ok(())
            } else {
                Err(format!("found {found:?}"))
            };
        }
        if whole || &found != known {
            return Err(format!("all was told: {whole}; {found:?} of {known:?}"));
        }
        Ok(())
    }

    /// A refund whose answer has the fault: half of them reach PortOne, half do not. Either way the money is given back at most
    /// once, and everybody ends up knowing which it was.
    async fn refund_case(&self, id: &str, fault: Fault, asker: Asker) -> Result<(), String> {
        self.order(id).await;
        let paid = self.attempt(id, "paid").await;
        self.ask(Asker::Merchant, id, None, "paid").await;
        // By its own word PortOne did nothing then, so the call may be made again, unless the word is final.
        let says_no = matches!(
            fault,
            Fault::BadRequest | Fault::Unauthorized | Fault::Forbidden | Fault::TooManyRequests
        );
        let is_final =
            self.portone == Portone::V2 && matches!(fault, Fault::BadRequest | Fault::Forbidden);
        let repeats = says_no && !is_final;
        let reaches = !says_no && matches!(asker, Asker::Redirect | Asker::Webhook);
        if asker == Asker::Reconciler {
            // The shop's call was not made, so it is the worker's.
            self.proxy
                .arm_withholding(Call::Cancel, Fault::TooManyRequests);
        } else if reaches {
            self.proxy.arm(Call::Cancel, fault);
        } else {
            self.proxy.arm_withholding(Call::Cancel, fault);
        }
        let cancels_before = self.cancels();

        let asked = self.ask_for_refund(id).await;
        if asked.status != StatusCode::CREATED {
            return Err(format!("the refund was not taken: {}", asked.text));
        }
        if self.proxy.hits() == 0 {
            return Err("the call was not made".to_owned());
        }
        if asker == Asker::Reconciler {
            self.proxy.arm_withholding(Call::Cancel, fault);
        }
        let hits = self.proxy.hits();
        let said = self.ask(asker, id, Some(&paid), "paid").await;
        if !matches!(said.as_deref(), None | Some("paid" | "refunded")) {
            return Err(format!("a page said {said:?}"));
        }
        if never_makes(self.portone, Call::Cancel, asker) && self.proxy.hits() != hits {
            return Err("it makes the call after all".to_owned());
        }
        if self.proxy.hits() == 0 {
            return Err("the call was not made".to_owned());
        }
        self.proxy.disarm();
        self.look_later().await;
        self.look_later().await;

        let given_back = self.given_back(id, &paid).await == 65_000;
        let order = self.app.read_order(id).await;
        let told = self.app.told(id).await;
        let refunds = self.refunds(id).await;
        let expected = if repeats {
            refunds.contains("\"state\":\"done\"")
        } else {
            reaches
        };
        if given_back != expected || self.cancels() - cancels_before > 1 {
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

    async fn order(&self, id: &str) {
        match self.portone {
            Portone::V1 => self.app.order(id).await,
            Portone::V2 => self.app.order_v2(id).await,
        };
    }

    /// An attempt to pay at PortOne that sends no message; its id.
    async fn attempt(&self, id: &str, status: &str) -> String {
        match self.portone {
            Portone::V1 => self.app.pay(id, json!({ "status": status })),
            Portone::V2 => {
                let status = status.to_uppercase();
                self.app.pay_v2(id, json!({ "status": status })).await
            }
        }
    }

    /// What PortOne has given back of a payment.
    async fn given_back(&self, id: &str, transaction_id: &str) -> i64 {
        let record = match self.portone {
            Portone::V1 => self.app.sandbox.payment(transaction_id).unwrap(),
            Portone::V2 => self.app.control_v2(Method::GET, &[id], Value::Null).await,
        };
        let given_back = match self.portone {
            Portone::V1 => &record["cancel_amount"],
            Portone::V2 => &record["amount"]["cancelled"],
        };
        given_back.as_i64().unwrap_or_default()
    }

    /// Calls to give money back that reached PortOne.
    fn cancels(&self) -> usize {
        self.app.sandbox.calls(match self.portone {
            Portone::V1 => "cancel",
            Portone::V2 => "v2_cancel",
        })
    }

    async fn ask_for_refund(&self, id: &str) -> Answer {
        self.app
            .refund_named(id, id, json!({ "reason": "변심" }))
            .await
    }

    async fn refunds(&self, id: &str) -> String {
        let path = format!("/api/v1/orders/{id}/refunds");
        self.app.api(Method::GET, &path, None).await.text
    }

    /// The payments that need attention because no order is for them.
    async fn orphans(&self) -> BTreeSet<String> {
        let path = "/api/v1/attention?limit=100";
        let items = self.app.api(Method::GET, path, None).await.json();
        let orphans = items["items"].as_array().unwrap().iter();
        orphans
            .filter(|item| item["kind"] == "orphan")
            .map(|item| item["payment_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Nobody asks about the orders of a case that is over: the next one's fault is for its own order alone.
    async fn put_aside(&self) {
        self.database
            .run("UPDATE orders SET next_check_at = NULL")
            .await;
    }

    /// The order is the next that the worker looks at.
    async fn make_due(&self, id: &str) {
        let sql = format!("UPDATE orders SET next_check_at = 0 WHERE payment_id = '{id}'");
        self.database.run(&sql).await;
    }

    /// Lets one of the four ask; what a page said, when there was one. Who visits brings this transaction, if one, in the state
    /// that it is in.
    async fn ask(
        &self,
        asker: Asker,
        id: &str,
        brought: Option<&str>,
        status: &str,
    ) -> Option<String> {
        match asker {
            Asker::Redirect => {
                let (order, transaction) = match self.portone {
                    Portone::V1 => ("merchant_uid", "imp_uid"),
                    Portone::V2 => ("paymentId", "txId"),
                };
                let mut query = format!("{order}={id}&imp_success=true");
                if let Some(brought) = brought {
                    query.push_str(&format!("&{transaction}={brought}"));
                }
                let answer = self.app.complete(&query).await;
                assert!(answer.status.as_u16() < 500, "{}", answer.text);
                Some(answer.outcome())
            }
            Asker::Webhook => {
                let answer = match (self.portone, brought) {
                    (Portone::V1, brought) => {
                        let brought = brought.expect("a webhook of V1 is about a transaction");
                        self.app.webhook(brought, id, status).await
                    }
                    (Portone::V2, brought) => {
                        let kind = if status == "failed" {
                            "Transaction.Failed"
                        } else {
                            "Transaction.Paid"
                        };
                        let brought = brought.unwrap_or_default();
                        self.app.webhook_v2(id, kind, id, brought).await
                    }
                };
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

    async fn sweep_step(&self) -> Step {
        sweep::step(&self.app.running.core).await.unwrap()
    }

    /// The sweep goes on until it has met the fault: what is not configured takes a step of its own.
    async fn sweep_to_the_fault(&self) -> Step {
        for _ in 0..STEPS_MAX {
            let step = self.sweep_step().await;
            if step != Step::Going || self.proxy.hits() > 0 {
                return step;
            }
        }
        panic!("the sweep is not over after {STEPS_MAX} steps");
    }

    /// The sweep goes to its end, however long its pauses are. Whether it was told everything.
    async fn finish_sweep(&self) -> Result<bool, String> {
        for _ in 0..STEPS_MAX {
            match self.sweep_step().await {
                Step::Going => {}
                Step::Idle => self.clock.push(SWEEP_PAUSE),
                Step::Finished => {
                    let sweep = self.app.running.core.sweep.find_sweep().await.unwrap();
                    let finished = sweep.and_then(|sweep| sweep.finished).unwrap();
                    return Ok(!finished.left_out);
                }
            }
        }
        Err(format!("the sweep is not over after {STEPS_MAX} steps"))
    }
}

/// The app, with one generation of PortOne, at this address.
async fn start(
    database: &TestDatabase,
    sandbox: Arc<Sandbox>,
    portone: Portone,
    api_url: &Url,
    clock: &Arc<Ahead>,
) -> TestApp {
    TestApp::start_at(
        database,
        sandbox,
        |settings| {
            settings.portone_timeout = PORTONE_TIMEOUT;
            match (portone, &mut settings.v1, &mut settings.v2) {
                (Portone::V1, Some(v1), v2) => {
                    v1.api_url = api_url.clone();
                    *v2 = None;
                }
                (Portone::V2, v1, Some(v2)) => {
                    v2.api_url = api_url.join("v2").unwrap();
                    *v1 = None;
                }
                _ => panic!("the tests are set to both generations"),
            }
        },
        Arc::clone(clock) as _,
    )
    .await
}

/// Whether the answer still says what PortOne said, or is not needed to know.
fn tells_the_truth(portone: Portone, fault: Fault, call: Call, hits: usize) -> bool {
    match (portone, call) {
        _ if hits == 0 => true,
        (_, Call::Prepare | Call::List | Call::Cancel) => true,
        (_, Call::Token) => fault.spares(portone, call),
        // What one call does not know, the order's other attempts tell.
        (Portone::V1, Call::Payment) => fault == Fault::NotFound,
        (Portone::V1, Call::Attempts) | (Portone::V2, Call::Payment) => false,
        // The payment itself shows the attempt that paid.
        (Portone::V2, Call::Attempts) => true,
    }
}

/// What a page says while the answer says nothing that is true.
fn word_for(portone: Portone, fault: Fault, call: Call) -> &'static str {
    match (portone, call, fault) {
        // Nothing of the order is known, and what is known of it is unfinished.
        (Portone::V1, Call::Attempts, Fault::NotFound | Fault::OtherIds) => "pending",
        (_, Call::Attempts | Call::Payment, Fault::UnknownStatus) => "pending",
        // After its grace a payment that PortOne does not know is none, for whoever brings its id.
        (Portone::V2, Call::Payment, Fault::NotFound) => "not_found",
        _ => "unconfirmed",
    }
}

async fn run(portone: Portone, faults: &'static [Fault]) {
    for fault in faults.iter().copied() {
        with_sqlite(async move |database| {
            let bench = Bench::start(&database, portone).await;
            let mut wrong = Vec::new();
            for call in Call::ALL {
                for asker in Asker::ALL {
                    if let Err(why) = bench.case(fault, call, asker).await {
                        wrong.push(format!("{fault:?} × {call:?} × {asker:?}: {why}"));
                    }
                    bench.proxy.disarm();
                    bench.put_aside().await;
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        })
        .await;
    }
}

/// Four tests of each generation's half of the one table, so that the cores share it.
macro_rules! quarters {
    ($($name:ident: $from:literal..$to:literal),+ $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v1() {
                run(Portone::V1, &Fault::ALL[$from..$to]).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn v2() {
                run(Portone::V2, &Fault::ALL[$from..$to]).await;
            }
        }
    )+};
}

quarters! {
    a_connection_that_breaks_or_stalls: 0..9,
    a_status_that_is_no_answer: 9..18,
    an_answer_that_is_not_the_apis: 18..26,
    an_answer_that_is_not_json_or_not_the_payments: 26..34,
}
