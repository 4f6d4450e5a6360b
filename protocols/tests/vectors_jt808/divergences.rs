//! Where we differ from a source on purpose, or the source from itself, each with its reason.

use crate::vectors_common::Divergence;

const fn of(file: &'static str, key: &'static str, at: &'static str, why: &'static str) -> Divergence {
    Divergence { file, key, at, why }
}

const JT808: &str = "jt808.jsonl";
const TRACCAR: &str = "traccar-jt808.jsonl";

/// All of them.
pub(crate) const LIST: &[Divergence] = &[
    of(
        JT808,
        "a6808cfd",
        "jT808_0X0200_0X64.",
        "the item states 32 bytes and holds 47: by table 26 the next item begins where the length says",
    ),
    of(
        JT808,
        "4f270b71",
        "jT808_0X0200_0X65.",
        "the item states 32 bytes and holds 47: by table 26 the next item begins where the length says",
    ),
    of(
        JT808,
        "624d18f5",
        "L",
        "the status says south and west, and so do we; the source was given magnitudes to write",
    ),
    of(
        JT808,
        "6bb65902",
        "",
        "no reader can find that number: the frame holds another, in a header of 2019 without its version bit",
    ),
    of(
        JT808,
        "d0108e2d",
        "jT808LocationAttachImpl0XDD.",
        "a demo's item whose length is a WORD: by table 26 both are a BYTE",
    ),
    of(
        JT808,
        "3eb3fa76",
        "jT808LocationAttachImpl0XDE.",
        "a demo's item whose id is a WORD: by table 26 both are a BYTE",
    ),
    of(
        JT808,
        "eeb6066d",
        "jT808LocationAttachImpl0X62.",
        "a demo's item whose length is a DWORD: by table 26 both are a BYTE",
    ),
    of(
        JT808,
        "fa1086de",
        "jT808LocationAttachImpl0X62.",
        "a demo's item whose length is a DWORD: by table 26 both are a BYTE",
    ),
    of(
        JT808,
        "b98a73d0",
        "refused",
        "the frame was cut, so that its length and its check byte are wrong: such a one may be the ends of two",
    ),
    of(
        JT808,
        "692e1e1b",
        "Value",
        "a demo's own parameters in binary behind the twelve: the standard separates texts",
    ),
    of(JT808, "6f441c08", "reply", "the source answers with an empty 0x8001: by table 5 it has five bytes"),
    of(
        JT808,
        "459c9c3e",
        "body.",
        "the maker is 12 bytes where table 8 of 2019 has 11: every later field is one byte off",
    ),
    of(TRACCAR, "ef16d8be", "attribute", "an item 0xE8 of one make: nothing public says how it is written"),
    of(TRACCAR, "dbce159b", "attribute", "an item 0xE8 of one make: nothing public says how it is written"),
];
