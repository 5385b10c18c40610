//! Reading policies: parse each statement, validate it against the schema, analyse it, index all.

use super::statements::{nesting, statements};
use super::{DEFAULT_POLICY, Kinds, Part, Place, Problem, Problems, Rule, Rules, SCHEMA, annotations};
use crate::analyse::{Analysis, analyse, without_scope};
use crate::index::{Demands, Index};
use cedar_policy::{Effect as CedarEffect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;
use rescind_model::Digest;
use std::collections::BTreeMap;

const DEFAULT_FILE: &str = "default.cedar";

/// The most of `nesting` that is read. What reads and judges policies recurses; this much leaves half of a thread's usual
/// stack (2 MiB) free in a build without optimisation.
const MOST_NESTING: usize = 200;

/// One policy, read.
struct Read {
    rule: Rule,
    part: Part,
}

pub(super) fn load(files: &[(&str, &str)], with_default: bool) -> Result<Rules, Problems> {
    let broken = |message: String| {
        Problems(vec![Problem::new(
            Place::of("rescind.cedarschema", "", 0),
            message,
        )])
    };
    let (schema, _warnings) =
        Schema::from_cedarschema_str(SCHEMA).map_err(|error| broken(error.to_string()))?;
    let kinds = Kinds::new(&schema).map_err(broken)?;
    let validator = Validator::new(schema);
    let mut problems = Vec::new();
    let mut taken: BTreeMap<String, Place> = BTreeMap::new();
    let mut own = Vec::new();
    for (file, text) in files {
        for read in file_of(file, text, &validator, &mut problems) {
            match taken.get(&read.rule.id) {
                Some(first) => problems.push(Problem::new(
                    read.rule.place.clone(),
                    format!("`{}` is the id of the policy at {first}, too", read.rule.id),
                )),
                None => drop(taken.insert(read.rule.id.clone(), read.rule.place.clone())),
            }
            own.push(read);
        }
    }
    let mut all = Vec::new();
    if with_default {
        all = file_of(DEFAULT_FILE, DEFAULT_POLICY, &validator, &mut problems);
        all.retain(|read| !taken.contains_key(&read.rule.id));
    }
    all.extend(own);
    if !problems.is_empty() {
        problems.sort_by(|one, two| one.place.cmp(&two.place));
        return Err(Problems(problems));
    }
    let demands: Vec<Demands> = all
        .iter()
        .map(|read| read.part.analysis.demands.clone())
        .collect();
    let version = version(&all);
    let (rules, parts) = all.into_iter().map(|read| (read.rule, read.part)).unzip();
    Ok(Rules {
        rules,
        parts,
        index: Index::new(&demands),
        kinds,
        version,
    })
}

/// Ids and texts, in order; each with its length, so that no two sets have the same bytes.
fn version(all: &[Read]) -> Digest {
    let mut bytes = Vec::new();
    for read in all {
        for text in [&read.rule.id, &read.rule.text] {
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    Digest::of(&bytes)
}

fn file_of(file: &str, text: &str, validator: &Validator, problems: &mut Vec<Problem>) -> Vec<Read> {
    let mut all = Vec::new();
    for range in statements(text) {
        let start = range.start;
        let statement = text.get(range).unwrap_or_default();
        match policy(file, text, start, statement, validator) {
            Ok(read) => all.push(read),
            Err(found) => problems.extend(found),
        }
    }
    all
}

fn policy(
    file: &str,
    text: &str,
    start: usize,
    own: &str,
    validator: &Validator,
) -> Result<Read, Vec<Problem>> {
    let place = Place::of(file, text, start);
    let at = |offset: usize| Place::of(file, text, start + offset);
    let wrong = |message: String| vec![Problem::new(place.clone(), message)];
    let line = format!("{file}:{}", place.line);
    if nesting(own) > MOST_NESTING {
        return Err(wrong(
            "the policy has too many operators and brackets: split it".to_owned(),
        ));
    }
    let parsed = Policy::parse(Some(PolicyId::new(&line)), own).map_err(|errors| {
        let problem = |error: &dyn Diagnostic| {
            let message = lower(&error.to_string());
            Problem::new(at(offset(error)), message).help(error.help().map(|help| help.to_string()))
        };
        errors.iter().map(|error| problem(error)).collect::<Vec<_>>()
    })?;
    let id = match parsed.annotation("id") {
        Some(id) if id.trim().is_empty() => return Err(wrong("`@id` is empty".to_owned())),
        Some(id) => id.to_owned(),
        None => line,
    };
    let parsed = parsed.new_id(PolicyId::new(&id));
    let permits = parsed.effect() == CedarEffect::Permit;
    let (annotations, effect) = annotations::read(&parsed, permits).map_err(wrong)?;
    let json = parsed.to_json().map_err(|error| wrong(error.to_string()))?;
    let mut set = PolicySet::new();
    set.add(parsed).map_err(|error| wrong(error.to_string()))?;
    let result = validator.validate(&set, ValidationMode::Strict);
    let mut invalid: Vec<Problem> = result
        .validation_errors()
        .map(|error| {
            let help = error.help().map(|help| help.to_string());
            Problem::new(at(offset(error)), told(&error.to_string())).help(help)
        })
        .collect();
    // The validator goes through the policy once for each action that it is about.
    invalid.dedup();
    if !invalid.is_empty() {
        return Err(invalid);
    }
    let analysis = analyse(&json);
    words(&analysis).map_err(wrong)?;
    if analysis.scope_is_demanded {
        let evaluated = Policy::from_json(Some(PolicyId::new(&id)), without_scope(&json));
        set = PolicySet::new();
        set.add(evaluated.map_err(|error| wrong(error.to_string()))?)
            .map_err(|error| wrong(error.to_string()))?;
    }
    let rule = Rule {
        id,
        place: place.clone(),
        effect,
        annotations,
        text: own.to_owned(),
    };
    Ok(Read {
        rule,
        part: Part { set, analysis },
    })
}

/// A word that a fact never has makes a policy that never matches: a mistake that no type finds.
fn words(analysis: &Analysis) -> Result<(), String> {
    for (dimension, word) in &analysis.constants {
        if let Some(known) = dimension.words().filter(|known| !known.contains(&word.as_str())) {
            return Err(format!(
                "`{word}` never happens there: the words are {}",
                known.join(", ")
            ));
        }
    }
    Ok(())
}

/// What a validator's message says, without the policy's name, which the place tells, and without the action.
fn told(message: &str) -> String {
    let told = message
        .strip_prefix("for policy `")
        .and_then(|rest| rest.split_once("`, "));
    let told = told.map_or(message, |(_, told)| told);
    match told.split_once(" for Action::\"") {
        Some((before, after)) => {
            let after = after.split_once('"').map_or("", |(_, after)| after);
            lower(&format!("{before}{after}"))
        }
        None => lower(told),
    }
}

/// The first byte that an error points at, within its statement.
fn offset(error: &dyn Diagnostic) -> usize {
    let label = error.labels().and_then(|mut labels| labels.next());
    label.map_or(0, |label| label.offset())
}

fn lower(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
