//! Polls while the disk hangs: under a form, an upload and a download. The worker is stopped by a value that it drops.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::agent::agent::{Agent, Backend};
use crate::agent::{Event, Request, RequestId};
use crate::budget::Budget;
use crate::server::{Request as Received, Response, Server, ServerLimits};

/// Fails a test that hangs, long before its runner does.
const NET: Duration = Duration::from_secs(300);

/// More than the worker reads ahead, and more than a download queues.
const LENGTH: usize = 12_000_000;

/// The worker waits while it drops this, until the test drops the other end.
struct Gate(Receiver<()>);

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.recv_timeout(NET);
    }
}

struct Test {
    agent: Agent,
    server: Server,
    address: String,
    done: Vec<(RequestId, Vec<u8>)>,
    folder: PathBuf,
}

fn content() -> Vec<u8> {
    (0..LENGTH).map(|at| (at / 7) as u8).collect()
}

/// More than the kernel and the download's queue hold together.
fn large() -> Vec<u8> {
    content().repeat(4)
}

impl Test {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("httpoll-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("sent.bin"), content()).unwrap();
        let limits = ServerLimits {
            body_bytes: u64::MAX,
            ..ServerLimits::default()
        };
        let builder = Server::builder().limits(limits).slow_handler(None);
        let mut server = builder.bind_local(0).unwrap();
        server
            .route("GET", "/small", |_: &mut Received| Response::text("small"))
            .unwrap();
        server
            .route("GET", "/large", |_: &mut Received| {
                Response::content("application/octet-stream", large())
            })
            .unwrap();
        server
            .route("POST", "/plain", |request: &mut Received| {
                let is_whole = *request.body() == content();
                Response::text(format!("{is_whole}"))
            })
            .unwrap();
        server
            .route("POST", "/form", |request: &mut Received| {
                let file = request.form().unwrap().files.first_mut().unwrap();
                let mut stored = Vec::new();
                std::io::Read::read_to_end(&mut file.reader().unwrap(), &mut stored).unwrap();
                Response::text(format!("{}", stored == content()))
            })
            .unwrap();
        let address = format!("http://{}", server.local_addr());
        Self {
            agent: Agent::builder().build(),
            server,
            address,
            done: Vec::new(),
            folder,
        }
    }

    /// Stops the agent's worker until the result is dropped.
    fn stop_disk(&mut self) -> Sender<()> {
        let Backend::Inline(engine) = &mut self.agent.backend else {
            panic!("the engine has no thread");
        };
        let disk = engine.files.disk(&mut engine.reactor).unwrap().clone();
        let (gate, waiting) = channel();
        disk.dispose(Gate(waiting));
        gate
    }

    fn send(&mut self, request: Request) -> RequestId {
        self.agent.send(request).unwrap().detach()
    }

    fn poll(&mut self) {
        self.server.poll_with(&Budget::unlimited()).unwrap();
        self.agent.poll();
        while let Some(event) = self.agent.next_event() {
            match event {
                Event::Done { id, response } => self.done.push((id, response.body().to_vec())),
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }

    fn until_done(&mut self, id: RequestId) -> Vec<u8> {
        let limit = Instant::now() + NET;
        loop {
            if let Some(at) = self.done.iter().position(|(done, _)| *done == id) {
                return self.done.swap_remove(at).1;
            }
            self.poll();
            assert!(Instant::now() < limit, "{:?}", self.agent);
            std::thread::yield_now();
        }
    }

    /// While the disk hangs, polls return and other requests are served. Returns what the server has received and
    /// sent by then.
    fn goes_on(&mut self) -> (u64, u64) {
        for _ in 0..3 {
            let small = self.send(Request::get(format!("{}/small", self.address)));
            assert_eq!(self.until_done(small), b"small");
            for _ in 0..200 {
                self.poll();
                std::thread::yield_now();
            }
        }
        let metrics = self.server.metrics();
        (metrics.bytes_received, metrics.bytes_sent)
    }

    /// The disk hangs before the file of this request is open, and again in the middle.
    fn sends(mut self, request: Request) {
        let gate = self.stop_disk();
        let sent = self.send(request);
        let (received, _) = self.goes_on();
        assert!(
            received < 10_000,
            "{received} bytes of a file that is not open"
        );
        drop(gate);
        while self.server.metrics().bytes_received < 1_000_000 {
            self.poll();
            std::thread::yield_now();
        }
        let gate = self.stop_disk();
        let before = self.goes_on();
        // Nothing moves any more but the small requests.
        let after = self.goes_on();
        assert!(self.done.is_empty(), "it ended without the disk");
        assert!(after.0 - before.0 < 10_000, "{before:?} {after:?}");
        drop(gate);
        assert_eq!(self.until_done(sent), b"true");
        self.end();
    }

    fn end(self) {
        let Self { agent, folder, .. } = self;
        drop(agent);
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn polls_go_on_while_the_disk_hangs_under_a_form() {
    let test = Test::new("hanging-form");
    let request = Request::post(format!("{}/form", test.address));
    let file = test.folder.join("sent.bin");
    test.sends(request.form([("a", "1")]).form_file("file", file));
}

#[test]
fn polls_go_on_while_the_disk_hangs_under_an_upload() {
    let test = Test::new("hanging-upload");
    let request = Request::post(format!("{}/plain", test.address));
    let file = test.folder.join("sent.bin");
    test.sends(request.file(file));
}

#[test]
fn polls_go_on_while_the_disk_hangs_under_a_download() {
    let mut test = Test::new("hanging-download");
    let target = test.folder.join("received.bin");
    let gate = test.stop_disk();
    let url = format!("{}/large", test.address);
    let request = test.send(Request::get(&url).download_to(&target));
    let (_, sent) = test.goes_on();
    assert!(sent < 10_000, "{sent} bytes for a file that is not open");
    drop(gate);
    while test.server.metrics().bytes_sent < 500_000 {
        test.poll();
        std::thread::yield_now();
    }
    let gate = test.stop_disk();
    let (_, sent) = test.goes_on();
    assert!(test.done.is_empty(), "it ended without the disk");
    assert!(sent < large().len() as u64 / 2, "{sent}");
    drop(gate);
    test.until_done(request);
    assert!(fs::read(&target).unwrap() == large());
    test.end();
}
