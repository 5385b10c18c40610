//! What can be said to a hold: yes or no at once; another command instead, or a lasting rule, a step further.

use super::command;
use crate::api::holds::{Always, Decide, Wanted};
use crate::console::Looking;
use crate::console::layout::csrf;
use crate::problem::Problem;
use maud::{Markup, html};
use rescind_supervisor::holds::{HoldForm, split};
use serde::Deserialize;

/// The longest command of a form, in characters.
const LONGEST: usize = 4_000;
/// How long a rule may stand, as forms and people say it.
const LASTING: [(&str, &str); 5] = [
    ("session", "in this session only"),
    ("8h", "for 8 hours"),
    ("1d", "for a day"),
    ("7d", "for a week"),
    ("30d", "for 30 days"),
];
/// What is marked where a secret stood.
const REDACTED: &str = "[redacted:";

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// It runs, this once.
    Approve,
    /// It does not.
    Reject,
    /// Something else may, once.
    Change,
    /// It runs, and the same again unasked.
    Always,
}

/// A decision of the page.
#[derive(Debug, Deserialize)]
pub struct DecisionForm {
    csrf: String,
    digest: String,
    decision: Choice,
    #[serde(default)]
    message: String,
    /// The command line that may run instead.
    #[serde(default)]
    instead: String,
    /// How long a rule stands: of [`LASTING`].
    #[serde(default)]
    lasting: String,
    /// The command line with a `*` for what may be another.
    #[serde(default)]
    pattern: String,
    /// The command line as it was shown: a pattern that is the same is none.
    #[serde(default)]
    shown: String,
}

impl DecisionForm {
    /// What ties it to a sign-in.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// What it comes to.
    ///
    /// # Errors
    /// A command is none.
    pub fn decide(&self) -> Result<Decide, Problem> {
        let approves = self.decision != Choice::Reject;
        Ok(Decide {
            decision: if approves { Wanted::Approve } else { Wanted::Reject },
            digest: self.digest.clone(),
            message: Some(self.message.trim().to_owned()).filter(|text| !text.is_empty()),
            always: (self.decision == Choice::Always).then(|| self.always()),
            change: match self.decision {
                Choice::Change => Some(words(&self.instead)?),
                _ => None,
            },
        })
    }

    fn always(&self) -> Always {
        let for_session = self.lasting == "session";
        let pattern = self.pattern.trim();
        Always {
            for_session,
            until: Some(self.lasting.clone()).filter(|until| !for_session && !until.is_empty()),
            pattern: (!pattern.is_empty() && pattern != self.shown.trim()).then(|| pattern.to_owned()),
        }
    }
}

/// A command line's words, as a shell would read them.
fn words(line: &str) -> Result<Vec<String>, Problem> {
    let bad = |title: &str| Problem::bad(title).means("nothing was decided, and nothing ran");
    let words = split(line).ok_or_else(|| bad("the command has a quote that is not closed"))?;
    if words.is_empty() {
        return Err(bad("say which command may run instead"));
    }
    if line.contains(REDACTED) {
        let hidden = bad("the command has a mark where a secret is not shown, and would run with that mark");
        return Err(hidden
            .help("write the secret out, or leave it to the agent: reject, with a word on what you want"));
    }
    Ok(words)
}

/// What was refused, and with it what had been written.
pub struct Tried {
    form: DecisionForm,
    problem: Problem,
}

impl Tried {
    /// A form, and why it came to nothing.
    pub fn new(form: DecisionForm, problem: Problem) -> Self {
        Self { form, problem }
    }

    /// Why.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Why, as a page says it.
    pub fn fault(&self) -> Markup {
        let problem = &self.problem;
        html! {
            div.banner.bad role="alert" {
                p { (problem.title) @if !problem.detail.is_empty() { ": " (problem.detail) } }
                @for help in &problem.help { p.small { (help) } }
            }
        }
    }
}

/// Everything that can be said: the three buttons, and below them what is wanted more seldom.
pub fn all(looking: &Looking, form: &HoldForm, tried: Option<&Tried>) -> Markup {
    // A connection is no command: nothing can stand in its place.
    let connection = form.argv.first().is_some_and(|word| word == "connect") && form.judged.entry.is_none();
    html! {
        div.side {
            (buttons(looking, form, tried))
            @if !connection || form.learnable {
                div.panel-body.more {
                    @if !connection { (instead(looking, form, tried)) }
                    @if form.learnable { (lasting(looking, form, tried)) }
                }
            }
        }
    }
}

fn hidden(looking: &Looking, form: &HoldForm) -> Markup {
    html! {
        (csrf(&looking.reader))
        input type="hidden" name="digest" value=(form.digest);
    }
}

/// The form of a choice that was refused.
fn before(tried: Option<&Tried>, choice: Choice) -> Option<&DecisionForm> {
    let form = tried.map(|tried| &tried.form);
    form.filter(|form| form.decision == choice)
}

fn instead(looking: &Looking, form: &HoldForm, tried: Option<&Tried>) -> Markup {
    let (line, before) = (command(form), before(tried, Choice::Change));
    let value = before.map_or(line.as_str(), |form| &form.instead);
    html! {
        details #d-instead open[before.is_some()] {
            summary { "Let something else run instead" }
            form.stack method="post" action={ "/holds/" (form.action) } {
                (hidden(looking, form))
                div.field {
                    label for="instead" { "The command " span.hint { "(it may run once; what waits does not)" } }
                    textarea.mono #instead name="instead" rows="3" required maxlength=(LONGEST) autocapitalize="none" autocomplete="off" spellcheck="false" { (value) }
                    @if line.contains(REDACTED) { span.hint { "Where a secret is not shown, it would not run with the secret." } }
                }
                div.field {
                    label for="i-message" { "What the agent reads of it" }
                    input #i-message name="message" value=[before.map(|form| &form.message)] maxlength="2000" autocomplete="off";
                }
                button name="decision" value="change" { "Let this run instead, once" }
            }
        }
    }
}

fn lasting(looking: &Looking, form: &HoldForm, tried: Option<&Tried>) -> Markup {
    let (line, before) = (command(form), before(tried, Choice::Always));
    let pattern = before.map_or(line.as_str(), |form| &form.pattern);
    let chosen = before.map_or("8h", |form| &form.lasting);
    html! {
        details #d-lasting open[before.is_some()] {
            summary { "Let it run, and don’t ask again" }
            form.stack method="post" action={ "/holds/" (form.action) } {
                (hidden(looking, form))
                input type="hidden" name="shown" value=(line);
                div.field {
                    label for="lasting" { "How long " span.hint { "(for this agent; a denial, a limit or a stop comes first all the same)" } }
                    select #lasting name="lasting" {
                        @for (value, text) in LASTING { option value=(value) selected[value == chosen] { (text) } }
                    }
                }
                div.field {
                    label for="pattern" { "For what " span.hint { "(put a " code { "*" } " for a word, or part of one, that may be another)" } }
                    textarea.mono #pattern name="pattern" rows="3" maxlength=(LONGEST) autocapitalize="none" autocomplete="off" spellcheck="false" { (pattern) }
                }
                @if form.judged.persons > 1 { p.small.soft { "It becomes a rule if all who approve want the same." } }
                button name="decision" value="always" { "Approve, and don’t ask again" }
            }
        }
    }
}

fn buttons(looking: &Looking, form: &HoldForm, tried: Option<&Tried>) -> Markup {
    let session = form.action.split('.').next().unwrap_or_default();
    let before = before(tried, Choice::Approve).or(before(tried, Choice::Reject));
    html! {
        form.through method="post" action={ "/holds/" (form.action) } {
            (hidden(looking, form))
            div.panel-body {
                div.field {
                    label for="message" { "A word to the agent " span.hint { "(it reads this)" } }
                    input #message name="message" value=[before.map(|form| &form.message)] maxlength="2000" autocomplete="off";
                }
            }
            div.decide {
                button.act #approve name="decision" value="approve" { "Approve once" }
                button.danger #reject name="decision" value="reject" { "Reject" }
                a.button #stop href={ "/stop?session=" (session) } { "Stop the agent…" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, DecisionForm, words};

    fn form(decision: Choice) -> DecisionForm {
        DecisionForm {
            csrf: String::new(),
            digest: "d".to_owned(),
            decision,
            message: "  ".to_owned(),
            instead: "kubectl 'get pods' -n a".to_owned(),
            lasting: "7d".to_owned(),
            pattern: "kubectl delete ns drone ".to_owned(),
            shown: "kubectl delete ns drone".to_owned(),
        }
    }

    #[test]
    fn each_button_says_what_it_says_and_nothing_of_the_others() {
        let once = form(Choice::Approve).decide().expect("a decision");
        assert_eq!((once.always, once.change, once.message), (None, None, None));
        let change = form(Choice::Change).decide().expect("a decision");
        assert_eq!(
            change.change.as_deref(),
            Some(&["kubectl", "get pods", "-n", "a"].map(str::to_owned)[..])
        );
        assert_eq!(change.always, None);
        let always = form(Choice::Always)
            .decide()
            .expect("a decision")
            .always
            .expect("a rule");
        assert_eq!(
            (always.until.as_deref(), always.for_session, always.pattern),
            (Some("7d"), false, None)
        );
        let session = DecisionForm {
            lasting: "session".to_owned(),
            pattern: "kubectl delete ns *".to_owned(),
            ..form(Choice::Always)
        };
        let always = session.always();
        assert_eq!((always.until, always.for_session), (None, true));
        assert_eq!(always.pattern.as_deref(), Some("kubectl delete ns *"));
    }

    #[test]
    fn a_command_that_would_run_with_a_mark_for_a_secret_is_refused() {
        for wrong in ["", "  ", "echo 'a", "curl -u [redacted:basic-auth]"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
