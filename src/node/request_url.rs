//! An absolute URL, split into the arguments of the node's methods.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::error::{Error, Misuse};

/// An `http` or `https` URL in the parts that [`HttpClient`](crate::HttpClient) needs: host and port for
/// `connect_to_host`, and a target for `request`.
///
/// ```
/// let url = httpoll::node::RequestUrl::parse("https://game.example:8443/scores?top=10")?;
/// assert_eq!(url.host, "https://game.example");
/// assert_eq!(url.port, 8443);
/// assert_eq!(url.target, "/scores?top=10");
/// # Ok::<(), httpoll::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestUrl {
    /// The host with its scheme, from which `connect_to_host` decides whether to use TLS.
    pub host: String,
    /// The port; the scheme's default if the URL contains none.
    pub port: i32,
    /// Path and query, percent-encoded.
    pub target: String,
    /// A header with Basic credentials (RFC 7617), if the URL contains a user name or password.
    pub authorization: Option<String>,
}

impl RequestUrl {
    /// Parses a URL by the URL Standard. International names, spaces and non-ASCII characters are encoded,
    /// and a fragment is removed.
    ///
    /// # Errors
    /// [`Misuse::InvalidUrl`], with the text and the reason, for text that is not a URL, and for
    /// schemes other than `http` and `https`.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let invalid = || Error::from(Misuse::InvalidUrl).for_text(url);
        let url = Url::parse(url).map_err(|error| invalid().with_source(error))?;
        let (Some(host), "http" | "https") = (url.host_str(), url.scheme()) else {
            return Err(invalid());
        };
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        Ok(Self {
            host: format!("{}://{host}", url.scheme()),
            port: url.port_or_known_default().map_or(-1, i32::from),
            target: url[Position::BeforePath..Position::AfterQuery].to_owned(),
            authorization: has_credentials.then(|| basic(&url)),
        })
    }
}

fn basic(url: &Url) -> String {
    let mut plain = percent_decode_str(url.username()).collect::<Vec<u8>>();
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    format!("Authorization: Basic {}", STANDARD.encode(plain))
}

impl std::fmt::Debug for RequestUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Queries and credentials are not shown.
        f.debug_struct("RequestUrl")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn urls_are_split_into_host_port_and_target() {
        for (url, host, port, target) in [
            ("http://a.b", "http://a.b", 80, "/"),
            ("HTTPS://A.B?x=1", "https://a.b", 443, "/?x=1"),
            ("http://[::1]:8080/x", "http://[::1]", 8080, "/x"),
            (
                "http://bücher.example/ü x#f",
                "http://xn--bcher-kva.example",
                80,
                "/%C3%BC%20x",
            ),
            (
                "http://a.b/x?next=http://c/",
                "http://a.b",
                80,
                "/x?next=http://c/",
            ),
        ] {
            let parts = RequestUrl::parse(url).unwrap();
            assert_eq!((parts.host.as_str(), parts.port), (host, port), "{url}");
            assert_eq!(parts.target, target, "{url}");
            assert_eq!(parts.authorization, None);
        }
    }

    #[test]
    fn userinfo_becomes_credentials_decoded_once() {
        let url = RequestUrl::parse("http://us%65r:p%40ss@a.b/").unwrap();
        let line = "Authorization: Basic dXNlcjpwQHNz";
        assert_eq!(url.authorization.as_deref(), Some(line));
        assert!(!format!("{url:?}").contains("dXNl"));
    }

    #[test]
    fn text_that_is_not_an_http_url_is_refused() {
        for url in [
            "",
            "a.b",
            "/x",
            "ftp://a.b/",
            "http://",
            "http://a b/",
            "http://a:99999/",
            "file:///x",
        ] {
            let error = RequestUrl::parse(url).unwrap_err();
            assert_eq!(
                error.kind(),
                &ErrorKind::Misuse(Misuse::InvalidUrl),
                "{url}"
            );
            assert_eq!(error.url().unwrap_or_default(), url);
        }
    }
}
