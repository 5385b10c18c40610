//! Who gives a command, as the operating system has it.

use crate::error::{Code, Done, Failure};
use rustix::process::getuid;
use std::sync::OnceLock;

/// In whose name this command is given, where that is not the machine's user.
static FOR: OnceLock<String> = OnceLock::new();

/// Act in the name of somebody who has signed in elsewhere. For what is recorded only: it opens nothing.
///
/// # Errors
/// The name is none.
pub fn act_for(name: &str) -> Done<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-:".contains(letter);
    if name.is_empty() || name.len() > 80 || !name.chars().all(plain) {
        return Err(Failure::new(Code::BadArgument, format!("`{name}` is no name")));
    }
    let _only_one_a_command = FOR.set(name.to_owned());
    Ok(())
}

/// The person: the login name of the user, and behind `sudo` that of who called it. Nobody signs in here: this is as
/// good as the machine's own users are kept apart.
#[must_use]
pub fn person() -> String {
    if let Some(name) = FOR.get() {
        return name.clone();
    }
    let uid = getuid();
    let called = uid.is_root().then(|| std::env::var("SUDO_USER").ok()).flatten();
    let name = called
        .filter(|name| is_plain(name))
        .or_else(|| name_of(uid.as_raw()));
    name.unwrap_or_else(|| format!("uid-{}", uid.as_raw()))
}

fn name_of(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own = fields.nth(1)?.parse::<u32>().ok()?;
        (own == uid && is_plain(name)).then(|| name.to_owned())
    })
}

/// Whether a name can be part of a file's name.
fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    !name.is_empty() && !name.starts_with('.') && name.len() <= 64 && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{is_plain, name_of, person};

    #[test]
    fn a_person_has_a_name_that_fits_into_a_files_name() {
        assert!(is_plain(&person()));
        assert_eq!(name_of(0).as_deref(), Some("root"));
        for name in ["", "..", "a/b", "a b", ".hidden"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
