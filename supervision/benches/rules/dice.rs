//! The same numbers in every run.

/// Multiplicative congruential generator.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// From 0 up to `limit`.
    pub fn below(&mut self, limit: f64) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        unit * limit
    }

    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + self.below(most - least)
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.below(1.0) < probability
    }

    /// Whole numbers from `least` up to `most`.
    pub fn whole(&mut self, least: i64, most: i64) -> i64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small")]
        let number = self.between(least as f64, most as f64) as i64;
        number
    }

    /// One of them.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let at = self.below(all.len() as f64) as usize;
        &all[at]
    }
}
