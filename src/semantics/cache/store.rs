//! [`HttpCache`]: the stored responses, by URL and by last use (RFC 9111 §2, §4). The rules for a
//! single response are in `policy`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{CONTENT_LOCATION, LOCATION, RANGE};
use http::{Method, StatusCode};
use url::Url;

use super::directives::directive;
use super::policy::{Entry, Suits};
use super::stored::StoredResponse;
use super::{CacheRequest, CachedResponse, Lookup, Stale, file};
use crate::error::CacheFileFault;
use crate::proto::FieldLines;

/// The default limit, enough for the responses of a game: 32 MiB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The most responses of one URL, which differ by the request fields that `Vary` names. A lookup
/// compares all of them, within a frame.
const MAX_VARIANTS: usize = 16;

/// A private cache of responses (RFC 9111), in memory.
///
/// It stores complete responses to `GET` up to a number of bytes. Above that limit it removes the
/// least recently used ones, also when more than 16 responses to one URL differ by `Vary`. A response without a stated lifetime counts as fresh for a tenth of
/// the time since its last modification, and at most a week, as in browsers (RFC 9111 §4.2.2). A server sends
/// `Cache-Control: no-cache` to be asked each time.
///
/// A cache is private to one user: clear it when another player signs in.
pub struct HttpCache {
    /// By last use: the first one is removed next.
    entries: BTreeMap<u64, Arc<StoredResponse>>,
    by_url: HashMap<String, Vec<u64>>,
    ticks: u64,
    revision: u64,
    bytes: usize,
    max_bytes: usize,
}

impl HttpCache {
    /// An empty cache with a limit of 32 MiB.
    pub fn new() -> Self {
        Self::with_max_bytes(MAX_BYTES)
    }

    /// An empty cache with a limit of `max_bytes`, which includes the fields. The count is an estimate: many small
    /// responses take up to twice as much memory.
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

    /// The number of stored responses.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no response is stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes that the stored responses take, including their fields.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes all responses.
    pub fn clear(&mut self) {
        self.revision += 1;
        self.entries.clear();
        self.by_url.clear();
        self.bytes = 0;
    }

    /// Removes the responses for this URL.
    pub fn remove(&mut self, url: &Url) {
        for tick in self.by_url.get(&key(url)).cloned().unwrap_or_default() {
            self.take(tick);
        }
    }

    /// The cache as the contents of a file, for [`from_bytes`](Self::from_bytes). This leaves out
    /// responses that depend on credentials (`Vary: Cookie`, `Vary: Authorization`). The others may
    /// still be private.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(self.entries.values().map(AsRef::as_ref))
    }

    /// A number that changes whenever a response is stored, renewed or removed. Compare it with the
    /// number at the last save to see whether a save is due.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The present responses, for another thread to write. This copies one pointer per response,
    /// which is cheap enough for a frame.
    pub fn snapshot(&self) -> CacheSnapshot {
        CacheSnapshot(self.entries.values().cloned().collect())
    }

    /// Loads what [`to_bytes`](Self::to_bytes) wrote, up to `max_bytes` (default 32 MiB).
    ///
    /// # Errors
    /// [`CacheFileFault`] when the bytes are damaged or of another version. Start with an empty
    /// cache then.
    pub fn from_bytes(bytes: &[u8], max_bytes: Option<usize>) -> Result<Self, CacheFileFault> {
        let mut cache = Self::with_max_bytes(max_bytes.unwrap_or(MAX_BYTES));
        for stored in file::read(bytes)? {
            cache.put(Arc::new(stored));
        }
        Ok(cache)
    }

    /// Decides what to do with a request (RFC 9111 §4).
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
                    while_revalidating: entry
                        .serves_while_revalidating(request)
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

    /// Stores a complete response in place of an earlier one, if the rules allow it and it fits.
    /// Returns whether it was stored.
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

    /// Processes a `304` to a request that carried the validators of [`Stale`] (§4.3.4). Returns
    /// the response that it confirms, or `None` when it confirms no stored response: send the
    /// request again then, without validators.
    pub(crate) fn freshen(
        &mut self,
        request: CacheRequest<'_>,
        fields: &FieldLines,
        now: SystemTime,
    ) -> Option<CachedResponse> {
        let (tick, _) = self.find_stored(request)?;
        let old = self.entries.get(&tick)?;
        if !old.entry.is_confirmed_by(fields) {
            self.take(tick);
            return None;
        }
        let old = self.take(tick)?;
        let Some(entry) = old.entry.freshened(request, fields, now) else {
            // It may be used this once, but must no longer be stored.
            return Some(old.entry.response.clone());
        };
        let response = entry.aged(now);
        self.put(Arc::new(StoredResponse {
            url: old.url.clone(),
            entry,
        }));
        Some(response)
    }

    /// Removes what a request has changed (§4.4): after an unsafe method that did not fail, the
    /// responses for its URL and for the URLs that it names, if they have the same origin.
    pub(crate) fn invalidate(
        &mut self,
        request: CacheRequest<'_>,
        status: StatusCode,
        fields: &FieldLines,
    ) {
        let failed = !(status.is_success() || status.is_redirection());
        if failed || request.method.is_safe() {
            return;
        }
        self.remove(request.url);
        for name in [LOCATION, CONTENT_LOCATION] {
            let named = fields.get(name.as_str());
            let named = named.and_then(|value| str::from_utf8(value).ok());
            if let Some(Ok(url)) = named.map(|named| request.url.join(named))
                && url.origin() == request.url.origin()
            {
                self.remove(&url);
            }
        }
    }

    /// The stored response for a request that the cache may serve.
    fn find(&self, request: CacheRequest<'_>) -> Option<(u64, Suits)> {
        // The caller validates or requests ranges itself: the cache stays out of it.
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

    /// The stored response that a request selects (§4.1). If several match, the latest.
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

    /// Marks an entry as just used.
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
        let variants = self.by_url.get(&stored.url);
        if let Some(ticks) = variants.filter(|ticks| ticks.len() >= MAX_VARIANTS)
            && let Some(&oldest) = ticks.first()
        {
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

/// The responses of a [`HttpCache`] at one moment. See [`HttpCache::snapshot`].
#[derive(Clone)]
pub struct CacheSnapshot(Vec<Arc<StoredResponse>>);

impl CacheSnapshot {
    /// Same as [`HttpCache::to_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        file::write(self.0.iter().map(AsRef::as_ref))
    }
}

impl fmt::Debug for CacheSnapshot {
    /// Shows the number of responses, not the responses.
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
    /// Shows the number of responses, not the responses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.entries.len(), self.bytes);
        write!(f, "HttpCache({count} responses, {bytes} bytes)")
    }
}

/// The URL without its fragment and its credentials. The credentials go into a field of their own.
fn key(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    // These calls fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
