//! Forms in the coding of URLs: as many pairs as there are, and what is written is read again.

#![no_main]

use httpoll::fuzzing::form_pairs;
use httpoll::node::query_string_from_dict;
use httpoll::server::QueryPairs;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some(pairs) = form_pairs(input) else {
        return;
    };
    assert!(pairs.len() <= input.split(|&byte| byte == b'&').count());
    let parsed = QueryPairs::parse(input);
    assert!(parsed.len() <= pairs.len() || parsed.len() == pairs.len());
    let named = pairs
        .iter()
        .filter(|(name, value)| !name.is_empty() && value.is_some());
    let named: Vec<_> = named
        .map(|(name, value)| (name, value.clone().unwrap()))
        .collect();
    let written = query_string_from_dict(
        named
            .iter()
            .map(|(name, value)| (&**name, Value::from(value.as_str()))),
    );
    let again = form_pairs(written.as_bytes()).unwrap();
    assert_eq!(again.len(), named.len());
    for ((name, value), (other, same)) in named.iter().zip(&again) {
        assert_eq!((*name, Some(value)), (other, same.as_ref()));
    }
});
