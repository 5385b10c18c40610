//! A shell call's command, put under `rescind exec`.

/// The longest command that is rewritten, in bytes: one argument of a program can't be longer than 128 KiB.
const LONGEST: usize = 100 << 10;

/// A word that any POSIX shell reads as exactly this text.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The command that runs `command` by `shell` under supervision; `options` are those of `exec`. `None`: it would be
/// longer than a shell can be given.
///
/// A client that keeps its working directory from call to call learns it from its own shell. Where the command begins
/// with a plain `cd`, that shell follows once the command is done.
#[must_use]
pub fn under_exec(program: &str, options: &[&str], shell: &str, command: &str) -> Option<String> {
    let mut words = vec![quoted(program), "exec".to_owned()];
    words.extend(options.iter().map(|option| quoted(option)));
    words.extend(["--".to_owned(), quoted(shell), "-c".to_owned(), quoted(command)]);
    let mut text = words.join(" ");
    if let Some(folder) = followed_folder(command) {
        text.push_str(&format!(
            "; rescind_status=$?; cd {folder} 2>/dev/null; (exit $rescind_status)"
        ));
    }
    (text.len() <= LONGEST).then_some(text)
}

/// The folder, as a word, that a command changes to first, where that word means the same in any shell that stands in
/// the same folder: no variables, no substitutions, no patterns.
#[must_use]
pub fn followed_folder(command: &str) -> Option<&str> {
    let rest = command.trim_start().strip_prefix("cd")?;
    let word = rest.trim_start_matches([' ', '\t']);
    if word.len() == rest.len() {
        return None;
    }
    let end = match word.chars().next()? {
        '\'' => word.get(1..)?.find('\'')? + 2,
        '"' => {
            let end = word.get(1..)?.find('"')? + 2;
            let inner = word.get(1..end - 1)?;
            (!inner.contains(['$', '`', '\\', '!'])).then_some(end)?
        }
        '-' => return None,
        _ => {
            let plain = |letter: char| letter.is_alphanumeric() || "-_./~+@%=:,".contains(letter);
            word.find(|letter| !plain(letter)).unwrap_or(word.len())
        }
    };
    let after = word.get(end..)?.trim_start_matches([' ', '\t']);
    let ends = after.is_empty() || after.starts_with("&&") || after.starts_with([';', '\n']);
    (end > 0 && ends).then(|| word.get(..end))?
}

#[cfg(test)]
mod tests {
    use super::{followed_folder, quoted, under_exec};
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn only_a_plain_cd_is_followed() {
        for (command, folder) in [
            ("cd src && make", Some("src")),
            ("cd 'a b'; ls", Some("'a b'")),
            ("cd \"a b\"", Some("\"a b\"")),
            ("cd ~/x\nls", Some("~/x")),
            ("  cd ..  && ls", Some("..")),
            ("cd $HOME && ls", None),
            ("cd \"$HOME\" && ls", None),
            ("cd `x`", None),
            ("cd - && ls", None),
            ("cd -P x", None),
            ("cd a b", None),
            ("cd", None),
            ("cdx y", None),
            ("cd src || exit", None),
            ("cd src | cat", None),
            ("cd src & ls", None),
            ("cd *x", None),
            ("(cd src && make)", None),
            ("cd 'a", None),
        ] {
            assert_eq!(followed_folder(command), folder, "{command}");
        }
    }

    #[test]
    fn a_status_survives_the_cd_after_it() {
        let text = under_exec("sh", &[], "x", "cd / && exit 7").unwrap();
        let text = text.replacen("sh exec -- x -c 'cd / && exit 7'", "sh -c 'exit 7'", 1);
        let ran = Command::new("sh")
            .args(["-c", &format!("{text}\necho $? $PWD")])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), "7 /\n");
    }

    #[test]
    fn what_is_too_long_for_a_shell_is_not_rewritten() {
        assert!(under_exec("rescind", &[], "bash", &"'".repeat(40_000)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_a_quoted_word_as_the_text(text in "[^\0]{0,40}") {
            let script = format!("printf %s {}", quoted(&text));
            let ran = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(ran.stdout).unwrap(), text);
        }
    }
}
