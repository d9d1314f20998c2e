//! The plugin's components, events and phases in a page: the same as natively.

use std::rc::Rc;
use std::time::Duration;

use bevy_app::App;
use bevy_ecs::prelude::*;
use bevy_httpoll::prelude::*;
use httpoll::clock::Instant;
use httpoll::websocket::WebSocketMessage;
use httpoll::{ErrorKind, Phase, Request, Timeouts};
use serde_json::Value;

use crate::harness::{Env, Outcome, fetch, frame, key, until_begun, until_text};
use crate::{cases, holds, same};

cases![
    the_plugin_streams_chunks,
    the_plugin_parses_messages,
    the_plugin_receives_an_event_stream,
    the_plugin_opens_a_web_socket,
    the_plugin_reports_each_phase,
    the_plugin_cancels,
    the_plugin_times_out,
    the_plugin_repeats,
    the_plugin_limits_a_rate,
    the_plugins_node_goes_through_its_statuses,
];

/// What the observers saw, as text.
#[derive(Resource, Default)]
struct Seen(Vec<String>);

fn app() -> App {
    let mut app = App::new();
    app.add_plugins(HttpollPlugin::default())
        .init_resource::<Seen>()
        .add_observer(|on: On<HttpResponse>, mut seen: ResMut<Seen>| {
            seen.0.push(format!("{}", on.status()));
        })
        .add_observer(|on: On<HttpError>, mut seen: ResMut<Seen>| {
            seen.0.push(format!("{:?}", on.error.kind()));
        });
    app
}

fn seen(app: &App) -> &[String] {
    &app.world().resource::<Seen>().0
}

/// Updates the app once a frame until the observers have recorded `count` events.
async fn update_until(app: &mut App, count: usize) -> Outcome {
    let began = Instant::now();
    while seen(app).len() < count {
        holds!(
            began.elapsed() < Duration::from_secs(20),
            "only {:?}",
            seen(app)
        );
        app.update();
        frame().await;
    }
    Ok(())
}

async fn the_plugin_streams_chunks(_: Rc<Env>) -> Outcome {
    #[derive(Resource, Default)]
    struct Bytes(usize);

    let mut app = app();
    app.init_resource::<Bytes>()
        .add_observer(|on: On<HttpChunk>, mut bytes: ResMut<Bytes>| bytes.0 += on.bytes.len())
        .add_observer(|on: On<HttpHead>, mut seen: ResMut<Seen>| {
            seen.0.push(format!("{:?}", on.content_length));
        });
    let request = HttpRequest::get("/bytes?count=300000");
    app.world_mut().spawn((request, HttpStream::Chunks));
    update_until(&mut app, 2).await?;
    same!(seen(&app), ["Some(300000)", "200"]);
    same!(app.world().resource::<Bytes>().0, 300_000);
    Ok(())
}

async fn the_plugin_parses_messages(_: Rc<Env>) -> Outcome {
    let mut app = app();
    let framing = HttpStream::Messages(HttpFraming::default());
    app.world_mut()
        .spawn((HttpRequest::get("/lines"), framing))
        .on_message(|on: On<HttpMessage<Value>>, mut seen: ResMut<Seen>| {
            if let Ok(value) = &on.result {
                seen.0.push(value.to_string());
            }
        });
    update_until(&mut app, 3).await?;
    same!(seen(&app), [r#"{"number":1}"#, r#"{"number":2}"#, "200"]);
    Ok(())
}

async fn the_plugin_receives_an_event_stream(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.add_observer(|on: On<HttpServerSentEvent>, mut seen: ResMut<Seen>| {
        seen.0.push(on.event.data.clone());
    });
    let request = HttpRequest::get("/events");
    app.world_mut()
        .spawn((request, HttpStream::ServerSentEvents));
    // The server ends it after two; the next two come after a reconnect.
    update_until(&mut app, 4).await?;
    same!(
        seen(&app)[..4],
        ["event 1", "event 2", "event 3", "event 4"]
    );
    Ok(())
}

async fn the_plugin_opens_a_web_socket(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.add_observer(|on: On<HttpWebSocketOpened>, mut commands: Commands| {
        commands.trigger(SendWebSocketMessage {
            request: on.request,
            message: WebSocketMessage::Text("hello".into()),
        });
    })
    .add_observer(
        |on: On<HttpWebSocketMessage>, mut seen: ResMut<Seen>, mut commands: Commands| {
            if let WebSocketMessage::Text(text) = &on.message {
                seen.0.push(text.to_string());
            }
            commands.trigger(SendWebSocketMessage {
                request: on.request,
                message: WebSocketMessage::Text("close please".into()),
            });
        },
    )
    .add_observer(|on: On<HttpWebSocketClosed>, mut seen: ResMut<Seen>| {
        let code = on.frame.as_ref().map(|frame| frame.code);
        seen.0.push(format!("{code:?}"));
    });
    let socket = HttpStream::WebSocket(HttpWebSocket::default());
    app.world_mut().spawn((HttpRequest::get("/ws"), socket));
    update_until(&mut app, 2).await?;
    same!(seen(&app)[..2], ["hello", "Some(4001)"]);
    Ok(())
}

async fn the_plugin_reports_each_phase(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.add_observer(|on: On<HttpPhaseChanged>, mut seen: ResMut<Seen>| {
        seen.0.push(on.to.to_string());
    });
    let key = key("phases");
    let url = format!("/gated?key={key}");
    let request = HttpRequest::put(url).body(vec![b'u'; 100_000]);
    app.world_mut().spawn(request);
    let allow = async |bytes: usize| {
        let url = format!("/allow?key={key}&bytes={bytes}");
        fetch(Request::get(url)).await?.response().map(drop)
    };
    allow(100_000).await?;
    let sent = HttpPhase::AwaitHead.to_string();
    let began = Instant::now();
    while seen(&app).last() != Some(&sent) {
        holds!(
            began.elapsed() < Duration::from_secs(20),
            "only {:?}",
            seen(&app)
        );
        app.update();
        frame().await;
    }
    // Now the server responds.
    allow(100_001).await?;
    let before = seen(&app).len();
    update_until(&mut app, before + 3).await?;
    let phases: Vec<&str> = seen(&app).iter().map(String::as_str).collect();
    let expected = [
        HttpPhase::SendHead,
        HttpPhase::SendBody,
        HttpPhase::AwaitHead,
        HttpPhase::ReceiveBody,
        HttpPhase::Done,
    ];
    let mut left = phases.iter();
    for phase in expected.map(|phase| phase.to_string()) {
        holds!(
            left.any(|seen| **seen == *phase),
            "no {phase} in {phases:?}"
        );
    }
    Ok(())
}

async fn the_plugin_cancels(_: Rc<Env>) -> Outcome {
    let key = key("plugin-cancel");
    let mut app = app();
    let url = format!("/slow?count=1000&pause=0.01&key={key}");
    let entity = app.world_mut().spawn(HttpRequest::get(url)).id();
    for _ in 0..20 {
        app.update();
        frame().await;
    }
    until_begun(&key).await?;
    app.world_mut().trigger(CancelHttp { request: entity });
    app.update();
    let nothing: [&str; 0] = [];
    same!(seen(&app), nothing);
    until_text(&format!("/aborted?key={key}"), "yes").await
}

async fn the_plugin_times_out(_: Rc<Env>) -> Outcome {
    let mut app = app();
    let timeouts = Timeouts::with(|it| it.head = Some(Duration::from_millis(100)));
    app.world_mut()
        .spawn(HttpRequest::get("/late?pause=3").timeouts(timeouts));
    update_until(&mut app, 1).await?;
    let timeout = ErrorKind::Timeout(Phase::AwaitHead);
    same!(seen(&app), [format!("{timeout:?}")]);
    Ok(())
}

async fn the_plugin_repeats(_: Rc<Env>) -> Outcome {
    let mut app = app();
    let url = format!("/flaky?fails=2&key={}", key("plugin-retry"));
    let retry = HttpRetry {
        retries: 3,
        base_delay: Duration::from_millis(10),
        ..HttpRetry::default()
    };
    app.world_mut().spawn((HttpRequest::get(url), retry));
    update_until(&mut app, 1).await?;
    same!(seen(&app), ["200"]);
    Ok(())
}

async fn the_plugin_limits_a_rate(_: Rc<Env>) -> Outcome {
    let mut app = app();
    let began = Instant::now();
    let request = HttpRequest::get("/bytes?count=300000");
    app.world_mut()
        .spawn((request, HttpRateLimit(300_000), HttpPriority::Background));
    update_until(&mut app, 1).await?;
    let took = began.elapsed();
    holds!(took > Duration::from_millis(500), "it took only {took:?}");
    Ok(())
}

async fn the_plugins_node_goes_through_its_statuses(_: Rc<Env>) -> Outcome {
    let mut app = app();
    app.add_observer(
        |on: On<HttpStatusChanged>,
         mut nodes: Query<&mut HttpClientNode>,
         mut seen: ResMut<Seen>| {
            seen.0.push(format!("{:?}", on.to));
            if let (Status::Connecting, Status::Connected, Ok(mut node)) =
                (on.from, on.to, nodes.get_mut(on.entity))
            {
                let _ = node.request(Method::Get, "/hello", &[], "");
            }
        },
    )
    .add_observer(|on: On<HttpChunk>, mut seen: ResMut<Seen>| {
        seen.0.push(String::from_utf8_lossy(&on.bytes).into_owned());
    });
    let location = web_sys::window().ok_or("no window")?.location();
    let port = location.port().map_err(|_| "no port")?;
    let mut node = HttpClientNode::default();
    node.connect_to_host("127.0.0.1", port.parse().map_err(|_| "no port")?, None)
        .map_err(|error| error.to_string())?;
    app.world_mut().spawn((node, HttpStream::Chunks));
    update_until(&mut app, 6).await?;
    same!(
        seen(&app),
        [
            "Connecting",
            "Connected",
            "Requesting",
            "Body",
            "hello",
            "Connected"
        ]
    );
    Ok(())
}
