//! What clients may do, by `$XDG_CONFIG_HOME/rescind/hooks.toml`: a table for each client, and one in it for its
//! subagents, who never get more than the client has.

use crate::commands::bounds::BoundsArgs;
use crate::error::{Code, Done, Failure};
use rescind_desk::{Configuration, Text};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What one client may do.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    may: Vec<String>,
    #[serde(default)]
    write: Vec<PathBuf>,
    subagents: Option<Box<Table>>,
}

impl Table {
    fn bounds(&self) -> BoundsArgs {
        BoundsArgs {
            read_only: self.read_only,
            may: self.may.clone(),
            write: self.write.clone(),
            ..BoundsArgs::default()
        }
    }
}

/// What a client, or a subagent of it, may do: each of these narrows those before. Without a file, and without a table
/// for the client, everything.
///
/// # Errors
/// The file can't be used: then the client may do nothing.
pub fn layers(client: &str, subagent: bool) -> Done<Vec<BoundsArgs>> {
    let path = Configuration::of_user()
        .root()
        .map(|root| root.join("hooks.toml"));
    let Some(path) = path.filter(|path| path.exists()) else {
        return Ok(Vec::new());
    };
    let file = Text::read(&path)?;
    let tables: BTreeMap<String, Table> = toml::from_str(&file.text).map_err(|error| {
        let message = format!(
            "`{}` is not of its form: {}",
            file.name,
            error.to_string().trim_end()
        );
        Failure::new(Code::HookSettings, message)
    })?;
    let known = |name: &String| {
        let own = ["claude-code", "codex", "gemini", "cursor", "cline", "all"];
        own.contains(&name.as_str())
    };
    if let Some(wrong) = tables.keys().find(|name| !known(name)) {
        let message = format!("`{}` has a table for `{wrong}`, which is no client", file.name);
        return Err(Failure::new(Code::HookSettings, message));
    }
    let own = tables.get("all").into_iter().chain(tables.get(client));
    let mut layers = Vec::new();
    for table in own {
        layers.push(table.bounds());
        layers.extend(
            table
                .subagents
                .as_ref()
                .filter(|_| subagent)
                .map(|table| table.bounds()),
        );
    }
    Ok(layers)
}
