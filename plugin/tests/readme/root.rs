//! The sample in the documentation of `httpoll`. It is the body of a function, so it is here between two marks,
//! which the test compares with the document.

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
