//! Who may do what: people, roles, tokens, sign-in.
//!
//! One SQLite file (docs/formats/access.md), shared by every process that opens it. Absences that hold: no web
//! framework, no ledger (a [`Recorder`] is given in), no secret in the file, in a record or in `Debug` output, and no
//! way from an [`AgentPrincipal`] to a role.

mod access;
mod agents;
mod authority;
mod database;
mod error;
mod grants;
mod hashing;
mod name;
mod oidc;
mod password;
mod people;
mod principal;
mod record;
mod role;
mod scopes;
mod secret;
mod sign_in;
mod throttle;
mod tokens;

pub use access::{Access, Options};
pub use agents::{AgentInfo, NewAgent};
pub use authority::Authority;
pub use error::{AccessError, NameFault, PasswordFault};
pub use grants::{Domains, Grant, GrantFault, Grants};
pub use name::PersonName;
pub use oidc::{Answer, Begun, GrantRule, Identity, Oidc, OidcConfig, OidcError};
pub use people::{NewPerson, PersonInfo};
pub use principal::{Actor, AgentPrincipal, PersonPrincipal, Principal, TokenPrincipal};
pub use record::{Change, RecordError, Recorder};
pub use role::Role;
pub use secret::Secret;
pub use sign_in::{SignInInfo, SignedIn};
pub use tokens::{Made, NewToken, TokenInfo};

/// How long an API token lasts where nobody says.
pub const TOKEN_DAYS: u64 = 90;
/// How long after giving a password its person may do what needs fresh authority.
pub const FRESH: std::time::Duration = std::time::Duration::from_secs(5 * 60);
/// A sign-in that nobody used for so long is over.
pub const IDLE: std::time::Duration = std::time::Duration::from_secs(12 * 3600);
/// A sign-in is over after so long, used or not.
pub const LONGEST: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
/// How long an agent's token lasts where nobody says.
pub const AGENT: std::time::Duration = std::time::Duration::from_secs(15 * 60);
