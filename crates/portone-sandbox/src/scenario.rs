//! What can happen to a payment, acted out against a completion server: the sandbox plays PortOne, a plain HTTP client
//! plays the buyer's browser, and the server, a [`Target`], is judged by what it answers, by the state of its order, and
//! by how often it delivers.
//!
//! Invariants: a scenario makes orders of its own and depends on no other; nothing is decided by how fast the machine
//! is: the sandbox's journal says when a message was answered, and time passes only through [`Target::pass_time`]; a
//! target is judged only by what it shows, so what it cannot show is skipped and counted as skipped.
//!
//! `portone-sandbox check` runs them against a server over HTTP. A shop written in Rust can run them in its own tests:
//!
//! ```no_run
//! use portone_sandbox::Sandbox;
//! use portone_sandbox::scenario::{self, Options, Target};
//!
//! # async fn test(my_shop: impl Target) -> Result<(), portone_sandbox::Error> {
//! let sandbox = Sandbox::builder().spawn().await?;
//! // … start the shop with `sandbox.url()` as PortOne's address, and implement `Target` for it …
//! let report = scenario::run(&sandbox, &my_shop, &scenario::all(), Options::default()).await;
//! assert_eq!(report.failed(), 0, "{report}");
//! # Ok(())
//! # }
//! ```

mod accounts;
mod failures;
mod forgeries;
mod lost;
mod outages;
mod play;
mod refunds;
mod report;
mod returns;
mod target;
mod v2;

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use serde::Serialize;

pub use report::{Report, ScenarioResult, Verdict};
pub use target::{
    Answer, Feature, Generation, Order, OrderState, OrderStatus, Outcome, Target, TargetError,
    Visit,
};

use crate::Sandbox;
use play::{Break, Play};

/// How a scenario ended; `Ok` is a pass.
type Played = Result<(), Break>;
type Playing<'p> = Pin<Box<dyn Future<Output = Played> + Send + 'p>>;

/// One thing that can happen to a payment, and what a server must make of it.
#[derive(Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct Scenario {
    /// From 1, without gaps; never given to another scenario.
    pub number: u8,
    /// Stable, in kebab-case.
    pub name: &'static str,
    /// Which of PortOne's APIs it is about.
    pub generation: Generation,
    /// What happens, and what the server must do, in one line.
    pub about: &'static str,
    /// Without these of the target there is nothing to look at.
    #[serde(skip)]
    needs: &'static [Feature],
    #[serde(skip)]
    play: for<'p> fn(&'p Play<'p>) -> Playing<'p>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Scenario({} {})", self.number, self.name)
    }
}

/// A line of a table of scenarios.
macro_rules! scenario {
    ($number:literal, $name:literal, $generation:ident, [$($need:ident),*], $play:path, $about:literal) => {
        $crate::scenario::Scenario {
            number: $number,
            name: $name,
            generation: $crate::scenario::Generation::$generation,
            about: $about,
            needs: &[$($crate::scenario::Feature::$need),*],
            play: |play| Box::pin($play(play)),
        }
    };
}
use scenario;

/// Every scenario, by number.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut all = [
        returns::SCENARIOS,
        failures::SCENARIOS,
        forgeries::SCENARIOS,
        accounts::SCENARIOS,
        lost::SCENARIOS,
        outages::SCENARIOS,
        refunds::SCENARIOS,
        v2::SCENARIOS,
    ]
    .concat();
    all.sort_by_key(|scenario| scenario.number);
    all
}

/// How scenarios are run.
#[derive(Default)]
#[non_exhaustive]
pub struct Options<'o> {
    /// Marks the order numbers of this run: 1 to 12 of `a-z`, `0-9`. Needed only if the target keeps orders of earlier
    /// runs; by default the time of day, in base 36.
    pub run: Option<String>,
    /// Is told of every result as soon as it is there.
    pub observer: Option<Observer<'o>>,
}

/// Is told of a result.
pub type Observer<'o> = Box<dyn FnMut(&ScenarioResult) + Send + 'o>;

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl<'o> Options<'o> {
    /// Marks the order numbers of this run.
    #[must_use]
    pub fn run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Tells `observer` of every result as soon as it is there.
    #[must_use]
    pub fn observer(mut self, observer: impl FnMut(&ScenarioResult) + Send + 'o) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }
}

/// Runs `scenarios`, one after the other, and says how the target did.
///
/// The sandbox must be the PortOne that the target is configured with, and nobody else may use it meanwhile: its
/// settings, faults and clock are changed after each other. Afterwards it has no faults, sends webhooks to the target,
/// once, after the redirect, and its clock runs on from where the target left it.
pub async fn run(
    sandbox: &Sandbox,
    target: &dyn Target,
    scenarios: &[Scenario],
    mut options: Options<'_>,
) -> Report {
    let run = options
        .run
        .take()
        .unwrap_or_else(|| base36(sandbox.now_ms().unsigned_abs()));
    let mut results = Vec::with_capacity(scenarios.len());
    for scenario in scenarios {
        let result = run_one(sandbox, target, scenario, &run).await;
        if let Some(observer) = &mut options.observer {
            observer(&result);
        }
        results.push(result);
    }
    Report { results }
}

async fn run_one(
    sandbox: &Sandbox,
    target: &dyn Target,
    scenario: &Scenario,
    run: &str,
) -> ScenarioResult {
    let begun = Instant::now();
    let own_api = match scenario.generation {
        Generation::V1 => Feature::V1,
        Generation::V2 => Feature::V2,
    };
    let missing = std::iter::once(&own_api)
        .chain(scenario.needs)
        .find(|feature| !target.supports(**feature));
    let (steps, played) = match missing {
        Some(feature) => (Vec::new(), Err(Break::without(*feature))),
        None => match Play::new(sandbox, target, run, scenario.number) {
            Err(error) => (Vec::new(), Err(error)),
            Ok(play) => {
                play.set_up();
                let played = (scenario.play)(&play).await;
                (play.tear_down(), played)
            }
        },
    };
    ScenarioResult {
        number: scenario.number,
        name: scenario.name,
        verdict: Verdict::of(played),
        steps,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        // The remainder is below 36.
        digits.push(char::from(
            DIGITS[usize::try_from(number % 36).unwrap_or(0)],
        ));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_are_numbered_without_gaps_and_named_in_kebab_case() {
        let all = all();

        let numbers: Vec<u8> = all.iter().map(|scenario| scenario.number).collect();
        assert_eq!(numbers, (1..=58).collect::<Vec<u8>>());
        let mut names: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 58);
        for scenario in &all {
            assert!(
                scenario
                    .name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{}",
                scenario.name
            );
            assert!(scenario.about.ends_with('.'), "{}", scenario.about);
        }
    }

    #[test]
    fn base_36_has_no_leading_zeros() {
        for (number, text) in [
            (0, "0"),
            (35, "z"),
            (36, "10"),
            (1_800_000_000_000, "myxh3eo0"),
        ] {
            assert_eq!(base36(number).len(), text.len());
            assert_eq!(u64::from_str_radix(&base36(number), 36), Ok(number));
        }
    }
}
