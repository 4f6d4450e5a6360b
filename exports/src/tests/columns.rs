//! The formats that are no text: read back by readers that are not ours.

use std::io::Cursor;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use calamine::{Data, Reader, Xlsx};
use motorpool_protocols::Fix;

use super::*;

fn workbook(bytes: Vec<u8>) -> Xlsx<Cursor<Vec<u8>>> {
    Xlsx::new(Cursor::new(bytes)).unwrap()
}

#[test]
fn a_workbook_has_the_columns_of_csv_with_types() {
    let mut book = workbook(bytes(Format::Xlsx, Name { terminal: "013812345678", plate: "演A00001" }));
    assert_eq!(book.sheet_names(), ["fixes 1"]);
    let range = book.worksheet_range("fixes 1").unwrap();
    let rows: Vec<&[Data]> = range.rows().collect();
    let header: Vec<String> = rows[0].iter().map(ToString::to_string).collect();
    assert_eq!(header.join(","), csv::HEADER);
    let full = rows[1];
    assert_eq!(full[1], Data::String("013812345678".to_owned()), "an identity is no number");
    assert_eq!((&full[3], &full[4]), (&Data::Float(12.222_222), &Data::Float(-132.444_444_1)));
    assert_eq!((&full[6], &full[8], &full[10]), (&Data::Float(60.5), &Data::Bool(true), &Data::Bool(true)));
    assert_eq!(full[16], Data::String("overspeed;bit_60".to_owned()));
    assert_eq!(full[19], Data::String("演A00001".to_owned()));
    let Data::DateTime(time) = &full[2] else { panic!("{:?} is no time", full[2]) };
    // 2018-07-15 is day 43,296 of Excel; 02:10:10.250 of 86,400 seconds.
    assert!((time.as_f64() - (43_296.0 + 7_810.25 / 86_400.0)).abs() < 1e-9, "{time:?}");
    let bare = rows[2];
    assert_eq!(
        (&bare[1], &bare[5], &bare[10], &bare[19]),
        (&Data::Empty, &Data::Empty, &Data::Empty, &Data::Empty)
    );
}

#[test]
fn a_workbook_never_holds_a_formula() {
    for terminal in ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", "＝1+1"] {
        let mut book = workbook(bytes(Format::Xlsx, Name { terminal, plate: terminal }));
        let range = book.worksheet_range("fixes 1").unwrap();
        let cell = range.get_value((1, 1)).unwrap();
        assert!(cell == &Data::String(terminal.to_owned()), "{cell:?}");
        assert!(book.worksheet_formula("fixes 1").unwrap().is_empty(), "{terminal}");
    }
}

#[test]
fn a_sheet_that_is_full_is_followed_by_the_next() {
    let (folder, mut out) = (tempfile::tempdir().unwrap(), Vec::new());
    let row = |second: i64| {
        let fix = Fix::new(UtcMillis(1_531_620_610_000 + second * 1_000), 1, 2);
        Ok(Row::new(DeviceId(1), fix.fix_time, &fix, b""))
    };
    let written = xlsx::write_sheets(&mut out, (0..7).map(row), &Name::default(), folder.path(), 4).unwrap();
    assert_eq!(written, 7);
    let mut book = workbook(out);
    assert_eq!(book.sheet_names(), ["fixes 1", "fixes 2", "fixes 3"]);
    let heights = ["fixes 1", "fixes 2", "fixes 3"].map(|name| book.worksheet_range(name).unwrap().height());
    assert_eq!(heights, [4, 4, 2], "each with its header");
    let mut out = Vec::new();
    let error =
        xlsx::write_sheets(&mut out, (0..13).map(row), &Name::default(), folder.path(), 4).unwrap_err();
    assert!(matches!(error, ExportError::TooManyRows { max: 12 }), "{error}");
}

#[test]
fn a_time_that_excel_has_not_is_a_text() {
    let (folder, mut out) = (tempfile::tempdir().unwrap(), Vec::new());
    // 1899-12-31T00:00:00Z
    let fix = Fix::new(UtcMillis(-2_209_075_200_000), 0, 0);
    let row = Row::new(DeviceId(1), UtcMillis(0), &fix, b"");
    xlsx::write(&mut out, [Ok(row)].into_iter(), &Name::default(), folder.path()).unwrap();
    let mut book = workbook(out);
    let range = book.worksheet_range("fixes 1").unwrap();
    assert_eq!(range.get_value((1, 2)), Some(&Data::String("1899-12-31T00:00:00Z".to_owned())));
}

/// The key `geo` by the schema of version 1.1.0, and well-known binary by OGC 06-103r4.
#[test]
fn geoparquet_says_where_its_places_are() {
    let name = Name { terminal: "013812345678", plate: "演A00001" };
    let reader = SerializedFileReader::new(::bytes::Bytes::from(bytes(Format::GeoParquet, name))).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let geo = pairs.iter().find(|pair| pair.key == "geo").unwrap().value.as_deref().unwrap();
    let geo: serde_json::Value = serde_json::from_str(geo).unwrap();
    assert_eq!(
        geo,
        serde_json::json!({ "version": "1.1.0", "primary_column": "geometry", "columns": { "geometry": {
            "encoding": "WKB", "geometry_types": ["Point"], "bbox": [-132.444_444_1, -0.000_000_5, 0.0, 12.222_222]
        } } })
    );
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    let field = |row: usize, wanted: &str| {
        let mut columns = rows[row].get_column_iter();
        columns.find(|(name, _)| *name == wanted).unwrap().1.clone()
    };
    let mut point = vec![1, 1, 0, 0, 0];
    point.extend((-132.444_444_1_f64).to_le_bytes());
    point.extend(12.222_222_f64.to_le_bytes());
    assert_eq!(field(0, "geometry"), Field::Bytes(point.into()));
    assert_eq!(field(0, "time_utc"), Field::TimestampMillis(1_531_620_610_250));
    assert_eq!(field(0, "plate"), Field::Str("演A00001".to_owned()));
    assert_eq!(field(0, "speed_kmh"), Field::Double(60.5));
    assert_eq!(field(0, "odometer_m"), Field::Long(1_234_500));
    assert_eq!(field(0, "ignition"), Field::Bool(true));
    for absent in ["terminal", "plate", "altitude_m", "speed_kmh", "ignition", "fuel_l", "alarms"] {
        assert_eq!(field(1, absent), Field::Null, "{absent}");
    }
    assert_eq!(field(1, "quality"), Field::Str("not_positioned;ignition_unknown".to_owned()));
}
