//! How commands are taken back that changed something elsewhere: from the records of their sessions.

use rescind_model::Locator;
use rescind_recovery::compensation_key;
use rescind_shell::{Remedy, ShellCaller, Trusted, recorded};
use rescind_supervisor::journal::{InputForm, WayForm};
use rescind_supervisor::{Around, Bodies as _, SessionView, Store, StoredBodies};
use std::path::PathBuf;

/// A text that compensates is no longer than this, in bytes.
const MOST_INPUT: u64 = 8 << 20;

/// Who compensates what these sessions did by commands, oldest session first.
pub fn caller<'v>(store: &Store, views: impl IntoIterator<Item = &'v SessionView>) -> ShellCaller {
    let bodies = StoredBodies::new(store, None);
    let remedies = views.into_iter().flat_map(|view| {
        let bodies = &bodies;
        view.ways.iter().filter_map(move |way| remedy(view, way, bodies))
    });
    let path = std::env::var("PATH").unwrap_or_default();
    ShellCaller::new(Trusted::new(&path, None), remedies.collect())
}

fn remedy(view: &SessionView, way: &WayForm, bodies: &StoredBodies<'_>) -> Option<Remedy> {
    let effect = view.effects.iter().find(|effect| effect.seq.0 == way.s)?.clone();
    let node = view.nodes.get(&way.n)?;
    let environment = recorded(&view.environment(way.n), |name| std::env::var(name).ok());
    let around = environment.map(|environment| Around {
        cwd: PathBuf::from(&node.started.cwd),
        environment,
    });
    Some(Remedy {
        key: compensation_key(&effect.id()),
        effect,
        around,
        input: input(view, way, bodies),
        way: way.clone(),
    })
}

fn input(view: &SessionView, way: &WayForm, bodies: &StoredBodies<'_>) -> Result<Vec<u8>, String> {
    match &way.input {
        None => Ok(Vec::new()),
        Some(InputForm::Text(text)) => Ok(text.clone().into_bytes()),
        Some(InputForm::Output) => {
            let lost = |why: String| format!("what was read before is lost: {why}");
            let kept = way
                .output
                .as_ref()
                .ok_or_else(|| lost("it was not kept".to_owned()))?;
            let kept = Locator(format!("{}#{}", view.id, kept.kept));
            bodies
                .read(&kept, MOST_INPUT)
                .map_err(|error| lost(error.to_string()))
        }
    }
}
