//! The paths of a download: the names of the part file and the sidecar, how they are opened so that
//! no other process writes to them and no planted link is followed, and how they are removed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{self, Path, PathBuf};

use super::claims::Claim;
use super::identity::{has_other_names, is_at, is_private, make_private};
use super::replace::replace;
use super::sidecar::{self, Sidecar};
use super::worker::Shared;
use crate::error::{DiskFault, DiskStep};

/// How many times another process may take a name before it counts as in use.
const ATTEMPTS: usize = 8;

/// The length of the longest file name that common file systems take, in bytes; on Windows in UTF-16 units.
const MAX_NAME: usize = 255;

/// The longest that follows the target's name: the sidecar while it is written.
const LONGEST_SUFFIX: &str = ".part.json.new";

/// How many characters of the target's name a temporary name repeats, so that it is not too long for
/// the file system if the target's name is not.
const REPEATED_NAME: usize = 32;

/// The files of one download.
pub(super) struct DownloadPaths {
    pub(super) target: PathBuf,
    folder: PathBuf,
    pub(super) part: PathBuf,
    /// `None` if the part has a random name, which could not be found again.
    pub(super) sidecar: Option<PathBuf>,
    /// Folders that were created for this download, the deepest first.
    made: Vec<PathBuf>,
    _claim: Claim,
}

impl DownloadPaths {
    /// Creates the folders, claims the target, and opens the part file: with its `lasting` name,
    /// under which a later run finds it, or with a random one.
    pub(super) fn open(
        target: PathBuf,
        lasting: bool,
        shared: &Shared,
    ) -> Result<(Self, File), DiskFault> {
        let (Some(name), Some(folder)) = (target.file_name(), target.parent()) else {
            return Err(DiskFault::NoFileName);
        };
        // If this were checked only at the end, the whole download would be lost.
        let last = target.as_os_str().as_encoded_bytes().last();
        if last.is_some_and(|&byte| path::is_separator(char::from(byte))) && !target.exists() {
            return Err(DiskFault::NoFileName);
        }
        match fs::metadata(&target) {
            Ok(metadata) if !metadata.is_file() => return Err(DiskFault::NotAFile),
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                return Err(DiskFault::io(DiskStep::Locate, &error));
            }
            // Wine and Proton say of such a name that there is no file, and refuse it only at the end.
            Err(_) if cfg!(windows) && name.to_string_lossy().encode_utf16().count() > MAX_NAME => {
                let error = io::Error::from(io::ErrorKind::InvalidFilename);
                return Err(DiskFault::io(DiskStep::Locate, &error));
            }
            Ok(_) | Err(_) => {}
        }
        let made = missing(folder);
        let opened = shared
            .step(DiskStep::CreateFolder, || fs::create_dir_all(folder))
            .and_then(|()| {
                let canonical = shared.step(DiskStep::Locate, || canonical(folder))?;
                let claim = shared.claims.claim(canonical.join(name))?;
                let (part, file) = if lasting {
                    open_lasting(lasting_part(folder, name), shared)?
                } else {
                    create_temporary(folder, name, shared)?
                };
                Ok((claim, part, file))
            });
        let (claim, part, file) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                remove_folders(&made);
                return Err(fault);
            }
        };
        let place = Self {
            sidecar: lasting.then(|| with_suffix(&part, ".json")),
            folder: folder.to_owned(),
            part,
            made,
            _claim: claim,
            target,
        };
        Ok((place, file))
    }

    /// Gives a part file with a random name the lasting one, unless another download holds a part of
    /// that name.
    pub(super) fn make_lasting(&mut self, file: &File, shared: &Shared) -> Result<(), DiskFault> {
        let Some(name) = self.target.file_name().filter(|_| self.sidecar.is_none()) else {
            return Ok(());
        };
        // Held until the end of the call, so that no other download locks this name.
        let (part, held) = open_lasting(lasting_part(&self.folder, name), shared)?;
        remove(&with_suffix(&part, ".json"));
        shared.step(DiskStep::Open, || make_private(file))?;
        // Windows does not replace a file that is open.
        let _held = (!cfg!(windows)).then_some(held);
        shared.step(DiskStep::Rename, || replace(&self.part, &part))?;
        self.sidecar = Some(with_suffix(&part, ".json"));
        self.part = part;
        Ok(())
    }

    /// The sidecar, if it is valid, and nobody but the owner of the `part` file can have written it.
    pub(super) fn read_sidecar(&self, part: &File) -> Option<Sidecar> {
        let path = self.sidecar.as_deref()?;
        if !fs::symlink_metadata(path).ok()?.is_file() {
            return None;
        }
        let file = File::open(path).ok()?;
        if !is_private(&file, part).ok()? {
            return None;
        }
        let mut json = Vec::new();
        file.take(sidecar::MAX_BYTES).read_to_end(&mut json).ok()?;
        Sidecar::from_json(&json)
    }

    /// Replaces the sidecar atomically: a reader finds the old one or the new one, never a mixture.
    pub(super) fn write_sidecar(&self, sidecar: &Sidecar) -> io::Result<()> {
        let Some(path) = self.sidecar.as_deref() else {
            return Ok(());
        };
        let new = with_suffix(path, ".new");
        // Left by a crash, or planted; `create_new` follows no link.
        remove(&new);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // It contains a URL, which may be private.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options
            .open(&new)
            .and_then(|mut file| {
                file.write_all(sidecar.to_json().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| replace(&new, path));
        if written.is_err() {
            remove(&new);
        }
        written
    }

    /// Makes renames in the folder survive a power failure, where folders can be synced.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// Gives the part file the target's name. An existing file is replaced atomically.
    ///
    /// In a folder that others can write to, another file may have taken the part's name: that is an error.
    pub(super) fn publish(&self, file: &File) -> io::Result<()> {
        if self.sidecar.is_some() {
            make_public(file, &self.folder);
        }
        self.check_part(file)?;
        replace(&self.part, &self.target)
    }

    /// An error if the open `file` is not the one with the part's name any more: another program removed it, or
    /// its folder, or put another file there.
    pub(super) fn check_part(&self, file: &File) -> io::Result<()> {
        if !is_at(file, &self.part)? {
            // An error of the system says more.
            fs::symlink_metadata(&self.part)?;
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    /// Removes the sidecar, unless the part's name has a file: then both belong to another download.
    pub(super) fn remove_stale_sidecar(&self) {
        let part = fs::symlink_metadata(&self.part);
        if part.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.remove_sidecar();
        }
    }

    fn remove_sidecar(&self) {
        if let Some(path) = &self.sidecar {
            remove(path);
        }
    }

    /// Removes everything that was created. The sidecar is removed first: a part without a sidecar is
    /// never resumed.
    pub(super) fn remove_all(&self) {
        self.remove_sidecar();
        remove(&self.part);
        remove_folders(&self.made);
    }

    /// As [`remove_all`](Self::remove_all), when the part's name does not belong to this download any more.
    pub(super) fn remove_rest(&self) {
        self.remove_stale_sidecar();
        remove_folders(&self.made);
    }
}

/// Opens or creates the file of this name for this download only.
///
/// The lock belongs to the operating system, so it works between processes as well, if the file
/// system has locks.
fn open_lasting(path: PathBuf, shared: &Shared) -> Result<(PathBuf, File), DiskFault> {
    shared
        .step(DiskStep::Open, || open_alone(&path))?
        .map(|file| (path, file))
        .ok_or(DiskFault::AlreadyInUse)
}

/// `None`: another download has it.
fn open_alone(path: &Path) -> io::Result<Option<File>> {
    for _ in 0..ATTEMPTS {
        let (file, is_new) = match new_private_file(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match present_file(path)?
            {
                Some(file) => (file, false),
                None => continue,
            },
            created => (created?, true),
        };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Ok(None);
        }
        // The previous owner may have renamed or removed it between opening and locking.
        if !is_at(&file, path)? {
            continue;
        }
        if is_new || is_ours(&file, path)? {
            return Ok(Some(file));
        }
        // Another user may have planted it, and could change it later. Only its name is removed.
        fs::remove_file(path)?;
    }
    Ok(None)
}

/// A new file with an unpredictable name.
fn create_temporary(
    folder: &Path,
    name: &OsStr,
    shared: &Shared,
) -> Result<(PathBuf, File), DiskFault> {
    let name: String = name.to_string_lossy().chars().take(REPEATED_NAME).collect();
    shared.step(DiskStep::Open, || {
        let random = random_number()?;
        let path = folder.join(format!(".{name}.{random:016x}.part"));
        let file = new_file(&path)?;
        // For the case that it gets the lasting name. No other process can have locked it.
        let _ = file.try_lock();
        Ok((path, file))
    })
}

/// The lasting name can be foreseen, so its file is for its owner only until it is complete.
fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// Opens an existing file without changing it; `None` if it is gone.
fn present_file(path: &Path) -> io::Result<Option<File>> {
    let opened = fs::symlink_metadata(path).and_then(|metadata| {
        if metadata.is_symlink() || has_other_names(path, &metadata)? {
            // Writing would change a file elsewhere. Only this name is removed.
            fs::remove_file(path)?;
            return Ok(None);
        }
        if !metadata.is_file() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Some(file))
    });
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened,
    }
}

/// Whether this process could have created the open file: it has the owner of new files here, and others
/// can neither write to it nor reach it by another name (CWE-379).
fn is_ours(file: &File, path: &Path) -> io::Result<bool> {
    let Some(folder) = path.parent() else {
        return Ok(false);
    };
    let (probe_path, probe) = create_probe(folder)?;
    let is_ours = is_private(file, &probe);
    drop(probe);
    remove(&probe_path);
    is_ours
}

/// A new file, for what new files have here. The caller removes it.
fn create_probe(folder: &Path) -> io::Result<(PathBuf, File)> {
    let path = folder.join(format!(".{:016x}.probe", random_number()?));
    let file = new_file(&path)?;
    Ok((path, file))
}

fn random_number() -> io::Result<u64> {
    let mut random = [0; 8];
    getrandom::getrandom(&mut random).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(random))
}

/// Gives a file the permissions of new files in this folder. If that fails, it stays private.
fn make_public(file: &File, folder: &Path) {
    if cfg!(unix)
        && let Ok((path, probe)) = create_probe(folder)
    {
        let permissions = probe.metadata().map(|metadata| metadata.permissions());
        remove(&path);
        if let Ok(permissions) = permissions {
            let _ = file.set_permissions(permissions);
        }
    }
}

/// The folder's one path. Windows finds none on some file systems; the absolute one has to do there.
fn canonical(folder: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(folder) {
        Err(_) if cfg!(windows) => std::path::absolute(folder),
        found => found,
    }
}

/// `<name>.part`. If the name is so long that the longest suffix does not fit, its end is replaced by a
/// digest.
fn lasting_part(folder: &Path, name: &OsStr) -> PathBuf {
    if name.len() + LONGEST_SUFFIX.len() <= MAX_NAME {
        return with_suffix(&folder.join(name), ".part");
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let digest = format!("{:016x}", hasher.finish());
    let text = name.to_string_lossy();
    let most = MAX_NAME - LONGEST_SUFFIX.len() - digest.len() - 1;
    let start = &text[..text.floor_char_boundary(most)];
    folder.join(format!("{start}.{digest}.part"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut longer = OsString::from(path);
    longer.push(suffix);
    PathBuf::from(longer)
}

/// The folders that creating this one would create, the deepest first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .take_while(|folder| {
            fs::symlink_metadata(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
        .map(Path::to_owned)
        .collect()
}

/// Removes folders that are empty.
fn remove_folders(folders: &[PathBuf]) {
    for folder in folders {
        // A folder with other files is not empty and stays.
        let _ = fs::remove_dir(folder);
    }
}

/// Removes a file. The caller does not depend on whether that succeeds.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::disk::tests::Folder;

    #[test]
    fn a_locked_file_is_not_opened_twice() {
        let folder = Folder::new();
        let path = folder.join("file.part");
        let first = open_alone(&path).unwrap();
        assert!(first.is_some());
        assert!(open_alone(&path).unwrap().is_none());
        drop(first);
        assert!(open_alone(&path).unwrap().is_some());
    }

    #[test]
    fn the_sidecar_of_a_finished_download_is_removed_unless_another_one_has_begun() {
        let folder = Folder::new();
        let disk = crate::transport::disk::Disk::inline();
        let (paths, file) = DownloadPaths::open(folder.join("file"), true, disk.shared()).unwrap();
        let (part, sidecar) = (folder.join("file.part"), folder.join("file.part.json"));
        fs::write(&sidecar, "{}").unwrap();
        paths.publish(&file).unwrap();
        fs::write(&part, "another").unwrap();
        paths.remove_stale_sidecar();
        assert!(sidecar.exists());
        fs::remove_file(part).unwrap();
        paths.remove_stale_sidecar();
        assert!(!sidecar.exists());
    }
}
