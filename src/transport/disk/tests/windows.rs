//! What only Windows does: names that are devices or streams, files that cannot be replaced while they are
//! open, and paths with backslashes.

use std::os::windows::fs::OpenOptionsExt;

use super::*;

#[test]
fn names_that_mean_something_else_are_refused() {
    on_both(|disk, folder| {
        for name in [
            "NUL",
            "con.txt",
            "COM1",
            "lpt9.log",
            "file.bin:stream",
            "file.bin.",
            "file.bin ",
            "aux\\file.bin",
            "folder./file.bin",
            "new/folder/NUL",
        ] {
            for plan in [plain(folder.join(name)), kept(folder.join(name))] {
                assert_eq!(opening_fault(disk, plan), DiskFault::ReservedName, "{name}");
            }
            assert_eq!(folder.names(), [""; 0], "{name}");
        }
        #[cfg(feature = "sha256")]
        {
            let plan = FilePlan {
                skip_existing: true,
                sha256: Some([0; 32]),
                ..plain(folder.join("NUL"))
            };
            assert_eq!(opening_fault(disk, plan), DiskFault::ReservedName);
        }
    });
}

#[test]
fn backslashes_separate_folders() {
    on_both(|disk, folder| {
        let bytes = content(100);
        download(disk, kept(folder.join("a\\b/c\\file.bin")), &bytes).unwrap();
        let target = folder.join("a").join("b").join("c").join("file.bin");
        assert_eq!(read(&target), bytes);
    });
}

#[test]
fn a_target_that_another_program_has_open_is_a_fault_of_its_own() {
    on_both(|disk, folder| {
        let target = folder.join("file.bin");
        fs::write(&target, "old").unwrap();
        let mut options = fs::OpenOptions::new();
        // Others may read it, but not remove it.
        let held = options.read(true).share_mode(1).open(&target).unwrap();
        let fault = download(disk, plain(target.clone()), b"new").unwrap_err();
        assert_eq!(fault, DiskFault::TargetInUse);
        assert_eq!(read(&target), b"old");
        assert_eq!(folder.names(), ["file.bin"]);
        drop(held);
        download(disk, plain(target.clone()), b"new").unwrap();
        assert_eq!(read(&target), b"new");
    });
}

#[test]
fn a_part_with_another_name_is_not_continued() {
    use super::resuming::{KIB, finish, leave};
    on_both(|disk, folder| {
        let bytes = content(32 * KIB);
        let target = folder.join("file.bin");
        leave(disk, &target, &bytes[..20 * KIB], bytes.len() as u64);
        let other = folder.join("other");
        fs::hard_link(folder.join("file.bin.part"), &other).unwrap();
        finish(disk, kept(target), &bytes, 0);
        assert_eq!(read(&other), &bytes[..20 * KIB]);
    });
}
