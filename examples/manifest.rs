//! Writes the manifest of a folder, for `httpoll::patch`: put both on a web server.
//!
//! ```sh
//! cargo run --release --features patch --example manifest -- game-data > manifest.json
//! ```

use std::process::ExitCode;

use httpoll::patch::manifest_of;

const HELP: &str = "\
Writes the manifest of all files of a folder to the standard output.

usage: manifest [--blocks BYTES] FOLDER

  --blocks BYTES   the size of the blocks that a patch can repair, 1024 to 16777216; 0 for none;
                   default: 65536
  --help           shows this text";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("manifest: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let mut blocks = 65_536;
    let mut folder = None;
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--help" | "-h" => return Ok(format!("{HELP}\n")),
            "--blocks" => {
                let value = arguments.next().ok_or("--blocks needs a number of bytes")?;
                blocks = value
                    .parse()
                    .map_err(|_| format!("{value} is not a number of bytes"))?;
            }
            _ if argument.starts_with("--") => return Err(format!("unknown option {argument}")),
            _ => folder = Some(argument),
        }
    }
    let folder = folder.ok_or("the folder is missing; see manifest --help")?;
    let manifest = manifest_of(folder, Some(blocks)).map_err(|error| error.to_string())?;
    Ok(manifest.to_json())
}
