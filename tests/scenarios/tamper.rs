//! A store at rest that somebody bends: found, located, and never a crash.

use rescind_scenarios::{Outcome, Place, Random, Scenario, Seed, Who, count, proved};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A store with several sessions, outputs, blobs, pins and an undo in it, all of it under a checkpoint.
fn store() -> Scenario {
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    scenario.bare(
        "mkdir d; for n in $(seq 40); do seq $((n * 30)) > d/$n; done; head -c 200000 /dev/urandom > random",
    );
    scenario.run("sed -i s/1/one/ d/*; seq 3000; rm d/7; mv d/8 d/9; dd if=/dev/zero of=random bs=4k seek=3 count=2 conv=notrunc 2>&1").success();
    scenario.run("rm -rf d; echo gone").success();
    scenario.undo(&[]);
    scenario.run("echo one more >> d/1; env | head -2").success();
    scenario.verify();
    scenario
}

/// What a mutation may be made in: the ledger's entries and checkpoints, the vault's journals, packs and pins.
fn targets(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![
        home.join("ledger"),
        home.join("vault/sessions"),
        home.join("vault/pins"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if folder.ends_with("ledger") {
                if name.starts_with("log.") || name.starts_with("checkpoint.") {
                    found.push(path);
                }
            } else {
                found.push(path);
            }
        }
    }
    found.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0));
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// Of a segment, only what isn't preallocated for entries to come.
fn written(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

fn mutate(bytes: &[u8], random: &mut Random) -> (String, Option<Vec<u8>>) {
    let length = written(bytes);
    let mut new = bytes.to_vec();
    let at = random.below(length as u64) as usize;
    let some = 1 + random.below((length - at).min(200) as u64) as usize;
    match random.below(6) {
        0 => {
            let bit = random.below(8);
            new[at] ^= 1 << bit;
            (format!("flip bit {bit} of byte {at}"), Some(new))
        }
        1 => {
            new.drain(at..at + some);
            (format!("drop {some} bytes at {at}"), Some(new))
        }
        2 => {
            let other = random.below((length - some + 1) as u64) as usize;
            let (first, second) = (bytes[at..at + some].to_vec(), bytes[other..other + some].to_vec());
            new[at..at + some].copy_from_slice(&second);
            new[other..other + some].copy_from_slice(&first);
            (format!("swap {some} bytes at {at} and {other}"), Some(new))
        }
        3 => {
            new.truncate(at);
            (format!("truncate to {at} bytes"), Some(new))
        }
        4 => {
            let from = random.below((length - some + 1) as u64) as usize;
            let piece = bytes[from..from + some].to_vec();
            new.splice(at..at, piece);
            (format!("splice {some} bytes of {from} in at {at}"), Some(new))
        }
        _ => ("remove the file".to_owned(), None),
    }
}

/// Every file of the store with its bytes and mode.
type Files = BTreeMap<PathBuf, (Vec<u8>, u32)>;

/// Room that is kept, and locks, which nobody may read, so that nobody can hold one without being seen.
fn holds_nothing(name: &OsStr) -> bool {
    name == "reserve" || name.to_string_lossy().starts_with("lock.")
}

fn files(home: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if entry.file_type().is_ok_and(|kind| kind.is_file()) && !holds_nothing(&entry.file_name())
            {
                let mode = fs::metadata(&path).expect("metadata").permissions().mode();
                found.insert(path.clone(), (fs::read(&path).expect("read"), mode));
            }
        }
    }
    found
}

/// Bring back what the mutation changed, and what commands that met it wrote.
fn restore(home: &Path, whole: &Files) {
    let now = files(home);
    for path in now.keys().filter(|path| !whole.contains_key(*path)) {
        fs::remove_file(path).expect("remove");
    }
    for (path, (bytes, mode)) in whole.iter().filter(|(path, was)| now.get(*path) != Some(was)) {
        // In place where it is there: a pin is known by its inode.
        fs::write(path, bytes).expect("write");
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("chmod");
    }
}

#[test]
fn random_mutations_are_found_and_located() {
    let Seed(seed) = Seed::from_environment();
    let wanted = count("RESCIND_MUTATIONS", 150);
    let scenario = store();
    let targets = targets(&scenario.home());
    let pristine: BTreeMap<&PathBuf, Vec<u8>> = targets
        .iter()
        .map(|path| (path, fs::read(path).expect("read")))
        .collect();
    let whole = files(&scenario.home());
    let mut random = Random::new(seed);
    let (mut tried, mut missed, mut by_file) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    while tried < wanted {
        let path = random.pick(&targets);
        let old = &pristine[path];
        let (what, new) = mutate(old, &mut random);
        if new.as_ref() == Some(old) {
            continue;
        }
        tried += 1;
        match &new {
            Some(new) => fs::write(path, new).expect("write"),
            None => fs::remove_file(path).expect("remove"),
        }
        let found = scenario.tell(&["verify"]);
        let name = path
            .strip_prefix(scenario.home())
            .expect("in the home")
            .display()
            .to_string();
        let said = found.said();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if found.code() != 4 {
            missed.push(format!(
                "{name}: {what}: verify ended with {}: {}",
                found.code(),
                said.trim()
            ));
        } else if !said.contains(&file) && !said.contains(&folder) && !said.contains("entry") {
            missed.push(format!(
                "{name}: {what}: verify does not say where: {}",
                said.trim()
            ));
        }
        *by_file.entry(file).or_default() += 1;
        restore(&scenario.home(), &whole);
    }
    let shown: Vec<_> = missed.iter().take(15).collect();
    assert!(
        missed.is_empty(),
        "{} of {tried} not found or not located, seed {seed}: {shown:#?}",
        missed.len()
    );
    scenario.verify();
    proved(
        "7 mutations",
        format!(
            "{tried} mutations of {} files, seed {seed}: all found and located",
            targets.len()
        ),
    );
}

#[test]
fn a_store_rolled_back_as_a_whole_is_found_against_a_mirror() {
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    scenario.write("f", "x\n");
    let mirror = scenario.scratch().join("mirror");
    scenario.run("echo 1 >> f").success();
    scenario
        .tell(&["ledger", "mirror", mirror.to_str().expect("text")])
        .success();
    let old = scenario.base().join("old");
    scenario.bare(&format!("chmod -R u+r {}", scenario.home().display()));
    Outcome::of(Command::new("cp").arg("-a").arg(scenario.home()).arg(&old)).success();
    scenario.run("echo 2 >> f").success();
    scenario
        .tell(&["ledger", "mirror", mirror.to_str().expect("text")])
        .success();
    let checkpoint = mirror.join("checkpoint");
    let checkpoint = checkpoint.to_str().expect("text");
    scenario.tell(&["verify", "--since", checkpoint]).success();
    fs::remove_dir_all(scenario.home()).expect("the store goes");
    fs::rename(&old, scenario.home()).expect("an older one comes");
    // By itself, since it knows its mirror; and for somebody who has nothing but a checkpoint.
    scenario.tell(&["verify"]).exits(4);
    let found = scenario.tell(&["verify", "--since", checkpoint]).exits(4);
    assert!(!found.said().trim().is_empty(), "verify says nothing");
    proved(
        "7 rollback",
        "a whole store rolled back is found against its mirror",
    );
}

#[test]
fn a_second_verifier_in_another_language_agrees() {
    let scenario = store();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("independent/verify_tlog.py");
    let key = scenario
        .tell(&["ledger", "key"])
        .success()
        .out()
        .trim()
        .to_owned();
    let tiles = scenario.scratch().join("tiles");
    scenario
        .tell(&["ledger", "export", tiles.to_str().expect("text")])
        .success();
    let python = |what: &str, path: &Path| {
        Outcome::of(Command::new("python3").arg(&script).arg(what).arg(path).arg(&key))
    };
    python("tiles", &tiles).success();
    let session = scenario.runs().pop().expect("a session");
    let log = scenario.log(&[&session]);
    let action = log.first().expect("an action")["action_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let proof = scenario.scratch().join("action.tlog-proof");
    let told = scenario.tell(&["ledger", "prove", &action]).success();
    fs::write(&proof, &told.stdout).expect("a proof");
    python("proof", &proof).success();
    let keyfile = scenario.scratch().join("key");
    fs::write(&keyfile, &key).expect("a key");
    let path = |path: &Path| path.to_str().expect("text").to_owned();
    let check = || {
        let by_file = scenario.tell(&["ledger", "check", &path(&proof), "--key", &path(&keyfile)]);
        if by_file.code() == 0 {
            by_file
        } else {
            scenario.tell(&["ledger", "check", &path(&proof), "--key", &key])
        }
    };
    check().success();
    // Both refuse a bent one.
    let mut bent = told.stdout.clone();
    let at = bent
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .expect("a letter")
        - 20;
    bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
    fs::write(&proof, &bent).expect("a proof");
    assert_ne!(
        python("proof", &proof).code(),
        0,
        "the second verifier takes a bent proof"
    );
    assert_ne!(check().code(), 0, "`rescind ledger check` takes a bent proof");
    proved(
        "7 second verifier",
        "tiles and a proof check in Python; a bent proof is refused by both",
    );
}
