//! A server with the files of a set, and what the tests of patches share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use httpoll::memory::MemoryNetwork;
use httpoll::mock::{MockRequest, MockResponse, MockServer};
use httpoll::patch::{Manifest, Patch, PatchReport, manifest_of};
use httpoll::{Agent, Error};

use crate::support::{FRAME, Folder, pattern, setup};

pub const BASE: &str = "http://game.example/files/";
pub const MANIFEST: &str = "http://game.example/files/manifest.json";

/// The bytes of a block in the manifests of these tests.
pub const BLOCK: usize = 1024;

/// Which ranges the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    None,
    One,
    Many,
}

/// The files of a set, by path.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(list: &[(&str, usize)]) -> Files {
    list.iter()
        .enumerate()
        .map(|(index, (path, size))| {
            let mut content = pattern(*size);
            content.iter_mut().for_each(|byte| *byte ^= index as u8);
            ((*path).to_owned(), content)
        })
        .collect()
}

/// A network with a server that has a set, and an agent.
pub struct World {
    pub network: MemoryNetwork,
    pub server: MockServer,
    pub agent: Agent,
    pub folder: Folder,
    pub files: Arc<Mutex<Files>>,
    /// The `Range` of each request for a file; empty for none.
    pub requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl World {
    pub fn new(name: &str, files: Files, ranges: Ranges) -> Self {
        let (network, server, agent) = setup();
        let files = Arc::new(Mutex::new(files));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (set, log) = (files.clone(), requests.clone());
        server
            .get("/files/**")
            .reply_with(move |request| respond(&set.lock().unwrap(), request, ranges, &log));
        Self {
            network,
            server,
            agent,
            folder: Folder::new(&format!("patch-{name}")),
            files,
            requests,
        }
    }

    pub fn patch(&self) -> Patch {
        Patch::from_url(MANIFEST, self.folder.path("root"))
    }

    /// Runs frames until the patch is over.
    pub fn run(&mut self, mut patch: Patch) -> Result<PatchReport, Error> {
        self.finish(&mut patch)
    }

    pub fn finish(&mut self, patch: &mut Patch) -> Result<PatchReport, Error> {
        for _ in 0..20_000 {
            self.frame(patch);
            if let Some(result) = patch.result() {
                return result.clone();
            }
        }
        panic!("not over: {patch:?}");
    }

    pub fn frame(&mut self, patch: &mut Patch) {
        self.agent.poll();
        patch.poll(&mut self.agent);
        assert!(
            self.agent.next_event().is_none(),
            "events of a patch are its own"
        );
        self.network.advance(FRAME);
    }

    pub fn visible(&self) -> Files {
        visible(&self.folder.path("root"))
    }

    /// The visible files are exactly those of the server.
    pub fn assert_current(&self) {
        assert_eq!(names(&self.visible()), names(&self.files.lock().unwrap()));
        assert!(
            self.visible() == *self.files.lock().unwrap(),
            "content differs"
        );
    }

    /// The paths that were asked for, and their ranges, since the last call.
    pub fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

pub fn names(files: &Files) -> Vec<&String> {
    files.keys().collect()
}

/// The files that a game sees.
pub fn visible(root: &Path) -> Files {
    match httpoll::patch::current_folder(root).unwrap() {
        Some(folder) => read(&folder),
        None => Files::new(),
    }
}

/// All files below a folder.
pub fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy();
                files.insert(name.replace('\\', "/"), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

pub fn write(folder: &Path, files: &Files) {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// The manifest of these files, as the tool writes it.
pub fn manifest(files: &Files) -> Manifest {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = Folder::new(&format!("manifest-{number}"));
    write(&folder.path("."), files);
    manifest_of(folder.path("."), Some(BLOCK as u64)).unwrap()
}

fn respond(
    files: &Files,
    request: &MockRequest,
    ranges: Ranges,
    log: &Mutex<Vec<(String, String)>>,
) -> MockResponse {
    let path = request.path().strip_prefix("/files/").unwrap().to_owned();
    let range = request.header("range").unwrap_or_default().to_owned();
    if path == "manifest.json" {
        return MockResponse::ok().text(&manifest(files).to_json());
    }
    let Some(content) = files.get(&path) else {
        return MockResponse::with_status(404);
    };
    log.lock().unwrap().push((path, range.clone()));
    let is_several = range.contains(',');
    match ranges {
        Ranges::Many if is_several => several(content, &range),
        // The first of the ranges.
        Ranges::One if is_several => several(content, range.split(',').next().unwrap()),
        Ranges::None => MockResponse::ok().bytes(content.clone()).etag("\"v\""),
        _ => MockResponse::resource(content.clone()).etag("\"v\""),
    }
}

/// A 206 with these ranges.
fn several(content: &[u8], field: &str) -> MockResponse {
    let ranges: Vec<(usize, usize)> = field
        .strip_prefix("bytes=")
        .unwrap()
        .split(',')
        .map(|range| {
            let (first, last) = range.trim().split_once('-').unwrap();
            (first.parse().unwrap(), last.parse().unwrap())
        })
        .collect();
    let total = content.len();
    if let [(first, last)] = ranges[..] {
        return MockResponse::with_status(206)
            .header("Content-Range", format!("bytes {first}-{last}/{total}"))
            .bytes(content[first..=last].to_vec());
    }
    let mut body = Vec::new();
    for (first, last) in ranges {
        body.extend_from_slice(
            format!("\r\n--XX\r\nContent-Range: bytes {first}-{last}/{total}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(&content[first..=last]);
    }
    body.extend_from_slice(b"\r\n--XX--\r\n");
    MockResponse::with_status(206)
        .header("Content-Type", "multipart/byteranges; boundary=XX")
        .bytes(body)
}
