//! Which of our fields each field of each source means.
//!
//! A line is: sources (s SmallChi/JT808, y yezhihao/jt808-server, e emqx, g go-jt808), message ids or `*`, the
//! source's name, and where it stands in our document. `{}` is filled with the indexes of the source's path (or
//! with the number of times the name has come, where the source lists fields one after another);
//! alternatives are separated by `|`; `:how` transforms ours before the comparison.

/// The table.
pub(crate) const TABLE: &str = include_str!("mapping.txt");

/// Active-safety attributes of yezhihao: item id, our name, and its fields.
const SAFETY: [(&str, &str); 4] = [("100", "adas"), ("101", "dsm"), ("102", "tpms"), ("103", "bsd")];
const SAFETY_FIELDS: &[(&str, &str)] = &[
    ("id", "alarm_id"),
    ("state", "state"),
    ("type", "alarm_type"),
    ("level", "level"),
    ("frontSpeed", "front_speed_kmh"),
    ("frontDistance", "front_distance_100ms"),
    ("deviateType", "departure"),
    ("roadSign", "road_sign"),
    ("roadSignValue", "road_sign_value"),
    ("fatigueDegree", "fatigue"),
    ("reserves", "reserved:hex_value"),
    ("speed", "speed_kmh"),
    ("altitude", "altitude_m"),
    ("latitude", "latitude_e6"),
    ("longitude", "longitude_e6"),
    ("alarmTime", "time"),
    ("statusBit", "vehicle_state"),
    ("deviceId", "mark/terminal_id"),
    ("dateTime", "mark/time"),
    ("sequenceNo", "mark/serial"),
    ("fileTotal", "mark/attachments"),
    ("reserved", "mark/reserved:hex_value"),
];

/// Names that say nothing about the message.
const IGNORED: &[(&str, &str)] = &[
    ("AttachInfoId", "the item's own id, compared when it is encoded again"),
    ("AttachInfoLength", "the item's own length, compared when it is encoded again"),
    ("item.AttachInfoId", "as above"),
    ("item.AttachInfoLength", "as above"),
    ("UnCompressMessage", "a constant of the source's test that is not in the row"),
    ("ParamLength", "as above"),
    ("MessageLength", "as above"),
    ("verified", "that the check byte is right: asserted for every frame"),
    ("param.ParamLength", "as above"),
    ("Header.ProtocolVersion", "the frame has no version byte: a default of the source's class"),
    ("want", "the name of a file that is not among the vectors"),
    ("_type", "a name of the source's own classes"),
    ("want._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase.VehicleStatus._type", "a name of the source's own classes"),
    ("want.T0x0200ExtensionSBBase.P9208AlarmSign._type", "a name of the source's own classes"),
];

/// Why a name is not compared, if it is not.
pub(crate) fn ignored(name: &str) -> Option<&'static str> {
    // Fields that yezhihao prints for nested structures, which have no header of their own.
    let nested = ["items[].", "location."].iter().any(|prefix| name.starts_with(prefix));
    let of_header = ["messageId", "properties", "protocolVersion", "serialNo", "verified"];
    if nested && of_header.iter().any(|field| name.ends_with(field)) {
        return Some("a nested structure has no header");
    }
    IGNORED.iter().find(|(ignored, _)| *ignored == name).map(|(_, why)| *why)
}

/// Where a source's field stands in our document: alternatives, each with a transformation.
pub(crate) fn pointers(source: char, message_id: &str, name: &str) -> Option<Vec<(String, String)>> {
    let split = |text: &str| {
        text.split('|')
            .map(|one| match one.split_once(':') {
                Some((pointer, how)) => (pointer.to_owned(), how.to_owned()),
                None => (one.to_owned(), String::new()),
            })
            .collect()
    };
    if let (Some(rest), 'y') = (name.strip_prefix("attributes."), source)
        && let Some((id, field)) = rest.split_once('.')
        && let Some((_, item)) = SAFETY.iter().find(|(known, _)| *known == id)
    {
        let (_, ours) = SAFETY_FIELDS.iter().find(|(known, _)| *known == field)?;
        return Some(split(&format!("/locations/0/items/{item}/{ours}")));
    }
    // Bytes of the active-safety settings, named after their offset.
    if let Some((id, offset)) =
        name.strip_prefix("parameters.").and_then(|rest| rest.split_once(".p")).filter(|_| source == 'y')
    {
        let how = if (id, offset) == ("62309", "23") { "three" } else { "i8" };
        let offset = offset.trim_start_matches('0');
        let offset = if offset.is_empty() { "0" } else { offset };
        return Some(vec![(format!("/parameters/{id}"), format!("{how}@{offset}"))]);
    }
    TABLE.lines().filter(|line| !line.is_empty()).find_map(|line| {
        let mut columns = line.split(' ');
        let (sources, ids, known, ours) =
            (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        let fits = sources.contains(source)
            && (ids == "*" || ids.split(',').any(|id| id.eq_ignore_ascii_case(message_id)))
            && known == name;
        fits.then(|| split(ours))
    })
}
