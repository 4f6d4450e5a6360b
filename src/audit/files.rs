//! Files of an audit into tracks and registers, leniently: rows that can't be used are listed and left out, the rest counts.
//!
//! An import into the registry takes all rows or none; here people look at what they have, and a wrong row must not keep them from the
//! rest. Every row left out is named in `summary.json`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId, UnitId};
use motorpool_supervision::intake::tracks::{DeviceTrack, FileReport, TrackOptions, TrackReader};
use motorpool_supervision::intake::{self, Datum, Importable, Limits, Table, normalise_plate};
use motorpool_supervision::register::{Binding, Order, Register, Unit, Vehicle};
use rustc_hash::FxHashMap;

use super::inputs::{BadRow, Given, Inputs, Problems, add, bind_devices, complete};
use super::parquet_tracks;

/// A rejected row can make others wrong that refer to it; after this many rounds what is still wrong is an error of the file.
const ROUNDS: usize = 4;

/// What was given on the command line.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request")]
pub struct Files {
    /// Tracks.
    pub tracks: Vec<PathBuf>,
    /// Registers: the kind of row and its file, in the order in which they refer to each other.
    pub registers: Vec<(String, PathBuf)>,
    /// A shipped calendar's name, or a file of one's own.
    pub calendar: String,
    /// Time zone of local days, and of times without an offset.
    pub time_zone: String,
    /// What coordinates are in.
    pub datum: Datum,
}

/// Reads everything.
///
/// # Errors
/// When a file can't be read at all or lacks a column without which it means nothing.
pub fn read(files: &Files) -> anyhow::Result<Inputs> {
    let timezone = TimeZone::get(&files.time_zone)
        .with_context(|| format!("there is no time zone {:?}", files.time_zone))?;
    let mut problems = Problems::default();
    let tracks = read_tracks(files, &timezone, &mut problems)?;
    let mut register = Register::default();
    let mut reader = Reader { files, timezone, names: FxHashMap::default(), problems: &mut problems };
    for (index, track) in tracks.iter().enumerate() {
        reader.names.insert(track.device.clone(), DeviceId(i64::try_from(index)? + 1));
    }
    let mut kinds: Vec<&(String, PathBuf)> = files.registers.iter().collect();
    kinds.sort_by_key(|(kind, _)| ORDER.iter().position(|known| known == kind));
    // Vehicles come before what names them, and cars of the tracks are there whether or not a file of vehicles names them.
    for (kind, path) in kinds.iter().filter(|(kind, _)| is_before_vehicles(kind)) {
        reader.read_kind(kind, path, &mut register)?;
    }
    let names: Vec<String> = tracks.iter().map(|track| track.device.clone()).collect();
    let vehicles = bind_devices(&mut register, &names, normalise_plate);
    for (kind, path) in kinds.iter().filter(|(kind, _)| !is_before_vehicles(kind)) {
        reader.read_kind(kind, path, &mut register)?;
    }
    own_calendar(&files.calendar, &mut register)?;
    let calendar = if register.calendar_years.is_empty() { files.calendar.as_str() } else { "cn" };
    let given: Given = complete(&mut register, calendar)?;
    let tracks = tracks
        .into_iter()
        .zip(vehicles)
        .map(|(track, vehicle)| (track.device, vehicle, track.points))
        .collect();
    Ok(Inputs { tracks, register, given, time_zone: files.time_zone.clone(), problems })
}

/// The kinds in an order in which each refers only to those before it.
pub const ORDER: &[&str] = &[
    "unit",
    "zone",
    "place",
    "vehicle",
    "binding",
    "driver",
    "order",
    "duty",
    "emergency",
    "seal",
    "transfer",
    "fuel_fill",
    "passage",
    "repair",
    "rental",
    "driver_login",
    "vin_reading",
    "device_work",
    "mileage",
    "exemption",
    "working_hours",
];

fn is_before_vehicles(kind: &str) -> bool {
    matches!(kind, "unit" | "zone" | "place" | "vehicle")
}

/// A calendar of one's own, when `calendar` names a file.
fn own_calendar(calendar: &str, register: &mut Register) -> anyhow::Result<()> {
    let path = Path::new(calendar);
    if !path.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(path).with_context(|| format!("can't read {calendar}"))?;
    for year in motorpool_supervision::calendar::parse_toml(&text).with_context(|| calendar.to_owned())? {
        add(register, year);
    }
    Ok(())
}

fn read_tracks(
    files: &Files,
    timezone: &TimeZone,
    problems: &mut Problems,
) -> anyhow::Result<Vec<DeviceTrack>> {
    let options = TrackOptions { timezone: timezone.clone(), datum: files.datum, ..TrackOptions::default() };
    let mut reader = TrackReader::new(options);
    for path in &files.tracks {
        let name = path.display().to_string();
        // A file without a column for the device is the track of one, named as the file.
        let stem = path.file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
        let file = File::open(path).with_context(|| format!("can't read {name}"))?;
        let report = if parquet_tracks::is_parquet(path) {
            parquet_tracks::read(path, &stem, &mut reader).with_context(|| name.clone())?
        } else {
            reader.read(&stem, BufReader::with_capacity(1 << 20, file)).with_context(|| name.clone())?
        };
        note(&report, &name, problems);
    }
    Ok(reader.finish().devices)
}

fn note(report: &FileReport, file: &str, problems: &mut Problems) {
    for problem in &report.rejected.list {
        problems.push(bad_row(problem, file));
    }
    problems.count += report.rejected.more;
}

fn bad_row(problem: &intake::Problem, file: &str) -> BadRow {
    BadRow {
        file: file.to_owned(),
        row: problem.row,
        column: problem.column.clone(),
        value: problem.value.clone(),
        reason: problem.en.clone(),
    }
}

/// Reads registers into one.
struct Reader<'a> {
    files: &'a Files,
    timezone: TimeZone,
    /// Devices by the name in the tracks.
    names: FxHashMap<String, DeviceId>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn read_kind(&mut self, kind: &str, path: &Path, register: &mut Register) -> anyhow::Result<()> {
        macro_rules! dispatch {
            ($($name:literal => $row:ident),* $(,)?) => {
                match kind {
                    "vehicle" => self
                        .read_rows::<Vehicle>(path, register)
                        .and_then(|()| self.read_bindings_beside(path, register)),
                    $($name => self.read_rows::<motorpool_supervision::register::$row>(path, register),)*
                    other => anyhow::bail!("there are no rows of kind {other:?}; there are {}", ORDER.join(", ")),
                }
            };
        }
        dispatch! {
            "unit" => Unit, "zone" => Zone, "place" => PlaceEntry, "binding" => Binding, "driver" => Driver,
            "order" => Order, "duty" => Duty, "emergency" => Emergency, "seal" => Seal, "transfer" => Transfer,
            "fuel_fill" => FuelFill, "passage" => Passage, "repair" => Repair, "rental" => Rental,
            "driver_login" => DriverLogin, "vin_reading" => VinReading, "device_work" => DeviceWork, "mileage" => Mileage,
            "exemption" => Exemption, "working_hours" => WorkingHours,
        }
        .with_context(|| path.display().to_string())
    }

    /// A file of vehicles that names their devices binds them as well.
    fn read_bindings_beside(&mut self, path: &Path, register: &mut Register) -> anyhow::Result<()> {
        let Ok(table) = self.table(path) else { return Ok(()) };
        let names_device =
            table.headers.iter().any(|header| Binding::is_column(header) && !Vehicle::is_column(header));
        if names_device { self.read_rows::<Binding>(path, register) } else { Ok(()) }
    }

    fn table(&self, path: &Path) -> anyhow::Result<Table> {
        let bytes = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        Ok(Table::read(&bytes, None, &Limits::default(), &|_| false)?)
    }

    fn read_rows<T: Importable>(&mut self, path: &Path, register: &mut Register) -> anyhow::Result<()> {
        let bytes = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        let is_column = |header: &str| T::is_column(header) || is_own_word(header);
        let first = bytes.trim_ascii_start().first();
        if first == Some(&b'{') {
            return self.read_features::<T>(path, &bytes, register);
        }
        let Ok(mut table) = Table::read(&bytes, None, &Limits::default(), &is_column) else {
            // No table at all: the importer says what it is.
            return self.take(register, |context| T::import(&bytes, None, &Limits::default(), context));
        };
        if T::KIND == <Order as motorpool_supervision::register::Row>::KIND {
            name_columns_of_orders(&mut table);
        }
        self.add_units(&table, register);
        for _ in 0..ROUNDS {
            let imported = self.import(register, |context| T::import_table(&table, context));
            let bad: BTreeSet<u32> =
                imported.report().errors.list.iter().filter_map(|problem| problem.row).collect();
            if bad.is_empty() {
                return finish(imported, register);
            }
            for problem in &imported.report().errors.list {
                self.problems.push(bad_row(problem, &path.display().to_string()));
            }
            table.rows.retain(|row| !bad.contains(&row.number));
        }
        self.take(register, |context| T::import_table(&table, context))
    }

    /// GeoJSON: zones without a kind are areas, and features that can't be used are left out and named by their number.
    fn read_features<T: Importable>(
        &mut self,
        path: &Path,
        bytes: &[u8],
        register: &mut Register,
    ) -> anyhow::Result<()> {
        let mut bytes = with_kinds(bytes);
        let mut numbers: Option<Vec<u32>> = None;
        for _ in 0..ROUNDS {
            let imported =
                self.import(register, |context| T::import(&bytes, None, &Limits::default(), context));
            let errors = &imported.report().errors.list;
            let bad: BTreeSet<u32> = errors.iter().filter_map(|problem| problem.row).collect();
            let parsed = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
            let Some(mut collection) = parsed.filter(|_| !bad.is_empty()) else {
                return finish(imported, register);
            };
            let Some(features) = collection.get_mut("features").and_then(serde_json::Value::as_array_mut)
            else {
                return finish(imported, register);
            };
            let known = numbers.take().unwrap_or_else(|| (1..).zip(&*features).map(|(n, _)| n).collect());
            let number = |row: u32| known.get(usize::try_from(row).ok()?.checked_sub(1)?).copied();
            for problem in errors {
                let row = problem.row.and_then(number);
                self.problems.push(BadRow { row, ..bad_row(problem, &path.display().to_string()) });
            }
            let is_good = |(row, _): &(u32, _)| !bad.contains(row);
            numbers = Some((1..).zip(known).filter(is_good).map(|(_, number)| number).collect());
            let mut row = 0;
            features.retain(|_| {
                row += 1;
                !bad.contains(&row)
            });
            bytes = serde_json::to_vec(&collection)?;
        }
        self.take(register, |context| T::import(&bytes, None, &Limits::default(), context))
    }

    /// Takes an import that must be clean.
    fn take<T: Importable>(
        &self,
        register: &mut Register,
        import: impl FnOnce(&mut intake::Context<'_>) -> intake::Import<T>,
    ) -> anyhow::Result<()> {
        let imported = self.import(register, import);
        finish(imported, register)
    }

    fn import<T: Importable>(
        &self,
        register: &Register,
        import: impl FnOnce(&mut intake::Context<'_>) -> intake::Import<T>,
    ) -> intake::Import<T> {
        let mut next = T::rows(register).iter().map(|row| row.id).max().unwrap_or(0);
        let mut new_id = |_: &'static str| {
            next += 1;
            next
        };
        let devices = |name: &str| self.names.get(name.trim()).copied();
        import(&mut intake::Context {
            register,
            devices: &devices,
            timezone: self.timezone.clone(),
            datum: self.files.datum,
            unit: register.units.first().map(|unit| UnitId(unit.id)),
            recorded_at: UtcMillis(0),
            recorded_by: String::new(),
            new_id: &mut new_id,
        })
    }

    /// Units that a file names and nobody gave are made: an audit must not fail for the name of an office.
    fn add_units(&self, table: &Table, register: &mut Register) {
        const UNIT_HEADERS: &[&str] =
            &["unit", "单位", "用车单位", "所属单位", "使用单位", "部门", "单位名称", "车属单位", "申请单位"];
        let column = table
            .headers
            .iter()
            .position(|header| UNIT_HEADERS.contains(&header.trim().to_lowercase().as_str()));
        let Some(column) = column else { return };
        let named: BTreeSet<String> =
            table.rows.iter().map(|row| row.cell(column).as_text().trim().to_owned()).collect();
        for name in named.into_iter().filter(|name| !name.is_empty()) {
            let is_known = |unit: &&motorpool_supervision::register::Versioned<Unit>| {
                unit.row.name == name || unit.row.code == name
            };
            if register.units.iter().find(is_known).is_none() {
                add(register, Unit { name, ..Unit::default() });
            }
        }
    }
}

fn finish<T: Importable>(imported: intake::Import<T>, register: &mut Register) -> anyhow::Result<()> {
    let rows = imported
        .into_rows()
        .map_err(|report| anyhow::anyhow!(report.errors.list.first().map(described).unwrap_or_default()))?;
    // When a row without a time of its own was recorded is not known: nothing speaks against it.
    T::rows_mut(register).extend(rows);
    Ok(())
}

/// Where a problem is and what it is, in English; the file is named by the caller.
fn described(problem: &intake::Problem) -> String {
    let row = problem.row.map(|row| format!("row {row}, ")).unwrap_or_default();
    let column = match problem.column.as_str() {
        "" => String::new(),
        column => format!("column {column:?}, "),
    };
    let value = match problem.value.as_str() {
        "" => String::new(),
        value => format!("{value:?}: "),
    };
    format!("{row}{column}{value}{}", problem.en)
}

/// Names that files of orders for an audit use besides those of the forms.
const OWN_WORDS: &[(&str, &str)] = &[
    ("device", "plate"),
    ("deviceid", "plate"),
    ("startutc", "planned_out_utc"),
    ("endutc", "planned_in_utc"),
    ("starttime", "planned_out"),
    ("endtime", "planned_in"),
    ("start", "planned_out"),
    ("end", "planned_in"),
    ("from", "planned_out"),
    ("to", "planned_in"),
];

/// The collection with `kind: area` for every feature that names none: outlines of districts and townships come so. What is no such
/// collection stays as it is.
fn with_kinds(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut collection) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return bytes.to_vec();
    };
    for feature in
        collection.get_mut("features").and_then(serde_json::Value::as_array_mut).into_iter().flatten()
    {
        if let Some(properties) = feature.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            let has_kind = ["kind", "type", "类型", "类别"].iter().any(|key| properties.contains_key(*key));
            if !has_kind {
                properties.insert("kind".to_owned(), "area".into());
            }
        }
    }
    serde_json::to_vec(&collection).unwrap_or_else(|_| bytes.to_vec())
}

fn plain(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_own_word(header: &str) -> bool {
    OWN_WORDS.iter().any(|(word, _)| *word == plain(header))
}

/// Gives short names of an audit's files the names of the forms, where the form's own column is not there; orders without a number get
/// that of their row.
fn name_columns_of_orders(table: &mut Table) {
    for (word, column) in OWN_WORDS {
        let wanted = plain(column.trim_end_matches("_utc"));
        let is_there = table.headers.iter().any(|header| {
            let header = plain(header);
            header == wanted
                || header == format!("{wanted}utc")
                || (wanted == "plate" && header.contains("车牌"))
        });
        if is_there {
            continue;
        }
        if let Some(header) = table.headers.iter_mut().find(|header| plain(header) == *word) {
            (*column).clone_into(header);
        }
    }
    let has_number = table.headers.iter().any(|header| {
        matches!(plain(header).as_str(), "no" | "orderno" | "order" | "id" | "number" | "ordernumber")
            || header.contains("单号")
            || header.contains("编号")
    });
    if !has_number {
        table.headers.push("order_no".to_owned());
        let last = table.headers.len() - 1;
        for row in &mut table.rows {
            row.cells.resize_with(last, || intake::Cell::Empty);
            row.cells.push(intake::Cell::text(&row.number.to_string()));
        }
    }
}
