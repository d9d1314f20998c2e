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

    /// Tracks all of `bytes`, over any number of records.
    pub(super) fn skip_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip(bytes);
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
    }
}
