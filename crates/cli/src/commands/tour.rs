//! `rescind tour`: the main job on real files, in a scratch folder, through the real program.
//!
//! It copies real files (this project's own sources, or the current folder), lets a script do to them what an agent
//! really did to its user (incident I-17: files moved into a subfolder, then its parent removed), and shows the log, the
//! plan, the undo and the proof. Every step is the real `rescind` as a person would call it, with a state folder of its own.

use clap::Args;
use rescind_files::manifest::{Manifest, diff};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

/// Arguments of `rescind tour`.
#[derive(Debug, Clone, Args)]
pub struct TourArgs {
    /// Keep the scratch folder
    #[arg(long)]
    pub keep: bool,
}

/// What an agent did in April 2026 to a folder of 1,500 files (claude-code#49129), and two more habits of its kind.
const SCRIPT: &str = r#"# "Let me tidy up the workspace first."
mkdir -p docs/archive
for part in crates/*; do mv "$part" docs/archive/; done
rm -rf docs                       # the archive is inside
for file in *.md; do sed -i 's/undo/oops/g' "$file"; done
rm -f Cargo.toml
echo "All cleaned up. Nothing important was lost."
"#;

const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 64 << 20;

/// Take the tour. Returns the exit code.
#[must_use]
pub fn tour(args: &TourArgs) -> i32 {
    match take(args) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            eprintln!("error[tour]: {error}; only the scratch folder was touched");
            1
        }
    }
}

fn take(args: &TourArgs) -> io::Result<bool> {
    let begun = Instant::now();
    let scratch = scratch()?;
    let work = scratch.join("project");
    let source = source();
    let mut copied = Copied::default();
    copy(&source, &work, &mut copied)?;
    let script = scratch.join("tidy.sh");
    std::fs::write(&script, SCRIPT)?;
    let tour = Tour {
        work: work.clone(),
        home: scratch.join("state"),
        program: std::env::current_exe()?,
    };
    say(&format!(
        "A scratch copy of {} real files from {} is in {}.",
        copied.files,
        source.display(),
        work.display()
    ));
    let before = Manifest::of(&work)?;

    say("An agent runs this under rescind (it really happened: claude-code#49129):");
    print!("{}", indent(SCRIPT));
    let script = script.display().to_string();
    tour.step(&["run", "--", "sh", &script])?;
    let wrecked = diff(&before, &Manifest::of(&work)?).len();
    say(&format!(
        "{wrecked} differences to the folder as it was. What the agent did, one action a line:"
    ));
    tour.step(&["log"])?;
    say("What an undo would do, before anything is touched:");
    tour.step(&["plan"])?;
    say("The undo:");
    let undone = tour.step(&["undo", "--yes"])?;
    let left = diff(&before, &Manifest::of(&work)?);
    say(
        "The proof: contents, modes, owners, times to the nanosecond, attributes, links and holes, compared with before:",
    );
    if left.is_empty() {
        println!("  identical: 0 differences in {} files", copied.files);
    } else {
        println!("  {} differences:", left.len());
        for line in left.iter().take(20) {
            println!("    {line}");
        }
    }
    say("And the record, which nobody can quietly edit:");
    let verified = tour.step(&["verify"])?;
    let good = undone.success() && verified.success() && left.is_empty();
    finish(args, &scratch, begun, good)?;
    Ok(good)
}

fn finish(args: &TourArgs, scratch: &Path, begun: Instant, good: bool) -> io::Result<()> {
    println!();
    println!(
        "{} in {:.1} s.",
        if good { "Done" } else { "This fell short" },
        begun.elapsed().as_secs_f64()
    );
    if args.keep {
        println!("The scratch folder stays: {}", scratch.display());
    } else {
        std::fs::remove_dir_all(scratch)?;
    }
    println!();
    println!("Install:            cargo install --path crates/cli");
    println!("Run your own agent: rescind run -- claude        (or any other command)");
    println!("Take it back:       rescind undo");
    Ok(())
}

struct Tour {
    work: PathBuf,
    home: PathBuf,
    program: PathBuf,
}

impl Tour {
    /// Run `rescind` with these arguments as a person would, and show the command.
    fn step(&self, arguments: &[&str]) -> io::Result<ExitStatus> {
        println!("  $ rescind {}", arguments.join(" "));
        Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.work)
            .env("RESCIND_HOME", &self.home)
            .status()
    }
}

fn say(text: &str) {
    println!("\n{text}");
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn scratch() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("rescind-tour-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    folder.canonicalize()
}

/// This project's sources where they are at hand, else the current folder.
fn source() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match own.canonicalize() {
        Ok(own) if own.join("crates").is_dir() => own,
        _ => PathBuf::from("."),
    }
}

#[derive(Default)]
struct Copied {
    files: usize,
    bytes: u64,
}

/// Copy a folder, without what builds and version control keep in it, up to a bound.
fn copy(from: &Path, to: &Path, copied: &mut Copied) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let skipped = [".git", "target", "node_modules"]
            .iter()
            .any(|skipped| name == *skipped);
        if skipped || copied.files >= MOST_FILES || copied.bytes >= MOST_BYTES {
            continue;
        }
        let target = to.join(&name);
        if kind.is_dir() {
            copy(&entry.path(), &target, copied)?;
        } else if kind.is_file() {
            copied.bytes += std::fs::copy(entry.path(), &target)?;
            copied.files += 1;
        }
    }
    Ok(())
}
