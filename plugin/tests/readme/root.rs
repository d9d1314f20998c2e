//! Samples in the documentation of `httpoll` that are bodies of functions. Each is here between two marks, which
//! the test compares with the document.

/// `HttpClient` in the documentation of `httpoll`.
pub(crate) mod crate_docs {
    use crate::stand_in::httpoll;

    capture_output!();

    fn draw_frame() {}

    #[rustfmt::skip]
    pub(crate) fn run() -> Result<(), httpoll::Error> {
        // sample: crate_docs
        use httpoll::{HttpClient, Method, Status};

        let mut http = HttpClient::new();
        http.connect_to_host("https://game.example", -1, None)?;
        let mut body = Vec::new();
        while http.get_status() == Status::Body || !http.has_response() {
            http.poll()?;
            if http.get_status() == Status::Connected && !http.has_response() {
                http.request(Method::Get, "/leaderboard.json", &[], "")?;
            }
            // One read a frame would tie the speed to the frame rate: take all that the frame brings.
            while http.get_status() == Status::Body {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() {
                    break;
                }
                body.extend_from_slice(&chunk);
            }
            draw_frame();
        }
        // end of the sample
        println!("{}", String::from_utf8_lossy(&body));
        Ok(())
    }
}

/// `Server` in the documentation of `httpoll`.
pub(crate) mod serve {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use crate::stand_in::httpoll;

    capture_output!();

    /// A client: it asks in the first frame, and the server ends when it has the response.
    fn draw_frame(server: &mut httpoll::server::Server) {
        thread_local! {
            static CLIENT: std::cell::RefCell<Option<TcpStream>> = const { std::cell::RefCell::new(None) };
        }
        CLIENT.with_borrow_mut(|client| {
            let stream = client.get_or_insert_with(|| {
                let mut stream = TcpStream::connect(server.local_addr()).unwrap();
                stream.set_nonblocking(true).unwrap();
                let request =
                    b"GET /hello/Ada HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
                stream.write_all(request).unwrap();
                stream
            });
            let mut response = [0; 1000];
            // Later frames find the end of the stream: no bytes.
            if let Ok(count @ 1..) = stream.read(&mut response) {
                let text = String::from_utf8_lossy(&response[..count]).into_owned();
                println!("{}", text.lines().last().unwrap());
                server.shutdown(std::time::Duration::ZERO);
            }
        });
    }

    #[rustfmt::skip]
    pub(crate) fn run() -> Result<(), httpoll::Error> {
        // sample: serve
        use httpoll::server::{Request, Server};

        let mut server = Server::bind("127.0.0.1:0")?;
        server.route("GET", "/hello/:name", |request: &mut Request| {
            format!("hello, {}", request.param("name").unwrap_or_default())
        })?;
        while !server.is_closed() {
            server.poll()?; // once per frame; never blocks
            draw_frame(&mut server);
        }
        // end of the sample
        Ok(())
    }
}
