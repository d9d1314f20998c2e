//! One logical request on its way: over redirects, retries and connections, to its end.
//!
//! A [`Transfer`] is data; `core` moves it.

#[cfg(feature = "cache")]
pub(crate) mod cache_state;
pub(crate) mod queue_key;
pub(crate) mod response_state;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use url::Url;

use self::queue_key::QueueKey;
use self::response_state::{Answer, Kept, Sink, Then};
use crate::agent::content::Payload;
use crate::agent::download::Downloading;
use crate::agent::event::Progress;
use crate::agent::id::RequestId;
use crate::agent::output::Output;
use crate::agent::pool::{ConnectionKey, HostKey, Place};
use crate::agent::prepared::Prepared;
use crate::agent::response::{ConnectionInfo, Hop, Response, SavedFile, Timings, Transferred};
use crate::agent::settings::Settings;
use crate::connection::Connection;
use crate::phase::Phase;
use crate::proto::FieldLines;
use crate::semantics::auth::AuthAttempt;
use crate::semantics::event_stream::EventStreamParser;
use crate::semantics::redirect::Redirection;
use crate::semantics::retry::RetryState;
use crate::transport::throttle::Throttle;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) id: RequestId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) payload: Payload,
    pub(crate) output: Output,
    /// The caller's lines and the agent's defaults, for the present hop.
    pub(crate) fields: FieldLines,
    pub(crate) without: Vec<String>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) method: Method,
    pub(crate) url: Arc<Url>,
    pub(crate) referer: Option<String>,
    /// Whether the credentials given for the first origin still apply.
    pub(crate) is_trusted: bool,
    pub(crate) stage: Stage,
    /// Origins to try when the URL's own fails.
    pub(crate) origins: Vec<Url>,
    pub(crate) history: Vec<Hop>,
    pub(crate) retry: RetryState,
    pub(crate) attempts: u32,
    /// Stale connections met in a row: the next attempt asks for a new one.
    pub(crate) needs_new_connection: bool,
    pub(crate) expects_continue: bool,
    pub(crate) paused: bool,
    /// It decides for all others whether its origin works again.
    pub(crate) probes: bool,
    /// It was paused on its present connection, which may have died of that.
    pub(crate) was_paused: bool,
    /// When all of it must be over, and when it must have left the queue, in active time.
    pub(crate) deadline: Option<Instant>,
    pub(crate) queue_deadline: Option<Instant>,
    /// Its rate, each way.
    pub(crate) throttle: Throttle,
    pub(crate) upload_throttle: Throttle,
    /// When a timer looks whether more may be received.
    pub(crate) rate_due: Option<Instant>,
    /// When more of its content may be sent, if a rate holds it back.
    pub(crate) upload_due: Option<Instant>,
    /// It waits for bandwidth that all share.
    pub(crate) queue_key: Option<QueueKey>,
    pub(crate) clocks: Clocks,
    pub(crate) opened: u32,
    pub(crate) answer: Option<Answer>,
    pub(crate) file: Option<Box<Downloading>>,
    /// Its part file was put away, to be continued.
    pub(crate) is_suspended_file: bool,
    pub(crate) saved: Option<Box<SavedFile>>,
    /// What came before the connection was lost, when the rest can be asked for.
    pub(crate) kept: Option<Kept>,
    pub(crate) events: Option<Box<EventStreamParser>>,
    /// Content handed to the caller's queue and not pulled yet.
    pub(crate) unread_bytes: usize,
    /// The progress reported last, and whether newer is to be reported.
    pub(crate) last_progress: Option<Progress>,
    pub(crate) progress_scheduled: bool,
    /// The phase reported last for the present attempt.
    pub(crate) reported_phase: Option<Phase>,
    /// Which of the agent's fail-over lists it uses, which entry of it, and which are left.
    pub(crate) fail_over: Option<Standby>,
    /// The fields sent, for a recorder.
    pub(crate) sent: Option<FieldLines>,
    pub(crate) auth: AuthAttempt,
    #[cfg(feature = "cache")]
    pub(crate) caching: Option<Box<cache_state::CacheState>>,
    #[cfg(feature = "websocket")]
    pub(crate) socket: Option<Box<crate::agent::web_socket::OpenSocket>>,
}

/// A place in a fail-over list of the agent's.
#[derive(Debug)]
pub(crate) struct Standby {
    /// `None`: the agent remembers too many already.
    pub(crate) list: Option<usize>,
    pub(crate) index: usize,
    /// What to try next: index and origin.
    pub(crate) left: VecDeque<(usize, Url)>,
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Waits for a file to be opened.
    Opening,
    /// Waits for a connection.
    Queued {
        host: HostKey,
        place: Place,
        told: bool,
    },
    /// Has a connection; `asked` once the request was given to it.
    Active {
        connection: ConnectionKey,
        asked: bool,
    },
    /// Waits to be sent again.
    Waiting { until: Instant },
    /// All content is there; the file is being finished.
    Committing,
    /// Held back while the agent is suspended.
    Parked,
}

/// When things began, by the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) began: Instant,
    pub(crate) hop_began: Instant,
    pub(crate) left_queue: Option<Instant>,
}

impl Transfer {
    pub(crate) fn new(
        id: RequestId,
        prepared: Prepared,
        clock: Instant,
        active_now: Instant,
    ) -> Self {
        let Prepared {
            method,
            url,
            fields,
            without,
            cookies,
            settings,
            payload,
            output,
            fail_over,
        } = prepared;
        let deadline = settings
            .total_timeout
            .and_then(|limit| active_now.checked_add(limit));
        let mut throttle = Throttle::unlimited();
        throttle.set_rate(
            settings.rate_limit.and_then(std::num::NonZeroU64::new),
            active_now,
        );
        Self {
            id,
            payload,
            output,
            fields,
            without,
            cookies,
            method,
            url,
            referer: None,
            is_trusted: true,
            stage: Stage::Opening,
            origins: fail_over,
            history: Vec::new(),
            retry: RetryState::new(active_now),
            attempts: 0,
            needs_new_connection: false,
            expects_continue: true,
            paused: false,
            probes: false,
            was_paused: false,
            deadline,
            queue_deadline: None,
            upload_throttle: throttle.clone(),
            rate_due: None,
            upload_due: None,
            throttle,
            queue_key: None,
            clocks: Clocks {
                began: clock,
                hop_began: clock,
                left_queue: None,
            },
            opened: 0,
            answer: None,
            file: None,
            is_suspended_file: false,
            saved: None,
            kept: None,
            events: None,
            unread_bytes: 0,
            last_progress: None,
            progress_scheduled: false,
            reported_phase: None,
            fail_over: None,

            sent: None,
            auth: AuthAttempt::default(),
            #[cfg(feature = "cache")]
            caching: None,
            #[cfg(feature = "websocket")]
            socket: None,
            settings,
        }
    }

    /// The connection it has.
    pub(crate) fn connection(&self) -> Option<ConnectionKey> {
        match self.stage {
            Stage::Active { connection, .. } => Some(connection),
            _ => None,
        }
    }

    /// Whether content of the response is arriving for someone who wants it soon.
    pub(crate) fn is_receiving(&self) -> bool {
        #[cfg(feature = "websocket")]
        if self.socket.is_some() {
            return false;
        }
        matches!(self.stage, Stage::Active { .. })
            && !self.paused
            && self
                .answer
                .as_ref()
                .is_some_and(|answer| !matches!(answer.sink, Sink::EventStream))
    }

    /// Whether content is on its way to a file.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.stage, Stage::Active { .. })
            && self
                .answer
                .as_ref()
                .is_some_and(|answer| matches!(answer.sink, Sink::File))
    }

    /// How far it is.
    pub(crate) fn progress(&self, phase: Phase) -> Progress {
        let (received, to_receive) = match &self.answer {
            Some(answer) => {
                let resumed = self.file.as_deref().map_or(0, Downloading::resumed_from);
                let total = answer.content_length.map(|length| length + resumed);
                (answer.received + resumed, total)
            }
            None => {
                let in_file = self.file.as_deref().map_or(0, Downloading::held);
                (
                    self.kept
                        .as_ref()
                        .map_or(in_file, |kept| kept.answer.received),
                    None,
                )
            }
        };
        Progress {
            phase,
            sent: self.payload.sent(),
            to_send: self.payload.length(),
            received,
            to_receive,
        }
    }

    /// What it is doing, as far as it knows without its connection.
    pub(crate) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Active { .. } if self.answer.is_some() => Phase::ReceiveBody,
            Stage::Active { asked: false, .. } => Phase::Connect,
            Stage::Active { .. } => Phase::AwaitHead,
            Stage::Committing => Phase::ReceiveBody,
            Stage::Waiting { .. } => Phase::AwaitRetry,
            Stage::Opening | Stage::Queued { .. } | Stage::Parked => Phase::Queue,
        }
    }

    /// Turns to the next hop of a redirect, leaving behind what must not go along (RFC 9110 §15.4).
    pub(crate) fn go_to(&mut self, next: Redirection) {
        let mut fields = FieldLines::new();
        for (name, value) in self.fields.iter() {
            if next.takes_along(
                name,
                &self.settings.redirects,
                &self.settings.secret_headers,
            ) {
                // It was a valid line before.
                let _ = fields.append(name, value);
            }
        }
        self.fields = fields;
        if !next.keeps_content {
            self.payload.drop_content();
        }
        if next.crosses_origin {
            self.is_trusted &= self.settings.redirects.keep_credentials_across_origins;
            self.auth = AuthAttempt::default();
            if !self.is_trusted {
                self.cookies.clear();
            }
        }
        self.method = next.method;
        self.url = Arc::new(next.url);
        self.referer = next.referer;
        self.expects_continue = true;
        self.kept = None;
    }

    /// Whether it can be sent again without harm (RFC 9110 §9.2.2).
    pub(crate) fn may_repeat(&self) -> bool {
        self.method.is_idempotent() && self.payload.can_be_sent()
    }

    /// Whether the content is held back until the server asks for it (RFC 9110 §10.1.1).
    pub(crate) fn wants_continue(&self) -> bool {
        if !self.expects_continue || self.payload.is_none() {
            return false;
        }
        match self.settings.expect_continue {
            None => false,
            Some(least) => {
                self.payload.has_files || self.payload.length().is_none_or(|length| length >= least)
            }
        }
    }

    /// Whether content codings are asked for. A download that may be continued counts bytes as they
    /// are on the wire.
    pub(crate) fn asks_for_coding(&self) -> bool {
        self.settings.decompress
            && !matches!(self.output, Output::File(_) | Output::EventStream)
            && !self.fields.contains("range")
            && self.kept.is_none()
    }

    /// The most content to hold in memory.
    pub(crate) fn most_collected(&self) -> Option<u64> {
        match self.settings.max_body {
            Some(0) => None,
            Some(most) => Some(most),
            None => Some(COLLECTED_BYTES),
        }
    }

    /// The most content to take, decoded.
    pub(crate) fn most_content(&self) -> Option<u64> {
        match &self.answer {
            Some(Answer {
                then: Then::Fail(_),
                ..
            }) => Some(FAILED_BYTES),
            Some(Answer {
                sink: Sink::Collect(_),
                ..
            }) => self.most_collected(),
            _ => self.settings.max_body.filter(|most| *most > 0),
        }
    }

    /// Turns to reading an event stream; what an earlier connection brought is remembered.
    pub(crate) fn begin_event_stream(&mut self) {
        match &mut self.events {
            Some(parser) => parser.restart(),
            None => self.events = Some(Box::default()),
        }
    }

    /// The times so far, from when the request was given to the agent.
    pub(crate) fn timings(&self, connection: &Connection) -> Timings {
        let Clocks {
            began,
            hop_began,
            left_queue,
        } = self.clocks;
        let queue = left_queue.unwrap_or(hop_began);
        let marks = connection.marks();
        let since = |at: Instant| at.saturating_duration_since(began);
        // What happened before this hop, on a connection that was kept, took no time of it.
        let step = |at: Option<Instant>, before: Instant| at.unwrap_or(before).max(before);
        let resolved = step(marks.resolved, queue);
        let connected = step(marks.connected, resolved);
        let secured = step(marks.secured, connected);
        let sent = step(marks.sent, secured);
        Timings {
            queue: since(queue),
            namelookup: since(resolved),
            connect: since(connected),
            appconnect: marks.secured.map_or(Duration::ZERO, |_| since(secured)),
            pretransfer: since(sent),
            starttransfer: since(step(marks.first_byte, sent)),
            redirect: if self.history.is_empty() {
                Duration::ZERO
            } else {
                since(hop_began)
            },
            total: Duration::ZERO,
        }
    }

    pub(crate) fn connection_info(&self, connection: &Connection) -> ConnectionInfo {
        let socket = connection.link().map(|link| link.socket());
        ConnectionInfo {
            peer_address: socket.and_then(|socket| socket.peer_address()),
            local_address: socket.and_then(|socket| socket.local_address()),
            reused: connection.requests() > 1,
            opened: self.opened,
            tls: connection.link().and_then(|link| link.tls_info()),
        }
    }

    /// The response as far as it came; `None` when no head did.
    pub(crate) fn take_response(&mut self, now: Instant) -> Option<Response> {
        let answer = self.answer.take()?;
        let mut response = Response::of(answer.head);
        if let Sink::Collect(mut collected) = answer.sink {
            response.body = collected.take();
        }
        response.trailers = answer.trailers;
        response.url = Some(Arc::clone(&self.url));
        response.history = std::mem::take(&mut self.history);
        response.timings = answer.timings;
        response.timings.total = now.saturating_duration_since(self.clocks.began);
        response.connection = answer.connection;
        response.transferred = Transferred {
            sent: self.payload.sent(),
            received: answer.received,
        };
        response.saved = self.saved.take();
        response.from_cache = answer.from_cache;
        response.attempts = self.attempts.max(1);
        Some(response)
    }
}

/// The most content that is collected in memory unless the request says otherwise.
const COLLECTED_BYTES: u64 = 64 * 1024 * 1024;

/// The most content that is kept of a response that is a failure.
const FAILED_BYTES: u64 = 1024 * 1024;
