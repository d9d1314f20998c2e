//! `println!`, `print!` and `eprintln!` for programs whose output goes into a pipe, as in `topic --help | head -1`.
//!
//! Those of the standard library panic when nobody reads any more. These end the program and print nothing, with the
//! status that a shell reports for a program that SIGPIPE ended. A program declares this file as a module with
//! `#[macro_use]`, before its other modules.

#![allow(unused_macros)]

macro_rules! print {
    ($($text:tt)*) => {{
        use ::std::io::{ErrorKind, Write as _};
        match ::std::write!(::std::io::stdout(), $($text)*) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => ::std::process::exit(128 + 13),
            Err(error) => {
                eprintln!("cannot write to the standard output: {error}");
                ::std::process::exit(1)
            }
        }
    }};
}

macro_rules! println {
    () => {
        print!("\n")
    };
    ($($text:tt)*) => {
        print!("{}\n", ::std::format_args!($($text)*))
    };
}

/// If standard error cannot be written either, the message is lost.
macro_rules! eprintln {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stderr(), $($text)*);
    }};
}
