//! Sessions on a stage: entering one, finding one, and what became of promotions.

mod chosen;
mod interrupted;
mod show;
mod staged;

pub use chosen::Chosen;
pub use interrupted::settle;
pub use show::{Detail, conflicts, json, print};
pub use staged::{Staged, in_turn, staged, waiting};

use crate::error::{Code, Done, Failure};
use crate::out::say;
use crate::text::clean;
use rescind_files::stage::{self, Entered, Stage};
use rescind_model::{SessionId, chain};
use rescind_supervisor::{Home, Store};
use std::path::PathBuf;

/// Put this process on a stage of its own, for the session.
///
/// # Errors
/// This machine gives this user no stage. Nothing was started.
pub fn enter(home: &Home, id: &SessionId) -> Done<Entered> {
    let failed = |why: String| {
        Failure::new(Code::StageUnavailable, why)
            .means("nothing was started, nothing was changed")
            .help("without `--stage` the session's changes are real, and can be undone")
    };
    home.make().map_err(|error| failed(chain(&error)))?;
    let entered = stage::enter(&home.stage(id), home.root()).map_err(|error| failed(chain(&error)))?;
    let left_out = &entered.stage.left_out;
    for left in left_out.iter().take(SAID) {
        say(format!(
            "rescind: {} is not on the stage, changes there are refused: {}",
            clean(&left.at.display().to_string()),
            clean(&left.why)
        ));
    }
    if left_out.len() > SAID {
        say(format!(
            "rescind: {} more places are not on the stage; stage.json in {} lists them",
            left_out.len() - SAID,
            clean(&entered.stage.root.display().to_string())
        ));
    }
    Ok(entered)
}

/// How many places that are not on a stage are named.
const SAID: usize = 4;

/// Folders of pins that earlier sessions made on file systems that are on the stage.
pub fn pin_folders(entered: &Entered) -> Vec<PathBuf> {
    let name = format!(".rescind-{}", rustix::process::geteuid().as_raw());
    let units = entered.stage.units.iter();
    let places = units.flat_map(|unit| [unit.at.clone(), unit.at.join(&name)]);
    places
        .filter(|place| place.ends_with(&name) && place.is_dir())
        .collect()
}

/// Give up a stage on which nothing was changed.
pub fn drop_empty(entered: &Entered) {
    let _it_can_be_discarded_then = Stage::remove(&entered.stage.root);
}

/// The refusal to undo what is not real.
#[must_use]
pub fn not_real(store: &Store, id: &SessionId) -> Failure {
    let failure = Failure::new(
        Code::NotReal,
        format!("session {id} was staged: nothing of it is real, so there is nothing to undo"),
    );
    if matches!(Stage::read(&store.home().stage(id)), Ok(Some(_))) {
        failure.help(format!(
            "`rescind review {id}` shows it; then `rescind promote {id}` or `rescind discard {id}`"
        ))
    } else {
        failure.help("if it was promoted, `rescind sessions` names the promotion: that can be undone")
    }
}
