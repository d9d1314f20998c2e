//! URLs of requests: what is relative stays below its base, what is written can be read again.

#![no_main]

use httpoll::fuzzing::{append_query, request_url};
use httpoll::node::RequestUrl;
use libfuzzer_sys::fuzz_target;
use url::Url;

// A base or a host, a reference, and a pair for the query, each on a line.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let (base, reference) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    if let Ok(parsed) = RequestUrl::parse(base) {
        assert!(parsed.target.starts_with('/') && parsed.target.is_ascii());
        assert!(!parsed.target.contains(['#', ' ', '\r', '\n']));
        assert!(
            parsed
                .authorization
                .is_none_or(|line| !line.contains(['\r', '\n']))
        );
    }
    let with_base = request_url(Some(base), None, reference);
    if let (Some(url), Ok(base)) = (&with_base, Url::parse(base))
        && !reference.contains("://")
    {
        assert_eq!(url.origin(), base.origin());
        assert_eq!(url.username(), base.username());
    }
    let _ = request_url(None, Some(base), reference);
    if let Some(mut url) = with_base {
        assert!(matches!(url.scheme(), "http" | "https"));
        let (name, value) = (lines.next().unwrap_or("a"), lines.next());
        let before = url.query_pairs().count();
        append_query(&mut url, name, value);
        let pairs: Vec<_> = url.query_pairs().collect();
        if !name.is_empty() || value.is_some() {
            let (last, text) = pairs.last().unwrap();
            assert_eq!((&**last, &**text), (name, value.unwrap_or_default()));
            assert_eq!(pairs.len(), before + 1);
        }
        assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url));
    }
});
