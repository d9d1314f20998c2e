//! Whether the disk has enough free space. It is asked before anything is downloaded. Another program may
//! fill the disk later; then a write fails, and the patch with it.

use std::path::Path;

use crate::error::PatchFault;

/// What file systems need besides the bytes of the files.
const MARGIN: u64 = 4 * 1024 * 1024;

/// Checks that `bytes` more bytes fit on the disk of this folder.
pub(super) fn check(folder: &Path, bytes: u64) -> Result<(), PatchFault> {
    if bytes == 0 {
        return Ok(());
    }
    fits(folder, bytes.saturating_add(MARGIN))
}

#[cfg(unix)]
fn fits(folder: &Path, needed: u64) -> Result<(), PatchFault> {
    // Without an answer the patch goes on: a full disk fails it later.
    let Ok(space) = rustix::fs::statvfs(folder) else {
        return Ok(());
    };
    let available = space.f_bavail.saturating_mul(space.f_frsize);
    if available < needed {
        return Err(PatchFault::NotEnoughSpace {
            needed,
            available: Some(available),
        });
    }
    Ok(())
}

/// Reserves the space in a file and frees it again: the standard library cannot ask for the free space.
#[cfg(not(unix))]
fn fits(folder: &Path, needed: u64) -> Result<(), PatchFault> {
    let path = folder.join("space.tmp");
    let reserved = std::fs::File::create(&path).and_then(|file| file.set_len(needed));
    let _ = std::fs::remove_file(&path);
    match reserved {
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            Err(PatchFault::NotEnoughSpace {
                needed,
                available: None,
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_disk_has_is_refused_with_both_numbers() {
        let folder = std::env::temp_dir();
        assert_eq!(check(&folder, 0), Ok(()));
        assert_eq!(check(&folder, 1), Ok(()));
        #[cfg(unix)]
        {
            let Err(PatchFault::NotEnoughSpace { needed, available }) = check(&folder, 1 << 60)
            else {
                panic!("an exbibyte is free");
            };
            assert_eq!(needed, (1 << 60) + MARGIN);
            assert!(available.unwrap() < needed);
        }
    }
}
