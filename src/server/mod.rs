//! The server, polled in the same loop.
//!
//! | room | holds |
//! |---|---|
//! | `host`, `forwarded` | for which host a request is, and who sent it, behind trusted proxies too |
//! | `guard` | who may ask: Host and Origin, CORS, tokens, credentials, rates |
//! | `mime`, `redirect`, `set_cookie`, `date` | single fields of answers |

mod date;
mod forwarded;
mod guard;
mod host;
mod mime;
mod redirect;
mod set_cookie;

pub use forwarded::{Client, ForwardedBy, InvalidIpNetwork, IpNetwork, TrustedProxies};
pub use guard::{
    Auth, Cors, Guard, GuardRequest, InvalidAuth, InvalidCors, InvalidOrigin, RUN_TOKEN_FIELD,
    RUN_TOKEN_QUERY, RateLimit, RateRule, Refusal, RefusalReason, RunToken, TokenScope, Verdict,
    WebOrigin,
};
pub use host::{HostField, InvalidHost};
pub use mime::content_type;
pub use redirect::{DEFAULT_REDIRECT, InvalidRedirect, redirect_location};
pub use set_cookie::{InvalidSetCookie, SameSite, SetCookie};
