//! Where an export goes: stdout, a file, or a receiver; and the proof's file beside it.

use super::ExportArgs;
use crate::error::{Code, Done, Failure};
use crate::interrupt::Interrupt;
use crate::out::say;
use crate::text::clean;
use rescind_export::{Exported, Format, Otlp, Point, Receiver, Source, Span};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many bytes are posted at once.
const POST: usize = 1 << 20;

/// From which wait on the person is told.
const TOLD: Duration = Duration::from_secs(4);

/// How many spans.
const SPANS: usize = 512;

pub struct Sink {
    to: To,
    proof: Option<Kept>,
    said: Vec<String>,
    rejected: u64,
}

enum To {
    Stdout(BufWriter<std::io::Stdout>),
    File(Kept),
    Lines {
        receiver: Receiver,
        format: Format,
        body: Vec<u8>,
    },
    Spans {
        otlp: Box<Otlp>,
        source: Source,
        spans: Vec<Span>,
    },
}

/// A file that grows.
struct Kept {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
}

impl Kept {
    /// A new file, or one that goes on where the resume point says: what lies behind it was not settled, and comes again.
    fn open(path: &Path, length: Option<u64>) -> Done<Self> {
        let fail = |what: String| Failure::new(Code::InputOutput, format!("`{}` {what}", path.display()));
        let mut options = OpenOptions::new();
        options.mode(0o600);
        let Some(length) = length else {
            let file =
                options
                    .write(true)
                    .create_new(true)
                    .open(path)
                    .map_err(|error| match error.kind() {
                        std::io::ErrorKind::AlreadyExists => fail("is there already".to_owned())
                            .help("give another name, or the --resume file of the export that it holds"),
                        _ => fail(format!("can't be made: {error}")),
                    })?;
            return Ok(Self::at(path, file, 0));
        };
        let file = options
            .append(true)
            .open(path)
            .map_err(|error| fail(format!("can't be opened: {error}")))?;
        let found = file.metadata()?.len();
        if found < length {
            return Err(fail(format!(
                "has {found} bytes, and {length} were written: it was cut"
            ))
            .help("export again, into another file, without the --resume file"));
        }
        file.set_len(length)?;
        Ok(Self::at(path, file, length))
    }

    fn at(path: &Path, file: File, length: u64) -> Self {
        Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            length,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Done<()> {
        self.file.write_all(bytes).map_err(|error| self.failed(&error))?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }

    fn sync(&mut self) -> Done<()> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            Code::InputOutput,
            format!("`{}` can't be written: {error}", self.path.display()),
        )
        .means("what the resume point says was exported is there")
    }
}

impl Sink {
    pub fn open(
        args: &ExportArgs,
        source: &Source,
        point: Option<&Point>,
        interrupt: &Interrupt,
    ) -> Done<Self> {
        let to = match args.to.as_deref() {
            None => To::Stdout(BufWriter::new(std::io::stdout())),
            Some(url) if url.contains("://") => {
                let url = address(url, args.format);
                let interrupt = interrupt.clone();
                let shown = url.clone();
                let receiver = Receiver::new(&url, headers(args.headers.as_deref())?)?
                    .waiting(move |time| wait(time, &shown, &interrupt));
                let receiver = if args.follow { receiver.patient() } else { receiver };
                match args.format {
                    Format::Otlp => To::Spans {
                        otlp: Box::new(Otlp::new(receiver)),
                        source: source.clone(),
                        spans: Vec::new(),
                    },
                    format => To::Lines {
                        receiver,
                        format,
                        body: Vec::new(),
                    },
                }
            }
            Some(path) => {
                let length = point.and_then(|point| point.bytes);
                To::File(Kept::open(Path::new(path), length)?)
            }
        };
        let proof = match &args.proof {
            Some(path) => {
                let length = point.and_then(|point| point.proof_bytes);
                if point.is_some() && length.is_none() {
                    return Err(Failure::new(
                        Code::BadArgument,
                        "this export was begun without --proof, and what was exported can't be proved later",
                    )
                    .help("leave --proof out, or begin again with another --resume file"));
                }
                Some(Kept::open(path, length)?)
            }
            None => None,
        };
        Ok(Self {
            to,
            proof,
            said: Vec::new(),
            rejected: 0,
        })
    }

    /// Whether a line of progress disturbs nobody.
    pub fn is_quiet(&self) -> bool {
        use std::io::IsTerminal as _;
        !matches!(&self.to, To::Stdout(_)) || !std::io::stdout().is_terminal()
    }

    pub fn put(&mut self, exported: Exported) -> Done<()> {
        if let Some(proof) = &mut self.proof {
            proof.write(exported.leaves.as_bytes())?;
        }
        let Some(line) = exported.line else { return Ok(()) };
        match &mut self.to {
            To::Stdout(out) => {
                out.write_all(line.as_bytes())?;
                out.write_all(b"\n")?;
            }
            To::File(file) => {
                file.write(line.as_bytes())?;
                file.write(b"\n")?;
            }
            To::Lines { format, body, .. } => {
                if *format == Format::CloudEvents {
                    body.push(if body.is_empty() { b'[' } else { b',' });
                }
                body.extend_from_slice(line.as_bytes());
                if *format != Format::CloudEvents {
                    body.push(b'\n');
                }
                if body.len() >= POST {
                    self.send()?;
                }
            }
            To::Spans { spans, .. } => {
                spans.extend(exported.spans);
                if spans.len() >= SPANS {
                    self.send()?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Done<()> {
        match &mut self.to {
            To::Lines {
                receiver,
                format,
                body,
            } if !body.is_empty() => {
                if *format == Format::CloudEvents {
                    body.push(b']');
                }
                receiver.send(format.content_type(), body)?;
                body.clear();
            }
            To::Spans { otlp, source, spans } if !spans.is_empty() => {
                let pushed = otlp.push(source, spans)?;
                self.rejected = self.rejected.saturating_add(pushed.rejected);
                for text in pushed.said {
                    if !self.said.contains(&text) && self.said.len() < 8 {
                        self.said.push(text);
                    }
                }
                spans.clear();
            }
            _ => {}
        }
        Ok(())
    }

    /// What the proof's file ends with.
    pub fn prove(&mut self, head: &str) -> Done<()> {
        match &mut self.proof {
            Some(proof) => proof.write(head.as_bytes()),
            None => Ok(()),
        }
    }

    /// Have everything taken, before the resume point says so.
    pub fn flush(&mut self) -> Done<()> {
        self.send()?;
        match &mut self.to {
            To::Stdout(out) => out.flush()?,
            To::File(file) => file.sync()?,
            To::Lines { .. } | To::Spans { .. } => {}
        }
        match &mut self.proof {
            Some(proof) => proof.sync(),
            None => Ok(()),
        }
    }

    /// How long the export's file and the proof's are.
    pub fn lengths(&self) -> (Option<u64>, Option<u64>) {
        let export = match &self.to {
            To::File(file) => Some(file.length),
            _ => None,
        };
        (export, self.proof.as_ref().map(|proof| proof.length))
    }

    /// What a collector said.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Spans that a collector rejected.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

/// The address of a collector's traces, where only the collector's is given.
fn address(url: &str, format: Format) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let bare = path.is_none_or(|(_, path)| path.is_empty());
    if format == Format::Otlp && bare {
        return format!("{}/v1/traces", url.trim_end_matches('/'));
    }
    url.to_owned()
}

/// Headers of a file: secrets have no place on a command line.
fn headers(path: Option<&Path>) -> Done<Vec<(String, String)>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Code::InputOutput,
            format!("`{}` can't be read: {error}", path.display()),
        )
    })?;
    let mut headers = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            let what = format!(
                "line {} of `{}` is no header: it has no colon",
                number + 1,
                path.display()
            );
            return Err(Failure::new(Code::BadArgument, what));
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

/// Wait, unless it is to stop; whether to go on. Longer waits are told.
fn wait(time: Duration, url: &str, interrupt: &Interrupt) -> bool {
    if time >= TOLD {
        say(format!(
            "rescind: `{}` is away or busy; it is tried again in {} s",
            clean(url),
            time.as_secs()
        ));
    }
    let begun = Instant::now();
    while begun.elapsed() < time {
        if interrupt.came() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50).min(time.saturating_sub(begun.elapsed())));
    }
    !interrupt.came()
}
