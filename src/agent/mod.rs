//! Many requests, one polled object.
//!
//! [`Agent`] sends any number of [`Request`]s over a pool of connections: send a request, call
//! [`poll`](Agent::poll) once a frame, pull [`Event`]s. It follows redirects, retries, keeps cookies,
//! caches, writes downloads to disk, and shares one [`Budget`](crate::Budget) among all of it.
//!
//! | file | holds |
//! |---|---|
//! | `agent`, `builder`, `suspending`, `thread_switch` | the agent, and how it is made, suspended and moved to a thread |
//! | `verbs`, `sent_requests`, `handle`, `id` | sending requests, and what a caller does with those that it sent |
//! | `request`, `options`, `settings`, `content`, `output`, `download` | what the caller asks for |
//! | `config`, `prepared`, `request_head` | the agent's defaults; a request ready to be sent; its head |
//! | `payload`, `content_files`, `content_flow` | the content of a request, ready to be sent |
//! | `downloading`, `validators` | a response on its way into a file |
//! | `event`, `response`, `request_result` | what the caller gets |
//! | `shared_rates` | the bandwidth that requests share |
//! | `snapshot` | what the agent is doing, for inspectors |
//! | `claims`, `claimed_requests` | requests of the modules above |
//! | `transfer` | the state of one request over its redirects and retries |
//! | `pool` | connections, and the requests that wait for them |
//! | `engine` | drives all transfers |
//! | `engine_thread` | runs the engine on a thread of its own |
//! | `on_web` | what is refused or left to the browser on the web |
//! | `polling` | the agent as a member of a poll group |
//! | `web_socket` | WebSockets (RFC 6455) |
//!
//! ```text
//!  send ─► Opening ─► Queued ─► Connecting ─► Sent ─► Receiving ─► Received ─► Done | Failed
//!          files        ▲                                             │
//!                       ├──────────── redirect, 401, … ◄──────────────┤
//!                       └──────────── Waiting (retry) ◄───────────────┘
//!
//!  pause, suspend ─► Suspended ─► Queued          a download: Received ─► Committing ─► Done
//! ```

// The module holds the type after which it is named.
#[allow(clippy::module_inception)]
mod agent;
mod builder;
#[cfg(any(feature = "outbox", feature = "patch"))]
mod claimed_requests;
#[cfg(any(feature = "outbox", feature = "patch"))]
mod claims;
mod config;
mod content;
mod content_files;
mod content_flow;
mod download;
mod downloading;
mod engine;
mod engine_thread;
mod event;
mod handle;
mod id;
#[cfg(target_family = "wasm")]
mod on_web;
mod options;
mod output;
mod payload;
mod polling;
mod pool;
mod prepared;
mod request;
mod request_head;
mod request_result;
mod response;
mod sent_requests;
mod settings;
mod shared_rates;
mod snapshot;
mod suspending;
mod thread_switch;
mod transfer;
mod validators;
mod verbs;
mod waiting_events;
#[cfg(feature = "websocket")]
mod web_socket;

pub use agent::Agent;
pub use builder::AgentBuilder;
pub use download::Download;
pub use event::{Event, Progress, RetryCause};
pub use handle::RequestHandle;
pub use id::RequestId;
pub use options::RequestOptions;
pub use pool::{PoolLimits, QueueReason};
pub use request::Request;
pub use request_result::HttpRequestResult;
pub use response::{ConnectionInfo, Hop, Response, SavedFile, Timings, Transferred};
pub use settings::{AddressFamily, CacheMode, CredentialsMode, Priority};
pub use snapshot::{
    AgentSnapshot, ConnectionSnapshot, ConnectionState, HostSnapshot, QueueSnapshot,
    RequestSnapshot,
};
#[cfg(feature = "websocket")]
pub use web_socket::WebSocketOptions;
