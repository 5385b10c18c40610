//! `rescind ledger`: export, prove, check, mirror.

mod mirrors;

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, green, red};
use crate::text::{clean, count, local_time};
use clap::{Args, Subcommand};
use rescind_model::chain;
use rescind_supervisor::Store;
use rescind_supervisor::entry::{Entry, EntryKind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of `rescind ledger`.
#[derive(Debug, Clone, Args)]
pub struct LedgerArgs {
    /// What to do with it
    #[command(subcommand)]
    pub command: LedgerCommand,
}

/// The commands on the ledger.
#[derive(Debug, Clone, Subcommand)]
pub enum LedgerCommand {
    /// Write the ledger into a folder as C2SP tlog-tiles, or continue such an export
    Export {
        /// The folder
        folder: PathBuf,
    },
    /// Prove that an action is on record: a C2SP tlog-proof that needs nothing but the public key to check
    Prove {
        /// SESSION.NUMBER, or the NUMBER alone for the last session
        action: String,
        /// Write the proof to this file instead of stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Prove its end instead of its start
        #[arg(long)]
        end: bool,
    },
    /// Check a proof with the public key; needs no store
    Check {
        /// The proof's file
        proof: PathBuf,
        /// The public key (`rescind ledger key`), or a file that holds it
        #[arg(long, value_name = "PUB")]
        key: String,
    },
    /// Print the public key
    Key,
    /// Sign a checkpoint over everything and print it; keep it elsewhere for `verify --since`
    Checkpoint,
    /// Keep a mirror that gets every checkpoint within a second, while a session runs or with --follow
    Mirror {
        /// A folder, or an http:// or https:// address
        place: Option<String>,
        /// Keep no mirror there any more
        #[arg(long, conflicts_with_all = ["list", "now"])]
        remove: bool,
        /// List the mirrors
        #[arg(long)]
        list: bool,
        /// Bring all mirrors up to date now
        #[arg(long)]
        now: bool,
        /// Sign what comes and bring all mirrors up to date within a second, until Ctrl-C
        #[arg(long, conflicts_with_all = ["remove", "list"])]
        follow: bool,
    },
    /// Receive mirrors of others' ledgers into a folder, over plain HTTP
    Receive {
        /// The folder
        folder: PathBuf,
        /// Where to listen. Whoever can connect can read the mirror, and send what no checkpoint covers yet
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7419")]
        listen: String,
    },
    /// Verify a mirror or an export by itself, with the public key; needs no store
    Verify {
        /// A folder, or an http:// or https:// address
        #[arg(long, value_name = "PLACE")]
        mirror: String,
        /// The public key (`rescind ledger key`), or a file that holds it: one that was kept elsewhere
        #[arg(long, value_name = "PUB")]
        key: String,
    },
    /// The entries of the ledger, or of a mirror
    Entries {
        /// Those of this mirror, verified; needs no store
        #[arg(long, value_name = "PLACE", requires = "key")]
        mirror: Option<String>,
        /// The public key, or a file that holds it
        #[arg(long, value_name = "PUB", requires = "mirror")]
        key: Option<String>,
    },
}

/// Do it.
///
/// # Errors
/// The store can't be used, or what is asked for is not found.
pub fn run(context: &Context, args: &LedgerArgs) -> Done {
    match &args.command {
        LedgerCommand::Export { folder } => export(context, folder),
        LedgerCommand::Prove { action, out, end } => prove(context, action, out.as_deref(), *end),
        LedgerCommand::Check { proof, key } => check(context, proof, key),
        LedgerCommand::Key => answer(context, "key", &context.store()?.ledger().verifier_key()),
        LedgerCommand::Checkpoint => match context.store()?.ledger().checkpoint()? {
            Some(checkpoint) => answer(context, "checkpoint", checkpoint.text.trim_end()),
            None => Err(Failure::new(
                Code::NoSuchAction,
                "the ledger has no entries to sign",
            )),
        },
        LedgerCommand::Mirror {
            place,
            remove,
            list,
            now,
            follow,
        } => {
            let done = mirror(context, place.as_deref(), *remove, *list, *now || *follow)?;
            if *follow {
                mirrors::follow(context)
            } else {
                Ok(done)
            }
        }
        LedgerCommand::Receive { folder, listen } => mirrors::receive(folder, listen),
        LedgerCommand::Verify { mirror, key } => mirrors::verify(context, mirror, key),
        LedgerCommand::Entries {
            mirror: Some(mirror),
            key: Some(key),
        } => mirrors::entries(context, mirror, key),
        LedgerCommand::Entries { .. } => entries(context),
    }
}

fn answer(context: &Context, name: &str, text: &str) -> Done {
    let mut out = Out::new();
    if context.json {
        out.json(&json!({ name: text }))?;
    } else {
        out.line(text)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn export(context: &Context, folder: &Path) -> Done {
    let size = context.store()?.ledger().export(folder)?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"folder": folder.display().to_string(), "entries": size}))?;
    } else {
        out.line(format!(
            "{} in {}",
            count(size, "entry", "entries"),
            clean(&folder.display().to_string())
        ))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// The index of the entry for an action.
fn index(store: &Store, asked: &str, end: bool) -> Done<u64> {
    let action = context::action(store, asked, None)?.to_string();
    let wanted = if end {
        EntryKind::ActionEnded
    } else {
        EntryKind::ActionStarted
    };
    for entry in store.ledger().cursor(0)? {
        let (index, bytes) = entry?;
        let Ok(entry) = serde_json::from_slice::<Entry>(&bytes) else {
            continue;
        };
        if entry.kind == wanted && entry.action.as_ref() == Some(&action) {
            return Ok(index);
        }
    }
    Err(Failure::new(
        Code::NoSuchAction,
        format!(
            "the ledger has no entry for the {} of {action}",
            if end { "end" } else { "start" }
        ),
    )
    .help("`rescind ledger entries` lists what it has"))
}

fn prove(context: &Context, action: &str, to: Option<&Path>, end: bool) -> Done {
    let store = context.store()?;
    let proof = store.ledger().prove(index(&store, action, end)?)?;
    if let Some(path) = to {
        std::fs::write(path, &proof)?;
        return Ok(Exit::Ok);
    }
    if context.json {
        return answer(context, "proof", &proof);
    }
    let mut out = Out::new();
    out.text(&proof)?;
    out.end()?;
    Ok(Exit::Ok)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::InputOutput,
        format!("`{}` can't be read: {error}", path.display()),
    )
}

/// A public key, given as it is or as a file that holds it.
pub(crate) fn public_key(given: &str) -> Done<String> {
    let file = Path::new(given);
    if file.is_file() {
        return std::fs::read_to_string(file).map_err(|error| unreadable(file, &error));
    }
    Ok(given.to_owned())
}

fn check(context: &Context, path: &Path, key: &str) -> Done {
    let proof = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let key = public_key(key)?;
    let checked = rescind_ledger::check(&proof, &key).map_err(|error| {
        Failure::new(Code::ProofInvalid, chain(&error))
            .means("nothing is proved by it")
            .help("ask for the proof and the key again; the key must come from somebody you trust")
    })?;
    let entry: Value = serde_json::from_slice(&checked.entry).unwrap_or(Value::Null);
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"proved": true, "origin": checked.origin, "index": checked.index, "size": checked.size, "entry": entry}))?;
    } else {
        out.line(format!(
            "{}: entry {} of the {} that {} signed",
            green("proved"),
            checked.index,
            checked.size,
            clean(&checked.origin)
        ))?;
        out.line(clean(&String::from_utf8_lossy(&checked.entry)))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn mirror(context: &Context, place: Option<&str>, remove: bool, list: bool, now: bool) -> Done {
    let changes = place.is_some();
    let store = if changes {
        context.store_outside()?
    } else {
        context.store()?
    };
    let ledger = store.ledger();
    match place {
        Some(place) if remove => removed(place, ledger.mirror_remove(place)?)?,
        Some(place) => ledger.mirror_add(place)?,
        None if remove => {
            return Err(Failure::new(
                Code::BadArgument,
                "--remove needs the mirror's place",
            ));
        }
        None => {}
    }
    let mut out = Out::new();
    if list || (!changes && !now) {
        for place in ledger.mirror_list()? {
            if context.json {
                out.json(&json!({ "place": place }))?;
            } else {
                out.line(clean(&place))?;
            }
        }
    }
    let mut failed = false;
    // A new mirror is brought up to date at once, so that a wrong place shows now and not in a month.
    if now || (changes && !remove) {
        ledger.checkpoint()?;
        for (place, pushed) in ledger.mirror_push()? {
            let error = pushed.as_ref().err().map(|error| chain(error));
            failed |= error.is_some();
            if context.json {
                out.json(&json!({"place": place, "entries": pushed.ok(), "error": error}))?;
                continue;
            }
            let state = match (pushed, error) {
                (Ok(size), _) => count(size, "entry", "entries"),
                (Err(_), error) => red(&clean(&error.unwrap_or_default())),
            };
            out.line(format!("{}: {state}", clean(&place)))?;
        }
    }
    out.end()?;
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// A place that was no mirror is a mistake to be told of.
fn removed(place: &str, found: bool) -> Done<()> {
    if found {
        return Ok(());
    }
    Err(Failure::new(
        Code::MirrorFailed,
        format!("`{place}` is no mirror of this ledger"),
    )
    .help("`rescind ledger mirror --list` lists them"))
}

fn entries(context: &Context) -> Done {
    let store = context.store()?;
    let mut out = Out::new();
    for entry in store.ledger().cursor(0)? {
        let (index, bytes) = entry?;
        entry_line(context, &mut out, index, &bytes)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn entry_line(context: &Context, out: &mut Out, index: u64, bytes: &[u8]) -> Done<()> {
    let parsed: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    if context.json {
        return out.json(&json!({"index": index, "entry": parsed}));
    }
    let text = |name: &str| {
        parsed
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let about = Some(text("action"))
        .filter(|action| !action.is_empty())
        .unwrap_or_else(|| text("session"));
    out.line(format!(
        "{index:>8} {} {:<18} {about} {}",
        local_time(&text("time")),
        clean(&text("kind")),
        clean(&text("note"))
    ))
}
