//! The live map with 30,000 cars: what one tick costs the server, and what one reader costs besides.
//!
//! Prints a table; asserts nothing. Each tick moves 3,000 cars, as a fleet does that reports every ten seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use motorpool::api::live_feed::board::{Area, Board, Numbers, Reader};
use motorpool::ids::DeviceId;
use motorpool::live::{LastState, Live};
use motorpool_protocols::{Fix, Quality, UtcMillis};

const CARS: u32 = 30_000;
const MOVED_EACH_TICK: u32 = 3_000;
const TICKS: u32 = 50;
const START: UtcMillis = UtcMillis(1_772_589_600_000);

fn fix(car: u32, second: i64) -> Fix {
    let step = i32::try_from(second).unwrap_or(0) * 1_000;
    let (row, column) = (car / 200, car % 200);
    let place = |at: u32, base: i32| base + i32::try_from(at).unwrap_or(0) * 20_000 + step;
    Fix {
        speed_dkmh: Some(420),
        course_deg: Some(90),
        quality: Quality(0),
        ..Fix::new(UtcMillis(START.0 + second * 1_000), place(row, 300_000_000), place(column, 1_100_000_000))
    }
}

fn drive(live: &Live, tick: u32) {
    let mut batch = live.batch();
    for at in 0..MOVED_EACH_TICK {
        let car = (tick * MOVED_EACH_TICK + at) % CARS;
        let fix = fix(car, i64::from(tick));
        batch.apply(DeviceId(car + 1), fix.fix_time, &fix);
    }
}

/// The middle of measured times.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn main() {
    let live = Live::new();
    {
        let mut batch = live.batch();
        for car in 0..CARS {
            batch.apply(DeviceId(car + 1), START, &fix(car, 0));
        }
    }
    let list: Vec<u32> = (1..=CARS).collect();
    let numbers = Numbers { version: 1, list: Arc::from(list) };
    let (mut board, mut whole, mut part) = (Board::default(), Reader::default(), Reader::default());
    part.look(Area::try_from([110.0, 30.0, 110.2, 30.2]).ok(), None);
    let (mut copy, mut tick_times, mut whole_times, mut part_times) = (vec![], vec![], vec![], vec![]);
    let (mut whole_bytes, mut part_bytes) = (0, 0);
    for number in 1..=TICKS {
        drive(&live, number);
        let began = Instant::now();
        let states: Vec<LastState> = live.positions_after(DeviceId(0), usize::MAX, |_| true);
        copy.push(began.elapsed());
        let began = Instant::now();
        let tick = board.tick(&numbers, &states);
        tick_times.push(began.elapsed());
        let began = Instant::now();
        whole_bytes = whole.frame(&tick).map_or(0, |frame| frame.len());
        whole_times.push(began.elapsed());
        let began = Instant::now();
        part_bytes = part.frame(&tick).map_or(0, |frame| frame.len());
        part_times.push(began.elapsed());
    }
    println!("{CARS} cars, {MOVED_EACH_TICK} moved each tick, median of {TICKS} ticks");
    println!("copy of the last states, once a tick    {:8.3} ms", median(copy));
    println!("compare and encode, once a tick         {:8.3} ms", median(tick_times));
    println!("a reader of everything                  {:8.3} ms  {whole_bytes} bytes", median(whole_times));
    println!("a reader of a part                      {:8.3} ms  {part_bytes} bytes", median(part_times));
}
