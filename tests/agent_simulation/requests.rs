//! One request of the simulation: what it asks for, what must come of it, and what came.

use std::path::{Path, PathBuf};
use std::time::Duration;

use httpoll::{
    Download, Priority, Request, RequestHandle, agent::Progress, auth::Credentials,
    node::RequestBody,
};

use super::servers::{KEY, VERSIONS};
use crate::seeded::{HesitantReader, Random, content};

pub(crate) const PRIORITIES: [Priority; 4] = [
    Priority::Gameplay,
    Priority::Interface,
    Priority::Streaming,
    Priority::Background,
];

/// In calm runs requests go to these only.
const LIVE_HOSTS: [&str; 2] = ["a.example", "b.example"];

/// Most requests go to a server that responds.
const ANY_HOSTS: [&str; 11] = [
    "a.example",
    "a.example",
    "a.example",
    "b.example",
    "b.example",
    "b.example",
    "b.example",
    "refused.example",
    "hole.example",
    "slow.example",
    "nowhere.example",
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Takes {
    Collected,
    Streamed,
    Saved,
    Events,
}

/// What a request asks the server for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Untagged,
    Chunked,
    UntilClose,
    Gzip,
    Echo,
    Busy,
    Login,
    Cached,
    NotFound,
    Redirect,
    Ends,
    Events,
    Changing,
}

impl Kind {
    fn any(random: &mut Random) -> Self {
        match random.below(17) {
            0..=2 => Self::Plain,
            3 => Self::Untagged,
            4 => Self::Chunked,
            5 => Self::UntilClose,
            6 => Self::Gzip,
            7 => Self::Echo,
            8 => Self::Busy,
            9 => Self::Login,
            10 => Self::Cached,
            11 => Self::NotFound,
            12 => Self::Redirect,
            13 | 14 => Self::Ends,
            15 => Self::Changing,
            _ => Self::Events,
        }
    }
}

/// A request, and what was reported of it.
pub(crate) struct TrackedRequest {
    pub(crate) url: String,
    pub(crate) handle: Option<RequestHandle>,
    pub(crate) takes: Takes,
    /// What a success brings, in each of its versions.
    pub(crate) contents: Vec<Vec<u8>>,
    /// Whether its content may be cut without a sign.
    pub(crate) until_close: bool,
    /// Whether the status may be other than a success.
    pub(crate) may_refuse: bool,
    pub(crate) file: Option<PathBuf>,
    /// Whether a partial download may be left for the next run.
    pub(crate) keeps: bool,
    /// Whether an earlier run was killed, perhaps in the moment in which the file was complete.
    pub(crate) is_again: bool,
    /// How many bytes of it an earlier run left that the server still has.
    pub(crate) kept: u64,
    pub(crate) streamed: Vec<u8>,
    pub(crate) events: usize,
    pub(crate) progress: Option<Progress>,
    pub(crate) is_over: bool,
    pub(crate) is_paused: bool,
    /// It was paused or suspended, so it may restart without an event.
    pub(crate) was_held: bool,
}

/// What the requests of one run have in common.
pub(crate) struct Choices<'a> {
    pub(crate) is_calm: bool,
    /// The most bytes of content.
    pub(crate) most: usize,
    pub(crate) folder: Option<&'a Path>,
}

impl TrackedRequest {
    /// Any request, with this number.
    pub(crate) fn any(
        random: &mut Random,
        number: usize,
        choices: &Choices<'_>,
    ) -> (Request, Self) {
        let most = random.of(&[1, 20, 300, choices.most, choices.most]);
        let length = random.below(most + 1);
        let mut tracked = Self {
            url: String::new(),
            handle: None,
            takes: Takes::Collected,
            contents: vec![content(number, length)],
            until_close: false,
            may_refuse: false,
            file: None,
            keeps: false,
            is_again: false,
            kept: 0,
            streamed: Vec::new(),
            events: 0,
            progress: None,
            is_over: false,
            is_paused: false,
            was_held: false,
        };
        let hosts = if choices.is_calm {
            &LIVE_HOSTS[..]
        } else {
            &ANY_HOSTS[..]
        };
        let host = hosts[random.below(hosts.len())];
        let kind = Kind::any(random);
        let path = tracked.path(kind, random, number, length);
        tracked.url = format!("http://{host}/{path}");
        let request = tracked.request(kind, random);
        let request = with_credentials(request, kind, path.contains("/far/"), random);
        let request = tracked.take(request, random, number, choices.folder);
        (
            with_options(request, kind, random, choices.is_calm),
            tracked,
        )
    }

    /// The path, which tells the server what to send.
    fn path(&mut self, kind: Kind, random: &mut Random, number: usize, length: usize) -> String {
        let place = format!("{number}/{length}");
        match kind {
            Kind::Plain => format!("plain/{place}"),
            Kind::Untagged => format!("untagged/{place}"),
            Kind::Chunked => format!("chunked/{place}"),
            Kind::UntilClose => {
                self.until_close = true;
                format!("close/{place}")
            }
            Kind::Gzip => format!("gzip/{place}"),
            Kind::Echo => format!("echo/{number}"),
            Kind::Busy => {
                let times = random.below(3);
                self.may_refuse = true;
                format!("busy/{place}/{times}")
            }
            Kind::Login => format!("login/{place}"),
            Kind::Cached => {
                let number = random.below(3);
                self.contents = vec![content(number, number * 700)];
                format!("cached/{number}/{}", number * 700)
            }
            Kind::NotFound => {
                self.may_refuse = true;
                "status/404".to_owned()
            }
            Kind::Redirect => {
                let near = random.one_in(2);
                let status = random.of(&[301, 302, 303, 307, 308]);
                if near {
                    format!("redirect/{status}/near/plain/{place}")
                } else {
                    format!("redirect/{status}/far/stripped/{place}")
                }
            }
            Kind::Ends => format!("ends/{place}"),
            Kind::Changing => {
                self.may_refuse = true;
                self.contents = (0..VERSIONS)
                    .map(|version| content(number + version * 50, length))
                    .collect();
                format!("changing/{place}")
            }
            Kind::Events => {
                self.takes = Takes::Events;
                self.contents = vec![Vec::new()];
                format!("events/{number}/{}", 1 + length % 20)
            }
        }
    }

    fn request(&mut self, kind: Kind, random: &mut Random) -> Request {
        if kind == Kind::Echo {
            let method = random.of(&["POST", "PUT"]);
            let body = body(&self.contents[0], random);
            return Request::with_method_name(method, &self.url).body(body);
        }
        if random.one_in(15) && self.takes == Takes::Collected {
            self.contents = vec![Vec::new()];
            self.until_close = false;
            return Request::head(&self.url);
        }
        Request::get(&self.url)
    }

    /// Decides in which form the content is wanted.
    fn take(
        &mut self,
        request: Request,
        random: &mut Random,
        number: usize,
        folder: Option<&Path>,
    ) -> Request {
        let is_free = request.method() == "GET" && self.takes == Takes::Collected;
        if random.one_in(3) && is_free {
            self.takes = Takes::Streamed;
            return request.stream();
        }
        if let Some(folder) = folder
            && is_free
            && !self.until_close
            && random.one_in(2)
        {
            self.takes = Takes::Saved;
            let path = folder.join(format!("{number}.bin"));
            self.keeps = random.one_in(3);
            let download = Download::to(&path).resume(self.keeps);
            self.file = Some(path);
            return request.download_to(download);
        }
        if self.takes == Takes::Events {
            return request.event_stream();
        }
        request
    }
}

/// Credentials for a login, and such as must not follow a redirect to another origin.
fn with_credentials(
    mut request: Request,
    kind: Kind,
    is_far: bool,
    random: &mut Random,
) -> Request {
    if kind == Kind::Login {
        let (user, password) = ("ann".to_owned(), "secret".to_owned());
        request = request.credentials(match random.below(2) {
            0 => Credentials::Basic { user, password },
            // Sent only after a challenge.
            _ => Credentials::Any { user, password },
        });
    }
    if is_far {
        request = request
            .secret_header(KEY, "k")
            .cookie("own", "1")
            .header("Authorization", "Bearer t");
    }
    request
}

fn with_options(request: Request, kind: Kind, random: &mut Random, is_calm: bool) -> Request {
    let mut request = request.priority(random.of(&PRIORITIES));
    if random.one_in(6) {
        let rate = 1000 + random.below(50_000) as u64;
        request = request.rate_limit(Some(rate));
    }
    if !is_calm && random.one_in(8) {
        let limit = Duration::from_millis(random.below(4000) as u64);
        request = match random.below(2) {
            0 => request.total_timeout(limit),
            _ => request.queue_timeout(limit),
        };
    }
    if matches!(kind, Kind::Plain | Kind::Untagged) && random.one_in(4) {
        // Both hosts serve the same content.
        request = request.fail_over(["http://b.example", "http://a.example"]);
    }
    request
        .decompress(random.one_in(2))
        .report_heads(random.one_in(4))
}

fn body(content: &[u8], random: &mut Random) -> RequestBody {
    let source = HesitantReader::new(content, random.clone());
    match random.below(3) {
        0 => content.to_vec().into(),
        1 => RequestBody::reader(source, Some(content.len() as u64)),
        _ => RequestBody::reader(source, None),
    }
}
