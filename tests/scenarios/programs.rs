//! Real programs, each undone to an identical tree.

use rescind_scenarios::{Manifest, Outcome, Place, Scenario, Who, proved};
use std::path::Path;

/// Run `prepare` bare, `change` supervised, undo, compare.
#[track_caller]
fn undone(name: &str, prepare: &str, change: &str) {
    for (place, who) in [(Place::Disk, Who::Me), (Place::Tmpfs, Who::Nobody)] {
        let who = if Scenario::is_root() { who } else { Who::Me };
        let scenario = Scenario::at(place, who);
        scenario.bare(prepare);
        let before = scenario.manifest();
        scenario.undone(&format!("set -eu\n{change}"));
        scenario.verify();
        proved(
            "3 programs",
            format!("{name}: {} paths identical ({place:?}, {who:?})", before.len()),
        );
    }
}

#[test]
fn tar_over_existing_files_is_undone() {
    let prepare = "mkdir -p src/a src/b; for n in $(seq 300); do echo $n > src/a/$n; done; ln -s a/1 src/link; \
        ln src/a/2 src/hard; tar -cf all.tar src; for n in $(seq 100); do echo other > src/a/$n; done; rm -r src/b";
    undone("tar", prepare, "tar -xf all.tar; tar -czf all.tar src");
}

#[test]
fn what_a_program_writes_that_outlives_who_opened_the_file_is_undone() {
    let late = "python3 -c 'import time; time.sleep(0.4); print(1)'";
    let prepare = "echo old > log; echo old > other; echo old > third";
    undone(
        "in the background",
        prepare,
        &format!("sh -c \"{late} > log &\"; ls; sleep 0.8"),
    );
    undone(
        "by exec",
        prepare,
        &format!("ls; sh -c \"exec {late} >> other\"; ls"),
    );
    undone(
        "two generations later",
        prepare,
        &format!(
            "sh -c \"exec 5> third; sh -c '( {} >&5; touch new ) & true' & true\"; sleep 1; ls",
            late.replace('\'', "\\\"")
        ),
    );
    // Whoever the program was before ends only when it is somebody else already, and not yet heard of as that.
    undone(
        "two programs later",
        prepare,
        "mkfifo go on; sh -c 'exec >> other; (: > here; read x < go) & until [ -e here ]; do :; done; exec env sh -c \"read y < on; echo late\"' & sleep 0.5; \
         echo > go; sleep 0.3; echo > on; wait; rm go on here",
    );
}

#[test]
fn folders_that_may_not_be_searched_or_read_are_taken_back() {
    let change =
        "mkdir a b c d; chmod 600 a; chmod 000 b; chmod 300 c; chmod 100 d; mkdir -p e/f; chmod 500 e/f";
    undone("shut folders", "echo old > x", change);
}

#[test]
fn what_is_written_through_a_new_link_is_taken_back_under_the_old_name() {
    let prepare = "mkdir d e; echo old > d/x; echo other > e/y; echo third > z; ln z z2";
    undone(
        "ln, then write through the new name",
        prepare,
        "ln d/x b; echo new > b",
    );
    undone(
        "ln, write, and the new name goes",
        prepare,
        "ln d/x b; echo new >> b; rm b; ln e/y c; mv c d/c; echo more >> d/c; ln z z3; echo last > z3; rm z2",
    );
    undone(
        "the old name goes, and the new one is written",
        prepare,
        "ln d/x b; rm d/x; echo new > b; ln b d/x; rm b; cp -l e/y f; sed -i s/o/0/ f; echo w >> e/y",
    );
}

#[test]
fn rsync_with_delete_is_undone() {
    let prepare = "mkdir -p from/x to/y/z; for n in $(seq 50); do echo $n > from/x/$n; echo old > to/y/$n; done; \
        echo same > from/s; cp -p from/s to/s; mkfifo to/pipe";
    undone(
        "rsync --delete",
        prepare,
        "rsync -a --delete from/ to/; rsync -a --delete --inplace --checksum from/x/ to/",
    );
}

#[test]
fn sed_in_place_is_undone() {
    let prepare = "for n in $(seq 30); do seq 100 > f$n; done; chmod 640 f1; ln -s f2 link";
    undone(
        "sed -i",
        prepare,
        "sed -i s/5/five/g f*; sed -i.orig 1d f3; sed -i --follow-symlinks 2d link",
    );
}

#[test]
fn a_log_that_two_programs_write_by_turns_is_undone() {
    // What the first one writes after the second has ended is still the session's, not somebody else's.
    let change = "exec 3>>log; sh -c 'exec 4>>log; echo a >&4; sleep 0.1; echo c >&4; mkdir x' & \
        sleep 0.05; sh -c 'echo b >>log'; wait; echo d >&3";
    undone("a shared log", "echo start >log", change);
}

#[test]
fn sqlite_in_wal_mode_is_undone() {
    let prepare = "sqlite3 app.db 'pragma journal_mode=wal; create table t(a, b); insert into t \
        select value, hex(randomblob(100)) from generate_series(1, 2000);' >/dev/null";
    let change = "sqlite3 app.db 'begin; delete from t where a % 3 = 0; update t set b = 1 where a % 5 = 0; commit; \
        create table u as select * from t; pragma wal_checkpoint; insert into u values (1, 2);' >/dev/null; \
        sqlite3 app.db 'vacuum; drop table t' ";
    undone("sqlite3 (WAL)", prepare, change);
}

#[test]
fn vim_is_undone() {
    let prepare = "seq 200 > notes; mkdir sub; echo hi > sub/second";
    let change = "vim -Nu NONE -es -c '10,20d' -c '%s/3/three/g' -c 'set backup writebackup' -c w -c 'e sub/second' \
        -c 'normal ggdG' -c 'normal inew text' -c wq notes </dev/null >/dev/null 2>&1";
    undone("vim", prepare, change);
}

#[test]
fn unzip_over_existing_files_is_undone() {
    let prepare = "mkdir -p d/e; for n in $(seq 80); do seq $n > d/$n; done; cp d/1 d/e/1; zip -qr all.zip d; \
        for n in $(seq 40); do echo changed > d/$n; done; rm -r d/e";
    undone(
        "unzip -o",
        prepare,
        "unzip -qo all.zip; zip -qd all.zip d/3; zip -q all.zip d/4",
    );
}

#[test]
fn a_shell_loop_of_removes_moves_and_edits_is_undone() {
    let prepare = "for n in $(seq 60); do seq $n > f$n; done";
    undone(
        "shell loop",
        prepare,
        "for n in $(seq 20); do rm f$n; mv f$((n+20)) g$n; sed -i 1d f$((n+40)); done",
    );
}

#[test]
fn cargo_build_is_undone() {
    let scenario = Scenario::new();
    scenario.write(
        "Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    scenario.write(
        "src/main.rs",
        "mod other;\nfn main() { println!(\"{}\", other::word()); }\n",
    );
    scenario.write("src/other.rs", "pub fn word() -> &'static str { \"hello\" }\n");
    let mut scenario = scenario;
    for name in ["RUSTUP_HOME", "CARGO_HOME"] {
        let default = std::env::var("HOME")
            .map(|home| format!("{home}/.{}", name[..5].to_lowercase().trim_end_matches('_')));
        if let Some(value) = std::env::var(name).ok().or(default.ok()) {
            scenario.environment.push((name.to_owned(), value));
        }
    }
    if let Ok(toolchain) = std::env::var("RUSTUP_TOOLCHAIN") {
        scenario
            .environment
            .push(("RUSTUP_TOOLCHAIN".to_owned(), toolchain));
    }
    let before = scenario.manifest();
    scenario.undone("set -e; cargo build --offline -q; ./target/debug/tiny; sed -i s/hello/bye/ src/other.rs; cargo build --offline -q");
    proved(
        "3 programs",
        format!("cargo build: {} paths identical", before.len()),
    );
}

#[test]
fn python_venv_and_pip_are_undone() {
    let prepare = "mkdir -p pkg/greet; echo 'def hi(): return 1' > pkg/greet/__init__.py; \
        printf '[project]\\nname = \"greet\"\\nversion = \"1\"\\n' > pkg/pyproject.toml; \
        python3 - <<'P'\nimport zipfile\nz = zipfile.ZipFile('greet-1-py3-none-any.whl', 'w')\n\
        z.write('pkg/greet/__init__.py', 'greet/__init__.py')\n\
        z.writestr('greet-1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1\\n')\n\
        z.writestr('greet-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        z.writestr('greet-1.dist-info/RECORD', '')\nz.close()\nP\n";
    let scenario = Scenario::new();
    scenario.bare(prepare);
    let before = scenario.manifest();
    scenario.undone(
        "set -e; python3 -m venv env; env/bin/pip install -q --no-index --disable-pip-version-check ./greet-1-py3-none-any.whl; \
         env/bin/python -c 'import greet; assert greet.hi() == 1'; env/bin/pip uninstall -qy greet",
    );
    proved(
        "3 programs",
        format!("python -m venv, pip install: {} paths identical", before.len()),
    );
}

#[test]
fn npm_install_is_undone() {
    let scenario = Scenario::new();
    scenario.write(
        "lib/package.json",
        r#"{"name":"lib","version":"1.0.0","bin":{"lib":"cli.js"}}"#,
    );
    scenario.write("lib/cli.js", "#!/usr/bin/env node\nconsole.log('lib')\n");
    scenario.write("lib/index.js", "module.exports = 7\n");
    scenario.write(
        "app/package.json",
        r#"{"name":"app","version":"1.0.0","dependencies":{"lib":"file:../lib-1.0.0.tgz"}}"#,
    );
    scenario.write("app/index.js", "console.log(require('lib'))\n");
    scenario.bare("cd lib && npm pack --silent --pack-destination .. >/dev/null");
    let before = scenario.manifest();
    scenario.undone("set -e; cd app; npm install --silent --offline --no-audit --no-fund; node index.js; rm -rf node_modules; npm ci --silent --offline --no-audit --no-fund");
    proved(
        "3 programs",
        format!("npm install, npm ci: {} paths identical", before.len()),
    );
}

#[test]
#[ignore = "prove: needs the npm registry"]
fn npm_install_from_the_registry_is_undone() {
    let scenario = Scenario::new();
    scenario.write(
        "package.json",
        r#"{"name":"app","version":"1.0.0","dependencies":{"express":"^4"}}"#,
    );
    let before = scenario.manifest();
    scenario.undone("npm install --silent --no-audit --no-fund");
    proved(
        "3 programs",
        format!("npm install express: {} paths identical", before.len()),
    );
}

#[test]
#[ignore = "prove: installs a package on this machine as root"]
fn apt_get_install_is_undone() {
    assert!(Scenario::is_root(), "apt-get needs root");
    let mut scenario = Scenario::new();
    // A package's scripts run as root: by default that waits for a person.
    scenario.options.push("--record-only".to_owned());
    scenario.bare(
        "apt-get remove -qq -y hello >/dev/null 2>&1 || true; apt-get update -qq >/dev/null 2>&1 || true",
    );
    let measured = [
        "/etc",
        "/usr",
        "/var/lib/dpkg",
        "/var/lib/apt",
        "/var/cache/apt",
        "/var/log/apt",
        "/var/log/dpkg.log",
    ];
    let look = || measured.map(|path| Manifest::of(Path::new(path), &[]));
    let before = look();
    scenario
        .run("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y hello && hello")
        .success();
    assert!(Path::new("/usr/bin/hello").exists(), "nothing was installed");
    scenario.undo(&[]);
    for (before, after) in before.iter().zip(&look()) {
        before.assert_same(after, "apt-get install hello");
    }
    Outcome::of(scenario.command("dpkg").arg("--audit")).success();
    let paths: usize = before.iter().map(Manifest::len).sum();
    proved(
        "3 programs",
        format!("apt-get install hello as root: {paths} paths identical"),
    );
}
