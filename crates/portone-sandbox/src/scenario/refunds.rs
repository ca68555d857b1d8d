//! Money given back elsewhere: in PortOne's console, or by another program of the shop.

use super::play::{Break, Play};
use super::target::{Feature, Generation, Order, OrderStatus, Outcome, Visit};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::{Value, json};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        40,
        "cancelled-in-console",
        V1,
        [Refunds],
        cancelled_in_console,
        "A paid payment is cancelled in PortOne's console: the refund is recorded."
    ),
    scenario!(
        41,
        "cancelled-in-parts",
        V1,
        [Refunds],
        cancelled_in_parts,
        "A paid payment is cancelled in two parts: each is recorded, and the sums are right."
    ),
    scenario!(
        42,
        "cancelled-by-api",
        V1,
        [Refunds],
        cancelled_by_api,
        "A payment is cancelled through the API, without a webhook and with one: recorded once each."
    ),
    scenario!(
        43,
        "cancel-refused-by-checksum",
        V1,
        [],
        cancel_refused,
        "A cancel with a wrong checksum is refused by PortOne (HTTP 200, code not 0): no refund is recorded."
    ),
    scenario!(
        44,
        "cancel-under-way",
        V1,
        [Refunds],
        cancel_under_way,
        "PortOne says cancelled before the PG has given anything back (PayPal): a refund only once the history shows it."
    ),
];

impl Play<'_> {
    /// A paid order, known to the target as such.
    async fn paid_order(&self) -> Result<(Order, String, Visit), Break> {
        let order = self.order(Generation::V1).await?;
        let (imp_uid, visit) = self.buy(&order, "pay", WebhookMode::Never).await?;
        self.come_back(
            &visit,
            &[Outcome::Paid],
            "for a payment that PortOne says is paid as ordered",
        )
        .await?;
        self.paid_once(&order).await?;
        Ok((order, imp_uid, visit))
    }

    /// Cancels the payment, or a part of it, in PortOne's console, and waits for the answers to the webhooks.
    pub(super) async fn cancel_in_console(&self, imp_uid: &str, amount: Option<i64>) -> Played {
        let mark = self.mark();
        let body = match amount {
            Some(amount) => json!({"amount": amount}),
            None => json!({}),
        };
        self.control(&format!("payments/{imp_uid}/cancel"), &body)
            .await?;
        self.webhooks_answered(mark, 1).await
    }

    /// `POST /payments/cancel`, as another program of the shop calls it; returns the envelope.
    async fn cancel_by_api(&self, body: Value) -> Result<Value, Break> {
        let token = self.token().await?;
        let url = self.sandbox_url("payments/cancel")?;
        self.read(self.http().post(url).bearer_auth(token).json(&body))
            .await
    }

    async fn refunded(&self, order: &Order, visit: &Visit, given_back: i64) -> Played {
        let (outcome, status, about) = if given_back < order.amount {
            (
                Outcome::PartiallyRefunded,
                OrderStatus::PartiallyRefunded,
                "although a part of it was given back",
            )
        } else {
            (
                Outcome::Refunded,
                OrderStatus::Refunded,
                "although it was given back whole",
            )
        };
        self.come_back_until(visit, &[outcome], about).await?;
        self.order_becomes(order, &[status], about).await?;
        self.refunded_becomes(order, given_back).await
    }
}

async fn cancelled_in_console(play: &Play<'_>) -> Played {
    let (order, imp_uid, visit) = play.paid_order().await?;
    play.step("the payment is cancelled in the console");
    play.cancel_in_console(&imp_uid, None).await?;
    play.refunded(&order, &visit, order.amount).await
}

async fn cancelled_in_parts(play: &Play<'_>) -> Played {
    let (order, imp_uid, visit) = play.paid_order().await?;
    let (first, second) = (order.amount / 5, order.amount / 2);
    play.step(format!("{first} won are given back"));
    play.cancel_in_console(&imp_uid, Some(first)).await?;
    play.refunded(&order, &visit, first).await?;
    play.step(format!("{second} won more are given back"));
    play.cancel_in_console(&imp_uid, Some(second)).await?;
    play.refunded(&order, &visit, first + second).await
}

async fn cancelled_by_api(play: &Play<'_>) -> Played {
    for enable_webhook in [false, true] {
        let (order, imp_uid, visit) = play.paid_order().await?;
        play.step(format!(
            "the payment is cancelled through the API with enable_webhook={enable_webhook}"
        ));
        let mark = play.mark();
        let answer = play
            .cancel_by_api(json!({
                "imp_uid": imp_uid,
                "reason": "고객 변심",
                "checksum": order.amount,
                "enable_webhook": enable_webhook,
            }))
            .await?;
        if answer["code"] != 0 {
            return Err(Break::own(format!("the sandbox did not cancel: {answer}")));
        }
        if enable_webhook {
            play.webhooks_answered(mark, 1).await?;
        }
        play.refunded(&order, &visit, order.amount).await?;
        play.step("the webhook comes again");
        if play.target.supports(Feature::Webhooks) {
            play.send_webhook(&imp_uid, None).await?;
        }
        play.refunded(&order, &visit, order.amount).await?;
    }
    Ok(())
}

async fn cancel_refused(play: &Play<'_>) -> Played {
    let (order, imp_uid, visit) = play.paid_order().await?;
    play.step("a cancel is refused because its checksum is wrong");
    let answer = play
        .cancel_by_api(json!({
            "imp_uid": imp_uid,
            "reason": "고객 변심",
            "checksum": order.amount - 1,
            "enable_webhook": true,
        }))
        .await?;
    if answer["code"] == 0 {
        return Err(Break::own("the sandbox cancelled with a wrong checksum"));
    }
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for a payment whose cancel was refused",
    )
    .await?;
    play.refunded_becomes(&order, 0).await?;
    play.paid_once(&order).await
}

async fn cancel_under_way(play: &Play<'_>) -> Played {
    let (order, imp_uid, visit) = play.paid_order().await?;
    play.step("PortOne says cancelled, and nothing is given back yet");
    play.sandbox.patch_payment(
        &imp_uid,
        json!({"status": "cancelled", "cancel_amount": 0, "cancel_history": []}),
    )?;
    if play.target.supports(Feature::Webhooks) {
        play.send_webhook(&imp_uid, None).await?;
    }
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for a payment of which nothing was given back yet",
    )
    .await?;
    play.refunded_becomes(&order, 0).await?;
    play.paid_once(&order).await?;
    play.step("the PG gives the money back");
    play.sandbox
        .patch_payment(&imp_uid, json!({"status": "paid"}))?;
    play.cancel_in_console(&imp_uid, None).await?;
    play.refunded(&order, &visit, order.amount).await
}
