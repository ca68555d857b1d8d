//! `cargo xtask verify`: every proof in large sizes, and what came of it written down in `verification.md`.
//!
//! Invariants: a number in the file was counted in this run; what was cut or not run is said with its reason; a broken promise
//! ends the command with failure, after the file was written.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

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

/// Where it is written, in the workspace's root.
const FILE: &str = "verification.md";

/// Inputs that each fuzz target tries, as far as its time allows.
const FUZZ_EXECUTIONS: u64 = 10_000_000;

/// Of the minutes, the part that each fuzz target has at most: a tenth.
const FUZZ_SHARE: u64 = 10;

/// How often the disk is asked to flush, to say how fast it is.
const FLUSHES: usize = 200;

/// What came of one proof.
enum Outcome {
    /// It held.
    Held,
    /// A promise was broken, or the proof broke off.
    Broken,
    /// It was not run.
    NotRun,
}

struct Line {
    name: String,
    outcome: Outcome,
    /// What was counted, or why nothing was.
    counted: String,
    /// The command that runs it again.
    replay: String,
    /// Failures and notes.
    details: Vec<String>,
}

/// Builds what is shipped, runs every proof, and writes down what came of it.
pub(crate) fn run(workspace: &Workspace, minutes: u64) -> Result<()> {
    let mut steps: Vec<Step<'_>> = wasm::steps(workspace).into_iter().collect();
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
    steps.push(Step::new("proofs", || prove(workspace, minutes)));
    progress::run(steps)
}

fn prove(workspace: &Workspace, minutes: u64) -> Result<()> {
    let started = Instant::now();
    let time = Duration::from_secs(minutes.saturating_mul(60));
    let program = Program::at(workspace.target("release/proofs"));
    let cluster = Cluster::start()?;
    let postgres = cluster.url();
    let is_over = || started.elapsed() >= time;

    let mut lines = vec![truth_table(workspace)];
    for proof in &PROOFS {
        lines.push(if is_over() {
            not_run(proof.name, "the time was over")
        } else {
            one(&program, proof, minutes, &postgres)
        });
    }
    lines.push(if is_over() {
        not_run("zoo", "the time was over; `cargo xtask zoo` runs it alone")
    } else {
        plain(
            "zoo (bugs planted in a copy of the shipped code)",
            "the simulator found each",
            &mut workspace.cargo(&["xtask", "zoo"]),
        )
    });
    lines.push(if is_over() {
        not_run(
            "mutants",
            "the time was over; `cargo xtask mutants` runs them alone",
        )
    } else {
        mutants(workspace)
    });
    lines.extend(if is_over() {
        vec![not_run("fuzz", "the time was over")]
    } else {
        fuzz(workspace, minutes)
    });

    let text = document(workspace, minutes, started.elapsed(), &lines)?;
    let path = workspace.root().join(FILE);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("written to {FILE}");
    let broken: Vec<&str> = lines
        .iter()
        .filter(|line| matches!(line.outcome, Outcome::Broken))
        .map(|line| line.name.as_str())
        .collect();
    if !broken.is_empty() {
        bail!("broken: {}", broken.join(", "));
    }
    Ok(())
}

fn not_run(name: &str, why: &str) -> Line {
    Line {
        name: name.to_owned(),
        outcome: Outcome::NotRun,
        counted: why.to_owned(),
        replay: String::new(),
        details: Vec::new(),
    }
}

/// A size for these minutes: never less than at every push, and never more than is worth it.
fn scaled(proof: &Proof, minutes: u64) -> u64 {
    let size = proof.hour.saturating_mul(minutes) / MINUTES;
    size.clamp(proof.quick, proof.full)
}

fn one(program: &Program, proof: &Proof, minutes: u64, postgres: &str) -> Line {
    let size = scaled(proof, minutes);
    eprintln!("{} {} {size}: {} …", proof.name, proof.size, proof.about);
    let replay = format!(
        "`cargo run --release --package proofs -- {}`",
        proof.arguments(size, "URL").join(" ")
    );
    match program.report(proof, size, postgres) {
        Ok(report) => {
            let held = report.failures.is_empty() && report.count > 0;
            Line {
                name: format!("{} ({})", proof.name, proof.about),
                outcome: if held { Outcome::Held } else { Outcome::Broken },
                counted: format!(
                    "{} {} in {:.0} s, {} failures; {}",
                    report.count,
                    report.unit,
                    report.seconds,
                    report.failures.len(),
                    report.settings
                ),
                replay,
                details: report.failures.into_iter().chain(report.notes).collect(),
            }
        }
        Err(error) => broken(proof.name, &error, replay),
    }
}

fn broken(name: &str, error: &anyhow::Error, replay: String) -> Line {
    Line {
        name: name.to_owned(),
        outcome: Outcome::Broken,
        counted: format!("{error:#}"),
        replay,
        details: Vec::new(),
    }
}

/// Runs a command that says nothing but whether it succeeded.
fn plain(name: &str, counted: &str, command: &mut Command) -> Line {
    let started = Instant::now();
    let replay = format!("`{}`", process::line(command));
    match process::run(command) {
        Ok(()) => Line {
            name: name.to_owned(),
            outcome: Outcome::Held,
            counted: format!("{counted}, {} s", started.elapsed().as_secs()),
            replay,
            details: Vec::new(),
        },
        Err(error) => broken(name, &error, replay),
    }
}

fn truth_table(workspace: &Workspace) -> Line {
    plain(
        "truth table (every combination of checks and statuses)",
        "all rows as the table has them",
        &mut workspace.cargo(&["test", "--package", "wanryo", "--lib", "truth_table"]),
    )
}

fn mutants(workspace: &Workspace) -> Line {
    plain(
        "mutants (every expression of src/domain broken in turn)",
        "each was noticed by a test",
        &mut workspace.cargo(&["xtask", "mutants"]),
    )
}

fn fuzz(workspace: &Workspace, minutes: u64) -> Vec<Line> {
    let targets = Fuzzer::install(workspace).and_then(|fuzzer| {
        let targets = fuzzer.targets()?;
        Ok((fuzzer, targets))
    });
    match targets {
        Ok((fuzzer, targets)) => targets
            .iter()
            .map(|target| fuzz_one(&fuzzer, target, minutes))
            .collect(),
        Err(error) => vec![broken("fuzz", &error, String::new())],
    }
}

fn fuzz_one(fuzzer: &Fuzzer<'_>, target: &Target, minutes: u64) -> Line {
    let name = format!("fuzz {}", target.name);
    let time = Duration::from_secs(minutes.saturating_mul(60) / FUZZ_SHARE);
    let started = Instant::now();
    match fuzzer.run(target, FUZZ_EXECUTIONS, time) {
        Ok(count) => Line {
            name,
            outcome: Outcome::Held,
            counted: format!(
                "{count} executions in {} s, none broke what the target states",
                started.elapsed().as_secs()
            ),
            replay: String::new(),
            details: Vec::new(),
        },
        Err(error) => broken(&name, &error, String::new()),
    }
}

fn document(workspace: &Workspace, minutes: u64, took: Duration, lines: &[Line]) -> Result<String> {
    let git = |args: &[&str]| {
        process::output(Command::new("git").args(args).current_dir(workspace.root()))
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let tree = match changes.lines().filter(|line| !line.ends_with(FILE)).count() {
        0 => "clean".to_owned(),
        count => format!("{count} files changed since"),
    };
    let date = process::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let memory = read("/proc/meminfo");
    let memory_kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    let flush = flush_time(workspace)?;

    let mut text = String::new();
    writeln!(
        text,
        "# Verification\n\nWritten by `cargo xtask verify --minutes {minutes}`; every number was counted in that run.\n"
    )?;
    writeln!(text, "| | |\n|---|---|")?;
    writeln!(text, "| commit | {commit} ({tree}) |\n| date | {date} |")?;
    writeln!(
        text,
        "| machine | {} cores, {:.1} GiB of memory, Linux {kernel} |",
        available_parallelism()?,
        memory_kib as f64 / 1_048_576.0
    )?;
    writeln!(
        text,
        "| one write and flush to disk | {:.2} ms (median of {FLUSHES}) |\n| time | {} s |\n",
        flush.as_secs_f64() * 1_000.0,
        took.as_secs()
    )?;
    writeln!(
        text,
        "| proof | result | counted | again |\n|---|---|---|---|"
    )?;
    for line in lines {
        let outcome = match line.outcome {
            Outcome::Held => "held",
            Outcome::Broken => "**broken**",
            Outcome::NotRun => "not run",
        };
        let counted = line.counted.replace('\n', " ").replace('|', "\\|");
        writeln!(
            text,
            "| {} | {outcome} | {counted} | {} |",
            line.name, line.replay
        )?;
    }
    for line in lines.iter().filter(|line| !line.details.is_empty()) {
        writeln!(text, "\n## {}\n\n```text", line.name)?;
        for detail in &line.details {
            writeln!(text, "{detail}")?;
        }
        writeln!(text, "```")?;
    }
    Ok(text)
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
