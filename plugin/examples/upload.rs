//! A replay of 8 MiB is uploaded from disk.
//!
//! ```text
//! cargo run -p bevy_httpoll --example upload
//! ```
//!
//! What to look for: the file is streamed, never held in memory; progress is a component; the server
//! answers what it counted.

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
    let server = offline::serve(|asked, stream| {
        let sum: u64 = asked.body.iter().map(|byte| u64::from(*byte)).sum();
        let count = asked.body.len();
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
    http.send(HttpRequest::put(job.url.as_str()).header("Content-Type", "application/x-replay"))
        .insert(HttpUpload::file(&job.file))
        .on_response(
            |answer: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
                println!("the server has {}", answer.text());
                exit.write(AppExit::Success);
            },
        )
        .on_error(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        });
}

fn show(changed: Query<&HttpProgress, Changed<HttpProgress>>, mut told: Local<u64>) {
    for progress in &changed {
        // Every two MiB, or this would scroll.
        let step = progress.sent / (2 * 1024 * 1024);
        if step > *told {
            *told = step;
            let percent = progress.sent_fraction().unwrap_or_default() * 100.0;
            println!("{percent:>3.0} % sent");
        }
    }
}
