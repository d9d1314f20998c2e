//! A server's settings for TLS: its certificates by the name that clients request, and whether
//! clients must show a certificate. They are converted once into a rustls configuration that clones
//! share. The connection is in `session`.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::fault::unusable;
use super::few_intermediates::FewIntermediates;
use super::info::TlsVersion;
use super::options::{ALPN, certificates, invalid};
use super::time::TimeOfDay;
use crate::error::{Error, Misuse};

/// How a server speaks TLS. Cheap to clone.
///
/// To renew certificates, create another value and pass it to
/// [`Server::set_tls`](crate::server::Server::set_tls): later connections use it.
#[derive(Clone)]
pub struct ServerTlsOptions(Arc<Shared>);

struct Shared {
    config: Arc<ServerConfig>,
    cert_file: Option<PathBuf>,
    private_key_file: Option<PathBuf>,
}

/// A builder of [`ServerTlsOptions`]. [`build`](Self::build) reports invalid values.
#[must_use]
pub struct ServerTlsOptionsBuilder {
    default: Option<Arc<CertifiedKey>>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
    clients: ClientCertificates,
    authorities: RootCertStore,
    min: TlsVersion,
    provider: Arc<CryptoProvider>,
    cert_file: Option<PathBuf>,
    private_key_file: Option<PathBuf>,
    fault: Option<Error>,
}

/// Whether clients are asked for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// Clients are not asked.
    #[default]
    NotAsked,
    /// Clients may show one. A certificate that is not trusted is refused.
    Optional,
    /// Clients must show one.
    Required,
}

impl ServerTlsOptions {
    /// The certificate chain of `cert_file` (PEM, the server's own first) and the private key of
    /// `private_key_file`; without that file, the key must be in `cert_file` as well. Waits for the
    /// disk.
    ///
    /// # Errors
    /// [`Misuse::InvalidTlsOptions`], with the files and the reason as its source.
    pub fn load_certs(
        cert_file: impl AsRef<Path>,
        private_key_file: Option<&Path>,
    ) -> Result<Self, Error> {
        let cert_file = cert_file.as_ref();
        let key_file = private_key_file.unwrap_or(cert_file);
        let chain = read(cert_file)?;
        let key = read(key_file)?;
        let mut builder = Self::builder().certificate_pem(&chain, &key);
        builder.cert_file = Some(cert_file.to_owned());
        builder.private_key_file = Some(key_file.to_owned());
        builder.build().map_err(|error| {
            let files = match private_key_file {
                Some(key_file) => format!("{}, {}", cert_file.display(), key_file.display()),
                None => cert_file.display().to_string(),
            };
            let why = std::error::Error::source(&error)
                .map_or_else(String::new, |why| format!(": {why}"));
            Error::from(Misuse::InvalidTlsOptions).with_source(format!("{files}{why}"))
        })
    }

    /// A builder for all options.
    pub fn builder() -> ServerTlsOptionsBuilder {
        ServerTlsOptionsBuilder {
            default: None,
            by_name: HashMap::new(),
            clients: ClientCertificates::default(),
            authorities: RootCertStore::empty(),
            min: TlsVersion::Tls12,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            cert_file: None,
            private_key_file: None,
            fault: None,
        }
    }

    /// The file that the certificates were loaded from.
    pub fn cert_file(&self) -> Option<&Path> {
        self.0.cert_file.as_deref()
    }

    /// The file that the private key was loaded from.
    pub fn private_key_file(&self) -> Option<&Path> {
        self.0.private_key_file.as_deref()
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.config)
    }
}

impl ServerTlsOptionsBuilder {
    /// The certificate for clients that request no name, or a name without its own certificate:
    /// `chain` in PEM, the server's own certificate first, and its private `key` in PEM.
    pub fn certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Self {
        self.default = self.certified(chain, key);
        self
    }

    /// The certificate for clients that request this name (SNI, RFC 6066 §3).
    pub fn certificate_for(mut self, name: &str, chain: &[u8], key: &[u8]) -> Self {
        if let Some(certified) = self.certified(chain, key) {
            self.by_name.insert(name.to_ascii_lowercase(), certified);
        }
        self
    }

    /// Asks clients for certificates issued by one of these authorities (PEM).
    pub fn client_certificates(mut self, ask: ClientCertificates, authorities: &[u8]) -> Self {
        self.clients = ask;
        match certificates(authorities) {
            Ok(found) => {
                for certificate in found {
                    if let Err(error) = self.authorities.add(certificate) {
                        self.fault.get_or_insert(invalid(error));
                    }
                }
            }
            Err(error) => {
                self.fault.get_or_insert(error);
            }
        }
        self
    }

    /// The oldest version to accept; TLS 1.2 by default.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min = version;
        self
    }

    /// The options.
    ///
    /// # Errors
    /// [`Misuse::InvalidTlsOptions`], with the reason as its source: no certificate, PEM without a
    /// usable certificate or key, or a key that does not belong to its certificate.
    pub fn build(mut self) -> Result<ServerTlsOptions, Error> {
        if let Some(error) = self.fault.take() {
            return Err(error);
        }
        if self.default.is_none() && self.by_name.is_empty() {
            return Err(Error::from(Misuse::InvalidTlsOptions)
                .with_source("a server needs a certificate and its private key: load_certs"));
        }
        let config = self.config().map_err(invalid)?;
        Ok(ServerTlsOptions(Arc::new(Shared {
            config: Arc::new(config),
            cert_file: self.cert_file,
            private_key_file: self.private_key_file,
        })))
    }

    fn certified(&mut self, chain: &[u8], key: &[u8]) -> Option<Arc<CertifiedKey>> {
        let certified = certificates(chain).and_then(|chain: Vec<CertificateDer<'static>>| {
            let key = PrivateKeyDer::from_pem_slice(key).map_err(invalid)?;
            CertifiedKey::from_der(chain, key, &self.provider).map_err(unusable)
        });
        match certified {
            Ok(certified) => Some(Arc::new(certified)),
            Err(error) => {
                self.fault.get_or_insert(error);
                None
            }
        }
    }

    fn config(&mut self) -> Result<ServerConfig, rustls::Error> {
        let versions: Vec<&'static SupportedProtocolVersion> = [
            (TlsVersion::Tls13, &rustls::version::TLS13),
            (TlsVersion::Tls12, &rustls::version::TLS12),
        ]
        .into_iter()
        .filter(|(version, _)| *version >= self.min)
        .map(|(_, supported)| supported)
        .collect();
        let verifier = self.verifier()?;
        let builder =
            ServerConfig::builder_with_details(Arc::clone(&self.provider), Arc::new(TimeOfDay))
                .with_protocol_versions(&versions)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName {
            default: self.default.take(),
            by_name: std::mem::take(&mut self.by_name),
        }));
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    fn verifier(&self) -> Result<Option<Arc<dyn ClientCertVerifier>>, rustls::Error> {
        let builder = WebPkiClientVerifier::builder_with_provider(
            Arc::new(self.authorities.clone()),
            Arc::clone(&self.provider),
        );
        let builder = match self.clients {
            ClientCertificates::NotAsked => return Ok(None),
            ClientCertificates::Optional => builder.allow_unauthenticated(),
            ClientCertificates::Required => builder,
        };
        match builder.build() {
            Ok(verifier) => Ok(Some(Arc::new(FewIntermediates(verifier)))),
            Err(error) => Err(rustls::Error::General(error.to_string())),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| {
        let text = format!("{}: {error}", path.display());
        invalid(io::Error::new(error.kind(), text))
    })
}

/// Chooses the certificate for the name that a client requests.
#[derive(Debug)]
struct ByName {
    default: Option<Arc<CertifiedKey>>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello
            .server_name()
            .and_then(|name| self.by_name.get(&name.to_ascii_lowercase()))
            .or(self.default.as_ref())
            .cloned()
    }
}

impl fmt::Debug for ServerTlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsOptions")
            .field("cert_file", &self.0.cert_file)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerTlsOptionsBuilder {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsOptionsBuilder")
            .field("names", &self.by_name.len())
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}
