//! Files that are sent.

use std::io::{self, Read};

use super::*;
use crate::transport::disk::worker::lock;

const PIECE: usize = 256 * 1024;

fn opened(disk: &Disk, path: &Path) -> (UploadFile, u64) {
    let mut file = UploadFile::open(disk, path);
    settle(disk);
    let length = file.poll_opened().unwrap().unwrap();
    (file, length)
}

/// Reads to the end in portions, and lets the worker run whenever there is nothing to read.
fn read_all(disk: &Disk, file: &mut UploadFile, portion: usize) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; portion]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => settle(disk),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn a_file_is_read_whole() {
    on_both(|disk, folder| {
        let path = folder.join("file.bin");
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 9 * PIECE + 7] {
            let bytes = content(length);
            fs::write(&path, &bytes).unwrap();
            for portion in [777, 16 * 1024, 2 * PIECE] {
                let (mut file, announced) = opened(disk, &path);
                assert_eq!(announced, length as u64);
                assert!(read_all(disk, &mut file, portion).unwrap() == bytes);
                // The end stays.
                assert_eq!(file.read(&mut [0; 9]).unwrap(), 0);
                assert_eq!(file.poll_fault(), None);
                assert_eq!(file.poll_opened(), Some(Ok(length as u64)));
            }
        }
    });
}

#[test]
fn an_upload_file_can_be_the_content_of_a_request() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    fs::write(folder.join("file.bin"), b"content").unwrap();
    let (file, length) = opened(&disk, &folder.join("file.bin"));
    let _body = crate::node::RequestBody::reader(file, Some(length));
}

#[test]
fn only_a_few_pieces_are_read_ahead() {
    on_both(|disk, folder| {
        let path = folder.join("file.bin");
        let bytes = content(20 * PIECE);
        fs::write(&path, &bytes).unwrap();
        let (mut file, _) = opened(disk, &path);
        // What was read ahead can be read without the disk, and no more than that.
        let handle = disk.shared();
        *lock(&handle.failing) = Some((DiskStep::Read, io::ErrorKind::StorageFull));
        let mut buffer = vec![0; PIECE];
        for n in 0..4 {
            assert_eq!(file.read(&mut buffer).unwrap(), PIECE);
            assert!(buffer == bytes[n * PIECE..][..PIECE]);
        }
        settle(disk);
        assert!(file.poll_fault().is_some());
        let error = file.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        *lock(&handle.failing) = None;
    });
}

#[test]
fn a_file_that_shrinks_is_a_fault() {
    on_both(|disk, folder| {
        let path = folder.join("file.bin");
        fs::write(&path, content(8 * PIECE)).unwrap();
        let (mut file, _) = opened(disk, &path);
        let short = 5 * PIECE + 9;
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(short as u64)
            .unwrap();
        let error = read_all(disk, &mut file, PIECE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let mismatch = DiskFault::SizeMismatch {
            expected: 8 * PIECE as u64,
            found: short as u64,
        };
        assert_eq!(file.poll_fault(), Some(mismatch));
    });
}

#[test]
fn appended_bytes_are_not_sent() {
    on_both(|disk, folder| {
        use std::io::Write;
        let path = folder.join("file.bin");
        let bytes = content(8 * PIECE);
        fs::write(&path, &bytes).unwrap();
        let (mut file, _) = opened(disk, &path);
        let mut appended = fs::File::options().append(true).open(&path).unwrap();
        appended.write_all(b"more").unwrap();
        assert!(read_all(disk, &mut file, PIECE).unwrap() == bytes);
    });
}

#[test]
fn files_that_cannot_be_sent_are_faults() {
    on_both(|disk, folder| {
        let fault = |path: &Path| {
            let mut file = UploadFile::open(disk, path);
            settle(disk);
            let fault = file.poll_opened().unwrap().unwrap_err();
            assert_eq!(file.poll_fault(), Some(fault));
            let error = file.read(&mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), fault.io_kind());
            fault
        };
        let missing = fault(&folder.join("missing"));
        assert_eq!(missing.io_kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().starts_with("could not open the file: "));
        assert_eq!(fault(&folder.0), DiskFault::NotAFile);
        assert_eq!(fault(Path::new("")), DiskFault::NoFileName);
        #[cfg(unix)]
        assert_eq!(fault(Path::new("/dev/null")), DiskFault::NotAFile);
    });
}

#[test]
fn a_read_without_data_would_block_and_wakes_later() {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    let folder = Folder::new();
    fs::write(folder.join("file.bin"), b"content").unwrap();
    let (woken_sender, woken) = channel();
    let (gate, waiting) = channel();
    let ends = Mutex::new((woken_sender, waiting));
    let disk = Disk::new(Arc::new(move || {
        let ends = ends.lock().unwrap();
        let _ = ends.0.send(());
        let _ = ends.1.recv_timeout(NET);
    }));
    let mut file = UploadFile::open(&disk, &folder.join("file.bin"));
    woken.recv_timeout(NET).unwrap();
    // The file is open, and the worker is stopped.
    assert_eq!(file.poll_opened(), Some(Ok(7)));
    let error = file.read(&mut [0; 9]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(file.read(&mut []).unwrap(), 0);
    gate.send(()).unwrap();
    woken.recv_timeout(NET).unwrap();
    let mut buffer = [0; 9];
    assert_eq!(file.read(&mut buffer).unwrap(), 7);
    assert_eq!(&buffer[..7], b"content");
    gate.send(()).unwrap();
}

#[test]
fn dropping_an_upload_closes_the_file() {
    on_both(|disk, folder| {
        fs::write(folder.join("file.bin"), content(9 * PIECE)).unwrap();
        for settled in [false, true] {
            let file = UploadFile::open(disk, &folder.join("file.bin"));
            if settled {
                settle(disk);
            }
            drop(file);
            settle(disk);
        }
    });
}
