//! Agents' tokens: for one session, for what its scopes permit, for a short time.

use crate::AGENT;
use crate::access::{Access, Work, after};
use crate::authority::Authority;
use crate::error::AccessError;
use crate::principal::AgentPrincipal;
use crate::role::Role;
use crate::scopes;
use crate::secret::{Hashed, Kind, Secret};
use crate::tokens::{Made, plain_name};
use rescind_model::{Scopes, SessionId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::time::Duration;

/// A token to be issued.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// The session.
    pub session: SessionId,
    /// What the agent is called.
    pub agent: String,
    /// The session's domain: an operator there may revoke the token.
    pub domain: String,
    /// What it may.
    pub scopes: Scopes,
    /// How long it lasts: a second to a day; [`AGENT`] where nobody says.
    pub lasts: Duration,
}

/// An agent's token as lists show it.
#[derive(Debug, Clone)]
pub struct AgentInfo {
    /// Its id, which is no secret.
    pub id: String,
    /// The session.
    pub session: SessionId,
    /// What the agent is called.
    pub agent: String,
    /// The session's domain.
    pub domain: String,
    /// The token it was narrowed from.
    pub parent: Option<String>,
    /// What it may.
    pub scopes: Scopes,
    /// When it was made.
    pub made: Timestamp,
    /// When it ends, unless it is renewed.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

struct Kept {
    hash: Vec<u8>,
    info: AgentInfo,
    line: Vec<String>,
}

const LONGEST: Duration = Duration::from_secs(86_400);
const SHORTEST: Duration = Duration::from_secs(1);
/// How many tokens of a session live at once, and how deep they are narrowed.
const MOST: u64 = 1_000;
const DEPTH: usize = 16;
/// A token that ended so long ago is forgotten.
const FORGET: Duration = Duration::from_secs(7 * 86_400);
const COLUMNS: &str = "id, hash, session, agent, domain, parent, line, scopes, made, expires, revoked";

impl NewAgent {
    /// A token for [`AGENT`].
    #[must_use]
    pub fn new(session: SessionId, agent: &str, domain: &str, scopes: Scopes) -> Self {
        Self {
            session,
            agent: agent.to_owned(),
            domain: domain.to_owned(),
            scopes,
            lasts: AGENT,
        }
    }
}

impl Access {
    /// Issue a token to a session's agent. `by` is whoever starts the session, in records only.
    ///
    /// # Errors
    /// The session's tokens were all revoked, something is not usable, or the change can't be recorded.
    pub fn issue_agent(&self, by: &Authority, new: &NewAgent) -> Result<Made<AgentInfo>, AccessError> {
        plain_name("the agent's name", &new.agent)?;
        check_time(new.lasts)?;
        self.change(|work| {
            refuse_over(work, &new.session)?;
            put(work, new, None, &by.label())
        })
    }

    /// A token for a subagent: it may what both the parent and `asked` permit, and ends with the parent's time at the latest.
    ///
    /// # Errors
    /// The parent is over by now, or as [`Access::issue_agent`].
    pub fn narrow(
        &self,
        parent: &AgentPrincipal,
        agent: &str,
        asked: &Scopes,
        lasts: Duration,
    ) -> Result<Made<AgentInfo>, AccessError> {
        plain_name("the agent's name", agent)?;
        check_time(lasts)?;
        self.change(|work| {
            let kept = living(work, parent.id())?;
            refuse_over(work, &kept.info.session)?;
            let new = NewAgent {
                session: kept.info.session.clone(),
                agent: agent.to_owned(),
                domain: kept.info.domain.clone(),
                scopes: kept.info.scopes.narrow(asked),
                lasts,
            };
            let by = format!("agent:{}", kept.info.id);
            put(work, &new, Some(&kept), &by)
        })
    }

    /// Let a token last for `lasts` from now, never longer than the one it was narrowed from. The caller knows that the
    /// session lives.
    ///
    /// # Errors
    /// It is over by now, or was revoked.
    pub fn renew_agent(&self, agent: &AgentPrincipal, lasts: Duration) -> Result<Timestamp, AccessError> {
        check_time(lasts)?;
        self.change(|work| {
            let kept = living(work, agent.id())?;
            refuse_over(work, &kept.info.session)?;
            let mut expires = after(work.now, lasts).max(kept.info.expires);
            if let Some(parent) = &kept.info.parent {
                expires = expires.min(living(work, parent)?.info.expires);
            }
            work.run(
                "UPDATE agents SET expires = ?2 WHERE id = ?1",
                params![kept.info.id, expires.0],
            )?;
            let by = format!("agent:{}", kept.info.id);
            work.note("agent.renewed", kept.info.id, by, |change| {
                change
                    .with("session", kept.info.session.as_str())
                    .with("expires", expires.to_string())
            })?;
            Ok(expires)
        })
    }

    /// Revoke a token and all below it, at once; how many lived. Takes an operator of the session's domain.
    ///
    /// # Errors
    /// There is none, `by` may not, or the change can't be recorded.
    pub fn revoke_agent(&self, by: &Authority, id: &str) -> Result<usize, AccessError> {
        self.change(|work| {
            let kept = read(work.tx, id).map_err(|source| work.database.fail(source))?;
            let kept = kept.ok_or_else(|| no_such(id))?;
            may_revoke(by, Some(&kept.info.domain))?;
            let count = work.run(
                "UPDATE agents SET revoked = ?2 WHERE revoked IS NULL AND id IN \
                 (WITH RECURSIVE below (id) AS (SELECT ?1 UNION SELECT agents.id FROM agents, below \
                 WHERE agents.parent = below.id) SELECT id FROM below)",
                params![id, work.now.0],
            )?;
            if count > 0 {
                work.note("agent.revoked", id, by.label(), |change| {
                    change
                        .with("session", kept.info.session.as_str())
                        .with("count", count)
                })?;
            }
            Ok(count)
        })
    }

    /// Revoke all tokens of a session, at once and for good: it gets no more. How many lived.
    ///
    /// # Errors
    /// `by` may not, or the change can't be recorded.
    pub fn revoke_session(&self, by: &Authority, session: &SessionId) -> Result<usize, AccessError> {
        self.change(|work| {
            may_revoke(by, domain_of(work, session)?.as_deref())?;
            let count = work.run(
                "UPDATE agents SET revoked = ?2 WHERE session = ?1 AND revoked IS NULL",
                params![session.as_str(), work.now.0],
            )?;
            let first = work.run(
                "INSERT OR IGNORE INTO ended (session, at) VALUES (?1, ?2)",
                params![session.as_str(), work.now.0],
            )?;
            if count > 0 || first > 0 {
                work.note("agent.session-ended", session.as_str(), by.label(), |change| {
                    change.with("count", count)
                })?;
            }
            Ok(count)
        })
    }

    /// The tokens that are kept, of all sessions or of one, the newest first: those that live, and those that ended in the
    /// last days.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn agents(&self, of: Option<&SessionId>) -> Result<Vec<AgentInfo>, AccessError> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM agents WHERE ?1 IS NULL OR session = ?1 ORDER BY made DESC, id LIMIT 10000"
            );
            let rows = connection.prepare_cached(&sql).and_then(|mut select| {
                let rows = select.query_map([of.map(SessionId::as_str)], |row| Ok(kept(row)?.info))?;
                rows.collect::<Result<Vec<_>, _>>()
            });
            rows.map_err(|source| self.database().fail(source))
        })
    }

    /// Who an agent's token is.
    pub(crate) fn agent_principal(&self, hash: &Hashed) -> Result<AgentPrincipal, AccessError> {
        let now = self.now();
        self.read(|connection| {
            let found = read(connection, &hash.id()).map_err(|source| self.database().fail(source))?;
            let kept = found
                .filter(|kept| hash.is(&kept.hash))
                .ok_or(AccessError::Unknown)?;
            alive(&kept.info, now)?;
            Ok(AgentPrincipal {
                id: kept.info.id,
                session: kept.info.session,
                agent: kept.info.agent,
                domain: kept.info.domain,
                scopes: kept.info.scopes,
                expires: kept.info.expires,
                line: kept.line,
            })
        })
    }
}

fn check_time(lasts: Duration) -> Result<(), AccessError> {
    if lasts < SHORTEST || lasts > LONGEST {
        return Err(AccessError::Unusable {
            what: "the time of an agent's token",
            why: "it lasts a second to a day, and can be renewed".to_owned(),
        });
    }
    Ok(())
}

/// An operator of the domain; where no token says which that is, of every domain.
fn may_revoke(by: &Authority, domain: Option<&str>) -> Result<(), AccessError> {
    match by {
        Authority::Actor(actor) if !actor.may(Role::Operator, domain.unwrap_or("*")) => Err(by.refused(
            "revoke agents' tokens",
            "the role operator in the session's domain",
        )),
        Authority::Actor(_) | Authority::Machine(_) => Ok(()),
    }
}

fn domain_of(work: &Work<'_>, session: &SessionId) -> Result<Option<String>, AccessError> {
    work.tx
        .prepare_cached("SELECT domain FROM agents WHERE session = ?1 ORDER BY made LIMIT 1")
        .and_then(|mut select| select.query_row([session.as_str()], |row| row.get(0)).optional())
        .map_err(|source| work.database.fail(source))
}

fn no_such(id: &str) -> AccessError {
    AccessError::NoSuch {
        what: "agent's token",
        which: id.to_owned(),
    }
}

fn refuse_over(work: &Work<'_>, session: &SessionId) -> Result<(), AccessError> {
    let over: bool = work
        .tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM ended WHERE session = ?1)")
        .and_then(|mut select| select.query_row([session.as_str()], |row| row.get(0)))
        .map_err(|source| work.database.fail(source))?;
    if over {
        return Err(AccessError::SessionOver {
            session: session.to_string(),
        });
    }
    Ok(())
}

fn alive(info: &AgentInfo, now: Timestamp) -> Result<(), AccessError> {
    if info.revoked.is_some() {
        return Err(AccessError::Revoked);
    }
    let ends = info
        .scopes
        .ends()
        .map_or(info.expires, |end| end.min(info.expires));
    if now >= ends {
        return Err(AccessError::Expired);
    }
    Ok(())
}

/// A token as it is now, if it lives: what a principal says is as old as the principal.
fn living(work: &Work<'_>, id: &str) -> Result<Kept, AccessError> {
    let kept = read(work.tx, id).map_err(|source| work.database.fail(source))?;
    let kept = kept.ok_or(AccessError::Unknown)?;
    alive(&kept.info, work.now)?;
    Ok(kept)
}

fn put(
    work: &mut Work<'_>,
    new: &NewAgent,
    parent: Option<&Kept>,
    by: &str,
) -> Result<Made<AgentInfo>, AccessError> {
    let text = scopes::write(&new.scopes).filter(|text| text.len() <= scopes::LONGEST);
    let text = text.ok_or_else(|| AccessError::Unusable {
        what: "the list of scopes",
        why: "at most 16 KiB, on surfaces that agents act on: ask for fewer".to_owned(),
    })?;
    tidy(work)?;
    refuse_many(work, &new.session, parent)?;
    let secret = Secret::new(Kind::Agent)?;
    let hash = Hashed::of(secret.expose());
    let mut expires = after(work.now, new.lasts);
    let mut line = vec![hash.id()];
    if let Some(parent) = parent {
        expires = expires.min(parent.info.expires);
        line.extend(parent.line.iter().cloned());
    }
    let info = AgentInfo {
        id: hash.id(),
        session: new.session.clone(),
        agent: new.agent.clone(),
        domain: new.domain.clone(),
        parent: parent.map(|parent| parent.info.id.clone()),
        scopes: new.scopes.clone(),
        made: work.now,
        expires,
        revoked: None,
    };
    work.run(
        "INSERT INTO agents (id, hash, session, agent, domain, parent, line, scopes, made, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            info.id,
            hash.bytes(),
            info.session.as_str(),
            info.agent,
            info.domain,
            info.parent,
            line.join(" "),
            text,
            info.made.0,
            info.expires.0
        ],
    )?;
    work.note("agent.issued", info.id.clone(), by, |change| {
        change
            .with("session", info.session.as_str())
            .with("agent", info.agent.clone())
            .with("parent", info.parent.clone())
            .with("scopes", info.scopes.to_string())
            .with("expires", info.expires.to_string())
    })?;
    Ok(Made { secret, info })
}

fn refuse_many(work: &Work<'_>, session: &SessionId, parent: Option<&Kept>) -> Result<(), AccessError> {
    if parent.is_some_and(|parent| parent.line.len() >= DEPTH) {
        return Err(AccessError::Limit {
            what: "how deep a token is narrowed",
            limit: DEPTH as u64,
            remedy: "narrow one further up",
        });
    }
    let count: i64 = work
        .tx
        .prepare_cached("SELECT count(*) FROM agents WHERE session = ?1 AND revoked IS NULL AND expires > ?2")
        .and_then(|mut select| select.query_row(params![session.as_str(), work.now.0], |row| row.get(0)))
        .map_err(|source| work.database.fail(source))?;
    if u64::try_from(count).unwrap_or(0) >= MOST {
        return Err(AccessError::Limit {
            what: "the number of a session's living tokens",
            limit: MOST,
            remedy: "revoke some, or wait until they end",
        });
    }
    Ok(())
}

/// Forget what ended long ago. A parent ends after all below it, and goes with or after them.
fn tidy(work: &Work<'_>) -> Result<(), AccessError> {
    let before = work.now.0.saturating_sub(after(Timestamp(0), FORGET).0);
    work.run(
        "DELETE FROM agents WHERE expires < ?1 AND NOT EXISTS \
         (SELECT 1 FROM agents AS below WHERE below.parent = agents.id)",
        [before],
    )?;
    Ok(())
}

fn read(connection: &Connection, id: &str) -> Result<Option<Kept>, rusqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], kept).optional()
}

fn kept(row: &Row<'_>) -> Result<Kept, rusqlite::Error> {
    let wrong = |column, what: &str| crate::people::damaged(column, std::io::Error::other(what.to_owned()));
    let session: String = row.get(2)?;
    let scopes: String = row.get(7)?;
    let line: String = row.get(6)?;
    Ok(Kept {
        hash: row.get(1)?,
        line: line.split(' ').map(str::to_owned).collect(),
        info: AgentInfo {
            id: row.get(0)?,
            session: session.parse().map_err(|_| wrong(2, "no session"))?,
            agent: row.get(3)?,
            domain: row.get(4)?,
            parent: row.get(5)?,
            scopes: scopes::read(&scopes).ok_or_else(|| wrong(7, "no scopes"))?,
            made: Timestamp(row.get(8)?),
            expires: Timestamp(row.get(9)?),
            revoked: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        },
    })
}
