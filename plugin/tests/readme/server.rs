use bevy::prelude::*;
use bevy_httpoll::httpoll::server::Response;
use bevy_httpoll::prelude::*;

fn main() {
    App::new()
        .add_plugins((MinimalPlugins, HttpollPlugin::default()))
        .add_systems(Startup, listen)
        .run();
}

fn listen(mut commands: Commands) {
    commands
        .spawn(HttpServer::bind("127.0.0.1:8080"))
        .observe(|on: On<HttpServerStarted>| println!("listening at {}", on.address))
        .observe(|on: On<HttpServerFailed>| println!("not listening: {}", on.error))
        .observe(respond);
}

fn respond(
    received: On<HttpRequestReceived>,
    requests: Query<&HttpServerRequest>,
    mut commands: Commands,
) -> Result {
    let request = requests.get(received.request)?;
    println!("{} {}", request.method(), request.path());
    commands.respond(received.request, Response::text("hello"));
    Ok(())
}
