//! Receive buffers: pooled, large, and handed out to the user without copying.
//!
//! A fast link needs a buffer of 256 KiB (with 64 KiB, a loopback download loses a fifth of its speed, with
//! 16 KiB a third). Many idle connections cannot have one each. So a connection takes a buffer from the
//! [`BufferPool`] when bytes arrive, and returns it when it is empty. The caller gets content as [`Bytes`]
//! that share the buffer. When the last of them is dropped, the buffer returns to the pool, initialised.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// The size of one receive buffer.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// How many spare buffers are kept; further ones are freed. The caller of one download holds about this
/// many at once. The system provides fresh memory page by page, which costs more than filling it.
const SPARE_BUFFERS: usize = 6;

/// Shorter content is copied instead of sharing the buffer, so that a caller who keeps small pieces does not
/// keep large buffers.
const SHARE_FROM: usize = BUFFER_BYTES / 4;

/// The pool of spare buffers. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct BufferPool(Arc<Mutex<Spare>>);

#[derive(Default)]
struct Spare {
    /// Each has [`BUFFER_BYTES`] initialised bytes.
    buffers: Vec<Vec<u8>>,
    /// How many are kept, if that is more than [`SPARE_BUFFERS`].
    most: usize,
}

impl BufferPool {
    // The lock is held for one push or pop. If it is taken, a new buffer is allocated instead of waiting.

    fn take(&self) -> Vec<u8> {
        let spare = self
            .0
            .try_lock()
            .ok()
            .and_then(|mut spare| spare.buffers.pop());
        spare.unwrap_or_else(|| vec![0; BUFFER_BYTES])
    }

    fn release(&self, mut buffer: Vec<u8>) {
        let Ok(mut spare) = self.0.try_lock() else {
            return;
        };
        let most = spare.most.max(SPARE_BUFFERS);
        // A buffer grows for a long head.
        buffer.truncate(BUFFER_BYTES);
        let fits = buffer.len() == BUFFER_BYTES && buffer.capacity() <= 2 * BUFFER_BYTES;
        if fits && spare.buffers.len() < most {
            spare.buffers.push(buffer);
        }
    }

    /// Keeps spare buffers for `bytes` bytes, the size of the receive window.
    #[cfg(feature = "agent")]
    pub(crate) fn keep_spares(&self, bytes: usize) {
        if let Ok(mut spare) = self.0.try_lock() {
            let most = SPARE_BUFFERS.max(bytes / BUFFER_BYTES);
            spare.most = most;
            spare.buffers.truncate(most);
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferPool")
    }
}

/// A buffer that the caller's [`Bytes`] share. It returns to its pool when it is dropped.
struct PooledBuffer {
    buffer: Vec<u8>,
    filled: usize,
    pool: BufferPool,
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.pool.release(std::mem::take(&mut self.buffer));
    }
}

/// The most unread bytes that [`RecvBuffer::shrink`] moves.
#[cfg(feature = "server")]
const LARGEST_REST: usize = 16 * 1024;

/// Bytes that were received and not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct RecvBuffer {
    storage: Storage,
}

#[derive(Default)]
enum Storage {
    #[default]
    Nothing,
    /// Not shared, so more bytes can be read into it.
    Own {
        buffer: Vec<u8>,
        unread: Range<usize>,
    },
    /// Shared: the caller holds parts of it.
    Shared(Bytes),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Own { unread, .. } => write!(f, "Own({} bytes)", unread.len()),
            Self::Shared(bytes) => write!(f, "Shared({} bytes)", bytes.len()),
        }
    }
}

impl RecvBuffer {
    /// The unconsumed bytes.
    pub(crate) fn unread(&self) -> &[u8] {
        match &self.storage {
            Storage::Nothing => &[],
            Storage::Own { buffer, unread } => &buffer[unread.clone()],
            Storage::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }

    /// Drops the first `count` unread bytes. An empty buffer returns to the pool.
    pub(crate) fn consume(&mut self, count: usize, pool: &BufferPool) {
        match &mut self.storage {
            Storage::Nothing => {}
            Storage::Own { unread, .. } => unread.start = (unread.start + count).min(unread.end),
            Storage::Shared(bytes) => drop(bytes.split_to(count.min(bytes.len()))),
        }
        if self.is_empty() {
            self.release(pool);
        }
    }

    /// Takes the unread bytes of `range` for the caller. These bytes and those before them are consumed.
    pub(crate) fn take(&mut self, range: Range<usize>, pool: &BufferPool) -> Bytes {
        if range.len() < SHARE_FROM {
            let taken = Bytes::copy_from_slice(&self.unread()[range.clone()]);
            self.consume(range.end, pool);
            return taken;
        }
        let mut bytes = match std::mem::take(&mut self.storage) {
            Storage::Nothing => Bytes::new(),
            Storage::Shared(bytes) => bytes,
            Storage::Own { buffer, unread } => Bytes::from_owner(PooledBuffer {
                buffer,
                filled: unread.end,
                pool: pool.clone(),
            })
            .slice(unread),
        };
        let mut taken = bytes.split_to(range.end);
        let _ = taken.split_to(range.start);
        if !bytes.is_empty() {
            self.storage = Storage::Shared(bytes);
        }
        taken
    }

    /// Returns space for at least `least` more bytes after the unread ones. Call [`filled`](Self::filled)
    /// with the number of bytes written there.
    pub(crate) fn room(&mut self, pool: &BufferPool, least: usize) -> &mut [u8] {
        let (mut buffer, mut unread) = match std::mem::take(&mut self.storage) {
            Storage::Nothing => (pool.take(), 0..0),
            Storage::Own { buffer, unread } => (buffer, unread),
            Storage::Shared(bytes) => {
                let mut buffer = pool.take();
                if buffer.len() < bytes.len() + least {
                    buffer.resize(bytes.len() + least, 0);
                }
                buffer[..bytes.len()].copy_from_slice(&bytes);
                (buffer, 0..bytes.len())
            }
        };
        if buffer.len() - unread.end < least {
            buffer.copy_within(unread.clone(), 0);
            unread = 0..unread.len();
            if buffer.len() < unread.end + least {
                buffer.resize(unread.end + least, 0);
            }
        }
        let Storage::Own { buffer, unread } = self.storage.insert_own(buffer, unread) else {
            return &mut [];
        };
        &mut buffer[unread.end..]
    }

    /// Notes that the first `count` bytes of that space now hold received bytes.
    pub(crate) fn filled(&mut self, count: usize, pool: &BufferPool) {
        if let Storage::Own { buffer, unread } = &mut self.storage {
            unread.end = (unread.end + count).min(buffer.len());
        }
        if self.is_empty() {
            self.release(pool);
        }
    }

    /// Adds a copy of `bytes` after the unread ones.
    pub(crate) fn append(&mut self, bytes: &[u8], pool: &BufferPool) {
        if !bytes.is_empty() {
            self.room(pool, bytes.len())[..bytes.len()].copy_from_slice(bytes);
            self.filled(bytes.len(), pool);
        }
    }

    /// Moves a few unread bytes into a buffer of their own size, so that a slow connection does not keep a
    /// large one.
    #[cfg(feature = "server")]
    pub(crate) fn shrink(&mut self, pool: &BufferPool) {
        let rest = self.unread();
        if matches!(self.storage, Storage::Own { .. })
            && !rest.is_empty()
            && rest.len() <= LARGEST_REST
        {
            let rest = Bytes::copy_from_slice(rest);
            self.release(pool);
            self.storage = Storage::Shared(rest);
        }
    }

    /// Drops all bytes.
    pub(crate) fn clear(&mut self, pool: &BufferPool) {
        self.release(pool);
    }

    fn release(&mut self, pool: &BufferPool) {
        if let Storage::Own { buffer, .. } = std::mem::take(&mut self.storage) {
            pool.release(buffer);
        }
    }
}

impl Storage {
    fn insert_own(&mut self, buffer: Vec<u8>, unread: Range<usize>) -> &mut Self {
        *self = Self::Own { buffer, unread };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(recv: &mut RecvBuffer, pool: &BufferPool, bytes: &[u8]) {
        recv.room(pool, bytes.len())[..bytes.len()].copy_from_slice(bytes);
        recv.filled(bytes.len(), pool);
    }

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_went_in() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        fill(&mut recv, &pool, b"head");
        fill(&mut recv, &pool, b"body");
        assert_eq!(recv.unread(), b"headbody");
        recv.consume(4, &pool);
        assert_eq!(&recv.take(1..3, &pool)[..], b"od");
        assert_eq!(recv.unread(), b"y");
    }

    #[test]
    fn an_empty_buffer_goes_back_to_the_pool() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        fill(&mut recv, &pool, b"x");
        recv.consume(1, &pool);
        assert!(matches!(recv.storage, Storage::Nothing));
        assert_eq!(pool.0.lock().unwrap().buffers.len(), 1);
    }

    #[cfg(feature = "agent")]
    #[test]
    fn spare_buffers_are_kept_for_a_wide_window_and_freed_with_it() {
        let pool = BufferPool::default();
        let full = |pool: &BufferPool| {
            for _ in 0..20 {
                pool.release(vec![0; BUFFER_BYTES]);
            }
            pool.0.lock().unwrap().buffers.len()
        };
        assert_eq!(full(&pool), SPARE_BUFFERS);
        pool.keep_spares(10 * BUFFER_BYTES);
        assert_eq!(full(&pool), 10);
        pool.keep_spares(0);
        assert_eq!(pool.0.lock().unwrap().buffers.len(), SPARE_BUFFERS);
    }

    #[test]
    fn large_content_shares_the_buffer_and_returns_it_when_dropped() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        fill(&mut recv, &pool, &vec![7; BUFFER_BYTES]);
        let first = recv.take(0..SHARE_FROM, &pool);
        let rest = recv.take(0..BUFFER_BYTES - SHARE_FROM, &pool);
        assert!(recv.is_empty());
        assert_eq!(pool.0.lock().unwrap().buffers.len(), 0);
        drop(first);
        drop(rest);
        assert_eq!(pool.0.lock().unwrap().buffers.len(), 1);
    }

    #[test]
    fn a_shared_rest_moves_to_a_new_buffer_when_more_comes() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        let mut bytes = vec![1; SHARE_FROM];
        bytes.extend_from_slice(b"rest");
        fill(&mut recv, &pool, &bytes);
        let kept = recv.take(0..SHARE_FROM, &pool);
        fill(&mut recv, &pool, b"+more");
        assert_eq!(recv.unread(), b"rest+more");
        assert_eq!(kept.len(), SHARE_FROM);
    }

    #[test]
    fn appended_bytes_follow_the_unread_ones() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        recv.append(b"", &pool);
        assert!(matches!(recv.storage, Storage::Nothing));
        recv.append(b"abc", &pool);
        recv.consume(1, &pool);
        recv.append(b"de", &pool);
        assert_eq!(recv.unread(), b"bcde");
        recv.consume(4, &pool);
        assert_eq!(pool.0.lock().unwrap().buffers.len(), 1);
    }

    #[test]
    fn buffers_that_were_full_or_had_grown_are_used_again() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        for length in [BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1] {
            recv.append(&vec![1; length], &pool);
            let content = recv.take(0..length, &pool);
            let address = content.as_ptr();
            drop(content);
            recv.append(b"x", &pool);
            assert_eq!(recv.unread().as_ptr(), address, "after {length} bytes");
            assert_eq!(pool.0.lock().unwrap().buffers.len(), 0);
            recv.consume(1, &pool);
            assert_eq!(pool.0.lock().unwrap().buffers.len(), 1);
        }
    }

    #[test]
    fn consumed_space_is_used_again() {
        let pool = BufferPool::default();
        let mut recv = RecvBuffer::default();
        fill(&mut recv, &pool, &vec![1; BUFFER_BYTES - 2]);
        recv.consume(BUFFER_BYTES - 4, &pool);
        assert!(recv.room(&pool, 1024).len() >= 1024);
        assert_eq!(recv.unread(), &[1, 1]);
    }
}
