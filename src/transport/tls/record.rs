//! Follows the borders of TLS records in the incoming stream, so that `session` can tell the rest
//! of a record that began earlier from the records behind it. It decrypts and judges nothing:
//! headers that make no sense are for rustls to refuse.

/// Where the present record of the incoming stream ends (RFC 8446 §5.1: five bytes of header, the
/// last two of which are the length of the rest).
#[derive(Default)]
pub(super) struct RecordBoundary {
    header: [u8; 5],
    header_len: usize,
    missing: usize,
}

impl RecordBoundary {
    /// Follows the front of `bytes` up to the end of the present record; returns its length.
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

    /// Follows all of `bytes`, over any number of records.
    pub(super) fn skip_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip(bytes);
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
    }
}
