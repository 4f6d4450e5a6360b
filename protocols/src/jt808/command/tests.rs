//! Golden bytes of each command, and that what is written is read again.

use proptest::prelude::*;

use super::*;
use crate::command::CommandError::Invalid;

const EDITIONS: [Edition; 2] = [Edition::E2013, Edition::E2019];

fn body_under(command: &Command, edition: Edition, profile: &Profile) -> Result<(u16, String), CommandError> {
    let message = message_of(command, edition, profile)?;
    let mut body = Vec::new();
    message.encode(edition, &mut body).unwrap();
    assert_eq!(Message::decode(message.id(), edition, &body).as_ref(), Ok(&message), "{command:?}");
    Ok((message.id(), crate::jt808::bcd::digits(&body)))
}

fn body(command: &Command, edition: Edition) -> Result<(u16, String), CommandError> {
    body_under(command, edition, &Profile::default())
}

/// The message id and the body in hex, blanks left out of the wanted text.
fn check(command: &Command, edition: Edition, id: u16, wanted: &str) {
    assert_eq!(body(command, edition), Ok((id, wanted.replace(' ', ""))), "{command:?} {edition:?}");
}

fn set(id: u32, value: SettingValue) -> Command {
    Command::Parameters { set: vec![ParameterSetting { id, value }] }
}

const AT: Position = Position { lat_e7: 399_000_000, lon_e7: 1_164_000_000 };

fn rules(id: u32) -> AreaRules {
    AreaRules { id, ..AreaRules::default() }
}

fn circle() -> Circle {
    Circle { rules: rules(7), centre: AT, radius_m: 500 }
}

fn circles(circle: Circle) -> Command {
    Command::SetCircles { action: AreaAction::Append, circles: vec![circle] }
}

#[test]
fn questions_and_intervals_are_written() {
    for edition in EDITIONS {
        check(&Command::AskPosition, edition, 0x8201, "");
        check(&Command::Interval { seconds: 10, valid_for_s: 3_600 }, edition, 0x8202, "000a 00000e10");
        check(&Command::Interval { seconds: 0, valid_for_s: 3_600 }, edition, 0x8202, "0000");
        check(&Command::Interval { seconds: 0, valid_for_s: 0 }, edition, 0x8202, "0000");
        let for_ever = Command::Interval { seconds: 10, valid_for_s: 0 };
        assert!(matches!(body(&for_ever, edition), Err(Invalid(_))));
        check(&Command::QueryAttributes, edition, 0x8107, "");
        check(&Command::QueryParameters { ids: vec![] }, edition, 0x8104, "");
        check(&Command::QueryParameters { ids: vec![0x29, 0x55] }, edition, 0x8106, "02 00000029 00000055");
    }
}

#[test]
fn text_is_gbk_and_its_flags_are_those_of_the_edition() {
    let text = |urgent| Command::Text { text: "请停车".to_owned(), urgent, display: true, speak: true };
    check(&text(false), Edition::E2013, 0x8300, "0c c7ebcda3b3b5");
    check(&text(true), Edition::E2013, 0x8300, "0d c7ebcda3b3b5");
    check(&text(false), Edition::E2019, 0x8300, "0f 01 c7ebcda3b3b5");
    check(&text(true), Edition::E2019, 0x8300, "0e 01 c7ebcda3b3b5");
    let other = |text: &str| {
        body(
            &Command::Text { text: text.to_owned(), urgent: false, display: true, speak: false },
            EDITIONS[0],
        )
    };
    assert_eq!(other("🚗"), Err(Invalid("the text has characters that GBK does not have")));
    assert_eq!(other(""), Err(Invalid("the text is empty")));
    assert_eq!(other(&"停".repeat(513)), Err(CommandError::TooLong { limit: 1_024 }));
}

#[test]
fn parameters_are_as_wide_as_the_standard_makes_them() {
    check(&set(0x0029, SettingValue::Number(30)), Edition::E2013, 0x8103, "01 00000029 04 0000001e");
    check(&set(0x0031, SettingValue::Number(300)), Edition::E2013, 0x8103, "01 00000031 02 012c");
    check(&set(0x0084, SettingValue::Number(2)), Edition::E2013, 0x8103, "01 00000084 01 02");
    check(
        &set(0x0083, SettingValue::Text("京A".to_owned())),
        Edition::E2013,
        0x8103,
        "01 00000083 03 bea941",
    );
    let period = SettingValue::Bytes(vec![22, 0, 6, 30]);
    check(&set(0x0032, period), Edition::E2019, 0x8103, "01 00000032 04 1600061e");
    check(&set(0xf001, SettingValue::Bytes(vec![1])), Edition::E2013, 0x8103, "01 0000f001 01 01");
    for (id, value) in [
        (0x0031, SettingValue::Number(70_000)),
        (0x0013, SettingValue::Number(1)),
        (0xf001, SettingValue::Number(1)),
        (0x0029, SettingValue::Text("30".to_owned())),
    ] {
        assert!(matches!(body(&set(id, value), Edition::E2013), Err(Invalid(_))), "{id:#x}");
    }
    assert!(matches!(body(&Command::Parameters { set: vec![] }, Edition::E2013), Err(Invalid(_))));
}

#[test]
fn a_circle_is_written_in_both_editions() {
    let place = "00000007 0000 0260d360 06f01f80 000001f4";
    check(&circles(circle()), Edition::E2013, 0x8600, &format!("01 01 {place}"));
    check(&circles(circle()), Edition::E2019, 0x8600, &format!("01 01 {place} 0000"));

    let limit = SpeedLimit { max_kmh: 60, duration_s: 10, night_max_kmh: None };
    let full = AreaRules {
        name: "车库".to_owned(),
        period: Some(Period::Daily { from_s: 22 * 3_600, to_s: 6 * 3_600 + 30 * 60 }),
        speed_limit: Some(limit),
        entering: Warning { driver: true, platform: true },
        leaving: Warning { driver: false, platform: true },
        ..rules(7)
    };
    let full = circles(Circle { rules: full, ..circle() });
    let place = "00000007 002f 0260d360 06f01f80 000001f4 000000220000 000000063000 003c 0a";
    check(&full, Edition::E2013, 0x8600, &format!("01 01 {place}"));
    check(&full, Edition::E2019, 0x8600, &format!("01 01 {place} 003c 0004 b3b5bfe2"));
}

#[test]
fn areas_south_and_west_say_so() {
    let south_west = Position { lat_e7: -399_000_000, lon_e7: -1_164_000_000 };
    let command = circles(Circle { centre: south_west, ..circle() });
    check(&command, Edition::E2013, 0x8600, "01 01 00000007 00c0 0260d360 06f01f80 000001f4");
}

#[test]
fn places_are_converted_to_the_terminals_datum() {
    let gcj02 = Profile::built_in("gcj02").unwrap();
    let message = message_of(&circles(circle()), Edition::E2013, &gcj02).unwrap();
    let Message::SetCircles(set) = message else { panic!("{message:?}") };
    let (lat, lon) = gcj02::from_wgs84(39.9, 116.4);
    assert!((f64::from(set.areas[0].shape.latitude_e6) / 1e6 - lat).abs() < 1e-6);
    assert!((f64::from(set.areas[0].shape.longitude_e6) / 1e6 - lon).abs() < 1e-6);
}

#[test]
fn a_period_is_in_the_terminals_clock() {
    let period = Some(Period::Once { from: UtcMillis(1_760_000_000_000), to: UtcMillis(1_760_003_600_000) });
    let command = circles(Circle { rules: AreaRules { period, ..rules(7) }, ..circle() });
    let tail = |profile: &Profile| body_under(&command, Edition::E2013, profile).unwrap().1.split_off(40);
    assert_eq!(tail(&Profile::default()), "251009165320251009175320");
    let utc = Profile { clock_offset_s: Some(0), ..Profile::default() };
    assert_eq!(tail(&utc), "251009085320251009095320");
}

#[test]
fn rectangles_polygons_and_routes_are_written() {
    let north_west = Position { lat_e7: 400_000_000, lon_e7: 1_163_000_000 };
    let south_east = Position { lat_e7: 399_000_000, lon_e7: 1_164_000_000 };
    let rectangle = Rectangle { rules: rules(1), north_west, south_east };
    let command = Command::SetRectangles { action: AreaAction::Replace, rectangles: vec![rectangle] };
    check(&command, Edition::E2013, 0x8602, "00 01 00000001 0000 02625a00 06ee98e0 0260d360 06f01f80");

    let vertices = vec![north_west, south_east, AT];
    let polygon = Command::SetPolygon { polygon: Polygon { rules: rules(2), vertices } };
    let corners = "02625a00 06ee98e0 0260d360 06f01f80 0260d360 06f01f80";
    check(&polygon, Edition::E2013, 0x8604, &format!("00000002 0000 0003 {corners}"));
    check(&polygon, Edition::E2019, 0x8604, &format!("00000002 0000 0003 {corners} 0000"));

    let limit = SpeedLimit { max_kmh: 80, duration_s: 5, night_max_kmh: Some(60) };
    let point = |id, position| RoutePoint {
        id,
        section_id: 9,
        position,
        width_m: 20,
        driving_time_s: None,
        speed_limit: None,
    };
    let first =
        RoutePoint { driving_time_s: Some((60, 600)), speed_limit: Some(limit), ..point(1, north_west) };
    let route = Command::SetRoute { route: Route { rules: rules(3), points: vec![first, point(2, AT)] } };
    check(
        &route,
        Edition::E2013,
        0x8606,
        "00000003 0000 0002 00000001 00000009 02625a00 06ee98e0 14 03 0258 003c 0050 05 \
         00000002 00000009 0260d360 06f01f80 14 00",
    );
    check(
        &route,
        Edition::E2019,
        0x8606,
        "00000003 0000 0002 00000001 00000009 02625a00 06ee98e0 14 03 0258 003c 0050 05 003c \
         00000002 00000009 0260d360 06f01f80 14 00 0000",
    );
}

#[test]
fn areas_are_deleted_and_asked_for_by_kind() {
    for (kind, id) in [
        (AreaKind::Circle, 0x8601),
        (AreaKind::Rectangle, 0x8603),
        (AreaKind::Polygon, 0x8605),
        (AreaKind::Route, 0x8607),
    ] {
        check(&Command::DeleteAreas { kind, ids: vec![7, 8] }, Edition::E2013, id, "02 00000007 00000008");
        check(&Command::DeleteAllAreas { kind }, Edition::E2019, id, "00");
        assert!(matches!(body(&Command::DeleteAreas { kind, ids: vec![] }, Edition::E2013), Err(Invalid(_))));
    }
    let query = Command::QueryAreas { kind: AreaKind::Polygon, ids: vec![7] };
    check(&query, Edition::E2019, 0x8608, "03 00000001 00000007");
    assert_eq!(body(&query, Edition::E2013), Err(CommandError::NotSupported));
}

#[test]
fn what_cannot_be_is_refused() {
    let at = |lat_e7, lon_e7| Position { lat_e7, lon_e7 };
    let polygon =
        |vertices: Vec<Position>| Command::SetPolygon { polygon: Polygon { rules: rules(1), vertices } };
    let rectangle = Rectangle { rules: rules(1), north_west: AT, south_east: at(400_000_000, 1_163_000_000) };
    let late = Some(Period::Daily { from_s: 0, to_s: 86_400 });
    let backwards = Some(Period::Once { from: UtcMillis(2), to: UtcMillis(1) });
    for command in [
        circles(Circle { radius_m: 0, ..circle() }),
        circles(Circle { centre: at(900_000_001, 0), ..circle() }),
        circles(Circle { rules: AreaRules { period: late, ..rules(1) }, ..circle() }),
        circles(Circle { rules: AreaRules { period: backwards, ..rules(1) }, ..circle() }),
        Command::SetRectangles { action: AreaAction::Replace, rectangles: vec![rectangle] },
        polygon(vec![AT, AT]),
        polygon(vec![at(1, 1), at(-10, 1), at(1, 10)]),
        Command::SetCircles { action: AreaAction::Replace, circles: vec![] },
    ] {
        assert!(matches!(body(&command, Edition::E2019), Err(Invalid(_))), "{command:?}");
    }
    assert_eq!(body(&polygon(vec![AT; 1_001]), Edition::E2019), Err(CommandError::TooLong { limit: 1_000 }));
    let many = Command::QueryParameters { ids: vec![1; 256] };
    assert_eq!(body(&many, Edition::E2013), Err(CommandError::TooLong { limit: 255 }));
}

fn a_position() -> impl Strategy<Value = Position> {
    (1..900_000_000, 1..1_800_000_000).prop_map(|(lat_e7, lon_e7)| Position { lat_e7, lon_e7 })
}

fn some_rules() -> impl Strategy<Value = AreaRules> {
    let limit = prop::option::of((any::<u16>(), any::<u8>(), prop::option::of(any::<u16>())));
    let period = prop::option::of((0..86_400_u32, 0..86_400_u32));
    (any::<u32>(), "[a-z车库]{0,20}", limit, period, any::<[bool; 4]>()).prop_map(
        |(id, name, limit, period, warn)| AreaRules {
            id,
            name,
            period: period.map(|(from_s, to_s)| Period::Daily { from_s, to_s }),
            speed_limit: limit.map(|(max_kmh, duration_s, night_max_kmh)| SpeedLimit {
                max_kmh,
                duration_s,
                night_max_kmh,
            }),
            entering: Warning { driver: warn[0], platform: warn[1] },
            leaving: Warning { driver: warn[2], platform: warn[3] },
        },
    )
}

fn a_command() -> impl Strategy<Value = Command> {
    let ids = || prop::collection::vec(any::<u32>(), 1..20);
    let kind = || {
        prop_oneof![
            Just(AreaKind::Circle),
            Just(AreaKind::Rectangle),
            Just(AreaKind::Polygon),
            Just(AreaKind::Route)
        ]
    };
    let action = prop_oneof![Just(AreaAction::Replace), Just(AreaAction::Append), Just(AreaAction::Change)];
    let circle = (some_rules(), a_position(), 1..10_000_u32).prop_map(|(rules, centre, radius_m)| Circle {
        rules,
        centre,
        radius_m,
    });
    let point =
        (any::<u32>(), any::<u32>(), a_position(), any::<u8>(), prop::option::of(any::<(u16, u16)>()))
            .prop_map(|(id, section_id, position, width_m, driving_time_s)| RoutePoint {
                id,
                section_id,
                position,
                width_m,
                driving_time_s,
                speed_limit: None,
            });
    prop_oneof![
        (any::<u16>(), 1..=u32::MAX)
            .prop_map(|(seconds, valid_for_s)| Command::Interval { seconds, valid_for_s }),
        ("[ -~请停车]{1,100}", any::<[bool; 3]>())
            .prop_map(|(text, [urgent, display, speak])| Command::Text { text, urgent, display, speak }),
        (0x27..0x30_u32, any::<u32>()).prop_map(|(id, number)| set(id & !0x10, SettingValue::Number(number))),
        ids().prop_map(|ids| Command::QueryParameters { ids }),
        (kind(), ids()).prop_map(|(kind, ids)| Command::DeleteAreas { kind, ids }),
        (action, prop::collection::vec(circle, 1..5))
            .prop_map(|(action, circles)| Command::SetCircles { action, circles }),
        (some_rules(), prop::collection::vec(a_position(), 3..50))
            .prop_map(|(rules, vertices)| Command::SetPolygon { polygon: Polygon { rules, vertices } }),
        (some_rules(), prop::collection::vec(point, 2..20)).prop_map(|(rules, points)| Command::SetRoute {
            route: Route { rules: AreaRules { speed_limit: None, ..rules }, points }
        }),
    ]
}

proptest! {
    /// `body` reads what it wrote and compares.
    #[test]
    fn what_is_written_is_read(command in a_command(), edition in 0..2_usize) {
        let _written = body(&command, EDITIONS[edition]);
        let json = serde_json::to_value(&command).unwrap();
        prop_assert_eq!(serde_json::from_value::<Command>(json).unwrap(), command);
    }
}
