use super::{Folder, Identity, Kind, ObjectTable, Place};
use crate::read;
use rescind_model::{ObjectId, SessionId};
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

fn table() -> ObjectTable {
    ObjectTable::new(SessionId::new(1, 1))
}

fn identity(ino: u64) -> Identity {
    Identity {
        dev: 1,
        ino,
        btime: 10,
    }
}

fn path(text: &str) -> Place {
    Place::Path(text.as_bytes().to_vec())
}

fn within(folder: ObjectId, name: &str) -> Place {
    Place::In(folder, name.as_bytes().to_vec())
}

#[track_caller]
fn check(table: &ObjectTable, object: ObjectId, expect: &str) {
    let found = table.path(object).unwrap();
    assert_eq!(String::from_utf8_lossy(&found), expect);
}

#[test]
fn an_inode_has_one_number_until_it_is_removed() {
    let mut table = table();
    let (file, new) = table.number(identity(5), Kind::File, path("/w/f"));
    assert!(new);
    assert_eq!(table.number(identity(5), Kind::File, path("/w/g")), (file, false));
    table.remove(file);
    assert_eq!(table.find(&identity(5)), None);
    let (again, new) = table.number(identity(5), Kind::File, path("/w/f"));
    assert!(new && again != file, "a number used again");
}

#[test]
fn what_is_below_a_folder_goes_where_it_goes() {
    let mut table = table();
    let (deep, _) = table.number(identity(3), Kind::Dir, path("/w/a/b"));
    let (file, _) = table.number(identity(4), Kind::File, within(deep, "f"));
    let (above, _) = table.number(identity(2), Kind::Dir, path("/w/a"));
    let (beside, _) = table.number(identity(6), Kind::Dir, path("/w/ab"));
    table.moved(above, path("/w/z"));
    check(&table, deep, "/w/z/b");
    check(&table, file, "/w/z/b/f");
    check(&table, beside, "/w/ab");
    assert_eq!(table.folder_at(b"/w/z"), Some(above));
    assert_eq!(table.folder_at(b"/w/a"), None);
}

#[test]
fn folders_change_places_with_all_that_is_below_them() {
    let mut table = table();
    let (one, _) = table.number(identity(1), Kind::Dir, path("/w/one"));
    let (below, _) = table.number(identity(2), Kind::Dir, within(one, "below"));
    let (two, _) = table.number(identity(3), Kind::Dir, path("/w/two"));
    let (under, _) = table.number(identity(4), Kind::Dir, within(two, "under"));
    table.exchanged(one, two);
    check(&table, one, "/w/two");
    check(&table, below, "/w/two/below");
    check(&table, two, "/w/one");
    check(&table, under, "/w/one/under");
}

#[test]
fn records_in_order_make_the_same_table() {
    let mut own = table();
    let mut other = table();
    let tell = |own: &ObjectTable, other: &mut ObjectTable, object| other.load(&own.record(object).unwrap());
    let (top, _) = own.number(identity(1), Kind::Dir, path("/w"));
    tell(&own, &mut other, top);
    let (folder, _) = own.number(identity(2), Kind::Dir, within(top, "d"));
    tell(&own, &mut other, folder);
    let (file, _) = own.number(identity(3), Kind::File, within(folder, "f"));
    tell(&own, &mut other, file);
    own.moved(folder, within(top, "e"));
    tell(&own, &mut other, folder);
    own.remove(file);
    tell(&own, &mut other, file);
    own.bind(folder, identity(9), Kind::Dir, within(top, "g"));
    tell(&own, &mut other, folder);
    for object in [top, folder, file] {
        assert_eq!(own.record(object), other.record(object));
    }
    assert_eq!(other.find(&identity(9)), Some(folder));
    assert_eq!(other.find(&identity(2)), None);
    assert!(other.is_gone(file));
}

#[test]
fn an_inode_that_becomes_another_object_ends_the_one_it_was() {
    let mut table = table();
    let (old, _) = table.number(identity(1), Kind::Dir, path("/w/old"));
    let (new, _) = table.number(identity(2), Kind::Dir, path("/w/new"));
    table.bind(old, identity(2), Kind::Dir, path("/w/new"));
    assert!(table.is_gone(new) && !table.is_gone(old));
    assert_eq!(table.find(&identity(2)), Some(old));
    assert_eq!(table.folder_at(b"/w/new"), Some(old));
}

/// Number a folder that is there.
fn real(table: &mut ObjectTable, path: &Path) -> ObjectId {
    let look = read::look_at(File::open(path).unwrap().as_fd()).unwrap();
    let place = Place::Path(path.as_os_str().as_bytes().to_vec());
    table.number(look.identity, Kind::Dir, place).0
}

#[test]
fn a_folder_is_itself_or_another_or_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    let mut table = table();
    let object = real(&mut table, &own);
    assert!(matches!(table.folder(object).unwrap(), Folder::Here(_)));
    fs::rename(&own, dir.path().join("elsewhere")).unwrap();
    assert!(matches!(table.folder(object).unwrap(), Folder::Nowhere));
    fs::create_dir(&own).unwrap();
    assert!(matches!(table.folder(object).unwrap(), Folder::Other(..)));
    fs::remove_dir(&own).unwrap();
    std::os::unix::fs::symlink("elsewhere", &own).unwrap();
    assert!(
        matches!(table.folder(object).unwrap(), Folder::Nowhere),
        "a link to it is not it"
    );
}

#[test]
fn a_move_that_was_noted_and_not_made_is_seen_through() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir_all(from.join("below")).unwrap();
    let mut table = table();
    let folder = real(&mut table, &from);
    let below = real(&mut table, &from.join("below"));
    table.moved(folder, Place::Path(to.as_os_str().as_bytes().to_vec()));
    assert!(matches!(table.folder(below).unwrap(), Folder::Here(_)));
    assert!(matches!(table.folder(folder).unwrap(), Folder::Here(_)));
}

#[test]
fn a_move_that_was_not_made_is_seen_through_when_others_were_made_since() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| Place::Path(dir.path().join(name).as_os_str().as_bytes().to_vec());
    fs::create_dir_all(dir.path().join("from/below")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    let mut table = table();
    let folder = real(&mut table, &dir.path().join("from"));
    let below = real(&mut table, &dir.path().join("from/below"));
    let other = real(&mut table, &dir.path().join("other"));
    table.moved(folder, at("to"));
    table.moved(folder, at("aside"));
    fs::rename(dir.path().join("other"), dir.path().join("moved")).unwrap();
    table.moved(other, at("moved"));
    for object in [folder, below, other] {
        assert!(matches!(table.folder(object).unwrap(), Folder::Here(_)));
    }
    fs::rename(dir.path().join("from"), dir.path().join("elsewhere")).unwrap();
    fs::create_dir(dir.path().join("from")).unwrap();
    assert!(
        !matches!(table.folder(folder).unwrap(), Folder::Here(_)),
        "another is not it"
    );
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_walked() {
    let dir = tempfile::tempdir().unwrap();
    let mut table = table();
    let mut path = dir.path().as_os_str().as_bytes().to_vec();
    let mut folder = File::open(dir.path()).unwrap();
    let name = "n".repeat(250);
    for _ in 0..20 {
        rustix::fs::mkdirat(&folder, name.as_str(), rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let below = rustix::fs::openat(&folder, name.as_str(), flags, rustix::fs::Mode::empty());
        folder = File::from(below.unwrap());
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
    }
    assert!(path.len() > 4_096);
    let look = read::look_at(folder.as_fd()).unwrap();
    let (object, _) = table.number(look.identity, Kind::Dir, Place::Path(path));
    assert!(matches!(table.folder(object).unwrap(), Folder::Here(_)));
}

#[test]
fn a_device_number_that_changed_is_accepted_where_all_else_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let look = read::look_at(File::open(dir.path()).unwrap().as_fd()).unwrap();
    let mut before = look.identity;
    before.dev ^= 0xff;
    let mut table = table();
    let place = Place::Path(dir.path().as_os_str().as_bytes().to_vec());
    let (object, _) = table.number(before, Kind::Dir, place);
    assert_eq!(table.find(&look.identity), None);
    assert!(matches!(table.folder(object).unwrap(), Folder::Here(_)));
    assert_eq!(table.find(&look.identity), Some(object));
}
