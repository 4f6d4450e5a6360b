//! GPX 1.0 and 1.1: the points of all tracks. No entity is expanded but the five that XML itself knows.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::super::table::{Cell, Row};
use super::columns::Layout;
use super::{FileReport, Rows, TrackError, TrackReader};

/// Elements within each other.
const MAX_DEPTH: usize = 64;
/// Bytes of one text.
const MAX_TEXT_BYTES: usize = 4_096;

const HEADERS: [&str; 6] = ["device", "time utc", "lat", "lon", "speed m/s", "satellites"];

/// Reads all of `file`. The name of a track is its device; without one it is `device`.
pub(super) fn read(
    reader: &mut TrackReader,
    device: &str,
    file: impl BufRead,
) -> Result<FileReport, TrackError> {
    let layout = Layout::of(&HEADERS.map(str::to_owned))?;
    let mut gpx =
        Gpx { rows: Rows::of(reader, device, &layout), path: Vec::new(), point: None, name: Cell::Empty };
    let mut xml = Reader::from_reader(file);
    let mut buffer = Vec::new();
    let mut text = String::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(|error| TrackError::Malformed(error.to_string()))? {
            Event::Start(element) => {
                text.clear();
                gpx.open(&element)?;
            }
            Event::Empty(element) => {
                text.clear();
                gpx.open(&element)?;
                gpx.close("")?;
            }
            Event::Text(part) => add(&mut text, &part.xml10_content()),
            Event::CData(part) => add(&mut text, &part.xml10_content()),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().ok().flatten().or_else(|| named(&entity));
                add(&mut text, character.map(String::from).as_deref().unwrap_or_default());
            }
            Event::End(_) => {
                gpx.close(text.trim())?;
                text.clear();
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
    if !gpx.path.is_empty() {
        return Err(TrackError::Malformed("the file ends within an element".into()));
    }
    Ok(gpx.rows.report)
}

fn add(text: &mut String, part: &str) {
    if text.len() + part.len() <= MAX_TEXT_BYTES {
        text.push_str(part);
    }
}

/// The five entities of XML 1.0, 4.6.
fn named(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// Elements that say something about tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Track,
    Point,
    Name,
    Time,
    Speed,
    Satellites,
    Other,
}

struct Gpx<'a> {
    rows: Rows<'a>,
    path: Vec<Element>,
    /// The point that is open.
    point: Option<Row>,
    /// Name of the track that is open.
    name: Cell,
}

impl Gpx<'_> {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), TrackError> {
        let element = match start.local_name().as_ref() {
            "trk" => Element::Track,
            "trkpt" => Element::Point,
            "name" if self.path.last() == Some(&Element::Track) => Element::Name,
            "time" if self.path.last() == Some(&Element::Point) => Element::Time,
            "speed" => Element::Speed,
            "sat" => Element::Satellites,
            _ => Element::Other,
        };
        if self.path.len() >= MAX_DEPTH {
            return Err(TrackError::Malformed(format!("elements more than {MAX_DEPTH} deep")));
        }
        match element {
            Element::Track => self.name = Cell::Empty,
            Element::Point => {
                let mut cells = vec![self.name.clone(), Cell::Empty];
                cells.extend([attribute(start, "lat"), attribute(start, "lon"), Cell::Empty, Cell::Empty]);
                let number = u32::try_from(self.rows.report.rows).unwrap_or(u32::MAX).saturating_add(1);
                self.point = Some(Row { number, cells });
            }
            _ => {}
        }
        self.path.push(element);
        Ok(())
    }

    fn close(&mut self, text: &str) -> Result<(), TrackError> {
        let mut put = |column: usize| {
            if let Some(slot) = self.point.as_mut().and_then(|row| row.cells.get_mut(column)) {
                *slot = Cell::text(text);
            }
        };
        match self.path.pop() {
            Some(Element::Name) => self.name = Cell::text(text),
            Some(Element::Time) => put(1),
            Some(Element::Speed) => put(4),
            Some(Element::Satellites) => put(5),
            Some(Element::Point) => {
                if let Some(row) = self.point.take() {
                    self.rows.take(row.number, &row)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Cell {
    start.try_get_attribute(name).ok().flatten().map_or(Cell::Empty, |attribute| Cell::text(&attribute.value))
}
