//! Background work: a timer around steps that tests call directly.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::ports::clock::Clock;
use crate::ports::store::{Signals, StoreError};
use crate::service::{Core, inbox, reconciliation, refunds, sweep};

/// Pause between two rounds when nothing hints at work.
const ROUND: Duration = Duration::from_secs(2);
/// Pause between two rounds however many hints come: each round asks the database.
const ROUND_MIN: Duration = Duration::from_millis(200);
/// Rows taken in one step.
const BATCH: u32 = 20;
/// Time between two clean-ups.
const CLEANUP: SignedDuration = SignedDuration::from_mins(1);

/// Works until `stop` is cancelled. What a stop cuts short goes on in detached verifications, or is leased again later.
pub async fn run(core: Arc<Core>, signals: Arc<dyn Signals>, stop: CancellationToken) {
    let mut clean_at = core.clock.now();
    loop {
        tokio::select! {
            () = step(&core, signals.as_ref(), &mut clean_at) => {}
            () = stop.cancelled() => break,
        }
    }
}

/// One round. What fails is tried again in the next one: there is no retry inside.
async fn step(core: &Arc<Core>, signals: &dyn Signals, clean_at: &mut Timestamp) {
    pause(core.clock.as_ref(), signals).await;
    report([
        ("webhooks", inbox::work_off_due(core, BATCH).await.err()),
        (
            "reconciliation",
            reconciliation::reconcile_due(core, BATCH).await.err(),
        ),
        ("refunds", refunds::work_off_due(core, BATCH).await.err()),
        ("sweep", sweep::step(core).await.err()),
    ]);
    let now = core.clock.now();
    if now >= *clean_at {
        *clean_at = now.checked_add(CLEANUP).unwrap_or(now);
        report([
            ("sessions", core.access.purge_sessions(now).await.err()),
            ("old webhooks", inbox::purge(core).await.err()),
        ]);
    }
}

/// Waits for the next round, which a hint makes earlier.
async fn pause(clock: &dyn Clock, signals: &dyn Signals) {
    let hinted = async {
        clock.sleep(ROUND_MIN).await;
        signals.work_came().await;
    };
    tokio::select! {
        () = clock.sleep(ROUND) => {}
        () = hinted => {}
    }
}

fn report<const STEPS: usize>(results: [(&str, Option<StoreError>); STEPS]) {
    for (name, error) in results {
        if let Some(error) = error {
            tracing::error!(
                step = name,
                error = &error as &dyn std::error::Error,
                "a background step failed; a later round tries again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;

    /// A clock by which pauses end when the test says so.
    struct Pauses {
        long: Semaphore,
        short: Semaphore,
    }

    #[async_trait]
    impl Clock for Pauses {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        async fn sleep(&self, time: Duration) {
            let gate = if time == ROUND {
                &self.long
            } else {
                &self.short
            };
            gate.acquire().await.unwrap().forget();
        }
    }

    struct Hints(Semaphore);

    #[async_trait]
    impl Signals for Hints {
        async fn work_came(&self) {
            self.0.acquire().await.unwrap().forget();
        }
    }

    /// Whether a round begins by itself when these many of each have come.
    async fn begins(long: usize, short: usize, hints: usize) -> bool {
        let clock = Pauses {
            long: Semaphore::new(long),
            short: Semaphore::new(short),
        };
        let hints = Hints(Semaphore::new(hints));
        tokio::select! {
            biased;
            () = pause(&clock, &hints) => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn a_hint_brings_a_round_forward_and_a_flood_of_them_no_further() {
        assert!(!begins(0, 1, 0).await, "too early without a hint");
        assert!(begins(0, 1, 1).await, "a hint");
        assert!(
            !begins(0, 0, 1_000).await,
            "a flood of hints right after a round"
        );
        assert!(begins(1, 0, 0).await, "no hint, but time has passed");
    }
}
