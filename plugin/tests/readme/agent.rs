use httpoll::{Agent, Download, Event, Request, RetryPolicy};

fn main() -> Result<(), httpoll::Error> {
    let mut agent = Agent::new();
    let scores = agent.send(Request::get("http://127.0.0.1:8080/files/leaderboard.json"))?;
    let pack = agent.send(
        Request::get("http://127.0.0.1:8080/bytes/1000000")
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
        std::thread::sleep(std::time::Duration::from_millis(16)); // your game draws here
    }
    Ok(())
}
