//! What a session may do, from the command line: `--read-only`, `--may`, `--for`, `--uses`, `--write`.

use crate::error::{Code, Done, Failure};
use crate::text::parse_duration;
use clap::Args;
use rescind_files::gateway::{Confinement, Floor, MAY_VARIABLE};
use rescind_model::{Operation, Pattern, Scope, Scopes, Surface, Timestamp};
use rescind_supervisor::journal::MayForm;
use rescind_supervisor::now;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// What a session may do.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the session may do")]
pub struct BoundsArgs {
    /// It may look, and change nothing: no file, and nothing elsewhere
    #[arg(long, conflicts_with = "may")]
    pub read_only: bool,
    /// It may do this and nothing else: read, write, delete or admin, on a surface (files, shell, postgres, kubernetes,
    /// http, mcp), to a target; `*` stands for any text without a `/`, `**` for any text. Can be repeated
    #[arg(long, value_name = "OP[:SURFACE[:TARGET]]")]
    pub may: Vec<String>,
    /// For so long, such as `30m`: from then on it may do nothing more
    #[arg(long = "for", value_name = "DURATION")]
    pub lasts: Option<String>,
    /// For so many actions, those that only read included
    #[arg(long, value_name = "N")]
    pub uses: Option<u64>,
    /// A credential of credentials.toml, issued for this session alone and revoked at its end. Can be repeated
    #[arg(long, value_name = "NAME")]
    pub credential: Vec<String>,
    /// Where it may change files at all, refused by the kernel elsewhere. Can be repeated
    #[arg(long, value_name = "DIR")]
    pub write: Vec<PathBuf>,
}

/// The longest that can be asked for.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// What can be done without, by `--without`.
pub const WITHOUT_FLOOR: &str = "landlock-files";

/// What a session may do, understood.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// For the gateway and the desk.
    pub confinement: Confinement,
    /// For the record; `None` where everything may be done.
    pub form: Option<MayForm>,
    /// What the kernel is to refuse.
    pub floor: Floor,
    /// How long it is for.
    pub lasts: Option<Duration>,
}

impl BoundsArgs {
    /// What they permit.
    ///
    /// # Errors
    /// One of them is none, or a folder is not there.
    pub fn confinement(&self) -> Done<Confinement> {
        let mut scopes = self.scopes()?;
        if let Some(lasts) = self.lasts()? {
            let nanoseconds = i64::try_from(lasts.as_nanos()).unwrap_or(i64::MAX);
            scopes = scopes.until(Timestamp(now().0.saturating_add(nanoseconds)));
        }
        if let Some(uses) = self.uses {
            scopes = scopes.uses(uses);
        }
        let folders: Done<Vec<PathBuf>> = self.write.iter().map(|folder| real(folder)).collect();
        let folders = folders?;
        Ok(Confinement {
            scopes,
            within: (!folders.is_empty()).then_some(folders),
        })
    }

    fn lasts(&self) -> Done<Option<Duration>> {
        self.lasts.as_deref().map(lasts).transpose()
    }

    /// Whether anything is asked for.
    #[must_use]
    pub fn are_none(&self) -> bool {
        !self.read_only
            && self.may.is_empty()
            && self.lasts.is_none()
            && self.uses.is_none()
            && self.write.is_empty()
            && self.credential.is_empty()
    }

    fn scopes(&self) -> Done<Scopes> {
        let reads = |surface| Scope {
            operations: [Operation::Read].into(),
            surface,
            targets: Vec::new(),
        };
        if self.read_only {
            return Ok(Scopes::new(vec![reads(None)]));
        }
        if self.may.is_empty() {
            return Ok(Scopes::all());
        }
        // What is read of files is not seen, and programs that change nothing can't be told apart from looking.
        let mut scopes = vec![reads(Some(Surface::Files)), reads(Some(Surface::Shell))];
        for text in &self.may {
            let scope: Scope = text.parse().map_err(|error: rescind_model::ScopeTextError| {
                Failure::new(Code::BadArgument, error.to_string()).means("nothing was started")
            })?;
            scopes.extend(with_absolute_targets(scope));
        }
        Ok(Scopes::new(scopes))
    }
}

/// What all of these permit together.
///
/// # Errors
/// As [`BoundsArgs::confinement`].
pub fn together(layers: &[BoundsArgs]) -> Done<Confinement> {
    let mut all = Confinement::none();
    for layer in layers {
        all = all.narrow(&layer.confinement()?);
    }
    Ok(all)
}

impl Bounds {
    /// Of a session that may do what all of these permit. `without`: what the person can do without.
    ///
    /// # Errors
    /// One of them is none, a folder is not there, or the kernel lacks what would refuse.
    pub fn of(layers: &[BoundsArgs], without: &[String]) -> Done<Self> {
        let confinement = together(layers)?;
        let asked = confinement.floor();
        let goes_without = without.iter().any(|name| name == WITHOUT_FLOOR);
        if asked != Floor::None && !goes_without && rescind_sys::landlock_abi() < rescind_sys::WRITES_ABI {
            let message = format!(
                "this kernel lacks landlock for files (ABI {}, Linux 6.10; here {}): only rescind itself would refuse \
                 the changes that the session may not make",
                rescind_sys::WRITES_ABI,
                rescind_sys::landlock_abi()
            );
            return Err(Failure::new(Code::KernelLacks, message)
                .means("nothing was started")
                .help(format!(
                    "`rescind run --without {WITHOUT_FLOOR}` starts without it"
                )));
        }
        let limited = asked != Floor::None;
        if limited {
            refuse_inherited()?;
        }
        let lasts: Done<Vec<Option<Duration>>> = layers.iter().map(BoundsArgs::lasts).collect();
        let lasts = lasts?.into_iter().flatten().min();
        let uses = layers.iter().any(|layer| layer.uses.is_some());
        let form = (limited || uses || lasts.is_some()).then(|| MayForm {
            n: 0,
            may: confinement.scopes.to_string(),
            within: confinement
                .within
                .iter()
                .flatten()
                .map(|folder| folder.display().to_string())
                .collect(),
            floor: !goes_without && limited,
        });
        Ok(Self {
            floor: if goes_without { Floor::None } else { asked },
            confinement,
            form,
            lasts,
        })
    }
}

/// A path without stars means itself and all below it; one that is relative begins here.
fn with_absolute_targets(scope: Scope) -> Vec<Scope> {
    let of_files = matches!(scope.surface, Some(Surface::Files));
    let [target] = scope.targets.as_slice() else {
        return vec![scope];
    };
    let text = target.as_str();
    if !of_files || text.starts_with('*') {
        return vec![scope];
    }
    let path = resolved(Path::new(text));
    let with = |target: String| Scope {
        targets: vec![Pattern::new(target)],
        ..scope.clone()
    };
    if text.contains('*') {
        return vec![with(path)];
    }
    let below = format!("{}/**", path.trim_end_matches('/'));
    vec![with(path), with(below)]
}

/// A path from the root, with the symlinks of what is there followed: the gateway sees real paths.
fn resolved(path: &Path) -> String {
    let mut whole = PathBuf::from("/");
    for component in std::env::current_dir()
        .unwrap_or_default()
        .join(path)
        .components()
    {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let there = whole.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(whole.strip_prefix(above).ok()?))
    });
    let text = there.unwrap_or(whole).display().to_string();
    text.trim_end_matches('/').to_owned()
}

fn lasts(text: &str) -> Done<Duration> {
    let asked = parse_duration(text).map(Duration::from_secs);
    let asked = asked.ok().filter(|asked| !asked.is_zero() && *asked <= LONGEST);
    asked.ok_or_else(|| {
        let message = format!("`{text}` is no duration that a session can be for, such as `30m` or `8h`");
        Failure::new(Code::BadArgument, message).means("nothing was started")
    })
}

fn real(folder: &Path) -> Done<PathBuf> {
    let found = folder.canonicalize().and_then(|path| {
        if path.is_dir() {
            Ok(path)
        } else {
            Err(std::io::Error::from(std::io::ErrorKind::NotADirectory))
        }
    });
    found.map_err(|error| {
        let message = format!("`--write {}` is no folder: {error}", folder.display());
        Failure::new(Code::BadArgument, message).means("nothing was started")
    })
}

/// What is open for writing already can be written to, whatever is refused later.
fn refuse_inherited() -> Done<()> {
    for entry in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let Some(number) = number.filter(|number| *number > 2) else {
            continue;
        };
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags
            .and_then(|text| i32::from_str_radix(text.trim(), 8).ok())
            .unwrap_or(0);
        let writable = flags & ACCESS_MODE != 0 && flags & (PATH_ONLY | CLOSED_BY_EXEC) == 0;
        let is_file = std::fs::metadata(entry.path()).is_ok_and(|found| found.is_file());
        if writable && is_file {
            let path = std::fs::read_link(entry.path()).unwrap_or_default();
            let message = format!(
                "descriptor {number} is open for writing on `{}`, which a session with limits could write to all the \
                 same",
                path.display()
            );
            return Err(Failure::new(Code::BadArgument, message)
                .means("nothing was started")
                .help(format!("close it: `{number}>&-`")));
        }
    }
    Ok(())
}

/// O_ACCMODE, O_PATH and O_CLOEXEC of Linux on x86-64, as fdinfo shows them.
const ACCESS_MODE: i32 = 0o3;
const PATH_ONLY: i32 = 0o10_000_000;
const CLOSED_BY_EXEC: i32 = 0o2_000_000;

/// Narrow what this process, which is part of a session, and all it starts may do: never more than before. Returns the
/// variable that tells the gateway.
///
/// # Errors
/// It can't be narrowed so: then nothing is to be started.
pub fn narrow(layers: &[BoundsArgs]) -> Done<Option<(&'static str, OsString)>> {
    if layers.iter().all(BoundsArgs::are_none) {
        return Ok(None);
    }
    if layers.iter().any(|layer| !layer.credential.is_empty()) {
        let message = "credentials are issued to whole sessions, and by nobody who is part of one";
        return Err(Failure::new(Code::InsideSupervisedTree, message)
            .means("nothing was started")
            .help("start the session itself with `rescind run --credential NAME`"));
    }
    if layers.iter().any(|layer| layer.uses.is_some()) {
        let message = "`--uses` can't be counted for a part of a session";
        return Err(Failure::new(Code::BadArgument, message).means("nothing was started"));
    }
    let bounds = Bounds::of(layers, &[])?;
    let variable = bounds.confinement.to_variable().ok_or_else(|| {
        Failure::new(Code::BadArgument, "these limits have no text").means("nothing was started")
    })?;
    bounds.floor.put_into_force().map_err(|error| {
        let message = format!("writing can't be limited by Landlock: {error}");
        Failure::new(Code::KernelLacks, message).means("nothing was started")
    })?;
    Ok(Some((MAY_VARIABLE, variable)))
}
