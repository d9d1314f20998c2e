//! The status of a connection with Godot's names and numbers, and the record of its transitions.

use std::collections::VecDeque;
use std::fmt;

/// The status of a client connection: Godot's `HTTPClient.Status`, same names, order and numbers.
///
/// ```text
///            connect_to_host(name)           connect_to_host(address)
///  Disconnected ────────► Resolving ─────────────►┐
///    ▲  ▲                     │                    ▼
///    │  │                CantResolve          Connecting ─► CantConnect
///    │  │                                         │  └────► TlsHandshakeError
///    │  │  close() from anywhere                  ▼
///    │  └──────────────────────────────────── Connected ◄──────┐
///    │                                            │ request()  │
///    │                                            ▼            │ no content
///    │   end of content, connection not      Requesting ───────┤
///    │   reusable                                 │ content    │
///    └──────────────────────────────────────── Body ───────────┘ end of content
///
///  Connected, Requesting, Body ─► ConnectionError
/// ```
///
/// Godot's set is closed, so this enum is exhaustive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Not connected, and not trying to.
    #[default]
    Disconnected = 0,
    /// Looking the host name up.
    Resolving = 1,
    /// The host name could not be resolved. Left by `connect_to_host` or `close`.
    CantResolve = 2,
    /// Connecting: TCP, then a proxy's tunnel and TLS if they are needed.
    Connecting = 3,
    /// No connection could be made. Left by `connect_to_host` or `close`.
    CantConnect = 4,
    /// Connected; a request may be sent.
    Connected = 5,
    /// A request is being sent, or its response head awaited.
    Requesting = 6,
    /// The response head has arrived; content may be read.
    Body = 7,
    /// The connection failed. Left by `connect_to_host` or `close`.
    ConnectionError = 8,
    /// The TLS handshake failed. Left by `connect_to_host` or `close`.
    TlsHandshakeError = 9,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Disconnected,
        Self::Resolving,
        Self::CantResolve,
        Self::Connecting,
        Self::CantConnect,
        Self::Connected,
        Self::Requesting,
        Self::Body,
        Self::ConnectionError,
        Self::TlsHandshakeError,
    ];

    /// Whether this is one of the four error statuses, which only `connect_to_host` and `close` leave.
    pub fn is_error(self) -> bool {
        matches!(
            self,
            Self::CantResolve | Self::CantConnect | Self::ConnectionError | Self::TlsHandshakeError
        )
    }
}

impl fmt::Display for Status {
    /// Godot's spelling, such as `STATUS_CONNECTED`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "STATUS_DISCONNECTED",
            Self::Resolving => "STATUS_RESOLVING",
            Self::CantResolve => "STATUS_CANT_RESOLVE",
            Self::Connecting => "STATUS_CONNECTING",
            Self::CantConnect => "STATUS_CANT_CONNECT",
            Self::Connected => "STATUS_CONNECTED",
            Self::Requesting => "STATUS_REQUESTING",
            Self::Body => "STATUS_BODY",
            Self::ConnectionError => "STATUS_CONNECTION_ERROR",
            Self::TlsHandshakeError => "STATUS_TLS_HANDSHAKE_ERROR",
        })
    }
}

/// One change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
}

/// How many unseen transitions are kept. Beyond this, the oldest are dropped.
const KEPT: usize = 64;

/// The transitions that the caller has not seen yet.
#[derive(Debug, Default)]
pub(super) struct Transitions(VecDeque<Transition>);

impl Transitions {
    pub(super) fn note(&mut self, from: Status, to: Status) {
        if from == to {
            return;
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Transition { from, to });
    }

    pub(super) fn next(&mut self) -> Option<Transition> {
        self.0.pop_front()
    }
}
