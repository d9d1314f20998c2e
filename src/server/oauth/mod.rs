//! Login in the player's browser by OAuth 2.0 for native apps (RFC 8252): a loopback server on a free
//! port receives the browser's last request, which holds the authorization code.
//!
//! | module | holds |
//! |---|---|
//! | `authorization_code` | the rules of one login, without sockets and clock (RFC 6749 §4.1, RFC 7636, RFC 9207) |
//! | `server` | the loopback server, driven by polls |
//! | `page` | the pages that the browser shows at the end |
//!
//! A client exchanges the code for tokens; that is not done here.

mod authorization_code;
mod page;
mod server;

pub use authorization_code::{
    AuthorizationCode, CALLBACK_PATH, OAuthError, OAuthLogin, OAuthRequest, code_challenge,
};
pub use page::OAuthAnswer;
pub use server::{OAuthLoopback, OAuthNotStarted};
