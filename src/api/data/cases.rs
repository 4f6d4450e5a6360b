//! Cases, flags, files and samples, as the viewer at a desk sees them. Handlers never touch a log or a pack but through these.

use std::sync::Arc;

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{
    Case, CaseEvent, CaseKey, Item, ItemCheck, MissRate, Party, PersonId, Stage, Viewer,
};
use motorpool_supervision::evidence::Copy;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::Vehicle;

use super::deed_of;
use super::desk::Desk;
use super::purposes::{Opening, vehicle_of_case};
use crate::accounts::chain::Deed;
use crate::api::ApiState;
use crate::api::problem::{Code, Problem};
use crate::registry::{
    Attachment, CaseFilter, CaseRow, Flag, FlagFilter, FlagTurn, Known, NewAttachment, StoredPlan,
};
use crate::supervision::cases::{CaseError, append_telling, case_id, load, load_events};
use crate::supervision::{
    BacktestError, BacktestProgress, BacktestReport, BacktestRequest, BacktestSight, DrawError, Drawn,
    NoPack, Pack, PackRequest, Recomputed, backtest, check_items, draw_plan, estimate, link_account, pack,
    parties_of_day, recompute, row_reaches, stage_seen, units_asked,
};

impl ApiState {
    /// Links the people whom cases name to an account that was made or changed. What fails is made up for when the case is brought in step
    /// next: the account is as it is all the same.
    pub(in super::super) async fn link_to_cases(&self, account: i64) {
        if let Err(error) = link_account(&self.vault().registry, account, self.now()).await {
            tracing::warn!(account, %error, "cases that name the person are linked to the account later");
        }
    }
}

impl Desk {
    /// The true case: for deciding, never for showing.
    pub(in super::super) async fn load(&self, id: &str) -> Result<Option<Case>, CaseError> {
        load(self.data.registry(), id).await
    }

    /// The log of a case that is in the caller's hands.
    pub(in super::super) async fn log(&self, id: &str) -> Result<Vec<CaseEvent>, Problem> {
        Ok(load_events(self.data.registry(), id).await?)
    }

    /// Appends to a case that the caller has read, and notes it in the audit log.
    pub(in super::super) async fn append(&self, after: &Case, lines: &[CaseEvent]) -> Result<(), Problem> {
        let deeds: Vec<&str> = lines.iter().map(|line| line.event.action().tag()).collect();
        let deed = Deed {
            action: "case.act".to_owned(),
            case_id: Some(case_id(after.key)),
            detail: deeds.join(" "),
            ..deed_of(self.data.caller())
        };
        append_telling(self.data.registry(), after, lines, Some(&deed), self.now).await?;
        Ok(())
    }

    /// Lets somebody open what a case holds besides its summary.
    pub(in super::super) async fn open_case(
        &self,
        action: &'static str,
        id: &str,
        detail: &str,
    ) -> Result<(), Problem> {
        let object = format!("case {id}");
        let vehicle = vehicle_of_case(id);
        self.data.open(Opening { action, object: &object, vehicle, case: Some(id), detail }).await
    }

    /// Rows of cases that may concern the caller; ask [`Desk::stage_of`] for each.
    pub(in super::super) async fn case_rows(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, Problem> {
        Ok(self.data.registry().cases(filter).await?)
    }

    /// The stage in which the caller sees the case of a row; `None` when it does not exist for the caller.
    pub(in super::super) fn stage_of(&self, row: &CaseRow) -> Option<Stage> {
        let in_scope = |unit| self.data.sees_unit(unit);
        if self.data.is_hidden(row.vehicle) || !row_reaches(row, in_scope, self.data.person()) {
            return None;
        }
        let actor = self.actor_among(row.unit, &units_asked(row));
        let viewer = actor.as_ref().map_or(Viewer::Webhook, Viewer::Person);
        stage_seen(row, viewer, &self.units)
    }

    /// The case of a row as the caller sees it.
    pub(in super::super) async fn case_of(&self, row: &CaseRow) -> Result<Option<Case>, Problem> {
        let case = self.load(&row.case_id).await?;
        Ok(case.and_then(|case| self.seen(&case)))
    }

    /// Who is named on the paper of a car's day, for a case that is about to be opened.
    pub(in super::super) async fn parties_of_day(
        &self,
        key: CaseKey,
        unit: UnitId,
    ) -> Result<Vec<Party>, Problem> {
        let zone = &self.data.vault().packs.time_zone;
        let named = parties_of_day(self.data.registry(), zone, (key, unit), self.now).await;
        named.map_err(|error| Problem::unreadable(&error))
    }

    /// The flag of a case that is seen.
    pub(in super::super) async fn flag_of_case(&self, id: &str) -> Result<Option<Flag>, Problem> {
        Ok(self.data.registry().flag(id).await?)
    }

    /// A flag that is seen.
    pub(in super::super) async fn flag(&self, id: &str) -> Result<Flag, Problem> {
        let flag = self.data.registry().flag(id).await?.ok_or(Problem::new(Code::FlagNotFound))?;
        if self.sees_flag(&flag.finding).await? { Ok(flag) } else { Err(Problem::new(Code::FlagNotFound)) }
    }

    /// Flags; ask [`Desk::sees_flag`] for each.
    pub(in super::super) async fn flag_rows(&self, filter: &FlagFilter) -> Result<Vec<Flag>, Problem> {
        Ok(self.data.registry().flags(filter).await?)
    }

    /// The history of a flag that is seen.
    pub(in super::super) async fn flag_history(&self, flag: &Flag) -> Result<Vec<FlagTurn>, Problem> {
        Ok(self.data.registry().flag_history(&flag.id).await?)
    }

    /// Judges the day of a flag that is seen again.
    pub(in super::super) async fn recompute(&self, flag: &Flag) -> Result<Recomputed, Problem> {
        let packs = &self.data.vault().packs;
        recompute(packs, flag, self.now).await.map_err(|error| Problem::unreadable(&error))
    }

    /// A vehicle of a case that is seen, as it was at `at`, or as it is known last.
    pub(in super::super) async fn vehicle(
        &self,
        vehicle: VehicleId,
        at: UtcMillis,
    ) -> Result<Option<Vehicle>, Problem> {
        let versions = self.data.registry().row::<Vehicle>(vehicle.0, Known::Now).await?;
        let then = versions.iter().rfind(|version| version.valid.contains(at));
        Ok(then.or_else(|| versions.last()).map(|version| version.row.clone()))
    }

    /// The name of a person that a case can be given to: one with an account, or with a token of its own.
    pub(in super::super) async fn person_name(&self, number: i64) -> Result<Option<String>, Problem> {
        let tokens = self.data.registry().tokens();
        let mut people = tokens.iter().filter_map(|token| token.person.as_ref());
        if let Some(person) = people.find(|person| person.id.0 == number) {
            return Ok(Some(person.name.clone()));
        }
        let account = self.data.state.people().account_of(PersonId(number)).await?;
        Ok(account.filter(|account| !account.is_disabled).map(|account| account.display_name))
    }

    /// Keeps a file of a case that is seen.
    pub(in super::super) async fn attach(
        &self,
        file: NewAttachment,
        by: &str,
    ) -> Result<Attachment, Problem> {
        Ok(self.data.registry().attach(file, by, self.now).await?)
    }

    /// A file of a case that is seen, by its hash.
    pub(in super::super) async fn kept(
        &self,
        case: &str,
        sha256: &str,
    ) -> Result<Option<(String, Vec<u8>)>, Problem> {
        let files = self.data.registry().attachments(case).await?;
        let Some(file) = files.into_iter().find(|file| file.sha256 == sha256) else { return Ok(None) };
        Ok(self.data.registry().attachment_bytes(case, file.id).await?.map(|bytes| (file.name, bytes)))
    }

    /// Makes the evidence of a case that is seen.
    pub(in super::super) async fn pack(&self, id: &str, copy: Copy, by: &str) -> Result<Pack, NoPack> {
        let request = PackRequest { case: id.to_owned(), copy, by: by.to_owned(), at: self.now };
        pack(&self.data.vault().packs, &request).await
    }

    /// Holds what was claimed against the track.
    pub(in super::super) async fn check_items(
        &self,
        case: &Case,
        items: &[Item],
    ) -> Result<Vec<ItemCheck>, Problem> {
        let checks = check_items(&self.data.vault().packs, case, items).await;
        checks.map_err(|error| Problem::unreadable(&error))
    }

    /// Samples are drawn from every unit's trips, so they are for those who see every unit; nobody in particular sees them as well.
    pub(in super::super) fn samples(&self) -> Result<(), Problem> {
        if self.actor().is_err() || self.data.covers_all_units() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden).detail("samples are for those who see every unit"))
    }

    /// Publishes a plan.
    pub(in super::super) async fn create_plan(&self, monday: Date, size: u32) -> Result<StoredPlan, Problem> {
        let who = self.data.caller().recorded_as();
        Ok(self.data.registry().create_sample_plan(monday, size, &who, self.now).await?)
    }

    /// The newest plans.
    pub(in super::super) async fn plans(&self) -> Result<Vec<StoredPlan>, Problem> {
        self.samples()?;
        Ok(self.data.registry().sample_plans().await?)
    }

    /// A plan by its number.
    pub(in super::super) async fn plan(&self, id: &str) -> Result<StoredPlan, Problem> {
        self.samples()?;
        let number = id.parse().map_err(|_| Problem::new(Code::NotFound))?;
        self.data.registry().sample_plan(number).await?.ok_or(Problem::new(Code::NotFound))
    }

    /// Draws a plan.
    pub(in super::super) async fn draw(&self, stored: &StoredPlan) -> Result<Drawn, Problem> {
        let drawn =
            draw_plan(&self.data.vault().packs, stored, self.now).await.map_err(|error| match error {
                DrawError::Case(error) => error.into(),
                DrawError::Sample(error) => Problem::new(Code::Conflict).detail(error.to_string()),
                DrawError::Read(error) => Problem::unreadable(&error),
            })?;
        self.data.registry().mark_drawn(stored.plan.number, self.now).await?;
        Ok(drawn)
    }

    /// What a plan says of what the rules miss.
    pub(in super::super) async fn estimate(
        &self,
        stored: &StoredPlan,
    ) -> Result<(u32, Option<MissRate>), Problem> {
        Ok(estimate(&self.data.vault().packs, stored).await?)
    }
}

impl Desk {
    /// Tries a rule set on the past of the cars and cases that the caller sees. The request names a unit in scope, or the caller sees
    /// every unit.
    pub(in super::super) async fn backtest(
        &self,
        request: &BacktestRequest,
        progress: &Arc<BacktestProgress>,
    ) -> Result<BacktestReport, BacktestError> {
        let packs = &self.data.vault().packs;
        let vehicle = |vehicle| self.data.sees_vehicle(vehicle);
        let case = |row: &CaseRow| self.stage_of(row).is_some();
        let sight = BacktestSight { vehicle: &vehicle, case: &case };
        backtest(&packs.registry, &packs.tracks, &packs.time_zone, request, sight, progress).await
    }
}
