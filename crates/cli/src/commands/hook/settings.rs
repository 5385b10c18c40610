//! The settings of clients: our hook put in and taken out, and kept from the agents themselves.

use super::InstallArgs;
use crate::commands::run::inside_supervised_tree;
use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, yellow};
use rescind_desk::Configuration;
use rescind_hooks::{Call, Client, Place, Scope, installed, removed, script};
use rescind_model::chain;
use rescind_supervisor::Home;
use serde_json::json;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

/// Where the variable for the home folder leads.
fn home_folder() -> Done<PathBuf> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    home.ok_or_else(|| {
        Failure::new(Code::HookSettings, "HOME names no folder").help("or install with --project")
    })
}

/// A file of settings or a script, with what it should hold. An empty text: it should not be there.
struct Change {
    path: PathBuf,
    text: String,
    executable: bool,
}

/// Put our hook into a client's settings, or take it out.
///
/// # Errors
/// The settings can't be read or written, or are not what the client documents.
pub fn install(context: &Context, client: Client, scope: Scope, args: &InstallArgs) -> Done {
    if inside_supervised_tree() {
        return Err(context::inside());
    }
    let changes = changes(client, scope, args.remove)?;
    let mut out = Out::new();
    if args.print {
        for change in &changes {
            if context.json {
                out.json(&json!({"path": change.path.display().to_string(), "text": change.text}))?;
            } else {
                out.line(dim(&format!("# {}", change.path.display())))?;
                out.line(change.text.trim_end())?;
            }
        }
        out.end()?;
        return Ok(Exit::Ok);
    }
    for change in &changes {
        change
            .make()
            .map_err(|error| unusable(&change.path, &error.to_string()))?;
        let path = change.path.display().to_string();
        if context.json {
            out.json(&json!({
                "client": client.name(), "path": path, "installed": !args.remove,
                "capture": client.capture(), "gaps": client.gaps(),
            }))?;
        } else {
            out.line(format!(
                "{} {path}",
                if args.remove { "removed from" } else { "written" }
            ))?;
        }
    }
    if !args.remove && !context.json {
        say(&mut out, client)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn say(out: &mut Out, client: Client) -> Done<()> {
    out.line(client.capture())?;
    out.line("each file that an editing tool names is captured before the call and recorded after it")?;
    for gap in client.gaps() {
        out.line(yellow(&format!("not covered: {gap}")))?;
    }
    if client == Client::Codex {
        out.line("codex asks you to trust the hook when it starts: until then it does not run")?;
    }
    out.line(dim(
        "`rescind run -- CLIENT` covers all of it, whatever the client does",
    ))
}

fn changes(client: Client, scope: Scope, remove: bool) -> Done<Vec<Change>> {
    let base = match scope {
        Scope::User => home_folder()?,
        Scope::Project => std::env::current_dir()?,
    };
    let program = std::env::current_exe()?;
    let program = program
        .to_str()
        .ok_or_else(|| Failure::new(Code::HookSettings, "the path of rescind is no text"))?;
    match client.place(scope) {
        place @ Place::Settings { .. } => {
            let path = settings_file(place, &base);
            let text = text_of(&path)?.unwrap_or_default();
            let changed = if remove {
                removed(client, &text)
            } else {
                installed(client, program, &text)
            };
            let text = changed.map_err(|error| unusable(&path, &chain(&error)))?;
            Ok(vec![Change {
                path,
                text,
                executable: false,
            }])
        }
        Place::Scripts { folders, names } => {
            let candidates: Vec<PathBuf> = folders.iter().map(|folder| base.join(folder)).collect();
            let there = candidates.iter().find(|folder| folder.is_dir());
            let folder = there.or(candidates.first()).cloned().unwrap_or_default();
            names
                .iter()
                .map(|name| script_change(client, program, folder.join(name), remove))
                .collect()
        }
    }
}

fn script_change(client: Client, program: &str, path: PathBuf, remove: bool) -> Done<Change> {
    let there = text_of(&path)?;
    if there
        .as_ref()
        .is_some_and(|text| !Place::is_our_script(text.as_bytes()))
    {
        if remove {
            let text = there.unwrap_or_default();
            return Ok(Change {
                path,
                text,
                executable: true,
            });
        }
        return Err(unusable(
            &path,
            "it is a hook of somebody else; let it call `rescind hook` itself",
        ));
    }
    let text = if remove {
        String::new()
    } else {
        script(client, program)
    };
    Ok(Change {
        path,
        text,
        executable: true,
    })
}

/// The file of settings, where a variable may have it elsewhere.
fn settings_file(place: Place, base: &Path) -> PathBuf {
    let Place::Settings { path, elsewhere } = place else {
        return base.to_owned();
    };
    let named = elsewhere.and_then(|(variable, file)| {
        let folder = std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute());
        Some(folder?.join(file))
    });
    named.unwrap_or_else(|| base.join(path))
}

fn text_of(path: &Path) -> Done<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(unusable(path, "it is no text")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn unusable(path: &Path, why: &str) -> Failure {
    let message = format!("the settings in `{}` can't be changed: {why}", path.display());
    Failure::new(Code::HookSettings, message)
        .help("`rescind hook install --print` shows what belongs into it")
}

impl Change {
    /// Write the whole file at once, with the permissions that it has, where a link leads to it.
    fn make(&self) -> io::Result<()> {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        if self.text.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let folder = path
            .parent()
            .ok_or_else(|| io::Error::other("it has no folder"))?;
        fs::create_dir_all(folder)?;
        let mode = match fs::metadata(&path) {
            Ok(found) => found.permissions().mode() & 0o7777,
            Err(_) if self.executable => 0o755,
            Err(_) => 0o600,
        };
        let draft = folder.join(format!(".rescind-{}", rescind_supervisor::salt()));
        let written = (|| {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(self.text.as_bytes())?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        })();
        if written.is_err() {
            let _only_a_draft = fs::remove_file(&draft);
        }
        written
    }
}

/// Why an agent may not edit a file by its tools, where it may not: it is what it is watched by.
#[must_use]
pub fn protected(home: &Home, call: &Call, file: &Path) -> Option<String> {
    let file = real(file);
    let within = |folder: &Path| file.starts_with(real(folder));
    let shown = file.display();
    if within(home.root()) {
        return Some(format!("`{shown}` is part of rescind's own state"));
    }
    if Configuration::of_user().root().is_some_and(within) {
        return Some(format!(
            "`{shown}` is part of rescind's own policies and settings; a person changes them"
        ));
    }
    let bases = [
        (Scope::User, home_folder().ok()),
        (Scope::Project, Some(call.cwd.clone())),
    ];
    for (scope, base) in bases {
        let Some(base) = base else { continue };
        let is_hook = match call.client.place(scope) {
            place @ Place::Settings { .. } => {
                let path = settings_file(place, &base);
                file == real(&path)
                    && text_of(&path)
                        .ok()
                        .flatten()
                        .is_some_and(|text| names_us(call, &text))
            }
            Place::Scripts { folders, names } => folders.iter().any(|folder| {
                let folder = real(&base.join(folder));
                let named = names.iter().any(|name| file == folder.join(name));
                named && fs::read(&file).is_ok_and(|text| Place::is_our_script(&text))
            }),
        };
        if is_hook {
            return Some(format!(
                "`{shown}` has the hook that rescind watches by; a person changes it"
            ));
        }
    }
    None
}

/// Whether settings have our hook.
fn names_us(call: &Call, text: &str) -> bool {
    removed(call.client, text).map_or(true, |without| without != text)
}

/// Where a path leads, as far as it is there, without `.` and `..`.
pub fn real(path: &Path) -> PathBuf {
    let mut found = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                let next = found.join(name);
                found = next.canonicalize().unwrap_or(next);
            }
            Component::ParentDir => {
                found.pop();
            }
            _ => {}
        }
    }
    found
}
