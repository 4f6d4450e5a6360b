//! A real Mosquitto, its clients, and a Python client for the MQTT tests. What is not installed is said, and its test passes over.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Served, wait_until};

/// A program of the system, also where only root looks; `None`, said loudly, when it is not installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        println!("SKIPPED: there is no {name} (Debian: apt-get install mosquitto mosquitto-clients)");
    }
    found
}

/// A broker over a folder that outlives it; killed when dropped.
pub(crate) struct Mosquitto {
    program: PathBuf,
    folder: PathBuf,
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Mosquitto {
    /// Starts on a free port, keeping its messages in `folder`.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let program = program("mosquitto")?;
        fs::create_dir_all(folder).unwrap();
        // Nobody else asks for ports by number here, so a port that was free a moment ago stays free.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut config = fs::File::create(folder.join("mosquitto.conf")).unwrap();
        writeln!(
            config,
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             autosave_interval 0\nmax_inflight_messages 1000\nmax_queued_messages 0\nuser root\nlog_dest none",
            address.port(),
            folder.display()
        )
        .unwrap();
        let child = Self::run(&program, folder, address);
        Some(Self { program, folder: folder.to_owned(), child, address })
    }

    fn run(program: &Path, folder: &Path, address: SocketAddr) -> Child {
        let child = Command::new(program)
            .arg("-c")
            .arg(folder.join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(|| TcpStream::connect(address).ok().map(drop));
        child
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// SIGTERM: it saves what it holds. Then starts it again.
    pub(crate) fn restart(&mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
        self.child = Self::run(&self.program, &self.folder, self.address);
    }

    /// Makes it save what it holds, then kill -9, then starts it again.
    pub(crate) fn save_and_kill(&mut self) {
        let saved = self.folder.join("mosquitto.db");
        drop(fs::remove_file(&saved));
        self.signal("USR1");
        // It writes another file and renames it.
        wait_until(|| saved.exists().then_some(()));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::run(&self.program, &self.folder, self.address);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Enrols a device that publishes over MQTT and answers its secret.
pub(crate) fn enrol_mqtt(server: &Served, terminal: &str) -> String {
    let body = json!({"devices": [{"terminal": terminal, "protocol": "json"}]});
    let answer = server.request("POST", "/api/v1/devices", Some(&server.token), Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let path = format!("/api/v1/devices/{terminal}/mqtt-secret");
    let answer = server.request("POST", &path, Some(&server.token), Some(&json!({})));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let made: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(made["user"], terminal);
    made["secret"].as_str().unwrap().to_owned()
}

/// Runs `mosquitto_pub` or `mosquitto_sub` as a device.
pub(crate) fn client(program: &Path, to: SocketAddr, login: (&str, &str), arguments: &[&str]) -> Output {
    Command::new(program)
        .args(["-h", &to.ip().to_string(), "-p", &to.port().to_string(), "-u", login.0, "-P", login.1])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A Python with paho-mqtt, made once in the target folder; `None`, said loudly, where that is not possible.
pub(crate) fn python_with_paho() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(make_python).as_deref()
}

fn make_python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("paho");
    let python = folder.join("bin/python");
    let runs = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let has_paho = || runs(&python, &["-c", "import paho.mqtt.client"]);
    if !has_paho() {
        let venv = folder.to_str().unwrap();
        let made = runs(Path::new("python3"), &["-m", "venv", venv])
            && runs(&python, &["-m", "pip", "install", "-q", "paho-mqtt==2.1.0"]);
        if !made || !has_paho() {
            println!("SKIPPED: no Python with paho-mqtt (python3 -m venv, and PyPI)");
            return None;
        }
    }
    Some(python)
}
