//! Seeded randomness: SplitMix64, whose whole definition fits here and never changes with a dependency's version.
//!
//! Not fit for secrets. A sandbox wants the opposite: the same seed gives the same ids on every machine.
//! Each purpose draws from its own stream, so one more token does not shift the next payment's id.

/// What a stream is drawn for. The number is part of the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    PaymentIds = 1,
    Details = 2,
    Tokens = 3,
    Faults = 4,
    V2Ids = 101,
    V2Details = 102,
    V2Tokens = 103,
}

#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = Rng(seed ^ (stream as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        rng.next();
        rng
    }

    /// <https://prng.di.unimi.it/splitmix64.c>
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + (self.next() % 10) as u8))
            .collect()
    }

    pub(crate) fn hex(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b"0123456789abcdef"[(self.next() % 16) as usize]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_draws_and_streams_are_independent() {
        let mut one = Rng::new(42, Stream::PaymentIds);
        let mut same = Rng::new(42, Stream::PaymentIds);
        let mut other_stream = Rng::new(42, Stream::Tokens);
        let mut other_seed = Rng::new(43, Stream::PaymentIds);

        let digits = one.digits(12);

        assert_eq!(digits.len(), 12);
        assert!(digits.bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(same.digits(12), digits);
        assert_ne!(other_stream.digits(12), digits);
        assert_ne!(other_seed.digits(12), digits);
    }
}
