//! A listening socket: TCP through mio, or in memory.
//!
//! A listener never blocks: [`accept`](Listener::accept) returns `None` when no connection waits. The
//! server decides which connections to accept, and how many.

use std::io;
use std::net::SocketAddr;

use mio::Interest;
use mio::net::TcpListener;

use crate::error::{Error, NetworkFault};
use crate::transport::memory::MemoryNetwork;
use crate::transport::reactor::{Reactor, SourceId};
use crate::transport::socket::Socket;

/// See the module's documentation. It must be [closed](Self::close) on the reactor on which it was opened.
#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    address: SocketAddr,
    id: SourceId,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Memory(MemoryNetwork),
}

impl Listener {
    /// Listens at `address`. With port 0 the system chooses a port, which [`address`](Self::address)
    /// returns. On Unix an address can be used again as soon as its listener is closed (`SO_REUSEADDR`). On
    /// Windows that option would let two listeners share a port, so it is not set there.
    pub(crate) fn bind(reactor: &mut Reactor, address: SocketAddr) -> Result<Self, Error> {
        if let Some(network) = reactor.network() {
            let network = network.clone();
            network.listen(address);
            let id = reactor.add_memory(|interest| network.register_listener(address, interest));
            return Ok(Self {
                kind: Kind::Memory(network),
                address,
                id,
            });
        }
        let listener = TcpListener::bind(address).map_err(system)?;
        Self::register(reactor, listener)
    }

    /// Takes ownership of a listener of the standard library.
    pub(crate) fn from_std(
        reactor: &mut Reactor,
        listener: std::net::TcpListener,
    ) -> Result<Self, Error> {
        listener.set_nonblocking(true).map_err(system)?;
        Self::register(reactor, TcpListener::from_std(listener))
    }

    fn register(reactor: &mut Reactor, mut listener: TcpListener) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(system)?;
        let id = reactor.add_system(|registry, token| {
            registry.register(&mut listener, token, Interest::READABLE)
        })?;
        // Connections may already wait on a caller's listener, and mio may not report them.
        reactor.assume_readable(id);
        Ok(Self {
            kind: Kind::Tcp(listener),
            address,
            id,
        })
    }

    /// A second handle of the same listening socket, which keeps listening when this one is closed. `None`
    /// in memory, where the server simply listens at the address again.
    pub(crate) fn duplicate(&self) -> Result<Option<std::net::TcpListener>, Error> {
        let Kind::Tcp(listener) = &self.kind else {
            return Ok(None);
        };
        #[cfg(unix)]
        let handle = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned();
        #[cfg(windows)]
        let handle = std::os::windows::io::AsSocket::as_socket(listener).try_clone_to_owned();
        handle.map(|handle| Some(handle.into())).map_err(system)
    }

    /// The address at which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a connection may wait, as of the last poll.
    pub(crate) fn is_ready(&self, reactor: &mut Reactor) -> bool {
        reactor.is_readable(self.id)
    }

    /// Returns the next connection and its remote address; `None` when no connection waits. Connections
    /// that were closed before they were accepted are skipped.
    ///
    /// # Errors
    /// When the system has no more sockets or memory. Try again later.
    pub(crate) fn accept(
        &mut self,
        reactor: &mut Reactor,
    ) -> Result<Option<(Socket, SocketAddr)>, Error> {
        if !self.is_ready(reactor) {
            return Ok(None);
        }
        match &mut self.kind {
            Kind::Tcp(listener) => loop {
                return match listener.accept() {
                    Ok((stream, peer)) => {
                        Socket::accepted(reactor, stream).map(|socket| Some((socket, peer)))
                    }
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => {
                            reactor.clear_readable(self.id);
                            Ok(None)
                        }
                        io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset => continue,
                        _ => Err(system(error)),
                    },
                };
            },
            Kind::Memory(network) => match network.accept(self.address) {
                Some(stream) => {
                    let peer = stream.peer_address().unwrap_or(self.address);
                    Ok(Some((Socket::accepted_in_memory(reactor, stream), peer)))
                }
                None => {
                    reactor.clear_readable(self.id);
                    Ok(None)
                }
            },
        }
    }

    /// Removes the listener from its reactor, to be used on another one. Waiting connections keep waiting.
    /// `None` in memory.
    pub(crate) fn into_std(self, reactor: &mut Reactor) -> Option<std::net::TcpListener> {
        match self.kind {
            Kind::Tcp(mut listener) => {
                reactor.remove_system(self.id, |registry| registry.deregister(&mut listener));
                #[cfg(unix)]
                let owned = std::os::fd::OwnedFd::from(listener);
                #[cfg(windows)]
                let owned = std::os::windows::io::OwnedSocket::from(listener);
                Some(owned.into())
            }
            Kind::Memory(_) => {
                self.close(reactor);
                None
            }
        }
    }

    /// Stops listening. The address can be used again.
    pub(crate) fn close(self, reactor: &mut Reactor) {
        reactor.remove(self.id);
        if let Kind::Memory(network) = &self.kind {
            network.stop_listening(self.address);
        }
    }
}

fn system(error: io::Error) -> Error {
    let fault = match error.kind() {
        io::ErrorKind::AddrInUse
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => NetworkFault::ListenFailed,
        _ => NetworkFault::System,
    };
    Error::io(fault, error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;
    use crate::transport::resolver::Resolver;

    #[test]
    fn port_zero_is_a_real_port_and_free_again_after_closing() {
        let mut reactor = Reactor::system(Resolver::system());
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut listener = Listener::bind(&mut reactor, loopback).unwrap();
        let address = listener.address();
        assert_ne!(address.port(), 0);
        assert!(listener.accept(&mut reactor).unwrap().is_none());

        let client = TcpStream::connect(address).unwrap();
        reactor.poller().wait(None).unwrap();
        reactor.poll_events().unwrap();
        let (socket, peer) = listener.accept(&mut reactor).unwrap().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        socket.close(&mut reactor);
        listener.close(&mut reactor);

        let again = Listener::bind(&mut reactor, address).unwrap();
        assert_eq!(again.address(), address);
        again.close(&mut reactor);
    }

    /// On Windows a socket could take an address over if this library set `SO_REUSEADDR` there.
    #[test]
    fn an_address_has_one_listener() {
        let mut reactor = Reactor::system(Resolver::system());
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let first = Listener::bind(&mut reactor, loopback).unwrap();
        let second = Listener::bind(&mut reactor, first.address()).unwrap_err();
        let expected = crate::error::ErrorKind::Network(NetworkFault::ListenFailed);
        assert_eq!(*second.kind(), expected);
        first.close(&mut reactor);
    }

    #[test]
    fn in_memory_a_connection_waits_until_it_is_accepted() {
        let network = MemoryNetwork::new();
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let mut reactor = Reactor::memory(&network);
        let mut listener = Listener::bind(&mut reactor, address).unwrap();
        let _client = network.connect(address).unwrap();
        assert!(listener.accept(&mut reactor).unwrap().is_none());
        reactor.poll_events().unwrap();
        let (socket, _) = listener.accept(&mut reactor).unwrap().unwrap();
        assert!(listener.accept(&mut reactor).unwrap().is_none());
        socket.close(&mut reactor);
        listener.close(&mut reactor);
        assert_eq!(network.open_connections(), 1);
    }
}
