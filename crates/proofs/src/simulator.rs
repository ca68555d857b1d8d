//! The seeded simulator: the shipped use cases and the shipped domain in a world of which everything follows from a seed.
//!
//! One schedule runs on one thread, by a clock of its own. Two servers share one database; calls to it and to PortOne wait,
//! fail, or lose their answers as the schedule draws it; servers die at any await and start again; buyers come back with what
//! is left of their query, strangers with what they made up; webhooks are late, doubled, reordered or lost; the shop asks for
//! refunds, and calls for them arrive late or never; a worker walks through PortOne's lists; clocks are wrong; days pass. After
//! each event [`watch`] compares what was done and said with what PortOne had told until then. At the end all faults stop, and
//! every order and every refund must be as PortOne has it.
//!
//! What it does not run: SQL (`tests/it/store.rs` and the proofs with real processes do), HTTP, and PortOne's formats.

mod chance;
mod coverage;
mod kinds;
mod portone;
mod ports;
mod shrink;
mod story;
mod tables;
mod watch;
mod world;

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;

use self::chance::Chance;
use self::coverage::Coverage;
use self::story::{EVENTS, Source, Told, tell};
use self::watch::Violation;
use crate::report::Report;

/// Failing schedules that are shrunk and printed; one is enough to begin with, and more of the same cost minutes.
const FAILURES_MAX: usize = 5;
/// From this many schedules on each pair of event and state must have come up.
const COVERAGE_FROM: u64 = 20_000;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many schedules.
    pub schedules: u64,
    /// The first one's seed follows from it; the others are next to it.
    pub seed: u64,
    /// Stop at the first broken promise, and do not shrink it.
    pub stop_early: bool,
}

thread_local! {
    /// What the shipped code said when it panicked on this thread. Its tasks catch a panic, so it must be kept elsewhere.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs schedules on all cores.
///
/// # Errors
/// When a thread could not be used.
pub fn simulate(settings: &Settings) -> anyhow::Result<Report> {
    watch_panics();
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(0);
    let ran = AtomicU64::new(0);
    let failures = parking_lot::Mutex::new(Vec::new());
    let coverage = parking_lot::Mutex::new(Coverage::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Coverage::default();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= settings.schedules {
                            break;
                        }
                        let seed = seed_of(settings.seed, number);
                        let told = watched(seed, Source::Drawn, false, &mut mine);
                        ran.fetch_add(1, Ordering::Relaxed);
                        if let Some(violation) = told.violation {
                            let mut failures = failures.lock();
                            failures.push((number, seed, violation));
                            if settings.stop_early || failures.len() >= FAILURES_MAX {
                                next.store(settings.schedules, Ordering::Relaxed);
                            }
                        }
                    }
                    coverage.lock().add(&mine);
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(std::thread::ScopedJoinHandle::join)
    })
    .ok()
    .context("a thread of the simulator panicked")?;

    let mut failures = failures.into_inner();
    failures.sort_by_key(|(number, ..)| *number);
    let count = ran.into_inner();
    let coverage = coverage.into_inner();
    let mut lines: Vec<String> = failures
        .iter()
        .map(|(number, seed, violation)| {
            format!(
                "schedule {number}: {}: {}; replay with `simulate --replay {seed}`",
                violation.rule, violation.detail
            )
        })
        .collect();
    if let Some((_, seed, _)) = failures.first()
        && !settings.stop_early
    {
        lines.extend(replay(*seed).lines);
    }
    let missing = coverage.missing();
    if settings.schedules >= COVERAGE_FROM && failures.is_empty() {
        lines.extend(missing.iter().map(|pair| format!("never came up: {pair}")));
    }
    Ok(Report {
        proof: "simulate".to_owned(),
        unit: "schedules".to_owned(),
        count,
        settings: format!(
            "seed {}, {EVENTS} events each, {threads} threads",
            settings.seed
        ),
        failures: lines,
        notes: vec![format!(
            "coverage: {} of {} pairs of event and order state, and deeds, came up; rarest: {}",
            Coverage::wanted_count() - missing.len(),
            Coverage::wanted_count(),
            coverage.rarest().unwrap_or_default()
        )],
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// A schedule told in words, and shrunk first when it breaks a promise.
#[derive(Debug)]
pub struct Replayed {
    /// The broken promise.
    pub violation: Option<Violation>,
    /// The story.
    pub lines: Vec<String>,
}

/// Runs one schedule again.
#[must_use]
pub fn replay(seed: u64) -> Replayed {
    let mut coverage = Coverage::default();
    let told = watched(seed, Source::Drawn, true, &mut coverage);
    let Some(violation) = told.violation else {
        return Replayed {
            violation: None,
            lines: told.lines,
        };
    };
    let steps = shrink::shrink(told.steps, |steps| {
        let told = watched(seed, Source::Recorded(steps), false, &mut coverage);
        told.violation
            .is_some_and(|found| found.rule == violation.rule)
    });
    let told = watched(seed, Source::Recorded(&steps), true, &mut coverage);
    let mut lines = vec![format!("shrunk to {} events:", steps.len())];
    lines.extend(told.lines);
    Replayed {
        violation: Some(violation),
        lines,
    }
}

/// The report of one schedule that is run again.
#[must_use]
pub fn replay_report(seed: u64) -> Report {
    let began = Instant::now();
    watch_panics();
    let replayed = replay(seed);
    let broken = replayed
        .violation
        .map(|v| format!("{}: {}", v.rule, v.detail));
    Report {
        proof: "simulate".to_owned(),
        unit: "schedules".to_owned(),
        count: 1,
        settings: format!("replay of seed {seed}"),
        failures: broken.into_iter().collect(),
        notes: replayed.lines,
        seconds: began.elapsed().as_secs_f64(),
    }
}

/// Neighbouring numbers give seeds that have nothing in common.
fn seed_of(seed: u64, number: u64) -> u64 {
    Chance::new(seed.wrapping_add(number)).bits()
}

/// Runs a schedule; a panic of the shipped code breaks a promise like any other.
fn watched(seed: u64, source: Source<'_>, in_words: bool, coverage: &mut Coverage) -> Told {
    PANIC.with_borrow_mut(Option::take);
    let mut told = tell(seed, source, in_words, coverage);
    if let Some(detail) = PANIC.with_borrow_mut(Option::take) {
        told.violation = Some(Violation {
            rule: "nothing panics",
            detail,
        });
    }
    told
}

fn watch_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANIC.with_borrow_mut(|kept| {
            kept.get_or_insert(panic.to_string());
        });
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        for number in 0..50 {
            let seed = seed_of(7, number);
            let [first, second] = [(); 2].map(|()| {
                let told = tell(seed, Source::Drawn, true, &mut Coverage::default());
                (told.trace, told.steps, told.lines)
            });

            assert_eq!(first, second);
        }
    }

    #[test]
    fn a_recording_tells_the_story_that_was_recorded() {
        for number in 0..50 {
            let seed = seed_of(8, number);
            let drawn = tell(seed, Source::Drawn, false, &mut Coverage::default());
            let steps = Source::Recorded(&drawn.steps);
            let again = tell(seed, steps, false, &mut Coverage::default());

            assert_eq!((drawn.trace, &drawn.steps), (again.trace, &again.steps));
        }
    }

    #[test]
    fn a_few_schedules_break_nothing() {
        let report = simulate(&Settings {
            schedules: 200,
            seed: 1,
            stop_early: false,
        });

        assert_eq!(report.expect("a report").failures, Vec::<String>::new());
    }
}
