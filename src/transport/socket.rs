//! One stream and its registration: TCP through mio, in memory, or the caller's own.
//!
//! Reads and writes go through mio's types, and only while the reactor says that they may succeed. Connecting
//! follows mio's rule for when a connection is established.

use std::fmt;
use std::io::{self, Read, Write};
#[cfg(feature = "server")]
use std::net::Shutdown;
use std::net::SocketAddr;

use mio::Interest;
use mio::net::TcpStream;

use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::transport::memory::MemoryStream;
use crate::transport::reactor::{Reactor, SourceId};

/// A stream of the caller's own for [`HttpClient::set_connection`](crate::HttpClient::set_connection):
/// any byte pipe whose `read` and `write` never wait but fail with [`io::ErrorKind::WouldBlock`]. A
/// `read` of no bytes is the peer's end.
///
/// The stream does not report when it becomes ready, so every poll tries it.
pub trait NonblockingStream: Read + Write + Send {}

impl<T: Read + Write + Send> NonblockingStream for T {}

enum Stream {
    Tcp(TcpStream),
    Memory(MemoryStream),
    Own(Exclusive<Box<dyn NonblockingStream>>),
}

/// See the module's documentation. Must be [closed](Self::close) on the reactor it was opened on.
pub(crate) struct Socket {
    stream: Stream,
    id: SourceId,
    /// Bytes that the system took so far.
    #[cfg(feature = "server")]
    written: u64,
    /// Both ends of a TCP connection that was opened here, asked for once.
    ends: Option<(SocketAddr, SocketAddr)>,
}

impl Socket {
    /// Starts to connect. [`poll_connected`](Self::poll_connected) returns whether it is done.
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

    /// Takes over a connection that a listener accepted.
    #[cfg(feature = "server")]
    pub(crate) fn accepted(reactor: &mut Reactor, mut stream: TcpStream) -> Result<Self, Error> {
        // Responses are written whole, so Nagle's delay could only add to latency. A refusal costs
        // speed, not the connection.
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

    /// The same for a connection in memory.
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

    /// Takes over a stream of the caller.
    pub(crate) fn adopt(reactor: &mut Reactor, stream: Box<dyn NonblockingStream>) -> Self {
        Self {
            stream: Stream::Own(Exclusive::new(stream)),
            id: reactor.add_untold(),
            #[cfg(feature = "server")]
            written: 0,
            ends: None,
        }
    }

    /// Whether the connection is there; the error of one that failed.
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
                        // Requests are written whole, so Nagle's delay could only add to latency. A
                        // refusal costs speed, not the connection.
                        let _ = stream.set_nodelay(true);
                        Ok(true)
                    }
                    // Writable, but not connected: an event that came too early.
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

    /// Lets the next read ask the system.
    pub(crate) fn assume_readable(&self, reactor: &mut Reactor) {
        reactor.assume_readable(self.id);
    }

    /// Reads what is there; [`io::ErrorKind::WouldBlock`] when nothing is.
    pub(crate) fn read(&mut self, reactor: &mut Reactor, dst: &mut [u8]) -> io::Result<usize> {
        if !reactor.is_readable(self.id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(dst),
                Stream::Memory(stream) => stream.read(dst),
                Stream::Own(stream) => stream.get_mut().read(dst),
            };
            match &result {
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

    /// Writes what the stream takes; [`io::ErrorKind::WouldBlock`] when that is nothing.
    pub(crate) fn write(&mut self, reactor: &mut Reactor, src: &[u8]) -> io::Result<usize> {
        if !reactor.is_writable(self.id) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.write(src),
                Stream::Memory(stream) => stream.write(src),
                Stream::Own(stream) => stream.get_mut().write(src),
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

    /// Whether bytes have arrived that were not read yet, whatever the reactor knows.
    #[cfg(feature = "server")]
    pub(crate) fn has_input(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => matches!(stream.peek(&mut [0]), Ok(1)),
            Stream::Memory(stream) => stream.has_input(),
            Stream::Own(_) => false,
        }
    }

    /// Lets the kernel hold little that is not sent yet.
    #[cfg(feature = "server")]
    pub(crate) fn limit_unsent(&self) {
        if let Stream::Tcp(stream) = &self.stream {
            limit_unsent(stream, UNSENT_EVENT_BYTES);
        }
    }

    /// How many bytes the system took so far: the measure of a peer's progress.
    #[cfg(feature = "server")]
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Ends the sending direction cleanly; reading continues. Does nothing for a stream of the caller.
    #[cfg(feature = "server")]
    pub(crate) fn shutdown_write(&mut self) {
        match &mut self.stream {
            // The connection is gone already if it fails.
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

    /// The far end's address, if the stream has one.
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

    /// This end's address, if the stream has one.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        if let Some((_, local)) = self.ends {
            return Some(local);
        }
        match &self.stream {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Memory(_) | Stream::Own(_) => None,
        }
    }

    /// Lets another reactor watch it. Nothing that became ready meanwhile is lost: it is tried at once.
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

    /// Closes the stream, and takes it off its reactor.
    pub(crate) fn close(self, reactor: &mut Reactor) {
        reactor.remove(self.id);
    }

    /// Takes the socket off its reactor and hands the stream out. A TCP stream stays non-blocking.
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

/// How many bytes the kernel may hold that were not sent yet.
#[cfg(feature = "server")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// The same for a stream of events.
#[cfg(feature = "server")]
const UNSENT_EVENT_BYTES: u32 = 16 * 1024;

/// Limits what the kernel takes before the peer has room for it (`TCP_NOTSENT_LOWAT`). Without the
/// limit a send buffer of several megabytes hides whether a slow peer makes progress, because Linux
/// reports a socket as writable only when a third of the buffer is free; and what waits there is stale.
#[cfg(all(feature = "server", any(target_os = "android", target_os = "linux")))]
fn limit_unsent(stream: &TcpStream, bytes: u32) {
    // Kernels without the option only measure progress less often.
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
