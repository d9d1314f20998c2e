//! The pages that the browser shows at the end of a login. They contain nothing from the request.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The response to one request, and whether it ends the login.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthAnswer {
    /// The status.
    pub status: StatusCode,
    /// The fields, including the content type.
    pub headers: HeaderMap,
    /// The page.
    pub body: String,
    /// Whether the login has ended: then send this response, close the server, and take the
    /// [`outcome`](crate::server::oauth::OAuthLogin::take_outcome).
    pub is_last: bool,
}

/// Title and text of a page.
pub(super) struct Page(&'static str, &'static str);

pub(super) const WELCOME: Page = Page(
    "You are logged in",
    "You can close this window and go back to the game.",
);
pub(super) const FAILED: Page = Page(
    "The login did not work",
    "You can close this window. The game knows more.",
);
pub(super) const NOT_THIS_LOGIN: Page = Page(
    "This is not the login that the game waits for",
    "Please use the window that the game opened, or start again from the game.",
);
pub(super) const OVER: Page = Page(
    "This login is over",
    "You can close this window and go back to the game.",
);
pub(super) const NOTHING_HERE: Page = Page("Nothing here", "Please go back to the game.");

/// A page that no cache stores, and whose address is not sent to other sites.
pub(super) fn answer(status: StatusCode, Page(title, text): Page) -> OAuthAnswer {
    let fields = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ];
    let field = |(name, value): (HeaderName, &'static str)| (name, HeaderValue::from_static(value));
    OAuthAnswer {
        status,
        headers: fields.map(field).into_iter().collect::<HeaderMap>(),
        body: format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>body{{font:1.1em system-ui,sans-serif;margin:20vh auto;max-width:30em;\
             padding:0 1em;text-align:center}}@media(prefers-color-scheme:dark)\
             {{body{{background:#181a1f;color:#e8e8e8}}}}</style>\
             <h1>{title}</h1><p>{text}</p></html>"
        ),
        is_last: false,
    }
}
