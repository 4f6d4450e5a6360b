//! Zones and the dictionary of places.

use super::super::headers::{Field, Wanted, optional, required};
use super::super::import::{Draft, Kind};
use super::super::names::key;
use super::super::problem::Fault;
use super::super::row_reader::{RowReader, Words, set, set_some};
use super::super::values::Datum;
use crate::point::Position;
use crate::register::{PlaceEntry, SensitiveKind, Shape, Zone, ZoneKind};
use crate::zones::{check_shape, shape_from_text};

/// Radius of a circle, and half the width of a corridor, metres.
const MAX_RADIUS_M: f64 = 1_000_000.0;
/// How far an outline or a place may be off, metres.
const MAX_ACCURACY_M: f64 = 60_000.0;

const ZONE_KINDS: Words<ZoneKind> = {
    use SensitiveKind as S;
    use ZoneKind as Z;
    &[
        (&["车库", "停车场", "定点停车场", "归库地点", "depot"], Z::Depot),
        (&["批准停放点", "停放点", "备用停车场", "parking_lot", "parkinglot"], Z::ParkingLot),
        (&["用车范围", "服务区域", "用车区域", "service_area", "servicearea"], Z::ServiceArea),
        (&["禁入区域", "禁行区域", "禁止区域", "forbidden"], Z::Forbidden),
        (&["补贴区域", "车补区域", "allowance"], Z::Allowance),
        (&["景区", "旅游景区", "scenic_spot"], Z::Sensitive(S::ScenicSpot)),
        (&["高尔夫", "高尔夫球场", "golf"], Z::Sensitive(S::Golf)),
        (&["会所", "club"], Z::Sensitive(S::Club)),
        (&["ktv", "歌厅"], Z::Sensitive(S::Ktv)),
        (&["洗浴", "足浴", "bath_house"], Z::Sensitive(S::BathHouse)),
        (&["茶楼", "茶馆", "tea_house"], Z::Sensitive(S::TeaHouse)),
        (&["农家乐", "farm_restaurant"], Z::Sensitive(S::FarmRestaurant)),
        (&["寺庙", "temple"], Z::Sensitive(S::Temple)),
        (&["住宅小区", "小区", "住宅", "housing"], Z::Sensitive(S::Housing)),
        (&["学校", "school"], Z::Sensitive(S::School)),
        (&["医院", "hospital"], Z::Sensitive(S::Hospital)),
        (&["酒店", "宾馆", "hotel"], Z::Sensitive(S::Hotel)),
        (&["餐馆", "饭店", "餐厅", "restaurant"], Z::Sensitive(S::Restaurant)),
        (&["商场市场", "商场", "市场", "market"], Z::Sensitive(S::Market)),
        (&["定点维修厂", "定点修理厂", "fixed_repair_shop"], Z::RepairShop { is_fixed: true }),
        (&["维修厂", "修理厂", "repair_shop", "repairshop"], Z::RepairShop { is_fixed: false }),
        (&["加油站", "充电站", "fuel_station", "fuelstation"], Z::FuelStation),
        (&["收费站停车场", "收费站", "公共停车场", "toll_or_parking", "toll"], Z::TollOrParking),
        (&["行政区", "乡镇", "区划", "area"], Z::Area),
        (&["地点", "其他", "place"], Z::Place),
    ]
};

impl Kind for Zone {
    const WANTED: &'static [Wanted] = &[
        required(Field::Name, "名称"),
        required(Field::Kind, "类型"),
        optional(Field::Unit, "所属单位"),
        optional(Field::Geometry, "图形"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
        optional(Field::Radius, "半径"),
        optional(Field::Source, "来源"),
        optional(Field::Accuracy, "精度"),
        optional(Field::From, "启用时间"),
        optional(Field::To, "停用时间"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        let Draft { row, .. } = draft;
        let unit = row.unit.map(|unit| unit.to_string()).unwrap_or_default();
        Some(format!("{unit} {:?} {}", row.kind, key(&row.name)))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let zone = &mut draft.row;
        set(&mut zone.name, row.text(Field::Name));
        set(&mut zone.kind, row.word(Field::Kind, ZONE_KINDS));
        set_some(&mut zone.unit, row.unit(Field::Unit));
        let had_shape = zone.shape != Shape::default();
        match shape(row) {
            Some(shape) => zone.shape = shape,
            None if had_shape => {}
            None if row.cell(Field::Geometry).is_empty() && row.cell(Field::Lat).is_empty() => {
                row.fault(Field::Geometry, &Fault::Missing);
            }
            None => {}
        }
        set(&mut zone.source, row.text(Field::Source));
        set_some(&mut zone.accuracy_m, row.short_metres(Field::Accuracy, MAX_ACCURACY_M));
        row.span(&mut draft.valid);
    }
}

/// The outline: text in one cell, or a middle and a radius in three.
fn shape(row: &mut RowReader<'_>) -> Option<Shape> {
    let cell = row.cell(Field::Geometry);
    let (field, shape) = if cell.is_empty() {
        let centre = row.position(Field::Lat, Field::Lon)?;
        if row.cell(Field::Radius).is_empty() {
            row.fault(Field::Radius, &Fault::Missing);
        }
        let radius_m = row.short_metres(Field::Radius, MAX_RADIUS_M)?;
        (Field::Radius, Ok(Shape::Circle { centre, radius_m }))
    } else {
        (Field::Geometry, shape_from_text(&cell.as_text()).map(|shape| to_wgs84(shape, row.scope.datum)))
    };
    let checked = shape.map_err(|error| error.to_string()).and_then(|shape| {
        check_shape(&shape).map_err(|error| error.to_string())?;
        Ok(shape)
    });
    checked.map_err(|why| row.fault(field, &Fault::BadShape { why })).ok()
}

/// An outline drawn on a map of another datum. Corners off the globe stay, for the check to name them.
fn to_wgs84(mut shape: Shape, datum: Datum) -> Shape {
    let convert = |at: &mut Position| *at = datum.position(at.lat(), at.lon()).unwrap_or(*at);
    match &mut shape {
        _ if datum == Datum::Wgs84 => {}
        Shape::Circle { centre, .. } => convert(centre),
        Shape::Polygons { polygons } => polygons.iter_mut().flatten().flatten().for_each(convert),
        Shape::Corridor { line, .. } => line.iter_mut().for_each(convert),
    }
    shape
}

/// Around a place without an outline.
const USUAL_PLACE_RADIUS_M: u32 = 500;

impl Kind for PlaceEntry {
    const WANTED: &'static [Wanted] = &[
        required(Field::Name, "名称"),
        optional(Field::Aliases, "别名"),
        optional(Field::Unit, "所属单位"),
        optional(Field::Zone, "区域名称"),
        optional(Field::Lat, "纬度"),
        optional(Field::Lon, "经度"),
        optional(Field::Radius, "半径"),
        optional(Field::Source, "来源"),
        optional(Field::Accuracy, "精度"),
    ];

    fn key(draft: &Draft<Self>) -> Option<String> {
        let unit = draft.row.unit.map(|unit| unit.to_string()).unwrap_or_default();
        Some(format!("{unit} {}", key(&draft.row.name)))
    }

    fn read(row: &mut RowReader<'_>, draft: &mut Draft<Self>) {
        let place = &mut draft.row;
        set(&mut place.name, row.text(Field::Name));
        set(&mut place.aliases, row.items(Field::Aliases));
        set_some(&mut place.unit, row.unit(Field::Unit));
        set_some(&mut place.zone, row.zone(Field::Zone, place.unit));
        set_some(&mut place.at, row.position(Field::Lat, Field::Lon));
        if place.zone.is_none() && place.at.is_none() && row.cell(Field::Zone).is_empty() {
            row.fault(Field::Lat, &Fault::Missing);
        }
        set(&mut place.radius_m, row.short_metres(Field::Radius, MAX_RADIUS_M));
        if place.radius_m == 0 {
            place.radius_m = USUAL_PLACE_RADIUS_M;
        }
        if place.at.is_some() {
            place.datum = row.scope.datum.as_str().to_owned();
        }
        set(&mut place.source, row.text(Field::Source));
        set_some(&mut place.accuracy_m, row.short_metres(Field::Accuracy, MAX_ACCURACY_M));
    }
}

/// GeoJSON files of zones.
pub(in super::super) mod features {
    use serde_json::Value;

    use super::super::super::headers::is_known;
    use super::super::super::import::Kind as _;
    use super::super::super::table::{Cell, Limits, Row, Table, TableError};
    use super::super::super::text;
    use crate::register::{Row as _, Zone};
    use crate::zones::FEATURES_MAX;

    /// Bytes of a file of zones: in memory its numbers take some sixteen times as much.
    const MAX_GEOJSON_BYTES: u64 = 64 << 20;

    /// The features of a GeoJSON file as a table: a row for each, numbered from 1, its properties and its outline. `None`
    /// when the kind has no outline or the file is no JSON.
    pub(in super::super::super) fn table(
        kind: &str,
        bytes: &[u8],
        limits: &Limits,
    ) -> Option<Result<Table, TableError>> {
        if kind != Zone::KIND {
            return None;
        }
        let plain = text::unzipped(bytes, limits.bytes).ok()?;
        let first = plain.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&plain).trim_ascii_start().first();
        if first != Some(&b'{') {
            return None;
        }
        if u64::try_from(plain.len()).map_or(true, |len| len > MAX_GEOJSON_BYTES) {
            return Some(Err(TableError::TooManyBytes { max_bytes: MAX_GEOJSON_BYTES }));
        }
        let json = text::decoded(&plain).ok()?;
        Some(rows(&json))
    }

    fn rows(json: &str) -> Result<Table, TableError> {
        let damaged = |why: String| TableError::Corrupt { why };
        let file: Value = serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
        let features = match file.get("features").and_then(Value::as_array) {
            Some(features) => features.as_slice(),
            None => std::slice::from_ref(&file),
        };
        if features.len() > FEATURES_MAX {
            return Err(damaged(format!("more than {FEATURES_MAX} features")));
        }
        let mut headers = vec!["geometry".to_owned()];
        let mut rows = Vec::new();
        for (number, feature) in (1..).zip(features) {
            let mut cells = vec![Cell::text(&feature.to_string())];
            for (name, value) in feature.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let Some(cell) = cell(value).filter(|_| name != "geometry" && is_known(Zone::WANTED, name))
                else {
                    continue;
                };
                let at = headers.iter().position(|header| header == name).unwrap_or_else(|| {
                    headers.push(name.clone());
                    headers.len() - 1
                });
                cells.resize_with(cells.len().max(at + 1), Cell::default);
                if let Some(slot) = cells.get_mut(at) {
                    *slot = cell;
                }
            }
            rows.push(Row { number, cells });
        }
        Ok(Table { headers, header_row: 0, rows, has_decimal_commas: false })
    }

    fn cell(value: &Value) -> Option<Cell> {
        match value {
            Value::String(text) => Some(Cell::text(text)),
            Value::Number(number) => number.as_f64().map(Cell::Number),
            Value::Bool(truth) => Some(Cell::Truth(*truth)),
            _ => None,
        }
    }
}
