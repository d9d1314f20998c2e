//! [`StoredResponse`]: one stored response, the URL that it belongs to, and the memory it takes.

use http::HeaderMap;

use super::policy::Entry;

/// Memory of a stored response besides its text, in bytes.
const OVERHEAD: usize = 512;

/// A stored response and its URL.
pub(super) struct StoredResponse {
    pub(super) url: String,
    pub(super) entry: Entry,
}

impl StoredResponse {
    /// The memory that this response takes, in bytes, estimated.
    pub(super) fn cost(&self) -> usize {
        let fields = |headers: &HeaderMap| -> usize {
            let each = headers.iter();
            each.map(|(name, value)| name.as_str().len() + value.len() + 64)
                .sum()
        };
        let entry = &self.entry;
        // The fields are held twice: as received, and as the policy reads them.
        OVERHEAD
            + 2 * self.url.len()
            + 2 * (fields(&entry.response.headers) + fields(&entry.varied))
            + entry.response.body.len()
    }
}
