//! [`ServerBuilder`]: the settings that have to be chosen before a server listens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use super::Server;
use super::access_log::AccessLog;
use super::app::App;
use super::forwarded::TrustedProxies;
use super::guard::Guard;
use super::multipart::{MultipartLimits, TempFolder};
use super::port_file::PortCandidates;
use super::settings::{NotFoundPolicy, ServerLimits, ServerTimeouts};
use crate::error::{Error, Misuse};
use crate::group::PollGroup;
use crate::transport::disk::Disk;
use crate::transport::listener::Listener;
use crate::transport::memory::MemoryNetwork;
use crate::transport::poller::Poller;
use crate::transport::reactor::Reactor;
use crate::transport::resolver::Resolver;
use crate::transport::tls::ServerTlsOptions;

/// Settings of a [`Server`] that is not listening yet; made by [`Server::builder`].
#[derive(Debug, Default)]
#[must_use]
pub struct ServerBuilder {
    limits: ServerLimits,
    timeouts: ServerTimeouts,
    not_found: NotFoundPolicy,
    slash_redirect: bool,
    slow_handler: Option<Option<Duration>>,
    guard: Option<Guard>,
    proxies: TrustedProxies,
    forms: MultipartLimits,
    spill_folder: TempFolder,
    access_log: usize,
    tls: Option<ServerTlsOptions>,
    group: Option<Poller>,
}

impl ServerBuilder {
    /// Lets the server be polled together with others: see [`PollGroup`]. A group on an in-memory network holds
    /// servers on that network.
    pub fn group(mut self, group: &PollGroup) -> Self {
        self.group = Some(group.poller().clone());
        self
    }

    /// Replaces the caps on what clients may make the server hold.
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the deadlines.
    pub fn timeouts(mut self, timeouts: ServerTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets what happens to requests that no route takes.
    pub fn not_found(mut self, not_found: NotFoundPolicy) -> Self {
        self.not_found = not_found;
        self
    }

    /// Whether `/user` is redirected (`308`) to `/user/` when only that is a route. Off by default.
    pub fn redirect_to_slash(mut self, redirect: bool) -> Self {
        self.slash_redirect = redirect;
        self
    }

    /// Reports handlers that take longer than this, because they hold up the frame. The report goes to the
    /// `on_error` hooks or, if there are none, to the standard error stream, at most once a second. `None`
    /// turns the reports off. Default 8 ms.
    pub fn slow_handler(mut self, longest: impl Into<Option<Duration>>) -> Self {
        self.slow_handler = Some(longest.into());
        self
    }

    /// Checks every request with this guard. The default is [`Guard::for_address`]. At a loopback address it
    /// requires that `Host` names this machine, and refuses requests from pages of other sites. At other
    /// addresses it lets every client in. [`Server::set_guard`] replaces it when the port is known.
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Trusts what these proxies report about the clients behind them. Default: no proxy is trusted.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Caps on forms with files, in addition to the route's own cap on content.
    pub fn form_limits(mut self, limits: MultipartLimits) -> Self {
        self.forms = limits;
        self
    }

    /// The folder for files of forms that are too large for memory. A worker thread writes them; the handler runs when
    /// they are complete. Default: the system's folder for temporary files.
    pub fn spill_folder(mut self, folder: TempFolder) -> Self {
        self.spill_folder = folder;
        self
    }

    /// Keeps the latest `records` responses for [`Server::access_log`]. Default 0: the log is off.
    pub fn access_log(mut self, records: usize) -> Self {
        self.access_log = records;
        self
    }

    /// Uses TLS with every client. Without it the server uses plain TCP.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, options: ServerTlsOptions) -> Self {
        self.tls = Some(options);
        self
    }

    /// Listens at `address`. For port 0 the system chooses a free port, which [`Server::local_addr`] returns.
    /// If `address` is a name, this call blocks while it is looked up; an IP address never blocks.
    ///
    /// No second listener gets the same address, on any system. On Unix `SO_REUSEADDR` is set, which only
    /// lets a server listen again while connections of the one before are still closing. On Windows that option
    /// would let two programs share a port, so it is never set there: another program that binds the same
    /// address fails, even if it sets the option itself. `SO_EXCLUSIVEADDRUSE` is not set, because no safe
    /// function does. The difference concerns `0.0.0.0` and `[::]` only: there another program of the same user
    /// may listen at the port of one specific address, and then gets the connections to that address. See
    /// Microsoft's "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE". To set it, bind a socket yourself and
    /// pass it to [`from_listener`](Self::from_listener).
    ///
    /// # Errors
    /// [`Misuse::InvalidHost`] when `address` is not an address, [`NetworkFault::ListenFailed`](crate::error::NetworkFault::ListenFailed) when the
    /// server cannot listen at any of the addresses that it names.
    pub fn bind(self, address: impl ToSocketAddrs) -> Result<Server, Error> {
        let addresses = address
            .to_socket_addrs()
            .map_err(|error| Error::from(Misuse::InvalidHost).with_source(error))?;
        let mut reactor = Reactor::on(self.group.as_ref(), Resolver::system());
        let mut failure = Error::from(Misuse::InvalidHost);
        for address in addresses {
            match Listener::bind(&mut reactor, address) {
                Ok(listener) => return self.build(reactor, listener),
                Err(error) => failure = at(address, &error),
            }
        }
        Err(failure)
    }

    /// Listens at `port` of the loopback address: only programs on this machine can connect.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_local(self, port: u16) -> Result<Server, Error> {
        self.bind((Ipv4Addr::LOCALHOST, port))
    }

    /// Listens at the first of these ports of the loopback address that is free.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), for the last port.
    pub fn bind_first(self, ports: PortCandidates) -> Result<Server, Error> {
        let mut reactor = Reactor::on(self.group.as_ref(), Resolver::system());
        let mut failure = Error::from(Misuse::InvalidPort);
        for port in ports {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match Listener::bind(&mut reactor, address) {
                Ok(listener) => return self.build(reactor, listener),
                Err(error) => failure = at(address, &error),
            }
        }
        Err(failure)
    }

    /// Takes over a listener that is already bound, such as one from systemd or one with special socket
    /// options.
    ///
    /// # Errors
    /// [`NetworkFault::System`](crate::error::NetworkFault::System) when the listener cannot be made non-blocking or has no address.
    pub fn from_listener(self, listener: TcpListener) -> Result<Server, Error> {
        let mut reactor = Reactor::on(self.group.as_ref(), Resolver::system());
        let listener = Listener::from_std(&mut reactor, listener)?;
        self.build(reactor, listener)
    }

    /// Listens on an in-memory network with its virtual clock, for tests.
    ///
    /// # Errors
    /// None at present.
    pub fn on_memory(self, network: &MemoryNetwork, address: SocketAddr) -> Result<Server, Error> {
        let mut reactor = Reactor::on_memory(self.group.as_ref(), network);
        let listener = Listener::bind(&mut reactor, address)?;
        self.build(reactor, listener)
    }

    fn build(self, reactor: Reactor, listener: Listener) -> Result<Server, Error> {
        let mut app = App::new(self.limits, self.timeouts, reactor.clock().clone());
        if reactor.network().is_some() {
            app.disk = Disk::on_clock(reactor.clock().clone());
        }
        app.not_found = self.not_found;
        app.slash_redirect = self.slash_redirect;
        if let Some(slow_handler) = self.slow_handler {
            app.slow_handler = slow_handler;
        }
        app.guard = self
            .guard
            .unwrap_or_else(|| Guard::for_address(listener.address()));
        app.proxies = self.proxies;
        app.forms = self.forms;
        app.spill_folder = self.spill_folder;
        app.keeps_log = self.access_log > 0;
        app.log = AccessLog::new(self.access_log);
        let mut server = Server::assemble(reactor, listener, app);
        server.tls = self.tls;
        Ok(server)
    }
}

/// Adds to the error the address at which the server cannot listen.
fn at(address: SocketAddr, error: &Error) -> Error {
    error.clone().with_origin(&address.to_string())
}
