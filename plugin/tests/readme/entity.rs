use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

fn fetch(mut commands: Commands) {
    commands
        .spawn(HttpRequest::get("https://game.example/leaderboard.json"))
        .observe(|on: On<HttpResponse>| println!("{} with {} bytes", on.status(), on.body.len()))
        .observe(|on: On<HttpError>| eprintln!("{}", on.error));
}
