//! What most programs import: all components, events and resources of the plugin, its system parameter
//! and run conditions, and the few types of `httpoll` that their fields use.

#[cfg(feature = "websocket")]
pub use httpoll::websocket::WebSocketMessage;
pub use httpoll::{Budget, Method, Priority, Status};

#[cfg(feature = "assets")]
pub use crate::assets::plugin::HttpollAssetPlugin;
#[cfg(all(feature = "server", feature = "assets"))]
pub use crate::assets::source_root::AssetSourceRoot;
pub use crate::commands::observe::HttpEntityCommandsExt;
#[cfg(feature = "server")]
pub use crate::commands::respond::HttpCommandsExt;
pub use crate::components::download::HttpDownload;
pub use crate::components::framing::{HttpFrameFormat, HttpFraming};
pub use crate::components::node::HttpClientNode;
pub use crate::components::owner::{RequestedBy, Requests};
#[cfg(feature = "patch")]
pub use crate::components::patch::HttpPatch;
pub use crate::components::paused::HttpPaused;
pub use crate::components::phase::HttpPhase;
pub use crate::components::priority::HttpPriority;
pub use crate::components::progress::HttpProgress;
pub use crate::components::rate_limit::HttpRateLimit;
#[cfg(feature = "websocket")]
pub use crate::components::reconnect::HttpReconnect;
pub use crate::components::repeat::HttpRepeat;
pub use crate::components::request::HttpRequest;
pub use crate::components::request_end::{DespawnOnFinish, KeepRequest};
pub use crate::components::retry::HttpRetry;
#[cfg(feature = "server")]
pub use crate::components::server::{HttpServer, HttpServing, ServedBy, Serving};
#[cfg(all(feature = "server", feature = "websocket"))]
pub use crate::components::server_peers::HttpSocketPeer;
#[cfg(feature = "server")]
pub use crate::components::server_peers::{HttpEventPeer, HttpServerRequest};
pub use crate::components::stream::HttpStream;
pub use crate::components::upload::HttpUpload;
#[cfg(feature = "websocket")]
pub use crate::components::web_socket::HttpWebSocket;
#[cfg(feature = "patch")]
pub use crate::events::patch::{HttpPatchFailed, HttpPatchFinished, HttpPatchProgressed};
#[cfg(feature = "cache")]
pub use crate::events::request::HttpCacheUpdated;
pub use crate::events::request::{
    CancelHttp, HttpChunk, HttpError, HttpFinished, HttpFramedMessage, HttpHead, HttpJson,
    HttpMessage, HttpOutcome, HttpPhaseChanged, HttpProgressed, HttpResponse, HttpServerSentEvent,
    HttpStatusChanged,
};
#[cfg(feature = "websocket")]
pub use crate::events::request::{
    HttpWebSocketClosed, HttpWebSocketMessage, HttpWebSocketOpened, SendWebSocketMessage,
};
#[cfg(all(feature = "server", feature = "websocket"))]
pub use crate::events::server::HttpPeerMessage;
#[cfg(feature = "server")]
pub use crate::events::server::{
    HttpPeerClosed, HttpRequestAborted, HttpRequestReceived, HttpServerFailed, HttpServerStarted,
};
pub use crate::plugin::HttpollPlugin;
pub use crate::resources::agent::HttpAgent;
#[cfg(feature = "assets")]
pub use crate::resources::asset_loads::HttpAssetLoads;
pub use crate::resources::budget::{HttpBudget, HttpPace};
#[cfg(feature = "cache")]
pub use crate::resources::cache_file::HttpCacheFile;
#[cfg(feature = "outbox")]
pub use crate::resources::outbox::HttpOutbox;
pub use crate::resources::snapshot::HttpSnapshot;
pub use crate::schedule::{HttpOnExit, HttpollSystems};
pub use crate::system_param::{Http, http_idle, http_in_flight};
