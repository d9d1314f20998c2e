//! The cookie attribute `SameSite` (RFC 6265bis §5.6.7), for cookie jars and for servers. Cookies
//! themselves are in `cookies`.

/// Which requests a browser sends a cookie with. The RFC has these three values and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Only requests that a page of the same site makes.
    Strict,
    /// Also requests that open a page of the site from another site, such as following a link.
    Lax,
    /// All requests. Browsers accept this only for secure cookies, so a server that sets it also
    /// makes the cookie secure.
    None,
}
