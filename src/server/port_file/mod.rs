//! How the tools of one machine find a server whose port is not fixed: the ports to try, and a small JSON
//! file that reports the port.

pub(in crate::server) mod private_file;

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use private_file::{create_private, read_small};

/// The ports to try in order: the preferred one, then those of a range, then any free port.
///
/// ```
/// use httpoll::server::port_file::PortCandidates;
///
/// let ports: Vec<u16> = PortCandidates::new(8080).within(8080..=8082).or_any().collect();
/// assert_eq!(ports, [8080, 8081, 8082, 0]);
/// ```
#[derive(Clone, Debug)]
pub struct PortCandidates {
    preferred: u16,
    next: Next,
    range: Option<RangeInclusive<u16>>,
    ends_with_any: bool,
}

/// What a server reports to tools about itself. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortFile {
    /// The port it listens on.
    pub port: u16,
    /// The server's process, so that a reader can recognise a file that was left behind.
    pub process: u32,
    /// The token of this run, if the server requires one.
    pub token: Option<String>,
}

/// A port file on disk. Dropping this deletes the file, unless another server has replaced it.
#[derive(Debug)]
pub struct WrittenPortFile {
    path: PathBuf,
    file: PortFile,
}

/// The text is not a port file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPortFile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Preferred,
    Range,
    Done,
}

impl PortCandidates {
    /// Tries only this port.
    pub fn new(preferred: u16) -> Self {
        Self {
            preferred,
            next: Next::Preferred,
            range: None,
            ends_with_any: false,
        }
    }

    /// Then each of these, in order.
    #[must_use]
    pub fn within(mut self, range: RangeInclusive<u16>) -> Self {
        self.range = Some(range);
        self
    }

    /// Tries any free port at the end: port 0, for which the system chooses.
    #[must_use]
    pub fn or_any(mut self) -> Self {
        self.ends_with_any = true;
        self
    }
}

impl Iterator for PortCandidates {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            match self.next {
                Next::Preferred => {
                    self.next = Next::Range;
                    // Port 0 always succeeds, so it comes last.
                    if self.preferred != 0 {
                        return Some(self.preferred);
                    }
                    self.ends_with_any = true;
                }
                Next::Range => match self.range.as_mut().and_then(Iterator::next) {
                    Some(port) if port == 0 || port == self.preferred => {}
                    Some(port) => return Some(port),
                    None => {
                        self.next = Next::Done;
                        if self.ends_with_any {
                            return Some(0);
                        }
                    }
                },
                Next::Done => return None,
            }
        }
    }
}

impl PortFile {
    /// For this process, without a token.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            process: std::process::id(),
            token: None,
        }
    }

    /// Adds the token that the server requires.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The file's text: a JSON object with `port`, `process` and, if there is one, `token`.
    pub fn to_text(&self) -> String {
        let mut file = json!({ "port": self.port, "process": self.process });
        if let Some(token) = &self.token {
            file["token"] = json!(token);
        }
        file.to_string()
    }

    /// Reads the text of a port file. Unknown members are ignored.
    pub fn parse(text: &str) -> Result<Self, InvalidPortFile> {
        let file: Value = serde_json::from_str(text).map_err(|_| InvalidPortFile)?;
        let number = |name: &str| file.get(name).and_then(Value::as_u64);
        let token = match file.get("token") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.clone()),
            Some(_) => return Err(InvalidPortFile),
        };
        match (
            number("port").map(u16::try_from),
            number("process").map(u32::try_from),
        ) {
            (Some(Ok(port)), Some(Ok(process))) if port > 0 => Ok(Self {
                port,
                process,
                token,
            }),
            _ => Err(InvalidPortFile),
        }
    }

    /// Writes the file so that a reader sees all of it or nothing: the file is written next to its place, then
    /// moved there. Only its owner can read it (on Unix; elsewhere choose a private folder of the user). A file
    /// that exists there is replaced.
    ///
    /// The file is small, but this writes to disk: call it once, when the server is bound.
    pub fn write(&self, path: impl Into<PathBuf>) -> io::Result<WrittenPortFile> {
        let path = path.into();
        let mut beside = path.clone().into_os_string();
        beside.push(format!(".{}", self.process));
        let beside = PathBuf::from(beside);
        let written =
            write_new(&beside, self.to_text().as_bytes()).and_then(|()| fs::rename(&beside, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        Ok(WrittenPortFile {
            path,
            file: self.clone(),
        })
    }
}

impl WrittenPortFile {
    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WrittenPortFile {
    fn drop(&mut self) {
        let on_disk = read_small(&self.path);
        if on_disk.is_ok_and(|text| PortFile::parse(&text).as_ref() == Ok(&self.file)) {
            // A failure cannot be reported here. The process number in the file shows a reader that it is stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for PortFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortFile")
            .field("port", &self.port)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for InvalidPortFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no port file: a JSON object with the numbers port and process")
    }
}

impl std::error::Error for InvalidPortFile {}

/// Writes a file that only its owner can read. A leftover of an earlier process with the same number is
/// removed and never opened: it could be a link to another file.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_private(path)?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("httpoll-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn ports_to_try() {
        for (hunt, expected) in [
            (PortCandidates::new(8080), &[8080][..]),
            (PortCandidates::new(0), &[0]),
            (PortCandidates::new(8080).or_any(), &[8080, 0]),
            (PortCandidates::new(9).within(7..=10), &[9, 7, 8, 10]),
            (PortCandidates::new(9).within(7..=8).or_any(), &[9, 7, 8, 0]),
            (PortCandidates::new(0).within(7..=8), &[7, 8, 0]),
            (PortCandidates::new(0).within(0..=1), &[1, 0]),
            (
                PortCandidates::new(65535).within(65534..=65535),
                &[65535, 65534],
            ),
        ] {
            assert_eq!(hunt.clone().collect::<Vec<_>>(), expected, "{hunt:?}");
        }
    }

    #[test]
    fn text_is_written_and_read_back() {
        let file = PortFile::new(8080);
        assert_eq!(PortFile::parse(&file.to_text()), Ok(file.clone()));
        let file = file.token("s\"e");
        assert_eq!(PortFile::parse(&file.to_text()), Ok(file.clone()));
        assert!(!format!("{file:?}").contains("s\\\"e"));
    }

    #[test]
    fn invalid_port_files() {
        for text in [
            "",
            "8080",
            "{}",
            r#"{"port":8080}"#,
            r#"{"process":1}"#,
            r#"{"port":0,"process":1}"#,
            r#"{"port":65536,"process":1}"#,
            r#"{"port":"8080","process":1}"#,
            r#"{"port":8080,"process":-1}"#,
            r#"{"port":8080,"process":1,"token":7}"#,
        ] {
            assert_eq!(PortFile::parse(text), Err(InvalidPortFile), "{text}");
        }
        let text = r#"{"port":8080,"process":1,"token":null,"more":[]}"#;
        assert_eq!(PortFile::parse(text).unwrap().port, 8080);
    }

    #[test]
    fn written_whole_and_deleted_on_drop() {
        let folder = folder("port-file");
        let path = folder.join("game.port");
        fs::write(&path, "old").unwrap();
        let file = PortFile::new(8080).token("sesame");
        let written = file.write(&path).unwrap();
        assert_eq!(written.path(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), file.to_text());
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "no other file is left in the folder"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        drop(written);
        assert!(!path.exists());

        let first = file.write(&path).unwrap();
        let second = PortFile::new(8081).write(&path).unwrap();
        drop(first);
        assert!(path.exists(), "it is the other server's now");
        drop(second);
        assert!(!path.exists());
        let error = file.write(folder.join("missing/game.port")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        fs::remove_dir_all(folder).unwrap();
    }
}
