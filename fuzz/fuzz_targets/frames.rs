//! JSON lines and frames with a length in front, and the messages that an agent makes of content: cut anywhere,
//! the same comes out.

#![no_main]

use httpoll::{
    error::FrameFault,
    frames::{Framing, JsonLines, LengthPrefix, LengthPrefixed},
    fuzzing::messages,
};
use httpoll_fuzz::{Choices, pieces, split};
use libfuzzer_sys::fuzz_target;

const MOST: usize = 60;

type Taken = (Vec<Vec<u8>>, Option<FrameFault>);

fuzz_target!(|input: &[u8]| {
    let (mut choices, bytes) = split(input);
    let prefix = match choices.bits(2) {
        0 => {
            return compare(
                lines(std::iter::once(bytes)),
                lines(pieces(&choices, bytes)),
            );
        }
        1 => LengthPrefix::U32BigEndian,
        2 => LengthPrefix::U32LittleEndian,
        _ => return compare_messages(&mut choices, bytes),
    };
    let whole = frames(prefix, std::iter::once(bytes));
    for frame in &whole.0 {
        let mut written = Vec::new();
        prefix.encode(frame, &mut written).unwrap();
        let again = frames(prefix, std::iter::once(&written[..]));
        assert_eq!(again, (vec![frame.clone()], None));
    }
    compare(frames(prefix, pieces(&choices, bytes)), whole);
});

fn compare_messages(choices: &mut Choices, bytes: &[u8]) {
    let framing = match choices.bits(2) {
        0 => Framing::json_lines(),
        1 => Framing::length_prefixed(LengthPrefix::U16BigEndian),
        2 => Framing::length_prefixed(LengthPrefix::U16LittleEndian),
        _ => Framing::server_sent_events(),
    };
    let framing = framing.max_message_bytes(MOST);
    let whole = messages(framing, std::iter::once(bytes));
    assert!(whole.0.iter().all(|message| message.data.len() <= MOST));
    assert_eq!(messages(framing, pieces(choices, bytes)), whole);
}

fn compare(one: Taken, other: Taken) {
    assert!(one.0.iter().all(|frame| frame.len() <= MOST));
    assert_eq!(one, other);
}

fn lines<'a>(input: impl Iterator<Item = &'a [u8]>) -> Taken {
    let mut lines = JsonLines::with_line_bytes(MOST);
    let mut taken = Vec::new();
    for piece in input {
        lines.push(piece);
        if let Some(fault) = drain(&mut taken, || lines.next_line()) {
            return (taken, Some(fault));
        }
    }
    lines.finish();
    let fault = drain(&mut taken, || lines.next_line());
    (taken, fault)
}

fn frames<'a>(prefix: LengthPrefix, input: impl Iterator<Item = &'a [u8]>) -> Taken {
    let mut frames = LengthPrefixed::with_frame_bytes(prefix, MOST);
    let mut taken = Vec::new();
    for piece in input {
        frames.push(piece);
        if let Some(fault) = drain(&mut taken, || frames.next_frame()) {
            return (taken, Some(fault));
        }
    }
    let fault = frames.finish().err();
    (taken, fault)
}

fn drain<B: AsRef<[u8]>>(
    taken: &mut Vec<Vec<u8>>,
    mut next: impl FnMut() -> Result<Option<B>, FrameFault>,
) -> Option<FrameFault> {
    loop {
        match next() {
            Ok(Some(frame)) => taken.push(frame.as_ref().to_vec()),
            Ok(None) => return None,
            Err(fault) => return Some(fault),
        }
    }
}
