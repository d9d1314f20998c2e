//! A tool of a game, such as a level editor, that opens in the browser and that other programs of this user can
//! call. Nothing leaves this machine.
//!
//! ```sh
//! cargo run --features server --example local_tool            # both in one process
//! cargo run --features server --example local_tool -- serve   # and in another terminal:
//! cargo run --features server --example local_tool -- ask
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use httpoll::Agent;
use httpoll::server::{LocalTool, Request, Response, Server};

#[macro_use]
mod offline;

const ABOUT: &str = "A tool with a page in the browser, for the programs of this user only.";

const USAGE: &str = "[serve | ask]

  serve       runs the tool for ten minutes
  ask         asks a tool that runs
  (nothing)   runs the tool, and asks it with and without its token";

const NAME: &str = "httpoll-example";

fn main() -> ExitCode {
    let arguments = offline::command_line("local_tool", ABOUT, USAGE);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve"] => serve(),
        ["ask"] => ask(NAME),
        [] => both(),
        _ => offline::wrong_arguments("local_tool"),
    };
    offline::exit_code("local_tool", outcome)
}

/// The tool, with a page and an interface for other programs.
fn tool(name: &str) -> Result<LocalTool, Box<dyn Error>> {
    let mut tool = Server::builder().local_tool(name)?;
    tool.server.route("GET", "/", |_: &mut Request| {
        Response::html("<!doctype html><title>tool</title><h1>The level editor</h1>")
    })?;
    tool.server.route(
        "GET",
        "/level",
        |_: &mut Request| serde_json::json!({ "name": "castle", "rooms": 12 }),
    )?;
    Ok(tool)
}

/// Serves the tool for ten minutes.
fn serve() -> Result<(), Box<dyn Error>> {
    let mut tool = tool(NAME)?;
    println!("open {}", tool.url("/"));
    println!("other programs read {}", tool.port_file().path().display());
    let end = Instant::now() + Duration::from_secs(600);
    while Instant::now() < end {
        tool.server.wait(Some(Duration::from_secs(1)))?;
    }
    Ok(())
}

/// Another program of the same user.
fn ask(name: &str) -> Result<(), Box<dyn Error>> {
    let found =
        LocalTool::find(name)?.ok_or("the tool does not run; start it with local_tool serve")?;
    let mut agent = Agent::new();
    let request = agent
        .get(format!("http://127.0.0.1:{}/level", found.port))
        .bearer(found.token.unwrap_or_default())
        .send()?;
    println!("with the token: {}", agent.wait_for(request)?.text());
    Ok(())
}

/// Runs the tool on a thread, and asks it.
fn both() -> Result<(), Box<dyn Error>> {
    let name = format!("{NAME}-{}", std::process::id());
    let tool = tool(&name)?;
    let file = tool.port_file().path().to_path_buf();
    println!("the tool listens at {}", tool.server.local_addr());
    println!("other programs find it by {}", file.display());
    let url = format!("http://{}/level", tool.server.local_addr());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        // The whole tool, not only its server: the end of the thread removes the file.
        let mut tool = tool;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            if tool.server.wait(Some(Duration::from_millis(50))).is_err() {
                return;
            }
        }
    });
    let answer = ask(&name);
    let mut agent = Agent::new();
    let request = agent.get(url).send()?;
    let refused = agent.wait_for(request)?.status();
    println!("without it: {refused}");
    drop(stop);
    let _ = thread.join();
    answer?;
    println!("the tool has ended; its file is gone: {}", !file.exists());
    match (refused.as_u16(), file.exists()) {
        (401, false) => Ok(()),
        _ => Err("the tool is not as safe as it should be".into()),
    }
}
