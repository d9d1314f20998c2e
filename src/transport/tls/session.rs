//! The TLS state of one connection, driven by bytes. `options` decides what is offered and who is
//! trusted. The caller reads, writes and closes the socket.
//!
//! ```text
//!  socket ─ receive(ciphertext) ──► plaintext ─► HTTP
//!  socket ◄─ poll_transmit ──────── write(plaintext) ◄─ HTTP
//! ```
//! Everything that is to be sent (handshake, alerts, key updates, data) waits in the session until
//! `poll_transmit`. Check `wants_transmit` after every call, even if HTTP has nothing to send, and
//! after a failure, which leaves an alert for the peer.

use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
#[cfg(feature = "server")]
use rustls::server::UnbufferedServerConnection;
use rustls::{CommonState, HandshakeKind, ProtocolVersion};

use super::fault::{Seen, TlsFailure};
use super::identity::{asked_for_certificate, server_name};
use super::info::{Plaintext, TlsEnd, TlsInfo, TlsVersion};
use super::options::TlsOptions;
use super::record::RecordBoundary;
use super::records::{Outgoing, collect_pending, decrypt, with_traffic};
#[cfg(feature = "server")]
use super::server_options::ServerTlsOptions;
use super::tickets::{self, MOST_TICKETS};
use crate::error::{Error, ErrorKind, TlsFault};

/// How much ciphertext may wait for `poll_transmit` before `write` accepts no more: what a socket's
/// send buffer usually takes at once.
const WRITE_LIMIT: usize = 64 * 1024;

/// How much ciphertext may be held for an incomplete handshake message: rustls's own limit for a
/// message, and one record.
const HOLD_LIMIT: usize = 64 * 1024 + 5 + 16 * 1024 + 2048;

/// How many records [`TlsSession::receive`] processes at once: those of one read, if they are full (16 KiB). A record of
/// one byte costs nearly as much as one of a kilobyte, so a peer that sends such records could otherwise make a read
/// take many times as long.
pub(crate) const MOST_RECORDS: usize = 16;

/// One side of one TLS connection.
pub(crate) struct TlsSession {
    side: Side,
    /// Ciphertext that rustls cannot use before more arrives. It must be at the front of the next
    /// input: in a handshake it may contain fragments that are already decrypted.
    held: Vec<u8>,
    record: RecordBoundary,
    incoming: Incoming,
    outgoing: Vec<u8>,
    seen: Seen,
    /// How many session tickets the server may still send before it sends content.
    tickets_left: u32,
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
    /// A session with `host`. Its ClientHello is to be sent at once.
    ///
    /// The host is a DNS name, with or without a final dot, an IPv4 address, or an IPv6 address, with
    /// or without brackets and zone. The options' name override takes precedence.
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`](crate::error::Misuse::InvalidHost) if the host is neither a name nor an address.
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

    /// The server's side. It waits for a ClientHello.
    ///
    /// # Errors
    /// If the options' configuration cannot serve.
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
            tickets_left: MOST_TICKETS,
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

    /// Processes the front of `ciphertext`, as it came from the socket: at most [`MOST_RECORDS`] records. Returns how
    /// many bytes that were; call it again with the rest. Their plaintext goes to `plaintext`, record by record: at
    /// most the ciphertext's length and one record (16 KiB). The bytes are decrypted in place and need not be kept.
    /// After `close_notify` all input is ignored at once (RFC 8446 §6.1).
    ///
    /// # Errors
    /// The reason why this connection failed, for this and each later call. Plaintext before the
    /// fault was given, and an alert may wait to be sent.
    pub(crate) fn receive(
        &mut self,
        ciphertext: &mut [u8],
        plaintext: Plaintext<'_>,
    ) -> Result<usize, TlsFailure> {
        if let Incoming::Failed(failure) = &self.incoming {
            return Err(failure.clone());
        }
        let length = ciphertext.len();
        let mut rest = ciphertext;
        let mut records = MOST_RECORDS;
        while !rest.is_empty() && records > 0 && matches!(self.incoming, Incoming::Open) {
            if self.held.is_empty() {
                let most = self.record.skip_records(rest, records);
                let (front, behind) = mem::take(&mut rest).split_at_mut(most);
                rest = behind;
                let used = self.process(front, plaintext)?;
                if matches!(self.incoming, Incoming::Open) {
                    let unused = front.get(used..).unwrap_or_default();
                    self.held.extend_from_slice(unused);
                }
                break;
            }
            // Only the record that began earlier is completed in `held`; the records after it are
            // decrypted in place.
            let missing = self.record.skip(rest);
            let (rest_of_record, behind) = mem::take(&mut rest).split_at_mut(missing);
            rest = behind;
            records -= 1;
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
        Ok(match self.incoming {
            Incoming::Open => length - rest.len(),
            Incoming::CloseNotify | Incoming::Truncated | Incoming::Failed(_) => length,
        })
    }

    /// [`receive`](Self::receive) until all of `ciphertext` is processed, however many records that are: for a thread
    /// that may take its time.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(crate) fn receive_all(
        &mut self,
        ciphertext: &mut [u8],
        plaintext: Plaintext<'_>,
    ) -> Result<(), TlsFailure> {
        let mut rest = ciphertext;
        loop {
            let used = self.receive(rest, plaintext)?;
            rest = rest.get_mut(used..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// The socket's stream ended.
    pub(crate) fn receive_eof(&mut self) {
        if matches!(self.incoming, Incoming::Open) {
            self.incoming = Incoming::Truncated;
        }
    }

    /// Encrypts the front of `plaintext` and returns how many bytes were taken. 0 means that the
    /// handshake is not done, that ciphertext must be transmitted first (at most about 64 KiB wait),
    /// or that the session is closed.
    ///
    /// # Errors
    /// If the session failed, or the keys are used up. That takes more than 100 GiB with TLS 1.2; TLS
    /// 1.3 renews them.
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

    /// Tells the peer, once, that nothing more will be sent (`close_notify`). During the handshake
    /// nothing is sent: drop the connection.
    pub(crate) fn close(&mut self) {
        self.with_traffic(Outgoing::CloseNotify);
        self.collect_pending();
    }

    /// Moves all ciphertext that waits to be sent to the end of `out`.
    pub(crate) fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            mem::swap(out, &mut self.outgoing);
        } else {
            out.append(&mut self.outgoing);
        }
    }

    /// Whether ciphertext waits to be sent.
    pub(crate) fn wants_transmit(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the handshake is still in progress. With TLS 1.3 the server may still refuse the
    /// client's certificate after it.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// Whether processing what the peer sends next may wait, because of the verifier of its certificate.
    pub(crate) fn may_wait(&self) -> bool {
        match &self.side {
            Side::Client { options, .. } => options.verifier_may_wait() && self.is_handshaking(),
            #[cfg(feature = "server")]
            Side::Server(_) => false,
        }
    }

    /// Whether more plaintext can follow. Everything before the end was delivered.
    pub(crate) fn end(&self) -> TlsEnd {
        match self.incoming {
            Incoming::Open => TlsEnd::Open,
            Incoming::CloseNotify => TlsEnd::CloseNotify,
            Incoming::Truncated | Incoming::Failed(_) => TlsEnd::Truncated,
        }
    }

    pub(crate) fn is_client(&self) -> bool {
        matches!(self.side, Side::Client { .. })
    }

    /// The result of the handshake; `None` during it.
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

    /// How many session tickets rustls has processed.
    #[cfg(test)]
    pub(super) fn tickets_received(&self) -> u32 {
        match &self.side {
            Side::Client { connection, .. } => connection.tls13_tickets_received(),
            #[cfg(feature = "server")]
            Side::Server(_) => 0,
        }
    }

    /// Lets rustls process `input`. Returns how many bytes it has used.
    fn process(&mut self, input: &mut [u8], plaintext: Plaintext<'_>) -> Result<usize, TlsFailure> {
        let mut tickets_left = self.tickets_left;
        let (result, asked) = tickets::limited(&mut tickets_left, || {
            asked_for_certificate(|| {
                self.decrypt(input, &mut |content| {
                    tickets::note_content();
                    plaintext(content);
                })
            })
        });
        self.tickets_left = tickets_left;
        self.seen.certificate_request |= asked;
        result.map_err(|error| {
            self.collect_pending();
            self.fail(match error {
                rustls::Error::FailedToGetCurrentTime => too_many_tickets(),
                other => other,
            })
        })
    }

    fn decrypt(
        &mut self,
        input: &mut [u8],
        plaintext: Plaintext<'_>,
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
    /// rustls hands out queued bytes before it reads its input, so no input is given: after an error
    /// it must not see the invalid bytes again.
    fn collect_pending(&mut self) {
        let out = &mut self.outgoing;
        match &mut self.side {
            Side::Client { connection, .. } => collect_pending(&mut **connection, out),
            #[cfg(feature = "server")]
            Side::Server(connection) => collect_pending(&mut **connection, out),
        }
    }

    /// Encrypts and queues `outgoing`, if rustls can encrypt. Returns whether that worked.
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
            // The server may have accepted a ticket that it cannot use. Without the ticket the next
            // attempt does a full handshake instead of failing again.
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

fn too_many_tickets() -> rustls::Error {
    let most = MOST_TICKETS;
    rustls::Error::General(format!(
        "the server sent more than {most} session tickets without content between them"
    ))
}

fn not_configured(error: impl Into<rustls::Error>) -> Error {
    Error::new(ErrorKind::Tls(TlsFault::Incompatible)).with_source(error.into())
}
