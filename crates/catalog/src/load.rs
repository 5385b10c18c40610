//! Catalog files: one entry, a list of entries, or entries with descriptions of their programs.

use crate::entry::{Capture, Entry, Find, RollbackSafe};
use crate::expression;
use crate::pattern::{Pattern, PatternError, alternatives, teach};
use crate::template::Template;
use crate::tool::{Tool, ToolSpec};
use serde_json::Value;
use std::collections::HashMap;

/// Why a catalog file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no YAML.
    #[error("`{origin}` is no YAML that can be read: {why}")]
    Yaml {
        /// The file.
        origin: String,
        /// Where, and what.
        why: String,
    },
    /// It is YAML and no catalog.
    #[error("`{origin}` is no catalog file: {why}")]
    Shape {
        /// The file.
        origin: String,
        /// What is wrong.
        why: String,
    },
    /// An entry is wrong.
    #[error("`{origin}`: the entry `{entry}` is not taken: {why}")]
    Entry {
        /// The file.
        origin: String,
        /// Its pattern, or which one it is.
        entry: String,
        /// What is wrong.
        why: String,
    },
}

/// The contents of one file.
#[derive(Debug, Default)]
pub struct File {
    /// Descriptions of programs.
    pub tools: Vec<ToolSpec>,
    /// Entries.
    pub entries: Vec<Entry>,
}

/// Read a file's text. `origin` names it.
///
/// # Errors
/// It is not understood; nothing of it is taken then.
pub fn read(origin: &str, text: &str) -> Result<File, LoadError> {
    // YAML 1.2: `no` and `n` are words.
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| LoadError::Yaml {
            origin: origin.to_owned(),
            why: error.to_string().lines().next().unwrap_or_default().to_owned(),
        })?;
    let mut file = File::default();
    match value {
        Value::Null => {}
        Value::Array(list) => entries(origin, list, &mut file)?,
        Value::Object(ref map) if map.contains_key("command_pattern") => {
            entries(origin, vec![value], &mut file)?
        }
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("tool", value) => file.tools.push(tool(origin, value)?),
                    ("tools", Value::Array(list)) => {
                        for value in list {
                            file.tools.push(tool(origin, value)?);
                        }
                    }
                    ("entries", Value::Array(list)) => entries(origin, list, &mut file)?,
                    ("about", Value::String(_)) => {}
                    (other, _) => {
                        return Err(LoadError::Shape {
                            origin: origin.to_owned(),
                            why: format!(
                                "`{other}` is none of tool, tools, entries and about, or not of its kind"
                            ),
                        });
                    }
                }
            }
        }
        _ => {
            return Err(LoadError::Shape {
                origin: origin.to_owned(),
                why: "it is neither an entry nor a list of entries".to_owned(),
            });
        }
    }
    Ok(file)
}

fn tool(origin: &str, value: Value) -> Result<ToolSpec, LoadError> {
    let spec: ToolSpec = serde_json::from_value(value).map_err(|error| LoadError::Shape {
        origin: origin.to_owned(),
        why: format!("a description of a program: {error}"),
    })?;
    if spec.name.is_empty() {
        return Err(LoadError::Shape {
            origin: origin.to_owned(),
            why: "a description of a program has no name".to_owned(),
        });
    }
    Ok(spec)
}

fn entries(origin: &str, list: Vec<Value>, file: &mut File) -> Result<(), LoadError> {
    for (index, value) in list.into_iter().enumerate() {
        let named = value.get("command_pattern").and_then(Value::as_str);
        let name = named.map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let fail = |why: String| LoadError::Entry {
            origin: origin.to_owned(),
            entry: name.clone(),
            why,
        };
        let mut entry: Entry = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
        entry.origin = origin.to_owned();
        check(&entry).map_err(fail)?;
        file.entries.push(entry);
    }
    Ok(())
}

/// What would only be found when the entry is used is found when it is loaded.
fn check(entry: &Entry) -> Result<(), String> {
    let templates = [&entry.compensating_action, &entry.pre_capture, &entry.verify];
    for text in templates.into_iter().flatten() {
        Template::new(text).map_err(|error| error.to_string())?;
    }
    match &entry.rollback_safe {
        RollbackSafe::Condition(text) => {
            expression::Condition::new(text).map_err(|error| error.to_string())?;
        }
        RollbackSafe::Check(text) => {
            Template::new(text).map_err(|error| error.to_string())?;
        }
        RollbackSafe::Always | RollbackSafe::Never => {}
    }
    for text in [&entry.spend, &entry.blast_radius].into_iter().flatten() {
        expression::Measure::new(text).map_err(|error| error.to_string())?;
    }
    for (name, capture) in &entry.captures {
        check_capture(capture).map_err(|why| format!("the capture `{name}`: {why}"))?;
    }
    Ok(())
}

fn check_capture(capture: &Capture) -> Result<(), String> {
    match &capture.find {
        Find::Path(path) => {
            serde_json_path::JsonPath::parse(path)
                .map_err(|error| format!("`{path}` is no JSONPath: {error}"))?;
        }
        Find::Regex(regex) => {
            regex::Regex::new(regex).map_err(|_| format!("`{regex}` is no regular expression"))?;
        }
        Find::Text => {}
    }
    Ok(())
}

/// The descriptions of all programs, and each entry's patterns.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) tools: Vec<Tool>,
    /// Which tool a command word means.
    pub(crate) by_name: HashMap<String, usize>,
    /// Patterns with the number of their entry, for each tool.
    pub(crate) patterns: Vec<Vec<(Pattern, usize)>>,
}

/// Everything that was read, ready for matching.
pub(crate) fn compile(specs: Vec<ToolSpec>, entries: &[Entry]) -> Result<Compiled, (usize, PatternError)> {
    let mut compiled = Compiled::default();
    for spec in specs {
        let index = compiled.tools.len();
        for name in spec.aliases.iter().chain([&spec.name]) {
            compiled.by_name.insert(name.clone(), index);
        }
        compiled.tools.push(Tool::new(spec));
    }
    let mut all = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        for pattern in entry.patterns() {
            for words in alternatives(pattern).map_err(|error| (number, error))? {
                let name = words.first().cloned().unwrap_or_default();
                let tools = &mut compiled.tools;
                let index = *compiled.by_name.entry(name.clone()).or_insert_with(|| {
                    tools.push(Tool::new(ToolSpec {
                        name,
                        ..ToolSpec::default()
                    }));
                    tools.len() - 1
                });
                if let Some(tool) = tools.get_mut(index) {
                    teach(tool, &words);
                    for flag in entry.unless.iter().filter(|flag| flag.starts_with('-')) {
                        let learnt = vec![words.first().cloned().unwrap_or_default(), flag.clone()];
                        teach(tool, &learnt);
                    }
                }
                all.push((index, number, words));
            }
        }
    }
    compiled.patterns = compiled.tools.iter().map(|_| Vec::new()).collect();
    for (index, number, words) in all {
        let Some(tool) = compiled.tools.get(index) else {
            continue;
        };
        let pattern = Pattern::new(
            &words,
            tool,
            entries.get(number).is_some_and(|entry| entry.overrides),
        )
        .map_err(|error| (number, error))?;
        if let Some(list) = compiled.patterns.get_mut(index) {
            list.push((pattern, number));
        }
    }
    Ok(compiled)
}
