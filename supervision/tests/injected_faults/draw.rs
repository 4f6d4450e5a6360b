//! Numbers that look random and are the same in every run.

use motorpool_supervision::point::Position;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `from` to `to`, both included.
    pub fn whole(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to - from).unwrap() + 1;
        from + i64::try_from(self.next() % width).unwrap()
    }

    /// One of `count` places.
    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(count).unwrap()).unwrap()
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, rows: &mut [T]) {
        for last in (1..rows.len()).rev() {
            rows.swap(last, self.index(last + 1));
        }
    }

    /// A place so many metres from `from`, in any direction.
    pub fn place(&mut self, from: Position, least_m: i64, most_m: i64) -> Position {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (bearing, metres) =
            ((self.whole(0, 359) as f64).to_radians(), self.whole(least_m, most_m) as f64);
        let north = metres * bearing.cos() / 111_195.08;
        let east = metres * bearing.sin() / (111_195.08 * from.lat().to_radians().cos());
        Position::from_degrees(from.lat() + north, from.lon() + east)
    }
}
