//! Which file a name means, and who else can reach it: whether an open file is still the one with its name,
//! whether it has other names, and whether another user could have made it or can change it.
//!
//! On Unix the system tells device, number, owner, mode and count of names. On Windows it tells the volume,
//! the number and the count of names. Owners are in access control lists there, which no safe function
//! reads; a folder of the player's profile is closed to other users anyway.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Whether the open file is the one with this name, and not the target of a link with this name.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match system::is_same(file, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        same => same,
    }
}

/// Whether the file of this name, which has this metadata, has other names.
pub(super) fn has_other_names(path: &Path, metadata: &Metadata) -> io::Result<bool> {
    Ok(metadata.is_file() && system::count_of_names(path, metadata)? > 1)
}

/// Whether a file belongs to the owner of `own`, has one name, and cannot be written by others.
pub(super) fn is_private(file: &File, own: &File) -> io::Result<bool> {
    Ok(file.metadata()?.is_file() && system::is_private(file, own)?)
}

/// Lets only the owner read and write the file, where a file has such permissions.
pub(super) fn make_private(file: &File) -> io::Result<()> {
    system::make_private(file)
}

#[cfg(unix)]
mod system {
    use std::fs::{self, File, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    pub(super) fn is_same(file: &File, path: &Path) -> io::Result<bool> {
        let (open, named) = (file.metadata()?, fs::symlink_metadata(path)?);
        Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
    }

    pub(super) fn count_of_names(_path: &Path, metadata: &Metadata) -> io::Result<u64> {
        Ok(metadata.nlink())
    }

    pub(super) fn is_private(file: &File, own: &File) -> io::Result<bool> {
        let (metadata, own) = (file.metadata()?, own.metadata()?);
        Ok(metadata.uid() == own.uid() && metadata.mode() & 0o022 == 0 && metadata.nlink() == 1)
    }

    pub(super) fn make_private(file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(0o600))
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;

    use winapi_util::file::information;

    /// `FILE_FLAG_OPEN_REPARSE_POINT`: a link itself, not its target.
    const OPEN_LINK: u32 = 0x0020_0000;
    /// `FILE_FLAG_BACKUP_SEMANTICS`: a folder, too.
    const OPEN_FOLDER: u32 = 0x0200_0000;

    /// Opens what has this name to ask about it. That needs no access and disturbs nobody.
    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .access_mode(0)
            .custom_flags(OPEN_LINK | OPEN_FOLDER)
            .open(path)
    }

    pub(super) fn is_same(file: &File, path: &Path) -> io::Result<bool> {
        let (open, named) = (information(file)?, information(&self::open(path)?)?);
        let volumes = [open.volume_serial_number(), named.volume_serial_number()];
        // Of an open file that was renamed, Wine and Proton say volume 0.
        let is_same_volume = volumes[0] == volumes[1] || volumes.contains(&0);
        Ok(is_same_volume && open.file_index() == named.file_index())
    }

    pub(super) fn count_of_names(path: &Path, _metadata: &Metadata) -> io::Result<u64> {
        Ok(information(&open(path)?)?.number_of_links())
    }

    pub(super) fn is_private(file: &File, _own: &File) -> io::Result<bool> {
        Ok(information(file)?.number_of_links() == 1)
    }

    pub(super) fn make_private(_file: &File) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::transport::disk::tests::Folder;

    fn create(path: &Path) -> File {
        File::create_new(path).unwrap()
    }

    #[test]
    fn a_file_is_found_only_under_its_own_name() {
        let folder = Folder::new();
        let path = folder.join("file.part");
        let file = create(&path);
        assert!(is_at(&file, &path).unwrap());
        // Its owner renamed it, ...
        let moved = folder.join("file");
        fs::rename(&path, &moved).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        assert!(is_at(&file, &moved).unwrap());
        assert!(is_at(&File::open(&moved).unwrap(), &moved).unwrap());
        // ... and a folder, a link to it, or another file took its old name.
        fs::create_dir(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        fs::remove_dir(&path).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&moved, &path).unwrap();
            assert!(!is_at(&file, &path).unwrap());
            fs::remove_file(&path).unwrap();
        }
        let other = create(&path);
        assert!(!is_at(&file, &path).unwrap());
        assert!(is_at(&other, &path).unwrap());
    }

    /// Files that are made at once have the same length, and may have the same times.
    #[test]
    fn files_that_are_alike_are_told_apart() {
        let folder = Folder::new();
        let paths: Vec<_> = (0..20).map(|i| folder.join(&format!("{i}"))).collect();
        let files: Vec<File> = paths.iter().map(|path| create(path)).collect();
        for (at, file) in files.iter().enumerate() {
            for (other, path) in paths.iter().enumerate() {
                assert_eq!(is_at(file, path).unwrap(), at == other);
            }
        }
    }

    #[test]
    fn another_name_of_a_file_is_noticed() {
        let folder = Folder::new();
        let path = folder.join("file");
        let file = create(&path);
        let own = create(&folder.join("own"));
        let other_names = || has_other_names(&path, &fs::symlink_metadata(&path).unwrap());
        assert!(!other_names().unwrap());
        assert!(is_private(&file, &own).unwrap());
        let second = folder.join("second");
        fs::hard_link(&path, &second).unwrap();
        assert!(other_names().unwrap());
        assert!(!is_private(&file, &own).unwrap());
        assert!(is_at(&file, &second).unwrap());
        // Before Windows 10, a name is removed only when the file is closed.
        drop(file);
        fs::remove_file(&second).unwrap();
        assert!(!other_names().unwrap());
        assert!(is_private(&File::open(&path).unwrap(), &own).unwrap());
    }
}
