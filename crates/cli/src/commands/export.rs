//! `rescind export`: the record for other systems, with a resume point and a proof that nothing is missing.

mod check;

mod sink;

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::out::{Out, say};
use crate::text::{clean, count};
use clap::Args;
use rescind_export::{ExportError, Exporter, Format, Point};
use rescind_index::Events;
use rescind_ledger::Cursor;
use rescind_model::chain;
use rescind_supervisor::Store;
use serde_json::json;
use sink::Sink;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long it takes at most until the resume point follows, while there is something to export.
const SETTLE: Duration = Duration::from_millis(500);

/// How long an event waits for others, while the ledger is followed.
const LINGER: Duration = Duration::from_millis(100);

/// How often the progress is shown.
const SHOWN: Duration = Duration::from_millis(200);

/// Arguments of `rescind export`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without --to, lines go to stdout and everything else to stderr. The proof needs nothing but the \
public key to check: rescind export --check FILE --proof FILE --key PUB."
)]
pub struct ExportArgs {
    /// jsonl: the events themselves, with the ledger's entries; cloudevents; ocsf; otlp: spans
    #[arg(long, default_value_t = Format::Jsonl)]
    pub format: Format,
    /// Begin with this entry of the ledger
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Go on where this file says, and keep it up to date; without such a file the export begins
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// A file, or an http:// or https:// address that it is posted to
    #[arg(long, value_name = "PATH|URL")]
    pub to: Option<String>,
    /// A file with headers for the address, `Name: value` each
    #[arg(long, value_name = "FILE", requires = "to")]
    pub headers: Option<PathBuf>,
    /// Go on with what comes, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Only this session, by its id or a part of it
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
    /// How many events go between two resume points, and to an address at once, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: u64,
    /// Write the proof of completeness to this file; with --check, read it
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
    /// Check an export against its proof instead; needs no store
    #[arg(long, value_name = "FILE", requires_all = ["proof", "key"],
        conflicts_with_all = ["from", "resume", "to", "follow", "session", "headers"])]
    pub check: Option<PathBuf>,
    /// For --check: the public key (`rescind ledger key`), or a file that holds it
    #[arg(long, value_name = "PUB", requires = "check")]
    pub key: Option<String>,
}

/// Export, or check an export.
///
/// # Errors
/// The store can't be used, or whoever takes the export does not.
pub fn run(context: &Context, args: &ExportArgs) -> Done {
    if let (Some(export), Some(proof), Some(key)) = (&args.check, &args.proof, &args.key) {
        return check::run(context, export, proof, key);
    }
    let store = context.store_outside()?;
    let interrupt = Interrupt::begin()?;
    let mut export = Export::begin(&store, args, &interrupt)?;
    let ended = export.run(args.follow, &interrupt)?;
    export.end(context, args.to.is_some())?;
    Ok(match ended {
        Ended::Caught | Ended::Interrupted if args.follow => Exit::Ok,
        Ended::Caught => Exit::Ok,
        // 128 and SIGINT, as a shell says it.
        Ended::Interrupted => Exit::Agent(130),
    })
}

/// Why it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It has all there is.
    Caught,
    /// It was told to stop.
    Interrupted,
}

struct Export<'a> {
    store: &'a Store,
    exporter: Exporter,
    events: Events,
    entries: Cursor,
    sink: Sink,
    resume: Option<PathBuf>,
    /// Entries since the last resume point.
    pending: u64,
    batch: u64,
    first: u64,
    shown: Instant,
}

impl<'a> Export<'a> {
    fn begin(store: &'a Store, args: &ExportArgs, interrupt: &Interrupt) -> Done<Self> {
        let ledger = store.ledger();
        let session = match &args.session {
            Some(asked) => Some(context::session(store, Some(asked))?.to_string()),
            None => None,
        };
        let point = match &args.resume {
            Some(path) => Point::read(path)?,
            None => None,
        };
        let exporter = match (&point, &args.resume) {
            (Some(point), Some(path)) => {
                if args.from.is_some_and(|from| from != point.from) {
                    return Err(Failure::new(
                        Code::BadArgument,
                        format!(
                            "the export that `{}` is about began with entry {}",
                            path.display(),
                            point.from
                        ),
                    )
                    .help("leave --from out to go on with it"));
                }
                let mut exporter = Exporter::resume(ledger, args.format, session, point, path)?;
                recall(store, &mut exporter, &point.open)?;
                exporter
            }
            _ => Exporter::begin(ledger, args.format, args.from.unwrap_or(0), session)?,
        };
        let next = exporter.next();
        let begun = Self {
            store,
            sink: Sink::open(args, exporter.source(), point.as_ref(), interrupt)?,
            events: Events::from(store, next).map_err(unreadable)?,
            entries: ledger.cursor(next)?,
            resume: args.resume.clone(),
            pending: 0,
            batch: args.batch,
            first: next,
            shown: Instant::now(),
            exporter,
        };
        // The files are there from now on: that they are this export's must be known after a crash.
        begun.remember()?;
        Ok(begun)
    }

    fn run(&mut self, follow: bool, interrupt: &Interrupt) -> Done<Ended> {
        // What is appended meanwhile is for the next time, unless it is followed: or a busy ledger would have no end.
        let end = self.store.ledger().len()?;
        let mut durable = Instant::now();
        loop {
            if interrupt.came() {
                return Ok(Ended::Interrupted);
            }
            let caught_up = !follow && self.exporter.next() >= end;
            if caught_up {
                return Ok(Ended::Caught);
            }
            let exported = self.step()?;
            if !exported && !self.events.wait(LINGER).map_err(unreadable)? {
                // Nothing came for a while: what there is goes out.
                self.settle()?;
            }
            if self.pending >= self.batch || durable.elapsed() >= SETTLE {
                self.settle()?;
                durable = Instant::now();
            }
        }
    }

    /// Export an event; whether there was one.
    fn step(&mut self) -> Done<bool> {
        let Some(event) = self.events.next().map_err(unreadable)? else {
            return Ok(false);
        };
        let due = || ExportError::Order {
            wanted: event.seq,
            found: event.seq.saturating_add(1),
        };
        let (_, entry) = self.entries.advance()?.ok_or_else(due)?;
        let exported = self.exporter.take(&event, &entry)?;
        self.sink.put(exported)?;
        self.pending = self.pending.saturating_add(1);
        self.progress();
        Ok(true)
    }

    /// Have everything flushed, then say so in the resume point.
    fn settle(&mut self) -> Done<()> {
        if self.pending == 0 {
            return Ok(());
        }
        self.sink.flush()?;
        self.remember()?;
        self.pending = 0;
        Ok(())
    }

    fn remember(&self) -> Done<()> {
        if let Some(path) = &self.resume {
            let mut point = self.exporter.point();
            (point.bytes, point.proof_bytes) = self.sink.lengths();
            point.write(path)?;
        }
        Ok(())
    }

    fn progress(&mut self) {
        if self.shown.elapsed() >= SHOWN && std::io::stderr().is_terminal() && self.sink.is_quiet() {
            let done = self.exporter.next().saturating_sub(self.first);
            let _unseen = write!(std::io::stderr(), "\r\x1b[2K{}", count(done, "entry", "entries"));
            self.shown = Instant::now();
        }
    }

    /// Flush, sign, prove, and say what was exported.
    fn end(mut self, context: &Context, on_stdout: bool) -> Done<()> {
        self.settle()?;
        let (first, next) = (self.first, self.exporter.next());
        if std::io::stderr().is_terminal() && self.sink.is_quiet() {
            let _unseen = write!(std::io::stderr(), "\r\x1b[2K");
        }
        let mut proved = None;
        if next > 0 {
            let head = self.exporter.prove(self.store.ledger())?;
            self.sink.prove(&head)?;
            self.sink.flush()?;
            self.remember()?;
            proved = Some(self.exporter.root());
        }
        let entries = next.saturating_sub(first);
        let told = self.sink.told();
        if context.json && on_stdout {
            let mut out = Out::new();
            out.json(&json!({
                "format": self.exporter.point().format, "from": first, "to": next, "entries": entries,
                "lines": self.exporter.lines(), "root": proved, "origin": self.exporter.source().origin,
                "rejected_spans": self.sink.rejected(),
            }))?;
            out.end()?;
        } else {
            say(format!(
                "rescind: {} exported, {first} to {next}{}",
                count(entries, "entry", "entries"),
                proved.map_or_else(String::new, |root| format!(
                    ", all of them under the signed root; theirs is {root}"
                )),
            ));
        }
        for text in told {
            say(format!("rescind: the collector says: {}", clean(&text)));
        }
        Ok(())
    }
}

/// See the events again that spans which were open at the resume point were made of.
fn recall(store: &Store, exporter: &mut Exporter, open: &[u64]) -> Done<()> {
    for seq in open {
        let mut events = Events::from(store, *seq).map_err(unreadable)?;
        if let Some(event) = events.next().map_err(unreadable)? {
            exporter.recall(&event);
        }
    }
    Ok(())
}

fn unreadable(error: rescind_index::Error) -> Failure {
    Failure::new(Code::LedgerUnusable, chain(&error)).help("`rescind verify` looks at all of it")
}
