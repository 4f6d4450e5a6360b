//! Registries for tests: one on SQLite in a scratch folder, one in a private PostgreSQL, and [`on_both!`] for each test.
//!
//! The PostgreSQL of a test run is a cluster of its own in a scratch folder, reached over a socket there. It is started by the
//! first test that wants it, and stopped and deleted when the test process ends, in whatever way: a shell that waits for the
//! end of its input sees to that. Each test has its own schema.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Registry;
use crate::config::{Config, SecretUrl};

/// Starts a cluster, prints its folder, and takes it down when its input ends. `$1` is the folder of the programs. The order of
/// text is a language's where possible, so that a query that relies on the order of bytes fails.
const SCRIPT: &str = r#"
set -eu
trap : INT TERM
dir=$(mktemp -d /tmp/motorpool-test.XXXXXX)
trap 'cd /; rm -rf "$dir"' EXIT
cd "$dir"
init="$1/initdb -D data -U motorpool -A trust -E UTF8 --no-sync"
$init --locale=C --locale-provider=icu --icu-locale=zh >log 2>&1 || { rm -rf data; $init --locale=C >log 2>&1; } ||
    { cat log >&2; exit 1; }
"$1/pg_ctl" -D data -l log -w -s \
    -o "-k $dir -c listen_addresses= -c fsync=off -c max_connections=400" start || { cat log >&2; exit 1; }
echo "$dir"
cat >/dev/null
"$1/pg_ctl" -D data -m immediate -s stop
"#;

/// The cluster of this process.
struct Cluster {
    folder: String,
    /// The cluster lives until this is closed.
    _until: ChildStdin,
}

static CLUSTER: LazyLock<Option<Cluster>> = LazyLock::new(|| match start() {
    Ok(cluster) => Some(cluster),
    Err(why) => {
        // Not through `eprintln!`, which the test harness hides when all goes well.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "\n*** SKIPPED: every registry test on PostgreSQL: {why} ***\n").unwrap();
        None
    }
});

/// The folder of PostgreSQL's programs: the newest of Debian's, else what is on the path.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    folders.sort();
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut all = folders.into_iter().rev().map(|(_, path)| path).chain(on_path);
    all.find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).exists()))
}

fn start() -> Result<Cluster, String> {
    let programs = programs().ok_or("it is not installed (Debian: apt-get install postgresql)")?;
    let mut command = match is_root() {
        false => Command::new("sh"),
        // PostgreSQL refuses to run as root.
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            command
        }
    };
    let mut child = command
        .args(["-c", SCRIPT, "sh"])
        .arg(programs)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut folder = String::new();
    let stdout = child.stdout.take().ok_or("no output")?;
    BufReader::new(stdout).read_line(&mut folder).map_err(|error| error.to_string())?;
    let folder = folder.trim().to_owned();
    if folder.is_empty() {
        return Err("it is installed but does not start; its messages stand above".to_owned());
    }
    Ok(Cluster { folder, _until: child.stdin.take().ok_or("no input")? })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where a registry under test lives: it can be opened again and again, and is gone with this value.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    url: SecretUrl,
}

impl Home {
    /// SQLite in a scratch folder.
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: SecretUrl::default() }
    }

    /// A schema of its own in PostgreSQL; `None`, told loudly, when there is no PostgreSQL.
    pub(crate) async fn postgres() -> Option<Self> {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let cluster = CLUSTER.as_ref()?;
        let schema = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let base = format!("postgres:///postgres?host={}&user=motorpool", cluster.folder);
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&base).await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        let url = SecretUrl::new(format!("{base}&options=-c%20search_path%3D{schema}"));
        Some(Self { folder: tempfile::tempdir().unwrap(), url })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.is_empty()
    }

    /// The default configuration, with this place.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.registry.url = self.url.clone();
        config
    }

    pub(crate) async fn open(&self) -> Registry {
        self.open_with(&self.config()).await
    }

    pub(crate) async fn open_with(&self, config: &Config) -> Registry {
        Registry::open(self.path(), config).await.unwrap()
    }
}

impl Registry {
    /// Forgets what the audit log holds behind an entry.
    pub(crate) async fn cut_audit_log(&self, behind: i64) {
        let sql = super::db::Sql::new("DELETE FROM audit_log WHERE seq > $1").bind(behind);
        self.db.execute(sql).await.unwrap();
    }

    /// Takes the table of the audit log away, or brings it back: no line can be written meanwhile.
    pub(crate) async fn hide_audit_log(&self, is_hidden: bool) {
        let sql = if is_hidden {
            "ALTER TABLE audit_log RENAME TO audit_log_away"
        } else {
            "ALTER TABLE audit_log_away RENAME TO audit_log"
        };
        self.db.execute(super::db::Sql::new(sql)).await.unwrap();
    }
}

/// Makes two tests of each `async fn name(home: Home)`: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::registry::testing::Home::sqlite()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(home) = crate::registry::testing::Home::postgres().await {
                    super::$name(home).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;
