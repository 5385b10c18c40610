//! Trees and repositories for the workloads, made the same way every time.

use super::measure::seconds;
use crate::Failure;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// So many files of about so many bytes, a hundred to a folder.
///
/// # Errors
/// They can't be written.
pub fn many_files(root: &Path, files: usize, bytes: usize) -> Result<(), Failure> {
    for n in 0..files {
        let folder = root.join(format!("folder-{}", n / 100));
        if n % 100 == 0 {
            fs::create_dir_all(&folder)?;
        }
        let line = format!("{n} the quick brown fox jumps over the lazy dog\n");
        fs::write(
            folder.join(format!("file-{n}")),
            line.repeat(1 + (bytes * (1 + n % 5) / 3) / line.len()),
        )?;
    }
    Ok(())
}

/// `files.tar`: 5,000 files.
pub fn archive(dir: &Path) -> Result<(), Failure> {
    many_files(&dir.join("files"), 5_000, 12_000)?;
    seconds(
        Command::new("tar")
            .args(["-cf", "files.tar", "files"])
            .current_dir(dir),
    )?;
    fs::remove_dir_all(dir.join("files"))?;
    Ok(())
}

/// `repo`: a bare repository of 5,000 files and 200 commits, loose enough for a gc to have work.
pub fn repository(dir: &Path) -> Result<(), Failure> {
    let mut stream = String::new();
    for commit in 0..200_usize {
        writeln!(stream, "commit refs/heads/main\nmark :{}", commit + 1)?;
        writeln!(
            stream,
            "committer A. Person <person@example.com> {} +0000",
            1_700_000_000 + commit
        )?;
        writeln!(stream, "data 8\ncommit\n")?;
        if commit > 0 {
            writeln!(stream, "from :{commit}")?;
        }
        for n in (0..5_000_usize).filter(|n| commit == 0 || n % 200 == commit || n % 190 == commit) {
            let content = format!("file {n} of commit {commit}\n").repeat(20 + n % 200);
            writeln!(
                stream,
                "M 100644 inline dir-{}/file-{n}\ndata {}\n{content}",
                n % 40,
                content.len()
            )?;
        }
        writeln!(stream)?;
    }
    let input = dir.join("stream");
    fs::write(&input, stream)?;
    seconds(
        Command::new("git")
            .args(["init", "-q", "--bare", "-b", "main", "repo"])
            .current_dir(dir),
    )?;
    let mut import = Command::new("git");
    import
        .args(["fast-import", "--quiet"])
        .current_dir(dir.join("repo"))
        .stdin(Stdio::from(fs::File::open(&input)?));
    seconds(&mut import)?;
    fs::remove_file(input)?;
    Ok(())
}

/// `f0` to `f1999`.
pub fn small_files(dir: &Path) -> Result<(), Failure> {
    for n in 0..2_000 {
        fs::write(
            dir.join(format!("f{n}")),
            format!("{n} a small file\n").repeat(20),
        )?;
    }
    Ok(())
}

/// A workspace of three crates without dependencies.
pub fn cargo_workspace(dir: &Path) -> Result<(), Failure> {
    fs::write(
        dir.join("Cargo.toml"),
        "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\nresolver = \"2\"\n",
    )?;
    for (name, needs) in [
        ("a", ""),
        ("b", "a = { path = \"../a\" }"),
        ("c", "b = { path = \"../b\" }"),
    ] {
        let source = dir.join(name).join("src");
        fs::create_dir_all(&source)?;
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n{needs}\n"
        );
        fs::write(dir.join(name).join("Cargo.toml"), manifest)?;
        let mut code = String::new();
        for n in 0..150 {
            writeln!(
                code,
                "pub fn f{n}(x: &[u64]) -> Vec<String> {{ x.iter().map(|y| format!(\"{{}}\", y + {n})).collect() }}"
            )?;
        }
        let file = if name == "c" { "main.rs" } else { "lib.rs" };
        let main = if name == "c" {
            "fn main() { println!(\"{:?}\", f1(&[1])); }\n"
        } else {
            ""
        };
        fs::write(source.join(file), format!("#![allow(dead_code)]\n{code}{main}"))?;
    }
    Ok(())
}
