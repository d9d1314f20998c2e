//! Content in both directions: streams, progress, codings, forms, uploads, what is cut short.

use std::io::{self, Read};
use std::rc::Rc;

use httpoll::error::FrameFault;
use httpoll::frames::Framing;
use httpoll::multipart::{Form, Part};
use httpoll::node::RequestBody;
use httpoll::{Agent, ErrorKind, Event, Request};
use serde_json::json;

use crate::harness::{Env, Outcome, drive_with, fetch};
use crate::{cases, holds, same};

cases![
    json_is_sent_and_received,
    a_form_is_sent,
    a_form_with_a_file_in_memory_is_sent,
    a_large_upload_arrives_whole,
    a_reader_is_sent,
    a_gzip_response_is_undone_by_the_browser,
    progress_counts_up_to_the_length,
    the_length_of_coded_content_is_unknown,
    a_stream_delivers_pieces_in_order,
    a_response_that_is_cut_short_is_an_error_that_keeps_what_came,
    a_limit_on_the_body_ends_the_request,
    a_range_is_asked_for,
    content_is_divided_into_messages,
];

async fn json_is_sent_and_received(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/echo").json(&json!({ "score": 7 }))).await?;
    let echo = ended.json()?;
    same!(echo["text"], r#"{"score":7}"#);
    same!(echo["headers"]["content-type"], "application/json");
    let value: serde_json::Value = ended.response()?.json().map_err(|it| it.to_string())?;
    same!(value["method"], "POST");
    Ok(())
}

async fn a_form_is_sent(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/echo").form([("name", "Ada L"), ("level", "7")])).await?;
    same!(ended.json()?["text"], "name=Ada+L&level=7");
    Ok(())
}

async fn a_form_with_a_file_in_memory_is_sent(_: Rc<Env>) -> Outcome {
    let form = Form::new()
        .text("player", "Ada")
        .bytes("shot", "shot.png", &b"\x89PNG"[..])
        .part("meta", Part::text("{}").content_type("application/json"));
    let echo = fetch(Request::post("/echo").multipart(form))
        .await?
        .json()?;
    let kind = echo["headers"]["content-type"].as_str().unwrap_or_default();
    holds!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
    let text = echo["text"].as_str().unwrap_or_default();
    holds!(text.contains("filename=\"shot.png\""), "{text}");
    Ok(())
}

async fn a_large_upload_arrives_whole(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::post("/echo").body(vec![b'a'; 3_000_000])).await?;
    same!(ended.json()?["length"], 3_000_000);
    same!(ended.response()?.transferred().sent, 3_000_000);
    Ok(())
}

/// A reader that has nothing yet in every second call.
struct Hesitant(usize, bool);

impl Read for Hesitant {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.0.min(buffer.len()).min(1000);
        buffer[..count].fill(b'r');
        self.0 -= count;
        Ok(count)
    }
}

async fn a_reader_is_sent(_: Rc<Env>) -> Outcome {
    let body = RequestBody::reader(Hesitant(2500, false), None);
    let ended = fetch(Request::post("/echo").body(body)).await?;
    same!(ended.json()?["length"], 2500);
    let body = RequestBody::reader(Hesitant(2500, false), Some(3000));
    let ended = fetch(Request::post("/echo").body(body)).await?;
    same!(*ended.error()?.kind(), ErrorKind::RequestBody);
    Ok(())
}

async fn a_gzip_response_is_undone_by_the_browser(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/gzip")).await?;
    same!(ended.text()?, "a".repeat(100_000));
    same!(ended.response()?.header("content-encoding"), None);
    Ok(())
}

async fn progress_counts_up_to_the_length(env: Rc<Env>) -> Outcome {
    for origin in ["", &env.cors] {
        let ended = fetch(Request::get(format!("{origin}/bytes?count=2000000"))).await?;
        let steps: Vec<_> = ended
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Progress { progress, .. } => Some(*progress),
                _ => None,
            })
            .collect();
        let last = steps.last().ok_or("no progress")?;
        same!(last.to_receive, Some(2_000_000));
        holds!(last.received > 0 && last.received <= 2_000_000, "{last:?}");
        same!(ended.response()?.transferred().received, 2_000_000);
    }
    Ok(())
}

async fn the_length_of_coded_content_is_unknown(env: Rc<Env>) -> Outcome {
    for origin in ["", &env.cors] {
        let ended = fetch(Request::get(format!("{origin}/gzip"))).await?;
        let length = ended.events.iter().find_map(|event| match event {
            Event::Head { content_length, .. } => Some(*content_length),
            _ => None,
        });
        same!(length, Some(None));
    }
    Ok(())
}

async fn a_stream_delivers_pieces_in_order(_: Rc<Env>) -> Outcome {
    let mut content = Vec::new();
    let request = Request::get("/bytes?count=1000000").stream();
    drive_with(&mut Agent::new(), request, |_, event| {
        if let Event::Chunk { bytes, .. } = event {
            content.extend_from_slice(bytes);
        }
    })
    .await?
    .response()?;
    same!(content.len(), 1_000_000);
    let block = 251 * 256;
    let wrong = content
        .iter()
        .enumerate()
        .find(|(at, byte)| usize::from(**byte) != at % block % 251);
    same!(wrong, None);
    Ok(())
}

async fn a_response_that_is_cut_short_is_an_error_that_keeps_what_came(_: Rc<Env>) -> Outcome {
    let mut content = 0;
    let request = Request::get("/cut").stream();
    let ended = drive_with(&mut Agent::new(), request, |_, event| {
        if let Event::Chunk { bytes, .. } = event {
            content += bytes.len();
        }
    })
    .await?;
    let broken = httpoll::error::NetworkFault::Broken;
    same!(*ended.error()?.kind(), ErrorKind::Network(broken));
    holds!(ended.error()?.is_retryable(), "a GET can be repeated");
    same!(content, 300);
    Ok(())
}

async fn a_limit_on_the_body_ends_the_request(_: Rc<Env>) -> Outcome {
    let ended = fetch(Request::get("/bytes?count=100000").max_body(5000)).await?;
    holds!(
        matches!(ended.error()?.kind(), ErrorKind::Limit(_)),
        "{}",
        ended.error()?
    );
    Ok(())
}

async fn a_range_is_asked_for(_: Rc<Env>) -> Outcome {
    let request = Request::get("/echo").header("Range", "bytes=5-9");
    same!(
        fetch(request).await?.json()?["headers"]["range"],
        "bytes=5-9"
    );
    Ok(())
}

async fn content_is_divided_into_messages(_: Rc<Env>) -> Outcome {
    let cut = ErrorKind::Frame(FrameFault::Truncated);
    for (end, numbers, error) in [
        ("{%22number%22:3}", vec![1, 2, 3], None),
        ("{%22number%22", vec![1, 2], Some(cut)),
    ] {
        let request = Request::get(format!("/lines?end={end}"));
        let ended = fetch(request.messages(Framing::json_lines())).await?;
        let mut received = Vec::new();
        for event in &ended.events {
            if let Event::Message { message, .. } = event {
                let value: serde_json::Value = message.json().map_err(|error| error.to_string())?;
                received.push(value["number"].as_i64().unwrap_or_default());
            }
        }
        same!(received, numbers);
        match error {
            None => same!(ended.response()?.status().as_u16(), 200),
            Some(kind) => same!(*ended.error()?.kind(), kind),
        }
    }
    Ok(())
}
