//! The plugin: an app that is updated once in each animation frame, as a game's is.

use std::rc::Rc;
use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use httpoll::clock::Instant;
use httpoll::{ErrorKind, Request};
use serde_json::Value;

use crate::harness::{Env, Outcome, figure, frame, key, until_begun, until_text};
use crate::{cases, holds, same};

cases![
    the_plugin_triggers_a_response_at_its_entity,
    the_plugin_parses_json,
    the_plugin_reports_a_cors_error,
    despawning_an_entity_aborts_its_fetch,
    the_plugins_progress_counts_what_was_sent,
    the_plugin_sends_files_of_the_page,
    the_plugin_ends_fifty_requests_frame_by_frame,
    the_asset_server_loads_over_fetch;
    "files" => the_cache_file_is_there_in_the_next_visit,
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
    same!(errors[..], [crate::harness::cors_fault()]);
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
    until_begun(&key).await?;
    app.world_mut().despawn(entity);
    app.update();
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn the_plugins_progress_counts_what_was_sent(_: Rc<Env>) -> Outcome {
    const BYTES: usize = 32 * 1024 * 1024;
    let key = key("progress");
    let mut app = app();
    let request = HttpRequest::put(format!("/gated?key={key}")).body(vec![b'u'; BYTES]);
    let entity = app.world_mut().spawn((request, KeepRequest)).id();
    let began = Instant::now();
    let sent = loop {
        app.update();
        if let Some(progress) = app.world().get::<HttpProgress>(entity)
            && progress.sent > 0
        {
            break progress.sent;
        }
        holds!(began.elapsed() < Duration::from_secs(20), "no progress");
        frame().await;
    };
    // The server reads nothing yet.
    holds!(sent < BYTES as u64, "all of {sent} bytes are sent");
    crate::harness::fetch(Request::get(format!(
        "/allow?key={key}&bytes={}",
        BYTES + 1
    )))
    .await?;
    update_until(&mut app, |seen| !seen.texts.is_empty()).await?;
    same!(app.world().resource::<Seen>().texts, [BYTES.to_string()]);
    let progress = app.world().get::<HttpProgress>(entity);
    same!(progress.map(|it| it.sent), Some(BYTES as u64));
    Ok(())
}

async fn the_plugin_sends_files_of_the_page(_: Rc<Env>) -> Outcome {
    let parts = js_sys::Array::of1(&"saved game".into());
    let blob = web_sys::Blob::new_with_str_sequence(&parts);
    let file = httpoll::page::PageFile::new(&blob.map_err(|it| format!("{it:?}"))?);
    for upload in [
        HttpUpload::page_file(&file),
        HttpUpload::form()
            .form_text("player", "Ada")
            .form_page_file("save", &file),
    ] {
        let mut app = app();
        app.world_mut().spawn((HttpRequest::post("/echo"), upload));
        update_until(&mut app, |seen| !seen.texts.is_empty()).await?;
        let text = &app.world().resource::<Seen>().texts[0];
        holds!(text.contains("saved game"), "{text}");
    }
    Ok(())
}

async fn the_plugin_ends_fifty_requests_frame_by_frame(_: Rc<Env>) -> Outcome {
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
    let of = |percent: usize| updates[(updates.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    figure(format!(
        "50 requests of the plugin: {} updates of the app, half of them within {:.1} ms, the longest {:.1} ms",
        updates.len(),
        of(50),
        of(100),
    ));
    Ok(())
}

#[derive(bevy_asset::Asset, bevy_reflect::TypePath)]
struct TextAsset(String);

#[derive(Default, bevy_reflect::TypePath)]
struct TextLoader;

impl bevy_asset::AssetLoader for TextLoader {
    type Asset = TextAsset;
    type Settings = ();
    type Error = std::io::Error;

    async fn load(
        &self,
        reader: &mut dyn bevy_asset::io::Reader,
        (): &(),
        _: &mut bevy_asset::LoadContext<'_>,
    ) -> Result<TextAsset, std::io::Error> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(TextAsset(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn extensions(&self) -> &[&str] {
        &["txt"]
    }
}

async fn the_asset_server_loads_over_fetch(_: Rc<Env>) -> Outcome {
    use bevy_asset::{AssetApp, AssetPlugin, AssetServer, Assets};

    let mut app = App::new();
    app.add_plugins((
        bevy_app::TaskPoolPlugin::default(),
        HttpollAssetPlugin::default(),
        AssetPlugin::default(),
        HttpollPlugin::default(),
    ));
    app.init_asset::<TextAsset>()
        .init_asset_loader::<TextLoader>();
    app.finish();
    app.cleanup();
    let origin = web_sys::window().and_then(|it| it.location().origin().ok());
    let url = origin.ok_or("no origin")? + "/asset.txt";
    let handle = app.world().resource::<AssetServer>().load::<TextAsset>(url);
    let began = Instant::now();
    loop {
        app.update();
        if let Some(asset) = app.world().resource::<Assets<TextAsset>>().get(&handle) {
            same!(asset.0, "an asset");
            return Ok(());
        }
        let state = app
            .world()
            .resource::<AssetServer>()
            .get_load_state(&handle);
        holds!(
            began.elapsed() < Duration::from_secs(20),
            "the asset was not loaded: {state:?}"
        );
        frame().await;
    }
}

async fn the_cache_file_is_there_in_the_next_visit(_: Rc<Env>) -> Outcome {
    let file = format!("test/{}.cache", key("cache"));
    let url = format!("/cached?age=0&key={}", key("cache-file"));
    let visit = || {
        let mut app = App::new();
        app.add_plugins(HttpollPlugin {
            cache: Some(HttpCacheFile::new(&*file)),
            ..HttpollPlugin::default()
        })
        .init_resource::<Seen>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<Seen>| {
            let is_validated = if on.response.is_from_cache() {
                "validated"
            } else {
                "new"
            };
            seen.texts
                .push(format!("{} {is_validated}", on.response.text()));
        });
        app
    };
    let mut app = visit();
    app.world_mut().spawn(HttpRequest::get(&*url));
    update_until(&mut app, |seen| !seen.texts.is_empty()).await?;
    same!(app.world().resource::<Seen>().texts, ["made 1 new"]);
    app.world()
        .resource::<HttpAgent>()
        .save_cache()
        .map_err(|it| it.to_string())?;
    let began = Instant::now();
    while httpoll::opfs::file(&file).await.is_err() {
        holds!(began.elapsed() < Duration::from_secs(10), "no cache file");
        frame().await;
    }
    drop(app);
    let mut app = visit();
    for _ in 0..30 {
        app.update();
        frame().await;
    }
    app.world_mut().spawn(HttpRequest::get(&*url));
    update_until(&mut app, |seen| !seen.texts.is_empty()).await?;
    same!(app.world().resource::<Seen>().texts, ["made 1 validated"]);
    Ok(())
}
