//! [`DiskFault`]: what can go wrong with files. The path is not part of the fault; an
//! [`Error`](crate::Error) adds it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why a download did not become a file, or a file could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiskFault {
    /// The operating system refused a step: no permission, no space, a missing or broken disk.
    Io {
        /// The step that failed.
        step: DiskStep,
        /// The kind of the operating system's error.
        kind: io::ErrorKind,
        /// The operating system's error number, if there is one.
        os_error: Option<i32>,
    },
    /// The content has not the expected length.
    SizeMismatch {
        /// Bytes that were required or announced.
        expected: u64,
        /// Bytes that were found or announced.
        found: u64,
    },
    /// The content has not the expected SHA-256. The downloaded part was removed.
    HashMismatch {
        /// The required digest.
        expected: [u8; 32],
        /// The digest of the content.
        found: [u8; 32],
    },
    /// Another download, here or in another process, is writing the same target.
    AlreadyInUse,
    /// Another program, such as a virus scanner, has the target open, and the system cannot replace it meanwhile. Only
    /// on Windows, after several attempts.
    TargetInUse,
    /// The target path does not end in a file name.
    NoFileName,
    /// A name in the path means something else: a device (`NUL`, `com1.txt`), a stream (`a.txt:b`), or the name
    /// without the dot or space at its end. Only on Windows.
    ReservedName,
    /// The path names a folder, a device or a pipe where a file is needed.
    NotAFile,
    /// The content continues at a place that the part file does not reach: bytes are missing
    /// between the two.
    Gap {
        /// Bytes that the part file holds.
        held: u64,
        /// Where the content continues.
        offset: u64,
    },
    /// The browser lets this origin store no more. Remove files, or let the player allow more with
    /// `navigator.storage.persist()`.
    QuotaExceeded,
    /// The page has no origin private file system: it is neither `https` nor on loopback, the browser is too old, or
    /// the window is private, which Firefox and Safari forbid files.
    NoFileSystem,
    /// A SHA-256 was required, but the crate was built without the feature `sha256`.
    HashUnsupported,
}

/// The step of file work that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiskStep {
    /// Starting the thread that does all file work.
    StartWorker,
    /// Finding out the absolute path.
    Locate,
    /// Making the parent folders.
    CreateFolder,
    /// Opening the file, or making the part file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Cutting the part file to the length at which it continues.
    Truncate,
    /// Writing the information for resuming next to the part file.
    WriteSidecar,
    /// Flushing the content to the disk, so that it survives a power failure.
    Sync,
    /// Giving the finished file its name.
    Rename,
    /// Adding a file to a set by a hard link.
    Link,
    /// Removing files that are not needed any more.
    Remove,
}

impl DiskFault {
    pub(crate) fn io(step: DiskStep, error: &io::Error) -> Self {
        if cfg!(windows) && step == DiskStep::Rename && error.kind() == io::ErrorKind::ResourceBusy
        {
            return Self::TargetInUse;
        }
        Self::Io {
            step,
            kind: error.kind(),
            os_error: error.raw_os_error(),
        }
    }

    /// The kind for [`io::Error`]: the operating system's, or what comes closest.
    pub fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { kind, .. } => *kind,
            Self::SizeMismatch { expected, found } if found < expected => {
                io::ErrorKind::UnexpectedEof
            }
            Self::SizeMismatch { .. } | Self::HashMismatch { .. } | Self::Gap { .. } => {
                io::ErrorKind::InvalidData
            }
            Self::AlreadyInUse | Self::TargetInUse => io::ErrorKind::ResourceBusy,
            Self::NoFileName | Self::NotAFile | Self::ReservedName => io::ErrorKind::InvalidInput,
            Self::QuotaExceeded => io::ErrorKind::QuotaExceeded,
            Self::HashUnsupported | Self::NoFileSystem => io::ErrorKind::Unsupported,
        }
    }

    /// Whether the disk, or the user's share of it, has no space left.
    pub(crate) fn is_storage_full(&self) -> bool {
        matches!(
            self.io_kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Whether the downloaded content is useless: no more content can fix it.
    #[cfg(feature = "agent")]
    pub(crate) fn spoils_content(&self) -> bool {
        match self {
            Self::HashMismatch { .. } => true,
            Self::SizeMismatch { expected, found } => found > expected,
            _ => false,
        }
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                step,
                os_error: Some(code),
                ..
            } => write!(
                f,
                "could not {step}: {}",
                io::Error::from_raw_os_error(*code)
            ),
            Self::Io { step, kind, .. } => write!(f, "could not {step}: {kind}"),
            Self::SizeMismatch { expected, found } => {
                write!(f, "expected {expected} bytes but found {found}")
            }
            Self::HashMismatch { expected, found } => write!(
                f,
                "expected the SHA-256 {} but found {}",
                Hex(expected),
                Hex(found)
            ),
            Self::AlreadyInUse => f.write_str("another download is writing the same file"),
            Self::TargetInUse => f.write_str(
                "another program has the file open, so it cannot be replaced; try again later",
            ),
            Self::ReservedName => f.write_str(
                "a name in the path means a device, a stream or another file on Windows",
            ),
            Self::NoFileName => f.write_str("the path does not end in a file name"),
            Self::NotAFile => f.write_str("the path does not name a regular file"),
            Self::Gap { held, offset } => write!(
                f,
                "the part file holds {held} bytes, but the content continues at {offset}"
            ),
            Self::QuotaExceeded => f.write_str(
                "the browser lets this origin store no more: remove files, or ask the player for more space with \
                 navigator.storage.persist()",
            ),
            Self::NoFileSystem => f.write_str(
                "the page has no origin private file system: it needs https or loopback, a recent browser, and in \
                 Firefox and Safari a window that is not private",
            ),
            Self::HashUnsupported => {
                f.write_str("checking a SHA-256 needs the crate's feature sha256")
            }
        }
    }
}

impl StdError for DiskFault {}

impl From<DiskFault> for io::Error {
    fn from(fault: DiskFault) -> Self {
        Self::new(fault.io_kind(), fault)
    }
}

impl fmt::Display for DiskStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartWorker => "start the thread for files",
            Self::Locate => "determine the absolute path of the file",
            Self::CreateFolder => "make the parent folders",
            Self::Open => "open the file",
            Self::Read => "read the file",
            Self::Write => "write the file",
            Self::Truncate => "cut the part file to its length",
            Self::WriteSidecar => "write down how to resume",
            Self::Sync => "flush the file to the disk",
            Self::Rename => "rename the finished file to its name",
            Self::Link => "link the file",
            Self::Remove => "remove the file",
        })
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
