//! What comes over a connection: statuses, the head, the content, its end.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::Engine;
use super::content::clamp;
use super::decide::continues;
use super::step::Step;
use crate::agent::event::Event;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::response_state::{Answer, Collected, Sink, Then};
use crate::agent::transfer::{Stage, Transfer};
use crate::connection::{Connection, Response as ConnectionResponse, Status};
use crate::error::{Error, ErrorKind, Misuse, NetworkFault, PeerMisbehaved};
use crate::limits::Limit;
use crate::phase::Phase;
use crate::proto::{FieldLines, ResponseHead};
use crate::semantics::coding::Decoder;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;
use crate::transport::throttle::LEAST_MOVE;

/// A response that is not wanted is read to its end, so that its connection can serve again, up to
/// this many bytes.
pub(super) const DISCARDED_BYTES: u64 = 64 * 1024;

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
        if transfer.socket.is_some() {
            return self.run_web_socket(transfer, key, active_now, meter);
        }
        let mut step = Step::WAITS;
        self.allow_upload(transfer, active_now);
        loop {
            let Some(pooled) = self.pool.get_mut(key) else {
                return step;
            };
            // A paused download lets its connection wait: the kernel's window closes.
            let is_held = transfer.paused && transfer.answer.is_some();
            // What an idle connection has to say is not about this response, which is whole.
            let is_whole = transfer.answer.is_some()
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
                    transfer.reported_phase = Some(phase);
                    self.events.push(Event::Phase {
                        id: transfer.id,
                        phase,
                    });
                }
            }
            let phase = pooled.connection.phase();
            if let Some(phase) = phase.filter(|phase| Some(*phase) > transfer.reported_phase) {
                transfer.reported_phase = Some(phase);
                self.events.push(Event::Phase {
                    id: transfer.id,
                    phase,
                });
            }
            while let Some(head) = next_head(&mut pooled.connection) {
                if transfer.settings.tell_heads {
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
            if transfer.answer.is_some() {
                return self.take_content(transfer, key, active_now, meter, step);
            }
            if status.is_error() || status == Status::Disconnected && !has_head(&pooled.connection)
            {
                return self.note_failed(transfer, key);
            }
            if has_head(&pooled.connection) && is_asked(transfer) {
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
            if status == Status::Connected && !is_asked(transfer) {
                if transfer.paused {
                    return step;
                }
                if let Err(error) = self.ask(transfer, key, active_now) {
                    return self.fail_on(transfer, key, error);
                }
                step.moved = true;
                continue;
            }
            if transfer.payload.has_moved() {
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
        self.end_on(transfer, key, error)
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
            return Err(Misuse::NotConnected.into());
        };
        let Some(response) = pooled.connection.take_response() else {
            return Err(Misuse::NotConnected.into());
        };
        let ConnectionResponse {
            head,
            content_length,
            is_chunked,
        } = response;
        let timings = transfer.timings(&pooled.connection);
        let connection = transfer.connection_info(&pooled.connection);
        if transfer.settings.tell_heads {
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
        if let Output::WebSocket(_) = transfer.output
            && head.status.as_u16() == 101
        {
            return self
                .open_web_socket(transfer, key, head, active_now)
                .map(Some);
        }
        let then = self.decide(transfer, &head, active_now)?;
        let mut answer = Answer {
            content_length,
            sink: Sink::Discard,
            then,
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
        match answer.then {
            Then::Deliver => self.begin_delivery(transfer, &mut answer)?,
            // What the server says about a failure is for the caller to read.
            Then::Fail(_) => {
                answer.sink = Sink::Collect(Collected::default());
                let codings = answer.head.fields.get_all("content-encoding");
                if transfer.settings.decompress
                    && !has_no_content(transfer, &answer.head)
                    && let Ok(decoder) = Decoder::new(codings)
                {
                    answer.decoder = decoder.map(Box::new);
                }
            }
            _ => {}
        }
        let is_unwanted = answer.is_discarded()
            && match answer.content_length {
                Some(length) => length > DISCARDED_BYTES,
                // Content that ends with the connection saves nothing when it is read to its end.
                None => !is_chunked,
            };
        transfer.answer = Some(answer);
        if is_unwanted
            && self
                .pool
                .get(key)
                .is_some_and(|it| it.connection.status() == Status::Body)
        {
            self.close(key);
            return Ok(Some(self.end_hop(transfer)));
        }
        Ok(None)
    }

    /// Where the content of the final response goes.
    fn begin_delivery(
        &mut self,
        transfer: &mut Transfer,
        answer: &mut Answer,
    ) -> Result<(), Error> {
        if let Some(kept) = transfer.kept.take()
            && continues(&answer.head, &kept)
        {
            answer.go_on(kept);
            return Ok(());
        }
        let head = &answer.head;
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
            if let Some(length) = answer.content_length {
                access.check_body(length).map_err(ErrorKind::Access)?;
            }
        }
        answer.sink = match &transfer.output {
            Output::Collect => Sink::Collect(Collected::default()),
            Output::Stream => Sink::Stream,
            Output::File(_) if head.status.is_success() => {
                self.begin_file(transfer, answer)?;
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
        let head = &answer.head;
        if transfer.settings.decompress && !has_no_content(transfer, head) {
            answer.decoder = Decoder::new(head.fields.get_all("content-encoding"))
                .map_err(ErrorKind::Coding)?
                .map(|decoder| Box::new(decoder.with_limits(transfer.settings.coding_limits)));
        }
        // What announces that it is too much need not come first. A file's cap is its own.
        let most = match answer.sink {
            Sink::Collect(_) => transfer.most_collected(),
            Sink::Stream => transfer.settings.max_body.filter(|most| *most > 0),
            _ => None,
        };
        if answer.decoder.is_none()
            && let (Some(length), Some(most)) = (answer.content_length, most)
            && length > most
            && !has_no_content(transfer, head)
        {
            return Err(ErrorKind::Limit(Limit::BodyBytes(clamp(most))).into());
        }
        self.events.push(Event::Head {
            id: transfer.id,
            head: Arc::clone(head),
            url: Arc::clone(&transfer.url),
            content_length: answer.content_length,
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
        transfer.upload_due = None;
        let throttles = [self.bandwidth.upload(), &mut transfer.upload_throttle];
        if throttles.iter().all(|it| it.rate().is_none()) {
            return;
        }
        let drawn = transfer.payload.newly_drawn();
        let mut remaining_budget = u64::MAX;
        for throttle in throttles {
            throttle.spend(drawn);
            let now = throttle.worthwhile(active_now);
            if now == 0 {
                let due = throttle.due(active_now, LEAST_MOVE);
                transfer.upload_due = transfer.upload_due.max(Some(due));
            }
            remaining_budget = remaining_budget.min(now);
        }
        transfer.payload.flow.allow(remaining_budget);
    }
}

fn is_asked(transfer: &Transfer) -> bool {
    matches!(transfer.stage, Stage::Active { asked: true, .. })
}

fn has_head(connection: &Connection) -> bool {
    connection.response().is_some()
}

/// The next head before the final one: a proxy's answer, or an interim response.
fn next_head(connection: &mut Connection) -> Option<ResponseHead> {
    connection
        .next_proxy_head()
        .or_else(|| connection.next_interim())
}

fn has_no_content(transfer: &Transfer, head: &ResponseHead) -> bool {
    transfer.method == http::Method::HEAD || matches!(head.status.as_u16(), 204 | 304)
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
