//! Failures, and that they leave no files behind.

use std::io;

use super::*;
use crate::transport::disk::worker::lock;

const WRITING: [DiskStep; 4] = [
    DiskStep::Truncate,
    DiskStep::Write,
    DiskStep::Sync,
    DiskStep::Rename,
];

fn fail(disk: &Disk, step: Option<DiskStep>) {
    *lock(&disk.shared().failing) = step.map(|step| (step, BROKEN));
}

/// What a failing step fails with.
const BROKEN: io::ErrorKind = io::ErrorKind::TimedOut;

fn broken(step: DiskStep) -> DiskFault {
    fault(step, BROKEN)
}

fn full(step: DiskStep) -> DiskFault {
    fault(step, io::ErrorKind::StorageFull)
}

fn fault(step: DiskStep, kind: io::ErrorKind) -> DiskFault {
    DiskFault::Io {
        step,
        kind,
        os_error: None,
    }
}

#[test]
fn a_failed_step_leaves_no_files() {
    on_both(|disk, folder| {
        fs::write(folder.join("old.bin"), b"old").unwrap();
        let opening = [DiskStep::CreateFolder, DiskStep::Locate, DiskStep::Open];
        for (step, name) in opening
            .into_iter()
            .chain(WRITING)
            .flat_map(|step| [(step, "old.bin"), (step, "new/folder/file.bin")])
        {
            fail(disk, Some(step));
            let outcome = download(disk, plain(folder.join(name)), b"content");
            assert_eq!(outcome, Err(broken(step)), "{name}");
            assert_eq!(folder.names(), ["old.bin"], "{step:?}, {name}");
            assert_eq!(read(&folder.join("old.bin")), b"old");
            // The target is free again.
            fail(disk, None);
            download(disk, plain(folder.join("old.bin")), b"old").unwrap();
        }
    });
}

#[test]
fn a_fault_is_reported_at_once_and_stays() {
    on_both(|disk, folder| {
        let (mut file, _) = open(disk, plain(folder.join("file.bin")));
        file.begin(0, None, None);
        write(&mut file, b"some");
        settle(disk);
        assert_eq!(file.poll_fault(), None);
        fail(disk, Some(DiskStep::Write));
        write(&mut file, b"more");
        settle(disk);
        for _ in 0..2 {
            assert_eq!(file.poll_fault(), Some(broken(DiskStep::Write)));
            assert!(folder.names().is_empty());
            fail(disk, None);
            file.begin(0, None, None);
            write(&mut file, b"too late");
            file.commit();
            settle(disk);
        }
        assert!(file.room() > 0, "nothing is held any more");
        file.suspend();
        settle(disk);
        assert!(folder.names().is_empty());
    });
}

#[test]
fn a_failed_step_keeps_the_partial_file_if_requested() {
    on_both(|disk, folder| {
        let bytes = content(1000);
        for step in WRITING {
            let target = folder.join("file.bin");
            let (mut file, _) = open(disk, kept(target.clone()));
            file.begin(0, version("\"1\""), None);
            write(&mut file, &bytes[..600]);
            settle(disk);
            fail(disk, Some(step));
            if step == DiskStep::Truncate {
                file.begin(600, version("\"1\""), None);
            }
            write(&mut file, &bytes[600..]);
            assert_eq!(commit(disk, &mut file), Err(broken(step)));
            fail(disk, None);
            assert_eq!(folder.names(), ["file.bin.part", "file.bin.part.json"]);

            let (mut file, resumable) = open(disk, kept(target.clone()));
            // Bytes that could not be synced are not counted.
            let safe = match step {
                DiskStep::Truncate | DiskStep::Write => 600,
                DiskStep::Rename => 1000,
                _ => 0,
            };
            assert_eq!(resumable.offset, safe, "{step:?}");
            file.begin(safe, version("\"1\""), None);
            write(&mut file, &bytes[safe as usize..]);
            commit(disk, &mut file).unwrap();
            assert!(read(&target) == bytes);
            fs::remove_file(target).unwrap();
        }
    });
}

#[test]
fn a_sidecar_that_cannot_be_written_is_a_fault() {
    on_both(|disk, folder| {
        fail(disk, Some(DiskStep::WriteSidecar));
        let outcome = download(disk, kept(folder.join("file.bin")), b"content");
        assert_eq!(outcome, Err(broken(DiskStep::WriteSidecar)));
        // A plain download needs no sidecar.
        download(disk, plain(folder.join("file.bin")), b"content").unwrap();
        fail(disk, None);
    });
}

#[test]
fn paths_that_cannot_be_files_fail_at_once() {
    on_both(|disk, folder| {
        fs::create_dir(folder.join("folder")).unwrap();
        fs::create_dir(folder.join("parted.part")).unwrap();
        fs::write(folder.join("file"), b"old").unwrap();
        let before = folder.names();
        for plan in [plain, kept] {
            for (path, fault) in [
                (PathBuf::new(), DiskFault::NoFileName),
                (PathBuf::from("/"), DiskFault::NoFileName),
                #[cfg(unix)]
                (folder.join("folder/.."), DiskFault::NoFileName),
                (folder.join("folder"), DiskFault::NotAFile),
                #[cfg(unix)]
                (PathBuf::from("/dev/null"), DiskFault::NotAFile),
            ] {
                let shown = path.display().to_string();
                assert_eq!(opening_fault(disk, plan(path)), fault, "{shown}");
            }
            let fault = opening_fault(disk, plan(folder.join("file/below/it")));
            let DiskFault::Io { step, os_error, .. } = fault else {
                panic!("{fault:?}");
            };
            assert_eq!(step, DiskStep::CreateFolder);
            assert!(os_error.is_some());
        }
        let fault = opening_fault(disk, kept(folder.join("parted")));
        assert_eq!(fault.io_kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(folder.names(), before);
    });
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_a_fault() {
    use std::os::unix::fs::PermissionsExt;
    on_both(|disk, folder| {
        let closed = folder.join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        // The superuser may write there as well.
        let is_obeyed = fs::write(closed.join("probe"), b"").is_err();
        let outcome = download(disk, plain(closed.join("new/file.bin")), b"content");
        match outcome {
            Ok(_) => assert!(!is_obeyed),
            Err(fault) => {
                assert!(is_obeyed);
                assert_eq!(fault.io_kind(), io::ErrorKind::PermissionDenied);
                assert!(fs::read_dir(&closed).unwrap().next().is_none());
            }
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    });
}

#[test]
fn a_part_file_without_content_is_not_kept() {
    on_both(|disk, folder| {
        for is_suspended in [false, true] {
            let open = || {
                let file = DownloadFile::open(
                    disk,
                    FilePlan {
                        resume: true,
                        keep_partial: true,
                        ..plain(folder.join("file.bin"))
                    },
                );
                settle(disk);
                file
            };
            let end = |file: DownloadFile| {
                if is_suspended {
                    file.suspend();
                } else {
                    drop(file);
                }
                settle(disk);
                folder.names()
            };
            // The server cannot be reached, or has sent only a head.
            assert_eq!(end(open()), [""; 0]);
            let mut file = open();
            file.begin(0, version("\"1\""), Some(7));
            settle(disk);
            assert_eq!(end(file), [""; 0]);
            // What an earlier run has written stays when the next one cannot reach the server.
            let mut file = open();
            file.begin(0, version("\"1\""), Some(7));
            file.write(Bytes::from_static(b"cont"));
            settle(disk);
            let kept = ["file.bin.part", "file.bin.part.json"];
            assert_eq!(end(file), kept);
            assert_eq!(end(open()), kept);
            for name in kept {
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
    });
}

#[test]
fn dropping_leaves_no_files_at_any_stage() {
    on_both(|disk, folder| {
        fs::write(folder.join("other"), b"other").unwrap();
        for keep in [false, true] {
            for stage in 0..6 {
                let plan = FilePlan {
                    resume: keep,
                    ..plain(folder.join("new/deep/file.bin"))
                };
                let mut file = DownloadFile::open(disk, plan);
                if stage > 0 {
                    settle(disk);
                }
                if stage > 1 {
                    file.begin(0, version("\"1\""), Some(7));
                }
                if stage > 2 {
                    file.write(Bytes::from_static(b"cont"));
                }
                if stage > 3 {
                    settle(disk);
                }
                if stage > 4 {
                    file.write(Bytes::from_static(b"ent"));
                }
                drop(file);
                settle(disk);
                assert_eq!(folder.names(), ["other"], "{keep}, {stage}");
            }
        }
    });
}

#[test]
fn folders_with_other_files_stay() {
    on_both(|disk, folder| {
        let (file, _) = open(disk, plain(folder.join("new/deep/file.bin")));
        fs::write(folder.join("new/other"), b"other").unwrap();
        drop(file);
        settle(disk);
        assert_eq!(folder.names(), ["new"]);
        assert!(!folder.join("new/deep").exists());
        assert_eq!(read(&folder.join("new/other")), b"other");
    });
}

#[test]
fn one_target_has_one_download() {
    on_both(|disk, folder| {
        let target = folder.join("file.bin");
        for (first, second) in [
            (plain as fn(_) -> _, plain as fn(_) -> _),
            (kept, plain),
            (plain, kept),
            (kept, kept),
        ] {
            let (mut file, _) = open(disk, first(target.clone()));
            for same in ["file.bin", "./file.bin", "../file.bin"] {
                fs::create_dir_all(folder.join("sub")).unwrap();
                let path = match same.strip_prefix("..") {
                    Some(rest) => folder.0.join("sub/..").join(rest.trim_start_matches('/')),
                    None => folder.join(same),
                };
                assert_eq!(opening_fault(disk, second(path)), DiskFault::AlreadyInUse);
            }
            // The first download is not affected.
            write(&mut file, b"content");
            commit(disk, &mut file).unwrap();
            assert_eq!(read(&target), b"content");
            // Its end frees the target, even before it is dropped.
            let (file, _) = open(disk, second(target.clone()));
            drop(file);
            // Not carried out yet, but valid.
            let mut file = DownloadFile::open(disk, plain(target.clone()));
            settle(disk);
            assert!(file.poll_opened().unwrap().is_ok());
        }
    });
}

#[test]
fn one_lasting_part_has_one_download_even_on_another_disk() {
    for (one, other) in [(Disk::inline(), threaded()), (threaded(), Disk::inline())] {
        let folder = Folder::new();
        let target = folder.join("file.bin");
        let (mut file, _) = open(&one, kept(target.clone()));
        write(&mut file, b"first");
        settle(&one);
        assert_eq!(
            opening_fault(&other, kept(target.clone())),
            DiskFault::AlreadyInUse
        );
        // A download with its own part file may go on: both files are complete.
        download(&other, plain(target.clone()), b"second").unwrap();
        assert_eq!(read(&target), b"second");
        commit(&one, &mut file).unwrap();
        assert_eq!(read(&target), b"first");
        download(&other, kept(target.clone()), b"third").unwrap();
        assert_eq!(read(&target), b"third");
        assert_eq!(folder.names(), ["file.bin"]);
    }
}

#[test]
fn faults_say_what_failed() {
    let text = |fault: DiskFault| fault.to_string();
    assert_eq!(
        text(full(DiskStep::Write)),
        "could not write the file: no storage space"
    );
    assert_eq!(
        text(DiskFault::SizeMismatch {
            expected: 7,
            found: 6
        }),
        "expected 7 bytes but found 6"
    );
    let hashes = text(DiskFault::HashMismatch {
        expected: [0x0A; 32],
        found: [0xF0; 32],
    });
    assert!(hashes.contains(&"0a".repeat(32)) && hashes.contains(&"f0".repeat(32)));
    let error = io::Error::from(DiskFault::AlreadyInUse);
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    let inner = error.get_ref().unwrap().downcast_ref::<DiskFault>();
    assert_eq!(inner, Some(&DiskFault::AlreadyInUse));
}
