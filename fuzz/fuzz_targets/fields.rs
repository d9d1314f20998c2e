//! Field lines and request heads: no line holds another; a head is read the same, cut short or not.

#![no_main]

use httpoll::proto::FieldLines;
use httpoll::server::Request;
use httpoll::{Limits, node::verify_headers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        let mut fields = FieldLines::new();
        for line in text.split('\n') {
            let before = fields.len();
            let is_added = fields.append_line(line).is_ok();
            assert_eq!(fields.len(), before + usize::from(is_added));
            assert_eq!(verify_headers(&[line]).is_ok(), is_added, "{line:?}");
        }
        let mut names = Vec::new();
        for (name, value) in fields.iter() {
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            assert_eq!(value.trim_ascii().len(), value.len());
            names.push(name.to_owned());
        }
        assert_eq!(fields.to_header_map().len(), fields.len());
        assert!(!format!("{fields:?}").is_empty());
        for name in names {
            assert!(fields.list(&name).all(|item| !item.is_empty()));
            let _ = fields.has_token(&name, "close");
            fields.remove(&name);
            assert!(!fields.contains(&name));
        }
        assert!(fields.is_empty());
    }
    let limits = Limits::default();
    if let Ok(Some((request, length))) = Request::parse(input, &limits) {
        assert!(length <= input.len());
        let _ = (request.host(), request.authority(), request.decoded_path());
        let _ = (
            request.cookies().count(),
            request.media_type(),
            request.query().len(),
        );
        assert!(request.path().len() <= request.target().len());
        if let Ok(again) = Request::parse(&input[..length], &limits) {
            assert_eq!(again.map(|(_, length)| length), Some(length));
        } else {
            panic!("a whole request is one");
        }
        assert!(matches!(
            Request::parse(&input[..length - 1], &limits),
            Ok(None)
        ));
    }
});
