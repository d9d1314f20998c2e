//! Downloads that continue where an earlier run or a lost connection ended.

use super::*;

pub(super) const KIB: usize = 1024;

/// Downloads the first bytes of a content, then drops the download.
pub(super) fn leave(disk: &Disk, target: &Path, bytes: &[u8], total: u64) {
    let (mut file, resumable) = open(disk, kept(target.to_owned()));
    assert_eq!(resumable.offset, 0);
    file.begin(0, version("\"1\""), Some(total));
    write(&mut file, bytes);
    settle(disk);
    drop(file);
    settle(disk);
}

/// Continues, and checks the file.
pub(super) fn finish(disk: &Disk, plan: FilePlan, bytes: &[u8], offset: usize) {
    let target = plan.target.clone();
    let (mut file, resumable) = open(disk, plan);
    assert_eq!(resumable.offset, offset as u64);
    assert_eq!(file.length(), offset as u64);
    assert_eq!(file.written(), offset as u64);
    if offset > 0 {
        assert_eq!(resumable.validator, version("\"1\""));
        assert_eq!(resumable.total, Some(bytes.len() as u64));
    }
    file.begin(resumable.offset, version("\"1\""), Some(bytes.len() as u64));
    assert_eq!(file.length(), offset as u64);
    write(&mut file, &bytes[offset..]);
    assert_eq!(file.length(), bytes.len() as u64);
    let committed = commit(disk, &mut file).unwrap();
    assert_eq!(committed.bytes, bytes.len() as u64);
    assert!(read(&target) == bytes);
}

#[test]
fn a_download_interrupted_at_any_kib_continues_there() {
    on_both(|disk, folder| {
        let bytes = content(32 * KIB + 1);
        let target = folder.join("file.bin");
        let plan = FilePlan {
            expected_size: Some(bytes.len() as u64),
            #[cfg(feature = "sha256")]
            sha256: Some(sha256(&bytes)),
            ..kept(target.clone())
        };
        for length in (0..bytes.len()).step_by(KIB).chain([bytes.len()]) {
            leave(disk, &target, &bytes[..length], bytes.len() as u64);
            let kept = ["file.bin.part", "file.bin.part.json"];
            assert_eq!(folder.names(), if length == 0 { &[][..] } else { &kept });
            finish(disk, plan.clone(), &bytes, length);
            assert_eq!(folder.names(), ["file.bin"]);
            fs::remove_file(&target).unwrap();
        }
    });
}

#[test]
fn a_download_interrupted_repeatedly_completes() {
    on_both(|disk, folder| {
        let bytes = content(32 * KIB);
        let plan = kept(folder.join("file.bin"));
        for done in (0..bytes.len()).step_by(KIB) {
            let (mut file, resumable) = open(disk, plan.clone());
            assert_eq!(resumable.offset, done as u64);
            file.begin(done as u64, version("\"1\""), Some(bytes.len() as u64));
            write(&mut file, &bytes[done..done + KIB]);
            settle(disk);
        }
        settle(disk);
        finish(disk, plan, &bytes, bytes.len());
    });
}

#[cfg(feature = "sha256")]
#[test]
fn kept_bytes_are_hashed_in_slices() {
    on_both(|disk, folder| {
        let bytes = content(5_000_000);
        let target = folder.join("file.bin");
        leave(disk, &target, &bytes[..4_500_000], bytes.len() as u64);
        let plan = FilePlan {
            sha256: Some(sha256(&bytes)),
            ..kept(target.clone())
        };
        finish(disk, plan.clone(), &bytes, 4_500_000);

        // Another program changed the part file.
        fs::remove_file(&target).unwrap();
        leave(disk, &target, &bytes[..4_500_000], bytes.len() as u64);
        let mut changed = bytes[..4_500_000].to_vec();
        changed[1_234_567] ^= 1;
        fs::write(folder.join("file.bin.part"), changed).unwrap();
        let (mut file, resumable) = open(disk, plan);
        file.begin(resumable.offset, version("\"1\""), None);
        write(&mut file, &bytes[4_500_000..]);
        let outcome = commit(disk, &mut file);
        assert!(matches!(outcome, Err(DiskFault::HashMismatch { .. })));
        assert!(folder.names().is_empty());
    });
}

#[test]
fn a_restarted_response_replaces_the_kept_bytes() {
    on_both(|disk, folder| {
        let (old, new) = (content(9000), content(5000).repeat(2));
        let target = folder.join("file.bin");
        leave(disk, &target, &old, 9001);
        let plan = FilePlan {
            #[cfg(feature = "sha256")]
            sha256: Some(sha256(&new)),
            ..kept(target.clone())
        };
        let (mut file, resumable) = open(disk, plan.clone());
        assert_eq!(resumable.offset, 9000);
        file.begin(0, version("\"2\""), Some(new.len() as u64));
        assert_eq!(file.length(), 0);
        write(&mut file, &new[..1000]);
        settle(disk);
        assert_eq!(file.written(), 1000);
        drop(file);
        // The new version can be resumed.
        let (mut file, resumable) = open(disk, plan);
        assert_eq!(resumable.offset, 1000);
        assert_eq!(resumable.validator, version("\"2\""));
        file.begin(1000, version("\"2\""), Some(new.len() as u64));
        write(&mut file, &new[1000..]);
        commit(disk, &mut file).unwrap();
        assert!(read(&target) == new);
    });
}

#[test]
fn a_download_continues_after_a_lost_connection() {
    on_both(|disk, folder| {
        let bytes = content(10_000);
        for plan in [plain, kept] {
            let plan = FilePlan {
                #[cfg(feature = "sha256")]
                sha256: Some(sha256(&bytes)),
                ..plan(folder.join("file.bin"))
            };
            let target = plan.target.clone();
            // The second response begins where the first ended, before that, and at the start.
            for second in [6000, 2000, 0] {
                let mut file = DownloadFile::open(disk, plan.clone());
                file.begin(0, version("\"1\""), None);
                write(&mut file, &bytes[..6000]);
                assert_eq!(file.length(), 6000);
                file.begin(second, version("\"1\""), Some(10_000));
                assert_eq!(file.length(), second);
                write(&mut file, &bytes[second as usize..]);
                assert_eq!(file.length(), 10_000);
                assert_eq!(commit(disk, &mut file).unwrap().bytes, 10_000);
                assert!(read(&target) == bytes);
            }
        }
    });
}

#[test]
fn content_after_a_gap_is_refused() {
    on_both(|disk, folder| {
        let (mut file, _) = open(disk, plain(folder.join("file.bin")));
        file.begin(0, None, None);
        write(&mut file, b"cont");
        file.begin(5, None, None);
        settle(disk);
        let gap = DiskFault::Gap { held: 4, offset: 5 };
        assert_eq!(file.poll_fault(), Some(gap));
        assert!(folder.names().is_empty());
    });
}

#[test]
fn a_suspended_download_can_be_resumed_whatever_the_plan() {
    on_both(|disk, folder| {
        let bytes = content(10_000);
        let target = folder.join("file.bin");
        for plan in [plain, kept] {
            let (mut file, _) = open(disk, plan(target.clone()));
            file.begin(0, version("\"1\""), Some(10_000));
            write(&mut file, &bytes[..7000]);
            // What is still queued is written.
            file.suspend();
            settle(disk);
            assert_eq!(folder.names(), ["file.bin.part", "file.bin.part.json"]);
            finish(disk, kept(target.clone()), &bytes, 7000);
            fs::remove_file(&target).unwrap();
        }
        // Before any content.
        let (file, _) = open(disk, plain(target.clone()));
        file.suspend();
        settle(disk);
        finish(disk, kept(target.clone()), &bytes, 0);
    });
}

#[test]
fn suspending_does_not_take_another_downloads_part() {
    let (one, other, folder) = (Disk::inline(), Disk::inline(), Folder::new());
    let target = folder.join("file.bin");
    let (mut held, _) = open(&one, kept(target.clone()));
    write(&mut held, b"held");
    let (mut file, _) = open(&other, plain(target.clone()));
    write(&mut file, b"mine");
    file.suspend();
    assert_eq!(folder.names(), ["file.bin.part", "file.bin.part.json"]);
    assert_eq!(read(&folder.join("file.bin.part")), b"held");
    commit(&one, &mut held).unwrap();
    assert_eq!(read(&target), b"held");
}

#[test]
fn a_torn_sidecar_means_a_fresh_start() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    let bytes = content(2000);
    let target = folder.join("file.bin");
    leave(&disk, &target, &bytes[..1500], 2000);
    let part = folder.join("file.bin.part");
    let sidecar = folder.join("file.bin.part.json");
    let (whole_part, json) = (read(&part), read(&sidecar));
    for end in 0..=json.len() {
        fs::write(&sidecar, &json[..end]).unwrap();
        let (_file, resumable) = open(&disk, kept(target.clone()));
        let offset = if end == json.len() { 1500 } else { 0 };
        assert_eq!(resumable.offset, offset, "{end}");
    }
    finish(&disk, kept(target.clone()), &bytes, 1500);
    let garbage: [&[u8]; 4] = [b"", b"\0\0\0\0", &[0xFF; 100_000], &[b' '; 100_000]];
    for garbage in garbage {
        fs::write(&part, &whole_part).unwrap();
        fs::write(&sidecar, garbage).unwrap();
        finish(&disk, kept(target.clone()), &bytes, 0);
    }
    // A part without a sidecar, a sidecar without a part, and a folder in its place.
    fs::write(&part, &whole_part).unwrap();
    finish(&disk, kept(target.clone()), &bytes, 0);
    fs::write(&sidecar, &json).unwrap();
    finish(&disk, kept(target.clone()), &bytes, 0);
    fs::write(&part, &whole_part).unwrap();
    fs::create_dir(&sidecar).unwrap();
    let outcome = download(&disk, kept(target.clone()), &bytes);
    assert_eq!(
        outcome.map_err(|fault| fault.to_string().contains("how to resume")),
        Err(true)
    );
}

#[test]
fn only_synced_bytes_are_resumed() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    let bytes = content(2000);
    let target = folder.join("file.bin");
    let part = folder.join("file.bin.part");
    for (held, offset) in [(0, 0), (1, 1), (1499, 1499), (1500, 1500), (1501, 1500)] {
        leave(&disk, &target, &bytes[..1500], 2000);
        let mut torn = bytes[..held.min(1500)].to_vec();
        torn.resize(held, 0);
        fs::write(&part, torn).unwrap();
        finish(&disk, kept(target.clone()), &bytes, offset);
    }
}

#[test]
fn a_crash_costs_only_the_bytes_since_the_last_checkpoint() {
    let (disk, folder) = (Disk::inline(), Folder::new());
    let bytes = content(20 * KIB * KIB);
    let target = folder.join("file.bin");
    let (mut file, _) = open(&disk, kept(target.clone()));
    file.begin(0, version("\"1\""), Some(bytes.len() as u64));
    let crashed = Folder::new();
    for piece in bytes[..18 * KIB * KIB].chunks(KIB * KIB) {
        write(&mut file, piece);
    }
    // What another process would find if this one was killed here.
    for name in folder.names() {
        fs::copy(folder.join(&name), crashed.join(&name)).unwrap();
    }
    let survivor = Disk::inline();
    let (mut again, resumable) = open(&survivor, kept(crashed.join("file.bin")));
    assert_eq!(resumable.offset, 16 * (KIB * KIB) as u64);
    again.begin(resumable.offset, version("\"1\""), None);
    write(&mut again, &bytes[16 * KIB * KIB..]);
    commit(&survivor, &mut again).unwrap();
    assert!(read(&crashed.join("file.bin")) == bytes);
}

#[test]
fn a_part_that_does_not_match_the_plan_is_not_resumed() {
    let fresh: [(&str, fn(&mut FilePlan)); 4] = [
        ("of another URL", |plan| {
            plan.identity = "https://example.com/other".to_owned();
        }),
        ("not asked for", |plan| plan.resume = false),
        ("longer than expected", |plan| {
            plan.expected_size = Some(1499)
        }),
        ("part of a longer one", |plan| {
            plan.expected_size = Some(1999)
        }),
    ];
    on_both(|disk, folder| {
        for (why, change) in fresh {
            leave(disk, &folder.join("file.bin"), &content(1500), 2000);
            let mut plan = kept(folder.join("file.bin"));
            change(&mut plan);
            let (mut file, resumable) = open(disk, plan);
            assert_eq!(resumable, Resumable::default(), "{why}");
            // Until content begins, the part file is unchanged.
            let part = fs::metadata(folder.join("file.bin.part")).unwrap();
            assert_eq!(part.len(), 1500);
            file.begin(0, None, None);
            write(&mut file, &content(1499));
            let outcome = commit(disk, &mut file);
            assert_eq!(outcome.is_ok(), why != "part of a longer one", "{why}");
            drop(file);
            settle(disk);
            for name in folder.names() {
                fs::remove_file(folder.join(&name)).unwrap();
            }
        }
    });
}

#[test]
fn a_download_dropped_before_content_changes_nothing() {
    on_both(|disk, folder| {
        let bytes = content(2000);
        let target = folder.join("file.bin");
        leave(disk, &target, &bytes[..1500], 2000);
        for _ in 0..2 {
            let (file, resumable) = open(disk, kept(target.clone()));
            assert_eq!(resumable.offset, 1500);
            drop(file);
        }
        finish(disk, kept(target.clone()), &bytes, 1500);
    });
}

#[test]
fn content_without_an_offset_starts_at_zero() {
    on_both(|disk, folder| {
        let target = folder.join("file.bin");
        leave(disk, &target, &content(1500), 2000);
        let (mut file, resumable) = open(disk, kept(target.clone()));
        assert_eq!(resumable.offset, 1500);
        write(&mut file, b"afresh");
        assert_eq!(file.length(), 6);
        commit(disk, &mut file).unwrap();
        assert_eq!(read(&target), b"afresh");
    });
}

#[test]
fn a_complete_part_can_be_committed_without_content() {
    on_both(|disk, folder| {
        let bytes = content(1_500_000);
        let target = folder.join("file.bin");
        let part = folder.join("file.bin.part");
        let plan = || FilePlan {
            #[cfg(feature = "sha256")]
            sha256: Some(sha256(&bytes)),
            ..kept(target.clone())
        };
        for is_polled in [false, true] {
            leave(disk, &target, &bytes, 1_500_000);
            // Bytes that were not synced are not used.
            let mut longer = fs::File::options().append(true).open(&part).unwrap();
            std::io::Write::write_all(&mut longer, b"torn").unwrap();
            let mut file = DownloadFile::open(disk, plan());
            if is_polled {
                settle(disk);
                assert!(file.poll_opened().unwrap().is_ok());
            }
            assert_eq!(commit(disk, &mut file).unwrap().bytes, 1_500_000);
            assert!(read(&target) == bytes);
            assert_eq!(folder.names(), ["file.bin"]);
            fs::remove_file(&target).unwrap();
        }
        // Incomplete, as the first response had said.
        leave(disk, &target, &bytes[..7], 1_500_000);
        let (mut file, _) = open(disk, plan());
        let mismatch = DiskFault::SizeMismatch {
            expected: 1_500_000,
            found: 7,
        };
        assert_eq!(commit(disk, &mut file), Err(mismatch));
        drop(file);
        finish(disk, plan(), &bytes, 7);
    });
}

#[cfg(unix)]
#[test]
fn the_sidecar_is_readable_only_by_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let (disk, folder) = (Disk::inline(), Folder::new());
    leave(&disk, &folder.join("file.bin"), b"content", 9);
    let sidecar = fs::metadata(folder.join("file.bin.part.json")).unwrap();
    assert_eq!(sidecar.permissions().mode() & 0o077, 0);
}

/// Copies what another process would find if this one was killed now.
fn killed(folder: &Folder) -> Folder {
    let copy = Folder::new();
    for name in folder.names() {
        // A file may be renamed meanwhile, as in a real kill.
        let _ = fs::copy(folder.join(&name), copy.join(&name));
    }
    copy
}

#[test]
fn a_kill_at_any_moment_costs_only_the_bytes_of_the_last_moments() {
    let after = Duration::from_millis(5);
    let folder = Folder::new();
    let disk = Disk::with_checkpoints(Arc::new(|| {}), after);
    let bytes = content(64 * KIB);
    let plan = kept(folder.join("file.bin"));
    let (mut file, _) = open(&disk, plan.clone());
    file.begin(0, version("\"1\""), Some(bytes.len() as u64));
    for done in (0..bytes.len()).step_by(8 * KIB) {
        write(&mut file, &bytes[done..done + 8 * KIB]);
        let end = (done + 8 * KIB) as u64;
        let began = std::time::Instant::now();
        // Nothing more is written, and still all of it is resumed after a while.
        loop {
            let survivor = Disk::inline();
            let (crashed, plan) = (killed(&folder), plan.clone());
            let target = crashed.join("file.bin");
            let (mut again, resumable) = open(&survivor, FilePlan { target, ..plan });
            assert!(resumable.offset <= end);
            again.begin(resumable.offset, version("\"1\""), None);
            write(&mut again, &bytes[resumable.offset as usize..]);
            commit(&survivor, &mut again).unwrap();
            assert!(read(&crashed.join("file.bin")) == bytes);
            if resumable.offset == end {
                break;
            }
            assert!(began.elapsed() < NET);
        }
    }
    drop(file);
    settle(&disk);
}

#[test]
fn content_near_the_largest_offset_is_a_gap() {
    on_both(|disk, folder| {
        let (mut file, _) = open(disk, plain(folder.join("a")));
        file.begin(u64::MAX - 1, None, None);
        write(&mut file, b"beyond");
        assert_eq!(file.length(), u64::MAX);
        settle(disk);
        let gap = DiskFault::Gap {
            held: 0,
            offset: u64::MAX - 1,
        };
        assert_eq!(file.poll_fault(), Some(gap));
    });
}
