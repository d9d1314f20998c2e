//! [`App`]: what a server does with a received request. It holds the guard, hooks, routes, files, the
//! not-found handler and the queue of requests to be pulled. It has no sockets: connections bring requests
//! and take responses. What a request's head decides is in `admission`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::access_log::{AccessLog, AccessRecord};
use super::client::Client;
use super::date::DateLine;
use super::fault::{BadRequest, HandlerError, NotAForm, ServerFault};
use super::files::{FilePlan, FileRoots};
use super::forwarded::TrustedProxies;
use super::guard::Guard;
use super::hooks::{Hooks, Sent, guarded};
use super::metrics::Metrics;
use super::multipart::{FormReader, MultipartError, MultipartLimits, TempFolder};
use super::request::Request;
use super::response::Response;
use super::router::{Handler, Route, RouteId, Routes};
use super::served::{FileAnswer, Plan, Served, Table, Then};
use super::settings::{NotFoundPolicy, ServerLimits, ServerTimeouts};
use super::wake_queue::{ConnectionId, WakeQueue};
use crate::transport::disk::Disk;
use crate::transport::meter::Clock;

/// How long a handler may take before it is reported: half a frame at 60 Hz.
pub(super) const SLOW_HANDLER: Duration = Duration::from_millis(8);

/// Slow handlers that a snapshot lists.
const SLOW_HANDLERS: usize = 32;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct App {
    pub(super) limits: ServerLimits,
    pub(super) timeouts: ServerTimeouts,
    pub(super) not_found: NotFoundPolicy,
    pub(super) slash_redirect: bool,
    pub(super) slow_handler: Option<Duration>,
    pub(super) routes: Routes,
    pub(super) fallback: Option<Routes>,
    pub(super) none: Option<Handler>,
    pub(super) hooks: Hooks,
    pub(super) files: Arc<FileRoots>,
    /// Its worker starts with the first file that is not in memory.
    pub(super) disk: Disk,
    pub(super) has_files: bool,
    pub(super) guard: Guard,
    pub(super) proxies: TrustedProxies,
    pub(super) forms: MultipartLimits,
    pub(super) spill_folder: TempFolder,
    pub(super) log: AccessLog,
    pub(super) keeps_log: bool,
    pub(super) pulled: VecDeque<Request>,
    pub(super) wake_queue: Arc<WakeQueue>,
    pub(super) metrics: Metrics,
    /// Whether the server is shutting down: then each response is the last on its connection.
    pub(super) draining: bool,
    pub(super) clock: Clock,
    pub(super) wall: SystemTime,
    /// Whether snapshots show what happens.
    pub(super) is_inspected: bool,
    /// The latest slow handlers, for snapshots.
    pub(super) slow_handlers: VecDeque<(String, Duration)>,
    /// No slow handler is logged before this time.
    logged_slow: Option<SystemTime>,
    date: DateLine,
}

impl App {
    pub(super) fn new(limits: ServerLimits, timeouts: ServerTimeouts, clock: Clock) -> Self {
        let wake_queue = Arc::new(WakeQueue::new(limits.queued_bytes));
        let wall = clock.wall();
        Self {
            limits,
            timeouts,
            not_found: NotFoundPolicy::default(),
            slash_redirect: false,
            slow_handler: Some(SLOW_HANDLER),
            routes: Routes::new(),
            fallback: None,
            none: None,
            hooks: Hooks::default(),
            files: Arc::default(),
            disk: Disk::new(Arc::new(|| {})),
            has_files: false,
            guard: Guard::open(),
            proxies: TrustedProxies::default(),
            forms: MultipartLimits::default(),
            spill_folder: TempFolder::default(),
            log: AccessLog::new(0),
            keeps_log: false,
            pulled: VecDeque::new(),
            wake_queue,
            metrics: Metrics::default(),
            draining: false,
            clock,
            wall,
            is_inspected: false,
            slow_handlers: VecDeque::new(),
            logged_slow: None,
            date: DateLine::default(),
        }
    }

    /// The value of `Date`.
    pub(super) fn date(&mut self) -> &str {
        self.date.at(self.wall)
    }

    /// Whether responses are reported to a hook, the access log or the inspector.
    pub(super) fn wants_sent(&self) -> bool {
        self.keeps_log || self.is_inspected || !self.hooks.sent.is_empty()
    }

    pub(super) fn sent(&mut self, sent: Sent) {
        self.hooks.sent(&sent);
        if !self.keeps_log {
            return;
        }
        if let Some(method) = sent.method {
            self.log.push(AccessRecord {
                time: self.wall,
                client: sent.ip,
                method,
                path: sent.path,
                version: sent.version,
                status: sent.status,
                bytes: sent.bytes,
                duration: sent.took,
                agent: sent.agent,
            });
        }
    }

    /// The reader for the content of a form with files; an error if the form is invalid.
    pub(super) fn form_reader(
        &self,
        request: &Request,
        id: ConnectionId,
    ) -> Option<Result<FormReader, MultipartError>> {
        if request.media_type() != "multipart/form-data" {
            return None;
        }
        let line = request.headers().get("content-type").unwrap_or_default();
        let (limits, folder) = (self.forms.clone(), self.spill_folder.clone());
        let notify = self.ring_for(id);
        Some(FormReader::on_worker(
            line, limits, folder, &self.disk, notify,
        ))
    }

    pub(super) fn report(&mut self, fault: &ServerFault, client: Option<&Client>) {
        self.metrics.faults += 1;
        self.hooks.report(fault, client);
    }

    /// The route that [`admit`](Self::admit) found.
    pub(super) fn route(&mut self, table: Table, id: RouteId) -> Option<&mut Route> {
        match table {
            Table::Own => self.routes.get(id),
            Table::Fallback => self.fallback.as_mut()?.get(id),
        }
    }

    /// The response to a request that no route, hook or handler takes, before its content has arrived.
    pub(super) fn respond_at_head(
        &mut self,
        request: &Request,
        plan: &Plan,
        id: ConnectionId,
    ) -> Option<Served> {
        let is_taken = !matches!(plan, Plan::Nothing) || !self.hooks.receive.is_empty();
        if is_taken || self.none.is_some() {
            return None;
        }
        self.metrics.requests += 1;
        Some(match self.find_file(request, id) {
            FileAnswer::Nothing => Served::Response(Box::new(Response::not_found())),
            FileAnswer::Plan(plan) => self.planned(*plan, request.client()),
            FileAnswer::Reader(reader) => Served::File(reader, Then::NotFound),
        })
    }

    /// Runs hooks and handler.
    pub(super) fn serve(&mut self, mut request: Request, plan: Plan, id: ConnectionId) -> Served {
        self.metrics.requests += 1;
        if let Plan::Refuse(response) = plan {
            return Served::Response(response);
        }
        request.reply_to(&self.wake_queue, id);
        let mut response = Response::new();
        let client = *request.client();
        let is_hooked = !self.hooks.receive.is_empty();
        if is_hooked {
            if let Err(text) = self.hooks.received(&mut request, &mut response) {
                return self.panicked(text, &client);
            }
            if let Some(slot) = request.deferred() {
                return Served::Deferred(slot);
            }
            if response.is_ended() {
                return Served::Response(Box::new(response));
            }
        }
        if matches!(plan, Plan::Nothing | Plan::Pull) {
            match self.find_file(&request, id) {
                FileAnswer::Nothing => {}
                FileAnswer::Plan(plan) => return self.planned(*plan, &client),
                FileAnswer::Reader(reader) => {
                    let then = Then::Serve(Box::new((request, response, plan)));
                    return Served::File(reader, then);
                }
            }
        }
        self.serve_without_file(request, response, plan)
    }

    /// A response that the static files planned.
    fn planned(&mut self, plan: FilePlan, client: &Client) -> Served {
        self.report_plan(&plan, client);
        Served::Response(Box::new(Response::of_plan(plan)))
    }

    /// Runs the handler, after the hooks ran and no static file was found.
    pub(super) fn serve_without_file(
        &mut self,
        mut request: Request,
        mut response: Response,
        plan: Plan,
    ) -> Served {
        let client = *request.client();
        let is_hooked = !self.hooks.receive.is_empty();
        let started = self.slow_handler.map(|_| self.clock.now());
        let outcome = match plan {
            Plan::Answer(response) | Plan::Refuse(response) => return Served::Response(response),
            Plan::Nothing if is_hooked => Ok(Ok(())),
            Plan::Nothing => match &mut self.none {
                Some(handler) => handler.call(&mut request, &mut response),
                None => {
                    response = Response::not_found();
                    Ok(Ok(()))
                }
            },
            Plan::Pull => return self.hand_out(request),
            Plan::Call(table, at) => match self.route(table, at).map(|route| &mut route.handler) {
                Some(Handler::Pull) => return self.hand_out(request),
                Some(handler) => handler.call(&mut request, &mut response),
                // Routes are never removed.
                None => Ok(Ok(())),
            },
        };
        if let Some(started) = started {
            self.watch(
                &request,
                self.clock.now().saturating_duration_since(started),
            );
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(text) => return self.panicked(text, &client),
        };
        if let Some(slot) = request.deferred() {
            return Served::Deferred(slot);
        }
        match outcome {
            Ok(()) => Served::Response(Box::new(response)),
            Err(error) => self.failed(error, &client),
        }
    }

    fn hand_out(&mut self, mut request: Request) -> Served {
        match request.hold_responder() {
            Some(slot) => {
                self.pulled.push_back(request);
                Served::Deferred(slot)
            }
            None => Served::Response(Box::new(Response::plain(StatusCode::INTERNAL_SERVER_ERROR))),
        }
    }

    /// Reports a handler that took too long.
    fn watch(&mut self, request: &Request, took: Duration) {
        if self.slow_handler.is_none_or(|longest| took <= longest) {
            return;
        }
        let path = request.path().to_owned();
        if self.slow_handlers.len() == SLOW_HANDLERS {
            self.slow_handlers.pop_front();
        }
        self.slow_handlers.push_back((path.clone(), took));
        let fault = ServerFault::SlowHandler { path, took };
        if self.hooks.error.is_empty() && self.logged_slow.is_none_or(|at| self.wall >= at) {
            self.logged_slow = self.wall.checked_add(Duration::from_secs(1));
            eprintln!("httpoll: {fault}");
        }
        self.report(&fault, Some(request.client()));
    }

    fn panicked(&mut self, text: String, client: &Client) -> Served {
        self.report(&ServerFault::Panicked(text), Some(client));
        Served::Response(Box::new(Response::plain(StatusCode::INTERNAL_SERVER_ERROR)))
    }

    fn failed(&mut self, error: HandlerError, client: &Client) -> Served {
        let status = if error.is::<BadRequest>() {
            StatusCode::BAD_REQUEST
        } else if error.is::<NotAForm>() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        self.report(&ServerFault::Handler(error), Some(client));
        Served::Response(Box::new(Response::plain(status)))
    }
}

impl Handler {
    /// Calls the handler. Returns the text of its panic, or the error it returned.
    fn call(
        &mut self,
        request: &mut Request,
        response: &mut Response,
    ) -> Result<Result<(), HandlerError>, String> {
        match self {
            Self::Call(call) => {
                let call = call.get_mut();
                guarded(|| call(request, response))
            }
            Self::Pull => Ok(Ok(())),
        }
    }
}
