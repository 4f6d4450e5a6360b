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
        "cf19c6a2",
        "refused",
        "the header states 47 bytes of body and there are 51; a wrong length is refused under every profile",
    ),
    of(JT808, "a6808cfd", "jT808_0X0200_0X64.", "the item states 32 bytes and holds 47; it is kept as bytes"),
    of(JT808, "4f270b71", "jT808_0X0200_0X65.", "the item states 32 bytes and holds 47; it is kept as bytes"),
    of(JT808, "624d18f5", "L", "the status says south and west; the source gives magnitudes"),
    of(JT808, "dc9735cb", "jT808_0X8600.", "gzip data is kept as sent, not inflated"),
    of(JT808, "6bb65902", "refused", "the header states no body and there are 5 bytes"),
    of(
        JT808,
        "d0108e2d",
        "jT808LocationAttachImpl0XDD.",
        "a demo's item with a WORD of length; the standard's is a BYTE",
    ),
    of(
        JT808,
        "3eb3fa76",
        "jT808LocationAttachImpl0XDE.",
        "a demo's item with a WORD of id; the standard's is a BYTE",
    ),
    of(
        JT808,
        "eeb6066d",
        "jT808LocationAttachImpl0X62.",
        "a demo's item with a DWORD of length; the standard's is a BYTE",
    ),
    of(
        JT808,
        "fa1086de",
        "jT808LocationAttachImpl0X62.",
        "a demo's item with a DWORD of length; the standard's is a BYTE",
    ),
    of(JT808, "b98a73d0", "refused", "the frame was cut: header and check byte are those of a longer one"),
    of(JT808, "692e1e1b", "Value", "a demo's own parameters behind the standard's twelve, in binary"),
    of(JT808, "a64521c2", "", "the row holds the first of the frames the test was fed"),
    of(JT808, "08a54dd3", "", "the row holds the first of the frames the test was fed"),
    of(JT808, "7b1671f6", "", "the source stops at a broken frame; here the next one is found"),
    of(JT808, "ef439f3f", "", "the check byte 7d is not escaped; the standard escapes it"),
    of(JT808, "6f441c08", "reply", "the source answers with an empty 0x8001, a body that no edition knows"),
    of(JT808, "e99ec20a", "Time", "the source reads the server's time as GMT+8; the standard says UTC"),
    of(
        JT808,
        "ebf3b0d2",
        "((JT808_0x8004)",
        "the source reads the server's time as GMT+8; the standard says UTC",
    ),
    of(JT808, "29bcca06", "reject", "one item is bad; the position before it is good and is kept"),
    of(
        JT808,
        "459c9c3e",
        "body.",
        "the maker is 12 bytes where 2019 has 11: every later field is one byte off",
    ),
    of(JT808, "43251b6f", "body.driver_name", "the name is UTF-8; the standard says GBK"),
    of(JT808, "48bfd85b", "body.driver_name", "the name is UTF-8; the standard says GBK"),
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
