//! Every kind of change, one by one and all together, comes back to an identical manifest.

#![allow(clippy::unwrap_used, reason = "a test")]

mod driver;
#[path = "driver/torture.rs"]
mod torture;

use driver::Bench;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid};
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use torture::{chmod, everything, exchange, is_root, mknod, set_mtime, tree, xattr};

#[track_caller]
fn check(act: impl FnOnce(&Path)) {
    tree().there_and_back(act);
}

#[test]
fn a_file_written_anew() {
    check(|root| fs::write(root.join("a"), "other\n").unwrap());
}

#[test]
fn a_file_emptied_and_a_file_filled() {
    check(|root| {
        fs::write(root.join("a"), "").unwrap();
        fs::write(root.join("empty"), "not any more\n").unwrap();
    });
}

#[test]
fn a_file_appended_to_and_one_patched_in_the_middle() {
    check(|root| {
        let mut file = File::options().append(true).open(root.join("a")).unwrap();
        file.write_all(b"four\n").unwrap();
        let mut file = File::options().write(true).open(root.join("d/y")).unwrap();
        file.seek(SeekFrom::Start(50_000)).unwrap();
        file.write_all(b"patch").unwrap();
    });
}

#[test]
fn a_file_truncated_longer_and_shorter() {
    check(|root| {
        File::options()
            .write(true)
            .open(root.join("a"))
            .unwrap()
            .set_len(3)
            .unwrap();
        File::options()
            .write(true)
            .open(root.join("b"))
            .unwrap()
            .set_len(10_000)
            .unwrap();
    });
}

#[test]
fn files_removed() {
    check(|root| {
        for path in [
            "a",
            "b",
            "empty",
            "d/y",
            "fifo",
            "d/socket",
            "d/dangling",
            "sparse",
        ] {
            fs::remove_file(root.join(path)).unwrap();
        }
    });
}

#[test]
fn a_pinned_file_comes_back_as_the_very_inode() {
    use std::os::unix::fs::MetadataExt as _;
    let mut bench = tree();
    let path = bench.path("d/y");
    bench.pinned.insert(path.clone());
    let inode = path.metadata().unwrap().ino();
    bench.there_and_back(|root| fs::remove_file(root.join("d/y")).unwrap());
    assert_eq!(path.metadata().unwrap().ino(), inode);
}

#[test]
fn a_pinned_file_whose_mode_and_time_changed_before_it_was_removed() {
    let mut bench = tree();
    bench.pinned.insert(bench.path("d/y"));
    bench.there_and_back(|root| {
        chmod(&root.join("d/y"), 0);
        fs::remove_file(root.join("d/y")).unwrap();
    });
}

#[test]
fn everything_removed() {
    let mut bench = tree();
    bench.pinned.insert(bench.path("d/y"));
    bench.there_and_back(|root| {
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
    });
}

#[test]
fn the_root_of_the_work_itself_removed() {
    check(|root| fs::remove_dir_all(root.join("d")).unwrap());
    let mut bench = tree();
    let before = bench.manifest();
    let effects = bench.does(|root| fs::remove_dir_all(root.join("d/e")).unwrap());
    bench.undo(&effects).proved();
    bench.assert_is(&before);
}

#[test]
fn files_of_every_kind_made() {
    check(|root| {
        fs::write(root.join("new"), "new\n").unwrap();
        fs::create_dir_all(root.join("deep/er/still")).unwrap();
        fs::write(root.join("deep/er/still/there"), "x").unwrap();
        fs::write(root.join("d/e/in an old folder"), "x").unwrap();
        symlink("a", root.join("link")).unwrap();
        mknod(&root.join("pipe"), FileType::Fifo, 0);
        mknod(&root.join("sock"), FileType::Socket, 0);
        fs::hard_link(root.join("a"), root.join("a too")).unwrap();
    });
}

#[test]
fn names_of_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let odd = std::ffi::OsStr::from_bytes(b"odd \xff\n:name");
    let long = "n".repeat(255);
    check(|root| {
        fs::write(root.join(odd), "x").unwrap();
        fs::write(root.join(&long), "x").unwrap();
    });
    let mut bench = tree();
    fs::write(bench.root.join(odd), "x").unwrap();
    fs::write(bench.root.join(&long), "x").unwrap();
    bench.there_and_back(|root| {
        fs::remove_file(root.join(odd)).unwrap();
        fs::write(root.join(&long), "y").unwrap();
    });
}

#[test]
fn permissions_times_and_attributes() {
    check(|root| {
        chmod(&root.join("a"), 0o600);
        chmod(&root.join("b"), 0o755);
        chmod(&root.join("d"), 0o700);
        set_mtime(&root.join("c"), 5);
        set_mtime(&root.join("d/dangling"), 6);
        set_mtime(&root.join("hollow"), 7);
        xattr(&root.join("a"), "user.colour", b"red");
        xattr(&root.join("a"), "user.new", b"");
        xattr(&root.join("hollow"), "user.on a folder", &[0, 255, 10]);
        rustix::fs::lremovexattr(root.join("a"), "user.colour").unwrap();
    });
}

#[test]
fn a_removed_attribute_and_a_long_one() {
    let mut bench = tree();
    xattr(&bench.path("b"), "user.long", &vec![9_u8; 3_000]);
    bench.there_and_back(|root| {
        rustix::fs::lremovexattr(root.join("b"), "user.long").unwrap();
        fs::remove_file(root.join("a")).unwrap();
    });
}

#[test]
fn access_control_lists() {
    // Version 2, user:: rw, user:1234 r, group:: r, mask rw, other r (linux/posix_acl_xattr.h).
    let entry = |tag: u16, permissions: u16, id: u32| {
        [
            &tag.to_le_bytes()[..],
            &permissions.to_le_bytes(),
            &id.to_le_bytes(),
        ]
        .concat()
    };
    let none = u32::MAX;
    let acl = [
        2_u32.to_le_bytes().to_vec(),
        entry(1, 6, none),
        entry(2, 4, 1_234),
        entry(4, 4, none),
        entry(16, 6, none),
        entry(32, 4, none),
    ]
    .concat();
    let (set, default) = ("system.posix_acl_access", "system.posix_acl_default");
    check(|root| xattr(&root.join("a"), set, &acl));
    let mut bench = tree();
    xattr(&bench.path("a"), set, &acl);
    xattr(&bench.path("d"), default, &acl);
    bench.there_and_back(|root| {
        rustix::fs::lremovexattr(root.join("a"), set).unwrap();
        chmod(&root.join("a"), 0o644);
        fs::remove_file(root.join("d/x")).unwrap();
        fs::write(root.join("d/inherits"), "x").unwrap();
        fs::remove_dir_all(root.join("d/e")).unwrap();
    });
}

#[test]
fn owners() {
    if !is_root() {
        return;
    }
    let give = |path: &Path, uid, gid| {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    };
    let mut bench = tree();
    give(&bench.path("b"), 1_000, 1_001);
    give(&bench.path("d/dangling"), 1_000, 1_001);
    give(&bench.path("d/e"), 1_000, 1_001);
    chmod(&bench.path("b"), 0o6711);
    bench.there_and_back(|root| {
        give(&root.join("a"), 55, 66);
        fs::remove_file(root.join("b")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
    });
}

#[test]
fn devices() {
    if !is_root() {
        return;
    }
    let mut bench = tree();
    mknod(
        &bench.path("null"),
        FileType::CharacterDevice,
        rustix::fs::makedev(1, 3),
    );
    bench.there_and_back(|root| {
        fs::remove_file(root.join("null")).unwrap();
        mknod(
            &root.join("loop"),
            FileType::BlockDevice,
            rustix::fs::makedev(7, 300),
        );
    });
}

#[test]
fn one_kind_in_the_place_of_another() {
    check(|root| {
        fs::remove_file(root.join("a")).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/inside"), "x").unwrap();
        fs::remove_file(root.join("b")).unwrap();
        symlink("c", root.join("b")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::write(root.join("d"), "a file now").unwrap();
        fs::remove_dir(root.join("hollow")).unwrap();
        mknod(&root.join("hollow"), FileType::Fifo, 0);
        fs::remove_file(root.join("fifo")).unwrap();
        fs::write(root.join("fifo"), "a file now").unwrap();
    });
}

#[test]
fn a_link_pointed_elsewhere() {
    check(|root| {
        fs::remove_file(root.join("d/dangling")).unwrap();
        symlink("x", root.join("d/dangling")).unwrap();
    });
}

#[test]
fn files_and_folders_renamed() {
    check(|root| {
        fs::rename(root.join("a"), root.join("a2")).unwrap();
        fs::rename(root.join("d/y"), root.join("y")).unwrap();
        fs::rename(root.join("d/e"), root.join("e")).unwrap();
        fs::rename(root.join("e/z"), root.join("e/f/z2")).unwrap();
        fs::rename(root.join("fifo"), root.join("keep/fifo")).unwrap();
        fs::rename(root.join("d/dangling"), root.join("dangling")).unwrap();
    });
}

#[test]
fn a_file_renamed_keeps_its_inode_in_both_directions() {
    use std::os::unix::fs::MetadataExt as _;
    let mut bench = tree();
    let inode = bench.path("a").metadata().unwrap().ino();
    bench.there_and_back(|root| fs::rename(root.join("a"), root.join("d/elsewhere")).unwrap());
    assert_eq!(bench.path("a").metadata().unwrap().ino(), inode);
}

#[test]
fn a_file_renamed_and_then_written() {
    check(|root| {
        fs::rename(root.join("a"), root.join("a2")).unwrap();
        fs::write(root.join("a2"), "written after\n").unwrap();
        fs::rename(root.join("d/y"), root.join("d/y2")).unwrap();
        chmod(&root.join("d/y2"), 0o600);
    });
}

#[test]
fn a_file_renamed_over_another() {
    check(|root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::rename(root.join("d/x"), root.join("d/y")).unwrap();
    });
}

#[test]
fn a_file_saved_by_writing_another_and_renaming_it() {
    check(|root| {
        fs::write(root.join("a.tmp"), "one\nTWO\nthree\n").unwrap();
        fs::rename(root.join("a.tmp"), root.join("a")).unwrap();
    });
}

#[test]
fn places_changed() {
    check(|root| {
        exchange(&root.join("a"), &root.join("b"));
        exchange(&root.join("d"), &root.join("keep"));
        exchange(&root.join("fifo"), &root.join("hollow"));
    });
}

#[test]
fn a_folder_and_one_inside_another_changed_places() {
    check(|root| exchange(&root.join("d/e"), &root.join("keep")));
    check(|root| {
        // Inside out: what was below is above.
        fs::rename(root.join("d/e"), root.join("e")).unwrap();
        fs::rename(root.join("d"), root.join("e/d")).unwrap();
    });
}

#[test]
fn a_circle_of_three_and_one_of_folders() {
    check(|root| {
        exchange(&root.join("a"), &root.join("b"));
        exchange(&root.join("b"), &root.join("c"));
    });
    check(|root| {
        exchange(&root.join("d"), &root.join("keep"));
        exchange(&root.join("keep"), &root.join("hollow"));
    });
    check(|root| {
        exchange(&root.join("a"), &root.join("d"));
        exchange(&root.join("d"), &root.join("hollow"));
        fs::write(root.join("a/new in d"), "x").unwrap();
        fs::remove_file(root.join("a/x")).unwrap();
    });
}

#[test]
fn a_chain_of_renames_over_each_other() {
    check(|root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::rename(root.join("empty"), root.join("a")).unwrap();
        fs::rename(root.join("sparse"), root.join("empty")).unwrap();
        fs::write(root.join("sparse"), "new").unwrap();
    });
}

#[test]
fn a_folder_renamed_and_then_removed() {
    check(|root| {
        fs::rename(root.join("d"), root.join("d2")).unwrap();
        fs::remove_dir_all(root.join("d2")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("d/e"), root.join("e")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
    });
}

#[test]
fn everything_moved_into_a_new_folder_inside_and_the_folder_removed() {
    check(|root| {
        fs::create_dir(root.join("d/log")).unwrap();
        for name in ["x", "y", "c2", "dangling", "socket"] {
            fs::rename(root.join("d").join(name), root.join("d/log").join(name)).unwrap();
        }
    });
    check(|root| {
        fs::create_dir(root.join("d/log")).unwrap();
        for name in ["x", "y", "c2", "dangling", "socket", "e"] {
            fs::rename(root.join("d").join(name), root.join("d/log").join(name)).unwrap();
        }
        fs::remove_dir_all(root.join("d")).unwrap();
    });
}

#[test]
fn a_folder_removed_and_made_again_with_other_things_in_it() {
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/e/g")).unwrap();
        fs::write(root.join("d/x"), "the new one\n").unwrap();
        fs::write(root.join("d/e/g/new"), "x").unwrap();
    });
    check(|root| {
        fs::rename(root.join("d/y"), root.join("saved")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/sub")).unwrap();
        fs::rename(root.join("saved"), root.join("d/y")).unwrap();
    });
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/sub")).unwrap();
        fs::rename(root.join("a"), root.join("d/sub/a")).unwrap();
        fs::rename(root.join("keep"), root.join("d/e")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("d"), root.join("old")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/x"), "clone\n").unwrap();
        fs::rename(root.join("old/e"), root.join("d/e")).unwrap();
    });
}

/// What is found in one place belongs in another, while what was there is gone.
#[test]
fn what_is_in_the_way_lives_on() {
    check(|root| fs::rename(root.join("b"), root.join("a")).unwrap());
    check(|root| fs::rename(root.join("sparse"), root.join("b")).unwrap());
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::rename(root.join("keep"), root.join("d")).unwrap();
    });
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::rename(root.join("keep"), root.join("d")).unwrap();
        fs::create_dir(root.join("keep")).unwrap();
        fs::write(root.join("keep/me"), "another\n").unwrap();
    });
    check(|root| {
        fs::remove_dir(root.join("hollow")).unwrap();
        fs::rename(root.join("a"), root.join("hollow")).unwrap();
        fs::remove_file(root.join("b")).unwrap();
        fs::rename(root.join("keep"), root.join("b")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("a"), root.join("other")).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/new"), "x").unwrap();
    });
}

#[test]
fn what_belongs_back_lies_in_what_is_in_the_way() {
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::rename(root.join("keep"), root.join("d/keep")).unwrap();
        fs::create_dir(root.join("keep")).unwrap();
        fs::write(root.join("keep/new"), "x").unwrap();
    });
    check(|root| {
        fs::rename(root.join("d"), root.join("d2")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::rename(root.join("keep"), root.join("d/keep")).unwrap();
        fs::create_dir(root.join("keep")).unwrap();
        fs::rename(root.join("d2"), root.join("keep/d")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("a"), root.join("d/a")).unwrap();
        fs::rename(root.join("d"), root.join("a")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("keep"), root.join("d/e/f/keep")).unwrap();
        fs::create_dir(root.join("keep")).unwrap();
        fs::write(root.join("keep/new"), "x").unwrap();
    });
}

/// `git clone` of what is next to it makes links: in the old folder and in the new one at the same path lies one file.
#[test]
fn a_folder_made_again_with_links_into_what_the_old_one_had_links_to() {
    check(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/e/f")).unwrap();
        fs::hard_link(root.join("c"), root.join("d/c2")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("d/e/z"), root.join("out")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::rename(root.join("out"), root.join("d/e/z")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("d/e"), root.join("out")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::rename(root.join("out"), root.join("d/e")).unwrap();
        fs::write(root.join("d/e/new"), "x").unwrap();
    });
}

#[test]
fn hard_links_made_broken_and_removed() {
    check(|root| fs::remove_file(root.join("c")).unwrap());
    check(|root| {
        fs::remove_file(root.join("c")).unwrap();
        fs::remove_file(root.join("d/c2")).unwrap();
    });
    check(|root| {
        fs::hard_link(root.join("c"), root.join("keep/c3")).unwrap();
        fs::remove_file(root.join("c")).unwrap();
    });
    check(|root| {
        fs::write(root.join("c.tmp"), "the link is broken\n").unwrap();
        fs::rename(root.join("c.tmp"), root.join("c")).unwrap();
    });
    check(|root| {
        fs::rename(root.join("c"), root.join("e")).unwrap();
        fs::remove_dir_all(root.join("d")).unwrap();
    });
}

#[test]
fn a_file_that_went_and_has_several_links_where_it_is() {
    check(|root| {
        fs::rename(root.join("a"), root.join("e")).unwrap();
        fs::hard_link(root.join("e"), root.join("keep/e")).unwrap();
        chmod(&root.join("e"), 0o600);
    });
    check(|root| {
        fs::rename(root.join("d/x"), root.join("one")).unwrap();
        fs::hard_link(root.join("one"), root.join("two")).unwrap();
        fs::hard_link(root.join("one"), root.join("keep/three")).unwrap();
        fs::write(root.join("two"), "written under a new name\n").unwrap();
    });
    check(|root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::hard_link(root.join("b"), root.join("keep/b")).unwrap();
        fs::hard_link(root.join("b"), root.join("e")).unwrap();
        fs::write(root.join("e"), "over another\n").unwrap();
    });
    check(|root| {
        fs::rename(root.join("c"), root.join("e")).unwrap();
        fs::rename(root.join("d/c2"), root.join("keep/e")).unwrap();
        chmod(&root.join("e"), 0o600);
    });
}

#[test]
fn a_file_with_several_links_written() {
    check(|root| fs::write(root.join("c"), "written through one\n").unwrap());
    check(|root| {
        fs::write(root.join("d/c2"), "written through the other\n").unwrap();
        fs::remove_file(root.join("c")).unwrap();
    });
    check(|root| {
        fs::write(root.join("c"), "written, then all removed\n").unwrap();
        fs::remove_file(root.join("d/c2")).unwrap();
        fs::remove_file(root.join("c")).unwrap();
    });
}

#[test]
fn sparse_files() {
    check(|root| {
        let file = File::options().write(true).open(root.join("sparse")).unwrap();
        file.write_all_at(b"filled", 2 << 20).unwrap();
    });
    check(|root| fs::write(root.join("sparse"), "short now").unwrap());
}

#[test]
fn folders_that_may_not_be_written_to() {
    let mut bench = tree();
    chmod(&bench.path("d/e"), 0o555);
    chmod(&bench.path("keep"), 0o500);
    bench.there_and_back(|root| {
        chmod(&root.join("d/e"), 0o755);
        fs::remove_file(root.join("d/e/z")).unwrap();
        chmod(&root.join("d/e"), 0o555);
        chmod(&root.join("keep"), 0o700);
        fs::remove_dir_all(root.join("keep")).unwrap();
    });
}

#[test]
fn paths_longer_than_the_kernel_takes() {
    let mut bench = Bench::new();
    let name = "n".repeat(200);
    let before = bench.manifest();
    let effects = bench.does(|root| {
        let mut folder = File::open(root).unwrap();
        // Deeper than a path can say, but not so deep that reading it by paths fails in this test itself.
        for _ in 0..15 {
            rustix::fs::mkdirat(&folder, name.as_str(), Mode::from_raw_mode(0o755)).unwrap();
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
            folder = File::from(rustix::fs::openat(&folder, name.as_str(), flags, Mode::empty()).unwrap());
        }
    });
    bench.undo(&effects).proved();
    bench.assert_is(&before);
}

/// There, back, there again and back again.
#[track_caller]
fn undone_redone_and_undone(act: fn(&Path)) {
    let mut bench = tree();
    let before = bench.manifest();
    let mut effects = bench.does(act);
    let after = bench.manifest();
    for expect in [&before, &after, &before] {
        let undone = bench.undo(&effects);
        undone.proved();
        bench.assert_is(expect);
        effects = rescind_recovery::Earlier::read(&undone.tape.records).effects();
    }
}

#[test]
fn all_at_once_and_the_undo_undone_and_redone() {
    undone_redone_and_undone(everything);
}

#[test]
fn what_went_and_was_written_or_linked_and_the_undo_undone_and_redone() {
    undone_redone_and_undone(|root| {
        fs::rename(root.join("a"), root.join("keep/a")).unwrap();
        fs::write(root.join("keep/a"), "written where it went\n").unwrap();
    });
    undone_redone_and_undone(|root| {
        exchange(&root.join("b"), &root.join("d/x"));
        fs::write(root.join("d/x"), "written where it went\n").unwrap();
    });
    undone_redone_and_undone(|root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::hard_link(root.join("b"), root.join("keep/b")).unwrap();
        fs::hard_link(root.join("b"), root.join("e")).unwrap();
        fs::write(root.join("e"), "over another\n").unwrap();
    });
    undone_redone_and_undone(|root| {
        fs::rename(root.join("c"), root.join("f")).unwrap();
        fs::rename(root.join("d/c2"), root.join("keep/f")).unwrap();
        chmod(&root.join("f"), 0o600);
    });
}
