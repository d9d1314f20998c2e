//! Sockets, readiness, names, TLS and time: everything that touches the outside world. mio lives in
//! this folder and nowhere else. HTTP does not: what the bytes mean is `proto`'s business.
//!
//! | file | holds |
//! |---|---|
//! | `poll_loop` | one poll of everything that is polled: turns, busy polling, deadlines, sleep |
//! | `system` | which sockets are ready: mio natively, a list in a browser |
//! | `poller` | one poll instance for all machines of a group |
//! | `inbox` | readiness on its way to one machine of a group |
//! | `reactor` | sticky readiness of one machine's sockets, its clock |
//! | `active_time` | the clock's time without the gaps that do not count |
//! | `meter` | counts a [`Budget`](crate::Budget) down |
//! | `cost` | how long work that cannot be cut has recently taken |
//! | `buffer` | pooled receive buffers, handed out without copying |
//! | `socket` | a stream and its registration: TCP, in-memory or the caller's own |
//! | `listener` | an address that accepts connections |
//! | `link` | a socket, with or without TLS on it |
//! | `tunnel`, `socks` | `CONNECT` through an HTTP proxy; the way through a SOCKS5 proxy |
//! | `fetch` | one exchange through the `fetch` of a browser |
//! | `resolver`, `happy_eyeballs` | names to addresses to a connection |
//! | `tls` | the one room that knows rustls |
//! | `throttle` | a token bucket: how many bytes may move now |
//! | `disk` | files that are written and read, on a worker thread |
//! | `web_socket` | the WebSocket of a browser as a stream |
//! | `wake` | what ends a sleep from another thread |
//! | `watch`, `watcher` | a thread that sleeps while nobody polls, and says when a poll is worthwhile |
//! | `memory` | the in-memory network with its virtual clock |
//!
//! What may block: nothing but [`Poller::wait`](poller::Poller::wait), which only waiting calls
//! use, and the threads of the resolver, the disk and the watcher.

mod active_time;
pub(crate) mod buffer;
pub(crate) mod cost;
#[cfg(any(feature = "agent", feature = "server"))]
// Only an agent writes files.
#[cfg_attr(not(feature = "agent"), allow(dead_code))]
pub(crate) mod disk;
#[cfg(target_family = "wasm")]
pub(crate) mod fetch;
pub(crate) mod happy_eyeballs;
mod inbox;
pub(crate) mod link;
#[cfg(feature = "server")]
pub(crate) mod listener;
pub mod memory;
pub(crate) mod meter;
pub(crate) mod poll_loop;
pub(crate) mod poller;
pub(crate) mod reactor;
pub(crate) mod resolver;
pub(crate) mod socket;
pub(crate) mod socks;
pub(crate) mod system;
#[cfg(feature = "agent")]
pub(crate) mod throttle;
pub(crate) mod tls;
pub(crate) mod tunnel;
pub(crate) mod wake;
mod watch;
pub(crate) mod watcher;
#[cfg(all(target_family = "wasm", feature = "agent", feature = "websocket"))]
pub(crate) mod web_socket;
