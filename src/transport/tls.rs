//! TLS as a state machine without I/O: ciphertext in, plaintext out, and the reverse. This is the
//! only module that uses rustls; no type of rustls leaves it, except inside an error's `source`. It
//! does not handle sockets, deadlines or HTTP.
//!
//! * `options`: the caller's settings ([`TlsOptions`]), converted once into a rustls configuration.
//! * `server_options`: a server's settings: its certificates, and whether clients must show theirs.
//! * `session`: one connection's [`TlsSession`].
//! * `handshake_step`: a step of a handshake on a thread, for verifiers that may wait.
//! * `platform`: the system's verifier, for builds with the `platform-verifier` feature.
//! * `info`: what was agreed upon ([`TlsInfo`]), how a stream ends, and what takes its plaintext.
//! * `record`: where TLS records end.
//! * `identity`: names and the client's own certificate.
//! * `verifier`: which server certificates are trusted.
//! * `few_intermediates`: how many certificates of a chain are looked at.
//! * `tickets`: how many session tickets a server may send at once.
//! * `fault`: rustls's errors as [`TlsFault`](crate::error::TlsFault).
//! * `certificate`: the content of a certificate, for builds with the `certificate-facts` feature.
//! * `browser`: the same settings in a browser, which has its own TLS.
//! * `disabled`: the same names as uninhabited types, for builds without the `tls` feature, so that
//!   no other module needs a `cfg`.
//!
//! # Why rustls's unbuffered interface
//! rustls's buffered interface (`read_tls`, `process_new_packets`, `reader`) reads ciphertext into
//! its own buffer in steps of 4 KiB, and shrinks and grows that buffer for every record of 16 KiB. It
//! decrypts there, copies the plaintext into a vector and copies it out again. It also refuses input
//! ("received plaintext buffer full") until the plaintext was taken. The unbuffered interface
//! (`process_tls_records`) decrypts in place, in the caller's buffer: two copies remain instead of
//! three, a socket can be read in steps of any size, and no input is refused. Neither of the two can be
//! avoided: rustls 0.23 copies the plaintext of each record into a vector and only lends that. In memory, with TLS 1.3
//! and AES-128/256-GCM, 256 MiB in steps of 256 KiB cost a loop over the buffered interface about a
//! tenth more CPU than one over the unbuffered interface.
//!
//! In return, the unbuffered interface requires that bytes it cannot use yet are at the front of the
//! next input. [`TlsSession`] keeps them, usually at most one partial record, so that the caller can
//! use one scratch buffer for all its connections.

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(feature = "certificate-facts")]
mod certificate;
#[cfg(any(not(feature = "tls"), target_family = "wasm"))]
mod disabled;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod fault;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod few_intermediates;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod handshake_step;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod identity;
mod info;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod options;
#[cfg(all(feature = "platform-verifier", not(target_family = "wasm")))]
mod platform;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod record;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod records;
#[cfg(all(feature = "tls", feature = "server", not(target_family = "wasm")))]
mod server_options;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod session;
#[cfg(all(test, feature = "tls"))]
#[allow(clippy::unwrap_used)]
mod tests;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod tickets;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod time;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
mod verifier;

#[cfg(target_family = "wasm")]
pub use browser::{TlsOptions, TlsOptionsBuilder};
#[cfg(feature = "certificate-facts")]
pub use certificate::{CertificateFacts, SubjectAlternativeName};
#[cfg(all(not(feature = "tls"), feature = "server"))]
pub use disabled::ServerTlsOptions;
#[cfg(not(any(feature = "tls", target_family = "wasm")))]
pub use disabled::TlsOptions;
#[cfg(any(not(feature = "tls"), target_family = "wasm"))]
pub(crate) use disabled::{HandshakeStep, Stepped, TlsSession};
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
pub(crate) use handshake_step::{HandshakeStep, Stepped};
pub(crate) use info::{Plaintext, TlsEnd};
pub use info::{TlsInfo, TlsVersion};
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
pub use options::{TlsOptions, TlsOptionsBuilder};
#[cfg(all(feature = "tls", feature = "server", not(target_family = "wasm")))]
pub use server_options::{ClientCertificates, ServerTlsOptions, ServerTlsOptionsBuilder};
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
pub(crate) use session::TlsSession;
