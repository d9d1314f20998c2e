//! The manifest: which files the set has. Its format is JSON:
//!
//! ```json
//! {
//!   "version": 1,
//!   "files": [
//!     {
//!       "path": "levels/forest.pak",
//!       "size": 200000,
//!       "sha256": "64 hexadecimal digits",
//!       "url": "https://cdn.example/forest-7.pak",
//!       "priority": "streaming",
//!       "blocks": { "size": 65536, "sha256": ["64 hexadecimal digits for each block"] }
//!     }
//!   ]
//! }
//! ```
//!
//! `url`, `priority` and `blocks` are optional. Without `url` the file is at its path below the base URL.
//! `priority` is `gameplay`, `interface`, `streaming` (the default) or `background`. Unknown fields are
//! ignored. Writing a manifest of a folder is in `folder_manifest`.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::digest::{Digest, from_hex, hex};
use super::paths::{self, Collisions};
use crate::agent::Priority;
use crate::error::{Error, ErrorKind, ManifestFault, ManifestRule, PatchFault};

/// The version of the format.
const VERSION: u64 = 1;

/// The sizes of blocks that are allowed.
const BLOCK_BYTES: std::ops::RangeInclusive<u64> = 1024..=16 * 1024 * 1024;

/// The longest URL of a file, in bytes.
const MAX_URL: usize = 8 * 1024;

/// How much a manifest may ask for. It comes from the network, so everything in it has a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestLimits {
    /// The most bytes of JSON. Default 64 MiB.
    pub json_bytes: usize,
    /// The most files. Default 100,000.
    pub files: usize,
    /// The most bytes of a file. Default 64 GiB.
    pub file_bytes: u64,
    /// The most bytes of all files together. Default 256 GiB.
    pub total_bytes: u64,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self {
            json_bytes: 64 * 1024 * 1024,
            files: 100_000,
            file_bytes: 64 * 1024 * 1024 * 1024,
            total_bytes: 256 * 1024 * 1024 * 1024,
        }
    }
}

/// A list of files with their sizes and digests. Each path in it has passed the [rules](ManifestRule).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    files: Vec<ManifestFile>,
    bytes: u64,
}

/// One file of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    path: String,
    size: u64,
    sha256: Digest,
    url: Option<String>,
    priority: Priority,
    blocks: Option<BlockHashes>,
}

/// The SHA-256 of each block of a file. With them only damaged or changed blocks are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHashes {
    size: u64,
    sha256: Vec<Digest>,
}

impl BlockHashes {
    /// Blocks of `size` bytes; the last one may be shorter.
    pub fn new(size: u64, sha256: Vec<[u8; 32]>) -> Self {
        Self { size, sha256 }
    }

    /// The bytes of a block.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digests, in order.
    pub fn sha256(&self) -> &[[u8; 32]] {
        &self.sha256
    }

    /// Where a block is in a file of `file_size` bytes.
    pub(super) fn range(&self, block: usize, file_size: u64) -> Range<u64> {
        let start = (block as u64).saturating_mul(self.size).min(file_size);
        start..start.saturating_add(self.size).min(file_size)
    }

    fn fits(&self, file_size: u64) -> bool {
        BLOCK_BYTES.contains(&self.size)
            && file_size.div_ceil(self.size) == self.sha256.len() as u64
    }
}

impl ManifestFile {
    /// A file. `path` is relative, with `/` between its segments.
    pub fn new(path: impl Into<String>, size: u64, sha256: [u8; 32]) -> Self {
        Self {
            path: path.into(),
            size,
            sha256,
            url: None,
            priority: Priority::Streaming,
            blocks: None,
        }
    }

    /// Sets where the file is, absolute or relative to the base URL. Default: its path below the base URL.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets how early the file is fetched. Default [`Priority::Streaming`].
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the digests of the file's blocks. Default: none.
    #[must_use]
    pub fn with_blocks(mut self, blocks: BlockHashes) -> Self {
        self.blocks = Some(blocks);
        self
    }

    /// The path, relative, with `/` between its segments.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of the content.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Where the file is, if not at its path.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// How early the file is fetched.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The digests of its blocks.
    pub fn blocks(&self) -> Option<&BlockHashes> {
        self.blocks.as_ref()
    }

    fn check(&self, limits: &ManifestLimits) -> Result<(), ManifestRule> {
        paths::check(&self.path)?;
        if self.size > limits.file_bytes {
            return Err(ManifestRule::TooLarge);
        }
        if self.url.as_ref().is_some_and(|url| url.len() > MAX_URL) {
            return Err(ManifestRule::InvalidField("url"));
        }
        if self.blocks.as_ref().is_some_and(|it| !it.fits(self.size)) {
            return Err(ManifestRule::InvalidBlocks);
        }
        Ok(())
    }

    fn from_json(value: &Value) -> Result<Self, ManifestRule> {
        let object = value
            .as_object()
            .ok_or(ManifestRule::InvalidField("files"))?;
        let path = text(object, "path")?.ok_or(ManifestRule::InvalidField("path"))?;
        let size = object.get("size").and_then(Value::as_u64);
        let size = size.ok_or(ManifestRule::InvalidField("size"))?;
        let sha256 = text(object, "sha256")?.and_then(from_hex);
        let sha256 = sha256.ok_or(ManifestRule::InvalidField("sha256"))?;
        let mut file = Self::new(path, size, sha256);
        if let Some(url) = text(object, "url")? {
            file.url = Some(url.to_owned());
        }
        if let Some(name) = text(object, "priority")? {
            let known = PRIORITIES.iter().find(|(_, known)| *known == name);
            file.priority = known.ok_or(ManifestRule::InvalidField("priority"))?.0;
        }
        match object.get("blocks") {
            None | Some(Value::Null) => {}
            Some(blocks) => file.blocks = Some(blocks_from_json(blocks)?),
        }
        Ok(file)
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("path".to_owned(), self.path.clone().into());
        object.insert("size".to_owned(), self.size.into());
        object.insert("sha256".to_owned(), hex(&self.sha256).into());
        if let Some(url) = &self.url {
            object.insert("url".to_owned(), url.clone().into());
        }
        if self.priority != Priority::Streaming {
            let name = PRIORITIES.iter().find(|(it, _)| *it == self.priority);
            object.insert("priority".to_owned(), name.map(|(_, name)| *name).into());
        }
        if let Some(blocks) = &self.blocks {
            let digests: Vec<String> = blocks.sha256.iter().map(hex).collect();
            let blocks = json!({ "size": blocks.size, "sha256": digests });
            object.insert("blocks".to_owned(), blocks);
        }
        object.into()
    }
}

const PRIORITIES: [(Priority, &str); 4] = [
    (Priority::Gameplay, "gameplay"),
    (Priority::Interface, "interface"),
    (Priority::Streaming, "streaming"),
    (Priority::Background, "background"),
];

fn text<'a>(
    object: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, ManifestRule> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ManifestRule::InvalidField(name)),
    }
}

fn blocks_from_json(value: &Value) -> Result<BlockHashes, ManifestRule> {
    let invalid = ManifestRule::InvalidField("blocks");
    let size = value.get("size").and_then(Value::as_u64).ok_or(invalid)?;
    let digests = value.get("sha256").and_then(Value::as_array);
    let digests = digests.ok_or(invalid)?.iter();
    let sha256 = digests
        .map(|digest| digest.as_str().and_then(from_hex).ok_or(invalid))
        .collect::<Result<_, _>>()?;
    Ok(BlockHashes { size, sha256 })
}

impl Manifest {
    /// A manifest of these files, within the default [limits](ManifestLimits).
    ///
    /// # Errors
    /// [`PatchFault::InvalidManifest`].
    pub fn new(files: Vec<ManifestFile>) -> Result<Self, Error> {
        Self::checked(files, &ManifestLimits::default()).map_err(invalid)
    }

    /// Parses JSON, within the default [limits](ManifestLimits). A patch that fetches its manifest does this on
    /// the worker; large manifests take longer than a frame.
    ///
    /// # Errors
    /// [`PatchFault::InvalidManifest`], with the first rule that is broken.
    ///
    /// ```
    /// use httpoll::patch::Manifest;
    ///
    /// let sha256 = "ab".repeat(32);
    /// let json = format!(r#"{{"version":1,"files":[{{"path":"a.pak","size":9,"sha256":"{sha256}"}}]}}"#);
    /// let manifest = Manifest::from_json(json.as_bytes())?;
    /// assert_eq!(manifest.files()[0].path(), "a.pak");
    /// let error = Manifest::from_json(json.replace("a.pak", "../a.pak").as_bytes()).unwrap_err();
    /// assert!(error.to_string().contains("must not have a segment `.` or `..`"));
    /// # Ok::<(), httpoll::Error>(())
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        Self::from_json_with_limits(json, &ManifestLimits::default())
    }

    /// As [`from_json`](Self::from_json), within other limits.
    ///
    /// # Errors
    /// [`PatchFault::InvalidManifest`].
    pub fn from_json_with_limits(json: &[u8], limits: &ManifestLimits) -> Result<Self, Error> {
        Self::parse(json, limits).map_err(invalid)
    }

    fn parse(json: &[u8], limits: &ManifestLimits) -> Result<Self, ManifestFault> {
        let fault = |rule| Err(ManifestFault::new(rule));
        if json.len() > limits.json_bytes {
            return fault(ManifestRule::TooLong);
        }
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let Ok(value) = serde_json::from_slice::<Value>(json) else {
            return fault(ManifestRule::NotAManifest);
        };
        if value.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return fault(ManifestRule::NotAManifest);
        }
        let Some(list) = value.get("files").and_then(Value::as_array) else {
            return fault(ManifestRule::NotAManifest);
        };
        if list.len() > limits.files {
            return fault(ManifestRule::TooManyFiles);
        }
        let mut files = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let file = ManifestFile::from_json(value).map_err(|rule| {
                let path = value.get("path").and_then(Value::as_str);
                ManifestFault::new(rule).about(index, path)
            })?;
            files.push(file);
        }
        Self::checked(files, limits)
    }

    fn checked(files: Vec<ManifestFile>, limits: &ManifestLimits) -> Result<Self, ManifestFault> {
        if files.len() > limits.files {
            return Err(ManifestFault::new(ManifestRule::TooManyFiles));
        }
        let mut bytes = 0_u64;
        let mut collisions = Collisions::default();
        for (index, file) in files.iter().enumerate() {
            file.check(limits)
                .and_then(|()| collisions.add(&file.path))
                .map_err(|rule| ManifestFault::new(rule).about(index, Some(&file.path)))?;
            bytes = bytes.saturating_add(file.size);
            if bytes > limits.total_bytes {
                return Err(ManifestFault::new(ManifestRule::TooLarge).about(index, None));
            }
        }
        Ok(Self { files, bytes })
    }

    /// As JSON, one file on a line.
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\"version\":{VERSION},\"files\":[");
        for (index, file) in self.files.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            text.push_str(&file.to_json().to_string());
        }
        text.push_str("\n]}\n");
        text
    }

    /// The files, in the order of the manifest.
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn invalid(fault: ManifestFault) -> Error {
    ErrorKind::Patch(PatchFault::InvalidManifest(Box::new(fault))).into()
}

#[cfg(test)]
mod tests;
