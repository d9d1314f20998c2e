//! `httpoll-bindgen INPUT.wasm FOLDER [--strip]`: writes FOLDER/NAME.js and FOLDER/NAME_bg.wasm, an ES module for
//! browsers. `--strip` leaves out the names of functions, which only backtraces need, and the list of producers.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, folder, is_stripped) = match arguments.as_slice() {
        [input, folder] => (input, folder, false),
        [input, folder, strip] if strip == "--strip" => (input, folder, true),
        _ => {
            eprintln!("usage: httpoll-bindgen INPUT.wasm FOLDER [--strip]");
            return ExitCode::FAILURE;
        }
    };
    let mut bindgen = Bindgen::new();
    let made = bindgen
        .input_path(input)
        .typescript(false)
        .remove_name_section(is_stripped)
        .remove_producers_section(is_stripped)
        .web(true)
        .and_then(|bindgen| bindgen.generate(folder));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("httpoll-bindgen: {input}: {error:?}");
            ExitCode::FAILURE
        }
    }
}
