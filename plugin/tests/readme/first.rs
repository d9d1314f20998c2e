use bevy::prelude::*;
use bevy_httpoll::prelude::*;

fn main() {
    App::new()
        .add_plugins((DefaultPlugins, HttpollPlugin::default()))
        .add_systems(Startup, fetch)
        .run();
}

fn fetch(mut http: Http) {
    http.get("http://127.0.0.1:8080/files/leaderboard.json")
        .on_response(|on: On<HttpResponse>| println!("{}: {}", on.status(), on.text()))
        .on_error(|on: On<HttpError>| println!("no leaderboard: {}", on.error));
}
