//! What a hold's page shows: what would run and why it waits, what it names, what was said, how it ended.

use super::End;
use crate::console::parts::{Level, bytes, chip, class, clean, count, moment, score, short};
use maud::{Markup, html};
use rescind_model::command_line;
use rescind_supervisor::holds::{Closed, Decision, Hold, HoldForm, PathForm, PreviewForm};

/// How it ended, and what follows from it.
pub fn over(form: &HoldForm, end: &End) -> Markup {
    let closed = match end {
        End::Closed(closed) => closed,
        End::Gone => {
            return html! { p.banner.bad role="status" { "Whoever waited for it is gone: nothing ran, and nothing can be decided." } };
        }
        End::Late => {
            return html! { p.banner.bad role="status" { "Its time is up: it does not run." } };
        }
    };
    let by: Vec<&str> = closed.decisions.iter().map(|said| said.person.as_str()).collect();
    let level = match closed.how {
        Closed::Approved => "banner good",
        Closed::Changed => "banner",
        Closed::Rejected | Closed::Expired | Closed::Void => "banner bad",
    };
    html! {
        p class=(level) role="status" {
            strong { (closed.how.name()) }
            @if !by.is_empty() { " by " (clean(&by.join(", "))) }
            span.end { (moment(&closed.at)) }
        }
        @if let Some(words) = closed.instead() {
            p { "It did not run. This may, once, and the agent is told so:" }
            div.what-box tabindex="0" role="region" aria-label="What may run instead" { (clean(&command_line(words))) }
        }
        @if let Some(lesson) = closed.lesson(form) {
            p {
                @match &lesson.pattern {
                    Some(pattern) => { code { (clean(pattern)) } },
                    None => "The very same",
                }
                " runs unasked "
                @if lesson.session { "in this session" } @else { "until " (moment(&lesson.until.to_string())) }
                ". " span.soft { code { "rescind policy forget " (lesson.action) } " takes that back." }
            }
        }
        @for message in closed.decisions.iter().filter_map(|said| said.message.as_ref()) {
            p.note { "“" (short(message, 2_000)) "”" }
        }
    }
}

/// What people need to know, in the order in which they need it.
pub fn facts(hold: &Hold) -> Markup {
    let (form, judged) = (&hold.form, &hold.form.judged);
    html! {
        dl.facts {
            dt { "Why it waits" }
            dd {
                ul.plain { @for reason in &judged.reasons { li { (clean(reason)) } } }
            }
            dt { "Can be undone" }
            dd {
                (class(&judged.class))
                @if let Some(way) = &judged.compensation { " by " (clean(way)) }
            }
            @if !judged.uncovered.is_empty() {
                dt { "Not captured" }
                dd { ul.plain { @for gap in &judged.uncovered { li { (clean(gap)) } } } }
            }
            dt { "Risk" }
            dd {
                (score(u64::from(judged.score)))
                @if !judged.factors.is_empty() {
                    details {
                        summary.small { "what makes it" }
                        ul.plain.small { @for factor in &judged.factors { li { (clean(&factor.why)) } } }
                    }
                }
            }
            dt { "Who asks" }
            dd { (clean(&form.agent)) ", started by " (clean(&form.requester)) }
            @if !form.domain.is_empty() { dt { "Domain" } dd { (clean(&form.domain)) } }
            dt { "Folder" }
            dd { code { (clean(&form.cwd)) } }
            @if let Some(reasoning) = &form.reasoning {
                dt { "The agent says" }
                dd { span.note { (short(reasoning, 2_000)) } " " span.small.soft { "(its word is no evidence)" } }
            }
            @if judged.persons > 1 {
                dt { "Takes" }
                dd { (judged.persons) " persons, not the one who asks" }
            }
            @if let Some(advice) = &judged.advice { dt { "Instead" } dd { (clean(advice)) } }
            @if form.moved > 0 {
                dt { "Moved" }
                dd { (chip("what it names has changed since it was approved", Level::Warn)) }
            }
            dt { "Since" }
            dd { (moment(&form.since)) }
        }
    }
}

/// What it names.
pub fn previewed(preview: &PreviewForm) -> Markup {
    html! {
        div.stack {
            h2 { "What it names, as it is now" }
            ul.steps {
                @for path in &preview.paths {
                    li {
                        code { (clean(&path.path)) }
                        span.soft { (now(path)) }
                        @if let Some(gap) = &path.gap { (chip(&format!("can't be captured: {}", short(gap, 120)), Level::Bad)) }
                    }
                }
            }
            @if preview.left_out > 0 { p.soft { (count(preview.left_out, "more", "more")) } }
        }
    }
}

/// How a path is, in a few words.
fn now(path: &PathForm) -> String {
    let mut words = vec![path.kind.clone()];
    let at_least = if path.more { "at least " } else { "" };
    if path.files > 0 {
        words.push(format!("{at_least}{}", count(path.files, "file", "files")));
    }
    if path.bytes > 0 {
        words.push(format!("{at_least}{}", bytes(path.bytes)));
    }
    if let Some(target) = &path.target {
        words.push(format!("to {}", clean(target)));
    }
    if let Some(tracked) = path.tracked {
        let state = if path.changed { ", changed since" } else { "" };
        words.push(format!(
            "{} tracked by git{state}",
            count(tracked, "file", "files")
        ));
    }
    if path.unread > 0 {
        words.push(format!(
            "{} can't be read",
            count(path.unread, "folder", "folders")
        ));
    }
    words.join(", ")
}

/// What people said of it so far.
pub fn said(hold: &Hold) -> Markup {
    html! {
        @if !hold.decisions.is_empty() {
            div.stack {
                h2 { "Said so far" }
                ul.plain {
                    @for said in &hold.decisions {
                        li {
                            (clean(&said.person)) ": "
                            @match (said.decision, &said.change) {
                                (Decision::Approve, Some(words)) => { "run " code { (short(&command_line(words), 300)) } " instead" },
                                (Decision::Approve, None) => "approve",
                                (Decision::Reject, _) => "reject",
                            }
                            @if said.always.is_some() { ", and the same again" }
                            @if let Some(text) = &said.message { ", “" (clean(text)) "”" }
                        }
                    }
                }
            }
        }
    }
}
