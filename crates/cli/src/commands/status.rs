//! `rescind status`: what is held, what is broken, what isn't covered here.

use super::sessions::life;
use crate::context::{Context, inside_by_environment};
use crate::credentials;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, bold, dim, red, yellow};
use crate::text::{ago, bytes, clean, count, local_time};
use clap::Args;
use rescind_model::{SessionId, chain};
use rescind_supervisor::control::{ChargeStatus, Control, GatewayStatus, Order, Stop};
use rescind_supervisor::{Life, Store, now};
use serde_json::{Value, json};
use std::path::Path;

/// Arguments of `rescind status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {}

/// What no build for this machine covers, and what follows.
const NOT_COVERED: [(&str, &str); 3] = [
    (
        "network",
        "what an action does over the network (APIs, databases, pushes) is not captured and can't be undone",
    ),
    (
        "daemons",
        "what a daemon outside does for an action (docker, systemd, ssh, tmux) is not captured; the connection is recorded",
    ),
    (
        "same user",
        "programs of the same user that are not under `rescind run` can read rescind's state, and with its key forge it; \
         a mirror on another machine finds that",
    ),
];

struct Found {
    entries: u64,
    ledger_bytes: u64,
    checkpoint: Option<rescind_ledger::Checkpoint>,
    usage: Vec<rescind_vault::Usage>,
    open: Vec<(String, Life)>,
    mirrors: Vec<(String, Option<String>)>,
    lacks: Vec<rescind_sys::Lack>,
    credentials: Vec<credentials::Kept>,
    staged: Vec<SessionId>,
    stops: Vec<Stop>,
    stop_file: bool,
    gateways: Vec<GatewayStatus>,
    charge: Option<ChargeStatus>,
}

/// Print the status.
///
/// # Errors
/// The store can't be read.
pub fn run(context: &Context, _args: &StatusArgs) -> Done {
    let store = context.store()?;
    let found = look(&store)?;
    let mut out = Out::new();
    if context.json {
        out.json(&json(&store, &found))?;
    } else {
        print(&mut out, &store, &found)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn look(store: &Store) -> Done<Found> {
    let mut open = Vec::new();
    for id in rescind_supervisor::unended(store)? {
        open.push((id.to_string(), store.summary(&id)?.life));
    }
    let mut mirrors = Vec::new();
    match store.ledger().mirror_list() {
        Ok(list) => {
            for place in list {
                let trouble = mirror_trouble(store, &place);
                mirrors.push((place, trouble));
            }
        }
        Err(error) => mirrors.push(("the list of mirrors".to_owned(), Some(chain(&error)))),
    }
    // From within a session it can't be looked at.
    let control = match inside_by_environment() {
        true => None,
        false => Some(Control::open(store.home())?),
    };
    let control = control.as_ref();
    Ok(Found {
        stops: control.map(Control::stops).unwrap_or_default(),
        stop_file: control.is_some_and(Control::stop_file),
        gateways: control.map(Control::gateways).unwrap_or_default(),
        charge: control.and_then(Control::charge),
        entries: store.ledger().len()?,
        ledger_bytes: folder_bytes(store.ledger().dir()),
        checkpoint: store.ledger().last_checkpoint()?,
        usage: store.vault().usage()?,
        open,
        mirrors,
        lacks: rescind_sys::probe(),
        credentials: credentials::outstanding(store)?,
        staged: crate::staging::waiting(store)?,
    })
}

/// What is wrong with a mirror, looked at now: a folder that is behind or gone. A URL is not asked here.
fn mirror_trouble(store: &Store, place: &str) -> Option<String> {
    if let Some(trouble) = store.ledger().trouble().get(&format!("mirror {place}")) {
        return Some(trouble.clone());
    }
    if place.contains("://") {
        return None;
    }
    let own = store.ledger().last_checkpoint().ok()??;
    match std::fs::read_to_string(Path::new(place).join("checkpoint")) {
        Ok(text) if text.lines().nth(1) == Some(own.size.to_string().as_str()) => None,
        Ok(text) => Some(format!(
            "it has {} of {} entries",
            text.lines().nth(1).unwrap_or("none"),
            own.size
        )),
        Err(error) => Some(format!("its checkpoint can't be read: {error}")),
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|found| found.blocks() * 512)
        .sum()
}

fn held(usage: &rescind_vault::Usage) -> String {
    let mut parts = vec![bytes(usage.total())];
    let pins = usage.pins + usage.recreatable_pins;
    if pins > 0 {
        parts.push(format!("{} in pinned files", bytes(pins)));
    }
    if usage.recreatable() > 0 {
        parts.push(format!("{} recreatable", bytes(usage.recreatable())));
    }
    if !usage.key {
        parts.push("erased".to_owned());
    }
    parts.join(", ")
}

fn print(out: &mut Out, store: &Store, found: &Found) -> Done<()> {
    let total: u64 = found.usage.iter().map(rescind_vault::Usage::total).sum();
    out.line(format!(
        "state     {}",
        clean(&store.home().root().display().to_string())
    ))?;
    out.line(format!(
        "ledger    {}, {}",
        count(found.entries, "entry", "entries"),
        bytes(found.ledger_bytes)
    ))?;
    let signed = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    out.line(match &found.checkpoint {
        Some(checkpoint) => {
            let time =
                std::fs::metadata(store.ledger().dir().join("checkpoint")).and_then(|found| found.modified());
            let when = time.ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
            let when = when.map_or_else(String::new, |when| format!(", {}", ago(&when.to_string(), now())));
            format!(
                "signed    up to entry {}{when}; {} not signed yet",
                checkpoint.size,
                found.entries - signed.min(found.entries)
            )
        }
        None => "signed    nothing yet".to_owned(),
    })?;
    out.line(format!(
        "vault     {} in {}",
        bytes(total),
        count(found.usage.len() as u64, "session", "sessions")
    ))?;
    let rows: Vec<Vec<String>> = found
        .usage
        .iter()
        .rev()
        .take(20)
        .map(|own| vec![own.session.to_string(), held(own)])
        .collect();
    if !rows.is_empty() {
        out.line("")?;
        out.table(&["SESSION", "HOLDS"], &rows)?;
    }
    if found.usage.len() > rows.len() {
        out.line(dim(&format!(
            "{} older ones: --json",
            found.usage.len() - rows.len()
        )))?;
    }
    for (id, own) in &found.open {
        let what = format!("session {id} is {}", life(*own));
        out.line(format!(
            "\n{}",
            if *own == Life::Broken { red(&what) } else { what }
        ))?;
        if *own == Life::Broken {
            out.line(format!(
                "  `rescind undo` of what it undoes goes on with it; `rescind log {id}` shows it"
            ))?;
        }
    }
    print_control(out, found)?;
    if !found.credentials.is_empty() {
        out.line(format!("\n{}", bold("credentials of sessions")))?;
        for kept in &found.credentials {
            let state = match &kept.why {
                Some(why) => red(&format!("not proved dead: {}", clean(why))),
                None if kept.issued => format!("in force until {}", local_time(&kept.until)),
                None => "being issued".to_owned(),
            };
            let (name, session) = (&kept.credential, &kept.session);
            out.line(format!(
                "  {name} of {session}: {state} (`rescind revoke {name}`)"
            ))?;
        }
    }
    for id in &found.staged {
        out.line(format!(
            "\nsession {id} is on its stage, nothing of it is real: `rescind review {id}`, then `promote` or `discard`"
        ))?;
    }
    if !found.mirrors.is_empty() {
        out.line(format!("\n{}", bold("mirrors")))?;
        for (place, trouble) in &found.mirrors {
            let state = trouble
                .as_ref()
                .map_or_else(|| "up to date".to_owned(), |trouble| red(&clean(trouble)));
            out.line(format!("  {}: {state}", clean(place)))?;
        }
    }
    out.line(format!("\n{}", bold("not covered on this machine")))?;
    for lack in &found.lacks {
        let how = if lack.fatal {
            "`rescind run` can't start"
        } else {
            "start with --without"
        };
        out.line(format!(
            "  {} {}: {} ({how})",
            yellow("lacks"),
            lack.name,
            lack.what
        ))?;
    }
    for (what, why) in NOT_COVERED {
        out.line(format!("  {what}: {why}"))?;
    }
    Ok(())
}

/// What is stopped, who could be, and who is in charge.
fn print_control(out: &mut Out, found: &Found) -> Done<()> {
    if found.stop_file {
        out.line(red(
            "\nthe file STOP kills everything: take it away to let things start again",
        ))?;
    }
    if !found.stops.is_empty() {
        out.line(format!("\n{}", bold("stopped")))?;
    }
    for stop in &found.stops {
        let recorded = if stop.recorded { "" } else { "; not on record yet" };
        out.line(format!(
            "  {}, {}{recorded}",
            red(&clean(&stop.sentence())),
            ago(&stop.at, now())
        ))?;
    }
    if !found.gateways.is_empty() {
        out.line(format!("\n{}", bold("gateways")))?;
    }
    for gateway in &found.gateways {
        let member = &gateway.member;
        let order = match gateway.order {
            Order::Run => "lets actions start".to_owned(),
            Order::Paused => yellow("paused"),
            Order::Killed => red("killed"),
            Order::Held => yellow("holds what is new"),
        };
        let domain = match member.domain.as_str() {
            "" => String::new(),
            domain => format!(" in {}", clean(domain)),
        };
        let (session, agent) = (&member.session, clean(&member.agent));
        out.line(format!(
            "  {session} {agent}{domain}: {order}, lease {} ms",
            gateway.lease_ms
        ))?;
    }
    match &found.charge {
        Some(charge) if charge.left_ms == 0 => out.line(red(
            "\nthe server in charge is gone, and what is new is held: `rescind serve` takes charge again, `rescind release` goes \
             on without it",
        ))?,
        Some(charge) => out.line(format!(
            "\nin charge: the server, process {}, for {} ms more unless it says so again",
            charge.process, charge.left_ms
        ))?,
        None => {}
    }
    Ok(())
}

fn json(store: &Store, found: &Found) -> Value {
    let sessions = found.usage.iter().map(|own| {
        json!({
            "session_id": own.session.to_string(),
            "bytes": own.total(),
            "journal": own.journal,
            "packs": own.packs,
            "pins": own.pins,
            "recreatable": own.recreatable(),
            "erased": !own.key,
        })
    });
    let lacks = found
        .lacks
        .iter()
        .map(|lack| json!({"name": lack.name, "what": lack.what, "fatal": lack.fatal}));
    let mirrors = found
        .mirrors
        .iter()
        .map(|(place, trouble)| json!({"place": place, "trouble": trouble}));
    let open = |wanted: Life| {
        let own = found
            .open
            .iter()
            .filter(move |(_, life)| *life == wanted)
            .map(|(id, _)| id.clone());
        own.collect::<Vec<_>>()
    };
    json!({
        "home": store.home().root().display().to_string(),
        "ledger": {
            "path": store.home().ledger().display().to_string(),
            "entries": found.entries,
            "bytes": found.ledger_bytes,
            "signed": found.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
            "checkpoint": found.checkpoint.as_ref().map(|checkpoint| checkpoint.text.clone()),
            "key": store.ledger().verifier_key(),
        },
        "vault": {
            "path": store.home().vault().display().to_string(),
            "bytes": found.usage.iter().map(rescind_vault::Usage::total).sum::<u64>(),
            "sessions": sessions.collect::<Vec<_>>(),
        },
        "running": open(Life::Running),
        "interrupted": open(Life::Broken),
        "stops": found.stops,
        "stop_file": found.stop_file,
        "gateways": found.gateways,
        "charge": found.charge,
        "staged": found.staged.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "mirrors": mirrors.collect::<Vec<_>>(),
        "credentials": found.credentials.iter().map(credential).collect::<Vec<_>>(),
        "lacks": lacks.collect::<Vec<_>>(),
        "not_covered": NOT_COVERED.iter().map(|(what, why)| json!({"what": what, "why": why})).collect::<Vec<_>>(),
    })
}

fn credential(kept: &credentials::Kept) -> Value {
    json!({
        "session_id": kept.session,
        "credential": kept.credential,
        "issuer": kept.issuer,
        "name": kept.name,
        "until": kept.until,
        "issued": kept.issued,
        "not_proved_dead": kept.why,
        "attempts": kept.attempts,
        "tried": kept.tried,
    })
}
