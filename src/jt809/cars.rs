//! Which car a device was in, as platforms name it, and which superior platforms may get it.
//!
//! Read from the registers as a whole and read again when something changed there. Asked when a position is put into a queue, and again
//! when it is sent. It fills no queue and knows no socket.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt809::Vehicle as Plate;
use motorpool_supervision::cases::UnitTree;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle, Versioned};
use tokio::sync::{Mutex, watch};

use crate::clock::wall_now;
use crate::ids::DeviceId;
use crate::registry::{DeviceFilter, Error, Known, Registry};

use super::Feed;
use super::queue::Waiting;

/// Devices read at a time.
const DEVICES_PAGE: u32 = 1_000;

/// Every car that has a device.
#[derive(Debug, Default)]
pub(super) struct Cars {
    by_device: HashMap<i64, Vec<Fitted>>,
    secret: Secret,
}

/// A device in a car for some time.
#[derive(Clone, Debug)]
struct Fitted {
    /// While the device was in it, ...
    bound: Span,
    /// ... and it had this plate and unit.
    held: Span,
    plate: String,
    /// 0 = not known.
    plate_colour: u8,
    /// From the root to the car's own.
    units: Vec<UnitId>,
}

/// What is not told of: cars that any version of their row has on secret work, as they are for everybody.
#[derive(Debug, Default)]
struct Secret {
    /// When each device was in one of them.
    devices: HashMap<i64, Vec<Span>>,
    /// Every plate that they had, as it stands between platforms.
    plates: HashSet<Vec<u8>>,
}

impl Secret {
    fn new(vehicles: &[Versioned<Vehicle>], bindings: &[Versioned<Binding>]) -> Self {
        let cars: HashSet<i64> = vehicles.iter().filter(|row| row.row.is_secret).map(|row| row.id).collect();
        let plates = vehicles.iter().filter(|row| cars.contains(&row.id) && !row.row.plate.is_empty());
        // The colour is not looked at.
        let plates = plates.map(|row| Plate::new(&row.row.plate, 0).plate.as_bytes().to_vec()).collect();
        let mut devices: HashMap<i64, Vec<Span>> = HashMap::new();
        for binding in bindings.iter().filter(|binding| cars.contains(&binding.row.vehicle.0)) {
            devices.entry(binding.row.device.0).or_default().push(binding.valid);
        }
        Self { devices, plates }
    }

    fn has_device(&self, device: DeviceId, at: UtcMillis) -> bool {
        let spans = self.devices.get(&i64::from(device.0));
        spans.is_some_and(|spans| spans.iter().any(|span| span.contains(at)))
    }
}

impl Cars {
    /// Reads them.
    async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, Error> {
        let units = registry.rows::<Unit>(Known::Now).await?;
        let units: Vec<_> = units.into_iter().filter(|row| row.valid.contains(now)).collect();
        let tree = UnitTree::new(units.iter().map(|row| (UnitId(row.id), &row.row)));
        let vehicles = registry.rows::<Vehicle>(Known::Now).await?;
        let bindings = registry.rows::<Binding>(Known::Now).await?;
        let colours = plate_colours(registry).await?;
        let secret = Secret::new(&vehicles, &bindings);
        let mut by_device: HashMap<i64, Vec<Fitted>> = HashMap::new();
        for binding in bindings.iter().filter(|binding| binding.row.is_primary) {
            let Binding { device, vehicle, .. } = binding.row;
            let of_car = vehicles.iter().filter(|row| row.id == vehicle.0);
            by_device.entry(device.0).or_default().extend(of_car.map(|row| Fitted {
                bound: binding.valid,
                held: row.valid,
                plate: row.row.plate.clone(),
                plate_colour: colours.get(&device.0).copied().unwrap_or(0),
                units: tree.path(row.row.unit),
            }));
        }
        Ok(Self { by_device, secret })
    }

    /// The car that a device was in at an instant, when `feed` gets it.
    pub(super) fn of(&self, device: DeviceId, at: UtcMillis, feed: &Feed) -> Option<Plate> {
        if self.secret.has_device(device, at) {
            return None;
        }
        let fitted = self.by_device.get(&i64::from(device.0))?;
        let fitted = fitted.iter().find(|fitted| fitted.bound.contains(at) && fitted.held.contains(at))?;
        let colour = if fitted.plate_colour == 0 { feed.plate_colour } else { fitted.plate_colour };
        let is_for_it = feed.unit.is_none_or(|unit| fitted.units.contains(&unit));
        (is_for_it && colour != 0 && !fitted.plate.is_empty()).then(|| Plate::new(&fitted.plate, colour))
    }

    /// Whether a position that has waited may still be sent: its device neither sat in a car on secret work nor sits in one now, and
    /// the plate is none of such a car.
    pub(super) fn may_leave(&self, waiting: &Waiting, now: UtcMillis) -> bool {
        let is_secret = |device| {
            self.secret.has_device(device, waiting.queued.taken) || self.secret.has_device(device, now)
        };
        !waiting.device.is_some_and(is_secret)
            && !self.secret.plates.contains(waiting.queued.vehicle.plate.as_bytes())
    }
}

/// The cars as the registers have them now, shared by everybody who asks; read again when something changed there.
#[derive(Debug)]
pub(super) struct CarsNow {
    registry: Arc<Registry>,
    changes: watch::Receiver<i64>,
    /// Of which change they are.
    read: Mutex<Option<(i64, Arc<Cars>)>>,
}

impl CarsNow {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        let changes = registry.subscribe();
        Self { registry, changes, read: Mutex::new(None) }
    }

    /// The cars; `None` when the registers can't be read. Nobody knows then what may be sent.
    pub(super) async fn now(&self) -> Option<Arc<Cars>> {
        let mut read = self.read.lock().await;
        let change = *self.changes.borrow();
        if let Some((of, cars)) = &*read
            && *of == change
        {
            return Some(Arc::clone(cars));
        }
        match Cars::read(&self.registry, wall_now()).await {
            Ok(cars) => {
                let cars = Arc::new(cars);
                *read = Some((change, Arc::clone(&cars)));
                Some(cars)
            }
            Err(error) => {
                tracing::error!(%error, "the registers can't be read for superior platforms");
                None
            }
        }
    }
}

/// The plate colour that each terminal told when it registered.
async fn plate_colours(registry: &Registry) -> Result<HashMap<i64, u8>, Error> {
    let mut colours = HashMap::new();
    let mut filter = DeviceFilter { limit: DEVICES_PAGE, ..DeviceFilter::default() };
    loop {
        let page = registry.devices(&filter).await?;
        let Some(last) = page.last() else { return Ok(colours) };
        filter.after = last.id;
        for device in page {
            if let Some(registered) = device.registered {
                colours.insert(i64::from(device.id.0), registered.plate_colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use motorpool_protocols::jt809::Edition;
    use motorpool_protocols::jt809::lower::Queued;
    use motorpool_protocols::jt809::message::vehicle::{Position, Position2011};
    use motorpool_supervision::ids::{DeviceId as Registered, VehicleId};

    use super::*;
    use crate::config::Config;
    use crate::ids::Lsn;
    use crate::jt809::queue::Queue;
    use crate::registry::Change;

    const T: UtcMillis = UtcMillis(1_780_000_000_000);
    const HOUR_MS: i64 = 3_600_000;
    const ENTERED: UtcMillis = UtcMillis(1_700_000_000_000);
    const PLATE: &str = "沪A00001";

    /// A car with the device 1, and what says that it is on secret work from `T` on.
    async fn car(registry: &Registry) -> Change<Vehicle> {
        let row = Vehicle { plate: PLATE.to_owned(), ..Vehicle::default() };
        let added = [Change::Add { id: None, valid: Span::ALWAYS, row: row.clone() }];
        let id = registry.write_rows(&added, "test", ENTERED).await.unwrap()[0].id;
        let row =
            Binding { device: Registered(1), vehicle: VehicleId(id), is_primary: true, ..Binding::default() };
        let binding = [Change::Add { id: None, valid: Span::ALWAYS, row }];
        registry.write_rows(&binding, "test", ENTERED).await.unwrap();
        let row = Vehicle { plate: "沪A00002".to_owned(), is_secret: true, ..Vehicle::default() };
        Change::Amend { id, expected: None, valid: Span { from: T, to: None }, row }
    }

    fn feed(folder: &std::path::Path) -> Feed {
        Feed {
            name: "city".to_owned(),
            edition: Edition::E2011,
            unit: None,
            plate_colour: 1,
            queue: Queue::open(folder, 1 << 20, Lsn(0)).unwrap(),
            is_logged_in: AtomicBool::new(false),
            withheld: AtomicU64::new(0),
        }
    }

    #[tokio::test]
    async fn a_car_that_ever_is_on_secret_work_is_never_sent() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Arc::new(Registry::open(folder.path(), &Config::default()).await.unwrap());
        let secret = car(&registry).await;
        let feed = feed(&folder.path().join("queue"));
        let cars = CarsNow::new(Arc::clone(&registry));
        let before = UtcMillis(T.0 - HOUR_MS);
        let of = async |at| cars.now().await.unwrap().of(DeviceId(1), at, &feed);
        assert_eq!(of(before).await, Some(Plate::new(PLATE, 1)));
        registry.write_rows(&[secret], "test", ENTERED).await.unwrap();
        assert_eq!(of(before).await, None, "also what was taken before");
        assert_eq!(of(UtcMillis(T.0 + HOUR_MS)).await, None);
    }

    #[tokio::test]
    async fn what_waits_for_a_car_that_became_secret_does_not_leave() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Arc::new(Registry::open(folder.path(), &Config::default()).await.unwrap());
        let secret = car(&registry).await;
        let cars = CarsNow::new(Arc::clone(&registry));
        let waiting = |device, plate: &str| Waiting {
            device,
            queued: Queued {
                number: 1,
                vehicle: Plate::new(plate, 1),
                position: Position::E2011(Position2011::default()),
                taken: UtcMillis(T.0 - HOUR_MS),
            },
        };
        let [by_device, by_plate, other] = [
            waiting(Some(DeviceId(1)), "沪A00009"),
            waiting(None, PLATE),
            waiting(Some(DeviceId(2)), "沪A00009"),
        ];
        let now = UtcMillis(T.0 + HOUR_MS);
        let may_leave = async |waiting: &Waiting| cars.now().await.unwrap().may_leave(waiting, now);
        assert!(may_leave(&by_device).await && may_leave(&by_plate).await && may_leave(&other).await);
        registry.write_rows(&[secret], "test", ENTERED).await.unwrap();
        assert!(!may_leave(&by_device).await && !may_leave(&by_plate).await && may_leave(&other).await);
    }
}
