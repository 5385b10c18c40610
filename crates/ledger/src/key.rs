//! The ledger's key: made at first use, by whoever is first.

use crate::disk::{Disk, Step, random};
use crate::error::{Error, Result};
use crate::note::{Signer, Verifier};
use zeroize::Zeroizing;

pub(crate) const KEY: &str = "key";
pub(crate) const PUBLIC: &str = "key.pub";
pub(crate) const LIMIT: u64 = 4096;

/// The key of this directory, made if it is new.
pub(crate) fn load_or_make(disk: &Disk) -> Result<Signer> {
    if let Some(signer) = load(disk)? {
        publish(disk, &signer)?;
        return Ok(signer);
    }
    let used = disk
        .names()?
        .iter()
        .any(|name| name == PUBLIC || name.starts_with("log."));
    if used && !disk.exists(KEY)? {
        let what = "it is gone, and a ledger is never given another one".to_owned();
        return Err(Error::Key {
            path: disk.join(KEY),
            what,
        });
    }
    make(disk)?;
    let gone = || Error::Key {
        path: disk.join(KEY),
        what: "it was removed while it was being made".to_owned(),
    };
    let signer = load(disk)?.ok_or_else(gone)?;
    publish(disk, &signer)?;
    disk.sync_dir()?;
    Ok(signer)
}

fn load(disk: &Disk) -> Result<Option<Signer>> {
    let Some(bytes) = disk.read(KEY, LIMIT)? else {
        return Ok(None);
    };
    parse(&bytes).map(Some).map_err(|what| Error::Key {
        path: disk.join(KEY),
        what: what.to_owned(),
    })
}

/// The private key in these bytes of a key file.
pub(crate) fn parse(bytes: &[u8]) -> std::result::Result<Signer, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    Signer::from_text(text.strip_suffix('\n').ok_or("it does not end with a newline")?)
}

/// The public key in these bytes of a key file.
pub(crate) fn parse_public(bytes: &[u8]) -> std::result::Result<Verifier, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let line = text.strip_suffix('\n').ok_or("it does not end with a newline")?;
    line.parse().map_err(|error: crate::NoteError| error.to_string())
}

fn make(disk: &Disk) -> Result<()> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| Error::Key {
        path: disk.join(KEY),
        what: format!("the system gives no random bytes ({error})"),
    })?;
    let [a, b, c, d, ..] = random().to_be_bytes();
    let name = format!("rescind.local/{:08x}", u32::from_be_bytes([a, b, c, d]));
    let text = Signer::new(&name, &seed).to_text();
    let line = Zeroizing::new(format!("{}\n", *text));
    let temporary = disk.temporary(Step::KeyTemp, line.as_bytes())?;
    let _somebody_was_first = !temporary.publish(Step::KeyName, KEY)?;
    Ok(())
}

/// Write `key.pub` if it is missing; refuse if it belongs to another key.
fn publish(disk: &Disk, signer: &Signer) -> Result<()> {
    let line = format!("{}\n", signer.verifier());
    if disk.read(PUBLIC, LIMIT)?.is_none() {
        disk.temporary(Step::PublicTemp, line.as_bytes())?
            .publish(Step::PublicName, PUBLIC)?;
    }
    if disk.read(PUBLIC, LIMIT)?.as_deref() != Some(line.as_bytes()) {
        let what = "it is not the public half of `key`".to_owned();
        return Err(Error::Key {
            path: disk.join(PUBLIC),
            what,
        });
    }
    Ok(())
}
