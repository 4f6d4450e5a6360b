//! `motorpool audit`: judges exported tracks without a server.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use motorpool_supervision::intake::Datum;
use motorpool_supervision::rules::Lang;
use motorpool_supervision::trips::TripSettings;

use super::Outcome;
use crate::audit::{self, Files};

/// Judge exported tracks without a server: trips, stops, gaps, and what the rules find
///
/// Tracks are CSV (also .gz), XLSX, Parquet, GPX or GeoJSON; columns are recognised by their English and Chinese names. Rules whose
/// inputs are not given are listed as not evaluated. Rows that can't be used are listed in summary.json and left out; the exit code is
/// 1 then. What is found is a question, never a verdict.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  motorpool audit --tracks tracks.csv.gz --out audit
  motorpool audit --tracks march.xlsx april.xlsx --orders 派车单.xlsx --zones zones.geojson --vehicles 车辆.xlsx --out audit
  motorpool audit --tracks t.csv --orders o.csv --rows fuel_fill=加油.csv --rows duty=值班.csv --out audit")]
#[expect(clippy::exhaustive_structs, reason = "the command line")]
pub struct Args {
    /// Tracks
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub tracks: Vec<PathBuf>,
    /// Dispatch orders
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
    /// Zones: GeoJSON, or a table with outlines
    #[arg(long, value_name = "FILE")]
    pub zones: Option<PathBuf>,
    /// Vehicles, and the devices in them
    #[arg(long, value_name = "FILE")]
    pub vehicles: Option<PathBuf>,
    /// Rows of any other register, for example `fuel_fill=FILE`, `duty=FILE`, `seal=FILE`
    #[arg(long, value_name = "KIND=FILE", value_parser = kind_and_file)]
    pub rows: Vec<(String, PathBuf)>,
    /// A shipped calendar, or a file of your own
    #[arg(long, value_name = "NAME|FILE", default_value = "cn")]
    pub calendar: String,
    /// Time zone of local days, and of times without an offset
    #[arg(long, value_name = "ZONE", default_value = "Asia/Shanghai")]
    pub timezone: String,
    /// What coordinates are in
    #[arg(long, value_name = "DATUM", default_value = "wgs84", value_parser = datum)]
    pub datum: Datum,
    /// How tracks are cut: a TOML file with settings of [supervision.trips]
    #[arg(long, value_name = "FILE")]
    pub trip_settings: Option<PathBuf>,
    /// Language of the column `detail`
    #[arg(long, value_name = "zh|en", default_value = "en", value_parser = lang)]
    pub lang: Lang,
    /// The folder for the results
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub json: bool,
}

fn kind_and_file(text: &str) -> Result<(String, PathBuf), String> {
    let (kind, file) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KIND=FILE"))?;
    if audit::KINDS.contains(&kind) {
        Ok((kind.to_owned(), PathBuf::from(file)))
    } else {
        Err(format!("there are no rows of kind {kind:?}; there are {}", audit::KINDS.join(", ")))
    }
}

fn datum(text: &str) -> Result<Datum, String> {
    Datum::from_name(text).ok_or_else(|| format!("{text:?} is none of wgs84, gcj02, bd09"))
}

fn lang(text: &str) -> Result<Lang, String> {
    match text {
        "zh" => Ok(Lang::Zh),
        "en" => Ok(Lang::En),
        _ => Err(format!("{text:?} is neither zh nor en")),
    }
}

/// Runs the command.
///
/// # Errors
/// When a file can't be read, or the results can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let settings = match &args.trip_settings {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
            let settings: TripSettings = toml::from_str(&text).with_context(|| path.display().to_string())?;
            settings.validate()?;
            settings
        }
        None => TripSettings::default(),
    };
    let named = [("order", &args.orders), ("zone", &args.zones), ("vehicle", &args.vehicles)];
    let named = named.into_iter().filter_map(|(kind, file)| Some((kind.to_owned(), file.clone()?)));
    let files = Files {
        tracks: args.tracks.clone(),
        registers: named.chain(args.rows.iter().cloned()).collect(),
        calendar: args.calendar.clone(),
        time_zone: args.timezone.clone(),
        datum: args.datum,
    };
    let inputs = audit::read(&files)?;
    let audit = audit::run(inputs, &settings)?;
    audit.write(&args.out, &args.timezone, &settings, args.lang)?;
    print(&audit, args)?;
    Ok(if audit.problems.count == 0 { Outcome::Good } else { Outcome::FoundWrong })
}

/// What a person, or a program, reads on standard output. A reader that went away is no error.
fn print(audit: &audit::Audit, args: &Args) -> anyhow::Result<()> {
    let text = if args.json {
        let summary = std::fs::read_to_string(args.out.join("summary.json"))?;
        let value: serde_json::Value = serde_json::from_str(&summary)?;
        format!("{value}\n")
    } else {
        let mut lines = audit.overview();
        lines.push(format!("written to {}", args.out.display()));
        lines.join("\n") + "\n"
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
