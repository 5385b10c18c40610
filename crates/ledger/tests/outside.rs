//! What leaves the ledger: proofs, exports and mirrors, checked by this crate and by the independent
//! verifier.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_ledger::{Checkpoint, Ledger, Options, check, merkle, serve_mirror, verify_mirror};
use rescind_model::Level;
use std::path::{Path, PathBuf};
use std::process::Command;

fn scratch() -> (tempfile::TempDir, PathBuf, Ledger) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().to_owned();
    let ledger = Ledger::open(&root.join("ledger"), &Options::default()).unwrap();
    (temp, root, ledger)
}

fn fill(ledger: &Ledger, to: u64) {
    let from = ledger.len().unwrap();
    let entries: Vec<Vec<u8>> = (from..to)
        .map(|index| format!("{{\"entry\":{index}}}").into_bytes())
        .collect();
    ledger.append_batch(&entries, Level::Process).unwrap();
}

/// Run the verifier written in Python: whether it was convinced, and what it said.
fn independent(kind: &str, path: &Path, key: &str) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/independent/verify_tlog.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(kind)
        .arg(path)
        .arg(key)
        .output()
        .expect("python3 is needed for the independent verifier, and can't be run");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
    (output.status.success(), said)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut folders = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path())
            } else {
                files.push(entry.path())
            }
        }
    }
    files.sort();
    files
}

fn assert_sound(dir: &Path, key: &str, size: u64) {
    let report = verify_mirror(dir.to_str().unwrap(), key).unwrap();
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!(report.checkpoint.unwrap().size, size);
}

#[test]
fn a_proof_convinces_both_verifiers_and_no_change_of_it_does() {
    let (_temp, root, ledger) = scratch();
    let key = ledger.verifier_key();
    fill(&ledger, 300);
    for index in [0, 1, 255, 256, 299] {
        let proof = ledger.prove(index).unwrap();
        let checked = check(&proof, &key).unwrap();
        assert_eq!((checked.index, checked.size), (index, 300));
        assert_eq!(checked.entry, format!("{{\"entry\":{index}}}").as_bytes());
        let path = root.join("one.tlog-proof");
        std::fs::write(&path, &proof).unwrap();
        assert!(independent("proof", &path, &key).0);
    }
    let proof = ledger.prove(77).unwrap();
    let mut refused_by_both = 0;
    for place in 0..proof.len() {
        let mut bytes = proof.clone().into_bytes();
        bytes[place] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(check(&changed, &key).is_err(), "byte {place}");
        if place % 97 == 0 {
            let path = root.join("changed.tlog-proof");
            std::fs::write(&path, &changed).unwrap();
            assert!(!independent("proof", &path, &key).0, "byte {place}");
            refused_by_both += 1;
        }
    }
    assert!(refused_by_both > 5);
    assert!(ledger.prove(300).is_err());
    let other = Ledger::open(&root.join("other"), &Options::default())
        .unwrap()
        .verifier_key();
    assert!(check(&proof, &other).is_err());
}

#[test]
fn a_proof_of_consistency_shows_that_an_earlier_checkpoint_still_holds() {
    let (_temp, _root, ledger) = scratch();
    let mut earlier: Vec<Checkpoint> = Vec::new();
    for size in [1, 2, 7, 64, 200] {
        fill(&ledger, size);
        earlier.push(ledger.checkpoint().unwrap().unwrap());
    }
    for old in &earlier {
        let (proof, now) = ledger.prove_consistency(old.size).unwrap();
        assert!(merkle::verify_consistency(
            old.size, now.size, &proof, &old.root, &now.root
        ));
        assert!(!merkle::verify_consistency(
            old.size, now.size, &proof, &[7; 32], &now.root
        ));
    }
    assert!(ledger.prove_consistency(201).is_err());
}

#[test]
fn exports_of_any_size_convince_both_verifiers() {
    for size in [1, 255, 256, 257, 700] {
        let (_temp, root, ledger) = scratch();
        fill(&ledger, size);
        let dir = root.join("export");
        assert_eq!(ledger.export(&dir).unwrap(), size);
        assert_sound(&dir, &ledger.verifier_key(), size);
        let (convinced, said) = independent("tiles", &dir, &ledger.verifier_key());
        assert!(convinced, "{said}");
        assert!(said.contains(&format!("{size} entries")));
    }
}

#[test]
fn an_export_that_is_continued_over_three_levels_convinces_both_verifiers() {
    let (_temp, root, ledger) = scratch();
    let dir = root.join("export");
    for size in [3, 256, 1000, 66_000] {
        fill(&ledger, size);
        ledger.export(&dir).unwrap();
        assert_sound(&dir, &ledger.verifier_key(), size);
    }
    let (convinced, said) = independent("tiles", &dir, &ledger.verifier_key());
    assert!(convinced, "{said}");
    assert!(dir.join("tile/2/000.p/1").exists());
}

#[test]
fn any_change_of_an_export_is_found_by_both_verifiers() {
    let (_temp, root, ledger) = scratch();
    fill(&ledger, 600);
    let dir = root.join("export");
    ledger.export(&dir).unwrap();
    let key = ledger.verifier_key();
    for path in files(&dir) {
        let name = path.strip_prefix(&dir).unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 4;
            std::fs::write(&path, &changed).unwrap();
            let report = verify_mirror(dir.to_str().unwrap(), &key).unwrap();
            assert!(
                report
                    .faults
                    .iter()
                    .any(|fault| fault.file == name || name == "checkpoint"),
                "{name} {report:?}"
            );
            // The independent verifier is given the key and does not look at the copy of it.
            assert!(name == "key.pub" || !independent("tiles", &dir, &key).0, "{name}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(
            name == "key.pub"
                || !verify_mirror(dir.to_str().unwrap(), &key)
                    .unwrap()
                    .faults
                    .is_empty(),
            "{name}"
        );
        std::fs::write(&path, bytes).unwrap();
    }
    assert_sound(&dir, &key, 600);
}

#[test]
fn a_mirror_only_grows_and_keeps_few_partial_tiles() {
    let (_temp, root, ledger) = scratch();
    let mirror = root.join("mirror");
    ledger.mirror_add(mirror.to_str().unwrap()).unwrap();
    assert_eq!(ledger.mirror_list().unwrap(), [mirror.to_str().unwrap()]);
    let mut full = std::collections::BTreeMap::new();
    for size in (1..=600).step_by(23) {
        fill(&ledger, size);
        ledger.checkpoint().unwrap();
        assert_eq!(*ledger.mirror_push().unwrap()[0].1.as_ref().unwrap(), size);
        assert_sound(&mirror, &ledger.verifier_key(), size);
        for path in files(&mirror)
            .into_iter()
            .filter(|path| !path.to_string_lossy().contains(".p/"))
        {
            let bytes = std::fs::read(&path).unwrap();
            if !path.ends_with("checkpoint") {
                assert_eq!(
                    full.entry(path.clone()).or_insert_with(|| bytes.clone()),
                    &bytes,
                    "{}",
                    path.display()
                );
            }
        }
    }
    let partial = files(&mirror)
        .iter()
        .filter(|path| path.to_string_lossy().contains(".p/"))
        .count();
    assert!(partial <= 6, "{partial} partial tiles");
    assert!(ledger.mirror_remove(mirror.to_str().unwrap()).unwrap());
    assert!(!ledger.mirror_remove(mirror.to_str().unwrap()).unwrap());
    assert!(mirror.join("checkpoint").exists());
    assert!(
        ledger
            .mirror_add(root.join("ledger/inside").to_str().unwrap())
            .is_err()
    );
}

#[test]
fn a_push_refuses_a_mirror_of_another_ledger_and_one_that_was_bent() {
    let (_temp, root, ledger) = scratch();
    let mirror = root.join("mirror");
    ledger.mirror_add(mirror.to_str().unwrap()).unwrap();
    fill(&ledger, 300);
    ledger.checkpoint().unwrap();
    ledger.mirror_push().unwrap()[0].1.as_ref().unwrap();
    let held = std::fs::read(mirror.join("checkpoint")).unwrap();

    let other = Ledger::open(&root.join("other"), &Options::default()).unwrap();
    fill(&other, 400);
    other.checkpoint().unwrap();
    other.mirror_add(mirror.to_str().unwrap()).unwrap();
    assert!(other.mirror_push().unwrap()[0].1.is_err());

    let tile = mirror.join("tile/0/001.p/44");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    fill(&ledger, 500);
    ledger.checkpoint().unwrap();
    let error = ledger.mirror_push().unwrap()[0].1.clone().unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert_eq!(std::fs::read(mirror.join("checkpoint")).unwrap(), held);
}

#[test]
fn the_background_service_brings_mirrors_up_to_date_within_a_second() {
    let (_temp, root, ledger) = scratch();
    let mirror = root.join("mirror");
    ledger.mirror_add(mirror.to_str().unwrap()).unwrap();
    let background = ledger.start_background().unwrap();
    for size in 1..=3 {
        ledger.append(b"entry", Level::Process).unwrap();
        let start = std::time::Instant::now();
        while verify_mirror(mirror.to_str().unwrap(), &ledger.verifier_key())
            .ok()
            .and_then(|report| report.checkpoint)
            .is_none_or(|checkpoint| checkpoint.size < size)
        {
            assert!(start.elapsed().as_millis() < 1500, "the mirror lags behind");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    let stopped = background.stop().unwrap();
    assert_eq!(*stopped.mirrors[0].1.as_ref().unwrap(), 3);
    assert!(ledger.trouble().is_empty());
}

#[test]
fn a_mirror_over_http_is_append_only_on_its_own_side() {
    use std::io::{Read as _, Write as _};
    let (_temp, root, ledger) = scratch();
    let mirror = root.join("mirror");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = mirror.clone();
    std::thread::spawn(move || serve_mirror(&listener, &served));
    ledger.mirror_add(&format!("http://{address}/")).unwrap();
    for size in [10, 256, 300, 900] {
        fill(&ledger, size);
        ledger.checkpoint().unwrap();
        ledger.mirror_push().unwrap()[0].1.as_ref().unwrap();
        assert_sound(&mirror, &ledger.verifier_key(), size);
    }
    // A ledger is held against its mirrors, those over HTTP included.
    assert!(ledger.verify(None).is_sound() && ledger.verify(None).notes.is_empty());
    let ask = |request: String| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let put = |path: &str, body: &str| {
        ask(format!(
            "PUT /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let before = files(&mirror)
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect::<Vec<_>>();
    assert!(put("tile/0/000", &"x".repeat(8192)).contains("412"));
    assert!(put("tile/0/000", "x").contains("400"));
    assert!(put("tile/entries/000", &"\0\0".repeat(256)).contains("412"));
    assert!(put("key.pub", "x").contains("412"));
    assert!(put("checkpoint", "x\n1\n\n").contains("403"));
    assert!(put("../outside", "x").contains("404"));
    assert!(put("tile/0/../../outside", "x").contains("404"));
    assert!(ask("DELETE /checkpoint HTTP/1.1\r\n\r\n".to_owned()).contains("405"));
    assert!(ask("nonsense\r\n\r\n".to_owned()).contains("400"));
    assert!(ask("GET /checkpoint HTTP/1.1\r\n\r\n".to_owned()).contains("200"));
    assert_eq!(
        files(&mirror)
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect::<Vec<_>>(),
        before
    );

    // The same key, another history: what a thief of the key would send.
    let forged = root.join("forged");
    std::fs::create_dir(&forged).unwrap();
    for name in ["key", "key.pub"] {
        std::fs::copy(root.join("ledger").join(name), forged.join(name)).unwrap();
    }
    std::fs::write(forged.join("log.000001"), b"").unwrap();
    let forger = Ledger::open(&forged, &Options::default()).unwrap();
    fill(&forger, 5);
    forger.append(b"forged", Level::Process).unwrap();
    fill(&forger, 901);
    let checkpoint = forger.checkpoint().unwrap().unwrap();
    assert!(put("checkpoint", &checkpoint.text).contains("409"));
    forger.mirror_add(&format!("http://{address}")).unwrap();
    assert!(forger.mirror_push().unwrap()[0].1.is_err());
    assert!(
        forger
            .verify(None)
            .faults
            .iter()
            .any(|fault| fault.file.starts_with("mirror http://"))
    );
    assert_sound(&mirror, &ledger.verifier_key(), 900);

    // What no checkpoint covers yet can't block the true ledger.
    assert!(put("tile/0/003.p/200", &"x".repeat(6400)).contains("201"));
    fill(&ledger, 968);
    ledger.checkpoint().unwrap();
    ledger.mirror_push().unwrap()[0].1.as_ref().unwrap();
    assert_sound(&mirror, &ledger.verifier_key(), 968);
}
