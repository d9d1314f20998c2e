//! A command-line client in curl's spelling over [`httpoll::Agent`]: black-box access to all that the
//! agent does, and a means to compare it with curl.
//!
//! ```text
//! cargo run --example fetch --features full -- -L -o page.html example.com
//! ```
//!
//! The options mean what curl's manual says; `fetch --help` lists them. `tests/fetch_against_curl.py`
//! runs both side by side and keeps the list of differences.
//!
//! | file | holds |
//! |---|---|
//! | `option_list`, `arguments` | the options; words of a command line taken apart |
//! | `options` | what the options decide |
//! | `data`, `form` | content from `-d` and `-F` and their kin |
//! | `address` | from the URL that was typed to the one that is asked |
//! | `network`, `request` | what the options say about all requests, and about one |
//! | `session` | the agent, its cookies and names; all transfers in turn or at once |
//! | `transfer` | one transfer: what is made of its events |
//! | `output` | where heads and content go |
//! | `facts`, `write_out` | what is known of a transfer; `-w` |
//! | `verbose`, `progress` | `-v`; the bar on a terminal |
//! | `exit_status` | curl's numbers |

#[path = "fetch/address.rs"]
mod address;
#[path = "fetch/arguments.rs"]
mod arguments;
#[path = "fetch/data.rs"]
mod data;
#[path = "fetch/exit_status.rs"]
mod exit_status;
#[path = "fetch/facts.rs"]
mod facts;
#[path = "fetch/form.rs"]
mod form;
#[path = "fetch/network.rs"]
mod network;
#[path = "fetch/option_list.rs"]
mod option_list;
#[path = "fetch/options.rs"]
mod options;
#[path = "fetch/output.rs"]
mod output;
#[path = "fetch/progress.rs"]
mod progress;
#[path = "fetch/request.rs"]
mod request;
#[path = "fetch/session.rs"]
mod session;
#[path = "fetch/transfer.rs"]
mod transfer;
#[path = "fetch/verbose.rs"]
mod verbose;
#[path = "fetch/write_out.rs"]
mod write_out;

use std::io::Write;
use std::process::ExitCode;

use exit_status::Failure;
use options::CommandLine;

fn main() -> ExitCode {
    let words = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned());
    let outcome = CommandLine::parse(words).and_then(|line| match line.help {
        true => print(&option_list::help()),
        false => session::run(line),
    });
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.status)
        }
    }
}

fn print(text: &str) -> Result<u8, Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map(|()| 0)
        .map_err(|error| Failure::new(exit_status::WRITE_ERROR, error))
}
