//! Things with a range of latitudes, cut into bands of equal height, so that those at one latitude are found at once.

use std::ops::RangeInclusive;

/// Entries per item at most: an item is listed in every band that it touches.
const ENTRIES_PER_ITEM: usize = 8;

/// Items listed by bands of latitude.
#[derive(Clone, Debug)]
pub(super) struct Bands<T> {
    /// South end of the first band, 1e-7 degrees.
    south: i32,
    /// Height of a band: 1e-7 degrees to the power of two.
    shift: u32,
    /// Where each band begins in `items`, and where the last one ends.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Bands<T> {
    /// Lists `items` by the latitudes that `range` names for each.
    pub(super) fn new(items: &[T], range: impl Fn(&T) -> RangeInclusive<i32>) -> Self {
        let south = items.iter().map(|item| *range(item).start()).min().unwrap_or(0);
        let rows = |item: &T, shift: u32| {
            let range = range(item);
            let row = |lat: i32| (lat.wrapping_sub(south).cast_unsigned() >> shift) as usize;
            row(*range.start())..=row(*range.end())
        };
        // A band must not cost more than it saves: no more bands than items, and no item in too many of them.
        let fits = |shift: u32| {
            let last = items.iter().map(|item| *rows(item, shift).end()).max().unwrap_or(0);
            let entries: usize = items.iter().map(|item| rows(item, shift).count()).sum();
            last < items.len().max(1) && entries <= items.len() * ENTRIES_PER_ITEM
        };
        let shift = (0..31).find(|&shift| fits(shift)).unwrap_or(31);
        let last = items.iter().map(|item| *rows(item, shift).end()).max().unwrap_or(0);
        let mut listed: Vec<Vec<T>> = vec![Vec::new(); last + 1];
        for item in items {
            for band in listed.get_mut(rows(item, shift)).unwrap_or_default() {
                band.push(*item);
            }
        }
        let mut starts = vec![0];
        let mut flat = Vec::new();
        for band in listed {
            flat.extend(band);
            starts.push(u32::try_from(flat.len()).unwrap_or(u32::MAX));
        }
        Self { south, shift, starts, items: flat }
    }

    /// The items that may be at this latitude.
    #[inline]
    pub(super) fn at(&self, lat_e7: i32) -> &[T] {
        if lat_e7 < self.south { &[] } else { self.bands(self.band(lat_e7), self.band(lat_e7)) }
    }

    /// The items that may be at one of these latitudes, some of them more than once.
    pub(super) fn between(&self, south_e7: i32, north_e7: i32) -> &[T] {
        if north_e7 < self.south {
            return &[];
        }
        let last = self.starts.len().saturating_sub(2);
        self.bands(self.band(south_e7.max(self.south)), self.band(north_e7).min(last))
    }

    /// The band of a latitude that is not south of the first.
    #[inline]
    const fn band(&self, lat_e7: i32) -> usize {
        (lat_e7.wrapping_sub(self.south).cast_unsigned() >> self.shift) as usize
    }

    #[inline]
    fn bands(&self, first: usize, last: usize) -> &[T] {
        match (self.starts.get(first), self.starts.get(last + 1)) {
            (Some(&from), Some(&to)) => self.items.get(from as usize..to as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}
