//! Workbooks written by hand, as small as Excel takes them.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A cell as the sheet's XML has it.
pub(super) enum Xml<'a> {
    Text(&'a str),
    Number(&'a str),
    /// A number that is shown as a date.
    Date(&'a str),
    Truth(bool),
}

/// A workbook of one sheet: cells with their references, in order. `is_1904`: dates count from 1904.
pub(super) fn workbook(cells: &[(&str, Xml<'_>)], is_1904: bool) -> Vec<u8> {
    let mut rows = String::new();
    let mut open = String::new();
    for (reference, cell) in cells {
        let row = reference.trim_start_matches(char::is_alphabetic);
        if row != open {
            if !open.is_empty() {
                rows.push_str("</row>");
            }
            rows.push_str(&format!("<row r=\"{row}\">"));
            row.clone_into(&mut open);
        }
        rows.push_str(&match cell {
            Xml::Text(text) => format!("<c r=\"{reference}\" t=\"inlineStr\"><is><t>{text}</t></is></c>"),
            Xml::Number(number) => format!("<c r=\"{reference}\"><v>{number}</v></c>"),
            Xml::Date(number) => format!("<c r=\"{reference}\" s=\"1\"><v>{number}</v></c>"),
            Xml::Truth(truth) => format!("<c r=\"{reference}\" t=\"b\"><v>{}</v></c>", u8::from(*truth)),
        });
    }
    if !open.is_empty() {
        rows.push_str("</row>");
    }
    packed(&format!("<sheetData>{rows}</sheetData>"), is_1904)
}

/// A workbook around the content of its only sheet, 表一.
pub(super) fn packed(sheet: &str, is_1904: bool) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let properties = if is_1904 { "<workbookPr date1904=\"1\"/>" } else { "" };
    let parts = [
        (
            "[Content_Types].xml",
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned(),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" \
                 Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\">{properties}<sheets><sheet name=\"表一\" \
                 sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/worksheet\" \
                 Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"rId2\" Type=\"{OFFICE}/styles\" \
                 Target=\"styles.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/styles.xml",
            // Format 22 is m/d/yy h:mm (ECMA-376 part 1, 18.8.30).
            format!(
                "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\" \
                 applyNumberFormat=\"1\"/></cellXfs></styleSheet>"
            ),
        ),
        ("xl/worksheets/sheet1.xml", format!("<worksheet xmlns=\"{MAIN}\">{sheet}</worksheet>")),
    ];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
