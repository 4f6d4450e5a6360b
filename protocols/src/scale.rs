//! From a raw number of the wire to thousandths of a unit, in integers.
//!
//! Makers and standards give a resolution and an offset ("0.03125 degrees a bit, from -273"). A [`Scale`] keeps
//! both exactly: as a fraction and as thousandths. It must never go through floating point.

/// `thousandths = raw x times / over + plus_milli`, rounded to the nearest, halves away from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    times: i64,
    over: i64,
    plus_milli: i64,
}

impl Scale {
    /// The raw number is the value.
    pub const ONE: Self = Self::fraction(1_000, 1, 0);

    /// So many thousandths a bit, and an offset in thousandths.
    #[must_use]
    pub const fn milli(times: i64, plus_milli: i64) -> Self {
        Self::fraction(times, 1, plus_milli)
    }

    /// A fraction of thousandths a bit; a denominator below 1 counts as 1.
    #[must_use]
    pub const fn fraction(times: i64, over: i64, plus_milli: i64) -> Self {
        Self { times, over: if over < 1 { 1 } else { over }, plus_milli }
    }

    /// The value of `raw` in thousandths; at the ends of the range of `i64` where it does not fit.
    #[must_use]
    pub fn apply(self, raw: i64) -> i64 {
        let product = i128::from(raw) * i128::from(self.times);
        let over = i128::from(self.over);
        let rounded = (product.abs() + over / 2) / over * product.signum();
        clamped(rounded + i128::from(self.plus_milli))
    }

    /// The raw number whose value is nearest to `milli`: what an encoder writes. `None` when the scale is flat.
    #[must_use]
    pub fn invert(self, milli: i64) -> Option<i64> {
        let product = (i128::from(milli) - i128::from(self.plus_milli)) * i128::from(self.over);
        let times = i128::from(self.times);
        if times == 0 {
            return None;
        }
        let magnitude = (product.abs() + times.abs() / 2) / times.abs();
        Some(clamped(magnitude * product.signum() * times.signum()))
    }
}

fn clamped(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Up to eight bytes as one unsigned big-endian number.
#[must_use]
pub(crate) fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let half = Scale::fraction(1, 2, 0);
        assert_eq!([half.apply(1), half.apply(-1), half.apply(2), half.apply(3)], [1, -1, 1, 2]);
        assert_eq!(Scale::fraction(100_000, 255, 0).apply(0x41), 25_490);
        assert_eq!(Scale::fraction(1_000, 32, -273_000).apply(9_536), 25_000);
    }

    #[test]
    fn what_does_not_fit_stays_at_the_end() {
        assert_eq!(Scale::milli(i64::MAX, 0).apply(i64::MAX), i64::MAX);
        assert_eq!(Scale::milli(i64::MAX, 0).apply(i64::MIN), i64::MIN);
        assert_eq!(Scale::milli(0, 5).invert(5), None);
    }

    proptest! {
        #[test]
        fn what_is_scaled_by_less_than_a_thousandth_inverts(raw in 0..1_i64 << 32, plus in -1_000_000..1_000_000_i64) {
            let scale = Scale::fraction(100_000, 255, plus);
            prop_assert_eq!(scale.invert(scale.apply(raw)), Some(raw));
        }

        #[test]
        fn no_numbers_panic(raw: i64, times: i64, over: i64, plus: i64) {
            let scale = Scale::fraction(times, over, plus);
            let _ends = (scale.apply(raw), scale.invert(raw));
        }
    }
}
