//! The unified diff, judged by git: a patch that git applies gives the new text to the byte.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use rescind_merge::unified_diff;
use std::fs;
use std::process::Command;

#[track_caller]
fn git_applies(old: &str, new: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text"), old).unwrap();
    let diff = unified_diff(old.as_bytes(), new.as_bytes(), ("a/text", "b/text"));
    fs::write(folder.path().join("patch"), &diff).unwrap();
    let git = Command::new("git")
        .args([
            "-c",
            "core.autocrlf=false",
            "apply",
            "--unidiff-zero",
            "--whitespace=nowarn",
            "patch",
        ])
        .current_dir(folder.path())
        .env("GIT_CEILING_DIRECTORIES", "/")
        .output()
        .unwrap();
    assert!(
        git.status.success(),
        "{}\n{diff}",
        String::from_utf8_lossy(&git.stderr)
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("text")).unwrap(),
        new,
        "{diff}"
    );
}

#[test]
fn git_applies_it_to_the_byte() {
    let long: String = (0..60).map(|n| format!("line {n}\n")).collect();
    git_applies(
        &long,
        &long
            .replace("line 7\n", "")
            .replace("line 30\n", "x\ny\n")
            .replace("line 59\n", "end"),
    );
    git_applies(&long, &("first\n".to_owned() + &long));
    git_applies("a\r\nb\r\n", "a\r\nc\r\n");
    git_applies("a\nb", "a\nb\n");
    git_applies("a\nb\n", "a\nb");
    git_applies("x", "a\nb\nx\nlast");
}

#[test]
fn it_reads_as_people_know_it() {
    let diff = unified_diff(
        b"a\nb\nc\nd\ne\nf\ng\nh\n",
        b"a\nb\nc\nd\nE\nf\ng\nh\n",
        ("before", "now"),
    );
    let expect = "--- before\n+++ now\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n";
    assert_eq!(diff, expect);
    assert_eq!(unified_diff(b"", b"", ("a", "b")), "");
    assert_eq!(
        unified_diff(b"", b"a\n", ("a", "b")),
        "--- a\n+++ b\n@@ -0,0 +1 @@\n+a\n"
    );
    assert_eq!(
        unified_diff(b"\xff", b"a", ("x", "y")),
        "Binary files x and y differ\n"
    );
}
