//! A server for the tools of one user on one machine: what one call sets up. On real sockets and the real disk.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use httpoll::server::{LocalTool, Request, Response, Server};

fn tool(name: &str) -> LocalTool {
    let mut tool = Server::builder().local_tool(name).unwrap();
    tool.server
        .route("*", "/level", |_: &mut Request| Response::text("castle"))
        .unwrap();
    tool
}

/// The status of the response to a request with these field lines.
fn ask(tool: &mut LocalTool, target: &str, fields: &str) -> String {
    let mut client = TcpStream::connect(tool.server.local_addr()).unwrap();
    client.set_nonblocking(true).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{fields}\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        tool.server.wait(Some(Duration::from_millis(5))).unwrap();
        match client.read_to_end(&mut received) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
    }
    let text = String::from_utf8(received).unwrap();
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_local_tool_is_found_by_its_name_and_needs_its_token() {
    let name = format!("httpoll-test-{}", std::process::id());
    assert_eq!(LocalTool::find(&name).unwrap(), None);
    let mut tool = tool(&name);
    let address = tool.server.local_addr();
    assert!(address.ip().is_loopback());
    let found = LocalTool::find(&name).unwrap().unwrap();
    assert_eq!(found.port, address.port());
    assert_eq!(found.token.as_deref(), Some(tool.token().as_str()));
    let token = found.token.unwrap();
    let bearer = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(ask(&mut tool, "/level", &bearer), "200");
    assert_eq!(ask(&mut tool, "/level", "Host: localhost\r\n"), "401");
    let rebound = format!("Host: evil.example\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(ask(&mut tool, "/level", &rebound), "421");
    let foreign = format!("{bearer}Origin: https://evil.example\r\n");
    assert_eq!(ask(&mut tool, "/level", &foreign), "403");
    // The link works once.
    let link = tool.url("/level");
    let target = link.strip_prefix(&format!("http://{address}")).unwrap();
    assert_eq!(ask(&mut tool, target, "Host: localhost\r\n"), "200");
    assert_eq!(ask(&mut tool, target, "Host: localhost\r\n"), "401");
    let file = tool.port_file().path().to_owned();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "only its owner can read it");
    }
    drop(tool);
    assert!(!file.exists());
    assert_eq!(LocalTool::find(&name).unwrap(), None);
}

#[test]
fn a_tool_that_runs_twice_has_two_ports_and_a_damaged_file_is_named() {
    let name = format!("httpoll-test-twice-{}", std::process::id());
    let first = tool(&name);
    let second = tool(&name);
    let (one, two) = (first.server.local_addr(), second.server.local_addr());
    assert_ne!(one.port(), two.port());
    let found = LocalTool::find(&name).unwrap().unwrap();
    assert_eq!(found.port, two.port(), "the latest");
    assert_ne!(first.token().as_str(), second.token().as_str());
    drop(first);
    assert!(LocalTool::find(&name).unwrap().is_some());
    let file = second.port_file().path().to_owned();
    std::fs::write(&file, "not json").unwrap();
    let error = LocalTool::find(&name).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
    drop(second);
    std::fs::remove_file(file).unwrap();
}

/// In a folder for temporary files everybody can make a file of this name.
#[cfg(unix)]
#[test]
fn a_port_file_that_another_user_may_have_planted_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let name = format!("httpoll-test-planted-{}", std::process::id());
    let tool = tool(&name);
    let file = tool.port_file().path().to_owned();
    let text = std::fs::read_to_string(&file).unwrap();
    for mode in [0o604, 0o640, 0o620, 0o602] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let error = LocalTool::find(&name).unwrap_err().to_string();
        assert!(error.contains("another user may have made it"), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    let real = file.with_extension("real");
    std::fs::write(&real, text).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    let error = LocalTool::find(&name).unwrap_err().to_string();
    assert!(error.contains("it is no file"), "{error}");
    std::fs::remove_file(&real).unwrap();
    std::fs::remove_file(&file).unwrap();
    // Nobody writes to this pipe.
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    let error = LocalTool::find(&name).unwrap_err().to_string();
    assert!(error.contains("it is no file"), "{error}");
    drop(tool);
    assert!(file.exists(), "it is not the tool's");
    std::fs::remove_file(&file).unwrap();
}
