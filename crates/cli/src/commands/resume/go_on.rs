//! Lifting a kill or a pause, if the domains concerned are healthy.

use super::ResumeArgs;
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::health::{self, Checks};
use crate::out::{Out, yellow};
use crate::person::person;
use crate::stopping::{self, Meant};
use crate::text::{clean, count};
use rescind_supervisor::control::{Control, ControlError, KillScope};
use rescind_supervisor::journal::CheckForm;
use serde_json::json;

/// Let a scope start again: its health is looked at, that somebody wants it is on record, then it is lifted.
pub(super) fn run(context: &Context, args: &ResumeArgs) -> Done {
    let control = stopping::control_outside(context)?;
    let why = args.why.as_deref().map(str::trim).filter(|why| !why.is_empty());
    let Some(why) = why else {
        return Err(Failure::new(
            Code::BadArgument,
            "`--why` says why it may go on; nothing was lifted",
        ));
    };
    let scope = match args.scope.meant(&control, args.paused.as_deref())? {
        Meant::Scope(scope) => scope,
        Meant::Elsewhere(session) => KillScope::Session(session.unwrap_or_default()),
    };
    if control.stops_of(&scope).is_empty() {
        return Err(ControlError::NotStopped {
            scope: scope.to_string(),
        }
        .into());
    }
    let store = context.store_outside()?;
    let checks = checks(&control, &scope);
    if !health::all_passed(&checks) {
        return Err(unhealthy(context, &checks)?);
    }
    control.record_lift(&store, &scope, &person(), why)?;
    let (lifted, waiting) = control.lift(&scope)?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "scope": scope, "lifted": lifted, "why": why, "health": health::json(&checks), "not_gone_on": waiting,
        }))?;
    } else {
        for stop in &lifted {
            out.line(format!("lifted: {}", clean(&stop.sentence())))?;
        }
        for member in &waiting {
            out.line(yellow(&format!(
                "  session {} has not gone on yet",
                member.session
            )))?;
        }
        if let Some(stop) = control.stops().iter().find(|stop| stop.scope != scope) {
            out.line(yellow(&format!("still in force: {}", clean(&stop.sentence()))))?;
        }
        health::print(&mut out, &checks)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// The checks of the domains that would go on; where those are not known, all.
fn checks(control: &Control, scope: &KillScope) -> Vec<CheckForm> {
    let all = Checks::of_user();
    let gateways = control.gateways().into_iter();
    let concerned = gateways.filter(|gateway| scope.covers(&gateway.member));
    let mut domains: Vec<String> = concerned.map(|gateway| gateway.member.domain).collect();
    match scope {
        KillScope::Domain(domain) => {
            domains.push(domain.clone());
            all.run_around(&domains)
        }
        KillScope::Everything => all.run_all(),
        KillScope::Agent(_) | KillScope::Session(_) if domains.is_empty() => all.run_all(),
        KillScope::Agent(_) | KillScope::Session(_) => all.run(domains.iter().map(String::as_str)),
    }
}

fn unhealthy(context: &Context, checks: &[CheckForm]) -> Done<Failure> {
    if !context.json {
        let mut out = Out::new();
        health::print(&mut out, checks)?;
        out.end()?;
    }
    let failed = checks.iter().filter(|check| !check.passed).count() as u64;
    let message = format!(
        "{} failed; nothing was lifted",
        count(failed, "health check", "health checks")
    );
    Ok(Failure::new(Code::HealthFailed, message).help("mend what they say, then give the command again"))
}
