//! The head of the final response: what the agent learns from it, what follows the response, and where its
//! content goes.

use std::sync::Arc;

use http::StatusCode;

use super::Engine;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::decide::{Conditions, HeadInput, Input, decide};
use crate::agent::transfer::fault_class::blames_origin;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::State;
use crate::agent::transfer::state::{
    Collected, MAX_DISCARDED_BYTES, ResponseState, Sink, body_limit,
};
use crate::connection::Response as ConnectionResponse;
use crate::error::{Error, ErrorKind, PeerMisbehaved};
use crate::proto::ResponseHead;
use crate::semantics::coding::Decoder;
use crate::semantics::frames::framer::Framer;
use crate::transport::meter::BudgetMeter;

impl Engine {
    /// Takes the head of the final response. `Some`: the transfer continues elsewhere, or is over.
    pub(super) fn take_head(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        meter: &mut BudgetMeter,
    ) -> Result<Option<Step>, Error> {
        if self.run_queue.note_head(key) {
            self.pool.note_response(key, true);
        }
        self.pool.note_head(key, self.reactor.poll_time());
        self.pool.end_handshake(key);
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
            #[cfg(target_family = "wasm")]
            final_url,
        } = response;
        #[cfg(target_family = "wasm")]
        if let Some(url) = final_url.and_then(|url| url::Url::parse(&url).ok()) {
            transfer.request.url = Arc::new(url);
            transfer.attempts.was_redirected = true;
        }
        pooled.keep_alive = pooled.connection.keep_alive();
        let timings = transfer.timings(&pooled.connection);
        let connection = transfer.connection_info(&pooled.connection);
        if transfer.settings.report_heads {
            self.events.push(Event::HeadReceived {
                id: transfer.id,
                head: (*head).clone(),
            });
        }
        let now = self.now();
        let conditions = self.conditions(now);
        let wall = conditions.wall;
        self.policies.note_response(transfer, &head, now, wall);
        self.ask_circuits_again();
        self.policies.learn(transfer, &head, wall);
        #[cfg(feature = "digest-auth")]
        self.policies
            .take_authentication_info(transfer, &head.fields);
        #[cfg(feature = "websocket")]
        if let Output::WebSocket(_) = transfer.request.output
            && head.status.as_u16() == 101
        {
            let opened = self.open_web_socket(transfer, key, Arc::clone(&head));
            if opened.is_err() {
                // The caller gets the head with the error.
                let mut response = ResponseState::new(head, NextAction::Deliver);
                response.result.timings = timings;
                response.result.connection = Some(connection);
                transfer.state = State::Receiving {
                    connection: key,
                    response,
                };
            }
            return opened.map(Some);
        }
        let planned = self.plan(transfer, &head, connection.reused, conditions);
        let mut response = ResponseState {
            content_length,
            recorded: self.config.recorder.as_ref().map(|_| Collected::default()),
            ..ResponseState::new(head, planned)
        };
        response.result.timings = timings;
        response.result.connection = Some(connection);
        match response.planned {
            NextAction::Deliver => {
                if let Err(error) = self.begin_delivery(transfer, &mut response) {
                    // The caller gets the head with the error.
                    transfer.state = State::Receiving {
                        connection: key,
                        response,
                    };
                    return Err(error);
                }
            }
            // The caller can read what the server says about the failure.
            NextAction::Fail(_) => {
                response.sink = Sink::Collect(Collected::default());
                // What cannot be decoded is kept as it is: the request has failed already.
                response.decoder = decoder(transfer, &response.result.head).ok().flatten();
            }
            _ => {}
        }
        if !response.is_discarded() {
            transfer.state = State::Receiving {
                connection: key,
                response,
            };
            return Ok(None);
        }
        // The content is not wanted, so nothing waits for it (Fetch, "HTTP-redirect fetch").
        let is_worth_draining = match response.content_length {
            Some(length) => length <= MAX_DISCARDED_BYTES,
            // Reading content that ends with the connection does not save the connection.
            None => is_chunked,
        };
        let payload = &transfer.request.payload;
        let is_sent = payload.length() == Some(payload.sent());
        self.note_moved(transfer);
        transfer.state = State::Received { response };
        self.drain(key, is_worth_draining && is_sent, meter);
        Ok(Some(self.end_hop(transfer)))
    }

    /// Decides what follows the end of a response, as soon as its head is there.
    fn plan(
        &mut self,
        transfer: &mut Transfer,
        head: &ResponseHead,
        was_reused: bool,
        conditions: Conditions,
    ) -> NextAction {
        let authentication = if head.status == StatusCode::UNAUTHORIZED {
            match self.random.bytes() {
                Ok(cnonce) => self.policies.take_challenges(transfer, head, cnonce),
                Err(error) => return NextAction::Fail(error),
            }
        } else {
            None
        };
        let policies = &self.policies;
        let planned = decide(
            transfer,
            Input::Head(HeadInput {
                head,
                was_reused,
                authentication,
                secure_form: &|url| policies.secure_form(url, || conditions.wall),
                conditions,
            }),
        );
        if blames_origin(Ok(head.status)) {
            self.policies.note_origin_failed(transfer);
        }
        planned
    }

    /// Prepares the delivery of the content of the final response.
    fn begin_delivery(
        &mut self,
        transfer: &mut Transfer,
        response: &mut ResponseState,
    ) -> Result<(), Error> {
        if let Some(partial) = transfer.partial.take()
            && partial.is_continued_by(&response.result.head)
        {
            response.continue_from(partial);
            return Ok(());
        }
        let head = &response.result.head;
        let codings = head.fields.list("transfer-encoding");
        let mut foreign = codings.filter(|coding| !coding.eq_ignore_ascii_case(b"chunked"));
        if foreign.next().is_some() && !has_no_content(transfer, head) {
            // The content cannot be separated from its coding (RFC 9112 §6.1).
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
            Output::Messages(framing) => {
                transfer.delivery.framer = Some(Box::new(Framer::new(*framing)));
                Sink::Stream
            }
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
        let head = &response.result.head;
        response.decoder = decoder(transfer, head)?;
        if matches!(response.sink, Sink::Stream | Sink::EventStream) {
            let decoder = response.decoder.take();
            response.decoder = decoder.map(|it| Box::new(it.delivering_pieces()));
        }
        // Content whose announced length is too much is not read at all. Files have a limit of their own.
        let most = match response.sink {
            Sink::Collect(_) => transfer.settings.most_collected(),
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
}

/// The decoder for the content codings of a response (RFC 9110 §8.4); `None` if there is nothing to undo. An
/// error page in a coding that cannot be undone is delivered as it is, as Fetch does, unless the caller wants
/// the error.
fn decoder(transfer: &Transfer, head: &ResponseHead) -> Result<Option<Box<Decoder>>, Error> {
    let settings = &transfer.settings;
    if !settings.decompress || has_no_content(transfer, head) {
        return Ok(None);
    }
    let codings = head.fields.get_all("content-encoding");
    let decoder = if settings.strict_coding {
        Decoder::strict(codings)
    } else {
        match Decoder::new(codings) {
            Err(_) if head.status.as_u16() >= 400 => Ok(None),
            decoder => decoder,
        }
    };
    let decoder = decoder.map_err(ErrorKind::Coding)?;
    Ok(decoder.map(|decoder| Box::new(decoder.with_limits(settings.coding_limits))))
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
