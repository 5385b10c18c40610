//! A hold as a person reads it: what would run first, then why it waits, what it touches, what undo would look like.
//! Everything an agent wrote is cleaned and wrapped to the terminal.

use crate::error::Done;
use crate::out::{Out, bold, dim, green, red, yellow};
use crate::text::{ago, bytes, clean, count, seconds};
use rescind_model::command_line;
use rescind_supervisor::holds::{Decision, Hold, PathForm, PreviewForm, TierForm};
use rescind_supervisor::now;
use serde_json::{Value, json};

/// Where there is no terminal, lines are not wrapped.
const UNBOUNDED: usize = 10_000;
/// Wider lines are no pleasure to read.
const WIDEST: usize = 110;
const NARROWEST: usize = 30;
/// The names on the left.
const NAMES: usize = 10;

/// How many columns there are.
#[must_use]
pub fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).clamp(NARROWEST, WIDEST),
        _ => UNBOUNDED,
    }
}

/// Lines of at most so many columns. Words that are longer are cut over several lines.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(std::mem::take(&mut line));
        } else if used > 0 {
            line.push(' ');
        }
        while line.chars().count() + rest.len() > width {
            let room = width.saturating_sub(line.chars().count()).min(rest.len());
            line.extend(rest.drain(..room));
            lines.push(std::mem::take(&mut line));
        }
        line.extend(rest);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Two or three lines for a list. `number`: its place in it.
///
/// # Errors
/// They can't be written.
pub fn brief(out: &mut Out, hold: &Hold, number: Option<usize>) -> Done<()> {
    let (form, width) = (&hold.form, width());
    let number = number.map_or(String::new(), |number| format!("{number:>3}  "));
    let command = clean(&command_line(&form.argv));
    for (at, line) in short(&wrap(&command, width - 6), 3).iter().enumerate() {
        let margin = if at == 0 {
            number.clone()
        } else {
            " ".repeat(number.len())
        };
        out.line(format!("{margin}{}", bold(line)))?;
    }
    let why = form.judged.reasons.first().map_or("", String::as_str);
    let text = format!(
        "{}: {}, risk {}, {why}",
        form.agent, form.judged.class, form.judged.score
    );
    for line in short(&wrap(&clean(&text), width.saturating_sub(6)), 2) {
        out.line(format!("     {line}"))?;
    }
    for line in wrap(
        &format!("{} {}", form.action, waits(hold)),
        width.saturating_sub(6),
    ) {
        out.line(dim(&format!("     {line}")))?;
    }
    Ok(())
}

/// The first lines; what follows is told.
fn short(lines: &[String], most: usize) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().take(most).cloned().collect();
    if lines.len() > most
        && let Some(last) = shown.last_mut()
    {
        last.push_str(" ...");
    }
    shown
}

struct Page<'o> {
    out: &'o mut Out,
    width: usize,
}

impl Page<'_> {
    /// A name on the left, and text in as many lines as it takes.
    fn field(&mut self, name: &str, text: &str) -> Done<()> {
        if text.is_empty() {
            return Ok(());
        }
        let room = self.width.saturating_sub(NAMES + 3);
        for (at, line) in wrap(&clean(text), room).iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.out
                .line(format!("  {} {line}", dim(&format!("{name:<NAMES$}"))))?;
        }
        Ok(())
    }

    fn fields<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) -> Done<()> {
        for (at, text) in texts.into_iter().enumerate() {
            self.field(if at == 0 { name } else { "" }, text)?;
        }
        Ok(())
    }

    fn space(&mut self) -> Done<()> {
        self.out.line("")
    }
}

/// Everything about a hold. `stale`: what it names is not what it was any more.
///
/// # Errors
/// It can't be written.
pub fn show(out: &mut Out, hold: &Hold, stale: bool) -> Done<()> {
    let (form, judged) = (&hold.form, &hold.form.judged);
    let score = match judged.score {
        score @ 70.. => red(&format!("risk {score} of 100")),
        score @ 40.. => yellow(&format!("risk {score} of 100")),
        score => green(&format!("risk {score} of 100")),
    };
    out.line(format!("{}  {}  {score}", yellow("held"), bold(&form.action)))?;
    let mut page = Page { width: width(), out };
    for line in wrap(&clean(&command_line(&form.argv)), page.width.saturating_sub(2)) {
        page.out.line(format!("  {}", bold(&line)))?;
    }
    page.space()?;
    page.fields("why", judged.reasons.iter().map(String::as_str))?;
    let said = form
        .reasoning
        .as_ref()
        .map(|said| format!("\"{said}\" (the agent's own word)"));
    page.field("it says", said.as_deref().unwrap_or_default())?;
    page.field("agent", &format!("{}, started by {}", form.agent, form.requester))?;
    page.field("in", &form.cwd)?;
    if let Some(found) = &form.preview {
        touches(&mut page, found)?;
    }
    if stale {
        page.field(
            "",
            &yellow_text("it has changed since: an approval makes it be shown again"),
        )?;
    } else if form.moved > 0 {
        page.field(
            "",
            "it had changed when it was approved before, and is shown again",
        )?;
    }
    page.space()?;
    page.field("undo", &format!("{}: {}", judged.class, judged.recovery))?;
    page.field("undone by", judged.compensation.as_deref().unwrap_or_default())?;
    page.fields("no capture", judged.uncovered.iter().map(String::as_str))?;
    page.field("instead", judged.advice.as_deref().unwrap_or_default())?;
    let factors = judged.factors.iter().filter(|factor| factor.points > 0);
    let factors: Vec<String> = factors
        .map(|factor| format!("{:>3} {}: {}", factor.points, factor.name, factor.why))
        .collect();
    page.fields("risk", factors.iter().map(String::as_str))?;
    page.space()?;
    page.field("groups", &judged.groups.join(", "))?;
    page.field("it", &waits(hold))?;
    page.field("bound to", &form.digest)
}

/// Marked in words, as it goes through the cleaning of texts.
fn yellow_text(text: &str) -> String {
    format!("! {text}")
}

fn touches(page: &mut Page<'_>, found: &PreviewForm) -> Done<()> {
    for (at, path) in found.paths.iter().enumerate() {
        let name = if at == 0 { "touches" } else { "" };
        page.field(name, &format!("{}  {}", path.path, looks(path)))?;
    }
    if found.left_out > 0 {
        page.field(
            "",
            &format!("and {} more", count(found.left_out, "path", "paths")),
        )?;
    }
    Ok(())
}

/// What a path is now, in words.
fn looks(path: &PathForm) -> String {
    let mut words = vec![path.kind.clone()];
    if path.kind == "folder" {
        let over = if path.more { "over " } else { "" };
        words.push(format!("{over}{}", count(path.files, "file", "files")));
    }
    if path.bytes > 0 {
        words.push(bytes(path.bytes));
    }
    words.extend(path.target.as_ref().map(|target| format!("to {target}")));
    match (path.tracked, path.kind.as_str()) {
        (Some(0), "file" | "folder" | "link") => words.push("not in git".to_owned()),
        (Some(tracked), "folder") => words.push(format!("{tracked} in git")),
        (Some(_), "file" | "link") if path.changed => {
            words.push("in git, changed since it was added".to_owned())
        }
        (Some(_), "file" | "link") => words.push("in git".to_owned()),
        _ => {}
    }
    if path.unread > 0 {
        words.push(format!(
            "{} can't be read",
            count(path.unread, "folder", "folders")
        ));
    }
    words.extend(
        path.modified
            .as_ref()
            .map(|time| format!("changed {}", ago(time, now()))),
    );
    match &path.gap {
        Some(gap) => words.push(format!("NOT captured: {gap}")),
        None if !matches!(path.kind.as_str(), "absent" | "unreadable") => {
            words.push("captured as it changes".to_owned())
        }
        None => {}
    }
    words.join(", ")
}

/// Since when it waits, for whom, and what happens when nobody says anything.
#[must_use]
pub fn waits(hold: &Hold) -> String {
    let form = &hold.form;
    let needed = form.judged.persons.max(1);
    let valid = |said: &&rescind_supervisor::holds::DecisionForm| {
        said.digest == form.digest && said.decision == Decision::Approve
    };
    let given: Vec<&str> = hold
        .decisions
        .iter()
        .filter(valid)
        .map(|said| said.person.as_str())
        .collect();
    let by = if given.is_empty() {
        String::new()
    } else {
        format!(" ({} by {})", given.len(), given.join(", "))
    };
    let tier = match tier(hold) {
        Some((asked, None)) => format!(" of {asked}"),
        Some((asked, Some((next, until)))) => {
            format!(" of {asked}, goes on to {next} in {}", seconds(left_until(until)))
        }
        None => String::new(),
    };
    clean(&format!(
        "waits since {}, is denied in {}, needs {}{by}{tier}",
        ago(&form.since, now()),
        seconds(left_until(&form.expires)),
        count(u64::from(needed), "person", "persons"),
    ))
}

/// The tier that is asked now, and the next one with when it is.
fn tier(hold: &Hold) -> Option<(&TierForm, Option<(&TierForm, &str)>)> {
    let tiers = &hold.form.tiers;
    let at = hold.form.tier_at(now())?;
    let asked = tiers.get(at)?;
    Some((asked, tiers.get(at + 1).map(|next| (next, asked.until.as_str()))))
}

/// Seconds from now until a time.
fn left_until(time: &str) -> f64 {
    let left = time.parse::<rescind_model::Timestamp>().map_or(0, |time| {
        time.milliseconds().saturating_sub(now().milliseconds()).max(0)
    });
    std::time::Duration::from_millis(left.unsigned_abs()).as_secs_f64()
}

/// The same for programs.
#[must_use]
pub fn json(hold: &Hold) -> Value {
    let form = &hold.form;
    json!({
        "action_id": form.action,
        "agent": form.agent,
        "requester": form.requester,
        "command": command_line(&form.argv),
        "argv": form.argv,
        "working_directory": form.cwd,
        "since": form.since,
        "expires": form.expires,
        "judged": form.judged,
        "reasoning": form.reasoning,
        "preview": form.preview,
        "moved": form.moved,
        "digest": form.digest,
        "learnable": form.learnable,
        "tiers": form.tiers,
        "tier": tier(hold).map(|(asked, _)| &asked.name),
        "escalates": tier(hold).and_then(|(_, next)| next.map(|(next, at)| json!({"to": next.name, "at": at}))),
        "decisions": hold.decisions,
    })
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_as_wide_as_they_may_be_and_lose_nothing() {
        let text = "kubectl delete namespace a-very-long-name-that-does-not-fit-anywhere --now  x";
        for width in [8, 12, 30, 200] {
            let lines = wrap(text, width);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{lines:?}"
            );
            let joined: String = lines.concat();
            assert_eq!(joined.replace(' ', ""), text.replace(' ', ""), "{width}");
        }
        assert_eq!(wrap("a b", 80), ["a b"]);
        assert_eq!(wrap("", 80), [""]);
    }
}
