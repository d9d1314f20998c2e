//! One exchange by the `fetch` of a browser (WHATWG Fetch §5): start it, take its head, take its content, see
//! its end. Dropping it aborts it. Large uploads go through `XMLHttpRequest`, which tells how much was sent.
//!
//! The objects of the browser stay with a task on the thread of the page. Only heads and bytes leave that task,
//! so an agent is `Send` here as elsewhere. The task signals the poller, as a socket does, and a poll takes what
//! lies ready and never waits.
//!
//! Content that nobody takes is not read from the browser beyond 1 MiB. The browser itself reads
//! ahead: Chromium about 61 MiB. So pausing holds back the delivery, not the network.
//!
//! | file | holds |
//! |---|---|
//! | `request` | what the browser is asked for, and what it refuses |
//! | `content` | what a request sends, as objects of the browser |
//! | `response` | the head of what came |
//! | `shared` | what the task and the owner of an exchange share |
//! | `task` | the calls of the browser |
//! | `upload` | requests whose upload is counted, by `XMLHttpRequest` |
//! | `page` | what the page or worker says about itself |
//! | `failure` | what a `TypeError` can mean: CORS, an unreachable server, a rule of the browser |
//! | `rules` | what a browser does not send at all, and why |

mod content;
mod failure;
mod page;
mod request;
mod response;
mod rules;
mod shared;
mod task;
mod upload;

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};

use crate::error::Error;
use crate::transport::system::ReadySignal;

#[cfg(feature = "agent")]
pub(crate) use self::page::page_url;
pub(crate) use self::request::{FetchOptions, FetchRequest, forbidden_field};
pub(crate) use self::response::FetchHead;
#[cfg(feature = "websocket")]
pub(crate) use self::rules::{reason_of_web_socket, watch_policy};
use self::shared::{Shared, WINDOW_BYTES, lock};

/// An exchange under way. See the module's documentation.
pub(crate) struct Fetch(Arc<Mutex<Shared>>);

impl Fetch {
    /// Hands the request to the browser.
    pub(crate) fn start(signal: ReadySignal, request: FetchRequest) -> Self {
        let shared = Arc::new(Mutex::new(Shared::new(signal)));
        task::spawn(Arc::clone(&shared), request);
        Self(shared)
    }

    /// Bytes of the request's content that were sent. If the browser does not tell, those that it was given.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.0).sent
    }

    /// Whether the browser tells that it has not sent all of the request yet.
    pub(crate) fn is_sending(&self) -> bool {
        lock(&self.0).is_sending
    }

    /// Bytes of content that the browser has received and does not hand over yet.
    pub(crate) fn received(&self) -> u64 {
        lock(&self.0).received
    }

    /// The head, once it is there, and only once. An error if there will be none.
    pub(crate) fn take_head(&self) -> Result<Option<FetchHead>, Error> {
        let mut shared = lock(&self.0);
        match (shared.head.take(), &shared.end) {
            (None, Some(Err(error))) => Err(error.clone()),
            (head, _) => Ok(head),
        }
    }

    /// The next piece of content, at most `most` bytes; pieces shorter than `join_below` are joined. `None`
    /// if nothing lies ready.
    pub(crate) fn take_content(&self, most: usize, join_below: usize) -> Option<Bytes> {
        let mut shared = lock(&self.0);
        let mut piece = shared.pieces.pop_front()?;
        if piece.len() > most {
            let rest = piece.split_off(most);
            shared.pieces.push_front(rest);
        } else if piece.len() < join_below && !shared.pieces.is_empty() {
            let mut joined = BytesMut::from(&piece[..]);
            while let Some(next) = shared
                .pieces
                .pop_front_if(|next| next.len() < join_below && joined.len() + next.len() <= most)
            {
                joined.extend_from_slice(&next);
            }
            piece = joined.freeze();
        }
        shared.held -= piece.len();
        if shared.held < WINDOW_BYTES {
            shared.wake();
        }
        Some(piece)
    }

    /// How the content ended, once all of it was taken.
    pub(crate) fn end(&self) -> Option<Result<(), Error>> {
        let shared = lock(&self.0);
        shared.end.clone().filter(|_| shared.pieces.is_empty())
    }

    /// From now on it signals another poller.
    pub(crate) fn move_to(&self, signal: ReadySignal) {
        signal.set();
        lock(&self.0).signal = signal;
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let mut shared = lock(&self.0);
        shared.is_aborted = true;
        shared.wake();
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = lock(&self.0).held;
        f.debug_struct("Fetch")
            .field("held", &held)
            .finish_non_exhaustive()
    }
}
