use std::time::Duration;

use bevy::prelude::*;
use bevy_httpoll::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Score { name: String, points: u64 }

#[derive(Component)]
struct Leaderboard;

fn send(mut commands: Commands, mut http: Http) {
    // A value instead of bytes. The observer runs exactly once, also when there is no value.
    http.get("https://game.example/scores")
        .on_json(|on: On<HttpJson<Vec<Score>>>| match &on.result {
            Ok(scores) => scores.iter().for_each(|it| println!("{}: {}", it.name, it.points)),
            Err(error) => println!("no scores: {error}"),
        });

    // A POST with credentials. The key lets the server recognise a retry, so HttpRetry may send it again.
    http.post("https://game.example/scores")
        .bearer("token-of-the-player")
        .idempotency_key("match-4711")
        .json(&[1, 2, 3])
        .insert(HttpRetry::times(3))
        .on_response(|on: On<HttpResponse>| println!("submitted: {}", on.status()));

    // A polling loop: in real time, never two rounds at once, slower while the server has trouble.
    http.get("https://game.example/news")
        .insert(HttpRepeat::every(Duration::from_secs(30)))
        .on_response(|on: On<HttpResponse>| println!("news: {}", on.text()));

    // A file, resumed where an earlier run stopped, in the background.
    http.download("https://cdn.example/levels.pak", "assets/levels.pak")
        .insert((HttpRetry::times(5), HttpPriority::Background, HttpRateLimit(1_000_000)))
        .observe(|on: On<HttpProgressed>| println!("{:?} of the levels", on.progress.fraction()));

    // Owned: the events reach the owner, and despawning the owner cancels the request.
    let owner = commands
        .spawn(Leaderboard)
        .on_response(|on: On<HttpResponse>| println!("the owner got {}", on.text()))
        .id();
    http.send_for(owner, HttpRequest::get("https://game.example/season"));
}
