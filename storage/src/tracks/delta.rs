//! Integer pages decoded: DELTA_BINARY_PACKED values, behind definition levels where the column may be null.
//!
//! ```text
//! page    [bytes of the levels, 4 little endian · RLE/bit-packed hybrid of width 1] · values
//! values  block size · mini blocks of a block · count · first value (zigzag) · blocks      LEB128
//! block   least delta (zigzag) · width of each mini block, a byte · mini blocks, bit-packed, lowest bit first
//! ```
//!
//! The `parquet` crate decodes the same through a column reader that is made anew for each page, copies page and
//! values once more, and always goes to the end of the page. A search over a day of fourteen million rows is hardly
//! anything but this work, so it is done here for the one encoding that the archive writes; a property test compares
//! it with the crate's. Pages are compared with their checksums before they come here: the checks below keep bytes
//! that passed nevertheless from doing harm.
//!
//! This module does no I/O and never panics on bytes.

/// Bytes that must follow a page, of any value: a group of eight values is read through a window of this size.
pub(super) const SLACK: usize = 64;

/// Stands for null; no nullable column can hold it.
pub(super) const NULL: i64 = i64::MIN;

/// Values of one group; its bits end at a byte.
const GROUP: usize = 8;

/// The widest values of which eight fit in the window with the byte that they begin in.
const WIDTH_MAX: u8 = 56;

/// A block larger than this is not ours: the writer's has 256 values at most.
const BLOCK_MAX: usize = 1 << 16;

/// What a page holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageShape {
    /// Rows of the page.
    pub(super) rows: usize,
    /// Whether rows may be null.
    pub(super) is_nullable: bool,
    /// Whether the values have 32 bits and wrap there.
    pub(super) is_narrow: bool,
}

/// Adds the first `wanted` rows of the page to `out`, [`NULL`] where there is no value. `page` is followed by
/// [`SLACK`] bytes in the same slice.
pub(super) fn decode(
    padded: &[u8],
    shape: PageShape,
    wanted: usize,
    out: &mut Vec<i64>,
) -> Result<(), &'static str> {
    let len = padded.len().checked_sub(SLACK).ok_or("too short")?;
    let wanted = wanted.min(shape.rows);
    let start = out.len();
    let (levels_len, levels) = if shape.is_nullable {
        let page = padded.get(..len).ok_or("too short")?;
        let (size, rest) = page.split_first_chunk::<4>().ok_or("levels")?;
        let size = u32::from_le_bytes(*size) as usize;
        let levels = rest.get(..size).ok_or("levels")?;
        (4 + size, Levels::decode(levels, shape.rows)?)
    } else {
        (0, Levels::AllPresent)
    };
    let values = padded.get(levels_len..).ok_or("levels")?;
    let present = levels.present_of(shape.rows);
    values_into(values, present, levels.present_of(wanted), out)?;
    let found = out.get_mut(start..).ok_or("values")?;
    if shape.is_narrow {
        // The sums of 32-bit values wrap at 32 bits.
        found.iter_mut().for_each(|value| *value = i64::from(*value as i32));
    }
    if let Levels::Mixed(levels) = levels {
        spread(out, start, levels.get(..wanted).ok_or("levels")?);
    }
    Ok(())
}

/// Which rows have a value.
enum Levels {
    AllPresent,
    Mixed(Vec<bool>),
}

impl Levels {
    fn decode(mut bytes: &[u8], rows: usize) -> Result<Self, &'static str> {
        let mut levels: Vec<bool> = Vec::new();
        let mut known = 0;
        while known < rows {
            let header = varint(&mut bytes).ok_or("levels")?;
            let len = usize::try_from(header >> 1).map_err(|_| "levels")?;
            let left = rows - known;
            if header & 1 == 0 {
                let (value, rest) = bytes.split_first().ok_or("levels")?;
                bytes = rest;
                if *value == 1 && known == 0 && len >= rows {
                    return Ok(Self::AllPresent);
                }
                levels.extend(std::iter::repeat_n(*value == 1, len.min(left)));
            } else {
                let packed = bytes.get(..len).ok_or("levels")?;
                bytes = &bytes[len..];
                let bits = packed.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
                levels.extend(bits.take(left));
            }
            if levels.len() == known {
                return Err("levels");
            }
            known = levels.len();
        }
        Ok(Self::Mixed(levels))
    }

    /// How many of the first `rows` have a value.
    fn present_of(&self, rows: usize) -> usize {
        match self {
            Self::AllPresent => rows,
            Self::Mixed(levels) => levels.iter().take(rows).filter(|is_present| **is_present).count(),
        }
    }
}

/// Moves the values from `start` on to the rows that have one, from the last to the first.
fn spread(out: &mut Vec<i64>, start: usize, levels: &[bool]) {
    let mut from = out.len();
    out.resize(start + levels.len(), NULL);
    for (row, is_present) in levels.iter().enumerate().rev() {
        out[start + row] = if *is_present {
            from -= 1;
            out[from]
        } else {
            NULL
        };
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let value = varint(bytes)?;
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

/// Adds the first `wanted` of `count` values to `out`.
fn values_into(
    mut bytes: &[u8],
    count: usize,
    wanted: usize,
    out: &mut Vec<i64>,
) -> Result<(), &'static str> {
    let input = &mut bytes;
    let size = |input: &mut &[u8]| varint(input).and_then(|size| usize::try_from(size).ok());
    let block = size(input).filter(|size| (1..=BLOCK_MAX).contains(size)).ok_or("block size")?;
    let minis = size(input).filter(|minis| (1..=block).contains(minis)).ok_or("mini blocks")?;
    let mini = block / minis;
    if !mini.is_multiple_of(32) || mini * minis != block {
        return Err("mini block size");
    }
    if size(input) != Some(count) {
        return Err("count of values");
    }
    let mut last = zigzag(input).ok_or("first value")?;
    if input.len() < SLACK {
        return Err("header");
    }
    if wanted == 0 {
        return Ok(());
    }
    out.reserve(wanted);
    out.push(last);
    let mut left = wanted - 1;
    while left > 0 {
        let least = zigzag(input).ok_or("least delta")?;
        let (widths, rest) = input.split_at_checked(minis).ok_or("widths")?;
        *input = rest;
        for width in widths {
            let len = mini / 8 * usize::from(*width);
            // The slack behind the page is no part of it.
            if *width > 64 || input.len().checked_sub(SLACK).is_none_or(|page| page < len) {
                return Err("mini block");
            }
            let take = left.min(mini);
            let from = out.len();
            out.resize(from + take, 0);
            last = mini_block(input, *width, least, last, &mut out[from..]);
            left -= take;
            *input = &input[len..];
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// Fills `out` from the mini block at the beginning of `bytes`; returns the last value.
fn mini_block(bytes: &[u8], width: u8, least: i64, last: i64, out: &mut [i64]) -> i64 {
    macro_rules! by_width {
        ($($known:literal)*) => {
            match width {
                0 => constant(least, last, out),
                $($known => packed::<$known>(bytes, least, last, out),)*
                _ => wide(bytes, width, least, last, out),
            }
        };
    }
    const { assert!(WIDTH_MAX == 56, "the widths below end there") };
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36
        37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56)
}

fn constant(least: i64, mut last: i64, out: &mut [i64]) -> i64 {
    for value in out {
        last = last.wrapping_add(least);
        *value = last;
    }
    last
}

/// Values of `WIDTH` bits. All places are known when it is compiled, so that nothing is checked in the loop.
#[inline]
fn packed<const WIDTH: usize>(bytes: &[u8], least: i64, mut last: i64, out: &mut [i64]) -> i64 {
    for (group, values) in out.chunks_mut(GROUP).enumerate() {
        // A group begins within the page, and the slack is as long as the window.
        let window = bytes.get(group * WIDTH..).and_then(|rest| rest.first_chunk::<SLACK>());
        let Some(window) = window else { return last };
        let mut deltas = [0_i64; GROUP];
        for (i, delta) in deltas.iter_mut().enumerate() {
            let bit = i * WIDTH;
            let word = window[bit / 8..].first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
            *delta = (word >> (bit % 8) & ((1 << WIDTH) - 1)).cast_signed().wrapping_add(least);
        }
        for (value, delta) in values.iter_mut().zip(deltas) {
            last = last.wrapping_add(delta);
            *value = last;
        }
    }
    last
}

/// Values of more than 56 bits, which may lie across nine bytes. No column of ours needs them but by damage.
#[cold]
fn wide(bytes: &[u8], width: u8, least: i64, mut last: i64, out: &mut [i64]) -> i64 {
    let width = usize::from(width);
    for (i, value) in out.iter_mut().enumerate() {
        let bit = i * width;
        let mut word = [0; 16];
        for (to, from) in word.iter_mut().zip(bytes.iter().skip(bit / 8).take(9)) {
            *to = *from;
        }
        let mask = u128::MAX >> (128 - width);
        let packed = (u128::from_le_bytes(word) >> (bit % 8) & mask) as u64;
        last = last.wrapping_add(packed.cast_signed()).wrapping_add(least);
        *value = last;
    }
    last
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::{Compression, Encoding, Repetition, Type as Physical};
    use parquet::column::page::Page;
    use parquet::data_type::{DataType, Int32Type, Int64Type};
    use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use proptest::prelude::*;

    use super::*;

    /// The one page that the `parquet` crate makes of `rows`.
    fn page_of<T: DataType>(rows: &[Option<T::T>], is_nullable: bool) -> Vec<u8> {
        let repetition = if is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder("x", T::get_physical_type()).with_repetition(repetition);
        let field = Arc::new(field.build().unwrap());
        let schema = Type::group_type_builder("fix").with_fields(vec![field]).build().unwrap();
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.is_some())).collect();
        let values: Vec<T::T> = rows.iter().flatten().cloned().collect();
        column.typed::<T>().write_batch(&values, is_nullable.then_some(&levels[..]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        let file = bytes::Bytes::from(writer.into_inner().unwrap());
        let reader = SerializedFileReader::new(file).unwrap();
        let mut pages = reader.get_row_group(0).unwrap().get_column_page_reader(0).unwrap();
        let Page::DataPage { buf, .. } = pages.get_next_page().unwrap().unwrap() else {
            panic!("a data page")
        };
        assert!(pages.get_next_page().unwrap().is_none());
        buf.to_vec()
    }

    fn shape<T: DataType>(rows: usize, is_nullable: bool) -> PageShape {
        PageShape { rows, is_nullable, is_narrow: T::get_physical_type() == Physical::INT32 }
    }

    fn check<T: DataType>(rows: &[Option<T::T>], is_nullable: bool, wanted: usize)
    where
        i64: From<T::T>,
    {
        let mut page = page_of::<T>(rows, is_nullable);
        // What follows the page must not matter.
        page.extend([0xa5; SLACK]);
        let mut out = vec![7];
        decode(&page, shape::<T>(rows.len(), is_nullable), wanted, &mut out).unwrap();
        let expected = rows.iter().take(wanted).map(|row| row.clone().map_or(NULL, i64::from));
        assert_eq!(out, std::iter::once(7).chain(expected).collect::<Vec<_>>());
    }

    /// Runs of steps of one size class each, so that widths from 0 to 64 and blocks of every fill occur.
    fn walk() -> impl Strategy<Value = Vec<i64>> {
        let run = (0_u32..=64, 1_usize..200, any::<u64>());
        proptest::collection::vec(run, 1..5).prop_map(|runs| {
            let mut values = Vec::new();
            let mut last = 0_i64;
            for (bits, len, mut seed) in runs {
                for _ in 0..len {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let step = if bits == 0 { 3 } else { (seed >> (64 - bits)).cast_signed() };
                    last = last.wrapping_add(if seed & 1 == 0 { step } else { step.wrapping_neg() });
                    values.push(last);
                }
            }
            values
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pages_of_the_crate_come_back_value_for_value(values in walk(), cut in 0_usize..900) {
            let wide: Vec<Option<i64>> = values.iter().map(|value| Some(*value)).collect();
            check::<Int64Type>(&wide, false, cut);
            check::<Int64Type>(&wide, true, wide.len());
            let narrow: Vec<Option<i32>> = values.iter().map(|value| Some(*value as i32)).collect();
            check::<Int32Type>(&narrow, false, cut);
            check::<Int32Type>(&narrow, false, narrow.len());
        }

        #[test]
        fn nulls_come_back_where_they_were(values in walk(), pattern in any::<u64>(), cut in 0_usize..900) {
            // Long runs and single ones, which the levels store differently.
            let is_null = |i: usize| if pattern & 1 == 0 { pattern >> (i % 61) & 1 == 1 } else { (i / 40).is_multiple_of(2) };
            let rows = values.iter().enumerate();
            let rows: Vec<Option<i32>> = rows.map(|(i, value)| (!is_null(i)).then_some(*value as i32)).collect();
            check::<Int32Type>(&rows, true, cut);
            check::<Int32Type>(&rows, true, rows.len());
            check::<Int32Type>(&vec![None; rows.len()], true, rows.len());
        }

        #[test]
        fn no_bytes_do_harm(values in walk(), at in any::<prop::sample::Index>(), flip in 1_u8.., end in any::<prop::sample::Index>()) {
            let rows: Vec<Option<i64>> = values.iter().map(|value| (value & 7 != 0).then_some(*value)).collect();
            for is_nullable in [false, true] {
                let rows = if is_nullable { rows.clone() } else { values.iter().map(|value| Some(*value)).collect() };
                let mut page = page_of::<Int64Type>(&rows, is_nullable);
                let at = at.index(page.len());
                page[at] ^= flip;
                page.truncate(end.index(page.len() + 1));
                page.extend([0; SLACK]);
                let mut out = Vec::new();
                // Whatever it says, it ends, and never gives more than was asked for.
                let result = decode(&page, shape::<Int64Type>(rows.len(), is_nullable), rows.len(), &mut out);
                prop_assert!(out.len() <= rows.len() && (result.is_err() || out.len() == rows.len()));
            }
        }
    }

    #[test]
    fn a_page_that_ends_early_is_refused() {
        let rows: Vec<Option<i64>> = (0..300).map(|i| Some(i * i)).collect();
        let page = page_of::<Int64Type>(&rows, false);
        for end in 0..page.len() {
            let cut = [&page[..end], &[0; SLACK]].concat();
            let result = decode(&cut, shape::<Int64Type>(rows.len(), false), rows.len(), &mut Vec::new());
            assert!(result.is_err(), "cut at {end} of {}", page.len());
        }
    }
}
