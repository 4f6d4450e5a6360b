//! What people's rows hold to, on both databases.

use std::time::Duration;

use motorpool_protocols::UtcMillis;

use super::super::testing::{Home, on_both};
use super::*;
use crate::accounts::chain::{Deed, Fault};
use crate::accounts::heads::{self, HeadKey};
use crate::accounts::{secrets, totp, verify::verify};

const NOW: UtcMillis = UtcMillis(1_700_000_000_000);
const MINUTE: i64 = 60_000;
const IDLE: i64 = 30 * MINUTE;

fn later(minutes: i64) -> UtcMillis {
    UtcMillis(NOW.0 + minutes * MINUTE)
}

async fn account(registry: &Registry, name: &str) -> Account {
    let new = NewAccount { name: name.to_owned(), ..NewAccount::default() };
    registry.people().create_account(&new, "test", NOW).await.unwrap()
}

async fn log_in(registry: &Registry, account: i64, secret: &str) -> i64 {
    let sha256 = secrets::sha256(secret);
    let login = NewLogin { secret_sha256: &sha256, expires_at: later(12 * 60), ip: "192.0.2.1", agent: "a" };
    registry.people().create_login(account, &login, NOW).await.unwrap()
}

async fn is_in(registry: &Registry, secret: &str, now: UtcMillis) -> bool {
    registry.people().logged_in(&secrets::sha256(secret), IDLE, now).await.unwrap().is_some()
}

on_both! {
    a_log_in_ends_when_it_is_idle_and_when_it_is_old
    a_log_in_ends_with_the_account_and_the_password
    an_account_has_so_many_log_ins_and_the_oldest_ends
    a_name_is_shut_for_the_network_that_guesses_and_for_no_other
    guesses_from_everywhere_delay_and_shut_nothing
    a_shut_row_is_not_given_up_for_newer_ones
    whoever_is_logged_in_waits_for_no_writer
    links_hold_once_and_for_a_time
    grants_hold_until_their_end_and_exclude_each_other
    codes_hold_once
    the_log_is_a_chain_that_shows_every_change
    tokens_and_accounts_number_people_together
}

async fn a_log_in_ends_when_it_is_idle_and_when_it_is_old(home: Home) {
    let registry = home.open().await;
    let li = account(&registry, "li").await;
    log_in(&registry, li.id, "one").await;
    log_in(&registry, li.id, "two").await;
    for minute in (25..12 * 60).step_by(25) {
        assert!(is_in(&registry, "one", later(minute)).await, "{minute}: used every 25 minutes");
    }
    assert!(!is_in(&registry, "one", later(12 * 60)).await, "twelve hours are enough");
    assert!(is_in(&registry, "two", later(29)).await);
    assert!(!is_in(&registry, "two", later(29 + 30)).await, "unused for half an hour");
    assert!(!is_in(&registry, "three", NOW).await);
}

async fn a_log_in_ends_with_the_account_and_the_password(home: Home) {
    let registry = home.open().await;
    let (li, wang) = (account(&registry, "li").await, account(&registry, "wang").await);
    let kept = log_in(&registry, li.id, "one").await;
    log_in(&registry, li.id, "two").await;
    log_in(&registry, wang.id, "three").await;
    registry.people().set_password(li.id, "hash", Some(kept), NOW).await.unwrap();
    assert!(is_in(&registry, "one", later(1)).await && !is_in(&registry, "two", later(1)).await);
    let shut = AccountChange { is_disabled: Some(true), ..AccountChange::default() };
    registry.people().change_account(li.id, &shut, later(1)).await.unwrap();
    let open = AccountChange { is_disabled: Some(false), ..AccountChange::default() };
    registry.people().change_account(li.id, &open, later(1)).await.unwrap();
    assert!(!is_in(&registry, "one", later(1)).await, "opening an account again opens no log-in");
    assert!(is_in(&registry, "three", later(1)).await);
}

async fn an_account_has_so_many_log_ins_and_the_oldest_ends(home: Home) {
    let registry = home.open().await;
    let li = account(&registry, "li").await;
    for n in 0..21 {
        log_in(&registry, li.id, &n.to_string()).await;
    }
    assert!(!is_in(&registry, "0", NOW).await && is_in(&registry, "1", NOW).await);
    assert_eq!(registry.people().logins(li.id, IDLE, NOW).await.unwrap().len(), 20);
}

async fn a_name_is_shut_for_the_network_that_guesses_and_for_no_other(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let (here, there) = ("198.51.100.7", "192.0.2.1");
    let open = Admission::Open(Duration::ZERO);
    for _ in 0..5 {
        assert_eq!(people.begin_attempt("Li ", here, NOW).await.unwrap(), open);
    }
    let shut = Admission::Shut(UtcMillis(NOW.0 + 30_000));
    assert_eq!(people.begin_attempt("LI", here, NOW).await.unwrap(), shut);
    assert_eq!(people.begin_attempt("li", there, NOW).await.unwrap(), open);
    people.forgive_attempt("li", there).await.unwrap();
    assert_eq!(people.begin_attempt("li", here, NOW).await.unwrap(), shut, "another network opens nothing");
    assert_eq!(people.begin_attempt("li", here, later(1)).await.unwrap(), open, "the sixth");
    assert_eq!(people.begin_attempt("li", here, later(1)).await.unwrap(), Admission::Shut(later(2)));
    people.forgive_attempt("li", here).await.unwrap();
    for _ in 0..5 {
        assert_eq!(people.begin_attempt("li", here, later(1)).await.unwrap(), open, "a right one forgives");
    }
    for _ in 0..5 {
        let days_later = later(2 * 24 * 60);
        assert_eq!(
            people.begin_attempt("li", here, days_later).await.unwrap(),
            open,
            "forgotten after a day"
        );
    }
    people.forget_failures("li").await.unwrap();
    assert_eq!(people.begin_attempt("li", here, later(2 * 24 * 60)).await.unwrap(), open);
}

async fn guesses_from_everywhere_delay_and_shut_nothing(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let mut longest = Duration::ZERO;
    for host in 0..200 {
        let Admission::Open(delay) = people.begin_attempt("li", &format!("n{host}"), NOW).await.unwrap()
        else {
            panic!("shut for {host}")
        };
        assert!(delay >= longest, "{host}");
        longest = delay;
    }
    assert_eq!(longest, Duration::from_secs(4));
    assert_eq!(people.begin_attempt("wang", "n1", NOW).await.unwrap(), Admission::Open(Duration::ZERO));
}

async fn a_shut_row_is_not_given_up_for_newer_ones(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    for _ in 0..5 {
        people.begin_attempt("li", "guesser", NOW).await.unwrap();
    }
    let fill = async |prefix: &'static str, holds_until: UtcMillis| {
        let sql = Sql::new(
            "INSERT INTO login_failures (name, network, failures, failed_at, holds_until) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
             SELECT $2 || i, 'x', 1, $3, $4 FROM n",
        );
        let sql = sql.bind(failures::ROWS_MAX).bind(prefix);
        registry.db.execute(sql.bind(later(0)).bind(holds_until)).await.unwrap();
    };
    let count = async || registry.db.number(Sql::new("SELECT COUNT(*) FROM login_failures")).await.unwrap();
    fill("idle", UtcMillis(0)).await;
    let full = count().await;
    for n in 0..50 {
        people.begin_attempt(&format!("new{n}"), "y", NOW).await.unwrap();
    }
    assert_eq!(count().await, full, "the table grows no further");
    let shut = Admission::Shut(UtcMillis(NOW.0 + 30_000));
    assert_eq!(people.begin_attempt("li", "guesser", NOW).await.unwrap(), shut);
    fill("shut", later(60)).await;
    registry.db.execute(Sql::new("DELETE FROM login_failures WHERE holds_until = 0")).await.unwrap();
    let full = count().await;
    let most = Admission::Open(Duration::from_secs(4));
    assert_eq!(people.begin_attempt("late", "y", NOW).await.unwrap(), most, "no place: slow, not shut");
    assert_eq!(count().await, full);
    assert_eq!(people.begin_attempt("li", "guesser", NOW).await.unwrap(), shut);
}

async fn whoever_is_logged_in_waits_for_no_writer(home: Home) {
    let registry = home.open().await;
    let li = account(&registry, "li").await;
    log_in(&registry, li.id, "one").await;
    let used = async || registry.people().logins(li.id, IDLE, NOW).await.unwrap()[0].last_used_at;
    // Somebody writes, and goes on writing.
    let turn = registry.writer.lock().await;
    for minute in 1..=3 {
        let read = is_in(&registry, "one", later(minute));
        assert!(tokio::time::timeout(Duration::from_secs(5), read).await.expect("it waits for the writer"));
    }
    drop(turn);
    assert_eq!(used().await, NOW, "not written down yet");
    registry.flush_login_use().await.unwrap();
    assert_eq!(used().await, later(3));
    for seconds in [1, 59] {
        assert!(is_in(&registry, "one", UtcMillis(later(3).0 + seconds * 1_000)).await);
        registry.flush_login_use().await.unwrap();
        assert_eq!(used().await, later(3), "at most once a minute");
    }
    assert!(is_in(&registry, "one", later(4)).await);
    registry.flush_login_use().await.unwrap();
    assert_eq!(used().await, later(4));
}

async fn links_hold_once_and_for_a_time(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let li = account(&registry, "li").await;
    let new = NewPassword { hash: "hash", name: "", display_name: "" };
    let first = people.create_link(Some(li.id), "test", NOW).await.unwrap();
    let second = people.create_link(Some(li.id), "test", NOW).await.unwrap();
    assert_eq!(people.use_link(&first, &new, NOW).await.unwrap(), None, "another was made");
    assert!(people.use_link(&second, &new, NOW).await.unwrap().unwrap().has_password);
    assert_eq!(people.use_link(&second, &new, NOW).await.unwrap(), None, "used");
    let third = people.create_link(Some(li.id), "test", NOW).await.unwrap();
    assert_eq!(people.use_link(&third, &new, later(LINK_HOURS * 60)).await.unwrap(), None, "over");
    assert_eq!(people.create_first_link(NOW).await.unwrap(), None, "there is an account");
}

async fn grants_hold_until_their_end_and_exclude_each_other(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let li = account(&registry, "li").await;
    log_in(&registry, li.id, "one").await;
    let new = |role, until| NewGrant { role, unit: None, is_secret: false, until };
    people.grant(li.id, new(Role::Viewer, Some(later(5))), "test", NOW).await.unwrap();
    let held =
        async |now| people.logged_in(&secrets::sha256("one"), IDLE, now).await.unwrap().unwrap().grants.len();
    assert_eq!((held(later(4)).await, held(later(5)).await), (1, 0));
    assert!(matches!(
        people.grant(li.id, new(Role::AuditAdmin, None), "test", NOW).await,
        Err(Error::Refused(_))
    ));
    let admin = people.grant(li.id, new(Role::AuditAdmin, None), "test", later(6)).await.unwrap();
    assert!(people.revoke_grant(li.id, admin.id, "test", later(7)).await.unwrap());
    assert!(!people.revoke_grant(li.id, admin.id, "test", later(7)).await.unwrap());
    assert!(matches!(
        people.grant(99, new(Role::Viewer, None), "test", NOW).await,
        Err(Error::Unknown { .. })
    ));
}

async fn codes_hold_once(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let li = account(&registry, "li").await;
    let code = |now| totp::code_of(&[7; 20], totp::step_of(now));
    assert!(people.propose_totp(li.id, &[7; 20]).await.unwrap());
    assert!(!people.use_code(li.id, &code(NOW), NOW).await.unwrap(), "not in force yet");
    let spare = ["aaaa-bbbb".to_owned()];
    assert!(people.confirm_totp(li.id, &code(NOW), &spare, NOW).await.unwrap());
    assert!(!people.propose_totp(li.id, &[8; 20]).await.unwrap());
    assert!(!people.use_code(li.id, &code(NOW), NOW).await.unwrap(), "used up by confirming");
    assert!(people.use_code(li.id, &code(later(1)), later(1)).await.unwrap());
    assert!(!people.use_code(li.id, &code(later(1)), later(1)).await.unwrap());
    assert!(people.use_code(li.id, "AAAA-bbbb ", NOW).await.unwrap());
    assert!(!people.use_code(li.id, "aaaa-bbbb", NOW).await.unwrap());
}

async fn the_log_is_a_chain_that_shows_every_change(home: Home) {
    let registry = home.open().await;
    let people = registry.people();
    let folder = tempfile::tempdir().unwrap();
    let key = HeadKey::open(&folder.path().join("key")).unwrap();
    let mut signed = Vec::new();
    for n in 1..=6 {
        let deed = Deed {
            actor: "a\0b\u{7}".to_owned(),
            action: "x".to_owned(),
            detail: format!("第{n}"),
            ..Deed::default()
        };
        assert_eq!(people.note(deed, later(n)).await.unwrap(), n);
        if n % 2 == 0 {
            let (seq, hash) = people.audit_log_end().await.unwrap().unwrap();
            signed.push(key.sign(&format!("2026-03-0{n}"), seq, &hash, later(n)));
        }
    }
    let text: String = signed.iter().map(|head| serde_json::to_string(head).unwrap() + "\n").collect();
    let signed = heads::read(&text, Some(&key.public())).unwrap();
    let good = verify(people, &signed).await.unwrap();
    assert_eq!((good.entries, good.heads, good.fault), (6, 3, None));

    let run = async |sql: &'static str| registry.db.execute(Sql::new(sql)).await.unwrap();
    let fault = async |heads: &[heads::Head]| verify(people, heads).await.unwrap().fault;
    run("UPDATE audit_log SET actor = 'somebody else' WHERE seq = 3").await;
    assert_eq!(fault(&[]).await, Some(Fault::Changed(3)));
    run("UPDATE audit_log SET actor = 'ab' WHERE seq = 3").await;
    assert_eq!(fault(&[]).await, None, "as it was");
    run("UPDATE audit_log SET detail = 'x' WHERE seq = 4").await;
    assert_eq!(fault(&[]).await, Some(Fault::DetailChanged(4)));
    run("UPDATE audit_log SET detail = '第4' WHERE seq = 4").await;

    run("DELETE FROM audit_log WHERE seq = 6").await;
    assert_eq!(fault(&[]).await, None, "a chain alone does not show that its end is gone");
    let cut = fault(&signed).await;
    assert_eq!(cut, Some(Fault::CutOff { seq: 6, last: 5, day: "2026-03-06".to_owned() }));
    // Written anew: the chain holds, the signed head does not.
    let deed = Deed { actor: "forger".to_owned(), ..Deed::default() };
    people.note(deed, later(6)).await.unwrap();
    assert_eq!(fault(&[]).await, None);
    assert_eq!(fault(&signed).await, Some(Fault::Rewritten { seq: 6, day: "2026-03-06".to_owned() }));
    run("DELETE FROM audit_log WHERE seq = 2").await;
    assert_eq!(fault(&signed).await, Some(Fault::Missing { expected: 2, found: 3 }));
}

async fn tokens_and_accounts_number_people_together(home: Home) {
    let registry = home.open().await;
    let li = account(&registry, "li").await;
    let person = crate::registry::TokenPerson {
        id: PersonId(0),
        name: "wang".to_owned(),
        roles: [motorpool_supervision::cases::Role::Inspector].into(),
        unit: UnitId(1),
    };
    let made =
        registry.create_token_for("wang", &[crate::registry::Scope::Read], Some(&person), None, "test", NOW);
    made.await.unwrap();
    let token = registry.tokens()[0].person.clone().unwrap();
    assert_eq!((li.person, token.id), (PersonId(1), PersonId(2)));
}
