//! The pack that is patched: three sets of files in two versions, generated at the start.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::{env, fs, io};

use bevy_httpoll::httpoll::Bytes;
use bevy_httpoll::httpoll::patch::manifest_of;
use bevy_httpoll::httpoll::server::{Request, Response};
use serde_json::json;

use super::{PACK_RATE, Reply};
use crate::patch::SETS;

/// The number of versions that take turns.
const VERSIONS: usize = 2;

/// The large files of a set.
const FILES: usize = 4;

/// The bytes of a large file of the first set. Those of the next sets are larger.
const FILE_BYTES: usize = 400_000;

/// What the world looks like in each version: a hue per set, in degrees.
const HUES: [[f32; SETS.len()]; VERSIONS] = [[190.0, 45.0, 275.0], [15.0, 150.0, 215.0]];

pub struct Pack {
    /// By version and path.
    files: HashMap<(usize, String), Bytes>,
    current: usize,
}

impl Pack {
    pub fn generate() -> Result<Self, Box<dyn Error>> {
        let folder = env::temp_dir().join(format!("space-patcher-pack-{}", std::process::id()));
        let mut files = HashMap::new();
        for version in 0..VERSIONS {
            for set in 0..SETS.len() {
                let folder = folder.join(format!("{version}-{set}"));
                write_set(&folder, version, set)?;
                let manifest = manifest_of(&folder, None)?;
                for file in manifest.files() {
                    let content = Bytes::from(fs::read(folder.join(file.path()))?);
                    files.insert((version, format!("{}/{}", SETS[set], file.path())), content);
                }
                let path = format!("{}/manifest.json", SETS[set]);
                files.insert((version, path), Bytes::from(manifest.to_json()));
            }
        }
        fs::remove_dir_all(folder)?;
        Ok(Self { files, current: 0 })
    }

    pub fn publish(&mut self) {
        self.current = (self.current + 1) % VERSIONS;
    }

    /// A file, or the rest of one that was cut off before.
    pub fn reply(&self, request: &mut Request) -> Reply {
        let part = |name| request.param(name).unwrap_or_default().to_owned();
        let path = format!("{}/{}", part("set"), part("file"));
        let Some(content) = self.files.get(&(self.current, path)) else {
            return Reply::Whole(Response::status(404));
        };
        let etag = format!("\"{}-{}\"", self.current, content.len());
        let mut response = Response::new();
        let described = response
            .set_header("ETag", &etag)
            .and_then(|response| response.set_header("Content-Type", "application/octet-stream"));
        let mut content = content.clone();
        let is_same = request
            .header("If-Range")
            .is_none_or(|condition| condition == etag);
        let start = request.header("Range").and_then(start_of_range);
        if let (Ok(response), true, Some(start)) = (described, is_same, start)
            && start < content.len()
        {
            let range = format!("bytes {start}-{}/{}", content.len() - 1, content.len());
            if response
                .set_status(206)
                .set_header("Content-Range", range)
                .is_ok()
            {
                content = content.slice(start..);
            }
        }
        Reply::Paced(response, content, PACK_RATE)
    }
}

/// The start of `bytes=START-`. Other ranges are ignored (RFC 9110 §14.2), and the whole file is sent.
fn start_of_range(range: &str) -> Option<usize> {
    range
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

/// Writes the files of a set. Half of the large files differ between versions.
fn write_set(folder: &Path, version: usize, set: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let palette = json!({ "hue": HUES[version][set] });
    fs::write(folder.join("palette.json"), palette.to_string())?;
    for file in 0..FILES {
        let version = if file % 2 == 0 { version } else { 0 };
        let seed = 1 + version + 10 * set + 100 * file;
        let content = noise(seed as u64, FILE_BYTES * (set + 2) / 2);
        fs::write(folder.join(format!("{file}.pak")), content)?;
    }
    Ok(())
}

/// Bytes that look random and are the same in each run.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}
