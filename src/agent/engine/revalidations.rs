//! Which stored responses are being asked about in the background, because a request got the stale one
//! (`stale-while-revalidate`, RFC 5861 §3). Sending those requests does not belong here: that is in `caching`.

use std::sync::Arc;

use url::{Position, Url};

use crate::agent::id::RequestId;

/// At most this many are under way. Further stale responses are validated before they are used.
const MOST: usize = 32;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Revalidations {
    under_way: Vec<Revalidation>,
    /// How many began so far.
    count: u64,
}

/// A request of the engine's own.
#[derive(Clone, Debug)]
pub(super) struct Revalidation {
    id: RequestId,
    /// The URL of the stale response.
    pub(super) url: Arc<Url>,
    /// The request that got it.
    pub(super) served: RequestId,
}

impl Revalidations {
    /// Whether there is one for this URL.
    pub(super) fn is_under_way(&self, url: &Url) -> bool {
        self.under_way.iter().any(|it| is_same(&it.url, url))
    }

    /// Whether no more may begin.
    pub(super) fn are_full(&self) -> bool {
        self.under_way.len() >= MOST
    }

    /// Notes one that begins, and names its request.
    pub(super) fn begin(&mut self, url: Arc<Url>, served: RequestId) -> RequestId {
        let id = RequestId::of_engine(self.count);
        self.count += 1;
        self.under_way.push(Revalidation { id, url, served });
        id
    }

    /// The one with this request.
    pub(super) fn get(&self, id: RequestId) -> Option<&Revalidation> {
        self.under_way.iter().find(|it| it.id == id)
    }

    /// Forgets one, however it ended.
    pub(super) fn end(&mut self, id: RequestId) {
        self.under_way.retain(|it| it.id != id);
    }
}

/// Whether two URLs name the same response of a cache, which ignores fragments.
pub(super) fn is_same(one: &Url, other: &Url) -> bool {
    one[..Position::AfterQuery] == other[..Position::AfterQuery]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(number: usize) -> Arc<Url> {
        Arc::new(Url::parse(&format!("http://game.example/?{number}#a")).unwrap())
    }

    #[test]
    fn there_is_one_per_url_and_a_limit_for_all() {
        let mut all = Revalidations::default();
        for number in 0..MOST {
            assert!(!all.are_full());
            assert!(!all.is_under_way(&url(number)));
            let id = all.begin(url(number), RequestId(7));
            assert!(id.is_of_engine());
            assert_eq!(all.get(id).unwrap().url, url(number));
        }
        assert!(all.are_full());
        let other = Url::parse("http://game.example/?3#other").unwrap();
        assert!(all.is_under_way(&other));
        let first = all.under_way[0].id;
        all.end(first);
        assert!(!all.are_full() && all.get(first).is_none() && !all.is_under_way(&url(0)));
        assert_ne!(all.begin(url(0), RequestId(7)), first);
    }
}
