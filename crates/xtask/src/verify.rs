//! `cargo xtask verify`: every proof in large sizes, and what came of it written down in `verification.md`.
//!
//! All of them in full take longer than most machines are left alone, so some can be named: the file keeps what it says of the
//! others, each with the commit that it was counted on, and is written anew after every proof.
//!
//! Invariants: a number in the file was counted, on the commit beside it; what was cut or not run is said with its reason; a
//! broken promise ends the command with failure, after the file was written.

mod record;

use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::record::{Line, Outcome, Record};
use crate::fuzz::{Fuzzer, Target};
use crate::postgres::Cluster;
use crate::process;
use crate::progress::{self, Step};
use crate::proofs::{PROOFS, Program, Proof};
use crate::wasm;
use crate::workspace::Workspace;

/// How long it takes, about, unless told otherwise: what is left when they are over is not run. Seven hours reach the full size of
/// every proof.
pub(crate) const MINUTES: u64 = 60;

/// What can be named, in the order in which they are run.
pub(crate) const NAMES: [&str; 9] = [
    TRUTH_TABLE,
    "model",
    "simulate",
    "kill",
    "race",
    "powercut",
    ZOO,
    MUTANTS,
    FUZZ,
];
const TRUTH_TABLE: &str = "truth-table";
const ZOO: &str = "zoo";
const MUTANTS: &str = "mutants";
const FUZZ: &str = "fuzz";

/// Where it is written, in the workspace's root.
const FILE: &str = "verification.md";

/// Inputs that each fuzz target tries, as far as its time allows.
const FUZZ_EXECUTIONS: u64 = 10_000_000;

/// Of the minutes, the part that each fuzz target has at most: a tenth.
const FUZZ_SHARE: u64 = 10;

/// How often the disk is asked to flush, to say how fast it is.
const FLUSHES: usize = 200;

/// What is to be run, and for how long.
struct Plan<'w> {
    workspace: &'w Workspace,
    minutes: u64,
    names: &'w [String],
    ends_at: Instant,
}

impl Plan<'_> {
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    /// Runs what stands under a name, unless others were named or the time is over, and writes down what came of it.
    fn run(
        &self,
        record: &mut Record,
        name: &str,
        title: &str,
        prove: impl FnOnce() -> Line,
    ) -> Result<()> {
        if !self.wants(name) {
            record.not_run(title, "others were named");
        } else if Instant::now() >= self.ends_at {
            record.not_run(title, "the time was over");
        } else {
            record.put(title, prove());
        }
        let path = self.workspace.root().join(FILE);
        fs::write(&path, record.text()).with_context(|| format!("writing {}", path.display()))
    }
}

/// Builds what is shipped, runs the proofs of these names, or every proof when none is named, and writes down what came of it.
pub(crate) fn run(workspace: &Workspace, minutes: u64, names: &[String]) -> Result<()> {
    let plan = Plan {
        workspace,
        minutes,
        names,
        ends_at: Instant::now() + Duration::from_secs(minutes.saturating_mul(60)),
    };
    let mut steps = Vec::new();
    if PROOFS.iter().any(|proof| plan.wants(proof.name)) {
        steps.extend(wasm::steps(workspace));
        steps.push(Step::new("building the proofs, as released", || {
            process::run(&mut workspace.cargo(&[
                "build",
                "--release",
                "--bins",
                "--package",
                "proofs",
                "--package",
                "wanryo",
            ]))
        }));
    }
    steps.push(Step::new("proofs", || prove(&plan)));
    progress::run(steps)
}

fn prove(plan: &Plan<'_>) -> Result<()> {
    let workspace = plan.workspace;
    let program = Program::at(workspace.target("release/proofs"));
    let cluster = Cluster::start()?;
    let postgres = cluster.url();
    let before = fs::read_to_string(workspace.root().join(FILE)).unwrap_or_default();
    let mut record = Record::after(&before, machine(workspace)?, counted_on(workspace)?);

    let title = "truth table (every combination of checks and statuses)";
    plan.run(&mut record, TRUTH_TABLE, title, || {
        let mut command = workspace.cargo(&["test", "--package", "wanryo", "--lib", "truth_table"]);
        plain("all rows as the table has them", &mut command)
    })?;
    for proof in &PROOFS {
        let title = format!("{} ({})", proof.name, proof.about);
        plan.run(&mut record, proof.name, &title, || {
            one(&program, proof, plan.minutes, &postgres)
        })?;
    }
    let title = "zoo (bugs planted in a copy of the shipped code)";
    plan.run(&mut record, ZOO, title, || {
        let mut command = workspace.cargo(&["xtask", "zoo"]);
        plain("the simulator found each", &mut command)
    })?;
    let title =
        "mutants (every expression of src/domain, and of what the client verifies, broken in turn)";
    plan.run(&mut record, MUTANTS, title, || {
        let mut command = workspace.cargo(&["xtask", "mutants"]);
        plain("each was noticed by a test", &mut command)
    })?;
    if plan.wants(FUZZ) {
        let fuzzer = Fuzzer::install(workspace)?;
        for target in fuzzer.targets()? {
            let title = format!("fuzz {}", target.name);
            plan.run(&mut record, FUZZ, &title, || {
                fuzz_one(&fuzzer, &target, plan.minutes)
            })?;
        }
    }

    eprintln!("written to {FILE}");
    let broken = record.broken();
    if !broken.is_empty() {
        bail!("broken: {}", broken.join(", "));
    }
    Ok(())
}

/// A size for these minutes: never less than at every push, and never more than is worth it.
fn scaled(proof: &Proof, minutes: u64) -> u64 {
    let size = proof.hour.saturating_mul(minutes) / MINUTES;
    size.clamp(proof.quick, proof.full)
}

fn one(program: &Program, proof: &Proof, minutes: u64, postgres: &str) -> Line {
    let size = scaled(proof, minutes);
    eprintln!("{} {} {size}: {} …", proof.name, proof.size, proof.about);
    let again = format!(
        "`cargo run --release --package proofs -- {}`",
        proof.arguments(size, "URL").join(" ")
    );
    match program.report(proof, size, postgres) {
        Ok(report) => {
            let held = report.failures.is_empty() && report.count > 0;
            Line {
                outcome: if held { Outcome::Held } else { Outcome::Broken },
                counted: format!(
                    "{} {} in {:.0} s, {} failures; {}",
                    report.count,
                    report.unit,
                    report.seconds,
                    report.failures.len(),
                    report.settings
                ),
                again,
                details: report.failures.into_iter().chain(report.notes).collect(),
            }
        }
        Err(error) => Line::broken_off(&error, again),
    }
}

/// Runs a command that says nothing but whether it succeeded.
fn plain(counted: &str, command: &mut Command) -> Line {
    let started = Instant::now();
    let arguments: Vec<_> = command
        .get_args()
        .map(|one| one.to_string_lossy())
        .collect();
    let again = format!("`cargo {}`", arguments.join(" "));
    match process::run(command) {
        Ok(()) => Line {
            outcome: Outcome::Held,
            counted: format!("{counted}, {} s", started.elapsed().as_secs()),
            again,
            details: Vec::new(),
        },
        Err(error) => Line::broken_off(&error, again),
    }
}

fn fuzz_one(fuzzer: &Fuzzer<'_>, target: &Target, minutes: u64) -> Line {
    let time = Duration::from_secs(minutes.saturating_mul(60) / FUZZ_SHARE);
    let started = Instant::now();
    let again = "`cargo xtask verify fuzz`".to_owned();
    match fuzzer.run(target, FUZZ_EXECUTIONS, time) {
        Ok(count) => Line {
            outcome: Outcome::Held,
            counted: format!(
                "{count} executions in {} s, none broke what the target states",
                started.elapsed().as_secs()
            ),
            again,
            details: Vec::new(),
        },
        Err(error) => Line::broken_off(&error, again),
    }
}

/// What stands beside each number: the commit, whether it was all there was, and the day.
fn counted_on(workspace: &Workspace) -> Result<String> {
    let git = |args: &[&str]| {
        process::output(Command::new("git").args(args).current_dir(workspace.root()))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let changed = changes.lines().filter(|line| !line.ends_with(FILE)).count();
    let and = match changed {
        0 => String::new(),
        count => format!(" and {count} changed files"),
    };
    let date = process::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(format!("{commit}{and}, {date}"))
}

/// Where the newest numbers were counted.
fn machine(workspace: &Workspace) -> Result<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let memory = read("/proc/meminfo");
    let memory_kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    Ok(format!(
        "{} cores, {:.1} GiB of memory, Linux {kernel}; one write and flush to disk takes {:.2} ms (median of {FLUSHES})",
        available_parallelism()?,
        memory_kib as f64 / 1_048_576.0,
        flush_time(workspace)?.as_secs_f64() * 1_000.0
    ))
}

/// How long the disk below the target directory takes to keep 4 KiB.
fn flush_time(workspace: &Workspace) -> Result<Duration> {
    let path = workspace.target("flush-time");
    let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    let mut times = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[FLUSHES / 2])
}
