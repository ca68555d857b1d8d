//! `kill -9` at a random moment under load, again and again, on both databases.
//!
//! While the server runs, a shop makes orders and gives money back, buyers pay, and PortOne's messages come, come twice, come
//! before their order, or never come. Then the server is killed, and its database must hold every promise it had made by then:
//! orders and refunds answered 201, webhooks answered 200, whatever an answer called paid. Nothing may be paid that PortOne does
//! not have paid, PortOne may have given nothing back that no refund stands for, and no event may stand in the outbox twice. At
//! the end of a lane every order must come to what PortOne has, by a redirect, by the shop's sync, or by nobody's asking at all,
//! and every refund to its end.

mod refunds;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portone_sandbox::Sandbox;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use wanryo::adapters::system::SystemClock;
use wanryo::domain::order::Portone;
use wanryo::ports::clock::Clock;

use super::Setup;
use super::database::Database;
use super::server::Program;
use super::shop::{Attempt, Shop, attempt, client};
use crate::report::Report;

/// Kills of one lane. A lane has a database of its own, which stays small enough to be read whole after each kill.
const KILLS_PER_LANE: u64 = 25;
/// Lanes at a time: more than cores, because a lane that converges mostly waits.
const LANES_AT_ONCE: usize = 4;
/// Everybody who talks to one server at the same time.
const VISITORS: u64 = 6;
/// A server lives this long after it takes requests, at most.
const LIFE_MAX: Duration = Duration::from_millis(500);
/// What I7 promises: once faults stop, an order is as PortOne has it within this time.
const CONVERGES_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two looks at the orders that still have to come right.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What orders cost.
const AMOUNT: i64 = 65_000;
/// Failures of one lane that are listed.
const FAILURES_MAX: usize = 10;

/// What the server has promised, and what is true.
#[derive(Debug, Default)]
struct Ledger {
    /// Every order that may exist, with what PortOne knows of it.
    orders: BTreeMap<String, Truth>,
    /// Webhooks answered 200: order, transaction, the message's id if it is V2's.
    webhooks: Vec<(String, String, Option<String>)>,
    /// Requests that were answered.
    answered: u64,
}

/// One order.
#[derive(Debug, Clone)]
struct Truth {
    /// What somebody tried to pay with.
    attempt: Attempt,
    /// What must come of the order.
    status: &'static str,
    /// Whether making it was answered 201.
    made: bool,
    /// Whether an answer said that it is paid.
    told_paid: bool,
    /// What the shop gives back of it.
    refund: Option<refunds::Wanted>,
}

/// What one lane found.
#[derive(Debug, Default)]
struct Lane {
    kills: u64,
    orders: u64,
    webhooks: u64,
    refunds: u64,
    answered: u64,
    starts: Vec<Duration>,
    converged: Vec<Duration>,
    failures: Vec<String>,
}

impl Lane {
    fn failed(&mut self, what: String) {
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(what);
        }
    }
}

/// Runs the proof.
///
/// # Errors
/// When it cannot be run; a broken promise is in the report.
pub async fn run(setup: &Setup, kills: u64) -> anyhow::Result<Report> {
    let began = Instant::now();
    setup.program()?;
    let lanes = kills.div_ceil(KILLS_PER_LANE);
    let mut waiting = (0..lanes).map(|lane| {
        let kills = KILLS_PER_LANE.min(kills - lane * KILLS_PER_LANE);
        (lane, kills)
    });
    let mut running = JoinSet::new();
    let mut found: Vec<Lane> = Vec::new();
    loop {
        while running.len() < LANES_AT_ONCE
            && let Some((lane, kills)) = waiting.next()
        {
            let setup = setup.clone();
            running.spawn(async move { run_lane(&setup, lane, kills).await });
        }
        match running.join_next().await {
            Some(lane) => found.push(lane??),
            None => break,
        }
    }
    Ok(report(setup, lanes, found, began.elapsed()))
}

fn report(setup: &Setup, lanes: u64, found: Vec<Lane>, took: Duration) -> Report {
    let sum = |part: fn(&Lane) -> u64| found.iter().map(part).sum::<u64>();
    let mut starts: Vec<Duration> = found.iter().flat_map(|lane| lane.starts.clone()).collect();
    starts.sort();
    let start = |per_cent: usize| {
        let at = (starts.len() * per_cent / 100).min(starts.len().saturating_sub(1));
        starts.get(at).map_or(0, Duration::as_millis)
    };
    let slowest = found.iter().flat_map(|lane| &lane.converged).max();
    let databases = match setup.database_url {
        Some(_) => "PostgreSQL",
        None => "SQLite",
    };
    Report {
        proof: "kill".to_owned(),
        unit: "kills".to_owned(),
        count: sum(|lane| lane.kills),
        settings: format!("--seed {}; {lanes} lanes; {databases}", setup.seed),
        notes: vec![
            format!(
                "{} requests answered, {} orders, {} webhooks and {} refunds acknowledged before a kill and looked for after it",
                sum(|lane| lane.answered),
                sum(|lane| lane.orders),
                sum(|lane| lane.webhooks),
                sum(|lane| lane.refunds)
            ),
            format!(
                "{} starts: half within {} ms, 99 of 100 within {} ms",
                starts.len(),
                start(50),
                start(99)
            ),
            format!(
                "all orders of a lane as PortOne has them after {:.1} s at most (limit {} s)",
                slowest.map_or(0.0, Duration::as_secs_f64),
                CONVERGES_WITHIN.as_secs()
            ),
        ],
        failures: found.into_iter().flat_map(|lane| lane.failures).collect(),
        seconds: took.as_secs_f64(),
    }
}

async fn run_lane(setup: &Setup, number: u64, kills: u64) -> anyhow::Result<Lane> {
    let seed = setup.seed.wrapping_mul(1_000_003).wrapping_add(number);
    let mut rng = StdRng::seed_from_u64(seed);
    let database = match &setup.database_url {
        Some(url) => Database::postgres(url).await?,
        None => Database::sqlite()?,
    };
    let sandbox = Arc::new(Sandbox::builder().seed(seed).spawn().await?);
    let program = Program {
        path: setup.program()?,
        database_url: database.url()?,
        sandbox: sandbox.url().clone(),
    };
    let mut lane = Lane::default();
    let shop = Shop {
        client: client()?,
        base: String::new(),
        key: program.make_key().await?,
    };
    let world = Arc::new(World {
        client: shop.client.clone(),
        sandbox,
        ledger: Mutex::new(Ledger::default()),
        numbers: AtomicU64::new(0),
        faults: Mutex::new(Vec::new()),
    });
    for kill in 0..kills {
        let server = program.start().await?;
        lane.starts.push(server.started_in);
        let mut visitors = JoinSet::new();
        for _ in 0..VISITORS {
            let shop = Shop {
                base: server.base.clone(),
                ..shop.clone()
            };
            let (world, rng) = (Arc::clone(&world), StdRng::from_rng(&mut rng));
            visitors.spawn(async move { visit(&world, &shop, rng).await });
        }
        // The moment of the kill is what is drawn; nothing waits for anything to be done by then.
        tokio::time::sleep(rng.random_range(Duration::ZERO..LIFE_MAX)).await;
        server.kill().await?;
        // Each visitor ends at the first request that nobody answers.
        visitors.join_all().await;
        lane.kills += 1;
        for failure in check(&database, &world).await? {
            lane.failed(format!(
                "lane {number} (seed {seed}), kill {kill}: {failure}"
            ));
        }
    }
    let ledger = std::mem::take(&mut *world.ledger.lock());
    lane.orders = ledger.orders.values().filter(|truth| truth.made).count() as u64;
    lane.webhooks = ledger.webhooks.len() as u64;
    lane.refunds = ledger
        .orders
        .values()
        .filter(|truth| truth.has_promised_refund())
        .count() as u64;
    lane.answered = ledger.answered;
    *world.ledger.lock() = ledger;
    match converge(&program, &database, &shop, &world, &mut rng).await? {
        Ok(took) => lane.converged.push(took),
        Err(stuck) => {
            lane.failed(format!("lane {number} (seed {seed}), {stuck}"));
        }
    }
    for failure in check(&database, &world).await? {
        lane.failed(format!(
            "lane {number} (seed {seed}), at the end: {failure}"
        ));
    }
    for fault in std::mem::take(&mut *world.faults.lock()) {
        lane.failed(format!("lane {number} (seed {seed}): {fault}"));
    }
    database.remove().await?;
    Ok(lane)
}

/// What outlives every kill.
struct World {
    client: reqwest::Client,
    sandbox: Arc<Sandbox>,
    ledger: Mutex<Ledger>,
    /// Numbers the orders.
    numbers: AtomicU64,
    /// Answers that were wrong whatever came after.
    faults: Mutex<Vec<String>>,
}

/// Buys one thing after the other until the server is gone.
async fn visit(world: &World, shop: &Shop, mut rng: StdRng) {
    // Whatever cannot be asked or answered is the kill; what was answered is in the ledger by then.
    loop {
        let returned = match rng.random_bool(0.4) {
            true => refunds::returned(world, &mut rng),
            false => None,
        };
        let done = match returned {
            Some(payment_id) => refunds::ask(world, shop, &payment_id, &mut rng).await,
            None => buy(world, shop, &mut rng).await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// How PortOne's news reaches the server.
#[derive(Debug, Clone, Copy)]
enum News {
    Webhook,
    WebhookTwice,
    WebhookFirst,
    Redirect,
    RedirectAndWebhook,
    Sync,
    None,
}

async fn buy(world: &World, shop: &Shop, rng: &mut StdRng) -> anyhow::Result<()> {
    let number = world.numbers.fetch_add(1, Ordering::Relaxed);
    let portone = match rng.random_range(0..4) {
        0 => Portone::V2,
        _ => Portone::V1,
    };
    let payment_id = format!("KILL-{number}");
    // PortOne's status, what was paid, and what must become of the order.
    let (paid, amount, status) = match rng.random_range(0..10) {
        0 => ("failed", AMOUNT, "open"),
        1 => ("paid", 100, "held"),
        _ => ("paid", AMOUNT, "paid"),
    };
    let news = match rng.random_range(0..8) {
        0 | 1 => News::Webhook,
        2 => News::WebhookTwice,
        3 => News::WebhookFirst,
        4 => News::Redirect,
        5 => News::RedirectAndWebhook,
        6 => News::Sync,
        _ => News::None,
    };
    let attempt = attempt(
        &shop.client,
        &world.sandbox,
        portone,
        &payment_id,
        amount,
        paid,
    )
    .await?;
    world.ledger.lock().orders.insert(
        payment_id.clone(),
        Truth {
            attempt: attempt.clone(),
            status,
            made: false,
            told_paid: false,
            refund: None,
        },
    );
    if matches!(news, News::WebhookFirst) {
        webhook(world, shop, &attempt, "first").await?;
    }
    let made = shop.make_order(portone, &payment_id, AMOUNT).await?;
    anyhow::ensure!(made.status.as_u16() == 201, "no order: {}", made.status);
    world.answered(|ledger| {
        if let Some(truth) = ledger.orders.get_mut(&payment_id) {
            truth.made = true;
        }
    });
    match news {
        News::Webhook => webhook(world, shop, &attempt, "1").await?,
        News::WebhookTwice => {
            webhook(world, shop, &attempt, "1").await?;
            webhook(world, shop, &attempt, "1").await?;
        }
        News::Redirect => redirect(world, shop, &attempt).await?,
        News::RedirectAndWebhook => {
            tokio::try_join!(
                redirect(world, shop, &attempt),
                webhook(world, shop, &attempt, "1")
            )?;
        }
        News::Sync => {
            let answer = shop.sync(&payment_id).await?;
            told(world, &attempt, answer.json["status"] == "paid");
        }
        News::WebhookFirst | News::None => {}
    }
    if status == "paid" && rng.random_bool(0.2) {
        refunds::ask(world, shop, &payment_id, rng).await?;
    }
    Ok(())
}

impl World {
    fn answered(&self, note: impl FnOnce(&mut Ledger)) {
        let mut ledger = self.ledger.lock();
        ledger.answered += 1;
        note(&mut ledger);
    }
}

async fn webhook(world: &World, shop: &Shop, attempt: &Attempt, name: &str) -> anyhow::Result<()> {
    let id = format!("{}-{name}", attempt.payment_id);
    let answer = shop.webhook(attempt, &id, SystemClock.now()).await?;
    if answer.status.as_u16() == 200 {
        let message = match attempt.portone {
            Portone::V1 => None,
            Portone::V2 => Some(id),
        };
        let receipt = (
            attempt.payment_id.clone(),
            attempt.transaction_id.clone(),
            message,
        );
        world.answered(|ledger| ledger.webhooks.push(receipt));
    }
    Ok(())
}

async fn redirect(world: &World, shop: &Shop, attempt: &Attempt) -> anyhow::Result<()> {
    let answer = shop.redirect(attempt).await?;
    told(world, attempt, answer.outcome() == "paid");
    Ok(())
}

/// Notes what an answer said.
fn told(world: &World, attempt: &Attempt, paid: bool) {
    let mut wrong = false;
    world.answered(|ledger| {
        if let Some(truth) = ledger.orders.get_mut(&attempt.payment_id) {
            truth.told_paid |= paid;
            wrong = paid && truth.status != "paid";
        }
    });
    if wrong {
        world.faults.lock().push(format!(
            "an answer called {} paid, which it is not",
            attempt.payment_id
        ));
    }
}

/// Compares the database with the ledger. Nobody writes meanwhile.
async fn check(database: &Database, world: &World) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let orders: BTreeMap<String, (String, String)> = triples(
        database
            .read("SELECT payment_id || '|' || status || '|' || COALESCE(accepted_transaction_id, '') FROM orders")
            .await?,
    );
    let inbox = counted(
        database
            .read("SELECT payment_id || '/' || COALESCE(webhook_id, transaction_id) || '|' || COUNT(*) FROM inbox GROUP BY payment_id, COALESCE(webhook_id, transaction_id)")
            .await?,
    );
    let twice = database
        .read("SELECT payment_id || ' ' || event_type FROM outbox GROUP BY payment_id, event_type, COALESCE(transaction_id, ''), refunded_minor HAVING COUNT(*) > 1")
        .await?;
    failures.extend(
        twice
            .iter()
            .map(|event| format!("twice in the outbox: {event}")),
    );
    let untold = database
        .read("SELECT payment_id FROM orders WHERE status IN ('paid', 'partially_refunded', 'refunded') AND (SELECT COUNT(*) FROM outbox WHERE outbox.payment_id = orders.payment_id AND event_type = 'order.paid') <> 1")
        .await?;
    failures.extend(
        untold
            .iter()
            .map(|id| format!("{id} is paid, and the outbox does not say so once")),
    );

    failures.extend(refunds::check(database, world).await?);

    let ledger = world.ledger.lock();
    let mut acknowledged: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for (payment_id, transaction_id, message) in &ledger.webhooks {
        let name = message.as_ref().unwrap_or(transaction_id);
        let entry = acknowledged
            .entry(format!("{payment_id}/{name}"))
            .or_default();
        *entry = (entry.0 + 1, message.is_some());
    }
    for (name, (times, once)) in acknowledged {
        let found = inbox.get(&name).copied().unwrap_or(0);
        // A message of V2 is one entry however often it comes; V1's have no names, so each is kept.
        let lost = if once { found != 1 } else { found < times };
        if lost {
            failures.push(format!(
                "webhook {name}: answered 200 {times} times, {found} in the inbox"
            ));
        }
    }
    for (id, truth) in &ledger.orders {
        match orders.get(id) {
            None if truth.made => failures.push(format!("order {id} was answered 201 and is gone")),
            None => {}
            Some((status, accepted)) => {
                let is_paid = ["paid", "partially_refunded", "refunded"].contains(&status.as_str());
                if is_paid && (truth.status != "paid" || *accepted != truth.attempt.transaction_id)
                {
                    failures.push(format!(
                        "order {id} is paid by {accepted}, and PortOne has {}",
                        truth.status
                    ));
                }
                if truth.told_paid && !is_paid {
                    failures.push(format!("order {id} was called paid, and is {status}"));
                }
            }
        }
    }
    Ok(failures)
}

fn triples(rows: Vec<String>) -> BTreeMap<String, (String, String)> {
    rows.iter()
        .filter_map(|row| {
            let mut parts = row.split('|').map(str::to_owned);
            Some((parts.next()?, (parts.next()?, parts.next()?)))
        })
        .collect()
}

fn counted(rows: Vec<String>) -> BTreeMap<String, u64> {
    rows.iter()
        .filter_map(|row| {
            let (name, count) = row.rsplit_once('|')?;
            Some((name.to_owned(), count.parse().ok()?))
        })
        .collect()
}

/// Starts the server once more and waits until every order is as PortOne has it. `Err` names those that are not in time.
async fn converge(
    program: &Program,
    database: &Database,
    shop: &Shop,
    world: &World,
    rng: &mut StdRng,
) -> anyhow::Result<Result<Duration, String>> {
    // The gaps between two checks of an order grow to days. That they pass while the server is down is all that is skipped:
    // what is due, and what becomes of it, is the server's to find.
    let now = SystemClock.now().as_microsecond();
    database
        .run(format!(
            "UPDATE orders SET next_check_at = {now} WHERE next_check_at IS NOT NULL AND status IN ('open', 'awaiting_deposit')
                AND NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.payment_id = orders.payment_id);
             UPDATE inbox SET try_at = {now} WHERE state = 'waiting'; {}",
            refunds::let_time_pass(now)
        ))
        .await?;
    let made = database.read("SELECT payment_id FROM orders").await?;
    let mut open: Vec<Truth> = {
        let ledger = world.ledger.lock();
        made.iter()
            .filter_map(|id| ledger.orders.get(id).cloned())
            .collect()
    };
    let began = Instant::now();
    let server = program.start().await?;
    let shop = Shop {
        base: server.base.clone(),
        ..shop.clone()
    };
    for truth in &open {
        // A third each: the buyer comes back, the shop asks, nobody asks.
        match rng.random_range(0..3) {
            0 => drop(shop.redirect(&truth.attempt).await?),
            1 => drop(shop.sync(&truth.attempt.payment_id).await?),
            _ => {}
        }
        refunds::ask_again(world, &shop, truth).await?;
    }
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let stuck = loop {
        looks.tick().await;
        let mut still = Vec::new();
        for truth in open {
            let order = shop.read_order(&truth.attempt.payment_id).await?.json;
            let knows = order["transactions"].as_array().is_some_and(|attempts| {
                attempts.iter().any(|attempt| {
                    attempt["transaction_id"] == truth.attempt.transaction_id.as_str()
                })
            });
            if !knows || !refunds::is_settled(&order, &truth) {
                still.push(truth);
            }
        }
        open = still;
        if open.is_empty() {
            break None;
        }
        if began.elapsed() > CONVERGES_WITHIN {
            let names: Vec<&str> = open
                .iter()
                .map(|truth| truth.attempt.payment_id.as_str())
                .collect();
            break Some(format!(
                "after {} s not as PortOne has it: {}",
                CONVERGES_WITHIN.as_secs(),
                names.join(", ")
            ));
        }
    };
    server.kill().await?;
    Ok(match stuck {
        None => Ok(began.elapsed()),
        Some(stuck) => Err(stuck),
    })
}
