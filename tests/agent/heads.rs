//! Events for the heads of requests and responses, as they are on the wire.

use httpoll::mock::MockResponse;
use httpoll::{Event, Request};

use crate::support::{run, setup};

fn reported(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::HeadSent { head, .. } => Some(format!("> {} {}", head.method, head.target)),
            Event::HeadReceived { head, .. } => Some(format!("< {}", head.status.as_u16())),
            _ => None,
        })
        .collect()
}

#[test]
fn every_head_of_every_hop_is_reported_on_request() {
    let (network, server, mut agent) = setup();
    server
        .get("/old")
        .reply(MockResponse::ok().status(302).header("Location", "/new"));
    server.get("/new").reply(MockResponse::ok().text("hi"));
    let request = Request::get("http://game.example/old").report_heads(true);
    let outcome = run(&network, &mut agent, request);
    assert_eq!(
        reported(&outcome.events),
        ["> GET /old", "< 302", "> GET /new", "< 200"]
    );
    let outcome = run(
        &network,
        &mut agent,
        Request::get("http://game.example/old"),
    );
    assert_eq!(reported(&outcome.events), [""; 0]);
}

#[test]
fn a_head_event_has_the_framing() {
    let (network, server, mut agent) = setup();
    server.any("/**").reply(MockResponse::ok());
    let request = Request::post("http://game.example/").body("12345");
    let outcome = run(&network, &mut agent, request.report_heads(true));
    let length = outcome.events.iter().find_map(|event| match event {
        Event::HeadSent { head, .. } => head.fields.get("content-length").map(<[u8]>::to_vec),
        _ => None,
    });
    assert_eq!(length.as_deref(), Some(&b"5"[..]));
}
