//! An incoming webhook of Slack: `text` for what reads only that, and `blocks`.

use crate::form::Form;
use crate::http::Address;
use crate::sending::Sent;
use crate::tell;
use serde_json::{Value, json};
use std::time::Duration;

/// Slack's longest `text` of a section, characters.
const SECTION: usize = 3_000;
/// Slack's longest `text` of a field.
const FIELD: usize = 2_000;
/// Slack's longest header.
const HEADER: usize = 150;
/// Slack's most fields of a section.
const FIELDS: usize = 10;

/// An incoming webhook, whose address is its only secret.
#[derive(Debug)]
pub(crate) struct Slack {
    address: Address,
}

impl Slack {
    pub(crate) fn new(address: Address) -> Self {
        Self { address }
    }

    pub(crate) fn shown(&self) -> String {
        self.address.shown()
    }

    pub(crate) fn send(&self, form: &Form, time_out: Duration) -> Sent {
        let body = body(form).to_string();
        let headers = [("content-type", "application/json; charset=utf-8")];
        self.address.post(&headers, body.as_bytes(), time_out)
    }
}

/// The message. A button that is only a link: Slack sends nothing back to us.
pub(crate) fn body(form: &Form) -> Value {
    let title = tell::title(form, HEADER);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": title, "emoji": false },
    })];
    if !form.what.is_empty() {
        blocks.push(section(&code(&form.what, SECTION)));
    }
    let fields: Vec<Value> = tell::facts(form)
        .into_iter()
        .take(FIELDS)
        .map(|(name, text)| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{}", escape(&text, FIELD - 100)) }))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if !form.reasons.is_empty() {
        let reasons: Vec<String> = form.reasons.iter().map(|own| format!("- {own}")).collect();
        blocks.push(section(&format!(
            "*{}*\n{}",
            tell::reasons_heading(form),
            escape(&reasons.join("\n"), SECTION - 100)
        )));
    }
    if !form.why.is_empty() {
        let said = quote(&escape(&form.why, SECTION - 300));
        blocks.push(section(&format!("*The agent says*\n{said}")));
    }
    if !form.changes.is_empty() {
        let lines: Vec<String> = form.changes.iter().cloned().chain(tell::more(form)).collect();
        let heading = format!("*{}*\n", tell::changes_heading(form));
        blocks.push(section(&format!(
            "{heading}{}",
            code(&lines.join("\n"), SECTION - 100)
        )));
    }
    blocks.push(json!({
        "type": "actions",
        "elements": [{
            "type": "button",
            "text": { "type": "plain_text", "text": tell::link_label(form), "emoji": false },
            "url": form.link,
            "action_id": "rescind-open",
        }],
    }));
    if form.needs_sign_in {
        blocks.push(json!({
            "type": "context",
            "elements": [{ "type": "mrkdwn", "text": escape(tell::SIGN_IN, SECTION) }],
        }));
    }
    json!({ "text": text(form), "blocks": blocks })
}

/// What is shown where blocks are not: in a notification, and by servers that only resemble Slack.
fn text(form: &Form) -> String {
    let address = form.link.replace('|', "%7C");
    let link = format!("<{}|{}>", escape(&address, SECTION), tell::link_label(form));
    let title = escape(&tell::title(form, 300), 1_000);
    if form.needs_sign_in {
        format!("{title}\n{link}\n{}", escape(tell::SIGN_IN, SECTION))
    } else {
        format!("{title}\n{link}")
    }
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// Slack's own escape, of `&`, `<` and `>`, within a length: no entity is cut through, and no mention or link of the
/// agent's can come about.
fn escape(text: &str, most: usize) -> String {
    let mut escaped = String::new();
    let mut left = most.saturating_sub(1);
    for own in text.chars() {
        let entity = match own {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let length = entity.len().max(1);
        if length > left {
            escaped.push('…');
            break;
        }
        left -= length;
        if entity.is_empty() {
            escaped.push(own);
        } else {
            escaped.push_str(entity);
        }
    }
    escaped
}

/// A block of code: what is in it can't end it, as no two backticks of it are neighbours.
fn code(text: &str, most: usize) -> String {
    let apart = text.replace("``", "`\u{200a}`").replace("``", "`\u{200a}`");
    format!("```\n{}\n```", escape(&apart, most.saturating_sub(10)))
}

/// Every line marked as said by somebody else.
fn quote(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!(">{line}")).collect();
    crate::words::cut(&lines.join("\n"), SECTION - 100)
}
