//! A disk that is really full: a small tmpfs in a mount namespace of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_ledger::{Against, Error, Ledger, Options, RESERVE, verify};
use rescind_model::Level;
use std::path::Path;
use std::process::Command;

#[test]
fn a_full_disk_is_a_clear_error_the_reserve_still_takes_entries_and_space_makes_it_work_again() {
    let temp = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=7m tmpfs "$1" && exec "$2" --ignored --exact inside --nocapture"#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(temp.path())
        .arg(std::env::current_exe().unwrap())
        .env("FULL_DISK", temp.path())
        .output()
        .expect("unshare is needed to mount a small disk, and can't be run");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn assert_sound(dir: &Path, entries: u64) {
    let report = verify(dir, &Against::default());
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.entries, entries);
}

#[test]
#[ignore = "the other test runs this one on a small disk"]
fn inside() {
    let root = std::env::var("FULL_DISK").unwrap();
    let dir = Path::new(&root).join("ledger");
    let filler = Path::new(&root).join("filler");
    std::fs::write(&filler, vec![1; 1 << 20]).unwrap();
    let ledger = Ledger::open(&dir, &Options::default()).unwrap();
    let entry = vec![7_u8; 50_000];
    let mut count = 0;
    let error = loop {
        match ledger.append(&entry, Level::Process) {
            Ok(index) => {
                assert_eq!(index, count);
                count += 1;
            }
            Err(error) => break error,
        }
        assert!(count < 200, "the disk never became full");
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(error.to_string().contains("nothing was recorded"), "{error}");
    // Now not a byte is left outside the reserve.
    let mut rest = std::fs::File::create(Path::new(&root).join("rest")).unwrap();
    while std::io::Write::write_all(&mut rest, &[1; 4096]).is_ok() {}
    assert_sound(&dir, count);

    let from_reserve = RESERVE / 51_000;
    for _ in 0..from_reserve {
        assert_eq!(ledger.append_from_reserve(&entry, Level::Power).unwrap(), count);
        count += 1;
    }
    assert!(matches!(
        ledger.append(b"small", Level::Process),
        Err(Error::Full { .. })
    ));
    assert!(ledger.checkpoint().is_err());
    assert_sound(&dir, count);
    let again = Ledger::open(&dir, &Options::default()).unwrap();
    assert_eq!(again.len().unwrap(), count);

    drop(rest);
    std::fs::remove_file(Path::new(&root).join("rest")).unwrap();
    std::fs::remove_file(&filler).unwrap();
    for handle in [&ledger, &again] {
        assert_eq!(handle.append(b"after", Level::Power).unwrap(), count);
        count += 1;
    }
    assert_eq!(ledger.checkpoint().unwrap().unwrap().size, count);
    assert_sound(&dir, count);
}
