//! The stages, one after the other, on one judgement in the making.

use super::{Input, Judgement, Match, Reason, Says, Stage, Who};
use crate::facts::Facts;
use crate::rules::REVIEWER;
use crate::{Ask, Breaker, Effect, Exceeded, Freezes, Limits, Rule, Rules};
use rescind_model::{Coverage, Operation, RiskScore, ScopeError, Surface, Verdict};
use std::collections::BTreeSet;

pub(super) struct Judging<'j> {
    rules: &'j Rules,
    input: &'j Input<'j>,
    risk: RiskScore,
    new: bool,
    stronger: bool,
    reasons: Vec<Reason>,
    who: Option<Who>,
    halts: bool,
    notify: BTreeSet<String>,
    auto_undo: bool,
    matched: Vec<Match>,
    whitelisted: Option<String>,
    limit: Option<Exceeded>,
}

impl<'j> Judging<'j> {
    pub(super) fn new(
        rules: &'j Rules,
        input: &'j Input<'j>,
        risk: RiskScore,
        new: bool,
        stronger: bool,
    ) -> Self {
        Self {
            rules,
            input,
            risk,
            new,
            stronger,
            reasons: Vec::new(),
            who: None,
            halts: false,
            notify: BTreeSet::new(),
            auto_undo: false,
            matched: Vec::new(),
            whitelisted: None,
            limit: None,
        }
    }

    fn say(&mut self, stage: Stage, says: Says, text: impl Into<String>) {
        self.reasons.push(Reason {
            stage,
            text: text.into(),
            says,
        });
    }

    fn hold(&mut self, stage: Stage, who: Who, text: impl Into<String>) {
        self.say(stage, Says::Hold, text);
        self.who = Some(match self.who.take() {
            Some(own) => own.and(who),
            None => who,
        });
    }

    pub(super) fn freeze(&mut self, freezes: &Freezes) {
        if self.input.proposal.only_reads() {
            return;
        }
        for freeze in freezes.holding(self.input.session, self.input.now) {
            let text = format!(
                "nothing is changed during the freeze `{}`: {}",
                freeze.id, freeze.reason
            );
            self.say(Stage::Freeze, Says::Deny, text);
        }
    }

    pub(super) fn scope(&mut self) {
        if let Err(refused) = self.scope_permits() {
            self.say(Stage::Scope, Says::Deny, refused);
        }
    }

    fn scope_permits(&self) -> Result<(), String> {
        let (proposal, session) = (self.input.proposal, self.input.session);
        let scopes = &session.scopes;
        let told = |error: ScopeError| error.to_string();
        scopes.lives(self.input.now, session.actions).map_err(told)?;
        // Every change of a captured process tree is judged again by its own target: what a command's words say that it
        // writes need not be it (`cp FROM TO`), nor is what nobody understands known to write at all.
        let seen = seen_change_by_change(proposal.surface, &proposal.coverage);
        // What a command changes besides files is not captured: all that this one writes are files.
        let writes_files = seen
            && proposal.surface == Surface::Shell
            && proposal.operation == Operation::Write
            && scopes.grant_any(Operation::Write, Surface::Files);
        let unsure = seen && proposal.class.is_none() || writes_files;
        let vague = seen && (proposal.class.is_none() || proposal.operation == Operation::Write);
        for target in &proposal.targets {
            match scopes.permits(proposal.operation, proposal.surface, target) {
                Err(ScopeError::Target { .. } | ScopeError::NotPlain { .. }) if vague => {}
                Err(ScopeError::Operation { .. }) if unsure => {}
                permitted => permitted.map_err(told)?,
            }
        }
        if !proposal.targets.is_empty() {
            return Ok(());
        }
        match scopes.permits(proposal.operation, proposal.surface, "") {
            Ok(()) => Ok(()),
            Err(ScopeError::Target { .. }) if seen => Ok(()),
            Err(ScopeError::Operation { .. }) if unsure => Ok(()),
            Err(ScopeError::Target { granted, .. }) => Err(format!(
                "what it touches can't be told, and this session may only {granted}"
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn breaker(&mut self, breaker: Breaker) {
        for trip in breaker.trips(self.input.proposal, self.input.history) {
            self.halts = true;
            self.hold(
                Stage::Breaker,
                Who::one(REVIEWER),
                format!("{trip}: the session is halted"),
            );
        }
    }

    /// Policies, and the learned rules that answer for the persons that they ask for.
    pub(super) fn policy(&mut self) {
        let found = self.rules.evaluate(&Facts {
            proposal: self.input.proposal,
            session: self.input.session,
            risk: self.risk.points(),
            new: self.new,
            stronger: self.stronger,
        });
        let rules = self.rules.rules();
        let matched: Vec<&Rule> = found
            .matched
            .iter()
            .filter_map(|number| rules.get(*number))
            .collect();
        for rule in &matched {
            self.matched.push(Match::of(rule, None));
            self.notify.extend(rule.annotations.notify.clone());
            self.auto_undo |= rule.annotations.auto_undo;
        }
        for (number, why) in found.failed {
            if let Some(rule) = rules.get(number) {
                self.matched.push(Match::of(rule, Some(why.clone())));
                let text = format!("`{}` could not be evaluated: {why}", rule.id);
                self.hold(Stage::Policy, asked_by(rule), text);
            }
        }
        for rule in matched.iter().filter(|rule| rule.effect == Effect::Deny) {
            let why = rule
                .annotations
                .deny
                .as_deref()
                .or(rule.annotations.because.as_deref());
            self.say(
                Stage::Policy,
                Says::Deny,
                format!("`{}`: {}", rule.id, why.unwrap_or("it is forbidden")),
            );
        }
        self.holds(&matched);
    }

    /// What matching policies hold for, unless a learned rule has answered it.
    fn holds(&mut self, matched: &[&Rule]) {
        let mut holds: Vec<(Who, String)> = Vec::new();
        for rule in matched.iter().filter(|rule| rule.effect == Effect::Hold) {
            let why = rule
                .annotations
                .because
                .as_deref()
                .unwrap_or("somebody has to decide");
            holds.push((asked_by(rule), format!("`{}`: {why}", rule.id)));
        }
        let runs: Vec<&str> = matched
            .iter()
            .filter(|rule| rule.effect == Effect::Run)
            .map(|rule| rule.id.as_str())
            .collect();
        if holds.is_empty() && runs.is_empty() && !matched.iter().any(|rule| rule.effect == Effect::Deny) {
            holds.push((Who::one(REVIEWER), "no policy says that it may run".to_owned()));
        }
        let Some(who) = holds.iter().map(|(who, _)| who.clone()).reduce(Who::and) else {
            if !runs.is_empty() {
                self.say(
                    Stage::Policy,
                    Says::Allow,
                    format!("`{}` lets it run", runs.join("`, `")),
                );
            }
            return;
        };
        let input = self.input;
        let mut grants = input.whitelist.covering(input.proposal, input.session, input.now);
        if let Some(grant) = grants.find(|grant| grant.answers(&who)) {
            let persons: Vec<&str> = grant.persons.iter().map(String::as_str).collect();
            let text = format!(
                "`{}` was approved before by {}, until {}",
                grant.id,
                persons.join(" and "),
                grant.until
            );
            self.whitelisted = Some(grant.id.clone());
            self.say(Stage::Whitelist, Says::Allow, text);
            for (_, text) in holds {
                self.say(Stage::Policy, Says::Allow, format!("{text} (answered)"));
            }
            return;
        }
        for (who, text) in holds {
            self.hold(Stage::Policy, who, text);
        }
    }

    pub(super) fn limits(&mut self, limits: &Limits) {
        let ask = Ask::of(self.input.proposal, self.input.session);
        if let Err(hit) = limits.reserve(self.input.counters, &ask, self.input.now) {
            self.hold(Stage::Limits, Who::one(REVIEWER), hit.to_string());
            self.limit = Some(hit);
        }
    }

    pub(super) fn end(self) -> Judgement {
        let strictest = self
            .reasons
            .iter()
            .map(|reason| reason.says)
            .max()
            .unwrap_or(Says::Hold);
        let texts = |says: Says| {
            let own = self.reasons.iter().filter(|reason| reason.says == says);
            own.map(ToString::to_string).collect::<Vec<String>>()
        };
        let verdict = match strictest {
            Says::Allow => Verdict::Allow,
            Says::Hold => Verdict::Hold(texts(Says::Hold)),
            Says::Deny => Verdict::Deny(texts(Says::Deny)),
        };
        Judgement {
            who: self.who.filter(|_| strictest == Says::Hold),
            verdict,
            reasons: self.reasons,
            halts: self.halts,
            notify: self.notify,
            auto_undo: self.auto_undo && strictest == Says::Allow,
            risk: self.risk,
            recovery: crate::recovery(self.input.proposal),
            matched: self.matched,
            whitelisted: self.whitelisted,
            limit: self.limit,
            policy_version: self.rules.version(),
        }
    }
}

fn asked_by(rule: &Rule) -> Who {
    let annotations = &rule.annotations;
    Who {
        groups: BTreeSet::from([annotations.hold.clone().unwrap_or_else(|| REVIEWER.to_owned())]),
        persons: if annotations.two_person { 2 } else { 1 },
    }
}

fn seen_change_by_change(surface: Surface, coverage: &Coverage) -> bool {
    matches!(surface, Surface::Files | Surface::Shell) && *coverage == Coverage::Captured
}

impl Match {
    fn of(rule: &Rule, failed: Option<String>) -> Self {
        Self {
            id: rule.id.clone(),
            place: rule.place.clone(),
            effect: rule.effect,
            annotations: rule.annotations.clone(),
            failed,
        }
    }
}
