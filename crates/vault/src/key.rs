//! Session keys: made, read, destroyed; and the key of each framed file.

use crate::dir::Dir;
use crate::error::{Error, Result};
use rescind_model::SessionId;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use zeroize::Zeroizing;

const LABEL: &[u8] = b"rescind vault 1 file key\n";

/// The key of one session. Zeroed when dropped.
pub(crate) struct SessionKey(Zeroizing<[u8; 32]>);

impl SessionKey {
    /// Make a key and put it into `keys` whole or not at all. Not flushed.
    pub fn create(keys: &Dir, session: &SessionId) -> Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *bytes).map_err(|error| {
            let source = error
                .raw_os_error()
                .map_or(ErrorKind::Other.into(), io::Error::from_raw_os_error);
            Error::io("make the key", keys.path().join(session.as_str()), source)
        })?;
        let temporary = format!(".{session}");
        keys.unlink(&temporary)?;
        let file = keys.file(&temporary, true)?;
        let written = file
            .write_all_at(&*bytes, 0)
            .map_err(|error| Error::io("write", keys.path().join(&temporary), error));
        written
            .and_then(|()| keys.publish(&temporary, session.as_str()))
            .inspect_err(|_| {
                let _left = keys.unlink(&temporary);
            })?;
        Ok(Self(bytes))
    }

    /// The key, or `None` if it was destroyed or never there. A destruction that was interrupted is one.
    pub fn load(keys: &Dir, session: &SessionId) -> Result<Option<Self>> {
        let Some(mut file) = keys.try_file(session.as_str(), OFlags::RDONLY)? else {
            return Ok(None);
        };
        let mut bytes = Zeroizing::new([0_u8; 32]);
        let fail = |error| Error::io("read the key", keys.path().join(session.as_str()), error);
        match file.read_exact(&mut *bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(fail(error)),
        }
        Ok((*bytes != [0; 32]).then_some(Self(bytes)))
    }

    /// Overwrite, flush, unlink, flush.
    pub fn destroy(keys: &Dir, session: &SessionId) -> Result<()> {
        keys.unlink(&format!(".{session}"))?;
        let Some(file) = keys.try_file(session.as_str(), OFlags::WRONLY)? else {
            return keys.sync();
        };
        let path = keys.path().join(session.as_str());
        file.write_all_at(&[0; 32], 0)
            .map_err(|error| Error::io("overwrite the key", &path, error))?;
        file.sync_all()
            .map_err(|error| Error::io("flush the key", &path, error))?;
        keys.unlink(session.as_str())?;
        keys.sync()
    }

    /// The key of the framed file `name` of this session.
    pub fn of_file(&self, name: &str) -> Zeroizing<[u8; 32]> {
        let hash = Sha256::new()
            .chain_update(LABEL)
            .chain_update(self.0.as_slice())
            .chain_update(name.as_bytes());
        Zeroizing::new(hash.finalize().into())
    }
}
