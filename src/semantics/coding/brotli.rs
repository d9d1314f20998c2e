//! The coding `br` (RFC 7932). It accepts the windows of that RFC, but not the large windows of
//! later encoders. Bytes after the end are ignored, as in browsers.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::Decoded;
use crate::error::CodingFault;

pub(super) struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    done: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())),
            done: false,
        }
    }

    pub(super) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Decoded, CodingFault> {
        let mut decoded = Decoded::default();
        if self.done {
            decoded.consumed = input.len();
            return Ok(decoded);
        }
        let (mut available_in, mut available_out) = (input.len(), output.len());
        let mut total_out = 0;
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut decoded.consumed,
            input,
            &mut available_out,
            &mut decoded.produced,
            output,
            &mut total_out,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => return Err(CodingFault::Corrupt("br")),
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => {
                self.done = true;
                decoded.consumed = input.len();
            }
        }
        Ok(decoded)
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }
}
