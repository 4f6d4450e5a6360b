//! Whatever rows are written are the rows that others read.

use motorpool_protocols::Fix;
use motorpool_supervision::formula::unguarded;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;

/// What a text format says of a row.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    device: String,
    name: String,
    time: String,
    lat_e7: i64,
    lon_e7: i64,
    altitude_m: Option<i16>,
    speed_dkmh: Option<u16>,
    course_deg: Option<u16>,
}

impl Said {
    fn of(row: &Row, name: &str) -> Self {
        Self {
            device: row.device.to_string(),
            name: name.to_owned(),
            time: row.fix.fix_time.to_string(),
            lat_e7: i64::from(row.fix.lat_e7),
            lon_e7: i64::from(row.fix.lon_e7),
            altitude_m: row.fix.altitude_m,
            speed_dkmh: row.fix.speed_dkmh,
            course_deg: row.fix.course_deg,
        }
    }
}

fn e7(degrees: &str) -> i64 {
    (degrees.parse::<f64>().unwrap() * 1e7).round() as i64
}

fn dkmh(kmh: f64) -> u16 {
    (kmh * 10.0).round() as u16
}

prop_compose! {
    fn some_row()(
        device in 1_u32..4,
        second in 946_771_200_000_i64..4_102_444_800_000,
        lat in -900_000_000_i32..=900_000_000,
        lon in -1_800_000_000_i32..=1_800_000_000,
        altitude in option::of(any::<i16>()),
        // Metres per second with two decimals tell 0.1 km/h apart.
        speed in option::of(0_u16..3_000),
        course in option::of(0_u16..360),
        status in any::<u32>(),
    ) -> Row {
        let fix = Fix {
            altitude_m: altitude,
            speed_dkmh: speed,
            course_deg: course,
            status: Status(status),
            ..Fix::new(UtcMillis(second), lat, lon)
        };
        Row::new(DeviceId(device), UtcMillis(second), &fix, b"")
    }
}

/// Names as people and terminals may choose them.
fn some_name() -> impl Strategy<Value = String> {
    let text = "[ -~演京Aé\u{1F697}]{0,12}";
    text.prop_filter("the guard against formulas writes an apostrophe itself", |name| !name.starts_with('\''))
}

fn written(format: Format, rows: &[Row], terminal: &str) -> String {
    let (mut out, folder) = (Vec::new(), std::env::temp_dir());
    let name = Name { terminal, plate: "" };
    write(format, &mut out, rows.iter().cloned().map(Ok), &name, &folder).unwrap();
    String::from_utf8(out).unwrap()
}

fn read_csv(text: &str) -> Vec<Said> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Said {
            device: record[0].to_owned(),
            name: unguarded(&record[1]).to_owned(),
            time: record[2].to_owned(),
            lat_e7: e7(&record[3]),
            lon_e7: e7(&record[4]),
            altitude_m: record[5].parse().ok(),
            speed_dkmh: record[6].parse().ok().map(dkmh),
            course_deg: record[7].parse().ok(),
        }
    });
    rows.collect()
}

fn read_geojson(text: &str) -> Vec<Said> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows = json["features"].as_array().unwrap().iter().map(|feature| {
        let (place, said) = (&feature["geometry"]["coordinates"], &feature["properties"]);
        let altitude = said["altitude_m"].as_i64().map(|value| i16::try_from(value).unwrap());
        assert_eq!(place[2].as_i64(), altitude.map(i64::from), "the height stands twice");
        Said {
            device: said["device"].to_string(),
            name: said["terminal"].as_str().unwrap_or("").to_owned(),
            time: said["time_utc"].as_str().unwrap().to_owned(),
            lat_e7: e7(&place[1].to_string()),
            lon_e7: e7(&place[0].to_string()),
            altitude_m: altitude,
            speed_dkmh: said["speed_kmh"].as_f64().map(dkmh),
            course_deg: said["course_deg"].as_u64().map(|value| u16::try_from(value).unwrap()),
        }
    });
    rows.collect()
}

/// Every element with text in it, and the attributes of every element, in order: name, text.
fn elements(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let (mut found, mut open) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                let name = element.name().as_ref().to_owned();
                for attribute in element.attributes() {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute.value.into_owned();
                    found.push((format!("{name}@{key}"), value));
                }
                open.push((name, String::new()));
            }
            Event::Empty(element) => {
                found.push((element.name().as_ref().to_owned(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, inner)) = open.last_mut() {
                    inner.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                if let Some((_, inner)) = open.last_mut() {
                    let name = reference.xml10_content();
                    let known = reference.resolve_char_ref().unwrap();
                    let known = known.or_else(|| match &*name {
                        "amp" => Some('&'),
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        _ => None,
                    });
                    inner.push(known.unwrap());
                }
            }
            Event::End(_) => found.extend(open.pop()),
            Event::Eof => return found,
            _ => {}
        }
    }
}

fn read_gpx(text: &str) -> Vec<Said> {
    let (mut rows, mut run): (Vec<Said>, Said) = (Vec::new(), Said::default());
    for (element, text) in elements(text) {
        match element.as_str() {
            "name" => run.name = text,
            "number" => run.device = text,
            "trkpt@lat" => run.lat_e7 = e7(&text),
            "trkpt@lon" => run.lon_e7 = e7(&text),
            "ele" => run.altitude_m = Some(text.parse().unwrap()),
            "time" => run.time = text,
            "tp:speed" => run.speed_dkmh = Some(dkmh(text.parse::<f64>().unwrap() * 3.6)),
            "tp:course" => run.course_deg = Some(text.parse().unwrap()),
            "trkpt" => {
                rows.push(run.clone());
                run = Said { device: run.device, name: run.name, ..Said::default() };
            }
            _ => {}
        }
    }
    rows
}

fn read_kml(text: &str) -> Vec<Said> {
    let (mut rows, mut run) = (Vec::new(), Said::default());
    let (mut times, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut field = String::new();
    for (element, text) in elements(text) {
        match element.as_str() {
            "name" => run.name = text,
            "Data@name" => field = text,
            "value" if field == "device" => run.device = text,
            "when" => times.push(text),
            "gx:coord" => places.push(text),
            "gx:value" => values.push(text),
            "gx:Track" => {
                assert_eq!((times.len(), values.len()), (places.len(), 2 * places.len()));
                let courses = values.split_off(places.len());
                for (((time, place), speed), course) in
                    times.drain(..).zip(places.drain(..)).zip(values.drain(..)).zip(courses)
                {
                    let place: Vec<&str> = place.split(' ').collect();
                    rows.push(Said {
                        device: run.device.clone(),
                        name: run.name.clone(),
                        time,
                        lat_e7: e7(place[1]),
                        lon_e7: e7(place[0]),
                        altitude_m: Some(place[2].parse().unwrap()),
                        speed_dkmh: speed.parse().ok().map(dkmh),
                        course_deg: course.parse().ok(),
                    });
                }
            }
            _ => {}
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_read_back_are_the_rows_written(rows in vec(some_row(), 0..40), terminal in some_name()) {
        let expected: Vec<Said> = rows.iter().map(|row| Said::of(row, &terminal)).collect();
        prop_assert_eq!(read_csv(&written(Format::Csv, &rows, &terminal)), expected.clone());
        prop_assert_eq!(read_geojson(&written(Format::GeoJson, &rows, &terminal)), expected.clone());
        prop_assert_eq!(read_gpx(&written(Format::Gpx, &rows, &terminal)), expected.clone());
        // KML has no way to say that a height is unknown.
        let heights = expected.into_iter().map(|said| Said { altitude_m: said.altitude_m.or(Some(0)), ..said });
        prop_assert_eq!(read_kml(&written(Format::Kml, &rows, &terminal)), heights.collect::<Vec<_>>());
    }
}

#[test]
fn a_long_track_of_kml_is_cut_and_nothing_is_lost() {
    let row = |second: i64| {
        let fix = Fix::new(UtcMillis(1_531_620_610_000 + second * 1_000), second as i32, 0);
        Row::new(DeviceId(1), fix.fix_time, &fix, b"")
    };
    let rows: Vec<Row> = (0..2_500).map(row).collect();
    let text = written(Format::Kml, &rows, "1");
    assert_eq!(text.matches("<gx:Track>").count(), 3);
    assert_eq!(text.matches("<Placemark>").count(), 1);
    let read: Vec<i64> = read_kml(&text).into_iter().map(|said| said.lat_e7).collect();
    assert_eq!(read, (0..2_500).collect::<Vec<i64>>());
}
