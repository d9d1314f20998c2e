//! WebSockets over the browser's: the same events as natively.

use std::rc::Rc;
use std::time::Duration;

use httpoll::agent::WebSocketOptions;
use httpoll::clock::Instant;
use httpoll::error::{Misuse, WebSocketFault};
use httpoll::websocket::{CloseFrame, WebSocketConfig, WebSocketMessage};
use httpoll::{Agent, ErrorKind, Event, Request, RequestHandle};

use crate::harness::{Env, Outcome, frame};
use crate::{cases, holds, same};

cases![
    messages_go_both_ways,
    a_large_message_arrives_whole,
    a_subprotocol_is_chosen,
    the_server_closes_with_its_code,
    the_page_closes,
    a_server_that_vanishes_is_an_abnormal_end,
    a_refused_handshake_is_an_error,
    a_port_that_the_browser_blocks_is_an_error,
    a_message_over_the_limit_ends_the_web_socket,
    a_web_socket_beside_requests,
    another_origin_accepts_a_web_socket,
    headers_and_credentials_are_refused,
    pings_are_not_sent,
];

/// The URL of a path at the server of the page, with the scheme `ws`.
fn url(path: &str) -> String {
    let origin = web_sys::window().and_then(|it| it.location().origin().ok());
    format!("{}{path}", origin.unwrap_or_default()).replacen("http", "ws", 1)
}

/// Everything that a WebSocket reports.
struct Socket {
    agent: Agent,
    handle: RequestHandle,
    subprotocol: Option<String>,
}

impl Socket {
    async fn open_at(url: &str, options: WebSocketOptions) -> Result<Self, String> {
        let mut agent = Agent::new();
        let handle = agent
            .send(Request::get(url).web_socket(options))
            .map_err(|error| error.to_string())?;
        let mut socket = Self {
            agent,
            handle,
            subprotocol: None,
        };
        match socket.next().await? {
            Event::WebSocketOpen { subprotocol, .. } => socket.subprotocol = subprotocol,
            Event::Failed { error, .. } => return Err(error.to_string()),
            event => return Err(format!("{event:?}")),
        }
        Ok(socket)
    }

    async fn open() -> Result<Self, String> {
        Self::open_at(&url("/ws"), WebSocketOptions::new()).await
    }

    fn send(&mut self, message: &WebSocketMessage) -> Outcome {
        let sent = self.agent.send_message(self.handle.id(), message.clone());
        sent.map_err(|error| error.to_string())
    }

    /// The next event that is about the WebSocket.
    async fn next(&mut self) -> Result<Event, String> {
        let began = Instant::now();
        loop {
            self.agent.poll();
            while let Some(event) = self.agent.next_event() {
                match event {
                    Event::WebSocketOpen { .. }
                    | Event::WebSocketMessage { .. }
                    | Event::WebSocketClosed { .. }
                    | Event::Done { .. }
                    | Event::Failed { .. } => return Ok(event),
                    _ => {}
                }
            }
            holds!(began.elapsed() < Duration::from_secs(20), "no event");
            frame().await;
        }
    }

    async fn message(&mut self) -> Result<WebSocketMessage, String> {
        match self.next().await? {
            Event::WebSocketMessage { message, .. } => Ok(message),
            event => Err(format!("{event:?}")),
        }
    }

    async fn closed(&mut self) -> Result<Option<CloseFrame>, String> {
        match self.next().await? {
            Event::WebSocketClosed { frame, .. } => Ok(frame),
            event => Err(format!("{event:?}")),
        }
    }
}

fn text(text: &str) -> WebSocketMessage {
    WebSocketMessage::Text(text.to_owned())
}

async fn messages_go_both_ways(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    for message in [
        text("hello"),
        WebSocketMessage::Binary(bytes::Bytes::from_static(b"\x00\xff")),
        text(""),
    ] {
        socket.send(&message)?;
        same!(socket.message().await?, message);
    }
    for number in 0..100 {
        socket.send(&text(&number.to_string()))?;
    }
    for number in 0..100 {
        same!(socket.message().await?, text(&number.to_string()));
    }
    Ok(())
}

async fn a_large_message_arrives_whole(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    let sent: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    socket.send(&WebSocketMessage::Binary(sent.clone().into()))?;
    let WebSocketMessage::Binary(received) = socket.message().await? else {
        return Err("text".to_owned());
    };
    same!(received.len(), sent.len());
    holds!(received == sent, "the bytes differ");
    Ok(())
}

async fn a_subprotocol_is_chosen(_: Rc<Env>) -> Outcome {
    let options = WebSocketOptions::new()
        .subprotocol("game.v2")
        .subprotocol("game.v1");
    let socket = Socket::open_at(&url("/ws"), options).await?;
    same!(socket.subprotocol.as_deref(), Some("game.v2"));
    Ok(())
}

async fn the_server_closes_with_its_code(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    socket.send(&text("close please"))?;
    let closed = socket.closed().await?.ok_or("no close frame")?;
    same!((closed.code, closed.reason.as_str()), (4001, "as you wish"));
    holds!(
        matches!(socket.next().await?, Event::Done { .. }),
        "not over"
    );
    Ok(())
}

async fn the_page_closes(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    let id = socket.handle.id();
    socket.agent.close_web_socket(id, 1000, "bye");
    same!(socket.closed().await?.map(|it| it.code), Some(1000));
    holds!(
        matches!(socket.next().await?, Event::Done { .. }),
        "not over"
    );
    Ok(())
}

async fn a_server_that_vanishes_is_an_abnormal_end(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    socket.send(&text("vanish"))?;
    match socket.next().await? {
        Event::Failed { error, .. } => {
            let abnormal = ErrorKind::WebSocket(WebSocketFault::ClosedAbnormally);
            same!(*error.kind(), abnormal);
            Ok(())
        }
        event => Err(format!("{event:?}")),
    }
}

async fn a_refused_handshake_is_an_error(env: Rc<Env>) -> Outcome {
    for url in [url("/hello"), env.dead.replacen("http", "ws", 1)] {
        let error = Socket::open_at(&url, WebSocketOptions::new()).await.err();
        let error = error.ok_or("it opened")?;
        holds!(error.contains("could not open the WebSocket"), "{error}");
    }
    Ok(())
}

/// WebKit has no `close` for it, only an `error`.
async fn a_port_that_the_browser_blocks_is_an_error(_: Rc<Env>) -> Outcome {
    let open = Socket::open_at("ws://127.0.0.1:6000/", WebSocketOptions::new());
    let error = open.await.err().ok_or("it opened")?;
    holds!(error.contains("browsers block this port"), "{error}");
    Ok(())
}

async fn a_message_over_the_limit_ends_the_web_socket(_: Rc<Env>) -> Outcome {
    let mut config = WebSocketConfig::default();
    config.message_bytes = 1000;
    config.frame_bytes = 1000;
    let options = WebSocketOptions::new().config(config);
    let mut socket = Socket::open_at(&url("/ws"), options).await?;
    socket.send(&WebSocketMessage::Binary(vec![7; 2000].into()))?;
    match socket.next().await? {
        Event::Failed { error, .. } => {
            holds!(matches!(error.kind(), ErrorKind::WebSocket(_)), "{error}");
            Ok(())
        }
        event => Err(format!("{event:?}")),
    }
}

async fn a_web_socket_beside_requests(_: Rc<Env>) -> Outcome {
    let mut socket = Socket::open().await?;
    let sent = socket.agent.send(Request::get("/hello"));
    sent.map_err(|error| error.to_string())?.detach();
    holds!(
        matches!(socket.next().await?, Event::Done { .. }),
        "no response"
    );
    socket.send(&text("still there"))?;
    same!(socket.message().await?, text("still there"));
    Ok(())
}

async fn another_origin_accepts_a_web_socket(env: Rc<Env>) -> Outcome {
    // CORS is not for WebSockets: the server judges the origin.
    let url = format!("{}/ws", env.plain.replacen("http", "ws", 1));
    let mut socket = Socket::open_at(&url, WebSocketOptions::new()).await?;
    socket.send(&text("hello"))?;
    same!(socket.message().await?, text("hello"));
    Ok(())
}

async fn headers_and_credentials_are_refused(_: Rc<Env>) -> Outcome {
    let request = || Request::get(url("/ws")).web_socket(WebSocketOptions::new());
    let refused = |request| Agent::new().send(request).err().map(|it| it.kind().clone());
    let not_on_web = |what| Some(ErrorKind::Misuse(Misuse::NotOnWeb(what)));
    same!(
        refused(request().header("X-Level", "7")),
        not_on_web("headers of a WebSocket")
    );
    let bearer = httpoll::auth::Credentials::Bearer("token".to_owned());
    let what = "credentials of a WebSocket; put a token into its URL or first message";
    same!(refused(request().credentials(bearer)), not_on_web(what));
    Ok(())
}

/// A browser answers pings itself and gives a page no way to send one.
async fn pings_are_not_sent(_: Rc<Env>) -> Outcome {
    let mut config = WebSocketConfig::default();
    config.ping_interval = Some(Duration::from_millis(10));
    let mut socket = Socket::open_at(&url("/ws"), WebSocketOptions::new().config(config)).await?;
    for _ in 0..20 {
        socket.agent.poll();
        frame().await;
    }
    socket.send(&WebSocketMessage::Text("still here".into()))?;
    match socket.next().await? {
        Event::WebSocketMessage { message, .. } => {
            same!(message, WebSocketMessage::Text("still here".into()));
        }
        event => return Err(format!("{event:?}")),
    }
    let pings = crate::harness::fetch(Request::get("/count?key=pings")).await?;
    same!(pings.text()?, "0");
    Ok(())
}
