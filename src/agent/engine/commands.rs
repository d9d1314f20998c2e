//! What the owner of an agent asks for. Commands are values, so that they can be carried out at once
//! or sent to the thread that drives.

use std::num::NonZeroU64;
use std::time::Duration;

use super::Engine;
use crate::agent::Priority;
use crate::agent::id::RequestId;
use crate::agent::prepared::Prepared;
use crate::agent::timers::Timer;
use crate::agent::transfer::Stage;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) enum Command {
    Start(RequestId, Box<Prepared>),
    Cancel(RequestId),
    Pause(RequestId),
    Resume(RequestId),
    SetPriority(RequestId, Priority),
    SetRateLimit(RequestId, Option<u64>),
    SetGlobalRateLimit(Option<u64>),
    /// So many bytes of content were pulled by the caller.
    Pulled(RequestId, usize),
    Suspend(Duration),
    ResumeAll,
    CloseIdle,
    #[cfg(feature = "websocket")]
    Send(RequestId, crate::semantics::websocket::WebSocketMessage),
    #[cfg(feature = "websocket")]
    CloseWebSocket(RequestId, u16, String),
}

impl Engine {
    pub(crate) fn obey(&mut self, command: Command) {
        let now = self.now();
        self.reactor.skip_gap(now);
        match command {
            Command::Start(id, prepared) => self.start(id, *prepared, now),
            Command::Cancel(id) => self.cancel(id),
            Command::Pause(id) => self.pause(id),
            Command::Resume(id) => self.resume_one(id),
            Command::SetPriority(id, priority) => self.set_priority(id, priority),
            Command::SetRateLimit(id, rate) => self.set_rate_limit(id, rate),
            Command::SetGlobalRateLimit(rate) => self.set_global_rate_limit(rate),
            Command::Pulled(id, count) => self.note_pulled(id, count),
            Command::Suspend(deadline) => self.suspend(deadline),
            Command::ResumeAll => self.resume_all(),
            Command::CloseIdle => self.close_idle(),
            #[cfg(feature = "websocket")]
            Command::Send(id, message) => {
                if let Err(error) = self.send_message(id, &message) {
                    self.fail_by_id(id, error);
                }
            }
            #[cfg(feature = "websocket")]
            Command::CloseWebSocket(id, code, reason) => {
                if let Err(error) = self.close_web_socket(id, code, &reason) {
                    self.fail_by_id(id, error);
                }
            }
        }
    }

    /// Ends a transfer without another word: its connection is closed, its file removed.
    fn cancel(&mut self, id: RequestId) {
        if self.forget_arrival(id) {
            return;
        }
        if let Some(mut transfer) = self.transfers.remove(&id) {
            self.note_receiving(transfer.is_receiving(), false);
            self.forget(&mut transfer);
        }
        self.events.retain(|event| event.id() != Some(id));
    }

    /// Fails a request from outside of its turn.
    #[cfg(feature = "websocket")]
    fn fail_by_id(&mut self, id: RequestId, error: crate::Error) {
        if let Some(mut transfer) = self.transfers.remove(&id) {
            self.note_receiving(transfer.is_receiving(), false);
            self.fail(&mut transfer, error);
        }
    }

    fn pause(&mut self, id: RequestId) {
        self.admit_by_id(id);
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let was_receiving = transfer.is_receiving();
        transfer.paused = true;
        transfer.was_paused = true;
        if let Stage::Queued { host, place, .. } = transfer.stage {
            transfer.stage = Stage::Parked;
            self.pool.leave(host, place);
        }
        self.note_receiving(was_receiving, false);
        if let Some(mut transfer) = self.transfers.remove(&id) {
            self.leave_sharing(&mut transfer);
            self.transfers.insert(id, transfer);
        }
    }

    fn resume_one(&mut self, id: RequestId) {
        let Some(mut transfer) = self.transfers.remove(&id) else {
            return;
        };
        if !transfer.paused {
            self.transfers.insert(id, transfer);
            return;
        }
        transfer.paused = false;
        let mut is_over = false;
        match transfer.stage {
            Stage::Active { connection, .. } => {
                self.note_receiving(false, transfer.is_receiving());
                // Its deadline begins anew: the peer was not waited for.
                let active_now = self.active_time();
                if let Some(pooled) = self.pool.get_mut(connection) {
                    pooled.connection.restart_deadline(active_now);
                    pooled.armed = None;
                }
                self.arm(connection, None, active_now);
                self.list(connection);
            }
            Stage::Parked if !self.suspension.holds() => {
                is_over = self.begin_hop(&mut transfer).is_over;
            }
            Stage::Waiting { until } => self.timers.set(until, Timer::Request(id)),
            _ => {}
        }
        if !is_over {
            self.transfers.insert(id, transfer);
        }
    }

    fn set_priority(&mut self, id: RequestId, priority: Priority) {
        self.admit_by_id(id);
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        std::sync::Arc::make_mut(&mut transfer.settings).priority = priority;
        if let Stage::Queued { host, place, .. } = &mut transfer.stage {
            *place = self.pool.promote(*host, *place, priority);
        }
        if let Some(mut transfer) = self.transfers.remove(&id) {
            // It takes its place anew when its connection is driven.
            self.leave_sharing(&mut transfer);
            if let Some(key) = transfer.connection() {
                self.list(key);
            }
            self.transfers.insert(id, transfer);
        }
    }

    fn set_rate_limit(&mut self, id: RequestId, rate: Option<u64>) {
        self.admit_by_id(id);
        let active_now = self.active_time();
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let new = rate.and_then(NonZeroU64::new);
        transfer.throttle.set_rate(new, active_now);
        transfer.upload_throttle.set_rate(new, active_now);
        if rate.is_none() {
            transfer.payload.flow.allow(u64::MAX);
        }
        if let Some(key) = transfer.connection() {
            self.list(key);
        }
    }

    fn set_global_rate_limit(&mut self, rate: Option<u64>) {
        let active_now = self.active_time();
        let rate = rate.and_then(NonZeroU64::new);
        self.throttle.set_rate(rate, active_now);
        self.upload_throttle.set_rate(rate, active_now);
        let mut keys: Vec<_> = self
            .transfers
            .values()
            .filter_map(|it| it.connection())
            .collect();
        // The order of a hash map is another in each run.
        keys.sort_unstable();
        for transfer in self.transfers.values_mut() {
            transfer.payload.flow.allow(u64::MAX);
        }
        for key in keys {
            self.list(key);
        }
    }
}
