//! A server as a process of its own, what it counts, and the load for it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const MOTORPOOL: &str = env!("CARGO_BIN_EXE_motorpool");

/// A server process.
pub(crate) struct Served {
    child: Child,
    trackers: String,
    http: String,
    token: String,
}

impl Served {
    pub(crate) fn start(data: &Path, pinned_to: Option<u32>) -> Self {
        let mut child = pinned(Path::new(MOTORPOOL), pinned_to)
            .args(["serve", "--data"])
            .arg(data)
            .env("MOTORPOOL__TRACKERS__LISTEN", "127.0.0.1:0")
            .env("MOTORPOOL__MQTT__LISTEN", "127.0.0.1:0")
            .env("MOTORPOOL__HTTP__LISTEN", "127.0.0.1:0")
            .env("MOTORPOOL__TRACKERS__UNAUTHENTICATED_LINKS_PER_IP_MAX", "18000")
            .env("MOTORPOOL_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("API token")));
        std::thread::spawn(move || lines.for_each(drop));
        let addresses: Value =
            serde_json::from_slice(&fs::read(data.join("addresses.json")).unwrap()).unwrap();
        let text = |key: &str| addresses[key].as_str().unwrap().to_owned();
        let token = fs::read_to_string(data.join("api-token")).unwrap().trim().to_owned();
        Self { child, trackers: text("trackers"), http: text("http"), token }
    }

    /// The report of terminals that are enrolled and send for so long.
    pub(crate) fn simulate(&self, pinned_to: Option<u32>, load: &[&str], duration_s: u32) -> Value {
        let api = format!("http://{}", self.http);
        let enrolled = [["--api", &api, "--enrol", &self.token].as_slice(), load].concat();
        simulate(&self.trackers, pinned_to, &enrolled, duration_s)
    }

    /// Makes `count` more devices known: vehicles that never connect.
    pub(crate) fn enrol_fleet(&self, count: u32) {
        let devices: Vec<Value> =
            (0..count).map(|at| json!({"terminal": format!("0190{at:08}"), "protocol": "jt808"})).collect();
        for chunk in devices.chunks(5_000) {
            self.request("POST", "/api/v1/devices", &json!({ "devices": chunk }).to_string());
        }
    }

    pub(crate) fn wait_consumed(&self) {
        loop {
            let status: Value = serde_json::from_str(&self.request("GET", "/api/v1/status", "")).unwrap();
            if status["journal"]["consumed_lsn"] == status["journal"]["durable_lsn"] {
                return;
            }
            // Slower than the limit of requests of one token.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.request("GET", "/metrics", "");
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// What writing and syncing a group took while the server ran: median and 99th percentile, milliseconds, on the straight line
    /// between the bounds of the histogram. On a quiet disk a sync takes less than one among everything else that a server writes.
    pub(crate) fn commit_ms(&self) -> (f64, f64) {
        let text = self.request("GET", "/metrics", "");
        let bucket = |line: &str| {
            let (bound_s, count) =
                line.strip_prefix("motorpool_commit_seconds_bucket{le=\"")?.split_once("\"} ")?;
            Some((bound_s.parse::<f64>().unwrap(), count.trim().parse::<f64>().unwrap()))
        };
        let buckets: Vec<(f64, f64)> = text.lines().filter_map(bucket).collect();
        let all = buckets.last().map_or(0.0, |(_, count)| *count);
        let percentile = |part: f64| {
            let (mut below_s, mut below) = (0.0, 0.0);
            for (bound_s, count) in &buckets {
                if *count >= all * part {
                    return 1e3
                        * (below_s + (bound_s - below_s) * (all * part - below) / (count - below).max(1.0));
                }
                (below_s, below) = (*bound_s, *count);
            }
            f64::NAN
        };
        (percentile(0.5), percentile(0.99))
    }

    /// The body of the answer. Of HTTP 1.0, which sends it in one piece.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> String {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(&self.http).unwrap();
        write!(
            socket,
            "{method} {path} HTTP/1.0\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{head}\n{body}");
        body.to_owned()
    }

    /// CPU seconds used so far, user and system.
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks: f64 =
            after_name.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }

    /// The most memory that was ever resident, MiB.
    pub(crate) fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The report of terminals that send to `trackers` for so long.
pub(crate) fn simulate(trackers: &str, pinned_to: Option<u32>, load: &[&str], duration_s: u32) -> Value {
    let output = pinned(Path::new(MOTORPOOL), pinned_to)
        .args(["simulate", "--protocol", "jt808", "--to", trackers, "--json"])
        .args(["--duration", &duration_s.to_string()])
        .args(load)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(last).unwrap()
}

/// A program, on one processor only if one is named.
pub(crate) fn pinned(program: &Path, to: Option<u32>) -> Command {
    match to {
        None => Command::new(program),
        Some(processor) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &processor.to_string()]).arg(program);
            command
        }
    }
}
