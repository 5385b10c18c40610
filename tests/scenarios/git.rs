//! Git, with every state it can be in, undone byte for byte: working tree, index, refs, reflogs, stash, hooks, objects.

use rescind_scenarios::{Place, Scenario, Who, proved};

/// Dirty tracked, staged, untracked and ignored files, two stashes, a submodule, a rebase in progress, hooks, config,
/// branches, tags, reflogs.
const REPOSITORY: &str = r#"
git init -q -b main lib; cd lib; echo lib > lib.c; git add .; git commit -qm lib; cd ..
git init -q -b main repo; cd repo
for n in 1 2 3 4 5 6; do seq 1 $((n * 20)) > file$n; git add .; git commit -qm "commit $n"; done
git -c protocol.file.allow=always submodule --quiet add ../lib sub; git commit -qm submodule
git tag v1; git tag -a v2 -m second; git branch topic HEAD~3; git branch doomed
git checkout -q doomed; echo only here > doomed-file; git add .; git commit -qm doomed; git checkout -q main
echo 'build/' > .gitignore; git add .gitignore; git commit -qm ignore
echo stash one >> file1; git stash -q; echo stash two >> file2; echo new > stashed-new; git stash -q -u
printf '#!/bin/sh\nexit 0\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git config user.quirk yes
git gc -q
git checkout -q topic; seq 500 > file5; git add file5; git commit -qm 'in the way'; git rebase main >/dev/null 2>&1 || true
test -d .git/rebase-merge
git checkout -q -f main 2>/dev/null || true
mkdir build; echo secret > build/.env.local; echo untracked > untracked; mkdir -p deep/er; echo x > deep/er/untracked
echo staged > staged-new; git add staged-new; echo dirty >> file4; echo half >> file5; git add file5; echo more >> file5
rm file6; echo changed >> sub/lib.c
"#;

#[track_caller]
fn undone(name: &str, change: &str) {
    for (place, who) in [(Place::Disk, Who::Me), (Place::Tmpfs, Who::Nobody)] {
        let who = if Scenario::is_root() { who } else { Who::Me };
        let scenario = Scenario::at(place, who);
        scenario.bare(REPOSITORY);
        let before = scenario.manifest();
        let status = scenario
            .bare("cd repo; git status --porcelain=v2; git stash list; git reflog")
            .out();
        // `git status` may itself refresh the index: what counts is the tree after it.
        let before_run = scenario.manifest();
        drop(before);
        scenario.undone(&format!("set -e; cd repo; {change}"));
        let again = scenario
            .bare("cd repo; git --no-optional-locks status --porcelain=v2; git stash list; git reflog")
            .out();
        assert_eq!(status, again, "{name}");
        proved(
            "3 programs",
            format!(
                "git {name}: {} paths identical ({place:?}, {who:?})",
                before_run.len()
            ),
        );
    }
}

#[test]
fn tc_33_reset_hard_is_undone() {
    undone("reset --hard", "git reset -q --hard HEAD~2");
}

#[test]
fn tc_33_clean_is_undone() {
    undone("clean -fdx", "git clean -qffdx");
}

#[test]
fn tc_33_checkout_of_everything_is_undone() {
    undone("checkout -- .", "git reset -q HEAD; git checkout -q -- .");
}

#[test]
fn tc_33_stash_drop_is_undone() {
    undone("stash drop", "git stash drop -q; git stash clear");
}

#[test]
fn tc_33_deleting_a_branch_is_undone() {
    undone("branch -D", "git branch -q -D doomed; git tag -d v1 >/dev/null");
}

#[test]
fn tc_33_gc_that_prunes_now_is_undone() {
    undone(
        "gc --prune=now",
        "git branch -q -D doomed; git reflog expire --expire=now --all; git gc -q --prune=now",
    );
}

#[test]
fn tc_33_all_of_it_together_is_undone() {
    undone(
        "all of TC-33",
        "git reset -q --hard; git clean -qffdx; git checkout -q -- .; git stash drop -q; git branch -q -D doomed; \
         git reflog expire --expire=now --all; git gc -q --prune=now; git rebase --abort || true; rm .git/hooks/*",
    );
}

#[test]
fn commit_rebase_merge_and_clone_are_undone() {
    undone(
        "commit, rebase, merge, clone",
        "git rebase --quit 2>/dev/null || true; git commit -qam work; git checkout -q doomed -f; git rebase -q main~1 || git rebase --abort; \
         git checkout -q -f main; git merge -q --no-edit doomed || git merge --abort; cd ..; git clone -q repo copy; \
         cd copy; echo x > y; git add y; git commit -qm y; git push -q origin main:pushed",
    );
}

/// TC-33, per step: each git command is an action, and one of them can be taken back alone while a person goes on.
#[test]
fn tc_33_the_reset_alone_is_undone_while_a_persons_new_file_stays() {
    let scenario = Scenario::new();
    scenario.bare(REPOSITORY);
    let before = scenario.manifest();
    scenario.run("cd repo; git reset -q --hard").success();
    scenario.write("repo/of-a-person", "made after the reset\n");
    scenario.undo(&[]);
    assert_eq!(scenario.read("repo/of-a-person"), "made after the reset\n");
    std::fs::remove_file(scenario.path("repo/of-a-person")).expect("the person's file");
    let differences = before.differences(&scenario.manifest());
    let only_time_of_its_folder = |line: &String| line.starts_with("changed   ./repo: mtime");
    assert!(
        differences.iter().all(only_time_of_its_folder),
        "{differences:#?}"
    );
}
