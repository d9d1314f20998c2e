//! One input of the fuzzer is four bytes of choices and the bytes that a peer sends. The choices come
//! first, so that a seed can be written by hand.

/// How many bytes choose.
const CHOICES: usize = 4;

/// Splits an input. Short ones choose with zeros.
pub fn split(input: &[u8]) -> (Choices, &[u8]) {
    let (chosen, bytes) = input.split_at(input.len().min(CHOICES));
    let mut seed = [0; CHOICES];
    seed[..chosen.len()].copy_from_slice(chosen);
    (Choices::new(u32::from_le_bytes(seed)), bytes)
}

/// Choices that follow from the first bytes of an input: the first few are these bits themselves, so
/// that the fuzzer can steer, the others a xorshift of them.
#[derive(Clone, Debug)]
pub struct Choices {
    direct: u32,
    mixed: u64,
}

impl Choices {
    pub fn new(seed: u32) -> Self {
        let mixed = (u64::from(seed) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self {
            direct: seed,
            mixed,
        }
    }

    /// The next bits of the input itself; zeros behind its 32.
    pub fn bits(&mut self, count: u32) -> u32 {
        let bits = self.direct & ((1 << count) - 1);
        self.direct >>= count;
        bits
    }

    pub fn flag(&mut self) -> bool {
        self.bits(1) == 1
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.mixed ^= self.mixed << 13;
        self.mixed ^= self.mixed >> 7;
        self.mixed ^= self.mixed << 17;
        ((self.mixed >> 32) % end.max(1) as u64) as usize
    }
}

/// Cuts bytes into pieces of chosen lengths, none of them empty: byte by byte, in small pieces, in
/// large ones, or all lengths mixed.
pub fn pieces<'a>(choices: &Choices, mut bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut choices = choices.clone();
    let most = [1, 3, 16, 100][choices.below(4)];
    let is_mixed = choices.below(4) == 0;
    std::iter::from_fn(move || {
        let most = if is_mixed {
            [1, 4, 30, 400][choices.below(4)]
        } else {
            most
        };
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + choices.below(most)));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
