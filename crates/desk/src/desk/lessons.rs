//! What a desk has learned from approvals: the rules that all sessions share, and what may run once here.

use super::Open;
use crate::learned::{Learned, LearnedError, LearnedRules, Surroundings};
use rescind_model::SessionId;
use rescind_policy::{Grant, Session};
use rescind_supervisor::holds::Lesson;
use std::cell::RefCell;

/// The oldest of more passes than this are given up.
const MOST_PASSES: usize = 64;

/// Without a directory, nothing is learned: for judging the past again.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    rules: Option<LearnedRules>,
    /// The client's session, where each of its calls is a session here.
    client: Option<String>,
    /// What may run once in this session instead of what was held.
    passes: Vec<Learned>,
    /// What can be used once and was taken for the action at hand: used up by it, or put back.
    claimed: RefCell<Vec<Learned>>,
}

impl Lessons {
    pub(super) fn of(rules: LearnedRules, client: Option<String>) -> Self {
        Self {
            rules: Some(rules),
            client,
            ..Self::default()
        }
    }

    /// The permissions that are about a command.
    pub(super) fn about(&self, around: &Surroundings, policy: &str) -> Vec<Grant> {
        let client = self.client.as_deref();
        let passes = self
            .passes
            .iter()
            .filter(|pass| pass.is_about(around, policy, client));
        let mut about: Vec<Grant> = passes.map(|pass| pass.grant.clone()).collect();
        let mut claimed = self.claimed.borrow_mut();
        about.extend(claimed.iter().map(|rule| rule.grant.clone()));
        let Some(rules) = &self.rules else { return about };
        for rule in rules.about(around, policy, client) {
            if rule.once && !rules.claim(&rule.grant.id) {
                continue;
            }
            about.push(rule.grant.clone());
            if rule.once {
                claimed.push(rule);
            }
        }
        about
    }

    /// The action at hand was judged, and runs by this rule, if by one: what can be used once is used up by that. A
    /// supervisor that dies before it could put back what it did not need has used it up, too.
    pub(super) fn judged(&mut self, rule: Option<&str>) {
        self.passes.retain(|pass| Some(&*pass.grant.id) != rule);
        let Some(rules) = &self.rules else { return };
        for claimed in self.claimed.get_mut().drain(..) {
            if Some(&*claimed.grant.id) != rule {
                let _used_up_then = rules.keep(&claimed);
            }
        }
    }

    /// Keep what may run once: in the client's session where there is one, else in this one.
    pub(super) fn pass(&mut self, pass: Learned) -> Result<(), String> {
        if let (Some(rules), Some(client)) = (&self.rules, &self.client) {
            return rules
                .keep(&pass.within(Some(client)))
                .map_err(|error| told(&error));
        }
        self.passes.push(pass);
        let surplus = self.passes.len().saturating_sub(MOST_PASSES);
        self.passes.drain(..surplus);
        Ok(())
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
        let kept = rule.and_then(|rule| rules.keep(&rule.within(self.client.as_deref())));
        kept.map_err(|error| told(&error))
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

fn told(error: &LearnedError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
