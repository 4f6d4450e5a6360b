//! The web console's build, embedded. It owns what is served under which path, and must never do I/O.
//!
//! The files hold no data of anybody, so they are served without a token; what they show they ask the API for.
//! Without a build the page says what to run.

/// One file of the console.
#[derive(Clone, Copy, Debug)]
pub struct File {
    content_type: &'static str,
    bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
    is_immutable: bool,
}

impl File {
    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        self.content_type
    }

    /// Its content.
    #[must_use]
    pub const fn bytes(self) -> &'static [u8] {
        self.bytes
    }

    /// Its content compressed with Brotli, when the build made that. Browsers take it over HTTPS and on the same
    /// machine only, so [`bytes`](Self::bytes) is needed as well.
    #[must_use]
    pub const fn brotli(self) -> Option<&'static [u8]> {
        self.brotli
    }

    /// Whether its name holds a hash of its content, so that it can be kept for ever.
    #[must_use]
    pub const fn is_immutable(self) -> bool {
        self.is_immutable
    }

    /// Its entity tag with the quotes: a hash of the content (FNV-1a, 64 bits).
    #[must_use]
    pub fn etag(self) -> String {
        let hash = self.bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("\"{hash:016x}\"")
    }
}

struct Embedded {
    content_type: &'static str,
    bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
}

/// Sorted by path.
static FILES: &[(&str, Embedded)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

const INDEX: &str = "/index.html";

/// Vite puts what it names by a hash here, and nothing else.
const HASHED_FOLDER: &str = "/assets/";

const NOT_BUILT: File = File {
    content_type: "text/html; charset=utf-8",
    bytes: include_bytes!("not-built.html"),
    brotli: None,
    is_immutable: false,
};

/// The pages of the console. They live behind the `#`; whoever types one as a path gets the page, which goes there.
/// A closed list, so that no other path is answered without a token.
const PAGES: [&str; 11] = [
    "accounts", "case", "devices", "explain", "map", "month", "orders", "queue", "report", "sealing", "setup",
];

/// Whether the console itself is here, and not only the page that says how to build it.
#[must_use]
pub const fn is_built() -> bool {
    !FILES.is_empty()
}

/// The file at a path of the server, `/` for the page itself.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    let first = path.strip_prefix('/')?.split('/').next()?;
    let path = if path == "/" || PAGES.contains(&first) { INDEX } else { path };
    match FILES.binary_search_by_key(&path, |(name, _)| name) {
        Ok(at) => FILES.get(at).map(|(name, found)| File {
            content_type: found.content_type,
            bytes: found.bytes,
            brotli: found.brotli,
            is_immutable: name.starts_with(HASHED_FOLDER),
        }),
        Err(_) => (path == INDEX && !is_built()).then_some(NOT_BUILT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of specifications, and addresses that libraries print in messages: nothing loads them.
    fn is_harmless(address: &str) -> bool {
        ["http://www.w3.org/", "https://svelte.dev/e/"].iter().any(|known| address.starts_with(known))
    }

    #[test]
    fn the_pages_load_nothing_from_elsewhere_and_have_nothing_inline() {
        for page in [file("/").unwrap(), NOT_BUILT] {
            let text = std::str::from_utf8(page.bytes()).unwrap();
            for address in ["http://", "https://"].iter().flat_map(|scheme| text.match_indices(scheme)) {
                let (_, from) = text.split_at(address.0);
                assert!(is_harmless(from), "{from}");
            }
            for inline in ["<style", "style=\"", "onclick", "<script>"] {
                assert!(!text.contains(inline), "{inline} needs unsafe-inline");
            }
        }
    }

    #[test]
    fn whatever_the_page_asks_for_is_there() {
        let page = std::str::from_utf8(file("/").unwrap().bytes()).unwrap();
        let wanted = page.split("href=\"/").chain(page.split("src=\"/")).skip(1);
        for path in wanted.filter_map(|rest| rest.split('"').next()).filter(|path| path.contains('.')) {
            assert!(path.contains('<') || file(&format!("/{path}")).is_some(), "{path}");
        }
    }

    #[test]
    fn every_embedded_file_is_found_and_only_hashed_ones_are_kept_for_ever() {
        for (name, embedded) in FILES {
            let found = file(name).unwrap();
            assert_eq!(found.bytes(), embedded.bytes, "{name}");
            assert_eq!(found.is_immutable(), name.starts_with("/assets/"), "{name}");
        }
        assert!(!file("/").unwrap().is_immutable());
    }

    #[test]
    fn a_page_typed_as_a_path_is_the_page_and_nothing_else_is() {
        for path in ["/queue", "/case/v12-2026-03-04", "/index.html"] {
            assert_eq!(file(path).unwrap().etag(), file("/").unwrap().etag(), "{path}");
        }
        for path in
            ["", "/api", "/api/v1/cases", "/metrics", "/../Cargo.toml", "/assets/", "/nowhere", "queue"]
        {
            assert!(file(path).is_none(), "{path}");
        }
    }
}
