//! Tracks the boundaries of TLS records in the incoming stream, so that `session` can separate the
//! rest of a started record from the records after it. It does not decrypt; rustls refuses invalid
//! headers.

/// Where the current record of the incoming stream ends (RFC 8446 §5.1: the header has five bytes,
/// and the last two are the length of the rest).
#[derive(Default)]
pub(super) struct RecordBoundary {
    header: [u8; 5],
    header_len: usize,
    missing: usize,
}

impl RecordBoundary {
    /// Tracks the front of `bytes` up to the end of the current record. Returns the number of bytes.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> usize {
        let mut skipped = 0;
        if self.missing == 0 {
            while self.header_len < self.header.len() {
                let Some(&byte) = bytes.get(skipped) else {
                    return skipped;
                };
                if let Some(place) = self.header.get_mut(self.header_len) {
                    *place = byte;
                }
                self.header_len += 1;
                skipped += 1;
            }
            let [.., high, low] = self.header;
            self.missing = usize::from(u16::from_be_bytes([high, low]));
        }
        let present = self.missing.min(bytes.len() - skipped);
        self.missing -= present;
        if self.missing == 0 {
            self.header_len = 0;
        }
        skipped + present
    }

    /// Tracks the front of `bytes` up to the end of the last of `most` records, or all of `bytes` if there are fewer.
    /// Returns the number of bytes.
    pub(super) fn skip_records(&mut self, bytes: &[u8], most: usize) -> usize {
        let mut skipped = 0;
        for _ in 0..most {
            let rest = bytes.get(skipped..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            skipped += self.skip(rest);
        }
        skipped
    }
}
