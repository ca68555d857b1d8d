//! Background work: a timer around steps that tests call directly.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ports::clock::Clock;
use crate::ports::store::{Signals, StoreError};
use crate::service::{Core, deliveries, inbox, reconciliation, refunds, retention, sweep};

/// Pause between two rounds when nothing hints at work.
const ROUND: Duration = Duration::from_secs(2);
/// Pause between two rounds however many hints come: each round asks the database.
const ROUND_MIN: Duration = Duration::from_millis(200);
/// Rows taken in one step.
const BATCH: u32 = 20;
/// Steps that a job takes in a row while there is more to take: a backlog does not wait for rounds.
const STEPS_MAX: u32 = 100;
/// Time between two clean-ups.
const CLEANUP: SignedDuration = SignedDuration::from_mins(1);

/// Works until `stop` is cancelled, and begins nothing after that. The jobs run beside each other as tasks of the core: one that
/// takes long keeps no other waiting, and a stop cuts none short, but waits for them as for all detached work. What it does not
/// wait for is leased again later.
pub async fn run(core: Arc<Core>, signals: Arc<dyn Signals>, stop: CancellationToken) {
    let mut jobs = Job::ALL.map(|job| (job, None));
    let mut clean_at = core.clock.now();
    loop {
        tokio::select! {
            () = pause(core.clock.as_ref(), signals.as_ref()) => {}
            () = stop.cancelled() => break,
        }
        let now = core.clock.now();
        for (job, running) in &mut jobs {
            if *job == Job::Cleanup {
                if now < clean_at {
                    continue;
                }
                clean_at = now.checked_add(CLEANUP).unwrap_or(now);
            }
            begin(&core, *job, running, &stop).await;
        }
    }
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Webhooks,
    Reconciliation,
    Refunds,
    Deliveries,
    Sweep,
    Cleanup,
}

impl Job {
    const ALL: [Self; 6] = [
        Self::Webhooks,
        Self::Reconciliation,
        Self::Refunds,
        Self::Deliveries,
        Self::Sweep,
        Self::Cleanup,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Reconciliation => "reconciliation",
            Self::Refunds => "refunds",
            Self::Deliveries => "deliveries",
            Self::Sweep => "sweep",
            Self::Cleanup => "clean-up",
        }
    }

    /// Does what is due. What fails is tried again in a later round: there is no retry inside.
    async fn work(self, core: &Arc<Core>, stop: &CancellationToken) -> Result<(), StoreError> {
        match self {
            Self::Webhooks => all_due(stop, || inbox::work_off_due(core, BATCH)).await,
            Self::Reconciliation => {
                all_due(stop, || reconciliation::reconcile_due(core, BATCH)).await
            }
            Self::Refunds => all_due(stop, || refunds::work_off_due(core, BATCH)).await,
            // Its lanes go on by themselves: what is due for another endpoint does not wait for the slowest of them.
            Self::Deliveries => deliveries::begin_due(core, stop).await,
            Self::Sweep => sweep::step(core).await.map(drop),
            Self::Cleanup => {
                let sessions = core.access.purge_sessions(core.clock.now()).await;
                let webhooks = inbox::purge(core).await;
                let personal_data = retention::erase_due(core).await.map(drop);
                sessions.and(webhooks).and(personal_data)
            }
        }
    }
}

/// Begins a job, unless it still runs since an earlier round.
async fn begin(
    core: &Arc<Core>,
    job: Job,
    running: &mut Option<JoinHandle<()>>,
    stop: &CancellationToken,
) {
    if let Some(task) = running.take() {
        if !task.is_finished() {
            *running = Some(task);
            return;
        }
        if let Err(error) = task.await {
            tracing::error!(
                job = job.as_str(),
                error = &error as &dyn std::error::Error,
                "a background job ended badly; it begins anew"
            );
        }
    }
    let (detached, stop) = (Arc::clone(core), stop.clone());
    *running = Some(core.tasks.spawn(async move {
        if let Err(error) = job.work(&detached, &stop).await {
            tracing::error!(
                job = job.as_str(),
                error = &error as &dyn std::error::Error,
                "a background step failed; a later round tries again"
            );
        }
    }));
}

/// Takes one step after another while each finds as much as it may take.
async fn all_due<W>(stop: &CancellationToken, step: impl Fn() -> W) -> Result<(), StoreError>
where
    W: Future<Output = Result<usize, StoreError>>,
{
    for _ in 0..STEPS_MAX {
        let taken = step().await?;
        if taken < BATCH as usize || stop.is_cancelled() {
            break;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use jiff::Timestamp;
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
