//! The server, polled in the same loop.
//!
//! | room | holds |
//! |---|---|
//! | `host`, `forwarded` | for which host a request is, and who sent it, behind trusted proxies too |
//! | `mime`, `redirect`, `set_cookie`, `date` | single fields of answers |

mod date;
mod host;
mod mime;
mod redirect;
mod set_cookie;

pub use host::{HostField, InvalidHost};
pub use mime::content_type;
pub use redirect::{DEFAULT_REDIRECT, InvalidRedirect, redirect_location};
pub use set_cookie::{InvalidSetCookie, SameSite, SetCookie};
