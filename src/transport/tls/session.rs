//! One connection's TLS, driven by bytes. What is offered and who is trusted is decided in
//! `options`; reading, writing and closing the socket is the caller's.
//!
//! ```text
//!  socket ─ receive(ciphertext) ──► plaintext ─► HTTP
//!  socket ◄─ poll_transmit ──────── write(plaintext) ◄─ HTTP
//! ```
//! Whatever a call makes due (handshake, alerts, key updates, data) waits in the session until
//! `poll_transmit`: look at `wants_transmit` after every call, also when HTTP has nothing to say
//! and after a failure, which leaves an alert that tells the peer why.

use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
#[cfg(feature = "server")]
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, HandshakeKind, ProtocolVersion};

use super::fault::{Seen, TlsFailure};
use super::identity::{asked_for_certificate, server_name};
use super::info::{TlsEnd, TlsInfo, TlsVersion};
use super::options::TlsOptions;
use super::record::RecordBoundary;
#[cfg(feature = "server")]
use super::server_options::ServerTlsOptions;
use crate::error::{Error, ErrorKind, TlsFault};

/// Ciphertext that may wait for `poll_transmit` before `write` takes no more: what a socket's send
/// buffer commonly takes in one go.
const WRITE_LIMIT: usize = 64 * 1024;

/// Ciphertext that may be held back for a handshake message that is not complete: rustls's own
/// limit for a message, and one record.
const HOLD_LIMIT: usize = 64 * 1024 + 5 + 16 * 1024 + 2048;

/// One side of one TLS connection.
pub(crate) struct TlsSession {
    side: Side,
    /// Ciphertext that rustls cannot use before more comes. It must be at the front of its next
    /// input: in a handshake it may hold fragments that were decrypted already.
    held: Vec<u8>,
    record: RecordBoundary,
    incoming: Incoming,
    outgoing: Vec<u8>,
    seen: Seen,
}

enum Side {
    Client {
        connection: Box<UnbufferedClientConnection>,
        options: TlsOptions,
        name: ServerName<'static>,
    },
    #[cfg(feature = "server")]
    Server(Box<UnbufferedServerConnection>),
}

enum Incoming {
    Open,
    CloseNotify,
    Truncated,
    Failed(TlsFailure),
}

impl TlsSession {
    /// A session with `host`, whose ClientHello is due at once.
    ///
    /// The host is a DNS name, with or without a final dot, an IPv4 address, or an IPv6 address,
    /// with or without brackets and zone. The options' name override wins over it.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`](crate::error::Misuse::InvalidHost) when the host is nothing of that.
    pub(crate) fn client(options: &TlsOptions, host: &str) -> Result<Self, Error> {
        let name = match options.name_override() {
            Some(name) => name.clone(),
            None => server_name(host)?,
        };
        let config = options.config().map_err(not_configured)?;
        let connection = UnbufferedClientConnection::new(Arc::clone(config), name.clone())
            .map_err(not_configured)?;
        Ok(Self::begin(Side::Client {
            connection: Box::new(connection),
            options: options.clone(),
            name,
        }))
    }

    /// The server's side, which waits for a ClientHello.
    ///
    /// # Errors
    /// When the options' configuration cannot serve.
    #[cfg(feature = "server")]
    pub(crate) fn server(options: &ServerTlsOptions) -> Result<Self, Error> {
        let connection =
            UnbufferedServerConnection::new(options.config()).map_err(not_configured)?;
        Ok(Self::begin(Side::Server(Box::new(connection))))
    }

    fn begin(side: Side) -> Self {
        let mut session = Self {
            side,
            held: Vec::new(),
            record: RecordBoundary::default(),
            incoming: Incoming::Open,
            outgoing: Vec::new(),
            seen: Seen::default(),
        };
        session.collect_pending();
        session
    }

    fn state(&self) -> &CommonState {
        match &self.side {
            Side::Client { connection, .. } => connection,
            #[cfg(feature = "server")]
            Side::Server(connection) => connection,
        }
    }

    /// Takes all of `ciphertext`, as it came from the socket, and appends the plaintext in it to
    /// `plaintext`: never more than the ciphertext's length and one record (16 KiB). The bytes of
    /// `ciphertext` are overwritten, as they are decrypted in place; no buffer but `plaintext` has
    /// to be kept. After `close_notify` input is ignored (RFC 8446 §6.1).
    ///
    /// # Errors
    /// Says why this connection is over, now and at each later call. Plaintext that came before
    /// the fault has been appended, and an alert may be due.
    pub(crate) fn receive(
        &mut self,
        mut ciphertext: &mut [u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), TlsFailure> {
        if let Incoming::Failed(failure) = &self.incoming {
            return Err(failure.clone());
        }
        while !ciphertext.is_empty() && matches!(self.incoming, Incoming::Open) {
            if self.held.is_empty() {
                self.record.skip_all(ciphertext);
                let used = self.process(ciphertext, plaintext)?;
                let rest = ciphertext.get(used..).unwrap_or_default();
                if matches!(self.incoming, Incoming::Open) {
                    self.held.extend_from_slice(rest);
                }
                break;
            }
            // Only the record that began earlier is completed in `held`; the ones behind it are
            // decrypted where they are.
            let (rest_of_record, behind) = {
                let missing = self.record.skip(ciphertext);
                mem::take(&mut ciphertext).split_at_mut(missing)
            };
            ciphertext = behind;
            self.held.extend_from_slice(rest_of_record);
            let mut held = mem::take(&mut self.held);
            let used = self.process(&mut held, plaintext)?;
            held.drain(..used.min(held.len()));
            self.held = held;
        }
        if self.held.len() > HOLD_LIMIT {
            let error = rustls::InvalidMessage::HandshakePayloadTooLarge;
            return Err(self.fail(error.into()));
        }
        Ok(())
    }

    /// The socket's stream ended.
    pub(crate) fn receive_eof(&mut self) {
        if matches!(self.incoming, Incoming::Open) {
            self.incoming = Incoming::Truncated;
        }
    }

    /// Encrypts the front of `plaintext` and returns how much of it was taken. 0 means: not while
    /// handshaking, or transmit first (at most some 64 KiB wait), or closed.
    ///
    /// # Errors
    /// When the session failed, or the keys are used up, which takes more than 100 GiB with TLS 1.2
    /// (TLS 1.3 renews them).
    pub(crate) fn write(&mut self, plaintext: &[u8]) -> Result<usize, TlsFailure> {
        if let Incoming::Failed(failure) = &self.incoming {
            return Err(failure.clone());
        }
        let room = WRITE_LIMIT.saturating_sub(self.outgoing.len());
        let taken = plaintext.get(..room).unwrap_or(plaintext);
        if taken.is_empty() || self.is_handshaking() {
            return Ok(0);
        }
        match self.with_traffic(Outgoing::Data(taken)) {
            Some(true) => Ok(taken.len()),
            Some(false) => {
                self.collect_pending();
                Err(self.fail(rustls::Error::EncryptError))
            }
            None => Ok(0),
        }
    }

    /// Tells the peer that nothing more will be sent (`close_notify`), once. During the handshake
    /// there is nothing to say: drop the connection.
    pub(crate) fn close(&mut self) {
        self.with_traffic(Outgoing::CloseNotify);
        self.collect_pending();
    }

    /// Appends the ciphertext that is due to `out`, and is then owed nothing.
    pub(crate) fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            mem::swap(out, &mut self.outgoing);
        } else {
            out.append(&mut self.outgoing);
        }
    }

    /// Whether `poll_transmit` has something to give.
    pub(crate) fn wants_transmit(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether plaintext cannot flow yet. With TLS 1.3 the server may still refuse the client's
    /// certificate after this has become false.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// Whether more plaintext can come; what came before the end has been delivered already.
    pub(crate) fn end(&self) -> TlsEnd {
        match self.incoming {
            Incoming::Open => TlsEnd::Open,
            Incoming::CloseNotify => TlsEnd::CloseNotify,
            Incoming::Truncated | Incoming::Failed(_) => TlsEnd::Truncated,
        }
    }

    /// What was agreed upon; `None` during the handshake.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        if self.is_handshaking() {
            return None;
        }
        let state = self.state();
        let version = match state.protocol_version()? {
            ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        let suite = state.negotiated_cipher_suite()?.suite();
        let certificates = state.peer_certificates().unwrap_or_default();
        Some(TlsInfo {
            version,
            cipher_suite: suite.as_str().unwrap_or("unknown"),
            alpn: state
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            peer_certificates: certificates.iter().map(|der| der.to_vec()).collect(),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// Lets rustls work through `input`; returns the bytes it is done with.
    fn process(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>) -> Result<usize, TlsFailure> {
        let (result, asked) = asked_for_certificate(|| self.decrypt(input, plaintext));
        self.seen.certificate_request |= asked;
        result.map_err(|error| {
            self.collect_pending();
            self.fail(error)
        })
    }

    fn decrypt(
        &mut self,
        input: &mut [u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<usize, rustls::Error> {
        let (out, seen) = (&mut self.outgoing, &mut self.seen);
        let (used, is_closed) = match &mut self.side {
            Side::Client { connection, .. } => {
                decrypt(&mut **connection, input, plaintext, out, seen)
            }
            #[cfg(feature = "server")]
            Side::Server(connection) => decrypt(&mut **connection, input, plaintext, out, seen),
        }?;
        if is_closed {
            self.incoming = Incoming::CloseNotify;
        }
        Ok(used)
    }

    /// Moves what rustls has queued to `outgoing`.
    ///
    /// rustls hands out queued bytes before it looks at its input, which is why none is given:
    /// after an error it must not meet the offending bytes again.
    fn collect_pending(&mut self) {
        let out = &mut self.outgoing;
        match &mut self.side {
            Side::Client { connection, .. } => collect_pending(&mut **connection, out),
            #[cfg(feature = "server")]
            Side::Server(connection) => collect_pending(&mut **connection, out),
        }
    }

    /// Says something when rustls would encrypt data; whether that worked.
    fn with_traffic(&mut self, outgoing: Outgoing<'_>) -> Option<bool> {
        if self.is_handshaking() || matches!(self.incoming, Incoming::Failed(_)) {
            return None;
        }
        let (held, out) = (&mut self.held, &mut self.outgoing);
        match &mut self.side {
            Side::Client { connection, .. } => with_traffic(&mut **connection, held, outgoing, out),
            #[cfg(feature = "server")]
            Side::Server(connection) => with_traffic(&mut **connection, held, outgoing, out),
        }
    }

    fn fail(&mut self, error: rustls::Error) -> TlsFailure {
        if self.is_handshaking()
            && error == rustls::Error::DecryptError
            && let Side::Client { options, name, .. } = &self.side
        {
            // The server may have accepted a ticket that it cannot use. Without it the next
            // attempt does a full handshake instead of failing for ever.
            options.forget_session(name);
        }
        let failure = TlsFailure::new(error, self.seen);
        self.held = Vec::new();
        self.incoming = Incoming::Failed(failure.clone());
        failure
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.side {
            Side::Client { name, .. } => Some(name),
            #[cfg(feature = "server")]
            Side::Server(_) => None,
        };
        f.debug_struct("TlsSession")
            .field("name", &name)
            .field("handshaking", &self.is_handshaking())
            .field("end", &self.end())
            .field("outgoing", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}

/// What is to be encrypted.
#[derive(Clone, Copy)]
enum Outgoing<'a> {
    Data(&'a [u8]),
    /// `close_notify`. It is queued behind what else is pending.
    CloseNotify,
}

/// The one thing that rustls gives each side under the same name only.
trait Records {
    type Data;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn wants_write(&self) -> bool;
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        CommonState::wants_write(self)
    }
}

#[cfg(feature = "server")]
impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        CommonState::wants_write(self)
    }
}

/// Decrypts `input`; how much of it is done with, and whether the peer said goodbye.
fn decrypt<R: Records>(
    connection: &mut R,
    input: &mut [u8],
    plaintext: &mut Vec<u8>,
    out: &mut Vec<u8>,
    seen: &mut Seen,
) -> Result<(usize, bool), rustls::Error> {
    let mut used = 0;
    loop {
        let unused = input.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { discard, state } = connection.records(unused);
        used += discard;
        seen.tls |= discard > 0;
        match state? {
            ConnectionState::ReadTraffic(mut records) => {
                while let Some(record) = records.next_record() {
                    let record = record?;
                    plaintext.extend_from_slice(record.payload);
                    used += record.discard;
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, out),
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::PeerClosed => return Ok((used, true)),
            _ => return Ok((used, false)),
        }
    }
}

fn collect_pending<R: Records>(connection: &mut R, out: &mut Vec<u8>) {
    while connection.wants_write() {
        match connection.records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            _ => break,
        }
    }
}

fn with_traffic<R: Records>(
    connection: &mut R,
    held: &mut [u8],
    outgoing: Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Option<bool> {
    loop {
        match connection.records(held).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                return Some(match outgoing {
                    Outgoing::Data(plaintext) => encrypt(&mut traffic, plaintext, out),
                    // No buffer is given, so that rustls queues the alert.
                    Outgoing::CloseNotify => traffic.queue_close_notify(&mut []).is_ok(),
                });
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            _ => return None,
        }
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, out: &mut Vec<u8>) {
    let start = out.len();
    // The first attempt asks for the size: the face has no other way to say it.
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = data.encode(out.get_mut(start..).unwrap_or_default());
        out.truncate(start + written.unwrap_or(0));
    }
}

/// Appends the records for `plaintext` to `out`; false when no key is left to encrypt with.
fn encrypt<D>(traffic: &mut WriteTraffic<'_, D>, plaintext: &[u8], out: &mut Vec<u8>) -> bool {
    // Each record of up to 16 KiB adds a header, a nonce (TLS 1.2), a content type and a tag: less
    // than 64 bytes. Should that ever be wrong, rustls says what it needs.
    let mut room = plaintext.len() + 64 * (1 + plaintext.len() / (16 * 1024));
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match traffic.encrypt(plaintext, out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return true;
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => {
                out.truncate(start);
                return false;
            }
        }
    }
}

fn not_configured(error: impl Into<rustls::Error>) -> Error {
    Error::new(ErrorKind::Tls(TlsFault::Incompatible)).with_source(error.into())
}
