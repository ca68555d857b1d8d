//! What scenarios are written with: the buyer's and PortOne's moves, and the judgements.
//!
//! A move that the sandbox refuses ends the scenario as failed, with a text that says so: it is the check's own fault
//! and must not pass silently.

mod judge;
mod portone;
mod webhooks;

pub(crate) use portone::merge;
pub(crate) use webhooks::{answer_of, webhook_is};

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::target::{
    Answer, Feature, Generation, Order, OrderState, OrderStatus, Outcome, Target, TargetError,
    Visit,
};
use crate::{Sandbox, WebhookMode};
use judge::{judge_outcome, judge_state};

/// Longest wait for one answer of the target: a buyer has left by then, and PortOne gives up on a webhook.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Shortest and growing step of a wait: a quarter of what was waited already.
const STEP_MIN: Duration = Duration::from_secs(1);
const STEP_DIVISOR: u32 = 4;
/// How long a target that looks for nothing by itself is waited for: it may still be at work on what it was told.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
/// What the scenarios sell.
const AMOUNT: i64 = 65_000;

/// Why a scenario does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Failed(String),
    Skipped(String),
}

impl Break {
    pub(crate) fn without(feature: Feature) -> Self {
        Self::Skipped(format!("the target does not support {feature}"))
    }

    /// The sandbox did not do what the scenario wanted of it.
    pub(crate) fn own(text: impl std::fmt::Display) -> Self {
        Self::Failed(format!("the check itself could not go on: {text}"))
    }
}

impl From<TargetError> for Break {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Unsupported(feature) => Self::without(feature),
            TargetError::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<crate::Error> for Break {
    fn from(error: crate::Error) -> Self {
        Self::own(error)
    }
}

/// A scenario under way.
pub(crate) struct Play<'p> {
    pub(crate) sandbox: &'p Sandbox,
    pub(crate) target: &'p dyn Target,
    http: reqwest::Client,
    run: &'p str,
    number: u8,
    orders: AtomicU8,
    /// The orders made, by their ids: messages of an earlier scenario may still be under way.
    payment_ids: Mutex<Vec<String>>,
    steps: Mutex<Vec<String>>,
    /// How far the scenario has pushed PortOne's clock.
    pushed: Mutex<Duration>,
}

impl<'p> Play<'p> {
    pub(crate) fn new(
        sandbox: &'p Sandbox,
        target: &'p dyn Target,
        run: &'p str,
        number: u8,
    ) -> Result<Self, Break> {
        Ok(Self {
            sandbox,
            target,
            http: client().map_err(Break::own)?,
            run,
            number,
            orders: AtomicU8::new(0),
            payment_ids: Mutex::default(),
            steps: Mutex::default(),
            pushed: Mutex::default(),
        })
    }

    /// Stops PortOne's clock, until the scenario ends.
    pub(crate) fn stop_clock(&self) {
        self.sandbox.freeze_clock();
    }

    /// Pushes PortOne's clock forward, until the scenario ends.
    pub(crate) fn push_clock(&self, by: Duration) {
        self.sandbox.advance_clock(by);
        let mut pushed = self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
        *pushed += by;
    }

    /// Leaves PortOne as it was found.
    pub(crate) fn tear_down(self) -> Vec<String> {
        self.set_up();
        // It was taken once with other numbers, so this one it takes, too.
        drop(self.resend_webhooks(0));
        let pushed = self
            .pushed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // The target may have moved the clock itself, along with its own; that stays.
        self.sandbox.give_back_clock(pushed);
        self.steps
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// PortOne as it usually is.
    pub(crate) fn set_up(&self) {
        self.sandbox.clear_faults();
        self.sandbox
            .set_webhook(self.webhook_mode(WebhookMode::After));
        self.sandbox.set_webhook_url(self.target.webhook_url());
    }

    /// Says what comes now. A failure is reported under the last thing said.
    pub(crate) fn step(&self, what: impl Into<String>) {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what.into());
    }

    pub(crate) fn need(&self, feature: Feature) -> Result<(), Break> {
        match self.target.supports(feature) {
            true => Ok(()),
            false => Err(Break::without(feature)),
        }
    }

    /// A fresh order over 65,000 won.
    pub(crate) async fn order(&self, generation: Generation) -> Result<Order, Break> {
        self.order_over(generation, AMOUNT).await
    }

    pub(crate) async fn order_over(
        &self,
        generation: Generation,
        amount: i64,
    ) -> Result<Order, Break> {
        let letter = char::from(b'a' + self.orders.fetch_add(1, Ordering::Relaxed) % 26);
        let order = Order {
            payment_id: format!("chk-{}-{:02}{letter}", self.run, self.number),
            name: "사과 한 상자".into(),
            amount,
            currency: "KRW".into(),
            generation,
            channel_key: match generation {
                Generation::V1 => None,
                Generation::V2 => Some(super::v2::CHANNEL_KEY.into()),
            },
        };
        let order = self.target.create_order(&order).await?;
        self.payment_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order.payment_id.clone());
        Ok(order)
    }

    /// The buyer comes back: an answer within 30 s that is no server error.
    pub(crate) async fn visit(&self, visit: &Visit) -> Result<Answer, Break> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.target.complete(visit))
            .await
            .map_err(|_| {
                Break::Failed(format!(
                    "the buyer's browser had no answer after {} s",
                    ANSWER_WITHIN.as_secs()
                ))
            })??;
        match answer.status {
            500.. => Err(Break::Failed(format!(
                "answered the buyer's browser with HTTP {}: {}",
                answer.status, answer.excerpt
            ))),
            _ => Ok(answer),
        }
    }

    /// The buyer comes back and is told one of `right`. `about` ends the sentence "answered paid …".
    pub(crate) async fn come_back(
        &self,
        visit: &Visit,
        right: &[Outcome],
        about: &str,
    ) -> Result<Answer, Break> {
        let answer = self.visit(visit).await?;
        self.judge(&answer, right, about)?;
        Ok(answer)
    }

    /// The answer says one of `right`.
    pub(crate) fn judge(
        &self,
        answer: &Answer,
        right: &[Outcome],
        about: &str,
    ) -> Result<(), Break> {
        judge_outcome(answer, right, about, &self.target.outcomes())
    }

    /// Comes back again and again, while time goes by, until the buyer is told one of `right`.
    pub(crate) async fn come_back_until(
        &self,
        visit: &Visit,
        right: &[Outcome],
        about: &str,
    ) -> Result<(), Break> {
        let mut waited = Duration::ZERO;
        loop {
            match self.come_back(visit, right, about).await {
                Ok(_) => return Ok(()),
                Err(wrong) => waited = self.wait_on(waited).await.ok_or(wrong)?,
            }
        }
    }

    /// The order's state, if the target tells.
    pub(crate) async fn state(&self, order: &Order) -> Result<Option<OrderState>, Break> {
        match self.target.supports(Feature::State) {
            true => Ok(Some(self.target.state(order).await?)),
            false => Ok(None),
        }
    }

    /// The order is one of `right` now. `about` ends the sentence "the order is paid …".
    pub(crate) async fn order_is(
        &self,
        order: &Order,
        right: &[OrderStatus],
        about: &str,
    ) -> Result<(), Break> {
        match self.state(order).await? {
            None => Ok(()),
            Some(state) => judge_state(&state, right, about, &self.target.statuses()),
        }
    }

    /// The order becomes one of `right` without anybody's prompting, as long as the target's patience lasts.
    pub(crate) async fn order_becomes(
        &self,
        order: &Order,
        right: &[OrderStatus],
        about: &str,
    ) -> Result<(), Break> {
        let mut waited = Duration::ZERO;
        loop {
            match self.order_is(order, right, about).await {
                Ok(()) => return Ok(()),
                Err(wrong) => waited = self.wait_on(waited).await.ok_or(wrong)?,
            }
        }
    }

    /// The order has been paid, and fulfilled once.
    pub(crate) async fn paid_once(&self, order: &Order) -> Result<(), Break> {
        self.order_becomes(
            order,
            &[OrderStatus::Paid],
            "although it was paid at PortOne",
        )
        .await
    }

    /// The given-back amount becomes `minor`.
    pub(crate) async fn refunded_becomes(&self, order: &Order, minor: i64) -> Result<(), Break> {
        let mut waited = Duration::ZERO;
        loop {
            match self.state(order).await?.and_then(|state| state.refunded) {
                None => return Ok(()),
                Some(refunded) if refunded == minor => return Ok(()),
                Some(refunded) => {
                    waited = self.wait_on(waited).await.ok_or_else(|| {
                        Break::Failed(format!(
                            "says that {refunded} was given back where PortOne says {minor}"
                        ))
                    })?;
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        let patience = self.target.patience();
        match self.target.supports(Feature::Reconciliation) {
            true => patience,
            false => patience.min(SETTLED_WITHIN),
        }
    }

    /// Lets some more time go by; none if patience is over.
    async fn wait_on(&self, waited: Duration) -> Option<Duration> {
        let left = self.patience().checked_sub(waited)?;
        let step = (waited / STEP_DIVISOR).max(STEP_MIN).min(left);
        if step.is_zero() {
            return None;
        }
        self.target.pass_time(step).await;
        Some(waited + step)
    }
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(ANSWER_WITHIN)
        .build()
}
