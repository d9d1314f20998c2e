//! The samples of the repository's README and of the documentation of `httpoll`. Those are bodies of functions,
//! so each is here between two marks, which the test compares with the documents.

/// `HttpClient` in the README.
pub(crate) mod node {
    use crate::stand_in::httpoll;

    capture_output!();

    #[rustfmt::skip]
    pub(crate) fn run() -> Result<(), httpoll::Error> {
        // sample: node
        use httpoll::{HttpClient, Method, Status};

        let mut http = HttpClient::new();
        http.connect_to_host("https://game.example", -1, None)?;
        while http.get_status() == Status::Body || !http.has_response() {
            http.poll()?; // once per frame; never blocks
            if http.get_status() == Status::Connected && !http.has_response() {
                http.request(Method::Get, "/leaderboard.json", &[], "")?;
            }
            while http.get_status() == Status::Body {
                let chunk = http.read_response_body_chunk()?;
                if chunk.is_empty() { break } // no more in this frame
                print!("{}", String::from_utf8_lossy(&chunk));
            }
            // draw the frame
        }
        // end of the sample
        Ok(())
    }
}

/// `Agent` in the README.
pub(crate) mod agent {
    use crate::stand_in::httpoll;

    capture_output!();

    #[rustfmt::skip]
    pub(crate) fn run() -> Result<(), httpoll::Error> {
        // sample: agent
        use httpoll::{Agent, Download, Event, Request, RetryPolicy};

        let mut agent = Agent::new();
        let scores = agent.send(Request::get("https://game.example/scores").query("season", "7"))?;
        let pack = agent.send(
            Request::get("https://cdn.example/levels.pak")
                .retries(RetryPolicy::standard())
                .download_to(Download::to("assets/levels.pak").resume(true)),
        )?;
        let mut running = vec![scores.id(), pack.id()];
        while !running.is_empty() {
            agent.poll(); // once per frame; never blocks
            while let Some(event) = agent.next_event() {
                if event.is_final() {
                    running.retain(|id| Some(*id) != event.id());
                }
                match event {
                    Event::Done { id, response } if id == scores.id() => println!("{}", response.text()),
                    Event::Progress { id, progress } if id == pack.id() => println!("{:?}", progress.fraction()),
                    Event::Failed { error, .. } => eprintln!("{error}"),
                    _ => {}
                }
            }
            // draw the frame
        }
        // end of the sample
        Ok(())
    }
}

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
