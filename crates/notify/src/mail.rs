//! E-mail: one to each address, so that one that is refused keeps nobody else from being told.

mod body;

use crate::channels::Secret;
use crate::form::Form;
use crate::sending::Sent;
use crate::words;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport as _};
use rescind_model::chain;
use std::fmt;
use std::time::Duration;

/// How the way to the server is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// In the clear first, then TLS or nothing.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the clear.
    None,
}

/// The mail server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    /// Certificates (PEM) that vouch for it, in the place of the machine's own.
    pub(crate) roots: Option<Vec<u8>>,
}

/// Mail to some addresses.
pub(crate) struct Mail {
    server: Server,
    credentials: Option<(String, Secret)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    tls: Tls,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("server", &self.shown())
            .field("security", &self.server.security)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("from", &self.from.email)
            .field("to", &self.addresses())
            .finish()
    }
}

impl Security {
    /// The port that is for it.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl Mail {
    /// # Errors
    /// A sentence: the certificates can't be used.
    pub(crate) fn new(
        server: Server,
        credentials: Option<(String, Secret)>,
        from: Mailbox,
        to: Vec<Mailbox>,
    ) -> Result<Self, String> {
        let tls = match server.security {
            Security::None => Tls::None,
            Security::StartTls => Tls::Required(parameters(&server)?),
            Security::Tls => Tls::Wrapper(parameters(&server)?),
        };
        Ok(Self {
            server,
            credentials,
            from,
            to,
            tls,
        })
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.server.host, self.server.port)
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.to.iter().map(|mailbox| mailbox.email.to_string()).collect()
    }

    pub(crate) fn send(&self, id: &str, form: &Form, target: &str, time_out: Duration) -> Sent {
        let Some(to) = self.to.iter().find(|mailbox| mailbox.email.to_string() == target) else {
            return Sent::Refused {
                why: format!("`{target}` is no longer an address of this channel"),
            };
        };
        let mail = match body::mail(id, form, &self.from, to) {
            Ok(mail) => mail,
            Err(why) => return Sent::Refused { why },
        };
        let mut transport = SmtpTransport::builder_dangerous(self.server.host.as_str())
            .port(self.server.port)
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()))
            .timeout(Some(time_out))
            .tls(self.tls.clone());
        if let Some((user, password)) = &self.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        match transport.build().send(&mail) {
            Ok(_) => Sent::Told,
            Err(error) => self.not_sent(&error),
        }
    }

    fn not_sent(&self, error: &lettre::transport::smtp::Error) -> Sent {
        let mut why = format!("{}: {}", self.shown(), chain(error));
        if let Some((_, password)) = &self.credentials {
            why = why.replace(password.reveal(), "(secret)");
        }
        let why = words::line(&why, 300);
        // A server that wants a sign-in, or another one, is mended by its owner: 530, 534, 535, 538.
        let code = error.status().map(u16::from);
        let sign_in = matches!(code, Some(530 | 534 | 535 | 538));
        if error.is_permanent() && !sign_in {
            Sent::Refused { why }
        } else {
            Sent::later(why)
        }
    }
}

fn parameters(server: &Server) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &server.roots {
        let certificate =
            Certificate::from_pem(pem).map_err(|_| "`ca_file` has no certificates in PEM form".to_owned())?;
        parameters = parameters
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    parameters
        .build()
        .map_err(|error| format!("TLS can't be set up: {error}"))
}
