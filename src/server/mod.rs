//! The server, polled in the same loop.
//!
//! | room | holds |
//! |---|---|
//! | `host`, `forwarded` | for which host a request is, and who sent it, behind trusted proxies too |
//! | `files` | static files: paths that do no harm, roots, ranges, validators |
//! | `guard` | who may ask: Host and Origin, CORS, tokens, credentials, rates |
//! | `oauth_loopback` | login in the browser, ending at a port of this machine |
//! | `port_file` | which ports to try, and how tools find the one it became |
//! | `access_log` | what was asked and answered |
//! | `multipart` | forms with files, read as they come |
//! | `target` | the parts of a request target |
//! | `mime`, `redirect`, `set_cookie`, `fixdate` | single fields of answers |

mod access_log;
mod files;
mod fixdate;
mod forwarded;
mod guard;
mod host;
mod mime;
mod multipart;
#[cfg(feature = "oauth")]
mod oauth_loopback;
mod port_file;
mod private_file;
mod redirect;
mod set_cookie;
mod target;

pub use access_log::{AccessLog, AccessRecord};
#[cfg(feature = "archive")]
pub use files::ArchiveRoot;
pub use files::{
    Asset, AssetBody, AssetContent, AssetPath, AssetRoot, DotFiles, EmbeddedRoot, FileBody,
    FilePlan, FileRoots, FolderRoot, Listed, PathFault, ReadSeek, StaticFiles, Symlinks,
};
pub use forwarded::{ForwardedBy, ForwardedClient, InvalidIpNetwork, IpNetwork, TrustedProxies};
pub use guard::{
    Auth, Cors, Guard, GuardRequest, InvalidAuth, InvalidCors, InvalidOrigin, RUN_TOKEN_FIELD,
    RUN_TOKEN_QUERY, RateLimit, RateRule, Refusal, RefusalReason, RunToken, TokenScope, Verdict,
    WebOrigin,
};
pub use host::{HostField, InvalidHost};
pub use mime::content_type;
pub use multipart::{
    FileContent, Form, FormField, FormReader, MultipartError, MultipartEvent, MultipartLimit,
    MultipartLimits, MultipartParser, MultipartStep, PartHead, SpillFile, SpillStore, TempFolder,
    UploadedFile,
};
#[cfg(feature = "oauth")]
pub use oauth_loopback::{
    AuthorizationCode, CALLBACK_PATH, OAuthAnswer, OAuthError, OAuthLogin, OAuthRequest,
};
pub use port_file::{InvalidPortFile, PortFile, PortHunt, WrittenPortFile};
pub use redirect::{DEFAULT_REDIRECT, InvalidRedirect, redirect_location};
pub use set_cookie::{InvalidSetCookie, SameSite, SetCookie};
