//! Bytes to tables: delimiters, encodings, workbooks, limits.

use std::io::Write as _;

use encoding_rs::GBK;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::date;

use super::super::{Cell, Limits, Row, Table, TableError};
use super::workbook::{Xml, packed, workbook};

fn is_known(header: &str) -> bool {
    ["单号", "车牌", "no", "plate"].contains(&header)
}

fn read(bytes: &[u8]) -> Result<Table, TableError> {
    Table::read(bytes, None, &Limits::default(), &is_known)
}

fn row(number: u32, cells: &[&str]) -> Row {
    Row { number, cells: cells.iter().map(|cell| Cell::text(cell)).collect() }
}

#[test]
fn delimiters_are_told_by_the_headers() {
    for delimiter in [",", ";", "\t"] {
        let file = ["no", "plate", "x,y"].join(delimiter) + "\n" + &["1", "京A1", "2"].join(delimiter);
        let table = read(file.as_bytes()).unwrap();
        assert_eq!(table.rows, [row(2, &["1", "京A1", "2"])], "{delimiter:?}");
        assert_eq!(table.has_decimal_commas, delimiter == ";");
    }
}

#[test]
fn rows_are_numbered_as_a_spreadsheet_numbers_them() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["登记表", "", "no,plate", "", "", "1,\"a\nb\"", "2,c", "", "3,d"];
        let table = read(lines.join(end).as_bytes()).unwrap();
        assert_eq!(table.header_row, 3, "{end:?}");
        let numbers: Vec<u32> = table.rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [6, 7, 9], "{end:?}");
    }
}

#[test]
fn gbk_utf8_and_utf16_give_the_same_table() {
    let text = "单号,车牌\n派1,京A12345\n";
    let expected = read(text.as_bytes()).unwrap();
    assert_eq!(expected.rows, [row(2, &["派1", "京A12345"])]);
    let (gbk, _, _) = GBK.encode(text);
    assert_eq!(read(&gbk).unwrap(), expected);
    assert_eq!(read(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).unwrap(), expected);
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16).unwrap(), expected);
}

#[test]
fn bytes_that_are_no_text_are_named_by_their_line() {
    assert_eq!(read(b"no,plate\n1,a\n2,\xff\xff\n"), Err(TableError::Encoding { line: 3 }));
}

#[test]
fn cells_lose_what_programs_put_around_them() {
    let table = read(b"no,plate\n\"=\"\"0012\"\"\",'=x\n").unwrap();
    assert_eq!(table.rows, [row(2, &["0012", "=x"])]);
}

#[test]
fn gzip_is_undone_up_to_the_limit() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"no,plate\n").unwrap();
    packed.write_all(&vec![b' '; 1 << 20]).unwrap();
    let bytes = packed.finish().unwrap();
    assert!(bytes.len() < 4_096);
    assert_eq!(read(&bytes).unwrap().headers, ["no", "plate"]);
    let limits = Limits { bytes: 1 << 16, ..Limits::default() };
    let refused = Table::read(&bytes, None, &limits, &is_known);
    assert_eq!(refused, Err(TableError::TooManyBytes { max_bytes: 1 << 16 }));
    assert!(matches!(read(bytes.get(..bytes.len() / 2).unwrap()), Err(TableError::Corrupt { .. })));
}

#[test]
fn limits_name_the_row_and_the_column() {
    let limits = Limits { rows: 3, columns: 3, cell_bytes: 5, cells: 6, ..Limits::default() };
    let read = |text: &str| Table::read(text.as_bytes(), None, &limits, &is_known);
    assert!(read("no,plate\n1,2\n3,4\n").is_ok());
    assert_eq!(read("no\n1\n2\n3\n"), Err(TableError::TooManyRows { row: 4, max_rows: 3 }));
    assert_eq!(read("no,a,b\n1,2,3,4\n"), Err(TableError::TooManyColumns { row: 2, max_columns: 3 }));
    assert_eq!(read("no,a,b\n1,2,3\n4,5,6\n"), Err(TableError::TooManyCells { row: 3, max_cells: 6 }));
    let long = read("no,plate\n1,abcdef\n").unwrap_err();
    assert_eq!(long, TableError::CellTooLong { row: 2, column: "B".into(), max_bytes: 5 });
    let problem = long.problem();
    assert_eq!((problem.row, problem.column.as_str(), problem.code), (Some(2), "B", "unreadable"));
    assert_eq!(read("a,b\n1,2\n"), Err(TableError::NoHeader));
}

#[test]
fn a_workbook_is_read_below_its_title() {
    let file = workbook(
        &[
            ("A1", Xml::Text("二〇二六年派车登记表")),
            ("A3", Xml::Text("no")),
            ("B3", Xml::Text("plate")),
            ("C3", Xml::Text("时间")),
            ("D3", Xml::Text("应急")),
            ("A5", Xml::Number("12")),
            ("B5", Xml::Text("京A12345")),
            ("C5", Xml::Date("46086.354166666664")),
            ("D5", Xml::Truth(true)),
        ],
        false,
    );
    let table = read(&file).unwrap();
    assert_eq!((table.header_row, table.headers.join("|")), (3, "no|plate|时间|应急".into()));
    let cells = vec![
        Cell::Number(12.0),
        Cell::text("京A12345"),
        Cell::Moment(date(2026, 3, 5).at(8, 30, 0, 0)),
        Cell::Truth(true),
    ];
    assert_eq!(cells.first().map(|cell| cell.as_text().into_owned()), Some("12".into()));
    assert_eq!(table.rows, [Row { number: 5, cells }]);
    assert!(Table::read(&file, Some("表一"), &Limits::default(), &is_known).is_ok());
    let missing = Table::read(&file, Some("表二"), &Limits::default(), &is_known);
    assert_eq!(missing, Err(TableError::NoSheet { name: "表二".into(), sheets: "表一".into() }));
}

#[test]
fn a_workbook_of_1904_counts_from_there() {
    let file = workbook(&[("A1", Xml::Text("no")), ("A2", Xml::Date("44624.354166666664"))], true);
    let moment = date(2026, 3, 5).at(8, 30, 0, 0);
    assert_eq!(read(&file).unwrap().rows, [Row { number: 2, cells: vec![Cell::Moment(moment)] }]);
}

#[test]
fn a_sheet_that_claims_to_be_huge_reserves_nothing() {
    let file = workbook(&[("A1", Xml::Text("no")), ("XFD1048576", Xml::Number("1"))], false);
    assert_eq!(read(&file), Err(TableError::TooManyColumns { row: 1_048_576, max_columns: 256 }));
    let file = workbook(&[("A1", Xml::Text("no")), ("B1048576", Xml::Number("1"))], false);
    assert_eq!(read(&file).unwrap().rows.len(), 1);
}

#[test]
fn a_packed_bomb_is_refused_before_it_is_opened() {
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let file = packed(&format!("<!--{}-->", " ".repeat(4 << 20)), false);
    assert!(file.len() < 1 << 16);
    let refused = Table::read(&file, None, &limits, &is_known);
    assert_eq!(refused, Err(TableError::TooManyBytes { max_bytes: 1 << 20 }));
}

#[test]
fn what_is_no_workbook_is_damaged() {
    assert!(matches!(read(b"PK\x03\x04 and so on"), Err(TableError::Corrupt { .. })));
}
