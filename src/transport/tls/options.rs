//! The caller's settings for TLS, converted once into a rustls configuration that clones share. The
//! connection is in `session`, the decision about trust in `verifier`.
//!
//! The crypto provider (ring) is chosen here. A provider that another crate installed for the whole
//! process has no effect.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::fault::unusable;
use super::identity::{AskedCertificate, server_name};
use super::info::TlsVersion;
use super::time::TimeOfDay;
use super::verifier::{ChainVerifier, NoVerifier};
use crate::error::{Error, Misuse};

/// The only protocol this crate speaks over TLS, offered by ALPN (RFC 7301).
pub(super) const ALPN: &[u8] = b"http/1.1";

/// How many servers' sessions are kept for resumption, per [`TlsOptions`].
const REMEMBERED_SESSIONS: usize = 256;

/// How to speak TLS: which authorities to trust, which name to check, and which client certificate to
/// show. This is Godot's `TLSOptions`, with more options in its [`builder`](Self::builder).
///
/// The default is TLS 1.2 or 1.3, Mozilla's root certificates as bundled with this build, and a
/// certificate that is valid for the host connected to. Revocation is not checked.
///
/// Cheap to clone. Connections made with clones of the same value resume each other's sessions, which
/// makes handshakes shorter. So create the value once and keep it.
#[derive(Clone)]
pub struct TlsOptions(Arc<Shared>);

struct Shared {
    config: Result<Arc<ClientConfig>, rustls::Error>,
    sessions: Option<Arc<ClientSessionMemoryCache>>,
    name: Option<ServerName<'static>>,
    verifier_may_wait: bool,
}

impl TlsOptions {
    /// The default: Mozilla's roots, and the name of the host. All calls return clones of one value.
    pub fn client() -> Self {
        static DEFAULT: OnceLock<TlsOptions> = OnceLock::new();
        DEFAULT
            .get_or_init(|| TlsOptionsBuilder::new().assemble(None))
            .clone()
    }

    /// Godot's `TLSOptions.client_unsafe`: the certificate's name is not checked. With a
    /// `trusted_chain` (PEM) the certificate must still come from one of these authorities, or be one
    /// of these certificates; without it, **anybody** can impersonate the server.
    ///
    /// # Errors
    /// [`Misuse::InvalidTlsOptions`] if `trusted_chain` contains no usable certificate.
    pub fn client_unsafe(trusted_chain: Option<&[u8]>) -> Result<Self, Error> {
        let builder = Self::builder();
        match trusted_chain {
            Some(pem) => builder.trusted_chain_pem(pem).insecure_no_name_check(),
            None => builder.insecure_no_verification(),
        }
        .build()
    }

    /// A builder for all options, starting with the defaults.
    pub fn builder() -> TlsOptionsBuilder {
        TlsOptionsBuilder::new()
    }

    /// The options of an `https` connection for which the caller gave none; an error in builds
    /// without TLS.
    pub(crate) fn for_https() -> Result<Self, Error> {
        Ok(Self::client())
    }

    pub(super) fn config(&self) -> Result<&Arc<ClientConfig>, rustls::Error> {
        self.0.config.as_ref().map_err(Clone::clone)
    }

    pub(super) fn name_override(&self) -> Option<&ServerName<'static>> {
        self.0.name.as_ref()
    }

    /// Whether the verifier may wait, so that no frame may call it.
    pub(super) fn verifier_may_wait(&self) -> bool {
        self.0.verifier_may_wait
    }

    /// Forgets the sessions with `name`: the next connection does a full handshake.
    pub(super) fn forget_session(&self, name: &ServerName<'static>) {
        if let Some(sessions) = &self.0.sessions {
            sessions.remove_tls12_session(name);
        }
    }
}

/// Only clones of one value are equal: only then may a connection made with one be used for the
/// other.
impl PartialEq for TlsOptions {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TlsOptions {}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("common_name_override", &self.0.name)
            .field("resumption", &self.0.sessions.is_some())
            .finish_non_exhaustive()
    }
}

/// A builder of [`TlsOptions`]. [`build`](Self::build) reports invalid values.
#[must_use]
pub struct TlsOptionsBuilder {
    roots: RootCertStore,
    /// The caller's certificates; see [`ChainVerifier`].
    pinned: Vec<CertificateDer<'static>>,
    trust: Trust,
    checks: Checks,
    identity: Option<Identity>,
    name: Option<String>,
    min: TlsVersion,
    max: TlsVersion,
    resumption: bool,
    fault: Option<Error>,
}

/// Who is trusted besides the caller's certificates.
#[derive(Clone, Debug)]
enum Trust {
    Nobody,
    BundledRoots,
    #[cfg(feature = "platform-verifier")]
    Platform,
    /// A verifier that may wait.
    #[cfg(all(test, feature = "agent", feature = "server"))]
    Verifier(Arc<dyn ServerCertVerifier>),
}

impl Trust {
    fn may_wait(&self) -> bool {
        !matches!(self, Self::Nobody | Self::BundledRoots)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Checks {
    All,
    ChainOnly,
    Nothing,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl TlsOptionsBuilder {
    fn new() -> Self {
        Self {
            roots: RootCertStore::empty(),
            pinned: Vec::new(),
            trust: Trust::BundledRoots,
            checks: Checks::All,
            identity: None,
            name: None,
            min: TlsVersion::Tls12,
            max: TlsVersion::Tls13,
            resumption: true,
            fault: None,
        }
    }

    /// Trusts the certificates in `pem` **instead of** the bundled roots, as Godot does: the
    /// authorities that issue the server's certificate, or the server's certificate itself.
    pub fn trusted_chain_pem(mut self, pem: &[u8]) -> Self {
        self.trust = Trust::Nobody;
        self.add_root_pem(pem)
    }

    /// Trusts the certificates in `pem` in addition.
    pub fn add_root_pem(mut self, pem: &[u8]) -> Self {
        match certificates(pem) {
            Ok(found) => found.into_iter().fold(self, Self::add_root),
            Err(error) => {
                self.fault.get_or_insert(error);
                self
            }
        }
    }

    /// Trusts one certificate, in DER, in addition.
    pub fn add_root_der(self, der: &[u8]) -> Self {
        self.add_root(CertificateDer::from(der.to_vec()))
    }

    /// Lets the system's own verifier decide, instead of the bundled roots: it also trusts the authorities that
    /// the player or the player's company added. Windows, macOS, iOS and Android check revocation by their own
    /// rules. Certificates that are [added](Self::add_root_pem) are trusted in addition, but not on Android, whose
    /// network security configuration names them.
    ///
    /// The system's verifier may wait for the disk, another process or the network. It runs on a thread, so a
    /// [poll](crate::Agent::poll) never waits for it; the TLS timeout applies. The first verification starts the
    /// thread. On Android the app must call `rustls_platform_verifier::android::init_with_env` once at its start
    /// and include that crate's Java component, see its documentation.
    ///
    /// It always checks the name: together with [`insecure_no_name_check`](Self::insecure_no_name_check)
    /// `build` fails.
    #[cfg(feature = "platform-verifier")]
    pub fn platform_verifier(mut self) -> Self {
        self.trust = Trust::Platform;
        self
    }

    /// Lets this verifier decide, which may wait.
    #[cfg(all(test, feature = "agent", feature = "server"))]
    pub(super) fn waiting_verifier(mut self, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        self.trust = Trust::Verifier(verifier);
        self
    }

    /// Sends this name instead of the host's (SNI), and checks the certificate against it.
    pub fn common_name_override(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Shows this certificate to servers that ask for one: `chain` in PEM, the client's own
    /// certificate first, and its private `key` in PEM (PKCS #8, PKCS #1 or SEC 1).
    pub fn client_certificate_pem(mut self, chain: &[u8], key: &[u8]) -> Self {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(invalid);
        match certificates(chain).and_then(|chain| Ok(Identity { chain, key: key? })) {
            Ok(identity) => self.identity = Some(identity),
            Err(error) => {
                self.fault.get_or_insert(error);
            }
        }
        self
    }

    /// Accepts a trusted certificate for any name. **Insecure** with the bundled roots: the owner of
    /// any domain can then impersonate the server.
    pub fn insecure_no_name_check(mut self) -> Self {
        if self.checks == Checks::All {
            self.checks = Checks::ChainOnly;
        }
        self
    }

    /// Accepts every certificate. **Insecure**: anybody can impersonate the server. This overrides
    /// all options about roots and names.
    pub fn insecure_no_verification(mut self) -> Self {
        self.checks = Checks::Nothing;
        self
    }

    /// The oldest version to accept; TLS 1.2 by default.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min = version;
        self
    }

    /// The newest version to offer; TLS 1.3 by default.
    pub fn max_version(mut self, version: TlsVersion) -> Self {
        self.max = version;
        self
    }

    /// Whether later connections may resume a session. Resumption saves cryptography and lets the
    /// server recognize the client. On by default.
    pub fn resumption(mut self, resume: bool) -> Self {
        self.resumption = resume;
        self
    }

    /// The options.
    ///
    /// # Errors
    /// [`Misuse::InvalidTlsOptions`], with the reason as its source: PEM without a usable certificate
    /// or key, a key that does not belong to its certificate, an invalid name, a minimum version above the
    /// maximum, or an option that the platform's verifier does not have.
    pub fn build(mut self) -> Result<TlsOptions, Error> {
        if let Some(error) = self.fault.take() {
            return Err(error);
        }
        #[cfg(feature = "platform-verifier")]
        if matches!(self.trust, Trust::Platform) {
            self.check_platform()?;
        }
        let name = match &self.name {
            Some(name) => Some(server_name(name).map_err(invalid)?),
            None => None,
        };
        let options = self.assemble(name);
        match options.config() {
            Ok(_) => Ok(options),
            Err(error) => Err(unusable(error.clone())),
        }
    }

    #[cfg(feature = "platform-verifier")]
    fn check_platform(&self) -> Result<(), Error> {
        let fault = if self.checks == Checks::ChainOnly {
            "the platform's verifier always checks the name"
        } else if !super::platform::PlatformVerifier::TAKES_ROOTS && !self.pinned.is_empty() {
            "on this platform, roots are added by its configuration"
        } else {
            return Ok(());
        };
        Err(Error::from(Misuse::InvalidTlsOptions).with_source(fault))
    }

    fn add_root(mut self, certificate: CertificateDer<'static>) -> Self {
        match self.roots.add(certificate.clone()) {
            Ok(()) => self.pinned.push(certificate),
            Err(error) => {
                self.fault.get_or_insert(invalid(error));
            }
        }
        self
    }

    fn assemble(self, name: Option<ServerName<'static>>) -> TlsOptions {
        let sessions = self
            .resumption
            .then(|| Arc::new(ClientSessionMemoryCache::new(REMEMBERED_SESSIONS)));
        let resumption = match &sessions {
            Some(sessions) => Resumption::store(Arc::clone(sessions) as _),
            None => Resumption::disabled(),
        };
        let verifier_may_wait = self.trust.may_wait() && self.checks != Checks::Nothing;
        let config = self.config().map(|mut config| {
            config.alpn_protocols = vec![ALPN.to_vec()];
            config.resumption = resumption;
            Arc::new(config)
        });
        TlsOptions(Arc::new(Shared {
            config,
            sessions,
            name,
            verifier_may_wait,
        }))
    }

    fn config(mut self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let identity = match self.identity.take() {
            Some(Identity { chain, key }) => Some(CertifiedKey::from_der(chain, key, &provider)?),
            None => None,
        };
        let versions: Vec<&'static SupportedProtocolVersion> = [
            (TlsVersion::Tls13, &rustls::version::TLS13),
            (TlsVersion::Tls12, &rustls::version::TLS12),
        ]
        .into_iter()
        .filter(|(version, _)| (self.min..=self.max).contains(version))
        .map(|(_, supported)| supported)
        .collect();
        let verifier = self.verifier(&provider);
        Ok(
            ClientConfig::builder_with_details(provider, Arc::new(TimeOfDay))
                .with_protocol_versions(&versions)?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_client_cert_resolver(Arc::new(AskedCertificate(identity.map(Arc::new)))),
        )
    }

    fn verifier(mut self, provider: &Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
        let algorithms = provider.signature_verification_algorithms;
        if self.checks == Checks::Nothing {
            return Arc::new(NoVerifier { algorithms });
        }
        match self.trust {
            Trust::Nobody => {}
            Trust::BundledRoots => {
                self.roots
                    .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            #[cfg(feature = "platform-verifier")]
            Trust::Platform => {
                let provider = Arc::clone(provider);
                return Arc::new(super::platform::PlatformVerifier::new(
                    provider,
                    self.pinned,
                ));
            }
            #[cfg(all(test, feature = "agent", feature = "server"))]
            Trust::Verifier(verifier) => return verifier,
        }
        Arc::new(ChainVerifier {
            roots: Arc::new(self.roots),
            pinned: self.pinned,
            check_name: self.checks == Checks::All,
            algorithms,
        })
    }
}

impl fmt::Debug for TlsOptionsBuilder {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptionsBuilder")
            .field("certificates", &self.pinned.len())
            .field("trust", &self.trust)
            .field("common_name_override", &self.name)
            .field("min_version", &self.min)
            .field("max_version", &self.max)
            .field("resumption", &self.resumption)
            .finish_non_exhaustive()
    }
}

/// The certificates in `pem`; an error if it has none.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    if found.is_empty() {
        return Err(invalid(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

pub(super) fn invalid(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::from(Misuse::InvalidTlsOptions).with_source(source)
}
