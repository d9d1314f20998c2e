//! One stream and its registration: a TCP stream through mio, an in-memory stream, or the caller's own.
//!
//! Reads and writes go through mio's types, and only while the reactor says that they may succeed.
//! Connecting follows mio's rule for when a connection is established.

use std::fmt;
use std::io::{self, Read, Write};
#[cfg(feature = "server")]
use std::net::Shutdown;
use std::net::SocketAddr;

use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::read_once::{checked, read_once};
use crate::transport::memory::MemoryStream;
use crate::transport::reactor::{Reactor, SourceId};
use crate::transport::system::{Interest, TcpStream};

/// A stream of the caller's own for [`HttpClient::set_connection`](crate::HttpClient::set_connection).
///
/// It can be any byte stream whose `read` and `write` never wait, but fail with
/// [`io::ErrorKind::WouldBlock`]. A `read` that returns 0 means the end of the stream. The stream does not
/// report readiness, so every poll tries it.
pub trait NonblockingStream: Read + Write + Send {}

impl<T: Read + Write + Send> NonblockingStream for T {}

enum Stream {
    Tcp(TcpStream),
    Memory(MemoryStream),
    #[cfg_attr(
        all(target_family = "wasm", not(feature = "websocket")),
        allow(dead_code, reason = "a page has no byte streams but WebSockets")
    )]
    Own(Exclusive<Box<dyn NonblockingStream>>),
}

/// See the module's documentation. It must be [closed](Self::close) on the reactor on which it was opened.
pub(crate) struct Socket {
    stream: Stream,
    id: SourceId,
    /// Bytes that the system has accepted so far.
    #[cfg(feature = "server")]
    written: u64,
    /// Both addresses of a TCP connection that was opened here, read from the system once.
    ends: Option<(SocketAddr, SocketAddr)>,
}

impl Socket {
    /// Starts to connect. [`poll_connected`](Self::poll_connected) returns whether the connection is
    /// established.
    pub(crate) fn connect(reactor: &mut Reactor, address: SocketAddr) -> Result<Self, io::Error> {
        if let Some(network) = reactor.network() {
            let stream = network.connect(address)?;
            let id = reactor.add_memory(|interest| stream.register(interest));
            return Ok(Self {
                stream: Stream::Memory(stream),
                id,
                #[cfg(feature = "server")]
                written: 0,
                ends: None,
            });
        }
        let mut stream = TcpStream::connect(address)?;
        let id = reactor
            .add_system(|registry, token| {
                registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            })
            .map_err(io::Error::other)?;
        Ok(Self {
            stream: Stream::Tcp(stream),
            id,
            #[cfg(feature = "server")]
            written: 0,
            ends: None,
        })
    }

    /// Takes ownership of a connection that a listener accepted.
    #[cfg(feature = "server")]
    pub(crate) fn accepted(reactor: &mut Reactor, mut stream: TcpStream) -> Result<Self, Error> {
        // Responses are written whole, so Nagle's delay could only add latency. If the option fails, that
        // costs speed but not the connection.
        let _ = stream.set_nodelay(true);
        limit_unsent(&stream, UNSENT_BYTES);
        let id = reactor.add_system(|registry, token| {
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
        })?;
        reactor.assume_readable(id);
        Ok(Self {
            stream: Stream::Tcp(stream),
            id,
            #[cfg(feature = "server")]
            written: 0,
            ends: None,
        })
    }

    /// The same for an in-memory connection.
    #[cfg(feature = "server")]
    pub(crate) fn accepted_in_memory(reactor: &mut Reactor, stream: MemoryStream) -> Self {
        let id = reactor.add_memory(|interest| stream.register(interest));
        reactor.assume_readable(id);
        Self {
            stream: Stream::Memory(stream),
            id,
            #[cfg(feature = "server")]
            written: 0,
            ends: None,
        }
    }

    /// Takes ownership of a stream of the caller.
    #[cfg_attr(
        all(target_family = "wasm", not(feature = "websocket")),
        allow(dead_code, reason = "a page has no byte streams but WebSockets")
    )]
    pub(crate) fn adopt(reactor: &mut Reactor, stream: Box<dyn NonblockingStream>) -> Self {
        Self {
            stream: Stream::Own(Exclusive::new(stream)),
            id: reactor.add_untold(),
            #[cfg(feature = "server")]
            written: 0,
            ends: None,
        }
    }

    /// Whether the connection is established, or the error if it failed.
    pub(crate) fn poll_connected(&mut self, reactor: &mut Reactor) -> io::Result<bool> {
        if !reactor.is_writable(self.id) {
            return Ok(false);
        }
        match &self.stream {
            Stream::Tcp(stream) => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                match stream.peer_addr() {
                    Ok(peer) => {
                        self.ends = stream.local_addr().ok().map(|local| (peer, local));
                        // Requests are written whole, so Nagle's delay could only add latency. If the
                        // option fails, that costs speed but not the connection.
                        let _ = stream.set_nodelay(true);
                        Ok(true)
                    }
                    // Writable, but not connected: the event came too early.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        reactor.clear_writable(self.id);
                        Ok(false)
                    }
                    Err(error) => Err(error),
                }
            }
            Stream::Memory(stream) => {
                let connected = stream.poll_connected()?;
                if !connected {
                    reactor.clear_writable(self.id);
                }
                Ok(connected)
            }
            Stream::Own(_) => Ok(true),
        }
    }

    /// Makes the next read ask the system.
    pub(crate) fn assume_readable(&self, reactor: &mut Reactor) {
        reactor.assume_readable(self.id);
    }

    /// Reads what is available; [`io::ErrorKind::WouldBlock`] if that is nothing.
    pub(crate) fn read(&mut self, reactor: &mut Reactor, dst: &mut [u8]) -> io::Result<usize> {
        if !reactor.is_readable(self.id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(dst),
                Stream::Memory(stream) => stream.read(dst),
                Stream::Own(stream) => read_once(stream.get_mut(), dst),
            };
            match &result {
                #[cfg(windows)]
                Ok(0) if !dst.is_empty() => {
                    if let Stream::Tcp(stream) = &mut self.stream {
                        check_clean_end(stream)?;
                    }
                }
                Ok(0) => {}
                Ok(count) if *count < dst.len() && matches!(self.stream, Stream::Tcp(_)) => {
                    reactor.note_short_read(self.id);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_readable(self.id);
                }
                Err(_) => {}
            }
            return result;
        }
    }

    /// Writes what the stream accepts; [`io::ErrorKind::WouldBlock`] if that is nothing.
    pub(crate) fn write(&mut self, reactor: &mut Reactor, src: &[u8]) -> io::Result<usize> {
        if !reactor.is_writable(self.id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.write(src),
                Stream::Memory(stream) => stream.write(src),
                Stream::Own(stream) => {
                    let written = stream.get_mut().write(src);
                    written.and_then(|count| checked(count, src.len()))
                }
            };
            match &result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_writable(self.id);
                }
                Ok(0) if !src.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                #[cfg(feature = "server")]
                Ok(count) => self.written += *count as u64,
                #[cfg(not(feature = "server"))]
                Ok(_) => {}
                Err(_) => {}
            }
            return result;
        }
    }

    /// Whether unread bytes have arrived. It asks the system, not the reactor.
    #[cfg(feature = "server")]
    pub(crate) fn has_input(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => matches!(stream.peek(&mut [0]), Ok(1)),
            Stream::Memory(stream) => stream.has_input(),
            Stream::Own(_) => false,
        }
    }

    /// Limits the unsent bytes that the kernel holds.
    #[cfg(feature = "server")]
    pub(crate) fn limit_unsent(&self) {
        if let Stream::Tcp(stream) = &self.stream {
            limit_unsent(stream, UNSENT_EVENT_BYTES);
        }
    }

    /// How many bytes the system has accepted so far, which measures the peer's progress.
    #[cfg(feature = "server")]
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Ends the sending direction cleanly; reading continues. Does nothing for a stream of the caller.
    #[cfg(feature = "server")]
    pub(crate) fn shutdown_write(&mut self) {
        match &mut self.stream {
            // It fails only if the connection no longer exists.
            Stream::Tcp(stream) => drop(stream.shutdown(Shutdown::Write)),
            Stream::Memory(stream) => stream.shutdown_write(),
            Stream::Own(_) => {}
        }
    }

    /// Whether a write may succeed, as of the last poll.
    #[cfg(feature = "server")]
    pub(crate) fn is_writable(&self, reactor: &mut Reactor) -> bool {
        reactor.is_writable(self.id)
    }

    /// Whether a read may succeed, as of the last poll.
    pub(crate) fn is_readable(&self, reactor: &mut Reactor) -> bool {
        reactor.is_readable(self.id)
    }

    /// The remote address, if the stream has one.
    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        if let Some((peer, _)) = self.ends {
            return Some(peer);
        }
        match &self.stream {
            Stream::Tcp(stream) => stream.peer_addr().ok(),
            Stream::Memory(stream) => stream.peer_address(),
            Stream::Own(_) => None,
        }
    }

    /// The local address, if the stream has one.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        if let Some((_, local)) = self.ends {
            return Some(local);
        }
        match &self.stream {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Memory(_) | Stream::Own(_) => None,
        }
    }

    /// Moves the socket to another reactor. No readiness is lost: the socket is tried at once.
    pub(crate) fn move_to(&mut self, from: &mut Reactor, to: &mut Reactor) -> Result<(), Error> {
        let id = match &mut self.stream {
            Stream::Tcp(stream) => {
                from.remove_system(self.id, |registry| registry.deregister(stream));
                to.add_system(|registry, token| {
                    registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
                })?
            }
            Stream::Memory(stream) => {
                from.remove(self.id);
                to.add_memory(|interest| stream.register(interest))
            }
            Stream::Own(_) => {
                from.remove(self.id);
                to.add_untold()
            }
        };
        to.assume_readable(id);
        self.id = id;
        Ok(())
    }

    /// Closes the stream and removes it from its reactor.
    pub(crate) fn close(self, reactor: &mut Reactor) {
        reactor.remove(self.id);
    }

    /// Removes the socket from its reactor and returns the stream. A TCP stream stays non-blocking.
    pub(crate) fn into_stream(self, reactor: &mut Reactor) -> Box<dyn NonblockingStream> {
        let id = self.id;
        match self.stream {
            Stream::Tcp(mut stream) => {
                reactor.remove_system(id, |registry| registry.deregister(&mut stream));
                Box::new(stream)
            }
            Stream::Memory(stream) => {
                reactor.remove(id);
                Box::new(stream)
            }
            Stream::Own(stream) => {
                reactor.remove(id);
                stream.into_inner()
            }
        }
    }
}

/// Whether a stream that seems to have ended was reset. Wine 8 reports a reset by 0 bytes, as a clean end, and content
/// without a length would count as whole. A write of nothing finds the reset. Windows itself reports it to the reader.
#[cfg(windows)]
fn check_clean_end(stream: &mut TcpStream) -> io::Result<()> {
    match stream.write(&[]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(error),
        // This side may have ended its direction before.
        _ => Ok(()),
    }
}

/// How many unsent bytes the kernel may hold.
#[cfg(feature = "server")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// The same for an event stream.
#[cfg(feature = "server")]
const UNSENT_EVENT_BYTES: u32 = 16 * 1024;

/// Limits the bytes that the kernel accepts before the peer has space for them (`TCP_NOTSENT_LOWAT`).
/// Without the limit, a send buffer of several megabytes hides whether a slow peer makes progress, because
/// Linux reports a socket as writable only when a third of the buffer is free. Events in such a buffer also
/// become outdated.
#[cfg(all(feature = "server", any(target_os = "android", target_os = "linux")))]
fn limit_unsent(stream: &TcpStream, bytes: u32) {
    // On kernels without the option, progress is only measured less often.
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes);
}

/// Other systems have no option that can be set without unsafe code.
#[cfg(all(
    feature = "server",
    not(any(target_os = "android", target_os = "linux"))
))]
fn limit_unsent(_: &TcpStream, _: u32) {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.stream {
            Stream::Tcp(_) => "tcp",
            Stream::Memory(_) => "memory",
            Stream::Own(_) => "own",
        };
        f.debug_struct("Socket")
            .field("kind", &kind)
            .field("id", &self.id)
            .finish()
    }
}
