//! The drives that the load generator sends: see [`Drive`].

use std::sync::Arc;

use motorpool_protocols::Fix;

use super::fleet::Fleet;
use super::load_frames::Drive;

/// A Monday, far enough back that no load is dated before it. The day itself does not show: frames are re-dated.
const MONDAY: i64 = 20_458;
/// Fixes of one drive: seventeen minutes.
const FIXES_MAX: usize = 1_024;
/// Cars that never leave the depot on that day drive on one of the next.
const DAYS_MAX: usize = 5;

/// A drive of every car of the county of `seed`, second by second.
#[must_use]
pub fn drives(seed: u64) -> Arc<[Drive]> {
    let fleet = Fleet::new(seed, MONDAY);
    (0..fleet.county().cars.len()).filter_map(|car| drive(&fleet, car)).collect()
}

fn drive(fleet: &Fleet, car: usize) -> Option<Drive> {
    let is_moving = |fix: &Fix| fix.is_valid() && fix.vehicle_speed_dkmh > Some(0);
    fleet.days(car, Some(1)).take(DAYS_MAX).find_map(|samples| {
        let fixes: Vec<Fix> = samples
            .into_iter()
            .filter(|sample| !sample.is_outlier)
            .map(|sample| sample.fix)
            .skip_while(|fix| !is_moving(fix))
            .filter(Fix::is_valid)
            .take(FIXES_MAX)
            .collect();
        (fixes.len() > FIXES_MAX / 2).then(|| Drive::new(fixes)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_every_car_has_a_drive() {
        let drives = drives(1);
        assert!(drives.len() > 240, "{}", drives.len());
        assert!(drives.iter().all(|drive| drive.len() > FIXES_MAX / 2));
    }
}
