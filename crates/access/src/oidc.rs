//! Signing in at an OpenID Connect provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
//! RFC 7636; RFC 9207), everything in it verified.

mod config;
mod error;
mod http;
mod identity;
mod pending;
mod wire;

pub use config::{GrantRule, OidcConfig};
pub use error::OidcError;
pub use identity::Identity;

use crate::secret::{Hashed, Kind, Secret};
use config::address;
use http::{Client as Http, HttpError};
use openidconnect::core::{CoreAuthenticationFlow, CoreJwsSigningAlgorithm};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse as _,
};
use pending::{Pending, Waiting};
use rescind_model::Timestamp;
use serde_json::{Map, Value};
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::{Answered, Client, Metadata, UserInfo};

/// A provider that answered. Cheap to clone.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    config: OidcConfig,
    http: Http,
    /// With its keys, which are fetched again when an unknown one signs.
    metadata: Mutex<Metadata>,
    pending: Pending,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where to send the browser.
    pub url: String,
    /// For a cookie of ten minutes (`HttpOnly`, `SameSite=Lax`): to come back with the provider's answer.
    pub browser: Secret,
}

/// What the browser brings back from the provider.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The parameter `state`.
    pub state: String,
    /// The parameter `code`.
    pub code: String,
    /// The parameter `iss`, if there is one.
    pub issuer: Option<String>,
    /// The cookie from [`Begun::browser`]; an empty one fits nothing.
    pub browser: String,
}

/// The algorithms that an identity may be signed with: those with a public key.
const SIGNED: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// How far the provider's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(60);

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oidc({})", self.0.config.issuer)
    }
}

impl Oidc {
    /// Ask the provider for its endpoints and keys.
    ///
    /// # Errors
    /// The configuration can't work, the provider can't be reached, or says that it is another one.
    pub fn discover(config: OidcConfig) -> Result<Self, OidcError> {
        Self::discover_with(config, crate::access::Options::default().clock)
    }

    /// The same, with a clock.
    ///
    /// # Errors
    /// As [`Oidc::discover`].
    pub fn discover_with(
        config: OidcConfig,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Result<Self, OidcError> {
        config.check()?;
        let http = Http::new(config.ca_file.as_deref()).map_err(|what| OidcError::Configuration { what })?;
        let issuer = IssuerUrl::new(config.issuer.clone()).map_err(|error| OidcError::Configuration {
            what: error.to_string(),
        })?;
        let metadata = Metadata::discover(&issuer, &http).map_err(|error| discovery(&config, error))?;
        address(
            "authorization_endpoint",
            metadata.authorization_endpoint().as_str(),
        )?;
        Ok(Self(Arc::new(Inner {
            config,
            http,
            metadata: Mutex::new(metadata),
            pending: Pending::default(),
            clock,
        })))
    }

    /// Begin a sign-in. A `fresh` one makes the provider ask for the password again, for what needs fresh authority.
    ///
    /// # Errors
    /// The system gives no randomness, or the configuration can't work.
    pub fn begin(&self, fresh: bool) -> Result<Begun, OidcError> {
        self.begin_for(fresh, None)
    }

    /// Begin a fresh sign-in of somebody who is signed in by this cookie: what comes back says so ([`Identity::renews`]).
    ///
    /// # Errors
    /// As [`Oidc::begin`].
    pub fn begin_again(&self, cookie: Secret) -> Result<Begun, OidcError> {
        self.begin_for(true, Some(cookie))
    }

    fn begin_for(&self, fresh: bool, renews: Option<Secret>) -> Result<Begun, OidcError> {
        let own = &self.0;
        let random = |kind| Secret::new(kind).map_err(|_| OidcError::NoRandomness);
        let (state, nonce, browser) = (
            random(Kind::Browser)?,
            random(Kind::Browser)?,
            random(Kind::Browser)?,
        );
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new(nonce.expose().to_owned());
        let (sent_state, sent_nonce) = (CsrfToken::new(state.expose().to_owned()), nonce.clone());
        let client = self.client()?;
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || sent_state,
                move || sent_nonce,
            )
            .set_pkce_challenge(challenge);
        for scope in &own.config.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        if fresh {
            request = request
                .add_prompt(openidconnect::core::CoreAuthPrompt::Login)
                .set_max_age(Duration::ZERO);
        }
        let (url, ..) = request.url();
        own.pending.add(
            state.expose(),
            Waiting {
                nonce,
                verifier,
                browser: Hashed::of(browser.expose()),
                fresh,
                renews,
                begun: (own.clock)(),
            },
        );
        Ok(Begun {
            url: url.into(),
            browser,
        })
    }

    /// What the provider's answer proves. Whatever comes of it, the sign-in is over.
    ///
    /// # Errors
    /// It proves nothing: the error says why.
    pub fn finish(&self, answer: &Answer) -> Result<Identity, OidcError> {
        let own = &self.0;
        let browser = Secret::of(answer.browser.clone());
        let waiting = own.pending.take(&answer.state, &browser, (own.clock)())?;
        self.check_issuer(answer.issuer.as_deref())?;
        let answered = self.exchange(&answer.code, waiting.verifier)?;
        let mut claims =
            match self.verified(&answered, &waiting.nonce, waiting.fresh.then_some(waiting.begun)) {
                Err(Verified::UnknownKey(_)) => {
                    self.fetch_keys()?;
                    self.verified(&answered, &waiting.nonce, waiting.fresh.then_some(waiting.begun))
                }
                other => other,
            }
            .map_err(|error| OidcError::Unproved {
                why: error.to_string(),
            })?;
        for (claim, value) in self.user_info(&answered, &claims)? {
            claims.entry(claim).or_insert(value);
        }
        Ok(Identity {
            renews: waiting.renews,
            ..self.identity(&claims)?
        })
    }

    /// The provider sent the browser back without proving anything. The sign-in is over; a refusal that belongs to none is no
    /// word of the provider's, and not to be shown as one.
    ///
    /// # Errors
    /// It belongs to no sign-in that was begun in this browser, or comes from elsewhere.
    pub fn refused(&self, state: &str, issuer: Option<&str>, browser: &str) -> Result<(), OidcError> {
        let browser = Secret::of(browser.to_owned());
        self.0.pending.take(state, &browser, (self.0.clock)())?;
        self.check_issuer(issuer)
    }

    /// Which provider it is.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.config.issuer
    }

    /// An answer that names its issuer names ours (RFC 9207); where the provider says it always does, it has to.
    fn check_issuer(&self, named: Option<&str>) -> Result<(), OidcError> {
        let metadata = self.metadata();
        let promised = metadata
            .additional_metadata()
            .authorization_response_iss_parameter_supported;
        let mixed_up = match named {
            Some(named) => named != self.0.config.issuer,
            None => promised,
        };
        if mixed_up {
            return Err(OidcError::IssuerMixedUp {
                expected: self.0.config.issuer.clone(),
                found: named.unwrap_or("nobody").chars().take(200).collect(),
            });
        }
        Ok(())
    }

    fn exchange(&self, code: &str, verifier: openidconnect::PkceCodeVerifier) -> Result<Answered, OidcError> {
        let client = self.client()?;
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| OidcError::Configuration {
                what: error.to_string(),
            })?;
        let answer = request.set_pkce_verifier(verifier).request(&self.0.http);
        answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(refused) => {
                let what = refused.to_string();
                OidcError::Refused {
                    what: what.chars().take(300).collect(),
                }
            }
            RequestTokenError::Request(error) => self.unreachable(error),
            RequestTokenError::Parse(error, _) => self.unreachable(error),
            RequestTokenError::Other(what) => self.unreachable(std::io::Error::other(what)),
        })
    }

    /// The claims of the ID token, once signature, issuer, audience, times, nonce and the hash of the access token are
    /// right.
    fn verified(
        &self,
        answered: &Answered,
        nonce: &Nonce,
        fresh_since: Option<Timestamp>,
    ) -> Result<Map<String, Value>, Verified> {
        let client = self
            .client()
            .map_err(|error| Verified::Wrong(error.to_string()))?;
        let token = answered
            .id_token()
            .ok_or_else(|| Verified::Wrong("there is no ID token".to_owned()))?;
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNED);
        let now = (self.0.clock)();
        let verifier = verifier.set_time_fn(move || system(now).into());
        let latest = crate::access::after(now, AHEAD);
        let verifier = verifier.set_issue_time_verifier_fn(move |issued| {
            if SystemTime::from(issued) > system(latest) {
                Err("it was issued in the future".to_owned())
            } else {
                Ok(())
            }
        });
        let claims = token.claims(&verifier, nonce).map_err(Verified::from)?;
        if let Some(expected) = claims.access_token_hash() {
            let hash = token
                .signing_alg()
                .and_then(|alg| Ok((alg, token.signing_key(&verifier)?)))
                .map_err(|error| Verified::Wrong(error.to_string()))
                .and_then(|(alg, key)| {
                    AccessTokenHash::from_token(answered.access_token(), alg, key)
                        .map_err(|error| Verified::Wrong(error.to_string()))
                })?;
            if hash != *expected {
                return Err(Verified::Wrong(
                    "the access token is not the one it was made for".to_owned(),
                ));
            }
        }
        if let Some(since) = fresh_since {
            let proved = claims.auth_time().ok_or_else(|| {
                Verified::Wrong("it does not say when the password was given (auth_time)".to_owned())
            })?;
            if SystemTime::from(proved) + AHEAD < system(since) {
                return Err(Verified::Wrong("the password was not given anew".to_owned()));
            }
        }
        let all = serde_json::to_value(claims).map_err(|error| Verified::Wrong(error.to_string()))?;
        match all {
            Value::Object(all) => Ok(all),
            _ => Err(Verified::Wrong("it has no claims".to_owned())),
        }
    }

    /// What else the provider says of the same subject: many have groups there only.
    fn user_info(
        &self,
        answered: &Answered,
        claims: &Map<String, Value>,
    ) -> Result<Map<String, Value>, OidcError> {
        let client = self.client()?;
        if client.user_info_url().is_none() {
            return Ok(Map::new());
        }
        let subject = openidconnect::SubjectIdentifier::new(text(claims, "sub"));
        let request = client
            .user_info(answered.access_token().clone(), Some(subject))
            .map_err(|error| OidcError::Configuration {
                what: error.to_string(),
            })?;
        let found: Result<UserInfo, _> = request.require_signed_response(false).request(&self.0.http);
        let found = found.map_err(|error| self.unreachable(error))?;
        match serde_json::to_value(found) {
            Ok(Value::Object(all)) => Ok(all),
            _ => Ok(Map::new()),
        }
    }

    fn identity(&self, claims: &Map<String, Value>) -> Result<Identity, OidcError> {
        let config = &self.0.config;
        let name = text(claims, &config.name_claim);
        if name.is_empty() {
            return Err(OidcError::Unproved {
                why: format!(
                    "the provider gives no claim `{}` to call the person by",
                    config.name_claim
                ),
            });
        }
        let short = |text: String| {
            text.chars()
                .filter(|letter| !letter.is_control())
                .take(128)
                .collect()
        };
        Ok(Identity {
            issuer: config.issuer.clone(),
            subject: text(claims, "sub"),
            name,
            shown: short(text(claims, "name")),
            email: short(text(claims, "email")),
            groups: config.groups_of(claims),
            grants: config.grants_of(claims),
            renews: None,
        })
    }

    fn client(&self) -> Result<Client, OidcError> {
        let config = &self.0.config;
        let redirect =
            RedirectUrl::new(config.redirect.clone()).map_err(|error| OidcError::Configuration {
                what: error.to_string(),
            })?;
        let secret = config.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let id = ClientId::new(config.client_id.clone());
        Ok(Client::from_provider_metadata(self.metadata(), id, secret).set_redirect_uri(redirect))
    }

    fn metadata(&self) -> Metadata {
        let metadata = self.0.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        metadata.clone()
    }

    /// The keys anew. Nothing is held while the provider is asked.
    fn fetch_keys(&self) -> Result<(), OidcError> {
        let address = self.metadata().jwks_uri().clone();
        let keys = JsonWebKeySet::fetch(&address, &self.0.http);
        let keys = keys.map_err(|error| discovery(&self.0.config, error))?;
        let mut metadata = self.0.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        *metadata = metadata.clone().set_jwks(keys);
        Ok(())
    }

    fn unreachable(&self, source: impl Error + Send + Sync + 'static) -> OidcError {
        OidcError::Unreachable {
            issuer: self.0.config.issuer.clone(),
            source: Box::new(source),
        }
    }
}

/// Why an ID token proves nothing.
#[derive(Debug, thiserror::Error)]
enum Verified {
    /// The key is none of the provider's, as far as is known here.
    #[error("{0}")]
    UnknownKey(String),
    /// Anything else.
    #[error("{0}")]
    Wrong(String),
}

impl From<ClaimsVerificationError> for Verified {
    fn from(error: ClaimsVerificationError) -> Self {
        match &error {
            ClaimsVerificationError::SignatureVerification(
                cause @ (SignatureVerificationError::NoMatchingKey
                | SignatureVerificationError::CryptoError(_)
                | SignatureVerificationError::AmbiguousKeyId(_)),
            ) => Self::UnknownKey(format!("{error}: {cause}")),
            ClaimsVerificationError::SignatureVerification(cause) => Self::Wrong(format!("{error}: {cause}")),
            other => Self::Wrong(other.to_string()),
        }
    }
}

fn discovery(config: &OidcConfig, error: DiscoveryError<HttpError>) -> OidcError {
    OidcError::Unreachable {
        issuer: config.issuer.clone(),
        source: Box::new(error),
    }
}

fn text(claims: &Map<String, Value>, claim: &str) -> String {
    let value = claims.get(claim).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn system(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(time.0).unwrap_or(0))
}
