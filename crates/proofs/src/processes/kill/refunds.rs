//! Refunds among the kills: the shop asks, asks again when nobody answered, and PortOne gives each sum back once.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::super::database::Database;
use super::super::shop::{Shop, given_back};
use super::{AMOUNT, Truth, World};

/// A refund that the shop wants, by a name that it keeps.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The name of the request.
    key: String,
    amount: i64,
    /// Whether the server said that it has it.
    is_promised: bool,
}

impl Truth {
    /// Whether the server said that it has the order's refund.
    pub(super) fn has_promised_refund(&self) -> bool {
        self.refund
            .as_ref()
            .is_some_and(|refund| refund.is_promised)
    }
}

/// How far a refund is that can no longer move.
const ENDS: [&str; 3] = ["done", "refused", "not_done"];

/// Of what was bought before, an order to give back, or to ask about again because nobody answered.
pub(super) fn returned(world: &World, rng: &mut StdRng) -> Option<String> {
    let ledger = world.ledger.lock();
    let returnable = ledger
        .orders
        .iter()
        .filter(|(_, truth)| truth.made && truth.status == "paid" && !truth.has_promised_refund());
    let ids: Vec<&String> = returnable.map(|(id, _)| id).collect();
    let at = rng.random_range(0..ids.len().max(1));
    ids.get(at).map(|id| (*id).clone())
}

/// The shop gives back a part of a payment, or all of it, always by the same name. It may click twice.
pub(super) async fn ask(
    world: &World,
    shop: &Shop,
    payment_id: &str,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    let amount = match rng.random_range(0..3) {
        0 => AMOUNT,
        _ => rng.random_range(1..AMOUNT),
    };
    let wanted = Wanted {
        key: format!("{payment_id} back"),
        amount,
        is_promised: false,
    };
    let wanted = match world.ledger.lock().orders.get_mut(payment_id) {
        Some(truth) => truth.refund.get_or_insert(wanted).clone(),
        None => return Ok(()),
    };
    if rng.random_bool(0.3) {
        tokio::try_join!(
            send(world, shop, payment_id, &wanted),
            send(world, shop, payment_id, &wanted)
        )?;
        return Ok(());
    }
    send(world, shop, payment_id, &wanted).await
}

/// What nobody answered is asked for again, by the same name.
pub(super) async fn ask_again(world: &World, shop: &Shop, truth: &Truth) -> anyhow::Result<()> {
    match &truth.refund {
        Some(wanted) if !wanted.is_promised => {
            send(world, shop, &truth.attempt.payment_id, wanted).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn send(world: &World, shop: &Shop, payment_id: &str, wanted: &Wanted) -> anyhow::Result<()> {
    let answer = shop.refund(payment_id, &wanted.key, wanted.amount).await?;
    let is_promised = match answer.status.as_u16() {
        200 | 201 => true,
        // The same request is being answered, or PortOne could not be asked.
        409 | 503 => false,
        status => {
            let mut faults = world.faults.lock();
            faults.push(format!("a refund of {payment_id} was answered {status}"));
            false
        }
    };
    world.answered(|ledger| {
        let truth = ledger.orders.get_mut(payment_id);
        if let Some(refund) = truth.and_then(|truth| truth.refund.as_mut()) {
            refund.is_promised |= is_promised;
        }
    });
    Ok(())
}

/// Lets the hours pass after which a refund in doubt is clear. It is due at once.
pub(super) fn let_time_pass(now_microseconds: i64) -> String {
    const TWO_HOURS: i64 = 2 * 3_600 * 1_000_000;
    format!(
        "UPDATE refunds SET next_at = {now_microseconds}, called_at = called_at - {TWO_HOURS} WHERE state IN ('intended', 'calling', 'requested', 'in_doubt')"
    )
}

/// Whether an order stands as its refund has ended, once that has.
pub(super) fn is_settled(order: &Value, truth: &Truth) -> bool {
    let empty = Vec::new();
    let refunds = order["refunds"].as_array().unwrap_or(&empty);
    let has_ended = |refund: &Value| {
        let state = refund["state"].as_str().unwrap_or_default();
        ENDS.contains(&state)
    };
    let done: i64 = refunds
        .iter()
        .filter(|refund| refund["state"] == "done")
        .filter_map(|refund| refund["amount"].as_i64())
        .sum();
    let status = match done {
        0 => truth.status,
        AMOUNT => "refunded",
        _ => "partially_refunded",
    };
    refunds.len() == usize::from(truth.refund.is_some())
        && refunds.iter().all(has_ended)
        && order["status"] == status
        && order["refunded_amount"] == done
}

/// What the database holds of one order's refunds.
#[derive(Debug, Default)]
struct Held {
    rows: u64,
    done: i64,
    /// What PortOne may have been asked to give back.
    called: i64,
    amounts: Vec<i64>,
}

/// Compares the refunds in the database with what the shop asked for and with what PortOne gave back.
pub(super) async fn check(database: &Database, world: &World) -> anyhow::Result<Vec<String>> {
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    let rows = database
        .read("SELECT payment_id || '|' || state || '|' || amount_minor FROM refunds")
        .await?;
    for row in rows {
        let mut parts = row.split('|');
        let (Some(id), Some(state), Some(Ok(amount))) = (
            parts.next(),
            parts.next(),
            parts.next().map(str::parse::<i64>),
        ) else {
            anyhow::bail!("no refund: {row}");
        };
        let order = held.entry(id.to_owned()).or_default();
        order.rows += 1;
        order.amounts.push(amount);
        match state {
            "done" => {
                order.done += amount;
                order.called += amount;
            }
            "calling" | "requested" | "in_doubt" => order.called += amount,
            _ => {}
        }
    }
    let mut failures: Vec<String> = database
        .read("SELECT payment_id || ' ' || state FROM refunds WHERE state = 'refused'")
        .await?
        .into_iter()
        .map(|refund| format!("nothing stood against this refund: {refund}"))
        .collect();
    let truths: Vec<Truth> = world.ledger.lock().orders.values().cloned().collect();
    for truth in truths {
        let Some(wanted) = &truth.refund else {
            continue;
        };
        let id = &truth.attempt.payment_id;
        let held = held.remove(id).unwrap_or_default();
        if held.rows > 1 || held.amounts.iter().any(|amount| *amount != wanted.amount) {
            failures.push(format!("{id} has refunds that nobody asked for: {held:?}"));
        }
        if wanted.is_promised && held.rows == 0 {
            failures.push(format!("a refund of {id} was promised and is gone"));
        }
        let gone = given_back(&world.client, &world.sandbox, &truth.attempt).await?;
        if !(held.done..=held.called).contains(&gone) {
            failures.push(format!("PortOne gave {gone} of {id} back: {held:?}"));
        }
    }
    failures.extend(
        held.keys()
            .map(|id| format!("nobody asked for a refund of {id}")),
    );
    let told = database
        .read("SELECT payment_id FROM orders WHERE (SELECT COUNT(*) FROM refunds WHERE refunds.payment_id = orders.payment_id AND state = 'done')
            <> (SELECT COUNT(*) FROM outbox WHERE outbox.payment_id = orders.payment_id AND event_type IN ('order.refunded', 'order.partially_refunded'))
            AND NOT EXISTS (SELECT 1 FROM refunds WHERE refunds.payment_id = orders.payment_id AND state IN ('calling', 'requested', 'in_doubt'))")
        .await?;
    failures.extend(
        told.iter()
            .map(|id| format!("{id} was given back, and the outbox does not say so once")),
    );
    Ok(failures)
}
