//! A second process, which holds the other ends of idle connections: so each side has the system's
//! limit of open files to itself, and what is measured shares its thread with nobody. It ends when
//! the first process closes its input.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::{fs, io};

const SERVER: &str = "hold-server";
const CLIENTS: &str = "hold-clients";

/// How many connections the idle polls are measured with.
const SIZES: [usize; 4] = [1, 100, 1_000, 10_000];

/// What a process needs beside its connections.
const OTHER_FILES: usize = 50;

/// The sizes for which the system lets a process open enough files. What is left out is said.
pub(crate) fn sizes() -> Vec<usize> {
    static SIZES_HERE: LazyLock<Vec<usize>> = LazyLock::new(|| {
        SIZES
            .into_iter()
            .filter(|size| match may_open(size + OTHER_FILES) {
                Ok(()) => true,
                Err(error) => {
                    eprintln!(
                        "left out: {size} connections, because of {error}; \
                         `ulimit -n {}` before may allow it",
                        size + OTHER_FILES
                    );
                    false
                }
            })
            .collect()
    });
    SIZES_HERE.clone()
}

/// The second process.
pub(crate) struct OtherEnds {
    process: Child,
    told: String,
}

impl OtherEnds {
    /// Accepts every connection, reads nothing, answers never.
    pub(crate) fn silent_server() -> (Self, SocketAddr) {
        let other = Self::start(&[SERVER]);
        let address = other.told.parse().unwrap();
        (other, address)
    }

    /// So many connections to a server, which say nothing. Returns before they are open.
    pub(crate) fn idle_clients(server: SocketAddr, count: usize) -> Self {
        Self::start(&[CLIENTS, &server.to_string(), &count.to_string()])
    }

    /// Begins, and waits for its first line.
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut told)
            .unwrap();
        let told = told.trim().to_owned();
        Self { process, told }
    }
}

impl Drop for OtherEnds {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Whether this process is the second one. Then it has done its work when this returns.
pub(crate) fn held_here() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [SERVER] => hold_server(),
        [CLIENTS, server, count] => hold_clients(server, count.parse().unwrap()),
        _ => return false,
    }
    true
}

fn hold_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    say(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let _held: Vec<_> = listener.incoming().collect();
    });
    until_let_go();
}

fn hold_clients(server: &str, count: usize) {
    say("connecting");
    let _held: Vec<_> = (0..count)
        .map(|_| TcpStream::connect(server).unwrap())
        .collect();
    until_let_go();
}

fn say(what: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    writeln!(out, "{what}").unwrap();
    out.flush().unwrap();
}

fn until_let_go() {
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

/// Asks the system by doing it.
fn may_open(files: usize) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let _open = (0..files)
        .map(|_| fs::File::open(&program))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(())
}
