//! What a connection waits for: its deadline, its socket, and whether it is idle. Nothing changes here.

use std::time::Duration;

use super::Connection;
use super::state::{Incoming, Source, Stage};
use crate::clock::Instant;
use crate::server::app::App;
use crate::transport::reactor::Reactor;

impl Connection {
    /// The deadline of what the connection waits for.
    pub(in crate::server) fn deadline(&self, app: &App) -> Option<Instant> {
        let timeouts = &app.timeouts;
        let after = |time: Option<Duration>| self.since.checked_add(time?);
        match &self.stage {
            Stage::Handshaking => after(timeouts.tls_handshake),
            Stage::Head if self.has_begun() => after(timeouts.head),
            Stage::Head => after(timeouts.idle),
            Stage::Collecting(collecting) if collecting.waits_for_disk => {
                self.reading.deadline(timeouts.respond)
            }
            Stage::Collecting(_) => self.reading.deadline(timeouts.stall),
            Stage::Ready(_) => None,
            Stage::Waiting(_) => match &self.incoming {
                // The handler cannot respond before the rest of the request has arrived.
                Incoming::Streaming(inbox) if inbox.has_room() => {
                    self.reading.deadline(timeouts.stall)
                }
                _ => after(timeouts.respond),
            },
            Stage::Storing(_) | Stage::Locating(_) => after(timeouts.respond),
            Stage::Responding(_) if self.is_sending() => self.writing.deadline(timeouts.send_stall),
            // The disk is late. The pace of writing begins anew whenever everything is written.
            Stage::Responding(Source::File(_)) => self.writing.deadline(timeouts.respond),
            Stage::Responding(Source::Done) => self.reading.deadline(timeouts.stall),
            Stage::Responding(Source::Pipe(pipe)) => {
                self.writing.since.checked_add(pipe.beat()?.every)
            }
            #[cfg(feature = "websocket")]
            Stage::Socket(_) if self.is_sending() => self.writing.deadline(timeouts.send_stall),
            #[cfg(feature = "websocket")]
            Stage::Socket(socket) => socket.due(),
            Stage::Responding(_) => None,
            Stage::Lingering => self.since.checked_add(timeouts.linger),
        }
    }

    /// Whether part of a request's head has arrived.
    pub(super) fn has_begun(&self) -> bool {
        !self.recv.is_empty()
    }

    /// Whether it has had a turn and has nothing under way: then it may be closed if its socket holds nothing.
    pub(in crate::server) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.recv.is_empty() && !self.queued
    }

    /// When it became idle, if it is idle.
    pub(in crate::server) fn idle_since(&self) -> Instant {
        self.since
    }

    /// Whether the socket holds bytes that have not been read yet. This calls the system.
    pub(in crate::server) fn has_input(&self, reactor: &mut Reactor) -> bool {
        self.link.is_readable(reactor) || self.link.socket().has_input()
    }

    /// Whether something is arriving, so that busy polling may pay.
    pub(in crate::server) fn is_receiving(&self) -> bool {
        match &self.stage {
            Stage::Handshaking | Stage::Collecting(_) | Stage::Storing(_) | Stage::Locating(_) => {
                true
            }
            // The worker reads.
            Stage::Responding(Source::File(_)) if !self.is_sending() => true,
            Stage::Waiting(_) | Stage::Responding(_) => {
                matches!(self.incoming, Incoming::Streaming(_))
            }
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => false,
            Stage::Head | Stage::Ready(_) | Stage::Lingering => false,
        }
    }

    /// Whether the socket's readiness means that there is something to do.
    pub(in crate::server) fn is_ready(&self, reactor: &mut Reactor) -> bool {
        // Nearly every socket can be written to. That means something only if there is something to write; otherwise a
        // server whose polls are all cut short would never find a silent client late.
        let may_write = match &self.stage {
            Stage::Head | Stage::Waiting(_) | Stage::Storing(_) | Stage::Locating(_) => false,
            Stage::Responding(
                Source::Bytes(_) | Source::Reader { .. } | Source::Asset(_) | Source::File(_),
            )
            | Stage::Ready(_) => true,
            Stage::Responding(Source::Pipe(pipe)) => {
                self.has_unsent() || pipe.queued() > 0 || pipe.is_closed()
            }
            Stage::Responding(Source::Done | Source::Broken)
            | Stage::Handshaking
            | Stage::Collecting(_)
            | Stage::Lingering => self.has_unsent(),
            #[cfg(feature = "websocket")]
            Stage::Socket(_) => self.has_unsent(),
        };
        let may_read =
            !matches!(&self.stage, Stage::Collecting(collecting) if collecting.waits_for_disk);
        may_read && self.link.is_readable(reactor)
            || may_write && self.link.socket().is_writable(reactor)
    }

    /// Whether bytes wait to be written, here or as TLS records.
    fn has_unsent(&self) -> bool {
        self.pending() > 0 || self.link.has_unsent()
    }
}
