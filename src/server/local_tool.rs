//! [`LocalTool`]: a server that only the tools of one user on one machine can use, made in one call.
//!
//! It puts together what other modules hold: a loopback address, the guard against web pages, a token of the
//! run, the search for a free port, and the file by which tools find it.

use std::io;
use std::path::{Path, PathBuf};

use super::Server;
use super::builder::ServerBuilder;
use super::guard::{Guard, RunToken, TokenScope};
use super::port_file::private_file::read_private;
use super::port_file::{PortCandidates, PortFile, WrittenPortFile};
use crate::error::{Error, Misuse, NetworkFault};

/// The first of the ports that names are spread over, and their number. They are below those that systems give
/// to clients.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;

/// How many ports in a row are tried before any other.
const TRIES: u16 = 10;

/// The longest name of a tool.
const NAME_BYTES: usize = 64;

/// A server for the tools of one user on one machine, made by [`ServerBuilder::local_tool`]. Dropping it closes
/// the server and deletes the port file.
#[derive(Debug)]
pub struct LocalTool {
    /// The server. Add routes, and poll it.
    pub server: Server,
    token: RunToken,
    port_file: WrittenPortFile,
}

impl LocalTool {
    /// The token that every request needs: as `Authorization: Bearer`, in the field `X-Run-Token`, or, once, in
    /// the query parameter `token`.
    pub fn token(&self) -> &RunToken {
        &self.token
    }

    /// The file that tells other programs of this user the port and the token.
    pub fn port_file(&self) -> &WrittenPortFile {
        &self.port_file
    }

    /// A link that opens a page of the server in a browser. It holds the token and works once.
    pub fn url(&self, path: &str) -> String {
        let (address, token) = (self.server.local_addr(), self.token.as_str());
        format!("http://{address}{path}?token={token}")
    }

    /// Finds the tool with this name that runs for this user: its port and its token. `None` if no port file exists. A
    /// tool that was killed leaves its file behind: then connecting to the port fails, or the server there refuses
    /// the token.
    ///
    /// # Errors
    /// [`Misuse::InvalidToolName`] when the name is not allowed; [`NetworkFault::System`] when the file cannot be
    /// read or is not a port file, or when another user may have made it. The text names the file.
    pub fn find(name: &str) -> Result<Option<PortFile>, Error> {
        let path = path_of(name)?;
        let text = match read_private(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        match PortFile::parse(&text) {
            Ok(file) => Ok(Some(file)),
            Err(invalid) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, invalid);
                Err(failed("read", &path, &error))
            }
        }
    }
}

impl ServerBuilder {
    /// Listens for the tools of this user on this machine, as safely as that is possible in one call:
    ///
    /// * at a loopback address, so that no other machine reaches it;
    /// * with the [guard](Guard::local), so that no web page reaches it, whatever its name resolves to;
    /// * with a random [token](LocalTool::token) that every request needs, so that no other user of the machine
    ///   can use it. Also one that [`guard`](Self::guard) set gets the token;
    /// * at a port that depends on the name and is therefore usually the same; if it and the next nine are in use,
    ///   at any free port;
    /// * with a [port file](LocalTool::port_file) that only this user can read, by which
    ///   [`LocalTool::find`] finds port and token. It is in the user's folder for run-time files
    ///   (`XDG_RUNTIME_DIR`, `LOCALAPPDATA`), or else in the folder for temporary files.
    ///
    /// The name has 1 to 64 letters, digits, `-` and `_`. A tool that is started twice listens at two ports; the
    /// file names the latest.
    ///
    /// ```
    /// use httpoll::server::{LocalTool, Request, Response, Server};
    ///
    /// let mut tool = Server::builder().local_tool("level-editor-sample")?;
    /// tool.server.route("GET", "/level", |_: &mut Request| Response::text("castle"))?;
    /// println!("open {}", tool.url("/level"));
    /// // In another program of the same user:
    /// let found = LocalTool::find("level-editor-sample")?.unwrap();
    /// assert_eq!(found.port, tool.server.local_addr().port());
    /// // Once a frame:
    /// tool.server.poll()?;
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Misuse::InvalidToolName`] when the name is not allowed; as [`bind`](Self::bind);
    /// [`NetworkFault::System`] when the port file cannot be written, or the system gives no random numbers.
    pub fn local_tool(self, name: &str) -> Result<LocalTool, Error> {
        let path = path_of(name)?;
        let mut random = [0; 32];
        getrandom::getrandom(&mut random).map_err(|error| {
            let error = io::Error::other(error);
            Error::io(NetworkFault::System, error)
        })?;
        let token = RunToken::from_random(random);
        let mut server = self.bind_first(ports_of(name))?;
        let guard = std::mem::replace(&mut server.app.guard, Guard::open());
        server.set_guard(guard.require_token(token.clone(), TokenScope::EveryRequest));
        let port_file = PortFile::new(server.local_addr().port())
            .token(token.as_str())
            .write(&path)
            .map_err(|error| failed("write", &path, &error))?;
        Ok(LocalTool {
            server,
            token,
            port_file,
        })
    }
}

/// The ports to try for this name, which are the same in each run.
fn ports_of(name: &str) -> PortCandidates {
    // FNV-1a.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let place = u16::try_from(hash % u32::from(PORTS)).unwrap_or_default();
    let first = FIRST_PORT + place;
    PortCandidates::new(first)
        .within(first + 1..=first + TRIES - 1)
        .or_any()
}

/// Where the port file of this name is.
fn path_of(name: &str) -> Result<PathBuf, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(is_allowed) {
        return Err(Misuse::InvalidToolName.into());
    }
    let folders = ["XDG_RUNTIME_DIR", "LOCALAPPDATA"];
    let folder = folders
        .into_iter()
        .filter_map(|name| std::env::var_os(name).map(PathBuf::from))
        .find(|folder| folder.is_absolute() && folder.is_dir());
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    Ok(folder.join(format!("{name}.httpoll-port.json")))
}

/// The port file cannot be read or written.
fn failed(step: &str, path: &Path, error: &io::Error) -> Error {
    let text = format!("cannot {step} the port file {}: {error}", path.display());
    Error::io(NetworkFault::System, io::Error::new(error.kind(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_ports_in_each_run() {
        let ports: Vec<u16> = ports_of("level-editor").collect();
        assert_eq!(ports, ports_of("level-editor").collect::<Vec<_>>());
        assert_eq!(ports.len(), usize::from(TRIES) + 1);
        assert_eq!(ports.last(), Some(&0), "any free port at the end");
        assert!((20_000..30_009).contains(&ports[0]));
        assert_ne!(ports[0], ports_of("level-viewer").next().unwrap_or(0));
    }

    #[test]
    fn a_name_cannot_lead_out_of_its_folder() {
        for name in ["", "../x", "a/b", "a\\b", "a.b", "ä", &"a".repeat(65)] {
            let error = path_of(name).unwrap_err();
            let expected = crate::error::ErrorKind::Misuse(Misuse::InvalidToolName);
            assert_eq!(*error.kind(), expected, "{name}");
        }
        assert!(path_of("Level_editor-2").is_ok());
    }
}
