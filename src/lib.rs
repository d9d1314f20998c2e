//! HTTP/1.1 inside the frame loop of a game: a client and a server that are *polled*, never block, and keep to a
//! budget of time.
//!
//! | you want | use |
//! |---|---|
//! | requests, downloads, event streams, WebSockets | the [agent](#the-agent) |
//! | one connection with every step visible, or a port of Godot code | the [node](#the-node) |
//! | to listen on a port | the [server](#the-server) |
//! | any of it in Bevy | the crate [`bevy_httpoll`](#the-plugin-for-bevy) |
//!
//! The [`guide`] has chapters: getting started, a cookbook, choosing a budget, errors, migration from other crates.
//!
//! # The agent
//!
//! An [`Agent`] sends many [`Request`]s over a pool of connections and reports what happens as [`Event`]s. It follows
//! redirects, retries, keeps cookies and a cache, writes downloads to disk, and reads event streams and WebSockets. It
//! needs the feature `agent`, which is on by default.
//!
//! ```rust,ignore
//! use httpoll::{Agent, Download, Event, Request, RetryPolicy};
//!
//! fn main() -> Result<(), httpoll::Error> {
//!     let mut agent = Agent::new();
//!     let scores = agent.send(Request::get("http://127.0.0.1:8080/files/leaderboard.json"))?;
//!     let pack = agent.send(
//!         Request::get("http://127.0.0.1:8080/bytes/1000000")
//!             .retries(RetryPolicy::standard())
//!             .download_to(Download::to("assets/levels.pak").resume(true)),
//!     )?;
//!     let mut running = vec![scores.id(), pack.id()];
//!     while !running.is_empty() {
//!         agent.poll(); // once per frame; never blocks
//!         while let Some(event) = agent.next_event() {
//!             if event.is_final() {
//!                 running.retain(|id| Some(*id) != event.id());
//!             }
//!             match event {
//!                 Event::Done { id, response } if id == scores.id() => println!("{}", response.text()),
//!                 Event::Progress { id, progress } if id == pack.id() => println!("{:?}", progress.fraction()),
//!                 Event::Failed { error, .. } => eprintln!("{error}"),
//!                 _ => {}
//!             }
//!         }
//!         std::thread::sleep(std::time::Duration::from_millis(16)); // your game draws here
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # The node
//!
//! [`HttpClient`] is Godot's `HTTPClient`, method by method: connect, poll, request, poll, read. The
//! game calls [`poll`](HttpClient::poll) once per frame. A poll reads and writes what the sockets allow until
//! its [`Budget`] is spent, and returns. In a program without frames [`wait`](HttpClient::wait) sleeps in the
//! operating system instead.
//!
//! ```no_run
//! # fn draw_frame() {}
//! use httpoll::{HttpClient, Method, Status};
//!
//! let mut http = HttpClient::new();
//! http.connect_to_host("https://game.example", -1, None)?;
//! let mut body = Vec::new();
//! while http.get_status() == Status::Body || !http.has_response() {
//!     http.poll()?;
//!     if http.get_status() == Status::Connected && !http.has_response() {
//!         http.request(Method::Get, "/leaderboard.json", &[], "")?;
//!     }
//!     // One read a frame would tie the speed to the frame rate: take all that the frame brings.
//!     while http.get_status() == Status::Body {
//!         let chunk = http.read_response_body_chunk()?;
//!         if chunk.is_empty() {
//!             break;
//!         }
//!         body.extend_from_slice(&chunk);
//!     }
//!     draw_frame();
//! }
//! # Ok::<(), httpoll::Error>(())
//! ```
//!
//! # The server
//!
//! The module [`server`] has routes, files, event streams and WebSockets, polled in the same loop. It needs the feature
//! `server`.
//!
//! ```no_run
//! # #[cfg(feature = "server")]
//! # fn serve() -> Result<(), httpoll::Error> {
//! # fn draw_frame(_: &mut httpoll::server::Server) {}
//! use httpoll::server::{Request, Server};
//!
//! let mut server = Server::bind("127.0.0.1:0")?;
//! server.route("GET", "/hello/:name", |request: &mut Request| {
//!     format!("hello, {}", request.param("name").unwrap_or_default())
//! })?;
//! while !server.is_closed() {
//!     server.poll()?; // once per frame; never blocks
//!     draw_frame(&mut server);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The plugin for Bevy
//!
//! In the crate [`bevy_httpoll`](https://docs.rs/bevy_httpoll) a request is an entity, and its response an event:
//!
//! ```rust,ignore
//! use std::time::Duration;
//!
//! use bevy_app::{App, AppExit, ScheduleRunnerPlugin, Startup};
//! use bevy_ecs::prelude::*;
//! use bevy_httpoll::prelude::*;
//!
//! fn main() {
//!     App::new()
//!         .add_plugins(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16)))
//!         .add_plugins(HttpollPlugin::default())
//!         .add_systems(Startup, fetch)
//!         .run();
//! }
//!
//! fn fetch(mut commands: Commands) {
//!     commands
//!         .spawn(HttpRequest::get("http://127.0.0.1:8080/files/leaderboard.json"))
//!         .observe(|on: On<HttpResponse>, mut exit: MessageWriter<AppExit>| {
//!             println!("{} with {} bytes", on.status(), on.body.len());
//!             exit.write(AppExit::Success);
//!         })
//!         .observe(|on: On<HttpError>, mut exit: MessageWriter<AppExit>| {
//!             eprintln!("{}", on.error);
//!             exit.write(AppExit::error());
//!         });
//! }
//! ```
//!
//! # When the network is used
//!
//! A node uses the network only in `poll`, `wait`, `connect_to_host` and `read_response_body_chunk`, and dropping it
//! closes its socket before the call returns. An agent and a server read and write in `poll` and `wait`; an agent also in
//! `wait_for`, and in `next_event`, which reads on when it hands out streamed content. After an error every method may
//! still be called.
//!
//! # Errors
//!
//! Every failure is an [`Error`]: its [`kind`](Error::kind) says what failed, and thereby whose fault it is;
//! its [`phase`](Error::phase), [`origin`](Error::origin), [`url`](Error::url) and
//! [`path`](Error::path) say where; [`is_retryable`](Error::is_retryable) says whether sending the same
//! request again may succeed and can do no harm.
//!
//! | whose fault | kinds | what to do |
//! |---|---|---|
//! | the caller | [`Misuse`](ErrorKind::Misuse), [`RequestBody`](ErrorKind::RequestBody), `Form` | Correct the call or the content. A call that is a `Misuse` changed nothing. |
//! | a policy that the caller set | `Access`, `Redirect`, `Refused`, `TotalTimeout`, [`Limit`](ErrorKind::Limit), [`Timeout`](ErrorKind::Timeout) | It did what it is for. Raise the named setting if the request is legitimate. |
//! | this machine | `File`, `Patch`, [`NetworkFault::System`](error::NetworkFault::System) | Free space or permissions, or close other files and sockets. |
//! | the network | [`Network`](ErrorKind::Network), [`Truncated`](ErrorKind::Truncated), [`Proxy`](ErrorKind::Proxy) | Try again later, or let a `RetryPolicy` do it. Tell the player about the connection. |
//! | the server | [`Peer`](ErrorKind::Peer), [`Tls`](ErrorKind::Tls), `Status`, `Auth`, `Coding`, `EventStream`, `Frame`, `InvalidJson`, `WebSocket` | A retry rarely helps. Report it to the operator of the server, or check address and credentials. |
//! | httpoll | [`Internal`](ErrorKind::Internal) | A bug of ours. Please report the text. Other requests are not affected. |
//!
//! # Where things are
//!
//! At the root are the names that every program needs; the rest is in modules by subject.
//!
//! | module | holds |
//! |---|---|
//! | [`node`] | [`HttpClient`], [`Status`], [`Method`] and the rest of Godot's `HTTPClient` |
//! | [`agent`] | [`Agent`], [`Request`], [`Response`], [`Event`], [`Download`], [`Priority`] and their settings |
//! | [`budget`] | what a poll may cost, and when the next is wanted: [`Budget`], [`Polled`], [`PollAt`] |
//! | [`clock`] | the clock that the library reads: the standard library's natively, the browser's on the web |
//! | [`error`] | [`Error`], [`ErrorKind`] and every fault that a kind names |
//! | [`limits`] | how much a peer may send; [`Timeouts`] says how long each [`Phase`] may take |
//! | [`redirect`], [`retry`], [`circuit`], [`access`], [`proxy`], [`auth`], [`netrc`] | what an agent may do, and with which credentials |
//! | [`cookies`], [`cache`] | what an agent remembers |
//! | [`coding`], [`range`], [`multipart`] | content: codings, parts, forms |
//! | [`event_stream`], [`frames`], [`websocket`] | messages in a stream |
//! | [`resolver`], [`tls`], [`stream`] | names, TLS, a caller's own streams |
//! | [`server`] | the server |
//! | [`outbox`] | telemetry that arrives: events in a file, sent in batches |
//! | [`patch`] | sets of files, brought up to date by a manifest |
//! | [`proto`] | HTTP/1.1 as bytes in and events out, both roles |
//! | [`memory`], [`mock`] | tests without a network; the second with the feature `test-util` |
//! | [`recording`] | requests and their responses, recorded in a file |
//! | [`bad_input`] | what each kind of bad input causes |
//!
//! # On the web
//!
//! For `wasm32-unknown-unknown` the same types are backed by the browser's `fetch`: call `poll` in each animation
//! frame. `https` works with and without the feature `tls`. A page can do less than a program, and what it cannot do
//! is never ignored where that could do harm: it fails with [`Misuse::NotOnWeb`](error::Misuse::NotOnWeb), which
//! names it, when the request is sent.
//!
//! | what | on the web |
//! |---|---|
//! | features `server`, `oauth`, `archive`, `full` | do not compile |
//! | TLS options, proxies, SOCKS, a caller's own stream, `Digest`, `CONNECT`, `TRACE`, request targets, the headers that only a browser sets (`Host`, `Cookie`, `Connection`, `Expect` and others) | error |
//! | files by path as content | error: a page has no paths. A `File` or `Blob` of the page is content, or a part of a form, by `httpoll::page::PageFile`, and is never copied into the memory of the program; content from memory or a reader works |
//! | downloads to files | into the origin private file system, with resume and checks as natively. `httpoll::opfs` finds a file by its name, reads it, and hands it to the page as a `File`. A full quota is [`DiskFault::QuotaExceeded`](error::DiskFault::QuotaExceeded); a page that is neither `https` nor on loopback, a private window of Firefox or Safari, and WebKitGTK have no such files: [`NoFileSystem`](error::DiskFault::NoFileSystem) |
//! | WebSockets | the browser's, with the same events. Headers and credentials are an error; nothing tells why one could not be opened, unless a rule of the page or the browser forbids it, and Firefox itself waits up to a minute before it tries a server again that it could not reach; pings are not sent; a message is read whole before its size is judged |
//! | redirects | the browser follows them, up to its own limit; `Response::was_redirected` and the final URL are reported, hops are not |
//! | no redirects (`RedirectPolicy::none`), an `AccessPolicy`, a secret header | the browser must not follow: a redirect is the error `NotFollowedOnWeb` |
//! | an `AccessPolicy` about addresses | error, unless `non_public_addresses` is set: a page sees no addresses |
//! | cookies | the browser's; `RequestOptions::credentials_mode` says when they are sent; a `CookieJar` is an error |
//! | cache | `CacheMode` is Fetch's `cache` for the browser's own (WebKitGTK asks the server in spite of `OnlyIfCached`); an `HttpCache` works in memory |
//! | content codings, `100 Continue`, resolver, address family, HSTS lists, idle ages, `User-Agent` | the browser's; the settings do nothing |
//! | retries, timeouts, priorities, queue, pool limits, rates, budgets, event streams | as natively; pause and rates hold back the delivery, while the browser reads ahead |
//! | upload progress | counts what was really sent, of content of at least 64 KiB whose response is collected; see below. Otherwise it counts what the browser was given, which takes the content whole |
//! | timings of lookup, connection and TLS; addresses; `TlsInfo`; trailers; interim responses | none |
//! | `wait`, blocking mode, `on_thread` | return at once; off; without a thread |
//! | relative URLs without a base URL | resolved against the page |
//!
//! A server of another origin must allow the page to read its responses (CORS). If it does not, the error is
//! [`NetworkFault::CorsRefused`](error::NetworkFault::CorsRefused) in debug builds, which ask the server once more to
//! find out, and [`NetworkFault::FetchFailed`](error::NetworkFault::FetchFailed) otherwise, because a browser reports
//! an unreachable server of another origin in the same way. What the browser does not send at all is
//! [`NetworkFault::Blocked`](error::NetworkFault::Blocked), with the rule as its source. None of them is retried.
//!
//! `fetch` does not tell how much of a request it has sent, so uploads go through `XMLHttpRequest` where nothing else
//! changes by it:
//!
//! * The content has at least 64 KiB, and the response is collected. It is handed over as a whole then: of one that is
//!   cut short nothing is kept, and a redirect back to the same URL is not reported.
//! * The request has no cache mode, no `keepalive`, no `CredentialsMode::Omit`, and nothing that forbids redirects (an
//!   `AccessPolicy`, a secret header, `RedirectPolicy::none`).
//! * Its origin is that of the page, or the browser asks for permission first anyway. A watched upload always makes
//!   the browser ask another origin (CORS preflight), and not every server has a response to that. A plain `POST` of a
//!   form or a text to another origin is asked for nothing, so its progress is not counted; add a header of your own,
//!   such as `X-Requested-With`, if the server allows it and you want the progress.
//!
//! While such a request is sent, its phase is [`SendBody`](Phase::SendBody), and the timeout for stalls applies to it.
//! Without that, the time of an upload is part of the wait for the head, so set `Timeouts::head` accordingly.
//!
//! A tab that is hidden gets no animation frames, so nothing is polled there. A loop that waits freezes the page.
//!
//! # Features
//!
//! * `tls` (default): HTTPS by rustls with ring and Mozilla's roots. Without it [`TlsOptions`](tls::TlsOptions) has no
//!   values, and `https` is refused.
//! * `platform-verifier`: the system decides which certificates it trusts, on a thread of its own.
//! * `certificate-facts`: names, validity and fingerprint of a server's certificate.
//! * `agent` (default): the agent. What costs it dependencies is apart: `cookies`, `cache`, `gzip`,
//!   `brotli`, `zstd`, `multipart`, `digest-auth`, `sha256`, `outbox`, `patch`.
//! * `websocket`: WebSockets of agent and server.
//! * `server`: the server. Apart from it: `templates` (pages by MiniJinja), `oauth` (login in the player's browser),
//!   `archive` (files out of ZIP archives).
//! * `test-util`: `mock`, for tests of games. `full` is every feature except `test-util`.
//!
// Documentation that is built without a feature leads to the module elsewhere.
#![cfg_attr(
    not(feature = "cache"),
    doc = "[`cache`]: https://docs.rs/httpoll/latest/httpoll/cache/"
)]
#![cfg_attr(
    not(feature = "cookies"),
    doc = "[`cookies`]: https://docs.rs/httpoll/latest/httpoll/cookies/"
)]
#![cfg_attr(
    not(feature = "test-util"),
    doc = "[`mock`]: https://docs.rs/httpoll/latest/httpoll/mock/"
)]
#![cfg_attr(
    not(feature = "multipart"),
    doc = "[`multipart`]: https://docs.rs/httpoll/latest/httpoll/multipart/"
)]
#![cfg_attr(
    not(feature = "outbox"),
    doc = "[`outbox`]: https://docs.rs/httpoll/latest/httpoll/outbox/"
)]
#![cfg_attr(
    not(feature = "patch"),
    doc = "[`patch`]: https://docs.rs/httpoll/latest/httpoll/patch/"
)]
#![cfg_attr(
    not(feature = "server"),
    doc = "[`server`]: https://docs.rs/httpoll/latest/httpoll/server/"
)]
#![cfg_attr(
    not(feature = "websocket"),
    doc = "[`websocket`]: https://docs.rs/httpoll/latest/httpoll/websocket/"
)]
#![cfg_attr(
    not(all(feature = "full", feature = "test-util")),
    doc = "[`guide`]: https://docs.rs/httpoll/latest/httpoll/guide/"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(all(target_family = "wasm", not(target_os = "unknown")))]
compile_error!(
    "httpoll runs on the web by wasm32-unknown-unknown and the browser's fetch; it does not know emscripten and wasi"
);
#[cfg(all(target_family = "wasm", feature = "server"))]
compile_error!(
    "a page in a browser cannot listen: leave httpoll's features `server`, `archive`, `oauth` and `full` out on the web"
);

#[cfg(feature = "agent")]
mod address_class;
#[cfg(feature = "agent")]
pub mod agent;
#[doc = include_str!("bad_input.md")]
pub mod bad_input {}
pub mod budget;
pub mod clock;
mod connection;
pub mod error;
mod exclusive;
mod file_name;
#[cfg(all(fuzzing, feature = "full"))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
#[cfg(all(any(doc, doctest), feature = "full", feature = "test-util"))]
pub mod guide;
pub mod limits;
#[cfg(feature = "test-util")]
pub mod mock;
pub mod node;
#[cfg(feature = "outbox")]
pub mod outbox;
#[cfg(target_family = "wasm")]
mod page_file;
#[cfg(feature = "patch")]
pub mod patch;
mod phase;
pub mod proto;
mod random;
mod read_once;
pub mod recording;
mod semantics;
#[cfg(feature = "server")]
pub mod server;
mod transport;

pub use bytes::Bytes;

#[cfg(feature = "agent")]
pub use agent::{Agent, Download, Event, Priority, Request, RequestHandle, RequestId, Response};
pub use budget::{Budget, PollAt, Polled};
pub use error::{Error, ErrorKind};
pub use group::{GroupMember, PollGroup};
pub use limits::Limits;
pub use node::{HttpClient, Method, Status};
pub use phase::{Phase, Timeouts};
#[cfg(feature = "agent")]
pub use retry::RetryPolicy;
pub use transport::memory;

/// Where a request may go: to which hosts, to which kinds of addresses.
#[cfg(feature = "agent")]
pub mod access {
    pub use crate::address_class::AddressClass;
    pub use crate::error::InvalidHostPattern;
    pub use crate::semantics::access::{AccessPolicy, HostPattern};
}

/// Credentials of a request (RFC 7617, RFC 6750, RFC 7616).
#[cfg(feature = "agent")]
pub mod auth {
    pub use crate::semantics::auth::Credentials;
}

/// The private cache of an agent (RFC 9111).
#[cfg(feature = "cache")]
pub mod cache {
    pub use crate::semantics::cache::{CacheSnapshot, CachedResponse, HttpCache};
}

/// When an agent stops asking an origin that keeps failing.
#[cfg(feature = "agent")]
pub mod circuit {
    pub use crate::semantics::circuit::{CircuitPolicy, OpenCircuitPolicy};
}

/// Content codings: `gzip`, `deflate`, `br` and `zstd` (RFC 9110 §8.4.1).
#[cfg(feature = "agent")]
pub mod coding {
    pub use crate::semantics::coding::CodingLimits;
}

/// Cookies and the jar that keeps them (RFC 6265bis).
#[cfg(feature = "cookies")]
pub mod cookies {
    pub use crate::semantics::cookies::{Cookie, CookieJar};
    pub use crate::semantics::same_site::SameSite;
}

/// Server-sent events (WHATWG HTML §9.2).
#[cfg(any(feature = "agent", feature = "server"))]
pub mod event_stream {
    pub use crate::semantics::event_stream::{EventStreamParser, ServerSentEvent};
}

/// Messages inside of one stream of content: JSON lines, and frames with a length in front.
#[cfg(any(feature = "agent", feature = "server"))]
pub mod frames {
    pub use crate::semantics::frames::{Framing, JsonLines, LengthPrefix, LengthPrefixed, Message};
}

/// Forms with files (RFC 7578).
#[cfg(all(feature = "agent", feature = "multipart"))]
pub mod multipart {
    pub use crate::semantics::multipart::{Form, Part};
}

/// Names and passwords from a `.netrc` file.
#[cfg(feature = "agent")]
pub mod netrc {
    pub use crate::error::NetrcError;
    pub use crate::semantics::netrc::Netrc;
}

/// Which proxy a request goes through.
#[cfg(feature = "agent")]
pub mod proxy {
    pub use crate::error::InvalidProxy;
    pub use crate::semantics::proxy_rules::ProxySettings;
}

/// Parts of a representation (RFC 9110 §14).
#[cfg(feature = "agent")]
pub mod range {
    pub use crate::semantics::range::RangeSpec;
}

/// Which redirects are followed, and with what (RFC 9110 §15.4).
#[cfg(feature = "agent")]
pub mod redirect {
    pub use crate::semantics::redirect::RedirectPolicy;
}

/// Host names and their addresses.
pub mod resolver {
    pub use crate::transport::resolver::Resolver;
}

/// When a failed request is sent again.
#[cfg(feature = "agent")]
pub mod retry {
    pub use http::StatusCode;

    pub use crate::semantics::retry::RetryPolicy;
}

/// Files of the origin private file system, in which downloads of a page are, by their names.
#[cfg(all(target_family = "wasm", feature = "agent"))]
pub mod opfs {
    pub use crate::transport::disk::stored::{file, read, remove, write};
}

/// Files that a page hands in, as the content of requests and as parts of forms.
#[cfg(target_family = "wasm")]
pub mod page {
    pub use crate::page_file::PageFile;
}

/// A caller's own stream in the place of a socket.
pub mod stream {
    pub use crate::transport::socket::NonblockingStream;
}

/// TLS: what a client trusts and shows, and what was agreed upon (RFC 8446, RFC 5246).
pub mod tls {
    #[cfg(any(feature = "tls", target_family = "wasm"))]
    pub use crate::transport::tls::TlsOptionsBuilder;
    #[cfg(feature = "certificate-facts")]
    pub use crate::transport::tls::{CertificateFacts, SubjectAlternativeName};
    pub use crate::transport::tls::{TlsInfo, TlsOptions, TlsVersion};
}

/// WebSocket messages, close codes and settings of both sides (RFC 6455). How a client opens one is in
/// `agent`, how a server accepts one in `server`.
#[cfg(all(feature = "websocket", any(feature = "agent", feature = "server")))]
pub mod websocket {
    pub use crate::semantics::websocket::{
        CloseFrame, WebSocketConfig, WebSocketMessage, close_code,
    };
}
