//! What a payment costs: wanryo beside the least that a server could do.
//!
//! Everything runs on this machine: the sandbox as PortOne, the server under test, and the one that asks, each a process of
//! its own. Processor time is the server's alone, by the kernel's books; requests a second and waiting times are shared with
//! the others, so they are lower bounds, and mean nothing beside a load average that others cause. Nothing here fails because
//! something is slow: it prints what it measured.

mod floor;
mod machine;
mod measure;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use proofs::processes::database::Database;
use proofs::processes::server::{Program, Server};
use proofs::processes::shop::{Shop, client};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use url::Url;
use wanryo::domain::order::Portone;

use crate::floor::Floor;
use crate::measure::{Cost, measure, percentile};

/// Orders that are completed.
const ORDERS: usize = 3_000;
/// Orders that webhooks tell of.
const TOLD: usize = 3_000;
/// Webhooks about orders that are not known here.
const STRANGERS: usize = 20_000;
/// Views of the list.
const VIEWS: usize = 1_000;
/// Requests before the first that counts.
const WARM_UP: usize = 200;
/// Visitors at a time.
const VISITORS: usize = 16;
/// Webhooks at a time: PortOne sends those of many payments at once.
const WEBHOOKS_AT_ONCE: usize = 64;
/// Orders in the short list and in the long one.
const LISTS: [u64; 2] = [1_000, 1_000_000];
/// Who looks at them in the back office.
const STAFF: &str = "bench@example.com";
/// Opens nothing but a database that ends with the program.
const PASSWORD: &str = "correct horse battery staple";
/// What is looked at: its name, its address, and what stands in the answer.
const VIEWS_OF_ORDERS: [(&str, &str, &str); 7] = [
    ("the API's list", "/api/v1/orders", "\"next_cursor\":\""),
    ("the list", "/orders", "LIST-"),
    ("the list of a status", "/orders?status=paid", "LIST-"),
    ("a search by order number", "/orders?q=DONE-0", "DONE-0"),
    // One in a hundred, none of them among the newest: the most that a search can cost.
    (
        "a search by the beginning of one",
        "/orders?q=LIST-77",
        "LIST-77",
    ),
    (
        "a search by transaction",
        "/orders?q=imp_list_77",
        "LIST-77",
    ),
    ("an order", "/orders/DONE-0", "DONE-0"),
];
/// What is copied of the one order to make many, and what is different in each copy.
const COPIED: [(&str, &[(&str, &str)]); 3] = [
    (
        "orders",
        &[
            ("payment_id", "'LIST-' || n"),
            // Another one, of the same 32 digits.
            (
                "status_token",
                "substr(status_token, 1, 20) || printf('%012d', n)",
            ),
            ("accepted_transaction_id", "'imp_list_' || n"),
            ("created_at", "created_at + n"),
            // Nobody asks about them.
            ("next_check_at", "NULL"),
        ],
    ),
    (
        "transactions",
        &[
            ("payment_id", "'LIST-' || n"),
            ("transaction_id", "'imp_list_' || n"),
            ("approval_number", "printf('%08d', n)"),
        ],
    ),
    ("history", &[("payment_id", "'LIST-' || n")]),
];
/// Syncs that are timed.
const SYNCS: usize = 200;
/// What orders cost.
const AMOUNT: i64 = 65_000;
/// What the sandbox prints before its address.
const SANDBOX_READY: &str = "portone-sandbox listening on ";

/// What a payment costs, beside the least that a server could do.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program under test; `wanryo` beside this program when absent
    #[arg(long, value_name = "PATH")]
    wanryo: Option<PathBuf>,
    /// The sandbox; `portone-sandbox` beside this program when absent
    #[arg(long, value_name = "PATH")]
    sandbox: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The floor's own process
    #[command(hide = true)]
    Floor(Floor),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Part::Floor(floor)) => floor::run(floor).await,
        None => run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let beside = |path: Option<PathBuf>, name| match path {
        Some(path) => anyhow::Ok(path),
        None => Ok(std::env::current_exe()?.with_file_name(name)),
    };
    let sandbox = LocalPortone::start(&beside(arguments.sandbox, "portone-sandbox")?).await?;
    let database = Database::sqlite()?;
    let program = Program {
        path: beside(arguments.wanryo, "wanryo")?,
        database_url: database.url()?,
        sandbox: sandbox.url.clone(),
    };
    let client = client()?;
    let sync = sync_times(&database)?;

    let floor = measure_floor(&sandbox, &client).await?;
    let key = program.make_key().await?;
    program.add_user(STAFF, PASSWORD).await?;
    let costs = measure_payments(&program, &sandbox, &client, &key).await?;
    let mut lists = Vec::new();
    for rows in LISTS {
        grow(&database, rows).await?;
        lists.push(measure_lists(&program, &client, &key, rows).await?);
    }
    println!("{}\n", machine::describe()?);
    print(&floor, &costs, &lists, sync, began.elapsed());
    Ok(())
}

/// The sandbox as a process of its own.
struct LocalPortone {
    url: Url,
    /// Ends with it.
    _process: Child,
    /// Held open: the sandbox prints a second line, and must not find its reader gone.
    _output: Lines<BufReader<ChildStdout>>,
}

impl LocalPortone {
    async fn start(path: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(path)
            .args(["--addr", "127.0.0.1:0"])
            .env_clear()
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", path.display()))?;
        let stdout = process.stdout.take().context("the sandbox's output")?;
        let mut output = BufReader::new(stdout).lines();
        let line = output.next_line().await?.unwrap_or_default();
        let address = line
            .strip_prefix(SANDBOX_READY)
            .with_context(|| format!("the sandbox says {line:?}"))?;
        Ok(Self {
            url: format!("{address}/").parse()?,
            _process: process,
            _output: output,
        })
    }

    /// A paid payment that nobody is told of.
    async fn pay(&self, client: &Client, payment_id: &str) -> anyhow::Result<String> {
        let answer = client
            .post(self.url.join("_sandbox/payments")?)
            .json(&json!({ "merchant_uid": payment_id, "amount": AMOUNT, "status": "paid" }))
            .send()
            .await?
            .error_for_status()?;
        let payment: Value = answer.json().await?;
        Ok(payment["imp_uid"]
            .as_str()
            .context("a payment has an id")?
            .to_owned())
    }
}

/// How long this disk takes to promise a page.
fn sync_times(database: &Database) -> anyhow::Result<[Duration; 2]> {
    let url = database.url()?;
    let path = Path::new(url.trim_start_matches("sqlite://")).with_file_name("sync");
    let file = File::create(&path)?;
    let page = [7; 4096];
    let mut times = Vec::new();
    for number in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&page, (number * page.len()) as u64)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    Ok([percentile(&times, 50), percentile(&times, 99)])
}

async fn measure_floor(sandbox: &LocalPortone, client: &Client) -> anyhow::Result<Cost> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("floor")
        .arg(sandbox.url.as_str())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let server = Server::start(command).await?;
    let pid = server.pid().context("the floor is gone")?;
    let mut payments = Vec::new();
    for number in 0..ORDERS {
        payments.push(sandbox.pay(client, &format!("FLOOR-{number}")).await?);
    }
    let (payments, base, visitor) = (Arc::new(payments), server.base.clone(), client.clone());
    let ask = move |number: usize| {
        let (visitor, base, payments) = (visitor.clone(), base.clone(), Arc::clone(&payments));
        async move {
            page(
                &visitor,
                &format!("{base}/?imp_uid={}", payments[number % ORDERS]),
            )
            .await
        }
    };
    measure("warm-up", pid, WARM_UP, VISITORS, ask.clone()).await?;
    let cost = measure(
        "floor: one question to PortOne, 2 kB, nothing kept",
        pid,
        ORDERS,
        VISITORS,
        ask,
    )
    .await?;
    server.kill().await?;
    Ok(cost)
}

async fn page(client: &Client, url: &str) -> anyhow::Result<()> {
    let answer = client.get(url).header("accept", "text/html").send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    ensure!(
        status.is_success(),
        "{url} was answered {status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

async fn measure_payments(
    program: &Program,
    sandbox: &LocalPortone,
    client: &Client,
    key: &str,
) -> anyhow::Result<Vec<Cost>> {
    let server = program.start().await?;
    let pid = server.pid().context("the server is gone")?;
    let shop = Shop {
        client: client.clone(),
        base: server.base.clone(),
        key: key.to_owned(),
    };
    let mut costs = Vec::new();

    let pay = async |what: &str, count: usize| {
        let mut payments = Vec::new();
        for number in 0..count {
            let id = format!("{what}-{number}");
            let made = shop.make_order(Portone::V1, &id, AMOUNT).await?;
            ensure!(
                made.status.as_u16() == 201,
                "no order was made: {} {}",
                made.status,
                made.json
            );
            payments.push((sandbox.pay(client, &id).await?, id));
        }
        anyhow::Ok(Arc::new(payments))
    };
    let warm = pay("WARM", WARM_UP).await?;
    let orders = pay("DONE", ORDERS).await?;
    let told = pay("TOLD", TOLD).await?;

    let complete = |payments: &Arc<Vec<(String, String)>>| {
        let (visitor, base, payments) = (client.clone(), shop.base.clone(), Arc::clone(payments));
        move |number: usize| {
            let (visitor, base, payments) = (visitor.clone(), base.clone(), Arc::clone(&payments));
            async move {
                let (imp_uid, id) = &payments[number];
                let url = format!(
                    "{base}/payments/complete?imp_uid={imp_uid}&merchant_uid={id}&imp_success=true"
                );
                page(&visitor, &url).await
            }
        }
    };
    measure("warm-up", pid, WARM_UP, VISITORS, complete(&warm)).await?;
    costs.push(
        measure(
            "first completion of an order",
            pid,
            ORDERS,
            VISITORS,
            complete(&orders),
        )
        .await?,
    );
    costs.push(
        measure(
            "the same page again",
            pid,
            ORDERS,
            VISITORS,
            complete(&orders),
        )
        .await?,
    );

    let webhook = |payments: Option<Arc<Vec<(String, String)>>>| {
        let (visitor, url) = (client.clone(), format!("{}/payments/webhook", shop.base));
        move |number: usize| {
            let (visitor, url) = (visitor.clone(), url.clone());
            let (imp_uid, id) = match &payments {
                Some(payments) => payments[number].clone(),
                None => (
                    format!("imp_stranger_{number}"),
                    format!("STRANGER-{number}"),
                ),
            };
            async move {
                let body = json!({ "imp_uid": imp_uid, "merchant_uid": id, "status": "paid" });
                let answer = visitor.post(&url).json(&body).send().await?;
                ensure!(
                    answer.status().as_u16() == 200,
                    "a webhook was answered {}",
                    answer.status()
                );
                Ok(())
            }
        }
    };
    costs.push(
        measure(
            "webhook of a known order: acknowledged, and the payment verified and written",
            pid,
            TOLD,
            WEBHOOKS_AT_ONCE,
            webhook(Some(told)),
        )
        .await?,
    );
    costs.push(
        measure(
            "webhook of an order that is not known here: written and acknowledged",
            pid,
            STRANGERS,
            WEBHOOKS_AT_ONCE,
            webhook(None),
        )
        .await?,
    );
    server.kill().await?;
    Ok(costs)
}

/// Brings the tables to so many orders: copies of one that was made and paid, from a server that is down.
async fn grow(database: &Database, rows: u64) -> anyhow::Result<()> {
    let there: u64 = database
        .read("SELECT CAST(COUNT(*) AS TEXT) FROM orders WHERE payment_id LIKE 'LIST-%'")
        .await?
        .concat()
        .parse()?;
    if there == 0 {
        database
            .run(
                "PRAGMA foreign_keys = OFF; DELETE FROM inbox; DELETE FROM history WHERE payment_id <> 'DONE-0'; \
                 DELETE FROM outbox WHERE payment_id <> 'DONE-0'; DELETE FROM transactions WHERE payment_id <> 'DONE-0'; \
                 DELETE FROM orders WHERE payment_id <> 'DONE-0';"
                    .to_owned(),
            )
            .await?;
    }
    for (table, changed) in COPIED {
        let columns = database
            .read(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .await?;
        let values: Vec<&str> = columns
            .iter()
            .map(|column| {
                let other = changed.iter().find(|(name, _)| name == column);
                other.map_or(column.as_str(), |(_, value)| value)
            })
            .collect();
        database
            .run(format!(
                "PRAGMA foreign_keys = OFF;
                 INSERT INTO {table} ({}) WITH RECURSIVE numbers(n) AS (SELECT {} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {rows})
                 SELECT {} FROM numbers, {table} WHERE payment_id = 'DONE-0'",
                columns.join(", "),
                there + 1,
                values.join(", ")
            ))
            .await?;
    }
    Ok(())
}

/// What a merchant looks at: each view, with so many orders there.
async fn measure_lists(
    program: &Program,
    client: &Client,
    key: &str,
    rows: u64,
) -> anyhow::Result<Vec<Cost>> {
    let server = program.start().await?;
    let pid = server.pid().context("the server is gone")?;
    let cookie = sign_in(client, &server.base).await?;
    let mut costs = Vec::new();
    for (name, path, expected) in VIEWS_OF_ORDERS {
        let request = client.get(format!("{}{path}", server.base));
        let request = if path.starts_with("/api/") {
            request.bearer_auth(key)
        } else {
            request
                .header("accept", "text/html")
                .header("cookie", &cookie)
        };
        let request = Arc::new(request);
        let view = move |_: usize| {
            let request = request.try_clone();
            async move {
                let request = request.context("a request without a body")?;
                let answer = request.send().await?;
                let status = answer.status();
                let body = answer.text().await?;
                ensure!(status.is_success(), "{path} was answered {status}");
                ensure!(body.contains(expected), "{path} does not show {expected}");
                Ok(())
            }
        };
        measure("warm-up", pid, WARM_UP, VISITORS, view.clone()).await?;
        let mut cost = measure(name, pid, VIEWS, VISITORS, view).await?;
        cost.name = format!("{name}, {rows} orders");
        costs.push(cost);
    }
    server.kill().await?;
    Ok(costs)
}

/// A session of the back office.
async fn sign_in(client: &Client, base: &str) -> anyhow::Result<String> {
    let answer = client
        .post(format!("{base}/login"))
        .header("origin", base)
        .form(&[("email", STAFF), ("password", PASSWORD)])
        .send()
        .await?;
    let cookie = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .find(|cookie| cookie.starts_with("wanryo="));
    Ok(cookie.context("nobody was signed in")?.to_owned())
}

fn print(
    floor: &Cost,
    costs: &[Cost],
    lists: &[Vec<Cost>],
    [sync, sync_p99]: [Duration; 2],
    took: Duration,
) {
    println!(
        "| what | requests | per second | CPU µs each | × floor | p50 ms | p99 ms | most resident MB | load average |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for cost in std::iter::once(floor)
        .chain(costs)
        .chain(lists.iter().flatten())
    {
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {} |",
            cost.name,
            cost.requests,
            cost.per_second,
            cost.cpu_us,
            cost.cpu_us / floor.cpu_us,
            cost.p50.as_secs_f64() * 1e3,
            cost.p99.as_secs_f64() * 1e3,
            cost.resident_mb,
            cost.load_average
        );
    }
    println!();
    println!(
        "a page written and synced on the same disk: {:.2} ms, p99 {:.2} ms",
        sync.as_secs_f64() * 1e3,
        sync_p99.as_secs_f64() * 1e3
    );
    println!();
    let times = |cost: &Cost| cost.cpu_us / floor.cpu_us;
    let aim = |what: &str, is: f64, most: f64, unit: &str| {
        let word = if is <= most { "met" } else { "missed" };
        println!("{word}: {what}: {is:.2} {unit}, at most {most}");
    };
    if let [first, again, known, unknown] = costs {
        aim("first completion", times(first), 5.0, "× floor");
        aim("the same page again", times(again), 3.0, "× floor");
        aim("webhook, acknowledged", times(unknown), 2.0, "× floor");
        aim(
            "webhook, its payment verified and written on top",
            times(known),
            2.0,
            "× floor",
        );
        let word = if unknown.per_second >= 5_000.0 {
            "met"
        } else {
            "missed"
        };
        println!(
            "{word}: durable webhooks a second: {:.0}, at least 5000",
            unknown.per_second
        );
        aim("most resident under load", unknown.resident_mb, 60.0, "MB");
    }
    if let [short, long] = lists {
        for ((name, ..), (short, long)) in VIEWS_OF_ORDERS.iter().zip(short.iter().zip(long)) {
            let what = format!("{name}, at a million orders");
            aim(&what, long.cpu_us / short.cpu_us, 1.5, "× a thousand, CPU");
            aim(
                &what,
                long.p50.as_secs_f64() / short.p50.as_secs_f64(),
                1.5,
                "× a thousand, p50",
            );
        }
    }
    println!("{:.0} s in all", took.as_secs_f64());
}
