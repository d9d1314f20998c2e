//! A loop that does by hand what the app's frames mostly do: it reads a download from a socket into one
//! buffer until the budget is over. System calls of a frame take as long here, and stop as often, as in the
//! app, so that it can be told from the library what the kernel and the machine take.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Outcome;

/// What is read at once: some 30 µs of copying.
const READ: usize = 64 * 1024;

/// A download of nginx's file, begun again when it is whole.
pub(crate) struct Reader {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            stream: None,
            buffer: vec![0; READ],
        }
    }

    /// Asks for the file, if it is not arriving. Not part of a frame.
    pub(crate) fn begin(&mut self) -> Outcome<()> {
        if self.stream.is_none() {
            let mut stream = TcpStream::connect(&self.address)?;
            stream
                .write_all(b"GET /file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            stream.set_nonblocking(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Reads until the time is over, and spins where there is nothing. Answers how long it took.
    pub(crate) fn read_for(&mut self, budget: Duration) -> Outcome<Duration> {
        let began = Instant::now();
        while began.elapsed() < budget {
            let Some(stream) = &mut self.stream else {
                std::hint::spin_loop();
                continue;
            };
            match stream.read(&mut self.buffer) {
                Ok(0) => self.stream = None,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(began.elapsed())
    }

    pub(crate) fn end(&mut self) {
        self.stream = None;
    }
}
