//! What a desk has learned from approvals: the rules that all sessions share.

use super::Open;
use crate::learned::{Learned, LearnedRules, Surroundings};
use rescind_model::SessionId;
use rescind_policy::{Grant, Session};
use rescind_supervisor::holds::Lesson;

/// Without a directory, nothing is learned: for judging the past again.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    rules: Option<LearnedRules>,
}

impl Lessons {
    pub(super) fn of(rules: LearnedRules) -> Self {
        Self { rules: Some(rules) }
    }

    /// The permissions that are about a command.
    pub(super) fn about(&self, around: &Surroundings, policy: &str) -> Vec<Grant> {
        let rules = self.rules.as_ref();
        rules.map_or_else(Vec::new, |rules| rules.about(around, policy))
    }

    pub(super) fn learn(
        &self,
        lesson: &Lesson,
        open: &Open,
        session: &Session,
        policy: &str,
    ) -> Result<(), String> {
        let (Some(around), Some(rules)) = (&open.around, &self.rules) else {
            return Err("it was not held by policies alone".to_owned());
        };
        let rule = Learned::of(lesson, &open.proposal, session, around, policy);
        let kept = rule.and_then(|rule| rules.keep(&rule));
        kept.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }

    pub(super) fn used(&self, rule: &str, action: &str) {
        if let Some(rules) = &self.rules {
            rules.used(rule, action);
        }
    }

    pub(super) fn closed(&self, session: &SessionId) {
        if let Some(rules) = &self.rules {
            rules.session_over(session);
        }
    }
}
