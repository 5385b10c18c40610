use super::preview;
use std::fs;
use std::path::Path;
use std::process::Command;

fn git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", folder);
    let ran = command
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(words)
        .output();
    assert!(ran.unwrap().status.success(), "git {words:?}");
}

fn name(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_there_is_counted_and_what_moved_has_another_state() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("a"), "four").unwrap();
    fs::write(folder.join("sub/b"), "nine byte").unwrap();
    std::os::unix::fs::symlink("a", folder.join("link")).unwrap();
    let paths = [
        name(&folder),
        name(&folder.join("link")),
        name(&place.path().join("gone")),
    ];
    let first = preview(&paths, 1 << 20);
    let found = &first.paths[0];
    assert_eq!(
        (found.kind.as_str(), found.files, found.folders),
        ("folder", 3, 1)
    );
    assert_eq!(found.bytes, 4 + 9 + 1);
    assert_eq!((found.tracked, &found.gap), (None, &None));
    assert_eq!(first.paths[1].target.as_deref(), Some("a"));
    assert_eq!(first.paths[2].kind, "absent");
    assert_eq!(preview(&paths, 1 << 20).state, first.state);
    fs::write(folder.join("sub/b"), "nine bytes").unwrap();
    assert_ne!(preview(&paths, 1 << 20).state, first.state);
    let many: Vec<String> = (0..40).map(|number| format!("/nowhere/{number}")).collect();
    assert_eq!(
        (preview(&many, 0).paths.len(), preview(&many, 0).left_out),
        (24, 16)
    );
}

#[test]
fn a_folder_of_many_is_not_walked_to_its_end() {
    let place = tempfile::tempdir().unwrap();
    for number in 0..5_100 {
        fs::write(place.path().join(number.to_string()), "").unwrap();
    }
    let found = preview(&[name(place.path())], 0);
    assert!(found.paths[0].more && found.paths[0].files <= 5_000);
}

#[test]
fn what_git_tracks_is_told_in_every_version_of_its_index() {
    for version in ["2", "3", "4"] {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path();
        git(tree, &["init", "-q"]);
        fs::create_dir_all(tree.join("src/deep")).unwrap();
        for file in ["a", "src/b", "src/deep/c", "src/deep/cc"] {
            fs::write(tree.join(file), file).unwrap();
        }
        git(tree, &["add", "."]);
        git(tree, &["update-index", "--index-version", version]);
        if version == "3" {
            fs::write(tree.join("later"), "x").unwrap();
            git(tree, &["add", "--intent-to-add", "later"]);
        }
        fs::write(tree.join("src/new"), "not added").unwrap();
        fs::write(tree.join("a"), "changed").unwrap();
        let paths = ["a", "src", "src/new", "src/deep/cc"].map(|path| name(&tree.join(path)));
        let found = preview(&paths, 1 << 20).paths;
        let told: Vec<_> = found.iter().map(|path| (path.tracked, path.changed)).collect();
        assert_eq!(
            told,
            [
                (Some(1), true),
                (Some(3), false),
                (Some(0), false),
                (Some(1), false)
            ],
            "version {version}"
        );
        // An index that is no index tells nothing, and harms nobody.
        let index = fs::read(tree.join(".git/index")).unwrap();
        for length in (0..index.len()).step_by(7) {
            fs::write(tree.join(".git/index"), &index[..length]).unwrap();
            let _nothing_or_less = preview(&paths, 0);
        }
    }
}
