//! A rename that replaces its target. On Windows that fails while another program has the target open, as virus
//! scanners do for moments with every new file. So it is tried again a few times there.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The pauses between the attempts. Each is twice as long as the one before it: 310 ms in all.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
];

/// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION` of Windows, which have no [`io::ErrorKind`].
const SHARING_ERRORS: [i32; 2] = [32, 33];

/// Renames `from` to `to`, and replaces a file of that name. The pauses block the disk worker, never a frame.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] if `to` stays open in another program.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    if cfg!(windows) {
        persist(to, || fs::rename(from, to), thread::sleep)
    } else {
        fs::rename(from, to)
    }
}

fn persist(
    to: &Path,
    mut rename: impl FnMut() -> io::Result<()>,
    mut pause: impl FnMut(Duration),
) -> io::Result<()> {
    for duration in PAUSES {
        match rename() {
            Err(error) if may_be_open(&error) => pause(duration),
            renamed => return renamed,
        }
    }
    rename().map_err(|error| match fs::metadata(to) {
        // What cannot be written at all has another cause, and no later attempt helps.
        Ok(target)
            if may_be_open(&error) && target.is_file() && !target.permissions().readonly() =>
        {
            io::Error::new(io::ErrorKind::ResourceBusy, error)
        }
        _ => error,
    })
}

fn may_be_open(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
        || error
            .raw_os_error()
            .is_some_and(|code| SHARING_ERRORS.contains(&code))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::transport::disk::tests::Folder;

    /// The result, and how many attempts and which pauses there were, if the first attempts fail so.
    fn attempt(
        to: &Path,
        failures: usize,
        failure: io::ErrorKind,
    ) -> (Result<(), io::ErrorKind>, usize, Duration) {
        let (mut attempts, mut paused) = (0, Duration::ZERO);
        let result = persist(
            to,
            || {
                attempts += 1;
                if attempts <= failures {
                    return Err(failure.into());
                }
                Ok(())
            },
            |pause| paused += pause,
        );
        (result.map_err(|error| error.kind()), attempts, paused)
    }

    #[test]
    fn a_target_that_is_open_for_a_moment_is_replaced() {
        let folder = Folder::new();
        let to = folder.join("file");
        fs::write(&to, "old").unwrap();
        let denied = io::ErrorKind::PermissionDenied;
        assert_eq!(attempt(&to, 0, denied), (Ok(()), 1, Duration::ZERO));
        let two_pauses = PAUSES[0] + PAUSES[1];
        assert_eq!(attempt(&to, 2, denied), (Ok(()), 3, two_pauses));
        let all = PAUSES.iter().sum();
        assert_eq!(attempt(&to, 5, denied), (Ok(()), 6, all));
    }

    #[test]
    fn a_target_that_stays_open_is_busy() {
        let folder = Folder::new();
        let to = folder.join("file");
        fs::write(&to, "old").unwrap();
        let denied = io::ErrorKind::PermissionDenied;
        let all = PAUSES.iter().sum();
        let busy = Err(io::ErrorKind::ResourceBusy);
        assert_eq!(attempt(&to, usize::MAX, denied), (busy, 6, all));
        // Nobody has open what is not there, or what is a folder.
        let folder_error = (Err(denied), 6, all);
        assert_eq!(attempt(&folder.join("none"), 9, denied), folder_error);
        assert_eq!(attempt(&folder.join(""), 9, denied), folder_error);
        // Nor is it retried when something else is wrong.
        let full = io::ErrorKind::StorageFull;
        assert_eq!(attempt(&to, 9, full), (Err(full), 1, Duration::ZERO));
    }

    /// Elsewhere an open file is replaced at once.
    #[cfg(windows)]
    #[test]
    fn a_file_that_another_program_has_open_is_not_replaced() {
        use std::os::windows::fs::OpenOptionsExt;
        let folder = Folder::new();
        let (from, to) = (folder.join("new"), folder.join("file"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        // Others may read it, but not remove it.
        let open = fs::OpenOptions::new().read(true).share_mode(1).open(&to);
        let error = replace(&from, &to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(fs::read(&to).unwrap(), b"old");
        drop(open);
        replace(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
    }
}
