//! The code of the peer's close frame, as received (RFC 6455 §5.5.1).
//!
//! `tungstenite` replaces a code that may not be sent by 1002 and its own reason. So this module
//! parses the frame headers as well.

/// Parses frame headers until it finds the code of the first close frame.
#[derive(Debug, Default)]
pub(super) struct ReceivedCode {
    header: Header,
    /// Remaining payload bytes of the current frame.
    left: u64,
    /// The mask of the current frame, if it is a close frame whose code is incomplete.
    code: Option<Code>,
    found: Option<u16>,
}

/// The header of the next frame, as far as it has arrived.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; 14],
    length: usize,
}

#[derive(Debug, Default)]
struct Code {
    mask: [u8; 4],
    first: Option<u8>,
}

const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 0x08;
const MASKED: u8 = 0x80;

impl ReceivedCode {
    /// The code of the first close frame; `None` when none has arrived, or it has no code.
    pub(super) fn get(&self) -> Option<u16> {
        self.found
    }

    /// Parses received bytes.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) {
        while self.found.is_none() && !bytes.is_empty() {
            if self.left == 0 {
                let Some((byte, rest)) = bytes.split_first() else {
                    return;
                };
                bytes = rest;
                self.take_header(*byte);
                continue;
            }
            if self.code.is_some() {
                let Some((byte, rest)) = bytes.split_first() else {
                    return;
                };
                bytes = rest;
                self.left -= 1;
                self.take_code(*byte);
                continue;
            }
            let skipped = usize::try_from(self.left).map_or(bytes.len(), |it| it.min(bytes.len()));
            self.left -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
    }

    fn take_header(&mut self, byte: u8) {
        let header = &mut self.header;
        if let Some(slot) = header.bytes.get_mut(header.length) {
            *slot = byte;
            header.length += 1;
        }
        let [first, second, ..] = header.bytes;
        if header.length < 2 {
            return;
        }
        let extended = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_at = 2 + extended;
        let end = mask_at + if second & MASKED == 0 { 0 } else { 4 };
        if header.length < end {
            return;
        }
        self.left = match extended {
            0 => u64::from(second & !MASKED),
            _ => header.bytes[2..mask_at]
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let mut mask = [0; 4];
        mask[..end - mask_at].copy_from_slice(&header.bytes[mask_at..end]);
        header.length = 0;
        self.code =
            (first & OPCODE == CLOSE && self.left >= 2).then_some(Code { mask, first: None });
    }

    fn take_code(&mut self, byte: u8) {
        let Some(code) = &mut self.code else {
            return;
        };
        match code.first {
            None => code.first = Some(byte ^ code.mask[0]),
            Some(first) => {
                self.found = Some(u16::from_be_bytes([first, byte ^ code.mask[1]]));
                self.code = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(bytes: &[u8], piece: usize) -> Option<u16> {
        let mut code = ReceivedCode::default();
        for piece in bytes.chunks(piece) {
            code.receive(piece);
        }
        code.get()
    }

    #[test]
    fn the_code_is_found_after_other_frames_at_every_split() {
        let mut short = vec![0x81, 3, b'a', 0x88, 2];
        short.extend([0x89, 0, 0x88, 5, 0x03, 0xe7, b'o', b'd', b'd']);
        let mut medium = vec![0x82, 126, 1, 0];
        medium.extend([0x88; 256]);
        medium.extend([0x88, 2, 0x03, 0xee]);
        let mut long = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        long.extend([0; 65536]);
        long.extend([0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2]);
        for (bytes, expected) in [(short, 999), (medium, 1006), (long, 1000)] {
            for piece in [1, 2, 3, 7, 100_000] {
                assert_eq!(code_of(&bytes, piece), Some(expected), "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_close_frame_without_a_code_has_none() {
        assert_eq!(code_of(&[0x88, 0], 1), None);
        assert_eq!(code_of(&[0x88, 1, 3], 1), None);
        assert_eq!(code_of(&[0x81, 2, 3, 232], 1), None);
    }
}
