//! `approve --change`: another command instead, judged before anybody is told that it may run.

use crate::context::load;
use crate::error::{Code, Done, Failure};
use crate::judging::desk_of;
use crate::text::clean;
use rescind_desk::Configuration;
use rescind_model::{ActionId, Verdict, command_line};
use rescind_supervisor::holds::Hold;
use rescind_supervisor::{Asked, Desk as _, Store};
use std::path::PathBuf;

/// Whether a command may run instead of what is held, as far as can be told now; it is judged again when it runs.
///
/// # Errors
/// It is what is held, it would be denied, or needs more persons, or others, than what is held.
pub fn check(store: &Store, hold: &Hold, words: &[String]) -> Done<()> {
    let form = &hold.form;
    let (refused, line) = (Code::ChangeRefused, clean(&command_line(words)));
    let refuse =
        |message: String| Failure::new(refused, message).means("nothing was decided, and nothing ran");
    if words == form.argv {
        return Err(refuse(format!("`{line}` is what waits")).help("approve it without --change"));
    }
    if form.argv.first().is_some_and(|word| word == "connect") && form.judged.entry.is_none() {
        return Err(refuse(
            "a connection can't be changed, only approved or rejected".to_owned(),
        ));
    }
    let action: ActionId = form
        .action
        .parse()
        .map_err(|_| Failure::new(Code::NoSuchHold, format!("`{}` is no action", form.action)))?;
    let view = load(store, &action.session)?;
    let mut desk = desk_of(&Configuration::of_user(), &view)?;
    let variables = view.environment(action.number);
    let path = variables.get("PATH").cloned().unwrap_or_default();
    let program = words.first().map(String::as_str).unwrap_or_default();
    let found = path.split(':').map(|folder| PathBuf::from(folder).join(program));
    let exe = found
        .filter(|_| !program.contains('/'))
        .find(|path| path.is_file());
    let exe = exe.map_or_else(|| program.to_owned(), |path| path.display().to_string());
    let environment: Vec<Vec<u8>> = variables
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect();
    let judged = desk.judge(&Asked {
        node: action.number,
        parent: 0,
        exe: &exe,
        file: &exe,
        argv: words,
        cwd: &form.cwd,
        environment: &environment,
        cleared: None,
        scopes: None,
    });
    match &judged.verdict {
        Verdict::Deny(reasons) => Err(refuse(format!(
            "`{line}` would be denied: {}",
            reasons.join("; ")
        ))),
        Verdict::Hold(_) if judged.form.persons > form.judged.persons.max(1) => Err(refuse(format!(
            "`{line}` needs {} persons, and what waits needs {}",
            judged.form.persons,
            form.judged.persons.max(1)
        ))),
        Verdict::Hold(_)
            if !judged
                .form
                .groups
                .iter()
                .all(|group| form.judged.groups.contains(group)) =>
        {
            Err(refuse(format!(
                "`{line}` is for {} to decide",
                judged.form.groups.join(" and ")
            )))
        }
        Verdict::Hold(_) | Verdict::Allow => Ok(()),
    }
}
