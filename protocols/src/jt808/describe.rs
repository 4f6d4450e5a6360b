//! One stored message for people: every field by its English name, with its unit.
//!
//! Fixes come from the path that folds and replay use ([`observe`]); what they have no column for comes from
//! their items, everything else from [`Message`]. This is not the hot path.

use serde_json::{Map, Value};

use crate::jt808::message::{Edition, Item, Message, Text};
use crate::jt808::obd::{self, Report};
use crate::jt808::registration::edition_of;
use crate::jt808::{bcd, decode_location, decode_message, ids, observe, short};
use crate::octets::hex;
use crate::profile::VendorItems;
use crate::{DecodeError, Description, Fix, Observations, Profile, Quality, UnknownItem};

/// SEEWORLD's answer to a text.
const TEXT_ANSWER: u16 = 0x6006;

/// Describes the one message in `raw`.
///
/// # Errors
/// When the frame, a packet or the body is broken; offsets are in the unescaped message.
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let (header, body) = decode_message(raw, profile)?;
    let edition = edition_of(header.message_id, header.version, &body);
    let (message, rest) = Message::decode_with_rest(header.message_id, edition, &body)?;

    let mut observations = Observations::default();
    observe(raw, profile, &mut observations)?;
    add_places_of_media(&message, profile, &mut observations);
    let mut unknown = Vec::new();
    let mut attributes = Vec::with_capacity(observations.fixes.len());
    for fix in &observations.fixes {
        attributes.push(attributes_of(fix, observations.extra_of(fix), profile, &mut unknown));
    }
    if !rest.is_empty() {
        unknown.push(UnknownItem { id: "trailing".to_owned(), hex: bcd::digits(rest) });
    }
    Ok(Description {
        version: match edition {
            Edition::E2011 => "2011",
            Edition::E2013 => "2013",
            Edition::E2019 => "2019",
        },
        terminal: Some(header.terminal),
        message: format!("{:#06x}", header.message_id),
        name: Message::name_of(header.message_id),
        serial: Some(u32::from(header.serial)),
        observations,
        attributes,
        body: body_of(&message, &body, profile, &mut unknown),
        unknown,
    })
}

/// Where a picture was taken is a fix too. It is shown, but not stored as one: nothing in the message tells a
/// picture of 2011, which has no place in front of it, from one that has.
fn add_places_of_media(message: &Message, profile: &Profile, observations: &mut Observations) {
    if !matches!(message, Message::MediaData(_) | Message::MediaSearchReply(_)) {
        return;
    }
    for location in message.locations().into_iter().filter(|location| location.time.utc().is_some()) {
        let mut body = Vec::new();
        let written = Message::LocationReport(location.clone()).encode(Edition::E2019, &mut body);
        if written.is_ok() && decode_location(&body, profile, Quality::default(), observations).is_err() {
            observations.malformed_items += 1;
        }
    }
}

/// The items of one fix that have no column, by name; bytes that nobody can read go to `unknown`.
pub(crate) fn attributes_of(
    fix: &Fix,
    extra: &[u8],
    profile: &Profile,
    unknown: &mut Vec<UnknownItem>,
) -> Map<String, Value> {
    let (items, tail) = Item::read_all(extra, profile.vendor_items);
    let (mut attributes, rest) = vendor_attributes_of(fix, &items, profile, unknown);
    for item in rest {
        match item.attribute() {
            // A second item of one kind is kept as bytes: the one in the column, or the first, is the one that
            // counts.
            Some((name, value)) if !attributes.contains_key(name) && !has_column(fix, item) => {
                attributes.insert(name.to_owned(), value);
            }
            _ => {
                let bytes = item.to_bytes();
                let value = bytes.get(2..).unwrap_or(&[]);
                unknown.push(UnknownItem { id: format!("{:#04x}", item.id()), hex: bcd::digits(value) });
            }
        }
    }
    if let [id, value @ ..] = tail {
        // The length byte and what there is of the value.
        unknown.push(UnknownItem { id: format!("{id:#04x}"), hex: bcd::digits(value) });
    }
    attributes
}

/// What the maker's items say under a profile that knows them, and the items that are not among them.
fn vendor_attributes_of<'a>(
    fix: &Fix,
    items: &'a [Item],
    profile: &Profile,
    unknown: &mut Vec<UnknownItem>,
) -> (Map<String, Value>, Vec<&'a Item>) {
    let Some(mut vendor) = obd::Items::of(profile) else { return (Map::new(), items.iter().collect()) };
    let mut rest = Vec::new();
    let mut report = Report::default();
    for item in items {
        let bytes = item.to_bytes();
        report.enter(format!("{:#04x}", item.id()));
        if !vendor.read(item.id(), bytes.get(2..).unwrap_or(&[]), &mut |found| report.add(found)) {
            rest.push(item);
        }
    }
    let attributes = report.finish(profile, unknown, |reading| obd::is_in_column(fix, reading));
    (attributes, rest)
}

/// Whether the fix has what the item says in a column.
const fn has_column(fix: &Fix, item: &Item) -> bool {
    match item {
        Item::Odometer(_) => fix.odometer_m.is_some(),
        Item::Fuel(_) => fix.fuel_dl.is_some(),
        Item::RecorderSpeed(_) => fix.vehicle_speed_dkmh.is_some(),
        Item::RadioSignal(_) => fix.signal.is_some(),
        Item::Satellites(_) => fix.satellites.is_some(),
        _ => false,
    }
}

/// Every field of a message that is not a position; an empty object for a position.
fn body_of(message: &Message, raw: &[u8], profile: &Profile, unknown: &mut Vec<UnknownItem>) -> Value {
    if let Message::LocationReport(_) = message {
        return Value::Object(Map::new());
    }
    let mut body = serde_json::to_value(message).unwrap_or_default();
    let Value::Object(fields) = &mut body else { return body };
    match message {
        Message::PassThroughUp(data) => {
            if let Some(vendor) = obd::describe_pass_through(raw, profile, unknown) {
                fields.extend(vendor);
            } else if let Some(peripherals) = data.peripherals() {
                fields
                    .insert("peripherals".to_owned(), serde_json::to_value(peripherals).unwrap_or_default());
            }
        }
        // A terminal's answer to a text, as SEEWORLD sends it: 0 GBK or 1 UTF-16, then the text.
        Message::Unknown { id: TEXT_ANSWER, bytes } if profile.vendor_items == VendorItems::Seeworld => {
            let text = match bytes.split_first() {
                Some((1, text)) => encoding_rs::UTF_16BE.decode_without_bom_handling(text).0.into_owned(),
                Some((_, text)) => Text::from_bytes(text.to_vec()).to_string(),
                None => String::new(),
            };
            fields.insert("text".to_owned(), text.into());
        }
        Message::CompressedData(data) => {
            if let Some(inflated) = data.inflated() {
                fields.insert("inflated".to_owned(), hex(&inflated).into());
            }
        }
        Message::Unknown { id: ids::SHORT_POSITION | ids::SHORT_POSITION_LATE, bytes } => {
            fields.extend(short::describe(bytes, profile));
        }
        Message::Unknown { id, bytes } => {
            fields.extend(obd::describe_message(*id, bytes, profile).unwrap_or_default());
        }
        Message::CanData(data) if !profile.can_signals.is_empty() => {
            let values = data.signals(&profile.can_signals);
            let shown = values.map(|(signal, reading)| (signal.name.clone(), reading.value()));
            fields.insert("signals".to_owned(), Value::Object(shown.collect()));
        }
        _ => {}
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::TerminalId;
    use crate::jt808::{Header, Version, encode_message};

    fn described(message_id: u16, version: Version, body: &[u8]) -> Description {
        let terminal = TerminalId::new("013812345678").unwrap();
        let mut raw = Vec::new();
        encode_message(&Header::new(message_id, version, terminal, 7), body, &mut raw).unwrap();
        describe(&raw, &Profile::default()).unwrap()
    }

    const BASIC: [u8; 28] = [
        0, 0, 0, 1, 0, 0, 0, 3, 0, 0xba, 0x7f, 0x0e, 7, 0xe4, 0xf1, 0x1c, 0, 40, 0, 60, 0, 90, 0x18, 0x07,
        0x15, 0x10, 0x10, 0x10,
    ];

    #[test]
    fn items_without_a_column_are_named_and_unknown_ones_kept() {
        let items = [0x2a, 2, 0, 1, 0x52, 1, 2, 0x12, 6, 1, 0, 0, 0, 9, 1, 0x31, 1, 8, 0xe1, 9, 1];
        let found = described(0x0200, Version::V2013, &[&BASIC[..], &items].concat());
        assert_eq!((found.version, found.name, found.serial), ("2013", "location_report", Some(7)));
        assert_eq!(found.body, json!({}));
        assert_eq!(found.observations.fixes[0].satellites, Some(8));
        assert_eq!(
            Value::Object(found.attributes[0].clone()),
            json!({
                "io": {"bits": 1, "on": ["deep_sleep"]},
                "area_passage":
                    {"place_type": 1, "place": "circle", "id": 9, "direction": 1, "is_leaving": true},
            })
        );
        let unknown = |id: &str, hex: &str| UnknownItem { id: id.to_owned(), hex: hex.to_owned() };
        // The last one states nine bytes and has one.
        assert_eq!(found.unknown, [unknown("0x52", "02"), unknown("0xe1", "0901")]);
        assert_eq!(found.observations.malformed_items, 1);
    }

    #[test]
    fn fuel_in_percent_is_no_volume() {
        let found = described(0x0200, Version::V2013, &[&BASIC[..], &[2, 2, 0x80, 0x32]].concat());
        assert_eq!(found.observations.fixes[0].fuel_dl, None);
        assert_eq!(Value::Object(found.attributes[0].clone()), json!({"fuel_percent": 50}));
        assert!(found.unknown.is_empty());
    }

    #[test]
    fn a_repetition_of_an_item_with_a_column_is_kept_as_bytes() {
        let items = [
            &[0x01, 4, 0, 0, 0, 100, 0x01, 4, 0, 0, 0, 200][..],
            &[0x02, 2, 0, 1, 0x02, 2, 0, 2],
            &[0x03, 2, 0, 1, 0x03, 2, 0, 2],
            &[0x30, 1, 1, 0x30, 1, 2, 0x31, 1, 1, 0x31, 1, 2],
        ];
        let found = described(0x0200, Version::V2013, &[&BASIC[..], &items.concat()].concat());
        assert_eq!(found.observations.fixes[0].odometer_m, Some(10_000));
        assert!(found.attributes[0].is_empty(), "{:?}", found.attributes);
        let unknown: Vec<_> = found.unknown.iter().map(|item| format!("{} {}", item.id, item.hex)).collect();
        assert_eq!(unknown, ["0x01 000000c8", "0x02 0002", "0x03 0002", "0x30 02", "0x31 02"]);
    }

    #[test]
    fn a_standard_item_without_a_value_is_counted_and_the_position_kept() {
        let found = described(0x0200, Version::V2013, &[&BASIC[..], &[0x11, 0, 0x30, 1, 20]].concat());
        assert_eq!(found.observations.malformed_items, 1);
        assert_eq!(found.observations.fixes[0].signal, Some(20));
        assert!(found.observations.fixes[0].quality.contains(Quality::ITEM_MALFORMED));
    }

    #[test]
    fn a_batch_says_what_kind_it_is_and_every_fix_has_its_attributes() {
        let item = [&[0, 32][..], &BASIC, &[0x2a, 2, 0, 2]].concat();
        let plain = [&[0, 28][..], &BASIC].concat();
        let found =
            described(0x0704, Version::V2019 { revision: 1 }, &[&[0, 2, 1], &item[..], &plain].concat());
        assert_eq!(found.version, "2019");
        assert_eq!(found.body, json!({"count": 2, "batch_type": 1}));
        assert_eq!(found.attributes[0]["io"]["on"], json!(["sleep"]));
        assert!(found.attributes[1].is_empty());
        assert!(found.observations.fixes.iter().all(|fix| fix.quality.contains(Quality::BACKFILL)));
    }

    #[test]
    fn the_place_of_a_picture_is_a_fix() {
        let found =
            described(0x0801, Version::V2013, &[&[0, 0, 0, 7, 0, 0, 1, 2], &BASIC[..], &[0xff]].concat());
        assert_eq!(found.observations.fixes[0].lat_e7, 122_222_220);
        assert_eq!(found.body["media_id"], 7);
        assert_eq!(found.body["data"], "ff");
    }

    #[test]
    fn degrees_sent_as_signed_numbers_are_south_and_west() {
        let mut body = BASIC;
        // -12.222222 and -132.444444 as the tests of SmallChi/JT808 write them, without the hemisphere bits.
        body[8..16].copy_from_slice(&[0xff, 0x45, 0x80, 0xf2, 0xf8, 0x1b, 0x0e, 0xe4]);
        let fix = described(0x0200, Version::V2013, &body).observations.fixes[0];
        assert_eq!((fix.lat_e7, fix.lon_e7), (-122_222_220, -1_324_444_440));
        assert!(!fix.quality.contains(Quality::OUT_OF_RANGE));
    }

    #[test]
    fn what_follows_the_last_field_is_shown() {
        let found = described(0x0001, Version::V2013, &[0, 1, 2, 0, 0, 0xa8]);
        assert_eq!(found.body, json!({"answered_serial": 1, "answered_id": 0x0200, "result": 0}));
        assert_eq!(found.unknown, [UnknownItem { id: "trailing".to_owned(), hex: "a8".to_owned() }]);
    }

    #[test]
    fn a_driver_of_2011_is_recognised_by_his_name() {
        let body = [&[4, 0xd5, 0xc5, 0xc8, 0xfd][..], &[b'1'; 20], &[b'2'; 40], &[1, b'x']].concat();
        let found = described(0x0702, Version::V2013, &body);
        assert_eq!(found.body["name"], "张三");
        assert_eq!(found.body["issuer"], "x");
    }
}
