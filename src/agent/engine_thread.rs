//! The same machine on a thread of its own, for those who want progress between frames.
//!
//! Commands go there, events come back; both are handed over in the owner's calls, so that what is
//! told is still told in `poll`, on the owner's thread. The thread sleeps in the operating system when
//! there is nothing to do, and ends with the agent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::engine::Engine;
use super::engine::command::Command;
use super::event::Event;
use super::id::RequestId;
use crate::budget::{Budget, PollAt, Polled};
#[cfg(feature = "websocket")]
use crate::error::Error;
use crate::error::{ErrorKind, RequestRefused};
use crate::transport::wake::Wake;

/// What owner and thread share.
#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    came: Condvar,
    ends: AtomicBool,
}

#[derive(Default)]
struct Desk {
    commands: Vec<Command>,
    events: VecDeque<Event>,
    is_idle: bool,
    /// The thread is gone, and its owner is not: it panicked.
    has_panicked: bool,
    /// The owner waits for files, and whether they were done with.
    drains: Option<Duration>,
    drained: bool,
}

/// See the module's documentation.
pub(super) struct EngineThread {
    shared: Arc<Shared>,
    wake: Wake,
    events: VecDeque<Event>,
    thread: Option<thread::JoinHandle<()>>,
}

impl EngineThread {
    /// Starts the thread; gives the machine back when the system refuses one.
    pub(super) fn start(engine: Box<Engine>) -> Result<Self, Box<Engine>> {
        let Ok(wake) = engine.wake() else {
            return Err(engine);
        };
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let (hand_over, take_over) = mpsc::channel::<Box<Engine>>();
        let thread = thread::Builder::new()
            .name("httpoll-agent".to_owned())
            .spawn(move || {
                if let Ok(mut engine) = take_over.recv() {
                    let _last = LastWord(&theirs);
                    engine.widen_window();
                    run(&mut engine, &theirs);
                }
            });
        let Ok(thread) = thread else {
            return Err(engine);
        };
        hand_over.send(engine).map_err(|refused| refused.0)?;
        Ok(Self {
            shared,
            wake,
            events: VecDeque::new(),
            thread: Some(thread),
        })
    }

    pub(super) fn command(&mut self, command: Command) {
        if let Command::Cancel(id) = command {
            self.events.retain(|event| event.id() != Some(id));
        }
        let mut desk = lock(&self.shared.desk);
        if desk.has_panicked {
            return;
        }
        if let Command::Cancel(id) = command {
            desk.events.retain(|event| event.id() != Some(id));
        }
        // Where others lie already, the thread was woken for them and has not come yet.
        let is_first = desk.commands.is_empty();
        desk.commands.push(command);
        desk.is_idle = false;
        drop(desk);
        if is_first {
            (self.wake)();
        }
    }

    /// Takes over what the thread has done. If it is gone, it tells nothing more of the requests that
    /// are `under_way`: they fail.
    pub(super) fn poll<'a>(&mut self, under_way: impl Iterator<Item = &'a RequestId>) -> Polled {
        let mut desk = lock(&self.shared.desk);
        let before = self.events.len();
        self.events.append(&mut desk.events);
        if self.events.is_empty() && desk.has_panicked {
            self.events.extend(under_way.map(|id| Event::Failed {
                id: *id,
                error: ErrorKind::Refused(RequestRefused::ThreadPanicked).into(),
                response: None,
            }));
        }
        Polled {
            changed: self.events.len() > before,
            next: if !self.events.is_empty() {
                PollAt::Now
            } else if desk.is_idle || desk.has_panicked {
                PollAt::Idle
            } else {
                PollAt::Io
            },
        }
    }

    /// The same, once there is something or `timeout` is over.
    pub(super) fn wait<'a>(
        &mut self,
        timeout: Option<Duration>,
        under_way: impl Iterator<Item = &'a RequestId>,
    ) -> Polled {
        if !self.events.is_empty() {
            // What was taken over before waits to be pulled, and the thread may wait for that.
            return self.poll(under_way);
        }
        let desk = lock(&self.shared.desk);
        let nothing =
            |desk: &mut Desk| desk.events.is_empty() && !desk.is_idle && !desk.has_panicked;
        let desk = match timeout {
            Some(timeout) => {
                let waited = self.shared.came.wait_timeout_while(desk, timeout, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.shared.came.wait_while(desk, nothing);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        drop(desk);
        self.poll(under_way)
    }

    /// Waits until the thread has obeyed, and its files are done with.
    pub(super) fn finish_files(&mut self, timeout: Duration) -> bool {
        lock(&self.shared.desk).drains = Some(timeout);
        (self.wake)();
        let desk = lock(&self.shared.desk);
        let waits = |desk: &mut Desk| desk.drains.is_some() && !desk.has_panicked;
        let waited = self.shared.came.wait_timeout_while(desk, timeout, waits);
        let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut desk.drained)
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if let (Some(id), 1..) = (event.id(), event.unpulled()) {
            self.command(Command::Pulled(id, event.unpulled()));
        }
        Some(event)
    }

    #[cfg(feature = "websocket")]
    pub(super) fn send_message(
        &mut self,
        id: RequestId,
        message: crate::semantics::websocket::WebSocketMessage,
    ) -> Result<(), Error> {
        self.command(Command::Send(id, message));
        Ok(())
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        (self.wake)();
        if let Some(thread) = self.thread.take() {
            // It ends at its next look; what it holds is closed by then.
            let _ = thread.join();
        }
    }
}

/// Says so when the thread ends without having been told to.
struct LastWord<'a>(&'a Shared);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.desk).has_panicked = true;
            self.0.came.notify_all();
        }
    }
}

fn run(engine: &mut Engine, shared: &Shared) {
    let budget = Budget::unlimited();
    while !shared.ends.load(Ordering::Acquire) {
        let (commands, drains) = {
            let mut desk = lock(&shared.desk);
            (std::mem::take(&mut desk.commands), desk.drains)
        };
        for command in commands {
            engine.execute(command);
        }
        let mut polled = engine.go_ahead(&budget);
        shared.hand_over(engine, polled.next);
        if let Some(timeout) = drains {
            let drained = engine.drain_files(timeout);
            let mut desk = lock(&shared.desk);
            desk.drains = None;
            desk.drained = drained;
            drop(desk);
            shared.came.notify_all();
            continue;
        }
        // Handing over may have taken in the wake of a command that came meanwhile.
        let is_told = {
            let desk = lock(&shared.desk);
            !desk.commands.is_empty() || desk.drains.is_some()
        };
        if is_told || polled.changed || shared.ends.load(Ordering::Acquire) {
            continue;
        }
        polled = engine.sleep(polled.next, &budget);
        shared.hand_over(engine, polled.next);
    }
}

impl Shared {
    /// Lays out what happened for the owner.
    fn hand_over(&self, engine: &mut Engine, next: PollAt) {
        let mut desk = lock(&self.desk);
        while let Some(event) = engine.next_event() {
            if !desk.is_cancelled(&event) {
                desk.put(event);
            }
        }
        desk.is_idle = next == PollAt::Idle && desk.commands.is_empty();
        drop(desk);
        self.came.notify_all();
    }
}

impl Desk {
    /// Whether the event is of a request that was cancelled while it happened.
    fn is_cancelled(&self, event: &Event) -> bool {
        let id = event.id();
        self.commands
            .iter()
            .any(|command| matches!(command, Command::Cancel(other) if Some(*other) == id))
    }

    /// Puts an event behind the others; of a request's progress only the latest is kept.
    fn put(&mut self, event: Event) {
        if let Event::Progress { id, .. } = &event {
            let same =
                self.events.iter_mut().rev().find(
                    |other| matches!(other, Event::Progress { id: other, .. } if other == id),
                );
            if let Some(same) = same {
                *same = event;
                return;
            }
        }
        self.events.push_back(event);
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::{Agent, Backend};
    use super::*;
    use crate::transport::memory::MemoryNetwork;

    #[test]
    fn what_happened_to_a_request_meanwhile_cancelled_is_not_told() {
        let network = MemoryNetwork::new();
        let mut agent = Agent::on_memory(&network);
        let gone = agent.get("http://nowhere.example/").unwrap().detach();
        let kept = agent.get("http://nowhere.example/").unwrap().detach();
        let Backend::Inline(mut engine) = agent.backend else {
            panic!("in memory there is no thread");
        };
        let shared = Shared::default();
        for _ in 0..3 {
            engine.poll(&Budget::unlimited());
        }
        // The command lies there while the thread is about to hand over.
        lock(&shared.desk).commands.push(Command::Cancel(gone));
        shared.hand_over(&mut engine, PollAt::Idle);
        let told: Vec<_> = lock(&shared.desk)
            .events
            .iter()
            .filter_map(Event::id)
            .collect();
        assert!(told.contains(&kept) && !told.contains(&gone), "{told:?}");
    }
}
