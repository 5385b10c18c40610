//! What a desk has learned from approvals: the rules that all sessions share.

use super::Open;
use crate::learned::{Learned, LearnedRules, Surroundings};
use rescind_model::SessionId;
use rescind_policy::{Grant, Session};
use rescind_supervisor::holds::Lesson;

/// The oldest of more passes than this are given up.
const MOST_PASSES: usize = 64;

/// Without a directory, nothing is learned: for judging the past again.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    rules: Option<LearnedRules>,
    /// What may run once in this session instead of what was held.
    passes: Vec<Learned>,
}

impl Lessons {
    pub(super) fn of(rules: LearnedRules) -> Self {
        Self {
            rules: Some(rules),
            passes: Vec::new(),
        }
    }

    /// The permissions that are about a command.
    pub(super) fn about(&self, around: &Surroundings, policy: &str) -> Vec<Grant> {
        let passes = self
            .passes
            .iter()
            .filter(|pass| pass.is_about_once(around, policy));
        let mut about: Vec<Grant> = passes.map(|pass| pass.grant.clone()).collect();
        about.extend(self.rules.iter().flat_map(|rules| rules.about(around, policy)));
        about
    }

    /// Keep what may run once.
    pub(super) fn pass(&mut self, pass: Learned) {
        self.passes.push(pass);
        let surplus = self.passes.len().saturating_sub(MOST_PASSES);
        self.passes.drain(..surplus);
    }

    /// What may run once is about to: it does not a second time.
    pub(super) fn consume(&mut self, rule: &str) {
        self.passes.retain(|pass| pass.grant.id != rule);
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
