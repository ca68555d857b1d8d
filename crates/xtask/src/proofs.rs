//! Runs the program of `crates/proofs`, one proof at a time.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::postgres::Cluster;
use crate::process;
use crate::workspace::Workspace;

/// What a proof says that it counted; see `proofs::report::Report`, which it is printed from.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// `states`, `kills`, …
    pub(crate) unit: String,
    /// How many of it.
    pub(crate) count: u64,
    /// Seeds and sizes.
    pub(crate) settings: String,
    /// A line for each promise that was broken.
    pub(crate) failures: Vec<String>,
    /// What else is worth a line.
    pub(crate) notes: Vec<String>,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// The databases that a proof is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// None, or SQLite, which the proof makes itself.
    Own,
    /// A temporary PostgreSQL.
    Postgres,
}

/// One proof with its sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proof {
    /// Name of the subcommand.
    pub(crate) name: &'static str,
    /// What a reader is told it proves.
    pub(crate) about: &'static str,
    /// Name of its size flag.
    pub(crate) size: &'static str,
    /// At every push.
    pub(crate) quick: u64,
    /// In an hour of `cargo xtask verify`.
    pub(crate) hour: u64,
    /// However long it may take: more would need more memory, or show nothing new.
    pub(crate) full: u64,
    /// Where it runs.
    pub(crate) database: Database,
}

impl Proof {
    /// What the program is told to run it in a size.
    pub(crate) fn arguments(&self, size: u64, postgres: &str) -> Vec<String> {
        let mut arguments = vec![self.name.to_owned(), self.size.to_owned(), size.to_string()];
        if self.database == Database::Postgres {
            arguments.extend(["--database-url".to_owned(), postgres.to_owned()]);
        }
        arguments
    }
}

/// The proofs, by what they are worth: when there is little time, those at the end are cut.
pub(crate) const PROOFS: [Proof; 6] = [
    Proof {
        name: "model",
        about: "every interleaving of small worlds, with the shipped decisions in the middle",
        size: "--states",
        quick: 5_000_000,
        hour: 50_000_000,
        full: 50_000_000,
        database: Database::Own,
    },
    Proof {
        name: "simulate",
        about: "seeded days of the shipped use cases: faults, crashes, attackers, clocks that differ",
        size: "--schedules",
        quick: 20_000,
        hour: 1_000_000,
        full: 1_000_000,
        database: Database::Own,
    },
    Proof {
        name: "kill",
        about: "kill -9 at random moments under load, on SQLite",
        size: "--kills",
        quick: 200,
        hour: 1_500,
        full: 10_000,
        database: Database::Own,
    },
    Proof {
        name: "kill",
        about: "kill -9 at random moments under load, on PostgreSQL",
        size: "--kills",
        quick: 50,
        hour: 500,
        full: 2_500,
        database: Database::Postgres,
    },
    Proof {
        name: "race",
        about: "two servers on one PostgreSQL are told the same at the same time",
        size: "--rounds",
        quick: 2_000,
        hour: 20_000,
        full: 100_000,
        database: Database::Postgres,
    },
    Proof {
        name: "powercut",
        about: "the power goes at any moment of a recorded run",
        size: "--images",
        quick: 20_000,
        hour: 200_000,
        full: 1_000_000,
        database: Database::Own,
    },
];

/// The program that holds the proofs.
pub(crate) struct Program {
    path: PathBuf,
}

impl Program {
    /// The program as it was built.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The command that runs a proof in a size.
    fn command(&self, proof: &Proof, size: u64, postgres: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.args(proof.arguments(size, postgres));
        command
    }

    /// Runs a proof for its numbers. A proof that breaks off is an error; one that fails says so in its report.
    pub(crate) fn report(&self, proof: &Proof, size: u64, postgres: &str) -> Result<Report> {
        let output = self
            .command(proof, size, postgres)
            .arg("--json")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("starting {}", self.path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let report: Report = serde_json::from_str(last).with_context(|| {
            format!("{} ended with {} and no report", proof.name, output.status)
        })?;
        if output.status.success() != (report.failures.is_empty() && report.count > 0) {
            bail!(
                "{} ended with {}, unlike its report",
                proof.name,
                output.status
            );
        }
        Ok(report)
    }
}

/// The quick sizes, in the build that the tests use.
pub(crate) fn quick(workspace: &Workspace) -> Result<()> {
    let program = Program::at(workspace.target("debug/proofs"));
    let cluster = Cluster::start()?;
    let postgres = cluster.url();
    for proof in &PROOFS {
        process::run(&mut program.command(proof, proof.quick, &postgres))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const REPORT: &str = r#"{"proof":"model","unit":"states","count":7,"settings":"s","failures":[],"notes":["n"],"seconds":0.5}"#;

    /// A program that prints `output` and ends with `code`.
    fn program(name: &str, output: &str, code: u8) -> Program {
        let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let script = format!("#!/bin/sh\necho '{output}'\nexit {code}\n");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Program::at(path)
    }

    fn report(program: &Program) -> Result<Report> {
        let result = program.report(&PROOFS[0], 7, "postgres://nowhere");
        fs::remove_file(&program.path).unwrap();
        result
    }

    #[test]
    fn a_report_is_its_last_line() {
        let report = report(&program("report", &format!("chatter\n{REPORT}"), 0)).unwrap();

        assert_eq!((report.count, report.unit.as_str()), (7, "states"));
    }

    #[test]
    fn a_proof_that_breaks_off_is_no_proof() {
        assert!(report(&program("silent", "", 0)).is_err());
        // It says that all is well, and ends as if it were not.
        assert!(report(&program("torn", REPORT, 1)).is_err());
    }

    #[test]
    fn a_broken_promise_is_a_report() {
        let broken = REPORT.replace(r#""failures":[]"#, r#""failures":["f"]"#);

        let report = report(&program("broken", &broken, 1)).unwrap();

        assert_eq!(report.failures, ["f"]);
    }
}
