//! One logical request under way: over redirects, retries and connections, to its end.
//!
//! A [`Transfer`] is data. Where it stands is its [`State`]; what it does next is decided by `decide`; the
//! engine moves it.
//!
//! | file | holds |
//! |---|---|
//! | `state` | where the transfer stands, with what exists only there, and the response of the present hop |
//! | `decide`, `next_action` | what the transfer does next, and why |
//! | `fault_class` | what an error says about the connection, the network or the origin |
//! | `properties` | what follows from the state: whether the transfer may be repeated, continued or sent elsewhere |
//! | `outgoing` | the request of the present hop |
//! | `cache_state`, `queue_key` | what cache and bandwidth queue know of it |

#[cfg(feature = "cache")]
pub(crate) mod cache_state;
pub(crate) mod decide;
pub(crate) mod fault_class;
pub(crate) mod next_action;
pub(crate) mod outgoing;
mod properties;
pub(crate) mod queue_key;
pub(crate) mod state;

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use self::outgoing::Outgoing;
use self::queue_key::QueueKey;
use self::state::{PartialResponse, ResponseState, State};
use crate::agent::downloading::Downloading;
use crate::agent::event::{Progress, Unpulled};
use crate::agent::id::RequestId;
#[cfg(feature = "cache")]
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::prepared::Prepared;
use crate::agent::response::{ConnectionInfo, Hop, SavedFile, Timings};
use crate::agent::settings::Settings;
#[cfg(feature = "cache")]
use crate::agent::{payload::Payload, settings::Priority};
use crate::clock::Instant;
use crate::connection::Connection;
use crate::phase::Phase;
use crate::semantics::event_stream::reader::EventReader;
use crate::semantics::frames::framer::Framer;
use crate::semantics::redirect::Redirection;
use crate::semantics::retry::RetryState;
use crate::transport::throttle::Throttle;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) id: RequestId,
    pub(crate) settings: Arc<Settings>,
    pub(crate) request: Outgoing,
    pub(crate) state: State,
    pub(crate) attempts: Attempts,
    pub(crate) times: Times,
    pub(crate) rates: Rates,
    pub(crate) delivery: Delivery,
    pub(crate) file: FileState,
    /// What arrived before the connection was lost, when the rest can be asked for.
    pub(crate) partial: Option<PartialResponse>,
    pub(crate) paused: bool,
    #[cfg(feature = "cache")]
    pub(crate) cache: Option<Box<cache_state::CacheState>>,
}

/// The hops and attempts so far, and what was learned from them for the next one.
#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) history: Vec<Hop>,
    pub(crate) retries: RetryState,
    /// Requests sent for the present hop.
    pub(crate) count: u32,
    /// Connections opened.
    pub(crate) opened: u32,
    /// HTTP bytes that the last exchange sent and received.
    pub(crate) moved: (u64, u64),
    /// The last connection was stale: the next attempt opens a new one.
    pub(crate) needs_new_connection: bool,
    /// The transfer was paused on its present connection, which may have died of that.
    pub(crate) was_paused: bool,
    /// It decides for all others whether its origin works again.
    pub(crate) probes: bool,
    /// Other origins to try, until the transfer is admitted.
    pub(crate) origins: Vec<Url>,
    /// Which of the agent's fail-over lists it uses, and what is left of it.
    pub(crate) standby: Option<Standby>,
    /// Whether a browser followed redirects.
    pub(crate) was_redirected: bool,
}

/// A transfer's place in one of the agent's fail-over lists.
#[derive(Debug)]
pub(crate) struct Standby {
    /// `None`: the agent remembers too many lists already.
    pub(crate) list: Option<usize>,
    pub(crate) index: usize,
    /// What to try next: index and origin.
    pub(crate) left: VecDeque<(usize, Url)>,
}

/// When things began, by the clock, and when all must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) began: Instant,
    pub(crate) hop_began: Instant,
    pub(crate) left_queue: Option<Instant>,
    /// In active time.
    pub(crate) deadline: Option<Instant>,
}

/// How fast the transfer may be, each way. All times are active time.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) download: Throttle,
    pub(crate) upload: Throttle,
    /// When a timer looks whether more may be received.
    pub(crate) download_due: Option<Instant>,
    /// When more of the content may be sent, if a rate holds it back.
    pub(crate) upload_due: Option<Instant>,
    /// The place among the transfers that wait for shared bandwidth.
    pub(crate) queue_key: Option<QueueKey>,
}

/// What was delivered and reported to the caller.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Content in the event queue that the caller has not pulled.
    pub(crate) unread_bytes: usize,
    /// The progress reported last.
    pub(crate) last_progress: Option<Progress>,
    /// Whether newer progress is to be reported.
    pub(crate) progress_scheduled: bool,
    /// The phase reported last for the present attempt.
    pub(crate) reported_phase: Option<Phase>,
    /// Messages in the event queue that the caller has not pulled.
    pub(crate) unread_messages: usize,
    /// Reads an event stream. Remembers the last event's id over connections.
    pub(crate) event_reader: Option<Box<EventReader>>,
    /// Divides content into messages. It is kept when the content continues over another connection.
    pub(crate) framer: Option<Box<Framer>>,
}

impl Delivery {
    /// An event was put into the event queue.
    pub(crate) fn note_delivered(&mut self, unpulled: Unpulled) {
        self.unread_bytes += unpulled.bytes;
        self.unread_messages += unpulled.messages;
    }

    /// The caller pulled an event.
    pub(crate) fn note_pulled(&mut self, pulled: Unpulled) {
        self.unread_bytes = self.unread_bytes.saturating_sub(pulled.bytes);
        self.unread_messages = self.unread_messages.saturating_sub(pulled.messages);
    }
}

/// The file that the content goes to.
#[derive(Debug, Default)]
pub(crate) struct FileState {
    pub(crate) download: Option<Box<Downloading>>,
    /// The part file was put away while the agent is suspended, to be continued.
    pub(crate) is_suspended: bool,
    pub(crate) saved: Option<Box<SavedFile>>,
}

impl Transfer {
    pub(crate) fn new(
        id: RequestId,
        prepared: Prepared,
        clock: Instant,
        active_now: Instant,
    ) -> Self {
        let (request, settings, origins) = Outgoing::of(prepared);
        let deadline = settings
            .total_timeout
            .and_then(|limit| active_now.checked_add(limit));
        let mut throttle = Throttle::unlimited();
        let rate = settings.rate_limit.and_then(NonZeroU64::new);
        throttle.set_rate(rate, active_now);
        Self {
            id,
            request,
            state: State::Opening,
            attempts: Attempts {
                history: Vec::new(),
                retries: RetryState::new(active_now),
                count: 0,
                opened: 0,
                moved: (0, 0),
                needs_new_connection: false,
                was_paused: false,
                probes: false,
                origins,
                standby: None,
                was_redirected: false,
            },
            times: Times {
                began: clock,
                hop_began: clock,
                left_queue: None,
                deadline,
            },
            rates: Rates {
                upload: throttle.clone(),
                download: throttle,
                download_due: None,
                upload_due: None,
                queue_key: None,
            },
            delivery: Delivery::default(),
            file: FileState::default(),
            partial: None,
            paused: false,
            #[cfg(feature = "cache")]
            cache: None,
            settings,
        }
    }

    /// A transfer of the engine's own that asks for the same as this one, which has no content, when all else is
    /// done. For the validation of a stored response.
    #[cfg(feature = "cache")]
    pub(crate) fn to_revalidate(&self, id: RequestId, clock: Instant, active_now: Instant) -> Self {
        let request = &self.request;
        let mut settings = Arc::clone(&self.settings);
        let changed = Arc::make_mut(&mut settings);
        changed.priority = Priority::Background;
        changed.report_heads = false;
        let prepared = Prepared {
            method: request.method.clone(),
            url: Arc::clone(&request.url),
            fields: request.fields.clone(),
            without: request.without.clone(),
            cookies: request.cookies.clone(),
            settings,
            payload: Payload::none(),
            output: Output::Collect,
            fail_over: Vec::new(),
        };
        let mut transfer = Self::new(id, prepared, clock, active_now);
        transfer.request.referer.clone_from(&request.referer);
        transfer.request.is_trusted = request.is_trusted;
        transfer
            .request
            .location_credentials
            .clone_from(&request.location_credentials);
        transfer
    }

    /// The connection that it has.
    pub(crate) fn connection(&self) -> Option<ConnectionKey> {
        self.state.connection()
    }

    /// How much was sent and received.
    pub(crate) fn progress(&self, phase: Phase) -> Progress {
        let file = self.file.download.as_deref();
        let (received, to_receive) = match self.state.response() {
            Some(response) => {
                let resumed = file.map_or(0, Downloading::resumed_from);
                let total = response
                    .content_length
                    .map(|length| length.saturating_add(resumed));
                (response.received.saturating_add(resumed), total)
            }
            None => {
                let in_file = file.map_or(0, Downloading::held);
                let partial = self.partial.as_ref();
                (partial.map_or(in_file, |it| it.response.received), None)
            }
        };
        Progress {
            phase,
            sent: self.request.payload.sent(),
            to_send: self.request.payload.length(),
            received,
            to_receive,
        }
    }

    /// Turns to the next hop of a redirect.
    pub(crate) fn follow(&mut self, next: Redirection) {
        self.request.redirect(next, &self.settings);
        self.partial = None;
    }

    /// Keeps what arrived of a response that was cut, if the rest of it can be asked for. Returns
    /// whether it was kept.
    pub(crate) fn keep_partial(&mut self) -> bool {
        if let Some(file) = &mut self.file.download {
            file.interrupt();
            return true;
        }
        if self
            .state
            .response()
            .is_none_or(ResponseState::is_discarded)
        {
            // This attempt brought nothing: what the one before brought is all there is.
            return self.partial.is_some();
        }
        self.partial = None;
        if !self.can_continue() {
            return false;
        }
        self.partial = self.state.take_response().and_then(PartialResponse::of);
        self.partial.is_some()
    }

    /// Begins to read an event stream. The last event's id of an earlier connection is remembered.
    pub(crate) fn begin_event_stream(&mut self) {
        match &mut self.delivery.event_reader {
            Some(reader) => reader.restart(),
            None => self.delivery.event_reader = Some(Box::default()),
        }
    }

    /// The times so far, since the request was submitted.
    pub(crate) fn timings(&self, connection: &Connection) -> Timings {
        let Times {
            began,
            hop_began,
            left_queue,
            ..
        } = self.times;
        let queue = left_queue.unwrap_or(hop_began);
        let timestamps = connection.timestamps();
        let queued = queue.saturating_duration_since(began);
        // On a kept connection most steps end when the request leaves the queue.
        let since = |at: Instant| {
            if at == queue {
                queued
            } else {
                at.saturating_duration_since(began)
            }
        };
        // What happened on a kept connection before this hop took no time of it.
        let step = |at: Option<Instant>, before: Instant| at.unwrap_or(before).max(before);
        let resolved = step(timestamps.resolved, queue);
        let connected = step(timestamps.connected, resolved);
        let secured = step(timestamps.secured, connected);
        let sent = step(timestamps.sent, secured);
        Timings {
            queue: queued,
            namelookup: since(resolved),
            connect: since(connected),
            appconnect: timestamps
                .secured
                .map_or(Duration::ZERO, |_| since(secured)),
            pretransfer: since(sent),
            starttransfer: since(step(timestamps.first_byte, sent)),
            redirect: if self.attempts.history.is_empty() {
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
            opened: self.attempts.opened,
            tls: connection.link().and_then(|link| link.tls_info()),
        }
    }
}
