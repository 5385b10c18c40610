//! The files that a patch in the form of `apply_patch` names.

/// Lines that name a file, each followed by its path to the end of the line.
const NAMES: [&str; 4] = [
    "*** Add File: ",
    "*** Update File: ",
    "*** Delete File: ",
    "*** Move to: ",
];

/// The paths that a patch adds, changes, removes or moves to, each once, in its order.
#[must_use]
pub fn patched_files(patch: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for line in patch.lines() {
        // Lines of content begin with ' ', '+' or '-'; the tool itself forgives blanks around its own lines.
        let line = line.trim();
        let named = NAMES
            .iter()
            .find_map(|name| line.strip_prefix(name))
            .map(str::trim);
        if let Some(path) = named.filter(|path| !path.is_empty())
            && !paths.iter().any(|known| known == path)
        {
            paths.push(path.to_owned());
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::patched_files;

    #[test]
    fn every_file_of_a_patch_is_found_once() {
        let patch = "*** Begin Patch\n*** Add File: a b.txt\n+*** not a name\n+x\n  *** Update File: src/x.rs \n*** Move to: \
                     src/y.rs\n@@\n-a\n+b\n*** Delete File: /old\r\n*** Update File: src/x.rs\n*** End Patch\n";
        assert_eq!(patched_files(patch), ["a b.txt", "src/x.rs", "src/y.rs", "/old"]);
        assert!(patched_files("nothing of that kind").is_empty());
    }
}
