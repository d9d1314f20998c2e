use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

fn main() {
    App::new()
        .add_plugins(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16)))
        .add_plugins(HttpollPlugin::default())
        .add_systems(Startup, fetch)
        .run();
}

fn fetch(mut commands: Commands) {
    commands
        .spawn(HttpRequest::get("http://127.0.0.1:8080/files/leaderboard.json"))
        .observe(|on: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
            println!("{} with {} bytes", on.status(), on.body.len());
            exit.write(AppExit::Success);
        })
        .observe(|on: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", on.error);
            exit.write(AppExit::error());
        });
}
