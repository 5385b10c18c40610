//! Looking at what waits one by one, on a terminal.

use super::{ApproveArgs, changing, failure, lasting, outcome, place, rejection, settled, stale, view};
use crate::error::{Code, Done};
use crate::exit::Exit;
use crate::out::{Out, ask, ask_text, dim, say, yellow};
use crate::text::count;
use rescind_supervisor::Store;
use rescind_supervisor::holds::{Decision, DecisionForm, Hold, Holds, split};

/// Ask about what waits until nothing does, or the person has had enough.
///
/// # Errors
/// The holds or the terminal can't be read.
pub fn ask_all(store: &Store, holds: &Holds, named: Option<&Hold>) -> Done {
    if let Some(hold) = named {
        one(store, holds, &hold.form.action)?;
        return Ok(Exit::Ok);
    }
    let mut first = true;
    loop {
        let waiting = holds.waiting().map_err(failure)?;
        match waiting.as_slice() {
            [] => {
                say(dim(if first {
                    "nothing waits for a person"
                } else {
                    "nothing waits any more"
                }));
                return Ok(Exit::Ok);
            }
            [only] if first => {
                one(store, holds, &only.form.action)?;
                return Ok(Exit::Ok);
            }
            several => {
                list(several)?;
                let Some(action) = choose(several)? else {
                    return Ok(Exit::Ok);
                };
                one(store, holds, &action)?;
            }
        }
        first = false;
    }
}

fn list(waiting: &[Hold]) -> Done<()> {
    let mut out = Out::new();
    let number = waiting.len() as u64;
    out.line(yellow(&format!(
        "{} for a person",
        count(number, "action waits", "actions wait")
    )))?;
    for (at, hold) in waiting.iter().enumerate() {
        out.line("")?;
        view::brief(&mut out, hold, Some(at + 1))?;
    }
    out.line("")?;
    out.end()
}

/// Which to look at; `None`: none of them.
fn choose(waiting: &[Hold]) -> Done<Option<String>> {
    loop {
        let question = format!("which one? [1-{}], enter: the first, [q]uit:", waiting.len());
        let Some(answer) = ask(&question)? else {
            return Ok(None);
        };
        let chosen = match answer.as_str() {
            "q" | "quit" => return Ok(None),
            "" => waiting.first(),
            number => number
                .parse::<usize>()
                .ok()
                .and_then(|number| waiting.get(number.checked_sub(1)?)),
        };
        if let Some(hold) = chosen {
            return Ok(Some(hold.form.action.clone()));
        }
    }
}

/// Show one and ask; again, where what it names has moved meanwhile.
fn one(store: &Store, holds: &Holds, action: &str) -> Done<()> {
    loop {
        let read = holds.read(action)?;
        let Some(hold) = read.filter(|_| holds.closed(action).is_none()) else {
            say(dim("it is over: somebody decided, or its time was up"));
            return Ok(());
        };
        let mut out = Out::new();
        view::show(&mut out, &hold, stale(&hold))?;
        out.line("")?;
        out.end()?;
        let Some(said) = question(store, &hold)? else {
            say(dim("left waiting"));
            return Ok(());
        };
        match place(holds, &hold, &said) {
            Ok(missing) => match settled(holds, &hold, &said, missing) {
                Ok(how) => {
                    say(outcome(&hold, &said, missing, how));
                    return Ok(());
                }
                Err(failure) => failure.report(false),
            },
            Err(failure) if failure.is(Code::HoldChanged) => failure.report(false),
            // Somebody else decided meanwhile, or it is over: the others still wait.
            Err(failure) => {
                failure.report(false);
                return Ok(());
            }
        }
    }
}

const HELP: &str = "  a  approve: it runs, this once
  s  approve for this session: the very same runs again unasked
  w  always: the very same of this agent runs again unasked, until a time
  c  change: it does not run, another command may instead, once
  r  reject: it does not run, and the agent reads why
  l  later: it goes on waiting";

fn question(store: &Store, hold: &Hold) -> Done<Option<DecisionForm>> {
    loop {
        let keys = if hold.form.learnable {
            "a/s/w/c/r/l"
        } else {
            "a/c/r/l"
        };
        let answer = ask(&format!("[a]pprove, [r]eject, [l]ater ({keys}, ? explains):"))?;
        let said = match answer.as_deref() {
            Some("a" | "approve") => approval(hold, &ApproveArgs::default()),
            Some("s" | "session") => approval(
                hold,
                &ApproveArgs {
                    for_session: true,
                    ..ApproveArgs::default()
                },
            ),
            Some("w" | "always") => always(hold),
            Some("c" | "change") => change(store, hold),
            Some("r" | "reject") => {
                let message = ask_text("what should the agent read? (empty: nothing)")?;
                Ok(Some(rejection(hold, message.filter(|text| !text.is_empty()))))
            }
            Some("l" | "later" | "q" | "quit") | None => return Ok(None),
            // An empty line is no decision, and no reason to go away either.
            Some(_) => {
                say(HELP);
                continue;
            }
        };
        match said {
            Ok(Some(said)) => return Ok(Some(said)),
            Ok(None) => {}
            Err(failure) => failure.report(false),
        }
    }
}

fn approval(hold: &Hold, args: &ApproveArgs) -> Done<Option<DecisionForm>> {
    Ok(Some(DecisionForm {
        decision: Decision::Approve,
        always: lasting::always(args, hold)?,
        ..rejection(hold, None)
    }))
}

fn always(hold: &Hold) -> Done<Option<DecisionForm>> {
    let text = |question: &str| -> Done<Option<String>> {
        Ok(ask_text(question)?.filter(|answer| !answer.is_empty()))
    };
    let until = text("until when? (2h, 7d, a time; empty: 8h)")?;
    let pattern = text("with a * for words that may be others? (empty: none)")?;
    let args = ApproveArgs {
        always: true,
        until,
        pattern,
        ..ApproveArgs::default()
    };
    approval(hold, &args)
}

fn change(store: &Store, hold: &Hold) -> Done<Option<DecisionForm>> {
    let Some(text) = ask_text("which command instead? (empty: none)")? else {
        return Ok(None);
    };
    let Some(words) = split(&text).filter(|words| !words.is_empty()) else {
        return Ok(None);
    };
    changing::check(store, hold, &words)?;
    Ok(Some(DecisionForm {
        decision: Decision::Approve,
        change: Some(words),
        ..rejection(hold, None)
    }))
}
