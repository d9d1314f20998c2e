//! Part files with the lasting name: long names, and files that others could have planted.

use super::resuming::{KIB, finish, leave};
use super::*;

#[cfg(unix)]
#[test]
fn a_part_that_others_could_have_planted_is_not_continued() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    type Plant = fn(&Path) -> bool;
    let plants: [(&str, Plant, bool); 6] = [
        ("untouched", |_| true, true),
        (
            "world-writable",
            |part| fs::set_permissions(part, fs::Permissions::from_mode(0o602)).is_ok(),
            false,
        ),
        (
            "group-writable",
            |part| fs::set_permissions(part, fs::Permissions::from_mode(0o620)).is_ok(),
            false,
        ),
        (
            "another name",
            |part| fs::hard_link(part, part.with_extension("other")).is_ok(),
            false,
        ),
        // Only the superuser can give a file to another user.
        (
            "another owner",
            |part| chown(part, Some(12345), None).is_ok(),
            false,
        ),
        (
            "the sidecar of another owner",
            |part| chown(with_json(part), Some(12345), None).is_ok(),
            false,
        ),
    ];
    on_both(|disk, folder| {
        let bytes = content(32 * KIB);
        for (name, plant, is_continued) in plants {
            let target = folder.join("file.bin");
            leave(disk, &target, &bytes[..20 * KIB], bytes.len() as u64);
            let part = folder.join("file.bin.part");
            // Open, so that its number is not given to a new file.
            let held = fs::File::open(&part).unwrap();
            let planted = held.metadata().unwrap();
            assert_eq!(planted.mode() & 0o777, 0o600);
            if !plant(&part) {
                continue;
            }
            let offset = if is_continued { 20 * KIB } else { 0 };
            finish(disk, kept(target.clone()), &bytes, offset);
            let published = fs::metadata(&target).unwrap();
            let fresh = folder.join("fresh");
            fs::write(&fresh, "").unwrap();
            assert_eq!(
                published.mode(),
                fs::metadata(&fresh).unwrap().mode(),
                "{name}"
            );
            if name != "the sidecar of another owner" {
                assert_eq!(published.ino() == planted.ino(), is_continued, "{name}");
            }
            for name in folder.names() {
                fs::remove_file(folder.join(&name)).unwrap();
            }
        }
    });
}

#[cfg(unix)]
fn with_json(part: &Path) -> PathBuf {
    part.with_extension("part.json")
}

#[cfg(unix)]
#[test]
fn a_part_that_was_replaced_before_the_end_is_not_published() {
    on_both(|disk, folder| {
        let target = folder.join("file.bin");
        let (mut file, _) = open(disk, kept(target.clone()));
        file.begin(0, version("\"1\""), Some(4));
        write(&mut file, b"good");
        settle(disk);
        let part = folder.join("file.bin.part");
        fs::remove_file(&part).unwrap();
        fs::write(&part, b"evil").unwrap();
        let fault = commit(disk, &mut file).unwrap_err();
        assert_eq!(fault.io_kind(), std::io::ErrorKind::AlreadyExists);
        assert!(!target.exists());
    });
}

#[cfg(unix)]
#[test]
fn a_part_whose_folder_was_removed_meanwhile_is_an_error_that_says_so() {
    on_both(|disk, folder| {
        let target = folder.join("levels/file.bin");
        let (mut file, _) = open(disk, kept(target.clone()));
        file.begin(0, version("\"1\""), Some(4));
        write(&mut file, b"good");
        settle(disk);
        fs::remove_dir_all(folder.join("levels")).unwrap();
        let fault = commit(disk, &mut file).unwrap_err();
        assert_eq!(fault.io_kind(), std::io::ErrorKind::NotFound);
        assert!(matches!(
            fault,
            DiskFault::Io {
                step: DiskStep::Rename,
                ..
            }
        ));
        assert!(!target.exists());
    });
}

/// On Windows the names of open files are not removed before they are closed.
#[cfg(unix)]
#[test]
fn a_download_whose_part_was_removed_leaves_nothing() {
    type End = fn(&Disk, DownloadFile);
    let ends: [(&str, End); 4] = [
        ("dropped", |_, file| drop(file)),
        ("suspended", |_, file| file.suspend()),
        ("written to", |disk, mut file| {
            write(&mut file, b"more");
            settle(disk);
        }),
        ("committed", |disk, mut file| {
            let fault = commit(disk, &mut file).unwrap_err();
            assert_eq!(fault.io_kind(), std::io::ErrorKind::NotFound);
        }),
    ];
    on_both(|disk, folder| {
        for (name, end) in ends {
            for plan in [kept, plain] {
                let (mut file, _) = open(disk, plan(folder.join("levels/file.bin")));
                file.begin(0, version("\"1\""), None);
                write(&mut file, b"some");
                settle(disk);
                fs::remove_dir_all(folder.join("levels")).unwrap();
                fs::create_dir(folder.join("levels")).unwrap();
                end(disk, file);
                settle(disk);
                let left = folder.join("levels").read_dir().map(Iterator::count);
                // The download had made the folder, so it may remove it.
                assert_eq!(left.unwrap_or(0), 0, "{name}");
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn a_download_that_lost_its_part_leaves_that_of_another_program_alone() {
    type End = fn(&Disk, DownloadFile);
    let ends: [(&str, End); 3] = [
        ("dropped", |_, file| drop(file)),
        ("suspended", |_, file| file.suspend()),
        ("committed", |disk, mut file| {
            let fault = commit(disk, &mut file).unwrap_err();
            assert_eq!(fault.io_kind(), std::io::ErrorKind::AlreadyExists);
        }),
    ];
    on_both(|disk, folder| {
        let bytes = content(8 * KIB);
        for (name, end) in ends {
            let target = folder.join("file.bin");
            let (mut file, _) = open(disk, kept(target.clone()));
            file.begin(0, version("\"0\""), None);
            write(&mut file, &[0; 6 * KIB]);
            settle(disk);
            fs::remove_file(folder.join("file.bin.part")).unwrap();
            let other = Disk::inline();
            leave(&other, &target, &bytes[..4 * KIB], bytes.len() as u64);
            end(disk, file);
            settle(disk);
            let left = ["file.bin.part", "file.bin.part.json"];
            assert_eq!(folder.names(), left, "{name}");
            finish(&other, kept(target.clone()), &bytes, 4 * KIB);
            fs::remove_file(target).unwrap();
        }
    });
}

/// A folder that is cleaned up while a download runs must not cost the rest of the download.
#[cfg(unix)]
#[test]
fn a_part_that_was_removed_is_noticed_at_the_next_checkpoint() {
    let disk = Disk::with_checkpoints(Arc::new(|| {}), Duration::ZERO);
    let folder = Folder::new();
    let (mut file, _) = open(&disk, kept(folder.join("file.bin")));
    file.begin(0, version("\"1\""), None);
    settle(&disk);
    fs::remove_file(folder.join("file.bin.part")).unwrap();
    write(&mut file, b"some");
    // The checkpoint is due at once, in a turn of its own.
    let fault = loop {
        settle(&disk);
        if let Some(fault) = file.poll_fault() {
            break fault;
        }
        std::thread::yield_now();
    };
    assert_eq!(fault.io_kind(), std::io::ErrorKind::NotFound);
    assert!(folder.names().is_empty());
}

#[test]
fn the_longest_names_can_be_resumed() {
    on_both(|disk, folder| {
        let bytes = content(8 * KIB);
        for length in [240, 241, 242, 246, 250, 251, 255] {
            let name = "n".repeat(length);
            let target = folder.join(&name);
            leave(disk, &target, &bytes[..4 * KIB], bytes.len() as u64);
            assert_eq!(folder.names().len(), 2, "{length}");
            // Another long name with the same beginning has another part.
            let other = folder.join(&format!("{}m", &name[1..]));
            let (file, resumable) = open(disk, kept(other));
            assert_eq!(resumable.offset, 0, "{length}");
            drop(file);
            settle(disk);
            finish(disk, kept(target.clone()), &bytes, 4 * KIB);
            fs::remove_file(&target).unwrap();
            for name in folder.names() {
                fs::remove_file(folder.join(&name)).unwrap();
            }
        }
    });
}
