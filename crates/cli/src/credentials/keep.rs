//! What is kept of a credential until it is proved dead: `credentials/SESSION/NAME.json` below the state directory, for
//! its owner alone (docs/formats/credentials.md). Written whole, to the disk, before what it is for.

use rescind_credentials::{Check, Credential, Step, Values};
use rescind_model::{Level, SessionId};
use rescind_supervisor::journal::{CredentialEvent, CredentialForm};
use rescind_supervisor::{Home, own};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A credential that was issued, or may have been.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The form's version: 1.
    pub v: u32,
    /// The session.
    pub session: String,
    /// Its name in the person's file.
    pub credential: String,
    /// How it is issued.
    pub issuer: String,
    /// What it is called where it is valid.
    pub name: String,
    /// When it ends by itself, RFC 3339.
    pub until: String,
    /// Whether it was seen to work.
    pub issued: bool,
    /// What its commands need that is no secret.
    pub values: Values,
    /// The secrets.
    pub secrets: Values,
    /// How it is revoked.
    pub revoke: Vec<Step>,
    /// How that is proved.
    pub check: Vec<Check>,
    /// Why it can't be, where it can't.
    #[serde(default)]
    pub unproved: String,
    /// How many seconds a revocation may take to be seen.
    pub settles: u64,
    /// How often it was to be revoked.
    #[serde(default)]
    pub attempts: u32,
    /// When that was last, RFC 3339.
    #[serde(default)]
    pub tried: Option<String>,
    /// Why that did not prove it dead.
    #[serde(default)]
    pub why: Option<String>,
}

/// The lock on all credentials of a session; given back with the value.
#[derive(Debug)]
pub struct Locked(#[expect(dead_code, reason = "held for its lock")] File);

/// A command of an issuer is given a minute; who is at a session's credentials for longer than this is not waited for.
pub const HANGS: Duration = Duration::from_secs(180);
const EVERY: Duration = Duration::from_millis(20);

impl Kept {
    /// What is about to be issued.
    pub fn new(credential: &Credential, session: &SessionId, values: Values, secrets: Values) -> Self {
        let own = |name: &str| values.get(name).cloned().unwrap_or_default();
        Self {
            v: 1,
            session: session.to_string(),
            credential: credential.name.clone(),
            issuer: credential.issuer_name.clone(),
            name: own("name"),
            until: own("until"),
            issued: false,
            revoke: credential.issuer.revoke.clone(),
            check: credential.issuer.check.clone(),
            unproved: credential.issuer.unproved.clone(),
            settles: credential.issuer.settles,
            values,
            secrets,
            attempts: 0,
            tried: None,
            why: None,
        }
    }

    /// All of its values, and the time.
    pub fn all_values(&self) -> Values {
        let mut all = self.values.clone();
        all.extend(self.secrets.clone());
        all.insert("now".to_owned(), seconds(rescind_supervisor::now()));
        all
    }

    /// As the record has it.
    pub fn form(&self, what: CredentialEvent, said: String) -> CredentialForm {
        CredentialForm {
            time: rescind_supervisor::now().to_string(),
            credential: self.credential.clone(),
            issuer: self.issuer.clone(),
            name: self.name.clone(),
            until: self.until.clone(),
            what,
            said,
        }
    }

    fn path(&self, home: &Home) -> PathBuf {
        folder(home, &self.session).join(format!("{}.json", self.credential))
    }

    /// Bring it to the disk.
    ///
    /// # Errors
    /// It can't be written: then nothing may be issued.
    pub fn write(&self, home: &Home) -> io::Result<()> {
        make(home, &self.session)?;
        let bytes = serde_json::to_vec(self)?;
        own::put(&self.path(home), &bytes, Level::Power)
    }

    /// Forget it, with its secrets and files.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn forget(&self, home: &Home) -> io::Result<()> {
        let folder = folder(home, &self.session);
        remove_files(&folder, &self.credential);
        fs::remove_file(self.path(home))?;
        File::open(&folder)?.sync_all()?;
        Ok(())
    }

    /// Give the session a file with a secret in it; its path.
    ///
    /// # Errors
    /// It can't be written.
    pub fn give_file(&self, home: &Home, variable: &str, text: &str) -> io::Result<PathBuf> {
        let folder = make(home, &self.session)?.join("files");
        make_folder(&folder)?;
        let path = folder.join(format!("{}.{variable}", self.credential));
        own::put(&path, text.as_bytes(), Level::Power)?;
        Ok(path)
    }

    /// Take the session's files away.
    pub fn take_files(&self, home: &Home) {
        remove_files(&folder(home, &self.session), &self.credential);
    }
}

/// To the second, as most programs take it.
pub fn seconds(time: rescind_model::Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

fn remove_files(folder: &Path, credential: &str) {
    let start = format!("{credential}.");
    for entry in fs::read_dir(folder.join("files")).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&start) {
            let _gone = fs::remove_file(entry.path());
        }
    }
}

fn folder(home: &Home, session: &str) -> PathBuf {
    home.credentials().join(session)
}

fn make(home: &Home, session: &str) -> io::Result<PathBuf> {
    let folder = folder(home, session);
    make_folder(&home.credentials())?;
    make_folder(&folder)?;
    Ok(folder)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => Ok(()),
        // Its entry in the folder above has to survive what it is for.
        Ok(()) => folder
            .parent()
            .map_or(Ok(()), |above| File::open(above)?.sync_all()),
    }
}

/// Have a session's credentials for oneself, waiting so long for whoever has them; `None` where they still have, or where
/// there are none. Commands that are run meanwhile have the lock, too: should we die, nobody takes what they are still
/// about to issue for never issued.
///
/// # Errors
/// The folder can't be opened.
pub fn lock(home: &Home, session: &str, within: Duration) -> io::Result<Option<Locked>> {
    let folder = match File::open(folder(home, session)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        folder => folder?,
    };
    rustix::io::fcntl_setfd(&folder, rustix::io::FdFlags::empty())?;
    let begun = Instant::now();
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Locked(folder))),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < within => std::thread::sleep(EVERY),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Remove a session's folder where nothing is kept in it any more: what somebody who was killed left half written may hold
/// a secret. Only for who has the lock.
pub fn clear(home: &Home, session: &str, _lock: &Locked) {
    if of_session(home, session).is_ok_and(|kept| kept.is_empty()) {
        let _next_time_else = fs::remove_dir_all(folder(home, session));
    }
}

/// Whether something of a session was about to be issued or revoked so long ago that whoever was at it hangs.
pub fn is_stale(home: &Home, session: &str) -> bool {
    let entries = fs::read_dir(folder(home, session))
        .into_iter()
        .flatten()
        .flatten();
    let written = entries
        .filter_map(|entry| entry.metadata().and_then(|found| found.modified()).ok())
        .max();
    let age = written.and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age > HANGS)
}

/// What is kept for a session.
///
/// # Errors
/// It can't be read.
pub fn of_session(home: &Home, session: &str) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder(home, session)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            match fs::read(&path) {
                Ok(bytes) => found.push(serde_json::from_slice(&bytes)?),
                // Forgotten meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort_by(|one: &Kept, two: &Kept| one.credential.cmp(&two.credential));
    Ok(found)
}

/// The sessions for which anything is kept.
///
/// # Errors
/// That can't be read.
pub fn sessions(home: &Home) -> io::Result<Vec<SessionId>> {
    let entries = match fs::read_dir(home.credentials()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    found.sort();
    Ok(found)
}

/// What is kept for all sessions.
///
/// # Errors
/// It can't be read.
pub fn all(home: &Home) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for session in sessions(home)? {
        all.extend(of_session(home, session.as_str())?);
    }
    Ok(all)
}
