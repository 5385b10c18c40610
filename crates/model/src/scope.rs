//! Scopes: what a session's credentials let it do, by operation, surface and target.

use crate::{Surface, Timestamp};
use std::collections::BTreeSet;
use std::fmt;

mod text;

pub use text::ScopeTextError;

/// What an action does to its targets, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Looks, and changes nothing.
    Read,
    /// Makes or changes.
    Write,
    /// Takes away.
    Delete,
    /// Changes who may do what, or how the resource itself is run: roles, keys, schemas, settings.
    Admin,
}

/// A pattern of target names: `*` stands for any text without a `/`, `**` for any text, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(String);

/// Some operations, on some targets of one surface or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What may be done.
    pub operations: BTreeSet<Operation>,
    /// Where; `None` is every surface.
    pub surface: Option<Surface>,
    /// To what: the target has to fit all of these. None at all is every target.
    pub targets: Vec<Pattern>,
}

/// All that a credential grants: any one of its scopes is enough, until a time. No scopes grant nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    scopes: Vec<Scope>,
    until: Option<Timestamp>,
    uses: Option<u64>,
}

/// Why a scope did not permit an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The time is over.
    #[error("the session's credentials ended at {until}")]
    Ended {
        /// When.
        until: Timestamp,
    },
    /// They were used as often as they could be.
    #[error("the session's credentials were for {uses} actions, and all of them are used")]
    Used {
        /// How many.
        uses: u64,
    },
    /// The operation on the surface is granted for no target at all.
    #[error("this session may not {} on {}: it may {granted}", operation.verb(), surface.name())]
    Operation {
        /// What was asked.
        operation: Operation,
        /// Where.
        surface: Surface,
        /// What it may.
        granted: String,
    },
    /// The operation is granted, for other targets.
    #[error("this session may not {} `{target}`: it may {granted}", operation.verb())]
    Target {
        /// What was asked.
        operation: Operation,
        /// To what.
        target: String,
        /// What it may.
        granted: String,
    },
    /// A name with `.` or `..` in it could mean another target than the one a pattern sees.
    #[error("`{target}` is not a plain name: `.` and `..` have to be resolved before it can be judged")]
    NotPlain {
        /// The name.
        target: String,
    },
}

impl Operation {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::Admin];

    /// Its name in records and policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Admin => "administer",
            other => other.name(),
        }
    }
}

impl Pattern {
    /// A pattern from its text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits. The work is bounded by the product of both lengths.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        let name = name.as_bytes();
        // reached[i]: what was read of the pattern can stand for the first i bytes of the name.
        let mut reached = vec![false; name.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        let mut rest = self.0.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte == b'*' {
                let deep = rest.first() == Some(&b'*');
                while rest.first() == Some(&b'*') {
                    rest = rest.get(1..).unwrap_or_default();
                }
                spread(&mut reached, name, deep);
            } else {
                step(&mut reached, name, byte);
            }
        }
        reached.last().copied().unwrap_or(false)
    }
}

/// After a star: from every place reached, every later one, up to a `/` unless it is a deep star.
fn spread(reached: &mut [bool], name: &[u8], deep: bool) {
    let mut open = false;
    for (place, now) in reached.iter_mut().enumerate() {
        let crossed = place.checked_sub(1).and_then(|before| name.get(before));
        if !deep && crossed == Some(&b'/') {
            open = false;
        }
        open |= *now;
        *now = open;
    }
}

/// After a byte: one place on, where the name has that byte.
fn step(reached: &mut [bool], name: &[u8], byte: u8) {
    let mut before = false;
    for (place, now) in reached.iter_mut().enumerate() {
        let fits = place.checked_sub(1).and_then(|before| name.get(before)) == Some(&byte);
        let next = before && fits;
        before = *now;
        *now = next;
    }
}

impl Scope {
    /// Whether it permits this operation on this target.
    #[must_use]
    pub fn permits(&self, operation: Operation, surface: Surface, target: &str) -> bool {
        self.allows(operation, surface) && self.targets.iter().all(|pattern| pattern.fits(target))
    }

    fn allows(&self, operation: Operation, surface: Surface) -> bool {
        self.operations.contains(&operation) && self.surface.is_none_or(|own| own == surface)
    }

    /// What both permit, if there can be anything.
    fn and(&self, other: &Self) -> Option<Self> {
        let operations: BTreeSet<Operation> =
            self.operations.intersection(&other.operations).copied().collect();
        let surface = match (self.surface, other.surface) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.or(two),
        };
        let mut targets = self.targets.clone();
        for pattern in &other.targets {
            if !targets.contains(pattern) {
                targets.push(pattern.clone());
            }
        }
        (!operations.is_empty()).then_some(Self {
            operations,
            surface,
            targets,
        })
    }
}

impl Scopes {
    /// Scopes without an end.
    #[must_use]
    pub fn new(scopes: Vec<Scope>) -> Self {
        Self {
            scopes,
            until: None,
            uses: None,
        }
    }

    /// Every operation on everything.
    #[must_use]
    pub fn all() -> Self {
        Self::new(vec![Scope {
            operations: Operation::ALL.into(),
            surface: None,
            targets: Vec::new(),
        }])
    }

    /// With an end: from that time on they permit nothing.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(self.until.map_or(until, |own| own.min(until)));
        self
    }

    /// For so many actions. Reads count.
    #[must_use]
    pub fn uses(mut self, uses: u64) -> Self {
        self.uses = Some(self.uses.map_or(uses, |own| own.min(uses)));
        self
    }

    /// The scopes.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// When they end, if ever.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        self.until
    }

    /// For how many actions they are, if that is bounded.
    #[must_use]
    pub fn most_uses(&self) -> Option<u64> {
        self.uses
    }

    /// What a subagent gets that asks for `asked`: what both permit, and never more than either.
    #[must_use]
    pub fn narrow(&self, asked: &Self) -> Self {
        let mut scopes: Vec<Scope> = Vec::new();
        for own in &self.scopes {
            for both in asked.scopes.iter().filter_map(|other| own.and(other)) {
                if !scopes.contains(&both) {
                    scopes.push(both);
                }
            }
        }
        Self {
            scopes,
            until: [self.until, asked.until].into_iter().flatten().min(),
            uses: [self.uses, asked.uses].into_iter().flatten().min(),
        }
    }

    /// Whether the credential is still good, after `used` actions.
    ///
    /// # Errors
    /// It has ended, or is used up.
    pub fn lives(&self, now: Timestamp, used: u64) -> Result<(), ScopeError> {
        if let Some(until) = self.until.filter(|until| now >= *until) {
            return Err(ScopeError::Ended { until });
        }
        match self.uses {
            Some(uses) if used >= uses => Err(ScopeError::Used { uses }),
            _ => Ok(()),
        }
    }

    /// Whether an operation on a target is granted.
    ///
    /// # Errors
    /// It is not: the error says what is.
    pub fn permits(&self, operation: Operation, surface: Surface, target: &str) -> Result<(), ScopeError> {
        let free = |scope: &Scope| scope.allows(operation, surface) && scope.targets.is_empty();
        if self.scopes.iter().any(free) {
            return Ok(());
        }
        if target.split('/').any(|part| part == "." || part == "..") {
            return Err(ScopeError::NotPlain {
                target: target.to_owned(),
            });
        }
        if self
            .scopes
            .iter()
            .any(|scope| scope.permits(operation, surface, target))
        {
            return Ok(());
        }
        let granted = self.to_string();
        if self.scopes.iter().any(|scope| scope.allows(operation, surface)) {
            return Err(ScopeError::Target {
                operation,
                target: target.to_owned(),
                granted,
            });
        }
        Err(ScopeError::Operation {
            operation,
            surface,
            granted,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.verb()).collect();
        write!(
            f,
            "{} on {}",
            operations.join(", "),
            self.surface.map_or("every surface", Surface::name)
        )?;
        for (place, pattern) in self.targets.iter().enumerate() {
            write!(f, "{} `{pattern}`", if place == 0 { " within" } else { " and" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scopes.is_empty() {
            return f.write_str("do nothing");
        }
        for (place, scope) in self.scopes.iter().enumerate() {
            write!(f, "{}{scope}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
