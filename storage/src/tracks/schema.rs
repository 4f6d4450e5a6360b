//! The columns of a Parquet file and how each is encoded.
//!
//! | column | type | meaning |
//! | --- | --- | --- |
//! | `device` | INT64 | number of the device |
//! | `time_s` | INT64 | fix time, seconds since 1970-01-01T00:00:00Z, rounded down |
//! | `lat_e6`, `lon_e6` | INT32 | WGS-84, 1e-6 degrees, rounded down |
//! | `alt_m` | INT32, null | height above sea level, metres |
//! | `speed_dkmh` | INT32, null | speed over ground by GNSS, 0.1 km/h |
//! | `course_deg` | INT32, null | degrees clockwise from north |
//! | `status` | INT64 | state bits, as `motorpool_protocols::Status` |
//! | `recv_s` | INT64 | when it was first received, seconds since 1970 |
//! | `time_ms` * | INT32 | milliseconds of the fix time, 0 to 999 |
//! | `lat_7th`, `lon_7th` * | INT32 | the seventh decimal of the degrees, 0 to 9, to be added |
//! | `alarms` * | INT64 | alarm bits, as `motorpool_protocols::Alarms` |
//! | `quality` * | INT32 | quality bits, as `motorpool_protocols::Quality` |
//! | `satellites`, `signal` * | INT32, null | satellites used; radio signal strength |
//! | `odometer_m` * | INT64, null | distance counter, metres |
//! | `fuel_dl` * | INT32, null | fuel in the tank, 0.1 litres |
//! | `vehicle_speed_dkmh` * | INT32, null | speed by the vehicle's own sensor, 0.1 km/h |
//! | `engine_rpm` * | INT32, null | engine speed |
//! | `extra` * | BYTE_ARRAY, null | items without a column, in the protocol's own form |
//!
//! A column costs about 75 bytes a file even when it is empty, and a back-fill of years makes files of a few
//! hundred rows. Columns marked * are therefore written only from the day on which the archive first needs
//! them (the manifest remembers which); a missing one reads as 0 or null. Where files of one query differ,
//! DuckDB wants `union_by_name = true`, Spark `mergeSchema`.
//!
//! Numbers are DELTA_BINARY_PACKED and zstd. BYTE_STREAM_SPLIT would save about 3 % on speed and course, but
//! Spark's vectorised reader does not know it. Pages hold `page_rows` rows at the same borders in all columns.
//!
//! This module does no I/O.

use std::sync::{Arc, LazyLock};

use parquet::basic::{Compression, Encoding, Repetition, Type as Physical, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor, Type, TypePtr};

/// A column by its place in [`COLUMNS`].
pub(super) type Column = usize;

pub(super) const DEVICE: Column = 0;
pub(super) const TIME_S: Column = 1;
pub(super) const LAT: Column = 2;
pub(super) const LON: Column = 3;
pub(super) const ALTITUDE: Column = 4;
pub(super) const SPEED: Column = 5;
pub(super) const COURSE: Column = 6;
pub(super) const STATUS: Column = 7;
pub(super) const RECEIVED: Column = 8;
pub(super) const TIME_MS: Column = 9;
pub(super) const LAT_DIGIT: Column = 10;
pub(super) const LON_DIGIT: Column = 11;
pub(super) const ALARMS: Column = 12;
pub(super) const QUALITY: Column = 13;
pub(super) const SATELLITES: Column = 14;
pub(super) const SIGNAL: Column = 15;
pub(super) const ODOMETER: Column = 16;
pub(super) const FUEL: Column = 17;
pub(super) const VEHICLE_SPEED: Column = 18;
pub(super) const RPM: Column = 19;
pub(super) const EXTRA: Column = 20;

/// One column.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) physical: Physical,
    pub(super) is_nullable: bool,
}

const fn spec(name: &'static str, physical: Physical, is_nullable: bool) -> Spec {
    Spec { name, physical, is_nullable }
}

/// Every column, in the order of the file.
pub(super) const COLUMNS: [Spec; 21] = [
    spec("device", Physical::INT64, false),
    spec("time_s", Physical::INT64, false),
    spec("lat_e6", Physical::INT32, false),
    spec("lon_e6", Physical::INT32, false),
    spec("alt_m", Physical::INT32, true),
    spec("speed_dkmh", Physical::INT32, true),
    spec("course_deg", Physical::INT32, true),
    spec("status", Physical::INT64, false),
    spec("recv_s", Physical::INT64, false),
    spec("time_ms", Physical::INT32, false),
    spec("lat_7th", Physical::INT32, false),
    spec("lon_7th", Physical::INT32, false),
    spec("alarms", Physical::INT64, false),
    spec("quality", Physical::INT32, false),
    spec("satellites", Physical::INT32, true),
    spec("signal", Physical::INT32, true),
    spec("odometer_m", Physical::INT64, true),
    spec("fuel_dl", Physical::INT32, true),
    spec("vehicle_speed_dkmh", Physical::INT32, true),
    spec("engine_rpm", Physical::INT32, true),
    spec("extra", Physical::BYTE_ARRAY, true),
];

/// Columns that every file has.
const BASIC: u32 = (1 << (RECEIVED + 1)) - 1;

/// A set of columns; always holds the basic ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct ColumnSet(u32);

impl Default for ColumnSet {
    fn default() -> Self {
        Self(BASIC)
    }
}

impl ColumnSet {
    /// Every column there is.
    pub(super) const ALL: Self = Self((1 << COLUMNS.len()) - 1);

    /// Both sets together.
    #[must_use]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set, with `column` if `is_needed`.
    #[must_use]
    pub(super) const fn with_if(self, is_needed: bool, column: Column) -> Self {
        Self(self.0 | (is_needed as u32) << column)
    }

    pub(super) const fn contains(self, column: Column) -> bool {
        self.0 >> column & 1 == 1
    }

    /// The set as a number, column 0 lowest.
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// The set with this number, unless it lacks a basic column or has one that does not exist.
    pub(super) fn from_bits(bits: u32) -> Option<Self> {
        (bits & BASIC == BASIC && bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    /// The columns, in the order of the file.
    pub(super) fn iter(self) -> impl Iterator<Item = Column> {
        (0..COLUMNS.len()).filter(move |column| self.contains(*column))
    }

    /// The columns of a file by the names in its schema, or the name that is not ours.
    pub(super) fn of_file(schema: &SchemaDescriptor) -> Result<Self, String> {
        let mut set = 0_u32;
        for found in schema.columns() {
            let known = COLUMNS.iter().position(|spec| {
                spec.name == found.name()
                    && spec.physical == found.physical_type()
                    && i16::from(spec.is_nullable) == found.max_def_level()
                    && found.max_rep_level() == 0
            });
            let column = known.ok_or_else(|| format!("column `{}` is not ours", found.name()))?;
            if set >> column != 0 {
                return Err(format!("column `{}` is out of order", found.name()));
            }
            set |= 1 << column;
        }
        Self::from_bits(set).ok_or_else(|| "a basic column is missing".to_owned())
    }
}

static TYPES: LazyLock<Vec<TypePtr>> = LazyLock::new(|| {
    let field = |spec: &Spec| {
        let repetition = if spec.is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(spec.name, spec.physical).with_repetition(repetition);
        Arc::new(field.build().expect("a plain primitive type is always valid"))
    };
    COLUMNS.iter().map(field).collect()
});

static DESCRIPTORS: LazyLock<Vec<ColumnDescPtr>> =
    LazyLock::new(|| SchemaDescriptor::new(file_schema(ColumnSet::ALL)).columns().to_vec());

/// The name of the root of the schema.
pub(super) const ROOT: &str = "fix";

/// The schema of a file with these columns.
pub(super) fn file_schema(columns: ColumnSet) -> TypePtr {
    let fields = columns.iter().map(|column| Arc::clone(&TYPES[column])).collect();
    let group = Type::group_type_builder(ROOT).with_fields(fields);
    Arc::new(group.build().expect("a group of primitive types is always valid"))
}

/// What the decoder needs to know of `column`.
pub(super) fn descriptor(column: Column) -> ColumnDescPtr {
    Arc::clone(&DESCRIPTORS[column])
}

/// How much work goes into compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// For files that will be merged soon.
    Quick,
    /// For large files that stay.
    Thorough,
    /// For small files that stay.
    Utmost,
}

/// How to write a file.
pub(super) fn properties(page_rows: usize, effort: Effort) -> WriterProperties {
    let level = match effort {
        Effort::Quick => 1,
        Effort::Thorough => 9,
        Effort::Utmost => 19,
    };
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(super::footer::CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level).expect("a level that zstd has")))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        // The row limit alone decides where a page ends, so that all columns have the same borders.
        .set_data_page_size_limit(1 << 30)
        .set_encoding(Encoding::DELTA_BINARY_PACKED);
    builder = builder.set_column_encoding(EXTRA_PATH.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    builder.build()
}

static EXTRA_PATH: LazyLock<parquet::schema::types::ColumnPath> =
    LazyLock::new(|| parquet::schema::types::ColumnPath::from(COLUMNS[EXTRA].name));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_columns_survives_its_schema() {
        for set in [ColumnSet::default(), ColumnSet::ALL, ColumnSet::default().with_if(true, ODOMETER)] {
            assert_eq!(ColumnSet::of_file(&SchemaDescriptor::new(file_schema(set))), Ok(set));
        }
    }

    #[test]
    fn a_foreign_column_is_named() {
        let field = Type::primitive_type_builder("hired", Physical::INT32).build().unwrap();
        let schema = Type::group_type_builder("fix").with_fields(vec![Arc::new(field)]).build().unwrap();
        let found = ColumnSet::of_file(&SchemaDescriptor::new(Arc::new(schema)));
        assert_eq!(found, Err("column `hired` is not ours".to_owned()));
    }
}
