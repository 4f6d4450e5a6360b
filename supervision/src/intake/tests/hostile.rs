//! Anything at all goes in; rows or a report come out.

use std::io::Cursor;

use proptest::prelude::*;

use super::super::tracks::{TrackOptions, TrackReader};
use super::super::{Cell, Importable, Limits, Table};
use super::workbook::packed;
use super::{import_into, register};
use crate::register::{CalendarYear, FuelFill, Order, Unit, WorkingHours, Zone};

/// Text in which the words of files are common.
fn likely_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("派车单号".to_owned()),
        Just("车牌号".to_owned()),
        Just("云A12345".to_owned()),
        Just("计划出车时间".to_owned()),
        Just("计划返回时间".to_owned()),
        Just("名称,类型,图形,日期,安排,单位名称,上级单位".to_owned()),
        Just("time,lat,lon\n".to_owned()),
        Just("2026-03-05 08:30".to_owned()),
        Just("2026-03-05T08:30:00Z".to_owned()),
        Just("POLYGON((1 1,2 2,3 1))".to_owned()),
        Just("\"".to_owned()),
        Just(",".to_owned()),
        Just(";".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        "[0-9.,-]{1,12}",
        "\\PC{0,6}",
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn check<T: Importable>(bytes: &[u8]) {
    let read = import_into::<T>(&register(), bytes);
    let is_clean = read.is_clean();
    assert_eq!(read.into_rows().is_ok(), is_clean);
}

fn read_everywhere(bytes: &[u8]) {
    check::<Order>(bytes);
    check::<Zone>(bytes);
    check::<Unit>(bytes);
    check::<FuelFill>(bytes);
    check::<CalendarYear>(bytes);
    check::<WorkingHours>(bytes);
    let mut reader = TrackReader::new(TrackOptions::default());
    if let Ok(report) = reader.read("x", Cursor::new(bytes)) {
        assert_eq!(report.rows, report.points + report.rejected.count());
    }
    for track in reader.finish().devices {
        assert!(track.points.is_sorted_by_key(|point| point.time));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in likely_text()) {
        read_everywhere(text.as_bytes());
    }

    #[test]
    fn no_xml_makes_it_panic(inside in "[<>/a-z=\"& 0-9]{0,80}") {
        read_everywhere(format!("<gpx><trk><trkpt lat=\"1\" lon=\"2\">{inside}</trkpt></trk></gpx>").as_bytes());
        read_everywhere(&packed(&format!("<sheetData><row r=\"1\">{inside}</row></sheetData>"), false));
    }

    #[test]
    fn no_json_makes_it_panic(inside in "[\\[\\]{},:\"a-z0-9.-]{0,80}") {
        read_everywhere(format!("{{\"type\":\"LineString\",\"coordinates\":[{inside}]}}").as_bytes());
    }

    #[test]
    fn what_is_written_as_csv_comes_back(
        rows in prop::collection::vec(prop::collection::vec("[ -~一-龥\n]{0,8}", 2..5), 1..10),
        delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
    ) {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        writer.write_record(["单号", "车牌"]).unwrap();
        // A mark keeps every row visible, and programs' guards out.
        let marked = |row: &[String]| row.iter().map(|cell| format!("_{cell}_")).collect::<Vec<_>>();
        for row in &rows {
            writer.write_record(marked(row)).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let is_known = |header: &str| matches!(header, "单号" | "车牌");
        let table = Table::read(&bytes, None, &Limits::default(), &is_known).unwrap();
        prop_assert_eq!(table.rows.len(), rows.len());
        for ((number, row), read) in (2..).zip(&rows).zip(&table.rows) {
            prop_assert_eq!(read.number, number);
            let cells: Vec<Cell> = marked(row).iter().map(|cell| Cell::text(cell)).collect();
            prop_assert_eq!(&read.cells, &cells);
        }
    }
}
