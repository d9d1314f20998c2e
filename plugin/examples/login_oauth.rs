//! A player logs in with OAuth in their own browser, which returns to a port of this machine: the loopback
//! redirect (RFC 8252) with PKCE (RFC 7636).
//!
//! ```text
//! cargo run -p bevy_httpoll --features oauth --example login_oauth
//! ```
//!
//! What to look for: the game opens a page, and polls once per frame for the code that the browser brings
//! back. It exchanges the code and its own verifier for a token. From then on every request to this host has
//! the token, which is set once. Here the app itself is the authorization server, and a thread is the browser;
//! a game would open the page with a crate such as `webbrowser`.

#[macro_use]
mod offline;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bevy_app::{AppExit, Startup, Update};
use bevy_ecs::prelude::*;
use bevy_httpoll::httpoll::redirect::RedirectPolicy;
use bevy_httpoll::httpoll::server::multipart::FormField;
use bevy_httpoll::httpoll::server::oauth::{
    AuthorizationCode, OAuthLoopback, OAuthRequest, code_challenge,
};
use bevy_httpoll::httpoll::server::{Request, Response, Server};
use bevy_httpoll::prelude::*;
use serde::Deserialize;
use serde_json::json;

/// A public client: an identifier, and no secret in the game's files.
const CLIENT: &str = "space-game";

/// How long a player may take.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// A login in progress.
#[derive(Component)]
struct Login {
    browser_returns: OAuthLoopback,
    service: SocketAddr,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

fn main() -> Result<AppExit, Box<dyn Error>> {
    offline::command_line(
        "login_oauth",
        "A player logs in with OAuth in their own browser, which returns to a port of this machine: the loopback redirect (RFC 8252) with PKCE (RFC 7636).",
        &[],
    );
    Ok(offline::app()
        .add_plugins(HttpollPlugin::default())
        .add_systems(Startup, |mut commands: Commands| {
            commands.spawn(HttpServer::bind("127.0.0.1:0").with(authorization_server));
        })
        .add_systems(Update, wait_for_code)
        .add_observer(log_in)
        .add_observer(|failed: On<HttpError>, mut exit: MessageWriter<AppExit>| {
            eprintln!("{}", failed.error);
            exit.write(AppExit::error());
        })
        .run())
}

fn log_in(started: On<HttpServerStarted>, mut commands: Commands) -> Result {
    let service = started.address;
    let endpoint = format!("http://{service}/authorize").parse()?;
    let mut request = OAuthRequest::new(endpoint, CLIENT);
    request.scope = "profile".to_owned();
    request.issuer = Some(format!("http://{service}"));
    let browser_returns = OAuthLoopback::start(&request, TIME_LIMIT)?;
    println!("the game opens the player's browser and goes on drawing");
    open_browser(browser_returns.authorization_url().as_str());
    commands.spawn(Login {
        browser_returns,
        service,
    });
    Ok(())
}

/// Polls once per frame, like everything else.
fn wait_for_code(
    mut logins: Query<(Entity, &mut Login)>,
    mut http: Http,
    mut commands: Commands,
) -> Result {
    for (entity, mut login) in &mut logins {
        let Some(outcome) = login.browser_returns.poll()? else {
            continue;
        };
        println!("the browser returned, and the port is closed again");
        commands.entity(entity).despawn();
        exchange(&mut http, login.service, &outcome?);
    }
    Ok(())
}

/// An observer of the code cannot use it, because only this game knows the verifier.
fn exchange(http: &mut Http, service: SocketAddr, code: &AuthorizationCode) {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", &code.code),
        ("code_verifier", &code.verifier),
        ("redirect_uri", &code.redirect_uri),
    ];
    http.post(format!("http://{service}/token"))
        .form(form)
        // A redirect of the kind 307 would send the code and its verifier elsewhere.
        .with(|request| request.redirects(RedirectPolicy::none()))
        .on_json(
            move |token: On<HttpJson<Token>>,
                  mut agent: ResMut<HttpAgent>,
                  mut http: Http|
                  -> Result {
                let token = token.result.as_ref().map_err(Clone::clone)?;
                println!("the code was exchanged for a token");
                let value = format!("Bearer {}", token.access_token);
                agent.set_host_headers("127.0.0.1", [("Authorization", value)])?;
                http.get(format!("http://{service}/me")).on_response(greet);
                Ok(())
            },
        );
}

fn greet(me: On<HttpResponse>, mut exit: MessageWriter<AppExit>) {
    println!("logged in: {} {}", me.status(), me.text());
    exit.write(AppExit::Success);
}

/// Stands for the browser, another program: it follows redirects, and shows the title of the last page.
fn open_browser(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || match visit(&url) {
        Ok(title) => println!("the browser shows: {title}"),
        Err(error) => eprintln!("the browser fails: {error}"),
    });
}

fn visit(url: &str) -> io::Result<String> {
    let after = |text: &str, mark: &str, end: &str| {
        let (_, rest) = text.split_once(mark)?;
        Some(rest.split(end).next()?.to_owned())
    };
    let host = after(url, "http://", "/").ok_or(io::ErrorKind::InvalidInput)?;
    let target = &url["http://".len() + host.len()..];
    let mut stream = TcpStream::connect(&host)?;
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    match after(&page, "Location: ", "\r\n") {
        Some(next) => visit(&next),
        None => Ok(after(&page, "<title>", "</title>").unwrap_or(page)),
    }
}

/// The authorization server, and the service that accepts its tokens. The player agrees at once.
fn authorization_server(server: &mut Server) -> Result<(), bevy_httpoll::httpoll::Error> {
    let issuer = format!("http://{}", server.local_addr());
    let granted = Arc::new(Mutex::new(None::<(String, String)>));
    let to_redeem = granted.clone();
    server.route("GET", "/authorize", move |request: &mut Request| {
        let value = |name: &str| request.query().get(name).unwrap_or_default().to_owned();
        let (redirect_uri, state) = (value("redirect_uri"), value("state"));
        if value("code_challenge_method") != "S256" || value("client_id") != CLIENT {
            return Ok(Response::status(400));
        }
        if let Ok(mut granted) = granted.lock() {
            *granted = Some((value("code_challenge"), redirect_uri.clone()));
        }
        Response::redirect(&format!(
            "{redirect_uri}?code=c-4711&state={state}&iss={issuer}"
        ))
    })?;
    server.route("POST", "/token", move |request: &mut Request| {
        let Ok(form) = request.form() else {
            return Response::status(415);
        };
        let value = |name: &str| {
            form.field(name)
                .and_then(FormField::text)
                .unwrap_or_default()
        };
        let shown = (
            code_challenge(value("code_verifier")),
            value("redirect_uri").to_owned(),
        );
        // A code can be used once.
        let granted = to_redeem.lock().ok().and_then(|mut granted| granted.take());
        if value("code") == "c-4711" && granted == Some(shown) {
            Response::json(&json!({ "access_token": "t-0815", "token_type": "Bearer" }))
        } else {
            Response::json(&json!({ "error": "invalid_grant" })).with_status(400)
        }
    })?;
    server.route("GET", "/me", |request: &mut Request| {
        if request.header("authorization") == Some("Bearer t-0815") {
            Response::json(&json!({ "name": "Ada", "level": 12 }))
        } else {
            Response::status(401)
        }
    })?;
    Ok(())
}
