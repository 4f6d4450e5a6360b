//! Rows as CSV that a spreadsheet opens and an import reads again, and the columns of each kind for it.
//!
//! What rows refer to is written as people name it: plates, codes or names of units, names of zones, terminals. Kinds that do not
//! come in files, and outlines that no file has (corridors), are written as JSON in one cell.

use std::collections::BTreeMap;
use std::io::Write;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::formula::guarded;
use motorpool_supervision::register::{Span, Unit, Vehicle, Zone};
use serde_json::{Value as Json, json};

use super::kinds::Kind;
use crate::ids::DeviceId;
use crate::registry::{self, AnyRow, Known, Registry, RowFilter, Snapshot};

/// Rows read at once.
const ROWS_AT_ONCE: u32 = 2_000;
/// What a spreadsheet knows UTF-8 by.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Why rows could not be written out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The file failed.
    #[error("the rows could not be written")]
    Write(#[from] std::io::Error),
}

/// How a cell is made of a value.
#[derive(Clone, Copy)]
enum Cell {
    /// A text or a number as it is.
    Plain,
    /// Yes or no.
    Yes,
    /// The plate of a car.
    Plate,
    /// Code or name of a unit; of several, each.
    Unit,
    /// Name of a zone.
    Zone,
    /// Terminal of a device.
    Device,
    /// A number in tenths.
    Tenths,
    /// A number in hundredths.
    Hundredths,
    /// Degrees out of 1e-7 degrees.
    Degrees,
    /// What a zone is for, in one word.
    Use,
    /// An outline that is no circle, as GeoJSON.
    Outline,
    /// Minutes after midnight as a clock shows them.
    Clock,
    /// A month and a day.
    MonthDay,
    /// When the row begins to hold.
    From,
    /// When it ends.
    To,
}

/// Header, how, and where in the row: a JSON pointer. `@` begins in an item of the list that the kind spreads over rows; `*`
/// stands for every item of a list.
type Column = (&'static str, Cell, &'static str);

use Cell::{Clock, Degrees, Device, From, Hundredths, MonthDay, Outline, Plain, Plate, Tenths, To, Use, Yes};

const PERIOD: [Column; 2] = [("开始时间", From, ""), ("结束时间", To, "")];

/// The columns of a kind, and the list that it spreads over rows.
fn columns(kind: &str) -> Option<(Vec<Column>, Option<&'static str>)> {
    let place = |name: &'static str, text: &'static str, lat: &'static str, lon: &'static str| {
        [(name, Plain, text), ("纬度", Degrees, lat), ("经度", Degrees, lon)]
    };
    let with = |parts: &[&[Column]]| parts.concat();
    let own = ("所属单位", Cell::Unit, "/unit");
    let car = ("车牌号", Plate, "/vehicle");
    let columns = match kind {
        "unit" => vec![
            ("单位名称", Plain, "/name"),
            ("单位编码", Plain, "/code"),
            ("上级单位", Cell::Unit, "/parent"),
            ("类型", Plain, "/kind"),
            ("复核单位", Cell::Unit, "/reviewed_by"),
        ],
        "vehicle" => with(&[
            &[("车牌号", Plain, "/plate"), ("车架号", Plain, "/vin"), ("车辆类别", Plain, "/class"), own],
            &[("定点停放", Cell::Zone, "/depot"), ("油箱容积", Plain, "/tank_l")],
            &[("油耗定额", Tenths, "/norm_dl_per_100km"), ("油品", Plain, "/fuel_grade")],
            &[("品牌型号", Plain, "/model"), ("是否涉密", Yes, "/is_secret"), ("是否租赁", Yes, "/is_hired")],
            &[("启用时间", From, ""), ("停用时间", To, "")],
        ]),
        "binding" => with(&[
            &[("终端号", Device, "/device"), car, ("安装时间", From, ""), ("拆除时间", To, "")],
            &[("是否主设备", Yes, "/is_primary"), ("工单号", Plain, "/work_order")],
        ]),
        "driver" => with(&[
            &[("姓名", Plain, "/name"), own, ("联系电话", Plain, "/phone"), ("驾驶证号", Plain, "/licence")],
            &[("卡号", Plain, "/card"), ("启用时间", From, ""), ("停用时间", To, "")],
        ]),
        "order" => with(&[
            &[("派车单号", Plain, "/no"), ("用车单位", Cell::Unit, "/unit"), car],
            &[("计划出车时间", Plain, "/planned_out"), ("计划返回时间", Plain, "/planned_in")],
            &[("申请人", Plain, "/applicant"), ("用车人", Plain, "/user"), ("联系电话", Plain, "/phone")],
            &[
                ("驾驶员", Plain, "/driver"),
                ("调度员", Plain, "/dispatcher"),
                ("审批人", Plain, "/approvals/*/by"),
            ],
            &[
                ("乘车人数", Plain, "/passengers"),
                ("用车事由", Plain, "/purpose"),
                ("出发地", Plain, "/departure/text"),
            ],
            &[("目的地", Plain, "/destinations/*/text"), ("途经", Plain, "/via/*/text")],
            &[
                ("用车范围", Cell::Zone, "/area"),
                ("申请时间", Plain, "/applied_at"),
                ("登记时间", Plain, "/entered_at"),
            ],
            &[("状态", Plain, "/state"), ("是否应急", Yes, "/is_emergency"), ("原单号", Plain, "/replaces")],
            &[("出车里程(米)", Plain, "/odometer_out_m"), ("返回里程(米)", Plain, "/odometer_in_m")],
            &[("行驶里程(米)", Plain, "/distance_m"), ("实际出车时间", Plain, "/actual_out")],
            &[("实际返回时间", Plain, "/actual_in"), ("备注", Plain, "/remarks")],
        ]),
        "duty" => with(&[
            &[
                ("值班单位", Cell::Unit, "/unit"),
                car,
                ("值班人", Plain, "/person"),
                ("值班内容", Plain, "/what"),
            ],
            &PERIOD,
        ]),
        "emergency" => with(&[
            &[("应急事项", Plain, "/what"), ("响应级别", Plain, "/level"), ("依据文件", Plain, "/document")],
            &[("响应区域", Cell::Zone, "/area"), ("适用单位", Cell::Unit, "/units/*")],
            &PERIOD,
        ]),
        "seal" => with(&[
            &[car, ("类型", Plain, "/kind")],
            &PERIOD,
            &[("封存地点", Cell::Zone, "/place"), ("钥匙保管人", Plain, "/key_keeper")],
            &[
                ("审批人", Plain, "/approved_by"),
                ("审批单号", Plain, "/approval_no"),
                ("原因", Plain, "/reason"),
            ],
        ]),
        "transfer" => with(&[
            &[car, ("借入单位", Cell::Unit, "/to")],
            &PERIOD,
            &[("调剂单号", Plain, "/no"), ("审批人", Plain, "/approved_by")],
        ]),
        "zone" => with(&[
            &[("名称", Plain, "/name"), ("类型", Use, "/kind"), own, ("图形", Outline, "/shape")],
            &[("纬度", Degrees, "/shape/centre/lat_e7"), ("经度", Degrees, "/shape/centre/lon_e7")],
            &[("半径", Plain, "/shape/radius_m"), ("来源", Plain, "/source"), ("精度", Plain, "/accuracy_m")],
            &[("启用时间", From, ""), ("停用时间", To, "")],
        ]),
        "place" => with(&[
            &[
                ("名称", Plain, "/name"),
                ("别名", Plain, "/aliases/*"),
                own,
                ("区域名称", Cell::Zone, "/zone"),
            ],
            &[("纬度", Degrees, "/at/lat_e7"), ("经度", Degrees, "/at/lon_e7"), ("半径", Plain, "/radius_m")],
            &[("来源", Plain, "/source"), ("精度", Plain, "/accuracy_m")],
        ]),
        "calendar_year" => with(&[
            &[("日期", Plain, "@/date"), ("安排", Plain, "@/rule"), ("节日名称", Plain, "@/name")],
            &[("日历", Plain, "/calendar"), ("适用单位", Cell::Unit, "/unit"), ("版本", Plain, "/edition")],
            &[("通知", Plain, "/notice")],
        ]),
        "working_hours" => vec![
            ("单位", Cell::Unit, "/unit"),
            ("季节开始", MonthDay, "@/from"),
            ("季节结束", MonthDay, "@/to"),
            ("最早出车", Clock, "@/opens_min"),
            ("最晚收车", Clock, "@/closes_min"),
        ],
        "exemption" => with(&[
            &[("适用单位", Cell::Unit, "/unit"), ("车辆类别", Plain, "/class"), car],
            &[("豁免规则", Plain, "/rules/*"), ("责任人", Plain, "/owner"), ("豁免原因", Plain, "/reason")],
            &[("开始时间", From, ""), ("到期时间", To, "")],
        ]),
        "watermark" => vec![
            ("单位", Cell::Unit, "/unit"),
            ("台账", Plain, "/feed"),
            ("完整起始时间", Plain, "/complete_from"),
            ("完整截止时间", Plain, "/complete_to"),
        ],
        "fuel_fill" => with(&[
            &[
                car,
                ("加油时间", Plain, "/stamp/at"),
                ("油卡绑定车牌", Plate, "/card_vehicle"),
                ("油卡号", Plain, "/card"),
            ],
            &place("加油站", "/station/text", "/station/at/lat_e7", "/station/at/lon_e7"),
            &[
                ("加油量", Hundredths, "/quantity_cl"),
                ("油品", Plain, "/grade"),
                ("金额", Hundredths, "/amount_fen"),
            ],
            &[("里程表(米)", Plain, "/odometer_m"), ("凭证号", Plain, "/voucher")],
        ]),
        "passage" => with(&[
            &[car, ("通行时间", Plain, "/stamp/at"), ("类型", Plain, "/kind")],
            &place("收费站", "/place/text", "/place/at/lat_e7", "/place/at/lon_e7"),
            &[("金额", Hundredths, "/amount_fen"), ("凭证号", Plain, "/voucher")],
        ]),
        "repair" => with(&[
            &[car],
            &place("维修厂", "/shop/text", "/shop/at/lat_e7", "/shop/at/lon_e7"),
            &[("送修时间", Plain, "/from/at"), ("取车时间", Plain, "/to/at"), ("维修内容", Plain, "/what")],
            &[
                ("维修费", Hundredths, "/amount_fen"),
                ("里程表(米)", Plain, "/odometer_m"),
                ("审批单号", Plain, "/no"),
            ],
        ]),
        "rental" => with(&[
            &[
                ("用车单位", Cell::Unit, "/unit"),
                ("车牌号", Plain, "/plate"),
                ("租赁公司", Plain, "/company"),
            ],
            &[("租赁开始时间", Plain, "/from"), ("租赁结束时间", Plain, "/to"), ("租赁单号", Plain, "/no")],
            &[("用车人", Plain, "/user")],
        ]),
        "driver_login" => with(&[
            &[car, ("插卡时间", Plain, "/at"), ("动作", Plain, "/is_in"), ("卡号", Plain, "/card")],
            &[("驾驶员", Plain, "/name")],
        ]),
        "vin_reading" => {
            vec![("终端号", Device, "/device"), car, ("读取时间", Plain, "/at"), ("车架号", Plain, "/vin")]
        }
        "device_work" => with(&[
            &[("终端号", Device, "/device"), car, ("开始时间", Plain, "/from"), ("结束时间", Plain, "/to")],
            &[("工单号", Plain, "/no"), ("工作内容", Plain, "/what")],
        ]),
        "mileage" => with(&[
            &[car, ("抄表时间", Plain, "/at"), ("里程表(米)", Plain, "/odometer_m")],
            &[("纬度", Degrees, "/place/lat_e7"), ("经度", Degrees, "/place/lon_e7")],
        ]),
        _ => return None,
    };
    let spread = match kind {
        "calendar_year" => Some("/days"),
        "working_hours" => Some("/seasons"),
        _ => None,
    };
    Some((columns, spread))
}

/// What rows refer to, as people name it.
struct Names {
    plates: BTreeMap<i64, String>,
    units: BTreeMap<i64, String>,
    zones: BTreeMap<i64, String>,
    devices: std::sync::Arc<Snapshot>,
}

impl Names {
    async fn of(registry: &Registry, known: Known) -> Result<Self, registry::Error> {
        let unit = |row: &Unit| if row.code.is_empty() { row.name.clone() } else { row.code.clone() };
        let units = registry.rows::<Unit>(known).await?;
        let vehicles = registry.rows::<Vehicle>(known).await?;
        let zones = registry.rows::<Zone>(known).await?;
        Ok(Self {
            plates: vehicles.into_iter().map(|row| (row.id, row.row.plate)).collect(),
            units: units.into_iter().map(|row| (row.id, unit(&row.row))).collect(),
            zones: zones.into_iter().map(|row| (row.id, row.row.name)).collect(),
            devices: registry.snapshot(),
        })
    }

    fn device(&self, id: i64) -> Option<String> {
        let device = self.devices.device(DeviceId(u32::try_from(id).ok()?))?;
        Some(device.terminal.as_str().to_owned())
    }

    /// The cell of a value.
    fn cell(&self, cell: Cell, value: &Json) -> Option<String> {
        let number = value.as_i64();
        match cell {
            Plain => plain(value),
            Yes => value.as_bool().map(|yes| if yes { "是" } else { "否" }.to_owned()),
            Plate => named(self.plates.get(&number?)),
            Cell::Unit => named(self.units.get(&number?)),
            Cell::Zone => named(self.zones.get(&number?)),
            Device => named(self.device(number?).as_ref()),
            Tenths => number.map(|n| fraction(n, 1)),
            Hundredths => number.map(|n| fraction(n, 2)),
            Degrees => number.map(|n| fraction(n, 7)),
            Use => zone_use(value),
            Outline => outline(value),
            Clock => number.map(|min| format!("{:02}:{:02}", min / 60, min % 60)),
            MonthDay => Some(format!("{:02}-{:02}", value.get(0)?.as_i64()?, value.get(1)?.as_i64()?)),
            From | To => None,
        }
    }
}

/// A name that people or terminals chose.
fn named(name: Option<&String>) -> Option<String> {
    name.map(|name| guarded(name).into_owned())
}

fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(guarded(text).into_owned()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A whole number of units of 10^-`digits`.
fn fraction(number: i64, digits: u32) -> String {
    let scale = 10_u64.pow(digits);
    let (sign, number) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    let width = usize::try_from(digits).unwrap_or(0);
    let text = format!("{sign}{}.{:0width$}", number / scale, number % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The word by which a file says what a zone is for.
fn zone_use(kind: &Json) -> Option<String> {
    let word = kind.get("use")?.as_str()?;
    let of = kind.get("of");
    if let Some(sensitive) = of.and_then(Json::as_str) {
        return Some(sensitive.to_owned());
    }
    let is_fixed = of.and_then(|of| of.get("is_fixed")).and_then(Json::as_bool) == Some(true);
    Some(if is_fixed { format!("fixed_{word}") } else { word.to_owned() })
}

/// GeoJSON of polygons; a corridor as it is stored, a circle not at all: it has columns.
fn outline(shape: &Json) -> Option<String> {
    let polygons = match shape.get("shape")?.as_str()? {
        "circle" => return None,
        "polygons" => shape.get("polygons")?.as_array()?,
        _ => return Some(shape.to_string()),
    };
    let degrees = |corner: &Json, name: &str| -> Option<Json> {
        let text = fraction(corner.get(name)?.as_i64()?, 7);
        serde_json::from_str(&text).ok()
    };
    let ring = |ring: &Json| -> Option<Json> {
        let corners = ring.as_array()?;
        let closed = corners.iter().chain(corners.first());
        let pair = |corner: &Json| Some(json!([degrees(corner, "lon_e7")?, degrees(corner, "lat_e7")?]));
        closed.map(pair).collect::<Option<Vec<Json>>>().map(Json::Array)
    };
    let polygon = |polygon: &Json| -> Option<Json> {
        polygon.as_array()?.iter().map(ring).collect::<Option<Vec<Json>>>().map(Json::Array)
    };
    let coordinates = polygons.iter().map(polygon).collect::<Option<Vec<Json>>>()?;
    Some(json!({"type": "MultiPolygon", "coordinates": coordinates}).to_string())
}

/// The cell of a column.
fn text(names: &Names, row: &AnyRow, item: Option<&Json>, (_, cell, path): Column) -> String {
    let shown = |at: Option<UtcMillis>| at.map(|at| at.to_string()).unwrap_or_default();
    match cell {
        From => return shown(Some(row.valid.from).filter(|from| *from != Span::ALWAYS.from)),
        To => return shown(row.valid.to),
        _ => {}
    }
    let (base, path) = match path.strip_prefix('@') {
        Some(path) => (item, path),
        None => (Some(&row.row), path),
    };
    let Some(base) = base else { return String::new() };
    let Some((list, within)) = path.split_once("/*") else {
        return base.pointer(path).and_then(|value| names.cell(cell, value)).unwrap_or_default();
    };
    let items = base.pointer(list).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let cells = items.iter().filter_map(|item| names.cell(cell, item.pointer(within)?));
    cells.collect::<Vec<_>>().join("、")
}

/// Writes all rows of a kind as CSV with a BOM. Answers how many rows of the registry there were.
///
/// # Errors
/// When the registry or `out` fails.
pub async fn export_csv<W: Write>(
    registry: &Registry,
    kind: &Kind,
    known: Known,
    mut out: W,
) -> Result<u64, ExportError> {
    out.write_all(BOM)?;
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let failed = |error: csv::Error| ExportError::Write(std::io::Error::other(error));
    let table = columns(kind.name);
    let names = Names::of(registry, known).await?;
    match &table {
        Some((columns, _)) => csv.write_record(columns.iter().map(|column| column.0)).map_err(failed)?,
        None => csv.write_record(["id", "valid_from", "valid_to", "row"]).map_err(failed)?,
    }
    let mut filter = RowFilter { limit: ROWS_AT_ONCE, known, ..RowFilter::default() };
    let mut count = 0;
    loop {
        let rows = registry.any_rows(kind.name, &filter).await?;
        for row in &rows {
            count += 1;
            let Some((columns, spread)) = &table else {
                let period = PERIOD.map(|column| text(&names, row, None, column));
                let [from, to] = period;
                csv.write_record([row.id.to_string(), from, to, row.row.to_string()]).map_err(failed)?;
                continue;
            };
            let line = |item| columns.iter().map(move |column| (item, *column));
            let items = spread.and_then(|list| row.row.pointer(list)).and_then(Json::as_array);
            let items: Vec<Option<&Json>> =
                items.map_or_else(|| vec![None], |items| items.iter().map(Some).collect());
            for item in items {
                let cells = line(item).map(|(item, column)| text(&names, row, item, column));
                csv.write_record(cells).map_err(failed)?;
            }
        }
        let is_last = rows.len() < ROWS_AT_ONCE as usize;
        filter.after = rows.last().map(|row| (row.id, row.valid.from, row.version));
        if is_last {
            csv.flush()?;
            return Ok(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::KINDS;
    use super::*;

    #[test]
    fn every_header_is_one_that_an_import_reads() {
        for kind in KINDS {
            assert_eq!(columns(kind.name).is_some(), kind.columns().is_some(), "{}", kind.name);
        }
        assert!(columns("order").expect("columns").0.iter().all(|(header, ..)| kind_knows("order", header)));
        assert!(
            columns("fuel_fill")
                .expect("columns")
                .0
                .iter()
                .all(|(header, ..)| kind_knows("fuel_fill", header))
        );
    }

    fn kind_knows(name: &str, header: &str) -> bool {
        use motorpool_supervision::intake::Importable as _;
        use motorpool_supervision::register::{FuelFill, Order};
        if name == "order" { Order::is_column(header) } else { FuelFill::is_column(header) }
    }

    #[test]
    fn numbers_are_written_out_and_formulas_are_not() {
        assert_eq!(fraction(1_234, 2), "12.34");
        assert_eq!(fraction(1_200, 2), "12");
        assert_eq!(fraction(-5, 7), "-0.0000005");
        assert_eq!(fraction(0, 2), "0");
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(zone_use(&json!({"use": "sensitive", "of": "golf"})).as_deref(), Some("golf"));
        assert_eq!(
            zone_use(&json!({"use": "repair_shop", "of": {"is_fixed": true}})).as_deref(),
            Some("fixed_repair_shop")
        );
    }
}
