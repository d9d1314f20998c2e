//! Where heads and content go: standard output, or a file that is created with the first write.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use httpoll::proto::{FieldLines, ResponseHead};

use crate::address::Address;
use crate::exit_status::{Failure, WRITE_ERROR};
use crate::options::{Group, Output as Wanted};

/// One destination.
#[derive(Debug)]
pub(crate) struct Output {
    path: Option<PathBuf>,
    file: Option<File>,
    appends: bool,
    makes_folders: bool,
    /// Bytes that a terminal may still get before output counts as text.
    unchecked: usize,
}

/// Like curl, only the beginning of the output is checked for being binary.
const CHECKED_BYTES: usize = 2000;

impl Output {
    /// The destination of a URL's content.
    pub(crate) fn of(group: &Group, index: usize, address: &Address) -> Result<Self, Failure> {
        let name = match group.output(index) {
            None => {
                let is_terminal = io::stdout().is_terminal();
                return Ok(Self {
                    unchecked: if is_terminal { CHECKED_BYTES } else { 0 },
                    ..Self::to(None)
                });
            }
            // "-o -" asks for the terminal whatever the content is.
            Some(Wanted::File(name)) if name == "-" => return Ok(Self::to(None)),
            Some(Wanted::File(name)) => name,
            Some(Wanted::RemoteName) => address
                .file_name()
                .ok_or_else(|| Failure::new(WRITE_ERROR, "Remote file name has no length!"))?,
        };
        let folder = group.output_dir.as_deref().unwrap_or_default();
        Ok(Self {
            makes_folders: group.create_dirs,
            ..Self::to(Some(Path::new(folder).join(name)))
        })
    }

    /// The destination of `-D`. Only the first transfer of a group truncates the file.
    pub(crate) fn of_heads(path: &str, appends: bool) -> Self {
        Self {
            appends,
            ..Self::to((path != "-").then(|| path.into()))
        }
    }

    fn to(path: Option<PathBuf>) -> Self {
        Self {
            path,
            file: None,
            appends: false,
            makes_folders: false,
            unchecked: 0,
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        self.path.is_none()
    }

    pub(crate) fn name(&self) -> String {
        let path = self.path.as_deref();
        path.map_or_else(String::new, |path| path.display().to_string())
    }

    /// The length of an existing file.
    pub(crate) fn length(&self) -> u64 {
        let path = self.path.as_deref();
        let found = path.and_then(|path| std::fs::metadata(path).ok());
        found.map_or(0, |found| found.len())
    }

    /// Appends to the file.
    pub(crate) fn append(&mut self) {
        self.appends = true;
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let checked = bytes.get(..self.unchecked).unwrap_or(bytes);
        if checked.contains(&0) {
            return Err(Failure::new(
                WRITE_ERROR,
                "Binary output can mess up your terminal. Use \"--output -\" to tell fetch to output it to \
                 your terminal anyway, or consider \"--output <FILE>\" to save to a file.",
            ));
        }
        self.unchecked -= checked.len();
        let written = match &self.path {
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Some(_) => self.open().and_then(|file| file.write_all(bytes)),
        };
        written.map_err(|error| {
            let name = self.name();
            let place = if name.is_empty() {
                "standard output"
            } else {
                &name
            };
            Failure::file(WRITE_ERROR, place, &error)
        })
    }

    /// Creates the file although nothing was written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if self.path.is_none() {
            return Ok(());
        }
        let opened = self.open().map(|_| ());
        opened.map_err(|error| Failure::file(WRITE_ERROR, &self.name(), &error))
    }

    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let path = self.path.as_deref().unwrap_or(Path::new(""));
            if let Some(folder) = path.parent().filter(|_| self.makes_folders) {
                std::fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .append(self.appends)
                .truncate(!self.appends)
                .open(path)?;
            return Ok(self.file.insert(file));
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A response head as on the wire.
pub(crate) fn head_text(head: &ResponseHead) -> Vec<u8> {
    let (status, reason) = (head.status.as_str(), &head.reason);
    let mut text = format!("{:?} {status} {reason}\r\n", head.version).into_bytes();
    text.extend(lines_text(&head.fields));
    text.extend_from_slice(b"\r\n");
    text
}

/// Field lines as on the wire.
pub(crate) fn lines_text(fields: &FieldLines) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in fields.iter() {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text
}
