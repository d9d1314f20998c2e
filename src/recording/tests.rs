use std::error::Error as _;

use super::*;

fn exchange(url: &str) -> RecordedExchange {
    let mut headers = FieldLines::new();
    headers.append("Authorization", "Bearer secret").unwrap();
    headers.append("Date", "today").unwrap();
    headers.append("X-Raw", b"caf\xe9").unwrap();
    RecordedExchange {
        request: RecordedRequest {
            method: Method::POST,
            url: Url::parse(url).unwrap(),
            headers: headers.clone(),
            body: "line 1\r\nline \"2\"\n\nend \u{e9}".into(),
        },
        response: RecordedResponse {
            status: StatusCode::CREATED,
            headers,
            body: (0..=255).collect::<Vec<u8>>().into(),
            head_after: Duration::from_micros(1500),
            end_after: Duration::from_secs(3600),
        },
    }
}

#[test]
fn a_recording_survives_writing_and_reading() {
    let mut recording = Recording::new();
    assert_eq!(Recording::parse(&recording.to_string()).unwrap(), recording);
    recording
        .exchanges
        .push(exchange("http://game.example/a?b=c"));
    let mut other = exchange("https://[::1]:8443/");
    other.request.headers = FieldLines::new();
    other.request.body = RecordedBody::Omitted(7);
    other.response.body = Bytes::new();
    recording.exchanges.push(other);
    let text = recording.to_string();
    assert_eq!(Recording::parse(&text).unwrap(), recording);
    for line in [
        "            \"line 1\\r\\n\",\n            \"line \\\"2\\\"\\n\",\n            \"\\n\",",
        "          \"Date: today\",\n          {\"base64\": \"",
        "        \"body\": {\"omitted\": 7}\n",
        "        \"body\": {\"text\": []},\n",
        "        \"headers\": [],\n",
        "        \"head_after_us\": 1500,\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_example_of_the_documentation() {
    let text = include_str!("mod.rs");
    let (_, text) = text.split_once("/// ```json\n").unwrap();
    let (text, _) = text.split_once("/// ```\n").unwrap();
    let text: String = text
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("/// ").unwrap()))
        .collect();
    assert_eq!(Recording::parse(&text).unwrap().to_string(), text);
}

#[test]
fn secrets_are_never_recorded() {
    let recorder = Recorder::new();
    recorder.redact_header("x-raw");
    recorder.redact_query("token");
    recorder.omit_header("date");
    recorder.omit_request_bodies();
    let same = recorder.clone();
    same.record(exchange(
        "http://user:pw-secret@game.example/a?token=secret&b=c#secret",
    ));
    let recording = recorder.recording();
    let request = &recording.exchanges[0].request;
    assert_eq!(
        request.url.as_str(),
        "http://game.example/a?token=REDACTED&b=c"
    );
    assert_eq!(
        request.headers.get("authorization"),
        Some(&b"Bearer REDACTED"[..])
    );
    assert_eq!(request.headers.get("x-raw"), Some(&b"REDACTED"[..]));
    assert!(!request.headers.contains("date"));
    assert_eq!(request.body, RecordedBody::Omitted(24));
    for text in [recording.to_string(), format!("{recording:?} {recorder:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(!format!("{:?}", exchange("http://h/?q=secret")).contains("secret"));
}

#[test]
fn errors_name_the_place() {
    let error = Recording::parse("{\n  \"format\": x").unwrap_err();
    assert_eq!(
        (error.line_and_column(), error.path()),
        (Some((2, 13)), None)
    );
    assert!(error.to_string().contains("line 2 column 13"), "{error}");

    let mut recording = Recording::new();
    recording.exchanges.push(exchange("http://game.example/"));
    recording.exchanges.push(exchange("http://game.example/"));
    let whole = recording.to_string();
    for (from, to, path, says) in [
        ("\"version\": 1", "\"version\": 2", "version", "must be 1"),
        ("httpoll rec", "other rec", "format", "must be \"httpoll"),
        ("\"version\"", "\"ver\"", "ver", "not known"),
        ("  \"version\": 1,\n", "", "version", "missing"),
        (
            "\"POST\"",
            "\"P T\"",
            "exchanges[0].request.method",
            "a method",
        ),
        (
            "http://game",
            "ftp://game",
            "exchanges[0].request.url",
            "http",
        ),
        ("201", "99", "exchanges[0].response.status", "must be 101"),
        ("201", "100", "exchanges[0].response.status", "must be 101"),
        (
            "201",
            "65736",
            "exchanges[0].response.status",
            "must be 101",
        ),
        ("201", "-1", "exchanges[0].response.status", "whole number"),
        (
            "Date:",
            "Date",
            "exchanges[0].request.headers[1]",
            "header line",
        ),
        (
            "Date:",
            "Da te:",
            "exchanges[0].request.headers[1]",
            "header line",
        ),
        (
            "\"Date: today\"",
            "7",
            "exchanges[0].request.headers[1]",
            "object",
        ),
        (
            "\"text\"",
            "\"txt\"",
            "exchanges[0].request.body.txt",
            "not known",
        ),
        (
            "{\"base64\": \"",
            "{\"base64\": \"!",
            "exchanges[0].request.headers[2].base64",
            "base64",
        ),
        (
            "\"line 1\\r\\n\"",
            "null",
            "exchanges[0].request.body.text[0]",
            "text",
        ),
        (
            "1500",
            "1.5",
            "exchanges[0].response.head_after_us",
            "whole number",
        ),
    ] {
        let error = Recording::parse(&whole.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.path(), Some(path), "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.line_and_column(), None);
    }
    let error = Recording::parse("[]").unwrap_err();
    assert_eq!(error.to_string(), "the recording must be an object");

    let error = Recording::load("no/such/file").unwrap_err();
    assert!(error.source().is_some());
    assert_eq!(error.file(), Some(std::path::Path::new("no/such/file")));
    assert!(error.to_string().starts_with("no/such/file: "), "{error}");
    assert_eq!((error.line_and_column(), error.path()), (None, None));
    let error = Recording::new().save("no/such/file").unwrap_err();
    assert!(error.to_string().starts_with("no/such/file: "), "{error}");
}

/// Cut off or damaged text is an error or another recording, never a panic.
#[test]
fn damaged_text_never_panics() {
    let mut recording = Recording::new();
    recording.exchanges.push(exchange("http://game.example/"));
    let whole = recording.to_string();
    for end in 0..whole.len() - 2 {
        if let Some(text) = whole.get(..end) {
            let error = Recording::parse(text).unwrap_err();
            assert!(error.line_and_column().is_some(), "{end}: {error}");
        }
    }
    for index in 0..whole.len() {
        for spice in [b'"', b'0', b'{', b']', b'\\', b':'] {
            let mut damaged = whole.clone().into_bytes();
            damaged[index] = spice;
            let _ = Recording::parse(&String::from_utf8_lossy(&damaged));
        }
    }
}
