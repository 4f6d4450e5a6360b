//! `/devices/{id}/commands`: what terminals are told to do, and what became of it.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use motorpool_protocols::command::{Command, SettingValue, Warning};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{DevicesReader, DevicesWriter};
use super::extract::{Id, Page, Params, cursor, cursor_number, limit_of};
use super::once::{Answer, Sent};
use super::problem::{Problem, ProblemBody};
use crate::downlink::areas;
use crate::ids::DeviceId;
use crate::registry::{NewCommand, StoredCommand};

/// How long a command waits for its device when nobody says how long, seconds.
const EXPIRY_S: u32 = 3_600;
/// The longest that a command may wait, seconds: a week.
const EXPIRY_MAX_S: u32 = 7 * 86_400;

/// A command to a terminal: either `command`, or the number of a `zone` that the terminal is to watch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandRequest {
    /// What is wanted: `ask_position`, `interval`, `text`, `parameters`, `query_parameters`, `query_attributes`, `set_circles`,
    /// `set_rectangles`, `set_polygon`, `set_route`, `delete_areas`, `delete_all_areas` or `query_areas`, with its fields.
    #[schema(value_type = Option<Object>, example = json!({"command": "interval", "seconds": 10, "valid_for_s": 600}))]
    command: Option<Value>,
    /// The zone that the terminal is to watch itself.
    zone: Option<WatchedZone>,
    /// For how long the command is worth sending, seconds; 3,600 when absent, at most 604,800.
    #[schema(minimum = 1, maximum = 604800)]
    expires_in_s: Option<u32>,
}

/// A zone that a terminal is to watch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchedZone {
    /// The zone's number.
    id: i64,
    /// Whether its driver is warned of entering and leaving.
    #[serde(default)]
    warns_driver: bool,
}

/// A command and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommandView {
    /// Its number.
    id: i64,
    /// For which device.
    device: u32,
    /// What was asked.
    #[schema(value_type = Object)]
    command: Value,
    /// `queued`, `sent`, `confirmed`, `failed`, `unknown` (sent, and nobody knows whether it arrived) or `expired`.
    state: &'static str,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// By whom.
    created_by: String,
    /// When it is not worth sending any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMillis,
    /// How often it was sent.
    attempts: i64,
    /// When it was sent last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<UtcMillis>,
    /// When it came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<UtcMillis>,
    /// What the terminal, or its protocol, said.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Parameters of JT/T 808 that say where and how a terminal connects (servers, ports, access point and its password), and
/// the makers' own, of which nobody here knows what they do.
fn is_of_the_connection(parameter: u32) -> bool {
    matches!(parameter, 0x0010..=0x001d | 0x0023..=0x0026 | 0x0049 | 0xf000..)
}

/// Whether a command could take a terminal away from this server.
fn moves_the_terminal(command: &Command) -> bool {
    matches!(command, Command::Parameters { set } if set.iter().any(|each| {
        is_of_the_connection(each.id) || matches!(each.value, SettingValue::Bytes(_))
    }))
}

/// What the audit log is told: what was asked, and of parameters which, but no value.
fn telling(command: &Command) -> String {
    match command {
        Command::Parameters { set } => {
            let ids: Vec<String> = set.iter().map(|each| format!("{:#06x}", each.id)).collect();
            format!("parameters {}", ids.join(" "))
        }
        other => other.name().to_owned(),
    }
}

/// The command as people see it: what is a password, or may be one, is not shown again.
fn shown(command: &str) -> Value {
    match serde_json::from_str::<Command>(command) {
        Ok(Command::Parameters { mut set }) => {
            for each in set.iter_mut().filter(|each| is_of_the_connection(each.id)) {
                each.value = SettingValue::Text("***".to_owned());
            }
            serde_json::to_value(Command::Parameters { set }).unwrap_or_default()
        }
        Ok(other) => serde_json::to_value(other).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

impl From<StoredCommand> for CommandView {
    fn from(stored: StoredCommand) -> Self {
        Self {
            id: stored.id,
            device: stored.new.device.0,
            command: shown(&stored.new.command),
            state: stored.state.as_str(),
            created_at: stored.created_at,
            created_by: stored.created_by,
            expires_at: stored.new.expires_at,
            attempts: stored.attempts,
            sent_at: stored.sent_at,
            ended_at: stored.ended_at,
            detail: stored.detail,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Commands to a device, newest first
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", tag = "devices",
    params(("id" = String, Path, description = "Our number, or the terminal's identity"), ListParams),
    responses(
        (status = 200, body = Page<CommandView>, description = "One page; `Link: rel=next` leads to the next"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    DevicesReader(granted): DevicesReader,
    State(state): State<ApiState>,
    uri: Uri,
    Id(id): Id,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let before = cursor_number(params.cursor.as_deref())?.unwrap_or(i64::MAX);
    let data = state.data(&granted).await?;
    let device = data.present_device(&id)?;
    let commands = data.commands_of(&device, before, limit + 1).await?;
    let views = commands.into_iter().map(CommandView::from).collect();
    let page = Page::cut(views, limit, |view: &CommandView| cursor(&[&view.id.to_string()]));
    Ok(page.answer(&uri))
}

/// Tell a terminal to do something
///
/// The command waits for its device, goes out once, and tells what the terminal said. Of a command that a lost link leaves
/// without an answer nobody knows: only what is harmless to repeat is sent again. Cutting fuel or engine is not offered.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", tag = "devices", request_body = CommandRequest,
    params(
        ("id" = String, Path, description = "Our number, or the terminal's identity"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key is done once"),
    ),
    responses(
        (status = 201, body = CommandView, description = "Queued"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn create(
    DevicesWriter(granted): DevicesWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    sent: Sent,
) -> Result<Response, Problem> {
    let request: CommandRequest = sent.json()?;
    let data = state.data(&granted).await?;
    let device = data.present_device(&id)?;
    let wait_s = request.expires_in_s.unwrap_or(EXPIRY_S);
    if !(1..=EXPIRY_MAX_S).contains(&wait_s) {
        return Err(Problem::field("/expires_in_s", format!("must be from 1 to {EXPIRY_MAX_S}")));
    }
    let command = match (request.command, request.zone) {
        (Some(command), None) => serde_json::from_value::<Command>(command)
            .map_err(|error| Problem::field("/command", error.to_string()))?,
        (None, Some(watched)) => {
            let zone = data.zone(watched.id).await?;
            let warning = Warning { driver: watched.warns_driver, platform: true };
            areas::watch(&zone, watched.id, warning, warning)
                .map_err(|error| Problem::field("/zone", error.to_string()))?
        }
        _ => return Err(Problem::field("/command", "give either a command or a zone".to_owned())),
    };
    if moves_the_terminal(&command) {
        // Whoever sets another server takes the car out of everybody's sight.
        data.everything()?;
    }
    let expires_at = UtcMillis(state.now().0.saturating_add(i64::from(wait_s) * 1_000));
    let work = async {
        let new = NewCommand {
            device: DeviceId(device.id.0),
            command: serde_json::to_string(&command).map_err(|error| Problem::internal(&error))?,
            is_harmless: command.is_harmless_again(),
            expires_at,
        };
        let queued = data.queue_command(&new, telling(&command)).await?;
        Answer::new(StatusCode::CREATED, &CommandView::from(queued))
    };
    sent.once(&state, &granted, work).await
}
