//! Scopes as text, one a line: `OPERATION[:SURFACE[:TARGET]]`, `until:TIME`, `uses:N`.

use super::{Operation, Pattern, Scope, Scopes};
use crate::{Surface, Timestamp};
use std::str::FromStr;

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeTextError {
    /// It does not begin with an operation.
    #[error(
        "`{text}` is no scope: it begins with read, write, delete or admin, as in `write:files:/srv/app`"
    )]
    Operation {
        /// What was given.
        text: String,
    },
    /// The surface is none.
    #[error("`{surface}` is no surface: they are files, shell, postgres, kubernetes, http, mcp")]
    Surface {
        /// What was given.
        surface: String,
    },
    /// The target is empty.
    #[error("`{text}` names no target after its surface")]
    Target {
        /// What was given.
        text: String,
    },
    /// A time or a number is none.
    #[error("`{text}` is neither `until:TIME` nor `uses:NUMBER`")]
    Bound {
        /// What was given.
        text: String,
    },
}

/// The surfaces that a scope can name.
const SURFACES: [Surface; 6] = [
    Surface::Files,
    Surface::Shell,
    Surface::Postgres,
    Surface::Kubernetes,
    Surface::Http,
    Surface::Mcp,
];

impl FromStr for Operation {
    type Err = ScopeTextError;

    fn from_str(text: &str) -> Result<Self, ScopeTextError> {
        let known = Self::ALL.into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| ScopeTextError::Operation {
            text: text.to_owned(),
        })
    }
}

/// `OPERATION[:SURFACE[:TARGET]]`. A target may hold colons; several, which have to fit all, have tabs between them.
impl FromStr for Scope {
    type Err = ScopeTextError;

    fn from_str(text: &str) -> Result<Self, ScopeTextError> {
        let mut parts = text.splitn(3, ':');
        let operation = parts
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(|_| ScopeTextError::Operation {
                text: text.to_owned(),
            })?;
        let surface = parts.next().map(|name| {
            let known = SURFACES.into_iter().find(|known| known.name() == name);
            known.ok_or_else(|| ScopeTextError::Surface {
                surface: name.to_owned(),
            })
        });
        let target = parts.next();
        if target == Some("") {
            return Err(ScopeTextError::Target {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            operations: [operation].into(),
            surface: surface.transpose()?,
            targets: target
                .iter()
                .flat_map(|all| all.split('\t'))
                .map(Pattern::new)
                .collect(),
        })
    }
}

impl Scopes {
    /// From lines. Without a line that is a scope, every operation on everything, until the end that is given.
    ///
    /// # Errors
    /// A line is none of those.
    pub fn from_lines(text: &str) -> Result<Self, ScopeTextError> {
        let (mut scopes, mut until, mut uses) = (Vec::new(), None, None);
        for line in text.lines().filter(|line| !line.is_empty()) {
            let wrong = || ScopeTextError::Bound {
                text: line.to_owned(),
            };
            if let Some(time) = line.strip_prefix("until:") {
                until = Some(time.parse::<Timestamp>().map_err(|_| wrong())?);
            } else if let Some(number) = line.strip_prefix("uses:") {
                uses = Some(number.parse::<u64>().map_err(|_| wrong())?);
            } else {
                scopes.push(line.parse()?);
            }
        }
        let all = if scopes.is_empty() {
            Self::all()
        } else {
            Self::new(scopes)
        };
        Ok(Self { until, uses, ..all })
    }

    /// As lines; `None` where a scope has several operations, or patterns for every surface, which has no text.
    #[must_use]
    pub fn to_lines(&self) -> Option<String> {
        let mut lines = Vec::new();
        for scope in self.scopes.iter().filter(|_| !self.grant_all()) {
            let operation = scope.operations.first().filter(|_| scope.operations.len() == 1)?;
            let line = match (scope.surface, scope.targets.as_slice()) {
                (None, []) => operation.name().to_owned(),
                (Some(surface), []) => format!("{}:{}", operation.name(), surface.name()),
                (Some(surface), targets) => {
                    let targets: Vec<&str> = targets.iter().map(Pattern::as_str).collect();
                    format!("{}:{}:{}", operation.name(), surface.name(), targets.join("\t"))
                }
                (None, _) => return None,
            };
            lines.push(line);
        }
        lines.extend(self.until.map(|until| format!("until:{until}")));
        lines.extend(self.uses.map(|uses| format!("uses:{uses}")));
        Some(lines.join("\n"))
    }

    /// Whether they grant everything, at any time.
    #[must_use]
    pub fn are_all(&self) -> bool {
        *self == Self::all()
    }

    /// Whether they grant everything as long as they last.
    #[must_use]
    pub fn grant_all(&self) -> bool {
        self.scopes == Self::all().scopes
    }

    /// Whether an operation on a surface is granted for any target at all.
    #[must_use]
    pub fn grant_any(&self, operation: Operation, surface: Surface) -> bool {
        self.scopes.iter().any(|scope| scope.allows(operation, surface))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Operation, Scope, Scopes, Surface, Timestamp};

    #[test]
    fn a_scope_is_read_as_it_is_written_and_nothing_else_is() {
        let scope: Scope = "write:files:/srv/a:b/**".parse().expect("a scope");
        assert!(scope.permits(Operation::Write, Surface::Files, "/srv/a:b/c/d"));
        assert!(!scope.permits(Operation::Delete, Surface::Files, "/srv/a:b/c/d"));
        assert!(
            "admin"
                .parse::<Scope>()
                .expect("a scope")
                .permits(Operation::Admin, Surface::Http, "x")
        );
        for wrong in [
            "wr",
            "write:disk",
            "write:files:",
            "Write",
            ":files",
            "until:now",
            "uses:-1",
        ] {
            assert!(Scopes::from_lines(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_are_read_back() {
        let text = "read\nwrite:files:/srv/**\t**/a\nuntil:2001-01-01T00:00:00.000000000Z\nuses:3";
        let scopes = Scopes::from_lines(text).expect("scopes");
        assert_eq!(scopes.to_lines().as_deref(), Some(text));
        assert_eq!(Scopes::from_lines(""), Ok(Scopes::all()));
        let ended = Scopes::all().until(Timestamp(1));
        assert_eq!(Scopes::from_lines(&ended.to_lines().expect("text")), Ok(ended));
    }
}
