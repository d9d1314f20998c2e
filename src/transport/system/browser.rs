//! Readiness in a browser. A task that the browser runs puts the token of its exchange into a list, and the
//! next poll takes the list. A page cannot wait, so [`System::wait`] is [`System::poll`].
//!
//! A browser gives a page no sockets: their types have no values here.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::ops::BitOr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, NetworkFault};
use crate::transport::inbox::Readiness;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct System {
    signals: ReadySignals,
    taken: Mutex<Vec<usize>>,
}

impl System {
    pub(crate) fn new(_is_group: bool) -> Self {
        Self {
            signals: ReadySignals::default(),
            taken: Mutex::default(),
        }
    }

    pub(crate) fn signals(&self) -> &ReadySignals {
        &self.signals
    }

    /// Passes on what became ready. Returns whether the list was looked at.
    pub(crate) fn poll(&self, mut each: impl FnMut(Readiness)) -> Result<bool, Error> {
        let mut taken = lock(&self.taken);
        std::mem::swap(&mut *taken, &mut lock(&self.signals.0));
        for token in taken.drain(..) {
            each(Readiness {
                token,
                readable: true,
                writable: false,
                closed: false,
            });
        }
        Ok(true)
    }

    pub(crate) fn wait(
        &self,
        _timeout: Option<Duration>,
        each: impl FnMut(Readiness),
    ) -> Result<bool, Error> {
        self.poll(each)
    }

    pub(crate) fn register(
        &self,
        _register: impl FnOnce(&Registry) -> io::Result<()>,
    ) -> Result<(), Error> {
        let unsupported = io::ErrorKind::Unsupported.into();
        Err(Error::io(NetworkFault::System, unsupported))
    }

    /// Nothing sleeps in a page.
    pub(crate) fn can_be_watched(&self) -> bool {
        false
    }

    /// Nothing sleeps in a page.
    pub(crate) fn waker(&self) -> Result<Option<Arc<Waker>>, Error> {
        Ok(None)
    }
}

/// The tokens of exchanges that have something new.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadySignals(Arc<Mutex<Vec<usize>>>);

impl ReadySignals {
    /// The signal of the exchange with this token.
    pub(crate) fn signal(&self, token: usize) -> ReadySignal {
        ReadySignal {
            signals: self.clone(),
            token,
        }
    }
}

/// Tells the poller that one exchange has something new.
#[derive(Clone, Debug)]
pub(crate) struct ReadySignal {
    signals: ReadySignals,
    token: usize,
}

impl ReadySignal {
    pub(crate) fn set(&self) {
        let mut tokens = lock(&self.signals.0);
        if tokens.last() != Some(&self.token) {
            tokens.push(self.token);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where sockets would be registered.
#[derive(Debug)]
pub(crate) enum Registry {}

impl Registry {
    pub(crate) fn register(
        &self,
        _stream: &mut TcpStream,
        _token: Token,
        _interest: Interest,
    ) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn deregister(&self, _stream: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }
}

/// The number of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) usize);

/// What a socket would be registered for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest;

impl Interest {
    pub(crate) const READABLE: Self = Self;
    pub(crate) const WRITABLE: Self = Self;
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, _other: Self) -> Self {
        self
    }
}

/// What would end a sleep.
#[derive(Debug)]
pub(crate) enum Waker {}

impl Waker {
    pub(crate) fn wake(&self) -> io::Result<()> {
        match *self {}
    }
}

/// A socket, which a page cannot have.
#[derive(Debug)]
pub(crate) enum TcpStream {}

impl TcpStream {
    pub(crate) fn connect(_address: SocketAddr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match *self {}
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match *self {}
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match *self {}
    }

    pub(crate) fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        match *self {}
    }
}

impl Read for TcpStream {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for TcpStream {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
