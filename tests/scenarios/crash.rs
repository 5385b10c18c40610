//! `kill -9` of the supervisor and of the undo anywhere, and the disk full.

use rescind_scenarios::{
    Manifest, Outcome, Place, Random, Scenario, Seed, Who, count, descendants, kill, process_named, proved,
    until,
};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Changes of every sort, without end, by several processes, some with descriptors they opened long ago.
const BUSY: &str = "\
exec 3>>held 4>log
( while :; do echo held >&3; echo log >&4; done ) &
( n=0; while :; do n=$((n+1)); echo $n > new$n; mv new$n moved$n; [ $n -gt 5 ] && rm -f moved$((n-5)); done ) &
( while :; do for f in a/*; do sed -i s/x/xy/ $f; done; rm -rf b; mkdir b; echo > b/c; chmod 700 b; done ) &
while :; do cp a/1 copy; ln -f copy link; ln -sf link sym; rm copy; dd if=/dev/zero of=large bs=4096 count=50 conv=notrunc 2>/dev/null; done";

fn prepare(scenario: &Scenario) {
    scenario.bare(
        "mkdir a b; for n in 1 2 3 4 5 6; do echo \"x $n\" > a/$n; done; echo old > b/c; echo held > held; \
         head -c 300000 /dev/urandom > large; echo log > log; chmod 750 b",
    );
}

fn quiet(child: &mut std::process::Command) -> Child {
    child
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn bytes(path: &Path) -> (u64, usize) {
    let manifest: Vec<u64> = walk(path);
    (manifest.iter().sum(), manifest.len())
}

fn walk(path: &Path) -> Vec<u64> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Vec::new();
    };
    if !metadata.is_dir() {
        return vec![metadata.len()];
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    entries.flatten().flat_map(|entry| walk(&entry.path())).collect()
}

/// Undo, killed at random points until one gets through.
fn undo_killed(scenario: &Scenario, session: &str, random: &mut Random, kills: usize) -> usize {
    for killed in 0..kills {
        let mut undo = quiet(&mut scenario.rescind(&["undo", "--yes", session]));
        let delay = Duration::from_micros(random.below(150_000));
        let start = Instant::now();
        while start.elapsed() < delay {
            if undo.try_wait().expect("wait").is_some() {
                return killed;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        kill(undo.id() as i32, libc::SIGKILL);
        undo.wait().expect("it ends");
    }
    kills
}

fn supervisor_killed(scenario: &Scenario, before: &Manifest, random: &mut Random) -> usize {
    let mut front = quiet(&mut scenario.supervised(["sh", "-c", BUSY]));
    let pid = front.id() as i32;
    let supervisor = until("a supervisor", LIMIT, || process_named(pid, "rescind-super"));
    let delay = Duration::from_micros(random.below(400_000));
    std::thread::sleep(delay);
    let tree = descendants(pid);
    if random.below(3) == 0 {
        kill(pid, libc::SIGKILL);
    }
    kill(supervisor.pid, libc::SIGKILL);
    front.wait().expect("the front ends");
    until("the tree to end", Duration::from_secs(5), || {
        tree.iter().all(|process| gone(process.pid)).then_some(())
    });
    let (size, files) = bytes(&scenario.tree());
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(
        (size, files),
        bytes(&scenario.tree()),
        "somebody of the tree still writes"
    );
    scenario.verify();
    let session = scenario.runs().pop();
    let kills = session.map_or(0, |session| {
        let kills = undo_killed(scenario, &session, random, 3);
        Outcome::of(&mut scenario.rescind(&["undo", "--yes", &session])).success();
        kills
    });
    before.assert_same(
        &scenario.manifest(),
        &format!("a supervisor killed after {delay:?}, the undo killed {kills} times"),
    );
    scenario.verify();
    kills
}

fn gone(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z"))
}

fn supervisors_killed(place: Place, kills: usize) {
    let Seed(seed) = Seed::from_environment();
    let mut scenario = Scenario::at(place, Who::Me);
    // The same again and again, which would wait for a person.
    scenario.options.push("--record-only".to_owned());
    prepare(&scenario);
    let before = scenario.manifest();
    let mut undos = 0;
    for n in 0..kills {
        let mut random = Random::new(seed.wrapping_add(n as u64));
        undos += supervisor_killed(&scenario, &before, &mut random);
    }
    proved(
        "6 crashes",
        format!("supervisor killed at {kills} points, undo at {undos}, seed {seed} ({place:?}): identical"),
    );
}

#[test]
fn the_supervisor_and_the_undo_are_killed_anywhere_on_tmpfs() {
    supervisors_killed(Place::Tmpfs, count("RESCIND_KILLS", 8));
}

#[test]
fn the_supervisor_and_the_undo_are_killed_anywhere_on_disk() {
    supervisors_killed(Place::Disk, count("RESCIND_KILLS", 4));
}

#[test]
fn the_undo_of_many_files_is_killed_anywhere() {
    let Seed(seed) = Seed::from_environment();
    let kills = count("RESCIND_KILLS", 6);
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    scenario.bare("for d in $(seq 10); do mkdir d$d; for n in $(seq 60); do seq $n > d$d/$n; done; done");
    let before = scenario.manifest();
    let mut killed = 0;
    for n in 0..kills {
        let mut random = Random::new(seed ^ n as u64);
        scenario.run_again("rm -rf d1 d2 d3; mv d4 d5/; for n in $(seq 60); do echo x >> d6/$n; done; rm -r d7; mkdir d7").success();
        let session = scenario.runs().pop().expect("a session");
        killed += undo_killed(&scenario, &session, &mut random, 6);
        scenario.undo(&[&session]);
        before.assert_same(&scenario.manifest(), "an undo that was killed");
    }
    scenario.verify();
    proved(
        "6 crashes",
        format!("undo killed at {killed} points in {kills} sessions, seed {seed}: identical"),
    );
}

/// A small file system of our own; gone with the value.
pub(crate) struct Mounted(std::path::PathBuf);

impl Mounted {
    pub(crate) fn tmpfs(at: &Path, mebibytes: u32) -> Self {
        std::fs::create_dir_all(at).expect("a mount point");
        let options = format!("size={mebibytes}m,mode=755");
        let mut mount = std::process::Command::new("mount");
        Outcome::of(
            mount
                .args(["-t", "tmpfs", "-o", &options, "rescind-scenario"])
                .arg(at),
        )
        .success();
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _left_to_the_machine = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[test]
fn a_disk_that_gets_full_loses_nothing() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let outer = Scenario::at(Place::Tmpfs, Who::Me);
    let _small = Mounted::tmpfs(&outer.scratch().join("small"), 64);
    let scenario = Scenario::below(&outer.scratch().join("small"), Who::Me);
    scenario.bare("mkdir a; for n in $(seq 50); do seq $n > a/$n; done; head -c 4000000 /dev/urandom > data");
    let before = scenario.manifest();
    let rounds = count("RESCIND_ROUNDS", 3);
    for _ in 0..rounds {
        let outcome = scenario.run(
            "for n in $(seq 200); do cat data > full$n 2>/dev/null || break; done; for n in $(seq 50); do echo x >> a/$n; done; \
             rm -rf a; echo y >> data; mkdir z; cp data z/again; exit 0",
        );
        let full = outcome.code();
        before.assert_changed(&scenario.manifest(), "a full disk");
        scenario.undo(&[]);
        before.assert_same(
            &scenario.manifest(),
            &format!("a disk that got full (the agent ended with {full})"),
        );
        scenario.verify();
    }
    proved(
        "6 full disk",
        format!("{rounds} sessions on 64 MiB ran into a full disk: identical"),
    );
}

#[test]
fn a_supervisor_killed_while_the_disk_is_full_loses_nothing() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let script = "while :; do for n in $(seq 20); do cat data > full$n; done 2>/dev/null; rm -f a/3; echo x >> a/5; rm -f full*; done";
    for _ in 0..count("RESCIND_ROUNDS", 3) {
        // A disk of its own for each: what earlier sessions saved fills it, too, and then there is no room for a reserve.
        let outer = Scenario::at(Place::Tmpfs, Who::Me);
        let _small = Mounted::tmpfs(&outer.scratch().join("small"), 64);
        let scenario = Scenario::below(&outer.scratch().join("small"), Who::Me);
        scenario
            .bare("mkdir a; for n in $(seq 50); do seq $n > a/$n; done; head -c 4000000 /dev/urandom > data");
        let before = scenario.manifest();
        let mut front = quiet(&mut scenario.supervised(["sh", "-c", script]));
        let pid = front.id() as i32;
        let supervisor = until("a supervisor", LIMIT, || process_named(pid, "rescind-super"));
        until("the session to be at work", LIMIT, || {
            scenario.path("full1").exists().then_some(())
        });
        std::thread::sleep(Duration::from_micros(100_000 + random.below(700_000)));
        let tree = descendants(pid);
        kill(supervisor.pid, libc::SIGKILL);
        front.wait().expect("it ends");
        until("the tree to end", Duration::from_secs(5), || {
            tree.iter().all(|it| gone(it.pid)).then_some(())
        });
        scenario.verify();
        scenario.undo(&[]);
        before.assert_same(
            &scenario.manifest(),
            "a supervisor killed while the disk was full",
        );
    }
    proved(
        "6 full disk",
        format!("supervisor killed on a full disk, seed {seed}: identical"),
    );
}

/// Fill a file system to its last byte, as others do.
fn fill(at: &Path) {
    use std::io::Write as _;
    let mut filler = std::fs::File::create(at.join("filler")).expect("a file");
    for size in [1 << 20, 4096, 1] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
fn a_store_whose_disk_others_fill_loses_nothing_and_lets_nothing_pass() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let rounds = count("RESCIND_ROUNDS", 3);
    for round in 0..rounds {
        let mut scenario = Scenario::at(Place::Tmpfs, Who::Me);
        let small = scenario.scratch().join("small");
        let _small = Mounted::tmpfs(&small, 48);
        let home = small.join("home").display().to_string();
        scenario.environment.push(("RESCIND_HOME".to_owned(), home));
        scenario
            .bare("mkdir a; for n in $(seq 60); do seq $n > a/$n; done; head -c 300000 /dev/urandom > data");
        let before = scenario.manifest();
        let script = "echo 1 > ../scratch/ready; while :; do for n in $(seq 60); do echo x >> a/$n; [ $n -gt 50 ] && rm -f a/$n; \
            echo $n > new$n; dd if=/dev/zero of=data bs=1000 count=$n conv=notrunc 2>/dev/null; done; done";
        let mut front = quiet(&mut scenario.supervised(["sh", "-c", script]));
        until("the session to be at work", LIMIT, || {
            scenario.path("new5").exists().then_some(())
        });
        fill(&small);
        // The calls fail from now on, or are on record: what goes on is seen by the undo.
        std::thread::sleep(Duration::from_millis(50));
        if round % 2 == 0 {
            scenario.tell(&["kill"]).success();
        } else {
            kill(
                process_named(front.id() as i32, "rescind-super")
                    .expect("a supervisor")
                    .pid,
                libc::SIGKILL,
            );
        }
        front.wait().expect("it ends");
        before.assert_changed(&scenario.manifest(), "a session on a full store");
        for reading in ["status", "sessions", "log", "verify"] {
            scenario.tell(&[reading]).success();
        }
        scenario.undo(&[]);
        before.assert_same(&scenario.manifest(), "a store that others filled");
        scenario.verify();
    }
    proved(
        "6 full disk",
        format!("{rounds} sessions whose store was filled by others, killed: identical, while it stays full"),
    );
}

#[test]
fn a_tree_whose_disk_gets_full_comes_back_while_the_store_has_room() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let outer = Scenario::at(Place::Tmpfs, Who::Me);
    let small = outer.scratch().join("small");
    let _small = Mounted::tmpfs(&small, 32);
    let mut scenario = Scenario::below(&small, Who::Me);
    let home = outer.scratch().join("home").display().to_string();
    scenario.environment.push(("RESCIND_HOME".to_owned(), home));
    scenario.bare("mkdir a; for n in $(seq 50); do seq $n > a/$n; done; head -c 1000000 /dev/urandom > data");
    let before = scenario.manifest();
    let rounds = count("RESCIND_ROUNDS", 3);
    for _ in 0..rounds {
        scenario.run_again(
            "for n in $(seq 50); do echo x >> a/$n; done; rm -rf a/[123]*; echo y >> data; mkdir z; cp data z/again; \
             for n in $(seq 100); do cat data > full$n 2>/dev/null || break; done; while echo xxxxxxxx >> rest; do :; done; \
             cat data data > data2; exit 0",
        );
        before.assert_changed(&scenario.manifest(), "a full tree");
        scenario.undo(&[]);
        before.assert_same(&scenario.manifest(), "a tree whose disk got full");
        scenario.verify();
    }
    proved(
        "6 full disk",
        format!("{rounds} sessions that filled the disk of their tree, the store elsewhere: identical"),
    );
}
