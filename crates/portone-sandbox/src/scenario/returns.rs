//! Paid, and back: every way in which a browser can bring the news, and bring it again.

use super::play::{Break, Play};
use super::target::{Feature, Generation, OrderStatus, Outcome, Visit};
use super::{Played, Scenario, scenario};
use crate::WebhookMode;
use serde_json::json;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        1,
        "card-paid",
        V1,
        [],
        card_paid,
        "A card payment returns with imp_success=true: the order is paid, once."
    ),
    scenario!(
        2,
        "flag-named-success",
        V1,
        [],
        flag_named_success,
        "A paid payment returns with success=true instead of imp_success: paid."
    ),
    scenario!(
        3,
        "no-flag",
        V1,
        [],
        no_flag,
        "A paid payment returns without any flag, as bank transfers at KG Inicis do: paid."
    ),
    scenario!(
        4,
        "no-imp-uid",
        V1,
        [],
        no_imp_uid,
        "A paid payment returns with its merchant_uid alone: found by it, and paid."
    ),
    scenario!(
        5,
        "new-module",
        V1,
        [],
        new_module,
        "A paid payment through a new PG module (tosspayments) returns with imp_uid and merchant_uid only: paid."
    ),
    scenario!(
        6,
        "posted-return",
        V1,
        [PostReturn],
        posted_return,
        "The return arrives as a POSTed form, as from iOS bank apps: paid."
    ),
    scenario!(
        7,
        "returns-twice",
        V1,
        [],
        returns_twice,
        "The browser returns twice, from the bank's app and by the next button: paid both times, one effect."
    ),
    scenario!(
        8,
        "kcp-quickpay",
        V1,
        [],
        kcp_quickpay,
        "KCP QuickPay returns with imp_status and kcp_action instead of imp_success: paid."
    ),
    scenario!(
        9,
        "own-query-and-repeated-keys",
        V1,
        [],
        own_query,
        "The redirect address has a query of its own, and PortOne's keys come twice: paid, the rest ignored."
    ),
    scenario!(
        30,
        "crowd",
        V1,
        [],
        crowd,
        "Four browsers and four webhooks arrive at the same time: all are told paid, one effect."
    ),
    scenario!(
        31,
        "refresh-and-back",
        V1,
        [],
        refresh,
        "The buyer reloads the page, and again after a refund: it shows the present state and changes nothing."
    ),
    scenario!(
        58,
        "another-browser",
        V1,
        [],
        another_browser,
        "The payment ends in another browser that has no session with the shop: the page works by the ids."
    ),
];

/// What a wrong answer to a good payment was given for.
const PAID_AS_ORDERED: &str = "for a payment that PortOne says is paid as ordered";

/// Buys, comes back as `alter` makes it, and the order is paid once, also after the webhook.
async fn comes_back_paid(
    play: &Play<'_>,
    choice: &str,
    more: serde_json::Value,
    alter: impl FnOnce(Visit, &super::Order, &str) -> Visit + Send,
) -> Played {
    let order = play.order(Generation::V1).await?;
    let imp_uid = play.open(&order, more).await?;
    let mark = play.mark();
    play.step("the buyer pays by card and comes back");
    let back = play
        .choose(&imp_uid, choice, play.webhook_mode(WebhookMode::After))
        .await?
        .ok_or_else(|| Break::own("the window sent nobody back"))?;
    let visit = alter(Visit::get(back), &order, &imp_uid);
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.step("PortOne's webhook has been answered");
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await
}

async fn card_paid(play: &Play<'_>) -> Played {
    comes_back_paid(play, "pay", json!({}), |visit, _, _| visit).await
}

async fn flag_named_success(play: &Play<'_>) -> Played {
    comes_back_paid(play, "pay_success_key", json!({}), |visit, _, _| visit).await
}

async fn no_flag(play: &Play<'_>) -> Played {
    let transfer = json!({"pay_method": "trans"});
    comes_back_paid(play, "pay_no_flag", transfer, |visit, _, _| visit).await
}

async fn no_imp_uid(play: &Play<'_>) -> Played {
    comes_back_paid(play, "pay_no_imp_uid", json!({}), |visit, _, _| visit).await
}

async fn new_module(play: &Play<'_>) -> Played {
    let module = json!({"pg": "tosspayments"});
    comes_back_paid(play, "pay", module, |visit, _, _| visit).await
}

async fn posted_return(play: &Play<'_>) -> Played {
    let target = play.target;
    comes_back_paid(play, "pay", json!({}), |visit, order, _| {
        visit.posted(&target.redirect_url(order))
    })
    .await
}

async fn returns_twice(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let mark = play.mark();
    let (_, visit) = play
        .buy(&order, "pay", play.webhook_mode(WebhookMode::After))
        .await?;
    for time in ["first", "second"] {
        play.step(format!("the browser comes back for the {time} time"));
        play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
    }
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await
}

async fn kcp_quickpay(play: &Play<'_>) -> Played {
    let quickpay = json!({"pg": "kcp_quick"});
    comes_back_paid(play, "pay", quickpay, |visit, _, _| visit).await
}

async fn own_query(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let mut redirect_url = play.target.redirect_url(&order);
    redirect_url
        .query_pairs_mut()
        .append_pair("order_id", "7")
        .append_pair("utm_source", "mobile")
        .append_pair("imp_uid", "");
    let more = json!({"m_redirect_url": redirect_url.as_str()});
    let imp_uid = play.open(&order, more).await?;
    let mark = play.mark();
    let webhook = play.webhook_mode(WebhookMode::After);
    let back = play
        .choose(&imp_uid, "pay", webhook)
        .await?
        .ok_or_else(|| Break::own("the window sent nobody back"))?;
    let visit = Visit::get(back);

    play.step("the address has a query of its own, with an empty imp_uid in it");
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.step("PortOne's keys stand twice in the query");
    let twice = visit
        .with("merchant_uid", &order.payment_id)
        .with("imp_uid", &imp_uid);
    play.come_back(&twice, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.webhooks_answered(mark, 1).await?;
    play.paid_once(&order).await
}

async fn crowd(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (imp_uid, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;

    play.step("four browsers and four webhooks arrive at the same time");
    let right = [Outcome::Paid];
    let visits = || play.come_back(&visit, &right, PAID_AS_ORDERED);
    let webhook = || async {
        match play.target.supports(Feature::Webhooks) {
            true => play.send_webhook(&imp_uid, None).await,
            false => Ok(()),
        }
    };
    let (b1, w1, b2, w2, b3, w3, b4, w4) = tokio::join!(
        visits(),
        webhook(),
        visits(),
        webhook(),
        visits(),
        webhook(),
        visits(),
        webhook()
    );
    for browser in [b1, b2, b3, b4] {
        browser?;
    }
    for webhook in [w1, w2, w3, w4] {
        webhook?;
    }
    play.step("all have been answered");
    play.paid_once(&order).await
}

async fn refresh(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (imp_uid, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    for time in 1..=3 {
        play.step(format!("the page is loaded for time {time}"));
        play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
    }
    play.paid_once(&order).await?;

    play.need(Feature::Refunds)?;
    play.step("the payment is cancelled in PortOne's console, and the page is loaded again");
    play.cancel_in_console(&imp_uid, None).await?;
    play.come_back_until(
        &visit,
        &[Outcome::Refunded],
        "for a payment that was given back whole",
    )
    .await?;
    play.order_becomes(
        &order,
        &[OrderStatus::Refunded],
        "although it was given back whole",
    )
    .await
}

async fn another_browser(play: &Play<'_>) -> Played {
    // The client that plays the browser keeps no cookies at all: it is always another one.
    comes_back_paid(play, "pay", json!({}), |visit, _, _| visit).await
}
