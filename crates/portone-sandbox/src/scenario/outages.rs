//! PortOne on a bad day: down, slow, forgetful.

use super::play::Play;
use super::target::{Feature, Generation, OrderStatus, Outcome};
use super::{Played, Scenario, scenario};
use crate::webhook::ENDS_WITHIN;
use crate::{Event, JournalEntry, WebhookMode};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        36,
        "api-down",
        V1,
        [],
        api_down,
        "PortOne's API is down, slow or garbled when the buyer returns: neither paid nor failed, and paid once it is back."
    ),
    scenario!(
        37,
        "api-lags",
        V1,
        [],
        api_lags,
        "PortOne's API answers 404 for a second after the redirect: asked again, and paid."
    ),
    scenario!(
        38,
        "token-refused",
        V1,
        [],
        token_refused,
        "PortOne refuses the access token (401): the server signs in again once and goes on."
    ),
    scenario!(
        39,
        "token-shared-and-expiring",
        V1,
        [],
        token_shared,
        "The access token, shared by all servers of a shop, is prolonged by another one in its last minute: all goes on."
    ),
];

const PAID_AS_ORDERED: &str = "for a payment that PortOne says is paid as ordered";

async fn api_down(play: &Play<'_>) -> Played {
    let mut waiting = Vec::new();
    for (what, fault) in [
        ("answers 503", json!({"kind": "status", "status": 503})),
        ("answers with a proxy's error page", json!({"kind": "html"})),
        (
            "answers something that is not JSON",
            json!({"kind": "garbage"}),
        ),
        ("resets the connection", json!({"kind": "reset"})),
        ("does not answer", json!({"kind": "stall"})),
    ] {
        let order = play.order(Generation::V1).await?;
        let (imp_uid, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
        play.step(format!("the buyer comes back while PortOne's API {what}"));
        let mut fault: Value = fault;
        fault["call"] = json!("any");
        play.sandbox.fault(fault)?;
        play.come_back(
            &visit,
            &[Outcome::Unconfirmed, Outcome::Pending],
            &format!("while PortOne's API {what}, so that nobody can know"),
        )
        .await?;
        play.order_is(
            &order,
            &[OrderStatus::Open],
            "while PortOne could not be asked",
        )
        .await?;
        play.sandbox.clear_faults();
        waiting.push((order, imp_uid, visit));
    }
    for (order, imp_uid, visit) in waiting {
        play.step("PortOne's API is back");
        let by_itself = play.target.supports(Feature::Reconciliation)
            && play.target.supports(Feature::State)
            && !play.target.patience().is_zero();
        if by_itself {
            play.paid_once(&order).await?;
        }
        play.come_back_until(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
        play.paid_once(&order).await?;
        play.still_paid_at_portone(&imp_uid)?;
    }
    Ok(())
}

async fn api_lags(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    play.stop_clock();
    let mark = play.mark();
    let (imp_uid, visit) = play.buy(&order, "pay_lag", WebhookMode::Never).await?;
    play.step("the buyer comes back, and PortOne's API answers 404 to the first question");
    let right = [
        Outcome::Paid,
        Outcome::Pending,
        Outcome::Unconfirmed,
        Outcome::NotFound,
    ];
    let about = "for a payment that PortOne's API does not show yet";
    // Another question than about this payment may be answered 404 as well: servers look after older orders meanwhile.
    let is_first_question = |entry: &JournalEntry| match &entry.event {
        Event::Api {
            path,
            status: Some(404),
            ..
        } => path.contains(&imp_uid) || path.contains(&order.payment_id),
        _ => false,
    };
    let first_question = play.sandbox.journal_within(ENDS_WITHIN, |journal| {
        let mut since = journal.iter().filter(|entry| entry.seq > mark);
        since.any(is_first_question)
    });
    let mut answer = std::pin::pin!(play.come_back(&visit, &right, about));
    // A server that asks nothing at all, or not about this payment, is judged by its answer.
    let early = tokio::select! {
        answer = &mut answer => Some(answer),
        _ = first_question => None,
    };
    play.push_clock(Duration::from_secs(2));
    match early {
        Some(answer) => answer?,
        None => answer.await?,
    };
    play.step("the payment has appeared");
    if play.target.supports(Feature::Webhooks) {
        play.send_webhook(&imp_uid, None).await?;
        play.paid_once(&order).await?;
    }
    play.come_back_until(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await
}

/// Calls to `getToken` that signing in again may cost.
const SIGN_INS_MAX: usize = 2;

async fn token_refused(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V1).await?;
    let (_, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
    play.step("PortOne has forgotten the access token");
    play.sandbox.revoke_token();
    let before = play.sandbox.calls("token");
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    let sign_ins = play.sandbox.calls("token") - before;
    if sign_ins > SIGN_INS_MAX {
        return Err(super::Break::Failed(format!(
            "signed in {sign_ins} times for one refused token; once is right"
        )));
    }
    play.paid_once(&order).await
}

/// Life left in the token when another server prolongs it; below the minute from which PortOne does that.
const LAST_SECONDS: Duration = Duration::from_secs(30);
/// Past the token's first expiry, and before the one it is prolonged to (five minutes later).
const PAST_EXPIRY: Duration = Duration::from_secs(60);
/// Past all of it.
const LONG_PAST: Duration = Duration::from_secs(60 * 60);

async fn token_shared(play: &Play<'_>) -> Played {
    play.stop_clock();
    let pay = async |when: &str| {
        play.step(when);
        let order = play.order(Generation::V1).await?;
        let (_, visit) = play.buy(&order, "pay", WebhookMode::Never).await?;
        play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
        play.paid_once(&order).await
    };
    pay("the token is fresh").await?;
    let left = play.token_seconds_left().await?;
    play.push_clock(left.saturating_sub(LAST_SECONDS));
    play.step("three servers ask for a token in its last minute");
    let (first, second, third) = tokio::join!(play.token(), play.token(), play.token());
    let same = [first?, second?, third?];
    if same.iter().any(|token| *token != same[0]) {
        return Err(super::Break::own("PortOne gave three different tokens"));
    }
    pay("the token was prolonged by another server").await?;
    play.push_clock(LAST_SECONDS + PAST_EXPIRY);
    pay("the token's first expiry is over").await?;
    play.push_clock(LONG_PAST);
    pay("the token has expired").await
}
