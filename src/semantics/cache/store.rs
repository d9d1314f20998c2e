//! [`HttpCache`]: the stored responses, by URL and by last use.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{CONTENT_LOCATION, LOCATION, RANGE};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::policy::{Entry, Suits, directive};
use super::stored::StoredResponse;
use super::{CacheRequest, CachedResponse, Lookup, Stale, file};
use crate::error::CacheFileFault;

/// Room for the stored responses of a game: 32 MiB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// A private cache of responses (RFC 9111), in memory.
///
/// It keeps whole answers to `GET` up to a number of bytes; beyond that those that were not used for
/// longest go. A response without a stated lifetime counts as fresh for a tenth of the time since it
/// was modified, as in browsers (RFC 9111 §4.2.2); servers say `Cache-Control: no-cache` to be asked
/// each time.
///
/// A cache is private to one user: clear it when another player signs in.
pub struct HttpCache {
    /// By last use: the first one is the next to go.
    entries: BTreeMap<u64, Arc<StoredResponse>>,
    by_url: HashMap<String, Vec<u64>>,
    ticks: u64,
    revision: u64,
    bytes: usize,
    max_bytes: usize,
}

impl HttpCache {
    /// An empty cache with room for 32 MiB.
    pub fn new() -> Self {
        Self::with_max_bytes(MAX_BYTES)
    }

    /// An empty cache with room for so many bytes, fields and all.
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_url: HashMap::new(),
            ticks: 0,
            revision: 0,
            bytes: 0,
            max_bytes,
        }
    }

    /// How many responses are stored.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes the stored responses take, fields and all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.revision += 1;
        self.entries.clear();
        self.by_url.clear();
        self.bytes = 0;
    }

    /// Forgets the responses of this URL.
    pub fn remove(&mut self, url: &Url) {
        for tick in self.by_url.get(&key(url)).cloned().unwrap_or_default() {
            self.take(tick);
        }
    }

    /// The cache as the contents of a file, for [`from_bytes`](Self::from_bytes). Responses that
    /// depend on credentials (`Vary: Cookie`, `Vary: Authorization`) are left out; the others may be
    /// private all the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(self.entries.values().map(AsRef::as_ref))
    }

    /// A number that changes whenever a response is stored, renewed or removed. Compare it with that of the
    /// last save to see whether a save is due.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The responses as they are now, to be written by another thread. It copies a pointer per response, so a
    /// frame can afford it.
    pub fn snapshot(&self) -> CacheSnapshot {
        CacheSnapshot(self.entries.values().cloned().collect())
    }

    /// A cache with what [`to_bytes`](Self::to_bytes) wrote, as far as it has room (32 MiB unless
    /// another number is given).
    ///
    /// Fails when the bytes are damaged, or of another version: begin with an empty cache then.
    pub fn from_bytes(bytes: &[u8], max_bytes: Option<usize>) -> Result<Self, CacheFileFault> {
        let mut cache = Self::with_max_bytes(max_bytes.unwrap_or(MAX_BYTES));
        for stored in file::read(bytes)? {
            cache.put(Arc::new(stored));
        }
        Ok(cache)
    }

    /// What to do about a request (RFC 9111 §4).
    pub(crate) fn lookup(&mut self, request: CacheRequest<'_>) -> Lookup {
        let only_cached = directive(request.headers, "only-if-cached").is_some();
        let found = match self.find(request) {
            Some((tick, Suits::Fresh)) => {
                let stored = self.touch(tick);
                stored.map(|stored| Lookup::Fresh(stored.entry.aged(request.time)))
            }
            Some((tick, _)) if !only_cached => self.touch(tick).map(|stored| {
                let entry = &stored.entry;
                Lookup::Stale(Stale {
                    validators: entry.validators(),
                    if_error: entry
                        .serves_errors(request)
                        .then(|| entry.aged(request.time)),
                })
            }),
            _ => None,
        };
        match found {
            Some(found) => found,
            None if only_cached => Lookup::GatewayTimeout,
            None => Lookup::Miss,
        }
    }

    /// Stores a whole response, if that is allowed and there is room for it, in the place of an
    /// earlier one. Answers whether it was.
    pub(crate) fn store(
        &mut self,
        request: CacheRequest<'_>,
        response: CachedResponse,
        now: SystemTime,
    ) -> bool {
        let Some(entry) = Entry::new(request, response, now) else {
            return false;
        };
        while let Some((tick, _)) = self.find_stored(request) {
            self.take(tick);
        }
        self.put(Arc::new(StoredResponse {
            url: key(request.url),
            entry,
        }))
    }

    /// Takes in a `304` to a request that carried the validators of [`Stale`] (§4.3.4), and answers
    /// with the response it confirms. `None` when it confirms none that is stored: send the request
    /// once more, without validators.
    pub(crate) fn freshen(
        &mut self,
        request: CacheRequest<'_>,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Option<CachedResponse> {
        let (tick, _) = self.find_stored(request)?;
        let old = self.entries.get(&tick)?;
        if !old.entry.is_confirmed_by(headers) {
            self.take(tick);
            return None;
        }
        let old = self.take(tick)?;
        let Some(entry) = old.entry.freshened(request, headers, now) else {
            // It may be used this once, and not be stored any longer.
            return Some(old.entry.response.clone());
        };
        let response = entry.aged(now);
        self.put(Arc::new(StoredResponse {
            url: old.url.clone(),
            entry,
        }));
        Some(response)
    }

    /// Forgets what a request has changed (§4.4): after an unsafe method that did not fail, the
    /// responses of its URL, and of the ones it names, if they are of the same origin.
    pub(crate) fn invalidate(
        &mut self,
        request: CacheRequest<'_>,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        let failed = !(status.is_success() || status.is_redirection());
        if failed || request.method.is_safe() {
            return;
        }
        self.remove(request.url);
        for name in [LOCATION, CONTENT_LOCATION] {
            let named = headers.get(name).and_then(|value| value.to_str().ok());
            if let Some(Ok(url)) = named.map(|named| request.url.join(named))
                && url.origin() == request.url.origin()
            {
                self.remove(&url);
            }
        }
    }

    /// The stored response for a request that the cache may answer.
    fn find(&self, request: CacheRequest<'_>) -> Option<(u64, Suits)> {
        // Somebody else's validators and ranges are somebody else's business.
        let own = [
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
        ];
        if request.method != Method::GET
            || request.headers.contains_key(RANGE)
            || own.iter().any(|name| request.headers.contains_key(*name))
            || directive(request.headers, "no-store").is_some()
        {
            return None;
        }
        self.find_stored(request)
    }

    /// The stored response that a request selects (§4.1); of several the latest.
    fn find_stored(&self, request: CacheRequest<'_>) -> Option<(u64, Suits)> {
        let ticks = self.by_url.get(&key(request.url))?;
        ticks
            .iter()
            .filter_map(|tick| {
                let stored = self.entries.get(tick)?;
                match stored.entry.suits(request) {
                    Suits::Not => None,
                    suits => Some((stored.entry.received, *tick, suits)),
                }
            })
            .max_by_key(|(received, tick, _)| (*received, *tick))
            .map(|(_, tick, suits)| (tick, suits))
    }

    /// Marks an entry as used just now.
    fn touch(&mut self, tick: u64) -> Option<&StoredResponse> {
        let revision = self.revision;
        let stored = self.take(tick)?;
        self.put(stored);
        // A use changes only the order.
        self.revision = revision;
        self.entries
            .last_key_value()
            .map(|(_, stored)| stored.as_ref())
    }

    fn take(&mut self, tick: u64) -> Option<Arc<StoredResponse>> {
        let stored = self.entries.remove(&tick)?;
        self.revision += 1;
        self.bytes = self.bytes.saturating_sub(stored.cost());
        if let Some(ticks) = self.by_url.get_mut(&stored.url) {
            ticks.retain(|other| *other != tick);
            if ticks.is_empty() {
                self.by_url.remove(&stored.url);
            }
        }
        Some(stored)
    }

    fn put(&mut self, stored: Arc<StoredResponse>) -> bool {
        let cost = stored.cost();
        if cost > self.max_bytes {
            return false;
        }
        while self.bytes > self.max_bytes - cost {
            let Some((&oldest, _)) = self.entries.first_key_value() else {
                break;
            };
            self.take(oldest);
        }
        self.ticks += 1;
        self.revision += 1;
        self.bytes += cost;
        let ticks = self.by_url.entry(stored.url.clone()).or_default();
        ticks.push(self.ticks);
        self.entries.insert(self.ticks, stored);
        true
    }
}

/// The responses of a [`HttpCache`] at one moment; see [`HttpCache::snapshot`].
pub struct CacheSnapshot(Vec<Arc<StoredResponse>>);

impl CacheSnapshot {
    /// As [`HttpCache::to_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(self.0.iter().map(AsRef::as_ref))
    }
}

impl fmt::Debug for CacheSnapshot {
    /// Counts the responses instead of showing them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheSnapshot({} responses)", self.0.len())
    }
}

impl Default for HttpCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpCache {
    /// Counts the responses instead of showing them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.entries.len(), self.bytes);
        write!(f, "HttpCache({count} responses, {bytes} bytes)")
    }
}

/// Without the fragment, and without credentials, which go into a field of their own.
fn key(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    // Fails where there can be none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
