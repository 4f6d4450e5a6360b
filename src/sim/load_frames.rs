//! The load generator's frames: real position reports, encoded beforehand and patched in place.
//!
//! A [`Drive`] is some minutes of one county car at one fix a second, as finished bodies. A vehicle runs along
//! its drive forwards and backwards for ever, some metres beside the other vehicles on it. For frame `n` only
//! the serial number, the place, the direction and the time are patched into the finished body; so every frame of
//! a vehicle differs from its others, and frame `n` has the same bytes whenever it is asked for:
//!
//! ```text
//! time(n)  = begin + n × step (within `span`, then from the beginning again, 1e-6 degrees further north)
//! place(n) = place of the drive + place of the vehicle beside it
//! ```
//!
//! For terminals that speak something else the same fixes are taken out of the bodies again.

use std::sync::Arc;

use motorpool_protocols::jt808::decode_location;
use motorpool_protocols::{Fix, Observations, Profile, Quality, UtcMillis};

use super::ledger::Place;
use super::speakers::Reports;
use super::terminal::Frames;
use super::wire::{self, BcdClock, HEADER_LEN, Phone, position};

/// Body of a report with odometer, recorder speed, signal and satellites.
const BODY_LEN: usize = 44;
/// Header, body and check byte.
const PAYLOAD_LEN: usize = HEADER_LEN + BODY_LEN + 1;

/// Some minutes of driving, one fix a second, encoded.
#[derive(Debug)]
pub struct Drive {
    bodies: Vec<[u8; BODY_LEN]>,
}

impl Drive {
    /// The drive with these fixes; `None` when there are fewer than two.
    #[must_use]
    pub fn new(fixes: impl IntoIterator<Item = Fix>) -> Option<Self> {
        let mut body = Vec::with_capacity(BODY_LEN);
        let bodies: Vec<_> = fixes
            .into_iter()
            .filter_map(|fix| {
                let complete = Fix {
                    odometer_m: Some(fix.odometer_m.unwrap_or(0)),
                    vehicle_speed_dkmh: Some(fix.vehicle_speed_dkmh.or(fix.speed_dkmh).unwrap_or(0)),
                    signal: Some(fix.signal.unwrap_or(25)),
                    satellites: Some(fix.satellites.unwrap_or(9)),
                    fuel_dl: None,
                    ..fix
                };
                body.clear();
                wire::put_position(&mut body, &complete);
                body.as_slice().try_into().ok()
            })
            .collect();
        (bodies.len() >= 2).then_some(Self { bodies })
    }

    /// Number of fixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies.len()
    }

    /// Always false: a drive has two fixes at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }
}

/// The times of a vehicle's frames.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name")]
pub struct Timing {
    /// Fix time of frame 0; milliseconds are cut off when a frame is built.
    pub begin: UtcMillis,
    /// From one frame to the next, 1,000 at least so that no two frames have one fix time.
    pub step_ms: u64,
    /// After so long the times begin again.
    pub span_ms: u64,
}

/// Frames of one vehicle, tagged with their number from 0.
#[derive(Debug)]
pub struct LoadFrames {
    drives: Arc<[Drive]>,
    drive: usize,
    /// Where on the drive frame 0 is.
    phase: u64,
    beside_lat_e6: i32,
    beside_lon_e6: i32,
    timing: Timing,
    clock: BcdClock,
}

/// One frame's place on the drive.
struct Spot<'a> {
    body: &'a [u8; BODY_LEN],
    backwards: bool,
    place: Place,
}

impl LoadFrames {
    /// Vehicle `index` on one of `drives`. `None` when there are no drives.
    #[must_use]
    pub fn new(drives: Arc<[Drive]>, index: usize, timing: Timing) -> Option<Self> {
        let drive = index.checked_rem(drives.len())?;
        // Vehicles on one drive: a grid of 100 columns, 20 µdeg (about 2 m) apart, and elsewhere along the road.
        let beside = i32::try_from(index / drives.len() % 10_000).ok()?;
        Some(Self {
            drives,
            drive,
            phase: index as u64 * 37,
            beside_lat_e6: beside % 100 * 20,
            beside_lon_e6: beside / 100 * 20,
            timing,
            clock: BcdClock::default(),
        })
    }

    /// Sets the times; only before the first frame is built.
    pub const fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// What frame `n` says.
    #[must_use]
    pub fn place(&self, n: u64) -> Option<Place> {
        self.spot(n).map(|spot| spot.place)
    }

    fn spot(&self, n: u64) -> Option<Spot<'_>> {
        let bodies = &self.drives.get(self.drive)?.bodies;
        let len = bodies.len() as u64;
        let at = (self.phase + n) % (2 * len);
        let backwards = at >= len;
        let index = if backwards { 2 * len - 1 - at } else { at };
        let body = bodies.get(usize::try_from(index).ok()?)?;
        let elapsed_ms = n * self.timing.step_ms;
        let (lap, within_ms) = (elapsed_ms / self.timing.span_ms, elapsed_ms % self.timing.span_ms);
        let time_ms = self.timing.begin.0 + within_ms as i64;
        Some(Spot {
            body,
            backwards,
            place: Place {
                time: UtcMillis(time_ms - time_ms.rem_euclid(1_000)),
                lat_e6: degrees_e6(body, position::LATITUDE) + self.beside_lat_e6 + lap as i32,
                lon_e6: degrees_e6(body, position::LONGITUDE) + self.beside_lon_e6,
            },
        })
    }
}

/// The county lies north and east of zero, so the unsigned field is the value.
fn degrees_e6(body: &[u8; BODY_LEN], at: usize) -> i32 {
    body.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes)
}

fn patch<const N: usize>(payload: &mut [u8; PAYLOAD_LEN], at: usize, bytes: [u8; N]) {
    if let Some(field) = payload.get_mut(HEADER_LEN + at..HEADER_LEN + at + N) {
        field.copy_from_slice(&bytes);
    }
}

impl Frames for LoadFrames {
    type Tag = u64;

    fn message_id(&self, _n: &u64) -> u16 {
        wire::POSITION
    }

    fn encode(&mut self, n: &u64, phone: Phone, serial: u16, out: &mut Vec<u8>) {
        let Some(Spot { body, backwards, place }) = self.spot(*n) else { return };
        let mut payload = [0; PAYLOAD_LEN];
        let (head, rest) = payload.split_at_mut(HEADER_LEN);
        head.copy_from_slice(&wire::header(wire::POSITION, BODY_LEN, phone, serial));
        if let Some(space) = rest.get_mut(..BODY_LEN) {
            space.copy_from_slice(body);
        }
        if backwards {
            let course = body.get(position::DIRECTION..position::DIRECTION + 2);
            let course = course.and_then(|b| b.try_into().ok()).map_or(0, u16::from_be_bytes);
            patch(&mut payload, position::DIRECTION, ((course + 180) % 360).to_be_bytes());
        }
        patch(&mut payload, position::LATITUDE, place.lat_e6.to_be_bytes());
        patch(&mut payload, position::LONGITUDE, place.lon_e6.to_be_bytes());
        let time = self.clock.bcd(place.time.0 / 1_000);
        patch(&mut payload, position::TIME, time);
        wire::put_payload(out, &mut payload);
    }
}

impl Reports for LoadFrames {
    type Tag = u64;

    fn fixes(&self, n: &u64, out: &mut Vec<Fix>) {
        let Some(Spot { body, backwards, place }) = self.spot(*n) else { return };
        let mut seen = Observations::default();
        // The body was encoded by this module, so there is a fix in it.
        let read = decode_location(body, &Profile::default(), Quality(0), &mut seen);
        debug_assert!(read.is_ok(), "an encoded position");
        out.extend(seen.fixes.iter().map(|fix| Fix {
            fix_time: place.time,
            lat_e7: place.lat_e6.saturating_mul(10),
            lon_e7: place.lon_e6.saturating_mul(10),
            course_deg: fix.course_deg.map(|course| if backwards { (course + 180) % 360 } else { course }),
            ..*fix
        }));
    }

    fn is_late(&self, _n: &u64) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motorpool_protocols::Status;
    use motorpool_protocols::jt808::frame::{Piece, Splitter, unescape, xor};
    use motorpool_protocols::jt808::header::Header;
    use std::collections::HashSet;

    fn drives() -> Arc<[Drive]> {
        let drive = |lat: i32| {
            Drive::new((0..50).map(|at| Fix {
                speed_dkmh: Some(360),
                course_deg: Some(350),
                altitude_m: Some(-3),
                odometer_m: Some(123_400),
                status: Status::POSITIONED.with(Status::IGNITION),
                ..Fix::new(UtcMillis(0), lat + at * 900, 1_041_234_560 + at * 300)
            }))
            .unwrap()
        };
        Arc::from([drive(331_234_560), drive(332_000_000)])
    }

    #[test]
    fn every_frame_decodes_to_its_place_and_no_two_are_alike() {
        let timing = Timing { begin: UtcMillis(1_750_000_000_500), step_ms: 1_000, span_ms: 150_000 };
        let phone = Phone::new("13900000001").unwrap();
        let mut seen = HashSet::new();
        for vehicle in [0, 1, 2, 3, 777] {
            let mut frames = LoadFrames::new(drives(), vehicle, timing).unwrap();
            for n in 0..400_u64 {
                let mut bytes = Vec::new();
                let serial = (n * 331) as u16;
                frames.encode(&n, phone, serial, &mut bytes);
                let Some(Piece::Frame(content)) = Splitter::new().next(&bytes, &mut 0) else {
                    panic!("no frame")
                };
                let mut scratch = [0; 200];
                let payload = unescape(content.bytes, &mut scratch).unwrap();
                assert_eq!(xor(payload), 0, "checksum");
                let (header, body) = Header::decode(payload, Default::default()).unwrap();
                assert_eq!((header.message_id, header.serial), (0x0200, serial));
                assert_eq!(header.terminal.as_str(), "013900000001");
                let mut out = Observations::default();
                decode_location(body, &Profile::default(), Quality(0), &mut out).unwrap();
                let fix = out.fixes[0];
                let place = frames.place(n).unwrap();
                assert_eq!(
                    (fix.fix_time, fix.lat_e7, fix.lon_e7),
                    (place.time, place.lat_e6 * 10, place.lon_e6 * 10)
                );
                assert_eq!((fix.odometer_m, fix.altitude_m, fix.is_valid()), (Some(123_400), Some(-3), true));
                assert!(matches!(fix.course_deg, Some(350 | 170)));
                assert!(
                    seen.insert((vehicle, fix.fix_time, fix.lat_e7, fix.lon_e7)),
                    "vehicle {vehicle} frame {n}"
                );
                let mut again = Vec::new();
                frames.encode(&n, phone, serial, &mut again);
                assert_eq!(bytes, again);
            }
        }
    }

    #[test]
    fn no_drive_no_frames() {
        assert!(Drive::new([Fix::new(UtcMillis(0), 1, 1)]).is_none());
        let timing = Timing { begin: UtcMillis(0), step_ms: 1, span_ms: 1 };
        assert!(LoadFrames::new(Arc::from([]), 0, timing).is_none());
    }
}
