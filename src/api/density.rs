//! `/density`: which roads the fleet drives, without saying who: the base of a map that needs no map.
//!
//! Recent tracks of some cars are walked over a grid of Web Mercator; a cell counts how often it was entered. A cell that fewer
//! than [`CARS_MIN`] different cars entered is never told, on no level, so that nobody's house is on the map. Whose cars
//! count for a caller its scope says. Cars on secret work never count.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::register::Span;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::PositionsReader;
use super::data::RoadMaker;
use super::extract::Params;
use super::problem::{Code, Problem, ProblemBody};
use crate::tracks::{TrackOptions, Tracks};

/// Cars that must have entered a cell before it is told.
const CARS_MIN: u32 = 3;
/// Cars whose tracks are walked; of more, every n-th.
const CARS_MAX: usize = 400;
/// How far back tracks are walked, milliseconds.
const BACK_MS: i64 = 7 * 86_400_000;
/// Fixes of one car that are walked.
const FIXES_MAX: usize = 5_000;
/// How long a grid is good, milliseconds: roads do not move.
const GOOD_MS: i64 = 3_600_000;
/// Grids that are kept or made: one for each set of cars and times that callers may see.
const GRIDS_MAX: usize = 4;
/// When to come again while all walks are under way, seconds.
const BUSY_S: u64 = 10;
/// Cells of one answer.
const CELLS_MAX: usize = 40_000;
/// The levels, finest first: a cell is `1 / 2^level` of the world wide, about 17, 70 and 280 m at 25 degrees north.
const LEVELS: [u32; 3] = [21, 19, 17];
/// The longest way between two fixes that is taken for straight, in cells of the finest level: about 300 m.
const STRAIGHT_CELLS_MAX: u32 = 18;
/// Where the square of Web Mercator ends, degrees.
const LATITUDE_MAX: f64 = 85.05;

/// A cell of the finest level: column from the west, row from the north.
type Cell = (u32, u32);

/// The cell of a place; `None` beyond the ends of Mercator.
fn cell_of(lat_e7: i32, lon_e7: i32) -> Option<Cell> {
    let (lat, lon) = (f64::from(lat_e7) / 1e7, f64::from(lon_e7) / 1e7);
    if lat.abs() > LATITUDE_MAX || lon.abs() > 180.0 {
        return None;
    }
    let side = f64::from(1_u32 << LEVELS[0]);
    let x = (lon + 180.0) / 360.0;
    let y = 0.5 - lat.to_radians().sin().atanh() / std::f64::consts::TAU;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 2^21, and a cast saturates"
    )]
    let whole = |part: f64| (part * side).clamp(0.0, side - 1.0) as u32;
    Some((whole(x), whole(y)))
}

/// How often a cell was entered, and by how many cars.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passages: u32,
    cars: u32,
    /// The last car, counting from 1.
    last_car: u32,
}

/// Counts cells of every level while tracks are walked.
#[derive(Debug, Default)]
struct Walker {
    counts: [FxHashMap<Cell, Count>; LEVELS.len()],
    car: u32,
    at: [Option<Cell>; LEVELS.len()],
}

impl Walker {
    /// The fixes that follow are another car's.
    fn next_car(&mut self) {
        self.car += 1;
        self.lift();
    }

    /// No way leads from the last fix to the next.
    fn lift(&mut self) {
        self.at = [None; LEVELS.len()];
    }

    fn walk_to(&mut self, fix: &Fix) {
        let Some(to) = cell_of(fix.lat_e7, fix.lon_e7).filter(|_| fix.has_place()) else { return };
        let Some(from) = self.at.first().copied().flatten() else {
            self.enter(to);
            return;
        };
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
        if steps <= STRAIGHT_CELLS_MAX {
            for step in 1..steps {
                self.enter((between(from.0, to.0, step, steps), between(from.1, to.1, step, steps)));
            }
        }
        self.enter(to);
    }

    fn enter(&mut self, cell: Cell) {
        for ((counts, at), level) in self.counts.iter_mut().zip(&mut self.at).zip(LEVELS) {
            let coarser = LEVELS[0] - level;
            let cell = (cell.0 >> coarser, cell.1 >> coarser);
            if at.replace(cell) == Some(cell) {
                continue;
            }
            let count = counts.entry(cell).or_default();
            count.passages = count.passages.saturating_add(1);
            if count.last_car != self.car {
                count.last_car = self.car;
                count.cars += 1;
            }
        }
    }

    /// What may be told.
    fn finish(self) -> Grid {
        let levels = self.counts.map(|counts| {
            let told = counts.into_iter().filter(|(_, count)| count.cars >= CARS_MIN);
            let mut cells: Vec<(Cell, u32)> = told.map(|(cell, count)| (cell, count.passages)).collect();
            cells.sort_unstable();
            cells
        });
        Grid { levels }
    }
}

/// Whether any of the times reaches beyond an instant.
fn is_any_after(times: &[Span], at: UtcMillis) -> bool {
    times.iter().any(|span| span.to.is_none_or(|to| to > at))
}

/// The cell `step` of `steps` steps on the straight way.
fn between(from: u32, to: u32, step: u32, steps: u32) -> u32 {
    let part = from.abs_diff(to) * step / steps;
    if from <= to { from + part } else { from - part }
}

/// Cells that may be told and how often each was entered, by level.
#[derive(Debug, Default)]
struct Grid {
    levels: [Vec<(Cell, u32)>; LEVELS.len()],
}

impl Grid {
    fn walked(tracks: &Tracks, cars: &[RoadMaker], now: UtcMillis) -> Self {
        let mut walker = Walker::default();
        let from = UtcMillis(now.0.saturating_sub(BACK_MS));
        for car in cars {
            walker.next_car();
            for (device, times) in car.iter().filter(|(_, times)| is_any_after(times, from)) {
                walker.lift();
                let track = tracks.track(*device, from, now, TrackOptions::default().rows_max(FIXES_MAX));
                for row in &track.rows {
                    if times.iter().any(|span| span.contains(row.fix.fix_time)) {
                        walker.walk_to(&row.fix);
                    } else {
                        walker.lift();
                    }
                }
            }
        }
        walker.finish()
    }

    /// The finest level of which the cells within `area` fit in an answer; of the coarsest, the first that do.
    fn within(&self, area: &Area) -> DensityView {
        let mut view = DensityView { level: LEVELS[LEVELS.len() - 1], cells: Vec::new(), is_cut: false };
        for (cells, level) in self.levels.iter().zip(LEVELS) {
            let coarser = LEVELS[0] - level;
            let found = cells.iter().filter(|((column, row), _)| area.contains(*column, *row, coarser));
            let found: Vec<_> = found.take(CELLS_MAX + 1).collect();
            let is_cut = found.len() > CELLS_MAX;
            if is_cut && coarser < LEVELS[0] - LEVELS[LEVELS.len() - 1] {
                continue;
            }
            let cells = found.into_iter().take(CELLS_MAX);
            view.cells = cells.flat_map(|((column, row), passages)| [*column, *row, *passages]).collect();
            (view.level, view.is_cut) = (level, is_cut);
            break;
        }
        view
    }
}

/// A box of cells of the finest level, ends included.
#[derive(Debug, PartialEq, Eq)]
struct Area {
    west: u32,
    north: u32,
    east: u32,
    south: u32,
}

impl Area {
    /// Reads `west,south,east,north` in degrees.
    fn read(text: &str) -> Option<Self> {
        let parts: Vec<f64> = text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
        let [west, south, east, north] = parts.try_into().ok()?;
        let in_range = |value: f64, most: f64| value.is_finite() && value.abs() <= most;
        if !in_range(west, 180.0)
            || !in_range(east, 180.0)
            || !in_range(south, 90.0)
            || !in_range(north, 90.0)
        {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "180 degrees at most")]
        let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
        let corner = |lon: f64, lat: f64| cell_of(e7(lat.clamp(-LATITUDE_MAX, LATITUDE_MAX)), e7(lon));
        let (top, bottom) = (corner(west, north)?, corner(east, south)?);
        let area = Self { west: top.0, north: top.1, east: bottom.0, south: bottom.1 };
        (area.west <= area.east && area.north <= area.south).then_some(area)
    }

    const fn contains(&self, column: u32, row: u32, coarser: u32) -> bool {
        column >= self.west >> coarser
            && column <= self.east >> coarser
            && row >= self.north >> coarser
            && row <= self.south >> coarser
    }
}

/// A grid, made or being made, and for whom.
struct Kept {
    cars: Arc<[RoadMaker]>,
    made_at: UtcMillis,
    grid: watch::Receiver<Option<Arc<Grid>>>,
}

impl Kept {
    fn is_made(&self) -> bool {
        self.grid.borrow().is_some()
    }

    /// Whether it is good, or may become it.
    fn is_good(&self, now: UtcMillis) -> bool {
        let is_given_up = !self.is_made() && self.grid.has_changed().is_err();
        now.0.saturating_sub(self.made_at.0) < GOOD_MS && !is_given_up
    }
}

/// The grids of a server, newest last. A walk goes on when whoever asked for it is gone, and is walked once for all who ask.
#[derive(Default)]
pub(super) struct Grids {
    kept: Mutex<Vec<Kept>>,
}

impl Grids {
    /// Where the grid of these cars is, or will be told; begins a walk when there is none.
    fn ask(
        &self,
        cars: Arc<[RoadMaker]>,
        now: UtcMillis,
        walk: impl FnOnce(&[RoadMaker]) -> Grid + Send + 'static,
    ) -> Result<watch::Receiver<Option<Arc<Grid>>>, Problem> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.is_good(now));
        if let Some(found) = kept.iter().find(|kept| kept.cars == cars) {
            return Ok(found.grid.clone());
        }
        if kept.len() >= GRIDS_MAX {
            let oldest = kept.iter().position(Kept::is_made);
            kept.remove(oldest.ok_or(Problem::new(Code::Unavailable).retry_after(BUSY_S))?);
        }
        let (made, grid) = watch::channel(None);
        kept.push(Kept { cars: Arc::clone(&cars), made_at: now, grid: grid.clone() });
        drop(kept);
        tokio::task::spawn_blocking(move || made.send_replace(Some(Arc::new(walk(&cars)))));
        Ok(grid)
    }

    async fn of(&self, tracks: Tracks, cars: Arc<[RoadMaker]>, now: UtcMillis) -> Result<Arc<Grid>, Problem> {
        let mut grid = self.ask(cars, now, move |cars| Grid::walked(&tracks, cars, now))?;
        let made = grid.wait_for(Option::is_some).await.map_err(|error| Problem::internal(&error))?;
        made.clone().ok_or(Problem::new(Code::Internal))
    }
}

/// Of many cars every n-th.
fn thinned(cars: Vec<RoadMaker>) -> Arc<[RoadMaker]> {
    let every = cars.len().div_ceil(CARS_MAX).max(1);
    cars.into_iter().step_by(every).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DensityParams {
    /// West, south, east and north in degrees, with commas.
    #[param(example = "102.6,24.9,102.9,25.1")]
    bbox: String,
}

/// Cells that cars passed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DensityView {
    /// A cell is `1 / 2^level` of the world wide in Web Mercator.
    level: u32,
    /// Column from the west, row from the north, and how often it was entered: three numbers for each cell.
    cells: Vec<u32>,
    /// Whether there are more cells than fit.
    is_cut: bool,
}

/// Where the fleet drives
///
/// Cells that the cars of the last week passed, WGS-84, as fine as fits in an answer. Cells that fewer than three different cars
/// passed are left out.
#[utoipa::path(get, path = "/api/v1/density", tag = "positions", params(DensityParams), responses(
    (status = 200, body = DensityView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many maps are being made"),
))]
pub(super) async fn density(
    PositionsReader(granted): PositionsReader,
    State(state): State<ApiState>,
    Params(params): Params<DensityParams>,
) -> Result<Json<DensityView>, Problem> {
    let area = Area::read(&params.bbox);
    let area = area.ok_or_else(|| Problem::parameter("bbox", "must be west,south,east,north in degrees"))?;
    let now = state.now();
    let (tracks, cars) = state.data(&granted).await?.road_makers();
    let grid = state.grids().of(tracks, thinned(cars), now).await?;
    Ok(Json(grid.within(&area)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(lat: f64, lon: f64) -> Fix {
        Fix::new(UtcMillis(0), (lat * 1e7).round() as i32, (lon * 1e7).round() as i32)
    }

    /// A grid over which so many cars drove from the first place to the last.
    fn driven(cars: usize, places: &[(f64, f64)]) -> Grid {
        let mut walker = Walker::default();
        for _ in 0..cars {
            walker.next_car();
            for (lat, lon) in places {
                walker.walk_to(&fix(*lat, *lon));
            }
        }
        walker.finish()
    }

    const STREET: [(f64, f64); 3] = [(25.0, 102.7), (25.0, 102.702), (25.0, 102.704)];

    #[test]
    fn cells_are_those_of_web_mercator() {
        // The map tiles of zoom 21 at these places, by the formula of the OpenStreetMap wiki.
        assert_eq!(cell_of(0, 0), Some((1 << 20, 1 << 20)));
        assert_eq!(cell_of(850_511_287, -1_800_000_000), None);
        let (column, row) = cell_of(250_000_000, 1_027_000_000).unwrap();
        assert_eq!((column >> 11, row >> 11), (804, 438));
        assert_eq!(cell_of(250_000_000, 1_810_000_000), None);
    }

    #[test]
    fn a_road_is_told_when_three_cars_drove_it_and_has_no_holes() {
        assert!(driven(2, &STREET).levels.iter().all(Vec::is_empty));
        let grid = driven(3, &STREET);
        let [finest, middle, coarsest] = &grid.levels;
        let columns: Vec<u32> = finest.iter().map(|((column, _), _)| *column).collect();
        assert!(columns.windows(2).all(|pair| pair[1] - pair[0] == 1), "{columns:?}");
        assert!(finest.len() > 20 && middle.len() < finest.len() && coarsest.len() < middle.len());
        assert!(finest.iter().all(|(_, passages)| *passages == 3));
    }

    #[test]
    fn one_car_that_comes_again_and_again_is_still_one_car() {
        let mut walker = Walker::default();
        walker.next_car();
        for _ in 0..50 {
            for (lat, lon) in STREET {
                walker.walk_to(&fix(lat, lon));
            }
        }
        assert!(walker.finish().levels.iter().all(Vec::is_empty));
    }

    #[test]
    fn no_road_is_made_up_across_silence() {
        let grid = driven(3, &[(25.0, 102.7), (25.3, 103.1)]);
        assert_eq!(grid.levels[0].len(), 2);
    }

    #[test]
    fn an_answer_is_as_fine_as_fits() {
        let near = Area::read("102.69,24.99,102.71,25.01").unwrap();
        let view = driven(3, &STREET).within(&near);
        assert_eq!((view.level, view.is_cut), (LEVELS[0], false));
        assert!(view.cells.len() > 60 && view.cells.len().is_multiple_of(3));
        let elsewhere = Area::read("10,10,11,11").unwrap();
        assert!(driven(3, &STREET).within(&elsewhere).cells.is_empty());
        let cell = |at: u32| ((at % 1_000, at / 1_000), 5);
        let many = |count: u32| (0..count).map(cell).collect::<Vec<_>>();
        let everywhere = Area { west: 0, north: 0, east: u32::MAX, south: u32::MAX };
        let grid = Grid { levels: [many(100_000), many(50_000), many(300)] };
        assert_eq!(grid.within(&everywhere).level, LEVELS[2]);
        let grid = Grid { levels: [many(100_000), many(100_000), many(100_000)] };
        let view = grid.within(&everywhere);
        assert!(view.is_cut && view.cells.len() == CELLS_MAX * 3);
    }

    fn maker(number: u32) -> Arc<[RoadMaker]> {
        Arc::from([vec![(crate::ids::DeviceId(number), vec![Span::ALWAYS])]])
    }

    #[tokio::test]
    async fn a_walk_is_walked_once_and_outlives_who_asked() {
        let grids = Grids::default();
        let (go, wait) = std::sync::mpsc::channel();
        let first = grids.ask(maker(1), UtcMillis(0), move |_| {
            wait.recv().unwrap();
            driven(3, &STREET)
        });
        drop(first.unwrap());
        let mut again = grids.ask(maker(1), UtcMillis(0), |_| unreachable!("it is being walked")).unwrap();
        let mut other = grids.ask(maker(2), UtcMillis(0), |_| Grid::default()).unwrap();
        other.wait_for(Option::is_some).await.unwrap();
        assert!(again.borrow().is_none(), "another's map does not wait for this one");
        go.send(()).unwrap();
        assert!(!again.wait_for(Option::is_some).await.unwrap().as_ref().unwrap().levels[0].is_empty());
    }

    #[tokio::test]
    async fn no_more_walks_are_begun_than_are_kept() {
        let grids = Grids::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        for number in 0..u32::try_from(GRIDS_MAX).unwrap() {
            let wait = Arc::clone(&wait);
            let walk = move |_: &[RoadMaker]| {
                wait.lock().unwrap().recv().unwrap_err();
                Grid::default()
            };
            grids.ask(maker(number), UtcMillis(0), walk).unwrap();
        }
        let refused = grids.ask(maker(99), UtcMillis(0), |_| Grid::default());
        assert!(refused.is_err_and(|problem| problem.is(Code::Unavailable)));
        drop(go);
    }

    #[test]
    fn boxes_that_are_none_are_refused() {
        for text in ["", "1,2,3", "1,2,3,4,5", "3,2,1,4", "1,4,3,2", "NaN,0,1,1", "-200,0,1,1", "a,b,c,d"] {
            assert_eq!(Area::read(text), None, "{text}");
        }
        assert!(Area::read("-180,-90,180,90").is_some());
    }
}
