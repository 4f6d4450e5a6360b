//! Addresses of tiles: XYZ, TMS and KVP (WMTS) templates, filled in. Pure.
//!
//! `{z}`, `{x}`, `{y}` count as in XYZ, `{-y}` from the south as TMS does, `{s}` is one of the named hosts (`t{0-7}` is the same),
//! `{key}` is the key, which stays on the server.

/// Zoom levels that there are.
pub const ZOOM_MAX: u8 = 24;

/// A tile in the grid of Web Mercator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "three numbers")]
pub struct TileId {
    /// Zoom.
    pub z: u8,
    /// Column, from the date line eastwards.
    pub x: u32,
    /// Row, from the north.
    pub y: u32,
}

impl TileId {
    /// The tile, when there is one.
    #[must_use]
    pub fn new(z: u8, x: u32, y: u32) -> Option<Self> {
        let side = 1_u32.checked_shl(u32::from(z))?;
        (z <= ZOOM_MAX && x < side && y < side).then_some(Self { z, x, y })
    }

    /// The row from the south.
    #[must_use]
    pub const fn row_from_south(self) -> u32 {
        (1_u32 << self.z) - 1 - self.y
    }
}

/// What is wrong with a template; nothing when it can be filled in.
#[must_use]
pub fn fault(template: &str) -> Option<&'static str> {
    let has = |name: &str| template.contains(name);
    if !template.starts_with("https://") && !template.starts_with("http://") {
        return Some("does not begin with https:// or http://");
    }
    if !has("{z}") || !has("{x}") || !(has("{y}") || has("{-y}")) {
        return Some("lacks {z}, {x} or {y}");
    }
    let filled = fill(template, TileId { z: 0, x: 0, y: 0 }, "key");
    filled.contains(['{', '}']).then_some("has a placeholder that is none of {z} {x} {y} {-y} {key} {0-7}")
}

/// The address of a tile.
#[must_use]
pub fn fill(template: &str, tile: TileId, key: &str) -> String {
    let mut address = template
        .replace("{z}", &tile.z.to_string())
        .replace("{x}", &tile.x.to_string())
        .replace("{y}", &tile.y.to_string())
        .replace("{-y}", &tile.row_from_south().to_string())
        .replace("{key}", key);
    // Neighbours ask different hosts, and one tile always the same.
    for (range, hosts) in [("{0-7}", 8), ("{0-3}", 4)] {
        address = address.replace(range, &(tile.x.wrapping_add(tile.y) % hosts).to_string());
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(z: u8, x: u32, y: u32) -> TileId {
        TileId::new(z, x, y).unwrap()
    }

    #[test]
    fn templates_of_all_kinds_are_filled_in() {
        let tianditu = "https://t{0-7}.tianditu.gov.cn/vec_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=vec&STYLE=default\
            &TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}";
        assert_eq!(
            fill(tianditu, tile(5, 26, 13), "k"),
            "https://t7.tianditu.gov.cn/vec_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=vec&STYLE=default\
             &TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX=5&TILEROW=13&TILECOL=26&tk=k"
        );
        assert_eq!(fill("https://maps/{z}/{x}/{y}.png", tile(3, 6, 3), ""), "https://maps/3/6/3.png");
        assert_eq!(fill("https://maps/{z}/{x}/{-y}.png", tile(3, 6, 3), ""), "https://maps/3/6/4.png");
        for template in [tianditu, "http://maps/{z}/{x}/{-y}"] {
            assert_eq!(fault(template), None);
        }
        for template in ["/tiles/{z}/{x}/{y}", "https://maps/{z}/{x}", "https://maps/{z}/{x}/{y}?k={token}"] {
            assert!(fault(template).is_some(), "{template}");
        }
    }

    #[test]
    fn tiles_outside_the_grid_are_none() {
        for (z, x, y) in [(0, 1, 0), (3, 8, 0), (3, 0, 8), (25, 0, 0), (40, 0, 0), (255, 0, 0)] {
            assert_eq!(TileId::new(z, x, y), None);
        }
        assert!(TileId::new(24, (1 << 24) - 1, 0).is_some());
    }
}
