//! What both sides of a TLS connection agreed upon, and whether more plaintext can follow.

use std::fmt;

/// A version of the TLS protocol. Older ones (TLS 1.1, 1.0, SSL) are not supported at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// The result of a completed TLS handshake.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The protocol version.
    pub version: TlsVersion,
    /// The cipher suite by its IANA name, as in `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: &'static str,
    /// The protocol chosen by ALPN (`http/1.1`); `None` if the server does not use ALPN.
    pub alpn: Option<String>,
    /// The server's certificate chain as it sent it, each in DER, its own certificate first. Present
    /// after a resumed handshake as well.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Whether the handshake resumed an earlier session, which makes it shorter.
    pub resumed: bool,
}

impl fmt::Debug for TlsInfo {
    /// Counts the certificates instead of showing their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("alpn", &self.alpn)
            .field("peer_certificates", &self.peer_certificates.len())
            .field("resumed", &self.resumed)
            .finish()
    }
}

/// Whether more plaintext can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    any(not(feature = "tls"), target_family = "wasm"),
    expect(dead_code, reason = "no session, no end")
)]
pub(crate) enum TlsEnd {
    /// More may come.
    Open,
    /// The peer has sent everything (`close_notify`).
    CloseNotify,
    /// The stream ended without `close_notify`: by accident, or cut by an attacker. Content that ends
    /// only with the connection (RFC 9112 §9.8) must not be treated as complete.
    Truncated,
}

/// Takes the plaintext of a record. rustls decrypts a record in place, but lends a copy of its plaintext.
pub(crate) type Plaintext<'a> = &'a mut dyn FnMut(&[u8]);
