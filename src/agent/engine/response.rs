//! What comes over a connection: statuses, the head, the content, its end.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;

use super::Engine;
use super::step::Step;
use crate::agent::event::Event;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::decide::{HeadInput, Input, blames_origin, decide};
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::response_state::{
    Collected, MAX_DISCARDED_BYTES, ResponseState, Sink, body_limit,
};
use crate::agent::transfer::state::State;
use crate::connection::{Connection, Response as ConnectionResponse, Status};
use crate::error::{Error, ErrorKind, NetworkFault, PeerMisbehaved};
use crate::phase::Phase;
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::coding::Decoder;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;
use crate::transport::throttle::LEAST_MOVE;

impl Engine {
    /// Drives a transfer's connection, and the transfer by what came.
    pub(super) fn run_transfer(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Step {
        #[cfg(feature = "websocket")]
        if matches!(transfer.state, State::WebSocket { .. }) {
            return self.run_web_socket(transfer, key, active_now, meter);
        }
        let mut step = Step::WAITS;
        self.allow_upload(transfer, active_now);
        loop {
            let Some(pooled) = self.pool.get_mut(key) else {
                return step;
            };
            // A paused download lets its connection wait: the kernel's window closes.
            let is_held = transfer.paused && transfer.state.response().is_some();
            // What an idle connection has to say is not about this response, which is whole.
            let is_whole = transfer.state.response().is_some()
                && matches!(
                    pooled.connection.status(),
                    Status::Connected | Status::Disconnected
                );
            if !is_held && !is_whole {
                self.reactor.set_key(Key(key.0));
                step.moved |= pooled
                    .connection
                    .drive(&mut self.reactor, active_now, meter);
            }
            while let Some(transition) = pooled.connection.next_transition() {
                if let Some(phase) = first_phase(transition.to) {
                    transfer.delivery.reported_phase = Some(phase);
                    self.events.push(Event::Phase {
                        id: transfer.id,
                        phase,
                    });
                }
            }
            let phase = pooled.connection.phase();
            if let Some(phase) =
                phase.filter(|phase| Some(*phase) > transfer.delivery.reported_phase)
            {
                transfer.delivery.reported_phase = Some(phase);
                self.events.push(Event::Phase {
                    id: transfer.id,
                    phase,
                });
            }
            while let Some(head) = next_head(&mut pooled.connection) {
                if transfer.settings.report_heads {
                    self.events.push(Event::HeadReceived {
                        id: transfer.id,
                        head,
                    });
                }
            }
            let status = pooled.connection.status();
            if !matches!(status, Status::Resolving | Status::Connecting) {
                self.run_queue.remove_connecting(key);
            }
            if transfer.state.response().is_some() {
                return self.take_content(transfer, key, active_now, meter, step);
            }
            if status.is_error() || status == Status::Disconnected && !has_head(&pooled.connection)
            {
                return self.note_failed(transfer, key);
            }
            if has_head(&pooled.connection) && transfer.state.is_sent() {
                let head = self.note_head(transfer, key, active_now);
                match head {
                    Ok(Some(over)) => return over,
                    Ok(None) => {
                        step.moved = true;
                        continue;
                    }
                    Err(error) => return self.fail_on(transfer, key, error),
                }
            }
            if status == Status::Connected && !transfer.state.is_sent() {
                if transfer.paused {
                    return step;
                }
                if let Err(error) = self.ask(transfer, key, active_now) {
                    return self.fail_on(transfer, key, error);
                }
                step.moved = true;
                continue;
            }
            if transfer.request.payload.has_moved() {
                self.note_progress(transfer);
            }
            return step;
        }
    }

    fn note_failed(&mut self, transfer: &mut Transfer, key: ConnectionKey) -> Step {
        let error = self
            .pool
            .get(key)
            .and_then(|pooled| pooled.connection.error().cloned())
            .unwrap_or_else(|| ErrorKind::Network(NetworkFault::Closed).into());
        let now = self.now();
        self.policies.note_failure(transfer, now);
        self.end_on(transfer, key, &error)
    }

    /// The head of the final response is there. `Some`: the transfer goes on elsewhere, or is over.
    fn note_head(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
    ) -> Result<Option<Step>, Error> {
        if self.run_queue.note_head(key) {
            self.pool.note_answer(key, true);
        }
        let Some(pooled) = self.pool.get_mut(key) else {
            return Err(Error::internal("a head without its connection"));
        };
        let Some(response) = pooled.connection.take_response() else {
            return Err(Error::internal("a head without its connection"));
        };
        let ConnectionResponse {
            head,
            content_length,
            is_chunked,
        } = response;
        let timings = transfer.timings(&pooled.connection);
        let connection = transfer.connection_info(&pooled.connection);
        if transfer.settings.report_heads {
            self.events.push(Event::HeadReceived {
                id: transfer.id,
                head: (*head).clone(),
            });
        }
        let now = self.now();
        let wall = self.reactor.clock().wall();
        self.policies.note_response(transfer, &head, now, wall);
        self.policies.learn(transfer, &head, wall);
        #[cfg(feature = "websocket")]
        if let Output::WebSocket(_) = transfer.request.output
            && head.status.as_u16() == 101
        {
            return self
                .open_web_socket(transfer, key, head, active_now)
                .map(Some);
        }
        let planned = self.plan(transfer, &head);
        let mut response = ResponseState {
            content_length,
            sink: Sink::Discard,
            planned,
            decoder: None,
            undecoded: Bytes::new(),
            received: 0,
            decoded: 0,
            timings,
            connection: Some(connection),
            trailers: FieldLines::new(),
            from_cache: false,
            recorded: self.config.recorder.as_ref().map(|_| Collected::default()),
            head,
        };
        match response.planned {
            NextAction::Deliver => self.begin_delivery(transfer, &mut response)?,
            // What the server says about a failure is for the caller to read.
            NextAction::Fail(_) => {
                response.sink = Sink::Collect(Collected::default());
                let codings = response.head.fields.get_all("content-encoding");
                if transfer.settings.decompress
                    && !has_no_content(transfer, &response.head)
                    && let Ok(decoder) = Decoder::new(codings)
                {
                    response.decoder = decoder.map(Box::new);
                }
            }
            _ => {}
        }
        let is_unwanted = response.is_discarded()
            && match response.content_length {
                Some(length) => length > MAX_DISCARDED_BYTES,
                // Content that ends with the connection saves nothing when it is read to its end.
                None => !is_chunked,
            };
        transfer.state = State::Receiving {
            connection: key,
            response: response,
        };
        if is_unwanted
            && self
                .pool
                .get(key)
                .is_some_and(|it| it.connection.status() == Status::Body)
        {
            self.close(key);
            transfer.state.end_exchange();
            return Ok(Some(self.end_hop(transfer)));
        }
        Ok(None)
    }

    /// Decides what follows the end of a response, as soon as its head is there.
    fn plan(&mut self, transfer: &mut Transfer, head: &ResponseHead) -> NextAction {
        let can_authenticate = head.status == StatusCode::UNAUTHORIZED
            && transfer.request.payload.can_be_sent()
            && self
                .random
                .bytes()
                .is_ok_and(|cnonce| self.policies.take_challenges(transfer, head, cnonce));
        let conditions = self.conditions();
        let policies = &self.policies;
        let planned = decide(
            transfer,
            Input::Head(HeadInput {
                head,
                can_authenticate,
                secure_form: &|url| policies.secure_form(url, conditions.wall),
                conditions,
            }),
        );
        if blames_origin(Ok(head.status)) {
            self.policies.note_origin_failed(transfer);
        }
        planned
    }

    /// Where the content of the final response goes.
    fn begin_delivery(
        &mut self,
        transfer: &mut Transfer,
        response: &mut ResponseState,
    ) -> Result<(), Error> {
        if let Some(partial) = transfer.partial.take()
            && partial.is_continued_by(&response.head)
        {
            response.continue_from(partial);
            return Ok(());
        }
        let head = &response.head;
        let codings = head.fields.list("transfer-encoding");
        let mut foreign = codings.filter(|coding| !coding.eq_ignore_ascii_case(b"chunked"));
        if foreign.next().is_some() && !has_no_content(transfer, head) {
            // What it hides cannot be told from what was sent (RFC 9112 §6.1).
            return Err(ErrorKind::Peer(PeerMisbehaved::UnsupportedTransferCoding).into());
        }
        if let Some(access) = &transfer.settings.access {
            let content_type = head.fields.get("content-type");
            access
                .check_content_type(content_type)
                .map_err(ErrorKind::Access)?;
            if let Some(length) = response.content_length {
                access.check_body(length).map_err(ErrorKind::Access)?;
            }
        }
        response.sink = match &transfer.request.output {
            Output::Collect => Sink::Collect(Collected::default()),
            Output::Stream => Sink::Stream,
            Output::File(_) if head.status.is_success() => {
                self.begin_file(transfer, response)?;
                Sink::File
            }
            Output::File(_) => Sink::Collect(Collected::default()),
            Output::EventStream if is_event_stream(head) => {
                transfer.begin_event_stream();
                Sink::EventStream
            }
            Output::EventStream => Sink::Collect(Collected::default()),
            #[cfg(feature = "websocket")]
            Output::WebSocket(_) => Sink::Collect(Collected::default()),
        };
        let head = &response.head;
        if transfer.settings.decompress && !has_no_content(transfer, head) {
            response.decoder = Decoder::new(head.fields.get_all("content-encoding"))
                .map_err(ErrorKind::Coding)?
                .map(|decoder| Box::new(decoder.with_limits(transfer.settings.coding_limits)));
        }
        // What announces that it is too much need not come first. A file's cap is its own.
        let most = match response.sink {
            Sink::Collect(_) => transfer.most_collected(),
            Sink::Stream => transfer.settings.max_body.filter(|most| *most > 0),
            _ => None,
        };
        if response.decoder.is_none()
            && let (Some(length), Some(most)) = (response.content_length, most)
            && length > most
            && !has_no_content(transfer, head)
        {
            return Err(body_limit(most));
        }
        self.events.push(Event::Head {
            id: transfer.id,
            head: Arc::clone(head),
            url: Arc::clone(&transfer.request.url),
            content_length: response.content_length,
        });
        Ok(())
    }

    /// Gives a connection back, or closes it.
    pub(super) fn release(&mut self, key: ConnectionKey, active_now: Instant) {
        let is_reusable = self
            .pool
            .get(key)
            .is_some_and(|pooled| pooled.connection.status() == Status::Connected)
            && !self.suspension.is_active();
        if !is_reusable || !self.pool.keep(key, active_now) {
            self.close(key);
            return;
        }
        if let Some(expires) = self.pool.expires(key) {
            self.arm_at(key, expires);
        }
    }

    /// Lets as much of the request's content out as the rates allow.
    fn allow_upload(&mut self, transfer: &mut Transfer, active_now: Instant) {
        transfer.rates.upload_due = None;
        let throttles = [self.bandwidth.upload(), &mut transfer.rates.upload];
        if throttles.iter().all(|it| it.rate().is_none()) {
            return;
        }
        let drawn = transfer.request.payload.newly_drawn();
        let mut remaining_budget = u64::MAX;
        for throttle in throttles {
            throttle.spend(drawn);
            let now = throttle.worthwhile(active_now);
            if now == 0 {
                let due = throttle.due(active_now, LEAST_MOVE);
                transfer.rates.upload_due = transfer.rates.upload_due.max(Some(due));
            }
            remaining_budget = remaining_budget.min(now);
        }
        transfer.request.payload.flow.allow(remaining_budget);
    }
}

fn has_head(connection: &Connection) -> bool {
    connection.response().is_some()
}

/// The next head before the final one: a proxy's response, or an interim response.
fn next_head(connection: &mut Connection) -> Option<ResponseHead> {
    connection
        .next_proxy_head()
        .or_else(|| connection.next_interim())
}

fn has_no_content(transfer: &Transfer, head: &ResponseHead) -> bool {
    transfer.request.method == http::Method::HEAD || matches!(head.status.as_u16(), 204 | 304)
}

fn is_event_stream(head: &ResponseHead) -> bool {
    let content_type = head.fields.get("content-type").unwrap_or_default();
    let essence = content_type.split(|byte| *byte == b';').next();
    head.status.as_u16() == 200
        && essence.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

/// The phase that a connection's status begins; `None` for a status without a phase.
fn first_phase(status: Status) -> Option<Phase> {
    match status {
        Status::Resolving => Some(Phase::Resolve),
        Status::Connecting => Some(Phase::Connect),
        Status::Requesting => Some(Phase::SendHead),
        Status::Body => Some(Phase::ReceiveBody),
        // Connected either precedes SendHead or follows the end; failures have their own event.
        _ => None,
    }
}
