//! A pack checks, a changed one does not, and a made-up one does not reproduce.

mod excerpts;

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;

use super::*;
use crate::ids::UnitId;
use crate::point::Position;
use crate::register::{Feed, RuleSet, RuleSetState, Span, Unit, Vehicle, Versioned, Watermark};
use crate::trips::{DistanceSource, EndReason, StartReason, Trip, TripKind};
use crate::world::World;

const DAY: &str = "2026-03-04";

fn at(text: &str) -> UtcMillis {
    UtcMillis::from_rfc3339(text).expect("an instant")
}

/// A car that drove 10 km on a Wednesday morning, and a unit whose orders are complete and empty.
fn inputs() -> PackInputs {
    let recorded = at("2026-03-01T00:00:00Z");
    let mut register = Register::default();
    register.units.push(Versioned::first(
        1,
        recorded,
        Unit { name: "县林业局".to_owned(), ..Unit::default() },
    ));
    let vehicle = Vehicle {
        plate: "县A00001".to_owned(),
        vin: "LSVAA".to_owned(),
        unit: UnitId(1),
        ..Vehicle::default()
    };
    register.vehicles.push(Versioned::first(1, recorded, vehicle));
    register.rule_sets.push(Versioned::first(
        1,
        recorded,
        RuleSet { name: "county".to_owned(), state: RuleSetState::Active, ..RuleSet::default() },
    ));
    for (id, feed) in [(1, Feed::Orders), (2, Feed::Duties)] {
        let (complete_from, complete_to) = (at("2026-01-01T00:00:00Z"), at("2026-06-01T00:00:00Z"));
        let mark = Watermark { unit: None, feed, complete_from, complete_to };
        register.watermarks.push(Versioned::first(id, recorded, mark));
    }
    let (start, end) = (at("2026-03-04T01:00:00Z"), at("2026-03-04T01:20:00Z"));
    let points: Vec<Point> = (0..=120)
        .map(|i| {
            Point::new(
                UtcMillis(start.0 + i * 10_000),
                Position::from_degrees(30.0, 110.0 + 0.000_8 * i as f64),
            )
        })
        .collect();
    let trip = Trip {
        kind: TripKind::Trip,
        start,
        end,
        start_at: points[0].at,
        end_at: points[120].at,
        distance_m: 9_250,
        distance_source: DistanceSource::Fixes,
        moving_s: 1_200,
        idle_s: 0,
        max_speed_dkmh: Some(280),
        fixes: 121,
        marked: 0,
        gap_s: 0,
        confidence_pct: 90,
        start_reason: StartReason::Displacement,
        end_reason: EndReason::Stayed,
    };
    let day: jiff::civil::Date = DAY.parse().expect("a day");
    let mut inputs = PackInputs {
        judgement: Judgement {
            vehicle: VehicleId(1),
            first_day: day,
            last_day: day,
            time_zone: "Asia/Shanghai".to_owned(),
            known_to: at("2026-03-10T00:00:00Z"),
            registry_change: 7,
            unit: None,
            clock_offset_s: Some(2),
        },
        register,
        segments: vec![Segment::Trip(trip)],
        points,
        frames: vec![RawFrame {
            received_at: start,
            protocol: "jt808".to_owned(),
            bytes: vec![0x7e, 0x02, 0x00, 0x7e],
        }],
        made_at: at("2026-03-11T00:00:00Z"),
        made_by: "inspector".to_owned(),
        program: PROGRAM.to_owned(),
        ..PackInputs::default()
    };
    inputs.findings = verify::judge_again(&inputs).expect("a world");
    assert!(
        inputs.findings.iter().any(|finding| finding.rule == crate::finding::Rule::R01),
        "a trip without an order"
    );
    inputs
}

/// The pack with the entry `name` replaced by what `change` makes of it, its hash in the manifest left as it was.
fn tampered(pack: &[u8], name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(pack)).expect("a pack");
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        let entry_name = entry.name().expect("a name").into_owned();
        let bytes = if entry_name == name { change(bytes) } else { bytes };
        out.start_file(entry_name, SimpleFileOptions::default()).expect("a file");
        out.write_all(&bytes).expect("its bytes");
    }
    out.finish().expect("an archive").into_inner()
}

/// The pack with the manifest that `change` makes of its own.
fn with_manifest(pack: &[u8], change: impl Fn(&mut Manifest)) -> Vec<u8> {
    let mut manifest: Manifest = serde_json::from_str(&unpacked(pack, "manifest.json")).expect("a manifest");
    change(&mut manifest);
    let manifest = serde_json::to_vec(&manifest).expect("json");
    tampered(pack, "manifest.json", |_| manifest.clone())
}

/// The pack with the entry `name` replaced and a manifest that says so.
fn forged_entry(pack: &[u8], name: &str, bytes: &[u8]) -> Vec<u8> {
    with_manifest(&tampered(pack, name, |_| bytes.to_vec()), |manifest| {
        let entry = manifest.entries.iter_mut().find(|entry| entry.name == name).expect("listed");
        *entry = ManifestEntry::of(name, bytes);
    })
}

fn unpacked(pack: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(pack)).expect("a pack");
    let mut text = String::new();
    archive.by_name(name).expect("the entry").read_to_string(&mut text).expect("text");
    text
}

#[test]
fn a_pack_checks_and_gives_the_same_findings_again() {
    let inputs = inputs();
    let pack = build(&inputs, Copy::Full).expect("a pack");
    let verified = verify(&pack).expect("a good pack");
    assert_eq!(verified.reproduced.len(), inputs.findings.len());
    assert_eq!(build(&inputs, Copy::Full).expect("a pack"), pack, "the same inputs give the same bytes");
}

#[test]
fn a_changed_entry_is_named() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    for name in ["track.csv", "inputs/points.json", "report.html"] {
        let bad = tampered(&pack, name, |mut bytes| {
            bytes[10] ^= 1;
            bytes
        });
        assert!(matches!(verify(&bad), Err(VerifyError::Changed { name: found, .. }) if found == name));
    }
}

#[test]
fn a_pack_that_would_not_give_the_finding_again_is_not_made() {
    let mut inputs = inputs();
    inputs.findings[0].day = jiff::civil::date(2026, 3, 5);
    assert!(matches!(build(&inputs, Copy::Full), Err(PackError::Judged(Mismatch::NotReproduced { .. }))));
}

#[test]
fn a_forged_finding_with_a_forged_manifest_is_not_reproduced() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    let forged =
        unpacked(&pack, "findings.json").replacen("\"confidence_pct\": 90", "\"confidence_pct\": 99", 1);
    let bad = forged_entry(&pack, "findings.json", forged.as_bytes());
    assert!(matches!(verify(&bad), Err(VerifyError::Judged(Mismatch::NotReproduced { .. }))));
}

#[test]
fn a_masked_copy_holds_no_names_and_no_frames() {
    let mut inputs = inputs();
    let order = crate::register::Order {
        no: "P-9".to_owned(),
        vehicle: VehicleId(1),
        user: "欧阳测试".to_owned(),
        phone: "13900000000".to_owned(),
        planned_out: at("2026-03-06T01:00:00Z"),
        planned_in: at("2026-03-06T03:00:00Z"),
        ..crate::register::Order::default()
    };
    inputs.register.orders.push(Versioned::first(5, at("2026-03-05T00:00:00Z"), order).during(Span::ALWAYS));
    inputs.findings = verify::judge_again(&inputs).expect("a world");
    let full = build(&inputs, Copy::Full).expect("a pack");
    let masked = build(&inputs, Copy::Masked).expect("a pack");
    let verified = verify(&masked).expect("a good pack");
    assert_eq!(verified.manifest.full_pack, Some(verify(&full).expect("good").manifest_sha256));
    let mut archive = zip::ZipArchive::new(Cursor::new(&masked)).expect("a pack");
    for index in 0..archive.len() {
        let mut text = String::new();
        archive.by_index(index).expect("an entry").read_to_string(&mut text).expect("text");
        for secret in ["欧阳测试", "13900000000", "LSVAA", "7e02007e"] {
            assert!(!text.contains(secret), "entry {index} holds {secret}");
        }
    }
}

#[test]
fn an_excerpt_leaves_other_cars_out_and_gives_the_same_findings() {
    let inputs = inputs();
    let mut register = inputs.register.clone();
    let other = Vehicle { plate: "县A00002".to_owned(), unit: UnitId(1), ..Vehicle::default() };
    register.vehicles.push(Versioned::first(2, at("2026-03-01T00:00:00Z"), other));
    let world = World::new(register, "Asia/Shanghai").expect("a world");
    let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-03-10T00:00:00Z"));
    let of = ExcerptOf { vehicles: &[VehicleId(1)].into(), unit: None, from, to };
    let cut = excerpt(&world, of, inputs.points.iter().map(|point| point.at));
    assert_eq!(cut.vehicles.len(), 1);
    let again = PackInputs { register: cut, ..inputs.clone() };
    assert_eq!(verify::judge_again(&again).expect("a world"), inputs.findings);
}

#[test]
fn no_bytes_make_the_check_panic() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    assert!(matches!(verify(b""), Err(VerifyError::NotAnArchive(_))));
    for cut in (0..pack.len()).step_by(97) {
        assert!(verify(&pack[..cut]).is_err());
    }
}

#[test]
fn findings_left_out_or_given_twice_with_a_forged_manifest_are_noticed() {
    let inputs = inputs();
    let pack = build(&inputs, Copy::Full).expect("a pack");
    let empty = forged_entry(&pack, "findings.json", b"[]");
    assert!(matches!(verify(&empty), Err(VerifyError::Judged(Mismatch::LeftOut { .. }))));
    let twice: Vec<_> = inputs.findings.iter().chain(&inputs.findings).collect();
    let twice = forged_entry(&pack, "findings.json", &serde_json::to_vec(&twice).expect("json"));
    assert!(matches!(verify(&twice), Err(VerifyError::Judged(Mismatch::NotReproduced { .. }))));
}

#[test]
fn a_pack_that_leaves_a_flag_out_is_not_made() {
    let inputs = PackInputs { findings: Vec::new(), ..inputs() };
    let refused = build(&inputs, Copy::Full);
    assert!(matches!(refused, Err(PackError::Judged(Mismatch::LeftOut { rule: "R01", .. }))), "{refused:?}");
}

#[test]
fn what_judging_could_not_decide_may_be_left_out() {
    let mut inputs = inputs();
    inputs.findings.retain(|finding| finding.outcome == crate::finding::Outcome::Flag);
    verify(&build(&inputs, Copy::Full).expect("a pack")).expect("a good pack");
}

#[test]
fn a_forged_reading_of_the_inputs_is_noticed() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    for name in ["track.csv", "track.geojson", "orders.csv", "rules.json", "report.html"] {
        let forged = unpacked(&pack, name) + " ";
        let bad = forged_entry(&pack, name, forged.as_bytes());
        assert!(matches!(verify(&bad), Err(VerifyError::NotDerived(found)) if found == name), "{name}");
    }
}

#[test]
fn what_no_pack_has_does_not_belong_in_one() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    let mut out = zip::ZipWriter::new_append(Cursor::new(pack)).expect("a pack");
    out.start_file("confession.txt", SimpleFileOptions::default()).expect("a file");
    let pack = out.finish().expect("an archive").into_inner();
    let bad =
        with_manifest(&pack, |manifest| manifest.entries.push(ManifestEntry::of("confession.txt", b"")));
    assert!(matches!(verify(&bad), Err(VerifyError::Added(name)) if name == "confession.txt"));
    let bad = with_manifest(&pack, |manifest| manifest.entries.push(ManifestEntry::of("frames.csv", b"")));
    assert!(matches!(verify(&bad), Err(VerifyError::Manifest(_))), "listed twice");
}

#[test]
fn a_full_pack_that_says_it_is_masked_is_no_masked_copy() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    let bad = with_manifest(&pack, |manifest| manifest.is_masked = true);
    assert!(matches!(verify(&bad), Err(VerifyError::Manifest(_))));
    let bad = with_manifest(&pack, |manifest| {
        manifest.is_masked = true;
        manifest.full_pack = Some("00".repeat(32));
    });
    assert!(matches!(verify(&bad), Err(VerifyError::Added(name)) if name == "frames.csv"));
}

#[test]
fn a_masked_copy_proves_nothing_without_its_full_pack() {
    let inputs = inputs();
    let full = build(&inputs, Copy::Full).expect("a pack");
    let masked = build(&inputs, Copy::Masked).expect("a pack");
    assert_eq!(verify(&full).expect("good").proof, Proof::Judged);
    assert_eq!(verify(&masked).expect("good").proof, Proof::UnchangedOnly);
    let hash = verify(&full).expect("good").manifest_sha256;
    assert_eq!(verify_copy_of(&masked, &hash).expect("its own").proof, Proof::NamesFullPack);
    assert_eq!(verify_copy(&masked, &full).expect("its own").proof, Proof::CopyOfFullPack);
    let other = verify_copy_of(&masked, &"0".repeat(64));
    assert!(matches!(other, Err(VerifyError::OtherFullPack { .. })));
    assert!(matches!(verify_copy(&full, &full), Err(VerifyError::WrongCopy("masked"))));
    assert!(matches!(verify_copy_of(&full, &hash), Err(VerifyError::WrongCopy("masked"))));

    let forged = forged_entry(&masked, "findings.json", b"[]");
    assert_eq!(verify(&forged).expect("unchanged").proof, Proof::UnchangedOnly);
    let compared = verify_copy(&forged, &full);
    assert!(matches!(compared, Err(VerifyError::NotDerived(name)) if name == "findings.json"));
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    let mut out = zip::ZipWriter::new_append(Cursor::new(pack)).expect("a pack");
    // The library refuses to write a name twice, so another of the same length becomes it.
    out.start_file("findings.jsom", SimpleFileOptions::default()).expect("a file");
    out.write_all(b"[]").expect("its bytes");
    let mut bad = out.finish().expect("an archive").into_inner();
    let (other, name) = (b"findings.jsom", b"findings.json");
    let mut replaced = 0;
    for at in 0..bad.len() - name.len() {
        if bad[at..].starts_with(other) {
            bad[at..at + name.len()].copy_from_slice(name);
            replaced += 1;
        }
    }
    assert_eq!(replaced, 2, "at the entry and in the list");
    assert!(matches!(verify(&bad), Err(VerifyError::Twice(name)) if name == "findings.json"));
}

#[test]
fn an_entry_with_another_name_than_the_list_gives_it_is_refused() {
    let mut bad = build(&inputs(), Copy::Full).expect("a pack");
    let at = (0..bad.len()).find(|at| bad[*at..].starts_with(b"case.json")).expect("its local name");
    bad[at] = b'C';
    assert!(matches!(verify(&bad), Err(VerifyError::NotAnArchive(_))));
    let mut longer = build(&inputs(), Copy::Full).expect("a pack");
    longer.extend_from_slice(b"more");
    assert!(matches!(verify(&longer), Err(VerifyError::NotAnArchive(_))));
}

#[test]
fn another_program_is_named_when_its_pack_is_not_judged_alike() {
    let other = PackInputs { program: "motorpool 0.0.9".to_owned(), ..inputs() };
    let pack = build(&other, Copy::Full).expect("a pack");
    assert!(verify(&pack).is_ok(), "as long as it is judged alike nothing is wrong");
    let bad = forged_entry(&pack, "findings.json", b"[]");
    let message = verify(&bad).expect_err("a finding is left out").to_string();
    assert!(message.contains("motorpool 0.0.9") && message.contains(PROGRAM), "{message}");
}

#[test]
fn inputs_that_can_not_be_judged_here_are_no_forgery() {
    let pack = build(&inputs(), Copy::Full).expect("a pack");
    let judgement = unpacked(&pack, "inputs/judgement.json").replace("Asia/Shanghai", "Asia/Nowhere");
    let bad = forged_entry(&pack, "inputs/judgement.json", judgement.as_bytes());
    assert!(matches!(verify(&bad), Err(VerifyError::World(_))));
}

#[test]
fn time_zones_are_known_on_a_machine_that_has_none() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(!bundled.is_definitively_empty());
    assert!(bundled.get("Asia/Shanghai").is_ok());
}
