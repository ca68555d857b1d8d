//! Fuzz targets: everything that reads what a stranger can send.
//!
//! They are workspaces of their own in folders `fuzz`, because libFuzzer's runtime is nothing that anything else should compile.
//! No sanitizer is switched on: neither wanryo nor the client has unsafe code, and without one there are several times more
//! executions. Debug assertions and overflow checks are on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::tools::{self, Tool};
use crate::workspace::Workspace;

/// <https://rust-fuzz.github.io/book>
const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
};

/// Folders that have a folder `fuzz`.
const FUZZED: [&str; 2] = ["crates/portone", "."];

/// What libFuzzer prints before the number of inputs it tried.
const EXECUTED: &str = "stat::number_of_executed_units:";

/// Whose seeds and words a target begins with: the app makes records of the payments that the client reads.
fn begins_with(target: &str) -> &str {
    match target {
        "record" => "payment",
        own => own,
    }
}

/// What is fuzzed, ready to run.
pub(crate) struct Fuzzer<'w> {
    workspace: &'w Workspace,
    program: PathBuf,
}

/// One fuzz target.
#[derive(Debug)]
pub(crate) struct Target {
    folder: PathBuf,
    /// Its name.
    pub(crate) name: String,
}

impl<'w> Fuzzer<'w> {
    /// Compiles what it takes to fuzz.
    pub(crate) fn install(workspace: &'w Workspace) -> Result<Self> {
        Ok(Self {
            workspace,
            program: tools::install(workspace, CARGO_FUZZ)?,
        })
    }

    /// Every target there is.
    pub(crate) fn targets(&self) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for fuzzed in FUZZED {
            let folder = self.workspace.root().join(fuzzed);
            let names = process::output(self.command(&folder).arg("list"))?;
            targets.extend(names.lines().map(|name| Target {
                folder: folder.clone(),
                name: name.to_owned(),
            }));
        }
        Ok(targets)
    }

    /// Tries so many inputs, as far as they fit into the time, and says how many it were.
    pub(crate) fn run(&self, target: &Target, executions: u64, time: Duration) -> Result<u64> {
        let fuzz = target.folder.join("fuzz");
        // What was resolved for the app is what is fuzzed.
        let lock = fuzz.join("Cargo.lock");
        if !lock.exists() {
            fs::copy(self.workspace.root().join("Cargo.lock"), &lock)
                .with_context(|| format!("making {}", lock.display()))?;
        }
        let corpus = fuzz.join("corpus").join(&target.name);
        fs::create_dir_all(&corpus).with_context(|| format!("making {}", corpus.display()))?;
        let mut command = self.command(&target.folder);
        command
            .args(["run", "--sanitizer", "none", &target.name])
            .arg(&corpus);
        let begins_with = begins_with(&target.name);
        let given = |what: String| {
            let folders = FUZZED
                .iter()
                .map(|fuzzed| self.workspace.root().join(fuzzed));
            let mut places = folders.map(|folder| folder.join("fuzz").join(&what));
            places.find(|place| place.exists())
        };
        command.args(given(format!("seeds/{begins_with}")));
        command.args(["--", "-print_final_stats=1"]);
        command.arg(format!("-runs={executions}"));
        command.arg(format!("-max_total_time={}", time.as_secs().max(1)));
        if let Some(words) = given(format!("dictionaries/{begins_with}.dict")) {
            command.arg(format!("-dict={}", words.display()));
        }
        count(&mut command)
    }

    /// The stable compiler keeps what libFuzzer needs for nightly ones; `RUSTC_BOOTSTRAP` lets it have that.
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("fuzz")
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", self.workspace.target("fuzz"))
            .env("RUSTC_BOOTSTRAP", "1");
        command
    }
}

/// Runs libFuzzer, repeats what it prints, and reads out of it how many inputs were tried.
fn count(command: &mut Command) -> Result<u64> {
    let line = process::line(command);
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {line}"))?;
    let mut executed = None;
    let stderr = child.stderr.take().context("its output is a pipe")?;
    for printed in BufReader::new(stderr).split(b'\n') {
        let printed = printed.with_context(|| format!("reading what {line} prints"))?;
        let printed = String::from_utf8_lossy(&printed);
        eprintln!("{printed}");
        if let Some(number) = printed.strip_prefix(EXECUTED) {
            executed = number.trim().parse().ok();
        }
    }
    let status = child
        .wait()
        .with_context(|| format!("waiting for {line}"))?;
    if !status.success() {
        bail!("{line} ended with {status}");
    }
    executed.with_context(|| format!("{line} did not say how many inputs it tried"))
}
