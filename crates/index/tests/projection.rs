//! The projection says what the record says: however it was made, whoever was killed while making it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "tests"
)]

mod common;

use common::World;
use rescind_index::ChangeRow;
use rescind_index::{
    ActionFilter, ActionRow, DomainSet, Index, Order, Page, SessionFilter, SessionRow, UndoRow,
};
use rescind_model::{Outcome, SessionId, State, Value};
use rescind_supervisor::holds::Closed;
use rescind_supervisor::journal::{ExitForm, Role};
use rescind_supervisor::{Restored, SessionView, StepEnd, Store, SystemRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const EVERYTHING: DomainSet = DomainSet::Everything;

/// All that a projection shows, but for the time that a summary is of.
#[derive(Debug, PartialEq)]
struct Shown {
    position: u64,
    sessions: Vec<SessionRow>,
    actions: Vec<(ActionRow, Vec<ChangeRow>)>,
    undos: BTreeMap<String, Vec<UndoRow>>,
    control: Vec<u64>,
}

fn shown(index: &Index) -> Shown {
    let sessions = all_sessions(index);
    let mut actions = Vec::new();
    for row in all_actions(index, &ActionFilter::of(EVERYTHING)) {
        let detail = index
            .action(&row.action.parse().unwrap(), &EVERYTHING)
            .unwrap()
            .unwrap();
        assert_eq!(detail.action, row);
        actions.push((row, detail.changes));
    }
    let undos = sessions
        .iter()
        .map(|row| {
            (
                row.session.clone(),
                index.undos(&row.session, &EVERYTHING).unwrap(),
            )
        })
        .collect();
    let control = index.control(&Page::first(500)).unwrap().rows;
    Shown {
        position: index.position().unwrap(),
        sessions,
        actions,
        undos,
        control: control.iter().map(|row| row.seq).collect(),
    }
}

fn all_sessions(index: &Index) -> Vec<SessionRow> {
    let filter = SessionFilter::of(EVERYTHING);
    let (mut page, mut all) = (oldest(7), Vec::new());
    loop {
        let paged = index.sessions(&filter, &page).unwrap();
        all.extend(paged.rows);
        match paged.next {
            Some(next) => page.cursor = Some(next),
            None => return all,
        }
    }
}

fn all_actions(index: &Index, filter: &ActionFilter) -> Vec<ActionRow> {
    let (mut page, mut all) = (oldest(31), Vec::new());
    loop {
        let paged = index.actions(filter, &page).unwrap();
        all.extend(paged.rows);
        match paged.next {
            Some(next) => page.cursor = Some(next),
            None => return all,
        }
    }
}

fn oldest(limit: usize) -> Page {
    Page {
        limit,
        order: Order::Oldest,
        cursor: None,
    }
}

fn open(path: &Path, store: &Arc<Store>) -> Index {
    Index::open(path, Arc::clone(store)).unwrap()
}

#[test]
fn made_step_by_step_it_is_what_it_is_made_at_once() {
    for seed in 1..=6 {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path(), seed);
        let store = Arc::clone(&world.store);
        let path = folder.path().join("index.sqlite");
        let mut index = open(&path, &store);
        for step in 0..400 {
            world.step();
            match world.dice.below(12) {
                // One that is begun anew has nothing in memory.
                0 => {
                    drop(index);
                    index = open(&path, &store);
                }
                1..4 => assert_eq!(index.follow().unwrap(), store.ledger().len().unwrap(), "{step}"),
                _ => {}
            }
        }
        index.follow().unwrap();
        let anew = open(&folder.path().join("anew.sqlite"), &store);
        anew.follow().unwrap();
        let (one, other) = (shown(&index), shown(&anew));
        assert!(one.actions.len() > 20 && one.sessions.len() > 3, "seed {seed}");
        for (one, other) in one.actions.iter().zip(&other.actions) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(one, other, "seed {seed}");
    }
}

/// What the journal of a session says of its actions, worked out from the view as `rescind log` does.
fn told(view: &SessionView) -> BTreeMap<u64, (u64, String, String)> {
    let mut captured: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut uncaptured: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut gaps: BTreeSet<u64> = BTreeSet::new();
    for effect in view
        .effects
        .iter()
        .filter(|effect| !effect.resource.key.ends_with(b"/"))
    {
        let n = view.action_of(effect.action.number);
        let key = effect.resource.key.clone();
        match effect.outcome {
            Outcome::NotCaptured => drop(uncaptured.entry(n).or_default().insert(key)),
            Outcome::Observed if effect.before.same(&effect.after) => {}
            _ => drop(captured.entry(n).or_default().insert(key)),
        }
    }
    let said = view.missing.iter().chain(&view.escapes);
    gaps.extend(said.map(|(n, ..)| view.action_of(*n)));
    for (n, node) in &view.nodes {
        let not_started = node
            .ended
            .as_ref()
            .is_some_and(|ended| ended.exit == ExitForm::NotStarted);
        let refused = node
            .decided
            .as_ref()
            .is_some_and(|closed| closed.how != Closed::Approved);
        let judged = node.started.judged.as_ref();
        let uncovered = judged.is_some_and(|judged| !judged.uncovered.is_empty());
        let missing = node.ended.as_ref().is_some_and(|ended| !ended.missing.is_empty());
        if missing || uncovered && !not_started && !refused {
            gaps.insert(view.action_of(*n));
        }
    }
    let mut told = BTreeMap::new();
    for (n, node) in view
        .nodes
        .iter()
        .filter(|(_, node)| node.started.role != Role::Process)
    {
        let none = BTreeSet::new();
        let (own, lost) = (
            captured.get(n).unwrap_or(&none),
            uncaptured.get(n).unwrap_or(&none),
        );
        let coverage = match (gaps.contains(n), own.is_empty()) {
            (false, _) if lost.is_empty() => "captured",
            (true, true) | (false, true) => "not_captured",
            _ => "partial",
        };
        let effects = own.union(lost).count() as u64;
        let exit = view.end_of(*n).map(|ended| format!("{:?}", ended.exit));
        let verdict = node.started.judged.as_ref().map_or("", |judged| &judged.verdict);
        told.insert(*n, (effects, coverage.to_owned(), format!("{verdict} {exit:?}")));
    }
    told
}

#[test]
fn it_says_what_the_view_of_each_session_says() {
    for seed in 100..=106 {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path(), seed);
        for _ in 0..500 {
            world.step();
        }
        // What lies in a journal behind the last entry is not in the ledger yet.
        for running in std::mem::take(&mut world.running) {
            running.log.close(&common::closing("ended")).unwrap();
        }
        let index = open(&folder.path().join("index.sqlite"), &world.store);
        index.follow().unwrap();
        let mut compared = 0;
        for row in all_sessions(&index) {
            let id: SessionId = row.session.parse().unwrap();
            if world.erased.contains(&id) {
                assert_eq!(
                    (row.state.as_str(), row.actions, row.agent.as_str()),
                    ("erased", 0, "")
                );
                continue;
            }
            let view = SessionView::load(&world.store, &id).unwrap();
            assert_eq!(row.agent, view.opened.agent);
            assert_eq!(row.effects, view.changed() as u64, "seed {seed}, {id}");
            assert_eq!(row.how.as_ref(), view.ended.as_ref().map(|ended| &ended.how));
            let mut filter = ActionFilter::of(EVERYTHING);
            filter.session = Some(row.session.clone());
            let actions = all_actions(&index, &filter);
            assert_eq!(row.actions, actions.len() as u64);
            if row.kind == "undo" {
                assert_eq!(actions.len(), steps(&view).len());
                continue;
            }
            let told = told(&view);
            assert_eq!(actions.len(), told.len());
            for action in &actions {
                let (effects, coverage, words) = &told[&action.n];
                assert_eq!(
                    (action.effects, &action.coverage),
                    (*effects, coverage),
                    "seed {seed}, {}",
                    action.action
                );
                let end = view.end_of(action.n).map(|ended| ended.exit);
                assert_eq!(
                    *words,
                    format!("{} {:?}", action.verdict, end.map(|end| format!("{end:?}")))
                );
                compared += 1;
            }
            let failed = |action: &&ActionRow| {
                base_failed(action) && !["launcher", "agent"].contains(&action.role.as_str())
            };
            let failures = actions.iter().filter(failed).count() as u64;
            if row.undone_by.is_empty() {
                assert_eq!(row.failures, failures, "seed {seed}, {id}");
            }
        }
        assert!(compared > 20);
    }
}

fn base_failed(action: &ActionRow) -> bool {
    matches!(action.state.as_str(), "failed" | "killed" | "in_doubt")
}

fn steps(view: &SessionView) -> BTreeSet<u64> {
    let started = view.system.iter().filter_map(|record| match record {
        SystemRecord::StepStarted { action, .. } => Some(action.number),
        _ => None,
    });
    started.collect()
}

#[test]
fn what_undos_settled_is_what_the_last_of_them_says() {
    for seed in 200..=204 {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path(), seed);
        for _ in 0..400 {
            world.step();
        }
        for _ in 0..6 {
            world.undo();
        }
        let index = open(&folder.path().join("index.sqlite"), &world.store);
        index.follow().unwrap();
        let mut settled = 0;
        for (id, _) in world.ended.clone() {
            if world.erased.contains(&id) {
                continue;
            }
            let view = SessionView::load(&world.store, &id).unwrap();
            for (n, expected) in after_undos(&world, &view, &id) {
                let row = index.action(&id.action(n), &EVERYTHING).unwrap();
                let Some(row) = row.map(|detail| detail.action) else {
                    continue;
                };
                if let Some(expected) = expected {
                    assert_eq!(row.state, expected, "seed {seed}, {id}.{n}");
                    settled += 1;
                } else {
                    assert!(!["undone", "kept", "undo_conflict"].contains(&row.state.as_str()));
                }
            }
        }
        assert!(settled > 0, "seed {seed}");
    }
}

/// For each action of a session what the undos say of it: the last that settled it, and the worst in that one.
fn after_undos(world: &World, view: &SessionView, id: &SessionId) -> BTreeMap<u64, Option<&'static str>> {
    let mut found: BTreeMap<u64, Option<(SessionId, &'static str)>> = BTreeMap::new();
    for n in view.nodes.keys() {
        found.insert(view.action_of(*n), None);
    }
    for (undo, _) in world
        .undos
        .iter()
        .filter(|(undo, _)| !world.erased.contains(undo))
    {
        let record = SessionView::load(&world.store, undo).unwrap();
        let states = step_states(&record);
        for (step, (node, state)) in states {
            let of: rescind_model::ActionId = node;
            if of.session != *id || is_taken_back(world, undo, step) {
                continue;
            }
            let n = view.action_of(of.number);
            let rank = |state: &str| {
                ["undone", "kept", "undo_conflict"]
                    .iter()
                    .position(|own| *own == state)
            };
            let entry = found.entry(n).or_default();
            match entry {
                Some((last, worst)) if last == undo && rank(worst) >= rank(state) => {}
                _ => *entry = Some((undo.clone(), state)),
            }
        }
    }
    found
        .into_iter()
        .map(|(n, state)| (n, state.map(|(_, state)| state)))
        .collect()
}

fn step_states(view: &SessionView) -> BTreeMap<u64, (rescind_model::ActionId, &'static str)> {
    let mut took = BTreeMap::new();
    let mut states = BTreeMap::new();
    for record in &view.system {
        match record {
            SystemRecord::StepStarted {
                action, took: own, ..
            } => {
                took.insert(action.number, own[0].action.clone());
            }
            SystemRecord::StepEnded { action, end } => {
                let state = match end {
                    StepEnd::Ended(Restored::Done { .. } | Restored::Already) => "undone",
                    StepEnd::Ended(Restored::Kept { .. }) => "kept",
                    _ => "undo_conflict",
                };
                states.insert(action.number, (took[&action.number].clone(), state));
            }
            _ => {}
        }
    }
    states
}

/// Whether the last undo that settled a step of an undo took it back.
fn is_taken_back(world: &World, undo: &SessionId, step: u64) -> bool {
    let mut last = None;
    for (later, _) in world
        .undos
        .iter()
        .filter(|(later, _)| !world.erased.contains(later))
    {
        let record = SessionView::load(&world.store, later).unwrap();
        for (own, (of, state)) in step_states(&record) {
            if of.session == *undo && of.number == step && !is_taken_back(world, later, own) {
                last = Some(state);
            }
        }
    }
    last == Some("undone")
}

#[test]
fn paths_are_told_as_created_changed_deleted_or_moved() {
    use rescind_supervisor::journal::Record;
    let folder = tempfile::tempdir().unwrap();
    let store = common::store(folder.path());
    let id = common::session(1);
    let opening = common::opened(&id, "bot", "payments");
    let log = store.begin(&id, opening, rescind_model::Level::Process).unwrap();
    log.start(&common::node(1, 0, Role::Action, &["make"])).unwrap();
    log.start(&common::node(2, 1, Role::Process, &["cc"])).unwrap();
    let file = |object, content, mtime| common::file(object, content, mtime, 0o644);
    let chmod = |state: &State| match state {
        State::Present(fields) => State::Present(fields.clone().with("mode", Value::Int(0o755))),
        State::Absent => State::Absent,
    };
    let effects = [
        ("new", State::Absent, file(1, 1, 1)),
        ("old", file(2, 1, 1), file(2, 2, 2)),
        ("gone", file(3, 1, 1), State::Absent),
        ("mode", file(4, 1, 1), chmod(&file(4, 1, 1))),
        ("from", file(5, 1, 1), State::Absent),
        ("to", State::Absent, file(5, 1, 1)),
        ("temporary", State::Absent, file(6, 1, 1)),
        ("temporary", file(6, 1, 1), State::Absent),
        ("same", file(7, 1, 1), file(7, 1, 1)),
    ];
    for (place, (name, was, is)) in effects.iter().enumerate() {
        let s = place as u64 + 1;
        let n = 1 + s % 2;
        log.write(&[Record::Before(common::before(&id, s, n, name, was))])
            .unwrap();
        log.write(&[Record::After(common::after(s, is))]).unwrap();
    }
    log.end(&common::ended(1, ExitForm::Code(0))).unwrap();
    let index = open(&folder.path().join("index.sqlite"), &store);
    index.follow().unwrap();
    let detail = index.action(&id.action(2), &EVERYTHING).unwrap().unwrap();
    assert_eq!(detail.action.n, 1);
    let told: Vec<(&str, &str)> = detail
        .changes
        .iter()
        .map(|change| (change.path.as_str(), change.kind.as_str()))
        .collect();
    let expected = [
        ("/work/gone", "deleted"),
        ("/work/mode", "attributes"),
        ("/work/new", "created"),
        ("/work/old", "changed"),
        ("/work/to", "moved"),
    ];
    assert_eq!(told, expected);
    for (path, many) in [
        ("/work/old", 1),
        ("/work", 1),
        ("/", 1),
        ("/wor", 0),
        ("/work/old/x", 0),
    ] {
        let mut filter = ActionFilter::of(EVERYTHING);
        filter.path = Some(path.into());
        assert_eq!(all_actions(&index, &filter).len(), many, "{path}");
    }
}
