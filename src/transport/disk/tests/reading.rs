//! How much readers hold, alone and together, and that none of them starves.

use std::io::{self, Read};

use super::*;
use crate::transport::disk::read_memory::{BLOCK, LEAST_BLOCK, MOST_HELD, MOST_TOGETHER};

fn held(disk: &Disk) -> usize {
    disk.shared().read_memory.held()
}

fn files(folder: &Folder, count: usize, length: usize) -> Vec<PathBuf> {
    let bytes = content(length);
    let paths: Vec<_> = (0..count)
        .map(|n| folder.join(&format!("{n}.bin")))
        .collect();
    for path in &paths {
        fs::write(path, &bytes).unwrap();
    }
    paths
}

/// Reads once. `None`: nothing is there yet.
fn read_some(file: &mut UploadFile, buffer: &mut [u8]) -> Option<usize> {
    match file.read(buffer) {
        Ok(count) => Some(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn one_file_holds_no_more_than_its_limit() {
    on_both(|disk, folder| {
        let paths = files(folder, 1, 20 * BLOCK);
        let mut file = UploadFile::open(disk, &paths[0]);
        let mut buffer = vec![0; 10_000];
        let mut count = 0;
        while count < 20 * BLOCK {
            settle(disk);
            assert!(held(disk) <= MOST_HELD, "{}", held(disk));
            count += read_some(&mut file, &mut buffer).unwrap_or(0);
        }
        drop(file);
        settle(disk);
        assert_eq!(held(disk), 0);
    });
}

#[test]
fn many_files_share_the_memory_and_none_starves() {
    on_both(|disk, folder| {
        let length = 3 * BLOCK;
        let paths = files(folder, 100, length);
        // The first ones are there before the share gets smaller, and nobody takes what they read.
        let mut idle: Vec<_> = paths[..20]
            .iter()
            .map(|path| UploadFile::open(disk, path))
            .collect();
        settle(disk);
        let most = MOST_TOGETHER + paths.len() * 3 * LEAST_BLOCK;
        assert!(held(disk) <= most, "{}", held(disk));
        let mut busy: Vec<_> = paths[20..]
            .iter()
            .map(|path| (UploadFile::open(disk, path), 0))
            .collect();
        let mut buffer = vec![0; 50_000];
        let mut rounds = 0;
        while busy.iter().any(|(_, count)| *count < length) {
            settle(disk);
            assert!(held(disk) <= most, "{}", held(disk));
            for (file, count) in &mut busy {
                if *count < length {
                    // Each gets something in each round, although the others hold most of the memory.
                    *count += read_some(file, &mut buffer).unwrap();
                }
            }
            rounds += 1;
        }
        assert!(rounds < 200, "{rounds}");
        for file in &mut idle {
            assert!(read_some(file, &mut buffer).unwrap() > 0);
        }
        drop((idle, busy));
        settle(disk);
        assert_eq!(held(disk), 0);
    });
}

#[cfg(feature = "multipart")]
#[test]
fn a_file_that_is_read_later_holds_nothing_until_then() {
    on_both(|disk, folder| {
        let path = &files(folder, 1, 100)[0];
        let mut file = UploadFile::open_unread(disk, path);
        settle(disk);
        assert_eq!(file.poll_opened(), Some(Ok(100)));
        assert_eq!(held(disk), 0);
        let mut buffer = [0; 200];
        assert_eq!(read_some(&mut file, &mut buffer).unwrap_or(0), 0);
        settle(disk);
        assert_eq!(read_some(&mut file, &mut buffer), Some(100));
    });
}

#[cfg(feature = "multipart")]
#[test]
fn bytes_before_a_fault_are_delivered() {
    on_both(|disk, folder| {
        let path = &files(folder, 1, 8 * BLOCK)[0];
        let mut file = UploadFile::open_unread(disk, path);
        settle(disk);
        let short = 5 * BLOCK + 9;
        let shrunk = fs::File::options().write(true).open(path).unwrap();
        shrunk.set_len(short as u64).unwrap();
        let (mut all, mut buffer) = (Vec::new(), vec![0; 40_000]);
        let error = loop {
            match file.read(&mut buffer) {
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => settle(disk),
                Err(error) => break error,
            }
        };
        assert!(all == content(8 * BLOCK)[..short]);
        let text = error.to_string();
        assert_eq!(
            text,
            format!("expected {} bytes but found {short}", 8 * BLOCK)
        );
        // It stays.
        assert_eq!(file.read(&mut buffer).unwrap_err().to_string(), text);
    });
}

#[test]
fn a_file_that_is_removed_while_it_is_read_is_read_to_its_end() {
    // Windows refuses to remove an open file.
    if cfg!(windows) {
        return;
    }
    on_both(|disk, folder| {
        let path = &files(folder, 1, 8 * BLOCK)[0];
        let mut file = UploadFile::open(disk, path);
        settle(disk);
        fs::remove_file(path).unwrap();
        let (mut count, mut buffer) = (0, vec![0; 40_000]);
        while count < 8 * BLOCK {
            match read_some(&mut file, &mut buffer) {
                Some(more) => count += more,
                None => settle(disk),
            }
        }
    });
}

#[test]
fn no_thread_starts_before_the_first_file() {
    let (disk, folder) = (threaded(), Folder::new());
    assert!(!disk.has_started());
    drop(UploadFile::open(&disk, &folder.join("missing")));
    assert!(disk.has_started());
    settle(&disk);
}
