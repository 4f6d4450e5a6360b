//! Commands to terminals: queued, sent, confirmed, failed, unknown, expired, and never twice unless that is harmless.

use serde_json::{Value, json};

use crate::support::{Served, scratch, wait_until};
use crate::terminal::{Terminal, frame};

const TERMINAL: &str = "013900000001";

fn serving() -> (tempfile::TempDir, Served) {
    let folder = scratch();
    let server = Served::start(folder.path());
    server.enrol(&[TERMINAL]);
    (folder, server)
}

fn tell(server: &Served, body: &Value) -> i64 {
    let path = format!("/api/v1/devices/{TERMINAL}/commands");
    let answer = server.request("POST", &path, Some(&server.token), Some(body));
    assert_eq!(answer.status, 201, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["id"].as_i64().unwrap()
}

fn command(server: &Served, id: i64) -> Value {
    let all = server.get_json(&format!("/api/v1/devices/{TERMINAL}/commands"));
    let found = all["items"].as_array().unwrap().iter().find(|command| command["id"] == id).cloned();
    found.unwrap()
}

fn wait_for_state(server: &Served, id: i64, state: &str) -> Value {
    wait_until(|| Some(command(server, id)).filter(|command| command["state"] == state))
}

/// The next frame that is not a general reply: message id, serial and body.
fn order(terminal: &mut Terminal) -> (u16, [u8; 2], Vec<u8>) {
    loop {
        let frame = terminal.receive();
        let id = u16::from_be_bytes([frame[0], frame[1]]);
        if id != 0x8001 {
            return (id, [frame[10], frame[11]], frame[12..frame.len() - 1].to_vec());
        }
    }
}

/// The terminal's general reply, 0x0001.
fn reply(terminal: &mut Terminal, serial: [u8; 2], id: u16, result: u8) {
    let [high, low] = id.to_be_bytes();
    terminal.send(&frame(0x0001, TERMINAL, 40, &[serial[0], serial[1], high, low, result]));
}

#[test]
fn a_command_goes_out_and_the_terminals_word_is_kept() {
    let (_folder, server) = serving();
    let mut terminal = Terminal::logged_in(&server, TERMINAL);
    let interval = json!({"command": {"command": "interval", "seconds": 10, "valid_for_s": 600}});
    let id = tell(&server, &interval);
    let (message, serial, body) = order(&mut terminal);
    // JT/T 808-2013 table 19: temporary position tracking control.
    assert_eq!((message, body.as_slice()), (0x8202, &[0, 10, 0, 0, 2, 0x58][..]));
    assert_eq!(wait_for_state(&server, id, "sent")["attempts"], 1);
    reply(&mut terminal, serial, message, 0);
    wait_for_state(&server, id, "confirmed");

    let id = tell(&server, &interval);
    let (message, serial, _) = order(&mut terminal);
    reply(&mut terminal, serial, message, 3);
    assert_eq!(wait_for_state(&server, id, "failed")["detail"], "not_supported");
}

#[test]
fn what_waits_for_a_terminal_goes_out_when_it_comes_and_nothing_is_told_twice() {
    let (_folder, server) = serving();
    let text = json!({"command": {"command": "text", "text": "请回电", "urgent": false, "display": true, "speak": true}});
    let spoken = tell(&server, &text);
    let asked = tell(&server, &json!({"command": {"command": "ask_position"}}));
    assert_eq!(command(&server, spoken)["state"], "queued");
    let mut terminal = Terminal::logged_in(&server, TERMINAL);
    let (first, ..) = order(&mut terminal);
    let (second, ..) = order(&mut terminal);
    assert_eq!((first, second), (0x8300, 0x8201), "in the order in which they were given");
    wait_for_state(&server, asked, "sent");
    // It goes without a word. The text may have been read aloud: nobody knows. To ask again harms nobody.
    drop(terminal);
    wait_for_state(&server, spoken, "unknown");
    wait_for_state(&server, asked, "queued");
    let mut terminal = Terminal::logged_in(&server, TERMINAL);
    assert_eq!(order(&mut terminal).0, 0x8201);
    assert_eq!(wait_for_state(&server, asked, "sent")["attempts"], 2);
    assert_eq!(command(&server, spoken)["state"], "unknown");
}

#[test]
fn after_a_kill_of_the_server_nobody_knows_of_what_was_sent() {
    let folder = scratch();
    let server = Served::start(folder.path());
    server.enrol(&[TERMINAL]);
    let mut terminal = Terminal::logged_in(&server, TERMINAL);
    let text = json!({"command": {"command": "text", "text": "x", "urgent": false, "display": true, "speak": false}});
    let id = tell(&server, &text);
    assert_eq!(order(&mut terminal).0, 0x8300);
    server.kill();
    let server = Served::start(folder.path());
    wait_for_state(&server, id, "unknown");
    let mut terminal = Terminal::logged_in(&server, TERMINAL);
    let asked = tell(&server, &json!({"command": {"command": "ask_position"}}));
    assert_eq!(order(&mut terminal).0, 0x8201, "the text is not sent again");
    wait_for_state(&server, asked, "sent");
}

#[test]
fn what_can_not_be_said_is_refused_or_fails_and_cutting_the_engine_is_not_offered() {
    let (_folder, server) = serving();
    let path = format!("/api/v1/devices/{TERMINAL}/commands");
    for wrong in [
        json!({"command": {"command": "cut_fuel"}}),
        json!({"command": {"command": "interval"}}),
        json!({}),
        json!({"zone": {"id": 7}}),
        json!({"command": {"command": "ask_position"}, "expires_in_s": 0}),
    ] {
        let answer = server.request("POST", &path, Some(&server.token), Some(&wrong));
        assert!((400..500).contains(&answer.status), "{wrong}: {} {}", answer.status, answer.body);
    }
    let nobody =
        server.request("POST", "/api/v1/devices/999/commands", Some(&server.token), Some(&json!({})));
    assert_eq!(nobody.status, 404, "{}", nobody.body);
    let id =
        tell(&server, &json!({"command": {"command": "set_circles", "action": "append", "circles": []}}));
    let _terminal = Terminal::logged_in(&server, TERMINAL);
    assert!(
        wait_for_state(&server, id, "failed")["detail"].as_str().is_some_and(|detail| !detail.is_empty())
    );
}
