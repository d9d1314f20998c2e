//! TLS as a machine without I/O: ciphertext in, plaintext out, and the other way round. This is
//! the one room that knows rustls; no type of rustls leaves it, except inside an error's
//! `source`. Sockets, deadlines and HTTP are elsewhere.
//!
//! * `options`: what the caller decides ([`TlsOptions`]), made into a rustls configuration once.
//! * `server_options`: what a server decides: its certificates, and whom it asks for theirs.
//! * `session`: one connection's [`TlsSession`].
//! * `info`: what was agreed upon ([`TlsInfo`]), and how a stream ends.
//! * `record`: where its records end.
//! * `identity`: names and the client's own certificate.
//! * `verifier`: which server certificates are trusted.
//! * `fault`: rustls's errors told as [`TlsFault`](crate::error::TlsFault).
//! * `certificate`: what a certificate says, for builds with the `certificate-facts` feature.
//! * `disabled`: the same names, uninhabited, for builds without the `tls` feature, so that no
//!   other room needs a `cfg`.
//!
//! # Why rustls's unbuffered face
//! rustls's buffered face (`read_tls`, `process_new_packets`, `reader`) pulls ciphertext into a
//! buffer of its own in steps of 4 KiB, which it shrinks and grows again for every record of
//! 16 KiB; it then decrypts there, copies the plaintext into a vector and copies it out again. It
//! also refuses input ("received plaintext buffer full") until the plaintext has been taken. The
//! unbuffered face (`process_tls_records`) decrypts in place, in the caller's buffer, so that two
//! copies remain instead of three, a socket can be read in steps of any size, and nothing has to
//! be refused. In memory, with TLS 1.3 and AES-128/256-GCM, 256 MiB in steps of 256 KiB cost a
//! loop over the buffered face about a tenth more CPU than one over the unbuffered face.
//!
//! What the unbuffered face asks for in return is that bytes it cannot use yet stay at the front
//! of the next input. [`TlsSession`] keeps them: at most one partial record as a rule, so that
//! the caller can use one scratch buffer for all its connections.

#[cfg(feature = "certificate-facts")]
mod certificate;
#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod identity;
mod info;
#[cfg(feature = "tls")]
mod options;
#[cfg(feature = "tls")]
mod record;
#[cfg(all(feature = "tls", feature = "server"))]
mod server_options;
#[cfg(feature = "tls")]
mod session;
#[cfg(all(test, feature = "tls"))]
#[allow(clippy::unwrap_used)]
mod tests;
#[cfg(feature = "tls")]
mod verifier;

#[cfg(feature = "certificate-facts")]
pub use certificate::{CertificateFacts, SubjectAlternativeName};
#[cfg(all(not(feature = "tls"), feature = "server"))]
pub use disabled::ServerTlsOptions;
#[cfg(not(feature = "tls"))]
pub use disabled::TlsOptions;
#[cfg(not(feature = "tls"))]
pub(crate) use disabled::TlsSession;
pub(crate) use info::TlsEnd;
pub use info::{TlsInfo, TlsVersion};
#[cfg(feature = "tls")]
pub use options::{TlsOptions, TlsOptionsBuilder};
#[cfg(all(feature = "tls", feature = "server"))]
pub use server_options::{ClientCertificates, ServerTlsOptions, ServerTlsOptionsBuilder};
#[cfg(feature = "tls")]
pub(crate) use session::TlsSession;
