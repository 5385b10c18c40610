//! Looking, for the gateway: before an action and after it.

use crate::command::{Own, run};
use crate::environment::around;
use crate::programs::{Trusted, is_program};
use crate::values::state;
use rescind_supervisor::journal::WayForm;
use rescind_supervisor::{Around, Looks, Seen};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A reading takes no longer than this: the action waits for it.
const WITHIN: Duration = Duration::from_secs(10);

/// So many readings go on at a time, whatever an agent starts at once.
const MOST_AT_ONCE: usize = 16;

/// Looks by running commands.
#[derive(Debug)]
pub struct CommandLooks {
    trusted: Trusted,
    /// How many readings go on.
    going_on: Mutex<usize>,
    ended: Condvar,
}

impl CommandLooks {
    /// With programs out of these folders.
    #[must_use]
    pub fn new(trusted: Trusted) -> Self {
        Self {
            trusted,
            going_on: Mutex::new(0),
            ended: Condvar::new(),
        }
    }

    /// Do this when there is room for it.
    fn in_turn<T>(&self, act: impl FnOnce() -> T) -> T {
        let going_on = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self
            .ended
            .wait_while(going_on, |going_on| *going_on >= MOST_AT_ONCE);
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        let done = act();
        *self.going_on.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.ended.notify_one();
        done
    }
}

impl Looks for CommandLooks {
    fn programs(&self, way: &WayForm, own: &Path) -> Result<BTreeMap<String, String>, String> {
        let mut programs = BTreeMap::new();
        for command in [&way.read, &way.back, &way.verify, &way.check] {
            let Some(name) = command.first() else { continue };
            // The program that the action itself runs was judged by its own file.
            let file = if own.file_name().is_some_and(|own| own == name.as_str()) {
                Some(own.to_owned()).filter(|file| is_program(file))
            } else {
                self.trusted.find(name)
            };
            let Some(file) = file.as_deref().and_then(Path::to_str) else {
                return Err(format!("there is no `{name}` that can be trusted"));
            };
            programs.insert(name.clone(), file.to_owned());
        }
        Ok(programs)
    }

    fn look(&self, way: &WayForm, given: &Around) -> Result<Seen, String> {
        self.in_turn(|| look(&self.trusted, way, given))
    }
}

/// Read the state that a way is about.
pub(crate) fn look(trusted: &Trusted, way: &WayForm, given: &Around) -> Result<Seen, String> {
    let own = own(trusted, way, &way.read, given, WITHIN)?;
    let answer = run(&own).map_err(|error| error.to_string())?;
    let (state, lacks) = state(&way.values, &answer);
    Ok(Seen {
        output: answer.output,
        state,
        lacks,
    })
}

/// One of a way's commands, ready to be run.
pub(crate) fn own<'w>(
    trusted: &Trusted,
    way: &'w WayForm,
    argv: &'w [String],
    given: &'w Around,
    within: Duration,
) -> Result<Own<'w>, String> {
    let program = argv.first().and_then(|name| way.programs.get(name));
    let program = program.ok_or("nobody knows which program that is")?;
    let program = Path::new(program);
    if !is_program(program) {
        return Err(format!("`{}` is not there any more", program.display()));
    }
    let executable: Vec<PathBuf> = trusted.executable(program);
    Ok(Own {
        program,
        executable,
        argv,
        input: Vec::new(),
        environment: around(given, trusted.path()),
        cwd: &given.cwd,
        within,
        writes: false,
    })
}
