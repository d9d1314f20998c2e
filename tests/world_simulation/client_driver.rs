//! The game's side: requests of an agent, what the player does to them, and what must hold of every
//! event of the agent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use httpoll::agent::RequestOptions;
use httpoll::memory::MemoryNetwork;
use httpoll::{
    Agent, Budget, ErrorKind, Event, PollAt, RequestId, RetryPolicy, Timeouts, agent::PoolLimits,
    error::RequestRefused,
};

use super::event_log::EventLog;
use super::handlers::event_data;
use super::requests::{PRIORITIES, Takes, TrackedRequest, message};
use crate::seeded::{Folder, Random};

pub(crate) struct ClientDriver {
    pub(crate) agent: Agent,
    tracked: BTreeMap<RequestId, TrackedRequest>,
    random: Random,
    network: MemoryNetwork,
    log: EventLog,
    is_calm: bool,
    folder: Option<Folder>,
    most: usize,
    was_suspended: bool,
    is_suspended: bool,
    began: Instant,
}

impl ClientDriver {
    pub(crate) fn new(
        network: &MemoryNetwork,
        log: &EventLog,
        mut random: Random,
        is_calm: bool,
        seed: u64,
    ) -> Self {
        Self {
            agent: build(network, &mut random, is_calm),
            tracked: BTreeMap::new(),
            most: random.of(&[300, 3000, 3000, 20_000, 60_000]),
            folder: random.one_in(5).then(|| Folder::new("world", seed)),
            random,
            network: network.clone(),
            log: log.clone(),
            is_calm,
            was_suspended: false,
            is_suspended: false,
            began: network.now(),
        }
    }

    pub(crate) fn send(&mut self, number: usize) {
        let folder = self.folder.as_ref().map(Folder::path);
        let (request, mut tracked) =
            TrackedRequest::any(&mut self.random, number, self.most, folder, self.is_calm);
        let handle = self.agent.send(request).unwrap();
        let id = handle.id();
        self.log.note(format!("{id} asks {}", tracked.url));
        tracked.handle = Some(handle);
        self.tracked.insert(id, tracked);
    }

    /// Something that a player does.
    pub(crate) fn act(&mut self) {
        let running = self.tracked.iter().filter(|(_, tracked)| !tracked.is_over);
        let running: Vec<_> = running.map(|(id, _)| *id).collect();
        if running.is_empty() {
            return;
        }
        let id = running[self.random.below(running.len())];
        match self.random.below(12) {
            0 => {
                self.agent.cancel(id);
                self.note_cancelled(id);
            }
            1 => {
                self.note_cancelled(id);
                self.tracked.get_mut(&id).unwrap().handle = None;
            }
            2 | 3 => {
                self.agent.pause(id);
                self.tracked.get_mut(&id).unwrap().is_paused = true;
            }
            4 | 5 => self.resume(),
            6 | 7 => {
                let priority = self.random.of(&PRIORITIES);
                self.agent.set_priority(id, priority);
            }
            8 => {
                let rate = self.random.of(&[None, Some(500), Some(20_000)]);
                self.agent.set_rate_limit(id, rate);
            }
            9 => {
                let rate = self.random.of(&[None, Some(5000), Some(200_000)]);
                self.agent.set_global_rate_limit(rate);
            }
            10 => self.agent.close_idle_connections(),
            _ if self.is_suspended => {
                self.agent.resume_all();
                self.is_suspended = false;
            }
            _ if self.random.one_in(2) => {
                let deadline = Duration::from_millis(self.random.below(500) as u64);
                self.agent.suspend(deadline);
                self.log.note(format!("suspends in {deadline:?}"));
                self.was_suspended = true;
                self.is_suspended = true;
            }
            _ => {}
        }
    }

    fn note_cancelled(&mut self, id: RequestId) {
        self.tracked.get_mut(&id).unwrap().is_over = true;
        self.log.note(format!("{id} cancelled"));
    }

    fn resume(&mut self) {
        for (id, tracked) in &mut self.tracked {
            if std::mem::take(&mut tracked.is_paused) {
                self.agent.resume(*id);
            }
        }
    }

    /// One frame: a poll and its events, unless the game is busy elsewhere.
    pub(crate) fn frame(&mut self, budget: &Budget, all: bool) -> PollAt {
        let polled = self.agent.poll_with(budget);
        if all || !self.random.one_in(4) {
            self.pull();
        }
        self.send_messages();
        self.check_files();
        polled.next
    }

    pub(crate) fn pull(&mut self) {
        while let Some(event) = self.agent.next_event() {
            self.note_event(event);
        }
    }

    /// Sends the messages that are due over WebSockets.
    fn send_messages(&mut self) {
        for (id, tracked) in &mut self.tracked {
            if tracked.takes != Takes::Socket || tracked.is_over {
                continue;
            }
            while tracked.is_open && tracked.said < tracked.messages {
                let message = message(tracked.number(), tracked.said);
                if self.agent.send_message(*id, message).is_err() {
                    break;
                }
                tracked.said += 1;
            }
        }
    }

    fn note_event(&mut self, event: Event) {
        let since = self.network.now().saturating_duration_since(self.began);
        self.log.note(format!("{since:?} {}", describe(&event)));
        let Some(id) = event.id() else { return };
        let tracked = self
            .tracked
            .get_mut(&id)
            .expect("an event of an unknown request");
        assert!(!tracked.is_over, "{id} is over, but reported: {event:?}");
        match event {
            Event::Chunk { bytes, .. } => tracked.streamed.extend_from_slice(&bytes),
            Event::ServerSent { event, .. } => {
                tracked.received += 1;
                assert_eq!(
                    event.data,
                    event_data(tracked.number(), tracked.received),
                    "{id}"
                );
            }
            Event::WebSocketOpen { .. } => tracked.is_open = true,
            Event::WebSocketMessage { message: heard, .. } => {
                assert_eq!(heard, message(tracked.number(), tracked.received), "{id}");
                tracked.received += 1;
                assert!(tracked.received <= tracked.said);
                if tracked.received == tracked.messages {
                    self.agent.close_web_socket(id, 1000, "done");
                }
            }
            Event::Done { response, .. } => {
                tracked.is_over = true;
                tracked.handle = None;
                tracked.check_done(id, &response, self.is_calm);
            }
            Event::Failed {
                error, response, ..
            } => {
                tracked.is_over = true;
                tracked.handle = None;
                // Content that was delivered already cannot be requested again.
                let may_fail =
                    matches!(error.kind(), ErrorKind::Refused(RequestRefused::Suspended))
                        || tracked.takes == Takes::Streamed;
                let is_calm = self.is_calm && !(self.was_suspended && may_fail);
                tracked.check_failed(id, &error, response.as_deref(), is_calm);
            }
            _ => {}
        }
    }

    /// Resumes everything, so that all requests can end.
    pub(crate) fn let_go(&mut self) {
        self.agent.resume_all();
        for (id, tracked) in &mut self.tracked {
            tracked.is_paused = false;
            self.agent.resume(*id);
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.tracked.values().all(|tracked| tracked.is_over)
    }

    /// The requests that are not over, for the message of a failure.
    pub(crate) fn waits_for(&self) -> String {
        let left = self.tracked.iter().filter(|(_, tracked)| !tracked.is_over);
        let left: Vec<_> = left
            .map(|(id, tracked)| {
                let about = self.log.latest(&format!("{id} "));
                let about_id = self.log.latest(&format!("({})", &id.to_string()[1..]));
                format!("{id} {}\n{about}\n{about_id}", tracked.url)
            })
            .collect();
        left.join("\n")
    }

    /// The game quits in the middle of everything. Partial downloads of a suspended agent stay.
    pub(crate) fn quit(&mut self) {
        self.agent = Agent::on_memory(&self.network);
        for tracked in self.tracked.values_mut() {
            tracked.is_over = true;
            tracked.keeps |= self.was_suspended;
        }
    }

    /// No file is partial, at any time.
    fn check_files(&self) {
        for tracked in self.tracked.values() {
            if let Some(path) = &tracked.file
                && let Ok(found) = std::fs::read(path)
            {
                assert!(found == tracked.content, "a partial {}", path.display());
            }
        }
    }

    /// All is over: no event, timer or file is left.
    pub(crate) fn check_rest(&mut self) {
        assert_eq!(
            self.agent.poll_with(&Budget::unlimited()).next,
            PollAt::Idle
        );
        assert!(self.agent.next_event().is_none());
        let Some(folder) = &self.folder else { return };
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = self.tracked.values().any(|tracked| {
                tracked.file.as_ref().is_some_and(|file| {
                    let file = file.file_name().unwrap().to_str().unwrap();
                    name == file
                        || tracked.keeps
                            && (name == format!("{file}.part")
                                || name == format!("{file}.part.json"))
                })
            });
            assert!(known, "{name} is left");
        }
    }
}

fn build(network: &MemoryNetwork, random: &mut Random, is_calm: bool) -> Agent {
    let mut pool = PoolLimits::default();
    pool.total = 1 + random.below(6);
    pool.per_host = 1 + random.below(4);
    pool.streams = 1 + random.below(4);
    pool.streams_per_host = 1 + random.below(3);
    pool.idle_age = Duration::from_millis(random.of(&[0, 500, 60_000]));
    pool.lifetime = Duration::from_millis(random.of(&[1000, 600_000]));
    let mut retries = RetryPolicy::default();
    retries.retries = random.below(4) as u32;
    let timeouts = match is_calm {
        true => Timeouts::with(|it| {
            it.resolve = Some(Duration::from_secs(5));
            // A handler may take an upload in pieces of a few bytes, few of them in each frame.
            it.head = Some(Duration::from_secs(600));
        }),
        false => Timeouts::with(|it| {
            it.resolve = Some(Duration::from_secs(2));
            it.connect = Some(Duration::from_secs(3));
            it.head = Some(Duration::from_secs(4));
            it.stall = Some(Duration::from_secs(random.of(&[2, 20])));
        }),
    };
    let mut builder = Agent::builder()
        .pool(pool)
        .defaults(RequestOptions::new().retries(retries).timeouts(timeouts));
    if random.one_in(4) {
        builder = builder.global_rate_limit(Some(2000 + random.below(100_000) as u64));
    }
    builder.build_on_memory(network)
}

/// An event in one line, without what differs from run to run.
fn describe(event: &Event) -> String {
    match event {
        Event::Done { id, response } => format!(
            "{id} done {} {} bytes, {} attempts, {} redirects, {:?}",
            response.status(),
            response.body().len(),
            response.attempts(),
            response.redirects(),
            response.timings()
        ),
        Event::Failed { id, error, .. } => format!("{id} failed {error}"),
        Event::Chunk { id, bytes } => format!("{id} chunk {}", bytes.len()),
        other => format!("{other:?}"),
    }
}
