//! Server-sent events: cut anywhere, the same events come out; what is written is read again.

#![no_main]

use httpoll::event_stream::{EventStreamParser, ServerSentEvent};
use httpoll_fuzz::{pieces, split};
use libfuzzer_sys::fuzz_target;

const MOST: usize = 100;

type Parsed = (
    Vec<ServerSentEvent>,
    bool,
    String,
    Option<std::time::Duration>,
);

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = split(input);
    let whole = parse(std::iter::once(bytes));
    assert_eq!(parse(pieces(&choices, bytes)), whole);
    for event in whole.0 {
        // A byte that is no UTF-8 becomes three.
        assert!(event.data.len() <= 3 * MOST);
        let mut written = Vec::new();
        if event.encode(&mut written).is_ok() {
            let mut parser = EventStreamParser::new();
            parser.push(&written).unwrap();
            let again = parser.next_event();
            assert_eq!(again.map(|again| again.data), Some(event.data));
            assert_eq!(parser.next_event(), None);
        }
    }
});

fn parse<'a>(input: impl Iterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = EventStreamParser::with_event_bytes(MOST);
    let mut failed = false;
    let mut events = Vec::new();
    for piece in input {
        failed |= parser.push(piece).is_err();
        while let Some(event) = parser.next_event() {
            events.push(event);
        }
    }
    (
        events,
        failed,
        parser.last_event_id().to_owned(),
        parser.retry(),
    )
}
