//! The machine's clock and its source of chance: the one home of both.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;

/// The machine's clock, in whole microseconds: as exact as both databases keep a time, so what was just written and what is read
/// later are the same.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock's one home")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret can be made, and going on would be worse than stopping"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        OsRng
            .try_fill_bytes(bytes)
            .expect("the operating system gives random bytes");
    }
}
