//! The web console, embedded: one plain page without a build step, that works offline.
//!
//! The files hold no data of anybody, so they are served without a token; what they show they ask the API for.

/// One file of the console.
#[derive(Clone, Copy, Debug)]
pub struct File {
    content_type: &'static str,
    bytes: &'static [u8],
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

    /// Its entity tag with the quotes: a hash of the content (FNV-1a, 64 bits).
    #[must_use]
    pub fn etag(self) -> String {
        let hash = self.bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("\"{hash:016x}\"")
    }
}

const fn file_of(content_type: &'static str, bytes: &'static [u8]) -> File {
    File { content_type, bytes }
}

/// The file at a path of the server, `/` for the page itself.
#[must_use]
pub fn file(path: &str) -> Option<File> {
    Some(match path {
        "/" | "/index.html" => file_of("text/html; charset=utf-8", include_bytes!("../page/index.html")),
        "/app.js" => file_of("text/javascript; charset=utf-8", include_bytes!("../page/app.js")),
        "/words.js" => file_of("text/javascript; charset=utf-8", include_bytes!("../page/words.js")),
        "/plot.js" => file_of("text/javascript; charset=utf-8", include_bytes!("../page/plot.js")),
        "/style.css" => file_of("text/css; charset=utf-8", include_bytes!("../page/style.css")),
        "/icon.svg" => file_of("image/svg+xml", include_bytes!("../page/icon.svg")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_has_nothing_inline() {
        for path in ["/", "/app.js", "/words.js", "/plot.js", "/style.css"] {
            let text = std::str::from_utf8(file(path).unwrap().bytes()).unwrap();
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
        }
        let page = std::str::from_utf8(file("/").unwrap().bytes()).unwrap();
        for inline in ["<style", "style=\"", "onclick", "<script>"] {
            assert!(!page.contains(inline), "{inline} needs unsafe-inline");
        }
        for part in ["/app.js", "/style.css", "/icon.svg"] {
            assert!(page.contains(part) && file(part).is_some(), "{part}");
        }
    }

    #[test]
    fn tags_tell_contents_apart() {
        assert_ne!(file("/").unwrap().etag(), file("/app.js").unwrap().etag());
        assert_eq!(file("/").unwrap().etag(), file("/index.html").unwrap().etag());
        assert!(file("/../Cargo.toml").is_none());
    }
}
