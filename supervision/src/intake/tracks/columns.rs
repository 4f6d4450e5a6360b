//! The columns of track files.

use std::borrow::Cow;

use super::super::headers::{Columns, Field, Wanted, is_known, optional};
use super::super::values::{LocalTime, Measure};
use super::TrackError;
use super::fix::Fields;

const WANTED: &[Wanted] = &[
    optional(Field::Device, "终端号"),
    optional(Field::Plate, "车牌号"),
    optional(Field::Time, "定位时间"),
    optional(Field::Lat, "纬度"),
    optional(Field::Lon, "经度"),
    optional(Field::Altitude, "海拔"),
    optional(Field::Heading, "方向"),
    optional(Field::Speed, "速度"),
    optional(Field::VehicleSpeed, "行驶记录速度"),
    optional(Field::Odometer, "里程"),
    optional(Field::Rpm, "转速"),
    optional(Field::Ignition, "点火"),
    optional(Field::Fuel, "剩余油量"),
    optional(Field::Satellites, "卫星数"),
    optional(Field::Valid, "是否定位"),
];

/// Whether `header` is a column of a track.
pub(super) fn is_column(header: &str) -> bool {
    is_known(WANTED, header)
}

/// A column that is there.
#[derive(Clone, Debug)]
pub(super) struct TrackColumn {
    pub(super) index: usize,
    pub(super) header: String,
    /// From what the file counts to what a point counts.
    pub(super) factor: f64,
}

/// Where everything stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) device: Option<TrackColumn>,
    pub(super) plate: Option<TrackColumn>,
    pub(super) time: TrackColumn,
    /// The time zone of the time column, when its header says one.
    pub(super) local: Option<LocalTime>,
    pub(super) lat: TrackColumn,
    pub(super) lon: TrackColumn,
    /// To 0.1 km/h.
    pub(super) speed: Option<TrackColumn>,
    /// To 0.1 km/h.
    pub(super) vehicle_speed: Option<TrackColumn>,
    /// To metres.
    pub(super) odometer: Option<TrackColumn>,
    pub(super) rpm: Option<TrackColumn>,
    pub(super) ignition: Option<TrackColumn>,
    /// To 0.1 litres.
    pub(super) fuel: Option<TrackColumn>,
    pub(super) satellites: Option<TrackColumn>,
    pub(super) valid: Option<TrackColumn>,
}

impl Layout {
    /// Finds the columns. Bare speeds are km/h, bare odometers kilometres, bare fuel litres. Other columns are left alone.
    pub(super) fn of(headers: &[String]) -> Result<Self, TrackError> {
        let columns = Columns::find(headers, WANTED, |_, _| {}, |_| {});
        let column = |field: Field, bare: Measure, to: Measure, scale: f64| -> Result<_, TrackError> {
            let Some(found) = columns.of(field) else {
                return Ok(None);
            };
            let measure = found.measure.unwrap_or(bare);
            let factor = measure.factor(to).ok_or_else(|| TrackError::WrongMeasure {
                column: found.header.clone(),
                measure: measure.name().to_owned(),
            })?;
            Ok(Some(TrackColumn { index: found.index, header: found.header.clone(), factor: factor * scale }))
        };
        let plain = |field: Field| {
            columns.of(field).map(|found| TrackColumn {
                index: found.index,
                header: found.header.clone(),
                factor: 1.0,
            })
        };
        let needed = |field: Field, name| plain(field).ok_or(TrackError::MissingColumn(name));
        let local = match columns.of(Field::Time).and_then(|column| column.measure) {
            Some(Measure::Utc) => Some(LocalTime::utc()),
            Some(Measure::BeijingTime) => Some(LocalTime::beijing()),
            _ => None,
        };
        let kmh = Measure::KilometresPerHour;
        Ok(Self {
            device: plain(Field::Device),
            plate: plain(Field::Plate),
            time: needed(Field::Time, "the time (time_utc, 定位时间)")?,
            local,
            lat: needed(Field::Lat, "the latitude (lat, 纬度)")?,
            lon: needed(Field::Lon, "the longitude (lon, 经度)")?,
            speed: column(Field::Speed, kmh, kmh, 10.0)?,
            vehicle_speed: column(Field::VehicleSpeed, kmh, kmh, 10.0)?,
            odometer: column(Field::Odometer, Measure::Kilometres, Measure::Metres, 1.0)?,
            rpm: plain(Field::Rpm),
            ignition: plain(Field::Ignition),
            fuel: column(Field::Fuel, Measure::Litres, Measure::Litres, 10.0)?,
            satellites: plain(Field::Satellites),
            valid: plain(Field::Valid),
        })
    }

    /// The device of a row, or the plate when the row names no device.
    pub(super) fn device_in<'f>(&self, fields: &'f impl Fields) -> Option<Cow<'f, str>> {
        let text = |column: &Option<TrackColumn>| {
            column.as_ref().map(|column| fields.text(column.index)).filter(|text| !text.is_empty())
        };
        text(&self.device).or_else(|| text(&self.plate))
    }
}
