//! Work that waits for the sandbox's *virtual* clock: resends of webhooks, late approvals, deposit deadlines.
//!
//! Pushing the clock past the time starts the work at once; stopping the clock holds it back. Invariant: work of before
//! a reset never starts after it, and none starts once the sandbox stops. Two works that one push makes due may start in
//! either order: what depends on the order of two must schedule the second from the first.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::state::App;

/// Works waiting at a time; what would be one more is not done, and the log says so.
pub(crate) const WAITING_MAX: usize = 100_000;

/// Does `work` when the clock shows `at_ms` (UNIX milliseconds) or later: at once if it does already.
///
/// Must be called within a tokio runtime. It takes no lock, so the state may be locked by the caller.
pub(crate) fn at(app: &App, at_ms: i64, work: impl Future<Output = ()> + Send + 'static) {
    let Ok(slot) = Arc::clone(&app.timers).try_acquire_owned() else {
        tracing::warn!("{WAITING_MAX} timers wait already, the limit: one more was not set");
        return;
    };
    let app = Arc::clone(app);
    let run = app.run();
    tokio::spawn(async move {
        tokio::select! {
            // A reset and a push may both be there: the reset wins.
            biased;
            () = app.stopped() => {}
            () = app.run_ended(run) => {}
            () = app.clock.reaches(at_ms) => {
                drop(slot);
                work.await;
            }
        }
    });
}

/// Like [`at`], counted from what the clock shows now.
pub(crate) fn after(app: &App, delay: Duration, work: impl Future<Output = ()> + Send + 'static) {
    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    at(app, app.clock.now_ms().saturating_add(delay_ms), work);
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::sandbox::Builder;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn app() -> App {
        let addr = "127.0.0.1:3900".parse().unwrap();
        Builder::default().app(addr).unwrap()
    }

    /// Reports its name when the clock has moved by `after` from now on.
    fn report(
        app: &App,
        after: Duration,
        name: &'static str,
        to: &mpsc::UnboundedSender<&'static str>,
    ) {
        let at_ms = app.clock.now_ms() + i64::try_from(after.as_millis()).unwrap();
        let to = to.clone();
        at(app, at_ms, async move {
            let _ = to.send(name);
        });
    }

    #[tokio::test]
    async fn a_push_starts_what_is_due_and_nothing_else() {
        let app = app();
        app.clock.freeze(true);
        let (to, mut done) = mpsc::unbounded_channel();
        report(&app, HOUR, "an hour", &to);
        report(&app, 2 * HOUR, "two hours", &to);
        drop(to);

        app.clock.advance(HOUR);

        assert_eq!(done.recv().await, Some("an hour"));
        assert!(done.try_recv().is_err());
        app.clock.advance(HOUR);
        assert_eq!(done.recv().await, Some("two hours"));
        assert_eq!(done.recv().await, None);
    }

    #[tokio::test]
    async fn what_is_due_already_starts_although_the_clock_stands() {
        let app = app();
        app.clock.freeze(true);
        let (to, mut done) = mpsc::unbounded_channel();

        report(&app, Duration::ZERO, "now", &to);

        assert_eq!(done.recv().await, Some("now"));
    }

    #[tokio::test]
    async fn a_running_clock_gets_there_by_itself_and_a_stopped_one_goes_on() {
        let app = app();
        let (to, mut done) = mpsc::unbounded_channel();
        report(&app, Duration::from_millis(20), "running", &to);
        assert_eq!(done.recv().await, Some("running"));

        app.clock.freeze(true);
        report(&app, Duration::from_millis(20), "stopped", &to);
        app.clock.freeze(false);

        assert_eq!(done.recv().await, Some("stopped"));
    }

    #[tokio::test]
    async fn a_reset_and_a_stop_drop_what_waits() {
        let reset = |app: &App| {
            app.reset(None);
        };
        let stop = |app: &App| app.stop();
        for end in [reset, stop] {
            let app = app();
            let (to, mut done) = mpsc::unbounded_channel();
            report(&app, HOUR, "never", &to);
            drop(to);

            end(&app);
            app.clock.advance(2 * HOUR);

            // The channel closes because the work was dropped, not because it ran.
            assert_eq!(done.recv().await, None);
        }
    }

    #[tokio::test]
    async fn one_more_than_the_limit_is_not_set() {
        let app = app();
        app.clock.freeze(true);
        let (to, mut done) = mpsc::unbounded_channel();
        let others = Arc::clone(&app.timers)
            .acquire_many_owned(u32::try_from(WAITING_MAX).unwrap())
            .await
            .unwrap();
        report(&app, Duration::ZERO, "one too many", &to);
        drop(others);
        report(&app, Duration::ZERO, "in its place", &to);
        drop(to);

        assert_eq!(done.recv().await, Some("in its place"));
        assert_eq!(done.recv().await, None);
    }
}
