//! PortOne V2: other names, signed webhooks, more messages.

use serde_json::{Value, json};
use url::Url;

use super::play::{Break, Play, answer_of, webhook_is};
use super::target::{Feature, Generation, Order, OrderStatus, Outcome, Visit};
use super::{Played, Scenario, scenario};
use crate::v2::{LIVE_CHANNEL_KEY, TEST_CHANNEL_KEY};
use crate::webhook::ENDS_WITHIN;
use crate::{Event, JournalEntry, WebhookMode};

/// A live channel of the sandbox.
pub(super) const CHANNEL_KEY: &str = LIVE_CHANNEL_KEY;

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario!(
        48,
        "v2-return",
        V2,
        [],
        comes_back,
        "V2 returns with paymentId and txId, in today's names and in older ones, or with a code: paid, or failed."
    ),
    scenario!(
        49,
        "v2-account",
        V2,
        [VirtualAccounts],
        account,
        "V2 issues an account that is paid into later: shown as not paid, then paid once."
    ),
    scenario!(
        50,
        "v2-signatures",
        V2,
        [Webhooks],
        signatures,
        "Webhooks with a bad, missing, old or borrowed signature are answered 400; a good one, also beside another key's, 200, once."
    ),
    scenario!(
        51,
        "v2-out-of-order",
        V2,
        [Webhooks],
        out_of_order,
        "Retries overtake each other: Paid before Ready, an old Failed after Paid. The state comes from the API alone."
    ),
    scenario!(
        52,
        "v2-unknown-webhooks",
        V2,
        [Webhooks],
        unknown_webhooks,
        "A webhook of a type, or with a field, that does not exist yet: answered 200, ignored."
    ),
    scenario!(
        53,
        "v2-second-attempt",
        V2,
        [],
        second_attempt,
        "The first attempt of a payment fails, the second one pays: paid once, also in the old tab."
    ),
    scenario!(
        54,
        "v2-test-channel",
        V2,
        [],
        test_channel,
        "The page was changed to pay through a V2 test channel: not paid in production."
    ),
    scenario!(
        55,
        "v2-manual-confirm",
        V2,
        [],
        manual_confirm,
        "The return brings a paymentToken and nothing is approved yet: not paid before PortOne has confirmed it."
    ),
    scenario!(
        56,
        "v2-partial-cancel-and-dispute",
        V2,
        [Refunds],
        partial_cancel_and_dispute,
        "A part is given back, then the rest; another payment is disputed and the dispute resolved: recorded, nothing lost."
    ),
];

const PAID_AS_ORDERED: &str = "for a payment that PortOne says is paid as ordered";
const FORGED: &str = "because a forged webhook said so";
const OPEN: [OrderStatus; 1] = [OrderStatus::Open];

impl Play<'_> {
    /// `PortOne.requestPayment` on a phone: the `txId` of a freshly opened window.
    async fn open_v2(&self, order: &Order, more: Value) -> Result<String, Break> {
        let config = self.sandbox_url("_sandbox/v2/config")?;
        let config = self.read(self.http().get(config)).await?;
        let mut parameters = json!({
            "storeId": config["store_id"],
            "channelKey": order.channel_key.as_deref().unwrap_or(CHANNEL_KEY),
            "paymentId": order.payment_id,
            "orderName": order.name,
            "totalAmount": order.amount,
            "currency": order.currency,
            "payMethod": "CARD",
            "redirectUrl": self.target.redirect_url(order).as_str(),
        });
        super::play::merge(&mut parameters, more);
        let opened = self.control("v2/checkout", &parameters).await?;
        match opened["txId"].as_str() {
            Some(transaction_id) => Ok(transaction_id.into()),
            None => Err(Break::own(format!("no payment window opened: {opened}"))),
        }
    }

    /// Opens a window, presses a button, and returns the `txId` and the way back.
    async fn buy_v2(
        &self,
        order: &Order,
        choice: &str,
        more: Value,
    ) -> Result<(String, Visit), Break> {
        let transaction_id = self.open_v2(order, more).await?;
        let url = self.sandbox_url(&format!("_sandbox/v2/window/{transaction_id}"))?;
        let mode = self.webhook_mode(WebhookMode::After);
        let back = self.press(url, choice, mode).await?;
        match back {
            Some(url) => Ok((transaction_id, Visit::get(url))),
            None => Err(Break::own(format!(
                "the window sent nobody back after {choice}"
            ))),
        }
    }

    /// A webhook made by hand (`POST /_sandbox/v2/webhook`), which is answered `right`.
    async fn post_v2_webhook(&self, webhook: Value, right: u16) -> Played {
        let sent = self.control("v2/webhook", &webhook).await?;
        let receipts = sent["webhooks"].as_array().map_or(&[][..], Vec::as_slice);
        if receipts.is_empty() {
            return Err(Break::own("no webhook was sent"));
        }
        for receipt in receipts {
            webhook_is(answer_of(receipt), right)?;
        }
        Ok(())
    }

    /// Waits until PortOne has the answer to its own webhook of this type about this order: 200.
    async fn told(&self, mark: u64, order: &Order, kind: &str) -> Played {
        if !self.target.supports(Feature::Webhooks) {
            return Ok(());
        }
        let answers = |journal: &[JournalEntry]| {
            journal
                .iter()
                .filter(|entry| entry.seq > mark)
                .find_map(|entry| match &entry.event {
                    Event::V2Webhook {
                        payment_id,
                        event,
                        answer,
                        error,
                        duration_ms: Some(_),
                        ..
                    } if *payment_id == order.payment_id && *event == kind => {
                        Some(answer.ok_or(error.unwrap_or("no answer")))
                    }
                    _ => None,
                })
        };
        let journal = self
            .sandbox
            .journal_within(ENDS_WITHIN, |journal| answers(journal).is_some())
            .await
            .ok_or_else(|| Break::own(format!("the sandbox sent no {kind}")))?;
        webhook_is(answers(&journal).unwrap_or(Err("no answer")), 200)
    }
}

async fn comes_back(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let mark = play.mark();
    play.step("the buyer pays by card and comes back");
    let (transaction_id, visit) = play.buy_v2(&order, "pay", json!({})).await?;
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.step("PortOne's webhook has been answered");
    play.told(mark, &order, "Transaction.Paid").await?;
    play.paid_once(&order).await?;
    for (spelling, parameters) in [
        (
            "with the paymentId alone",
            vec![("paymentId", order.payment_id.as_str())],
        ),
        (
            "in the names of 2023",
            vec![
                ("payment_id", order.payment_id.as_str()),
                ("tx_id", transaction_id.as_str()),
            ],
        ),
        (
            "with a code, although it is paid",
            vec![
                ("transactionType", "PAYMENT"),
                ("txId", transaction_id.as_str()),
                ("paymentId", order.payment_id.as_str()),
                ("code", "FAILURE_TYPE_PG"),
                ("message", "결제에 실패하였습니다."),
            ],
        ),
    ] {
        play.step(format!("the buyer comes back {spelling}"));
        let visit = play.way_back(&order, &parameters);
        play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
    }
    play.paid_once(&order).await?;

    play.step("the card is declined, and the buyer comes back with a code");
    let order = play.order(Generation::V2).await?;
    let mark = play.mark();
    let (_, visit) = play.buy_v2(&order, "decline", json!({})).await?;
    play.come_back(&visit, &[Outcome::Failed], "for a card that was declined")
        .await?;
    play.told(mark, &order, "Transaction.Failed").await?;
    play.order_is(&order, &OPEN, "after the card was declined")
        .await
}

async fn account(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let mark = play.mark();
    play.step("an account is issued and the buyer comes back");
    let issue = json!({"payMethod": "VIRTUAL_ACCOUNT", "virtualAccount": {"accountExpiry": {"validHours": 72}}});
    let (transaction_id, visit) = play.buy_v2(&order, "issue_virtual_account", issue).await?;
    let about = "for an account that nobody has paid into yet";
    play.come_back(&visit, &[Outcome::VirtualAccountIssued], about)
        .await?;
    play.told(mark, &order, "Transaction.VirtualAccountIssued")
        .await?;
    play.order_is(&order, &[OrderStatus::AwaitingDeposit], about)
        .await?;
    play.step("the deposit arrives");
    let mark = play.mark();
    play.control(&format!("v2/payments/{transaction_id}/deposit"), &json!({}))
        .await?;
    play.told(mark, &order, "Transaction.Paid").await?;
    play.paid_once(&order).await?;
    play.come_back_until(
        &visit,
        &[Outcome::Paid],
        "for an account that was paid into",
    )
    .await
}

/// Older and newer than a signature may be: five minutes, and a little more.
const TOO_OLD_S: i64 = -310;
const TOO_NEW_S: i64 = 310;

async fn signatures(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let transaction_id = play.pay_quietly(&order).await?;
    let webhook = |more: Value| {
        let mut webhook = json!({
            "type": "Transaction.Paid",
            "payment_id": order.payment_id,
            "transaction_id": transaction_id,
            "webhook_id": format!("check-{}", order.payment_id),
        });
        super::play::merge(&mut webhook, more);
        webhook
    };
    for (what, forgery) in [
        (
            "signed with a key that the shop does not have",
            json!({"signature": "bad"}),
        ),
        ("without a signature", json!({"signature": "missing"})),
        (
            "signed more than five minutes ago",
            json!({"timestamp_offset_s": TOO_OLD_S}),
        ),
        (
            "signed more than five minutes from now",
            json!({"timestamp_offset_s": TOO_NEW_S}),
        ),
    ] {
        play.step(format!("a webhook comes {what}"));
        play.post_v2_webhook(webhook(forgery), 400).await?;
        play.order_is(&order, &OPEN, FORGED).await?;
    }

    play.step("while keys are exchanged, a webhook comes signed with a key of the shop and one it does not have");
    play.post_v2_webhook(webhook(json!({"signature": "rotating"})), 200)
        .await?;
    play.paid_once(&order).await?;
    play.step("the same webhook comes again, three times at once");
    play.post_v2_webhook(webhook(json!({"copies": 3})), 200)
        .await?;
    play.paid_once(&order).await?;
    for version in ["2024-01-01", "2024-01-01-form"] {
        play.step(format!(
            "a webhook of version {version} tells of another payment"
        ));
        let order = play.order(Generation::V2).await?;
        let transaction_id = play.pay_quietly(&order).await?;
        let webhook = json!({
            "version": version,
            "type": "Transaction.Paid",
            "payment_id": order.payment_id,
            "transaction_id": transaction_id,
        });
        play.post_v2_webhook(webhook, 200).await?;
        play.paid_once(&order).await?;
    }
    Ok(())
}

async fn out_of_order(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    play.sandbox.set_webhook(WebhookMode::Never);
    let first = play.open_v2(&order, json!({})).await?;
    let url = play.sandbox_url(&format!("_sandbox/v2/window/{first}"))?;
    play.press(url, "decline", WebhookMode::Never).await?;
    let second = play.pay_quietly(&order).await?;
    for (number, (transaction_id, kind)) in [
        (&second, "Transaction.Paid"),
        (&second, "Transaction.Ready"),
        (&first, "Transaction.Failed"),
        (&first, "Transaction.Ready"),
        (&second, "Transaction.Paid"),
    ]
    .into_iter()
    .enumerate()
    {
        play.step(format!("{kind} arrives as number {}", number + 1));
        let webhook = json!({
            "type": kind,
            "payment_id": order.payment_id,
            "transaction_id": transaction_id,
        });
        play.post_v2_webhook(webhook, 200).await?;
        play.paid_once(&order).await?;
    }
    Ok(())
}

async fn unknown_webhooks(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let timestamp = "2026-01-01T00:00:00.000Z";
    let paid = |transaction_id: &str, kind: &str| {
        json!({
            "type": kind,
            "timestamp": timestamp,
            "data": {
                "paymentId": order.payment_id,
                "transactionId": transaction_id,
                "future": {"a": [1]},
            },
            "future": "field",
        })
    };
    for (what, body) in [
        ("of an unknown type", paid("future", "Transaction.Future")),
        (
            "of another kind altogether",
            json!({"type": "Weather.Changed", "timestamp": timestamp, "data": {"rain": true}}),
        ),
        (
            "of a billing key",
            json!({"type": "BillingKey.Issued", "timestamp": timestamp, "data": {"billingKey": "billing-key-1"}}),
        ),
    ] {
        play.step(format!("a webhook {what} arrives"));
        play.post_v2_webhook(json!({"body": body.to_string()}), 200)
            .await?;
        play.order_is(&order, &OPEN, "although nobody paid").await?;
    }
    play.step("a webhook with unknown fields tells of a payment");
    let transaction_id = play.pay_quietly(&order).await?;
    let body = paid(&transaction_id, "Transaction.Paid");
    play.post_v2_webhook(json!({"body": body.to_string()}), 200)
        .await?;
    play.paid_once(&order).await
}

async fn second_attempt(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let mark = play.mark();
    play.step("the first attempt is declined");
    let (_, first) = play.buy_v2(&order, "decline", json!({})).await?;
    play.come_back(&first, &[Outcome::Failed], "for a card that was declined")
        .await?;
    play.told(mark, &order, "Transaction.Failed").await?;
    let mark = play.mark();
    play.step("the second attempt is approved");
    let (_, second) = play.buy_v2(&order, "pay", json!({})).await?;
    play.come_back(&second, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.told(mark, &order, "Transaction.Paid").await?;
    play.paid_once(&order).await?;
    play.step("the tab of the first attempt is loaded again");
    play.come_back(&first, &[Outcome::Paid], "for an order that is paid")
        .await?;
    play.paid_once(&order).await
}

async fn test_channel(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let mark = play.mark();
    let about = "for a payment through a test channel, where no money moves";
    let swapped = json!({"channelKey": TEST_CHANNEL_KEY});
    let (_, visit) = play.buy_v2(&order, "pay", swapped).await?;
    play.step("the buyer comes back");
    let right = [
        Outcome::Held,
        Outcome::Failed,
        Outcome::NotFound,
        Outcome::Refunded,
    ];
    play.come_back(&visit, &right, about).await?;
    play.step("PortOne's webhook says paid");
    play.told(mark, &order, "Transaction.Paid").await?;
    let right = [OrderStatus::Held, OrderStatus::Open, OrderStatus::Refunded];
    play.order_is(&order, &right, about).await
}

async fn manual_confirm(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    let (transaction_id, visit) = play.buy_v2(&order, "authenticate", json!({})).await?;
    let token = visit
        .url
        .query_pairs()
        .find_map(|(name, value)| (name == "paymentToken").then(|| value.into_owned()))
        .ok_or_else(|| Break::own("the window gave no paymentToken"))?;
    play.step("the buyer comes back with a paymentToken");
    let answer = play.visit(&visit).await?;
    if play.v2_status(&order).await? == "PAID" {
        // The server has confirmed it itself, which is its right; PortOne has compared the amounts.
        play.come_back_until(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
            .await?;
        return play.paid_once(&order).await;
    }
    play.judge(
        &answer,
        &[Outcome::Pending, Outcome::Unconfirmed],
        "for a payment that nobody has confirmed yet",
    )?;
    play.order_is(&order, &OPEN, "although nobody has confirmed the payment")
        .await?;
    play.step("the shop's own program confirms it");
    let mark = play.mark();
    let body = json!({
        "paymentToken": token,
        "txId": transaction_id,
        "totalAmount": order.amount,
        "currency": order.currency,
    });
    play.call_v2(reqwest::Method::POST, &order, Some("confirm"), Some(body))
        .await?;
    play.told(mark, &order, "Transaction.Paid").await?;
    play.come_back_until(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await
}

async fn partial_cancel_and_dispute(play: &Play<'_>) -> Played {
    let order = play.order(Generation::V2).await?;
    play.step("the buyer pays by card and comes back");
    let (transaction_id, visit) = play.buy_v2(&order, "pay", json!({})).await?;
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    play.paid_once(&order).await?;
    let part = order.amount / 5;
    for (what, amount, event, outcome, status, given_back) in [
        (
            "a part is given back in the console",
            json!({"amount": part}),
            "Transaction.PartialCancelled",
            Outcome::PartiallyRefunded,
            OrderStatus::PartiallyRefunded,
            part,
        ),
        (
            "the rest is given back in the console",
            json!({}),
            "Transaction.Cancelled",
            Outcome::Refunded,
            OrderStatus::Refunded,
            order.amount,
        ),
    ] {
        play.step(what);
        let mark = play.mark();
        play.control(&format!("v2/payments/{transaction_id}/cancel"), &amount)
            .await?;
        play.told(mark, &order, event).await?;
        let about = format!("although {given_back} won were given back");
        play.come_back_until(&visit, &[outcome], &about).await?;
        play.order_becomes(&order, &[status], &about).await?;
        play.refunded_becomes(&order, given_back).await?;
    }

    let order = play.order(Generation::V2).await?;
    let (transaction_id, visit) = play.buy_v2(&order, "pay", json!({})).await?;
    play.come_back(&visit, &[Outcome::Paid], PAID_AS_ORDERED)
        .await?;
    for (resolved, event) in [
        (false, "Transaction.DisputeCreated"),
        (true, "Transaction.DisputeResolved"),
    ] {
        play.step(format!("{event} arrives"));
        let mark = play.mark();
        play.control(
            &format!("v2/payments/{transaction_id}/dispute"),
            &json!({"resolved": resolved}),
        )
        .await?;
        play.told(mark, &order, event).await?;
        play.paid_once(&order).await?;
    }
    play.come_back(&visit, &[Outcome::Paid], "for a payment that was disputed")
        .await
        .map(drop)
}

impl Play<'_> {
    /// Pays for the order without anybody being told.
    async fn pay_quietly(&self, order: &Order) -> Result<String, Break> {
        self.sandbox.set_webhook(WebhookMode::Never);
        let transaction_id = self.open_v2(order, json!({})).await?;
        let url = self.sandbox_url(&format!("_sandbox/v2/window/{transaction_id}"))?;
        self.press(url, "pay", WebhookMode::Never).await?;
        Ok(transaction_id)
    }

    /// The status of the order's payment, as PortOne has it.
    async fn v2_status(&self, order: &Order) -> Result<String, Break> {
        let payment = self
            .call_v2(reqwest::Method::GET, order, None, None)
            .await?;
        Ok(payment["status"].as_str().unwrap_or_default().into())
    }

    /// PortOne's V2 API, as another program of the shop calls it.
    async fn call_v2(
        &self,
        method: reqwest::Method,
        order: &Order,
        action: Option<&str>,
        body: Option<Value>,
    ) -> Result<Value, Break> {
        let mut url: Url = self.sandbox_url("v2/payments/")?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .push(&order.payment_id)
                .extend(action);
        }
        let mut request = self.http().request(method, url).header(
            "authorization",
            format!("PortOne {}", self.sandbox.api_secret()),
        );
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.read(request).await
    }
}
