//! Recordings that replace the server that was recorded.

use http::Method as HttpMethod;
use httpoll::memory::MemoryNetwork;
use httpoll::proto::FieldLines;
use httpoll::recording::{
    RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse, Recorder, Recording,
};
use httpoll::{HttpClient, Method};

use super::faults::timed;
use super::{SECOND, ask, connect, get, has_line};

fn recorded(method: HttpMethod, url: &str, status: u16, body: &str) -> RecordedExchange {
    let mut headers = FieldLines::new();
    headers.append("Content-Type", "text/plain").unwrap();
    headers.append("Content-Length", "99").unwrap();
    headers.append("Set-Cookie", "id=secret; Path=/").unwrap();
    RecordedExchange {
        request: RecordedRequest {
            method,
            url: url::Url::parse(url).unwrap(),
            headers: FieldLines::new(),
            body: RecordedBody::empty(),
        },
        response: RecordedResponse {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_owned().into(),
            head_after: SECOND,
            end_after: 3 * SECOND,
        },
    }
}

fn recording() -> Recording {
    let recorder = Recorder::new();
    recorder.redact_query("key");
    for (method, url, status, body) in [
        (HttpMethod::GET, "http://game.example/a?key=k1", 503, "busy"),
        (HttpMethod::GET, "https://game.example/b", 200, "b"),
        (
            HttpMethod::GET,
            "http://game.example/a?key=k2",
            200,
            "0123456789",
        ),
        (HttpMethod::HEAD, "http://game.example/a", 200, ""),
        (HttpMethod::GET, "http://other.example:8080/", 200, "other"),
    ] {
        recorder.record(recorded(method, url, status, body));
    }
    let text = recorder.recording().to_string();
    assert!(!text.contains("secret") && !text.contains("k1"), "{text}");
    Recording::parse(&text).unwrap()
}

#[test]
fn a_recording_answers_in_its_order() {
    let network = MemoryNetwork::new();
    let replay = recording().replay_on(&network);
    assert_eq!(replay.remaining().len(), 5);
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    let text = |code: u16, text: &str| (code, text.to_owned());
    assert_eq!(get(&network, &mut http, "/b"), text(200, "b"));
    assert_eq!(get(&network, &mut http, "/a?key=mine"), text(503, "busy"));
    assert_eq!(
        get(&network, &mut http, "/a?key=mine"),
        text(200, "0123456789")
    );
    assert!(has_line(&http, "Set-Cookie: id=REDACTED; Path=/"));
    assert_eq!(
        get(&network, &mut http, "/a?key=mine"),
        text(
            501,
            "The recording has GET /a?key=mine 2 times, and no more.\n"
        )
    );
    assert_eq!(
        get(&network, &mut http, "/c"),
        text(501, "The recording has no GET /c.\n")
    );
    let answer = ask(&network, &mut http, (Method::Head, "/a"), &[], "");
    assert_eq!(answer, text(200, ""));
    assert!(has_line(&http, "Content-Length: 99"));
    let remaining = replay.remaining();
    assert_eq!(remaining.len(), 1);
    assert_eq!(
        remaining[0].request.url.as_str(),
        "http://other.example:8080/"
    );
    assert_eq!(
        replay.server("GAME.example", 80).unwrap().requests().len(),
        6
    );
    assert!(replay.server("other.example", 80).is_none());
}

#[test]
fn a_recording_answers_in_its_time() {
    let network = MemoryNetwork::new();
    let mut recording = recording();
    recording.exchanges.drain(..2);
    recording.exchanges[0].request.url.set_path("/");
    recording.exchanges[0].request.url.set_query(None);
    let _replay = recording.replay_in_time_on(&network);
    let mut http = HttpClient::on_memory(&network);
    connect(&network, &mut http);
    let (head, end, body) = timed(&network, &mut http);
    assert_eq!((head, end), (SECOND, 3 * SECOND));
    assert_eq!(body, b"0123456789");
}

#[test]
fn a_recording_is_kept_in_a_file() {
    let path = std::env::temp_dir().join(format!("httpoll-mock-{}.json", std::process::id()));
    let recording = recording();
    recording.save(&path).unwrap();
    let loaded = Recording::load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded, recording);
    let missing = Recording::load(&path).unwrap_err();
    assert!(missing.to_string().contains("httpoll-mock-"), "{missing}");
}
