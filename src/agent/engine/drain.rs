//! Connections that read the rest of a response that is not wanted, such as that of a redirect, while the
//! transfer goes on. A connection can serve again only when its response has ended.

use std::time::Duration;

use super::Engine;
use crate::agent::pool::{ConnectionKey, Service};
use crate::agent::transfer::state::MAX_DISCARDED_BYTES;
use crate::clock::Instant;
use crate::connection::Status;
use crate::transport::meter::BudgetMeter;
use crate::transport::reactor::Key;

/// How long the rest of such a response may take.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(1);

/// Content is read in pieces of at most this size.
const PIECE_BYTES: usize = 16 * 1024;

impl Engine {
    /// Reads the rest of a response that is not wanted, now and in the next polls, or closes the connection.
    pub(super) fn drain(&mut self, key: ConnectionKey, is_worth: bool, meter: &mut BudgetMeter) {
        let active_now = self.active_time();
        let pooled = self.pool.get(key);
        let status = pooled.map(|pooled| pooled.connection.status());
        if status == Some(Status::Body) && !is_worth {
            self.close(key);
            return;
        }
        let until = active_now + MAX_DRAIN_TIME;
        self.pool.drain(key, MAX_DISCARDED_BYTES, until);
        self.run_draining(key, active_now, meter);
        if self.pool.get(key).is_some() {
            self.arm_at(key, until);
        }
    }

    /// Continues draining. Returns whether it has ended.
    pub(super) fn run_draining(
        &mut self,
        key: ConnectionKey,
        active_now: Instant,
        meter: &mut BudgetMeter,
    ) -> bool {
        loop {
            let Some(pooled) = self.pool.get_mut(key) else {
                return true;
            };
            let Service::Draining { left, .. } = &mut pooled.service else {
                return true;
            };
            if pooled.connection.status() == Status::Connected {
                self.release(key, active_now);
                return true;
            }
            self.reactor.set_key(Key(key.0));
            let connection = &mut pooled.connection;
            connection.drive(&mut self.reactor, active_now, meter);
            if connection.status() == Status::Connected {
                continue;
            }
            let piece = connection.read_content(&mut self.reactor, active_now, meter, PIECE_BYTES);
            match piece {
                Ok(piece) if piece.is_empty() && connection.status() == Status::Body => {
                    if meter.exhausted() {
                        self.run_queue.schedule(key);
                    }
                    return false;
                }
                Ok(piece) if piece.len() as u64 <= *left => *left -= piece.len() as u64,
                // More than the connection is worth, or it broke.
                Ok(_) | Err(_) => {
                    self.close(key);
                    return true;
                }
            }
        }
    }
}
