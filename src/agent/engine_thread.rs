//! The engine on a thread of its own, for progress between frames.
//!
//! The agent sends commands and receives events through [`State`], in its own calls only: events are still
//! delivered on the agent's thread. The engine's thread sleeps in the operating system when there is nothing
//! to do. It ends with the agent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::engine::Engine;
use super::engine::command::Command;
use super::event::Event;
use super::id::{ById, RequestId};
use super::snapshot::AgentSnapshot;
use super::waiting_events::WaitingEvents;
use crate::budget::{Budget, PollAt, Polled};
#[cfg(feature = "websocket")]
use crate::error::Error;
use crate::error::{ErrorKind, RequestRefused};
use crate::transport::wake::Wake;
use crate::transport::watcher::Notify;

/// What the agent and the engine's thread share.
#[derive(Default)]
struct Shared {
    /// Called when there are new events.
    on_event: Option<Notify>,
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    /// The requests that `commands` cancel.
    cancelled: ById<()>,
    events: WaitingEvents,
    /// The place in `events` of each request's progress.
    progress: ById<usize>,
    is_idle: bool,
    /// The thread ended, although the agent lives.
    has_panicked: bool,
    /// How long the agent waits for files to be finished, and whether they were.
    drain_files: Option<Duration>,
    files_drained: bool,
    /// Whether the agent wants a snapshot, and the latest one.
    wants_snapshot: bool,
    snapshot: AgentSnapshot,
}

/// The agent's side; see the documentation of the module.
pub(super) struct EngineThread {
    shared: Arc<Shared>,
    wake: Wake,
    events: WaitingEvents,
    #[cfg(any(feature = "outbox", feature = "patch"))]
    disk: crate::transport::disk::Disk,
    /// Returns the engine at its end.
    thread: Option<thread::JoinHandle<Option<Box<Engine>>>>,
}

impl EngineThread {
    /// Starts the thread; returns the engine if the system refuses one.
    pub(super) fn start(
        mut engine: Box<Engine>,
        on_event: Option<Notify>,
    ) -> Result<Self, Box<Engine>> {
        let Ok(wake) = engine.wake() else {
            return Err(engine);
        };
        #[cfg(any(feature = "outbox", feature = "patch"))]
        let Ok(disk) = engine.disk() else {
            return Err(engine);
        };
        let shared = Arc::new(Shared {
            on_event,
            ..Shared::default()
        });
        let for_thread = Arc::clone(&shared);
        let (engine_sender, engine_receiver) = mpsc::channel::<Box<Engine>>();
        let thread = thread::Builder::new()
            .name("httpoll-agent".to_owned())
            .spawn(move || {
                let mut engine = engine_receiver.recv().ok()?;
                let _guard = PanicGuard(&for_thread);
                engine.widen_window();
                run(&mut engine, &for_thread);
                Some(engine)
            });
        let Ok(thread) = thread else {
            return Err(engine);
        };
        engine_sender.send(engine).map_err(|refused| refused.0)?;
        Ok(Self {
            shared,
            wake,
            events: WaitingEvents::default(),
            #[cfg(any(feature = "outbox", feature = "patch"))]
            disk,
            thread: Some(thread),
        })
    }

    /// Ends the thread after its current poll and takes the engine back. `None` if the thread has panicked: the engine
    /// is lost then, and the agent goes on reporting that.
    pub(super) fn take_engine(&mut self) -> Option<Box<Engine>> {
        self.shared.stop.store(true, Ordering::Release);
        (self.wake)();
        let ended = self.thread.take()?.join();
        let mut engine = ended.ok().flatten()?;
        let mut state = lock(&self.shared.state);
        state.move_events(&mut self.events);
        engine.return_to_caller(std::mem::take(&mut self.events));
        for command in state.commands.drain(..) {
            engine.execute(command);
        }
        Some(engine)
    }

    pub(super) fn calls_on_event(&self) -> bool {
        self.shared.on_event.is_some()
    }

    pub(super) fn command(&mut self, command: Command) {
        if let Command::Cancel(ids) = &command {
            self.events.forget(ids);
        }
        let mut state = lock(&self.shared.state);
        if state.has_panicked {
            return;
        }
        if let Command::Cancel(ids) = &command {
            state.cancel(ids);
        }
        // If there are other commands, the thread was woken for them and has not run yet.
        let is_first = state.commands.is_empty();
        state.commands.push(command);
        state.is_idle = false;
        drop(state);
        if is_first {
            (self.wake)();
        }
    }

    /// Takes the events of the thread. If it panicked, the `unfinished` requests fail.
    pub(super) fn poll<'a>(&mut self, unfinished: impl Iterator<Item = &'a RequestId>) -> Polled {
        let mut state = lock(&self.shared.state);
        let before = self.events.len();
        state.move_events(&mut self.events);
        if self.events.is_empty() && state.has_panicked {
            self.events.extend(unfinished.map(|id| Event::Failed {
                id: *id,
                error: ErrorKind::Refused(RequestRefused::ThreadPanicked).into(),
                response: None,
            }));
        }
        Polled {
            changed: self.events.len() > before,
            next: if !self.events.is_empty() {
                PollAt::Now
            } else if state.is_idle || state.has_panicked {
                PollAt::Idle
            } else {
                PollAt::Io
            },
        }
    }

    /// [`poll`](Self::poll), as soon as there is an event or `timeout` is over.
    pub(super) fn wait<'a>(
        &mut self,
        timeout: Option<Duration>,
        unfinished: impl Iterator<Item = &'a RequestId>,
    ) -> Polled {
        if !self.events.is_empty() {
            // Events wait to be pulled, and the thread may wait for that.
            return self.poll(unfinished);
        }
        let state = lock(&self.shared.state);
        let is_quiet =
            |state: &mut State| state.has_no_events() && !state.is_idle && !state.has_panicked;
        let state = match timeout {
            Some(timeout) => {
                let waited = self
                    .shared
                    .changed
                    .wait_timeout_while(state, timeout, is_quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.shared.changed.wait_while(state, is_quiet);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        drop(state);
        self.poll(unfinished)
    }

    /// Waits until the thread has executed all commands and finished its files.
    pub(super) fn finish_files(&mut self, timeout: Duration) -> bool {
        lock(&self.shared.state).drain_files = Some(timeout);
        (self.wake)();
        let state = lock(&self.shared.state);
        let waits = |state: &mut State| state.drain_files.is_some() && !state.has_panicked;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.files_drained)
    }

    /// The snapshot that the thread took when it was asked last. Asks it for another one.
    pub(super) fn snapshot(&mut self) -> AgentSnapshot {
        let mut state = lock(&self.shared.state);
        if state.has_panicked {
            return AgentSnapshot::default();
        }
        let is_first = !std::mem::replace(&mut state.wants_snapshot, true);
        let mut snapshot = state.snapshot.clone();
        snapshot.queues.events = self.events.len() + state.count_events();
        drop(state);
        if is_first {
            (self.wake)();
        }
        snapshot
    }

    /// The worker for files.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) fn disk(&self) -> crate::transport::disk::Disk {
        self.disk.clone()
    }

    /// The next event of these requests. Events of others stay.
    #[cfg(any(feature = "outbox", feature = "patch"))]
    pub(super) fn next_event_of(&mut self, wanted: impl Fn(RequestId) -> bool) -> Option<Event> {
        self.events.take_of(wanted)
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop()?;
        let pulled = event.unpulled();
        if let (Some(id), 1..) = (event.id(), pulled.bytes) {
            self.command(Command::Pulled(id, pulled));
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
        self.shared.stop.store(true, Ordering::Release);
        (self.wake)();
        if let Some(thread) = self.thread.take() {
            // The thread ends after its current poll and closes everything it holds.
            let _ = thread.join();
        }
    }
}

/// Tells the owner when the thread panics.
struct PanicGuard<'a>(&'a Shared);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.state).has_panicked = true;
            self.0.changed.notify_all();
            self.0.notify_owner();
        }
    }
}

fn run(engine: &mut Engine, shared: &Shared) {
    let budget = Budget::unlimited();
    while !shared.stop.load(Ordering::Acquire) {
        let (commands, drain_files) = {
            let mut state = lock(&shared.state);
            (state.take_commands(), state.drain_files)
        };
        for command in commands {
            engine.execute(command);
        }
        let mut polled = engine.go_ahead(&budget);
        shared.publish(engine, polled.next);
        if let Some(timeout) = drain_files {
            let files_drained = engine.drain_files(timeout);
            let mut state = lock(&shared.state);
            state.drain_files = None;
            state.files_drained = files_drained;
            drop(state);
            shared.changed.notify_all();
            continue;
        }
        if lock(&shared.state).wants_snapshot {
            let snapshot = engine.snapshot();
            let mut state = lock(&shared.state);
            state.wants_snapshot = false;
            state.snapshot = snapshot;
        }
        // Publishing may have consumed the wake-up of a command that arrived meanwhile.
        let has_work = lock(&shared.state).has_work();
        if has_work || polled.changed || shared.stop.load(Ordering::Acquire) {
            continue;
        }
        polled = engine.sleep(polled.next, &budget);
        shared.publish(engine, polled.next);
    }
}

impl Shared {
    /// Makes the engine's events available to the agent.
    fn publish(&self, engine: &mut Engine, next: PollAt) {
        let mut state = lock(&self.state);
        let before = state.count_events();
        while let Some(event) = engine.next_event() {
            if !state.is_cancelled(&event) {
                state.put(event);
            }
        }
        state.is_idle = next == PollAt::Idle && state.commands.is_empty();
        let has_new = state.count_events() > before;
        drop(state);
        self.changed.notify_all();
        if has_new {
            self.notify_owner();
        }
    }

    /// Tells the owner of the agent that a poll will bring events. No lock is held.
    fn notify_owner(&self) {
        if let Some(on_event) = &self.on_event {
            on_event();
        }
    }
}

impl State {
    /// Whether the agent wants something of the thread.
    fn has_work(&self) -> bool {
        !self.commands.is_empty() || self.drain_files.is_some() || self.wants_snapshot
    }

    /// Takes what the thread is to execute.
    fn take_commands(&mut self) -> Vec<Command> {
        self.cancelled.clear();
        std::mem::take(&mut self.commands)
    }

    /// Drops the events of these requests, and those that the thread reports before it executes the command.
    fn cancel(&mut self, ids: &[RequestId]) {
        self.cancelled.extend(ids.iter().map(|id| (*id, ())));
        if self.events.forget(ids) {
            self.find_progress();
        }
    }

    /// Whether the event belongs to a request that was cancelled meanwhile.
    fn is_cancelled(&self, event: &Event) -> bool {
        let id = event.id();
        id.is_some_and(|id| self.cancelled.contains_key(&id))
    }

    /// Appends an event; only the latest progress of a request is kept.
    fn put(&mut self, event: Event) {
        if let Event::Progress { id, .. } = event {
            let place = self.count_events();
            let place = *self.progress.entry(id).or_insert(place);
            if let Some(earlier) = self.events.get_mut(place) {
                *earlier = event;
                return;
            }
        }
        self.events.push(event);
    }

    /// Moves all events behind those that the agent has.
    fn move_events(&mut self, to: &mut WaitingEvents) {
        to.append(&mut self.events);
        self.progress.clear();
    }

    fn has_no_events(&mut self) -> bool {
        self.count_events() == 0
    }

    fn count_events(&mut self) -> usize {
        if self.events.settle() {
            self.find_progress();
        }
        self.events.len()
    }

    /// Looks where the progress of each request is, after events were dropped.
    fn find_progress(&mut self) {
        self.progress.clear();
        for (place, event) in self.events.iter().enumerate() {
            if let Event::Progress { id, .. } = event {
                self.progress.insert(*id, place);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
