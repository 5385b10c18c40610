//! What could be read of an action before it runs, and what that makes of its verdict: the same or a stricter one.

use super::bench::Bench;
use super::{Open, Reads, SessionDesk};
use crate::proposal::paths;
use crate::ways;
use rescind_model::{Coverage, Missing, Reversibility, Verdict, command_line};
use rescind_policy::{Counters, Grant};
use rescind_supervisor::Judged;

impl SessionDesk {
    /// Fill the ways of an action with what was read.
    pub(super) fn fill(&mut self, node: u64, read: &[Result<String, String>]) -> Option<Judged> {
        let open = self.open.get(&node)?;
        let reads = open.read.as_deref()?;
        let (mut filled, mut missing) = (Vec::new(), Vec::new());
        let none = Err("nothing was read".to_owned());
        for (at, recovery) in reads.ways.iter().enumerate() {
            let output = read.get(at).unwrap_or(&none);
            match output.clone().and_then(|output| ways::closed(recovery, &output)) {
                Ok(way) => filled.push(way),
                Err(why) => missing.push(Missing {
                    what: open.proposal.text.clone(),
                    why: format!("`{}` was not read: {why}", ways::open(recovery).read.join(" ")),
                }),
            }
        }
        let mut judged = if missing.is_empty() {
            reads.judged.clone()
        } else {
            self.tightened(node, missing, !filled.is_empty())?
        };
        if !filled.is_empty() {
            let words: Vec<String> = filled.iter().map(|way| command_line(&way.back)).collect();
            judged.form.compensation = Some(words.join("; "));
        }
        judged.ways = filled;
        Some(judged)
    }

    /// Judge again, with less coverage than was expected. Limits were asked the first time.
    fn tightened(&mut self, node: u64, missing: Vec<Missing>, some: bool) -> Option<Judged> {
        let open = self.open.get_mut(&node)?;
        let first = missing.first().map(ToString::to_string).unwrap_or_default();
        open.proposal.coverage = if some {
            Coverage::Partial(missing)
        } else {
            Coverage::NotCaptured(first.clone())
        };
        // Its inverse needs what was not read: it is not trivial without it.
        if open.proposal.class == Some(Reversibility::TriviallyReversible) {
            open.proposal.class = Some(Reversibility::ReversibleWithState);
        }
        let Open {
            proposal,
            place,
            around,
            read,
        } = self.open.get(&node)?;
        let Reads { known, judged, .. } = read.as_deref()?;
        let policy = self.rules.version().to_string();
        let learned = || -> Vec<Grant> {
            let around = around.as_ref();
            around.map_or_else(Vec::new, |around| self.lessons.about(around, &policy))
        };
        let bench = Bench {
            rules: &self.rules,
            bounds: &self.bounds,
            session: &self.session,
            history: &self.history,
            learned: &learned,
            halted: self.halted.as_ref(),
            record_only: self.record_only,
            now: (self.clock)(),
        };
        let mut again = bench.judge(known, proposal, *place, &Counters::default(), true);
        again.limited = judged.limited;
        again.learnable &= !judged.limited && around.is_some();
        again.paths = around
            .as_ref()
            .map_or_else(Vec::new, |around| paths(known, &around.cwd));
        again.form.reasons.insert(0, first);
        if strictness(&again.verdict) <= strictness(&judged.verdict) {
            again.verdict.clone_from(&judged.verdict);
            again.form.verdict.clone_from(&judged.form.verdict);
            again.form.persons = again.form.persons.max(judged.form.persons);
            again.form.groups.clone_from(&judged.form.groups);
            again.form.reasons.extend(judged.form.reasons.iter().cloned());
            if again.verdict != Verdict::Allow {
                again.form.rule = None;
            }
        } else if judged.verdict == Verdict::Allow {
            // What it had reserved to run at once; a person's word reserves it again.
            self.usage.ended(
                &self.bounds.limits,
                || super::own_writes(&self.session),
                node,
                None,
                self.clock,
            );
        }
        self.lessons.judged(again.form.rule.as_deref());
        let open = self.open.get_mut(&node)?;
        open.read.as_mut()?.judged.clone_from(&again);
        Some(again)
    }
}

fn strictness(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Hold(_) => 1,
        Verdict::Deny(_) => 2,
    }
}
