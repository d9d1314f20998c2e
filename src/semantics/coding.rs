//! Content codings (RFC 9110 §8.4): decodes content as `Content-Encoding` says, as a stream, into
//! memory that the caller provides. Whether a message has content, and how much decoded content is
//! allowed, is decided elsewhere. This module does not encode.
//!
//! * `gzip`, `deflate`, `brotli`, `zstd`: one decoder each, each behind its cargo feature.
//! * `fault`: the errors.
//!
//! Several codings form a chain, decoded in reverse order, with a buffer of 16 KiB between two
//! decoders. So the memory of a chain is mostly that of its windows: 32 KiB for gzip and deflate,
//! at most 16 MiB for br (RFC 7932) and 8 MiB for zstd (RFC 9659).

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "gzip")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;
/// The fault for a coding that this build has no decoder for.
fn unsupported(name: &[u8]) -> CodingFault {
    let (coding, feature) = match name {
        b"gzip" | b"x-gzip" => ("gzip", "gzip"),
        b"deflate" => ("deflate", "gzip"),
        b"br" => ("br", "brotli"),
        b"zstd" => ("zstd", "zstd"),
        other => {
            // The text comes from the peer: shorten it and remove control characters.
            let shown = other.get(..32).unwrap_or(other);
            return CodingFault::Unknown(shown.escape_ascii().to_string());
        }
    };
    CodingFault::NotBuilt { coding, feature }
}

#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use crate::error::CodingFault;

/// The most codings in a chain. No server has a good reason to apply even two.
const MAX_CODINGS: usize = 4;

/// What servers put into `Content-Encoding` by mistake for content without a coding: a charset, or
/// "none".
const MISTAKEN: [&[u8]; 3] = [b"utf-8", b"utf8", b"none"];

/// Size of the buffer between two decoders of a chain, in bytes.
const BETWEEN: usize = 16 * 1024;

/// The value of `Accept-Encoding` for this build. It is empty when no coding is built in; then
/// leave the field out or send `identity`.
pub(crate) fn accept_encoding() -> &'static str {
    match (
        cfg!(feature = "gzip"),
        cfg!(feature = "brotli"),
        cfg!(feature = "zstd"),
    ) {
        (true, true, true) => "gzip, deflate, br, zstd",
        (true, true, false) => "gzip, deflate, br",
        (true, false, true) => "gzip, deflate, zstd",
        (true, false, false) => "gzip, deflate",
        (false, true, true) => "br, zstd",
        (false, true, false) => "br",
        (false, false, true) => "zstd",
        (false, false, false) => "",
    }
}

/// The value of `Accept-Encoding` when the content is delivered piece by piece. It leaves out
/// `zstd`: its decoder can deliver each piece only by copying its window, which the others need not.
pub(crate) fn accept_encoding_of_stream() -> &'static str {
    match (cfg!(feature = "gzip"), cfg!(feature = "brotli")) {
        (true, true) => "gzip, deflate, br",
        (true, false) => "gzip, deflate",
        (false, true) => "br",
        (false, false) => "",
    }
}

/// How much content may grow during decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodingLimits {
    /// The maximum ratio of decoded to received bytes, checked once the first MiB has been decoded.
    /// Default 1100: deflate cannot exceed 1032, which a large file of zeros legitimately reaches;
    /// a bomb in br or zstd goes far beyond. The caller limits the total size of the decoded
    /// content.
    pub max_ratio: u32,
}

impl Default for CodingLimits {
    fn default() -> Self {
        Self { max_ratio: 1100 }
    }
}

/// The ratio is not checked before this many decoded bytes: a small file of zeros is no attack.
const FREE: u64 = 1024 * 1024;

/// Decodes all the codings of one message's content.
pub(crate) struct Decoder {
    /// In decoding order.
    chain: Vec<Coding>,
    /// One between each two decoders.
    between: Vec<Between>,
    limits: CodingLimits,
    taken: u64,
    given: u64,
    failed: Option<CodingFault>,
}

/// How far a call to [`Decoder::decode`] got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of the input that were consumed.
    pub(crate) consumed: usize,
    /// Bytes of the output that were written.
    pub(crate) produced: usize,
}

impl Decoder {
    /// A decoder for the values of all `Content-Encoding` fields, in order; `None` when there is
    /// nothing to decode. It skips names that servers write by mistake for content without a
    /// coding, as browsers do.
    pub(crate) fn new<'a>(
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, CodingFault> {
        Self::skipping(&MISTAKEN, values)
    }

    /// Same as [`new`](Self::new), but names written by mistake are faults.
    pub(crate) fn strict<'a>(
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, CodingFault> {
        Self::skipping(&[], values)
    }

    fn skipping<'a>(
        skipped: &[&[u8]],
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, CodingFault> {
        let mut chain = Vec::new();
        for name in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            let name = name.trim_ascii().to_ascii_lowercase();
            if name.is_empty() || name == b"identity" || skipped.contains(&&*name) {
                continue;
            }
            if chain.len() == MAX_CODINGS {
                return Err(CodingFault::TooMany(MAX_CODINGS));
            }
            chain.push(coding(&name)?);
        }
        chain.reverse();
        let between = chain.iter().skip(1).map(|_| Between::default()).collect();
        Ok((!chain.is_empty()).then_some(Self {
            chain,
            between,
            limits: CodingLimits::default(),
            taken: 0,
            given: 0,
            failed: None,
        }))
    }

    /// Replaces the limits.
    pub(crate) fn with_limits(mut self, limits: CodingLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Decodes from `input` into `output`, until one of them is used up. The decoder holds back
    /// bytes while `output` is full. At the end of the input, call this with an empty input until
    /// it produces nothing, then call [`finish`](Self::finish).
    ///
    /// Fails on malformed content and when the content grows beyond the limit. Every later call
    /// fails, too.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Decoded, CodingFault> {
        if let Some(fault) = &self.failed {
            return Err(fault.clone());
        }
        let result = self.run(input, output).and_then(|decoded| {
            self.taken = self.taken.saturating_add(decoded.consumed as u64);
            self.given = self.given.saturating_add(decoded.produced as u64);
            let allowed = self.taken.saturating_mul(self.limits.max_ratio.into());
            if self.given > FREE && self.given > allowed {
                return Err(CodingFault::Ratio(self.limits.max_ratio));
            }
            Ok(decoded)
        });
        if let Err(fault) = &result {
            self.failed = Some(fault.clone());
        }
        result
    }

    /// Delivers what was received so far, even where the coding lets a decoder wait for more. It costs time, so
    /// it is for content that the caller gets piece by piece.
    #[must_use]
    pub(crate) fn delivering_pieces(mut self) -> Self {
        for coding in &mut self.chain {
            match *coding {
                #[cfg(feature = "zstd")]
                Coding::Zstd(ref mut zstd) => zstd.deliver_blocks(),
                #[cfg(any(feature = "gzip", feature = "brotli", not(feature = "zstd")))]
                _ => {}
            }
        }
        self
    }

    /// Whether the content so far is complete. More may follow, because gzip and zstd allow several
    /// streams in a row.
    pub(crate) fn is_done(&self) -> bool {
        self.failed.is_none()
            && self.chain.iter().all(Coding::is_done)
            && self.between.iter().all(|between| between.is_empty())
    }

    /// Marks the end of the content. Fails when it ended too early. Empty content counts as
    /// complete, because servers send it with any `Content-Encoding`.
    pub(crate) fn finish(&mut self) -> Result<(), CodingFault> {
        if let Some(fault) = &self.failed {
            return Err(fault.clone());
        }
        if self.taken == 0 || self.is_done() {
            return Ok(());
        }
        let cut = self.chain.iter().find(|coding| !coding.is_done());
        let fault = CodingFault::Truncated(cut.map_or("content", Coding::name));
        self.failed = Some(fault.clone());
        Err(fault)
    }

    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<Decoded, CodingFault> {
        let mut total = Decoded::default();
        loop {
            let mut moved = false;
            for (index, coding) in self.chain.iter_mut().enumerate() {
                let (before, after) = self.between.split_at_mut(index);
                let source = match before.last() {
                    Some(between) => between.filled(),
                    None => input.get(total.consumed..).unwrap_or_default(),
                };
                let target = match after.first_mut() {
                    Some(between) => between.free(),
                    None => output.get_mut(total.produced..).unwrap_or_default(),
                };
                let decoded = coding.decode(source, target)?;
                moved |= decoded != Decoded::default();
                match before.last_mut() {
                    Some(between) => between.drop_front(decoded.consumed),
                    None => total.consumed += decoded.consumed,
                }
                match after.first_mut() {
                    Some(between) => between.fill(decoded.produced),
                    None => total.produced += decoded.produced,
                }
            }
            if !moved {
                return Ok(total);
            }
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("chain", &self.chain)
            .field("taken", &self.taken)
            .field("given", &self.given)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// The bytes that wait between two decoders.
#[derive(Default)]
struct Between {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Between {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn filled(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The free space. Empty while any bytes are left, so that nothing has to be moved.
    fn free(&mut self) -> &mut [u8] {
        if !self.is_empty() {
            return &mut [];
        }
        (self.start, self.end) = (0, 0);
        self.buffer.resize(BETWEEN, 0);
        &mut self.buffer
    }

    fn fill(&mut self, count: usize) {
        self.end += count;
    }

    fn drop_front(&mut self, count: usize) {
        self.start += count;
    }
}

/// The decoder of one coding.
enum Coding {
    #[cfg(feature = "gzip")]
    Gzip(gzip::Gzip),
    #[cfg(feature = "gzip")]
    Deflate(deflate::Deflate),
    #[cfg(feature = "brotli")]
    Brotli(brotli::Brotli),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Zstd),
}

/// The decoder for a name in lower case.
fn coding(name: &[u8]) -> Result<Coding, CodingFault> {
    match name {
        #[cfg(feature = "gzip")]
        b"gzip" | b"x-gzip" => Ok(Coding::Gzip(gzip::Gzip::new())),
        #[cfg(feature = "gzip")]
        b"deflate" => Ok(Coding::Deflate(deflate::Deflate::new())),
        #[cfg(feature = "brotli")]
        b"br" => Ok(Coding::Brotli(brotli::Brotli::new())),
        #[cfg(feature = "zstd")]
        b"zstd" => Ok(Coding::Zstd(zstd::Zstd::new())),
        other => Err(unsupported(other)),
    }
}

// With no coding built in, the type has no values. A `match` on the place itself accepts that; a
// `match` on a reference does not.
#[cfg_attr(
    not(any(feature = "gzip", feature = "brotli", feature = "zstd")),
    expect(unused_variables, reason = "no coding is built in")
)]
impl Coding {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Decoded, CodingFault> {
        match *self {
            #[cfg(feature = "gzip")]
            Self::Gzip(ref mut gzip) => gzip.decode(input, output),
            #[cfg(feature = "gzip")]
            Self::Deflate(ref mut deflate) => deflate.decode(input, output),
            #[cfg(feature = "brotli")]
            Self::Brotli(ref mut brotli) => brotli.decode(input, output),
            #[cfg(feature = "zstd")]
            Self::Zstd(ref mut zstd) => zstd.decode(input, output),
        }
    }

    fn is_done(&self) -> bool {
        match *self {
            #[cfg(feature = "gzip")]
            Self::Gzip(ref gzip) => gzip.is_done(),
            #[cfg(feature = "gzip")]
            Self::Deflate(ref deflate) => deflate.is_done(),
            #[cfg(feature = "brotli")]
            Self::Brotli(ref brotli) => brotli.is_done(),
            #[cfg(feature = "zstd")]
            Self::Zstd(ref zstd) => zstd.is_done(),
        }
    }

    fn name(&self) -> &'static str {
        match *self {
            #[cfg(feature = "gzip")]
            Self::Gzip(_) => "gzip",
            #[cfg(feature = "gzip")]
            Self::Deflate(_) => "deflate",
            #[cfg(feature = "brotli")]
            Self::Brotli(_) => "br",
            #[cfg(feature = "zstd")]
            Self::Zstd(_) => "zstd",
        }
    }
}

impl fmt::Debug for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
