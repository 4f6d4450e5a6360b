//! The registry from outside, on both databases: enrolment, codes, quarantine, two processes, tokens.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;

use super::testing::{Home, on_both};
use super::*;
use motorpool_protocols::{Profile, Protocol, TerminalId};

const NOW: UtcMillis = UtcMillis(1_700_000_000_000);
const FIRST_MIGRATION_SHA384: &str = "d620af1b03e2e6069d683f3113344dfa0c0291c122706303\
    e63155de817830bf00f6f865c3a888a63b4e4284066d4423";
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn terminal(text: &str) -> TerminalId {
    TerminalId::new(text).unwrap()
}

fn wanted(text: &str) -> Enrol {
    Enrol { protocol: Protocol::Jt808, terminal: terminal(text), name: None, profile: None }
}

on_both! {
    enrolment_is_idempotent_and_ignores_leading_zeros
    everything_is_there_again_after_a_restart
    a_code_belongs_to_one_device_and_dies_with_a_block
    codes_are_the_truncated_hmac_of_protocol_key_and_generation
    quarantine_counts_is_bounded_and_forgets_the_longest_unseen
    a_flood_of_strangers_is_dropped_and_counted
    approving_takes_terminals_out_of_quarantine_with_their_plate_as_name
    a_registration_is_written_once
    what_another_process_changes_is_noticed
    two_processes_that_start_together_share_one_secret
    a_bulk_of_5_000_is_one_change
    tokens_expire_are_revoked_and_only_their_hash_is_kept
    built_in_profiles_can_be_named_unless_the_configuration_has_its_own
}

async fn enrolment_is_idempotent_and_ignores_leading_zeros(home: Home) {
    let registry = home.open().await;
    let first = registry
        .enrol(&[wanted("013912345678"), wanted("13912345679"), wanted("00013912345678")], "test", NOW)
        .await
        .unwrap();
    assert_eq!(
        first.iter().map(|r| (r.device.0, r.created)).collect::<Vec<_>>(),
        [(1, true), (2, true), (1, false)]
    );
    let change = registry.snapshot().change();

    let again = registry.enrol(&[wanted("00000000013912345678"), wanted("77")], "test", NOW).await.unwrap();
    assert_eq!(again.iter().map(|r| (r.device.0, r.created)).collect::<Vec<_>>(), [(1, false), (3, true)]);
    let nothing = registry.enrol(&[wanted("77")], "test", NOW).await.unwrap();
    assert!(!nothing[0].created);
    assert_eq!(registry.snapshot().change(), change + 1, "a repeated request is not a change");

    let snapshot = registry.snapshot();
    assert_eq!(snapshot.len(), 3);
    let device = snapshot.find(Protocol::Jt808, &terminal("00000000013912345678")).unwrap();
    assert_eq!((device.id, device.terminal.as_str()), (DeviceId(1), "013912345678"));
    assert!(snapshot.find(Protocol::Jt808, &terminal("99")).is_none());
}

async fn everything_is_there_again_after_a_restart(home: Home) {
    let registry = home.open().await;
    let name = Some("  公务车\u{7} 12 ".to_owned());
    registry.enrol(&[Enrol { name, ..wanted("13912345678") }], "li", NOW).await.unwrap();
    let code = registry.code_for(registry.snapshot().device(DeviceId(1)).unwrap());
    registry.close().await;

    let registry = home.open().await;
    let snapshot = registry.snapshot();
    let device = snapshot.device(DeviceId(1)).unwrap();
    assert_eq!(device.name.as_deref(), Some("公务车 12"));
    assert_eq!(registry.code_for(device), code, "the server secret is kept");
    let record = registry.device(DeviceId(1)).await.unwrap().unwrap();
    assert_eq!(
        (record.created_by.as_str(), record.created_at, record.state),
        ("li", NOW, DeviceState::Approved)
    );
    if home.is_sqlite() {
        let mode = std::fs::metadata(home.path().join(REGISTRY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

async fn a_code_belongs_to_one_device_and_dies_with_a_block(home: Home) {
    let registry = home.open().await;
    registry.enrol(&[wanted("1001"), wanted("1002")], "test", NOW).await.unwrap();
    let snapshot = registry.snapshot();
    let (one, two) = (snapshot.device(DeviceId(1)).unwrap(), snapshot.device(DeviceId(2)).unwrap());
    let code = registry.code_for(one);
    assert_eq!(code.len(), 16);
    assert!(code.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(registry.check_code(one, code.as_bytes()));
    assert!(!registry.check_code(two, code.as_bytes()));
    let mut short = code.clone();
    short.pop();
    for wrong in ["", "0", &short, &format!("{code}0")] {
        assert!(!registry.check_code(one, wrong.as_bytes()), "{wrong}");
    }

    assert_eq!(registry.set_state(&[one.id, one.id], DeviceState::Blocked, "test", NOW).await.unwrap(), 1);
    assert_eq!(registry.set_state(&[one.id], DeviceState::Blocked, "test", NOW).await.unwrap(), 0);
    registry.set_state(&[one.id], DeviceState::Approved, "test", NOW).await.unwrap();
    let now = registry.snapshot();
    assert!(!registry.check_code(now.device(one.id).unwrap(), code.as_bytes()));
    let history = registry.device_history(one.id, 10).await.unwrap();
    let whats: Vec<&str> = history.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(whats, ["approved", "blocked", "enrolled"]);
}

async fn codes_are_the_truncated_hmac_of_protocol_key_and_generation(home: Home) {
    let registry = home.open().await;
    registry.enrol(&[wanted("013912345678")], "test", NOW).await.unwrap();
    let device = Device::clone(registry.snapshot().device(DeviceId(1)).unwrap());
    // printf 'jt808|13912345678|1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…0b (32 bytes)
    let codes = Codes::from_hex(&"0b".repeat(32)).unwrap();
    assert_eq!(codes.code_for(&device), "339187eb13faf707");
}

async fn quarantine_counts_is_bounded_and_forgets_the_longest_unseen(home: Home) {
    let mut config = home.config();
    config.quarantine.terminals_max = 3;
    let registry = home.open_with(&config).await;
    for (at, name) in [(1, "10"), (2, "11"), (3, "12"), (4, "10"), (5, "13"), (6, "14")] {
        registry.quarantine_seen(Protocol::Jt808, &terminal(name), PEER, UtcMillis(NOW.0 + at), None);
    }
    let held = registry.quarantine(&QuarantineFilter { after: None, limit: 10 }).await.unwrap();
    let names: Vec<_> = held.iter().map(|q| (q.terminal.as_str(), q.attempts)).collect();
    assert_eq!(names, [("10", 2), ("13", 1), ("14", 1)]);
    assert_eq!((held[0].first_seen.0 - NOW.0, held[0].last_seen.0 - NOW.0), (1, 4));

    registry.quarantine_seen(Protocol::Jt808, &terminal("13"), PEER, UtcMillis(NOW.0 + 9), None);
    let after = Some(("jt808".to_owned(), "10".to_owned()));
    let held = registry.quarantine(&QuarantineFilter { after, limit: 10 }).await.unwrap();
    assert_eq!(
        held.iter().map(|q| (q.terminal.as_str(), q.attempts)).collect::<Vec<_>>(),
        [("13", 2), ("14", 1)]
    );
}

async fn a_flood_of_strangers_is_dropped_and_counted(home: Home) {
    let registry = home.open().await;
    for number in 0..5_000 {
        registry.quarantine_seen(Protocol::Jt808, &terminal(&format!("7{number:06}")), PEER, NOW, None);
    }
    assert_eq!(registry.quarantine_dropped(), 5_000 - 4_096);
    registry.flush_quarantine().await.unwrap();
    assert_eq!(registry.quarantine_len().await.unwrap(), 4_096);
}

async fn approving_takes_terminals_out_of_quarantine_with_their_plate_as_name(home: Home) {
    let registry = home.open().await;
    let registration = Registration { plate: "演A12345".to_owned(), ..Registration::default() };
    registry.quarantine_seen(Protocol::Jt808, &terminal("0010"), PEER, NOW, Some(&registration));
    registry.quarantine_seen(Protocol::Jt808, &terminal("11"), PEER, NOW, None);
    registry.quarantine_seen(Protocol::Jt808, &terminal("12"), PEER, NOW, None);

    let one =
        registry.approve_terminals(&[(Protocol::Jt808, terminal("10"))], None, "test", NOW).await.unwrap();
    assert!(one[0].created);
    assert_eq!(registry.snapshot().device(one[0].device).unwrap().name.as_deref(), Some("演A12345"));
    assert_eq!(registry.quarantine_len().await.unwrap(), 2);
    let rest = registry.approve_all_quarantined("test", NOW).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(registry.quarantine_len().await.unwrap(), 0);
    // Somebody who knocked before the approval was written must not come back into quarantine.
    registry.quarantine_seen(Protocol::Jt808, &terminal("12"), PEER, NOW, None);
    registry.flush_quarantine().await.unwrap();
    assert_eq!(registry.quarantine_len().await.unwrap(), 0);
}

async fn a_registration_is_written_once(home: Home) {
    let registry = home.open().await;
    registry.enrol(&[wanted("10")], "test", NOW).await.unwrap();
    let registration =
        Registration { maker: "ACME\0".to_owned(), plate: "演B00001".to_owned(), ..Default::default() };
    registry.registered(DeviceId(1), &registration, NOW);
    registry.sync().await.unwrap();
    let change = registry.snapshot().change();
    let record = registry.device(DeviceId(1)).await.unwrap().unwrap();
    assert_eq!(record.registered.as_ref().map(|r| r.maker.as_str()), Some("ACME"));
    assert_eq!(registry.snapshot().device(DeviceId(1)).unwrap().plate.as_deref(), Some("演B00001"));

    registry.registered(DeviceId(1), &registration, UtcMillis(NOW.0 + 5));
    registry.sync().await.unwrap();
    assert_eq!(registry.snapshot().change(), change);
    registry.close().await;
    let registry = home.open().await;
    registry.registered(DeviceId(1), &registration, UtcMillis(NOW.0 + 9));
    registry.sync().await.unwrap();
    assert_eq!(registry.snapshot().change(), change, "nor again after a restart");
}

async fn what_another_process_changes_is_noticed(home: Home) {
    let (server, tool) = (home.open().await, home.open().await);
    server.enrol(&[wanted("10")], "server", NOW).await.unwrap();
    tool.sync().await.unwrap();
    tool.set_state(&[DeviceId(1)], DeviceState::Blocked, "tool", NOW).await.unwrap();
    let changes = server.subscribe();
    // The next write builds on what the tool did, without having been told.
    let results = server.enrol(&[wanted("10"), wanted("11")], "server", NOW).await.unwrap();
    assert_eq!(results[0].state, DeviceState::Blocked);
    assert!(changes.has_changed().unwrap());
    assert_eq!(server.snapshot().device(DeviceId(1)).unwrap().state, DeviceState::Blocked);

    let token = tool.create_token("t", &[Scope::Read], None, "tool", NOW).await.unwrap();
    assert!(server.check_token(&token, NOW).is_none());
    server.sync().await.unwrap();
    assert!(server.check_token(&token, NOW).is_some());
    assert_eq!(server.snapshot().change(), tool.snapshot().change());
}

async fn two_processes_that_start_together_share_one_secret(home: Home) {
    let (one, two, three) = tokio::join!(home.open(), home.open(), home.open());
    one.enrol(&[wanted("10")], "test", NOW).await.unwrap();
    let code = |registry: &Registry| registry.code_for(registry.snapshot().device(DeviceId(1)).unwrap());
    for other in [two, three] {
        other.sync().await.unwrap();
        assert_eq!(code(&one), code(&other));
    }
}

async fn a_bulk_of_5_000_is_one_change(home: Home) {
    let registry = home.open().await;
    let many: Vec<Enrol> = (0..5_000).map(|n| wanted(&format!("{:012}", 13_900_000_000_u64 + n))).collect();
    let results = registry.enrol(&many, "test", NOW).await.unwrap();
    assert_eq!(results.iter().map(|r| r.device.0).collect::<Vec<_>>(), (1..=5_000).collect::<Vec<_>>());
    assert_eq!(registry.snapshot().change(), 1);
    let list = registry
        .devices(&DeviceFilter { limit: 10, text: Some("0000_".into()), ..DeviceFilter::default() })
        .await
        .unwrap();
    assert!(list.is_empty(), "an underscore is no wildcard");
    let filter = DeviceFilter { after: DeviceId(4_990), limit: 100, text: Some("00049".into()), state: None };
    assert_eq!(registry.devices(&filter).await.unwrap().len(), 10);
}

async fn tokens_expire_are_revoked_and_only_their_hash_is_kept(home: Home) {
    let registry = home.open().await;
    let first = registry.create_first_token(home.path(), NOW).await.unwrap().unwrap();
    assert_eq!(registry.create_first_token(home.path(), NOW).await.unwrap(), None);
    let file = home.path().join(TOKEN_FILE);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), first);
    assert!(registry.check_token(&first, NOW).unwrap().allows(Scope::Enrol));

    let expires = Some(UtcMillis(NOW.0 + 10));
    let short = registry.create_token("sim", &[Scope::Enrol], expires, "test", NOW).await.unwrap();
    let token = registry.check_token(&short, NOW).unwrap();
    assert!(token.allows(Scope::Enrol) && !token.allows(Scope::Read) && !token.allows(Scope::Admin));
    assert!(registry.check_token(&short, UtcMillis(NOW.0 + 10)).is_none());
    let mut wrong = short.clone();
    wrong.pop();
    for bad in [wrong.as_str(), "", "mp_", "mp__", "Bearer", &short.replace("mp_", "")] {
        assert!(registry.check_token(bad, NOW).is_none(), "{bad}");
    }
    assert!(registry.revoke_token(&token.id, "test", NOW).await.unwrap());
    assert!(!registry.revoke_token(&token.id, "test", NOW).await.unwrap());
    assert!(registry.check_token(&short, NOW).is_none());
    let secret = first.rsplit('_').next().unwrap();
    if !home.is_sqlite() {
        return;
    }
    let database = std::fs::read(home.path().join(format!("{REGISTRY_FILE}-wal"))).unwrap();
    assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

async fn built_in_profiles_can_be_named_unless_the_configuration_has_its_own(home: Home) {
    let mine = Profile { signed_altitude: false, ..Profile::default() };
    let profiles = [("gcj02".to_owned(), mine.clone()), ("acme".to_owned(), mine)].into();
    let config = Config { profiles, ..home.config() };
    let registry = home.open_with(&config).await;
    for name in ["standard", "lenient", "gcj02", "gps51", "acme"] {
        assert!(registry.has_profile(name), "{name}");
    }
    assert!(!registry.has_profile("nobody"));
    let named = |terminal, profile: &str| Enrol { profile: Some(profile.to_owned()), ..wanted(terminal) };
    registry.enrol(&[named("1", "lenient"), named("2", "gcj02")], "test", NOW).await.unwrap();
    let snapshot = registry.snapshot();
    let profile = |id| Profile::clone(&snapshot.device(DeviceId(id)).unwrap().profile);
    assert_eq!(profile(1), Profile::built_in("lenient").unwrap());
    let configured = Profile { name: "gcj02".to_owned(), signed_altitude: false, ..Profile::default() };
    assert_eq!(profile(2), configured);
}

/// A data folder of an earlier release holds the first migration as it was: its text must never change.
#[tokio::test]
async fn a_folder_of_an_earlier_release_is_brought_up_to_date() {
    let home = Home::sqlite();
    let file = home.path().join(REGISTRY_FILE);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let all = sqlx::migrate!("src/registry/migrations");
    let first = all.iter().next().unwrap().clone();
    // sha384sum src/registry/migrations/0001_devices.sql, as first released
    assert_eq!(hex::encode(&first.checksum), FIRST_MIGRATION_SHA384);
    sqlx::migrate::Migrator::with_migrations(vec![first]).run(&pool).await.unwrap();
    sqlx::query("INSERT INTO devices VALUES (1, 'jt808', '10', '10', NULL, 'approved', 'standard', 1, 11, 22, 'M', 'm', 't', 2, '演A', 5, 1, 'li', 1, 'li')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let registry = home.open().await;
    let device = registry.device(DeviceId(1)).await.unwrap().unwrap();
    assert_eq!(device.registered.map(|r| (r.province, r.city, r.plate)), Some((11, 22, "演A".to_owned())));
    assert_eq!(registry.checkpoint().await.unwrap(), None);
}
