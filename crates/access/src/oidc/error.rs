//! What can go wrong with a provider.

use std::error::Error;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The configuration can't work.
    #[error("the configuration of OpenID Connect is not usable: {what}")]
    Configuration {
        /// What, and what would do.
        what: String,
    },
    /// The provider does not answer, or not what it should.
    #[error(
        "the provider `{issuer}` can't be used at this moment; people with a password here still can sign in"
    )]
    Unreachable {
        /// Which.
        issuer: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What came back from the provider belongs to no sign-in that was begun, or to one that was answered already.
    #[error("this sign-in was not begun here, or was answered already: begin it again")]
    State,
    /// It took too long.
    #[error("this sign-in took longer than 10 minutes: begin it again")]
    TooLate,
    /// It was begun in another browser.
    #[error("this sign-in was begun in another browser: begin it again in this one")]
    OtherBrowser,
    /// The answer says that it comes from somebody else, or does not say where it comes from.
    #[error("the answer comes from `{found}`, and not from `{expected}`: nobody was signed in")]
    IssuerMixedUp {
        /// Who was asked.
        expected: String,
        /// Who answered.
        found: String,
    },
    /// The provider refused.
    #[error("the provider refused: {what}; begin the sign-in again")]
    Refused {
        /// In its own words.
        what: String,
    },
    /// What the provider says of who it is does not prove it.
    #[error("what the provider sent proves nobody's identity: {why}")]
    Unproved {
        /// Why.
        why: String,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: no sign-in was begun")]
    NoRandomness,
}
