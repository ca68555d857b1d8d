//! The model: every interleaving of small worlds, with the product's own decisions in the middle.
//!
//! A world is one or two orders, up to four payments that come into being at PortOne (good ones, and one that is too cheap, of
//! another currency or of a test channel), browsers that come back with any claim, webhooks that arrive twice or never, handlers
//! that ask PortOne, decide and commit at their own pace, time, consoles, lost answers and processes that vanish between any two
//! steps. [`step`] says what may happen next; `decide`, `expire`, `close`, `outcome_of`, `next_turn` and what they call
//! are `wanryo::domain` as shipped ([`product`]); [`promises`] holds what must be true in each state, written down a second time.
//! Refunds have worlds of their own ([`refunds`]).
//!
//! What it cannot see is the code around the decisions: [`step`] repeats the services by hand. That is for the simulator, and
//! for killed processes on real databases.
//!
//! Two states with the same 64-bit fingerprint would be taken for one: among ten million states that happens to about three
//! pairs in a million runs.

pub mod configuration;
pub mod planted;
pub mod product;
pub mod promises;
pub mod refunds;
pub mod state;
pub mod step;
pub mod world;

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::hash::Hash;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Path};
use wanryo::domain::order::OrderStatus;
use wanryo::domain::transaction::Verdict;

use crate::report::Report;
use configuration::Configuration;
use planted::Planted;
use state::{Action, State};
use step::{EVERY_PROMISE, Engine};

/// How often it is looked whether a world has been walked far enough.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How much of the matrix to walk.
#[derive(Debug, Clone, clap::Args)]
pub struct Size {
    /// States to look at, over all configurations; one that has fewer leaves the rest to those after it
    #[arg(long, default_value_t = 5_000_000)]
    pub states: u64,
    /// Only this one
    #[arg(long)]
    pub configuration: Option<String>,
    /// Plants a bug, which must be found
    #[arg(long)]
    pub planted: Option<Planted>,
}

/// What one world came to.
#[derive(Debug)]
struct Walked {
    states: u64,
    steps: usize,
    depth: usize,
    cut: bool,
    seconds: f64,
    decisions: usize,
    rows: Vec<product::Digest>,
    /// The broken promise with the way to it.
    broken: Option<String>,
}

/// Walks the matrix.
#[must_use]
pub fn run(size: &Size) -> Report {
    let started = Instant::now();
    let wanted = |c: &Configuration| size.configuration.as_ref().is_none_or(|n| n == c.name);
    let matrix: Vec<Configuration> = configuration::all().into_iter().filter(wanted).collect();
    let refunds: Vec<refunds::Configuration> = refunds::all()
        .into_iter()
        .filter(|_| size.planted.is_none())
        .filter(|world| size.configuration.as_ref().is_none_or(|n| n == world.name))
        .collect();
    let mut report = Report {
        proof: "model".to_owned(),
        unit: "states".to_owned(),
        count: 0,
        settings: format!(
            "{} configurations, --states {}",
            refunds.len() + matrix.len(),
            size.states
        ),
        failures: Vec::new(),
        notes: Vec::new(),
        seconds: 0.0,
    };
    let whole = size.configuration.is_none() && size.planted.is_none();
    let mut reached = Reached::default();
    let count = matrix.len();
    let share = size.states / u64::try_from(count + refunds.len()).unwrap_or(1).max(1);
    for world in refunds {
        match walk_refunds(world, None, share.max(1)) {
            Some(walked) => {
                let _of_no_order = report_on(&mut report, world.name, walked);
            }
            None => report
                .failures
                .push(format!("{}: its ids are none", world.name)),
        }
    }
    for (index, configuration) in matrix.into_iter().enumerate() {
        let worlds_left = u64::try_from(count - index).unwrap_or(1);
        let share = size.states.saturating_sub(report.count) / worlds_left;
        let name = configuration.name;
        let walked = walk(configuration, size.planted, share.max(1));
        let rows = report_on(&mut report, name, walked);
        reached.add(&rows);
    }
    if whole {
        report.failures.extend(reached.missing());
    }
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// Notes what a world came to, and returns the rows that were reached.
fn report_on(report: &mut Report, name: &str, walked: Walked) -> Vec<product::Digest> {
    report.count += walked.states;
    report.notes.push(format!(
        "{name}: {} states{}, {} steps, depth {}, {} decisions over {} rows, {:.1} s",
        walked.states,
        if walked.cut {
            " (cut short)"
        } else {
            " (all there are)"
        },
        walked.steps,
        walked.depth,
        walked.decisions,
        walked.rows.len(),
        walked.seconds
    ));
    if let Some(broken) = walked.broken {
        report.failures.push(format!("{name}: {broken}"));
    }
    walked.rows
}

/// What was reached: a promise that is kept in a world where nothing happens proves nothing.
#[derive(Default)]
struct Reached {
    statuses: BTreeSet<&'static str>,
    verdicts: BTreeSet<&'static str>,
}

impl Reached {
    fn add(&mut self, rows: &[product::Digest]) {
        for row in rows {
            self.statuses.insert(row.status.as_str());
            let seen = row.seen.iter().flatten();
            self.verdicts.extend(seen.map(|seen| seen.verdict.as_str()));
        }
    }

    fn missing(&self) -> Vec<String> {
        let statuses = OrderStatus::ALL
            .iter()
            .map(|status| ("order", status.as_str()));
        let verdicts = Verdict::ALL
            .iter()
            .map(|verdict| ("payment", verdict.as_str()));
        statuses
            .filter(|(_, word)| !self.statuses.contains(word))
            .chain(verdicts.filter(|(_, word)| !self.verdicts.contains(word)))
            .map(|(what, word)| format!("no {what} was ever {word}: the matrix is too small"))
            .collect()
    }
}

/// Looks at states, nearest first, until there are no more or enough.
fn explore<M>(engine: M, limit: u64, stop: impl Fn(&M)) -> impl Checker<M>
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + PartialEq + Hash + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let threads = available_parallelism().map_or(1, usize::from);
    let checker = engine
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs();
    while !checker.is_done() {
        if u64::try_from(checker.unique_state_count()).unwrap_or(u64::MAX) >= limit {
            stop(checker.model());
        }
        sleep(LOOK_EVERY);
    }
    checker.join()
}

/// Walks a world of refunds. `None` when it cannot be built.
fn walk_refunds(
    configuration: refunds::Configuration,
    bent: Option<refunds::Bent>,
    limit: u64,
) -> Option<Walked> {
    let started = Instant::now();
    let engine = refunds::Engine::new(configuration, bent)?;
    let checker = explore(engine, limit, refunds::Engine::stop);
    let engine = checker.model();
    let cut = engine.was_stopped();
    engine.go_on_stepping();
    let broken = checker.discovery(EVERY_PROMISE).map(|path| {
        let mut text = String::new();
        for (number, (state, action)) in path.into_vec().iter().enumerate() {
            let promise = engine.broken(state).unwrap_or_default();
            let action = action.map_or_else(String::new, |action| action.to_string());
            let _written = write!(text, "\n    {:>2}. {action} {promise}", number + 1);
        }
        text
    });
    Some(Walked {
        states: u64::try_from(checker.unique_state_count()).unwrap_or(u64::MAX),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        cut,
        seconds: started.elapsed().as_secs_f64(),
        decisions: 0,
        rows: Vec::new(),
        broken,
    })
}

fn walk(configuration: Configuration, planted: Option<Planted>, limit: u64) -> Walked {
    let started = Instant::now();
    let checker = explore(Engine::new(configuration, planted), limit, Engine::stop);
    let engine = checker.model();
    let cut = engine.was_stopped();
    // Walking the way to a broken promise steps through the same states again.
    engine.go_on_stepping();
    let broken = checker
        .discovery(EVERY_PROMISE)
        .map(|path| tell(engine, path));
    Walked {
        states: u64::try_from(checker.unique_state_count()).unwrap_or(u64::MAX),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        cut,
        seconds: started.elapsed().as_secs_f64(),
        decisions: engine.product.decisions_taken(),
        rows: engine.product.digests(),
        broken,
    }
}

/// The way to a state that breaks a promise, for people.
fn tell(engine: &Engine, path: Path<State, Action>) -> String {
    let mut text = String::new();
    let mut before: Option<State> = None;
    let steps = path.into_vec();
    if let Some(promise) = steps.last().and_then(|(last, _)| engine.broken(last)) {
        let _written = write!(text, "broken: {promise}");
    }
    for (number, (state, action)) in steps.iter().enumerate() {
        if let Some(before) = before {
            for order in 0..engine.configuration.orders {
                if before.rows[order].row != state.rows[order].row {
                    let row = engine.product.digest(state.rows[order].row);
                    let _written = write!(text, "\n       → {}", say(&row));
                }
            }
        }
        if let Some(action) = action {
            let _written = write!(text, "\n    {:>2}. {action}", number + 1);
        }
        before = Some(*state);
    }
    text
}

fn say(row: &product::Digest) -> String {
    let mut text = format!(
        "order {} {}",
        ["A", "B"].get(row.order).copied().unwrap_or("?"),
        row.status.as_str()
    );
    for (index, seen) in row.seen.iter().enumerate() {
        if let Some(seen) = seen {
            let _written = write!(
                text,
                ", payment {index} {} ({}, {} given back)",
                seen.verdict.as_str(),
                seen.status.as_str(),
                seen.cancelled
            );
        }
    }
    text
}

#[cfg(test)]
mod tests;
