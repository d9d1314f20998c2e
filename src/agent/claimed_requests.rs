//! What the modules above the agent call: requests whose events are theirs, and the worker for files. What they
//! send does not belong here.

use crate::clock::Instant;

use super::agent::{Agent, Backend};
use super::event::Event;
use super::handle::RequestHandle;
use super::id::RequestId;
use super::request::Request;
use crate::error::Error;
use crate::transport::disk::Disk;

impl Agent {
    /// Sends a request whose events [`claimed_event`](Self::claimed_event) returns.
    pub(crate) fn send_claimed(&mut self, request: Request) -> Result<RequestHandle, Error> {
        let handle = self.send(request)?;
        self.claims.ids.insert(handle.id(), ());
        Ok(handle)
    }

    /// Takes the events of claimed requests out of the queue, and leaves the others where they are.
    pub(crate) fn gather_claimed(&mut self) {
        self.cancel_dropped();
        if self.claims.ids.is_empty() {
            return;
        }
        loop {
            let claims = &self.claims;
            let is_claimed = |id: RequestId| claims.ids.contains_key(&id);
            let event = match &mut self.backend {
                Backend::Inline(engine) => engine.next_event_of(is_claimed),
                Backend::Threaded(thread) => {
                    thread.poll(self.unfinished.keys());
                    thread.next_event_of(is_claimed)
                }
            };
            let Some(event) = event else { break };
            self.note_pulled(&event);
            self.claims.keep(event);
        }
    }

    /// The oldest event of a claimed request.
    pub(crate) fn claimed_event(&mut self, is_mine: impl Fn(RequestId) -> bool) -> Option<Event> {
        self.claims.events.take_of(is_mine)
    }

    /// The worker for files.
    pub(crate) fn disk(&mut self) -> Result<Disk, Error> {
        match &mut self.backend {
            Backend::Inline(engine) => engine.disk(),
            Backend::Threaded(thread) => Ok(thread.disk()),
        }
    }

    /// The time of the agent's clock.
    pub(crate) fn now(&self) -> Instant {
        match &self.backend {
            Backend::Inline(engine) => engine.now(),
            Backend::Threaded(_) => Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::memory::MemoryNetwork;

    #[test]
    fn events_of_claimed_requests_do_not_reach_the_caller() {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        let mine = agent
            .send_claimed(Request::get("http://nowhere.example/"))
            .unwrap();
        let other = agent.send(Request::get("http://nowhere.example/")).unwrap();
        for _ in 0..5 {
            agent.poll();
        }
        // Whether the caller pulls first or the claimer: each gets its own.
        let first = agent.next_event().unwrap();
        assert_eq!(first.id(), Some(other.id()));
        agent.gather_claimed();
        let mut last = None;
        while let Some(event) = agent.claimed_event(|id| id == mine.id()) {
            assert_eq!(event.id(), Some(mine.id()));
            last = Some(event);
        }
        assert!(last.unwrap().is_final());
        while let Some(event) = agent.next_event() {
            assert_eq!(event.id(), Some(other.id()));
        }
        // A dropped handle leaves nothing behind.
        let dropped = agent
            .send_claimed(Request::get("http://nowhere.example/"))
            .unwrap();
        for _ in 0..5 {
            agent.poll();
        }
        agent.gather_claimed();
        drop(dropped);
        agent.gather_claimed();
        assert!(agent.claims.ids.is_empty() && agent.claims.events.is_empty());
    }
}
