//! How what is on record is said: commands, ends, roles. The same words as `rescind log` has.

use rescind_model::{SessionId, command_line};
use rescind_supervisor::journal::{ExitForm, Role};

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
