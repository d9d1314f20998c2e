//! `println!`, `print!` and `eprintln!` for programs whose output goes into a pipe, as in `topic --help | head -1`.
//!
//! Those of the standard library panic when nobody reads any more. These end the program without a word, as other
//! programs do on Unix. A module that is declared below `#[macro_use] mod offline` uses them without an import.

#![allow(unused_macros)]

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::exit;

/// The status that a shell reports when SIGPIPE ended a program.
const NOBODY_READS: i32 = 128 + 13;

macro_rules! print {
    ($($text:tt)*) => {
        $crate::offline::print::to_stdout(format_args!($($text)*))
    };
}

macro_rules! println {
    () => {
        $crate::offline::print::to_stdout(format_args!("\n"))
    };
    ($($text:tt)*) => {
        $crate::offline::print::to_stdout(format_args!("{}\n", format_args!($($text)*)))
    };
}

macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::offline::print::to_stderr(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Writes to the standard output. If that is impossible, the program ends.
pub fn to_stdout(text: fmt::Arguments<'_>) {
    match io::stdout().write_fmt(text) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(NOBODY_READS),
        Err(error) => {
            to_stderr(format_args!(
                "cannot write to the standard output: {error}\n"
            ));
            exit(1)
        }
    }
}

/// Writes to the standard error. There is nobody to tell if that fails.
pub fn to_stderr(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}
