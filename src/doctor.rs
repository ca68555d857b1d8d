//! `wanryo doctor`: looks for what is set up wrongly, and says how to mend it. Changes nothing but a line in the inbox: the test
//! call of a V1 webhook, the same that PortOne's console sends.
//!
//! It is run beside the server, with the server's settings. Tested by `tests/it/doctor.rs`, which plants each mistake.

mod database;
mod outside;
mod settings;

use std::fmt;
use std::time::Duration;

use anyhow::Context;

use crate::config::{RawSettings, Settings};
use crate::ports::clock::Clock;

/// Time for one call to the outside.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and may not be meant so.
    Warning,
    /// Payments will not work, or not safely.
    Error,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The setting, or what else it is about.
    pub about: &'static str,
    /// What was found.
    pub found: String,
    /// How to mend it; empty when there is nothing to mend.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{level:<8} {}: {}", self.about, self.found)?;
        if !self.mend.is_empty() {
            write!(f, "\n         {}", self.mend)?;
        }
        Ok(())
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, about: &'static str, found: impl Into<String>) {
        self.add(Level::Good, about, found.into(), String::new());
    }

    fn warning(&mut self, about: &'static str, found: impl Into<String>, mend: impl Into<String>) {
        self.add(Level::Warning, about, found.into(), mend.into());
    }

    fn error(&mut self, about: &'static str, found: impl Into<String>, mend: impl Into<String>) {
        self.add(Level::Error, about, found.into(), mend.into());
    }

    fn add(&mut self, level: Level, about: &'static str, found: String, mend: String) {
        self.0.push(Finding {
            level,
            about,
            found,
            mend,
        });
    }
}

/// Looks at everything, the worst last.
///
/// # Errors
/// When nothing can be looked at: there is no TLS, or no client of PortOne can be made.
pub async fn examine(raw: RawSettings, clock: &dyn Clock) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Findings::default();
    match raw.check() {
        Ok(settings) => look(&settings, clock, &mut findings).await?,
        Err(wrong) => {
            for mistake in wrong.mistakes() {
                findings.error(
                    mistake.variable,
                    "the server does not start with it",
                    format!("It {}.", mistake.right),
                );
            }
        }
    }
    let Findings(mut findings) = findings;
    findings.sort_by_key(|finding| finding.level);
    Ok(findings)
}

async fn look(
    settings: &Settings,
    clock: &dyn Clock,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let client = client()?;
    settings::look(settings, findings);
    database::look(settings, findings).await;
    outside::look_at_portone(settings, &client, clock, findings).await?;
    outside::look_at_ourselves(settings, &client, clock, findings).await;
    Ok(())
}

/// A client that follows no redirect: PortOne does not, either.
fn client() -> anyhow::Result<reqwest::Client> {
    // An error means that there is one already.
    let _there = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("TLS cannot be set up")
}
