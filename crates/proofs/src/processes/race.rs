//! Two servers on one PostgreSQL, told of the same payment at the same time.
//!
//! Each round has fresh orders. Everybody who may speak of a payment speaks of it at once, to both servers: the buyer comes
//! back twice, PortOne posts its webhook to each, the shop asks each, and in some rounds closes the order. Some payments are
//! given back afterwards, some orders are paid twice, and some transactions move to another order while both ask for it.
//! Whoever wins, there is one transition of each kind, one event for it, one accepted transaction, and one answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use parking_lot::Mutex;
use portone_sandbox::Sandbox;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wanryo::adapters::system::SystemClock;
use wanryo::domain::order::Portone;
use wanryo::ports::clock::Clock;

use super::Setup;
use super::database::Database;
use super::server::Program;
use super::shop::{Answer, Attempt, Shop, attempt, client};
use crate::report::Report;

/// Rounds at a time; each is several requests at a time.
const ROUNDS_AT_ONCE: usize = 6;
/// Rounds in one database, between two looks at its tables and between two sandboxes: the sandbox forgets nothing.
const ROUNDS_PER_HEAT: u64 = 2_000;
/// How often a server that says it is busy is asked again for its last word.
const ASKS_MAX: u32 = 20;
/// What orders cost.
const AMOUNT: i64 = 65_000;
/// Broken promises that are listed.
const FAILURES_MAX: usize = 20;

/// What happens in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// One payment.
    Paid,
    /// One payment, and the shop closes the order meanwhile.
    Closed,
    /// One payment that is given back in two parts.
    Refunded,
    /// Two payments of one order.
    Twice,
    /// One payment that PortOne shows as another order's while both are asked about.
    Moved,
}

/// What a round leaves behind: which events its orders must have told of, as alternatives.
#[derive(Debug)]
struct Expected {
    kind: Kind,
    /// For the orders of the round together, each in the order of its events.
    events: &'static [&'static [&'static str]],
    payment_ids: Vec<String>,
}

/// Counts of one run.
#[derive(Debug, Default)]
struct Found {
    rounds: u64,
    requests: u64,
    busy: u64,
    kinds: BTreeMap<String, u64>,
    deadlocks: u64,
    failures: Vec<String>,
}

/// Runs the proof.
///
/// # Errors
/// When it cannot be run, for want of a PostgreSQL above all; a broken promise is in the report.
pub async fn run(setup: &Setup, rounds: u64) -> anyhow::Result<Report> {
    let began = Instant::now();
    let server = setup
        .database_url
        .as_ref()
        .context("two servers share PostgreSQL alone: --database-url must name one")?;
    let mut found = Found::default();
    let mut first = 0;
    while first < rounds {
        let heat = ROUNDS_PER_HEAT.min(rounds - first);
        run_heat(setup, server, first, heat, &mut found).await?;
        first += heat;
    }
    let kinds: Vec<String> = found
        .kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    Ok(Report {
        proof: "race".to_owned(),
        unit: "rounds".to_owned(),
        count: found.rounds,
        settings: format!("--seed {}; 2 servers, PostgreSQL", setup.seed),
        notes: vec![
            format!("rounds: {}", kinds.join(", ")),
            format!(
                "{} requests, {} of them answered \"busy\"; PostgreSQL resolved {} deadlocks",
                found.requests, found.busy, found.deadlocks
            ),
        ],
        failures: found.failures,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Rounds against one pair of servers.
async fn run_heat(
    setup: &Setup,
    server: &str,
    first: u64,
    rounds: u64,
    found: &mut Found,
) -> anyhow::Result<()> {
    let database = Database::postgres(server).await?;
    let sandbox = Arc::new(Sandbox::builder().seed(setup.seed).spawn().await?);
    let program = Program {
        path: setup.program()?,
        database_url: database.url()?,
        sandbox: sandbox.url().clone(),
    };
    let key = program.make_key().await?;
    let servers = [program.start().await?, program.start().await?];
    let client = client()?;
    let shops = servers.each_ref().map(|server| Shop {
        client: client.clone(),
        base: server.base.clone(),
        key: key.clone(),
    });
    let track = Arc::new(Track {
        sandbox,
        shops,
        counts: Mutex::new((0, 0)),
        failures: Mutex::new(Vec::new()),
    });
    let mut expected = Vec::new();
    let mut waiting = first..first + rounds;
    let mut running = JoinSet::new();
    loop {
        while running.len() < ROUNDS_AT_ONCE
            && let Some(number) = waiting.next()
        {
            let track = Arc::clone(&track);
            let seed = setup.seed.wrapping_mul(1_000_003).wrapping_add(number);
            running.spawn(async move { race(&track, number, StdRng::seed_from_u64(seed)).await });
        }
        match running.join_next().await {
            Some(round) => expected.push(round??),
            None => break,
        }
    }
    for server in servers {
        server.kill().await?;
    }
    found.rounds += rounds;
    let (requests, busy) = *track.counts.lock();
    found.requests += requests;
    found.busy += busy;
    for round in &expected {
        *found
            .kinds
            .entry(format!("{:?}", round.kind).to_lowercase())
            .or_default() += 1;
    }
    let deadlocks = database
        .read("SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()")
        .await?;
    found.deadlocks += deadlocks
        .first()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    let mut failures = std::mem::take(&mut *track.failures.lock());
    failures.extend(check(&database, &expected).await?);
    let room = FAILURES_MAX.saturating_sub(found.failures.len());
    found.failures.extend(failures.into_iter().take(room));
    database.remove().await
}

/// Two servers, and everybody who talks to them.
struct Track {
    sandbox: Arc<Sandbox>,
    shops: [Shop; 2],
    /// Requests, and those that were answered "busy".
    counts: Mutex<(u64, u64)>,
    failures: Mutex<Vec<String>>,
}

/// What somebody says to a server.
#[derive(Debug, Clone)]
enum Word {
    Redirect(Attempt),
    Webhook(Attempt),
    Sync(String),
    Close(String),
}

impl Track {
    /// Everybody speaks at once; who is heard first is drawn twice, by the seed and by the machine.
    async fn all_at_once(
        self: &Arc<Self>,
        mut words: Vec<(usize, Word)>,
        rng: &mut StdRng,
    ) -> anyhow::Result<()> {
        words.shuffle(rng);
        let mut speaking = JoinSet::new();
        for (server, word) in words {
            let track = Arc::clone(self);
            speaking.spawn(async move { track.say(server, word).await });
        }
        for said in speaking.join_all().await {
            said?;
        }
        Ok(())
    }

    async fn say(&self, server: usize, word: Word) -> anyhow::Result<()> {
        let shop = &self.shops[server];
        let answer = match &word {
            Word::Redirect(attempt) => shop.redirect(attempt).await?,
            Word::Webhook(attempt) => {
                let id = format!("{}-{}", attempt.payment_id, attempt.transaction_id);
                shop.webhook(attempt, &id, SystemClock.now()).await?
            }
            Word::Sync(id) => shop.sync(id).await?,
            Word::Close(id) => shop.close(id).await?,
        };
        self.count(&answer);
        // Money has moved in every round, so whoever is told "failed" is told a lie, and "try again" charges them twice.
        let wrong = match word {
            Word::Redirect(_) => answer.outcome() == "failed",
            Word::Webhook(_) => answer.status != StatusCode::OK,
            Word::Sync(_) | Word::Close(_) => {
                answer.status.is_client_error() && answer.status != StatusCode::CONFLICT
            }
        };
        if wrong {
            self.failures.lock().push(format!(
                "{word:?} was answered {} {}",
                answer.status, answer.json
            ));
        }
        Ok(())
    }

    fn count(&self, answer: &Answer) {
        let mut counts = self.counts.lock();
        counts.0 += 1;
        counts.1 += u64::from(answer.status == StatusCode::SERVICE_UNAVAILABLE);
    }

    /// The last word of both servers about an order, which must be the same.
    async fn last_word(&self, payment_id: &str) -> anyhow::Result<Value> {
        let mut words = Vec::new();
        for shop in &self.shops {
            let mut answer = shop.sync(payment_id).await?;
            for _ in 0..ASKS_MAX {
                if answer.status == StatusCode::OK {
                    break;
                }
                answer = shop.sync(payment_id).await?;
            }
        }
        for shop in &self.shops {
            let order = shop.read_order(payment_id).await?.json;
            words.push(json!({ "status": order["status"], "transaction_id": order["transaction_id"], "refunded": order["refunded_amount"] }));
        }
        if words[0] != words[1] {
            self.failures.lock().push(format!(
                "{payment_id}: one server says {}, the other {}",
                words[0], words[1]
            ));
        }
        Ok(words.swap_remove(0))
    }

    fn must(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.failures.lock().push(what());
        }
    }
}

/// The buyer, PortOne and the shop, each to both servers.
fn crowd(attempt: &Attempt) -> Vec<(usize, Word)> {
    [0, 1]
        .into_iter()
        .flat_map(|server| {
            [
                (server, Word::Redirect(attempt.clone())),
                (server, Word::Webhook(attempt.clone())),
                (server, Word::Sync(attempt.payment_id.clone())),
            ]
        })
        .collect()
}

/// One round.
async fn race(track: &Arc<Track>, number: u64, mut rng: StdRng) -> anyhow::Result<Expected> {
    let kind = match rng.random_range(0..10) {
        0..4 => Kind::Paid,
        4 => Kind::Closed,
        5 | 6 => Kind::Refunded,
        7 | 8 => Kind::Twice,
        _ => Kind::Moved,
    };
    let portone = match kind {
        Kind::Paid | Kind::Closed if rng.random_ratio(1, 4) => Portone::V2,
        // The rest is played with the controls of the sandbox's V1.
        Kind::Paid | Kind::Closed | Kind::Refunded | Kind::Twice | Kind::Moved => Portone::V1,
    };
    let id = format!("RACE-{number}");
    order(track, portone, &id, &mut rng).await?;
    let client = &track.shops[0].client;
    let paid = attempt(client, &track.sandbox, portone, &id, AMOUNT, "paid").await?;
    let (events, payment_ids): (&[&[&str]], _) = match kind {
        Kind::Paid => {
            track.all_at_once(crowd(&paid), &mut rng).await?;
            let word = track.last_word(&id).await?;
            track.must(word["status"] == "paid", || format!("{id} ends as {word}"));
            (&[&["order.paid"]], vec![id])
        }
        Kind::Closed => {
            let mut words = crowd(&paid);
            words.push((rng.random_range(0..2), Word::Close(id.clone())));
            track.all_at_once(words, &mut rng).await?;
            let word = track.last_word(&id).await?;
            track.must(
                word["status"] == "paid" || word["status"] == "closed",
                || format!("{id} ends as {word}"),
            );
            (&[&["order.paid"], &["order.late_payment"]], vec![id])
        }
        Kind::Refunded => {
            track.all_at_once(crowd(&paid), &mut rng).await?;
            for (amount, status) in [(10_000, "partially_refunded"), (55_000, "refunded")] {
                give_back(track, &paid, amount).await?;
                track.all_at_once(crowd(&paid), &mut rng).await?;
                let word = track.last_word(&id).await?;
                track.must(word["status"] == status, || {
                    format!("{id} ends as {word}, not {status}")
                });
            }
            (
                &[&["order.paid", "order.partially_refunded", "order.refunded"]],
                vec![id],
            )
        }
        Kind::Twice => {
            let again = attempt(client, &track.sandbox, portone, &id, AMOUNT, "paid").await?;
            let mut words = crowd(&paid);
            words.extend(crowd(&again));
            track.all_at_once(words, &mut rng).await?;
            let word = track.last_word(&id).await?;
            track.must(word["status"] == "paid", || format!("{id} ends as {word}"));
            (&[&["order.paid", "order.duplicate_payment"]], vec![id])
        }
        Kind::Moved => {
            let other = format!("{id}-B");
            order(track, portone, &other, &mut rng).await?;
            let moved = Attempt {
                payment_id: other.clone(),
                ..paid.clone()
            };
            let mut words = crowd(&paid);
            words.extend(crowd(&moved));
            let speaking = track.all_at_once(words, &mut rng);
            let moving = async {
                track
                    .sandbox
                    .patch_payment(&paid.transaction_id, json!({ "merchant_uid": other }))?;
                anyhow::Ok(())
            };
            let (said, moved) = tokio::join!(speaking, moving);
            said?;
            moved?;
            let words = [track.last_word(&id).await?, track.last_word(&other).await?];
            let accepted = words
                .iter()
                .filter(|word| word["transaction_id"] == paid.transaction_id.as_str())
                .count();
            track.must(accepted == 1, || {
                format!("{accepted} orders took {}: {words:?}", paid.transaction_id)
            });
            (&[&["order.paid"]], vec![id, other])
        }
    };
    Ok(Expected {
        kind,
        events,
        payment_ids,
    })
}

async fn order(track: &Track, portone: Portone, id: &str, rng: &mut StdRng) -> anyhow::Result<()> {
    let made = track.shops[rng.random_range(0..2)]
        .make_order(portone, id, AMOUNT)
        .await?;
    anyhow::ensure!(
        made.status == StatusCode::CREATED,
        "{id} was not made: {} {}",
        made.status,
        made.json
    );
    Ok(())
}

/// The merchant gives back a part in PortOne's console, and no message tells of it.
async fn give_back(track: &Track, attempt: &Attempt, amount: i64) -> anyhow::Result<()> {
    let path = format!("_sandbox/payments/{}/cancel", attempt.transaction_id);
    let answer = track.shops[0]
        .client
        .post(track.sandbox.url().join(&path)?)
        .json(&json!({ "amount": amount }))
        .send()
        .await?;
    anyhow::ensure!(
        answer.status().is_success(),
        "the sandbox gave nothing back: {}",
        answer.text().await?
    );
    Ok(())
}

/// What the tables hold, for all rounds at once.
async fn check(database: &Database, rounds: &[Expected]) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let events: BTreeMap<String, Vec<String>> = grouped(
        database
            .read("SELECT payment_id || '|' || event_type FROM outbox ORDER BY payment_id, seq")
            .await?,
    );
    for round in rounds {
        let told: Vec<&str> = round
            .payment_ids
            .iter()
            .filter_map(|id| events.get(id))
            .flatten()
            .map(String::as_str)
            .collect();
        if !round.events.contains(&told.as_slice()) {
            failures.push(format!(
                "{:?} {}: the outbox tells of {told:?}",
                round.kind,
                round.payment_ids.join(", ")
            ));
        }
    }
    let accepted_twice = database
        .read("SELECT accepted_transaction_id FROM orders WHERE accepted_transaction_id IS NOT NULL GROUP BY accepted_transaction_id HAVING COUNT(*) > 1")
        .await?;
    failures.extend(
        accepted_twice
            .iter()
            .map(|id| format!("{id} pays two orders")),
    );
    let transitions_twice = database
        .read("SELECT payment_id || ' ' || data FROM history WHERE kind = 'transition' GROUP BY payment_id, data HAVING COUNT(*) > 1")
        .await?;
    failures.extend(
        transitions_twice
            .iter()
            .map(|entry| format!("the same transition twice: {entry}")),
    );
    Ok(failures)
}

fn grouped(rows: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        if let Some((id, event)) = row.split_once('|') {
            groups
                .entry(id.to_owned())
                .or_default()
                .push(event.to_owned());
        }
    }
    groups
}
