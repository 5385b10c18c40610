//! Sign-ins: what a browser's cookie stands for.

use crate::access::{Access, Work, after};
use crate::authority::Authority;
use crate::error::AccessError;
use crate::grants::Grants;
use crate::name::PersonName;
use crate::oidc::Identity;
use crate::password;
use crate::people::{self, Kept, find, texts};
use crate::principal::PersonPrincipal;
use crate::secret::{Hashed, Kind, Secret, kind_of};
use crate::throttle;
use crate::{IDLE, LONGEST};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use rescind_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// What comes of a sign-in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// For the cookie: `HttpOnly`, `SameSite=Strict`, `Secure` where there is TLS.
    pub cookie: Secret,
    /// For forms; see [`Access::verify_csrf`].
    pub csrf: Secret,
    /// Who it is.
    pub person: PersonPrincipal,
}

/// A sign-in as lists show it.
#[derive(Debug, Clone)]
pub struct SignInInfo {
    /// Its id, which is no secret.
    pub id: String,
    /// Whose it is.
    pub person: PersonName,
    /// From where.
    pub address: String,
    /// Since when.
    pub begun: Timestamp,
    /// When the password was given last.
    pub proved: Timestamp,
    /// When it was used last, within a minute.
    pub used: Timestamp,
}

/// A time of use is written at most once a minute.
const USED: i64 = 60_000_000_000;
/// The most sign-ins a person has at once; the one that was used longest ago ends for a new one.
const MOST: i64 = 50;
const COLUMNS: &str = "id, hash, person, address, begun, proved, used";

impl Access {
    /// Sign in with name and password, from an address (as the server sees it; of IPv6 the /64).
    ///
    /// # Errors
    /// [`AccessError::SignInFailed`] whatever was wrong; [`AccessError::SlowDown`] after too many failures;
    /// [`AccessError::Busy`] where too many sign in at once.
    pub fn sign_in(&self, name: &str, password: &str, address: &str) -> Result<SignedIn, AccessError> {
        let proved = self.prove(name, password, address)?;
        self.change(|work| {
            let name = proved.info.name.clone();
            let kept = still(work, &proved)?;
            throttle::succeeded(work, name.as_str(), address)?;
            put(work, kept, address, None)
        })
    }

    /// Sign in somebody who did so at an OpenID Connect provider. Who comes for the first time is added; what they may is what
    /// their groups say now.
    ///
    /// # Errors
    /// Nothing is granted to them, they are disabled here, or their name is somebody else's.
    pub fn sign_in_elsewhere(&self, identity: &Identity, address: &str) -> Result<SignedIn, AccessError> {
        let signed_in = self.change(|work| {
            let Some(kept) = from_elsewhere(work, identity)? else {
                return Ok(None);
            };
            put(work, kept, address, None).map(Some)
        })?;
        signed_in.ok_or_else(|| AccessError::NotAllowed {
            who: identity.shown(),
            what: "sign in".to_owned(),
            needs: "a group or claim that the configuration grants a role for".to_owned(),
        })
    }

    /// Give the password again, for what needs fresh authority. The cookie is replaced; the sign-in's end stays.
    ///
    /// # Errors
    /// As [`Access::sign_in`], and where the cookie is no good.
    pub fn reauthenticate(
        &self,
        cookie: &str,
        password: &str,
        address: &str,
    ) -> Result<SignedIn, AccessError> {
        let person = self.principal_of_cookie(cookie)?;
        let proved = self.prove(person.name().as_str(), password, address)?;
        self.change(|work| {
            let kept = still(work, &proved)?;
            throttle::succeeded(work, person.name().as_str(), address)?;
            put(work, kept, address, Some(cookie))
        })
    }

    /// The same for somebody who signed in again at their provider.
    ///
    /// # Errors
    /// It is somebody else, or the cookie is no good.
    pub fn reauthenticate_elsewhere(
        &self,
        cookie: &str,
        identity: &Identity,
        address: &str,
    ) -> Result<SignedIn, AccessError> {
        let person = self.principal_of_cookie(cookie)?;
        let signed_in = self.change(|work| {
            let kept = from_elsewhere(work, identity)?;
            let Some(kept) = kept.filter(|kept| kept.info.name == *person.name()) else {
                return Ok(None);
            };
            put(work, kept, address, Some(cookie)).map(Some)
        })?;
        signed_in.ok_or(AccessError::SignInFailed)
    }

    /// Who a cookie is.
    ///
    /// # Errors
    /// It is not known, was ended, or is over.
    pub fn principal_of_cookie(&self, cookie: &str) -> Result<PersonPrincipal, AccessError> {
        let now = self.now();
        let (principal, used) = self.read(|connection| {
            let info = live(connection, cookie, now, |source| self.database().fail(source))?;
            let kept = people::person(connection, info.person.as_str())
                .map_err(|source| self.database().fail(source))?;
            let kept = kept
                .filter(|kept| !kept.info.disabled)
                .ok_or(AccessError::Revoked)?;
            Ok((principal(&kept, &info), info.used))
        })?;
        if now.0.saturating_sub(used.0) >= USED {
            self.database().courtesy(
                "UPDATE sign_ins SET used = max(used, ?2) WHERE id = ?1",
                params![principal.sign_in(), now.0],
            );
        }
        Ok(principal)
    }

    /// The token that forms of this sign-in carry.
    #[must_use]
    pub fn csrf(&self, cookie: &str) -> Secret {
        csrf(cookie)
    }

    /// Whether a form belongs to the cookie's sign-in. Says nothing of whether that lives:
    /// [`Access::principal_of_cookie`] does.
    ///
    /// # Errors
    /// It does not.
    pub fn verify_csrf(&self, cookie: &str, token: &str) -> Result<(), AccessError> {
        let fits: bool = csrf(cookie).expose().as_bytes().ct_eq(token.as_bytes()).into();
        if fits { Ok(()) } else { Err(AccessError::Csrf) }
    }

    /// Sign out. A cookie that is no good any more is signed out already.
    ///
    /// # Errors
    /// The change can't be recorded.
    pub fn sign_out(&self, cookie: &str) -> Result<(), AccessError> {
        self.change(|work| {
            let fail = |source| work.database.fail(source);
            let Ok(info) = live(work.tx, cookie, work.now, fail) else {
                return Ok(());
            };
            work.run("DELETE FROM sign_ins WHERE id = ?1", [&info.id])?;
            let person = info.person.to_string();
            work.note("sign-in.ended", info.id, person.clone(), |change| {
                change.with("person", person)
            })
        })
    }

    /// The sign-ins that live, of everybody or of one person, the last used first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn sign_ins(&self, of: Option<&PersonName>) -> Result<Vec<SignInInfo>, AccessError> {
        let now = self.now();
        self.read(|connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM sign_ins WHERE ?1 IS NULL OR person = ?1 ORDER BY used DESC");
            let rows = connection.prepare_cached(&sql).and_then(|mut select| {
                let rows = select.query_map([of.map(PersonName::as_str)], |row| Ok(kept(row)?.1))?;
                rows.collect::<Result<Vec<_>, _>>()
            });
            let mut rows = rows.map_err(|source| self.database().fail(source))?;
            rows.retain(|info| lives(info, now));
            Ok(rows)
        })
    }

    /// End a sign-in, by its id: one's own, or as an admin of all its person may.
    ///
    /// # Errors
    /// There is none, `by` may not, or the change can't be recorded.
    pub fn end_sign_in(&self, by: &Authority, id: &str) -> Result<(), AccessError> {
        self.change(|work| {
            let found = read(work.tx, id).map_err(|source| work.database.fail(source))?;
            let (_, info) = found.ok_or_else(|| AccessError::NoSuch {
                what: "sign-in",
                which: id.to_owned(),
            })?;
            if by.person() != Some(&info.person) {
                let person = find(work.tx, work, &info.person)?;
                by.manages("end this sign-in", &person.info.grants)?;
            }
            work.run("DELETE FROM sign_ins WHERE id = ?1", [id])?;
            work.note("sign-in.ended", id, by.label(), |change| {
                change.with("person", info.person.to_string())
            })
        })
    }

    /// The person whose password it is. Whatever is wrong, it takes as long and says the same.
    pub(crate) fn prove(&self, name: &str, password: &str, address: &str) -> Result<Kept, AccessError> {
        throttle::begin(self, name, address)?;
        if password.len() > password::LONGEST {
            return Err(AccessError::SignInFailed);
        }
        let kept = self.read(|connection| {
            people::person(connection, name).map_err(|source| self.database().fail(source))
        })?;
        let hash = kept
            .as_ref()
            .filter(|kept| !kept.info.disabled)
            .and_then(|kept| kept.password.as_deref());
        match self.hashing().fits(password, hash) {
            Ok(true) => kept.ok_or(AccessError::SignInFailed),
            Ok(false) => Err(AccessError::SignInFailed),
            Err(error) => {
                self.change(|work| throttle::uncounted(work, name, address))?;
                Err(error)
            }
        }
    }
}

/// The person as they are now: nothing that counts may have changed while the password was hashed.
fn still(work: &Work<'_>, proved: &Kept) -> Result<Kept, AccessError> {
    let kept = find(work.tx, work, &proved.info.name)?;
    if kept.info.disabled || kept.password != proved.password {
        return Err(AccessError::SignInFailed);
    }
    Ok(kept)
}

/// The person of an identity, added or brought up to date; `None` where nothing is granted to them.
fn from_elsewhere(work: &mut Work<'_>, identity: &Identity) -> Result<Option<Kept>, AccessError> {
    let found = people::by_subject(work.tx, identity.issuer(), identity.subject());
    let found = found.map_err(|source| work.database.fail(source))?;
    let Some(kept) = found else {
        if identity.grants().is_empty() {
            return Ok(None);
        }
        return add_from_elsewhere(work, identity).map(Some);
    };
    if kept.info.disabled {
        return Err(AccessError::SignInFailed);
    }
    let name = kept.info.name.clone();
    let changed = kept.info.grants != *identity.grants();
    work.run(
        "UPDATE people SET shown = ?2, email = ?3 WHERE name = ?1",
        params![name.as_str(), identity.shown(), identity.email()],
    )?;
    if changed {
        work.run("DELETE FROM grants WHERE person = ?1", [name.as_str()])?;
        people::put_grants(work, &name, identity.grants())?;
        note_grants(work, "person.regranted", &name, identity)?;
    }
    if identity.grants().is_empty() {
        end_all(work, &name)?;
        return Ok(None);
    }
    find(work.tx, work, &name).map(Some)
}

fn add_from_elsewhere(work: &mut Work<'_>, identity: &Identity) -> Result<Kept, AccessError> {
    let name: PersonName = identity.name().to_lowercase().parse()?;
    people::refuse_taken(work, &name)?;
    work.run(
        "INSERT INTO people (name, issuer, subject, shown, email, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            name.as_str(),
            identity.issuer(),
            identity.subject(),
            identity.shown(),
            identity.email(),
            work.now.0
        ],
    )?;
    people::put_grants(work, &name, identity.grants())?;
    note_grants(work, "person.added", &name, identity)?;
    find(work.tx, work, &name)
}

fn note_grants(
    work: &mut Work<'_>,
    what: &'static str,
    name: &PersonName,
    identity: &Identity,
) -> Result<(), AccessError> {
    work.note(what, name.as_str(), identity.issuer(), |change| {
        change
            .with("grants", texts(identity.grants()))
            .with("subject", identity.subject())
    })
}

/// Make the row and the cookie. One that `replaces` another takes over its beginning and its place.
fn put(
    work: &mut Work<'_>,
    kept: Kept,
    address: &str,
    replaces: Option<&str>,
) -> Result<SignedIn, AccessError> {
    let name = kept.info.name.clone();
    let mut begun = work.now;
    let mut before = None;
    if let Some(old) = replaces {
        let fail = |source| work.database.fail(source);
        let info = live(work.tx, old, work.now, fail)?;
        if info.person != name {
            return Err(AccessError::SignInFailed);
        }
        work.run("DELETE FROM sign_ins WHERE id = ?1", [&info.id])?;
        begun = info.begun;
        before = Some(info.id);
    }
    tidy(work, &name)?;
    let cookie = Secret::new(Kind::Cookie)?;
    let hash = Hashed::of(cookie.expose());
    let info = SignInInfo {
        id: hash.id(),
        person: name.clone(),
        address: address.chars().take(64).collect(),
        begun,
        proved: work.now,
        used: work.now,
    };
    work.run(
        "INSERT INTO sign_ins (id, hash, person, address, begun, proved, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            info.id,
            hash.bytes(),
            name.as_str(),
            info.address,
            begun.0,
            work.now.0,
            work.now.0
        ],
    )?;
    let what = if before.is_some() {
        "sign-in.renewed"
    } else {
        "sign-in.begun"
    };
    work.note(what, info.id.clone(), name.as_str(), |change| {
        change
            .with("address", info.address.clone())
            .with("person", name.as_str())
            .with("before", before)
    })?;
    Ok(SignedIn {
        csrf: csrf(cookie.expose()),
        person: principal(&kept, &info),
        cookie,
    })
}

/// Drop what is over, and what is too much.
fn tidy(work: &Work<'_>, name: &PersonName) -> Result<(), AccessError> {
    let before = |time: std::time::Duration| work.now.0.saturating_sub(after(Timestamp(0), time).0);
    work.run(
        "DELETE FROM sign_ins WHERE used <= ?1 OR begun <= ?2",
        [before(IDLE), before(LONGEST)],
    )?;
    work.run(
        "DELETE FROM sign_ins WHERE id IN \
         (SELECT id FROM sign_ins WHERE person = ?1 ORDER BY used DESC LIMIT -1 OFFSET ?2)",
        params![name.as_str(), MOST - 1],
    )?;
    Ok(())
}

/// End all of a person's sign-ins; how many there were.
pub(crate) fn end_all(work: &Work<'_>, name: &PersonName) -> Result<usize, AccessError> {
    work.run("DELETE FROM sign_ins WHERE person = ?1", [name.as_str()])
}

fn principal(kept: &Kept, info: &SignInInfo) -> PersonPrincipal {
    let must_change = kept.info.must_change_password;
    PersonPrincipal {
        name: kept.info.name.clone(),
        grants: if must_change {
            Grants::default()
        } else {
            kept.info.grants.clone()
        },
        sign_in: info.id.clone(),
        signed_in_at: info.proved,
        must_change_password: must_change,
        elsewhere: kept.info.issuer.is_some(),
    }
}

/// The sign-in of a cookie, if it lives.
fn live(
    connection: &Connection,
    cookie: &str,
    now: Timestamp,
    fail: impl Fn(rusqlite::Error) -> AccessError,
) -> Result<SignInInfo, AccessError> {
    if kind_of(cookie) != Some(Kind::Cookie) {
        return Err(AccessError::Unknown);
    }
    let hash = Hashed::of(cookie);
    let found = read(connection, &hash.id()).map_err(fail)?;
    let (_, info) = found
        .filter(|(kept, _)| hash.is(kept))
        .ok_or(AccessError::Unknown)?;
    if lives(&info, now) {
        Ok(info)
    } else {
        Err(AccessError::Expired)
    }
}

fn lives(info: &SignInInfo, now: Timestamp) -> bool {
    now < after(info.used, IDLE) && now < after(info.begun, LONGEST)
}

fn read(connection: &Connection, id: &str) -> Result<Option<(Vec<u8>, SignInInfo)>, rusqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM sign_ins WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], kept).optional()
}

fn kept(row: &Row<'_>) -> Result<(Vec<u8>, SignInInfo), rusqlite::Error> {
    let person: String = row.get(2)?;
    let info = SignInInfo {
        id: row.get(0)?,
        person: person.parse().map_err(|error| people::damaged(2, error))?,
        address: row.get(3)?,
        begun: Timestamp(row.get(4)?),
        proved: Timestamp(row.get(5)?),
        used: Timestamp(row.get(6)?),
    };
    Ok((row.get(1)?, info))
}

/// HMAC-SHA-256 of a constant with the cookie as the key: only who has the cookie can make it, and nothing has to be kept.
fn csrf(cookie: &str) -> Secret {
    let text = Hmac::<Sha256>::new_from_slice(cookie.as_bytes())
        .map(|mac| mac.chain_update(b"rescind csrf 1").finalize().into_bytes())
        .map(|code| URL_SAFE_NO_PAD.encode(code));
    // HMAC takes keys of any length.
    Secret::of(text.unwrap_or_default())
}
