//! `rescind prune`: give up old sessions, and keep to the cap on disk space.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, ask, can_ask, red, say};
use crate::text::{bytes, clean, count, parse_duration};
use clap::Args;
use rescind_model::{SessionId, Timestamp, chain};
use rescind_supervisor::entry::EntryKind;
use rescind_supervisor::holds::{Holds, KEPT_AFTER};
use rescind_supervisor::{Store, now, opened};
use rescind_vault::{Cap, Policy, PruneStep, PruneWhat, PruneWhy, Pruned, Usage};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Arguments of `rescind prune`.
#[derive(Debug, Clone, Args)]
pub struct PruneArgs {
    /// Give up sessions that began longer ago than this: 90s, 15m, 12h, 30d, 8w
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub older_than: Option<u64>,
    /// How much of the disk the vault may take, in percent; what a build can make again goes first, then the oldest
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub cap: u8,
    /// Only show what would go
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Go without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// Prune.
///
/// # Errors
/// The store can't be read or written, or `--yes` is missing.
pub fn run(context: &Context, args: &PruneArgs) -> Done {
    let store = if args.dry_run {
        context.store()?
    } else {
        context.store_outside()?
    };
    let older_than = args.older_than.map(|seconds| {
        let span = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000_000);
        Timestamp(now().0.saturating_sub(span))
    });
    let policy = Policy {
        older_than,
        cap: Cap::Percent(args.cap),
        open: in_use(&store)?,
    };
    let plan = planned(&store, &policy)?;
    if args.dry_run || !args.yes || plan.is_empty() {
        show(context, &plan)?;
    }
    if args.dry_run || plan.is_empty() {
        return Ok(Exit::Ok);
    }
    if !args.yes {
        if !can_ask() {
            return Err(Failure::new(Code::NeedsYes, "there is no terminal to ask on")
                .help("look at the list above and give the command with --yes; what is erased can't be undone any more"));
        }
        let answer = ask("erase this? what is erased can't be undone any more [y/N]")?;
        if !matches!(answer.as_deref(), Some("y" | "yes")) {
            say("nothing was changed");
            return Ok(Exit::Failed);
        }
    }
    sweep(&store);
    let pruned = carry_out(&store, &plan)?;
    let failed = pruned.iter().filter(|own| own.freed.is_err()).count();
    let mut out = Out::new();
    for own in &pruned {
        if context.json {
            out.json(&pruned_json(own))?;
        } else {
            out.line(pruned_line(own))?;
        }
    }
    out.end()?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
}

/// Keep the vault to its cap, without asking; what was given up, for one line at the end of a run. Open sessions are
/// never touched.
///
/// # Errors
/// The store can't be read or written.
pub fn enforce_cap(store: &Store) -> Done<Option<String>> {
    sweep(store);
    let policy = Policy {
        older_than: None,
        cap: Cap::default(),
        open: in_use(store)?,
    };
    let plan = planned(store, &policy)?;
    if plan.is_empty() {
        return Ok(None);
    }
    let pruned = carry_out(store, &plan)?;
    let freed: u64 = pruned.iter().filter_map(|own| own.freed.as_ref().ok()).sum();
    let whole = pruned
        .iter()
        .filter(|own| own.step.what == PruneWhat::Everything)
        .count() as u64;
    Ok(Some(format!(
        "the vault was over its cap: {} given back, {} can't be undone any more",
        bytes(freed),
        count(whole, "session", "sessions")
    )))
}

/// Holds that are over for a day have nothing to say that the record has not. What can't be removed now is later.
fn sweep(store: &Store) {
    let before = now()
        .0
        .saturating_sub(i64::try_from(KEPT_AFTER.as_nanos()).unwrap_or(i64::MAX));
    let _later = Holds::at(store.home().holds()).sweep(Timestamp(before));
}

/// Sessions that nothing is taken from: those that have not ended or are on their stage, and what an undo that has not
/// ended takes back.
fn in_use(store: &Store) -> Done<BTreeSet<SessionId>> {
    let mut open = rescind_supervisor::unended(store)?;
    let undone: Vec<SessionId> = open
        .iter()
        .filter_map(|id| opened(store, id).ok())
        .flat_map(|begun| {
            begun
                .taken_back()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    open.extend(undone);
    // Their journals say what a stage is compared with.
    open.extend(crate::staging::waiting(store)?);
    Ok(open)
}

/// What the policy gives up, but nothing of a session that began while it was worked out, or is about to.
fn planned(store: &Store, policy: &Policy) -> Done<Vec<PruneStep>> {
    let mut plan = store.vault().prune_plan(policy)?;
    let open = in_use(store)?;
    let known: BTreeSet<SessionId> = store.sessions()?.into_iter().collect();
    plan.retain(|step| known.contains(&step.session) && !open.contains(&step.session));
    Ok(plan)
}

/// Where a disk is nearly full: give up what an undo that met nobody else's work keeps of the states it took away, such as
/// the files that filled the disk. What was given up, in a line.
///
/// # Errors
/// The store can't be read or written.
pub fn give_back(store: &Store, undo: &SessionId) -> Done<Option<String>> {
    if !store.vault().is_short_of_room()? {
        return Ok(None);
    }
    let usage = store.vault().usage()?;
    let held = usage.iter().find(|usage| usage.session == *undo);
    let Some(bytes_held) = held.map(Usage::recreatable).filter(|bytes| *bytes > 0) else {
        return Ok(None);
    };
    let step = PruneStep {
        session: undo.clone(),
        what: PruneWhat::Recreatable,
        why: PruneWhy::DiskFull,
        bytes: bytes_held,
    };
    let pruned = carry_out(store, &[step])?;
    let freed: u64 = pruned.iter().filter_map(|own| own.freed.as_ref().ok()).sum();
    Ok(Some(format!(
        "the disk is nearly full: {} given back, so that undo {undo} can't be undone itself",
        bytes(freed)
    )))
}

/// Say in the ledger what goes, then let it go: were it the other way round, a crash between would leave a session gone
/// without a word.
fn carry_out(store: &Store, plan: &[PruneStep]) -> Done<Vec<Pruned>> {
    for step in plan {
        let (kind, what) = match step.what {
            PruneWhat::Everything => (EntryKind::VaultErased, "everything"),
            PruneWhat::Recreatable => (EntryKind::VaultPruned, "what can be made again"),
        };
        store.note(
            kind,
            &step.session,
            format!("{what}, {} bytes: {}", step.bytes, why(step.why)),
        )?;
    }
    match store.ledger().checkpoint() {
        // What follows makes the room for the next one.
        Err(error) if error.is_disk_full() => {}
        signed => drop(signed?),
    }
    Ok(store.vault().prune(plan))
}

fn why(why: PruneWhy) -> &'static str {
    match why {
        PruneWhy::Old => "older than asked",
        PruneWhy::OverCap => "the vault is over its cap",
        PruneWhy::DiskFull => "the disk is nearly full",
    }
}

fn what(what: PruneWhat) -> &'static str {
    match what {
        PruneWhat::Everything => "all of it",
        PruneWhat::Recreatable => "what can be made again",
    }
}

fn show(context: &Context, plan: &[PruneStep]) -> Done<()> {
    let mut out = Out::new();
    if context.json {
        plan.iter().try_for_each(|step| out.json(&step_json(step)))?;
    } else if plan.is_empty() {
        out.line("nothing to prune")?;
    } else {
        let row = |step: &PruneStep| {
            vec![
                step.session.to_string(),
                what(step.what).into(),
                bytes(step.bytes),
                why(step.why).into(),
            ]
        };
        let rows: Vec<Vec<String>> = plan.iter().map(row).collect();
        out.table(&["SESSION", "GIVES UP", "BYTES", "WHY"], &rows)?;
    }
    out.end()
}

fn step_json(step: &PruneStep) -> Value {
    json!({
        "session_id": step.session.to_string(),
        "what": match step.what {
            PruneWhat::Everything => "everything",
            PruneWhat::Recreatable => "recreatable",
        },
        "why": why(step.why),
        "bytes": step.bytes,
    })
}

fn pruned_json(own: &Pruned) -> Value {
    let mut value = step_json(&own.step);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("freed".to_owned(), json!(own.freed.as_ref().ok()));
        fields.insert(
            "error".to_owned(),
            json!(own.freed.as_ref().err().map(|error| chain(error))),
        );
    }
    value
}

fn pruned_line(own: &Pruned) -> String {
    match &own.freed {
        Ok(freed) => format!("{}  {} given back", own.step.session, bytes(*freed)),
        Err(error) => format!("{}  {}", own.step.session, red(&clean(&chain(error)))),
    }
}
