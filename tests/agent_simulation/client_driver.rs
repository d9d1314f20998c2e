//! The client's side of the simulation: frames in any order, and what a player does meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use httpoll::memory::MemoryNetwork;
use httpoll::mock::MockServer;
use httpoll::{
    Agent, Budget, ErrorKind, Event, PollAt, RequestId, agent::PoolLimits, budget::BusyPoll,
    error::RequestRefused,
};

#[cfg(unix)]
use super::kills::PartLengths;
use super::network;
use super::requests::{Choices, PRIORITIES, Takes, TrackedRequest};
use super::servers::event_data;
use crate::seeded::{Folder, Random};

/// Frames in which the player acts; then everything runs to its end.
const ACTS: usize = 120;

/// More polls than any run needs to come to rest.
const MOST_POLLS: usize = 20_000;

/// More polls than can have something to do while the clock stands still.
const MOST_AT_ONCE: usize = 3000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Drive {
    Frames,
    Waits,
}

pub(crate) struct ClientDriver {
    pub(crate) random: Random,
    pub(crate) network: MemoryNetwork,
    pub(crate) servers: [MockServer; 2],
    pub(crate) pool: PoolLimits,
    pub(crate) requests: BTreeMap<RequestId, TrackedRequest>,
    /// Those of agents that were killed: another agent may use their ids.
    pub(crate) past: Vec<TrackedRequest>,
    pub(crate) folder: Option<Folder>,
    /// What a kill left in the folder.
    pub(crate) left: Vec<PathBuf>,
    #[cfg(unix)]
    pub(crate) parts: PartLengths,
    /// Nothing goes wrong: nothing may fail.
    pub(crate) is_calm: bool,
    pub(crate) was_suspended: bool,
    pub(crate) is_suspended: bool,
    drive: Drive,
    most: usize,
    numbers: usize,
    began: Instant,
    /// Everything that the agent reported, in order.
    pub(crate) log: Vec<String>,
}

/// One run. Returns everything that the agent reported.
pub(crate) fn run(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let is_calm = random.one_in(3);
    let network = MemoryNetwork::new();
    // In calm runs nothing may fail, and there a reset may discard a response that came early.
    if !is_calm && seed.is_multiple_of(2) {
        network.imitate_windows();
    }
    let servers = network::set_up(&network, &mut random, is_calm, seed);
    let mut pool = PoolLimits::default();
    pool.total = 1 + random.below(6);
    pool.per_host = 1 + random.below(3);
    pool.streams = 1 + random.below(4);
    pool.streams_per_host = 1 + random.below(3);
    pool.idle_age = Duration::from_millis(random.of(&[0, 500, 60_000]));
    pool.lifetime = Duration::from_millis(random.of(&[1000, 600_000]));
    let mut agent = network::build_agent(&network, &mut random, is_calm, &pool);
    let mut client = ClientDriver {
        drive: random.of(&[Drive::Frames, Drive::Frames, Drive::Waits]),
        most: random.of(&[300, 3000, 3000, 20_000, 60_000]),
        folder: random.one_in(5).then(|| Folder::new("agent", seed)),
        began: network.now(),
        random,
        network,
        servers,
        pool,
        requests: BTreeMap::new(),
        past: Vec::new(),
        left: Vec::new(),
        #[cfg(unix)]
        parts: PartLengths::default(),
        is_calm,
        was_suspended: false,
        is_suspended: false,
        numbers: 0,
        log: Vec::new(),
    };
    client.play(&mut agent);
    if client.random.one_in(8) {
        client.quit(agent);
    } else {
        client.settle(&mut agent);
        client.rest(&mut agent);
    }
    client.log
}

impl ClientDriver {
    /// Frames in which requests are sent, and a player interferes.
    fn play(&mut self, agent: &mut Agent) {
        for _ in 0..1 + self.random.below(4) {
            self.send(agent);
        }
        for _ in 0..ACTS {
            if self.random.one_in(12) {
                self.send(agent);
            }
            if self.random.one_in(6) {
                self.act(agent);
            }
            self.frame(agent);
            #[cfg(unix)]
            {
                self.note_parts();
                if self.folder.is_some() && self.random.one_in(80) {
                    self.kill(agent);
                }
            }
        }
    }

    fn send(&mut self, agent: &mut Agent) {
        self.numbers += 1;
        let choices = Choices {
            is_calm: self.is_calm,
            most: self.most,
            folder: self.folder.as_ref().map(Folder::path),
        };
        let (request, mut tracked) = TrackedRequest::any(&mut self.random, self.numbers, &choices);
        let handle = agent.send(request).unwrap();
        let id = handle.id();
        tracked.handle = Some(handle);
        self.requests.insert(id, tracked);
    }

    /// A request that is not over, if there is one.
    fn any_running(&mut self) -> Option<RequestId> {
        let running: Vec<_> = self
            .requests
            .iter()
            .filter(|(_, tracked)| !tracked.is_over)
            .map(|(id, _)| *id)
            .collect();
        (!running.is_empty()).then(|| running[self.random.below(running.len())])
    }

    /// Something that a player does.
    fn act(&mut self, agent: &mut Agent) {
        let Some(id) = self.any_running() else {
            return;
        };
        match self.random.below(12) {
            0 => {
                agent.cancel(id);
                self.note_cancelled(id);
            }
            1 => {
                self.note_cancelled(id);
                self.requests.get_mut(&id).unwrap().handle = None;
            }
            2 | 3 => {
                agent.pause(id);
                let tracked = self.requests.get_mut(&id).unwrap();
                tracked.is_paused = true;
                tracked.was_held = true;
            }
            4 | 5 => {
                let paused = self.requests.iter_mut().filter(|(_, it)| it.is_paused);
                for (id, tracked) in paused {
                    agent.resume(*id);
                    tracked.is_paused = false;
                }
            }
            6 | 7 => agent.set_priority(id, self.random.of(&PRIORITIES)),
            8 => {
                let rate = self.random.of(&[None, Some(500), Some(20_000)]);
                agent.set_rate_limit(id, rate);
            }
            9 => {
                let rate = self.random.of(&[None, Some(5000), Some(200_000)]);
                agent.set_global_rate_limit(rate);
            }
            10 => agent.close_idle_connections(),
            _ if self.is_suspended => {
                agent.resume_all();
                self.is_suspended = false;
            }
            _ if self.random.one_in(2) => {
                agent.suspend(Duration::from_millis(self.random.below(500) as u64));
                self.was_suspended = true;
                self.requests.values_mut().for_each(|it| it.was_held = true);
                self.is_suspended = true;
            }
            _ => {}
        }
    }

    fn note_cancelled(&mut self, id: RequestId) {
        let tracked = self.requests.get_mut(&id).unwrap();
        tracked.is_over = true;
        self.log.push(format!("{id} cancelled"));
    }

    /// One frame: a poll, its events, and time.
    fn frame(&mut self, agent: &mut Agent) {
        if self.drive == Drive::Waits && !self.random.one_in(4) {
            let most = self.random.of(&[1, 20, 20, 3000]);
            agent.wait(Some(Duration::from_millis(most)));
            self.pull(agent);
            return;
        }
        let budget = self.budget();
        agent.poll_with(&budget);
        if self.random.one_in(4) {
            // The game is busy elsewhere.
        } else if self.random.one_in(6) {
            for _ in 0..self.random.below(4) {
                if let Some(event) = agent.next_event() {
                    self.note_event(event);
                }
            }
        } else {
            self.pull(agent);
        }
        self.check_limits();
        let pause = match self.random.below(60) {
            0 => 90_000,
            1 => 2000,
            _ => self.random.below(40),
        };
        self.network.advance(Duration::from_millis(pause as u64));
    }

    fn budget(&mut self) -> Budget {
        let time = Duration::from_micros(20);
        let busy_poll = self.random.of(&[
            BusyPoll::Off,
            BusyPoll::Content(time),
            BusyPoll::Exchange(time),
        ]);
        let most = self.random.of(&[50, 2000, 100_000, usize::MAX >> 1]);
        let budget = match self.random.below(5) {
            0 => Budget::frame(Duration::ZERO),
            _ => Budget::unlimited(),
        };
        budget
            .with_bytes(1 + self.random.below(most) as u64)
            .with_busy_poll(busy_poll)
    }

    pub(crate) fn pull(&mut self, agent: &mut Agent) {
        while let Some(event) = agent.next_event() {
            self.note_event(event);
        }
    }

    fn note_event(&mut self, event: Event) {
        let id = event.id();
        let since = self.network.now().saturating_duration_since(self.began);
        self.log.push(format!("{since:?} {}", describe(&event)));
        let Some(id) = id else {
            return;
        };
        let tracked = self
            .requests
            .get_mut(&id)
            .expect("an event of an unknown request");
        assert!(!tracked.is_over, "{id} is over, but reported: {event:?}");
        match event {
            Event::Chunk { bytes, .. } => {
                tracked.streamed.extend_from_slice(&bytes);
                assert!(
                    tracked.may_refuse || tracked.is_prefix(&tracked.streamed) || !self.is_calm,
                    "{id} streams what the server did not send"
                );
            }
            Event::ServerSent { event, .. } => {
                tracked.events += 1;
                let number = tracked.url.split('/').nth(4).unwrap().parse().unwrap();
                assert_eq!(event.data, event_data(number, tracked.events), "{id}");
            }
            Event::Progress { progress, .. } => tracked.note_progress(progress),
            Event::Head { .. } | Event::Redirect { .. } | Event::WillRetry { .. } => {
                tracked.progress = None;
            }
            Event::Done { response, .. } => {
                tracked.is_over = true;
                tracked.handle = None;
                if self.is_calm && tracked.takes != Takes::Events {
                    let is_success = response.status().is_success();
                    assert!(
                        is_success || tracked.may_refuse,
                        "{id} {}",
                        response.status()
                    );
                }
                tracked.check_done(id, &response);
            }
            Event::Failed {
                error, response, ..
            } => {
                tracked.is_over = true;
                tracked.handle = None;
                if self.is_calm {
                    let is_suspended =
                        matches!(error.kind(), ErrorKind::Refused(RequestRefused::Suspended));
                    assert!(
                        self.was_suspended && is_suspended || tracked.may_refuse,
                        "{id} {} failed: {error}\n{}",
                        tracked.url,
                        self.log.join("\n")
                    );
                }
                tracked.check_failed(id, &error, response.as_deref());
            }
            _ => {}
        }
    }

    /// Runs everything to its end.
    fn settle(&mut self, agent: &mut Agent) {
        agent.resume_all();
        for (id, tracked) in &mut self.requests {
            agent.resume(*id);
            tracked.is_paused = false;
        }
        for _ in 0..MOST_POLLS {
            if self.requests.values().all(|it| it.is_over) {
                return;
            }
            let mut polled = if self.drive == Drive::Waits {
                agent.wait(None)
            } else {
                agent.poll_with(&Budget::unlimited())
            };
            self.pull(agent);
            for at_once in 0.. {
                if polled.next != PollAt::Now {
                    break;
                }
                assert!(
                    at_once < MOST_AT_ONCE,
                    "does not come to rest:\n{}",
                    self.latest()
                );
                polled = agent.poll_with(&Budget::unlimited());
                self.pull(agent);
            }
            self.check_limits();
            if self.drive == Drive::Frames {
                let pause = self.random.below(300) as u64;
                self.network.advance(Duration::from_millis(pause));
            }
        }
        let left: Vec<_> = self.requests.iter().filter(|(_, it)| !it.is_over).collect();
        let left: Vec<_> = left
            .iter()
            .map(|(id, it)| format!("{id} {} {:?}", it.url, it.progress))
            .collect();
        panic!("hang: {left:?}\n{}", self.latest());
    }

    /// The latest entries of the log.
    fn latest(&self) -> String {
        self.log[self.log.len().saturating_sub(12)..].join("\n")
    }
}

/// An event in one line, without what differs from run to run.
fn describe(event: &Event) -> String {
    match event {
        Event::Done { id, response } => format!(
            "{id} done {} {} bytes, {} attempts, {} redirects, cached {}, {:?}",
            response.status(),
            response.body().len(),
            response.attempts(),
            response.redirects(),
            response.is_from_cache(),
            response.timings()
        ),
        Event::Failed { id, error, .. } => format!("{id} failed {error}"),
        Event::Chunk { id, bytes } => format!("{id} chunk {}", bytes.len()),
        other => format!("{other:?}"),
    }
}
