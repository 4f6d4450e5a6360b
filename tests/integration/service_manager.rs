//! What a service manager hears: that terminals can connect, that the journal stores, that the server stops.

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Served, can_inject, scratch, text, wait_until};
use crate::terminal::{Terminal, frame};

const TERMINAL: &str = "013900000001";

/// A manager's side of the socket.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn listen(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, path: text(&path).to_owned() }
    }

    /// What the manager puts into the environment of a service that it wants to hear from every second.
    fn variables(&self) -> [(&str, &str); 2] {
        [("NOTIFY_SOCKET", &self.path), ("WATCHDOG_USEC", "1000000")]
    }

    /// The next message; `None` when there is none for so long.
    fn hears(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).trim().to_owned())
    }

    /// The next message, however long it takes.
    fn waits(&self) -> String {
        self.hears(Duration::from_secs(60)).expect("the service says something")
    }
}

#[test]
fn a_manager_hears_that_terminals_can_connect_that_all_is_well_and_that_it_ends() {
    let folder = scratch();
    let manager = Manager::listen(folder.path());
    let data = folder.path().join("data");
    let server = Served::start_with(&data, &manager.variables());
    assert_eq!(manager.waits(), "READY=1");
    let addresses: Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("addresses.json")).unwrap()).unwrap();
    TcpStream::connect(addresses["trackers"].as_str().unwrap()).unwrap();
    assert_eq!(manager.waits(), "WATCHDOG=1");
    // A reload ends nothing, also where there are no certificates to read again.
    assert!(Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap().success());
    assert_eq!(manager.waits(), "WATCHDOG=1");
    server.stop();
    let last = std::iter::repeat_with(|| manager.waits()).find(|said| said != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[test]
fn a_manager_does_not_hear_that_all_is_well_from_a_journal_that_can_not_write() {
    if !can_inject() {
        return;
    }
    let folder = scratch();
    let manager = Manager::listen(folder.path());
    let data = folder.path().join("data");
    let segment = data.join("journal/0000000000000000.seg");
    let server =
        Served::start_injecting(&data, &segment, "fdatasync", "error=EIO:when=1+", &manager.variables());
    assert_eq!(manager.waits(), "READY=1");
    assert_eq!(manager.waits(), "WATCHDOG=1");
    server.enrol(&[TERMINAL]);
    let mut link = Terminal::connect(&server);
    let registration = [[0; 37].as_slice(), b"X"].concat();
    link.send(&frame(0x0100, TERMINAL, 1, &registration));
    wait_until(|| (server.get_json("/api/v1/status")["journal"]["health"] == "failed").then_some(()));
    // What was said before is still on its way.
    wait_until(|| manager.hears(Duration::from_millis(10)).is_none().then_some(()));
    assert_eq!(manager.hears(Duration::from_secs(1)), None, "four looks went by");
    server.kill();
}
