//! Task runner: `cargo xtask demo`, `test`, `verify`, `zoo`, `mutants`, `bench`, `lighthouse`, `build`, `wasm`.
//!
//! Each command first sets up what this machine lacks (the wasm target, npm and Python packages, Debian packages), so that
//! a fresh clone needs nothing but rustup's stable toolchain, a C compiler and node. Nothing is fetched from anywhere but
//! the Rust, npm, Python and Debian registries.
//!
//! Invariants: a step that fails ends the run with its name and a non-zero exit code; the output of the tools is never
//! swallowed; nothing that needs root is attempted by anyone else, the command to run is printed instead.

mod bench;
mod demo;
mod fuzz;
mod interop;
mod lighthouse;
mod mutants;
mod postgres;
mod process;
mod progress;
mod proofs;
mod setup;
mod test;
mod tools;
mod verify;
mod wasm;
mod workspace;
mod zoo;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::test::Part;
use crate::workspace::Workspace;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo [ARGS]     build everything and run `wanryo demo ARGS`: shop, sandbox and back office on this machine
  test            every test: lints, Rust tests on SQLite and PostgreSQL, proofs, interop tests, browser tests
  test lints      formatting and clippy, for the server and for the browser
  test rust       Rust tests, with a temporary PostgreSQL
  test interop    other people's PortOne clients against our sandbox, and ours against PortOne's API descriptions
  test browser    browser tests, in Debian's Chromium, Firefox and WebKitGTK
  test proofs     the proofs of crates/proofs, in quick sizes
  verify [--minutes N] [PROOF…]
                  every proof, or those named, in large sizes, written down in verification.md (60 minutes unless told
                  otherwise): truth-table, model, simulate, kill, race, powercut, zoo, mutants, fuzz
  mutants         breaks every expression of src/domain, and of what the client verifies, in turn and wants a
                  test to notice (takes a while)
  bench           what a payment costs, in processor time, beside the least it could cost
  lighthouse      what Lighthouse says of every result page of the release build
  zoo             plant bugs in a copy of the shipped code, and let the simulator find each
  build           release build of the server with the browser code inside
  wasm            the browser code alone, into target/site/pkg

What is missing on this machine (wasm target, npm and Python packages, browsers, PostgreSQL) is set up first.
That takes root for Debian packages; as a normal user the command to run is printed.";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Help,
    Demo(Vec<String>),
    Test(Part),
    Mutants,
    Bench,
    Lighthouse,
    Verify { minutes: u64, names: Vec<String> },
    Build,
    Wasm,
    Zoo,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> Result<()> {
    let task = parse(args)?;
    if task == Task::Help {
        println!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match task {
        Task::Help => Ok(()),
        Task::Demo(args) => demo::run(&workspace, &args),
        Task::Test(part) => test::run(&workspace, part),
        Task::Mutants => mutants::run_all(&workspace),
        Task::Bench => bench::run(&workspace),
        Task::Lighthouse => lighthouse::run(&workspace),
        Task::Verify { minutes, names } => verify::run(&workspace, minutes, &names),
        Task::Build => wasm::run_with_server(&workspace),
        Task::Wasm => wasm::run(&workspace),
        Task::Zoo => zoo::run_all(&workspace),
    }
}

fn parse(mut args: Vec<String>) -> Result<Task> {
    if args.is_empty() {
        bail!("no command given\n\n{HELP}");
    }
    let command = args.remove(0);
    let rest: Vec<&str> = args.iter().map(String::as_str).collect();
    match (command.as_str(), rest.as_slice()) {
        ("help" | "--help" | "-h", _)
        | (
            "test" | "verify" | "zoo" | "mutants" | "bench" | "lighthouse" | "build" | "wasm",
            ["--help" | "-h"],
        ) => Ok(Task::Help),
        ("demo", _) => Ok(Task::Demo(args)),
        ("test", []) => Ok(Task::Test(Part::All)),
        ("test", ["lints"]) => Ok(Task::Test(Part::Lints)),
        ("test", ["rust"]) => Ok(Task::Test(Part::Rust)),
        ("test", ["interop"]) => Ok(Task::Test(Part::Interop)),
        ("test", ["browser"]) => Ok(Task::Test(Part::Browser)),
        ("mutants", []) => Ok(Task::Mutants),
        ("bench", []) => Ok(Task::Bench),
        ("lighthouse", []) => Ok(Task::Lighthouse),
        ("test", ["proofs"]) => Ok(Task::Test(Part::Proofs)),
        ("verify", ["--minutes", minutes, names @ ..]) => match minutes.parse() {
            Ok(minutes) if minutes > 0 => to_verify(minutes, names),
            Ok(_) | Err(_) => bail!("--minutes takes a whole number of minutes, not {minutes}"),
        },
        ("verify", names) => to_verify(verify::MINUTES, names),
        ("build", []) => Ok(Task::Build),
        ("wasm", []) => Ok(Task::Wasm),
        ("zoo", []) => Ok(Task::Zoo),
        _ => bail!(
            "unknown command: {command} {}\n\n{HELP}",
            rest.join(" ").trim_end()
        ),
    }
}

fn to_verify(minutes: u64, names: &[&str]) -> Result<Task> {
    if let Some(name) = names.iter().find(|name| !verify::NAMES.contains(name)) {
        bail!("there is no proof {name}, but {}", verify::NAMES.join(", "));
    }
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Ok(Task::Verify { minutes, names })
}

#[cfg(test)]
mod tests {
    use super::{Part, Task, parse};

    fn check(line: &str, expected: Task) {
        let args = line.split_whitespace().map(str::to_owned).collect();

        assert_eq!(parse(args).unwrap(), expected, "{line}");
    }

    #[test]
    fn commands_are_read() {
        check("--help", Task::Help);
        check("test --help", Task::Help);
        check("test", Task::Test(Part::All));
        check("test lints", Task::Test(Part::Lints));
        check("test rust", Task::Test(Part::Rust));
        check("test interop", Task::Test(Part::Interop));
        check("test browser", Task::Test(Part::Browser));
        check("mutants", Task::Mutants);
        check("bench", Task::Bench);
        check("lighthouse", Task::Lighthouse);
        check("test proofs", Task::Test(Part::Proofs));
        let verify = |minutes, names: &[&str]| Task::Verify {
            minutes,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        check("verify", verify(60, &[]));
        check("verify --minutes 5", verify(5, &[]));
        check("verify kill race", verify(60, &["kill", "race"]));
        check("verify --minutes 5 fuzz", verify(5, &["fuzz"]));
        check("build", Task::Build);
        check("wasm", Task::Wasm);
        check("zoo", Task::Zoo);
    }

    #[test]
    fn what_follows_demo_belongs_to_the_server() {
        let args = ["--addr", "127.0.0.1:0", "--help"].map(str::to_owned);

        check(
            "demo --addr 127.0.0.1:0 --help",
            Task::Demo(args.into_iter().collect()),
        );
    }

    #[test]
    fn a_slip_of_the_pen_runs_nothing() {
        for line in [
            "",
            "tset",
            "test everything",
            "build --debug",
            "wasm now",
            "verify --minutes 0",
            "verify --minutes soon",
            "verify --minutes",
            "verify kill -9",
        ] {
            let args = line.split_whitespace().map(str::to_owned).collect();

            assert!(parse(args).is_err(), "{line}");
        }
    }
}
