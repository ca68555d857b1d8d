//! `cargo xtask test`: everything that must hold before a change is done.

use std::num::NonZero;
use std::process::Command;
use std::thread;

use anyhow::Result;

use crate::interop;
use crate::postgres::Cluster;
use crate::process;
use crate::progress::{self, Step};
use crate::proofs;
use crate::setup::{self, WASM_TARGET};
use crate::wasm;
use crate::workspace::Workspace;

/// Where the Rust tests look for a PostgreSQL that they may create databases in.
const POSTGRES_URL_VARIABLE: &str = "WANRYO_TEST_POSTGRES_URL";

/// The browser tests and their npm packages.
pub(crate) const BROWSER_TESTS_DIR: &str = "end2end";

/// Which tests to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of them.
    All,
    /// Formatting, clippy, and the types of the browser tests.
    Lints,
    /// `cargo test`.
    Rust,
    /// The proofs, in quick sizes.
    Proofs,
    /// Programs that others wrote.
    Interop,
    /// Playwright.
    Browser,
}

/// Runs the steps of one part, or of all.
pub(crate) fn run(workspace: &Workspace, part: Part) -> Result<()> {
    let has = |wanted| part == Part::All || part == wanted;
    let mut steps = Vec::new();
    if has(Part::Rust) || has(Part::Proofs) || has(Part::Browser) {
        steps.push(Step::new("setup: Debian packages", setup::debian_packages));
    }
    if has(Part::Lints) || has(Part::Browser) {
        steps.push(Step::new(
            "setup: npm packages of the browser tests",
            || setup::npm_packages(workspace, BROWSER_TESTS_DIR),
        ));
    }
    if has(Part::Interop) {
        steps.extend(interop::setup_steps(workspace));
    }
    if has(Part::Lints) {
        steps.extend(format_steps(workspace));
    }
    // Before anything that compiles the server: the browser code is built into it.
    steps.extend(wasm::steps(workspace));
    if has(Part::Lints) {
        steps.extend(clippy_steps(workspace));
    }
    if has(Part::Rust) {
        steps.push(Step::new("Rust tests, on SQLite and PostgreSQL", || {
            rust_tests(workspace)
        }));
    }
    if has(Part::Proofs) || has(Part::Interop) || has(Part::Browser) {
        steps.push(Step::new("building the programs to test", || {
            // The whole workspace, although the interop tests need two crates of it: what the Rust tests compiled fits.
            process::run(&mut workspace.cargo(&["build", "--workspace", "--bins", "--examples"]))
        }));
    }
    if has(Part::Proofs) {
        steps.push(Step::new("proofs, quick sizes", || {
            proofs::quick(workspace)
        }));
    }
    if has(Part::Interop) {
        steps.push(interop::step(workspace));
    }
    if has(Part::Browser) {
        steps.push(browser_step(workspace));
    }
    progress::run(steps)
}

fn format_steps(workspace: &Workspace) -> [Step<'_>; 3] {
    [
        Step::new("setup: rustfmt and clippy", || setup::lint_tools(workspace)),
        Step::new("formatting", || {
            process::run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
        }),
        Step::new("types of the browser tests", || {
            process::run(npx(workspace).args(["tsc", "--noEmit"]))
        }),
    ]
}

fn clippy_steps(workspace: &Workspace) -> [Step<'_>; 2] {
    [
        Step::new("clippy, server", || {
            process::run(&mut workspace.cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                // What the tests build is built without it.
                "--features",
                "wanryo/otel",
                "--",
                "-Dwarnings",
            ]))
        }),
        Step::new("clippy, browser", || {
            process::run(
                workspace
                    .cargo(&["clippy", "--lib", "--package", "wanryo"])
                    .args(["--no-default-features", "--features", "hydrate"])
                    // The profile of the real build: its procedural macros are compiled already.
                    .args(["--profile", "wasm-release", "--target", WASM_TARGET])
                    .args(["--", "-Dwarnings"]),
            )
        }),
    ]
}

fn rust_tests(workspace: &Workspace) -> Result<()> {
    let cluster = Cluster::start()?;
    process::run(
        workspace
            .cargo(&["test", "--workspace"])
            .env(POSTGRES_URL_VARIABLE, cluster.url())
            .env("RUST_TEST_THREADS", test_threads().to_string()),
    )
}

/// Tests at once: two for each core, since half the time of a test is waiting for an answer or for a limit to run out.
fn test_threads() -> usize {
    2 * thread::available_parallelism().map_or(1, NonZero::get)
}

fn browser_step(workspace: &Workspace) -> Step<'_> {
    Step::new("browser tests", || {
        process::run(
            npx(workspace)
                .args(["playwright", "test"])
                .env("WANRYO_BIN_DIR", workspace.target("debug")),
        )
    })
}

/// `--no-install`: only what the lock file names, nothing fetched on the way.
pub(crate) fn npx(workspace: &Workspace) -> Command {
    let mut command = Command::new("npx");
    command
        .current_dir(workspace.root().join(BROWSER_TESTS_DIR))
        .arg("--no-install");
    command
}
