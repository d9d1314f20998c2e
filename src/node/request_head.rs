//! The request head that Godot would send: the caller's fields first, then the added ones.

use http::{Method, Version};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::connection::{Route, Target};
use crate::error::{Error, Misuse};
use crate::proto::{FieldLines, RequestHead};

/// Characters that a request target must not contain as they are. Control characters are refused before
/// this. Everything else is already encoded by the caller, and must not be encoded twice.
const TO_ENCODE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// Checks whether these lines can be sent as headers (Godot's `HTTPClient.verify_headers`): each needs a
/// name and a colon, and no character may end the line or the name early.
///
/// # Errors
/// [`Misuse::InvalidHeader`].
pub fn verify_headers(headers: &[&str]) -> Result<(), Error> {
    let mut fields = FieldLines::new();
    for line in headers {
        fields.append_line(line)?;
    }
    Ok(())
}

/// Builds the head. `proxy_authorization` is set for a request that a proxy forwards.
pub(super) fn build(
    method: Method,
    url: &str,
    headers: &[&str],
    target: &Target,
    user_agent: &str,
    proxy_authorization: Option<&str>,
) -> Result<RequestHead, Error> {
    let request_target = request_target(&method, url, target)?;
    let mut fields = FieldLines::new();
    for line in headers {
        fields.append_line(line)?;
    }
    if !fields.contains("Host") {
        fields.append("Host", target.authority())?;
    }
    if !user_agent.is_empty() && !fields.contains("User-Agent") {
        fields.append("User-Agent", user_agent)?;
    }
    if !fields.contains("Accept") {
        fields.append("Accept", "*/*")?;
    }
    if let Some(authorization) = proxy_authorization
        && !fields.contains("Proxy-Authorization")
    {
        fields.append("Proxy-Authorization", authorization)?;
    }
    Ok(RequestHead {
        method,
        target: request_target,
        version: Version::HTTP_11,
        fields,
    })
}

/// The request target in the form that the method and the route require (RFC 9112 §3.2).
fn request_target(method: &Method, url: &str, target: &Target) -> Result<String, Misuse> {
    if url.contains(|c: char| c.is_ascii_control()) {
        return Err(Misuse::InvalidTarget);
    }
    let (url, _fragment) = url.split_once('#').unwrap_or((url, ""));
    if *method == Method::CONNECT {
        let valid = url.rsplit_once(':').is_some_and(|(host, port)| {
            crate::connection::parse_host(host).is_ok()
                && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        return if valid {
            Ok(url.to_owned())
        } else {
            Err(Misuse::InvalidTarget)
        };
    }
    if url == "*" {
        return if *method == Method::OPTIONS {
            Ok(url.to_owned())
        } else {
            Err(Misuse::InvalidTarget)
        };
    }
    let absolute = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(scheme))
    });
    if !absolute && !url.starts_with('/') {
        return Err(Misuse::InvalidTarget);
    }
    let encoded = utf8_percent_encode(url, TO_ENCODE).to_string();
    match target.route {
        Route::Forward(_) if !absolute => Ok(format!("{}{encoded}", target.origin())),
        Route::Forward(_) | Route::Direct | Route::Tunnel(_) | Route::Socks(_) => Ok(encoded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Proxy, parse_host};
    use crate::transport::link::TlsChoice;

    fn target(route: Route) -> Target {
        Target {
            host: parse_host("game.example").unwrap(),
            port: 8080,
            tls: TlsChoice::Plain,
            route,
        }
    }

    fn of(method: Method, url: &str) -> Result<String, Misuse> {
        request_target(&method, url, &target(Route::Direct))
    }

    #[test]
    fn valid_targets_are_encoded_and_sent() {
        for (method, url, sent) in [
            (Method::GET, "/", "/"),
            (Method::GET, "/a?b=c", "/a?b=c"),
            (Method::GET, "/a b/ü", "/a%20b/%C3%BC"),
            (Method::GET, "/%20already", "/%20already"),
            (Method::GET, "/page#fragment", "/page"),
            (
                Method::GET,
                "http://other.example/x",
                "http://other.example/x",
            ),
            (
                Method::GET,
                "/next?u=http://other.example/",
                "/next?u=http://other.example/",
            ),
            (Method::OPTIONS, "*", "*"),
            (Method::CONNECT, "other.example:443", "other.example:443"),
            (Method::CONNECT, "[::1]:443", "[::1]:443"),
        ] {
            assert_eq!(of(method, url).as_deref(), Ok(sent), "{url}");
        }
    }

    #[test]
    fn invalid_targets_are_refused() {
        for (method, url) in [
            (Method::GET, ""),
            (Method::GET, "a"),
            (Method::GET, "?q"),
            (Method::GET, "*"),
            (Method::GET, "ftp://other.example/"),
            (Method::GET, "/a\r\nX: y"),
            (Method::GET, "/a\0"),
            (Method::CONNECT, "/"),
            (Method::CONNECT, "host"),
            (Method::CONNECT, "host:0"),
            (Method::CONNECT, "host:x"),
        ] {
            assert_eq!(of(method, url), Err(Misuse::InvalidTarget), "{url:?}");
        }
    }

    #[test]
    fn a_forwarding_proxy_gets_the_absolute_form() {
        let proxy = Proxy {
            host: parse_host("proxy.example").unwrap(),
            port: 3128,
        };
        let target = target(Route::Forward(proxy));
        for (url, sent) in [
            ("/a?b", "http://game.example:8080/a?b"),
            ("http://x.example/", "http://x.example/"),
            ("*", "*"),
        ] {
            assert_eq!(
                request_target(&Method::OPTIONS, url, &target).as_deref(),
                Ok(sent)
            );
        }
    }

    #[test]
    fn godots_cases_of_verify_headers() {
        let lines = ["Accept: text/html", "X-Empty:", "Time: 12:30"];
        assert!(verify_headers(&lines).is_ok());
        for line in [
            "",
            "InvalidHeader",
            ":",
            " : x",
            "A: b\r\nC: d",
            "A\0: b",
            "A b: c",
        ] {
            let error = verify_headers(&[line]).unwrap_err();
            assert_eq!(*error.kind(), Misuse::InvalidHeader.into(), "{line:?}");
        }
    }
}
