//! Content on its way from a connection to its output, as far as rates, free space and the budget allow.
//! It is decoded into free space only.

use bytes::Bytes;

use super::Engine;
use super::schedule::Timer;
use super::transfers::Step;
use crate::agent::event::Event;
use crate::agent::output::Output;
use crate::agent::pool::ConnectionKey;
use crate::agent::transfer::Transfer;
use crate::agent::transfer::next_action::NextAction;
use crate::agent::transfer::state::{MAX_DISCARDED_BYTES, ResponseState, Sink, body_limit};
use crate::clock::Instant;
use crate::connection::Status;
use crate::error::{Error, ErrorKind};
use crate::transport::meter::BudgetMeter;
use crate::transport::throttle::LEAST_MOVE;

/// The most content taken from one connection before the next connection has its turn.
const TURN_BYTES: usize = 1024 * 1024;

/// Content is taken in pieces of at most this size.
const PIECE_BYTES: usize = 256 * 1024;

/// Decoded content comes in pieces of at most this size: decoding takes much longer than reading, and the
/// budget is checked between two pieces.
const DECODED_BYTES: usize = 16 * 1024;

/// The most content that is kept of a response that is a failure.
const FAILED_BYTES: u64 = 1024 * 1024;

/// Why reading content stopped.
enum Pumped {
    /// Everything that has arrived was taken.
    Dry,
    /// The turn or the budget is used up.
    Interrupted,
    /// The output has no free space.
    Full,
    /// The transfer waits for shared bandwidth.
    Throttled,
    /// The content has ended.
    Ended,
    /// The content is not wanted, and there is more of it than a connection is worth.
    Enough,
}

impl Engine {
    /// Takes the content that has arrived, as far as its output has free space.
    pub(super) fn take_content(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
        mut step: Step,
    ) -> Step {
        let before = transfer
            .state
            .response()
            .map_or(0, |response| response.received);
        let pumped = self.pump(transfer, key, active_now, meter);
        let after = transfer
            .state
            .response()
            .map_or(0, |response| response.received);
        if after != before {
            step.moved = true;
            // Content that is not wanted is not progress.
            if !transfer
                .state
                .response()
                .is_some_and(ResponseState::is_discarded)
            {
                self.note_progress(transfer);
            }
        }
        if !matches!(pumped, Ok(Pumped::Throttled)) {
            self.leave_bandwidth_queue(transfer);
        }
        self.wake_next(active_now);
        match pumped {
            Ok(Pumped::Dry | Pumped::Full | Pumped::Throttled) => step,
            Ok(Pumped::Interrupted) => {
                self.run_queue.schedule(key);
                step
            }
            Ok(Pumped::Ended) => {
                if let (Some(pooled), Some(response)) =
                    (self.pool.get(key), transfer.state.response_mut())
                {
                    response.result.trailers = pooled.connection.trailers().clone();
                }
                #[cfg(feature = "digest-auth")]
                if let Some(response) = transfer.state.response() {
                    self.policies
                        .take_authentication_info(transfer, &response.result.trailers);
                }
                self.note_moved(transfer);
                self.release(key, active_now);
                transfer.state.end_exchange();
                self.end_hop(transfer)
            }
            Ok(Pumped::Enough) => {
                self.note_moved(transfer);
                self.close(key);
                transfer.state.end_exchange();
                self.end_hop(transfer)
            }
            Err(error) => self.end_on(transfer, key, &error),
        }
    }

    /// Lets the transfer whose turn it is use the shared bandwidth.
    fn wake_next(&mut self, active_now: Instant) {
        let id = self
            .bandwidth
            .as_mut()
            .and_then(|it| it.next_turn(active_now));
        let transfer = id.and_then(|id| self.transfers.get(id));
        if let Some(key) = transfer.and_then(Transfer::connection) {
            self.run_queue.schedule(key);
        }
    }

    /// A transfer does not wait for shared bandwidth any more.
    pub(super) fn leave_bandwidth_queue(&mut self, transfer: &mut Transfer) {
        if let Some(bandwidth) = &mut self.bandwidth {
            bandwidth.leave(&mut transfer.rates.queue_key);
        }
    }

    pub(super) fn note_progress(&mut self, transfer: &mut Transfer) {
        self.events
            .schedule_progress(transfer.id, &mut transfer.delivery.progress_scheduled);
    }

    fn pump(
        &mut self,
        transfer: &mut Transfer,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> Result<Pumped, Error> {
        let mut taken = 0;
        // The first step always starts, however little budget driving the connection left.
        let mut has_moved = false;
        loop {
            if transfer.paused {
                return Ok(Pumped::Full);
            }
            if !self.decode(transfer, meter, &mut has_moved)? {
                if meter.exhausted() {
                    return Ok(Pumped::Interrupted);
                }
                self.note_full(transfer, key);
                return Ok(Pumped::Full);
            }
            let room = self.room(transfer);
            if room == 0 {
                self.note_full(transfer, key);
                return Ok(Pumped::Full);
            }
            let response = transfer.state.response();
            let wanted = response.map_or(u64::MAX, ResponseState::left);
            let own = transfer.rates.download.piece(wanted, active_now);
            if own == 0 {
                let least = LEAST_MOVE.min(wanted.max(1));
                let due = transfer.rates.download.due(active_now, least);
                self.look_again(transfer, due);
                return Ok(Pumped::Full);
            }
            let mut remaining_budget = own;
            if let Some(bandwidth) = &mut self.bandwidth {
                let priority = transfer.settings.priority;
                let place = &mut transfer.rates.queue_key;
                let shared = bandwidth.share(transfer.id, priority, place, active_now);
                if shared == 0 {
                    let due = bandwidth.due(priority, active_now);
                    self.look_again(transfer, due);
                    return Ok(Pumped::Throttled);
                }
                remaining_budget = remaining_budget.min(shared);
            }
            let Some(pooled) = self.pool.get_mut(key) else {
                return Err(Error::internal("content without its connection"));
            };
            if pooled.connection.status() != Status::Body {
                if let Some(error) = pooled.connection.error() {
                    return Err(error.clone());
                }
                let framer = transfer.delivery.framer.as_mut();
                if framer.is_some_and(|framer| framer.finish()) {
                    // The end of the content may be the end of a message, or cut one off.
                    continue;
                }
                return Ok(Pumped::Ended);
            }
            if taken >= TURN_BYTES || has_moved && meter.exhausted() {
                return Ok(Pumped::Interrupted);
            }
            let most = PIECE_BYTES
                .min(room)
                .min(usize::try_from(remaining_budget).unwrap_or(usize::MAX));
            let piece =
                pooled
                    .connection
                    .read_content(&mut self.reactor, active_now, meter, most)?;
            if piece.is_empty() {
                if pooled.connection.status() == Status::Body {
                    return Ok(Pumped::Dry);
                }
                continue;
            }
            taken += piece.len();
            has_moved = true;
            if let Some(bandwidth) = &mut self.bandwidth {
                bandwidth.spend(transfer.settings.priority, piece.len() as u64);
            }
            transfer.rates.download.spend(piece.len() as u64);
            if let Some(response) = transfer.state.response_mut() {
                response.received += piece.len() as u64;
                if response.is_discarded() && response.received > MAX_DISCARDED_BYTES {
                    return Ok(Pumped::Enough);
                }
                if response.decoder.is_some() {
                    response.undecoded = piece;
                    continue;
                }
            }
            self.deliver(transfer, piece)?;
        }
    }

    /// Gives the caller the wider window of an agent on a thread of its own.
    pub(crate) fn widen_window(&mut self) {
        self.window.adapt();
    }

    /// Content has no space. If the caller has to make it, notes that.
    fn note_full(&mut self, transfer: &Transfer, key: ConnectionKey) {
        let sink = transfer.state.response().map(|response| &response.sink);
        if let Some(Sink::Stream | Sink::EventStream) = sink {
            self.window.note_full(key, transfer.delivery.unread_bytes);
        }
    }

    /// How much more content its output has free space for.
    fn room(&self, transfer: &Transfer) -> usize {
        match transfer.state.response().map(|response| &response.sink) {
            Some(Sink::Stream | Sink::EventStream) if !self.has_room_for_message(transfer) => 0,
            Some(Sink::Stream | Sink::EventStream) => {
                self.window.left(transfer.delivery.unread_bytes)
            }
            Some(Sink::File) => transfer
                .file
                .download
                .as_ref()
                .map_or(0, |file| file.room()),
            Some(Sink::Collect(_) | Sink::Discard) | None => usize::MAX,
        }
    }

    /// Sets a timer for a transfer that a rate holds back. One timer is enough, however often the transfer
    /// is driven before.
    fn look_again(&mut self, transfer: &mut Transfer, due: Instant) {
        if transfer.rates.download_due.is_none_or(|armed| due < armed) {
            transfer.rates.download_due = Some(due);
            self.timers.set(due, Timer::Request(transfer.id));
        }
    }

    /// Decodes what was read, and divides it into messages, into free space only. `false`: there is no free
    /// space, or no budget.
    fn decode(
        &mut self,
        transfer: &mut Transfer,
        meter: &mut BudgetMeter,
        has_moved: &mut bool,
    ) -> Result<bool, Error> {
        loop {
            if !self.deliver_messages(transfer, meter, has_moved)? {
                return Ok(false);
            }
            let free = self.room(transfer).min(DECODED_BYTES);
            let Some(response) = transfer.state.response_mut() else {
                return Ok(true);
            };
            let Some(decoder) = &mut response.decoder else {
                return Ok(true);
            };
            let is_cut = *has_moved && meter.exhausted();
            if free == 0 || is_cut && !response.undecoded.is_empty() {
                return Ok(false);
            }
            meter.note_work();
            let mut scratch = self.reactor.lend_scratch();
            let decoded = decoder.decode(&response.undecoded, &mut scratch[..free]);
            let outcome = decoded.map(|decoded| {
                let piece = Bytes::copy_from_slice(&scratch[..decoded.produced]);
                (decoded.consumed, piece)
            });
            self.reactor.return_scratch(scratch);
            let (consumed, piece) = outcome.map_err(ErrorKind::Coding)?;
            let _ = response.undecoded.split_to(consumed);
            if piece.is_empty() && consumed == 0 {
                return Ok(true);
            }
            if !piece.is_empty() {
                *has_moved = true;
                self.deliver(transfer, piece)?;
            }
        }
    }

    /// Delivers the messages, or the server-sent events, of the content that was read, as far as there is
    /// space. `false`: there is more, and no space or no budget for it.
    fn deliver_messages(
        &mut self,
        transfer: &mut Transfer,
        meter: &mut BudgetMeter,
        has_moved: &mut bool,
    ) -> Result<bool, Error> {
        loop {
            let has_room = self.has_room_for_message(transfer);
            let Some(response) = transfer.state.response() else {
                return Ok(true);
            };
            let id = transfer.id;
            let delivery = &mut transfer.delivery;
            let event = match (
                &response.sink,
                &mut delivery.framer,
                &mut delivery.event_reader,
            ) {
                (Sink::Stream, Some(framer), _) => {
                    if !framer.is_drained() && (!has_room || *has_moved && meter.exhausted()) {
                        return Ok(false);
                    }
                    let message = framer.next()?;
                    message.map(|message| Event::Message { id, message })
                }
                (Sink::EventStream, _, Some(reader)) => {
                    if !reader.is_drained() && (!has_room || *has_moved && meter.exhausted()) {
                        return Ok(false);
                    }
                    let event = reader.next().map_err(ErrorKind::EventStream)?;
                    event.map(|event| Event::ServerSent { id, event })
                }
                _ => return Ok(true),
            };
            let Some(event) = event else {
                return Ok(true);
            };
            meter.note_work();
            *has_moved = true;
            delivery.note_delivered(event.unpulled());
            self.window.note_delivered(id, event.unpulled().bytes);
            self.events.push(event);
        }
    }

    /// Delivers the message that ends with the content, or says that the end cut it off.
    pub(super) fn end_messages(&mut self, transfer: &mut Transfer) -> Result<(), Error> {
        let Some(framer) = &mut transfer.delivery.framer else {
            return Ok(());
        };
        framer.finish();
        while let Some(message) = framer.next()? {
            let id = transfer.id;
            self.events.push(Event::Message { id, message });
        }
        Ok(())
    }

    /// Whether another message of a transfer may wait to be pulled.
    fn has_room_for_message(&self, transfer: &Transfer) -> bool {
        let delivery = &transfer.delivery;
        let most = match &transfer.request.output {
            Output::Messages(framing) => framing.queued_messages(),
            _ => usize::MAX,
        };
        delivery.unread_messages < most && self.window.left(delivery.unread_bytes) > 0
    }

    /// Gives a piece of content to its output.
    fn deliver(&mut self, transfer: &mut Transfer, piece: Bytes) -> Result<(), Error> {
        let most = most_content(transfer);
        let Some(response) = transfer.state.response_mut() else {
            return Ok(());
        };
        response.decoded += piece.len() as u64;
        if let Some(access) = &transfer.settings.access
            && !response.is_discarded()
        {
            access
                .check_body(response.decoded)
                .map_err(ErrorKind::Access)?;
        }
        if let Some(most) = most
            && response.decoded > most
            && !matches!(response.sink, Sink::Discard)
        {
            return Err(body_limit(most));
        }
        if let Some(recorded) = &mut response.recorded {
            recorded.push(piece.clone(), 0);
        }
        match &mut response.sink {
            Sink::Collect(collected) => {
                let expected = response
                    .content_length
                    .filter(|_| response.decoder.is_none())
                    .map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
                collected.push(piece, expected);
            }
            Sink::Stream if transfer.delivery.framer.is_some() => {
                if let Some(framer) = &mut transfer.delivery.framer {
                    framer.push(piece);
                }
            }
            Sink::Stream => {
                transfer.delivery.unread_bytes += piece.len();
                self.window.note_delivered(transfer.id, piece.len());
                let most = transfer.settings.stream_chunk.unwrap_or(usize::MAX);
                let mut rest = piece;
                while !rest.is_empty() {
                    let bytes = rest.split_to(rest.len().min(most));
                    self.events.push(Event::Chunk {
                        id: transfer.id,
                        bytes,
                    });
                }
            }
            Sink::File => {
                if let Some(file) = &mut transfer.file.download {
                    file.write(piece)?;
                }
            }
            Sink::EventStream => {
                if let Some(reader) = &mut transfer.delivery.event_reader {
                    reader.push(piece);
                }
            }
            Sink::Discard => {}
        }
        Ok(())
    }
}

/// The most content to take, decoded.
fn most_content(transfer: &Transfer) -> Option<u64> {
    match transfer.state.response() {
        Some(response) if matches!(response.planned, NextAction::Fail(_)) => Some(FAILED_BYTES),
        Some(response) if matches!(response.sink, Sink::Collect(_)) => {
            transfer.settings.most_collected()
        }
        _ => transfer.settings.max_body.filter(|most| *most > 0),
    }
}
