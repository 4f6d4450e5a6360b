//! What our decoder says of one message, as one JSON document that the mapping points into.

use motorpool_protocols::jt808::message::control::VehicleControl;
use motorpool_protocols::jt808::message::parameters::{Parameter, ParameterValue};
use motorpool_protocols::jt808::message::{Edition, Item, Location, Message};
use motorpool_protocols::jt808::{Header, Version, decode_location};
use motorpool_protocols::profile::VendorItems;
use motorpool_protocols::{Observations, Profile, Quality};
use serde_json::{Map, Value, json};

/// The document of a body; `header` when it came in a frame.
pub(crate) fn of(
    header: Option<&Header>,
    message: &Message,
    body: &[u8],
    rest: &[u8],
    vendor: VendorItems,
) -> Value {
    let mut document = json!({
        "body": message,
        "bytes": body,
        "rest": rest,
        "locations": message.locations().into_iter().map(|at| location(at, vendor)).collect::<Vec<_>>(),
    });
    if let Some(header) = header {
        let revision = match header.version {
            Version::V2013 => 0,
            Version::V2019 { revision } => revision,
        };
        document["header"] = json!({
            "message_id": header.message_id,
            "serial": header.serial,
            "terminal": header.terminal,
            "is_2019": header.version != Version::V2013,
            "revision": revision,
            "encryption": header.encryption,
            "body_bytes": body.len(),
            "properties": body.len() | usize::from(header.version != Version::V2013) << 14,
        });
    }
    match message {
        Message::SetParameters(set) => parameters(&set.parameters, &mut document),
        Message::ParametersReply(reply) => parameters(&reply.parameters, &mut document),
        Message::VehicleControl(VehicleControl::Controls(controls)) => {
            document["controls"] = controls
                .iter()
                .map(|control| (control.control_type.to_string(), json!(control)))
                .collect::<Map<_, _>>()
                .into();
        }
        Message::PassThroughUp(data) => {
            document["content"] = json!(data.content);
            document["peripherals"] = json!(data.peripherals());
        }
        Message::PassThroughDown(data) => document["content"] = json!(data.content),
        Message::CompressedData(data) => {
            document["inflated_bytes"] = json!(data.inflated().map(|all| all.len()))
        }
        Message::Waybill(waybill) => document["content"] = json!(waybill.content),
        _ => {}
    }
    document
}

/// Parameters by their ids in decimal.
fn parameters(list: &[Parameter], document: &mut Value) {
    let mut values = Map::new();
    let mut ids = Map::new();
    for parameter in list {
        let value = match &parameter.value {
            ParameterValue::Raw(bytes) => json!(bytes),
            value => json!(value),
        };
        values.insert(parameter.id.to_string(), value);
        ids.insert(parameter.id.to_string(), json!(parameter.id));
    }
    document["parameters"] = values.into();
    document["parameter_ids"] = ids.into();
}

/// A location by the path that folds and replay use, with its items by name.
fn location(location: &Location, vendor: VendorItems) -> Value {
    let mut body = Vec::new();
    Message::LocationReport(location.clone()).encode(Edition::E2019, &mut body).expect("it was decoded");
    let mut seen = Observations::default();
    decode_location(&body, &Profile::default(), Quality(0), &mut seen).expect("28 bytes");
    let fix = seen.fixes[0];
    if !fix.quality.contains(Quality::OUT_OF_RANGE) {
        let sent = [location.latitude_e6, location.longitude_e6];
        let read = [fix.lat_e7, fix.lon_e7].map(|degrees_e7| degrees_e7.unsigned_abs() / 10);
        assert!(sent == read || sent.map(|degrees| degrees.cast_signed().unsigned_abs()) == read, "{fix:?}");
    }
    let mut items = Map::new();
    let mut unknown = Map::new();
    let mut whole = Map::new();
    for item in &location.items {
        let item = match item {
            Item::Raw { id, value } => Item::read(*id, value, vendor),
            item => item.clone(),
        };
        match (&item, item.attribute()) {
            (_, Some((name, value))) => {
                items.insert(name.to_owned(), value);
            }
            (Item::Raw { id, value }, None) => {
                unknown.insert(format!("{id:#04x}"), json!(value));
                let len = u8::try_from(value.len()).expect("it was an item");
                whole.insert(format!("{id:#04x}"), json!([&[*id, len], value.as_slice()].concat()));
            }
            (item, None) => panic!("{item:?} has no name"),
        }
    }
    json!({
        "alarms": fix.alarms.0,
        "status": fix.status.0,
        "lat_e6": fix.lat_e7 / 10,
        "lon_e6": fix.lon_e7 / 10,
        "altitude_m": fix.altitude_m,
        "speed_dkmh": fix.speed_dkmh,
        "course_deg": fix.course_deg,
        "time": if fix.quality.contains(Quality::TIME_INVALID) { None } else { Some(fix.fix_time.to_string()) },
        "signal": fix.signal,
        "satellites": fix.satellites,
        "items": items,
        "unknown": unknown,
        "unknown_whole": whole,
        "sent_latitude_e6": location.latitude_e6,
        "sent_longitude_e6": location.longitude_e6,
        "tail": location.tail,
        "quality": fix.quality.names().collect::<Vec<_>>(),
    })
}
