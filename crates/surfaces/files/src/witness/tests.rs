use super::Way;
use std::fs;
use std::path::Path;

#[test]
fn a_way_leads_to_the_nearest_folder_that_is_there() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().canonicalize().unwrap();
    fs::create_dir(base.join("there")).unwrap();
    std::os::unix::fs::symlink("there", base.join("link")).unwrap();
    for (path, folder, name, below) in [
        ("there/a", "there", "a", ""),
        ("link/a", "there", "a", ""),
        ("there/./x/../a", "there", "a", ""),
        ("new/er/a", "", "new", "er/a"),
        ("link/new/a", "there", "new", "a"),
        ("new/../../there/a", "", "there", ""),
    ] {
        let way = Way::to(&base.join(path)).unwrap().unwrap();
        if path == "new/../../there/a" {
            // `..` after a folder that is not there leads above where that would be.
            assert_eq!(way.folder, base.parent().unwrap(), "{path}");
            continue;
        }
        let rest: Vec<&str> = way.below.iter().map(|part| part.to_str().unwrap()).collect();
        assert_eq!(
            way.folder,
            base.join(folder).components().collect::<std::path::PathBuf>(),
            "{path}"
        );
        assert_eq!(
            (way.name.to_str().unwrap(), rest.join("/").as_str()),
            (name, below),
            "{path}"
        );
    }
    assert!(Way::to(Path::new("/")).unwrap().is_none());
}
