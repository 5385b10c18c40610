//! People: who they are and what they may.

use crate::access::{Access, Work};
use crate::authority::Authority;
use crate::error::{AccessError, PasswordFault};
use crate::grants::{Grant, Grants};
use crate::name::PersonName;
use crate::password;
use crate::principal::PersonPrincipal;
use crate::{sign_in, throttle};
use rescind_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A person to be added.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// The name.
    pub name: PersonName,
    /// What they may.
    pub grants: Grants,
    /// Whether the password must be changed before anything else: it came from somebody else.
    pub must_change_password: bool,
}

/// A person as lists show them.
#[derive(Debug, Clone)]
pub struct PersonInfo {
    /// The name.
    pub name: PersonName,
    /// How they are called where they sign in; empty for local people.
    pub shown: String,
    /// Their e-mail address, as the provider says; shown, and never used to recognise anybody.
    pub email: String,
    /// Where they sign in, if not here.
    pub issuer: Option<String>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether the password must be changed before anything else.
    pub must_change_password: bool,
    /// What they may.
    pub grants: Grants,
    /// Since when they are known.
    pub made: Timestamp,
}

/// A person as the file has them.
pub(crate) struct Kept {
    pub info: PersonInfo,
    pub password: Option<String>,
}

const COLUMNS: &str = "name, password, issuer, shown, email, disabled, must_change, made";

impl Access {
    /// Add a person with a password.
    ///
    /// # Errors
    /// The name is taken, the password is not taken, `by` may not, or the change can't be recorded.
    pub fn add_person(
        &self,
        by: &Authority,
        new: &NewPerson,
        password: &str,
    ) -> Result<PersonInfo, AccessError> {
        by.manages("add people", &new.grants)?;
        by.has("add a person with these grants", &new.grants)?;
        password::check(&new.name, password)?;
        let hash = self.hashing().hash(password)?;
        self.change(|work| {
            refuse_taken(work, &new.name)?;
            work.run(
                "INSERT INTO people (name, password, must_change, made) VALUES (?1, ?2, ?3, ?4)",
                params![new.name.as_str(), hash, new.must_change_password, work.now.0],
            )?;
            put_grants(work, &new.name, &new.grants)?;
            work.note("person.added", new.name.as_str(), by.label(), |change| {
                change.with("grants", texts(&new.grants))
            })?;
            Ok(find(work.tx, work, &new.name)?.info)
        })
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn people(&self) -> Result<Vec<PersonInfo>, AccessError> {
        self.read(|connection| {
            let names: Vec<String> = connection
                .prepare_cached("SELECT name FROM people ORDER BY name")
                .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
                .map_err(|source| self.database().fail(source))?;
            let found = names.iter().map(|name| {
                let kept = person(connection, name).map_err(|source| self.database().fail(source))?;
                kept.map(|kept| kept.info).ok_or_else(|| no_such(name))
            });
            found.collect()
        })
    }

    /// One person.
    ///
    /// # Errors
    /// There is none, or the file can't be read.
    pub fn person(&self, name: &PersonName) -> Result<PersonInfo, AccessError> {
        self.read(|connection| {
            let kept = person(connection, name.as_str()).map_err(|source| self.database().fail(source))?;
            kept.map(|kept| kept.info).ok_or_else(|| no_such(name.as_str()))
        })
    }

    /// Let a person in no more: sign-ins end at once, and tokens they own are refused as long as they are disabled.
    ///
    /// # Errors
    /// There is none, `by` may not, or the change can't be recorded.
    pub fn disable_person(&self, by: &Authority, name: &PersonName) -> Result<(), AccessError> {
        self.switch(by, name, true)
    }

    /// Let a person in again.
    ///
    /// # Errors
    /// As [`Access::disable_person`].
    pub fn enable_person(&self, by: &Authority, name: &PersonName) -> Result<(), AccessError> {
        self.switch(by, name, false)
    }

    fn switch(&self, by: &Authority, name: &PersonName, disabled: bool) -> Result<(), AccessError> {
        self.change(|work| {
            let kept = find(work.tx, work, name)?;
            let (what, word) = if disabled {
                ("disable this person", "person.disabled")
            } else {
                ("enable this person", "person.enabled")
            };
            by.manages(what, &kept.info.grants)?;
            if kept.info.disabled == disabled {
                return Ok(());
            }
            work.run(
                "UPDATE people SET disabled = ?2 WHERE name = ?1",
                params![name.as_str(), disabled],
            )?;
            let ended = if disabled {
                sign_in::end_all(work, name)?
            } else {
                0
            };
            work.note(word, name.as_str(), by.label(), |change| {
                change.with("sign_ins_ended", ended)
            })
        })
    }

    /// Give a person a new password in their stead: all their sign-ins end. With `must_change` they have to choose their
    /// own first.
    ///
    /// # Errors
    /// There is none, they sign in elsewhere, the password is not taken, `by` may not, or the change can't be recorded.
    pub fn set_password(
        &self,
        by: &Authority,
        name: &PersonName,
        password: &str,
        must_change: bool,
    ) -> Result<(), AccessError> {
        password::check(name, password)?;
        let hash = self.hashing().hash(password)?;
        self.change(|work| {
            let kept = find(work.tx, work, name)?;
            by.manages("set this person's password", &kept.info.grants)?;
            refuse_elsewhere(&kept)?;
            put_password(work, name, &hash, must_change, &by.label())
        })
    }

    /// Change one's own password: all sign-ins of the person end, this one too.
    ///
    /// # Errors
    /// The old one is wrong, too many tries failed, the new one is not taken, or the change can't be recorded.
    pub fn change_password(
        &self,
        person: &PersonPrincipal,
        old: &str,
        new: &str,
        address: &str,
    ) -> Result<(), AccessError> {
        let name = person.name();
        password::check(name, new)?;
        if old == new {
            return Err(PasswordFault::Same.into());
        }
        self.prove(name.as_str(), old, address)?;
        let hash = self.hashing().hash(new)?;
        self.change(|work| {
            let kept = find(work.tx, work, name)?;
            if kept.info.disabled {
                return Err(AccessError::SignInFailed);
            }
            throttle::succeeded(work, name.as_str(), address)?;
            put_password(work, name, &hash, false, name.as_str())
        })
    }

    /// Grant a person a role on a domain.
    ///
    /// # Errors
    /// There is no such person, they sign in elsewhere, `by` may not, or the change can't be recorded.
    pub fn grant(&self, by: &Authority, name: &PersonName, grant: &Grant) -> Result<(), AccessError> {
        let one = Grants::new([grant.clone()]);
        by.manages("grant this", &one)?;
        by.has("grant this", &one)?;
        self.change(|work| {
            let kept = find(work.tx, work, name)?;
            refuse_elsewhere(&kept)?;
            if kept.info.grants.iter().any(|own| own == grant) {
                return Ok(());
            }
            put_grants(work, name, &one)?;
            work.note("person.granted", name.as_str(), by.label(), |change| {
                change.with("grant", grant.to_string())
            })
        })
    }

    /// Take a grant back. What it let them do ends at once, for their tokens too.
    ///
    /// # Errors
    /// There is no such person or grant, `by` may not, or the change can't be recorded.
    pub fn revoke_grant(&self, by: &Authority, name: &PersonName, grant: &Grant) -> Result<(), AccessError> {
        by.manages("take this grant back", &Grants::new([grant.clone()]))?;
        self.change(|work| {
            find(work.tx, work, name)?;
            let gone = work.run(
                "DELETE FROM grants WHERE person = ?1 AND role = ?2 AND domain = ?3",
                params![name.as_str(), grant.role().name(), grant.domain()],
            )?;
            if gone == 0 {
                return Err(AccessError::NoSuch {
                    what: "grant of this person",
                    which: grant.to_string(),
                });
            }
            work.note("person.grant-revoked", name.as_str(), by.label(), |change| {
                change.with("grant", grant.to_string())
            })
        })
    }
}

/// A person of the file, or none.
pub(crate) fn person(connection: &Connection, name: &str) -> Result<Option<Kept>, rusqlite::Error> {
    one(
        connection,
        &format!("SELECT {COLUMNS} FROM people WHERE name = ?1"),
        [name],
    )
}

/// A person by where they sign in and who they are there.
pub(crate) fn by_subject(
    connection: &Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<Kept>, rusqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM people WHERE issuer = ?1 AND subject = ?2");
    one(connection, &sql, [issuer, subject])
}

fn one(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Option<Kept>, rusqlite::Error> {
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_row(values, kept).optional()?;
    let Some(mut found) = found else {
        return Ok(None);
    };
    let mut select = connection.prepare_cached("SELECT role, domain FROM grants WHERE person = ?1")?;
    let rows = select.query_map([found.info.name.as_str()], |row| {
        grant(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?)
    })?;
    found.info.grants = rows.collect::<Result<_, _>>()?;
    Ok(Some(found))
}

/// What of the file is no grant is damage, and grants nothing.
fn grant(role: &str, domain: &str) -> Result<Grant, rusqlite::Error> {
    let text = format!("{role}:{domain}");
    text.parse().map_err(|error| damaged(0, error))
}

pub(crate) fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn kept(row: &Row<'_>) -> Result<Kept, rusqlite::Error> {
    let name: String = row.get(0)?;
    Ok(Kept {
        password: row.get(1)?,
        info: PersonInfo {
            name: name.parse().map_err(|error| damaged(0, error))?,
            issuer: row.get(2)?,
            shown: row.get(3)?,
            email: row.get(4)?,
            disabled: row.get(5)?,
            must_change_password: row.get(6)?,
            made: Timestamp(row.get(7)?),
            grants: Grants::default(),
        },
    })
}

pub(crate) fn find(connection: &Connection, work: &Work<'_>, name: &PersonName) -> Result<Kept, AccessError> {
    let kept = person(connection, name.as_str()).map_err(|source| work.database.fail(source))?;
    kept.ok_or_else(|| no_such(name.as_str()))
}

pub(crate) fn no_such(name: &str) -> AccessError {
    AccessError::NoSuch {
        what: "person",
        which: name.to_owned(),
    }
}

/// Names are taken for ever: a record that names somebody must not come to mean somebody else.
pub(crate) fn refuse_taken(work: &Work<'_>, name: &PersonName) -> Result<(), AccessError> {
    let there = person(work.tx, name.as_str()).map_err(|source| work.database.fail(source))?;
    let Some(there) = there else {
        return Ok(());
    };
    let by = match there.info.issuer {
        None => "a person with a password here has it; let one of the two have another name".to_owned(),
        Some(issuer) => {
            format!("a person who signs in at {issuer} has it; let one of the two have another name")
        }
    };
    Err(AccessError::Taken {
        name: name.to_string(),
        by,
    })
}

fn refuse_elsewhere(kept: &Kept) -> Result<(), AccessError> {
    match &kept.info.issuer {
        None => Ok(()),
        Some(issuer) => Err(AccessError::Elsewhere {
            name: kept.info.name.to_string(),
            issuer: issuer.clone(),
        }),
    }
}

fn put_password(
    work: &mut Work<'_>,
    name: &PersonName,
    hash: &str,
    must_change: bool,
    by: &str,
) -> Result<(), AccessError> {
    work.run(
        "UPDATE people SET password = ?2, must_change = ?3 WHERE name = ?1",
        params![name.as_str(), hash, must_change],
    )?;
    let ended = sign_in::end_all(work, name)?;
    work.note("person.password-changed", name.as_str(), by, |change| {
        change.with("sign_ins_ended", ended)
    })
}

pub(crate) fn put_grants(work: &Work<'_>, name: &PersonName, grants: &Grants) -> Result<(), AccessError> {
    for grant in grants.iter() {
        work.run(
            "INSERT OR IGNORE INTO grants (person, role, domain) VALUES (?1, ?2, ?3)",
            params![name.as_str(), grant.role().name(), grant.domain()],
        )?;
    }
    Ok(())
}

/// Grants as records have them.
pub(crate) fn texts(grants: &Grants) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}
