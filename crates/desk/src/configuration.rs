//! What people configure: policies, limits and freezes, entries of the catalog, each in files below one folder.

use crate::tiers::{self, TiersError};
use crate::triggers::{self, Trigger, TriggersError};
use jiff::tz::TimeZone;
use rescind_catalog::{Builder, Catalog, LoadError};
use rescind_policy::{Bounds, BoundsError, Problems, Rules};
use rescind_supervisor::holds::Tiers;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A file larger than this is no policy.
const MOST_BYTES: u64 = 4 << 20;

/// The folder, `$XDG_CONFIG_HOME/rescind`: `policies/*.cedar`, `policies/tests/*.toml`, `limits.toml`, `approvals.toml`,
/// `triggers.toml`, `catalog/*.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    root: Option<PathBuf>,
    /// Policies instead of those in the folder.
    policies: Option<Vec<PathBuf>>,
}

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its path.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Why a configuration can't be used. None of it is, then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A file or folder can't be read.
    #[error("`{path}` can't be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too large for what it should be.
    #[error("`{path}` is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A policy is wrong.
    #[error("the policies can't be used: {0}")]
    Policies(Problems),
    /// Limits or freezes are wrong.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// The tiers of approvals are wrong.
    #[error(transparent)]
    Tiers(#[from] TiersError),
    /// The triggers are wrong.
    #[error(transparent)]
    Triggers(#[from] TriggersError),
    /// An entry of the catalog is wrong.
    #[error("the catalog can't be used")]
    Catalog(#[source] LoadError),
}

type Done<T> = Result<T, ConfigurationError>;

impl Configuration {
    /// That of the user: `$XDG_CONFIG_HOME/rescind`, else `~/.config/rescind`. A relative path is no place, as the XDG
    /// specification has it.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        Self {
            root: folder.map(|folder| folder.join("rescind")),
            policies: None,
        }
    }

    /// The same with these policies instead of those in the folder.
    #[must_use]
    pub fn with_policies(mut self, files: Vec<PathBuf>) -> Self {
        self.policies = Some(files);
        self
    }

    /// That of this folder.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self {
            root: Some(root),
            policies: None,
        }
    }

    /// The folder, where there can be one.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The files of a folder in it with one of these endings, by name. A folder that is not there holds none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn files(&self, folder: &str, ends: &[&str]) -> Done<Vec<PathBuf>> {
        match &self.root {
            Some(root) => files(&root.join(folder), ends),
            None => Ok(Vec::new()),
        }
    }

    /// The file of limits and freezes, if there is one.
    ///
    /// # Errors
    /// That can't be told.
    pub fn limits(&self) -> Done<Option<PathBuf>> {
        self.file("limits.toml")
    }

    /// The file of who is asked, if there is one.
    ///
    /// # Errors
    /// That can't be told.
    pub fn approvals(&self) -> Done<Option<PathBuf>> {
        self.file("approvals.toml")
    }

    fn file(&self, name: &str) -> Done<Option<PathBuf>> {
        let Some(path) = self.root.as_ref().map(|root| root.join(name)) else {
            return Ok(None);
        };
        match path.try_exists() {
            Ok(there) => Ok(there.then_some(path)),
            Err(source) => Err(ConfigurationError::Unreadable { path, source }),
        }
    }

    /// The policies in force: the default ones with one's own.
    ///
    /// # Errors
    /// A file can't be read, or is wrong.
    pub fn rules(&self) -> Done<Rules> {
        let texts = match &self.policies {
            Some(files) => Text::all(files)?,
            None => Text::all(&self.files("policies", &["cedar"])?)?,
        };
        let files: Vec<(&str, &str)> = texts.iter().map(|file| (&*file.name, &*file.text)).collect();
        Rules::parse(&files).map_err(ConfigurationError::Policies)
    }

    /// The limits and freezes in force. Without a file there are none.
    ///
    /// # Errors
    /// The file can't be read, or is wrong.
    pub fn bounds(&self) -> Done<Bounds> {
        match self.limits()? {
            Some(path) => {
                let file = Text::read(&path)?;
                Ok(Bounds::parse(&file.name, &file.text, &zone)?)
            }
            None => Ok(Bounds::default()),
        }
    }

    /// Who is asked, in which order, and how they are told. Without a file anybody is, for half an hour.
    ///
    /// # Errors
    /// The file can't be read, or is wrong.
    pub fn tiers(&self) -> Done<Tiers> {
        match self.approvals()? {
            Some(path) => {
                let file = Text::read(&path)?;
                Ok(tiers::parse(&file.name, &file.text)?)
            }
            None => Ok(Tiers::default()),
        }
    }

    /// The file of what stops by itself, if there is one.
    ///
    /// # Errors
    /// That can't be told.
    pub fn triggers_file(&self) -> Done<Option<PathBuf>> {
        self.file("triggers.toml")
    }

    /// What stops by itself. Without a file nothing does.
    ///
    /// # Errors
    /// The file can't be read, or is wrong.
    pub fn triggers(&self) -> Done<Vec<Trigger>> {
        match self.triggers_file()? {
            Some(path) => {
                let file = Text::read(&path)?;
                Ok(triggers::parse(&file.name, &file.text)?)
            }
            None => Ok(Vec::new()),
        }
    }

    /// The catalog in force: the built-in one with one's own entries.
    ///
    /// # Errors
    /// A file can't be read, or is wrong.
    pub fn catalog(&self) -> Done<Catalog> {
        catalog(&self.files("catalog", &["yaml", "yml"])?)
    }
}

/// The built-in catalog with the entries of a folder's files.
///
/// # Errors
/// The folder is not there, or a file in it can't be read, or is wrong.
pub fn catalog_with(folder: &Path) -> Done<Catalog> {
    let there = fs::metadata(folder);
    there.map_err(|source| ConfigurationError::Unreadable {
        path: folder.to_owned(),
        source,
    })?;
    catalog(&files(folder, &["yaml", "yml"])?)
}

fn catalog(files: &[PathBuf]) -> Done<Catalog> {
    let mut builder = Builder::with_builtin().map_err(ConfigurationError::Catalog)?;
    for file in Text::all(files)? {
        builder
            .add(&file.name, &file.text, true)
            .map_err(ConfigurationError::Catalog)?;
    }
    builder.build().map_err(ConfigurationError::Catalog)
}

fn files(folder: &Path, ends: &[&str]) -> Done<Vec<PathBuf>> {
    let unreadable = |source| ConfigurationError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|own| ends.iter().any(|end| own == *end))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Text {
    /// A file's text.
    ///
    /// # Errors
    /// It can't be read, is no UTF-8, or is far too large.
    pub fn read(path: &Path) -> Done<Self> {
        let unreadable = |source| ConfigurationError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
        read.map_err(unreadable)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(ConfigurationError::TooLarge {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            name: path.display().to_string(),
            text,
        })
    }

    /// The texts of these files.
    ///
    /// # Errors
    /// As [`Text::read`].
    pub fn all(paths: &[PathBuf]) -> Done<Vec<Self>> {
        paths.iter().map(|path| Self::read(path)).collect()
    }
}

/// A time zone of this machine.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}
