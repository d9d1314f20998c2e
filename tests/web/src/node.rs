//! The node: Godot's names and statuses over `fetch`.

use std::rc::Rc;

use httpoll::error::Misuse;
use httpoll::{ErrorKind, HttpClient, Method, Status};

use crate::harness::{Env, Outcome, frame};
use crate::{cases, holds, same};

cases![
    the_node_goes_through_godots_statuses,
    the_node_sends_content_and_a_second_request,
    the_node_refuses_what_a_page_cannot_send,
    blocking_mode_does_not_freeze_the_page,
    a_closed_node_can_connect_again,
];

/// A client that is connected to the server of the page.
async fn connected() -> Result<HttpClient, String> {
    let location = web_sys::window().ok_or("no window")?.location();
    let port = location.port().map_err(|_| "no port")?;
    let port = port.parse().map_err(|_| "no port")?;
    let mut http = HttpClient::new();
    http.connect_to_host("127.0.0.1", port, None)
        .map_err(|error| error.to_string())?;
    for _ in 0..10 {
        if http.get_status() == Status::Connected {
            return Ok(http);
        }
        http.poll().map_err(|error| error.to_string())?;
        frame().await;
    }
    Err(format!("still {:?}", http.get_status()))
}

async fn content(http: &mut HttpClient) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    for _ in 0..600 {
        http.poll().map_err(|error| error.to_string())?;
        while http.get_status() == Status::Body {
            let chunk = http
                .read_response_body_chunk()
                .map_err(|error| error.to_string())?;
            if chunk.is_empty() {
                break;
            }
            content.extend_from_slice(&chunk);
        }
        if http.get_status() == Status::Connected {
            return Ok(content);
        }
        frame().await;
    }
    Err(format!("still {:?}", http.get_status()))
}

async fn the_node_goes_through_godots_statuses(_: Rc<Env>) -> Outcome {
    let mut http = connected().await?;
    http.request(Method::Get, "/hello", &[], "")
        .map_err(|error| error.to_string())?;
    same!(http.get_status(), Status::Requesting);
    same!(content(&mut http).await?, b"hello");
    same!(http.get_response_code(), 200);
    let mut statuses = Vec::new();
    while let Some(transition) = http.next_transition() {
        statuses.push(transition.to);
    }
    same!(
        statuses,
        [
            Status::Connecting,
            Status::Connected,
            Status::Requesting,
            Status::Body,
            Status::Connected
        ]
    );
    Ok(())
}

async fn the_node_sends_content_and_a_second_request(_: Rc<Env>) -> Outcome {
    let mut http = connected().await?;
    for _ in 0..2 {
        http.request(Method::Post, "/echo", &["X-Level: 7"], "sent")
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8(content(&mut http).await?).map_err(|it| it.to_string())?;
        holds!(
            text.contains(r#""x-level": "7""#) && text.contains(r#""text": "sent""#),
            "{text}"
        );
    }
    Ok(())
}

async fn the_node_refuses_what_a_page_cannot_send(_: Rc<Env>) -> Outcome {
    let mut http = connected().await?;
    let refused = |result: Result<(), httpoll::Error>| result.err().map(|it| it.kind().clone());
    let not_on_web = |what| Some(ErrorKind::Misuse(Misuse::NotOnWeb(what)));
    let host = http.request(Method::Get, "/hello", &["Host: other"], "");
    same!(refused(host), not_on_web("the header Host"));
    let trace = http.request(Method::Trace, "/hello", &[], "");
    same!(refused(trace), not_on_web("the method TRACE"));
    let content = http.request(Method::Get, "/hello", &[], "content");
    same!(
        refused(content),
        not_on_web("content in a GET or HEAD request")
    );
    same!(http.get_status(), Status::Connected);
    http.set_http_proxy("proxy.example", 3128)
        .map_err(|it| it.to_string())?;
    let proxy = http.connect_to_host("127.0.0.1", 80, None);
    same!(refused(proxy), not_on_web("proxies"));
    Ok(())
}

async fn blocking_mode_does_not_freeze_the_page(_: Rc<Env>) -> Outcome {
    let mut http = connected().await?;
    http.set_blocking_mode(true);
    holds!(!http.is_blocking_mode_enabled(), "a page cannot wait");
    http.request(Method::Get, "/late?pause=0.3", &[], "")
        .map_err(|error| error.to_string())?;
    same!(content(&mut http).await?, b"late");
    Ok(())
}

async fn a_closed_node_can_connect_again(_: Rc<Env>) -> Outcome {
    let mut http = connected().await?;
    http.request(Method::Get, "/slow?count=100", &[], "")
        .map_err(|error| error.to_string())?;
    http.poll().map_err(|error| error.to_string())?;
    http.close();
    same!(http.get_status(), Status::Disconnected);
    let mut http = connected().await?;
    http.request(Method::Get, "/hello", &[], "")
        .map_err(|error| error.to_string())?;
    same!(content(&mut http).await?, b"hello");
    Ok(())
}
