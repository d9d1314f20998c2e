//! The plugin: an app that is updated once in each animation frame, as a game's is.

use std::rc::Rc;
use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use httpoll::ErrorKind;
use httpoll::clock::Instant;
use httpoll::error::NetworkFault;
use serde_json::Value;

use crate::harness::{Env, Outcome, frame, key, until_text};
use crate::{cases, holds, same};

cases![
    the_plugin_triggers_a_response_at_its_entity,
    the_plugin_parses_json,
    the_plugin_reports_a_cors_error,
    despawning_an_entity_aborts_its_fetch,
    the_plugins_frames_are_short,
];

/// What the observers saw.
#[derive(Resource, Default)]
struct Seen {
    texts: Vec<String>,
    errors: Vec<ErrorKind>,
    values: Vec<Value>,
}

fn app() -> App {
    let mut app = App::new();
    app.add_plugins(HttpollPlugin::default())
        .init_resource::<Seen>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<Seen>| {
            seen.texts.push(on.response.text());
        })
        .add_observer(|on: On<HttpError>, mut seen: ResMut<Seen>| {
            seen.errors.push(on.error.kind().clone());
        });
    app
}

/// Updates the app once a frame until the observers have seen enough.
async fn update_until(app: &mut App, is_enough: impl Fn(&Seen) -> bool) -> Outcome {
    let began = Instant::now();
    while !is_enough(app.world().resource::<Seen>()) {
        holds!(
            began.elapsed() < Duration::from_secs(20),
            "nothing was seen"
        );
        app.update();
        frame().await;
    }
    Ok(())
}

async fn the_plugin_triggers_a_response_at_its_entity(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.world_mut().spawn(HttpRequest::get("/hello"));
    update_until(&mut app, |seen| !seen.texts.is_empty()).await?;
    same!(app.world().resource::<Seen>().texts, ["hello"]);
    Ok(())
}

async fn the_plugin_parses_json(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.world_mut()
        .spawn(HttpRequest::post("/echo").text("sent"))
        .on_json(|on: On<HttpJson<Value>>, mut seen: ResMut<Seen>| {
            if let Ok(value) = &on.result {
                seen.values.push(value.clone());
            }
        });
    update_until(&mut app, |seen| !seen.values.is_empty()).await?;
    same!(app.world().resource::<Seen>().values[0]["text"], "sent");
    Ok(())
}

async fn the_plugin_reports_a_cors_error(env: Rc<Env>) -> Outcome {
    let mut app = app();
    app.world_mut()
        .spawn(HttpRequest::get(format!("{}/hello", env.plain)));
    update_until(&mut app, |seen| !seen.errors.is_empty()).await?;
    let errors = &app.world().resource::<Seen>().errors;
    same!(errors[..], [ErrorKind::Network(NetworkFault::CorsRefused)]);
    Ok(())
}

async fn despawning_an_entity_aborts_its_fetch(_: Rc<Env>) -> Outcome {
    let key = key("despawned");
    let mut app = app();
    let url = format!("/slow?count=1000&pause=0.01&key={key}");
    let entity = app.world_mut().spawn(HttpRequest::get(url)).id();
    for _ in 0..20 {
        app.update();
        frame().await;
    }
    app.world_mut().despawn(entity);
    app.update();
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn the_plugins_frames_are_short(_: Rc<Env>) -> Outcome {
    let mut app = app();
    for number in 0..50 {
        app.world_mut()
            .spawn(HttpRequest::get(format!("/echo?{number}")));
    }
    let mut updates = Vec::new();
    let began = Instant::now();
    while app.world().resource::<Seen>().texts.len() < 50 {
        holds!(began.elapsed() < Duration::from_secs(20), "not all came");
        let update = Instant::now();
        app.update();
        updates.push(update.elapsed());
        frame().await;
    }
    updates.sort();
    let median = updates[updates.len() / 2];
    holds!(
        median < Duration::from_millis(4),
        "half of the updates take more than {median:?}"
    );
    Ok(())
}
