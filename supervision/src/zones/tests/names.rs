//! What names on papers mean.

use super::*;

fn entry(id: i64, unit: Option<i64>, name: &str, aliases: &[&str]) -> Versioned<PlaceEntry> {
    let row = PlaceEntry {
        name: name.to_owned(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        unit: unit.map(UnitId),
        at: Some(at(i32::try_from(id).unwrap() * 100_000, 0)),
        radius_m: 200,
        ..PlaceEntry::default()
    };
    Versioned::first(id, UtcMillis(id), row)
}

fn area(id: i64, name: &str) -> Versioned<Zone> {
    let mut zone = zone(id, polygon(&[&square(0, 0, 9)]));
    zone.row.name = name.to_owned();
    zone.row.kind = ZoneKind::Area;
    zone
}

fn name_of(resolved: &Resolved) -> &str {
    match resolved {
        Resolved::One(target) => target.name(),
        Resolved::Several(_) => "several",
        Resolved::Unknown => "unknown",
    }
}

#[test]
fn names_and_aliases_are_found_whatever_their_form() {
    let entries = [entry(1, None, "第三中学(北校区)", &["三中 北校", "No.3 School"])];
    let places = Places::new(&entries, &ZoneIndex::default());
    for text in
        ["第三中学(北校区)", "第三中学（北校区）", " 三中北校 ", "ＮＯ．３　ＳＣＨＯＯＬ", "no.3 school。"]
    {
        assert_eq!(name_of(&places.resolve(text, &[])), "第三中学(北校区)", "{text}");
    }
    for text in ["", "  ", "。", "第三中学", &"长".repeat(NAME_CHARS_MAX + 1)] {
        assert_eq!(places.resolve(text, &[]), Resolved::Unknown, "{text}");
    }
}

#[test]
fn papers_leave_off_rank_and_name_the_office() {
    let zones = ZoneIndex::new(&[area(1, "东城区"), area(2, "青山镇"), area(3, "王村")]);
    let places = Places::new(&[entry(9, None, "白水镇政府", &[])], &zones);
    let resolve = |text: &str| places.resolve(text, &[]);
    for (text, name) in [
        ("东城区", "东城区"),
        ("东城", "东城区"),
        ("青山镇人民政府", "青山镇"),
        ("青山", "青山镇"),
        // One character is not a name.
        ("王", "unknown"),
        ("白水镇政府", "白水镇政府"),
        // Whoever goes to the town need not go to its office.
        ("白水镇", "unknown"),
    ] {
        assert_eq!(name_of(&resolve(text)), name, "{text}");
    }
}

#[test]
fn vague_words_mean_something_only_to_a_dictionary() {
    let zones = ZoneIndex::new(&[area(1, "全县"), area(2, "城区")]);
    let places = Places::new(&[entry(9, Some(5), "辖区", &["下乡"])], &zones);
    for text in ["全县", "县内", "下乡", "城区"] {
        assert_eq!(places.resolve(text, &[UnitId(6)]), Resolved::Unknown, "{text}");
    }
    assert_eq!(name_of(&places.resolve("下乡", &[UnitId(50), UnitId(5)])), "辖区");
}

#[test]
fn the_nearest_unit_decides_and_different_places_stay_several() {
    let zones = ZoneIndex::new(&[area(1, "朝阳区"), area(2, "朝阳县")]);
    let entries = [
        entry(3, Some(5), "党校", &[]),
        entry(4, Some(1), "党校", &[]),
        entry(5, None, "党校", &["老党校"]),
        entry(6, Some(8), "会堂", &[]),
        entry(7, Some(8), "大会堂", &["会堂"]),
    ];
    let places = Places::new(&entries, &zones);
    let at_of = |resolved: Resolved| match resolved {
        Resolved::One(PlaceTarget::Circle { at, .. }) => Some(at.lon_e7 / 100_000),
        _ => None,
    };
    assert_eq!(at_of(places.resolve("党校", &[UnitId(5), UnitId(1)])), Some(3));
    assert_eq!(at_of(places.resolve("党校", &[UnitId(7), UnitId(1)])), Some(4));
    assert_eq!(at_of(places.resolve("党校", &[UnitId(7)])), Some(5));
    assert_eq!(at_of(places.resolve("老党校", &[UnitId(5)])), Some(5));
    let several = Resolved::Several(vec!["会堂".to_owned(), "大会堂".to_owned()]);
    assert_eq!(places.resolve("会堂", &[UnitId(8)]), several);
    let several = Resolved::Several(vec!["朝阳区".to_owned(), "朝阳县".to_owned()]);
    assert_eq!(places.resolve("朝阳", &[UnitId(8)]), several);
    assert_eq!(name_of(&places.resolve("朝阳县", &[UnitId(8)])), "朝阳县");
}

#[test]
fn an_entry_with_a_zone_is_the_zone_and_counts_once() {
    let zones = ZoneIndex::new(&[area(1, "青山镇")]);
    let mut one = entry(2, None, "青山", &["青山镇上"]);
    one.row.zone = Some(ZoneId(1));
    let mut other = entry(3, None, "小青山", &["青山"]);
    other.row.zone = Some(ZoneId(1));
    let mut gone = entry(4, None, "旧站", &[]);
    gone.row.zone = Some(ZoneId(99));
    let mut nowhere = entry(5, None, "某处", &[]);
    nowhere.row.at = None;
    let places = Places::new(&[one, other, gone, nowhere], &zones);
    let Resolved::One(target) = places.resolve("青山", &[]) else { panic!("one place") };
    assert_eq!(target.zone(), Some(ZoneId(1)));
    assert_eq!(target.distance_m(&zones, at(4, 4)), Some(0.0));
    assert_eq!(target.distance_m(&ZoneIndex::default(), at(4, 4)), None);
    let Resolved::One(target) = places.resolve("旧站", &[]) else { panic!("one place") };
    // 0.04 degrees at the equator are 4,447.8 m; 200 m of them belong to the place.
    let metres = target.distance_m(&zones, at(0, 0)).unwrap();
    assert!((metres - 4_247.8).abs() < 0.1, "{metres}");
    assert_eq!(target.distance_m(&zones, at(400_000, 10_000)), Some(0.0));
    assert_eq!(places.resolve("某处", &[]), Resolved::Unknown);
}

#[test]
fn names_hold_over_their_time() {
    let old = entry(1, None, "政务中心", &[]).during(Span::new(UtcMillis(0), NOW));
    let new = entry(2, None, "政务中心", &[]).during(Span { from: NOW, to: None });
    let places = Places::new(&[old, new], &ZoneIndex::default());
    assert!(matches!(places.resolve("政务中心", &[]), Resolved::Several(_)));
    for (time, lon) in [(UtcMillis(NOW.0 - 1), 100_000), (NOW, 200_000)] {
        let Resolved::One(PlaceTarget::Circle { at, .. }) = places.resolve_at("政务中心", &[], time)
        else {
            panic!("one place")
        };
        assert_eq!(at.lon_e7, lon);
    }
}

#[test]
fn a_place_that_moved_is_where_it_was_at_the_time() {
    let old = entry(1, None, "车站", &[]).during(Span::new(UtcMillis(0), NOW));
    let mut new = entry(1, None, "车站", &["新站"]).during(Span { from: NOW, to: None });
    new.version = 2;
    new.row.at = Some(at(7, 7));
    let places = Places::new(&[new, old], &ZoneIndex::default());
    let at_of = |resolved: Resolved| match resolved {
        Resolved::One(PlaceTarget::Circle { at, .. }) => Some(at.lon_e7),
        _ => None,
    };
    assert_eq!(at_of(places.resolve_at("车站", &[], UtcMillis(5))), Some(100_000));
    assert_eq!(at_of(places.resolve_at("车站", &[], NOW)), Some(7));
    assert_eq!(places.resolve_at("新站", &[], UtcMillis(5)), Resolved::Unknown);
    assert_eq!(at_of(places.resolve("车站", &[])), Some(7));
}

proptest! {
    #[test]
    fn the_order_of_entries_does_not_matter(
        entries in prop::collection::vec((prop::option::of(1_i64..3), 0..4_usize, 0..4_usize), 1..8)
            .prop_map(|rows| {
                let names = ["青山", "青山镇", "党校", "老党校"];
                (1..).zip(rows).map(|(id, (unit, name, alias))| entry(id, unit, names[name], &[names[alias]])).collect::<Vec<_>>()
            })
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        text in "青山镇?|老?党校|\\PC{0,8}",
    ) {
        let zones = ZoneIndex::new(&[area(1, "青山镇")]);
        let (one, other) = (Places::new(&entries.0, &zones), Places::new(&entries.1, &zones));
        for units in [&[][..], &[UnitId(2), UnitId(1)]] {
            prop_assert_eq!(one.resolve(&text, units), other.resolve(&text, units));
        }
    }
}
