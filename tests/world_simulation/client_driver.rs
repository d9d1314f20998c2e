//! The game's side: requests of an agent, what the player does to them, and what must hold of all that
//! the agent tells.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use httpoll::memory::MemoryNetwork;
use httpoll::{
    Agent, Budget, ErrorKind, Event, PollAt, PoolLimits, RequestId, RequestRefused, RetryPolicy,
    Timeouts,
};

use super::event_log::EventLog;
use super::handlers::event_data;
use super::requests::{PRIORITIES, Takes, TrackedRequest, message};
use crate::seeded::Random;

pub(crate) struct ClientDriver {
    pub(crate) agent: Agent,
    asked: BTreeMap<RequestId, TrackedRequest>,
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
            asked: BTreeMap::new(),
            most: random.of(&[300, 3000, 3000, 20_000, 60_000]),
            folder: random.one_in(5).then(|| Folder::new(seed)),
            random,
            network: network.clone(),
            log: log.clone(),
            is_calm,
            was_suspended: false,
            is_suspended: false,
            began: network.now(),
        }
    }

    pub(crate) fn ask(&mut self, number: usize) {
        let folder = self.folder.as_ref().map(|folder| folder.0.as_path());
        let (request, mut asked) =
            TrackedRequest::any(&mut self.random, number, self.most, folder, self.is_calm);
        let handle = self.agent.send(request).unwrap();
        let id = handle.id();
        self.log.tell(format!("{id} asks {}", asked.url));
        asked.handle = Some(handle);
        self.asked.insert(id, asked);
    }

    /// Something that a player does.
    pub(crate) fn act(&mut self) {
        let running = self.asked.iter().filter(|(_, asked)| !asked.is_over);
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
                self.asked.get_mut(&id).unwrap().handle = None;
            }
            2 | 3 => {
                self.agent.pause(id);
                self.asked.get_mut(&id).unwrap().is_paused = true;
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
                self.log.tell(format!("suspends in {deadline:?}"));
                self.was_suspended = true;
                self.is_suspended = true;
            }
            _ => {}
        }
    }

    fn note_cancelled(&mut self, id: RequestId) {
        self.asked.get_mut(&id).unwrap().is_over = true;
        self.log.tell(format!("{id} cancelled"));
    }

    fn resume(&mut self) {
        for (id, asked) in &mut self.asked {
            if std::mem::take(&mut asked.is_paused) {
                self.agent.resume(*id);
            }
        }
    }

    /// One frame: a poll, and what it told, unless the game is busy elsewhere.
    pub(crate) fn frame(&mut self, budget: &Budget, all: bool) -> PollAt {
        let polled = self.agent.poll_with(budget);
        if all || !self.random.one_in(4) {
            self.pull();
        }
        self.talk();
        self.check_files();
        polled.next
    }

    pub(crate) fn pull(&mut self) {
        while let Some(event) = self.agent.next_event() {
            self.hear(event);
        }
    }

    /// Says what is to be said over WebSockets.
    fn talk(&mut self) {
        for (id, asked) in &mut self.asked {
            if asked.takes != Takes::Socket || asked.is_over {
                continue;
            }
            while asked.is_open && asked.said < asked.messages {
                let message = message(asked.number(), asked.said);
                if self.agent.send_message(*id, message).is_err() {
                    break;
                }
                asked.said += 1;
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let since = self.network.now().saturating_duration_since(self.began);
        self.log.tell(format!("{since:?} {}", describe(&event)));
        let Some(id) = event.id() else { return };
        let asked = self.asked.get_mut(&id).expect("an event of nobody");
        assert!(!asked.is_over, "{id} is over, and this told: {event:?}");
        match event {
            Event::Chunk { bytes, .. } => asked.streamed.extend_from_slice(&bytes),
            Event::ServerSent { event, .. } => {
                asked.told += 1;
                assert_eq!(event.data, event_data(asked.number(), asked.told), "{id}");
            }
            Event::WebSocketOpen { .. } => asked.is_open = true,
            Event::WebSocketMessage { message: heard, .. } => {
                assert_eq!(heard, message(asked.number(), asked.told), "{id}");
                asked.told += 1;
                assert!(asked.told <= asked.said);
                if asked.told == asked.messages {
                    self.agent.close_web_socket(id, 1000, "done");
                }
            }
            Event::Done { response, .. } => {
                asked.is_over = true;
                asked.handle = None;
                asked.check_done(id, &response, self.is_calm);
            }
            Event::Failed {
                error, response, ..
            } => {
                asked.is_over = true;
                asked.handle = None;
                // What was delivered already cannot be asked for again.
                let may_fail =
                    matches!(error.kind(), ErrorKind::Refused(RequestRefused::Suspended))
                        || asked.takes == Takes::Streamed;
                let is_calm = self.is_calm && !(self.was_suspended && may_fail);
                asked.check_failed(id, &error, response.as_deref(), is_calm);
            }
            _ => {}
        }
    }

    /// Nothing is held any more: what is left is to come to its end.
    pub(crate) fn let_go(&mut self) {
        self.agent.resume_all();
        for (id, asked) in &mut self.asked {
            asked.is_paused = false;
            self.agent.resume(*id);
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.asked.values().all(|asked| asked.is_over)
    }

    /// Whom the end waits for.
    pub(crate) fn waits_for(&self) -> String {
        let left = self.asked.iter().filter(|(_, asked)| !asked.is_over);
        let left: Vec<_> = left
            .map(|(id, asked)| {
                let about = self.log.latest(&format!("{id} "));
                let about_id = self.log.latest(&format!("({})", &id.to_string()[1..]));
                format!("{id} {}\n{about}\n{about_id}", asked.url)
            })
            .collect();
        left.join("\n")
    }

    /// The game ends in the middle of everything. What was put away for the next time stays.
    pub(crate) fn quit(&mut self) {
        self.agent = Agent::on_memory(&self.network);
        for asked in self.asked.values_mut() {
            asked.is_over = true;
            asked.keeps |= self.was_suspended;
        }
    }

    /// No file is torn, at any time.
    fn check_files(&self) {
        for asked in self.asked.values() {
            if let Some(path) = &asked.file
                && let Ok(found) = std::fs::read(path)
            {
                assert!(found == asked.content, "a partial {}", path.display());
            }
        }
    }

    /// All is over: nothing is told, due or left.
    pub(crate) fn check_rest(&mut self) {
        assert_eq!(
            self.agent.poll_with(&Budget::unlimited()).next,
            PollAt::Idle
        );
        assert!(self.agent.next_event().is_none());
        let Some(folder) = &self.folder else { return };
        for entry in std::fs::read_dir(&folder.0).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = self.asked.values().any(|asked| {
                asked.file.as_ref().is_some_and(|file| {
                    let file = file.file_name().unwrap().to_str().unwrap();
                    name == file
                        || asked.keeps
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
    pool.idle_age = Duration::from_millis(random.of(&[0, 500, 60_000]));
    pool.lifetime = Duration::from_millis(random.of(&[1000, 600_000]));
    let mut retries = RetryPolicy::default();
    retries.retries = random.below(4) as u32;
    let timeouts = match is_calm {
        true => Timeouts {
            resolve: Some(Duration::from_secs(5)),
            // A handler may take an upload in pieces of a few bytes, some in a frame.
            head: Some(Duration::from_secs(600)),
            ..Timeouts::default()
        },
        false => Timeouts {
            resolve: Some(Duration::from_secs(2)),
            connect: Some(Duration::from_secs(3)),
            head: Some(Duration::from_secs(4)),
            stall: Some(Duration::from_secs(random.of(&[2, 20]))),
            ..Timeouts::default()
        },
    };
    let mut builder = Agent::builder()
        .pool(pool)
        .retries(retries)
        .timeouts(timeouts);
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

/// A folder for one run, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(seed: u64) -> Self {
        let name = format!("httpoll-world-{}-{seed}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
