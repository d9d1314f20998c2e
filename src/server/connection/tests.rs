//! Forms whose files a worker writes: polls go on while the disk hangs, limits hold, and nothing is left behind. Also
//! the size of the write buffer.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::budget::Budget;
use crate::memory::{MemoryNetwork, MemoryStream};
use crate::server::guard::Guard;
use crate::server::multipart::{MultipartLimits, TempFolder};
use crate::server::{Request, Response, Server, ServerLimits};
use crate::transport::disk::Disk;

/// Fails a test that hangs, long before its runner does.
const NET: Duration = Duration::from_secs(300);

const MIB: usize = 1024 * 1024;

/// The worker waits while it drops this, until the test drops the other end.
struct Gate(Receiver<()>);

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.0.recv_timeout(NET);
    }
}

/// A server on a network in memory, with the worker's thread.
struct Test {
    network: MemoryNetwork,
    server: Server,
    folder: PathBuf,
    faults: Arc<Mutex<Vec<String>>>,
    /// The files of the forms that reached the handler.
    received: Arc<Mutex<Vec<Vec<u8>>>>,
}

const ADDRESS: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
    80,
);

fn test(name: &str, limits: MultipartLimits) -> Test {
    let folder = std::env::temp_dir().join(format!("httpoll-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let network = MemoryNetwork::new();
    let own = ServerLimits {
        body_bytes: 64 * MIB as u64,
        ..ServerLimits::default()
    };
    let mut server = Server::builder()
        .limits(own)
        .guard(Guard::open())
        .slow_handler(None)
        .form_limits(limits)
        .spill_folder(TempFolder::new(&folder))
        .on_memory(&network, ADDRESS)
        .unwrap();
    server.app.disk = Disk::new(Arc::new(|| {}));
    server
        .route("GET", "/small", |_: &mut Request| Response::text("small"))
        .unwrap();
    let received: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&received);
    server
        .route("POST", "/form", move |request: &mut Request| {
            for file in &mut request.form().unwrap().files {
                let mut stored = Vec::new();
                file.reader().unwrap().read_to_end(&mut stored).unwrap();
                assert_eq!(file.size, stored.len() as u64);
                kept.lock().unwrap().push(stored);
            }
            Response::text("stored")
        })
        .unwrap();
    let faults: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&faults);
    server.on_error(move |fault, _| noted.lock().unwrap().push(fault.to_string()));
    Test {
        network,
        server,
        folder,
        faults,
        received,
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7) as u8).collect()
}

/// A request with these files.
fn form(files: &[&[u8]]) -> Vec<u8> {
    let mut content = Vec::new();
    for file in files {
        content.extend_from_slice(
            b"--XX\r\nContent-Disposition: form-data; name=a; filename=a.bin\r\n\r\n",
        );
        content.extend_from_slice(file);
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(b"--XX--\r\n");
    let mut request = format!(
        "POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=XX\r\n\
         Content-Length: {}\r\n\r\n",
        content.len()
    )
    .into_bytes();
    request.extend_from_slice(&content);
    request
}

impl Test {
    fn connect(&self) -> MemoryStream {
        let stream = self.network.connect(ADDRESS).unwrap();
        self.network.advance(Duration::ZERO);
        stream
    }

    fn poll(&mut self) {
        self.server.poll_with(&Budget::unlimited()).unwrap();
        self.network.advance(Duration::ZERO);
    }

    /// Stops the worker until the result is dropped.
    fn stop_disk(&self) -> Sender<()> {
        let (gate, waiting) = channel();
        self.server.app.disk.dispose(Gate(waiting));
        gate
    }

    /// Sends until the server takes no more in many polls. Returns how much it took.
    fn send(&mut self, client: &mut MemoryStream, bytes: &[u8]) -> usize {
        let (mut sent, mut quiet) = (0, 0);
        while sent < bytes.len() && quiet < 100 {
            match client.write(&bytes[sent..]) {
                Ok(count) => (sent, quiet) = (sent + count, 0),
                Err(_) => quiet += 1,
            }
            self.poll();
        }
        sent
    }

    /// Sends while the disk works, and polls until something arrives. Returns it as text.
    fn exchange(&mut self, client: &mut MemoryStream, mut bytes: &[u8]) -> String {
        let mut received = vec![0; 100_000];
        let limit = std::time::Instant::now() + NET;
        loop {
            if let Ok(count) = client.write(bytes) {
                bytes = &bytes[count..];
            }
            self.poll();
            if let Ok(count) = client.read(&mut received) {
                return String::from_utf8_lossy(&received[..count]).into_owned();
            }
            assert!(std::time::Instant::now() < limit, "{:?}", self.faults);
            std::thread::yield_now();
        }
    }

    /// Polls until something arrives, and returns it as text.
    fn receive(&mut self, client: &mut MemoryStream) -> String {
        self.exchange(client, b"")
    }

    /// Another client is served.
    fn serves_others(&mut self) {
        let mut other = self.connect();
        self.send(&mut other, b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(self.receive(&mut other).ends_with("small"));
    }

    fn faults(&self) -> String {
        self.faults.lock().unwrap().join("\n")
    }

    /// The worker has nothing left to do, and no file of the folder is left, not even an open one.
    fn nothing_is_left(&self) {
        assert!(self.server.app.disk.drain(NET));
        assert_eq!(fs::read_dir(&self.folder).unwrap().count(), 0);
        #[cfg(target_os = "linux")]
        for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
            if let Ok(target) = fs::read_link(entry.path()) {
                assert!(!target.starts_with(&self.folder), "{target:?} is open");
            }
        }
    }

    fn end(self) {
        self.nothing_is_left();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

#[test]
fn polls_go_on_while_the_disk_hangs_under_a_received_form() {
    let mut test = test("hanging-spill", MultipartLimits::default());
    let gate = test.stop_disk();
    let (large, other) = (content(8 * MIB), content(300_000));
    let request = form(&[&large, b"little", &other]);
    let mut client = test.connect();
    let sent = test.send(&mut client, &request);
    // The file's start that was in memory, the queue, the piece that is gathered, the receive buffer, and what the
    // network itself holds.
    let most = 256 * 1024 + MIB + 64 * 1024 + 256 * 1024 + 256 * 1024;
    assert!((MIB..=most + 10_000).contains(&sent), "{sent}");
    test.serves_others();
    assert_eq!(test.send(&mut client, &request[sent..]), 0, "it took more");
    drop(gate);
    let mut rest = &request[sent..];
    while !rest.is_empty() {
        let count = test.send(&mut client, rest);
        rest = &rest[count..];
    }
    assert!(test.receive(&mut client).ends_with("stored"));
    let received = std::mem::take(&mut *test.received.lock().unwrap());
    assert!(received == [large, b"little".to_vec(), other]);
    assert_eq!(test.faults(), "");
    // The connection goes on.
    test.send(&mut client, b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(test.receive(&mut client).ends_with("small"));
    test.end();
}

#[test]
fn a_form_that_has_arrived_waits_for_its_files() {
    let mut test = test("waiting-spill", MultipartLimits::default());
    let gate = test.stop_disk();
    let large = content(600_000);
    let request = form(&[&large]);
    let mut client = test.connect();
    assert_eq!(test.send(&mut client, &request), request.len());
    test.serves_others();
    assert!(test.received.lock().unwrap().is_empty(), "too early");
    // The client may end its side.
    client.shutdown_write();
    test.serves_others();
    drop(gate);
    assert!(test.receive(&mut client).ends_with("stored"));
    assert!(*test.received.lock().unwrap() == [large]);
    drop(client);
    test.poll();
    test.end();
}

#[test]
fn a_disk_that_writes_too_slowly_is_a_504() {
    // The first form is larger than the queue, the second fits.
    for length in [8 * MIB, 600_000] {
        let mut test = test("late-spill", MultipartLimits::default());
        let gate = test.stop_disk();
        let request = form(&[&content(length)]);
        let mut client = test.connect();
        test.send(&mut client, &request);
        for _ in 0..24 {
            test.network.advance(Duration::from_secs(1));
            test.poll();
        }
        assert_eq!(test.faults(), "");
        for _ in 0..3 {
            test.network.advance(Duration::from_secs(1));
            test.poll();
        }
        let response = test.receive(&mut client);
        assert!(response.starts_with("HTTP/1.1 504"), "{response}");
        assert!(test.faults().contains("the disk took too long"));
        drop(gate);
        drop(client);
        test.poll();
        test.end();
    }
}

#[test]
fn a_client_that_closes_in_the_middle_leaves_no_file() {
    for stops_first in [false, true] {
        let mut test = test("cut-spill", MultipartLimits::default());
        let request = form(&[&content(2 * MIB), &content(3 * MIB)]);
        let mut client = test.connect();
        let gate = stops_first.then(|| test.stop_disk());
        let mut sent = test.send(&mut client, &request[..4 * MIB]);
        while !stops_first && sent < 4 * MIB {
            sent += test.send(&mut client, &request[sent..4 * MIB]);
            std::thread::yield_now();
        }
        drop(client);
        for _ in 0..10 {
            test.poll();
        }
        drop(gate);
        // What the network still holds is read first.
        while test.server.metrics().open > 0 {
            test.poll();
            std::thread::yield_now();
        }
        assert!(test.received.lock().unwrap().is_empty());
        test.end();
    }
}

#[test]
fn limits_hold_while_the_worker_writes() {
    let defaults = MultipartLimits::default;
    for (limits, files, expected) in [
        (
            MultipartLimits {
                file_bytes: 2 * MIB as u64,
                ..defaults()
            },
            vec![MIB, 3 * MIB],
            "MultipartLimits::file_bytes",
        ),
        (
            MultipartLimits {
                total_bytes: 3 * MIB as u64,
                ..defaults()
            },
            vec![MIB, MIB, MIB],
            "MultipartLimits::total_bytes",
        ),
        (
            MultipartLimits {
                parts: 2,
                ..defaults()
            },
            vec![MIB, MIB, MIB],
            "MultipartLimits::parts",
        ),
    ] {
        let mut test = test("limited-spill", limits);
        let contents: Vec<_> = files.iter().map(|length| content(*length)).collect();
        let contents: Vec<_> = contents.iter().map(Vec::as_slice).collect();
        let mut client = test.connect();
        let response = test.exchange(&mut client, &form(&contents));
        assert!(response.starts_with("HTTP/1.1 413"), "{response}");
        assert!(test.faults().contains(expected), "{}", test.faults());
        drop(client);
        test.poll();
        assert!(test.received.lock().unwrap().is_empty());
        test.end();
    }
    // The cap on the whole content counts as well.
    let mut test = test("capped-spill", MultipartLimits::default());
    test.server.app.limits.body_bytes = MIB as u64;
    let mut client = test.connect();
    let response = test.exchange(&mut client, &form(&[&content(2 * MIB)]));
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    drop(client);
    test.poll();
    test.end();
}

#[test]
fn a_folder_that_does_not_exist_is_a_500_and_named() {
    let mut test = test("missing-spill", MultipartLimits::default());
    fs::remove_dir(&test.folder).unwrap();
    let mut client = test.connect();
    let response = test.exchange(&mut client, &form(&[&content(600_000)]));
    assert!(response.starts_with("HTTP/1.1 500"), "{response}");
    assert!(!response.contains("httpoll-missing-spill"), "{response}");
    let faults = test.faults();
    assert!(faults.contains(test.folder.to_str().unwrap()), "{faults}");
    assert!(faults.contains("could not open the file"), "{faults}");
    // Small files need no disk.
    let mut client = test.connect();
    test.send(&mut client, &form(&[b"little"]));
    assert!(test.receive(&mut client).ends_with("stored"));
    fs::create_dir(&test.folder).unwrap();
    drop(client);
    test.poll();
    test.end();
}

#[cfg(all(feature = "test-util", any(feature = "outbox", feature = "patch")))]
#[test]
fn a_full_disk_is_a_500_and_named() {
    let mut test = test("full-spill", MultipartLimits::default());
    let disk = test.server.app.disk.clone();
    disk.fail_at(Some(crate::error::DiskStep::Write));
    let mut client = test.connect();
    test.send(&mut client, &form(&[&content(8 * MIB)]));
    let response = test.receive(&mut client);
    assert!(response.starts_with("HTTP/1.1 500"), "{response}");
    let faults = test.faults();
    assert!(faults.contains(test.folder.to_str().unwrap()), "{faults}");
    assert!(faults.contains("could not write the file"), "{faults}");
    test.nothing_is_left();
    disk.fail_at(None);
    let mut client = test.connect();
    test.send(&mut client, &form(&[&content(600_000)]));
    assert!(test.receive(&mut client).ends_with("stored"));
    drop(client);
    test.poll();
    test.end();
}

#[test]
fn a_client_that_never_takes_everything_at_once_does_not_let_the_write_buffer_grow() {
    let mut test = test("slow-reader", MultipartLimits::default());
    test.server
        .route("GET", "/large", |_: &mut Request| {
            Response::content("application/octet-stream", content(8 * MIB))
        })
        .unwrap();
    test.network.set_capacity(100_000);
    let mut client = test.connect();
    test.send(&mut client, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut received, mut most) = (Vec::new(), 0);
    let mut buffer = vec![0; 50_000];
    while received.len() < 8 * MIB {
        test.poll();
        let connections = test.server.connections.iter();
        most = most.max(connections.map(|it| it.out.capacity()).max().unwrap());
        if let Ok(count) = client.read(&mut buffer) {
            received.extend_from_slice(&buffer[..count]);
        }
    }
    let head = received
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .unwrap();
    while received.len() < head + 4 + 8 * MIB {
        test.poll();
        let count = client.read(&mut buffer).unwrap_or(0);
        received.extend_from_slice(&buffer[..count]);
    }
    assert!(received[head + 4..] == content(8 * MIB));
    assert!(most <= 300 * 1024, "{most} bytes");
    drop(client);
    test.poll();
    test.end();
}
