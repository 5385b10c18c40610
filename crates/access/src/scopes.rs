//! Scopes as the file has them: JSON, because their text form has no words for all that narrowing can make.

use rescind_model::{Operation, Pattern, Scope, Scopes, Surface, Timestamp};
use serde::{Deserialize, Serialize};

/// The most bytes that the scopes of one token may take.
pub(crate) const LONGEST: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesForm {
    scopes: Vec<ScopeForm>,
    until: Option<i64>,
    uses: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeForm {
    operations: Vec<String>,
    surface: Option<String>,
    targets: Vec<String>,
}

/// The JSON of scopes; `None` where they could not be read back as they are.
pub(crate) fn write(scopes: &Scopes) -> Option<String> {
    let form = ScopesForm {
        scopes: scopes.scopes().iter().map(form).collect(),
        until: scopes.ends().map(|until| until.0),
        uses: scopes.most_uses(),
    };
    let text = serde_json::to_string(&form).ok()?;
    (read(&text).as_ref() == Some(scopes)).then_some(text)
}

/// The scopes of a JSON; `None` is damage, never everything.
pub(crate) fn read(text: &str) -> Option<Scopes> {
    let form: ScopesForm = serde_json::from_str(text).ok()?;
    let list: Option<Vec<Scope>> = form.scopes.iter().map(scope).collect();
    let mut scopes = Scopes::new(list?);
    if let Some(until) = form.until {
        scopes = scopes.until(Timestamp(until));
    }
    if let Some(uses) = form.uses {
        scopes = scopes.uses(uses);
    }
    Some(scopes)
}

fn form(scope: &Scope) -> ScopeForm {
    let names = scope
        .operations
        .iter()
        .map(|operation| operation.name().to_owned());
    ScopeForm {
        operations: names.collect(),
        surface: scope.surface.map(|surface| surface.name().to_owned()),
        targets: scope
            .targets
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
    }
}

fn scope(form: &ScopeForm) -> Option<Scope> {
    let operations: Result<_, _> = form
        .operations
        .iter()
        .map(|name| name.parse::<Operation>())
        .collect();
    Some(Scope {
        operations: operations.ok()?,
        surface: match &form.surface {
            Some(name) => Some(surface(name)?),
            None => None,
        },
        targets: form.targets.iter().map(Pattern::new).collect(),
    })
}

fn surface(name: &str) -> Option<Surface> {
    format!("read:{name}").parse::<Scope>().ok()?.surface
}
