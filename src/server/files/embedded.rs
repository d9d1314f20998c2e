//! [`EmbeddedRoot`]: assets in memory, most often from `include_bytes!`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::ops::Bound;

use bytes::Bytes;

use super::path::AssetPath;
use super::root::{Asset, AssetContent, AssetRoot, Listed, not_found};

/// Assets by name.
///
/// ```
/// use httpoll::server::files::EmbeddedRoot;
///
/// let root = EmbeddedRoot::new()
///     .with("index.html", &b"<h1>Scores</h1>"[..])
///     .with("css/main.css", &b"h1 { color: teal }"[..]);
/// # let _ = root;
/// ```
#[derive(Clone, Default)]
pub struct EmbeddedRoot {
    assets: BTreeMap<String, Embedded>,
}

#[derive(Clone)]
struct Embedded {
    content: Bytes,
    etag: String,
}

impl EmbeddedRoot {
    /// No assets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an asset, as in `css/main.css`. Slashes at the start and the end are ignored. If a name is added
    /// twice, the last asset stays. Its entity tag is computed from the content now.
    #[must_use]
    pub fn with(mut self, name: &str, content: impl Into<Bytes>) -> Self {
        self.insert(name, content);
        self
    }

    /// Adds an asset to a root that is built up step by step.
    pub fn insert(&mut self, name: &str, content: impl Into<Bytes>) {
        let content = content.into();
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        let etag = format!("\"{:x}-{:016x}\"", content.len(), hasher.finish());
        self.assets.insert(
            name.trim_matches('/').to_owned(),
            Embedded { content, etag },
        );
    }

    /// The names below a folder, without the folder's own part.
    fn below<'a>(&'a self, path: &AssetPath) -> impl Iterator<Item = &'a str> + use<'a> {
        let start = match path.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let from = (Bound::Included(start.as_str()), Bound::Unbounded);
        self.assets
            .range::<str, _>(from)
            .map_while(move |(name, _)| name.strip_prefix(start.as_str()))
    }
}

impl AssetRoot for EmbeddedRoot {
    fn is_in_memory(&self) -> bool {
        true
    }

    fn open(&self, path: &AssetPath) -> io::Result<Asset> {
        let asset = self.assets.get(path.as_str()).ok_or_else(not_found)?;
        Ok(Asset {
            length: u64::try_from(asset.content.len()).map_err(io::Error::other)?,
            modified: None,
            etag: Some(asset.etag.clone()),
            content: AssetContent::Bytes(asset.content.clone()),
        })
    }

    fn is_dir(&self, path: &AssetPath) -> bool {
        path.as_str().is_empty() || self.below(path).next().is_some()
    }

    fn list(&self, path: &AssetPath, limit: usize) -> io::Result<Vec<Listed>> {
        Ok(children(self.below(path), limit))
    }
}

impl std::fmt::Debug for EmbeddedRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.assets.keys()).finish()
    }
}

/// The entries of a folder, from the sorted names of all files below it.
pub(super) fn children<'a>(names: impl Iterator<Item = &'a str>, limit: usize) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    for name in names {
        let (name, is_dir) = match name.split_once('/') {
            Some((folder, _)) => (folder, true),
            None => (name, false),
        };
        if listed.last().is_some_and(|last| last.name == name) {
            continue;
        }
        if listed.len() == limit {
            break;
        }
        listed.push(Listed {
            name: name.to_owned(),
            is_dir,
        });
    }
    listed
}
