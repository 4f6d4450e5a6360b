//! A server process to test against, a plain HTTP client, and the shared material.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest any single wait of a test may take before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at something that is waited for: who asks without a pause takes the machine from who is to answer.
const POLL: Duration = Duration::from_millis(2);

/// The binary under test.
pub(crate) const MOTORPOOL: &str = env!("CARGO_BIN_EXE_motorpool");

/// A scratch data folder.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A running `motorpool serve`, killed when dropped.
pub(crate) struct Served {
    child: Child,
    /// What it has logged, when that is kept.
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) trackers: SocketAddr,
    /// The MQTT listener.
    pub(crate) mqtt: SocketAddr,
    pub(crate) http: SocketAddr,
    /// The listener for lower platforms, when there is one.
    pub(crate) jt809: Option<SocketAddr>,
    pub(crate) token: String,
}

impl Served {
    /// Starts on free ports over `data`.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts with extra environment variables; they win over the defaults of the test.
    pub(crate) fn start_with(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(MOTORPOOL);
        command.args(["serve", "--data"]).arg(data).env("MOTORPOOL_LOG", "warn");
        // Tests that wait ask often.
        command.env("MOTORPOOL__HTTP__REQUESTS_PER_SECOND", "0");
        Self::run(data, command.envs(variables.iter().copied()))
    }

    /// Starts with a system call on `path` that fails as `fault` says (strace's `inject`), and keeps the log. What strace saw is in
    /// `strace.log` of the data folder. Ask [`can_inject`] before.
    pub(crate) fn start_injecting(
        data: &Path,
        path: &Path,
        call: &str,
        fault: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        fs::create_dir_all(data).unwrap();
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-o"]).arg(data.join("strace.log")).arg("-P").arg(path);
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}")]);
        command.args([MOTORPOOL, "serve", "--data"]).arg(data).stderr(Stdio::piped());
        command.env("MOTORPOOL_LOG", "warn").env("MOTORPOOL__HTTP__REQUESTS_PER_SECOND", "0");
        Self::run(data, command.envs(variables.iter().copied()))
    }

    /// Starts `motorpool demo` over `data`.
    pub(crate) fn demo(data: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(MOTORPOOL);
        command.args(["demo", "--data"]).arg(data).args(arguments).stderr(Stdio::piped());
        command.env("MOTORPOOL__HTTP__REQUESTS_PER_SECOND", "0");
        Self::run(data, command.env("MOTORPOOL_LOG", "info").env("MOTORPOOL__SUPERVISION__INTERVAL", "1s"))
    }

    fn run(data: &Path, command: &mut Command) -> Self {
        let defaults = [
            ("MOTORPOOL__TRACKERS__LISTEN", "127.0.0.1:0"),
            ("MOTORPOOL__MQTT__LISTEN", "127.0.0.1:0"),
            ("MOTORPOOL__HTTP__LISTEN", "127.0.0.1:0"),
            ("MOTORPOOL__JOURNAL__SEGMENT_SIZE", "4MiB"),
            ("MOTORPOOL__JOURNAL__QUEUE_MAX", "2MiB"),
        ];
        let given: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        let missing = defaults.into_iter().filter(|(name, _)| !given.iter().any(|given| given == name));
        command.envs(missing).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let log = Arc::clone(&log);
            std::thread::spawn(move || lines.for_each(|line| log.lock().unwrap().push(line)));
        }
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The token line is the last of the announcement: by then everything listens.
        let announced = lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("API token"));
        assert!(announced, "the server ended before it announced itself: {:?}", child.wait());
        // Keep reading, so that the server never writes into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let addresses: Value =
            serde_json::from_str(&fs::read_to_string(data.join("addresses.json")).unwrap()).unwrap();
        let address = |key: &str| addresses[key].as_str().unwrap().parse().unwrap();
        Self {
            child,
            log,
            trackers: address("trackers"),
            mqtt: address("mqtt"),
            http: address("http"),
            jt809: addresses["jt809"].as_str().map(|address| address.parse().unwrap()),
            token: fs::read_to_string(data.join("api-token")).unwrap().trim().to_owned(),
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether a line of its log, when that is kept, contains `text`.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end; fails when it takes too long or ends badly.
    pub(crate) fn stop(mut self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
        let ended = wait_until(|| self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}");
    }

    /// GET with the token; fails on any status but 200.
    pub(crate) fn get(&self, path: &str) -> String {
        let answer = self.request("GET", path, Some(&self.token), None);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.body
    }

    /// GET of JSON with the token.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    /// One request over a connection of its own.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let mut socket = TcpStream::connect(self.http).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{authorization}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        Answer::parse(&bytes)
    }

    /// Enrols terminals.
    pub(crate) fn enrol(&self, terminals: &[&str]) {
        let devices: Vec<Value> = terminals
            .iter()
            .map(|terminal| serde_json::json!({"terminal": terminal, "protocol": "jt808"}))
            .collect();
        let body = serde_json::json!({ "devices": devices });
        let answer = self.request("POST", "/api/v1/devices", Some(&self.token), Some(&body));
        assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
    }

    /// The value of a metric, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics");
        let values: Vec<f64> = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(!values.is_empty(), "no metric {name}");
        values.iter().sum()
    }

    /// Waits until the folds have applied everything that is durable.
    pub(crate) fn wait_consumed(&self) {
        wait_until(|| {
            let status = self.get_json("/api/v1/status");
            (status["journal"]["consumed_lsn"] == status["journal"]["durable_lsn"]).then_some(())
        });
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a header");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = &bytes[split + 4..];
        let body = if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            dechunk(rest)
        } else {
            rest.to_vec()
        };
        Self { status, body: String::from_utf8(body).unwrap() }
    }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}

/// Runs a command of the binary to its end.
pub(crate) fn motorpool(arguments: &[&str]) -> Output {
    Command::new(MOTORPOOL).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must end with exit code 0 and returns what it printed.
pub(crate) fn motorpool_ok(arguments: &[&str]) -> String {
    let output = motorpool(arguments);
    assert!(
        output.status.success(),
        "motorpool {}: {}\n{}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Polls until there is an answer; fails after [`PATIENCE`].
pub(crate) fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain");
        std::thread::park_timeout(POLL);
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether system calls can be made to fail here.
pub(crate) fn can_inject() -> bool {
    let works = Command::new("strace").args(["-D", "-o", "/dev/null", "true"]).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        println!("SKIPPED: strace is not there or may not trace");
    }
    works
}

/// A file of the shared material, or `None` (said loudly) when it is not beside the checkout.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    println!("SKIPPED: {} is not there", file.display());
    None
}
