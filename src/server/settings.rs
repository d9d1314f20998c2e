//! Settings of a server: its limits, its timeouts, and what it does with requests that no route takes. Each
//! default has its reason next to it.

use std::time::Duration;

use crate::limits::Limits;

/// Caps on what clients may make a server hold or do.
///
/// # Memory of one connection
///
/// With the default limits one client never makes the server hold more than 8 MiB, over plain TCP or TLS, not
/// counting what handlers keep. These are the parts; not all of them occur at once:
///
/// | part | at most |
/// |---|---|
/// | bytes received and not parsed yet | 256 KiB; over TLS 512 KiB and 82 KiB of ciphertext |
/// | content of a request | twice [`body_bytes`](Self::body_bytes), or the route's own limit |
/// | content of a form | [`MultipartLimits`](crate::server::multipart::MultipartLimits), and 1.3 MiB that wait to be written to disk |
/// | bytes waiting to be written | 128 KiB and one piece of a stream; over TLS 128 KiB more |
/// | a stream, an event stream or a WebSocket that the client does not read | [`queued_bytes`](Self::queued_bytes), or one larger piece; three times as much in small pieces |
/// | received WebSocket messages | twice `message_bytes` and `frame_bytes` of its options |
/// | pongs that the client does not read | 64 KiB, then nothing more is read from it |
///
/// Raising a limit raises this sum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Caps on the head, chunks and trailers of one request. Default: 32 KiB of head, 100 field lines, 8 KiB for
    /// each line (so that a target over 8 KiB gets `414`, and a head over its caps `431`). The rest is as in
    /// [`Limits::default`].
    pub message: Limits,
    /// Bytes of a request's content that is collected before its handler is called. Longer content gets `413`.
    /// Routes can [set their own limit](crate::server::Route::max_body). Default 2 MiB.
    pub body_bytes: u64,
    /// How many connections may be open. For a new one, the connection that has been idle for the longest time is
    /// closed: one that has no request under way and whose socket holds no bytes. When none is idle, new ones
    /// wait in the kernel. Default 256.
    pub connections: usize,
    /// How many connections may be open from one IP address. For a new one, the connection of that address that
    /// has been idle for the longest time is closed; when none is idle, the new one is closed. Only the total
    /// limits addresses of this machine (loopback) and
    /// [trusted proxies](crate::server::ServerBuilder::trusted_proxies). Default 128: a browser opens 6, a load
    /// test 64.
    pub connections_per_ip: usize,
    /// How many requests one connection may send. The last response has `Connection: close`. The default `None`
    /// means no limit.
    pub requests_per_connection: Option<u32>,
    /// How many bytes of unread request content are read and dropped so that the connection can be kept. If more
    /// are left, the connection is closed after the response. Default 64 KiB.
    pub drained_bytes: u64,
    /// How many bytes wait in a streaming response or an event stream for a client that reads too slowly. The queue
    /// is also full when it holds a piece for each 64 of these bytes, because small pieces take memory of their own.
    /// Default 1 MiB.
    pub queued_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            message: Limits {
                head_bytes: 32 * 1024,
                header_count: 100,
                line_bytes: 8 * 1024,
                ..Limits::default()
            },
            body_bytes: 2 * 1024 * 1024,
            connections: 256,
            connections_per_ip: 128,
            requests_per_connection: None,
            drained_bytes: 64 * 1024,
            queued_bytes: 1024 * 1024,
        }
    }
}

/// How long a server waits. `None` means for ever. The time between two polls counts at most one second.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTimeouts {
    /// The TLS handshake, from the first byte to the last. Default 10 s.
    pub tls_handshake: Option<Duration>,
    /// From the first to the last byte of a request's head, however slowly it arrives; then `408`.
    /// Default 10 s.
    pub head: Option<Duration>,
    /// In each window of this length a client must send at least [`min_rate`](Self::min_rate) bytes a second of
    /// a request's content; otherwise it gets `408`. Default 10 s.
    pub stall: Option<Duration>,
    /// In each window of this length a client must take at least [`min_rate`](Self::min_rate) bytes a second of
    /// a response; otherwise the connection is closed. A client takes bytes when its system has space for them:
    /// on Linux and Android the kernel holds at most 128 KiB beyond that. On other systems a full send buffer can
    /// hide the progress of a slow client for longer, and so can a client's own large receive buffer; therefore
    /// the window is long. Default 60 s, as nginx's `send_timeout`.
    pub send_stall: Option<Duration>,
    /// How many bytes a second a client must send or take. Default 128.
    pub min_rate: u32,
    /// Between two requests, and before the first. Default 30 s.
    pub idle: Option<Duration>,
    /// From a request to its deferred response; then `504`. Default 25 s: less than the 30 s after which a client of
    /// this library gives up ([`Timeouts::head`](crate::Timeouts::head)), so that it gets the `504`.
    pub respond: Option<Duration>,
    /// How long bytes that a client still sends are read and dropped after a response that closes the connection,
    /// so that no reset overtakes the response (RFC 9112 §9.6). Default 2 s.
    pub linger: Duration,
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            tls_handshake: Some(Duration::from_secs(10)),
            head: Some(Duration::from_secs(10)),
            stall: Some(Duration::from_secs(10)),
            send_stall: Some(Duration::from_secs(60)),
            min_rate: 128,
            idle: Some(Duration::from_secs(30)),
            respond: Some(Duration::from_secs(25)),
            linger: Duration::from_secs(2),
        }
    }
}

/// What happens to a request that no route takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotFoundPolicy {
    /// [`Pull`](Self::Pull) as long as nothing is registered, otherwise [`Answer`](Self::Answer).
    #[default]
    Auto,
    /// The [not-found handler](crate::server::Server::set_not_found_handler) responds, with `404` unless it
    /// was replaced.
    Answer,
    /// [`Server::next_request`](crate::server::Server::next_request) returns it.
    Pull,
}
