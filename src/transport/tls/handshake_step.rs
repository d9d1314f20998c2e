//! Steps of handshakes on threads of their own, for verifiers of certificates that may wait: the platform's asks
//! other processes, the disk, and sometimes the network. rustls asks its verifier in the middle of a step, so the
//! whole step runs there, with the session. A frame only looks whether the session is back.
//!
//! There are at most [`MAX_THREADS`] threads, started when they are needed and ended when they are idle. If all of
//! them wait, further handshakes wait until their timeout.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::session::TlsSession;
use crate::error::{Error, NetworkFault};
use crate::transport::wake::Wake;

/// How many threads there may be. One that waits for an authority's answer must not hold up all others.
const MAX_THREADS: usize = 8;

/// How long a thread stays without work.
const IDLE: Duration = Duration::from_secs(10);

/// A step under way. Dropping it gives the step up: its result is not used.
pub(crate) struct HandshakeStep(Arc<Slot>);

/// The session after its step.
pub(crate) struct Stepped {
    pub(crate) session: TlsSession,
    /// What was decrypted, behind what was decrypted earlier.
    pub(crate) plaintext: Vec<u8>,
    pub(crate) result: Result<(), Error>,
}

#[derive(Default)]
struct Slot(Mutex<Option<Result<Stepped, Error>>>);

struct Job {
    session: TlsSession,
    ciphertext: Vec<u8>,
    plaintext: Vec<u8>,
    slot: Arc<Slot>,
    wake: Wake,
}

struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        queue: VecDeque::new(),
        threads: 0,
        idle: 0,
    }),
    work: Condvar::new(),
};

impl HandshakeStep {
    /// Lets a thread process `ciphertext`. `wake` is called when it is done.
    ///
    /// # Errors
    /// [`NetworkFault::System`] if the system refuses the first thread.
    pub(crate) fn start(
        session: TlsSession,
        ciphertext: Vec<u8>,
        plaintext: Vec<u8>,
        wake: Wake,
    ) -> Result<Self, Error> {
        let slot = Arc::<Slot>::default();
        let mut state = POOL.lock();
        if state.idle <= state.queue.len() && state.threads < MAX_THREADS {
            let started = thread::Builder::new()
                .name("httpoll-verify".to_owned())
                .spawn(|| POOL.work());
            match started {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    return Err(Error::io(NetworkFault::System, error));
                }
                // One of the others does it.
                Err(_) => {}
            }
        }
        state.queue.push_back(Job {
            session,
            ciphertext,
            plaintext,
            slot: Arc::clone(&slot),
            wake,
        });
        drop(state);
        POOL.work.notify_one();
        Ok(Self(slot))
    }

    /// The session, once it is back.
    ///
    /// # Errors
    /// [`NetworkFault::System`] if the verifier panicked.
    pub(crate) fn poll(&self) -> Result<Option<Stepped>, Error> {
        self.0.lock().take().transpose()
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Result<Stepped, Error>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn run(self) {
        let Self {
            mut session,
            mut ciphertext,
            mut plaintext,
            slot,
            wake,
        } = self;
        // The connection is gone.
        if Arc::strong_count(&slot) == 1 {
            return;
        }
        let step = catch_unwind(AssertUnwindSafe(move || {
            let result = session.receive_all(&mut ciphertext, &mut |piece| {
                plaintext.extend_from_slice(piece)
            });
            Stepped {
                session,
                plaintext,
                result: result.map_err(Error::from),
            }
        }));
        *slot.lock() = Some(step.map_err(|_| {
            let panicked = io::Error::other("the verifier of certificates panicked");
            Error::io(NetworkFault::System, panicked)
        }));
        // A waker that panics must not end this thread.
        let _ = catch_unwind(AssertUnwindSafe(|| wake()));
    }
}

impl Pool {
    /// Nothing panics while it is locked, so a poisoned lock is safe to use.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                drop(state);
                job.run();
                state = self.lock();
            }
            state.idle += 1;
            let woken = self.work.wait_timeout(state, IDLE);
            let (woken, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

impl fmt::Debug for HandshakeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeStep").finish_non_exhaustive()
    }
}
