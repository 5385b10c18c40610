//! Takes the pages of `docs/errors` into the binary, so that `rescind errors CODE` works without the source.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?,
        Err(_) => Vec::new(),
    };
    pages.retain(|page| page.extension().is_some_and(|end| end == "md") && !is_index(page));
    pages.sort();
    let mut table = String::from("&[\n");
    for page in &pages {
        let code = page.file_stem().unwrap_or_default().to_string_lossy();
        let _infallible = writeln!(
            table,
            "    ({code:?}, include_str!({:?})),",
            page.display().to_string()
        );
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("pages.rs"), table)
}

fn is_index(page: &Path) -> bool {
    page.file_stem().is_some_and(|stem| stem == "README")
}
