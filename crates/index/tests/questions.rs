//! What is asked is answered as a look at every row would answer it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::{Dice, World};
use rescind_index::{
    ActionFilter, ActionRow, DomainSet, Events, Index, Order, Page, SessionFilter, SessionRow,
};
use rescind_model::Level;
use rescind_model::domain::covers;
use std::sync::Arc;

const EVERYTHING: DomainSet = DomainSet::Everything;

fn index(folder: &tempfile::TempDir, seed: u64, steps: usize) -> (World, Index) {
    let mut world = World::new(folder.path(), seed);
    for _ in 0..steps {
        world.step();
    }
    let index = Index::open(&folder.path().join("index.sqlite"), Arc::clone(&world.store)).unwrap();
    index.follow().unwrap();
    (world, index)
}

fn actions(index: &Index, filter: &ActionFilter, order: Order, limit: usize) -> Vec<ActionRow> {
    let mut page = Page {
        order,
        limit,
        cursor: None,
    };
    let mut all = Vec::new();
    loop {
        let paged = index.actions(filter, &page).unwrap();
        assert!(paged.rows.len() <= limit);
        all.extend(paged.rows);
        page.cursor = paged.next;
        if page.cursor.is_none() {
            return all;
        }
    }
}

fn sessions(index: &Index, filter: &SessionFilter) -> Vec<SessionRow> {
    index.sessions(filter, &Page::first(500)).unwrap().rows
}

/// Whether a row fits, by its own words.
fn fits(filter: &ActionFilter, row: &ActionRow, paths: &[String]) -> bool {
    let is = |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|asked| asked == own);
    let text = format!(
        "{} {} {} {} {} {} {} {}",
        row.command,
        row.program,
        row.kind,
        row.agent,
        row.owner,
        row.domain,
        row.reasons.join(" "),
        row.gaps
            .iter()
            .map(|gap| format!("{} {}", gap.what, gap.why))
            .collect::<Vec<_>>()
            .join(" ")
    )
    .to_lowercase();
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    filter.domains.covers(&row.domain)
        && filter
            .domain
            .as_ref()
            .is_none_or(|asked| covers(asked, &row.domain))
        && is(&filter.session, &row.session)
        && is(&filter.agent, &row.agent)
        && is(&filter.owner, &row.owner)
        && is(&filter.environment, &row.environment)
        && is(&filter.role, &row.role)
        && is(&filter.class, &row.class)
        && is(&filter.verdict, &row.verdict)
        && is(&filter.state, &row.state)
        && is(&filter.coverage, &row.coverage)
        && is(&filter.surface, &row.surface)
        && filter
            .since
            .as_ref()
            .is_none_or(|since| row.time[..23] >= since[..23])
        && filter
            .until
            .as_ref()
            .is_none_or(|until| row.time[..23] < until[..23])
        && filter
            .min_score
            .is_none_or(|least| row.score.is_some_and(|score| score >= least))
        && (!filter.failures || ["failed", "killed", "in_doubt"].contains(&row.state.as_str()))
        && filter.text.iter().flat_map(|text| text.split(' ')).all(|asked| {
            words
                .iter()
                .any(|word| word.starts_with(asked) && (asked.len() > 2 || *word == asked))
        })
        && filter.path.as_ref().is_none_or(|asked| {
            paths
                .iter()
                .any(|path| path == asked || path.starts_with(&format!("{asked}/")))
        })
}

fn some(dice: &mut Dice, percent: u64, among: &[&str]) -> Option<String> {
    dice.chance(percent).then(|| (*dice.pick(among)).to_owned())
}

fn filter(dice: &mut Dice, rows: &[ActionRow]) -> ActionFilter {
    let domains = match dice.below(5) {
        0 => DomainSet::under("payments"),
        1 => DomainSet::Under(vec!["payments/prod".into(), "shop".into()]),
        _ => EVERYTHING,
    };
    let row = dice.pick(rows).clone();
    ActionFilter {
        domains,
        session: dice.chance(15).then(|| row.session.clone()),
        agent: some(dice, 15, &["claude-code", "codex", "bot", "rescind", "nobody"]),
        owner: some(dice, 10, &["ann", "nobody"]),
        domain: some(dice, 15, &["payments", "payments/prod", "shop", "none"]),
        environment: some(dice, 10, &["staging", "production"]),
        role: some(dice, 10, &["action", "direct", "agent", "system"]),
        class: some(dice, 15, &["irreversible", "reversible_with_state", "unknown"]),
        verdict: some(dice, 15, &["allow", "hold", "deny"]),
        state: some(
            dice,
            15,
            &["done", "failed", "undone", "held", "denied", "started"],
        ),
        coverage: some(dice, 15, &["captured", "partial", "not_captured"]),
        surface: some(dice, 10, &["files", "shell"]),
        since: dice.chance(10).then(|| row.time.clone()),
        until: dice.chance(10).then(|| dice.pick(rows).time.clone()),
        text: some(
            dice,
            15,
            &[
                "tool",
                "arg1",
                "irrev tool",
                "codex words",
                "to",
                "payments",
                "docker",
                "zzz",
            ],
        ),
        path: some(
            dice,
            15,
            &["/work/sub0", "/work/sub1/f3", "/work", "/work/sub", "/"],
        ),
        min_score: dice.chance(15).then(|| u8::try_from(dice.below(101)).unwrap()),
        failures: dice.chance(10),
    }
}

#[test]
fn every_filter_finds_what_a_look_at_every_row_finds_in_both_orders() {
    for seed in 50..54 {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, index) = index(&folder, seed, 600);
        let all = actions(&index, &ActionFilter::of(EVERYTHING), Order::Newest, 500);
        let paths: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                let id = row.action.parse().unwrap();
                let detail = index.action(&id, &EVERYTHING).unwrap().unwrap();
                detail.changes.into_iter().map(|change| change.path).collect()
            })
            .collect();
        let mut found = 0;
        for _ in 0..150 {
            let asked = filter(&mut world.dice, &all);
            // A path below everything is every path.
            let looked = match asked.path.as_deref() {
                Some("/") => ActionFilter {
                    path: Some(String::new()),
                    ..asked.clone()
                },
                _ => asked.clone(),
            };
            let rows = all
                .iter()
                .zip(&paths)
                .filter(|(row, paths)| fits(&looked, row, paths));
            let mut expected: Vec<ActionRow> = rows.map(|(row, _)| row.clone()).collect();
            found += usize::from(!expected.is_empty());
            assert_eq!(
                actions(&index, &asked, Order::Newest, 7),
                expected,
                "seed {seed}, {asked:?}"
            );
            expected.reverse();
            assert_eq!(
                actions(&index, &asked, Order::Oldest, 11),
                expected,
                "seed {seed}, {asked:?}"
            );
        }
        assert!(found > 30, "seed {seed}: {found}");
    }
}

#[test]
fn who_may_see_one_domain_sees_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let (_world, index) = index(&folder, 77, 500);
    let all = sessions(&index, &SessionFilter::of(EVERYTHING));
    let sets = [
        DomainSet::under("payments"),
        DomainSet::under("shop"),
        DomainSet::under("pay"),
        DomainSet::Under(Vec::new()),
    ];
    for may in sets {
        let seen = sessions(&index, &SessionFilter::of(may.clone()));
        let expected: Vec<&SessionRow> = all.iter().filter(|row| may.covers(&row.domain)).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
        for row in &all {
            let covered = may.covers(&row.domain);
            assert_eq!(index.session(&row.session, &may).unwrap().is_some(), covered);
            assert_eq!(index.timeline(&row.session, 10, &may).unwrap().is_some(), covered);
            for undo in index.undos(&row.session, &may).unwrap() {
                let own = index.session(&undo.undo, &EVERYTHING).unwrap().unwrap();
                assert!(may.covers(&own.domain));
            }
        }
        for row in actions(&index, &ActionFilter::of(EVERYTHING), Order::Newest, 500) {
            let seen = index.action(&row.action.parse().unwrap(), &may).unwrap();
            assert_eq!(seen.is_some(), may.covers(&row.domain));
        }
        let summary = index.summary(&may).unwrap();
        let own = actions(&index, &ActionFilter::of(may.clone()), Order::Newest, 500);
        assert_eq!(summary.last_hour.values().sum::<u64>(), own.len() as u64);
        let waiting = own.iter().filter(|row| row.state == "held").count() as u64;
        assert_eq!(summary.waiting, waiting);
        let running = expected.iter().filter(|row| row.state == "running").count() as u64;
        assert_eq!(summary.running, running);
        let denied = own.iter().filter(|row| row.verdict == "deny").count() as u64;
        assert_eq!(summary.denials, denied);
    }
}

#[test]
fn a_timeline_counts_every_action_once_however_few_marks_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (_world, index) = index(&folder, 78, 700);
    for row in sessions(&index, &SessionFilter::of(EVERYTHING)) {
        let mut filter = ActionFilter::of(EVERYTHING);
        filter.session = Some(row.session.clone());
        let own = actions(&index, &filter, Order::Oldest, 500);
        for most in [1, 3, 10, 10_000] {
            let timeline = index.timeline(&row.session, most, &EVERYTHING).unwrap().unwrap();
            let sum = |of: fn(&rescind_index::Mark) -> u64| timeline.marks.iter().map(of).sum::<u64>();
            assert_eq!(sum(|mark| mark.actions), own.len() as u64);
            assert_eq!(
                sum(|mark| mark.effects),
                own.iter().map(|row| row.effects).sum::<u64>()
            );
            let held = own.iter().filter(|row| row.verdict == "hold").count() as u64;
            assert_eq!(sum(|mark| mark.holds), held);
            let denied = own.iter().filter(|row| row.verdict == "deny").count() as u64;
            assert_eq!(sum(|mark| mark.denials), denied);
            // One mark for each surface at least, where surfaces are more than marks.
            assert!(
                timeline.marks.len() <= most.max(3),
                "{} of {most}",
                timeline.marks.len()
            );
            assert!(timeline.marks.is_sorted_by_key(|mark| mark.at));
        }
    }
}

#[test]
fn what_a_later_version_wrote_is_told_and_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (mut world, index) = index(&folder, 79, 20);
    let entry = br#"{"v":1,"kind":"dream.had","time":"2026-11-21T18:00:00Z","session":"","note":"of sheep"}"#;
    let seq = world.store.ledger().append(entry, Level::Process).unwrap();
    world.begin();
    let head = world.store.ledger().len().unwrap();
    assert_eq!(index.follow().unwrap(), head);
    let newest = sessions(&index, &SessionFilter::of(EVERYTHING));
    assert_eq!(newest[0].first_seq, seq + 1);
    let mut events = Events::from(&world.store, seq).unwrap();
    let event = events.next().unwrap().unwrap();
    assert_eq!((event.seq, event.kind.as_str()), (seq, "dream.had"));
    assert_eq!(event.body, Some("of sheep".into()));
    assert_eq!(events.next().unwrap().unwrap().kind, "session.started");
}
