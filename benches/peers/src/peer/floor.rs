//! The floor: what a `GET` by hand can reach over mio, into one reused buffer of 256 KiB. It lingers
//! 100 us while content is arriving, over a whole exchange only when it is told to. Starts are not
//! held to the budget.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::{ClientConfig, ClientConnection};

use super::{Ask, Peer, Seen, Setup};
use crate::Outcome;

const BUFFER: usize = 256 * 1024;
const LINGER: Duration = Duration::from_micros(100);

pub struct Floor {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Connections that may have something, each at most once.
    ready: VecDeque<usize>,
    /// Connections without a socket.
    closed: Vec<usize>,
    idle: Vec<usize>,
    waiting: VecDeque<&'static Ask>,
    under_way: usize,
    receiving: usize,
    most: usize,
    budget: Option<Duration>,
    /// Over whole exchanges.
    busy_poll: Option<Duration>,
    tls: Arc<ClientConfig>,
    buffers: Buffers,
    kept: Vec<Vec<u8>>,
}

struct Buffers {
    cipher: Vec<u8>,
    plain: Vec<u8>,
}

struct Connection {
    stream: Option<TcpStream>,
    tls: Option<Box<ClientConnection>>,
    state: State,
    is_listed: bool,
}

enum State {
    Idle,
    Connecting(&'static Ask),
    Head(&'static Ask, Vec<u8>),
    Content {
        ask: &'static Ask,
        left: u64,
        kept: Vec<u8>,
    },
}

impl Floor {
    pub fn new(setup: &Setup, busy_poll: Option<Duration>) -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            connections: Vec::new(),
            ready: VecDeque::new(),
            closed: Vec::new(),
            idle: Vec::new(),
            waiting: VecDeque::new(),
            under_way: 0,
            receiving: 0,
            most: setup.connections,
            budget: setup.budget,
            busy_poll,
            tls: Arc::new(setup.rustls()?),
            buffers: Buffers {
                cipher: vec![0; BUFFER],
                plain: vec![0; BUFFER],
            },
            kept: Vec::new(),
        })
    }

    fn connect(&mut self, ask: &'static Ask) -> Outcome<()> {
        let mut stream = TcpStream::connect(ask.address)?;
        stream.set_nodelay(true)?;
        let at = self.closed.pop().unwrap_or(self.connections.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(at), interest)?;
        let tls = match ask.is_tls {
            true => Some(Box::new(ClientConnection::new(
                Arc::clone(&self.tls),
                ask.address.ip().into(),
            )?)),
            false => None,
        };
        let connection = Connection {
            stream: Some(stream),
            tls,
            state: State::Connecting(ask),
            is_listed: false,
        };
        match self.connections.get_mut(at) {
            Some(place) => *place = connection,
            None => self.connections.push(connection),
        }
        self.connections[at].send(ask)
    }

    fn turn(
        &mut self,
        timeout: Option<Duration>,
        budget: Option<Duration>,
        seen: &mut Seen,
    ) -> Outcome<()> {
        let began = Instant::now();
        let is_over = || budget.is_some_and(|budget| began.elapsed() >= budget);
        let mut quiet_since = began;
        let mut timeout = timeout;
        loop {
            self.poll.poll(&mut self.events, timeout)?;
            timeout = Some(Duration::ZERO);
            for event in &self.events {
                let at = event.token().0;
                if !std::mem::replace(&mut self.connections[at].is_listed, true) {
                    self.ready.push_back(at);
                }
            }
            let something = !self.ready.is_empty();
            while let Some(at) = self.ready.pop_front() {
                self.connections[at].is_listed = false;
                let is_cut = self.drive(at, &is_over, seen)?;
                if is_cut {
                    self.connections[at].is_listed = true;
                    self.ready.push_front(at);
                    return Ok(());
                }
            }
            let patience = match self.busy_poll {
                Some(busy_poll) if self.under_way > 0 => busy_poll,
                None if self.receiving > 0 => LINGER,
                _ => return Ok(()),
            };
            let now = Instant::now();
            if something {
                quiet_since = now;
            } else if now.duration_since(quiet_since) >= patience {
                return Ok(());
            }
            if is_over() {
                return Ok(());
            }
        }
    }

    /// Answers whether the budget cut it.
    fn drive(&mut self, at: usize, is_over: &impl Fn() -> bool, seen: &mut Seen) -> Outcome<bool> {
        if let State::Connecting(ask) = self.connections[at].state {
            self.connections[at].send(ask)?;
        }
        loop {
            let connection = &mut self.connections[at];
            if matches!(connection.state, State::Idle | State::Connecting(_)) {
                return Ok(false);
            }
            let was_content = matches!(connection.state, State::Content { .. });
            let answered = connection.receive(&mut self.buffers, seen)?;
            let is_content = matches!(connection.state, State::Content { .. });
            self.receiving = self.receiving + usize::from(is_content) - usize::from(was_content);
            match answered {
                Received::Nothing => return Ok(false),
                Received::Some { is_all } => {
                    if is_over() {
                        return Ok(true);
                    }
                    if is_all {
                        // An edge will tell of more.
                        return Ok(false);
                    }
                }
                Received::Answer(ask, kept) => {
                    seen.done += 1;
                    self.under_way -= 1;
                    if ask.keeps {
                        self.kept.push(kept);
                    }
                    if ask.closes {
                        connection.stream = None;
                        self.closed.push(at);
                        if let Some(next) = self.waiting.pop_front() {
                            self.connect(next)?;
                        }
                        return Ok(false);
                    }
                    match self.waiting.pop_front() {
                        Some(next) => connection.send(next)?,
                        None => self.idle.push(at),
                    }
                    return Ok(false);
                }
            }
        }
    }
}

impl Peer for Floor {
    fn ask(&mut self, ask: &'static Ask) -> Outcome<()> {
        self.under_way += 1;
        if let Some(at) = self.idle.pop() {
            return self.connections[at].send(ask);
        }
        if self.connections.len() - self.closed.len() < self.most {
            return self.connect(ask);
        }
        self.waiting.push_back(ask);
        Ok(())
    }

    fn poll(&mut self, seen: &mut Seen) -> Outcome<()> {
        self.turn(Some(Duration::ZERO), self.budget, seen)
    }

    fn wait(&mut self, seen: &mut Seen) -> Outcome<()> {
        let timeout = self.ready.is_empty().then_some(Duration::from_secs(10));
        self.turn(timeout.or(Some(Duration::ZERO)), None, seen)
    }

    fn release(&mut self) {
        self.kept.clear();
    }
}

enum Received {
    Nothing,
    /// Whether that was all that the kernel had.
    Some {
        is_all: bool,
    },
    Answer(&'static Ask, Vec<u8>),
}

impl Connection {
    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        self.stream
            .as_mut()
            .ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn send(&mut self, ask: &'static Ask) -> Outcome<()> {
        self.state = State::Connecting(ask);
        let closing = if ask.closes {
            "Connection: close\r\n"
        } else {
            ""
        };
        let mut request = [0; 256];
        let mut rest = &mut request[..];
        write!(
            rest,
            "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{closing}\r\n",
            ask.path
        )?;
        let left = rest.len();
        let request = &request[..request.len() - left];
        let Some(stream) = &mut self.stream else {
            return Err("no socket".into());
        };
        let sent = match &mut self.tls {
            None => stream.write(request).map(|count| count == request.len()),
            // The request waits inside until keys are agreed upon.
            Some(tls) => {
                if !tls.is_handshaking() || stream.peer_addr().is_ok() {
                    tls.writer().write_all(request)?;
                    while tls.wants_write() {
                        tls.write_tls(stream)?;
                    }
                    Ok(true)
                } else {
                    Err(ErrorKind::WouldBlock.into())
                }
            }
        };
        match sent {
            Ok(true) => {
                self.state = State::Head(ask, Vec::new());
                Ok(())
            }
            Ok(false) => Err("the request did not fit into the socket".into()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::NotConnected
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self, buffers: &mut Buffers, seen: &mut Seen) -> Outcome<Received> {
        let into = if self.tls.is_some() {
            &mut buffers.cipher
        } else {
            &mut buffers.plain
        };
        let count = match self.stream()?.read(into) {
            Ok(0) => return Err("the server closed".into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) => return Err(error.into()),
        };
        let is_all = count < BUFFER;
        let Some(mut tls) = self.tls.take() else {
            return Ok(match self.take_in(&buffers.plain[..count], seen)? {
                Some((ask, kept)) => Received::Answer(ask, kept),
                None => Received::Some { is_all },
            });
        };
        let mut answered = None;
        let mut rest = &buffers.cipher[..count];
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            tls.process_new_packets()?;
            loop {
                match tls.reader().read(&mut buffers.plain) {
                    Ok(0) => break,
                    Ok(count) if answered.is_none() => {
                        answered = self.take_in(&buffers.plain[..count], seen)?;
                    }
                    Ok(_) => return Err("content behind the answer".into()),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        while tls.wants_write() {
            tls.write_tls(self.stream()?)?;
        }
        self.tls = Some(tls);
        Ok(match answered {
            Some((ask, kept)) => Received::Answer(ask, kept),
            None => Received::Some { is_all },
        })
    }

    /// Answers the request that this ends, with its content.
    fn take_in(
        &mut self,
        bytes: &[u8],
        seen: &mut Seen,
    ) -> Outcome<Option<(&'static Ask, Vec<u8>)>> {
        let mut bytes = bytes;
        if let State::Head(ask, before) = &mut self.state {
            let ask = *ask;
            let joined;
            if !before.is_empty() {
                before.extend_from_slice(bytes);
                joined = std::mem::take(before);
                bytes = &joined;
            }
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
                self.state = State::Head(ask, bytes.to_vec());
                return Ok(None);
            };
            let (head, content) = bytes.split_at(end + 4);
            let left = content_length(head)?;
            let kept = if ask.keeps {
                Vec::with_capacity(left as usize)
            } else {
                Vec::new()
            };
            self.state = State::Content { ask, left, kept };
            return self.content(content, seen);
        }
        self.content(bytes, seen)
    }

    fn content(
        &mut self,
        bytes: &[u8],
        seen: &mut Seen,
    ) -> Outcome<Option<(&'static Ask, Vec<u8>)>> {
        let State::Content { ask, left, kept } = &mut self.state else {
            return Err("content that nobody asked for".into());
        };
        *left = (*left)
            .checked_sub(bytes.len() as u64)
            .ok_or("more content than was said")?;
        seen.bytes += bytes.len() as u64;
        if ask.keeps {
            kept.extend_from_slice(bytes);
        }
        if *left > 0 {
            return Ok(None);
        }
        let done = (*ask, std::mem::take(kept));
        self.state = State::Idle;
        Ok(Some(done))
    }
}

fn content_length(head: &[u8]) -> Outcome<u64> {
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err("not a 200".into());
    }
    let name = b"\r\nContent-Length: ";
    let at = memchr::memmem::find(head, name).ok_or("no length")? + name.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
