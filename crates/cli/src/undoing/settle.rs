//! What a session left whose end came before it could be recorded.

use super::notes::JournalNotes;
use super::objects;
use crate::error::Done;
use rescind_files::FilesDriver;
use rescind_model::{Effect, Outcome, ResourceId, State};
use rescind_recovery::MERGE_LIMIT;
use rescind_supervisor::journal::{AfterForm, BeforeForm, OutcomeForm, Record, StateForm, text_from_bytes};
use rescind_supervisor::{Driver as _, SessionLog, SessionView, Store, StoredBodies};
use std::collections::BTreeMap;

/// Record what a session left where its end came before it could. Its tree has ended: what is there now is what it left,
/// if nobody wrote since. Right after the end nobody has; later only what was last changed before `until` (in ns since
/// the epoch), while the session still lived, is taken for its.
pub(super) fn settle(store: &Store, log: &SessionLog, until: Option<i64>) -> Done<()> {
    // Read while nobody else can write it: another command may have settled it just now.
    let view = &SessionView::load(store, log.id())?;
    let open = open(view);
    if view.ended.is_some() || open.is_empty() {
        return Ok(());
    }
    log.recovering();
    let driver = FilesDriver::new([objects::table(view)], [], Box::new(JournalNotes::default()));
    let bodies = StoredBodies::new(store, Some(log));
    // Folders that the session removed are known as such by what it did.
    let _known = driver.canonical(view.effects.clone());
    let mut seq = view.effects.iter().map(|effect| effect.seq.0).max().unwrap_or(0);
    for (effect, claims) in open {
        let hint = claims.map_or(&effect.before, |_| &effect.after);
        let Ok(now) = driver.read(&effect.resource, &effect.name, Some(hint)) else {
            continue;
        };
        if claims.is_some() && now.same(&effect.after) {
            continue;
        }
        let changed = driver.changed_at(&effect.resource);
        let in_time = |until: i64| changed.is_some_and(|changed| changed <= until);
        if !until.is_none_or(in_time) {
            continue;
        }
        let kept = if is_small(&now) {
            driver
                .capture(&effect.resource, &effect.name, &now, &bodies)
                .unwrap_or(now)
        } else {
            now
        };
        let after = |s| {
            Record::After(AfterForm {
                s,
                c: false,
                g: false,
                a: StateForm::from(&kept),
            })
        };
        match claims {
            None => log.write(&[after(effect.seq.0)])?,
            Some(node) => {
                seq += 1;
                log.write(&[claim(effect, node, seq), after(seq)])?;
            }
        }
    }
    Ok(())
}

/// The last effect on each resource of which it is not known what it left: because it is in doubt, or because a node
/// that had not ended may have changed it once more since, after another had gone on with it. With that node.
fn open(view: &SessionView) -> Vec<(&Effect, Option<u64>)> {
    let lives = |node: u64| view.nodes.get(&node).is_none_or(|node| node.ended.is_none());
    let mut last: BTreeMap<&ResourceId, (&Effect, Option<u64>)> = BTreeMap::new();
    for effect in &view.effects {
        let node = effect.action.number;
        let goes_on = view.going_on.contains(&effect.seq) && lives(node);
        let before = last.get(&effect.resource).and_then(|(_, claims)| *claims);
        let claims = if goes_on { Some(node) } else { before };
        last.insert(&effect.resource, (effect, claims));
    }
    let open = last.into_values().filter_map(|(effect, claims)| {
        let in_doubt = effect.outcome == Outcome::InDoubt;
        match claims {
            _ if in_doubt => Some((effect, None)),
            Some(node) if effect.outcome == Outcome::Observed => Some((effect, Some(node))),
            _ => None,
        }
    });
    open.collect()
}

/// The beginning of an effect of `node` that follows on `effect`.
fn claim(effect: &Effect, node: u64, seq: u64) -> Record {
    Record::Before(BeforeForm {
        s: seq,
        n: node,
        f: "files".to_owned(),
        k: text_from_bytes(&effect.resource.key),
        p: effect.name.clone(),
        b: StateForm::from(&effect.after),
        i: None,
        w: OutcomeForm::Intended,
    })
}

/// Whether a body is one that is kept for merging.
fn is_small(state: &State) -> bool {
    let content = state.fields().and_then(|fields| fields.content("content"));
    content.is_some_and(|content| content.length <= MERGE_LIMIT)
}
