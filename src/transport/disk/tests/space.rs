//! A full disk: what fails, what is removed, and what goes on.

use std::io;

use super::*;
use crate::transport::disk::worker::lock;

fn full(step: DiskStep) -> DiskFault {
    DiskFault::Io {
        step,
        kind: io::ErrorKind::StorageFull,
        os_error: None,
    }
}

fn set_capacity(disk: &Disk, bytes: u64) {
    *lock(&disk.shared().capacity) = Some(bytes);
}

#[test]
fn a_part_file_that_fills_the_disk_is_removed_although_it_was_to_be_kept() {
    on_both(|disk, folder| {
        set_capacity(disk, 1_000);
        let (mut file, _) = open(disk, kept(folder.join("large.bin")));
        file.begin(0, version("\"1\""), Some(5_000));
        for _ in 0..10 {
            write(&mut file, &content(300));
        }
        settle(disk);
        assert_eq!(file.poll_fault(), Some(full(DiskStep::Write)));
        assert!(folder.names().is_empty(), "{:?}", folder.names());
        // There is space for a small one again.
        download(disk, plain(folder.join("small.bin")), &content(900)).unwrap();
        assert_eq!(folder.names(), ["small.bin"]);
    });
}

#[test]
fn each_step_that_finds_the_disk_full_leaves_no_part_file() {
    on_both(|disk, folder| {
        for step in [
            DiskStep::Truncate,
            DiskStep::Write,
            DiskStep::Sync,
            DiskStep::WriteSidecar,
            DiskStep::Rename,
        ] {
            *lock(&disk.shared().failing) = Some((step, io::ErrorKind::StorageFull));
            let outcome = download(disk, kept(folder.join("file.bin")), b"content");
            assert_eq!(outcome, Err(full(step)));
            assert!(folder.names().is_empty(), "{step:?} {:?}", folder.names());
            *lock(&disk.shared().failing) = None;
        }
    });
}

#[test]
fn a_large_download_is_given_up_for_the_small_ones_beside_it() {
    on_both(|disk, folder| {
        set_capacity(disk, 1_000);
        let (mut large, _) = open(disk, kept(folder.join("large.bin")));
        large.begin(0, version("\"1\""), Some(5_000));
        write(&mut large, &content(700));
        settle(disk);
        assert_eq!(large.poll_fault(), None);
        // The small ones find the disk full, one after the other.
        for name in ["first.bin", "second.bin"] {
            let bytes = content(400);
            download(disk, kept(folder.join(name)), &bytes).unwrap();
            assert!(read(&folder.join(name)) == bytes);
        }
        assert_eq!(large.poll_fault(), Some(full(DiskStep::Write)));
        assert_eq!(folder.names(), ["first.bin", "second.bin"]);
    });
}

#[test]
fn a_small_download_is_not_given_up_for_a_larger_one() {
    on_both(|disk, folder| {
        set_capacity(disk, 1_000);
        let (mut small, _) = open(disk, plain(folder.join("small.bin")));
        small.begin(0, None, None);
        write(&mut small, &content(400));
        settle(disk);
        let outcome = download(disk, plain(folder.join("large.bin")), &content(4_000));
        assert_eq!(outcome, Err(full(DiskStep::Write)));
        commit(disk, &mut small).unwrap();
        assert_eq!(folder.names(), ["small.bin"]);
    });
}

#[cfg(feature = "sha256")]
mod existing {
    use super::*;

    fn wanted(target: PathBuf, bytes: &[u8]) -> FilePlan {
        FilePlan {
            sha256: Some(sha256(bytes)),
            skip_existing: true,
            ..plain(target)
        }
    }

    #[test]
    fn a_target_with_the_right_size_and_digest_is_the_result() {
        on_both(|disk, folder| {
            // More than one turn of the worker, and a multiple of its length.
            for length in [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 7] {
                let bytes = content(length);
                let target = folder.join("pack");
                fs::write(&target, &bytes).unwrap();
                let plan = FilePlan {
                    expected_size: Some(length as u64),
                    ..wanted(target.clone(), &bytes)
                };
                let (mut file, resumable) = open(disk, plan);
                assert_eq!(resumable, Resumable::default());
                assert!(file.is_present());
                let committed = file.poll_committed().unwrap().unwrap();
                assert_eq!(committed.path, target);
                assert_eq!(committed.bytes, length as u64);
                assert_eq!(committed.sha256, Some(sha256(&bytes)));
                drop(file);
                settle(disk);
                assert_eq!(folder.names(), ["pack"]);
            }
        });
    }

    #[test]
    fn any_other_target_is_downloaded() {
        on_both(|disk, folder| {
            let bytes = content(1_000);
            let mut other = bytes.clone();
            other[999] ^= 1;
            let right = |target| FilePlan {
                expected_size: Some(1_000),
                ..wanted(target, &bytes)
            };
            let not_asked = |target| FilePlan {
                skip_existing: false,
                ..right(target)
            };
            let no_digest = |target| FilePlan {
                sha256: None,
                ..right(target)
            };
            type Plan<'a> = &'a dyn Fn(PathBuf) -> FilePlan;
            let cases: [(Plan, Option<&[u8]>); 6] = [
                (&right, None),
                (&right, Some(&other)),
                (&right, Some(&bytes[..999])),
                (&right, Some(b"")),
                (&not_asked, Some(&bytes)),
                (&no_digest, Some(&bytes)),
            ];
            for (index, (plan, present)) in cases.into_iter().enumerate() {
                let target = folder.join("pack");
                let _ = fs::remove_file(&target);
                if let Some(present) = present {
                    fs::write(&target, present).unwrap();
                }
                let (mut file, _) = open(disk, plan(target.clone()));
                assert!(!file.is_present(), "{index}");
                file.begin(0, None, None);
                write(&mut file, &bytes);
                commit(disk, &mut file).unwrap();
                assert!(read(&target) == bytes);
            }
        });
    }

    #[test]
    fn a_download_that_is_dropped_while_it_compares_leaves_the_target() {
        on_both(|disk, folder| {
            let bytes = content(3 * 1024 * 1024);
            let target = folder.join("pack");
            fs::write(&target, &bytes).unwrap();
            drop(DownloadFile::open(disk, wanted(target.clone(), &bytes)));
            let file = DownloadFile::open(disk, wanted(target.clone(), &bytes));
            file.suspend();
            settle(disk);
            assert_eq!(folder.names(), ["pack"]);
            assert!(read(&target) == bytes);
        });
    }
}
