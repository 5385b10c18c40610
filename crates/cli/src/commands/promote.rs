//! `rescind promote`: make real what a session changed on its stage.
//!
//! The work is done in a session of its own, under supervision like any agent's: so it is captured before it happens, is
//! on record, and can be undone. This process compares, starts that session, and sees that it came to its end; what did
//! not is taken back.

use super::run::{self, OnEscape, Promotes, RunArgs};
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, bold, dim, green, say};
use crate::staging::{Chosen, Detail, Staged, conflicts, in_turn, json, print, settle};
use crate::text::{clean, count};
use clap::Args;
use rescind_files::stage::{Order, PromoteError, Stage, make_real};
use rescind_model::{SessionId, chain};
use rescind_supervisor::{Store, session_id};
use serde_json::json as value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Arguments of `rescind promote`.
#[derive(Debug, Clone, Args)]
pub struct PromoteArgs {
    /// The session, by its id or a part of it
    pub session: String,
    /// Only what is at or below these paths
    pub paths: Vec<PathBuf>,
    /// Only show what would be made real
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// Arguments of the session that promotes.
#[derive(Debug, Clone, Args)]
pub struct PromotionArgs {
    /// The session that is staged
    staged: String,
    /// The session's own id
    id: String,
    /// What is to be done
    order: PathBuf,
}

/// Arguments of the process that carries the changes over.
#[derive(Debug, Clone, Args)]
pub struct CarryOverArgs {
    /// What is to be done
    order: PathBuf,
}

/// Somebody else changed a path in the middle.
const DRIFTED: u8 = 3;
const FAILED: u8 = 1;

/// Compare, promote, see that it is so.
///
/// # Errors
/// The session is not found or has no stage; somebody else changed the same paths; or it can't be done, and nothing of
/// it is left.
pub fn run(context: &Context, args: &PromoteArgs) -> Done {
    let store = context.store_outside()?;
    let (found, _turn) = in_turn(&store, &args.session)?;
    let all = found.changes()?;
    let chosen = Chosen::of(&all, &args.paths)?;
    let id = &found.view.id;
    if args.dry_run {
        return preview(context, &chosen, id);
    }
    if let Some(failure) = conflicts(id, &chosen) {
        return Err(failure);
    }
    let order = Order::new(&all, &chosen.changes, chosen.whole);
    let promotion = if chosen.changes.is_empty() {
        None
    } else {
        Some(promote(&store, &found, &order)?)
    };
    let left = found.changes()?;
    let is_done = chosen.whole && left.changes.is_empty();
    if is_done {
        Stage::remove(&found.stage.root)?;
    }
    let mut out = Out::new();
    if context.json {
        let changes: Vec<_> = chosen
            .changes
            .iter()
            .map(|change| json(change, Detail::List))
            .collect();
        out.json(&value!({
            "session_id": id.to_string(),
            "promotion": promotion.as_ref().map(ToString::to_string),
            "changes": changes,
            "left": left.changes.len(),
            "stage_gone": is_done,
        }))?;
    } else {
        say_done(&mut out, &chosen, promotion.as_ref(), left.changes.len())?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn preview(context: &Context, chosen: &Chosen<'_>, id: &SessionId) -> Done {
    let mut out = Out::new();
    if context.json {
        for change in &chosen.changes {
            out.json(&json(change, Detail::List))?;
        }
    } else {
        print(&mut out, chosen, Detail::List)?;
    }
    out.end()?;
    match conflicts(id, chosen) {
        Some(failure) => Err(failure),
        None => Ok(Exit::Ok),
    }
}

fn say_done(out: &mut Out, chosen: &Chosen<'_>, promotion: Option<&SessionId>, left: usize) -> Done<()> {
    let Some(promotion) = promotion else {
        return out.line("nothing on the stage differs from the real tree; the stage is gone");
    };
    let paths = count(chosen.changes.len() as u64, "path is", "paths are");
    out.line(format!("{}: {paths} as on the stage", bold(&green("promoted"))))?;
    if left > 0 {
        let left = count(left as u64, "other path", "other paths");
        out.line(format!("{left} still only on the stage"))?;
    }
    out.line(dim(&format!("to take this back: rescind undo {promotion}")))
}

/// Have it done, or take back what was done of it.
fn promote(store: &Store, staged: &Staged, order: &Order) -> Done<SessionId> {
    let promotion = session_id();
    let path = staged.stage.root.join(format!("order-{promotion}.json"));
    order.write(&path)?;
    let done = Command::new(std::env::current_exe()?)
        .arg("promotion")
        .args([staged.view.id.to_string(), promotion.to_string()])
        .arg(&path)
        .stdin(Stdio::null())
        .output()?;
    let _goes_with_the_stage = std::fs::remove_file(&path);
    let code = done.status.code();
    if code == Some(0) {
        return Ok(promotion);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = clean(said.trim().lines().last().unwrap_or("it was ended"));
    settle(store, staged)?;
    Err(if code == Some(i32::from(DRIFTED)) {
        Failure::new(Code::StageConflicts, said).help("give the command again: it compares anew")
    } else {
        Failure::new(Code::PromoteFailed, said)
            .means("nothing of the promotion is left in the real tree, and the stage is as it was")
    })
}

/// The session that promotes: an ordinary one, but that a person's word is not judged again.
#[must_use]
pub fn supervise(args: &PromotionArgs) -> u8 {
    let (Ok(staged), Ok(id), Ok(own)) = (args.staged.parse(), args.id.parse(), std::env::current_exe())
    else {
        return FAILED;
    };
    let command = vec![own.into(), "carry-over".into(), args.order.clone().into()];
    let run = RunArgs {
        capture_limit: u64::MAX >> 20,
        escapes: OnEscape::Refuse,
        record_only: true,
        reason: Some(format!("promotion of session {}", args.staged)),
        quiet: true,
        promotes: Some(Promotes { staged, id }),
        ..RunArgs::of(command)
    };
    u8::try_from(run::run(&run)).unwrap_or(FAILED)
}

/// Carry the changes over; how it went.
#[must_use]
pub fn carry_over(args: &CarryOverArgs) -> u8 {
    if !rescind_sys::has_filter() {
        say("this is a part of `rescind promote`, and changes nothing that is not captured");
        return FAILED;
    }
    match carry(&args.order) {
        Ok(()) => 0,
        Err(error) => {
            say(chain(&*error));
            match error.downcast_ref::<PromoteError>() {
                Some(PromoteError::Drifted { .. }) => DRIFTED,
                _ => FAILED,
            }
        }
    }
}

fn carry(order: &Path) -> Result<(), Box<dyn std::error::Error>> {
    if !rustix::process::geteuid().is_root() {
        // An agent's user may have files that it can't read itself. Where this is refused, such files are, too.
        let _only_files_without_permissions_need_it = rescind_sys::enter_own_user();
    }
    Ok(make_real(&Order::read(order)?)?)
}
