//! Lies: in the address, in the record, in the post.

use super::play::{Break, Play};
use super::target::{Feature, Generation, OrderStatus, Outcome};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::json;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        15,
        "forged-success",
        V1,
        [],
        forged_success,
        "A declined payment returns with a forged imp_success=true: not paid."
    ),
    scenario!(
        16,
        "somebody-elses-payment",
        V1,
        [],
        somebody_elses_payment,
        "The return names the buyer's own order and the imp_uid of another order's payment: refused."
    ),
    scenario!(
        17,
        "invented-payment",
        V1,
        [],
        invented_payment,
        "The return names an imp_uid that PortOne does not know: not paid, and no server error."
    ),
    scenario!(
        18,
        "tampered-amount",
        V1,
        [],
        tampered_amount,
        "The page was changed to pay 100 won for an order of 65,000: not paid."
    ),
    scenario!(
        19,
        "tampered-currency",
        V1,
        [],
        tampered_currency,
        "1,000 yen are paid for an order of 1,000 won: not paid."
    ),
    scenario!(
        20,
        "test-channel",
        V1,
        [],
        test_channel,
        "The page was changed to pay through a test channel, with no money at all: not paid in production."
    ),
    scenario!(
        45,
        "forged-webhook",
        V1,
        [Webhooks],
        forged_webhook,
        "Strangers post webhooks with wrong ids, or saying paid of a failed payment: answered 200, ignored."
    ),
    scenario!(
        46,
        "form-webhook",
        V1,
        [Webhooks],
        form_webhook,
        "The webhook is a form instead of JSON: the same."
    ),
    scenario!(
        47,
        "console-test-call",
        V1,
        [Webhooks],
        console_test_call,
        "PortOne's console sends a test call with ids that do not exist: answered 200, nothing happens."
    ),
];

const NOT_PAID: [OrderStatus; 2] = [OrderStatus::Open, OrderStatus::Held];

async fn forged_success(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (_, visit) = play
        .buy(&order, "fail_flag_true", WebhookMode::Never)
        .await?;
    play.step("the buyer comes back with imp_success=true");
    play.come_back(
        &visit,
        &[Outcome::Failed],
        "for a declined payment, because the address said imp_success=true",
    )
    .await?;
    play.order_is(
        &order,
        &[OrderStatus::Open],
        "although the card was declined",
    )
    .await
}

async fn somebody_elses_payment(play: &Play<'_>) -> Played {
    let theirs = play.order(Generation::V1).await?;
    let mine = play.order(Generation::V1).await?;
    let (their_imp_uid, their_visit) = play.buy(&theirs, "pay", WebhookMode::Never).await?;
    let forged = play.way_back(
        &mine,
        &[
            ("imp_uid", &their_imp_uid),
            ("merchant_uid", &mine.payment_id),
            ("imp_success", "true"),
        ],
    );
    let right = [
        Outcome::NotFound,
        Outcome::Invalid,
        Outcome::Failed,
        Outcome::Held,
    ];
    play.step("the forged address is opened before the real one");
    play.come_back(&forged, &right, "for a payment of another order")
        .await?;
    play.step("the real buyer comes back");
    play.come_back(
        &their_visit,
        &[Outcome::Paid],
        "for the real buyer's payment",
    )
    .await?;
    play.step("the forged address is opened after the real one");
    play.come_back(&forged, &right, "for a payment of another order")
        .await?;
    play.order_is(
        &mine,
        &NOT_PAID,
        "by a payment that belongs to another order",
    )
    .await?;
    play.paid_once(&theirs).await
}

async fn invented_payment(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let forged = play.way_back(
        &order,
        &[
            ("imp_uid", "imp_000000000000"),
            ("merchant_uid", &order.payment_id),
            ("imp_success", "true"),
        ],
    );
    play.step("the buyer comes back with an invented imp_uid");
    play.come_back(
        &forged,
        &[
            Outcome::NotFound,
            Outcome::Invalid,
            Outcome::Failed,
            Outcome::Pending,
            Outcome::Unconfirmed,
        ],
        "for a payment that does not exist",
    )
    .await?;
    play.order_is(&order, &[OrderStatus::Open], "although nobody paid")
        .await
}

/// Buys with a record that a check must catch. `about` ends the sentence "answered paid …", for an order's amount.
async fn tampered(
    play: &Play<'_>,
    amount: i64,
    choice: &str,
    about: impl FnOnce(i64) -> String + Send,
) -> Played {
    let order = play.order_over(Generation::V1, amount).await?;
    let about = about(order.amount);
    let mark = play.mark();
    let (_, visit) = play
        .buy(&order, choice, play.webhook_mode(WebhookMode::After))
        .await?;
    let right = [
        Outcome::Held,
        Outcome::Failed,
        Outcome::NotFound,
        Outcome::Refunded,
    ];
    play.step("the buyer comes back with imp_success=true");
    play.come_back(&visit, &right, &about).await?;
    play.step("PortOne's webhook says paid");
    play.webhooks_answered(mark, 1).await?;
    let right = [OrderStatus::Held, OrderStatus::Open, OrderStatus::Refunded];
    play.order_is(&order, &right, &about).await
}

async fn tampered_amount(play: &Play<'_>) -> Played {
    tampered(play, 65_000, "pay_tampered_amount", |amount| {
        format!("for a payment of 100 KRW where the order says {amount} KRW")
    })
    .await
}

async fn tampered_currency(play: &Play<'_>) -> Played {
    tampered(play, 1_000, "pay_tampered_currency", |amount| {
        format!("for a payment of {amount} JPY where the order says {amount} KRW")
    })
    .await
}

async fn test_channel(play: &Play<'_>) -> Played {
    tampered(play, 65_000, "pay_test_channel", |_| {
        "for a payment through a test channel, where no money moves".into()
    })
    .await
}

async fn forged_webhook(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.step("a webhook names a payment and an order that do not exist");
    play.forge_webhook("imp_000000000000", "no-such-order", "paid")
        .await?;
    play.step("a webhook names the order and a payment that does not exist");
    play.forge_webhook("imp_000000000000", &order.payment_id, "paid")
        .await?;
    play.order_is(
        &order,
        &[OrderStatus::Open],
        "because a forged webhook said so",
    )
    .await?;
    play.step("a webhook says paid of a failed payment");
    let (imp_uid, _) = play.buy(&order, "decline", WebhookMode::Never).await?;
    play.forge_webhook(&imp_uid, &order.payment_id, "paid")
        .await?;
    play.order_is(
        &order,
        &[OrderStatus::Open],
        "because a forged webhook said so",
    )
    .await?;
    play.step("a webhook names the order and another order's payment");
    let other = play.order(Generation::V1).await?;
    let (foreign, _) = play.buy(&other, "pay", WebhookMode::Never).await?;
    play.forge_webhook(&foreign, &order.payment_id, "paid")
        .await?;
    play.order_is(
        &order,
        &[OrderStatus::Open],
        "because a forged webhook said so",
    )
    .await?;

    play.step("a webhook says cancelled of a paid order");
    let (imp_uid, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.come_back(
        &visit,
        &[Outcome::Paid],
        "for a payment that PortOne says is paid as ordered",
    )
    .await?;
    play.forge_webhook(&imp_uid, &order.payment_id, "cancelled")
        .await?;
    play.paid_once(&order).await
}

async fn form_webhook(play: &Play<'_>) -> Played {
    play.need(Feature::State)?;
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, json!({})).await?;
    let mark = play.mark();
    play.step("the payment is told of by a form, and by nothing else");
    let url = play.sandbox_url(&format!("_sandbox/window/{imp_uid}"))?;
    let form = [
        ("choice", "pay_no_return"),
        ("webhook", "before"),
        ("webhook_format", "form"),
    ];
    play.http()
        .post(url)
        .form(&form)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(Break::own)?;
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await
}

async fn console_test_call(play: &Play<'_>) -> Played {
    for (imp_uid, merchant_uid) in [
        ("imp_1234567890", "merchant_1234567890"),
        ("imp_test", "test"),
    ] {
        play.step(format!("the console tests with {imp_uid}"));
        play.forge_webhook(imp_uid, merchant_uid, "paid").await?;
    }
    play.step("the console tests with a form");
    let form = "imp_uid=imp_1234567890&merchant_uid=merchant_1234567890&status=ready";
    let answer = play
        .post_webhook(&[], "application/x-www-form-urlencoded", form.into())
        .await?;
    super::play::webhook_is(Ok(answer), 200)
}
