//! Writes the manifest of a folder, for `httpoll::patch`: put both on a web server.
//!
//! ```sh
//! cargo run --release --features patch --example manifest -- game-data > manifest.json
//! ```

use std::error::Error;
use std::process::ExitCode;

use httpoll::patch::manifest_of;

#[macro_use]
mod offline;

const HELP: &str = "\
Writes the manifest of all files of a folder to the standard output.

usage: manifest [--blocks BYTES] FOLDER

  --blocks BYTES   the size of the blocks that a patch can repair, 1024 to 16777216; 0 for none;
                   default: 65536
  --help           prints this text
  --version        prints the version";

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("manifest: {wrong}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    use lexopt::prelude::*;

    let mut blocks = 65_536;
    let mut folder = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(format!("{HELP}\n")),
            Long("version") | Short('V') => {
                return Ok(format!("manifest {}\n", env!("CARGO_PKG_VERSION")));
            }
            Long("blocks") => {
                let value = arguments.value()?;
                let is_valid = |bytes: &u64| *bytes == 0 || (1024..=16_777_216).contains(bytes);
                let bytes = value.parse().ok().filter(is_valid);
                blocks =
                    bytes.ok_or("--blocks is 0, or from 1024 to 16777216; see manifest --help")?;
            }
            Value(value) if folder.is_none() => folder = Some(value),
            other => return Err(format!("{}; see manifest --help", other.unexpected()).into()),
        }
    }
    let folder = folder.ok_or("the folder is missing; see manifest --help")?;
    Ok(manifest_of(folder, Some(blocks))?.to_json())
}
