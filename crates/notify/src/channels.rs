//! The configuration: who is told of what, and by which way.

mod fields;
mod read;
mod secret;

use crate::form::Form;
use crate::mail::Mail;
use crate::message::{Event, Message};
use crate::sending::Sent;
use crate::slack::Slack;
use crate::webhook::Webhook;
use rescind_model::Pattern;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use secret::Secret;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What it is about: `notify.pager.url`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything that is wrong with the channels of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the channels for notifications can't be used: {}", listed(faults))]
pub struct ChannelsError {
    /// Each fault, in the order of the file.
    pub faults: Vec<Fault>,
}

/// How a channel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// A signed POST of a CloudEvent.
    Webhook,
    /// An incoming webhook of Slack, or of what understands the same.
    Slack,
    /// E-mail.
    Smtp,
}

/// One way to tell some people of some events.
#[derive(Debug)]
pub struct Channel {
    name: String,
    events: BTreeSet<Event>,
    domains: Vec<Pattern>,
    groups: BTreeSet<String>,
    means: Means,
}

#[derive(Debug)]
enum Means {
    Webhook(Webhook),
    Slack(Slack),
    Mail(Mail),
}

/// All channels of a configuration. Cheap to clone; no secret is in its `Debug` text.
#[derive(Debug, Clone, Default)]
pub struct Channels {
    all: Arc<[Channel]>,
}

impl Fault {
    /// The fault at a byte of a text.
    fn at(text: &str, byte: usize, key: String, message: String) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            key,
            message,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, `{}`: {}", self.line, self.key, self.message)
    }
}

fn listed(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    faults.join("; ")
}

impl Way {
    /// Its name in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Smtp => "smtp",
        }
    }
}

impl Channels {
    /// The `[[notify]]` tables of a configuration; everything else in it is somebody else's. Files and environment
    /// variables with secrets are read here, so that what can't be used is found before anything is served.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub fn parse(text: &str) -> Result<Self, ChannelsError> {
        let environment = |name: &str| std::env::var(name).ok();
        let all = read::channels(text, &environment)?.into();
        Ok(Self { all })
    }

    /// In the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.all.iter()
    }

    /// The channel of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Channel> {
        self.all.iter().find(|channel| channel.name == name)
    }

    /// Whether nobody is told of anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl Channel {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it tells.
    #[must_use]
    pub fn way(&self) -> Way {
        match self.means {
            Means::Webhook(_) => Way::Webhook,
            Means::Slack(_) => Way::Slack,
            Means::Mail(_) => Way::Smtp,
        }
    }

    /// Where it leads, as people may read it: without path, query or password.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.means {
            Means::Webhook(webhook) => webhook.shown(),
            Means::Slack(slack) => slack.shown(),
            Means::Mail(mail) => mail.shown(),
        }
    }

    /// Whether it is told of this message: its events, its domains (none given: all, and what has no domain) and its
    /// groups (none given: all; a message that asks nobody in particular goes to every group).
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        let domain = self.domains.is_empty()
            || message.domain.is_empty() && message.event == Event::Kill
            || self.domains.iter().any(|pattern| pattern.fits(&message.domain));
        let group = self.groups.is_empty()
            || message.groups.is_empty()
            || message.groups.iter().any(|group| self.groups.contains(group));
        self.events.contains(&message.event) && domain && group
    }

    /// Who gets one each, and succeeds or fails alone: the addresses of a mail channel, else the one receiver.
    pub(crate) fn targets(&self) -> Vec<String> {
        match &self.means {
            Means::Webhook(_) | Means::Slack(_) => vec![String::new()],
            Means::Mail(mail) => mail.addresses(),
        }
    }

    /// Send it now, once. `id` is the same for every try.
    pub(crate) fn send(&self, id: &str, form: &Form, target: &str, time_out: Duration) -> Sent {
        match &self.means {
            Means::Webhook(webhook) => webhook.send(id, form, time_out),
            Means::Slack(slack) => slack.send(form, time_out),
            Means::Mail(mail) => mail.send(id, form, target, time_out),
        }
    }
}
