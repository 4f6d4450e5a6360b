//! Exports against files written by hand from the standards and the contract of the command line.

mod bounded;
mod columns;
mod round_trip;

use motorpool_protocols::{Alarms, UtcMillis};
use motorpool_storage::ids::DeviceId;

use super::*;

/// Device 7 is called as told, others have no name.
struct Seven<'a>(Name<'a>);

impl Names for Seven<'_> {
    fn name(&self, row: &Row) -> Name<'_> {
        if row.device == DeviceId(7) { self.0 } else { Name::default() }
    }
}

fn rows() -> Vec<Result<Row, ExportError>> {
    let full = Fix {
        altitude_m: Some(-40),
        speed_dkmh: Some(605),
        course_deg: Some(7),
        status: Status(Status::IGNITION.0 | 1 << 31),
        alarms: Alarms(Alarms::OVERSPEED.0 | 1 << 60),
        satellites: Some(9),
        odometer_m: Some(1_234_500),
        fuel_dl: Some(412),
        vehicle_speed_dkmh: Some(598),
        engine_rpm: Some(2_100),
        // 2018-07-15T02:10:10.250Z
        ..Fix::new(UtcMillis(1_531_620_610_250), 122_222_220, -1_324_444_441)
    };
    let bare = Fix {
        quality: Quality(Quality::NOT_POSITIONED.0 | Quality::IGNITION_UNKNOWN.0),
        ..Fix::new(UtcMillis(1_531_620_611_000), -5, 0)
    };
    let received = UtcMillis(1_531_620_612_999);
    vec![Ok(Row::new(DeviceId(7), received, &full, b"")), Ok(Row::new(DeviceId(8), received, &bare, b""))]
}

fn bytes(format: Format, name: Name<'_>) -> Vec<u8> {
    let (mut out, folder) = (Vec::new(), tempfile::tempdir().unwrap());
    let written = write(format, &mut out, rows().into_iter(), &Seven(name), folder.path()).unwrap();
    // KML can't say that a position is not valid.
    assert_eq!(written, if format == Format::Kml { 1 } else { 2 });
    out
}

fn text_called(format: Format, name: Name<'_>) -> String {
    String::from_utf8(bytes(format, name)).unwrap()
}

fn text(format: Format, terminal: &str) -> String {
    text_called(format, Name { terminal, plate: "" })
}

#[test]
fn formats_are_named_alike_on_the_command_line_and_in_requests() {
    use clap::ValueEnum as _;
    let words = ["csv", "parquet", "geoparquet", "xlsx", "geojson", "gpx", "kml"];
    for (format, word) in Format::ALL.iter().zip(words) {
        assert_eq!(Format::from_str(word, false), Ok(*format));
        assert_eq!(serde_json::to_value(format).unwrap(), word);
    }
    assert_eq!(Format::ALL.len(), words.len());
}

#[test]
fn csv_has_the_columns_of_the_contract() {
    assert_eq!(
        text(Format::Csv, "013812345678"),
        "device,terminal,time_utc,lat,lon,altitude_m,speed_kmh,course_deg,valid,received_utc,\
         ignition,odometer_m,fuel_l,satellites,vehicle_speed_kmh,engine_rpm,alarms,status,quality,plate\r\n\
         7,013812345678,2018-07-15T02:10:10.250Z,12.2222220,-132.4444441,-40,60.5,7,true,2018-07-15T02:10:12Z,\
         true,1234500,41.2,9,59.8,2100,overspeed;bit_60,ignition;bit_31,,\r\n\
         8,,2018-07-15T02:10:11Z,-0.0000005,0.0000000,,,,false,2018-07-15T02:10:12Z,\
         ,,,,,,,,not_positioned;ignition_unknown,\r\n"
    );
}

#[test]
fn csv_never_holds_a_formula() {
    let field = |terminal| {
        let text = text(Format::Csv, terminal);
        text.lines().nth(1).unwrap().split_once(",2018").unwrap().0.to_owned()
    };
    assert_eq!(field("=1+1"), "7,\"'=1+1\"");
    assert_eq!(field("@a"), "7,\"'@a\"");
    assert_eq!(field("a,\"b\""), "7,\"a,\"\"b\"\"\"");
    assert_eq!(field("京A12345"), "7,京A12345");
}

#[test]
fn an_empty_csv_has_its_header() {
    let mut out = Vec::new();
    assert_eq!(csv::write(&mut out, std::iter::empty(), &Name::default()).unwrap(), 0);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{}\r\n", csv::HEADER));
}

#[test]
fn geojson_is_what_rfc_7946_says() {
    let json: serde_json::Value = serde_json::from_str(&text(Format::GeoJson, "t\"1")).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"type": "FeatureCollection", "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [-132.444_444_1, 12.222_222, -40]},
                "properties": {
                    "device": 7, "terminal": "t\"1", "time_utc": "2018-07-15T02:10:10.250Z", "altitude_m": -40,
                    "speed_kmh": 60.5, "course_deg": 7, "valid": true, "received_utc": "2018-07-15T02:10:12Z",
                    "ignition": true, "odometer_m": 1_234_500, "fuel_l": 41.2, "satellites": 9,
                    "vehicle_speed_kmh": 59.8, "engine_rpm": 2_100, "status": ["ignition", "bit_31"],
                    "alarms": ["overspeed", "bit_60"]
                }
            },
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [0.0, -0.000_000_5]},
                "properties": {
                    "device": 8, "time_utc": "2018-07-15T02:10:11Z", "valid": false,
                    "received_utc": "2018-07-15T02:10:12Z", "quality": ["not_positioned", "ignition_unknown"]
                }
            }
        ]})
    );
}

#[test]
fn gpx_is_well_formed_and_ordered_as_its_schema_wants() {
    assert_eq!(
        text(Format::Gpx, "a<&>\u{1}"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <gpx version=\"1.1\" creator=\"motorpool\" xmlns=\"http://www.topografix.com/GPX/1/1\" \
         xmlns:tp=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\">\n\
         <trk><name>a&lt;&amp;&gt;</name><number>7</number><trkseg>\n\
         <trkpt lat=\"12.2222220\" lon=\"-132.4444441\"><ele>-40</ele><time>2018-07-15T02:10:10.250Z</time><sat>9</sat>\
         <extensions><tp:TrackPointExtension><tp:speed>16.81</tp:speed><tp:course>7</tp:course>\
         </tp:TrackPointExtension></extensions></trkpt>\n\
         </trkseg></trk>\n\
         <trk><name></name><number>8</number><trkseg>\n\
         <trkpt lat=\"-0.0000005\" lon=\"0.0000000\"><time>2018-07-15T02:10:11Z</time><fix>none</fix></trkpt>\n\
         </trkseg></trk>\n\
         </gpx>\n"
    );
}

#[test]
fn a_car_is_called_by_its_plate() {
    let name = Name { terminal: "013812345678", plate: "演A<1" };
    assert!(text_called(Format::Gpx, name).contains("<trk><name>演A&lt;1</name><number>7</number>"));
    assert!(text_called(Format::Kml, name).contains("<Placemark><name>演A&lt;1</name>"));
    assert!(text_called(Format::GeoJson, name).contains("\"terminal\":\"013812345678\",\"plate\":\"演A<1\""));
    assert!(text_called(Format::Csv, name).contains(",ignition;bit_31,,演A<1\r\n"));
}

/// OGC 07-147r2 for what is KML, and kml22gx.xsd for the order inside `gx:Track`: times, places, then data.
#[test]
fn kml_is_ordered_as_its_schemas_want() {
    assert_eq!(
        text(Format::Kml, "a<&>\u{1}"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <kml xmlns=\"http://www.opengis.net/kml/2.2\" xmlns:gx=\"http://www.google.com/kml/ext/2.2\">\n\
         <Document><name>motorpool</name>\n\
         <Schema id=\"fix\"><gx:SimpleArrayField name=\"speed_kmh\" type=\"float\"/>\
         <gx:SimpleArrayField name=\"course_deg\" type=\"int\"/></Schema>\n\
         <Placemark><name>a&lt;&amp;&gt;</name><ExtendedData><Data name=\"device\"><value>7</value></Data>\
         <Data name=\"terminal\"><value>a&lt;&amp;&gt;</value></Data></ExtendedData>\
         <gx:MultiTrack><gx:interpolate>1</gx:interpolate>\n\
         <gx:Track>\n\
         <when>2018-07-15T02:10:10.250Z</when>\n\
         <gx:coord>-132.4444441 12.2222220 -40</gx:coord>\n\
         <ExtendedData><SchemaData schemaUrl=\"#fix\">\n\
         <gx:SimpleArrayData name=\"speed_kmh\"><gx:value>60.5</gx:value></gx:SimpleArrayData>\n\
         <gx:SimpleArrayData name=\"course_deg\"><gx:value>7</gx:value></gx:SimpleArrayData>\n\
         </SchemaData></ExtendedData></gx:Track>\n\
         </gx:MultiTrack></Placemark>\n\
         </Document></kml>\n"
    );
}

#[test]
fn a_file_without_rows_is_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let mut out = Vec::new();
        let none = std::iter::empty();
        assert_eq!(write(*format, &mut out, none, &Name::default(), folder.path()).unwrap(), 0, "{format:?}");
        match format {
            Format::Parquet | Format::GeoParquet => {
                assert!(out.starts_with(b"PAR1") && out.ends_with(b"PAR1"));
            }
            Format::Xlsx => assert!(out.starts_with(b"PK")),
            Format::Kml => assert!(out.ends_with(b"</Schema>\n</Document></kml>\n")),
            Format::Gpx => assert!(out.ends_with(b"v2\">\n</gpx>\n")),
            Format::GeoJson => drop(serde_json::from_slice::<serde_json::Value>(&out).unwrap()),
            _ => assert_eq!(out, format!("{}\r\n", csv::HEADER).as_bytes()),
        }
    }
}
