//! [`StoredResponse`]: one stored response, its URL, and the memory it takes. The caching rules are
//! in `policy`.

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
        let entry = &self.entry;
        let varied = entry.varied.iter();
        let varied = varied.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let fields = entry.response.fields.iter().chain(varied);
        let fields: usize = fields
            .map(|(name, value)| name.len() + value.len() + 64)
            .sum();
        // The fields are held twice: as received, and in the form that the policy reads.
        OVERHEAD + 2 * self.url.len() + 2 * fields + entry.response.body.len()
    }
}
