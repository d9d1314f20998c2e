//! Moving an engine with all that it does to another poller, such as that of a thread of its own.

use super::Engine;
use super::window::Window;
use crate::agent::pool::ConnectionKey;
#[cfg(feature = "websocket")]
use crate::agent::transfer::state::State;
use crate::agent::waiting_events::WaitingEvents;
use crate::transport::poller::Poller;
use crate::transport::reactor::Key;

impl Engine {
    /// Moves all sockets to another poller. Nothing that arrived is lost: every connection is tried in the next poll.
    /// Returns whether it did; it does not if that poller has another clock.
    pub(crate) fn move_to(&mut self, poller: &Poller) -> bool {
        let Some(mut next) = self.reactor.successor(poller) else {
            return false;
        };
        let keys: Vec<ConnectionKey> = self.pool.iter().map(|(key, _)| key).collect();
        for key in &keys {
            next.set_key(Key(key.0));
            if let Some(pooled) = self.pool.get_mut(*key) {
                pooled.connection.move_to(&mut self.reactor, &mut next);
            }
        }
        #[cfg(feature = "websocket")]
        for id in self.transfers.ids() {
            let reactor = &mut self.reactor;
            self.transfers.update(id, |transfer| {
                if let State::WebSocket {
                    connection, socket, ..
                } = &mut transfer.state
                {
                    next.set_key(Key(connection.0));
                    let stream = socket.link.socket_mut();
                    if let Err(error) = stream.move_to(reactor, &mut next) {
                        socket.write_error = Some(error);
                    }
                }
            });
        }
        self.reactor = next;
        self.idle = None;
        for key in keys {
            self.run_queue.schedule(key);
        }
        true
    }

    /// Back in the caller's calls: the window is that of an agent that is polled, and the events that the caller has
    /// not taken come first.
    pub(crate) fn return_to_caller(&mut self, events: WaitingEvents) {
        self.window = Window::default();
        self.events.put_back(events);
        self.idle = None;
    }
}
