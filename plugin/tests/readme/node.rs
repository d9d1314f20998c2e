use httpoll::{HttpClient, Method, Status};

fn main() -> Result<(), httpoll::Error> {
    let mut http = HttpClient::new();
    http.connect_to_host("http://127.0.0.1", 8080, None)?;
    // Until the response has come and its content is read.
    while http.get_status() == Status::Body || !http.has_response() {
        http.poll()?; // once per frame; never blocks
        if http.get_status() == Status::Connected && !http.has_response() {
            http.request(Method::Get, "/files/leaderboard.json", &[], "")?;
        }
        while http.get_status() == Status::Body {
            let chunk = http.read_response_body_chunk()?;
            if chunk.is_empty() { break } // no more in this frame
            print!("{}", String::from_utf8_lossy(&chunk));
        }
        std::thread::sleep(std::time::Duration::from_millis(16)); // your game draws here
    }
    Ok(())
}
