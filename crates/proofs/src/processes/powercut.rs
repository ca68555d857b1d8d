//! The power goes, at any moment of a recorded run of the real program on SQLite.
//!
//! The run begins with no database at all, so making the tables is part of it, and goes on until SQLite has folded its log
//! into the database at least once. Each image is the disk after one cut: what had been synced is there, and of everything
//! later each piece is there whole, torn at 512 bytes, or not at all, in any combination. Names that nobody had synced may be
//! missing, too. SQLite must open the image, find nothing wrong with it, and hold everything that had been acknowledged before
//! the cut; on a part of the images the program itself opens its database.
//!
//! What is not modelled: a disk that lies about syncing, and one that damages neighbours of what it writes. SQLite counts on
//! neither (<https://sqlite.org/psow.html>).
//!
//! A proof that finds nothing proves little. So the same is done to a small writer with `synchronous` set to less than the
//! program's FULL, and the run fails unless losses are found there.

mod disk;
mod trace;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portone_sandbox::Sandbox;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::process::Command;
use tokio::task::JoinSet;
use wanryo::adapters::store::Database;
use wanryo::adapters::system::SystemClock;
use wanryo::domain::order::Portone;
use wanryo::ports::clock::Clock;

use super::Setup;
use super::database::Dir;
use super::server::{Program, Server};
use super::shop::{Attempt, Shop, attempt, client};
use crate::report::Report;

use self::disk::{Disk, companion};
use self::trace::{ACKNOWLEDGED, CALLS, Promise, Recording, Role};

/// Where images lie: in memory, so that what is waited for is SQLite.
const MEMORY: &str = "/dev/shm";
/// Everybody who talks to the recorded server at the same time.
const VISITORS: u64 = 4;
/// SQLite folds the log into the database after this many pages. <https://sqlite.org/wal.html#ckpt>
const LOG_PAGES: u64 = 1_000;
/// A page of the log with its header.
const LOG_PAGE_BYTES: u64 = 4096 + 24;
/// Purchases after the log was folded.
const PURCHASES_AFTER: u64 = 40;
/// Purchases after which a log that was never folded is given up on.
const PURCHASES_MAX: u64 = 2_000;
/// One image of so many is opened by the program's own code, which may write.
const OPENED_BY_PROGRAM: u64 = 25;
/// One image more for so many that are wanted, for the draws at the end of a stretch that were drawn before.
const SPARE: u64 = 50;
/// Draws for each image that is wanted: the same image may be drawn twice, and counts once.
const DRAWS_PER_IMAGE: u64 = 4;
/// Rows that the careless writer writes.
const CARELESS_ROWS: u32 = 150;
/// The careless writer folds its log early.
const CARELESS_LOG_PAGES: u32 = 100;
/// Images of each careless writer.
const CARELESS_IMAGES: u64 = 400;
/// Broken promises that are listed.
const FAILURES_MAX: usize = 20;
/// What orders cost.
const AMOUNT: i64 = 65_000;

/// How careless a writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Care {
    /// Never waits for the disk.
    Off,
    /// Waits for the disk only before the log is folded.
    Normal,
}

/// A small program that acknowledges what it wrote, to be recorded.
#[derive(Debug, Args)]
pub struct Writer {
    /// The database
    file: PathBuf,
    /// SQLite's `synchronous`
    synchronous: Care,
}

/// Makes a database, and writes to it with less care than the program takes.
///
/// # Errors
/// When it cannot be written.
pub async fn write(writer: &Writer) -> anyhow::Result<()> {
    Database::open(&format!("sqlite://{}", writer.file.display()))
        .await?
        .close()
        .await;
    let mut conn = SqliteConnectOptions::new()
        .filename(&writer.file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match writer.synchronous {
            Care::Off => SqliteSynchronous::Off,
            Care::Normal => SqliteSynchronous::Normal,
        })
        .pragma("wal_autocheckpoint", CARELESS_LOG_PAGES.to_string())
        .connect()
        .await?;
    let now = SystemClock.now().as_microsecond();
    for row in 0..CARELESS_ROWS {
        let id = format!("imp_{row}");
        sqlx::query("INSERT INTO inbox (received_at, version, payment_id, transaction_id, state, attempts, lease) VALUES ($1, 'v1', $2, $2, 'done', 0, 0)")
            .bind(now)
            .bind(&id)
            .execute(&mut conn)
            .await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ACKNOWLEDGED}{id}")?;
        out.flush()?;
    }
    // Ends as a power cut would have it: without closing the database.
    std::process::exit(0);
}

/// Runs the proof.
///
/// # Errors
/// When it cannot be run; a broken promise is in the report.
pub async fn run(setup: &Setup, images: u64) -> anyhow::Result<Report> {
    let began = Instant::now();
    let dir = Dir::temporary()?;
    let recording = record_server(setup, dir.path()).await?;
    let recorded = began.elapsed();
    let folded = folded(&recording);
    let found = cut(&recording, setup.seed, images)?;
    let mut failures = found.failures;
    if folded == 0 {
        failures.push("the recorded run never folded SQLite's log into the database".to_owned());
    }
    let mut notes = vec![
        format!(
            "recorded in {:.1} s: {} writes, {} syncs, {folded} pages folded into the database; {} promises",
            recorded.as_secs_f64(),
            recording.changes.len(),
            recording.syncs,
            kinds(&recording)
        ),
        format!(
            "{} of the images were opened by the program itself",
            found.by_program
        ),
    ];
    for care in [Care::Off, Care::Normal] {
        let recording = record_writer(care, dir.path()).await?;
        let found = cut(&recording, setup.seed, CARELESS_IMAGES)?;
        notes.push(format!(
            "planted: a writer with synchronous={care:?} loses in {} of {} images",
            found.bad, found.images
        ));
        if found.bad == 0 {
            failures.push(format!("no loss was found where a writer with synchronous={care:?} must have some: this proof is blind"));
        }
    }
    Ok(Report {
        proof: "powercut".to_owned(),
        unit: "images".to_owned(),
        count: found.images,
        settings: format!("--seed {}", setup.seed),
        failures,
        notes,
        seconds: began.elapsed().as_secs_f64(),
    })
}

fn kinds(recording: &Recording) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, promise) in &recording.promises {
        let kind = match promise {
            Promise::Webhook(_) => "webhooks answered 200",
            Promise::Order(_) => "orders answered 201",
            Promise::Paid(_) => "answers that called an order paid",
        };
        *counts.entry(kind).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    counts.join(", ")
}

/// Writes to the database itself after the first answer.
fn folded(recording: &Recording) -> usize {
    let first = recording.promises.first().map_or(usize::MAX, |(at, _)| *at);
    let main = recording
        .namings
        .iter()
        .find(|naming| naming.role == Role::Main)
        .and_then(|naming| naming.file);
    recording
        .changes
        .iter()
        .filter(|change| Some(change.file) == main && change.begin > first)
        .count()
}

fn strace(trace: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-xx", "-s", "1000000", "--seccomp-bpf", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(trace);
    command
}

/// Records the program from its very first start, under load, until it is killed.
async fn record_server(setup: &Setup, dir: &Path) -> anyhow::Result<Recording> {
    let (trace, key, database) = (dir.join("trace"), dir.join("key"), dir.join("proof.db"));
    let sandbox = Arc::new(Sandbox::builder().seed(setup.seed).spawn().await?);
    let program = Program {
        path: setup.program()?,
        database_url: format!("sqlite://{}", database.display()),
        sandbox: sandbox.url().clone(),
    };
    let mut command = strace(&trace);
    // One shell, so that making the key, which makes the tables, and the server are one recording.
    command
        .args([
            "sh",
            "-c",
            r#""$1" key create --name proof > "$2" && echo $$ > "$3" && exec "$1" serve"#,
            "sh",
        ])
        .arg(&program.path)
        .arg(&key)
        .arg(dir.join("pid"))
        .envs(program.settings()?)
        .stdin(Stdio::null());
    let server = Server::start(command)
        .await
        .context("strace is needed; Debian has it as `strace`")?;
    let shop = Shop {
        client: client()?,
        base: server.base.clone(),
        key: std::fs::read_to_string(&key)?.trim().to_owned(),
    };
    let purchases = Arc::new(AtomicU64::new(0));
    let mut visitors = JoinSet::new();
    for visitor in 0..VISITORS {
        let log = companion(&database, Role::Log);
        let (shop, sandbox, purchases) =
            (shop.clone(), Arc::clone(&sandbox), Arc::clone(&purchases));
        let rng = StdRng::seed_from_u64(setup.seed.wrapping_add(visitor));
        visitors.spawn(async move { visit(&shop, &sandbox, &purchases, &log, rng).await });
    }
    let visited: anyhow::Result<()> = visitors.join_all().await.into_iter().collect();
    // The server and not strace, which then ends by itself with everything written down.
    let pid = std::fs::read_to_string(dir.join("pid"))?;
    let killed = Command::new("kill")
        .args(["-9", pid.trim()])
        .status()
        .await?;
    anyhow::ensure!(killed.success(), "the recorded server could not be killed");
    server.ended().await?;
    visited?;
    let text = std::fs::read_to_string(&trace)?;
    Recording::read(&text, &database.to_string_lossy())
}

/// Buys until the log was folded, and a little longer.
async fn visit(
    shop: &Shop,
    sandbox: &Sandbox,
    purchases: &AtomicU64,
    log: &Path,
    mut rng: StdRng,
) -> anyhow::Result<()> {
    let mut after = 0;
    while after < PURCHASES_AFTER / VISITORS {
        let number = purchases.fetch_add(1, Ordering::Relaxed);
        if number >= PURCHASES_MAX {
            bail!("SQLite's log was not full after {PURCHASES_MAX} purchases");
        }
        // The log keeps its length once it was folded, and is written from its beginning again.
        if std::fs::metadata(log)?.len() >= LOG_PAGES * LOG_PAGE_BYTES {
            after += 1;
        }
        let portone = match rng.random_range(0..4) {
            0 => Portone::V2,
            _ => Portone::V1,
        };
        let id = format!("CUT-{number}");
        shop.make_order(portone, &id, AMOUNT).await?;
        let attempt = attempt(&shop.client, sandbox, portone, &id, AMOUNT, "paid").await?;
        let stranger = Attempt {
            portone: Portone::V1,
            payment_id: format!("ELSEWHERE-{number}"),
            transaction_id: format!("imp_elsewhere_{number}"),
        };
        match rng.random_range(0..3) {
            0 => drop(shop.redirect(&attempt).await?),
            1 => drop(shop.webhook(&attempt, &id, SystemClock.now()).await?),
            _ => drop(shop.webhook(&stranger, &id, SystemClock.now()).await?),
        }
    }
    Ok(())
}

/// Records the careless writer.
async fn record_writer(care: Care, dir: &Path) -> anyhow::Result<Recording> {
    let name = format!("{care:?}").to_lowercase();
    let (trace, database) = (
        dir.join(format!("{name}.trace")),
        dir.join(format!("{name}.db")),
    );
    let status = strace(&trace)
        .arg(std::env::current_exe()?)
        .arg("careless-writer")
        .arg(&database)
        .arg(&name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await?;
    anyhow::ensure!(status.success(), "the careless writer failed");
    Recording::read(
        &std::fs::read_to_string(&trace)?,
        &database.to_string_lossy(),
    )
}

/// What was found in the images of one recording.
#[derive(Debug, Default)]
struct Found {
    images: u64,
    by_program: u64,
    bad: u64,
    failures: Vec<String>,
}

/// Cuts the power at drawn moments, each core its own stretch of the recording.
fn cut(recording: &Recording, seed: u64, images: u64) -> anyhow::Result<Found> {
    let first = recording
        .changes
        .first()
        .context("nothing was recorded")?
        .begin;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let found = thread::scope(|scope| {
        let stretches: Vec<_> = (0..cores)
            .map(|core| {
                let stretch = |core| first + (recording.end - first) * core / cores;
                let moments = stretch(core)..stretch(core + 1);
                let wanted = (images + images / SPARE).div_ceil(cores as u64);
                let rng =
                    StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(core as u64));
                scope.spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?
                        .block_on(cut_stretch(recording, moments, wanted, rng))
                })
            })
            .collect();
        stretches
            .into_iter()
            .map(|stretch| {
                stretch
                    .join()
                    .unwrap_or_else(|_| bail!("a thread ended badly"))
            })
            .collect::<anyhow::Result<Vec<Found>>>()
    })?;
    let mut all = Found::default();
    for found in found {
        all.images += found.images;
        all.by_program += found.by_program;
        all.bad += found.bad;
        all.failures.extend(found.failures);
    }
    all.failures.truncate(FAILURES_MAX);
    Ok(all)
}

async fn cut_stretch(
    recording: &Recording,
    moments: std::ops::Range<usize>,
    wanted: u64,
    mut rng: StdRng,
) -> anyhow::Result<Found> {
    let parent = Some(Path::new(MEMORY)).filter(|path| path.is_dir());
    let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let (shown, copied) = (Dir::below(&parent)?, Dir::below(&parent)?);
    let mut disk = Disk::new(recording, shown.path().join("proof.db"));
    let mut cuts: Vec<usize> = (0..wanted * DRAWS_PER_IMAGE)
        .map(|_| rng.random_range(moments.clone()))
        .collect();
    cuts.sort_unstable();
    let mut seen = HashSet::new();
    let mut found = Found::default();
    for (draw, moment) in cuts.into_iter().enumerate() {
        // As many of the moments as of the images, so that the whole stretch is covered.
        if found.images * DRAWS_PER_IMAGE > draw as u64 {
            continue;
        }
        disk.advance(moment)?;
        let promised = recording.promises.partition_point(|(at, _)| *at < moment);
        let image = disk.draw(&mut rng)?;
        if seen.insert((image.number, promised)) {
            found.images += 1;
            let by_program = image.journal || found.images.is_multiple_of(OPENED_BY_PROGRAM);
            let held = if by_program {
                None
            } else {
                look(disk.path(), true).await.ok()
            };
            let held = match held {
                Some(held) => Ok(held),
                None => {
                    // What a connection that only reads cannot recover may still be right for one that writes.
                    found.by_program += 1;
                    let path = copied.path().join("proof.db");
                    disk.copy_to(&path)?;
                    open_as_program(&path).await
                }
            };
            let lost = match held {
                Ok(held) => held.missing(&recording.promises[..promised]),
                Err(error) => Some(format!("{error:#}")),
            };
            if let Some(lost) = lost {
                found.bad += 1;
                if found.failures.len() < FAILURES_MAX {
                    found
                        .failures
                        .push(format!("cut at line {moment} of {}: {lost}", recording.end));
                }
            }
        }
        disk.put_back(&image)?;
    }
    Ok(found)
}

/// What an image holds.
#[derive(Debug, Default)]
struct Held {
    webhooks: HashSet<String>,
    orders: HashSet<String>,
    paid: HashSet<String>,
}

impl Held {
    fn missing(&self, promises: &[(usize, Promise)]) -> Option<String> {
        let missing: Vec<String> = promises
            .iter()
            .filter_map(|(at, promise)| {
                let (kept, what, id) = match promise {
                    Promise::Webhook(id) => (&self.webhooks, "webhook", id),
                    Promise::Order(id) => (&self.orders, "order", id),
                    Promise::Paid(id) => (&self.paid, "paid order", id),
                };
                (!kept.contains(id)).then(|| format!("{what} {id} (acknowledged at line {at})"))
            })
            .collect();
        let first = missing.first()?;
        Some(format!(
            "{} of {} promises broken, such as {first}",
            missing.len(),
            promises.len()
        ))
    }
}

/// As the program starts: settings, recovery, migrations. Then as [`look`].
async fn open_as_program(path: &Path) -> anyhow::Result<Held> {
    let database = Database::open(&format!("sqlite://{}", path.display())).await?;
    database.close().await;
    look(path, false).await
}

/// Lets SQLite recover the image and reads what it holds.
async fn look(path: &Path, read_only: bool) -> anyhow::Result<Held> {
    let mut conn = SqliteConnectOptions::new()
        .filename(path)
        .read_only(read_only)
        .connect()
        .await?;
    let held = read(&mut conn).await;
    conn.close().await?;
    held
}

async fn read(conn: &mut SqliteConnection) -> anyhow::Result<Held> {
    let whole: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *conn)
        .await?;
    anyhow::ensure!(
        whole == ["ok"],
        "the database is damaged: {}",
        whole.join("; ")
    );
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
            .fetch_all(&mut *conn)
            .await?;
    if !["inbox", "orders"]
        .iter()
        .all(|wanted| tables.iter().any(|table| table == wanted))
    {
        return Ok(Held::default());
    }
    let webhooks: Vec<String> =
        sqlx::query_scalar("SELECT transaction_id FROM inbox WHERE transaction_id IS NOT NULL")
            .fetch_all(&mut *conn)
            .await?;
    let orders: Vec<(String, String)> = sqlx::query_as("SELECT payment_id, status FROM orders")
        .fetch_all(&mut *conn)
        .await?;
    Ok(Held {
        webhooks: webhooks.into_iter().collect(),
        paid: orders
            .iter()
            .filter(|(_, status)| status == "paid")
            .map(|(id, _)| id.clone())
            .collect(),
        orders: orders.into_iter().map(|(id, _)| id).collect(),
    })
}
