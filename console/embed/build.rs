//! Makes the table of the console's files from its build. Runs no npm: without a build the table is empty.
//!
//! The files are copied first: the next build of the console may replace them while this one is still being compiled.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Names another folder to embed than `console/dist`.
const FOLDER_VARIABLE: &str = "CONSOLE_DIST";

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let folder = env::var_os(FOLDER_VARIABLE).map_or_else(|| manifest.join("../dist"), PathBuf::from);
    println!("cargo::rerun-if-env-changed={FOLDER_VARIABLE}");
    println!("cargo::rerun-if-changed={}", folder.display());

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut table = String::from("&[\n");
    if folder.join("index.html").is_file() {
        let folder = folder.canonicalize()?;
        let mut files = Vec::new();
        collect(&folder, &mut files)?;
        files.sort();
        for file in &files {
            entry(&mut table, &folder, file, &out)?;
        }
    } else {
        println!("cargo::warning=the web console is not built, the server will say so: run `make console`");
    }
    table.push(']');
    fs::write(out.join("files.rs"), table)?;
    Ok(())
}

/// Every file below a folder, except compressed forms and what is hidden.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_none_or(|extension| extension != "br") {
            files.push(path);
        }
    }
    Ok(())
}

/// Copies a file and writes its line of the table: the path on the server, the media type, the bytes, their compressed form.
fn entry(table: &mut String, folder: &Path, file: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let name =
        file.strip_prefix(folder)?.to_str().ok_or("a name in the build is not UTF-8")?.replace('\\', "/");
    let media_type = media_type(file).ok_or_else(|| format!("no media type is known for {name}"))?;
    let (plain, compressed) =
        (out.join(name.replace('/', "+")), PathBuf::from(format!("{}.br", file.display())));
    fs::copy(file, &plain)?;
    let brotli = if compressed.is_file() {
        let copy = PathBuf::from(format!("{}.br", plain.display()));
        fs::copy(&compressed, &copy)?;
        format!("Some(include_bytes!({copy:?}))")
    } else {
        String::from("None")
    };
    let path = format!("/{name}");
    let file = format!(
        "Embedded {{ content_type: {media_type:?}, bytes: include_bytes!({plain:?}), brotli: {brotli} }}"
    );
    writeln!(table, "    ({path:?}, {file}),")?;
    Ok(())
}

fn media_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
