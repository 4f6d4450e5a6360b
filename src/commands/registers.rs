//! `motorpool registry import` and `export`: registers as files, with the server running or not.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::intake::{Datum, Problem, Report};
use motorpool_supervision::rules::Lang;
use serde_json::json;

use super::Outcome;
use super::deeds;
use super::registry::{Place, with_registry_and_config};
use crate::accounts::chain::Deed;
use crate::clock::wall_now;
use crate::config::Config;
use crate::registers::{
    Clearance, Clerk, ImportFile, Imported, KINDS, Kind, Office, Operator, Submitted, export_csv, kind,
    read_file,
};
use crate::registry::{Known, Registry, RowFilter};
use crate::supervision::ClearanceSources;

/// Rows read at a time.
const PAGE: u32 = 2_000;

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    place: Place,
    /// The kind of rows, for example `order`
    #[arg(value_name = "KIND", value_parser = known_kind)]
    kind: &'static Kind,
    /// CSV (UTF-8 or GBK, .gz or not), XLSX, for zones also GeoJSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Look only
    #[arg(long)]
    dry_run: bool,
    /// The sheet of a workbook; its first when left out
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// What coordinates are in
    #[arg(long, value_name = "DATUM", default_value = "wgs84", value_parser = datum)]
    datum: Datum,
    /// Where times without an offset are local; that of the configuration when left out
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The unit of rows that name none: its number, code or name
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Who imports
    #[arg(long = "as", value_name = "NAME", default_value = "command line")]
    who: String,
    /// Language of what is wrong
    #[arg(long, value_name = "zh|en", default_value = "en", value_parser = lang)]
    lang: Lang,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// The kind of rows, for example `order`
    #[arg(value_name = "KIND", value_parser = known_kind)]
    kind: &'static Kind,
    /// CSV that an import reads again, or one JSON object a line
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = ["csv", "json"])]
    format: String,
    /// As it was known at this time, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant)]
    known_at: Option<UtcMillis>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn known_kind(name: &str) -> Result<&'static Kind, String> {
    kind(name).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        format!("the kinds are {}", names.join(", "))
    })
}

fn datum(name: &str) -> Result<Datum, String> {
    Datum::from_name(name).ok_or_else(|| "wgs84, cgcs2000, gcj02 or bd09".to_owned())
}

fn lang(name: &str) -> Result<Lang, String> {
    match name {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err("zh or en".to_owned()),
    }
}

fn instant(text: &str) -> Result<UtcMillis, String> {
    let parsed: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Ok(UtcMillis(parsed.as_millisecond()))
}

pub(super) fn run_import(args: &ImportArgs) -> anyhow::Result<Outcome> {
    with_registry_and_config(&args.place, async |registry, config| import(args, registry, config).await)
}

pub(super) fn run_export(args: &ExportArgs) -> anyhow::Result<Outcome> {
    with_registry_and_config(&args.place, async |registry, _| export(args, registry).await)
}

async fn import(args: &ImportArgs, registry: &Registry, config: &Config) -> anyhow::Result<Outcome> {
    let reading = || format!("can't read {}", args.file.display());
    let length = fs::metadata(&args.file).with_context(reading)?.len();
    if usize::try_from(length).map_or(true, |length| length > config.http.import_max.0) {
        bail!("{} is larger than http.import_max", args.file.display());
    }
    let time_zone = args.timezone.as_ref().unwrap_or(&config.supervision.time_zone);
    let file = ImportFile {
        bytes: fs::read(&args.file).with_context(reading)?,
        sheet: args.sheet.clone(),
        datum: args.datum,
        time_zone: time_zone.clone(),
        unit: args.unit.clone(),
        who: args.who.clone(),
    };
    let now = wall_now();
    let operator = Arc::new(Operator);
    let Imported { report, changes } =
        read_file(registry, args.kind, file, operator, args.dry_run, now).await?;
    if !report.errors.is_empty() || args.dry_run {
        let outcome = if report.errors.is_empty() { "checked" } else { "refused" };
        tell(args, &report, outcome, None)?;
        return Ok(if report.errors.is_empty() { Outcome::Good } else { Outcome::FoundWrong });
    }
    let sources = ClearanceSources {
        registry,
        // The archive has one owner, the server, which counts when somebody approves.
        tracks: None,
        time_zone: &config.supervision.time_zone,
        judge_back_days: config.supervision.judge_back_days,
    };
    let deed = deed_of(args);
    let clerk = Clerk {
        person: &args.who,
        recorded_by: &args.who,
        known: None,
        told: Some(&deed),
        is_trusted_with_dates: true,
    };
    let submitted = (Office { sources, now }).submit(args.kind, changes, clerk).await?;
    match submitted {
        Submitted::Written(_) => {
            tell(args, &report, "taken", None)?;
            Ok(Outcome::Good)
        }
        Submitted::Proposed { id, clearance } => {
            tell(args, &report, "proposed", Some((id, &clearance)))?;
            Ok(Outcome::FoundWrong)
        }
    }
}

/// What the audit log is told of a file.
fn deed_of(args: &ImportArgs) -> Deed {
    let detail = json!({ "kind": args.kind.name, "file": args.file, "as": args.who });
    deeds::telling("register.write", detail.to_string())
}

/// Says what became of a file.
fn tell(
    args: &ImportArgs,
    report: &Report,
    outcome: &str,
    proposed: Option<(i64, &Clearance)>,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let proposal = proposed.map(|(id, _)| id);
        let line = json!({ "outcome": outcome, "report": report, "proposal": proposal });
        writeln!(out, "{line}")?;
        return Ok(out.flush()?);
    }
    let is_zh = args.lang == Lang::Zh;
    for (word, problems) in [("error", &report.errors), ("warning", &report.warnings)] {
        let word = match (is_zh, word) {
            (true, "error") => "错误",
            (true, _) => "提示",
            (false, word) => word,
        };
        for problem in &problems.list {
            writeln!(out, "{word}: {}", problem_line(problem, is_zh))?;
        }
        if problems.more > 0 {
            writeln!(out, "{word}: +{}", problems.more)?;
        }
    }
    let Report { rows, added, changed, unchanged, .. } = report;
    if is_zh {
        writeln!(out, "{outcome}：共{rows}行，新增{added}，变更{changed}，未变{unchanged}")?;
    } else {
        writeln!(out, "{outcome}: {rows} rows, {added} new, {changed} changed, {unchanged} unchanged")?;
    }
    if let Some((id, clearance)) = proposed {
        let open = match clearance {
            Clearance::Uncounted { open, .. } => *open,
            Clearance::Counted(preview) => preview.flags.len(),
            Clearance::Approved(approval) => approval.preview.flags.len(),
        };
        if is_zh {
            writeln!(out, "涉及{open}条未结疑点，需第二人在控制台或接口批准：提案{id}")?;
        } else {
            writeln!(out, "it touches {open} open questions: proposal {id} waits for a second person")?;
        }
    }
    Ok(out.flush()?)
}

fn problem_line(problem: &Problem, is_zh: bool) -> String {
    let place = match (problem.row, is_zh) {
        (Some(row), true) => format!("第{row}行 "),
        (Some(row), false) => format!("row {row} "),
        (None, _) => String::new(),
    };
    let column = if problem.column.is_empty() { String::new() } else { format!("[{}] ", problem.column) };
    let value = if problem.value.is_empty() { String::new() } else { format!(" ({})", problem.value) };
    format!("{place}{column}{}{value}", if is_zh { &problem.zh } else { &problem.en })
}

async fn export(args: &ExportArgs, registry: &Registry) -> anyhow::Result<Outcome> {
    let known = args.known_at.map_or(Known::Now, Known::At);
    let out: Box<dyn Write> = match &args.out {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("can't write {}", path.display()))?)
        }
        None => Box::new(io::stdout()),
    };
    let mut out = BufWriter::new(out);
    if args.format == "csv" {
        export_csv(registry, args.kind, known, &mut out).await?;
    } else {
        export_json(registry, args.kind, known, &mut out).await?;
    }
    out.flush()?;
    Ok(Outcome::Good)
}

async fn export_json(
    registry: &Registry,
    kind: &Kind,
    known: Known,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut filter = RowFilter { limit: PAGE, known, ..RowFilter::default() };
    loop {
        let rows = registry.any_rows(kind.name, &filter).await?;
        for row in &rows {
            serde_json::to_writer(&mut *out, row)?;
            out.write_all(b"\n")?;
        }
        if rows.len() < PAGE as usize {
            return Ok(());
        }
        filter.after = rows.last().map(|row| (row.id, row.valid.from, row.version));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line<T: clap::Args> {
        #[command(flatten)]
        args: T,
    }

    fn args<T: clap::Args>(data: &Path, line: &[&str]) -> T {
        let data = data.to_str().expect("a path");
        let line = [&["motorpool", "--data", data], line].concat();
        Line::<T>::try_parse_from(line).expect("arguments").args
    }

    fn take(data: &Path, kind: &str, text: &str) -> Outcome {
        let file = data.join(format!("{kind}.csv"));
        fs::write(&file, text).expect("a file");
        let file = file.to_str().expect("a path").to_owned();
        run_import(&args(data, &[kind, &file, "--as", "li"])).expect("it runs")
    }

    fn given(data: &Path, kind: &str) -> String {
        let file = data.join("out.csv");
        let name = file.to_str().expect("a path").to_owned();
        run_export(&args(data, &[kind, "--out", &name])).expect("it runs");
        fs::read_to_string(file).expect("a file")
    }

    /// A data folder with a registry in it.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            Registry::open(folder.path(), &Config::default()).await.expect("a registry").close().await;
        });
        folder
    }

    #[test]
    fn what_is_written_out_is_read_again_as_it_was() {
        let (folder, other) = (folder(), folder());
        let data = folder.path();
        let units = "单位名称,单位编码,上级单位\n县政府,XZ,\n县林业局,LY,县政府\n";
        let cars = "车牌号,所属单位,油箱容积,油耗定额\n演A00001,县林业局,55,9.5\n";
        let zones = "名称,类型,图形,纬度,经度,半径\n=车库,车库,,30.1,110.2,80\n球场,高尔夫,\"POLYGON((110 30, 110.01 30, 110.01 30.01, 110 30))\",,,\n";
        let orders = "派车单号,用车单位,车牌号,计划出车时间,计划返回时间,目的地,状态\nP-1,县林业局,演A00001,2026-03-04 08:00,2026-03-04 12:00,甲镇；乙镇,已完成\n";
        let fuel = "车牌号,加油时间,加油量,金额\n演A00001,2026-03-04 09:30,40.5,300.25\n";
        let hours = "最早出车,最晚收车\n08:00,18:30\n";
        let days = "日期,安排,节日名称\n2027-01-01,放假,元旦\n2027-01-03,上班,元旦\n";
        let files = [
            ("unit", units),
            ("vehicle", cars),
            ("zone", zones),
            ("order", orders),
            ("fuel_fill", fuel),
            ("working_hours", hours),
            ("calendar_year", days),
        ];
        for (kind, text) in files {
            assert_eq!(take(data, kind, text), Outcome::Good, "{kind}");
            let first = given(data, kind);
            assert!(first.starts_with('\u{feff}'), "{kind}");
            assert_eq!(take(other.path(), kind, &first), Outcome::Good, "{kind}: {first}");
            let second = given(other.path(), kind);
            // The guard of a formula stays in the text.
            assert_eq!(second.replace("''=", "'="), first.replace("''=", "'="), "{kind}");
        }
        assert!(given(data, "order").contains("甲镇、乙镇"), "{}", given(data, "order"));
        assert!(given(data, "zone").contains("'=车库"));
    }

    /// Action and object of each entry of the audit log, oldest first.
    fn deeds_in(data: &Path) -> Vec<(String, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let registry = Registry::open(data, &Config::default()).await.expect("a registry");
            let log = registry.people().audit_log_after(0, 10).await.expect("a log");
            registry.close().await;
            log.into_iter().map(|entry| (entry.deed.action, entry.deed.object)).collect()
        })
    }

    #[test]
    fn what_a_file_changed_is_in_the_audit_log() {
        let folder = folder();
        assert_eq!(take(folder.path(), "unit", "单位名称,上级单位\n,县政府\n"), Outcome::FoundWrong);
        assert_eq!(deeds_in(folder.path()), [], "nothing was done");
        assert_eq!(take(folder.path(), "unit", "单位名称\n县政府\n县水利局\n"), Outcome::Good);
        let deed = ("register.write".to_owned(), "2 rows of unit".to_owned());
        assert_eq!(deeds_in(folder.path()), [deed]);
    }

    #[test]
    fn nothing_is_taken_of_a_bad_file() {
        let folder = folder();
        let text = "单位名称,上级单位\n县政府,\n,县政府\n";
        assert_eq!(take(folder.path(), "unit", text), Outcome::FoundWrong);
        assert_eq!(given(folder.path(), "unit").lines().count(), 1, "only the header");
        assert_eq!(
            problem_line(
                &Problem {
                    row: Some(3),
                    column: "单位名称".to_owned(),
                    value: String::new(),
                    code: "missing",
                    zh: "不能为空".to_owned(),
                    en: "must not be empty".to_owned()
                },
                true,
            ),
            "第3行 [单位名称] 不能为空"
        );
    }
}
