//! Ordinary development work asks nobody anything: five sessions, each of many commands, and no hold.

use rescind_scenarios::{Outcome, Scenario, proved};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many commands were judged, over all sessions of this process.
static JUDGED: AtomicUsize = AtomicUsize::new(0);

/// Run a script whose every command must succeed unasked, then take it back.
#[track_caller]
fn nobody_is_asked(scenario: &Scenario, name: &str, script: &str) {
    let before = scenario.manifest();
    // What would be held is denied at once, and fails the script.
    let script = format!("set -e\n{script}");
    let mut command = scenario.rescind(&["run", "--hold-for", "0", "--", "sh", "-c", &script]);
    Outcome::of(&mut command).success();
    let log = scenario.log(&["--tree"]);
    let judged: Vec<_> = log.iter().filter(|node| node["risk"]["judged"] == true).collect();
    for node in &judged {
        assert_eq!(
            node["judgement"]["verdict"], "allow",
            "{name}: `{}` was not let run: {}",
            node["command"], node["judgement"]["reasons"]
        );
    }
    let actions = judged.iter().filter(|node| node["role"] == "action").count();
    assert!(actions >= 30, "{name}: only {actions} commands");
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), name);
    let all = JUDGED.fetch_add(actions, Ordering::Relaxed) + actions;
    proved(
        "1 development",
        format!("{name}: {actions} commands, 0 holds, undone ({all} so far)"),
    );
}

#[test]
fn a_build_in_c_asks_nobody() {
    let scenario = Scenario::new();
    scenario.write(
        "src/main.c",
        "#include \"util.h\"\nint main(void) { return twice(0); }\n",
    );
    scenario.write("src/util.c", "int twice(int n) { return n + n; }\n");
    scenario.write("src/util.h", "int twice(int n);\n");
    scenario.write(
        "Makefile",
        "all: out/app\nout/%.o: src/%.c src/util.h\n\tmkdir -p out\n\tcc -c -o $@ $<\nout/app: out/main.o out/util.o\n\tcc -o \
         $@ $^\ntest: all\n\t./out/app\nclean:\n\trm -rf out\n",
    );
    nobody_is_asked(
        &scenario,
        "build in C",
        r#"
make; make test; ./out/app; ls -l out; file out/app || true; nm out/app | head -3; size out/app
grep -rn twice src; wc -l src/*.c; sed -i 's/n + n/2 * n/' src/util.c; diff -u /dev/null src/util.c || true
make; make test; cp src/util.c src/util.c.orig; mv src/util.c.orig /tmp/../$PWD/util.bak; rm util.bak
touch src/main.c; make; make clean; test ! -d out; mkdir -p build; cc -O1 -o build/app src/main.c src/util.c
./build/app; strip build/app; chmod 755 build/app; ln -s build/app app; readlink app; ./app; rm app
ar rcs build/libutil.a /dev/null || true; find . -name '*.o' -delete; find . -type f -name '*.c' | sort | xargs wc -l
find . -name '*.h' -exec cat {} +; awk '{ print NR ": " $0 }' src/util.c; tr a-z A-Z < src/util.h; sort -u src/util.h; head -1 Makefile
tail -1 Makefile; cut -c1-10 Makefile; stat -c %s Makefile; du -sh .; df . ; date; uname -a; env | sort | head -3; which cc; id -u
rm -rf build
printf 'int once(int n) { return n; }\n' >> src/util.c
"#,
    );
}

#[test]
fn work_with_git_asks_nobody() {
    let scenario = Scenario::new();
    scenario.write("a.txt", "one\ntwo\nthree\n");
    scenario.bare("git init -q --bare ../scratch/remote.git");
    nobody_is_asked(
        &scenario,
        "work with git",
        r#"
git init -q -b main .; git status --short; git add a.txt; git commit -qm first; git log --oneline; git show --stat HEAD
git checkout -qb feature; sed -i s/two/TWO/ a.txt; git diff; git add -A; git commit -qm second; git branch -v; git switch -q main
sed -i s/three/THREE/ a.txt; git stash; git stash list; git stash pop; git commit -qam third; git merge -q feature -m merge || git checkout --theirs a.txt
git add -A; git commit -qm merged || true; git log --graph --oneline; git tag v1; git tag -d v1; git tag v2; git describe --tags; git blame a.txt
git reset -q --soft HEAD~1; git reset -q --hard ORIG_HEAD; git checkout -q -- a.txt; git clean -fdx; git rm -q --cached a.txt; git add a.txt
git config user.nick me; git config --get user.nick; git branch -D feature; git checkout -q -b fix; echo fix > fix.txt; git add .; git commit -qm fix
git rebase -q main; git cherry-pick --abort || true; git revert --no-edit HEAD; git reflog; git gc -q; git fsck; git worktree list
git remote add origin ../scratch/remote.git; git remote -v; git fetch -q; git ls-files; git grep TWO || true; git shortlog -s HEAD; git rev-parse HEAD
git switch -q main; git merge -q fix; git stash clear; git diff --cached; git archive HEAD -o ../scratch/a.tar; git bundle create -q ../scratch/b HEAD
git submodule status; git notes add -m note HEAD; git notes show HEAD; git format-patch -1 -o ../scratch; git apply --stat ../scratch/0001-*.patch
"#,
    );
}

#[test]
fn a_python_project_asks_nobody() {
    let scenario = Scenario::new();
    scenario.write("pkg/__init__.py", "def double(n):\n    return 2 * n\n");
    scenario.write(
        "tests/test_pkg.py",
        "import unittest\nfrom pkg import double\n\nclass T(unittest.TestCase):\n    def test_double(self):\n        \
         self.assertEqual(double(2), 4)\n",
    );
    scenario.write("tests/__init__.py", "");
    scenario.write("setup.cfg", "[metadata]\nname = pkg\nversion = 1\n");
    nobody_is_asked(
        &scenario,
        "a Python project",
        r#"
export PYTHONPYCACHEPREFIX="$TMPDIR/pyc"
python3 --version; python3 -m unittest discover -s tests -t .; python3 -c 'import pkg; print(pkg.double(4))'
python3 -m py_compile pkg/__init__.py; python3 -m compileall -q pkg; rm -rf pkg/__pycache__; python3 -m json.tool --help > /dev/null
cat > tool.py <<'PY'
import json, pathlib, subprocess, sys
pathlib.Path("out.json").write_text(json.dumps({"n": 1}))
subprocess.run(["ls", "-l"], check=True, stdout=subprocess.DEVNULL)
subprocess.run("sed -i s/1/2/ out.json && cat out.json", shell=True, check=True)
PY
python3 tool.py; python3 -m json.tool out.json; jq . out.json || cat out.json; rm out.json
grep -n double -r pkg; sed -i 's/2 \* n/n + n/' pkg/__init__.py; python3 -m unittest tests.test_pkg; python3 -m unittest tests.test_pkg -v
mkdir -p scripts; printf '#!/usr/bin/env python3\nprint(1)\n' > scripts/run; chmod +x scripts/run; ./scripts/run; python3 scripts/run
python3 -m venv --without-pip .venv; ls .venv/bin; .venv/bin/python -c 'print(2)'; .venv/bin/python tool.py; rm -rf .venv out.json
find . -name '__pycache__' -prune -exec rm -rf {} +; ls -la; tar czf ../scratch/pkg.tgz pkg; tar tzf ../scratch/pkg.tgz; mkdir x; tar xzf ../scratch/pkg.tgz -C x
diff -r pkg x/pkg; rm -r x; cp -a pkg pkg.orig; mv pkg.orig pkg2; rm -rf pkg2; touch pkg/new.py; truncate -s 0 pkg/new.py; tee pkg/other.py < pkg/new.py > /dev/null
python3 - <<'PY'
import shutil, os
os.makedirs("a/b/c"); open("a/b/c/f", "w").write("x"); shutil.rmtree("a")
PY
PYTHONPATH=. python3 -W error -c 'import pkg'; timeout 10 python3 -c 'print(3)'; nice python3 -c 'print(4)'; xargs -n1 echo < setup.cfg; seq 3 | xargs -I{} touch f{}; rm f1 f2 f3
"#,
    );
}

#[test]
fn a_javascript_project_asks_nobody() {
    let scenario = Scenario::new();
    if scenario.tell(&["catalog", "explain", "--", "npm", "test"]).code() != 0 || !has("npm") {
        proved(
            "1 development",
            "a JavaScript project: NOT SHOWN, npm is not here",
        );
        return;
    }
    scenario.write(
        "package.json",
        "{\"name\": \"app\", \"version\": \"1.0.0\", \"license\": \"MIT\", \"scripts\": {\"test\": \"node test.js\", \"build\": \"mkdir -p \
         dist && cp index.js dist/\", \"clean\": \"rm -rf dist\"}}\n",
    );
    scenario.write("index.js", "module.exports = n => 2 * n;\n");
    scenario.write(
        "test.js",
        "require('assert').equal(require('./index.js')(2), 4);\n",
    );
    scenario.write(
        "lib/package.json",
        "{\"name\": \"lib\", \"version\": \"1.0.0\"}\n",
    );
    scenario.write("lib/index.js", "module.exports = 1;\n");
    nobody_is_asked(
        &scenario,
        "a JavaScript project",
        r#"
node --version; npm --version; npm test; npm run build; ls dist; npm run clean; node -e 'console.log(require("./index.js")(3))'
npm install --offline --no-audit --no-fund ./lib; ls -l node_modules; node -e 'require("lib")'; npm ls; npm pack --dry-run; npm pack --silent; rm *.tgz
npm uninstall --offline lib; npm pkg set description=x; npm pkg get description; npm version patch --no-git-tag-version; cat package.json; grep -n version package.json
sed -i 's/2 \* n/n + n/' index.js; node test.js; node --check index.js; cp index.js index.mjs; mv index.mjs other.mjs; rm other.mjs; mkdir -p src; mv index.js src/; ln -s src/index.js index.js
node test.js; find . -name '*.js' -not -path './node_modules/*' | xargs wc -l; node -p 'process.version'; echo 'console.log(1)' | node -; rm -rf node_modules package-lock.json
npm run build -- --verbose; npm run test --silent; npm exec --offline -c 'node test.js' || true; git init -q .; git add .; git commit -qm js; git status --short; git diff HEAD --stat
"#,
    );
}

fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

#[test]
fn a_rust_project_asks_nobody() {
    let mut scenario = Scenario::new();
    for name in ["CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            scenario
                .environment
                .push((name.to_owned(), value.to_string_lossy().into_owned()));
        } else if let Some(home) = std::env::var_os("HOME") {
            let folder =
                std::path::Path::new(&home).join(format!(".{}", &name.to_lowercase()[..name.len() - 5]));
            scenario
                .environment
                .push((name.to_owned(), folder.display().to_string()));
        }
    }
    nobody_is_asked(
        &scenario,
        "a Rust project",
        r#"
cargo --version; rustc --version; cargo new -q --vcs none app; cd app; cargo build -q --offline; cargo run -q --offline; cargo test -q --offline
printf '#[test]\nfn one() { assert_eq!(1, 1); }\n' >> src/main.rs; cargo test -q --offline; cargo check -q --offline; cargo fmt || true; cargo metadata --offline --format-version 1 --no-deps > /dev/null
ls target/debug; ./target/debug/app; cargo clean -q; cargo tree --offline; cargo build -q --offline --release; ./target/release/app; rm -rf target
grep -rn fn src; sed -i 's/Hello/Hullo/' src/main.rs; cargo run -q --offline; mkdir -p src/bin; echo 'fn main() {}' > src/bin/two.rs; cargo run -q --offline --bin two; cargo doc -q --offline --no-deps
cat Cargo.toml; cat Cargo.lock; cargo locate-project; cargo pkgid --offline; wc -l src/*.rs; cp src/main.rs src/copy; mv src/copy src/moved; rm src/moved; cargo clean -q; touch build.log; rm -f build.log; git init -q .
git add .; git commit -qm rust; git status --short; find . -name '*.rs'; head -1 src/main.rs; tail -1 src/main.rs; cd ..; du -s app; tar cf app.tar app; tar tf app.tar | wc -l; gzip app.tar; gunzip app.tar.gz; rm app.tar; sha256sum app/Cargo.toml
"#,
    );
}
