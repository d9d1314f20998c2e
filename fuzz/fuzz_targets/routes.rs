//! Patterns of routes, targets and queries: parameters are parts of the path; pairs are read again.

#![no_main]

use httpoll::fuzzing::{route_params, target_parts};
use httpoll::server::QueryPairs;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

// A pattern and a target, each on a line.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let (pattern, target) = text.split_once('\n').unwrap_or((&text, &text));
    let (path, query) = target_parts(target);
    assert!(path.len() <= target.len() && !path.contains(['?', '#']));
    let pairs = QueryPairs::parse(query.unwrap_or_default().as_bytes());
    let written = httpoll::node::query_string_from_dict(
        pairs
            .iter()
            .map(|(name, value)| (name, Value::from(value.unwrap_or_default()))),
    );
    let again = QueryPairs::parse(written.as_bytes());
    if pairs.iter().all(|(name, _)| !name.is_empty()) {
        assert_eq!(again.len(), pairs.len());
        for ((one, value), (other, same)) in pairs.iter().zip(again.iter()) {
            assert_eq!(
                (one, value.unwrap_or_default()),
                (other, same.unwrap_or_default())
            );
        }
    }
    if let Ok(Some(params)) = route_params(pattern, path) {
        assert!(params.len() <= pattern.split('/').count());
        let longest = path.len() * 3;
        assert!(
            params
                .iter()
                .all(|(name, value)| !name.is_empty() && value.len() <= longest)
        );
    }
    // A pattern without parameters takes its own path.
    if pattern == path && !pattern.contains([':', '*', '%']) {
        assert!(
            !matches!(route_params(pattern, path), Ok(None)),
            "{pattern:?}"
        );
    }
});
