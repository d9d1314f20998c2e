//! The worker: its thread, turns, memory and end. A waker that waits at a gate stops the worker.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A disk whose worker stops at each wake until the gate opens.
struct Gated {
    disk: Disk,
    woken: Receiver<()>,
    gate: Sender<()>,
}

fn gated() -> Gated {
    let (sender, woken) = channel();
    let (gate, waiting) = channel();
    let ends: Mutex<(Sender<()>, Receiver<()>)> = Mutex::new((sender, waiting));
    let disk = Disk::new(Arc::new(move || {
        let ends = ends.lock().unwrap();
        let _ = ends.0.send(());
        let _ = ends.1.recv_timeout(NET);
    }));
    Gated { disk, woken, gate }
}

impl Gated {
    fn wait(&self) {
        self.woken.recv_timeout(NET).unwrap();
    }

    fn go_on(&self) {
        self.gate.send(()).unwrap();
    }

    /// Lets the worker finish everything before the folder is removed.
    fn end(self) {
        drop(self.gate);
        settle(&self.disk);
    }

    /// A download whose worker is stopped.
    fn held(&self, plan: FilePlan) -> DownloadFile {
        let file = DownloadFile::open(&self.disk, plan);
        self.wait();
        file
    }
}

const PIECE: usize = 256 * 1024;

#[test]
fn a_slow_disk_neither_fills_memory_nor_blocks_the_owner() {
    let (slow, folder) = (gated(), Folder::new());
    let mut file = slow.held(plain(folder.join("file.bin")));
    file.begin(0, None, None);
    let piece = Bytes::from(content(PIECE));
    let mut queued = 0;
    while file.room() >= PIECE {
        file.write(piece.clone());
        queued += PIECE;
    }
    assert!((3 << 20..=4 << 20).contains(&queued), "{queued}");
    let rest = file.room();
    assert!(rest > 0);
    file.write(piece.slice(..rest));
    assert_eq!(file.room(), 0);
    // Bytes beyond the limit are not lost either.
    file.write(piece.clone());
    assert_eq!(file.room(), 0);
    assert_eq!(file.written(), 0);
    slow.go_on();
    // The owner found little space, so it is woken when half of the queue is free.
    slow.wait();
    assert!(file.room() >= 2 << 20);
    assert!(file.written() > 0);
    slow.go_on();
    file.commit();
    slow.wait();
    let committed = file.poll_committed().unwrap().unwrap();
    assert_eq!(committed.bytes, (queued + rest + PIECE) as u64);
    slow.end();
}

#[test]
fn queued_pieces_count_more_than_their_bytes() {
    let (slow, folder) = (gated(), Folder::new());
    let mut file = slow.held(plain(folder.join("file.bin")));
    let mut pieces = 0;
    while file.room() > 0 {
        file.write(Bytes::from_static(b"x"));
        pieces += 1;
    }
    assert!(pieces < 70_000, "{pieces}");
    drop(file);
    slow.end();
}

#[test]
fn many_downloads_share_the_queue_limit() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    let files: Vec<_> = (0..128)
        .map(|n| open(&disk, plain(folder.join(&n.to_string()))).0)
        .collect();
    let room = files[0].room();
    assert!((400_000..=512 * 1024).contains(&room), "{room}");
    let last = files.into_iter().next_back().unwrap();
    assert!(last.room() > 4_000_000);
}

#[test]
fn dropping_discards_queued_bytes() {
    let (slow, folder) = (gated(), Folder::new());
    let mut file = slow.held(plain(folder.join("file.bin")));
    file.begin(0, None, None);
    let owner = Arc::new(content(1000));
    struct Shared(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    file.write(Bytes::from_owner(Shared(Arc::clone(&owner))));
    file.commit();
    assert_eq!(Arc::strong_count(&owner), 2);
    drop(file);
    // Freed although the disk is stopped.
    assert_eq!(Arc::strong_count(&owner), 1);
    assert!(!slow.disk.is_idle());
    assert!(!slow.disk.drain(Duration::ZERO));
    slow.end();
    assert!(folder.names().is_empty());
}

#[test]
fn a_dropped_download_frees_its_target_at_once() {
    let (slow, folder) = (gated(), Folder::new());
    let mut file = slow.held(plain(folder.join("file.bin")));
    file.begin(0, None, None);
    file.write(Bytes::from(content(PIECE)));
    drop(file);
    // The worker has not started yet, and will find both in order.
    let mut next = DownloadFile::open(&slow.disk, plain(folder.join("file.bin")));
    slow.go_on();
    slow.wait();
    assert!(next.poll_opened().unwrap().is_ok());
    drop(next);
    slow.end();
}

#[test]
fn a_suspended_download_does_not_wait_for_the_target_of_another_program() {
    let (slow, folder) = (gated(), Folder::new());
    let target = folder.join("file.bin");
    let (other, _) = open(&Disk::inline(), kept(target.clone()));
    let first = slow.held(plain(folder.join("first.bin")));
    // The worker is stopped, so this one is suspended before it is open.
    DownloadFile::open(&slow.disk, kept(target)).suspend();
    drop(first);
    slow.end();
    drop(other);
    assert!(folder.names().is_empty());
}

#[test]
fn a_small_file_does_not_wait_for_a_large_one() {
    let (slow, folder) = (gated(), Folder::new());
    let mut large = slow.held(plain(folder.join("large")));
    large.begin(0, None, None);
    for _ in 0..64 {
        large.write(Bytes::from(content(PIECE)));
    }
    let mut small = DownloadFile::open(&slow.disk, plain(folder.join("small")));
    small.write(Bytes::from_static(b"small"));
    small.commit();
    slow.go_on();
    slow.wait();
    slow.go_on();
    slow.wait();
    assert_eq!(small.poll_committed().unwrap().unwrap().bytes, 5);
    assert!(large.written() < 8 * PIECE as u64);
    drop(large);
    slow.end();
}

#[test]
fn a_hundred_downloads_at_once() {
    on_both(|disk, folder| {
        let bytes = content(50_000);
        let mut files: Vec<_> = (0..100)
            .map(|n| {
                let plan = if n % 2 == 0 { plain } else { kept };
                DownloadFile::open(disk, plan(folder.join(&format!("{}/{n}", n % 7))))
            })
            .collect();
        for (n, file) in files.iter_mut().enumerate() {
            file.begin(0, None, None);
            write(file, &bytes[n..]);
        }
        for (n, file) in files.iter_mut().enumerate() {
            if n % 10 != 9 {
                file.commit();
            }
        }
        settle(disk);
        for (n, file) in files.iter_mut().enumerate() {
            let path = folder.join(&format!("{}/{n}", n % 7));
            if n % 10 == 9 {
                assert_eq!(file.poll_committed(), None);
                assert!(!path.exists());
            } else {
                let committed = file.poll_committed().unwrap().unwrap();
                assert_eq!(committed.bytes, (bytes.len() - n) as u64);
                assert!(read(&path) == bytes[n..]);
            }
        }
    });
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let folder = Folder::new();
    let (alive, ended) = channel::<()>();
    let alive = Mutex::new(alive);
    let disk = Disk::new(Arc::new(move || drop(alive.lock().unwrap().clone())));
    let mut file = DownloadFile::open(&disk, plain(folder.join("file.bin")));
    // The files keep the thread, ...
    drop(disk);
    file.begin(0, None, None);
    file.write(Bytes::from_static(b"content"));
    // ... and their remaining work is done before it ends.
    drop(file);
    assert_eq!(
        ended.recv_timeout(NET),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
    assert!(folder.names().is_empty());
}

#[test]
fn an_unused_disk_starts_no_thread() {
    let (alive, ended) = channel::<()>();
    let alive = Mutex::new(alive);
    let disk = Disk::new(Arc::new(move || drop(alive.lock().unwrap().clone())));
    assert!(disk.is_idle());
    assert!(disk.drain(NET));
    drop(disk);
    // Dropped on this thread, so no other thread shared it.
    assert_eq!(
        ended.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Disconnected)
    );
}

#[test]
fn a_waker_that_panics_stops_nothing() {
    let folder = Folder::new();
    let disk = Disk::new(Arc::new(|| panic!("on purpose")));
    for _ in 0..2 {
        download(&disk, plain(folder.join("file.bin")), b"content").unwrap();
    }
}
