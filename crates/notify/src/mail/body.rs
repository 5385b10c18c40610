//! The mail itself: a text, and the same as plain HTML.

use crate::form::Form;
use crate::tell;
use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use sha2::{Digest as _, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest subject, characters.
const SUBJECT: usize = 120;

/// `Auto-Submitted` (RFC 3834): no out-of-office answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail of an event to one address. The same event has the same `Message-ID`, and all events of an action are one
/// thread.
pub(super) fn mail(id: &str, form: &Form, from: &Mailbox, to: &Mailbox) -> Result<Message, String> {
    let domain = from.email.domain();
    let mut mail = Message::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(format!("[rescind] {}", tell::title(form, SUBJECT)))
        .message_id(Some(format!("<{id}@{domain}>")))
        .date(date(&form.time))
        .header(AutoSubmitted);
    let subject = form.action.as_deref().unwrap_or(&form.session);
    if !subject.is_empty() {
        mail = mail.references(format!("<{}@{domain}>", thread(subject)));
    }
    mail.multipart(MultiPart::alternative_plain_html(text(form), html(form)))
        .map_err(|error| format!("the mail can't be written: {error}"))
}

fn thread(subject: &str) -> String {
    let digest = Sha256::digest(subject);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("thread_{hex}")
}

fn date(time: &str) -> SystemTime {
    let time = time.parse::<rescind_model::Timestamp>().unwrap_or_default();
    let since = u64::try_from(time.milliseconds()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_millis(since)
}

fn text(form: &Form) -> String {
    let mut parts = vec![tell::title(form, 400)];
    if !form.what.is_empty() {
        parts.push(indented(&form.what));
    }
    let facts: Vec<String> = tell::facts(form)
        .into_iter()
        .map(|(name, text)| format!("{:<12} {text}", format!("{name}:")))
        .collect();
    parts.push(facts.join("\n"));
    if !form.reasons.is_empty() {
        parts.push(format!(
            "{}:\n{}",
            tell::reasons_heading(form),
            indented(&form.reasons.join("\n"))
        ));
    }
    if !form.why.is_empty() {
        parts.push(format!("The agent says:\n{}", indented(&form.why)));
    }
    if !form.changes.is_empty() {
        let lines: Vec<String> = form.changes.iter().cloned().chain(tell::more(form)).collect();
        parts.push(format!(
            "{}:\n{}",
            tell::changes_heading(form),
            indented(&lines.join("\n"))
        ));
    }
    parts.push(format!("{}:\n{}", tell::link_label(form), form.link));
    if form.needs_sign_in {
        parts.push(tell::SIGN_IN.to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n") + "\n"
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

/// No style sheet, no picture, nothing from elsewhere: what is read is what was sent.
fn html(form: &Form) -> String {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\"><body>\n");
    html.push_str(&format!(
        "<p><strong>{}</strong></p>\n",
        escape(&tell::title(form, 400))
    ));
    if !form.what.is_empty() {
        html.push_str(&format!("<pre>{}</pre>\n", escape(&form.what)));
    }
    html.push_str("<table>\n");
    for (name, text) in tell::facts(form) {
        html.push_str(&format!(
            "<tr><th align=\"left\">{name}</th><td>{}</td></tr>\n",
            escape(&text)
        ));
    }
    html.push_str("</table>\n");
    if !form.reasons.is_empty() {
        html.push_str(&format!("<p>{}:</p>\n<ul>\n", tell::reasons_heading(form)));
        for reason in &form.reasons {
            html.push_str(&format!("<li>{}</li>\n", escape(reason)));
        }
        html.push_str("</ul>\n");
    }
    if !form.why.is_empty() {
        html.push_str(&format!(
            "<p>The agent says:</p>\n<blockquote><pre>{}</pre></blockquote>\n",
            escape(&form.why)
        ));
    }
    if !form.changes.is_empty() {
        let lines: Vec<String> = form.changes.iter().cloned().chain(tell::more(form)).collect();
        html.push_str(&format!(
            "<p>{}:</p>\n<pre>{}</pre>\n",
            tell::changes_heading(form),
            escape(&lines.join("\n"))
        ));
    }
    html.push_str(&format!(
        "<p><a href=\"{}\">{}</a></p>\n",
        escape(&form.link),
        tell::link_label(form)
    ));
    if form.needs_sign_in {
        html.push_str(&format!("<p>{}</p>\n", tell::SIGN_IN));
    }
    html.push_str("</body></html>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
