//! Why a decision on a hold is not taken: each reason has its own error.

use std::io;

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There is no such hold.
    #[error("there is no hold `{action}`")]
    Unknown {
        /// What was asked for.
        action: String,
    },
    /// It is over.
    #[error("the hold `{action}` is over: it was {how} at {at}; an approval counts once")]
    Over {
        /// Which.
        action: String,
        /// How it ended.
        how: &'static str,
        /// When.
        at: String,
    },
    /// Its time is up.
    #[error("the hold `{action}` expired at {at}: the action is denied")]
    Expired {
        /// Which.
        action: String,
        /// When.
        at: String,
    },
    /// Whoever waited is gone.
    #[error("nobody waits for `{action}` any more: the hold is void, and an approval would run nothing")]
    Void {
        /// Which.
        action: String,
    },
    /// It is not what was shown.
    #[error("what `{action}` would do has changed since it was shown: look at it again")]
    Changed {
        /// Which.
        action: String,
    },
    /// The requester may not approve.
    #[error("`{action}` needs somebody else: {person} started the session that asks for it")]
    Requester {
        /// Which.
        action: String,
        /// Who.
        person: String,
    },
    /// One person counts once.
    #[error("{person} has decided on `{action}` already: another person is needed")]
    Again {
        /// Which.
        action: String,
        /// Who.
        person: String,
    },
    /// It is others who decide.
    #[error("{person} does not decide on `{action}`: it waits for {deciders}")]
    Tier {
        /// Which.
        action: String,
        /// Who.
        person: String,
        /// The tiers that decide, with who is in them.
        deciders: String,
    },
    /// The directory.
    #[error("the holds in `{path}` can't be used; nothing was decided")]
    Directory {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}
