//! What a policy's text tells before it is evaluated: which values it demands, which facts it reads, whether the
//! demands are all there is to it. Read from Cedar's published JSON form of policies.
//!
//! INVARIANT: a policy whose demands are not met neither matches nor errors. So only those terms count that are
//! evaluated in any case, before anything that could error: the scope, and then the terms of the conditions'
//! conjunction from the left, up to the first that is not certain to succeed.

use crate::facts::Dimension;
use crate::index::Demands;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is known of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Analysis {
    /// What it demands.
    pub(crate) demands: Demands,
    /// The attributes of the context that it reads; `None` where it takes the context as a whole.
    pub(crate) reads: Option<BTreeSet<String>>,
    /// Whether its scope is among the demands in full, so that it need not be looked at again.
    pub(crate) scope_is_demanded: bool,
    /// Whether its conditions ask about entities: who is in what, or their attributes.
    pub(crate) asks_entities: bool,
    /// Whether it matches exactly when its demands are met, so that it need not be evaluated.
    pub(crate) exact: bool,
    /// The constants that it compares facts of a closed list of words with.
    pub(crate) constants: Vec<(Dimension, String)>,
}

/// Look at a policy in its JSON form.
pub(crate) fn analyse(policy: &Value) -> Analysis {
    let mut analysis = Analysis {
        reads: Some(BTreeSet::new()),
        exact: true,
        ..Analysis::default()
    };
    analysis.scope(policy);
    analysis.scope_is_demanded = analysis.exact;
    let mut certain = true;
    for condition in array(at(policy, "conditions")) {
        let body = at(condition, "body");
        if at(condition, "kind") == "when" {
            analysis.conjunction(body, &mut certain);
        } else {
            analysis.exact = false;
            certain &= cannot_fail(body);
        }
        analysis.look(body);
    }
    analysis
}

impl Analysis {
    fn scope(&mut self, policy: &Value) {
        let principal = at(policy, "principal");
        match (operator(principal), entity(at(principal, "entity"))) {
            ("All", _) => {}
            ("==", Some(("Agent", id))) => self.demands.add(Dimension::Agent, one(id)),
            ("in", Some(("Team", id))) => self.demands.add(Dimension::Team, one(id)),
            _ => self.exact = false,
        }
        let resource = at(policy, "resource");
        match (operator(resource), entity(at(resource, "entity"))) {
            ("All", _) => {}
            ("==", Some(("Domain", id))) => self.demands.add(Dimension::Domain, one(id)),
            ("in", Some(("Domain", id))) => self.demands.add(Dimension::DomainWithin, one(id)),
            _ => self.exact = false,
        }
        self.action(at(policy, "action"));
    }

    fn action(&mut self, action: &Value) {
        if operator(action) == "All" {
            return;
        }
        let single = std::slice::from_ref(at(action, "entity"));
        let entities = if at(action, "entity").is_null() {
            array(at(action, "entities"))
        } else {
            single
        };
        let mut operations = BTreeSet::new();
        for value in entities {
            match entity(value) {
                Some(("Action", "change")) if operator(action) == "in" => {
                    let change = crate::facts::operations().filter(|name| *name != "read");
                    operations.extend(change.map(str::to_owned));
                }
                Some(("Action", id)) => operations.extend([id.to_owned()]),
                _ => {
                    self.exact = false;
                    return;
                }
            }
        }
        self.demands.add(Dimension::Operation, operations);
    }

    /// The terms of a conjunction, from the left.
    fn conjunction(&mut self, body: &Value, certain: &mut bool) {
        if let Some((left, right)) = pair(body, "&&") {
            self.conjunction(left, certain);
            self.conjunction(right, certain);
            return;
        }
        match choice(body) {
            Some((dimension, values)) if *certain => self.demands.add(dimension, values),
            _ => {
                self.exact = false;
                *certain &= cannot_fail(body);
            }
        }
    }

    /// Which facts are read, which constants they are compared with, and whether entities are asked about.
    fn look(&mut self, body: &Value) {
        if let Some((dimension, values)) = choice(body)
            && dimension.words().is_some()
        {
            self.constants
                .extend(values.into_iter().map(|value| (dimension, value)));
        }
        match body {
            Value::Object(map) => {
                for (name, value) in map {
                    if let ("." | "has", Some(attribute)) = (name.as_str(), context_attribute(value)) {
                        if let Some(reads) = &mut self.reads {
                            reads.insert(attribute.to_owned());
                        }
                    } else if name == "Var" && value == "context" {
                        self.reads = None;
                    } else if name == "Var" || name == "__entity" {
                        self.asks_entities = true;
                    } else {
                        self.look(value);
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.look(value)),
            _ => {}
        }
    }
}

/// A term that says that a fact is one of some constants: `==` either way round, `[..].contains(..)`, and `||` between
/// such terms of one fact.
fn choice(term: &Value) -> Option<(Dimension, BTreeSet<String>)> {
    if let Some((left, right)) = pair(term, "==") {
        let (fact, constant) = match fact(left) {
            Some(fact) => (fact, right),
            None => (fact(right)?, left),
        };
        return Some((fact, one(at(constant, "Value").as_str()?)));
    }
    if let Some((left, right)) = pair(term, "contains") {
        let constants = at(left, "Set")
            .as_array()?
            .iter()
            .map(|value| at(value, "Value").as_str());
        let constants: Option<Vec<&str>> = constants.collect();
        return Some((fact(right)?, constants?.into_iter().map(str::to_owned).collect()));
    }
    let (left, right) = pair(term, "||")?;
    let ((dimension, mut values), (other, more)) = (choice(left)?, choice(right)?);
    values.extend(more);
    (dimension == other).then_some((dimension, values))
}

/// The same policy for every scope: what is evaluated of a policy whose scope is among its demands.
pub(crate) fn without_scope(policy: &Value) -> Value {
    let mut policy = policy.clone();
    if let Some(parts) = policy.as_object_mut() {
        for part in ["principal", "action", "resource"] {
            parts.insert(part.to_owned(), serde_json::json!({"op": "All"}));
        }
    }
    policy
}

/// Whether evaluating a term of a validated policy is certain not to error. Such a policy is well typed, and every
/// entity it meets exists, so that only arithmetic (which overflows) and calls of extensions are left.
fn cannot_fail(term: &Value) -> bool {
    const SAFE: [&str; 17] = [
        "Var", "Value", ".", "has", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "in", "contains",
        "like", "Set",
    ];
    let Some(map) = term.as_object() else { return false };
    map.iter().all(|(name, value)| {
        SAFE.contains(&name.as_str())
            && match (name.as_str(), value) {
                ("Var" | "Value", _) => true,
                ("." | "has", access) => certain_entity(at(access, "left")),
                (_, Value::Array(values)) => values.iter().all(cannot_fail),
                (_, Value::Object(parts)) => {
                    let operands = parts
                        .iter()
                        .filter(|(name, _)| matches!(name.as_str(), "left" | "right" | "arg"));
                    operands.map(|(_, operand)| operand).all(cannot_fail)
                }
                _ => false,
            }
    })
}

/// Whether what an attribute is asked of is there in any case: a variable, or an attribute of one. An entity that a
/// policy names itself need not exist.
fn certain_entity(term: &Value) -> bool {
    let deeper = term
        .get(".")
        .is_some_and(|access| certain_entity(at(access, "left")));
    deeper || term.get("Var").is_some()
}

fn fact(term: &Value) -> Option<Dimension> {
    Dimension::of_attribute(context_attribute(at(term, "."))?)
}

fn context_attribute(access: &Value) -> Option<&str> {
    let own = at(at(access, "left"), "Var") == "context";
    at(access, "attr").as_str().filter(|_| own)
}

fn pair<'v>(term: &'v Value, operator: &str) -> Option<(&'v Value, &'v Value)> {
    let operands = term.as_object().filter(|map| map.len() == 1)?.get(operator)?;
    Some((operands.get("left")?, operands.get("right")?))
}

fn operator(scope: &Value) -> &str {
    at(scope, "op").as_str().unwrap_or_default()
}

fn entity(value: &Value) -> Option<(&str, &str)> {
    let value = value.get("__entity").unwrap_or(value);
    Some((value.get("type")?.as_str()?, value.get("id")?.as_str()?))
}

/// A field of an object; null where there is none.
fn at<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn one(value: &str) -> BTreeSet<String> {
    BTreeSet::from([value.to_owned()])
}
