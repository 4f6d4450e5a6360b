//! Every row of `jt808.jsonl`, `traccar-jt808.jsonl` and `jt1078.jsonl`: frames and bodies of other projects' test
//! suites with the values that those projects read from them.
//!
//! A row passes when every value that its source names is what we read (`mapping` says which of our fields that
//! is), when the message encodes to the same bytes again, when a reply has the same bytes, and when what must be
//! refused is refused. A row that does not pass must stand in `divergences` with its reason, and what stands there
//! must still diverge.

mod divergences;
mod document;
mod mapping;
mod run;
mod traccar;
mod values;
#[path = "../vectors_common/mod.rs"]
mod vectors_common;

use vectors_common::run_file;

#[test]
fn jt808_rows_say_what_their_sources_say() {
    run_file("jt808.jsonl", divergences::LIST, run::row);
}

#[test]
fn jt1078_rows_say_what_their_sources_say() {
    run_file("jt1078.jsonl", divergences::LIST, run::row);
}

#[test]
fn traccar_rows_share_one_link_and_say_what_traccar_says() {
    let link = std::cell::RefCell::new(traccar::Link::default());
    run_file("traccar-jt808.jsonl", divergences::LIST, |row| link.borrow_mut().row(row));
}
