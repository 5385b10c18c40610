//! `rescind limits`: what is used of each limit, and by whom.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, red, yellow};
use crate::text::clean;
use clap::Args;
use rescind_desk::{Configuration, State, Tally, TallyError};
use rescind_model::{Timestamp, chain};
use rescind_policy::{Bucket, Counter, Limit, Measure, Quantity};
use rescind_supervisor::now;
use serde_json::{Value, json};
use std::time::Duration;

/// Arguments of `rescind limits`.
#[derive(Debug, Clone, Args)]
pub struct LimitsArgs {
    /// Only this limit
    pub limit: Option<String>,
}

/// List what is used.
///
/// # Errors
/// The limits, or what is used of them, can't be read.
pub fn run(context: &Context, args: &LimitsArgs) -> Done {
    let bounds = Configuration::of_user().bounds()?;
    let state = Tally::read(&context.home()?.limits())?;
    let wanted = |limit: &&Limit| args.limit.as_ref().is_none_or(|name| limit.id == *name);
    let (mut out, mut rows, at) = (Out::new(), Vec::new(), now());
    for limit in bounds.limits.limits().iter().filter(wanted) {
        let uses = uses(&state, limit, at);
        if context.json {
            out.json(&json(limit, &uses))?;
            continue;
        }
        if uses.is_empty() {
            rows.push(vec![
                clean(&limit.id),
                cap(limit),
                dim(nobody(limit)),
                String::new(),
                String::new(),
            ]);
        }
        rows.extend(uses.iter().map(|usage| row(limit, usage)));
    }
    if !context.json && rows.is_empty() {
        out.line("no limits are set; limits.toml in the configuration folder sets them")?;
    } else if !context.json {
        out.table(&["LIMIT", "CAP", "WHO", "USED", "RESERVED BY"], &rows)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// What one owner uses of a limit.
struct Use<'s> {
    bucket: &'s Bucket,
    used: Quantity,
    /// The actions that hold a part of it, and whether one was let exceed the cap.
    actions: Vec<String>,
    over: bool,
}

fn uses<'s>(state: &'s State, limit: &Limit, now: Timestamp) -> Vec<Use<'s>> {
    let own = |(bucket, _): &(&Bucket, &Counter)| bucket.limit == limit.id && bucket.per == limit.per;
    let uses = state.counters().iter().filter(own).map(|(bucket, counter)| Use {
        bucket,
        used: counter.used(limit.window, now, limit.measure),
        actions: state
            .reserved(bucket)
            .map(|open| format!("{}.{}", open.session, open.node))
            .collect(),
        over: state.reserved(bucket).any(|open| open.over),
    });
    uses.filter(|usage| !usage.used.is_zero() || !usage.actions.is_empty())
        .collect()
}

fn is_reached(limit: &Limit, used: Quantity) -> bool {
    match (used, limit.cap) {
        (Quantity::Count(used), Quantity::Count(cap)) => used >= cap,
        (Quantity::Amount(used), Quantity::Amount(cap)) => used >= cap,
        _ => true,
    }
}

fn row(limit: &Limit, usage: &Use<'_>) -> Vec<String> {
    let used = if is_reached(limit, usage.used) {
        red(&format!("{}, reached", usage.used))
    } else {
        usage.used.to_string()
    };
    let mut actions = usage.actions.join(" ");
    if usage.over {
        actions.push_str(&yellow(" (let exceed it)"));
    }
    vec![
        clean(&limit.id),
        cap(limit),
        clean(&usage.bucket.to_string()),
        used,
        actions,
    ]
}

fn nobody(limit: &Limit) -> &'static str {
    match limit.measure {
        Measure::Duration => "each session, from its beginning",
        _ => "nobody",
    }
}

/// `5 actions in 60 s`.
fn cap(limit: &Limit) -> String {
    let window = limit
        .window
        .map_or(String::new(), |window| format!(" in {} s", window.as_secs()));
    format!("{} {}{window}", limit.cap, unit(limit.measure))
}

fn unit(measure: Measure) -> String {
    match measure {
        Measure::Actions => "actions".to_owned(),
        Measure::Files => "files".to_owned(),
        Measure::Rows => "rows".to_owned(),
        Measure::Objects => "objects".to_owned(),
        Measure::Money(currency) => currency.to_string(),
        Measure::Duration => "seconds".to_owned(),
    }
}

fn json(limit: &Limit, uses: &[Use<'_>]) -> Value {
    let by: Vec<Value> = uses
        .iter()
        .map(|usage| {
            json!({
                "owner": usage.bucket.owner,
                "used": amount(usage.used),
                "reached": is_reached(limit, usage.used),
                "reserved_by": usage.actions,
                "over": usage.over,
            })
        })
        .collect();
    json!({
        "limit": limit.id,
        "per": limit.per.to_string(),
        "unit": unit(limit.measure),
        "cap": amount(limit.cap),
        "window_seconds": limit.window.map(|window: Duration| window.as_secs()),
        "used_by": by,
    })
}

/// A number as a number, money as a text: it is exact.
fn amount(quantity: Quantity) -> Value {
    match quantity {
        Quantity::Count(count) => json!(count),
        Quantity::Amount(amount) => json!(amount.to_string()),
    }
}

impl From<TallyError> for Failure {
    fn from(error: TallyError) -> Self {
        Self::new(Code::LimitsUnusable, chain(&error))
            .means("actions that a limit is about wait for a person until this is mended")
    }
}
