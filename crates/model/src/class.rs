//! The class of a command before it runs: how far it can be taken back, that it has no effect, or that nobody can tell.

use crate::Reversibility;
use std::cmp::Ordering;
use std::fmt;

/// What is known, before it runs, of how far an action can be taken back. Ordered from best to worst.
///
/// `Unknown` is worse than everything but `Irreversible`: what can't be understood is never safe, and a part that is
/// known to be lost for good is not hidden by another one that nobody understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It reads only.
    NoEffect,
    /// It changes something, and this is how far that can be taken back.
    Known(Reversibility),
    /// What it does can't be told from the command.
    Unknown,
}

impl Class {
    /// All classes, best first.
    pub const ALL: [Self; 7] = [
        Self::NoEffect,
        Self::Known(Reversibility::TriviallyReversible),
        Self::Known(Reversibility::ReversibleWithState),
        Self::Known(Reversibility::ReversibleWithBackup),
        Self::Known(Reversibility::PartiallyReversible),
        Self::Unknown,
        Self::Known(Reversibility::Irreversible),
    ];

    /// The class's name in records and catalog files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEffect => "no_effect",
            Self::Known(reversibility) => reversibility.name(),
            Self::Unknown => "unknown",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The worse of two: a compound is as bad as its worst part.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }

    fn rank(self) -> u8 {
        match self {
            Self::NoEffect => 0,
            Self::Known(Reversibility::TriviallyReversible) => 1,
            Self::Known(Reversibility::ReversibleWithState) => 2,
            Self::Known(Reversibility::ReversibleWithBackup) => 3,
            Self::Known(Reversibility::PartiallyReversible) => 4,
            Self::Unknown => 5,
            Self::Known(Reversibility::Irreversible) => 6,
        }
    }
}

impl Ord for Class {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Class {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Class;
    use crate::Reversibility;

    #[test]
    fn classes_are_listed_from_best_to_worst_and_named_both_ways() {
        assert!(Class::ALL.is_sorted());
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
        }
        assert_eq!(Class::from_name("safe"), None);
    }

    #[test]
    fn what_is_unknown_is_never_better_than_what_is_partly_lost() {
        let partly = Class::Known(Reversibility::PartiallyReversible);
        assert_eq!(Class::Unknown.worst(partly), Class::Unknown);
        let lost = Class::Known(Reversibility::Irreversible);
        assert_eq!(Class::Unknown.worst(lost), lost);
    }
}
