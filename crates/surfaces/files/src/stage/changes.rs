//! What a stage would change in the real tree as it is now, and what stands against it.

use super::base::{Base, Bases};
use super::error::StageError;
use super::layout::Stage;
use super::links::Links;
use super::same::{self, Difference, Spot};
use super::upper::{self, Upper};
use crate::Kind as FileKind;
use crate::read::Look;
use std::path::{Path, PathBuf};

/// What happens to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Created,
    /// Its content, or what it is, changes.
    Changed,
    /// Only its owner, permissions, times or extended attributes change.
    Attributes,
    /// It goes.
    Deleted,
}

/// One path that is otherwise on the stage than in the real tree, by the session's doing.
#[derive(Debug, Clone)]
pub struct Change {
    /// The path in the real tree.
    pub path: PathBuf,
    /// What happens to it.
    pub kind: Kind,
    /// Where it is on the stage; `None` where it goes.
    pub source: Option<PathBuf>,
    /// What it is on the stage.
    pub staged: Option<Look>,
    /// What it is in the real tree.
    pub real: Option<Look>,
    /// Why it can't be made real: somebody else changed it since the session touched it.
    pub conflict: Option<&'static str>,
    /// Whether the file has other names in the real tree, under which it is to change, too.
    pub(super) in_place: bool,
    /// Which group of names for one file it belongs to, if any.
    pub(super) group: Option<usize>,
}

/// All changes of a stage.
#[derive(Debug, Default)]
pub struct Changes {
    /// In the order of paths.
    pub changes: Vec<Change>,
    /// Times of change of folders that are there, as they are on the stage, and whether they are others now.
    pub(super) times: Vec<(PathBuf, i64, bool)>,
    /// Of groups of names, the one in the real tree that is right already.
    pub(super) anchors: Vec<Option<PathBuf>>,
}

/// Somebody else's doing, in words.
const MADE: &str = "it was made in the real tree since";
const REMOVED: &str = "it was removed in the real tree since";
const GONE: &str = "the folder that it lies in is gone from the real tree";
const ALTERED: &str = "it was changed in the real tree since";
const UNKNOWN: &str = "it was made in the real tree since, or the session's touching it was not captured";

/// Compare a stage with the real tree as it is now.
///
/// # Errors
/// The stage, or the real tree, can't be read somewhere.
pub fn changes(stage: &Stage, bases: &Bases) -> Result<Changes, StageError> {
    let mut walk = Walk {
        stage,
        bases,
        found: Changes::default(),
        links: Links::default(),
    };
    for unit in &stage.units {
        walk.unit(&unit.at, &stage.upper(unit))?;
    }
    let Walk { mut found, links, .. } = walk;
    links.join(&mut found, bases)?;
    found.changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

struct Walk<'w> {
    stage: &'w Stage,
    bases: &'w Bases,
    found: Changes,
    links: Links,
}

/// What is at a place of the real tree.
pub(super) type Real = Option<(Spot, Look)>;

/// Look at a place of the real tree.
pub(super) fn real(at: &Path) -> Result<Real, StageError> {
    let spot = Spot::of(at).map_err(StageError::path(at))?;
    let Some(spot) = spot else { return Ok(None) };
    let look = spot.look().map_err(StageError::path(at))?;
    Ok(look.map(|look| (spot, look)))
}

/// What stands against changing a path, if anything does.
pub(super) fn conflict(
    bases: &Bases,
    at: &Path,
    real: Option<&(Spot, Look)>,
) -> Result<Option<&'static str>, StageError> {
    Ok(match (bases.at(at), real) {
        (Base::Unknown | Base::Nothing, None) => None,
        (Base::Unknown, Some(_)) => Some(UNKNOWN),
        (Base::Nothing, Some(_)) => Some(MADE),
        (Base::Was(_), None) => Some(REMOVED),
        (Base::Was(was), Some((spot, now))) => {
            let still = bases.is_still(was, now, spot).map_err(StageError::path(at))?;
            (!still).then_some(ALTERED)
        }
    })
}

impl Walk<'_> {
    fn unit(&mut self, at: &Path, upper: &Path) -> Result<(), StageError> {
        let entry = upper::upper(upper, self.stage.marks()).map_err(StageError::path(upper))?;
        let Some((spot, Upper::Folder { look, .. })) = entry else {
            return Ok(());
        };
        let first = self.found.changes.len();
        let there = real(at)?;
        let is_there = there.is_some();
        if let Some((_, now)) = &there {
            self.time(at, &look, now);
            // Without privileges the top of an overlay is dressed as ours.
            if self.stage.trusted {
                self.entry_of_folder(at, upper, (&spot, &look), there)?;
            }
        }
        for name in upper::names(upper).map_err(StageError::path(upper))? {
            self.entry(&at.join(&name), &upper.join(name))?;
        }
        if !is_there {
            // Gone as a whole, such as a file system that is not mounted any more.
            for change in self.found.changes.iter_mut().skip(first) {
                change.conflict.get_or_insert(GONE);
            }
        }
        Ok(())
    }

    fn entry(&mut self, at: &Path, upper: &Path) -> Result<(), StageError> {
        let entry = upper::upper(upper, self.stage.marks()).map_err(StageError::path(upper))?;
        let Some((spot, entry)) = entry else { return Ok(()) };
        match entry {
            Upper::Whiteout => self.gone(at, false),
            Upper::Folder { look, opaque } => self.folder(at, upper, (&spot, &look), opaque),
            Upper::Leaf { look, copied } => self.leaf(at, upper, (&spot, &look), copied),
        }
    }

    fn folder(
        &mut self,
        at: &Path,
        upper: &Path,
        staged: (&Spot, &Look),
        opaque: bool,
    ) -> Result<(), StageError> {
        let found = real(at)?;
        let is_there = matches!(&found, Some((_, look)) if look.kind == FileKind::Dir);
        if let Some((_, look)) = &found
            && is_there
        {
            self.time(at, staged.1, look);
        }
        self.entry_of_folder(at, upper, staged, found)?;
        let names = upper::names(upper).map_err(StageError::path(upper))?;
        for name in &names {
            self.entry(&at.join(name), &upper.join(name))?;
        }
        if is_there && opaque {
            for name in upper::names(at).map_err(StageError::path(at))? {
                if names.binary_search(&name).is_err() {
                    self.gone(&at.join(name), true)?;
                }
            }
        }
        Ok(())
    }

    /// A folder itself. One that is in both, and of which the session is not on record as having touched it, is only on
    /// the overlay for what is in it.
    fn entry_of_folder(
        &mut self,
        at: &Path,
        upper: &Path,
        staged: (&Spot, &Look),
        found: Real,
    ) -> Result<(), StageError> {
        let base = self.bases.at(at);
        let is_folder = matches!(&found, Some((_, look)) if look.kind == FileKind::Dir);
        match base {
            Base::Unknown if is_folder => return Ok(()),
            Base::Was(was)
                if is_folder
                    && self
                        .bases
                        .is_unchanged(was, staged.1, staged.0)
                        .map_err(StageError::path(at))? =>
            {
                return Ok(());
            }
            _ => {}
        }
        self.compare(at, upper, staged, found, false).map(drop)
    }

    fn leaf(
        &mut self,
        at: &Path,
        upper: &Path,
        staged: (&Spot, &Look),
        copied: bool,
    ) -> Result<(), StageError> {
        let found = real(at)?;
        if matches!(&found, Some((_, look)) if look.kind == FileKind::Dir) {
            self.all_gone(at)?;
        }
        let now = found.as_ref().map(|(_, look)| *look);
        if let Base::Was(was) = self.bases.at(at)
            && self
                .bases
                .is_unchanged(was, staged.1, staged.0)
                .map_err(StageError::path(at))?
            && found.is_some()
        {
            self.links.add(at, upper, staged.1, now, None, copied);
            return Ok(());
        }
        let change = self.compare(at, upper, staged, found, copied)?;
        self.links.add(at, upper, staged.1, now, change, copied);
        Ok(())
    }

    /// Compare an entry on the stage with the real one; the place of the change in the list, if there is one.
    fn compare(
        &mut self,
        at: &Path,
        upper: &Path,
        staged: (&Spot, &Look),
        found: Real,
        copied: bool,
    ) -> Result<Option<usize>, StageError> {
        let kind = match &found {
            None => Kind::Created,
            Some((spot, look)) => {
                match same::difference(staged, (spot, look)).map_err(StageError::path(at))? {
                    Difference::None => return Ok(None),
                    Difference::Attributes => Kind::Attributes,
                    Difference::Content => Kind::Changed,
                }
            }
        };
        let conflict = conflict(self.bases, at, found.as_ref())?;
        let real = found.map(|(_, look)| look);
        self.found.changes.push(Change {
            path: at.to_owned(),
            kind,
            source: Some(upper.to_owned()),
            staged: Some(*staged.1),
            real,
            conflict,
            in_place: copied && real.is_some_and(|real| real.kind == FileKind::File && real.nlink > 1),
            group: None,
        });
        Ok(Some(self.found.changes.len() - 1))
    }

    /// What is in a folder of the real tree goes.
    fn all_gone(&mut self, folder: &Path) -> Result<(), StageError> {
        for name in upper::names(folder).map_err(StageError::path(folder))? {
            self.gone(&folder.join(name), true)?;
        }
        Ok(())
    }

    /// A path is not on the stage any more: it goes, with all that is in it. `with_folder`: because its folder does.
    fn gone(&mut self, at: &Path, with_folder: bool) -> Result<(), StageError> {
        let Some(found) = real(at)? else { return Ok(()) };
        if !with_folder && matches!(self.bases.at(at), Base::Nothing) {
            // It was made meanwhile, and the session removed nothing there.
            return Ok(());
        }
        if found.1.kind == FileKind::Dir {
            self.all_gone(at)?;
        }
        let conflict = conflict(self.bases, at, Some(&found))?;
        self.found.changes.push(Change {
            path: at.to_owned(),
            kind: Kind::Deleted,
            source: None,
            staged: None,
            real: Some(found.1),
            conflict,
            in_place: false,
            group: None,
        });
        Ok(())
    }

    /// A folder that is in both: its time of change is set as on the stage, unless somebody else changed it.
    fn time(&mut self, at: &Path, staged: &Look, real: &Look) {
        let was = match self.bases.at(at) {
            Base::Was(was) => was.int(crate::state::MTIME),
            Base::Unknown | Base::Nothing => Some(staged.mtime),
        };
        if was == Some(real.mtime) {
            let differs = staged.mtime != real.mtime;
            self.found.times.push((at.to_owned(), staged.mtime, differs));
        }
    }
}
