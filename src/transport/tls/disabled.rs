//! The names of this module in a build without the `tls` feature. The types are uninhabited: the
//! compiler knows that no connection can have any. The real ones are in `options` and `session`.

#[cfg(target_family = "wasm")]
use super::browser::TlsOptions;
use super::info::{Plaintext, TlsEnd, TlsInfo};
use crate::error::{Error, Misuse};
use crate::transport::wake::Wake;

/// How to speak TLS. This build has no TLS (the `tls` feature is off), so there are no values of this
/// type, and `https` fails with [`Misuse::TlsNotBuilt`].
#[cfg(not(target_family = "wasm"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsOptions {}

#[cfg(not(target_family = "wasm"))]
impl TlsOptions {
    pub(crate) fn for_https() -> Result<Self, Error> {
        Err(Misuse::TlsNotBuilt.into())
    }
}

#[derive(Debug)]
pub(crate) enum TlsSession {}

/// How a server speaks TLS. This build has no TLS, so there are no values of this type.
#[cfg(feature = "server")]
#[derive(Clone, Debug)]
pub enum ServerTlsOptions {}

impl TlsSession {
    #[cfg(feature = "server")]
    pub(crate) fn server(options: &ServerTlsOptions) -> Result<Self, Error> {
        match *options {}
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn client(options: &TlsOptions, _host: &str) -> Result<Self, Error> {
        match *options {}
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn client(_options: &TlsOptions, _host: &str) -> Result<Self, Error> {
        Err(Misuse::NotOnWeb("TLS over a stream of the caller").into())
    }

    pub(crate) fn receive(
        &mut self,
        _ciphertext: &mut [u8],
        _plaintext: Plaintext<'_>,
    ) -> Result<usize, TlsFailure> {
        match *self {}
    }

    pub(crate) fn receive_eof(&mut self) {
        match *self {}
    }

    pub(crate) fn write(&mut self, _plaintext: &[u8]) -> Result<usize, TlsFailure> {
        match *self {}
    }

    pub(crate) fn close(&mut self) {
        match *self {}
    }

    pub(crate) fn poll_transmit(&mut self, _out: &mut Vec<u8>) {
        match *self {}
    }

    pub(crate) fn wants_transmit(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_client(&self) -> bool {
        match *self {}
    }

    pub(crate) fn may_wait(&self) -> bool {
        match *self {}
    }

    pub(crate) fn end(&self) -> TlsEnd {
        match *self {}
    }

    pub(crate) fn info(&self) -> Option<TlsInfo> {
        match *self {}
    }
}

/// A handshake's step on a thread.
#[derive(Debug)]
pub(crate) enum HandshakeStep {}

/// A session after such a step.
pub(crate) struct Stepped {
    pub(crate) session: TlsSession,
    pub(crate) plaintext: Vec<u8>,
    pub(crate) result: Result<(), Error>,
}

impl HandshakeStep {
    pub(crate) fn start(
        session: TlsSession,
        _ciphertext: Vec<u8>,
        _plaintext: Vec<u8>,
        _wake: Wake,
    ) -> Result<Self, Error> {
        match session {}
    }

    pub(crate) fn poll(&self) -> Result<Option<Stepped>, Error> {
        match *self {}
    }
}

#[derive(Clone, Debug)]
pub(crate) enum TlsFailure {}

impl From<TlsFailure> for Error {
    fn from(failure: TlsFailure) -> Self {
        match failure {}
    }
}
