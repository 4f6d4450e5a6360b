//! Random numbers from a seed and nothing else: the same seed gives the same sequence on every machine.
//!
//! `SplitMix64` (Steele, Lea, Flood 2014) spreads a seed, xoshiro256++ (Blackman, Vigna 2019) runs the sequence.
//! Not for secrets.

/// A sequence of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// One step of `SplitMix64`: a good 64-bit mix of `value`.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let a = mix(seed);
        let b = mix(a);
        let c = mix(b);
        Self { state: [a, b, c, mix(c)] }
    }

    /// The sequence that belongs to a list of keys, for example (seed, car, day): independent of any other
    /// list, so that the order in which days are asked for does not matter.
    #[must_use]
    pub fn keyed(keys: &[u64]) -> Self {
        Self::new(keys.iter().fold(0x6d6f_746f_7270_6f6f, |hash, key| mix(hash ^ mix(*key))))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c2, d2) = (c ^ a, d ^ b);
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// Evenly spread in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Evenly spread in [`low`, `high`).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in [0, `n`); 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The multiply-shift bias is below 2^-32 for the small ranges used here.
        usize::try_from((u128::from(self.bits()) * n as u128) >> 64).unwrap_or(0)
    }

    /// `true` with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of `items`, or `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Roughly normal with mean 0 and standard deviation 1, never beyond ±3.5: the sum of twelve even
    /// numbers, cut off.
    pub fn normal(&mut self) -> f64 {
        // Twelve 16-bit parts of three draws: cheap, and without the logarithm's platform differences.
        let mut sum = 0_u64;
        for _ in 0..3 {
            let bits = self.bits();
            sum += (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        }
        (sum as f64 / 65_536.0 - 6.0).clamp(-3.5, 3.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_its_published_sequence() {
        // The first three outputs of the reference implementation for seed 1234567.
        let mut state = 1_234_567_u64;
        let outputs: Vec<u64> = (0..3)
            .map(|_| {
                let output = mix(state);
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                output
            })
            .collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn keys_in_another_order_are_another_sequence() {
        assert_ne!(Rng::keyed(&[1, 2]).bits(), Rng::keyed(&[2, 1]).bits());
        assert_eq!(Rng::keyed(&[7, 8]).bits(), Rng::keyed(&[7, 8]).bits());
    }

    #[test]
    fn moments_are_as_promised() {
        let mut rng = Rng::new(5);
        let n = 20_000;
        let (mut mean, mut square, mut even) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = rng.normal();
            mean += x;
            square += x * x;
            even += rng.unit();
        }
        let n = f64::from(n);
        assert!((mean / n).abs() < 0.03, "mean {}", mean / n);
        assert!((square / n - 1.0).abs() < 0.05, "variance {}", square / n);
        assert!((even / n - 0.5).abs() < 0.02);
        assert!((0..1_000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
