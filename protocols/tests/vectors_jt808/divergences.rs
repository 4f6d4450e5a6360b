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
    of(TRACCAR, "dec31a05", "attribute", "a maker's item 0xE1, kept as bytes under the default profile"),
    of(
        TRACCAR,
        "34060daa",
        "attribute",
        "a maker's item 0xD4 and others, kept as bytes under the default profile",
    ),
    of(
        TRACCAR,
        "100b0ae3",
        "attribute",
        "a maker's item 0xF0 and others, kept as bytes under the default profile",
    ),
    of(
        TRACCAR,
        "aef7e856",
        "attribute",
        "a maker's item 0x63 and others, kept as bytes under the default profile",
    ),
    of(TRACCAR, "4fc6e072", "attribute", "a maker's item 0x56, kept as bytes under the default profile"),
    of(TRACCAR, "29ba7a68", "attribute", "a maker's item 0x69, kept as bytes under the default profile"),
    of(TRACCAR, "68f94c82", "attribute", "a maker's item 0xE1, kept as bytes under the default profile"),
    of(TRACCAR, "a263da01", "attribute", "a maker's item 0xBC, kept as bytes under the default profile"),
    of(TRACCAR, "f5553a69", "attribute", "a maker's item 0xE1, kept as bytes under the default profile"),
    of(
        TRACCAR,
        "3035290d",
        "attribute",
        "a maker's item 0xF0 and others, kept as bytes under the default profile",
    ),
    of(TRACCAR, "ef16d8be", "attribute", "a maker's item 0xE8, kept as bytes under the default profile"),
    of(TRACCAR, "dbce159b", "attribute", "a maker's item 0xE8, kept as bytes under the default profile"),
    of(
        TRACCAR,
        "7f88a6b2",
        "attribute",
        "a maker's item 0xE1 and others, kept as bytes under the default profile",
    ),
    of(
        TRACCAR,
        "0a8cfaf7",
        "attribute",
        "a maker's item 0xF0 and others, kept as bytes under the default profile",
    ),
    of(TRACCAR, "be76ad1b", "position", "0x2070 is a maker's message, kept as bytes"),
    of(TRACCAR, "b844e546", "attribute", "0x0210 is a maker's message, kept as bytes"),
    of(TRACCAR, "678a6c9a", "attribute", "the dialect of 0x5501, with a BYTE of serial, is not spoken"),
    of(TRACCAR, "de4276b3", "attribute", "the dialect of 0x5501, with a BYTE of serial, is not spoken"),
    of(TRACCAR, "e419d6ad", "position", "the dialect of 0x5501, with a BYTE of serial, is not spoken"),
    of(TRACCAR, "3e6a9f69", "position", "the dialect of 0x5501, with a BYTE of serial, is not spoken"),
    of(TRACCAR, "17a14ca0", "position", "the dialect of 0x5502, with a BYTE of serial, is not spoken"),
];
