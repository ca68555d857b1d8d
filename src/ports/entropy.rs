//! Chance.

/// Draws random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// Draws an array of `N` bytes.
#[must_use]
pub fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// Draws a number in 0..=1000, for spreading schedules.
#[must_use]
pub fn draw_per_mille(entropy: &dyn Entropy) -> u16 {
    u16::from_be_bytes(draw(entropy)) % 1001
}
