//! How much delivered content may wait to be pulled.
//!
//! In an agent that is polled, content is pulled in the frame in which it arrives. Each request has a small,
//! fixed window there: one piece, which is still in the processor's cache when it is pulled and makes space
//! for the next one.
//!
//! On a thread of its own, nothing is pulled between two frames, so that the window has to hold what arrives
//! in a frame. It doubles when it was full and the caller then pulled at least half of it at once: the frame
//! rate limited the download, not the caller. It halves when it was mostly empty for a while. All requests
//! together never have more than [`MOST_BYTES`] waiting.

use crate::agent::id::{ById, RequestId};
use crate::agent::pool::ConnectionKey;

/// The window of a request in an agent that is polled.
const POLLED_BYTES: usize = 256 * 1024;

/// The smallest window of a request on a thread of its own.
const LEAST_BYTES: usize = 4 * 1024 * 1024;

/// The largest window there, and the most content of all requests together that waits there. At 60 frames per
/// second it is enough for 1.2 GB/s, and a process stays below 40 MiB.
const MOST_BYTES: usize = 19 * 1024 * 1024;

/// Less space than this counts as none. Filling it would take the first bytes of a further buffer, so that
/// two buffers would be in use instead of one.
const LEAST_SPACE: usize = 64 * 1024;

/// The window halves when less than a quarter of it was used this often: about a second of frames.
const ROUNDS_TO_SHRINK: u32 = 60;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Window {
    /// How much content of one request may wait.
    bytes: usize,
    /// Whether content waits only for space in a window.
    is_full: bool,
    /// On a thread of its own.
    adaptive: Option<Adaptive>,
}

/// What the size of the window depends on.
#[derive(Debug, Default)]
struct Adaptive {
    /// What waits of each request. Its transfer may have ended.
    waiting: ById<usize>,
    /// The sum of it.
    total: usize,
    /// The largest sum since the caller last had everything.
    most: usize,
    /// Whether a request waited for space since the window last grew.
    was_full: bool,
    /// How often in a row little of the window was used.
    quiet_rounds: u32,
    /// Connections that cannot continue because of other requests.
    held: Vec<ConnectionKey>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            bytes: POLLED_BYTES,
            is_full: false,
            adaptive: None,
        }
    }
}

impl Window {
    /// Changes to the window of an agent on a thread of its own.
    pub(super) fn adapt(&mut self) {
        self.bytes = LEAST_BYTES;
        self.adaptive = Some(Adaptive::default());
    }

    /// No request is left: the next one begins with a small window.
    pub(super) fn reset(&mut self) {
        if self.adaptive.is_some() {
            self.bytes = LEAST_BYTES;
        }
    }

    /// The window of one request.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes may be delivered of a request of which `unread` bytes wait.
    pub(super) fn left(&self, unread: usize) -> usize {
        let adaptive = self.adaptive.as_ref();
        let of_all = adaptive.map_or(usize::MAX, |it| MOST_BYTES.saturating_sub(it.total));
        let left = self.bytes.saturating_sub(unread).min(of_all);
        if left < LEAST_SPACE { 0 } else { left }
    }

    /// Content of a request, of which `unread` bytes wait, has no space.
    pub(super) fn note_full(&mut self, key: ConnectionKey, unread: usize) {
        self.is_full |= unread > 0;
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.was_full = true;
            if !adaptive.held.contains(&key) {
                adaptive.held.push(key);
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether content waited for space. It does not any more.
    pub(super) fn take_full(&mut self) -> bool {
        std::mem::take(&mut self.is_full)
    }

    pub(super) fn note_delivered(&mut self, id: RequestId, count: usize) {
        if let Some(adaptive) = &mut self.adaptive {
            *adaptive.waiting.entry(id).or_default() += count;
            adaptive.total += count;
            adaptive.most = adaptive.most.max(adaptive.total);
        }
    }

    /// The caller pulled this much of a request. Connections that waited for that are moved to `held`.
    pub(super) fn note_pulled(
        &mut self,
        id: RequestId,
        count: usize,
        held: &mut Vec<ConnectionKey>,
    ) {
        let Some(adaptive) = &mut self.adaptive else {
            return;
        };
        // What was forgotten is not subtracted twice.
        let Some(waiting) = adaptive.waiting.get_mut(&id) else {
            return;
        };
        let count = count.min(*waiting);
        *waiting -= count;
        if *waiting == 0 {
            adaptive.waiting.remove(&id);
        }
        self.subtract(count, held);
    }

    /// The events of a request were dropped.
    pub(super) fn forget(&mut self, id: RequestId, held: &mut Vec<ConnectionKey>) {
        let adaptive = self.adaptive.as_mut();
        if let Some(count) = adaptive.and_then(|it| it.waiting.remove(&id)) {
            self.subtract(count, held);
        }
    }

    fn subtract(&mut self, count: usize, held: &mut Vec<ConnectionKey>) {
        let Some(adaptive) = &mut self.adaptive else {
            return;
        };
        adaptive.total -= count;
        held.append(&mut adaptive.held);
        if adaptive.was_full && adaptive.total <= self.bytes / 2 {
            self.bytes = MOST_BYTES.min(2 * self.bytes);
            adaptive.was_full = false;
            adaptive.quiet_rounds = 0;
        }
        if adaptive.total > 0 {
            return;
        }
        let is_quiet = std::mem::take(&mut adaptive.most) < self.bytes / 4;
        adaptive.quiet_rounds = if is_quiet {
            adaptive.quiet_rounds + 1
        } else {
            0
        };
        if adaptive.quiet_rounds >= ROUNDS_TO_SHRINK {
            self.bytes = LEAST_BYTES.max(self.bytes / 2);
            adaptive.quiet_rounds = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RequestId = RequestId(1);
    const KEY: ConnectionKey = ConnectionKey(7);

    fn adaptive() -> Window {
        let mut window = Window::default();
        window.adapt();
        window
    }

    /// A frame: as much as fits arrives, at most `arriving` bytes. Then the caller pulls everything, in pieces.
    fn frame(window: &mut Window, arriving: usize) {
        let mut unread = 0;
        while unread < arriving {
            let piece = (256 * 1024).min(arriving - unread).min(window.left(unread));
            if piece == 0 {
                window.note_full(KEY, unread);
                break;
            }
            window.note_delivered(ID, piece);
            unread += piece;
        }
        while unread > 0 {
            let piece = unread.min(256 * 1024);
            window.note_pulled(ID, piece, &mut Vec::new());
            unread -= piece;
        }
    }

    #[test]
    fn the_window_grows_to_what_a_frame_brings_and_shrinks_again() {
        let mut window = adaptive();
        assert_eq!(window.bytes(), LEAST_BYTES);
        for expected in [8, 16, 19, 19] {
            frame(&mut window, 100 << 20);
            assert_eq!(window.bytes(), expected << 20);
        }
        // What fits is enough.
        let mut window = adaptive();
        for _ in 0..100 {
            frame(&mut window, 10 << 20);
        }
        assert_eq!(window.bytes(), 16 << 20);
        for _ in 0..2 * ROUNDS_TO_SHRINK {
            frame(&mut window, 100 * 1024);
        }
        assert_eq!(window.bytes(), LEAST_BYTES);
        frame(&mut window, 100 << 20);
        window.reset();
        assert_eq!(window.bytes(), LEAST_BYTES);
    }

    #[test]
    fn a_slow_caller_does_not_widen_the_window() {
        let mut window = adaptive();
        let mut unread = 0;
        for _ in 0..1000 {
            while window.left(unread) > 0 {
                let piece = window.left(unread).min(256 * 1024);
                window.note_delivered(ID, piece);
                unread += piece;
            }
            window.note_full(KEY, unread);
            // One piece in each frame.
            window.note_pulled(ID, 256 * 1024, &mut Vec::new());
            unread -= 256 * 1024;
        }
        assert_eq!(window.bytes(), LEAST_BYTES);
    }

    #[test]
    fn all_requests_together_keep_to_the_limit_and_continue_when_there_is_space() {
        let mut window = adaptive();
        for _ in 0..3 {
            frame(&mut window, 100 << 20);
        }
        let ids = || (0..20).map(RequestId);
        let mut total = 0;
        for id in ids() {
            let piece = window.left(0).min(2 << 20);
            window.note_delivered(id, piece);
            total += piece;
        }
        assert_eq!(total, MOST_BYTES);
        assert_eq!(window.left(0), 0);
        window.take_full();
        window.note_full(KEY, 0);
        assert!(!window.is_full(), "only the other requests have content");
        let mut held = Vec::new();
        window.note_pulled(RequestId(0), 1 << 20, &mut held);
        assert_eq!((held.pop(), window.left(0)), (Some(KEY), 1 << 20));
        // A cancelled request makes space, also when its content is pulled late.
        window.forget(RequestId(1), &mut held);
        window.note_pulled(RequestId(1), 2 << 20, &mut held);
        assert_eq!(window.left(0), 3 << 20);
    }

    #[test]
    fn an_agent_that_is_polled_has_a_fixed_window_for_each_request() {
        let mut window = Window::default();
        for _ in 0..3 {
            frame(&mut window, 100 << 20);
        }
        assert_eq!(window.bytes(), POLLED_BYTES);
        assert_eq!(window.left(0), POLLED_BYTES);
        // The rest of a window is not worth another buffer.
        assert_eq!(window.left(POLLED_BYTES - LEAST_SPACE), LEAST_SPACE);
        assert_eq!(window.left(POLLED_BYTES - LEAST_SPACE + 1), 0);
        assert_eq!(window.left(POLLED_BYTES + 1), 0);
        window.note_full(KEY, 1);
        assert!(window.take_full() && !window.is_full());
    }
}
