//! Channels from their tables.

use super::fields::{Fields, Found};
use super::{Channel, ChannelsError, Fault, Means, Secret};
use crate::http::Address;
use crate::mail::{Mail, Security, Server};
use crate::message::Event;
use crate::slack::Slack;
use crate::webhook::{Keys, Webhook};
use rescind_model::Pattern;
use std::collections::BTreeSet;
use toml::de::DeTable;

/// More channels than this are not served.
const MOST: usize = 32;
/// More addresses than this one channel has not: a list at the mail server is the place for them.
const MOST_ADDRESSES: usize = 50;

type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// All channels of a text, or all its faults.
pub(super) fn channels(text: &str, environment: Environment<'_>) -> Result<Vec<Channel>, ChannelsError> {
    let whole = |at: usize, message: String| ChannelsError {
        faults: vec![Fault::at(text, at, "notify".to_owned(), message)],
    };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        whole(at, error.message().to_owned())
    })?;
    let Some(tables) = document.get_ref().get("notify") else {
        return Ok(Vec::new());
    };
    let at = tables.span().start;
    let Some(list) = tables.get_ref().as_array() else {
        return Err(whole(
            at,
            "channels are tables of their own: [[notify]]".to_owned(),
        ));
    };
    if list.len() > MOST {
        return Err(whole(at, format!("there are more than {MOST} channels")));
    }
    let mut faults = Vec::new();
    let mut channels = Vec::new();
    let mut names = BTreeSet::new();
    for (number, table) in list.iter().enumerate() {
        let Some(keys) = table.get_ref().as_table() else {
            faults.extend(whole(table.span().start, "a channel is a table: [[notify]]".to_owned()).faults);
            continue;
        };
        let fields = Fields::new(text, keys, table.span().start, number + 1);
        let channel = channel(&fields, environment, &mut names);
        let own = fields.end();
        if own.is_empty() {
            channels.extend(channel);
        }
        faults.extend(own);
    }
    if faults.is_empty() {
        return Ok(channels);
    }
    faults.sort_by_key(|fault| (fault.line, fault.column));
    Err(ChannelsError { faults })
}

fn channel(
    fields: &Fields<'_>,
    environment: Environment<'_>,
    names: &mut BTreeSet<String>,
) -> Option<Channel> {
    let name = name(fields, names);
    let events = events(fields);
    let domains = fields.texts("domains").unwrap_or_default();
    let domains = domains
        .into_iter()
        .map(|domain| Pattern::new(domain.value))
        .collect();
    let groups = fields.texts("groups").unwrap_or_default();
    let groups = groups.into_iter().map(|group| group.value).collect();
    let kind = fields.text("kind");
    let means = match kind.as_ref().map(|kind| kind.value.as_str()) {
        Some("webhook") => webhook(fields, environment).map(Means::Webhook),
        Some("slack") => slack(fields, environment).map(Means::Slack),
        Some("smtp") => mail(fields, environment).map(Means::Mail),
        Some(_) => {
            if let Some(kind) = &kind {
                fields.wrong(kind, "this is `webhook`, `slack` or `smtp`");
            }
            None
        }
        None => {
            fields.lacks("kind", "say how it tells: `webhook`, `slack` or `smtp`");
            None
        }
    };
    Some(Channel {
        name: name?,
        events,
        domains,
        groups,
        means: means?,
    })
}

fn name(fields: &Fields<'_>, names: &mut BTreeSet<String>) -> Option<String> {
    let Some(name) = fields.text("name") else {
        fields.lacks("name", "give it a name, by which it is shown");
        return None;
    };
    let plain = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
    if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(plain) {
        fields.wrong(&name, "a name has up to 64 letters, digits, `.`, `_` and `-`");
    } else if !names.insert(name.value.clone()) {
        fields.wrong(&name, format!("there are two channels called `{}`", name.value));
    }
    Some(name.value)
}

fn events(fields: &Fields<'_>) -> BTreeSet<Event> {
    let Some(named) = fields.texts("events") else {
        return Event::ALL.into();
    };
    if named.is_empty() {
        fields.lacks(
            "events",
            "a channel without events tells nothing; leave `events` out for all",
        );
    }
    let mut events = BTreeSet::new();
    for name in named {
        match Event::from_name(&name.value).filter(|event| *event != Event::Test) {
            Some(event) => {
                events.insert(event);
            }
            None => fields.wrong(
                &name,
                "events are `held`, `moved`, `decided`, `escalated`, `kill` and `undo`",
            ),
        }
    }
    events
}

/// A secret by `file` or by `variable`; both at once is a fault.
fn secret(
    fields: &Fields<'_>,
    environment: Environment<'_>,
    file: &'static str,
    variable: &'static str,
) -> Option<Found<Secret>> {
    let (path, name) = (fields.text(file), fields.text(variable));
    if let (Some(_), Some(name)) = (&path, &name) {
        fields.wrong(name, format!("give `{file}` or `{variable}`, not both"));
    }
    if let Some(path) = path {
        return match Secret::read(&path.value) {
            Ok(secret) => Some(path.with(secret)),
            Err(message) => {
                fields.wrong(&path, message);
                None
            }
        };
    }
    let name = name?;
    match environment(&name.value).filter(|value| !value.is_empty()) {
        Some(value) => Some(name.with(Secret::new(value))),
        None => {
            let shown = crate::words::line(&name.value, 64);
            fields.wrong(
                &name,
                format!("there is no environment variable `{shown}`, or it is empty"),
            );
            None
        }
    }
}

/// Whether one of these keys is there, with or without a fault: then what it gives does not lack.
fn given(fields: &Fields<'_>, keys: [&'static str; 2]) -> bool {
    keys.into_iter().any(|key| fields.has(key))
}

fn webhook(fields: &Fields<'_>, environment: Environment<'_>) -> Option<Webhook> {
    let hidden = secret(fields, environment, "url_file", "url_environment");
    let url = fields.text("url");
    let url = match (url, hidden) {
        (Some(url), None) => Some(url.with(Secret::new(url.value.clone()))),
        (None, hidden) => hidden,
        (Some(url), Some(_)) => {
            fields.wrong(&url, "give the address once");
            None
        }
    };
    if url.is_none() && !fields.has("url") && !given(fields, ["url_file", "url_environment"]) {
        fields.lacks(
            "url",
            "say where to: `url = \"https://...\"`, or `url_file` where the address is a secret",
        );
    }
    let address = address(fields, url);
    let keys = secret(fields, environment, "secret_file", "secret_environment");
    if keys.is_none() && !given(fields, ["secret_file", "secret_environment"]) {
        fields.lacks(
            "secret_file",
            "messages are signed: give the file (or `secret_environment`) with the key, as `openssl rand -base64 32` makes it",
        );
    }
    let keys = keys.and_then(|found| match Keys::parse(found.value.reveal()) {
        Ok(keys) => Some(keys),
        Err(message) => {
            fields.wrong(&found, message);
            None
        }
    });
    Some(Webhook::new(address?, keys?))
}

fn slack(fields: &Fields<'_>, environment: Environment<'_>) -> Option<Slack> {
    let hidden = secret(fields, environment, "url_file", "url_environment");
    if hidden.is_none() && !given(fields, ["url_file", "url_environment"]) {
        fields.lacks(
            "url_file",
            "the address of an incoming webhook is a secret: give the file (or `url_environment`) that has it",
        );
    }
    address(fields, hidden).map(Slack::new)
}

fn address(fields: &Fields<'_>, url: Option<Found<Secret>>) -> Option<Address> {
    let insecure = fields.flag("insecure").unwrap_or(false);
    let roots = authority(fields);
    let url = url?;
    match Address::parse(url.value.clone(), insecure, roots.as_deref()) {
        Ok(address) => Some(address),
        Err(message) => {
            fields.wrong(&url, message);
            None
        }
    }
}

/// The bytes of `ca_file`.
fn authority(fields: &Fields<'_>) -> Option<Vec<u8>> {
    let path = fields.text("ca_file")?;
    match std::fs::read(&path.value) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            fields.wrong(&path, format!("`{}` can't be read: {error}", path.value));
            None
        }
    }
}

fn mail(fields: &Fields<'_>, environment: Environment<'_>) -> Option<Mail> {
    let server = server(fields);
    let from = fields.text("from");
    if from.is_none() && !fields.has("from") {
        fields.lacks("from", "say who it is from: \"rescind@example.com\"");
    }
    let from = from.and_then(|from| mailbox(fields, &from));
    let to = fields.texts("to");
    match &to {
        None if !fields.has("to") => fields.lacks("to", "say whom to tell: [\"oncall@example.com\"]"),
        Some(list) if list.is_empty() => fields.lacks("to", "nobody is told"),
        Some(list) if list.len() > MOST_ADDRESSES => fields.lacks(
            "to",
            format!("there are more than {MOST_ADDRESSES} addresses: make them a list at the mail server"),
        ),
        Some(_) | None => {}
    }
    let to: Vec<lettre::message::Mailbox> = to
        .unwrap_or_default()
        .iter()
        .filter_map(|address| mailbox(fields, address))
        .collect();
    let user = fields.text("user");
    let password = secret(fields, environment, "password_file", "password_environment");
    let credentials = match (user, password) {
        (Some(user), Some(password)) => Some((user.value, password.value)),
        (Some(user), None) => {
            if !given(fields, ["password_file", "password_environment"]) {
                fields.wrong(
                    &user,
                    "a user has a password: `password_file` or `password_environment`",
                );
            }
            None
        }
        (None, Some(password)) => {
            fields.wrong(&password, "a password is somebody's: say `user`");
            None
        }
        (None, None) => None,
    };
    let server = server?;
    if credentials.is_some() && server.security == Security::None && !crate::http::is_loopback(&server.host) {
        fields.lacks(
            "tls",
            "a password is not sent in the clear: use `starttls` or `tls`",
        );
    }
    match Mail::new(server, credentials, from?, to) {
        Ok(mail) => Some(mail),
        Err(message) => {
            fields.lacks("ca_file", message);
            None
        }
    }
}

fn mailbox(fields: &Fields<'_>, found: &Found<String>) -> Option<lettre::message::Mailbox> {
    match found.value.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(error) => {
            let shown = crate::words::line(&found.value, 100);
            fields.wrong(found, format!("`{shown}` is no mail address: {error}"));
            None
        }
    }
}

fn server(fields: &Fields<'_>) -> Option<Server> {
    let insecure = fields.flag("insecure").unwrap_or(false);
    let roots = authority(fields);
    let host = fields.text("server");
    if host.is_none() && !fields.has("server") {
        fields.lacks("server", "say which mail server takes it: \"mail.example.com\"");
    }
    let tls = fields.text("tls");
    let security = match tls.as_ref().map(|tls| tls.value.as_str()) {
        None | Some("starttls") => Security::StartTls,
        Some("tls") => Security::Tls,
        Some("none") => Security::None,
        Some(_) => {
            if let Some(tls) = &tls {
                fields.wrong(tls, "this is `starttls`, `tls` or `none`");
            }
            return None;
        }
    };
    let port = match fields.number("port") {
        None => security.port(),
        Some(number) => match u16::try_from(number.value).ok().filter(|port| *port > 0) {
            Some(port) => port,
            None => {
                fields.wrong(&number, "a port is a number from 1 to 65535");
                return None;
            }
        },
    };
    let host = host?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:_".contains(letter);
    if host.value.is_empty() || host.value.len() > 253 || !host.value.chars().all(plain) {
        fields.wrong(&host, "this is the name or the address of a host, without port");
        return None;
    }
    if let (Security::None, Some(tls), false, false) =
        (security, &tls, insecure, crate::http::is_loopback(&host.value))
    {
        fields.wrong(
            tls,
            "without TLS only to this machine itself; `insecure = true` says that you know",
        );
    }
    Some(Server {
        host: host.value,
        port,
        security,
        roots,
    })
}
