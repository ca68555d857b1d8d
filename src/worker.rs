//! Background work: a timer around steps that tests call directly.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::{Core, inbox, reconciliation, refunds};

/// Pause between two rounds.
const ROUND: Duration = Duration::from_secs(2);
/// Rows taken in one step.
const BATCH: u32 = 20;
/// Rounds between two clean-ups of ended sessions.
const ROUNDS_PER_CLEANUP: u64 = 1_800;

/// Works until `stop` is cancelled. What a stop cuts short goes on in detached verifications, or is leased again later.
pub async fn run(core: Arc<Core>, stop: CancellationToken) {
    for round in 0_u64.. {
        tokio::select! {
            () = step(&core, round) => {}
            () = stop.cancelled() => break,
        }
    }
}

/// One round. What fails is tried again in the next one: there is no retry inside.
async fn step(core: &Arc<Core>, round: u64) {
    core.clock.sleep(ROUND).await;
    let results = [
        ("webhooks", inbox::work_off_due(core, BATCH).await.err()),
        (
            "reconciliation",
            reconciliation::reconcile_due(core, BATCH).await.err(),
        ),
        ("refunds", refunds::work_off_due(core, BATCH).await.err()),
    ];
    for (name, error) in results {
        if let Some(error) = error {
            tracing::error!(
                step = name,
                error = &error as &dyn std::error::Error,
                "a background step failed; the next round tries again"
            );
        }
    }
    if round.is_multiple_of(ROUNDS_PER_CLEANUP)
        && let Err(error) = core.access.purge_sessions(core.clock.now()).await
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "ended sessions were not removed"
        );
    }
}
