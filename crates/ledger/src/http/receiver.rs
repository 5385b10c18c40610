//! The receiving side of a mirror. It believes nobody: a checkpoint is taken only if the key that this mirror
//! was first given signed it, and the tiles that are here carry it on from the one before.

use super::message::{self, Request};
use super::{answer, read_request};
use crate::checkpoint::{self, Checkpoint};
use crate::key;
use crate::mirror::{DirStore, MirrorError, Store as _, extends};
use crate::note::Verifier;
use crate::tiles::{self, Kind, Name};
use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many connections are served at a time.
const AT_ONCE: usize = 16;

/// How long a sender may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// An answer: status and text.
type Answer = (&'static str, Vec<u8>);

/// Receive a mirror into `dir` and serve it, until the listener fails. Anybody who can connect can send tiles
/// that no checkpoint covers yet, and read everything: put it where only the ledger's host can reach it.
///
/// # Errors
/// If the directory can't be used or no connection can be accepted.
pub fn serve_mirror(listener: &TcpListener, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let (busy, turn) = (AtomicUsize::new(0), Mutex::new(()));
    std::thread::scope(|scope| {
        loop {
            let (mut stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(SILENCE))?;
            stream.set_write_timeout(Some(SILENCE))?;
            if busy.fetch_add(1, Ordering::AcqRel) >= AT_ONCE {
                busy.fetch_sub(1, Ordering::AcqRel);
                let _the_sender_tries_again = answer(&mut stream, "503 Service Unavailable", b"busy", true);
                continue;
            }
            scope.spawn(|| {
                let _the_sender_is_gone = serve(stream, dir, &turn);
                busy.fetch_sub(1, Ordering::AcqRel);
            });
        }
    })
}

fn serve(stream: TcpStream, dir: &Path, turn: &Mutex<()>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (status, body, whole) = match read_request(&mut reader) {
        Err(error) => ("400 Bad Request", error.to_string().into_bytes(), true),
        Ok(request) => {
            let whole = request.method != "HEAD";
            let store = DirStore::unlocked(dir);
            let (status, body) = handle(&mut reader, &request, &store, turn)
                .unwrap_or_else(|error| ("500 Internal Server Error", error.to_string().into_bytes()));
            (status, body, whole)
        }
    };
    answer(reader.get_mut(), status, &body, whole)
}

fn text(status: &'static str, body: impl Into<String>) -> Answer {
    (status, body.into().into_bytes())
}

fn limit(path: &str) -> Option<u64> {
    match path {
        "checkpoint" => Some(checkpoint::LIMIT),
        "key.pub" => Some(key::LIMIT),
        path => Name::parse(path).map(|name| name.limit()),
    }
}

fn handle(
    reader: &mut BufReader<TcpStream>,
    request: &Request,
    store: &DirStore,
    turn: &Mutex<()>,
) -> Result<Answer, MirrorError> {
    let Some(limit) = limit(&request.path) else {
        return Ok(text("404 Not Found", "no such object"));
    };
    match request.method.as_str() {
        "GET" | "HEAD" => match store.get(&request.path, limit)? {
            Some(bytes) => Ok(("200 OK", bytes)),
            None => Ok(text("404 Not Found", "no such object")),
        },
        "PUT" => {
            match request.head.length() {
                Ok(Some(length)) if length > limit => {
                    return Ok(text("413 Content Too Large", "it is too long"));
                }
                Ok(Some(_)) => {}
                _ => return Ok(text("411 Length Required", "its length must be given")),
            }
            let body = match message::read_body(reader, &request.head, limit) {
                Ok(body) => body,
                Err(error) => return Ok(text("400 Bad Request", error.to_string())),
            };
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            put(&request.path, &body, store)
        }
        _ => Ok(text("405 Method Not Allowed", "only GET, HEAD and PUT are")),
    }
}

fn put(path: &str, body: &[u8], store: &DirStore) -> Result<Answer, MirrorError> {
    match Name::parse(path) {
        Some(name) => put_tile(name, body, store),
        None if path == "checkpoint" => put_checkpoint(body, store),
        None if store.get(path, key::LIMIT)?.is_some() => Ok(text("412 Precondition Failed", "it exists")),
        None => match key::parse_public(body) {
            Ok(_) => {
                store.create(path, body)?;
                Ok(text("201 Created", ""))
            }
            Err(what) => Ok(text("400 Bad Request", what)),
        },
    }
}

/// The key this mirror belongs to, and its checkpoint.
fn held(store: &DirStore) -> Result<Option<(Verifier, Option<Checkpoint>)>, MirrorError> {
    let mirror = || store.root().display().to_string();
    let damaged = |path: &str, what| MirrorError::Damaged {
        mirror: mirror(),
        path: path.to_owned(),
        what,
    };
    let Some(bytes) = store.get(key::PUBLIC, key::LIMIT)? else {
        return Ok(None);
    };
    let key = key::parse_public(&bytes).map_err(|what| damaged(key::PUBLIC, what))?;
    let checkpoint = match store.get("checkpoint", checkpoint::LIMIT)? {
        None => None,
        Some(bytes) => {
            Some(Checkpoint::open(&bytes, &key).map_err(|error| damaged("checkpoint", error.to_string()))?)
        }
    };
    Ok(Some((key, checkpoint)))
}

/// What a checkpoint covers is never changed; what none covers yet may be sent again.
fn put_tile(name: Name, body: &[u8], store: &DirStore) -> Result<Answer, MirrorError> {
    let fits = match name.kind {
        Kind::Tile(_) => tiles::hashes(name, body).is_some(),
        Kind::Bundle => tiles::entries(name, body).is_some(),
    };
    if !fits {
        return Ok(text("400 Bad Request", "it does not hold what its name says"));
    }
    let Some((_, checkpoint)) = held(store)? else {
        return Ok(text(
            "409 Conflict",
            "this mirror has no key yet: send key.pub first",
        ));
    };
    let path = name.path();
    let covered = checkpoint.is_some_and(|checkpoint| name.end() <= checkpoint.size);
    match store.get(&path, name.limit())? {
        Some(_) if covered => Ok(text("412 Precondition Failed", "it exists")),
        Some(found) if found == body => Ok(text("200 OK", "")),
        _ => {
            store.replace(&path, body)?;
            Ok(text("201 Created", ""))
        }
    }
}

fn put_checkpoint(body: &[u8], store: &DirStore) -> Result<Answer, MirrorError> {
    let Some((key, old)) = held(store)? else {
        return Ok(text(
            "409 Conflict",
            "this mirror has no key yet: send key.pub first",
        ));
    };
    let new = match Checkpoint::open(body, &key) {
        Ok(new) => new,
        Err(error) => return Ok(text("403 Forbidden", error.to_string())),
    };
    if old
        .as_ref()
        .is_some_and(|old| old.size == new.size && old.root == new.root)
    {
        return Ok(text("200 OK", ""));
    }
    if let Some(fault) = extends(store, old.as_ref(), &new)?.first() {
        return Ok(text("409 Conflict", fault.to_string()));
    }
    store.publish(&new)?;
    store.prune(old.map_or(0, |old| old.size), new.size)?;
    Ok(text("200 OK", ""))
}
