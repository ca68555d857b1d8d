//! Named steps, one after the other, each with its time.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A step that says nothing itself for this long (linking, say) is reported as still running.
const STILL_RUNNING_EVERY: Duration = Duration::from_secs(30);

/// One step of a command: a name for people, and what to do.
pub(crate) struct Step<'a> {
    name: &'static str,
    action: Box<dyn FnOnce() -> Result<()> + 'a>,
}

impl<'a> Step<'a> {
    /// A step that has not run yet.
    pub(crate) fn new(name: &'static str, action: impl FnOnce() -> Result<()> + 'a) -> Self {
        Self {
            name,
            action: Box::new(action),
        }
    }
}

/// Runs the steps in order and stops at the first that fails; its name is in the error.
pub(crate) fn run(steps: Vec<Step<'_>>) -> Result<()> {
    let total = steps.len();
    let started = Instant::now();
    for (index, Step { name, action }) in steps.into_iter().enumerate() {
        let label = format!("[{}/{total}] {name}", index + 1);
        eprintln!("{label} …");
        let step_started = Instant::now();
        let result = while_reporting(&label, step_started, action);
        let seconds = seconds(step_started.elapsed());
        result.with_context(|| format!("step \"{name}\" failed after {seconds}"))?;
        eprintln!("{label} … done in {seconds}");
    }
    eprintln!("{total} steps done in {}", seconds(started.elapsed()));
    Ok(())
}

fn while_reporting(
    label: &str,
    started: Instant,
    action: Box<dyn FnOnce() -> Result<()> + '_>,
) -> Result<()> {
    thread::scope(|scope| {
        // Dropping `_running` is what ends the reporting thread, on every way out of the action.
        let (_running, stopped) = mpsc::channel::<()>();
        scope.spawn(move || {
            while stopped.recv_timeout(STILL_RUNNING_EVERY) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{label} … {}", seconds(started.elapsed()));
            }
        });
        action()
    })
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} s", duration.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use anyhow::bail;

    use super::{Step, run};

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let ran = RefCell::new(Vec::new());
        let step = |name| {
            Step::new(name, || {
                ran.borrow_mut().push("step");
                Ok(())
            })
        };

        let error = run(vec![
            step("one"),
            Step::new("two", || bail!("no luck")),
            step("three"),
        ])
        .unwrap_err();

        assert_eq!(ran.borrow().len(), 1);
        let text = format!("{error:#}");
        assert!(text.contains("step \"two\" failed"), "{text}");
        assert!(text.contains("no luck"), "{text}");
    }
}
