//! The servers of the simulation. The path of a request says what they send, so that the client's side
//! knows what must come.

use std::collections::HashMap;

use httpoll::mock::{MockRequest, MockResponse, MockServer};

use crate::seeded::{Random, content};

/// The data of one event of a stream.
pub(crate) fn event_data(number: usize, index: usize) -> String {
    format!("{number}-{index}-{}", "x".repeat(index * 7 % 40))
}

/// How many versions of changing content there are.
pub(crate) const VERSIONS: usize = 3;

/// A secret field, which must not follow a redirect to another origin.
pub(crate) const KEY: &str = "X-Key";

/// Responds by the path, `/kind/number/length`, with more after it for some kinds.
pub(crate) fn serve(server: &MockServer, other: &'static str, seed: u64) {
    let mut busy: HashMap<usize, usize> = HashMap::new();
    let mut version = 0;
    let mut random = Random::new(seed);
    let answer = move |request: &MockRequest| {
        let path = request.path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let number = |at: usize| segments[at].parse::<usize>().unwrap();
        let response = match segments[0] {
            "redirect" => {
                let rest = segments[3..].join("/");
                let to = match segments[2] {
                    "near" => format!("/{rest}"),
                    _ => format!("http://{other}/{rest}"),
                };
                let length = random.of(&[0, 0, 10, 3000]);
                let response = MockResponse::with_status(number(1) as u16)
                    .header("Location", to)
                    .bytes(content(1, length));
                return stalled(response, length, &mut random);
            }
            "stripped" => {
                for name in ["authorization", KEY] {
                    assert_eq!(request.header(name), None, "{name} came along");
                }
                let cookie = request.header("cookie").unwrap_or_default();
                assert!(!cookie.contains("own="), "a cookie came along");
                MockResponse::resource(content(number(1), number(2))).etag("\"s\"")
            }
            "plain" => MockResponse::resource(content(number(1), number(2)))
                .etag(&format!("\"{}\"", number(1)))
                .last_modified("Sun, 06 Nov 1994 08:49:37 GMT"),
            // The content changes now and then, so that what was received before is of no use.
            "changing" => {
                version = (version + usize::from(random.one_in(3))) % VERSIONS;
                let all = content(number(1) + version * 50, number(2));
                let response = MockResponse::resource(all).etag(&format!("\"{version}\""));
                return match random.below(3) {
                    0 if number(2) > 0 => response.cut_after(random.below(number(2))),
                    1 if number(2) > 0 => response.reset_after(random.below(number(2))),
                    _ => response,
                };
            }
            "untagged" => MockResponse::resource(content(number(1), number(2))),
            // The connection ends in the same moment as the content, cleanly or with a reset.
            "ends" => {
                let all = content(number(1), number(2));
                let response = MockResponse::resource(all.clone()).etag("\"e\"");
                return match random.below(2) {
                    0 => response.cut_after(all.len()),
                    _ => response.reset_after(all.len()),
                };
            }
            "chunked" => {
                let all = content(number(1), number(2));
                let size = 1 + random.below(all.len() + 1);
                MockResponse::ok().chunked(all.chunks(size))
            }
            "close" => MockResponse::ok().until_close(content(number(1), number(2))),
            "gzip" => {
                let all = content(number(1), number(2));
                let asked = request.header("accept-encoding").unwrap_or_default();
                if asked.contains("gzip") {
                    MockResponse::ok()
                        .header("Content-Encoding", "gzip")
                        .bytes(gzip(&all))
                } else {
                    MockResponse::resource(all).etag("\"plain\"")
                }
            }
            "echo" => MockResponse::ok().bytes(request.body.clone()),
            "busy" => {
                let left = busy.entry(number(1)).or_insert(number(3));
                if *left > 0 {
                    *left -= 1;
                    let length = random.of(&[0, 10, 3000]);
                    let response = MockResponse::with_status(503).bytes(content(1, length));
                    let response = match random.below(2) {
                        0 => response.header("Retry-After", "1"),
                        _ => response,
                    };
                    return stalled(response, length, &mut random);
                }
                MockResponse::resource(content(number(1), number(2))).etag("\"b\"")
            }
            "login" => {
                if request.header("authorization").is_none() {
                    let response = MockResponse::with_status(401)
                        .header("WWW-Authenticate", "Basic realm=\"game\"")
                        .bytes(content(1, 20));
                    return stalled(response, 20, &mut random);
                }
                MockResponse::resource(content(number(1), number(2))).etag("\"l\"")
            }
            "cached" => MockResponse::resource(content(number(1), number(2)))
                .etag("\"c\"")
                .header(
                    "Cache-Control",
                    random.of(&["max-age=1", "no-cache", "max-age=600"]),
                ),
            "status" => return MockResponse::with_status(number(1) as u16).text("no"),
            "events" => return events(request, number(1), number(2), &mut random),
            other => panic!("no such path: {other}"),
        };
        let cookie = format!("c{}={}", random.below(4), random.below(100));
        response.header("Set-Cookie", cookie)
    };
    let _ = server.any("/**").reply_with(answer);
}

/// Content that nobody wants, and that sometimes never ends.
fn stalled(response: MockResponse, length: usize, random: &mut Random) -> MockResponse {
    match random.below(4) {
        0 if length > 0 => response.stall_after(random.below(length)),
        _ => response,
    }
}

/// Some of the events after the last one that the client has; 204 when there are none left.
fn events(request: &MockRequest, number: usize, count: usize, random: &mut Random) -> MockResponse {
    let last = request.header("last-event-id").unwrap_or("0");
    let last: usize = last.parse().unwrap();
    if last >= count {
        return MockResponse::with_status(204);
    }
    let end = (last + 1 + random.below(5)).min(count);
    let mut text = format!("retry: {}\n\n", random.of(&[0, 10, 300]));
    for index in last + 1..=end {
        let data = event_data(number, index);
        text.push_str(&format!("id: {index}\ndata: {data}\n\n"));
    }
    let response = MockResponse::ok().header("Content-Type", "text/event-stream");
    match random.below(3) {
        0 => response.until_close(text),
        1 => response.chunked([text]),
        _ => response.bytes(text),
    }
}

/// A gzip member of stored blocks (RFC 1952, RFC 1951 §3.2.4).
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks: Vec<&[u8]> = match content {
        [] => vec![&[]],
        content => content.chunks(0xffff).collect(),
    };
    for (at, block) in blocks.iter().enumerate() {
        member.push(u8::from(at + 1 == blocks.len()));
        let length = block.len() as u16;
        member.extend_from_slice(&length.to_le_bytes());
        member.extend_from_slice(&(!length).to_le_bytes());
        member.extend_from_slice(block);
    }
    let mut crc = !0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    member.extend_from_slice(&(!crc).to_le_bytes());
    member.extend_from_slice(&(content.len() as u32).to_le_bytes());
    member
}
