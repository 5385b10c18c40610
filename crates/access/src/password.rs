//! Which passwords are taken.

use crate::error::PasswordFault;
use crate::name::PersonName;

const SHORTEST: usize = 12;
/// In bytes: what a form may make us hash.
pub(crate) const LONGEST: usize = 1024;

/// Those of twelve characters and more that lists of stolen passwords are full of. Compared in lower case, without what
/// is no letter or digit.
const COMMON: &[&str] = &[
    "123456789012",
    "1234567890123",
    "1234567890qwe",
    "12345678910",
    "123456789012345",
    "1234567890abc",
    "123123123123",
    "111222333444",
    "121212121212",
    "123qwe123qwe",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "q1w2e3r4t5y6",
    "qwerty123456",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiop1234",
    "qwertyuiopasdf",
    "qwertyuiopasdfghjkl",
    "qazwsxedcrfv",
    "asdfghjkl123",
    "zaq12wsxcde3",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "abcd1234abcd",
    "abc123abc123",
    "aaaaaa123456",
    "password1234",
    "password12345",
    "password123456",
    "password2024",
    "password2025",
    "password2026",
    "passwordpassword",
    "passw0rd1234",
    "p4ssw0rd1234",
    "mypassword123",
    "thisisapassword",
    "changemechangeme",
    "changeme1234",
    "changeme12345",
    "letmeinletmein",
    "letmein12345",
    "welcome12345",
    "welcome123456",
    "welcome12024",
    "iloveyou1234",
    "iloveyou12345",
    "iloveyouforever",
    "administrator",
    "administrator1",
    "admin1234567",
    "adminadminadmin",
    "adminadmin123",
    "administrator123",
    "rootrootroot",
    "rescindrescind",
    "rescind12345",
    "correcthorsebatterystaple",
    "trustno1trustno1",
    "monkey123456",
    "dragon123456",
    "football1234",
    "baseball1234",
    "superman1234",
    "sunshine1234",
    "princess1234",
    "michaeljordan",
    "liverpoolfc1",
    "manchesterunited",
    "charlie12345",
    "computer1234",
    "internet1234",
    "kubernetes123",
    "postgres1234",
    "productionproduction",
    "secretsecret",
    "supersecret123",
    "summer2025summer",
    "winter2025winter",
    "unknown12345",
    "testtesttest",
    "test12345678",
];

/// Whether a person may have this password.
///
/// # Errors
/// They may not.
pub(crate) fn check(name: &PersonName, password: &str) -> Result<(), PasswordFault> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordFault::Short);
    }
    if password.len() > LONGEST {
        return Err(PasswordFault::Long);
    }
    let plain = plain(password);
    let own = self::plain(name.as_str());
    // The name once or several times, with little around it.
    let without = if own.is_empty() {
        plain.clone()
    } else {
        plain.replace(&own, "")
    };
    if without.len() < plain.len() && without.chars().count() < 4 {
        return Err(PasswordFault::Name);
    }
    let mut letters: Vec<char> = password.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < 3 || COMMON.contains(&plain.as_str()) {
        return Err(PasswordFault::Common);
    }
    Ok(())
}

fn plain(text: &str) -> String {
    let kept = text.chars().filter(|letter| letter.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}
