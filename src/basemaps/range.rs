//! `Range` of RFC 9110, as far as an archive of tiles needs it: one range of bytes. Pure.

/// Bytes of a file, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two numbers")]
#[expect(clippy::len_without_is_empty, reason = "a range has at least one byte")]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl ByteRange {
    /// How many bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.last - self.first + 1
    }
}

/// The range that a header asks of a file of `len` bytes, at most `bytes_max` of it; `None` when there is nothing to give.
#[must_use]
pub fn parse_range(header: &str, len: u64, bytes_max: u64) -> Option<ByteRange> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let end = len.checked_sub(1)?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let suffix: u64 = suffix.parse().ok().filter(|suffix| *suffix > 0)?;
            (len.saturating_sub(suffix), end)
        }
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.min(end)),
    };
    let last = last.min(first.saturating_add(bytes_max.saturating_sub(1)));
    (first <= last && first <= end).then_some(ByteRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        let range = |header: &str| parse_range(header, 1_000, 600).map(|range| (range.first, range.last));
        assert_eq!(range("bytes=0-499"), Some((0, 499)));
        assert_eq!(range("bytes=500-"), Some((500, 999)));
        assert_eq!(range("bytes=-10"), Some((990, 999)));
        assert_eq!(range("bytes=-5000"), Some((0, 599)), "an answer has an end");
        assert_eq!(range("bytes=900-5000"), Some((900, 999)));
        for wrong in [
            "",
            "bytes",
            "bytes=",
            "bytes=1000-",
            "bytes=9-3",
            "bytes=-0",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=a-b",
        ] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
        assert_eq!(parse_range("bytes=0-", 0, 10), None);
        assert_eq!(ByteRange { first: 3, last: 3 }.len(), 1);
    }
}
