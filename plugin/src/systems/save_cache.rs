//! Saves the cache during the run.

use bevy_ecs::system::{Local, Res};
use httpoll::clock::Instant;

use crate::resources::agent::HttpAgent;

/// Saves the cache in the background when its interval is over.
pub(crate) fn save_cache(http: Option<Res<HttpAgent>>, mut last: Local<Option<Instant>>) {
    let Some((http, cache)) = http.as_ref().and_then(|http| Some((http, http.cache()?))) else {
        return;
    };
    let now = http.now();
    let last = last.get_or_insert(now);
    if now.saturating_duration_since(*last) >= cache.save_interval {
        *last = now;
        cache.save_in_background();
    }
}
