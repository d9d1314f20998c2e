//! tiny_http's "hello", answered by one thread of ours behind those of its own: what the server is
//! measured beside.

use std::error::Error;

use tiny_http::{Header, Response, Server};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let port: u16 = std::env::args()
        .nth(1)
        .map_or(Ok(8082), |port| port.parse())?;
    let server = Server::http(("127.0.0.1", port))?;
    println!("listening on {}", server.server_addr());
    for request in server.incoming_requests() {
        let plain = Header::from_bytes("Content-Type", "text/plain")
            .map_err(|()| "a header that is none")?;
        // A client that breaks off is no concern of a benchmark.
        let _ = request.respond(Response::from_string("Hello, World!").with_header(plain));
    }
    Ok(())
}
