//! Uploads a replay of 8 MiB from disk.
//!
//! ```text
//! cargo run -p bevy_httpoll --example upload
//! ```
//!
//! What to look for: the file is streamed, never held in memory. Progress is a component. The server responds
//! with what it counted.

#[macro_use]
mod offline;

use std::error::Error;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;

const SIZE: usize = 8 * 1024 * 1024;

#[derive(Resource)]
struct Job {
    url: String,
    file: std::path::PathBuf,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line("upload", "Uploads a replay of 8 MiB from disk.", &[]);
    let server = offline::serve(|request, stream| {
        let sum: u64 = request.body.iter().map(|byte| u64::from(*byte)).sum();
        let count = request.body.len();
        offline::text(stream, &format!("{count} bytes with sum {sum}"))
    })?;
    let file = std::env::temp_dir().join(format!("httpoll-replay-{}", std::process::id()));
    std::fs::write(&file, vec![1; SIZE])?;
    let exit = offline::app()
        .add_plugins(HttpollPlugin::default())
        .insert_resource(Job {
            url: format!("http://{server}/replays/42"),
            file: file.clone(),
        })
        .add_systems(Startup, begin)
        .add_systems(Update, show)
        .run();
    std::fs::remove_file(file)?;
    Ok(exit)
}

fn begin(mut http: Http, job: Res<Job>) {
    http.put(job.url.as_str())
        .header("Content-Type", "application/x-replay")
        .insert(HttpUpload::file(&job.file))
        .on_response(
            |response: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
                println!("the server has {}", response.text());
                exit.write(AppExit::Success);
            },
        )
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
}

fn show(changed: Query<&HttpProgress, Changed<HttpProgress>>, mut printed: Local<u64>) {
    for progress in &changed {
        // Once for every two MiB.
        let step = progress.sent / (2 * 1024 * 1024);
        if step > *printed {
            *printed = step;
            let percent = progress.sent_fraction().unwrap_or_default() * 100.0;
            println!("{percent:>3.0} % sent");
        }
    }
}
