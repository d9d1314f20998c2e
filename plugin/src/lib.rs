#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(all(target_family = "wasm", feature = "server"))]
compile_error!(
    "a page in a browser cannot listen: leave bevy_httpoll's features `server` and `oauth` out on the web"
);

#[cfg(feature = "assets")]
mod assets;
mod commands;
mod components;
mod events;
#[cfg(all(
    any(doc, doctest),
    feature = "assets",
    feature = "cache",
    feature = "oauth",
    feature = "outbox",
    feature = "patch",
    feature = "server",
    feature = "tls",
    feature = "websocket"
))]
pub mod guide;
mod job;
mod jobs;
mod mailbox;
mod plugin;
pub mod prelude;
#[cfg(feature = "reflect")]
mod reflect;
mod resources;
mod schedule;
mod system_param;
mod systems;

#[cfg(feature = "assets")]
pub use assets::plugin::HttpollAssetPlugin;
#[cfg(all(feature = "server", feature = "assets"))]
pub use assets::source_root::AssetSourceRoot;
pub use commands::observe::HttpEntityCommandsExt;
pub use commands::request::RequestCommands;
#[cfg(feature = "server")]
pub use commands::respond::HttpCommandsExt;
pub use components::download::HttpDownload;
pub use components::framing::{HttpFrameFormat, HttpFraming};
pub use components::node::HttpClientNode;
pub use components::owner::{RequestedBy, Requests};
#[cfg(feature = "patch")]
pub use components::patch::HttpPatch;
pub use components::paused::HttpPaused;
pub use components::phase::HttpPhase;
pub use components::priority::HttpPriority;
pub use components::progress::HttpProgress;
pub use components::rate_limit::HttpRateLimit;
#[cfg(feature = "websocket")]
pub use components::reconnect::HttpReconnect;
pub use components::repeat::HttpRepeat;
pub use components::request::HttpRequest;
pub use components::request_end::{DespawnOnFinish, KeepRequest};
pub use components::retry::HttpRetry;
#[cfg(feature = "server")]
pub use components::server::{HttpServer, HttpServing, ServedBy, Serving};
#[cfg(all(feature = "server", feature = "websocket"))]
pub use components::server_peers::HttpSocketPeer;
#[cfg(feature = "server")]
pub use components::server_peers::{HttpEventPeer, HttpServerRequest};
pub use components::stream::HttpStream;
pub use components::upload::HttpUpload;
#[cfg(feature = "websocket")]
pub use components::web_socket::HttpWebSocket;
#[cfg(feature = "patch")]
pub use events::patch::{HttpPatchFailed, HttpPatchFinished, HttpPatchProgressed};
#[cfg(feature = "cache")]
pub use events::request::HttpCacheUpdated;
pub use events::request::{
    CancelHttp, HttpChunk, HttpError, HttpFinished, HttpFramedMessage, HttpHead, HttpJson,
    HttpMessage, HttpOutcome, HttpPhaseChanged, HttpProgressed, HttpResponse, HttpServerSentEvent,
    HttpStatusChanged,
};
#[cfg(feature = "websocket")]
pub use events::request::{
    HttpWebSocketClosed, HttpWebSocketMessage, HttpWebSocketOpened, SendWebSocketMessage,
};
#[cfg(all(feature = "server", feature = "websocket"))]
pub use events::server::HttpPeerMessage;
#[cfg(feature = "server")]
pub use events::server::{
    HttpPeerClosed, HttpRequestAborted, HttpRequestReceived, HttpServerFailed, HttpServerStarted,
};
pub use httpoll;
pub use plugin::{Configure, HttpollPlugin};
pub use resources::agent::HttpAgent;
#[cfg(feature = "assets")]
pub use resources::asset_loads::HttpAssetLoads;
pub use resources::budget::{HttpBudget, HttpPace};
#[cfg(feature = "cache")]
pub use resources::cache_file::HttpCacheFile;
#[cfg(feature = "outbox")]
pub use resources::outbox::HttpOutbox;
pub use resources::snapshot::HttpSnapshot;
pub use schedule::{HttpOnExit, HttpollSystems};
pub use system_param::{Http, http_idle, http_in_flight};
#[cfg(feature = "diagnostics")]
pub use systems::diagnostics;

/// The repository's README, so that its code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
