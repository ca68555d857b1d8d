//! Redirect and webhook: either may be first, late, repeated or lost.

use super::play::{Break, Play};
use super::target::{Feature, Generation, OrderStatus, Outcome};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::json;
use std::time::Duration;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        25,
        "webhook-first",
        V1,
        [Webhooks],
        webhook_first,
        "The webhook arrives before the browser: paid once."
    ),
    scenario!(
        26,
        "redirect-first",
        V1,
        [Webhooks],
        redirect_first,
        "The browser arrives, the webhook half a minute later: paid once."
    ),
    scenario!(
        27,
        "webhook-only",
        V1,
        [Webhooks],
        webhook_only,
        "The browser was closed before it came back: the webhook alone makes the order paid."
    ),
    scenario!(
        28,
        "redirect-only",
        V1,
        [],
        redirect_only,
        "The webhook is lost: the redirect alone makes the order paid."
    ),
    scenario!(
        29,
        "neither",
        V1,
        [Reconciliation],
        neither,
        "Browser and webhook are both lost: the server finds the payment by itself."
    ),
    scenario!(
        32,
        "webhook-repeated",
        V1,
        [Webhooks],
        webhook_repeated,
        "PortOne's API is down when the webhook arrives, and the webhook is sent five times more: one effect."
    ),
];

const PAID_AS_ORDERED: &str = "for a payment that PortOne says is paid as ordered";

async fn webhook_first(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let mark = play.mark();
    play.step("the webhook arrives before the browser");
    let (_, visit) = play.buy(&order, "pay", WebhookMode::Before).await?;
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await?;
    play.step("the browser comes back");
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await
}

async fn redirect_first(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (imp_uid, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.step("the browser comes back");
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await?;
    play.step("the webhook arrives");
    play.send_webhook(&imp_uid, None).await?;
    play.paid_once(&order).await
}

async fn webhook_only(play: &Play<'_>) -> Played {
    play.need(Feature::State)?;
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, json!({})).await?;
    let mark = play.mark();
    play.step("the buyer pays and closes the browser; the webhook arrives");
    play.choose(&imp_uid, "pay_no_return", WebhookMode::Before)
        .await?;
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await
}

async fn redirect_only(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (_, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.step("the browser comes back, and no webhook ever comes");
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await
}

async fn neither(play: &Play<'_>) -> Played {
    play.need(Feature::State)?;
    if play.target.patience().is_zero() {
        return Err(Break::Skipped("nothing is waited for".into()));
    }
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, json!({})).await?;
    play.choose(&imp_uid, "pay_no_return", WebhookMode::Never)
        .await?;
    play.step(format!(
        "nobody tells the server of the payment, for {} s",
        play.target.patience().as_secs()
    ));
    play.paid_once(&order).await
}

/// PortOne sends a webhook once, and if that is agreed with it up to five times more, a minute apart.
const RESENDS: u8 = 5;
const RESEND_INTERVAL: Duration = Duration::from_secs(60);

async fn webhook_repeated(play: &Play<'_>) -> Played {
    play.need(Feature::State)?;
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, json!({})).await?;
    play.resend_webhooks(RESENDS)?;
    play.step("the webhook arrives while PortOne's API answers 503");
    play.sandbox
        .fault(json!({"call": "any", "kind": "status", "status": 503}))?;
    let mark = play.mark();
    play.choose(&imp_uid, "pay_no_return", WebhookMode::Before)
        .await?;
    let first = play.webhook_answer(mark).await?;
    // 200 means "kept, and looked after", 5xx means "send it again": both are right while nothing can be verified.
    if !matches!(first, 200 | 500..) {
        super::play::webhook_is(Ok(first), 200)?;
    }
    play.order_is(
        &order,
        &[OrderStatus::Open],
        "by a webhook that could not be verified",
    )
    .await?;
    play.sandbox.clear_faults();
    if first == 200 {
        play.step("PortOne's API is back, and no other webhook comes");
    } else {
        play.step("PortOne's API is back, and a minute later the webhook comes again");
        let mark = play.mark();
        play.push_clock(RESEND_INTERVAL);
        play.webhooks_answered(mark, 1).await?;
    }
    play.paid_once(&order).await?;
    play.step("the answer is lost on its way, and the webhook comes again and again");
    for _ in 0..RESENDS {
        play.send_webhook(&imp_uid, None).await?;
    }
    play.paid_once(&order).await
}
