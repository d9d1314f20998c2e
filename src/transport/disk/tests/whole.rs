//! Successful downloads, and checks of the finished content.

use super::*;

#[test]
fn content_becomes_the_file() {
    on_both(|disk, folder| {
        for length in [0, 1, 4096, 300_000, 5_000_000] {
            let (bytes, target) = (content(length), folder.join("file.bin"));
            let (mut file, resumable) = open(disk, plain(target.clone()));
            assert_eq!(resumable, Resumable::default());
            assert!(file.poll_opened().is_none(), "reported once");
            file.begin(0, version("\"1\""), Some(length as u64));
            write(&mut file, &bytes);
            settle(disk);
            assert_eq!(file.written(), length as u64);
            assert_eq!(file.length(), length as u64);
            assert_eq!(file.poll_committed(), None);
            let committed = commit(disk, &mut file).unwrap();
            assert_eq!(committed.path, target);
            assert_eq!(committed.bytes, length as u64);
            assert_eq!(committed.sha256, None);
            assert_eq!(file.poll_committed(), None, "reported once");
            assert_eq!(file.poll_fault(), None);
            drop(file);
            settle(disk);
            assert!(read(&target) == bytes);
            assert_eq!(folder.names(), ["file.bin"]);
        }
    });
}

#[test]
fn a_resumable_download_leaves_only_the_file() {
    on_both(|disk, folder| {
        let bytes = content(10_000);
        download(disk, kept(folder.join("file.bin")), &bytes).unwrap();
        assert!(read(&folder.join("file.bin")) == bytes);
        assert_eq!(folder.names(), ["file.bin"]);
    });
}

#[test]
fn commands_need_not_wait_for_each_other() {
    on_both(|disk, folder| {
        let mut file = DownloadFile::open(disk, plain(folder.join("file.bin")));
        file.write(Bytes::from_static(b"without begin"));
        file.commit();
        settle(disk);
        assert!(file.poll_opened().unwrap().is_ok());
        assert_eq!(file.length(), 13);
        assert_eq!(file.poll_committed().unwrap().unwrap().bytes, 13);
        // All of these calls are too late and do nothing.
        file.begin(0, None, None);
        file.write(Bytes::from_static(b"more"));
        file.commit();
        file.suspend();
        settle(disk);
        assert_eq!(read(&folder.join("file.bin")), b"without begin");
        assert_eq!(folder.names(), ["file.bin"]);
    });
}

#[test]
fn parent_folders_are_made() {
    on_both(|disk, folder| {
        let target = folder.join("a/b/../c/file.bin");
        download(disk, plain(target.clone()), b"content").unwrap();
        assert_eq!(read(&target), b"content");
        assert_eq!(read(&folder.join("a/c/file.bin")), b"content");
    });
}

#[test]
fn an_existing_file_stays_until_the_end() {
    on_both(|disk, folder| {
        for plan in [plain, kept] {
            let target = folder.join("file.bin");
            fs::write(&target, b"old").unwrap();
            let (mut file, _) = open(disk, plan(target.clone()));
            file.begin(0, None, None);
            settle(disk);
            assert_eq!(read(&target), b"old");
            file.write(Bytes::from_static(b"new content"));
            settle(disk);
            assert_eq!(read(&target), b"old");
            commit(disk, &mut file).unwrap();
            assert_eq!(read(&target), b"new content");
        }
    });
}

#[test]
fn the_part_of_a_plain_download_has_an_unpredictable_name() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (_file, _) = open(&disk, plain(folder.join("file.bin")));
        let names = folder.names();
        assert_eq!(names.len(), 1);
        assert!(names[0].starts_with(".file.bin."), "{names:?}");
        assert!(names[0].ends_with(".part"), "{names:?}");
        assert_eq!(names[0].len(), ".file.bin.".len() + 16 + ".part".len());
        assert!(!seen.contains(&names[0]));
        seen.extend(names);
    }
}

#[test]
fn a_name_as_long_as_the_file_system_takes_will_do() {
    on_both(|disk, folder| {
        let target = folder.join(&"ä".repeat(125));
        download(disk, plain(target.clone()), b"content").unwrap();
        assert_eq!(read(&target), b"content");
    });
}

/// Programs on Windows must say that they take more than 260 characters, or ask for it in each call.
#[test]
fn paths_longer_than_windows_likes_will_do() {
    on_both(|disk, folder| {
        let bytes = content(100);
        let deep = ["f".repeat(120), "g".repeat(120), "h".repeat(120)];
        let target = deep
            .iter()
            .fold(folder.join("deep"), |it, name| it.join(name));
        for plan in [plain(target.clone()), kept(target.clone())] {
            assert!(target.as_os_str().len() > 360);
            download(disk, plan, &bytes).unwrap();
            assert_eq!(read(&target), bytes);
            fs::remove_file(&target).unwrap();
            let (mut file, _) = open(disk, kept(target.clone()));
            file.begin(0, version("\"1\""), Some(100));
            write(&mut file, &bytes[..60]);
            settle(disk);
            drop(file);
            settle(disk);
            let (file, resumable) = open(disk, kept(target.clone()));
            assert_eq!(resumable.offset, 60);
            drop(file);
            let mut file = DownloadFile::open(disk, kept(target.clone()));
            file.begin(60, version("\"1\""), Some(100));
            write(&mut file, &bytes[60..]);
            commit(disk, &mut file).unwrap();
            assert_eq!(read(&target), bytes);
            fs::remove_file(&target).unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn links_are_replaced_and_never_followed() {
    use std::os::unix::fs::symlink;
    on_both(|disk, folder| {
        let precious = folder.join("precious");
        fs::write(&precious, b"precious").unwrap();
        for (plan, name) in [
            (plain as fn(PathBuf) -> FilePlan, "file.bin"),
            (kept, "file.bin"),
            (kept, "file.bin.part"),
            (kept, "file.bin.part.json"),
            (kept, "file.bin.part.json.new"),
        ] {
            let links: [&dyn Fn(&Path); 3] = [
                &|path| symlink(&precious, path).unwrap(),
                &|path| fs::hard_link(&precious, path).unwrap(),
                &|path| symlink("to/nowhere", path).unwrap(),
            ];
            for link in links {
                link(&folder.join(name));
                let committed = download(disk, plan(folder.join("file.bin")), b"content");
                assert_eq!(committed.unwrap().bytes, 7, "{name}");
                assert_eq!(read(&precious), b"precious", "{name}");
                assert_eq!(folder.names(), ["file.bin", "precious"]);
                assert!(!folder.join("file.bin").is_symlink());
                assert_eq!(read(&folder.join("file.bin")), b"content");
                fs::remove_file(folder.join("file.bin")).unwrap();
            }
        }
    });
}

#[test]
fn the_size_is_checked() {
    let mismatch = |expected, found| Err(DiskFault::SizeMismatch { expected, found });
    #[rustfmt::skip]
    let table = [
        // expected, announced, came
        (None,    None,    7, Ok(7)),
        (Some(7), None,    7, Ok(7)),
        (None,    Some(7), 7, Ok(7)),
        (Some(7), Some(7), 7, Ok(7)),
        (Some(7), None,    6, mismatch(7, 6)),
        (Some(7), None,    8, mismatch(7, 8)),
        (Some(0), None,    1, mismatch(0, 1)),
        (None,    Some(7), 6, mismatch(7, 6)),
        (None,    Some(7), 8, mismatch(7, 8)),
        // Known before the first byte.
        (Some(7), Some(9), 7, mismatch(7, 9)),
        (Some(7), Some(u64::MAX), 7, mismatch(7, u64::MAX)),
    ];
    for (expected, announced, came, outcome) in table {
        on_both(|disk, folder| {
            let plan = FilePlan {
                expected_size: expected,
                ..plain(folder.join("file.bin"))
            };
            let (mut file, _) = open(disk, plan);
            file.begin(0, None, announced);
            write(&mut file, &content(came));
            let committed = commit(disk, &mut file);
            assert_eq!(committed.map(|committed| committed.bytes), outcome);
            assert_eq!(folder.names().len(), usize::from(outcome.is_ok()));
        });
    }
}

#[test]
fn too_long_content_is_removed_and_too_short_content_kept() {
    on_both(|disk, folder| {
        for (came, left) in [
            (6, vec!["file.bin.part", "file.bin.part.json"]),
            (8, vec![]),
        ] {
            let plan = FilePlan {
                expected_size: Some(7),
                ..kept(folder.join("file.bin"))
            };
            assert_eq!(
                download(disk, plan, &content(came)).unwrap_err(),
                DiskFault::SizeMismatch {
                    expected: 7,
                    found: came as u64
                }
            );
            assert_eq!(folder.names(), left, "{came}");
        }
    });
}

#[cfg(feature = "sha256")]
#[test]
fn the_hash_is_checked() {
    on_both(|disk, folder| {
        for length in [0, 1, 3_000_000] {
            let bytes = content(length);
            let good = sha256(&bytes);
            let plan = |hash| FilePlan {
                sha256: Some(hash),
                ..kept(folder.join("file.bin"))
            };
            let committed = download(disk, plan(good), &bytes).unwrap();
            assert_eq!(committed.sha256, Some(good));
            assert!(read(&folder.join("file.bin")) == bytes);

            fs::write(folder.join("file.bin"), b"old").unwrap();
            let mut bad = good;
            bad[31] ^= 1;
            let fault = download(disk, plan(bad), &bytes).unwrap_err();
            let mismatch = DiskFault::HashMismatch {
                expected: bad,
                found: good,
            };
            assert_eq!(fault, mismatch);
            // Not even kept: it can never become valid.
            assert_eq!(folder.names(), ["file.bin"]);
            assert_eq!(read(&folder.join("file.bin")), b"old");
        }
    });
}

#[cfg(not(feature = "sha256"))]
#[test]
fn a_hash_cannot_be_checked_without_the_feature() {
    on_both(|disk, folder| {
        let plan = FilePlan {
            sha256: Some([0; 32]),
            ..plain(folder.join("new/file.bin"))
        };
        assert_eq!(opening_fault(disk, plan), DiskFault::HashUnsupported);
        assert!(folder.names().is_empty());
    });
}

#[test]
fn download_and_upload_files_are_send_and_sync() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<Disk>();
    check::<DownloadFile>();
    check::<UploadFile>();
}
