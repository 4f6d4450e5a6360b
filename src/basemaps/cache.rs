//! Tiles that were asked for, in memory, up to a number of bytes; the longest unused goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderValue;
use bytes::Bytes;
use motorpool_protocols::UtcMillis;

use super::template::TileId;

/// What a tile costs besides its bytes.
const OVERHEAD_BYTES: usize = 200;

/// A tile as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Tile {
    /// What it is.
    pub content_type: HeaderValue,
    /// Its bytes.
    pub bytes: Bytes,
}

type Key = (usize, usize, TileId);

#[derive(Debug)]
struct Kept {
    tile: Tile,
    until: UtcMillis,
    used: u64,
}

#[derive(Debug, Default)]
struct Table {
    tiles: HashMap<Key, Kept>,
    /// When each was used last, oldest first.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

/// The tiles.
#[derive(Debug)]
pub(super) struct Cache {
    bytes_max: usize,
    kept_ms: i64,
    table: Mutex<Table>,
}

impl Table {
    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.tiles.remove(key) {
            self.by_use.remove(&kept.used);
            self.bytes -= kept.tile.bytes.len() + OVERHEAD_BYTES;
        }
    }
}

impl Cache {
    pub(super) fn new(bytes_max: usize, kept_ms: i64) -> Self {
        Self { bytes_max, kept_ms, table: Mutex::default() }
    }

    /// The tile of a layer, when it is there and not too old.
    pub(super) fn find(&self, key: Key, now: UtcMillis) -> Option<Tile> {
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *guard;
        if table.tiles.get(&key)?.until <= now {
            table.remove(&key);
            return None;
        }
        table.uses += 1;
        let kept = table.tiles.get_mut(&key)?;
        table.by_use.remove(&kept.used);
        kept.used = table.uses;
        table.by_use.insert(table.uses, key);
        Some(kept.tile.clone())
    }

    pub(super) fn keep(&self, key: Key, tile: Tile, now: UtcMillis) {
        let size = tile.bytes.len() + OVERHEAD_BYTES;
        if size > self.bytes_max || self.kept_ms == 0 {
            return;
        }
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *guard;
        table.remove(&key);
        while table.bytes + size > self.bytes_max {
            let Some((_, oldest)) = table.by_use.first_key_value().map(|(at, key)| (*at, *key)) else {
                break;
            };
            table.remove(&oldest);
        }
        table.uses += 1;
        let until = UtcMillis(now.0.saturating_add(self.kept_ms));
        table.tiles.insert(key, Kept { tile, until, used: table.uses });
        table.by_use.insert(table.uses, key);
        table.bytes += size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(x: u32) -> Key {
        (0, 0, TileId::new(10, x, 0).unwrap())
    }

    fn tile(bytes: usize) -> Tile {
        Tile { content_type: HeaderValue::from_static("image/png"), bytes: Bytes::from(vec![1; bytes]) }
    }

    #[test]
    fn the_longest_unused_goes_and_the_old_is_forgotten() {
        let cache = Cache::new(3 * (100 + OVERHEAD_BYTES), 1_000);
        let now = UtcMillis(5_000);
        for x in 0..3 {
            cache.keep(key(x), tile(100), now);
        }
        assert!(cache.find(key(0), now).is_some());
        cache.keep(key(3), tile(100), now);
        assert!(cache.find(key(1), now).is_none(), "1 was used longest ago");
        assert!(cache.find(key(0), now).is_some() && cache.find(key(3), now).is_some());
        cache.keep(key(0), tile(50), now);
        assert_eq!(cache.find(key(0), now), Some(tile(50)));
        cache.keep(key(4), tile(10_000), now);
        assert!(cache.find(key(4), now).is_none(), "larger than everything");
        assert!(cache.find(key(3), UtcMillis(6_000)).is_none(), "too old");
        let table = cache.table.lock().unwrap();
        let bytes: usize = table.tiles.values().map(|kept| kept.tile.bytes.len() + OVERHEAD_BYTES).sum();
        assert_eq!((table.bytes, table.by_use.len()), (bytes, table.tiles.len()));
    }
}
