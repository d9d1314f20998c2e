//! The command line.

use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Options {
    /// The client begins on a thread of its own.
    pub on_thread: bool,
    /// The demonstration is played.
    pub demo: bool,
    /// Frames do not wait for the display.
    pub no_vsync: bool,
    /// No window: the server for the page, at this port.
    pub serve: Option<u16>,
    /// The folder of the page.
    pub page: Option<PathBuf>,
}

const HELP: &str = "\
A game that patches itself, streams pictures, polls a leaderboard and chats, all over HTTP and inside
its frames. It brings its own server, and works offline.

usage: space_patcher [--demo] [--on-thread] [--no-vsync]
       space_patcher --serve PORT [--page DIR]

  --demo        plays by itself: faults come and go, the patch is paused
  --on-thread   begins with the HTTP client on a thread of its own
  --no-vsync    draws as many frames as it can
  --serve PORT  no window: serves at 127.0.0.1 what the game's web page needs; 0 is a free port
  --page DIR    the folder with the page; default: web/pkg beside the sources
  --help        prints this text
  --version     prints the version

Keys: space pauses the patch, P publishes the next version, 1 to 4 switch faults on and off, T moves
HTTP to a thread and back, H says hello, Enter writes a message. The arrow keys or the mouse steer.";

impl Options {
    /// `None` when only help is wanted.
    pub fn parse() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self::default();
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                Long("version") | Short('V') => {
                    println!("space_patcher {}", env!("CARGO_PKG_VERSION"));
                    return Ok(None);
                }
                Long("demo") => options.demo = true,
                Long("on-thread") => options.on_thread = true,
                Long("no-vsync") => options.no_vsync = true,
                Long("serve") => {
                    let port = arguments.value()?.string()?;
                    let port = port.parse().map_err(|_| format!("{port} is not a port"))?;
                    options.serve = Some(port);
                }
                Long("page") => options.page = Some(arguments.value()?.into()),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(options))
    }
}
