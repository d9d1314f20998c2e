//! [`StaticFiles`]: a root at a path of the server, with its settings; [`FileRoots`]: several of them.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use http::Method;

use super::file_plan::FilePlan;
use super::folder::FolderRoot;
use super::path::DotFiles;
use super::root::AssetRoot;
use crate::proto::FieldLines;
use crate::semantics::multipart::grammar::boundary;

/// The files of one root below one path of the server.
///
/// ```
/// use httpoll::server::files::{EmbeddedRoot, StaticFiles};
///
/// let root = EmbeddedRoot::new().with("index.html", &b"<h1>Scores</h1>"[..]);
/// let files = StaticFiles::new("/static", root).cache_age(3600);
/// # let _ = files;
/// ```
pub struct StaticFiles {
    /// Names with slashes between them, without slashes at the start and the end.
    pub(super) base: String,
    pub(super) root: Box<dyn AssetRoot>,
    pub(super) cache_age: u64,
    pub(super) has_tags: bool,
    pub(super) index: String,
    pub(super) has_listings: bool,
    pub(super) is_precompressed: bool,
    pub(super) dot_files: DotFiles,
    /// The boundary between several ranges. The author of a file must not be able to know it.
    pub(super) boundary: String,
}

impl StaticFiles {
    /// The files of this root below this path, with default settings. `/static` and `/static/` are the same
    /// base; `/staticfoo` is not below it.
    pub fn new(base: &str, root: impl AssetRoot + 'static) -> Self {
        Self {
            base: base.trim_matches('/').to_owned(),
            root: Box::new(root),
            cache_age: 0,
            has_tags: true,
            index: "index.html".into(),
            has_listings: false,
            is_precompressed: true,
            dot_files: DotFiles::default(),
            boundary: boundary(random().to_be_bytes()),
        }
    }

    /// The files of a folder on disk, with the defaults of `serve_files` in Blade: responses have entity tags
    /// only when they may be cached, unless `tag` says otherwise.
    ///
    /// Fails when there is no such folder.
    pub fn serve_files(
        base: &str,
        folder: impl AsRef<Path>,
        cache_age: u64,
        tag: Option<bool>,
    ) -> io::Result<Self> {
        Ok(Self::new(base, FolderRoot::new(folder)?)
            .cache_age(cache_age)
            .tag(tag.unwrap_or(cache_age > 0)))
    }

    /// How many seconds browsers and caches may keep files without asking again. Use it for names that change
    /// with their content. Default 0: the response has no `Cache-Control`.
    #[must_use]
    pub fn cache_age(mut self, seconds: u64) -> Self {
        self.cache_age = seconds;
        self
    }

    /// Whether responses have entity tags. Default: yes.
    #[must_use]
    pub fn tag(mut self, on: bool) -> Self {
        self.has_tags = on;
        self
    }

    /// The file that is served for its folder. Default `index.html`; an empty name turns this off.
    #[must_use]
    pub fn index(mut self, name: &str) -> Self {
        name.clone_into(&mut self.index);
        self
    }

    /// Whether folders without an index are listed. Default: no.
    #[must_use]
    pub fn listing(mut self, on: bool) -> Self {
        self.has_listings = on;
        self
    }

    /// Whether `a.js.br`, `a.js.zst` or `a.js.gz` is sent for `a.js` to clients that accept it, unless
    /// it is older than `a.js`. Default: yes.
    #[must_use]
    pub fn precompressed(mut self, on: bool) -> Self {
        self.is_precompressed = on;
        self
    }

    /// Whether names that start with a dot are found. Default: no.
    #[must_use]
    pub fn dot_files(mut self, dot_files: DotFiles) -> Self {
        self.dot_files = dot_files;
        self
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticFiles")
            .field("base", &self.base)
            .field("cache_age", &self.cache_age)
            .field("has_tags", &self.has_tags)
            .field("has_listings", &self.has_listings)
            .finish_non_exhaustive()
    }
}

/// A random boundary, so that no file holds it by chance and no author of a file can know it.
fn random() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    (half() << 64) | half()
}

/// Several roots, each at its base. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FileRoots {
    /// Roots with deeper bases come first.
    sites: Vec<Arc<StaticFiles>>,
}

impl FileRoots {
    /// No roots yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root. Of two at the same base the one that was added first is asked first, so that mods can
    /// replace the game's own files.
    pub fn add(&mut self, files: StaticFiles) {
        self.sites.push(Arc::new(files));
        // The sort is stable: roots of the same depth keep their order.
        self.sites.sort_by_key(|files| {
            let depth = files
                .base
                .split('/')
                .filter(|name| !name.is_empty())
                .count();
            std::cmp::Reverse(depth)
        });
    }

    /// Whether a root that may wait for a disk has to be asked for this target.
    pub(in crate::server) fn needs_disk(&self, target: &str) -> bool {
        self.sites.iter().any(|files| files.needs_disk(target))
    }

    /// The response of the first root that has the file, deepest base first; `None` if no root has it. This asks
    /// the roots on the calling thread.
    pub fn plan(
        &self,
        method: &Method,
        target: &str,
        fields: &FieldLines,
        now: SystemTime,
    ) -> Option<FilePlan> {
        self.sites
            .iter()
            .find_map(|files| files.plan(method, target, fields, now))
    }
}
