//! A tool of a game, such as a level editor, that opens in the browser and that other programs of this user can
//! call: `local_tool serve`, and in another terminal `local_tool ask`. Nothing leaves this machine.

use std::process::ExitCode;
use std::time::Duration;

use httpoll::Agent;
use httpoll::auth::Credentials;
use httpoll::server::{LocalTool, Request, Response, Server};

const NAME: &str = "httpoll-example";

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        Some("ask") => ask(),
        _ => Err("usage: local_tool serve | ask".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local_tool: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The tool: it serves its page for ten minutes.
fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut tool = Server::builder().local_tool(NAME)?;
    tool.server.route("GET", "/", |_: &mut Request| {
        Response::html("<!doctype html><title>tool</title><h1>The level editor</h1>")
    })?;
    tool.server.route(
        "GET",
        "/level",
        |_: &mut Request| serde_json::json!({ "name": "castle", "rooms": 12 }),
    )?;
    println!("open {}", tool.url("/"));
    println!("other programs read {}", tool.port_file().path().display());
    let end = std::time::Instant::now() + Duration::from_secs(600);
    while std::time::Instant::now() < end {
        tool.server.wait(Some(Duration::from_secs(1)))?;
    }
    Ok(())
}

/// Another program of the same user.
fn ask() -> Result<(), Box<dyn std::error::Error>> {
    let found = LocalTool::find(NAME)?.ok_or("the tool does not run: local_tool serve")?;
    let mut agent = Agent::new();
    let request = agent
        .get(format!("http://127.0.0.1:{}/level", found.port))
        .credentials(Credentials::Bearer(found.token.unwrap_or_default()))
        .send()?;
    println!("{}", agent.wait_for(request)?.text());
    Ok(())
}
