//! A port: plain on this machine, TLS beyond it; drained when the server is to end.

use crate::config::{Configuration, Tls};
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A header must be whole within this time; a client that dribbles holds nobody up.
const HEADER: Duration = Duration::from_secs(10);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// Why the port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, or not to be had.
    #[error("{address} can't be listened on; nothing was changed")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate or its key is none.
    #[error("the certificate `{certificate}` with its key can't be used, and no port was opened")]
    Certificate {
        /// Which.
        certificate: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An opened port.
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Open it.
    ///
    /// # Errors
    /// [`ListenError::Address`].
    pub fn open(configuration: &Configuration) -> Result<Self, ListenError> {
        let wanted = configuration.listen;
        let fail = |source| ListenError::Address {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// Where it is: the port that was taken, where any was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serve until `handle` says to end; open requests have their time then.
    ///
    /// # Errors
    /// The certificate can't be used, or the port fails.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<&Tls>,
        handle: Handle<SocketAddr>,
    ) -> Result<(), ListenError> {
        let address = self.address;
        let fail = |source| ListenError::Address { address, source };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        match tls {
            None => {
                let mut server = axum_server::from_tcp(self.listener).map_err(fail)?.handle(handle);
                strict(server.http_builder());
                server.serve(service).await.map_err(fail)
            }
            Some(tls) => {
                let config = certificate(tls).await?;
                let mut server = axum_server::from_tcp_rustls(self.listener, config)
                    .map_err(fail)?
                    .handle(handle);
                strict(server.http_builder());
                server.serve(service).await.map_err(fail)
            }
        }
    }
}

/// What a client must not do to us.
fn strict(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .max_concurrent_streams(64)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(20));
}

/// The certificate with its key, checked.
///
/// # Errors
/// [`ListenError::Certificate`].
pub async fn certificate(tls: &Tls) -> Result<RustlsConfig, ListenError> {
    use_ring();
    let fail = |source| ListenError::Certificate {
        certificate: tls.certificate.display().to_string(),
        source,
    };
    RustlsConfig::from_pem_file(&tls.certificate, &tls.key)
        .await
        .map_err(fail)
}

/// The one cryptography provider of the process.
fn use_ring() {
    let _chosen_already = rustls::crypto::ring::default_provider().install_default();
}
