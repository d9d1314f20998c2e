//! [`Replay`]: mock servers that respond as recorded.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use url::Url;

use super::request::MockRequest;
use super::response::MockResponse;
use super::server::MockServer;
use crate::recording::{REDACTED, RecordedExchange, RecordedResponse, Recording};
use crate::transport::memory::MemoryNetwork;

/// The number of pieces into which a recorded response's content is split over its time.
const PIECES: u32 = 8;

/// When recorded responses are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    AtOnce,
    AsRecorded,
}

/// A recording that is being played back; see [`Recording::replay_on`].
pub struct Replay {
    origins: Vec<Origin>,
}

struct Origin {
    host: String,
    port: u16,
    server: MockServer,
    script: Script,
}

/// The exchanges of one origin, and which of them were played back.
#[derive(Clone)]
struct Script(Arc<Mutex<Vec<Scene>>>);

struct Scene {
    exchange: RecordedExchange,
    is_played: bool,
}

impl Recording {
    /// Plays the recording back on this network: one mock server for each origin responds to each
    /// method and URL in the recorded order, without delay. A request that was not recorded, or that
    /// comes more often than recorded, gets a 501 whose content says so.
    ///
    /// Mock servers do not speak TLS: `https://game.example` is played back as `http` on port 80,
    /// `https` with another port as `http` on that port.
    pub fn replay_on(&self, network: &MemoryNetwork) -> Replay {
        Replay::new(self, network, Pace::AtOnce)
    }

    /// Like [`replay_on`](Self::replay_on), with the recorded times: the head after
    /// [`head_after`](RecordedResponse::head_after), the content spread up to
    /// [`end_after`](RecordedResponse::end_after), of virtual time.
    pub fn replay_in_time_on(&self, network: &MemoryNetwork) -> Replay {
        Replay::new(self, network, Pace::AsRecorded)
    }
}

impl Replay {
    fn new(recording: &Recording, network: &MemoryNetwork, pace: Pace) -> Self {
        let mut origins: Vec<Origin> = Vec::new();
        for exchange in &recording.exchanges {
            let (host, port) = origin(&exchange.request.url);
            let scene = Scene {
                exchange: exchange.clone(),
                is_played: false,
            };
            let known = origins.iter().find(|it| it.port == port && it.host == host);
            if let Some(origin) = known {
                origin.script.scenes().push(scene);
                continue;
            }
            let script = Script(Arc::new(Mutex::new(vec![scene])));
            let server = MockServer::on(network, &host, port);
            let played = script.clone();
            server
                .any("**")
                .reply_with(move |request| played.play(request, pace));
            origins.push(Origin {
                host,
                port,
                server,
                script,
            });
        }
        Self { origins }
    }

    /// The mock server of this origin, for its log of requests, its connections and its faults.
    pub fn server(&self, host: &str, port: u16) -> Option<&MockServer> {
        let mut origins = self.origins.iter();
        let is_it = |it: &&Origin| it.port == port && it.host.eq_ignore_ascii_case(host);
        origins.find(is_it).map(|it| &it.server)
    }

    /// The recorded exchanges that were not requested yet, by origin. Empty if the client sent all
    /// recorded requests.
    pub fn remaining(&self) -> Vec<RecordedExchange> {
        let mut remaining = Vec::new();
        for origin in &self.origins {
            let scenes = origin.script.scenes();
            let left = scenes.iter().filter(|scene| !scene.is_played);
            remaining.extend(left.map(|scene| scene.exchange.clone()));
        }
        remaining
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("origins", &self.origins.len())
            .field("remaining", &self.remaining().len())
            .finish_non_exhaustive()
    }
}

impl Script {
    fn play(&self, request: &MockRequest, pace: Pace) -> MockResponse {
        let mut scenes = self.scenes();
        let mut same = 0;
        for scene in scenes.iter_mut() {
            if !is_recorded(&scene.exchange, request) {
                continue;
            }
            same += 1;
            if !scene.is_played {
                scene.is_played = true;
                return answer(&scene.exchange.response, &request.method, pace);
            }
        }
        let (method, target) = (&request.method, &request.target);
        let text = match same {
            0 => format!("The recording has no {method} {target}.\n"),
            _ => format!("The recording has {method} {target} {same} times, and no more.\n"),
        };
        MockResponse::with_status(501).text(&text)
    }

    fn scenes(&self) -> MutexGuard<'_, Vec<Scene>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Host and port where a URL is played back. TLS is not spoken.
fn origin(url: &Url) -> (String, u16) {
    let host = url.host_str().unwrap_or_default().to_owned();
    (host, url.port().unwrap_or(80))
}

fn is_recorded(exchange: &RecordedExchange, request: &MockRequest) -> bool {
    let recorded = &exchange.request;
    recorded.method == request.method
        && recorded.url.path() == request.path()
        && is_recorded_query(recorded.url.query(), request.query())
}

/// The recorded response, with new framing: the recorded framing was that of the recorded transfer.
fn answer(recorded: &RecordedResponse, method: &Method, pace: Pace) -> MockResponse {
    // A response without content may name the length that a GET would return.
    let is_bodiless = *method == Method::HEAD || recorded.status == StatusCode::NOT_MODIFIED;
    let mut response = MockResponse::with_status(recorded.status.as_u16());
    for (name, value) in recorded.headers.iter() {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if !is("transfer-encoding") && (is_bodiless || !is("content-length")) {
            response = response.header(name, value);
        }
    }
    let content = match is_bodiless {
        true => Bytes::new(),
        false => recorded.body.clone(),
    };
    let length = content.len();
    let was_chunked = recorded.headers.has_token("transfer-encoding", "chunked");
    response = match was_chunked && !is_bodiless {
        true => response.chunked([content]),
        false => response.bytes(content),
    };
    if pace == Pace::AtOnce {
        return response;
    }
    let spread = recorded.end_after.saturating_sub(recorded.head_after);
    let bytes = length.div_ceil(PIECES as usize).max(1);
    let pauses = u32::try_from(length.div_ceil(bytes)).unwrap_or(1);
    let every = match pauses.saturating_sub(1) {
        0 => Duration::ZERO,
        pauses => spread / pauses,
    };
    response.delay(recorded.head_after).drip(bytes, every)
}

/// Whether a query is the recorded one. A redacted value matches any value.
fn is_recorded_query(recorded: Option<&str>, query: Option<&str>) -> bool {
    let (recorded, query) = (recorded.unwrap_or_default(), query.unwrap_or_default());
    let (mut recorded, mut query) = (recorded.split('&'), query.split('&'));
    loop {
        match (recorded.next(), query.next()) {
            (None, None) => return true,
            (Some(recorded), Some(pair)) if recorded == pair => {}
            (Some(recorded), Some(pair)) => {
                let (name, value) = recorded.split_once('=').unwrap_or((recorded, ""));
                if value != REDACTED || pair.split('=').next() != Some(name) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_values_match_any_value() {
        for (recorded, query, expected) in [
            (None, None, true),
            (None, Some("a"), false),
            (Some("a=1&b=2"), Some("a=1&b=2"), true),
            (Some("a=1&b=2"), Some("b=2&a=1"), false),
            (Some("a=1"), Some("a=1&b=2"), false),
            (Some("a=1&b=2"), Some("a=1"), false),
            (Some("a=REDACTED&b=2"), Some("a=secret&b=2"), true),
            (Some("a=REDACTED"), Some("c=secret"), false),
            (Some("a=REDACTED"), Some("a"), true),
        ] {
            assert_eq!(
                is_recorded_query(recorded, query),
                expected,
                "{recorded:?} {query:?}"
            );
        }
    }
}
