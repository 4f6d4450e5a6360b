//! Commands on both databases.

use motorpool_protocols::UtcMillis;

use super::testing::{Home, on_both};
use super::{CommandState, NewCommand, OPEN_COMMANDS_MAX, Registry, StoredCommand};
use crate::ids::DeviceId;

const NOW: UtcMillis = UtcMillis(1_772_589_600_000);
const LATER: UtcMillis = UtcMillis(NOW.0 + 60_000);
const EXPIRY: UtcMillis = UtcMillis(NOW.0 + 3_600_000);
const DEVICE: DeviceId = DeviceId(7);

on_both! {
    a_command_waits_goes_out_once_and_is_confirmed
    of_what_was_sent_and_lost_only_the_harmless_goes_out_again
    a_number_that_a_device_names_is_one_of_its_own_or_nothing
    what_waits_too_long_expires_and_is_never_sent
    a_device_has_a_limited_queue
}

async fn queue(registry: &Registry, is_harmless: bool) -> i64 {
    let command = r#"{"kind":"position"}"#.to_owned();
    let new = NewCommand { device: DEVICE, command, is_harmless, expires_at: EXPIRY };
    registry.queue_command(&new, ("test", None), NOW).await.unwrap()
}

async fn the(registry: &Registry, id: i64) -> StoredCommand {
    let all = registry.commands_of(DEVICE, i64::MAX, 100).await.unwrap();
    all.into_iter().find(|command| command.id == id).unwrap()
}

async fn a_command_waits_goes_out_once_and_is_confirmed(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, false).await;
    assert_eq!(registry.queued_commands(0, 10).await.unwrap().len(), 1);
    assert!(registry.command_goes_out(id, LATER).await.unwrap());
    assert!(!registry.command_goes_out(id, LATER).await.unwrap(), "it is out already");
    registry.end_command(id, true, Some("0"), LATER).await.unwrap();
    let ended = the(&registry, id).await;
    assert_eq!((ended.state, ended.attempts), (CommandState::Confirmed, 1));
    assert_eq!((ended.sent_at, ended.ended_at), (Some(LATER), Some(LATER)));
    registry.end_command(id, false, None, LATER).await.unwrap();
    assert_eq!(the(&registry, id).await.state, CommandState::Confirmed, "an end is an end");
}

async fn of_what_was_sent_and_lost_only_the_harmless_goes_out_again(home: Home) {
    let registry = home.open().await;
    let (other, harmless) = (queue(&registry, false).await, queue(&registry, true).await);
    for attempt in 1..=3 {
        for id in [harmless, other] {
            registry.command_goes_out(id, NOW).await.unwrap();
        }
        registry.lose_commands(LATER, LATER).await.unwrap();
        let again = if attempt < 3 { CommandState::Queued } else { CommandState::Unknown };
        assert_eq!(the(&registry, harmless).await.state, again, "attempt {attempt}");
        assert_eq!(the(&registry, other).await.state, CommandState::Unknown, "attempt {attempt}");
    }
    // Sent again it could undo what was sent since.
    let (before, after) = (queue(&registry, true).await, queue(&registry, true).await);
    for id in [before, after] {
        registry.command_goes_out(id, NOW).await.unwrap();
    }
    registry.lose_command(before, LATER).await.unwrap();
    registry.lose_command(after, LATER).await.unwrap();
    assert_eq!(the(&registry, before).await.state, CommandState::Unknown);
    assert_eq!(the(&registry, after).await.state, CommandState::Queued);
    registry.end_command(after, true, None, LATER).await.unwrap();
    assert_eq!(the(&registry, after).await.state, CommandState::Confirmed, "its answer was only late");
    // A late answer still tells what became of it.
    registry.end_command(other, true, None, LATER).await.unwrap();
    assert_eq!(the(&registry, other).await.state, CommandState::Confirmed);
}

async fn a_number_that_a_device_names_is_one_of_its_own_or_nothing(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, false).await;
    registry.end_command_of(DEVICE, id, true, None, LATER).await.unwrap();
    assert_eq!(the(&registry, id).await.state, CommandState::Queued, "it was never sent");
    registry.command_goes_out(id, NOW).await.unwrap();
    registry.lose_command(id, LATER).await.unwrap();
    registry.end_command_of(DeviceId(8), id, true, None, LATER).await.unwrap();
    assert_eq!(the(&registry, id).await.state, CommandState::Unknown);
    registry.end_command_of(DEVICE, id, true, Some("done"), LATER).await.unwrap();
    let ended = the(&registry, id).await;
    assert_eq!((ended.state, ended.detail.as_deref()), (CommandState::Confirmed, Some("done")));
}

async fn what_waits_too_long_expires_and_is_never_sent(home: Home) {
    let registry = home.open().await;
    let id = queue(&registry, true).await;
    let past = UtcMillis(EXPIRY.0 + 1);
    assert!(!registry.command_goes_out(id, past).await.unwrap());
    registry.expire_commands(UtcMillis(0), past).await.unwrap();
    assert_eq!(the(&registry, id).await.state, CommandState::Expired);
    registry.expire_commands(past, past).await.unwrap();
    assert!(registry.commands_of(DEVICE, i64::MAX, 10).await.unwrap().is_empty(), "forgotten");
}

async fn a_device_has_a_limited_queue(home: Home) {
    let registry = home.open().await;
    for _ in 0..OPEN_COMMANDS_MAX {
        queue(&registry, true).await;
    }
    let new = NewCommand { device: DEVICE, command: "{}".to_owned(), is_harmless: true, expires_at: EXPIRY };
    registry.queue_command(&new, ("test", None), NOW).await.unwrap_err();
    let other = NewCommand { device: DeviceId(8), ..new };
    registry.queue_command(&other, ("test", None), NOW).await.unwrap();
}
