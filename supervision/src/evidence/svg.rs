//! Two drawings for the report: the track seen from above, and the speed over time. No map tiles, no borders, no script.

use std::fmt::Write as _;

use crate::UtcMillis;
use crate::point::{Point, Position};
use crate::trips::{Segment, Stop};

/// Width of both drawings, SVG units.
const WIDTH: f64 = 760.0;

/// Height of the map.
const MAP_HEIGHT: f64 = 420.0;

/// Height of the speed chart.
const CHART_HEIGHT: f64 = 140.0;

/// Room around a drawing.
const MARGIN: f64 = 24.0;

/// More points than this are thinned for drawing; the tables keep all.
const MAX_DRAWN: usize = 4_000;

/// Puts positions on the drawing: equirectangular, north up, the same scale both ways.
struct Frame {
    west: f64,
    north: f64,
    shrink: f64,
    scale: f64,
}

impl Frame {
    fn around(positions: impl Iterator<Item = Position> + Clone) -> Option<Self> {
        let first = positions.clone().next()?;
        let (mut south, mut north) = (first.lat(), first.lat());
        let (mut west, mut east) = (first.lon(), first.lon());
        for position in positions {
            south = south.min(position.lat());
            north = north.max(position.lat());
            west = west.min(position.lon());
            east = east.max(position.lon());
        }
        let shrink = f64::midpoint(south, north).to_radians().cos().max(0.01);
        // At least about 200 m, so that a parked car is not blown up to fill the page.
        let wide = ((east - west) * shrink).max(0.002);
        let high = (north - south).max(0.002);
        let scale = ((WIDTH - 2.0 * MARGIN) / wide).min((MAP_HEIGHT - 2.0 * MARGIN) / high);
        Some(Self { west, north, shrink, scale })
    }

    fn place(&self, position: Position) -> (f64, f64) {
        let x = MARGIN + (position.lon() - self.west) * self.shrink * self.scale;
        let y = MARGIN + (self.north - position.lat()) * self.scale;
        (x, y)
    }

    /// Metres that 100 units are long.
    fn metres_per_100(&self) -> f64 {
        100.0 / self.scale * 111_195.0
    }
}

fn thinned(points: &[Point]) -> impl Iterator<Item = &Point> {
    points.iter().filter(|point| point.is_usable()).step_by(points.len() / MAX_DRAWN + 1)
}

fn stops(segments: &[Segment], from: UtcMillis, to: UtcMillis) -> impl Iterator<Item = &Stop> {
    segments.iter().filter_map(move |segment| match segment {
        Segment::Stop(stop) if stop.start <= to && stop.end >= from => Some(stop),
        _ => None,
    })
}

/// The track from above, with stops, a scale bar and north. Empty without points.
pub(super) fn map(points: &[Point], segments: &[Segment], marks: &[Position]) -> String {
    let drawn = || thinned(points).map(|point| point.at);
    let Some(frame) = Frame::around(drawn().chain(marks.iter().copied()).collect::<Vec<_>>().into_iter())
    else {
        return String::new();
    };
    let line = drawn().fold(String::new(), |mut line, position| {
        let (x, y) = frame.place(position);
        // Writing to a string can't fail.
        let _infallible = write!(line, "{x:.1},{y:.1} ");
        line
    });
    let mut svg = format!(
        r##"<svg viewBox="0 0 {WIDTH} {MAP_HEIGHT}" role="img" aria-label="track"><rect width="{WIDTH}" height="{MAP_HEIGHT}" fill="#f6f7f8"/><polyline points="{line}" fill="none" stroke="#1b5fa8" stroke-width="1.6"/>"##
    );
    let (from, to) = span(points);
    for stop in stops(segments, from, to) {
        let (x, y) = frame.place(stop.at);
        svg += &format!(
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="#fff" stroke="#1b5fa8" stroke-width="1.5"/>"##
        );
    }
    for mark in marks {
        let (x, y) = frame.place(*mark);
        svg += &format!(
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="7" fill="none" stroke="#b3261e" stroke-width="2.5"/>"##
        );
    }
    let bottom = MAP_HEIGHT - 12.0;
    let metres = frame.metres_per_100();
    svg += &format!(
        r##"<path d="M24 {bottom} h100" stroke="#333" stroke-width="2"/><text x="130" y="{bottom}" font-size="12">{metres:.0} m</text><text x="730" y="24" font-size="14">N↑</text></svg>"##
    );
    svg
}

fn span(points: &[Point]) -> (UtcMillis, UtcMillis) {
    let first = points.first().map_or(UtcMillis(0), |point| point.time);
    let last = points.last().map_or(UtcMillis(0), |point| point.time);
    (first, last)
}

/// Speed over time, where a speed is known. Empty without any.
pub(super) fn speed(points: &[Point]) -> String {
    let known: Vec<(i64, u16)> = points
        .iter()
        .filter_map(|point| Some((point.time.0, point.vehicle_speed_dkmh.or(point.speed_dkmh)?)))
        .step_by(points.len() / MAX_DRAWN + 1)
        .collect();
    let (Some(&(first, _)), Some(&(last, _))) = (known.first(), known.last()) else {
        return String::new();
    };
    let top = known.iter().map(|(_, speed)| *speed).max().unwrap_or(0).max(100);
    let line = known.iter().fold(String::new(), |mut line, &(time, speed)| {
        let x = MARGIN + share(time - first, last - first) * (WIDTH - 2.0 * MARGIN);
        let y = CHART_HEIGHT - MARGIN - f64::from(speed) / f64::from(top) * (CHART_HEIGHT - 2.0 * MARGIN);
        // Writing to a string can't fail.
        let _infallible = write!(line, "{x:.1},{y:.1} ");
        line
    });
    let kmh = f64::from(top) / 10.0;
    let base = CHART_HEIGHT - MARGIN;
    let right = WIDTH - MARGIN;
    format!(
        r##"<svg viewBox="0 0 {WIDTH} {CHART_HEIGHT}" role="img" aria-label="speed"><path d="M{MARGIN} {base} H{right}" stroke="#999"/><polyline points="{line}" fill="none" stroke="#1b5fa8" stroke-width="1.2"/><text x="2" y="16" font-size="11">{kmh:.0} km/h</text></svg>"##
    )
}

/// `part` of `whole`, 0 when there is no whole.
fn share(part: i64, whole: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for a drawing")]
    let share = part as f64 / whole.max(1) as f64;
    share
}
