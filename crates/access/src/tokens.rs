//! API tokens.

use crate::TOKEN_DAYS;
use crate::access::{Access, Work, after};
use crate::authority::Authority;
use crate::error::AccessError;
use crate::grants::{Grant, Grants};
use crate::name::PersonName;
use crate::people::{person, texts};
use crate::principal::{Actor, TokenPrincipal};
use crate::role::Role;
use crate::secret::{Hashed, Kind, Secret};
use rescind_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::time::Duration;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is called: 1 to 64 letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// What it may: never more than its maker.
    pub grants: Grants,
    /// How long it lasts: a minute to 366 days.
    pub lasts: Duration,
}

/// A secret that was made, and how lists show it. The secret is nowhere else.
#[derive(Debug, Clone)]
pub struct Made<T> {
    /// To be shown once.
    pub secret: Secret,
    /// How it is listed.
    pub info: T,
}

/// A token as lists show it.
#[derive(Debug, Clone)]
pub struct TokenInfo {
    /// Its id, which is no secret.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whose it is; `None` for the first run's and what was made with it or at the machine.
    pub owner: Option<PersonName>,
    /// Who made it.
    pub made_by: String,
    /// What it was made with.
    pub grants: Grants,
    /// When.
    pub made: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was used last, within a minute.
    pub used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// A time of use is written at most once a minute.
const USED: i64 = 60_000_000_000;
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
const SHORTEST: Duration = Duration::from_secs(60);
const COLUMNS: &str = "id, hash, name, owner, made_by, grants, made, expires, used, revoked";

impl NewToken {
    /// A token with these grants, for [`TOKEN_DAYS`].
    #[must_use]
    pub fn new(name: &str, grants: Grants) -> Self {
        Self {
            name: name.to_owned(),
            grants,
            lasts: Duration::from_secs(TOKEN_DAYS * 86_400),
        }
    }
}

impl Access {
    /// Where there is neither a person nor a token: an admin's token, to be shown once. Of several processes that ask at
    /// once, one gets it.
    ///
    /// # Errors
    /// The change can't be recorded, or the file can't be used.
    pub fn bootstrap(&self) -> Result<Option<Secret>, AccessError> {
        let empty = "SELECT NOT EXISTS (SELECT 1 FROM people) AND NOT EXISTS (SELECT 1 FROM tokens)";
        self.change(|work| {
            let first: bool = work
                .tx
                .query_row(empty, [], |row| row.get(0))
                .map_err(|source| work.database.fail(source))?;
            if !first {
                return Ok(None);
            }
            let all = Grants::new([Grant::everywhere(Role::Admin)]);
            let made = put(work, &NewToken::new("first-run", all), None, "first-run")?;
            Ok(Some(made.secret))
        })
    }

    /// Make a token: any person may for themselves, and tokens of admins. One that a person makes is theirs, and never grants more than they have at the time it is used; one
    /// that a token makes belongs to that token's owner.
    ///
    /// # Errors
    /// The name or the time is not usable, `by` may not, or the change can't be recorded.
    pub fn make_token(&self, by: &Authority, new: &NewToken) -> Result<Made<TokenInfo>, AccessError> {
        check(new)?;
        if let Authority::Actor(actor @ Actor::Token(_)) = by
            && !actor.grants().anywhere(Role::Admin)
        {
            return Err(by.refused("make tokens", "a person who signed in, or the role admin"));
        }
        by.has("make a token with these grants", &new.grants)?;
        self.change(|work| put(work, new, by.person(), &by.label()))
    }

    /// All tokens, also those that ended or were revoked, the newest first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn tokens(&self) -> Result<Vec<TokenInfo>, AccessError> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM tokens ORDER BY made DESC, id");
            let rows = connection.prepare_cached(&sql).and_then(|mut select| {
                let rows = select.query_map([], |row| Ok(kept(row)?.1))?;
                rows.collect::<Result<Vec<_>, _>>()
            });
            rows.map_err(|source| self.database().fail(source))
        })
    }

    /// Revoke a token, by its id: it is refused from now on, by every process. Its owner may, and an admin of all it grants.
    ///
    /// # Errors
    /// There is none, `by` may not, or the change can't be recorded.
    pub fn revoke_token(&self, by: &Authority, id: &str) -> Result<(), AccessError> {
        self.change(|work| {
            let found = read(work.tx, id).map_err(|source| work.database.fail(source))?;
            let (_, info) = found.ok_or_else(|| AccessError::NoSuch {
                what: "token",
                which: id.to_owned(),
            })?;
            let own = info.owner.is_some() && info.owner.as_ref() == by.person();
            if !own {
                by.manages("revoke this token", &info.grants)?;
            }
            if info.revoked.is_some() {
                return Ok(());
            }
            work.run(
                "UPDATE tokens SET revoked = ?2 WHERE id = ?1",
                params![id, work.now.0],
            )?;
            work.note("token.revoked", id, by.label(), |change| {
                change.with("name", info.name)
            })
        })
    }

    /// Who an API token is.
    pub(crate) fn token_principal(&self, hash: &Hashed) -> Result<TokenPrincipal, AccessError> {
        let now = self.now();
        let (principal, used) = self.read(|connection| {
            let fail = |source| self.database().fail(source);
            let found = read(connection, &hash.id()).map_err(fail)?;
            let (kept, info) = found
                .filter(|(kept, _)| hash.is(kept))
                .ok_or(AccessError::Unknown)?;
            drop(kept);
            if info.revoked.is_some() {
                return Err(AccessError::Revoked);
            }
            if now >= info.expires {
                return Err(AccessError::Expired);
            }
            let grants = match &info.owner {
                None => info.grants,
                Some(name) => {
                    let owner = person(connection, name.as_str()).map_err(fail)?;
                    let owner = owner.filter(|owner| !owner.info.disabled);
                    let owner = owner.ok_or(AccessError::Revoked)?;
                    info.grants.and(&owner.info.grants)
                }
            };
            let principal = TokenPrincipal {
                id: info.id,
                name: info.name,
                owner: info.owner,
                grants,
            };
            Ok((principal, info.used))
        })?;
        if used.is_none_or(|used| now.0.saturating_sub(used.0) >= USED) {
            self.database().courtesy(
                "UPDATE tokens SET used = ?2 WHERE id = ?1",
                params![principal.id, now.0],
            );
        }
        Ok(principal)
    }
}

fn check(new: &NewToken) -> Result<(), AccessError> {
    plain_name("the token's name", &new.name)?;
    if new.lasts < SHORTEST || new.lasts > LONGEST {
        return Err(AccessError::Unusable {
            what: "the token's time",
            why: "a token lasts a minute to 366 days".to_owned(),
        });
    }
    if new.grants.is_empty() {
        return Err(AccessError::Unusable {
            what: "the token",
            why: "it would grant nothing: give it a grant, such as `viewer:*`".to_owned(),
        });
    }
    Ok(())
}

/// A name of a token or an agent.
pub(crate) fn plain_name(what: &'static str, name: &str) -> Result<(), AccessError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(AccessError::Unusable {
            what,
            why: "1 to 64 letters, digits, `.`, `_`, `-`".to_owned(),
        });
    }
    Ok(())
}

fn put(
    work: &mut Work<'_>,
    new: &NewToken,
    owner: Option<&PersonName>,
    by: &str,
) -> Result<Made<TokenInfo>, AccessError> {
    let secret = Secret::new(Kind::Token)?;
    let hash = Hashed::of(secret.expose());
    let info = TokenInfo {
        id: hash.id(),
        name: new.name.clone(),
        owner: owner.cloned(),
        made_by: by.to_owned(),
        grants: new.grants.clone(),
        made: work.now,
        expires: after(work.now, new.lasts),
        used: None,
        revoked: None,
    };
    work.run(
        "INSERT INTO tokens (id, hash, name, owner, made_by, grants, made, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            info.id,
            hash.bytes(),
            info.name,
            info.owner.as_ref().map(PersonName::as_str),
            info.made_by,
            texts(&info.grants).join("\n"),
            info.made.0,
            info.expires.0
        ],
    )?;
    work.note("token.made", info.id.clone(), by, |change| {
        change
            .with("name", info.name.clone())
            .with("owner", info.owner.as_ref().map(ToString::to_string))
            .with("grants", texts(&info.grants))
            .with("expires", info.expires.to_string())
    })?;
    Ok(Made { secret, info })
}

fn read(connection: &Connection, id: &str) -> Result<Option<(Vec<u8>, TokenInfo)>, rusqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], kept).optional()
}

fn kept(row: &Row<'_>) -> Result<(Vec<u8>, TokenInfo), rusqlite::Error> {
    let grants: String = row.get(5)?;
    let grants: Result<Grants, _> = grants.lines().map(str::parse::<Grant>).collect();
    let owner: Option<String> = row.get(3)?;
    let owner = owner.map(|name| name.parse::<PersonName>()).transpose();
    let info = TokenInfo {
        id: row.get(0)?,
        name: row.get(2)?,
        owner: owner.map_err(|error| crate::people::damaged(3, error))?,
        made_by: row.get(4)?,
        grants: grants.map_err(|error| crate::people::damaged(5, error))?,
        made: Timestamp(row.get(6)?),
        expires: Timestamp(row.get(7)?),
        used: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        revoked: row.get::<_, Option<i64>>(9)?.map(Timestamp),
    };
    Ok((row.get(1)?, info))
}
