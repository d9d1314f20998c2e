//! `httpoll-bindgen INPUT.wasm FOLDER`: writes FOLDER/NAME.js and FOLDER/NAME_bg.wasm, an ES module for browsers.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, folder] = arguments.as_slice() else {
        eprintln!("usage: httpoll-bindgen INPUT.wasm FOLDER");
        return ExitCode::FAILURE;
    };
    let mut bindgen = Bindgen::new();
    let made = bindgen
        .input_path(input)
        .typescript(false)
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
