//! Which car a device was in, as platforms name it, and which superior platforms may get it.
//!
//! Read from the registers as a whole and read again when something changed there. It knows no queue and no socket.

use std::collections::HashMap;

use motorpool_protocols::UtcMillis;
use motorpool_protocols::jt809::Vehicle as Plate;
use motorpool_supervision::cases::UnitTree;
use motorpool_supervision::ids::UnitId;
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};

use crate::ids::DeviceId;
use crate::registry::{DeviceFilter, Error, Known, Registry};

use super::Feed;

/// Devices read at a time.
const DEVICES_PAGE: u32 = 1_000;

/// Every car that has a device.
#[derive(Debug, Default)]
pub(super) struct Cars {
    by_device: HashMap<i64, Vec<Fitted>>,
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

impl Cars {
    /// Reads them.
    pub(super) async fn read(registry: &Registry, now: UtcMillis) -> Result<Self, Error> {
        let units = registry.rows::<Unit>(Known::Now).await?;
        let units: Vec<_> = units.into_iter().filter(|row| row.valid.contains(now)).collect();
        let tree = UnitTree::new(units.iter().map(|row| (UnitId(row.id), &row.row)));
        let vehicles = registry.rows::<Vehicle>(Known::Now).await?;
        let colours = plate_colours(registry).await?;
        let mut by_device: HashMap<i64, Vec<Fitted>> = HashMap::new();
        for binding in registry.rows::<Binding>(Known::Now).await? {
            let Binding { device, vehicle, is_primary, .. } = binding.row;
            if !is_primary {
                continue;
            }
            let of_car = vehicles.iter().filter(|row| row.id == vehicle.0 && !row.row.is_secret);
            by_device.entry(device.0).or_default().extend(of_car.map(|row| Fitted {
                bound: binding.valid,
                held: row.valid,
                plate: row.row.plate.clone(),
                plate_colour: colours.get(&device.0).copied().unwrap_or(0),
                units: tree.path(row.row.unit),
            }));
        }
        Ok(Self { by_device })
    }

    /// The car that a device was in at an instant, when `feed` gets it.
    pub(super) fn of(&self, device: DeviceId, at: UtcMillis, feed: &Feed) -> Option<Plate> {
        let fitted = self.by_device.get(&i64::from(device.0))?;
        let fitted = fitted.iter().find(|fitted| fitted.bound.contains(at) && fitted.held.contains(at))?;
        let colour = if fitted.plate_colour == 0 { feed.plate_colour } else { fitted.plate_colour };
        let is_for_it = feed.unit.is_none_or(|unit| fitted.units.contains(&unit));
        (is_for_it && colour != 0 && !fitted.plate.is_empty()).then(|| Plate::new(&fitted.plate, colour))
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
