//! The drives that the load generator sends: see [`Drive`].

use std::sync::Arc;

use motorpool_protocols::{Fix, Status, UtcMillis};

use super::load_frames::Drive;

/// Drives of the county, the same for the same seed.
#[must_use]
pub fn drives(seed: u64) -> Arc<[Drive]> {
    let _ = seed;
    let fix = |car: i32, at: i32| Fix {
        status: Status::POSITIONED.with(Status::IGNITION),
        speed_dkmh: Some(400 + (at % 50) as u16),
        course_deg: Some(37),
        altitude_m: Some(900),
        odometer_m: Some((1_000_000 + at * 11) as u32),
        ..Fix::new(UtcMillis(0), 331_234_560 + at * 900 + car * 100_000, 1_041_234_560 + at * 300)
    };
    (0..253).filter_map(|car| Drive::new((0..512).map(|at| fix(car, at)))).collect()
}
