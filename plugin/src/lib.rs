#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(target_family = "wasm")]
compile_error!(
    "bevy_httpoll needs sockets, which WebAssembly does not have: \
     leave it out there by [target.'cfg(not(target_family = \"wasm\"))'.dependencies]"
);

mod agent;
#[cfg(feature = "assets")]
mod assets;
mod budget;
#[cfg(feature = "cache")]
mod cache;
mod cancel;
mod deliver;
#[cfg(feature = "diagnostics")]
pub mod diagnostics;
mod dispatch;
mod events;
mod exit;
mod json;
mod node;
mod options;
mod owner;
mod param;
mod plugin;
#[cfg(feature = "reflect")]
mod reflect;
mod request;
#[cfg(feature = "server")]
mod server;
#[cfg(all(feature = "server", feature = "assets"))]
mod source;
mod state;
mod submit;

pub use agent::HttpAgent;
#[cfg(feature = "assets")]
pub use assets::HttpollAssetPlugin;
pub use budget::{HttpBudget, HttpPace};
#[cfg(feature = "cache")]
pub use cache::HttpCacheFile;
pub use events::{
    CancelHttp, HttpChunk, HttpError, HttpFinished, HttpHead, HttpPhaseChanged, HttpProgressed,
    HttpResponse, HttpServerSentEvent, HttpStatusChanged,
};
#[cfg(feature = "websocket")]
pub use events::{
    HttpWebSocketClosed, HttpWebSocketMessage, HttpWebSocketOpened, SendWebSocketMessage,
};
pub use httpoll;
pub use json::{HttpEntityCommandsExt, HttpJson};
pub use node::HttpClientNode;
pub use options::{HttpDownload, HttpPriority, HttpRepeat, HttpRetry, HttpStream, HttpUpload};
pub use owner::{RequestedBy, Requests};
pub use param::{Http, http_idle, http_in_flight};
pub use plugin::{Configure, HttpOnExit, HttpollPlugin, HttpollSystems};
pub use request::{HttpRequest, KeepRequest};
#[cfg(feature = "server")]
pub use server::{
    HttpCommandsExt, HttpEventPeer, HttpPeerClosed, HttpRequestAborted, HttpRequestReceived,
    HttpServer, HttpServerFailed, HttpServerRequest, HttpServerStarted, HttpServing, ServedBy,
    Serving,
};
#[cfg(all(feature = "server", feature = "websocket"))]
pub use server::{HttpPeerMessage, HttpSocketPeer};
#[cfg(all(feature = "server", feature = "assets"))]
pub use source::AssetSourceRoot;
pub use state::{HttpPhase, HttpProgress};

/// What most programs import.
pub mod prelude {
    #[cfg(all(feature = "server", feature = "assets"))]
    pub use crate::AssetSourceRoot;
    #[cfg(feature = "cache")]
    pub use crate::HttpCacheFile;
    #[cfg(feature = "assets")]
    pub use crate::HttpollAssetPlugin;
    pub use crate::{
        CancelHttp, Http, HttpAgent, HttpBudget, HttpChunk, HttpClientNode, HttpDownload,
        HttpEntityCommandsExt, HttpError, HttpFinished, HttpHead, HttpJson, HttpOnExit, HttpPace,
        HttpPhase, HttpPhaseChanged, HttpPriority, HttpProgress, HttpProgressed, HttpRepeat,
        HttpRequest, HttpResponse, HttpRetry, HttpServerSentEvent, HttpStatusChanged, HttpStream,
        HttpUpload, HttpollPlugin, HttpollSystems, KeepRequest, RequestedBy, Requests, http_idle,
        http_in_flight,
    };
    #[cfg(feature = "server")]
    pub use crate::{
        HttpCommandsExt, HttpEventPeer, HttpPeerClosed, HttpRequestAborted, HttpRequestReceived,
        HttpServer, HttpServerFailed, HttpServerRequest, HttpServerStarted, HttpServing, ServedBy,
        Serving,
    };
    #[cfg(all(feature = "server", feature = "websocket"))]
    pub use crate::{HttpPeerMessage, HttpSocketPeer};
    #[cfg(feature = "websocket")]
    pub use crate::{
        HttpWebSocketClosed, HttpWebSocketMessage, HttpWebSocketOpened, SendWebSocketMessage,
    };
    pub use httpoll::{Budget, Method, Priority, Status};
}

/// The repository's README, so that its code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
