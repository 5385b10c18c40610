//! What a reader may see, by domains.

use rescind_model::domain::covers;
use serde::{Deserialize, Serialize};

/// Domains that somebody may see: all, or those under some prefixes. `payments` covers `payments/prod`, not `payments2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainSet {
    /// Everything, what belongs to no domain included.
    Everything,
    /// These and what is below them. What belongs to no domain is not among them.
    Under(Vec<String>),
}

impl DomainSet {
    /// One domain and what is below it.
    #[must_use]
    pub fn under(domain: impl Into<String>) -> Self {
        Self::Under(vec![domain.into()])
    }

    /// Whether a domain is covered; an empty one only by [`DomainSet::Everything`].
    #[must_use]
    pub fn covers(&self, domain: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Under(prefixes) => prefixes.iter().any(|prefix| covers(prefix, domain)),
        }
    }

    /// Whether a domain, what is above it or what is below it is covered.
    #[must_use]
    pub fn meets(&self, domain: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Under(prefixes) => prefixes
                .iter()
                .any(|prefix| covers(prefix, domain) || covers(domain, prefix)),
        }
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::Everything
    }
}

#[cfg(test)]
mod tests {
    use super::DomainSet;

    #[test]
    fn a_prefix_covers_what_is_below_it_and_nothing_that_only_begins_alike() {
        let set = DomainSet::under("payments");
        for (domain, covered) in [
            ("payments", true),
            ("payments/prod", true),
            ("payments2", false),
            ("pay", false),
            ("", false),
        ] {
            assert_eq!(set.covers(domain), covered, "{domain}");
        }
        assert!(DomainSet::Everything.covers(""));
        assert!(!DomainSet::under("").covers("payments"));
    }
}
