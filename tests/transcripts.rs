//! Replays the conversations in `tests/transcripts`; their format is described in the README there.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use httpoll::proto::Role;
use httpoll::{ErrorKind, Limits};

use runner::Runner;

#[path = "transcripts/runner.rs"]
mod runner;

const GARBAGE: &[u8] = b"\x01garbage\r\n\r\n";

#[test]
fn every_transcript_in_every_way() {
    let all = transcripts();
    assert!(all.len() >= 45, "only {} transcripts", all.len());
    for (name, transcript) in all {
        let whole = transcript.play(Way::Whole, &format!("{name}, whole"));
        transcript.play(Way::Bytes, &format!("{name}, byte by byte"));
        for (index, step) in transcript.steps.iter().enumerate() {
            if let Action::Bytes(sender, bytes) = &step.action
                && *sender != transcript.role
            {
                for cut in 1..bytes.len() {
                    let way = Way::Cut(index, cut);
                    transcript.play(way, &format!("{name}, step {index} cut at {cut}"));
                }
            }
        }
        if let (Fate::Reusable, Some(last)) = (whole, transcript.last_received()) {
            transcript.play(Way::Garbage(last), &format!("{name}, with garbage"));
        }
    }
}

/// Every file, by name.
fn transcripts() -> Vec<(String, Transcript)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut transcripts: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "http"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, Transcript::parse(&fs::read_to_string(&path).unwrap()))
        })
        .collect();
    transcripts.sort_by(|a, b| a.0.cmp(&b.0));
    transcripts
}

/// Damaged bytes must have the same result whole and byte by byte, and never cause a panic.
#[test]
fn damaged_bytes_have_the_same_result_in_every_cut() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    const SPICE: &[u8] = b"\r\n\0 \t:;,0159afHT/.\x7f\xff-+\"";
    for (name, transcript) in transcripts() {
        let (sent, received) = transcript.first_dialogue();
        for _ in 0..300 {
            let mut damaged = received.to_vec();
            for _ in 0..=next(3) {
                let at = next(damaged.len().max(1)).min(damaged.len());
                let spice = SPICE[next(SPICE.len())];
                match next(3) {
                    0 => damaged.insert(at, spice),
                    1 if at < damaged.len() => damaged[at] = spice,
                    _ => drop(damaged.drain(at..(at + 1).min(damaged.len()))),
                }
            }
            let judge = |piece: usize| {
                let mut runner = Runner::new(transcript.role, &transcript.limits);
                sent.iter().for_each(|bytes| runner.send(bytes, &name));
                damaged.chunks(piece).for_each(|piece| runner.give(piece));
                runner.take_everything()
            };
            let text = damaged.escape_ascii();
            assert_eq!(judge(damaged.len().max(1)), judge(1), "{name}: {text}");
        }
    }
}

struct Transcript {
    role: Role,
    limits: Limits,
    steps: Vec<Step>,
}

struct Step {
    action: Action,
    events: Vec<String>,
    states: Vec<String>,
}

enum Action {
    Bytes(Role, Vec<u8>),
    Eof,
    Next,
}

/// How the peer's bytes are given to our machine.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Whole,
    Bytes,
    /// This step in two parts, the others whole.
    Cut(usize, usize),
    /// Whole, with garbage after this step.
    Garbage(usize),
}

#[derive(PartialEq)]
enum Fate {
    Reusable,
    Ended,
}

impl Transcript {
    fn parse(text: &str) -> Self {
        let mut transcript = Self {
            role: Role::Client,
            limits: Limits::default(),
            steps: Vec::new(),
        };
        let mut joins = None;
        for line in text.lines() {
            let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
            let sender = match mark {
                ">" => Some(Role::Client),
                "<" => Some(Role::Server),
                _ => None,
            };
            let steps = &mut transcript.steps;
            match (mark, sender, steps.last_mut()) {
                (_, Some(sender), Some(step)) if joins == Some(sender) => {
                    let Action::Bytes(_, bytes) = &mut step.action else {
                        unreachable!()
                    };
                    bytes.extend(unescape(rest));
                }
                (_, Some(sender), _) => {
                    steps.push(Step::new(Action::Bytes(sender, unescape(rest))));
                }
                ("!", _, _) if rest == "eof" => steps.push(Step::new(Action::Eof)),
                ("!", _, _) if rest == "next" => steps.push(Step::new(Action::Next)),
                ("=", _, Some(step)) => step.events.push(rest.to_owned()),
                ("?", _, Some(step)) => step.states.push(rest.to_owned()),
                ("role:", ..) if rest == "client" => transcript.role = Role::Client,
                ("role:", ..) if rest == "server" => transcript.role = Role::Server,
                ("limits:", ..) => set_limits(&mut transcript.limits, rest),
                ("" | "#", ..) => {}
                _ => panic!("what is this line? {line}"),
            }
            joins = sender;
        }
        transcript
    }

    /// What we send first, and what the peer sends then.
    fn first_dialogue(&self) -> (Vec<&[u8]>, &[u8]) {
        let mut sent = Vec::new();
        for step in &self.steps {
            match &step.action {
                Action::Bytes(sender, bytes) if *sender == self.role => sent.push(&**bytes),
                Action::Bytes(_, bytes) => return (sent, bytes),
                Action::Eof | Action::Next => break,
            }
        }
        (sent, b"")
    }

    fn last_received(&self) -> Option<usize> {
        self.steps
            .iter()
            .rposition(|step| matches!(&step.action, Action::Bytes(from, _) if *from != self.role))
    }

    fn play(&self, way: Way, name: &str) -> Fate {
        println!("{name}");
        let mut runner = Runner::new(self.role, &self.limits);
        for (index, step) in self.steps.iter().enumerate() {
            match &step.action {
                Action::Next => runner.next(name),
                Action::Eof => runner.eof(),
                Action::Bytes(sender, bytes) if *sender == self.role => runner.send(bytes, name),
                Action::Bytes(_, bytes) => match way {
                    Way::Bytes => bytes.chunks(1).for_each(|byte| runner.give(byte)),
                    Way::Cut(here, cut) if here == index => {
                        runner.give(&bytes[..cut]);
                        runner.give(&bytes[cut..]);
                    }
                    Way::Garbage(here) if here == index => {
                        runner.give(&[bytes, GARBAGE].concat());
                    }
                    _ => runner.give(bytes),
                },
            }
            let seen = runner.take_log(&step.events);
            assert_eq!(seen, step.events, "{name}: events of step {index}");
            let garbage = match way {
                Way::Garbage(here) if here <= index => GARBAGE,
                _ => b"",
            };
            for state in &step.states {
                runner.check(state, garbage, &format!("{name}: after step {index}"));
            }
        }
        if runner.is_reusable() {
            if let Way::Garbage(_) = way {
                assert!(runner.holds(GARBAGE), "{name}: garbage consumed");
            }
            Fate::Reusable
        } else {
            Fate::Ended
        }
    }
}

impl Step {
    fn new(action: Action) -> Self {
        Self {
            action,
            events: Vec::new(),
            states: Vec::new(),
        }
    }
}

fn set_limits(limits: &mut Limits, text: &str) {
    for setting in text.split_whitespace() {
        let (name, value) = setting.split_once('=').unwrap();
        let value = value.parse().unwrap();
        match name {
            "head_bytes" => limits.head_bytes = value,
            "header_count" => limits.header_count = value,
            "line_bytes" => limits.line_bytes = value,
            "chunk_extension_bytes" => limits.chunk_extension_bytes = value,
            "trailer_bytes" => limits.trailer_bytes = value,
            "trailer_count" => limits.trailer_count = value,
            "interim_responses" => limits.interim_responses = value,
            _ => panic!("what is this limit? {name}"),
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(next) = rest.chars().next() {
        let escape = rest.get(..2).unwrap_or(rest);
        let (piece, length) = match escape {
            "\\r" => (vec![b'\r'], 2),
            "\\n" => (vec![b'\n'], 2),
            "\\t" => (vec![b'\t'], 2),
            "\\0" => (vec![0], 2),
            "\\\\" => (vec![b'\\'], 2),
            "\\x" => (vec![u8::from_str_radix(&rest[2..4], 16).unwrap()], 4),
            _ if next == '{' => {
                let end = rest.find('}').unwrap();
                let (count, text) = rest[1..end].split_once('*').unwrap();
                (unescape(text).repeat(count.parse().unwrap()), end + 1)
            }
            _ => {
                let length = next.len_utf8();
                (rest.as_bytes()[..length].to_vec(), length)
            }
        };
        bytes.extend(piece);
        rest = &rest[length..];
    }
    bytes
}

#[test]
fn the_escapes_of_the_format() {
    assert_eq!(
        unescape(r"a\r\n\t\0\\\x7f{3*\nx}b"),
        b"a\r\n\t\0\\\x7f\nx\nx\nxb"
    );
    let kind = ErrorKind::from(httpoll::error::PeerMisbehaved::NotHttp);
    assert_eq!(format!("{kind:?}"), "Peer(NotHttp)");
}
