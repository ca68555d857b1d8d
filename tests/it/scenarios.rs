//! Everything the sandbox knows to happen to a payment, acted out against the whole app on both databases.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portone_sandbox::Sandbox;
use portone_sandbox::check::Wanryo;
use portone_sandbox::scenario::{
    self, Answer, Feature, Options, Order, OrderState, Target, TargetError, Visit,
};
use url::Url;
use wanryo::service::{Core, inbox, reconciliation};

use crate::app::TestApp;
use crate::by_hand::Ahead;
use crate::support::{TestDatabase, on_both_databases};

/// How far a scenario may look ahead: the longest are a bank's deposit and PayPal's approval, three days later, and the
/// look at the order after that.
const PATIENCE: Duration = Duration::from_secs(8 * 24 * 60 * 60);
/// Rows taken in one step of the worker.
const BATCH: u32 = 50;
/// Rounds after which the worker must have nothing left that is due.
const ROUNDS_MAX: usize = 100;

/// The app by its public contract, but for the time.
struct App {
    contract: Wanryo,
    core: Arc<Core>,
    clock: Arc<Ahead>,
    sandbox: Arc<Sandbox>,
}

#[async_trait]
impl Target for App {
    fn supports(&self, feature: Feature) -> bool {
        self.contract.supports(feature)
    }

    async fn create_order(&self, order: &Order) -> Result<Order, TargetError> {
        self.contract.create_order(order).await
    }

    fn redirect_url(&self, order: &Order) -> Url {
        Target::redirect_url(&self.contract, order)
    }

    fn webhook_url(&self) -> Url {
        Target::webhook_url(&self.contract)
    }

    fn confirm_url(&self) -> Option<Url> {
        self.contract.confirm_url()
    }

    async fn complete(&self, visit: &Visit) -> Result<Answer, TargetError> {
        self.contract.complete(visit).await
    }

    async fn state(&self, order: &Order) -> Result<OrderState, TargetError> {
        self.contract.state(order).await
    }

    async fn close(&self, order: &Order) -> Result<(), TargetError> {
        self.contract.close(order).await
    }

    /// Both clocks move, as there is only one time, and the worker's steps run until nothing is due.
    async fn pass_time(&self, by: Duration) {
        self.clock.push(by);
        self.sandbox.advance_clock(by);
        for _ in 0..ROUNDS_MAX {
            let webhooks = inbox::work_off_due(&self.core, BATCH).await.unwrap();
            let orders = reconciliation::reconcile_due(&self.core, BATCH)
                .await
                .unwrap();
            if webhooks + orders == 0 {
                return;
            }
        }
        panic!("the worker is not done after {ROUNDS_MAX} rounds");
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

on_both_databases! {
    async fn every_scenario_ends_as_it_must(database: TestDatabase) {
        let clock = Arc::new(Ahead::default());
        let app = TestApp::start_at(&database, TestApp::new_sandbox().await, |_| {}, Arc::clone(&clock) as _).await;
        let base = Url::parse(&app.url("/")).unwrap();
        let target = App {
            contract: Wanryo::new(&base, app.key()).unwrap(),
            core: Arc::clone(&app.running.core),
            clock,
            sandbox: Arc::clone(&app.sandbox),
        };
        let scenarios = scenario::all();

        let report = scenario::run(&app.sandbox, &target, &scenarios, Options::default()).await;

        assert_eq!(report.passed(), scenarios.len(), "{report}");
    }
}
