//! Shell calls of clients that take no changed command: judged by their text, recorded, and not captured.

use super::limits;
use crate::commands::bounds;
use crate::commands::calls::Word;
use crate::commands::keeper;
use crate::person::person;
use rescind_catalog::Context;
use rescind_desk::{Configuration, ConfigurationError, proposal};
use rescind_hooks::{Answer, Call};
use rescind_model::{Class, Coverage, Digest, Missing, Scopes, SessionId, Verdict, chain};
use rescind_policy::{Counters, Environment, History, Input, Judge, Session, Whitelist};
use rescind_supervisor::journal::{FactorForm, JudgedForm};
use rescind_supervisor::{Home, Store, now, session_id};

/// Why nothing of such a call is captured.
const NOT_CAPTURED: &str = "this client takes no changed command, so that nothing of it is captured";

/// Judge a shell call, record it, and say what is to be done.
#[must_use]
pub fn judge(home: &Home, call: &Call, command: &str, word: &Word) -> Answer {
    let id = session_id();
    let layers = limits::layers(call.client.name(), call.subagent.is_some());
    let scopes = match layers.and_then(|layers| bounds::together(&layers)) {
        Ok(may) => may.scopes,
        Err(failure) => {
            let why = format!("{}; the call was not made", failure.message());
            return Answer::Deny { why };
        }
    };
    let judged = match judged(call, command, &id, word, scopes) {
        Ok(judged) => judged,
        Err(error) => {
            return Answer::Deny {
                why: format!("nothing can be judged ({}); the call was not made", chain(&error)),
            };
        }
    };
    let (form, verdict) = judged;
    let known = form.class == Class::NoEffect.name();
    let reasons = form.reasons.join("; ");
    let recorded = Store::open(home.clone())
        .map_err(|error| chain(&error))
        .and_then(|store| {
            let missing = (!known).then_some(NOT_CAPTURED);
            keeper::record(&store, &id, word, (command, &call.cwd), form, missing)
                .map_err(|error| chain(&*error))
        });
    if let Err(why) = recorded {
        return Answer::Deny {
            why: format!("the call can't be recorded ({why}); it was not made"),
        };
    }
    let not_captured = "what it changes is not captured by the kernel: this client takes no changed command";
    match verdict {
        Verdict::Allow if known => Answer::Pass,
        Verdict::Allow => Answer::Note {
            text: format!("rescind: allowed by its text; {not_captured}"),
        },
        Verdict::Hold(_) => Answer::Ask {
            why: format!("rescind: {reasons}; {not_captured}"),
        },
        Verdict::Deny(_) => Answer::Deny { why: reasons },
    }
}

fn judged(
    call: &Call,
    command: &str,
    id: &SessionId,
    word: &Word,
    scopes: Scopes,
) -> Result<(JudgedForm, Verdict), ConfigurationError> {
    let configuration = Configuration::of_user();
    let context = Context {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..Context::default()
    };
    let catalog = configuration.catalog()?;
    let known = catalog.judge_text(command, &context);
    let cwd = call.cwd.display().to_string();
    let digest = Digest::of(format!("{command}\0{cwd}").as_bytes());
    let mut proposal = proposal(&catalog, &known, command.to_owned(), digest, &cwd);
    // Nothing sees what it does: it is as bad as without any capture.
    proposal.class = match known.uncaptured {
        Class::NoEffect => proposal.class,
        Class::Known(class) => Some(class),
        Class::Unknown => None,
    };
    if known.uncaptured > Class::NoEffect {
        proposal.coverage = Coverage::NotCaptured(
            Missing {
                what: command.to_owned(),
                why: NOT_CAPTURED.to_owned(),
            }
            .to_string(),
        );
    }
    let (rules, bounds) = (configuration.rules()?, configuration.bounds()?);
    let judge = Judge {
        rules: &rules,
        bounds: &bounds,
    };
    let judgement = judge.judge(&Input {
        proposal: &proposal,
        session: &Session {
            id: id.clone(),
            agent: word.client.client.clone(),
            teams: Vec::new(),
            owner: person(),
            domain: String::new(),
            environment: Environment::Unknown,
            scopes,
            started: now(),
            actions: 0,
        },
        history: &History::default(),
        whitelist: &Whitelist::default(),
        counters: &Counters::default(),
        now: now(),
    });
    let mut reasons = match &judgement.verdict {
        Verdict::Allow => Vec::new(),
        Verdict::Hold(reasons) | Verdict::Deny(reasons) => reasons.clone(),
    };
    if known.uncaptured > Class::NoEffect {
        reasons.extend(known.reasons.iter().cloned());
    }
    let factor = |factor: &rescind_model::RiskFactor| FactorForm {
        name: factor.name.to_owned(),
        points: factor.points,
        why: factor.sentence.clone(),
    };
    let who = judgement.who.as_ref();
    let form = JudgedForm {
        class: known.uncaptured.name().to_owned(),
        kind: proposal.kind.clone(),
        score: judgement.risk.points(),
        factors: judgement.risk.factors().iter().map(factor).collect(),
        verdict: judgement.verdict.name().to_owned(),
        reasons,
        recovery: judgement.recovery.to_string(),
        policy: judgement.policy_version.to_string(),
        uncovered: vec![NOT_CAPTURED.to_owned()],
        persons: who.map_or(0, |who| who.persons),
        groups: who.map_or_else(Vec::new, |who| who.groups.iter().cloned().collect()),
        notify: judgement.notify.iter().cloned().collect(),
        auto_undo: false,
        entry: None,
        compensation: None,
        advice: None,
        rule: None,
    };
    Ok((form, judgement.verdict))
}
