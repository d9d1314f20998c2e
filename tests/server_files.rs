//! Files that the worker finds and reads: polls go on while the disk hangs, and nothing is lost when it fails. A
//! root of the test's own stands for a disk: it stops where the test wants it to.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use httpoll::Budget;
use httpoll::server::files::{
    Asset, AssetContent, AssetPath, AssetRoot, FolderRoot, Listed, StaticFiles,
};
use httpoll::server::{Request, Response, Server, ServerFault};

/// Fails a test that hangs, long before its runner does.
const NET: Duration = Duration::from_secs(60);

/// What the disk does next. Each step of the root waits for one.
enum Order {
    Go,
    Fail,
    Panic,
}

/// The test's end of a disk.
struct DiskControl {
    /// The names of the steps that have begun.
    begun: Receiver<&'static str>,
    orders: Sender<Order>,
}

/// What the root and its readers share.
struct Steps {
    begun: Sender<&'static str>,
    orders: Receiver<Order>,
}

#[derive(Clone)]
struct StoppingRoot(Arc<Mutex<Steps>>);

impl StoppingRoot {
    fn step(&self, name: &'static str) -> io::Result<()> {
        let steps = self.0.lock().unwrap();
        let _ = steps.begun.send(name);
        match steps.orders.recv_timeout(NET) {
            Ok(Order::Go) => Ok(()),
            Ok(Order::Fail) => Err(io::Error::other("the disk is on fire")),
            Ok(Order::Panic) => panic!("a fault of the root"),
            Err(_) => Err(io::Error::other("the test has ended")),
        }
    }
}

/// 300,000 bytes, in reads of 100,000.
struct StoppingFile {
    root: StoppingRoot,
    left: usize,
}

const LENGTH: usize = 300_000;

impl Read for StoppingFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.root.step("read")?;
        let count = into.len().min(100_000).min(self.left);
        into[..count].fill(b'x');
        self.left -= count;
        Ok(count)
    }
}

impl Drop for StoppingFile {
    fn drop(&mut self) {
        if let Ok(steps) = self.root.0.lock() {
            let _ = steps.begun.send("closed");
        }
    }
}

impl AssetRoot for StoppingRoot {
    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        if path.as_str() != "slow.bin" {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.step("open")?;
        Ok(Asset {
            length: LENGTH as u64,
            modified: None,
            etag: None,
            content: AssetContent::Sequential(Box::new(StoppingFile {
                root: self.clone(),
                left: LENGTH,
            })),
        })
    }

    fn is_dir(&self, _: &AssetPath) -> bool {
        false
    }

    fn list(&self, _: &AssetPath, _: usize) -> io::Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

struct Test {
    server: Server,
    disk: DiskControl,
    /// What `on_error` hooks got.
    faults: Arc<Mutex<Vec<String>>>,
}

fn test() -> Test {
    let (begun_sender, begun) = channel();
    let (orders, orders_receiver) = channel();
    let root = StoppingRoot(Arc::new(Mutex::new(Steps {
        begun: begun_sender,
        orders: orders_receiver,
    })));
    let mut server = Server::builder()
        .slow_handler(None)
        .bind("127.0.0.1:0")
        .unwrap();
    server.files(StaticFiles::new("/files", root).precompressed(false));
    server
        .route("GET", "/hello", |_: &mut Request| Response::text("hello"))
        .unwrap();
    let faults = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&faults);
    server.on_error(move |fault, _| {
        let text = match fault {
            ServerFault::Response(error) => error.to_string(),
            other => other.to_string(),
        };
        noted.lock().unwrap().push(text);
    });
    Test {
        server,
        disk: DiskControl { begun, orders },
        faults,
    }
}

impl Test {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.local_addr()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    }

    fn poll(&mut self) {
        self.server
            .poll_with(&Budget::frame(Duration::from_millis(1)))
            .unwrap();
    }

    /// Polls until the disk has begun this step. It then hangs.
    fn until_disk(&mut self, step: &str) {
        let limit = Instant::now() + NET;
        loop {
            self.poll();
            match self.disk.begun.try_recv() {
                Ok(begun) => {
                    assert_eq!(begun, step);
                    return;
                }
                Err(_) => assert!(Instant::now() < limit, "the disk does not {step}"),
            }
            std::thread::yield_now();
        }
    }

    /// Polls until `done`.
    fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let limit = Instant::now() + NET;
        while !done(self) {
            self.poll();
            assert!(Instant::now() < limit, "{:?}", self.faults);
            std::thread::yield_now();
        }
    }

    /// Polls until this many bytes of content, or the end of the connection, have arrived. Returns the head and
    /// the content.
    fn receive(&mut self, stream: &mut TcpStream, content: usize) -> (String, Vec<u8>) {
        let mut received = Vec::new();
        let mut buffer = vec![0; 100_000];
        let mut parts = None;
        self.until(|_| {
            let is_over = match stream.read(&mut buffer) {
                Ok(0) => true,
                Ok(count) => {
                    received.extend_from_slice(&buffer[..count]);
                    false
                }
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            let end = received.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else {
                assert!(!is_over, "no response");
                return false;
            };
            let head = String::from_utf8(received[..end].to_vec()).unwrap();
            let body = received[end + 4..].to_vec();
            let is_whole = is_over || body.len() >= content;
            parts = Some((head, body));
            is_whole
        });
        parts.unwrap()
    }

    fn faults(&self) -> String {
        self.faults.lock().unwrap().join("\n")
    }
}

#[test]
fn polls_go_on_while_the_disk_hangs() {
    let mut test = test();
    let mut slow = test.ask("/files/slow.bin");
    for step in ["open", "read", "read", "read", "read"] {
        test.until_disk(step);
        // The disk hangs now. Polls return, and other clients are served.
        for _ in 0..100 {
            test.poll();
        }
        let mut other = test.ask("/hello");
        let (head, body) = test.receive(&mut other, 5);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, b"hello");
        test.disk.orders.send(Order::Go).unwrap();
    }
    let (head, body) = test.receive(&mut slow, LENGTH);
    assert!(head.contains("300000"), "{head}");
    assert!(body == vec![b'x'; LENGTH]);
    test.until_disk("closed");
    // The connection goes on.
    write!(slow, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(test.receive(&mut slow, 5).1, b"hello");
    assert_eq!(test.faults(), "");
}

#[test]
fn a_file_that_does_not_exist_leads_on_to_the_handler() {
    let mut test = test();
    test.server
        .set_not_found_handler(|_: &mut Request, response: &mut Response| {
            response.set_status(404).set_body("nothing here");
        });
    let mut client = test.ask("/files/none.bin");
    let (head, body) = test.receive(&mut client, 12);
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert_eq!(body, b"nothing here");
}

#[test]
fn bytes_before_a_fault_arrive_and_the_fault_names_the_file() {
    let mut test = test();
    let mut client = test.ask("/files/slow.bin");
    test.until_disk("open");
    test.disk.orders.send(Order::Go).unwrap();
    test.until_disk("read");
    test.disk.orders.send(Order::Go).unwrap();
    test.until_disk("read");
    test.disk.orders.send(Order::Fail).unwrap();
    let (head, body) = test.receive(&mut client, LENGTH);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body == vec![b'x'; 100_000], "{}", body.len());
    let faults = test.faults();
    assert!(faults.contains("/files/slow.bin"), "{faults}");
    test.until_disk("closed");
}

#[test]
fn a_fault_before_the_first_byte_is_a_500() {
    for (opens, order) in [
        (true, Order::Fail),
        (true, Order::Panic),
        (false, Order::Fail),
        (false, Order::Panic),
    ] {
        let mut test = test();
        let mut client = test.ask("/files/slow.bin");
        test.until_disk("open");
        if opens {
            test.disk.orders.send(Order::Go).unwrap();
            test.until_disk("read");
        }
        let text = match order {
            Order::Panic => "a fault of the root",
            _ => "/files/slow.bin",
        };
        test.disk.orders.send(order).unwrap();
        let (head, _) = test.receive(&mut client, 0);
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
        let faults = test.faults();
        assert!(faults.contains(text), "{faults}");
        // The worker goes on.
        let mut again = test.ask("/files/none.bin");
        assert!(test.receive(&mut again, 1).0.starts_with("HTTP/1.1 404"));
    }
}

#[test]
fn a_client_that_leaves_while_a_read_hangs_is_forgotten() {
    let mut test = test();
    let client = test.ask("/files/slow.bin");
    test.until_disk("open");
    test.disk.orders.send(Order::Go).unwrap();
    test.until_disk("read");
    // Closing then resets the connection, as a killed client does.
    let linger = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
    linger.unwrap();
    drop(client);
    test.until(|test| test.server.metrics().open == 0);
    // The hanging read ends at last, and nothing more is read.
    test.disk.orders.send(Order::Go).unwrap();
    let next = test.disk.begun.recv_timeout(NET).unwrap();
    assert_eq!(next, "read", "the second read fills the same block");
    test.disk.orders.send(Order::Fail).unwrap();
    assert_eq!(test.disk.begun.recv_timeout(NET).unwrap(), "closed");
}

#[test]
fn a_shutdown_does_not_wait_for_a_hanging_disk_beyond_its_time() {
    let mut test = test();
    let mut client = test.ask("/files/slow.bin");
    test.until_disk("open");
    test.server.shutdown(Duration::from_secs(5));
    for _ in 0..3 {
        test.poll();
    }
    assert!(!test.server.is_closed(), "the response is still under way");
    // Each poll is a second later.
    let mut now = Instant::now();
    for _ in 0..10 {
        now += Duration::from_secs(1);
        test.server.poll_at(now, &Budget::unlimited()).unwrap();
    }
    assert!(test.server.is_closed());
    let mut rest = Vec::new();
    client.set_nonblocking(false).unwrap();
    let _ = client.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    // Dropping the server does not wait for the disk either, and the worker ends when it can.
    drop(test.server);
    test.disk.orders.send(Order::Go).unwrap();
    assert_eq!(test.disk.begun.recv_timeout(NET).unwrap(), "closed");
}

#[test]
fn a_shutdown_lets_a_file_that_is_being_read_arrive() {
    let mut test = test();
    let mut client = test.ask("/files/slow.bin");
    test.until_disk("open");
    test.server.shutdown(Duration::from_secs(50));
    test.disk.orders.send(Order::Go).unwrap();
    for _ in 0..4 {
        test.until_disk("read");
        test.disk.orders.send(Order::Go).unwrap();
    }
    let (_, body) = test.receive(&mut client, LENGTH);
    assert!(body == vec![b'x'; LENGTH]);
    drop(client);
    test.until(|test| test.server.is_closed());
}

#[test]
fn a_disk_that_is_too_slow_is_a_504_or_ends_the_response() {
    for reads in [false, true] {
        let mut test = test();
        let mut client = test.ask("/files/slow.bin");
        test.until_disk("open");
        if reads {
            test.disk.orders.send(Order::Go).unwrap();
            // Three reads fill the first block; the fourth hangs.
            for _ in 0..3 {
                test.until_disk("read");
                test.disk.orders.send(Order::Go).unwrap();
            }
            test.until_disk("read");
        }
        let (mut now, mut received, mut buffer) = (Instant::now(), Vec::new(), vec![0; 300_000]);
        for _ in 0..40 {
            now += Duration::from_secs(1);
            test.server.poll_at(now, &Budget::unlimited()).unwrap();
            let count = client.read(&mut buffer).unwrap_or(0);
            received.extend_from_slice(&buffer[..count]);
        }
        // Polls at a time to come do not wait for it.
        assert!(
            Instant::now() < now,
            "the polls took as long as their times say"
        );
        let faults = test.faults();
        assert!(faults.contains("the disk took too long"), "{faults}");
        let expected = if reads {
            "HTTP/1.1 200"
        } else {
            "HTTP/1.1 504"
        };
        assert!(received.starts_with(expected.as_bytes()));
    }
}

/// A folder that is removed with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("httpoll-server-files-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_arrives_up_to_its_new_end() {
    const BEFORE: u64 = 64 * 1024 * 1024;
    const AFTER: u64 = 32 * 1024 * 1024;
    let folder = Folder::new("shrinks");
    let path = folder.0.join("big.bin");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(BEFORE).unwrap();
    for is_static in [true, false] {
        file.set_len(BEFORE).unwrap();
        let mut test = test();
        let root = FolderRoot::new(&folder.0).unwrap();
        test.server.files(StaticFiles::new("/disk", root));
        let named = path.clone();
        test.server
            .route("GET", "/path", move |_: &mut Request| {
                Response::file(&named)
            })
            .unwrap();
        let mut client = test.ask(if is_static { "/disk/big.bin" } else { "/path" });
        // The response has begun, and what fits into buffers is on its way.
        test.until(|test| test.server.metrics().bytes_sent > 0);
        file.set_len(AFTER).unwrap();
        let (mut count, mut head) = (0, Vec::new());
        let mut buffer = vec![0; 1 << 20];
        test.until(|_| match client.read(&mut buffer) {
            Ok(0) => true,
            Ok(more) => {
                if head.len() < 2000 {
                    head.extend_from_slice(&buffer[..more.min(2000)]);
                }
                count += more as u64;
                false
            }
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        });
        let end = head
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        assert_eq!(count - end as u64, AFTER);
        let faults = test.faults();
        assert!(faults.contains("big.bin"), "{faults}");
        assert!(faults.contains("expected 67108864 bytes"), "{faults}");
    }
}

#[test]
fn a_response_whose_file_cannot_be_opened_is_a_500() {
    let mut test = test();
    let folder = Folder::new("missing");
    let missing = folder.0.join("missing.txt");
    for (path, file) in [("/missing", missing), ("/directory", folder.0.clone())] {
        let route = move |_: &mut Request| Response::file(&file);
        test.server.route("GET", path, route).unwrap();
        let mut client = test.ask(path);
        let (head, _) = test.receive(&mut client, 1);
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
    }
    let faults = test.faults();
    assert!(faults.contains("missing.txt"), "{faults}");
}
