//! A kill at any moment: the files stay as they are, nothing else of the agent does. A new agent continues the
//! downloads that can be resumed.
//!
//! What a kill costs is in the documentation of `Download::resume`: what arrived within the last 1.5 s, and at
//! most 16 MiB. The disk of an in-memory network checks that time in each poll.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use httpoll::auth::Credentials;
use httpoll::{Agent, Download, Request};

use super::client_driver::ClientDriver;
use super::network;
use super::requests::{Takes, TrackedRequest};

/// How old bytes may be that a kill costs.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(1500);

/// The files of a folder with their contents and permissions.
struct Snapshot(Vec<(PathBuf, Vec<u8>, u32)>);

impl Snapshot {
    fn take(folder: &Path) -> Self {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            files.push((path.clone(), fs::read(&path).unwrap(), mode));
        }
        Self(files)
    }

    fn restore(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (path, content, mode) in &self.0 {
            fs::write(path, content).unwrap();
            let file = File::open(path).unwrap();
            file.set_permissions(fs::Permissions::from_mode(*mode))
                .unwrap();
        }
    }

    fn get(&self, path: &Path) -> Option<&[u8]> {
        let found = self.0.iter().find(|(other, ..)| other == path)?;
        Some(&found.1)
    }
}

/// How long part files were, poll by poll.
#[derive(Default)]
pub(crate) struct PartLengths(BTreeMap<PathBuf, Vec<(Instant, u64)>>);

impl PartLengths {
    fn note(&mut self, part: PathBuf, now: Instant) {
        let length = fs::metadata(&part).map_or(0, |it| it.len());
        let lengths = self.0.entry(part).or_default();
        if lengths.last().is_some_and(|(_, last)| length < *last) {
            // It started again.
            lengths.clear();
        }
        lengths.push((now, length));
    }

    /// How many bytes a kill must not cost.
    fn safe(&self, part: &Path) -> u64 {
        let Some(lengths) = self.0.get(part) else {
            return 0;
        };
        let Some((last_poll, _)) = lengths.last() else {
            return 0;
        };
        let old = lengths
            .iter()
            .rev()
            .find(|(at, _)| *at + CHECKPOINT_AFTER <= *last_poll);
        old.map_or(0, |(_, length)| *length)
    }
}

/// The part file of a target, and its sidecar.
fn part_of(target: &Path) -> (PathBuf, PathBuf) {
    let with = |suffix: &str| {
        let mut name = target.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    (with(".part"), with(".part.json"))
}

impl ClientDriver {
    /// Remembers how long the part files are after this poll.
    pub(crate) fn note_parts(&mut self) {
        let now = self.network.now();
        let running = self.requests.values();
        for tracked in running.filter(|it| it.keeps && !it.is_over) {
            if let Some(file) = &tracked.file {
                self.parts.note(part_of(file).0, now);
            }
        }
    }

    /// Kills the game, and starts it again.
    pub(crate) fn kill(&mut self, agent: &mut Agent) {
        let Some(folder) = &self.folder else { return };
        let snapshot = Snapshot::take(folder.path());
        // What its destructors do did not happen.
        *agent = network::build_agent(&self.network, &mut self.random, self.is_calm, &self.pool);
        snapshot.restore(folder.path());
        // The servers learn that the connections have ended.
        self.network.advance(Duration::from_millis(50));
        self.log.push("killed".to_owned());
        let names = snapshot.0.iter().map(|(path, ..)| path.clone());
        self.left.extend(names);
        self.is_suspended = false;
        for (id, mut tracked) in std::mem::take(&mut self.requests) {
            if std::mem::replace(&mut tracked.is_over, true) {
                self.past.push(tracked);
                continue;
            }
            tracked.handle = None;
            self.log.push(format!("{id} killed"));
            if tracked.takes == Takes::Saved && tracked.keeps {
                self.go_on(agent, &tracked, &snapshot);
            }
            self.past.push(tracked);
        }
    }

    /// Continues a download of the game that was killed.
    fn go_on(&mut self, agent: &mut Agent, tracked: &TrackedRequest, snapshot: &Snapshot) {
        let (request, mut again) = tracked.again();
        let (part, sidecar) = part_of(tracked.file.as_ref().unwrap());
        if let (Some(held), Some(sidecar)) = (snapshot.get(&part), snapshot.get(&sidecar)) {
            let sidecar: serde_json::Value = serde_json::from_slice(sidecar).unwrap();
            let written = sidecar["written"].as_u64().unwrap();
            assert!(written <= held.len() as u64, "{}", part.display());
            let must_be_kept = self.parts.safe(&part);
            assert!(
                written >= must_be_kept,
                "a kill cost bytes older than 1.5 s: {written} of {must_be_kept} are kept of {}",
                part.display()
            );
            // Without a validator, and for another URL, what is there cannot be used.
            if sidecar["etag"].is_string() && sidecar["url"] == tracked.url.as_str() {
                again.kept = written;
            }
        }
        let handle = agent.send(request).unwrap();
        let id = handle.id();
        self.log.push(format!("{id} continues {}", tracked.url));
        again.handle = Some(handle);
        self.requests.insert(id, again);
    }
}

impl TrackedRequest {
    /// The same download in the next run of the game.
    fn again(&self) -> (Request, Self) {
        let file = self.file.clone().unwrap();
        let mut request = Request::get(&self.url).download_to(Download::to(&file).resume(true));
        if self.url.contains("/login/") {
            request = request.credentials(Credentials::Any {
                user: "ann".to_owned(),
                password: "secret".to_owned(),
            });
        }
        let tracked = Self {
            url: self.url.clone(),
            handle: None,
            takes: Takes::Saved,
            contents: self.contents.clone(),
            until_close: self.until_close,
            may_refuse: self.may_refuse,
            file: Some(file),
            keeps: true,
            is_again: true,
            kept: 0,
            streamed: Vec::new(),
            events: 0,
            progress: None,
            is_over: false,
            is_paused: false,
            was_held: false,
        };
        (request, tracked)
    }
}
