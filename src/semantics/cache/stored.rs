//! [`StoredResponse`]: one stored response, its URL, and the memory it takes. The caching rules are
//! in `policy`.

use http::HeaderMap;

use super::policy::Entry;

/// Memory of a stored response in addition to its strings, in bytes.
const OVERHEAD: usize = 512;

/// A stored response and its URL.
pub(super) struct StoredResponse {
    pub(super) url: String,
    pub(super) entry: Entry,
}

impl StoredResponse {
    /// The estimated memory of this response, in bytes.
    pub(super) fn cost(&self) -> usize {
        let fields = |headers: &HeaderMap| -> usize {
            let each = headers.iter();
            each.map(|(name, value)| name.as_str().len() + value.len() + 64)
                .sum()
        };
        let entry = &self.entry;
        // The fields are held twice: as received, and in the form that the policy reads.
        OVERHEAD
            + 2 * self.url.len()
            + 2 * (fields(&entry.response.headers) + fields(&entry.varied))
            + entry.response.body.len()
    }
}
