//! Not paid, or not yet, or not as it was said first.

use super::play::{Break, Play};
use super::target::{Feature, Generation, OrderStatus, Outcome, Visit};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::json;
use std::time::Duration;
use url::Url;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        10,
        "buyer-cancels",
        V1,
        [],
        buyer_cancels,
        "The buyer cancels in the window: failed, and the order stays open for another try."
    ),
    scenario!(
        11,
        "card-declined",
        V1,
        [],
        card_declined,
        "The card is declined, then over its limit, then another one works: failed twice, paid once."
    ),
    scenario!(
        12,
        "window-does-not-open",
        V1,
        [],
        window_does_not_open,
        "No window opens, so the return has an error and no imp_uid: not paid, and no crash on PortOne's 404."
    ),
    scenario!(
        13,
        "paid-order-again",
        V1,
        [],
        paid_order_again,
        "A paid order is paid again and refused by PortOne (F1002), the return says imp_success=false: it stays paid."
    ),
    scenario!(
        14,
        "false-flag-but-paid",
        V1,
        [],
        false_flag_but_paid,
        "The return says imp_success=false before PortOne's own record is paid (Kiwoom): not failed for good, ends paid."
    ),
    scenario!(
        33,
        "late-approval",
        V1,
        [],
        late_approval,
        "A failed payment is approved after 40 minutes (Paymentwall): an open order is paid, a closed one is late."
    ),
    scenario!(
        34,
        "approval-after-days",
        V1,
        [],
        approval_after_days,
        "PayPal holds a payment back as failed and approves it days later: the order is paid then, and not before."
    ),
    scenario!(
        35,
        "qr-after-window-closed",
        V1,
        [Webhooks],
        qr_after_window_closed,
        "A QR code is paid after the window was closed, so nobody comes back: the webhook alone makes it paid."
    ),
    scenario!(
        57,
        "refused-before-approval",
        V1,
        [],
        refused_before_approval,
        "The shop's answer to confirm_url stops a payment, or does not come in time: failed, the order is not paid."
    ),
];

/// How a buyer's failure is rightly told: as failed, or as not finished by a server that waits for another try.
const FAILED: [Outcome; 1] = [Outcome::Failed];
const NOT_PAID: [OrderStatus; 1] = [OrderStatus::Open];
/// What is right while PortOne itself does not know more.
const NOT_FINISHED: [Outcome; 2] = [Outcome::Pending, Outcome::Unconfirmed];

async fn buyer_cancels(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (_, visit) = play.buy(&order, "cancel", WebhookMode::Never).await?;
    play.step("the buyer comes back with imp_success=false");
    play.come_back(&visit, &FAILED, "for a payment that the buyer cancelled")
        .await?;
    play.order_is(&order, &NOT_PAID, "after the buyer cancelled")
        .await
}

async fn card_declined(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    for choice in ["decline", "decline_limit"] {
        play.step(format!("the payment ends with {choice}"));
        let (_, visit) = play.buy(&order, choice, WebhookMode::Never).await?;
        play.come_back(&visit, &FAILED, "for a card that was declined")
            .await?;
        play.order_is(&order, &NOT_PAID, "after the card was declined")
            .await?;
    }
    play.step("another card is approved");
    let (_, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for the second card, which was approved",
    )
    .await?;
    play.paid_once(&order).await
}

async fn window_does_not_open(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let visit = play.way_back(
        &order,
        &[
            ("merchant_uid", &order.payment_id),
            ("imp_success", "false"),
            ("error_code", "F0000"),
            ("error_msg", "결제창을 불러오지 못했습니다."),
        ],
    );
    play.step("the buyer comes back without an imp_uid");
    play.come_back(
        &visit,
        &[
            Outcome::Failed,
            Outcome::Pending,
            Outcome::Unconfirmed,
            Outcome::NotFound,
        ],
        "although no payment exists",
    )
    .await?;
    play.order_is(&order, &NOT_PAID, "although no payment exists")
        .await
}

async fn paid_order_again(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("the order is paid");
    let (_, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for a payment that PortOne says is paid as ordered",
    )
    .await?;
    play.step("the order's window is opened again, which PortOne refuses with F1002");
    let refused = play.request_pay(&order, json!({})).await?;
    let again = play.refused_way_back(&refused)?;
    play.come_back(&again, &[Outcome::Paid], "for an order that is paid")
        .await?;
    play.paid_once(&order).await
}

/// A little more than it takes until PortOne's record follows such a return.
const APPROVED_BY_THEN: Duration = Duration::from_secs(2);

async fn false_flag_but_paid(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.stop_clock();
    let (imp_uid, visit) = play
        .buy_with(
            &order,
            json!({"pg": "daou"}),
            "pay",
            play.webhook_mode(WebhookMode::After),
        )
        .await?;
    play.step("the buyer comes back with imp_success=false while PortOne says ready");
    play.come_back(
        &visit,
        &NOT_FINISHED,
        "for a payment that PortOne has as ready",
    )
    .await?;
    play.order_is(&order, &NOT_PAID, "before PortOne says paid")
        .await?;
    play.step("a second later PortOne says paid");
    let mark = play.mark();
    play.push_clock(APPROVED_BY_THEN);
    play.paid_at_portone(&imp_uid).await?;
    play.webhooks_answered(mark, 1).await?;
    play.come_back_until(
        &visit,
        &[Outcome::Paid],
        "for a payment that PortOne says is paid, whatever the return's flag says",
    )
    .await?;
    play.paid_once(&order).await
}

/// What a payment gateway says of an approval it is still thinking about.
const INTERNAL_ERROR: &str = "(PG사 결제 장애) Internal error";

async fn late_approval(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (imp_uid, visit) = play.fail(&order, INTERNAL_ERROR, "false").await?;
    play.step("the buyer comes back with an internal error of the PG");
    play.come_back(&visit, &FAILED, "for a payment that PortOne has as failed")
        .await?;
    play.step("40 minutes later the PG approves after all");
    play.approve(&imp_uid).await?;
    play.paid_once(&order).await?;

    play.need(Feature::Close)?;
    let closed = play.order(Generation::V1).await?;
    let (imp_uid, visit) = play.fail(&closed, INTERNAL_ERROR, "false").await?;
    play.come_back(&visit, &FAILED, "for a payment that PortOne has as failed")
        .await?;
    play.step("the shop closes the order, and then the PG approves");
    play.target.close(&closed).await?;
    play.approve(&imp_uid).await?;
    play.come_back_until(
        &visit,
        &[Outcome::Late, Outcome::Held, Outcome::Refunded],
        "for a payment that came after the order was closed",
    )
    .await?;
    play.order_is(
        &closed,
        &[
            OrderStatus::Closed,
            OrderStatus::Held,
            OrderStatus::Refunded,
        ],
        "although it was closed before the payment",
    )
    .await
}

async fn approval_after_days(play: &Play<'_>) -> Played {
    for flag in ["false", "true"] {
        let order = play.order(Generation::V1).await?;
        let (imp_uid, visit) = play.fail(&order, "Payment is pending review", flag).await?;
        play.step(format!(
            "the buyer comes back with imp_success={flag} while PortOne says failed"
        ));
        play.come_back(&visit, &FAILED, "for a payment that PortOne has as failed")
            .await?;
        play.order_is(&order, &NOT_PAID, "while PortOne says failed")
            .await?;
        play.step("days later PayPal approves");
        play.approve(&imp_uid).await?;
        play.paid_once(&order).await?;
    }
    Ok(())
}

async fn qr_after_window_closed(play: &Play<'_>) -> Played {
    play.need(Feature::State)?;
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, json!({})).await?;
    play.choose(&imp_uid, "abandon", WebhookMode::Never).await?;
    play.step("the buyer has closed the window and pays in the app");
    play.approve(&imp_uid).await?;
    play.paid_once(&order).await
}

/// Where nobody listens: TCP port 1 is reserved for a service that nobody runs.
const NOBODY: &str = "http://127.0.0.1:1/";

async fn refused_before_approval(play: &Play<'_>) -> Played {
    let not_found = play.sandbox_url("_sandbox/nothing-here")?;
    for (what, confirm_url) in [
        ("is answered 404", not_found.as_str()),
        ("is not answered", NOBODY),
    ] {
        let order = play.order(Generation::V1).await?;
        play.step(format!("PortOne's question before approval {what}"));
        let (imp_uid, visit) = play
            .buy_with(
                &order,
                json!({"confirm_url": confirm_url}),
                "pay",
                WebhookMode::Never,
            )
            .await?;
        if play.record(&imp_uid)?["status"] != "failed" {
            return Err(Break::own("PortOne approved what was not confirmed"));
        }
        play.come_back(&visit, &FAILED, "for a payment that was stopped")
            .await?;
        play.order_is(&order, &NOT_PAID, "although the payment was stopped")
            .await?;
    }
    match play.target.confirm_url() {
        Some(confirm_url) => asked_before_approval(play, &confirm_url).await,
        None => Ok(()),
    }
}

/// The target itself is asked.
async fn asked_before_approval(play: &Play<'_>, confirm_url: &Url) -> Played {
    let asking = json!({"confirm_url": confirm_url.as_str()});
    let order = play.order(Generation::V1).await?;
    play.step("PortOne asks whether another amount may be approved");
    let question = json!({
        "imp_uid": "imp_000000000000",
        "merchant_uid": order.payment_id,
        "amount": 100,
    });
    let answer = play.http().post(confirm_url.clone()).json(&question).send();
    let answer = answer.await.map_err(|error| {
        Break::Failed(format!(
            "did not answer PortOne's question before approval: {error}"
        ))
    })?;
    if answer.status().as_u16() == 200 {
        return Err(Break::Failed(format!(
            "let a payment of 100 KRW go on where the order says {} KRW",
            order.amount
        )));
    }
    play.step("PortOne asks whether the order's own amount may be approved");
    let (imp_uid, visit) = play
        .buy_with(&order, asking.clone(), "pay", WebhookMode::Never)
        .await?;
    let reason = &play.record(&imp_uid)?["fail_reason"];
    if reason.is_string() {
        return Err(Break::Failed(format!(
            "stopped a good payment before its approval: {reason}"
        )));
    }
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for a payment that PortOne says is paid as ordered",
    )
    .await?;
    play.paid_once(&order).await?;

    play.need(Feature::Close)?;
    let order = play.order(Generation::V1).await?;
    play.step("PortOne asks whether a payment for a closed order may be approved");
    play.target.close(&order).await?;
    let (imp_uid, _) = play
        .buy_with(&order, asking, "pay", WebhookMode::Never)
        .await?;
    match play.record(&imp_uid)?["status"].as_str() {
        Some("failed") => Ok(()),
        _ => Err(Break::Failed(
            "let a payment go on although its order was closed".into(),
        )),
    }
}

impl Play<'_> {
    /// A payment that fails with these words, and the way back from it.
    async fn fail(
        &self,
        order: &super::Order,
        reason: &str,
        flag: &str,
    ) -> Result<(String, Visit), Break> {
        let imp_uid = self.open(order, json!({})).await?;
        self.control(
            &format!("payments/{imp_uid}/fail"),
            &json!({"reason": reason}),
        )
        .await?;
        let visit = self.way_back(
            order,
            &[
                ("imp_uid", &imp_uid),
                ("merchant_uid", &order.payment_id),
                ("imp_success", flag),
                ("error_msg", reason),
            ],
        );
        Ok((imp_uid, visit))
    }
}
