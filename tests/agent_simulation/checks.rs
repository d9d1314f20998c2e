//! What must hold while requests run, when each ends, and when all are over.

use std::collections::BTreeMap;
use std::time::Duration;

use httpoll::{
    Agent, Budget, Error, ErrorKind, PollAt, RequestId, Response, agent::Progress, limits::Limit,
};

use super::client_driver::ClientDriver;
use super::requests::{Takes, TrackedRequest};

impl ClientDriver {
    /// What holds after every poll: the limits of the pool, and no partial file.
    pub(crate) fn check_limits(&self) {
        let open = self.servers.each_ref().map(|it| it.connections().open);
        // Beside requests of lower priorities, a gameplay request may exceed each limit by one.
        let most = self.pool.per_host + 1 + self.pool.streams_per_host + 1;
        assert!(
            open.iter().all(|open| *open <= most),
            "{open:?} of {most} to one host"
        );
        let all: usize = open.iter().sum();
        let most = self.pool.total + 1 + self.pool.streams + 1;
        assert!(all <= most, "{all} of {most}");
        for tracked in self.requests.values() {
            if let Some(path) = &tracked.file
                && let Ok(found) = std::fs::read(path)
            {
                assert!(tracked.is_whole(&found), "a partial {}", path.display());
            }
        }
    }

    /// Nothing is left when all is over.
    pub(crate) fn rest(&mut self, agent: &mut Agent) {
        agent.close_idle_connections();
        for _ in 0..4 {
            self.network.advance(Duration::from_millis(100));
            agent.poll_with(&Budget::unlimited());
            self.pull(agent);
        }
        let polled = agent.poll_with(&Budget::unlimited());
        assert_eq!(polled.next, PollAt::Idle);
        assert!(agent.next_event().is_none());
        assert_eq!(self.network.open_connections(), 0, "left open");
        for server in &self.servers {
            let mut posts = BTreeMap::new();
            for request in server.requests() {
                if request.method == "POST" {
                    *posts.entry(request.target.clone()).or_insert(0) += 1;
                }
            }
            assert!(posts.values().all(|count| *count == 1), "{posts:?}");
            assert!(server.unmatched().is_empty());
        }
        self.check_folder();
    }

    /// The agent is dropped in the middle of everything.
    pub(crate) fn quit(&mut self, agent: Agent) {
        drop(agent);
        let mut other = Agent::on_memory(&self.network);
        for _ in 0..4 {
            self.network.advance(Duration::from_millis(100));
            other.poll();
        }
        assert_eq!(self.network.open_connections(), 0, "left open by a drop");
        if self.was_suspended {
            // What was put away for a game that comes back stays for it.
            self.requests.values_mut().for_each(|it| it.keeps = true);
        }
        self.check_folder();
    }

    fn check_folder(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if self.left.contains(&path) {
                continue;
            }
            let mut all = self.requests.values().chain(&self.past);
            let tracked = all.find(|it| {
                it.file.as_ref().is_some_and(|file| {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let file = file.file_name().unwrap().to_str().unwrap();
                    name == file
                        || it.keeps
                            && (name == format!("{file}.part")
                                || name == format!("{file}.part.json"))
                })
            });
            let number = path.file_name().unwrap().to_string_lossy().into_owned();
            let id = format!("#{}", number.split('.').next().unwrap());
            let of_it: Vec<_> = self
                .log
                .iter()
                .filter(|it| it.contains(&id) || it.contains(&format!("({})", &id[1..])))
                .cloned()
                .collect();
            assert!(tracked.is_some(), "{number} is left:\n{}", of_it.join("\n"));
        }
    }
}

impl TrackedRequest {
    /// Whether this is the content, in one of its versions.
    pub(crate) fn is_whole(&self, found: &[u8]) -> bool {
        self.contents.iter().any(|content| content == found)
    }

    /// Whether this is the beginning of the content, in one of its versions.
    pub(crate) fn is_prefix(&self, found: &[u8]) -> bool {
        self.contents
            .iter()
            .any(|content| content.starts_with(found))
    }

    pub(crate) fn note_progress(&mut self, progress: Progress) {
        if let Some(before) = self.progress {
            // A request that is sent again restarts; within one response progress never decreases.
            let same = before.phase == progress.phase && !self.was_held;
            assert!(
                !same || before.received <= progress.received,
                "{before:?} {progress:?}"
            );
        }
        if let Some(most) = progress.to_receive {
            assert!(progress.received <= most, "{progress:?}");
        }
        if let Some(most) = progress.to_send {
            assert!(progress.sent <= most, "{progress:?}");
        }
        self.progress = Some(progress);
    }

    pub(crate) fn check_done(&self, id: RequestId, response: &Response) {
        if self.takes == Takes::Events {
            assert_eq!(response.status().as_u16(), 204, "{id}");
            let count: usize = self.url.rsplit('/').next().unwrap().parse().unwrap();
            assert_eq!(self.events, count, "{id}");
            return;
        }
        if !response.status().is_success() {
            return;
        }
        let found = match self.takes {
            Takes::Streamed => self.streamed.clone(),
            Takes::Saved => std::fs::read(self.file.as_ref().unwrap()).unwrap(),
            Takes::Collected | Takes::Events => response.body().to_vec(),
        };
        let is_right = if self.until_close {
            self.is_prefix(&found)
        } else {
            self.is_whole(&found)
        };
        let most = self.contents.iter().map(Vec::len).max();
        assert!(
            is_right,
            "{id} {}: {} bytes of {most:?}",
            self.url,
            found.len()
        );
        if let Some(saved) = response.saved()
            && self.contents.len() == 1
            && self.kept > 0
        {
            // The server still has what was kept.
            assert!(
                saved.resumed_from >= self.kept,
                "{id} {}: {} bytes were kept, {} resumed",
                self.url,
                self.kept,
                saved.resumed_from
            );
        }
    }

    pub(crate) fn check_failed(&self, id: RequestId, error: &Error, response: Option<&Response>) {
        let is_success = response.is_some_and(|it| it.status().is_success());
        if is_success && self.takes == Takes::Streamed {
            assert!(self.is_prefix(&self.streamed), "{id} {error}");
        }
        if let Some(path) = &self.file {
            let found = std::fs::read(path).ok();
            let is_right = found.is_none_or(|found| self.is_again && self.is_whole(&found));
            assert!(is_right, "{id} left a file: {error}");
        }
        let is_too_large = matches!(error.kind(), ErrorKind::Limit(Limit::BodyBytes(_)));
        assert!(!is_too_large, "{id} {error}");
    }
}
