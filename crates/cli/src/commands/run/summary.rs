//! What `rescind run` says when the agent has ended.

use rescind_files::gateway::Finished;
use rescind_model::SessionId;

/// What is said when the agent has ended: what changed, whether all of it can be undone, and the command for it.
pub fn last_lines(session: &SessionId, finished: &Finished, staged: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let gaps: u64 = finished.missing.iter().map(|(_, _, count)| count).sum();
    let undo = match (finished.changed, gaps) {
        (changed, _) if staged && changed > 0 => format!(
            "{} changed on the stage, nothing of it is real yet: rescind review {session}\n  \
             then rescind promote {session}, or rescind discard {session}",
            paths(changed)
        ),
        (0, 0) => "nothing changed".to_owned(),
        (changed, 0) => format!(
            "{} changed, all of it can be undone: rescind undo {session}",
            paths(changed)
        ),
        (changed, gaps) => format!(
            "{} changed; {gaps} of its doings can't be undone (below), the rest can: rescind undo {session}",
            paths(changed)
        ),
    };
    let _infallible = writeln!(text, "rescind: {undo}");
    let mut list = |label: &str, entries: &[(String, String, u64)]| {
        for (what, why, count) in entries.iter().take(SHOWN) {
            let times = if *count > 1 {
                format!(" ({count} times)")
            } else {
                String::new()
            };
            let _infallible = writeln!(text, "  {label}: {}: {}{times}", printable(what), printable(why));
        }
        if entries.len() > SHOWN {
            let _infallible = writeln!(text, "  {label}: {} more, see rescind log", entries.len() - SHOWN);
        }
    };
    list("not captured", &finished.missing);
    list("refused", &finished.refused);
    list("outside", &finished.escapes);
    if finished.background > 0 {
        let _infallible = writeln!(
            text,
            "  {} in the background, still under supervision: rescind kill {session}",
            if finished.background == 1 {
                "1 process goes on".to_owned()
            } else {
                format!("{} processes go on", finished.background)
            }
        );
    }
    text
}

const SHOWN: usize = 8;

fn paths(count: u64) -> String {
    if count == 1 {
        "1 path".to_owned()
    } else {
        format!("{count} paths")
    }
}

/// A text from an agent without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}
