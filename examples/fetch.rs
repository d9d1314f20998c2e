//! A command-line client with curl's options over [`httpoll::Agent`]: it shows what the agent can do, and it
//! can be compared with curl.
//!
//! ```text
//! cargo run --example fetch --features full -- -L -o page.html example.com
//! ```
//!
//! The options mean what curl's manual says; `fetch --help` lists them. `tests/fetch_against_curl.py`
//! runs both and lists the accepted differences.
//!
//! | file | holds |
//! |---|---|
//! | `option_list`, `arguments` | the options; the parsed words of a command line |
//! | `options` | the meaning of the options |
//! | `data`, `form` | content from `-d`, `-F` and similar options |
//! | `address` | from the URL that was typed to the one that is requested |
//! | `network`, `request` | options of all requests, and of one |
//! | `session` | the agent, its cookies and names; all transfers, one after another or at once |
//! | `transfer` | one transfer and its events |
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
    let outcome = CommandLine::parse(words).and_then(|line| {
        if line.help {
            print(&option_list::help())
        } else if line.version {
            print(concat!("fetch ", env!("CARGO_PKG_VERSION"), "\n"))
        } else {
            session::run(line)
        }
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
