//! How what is on record is said: commands, ends, roles. The same words as `rescind log` has.

use rescind_model::SessionId;
use rescind_supervisor::journal::{ExitForm, Role};
use std::fmt::Write as _;

/// Words as one would type them: quoted where a shell would read them otherwise.
pub(crate) fn command_line(argv: &[String]) -> String {
    argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for character in word.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\'' | '\\' => quoted.extend(['\\', character]),
            other if other.is_control() => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(other));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// What a line says of a node's command.
pub(crate) fn command(role: Role, argv: &[String]) -> String {
    match role {
        Role::Direct => format!("({} itself)", argv.first().map_or("the agent", String::as_str)),
        _ => command_line(argv),
    }
}

/// How a program ended.
pub(crate) fn exit(exit: ExitForm, session: &SessionId) -> String {
    match exit {
        ExitForm::Code(code) => format!("exit {code}"),
        ExitForm::Signal(signal) => format!("signal {signal}"),
        ExitForm::Exec(node) => format!("became {}", session.action(node)),
        ExitForm::NotStarted => "not started".to_owned(),
        ExitForm::Unknown => "unknown".to_owned(),
    }
}

/// Exit code and signal, of which one at most is there.
pub(crate) fn numbers(exit: ExitForm) -> (Option<i32>, Option<i32>) {
    match exit {
        ExitForm::Code(code) => (Some(code), None),
        ExitForm::Signal(signal) => (None, Some(signal)),
        _ => (None, None),
    }
}

/// A role's name.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Launcher => "launcher",
        Role::Agent => "agent",
        Role::Action => "action",
        Role::Process => "process",
        Role::Direct => "direct",
        Role::System => "system",
    }
}
